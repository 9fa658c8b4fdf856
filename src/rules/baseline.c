/*
 * `baseline`: what the other side of a comparison was before the deployment.
 *
 * It stands in a comparison (or between) whose other side was something before: a signal, a window of one, a field of an element,
 * a number of an event. Its type is that of the other side; what is relative is relative to at least the floor of the signal.
 */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "rules/check.h"

/* Is this node calculated from what stands below it, so that the question goes on there? */
static bool calculated(const struct node *n)
{
	return n->kind == N_ADD || n->kind == N_SUB || n->kind == N_MUL || n->kind == N_DIV || n->kind == N_NEG ||
	       (n->kind == N_CALL && sw_streq(n->name, "coalesce"));
}

static bool side_any(const struct node *n, bool (*is)(const struct node *))
{
	if (!n)
		return false;
	if (!calculated(n))
		return is(n);
	for (size_t i = 0; i < 2; i++)
		if (side_any(n->arg[i], is))
			return true;
	for (size_t i = 0; i < n->n; i++)
		if (side_any(n->list[i], is))
			return true;
	return false;
}

static bool is_baseline(const struct node *n)
{
	return n->kind == N_BASELINE;
}

static bool is_measured(const struct node *n)
{
	if (n->kind == N_FIELD)
		return sw_field_measured(n->field);
	if (n->kind == N_CALL)
		return n->call == F_DELTA;
	return (n->kind == N_SIGNAL && !n->part && n->type != SW_V_LIST) || n->kind == N_WINDOW || (n->kind == N_ELEMENT && n->element > SW_EL_NAME);
}

bool sw_baseline_in(const struct node *side)
{
	return side_any(side, is_baseline);
}

bool sw_side_measured(const struct node *side)
{
	return side_any(side, is_measured);
}

static const char *side_signal(const struct check *c, const struct node *n)
{
	switch ((int)n->kind) {
	case N_SIGNAL: return n->name;
	case N_WINDOW: return n->list[0]->name;
	case N_CALL: return n->call == F_DELTA ? n->list[0]->name : NULL;
	case N_ELEMENT: return c->elements && c->elements->kind == N_SIGNAL ? c->elements->name : NULL;
	}
	return NULL;
}

/* Notes the signals whose baseline is asked for. */
static int side_based(struct check *c, const struct node *n)
{
	const char *signal;

	if (!n)
		return 0;
	signal = side_signal(c, n);
	if (signal && sw_check_uses(c, &c->based, n, signal) < 0)
		return -EINVAL;
	for (size_t i = 0; calculated(n) && i < 2; i++)
		if (side_based(c, n->arg[i]) < 0)
			return -EINVAL;
	for (size_t i = 0; calculated(n) && i < n->n; i++)
		if (side_based(c, n->list[i]) < 0)
			return -EINVAL;
	return 0;
}

/* Floor of what is asked: of the signal by itself or its level over a window; what is calculated has none. */
static double side_floor(const struct check *c, const struct node *n)
{
	const struct sw_signal_def *s;
	const char *signal = n->kind == N_ELEMENT && n->element == SW_EL_P95 ? "http_latency_p95" : n->kind == N_SIGNAL ? n->name : NULL;

	if (n->kind == N_WINDOW && n->window != SW_W_STDDEV && n->window != SW_W_COUNT && n->window != SW_W_RATE && n->window != SW_W_SUM)
		signal = n->list[0]->name;
	s = signal ? sw_signal_def_find(c->sc->signals, c->sc->n_signals, signal) : NULL;
	return s ? s->floor : 0;
}

int sw_check_beside(struct check *c, const struct node *value, struct node *limit)
{
	const struct node *outer = c->other;
	int r;

	c->other = value;
	r = sw_check_node(c, limit);
	c->other = outer;
	return r;
}

static int check_delta_type(struct check *c, const struct node *n, enum sw_vtype type)
{
	const char *unit;

	if (n->form == FORM_POINTS && type != SW_V_RATIO)
		return sw_wrong_set(c->wrong, n->mark, "points (pp) exist for ratios only, the other side is a %s", sw_vtype_name(type));
	if (n->form != FORM_PLAIN || !n->mark || sw_types_fit(type, n->value.type))
		return 0;
	unit = n->value.type == SW_V_NUMBER ? sw_type_unit(type, n->value.num) : NULL;
	if (unit)
		return sw_wrong_set(c->wrong, n->mark, "baseline is a %s here, did you mean %.6g%s?", sw_vtype_name(type),
		                    n->value.num < 0 ? -n->value.num : n->value.num, unit);
	return sw_wrong_set(c->wrong, n->mark, "baseline is a %s here, it cannot be moved by a %s", sw_vtype_name(type),
	                    sw_vtype_name(n->value.type));
}

