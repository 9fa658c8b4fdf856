/* The commits between what ran before and what runs now, out of the pushes in the history; bounded in pushes, commits and time. */
#ifndef SW_DASHBOARD_COMMITS_H
#define SW_DASHBOARD_COMMITS_H

#include "dashboard/store.h"
#include "shipwatch/alert.h"

#define COMMITS_MOST   200 /* that are given; the others are counted */
#define COMMITS_PUSHES 100 /* of one walk */
#define COMMITS_TIME   ((sw_dur)300) /* ms of all walks of one request */

enum commits_found {
	COMMITS_ALL,       /* from what ran before to what runs now */
	COMMITS_BACK,      /* it went back: all that are taken back, from what ran before down to what runs now */
	COMMITS_SAME,      /* the commit that ran already: none */
	COMMITS_PUSH,      /* what ran before is not known: those of its push */
	COMMITS_GAP,       /* no push that ended at `missing` is known (or it was a push of a new branch): what was found down to there */
	COMMITS_FAR,       /* more pushes, or more time, than is spent on it: what was found so far */
	COMMITS_NONE,      /* no push told of it */
};

struct commits_range {
	enum commits_found found;
	bool back;                 /* of GAP and FAR: they are taken back */
	bool forced;               /* a push on the way was forced: what it replaced is not among them */
	struct sw_commit *list;    /* newest first */
	size_t n;
	int64_t total;             /* -1: not known */
	const char *missing;
};
/* Are these all, and is each of them listed? */
bool commits_complete(const struct commits_range *r);

/* What was walked in one request: the same range is not walked twice, and all walks together end in time. Begin with { 0 }. */
#define COMMITS_KNOWN 24
struct commits {
	sw_dur until;
	struct { const char *repo, *branch, *from, *to; struct commits_range range; } known[COMMITS_KNOWN];
	size_t n;
};

/* What is asked for. Shas may be short; from and branch may be NULL. rollback: it is known to be one, so it is looked for backwards first. */
struct commits_of { const char *repo, *branch, *from, *to; bool rollback; sw_ms at; };
/* Walks the history; a file that cannot be read is as one that knows nothing. s NULL: likewise. Texts in a. */
void commits_find(struct commits *c, struct sw_store *s, struct sw_arena *a, const struct commits_of *of, struct commits_range *ret);
/* Gives an alert that carries none the commits and files that its message had (worker/courier.c), of which an alert of the journal has none. */
void commits_of_alert(struct commits *c, struct sw_store *s, struct sw_arena *a, sw_ms at, struct sw_alert *al);

/* The statements, for the test of their plans: the push that ended at a commit; the pushes of a repository before a moment. */
extern const char commits_sql_ended[], commits_sql_near[];

#endif
