/* Signatures and tokens of senders: every secret is tried, always, and compared in constant time. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hmac.h"
#include "base/str.h"
#include "source/host.h"

#define KEY_BYTES   96
#define LOGIN_BYTES 512

static int fits(int fitted, int i, bool same)
{
	return same && fitted < 0 ? i : fitted;
}

static int hmac_hex(const char *const *secrets, const char *stamp, const void *msg, size_t n, const char *hex)
{
	unsigned char want[SW_SHA256_BYTES] = { 0 }, got[SW_SHA256_BYTES];
	bool formed = hex && sw_hex_decode(hex, strlen(hex), want, sizeof want) == 0;
	struct sw_hmac *h = sw_hmac_new();
	int fitted = -1;

	for (int i = 0; secrets && secrets[i]; i++) {
		struct sw_hmac_key *k = sw_hmac_key_new(secrets[i], strlen(secrets[i]));

		sw_hmac_begin(h, k);
		if (stamp) {
			sw_hmac_add(h, stamp, strlen(stamp));
			sw_hmac_add(h, ".", 1);
		}
		sw_hmac_add(h, msg, n);
		sw_hmac_end(h, got);
		sw_hmac_key_free(k);
		fitted = fits(fitted, i, sw_mem_equal(want, got, sizeof got) && formed);
	}
	sw_hmac_free(h);
	return fitted;
}

int sw_verify_hmac_hex(const char *const *secrets, const void *msg, size_t n, const char *hex)
{
	return hmac_hex(secrets, NULL, msg, n, hex);
}

int sw_verify_hmac_stamped(const char *const *secrets, const char *stamp, const void *msg, size_t n, const char *hex)
{
	return hmac_hex(secrets, stamp, msg, n, hex);
}

int sw_verify_token(const char *const *tokens, const char *token)
{
	int fitted = -1;

	for (int i = 0; tokens && tokens[i]; i++)
		fitted = fits(fitted, i, sw_secret_equal(tokens[i], strlen(tokens[i]), token ? token : "", token ? strlen(token) : 0) && token);
	return fitted;
}

/* What stands behind the scheme of an Authorization header; NULL: it has another. */
static const char *scheme(const char *header, const char *name)
{
	size_t n = strlen(name);

	if (!header || strncasecmp(header, name, n) != 0 || header[n] != ' ')
		return NULL;
	return header + n + strspn(header + n, " ");
}

/* user:password of "Basic <base64>"; NULL: it is none. */
static const char *basic_login(const char *base64, char *buf, size_t size)
{
	int n = sw_b64_decode(base64, strlen(base64), (unsigned char *)buf, size - 1);

	if (n <= 0 || memchr(buf, '\0', (size_t)n))
		return NULL;
	buf[n] = '\0';
	return buf;
}

int sw_verify_authorization(const char *const *tokens, const char *const *logins, const char *header)
{
	const char *base64 = scheme(header, "Basic");
	char buf[LOGIN_BYTES];
	int by_token = sw_verify_token(tokens, scheme(header, "Bearer"));
	int by_login = sw_verify_token(logins, base64 ? basic_login(base64, buf, sizeof buf) : NULL), n = 0;

	while (tokens && tokens[n])
		n++;
	return by_token >= 0 ? by_token : by_login >= 0 ? n + by_login : -1;
}

int sw_verify_query(const char *const *tokens, const char *query, const char *name, struct sw_arena *a)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	const char *found = NULL;
	size_t n = strlen(name);
	unsigned times = 0;

	for (const char *p = query; p && *p; p += *p == '&') {
		size_t len = strcspn(p, "&");

		if (len > n && memcmp(p, name, n) == 0 && p[n] == '=') {
			times++;
			sw_buf_reset(&b);
			if (sw_pct_decode(&b, p + n + 1, len - n - 1, true) == 0 && !memchr(sw_buf_str(&b), '\0', b.n))
				found = sw_arena_strndup(a, sw_buf_str(&b), b.n);
		}
		p += len;
	}
	return sw_verify_token(tokens, times == 1 ? found : NULL);
}

unsigned sw_request_count(const struct sw_request *rq, const char *name_lower)
{
	unsigned n = 0;

	for (size_t i = 0; i < rq->n_headers; i++)
		n += strcmp(rq->headers[i].name, name_lower) == 0;
	return n;
}

bool sw_verify_fresh(const char *stamp, sw_ms now)
{
	char *end;
	long long s;

	if (!stamp || *stamp < '0' || *stamp > '9' || strlen(stamp) > 12)
		return false;
	s = strtoll(stamp, &end, 10);
	return !*end && llabs(s * 1000 - (long long)now) <= SIGNED_WITHIN;
}

/* One of "v1,<base64>" entries separated by spaces equals mac? */
static bool listed(const char *list, const unsigned char mac[SW_SHA256_BYTES])
{
	bool same = false;

	for (const char *p = list; p && *p;) {
		size_t n = strcspn(p, " ");
		unsigned char got[SW_SHA256_BYTES + 4];

		if (n > 3 && memcmp(p, "v1,", 3) == 0 && sw_b64_decode(p + 3, n - 3, got, sizeof got) == SW_SHA256_BYTES)
			same |= sw_mem_equal(got, mac, SW_SHA256_BYTES);
		p += n;
		while (*p == ' ')
			p++;
	}
	return same;
}

int sw_verify_standard(const char *const *keys, const struct sw_request *rq, sw_ms now)
{
	const char *id = sw_request_header(rq, "webhook-id"), *stamp = sw_request_header(rq, "webhook-timestamp"),
		   *sig = sw_request_header(rq, "webhook-signature");
	bool fresh = id && *id && sw_verify_fresh(stamp, now);
	struct sw_hmac *h = sw_hmac_new();
	int fitted = -1;

	for (int i = 0; keys && keys[i]; i++) {
		const char *text = sw_starts(keys[i], "whsec_") ? keys[i] + strlen("whsec_") : keys[i];
		unsigned char raw[KEY_BYTES], mac[SW_SHA256_BYTES];
		int n = sw_b64_decode(text, strlen(text), raw, sizeof raw);
		struct sw_hmac_key *k = sw_hmac_key_new(raw, n > 0 ? (size_t)n : 0);

		sw_hmac_begin(h, k);
		sw_hmac_add(h, id ? id : "", id ? strlen(id) : 0);
		sw_hmac_add(h, ".", 1);
		sw_hmac_add(h, stamp ? stamp : "", stamp ? strlen(stamp) : 0);
		sw_hmac_add(h, ".", 1);
		sw_hmac_add(h, rq->body, rq->body_n);
		sw_hmac_end(h, mac);
		sw_hmac_key_free(k);
		fitted = fits(fitted, i, listed(sig, mac) && fresh && n > 0);
	}
	sw_hmac_free(h);
	return fitted;
}
