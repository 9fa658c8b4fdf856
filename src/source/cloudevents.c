/*
 * CloudEvents 1.0 over HTTP (inbound-events.md 5.2) in their three shapes, CDEvents in them, and others by a mapping.
 *
 *   binary       attributes in ce- headers, the body is the data
 *   structured   application/cloudevents+json: one object with attributes and data
 *   batch        application/cloudevents-batch+json: a list of those
 *   bare         a CDEvent posted as it is: its context has the attributes
 *
 * 1. Whoever may send shows a Bearer token (also ?access_token=, as the specification demands), a Basic login, or signs by Standard
 *    Webhooks; a signature that is there has to fit.
 * 2. source and id together tell a redelivery; those of a batch all together.
 * 3. Every shape is read as the JSON format has it, so that a mapping's pointers are the same for all: /type, /data/….
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/hmac.h"
#include "base/str.h"
#include "source/cdevents.h"
#include "source/host.h"
#include "source/mapping.h"

#define ATTRIBUTE_BYTES 4096

struct cloudevents {
	const char **secrets, **tokens, **logins;
	bool is_unsigned;
	struct mapping_conf maps;
	struct mapping mapping;
};

#define C(field) offsetof(struct cloudevents, field)
static const struct sw_key cloudevents_keys[] = {
	{ "secrets", SW_KEY_SECRETS, C(secrets), NULL, "keys (whsec_…) its senders sign with by Standard Webhooks, the current one and those being replaced", 0, 0, NULL },
	{ "tokens", SW_KEY_SECRETS, C(tokens), NULL, "or tokens they show: Authorization: Bearer, or ?access_token= in the address", 0, 0, NULL },
	{ "logins", SW_KEY_SECRETS, C(logins), NULL, "or user:password of Basic authentication", 0, 0, NULL },
	{ "unsigned", SW_KEY_BOOL, C(is_unsigned), "false", "take what shows neither token nor signature", 0, 0, NULL },
	MAPPING_KEYS(struct cloudevents, maps),
	{ 0 },
};
#undef C

static const char *const cloudevents_headers[] = { "ce-specversion", "ce-id", "ce-source", "ce-type", "ce-time", "ce-subject", "webhook-id",
	                                           "webhook-timestamp", "webhook-signature", NULL };
static const char *const cloudevents_types[] = { "application/json", "application/cloudevents+json", "application/cloudevents-batch+json", NULL };

static void cloudevents_load(void *conf, const struct sw_ynode *node, struct sw_arena *a, struct sw_diags *d)
{
	struct cloudevents *c = conf;

	if (!c->tokens && !c->logins && !c->secrets && !c->is_unsigned)
		sw_diag_key(d, node, "nobody may send: want secrets, tokens or logins");
	if (!c->maps.events && (c->maps.when || c->maps.each || c->maps.status || c->maps.event || c->maps.metrics || c->maps.commits))
		sw_diag_key(d, node, "what CloudEvents mean that are no CDEvents stands in \"events\", each with its \"when\"");
	sw_mapping_load(&c->maps, node, true, a, &c->mapping, d);
}

static const char *const *cloudevents_more(const void *conf)
{
	return (const char *const *)((const struct cloudevents *)conf)->mapping.headers;
}

/* ---- envelopes ---- */

struct reading { const struct sw_request *rq; struct sw_arena *a; struct envelope *items; size_t n, left_out; };

static bool utf8_ok(const char *s, size_t n)
{
	while (n) {
		unsigned k = sw_utf8_len(s, n);

		if (!k || !*s)
			return false;
		s += k;
		n -= k;
	}
	return true;
}

/*
 * An attribute out of its header: quotes undone, then one round of percent-decoding. A lone '%' is itself.
 * Return: 0 and *ret (NULL: it is not there), or -EBADMSG.
 */
static int attribute(const struct reading *r, const char *header, const char **ret, struct sw_err *err)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf plain = SW_BUF_INIT, b = SW_BUF_INIT;
	const char *v = sw_request_header(r->rq, header);
	size_t n = v ? strlen(v) : 0;

	*ret = NULL;
	if (!n)
		return 0;
	if (n > ATTRIBUTE_BYTES)
		return sw_err_set(err, EBADMSG, "%s: more than %d bytes", header, ATTRIBUTE_BYTES);
	if (n >= 2 && v[0] == '"' && v[n - 1] == '"') {
		for (size_t i = 1; i + 1 < n; i++) {
			if (v[i] == '\\' && i + 2 < n)
				i++;
			sw_buf_putc(&plain, v[i]);
		}
	} else {
		sw_buf_catn(&plain, v, n);
	}
	if (sw_pct_decode(&b, sw_buf_str(&plain), plain.n, false) < 0) {
		sw_buf_reset(&b);
		sw_buf_catn(&b, sw_buf_str(&plain), plain.n);
	}
	if (!utf8_ok(sw_buf_str(&b), b.n))
		return sw_err_set(err, EBADMSG, "%s: not UTF-8", header);
	*ret = b.n ? sw_arena_strndup(r->a, sw_buf_str(&b), b.n) : NULL;
	return 0;
}

