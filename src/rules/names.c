/* Names in an expression: fields of events, signals, lists of the rules file. */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "rules/check.h"

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

bool sw_field_name(const char *name)
{
	for (size_t i = 0; i < SW_COUNT(fields); i++)
		if (sw_streq(fields[i].name, name))
			return true;
	return false;
}

bool sw_field_measured(enum sw_field_id id)
{
	return id == SW_F_JOB_DURATION || id == SW_F_DURATION || id == SW_F_COVERAGE || id == SW_F_EXIT_CODE || id == SW_F_METRICS;
}

int sw_check_uses(struct check *c, struct asked *list, const struct node *at, const char *signal)
{
	for (size_t i = 0; i < list->n; i++)
		if (sw_streq(list->items[i], signal))
			return 0;
	if (list->n == EXPR_ASKED)
		return sw_wrong_set(c->wrong, at->at, "more than %d signals in one expression", EXPR_ASKED);
	list->items[list->n++] = signal;
	return 0;
}

static const char *check_near(const struct check *c, const char *name)
{
	const struct sw_signal_def *s;
	const char *words[160];
	size_t n = 0;

	for (size_t i = 0; i < SW_COUNT(fields); i++)
		words[n++] = fields[i].name;
	for (size_t i = 0; (s = sw_signal_def_builtin(i)) != NULL; i++)
		words[n++] = s->name;
	for (size_t i = 0; i < c->sc->n_signals && n < SW_COUNT(words) - 1; i++)
		words[n++] = c->sc->signals[i].name;
	words[n] = NULL;
	return sw_did_you_mean(name, words);
}

/* Return: 1 when it is a signal, 0 when not, -EINVAL. */
static int check_signal(struct check *c, struct node *n, const char *name, const char *part)
{
	const struct sw_signal_def *s = sw_signal_def_find(c->sc->signals, c->sc->n_signals, name);

	if (!s)
		return 0;
	n->kind = N_SIGNAL;
	n->name = s->name;
	n->part = part;
	n->type = part ? SW_V_STRING : s->type;
	return sw_check_uses(c, &c->used, n, s->name) < 0 ? -EINVAL : 1;
}

const struct sw_ynode *sw_check_list(const struct check *c, const char *path)
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

int sw_check_path(struct check *c, struct node *n)
{
	const struct sw_ynode *list;
	const char *near;
	int r = check_field(c, n);

	if (r == 0)
		r = check_signal(c, n, n->name, NULL);
	if (r)
		return r < 0 ? r : 0;
	if (sw_starts(n->name, "health.")) {
		const char *part = n->name + strlen("health.");

		if (!sw_streq(part, "version"))
			return sw_wrong_set(c->wrong, n->at, "health has no \"%s\", did you mean \"health.version\"?", part);
		r = check_signal(c, n, "health", "version");
		return r < 0 ? r : 0;
	}
	list = sw_check_list(c, n->name);
	if (list)
		return check_list_node(c, n, list);
	near = check_near(c, n->name);
	return sw_wrong_set(c->wrong, n->at, "unknown %s \"%s\"%s%s%s", strchr(n->name, '.') ? "field" : "signal or field", n->name,
	                    near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

int sw_check_element(struct check *c, struct node *n)
{
	static const struct { const char *name; enum sw_vtype type; } of_endpoints[SW_EL_COUNT] = {
		[SW_EL_NAME] = { "name", SW_V_STRING }, [SW_EL_P95] = { "p95", SW_V_DURATION },
		[SW_EL_REQUESTS] = { "requests", SW_V_NUMBER }, [SW_EL_ERRORS] = { "errors", SW_V_NUMBER },
	};

	if (!c->elements)
		return sw_wrong_set(c->wrong, n->at, "\".%s\" stands only inside any() or all()", n->name);
	if (c->elements->kind == N_SIGNAL) {
		for (int i = 0; i < SW_EL_COUNT; i++)
			if (sw_streq(of_endpoints[i].name, n->name)) {
				n->element = i;
				n->type = of_endpoints[i].type;
				return 0;
			}
		return sw_wrong_set(c->wrong, n->at, "an endpoint has no \".%s\", want .name, .p95, .requests or .errors", n->name);
	}
	if (!sw_streq(n->name, "title") && !sw_streq(n->name, "name"))
		return sw_wrong_set(c->wrong, n->at, "an element here has no \".%s\", want .title", n->name);
	n->element = -1;
	n->type = SW_V_STRING;
	return 0;
}
