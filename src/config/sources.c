/* Who may send events, and who the people are that the events name. */
#include <string.h>

#include "config/config.h"
#include "config/parts.h"

static const char *const sources_later[] = { NULL };
static const char *const sources_skip[] = { "kind", "silent_after", "api", "api_token", "hooks", NULL };

static const struct sw_key sources_keys[] = {
	{ "silent_after", SW_KEY_DUR, offsetof(struct sw_conf_source, silent_after), NULL,
	  "warn when nothing came for so long", SW_MINUTE, 365 * SW_DAY, NULL },
	{ "api", SW_KEY_URL, offsetof(struct sw_conf_source, api.url), NULL,
	  "of the git host (GitHub Enterprise: of its API), asked for the commits of a deployment whose pushes were not seen", 0, 0, NULL },
	{ "api_token", SW_KEY_SECRET, offsetof(struct sw_conf_source, api.token), NULL,
	  "a token that may read the repositories; for `sweep` also read and send webhooks again", 0, 0, NULL },
	{ "hooks", SW_KEY_STRINGS, offsetof(struct sw_conf_source, hooks), NULL,
	  "whose deliveries `sweep` looks at: acme/web, orgs/acme, groups/acme, with the id of the hook where it is not found by its address (acme/web#123)",
	  0, 0, NULL },
	{ 0 },
};

static const struct sw_plugin **sources_plugins(struct config_load *l)
{
	const struct sw_plugin **list;
	size_t n = 0;

	while (l->plugins->sources[n])
		n++;
	list = SW_ARENA_ARRAY(l->a, const struct sw_plugin *, n + 2);
	for (size_t i = 0; i < n; i++)
		list[i] = &l->plugins->sources[i]->base;
	list[n] = &config_queue_plugin; /* no plug-in: a way in for what the others understand */
	return list;
}

/* "acme/web", "acme/web#123", "orgs/acme", "groups/a/b#3" */
static void source_hooks(struct config_load *l, const struct sw_ynode *node, const struct sw_conf_source *s)
{
	for (const char **h = s->hooks; h && *h; h++) {
		const char *hash = strchr(*h, '#'), *id = hash ? hash + 1 : "1";

		if (**h == '#' || **h == '/' || !**h || !*id || strlen(id) > 20 || id[strspn(id, "0123456789")] || strpbrk(*h, "*? "))
			sw_diag_error(l->d, sw_yget(node, "hooks"), "hooks: want a repository such as acme/web, or its hook acme/web#123, got \"%s\"", *h);
	}
}

static void source_api(struct config_load *l, const struct sw_ynode *node, struct sw_conf_source *s)
{
	const struct sw_ynode *at = sw_yget(node, "api") ? sw_yget(node, "api") : sw_yget(node, "api_token");

	source_hooks(l, node, s);
	if (sw_yget(node, "hooks") && (s->queue || !s->plugin->sweep))
		sw_diag_key(l->d, sw_yget(node, "hooks"), "a source of kind %s cannot be swept", s->kind);
	if (at && (s->queue || !s->plugin->compare))
		sw_diag_key(l->d, at, "a source of kind %s has no API to be asked", s->kind);
	else if (at && !s->api.url && !s->plugin->api && !sw_yget(node, "api"))
		sw_diag_key(l->d, at, "api_token wants api too, the address of the host");
	else if (at && !s->api.url)
		s->api.url = s->plugin->api;
}

/* Its own settings are the plug-in's; ours are picked out of the same map. */
static bool source_read(struct config_load *l, const struct sw_ynode *node, const struct sw_plugin *const *plugins,
                        struct sw_conf_source *s)
{
	int i = config_kind(l, node, node->key, "source", plugins, sources_later, &s->kind);

	if (i < 0)
		return false;
	s->name = node->key;
	s->where = config_where(l, node);
	for (const struct sw_key *k = sources_keys; k->name; k++) {
		const struct sw_ynode *v = sw_yget(node, k->name);

		if (v)
			(void)sw_key_read_one(k, v, l->a, s, l->d);
	}
	if (strcmp(s->kind, config_queue_plugin.name) == 0) {
		config_queue_read(l, node, sources_skip, s);
		source_api(l, node, s);
		return true;
	}
	s->plugin = l->plugins->sources[i];
	s->conf = sw_arena_alloc(l->a, s->plugin->base.conf_size);
	source_api(l, node, s);
	if (sw_keys_read(s->plugin->base.keys, node, node, sources_skip, l->a, s->conf, l->d) == 0 && s->plugin->load)
		s->plugin->load(s->conf, node, l->a, l->d);
	return true;
}

void config_sources(struct config_load *l)
{
	const struct sw_plugin **plugins = sources_plugins(l);
	struct sw_config *c = l->c;
	const struct sw_conf_source *report;

	if (!l->sources)
		return;
	c->sources = SW_ARENA_ARRAY(l->a, struct sw_conf_source, l->sources->n);
	for (const struct sw_ynode *v = l->sources->child; v; v = v->next) {
		struct sw_conf_source *s = &c->sources[c->n_sources];

		if (!config_name_ok(l, v, "source") || !source_read(l, v, plugins, s))
			continue;
		report = sw_config_report_source(c);
		if (report && strcmp(s->kind, "report") == 0)
			sw_diag_key(l->d, v,
			            "a second source of kind report: /ci-report is \"%s\" already; give one source "
			            "both secrets",
			            report->name);
		c->n_sources++;
	}
	for (size_t i = 0; i < c->n_sources; i++)
		if (c->sources[i].queue)
			config_queue_resolve(l, &c->sources[i]);
}

#define PERSON(name) offsetof(struct sw_conf_person, name)
static const struct sw_key people_keys[] = {
	{ "github", SW_KEY_STRING, PERSON(github), NULL, "login" },
	{ "gitlab", SW_KEY_STRING, PERSON(gitlab), NULL, "login" },
	{ "gitea", SW_KEY_STRING, PERSON(gitea), NULL, "login" },
	{ "email", SW_KEY_STRING, PERSON(email), NULL, "as in commits; channels of kind email write to it" },
	{ "mobile", SW_KEY_STRING, PERSON(mobile), NULL, "by which DingTalk and WeCom mention" },
	{ "dingtalk", SW_KEY_STRING, PERSON(dingtalk), NULL, "user id" },
	{ "wecom", SW_KEY_STRING, PERSON(wecom), NULL, "user id" },
	{ "feishu", SW_KEY_STRING, PERSON(feishu), NULL, "open_id: ou_…" },
	{ "slack", SW_KEY_STRING, PERSON(slack), NULL, "member id: U…; of a group: S…" },
	{ 0 },
};

void config_people(struct config_load *l)
{
	static const char *const roles[] = { "deployer", "authors", "oncall", "all", NULL };
	struct sw_config *c = l->c;

	if (!l->people)
		return;
	c->people = SW_ARENA_ARRAY(l->a, struct sw_conf_person, l->people->n);
	for (const struct sw_ynode *v = l->people->child; v; v = v->next) {
		struct sw_conf_person *p = &c->people[c->n_people++];

		p->name = v->key;
		(void)config_name_ok(l, v, "person");
		for (size_t i = 0; roles[i]; i++)
			if (strcmp(roles[i], v->key) == 0)
				sw_diag_key(l->d, v, "\"%s\" is a role, it cannot be the name of a person", v->key);
		(void)sw_keys_read(people_keys, v, v, NULL, l->a, p, l->d);
		if (p->mobile && p->mobile[strspn(p->mobile, "+0123456789")])
			sw_diag_error(l->d, sw_yget(v, "mobile"), "mobile: want digits only");
	}
}
