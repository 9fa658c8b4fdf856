/* Functions and windows of the rule language: which there are, what they want, what they give. */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "rules/check.h"

static const struct { const char *name; enum call call; unsigned min, max; enum sw_vtype type; } calls[] = {
	{ "consecutive", F_CONSECUTIVE, 1, 1, SW_V_NUMBER }, { "any", F_ANY, 2, 2, SW_V_BOOL }, { "all", F_ALL, 2, 2, SW_V_BOOL },
	{ "changed", F_CHANGED, 1, 1, SW_V_BOOL }, { "within", F_WITHIN, 1, 1, SW_V_BOOL }, { "age", F_AGE, 1, 1, SW_V_DURATION },
	{ "deploys", F_DEPLOYS, 1, 1, SW_V_NUMBER }, { "failing_services", F_FAILING_SERVICES, 1, 1, SW_V_NUMBER },
	{ "len", F_LEN, 1, 1, SW_V_NUMBER }, { "lower", F_LOWER, 1, 1, SW_V_STRING }, { "has", F_HAS, 1, 1, SW_V_BOOL },
	{ "coalesce", F_COALESCE, 2, 8, SW_V_ANY }, { "delta", F_DELTA, 2, 2, SW_V_ANY }, { "regressed", F_REGRESSED, 1, 5, SW_V_BOOL },
	{ "requests", F_SUM, 1, 1, SW_V_NUMBER }, { "restarts", F_SUM, 1, 1, SW_V_NUMBER }, { "flaky", F_FLAKY, 1, 1, SW_V_BOOL },
	{ "flaps", F_FLAPS, 1, 1, SW_V_RATIO }, { "signal_source", F_SOURCE, 1, 1, SW_V_BOOL },
};

static const struct { const char *name; enum sw_window window; } windows[] = {
	{ "avg", SW_W_AVG }, { "max", SW_W_MAX }, { "min", SW_W_MIN }, { "p50", SW_W_P50 }, { "p95", SW_W_P95 }, { "stddev", SW_W_STDDEV },
	{ "last", SW_W_LAST }, { "count", SW_W_COUNT }, { "rate", SW_W_RATE },
};

bool sw_call_name(const char *name)
{
	for (size_t i = 0; i < SW_COUNT(calls); i++)
		if (sw_streq(calls[i].name, name) && calls[i].call != F_SUM)
			return true;
	for (size_t i = 0; i < SW_COUNT(windows); i++)
		if (sw_streq(windows[i].name, name))
			return true;
	return false;
}

static bool duration_literal(const struct node *n)
{
	return n->kind == N_LITERAL && n->value.type == SW_V_DURATION && n->value.num > 0;
}

static bool text_literal(const struct node *n)
{
	return n->kind == N_LITERAL && n->value.type == SW_V_STRING;
}

static int check_window(struct check *c, struct node *n, enum sw_window w)
{
	struct node *m, *d;

	if (n->n != 2)
		return sw_wrong_set(c->wrong, n->at, "%s wants a signal and a length of time: %s(health, 5m)", n->name, n->name);
	m = n->list[0];
	d = n->list[1];
	if (sw_check_node(c, m) < 0 || sw_check_node(c, d) < 0)
		return -EINVAL;
	if (m->kind != N_SIGNAL || m->part)
		return sw_wrong_set(c->wrong, m->at, "%s wants a signal here", n->name);
	if (m->type == SW_V_LIST)
		return sw_wrong_set(c->wrong, m->at, "%s wants a signal that is a number, %s is a list", n->name, m->name);
	if (!duration_literal(d))
		return sw_wrong_set(c->wrong, d->at, "%s wants a length of time here, such as 5m", n->name);
	n->kind = N_WINDOW;
	n->window = w;
	n->type = w == SW_W_COUNT || m->type == SW_V_BOOL ? SW_V_NUMBER : m->type;
	return 0;
}

