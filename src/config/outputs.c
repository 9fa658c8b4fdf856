/* Where people are told, and what can be done: channels and actions with the settings of their plug-ins. */
#include <string.h>

#include "base/hmac.h"
#include "base/str.h"
#include "config/config.h"
#include "config/parts.h"
#include "shipwatch/clock.h"

#define DIGEST_ABOVE 5 /* as channel_keys says */

static const char *const channels_later[] = {
	"telegram", "pagerduty", NULL
};
static const char *const channels_skip[] = { "kind", "mention", "fallback", "digest_above", "locale", "template", NULL };
static const char *const actions_later[] = { NULL };
static const char *const actions_skip[] = { "kind", "dry_run", "timeout", NULL };
static const char *const roles[] = { "deployer", "authors", "oncall", "all", NULL };

struct mention {
	const char **by[SW_SEV_CRITICAL + 1];
	const char **mobiles;
};

static const struct sw_key mention_keys[] = {
	{ "info", SW_KEY_STRINGS, offsetof(struct mention, by[SW_SEV_INFO]), NULL, "whom an info mentions" },
	{ "warning", SW_KEY_STRINGS, offsetof(struct mention, by[SW_SEV_WARNING]), NULL, "whom a warning mentions" },
	{ "critical", SW_KEY_STRINGS, offsetof(struct mention, by[SW_SEV_CRITICAL]), NULL,
	  "whom a critical one mentions" },
	{ "mobiles", SW_KEY_STRINGS, offsetof(struct mention, mobiles), NULL, "on every message" },
	{ 0 },
};

static const char *const locales[] = { "en", "zh-CN", "zh", NULL };
static const struct sw_key locale_key = { "locale", SW_KEY_ENUM, 0, NULL, "language of its messages; the file's unless said", 0, 0, locales };
static const struct sw_key channel_keys[] = {
	{ "fallback", SW_KEY_STRING, offsetof(struct sw_conf_channel, fallback), NULL,
	  "the channel that is told when this one cannot be" },
	{ "digest_above", SW_KEY_INT, offsetof(struct sw_conf_channel, digest_above), "5",
	  "more messages than this in a minute become one digest, where people read it and a robot has a rate; critical ones go alone; 0: never",
	  0, 1000 },
	{ 0 }
};
static const struct sw_key dry_run_key = { "dry_run", SW_KEY_BOOL, offsetof(struct sw_conf_action, dry_run), NULL,
	                                   "told what would have happened, not done" };
static const struct sw_key timeout_key = {
	"timeout", SW_KEY_DUR, offsetof(struct sw_conf_action, timeout), NULL, "after which its outcome is unknown",
	SW_SECOND, SW_HOUR
};

/* Roles are few, people are many: both may stand in a mention. */
static void mention_check(struct config_load *l, const struct sw_ynode *list)
{
	const struct sw_ynode *v = list->type == SW_Y_LIST ? list->child : list;

	for (; v; v = list->type == SW_Y_LIST ? v->next : NULL) {
		const char **names, *near;
		size_t n = 0;

		if (v->type != SW_Y_SCALAR || v->broken || sw_yget(l->people, v->text))
			continue;
		names = SW_ARENA_ARRAY(l->a, const char *, SW_COUNT(roles) + (l->people ? l->people->n : 0));
		for (; roles[n] && strcmp(roles[n], v->text) != 0; n++)
			names[n] = roles[n];
		if (roles[n])
			continue;
		for (const struct sw_ynode *p = l->people ? l->people->child : NULL; p; p = p->next)
			names[n++] = p->key;
		near = sw_did_you_mean(v->text, names);
		if (near)
			sw_diag_error(l->d, v, "unknown person or role \"%s\", did you mean \"%s\"?", v->text, near);
		else
			sw_diag_error(l->d, v,
			              "unknown person or role \"%s\"; roles are deployer, authors, oncall and all",
			              v->text);
	}
}

