/* Types in an expression: whether values and units fit, what may stand where. */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "rules/check.h"

bool sw_types_fit(enum sw_vtype a, enum sw_vtype b)
{
	if (a == b || a == SW_V_ANY || b == SW_V_ANY || a == SW_V_NULL || b == SW_V_NULL)
		return true;
	return (a == SW_V_RATIO && b == SW_V_NUMBER) || (a == SW_V_NUMBER && b == SW_V_RATIO); /* 0.05 is 5% */
}

const char *sw_type_unit(enum sw_vtype t, double num)
{
	if (t == SW_V_DURATION)
		return num >= 10 || num <= -10 ? "ms" : "s";
	return t == SW_V_BYTES ? "MiB" : t == SW_V_RATE ? "rps" : NULL;
}

static int check_fits(struct check *c, const struct node *n, const struct node *a, const struct node *b)
{
	const struct node *bare = b->kind == N_LITERAL && b->type == SW_V_NUMBER ? b : a->kind == N_LITERAL && a->type == SW_V_NUMBER ? a : NULL;
	const struct node *other = bare == b ? a : b;
	const char *unit = bare ? sw_type_unit(other->type, bare->value.num) : NULL;

	if (sw_types_fit(a->type, b->type))
		return 0;
	if (unit)
		return sw_wrong_set(c->wrong, bare->at, "a %s is compared with a bare number, did you mean %.6g%s?", sw_vtype_name(other->type),
		                    bare->value.num, unit);
	return sw_wrong_set(c->wrong, n->at, "a %s cannot be compared with a %s", sw_vtype_name(a->type), sw_vtype_name(b->type));
}

/* ---- comparisons ---- */

/* The side with `baseline` in it is checked last: its type is that of the other. */
static int check_compare(struct check *c, struct node *n)
{
	struct node *left = n->arg[0], *right = n->arg[1];
	bool first = sw_baseline_in(left), second = sw_baseline_in(right);
	int r;

	n->type = SW_V_BOOL;
	if (first && second)
		return sw_wrong_set(c->wrong, n->at, "baseline stands on both sides: it is what the other side was before");
	r = sw_check_node(c, first ? right : left);
	if (r == 0)
		r = first || second ? sw_check_beside(c, first ? right : left, first ? left : right) : sw_check_node(c, right);
	if (r == 0)
		r = check_fits(c, n, left, right);
	if (r < 0)
		return r;
	if (n->op != C_EQ && n->op != C_NE && !sw_vtype_numeric(left->type) && left->type != SW_V_ANY)
		return sw_wrong_set(c->wrong, n->at, "a %s has no order, use == or !=", sw_vtype_name(left->type));
	n->limit_first = first || (!second && left->kind == N_LITERAL && right->kind != N_LITERAL);
	n->measured = sw_side_measured(n->limit_first ? right : left);
	return 0;
}

static int check_between(struct check *c, struct node *n)
{
	n->type = SW_V_BOOL;
	if (sw_baseline_in(n->arg[0]))
		return sw_wrong_set(c->wrong, n->arg[0]->at, "baseline belongs into the limits of between");
	if (sw_check_node(c, n->arg[0]) < 0)
		return -EINVAL;
	for (int i = 1; i < 3; i++) {
		int r = sw_baseline_in(n->arg[i]) ? sw_check_beside(c, n->arg[0], n->arg[i]) : sw_check_node(c, n->arg[i]);

		if (r < 0 || check_fits(c, n, n->arg[0], n->arg[i]) < 0)
			return -EINVAL;
	}
	if (!sw_vtype_numeric(n->arg[0]->type) && n->arg[0]->type != SW_V_ANY)
		return sw_wrong_set(c->wrong, n->at, "a %s has no order, use == or !=", sw_vtype_name(n->arg[0]->type));
	n->measured = sw_side_measured(n->arg[0]);
	return 0;
}

static int check_arith(struct check *c, struct node *n)
{
	enum sw_vtype a, b;

	for (int i = 0; i < 2; i++)
		if (sw_check_node(c, n->arg[i]) < 0)
			return -EINVAL;
	a = n->arg[0]->type;
	b = n->arg[1]->type;
	if ((!sw_vtype_numeric(a) && a != SW_V_ANY) || (!sw_vtype_numeric(b) && b != SW_V_ANY))
		return sw_wrong_set(c->wrong, n->at, "a %s and a %s cannot be calculated with", sw_vtype_name(a), sw_vtype_name(b));
	if (n->kind == N_ADD || n->kind == N_SUB) {
		if (a == SW_V_TIME && b == SW_V_TIME && n->kind == N_SUB)
			n->type = SW_V_DURATION;
		else if (a == SW_V_TIME && b == SW_V_DURATION)
			n->type = SW_V_TIME;
		else if (!sw_types_fit(a, b))
			return sw_wrong_set(c->wrong, n->at, "a %s and a %s do not add up", sw_vtype_name(a), sw_vtype_name(b));
		else
			n->type = a == SW_V_ANY || (a == SW_V_NUMBER && b == SW_V_RATIO) ? b : a;
		return 0;
	}
	if (n->kind == N_MUL) {
		if (a != SW_V_NUMBER && b != SW_V_NUMBER && a != SW_V_RATIO && b != SW_V_RATIO && a != SW_V_ANY && b != SW_V_ANY)
			return sw_wrong_set(c->wrong, n->at, "one side of * has to be a number");
		n->type = a == SW_V_NUMBER || a == SW_V_RATIO ? b : a;
	} else {
		n->type = a == b ? SW_V_NUMBER : a;
	}
	return 0;
}

