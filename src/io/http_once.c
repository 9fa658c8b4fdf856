/* One HTTP request, waited for: connect (through a proxy where one is named), write, read, judge how far it came. */
#include "io/http_once.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "io/http_answer.h"
#include "io/stream.h"
#include "shipwatch/clock.h"

#ifndef SW_VERSION
#define SW_VERSION "0"
#endif

#define TIMEOUT      (10 * SW_SECOND)
#define RESPONSE_MAX ((size_t)64 * 1024)
#define REDIRECTS    5

struct url {
	bool tls;
	const char *host, *port;  /* host without brackets */
	const char *authority;    /* as it stands in Host: */
	const char *path;         /* with query, at least "/" */
	const char *login;        /* "user:password", decoded; NULL: none */
};

struct once {
	const struct sw_http_once_conf *conf;
	const struct sw_job *job;
	struct sw_arena *a;
	struct sw_result *ret;
	struct sw_stream *s;
	sw_dur until;
	bool sent; /* a byte of the request may have reached them */
};

/* ---- addresses ---- */

static bool url_port(const char *s, size_t n)
{
	return n >= 1 && n <= 5 && strspn(s, "0123456789") >= n && strtoul(s, NULL, 10) >= 1 && strtoul(s, NULL, 10) <= 65535;
}

static const char *url_login(const char *p, size_t n, struct sw_arena *a)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	return sw_pct_decode(&b, p, n, false) < 0 ? NULL : sw_arena_strdup(a, sw_buf_str(&b));
}

static bool url_read(const char *s, struct sw_arena *a, struct url *u)
{
	const char *p, *end, *at, *colon;

	*u = (struct url){ .tls = sw_starts(s, "https://") };
	if (!u->tls && !sw_starts(s, "http://"))
		return false;
	for (p = s; *p; p++)
		if (*p <= ' ' || *p > '~')
			return false;
	p = s + (u->tls ? 8 : 7);
	end = p + strcspn(p, "/?#");
	at = memrchr(p, '@', (size_t)(end - p));
	if (at) {
		u->login = url_login(p, (size_t)(at - p), a);
		p = at + 1;
	}
	u->authority = sw_arena_strndup(a, p, (size_t)(end - p));
	if (*p == '[') {
		const char *close = memchr(p, ']', (size_t)(end - p));

		if (!close || (close + 1 < end && close[1] != ':'))
			return false;
		u->host = sw_arena_strndup(a, p + 1, (size_t)(close - p - 1));
		colon = close + 1 < end ? close + 1 : NULL;
	} else {
		colon = memchr(p, ':', (size_t)(end - p));
		u->host = sw_arena_strndup(a, p, (size_t)((colon ? colon : end) - p));
	}
	u->port = colon ? sw_arena_strndup(a, colon + 1, (size_t)(end - colon - 1)) : u->tls ? "443" : "80";
	p = sw_arena_strndup(a, end, strcspn(end, "#"));
	u->path = *p == '/' ? p : sw_arena_printf(a, "/%s", p);
	return *u->host && url_port(u->port, strlen(u->port));
}

/* ---- outcomes ---- */

static void once_fault(struct once *o, enum sw_fault fault, const char *why)
{
	o->ret->fault = fault;
	o->ret->detail = sw_arena_strdup(o->a, why);
}

static void once_failed(struct once *o, int r, const struct sw_err *why)
{
	once_fault(o, r == -EKEYREJECTED ? SW_FAULT_CERT : o->sent ? SW_FAULT_AMBIGUOUS : r == -ETIMEDOUT ? SW_FAULT_TIMEOUT_CONNECT : SW_FAULT_CONNECT,
	           r == -ETIMEDOUT && o->sent ? "no answer in time" : why->text);
}

/* ---- the connection ---- */

static void login_line(struct sw_buf *b, const char *name, const char *login)
{
	sw_buf_printf(b, "%s: Basic ", name);
	sw_b64_encode(b, login, strlen(login));
	sw_buf_cat(b, "\r\n");
}

/* Asks the proxy for a way through. Return: 0, or -errno with err. */
static int once_tunnel(struct once *o, const struct url *to, const struct url *proxy, struct sw_err *err)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	const bool v6 = strchr(to->host, ':') != NULL;
	struct sw_http_answer h;
	int r;

	sw_buf_printf(&b, "CONNECT %s%s%s:%s HTTP/1.1\r\nHost: %s%s%s:%s\r\n", v6 ? "[" : "", to->host, v6 ? "]" : "", to->port, v6 ? "[" : "", to->host,
	              v6 ? "]" : "", to->port);
	if (proxy->login)
		login_line(&b, "Proxy-Authorization", proxy->login);
	sw_buf_cat(&b, "\r\n");
	r = sw_stream_write(o->s, b.p, b.n, o->until, err);
	sw_http_answer_begin(&h, o->a, 0, true);
	while (r == 0) { /* byte by byte: what follows is TLS's */
		char c;
		long n = sw_stream_read(o->s, &c, 1, o->until, err);

		r = n < 0 ? (int)n : n == 0 ? sw_err_set(err, EPROTO, "it closed") : sw_http_answer_feed(&h, &c, 1, err);
		if (h.status >= 300)
			r = sw_err_set(err, EPROTO, "HTTP %d%s", h.status, h.status == 407 ? " (it wants a login)" : "");
	}
	sw_http_answer_fini(&h);
	if (r < 0)
		sw_err_prefix(err, "the proxy %.100s gives no way through", proxy->authority);
	return r < 0 ? r : 0;
}

