/*
 * Expressions, values: what the facts are asked, now or about the time before the deployment.
 *
 * Then signals (and, for `baseline`, numbers of events) are what they were. What the facts have no function for is not known.
 */
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "rules/eval.h"

static struct sw_value truth_value(enum sw_truth t)
{
	return t == SW_UNKNOWN ? sw_value_unknown(SW_V_BOOL, SW_R_ABSENT) : (struct sw_value){ .type = SW_V_BOOL, .b = t == SW_TRUE };
}

/* ---- what is asked ---- */

/* A check is as old as the oldest of its readings; asked, and nothing there yet: no new check. */
static void eval_met(struct eval *v, sw_ms at)
{
	if (!at)
		v->oldest = v->oldest ? v->oldest : 1;
	else if (!v->oldest || at < v->oldest)
		v->oldest = at;
}

/* type: what the loader knows of it; a number gets the unit of its signal. */
static struct sw_value eval_signal(struct eval *v, const struct node *n, enum sw_window w, sw_dur window, enum sw_vtype type)
{
	struct sw_value ret = sw_value_unknown(type, SW_R_ABSENT);
	sw_ms at = 0;

	if (!v->before) {
		v->f->signal(v->f->arg, n->name, n->part, w, window, &ret, &at);
		eval_met(v, at);
	} else if (v->f->signal_before && !n->part) {
		v->f->signal_before(v->f->arg, n->name, w, window, &ret);
	}
	if (ret.type == SW_V_NUMBER && sw_vtype_numeric(type))
		ret.type = type;
	if (sw_vtype_numeric(ret.type) && ret.reading == SW_R_OK && !isfinite(ret.num))
		ret.reading = SW_R_NAN;
	return ret;
}

static struct sw_value eval_field(struct eval *v, const struct node *n)
{
	struct sw_value ret = { .type = SW_V_NULL };

	if (!v->fields_before || !sw_field_measured(n->field))
		v->f->field(v->f->arg, n->field, n->key, &ret);
	else if (v->f->field_before)
		v->f->field_before(v->f->arg, n->field, n->key, &ret);
	else
		ret = sw_value_unknown(n->type, SW_R_ABSENT);
	return ret;
}

/* flaps, signal_source, flaky */
static struct sw_value eval_about(struct eval *v, const struct node *n, enum sw_about what, const char *name)
{
	struct sw_value ret = sw_value_unknown(n->type, SW_R_ABSENT);
	sw_ms at = 0;

	if (v->before || !v->f->about)
		return ret;
	v->f->about(v->f->arg, what, name, &ret, &at);
	if (at || what == SW_ABOUT_FLAPS) /* a source that was never reached is looked at each time */
		eval_met(v, at);
	return ret;
}

/* ---- before the deployment ---- */

/* What the element we look at was: the one of the same name in the list as it was. */
static const struct sw_value *each_past(struct eval *v, struct each *x)
{
	const struct sw_value *name = &x->element->items[SW_EL_NAME];

	if (!x->past_known) {
		x->past = sw_eval_value(v, x->list);
		x->past_known = true;
	}
	if (x->past.reading != SW_R_OK || x->past.type != SW_V_LIST || name->type != SW_V_STRING)
		return NULL;
	for (size_t i = 0; i < x->past.n; i++) {
		const struct sw_value *e = &x->past.items[i];

		if (e->type == SW_V_RECORD && e->items[SW_EL_NAME].type == SW_V_STRING && sw_streq(e->items[SW_EL_NAME].str, name->str))
			return e;
	}
	return NULL;
}

struct sw_value sw_eval_before(struct eval *v, const struct node *n)
{
	bool before = v->before, fields = v->fields_before;
	const struct sw_value *element = v->each ? v->each->element : NULL;
	struct sw_value ret;

	v->before = v->fields_before = true;
	if (!before && element && element->type == SW_V_RECORD)
		v->each->element = each_past(v, v->each);
	ret = sw_eval_value(v, n);
	if (v->each)
		v->each->element = element;
	v->before = before;
	v->fields_before = fields;
	if (ret.reading == SW_R_OK && (ret.type == SW_V_NULL || !isfinite(ret.num)))
		ret = sw_value_unknown(n->type, SW_R_ABSENT);
	return ret;
}

/* What is relative is relative to at least the floor of the signal; a baseline of nothing would make everything worse. */
static struct sw_value eval_baseline(struct eval *v, const struct node *n)
{
	struct sw_value x = sw_eval_before(v, n->other);
	double least = SW_MAX(x.num, n->floor);

