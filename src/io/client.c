/*
 * Who asks, and how often without a right: addresses behind trusted proxies, and a bounded table of failed authentications.
 *
 * The table counts in windows of a minute and never grows: four places for each hash, the one with the oldest window gives way.
 * An IPv6 sender owns a /64 at least, so that is what is counted. Only failures count: who is authentic is never refused.
 */
#include "io/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hmac.h"
#include "shipwatch/mem.h"

enum { WAYS = 4, ROWS = 1024 };

struct sw_net { unsigned char ip[16]; unsigned bits; };
struct sw_nets { size_t n; struct sw_net nets[]; };

bool sw_ip_parse(const char *text, size_t n, unsigned char ip[16])
{
	char copy[INET6_ADDRSTRLEN];

	if (n == 0 || n >= sizeof copy)
		return false;
	memcpy(copy, text, n);
	copy[n] = '\0';
	memset(ip, 0, 16);
	if (inet_pton(AF_INET6, copy, ip) == 1)
		return true;
	ip[10] = ip[11] = 0xff;
	return inet_pton(AF_INET, copy, ip + 12) == 1;
}

static bool ip_is_v4(const unsigned char ip[16])
{
	static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	return memcmp(ip, mapped, 12) == 0;
}

void sw_ip_print(const unsigned char ip[16], char *out, size_t size)
{
	if (!inet_ntop(ip_is_v4(ip) ? AF_INET : AF_INET6, ip_is_v4(ip) ? ip + 12 : ip, out, (socklen_t)size))
		(void)snprintf(out, size, "?");
}

static bool net_parse(const char *text, struct sw_net *ret)
{
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	unsigned long bits, most;
	char *end;

	if (!sw_ip_parse(text, n, ret->ip))
		return false;
	most = ip_is_v4(ret->ip) && !memchr(text, ':', n) ? 32 : 128;
	bits = most;
	if (slash) {
		if (slash[1] < '0' || slash[1] > '9')
			return false;
		bits = strtoul(slash + 1, &end, 10);
		if (*end || bits > most)
			return false;
	}
	ret->bits = (unsigned)(bits + (128 - most));
	return true;
}

int sw_nets_new(const char *const *texts, struct sw_nets **ret, struct sw_err *err)
{
	struct sw_nets *nets;
	size_t n = 0;

	while (texts && texts[n])
		n++;
	nets = sw_malloc(sizeof *nets + n * sizeof nets->nets[0]);
	nets->n = n;
	for (size_t i = 0; i < n; i++)
		if (!net_parse(texts[i], &nets->nets[i])) {
			free(nets);
			return sw_err_set(err, EINVAL, "trusted_proxies: want an address or a network like 10.0.0.0/8, got \"%s\"", texts[i]);
		}
	*ret = nets;
	return 0;
}

void sw_nets_free(struct sw_nets *n)
{
	free(n);
}

bool sw_nets_has(const struct sw_nets *n, const unsigned char ip[16])
{
	for (size_t i = 0; i < n->n; i++) {
		const struct sw_net *net = &n->nets[i];
		unsigned bytes = net->bits / 8, rest = net->bits % 8;

		if (memcmp(ip, net->ip, bytes) != 0)
			continue;
		if (!rest || ((ip[bytes] ^ net->ip[bytes]) >> (8 - rest)) == 0)
			return true;
	}
	return false;
}

/* "192.0.2.1", "192.0.2.1:443", "2001:db8::1", "[2001:db8::1]:443", with spaces around. */
static bool forwarded_parse(const char *p, size_t n, unsigned char ip[16])
{
	const char *close, *colon;

	while (n && (*p == ' ' || *p == '\t' || *p == '"'))
		p++, n--;
	while (n && (p[n - 1] == ' ' || p[n - 1] == '\t' || p[n - 1] == '"'))
		n--;
	if (n && *p == '[') {
		close = memchr(p, ']', n);
		return close && sw_ip_parse(p + 1, (size_t)(close - p) - 1, ip);
	}
	colon = memchr(p, ':', n);
	if (colon && !memchr(colon + 1, ':', n - (size_t)(colon - p) - 1))
		n = (size_t)(colon - p);
	return sw_ip_parse(p, n, ip);
}

