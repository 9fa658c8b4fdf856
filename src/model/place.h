/*
 * A place: service + environment, and how events find it. Filled by the configuration, used by the engine.
 * A service whose name is "*" is a template: {service} in its texts is the last part of the repository's path.
 */
#ifndef SW_MODEL_PLACE_H
#define SW_MODEL_PLACE_H

#include "shipwatch/base.h"
#include "shipwatch/event.h"
#include "shipwatch/mem.h"

/* One `match` entry: every key that is set must fit; globs; environments fold case. */
struct sw_match {
	const char *source, *repo, *environment, *job, *workflow, *branch, *tag, *path;
};

struct sw_limit {
	const char *name;
	double value;
	int type;
}; /* limits.p95; type: enum sw_vtype of rules/value.h */

struct sw_health_conf {
	const char *url; /* NULL: none */
	sw_dur every, timeout, grace, background;
	int status_min, status_max; /* expected answer, 200..299 unless said */
	const char *version;        /* JSON Pointer to the commit or version that answers ("/commit"); NULL: no check */
	const char *expect;         /* JSON Pointer=value that must hold ("/status=ok"); NULL: none */
};

/* Where a place's signals are measured. */
struct sw_measure_conf {
	const char *url;         /* prometheus: its base; scrape: the service's /metrics. NULL: none */
	const char *preset;      /* which names the metrics have: "client-golang" … ; NULL: the default names */
	const char *labels;      /* prometheus: what $labels stands for: job="web",env="prod"; "" unless said */
	sw_dur window;           /* $window, 1 m unless said */
	sw_dur timeout;
	sw_dur background;       /* scrape: rhythm between deployments */
	const char *user, *password, *token; /* Basic, or Bearer; NULL: none */
};

/* NULL-ended: the words of `preset:`; what they ask for is in signal/presets.c. */
extern const char *const sw_place_presets[];

struct sw_place {
	const char *service, *environment, *tier; /* tier NULL: none */
	const char **repos;                       /* NULL-ended globs of the service */
	struct sw_match *matches;                 /* none: own name and the usual other spelling, in repos */
	size_t n_matches;
	bool deploys_pipeline; /* deploys: pipeline */
	struct sw_health_conf health;
	struct sw_measure_conf prometheus, scrape;
	const char *rollback;    /* name of the action; NULL: none */
	const char **migrations; /* NULL-ended globs */
	const char **channels;   /* NULL or NULL-ended: the environment's, else the service's */
	struct sw_limit *limits;
	size_t n_limits;
	struct sw_label *labels;
	size_t n_labels;
	bool dry_run;
	int rollbacks_30m, rollbacks_24h; /* caps: 1 and 3 unless said */
	const char *where;                /* "shipwatch.yaml:40:9" for check */
};

struct sw_places {
	struct sw_place *items;
	size_t n;
};

/* The place of that name: a named service first, else a "*" service with that environment, made in a. NULL: no such
 * place. */
const struct sw_place *sw_places_find(const struct sw_places *ps, const char *service, const char *environment,
                                      struct sw_arena *a);

/* How an event belongs to a place. */
enum sw_claim {
	SW_CLAIM_NONE,
	SW_CLAIM_DEPLOYMENT, /* names an environment that is this place */
	SW_CLAIM_WORKFLOW,   /* GitHub workflow_run without an environment, by the workflow of a match */
	SW_CLAIM_PIPELINE,   /* a green pipeline where the place opts in */
};
struct sw_claimed {
	const struct sw_place *place;
	enum sw_claim how;
};
/*
 * The places an event concerns, at most max; within a place the first match wins; a named service wins over "*".
 * Tier of the host counts only where exactly one service claims the repository. Return: how many.
 */
size_t sw_places_claim(const struct sw_places *ps, const struct sw_event *ev, struct sw_arena *a,
                       struct sw_claimed *ret, size_t max);
/*
 * The places an event is about that is no deployment (an alarm, a report of a build): of the service it names or whose repository
 * it has, those that are called as it names the environment, else those a match of which has that environment, else those of that
 * tier; all of the service where it names none. Return: how many, at most max.
 */
size_t sw_places_meant(const struct sw_places *ps, const struct sw_event *ev, struct sw_arena *a,
                       const struct sw_place **ret, size_t max);
/* Is the repository one of a configured service? Name of the service (for wildcard: last part of the path), or NULL. */
const char *sw_places_service_of(const struct sw_places *ps, const struct sw_event *ev, struct sw_arena *a);

/* The text with every {service} replaced; NULL in, NULL out. */
const char *sw_place_fill(const char *text, const char *service, struct sw_arena *a);
/* The same in matchers of PromQL (job="{service}"): quotes and backslashes of the name become _, so it cannot end the text. */
const char *sw_place_fill_labels(const char *labels, const char *service, struct sw_arena *a);
/* "production" → "prod", "stage" → "staging", anything else → itself; case is folded for these words only. */
const char *sw_place_tier(const char *environment);
/*
 * Can one event fit both places? They tell of the same kind of service (both named or both "*"): elsewhere the named
 * one wins. ret_a, ret_b: the numbers of the matches that overlap (0 when the place has none).
 */
bool sw_places_overlap(const struct sw_place *a, const struct sw_place *b, size_t *ret_a, size_t *ret_b);

#endif