static struct sw_jnode *node_text(struct sw_arena *a, const char *key, const char *s, struct sw_jnode *next)
{
	struct sw_jnode *n;

	if (!s)
		return next;
	n = SW_ARENA_NEW(a, struct sw_jnode);
	*n = (struct sw_jnode){ .type = SW_J_STRING, .key = key, .text = s, .n = strlen(s), .next = next };
	return n;
}

/* The JSON format's object of an event whose attributes stood elsewhere. */
static void envelope_root(struct sw_arena *a, struct envelope *e, const struct sw_jnode *data)
{
	struct sw_jnode *root = SW_ARENA_NEW(a, struct sw_jnode), *copy = NULL;

	if (data) {
		copy = SW_ARENA_NEW(a, struct sw_jnode);
		*copy = *data;
		copy->key = "data";
		copy->next = NULL;
	}
	root->type = SW_J_OBJECT;
	root->child = node_text(a, "id", e->id, node_text(a, "source", e->source, node_text(a, "type", e->type,
		node_text(a, "subject", e->subject, node_text(a, "time", e->time, copy)))));
	for (const struct sw_jnode *n = root->child; n; n = n->next)
		root->n++;
	e->root = root;
	e->data = copy;
}

/* At what place of a batch it is wrong; alone: at none. */
static int envelope_whole(const struct envelope *e, const char *version, const char *at, struct sw_err *err)
{
	char got[40];

	if (!version)
		return sw_err_set(err, EBADMSG, "%sspecversion: is missing", at);
	if (!sw_starts(version, "1."))
		return sw_err_set(err, EBADMSG, "%sspecversion: want 1.0, got \"%s\"", at, sw_err_quote(version, strlen(version), got, sizeof got));
	if (!e->id || !*e->id || !e->source || !*e->source || !e->type || !*e->type)
		return sw_err_set(err, EBADMSG, "%s%s: is missing", at, !e->id || !*e->id ? "id" : !e->source || !*e->source ? "source" : "type");
	return 0;
}

/* `data_base64` is JSON too where it says so or says nothing. */
static const struct sw_jnode *binary_data(const struct reading *r, const struct sw_jnode *root)
{
	const char *text = sw_jstr(root, "data_base64");
	size_t n = text ? strlen(text) : 0;
	struct sw_jnode *data = NULL;
	unsigned char *raw;
	int got;

	if (!n)
		return NULL;
	raw = sw_arena_alloc(r->a, n);
	got = sw_b64_decode(text, n, raw, n);
	if (got <= 0 || sw_jtree_parse(r->a, (const char *)raw, (size_t)got, MAPPING_NODES, &data, NULL) < 0)
		return NULL;
	return data;
}

static int read_structured(struct reading *r, const struct sw_jnode *root, const char *at, struct sw_err *err)
{
	struct envelope e = { .id = sw_jstr(root, "id"), .source = sw_jstr(root, "source"), .type = sw_jstr(root, "type"),
		.subject = sw_jstr(root, "subject"), .time = sw_jstr(root, "time"), .root = root, .data = sw_jget(root, "data") };
	int rc;

	if (root->type != SW_J_OBJECT)
		return sw_err_set(err, EBADMSG, "%swant a JSON object", at);
	rc = envelope_whole(&e, sw_jstr(root, "specversion"), at, err);
	if (rc < 0)
		return rc;
	if (!e.data && sw_jget(root, "data_base64"))
		envelope_root(r->a, &e, binary_data(r, root));
	if (r->n == SW_EVENTS_MAX)
		r->left_out++;
	else
		r->items[r->n++] = e;
	return 0;
}

