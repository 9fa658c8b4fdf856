/*
 * Services and environments become places. What is said for an environment wins over its service, that over
 * `defaults:`; so the same table is read three times into copies of one struct.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "config/config.h"
#include "config/parts.h"
#include "rules/value.h"
#include "shipwatch/clock.h"

#define PLACES_MAX  2000
#define MATCHES_MAX 100

/* What defaults, services and environments may all say. */
struct settings {
	const struct sw_ynode *health, *prometheus, *metrics, *limits, *labels, *rollback_limit;
	const char *rollback;
	const char **migrations, **channels, **label_pairs;
	int deploys;
	bool dry_run;
	int64_t rollbacks_30m, rollbacks_24h;
	/* read from the nodes */
	struct sw_health_conf health_conf;
	struct sw_measure_conf prometheus_conf, metrics_conf;
	const char *status;
	struct sw_limit *limit;
	size_t n_limits;
};

static const char *const deploys_words[] = { "explicit", "pipeline", NULL };

/* No defaults in the rows: what is not said stays what the outer level said. */
#define SET(name) offsetof(struct settings, name)
static const struct sw_key settings_keys[] = {
	{ "health", SW_KEY_NODE, SET(health), NULL, "address that answers while all is well" },
	{ "prometheus", SW_KEY_NODE, SET(prometheus), NULL, "the Prometheus that has its measurements" },
	{ "metrics", SW_KEY_NODE, SET(metrics), NULL, "its own /metrics, where no Prometheus has them" },
	{ "limits", SW_KEY_NODE, SET(limits), NULL, "numbers for rules: limits.p95" },
	{ "labels", SW_KEY_STRMAP, SET(label_pairs), NULL, "names and texts for rules: labels.team" },
	{ "rollback", SW_KEY_STRING, SET(rollback), NULL, "the action that takes a release back" },
	{ "rollback_limit", SW_KEY_NODE, SET(rollback_limit), NULL, "how often: {30m: 1, 24h: 3} unless said" },
	{ "migrations", SW_KEY_STRINGS, SET(migrations), NULL, "files whose change a rollback cannot undo" },
	{ "deploys", SW_KEY_ENUM, SET(deploys), NULL, "explicit, or pipeline: a green one is a deployment", 0, 0,
	  deploys_words },
	{ "channels", SW_KEY_STRINGS, SET(channels), NULL, "who is told" },
	{ "dry_run", SW_KEY_BOOL, SET(dry_run), NULL, "no action starts here" },
	{ 0 },
};

static const struct sw_key health_keys[] = {
	{ "url", SW_KEY_URL, offsetof(struct settings, health_conf.url), NULL,
	  "address that answers while all is well" },
	{ "every", SW_KEY_DUR, offsetof(struct settings, health_conf.every), NULL, "during a watch; 10s unless said", 100, SW_HOUR },
	{ "timeout", SW_KEY_DUR, offsetof(struct settings, health_conf.timeout), NULL, "of one probe; 2s unless said", 10,
	  5 * SW_MINUTE },
	{ "grace", SW_KEY_DUR, offsetof(struct settings, health_conf.grace), NULL, "failures do not count so long; 60s unless said", 0,
	  SW_HOUR },
	{ "background", SW_KEY_DUR, offsetof(struct settings, health_conf.background), NULL, "between deployments; 60s unless said",
	  SW_SECOND, SW_DAY },
	{ "status", SW_KEY_STRING, offsetof(struct settings, status), NULL, "expected answer: 200, or 200-299; 200-299 unless said" },
	{ "version", SW_KEY_STRING, offsetof(struct settings, health_conf.version), NULL,
	  "JSON Pointer to the commit or version" },
	{ "expect", SW_KEY_STRING, offsetof(struct settings, health_conf.expect), NULL,
	  "JSON Pointer=value that must hold" },
	{ 0 },
};

static const struct sw_key limit_keys[] = {
	{ "30m", SW_KEY_INT, SET(rollbacks_30m), NULL, "at most so many rollbacks in 30 minutes", 0, 100 },
	{ "24h", SW_KEY_INT, SET(rollbacks_24h), NULL, "at most so many in 24 hours", 0, 1000 },
	{ 0 },
};

struct service {
	const char **repos;
	const char *repo;
	const struct sw_ynode *environments;
};

