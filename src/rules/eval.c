/*
 * Expressions with readings: true, false or unknown.
 *
 * Kleene logic: false and unknown = false, true or unknown = true, else unknown. A comparison with what is not known is unknown;
 * == null and `is` are never unknown, but for healthy and failing.
 */
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "rules/expr.h"

#define SAW_MOST 32

struct eval {
	const struct sw_expr *e;
	const struct sw_facts *f;
	struct sw_hold *holds;
	struct sw_arena *a;
	struct sw_saw *saw;
	size_t n_saw;
	unsigned quiet;            /* inside `for` or any(): comparisons are told by the outer one */
	sw_ms oldest;              /* of the readings met since it was reset; 0: none met */
	const struct sw_value *element;
};

static enum sw_truth eval_truth(struct eval *v, const struct node *n);
static struct sw_value eval_value(struct eval *v, const struct node *n);

static struct sw_value unknown(enum sw_vtype type, enum sw_reading why)
{
	return (struct sw_value){ .type = type, .reading = why };
}

static struct sw_value truth_value(enum sw_truth t)
{
	return t == SW_UNKNOWN ? unknown(SW_V_BOOL, SW_R_ABSENT) : (struct sw_value){ .type = SW_V_BOOL, .b = t == SW_TRUE };
}

/* ---- values ---- */

static struct sw_value eval_signal(struct eval *v, const char *name, const char *part, enum sw_window w, sw_dur window)
{
	struct sw_value ret = unknown(SW_V_NUMBER, SW_R_ABSENT);
	sw_ms at = 0;

	v->f->signal(v->f->arg, name, part, w, window, &ret, &at);
	if (at && (!v->oldest || at < v->oldest))
		v->oldest = at;
	if (!at)
		v->oldest = v->oldest ? v->oldest : 1; /* asked, nothing there yet: no new check */
	return ret;
}

static struct sw_value eval_arith(struct eval *v, const struct node *n)
{
	struct sw_value a = eval_value(v, n->arg[0]), b = n->arg[1] ? eval_value(v, n->arg[1]) : a, ret;

	if (a.reading != SW_R_OK || b.reading != SW_R_OK)
		return unknown(n->type, a.reading != SW_R_OK ? a.reading : b.reading);
	if (a.type == SW_V_NULL || b.type == SW_V_NULL)
		return unknown(n->type, SW_R_ABSENT);
	ret = (struct sw_value){ .type = n->type == SW_V_ANY ? a.type : n->type };
	switch ((int)n->kind) {
	case N_ADD: ret.num = a.num + b.num; break;
	case N_SUB: ret.num = a.num - b.num; break;
	case N_MUL: ret.num = a.num * b.num; break;
	case N_DIV: ret.num = b.num == 0 ? NAN : a.num / b.num; break;
	default: ret.num = -a.num; break;
	}
	if (!isfinite(ret.num))
		ret.reading = SW_R_NAN;
	return ret;
}

static struct sw_value eval_lower(struct eval *v, const struct node *n)
{
	struct sw_value x = eval_value(v, n->list[0]);
	char *s;

	if (x.reading != SW_R_OK || x.type != SW_V_STRING)
		return x;
	s = sw_arena_strdup(v->a, x.str);
	for (char *p = s; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p |= 32;
	x.str = s;
	return x;
}

static enum sw_truth eval_each(struct eval *v, const struct node *n)
{
	struct sw_value list = eval_value(v, n->list[0]);
	const struct sw_value *outer = v->element;
	bool any = n->call == F_ANY;
	enum sw_truth ret = any ? SW_FALSE : SW_TRUE;

