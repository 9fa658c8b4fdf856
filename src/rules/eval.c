/*
 * Expressions with readings: true, false or unknown.
 *
 * Kleene logic: false and unknown = false, true or unknown = true, else unknown. A comparison with what is not known is unknown;
 * == null and `is` are never unknown, but for healthy and failing.
 */
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "rules/eval.h"

#define SAW_MOST 32

/* ---- comparisons ---- */

static bool value_equal(const struct sw_value *a, const struct sw_value *b)
{
	if (a->type == SW_V_STRING || b->type == SW_V_STRING)
		return a->type == b->type && strcmp(a->str, b->str) == 0;
	if (a->type == SW_V_BOOL || b->type == SW_V_BOOL)
		return a->type == b->type && a->b == b->b;
	return a->num == b->num;
}

/* A value that can only grow: what it says already is known, the rest is not. */
static enum sw_truth least_compare(const struct sw_value *a, enum compare op, const struct sw_value *b)
{
	bool above = a->least ? a->num > b->num : b->num > a->num, reaches = above || a->num == b->num;

	if (a->least && b->least)
		return SW_UNKNOWN;
	if (b->least) /* 200 <= x is x >= 200 */
		op = op == C_LT ? C_GT : op == C_LE ? C_GE : op == C_GT ? C_LT : op == C_GE ? C_LE : op;
	switch (op) {
	case C_GT: return above ? SW_TRUE : SW_UNKNOWN;
	case C_GE: return reaches ? SW_TRUE : SW_UNKNOWN;
	case C_LT: return reaches ? SW_FALSE : SW_UNKNOWN;
	case C_LE: return above ? SW_FALSE : SW_UNKNOWN;
	case C_EQ: return above ? SW_FALSE : SW_UNKNOWN;
	case C_NE: return above ? SW_TRUE : SW_UNKNOWN;
	}
	return SW_UNKNOWN;
}

static enum sw_truth value_compare(const struct sw_value *a, enum compare op, const struct sw_value *b)
{
	bool null = a->type == SW_V_NULL || b->type == SW_V_NULL, t = false;

	if (null && (op == C_EQ || op == C_NE)) { /* a test for presence: never unknown */
		bool both = (a->type == SW_V_NULL || a->reading != SW_R_OK) && (b->type == SW_V_NULL || b->reading != SW_R_OK);

		return both == (op == C_EQ) ? SW_TRUE : SW_FALSE;
	}
	if (a->reading != SW_R_OK || b->reading != SW_R_OK || null || isnan(a->num) || isnan(b->num))
		return SW_UNKNOWN;
	if (a->least || b->least)
		return least_compare(a, op, b);
	switch (op) {
	case C_LT: t = a->num < b->num; break;
	case C_LE: t = a->num <= b->num; break;
	case C_GT: t = a->num > b->num; break;
	case C_GE: t = a->num >= b->num; break;
	case C_EQ: t = value_equal(a, b); break;
	case C_NE: t = !value_equal(a, b); break;
	}
	return t ? SW_TRUE : SW_FALSE;
}

static enum sw_truth truth_not(enum sw_truth t)
{
	return t == SW_UNKNOWN ? t : t == SW_TRUE ? SW_FALSE : SW_TRUE;
}

static enum sw_truth eval_in(const struct sw_value *x, const struct sw_value *list, bool negated)
{
	if (x->reading != SW_R_OK || list->reading != SW_R_OK || list->type != SW_V_LIST)
		return SW_UNKNOWN;
	for (size_t i = 0; x->type != SW_V_NULL && i < list->n; i++)
		if (value_equal(x, &list->items[i]))
			return negated ? SW_FALSE : SW_TRUE;
	return negated ? SW_TRUE : SW_FALSE;
}

/* Is there anybody who could have answered? */
static bool eval_answered(const struct eval *v, const struct node *n)
{
	if (n->kind != N_CALL)
		return true;
	if (n->call == F_REGRESSED)
		return v->f->regressed != NULL;
	return (n->call != F_SOURCE && n->call != F_FLAPS && n->call != F_FLAKY) || v->f->about;
}

static enum sw_truth eval_is(const struct eval *v, const struct node *n, const struct sw_value *x)
{
	enum state s = n->state;
	static const enum sw_reading readings[] = { SW_R_ABSENT, SW_R_STALE, SW_R_NAN, SW_R_ERROR, SW_R_TOO_FEW };

