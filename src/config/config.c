/* The top of shipwatch.yaml: what is said once, in which order parts are read, how names find each other. */
#include "config/config.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "base/zone.h"
#include "config/parts.h"
#include "model/maintenance.h"
#include "shipwatch/buf.h"

#define CONFIG_NAME_MAX 64

struct config_top {
	const char *public_url, *hooks_url, *timezone, *state_dir, *proxy, *ca_file, *log_url, *reference;
	int locale;
	sw_dur stuck_after;
	bool dry_run;
	const struct sw_ynode *redis, *gateway, *dashboard, *sources, *people, *defaults, *services, *channels, *alerts,
	    *oncall, *maintenance, *actions, *rules, *heartbeat, *pushgateway, *programs;
};

static const char *const config_locales[] = { "en", "zh-CN", "zh", NULL };

#define TOP(name) offsetof(struct config_top, name)
static const struct sw_key config_keys[] = {
	{ "public_url", SW_KEY_URL, TOP(public_url), NULL, "where people reach the dashboard" },
	{ "hooks_url", SW_KEY_URL, TOP(hooks_url), NULL, "where hosts (and people who approve) reach the gateway, if another" },
	{ "locale", SW_KEY_ENUM, TOP(locale), "en", "language of messages and pages", 0, 0, config_locales },
	{ "timezone", SW_KEY_STRING, TOP(timezone), "UTC", "of the times in messages" },
	{ "state_dir", SW_KEY_STRING, TOP(state_dir), NULL, "folder of the spool and the private Redis" },
	{ "redis", SW_KEY_NODE, TOP(redis), NULL, "the shared Redis; absent: a private one" },
	{ "proxy", SW_KEY_STRING, TOP(proxy), NULL, "for outgoing requests" },
	{ "ca_file", SW_KEY_STRING, TOP(ca_file), NULL, "a private certificate authority" },
	{ "alerts", SW_KEY_NODE, TOP(alerts), NULL, "channels for what nothing else says" },
	{ "log_url", SW_KEY_URL, TOP(log_url), NULL, "where logs of a {ci_run_id} are found" },
	{ "programs", SW_KEY_NODE, TOP(programs), NULL, "absolute paths of programs that exec may start" },
	{ "stuck_after", SW_KEY_DUR, TOP(stuck_after), "20m", "a deployment that runs longer is stuck", SW_MINUTE,
	  7 * SW_DAY },
	{ "dry_run", SW_KEY_BOOL, TOP(dry_run), "false", "no action starts anywhere" },
	{ "gateway", SW_KEY_NODE, TOP(gateway), NULL, "where webhooks come in" },
	{ "dashboard", SW_KEY_NODE, TOP(dashboard), NULL, "pages for people" },
	{ "sources", SW_KEY_NODE, TOP(sources), NULL, "who may send events" },
	{ "people", SW_KEY_NODE, TOP(people), NULL, "who is who, for mentions" },
	{ "defaults", SW_KEY_NODE, TOP(defaults), NULL, "for every environment" },
	{ "services", SW_KEY_NODE, TOP(services), NULL, "what is deployed, and where" },
	{ "channels", SW_KEY_NODE, TOP(channels), NULL, "where people are told" },
	{ "oncall", SW_KEY_NODE, TOP(oncall), NULL, "who is on call" },
	{ "maintenance", SW_KEY_NODE, TOP(maintenance), NULL, "when services are expected to be ill: nobody is told, nothing is taken back" },
	{ "actions", SW_KEY_NODE, TOP(actions), NULL, "what can be done" },
	{ "rules", SW_KEY_NODE, TOP(rules), NULL, "a folder, a file or a list; absent: the shipped safe rules" },
	{ "heartbeat", SW_KEY_NODE, TOP(heartbeat), NULL, "an address that is called while all is well" },
	{ "reference", SW_KEY_URL, TOP(reference), NULL, "when this fails too, it is our own network" },
	{ "pushgateway", SW_KEY_NODE, TOP(pushgateway), NULL, "where builds are forwarded" },
	{ 0 },
};

/* ---- tools ---- */

const struct sw_ynode *config_map(struct config_load *l, const struct sw_ynode *node, const char *what)
{
	if (!node || sw_yaml_is_null(node))
		return NULL;
	if (node->type == SW_Y_MAP)
		return node;
	sw_diag_error(l->d, node, "%s: want a map of names", what);
	return NULL;
}