	if (list.reading != SW_R_OK || list.type != SW_V_LIST)
		return SW_UNKNOWN;
	if (!list.n)
		return any ? SW_FALSE : SW_UNKNOWN; /* rules.md 1.1, 7 */
	v->quiet++;
	for (size_t i = 0; i < list.n; i++) {
		enum sw_truth t;

		v->element = &list.items[i];
		t = eval_truth(v, n->list[1]);
		if (t == (any ? SW_TRUE : SW_FALSE)) {
			ret = t;
			break;
		}
		if (t == SW_UNKNOWN)
			ret = SW_UNKNOWN;
	}
	v->quiet--;
	v->element = outer;
	return ret;
}

static enum sw_truth eval_within(const struct eval *v, const struct node *n)
{
	int64_t local = v->f->now / 1000 + v->f->tz_offset_s;
	int minute = (int)((local % 86400 + 86400) % 86400 / 60);
	unsigned day = (unsigned)(((local / 86400) + 4) % 7); /* 1970-01-01 was a Thursday */

	for (const struct time_window *w = n->within; w->name; w++) {
		unsigned before = (day + 6) % 7;
		bool today = w->days >> day & 1, yesterday = w->days >> before & 1;

		if (w->from < w->to ? today && minute >= w->from && minute < w->to
		                    : (today && minute >= w->from) || (yesterday && minute < w->to))
			return SW_TRUE;
	}
	return SW_FALSE;
}

static enum sw_truth eval_has(struct eval *v, const struct node *n)
{
	struct sw_value x = eval_value(v, n->list[0]);

	return x.reading == SW_R_OK && x.type != SW_V_NULL ? SW_TRUE : SW_FALSE;
}

static struct sw_value eval_coalesce(struct eval *v, const struct node *n)
{
	struct sw_value x = unknown(SW_V_NULL, SW_R_ABSENT);

	for (size_t i = 0; i < n->n; i++) {
		x = eval_value(v, n->list[i]);
		if (x.reading == SW_R_OK && x.type != SW_V_NULL)
			break;
	}
	return x;
}

static struct sw_value eval_consecutive(struct eval *v, const struct node *n);

static struct sw_value eval_call(struct eval *v, const struct node *n)
{
	struct sw_value x, ret = unknown(n->type, SW_R_ABSENT);

	switch (n->call) {
	case F_CONSECUTIVE: return eval_consecutive(v, n);
	case F_ANY:
	case F_ALL: return truth_value(eval_each(v, n));
	case F_CHANGED: return truth_value(v->f->changed(v->f->arg, n->list[0]->value.str));
	case F_WITHIN: return truth_value(eval_within(v, n));
	case F_HAS: return truth_value(eval_has(v, n));
	case F_AGE:
		x = eval_value(v, n->list[0]);
		if (x.reading != SW_R_OK || x.type == SW_V_NULL)
			return unknown(SW_V_DURATION, SW_R_ABSENT);
		return (struct sw_value){ .type = SW_V_DURATION, .num = (double)v->f->now / 1000 - x.num };
	case F_DEPLOYS:
	case F_FAILING_SERVICES:
		v->f->count(v->f->arg, n->name, (sw_dur)(n->list[0]->value.num * 1000), &ret);
		return ret;
	case F_LEN:
		x = eval_value(v, n->list[0]);
		if (x.reading != SW_R_OK || x.type == SW_V_NULL)
			return unknown(SW_V_NUMBER, SW_R_ABSENT);
		return (struct sw_value){ .type = SW_V_NUMBER, .num = x.type == SW_V_LIST ? (double)x.n : (double)strlen(x.str) };
	case F_LOWER: return eval_lower(v, n);
	case F_COALESCE: return eval_coalesce(v, n);
	case F_DELTA: /* change over the window: the rate times its length */
		x = eval_signal(v, n->list[0]->name, NULL, SW_W_RATE, (sw_dur)(n->list[1]->value.num * 1000));
		x.type = n->type;
		x.num *= n->list[1]->value.num;
		return x;
	case F_LATER: break;
	}
	return ret;
}

static struct sw_value eval_value(struct eval *v, const struct node *n)
{
	struct sw_value ret = { .type = SW_V_NULL };

