/* Expressions, names and types: what each name means, whether types and units fit, and what this version cannot give yet. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "rules/expr.h"

/* What is there to be asked; the next version flips these. */
static const struct { bool baseline, measured, statistics; } built = { false, false, false };

static const struct { const char *name; enum sw_field_id id; enum sw_vtype type; } fields[] = {
	{ "kind", SW_F_KIND, SW_V_STRING }, { "source", SW_F_SOURCE, SW_V_STRING }, { "repo", SW_F_REPO, SW_V_STRING },
	{ "service", SW_F_SERVICE, SW_V_STRING }, { "env", SW_F_ENV, SW_V_STRING }, { "tier", SW_F_TIER, SW_V_STRING },
	{ "ref", SW_F_REF, SW_V_STRING }, { "branch", SW_F_BRANCH, SW_V_STRING }, { "tag", SW_F_TAG, SW_V_STRING },
	{ "sha", SW_F_SHA, SW_V_STRING }, { "before", SW_F_BEFORE, SW_V_STRING }, { "status", SW_F_STATUS, SW_V_STRING },
	{ "user", SW_F_USER, SW_V_STRING }, { "author", SW_F_AUTHOR, SW_V_STRING }, { "url", SW_F_URL, SW_V_STRING },
	{ "job.name", SW_F_JOB_NAME, SW_V_STRING }, { "job.duration", SW_F_JOB_DURATION, SW_V_DURATION },
	{ "pipeline.id", SW_F_PIPELINE_ID, SW_V_STRING }, { "pipeline.source", SW_F_PIPELINE_SOURCE, SW_V_STRING },
	{ "exit_code", SW_F_EXIT_CODE, SW_V_NUMBER }, { "duration", SW_F_DURATION, SW_V_DURATION },
	{ "coverage", SW_F_COVERAGE, SW_V_RATIO }, { "commits", SW_F_COMMITS, SW_V_LIST }, { "started", SW_F_STARTED, SW_V_TIME },
	{ "event", SW_F_AT, SW_V_TIME }, { "at", SW_F_AT, SW_V_TIME }, { "deployment.sha", SW_F_DEPLOYMENT_SHA, SW_V_STRING },
	{ "deployment.version", SW_F_DEPLOYMENT_VERSION, SW_V_STRING }, { "deployment.is_rollback", SW_F_DEPLOYMENT_IS_ROLLBACK, SW_V_BOOL },
	{ "deployment.is_redeploy", SW_F_DEPLOYMENT_IS_REDEPLOY, SW_V_BOOL }, { "previous.sha", SW_F_PREVIOUS_SHA, SW_V_STRING },
	{ "previous.verdict", SW_F_PREVIOUS_VERDICT, SW_V_STRING }, { "bad_shas", SW_F_BAD_SHAS, SW_V_LIST },
};

/* Built-in signals; measured ones come from Prometheus or a scrape. */
static const struct { const char *name; enum sw_vtype type; bool measured; } signals[] = {
	{ "health", SW_V_BOOL, false }, { "http_latency_p50", SW_V_DURATION, true }, { "http_latency_p95", SW_V_DURATION, true },
	{ "http_latency_p99", SW_V_DURATION, true }, { "error_rate", SW_V_RATIO, true }, { "request_rate", SW_V_RATE, true },
	{ "memory_rss", SW_V_BYTES, true }, { "new_error_types", SW_V_NUMBER, true },
};

static const struct { const char *name; enum call call; unsigned min, max; enum sw_vtype type; } calls[] = {
	{ "consecutive", F_CONSECUTIVE, 1, 1, SW_V_NUMBER }, { "any", F_ANY, 2, 2, SW_V_BOOL }, { "all", F_ALL, 2, 2, SW_V_BOOL },
	{ "changed", F_CHANGED, 1, 1, SW_V_BOOL }, { "within", F_WITHIN, 1, 1, SW_V_BOOL }, { "age", F_AGE, 1, 1, SW_V_DURATION },
	{ "deploys", F_DEPLOYS, 1, 1, SW_V_NUMBER }, { "failing_services", F_FAILING_SERVICES, 1, 1, SW_V_NUMBER },
	{ "len", F_LEN, 1, 1, SW_V_NUMBER }, { "lower", F_LOWER, 1, 1, SW_V_STRING }, { "has", F_HAS, 1, 1, SW_V_BOOL },
	{ "coalesce", F_COALESCE, 2, 8, SW_V_ANY }, { "delta", F_DELTA, 2, 2, SW_V_ANY }, { "regressed", F_LATER, 1, 5, SW_V_BOOL },
	{ "requests", F_LATER, 1, 1, SW_V_NUMBER }, { "restarts", F_LATER, 1, 1, SW_V_NUMBER }, { "flaky", F_LATER, 1, 1, SW_V_BOOL },
	{ "flaps", F_LATER, 1, 1, SW_V_RATIO }, { "signal_source", F_LATER, 1, 1, SW_V_BOOL },
};