bool config_name_ok(struct config_load *l, const struct sw_ynode *named, const char *what)
{
	size_t n = strlen(named->key);

	for (const unsigned char *p = (const unsigned char *)named->key; *p && n <= CONFIG_NAME_MAX; p++) {
		bool ok = (*p >= '0' && *p <= '9') || ((*p | 32) >= 'a' && (*p | 32) <= 'z') || *p >= 0x80 ||
		          strchr("._-", *p);

		if (!ok)
			n = CONFIG_NAME_MAX + 1;
	}
	if (n > 0 && n <= CONFIG_NAME_MAX)
		return true;
	sw_diag_key(l->d, named, "\"%s\": want a name of a %s of letters, digits, \".\", \"_\" and \"-\", at most %d",
	            named->key, what, CONFIG_NAME_MAX);
	return false;
}

const char **config_names(struct config_load *l, const struct sw_ynode *map)
{
	const char **list = SW_ARENA_ARRAY(l->a, const char *, (map ? map->n : 0) + 1);
	size_t n = 0;

	for (const struct sw_ynode *v = map ? map->child : NULL; v; v = v->next)
		list[n++] = v->key;
	return list;
}

void config_names_add(const char **list, size_t *n, const char *name)
{
	for (size_t i = 0; i < *n; i++)
		if (strcmp(list[i], name) == 0)
			return;
	list[(*n)++] = name;
}

bool config_known(struct config_load *l, const struct sw_ynode *at, const char *name, const struct sw_ynode *map,
                  const char *what)
{
	const char *near;

	if (sw_yget(map, name))
		return true;
	near = sw_did_you_mean(name, config_names(l, map));
	if (near)
		sw_diag_error(l->d, at, "unknown %s \"%s\", did you mean \"%s\"?", what, name, near);
	else
		sw_diag_error(l->d, at, "unknown %s \"%s\"", what, name);
	return false;
}

void config_known_all(struct config_load *l, const struct sw_ynode *list, const struct sw_ynode *map, const char *what)
{
	const struct sw_ynode *v = list && list->type == SW_Y_LIST ? list->child : list;

	for (; v; v = list->type == SW_Y_LIST ? v->next : NULL)
		if (v->type == SW_Y_SCALAR && !v->broken && !sw_yaml_is_null(v))
			(void)config_known(l, v, v->text, map, what);
}

const char *config_where(struct config_load *l, const struct sw_ynode *at)
{
	return sw_arena_printf(l->a, "%s:%u:%u", at->file, at->key_line ? at->key_line : at->line,
	                       at->key_line ? at->key_col : at->col);
}

const char *config_path(struct config_load *l, const char *path)
{
	return *path == '/' ? path : sw_arena_printf(l->a, "%s%s", l->dir, path);
}

static bool config_in(const char *const *list, const char *name)
{
	for (; *list; list++)
		if (strcmp(*list, name) == 0)
			return true;
	return false;
}

static void config_kind_unknown(struct config_load *l, const struct sw_ynode *kind, const struct sw_ynode *node,
                                const char *word, const char *what, const struct sw_plugin *const *plugins)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf all = SW_BUF_INIT;
	const char *names[64], *near;
	size_t n = 0;

	for (; plugins[n] && n + 1 < SW_COUNT(names); n++) {
		names[n] = plugins[n]->name;
		sw_buf_printf(&all, "%s%s", n ? ", " : "", names[n]);
	}
	names[n] = NULL;
	near = sw_did_you_mean(word, names);
	if (!kind)
		sw_diag_key(l->d, node, "\"%s\" is no kind of %s; say its kind: %s", word, what, sw_buf_str(&all));
	else if (near)
		sw_diag_error(l->d, kind, "unknown kind of %s \"%s\", did you mean \"%s\"?", what, word, near);
	else
		sw_diag_error(l->d, kind, "unknown kind of %s \"%s\"; there are %s", what, word, sw_buf_str(&all));
}

int config_kind(struct config_load *l, const struct sw_ynode *node, const char *otherwise, const char *what,
                const struct sw_plugin *const *plugins, const char *const *later, const char **ret_kind)
{
	const struct sw_ynode *kind = sw_yget(node, "kind");
	const char *word = otherwise;

	if (node->type != SW_Y_MAP && !sw_yaml_is_null(node)) {
		sw_diag_error(l->d, node, "want a map of settings of this %s", what);
		return -1;
	}
	if (kind && (kind->type != SW_Y_SCALAR || kind->broken || sw_yaml_is_null(kind))) {
		if (!kind->broken)
			sw_diag_error(l->d, kind, "kind: want a word");
		return -1;
	}
	if (kind)
		word = kind->text;
	if (!word) {
		sw_diag_key(l->d, node, "\"kind\" is missing in this %s", what);
		return -1;
	}
	for (int i = 0; plugins[i]; i++) {
		if (strcmp(plugins[i]->name, word) == 0) {
			*ret_kind = plugins[i]->name;
			return i;
		}
	}
	if (!config_in(later, word))
		config_kind_unknown(l, kind, node, word, what, plugins);
	else if (kind)
		sw_diag_error(l->d, kind, "%s of kind %s: not in this version", what, word);
	else
		sw_diag_key(l->d, node, "%s of kind %s: not in this version", what, word);
	return -1;
}