/* From the right: each proxy of ours has written down who spoke to it. Return: true when an address that is not ours was found. */
static bool forwarded_walk(const char *value, const struct sw_nets *trusted, unsigned char ip[16], bool *broken)
{
	size_t end = strlen(value);
	unsigned char one[16];

	while (end) {
		size_t from = end;

		while (from && value[from - 1] != ',')
			from--;
		if (!forwarded_parse(value + from, end - from, one)) {
			*broken = true;
			return false;
		}
		memcpy(ip, one, 16);
		if (!sw_nets_has(trusted, ip))
			return true;
		end = from ? from - 1 : 0;
	}
	return false;
}

void sw_client_ip(const struct sw_http_req *req, const struct sw_nets *trusted, unsigned char ip[16])
{
	bool broken = false;

	memset(ip, 0, 16);
	if (!req->addr)
		return;
	memcpy(ip, req->addr->ip, 16);
	if (!req->addr->local && !sw_nets_has(trusted, ip))
		return;
	for (size_t i = req->n_headers; i-- > 0 && !broken;)
		if (strcmp(req->headers[i].name, "x-forwarded-for") == 0 &&
		    forwarded_walk(req->headers[i].value, trusted, ip, &broken))
			return;
}

struct failure { unsigned char ip[16]; sw_dur since; unsigned n; };
struct sw_failures { uint64_t seed; unsigned most; struct failure rows[ROWS][WAYS]; };

struct sw_failures *sw_failures_new(unsigned most)
{
	struct sw_failures *f = sw_calloc(1, sizeof *f);

	f->most = most;
	sw_random(&f->seed, sizeof f->seed);
	return f;
}

void sw_failures_free(struct sw_failures *f)
{
	free(f);
}

static uint64_t failure_hash(uint64_t h, const unsigned char ip[16])
{
	for (unsigned i = 0; i < 16; i++)
		h = (h ^ ip[i]) * 0x100000001b3u;
	return h ^ (h >> 29);
}

/* The row of a key, and in it its place, if it has one of this minute. */
static struct failure *failure_row(struct sw_failures *f, const unsigned char ip[16], sw_dur now, unsigned char key[16], struct failure **hit)
{
	struct failure *row;

	memcpy(key, ip, 16);
	if (!ip_is_v4(key))
		memset(key + 8, 0, 8);
	row = f->rows[failure_hash(f->seed, key) % ROWS];
	*hit = NULL;
	for (unsigned i = 0; i < WAYS && !*hit; i++)
		if (row[i].n && memcmp(row[i].ip, key, 16) == 0)
			*hit = &row[i];
	if (*hit && now - (*hit)->since >= SW_MINUTE)
		(*hit)->n = 0;
	return row;
}

static unsigned failure_wait(const struct failure *x, sw_dur now)
{
	return (unsigned)((x->since + SW_MINUTE - now + SW_SECOND - 1) / SW_SECOND);
}

unsigned sw_failures_over(struct sw_failures *f, const unsigned char ip[16], sw_dur now)
{
	unsigned char key[16];
	struct failure *hit;

	(void)failure_row(f, ip, now, key, &hit);
	return hit && hit->n >= f->most ? failure_wait(hit, now) : 0;
}

unsigned sw_failures_add(struct sw_failures *f, const unsigned char ip[16], sw_dur now)
{
	unsigned char key[16];
	struct failure *hit, *row = failure_row(f, ip, now, key, &hit);

	if (!hit) {
		hit = row;
		for (unsigned i = 1; i < WAYS; i++)
			if (!row[i].n || (hit->n && row[i].since < hit->since))
				hit = &row[i];
		hit->n = 0;
	}
	if (!hit->n) {
		memcpy(hit->ip, key, 16);
		hit->since = now;
	}
	if (hit->n <= f->most)
		hit->n++;
	return hit->n <= f->most ? 0 : failure_wait(hit, now);
}

void sw_failures_key(const char *name, unsigned char key[16])
{
	unsigned char digest[SW_SHA256_BYTES];

	/* As an IPv6 address, of which the first half counts. */
	sw_sha256(name, strlen(name), digest);
	memset(key, 0, 16);
	memcpy(key, digest, 8);
	key[0] |= 1;
}