	if (s == S_HEALTHY || s == S_FAILING) {
		if (x->reading != SW_R_OK)
			return SW_UNKNOWN;
		return (x->type == SW_V_BOOL ? x->b : x->num > 0.5) == (s == S_HEALTHY) ? SW_TRUE : SW_FALSE;
	}
	if (x->reading != SW_R_OK && (v->before || !eval_answered(v, n->arg[0])))
		return SW_UNKNOWN; /* no baseline is not "absent before" */
	if (s == S_UNKNOWN)
		return x->reading != SW_R_OK ? SW_TRUE : SW_FALSE;
	return x->reading == readings[s] ? SW_TRUE : SW_FALSE;
}

static const char *eval_print(struct eval *v, const struct sw_value *x)
{
	struct sw_buf b = SW_BUF_INIT;
	const char *ret;

	sw_value_print(x, &b);
	ret = sw_arena_strdup(v->a, sw_buf_str(&b));
	sw_buf_fini(&b);
	return ret;
}

/* Health reads as a word. */
static const char *eval_word(struct eval *v, const struct node *n, const struct sw_value *x)
{
	if (n->kind == N_IS && n->state >= S_HEALTHY && x->reading == SW_R_OK)
		return (x->type == SW_V_BOOL ? x->b : x->num > 0.5) ? "healthy" : "failing";
	return eval_print(v, x);
}

static bool compares_baseline(const struct node *n)
{
	return sw_baseline_in(n->arg[0]) || (n->arg[1] && sw_baseline_in(n->arg[1])) || (n->arg[2] && sw_baseline_in(n->arg[2]));
}

static double eval_num(const struct sw_value *x)
{
	return x && x->reading == SW_R_OK && sw_vtype_numeric(x->type) ? x->num : x && x->reading == SW_R_OK && x->type == SW_V_BOOL ? x->b : NAN;
}

/* The signal whose value this is, in its own unit. */
static const char *eval_signal(const struct node *n)
{
	if (n->kind == N_WINDOW)
		return n->window == SW_W_STDDEV || n->window == SW_W_COUNT || n->window == SW_W_RATE || n->window == SW_W_SUM ? NULL : n->list[0]->name;
	return n->kind == N_SIGNAL && !n->part ? n->name : NULL;
}

/* With the limit on the left it reads the other way round. */
static const char *eval_op(const struct node *n)
{
	static const char *const ops[] = { [C_LT] = "<", [C_LE] = "<=", [C_GT] = ">", [C_GE] = ">=", [C_EQ] = "==", [C_NE] = "!=" };
	static const char *const turned[] = { [C_LT] = ">", [C_LE] = ">=", [C_GT] = "<", [C_GE] = "<=", [C_EQ] = "==", [C_NE] = "!=" };

	return n->kind != N_COMPARE ? NULL : n->limit_first ? turned[n->op] : ops[n->op];
}

/* Notes what a comparison saw: the value, its limit, and what the value was before the deployment. */
static void eval_saw(struct eval *v, const struct node *n, enum sw_truth t, const struct sw_value *a, const struct sw_value *b)
{
	const struct node *value = n->limit_first ? n->arg[1] : n->arg[0];
	struct sw_value before;
	struct sw_saw *s;

	if (v->quiet || v->n_saw == SAW_MOST)
		return;
	s = &v->saw[v->n_saw++];
	*s = (struct sw_saw){ .truth = t, .signal = eval_signal(value), .op = eval_op(n), .value_num = eval_num(n->limit_first ? b : a),
	                      .limit_num = eval_num(n->limit_first ? a : b), .before_num = NAN };
	s->value = eval_word(v, n, n->limit_first ? b : a);
	if (b)
		s->limit = eval_print(v, n->limit_first ? a : b);
	if (!n->measured || (value->kind == N_FIELD && !compares_baseline(n)))
		return;
	before = sw_eval_before(v, value);
	s->before_num = eval_num(&before);
	if (before.reading == SW_R_OK)
		s->before = eval_word(v, n, &before);
}

static enum sw_truth eval_between(struct eval *v, const struct node *n, const struct sw_value *x, const struct sw_value *low)
{
	struct sw_value high = sw_eval_value(v, n->arg[2]);
	enum sw_truth lo = value_compare(x, C_GE, low), hi = value_compare(x, C_LE, &high);

	return lo == SW_FALSE || hi == SW_FALSE ? SW_FALSE : lo == SW_TRUE && hi == SW_TRUE ? SW_TRUE : SW_UNKNOWN;
}