int sw_check_baseline(struct check *c, struct node *n)
{
	const struct node *other = c->other;

	if (!other)
		return sw_wrong_set(c->wrong, n->at, "baseline stands only in a comparison, opposite of what it is the baseline of: "
		                                     "http_latency_p95 > 3x baseline");
	if (!sw_side_measured(other))
		return sw_wrong_set(c->wrong, n->at, "baseline needs a signal or a number of an event on the other side");
	if ((!sw_vtype_numeric(other->type) && other->type != SW_V_ANY) || other->type == SW_V_TIME)
		return sw_wrong_set(c->wrong, n->at, "baseline is a number, the other side is a %s", sw_vtype_name(other->type));
	if (check_delta_type(c, n, other->type) < 0)
		return -EINVAL;
	n->other = other;
	n->type = other->type;
	n->floor = side_floor(c, other);
	return side_based(c, other);
}

/* ---- limits in words ---- */

static void words_number(enum sw_vtype type, double num, struct sw_buf *out)
{
	struct sw_value v = { .type = type, .num = num };

	sw_value_print(&v, out);
}

static void words_baseline(const struct node *n, double times, struct sw_buf *out)
{
	bool absolute = n->form == FORM_POINTS || (n->form == FORM_PLAIN && n->mark);

	if (n->form == FORM_MULTIPLE)
		times *= n->value.num;
	else if (n->form == FORM_PERCENT)
		times *= 1 + n->value.num;
	if (times != 1)
		sw_buf_printf(out, "%.6g x ", times);
	if (n->floor > 0 && !absolute) {
		sw_buf_cat(out, "max(baseline, ");
		words_number(n->type, n->floor, out);
		sw_buf_putc(out, ')');
	} else {
		sw_buf_cat(out, "baseline");
	}
	if (!absolute)
		return;
	sw_buf_cat(out, n->value.num < 0 ? " - " : " + ");
	if (n->form == FORM_POINTS)
		sw_buf_printf(out, "%.6gpp", (n->value.num < 0 ? -n->value.num : n->value.num) * 100);
	else
		words_number(n->value.type, n->value.num < 0 ? -n->value.num : n->value.num, out);
}

static void words_side(const struct sw_expr *e, const struct node *n, struct sw_buf *out)
{
	const struct node *a = n->arg[0], *b = n->arg[1];

	if (n->kind == N_BASELINE)
		words_baseline(n, 1, out);
	else if (n->kind == N_MUL && a->kind == N_LITERAL && b->kind == N_BASELINE && !(b->form == FORM_PLAIN && b->mark))
		words_baseline(b, a->value.num, out);
	else
		sw_buf_catn(out, e->text + n->at, n->end - n->at);
}

static void words_node(const struct sw_expr *e, const struct node *n, struct sw_arena *a, const char **ret, size_t *k)
{
	static const char *const ops[] = { "<", "<=", ">", ">=", "==", "!=" };
	struct sw_buf b = SW_BUF_INIT;

	if (!n)
		return;
	for (size_t i = 0; i < 3; i++)
		words_node(e, n->arg[i], a, ret, k);
	for (size_t i = 0; i < n->n; i++)
		words_node(e, n->list[i], a, ret, k);
	if (n->kind == N_COMPARE && (sw_baseline_in(n->arg[0]) || sw_baseline_in(n->arg[1]))) {
		words_side(e, n->arg[0], &b);
		sw_buf_printf(&b, " %s ", ops[n->op]);
		words_side(e, n->arg[1], &b);
	} else if (n->kind == N_BETWEEN && (sw_baseline_in(n->arg[1]) || sw_baseline_in(n->arg[2]))) {
		words_side(e, n->arg[0], &b);
		sw_buf_cat(&b, " between ");
		words_side(e, n->arg[1], &b);
		sw_buf_cat(&b, " and ");
		words_side(e, n->arg[2], &b);
	}
	if (b.n)
		ret[(*k)++] = sw_arena_strdup(a, sw_buf_str(&b));
	sw_buf_fini(&b);
}

const char *const *sw_expr_limits(const struct sw_expr *e, struct sw_arena *a)
{
	const char **ret = SW_ARENA_ARRAY(a, const char *, EXPR_NODES + 1);
	size_t k = 0;

	words_node(e, e->root, a, ret, &k);
	return ret;
}