static const struct sw_key service_keys[] = {
	{ "repo", SW_KEY_STRING, offsetof(struct service, repo), NULL, "path of the repository" },
	{ "repos", SW_KEY_STRINGS, offsetof(struct service, repos), NULL, "globs over paths of repositories" },
	{ "environments", SW_KEY_NODE, offsetof(struct service, environments), NULL, "where it is deployed" },
	{ 0 },
};

#define MATCH(name) offsetof(struct sw_match, name)
static const struct sw_key match_keys[] = {
	{ "source", SW_KEY_STRING, MATCH(source), NULL, "name of the source" },
	{ "repo", SW_KEY_STRING, MATCH(repo), NULL, "path of the repository" },
	{ "environment", SW_KEY_STRING, MATCH(environment), NULL, "as the host names it, any case" },
	{ "job", SW_KEY_STRING, MATCH(job), NULL, "name of the job" },
	{ "workflow", SW_KEY_STRING, MATCH(workflow), NULL, "path of the workflow's file" },
	{ "branch", SW_KEY_STRING, MATCH(branch), NULL, "short name" },
	{ "tag", SW_KEY_STRING, MATCH(tag), NULL, "short name" },
	{ "path", SW_KEY_STRING, MATCH(path), NULL, "a file changed" },
	{ 0 },
};

/* ---- settings ---- */

/* "200" or "200-299" */
static void settings_status(struct config_load *l, const struct sw_ynode *at, struct settings *s)
{
	int min, max;
	char *end;

	if (!s->status)
		return;
	min = max = (int)strtol(s->status, &end, 10);
	if (*end == '-')
		max = (int)strtol(end + 1, &end, 10);
	if (*end || s->status[strspn(s->status, "0123456789-")] || min < 100 || max > 599 || min > max)
		sw_diag_error(l->d, at, "status: want 200 or 200-299, got \"%s\"", s->status);
	s->health_conf.status_min = min;
	s->health_conf.status_max = max;
}

static void settings_health(struct config_load *l, struct settings *s)
{
	const struct sw_ynode *node = s->health;
	struct sw_health_conf *h = &s->health_conf;

	if (!node)
		return;
	if (node->type == SW_Y_SCALAR && !sw_yaml_is_null(node)) {
		(void)sw_key_read_one(&health_keys[0], node, l->a, s, l->d);
		return;
	}
	s->status = NULL;
	(void)sw_keys_read(health_keys, node, node, NULL, l->a, s, l->d);
	settings_status(l, sw_yget(node, "status"), s);
	if (sw_yget(node, "version") && h->version && *h->version != '/')
		sw_diag_error(l->d, sw_yget(node, "version"),
		              "version: want a JSON Pointer such as /commit, got \"%s\"", h->version);
	if (sw_yget(node, "expect") && h->expect && (*h->expect != '/' || !strchr(h->expect, '=')))
		sw_diag_error(l->d, sw_yget(node, "expect"),
		              "expect: want a JSON Pointer=value such as /status=ok, got \"%s\"", h->expect);
}

/* A number of a rule with its unit, as the rule language reads it. */
static bool limit_parse(const char *s, struct sw_limit *ret)
{
	size_t n = strlen(s);
	int64_t size;
	sw_dur dur;
	char *end;

	ret->value = strtod(s, &end);
	if (end > s && s[strspn(s, "-+.0123456789eE%/s")] == '\0') {
		ret->type = strcmp(end, "%") == 0 ? SW_V_RATIO : strcmp(end, "/s") == 0 ? SW_V_RATE : SW_V_NUMBER;
		if (ret->type == SW_V_RATIO)
			ret->value /= 100;
		if (ret->type != SW_V_NUMBER || !*end)
			return true;
	}
	if (n > 2 && strcmp(s + n - 2, "us") == 0 && end == s + n - 2) {
		/* Finer than a moment is: kept as the fraction of a second it is. */
		ret->type = SW_V_DURATION;
		ret->value /= 1e6;
		return ret->value >= 0;
	}
	if (sw_dur_parse(s, &dur) == 0) {
		ret->type = SW_V_DURATION;
		ret->value = (double)dur / 1000;
		return true;
	}
	if (sw_size_parse(s, &size) < 0)
		return false;
	ret->type = SW_V_BYTES;
	ret->value = (double)size;
	return true;
}

