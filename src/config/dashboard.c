/* The dashboard: where it listens, who may sign in, which proxy says who somebody is, which tokens programs have. */
#include <string.h>
#include <strings.h>

#include "base/passwd.h"
#include "base/str.h"
#include "config/config.h"
#include "config/parts.h"

#define NAME_BYTES  64
#define TOKEN_BYTES 16 /* least */

static const char *const roles[] = { "viewer", "operator", NULL }, *const badge_words[] = { "viewer", "public", NULL };

static const struct sw_key user_keys[] = {
	{ "name", SW_KEY_STRING, offsetof(struct sw_conf_user, name), "!", "to sign in with" },
	{ "password_hash", SW_KEY_SECRET, offsetof(struct sw_conf_user, password_hash), "!", "as `shipwatch hash-password` prints it (crypt(3))" },
	{ "role", SW_KEY_ENUM, offsetof(struct sw_conf_user, role), "viewer", "what the user may do", 0, 0, roles },
	{ 0 },
};

static const struct sw_key token_keys[] = {
	{ "name", SW_KEY_STRING, offsetof(struct sw_conf_token, name), "!", "what its decisions are told under" },
	{ "token", SW_KEY_SECRET, offsetof(struct sw_conf_token, token), "!", "sent as Authorization: Bearer; 16 bytes and more" },
	{ "role", SW_KEY_ENUM, offsetof(struct sw_conf_token, role), "viewer", "what it may do", 0, 0, roles },
	{ 0 },
};

struct dashboard {
	struct sw_conf_dashboard c;
	const struct sw_ynode *users, *tokens;
};

#define DASH(name) offsetof(struct dashboard, c.name)
static const struct sw_key dashboard_keys[] = {
	{ "listen", SW_KEY_STRING, DASH(listen), "127.0.0.1:8081", "address:port, or unix:/path" },
	{ "users", SW_KEY_NODE, offsetof(struct dashboard, users), NULL, "who may sign in" },
	{ "session", SW_KEY_DUR, DASH(session), "12h", "how long a sign-in holds", SW_MINUTE, 90 * SW_DAY },
	{ "trusted_proxies", SW_KEY_STRINGS, DASH(trusted_proxies), NULL, "addresses or CIDR whose X-Forwarded-For and user_header count" },
	{ "user_header", SW_KEY_STRING, DASH(user_header), NULL, "header in which a trusted proxy says who has signed in there" },
	{ "role_header", SW_KEY_STRING, DASH(role_header), NULL, "header in which it says the role: viewer or operator" },
	{ "operators", SW_KEY_STRINGS, DASH(operators), NULL, "of those a proxy names: who is an operator; the others are viewers" },
	{ "badges", SW_KEY_ENUM, DASH(badges), "viewer", "who is shown badges: viewers, or everybody (public)", 0, 0, badge_words },
	{ "tokens", SW_KEY_NODE, offsetof(struct dashboard, tokens), NULL, "for programs that use the API" },
	{ "keep", SW_KEY_DUR, DASH(keep), "90d", "how long the history is kept", SW_HOUR, 3650 * SW_DAY },
	{ "keep_samples", SW_KEY_DUR, DASH(keep_samples), "14d", "how long readings of signals are kept", SW_HOUR, 3650 * SW_DAY },
	{ "history_max", SW_KEY_SIZE, DASH(history_max), "10GiB", "largest file of the history: past it the oldest goes, however young", 16 << 20, (int64_t)1 << 44 },
	{ 0 },
};

bool sw_config_listen_local(const char *listen)
{
	return sw_starts(listen, "unix:") || sw_starts(listen, "127.") || sw_starts(listen, "[::1]:") || sw_starts(listen, "localhost:");
}

bool sw_config_dashboard_open(const struct sw_conf_dashboard *d)
{
	return d->n_users == 0 && !d->user_header;
}

/* A name that is told to people and kept in a cookie: one line, nothing hidden in it. */
static bool dash_name(const char *s)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	size_t n = strlen(s);

	sw_utf8_clean(&b, s, n, true);
	return n > 0 && n <= NAME_BYTES && strcmp(sw_buf_str(&b), s) == 0 && s[0] != ' ' && s[n - 1] != ' ';
}

static bool dash_header(const char *s)
{
	static const char *const taken[] = { "host", "cookie", "authorization", "x-forwarded-for", "origin", "content-type", "content-length", NULL };

	for (const char *const *t = taken; *t; t++)
		if (strcasecmp(*t, s) == 0)
			return false;
	return *s && strlen(s) <= NAME_BYTES && !s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")];
}

static const char *dash_header_name(struct config_load *l, const struct sw_ynode *node, const char *key, const char *name)
{
	char *lower;

	if (!name)
		return NULL;
	if (!dash_header(name))
		sw_diag_error(l->d, sw_yget(node, key), "%s: want the name of a header such as X-Forwarded-User, got \"%s\"", key, name);
	lower = sw_arena_strdup(l->a, name);
	for (char *c = lower; *c; c++)
		*c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
	return lower;
}