	if (x.reading != SW_R_OK)
		return x;
	switch (n->form) {
	case FORM_PLAIN: x.num = n->mark ? x.num + n->value.num : least; break;
	case FORM_PERCENT: x.num = least * (1 + n->value.num); break;
	case FORM_POINTS: x.num += n->value.num; break;
	case FORM_MULTIPLE: x.num = least * n->value.num; break;
	}
	return x;
}

static struct sw_value eval_delta(struct eval *v, const struct node *n)
{
	const struct node *m = n->list[0], *d = n->list[1];
	struct sw_value x, before;

	if (d->kind != N_BASELINE) { /* change over the window: the rate times its length */
		x = eval_signal(v, m, SW_W_RATE, (sw_dur)(d->value.num * 1000), n->type);
		x.num *= d->value.num;
		return x;
	}
	x = eval_signal(v, m, SW_W_LAST, 0, n->type);
	before = sw_eval_before(v, m);
	if (x.reading == SW_R_OK && before.reading != SW_R_OK)
		x.reading = before.reading;
	x.num -= before.num;
	return x;
}

/* ---- values ---- */

static struct sw_value eval_arith(struct eval *v, const struct node *n)
{
	struct sw_value a = sw_eval_value(v, n->arg[0]), b = n->arg[1] ? sw_eval_value(v, n->arg[1]) : a, ret;

	if (a.reading != SW_R_OK || b.reading != SW_R_OK)
		return sw_value_unknown(n->type, a.reading != SW_R_OK ? a.reading : b.reading);
	if (a.type == SW_V_NULL || b.type == SW_V_NULL)
		return sw_value_unknown(n->type, SW_R_ABSENT);
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
	if (a.least || (n->arg[1] && b.least)) {
		/* grows with it: a sum, a positive multiple or part; anything else is not known before the window is full */
		bool grows = n->kind == N_ADD || (n->kind == N_MUL && a.num >= 0 && b.num >= 0) || (n->kind == N_DIV && a.least && !b.least && b.num > 0);

		if (!grows)
			return sw_value_unknown(n->type, SW_R_TOO_FEW);
		ret.least = true;
	}
	return ret;
}

static struct sw_value eval_lower(struct eval *v, const struct node *n)
{
	struct sw_value x = sw_eval_value(v, n->list[0]);
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

enum sw_truth sw_eval_each(struct eval *v, const struct node *n, const struct sw_value **ret_which)
{
	struct sw_value list = sw_eval_value(v, n->list[0]);
	struct each *outer = v->each, each = { .list = n->list[0] };
	bool any = n->call == F_ANY;
	enum sw_truth ret = any ? SW_FALSE : SW_TRUE;

	if (list.reading != SW_R_OK || list.type != SW_V_LIST)
		return SW_UNKNOWN;
	if (!list.n)
		return any ? SW_FALSE : SW_UNKNOWN; /* rules.md 1.1, 7 */
	v->quiet++;
	v->each = &each;
	for (size_t i = 0; i < list.n; i++) {
		enum sw_truth t;

		each.element = &list.items[i];
		t = sw_eval_truth(v, n->list[1]);
		if (t == (any ? SW_TRUE : SW_FALSE)) {
			ret = t;
			*ret_which = each.element;
			break;
		}
		if (t == SW_UNKNOWN)
			ret = SW_UNKNOWN;
	}
	v->quiet--;
	v->each = outer;
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
	struct sw_value x = sw_eval_value(v, n->list[0]);

	if (x.reading != SW_R_OK && v->before)
		return SW_UNKNOWN;
	return x.reading == SW_R_OK && x.type != SW_V_NULL ? SW_TRUE : SW_FALSE;
}

static struct sw_value eval_coalesce(struct eval *v, const struct node *n)
{
	struct sw_value x = sw_value_unknown(SW_V_NULL, SW_R_ABSENT);

	for (size_t i = 0; i < n->n; i++) {
		x = sw_eval_value(v, n->list[i]);
		if (x.reading == SW_R_OK && x.type != SW_V_NULL)
			break;
	}
	return x;
}

static struct sw_value eval_flaky(struct eval *v, const struct node *n)
{
	struct sw_value x = sw_eval_value(v, n->list[0]);

	if (x.reading != SW_R_OK || x.type != SW_V_STRING)
		return sw_value_unknown(SW_V_BOOL, SW_R_ABSENT);
	return eval_about(v, n, SW_ABOUT_FLAKY, x.str);
}

/* It cannot have been worse before than before. */
enum sw_truth sw_eval_regressed(struct eval *v, const struct node *n, struct sw_regressed_saw *ret)
{
	enum sw_truth t;

