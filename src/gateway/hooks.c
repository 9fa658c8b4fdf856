/*
 * POST /hooks/<source> and POST /ci-report: from the raw bytes to a durable entry and its answer.
 *
 *   head:  method, media type, length                                   405 415 413
 *   body:  verify ─▶ JSON, schema ─▶ pack ─▶ store ─▶ 202 queued        401 429 400, 200 pong ignored duplicate, 503
 *
 * An unknown source is refused like a wrong signature, after the same work. Only who is not authentic is ever limited.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hmac.h"
#include "base/json.h"
#include "base/str.h"
#include "bus/pack.h"
#include "gateway/inner.h"
#include "shipwatch/log.h"
#include "shipwatch/mem.h"

#define LOG "gateway"

enum {
	/* Measured with Redis under always, 2 cores shared: packed 16,000/s at 8 KB and 13,000/s at 21 KB, raw 10,000/s and 5,000/s. */
	PACK_FROM = 1024,
	FORM_FACTOR = 3,              /* a form body is percent-encoded */
	DEDUPE_UNSIGNED = 10 * 60000, /* ms: nobody signed the time */
	RUN_ID_BODY = 64 * 1024,      /* bodies up to here are read for the log's ci_run_id */
	ORIGIN_MOST = 255,            /* bytes of the name of a sender that asks first */
};

/* A delivery between its head and its answer. */
struct hook {
	struct setup *setup;
	const struct sw_conf_source *src;  /* NULL: no such source */
	char media[80];
	/* from verify on */
	struct gateway *g;
	struct sw_http_req *req;
	struct sw_entry_in entry;
	struct sw_arena arena;             /* what entry points to */
	char id[SW_ID_SIZE];
	const char *delivery, *what, *ci_run_id;
};

/* The media type without parameters, in lower case. */
static void hook_media(const char *value, char *out, size_t size)
{
	size_t n = 0;

	for (; value && *value && *value != ';' && *value != ' ' && *value != '\t' && n + 1 < size; value++)
		out[n++] = *value >= 'A' && *value <= 'Z' ? (char)(*value + 32) : *value;
	out[n] = '\0';
}

static bool hook_takes(const char *const *types, const char *media)
{
	for (; types && *types; types++)
		if (strcmp(*types, media) == 0)
			return true;
	return false;
}

static bool hook_takes_any(const char *media)
{
	for (size_t i = 0; sw_sources[i]; i++)
		if (hook_takes(sw_sources[i]->types, media))
			return true;
	return false;
}

/*
 * OPTIONS, and the question whether a sender may send (CloudEvents' HTTP webhooks, "abuse protection"). Where any source has senders that ask,
 * all of them are told yes, so that the answer does not tell which sources there are: who may send is a matter of its signature.
 */
static void hook_handshake(const struct sw_config *cfg, struct sw_http_req *req, const struct sw_header *allow)
{
	const char *origin = sw_http_header(req, "webhook-request-origin");
	struct sw_header headers[3] = { *allow };
	size_t n = 1;
	bool asked = false;

	for (size_t i = 0; i < cfg->n_sources; i++)
		asked |= !cfg->sources[i].queue && cfg->sources[i].plugin->handshake;
	if (asked && origin && *origin && strlen(origin) <= ORIGIN_MOST && sw_http_header_count(req, "webhook-request-origin") == 1) {
		headers[n++] = (struct sw_header){ "WebHook-Allowed-Origin", origin };
		if (sw_http_header(req, "webhook-request-rate"))
			headers[n++] = (struct sw_header){ "WebHook-Allowed-Rate", "*" };
	}
	sw_reply_json(req, 204, headers, n, "");
}

void sw_hooks_on_head(struct gateway *g, struct sw_http_req *req, const char *source)
{
	static const struct sw_header allow = { "Allow", "POST, OPTIONS" };
	const struct sw_config *cfg = g->setup->cfg;
	struct hook *h;

	if (strcmp(req->method, "OPTIONS") == 0) {
		hook_handshake(cfg, req, &allow);
		return;
	}
	if (strcmp(req->method, "POST") != 0) {
		sw_reply_error(req, 405, &allow, 1, "want POST");
		return;
	}
	h = sw_calloc(1, sizeof *h);
	hook_media(sw_http_header(req, "content-type"), h->media, sizeof h->media);
	/* By all sources together, so that the answer does not tell which sources there are. */
	if (!hook_takes_any(h->media)) {
		free(h);
		sw_reply_error(req, 415, NULL, 0, "Content-Type: want application/json");
		return;
	}
	h->setup = sw_gateway_setup_get(g->setup);
	h->src = source ? sw_config_source(cfg, source) : sw_config_report_source(cfg);
	if (h->src && h->src->queue) /* what comes by its stream is not posted */
		h->src = NULL;
	h->g = g;
	h->req = req;
	req->user = h;
	req->body_max = cfg->gateway.body_max * (strcmp(h->media, "application/x-www-form-urlencoded") == 0 ? FORM_FACTOR : 1);
}