static int check_truth(struct check *c, struct node *n, const char *where)
{
	if (sw_check_node(c, n) < 0)
		return -EINVAL;
	if (n->type == SW_V_BOOL && !(n->kind == N_SIGNAL))
		return 0;
	if (n->kind == N_SIGNAL && sw_streq(n->name, "health"))
		return sw_wrong_set(c->wrong, n->at, "health is no condition, did you mean \"health is failing\"?");
	return sw_wrong_set(c->wrong, n->at, "%s wants a condition, this is a %s", where, sw_vtype_name(n->type));
}

static int check_in(struct check *c, struct node *n)
{
	const struct node *list = n->arg[1];

	n->type = SW_V_BOOL;
	if (sw_check_node(c, n->arg[0]) < 0 || sw_check_node(c, n->arg[1]) < 0)
		return -EINVAL;
	if (list->type != SW_V_LIST)
		return sw_wrong_set(c->wrong, list->at, "\"in\" wants a list here");
	if (list->kind == N_SIGNAL)
		return sw_wrong_set(c->wrong, list->at, "\"in\" wants a list of plain values, ask any(%s, …)", list->name);
	for (size_t i = 0; list->kind == N_LIST && i < list->n; i++)
		if (check_fits(c, list->list[i], n->arg[0], list->list[i]) < 0)
			return -EINVAL;
	return 0;
}

static int check_is(struct check *c, struct node *n)
{
	n->type = SW_V_BOOL;
	if (sw_check_node(c, n->arg[0]) < 0)
		return -EINVAL;
	if (n->state >= S_HEALTHY && !(n->arg[0]->kind == N_SIGNAL && sw_streq(n->arg[0]->name, "health")))
		return sw_wrong_set(c->wrong, n->at, "only health can be healthy or failing");
	if (n->arg[0]->kind != N_SIGNAL && n->arg[0]->kind != N_WINDOW && n->arg[0]->kind != N_CALL && n->arg[0]->kind != N_FIELD &&
	    n->arg[0]->kind != N_ELEMENT)
		return sw_wrong_set(c->wrong, n->arg[0]->at, "\"is\" asks about a signal");
	n->measured = n->state >= S_HEALTHY;
	return 0;
}

static int check_list_literal(struct check *c, struct node *n)
{
	struct sw_value *items = SW_ARENA_ARRAY(c->sc->a, struct sw_value, n->n + 1);

	n->type = SW_V_LIST;
	for (size_t i = 0; i < n->n; i++) {
		if (sw_check_node(c, n->list[i]) < 0)
			return -EINVAL;
		if (n->list[i]->kind != N_LITERAL)
			return sw_wrong_set(c->wrong, n->list[i]->at, "a list holds plain values");
		items[i] = n->list[i]->value;
	}
	n->value = (struct sw_value){ .type = SW_V_LIST, .items = items, .n = n->n };
	return 0;
}

int sw_check_node(struct check *c, struct node *n)
{
	int r = 0;

	switch (n->kind) {
	case N_OR:
	case N_AND:
		n->type = SW_V_BOOL;
		r = check_truth(c, n->arg[0], n->kind == N_OR ? "or" : "and");
		return r < 0 ? r : check_truth(c, n->arg[1], n->kind == N_OR ? "or" : "and");
	case N_NOT:
		n->type = SW_V_BOOL;
		return check_truth(c, n->arg[0], "not");
	case N_FOR:
		n->type = SW_V_BOOL;
		if (c->elements)
			return sw_wrong_set(c->wrong, n->at, "\"for\" stands outside of any() and all()");
		return check_truth(c, n->arg[0], "for");
	case N_COMPARE: return check_compare(c, n);
	case N_IN: return check_in(c, n);
	case N_BETWEEN: return check_between(c, n);
	case N_MATCH:
		n->type = SW_V_BOOL;
		r = sw_check_node(c, n->arg[0]);
		if (r == 0 && n->arg[0]->type != SW_V_STRING && n->arg[0]->type != SW_V_ANY)
			return sw_wrong_set(c->wrong, n->at, "a %s cannot be matched, only a string", sw_vtype_name(n->arg[0]->type));
		return r;
	case N_IS: return check_is(c, n);
	case N_ADD:
	case N_SUB:
	case N_MUL:
	case N_DIV: return check_arith(c, n);
	case N_NEG:
		r = sw_check_node(c, n->arg[0]);
		n->type = n->arg[0]->type;
		if (r == 0 && !sw_vtype_numeric(n->type))
			return sw_wrong_set(c->wrong, n->at, "a %s has no negative", sw_vtype_name(n->type));
		return r;
	case N_LITERAL:
		n->type = n->value.type;
		return 0;
	case N_LIST: return check_list_literal(c, n);
	case N_PATH: return sw_check_path(c, n);
	case N_CALL: return sw_check_call(c, n);
	case N_BASELINE: return sw_check_baseline(c, n);
	case N_ELEMENT: return sw_check_element(c, n);
	case N_FIELD:
	case N_SIGNAL:
	case N_WINDOW: return 0;
	}
	return 0;
}

int sw_expr_check(struct sw_expr *e, const struct scope *sc, struct wrong *wrong)
{
	struct check c = { .sc = sc, .e = e, .wrong = wrong };
	int r = check_truth(&c, e->root, "a rule");

	return r < 0 ? r : sw_expr_plan(&c);
}
