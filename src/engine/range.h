/*
 * The commits between what ran before and what runs now, out of the pushes that told of them. Pushes are handed in newest first, each ending where
 * the one before it began; who has them (a list in Redis, the history) is the caller's business.
 */
#ifndef SW_ENGINE_RANGE_H
#define SW_ENGINE_RANGE_H

#include "shipwatch/alert.h"

struct sw_range {
	const char *from, *to;     /* shas, as far as they are known; from NULL: not known */
	struct sw_arena *a;
	struct sw_commit *commits; /* newest first */
	size_t n, most;            /* no more than most are kept; total counts on */
	int64_t total;             /* as far as it was walked; -1: a push did not say how many it had */
	bool files_cut;
	bool inside;               /* `to` was met */
	bool whole;                /* and `from`: these are all */
	const char *expect;        /* the sha that the next push has to end at; NULL: nothing is known of what was before */
};

/* from NULL: what ran before is not known, then the push of `to` is what there is. */
void sw_range_begin(struct sw_range *r, const char *from, const char *to, size_t most, struct sw_arena *a);
/*
 * The next older push. Those before `to` is met are passed over. Return: true: one more is wanted (whole is false); false: that was all, or this push
 * does not join the one before it, and is left out.
 */
bool sw_range_push(struct sw_range *r, const struct sw_event *push);
/* Fills al's commits and files. Where not all are known (and it is known what ran before) there are none: total is -1 and files_cut set. */
void sw_range_tell(const struct sw_range *r, struct sw_alert *al);
/* The compare view of a host; NULL: it cannot be made. The address is as the host told it. */
const char *sw_range_url(struct sw_arena *a, const char *repo_url, const char *source_kind, const char *from, const char *to);

#endif
