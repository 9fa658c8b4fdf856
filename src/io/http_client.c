/* The HTTP client: libcurl's multi interface driven by the loop. */
#include "io/http_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "base/str.h"
#include "io/resolve.h"
#include "shipwatch/buf.h"
#include "shipwatch/clock.h"
#include "shipwatch/mem.h"

#ifndef SW_VERSION
#define SW_VERSION "0"
#endif

#define CONNECT_TIMEOUT (5 * SW_SECOND)
#define RESPONSE_MAX    ((size_t)64 * 1024)
#define ANSWER_HEADERS  64
#define ANSWER_HEAD_MAX ((size_t)32 * 1024)
#define REDIRECTS       5
#define IDLE_CONNS      64
#define IDLE_FOR        (2 * SW_MINUTE)

struct sw_http_call {
	struct sw_http_client *c;
	struct sw_http_call *prev, *next;
	struct sw_arena a; /* the job's copy, the answer's headers */
	struct sw_job job;
	const char *url;         /* of this hop */
	const char *site;        /* its host */
	const char *host, *port; /* what libcurl connects to: that, or the proxy */
	sw_http_client_cb cb;
	void *arg;
	sw_dur began, until;
	unsigned hops;
	struct sw_resolve *resolve; /* while the name is asked */
	CURL *easy;                 /* while the request is under way */
	struct curl_slist *lines, *pins;
	struct sw_buf body;
	size_t body_max, head_n;
	bool head_whole; /* the empty line behind the answer's head was there */
	struct sw_header headers[ANSWER_HEADERS];
	struct sw_result res;
	char why[CURL_ERROR_SIZE + 64];
	struct sw_timer timer; /* for the name */
	struct sw_defer later;
};

struct sw_http_client {
	struct sw_loop *loop;
	struct sw_resolver *resolver;
	CURLM *multi;
	char *proxy, *ca_file;
	struct sw_timer timer;
	struct sw_http_call *first;
	struct curl_slist *unpins; /* "-host:port" of calls that ended; the next one takes them along */
	struct { uint64_t site; sw_dur used; } kept[IDLE_CONNS]; /* whose connections stay open, by sw_clock_mono */
	size_t n;
};

struct watched {
	struct sw_http_client *c;
	curl_socket_t fd;
	struct event *ev;
};

static void call_start(struct sw_http_call *k);

/* ---- the end of a call ---- */

/*
 * A name that was pinned is forgotten with the next request: libcurl walks through all it remembers at every request's beginning and
 * end, so with thousands of hosts its own minute of memory costs more than the requests.
 */
static void call_unpin(struct sw_http_call *k)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct curl_slist *x;

	sw_buf_printf(&b, "-%s:%s", k->host, k->port);
	x = curl_slist_append(NULL, sw_buf_str(&b));
	SW_ASSERT(x);
	x->next = k->c->unpins;
	k->c->unpins = x;
}

static void call_drop_easy(struct sw_http_call *k)
{
	if (k->easy) {
		(void)curl_multi_remove_handle(k->c->multi, k->easy);
		curl_easy_cleanup(k->easy);
		k->easy = NULL;
	}
	if (k->pins)
		call_unpin(k);
	curl_slist_free_all(k->lines);
	curl_slist_free_all(k->pins);
	k->lines = k->pins = NULL;
}

static void call_free(struct sw_http_call *k)
{
	struct sw_http_client *c = k->c;

	if (k->resolve)
		sw_resolve_cancel(k->resolve);
	call_drop_easy(k);
	sw_timer_stop(&k->timer);
	sw_defer_cancel(&k->later);
	*(k->prev ? &k->prev->next : &c->first) = k->next;
	if (k->next)
		k->next->prev = k->prev;
	c->n--;
	sw_buf_fini(&k->body);
	sw_arena_fini(&k->a);
	free(k);
}

static void call_end(void *arg)
{
	struct sw_http_call *k = arg;

	call_drop_easy(k);
	k->res.body = sw_buf_str(&k->body);
	k->res.body_n = k->body.n;
	k->res.headers = k->headers;
	k->res.took = sw_clock_mono() - k->began;
	k->res.at = sw_clock_wall();
	if (k->res.fault != SW_FAULT_NONE)
		k->res.detail = k->why;
	k->cb(k->arg, &k->res);
	call_free(k);
}

/* Not from within sw_http_client_do, nor from within libcurl: at the end of the turn. */
static void call_fail(struct sw_http_call *k, enum sw_fault fault, const char *why)
{
	k->res.fault = fault;
	(void)snprintf(k->why, sizeof k->why, "%s", why);
	k->later = (struct sw_defer){ .cb = call_end, .arg = k };
	sw_loop_defer(k->c->loop, &k->later);
}

