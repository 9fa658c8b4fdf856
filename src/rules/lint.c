/* Rules that load but surely mean something else: warnings, told at the expression they are about (rules.md 1.1). */
#include <string.h>

#include "base/str.h"
#include "rules/check.h"
#include "rules/load.h"
#include "shipwatch/buf.h"
#include "shipwatch/clock.h"

#define WINDOW_STEPS 4

struct lint {
	struct load *l;
	const struct sw_ynode *at;
	const struct sw_expr *e;
	const struct sw_rule *r;   /* NULL: `where`, a trigger */
};

static const char *lint_text(const struct lint *t, const struct node *n)
{
	return sw_arena_strndup(t->l->a, t->e->text + n->at, n->end - n->at);
}

static const char *lint_dur(const struct lint *t, sw_dur d)
{
	struct sw_buf b = SW_BUF_INIT;
	const char *ret;

	sw_dur_print(d, &b);
	ret = sw_arena_strdup(t->l->a, sw_buf_str(&b));
	sw_buf_fini(&b);
	return ret;
}

static const struct sw_signal_def *lint_signal(const struct lint *t, const struct node *n)
{
	if (n->kind == N_WINDOW)
		n = n->list[0];
	return n->kind == N_SIGNAL ? sw_signal_def_find(t->l->signals, t->l->n_signals, n->name) : NULL;
}

/* ---- numbers ---- */

/* The largest value this can have; 0: there is no such bound. */
static double lint_most(const struct lint *t, const struct node *n)
{
	const struct sw_signal_def *s = lint_signal(t, n);

	if (n->kind == N_FIELD)
		return n->field == SW_F_COVERAGE ? 1 : 0;
	if (n->kind == N_WINDOW && (n->window == SW_W_STDDEV || n->window == SW_W_COUNT || n->window == SW_W_RATE || n->window == SW_W_SUM))
		return 0;
	return s ? s->most : 0;
}

/* A limit no value reaches, or all do: mostly 5 where 5% was meant. */
static void lint_limit(const struct lint *t, const struct node *n, const struct node *value, enum compare op, const struct node *limit)
{
	double most = lint_most(t, value), num = limit->value.num;
	struct sw_value bound = { .type = value->type, .num = most };
	struct sw_buf b = SW_BUF_INIT;
	bool never, always;

	if (most <= 0 || limit->kind != N_LITERAL || !sw_vtype_numeric(limit->type))
		return;
	never = (op == C_GT && num >= most) || ((op == C_GE || op == C_EQ) && num > most);
	always = (op == C_LT && num > most) || ((op == C_LE || op == C_NE) && num >= most && !(op == C_NE && num <= most));
	if (!never && !always)
		return;
	sw_value_print(&bound, &b);
	if (value->type == SW_V_RATIO && limit->type == SW_V_NUMBER && num > 1 && num <= 100)
		sw_buf_printf(&b, ", did you mean %.6g%%?", num);
	sw_diag_warn(t->l->d, t->at, "\"%s\" is %s true: %s is never above %s", lint_text(t, n), never ? "never" : "always", lint_text(t, value),
	             sw_buf_str(&b));
	sw_buf_fini(&b);
}

static void lint_compare(const struct lint *t, const struct node *n)
{
	static const enum compare turned[] = { [C_LT] = C_GT, [C_LE] = C_GE, [C_GT] = C_LT, [C_GE] = C_LE, [C_EQ] = C_EQ, [C_NE] = C_NE };

	if (n->limit_first)
		lint_limit(t, n, n->arg[1], turned[n->op], n->arg[0]);
	else
		lint_limit(t, n, n->arg[0], n->op, n->arg[1]);
}

/* ---- baselines ---- */

/* May this be 0 before the deployment, so that anything is infinitely more? */
static bool lint_zero(const struct lint *t, const struct node *n)
{
	const struct sw_signal_def *s = lint_signal(t, n);

	return s && s->floor <= 0 && (s->type == SW_V_RATIO || s->type == SW_V_NUMBER || s->type == SW_V_RATE);
}

static void lint_floor(const struct lint *t, const struct node *value)
{
	sw_diag_warn(t->l->d, t->at, "%s may be 0 before a deployment, then anything is more than that: give the signal a floor in signals:",
	             lint_text(t, value));
}

static void lint_baseline(const struct lint *t, const struct node *n, bool above)
{
	bool absolute = n->form == FORM_POINTS || (n->form == FORM_PLAIN && n->mark);

	if (n->form == FORM_PERCENT && n->type == SW_V_RATIO && n->value.num > -0.1 && n->value.num < 0.1)
		sw_diag_warn(t->l->d, t->at, "\"%s\" is %.6g x baseline, did you mean %.6gpp?", lint_text(t, n), 1 + n->value.num,
		             (n->value.num < 0 ? -n->value.num : n->value.num) * 100);
	if (above && !absolute && lint_zero(t, n->other))
		lint_floor(t, n->other);
}

/* above: true where the value is above its limit. */
static void lint_limits(const struct lint *t, const struct node *n, bool above)
{
	if (n->kind == N_BASELINE)
		lint_baseline(t, n, above);
	for (size_t i = 0; (n->kind == N_ADD || n->kind == N_SUB || n->kind == N_MUL || n->kind == N_DIV) && i < 2; i++)
		lint_limits(t, n->arg[i], above);
}

/* ---- windows and holds ---- */