static int read_batch(struct reading *r, const struct sw_jnode *root, struct sw_err *err)
{
	size_t i = 0;

	if (root->type != SW_J_ARRAY)
		return sw_err_set(err, EBADMSG, "want a JSON list of events");
	for (const struct sw_jnode *n = root->child; n; n = n->next) {
		char at[32];
		int rc;

		(void)snprintf(at, sizeof at, "[%zu].", i++);
		rc = read_structured(r, n, at, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int read_binary(struct reading *r, const struct sw_jnode *body, struct sw_err *err)
{
	struct envelope e = { 0 };
	const char *version;
	int rc = attribute(r, "ce-specversion", &version, err);

	if (rc == 0)
		rc = attribute(r, "ce-id", &e.id, err);
	if (rc == 0)
		rc = attribute(r, "ce-source", &e.source, err);
	if (rc == 0)
		rc = attribute(r, "ce-type", &e.type, err);
	if (rc == 0)
		rc = attribute(r, "ce-subject", &e.subject, err);
	if (rc == 0)
		rc = attribute(r, "ce-time", &e.time, err);
	if (rc == 0)
		rc = envelope_whole(&e, version, "ce-", err);
	if (rc < 0)
		return rc;
	envelope_root(r->a, &e, body);
	r->items[r->n++] = e;
	return 0;
}

static int read_bare(struct reading *r, const struct sw_jnode *body, struct sw_err *err)
{
	const struct sw_jnode *context = sw_jget(body, "context");
	struct envelope e = { .id = sw_jstr(context, "id"), .source = sw_jstr(context, "source"), .type = sw_jstr(context, "type"),
		.time = sw_jstr(context, "timestamp"), .subject = sw_jstr(sw_jget(body, "subject"), "id") };
	int rc = envelope_whole(&e, "1.0", "context.", err);

	if (rc < 0)
		return rc;
	envelope_root(r->a, &e, body);
	r->items[r->n++] = e;
	return 0;
}

/* Return: 0 and r's items; -EBADMSG with err: it is no CloudEvent; -EINVAL: it is no JSON. */
static int envelopes(struct reading *r, struct sw_err *err)
{
	const char *type = r->rq->content_type ? r->rq->content_type : "";
	struct sw_jnode *root;
	int rc;

	r->items = SW_ARENA_ARRAY(r->a, struct envelope, SW_EVENTS_MAX);
	rc = sw_jtree_parse(r->a, r->rq->body, r->rq->body_n, MAPPING_NODES, &root, err);
	if (rc < 0)
		return rc == -E2BIG ? -EBADMSG : -EINVAL;
	if (sw_starts(type, "application/cloudevents-batch")) /* first: the other is the beginning of it */
		return read_batch(r, root, err);
	if (sw_starts(type, "application/cloudevents"))
		return read_structured(r, root, "", err);
	if (sw_request_header(r->rq, "ce-specversion") || sw_request_header(r->rq, "ce-id") || sw_request_header(r->rq, "ce-type"))
		return read_binary(r, root, err);
	if (root->type == SW_J_OBJECT && sw_jget(root, "specversion"))
		return read_structured(r, root, "", err);
	if (sw_jstr(sw_jget(root, "context"), "type"))
		return read_bare(r, root, err);
	return sw_err_set(err, EBADMSG, "no CloudEvent: want ce- headers, or Content-Type application/cloudevents+json");
}

/* ---- is it them? ---- */

static bool wanted(const struct cloudevents *c, const struct envelope *e)
{
	return sw_cdevents_is(e->type) ? sw_cdevents_wanted(e->type) : c->mapping.n > 0;
}

static const char *dedupe_key(const struct reading *r)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	unsigned char digest[SW_SHA256_BYTES];

	if (r->n == 1 && !r->left_out)
		return sw_arena_printf(r->a, "%s\n%s", r->items[0].source, r->items[0].id);
	if (!r->n || r->left_out)
		return NULL;
	for (size_t i = 0; i < r->n; i++)
		sw_buf_printf(&b, "%s\n%s\n", r->items[i].source, r->items[i].id);
	sw_sha256(b.p, b.n, digest);
	sw_buf_reset(&b);
	sw_buf_cat(&b, "batch:");
	sw_hex_encode(&b, digest, sizeof digest);
	return sw_arena_strndup(r->a, b.p, b.n);
}

static int length(const char **list)
{
	int n = 0;

	while (list && list[n])
		n++;
	return n;
}

/* Index: secrets count first, then tokens, then logins; -1: nobody's. */
static int cloudevents_who(const struct cloudevents *c, const struct sw_request *rq, struct sw_arena *a, bool *ret_shown, bool *ret_signed)
{
	const char *const *tokens = (const char *const *)c->tokens;
	const char *auth = sw_request_header(rq, "authorization"), *sig = sw_request_header(rq, "webhook-signature");
	int sign = sw_verify_standard((const char *const *)c->secrets, rq, rq->arrived);
	int header = sw_verify_authorization(tokens, (const char *const *)c->logins, auth);
	int query = sw_verify_query(tokens, rq->query, "access_token", a), n = length(c->secrets);

	*ret_signed = sig && c->secrets;
	*ret_shown = auth || sig || (rq->query && strstr(rq->query, "access_token="));
	if (*ret_signed)
		return sign; /* no way back to the token */
	if (header >= 0)
		return n + header;
	return query >= 0 ? n + query : -1;
}

static int cloudevents_verify(const void *conf, const struct sw_request *rq, struct sw_arena *a, struct sw_proof *ret, struct sw_err *err)
{
	const struct cloudevents *c = conf;
	struct reading r = { .rq = rq, .a = a };
	bool shown, is_signed;
	int rc;

	*ret = (struct sw_proof){ .dedupe_for = DEDUPE_SHORT, .what = "other", .secret = cloudevents_who(c, rq, a, &shown, &is_signed) };
	if (ret->secret < 0 && !(c->is_unsigned && !shown))
		return sw_err_set(err, EACCES, is_signed ? "webhook-signature does not fit any of the secrets, or is older than 5 min"
		                                : shown  ? "the token or login fits none of those configured"
		                                         : "no webhook-signature and no Authorization");
	rc = envelopes(&r, err);
	if (rc == -EINVAL)
		return 0; /* the JSON is told to be broken, with its place */
	if (rc < 0)
		return rc;
	ret->ignore = true;
	for (size_t i = 0; i < r.n; i++)
		ret->ignore &= !wanted(c, &r.items[i]);
	ret->run = !ret->ignore;
	if (r.n == 1 && sw_cdevents_name(r.items[0].type))
		ret->what = sw_cdevents_name(r.items[0].type);
	ret->dedupe = dedupe_key(&r);
	if (ret->dedupe)
		ret->dedupe_for = DEDUPE_LONG;
	return 0;
}

/* ---- events ---- */

static int one_event(const struct cloudevents *c, const struct sw_request *rq, const struct envelope *e, struct sw_events *out,
                     struct sw_err *err)
{
	struct sw_event base, *ev;
	int r = sw_cdevents_is(e->type) ? sw_cdevents_read(e, out->a, &base, err) : 0;

	if (r < 0)
		return r;
	if (r > 0) {
		base.source = rq->source;
		base.source_kind = "cloudevents";
		base.received = rq->arrived;
		sw_mapping_fill(&c->mapping, rq, e->root, out->a, &base);
		if (!base.host)
			base.host = sw_host_of_url(out->a, e->source);
		if (!base.at)
			base.at = rq->arrived;
		if (!base.ci_run_id)
			sw_host_run_id(&base, out->a);
		ev = sw_events_add(out);
		if (ev)
			*ev = base;
		return 0;
	}
	if (sw_cdevents_is(e->type))
		return 0;
	sw_event_init(&base);
	base.what = e->type;
	base.source = rq->source;
	base.source_kind = "cloudevents";
	base.received = rq->arrived;
	base.report_id = sw_arena_printf(out->a, "%s %s", e->source, e->id);
	sw_mapping_events(&c->mapping, rq, e->root, &base, out);
	return 0;
}

static int cloudevents_parse(const void *conf, const struct sw_request *rq, struct sw_events *out, struct sw_err *err)
{
	struct reading r = { .rq = rq, .a = out->a };
	struct sw_err first = SW_ERR_INIT, one = SW_ERR_INIT;
	size_t broken = 0;

	if (envelopes(&r, err) < 0)
		return -EBADMSG;
	for (size_t i = 0; i < r.n; i++)
		if (one_event(conf, rq, &r.items[i], out, &one) < 0 && !broken++)
			first = one;
	out->left_out += r.left_out;
	out->cut |= r.left_out > 0;
	if (!broken || out->n)
		return 0; /* one that cannot be read does not take the rest of its batch with it */
	*err = first;
	return -EBADMSG;
}

const struct sw_source sw_source_cloudevents = {
	.base = { "cloudevents", "CloudEvents over HTTP, CDEvents in them", cloudevents_keys, sizeof(struct cloudevents) },
	.mark = "ce-specversion",
	.headers = cloudevents_headers,
	.more = cloudevents_more,
	.secret = "authorization",
	.types = cloudevents_types,
	.verify = cloudevents_verify,
	.text = sw_form_text,
	.load = cloudevents_load,
	.parse = cloudevents_parse,
	.handshake = true,
};