/* ---- what came back ---- */

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct sw_http_call *k = arg;
	size_t room = k->body_max - k->body.n;

	n *= size;
	sw_buf_catn(&k->body, p, SW_MIN(n, room));
	if (n <= room)
		return n;
	k->res.body_cut = true; /* what is kept is enough to judge: the rest is not read */
	return 0;
}

static void head_reset(struct sw_http_call *k)
{
	k->res.n_headers = 0;
	k->head_n = 0;
	k->head_whole = false;
	sw_buf_reset(&k->body);
}

static size_t on_head(char *p, size_t size, size_t n, void *arg)
{
	struct sw_http_call *k = arg;
	const char *colon;
	size_t len = n *= size;
	char *name, *value;

	while (len && (p[len - 1] == '\n' || p[len - 1] == '\r'))
		len--;
	if (len >= 5 && memcmp(p, "HTTP/", 5) == 0) { /* also behind a 100, or a proxy's own answer */
		head_reset(k);
		return n;
	}
	k->head_whole |= len == 0;
	k->head_n += len;
	while (len && (p[len - 1] == ' ' || p[len - 1] == '\t'))
		len--;
	colon = memchr(p, ':', len);
	if (!colon || k->res.n_headers == ANSWER_HEADERS || k->head_n > ANSWER_HEAD_MAX)
		return n;
	name = sw_arena_strndup(&k->a, p, (size_t)(colon - p));
	for (char *s = name; *s; s++)
		if (*s >= 'A' && *s <= 'Z')
			*s = (char)(*s + 32);
	for (colon++; colon < p + len && (*colon == ' ' || *colon == '\t'); colon++)
		;
	value = sw_arena_strndup(&k->a, colon, (size_t)(p + len - colon));
	k->headers[k->res.n_headers++] = (struct sw_header){ name, value };
	return n;
}

/* What libcurl's code says about how far the request came. */
static enum sw_fault call_fault(const struct sw_http_call *k, CURLcode code)
{
	curl_off_t ready = 0;
	long sent = 0;

	(void)curl_easy_getinfo(k->easy, CURLINFO_PRETRANSFER_TIME_T, &ready);
	(void)curl_easy_getinfo(k->easy, CURLINFO_REQUEST_SIZE, &sent);
	switch (code) {
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_CACERT_BADFILE:
		return SW_FAULT_CERT;
	default:
		break;
	}
	if (ready > 0 && sent > 0)
		return SW_FAULT_AMBIGUOUS; /* also what is no HTTP at all, which libcurl calls an unsupported protocol
		                            */
	if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT)
		return SW_FAULT_REFUSED;
	return code == CURLE_OPERATION_TIMEDOUT ? SW_FAULT_TIMEOUT_CONNECT : SW_FAULT_CONNECT;
}

/* ---- redirects ---- */

static char *url_part(CURLU *u, CURLUPart part, unsigned flags, struct sw_arena *a)
{
	char *s = NULL, *ret;

	if (curl_url_get(u, part, &s, flags) != CURLUE_OK)
		return NULL;
	ret = sw_arena_strdup(a, s);
	curl_free(s);
	return ret;
}

/* True when the answer sends a reader on to the same host; the next hop is begun. */
static bool call_follow(struct sw_http_call *k)
{
	char *to = NULL, *host, *scheme;
	CURLU *u;
	bool good;

	if (!k->job.follow || k->hops >= REDIRECTS || k->res.status < 301 || k->res.status > 308 ||
	    (strcmp(k->job.method, "GET") != 0 && strcmp(k->job.method, "HEAD") != 0))
		return false;
	if (curl_easy_getinfo(k->easy, CURLINFO_REDIRECT_URL, &to) != CURLE_OK || !to)
		return false;
	to = sw_arena_strdup(&k->a, to);
	u = curl_url();
	if (!u || curl_url_set(u, CURLUPART_URL, to, 0) != CURLUE_OK) {
		curl_url_cleanup(u);
		return false;
	}
	host = url_part(u, CURLUPART_HOST, 0, &k->a);
	scheme = url_part(u, CURLUPART_SCHEME, 0, &k->a);
	curl_url_cleanup(u);
	good = host && scheme && strcasecmp(host, k->site) == 0 &&
	       (strcmp(scheme, "https") == 0 || !sw_starts(k->url, "https:"));
	if (!good)
		return false;
	call_drop_easy(k);
	head_reset(k);
	k->res = (struct sw_result){ 0 };
	k->url = to;
	k->hops++;
	call_start(k);
	return true;
}