void sw_hooks_on_done(struct gateway *g, struct sw_http_req *req)
{
	struct hook *h = req->user;

	if (!h)
		return;
	sw_gateway_setup_put(h->setup);
	sw_arena_fini(&h->arena);
	free(h);
	req->user = NULL;
}

static void hook_count(struct hook *h, const char *outcome)
{
	const char *const values[] = { h->src ? h->src->name : "unknown", h->what ? h->what : "", outcome };

	sw_metric_add(h->g->meters.deliveries, values, 1);
}

static void hook_log_ids(const struct hook *h)
{
	sw_log_ids_set(&(struct sw_log_ids){ .event_id = h->id[0] ? h->id : NULL, .delivery = h->delivery, .ci_run_id = h->ci_run_id });
}

/* ---- refusing ---- */

/* One line a second at most: refusals are what a stranger can make us write. */
static void hook_warn_refused(struct hook *h, const unsigned char ip[16], const char *why)
{
	struct gateway *g = h->g;
	sw_ms now = sw_loop_mono(g->loop);
	char text[64], path[120];

	if (g->warned_at && now - g->warned_at < SW_SECOND) {
		g->warned_more++;
		return;
	}
	sw_ip_print(ip, text, sizeof text);
	SW_WARN(LOG, "refused %s from %s: %s%s", sw_err_quote(h->req->path, strlen(h->req->path), path, sizeof path), text, why,
	        g->warned_more ? " (and more in the meantime)" : "");
	g->warned_at = now;
	g->warned_more = 0;
}

static void hook_refuse_auth(struct hook *h, const char *why)
{
	struct gateway *g = h->g;
	unsigned char ip[16];
	unsigned wait;
	char after[16];

	sw_client_ip(h->req, h->setup->trusted, ip);
	wait = sw_failures_add(g->failures, ip, sw_loop_mono(g->loop));
	hook_warn_refused(h, ip, why);
	/* The event's name is the stranger's word. */
	h->what = NULL;
	hook_count(h, "unauthorized");
	if (!wait) {
		sw_reply_error(h->req, 401, NULL, 0, "signature or token missing or wrong");
		return;
	}
	sw_metric_add(g->meters.limited, NULL, 1);
	(void)snprintf(after, sizeof after, "%u", wait);
	sw_reply_error(h->req, 429, &(struct sw_header){ "Retry-After", after }, 1, "too many failed authentications, try again later");
}

/* As much work as a source with the most secrets costs. */
static void hook_dummy(struct hook *h)
{
	unsigned char out[SW_SHA256_BYTES];

	for (unsigned i = 0; i < h->setup->secrets_max; i++)
		sw_hmac_sha256(h->g->dummy, sizeof h->g->dummy, h->req->body, h->req->body_n, out);
}

/* ---- taking ---- */

static const char *hook_delivery(const struct sw_http_req *req)
{
	static const char *const names[] = {
		"x-github-delivery", "x-gitea-delivery", "x-forgejo-delivery", "x-gogs-delivery", "webhook-id",
		"ce-id", "x-gitlab-event-uuid", "x-gitlab-webhook-uuid", "x-request-uuid", "x-request-id", NULL,
	};

	for (size_t i = 0; names[i]; i++) {
		const char *v = sw_http_header(req, names[i]);

		if (v && *v && strlen(v) <= 100)
			return v;
	}
	return NULL;
}