static bool limit_name_ok(const char *s)
{
	return *s && !(*s >= '0' && *s <= '9') && s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

/* Those of the outer level stay unless one of the same name is said. */
static void settings_limits(struct config_load *l, struct settings *s)
{
	const struct sw_ynode *node = s->limits;
	struct sw_limit *list;
	size_t n = s->n_limits;

	if (!node || sw_yaml_is_null(node))
		return;
	if (node->type != SW_Y_MAP) {
		sw_diag_error(l->d, node, "limits: want a map of names and numbers with units");
		return;
	}
	list = SW_ARENA_ARRAY(l->a, struct sw_limit, n + node->n);
	for (size_t i = 0; i < n; i++)
		list[i] = s->limit[i];
	for (const struct sw_ynode *v = node->child; v; v = v->next) {
		struct sw_limit got = { .name = v->key };
		size_t i = 0;

		if (!limit_name_ok(v->key))
			sw_diag_key(l->d, v, "limits: want a name of a-z, 0-9 and _, got \"%s\"", v->key);
		if (v->type != SW_Y_SCALAR || !limit_parse(v->text, &got)) {
			if (!v->broken)
				sw_diag_error(
				    l->d, v,
				    "limits.%s: want a number with its unit, such as 800ms, 5%%, 12MiB, 20/s or 3",
				    v->key);
			continue;
		}
		while (i < n && strcmp(list[i].name, v->key) != 0)
			i++;
		list[i] = got;
		n += i == n;
	}
	s->limit = list;
	s->n_limits = n;
}

/* Reads one level over the outer one. skip: keys of the same map that others read. */
static void settings_read(struct config_load *l, const struct sw_ynode *node, const char *const *skip,
                          struct settings *s)
{
	const struct sw_ynode *v;

	s->health = s->prometheus = s->metrics = s->limits = s->rollback_limit = NULL;
	(void)sw_keys_read(settings_keys, node, node, skip, l->a, s, l->d);
	settings_health(l, s);
	settings_limits(l, s);
	if (s->rollback_limit)
		(void)sw_keys_read(limit_keys, s->rollback_limit, s->rollback_limit, NULL, l->a, s, l->d);
	config_measure(l, s->prometheus, false, &s->prometheus_conf);
	config_measure(l, s->metrics, true, &s->metrics_conf);
	v = sw_yget(node, "rollback");
	if (v && v->type == SW_Y_SCALAR && !v->broken && !sw_yaml_is_null(v) && !strstr(v->text, "{service}"))
		(void)config_known(l, v, v->text, l->actions, "action");
	config_known_all(l, sw_yget(node, "channels"), l->channels, "channel");
}

/* ---- matches ---- */

static void match_read(struct config_load *l, const struct sw_ynode *node, struct sw_match *m)
{
	const struct sw_ynode *source = sw_yget(node, "source");

	if (sw_keys_read(match_keys, node, node, NULL, l->a, m, l->d) < 0)
		return;
	if (node->type != SW_Y_MAP || node->n == 0) {
		sw_diag_error(l->d, node, "match: an empty one would fit everything");
		return;
	}
	for (const struct sw_ynode *v = node->child; v; v = v->next)
		if (!*v->text)
			sw_diag_error(l->d, v, "%s: is empty, nothing would fit", v->key);
	if (m->source && !strpbrk(m->source, "*?"))
		(void)config_known(l, source, m->source, l->sources, "source");
	if (m->branch && m->tag)
		sw_diag_error(l->d, node, "match: an event has a branch or a tag, never both; make two of it");
}

static void place_matches(struct config_load *l, const struct sw_ynode *node, struct sw_place *p)
{
	struct sw_match *list;

	if (!node || sw_yaml_is_null(node))
		return;
	if (node->type == SW_Y_LIST && node->n > MATCHES_MAX) {
		sw_diag_error(l->d, node, "match: more than %d", MATCHES_MAX);
		return;
	}
	list = SW_ARENA_ARRAY(l->a, struct sw_match, node->type == SW_Y_LIST ? node->n + 1 : 1);
	p->matches = list;
	if (node->type != SW_Y_LIST) {
		match_read(l, node, &list[p->n_matches++]);
		return;
	}
	for (const struct sw_ynode *v = node->child; v; v = v->next)
		match_read(l, v, &list[p->n_matches++]);
}

/* ---- places ---- */

static void place_labels(struct config_load *l, const char *const *pairs, struct sw_place *p)
{
	struct sw_label *labels;
	size_t n = 0;

	while (pairs && pairs[2 * n])
		n++;
	labels = SW_ARENA_ARRAY(l->a, struct sw_label, n + 1);
	for (size_t i = 0; i < n; i++)
		labels[i] = (struct sw_label){ pairs[2 * i], pairs[2 * i + 1] };
	p->labels = labels;
	p->n_labels = n;
}

static void place_settings(struct config_load *l, const struct settings *s, struct sw_place *p)
{
	p->health = s->health_conf;
	p->prometheus = s->prometheus_conf;
	p->scrape = s->metrics_conf;
	p->deploys_pipeline = s->deploys == 1;
	p->rollback = s->rollback;
	p->migrations = s->migrations;
	p->channels = s->channels;
	p->limits = s->limit;
	p->n_limits = s->n_limits;
	p->dry_run = s->dry_run || l->c->dry_run;
	p->rollbacks_30m = (int)s->rollbacks_30m;
	p->rollbacks_24h = (int)s->rollbacks_24h;
	place_labels(l, s->label_pairs, p);
	if (strcmp(p->service, "*") == 0)
		return;
	p->health.url = sw_place_fill(p->health.url, p->service, l->a);
	p->prometheus.url = sw_place_fill(p->prometheus.url, p->service, l->a);
	p->prometheus.labels = sw_place_fill_labels(p->prometheus.labels, p->service, l->a);
	p->scrape.url = sw_place_fill(p->scrape.url, p->service, l->a);
	p->rollback = sw_place_fill(p->rollback, p->service, l->a);
	for (size_t i = 0; i < p->n_labels; i++)
		p->labels[i].value = sw_place_fill(p->labels[i].value, p->service, l->a);
}

/* Opting in to pipelines is worth nothing when no match can fit one. */
static void place_pipelines(struct config_load *l, const struct sw_ynode *node, const struct sw_place *p)
{
	bool fits = p->n_matches == 0;

	for (size_t i = 0; i < p->n_matches; i++)
		fits = fits || (!p->matches[i].environment && !p->matches[i].job &&
		                (p->matches[i].branch || p->matches[i].tag || p->matches[i].workflow));
	if (p->deploys_pipeline && !fits)
		sw_diag_warn(l->d, node,
		             "deploys: pipeline has no effect: no match says a branch, a tag or a workflow without an "
		             "environment or job");
}

/* What is said of a Prometheus that has no address is asked of nobody. */
static void place_measures(struct config_load *l, const struct sw_ynode *node, const struct sw_place *p)
{
	const struct sw_ynode *prometheus = sw_yget(node, "prometheus"), *metrics = sw_yget(node, "metrics");

	if (prometheus && !p->prometheus.url && prometheus->type == SW_Y_MAP && !sw_yget(prometheus, "url"))
		sw_diag_key(l->d, prometheus, "prometheus: no url, here or further out");
	if (metrics && !p->scrape.url && metrics->type == SW_Y_MAP && !sw_yget(metrics, "url"))
		sw_diag_key(l->d, metrics, "metrics: no url, here or further out");
}

static void place_read(struct config_load *l, const struct sw_ynode *node, const struct settings *outer,
                       struct sw_place *p)
{
	static const char *const skip[] = { "tier", "match", NULL };
	static const struct sw_key tier_key = { "tier", SW_KEY_STRING, offsetof(struct sw_place, tier), NULL,
		                                "what deploy-to-<tier> means, and tier in rules" };
	const struct sw_ynode *tier = sw_yget(node, "tier");
	struct settings s = *outer;

	p->environment = node->key;
	p->tier = sw_place_tier(p->environment);
	p->where = config_where(l, node);
	if (node->type == SW_Y_SCALAR && !sw_yaml_is_null(node)) {
		(void)sw_key_read_one(&health_keys[0], node, l->a, &s, l->d);
	} else {
		settings_read(l, node, skip, &s);
		if (tier && sw_key_read_one(&tier_key, tier, l->a, p, l->d) == 0)
			p->tier = sw_place_tier(p->tier);
		place_matches(l, sw_yget(node, "match"), p);
	}
	place_settings(l, &s, p);
	place_pipelines(l, node, p);
	if (node->type == SW_Y_MAP)
		place_measures(l, node, p);
}

static const char **service_repos(struct config_load *l, const struct sw_ynode *node, const struct service *svc)
{
	const char **list = svc->repos;

	if (svc->repo && svc->repos)
		sw_diag_key(l->d, sw_yget(node, "repo"), "want repo or repos, not both");
	if (svc->repo) {
		list = SW_ARENA_ARRAY(l->a, const char *, 2);
		list[0] = svc->repo;
	}
	for (const char **p = list; p && *p; p++)
		if (!**p || **p == '/' || strstr(*p, "://"))
			sw_diag_error(l->d, sw_yget(node, svc->repo ? "repo" : "repos"),
			              "want a path such as acme/web, got \"%s\"", *p);
	return list;
}

static void service_read(struct config_load *l, const struct sw_ynode *node, const struct settings *defaults,
                         const char *const *skip, const struct sw_ynode **at)
{
	struct sw_places *ps = &l->c->places;
	struct settings s = *defaults;
	struct service svc = { 0 };
	bool template = strcmp(node->key, "*") == 0;
	const char **repos;

	if (!template && !config_name_ok(l, node, "service"))
		return;
	if (node->type != SW_Y_MAP) {
		sw_diag_error(l->d, node, "want a map with repos and environments");
		return;
	}
	settings_read(l, node, skip, &s);
	for (const struct sw_key *key = service_keys; key->name; key++)
		if (sw_yget(node, key->name))
			(void)sw_key_read_one(key, sw_yget(node, key->name), l->a, &svc, l->d);
	repos = service_repos(l, node, &svc);
	if (template && !repos)
		sw_diag_key(l->d, node, "\"*\" needs repos: which repositories are services");
	if (!config_map(l, svc.environments, "environments") || svc.environments->n == 0) {
		if (!svc.environments || svc.environments->type == SW_Y_MAP || sw_yaml_is_null(svc.environments))
			sw_diag_key(l->d, node, "service \"%s\" has no environments", node->key);
		return;
	}
	for (const struct sw_ynode *v = svc.environments->child; v; v = v->next) {
		struct sw_place *p = &ps->items[ps->n];

		if (!config_name_ok(l, v, "environment"))
			continue;
		p->service = node->key;
		p->repos = repos;
		place_read(l, v, &s, p);
		at[ps->n++] = v;
	}
}

static void services_overlap(struct config_load *l, const struct sw_ynode *const *at)
{
	const struct sw_places *ps = &l->c->places;
	size_t i, k;

	for (size_t x = 0; x < ps->n; x++) {
		for (size_t y = x + 1; y < ps->n; y++) {
			const struct sw_place *a = &ps->items[x], *b = &ps->items[y];
			const struct sw_ynode *match = sw_yget(at[y], "match");

			if (!sw_places_overlap(a, b, &i, &k))
				continue;
			if (match && match->type == SW_Y_LIST)
				for (match = match->child; match && k > 0; k--)
					match = match->next;
			sw_diag_error(l->d, match ? match : at[y],
			              "%s/%s and %s/%s can both match one event; the other is at line %u", b->service,
			              b->environment, a->service, a->environment, at[x]->key_line);
		}
	}
}

static size_t services_count(const struct sw_ynode *services)
{
	size_t n = 0;

	for (const struct sw_ynode *v = services->child; v; v = v->next) {
		const struct sw_ynode *envs = sw_yget(v, "environments");

		n += envs && envs->type == SW_Y_MAP ? envs->n : 0;
	}
	return n;
}

void config_services(struct config_load *l, const struct sw_ynode *services, const struct sw_ynode *defaults)
{
	struct settings s = {
		.rollbacks_30m = 1,
		.rollbacks_24h = 3,
		.health_conf = { .every = 10 * SW_SECOND,
		                 .timeout = 2 * SW_SECOND,
		                 .grace = SW_MINUTE,
		                 .background = SW_MINUTE,
		                 .status_min = 200,
		                 .status_max = 299 },
		.prometheus_conf = { .labels = "", .window = SW_MINUTE, .timeout = 10 * SW_SECOND },
		.metrics_conf = { .labels = "", .timeout = 5 * SW_SECOND, .background = SW_MINUTE },
	};
	static const char *const skip[] = { "repo", "repos", "environments", NULL };
	const struct sw_ynode **at;
	unsigned before = l->d->errors;
	size_t n;

	if (config_map(l, defaults, "defaults"))
		settings_read(l, defaults, NULL, &s);
	services = config_map(l, services, "services");
	if (!services)
		return;
	n = services_count(services);
	if (n > PLACES_MAX) {
		sw_diag_error(l->d, services, "services: more than %d environments in all", PLACES_MAX);
		return;
	}
	l->c->places.items = SW_ARENA_ARRAY(l->a, struct sw_place, n + 1);
	at = SW_ARENA_ARRAY(l->a, const struct sw_ynode *, n + 1);
	for (const struct sw_ynode *v = services->child; v; v = v->next)
		service_read(l, v, &s, skip, at);
	/* With mistakes in a match two places seem to overlap that do not. */
	if (l->d->errors == before || l->c->places.n < 100)
		services_overlap(l, at);
}