static void call_done(struct sw_http_call *k, CURLcode code)
{
	long status = 0;

	(void)curl_easy_getinfo(k->easy, CURLINFO_RESPONSE_CODE, &status);
	k->res.status = (int)status;
	if (code == CURLE_WRITE_ERROR && k->res.body_cut)
		code = CURLE_OK;
	if (code == CURLE_OK && !k->head_whole) /* libcurl takes a head that was cut off for a whole one */
		code = CURLE_PARTIAL_FILE;
	if (code == CURLE_OK && call_follow(k))
		return;
	if (code != CURLE_OK) {
		k->res.fault = call_fault(k, code);
		k->res.status = 0;
		if (!k->why[0])
			(void)snprintf(k->why, sizeof k->why, "%s", curl_easy_strerror(code));
	}
	call_end(k);
}

/* ---- libcurl and the loop ---- */

static void client_drain(struct sw_http_client *c)
{
	struct sw_http_call *k;
	CURLMsg *m;
	CURLcode code;
	int left;

	while ((m = curl_multi_info_read(c->multi, &left)) != NULL) {
		if (m->msg != CURLMSG_DONE)
			continue;
		code = m->data.result; /* m is gone with the handle */
		k = NULL;
		(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&k);
		SW_ASSERT(k);
		call_done(k, code);
	}
}

static void on_timer(void *arg)
{
	struct sw_http_client *c = arg;
	int running;

	(void)curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	client_drain(c);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct sw_http_client *c = ((struct watched *)arg)->c; /* the other may be freed in libcurl */
	int running, mask = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);

	(void)curl_multi_socket_action(c->multi, fd, mask, &running);
	client_drain(c);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct sw_http_client *c = arg;
	struct watched *w = socket_arg;
	short want = EV_PERSIST;

	if (w) {
		event_free(w->ev);
		w->ev = NULL;
	}
	if (what == CURL_POLL_REMOVE) {
		free(w);
		(void)curl_multi_assign(c->multi, fd, NULL);
		return 0;
	}
	if (!w) {
		w = sw_calloc(1, sizeof *w);
		w->c = c;
		w->fd = fd;
		(void)curl_multi_assign(c->multi, fd, w);
	}
	if (what & CURL_POLL_IN)
		want |= EV_READ;
	if (what & CURL_POLL_OUT)
		want |= EV_WRITE;
	w->ev = event_new(c->loop->base, fd, want, on_ready, w);
	SW_ASSERT(w->ev);
	if (event_add(w->ev, NULL) < 0) /* out of epoll watches: the request ends at its limit of time */
		return -1;
	return 0;
}

static int on_timer_wish(CURLM *multi, long ms, void *arg)
{
	struct sw_http_client *c = arg;

	if (ms < 0)
		sw_timer_stop(&c->timer);
	else
		sw_timer_set(&c->timer, ms); /* 0: in the next turn, never from here */
	return 0;
}

/* ---- the beginning of a call ---- */

static void call_lines(struct sw_http_call *k)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	/* No waiting for "100 Continue", no type that nobody said. */
	k->lines = curl_slist_append(k->lines, "Expect:");
	for (size_t i = 0; i < k->job.n_headers; i++) {
		sw_buf_reset(&b);
		sw_buf_printf(&b, *k->job.headers[i].value ? "%s: %s" : "%s;", k->job.headers[i].name,
		              k->job.headers[i].value);
		k->lines = curl_slist_append(k->lines, sw_buf_str(&b));
	}
}

/*
 * May this site's connection stay open? As many sites as there is room for may; of all others each request has its own. Else, with
 * thousands of sites, every connection would push out another one that is not used again either, after a search through all.
 */
static bool call_keeps(const struct sw_http_call *k)
{
	struct sw_http_client *c = k->c;
	uint64_t site = 14695981039346656037u;
	sw_dur now = sw_clock_mono();
	size_t oldest = 0;

	for (const char *p = k->url; *p && !(p > k->url + strlen("https://") && *p == '/'); p++) /* FNV-1a of scheme, host, port */
		site = (site ^ (unsigned char)*p) * 1099511628211u;
	for (size_t i = 0; i < SW_COUNT(c->kept); i++) {
		if (c->kept[i].site == site) {
			c->kept[i].used = now;
			return true;
		}
		if (c->kept[i].used < c->kept[oldest].used)
			oldest = i;
	}
	if (c->kept[oldest].site && now - c->kept[oldest].used < IDLE_FOR)
		return false;
	c->kept[oldest].site = site;
	c->kept[oldest].used = now;
	return true;
}