/* ---- the top ---- */

static const char *config_no_slash(struct config_load *l, const char *url)
{
	size_t n = url ? strlen(url) : 0;

	while (n > 0 && url[n - 1] == '/')
		n--;
	return url ? sw_arena_strndup(l->a, url, n) : NULL;
}

/* A zone by name or offset, told when it is neither. Without the system's zoneinfo names are read as UTC, with a warning. */
const struct sw_zone *config_zone(struct config_load *l, const struct sw_ynode *at, const char *name)
{
	const struct sw_zone *ret = NULL;
	int r = sw_zone_load(l->a, name, &ret);

	if (r == -EINVAL)
		sw_diag_error(l->d, at, "timezone: want a name such as Asia/Shanghai or an offset such as +08:00, got \"%s\"", name);
	else if (r == -ENOENT && access(SW_ZONE_DIR, R_OK) < 0)
		sw_diag_warn(l->d, at, "timezone: this system knows no zones (there is no " SW_ZONE_DIR "), UTC is used; an offset such as +08:00 works");
	else if (r < 0)
		sw_diag_error(l->d, at, "timezone: unknown \"%s\" (%s " SW_ZONE_DIR "/%s)", name,
		              r == -ENOENT ? "there is no" : "no zone is in", name);
	return ret;
}

static void config_outgoing(struct config_load *l, const struct sw_ynode *root, const struct config_top *t)
{
	if (t->proxy && *t->proxy) {
		if (!sw_starts(t->proxy, "http://") && !sw_starts(t->proxy, "https://") &&
		    !sw_starts(t->proxy, "socks5"))
			sw_diag_error(l->d, sw_yget(root, "proxy"),
			              "proxy: want http://host:port or socks5h://host:port");
		l->c->proxy = t->proxy;
	}
	if (t->ca_file) {
		l->c->ca_file = config_path(l, t->ca_file);
		if (access(l->c->ca_file, R_OK) < 0)
			sw_diag_error(l->d, sw_yget(root, "ca_file"), "ca_file: %s: %s", l->c->ca_file,
			              strerror(errno));
	}
	if (t->log_url && !strstr(t->log_url, "{ci_run_id}"))
		sw_diag_warn(l->d, sw_yget(root, "log_url"),
		             "log_url: has no {ci_run_id} in it: it is the same for every message");
}

static void config_alerts(struct config_load *l, const struct sw_ynode *node)
{
	static const struct sw_key key = { "alerts", SW_KEY_STRINGS, 0, NULL, "channels for what nothing else says" };
	struct sw_config *c = l->c;
	bool silent = false;

	c->alerts = SW_ARENA_ARRAY(l->a, const char *, 2);
	if (node) {
		if (sw_key_read_one(&key, node, l->a, &c->alerts, l->d) == 0)
			config_known_all(l, node, l->channels, "channel");
		return;
	}
	if (c->channel_names[0] && !c->channel_names[1]) {
		c->alerts[0] = c->channel_names[0];
		return;
	}
	for (size_t i = 0; i < c->places.n; i++)
		silent = silent || !c->places.items[i].channels;
	if (silent && c->channel_names[0])
		sw_diag_warn(l->d, l->channels,
		             "several channels and no `alerts:`: what no rule, environment or service says a channel "
		             "for is told to nobody");
}

static void config_heartbeat(struct config_load *l, const struct sw_ynode *node)
{
	static const struct sw_key keys[] = {
		{ "url", SW_KEY_URL, offsetof(struct sw_conf_heartbeat, url), "!", "called while all is well" },
		{ "every", SW_KEY_DUR, offsetof(struct sw_conf_heartbeat, every), "1m", "how often", SW_SECOND,
		  SW_DAY },
		{ 0 },
	};
	struct sw_conf_heartbeat *h = &l->c->heartbeat;

	if (!node)
		return;
	if (node->type == SW_Y_SCALAR && !sw_yaml_is_null(node)) {
		h->every = SW_MINUTE;
		(void)sw_key_read_one(&keys[0], node, l->a, h, l->d);
	} else {
		(void)sw_keys_read(keys, node, node, NULL, l->a, h, l->d);
	}
}

