/*
 * Replay: a recording played through the engine in virtual time, and what its rules would have been worth (rules.md 2).
 *
 * 1. The same engine as in a worker, the same state: recorded events come at their time, recorded samples answer its questions.
 * 2. Which deployments were bad is told by labels, else by what happened: taken back within an hour. It does not depend on rules.
 * 3. A false alarm needs a deployment that was well. So that there are enough, the same commit is deployed again in play (pseudo) at
 *    quiet moments of the recording, each in a world of its own.
 */
#ifndef SW_SIM_REPLAY_H
#define SW_SIM_REPLAY_H

#include "sim/recording.h"
#include "sim/sim.h"

/* ---- places of a recording ---- */

/* Places as they can be known from the recording alone: named by its samples, labels and events. In the arena. */
struct sw_places sw_replay_places(const struct recording *rec, struct sw_arena *a);

/* ---- what really happened ---- */

enum replay_known { REPLAY_ASSUMED, REPLAY_ROLLED_BACK, REPLAY_LABELLED };

struct replay_deployment {
	const char *place, *sha;
	sw_ms at;                  /* when it succeeded */
	bool bad, is_rollback;
	enum replay_known known;   /* how that is known */
	size_t event;              /* its success in the recording */
};

struct replay_truth {
	struct replay_deployment *items; /* oldest first */
	size_t n, cap, bad, labelled, rolled_back;
};
/* From `since` on. items are on the heap: free them. */
void sw_replay_truth(const struct recording *rec, const struct sw_places *places, sw_ms since, struct replay_truth *ret);

/* ---- what rules would have done ---- */

enum replay_decision { REPLAY_NONE, REPLAY_PASS, REPLAY_INCONCLUSIVE, REPLAY_ALERT, REPLAY_ROLLBACK };
extern const char *const sw_replay_decisions[];

struct replay_rule {
	const char *name;
	bool watches, labels;      /* labels: it judges nothing (rules.md 1.2) */
	size_t seen, fires, rollbacks; /* deployments; of rules that open no watch fires only */
	size_t bad_fired, bad_quiet, good_fired, good_quiet;
	sw_dur *detect;            /* of bad ones that fired, ascending */
	size_t n_detect;
	size_t pseudo, pseudo_fired;
};

/* Of one deployment of the truth. */
struct replay_outcome {
	enum replay_decision decision;
	sw_dur after;              /* of the first that fired, since the deployment */
	const char *rules;         /* those that fired: "p95-limit, errors"; "" none */
};

struct replay {
	struct sw_arena a;
	struct replay_rule *rules; /* in order of the files */
	size_t n_rules;
	struct replay_outcome *outcomes; /* of truth->items */
	uint64_t steps;
};

struct replay_ask {
	const struct recording *rec;
	const struct sw_places *places;
	struct sw_rules *rules;
	const char *const *alerts;
	int tz_offset_s;
	sw_ms since;               /* what came before is history only */
	size_t pseudo;             /* deployments in play, at most so many for each place */
	void (*progress)(void *arg, sw_ms now, size_t pseudo); /* may be NULL */
	void *arg;
};

/* Return: 0 and *ret (sw_replay_fini), or -errno of a step with err. */
SW_CHECKED int sw_replay_run(const struct replay_ask *ask, const struct replay_truth *truth, struct replay *ret, struct sw_err *err);
void sw_replay_fini(struct replay *r);

/* Wilson's 95 % interval of k out of n. */
void sw_replay_wilson(size_t k, size_t n, double *lo, double *hi);

/* ---- telling it ---- */

struct replay_told {
	const struct recording *rec;
	const struct replay_truth *truth;
	const struct replay *first, *second; /* second NULL: nothing to compare with */
	const char *first_name, *second_name;
	sw_ms since;
};
void sw_replay_text(const struct replay_told *t, struct sw_buf *out);
void sw_replay_json(const struct replay_told *t, struct sw_buf *out);

#endif