static void call_method(struct sw_http_call *k)
{
	CURL *e = k->easy;

	if (strcmp(k->job.method, "GET") == 0) {
		(void)curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
		(void)curl_easy_setopt(e, CURLOPT_FORBID_REUSE, call_keeps(k) ? 0L : 1L);
		return;
	}
	if (strcmp(k->job.method, "HEAD") == 0) {
		(void)curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
		return;
	}
	(void)curl_easy_setopt(e, CURLOPT_POST, 1L);
	(void)curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, k->job.method);
	(void)curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)k->job.body_n);
	(void)curl_easy_setopt(e, CURLOPT_POSTFIELDS, k->job.body_n ? k->job.body : "");
	/* On an old connection libcurl sends again by itself when the peer hung up: such a request may arrive twice. */
	(void)curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
	(void)curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
}

static void call_send(struct sw_http_call *k, sw_dur left)
{
	CURL *e = k->easy = curl_easy_init();

	SW_ASSERT(e);
	call_lines(k);
	call_method(k);
	(void)curl_easy_setopt(e, CURLOPT_PRIVATE, k);
	(void)curl_easy_setopt(e, CURLOPT_URL, k->url);
	(void)curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	(void)curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	(void)curl_easy_setopt(e, CURLOPT_PROXY, k->c->proxy); /* "": none, also if the environment names one */
	(void)curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	(void)curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)left);
	(void)curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)SW_MIN(left, CONNECT_TIMEOUT));
	(void)curl_easy_setopt(e, CURLOPT_USERAGENT, "shipwatch/" SW_VERSION);
	(void)curl_easy_setopt(e, CURLOPT_HTTPHEADER, k->lines);
	(void)curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(e, CURLOPT_WRITEDATA, k);
	(void)curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_head);
	(void)curl_easy_setopt(e, CURLOPT_HEADERDATA, k);
	(void)curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	(void)curl_easy_setopt(e, CURLOPT_ERRORBUFFER, k->why);
	if (k->c->ca_file)
		(void)curl_easy_setopt(e, CURLOPT_CAINFO, k->c->ca_file);
	(void)curl_easy_setopt(e, CURLOPT_DNS_CACHE_TIMEOUT, 0L); /* of what is not pinned: numeric addresses */
	if (k->pins)
		(void)curl_easy_setopt(e, CURLOPT_RESOLVE, k->pins);
	if (curl_multi_add_handle(k->c->multi, e) != CURLM_OK) {
		curl_easy_cleanup(e);
		k->easy = NULL;
		call_fail(k, SW_FAULT_CONNECT, "libcurl takes no more requests");
	}
}

/* The name's addresses are here: pinned, so that libcurl's own resolver is never asked. */
static void on_resolved(void *arg, const char *const *addrs, size_t n, const char *why)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_http_call *k = arg;
	sw_dur left = k->until - sw_clock_mono();

	k->resolve = NULL;
	sw_timer_stop(&k->timer);
	if (!n) {
		sw_buf_printf(&b, "cannot resolve %s: %s", k->host, why);
		call_fail(k, SW_FAULT_CONNECT, sw_buf_str(&b));
		return;
	}
	sw_buf_printf(&b, "%s:%s:", k->host, k->port);
	for (size_t i = 0; i < n; i++)
		sw_buf_printf(&b, strchr(addrs[i], ':') ? "%s[%s]" : "%s%s", i ? "," : "", addrs[i]);
	k->pins = curl_slist_append(SW_TAKE(k->c->unpins), sw_buf_str(&b));
	call_send(k, SW_MAX(left, (sw_dur)1));
}

static void on_resolve_limit(void *arg)
{
	struct sw_http_call *k = arg;

	sw_resolve_cancel(k->resolve);
	k->resolve = NULL;
	call_fail(k, SW_FAULT_TIMEOUT_CONNECT, "no answer about the host's name in time");
}

