/* Which Redis is shared, and how it is reached: its address, its sentinels, TLS. All of it becomes one address, which says the same to every role. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "config/config.h"
#include "config/parts.h"
#include "shipwatch/buf.h"

#define R(name) offsetof(struct config_redis_conf, name)
static const struct sw_key redis_keys[] = {
	{ "url", SW_KEY_STRING, R(url), "!", "redis://[:password@]host:port[/db], rediss:// for TLS, redis+sentinel://a:26379,b:26379/name, or unix:///path" },
	{ "ca_file", SW_KEY_STRING, R(ca_file), NULL, "of TLS: whose certificates are trusted, PEM; else the ca_file of everything, else the system's" },
	{ "cert_file", SW_KEY_STRING, R(cert_file), NULL, "of TLS: our own certificate with its chain, PEM, where Redis asks for one" },
	{ "key_file", SW_KEY_STRING, R(key_file), NULL, "of TLS: its key, PEM without a passphrase; absent: it stands in cert_file" },
	{ "server_name", SW_KEY_STRING, R(server_name), NULL, "of TLS: whom the certificate must be for; absent: the host of the address, or the one that a sentinel names" },
	{ "sentinel_user", SW_KEY_STRING, R(sentinel_user), NULL, "with which the sentinels are signed in to, where they have users" },
	{ "sentinel_password", SW_KEY_SECRET, R(sentinel_password), NULL, "of the sentinels; the password in the address is that of Redis" },
	{ 0 },
};

static const struct { const char *scheme; bool tls, sentinels; } kinds[] = {
	{ "redis://", false, false }, { "rediss://", true, false }, { "redis+sentinel://", false, true }, { "rediss+sentinel://", true, true },
};

/* host, host:port, [v6], [v6]:port */
static bool redis_is_host(const char *host, size_t n)
{
	const char *colon = memchr(host, ':', n);

	if (n == 0 || memchr(host, ' ', n) || memchr(host, '?', n))
		return false;
	if (*host == '[') {
		const char *end = memchr(host, ']', n);

		if (!end)
			return false;
		colon = (size_t)(end + 1 - host) < n ? end + 1 : NULL;
		if (colon && *colon != ':')
			return false;
	}
	return !colon || (colon > host && config_number(colon + 1, n - (size_t)(colon + 1 - host), 65535) > 0);
}

static bool redis_is_db(const char *s) { return strspn(s, "0123456789") == strlen(s) && strlen(s) <= 4; }

/* Behind "redis://": [user:password@]host[:port][/db] */
static bool redis_is_one(const char *s)
{
	const char *at = strrchr(s, '@'), *host = at ? at + 1 : s;
	size_t n = strcspn(host, "/");

	return redis_is_host(host, n) && (!host[n] || redis_is_db(host + n + 1));
}

/* Behind "redis+sentinel://": [user:password@]host[:port],…/name[/db] */
static bool redis_is_many(const char *s)
{
	const char *at = strrchr(s, '@'), *host = at ? at + 1 : s, *name = strchr(host, '/');
	size_t n, hosts = 0;

	if (!name || strchr(name, '?'))
		return false;
	for (; host < name; host += n + (host[n] == ',')) {
		n = strcspn(host, ",/");
		if (!redis_is_host(host, n) || ++hosts > 16)
			return false;
	}
	n = strcspn(name + 1, "/");
	return hosts && n && (!name[1 + n] || redis_is_db(name + 2 + n));
}

static void redis_file(struct config_load *l, const struct sw_ynode *node, const char *name, const char **path)
{
	if (!*path)
		return;
	*path = config_path(l, *path);
	if (access(*path, R_OK) < 0)
		sw_diag_error(l->d, sw_yget(node, name), "%s: %s: %s", name, *path, strerror(errno));
}