/* {"headers":{…},"content_type":…,"delivery":…}: what the worker needs beside the body. */
static const char *hook_meta(struct hook *h)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;

	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_obj(&w, "headers");
	for (const char *const *name = h->src->plugin->headers; name && *name; name++)
		sw_jw_opt(&w, *name, sw_http_header(h->req, *name));
	for (const char *const *name = h->src->plugin->more ? h->src->plugin->more(h->src->conf) : NULL; name && *name; name++)
		sw_jw_opt(&w, *name, sw_http_header(h->req, *name));
	sw_jw_obj_end(&w);
	sw_jw_str(&w, "content_type", h->media);
	sw_jw_opt(&w, "delivery", h->delivery);
	sw_jw_obj_end(&w);
	return sw_arena_strndup(&h->arena, b.p, b.n);
}

/*
 * For the log: which run it is of, where it tells of one. Pushes, the most and largest of all, are read by the worker alone.
 * True: an event was made of it, so it is well-formed JSON too.
 */
static bool hook_run_id(struct hook *h, const struct sw_request *rq, const struct sw_proof *proof)
{
	struct sw_err err;
	struct sw_events evs;

	if (!proof->run || proof->ping || proof->ignore || rq->body_n > RUN_ID_BODY)
		return false;
	sw_events_init(&evs, &h->g->arena);
	if (h->src->plugin->parse(h->src->conf, rq, &evs, &err) < 0 || evs.n == 0)
		return false;
	h->ci_run_id = evs.items[0].ci_run_id ? sw_arena_strdup(&h->arena, evs.items[0].ci_run_id) : NULL;
	return true;
}

static void hook_reply_id(struct hook *h, int status, const char *word)
{
	char json[96];

	(void)snprintf(json, sizeof json, "{\"status\":\"%s\",\"id\":\"%s\"}", word, h->id);
	sw_reply_json(h->req, status, NULL, 0, json);
}

static void hook_stored(void *arg, int r, bool spooled)
{
	static const struct sw_header retry = { "Retry-After", "10" };
	struct hook *h = arg;

	hook_log_ids(h);
	if (r < 0) {
		SW_ERROR(LOG, "not taken from %s: %s, answered 503", h->src->name, strerror(-r));
		hook_count(h, "refused");
		sw_reply_error(h->req, 503, &retry, 1,
		               r == -ENOSPC ? "the disk is full, try again later" : "cannot be made durable now, try again later");
	} else if (r == STORE_DUPLICATE) {
		SW_INFO(LOG, "duplicate from %s: %s", h->src->name, h->what ? h->what : "event");
		hook_count(h, "duplicate");
		hook_reply_id(h, 200, "duplicate");
	} else {
		SW_INFO(LOG, "%s from %s: %s, %zu bytes", spooled ? "spooled" : "queued", h->src->name, h->what ? h->what : "event",
		        (size_t)(h->entry.raw_n >= 0 ? h->entry.raw_n : (int64_t)h->entry.body_n));
		hook_count(h, spooled ? "spooled" : "queued");
		hook_reply_id(h, 202, "queued");
	}
	sw_log_ids_set(NULL);
}

static const char *hook_digest(struct hook *h, const struct sw_request *rq)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	unsigned char out[SW_SHA256_BYTES];

	sw_sha256(rq->body, rq->body_n, out);
	sw_buf_cat(&b, "sha256:");
	sw_hex_encode(&b, out, sizeof out);
	return sw_arena_strndup(&h->arena, b.p, b.n);
}

void sw_entry_pack(struct gateway *g, struct sw_arena *a, const void *raw, size_t raw_n, struct sw_entry_in *e)
{
	const void *body = raw;
	size_t n = raw_n;

	e->raw_n = -1;
	sw_buf_reset(&g->pack);
	if (raw_n >= PACK_FROM)
		sw_pack_deflate(raw, raw_n, &g->pack);
	if (g->pack.n && g->pack.n < n) {
		e->raw_n = (int64_t)n;
		body = g->pack.p;
		n = g->pack.n;
	}
	/* The reserve is the arena's to give back when the answer is out. */
	e->body = n ? memcpy(sw_arena_alloc(a, n + 1), body, n) : "";
	e->body_n = n;
	sw_metric_add(g->meters.bytes_in, NULL, (double)raw_n);
	sw_metric_add(g->meters.bytes_kept, NULL, (double)n);
	if (g->pack.cap > 1024 * 1024)
		sw_buf_fini(&g->pack);
}