/* Host and port that libcurl will connect to: the URL's, or the proxy's. Return: false when the URL is none of ours. */
static bool call_aim(struct sw_http_call *k)
{
	CURLU *u = curl_url();
	char *scheme = NULL;
	bool good;

	good = u && curl_url_set(u, CURLUPART_URL, k->url, 0) == CURLUE_OK;
	scheme = good ? url_part(u, CURLUPART_SCHEME, 0, &k->a) : NULL;
	good = scheme && (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
	k->site = good ? url_part(u, CURLUPART_HOST, 0, &k->a) : NULL;
	good = k->site && *k->site;
	if (good && *k->c->proxy)
		good = curl_url_set(u, CURLUPART_URL, k->c->proxy, CURLU_GUESS_SCHEME | CURLU_NON_SUPPORT_SCHEME) ==
		       CURLUE_OK;
	if (good) {
		k->host = url_part(u, CURLUPART_HOST, 0, &k->a);
		k->port = url_part(u, CURLUPART_PORT, *k->c->proxy ? 0 : CURLU_DEFAULT_PORT, &k->a);
		if (!k->port)
			k->port = "1080"; /* libcurl's own default for proxies */
		good = k->host && *k->host;
	}
	curl_url_cleanup(u);
	return good;
}

static void call_start(struct sw_http_call *k)
{
	sw_dur left = k->until - sw_clock_mono();

	if (!call_aim(k)) {
		call_fail(k, SW_FAULT_REFUSED, "not an http or https URL");
		return;
	}
	if (k->host[0] == '[') { /* numeric: libcurl needs no resolver */
		call_send(k, SW_MAX(left, (sw_dur)1));
		return;
	}
	sw_timer_init(&k->timer, k->c->loop, on_resolve_limit, k);
	sw_timer_set(&k->timer, left);
	k->resolve = sw_resolve(k->c->resolver, k->host, on_resolved, k);
}

static void job_copy(struct sw_http_call *k, const struct sw_job *job)
{
	struct sw_arena *a = &k->a;

	k->job = *job;
	k->job.method = sw_arena_strdup(a, job->method ? job->method : "GET");
	k->job.url = k->url = sw_arena_strdup(a, job->url ? job->url : "");
	k->job.body = sw_arena_alloc(a, job->body_n + 1);
	if (job->body_n)
		memcpy((char *)(uintptr_t)k->job.body, job->body, job->body_n);
	for (size_t i = 0; i < job->n_headers; i++)
		k->job.headers[i] = (struct sw_header){ sw_arena_strdup(a, job->headers[i].name),
			                                sw_arena_strdup(a, job->headers[i].value) };
}

struct sw_http_call *sw_http_client_do(struct sw_http_client *c, const struct sw_job *job, sw_http_client_cb cb,
                                       void *arg)
{
	struct sw_http_call *k = sw_calloc(1, sizeof *k);

	SW_ASSERT(job->kind == SW_JOB_HTTP && job->n_headers <= SW_JOB_HEADERS);
	k->c = c;
	k->cb = cb;
	k->arg = arg;
	job_copy(k, job);
	k->body_max = job->response_max ? job->response_max : RESPONSE_MAX;
	k->began = sw_clock_mono();
	k->until = k->began + (job->timeout > 0 ? job->timeout : SW_HTTP_TIMEOUT);
	k->next = c->first;
	if (k->next)
		k->next->prev = k;
	c->first = k;
	if (++c->n > SW_HTTP_CALLS)
		call_fail(k, SW_FAULT_CONNECT, "too many requests under way");
	else
		call_start(k);
	return k;
}

void sw_http_client_cancel(struct sw_http_call *call)
{
	call_free(call);
}

size_t sw_http_client_busy(const struct sw_http_client *c)
{
	return c->n;
}

int sw_http_client_new(struct sw_loop *loop, const struct sw_http_client_conf *conf, struct sw_http_client **ret,
                       struct sw_err *err)
{
	static bool global;
	struct sw_http_client *c = sw_calloc(1, sizeof *c);
	int r;

	if (!global && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(c);
		return sw_err_set(err, ENOMEM, "libcurl cannot be initialized");
	}
	global = true;
	c->loop = loop;
	c->proxy = sw_strdup(conf && conf->proxy ? conf->proxy : "");
	c->ca_file = conf && conf->ca_file && *conf->ca_file ? sw_strdup(conf->ca_file) : NULL;
	sw_timer_init(&c->timer, loop, on_timer, c);
	r = sw_resolver_new(loop, conf ? conf->resolv_conf : NULL, conf ? conf->hosts : NULL, &c->resolver);
	c->multi = curl_multi_init();
	if (r < 0 || !c->multi) {
		sw_http_client_free(c);
		return sw_err_set(err, ENOMEM, "the HTTP client cannot be set up");
	}
	(void)curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	(void)curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	(void)curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer_wish);
	(void)curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	(void)curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)IDLE_CONNS);
	*ret = c;
	return 0;
}

void sw_http_client_free(struct sw_http_client *c)
{
	if (!c)
		return;
	while (c->first)
		call_free(c->first);
	if (c->multi)
		(void)curl_multi_cleanup(c->multi);
	curl_slist_free_all(c->unpins);
	sw_timer_stop(&c->timer);
	sw_resolver_free(c->resolver);
	free(c->proxy);
	free(c->ca_file);
	free(c);
}
