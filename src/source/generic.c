/*
 * Any JSON, by a mapping in the configuration: Jenkins, Gitee, Bitbucket, Azure DevOps, Argo CD, Flux come in this way (examples/sources).
 *
 * 1. Who may send: a token in a header (or in the address, for senders that can do nothing else), a Basic login, or an HMAC in a
 *    header over the body or over what `signature: {over: …}` says. One that fits is enough; where nothing is configured nobody may.
 * 2. A redelivery is told by what `delivery` says: a header, a place in the body, or several joined. Without it, or where it is not
 *    there, the same body within ten minutes is one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hmac.h"
#include "base/str.h"
#include "source/host.h"
#include "source/mapping.h"

#define OVER_PARTS 16

enum encoding { ENCODING_HEX, ENCODING_BASE64 };
enum over { OVER_TEXT, OVER_BODY, OVER_SECRET, OVER_TIMESTAMP };

struct signature {
	const char *header, *prefix, *over, *timestamp;
	int digest, encoding;
	sw_dur within;
	struct { enum over what; const char *text; } parts[OVER_PARTS];
	size_t n_parts;
};

struct generic {
	const char **tokens, **logins, **secrets, *token_header, *token_query;
	bool is_unsigned;
	const struct sw_ynode *signature_node, *delivery_node;
	struct mapping_conf maps;
	struct signature signature;
	struct places delivery;
	struct mapping mapping;
};

#define G(field) offsetof(struct generic, field)
static const struct sw_key generic_keys[] = {
	{ "tokens", SW_KEY_SECRETS, G(tokens), NULL, "tokens the sender shows, the current one and those being replaced", 0, 0, NULL },
	{ "token_header", SW_KEY_STRING, G(token_header), "Authorization", "header they stand in; of Authorization behind the word Bearer", 0, 0, NULL },
	{ "token_query", SW_KEY_STRING, G(token_query), NULL,
	  "name under which a token may stand in the address too (?token=…): for senders that can set no header, as proxies log addresses", 0, 0, NULL },
	{ "logins", SW_KEY_SECRETS, G(logins), NULL, "or user:password of Basic authentication", 0, 0, NULL },
	{ "secrets", SW_KEY_SECRETS, G(secrets), NULL, "or secrets it signs with; `signature` says how", 0, 0, NULL },
	{ "signature", SW_KEY_NODE, G(signature_node), NULL, "how it signs: see the table below", 0, 0, NULL },
	{ "unsigned", SW_KEY_BOOL, G(is_unsigned), "false", "take what shows neither token nor signature", 0, 0, NULL },
	{ "delivery", SW_KEY_NODE, G(delivery_node), NULL,
	  "what tells a redelivery: a place, or a list of places whose texts are joined; the body within 10 minutes unless said", 0, 0, NULL },
	MAPPING_KEYS(struct generic, maps),
	{ 0 },
};
#undef G

#define S(field) offsetof(struct signature, field)
static const char *const digests[] = { "sha1", "sha256", "sha384", "sha512", NULL };
static const char *const encodings[] = { "hex", "base64", NULL };
static const struct sw_key signature_keys[] = {
	{ "header", SW_KEY_STRING, S(header), "!", "header the signature stands in", 0, 0, NULL },
	{ "algorithm", SW_KEY_ENUM, S(digest), "sha256", "HMAC with sha1, sha256, sha384 or sha512", 0, 0, digests },
	{ "encoding", SW_KEY_ENUM, S(encoding), "hex", "hex or base64", 0, 0, encodings },
	{ "prefix", SW_KEY_STRING, S(prefix), NULL, "what stands before it in the header: sha256=", 0, 0, NULL },
	{ "over", SW_KEY_STRING, S(over), "{body}", "what is signed: a text with {timestamp} or {secret} beside {body}", 0, 0, NULL },
	{ "timestamp", SW_KEY_STRING, S(timestamp), NULL, "header with the time of sending, in seconds or milliseconds", 0, 0, NULL },
	{ "within", SW_KEY_DUR, S(within), "5m", "how far it may be from our clock", SW_SECOND, SW_DAY, NULL },
	{ 0 },
};
#undef S

static const char *const no_headers[] = { NULL }; /* those of the mapping are kept, no other */

/* ---- settings ---- */