static const struct { const char *name; enum sw_window window; } windows[] = {
	{ "avg", SW_W_AVG }, { "max", SW_W_MAX }, { "min", SW_W_MIN }, { "p50", SW_W_P50 }, { "p95", SW_W_P95 }, { "stddev", SW_W_STDDEV },
	{ "last", SW_W_LAST }, { "count", SW_W_COUNT }, { "rate", SW_W_RATE },
};

struct check {
	const struct scope *sc;
	struct sw_expr *e;
	struct wrong *wrong;
	const char *later;         /* what this version has not: told once, when all else is right */
	size_t later_at;
	unsigned in_for, in_element;
	const char *used[32];      /* signals */
	size_t n_used;
};

static int check_node(struct check *c, struct node *n);

static void check_later(struct check *c, const struct node *n, const char *what)
{
	if (c->later)
		return;
	c->later = what;
	c->later_at = n->at;
}

static void check_uses(struct check *c, const char *signal)
{
	for (size_t i = 0; i < c->n_used; i++)
		if (sw_streq(c->used[i], signal))
			return;
	if (c->n_used < SW_COUNT(c->used))
		c->used[c->n_used++] = signal;
}

/* ---- names ---- */

static const char *check_near(const struct check *c, const char *name)
{
	const char *words[160];
	size_t n = 0;

	for (size_t i = 0; i < SW_COUNT(fields); i++)
		words[n++] = fields[i].name;
	for (size_t i = 0; i < SW_COUNT(signals); i++)
		words[n++] = signals[i].name;
	for (size_t i = 0; i < c->sc->n_signals && n < SW_COUNT(words) - 1; i++)
		words[n++] = c->sc->signals[i].name;
	words[n] = NULL;
	return sw_did_you_mean(name, words);
}

static int check_signal(struct check *c, struct node *n, const char *name, const char *part)
{
	n->kind = N_SIGNAL;
	n->name = name;
	n->part = part;
	for (size_t i = 0; i < c->sc->n_signals; i++)
		if (sw_streq(c->sc->signals[i].name, name)) {
			n->type = c->sc->signals[i].type;
			check_uses(c, name);
			return 1;
		}
	for (size_t i = 0; i < SW_COUNT(signals); i++) {
		if (!sw_streq(signals[i].name, name))
			continue;
		n->type = part ? SW_V_STRING : signals[i].type;
		check_uses(c, name);
		if (signals[i].measured && !built.measured)
			check_later(c, n, sw_arena_printf(c->sc->a, "%s needs a prometheus or scrape signal source: not in this version", name));
		return 1;
	}
	n->kind = N_PATH;
	return 0;
}

static const struct sw_ynode *check_list(const struct check *c, const char *path)
{
	const char *dot = strchr(path, '.');
	const struct sw_ynode *group = NULL;

	if (!dot || !c->sc->lists)
		return NULL;
	for (const struct sw_ynode *x = c->sc->lists->child; x; x = x->next)
		if (strlen(x->key) == (size_t)(dot - path) && strncmp(x->key, path, (size_t)(dot - path)) == 0)
			group = x;
	return group ? sw_yget(group, dot + 1) : NULL;
}

static int check_list_node(struct check *c, struct node *n, const struct sw_ynode *list)
{
	struct sw_value *items = SW_ARENA_ARRAY(c->sc->a, struct sw_value, list->n + 1);
	size_t k = 0;

	for (const struct sw_ynode *x = list->type == SW_Y_LIST ? list->child : NULL; x; x = x->next)
		if (x->type == SW_Y_SCALAR)
			items[k++] = (struct sw_value){ .type = SW_V_STRING, .str = x->text };
	n->kind = N_LITERAL;
	n->type = SW_V_LIST;
	n->value = (struct sw_value){ .type = SW_V_LIST, .items = items, .n = k };
	return 0;
}