	*ret = (struct sw_regressed_saw){ .now.reading = SW_R_ABSENT, .before.reading = SW_R_ABSENT, .effect = NAN, .p = NAN };
	if (v->before)
		return SW_FALSE;
	if (!v->f->regressed)
		return SW_UNKNOWN;
	t = v->f->regressed(v->f->arg, n->ask, ret);
	eval_met(v, ret->at);
	return t;
}

static struct sw_value eval_call(struct eval *v, const struct node *n)
{
	struct sw_value x, ret = sw_value_unknown(n->type, SW_R_ABSENT);
	const struct sw_value *which = NULL;
	struct sw_regressed_saw saw;

	switch (n->call) {
	case F_CONSECUTIVE: return sw_eval_consecutive(v, n);
	case F_ANY:
	case F_ALL: return truth_value(sw_eval_each(v, n, &which));
	case F_CHANGED: return truth_value(v->f->changed(v->f->arg, n->list[0]->value.str));
	case F_WITHIN: return truth_value(eval_within(v, n));
	case F_HAS: return truth_value(eval_has(v, n));
	case F_AGE:
		x = sw_eval_value(v, n->list[0]);
		if (x.reading != SW_R_OK || x.type == SW_V_NULL)
			return sw_value_unknown(SW_V_DURATION, SW_R_ABSENT);
		return (struct sw_value){ .type = SW_V_DURATION, .num = (double)v->f->now / 1000 - x.num };
	case F_DEPLOYS:
	case F_FAILING_SERVICES:
		if (v->before && n->call == F_FAILING_SERVICES)
			return ret;
		v->f->count(v->f->arg, n->name, (sw_dur)(n->list[0]->value.num * 1000), &ret);
		return ret;
	case F_LEN:
		x = sw_eval_value(v, n->list[0]);
		if (x.reading != SW_R_OK || x.type == SW_V_NULL)
			return sw_value_unknown(SW_V_NUMBER, SW_R_ABSENT);
		return (struct sw_value){ .type = SW_V_NUMBER, .num = x.type == SW_V_LIST ? (double)x.n : (double)strlen(x.str) };
	case F_LOWER: return eval_lower(v, n);
	case F_COALESCE: return eval_coalesce(v, n);
	case F_DELTA: return eval_delta(v, n);
	case F_REGRESSED: return truth_value(sw_eval_regressed(v, n, &saw));
	case F_FLAKY: return eval_flaky(v, n);
	case F_FLAPS: return eval_about(v, n, SW_ABOUT_FLAPS, n->list[0]->name);
	case F_SOURCE: return eval_about(v, n, SW_ABOUT_SOURCE, n->list[0]->value.str);
	case F_SUM: break;
	}
	return ret;
}

/* The element of any() or all(), or a field of it; one that was not there before is not known. */
static struct sw_value eval_element(const struct eval *v, const struct node *n)
{
	const struct sw_value *x = v->each ? v->each->element : NULL;

	if (!x || (n->element >= 0) != (x->type == SW_V_RECORD))
		return sw_value_unknown(n->type, SW_R_ABSENT);
	return n->element >= 0 ? x->items[n->element] : *x;
}

struct sw_value sw_eval_value(struct eval *v, const struct node *n)
{
	switch (n->kind) {
	case N_LITERAL:
	case N_LIST: return n->value;
	case N_FIELD: return eval_field(v, n);
	case N_SIGNAL: return eval_signal(v, n, SW_W_LAST, 0, n->type);
	case N_WINDOW: return eval_signal(v, n->list[0], n->window, (sw_dur)(n->list[1]->value.num * 1000), n->type);
	case N_ADD:
	case N_SUB:
	case N_MUL:
	case N_DIV:
	case N_NEG: return eval_arith(v, n);
	case N_CALL: return eval_call(v, n);
	case N_ELEMENT: return eval_element(v, n);
	case N_BASELINE: return eval_baseline(v, n);
	case N_OR:
	case N_AND:
	case N_NOT:
	case N_FOR:
	case N_COMPARE:
	case N_IN:
	case N_BETWEEN:
	case N_MATCH:
	case N_IS: return truth_value(sw_eval_truth(v, n));
	case N_PATH: break;
	}
	return sw_value_unknown(n->type, SW_R_ABSENT);
}