static enum sw_truth eval_match(const struct node *n, const struct sw_value *x)
{
	if (x->reading == SW_R_OK && x->type == SW_V_STRING) {
		enum sw_truth t = sw_regex_match(n->regex, x->str);

		return n->negated ? truth_not(t) : t;
	}
	if (x->reading == SW_R_OK && x->type == SW_V_NULL)
		return n->negated ? SW_TRUE : SW_FALSE; /* what is not there matches nothing */
	return SW_UNKNOWN;
}

static enum sw_truth eval_leaf(struct eval *v, const struct node *n)
{
	struct sw_value a = sw_eval_value(v, n->arg[0]), b = { .type = SW_V_NULL };
	bool two = n->kind == N_COMPARE || n->kind == N_IN || n->kind == N_BETWEEN;
	enum sw_truth t;

	if (two)
		b = sw_eval_value(v, n->arg[1]);
	switch ((int)n->kind) {
	case N_COMPARE:
		t = value_compare(&a, n->op, &b);
		if (v->before && n->measured && (a.reading != SW_R_OK || b.reading != SW_R_OK))
			t = SW_UNKNOWN; /* nor is it null */
		break;
	case N_IN: t = eval_in(&a, &b, n->negated); break;
	case N_BETWEEN: t = eval_between(v, n, &a, &b); break;
	case N_MATCH: t = eval_match(n, &a); break;
	default: t = eval_is(v, n, &a); break;
	}
	eval_saw(v, n, t, &a, two ? &b : NULL);
	return t;
}

/* What regressed() found: levels, and what there is to say of it, else effect and p. */
static void regressed_saw(struct eval *v, const struct sw_regressed_saw *x, struct sw_saw *s)
{
	struct sw_buf b = SW_BUF_INIT;

	s->value_num = eval_num(&x->now);
	s->before_num = eval_num(&x->before);
	if (x->now.reading == SW_R_OK)
		s->value = eval_print(v, &x->now);
	if (x->before.reading == SW_R_OK)
		s->before = eval_print(v, &x->before);
	if (!x->why && isfinite(x->effect))
		sw_buf_printf(&b, "%.3g x before", x->effect);
	if (!x->why && isfinite(x->p))
		sw_buf_printf(&b, "%sp %.2g%%", b.n ? ", " : "", x->p * 100);
	s->note = x->why ? sw_arena_strdup(v->a, x->why) : b.n ? sw_arena_strdup(v->a, sw_buf_str(&b)) : NULL;
	sw_buf_fini(&b);
}

/* A condition that is no comparison: a function, a field that is true or false. */
static enum sw_truth eval_bare(struct eval *v, const struct node *n)
{
	struct sw_saw *s = v->n_saw < SAW_MOST ? &v->saw[v->n_saw++] : &(struct sw_saw){ 0 };
	const struct sw_value *which = NULL;
	struct sw_regressed_saw saw;
	struct sw_value x;

	*s = (struct sw_saw){ .value_num = NAN, .limit_num = NAN, .before_num = NAN };
	if (n->kind == N_CALL && n->call == F_REGRESSED) {
		s->truth = sw_eval_regressed(v, n, &saw);
		regressed_saw(v, &saw, s);
		s->signal = n->ask->signal;
		return s->truth;
	}
	if (n->kind == N_CALL && (n->call == F_ANY || n->call == F_ALL)) {
		s->truth = sw_eval_each(v, n, &which);
		if (which)
			s->value = eval_print(v, which);
		return s->truth;
	}
	x = sw_eval_value(v, n);
	return s->truth = x.reading != SW_R_OK || x.type != SW_V_BOOL ? SW_UNKNOWN : x.b ? SW_TRUE : SW_FALSE;
}

/* ---- for ---- */

/* The inner condition and the moment of its check: a check is a time at which all its signals have a new reading. */
static enum sw_truth eval_checked(struct eval *v, const struct node *inner, struct sw_hold *h)
{
	sw_ms outer = v->oldest, at;
	enum sw_truth t;

	v->oldest = 0;
	t = sw_eval_truth(v, inner);
	at = v->oldest ? v->oldest : v->f->now;
	v->oldest = outer && v->oldest ? SW_MIN(outer, v->oldest) : outer ? outer : v->oldest;
	if (at > 1)
		sw_hold_count(h, t, at, v->f->gap_resets);
	return t;
}

/* At least n of the last `of` checks that said something. While there are fewer, what may still become true is not false. */
static enum sw_truth hold_checks(const struct sw_hold *h, const struct hold *want)
{
	unsigned valid = SW_MIN((unsigned)h->valid, want->of), yes = sw_hold_true(h, want->of);

	if (yes >= want->n)
		return SW_TRUE;
	return valid < want->of && yes + (want->of - valid) >= want->n && yes ? SW_UNKNOWN : SW_FALSE;
}