static int check_field(struct check *c, struct node *n)
{
	static const struct { const char *prefix; enum sw_field_id id; enum sw_vtype type; } open[] = {
		{ "metrics.", SW_F_METRICS, SW_V_ANY }, { "labels.", SW_F_LABELS, SW_V_STRING }, { "limits.", SW_F_LIMITS, SW_V_ANY } };

	for (size_t i = 0; i < SW_COUNT(fields); i++)
		if (sw_streq(fields[i].name, n->name)) {
			n->kind = N_FIELD;
			n->field = fields[i].id;
			n->type = fields[i].type;
			return 1;
		}
	for (size_t i = 0; i < SW_COUNT(open); i++) {
		if (!sw_starts(n->name, open[i].prefix))
			continue;
		n->kind = N_FIELD;
		n->field = open[i].id;
		n->type = open[i].type;
		n->key = n->name + strlen(open[i].prefix);
		if (open[i].id == SW_F_LIMITS && c->sc->limits) {
			for (size_t k = 0; c->sc->limits[k]; k++)
				if (sw_streq(c->sc->limits[k], n->key))
					return 1;
			return sw_wrong_set(c->wrong, n->at, "no service has a limit \"%s\"", n->key);
		}
		return 1;
	}
	return 0;
}

static int check_path(struct check *c, struct node *n)
{
	const struct sw_ynode *list;
	const char *dot, *near;
	int r = check_field(c, n);

	if (r)
		return r < 0 ? r : 0;
	if (check_signal(c, n, n->name, NULL))
		return 0;
	dot = strchr(n->name, '.');
	if (dot && sw_starts(n->name, "health.")) {
		if (!sw_streq(dot + 1, "version"))
			return sw_wrong_set(c->wrong, n->at, "health has no \"%s\", did you mean \"health.version\"?", dot + 1);
		return check_signal(c, n, "health", "version"), 0;
	}
	if (sw_streq(n->name, "endpoints")) {
		n->kind = N_LITERAL;
		n->type = SW_V_LIST;
		check_later(c, n, "endpoints need a prometheus or scrape signal source: not in this version");
		return 0;
	}
	list = check_list(c, n->name);
	if (list)
		return check_list_node(c, n, list);
	near = check_near(c, n->name);
	return sw_wrong_set(c->wrong, n->at, "unknown %s \"%s\"%s%s%s", strchr(n->name, '.') ? "field" : "signal or field", n->name,
	                 near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* ---- calls ---- */

static int check_window(struct check *c, struct node *n, enum sw_window w)
{
	struct node *m, *d;

	if (n->n != 2)
		return sw_wrong_set(c->wrong, n->at, "%s wants a signal and a length of time: %s(health, 5m)", n->name, n->name);
	m = n->list[0];
	d = n->list[1];
	if (check_node(c, m) < 0 || check_node(c, d) < 0)
		return -EINVAL;
	if (m->kind != N_SIGNAL || m->part)
		return sw_wrong_set(c->wrong, m->at, "%s wants a signal here", n->name);
	if (d->kind != N_LITERAL || d->value.type != SW_V_DURATION || d->value.num <= 0)
		return sw_wrong_set(c->wrong, d->at, "%s wants a length of time here, such as 5m", n->name);
	n->kind = N_WINDOW;
	n->window = w;
	n->type = w == SW_W_COUNT || m->type == SW_V_BOOL ? SW_V_NUMBER : m->type;
	return 0;
}

static int window_days(const char *s, unsigned *ret)
{
	static const char *const names[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };
	int from = -1, to = -1;

	for (int i = 0; i < 7; i++) {
		if (strncmp(s, names[i], 3) == 0)
			from = i;
		if (strlen(s) == 7 && s[3] == '-' && strcmp(s + 4, names[i]) == 0)
			to = i;
	}
	if (from < 0 || (strlen(s) != 3 && to < 0))
		return -EINVAL;
	for (int i = from; to >= 0 && i != to; i = (i + 1) % 7)
		*ret |= 1u << i;
	*ret |= 1u << (to >= 0 ? to : from);
	return 0;
}

/* "HH:MM" to minutes of the day; -1: something else. */
static int window_minute(const struct sw_ynode *n, int otherwise)
{
	const char *s = n && n->type == SW_Y_SCALAR ? n->text : "";
	int h, m;

	if (!n)
		return otherwise;
	if (strlen(s) != 5 || s[2] != ':' || strspn(s, "0123456789:") != 5 || strchr(s + 3, ':'))
		return -1;
	h = (s[0] - '0') * 10 + s[1] - '0';
	m = (s[3] - '0') * 10 + s[4] - '0';
	return h > 24 || m > 59 || (h == 24 && m) ? -1 : h * 60 + m;
}

static int check_within(struct check *c, struct node *n)
{
	const struct sw_ynode *list = n->list[0]->kind == N_PATH ? check_list(c, n->list[0]->name) : NULL;
	struct time_window *w;
	size_t k = 0;

	if (!list)
		return sw_wrong_set(c->wrong, n->list[0]->at, "within wants a window of `lists:` in the rules file, such as windows.freeze");
	w = SW_ARENA_ARRAY(c->sc->a, struct time_window, list->n + 2);
	for (const struct sw_ynode *x = list->type == SW_Y_LIST ? list->child : list->type == SW_Y_MAP ? list : NULL; x;
	     x = list->type == SW_Y_LIST ? x->next : NULL) {
		const struct sw_ynode *days = sw_yget(x, "days");

		w[k] = (struct time_window){ .name = n->list[0]->name, .days = days ? 0 : 127, .from = window_minute(sw_yget(x, "from"), 0),
		                             .to = window_minute(sw_yget(x, "to"), 24 * 60) };
		for (const struct sw_ynode *d = days && days->type == SW_Y_LIST ? days->child : days; d;
		     d = days->type == SW_Y_LIST ? d->next : NULL)
			if (d->type != SW_Y_SCALAR || window_days(d->text, &w[k].days) < 0)
				return sw_wrong_set(c->wrong, n->list[0]->at, "%s: want days such as mon, or fri-sun", n->list[0]->name);
		if (w[k].from < 0 || w[k].to < 0)
			return sw_wrong_set(c->wrong, n->list[0]->at, "%s: want from and to as \"HH:MM\"", n->list[0]->name);
		k++;
	}
	n->within = w; /* ends with an entry without a name */
	n->list[0]->kind = N_LITERAL;
	return 0;
}

static int check_args(struct check *c, struct node *n)
{
	for (size_t i = 0; i < n->n; i++) {
		bool element = (n->call == F_ANY || n->call == F_ALL) && i == 1;

		c->in_element += element;
		if (check_node(c, n->list[i]) < 0)
			return -EINVAL;
		c->in_element -= element;
	}
	return 0;
}

static bool duration_literal(const struct node *n)
{
	return n->kind == N_LITERAL && n->value.type == SW_V_DURATION;
}

static int check_call_types(struct check *c, struct node *n)
{
	struct node *a = n->list[0];

	switch (n->call) {
	case F_CONSECUTIVE:
		n->hold_index = c->e->n_holds++;
		if (a->type != SW_V_BOOL)
			return sw_wrong_set(c->wrong, a->at, "consecutive wants a condition");
		break;
	case F_ANY:
	case F_ALL:
		if (a->type != SW_V_LIST)
			return sw_wrong_set(c->wrong, a->at, "%s wants a list here, such as commits", n->name);
		if (n->list[1]->type != SW_V_BOOL)
			return sw_wrong_set(c->wrong, n->list[1]->at, "%s wants a condition here", n->name);
		break;
	case F_CHANGED:
		if (a->kind != N_LITERAL || a->value.type != SW_V_STRING)
			return sw_wrong_set(c->wrong, a->at, "changed wants a glob in double quotes");
		break;
	case F_DEPLOYS:
	case F_FAILING_SERVICES:
		if (!duration_literal(a))
			return sw_wrong_set(c->wrong, a->at, "%s wants a length of time, such as 24h", n->name);
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
	case F_COALESCE: n->type = a->type; break;
	case F_DELTA:
		if (a->kind != N_SIGNAL)
			return sw_wrong_set(c->wrong, a->at, "delta wants a signal");
		n->type = a->type;
		if (!duration_literal(n->list[1]) && n->list[1]->kind != N_BASELINE)
			return sw_wrong_set(c->wrong, n->list[1]->at, "delta wants a length of time or baseline");
		break;
	case F_WITHIN:
	case F_HAS:
	case F_LATER: break;
	}
	return 0;
}

static int check_call(struct check *c, struct node *n)
{
	const char *words[64];
	size_t k = 0;

	for (size_t i = 0; i < SW_COUNT(windows); i++) {
		if (sw_streq(windows[i].name, n->name))
			return check_window(c, n, windows[i].window);
		words[k++] = windows[i].name;
	}
	for (size_t i = 0; i < SW_COUNT(calls); i++) {
		words[k++] = calls[i].name;
		if (!sw_streq(calls[i].name, n->name))
			continue;
		if (n->n < calls[i].min || n->n > calls[i].max)
			return sw_wrong_set(c->wrong, n->at, "%s wants %u%s argument%s, got %zu", n->name, calls[i].min,
			                 calls[i].max > calls[i].min ? " or more" : "", calls[i].max > 1 ? "s" : "", n->n);
		n->call = calls[i].call;
		n->type = calls[i].type;
		if (n->call == F_WITHIN)
			return check_within(c, n);
		if (n->call == F_LATER && (sw_streq(n->name, "requests") || sw_streq(n->name, "restarts")))
			check_later(c, n, sw_arena_printf(c->sc->a, "%s needs a prometheus or scrape signal source: not in this version", n->name));
		else if (n->call == F_LATER && !built.statistics)
			check_later(c, n, sw_arena_printf(c->sc->a, "%s needs baselines and statistics: not in this version", n->name));
		if (check_args(c, n) < 0)
			return -EINVAL;
		return check_call_types(c, n);
	}
	words[k] = NULL;
	{
		const char *near = sw_did_you_mean(n->name, words);

		return sw_wrong_set(c->wrong, n->at, "unknown function \"%s\"%s%s%s", n->name, near ? ", did you mean \"" : "", near ? near : "",
		                 near ? "\"?" : "");
	}
}

/* ---- types ---- */

static bool numeric(enum sw_vtype t)
{
	return t == SW_V_NUMBER || t == SW_V_RATIO || t == SW_V_DURATION || t == SW_V_BYTES || t == SW_V_RATE || t == SW_V_TIME;
}

static bool fits(enum sw_vtype a, enum sw_vtype b)
{
	if (a == b || a == SW_V_ANY || b == SW_V_ANY || a == SW_V_NULL || b == SW_V_NULL)
		return true;
	return (a == SW_V_RATIO && b == SW_V_NUMBER) || (a == SW_V_NUMBER && b == SW_V_RATIO); /* 0.05 is 5% */
}

static int check_fits(struct check *c, const struct node *n, const struct node *a, const struct node *b)
{
	const struct node *bare = b->kind == N_LITERAL && b->type == SW_V_NUMBER ? b : a->kind == N_LITERAL && a->type == SW_V_NUMBER ? a : NULL;
	const struct node *other = bare == b ? a : b;

	if (fits(a->type, b->type))
		return 0;
	if (bare && (other->type == SW_V_DURATION || other->type == SW_V_BYTES || other->type == SW_V_RATE)) {
		const char *unit = other->type == SW_V_DURATION ? (bare->value.num >= 10 ? "ms" : "s") : other->type == SW_V_BYTES ? "MiB" : "rps";

		return sw_wrong_set(c->wrong, bare->at, "a %s is compared with a bare number, did you mean %.6g%s?", sw_vtype_name(other->type),
		                 bare->value.num, unit);
	}
	return sw_wrong_set(c->wrong, n->at, "a %s cannot be compared with a %s", sw_vtype_name(a->type), sw_vtype_name(b->type));
}

static int check_compare(struct check *c, struct node *n)
{
	n->type = SW_V_BOOL;
	for (int i = 0; i < 2; i++)
		if (check_node(c, n->arg[i]) < 0)
			return -EINVAL;
	if (check_fits(c, n, n->arg[0], n->arg[1]) < 0)
		return -EINVAL;
	if (n->op != C_EQ && n->op != C_NE && !numeric(n->arg[0]->type) && n->arg[0]->type != SW_V_ANY)
		return sw_wrong_set(c->wrong, n->at, "a %s has no order, use == or !=", sw_vtype_name(n->arg[0]->type));
	return 0;
}

static int check_arith(struct check *c, struct node *n)
{
	enum sw_vtype a, b;

	for (int i = 0; i < 2; i++)
		if (check_node(c, n->arg[i]) < 0)
			return -EINVAL;
	a = n->arg[0]->type;
	b = n->arg[1]->type;
	if ((!numeric(a) && a != SW_V_ANY) || (!numeric(b) && b != SW_V_ANY))
		return sw_wrong_set(c->wrong, n->at, "a %s and a %s cannot be calculated with", sw_vtype_name(a), sw_vtype_name(b));
	if (n->kind == N_ADD || n->kind == N_SUB) {
		if (a == SW_V_TIME && b == SW_V_TIME && n->kind == N_SUB)
			n->type = SW_V_DURATION;
		else if (a == SW_V_TIME && b == SW_V_DURATION)
			n->type = SW_V_TIME;
		else if (!fits(a, b))
			return sw_wrong_set(c->wrong, n->at, "a %s and a %s do not add up", sw_vtype_name(a), sw_vtype_name(b));
		else
			n->type = a == SW_V_ANY ? b : a;
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
	if (check_node(c, n) < 0)
		return -EINVAL;
	if (n->type == SW_V_BOOL && !(n->kind == N_SIGNAL))
		return 0;
	if (n->kind == N_SIGNAL && sw_streq(n->name, "health"))
		return sw_wrong_set(c->wrong, n->at, "health is no condition, did you mean \"health is failing\"?");
	return sw_wrong_set(c->wrong, n->at, "%s wants a condition, this is a %s", where, sw_vtype_name(n->type));
}

static int check_in(struct check *c, struct node *n)
{
	n->type = SW_V_BOOL;
	if (check_node(c, n->arg[0]) < 0 || check_node(c, n->arg[1]) < 0)
		return -EINVAL;
	if (n->arg[1]->type != SW_V_LIST)
		return sw_wrong_set(c->wrong, n->arg[1]->at, "\"in\" wants a list here");
	return 0;
}

static int check_is(struct check *c, struct node *n)
{
	n->type = SW_V_BOOL;
	if (check_node(c, n->arg[0]) < 0)
		return -EINVAL;
	if (n->state >= S_HEALTHY && !(n->arg[0]->kind == N_SIGNAL && sw_streq(n->arg[0]->name, "health")))
		return sw_wrong_set(c->wrong, n->at, "only health can be healthy or failing");
	if (n->arg[0]->kind != N_SIGNAL && n->arg[0]->kind != N_WINDOW && n->arg[0]->kind != N_CALL && n->arg[0]->kind != N_FIELD)
		return sw_wrong_set(c->wrong, n->arg[0]->at, "\"is\" asks about a signal");
	return 0;
}

static int check_list_literal(struct check *c, struct node *n)
{
	struct sw_value *items = SW_ARENA_ARRAY(c->sc->a, struct sw_value, n->n + 1);

	n->type = SW_V_LIST;
	for (size_t i = 0; i < n->n; i++) {
		if (check_node(c, n->list[i]) < 0)
			return -EINVAL;
		if (n->list[i]->kind != N_LITERAL)
			return sw_wrong_set(c->wrong, n->list[i]->at, "a list holds plain values");
		items[i] = n->list[i]->value;
	}
	n->value = (struct sw_value){ .type = SW_V_LIST, .items = items, .n = n->n };
	return 0;
}

static int check_element(struct check *c, struct node *n)
{
	static const char *const names[] = { "p95", "requests", "errors", "name", "title", NULL };

	if (!c->in_element)
		return sw_wrong_set(c->wrong, n->at, "\".%s\" stands only inside any() or all()", n->name);
	for (size_t i = 0; names[i]; i++)
		if (sw_streq(names[i], n->name)) {
			n->type = i == 0 ? SW_V_DURATION : i < 3 ? SW_V_NUMBER : SW_V_STRING;
			return 0;
		}
	return sw_wrong_set(c->wrong, n->at, "unknown field \".%s\" of an element, want .p95, .requests, .errors, .name or .title", n->name);
}

static int check_node(struct check *c, struct node *n)
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
		c->in_for++;
		r = check_truth(c, n->arg[0], "for");
		c->in_for--;
		return r;
	case N_COMPARE: return check_compare(c, n);
	case N_IN: return check_in(c, n);
	case N_BETWEEN:
		n->type = SW_V_BOOL;
		for (int i = 0; i < 3 && r == 0; i++)
			r = check_node(c, n->arg[i]);
		for (int i = 1; i < 3 && r == 0; i++)
			r = check_fits(c, n, n->arg[0], n->arg[i]);
		return r;
	case N_MATCH:
		n->type = SW_V_BOOL;
		r = check_node(c, n->arg[0]);
		if (r == 0 && n->arg[0]->type != SW_V_STRING && n->arg[0]->type != SW_V_ANY)
			return sw_wrong_set(c->wrong, n->at, "a %s cannot be matched, only a string", sw_vtype_name(n->arg[0]->type));
		return r;
	case N_IS: return check_is(c, n);
	case N_ADD:
	case N_SUB:
	case N_MUL:
	case N_DIV: return check_arith(c, n);
	case N_NEG:
		r = check_node(c, n->arg[0]);
		n->type = n->arg[0]->type;
		if (r == 0 && !numeric(n->type))
			return sw_wrong_set(c->wrong, n->at, "a %s has no negative", sw_vtype_name(n->type));
		return r;
	case N_LITERAL:
		n->type = n->value.type;
		return 0;
	case N_LIST: return check_list_literal(c, n);
	case N_PATH: return check_path(c, n);
	case N_CALL: return check_call(c, n);
	case N_BASELINE:
		n->type = SW_V_ANY;
		if (!built.baseline)
			check_later(c, n, "baseline needs values from before the deployment: not in this version");
		return 0;
	case N_ELEMENT: return check_element(c, n);
	case N_FIELD:
	case N_SIGNAL:
	case N_WINDOW: return 0;
	}
	return 0;
}

/* ---- holds that are understood ---- */

static bool asks_signal(const struct node *n)
{
	if (!n)
		return false;
	if (n->kind == N_SIGNAL || n->kind == N_WINDOW)
		return true;
	for (size_t i = 0; i < 3; i++)
		if (asks_signal(n->arg[i]))
			return true;
	for (size_t i = 0; i < n->n; i++)
		if (asks_signal(n->list[i]))
			return true;
	return false;
}

/*
 * "health is failing" without `for`, and a plain comparison of a signal that leads to a rollback, hold for 3 checks
 * (design 4.1).
 */
static void hold_plain(struct check *c, struct node **at)
{
	struct node *n = *at, *f;
	bool failing = n->kind == N_IS && n->state == S_FAILING;

	if (n->kind == N_FOR || n->kind == N_CALL)
		return;
	if (n->kind == N_OR || n->kind == N_AND || n->kind == N_NOT) {
		hold_plain(c, &n->arg[0]);
		if (n->arg[1])
			hold_plain(c, &n->arg[1]);
		return;
	}
	if (!failing && !(c->sc->hold_plain && (n->kind == N_COMPARE || n->kind == N_BETWEEN) && asks_signal(n)))
		return;
	f = SW_ARENA_NEW(c->sc->a, struct node);
	*f = (struct node){ .kind = N_FOR, .at = n->at, .end = n->end, .type = SW_V_BOOL, .hold = { .n = 3, .of = 3 }, .hold_index = c->e->n_holds++ };
	f->arg[0] = n;
	*at = f;
}

int sw_expr_check(struct sw_expr *e, const struct scope *sc, struct wrong *wrong)
{
	struct check c = { .sc = sc, .e = e, .wrong = wrong };
	int r = check_truth(&c, e->root, "a rule");

	if (r == 0 && c.later && !sc->all_built)
		r = sw_wrong_set(wrong, c.later_at, "%s", c.later);
	if (r < 0)
		return r;
	hold_plain(&c, &e->root);
	if (e->n_holds > SW_HOLDS_MAX)
		return sw_wrong_set(wrong, 0, "more than %d \"for\" in one expression", SW_HOLDS_MAX);
	e->signals = SW_ARENA_ARRAY(sc->a, const char *, c.n_used + 1);
	memcpy(e->signals, c.used, c.n_used * sizeof *c.used);
	return 0;
}
