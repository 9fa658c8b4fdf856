/* regressed(m, by=20%, alpha=1%, baseline=30m, test="auto"): its arguments, each said once, by name and with its unit. */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "rules/check.h"
#include "shipwatch/clock.h"

static int regressed_signal(struct check *c, struct node *m)
{
	const struct sw_signal_def *s;

	if (sw_check_node(c, m) < 0)
		return -EINVAL;
	if (m->kind != N_SIGNAL || m->part)
		return sw_wrong_set(c->wrong, m->at, "regressed wants a signal here, such as http_latency_p95");
	s = sw_signal_def_find(c->sc->signals, c->sc->n_signals, m->name);
	if (!sw_vtype_numeric(s->type) || s->report || s->alarm)
		return sw_wrong_set(c->wrong, m->at, "regressed compares measurements from before and after: %s is %s", m->name,
		                    s->report ? "a number of reports" : s->alarm ? "an alarm" : s->type == SW_V_BOOL ? "healthy or failing" : "a list");
	return 0;
}

/* 20%, 2x (twice as much is 100 % more, half as much 50 % less), 2pp, or so much in the signal's own unit. */
static int regressed_by(struct check *c, const struct node *v, const struct node *m, struct sw_regressed_ask *ask)
{
	const char *want = "by wants how much worse: 20%, 2x, 2pp of a ratio, or an amount in the signal's unit";
	bool down = sw_signal_def_find(c->sc->signals, c->sc->n_signals, m->name)->query.bad_down;
	double num = v->value.num;

	if (v->kind != N_LITERAL || !sw_vtype_numeric(v->value.type))
		return sw_wrong_set(c->wrong, v->at, "%s", want);
	if (v->form == FORM_MULTIPLE) {
		if (num <= 1)
			return sw_wrong_set(c->wrong, v->at, "by: a multiple is more than 1x");
		ask->by = down ? 1 - 1 / num : num - 1;
		return 0;
	}
	if (v->form == FORM_POINTS && m->type != SW_V_RATIO)
		return sw_wrong_set(c->wrong, v->at, "points (pp) exist for ratios only, %s is a %s", m->name, sw_vtype_name(m->type));
	if (v->form == FORM_PLAIN && v->value.type == SW_V_NUMBER && m->type != SW_V_NUMBER)
		return sw_wrong_set(c->wrong, v->at, "%s", want);
	if (num <= 0)
		return sw_wrong_set(c->wrong, v->at, "by: more than 0");
	ask->by_points = v->form == FORM_POINTS || v->value.type != SW_V_RATIO;
	if (!ask->by_points && down && num >= 1)
		return sw_wrong_set(c->wrong, v->at, "by: of %s less is worse, it cannot be %.6g%% less", m->name, num * 100);
	if (ask->by_points && v->form != FORM_POINTS && v->value.type != m->type)
		return sw_wrong_set(c->wrong, v->at, "by: %s is a %s, this is a %s", m->name, sw_vtype_name(m->type), sw_vtype_name(v->value.type));
	ask->by = num;
	return 0;
}

static int regressed_test(struct check *c, const struct node *v, struct sw_regressed_ask *ask)
{
	static const char *const words[] = { "auto", "rank", "sequential", NULL };
	const char *near;

	if (v->kind != N_LITERAL || v->value.type != SW_V_STRING)
		return sw_wrong_set(c->wrong, v->at, "test wants \"auto\", \"rank\" or \"sequential\"");
	for (int i = 0; words[i]; i++)
		if (sw_streq(words[i], v->value.str)) {
			ask->test = (enum sw_regress_test)i;
			return 0;
		}
	near = sw_did_you_mean(v->value.str, words);
	return sw_wrong_set(c->wrong, v->at, "unknown test \"%.60s\"%s%s%s", v->value.str, near ? ", did you mean \"" : ", want auto, rank or sequential",
	                    near ? near : "", near ? "\"?" : "");
}

static int regressed_arg(struct check *c, const char *name, const struct node *v, const struct node *m, struct sw_regressed_ask *ask)
{
	static const char *const words[] = { "by", "alpha", "baseline", "test", NULL };
	const char *near;

	if (sw_streq(name, "by"))
		return regressed_by(c, v, m, ask);
	if (sw_streq(name, "test"))
		return regressed_test(c, v, ask);
	if (sw_streq(name, "alpha")) {
		if (v->kind != N_LITERAL || v->value.type != SW_V_RATIO || v->form == FORM_POINTS || v->value.num < 1e-5 || v->value.num > 0.2)
			return sw_wrong_set(c->wrong, v->at, "alpha wants a share of deployments such as 1%%, at most 20%%");
		ask->alpha = v->value.num;
		return 0;
	}
	if (sw_streq(name, "baseline")) {
		if (v->kind != N_LITERAL || v->value.type != SW_V_DURATION || v->value.num < 300 || v->value.num > 86400)
			return sw_wrong_set(c->wrong, v->at, "baseline wants a length of time from 5m to 24h");
		ask->baseline = (sw_dur)(v->value.num * 1000);
		return 0;
	}
	near = sw_did_you_mean(name, words);
	return sw_wrong_set(c->wrong, v->at, "regressed has no \"%.60s=\"%s%s%s", name, near ? ", did you mean \"" : ", want by, alpha, baseline or test",
	                    near ? near : "", near ? "\"?" : "");
}

int sw_check_regressed(struct check *c, struct node *n)
{
	struct sw_regressed_ask *ask = SW_ARENA_NEW(c->sc->a, struct sw_regressed_ask);

	if (n->names[0])
		return sw_wrong_set(c->wrong, n->list[0]->at, "regressed wants a signal first: regressed(http_latency_p95, by=20%%)");
	if (regressed_signal(c, n->list[0]) < 0)
		return -EINVAL;
	ask->signal = n->list[0]->name;
	for (size_t i = 1; i < n->n; i++) {
		if (!n->names[i])
			return sw_wrong_set(c->wrong, n->list[i]->at, "regressed wants names here: by=20%%, alpha=1%%, baseline=30m, test=\"rank\"");
		for (size_t k = 1; k < i; k++)
			if (sw_streq(n->names[k], n->names[i]))
				return sw_wrong_set(c->wrong, n->list[i]->at, "regressed has \"%s=\" twice", n->names[i]);
		if (regressed_arg(c, n->names[i], n->list[i], n->list[0], ask) < 0)
			return -EINVAL;
	}
	if (c->n_regressed == EXPR_ASKED)
		return sw_wrong_set(c->wrong, n->at, "more than %d calls of regressed in one expression", EXPR_ASKED);
	n->ask = c->regressed[c->n_regressed++] = ask;
	return 0;
}