	switch (n->kind) {
	case N_LITERAL:
	case N_LIST: return n->value;
	case N_FIELD:
		v->f->field(v->f->arg, n->field, n->key, &ret);
		return ret;
	case N_SIGNAL: return eval_signal(v, n->name, n->part, SW_W_LAST, 0);
	case N_WINDOW: return eval_signal(v, n->list[0]->name, NULL, n->window, (sw_dur)(n->list[1]->value.num * 1000));
	case N_ADD:
	case N_SUB:
	case N_MUL:
	case N_DIV:
	case N_NEG: return eval_arith(v, n);
	case N_CALL: return eval_call(v, n);
	case N_ELEMENT: return v->element ? *v->element : ret;
	case N_BASELINE: return unknown(SW_V_ANY, SW_R_ABSENT);
	case N_OR:
	case N_AND:
	case N_NOT:
	case N_FOR:
	case N_COMPARE:
	case N_IN:
	case N_BETWEEN:
	case N_MATCH:
	case N_IS: return truth_value(eval_truth(v, n));
	case N_PATH: break;
	}
	return ret;
}

/* ---- comparisons ---- */

static bool value_equal(const struct sw_value *a, const struct sw_value *b)
{
	if (a->type == SW_V_STRING || b->type == SW_V_STRING)
		return a->type == b->type && strcmp(a->str, b->str) == 0;
	if (a->type == SW_V_BOOL || b->type == SW_V_BOOL)
		return a->type == b->type && a->b == b->b;
	return a->num == b->num;
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

static enum sw_truth eval_is(const struct sw_value *x, enum state s)
{
	static const enum sw_reading readings[] = { SW_R_ABSENT, SW_R_STALE, SW_R_NAN, SW_R_ERROR, SW_R_TOO_FEW };

	if (s == S_HEALTHY || s == S_FAILING) {
		if (x->reading != SW_R_OK)
			return SW_UNKNOWN;
		return x->b == (s == S_HEALTHY) ? SW_TRUE : SW_FALSE;
	}
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

/* Notes what a comparison saw; health reads as a word. */
static void eval_saw(struct eval *v, const struct node *n, enum sw_truth t, const struct sw_value *x, const struct sw_value *limit)
{
	struct sw_saw *s;

	if (v->n_saw == SAW_MOST)
		return;
	s = &v->saw[v->n_saw++];
	*s = (struct sw_saw){ .truth = t };
	if (n->kind == N_IS && n->state >= S_HEALTHY && x->reading == SW_R_OK)
		s->value = x->b ? "healthy" : "failing";
	else if (x)
		s->value = eval_print(v, x);
	if (limit)
		s->limit = eval_print(v, limit);
}

static enum sw_truth eval_leaf(struct eval *v, const struct node *n)
{
	struct sw_value a = eval_value(v, n->arg[0]), b = { .type = SW_V_NULL }, c;
	bool two = n->kind == N_COMPARE || n->kind == N_IN || n->kind == N_BETWEEN;
	enum sw_truth t = SW_UNKNOWN;

	if (two)
		b = eval_value(v, n->arg[1]);
	switch ((int)n->kind) {
	case N_COMPARE: t = value_compare(&a, n->op, &b); break;
	case N_IN: t = eval_in(&a, &b, n->negated); break;
	case N_BETWEEN: {
		enum sw_truth lo, hi;

		c = eval_value(v, n->arg[2]);
		lo = value_compare(&a, C_GE, &b);
		hi = value_compare(&a, C_LE, &c);
		t = lo == SW_FALSE || hi == SW_FALSE ? SW_FALSE : lo == SW_TRUE && hi == SW_TRUE ? SW_TRUE : SW_UNKNOWN;
		break;
	}
	case N_MATCH:
		if (a.reading == SW_R_OK && a.type == SW_V_STRING) {
			t = sw_regex_match(n->regex, a.str);
			t = n->negated ? truth_not(t) : t;
		} else if (a.reading == SW_R_OK && a.type == SW_V_NULL) {
			t = n->negated ? SW_TRUE : SW_FALSE; /* what is not there matches nothing */
		}
		break;
	default: t = eval_is(&a, n->state); break;
	}
	eval_saw(v, n, t, &a, two ? &b : NULL);
	return t;
}

/* ---- for ---- */

/* Counts a check if it is a new one. gap counts unknown checks in a row. */
static void hold_count(struct sw_hold *h, enum sw_truth t, sw_ms at, bool gap_resets)
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

static unsigned hold_true(const struct sw_hold *h, unsigned of)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SW_MIN(of, h->valid); i++)
		n += h->bits >> i & 1;
	return n;
}

/* The inner condition and the moment of its check: a check is a time at which all its signals have a new reading. */
static enum sw_truth eval_checked(struct eval *v, const struct node *inner, struct sw_hold *h)
{
	sw_ms outer = v->oldest, at;
	enum sw_truth t;