static void hook_take(struct hook *h, const struct sw_request *rq, const struct sw_proof *proof)
{
	struct sw_entry_in *e = &h->entry;

	sw_id_new(rq->arrived, h->id);
	e->id = h->id;
	e->source = h->src->name;
	e->kind = h->src->kind;
	e->arrived = rq->arrived;
	e->dedupe = proof->dedupe ? sw_arena_strdup(&h->arena, proof->dedupe) : hook_digest(h, rq);
	e->dedupe_for = proof->dedupe_for > 0 ? proof->dedupe_for : proof->dedupe ? 3 * SW_DAY : DEDUPE_UNSIGNED;
	e->meta = hook_meta(h);
	sw_entry_pack(h->g, &h->arena, rq->body, rq->body_n, e);
	sw_store_put(h->g->store, e, hook_stored, h);
}

/* Authentic: what it is, and whether it can be read at all. */
static void hook_judge(struct hook *h, const struct sw_request *rq, const struct sw_proof *proof)
{
	struct sw_err err = SW_ERR_INIT;
	const char *json = NULL;
	size_t n = 0;
	int r;

	if (!hook_takes(h->src->plugin->types, h->media)) {
		hook_count(h, "broken");
		sw_reply_error(h->req, 415, NULL, 0, "Content-Type: not taken by this source");
		return;
	}
	r = h->src->plugin->text(rq, &h->g->arena, &json, &n, &err);
	if (r == 0 && !hook_run_id(h, rq, proof))
		r = sw_json_check(json, n, &err);
	if (r == 0 && h->src->plugin->check && !proof->ping)
		r = h->src->plugin->check(json, n, &err);
	hook_log_ids(h);
	if (r < 0) {
		SW_WARN(LOG, "refused from %s: %s", h->src->name, err.text);
		hook_count(h, "broken");
		sw_reply_error(h->req, 400, NULL, 0, err.text);
	} else if (proof->ping) {
		SW_INFO(LOG, "ping from %s", h->src->name);
		hook_count(h, "ping");
		sw_reply_json(h->req, 200, NULL, 0, "{\"status\":\"pong\"}");
	} else if (proof->ignore) {
		SW_DEBUG(LOG, "ignored from %s: %s", h->src->name, h->what ? h->what : "event");
		hook_count(h, "ignored");
		sw_reply_json(h->req, 200, NULL, 0, "{\"status\":\"ignored\"}");
	} else {
		hook_take(h, rq, proof);
	}
	sw_log_ids_set(NULL);
}

/* Two values for one header of the source would be two stories. */
static bool hook_headers_once(const struct hook *h)
{
	for (const char *const *name = h->src->plugin->headers; name && *name; name++)
		if (sw_http_header_count(h->req, *name) > 1)
			return false;
	return !h->src->plugin->secret || sw_http_header_count(h->req, h->src->plugin->secret) <= 1;
}

static void hook_secret_used(struct hook *h, int secret)
{
	char index[16];

	(void)snprintf(index, sizeof index, "%d", secret);
	SW_METRIC_INC(h->g->meters.secrets, h->src->name, index);
}

void sw_hooks_on_request(struct gateway *g, struct sw_http_req *req)
{
	struct hook *h = req->user;
	struct sw_err err = SW_ERR_INIT;
	struct sw_proof proof = { 0 };
	struct sw_request rq;
	int r;

	if (!h->src) {
		hook_dummy(h);
		hook_refuse_auth(h, "no such source");
		return;
	}
	rq = (struct sw_request){
		.source = h->src->name, .headers = req->headers, .n_headers = req->n_headers, .body = req->body ? req->body : "",
		.body_n = req->body_n, .content_type = h->media, .query = req->query, .arrived = req->arrived,
	};
	if (!hook_headers_once(h)) {
		hook_dummy(h);
		hook_refuse_auth(h, "a header of the source is there twice");
		return;
	}
	sw_arena_reset(&g->arena);
	r = h->src->plugin->verify(h->src->conf, &rq, &g->arena, &proof, &err);
	if (r == -EACCES) {
		hook_refuse_auth(h, err.text);
		return;
	}
	h->delivery = hook_delivery(req);
	h->what = sw_arena_strdup(&h->arena, proof.what);
	if (r < 0) {
		hook_log_ids(h);
		SW_WARN(LOG, "refused from %s: %s", h->src->name, err.text);
		sw_log_ids_set(NULL);
		hook_count(h, "broken");
		sw_reply_error(req, 400, NULL, 0, err.text);
		return;
	}
	hook_secret_used(h, proof.secret);
	hook_judge(h, &rq, &proof);
}
