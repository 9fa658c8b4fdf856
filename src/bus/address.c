/* Where Redis is: reading addresses of redis, of sentinels and of unix sockets, and finding a single host once. */
#include "bus/address.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/str.h"
#include "shipwatch/buf.h"
#include "shipwatch/mem.h"

/* Names are resolved once, here: hiredis would do it at every connect, blocking the loop. */
static int address_resolve(struct sw_address *c, const char *host, struct sw_err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *ai = NULL;
	char text[NI_MAXHOST];
	int r = getaddrinfo(host, NULL, &hints, &ai);

	if (r != 0)
		return sw_err_set(err, EHOSTUNREACH, "redis: host \"%s\": %s", host, gai_strerror(r));
	r = getnameinfo(ai->ai_addr, ai->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST);
	freeaddrinfo(ai);
	if (r != 0)
		return sw_err_set(err, EHOSTUNREACH, "redis: host \"%s\": %s", host, gai_strerror(r));
	c->host = sw_strdup(text);
	return 0;
}

static int address_number(const char *s, long max, int *ret)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(s, &end, 10);
	if (end == s || *end || errno || v < 0 || v > max)
		return -EINVAL;
	*ret = (int)v;
	return 0;
}

static int address_unix(struct sw_address *c, const char *s, struct sw_err *err)
{
	const char *q = strchr(s, '?');

	c->path = q ? sw_strndup(s, (size_t)(q - s)) : sw_strdup(s);
	if (c->path[0] != '/' || strlen(c->path) > 100)
		return sw_err_set(err, EINVAL, "redis: a unix socket is written unix:///path, at most 100 bytes long");
	if (q && (!sw_starts(q, "?db=") || address_number(q + 4, 1023, &c->db) < 0))
		return sw_err_set(err, EINVAL, "redis: after the path of a unix socket only ?db=<number> may stand");
	return 0;
}

/* The password may hold any character as %XX. */
static int address_login(struct sw_address *c, const char *s, size_t n, struct sw_err *err)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	const char *colon = memchr(s, ':', n);
	size_t user_n = colon ? (size_t)(colon - s) : n;

	if (!colon || sw_pct_decode(&b, colon + 1, n - user_n - 1, false) < 0)
		return sw_err_set(err, EINVAL, "redis: a login is written redis://[user]:password@host");
	c->password = sw_strdup(sw_buf_str(&b));
	if (user_n)
		c->user = sw_strndup(s, user_n);
	return 0;
}

/* "host", "host:port", "[v6]:port"; fallback: the port when none is said. */
static int address_host(const char *s, size_t n, int fallback, char **ret_host, int *ret_port, struct sw_err *err)
{
	const char *end = s + n, *colon = n && *s == '[' ? memchr(s, ']', n) : s;
	SW_CLEANUP(sw_freep) char *port = NULL;

	if (!colon)
		return sw_err_set(err, EINVAL, "redis: \"%.*s\": ']' is missing", (int)SW_MIN(n, (size_t)100), s);
	colon = memchr(colon, ':', (size_t)(end - colon));
	*ret_port = fallback;
	if (colon) {
		port = sw_strndup(colon + 1, (size_t)(end - colon - 1));
		if (address_number(port, 65535, ret_port) < 0 || *ret_port == 0)
			return sw_err_set(err, EINVAL, "redis: \"%.100s\" is not a port", port);
		end = colon;
	}
	if (n && *s == '[' && end > s + 1)
		*ret_host = sw_strndup(s + 1, (size_t)(end - s - 2));
	else
		*ret_host = sw_strndup(s, (size_t)(end - s));
	return 0;
}

static int address_db(struct sw_address *c, const char *s, struct sw_err *err)
{
	if (*s && address_number(s, 1023, &c->db) < 0)
		return sw_err_set(err, EINVAL, "redis: the database after '/' is a number");
	return 0;
}

static int address_sentinels(struct sw_address *c, const char *s, const char *slash, struct sw_err *err)
{
	const char *end = slash ? slash : s + strlen(s), *db;

	while (s < end) {
		struct sw_address_sentinel *one = &c->sentinels[c->n_sentinels];
		const char *comma = memchr(s, ',', (size_t)(end - s));
		size_t n = (size_t)((comma ? comma : end) - s);
		int r;

		if (c->n_sentinels == SW_SENTINELS_MAX)
			return sw_err_set(err, EINVAL, "redis: at most %d sentinels can be named", SW_SENTINELS_MAX);
		c->n_sentinels++;
		r = address_host(s, n, 26379, &one->host, &one->port, err);
		if (r < 0)
			return r;
		if (!*one->host)
			return sw_err_set(err, EINVAL, "redis: sentinels are written redis+sentinel://a:26379,b:26379/name");
		s += n + (comma != NULL);
	}
	db = slash ? strchr(slash + 1, '/') : NULL;
	if (!c->n_sentinels || !slash || slash[1] == '/' || !slash[1])
		return sw_err_set(err, EINVAL, "redis: behind the sentinels stands the name of the master they know: redis+sentinel://a:26379,b:26379/name");
	c->master = db ? sw_strndup(slash + 1, (size_t)(db - slash - 1)) : sw_strdup(slash + 1);
	return db ? address_db(c, db + 1, err) : 0;
}