static void config_programs(struct config_load *l, const struct sw_ynode *node)
{
	static const struct sw_key key = { "programs", SW_KEY_STRINGS, 0, NULL,
		                           "absolute paths of programs that exec may start" };

	if (!node || sw_key_read_one(&key, node, l->a, &l->c->programs, l->d) < 0)
		return;
	for (const char **p = l->c->programs; *p; p++)
		if (**p != '/')
			sw_diag_error(l->d, node, "programs: want absolute paths, got \"%s\"", *p);
}

static void config_name_lists(struct config_load *l)
{
	struct sw_config *c = l->c;
	size_t limits = 0, n = 0, k = 0;

	for (size_t i = 0; i < c->places.n; i++)
		limits += c->places.items[i].n_limits;
	c->limit_names = SW_ARENA_ARRAY(l->a, const char *, limits + 1);
	c->target_names = SW_ARENA_ARRAY(l->a, const char *, 2 * c->places.n + 1);
	for (size_t i = 0; i < c->places.n; i++) {
		const struct sw_place *p = &c->places.items[i];

		for (size_t j = 0; j < p->n_limits; j++)
			config_names_add(c->limit_names, &n, p->limits[j].name);
		if (p->tier)
			config_names_add(c->target_names, &k, p->tier);
		config_names_add(c->target_names, &k, p->environment);
	}
}

static void config_top(struct config_load *l, const struct sw_ynode *root)
{
	struct config_top t = { 0 };
	struct sw_config *c = l->c;

	(void)sw_keys_read(config_keys, root, root, NULL, l->a, &t, l->d);
	c->public_url = config_no_slash(l, t.public_url);
	c->hooks_url = t.hooks_url ? config_no_slash(l, t.hooks_url) : c->public_url;
	c->locale = t.locale == 0 ? SW_LOCALE_EN : SW_LOCALE_ZH;
	c->state_dir = t.state_dir ? config_path(l, t.state_dir) : NULL;
	c->log_url = t.log_url;
	c->reference = t.reference;
	c->stuck_after = t.stuck_after;
	c->dry_run = t.dry_run;
	c->timezone = t.timezone ? t.timezone : "UTC";
	c->zone = config_zone(l, sw_yget(root, "timezone"), c->timezone);
	config_outgoing(l, root, &t);
	l->sources = config_map(l, t.sources, "sources");
	l->people = config_map(l, t.people, "people");
	l->channels = config_map(l, t.channels, "channels");
	l->actions = config_map(l, t.actions, "actions");
	c->channel_names = config_names(l, l->channels);
	c->action_names = config_names(l, l->actions);
	c->people_names = config_names(l, l->people);
	config_redis(l, t.redis);
	config_gateway(l, t.gateway);
	config_dashboard(l, t.dashboard);
	config_sources(l);
	config_people(l);
	config_channels(l);
	config_actions(l);
	config_services(l, t.services, t.defaults);
	config_alerts(l, t.alerts);
	config_oncall(l, t.oncall);
	config_reach(l);
	sw_maintenance_read(l->a, t.maintenance, c->zone, &c->maintenance, &c->n_maintenance, l->d);
	config_heartbeat(l, t.heartbeat);
	config_programs(l, t.programs);
	config_rules(l, t.rules);
	config_name_lists(l);
	config_pushgateway(l, t.pushgateway);
}

/* ---- loading ---- */

static struct sw_config *config_new(const char *path)
{
	struct sw_config *c = sw_calloc(1, sizeof *c);

	c->refs = 1;
	c->path = sw_arena_strdup(&c->arena, path);
	return c;
}

/* The folder of the file with its links resolved, so that it stays true when the process changes its own folder. */
static const char *config_dir(struct sw_config *c)
{
	const char *slash = strrchr(c->path, '/');
	const char *dir = slash ? sw_arena_strndup(&c->arena, c->path, (size_t)(slash - c->path) + 1) : ".";
	char real[PATH_MAX];

	if (!realpath(dir, real))
		return sw_arena_printf(&c->arena, "%s/", dir);
	return sw_arena_printf(&c->arena, "%s%s", real, real[1] ? "/" : "");
}