	v->oldest = 0;
	t = eval_truth(v, inner);
	at = v->oldest ? v->oldest : v->f->now;
	v->oldest = outer && v->oldest ? SW_MIN(outer, v->oldest) : outer ? outer : v->oldest;
	if (at > 1)
		hold_count(h, t, at, v->f->gap_resets);
	return t;
}

static enum sw_truth eval_for(struct eval *v, const struct node *n)
{
	struct sw_hold *h = &v->holds[n->hold_index];
	size_t saw = v->n_saw;
	enum sw_truth t = eval_checked(v, n->arg[0], h), ret = t;

	if (n->hold.dur) {
		if (t == SW_TRUE)
			ret = h->since && v->f->now - h->since >= n->hold.dur ? SW_TRUE : SW_FALSE;
	} else if (t != SW_UNKNOWN) {
		ret = hold_true(h, n->hold.of) >= n->hold.n ? SW_TRUE : SW_FALSE;
	}
	for (size_t i = saw; i < v->n_saw; i++) /* one finding for the whole of it */
		v->saw[i].truth = i == saw || t == SW_TRUE ? ret : v->saw[i].truth;
	return ret;
}

static struct sw_value eval_consecutive(struct eval *v, const struct node *n)
{
	struct sw_hold *h = &v->holds[n->hold_index];
	enum sw_truth t;
	unsigned k = 0;

	v->quiet++;
	t = eval_checked(v, n->list[0], h);
	v->quiet--;
	if (t == SW_UNKNOWN && !h->valid)
		return unknown(SW_V_NUMBER, SW_R_ABSENT);
	while (k < h->valid && (h->bits >> k & 1))
		k++;
	return (struct sw_value){ .type = SW_V_NUMBER, .num = k };
}

/* ---- logic ---- */

static enum sw_truth eval_logic(struct eval *v, const struct node *n)
{
	/* both sides always: every `for` has to see its check */
	enum sw_truth a = eval_truth(v, n->arg[0]), b = eval_truth(v, n->arg[1]);
	enum sw_truth strong = n->kind == N_OR ? SW_TRUE : SW_FALSE;

	if (a == strong || b == strong)
		return strong;
	return a == SW_UNKNOWN || b == SW_UNKNOWN ? SW_UNKNOWN : a;
}

/* The widest text wins: a `for` renames what the comparison inside it noted. */
static void eval_text(struct eval *v, const struct node *n, size_t from)
{
	for (size_t i = from; i < v->n_saw; i++)
		if (!v->saw[i].text || n->kind == N_FOR)
			v->saw[i].text = sw_arena_strndup(v->a, v->e->text + n->at, n->end - n->at);
}

static enum sw_truth eval_truth(struct eval *v, const struct node *n)
{
	size_t saw = v->n_saw;
	struct sw_value x;
	enum sw_truth t;

	switch (n->kind) {
	case N_OR:
	case N_AND: return eval_logic(v, n);
	case N_NOT: return truth_not(eval_truth(v, n->arg[0]));
	case N_FOR: t = eval_for(v, n); break;
	case N_COMPARE:
	case N_IN:
	case N_BETWEEN:
	case N_MATCH:
	case N_IS: t = eval_leaf(v, n); break;
	default:
		x = eval_value(v, n);
		t = x.reading != SW_R_OK || x.type != SW_V_BOOL ? SW_UNKNOWN : x.b ? SW_TRUE : SW_FALSE;
		if (v->n_saw < SAW_MOST)
			v->saw[v->n_saw++] = (struct sw_saw){ .truth = t };
		break;
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

	ret->truth = eval_truth(&v, e->root);
	ret->saw = v.saw;
	ret->n_saw = v.n_saw;
}