static int once_connect(struct once *o, const struct url *u, const struct url *proxy, struct sw_err *err)
{
	const struct url *to = proxy ? proxy : u;
	int r = sw_stream_open(to->host, to->port, o->until, &o->s, err);

	if (r == 0 && proxy && u->tls)
		r = once_tunnel(o, u, proxy, err);
	if (r == 0 && u->tls)
		r = sw_stream_tls(o->s, u->host, o->conf->ca_file, o->until, err);
	return r;
}

/* ---- the request ---- */

static void once_request(const struct once *o, const struct url *u, const struct url *proxy, struct sw_buf *b)
{
	const struct sw_job *job = o->job;
	const char *method = job->method ? job->method : "GET";
	bool bodiless = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;

	sw_buf_printf(b, "%s %s%s%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: shipwatch/" SW_VERSION "\r\nConnection: close\r\n", method,
	              proxy && !u->tls ? "http://" : "", proxy && !u->tls ? u->authority : "", u->path, u->authority);
	if (u->login)
		login_line(b, "Authorization", u->login);
	if (proxy && !u->tls && proxy->login)
		login_line(b, "Proxy-Authorization", proxy->login);
	for (size_t i = 0; i < job->n_headers; i++)
		sw_buf_printf(b, "%s: %s\r\n", job->headers[i].name, job->headers[i].value);
	if (!bodiless)
		sw_buf_printf(b, "Content-Length: %zu\r\n", job->body_n);
	sw_buf_cat(b, "\r\n");
	if (!bodiless && job->body_n)
		sw_buf_catn(b, job->body, job->body_n);
}

static void once_answer(struct once *o, const struct sw_http_answer *h)
{
	struct sw_result *res = o->ret;

	res->status = h->status;
	res->n_headers = h->n_headers;
	res->headers = SW_ARENA_ARRAY(o->a, struct sw_header, h->n_headers + 1);
	memcpy(res->headers, h->headers, h->n_headers * sizeof h->headers[0]);
	res->body = sw_arena_memdup(o->a, sw_buf_str(&h->body), h->body.n);
	res->body_n = h->body.n;
	res->body_cut = h->body_cut;
}

static int once_exchange(struct once *o, const struct url *u, const struct url *proxy, struct sw_err *err)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_http_answer h;
	char chunk[16384];
	int r;

	once_request(o, u, proxy, &b);
	o->sent = true;
	r = sw_stream_write(o->s, b.p, b.n, o->until, err);
	/* Who refuses a body may close before it was read whole, and have said why: an answer counts, whatever became of the writing. */
	if (r == -ETIMEDOUT)
		return r;
	sw_http_answer_begin(&h, o->a, o->job->response_max ? o->job->response_max : RESPONSE_MAX, sw_streq(o->job->method, "HEAD"));
	for (r = 0; r == 0;) {
		long n = sw_stream_read(o->s, chunk, sizeof chunk, o->until, err);

		r = n < 0 ? (int)n : n == 0 ? sw_http_answer_end(&h, err) : sw_http_answer_feed(&h, chunk, (size_t)n, err);
		if (n == 0 && r == 0)
			r = 1;
	}
	if (r == 1)
		once_answer(o, &h);
	sw_http_answer_fini(&h);
	return r < 0 ? r : 0;
}

/* ---- redirects ---- */

/* Where a reader is sent on to, on the same host and never from https to http; NULL: nowhere. */
static const char *once_follow(struct once *o, const struct url *u)
{
	const char *to = NULL, *method = o->job->method;
	struct url next;

	if (!o->job->follow || o->ret->status < 301 || o->ret->status > 308 || o->ret->status == 304 || (method && strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0))
		return NULL;
	for (size_t i = 0; i < o->ret->n_headers; i++)
		if (strcmp(o->ret->headers[i].name, "location") == 0)
			to = o->ret->headers[i].value;
	if (to && *to == '/' && to[1] != '/')
		to = sw_arena_printf(o->a, "http%s://%s%s", u->tls ? "s" : "", u->authority, to);
	if (!to || !url_read(to, o->a, &next) || strcasecmp(next.host, u->host) != 0 || (u->tls && !next.tls))
		return NULL;
	return to;
}

int sw_http_once(const struct sw_http_once_conf *conf, const struct sw_job *job, struct sw_arena *a, struct sw_result *ret)
{
	struct once o = { .conf = conf, .job = job, .a = a, .ret = ret };
	const char *next = job->url;
	struct url u, proxy;
	bool by_proxy = conf->proxy && *conf->proxy;
	sw_dur began = sw_clock_mono();

	o.until = began + (job->timeout > 0 ? job->timeout : TIMEOUT);
	*ret = (struct sw_result){ .body = "" };
	for (int hops = 0; next && hops <= REDIRECTS; hops++) {
		struct sw_err err = SW_ERR_INIT;
		int r;

		*ret = (struct sw_result){ .body = "" };
		o.sent = false;
		if (!url_read(next, a, &u)) {
			once_fault(&o, SW_FAULT_REFUSED, "not an http or https URL");
			break;
		}
		if (by_proxy && (!url_read(conf->proxy, a, &proxy) || proxy.tls)) {
			once_fault(&o, SW_FAULT_REFUSED, "the proxy is no http:// URL; this program knows no other kind");
			break;
		}
		r = once_connect(&o, &u, by_proxy ? &proxy : NULL, &err);
		if (r == 0)
			r = once_exchange(&o, &u, by_proxy ? &proxy : NULL, &err);
		sw_stream_free(o.s);
		o.s = NULL;
		if (r < 0) {
			once_failed(&o, r, &err);
			break;
		}
		next = once_follow(&o, &u);
	}
	ret->took = sw_clock_mono() - began;
	ret->at = sw_clock_wall();
	return 0;
}