/* ca_file=…&server_name=… */
static int address_more(struct sw_address *c, const char *s, struct sw_err *err)
{
	const struct { const char *name; char **to; bool of_tls; } keys[] = {
		{ "ca_file", &c->ca_file, true }, { "cert_file", &c->cert_file, true }, { "key_file", &c->key_file, true },
		{ "server_name", &c->server_name, true }, { "sentinel_user", &c->sentinel_user, false }, { "sentinel_password", &c->sentinel_password, false },
	};

	while (*s) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
		size_t n = strcspn(s, "&"), k = strcspn(s, "=&"), i = 0;

		while (i < SW_COUNT(keys) && !(strlen(keys[i].name) == k && strncmp(keys[i].name, s, k) == 0))
			i++;
		if (i == SW_COUNT(keys))
			return sw_err_set(err, EINVAL, "redis: \"%.*s\": behind '?' may stand ca_file, cert_file, key_file, server_name, sentinel_user, sentinel_password",
			                  (int)SW_MIN(k, (size_t)40), s);
		if (keys[i].of_tls ? !c->tls : !c->master)
			return sw_err_set(err, EINVAL, "redis: %s goes with %s", keys[i].name, keys[i].of_tls ? "rediss:// or rediss+sentinel://" : "redis+sentinel://");
		if (k == n || sw_pct_decode(&b, s + k + 1, n - k - 1, false) < 0 || !b.n || *keys[i].to)
			return sw_err_set(err, EINVAL, "redis: %s: want one text, with %%XX for what is no letter or digit", keys[i].name);
		*keys[i].to = sw_strdup(sw_buf_str(&b));
		s += n + (s[n] == '&');
	}
	return 0;
}

static int address_tcp(struct sw_address *c, const char *s, bool sentinels, struct sw_err *err)
{
	const char *login = strrchr(s, '@'), *query = strchr(login ? login : s, '?'); /* a password may hold a '?' */
	SW_CLEANUP(sw_freep) char *text = query ? sw_strndup(s, (size_t)(query - s)) : sw_strdup(s), *host = NULL;
	const char *at = strrchr(text, '@'), *rest = at ? at + 1 : text, *slash = strchr(rest, '/');
	int r = at ? address_login(c, text, (size_t)(at - text), err) : 0;

	if (r == 0 && sentinels) {
		r = address_sentinels(c, rest, slash, err);
	} else if (r == 0) {
		r = slash ? address_db(c, slash + 1, err) : 0;
		if (r == 0)
			r = address_host(rest, slash ? (size_t)(slash - rest) : strlen(rest), 6379, &host, &c->port, err);
	}
	if (r == 0 && query)
		r = address_more(c, query + 1, err);
	if (r < 0 || sentinels)
		return r;
	c->name = sw_strdup(*host ? host : "127.0.0.1");
	return address_resolve(c, c->name, err);
}

int sw_address_parse(const char *url, struct sw_address *ret, struct sw_err *err)
{
	static const struct { const char *scheme; bool tls, sentinels; } kinds[] = {
		{ "redis://", false, false }, { "rediss://", true, false }, { "redis+sentinel://", false, true }, { "rediss+sentinel://", true, true },
	};

	*ret = (struct sw_address){ 0 };
	if (sw_starts(url, "unix://"))
		return address_unix(ret, url + 7, err);
	for (size_t i = 0; i < SW_COUNT(kinds); i++)
		if (sw_starts(url, kinds[i].scheme)) {
			ret->tls = kinds[i].tls;
			return address_tcp(ret, url + strlen(kinds[i].scheme), kinds[i].sentinels, err);
		}
	return sw_err_set(err, EINVAL, "redis: an address begins with redis://, rediss://, redis+sentinel:// or unix://");
}

static void address_wipe(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

void sw_address_fini(struct sw_address *a)
{
	char *const texts[] = { a->path, a->host, a->name, a->user, a->ca_file, a->cert_file, a->key_file, a->server_name, a->master, a->sentinel_user };

	for (size_t i = 0; i < SW_COUNT(texts); i++)
		free(texts[i]);
	for (size_t i = 0; i < a->n_sentinels; i++)
		free(a->sentinels[i].host);
	address_wipe(a->password);
	address_wipe(a->sentinel_password);
	*a = (struct sw_address){ 0 };
}