static enum sw_truth eval_for(struct eval *v, const struct node *n)
{
	struct sw_hold *h = &v->holds[n->hold_index];
	size_t saw = v->n_saw;
	enum sw_truth t = eval_checked(v, n->arg[0], h), ret = t;

	if (n->hold.cusum) {
		ret = t == SW_UNKNOWN ? t : sw_hold_cusum(h) ? SW_TRUE : SW_FALSE;
	} else if (n->hold.dur) {
		if (t == SW_TRUE)
			ret = h->since && v->f->now - h->since >= n->hold.dur ? SW_TRUE : SW_FALSE;
	} else if (t != SW_UNKNOWN) {
		ret = hold_checks(h, &n->hold);
	}
	for (size_t i = saw; i < v->n_saw; i++) /* one finding for the whole of it */
		v->saw[i].truth = i == saw || t == SW_TRUE ? ret : v->saw[i].truth;
	return ret;
}

struct sw_value sw_eval_consecutive(struct eval *v, const struct node *n)
{
	struct sw_hold *h = v->before ? NULL : &v->holds[n->hold_index];
	enum sw_truth t;
	unsigned k = 0;

	v->quiet++;
	t = v->before ? sw_eval_truth(v, n->list[0]) : eval_checked(v, n->list[0], h);
	v->quiet--;
	if (v->before) /* it held all the time, or not at all */
		return t == SW_UNKNOWN ? sw_value_unknown(SW_V_NUMBER, SW_R_ABSENT) : (struct sw_value){ .type = SW_V_NUMBER, .num = t == SW_TRUE ? 32 : 0 };
	if (t == SW_UNKNOWN && !h->valid)
		return sw_value_unknown(SW_V_NUMBER, SW_R_ABSENT);
	while (k < h->valid && (h->bits >> k & 1))
		k++;
	return (struct sw_value){ .type = SW_V_NUMBER, .num = k };
}

/* ---- logic ---- */

static enum sw_truth eval_logic(struct eval *v, const struct node *n)
{
	/* both sides always: every `for` has to see its check */
	enum sw_truth a = sw_eval_truth(v, n->arg[0]), b = sw_eval_truth(v, n->arg[1]);
	enum sw_truth strong = n->kind == N_OR ? SW_TRUE : SW_FALSE;

	if (a == strong || b == strong)
		return strong;
	return a == SW_UNKNOWN || b == SW_UNKNOWN ? SW_UNKNOWN : a;
}

/* The widest text wins: a `for` renames what the comparison inside it noted. */
static void eval_text(struct eval *v, const struct node *n, size_t from)
{
	for (size_t i = from; i < v->n_saw; i++) {
		if (v->saw[i].text && n->kind != N_FOR)
			continue;
		v->saw[i].text = sw_arena_strndup(v->a, v->e->text + n->at, n->end - n->at);
		if (!v->saw[i].part)
			v->saw[i].part = v->saw[i].text;
	}
}

enum sw_truth sw_eval_truth(struct eval *v, const struct node *n)
{
	size_t saw = v->n_saw;
	enum sw_truth t;

	switch (n->kind) {
	case N_OR:
	case N_AND: return eval_logic(v, n);
	case N_NOT: return truth_not(sw_eval_truth(v, n->arg[0]));
	case N_FOR: t = v->before ? sw_eval_truth(v, n->arg[0]) : eval_for(v, n); break;
	case N_COMPARE:
	case N_IN:
	case N_BETWEEN:
	case N_MATCH:
	case N_IS: t = eval_leaf(v, n); break;
	default: t = eval_bare(v, n); break;
	}
	if (v->quiet)
		v->n_saw = saw;
	else
		eval_text(v, n, saw);
	return t;
}

void sw_expr_eval(const struct sw_expr *e, const struct sw_facts *facts, struct sw_hold *holds, struct sw_arena *a, struct sw_judged *ret)
{
	struct eval v = { .e = e, .f = facts, .holds = holds, .a = a, .saw = SW_ARENA_ARRAY(a, struct sw_saw, SAW_MOST) };

	ret->truth = sw_eval_truth(&v, e->root);
	ret->saw = v.saw;
	ret->n_saw = v.n_saw;
}

enum sw_truth sw_expr_before(const struct sw_expr *e, const struct sw_facts *facts, struct sw_arena *a)
{
	struct eval v = { .e = e, .f = facts, .a = a, .saw = SW_ARENA_ARRAY(a, struct sw_saw, SAW_MOST), .before = true, .quiet = 1 };

	return sw_eval_truth(&v, e->root);
}
