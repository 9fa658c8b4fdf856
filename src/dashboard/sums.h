/*
 * What pages ask of the history that is no list: the newest of many places at once, trends, counts, curves. Each is one statement that an
 * index answers, used again for each thing asked about, so that a page costs the same with a million rows as with a hundred.
 */
#ifndef SW_DASHBOARD_SUMS_H
#define SW_DASHBOARD_SUMS_H

#include "dashboard/chart.h"
#include "dashboard/store.h"

#define SUM_NEWEST 10
#define SUM_BUILDS 50

/* All texts and arrays are in the arena. Return of all: 0, or -errno of the store: what was asked for is then empty. */

struct sum_deployment {
	const char *id, *status, *verdict, *sha, *version, *user, *taken_back; /* taken_back: state of the rollback of it; NULL: none */
	sw_ms at;
	bool is_rollback, watched; /* watched: a watch of it is open */
	int good;                  /* -1 not known */
};
struct sum_place { const char *service, *environment; struct sum_deployment d[SUM_NEWEST]; /* newest first */ size_t n; };
/* Fills d and n of each. */
SW_CHECKED int sum_places(struct sw_store *s, struct sum_place *io, size_t n, struct sw_arena *a);
/* What one deployment came to, as a word of badges: "pass", "fail", "rolled back", "watching", "running" … */
const char *sum_word(const struct sum_deployment *d);

struct sum_build { int64_t id; const char *status; sw_ms at; double duration, coverage; /* ms, 0..1; NaN: not known */ };
struct sum_line { const char *repo, *branch, *environment; /* "": none */ struct sum_build b[SUM_BUILDS]; /* newest first */ size_t n; };
/* Fills b and n of each with at most `each` builds. */
SW_CHECKED int sum_lines(struct sw_store *s, struct sum_line *io, size_t n, size_t each, struct sw_arena *a);

struct sum_rule {
	const char *rule;
	int64_t pass, fail, other, alerts; /* since a moment */
	sw_ms fired;                       /* 0: never */
	struct { const char *deployment, *watch, *verdict; sw_ms at; } w[SUM_NEWEST]; /* newest first */
	size_t n;
};
/* Fills all but the name of each. */
SW_CHECKED int sum_rules(struct sw_store *s, struct sum_rule *io, size_t n, sw_ms since, struct sw_arena *a);

/* Readings of a signal at a place, oldest first, of any source but the reference; at most max, the newest. */
SW_CHECKED int sum_samples(struct sw_store *s, const char *service, const char *environment, const char *signal, sw_ms from, sw_ms to, size_t max,
                           struct sw_arena *a, struct chart_point **ret, size_t *ret_n);
/* When a source was heard of last; 0: never. */
SW_CHECKED int sum_heard(struct sw_store *s, const char *source, sw_ms *ret);

#endif
