/* Where Redis is: reading redis:// and unix:// addresses, and finding the host once. */
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

static int address_tcp(struct sw_address *c, const char *s, struct sw_err *err)
{
	const char *at = strrchr(s, '@'), *slash, *colon, *host_end;
	SW_CLEANUP(sw_freep) char *host = NULL, *port = NULL;
	int r;

	if (at) {
		r = address_login(c, s, (size_t)(at - s), err);
		if (r < 0)
			return r;
		s = at + 1;
	}
	slash = strchr(s, '/');
	if (slash && slash[1] && address_number(slash + 1, 1023, &c->db) < 0)
		return sw_err_set(err, EINVAL, "redis: the database after '/' is a number");
	host_end = slash ? slash : s + strlen(s);
	colon = *s == '[' ? memchr(s, ']', (size_t)(host_end - s)) : s;
	colon = colon ? memchr(colon, ':', (size_t)(host_end - colon)) : NULL;
	c->port = 6379;
	if (colon) {
		port = sw_strndup(colon + 1, (size_t)(host_end - colon - 1));
		if (address_number(port, 65535, &c->port) < 0 || c->port == 0)
			return sw_err_set(err, EINVAL, "redis: \"%s\" is not a port", port);
		host_end = colon;
	}
	if (*s == '[' && host_end > s + 1)
		host = sw_strndup(s + 1, (size_t)(host_end - s - 2));
	else
		host = sw_strndup(s, (size_t)(host_end - s));
	return address_resolve(c, *host ? host : "127.0.0.1", err);
}

int sw_address_parse(const char *url, struct sw_address *ret, struct sw_err *err)
{
	*ret = (struct sw_address){ 0 };
	if (sw_starts(url, "unix://"))
		return address_unix(ret, url + 7, err);
	if (sw_starts(url, "redis://"))
		return address_tcp(ret, url + 8, err);
	return sw_err_set(err, EINVAL, "redis: an address begins with redis:// or unix://");
}

void sw_address_fini(struct sw_address *a)
{
	if (a->password)
		explicit_bzero(a->password, strlen(a->password));
	free(a->host);
	free(a->path);
	free(a->user);
	free(a->password);
	*a = (struct sw_address){ 0 };
}