static void channel_mention(struct config_load *l, const struct sw_ynode *node, struct sw_conf_channel *ch)
{
	struct mention m = { 0 };
	unsigned errors;

	if (!node || sw_keys_read(mention_keys, node, node, NULL, l->a, &m, l->d) < 0)
		return;
	for (size_t i = 0; i < SW_COUNT(m.by); i++) {
		ch->mention[i] = m.by[i];
		if (m.by[i])
			mention_check(l, sw_yget(node, mention_keys[i].name));
	}
	ch->mobiles = m.mobiles;
	errors = l->d->errors;
	for (const char **p = m.mobiles; p && *p; p++)
		if ((*p)[strspn(*p, "+0123456789")] || !**p)
			sw_diag_error(l->d, sw_yget(node, "mobiles"), "mobiles: want digits only, got \"%s\"", *p);
	if (m.mobiles && m.mobiles[0] && errors == l->d->errors && !ch->plugin->numbers)
		sw_diag_warn(l->d, sw_yget(node, "mobiles"),
		             "mobiles: a channel of kind \"%s\" cannot mention numbers, nobody is mentioned by them", ch->kind);
}

/* Channels that share a robot share its rate: they find each other by this digest, which tells nothing of the secret.
 */
static const char *channel_credential(struct config_load *l, const struct sw_conf_channel *ch)
{
	const char *text = ch->plugin->credential ? ch->plugin->credential(ch->conf) : NULL;
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	unsigned char sum[SW_SHA256_BYTES];

	sw_buf_printf(&b, "%s\n%s", ch->kind, text ? text : ch->name);
	sw_sha256(b.p, b.n, sum);
	sw_buf_reset(&b);
	sw_hex_encode(&b, sum, 8);
	return sw_arena_strdup(l->a, b.p);
}

static void channel_locale(struct config_load *l, const struct sw_ynode *node, struct sw_conf_channel *ch)
{
	int locale;

	ch->locale = l->c->locale;
	if (node && sw_key_read_one(&locale_key, node, l->a, &locale, l->d) == 0)
		ch->locale = locale == 0 ? SW_LOCALE_EN : SW_LOCALE_ZH;
}

static bool channel_read(struct config_load *l, const struct sw_ynode *node, const struct sw_plugin *const *plugins,
                         struct sw_conf_channel *ch)
{
	const struct sw_ynode *fallback = sw_yget(node, "fallback"), *above = sw_yget(node, "digest_above");
	int i = config_kind(l, node, NULL, "channel", plugins, channels_later, &ch->kind);
	struct sw_err err = SW_ERR_INIT;

	if (i < 0)
		return false;
	ch->name = node->key;
	ch->where = config_where(l, node);
	ch->plugin = l->plugins->channels[i];
	ch->conf = sw_arena_alloc(l->a, ch->plugin->base.conf_size);
	channel_mention(l, sw_yget(node, "mention"), ch);
	channel_locale(l, sw_yget(node, "locale"), ch);
	ch->tmpl = config_template(l, sw_yget(node, "template"), ch->locale);
	if (fallback && sw_key_read_one(&channel_keys[0], fallback, l->a, ch, l->d) == 0)
		(void)config_known(l, fallback, ch->fallback, l->channels, "channel");
	ch->digest_above = DIGEST_ABOVE;
	if (above)
		(void)sw_key_read_one(&channel_keys[1], above, l->a, ch, l->d);
	if (sw_keys_read(ch->plugin->base.keys, node, node, channels_skip, l->a, ch->conf, l->d) < 0)
		return true;
	if (ch->plugin->check && ch->plugin->check(ch->conf, &err) < 0)
		sw_diag_key(l->d, node, "%s", err.text);
	ch->credential = channel_credential(l, ch);
	return true;
}

/* A message that went in circles would never be told to be lost. Told once a circle: for its first channel in the file.
 */