static bool dash_list(struct config_load *l, const struct sw_ynode *list, const char *what)
{
	if (!list || sw_yaml_is_null(list))
		return false;
	if (list->type == SW_Y_LIST)
		return true;
	sw_diag_error(l->d, list, "%s: want a list", what);
	return false;
}

static void dash_users(struct config_load *l, const struct sw_ynode *list, struct sw_conf_dashboard *out)
{
	if (!dash_list(l, list, "users"))
		return;
	out->users = SW_ARENA_ARRAY(l->a, struct sw_conf_user, list->n);
	for (const struct sw_ynode *v = list->child; v; v = v->next) {
		struct sw_conf_user *u = &out->users[out->n_users];
		const char *wrong;

		(void)sw_keys_read(user_keys, v, v, NULL, l->a, u, l->d);
		if (!u->name || !u->password_hash)
			continue;
		wrong = sw_passwd_wrong(u->password_hash);
		if (wrong)
			sw_diag_error(l->d, sw_yget(v, "password_hash"), "password_hash: %s", wrong);
		if (!dash_name(u->name))
			sw_diag_error(l->d, sw_yget(v, "name"), "name: want 1 to %d bytes on one line, got \"%s\"", NAME_BYTES, u->name);
		for (size_t i = 0; i < out->n_users; i++)
			if (sw_streq(out->users[i].name, u->name))
				sw_diag_error(l->d, sw_yget(v, "name"), "name: there are two users \"%s\"", u->name);
		out->n_users++;
	}
}

static void dash_tokens(struct config_load *l, const struct sw_ynode *list, struct sw_conf_dashboard *out)
{
	if (!dash_list(l, list, "tokens"))
		return;
	out->tokens = SW_ARENA_ARRAY(l->a, struct sw_conf_token, list->n);
	for (const struct sw_ynode *v = list->child; v; v = v->next) {
		struct sw_conf_token *t = &out->tokens[out->n_tokens];

		(void)sw_keys_read(token_keys, v, v, NULL, l->a, t, l->d);
		if (!t->name || !t->token)
			continue;
		if (strlen(t->token) < TOKEN_BYTES || strpbrk(t->token, " \t\r\n"))
			sw_diag_error(l->d, sw_yget(v, "token"), "token: want %d bytes and more without blanks, such as `openssl rand -hex 24` prints", TOKEN_BYTES);
		if (!dash_name(t->name))
			sw_diag_error(l->d, sw_yget(v, "name"), "name: want 1 to %d bytes on one line, got \"%s\"", NAME_BYTES, t->name);
		for (size_t i = 0; i < out->n_tokens; i++)
			if (sw_streq(out->tokens[i].token, t->token) || sw_streq(out->tokens[i].name, t->name))
				sw_diag_error(l->d, v, "tokens: \"%s\" has the name or the token of another", t->name);
		out->n_tokens++;
	}
}

static void dash_proxy(struct config_load *l, const struct sw_ynode *node, struct sw_conf_dashboard *d)
{
	const struct sw_ynode *at = sw_yget(node, "user_header");

	d->user_header = dash_header_name(l, node, "user_header", d->user_header);
	d->role_header = dash_header_name(l, node, "role_header", d->role_header);
	for (const char **p = d->trusted_proxies; p && *p; p++)
		if (!config_is_cidr(*p))
			sw_diag_error(l->d, sw_yget(node, "trusted_proxies"), "trusted_proxies: want addresses such as 10.0.0.0/8, got \"%s\"", *p);
	if (d->user_header && !(d->trusted_proxies && *d->trusted_proxies) && !sw_starts(d->listen, "unix:"))
		sw_diag_error(l->d, at, "user_header: anybody could send it: say trusted_proxies, whose it counts from");
	if (d->role_header && !d->user_header)
		sw_diag_error(l->d, sw_yget(node, "role_header"), "role_header: goes with user_header");
	if (d->operators && !d->user_header)
		sw_diag_error(l->d, sw_yget(node, "operators"), "operators: goes with user_header; users have a role of their own");
	if (d->operators && d->role_header)
		sw_diag_error(l->d, sw_yget(node, "operators"), "operators: say them, or role_header, not both");
}

void config_dashboard(struct config_load *l, const struct sw_ynode *node)
{
	struct sw_conf_dashboard *out = &l->c->dashboard;
	const char *url = l->c->public_url;
	struct dashboard raw = { 0 };

	(void)sw_keys_read(dashboard_keys, node, node, NULL, l->a, &raw, l->d);
	*out = raw.c;
	out->set = node != NULL;
	config_listen(l, node, out->listen);
	dash_users(l, raw.users, out);
	dash_tokens(l, raw.tokens, out);
	if (!out->listen)
		return;
	dash_proxy(l, node, out);
	if (sw_config_dashboard_open(out) && !sw_config_listen_local(out->listen))
		sw_diag_error(l->d, sw_yget(node, "listen"),
		              "listen: \"%s\" would let everybody decide: say users, or user_header with trusted_proxies, or listen on 127.0.0.1", out->listen);
	else if (out->n_users && !sw_config_listen_local(out->listen) && !(url && sw_starts(url, "https://")))
		sw_diag_warn(l->d, sw_yget(node, "listen"), "listen: passwords travel in the clear unless a proxy speaks https: say public_url: https://… then");
}