static int config_finish(struct sw_config *c, const struct sw_ynode *root, const struct sw_plugins *plugins,
                         unsigned before, struct sw_config **ret, struct sw_diags *d)
{
	struct config_load l = { .c = c, .a = &c->arena, .d = d, .plugins = plugins, .dir = config_dir(c) };

	/* A tree with a mistake in one of its texts is still read: all mistakes are told at once. */
	if (root)
		config_top(&l, root);
	else if (d->errors == before)
		sw_diag_error(d, &(struct sw_ynode){ .file = c->path },
		              "is empty; the smallest one has sources, channels and services");
	sw_diags_sort(d);
	*ret = c;
	return d->errors > before ? -EINVAL : 0;
}

int sw_config_load_broken(const char *path, const struct sw_plugins *plugins, const struct sw_yenv *env,
                          struct sw_config **ret, struct sw_diags *d)
{
	struct sw_config *c = config_new(path);
	unsigned before = d->errors;
	struct sw_ynode *root;

	(void)sw_yaml_load(&c->arena, path, env, &root, d);
	return config_finish(c, root, plugins, before, ret, d);
}

static int config_whole(int r, struct sw_config *c, struct sw_config **ret)
{
	if (r < 0)
		sw_config_put(c);
	else
		*ret = c;
	return r;
}

int sw_config_load(const char *path, const struct sw_plugins *plugins, const struct sw_yenv *env,
                   struct sw_config **ret, struct sw_diags *d)
{
	struct sw_config *c;
	int r = sw_config_load_broken(path, plugins, env, &c, d);

	return config_whole(r, c, ret);
}

int sw_config_load_text(const char *path, const char *text, size_t n, const struct sw_plugins *plugins,
                        const struct sw_yenv *env, struct sw_config **ret, struct sw_diags *d)
{
	struct sw_config *c = config_new(path);
	unsigned before = d->errors;
	struct sw_ynode *root;

	(void)sw_yaml_parse(&c->arena, path, text, n, env, &root, d);
	return config_whole(config_finish(c, root, plugins, before, &c, d), c, ret);
}

struct sw_config *sw_config_get(struct sw_config *c)
{
	c->refs++;
	return c;
}

struct sw_config *sw_config_put(struct sw_config *c)
{
	struct sw_arena a;

	if (!c || --c->refs > 0)
		return NULL;
	a = c->arena;
	free(c);
	sw_arena_fini(&a);
	return NULL;
}

/* ---- by name ---- */

#define CONFIG_BY_NAME(func, type, list)                                                                               \
	const struct type *func(const struct sw_config *c, const char *name)                                           \
	{                                                                                                              \
		for (size_t i = 0; i < c->n_##list; i++)                                                               \
			if (strcmp(c->list[i].name, name) == 0)                                                        \
				return &c->list[i];                                                                    \
		return NULL;                                                                                           \
	}

CONFIG_BY_NAME(sw_config_source, sw_conf_source, sources)
CONFIG_BY_NAME(sw_config_channel, sw_conf_channel, channels)
CONFIG_BY_NAME(sw_config_action, sw_conf_action, actions)
CONFIG_BY_NAME(sw_config_person, sw_conf_person, people)

const struct sw_conf_source *sw_config_report_source(const struct sw_config *c)
{
	for (size_t i = 0; i < c->n_sources; i++)
		if (strcmp(c->sources[i].kind, "report") == 0)
			return &c->sources[i];
	return NULL;
}

static const char *config_login(const struct sw_conf_person *p, const char *source_kind)
{
	if (strcmp(source_kind, "github") == 0)
		return p->github;
	if (strcmp(source_kind, "gitlab") == 0)
		return p->gitlab;
	return strcmp(source_kind, "gitea") == 0 ? p->gitea : NULL;
}

const struct sw_conf_person *sw_config_person_of(const struct sw_config *c, const char *source_kind, const char *login,
                                                 const char *email)
{
	static const char *const nameless[] = { "report", "generic", "cloudevents", NULL };

	for (size_t i = 0; source_kind && login && i < c->n_people; i++) {
		const char *known = config_login(&c->people[i], source_kind);

		if (known && strcasecmp(known, login) == 0)
			return &c->people[i];
	}
	for (size_t i = 0; email && i < c->n_people; i++)
		if (c->people[i].email && strcasecmp(c->people[i].email, email) == 0)
			return &c->people[i];
	/* Reports, mappings and CloudEvents have no login of a host that people name: the name itself is meant. */
	return login && (!source_kind || config_in(nameless, source_kind)) ? sw_config_person(c, login) : NULL;
}

const char *const *sw_config_place_channels(const struct sw_config *c, const struct sw_place *p)
{
	return (const char *const *)(p->channels ? p->channels : c->alerts);
}

int sw_config_tz_offset(const struct sw_config *c, sw_ms now)
{
	return c->zone ? sw_zone_offset(c->zone, now) : 0;
}
