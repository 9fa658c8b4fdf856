/*
 * What a `for` remembers: the last 32 checks that said something, as bits, and since when they are all true.
 *
 * An unknown check neither extends nor ends what held, for two intervals (or ends it at once, `for_gap: reset`).
 */
#include "rules/expr.h"
#include "stats/cusum.h"

/* Counts a check if it is a new one. gap counts unknown checks in a row. */
void sw_hold_count(struct sw_hold *h, enum sw_truth t, sw_ms at, bool gap_resets)
{
	if (at <= h->last_at)
		return;
	h->last_at = at;
	if (t == SW_UNKNOWN) {
		if (++h->gap > 2 || gap_resets)
			h->since = 0; /* longer than two intervals: nobody can say that it held */
		if (gap_resets)
			h->valid = h->bits = 0;
		return;
	}
	h->gap = 0;
	h->bits = h->bits << 1 | (t == SW_TRUE);
	if (h->valid < 32)
		h->valid++;
	if (t == SW_FALSE)
		h->since = 0;
	else if (!h->since)
		h->since = at;
}

unsigned sw_hold_true(const struct sw_hold *h, unsigned of)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SW_MIN(of, h->valid); i++)
		n += h->bits >> i & 1;
	return n;
}

/*
 * The sum over the checks that are remembered, oldest first. It goes no higher than its limit: the first check that is false
 * ends the alarm, as it ends "for 3 checks", and the next true one may begin it again.
 */
bool sw_hold_cusum(const struct sw_hold *h)
{
	struct sw_cusum c = sw_cusum_default();
	double s = 0;

	for (unsigned i = h->valid; i-- > 0;)
		s = sw_cusum_step(&c, s, h->bits >> i & 1);
	return sw_cusum_failing(&c, s);
}
