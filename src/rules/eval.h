/* Evaluating an expression: what its two halves share, values (ask.c) and truth (eval.c). */
#ifndef SW_RULES_EVAL_H
#define SW_RULES_EVAL_H

#include "rules/check.h"

struct eval {
	const struct sw_expr *e;
	const struct sw_facts *f;
	struct sw_hold *holds;
	struct sw_arena *a;
	struct sw_saw *saw;
	size_t n_saw;
	unsigned quiet;            /* inside `for` or any(): comparisons are told by the outer one */
	sw_ms oldest;              /* of the readings met since it was reset; 0: none met */
	bool before;               /* signals are what they were before the deployment */
	bool fields_before;        /* numbers of events too */
	struct each *each;         /* the any() or all() we are in */
};

/* One any() or all() while it goes through its list. */
struct each {
	const struct node *list;
	const struct sw_value *element;
	struct sw_value past;      /* the list as it was before; asked for once */
	bool past_known;
};

struct sw_value sw_eval_value(struct eval *v, const struct node *n);
/* A value as it was before the deployment; its reading tells why that is not known. */
struct sw_value sw_eval_before(struct eval *v, const struct node *n);
/* any(), all(). ret_which: the element that decided, untouched when none did alone. */
enum sw_truth sw_eval_each(struct eval *v, const struct node *n, const struct sw_value **ret_which);
enum sw_truth sw_eval_regressed(struct eval *v, const struct node *n, struct sw_regressed_saw *ret);

enum sw_truth sw_eval_truth(struct eval *v, const struct node *n);
struct sw_value sw_eval_consecutive(struct eval *v, const struct node *n);

static inline struct sw_value sw_value_unknown(enum sw_vtype type, enum sw_reading why)
{
	return (struct sw_value){ .type = type, .reading = why };
}

#endif