static void channel_circle(struct config_load *l, const struct sw_conf_channel *start)
{
	const struct sw_conf_channel *ch = start;

	for (size_t i = 0; ch && ch->fallback && i <= l->c->n_channels; i++) {
		if (strcmp(ch->fallback, start->name) == 0) {
			sw_diag_error(l->d, sw_yget(sw_yget(l->channels, start->name), "fallback"),
			              "fallback: \"%s\" comes back to itself", start->name);
			return;
		}
		ch = sw_config_channel(l->c, ch->fallback);
		if (ch && ch < start)
			return;
	}
}

void config_channels(struct config_load *l)
{
	const struct sw_plugin **plugins;
	struct sw_config *c = l->c;
	size_t n = 0;

	if (!l->channels)
		return;
	while (l->plugins->channels[n])
		n++;
	plugins = SW_ARENA_ARRAY(l->a, const struct sw_plugin *, n + 1);
	for (size_t i = 0; i < n; i++)
		plugins[i] = &l->plugins->channels[i]->base;
	c->channels = SW_ARENA_ARRAY(l->a, struct sw_conf_channel, l->channels->n);
	for (const struct sw_ynode *v = l->channels->child; v; v = v->next)
		if (config_name_ok(l, v, "channel") && channel_read(l, v, plugins, &c->channels[c->n_channels]))
			c->n_channels++;
	for (size_t i = 0; i < c->n_channels; i++)
		channel_circle(l, &c->channels[i]);
}

static const struct sw_key *action_own_timeout(const struct sw_plugin *p)
{
	for (const struct sw_key *key = p->keys; key->name; key++)
		if (strcmp(key->name, "timeout") == 0)
			return key;
	return NULL;
}

/* A plug-in that has a timeout of its own reads and checks it; we only want to know it too. */
static void action_timeout(struct config_load *l, const struct sw_ynode *node, struct sw_conf_action *act)
{
	const struct sw_key *own = action_own_timeout(&act->plugin->base);
	const struct sw_ynode *v = sw_yget(node, "timeout");
	const char *text = v && v->type == SW_Y_SCALAR ? v->text : own ? own->def : NULL;

	act->timeout = 30 * SW_SECOND;
	if (v && !own)
		(void)sw_key_read_one(&timeout_key, v, l->a, act, l->d);
	else if (own && text && sw_dur_parse(text, &act->timeout) < 0)
		act->timeout = 30 * SW_SECOND;
}

static bool action_read(struct config_load *l, const struct sw_ynode *node, const struct sw_plugin *const *plugins,
                        struct sw_conf_action *act)
{
	const struct sw_ynode *dry_run = sw_yget(node, "dry_run");
	int i = config_kind(l, node, NULL, "action", plugins, actions_later, &act->kind);

	if (i < 0)
		return false;
	act->name = node->key;
	act->where = config_where(l, node);
	act->plugin = l->plugins->actions[i];
	act->conf = sw_arena_alloc(l->a, act->plugin->base.conf_size);
	if (dry_run)
		(void)sw_key_read_one(&dry_run_key, dry_run, l->a, act, l->d);
	action_timeout(l, node, act);
	if (sw_keys_read(act->plugin->base.keys, node, node, actions_skip, l->a, act->conf, l->d) == 0 && act->plugin->check)
		act->plugin->check(act->conf, node, l->d);
	return true;
}

void config_actions(struct config_load *l)
{
	const struct sw_plugin **plugins;
	struct sw_config *c = l->c;
	size_t n = 0;

	if (!l->actions)
		return;
	while (l->plugins->actions[n])
		n++;
	plugins = SW_ARENA_ARRAY(l->a, const struct sw_plugin *, n + 1);
	for (size_t i = 0; i < n; i++)
		plugins[i] = &l->plugins->actions[i]->base;
	c->actions = SW_ARENA_ARRAY(l->a, struct sw_conf_action, l->actions->n);
	for (const struct sw_ynode *v = l->actions->child; v; v = v->next)
		if (config_name_ok(l, v, "action") && action_read(l, v, plugins, &c->actions[c->n_actions]))
			c->n_actions++;
}
