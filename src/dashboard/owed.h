/*
 * What the history still owes: watches that are to be explained, builds that a Pushgateway was not told of. It stands in the history, so
 * that nothing is forgotten and nobody has to keep a list of it.
 */
#ifndef SW_DASHBOARD_OWED_H
#define SW_DASHBOARD_OWED_H

#include "dashboard/store.h"

/* ---- watches to be explained (explained.c) ---- */

struct sw_owed_watch { const char *watch, *state, *service, *environment; };
/*
 * The newest watch with a verdict since `from` and until `until` whose explanation is not there, or was made before it was done. Texts in
 * a. Return: 1 and *ret; 0: there is none; -errno with err.
 */
SW_CHECKED int sw_owed_watch(struct sw_store *s, sw_ms from, sw_ms until, struct sw_arena *a, struct sw_owed_watch *ret, struct sw_err *err);
/* It was explained while it was in that state; json NULL: it cannot be, and is not asked for again. Return: 0, or -errno with err. */
SW_CHECKED int sw_owed_explained(struct sw_store *s, const char *watch, const char *state, const char *json, struct sw_err *err);

/* ---- builds to be pushed (pusher.c) ---- */

#define SW_OWED_JOBS 50

struct sw_owed_job {
	const char *name, *stage, *status, *metrics; /* metrics: JSON object of numbers, or NULL */
	double duration_ms, coverage, cpu_ms, max_rss_bytes; /* NaN: not known */
	int exit_code;                               /* -1: not known */
};
struct sw_owed_build {
	int64_t seq, id;
	sw_ms at, finished;                          /* finished 0: not known */
	const char *repo, *branch, *environment, *name; /* what tells groups apart; NULL: not known */
	const char *tag, *sha, *version, *service, *ci_run_id, *source, *status, *trigger;
	double duration_ms, coverage, cpu_ms, max_rss_bytes;
	int exit_code;
	bool merge_request;
	struct sw_owed_job *jobs;
	size_t n_jobs;
};
/* Up to where it was pushed: a seq; 0 at first. */
SW_CHECKED int sw_owed_pushed(struct sw_store *s, int64_t *ret, struct sw_err *err);
SW_CHECKED int sw_owed_pushed_set(struct sw_store *s, int64_t seq, struct sw_err *err);
/* How many builds are behind that, at most `most`. */
SW_CHECKED int sw_owed_waiting(struct sw_store *s, int most, int64_t *ret, struct sw_err *err);
/* Where it is pushed to: when that is another one than before, everything is owed again. Return: 0, or -errno with err. */
SW_CHECKED int sw_owed_pushed_to(struct sw_store *s, const char *where, struct sw_err *err);
/* Builds behind that seq, by it, at most max (of each only what tells its group, and status). Texts in a. Return: how many, or -errno with err. */
SW_CHECKED int sw_owed_changed(struct sw_store *s, int64_t seq, struct sw_owed_build *ret, int max, struct sw_arena *a, struct sw_err *err);
/* The newest build of the same group that ended, whole, with its jobs. Return: 1; 0: none of it ended; -errno with err. */
SW_CHECKED int sw_owed_newest(struct sw_store *s, const struct sw_owed_build *group, struct sw_arena *a, struct sw_owed_build *ret, struct sw_err *err);
/* Groups at the Pushgateway, by their path: one was pushed; those that were not since `before`, the oldest; one is gone there. */
SW_CHECKED int sw_owed_group(struct sw_store *s, const char *path, sw_ms at, struct sw_err *err);
SW_CHECKED int sw_owed_group_old(struct sw_store *s, sw_ms before, struct sw_arena *a, const char **ret, struct sw_err *err); /* 1; 0: none */
SW_CHECKED int sw_owed_group_gone(struct sw_store *s, const char *path, struct sw_err *err);

#endif