static const char *lower(const char *s, struct sw_arena *a)
{
	char *ret = s ? sw_arena_strdup(a, s) : NULL;

	for (char *p = ret; p && *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p |= 32;
	return ret;
}

/* "{timestamp}.{body}" into its parts. */
static void load_over(struct signature *s, const struct sw_ynode *node, struct sw_arena *a, struct sw_diags *d)
{
	static const struct { const char *word; enum over what; } words[] = {
		{ "{body}", OVER_BODY }, { "{secret}", OVER_SECRET }, { "{timestamp}", OVER_TIMESTAMP } };
	const struct sw_ynode *at = sw_yget(node, "over") ? sw_yget(node, "over") : node;
	const char *p = s->over;
	bool body = false, stamp = false;

	while (p && *p) {
		size_t k = 0, n = strcspn(p, "{");

		if (s->n_parts == OVER_PARTS) {
			sw_diag_error(d, at, "over: want at most %d parts", OVER_PARTS);
			return;
		}
		if (n) {
			s->parts[s->n_parts].what = OVER_TEXT;
			s->parts[s->n_parts++].text = sw_arena_strndup(a, p, n);
			p += n;
			continue;
		}
		while (k < SW_COUNT(words) && !sw_starts(p, words[k].word))
			k++;
		if (k == SW_COUNT(words)) {
			sw_diag_error(d, at, "over: want {body}, {timestamp} or {secret}, got \"%.40s\"", p);
			return;
		}
		body |= words[k].what == OVER_BODY;
		stamp |= words[k].what == OVER_TIMESTAMP;
		s->parts[s->n_parts++].what = words[k].what;
		p += strlen(words[k].word);
	}
	if (stamp && !s->timestamp)
		sw_diag_error(d, at, "over: {timestamp} wants \"timestamp\", the header it stands in");
	if (!body && !s->timestamp)
		sw_diag_error(d, at, "over: without {body} and {timestamp} one signature would fit everything");
	if (!body && s->timestamp && !stamp)
		sw_diag_error(d, at, "over: neither {body} nor {timestamp} is signed");
}

static void generic_load(void *conf, const struct sw_ynode *node, struct sw_arena *a, struct sw_diags *d)
{
	struct generic *c = conf;
	struct signature *s = &c->signature;

	if (c->signature_node && sw_keys_read(signature_keys, c->signature_node, c->signature_node, NULL, a, s, d) == 0) {
		s->header = lower(s->header, a);
		s->timestamp = lower(s->timestamp, a);
		load_over(s, c->signature_node, a, d);
	}
	if (c->secrets && !c->signature_node)
		sw_diag_key(d, sw_yget(node, "secrets"), "secrets want \"signature\": {header: …, algorithm: sha256}");
	if (c->signature_node && !c->secrets)
		sw_diag_key(d, sw_yget(node, "signature"), "a signature wants \"secrets\"");
	if (!c->tokens && !c->logins && !c->secrets && !c->is_unsigned)
		sw_diag_key(d, node, "nobody may send: want tokens, logins, or secrets with a signature");
	if ((sw_yget(node, "token_header") || c->token_query) && !c->tokens)
		sw_diag_key(d, node, "token_header and token_query want \"tokens\"");
	c->token_header = lower(c->token_header, a);
	if (c->delivery_node)
		sw_places_load(c->delivery_node, a, &c->delivery, d);
	sw_mapping_load(&c->maps, node, false, a, &c->mapping, d);
}

static const char *const *generic_more(const void *conf)
{
	return (const char *const *)((const struct generic *)conf)->mapping.headers;
}

/* ---- is it them? ---- */

static bool stamp_fresh(const char *text, sw_dur within, sw_ms now)
{
	char *end;
	long long v;

	if (!text || *text < '0' || *text > '9' || strlen(text) > 14)
		return false;
	v = strtoll(text, &end, 10);
	if (v < 100000000000)
		v *= 1000;
	return !*end && llabs(v - (long long)now) <= within;
}

/* Index of the secret whose signature it is, or -1; all of them are tried. */
static int by_signature(const struct generic *c, const struct sw_request *rq)
{
	const struct signature *s = &c->signature;
	const char *given = s->header ? sw_request_header(rq, s->header) : NULL, *stamp = s->timestamp ? sw_request_header(rq, s->timestamp) : NULL;
	unsigned char want[SW_HASH_MOST] = { 0 }, got[SW_HASH_MOST];
	bool once = s->header && sw_request_count(rq, s->header) == 1 && (!s->timestamp || sw_request_count(rq, s->timestamp) == 1);
	bool fresh = !s->timestamp || stamp_fresh(stamp, s->within, rq->arrived);
	size_t prefix = s->prefix ? strlen(s->prefix) : 0;
	int fitted = -1, want_n = -1;

	if (given && strncmp(given, s->prefix ? s->prefix : "", prefix) == 0) {
		given += prefix;
		if (s->encoding == ENCODING_BASE64)
			want_n = sw_b64_decode(given, strlen(given), want, sizeof want);
		else if (strlen(given) % 2 == 0 && strlen(given) <= 2 * sizeof want && sw_hex_decode(given, strlen(given), want, strlen(given) / 2) == 0)
			want_n = (int)(strlen(given) / 2);
	}
	for (int i = 0; c->secrets && c->secrets[i]; i++) {
		struct sw_piece pieces[OVER_PARTS];
		size_t n;

		for (size_t k = 0; k < s->n_parts; k++) {
			const char *text = s->parts[k].what == OVER_TEXT ? s->parts[k].text : s->parts[k].what == OVER_SECRET ? c->secrets[i] : stamp ? stamp : "";

			pieces[k] = s->parts[k].what == OVER_BODY ? (struct sw_piece){ rq->body, rq->body_n } : (struct sw_piece){ text, strlen(text) };
		}
		n = sw_hmac_of((enum sw_hash)s->digest, c->secrets[i], strlen(c->secrets[i]), pieces, s->n_parts, got);
		if (sw_mem_equal(want, got, n) && want_n == (int)n && once && fresh && fitted < 0)
			fitted = i;
	}
	return fitted;
}

static int length(const char **list)
{
	int n = 0;

	while (list && list[n])
		n++;
	return n;
}

/* Whose: tokens count first, then logins, then secrets; -1: nobody's. *ret_shown: something was shown. */
static int generic_who(const struct generic *c, const struct sw_request *rq, struct sw_arena *a, bool *ret_shown)
{
	const char *const *tokens = (const char *const *)c->tokens;
	bool standard = sw_streq(c->token_header, "authorization");
	const char *own = standard ? NULL : sw_request_header(rq, c->token_header), *auth = sw_request_header(rq, "authorization");
	int header = sw_verify_token(tokens, own && sw_request_count(rq, c->token_header) == 1 ? own : NULL);
	int login = sw_verify_authorization(standard ? tokens : NULL, (const char *const *)c->logins, auth);
	int query = sw_verify_query(c->token_query ? tokens : NULL, rq->query, c->token_query ? c->token_query : "", a);
	int sign = by_signature(c, rq);

	*ret_shown = own || auth || (c->signature.header && sw_request_header(rq, c->signature.header));
	if (sw_request_count(rq, "authorization") > 1)
		login = -1;
	if (header >= 0 || query >= 0)
		return header >= 0 ? header : query;
	if (login >= 0)
		return standard ? login : length(c->tokens) + login;
	return sign >= 0 ? length(c->tokens) + length(c->logins) + sign : -1;
}

static int generic_tree(const struct sw_request *rq, struct sw_arena *a, struct sw_jnode **ret, struct sw_err *err)
{
	const char *json;
	size_t n;
	int r = sw_form_text(rq, a, &json, &n, err);

	return r < 0 ? r : sw_jtree_parse(a, json, n, MAPPING_NODES, ret, err) < 0 ? -EBADMSG : 0;
}

static int generic_verify(const void *conf, const struct sw_request *rq, struct sw_arena *a, struct sw_proof *ret, struct sw_err *err)
{
	const struct generic *c = conf;
	struct sw_jnode *root;
	bool shown;

	*ret = (struct sw_proof){ .dedupe_for = DEDUPE_SHORT, .what = "event", .secret = generic_who(c, rq, a, &shown) };
	if (ret->secret < 0 && !(c->is_unsigned && !shown))
		return sw_err_set(err, EACCES, shown ? "the token, login or signature fits none of those configured" : "no token, login or signature");
	for (size_t i = 0; i < c->mapping.n_headers; i++)
		if (sw_request_count(rq, c->mapping.headers[i]) > 1)
			return sw_err_set(err, EBADMSG, "the header %s is there twice", c->mapping.headers[i]);
	ret->ignore = sw_mapping_refuses(&c->mapping, rq);
	ret->run = sw_mapping_runs(&c->mapping);
	if (ret->ignore || !c->delivery.n || generic_tree(rq, a, &root, NULL) < 0)
		return 0; /* text and check tell what is wrong with it */
	ret->dedupe = sw_places_joined(&c->delivery, rq, root, a);
	if (ret->dedupe)
		ret->dedupe_for = DEDUPE_LONG;
	return 0;
}

/* ---- events ---- */

/* As many values as are read, counted without keeping any. */
static int generic_check(const char *json, size_t n, struct sw_err *err)
{
	struct sw_json j;
	enum sw_json_token t;
	size_t values = 0;

	sw_json_init(&j, json, n);
	while ((t = sw_json_next(&j)) > SW_JSON_END) {
		values += t != SW_JSON_KEY && t != SW_JSON_OBJECT_END && t != SW_JSON_ARRAY_END;
		if (values > MAPPING_NODES)
			return sw_err_set(err, EBADMSG, "want at most %d values in one body", MAPPING_NODES);
	}
	return 0;
}

static int generic_parse(const void *conf, const struct sw_request *rq, struct sw_events *out, struct sw_err *err)
{
	const struct generic *c = conf;
	struct sw_event base;
	struct sw_jnode *root;
	int r = generic_tree(rq, out->a, &root, err);

	if (r < 0)
		return r;
	sw_event_init(&base);
	base.what = "event";
	base.source = rq->source;
	base.source_kind = "generic";
	base.received = rq->arrived;
	sw_mapping_events(&c->mapping, rq, root, &base, out);
	return 0;
}

const struct sw_source sw_source_generic = {
	.base = { "generic", "any JSON, by pointers into it", generic_keys, sizeof(struct generic) },
	.mark = NULL,
	.headers = no_headers,
	.more = generic_more,
	.types = sw_form_types,
	.verify = generic_verify,
	.text = sw_form_text,
	.load = generic_load,
	.check = generic_check,
	.parse = generic_parse,
};
