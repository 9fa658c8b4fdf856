/* What the files of the decision bench share: deployments, methods, tallies. */
#ifndef BENCH_DECISIONS_H
#define BENCH_DECISIONS_H

#include <stdio.h>

#include "shipwatch/base.h"
#include "shipwatch/mem.h"

#define STEP_S 15
#define BASELINE 120   /* 30 m */
#define LOOKS 20       /* 5 m */
#define HISTORY 5760   /* 24 h */
#define LATE_STEPS 8   /* a late step begins 2 m after the deployment */
#define METHODS_MAX 8
#define SCENARIOS_MAX 16

/* ---- numbers that look random: xoshiro256** (Blackman & Vigna 2018), seeded by splitmix64 ---- */

struct rng {
	uint64_t s[4];
};
void rng_seed(struct rng *r, uint64_t seed, uint64_t stream);
double rng_uniform(struct rng *r);  /* (0, 1) */
double rng_normal(struct rng *r);
double rng_poisson(struct rng *r, double mean);

/* ---- series ---- */

struct model {
	const char *name, *help;
	/* logs of n points around log(level) */
	void (*fill)(struct rng *r, double *log_x, size_t n);
	double overlap;        /* steps a point's window spans: a step of the level arrives over so many points */
};
extern const struct model models[];
extern const size_t n_models;

struct error_model {
	const char *name, *help;
	double rps, rate;
	double burst;          /* 0: Poisson; else the rate of each minute is multiplied by a gamma-like factor of this spread */
};
extern const struct error_model error_models[];
extern const size_t n_error_models;
void errors_fill(const struct error_model *m, struct rng *r, double *bad, double *all, size_t n, const double *times);

/* ---- a deployment and who judges it ---- */

struct sw_calibration;
struct deployment {
	const double *history;     /* n_history points before, the baseline being the last of them; NaN: missing */
	const double *history_all; /* counts: requests; NULL: a latency */
	const bool *excluded;      /* of the history, or NULL */
	size_t n_history;
	double y[LOOKS], y_all[LOOKS];
	double overlap;
	double fixed;              /* limit of the method with a fixed threshold */
	double floor;              /* least rise our method is told; counts have their own */
	bool plain;                /* not a latency: compared as it is, not as logs */
	/* what the history gives, once for all effects and methods */
	struct sw_calibration *calibration;
	bool calibrated;
	unsigned char tier_a[LOOKS + 1]; /* what tier A said at look k, for the two methods that ask: bits of decisions_methods.c */
};
struct method {
	const char *name, *help;
	/* Alarm with the first k samples? k = 1 .. LOOKS, asked at every look until it says yes. */
	bool (*alarm)(struct deployment *d, size_t k, struct sw_arena *a);
};
extern const struct method methods[];
extern const size_t n_methods;
/* Before the methods are asked. cal: room. */
void deployment_calibrate(struct deployment *d, struct sw_calibration *cal, struct sw_arena *a);

/* ---- results ---- */

struct scenario {
	char name[32];
	double late_s;             /* taken off the time to find */
	bool healthy;
};
/* alarms[method][k]: deployments first found at look k; [0]: never. */
struct tally {
	uint64_t alarms[METHODS_MAX][LOOKS + 1];
};
struct group {
	char name[64], help[200];
	struct scenario scenarios[SCENARIOS_MAX];
	struct tally tallies[SCENARIOS_MAX];
	size_t n_scenarios;
	double step_s;             /* between looks */
};
/* The first alarm of each method. d: y is set. a: scratch. */
void tally_deployment(struct group *g, size_t scenario, struct deployment *d, struct sw_arena *a);
/* A table to text and, where json is not NULL, a member of an object to json. */
void group_print(const struct group *g, FILE *text, FILE *json);

/*
 * Reads a series and fills a group with what every parts-th deployment, from part on, gave: 0, or -1 after a line on stderr. most:
 * healthy deployments at most.
 */
int csv_group(const char *path, size_t most, size_t part, size_t parts, struct group *g, struct sw_arena *a);

#endif
