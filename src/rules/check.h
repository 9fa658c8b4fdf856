/* Checking an expression: what the files share that give its names and types their meaning. */
#ifndef SW_RULES_CHECK_H
#define SW_RULES_CHECK_H

#include "rules/expr.h"

struct asked { const char *items[EXPR_ASKED]; size_t n; };

struct check {
	const struct scope *sc;
	struct sw_expr *e;
	struct wrong *wrong;
	const struct node *other;    /* what `baseline` is the baseline of here; NULL: of nothing */
	const struct node *elements; /* the list of the any() or all() we are in; NULL: in none */
	struct asked used, based;    /* signals asked for; those whose baseline is asked for */
	struct asked sources;        /* asked about by signal_source() */
	const struct sw_regressed_ask *regressed[EXPR_ASKED];
	size_t n_regressed;
};

/* types.c */
int sw_check_node(struct check *c, struct node *n);
bool sw_types_fit(enum sw_vtype a, enum sw_vtype b);
const char *sw_type_unit(enum sw_vtype t, double num); /* the unit a bare number of this size was likely meant in; NULL: it needs none */

/* names.c: what a name means. uses: notes a signal; -EINVAL with wrong when there are too many. */
int sw_check_path(struct check *c, struct node *n);
int sw_check_element(struct check *c, struct node *n);
int sw_check_uses(struct check *c, struct asked *list, const struct node *at, const char *signal);
const struct sw_ynode *sw_check_list(const struct check *c, const char *path);
bool sw_field_name(const char *name);
/* Has a median over the jobs before: a number of an event. */
bool sw_field_measured(enum sw_field_id id);

/* calls.c: functions and windows. */
int sw_check_call(struct check *c, struct node *n);
bool sw_call_name(const char *name);
int sw_check_within(struct check *c, struct node *n);     /* within.c */
int sw_check_regressed(struct check *c, struct node *n);  /* regressed.c */

/* baseline.c */
bool sw_baseline_in(const struct node *side);
/* Was this something before the deployment: does it ask a signal, a field of an element, a number of an event? */
bool sw_side_measured(const struct node *side);
/* Checks limit, in which `baseline` means value. */
int sw_check_beside(struct check *c, const struct node *value, struct node *limit);
int sw_check_baseline(struct check *c, struct node *n);

/* plan.c: the holds that are understood, what the expression needs, what it costs. */
int sw_expr_plan(struct check *c);

#endif