/* requests(5m): the counts of the signal of that name, added up. */
static int check_sum(struct check *c, struct node *n)
{
	struct node *m = SW_ARENA_NEW(c->sc->a, struct node), *d = n->list[0], **list = SW_ARENA_ARRAY(c->sc->a, struct node *, 2);
	const struct sw_signal_def *s = sw_signal_def_find(c->sc->signals, c->sc->n_signals, n->name);

	if (sw_check_node(c, d) < 0)
		return -EINVAL;
	if (!duration_literal(d))
		return sw_wrong_set(c->wrong, d->at, "%s wants a length of time, such as 5m", n->name);
	*m = (struct node){ .kind = N_SIGNAL, .at = n->at, .end = n->at + strlen(n->name), .name = s->name, .type = s->type };
	list[0] = m;
	list[1] = d;
	n->kind = N_WINDOW;
	n->window = SW_W_SUM;
	n->list = list;
	n->n = 2;
	return sw_check_uses(c, &c->used, n, s->name);
}

/* The change since some time ago, or since before the deployment. */
static int check_delta(struct check *c, struct node *n)
{
	struct node *m = n->list[0], *d = n->list[1];

	if (sw_check_node(c, m) < 0)
		return -EINVAL;
	if (m->kind != N_SIGNAL || m->part || !sw_vtype_numeric(m->type))
		return sw_wrong_set(c->wrong, m->at, "delta wants a signal that is a number");
	n->type = m->type;
	if (d->kind == N_BASELINE && d->form == FORM_PLAIN && !d->mark)
		return sw_check_uses(c, &c->based, n, m->name);
	if (d->kind == N_BASELINE || sw_check_node(c, d) < 0 || !duration_literal(d))
		return sw_wrong_set(c->wrong, d->at, "delta wants a length of time or baseline");
	return 0;
}

/* any, all: the condition is about the elements of the list. */
static int check_each(struct check *c, struct node *n)
{
	const struct node *outer = c->elements;
	struct node *a = n->list[0], *cond = n->list[1];
	int r;

	if (sw_check_node(c, a) < 0)
		return -EINVAL;
	if (a->type != SW_V_LIST)
		return sw_wrong_set(c->wrong, a->at, "%s wants a list here, such as commits", n->name);
	c->elements = a;
	r = sw_check_node(c, cond);
	c->elements = outer;
	if (r < 0)
		return r;
	if (cond->type != SW_V_BOOL || cond->kind == N_SIGNAL)
		return sw_wrong_set(c->wrong, cond->at, "%s wants a condition here", n->name);
	return 0;
}

static int check_source(struct check *c, const struct node *a)
{
	static const char *const sources[] = { "prometheus", "scrape", "health", NULL };
	const char *near;

	if (!text_literal(a))
		return sw_wrong_set(c->wrong, a->at, "signal_source wants \"prometheus\", \"scrape\" or \"health\"");
	for (size_t i = 0; sources[i]; i++)
		if (sw_streq(sources[i], a->value.str))
			return sw_check_uses(c, &c->sources, a, sources[i]);
	near = sw_did_you_mean(a->value.str, sources);
	return sw_wrong_set(c->wrong, a->at, "unknown signal source \"%.60s\"%s%s%s", a->value.str,
	                    near ? ", did you mean \"" : ", want prometheus, scrape or health", near ? near : "", near ? "\"?" : "");
}