static void lint_window(const struct lint *t, const struct node *n)
{
	const struct sw_signal_def *s = lint_signal(t, n);
	sw_dur d = (sw_dur)(n->list[n->n - 1]->value.num * 1000), step = t->r && t->r->every ? t->r->every : s->query.step;

	if (n->window != SW_W_LAST && step && d < WINDOW_STEPS * step)
		sw_diag_warn(t->l->d, t->at, "\"%s\": %s is short, %s comes every %s", lint_text(t, n), lint_dur(t, d), s->name, lint_dur(t, step));
	if (t->r && t->r->watches && d > t->r->watch_for)
		sw_diag_warn(t->l->d, t->at, "\"%s\" asks for %s, but no window reaches before the deployment and it is watched for %s only",
		             lint_text(t, n), lint_dur(t, d), lint_dur(t, t->r->watch_for));
}

/* The slowest rhythm of what is asked below; 0: the rules do not know it. */
static sw_dur lint_step(const struct lint *t, const struct node *n)
{
	const struct sw_signal_def *s = n ? lint_signal(t, n) : NULL;
	sw_dur ret = s ? s->query.step : 0;

	for (size_t i = 0; n && i < 3; i++)
		ret = SW_MAX(ret, lint_step(t, n->arg[i]));
	for (size_t i = 0; n && i < n->n; i++)
		ret = SW_MAX(ret, lint_step(t, n->list[i]));
	return ret;
}

static void lint_hold(const struct lint *t, const struct node *n)
{
	sw_dur step, need;

	if (!t->r || !t->r->watches)
		return;
	step = t->r->every ? t->r->every : lint_step(t, n->arg[0]);
	need = n->hold.dur ? n->hold.dur : (sw_dur)n->hold.n * step;
	if (need >= t->r->watch_for && need > 0)
		sw_diag_warn(t->l->d, t->at, "this rule can never fire: \"%s\" holds for longer than it watches, %s", lint_text(t, n),
		             lint_dur(t, t->r->watch_for));
}

/* ---- the tree ---- */

static void lint_regex(const struct lint *t, const struct node *n)
{
	if (n->regex && sw_regex_matches_empty(n->regex))
		sw_diag_warn(t->l->d, t->at, "the regular expression of \"%s\" matches the empty text, so it matches everything", lint_text(t, n));
}

static void lint_node(const struct lint *t, const struct node *n)
{
	if (!n)
		return;
	if (n->kind == N_COMPARE) {
		bool more = n->op == C_GT || n->op == C_GE;

		lint_compare(t, n);
		lint_limits(t, n->arg[0], !more && n->op != C_EQ);
		lint_limits(t, n->arg[1], more);
	} else if (n->kind == N_BETWEEN) {
		lint_limits(t, n->arg[2], false);
	} else if (n->kind == N_MATCH) {
		lint_regex(t, n);
	} else if (n->kind == N_WINDOW) {
		lint_window(t, n);
	} else if (n->kind == N_FOR) {
		lint_hold(t, n);
	} else if (n->kind == N_CALL && n->call == F_REGRESSED && !n->ask->by_points && lint_zero(t, n->list[0])) {
		lint_floor(t, n->list[0]);
	}
	for (size_t i = 0; i < 3; i++)
		lint_node(t, n->arg[i]);
	for (size_t i = 0; i < n->n; i++)
		lint_node(t, n->list[i]);
}

static bool mixes(const struct node *n)
{
	bool mixed = false;

	if (!n)
		return false;
	for (size_t i = 0; i < 3; i++)
		mixed |= (n->kind == N_OR && n->arg[i] && n->arg[i]->kind == N_AND && !n->arg[i]->paren) || mixes(n->arg[i]);
	for (size_t i = 0; i < n->n; i++)
		mixed |= mixes(n->list[i]);
	return mixed;
}

void sw_lint_expr(struct load *l, const struct sw_ynode *at, const struct sw_expr *e, const struct sw_rule *r)
{
	struct lint t = { l, at, e, r };

	if (!e)
		return;
	if (mixes(e->root))
		sw_diag_warn(l->d, at, "\"and\" and \"or\" are mixed: say with parentheses what is meant");
	lint_node(&t, e->root);
}

/* What is measured of requests says little while there are few of them. */
static const char *lint_thin(const struct load *l, const struct sw_rule *r)
{
	const char *ret = NULL;

	for (size_t i = 0; r->signals && r->signals[i]; i++) {
		const struct sw_signal_def *s = sw_signal_def_find(l->signals, l->n_signals, r->signals[i]);

		if (sw_streq(r->signals[i], "requests"))
			return NULL;
		if (!ret && !s->report && !s->alarm && (s->latency || s->type == SW_V_RATIO))
			ret = s->name;
	}
	return ret;
}

void sw_lint_rule(struct load *l, const struct sw_ynode *n, const struct sw_rule *r)
{
	const char *thin = r->has_rollback ? lint_thin(l, r) : NULL;
	double budget = r->has_rollback ? 0.01 : 0.05;

	if (thin)
		sw_diag_warn(l->d, n, "rule \"%s\" rolls back by %s however few requests there were: say min_requests: 200", r->name, thin);
	for (size_t i = 0; r->cond && r->cond->regressed[i]; i++)
		if (r->cond->regressed[i]->alpha > budget)
			sw_diag_warn(l->d, n, "rule \"%s\": alpha=%.6g%% is more false alarms than the %.6g%% of deployments that all rules which %s may share",
			             r->name, r->cond->regressed[i]->alpha * 100, budget * 100, r->has_rollback ? "roll back" : "alert");
}
