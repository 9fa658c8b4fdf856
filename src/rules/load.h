/* Loading rules: what rules.c (files, sets) and rule.c (one rule) share. */
#ifndef SW_RULES_LOAD_H
#define SW_RULES_LOAD_H

#include "base/map.h"
#include "rules/expr.h"

#define FILE_BYTES ((size_t)1 << 20)
#define FILES_MOST 256
#define RULES_MOST 20000

struct expr_owned { struct sw_expr *e; struct expr_owned *next; };

struct set {
	struct sw_rules pub;       /* first: they are the same pointer */
	struct expr_owned *exprs;  /* whose regular expressions are freed with the set */
};

struct source { const char *name, *text; size_t n; struct sw_ynode *root; };

void sw_load_walks(struct sw_rules *r, struct sw_arena *a); /* walk.c */

struct load {
	struct set *set;
	struct sw_arena *a;
	struct sw_diags *d;
	const struct sw_rules_names *names;
	struct source *sources;
	size_t n_sources;
	struct sw_map rule_names, triggers; /* name → ynode */
	struct sw_signal_def *signals;
	size_t n_signals, cap_rules;
	const struct sw_ynode *lists;
	const struct source *now;
};

/* rows.c: reads the rows of `signals:`. */
void sw_load_signals(struct load *l, const struct sw_ynode *n);
/* budget.c: gives each rule its share; what it needs meanwhile lies in a. */
void sw_load_budget(struct sw_rules *s, struct sw_arena *a);
/* lint.c: warnings. r: the rule whose condition e is, or NULL. */
void sw_lint_expr(struct load *l, const struct sw_ynode *at, const struct sw_expr *e, const struct sw_rule *r);
void sw_lint_rule(struct load *l, const struct sw_ynode *n, const struct sw_rule *r);
/* Reads one rule into the set, its mistakes into the diagnostics. */
void sw_load_rule(struct load *l, const struct sw_ynode *n);

#endif
