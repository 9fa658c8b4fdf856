/*
 * What is read out of an exposition: a small language of one function over series chosen by name and labels.
 *
 *   quantile(0.95, NAME{code!="500"})   of the observations since the last scrape, from the buckets NAME_bucket
 *   ratio(BAD{…}, ALL{…})               of what two counters grew by; its count is what ALL grew by
 *   rate(NAME{…}), increase(NAME{…})    growth of counters: a second; a step
 *   changes(NAME{…})                    1 when it is another one than at the last scrape, else 0
 *   sum(NAME{…}), max, min, avg         of gauges
 *   NAME{…}                             one series, or several by `reduce`
 *
 * Series may be chosen several ways: NAME{code=~"5.."} or NAME{status=~"5.."}. Behind it all * or / and a number.
 * Matchers are =, !=, =~ and !~ ; the patterns of the latter two cover the whole value and know . [a-z] \d \w * + ? {n}
 * and |.
 */
#ifndef SW_SIGNAL_SELECT_H
#define SW_SIGNAL_SELECT_H

#include "shipwatch/err.h"
#include "shipwatch/mem.h"
#include "signal/exposition.h"

/* The first of them, up to CHANGES, compare with the last scrape. */
enum sw_select_func {
	SW_SEL_QUANTILE,
	SW_SEL_RATIO,
	SW_SEL_RATE,
	SW_SEL_INCREASE,
	SW_SEL_CHANGES,
	SW_SEL_SUM,
	SW_SEL_MAX,
	SW_SEL_MIN,
	SW_SEL_AVG,
	SW_SEL_BARE
};

struct sw_pattern; /* of =~ */
enum sw_match_op { SW_OP_IS, SW_OP_IS_NOT, SW_OP_LIKE, SW_OP_NOT_LIKE };
struct sw_matcher {
	const char *name, *value;
	size_t name_n, value_n;
	enum sw_match_op op;
	const struct sw_pattern *pattern;
};

#define SW_SEL_MATCHERS 16
#define SW_SEL_WAYS     8
struct sw_way {
	const char *name;
	size_t name_n;
	struct sw_matcher matchers[SW_SEL_MATCHERS];
	size_t n_matchers;
};
struct sw_selector {
	struct sw_way *ways;
	size_t n_ways;
	uint32_t hash; /* of its text, blanks left out */
};

struct sw_select {
	enum sw_select_func func;
	double q, factor;
	struct sw_selector sel[2];
	size_t n_sel;
};

#define SW_SELECT_MAX 1000 /* bytes of text */

/* Return: 0 and *ret, whose texts are in the arena; -EINVAL with err, which names the column. */
SW_CHECKED int sw_select_parse(const char *text, struct sw_arena *a, struct sw_select *ret, struct sw_err *err);
/* suffix: what the name has behind that of the selector ("_bucket"), or "". */
bool sw_selector_fits(const struct sw_selector *sel, const struct sw_expo_sample *s, const char *suffix);

/* pattern.c: Return: 0 and *ret; -EINVAL with err, *ret_at is how far it was understood. */
SW_CHECKED int sw_pattern_parse(const char *text, size_t n, struct sw_arena *a, const struct sw_pattern **ret,
                                size_t *ret_at, struct sw_err *err);
/* Does it cover the whole text? Time is text times pattern, whatever both are. */
bool sw_pattern_fits(const struct sw_pattern *p, const char *text, size_t n);

#endif