static int check_call_types(struct check *c, struct node *n)
{
	struct node *a = n->list[0];

	switch (n->call) {
	case F_CONSECUTIVE:
		if (c->elements)
			return sw_wrong_set(c->wrong, n->at, "consecutive stands outside of any() and all()");
		n->hold_index = c->e->n_holds++;
		if (a->type != SW_V_BOOL)
			return sw_wrong_set(c->wrong, a->at, "consecutive wants a condition");
		break;
	case F_CHANGED:
		if (!text_literal(a))
			return sw_wrong_set(c->wrong, a->at, "changed wants a glob in double quotes");
		break;
	case F_DEPLOYS:
	case F_FAILING_SERVICES:
		if (!duration_literal(a))
			return sw_wrong_set(c->wrong, a->at, "%s wants a length of time, such as 24h", n->name);
		c->e->watches |= n->call == F_FAILING_SERVICES;
		break;
	case F_AGE:
		if (a->type != SW_V_TIME)
			return sw_wrong_set(c->wrong, a->at, "age wants a time, such as started");
		break;
	case F_LEN:
		if (a->type != SW_V_LIST && a->type != SW_V_STRING)
			return sw_wrong_set(c->wrong, a->at, "len wants a list or a string");
		break;
	case F_LOWER:
		if (a->type != SW_V_STRING)
			return sw_wrong_set(c->wrong, a->at, "lower wants a string");
		break;
	case F_COALESCE:
		n->type = a->type;
		for (size_t i = 1; i < n->n; i++)
			if (!sw_types_fit(a->type, n->list[i]->type))
				return sw_wrong_set(c->wrong, n->list[i]->at, "coalesce gives a %s, this is a %s", sw_vtype_name(a->type),
				                    sw_vtype_name(n->list[i]->type));
		break;
	case F_FLAKY:
		if (a->type != SW_V_STRING)
			return sw_wrong_set(c->wrong, a->at, "flaky wants the name of a job: flaky(job.name)");
		break;
	case F_FLAPS:
		if (a->kind != N_SIGNAL || a->part || a->type != SW_V_BOOL)
			return sw_wrong_set(c->wrong, a->at, "flaps wants a signal that is healthy or failing: flaps(health)");
		break;
	case F_SOURCE: c->e->watches = true; return check_source(c, a);
	case F_WITHIN:
	case F_HAS:
	case F_ANY:
	case F_ALL:
	case F_DELTA:
	case F_SUM:
	case F_REGRESSED: break;
	}
	return 0;
}

static int check_named(struct check *c, const struct node *n)
{
	for (size_t i = 0; i < n->n; i++)
		if (n->names[i])
			return sw_wrong_set(c->wrong, n->list[i]->at, "%s takes no \"%s=\", only regressed has arguments with names", n->name, n->names[i]);
	return 0;
}

static int check_known(struct check *c, struct node *n)
{
	if (n->call == F_REGRESSED)
		return sw_check_regressed(c, n);
	if (check_named(c, n) < 0)
		return -EINVAL;
	switch ((int)n->call) {
	case F_WITHIN: return sw_check_within(c, n);
	case F_SUM: return check_sum(c, n);
	case F_DELTA: return check_delta(c, n);
	case F_ANY:
	case F_ALL: return check_each(c, n);
	}
	for (size_t i = 0; i < n->n; i++)
		if (sw_check_node(c, n->list[i]) < 0)
			return -EINVAL;
	return check_call_types(c, n);
}

static int check_unknown(struct check *c, const struct node *n)
{
	const char *words[SW_COUNT(calls) + SW_COUNT(windows) + 1] = { NULL }, *near;
	size_t k = 0;

	for (size_t i = 0; i < SW_COUNT(windows); i++)
		words[k++] = windows[i].name;
	for (size_t i = 0; i < SW_COUNT(calls); i++)
		words[k++] = calls[i].name;
	near = sw_did_you_mean(n->name, words);
	return sw_wrong_set(c->wrong, n->at, "unknown function \"%.60s\"%s%s%s", n->name, near ? ", did you mean \"" : "", near ? near : "",
	                    near ? "\"?" : "");
}

int sw_check_call(struct check *c, struct node *n)
{
	for (size_t i = 0; i < SW_COUNT(windows); i++)
		if (sw_streq(windows[i].name, n->name))
			return check_named(c, n) < 0 ? -EINVAL : check_window(c, n, windows[i].window);
	for (size_t i = 0; i < SW_COUNT(calls); i++) {
		if (!sw_streq(calls[i].name, n->name))
			continue;
		if (n->n < calls[i].min || n->n > calls[i].max)
			return sw_wrong_set(c->wrong, n->at, "%s wants %u%s argument%s, got %zu", n->name, calls[i].min,
			                    calls[i].max > calls[i].min ? " or more" : "", calls[i].max > 1 ? "s" : "", n->n);
		n->call = calls[i].call;
		n->type = calls[i].type;
		return check_known(c, n);
	}
	return check_unknown(c, n);
}