/* What is said of TLS or sentinels where there are none is a mistake: somebody believes that it is so. */
static void redis_goes_with(struct config_load *l, const struct sw_ynode *node, bool tls, bool sentinels)
{
	static const struct { const char *name; bool tls; } goes[] = {
		{ "ca_file", true }, { "cert_file", true }, { "key_file", true }, { "server_name", true }, { "sentinel_user", false }, { "sentinel_password", false },
	};

	for (size_t i = 0; i < SW_COUNT(goes); i++) {
		const struct sw_ynode *at = sw_yget(node, goes[i].name);

		if (at && (goes[i].tls ? !tls : !sentinels))
			sw_diag_error(l->d, at, "%s: goes with an address that begins with %s", goes[i].name, goes[i].tls ? "rediss:// or rediss+sentinel://" : "redis+sentinel://");
	}
}

/* url with the rest behind it, as bus/address.h reads it. */
static const char *redis_whole(struct config_load *l, const struct config_redis_conf *r, bool tls)
{
	const struct { const char *name, *value; } more[] = {
		{ "ca_file", tls && !r->ca_file ? l->c->ca_file : r->ca_file }, { "cert_file", r->cert_file }, { "key_file", r->key_file },
		{ "server_name", r->server_name }, { "sentinel_user", r->sentinel_user }, { "sentinel_password", r->sentinel_password },
	};
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	char sep = '?';

	sw_buf_cat(&b, r->url);
	for (size_t i = 0; i < SW_COUNT(more); i++)
		if (more[i].value) {
			sw_buf_printf(&b, "%c%s=", sep, more[i].name);
			sw_pct_encode(&b, more[i].value, strlen(more[i].value));
			sep = '&';
		}
	return sw_arena_strdup(l->a, sw_buf_str(&b));
}

const char *config_redis_url(struct config_load *l, const struct sw_ynode *node, const struct sw_ynode *at, struct config_redis_conf *r)
{
	bool tls = false, sentinels = false, good = sw_starts(r->url, "unix:///");

	for (size_t i = 0; i < SW_COUNT(kinds); i++)
		if (sw_starts(r->url, kinds[i].scheme)) {
			tls = kinds[i].tls;
			sentinels = kinds[i].sentinels;
			good = sentinels ? redis_is_many(r->url + strlen(kinds[i].scheme)) : redis_is_one(r->url + strlen(kinds[i].scheme));
		}
	if (!good) {
		sw_diag_error(l->d, at, sentinels ? "url: want %s[user:password@]host:26379,host:26379/name[/db], name being that of the master"
		                                  : "url: want redis://[:password@]host:port[/db], rediss:// for TLS, redis+sentinel://a:26379,b:26379/name, or unix:///path",
		              tls ? "rediss+sentinel://" : "redis+sentinel://");
		return NULL;
	}
	if (strchr(r->url, '@') && at->exposed && !at->from_env)
		sw_diag_error(l->d, at,
		              "url: a password in plain text in a file that everybody can read; use ${NAME} or "
		              "${file:PATH}, or chmod o-r");
	redis_goes_with(l, node, tls, sentinels);
	redis_file(l, node, "ca_file", &r->ca_file);
	redis_file(l, node, "cert_file", &r->cert_file);
	redis_file(l, node, "key_file", &r->key_file);
	if (r->key_file && !r->cert_file)
		sw_diag_error(l->d, sw_yget(node, "key_file"), "key_file: goes with cert_file");
	if (r->sentinel_user && !r->sentinel_password)
		sw_diag_error(l->d, sw_yget(node, "sentinel_user"), "sentinel_user: goes with sentinel_password");
	return redis_whole(l, r, tls);
}

void config_redis(struct config_load *l, const struct sw_ynode *node)
{
	struct config_redis_conf r = { 0 };
	const struct sw_ynode *at = sw_yget(node, "url"), *map = node;

	if (!node)
		return;
	if (node->type == SW_Y_SCALAR && !sw_yaml_is_null(node)) {
		at = node;
		map = NULL;
		(void)sw_key_read_one(&redis_keys[0], node, l->a, &r, l->d);
	} else {
		(void)sw_keys_read(redis_keys, node, node, NULL, l->a, &r, l->d);
	}
	if (r.url)
		l->c->redis_url = config_redis_url(l, map, at, &r);
}
