/*
 * From a request to its answer: which route, who asks, whether that may be, what Redis is asked, the handler, the headers.
 *
 *   on_head     door (Host) ─▶ route ─▶ who ─▶ may they ─▶ [415 413]          refused before a body is read
 *   on_request  visit ─▶ form of ours? ─▶ ask.c ─▶ run ─▶ answer              exactly one answer, also when Redis or the process goes
 *
 * Who asks is looked at twice, at the head and when the body is there: nothing is kept between that a reload could make wrong.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "dashboard/inner.h"
#include "shipwatch/log.h"
#include "shipwatch/mem.h"

#define LOG     "dashboard"
#define ID_MAX  400 /* bytes of the last part of a path */
#define BUSY    "too many requests wait for an answer, try again"

static const struct route *const tables[] = { sw_routes_pages, sw_routes_api, sw_routes_decide, sw_routes_sign, dash_routes_live };

/* ---- headers ---- */

/* Of pages, of errors, and of what the server refuses before anybody here hears of it. */
static const struct sw_header always[] = {
	{ "Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
	                             "form-action 'self'; frame-ancestors 'none'; base-uri 'none'" },
	{ "X-Content-Type-Options", "nosniff" },
	{ "X-Frame-Options", "DENY" },
	{ "Referrer-Policy", "same-origin" },
	{ "Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()" },
	{ "Cross-Origin-Opener-Policy", "same-origin" },
	{ "Cross-Origin-Resource-Policy", "same-origin" },
	{ "Cache-Control", "no-store" },
};

void dash_headers_always(struct sw_http_server *http)
{
	sw_http_server_always(http, always, SW_COUNT(always));
}

void dash_json(struct sw_http_req *req, int status, const struct sw_header *more, size_t n, const char *json)
{
	sw_http_reply(req, &(struct sw_http_answer){ .status = status, .headers = more, .n_headers = n, .body = json, .body_n = strlen(json) });
}

void dash_json_error(struct sw_http_req *req, int status, const struct sw_header *more, size_t n, const char *what)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	sw_buf_cat(&b, "{\"error\":");
	sw_buf_json(&b, what);
	sw_buf_putc(&b, '}');
	dash_json(req, status, more, n, sw_buf_str(&b));
}

/* ---- which route ---- */

struct found { const struct route *route; const char *rest; char allow[64]; bool path; };

/* "/watches/" takes one part more; an exact path wins over the beginning of one, a longer beginning over a shorter. */
static size_t route_fits(const struct route *r, const char *path, const char **rest)
{
	size_t n = strlen(r->path);

	*rest = NULL;
	if (strcmp(r->path, path) == 0)
		return n > 1 && r->path[n - 1] == '/' ? 0 : SIZE_MAX;
	if (n < 2 || r->path[n - 1] != '/' || strncmp(r->path, path, n) != 0 || !path[n])
		return 0;
	*rest = path + n;
	return n;
}

static bool route_method(const struct route *r, const char *method)
{
	return strcmp(r->method, method) == 0 || (strcmp(method, "HEAD") == 0 && strcmp(r->method, "GET") == 0);
}

static void route_allow(struct found *f, const char *method)
{
	size_t n = strlen(f->allow);

	if (!strstr(f->allow, method))
		(void)snprintf(f->allow + n, sizeof f->allow - n, "%s%s%s", n ? ", " : "", method, strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

static void route_find(const char *method, const char *path, struct found *f)
{
	size_t best = 0;

	*f = (struct found){ 0 };
	for (size_t t = 0; t < SW_COUNT(tables); t++)
		for (const struct route *r = tables[t]; r->path; r++) {
			const char *rest;
			size_t n = route_fits(r, path, &rest);

			if (!n || n < best)
				continue;
			if (n > best)
				*f = (struct found){ .path = true };
			best = n;
			route_allow(f, r->method);
			if (route_method(r, method)) {
				f->route = r;
				f->rest = rest;
			}
		}
}

static bool is_asset(const char *path)
{
	return sw_starts(path, "/assets/") || sw_streq(path, "/favicon.ico");
}

static bool wants_json(const struct sw_http_req *req)
{
	const char *auth = sw_http_header(req, "authorization");

	return sw_starts(req->path, "/api/") || sw_streq(req->path, "/live") || (auth && strncasecmp(auth, "bearer ", 7) == 0);
}

/* ---- a visit ---- */

static struct visit *visit_new(struct dash *d, struct sw_http_req *req, const struct found *f)
{
	struct visit *v = sw_calloc(1, sizeof *v);

	v->setup = dash_setup_get(d->setup);
	v->route = f->route;
	v->json = wants_json(req);
	v->began = sw_loop_mono(d->loop);
	v->p = (struct page){ .d = d, .cfg = v->setup->cfg, .req = req, .now = d->bus ? sw_bus_now(d->bus) : 0, .http = 200,
		              .type = "text/html; charset=utf-8", .locale = v->setup->cfg->locale, .who = { .csrf = "" } };
	if (!v->p.now)
		v->p.now = sw_loop_wall(d->loop);
	v->next = d->visits;
	v->prev = &d->visits;
	if (v->next)
		v->next->prev = &v->next;
	d->visits = v;
	d->n_visits++;
	dash_page_choices(&v->p);
	return v;
}

static void visit_free(struct visit *v)
{
	*v->prev = v->next;
	if (v->next)
		v->next->prev = v->prev;
	v->p.d->n_visits--;
	if (v->gone)
		v->gone(v);
	sw_timer_stop(&v->timer);
	dash_setup_put(v->setup);
	sw_buf_fini(&v->p.out);
	sw_arena_fini(&v->p.a);
	free(v);
}

/* A handler that answers before it returns still looks at its page. */
static void visit_over(struct visit *v)
{
	if (v->running)
		v->over = true;
	else
		visit_free(v);
}

void dash_header(struct page *p, const char *name, const char *value)
{
	struct visit *v = dash_visit(p);

	SW_ASSERT(v->n_headers < SW_COUNT(v->headers));
	v->headers[v->n_headers++] = (struct sw_header){ name, value };
}

void dash_see(struct page *p, const char *location)
{
	p->http = 303;
	p->location = location;
}

void dash_answer(struct page *p)
{
	struct visit *v = dash_visit(p);
	struct sw_header h[SW_COUNT(v->headers) + 2];
	size_t n = 0;

	for (size_t i = 0; i < v->n_headers; i++)
		h[n++] = v->headers[i];
	if (p->cache)
		h[n++] = (struct sw_header){ "Cache-Control", p->cache };
	if (p->location)
		h[n++] = (struct sw_header){ "Location", p->location };
	sw_http_reply(p->req, &(struct sw_http_answer){ .status = p->http, .type = p->type, .headers = h, .n_headers = n, .body = sw_buf_str(&p->out),
	                                                .body_n = p->out.n });
	visit_over(v);
}

void dash_later(struct page *p)
{
	dash_visit(p)->later = true;
}

void dash_streams(struct page *p)
{
	visit_over(dash_visit(p));
}

static void visit_wrong(struct visit *v, int status, const char *title, const char *what)
{
	struct page *p = &v->p;

	sw_buf_reset(&p->out);
	if (v->json) {
		p->type = "application/json";
		p->http = status;
		sw_buf_cat(&p->out, "{\"error\":");
		sw_buf_json(&p->out, what);
		sw_buf_putc(&p->out, '}');
	} else {
		sw_page_wrong(p, status, title, what);
	}
}

void dash_run(struct visit *v)
{
	struct page *p = &v->p;

	dash_store_look(p->d);
	p->store = p->d->store;
	p->why = p->d->store_why;
	v->running = true;
	v->route->run(p);
	v->running = false;
	if (v->over)
		visit_free(v);
	else if (!v->later)
		dash_answer(p);
}

void dash_visits_end(struct dash *d)
{
	while (d->visits) {
		struct visit *v = d->visits;

		visit_wrong(v, 503, W(&v->p, "Stopping", "正在停止"), W(&v->p, "The dashboard is being stopped; please try again.", "看板正在停止，请稍后重试。"));
		dash_answer(&v->p);
	}
}

/* ---- who may ---- */

/* This request, as a link of our own. */
static const char *itself(struct page *p)
{
	return sw_arena_printf(&p->a, "%s%s%s", p->req->path, *p->req->query ? "?" : "", p->req->query);
}

/*
 * A link in a chat: the browser keeps the session's cookie (SameSite=Strict) from a request that another site began. A page that leads to
 * itself is a request that we began.
 */
static bool visit_from_elsewhere(struct visit *v)
{
	struct page *p = &v->p;
	const char *site = sw_http_header(p->req, "sec-fetch-site");

	if (!p->cfg->dashboard.n_users || !(sw_streq(site, "cross-site") || sw_streq(site, "same-site")) || !sw_streq(sw_http_header(p->req, "sec-fetch-mode"), "navigate"))
		return false;
	sw_html(&p->out, "<!DOCTYPE html>\n<html lang=\"%s\"><head><meta charset=\"utf-8\"><title>Shipwatch</title><meta http-equiv=\"refresh\" content=\"0;url=%s\"></head>"
	                 "<body><p><a href=\"%s\">%s</a></p></body></html>\n",
	        W(p, "en", "zh-CN"), itself(p), itself(p), W(p, "Go on", "继续"));
	return true;
}

static const char *next_of(struct page *p)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	const char *whole = itself(p);

	sw_buf_cat(&b, "/sign-in");
	if (strcmp(whole, "/") != 0) {
		sw_buf_cat(&b, "?next=");
		sw_pct_encode(&b, whole, strlen(whole));
	}
	return sw_arena_strdup(&p->a, sw_buf_str(&b));
}

/* Return: whether it may go on; else v holds the answer. */
static bool visit_may(struct visit *v)
{
	struct page *p = &v->p;
	const char *why = NULL;
	int status = dash_auth_who(p, &why);
	bool get = strcmp(p->req->method, "POST") != 0;

	if (status) {
		if (status == 401)
			dash_header(p, "WWW-Authenticate", "Bearer realm=\"shipwatch\"");
		if (status == 429)
			dash_header(p, "Retry-After", "60");
		visit_wrong(v, status, W(p, "Not let in", "未获准进入"), why);
		return false;
	}
	if (v->route->role == SW_ROLE_NOBODY || p->who.role >= v->route->role)
		return true;
	if (p->who.name) {
		SW_WARN(LOG, "refused: %s may not %s %s", p->who.name, p->req->method, p->req->path);
		visit_wrong(v, 403, W(p, "Not yours to do", "没有权限"),
		            W(p, "You are signed in as a viewer: this needs the role operator.", "当前角色为查看者，此操作需要操作员角色。"));
	} else if (v->json) {
		dash_header(p, "WWW-Authenticate", "Bearer realm=\"shipwatch\"");
		visit_wrong(v, 401, "", "sign in, or send Authorization: Bearer with a token");
	} else if (get) {
		if (!visit_from_elsewhere(v))
			dash_see(p, next_of(p));
	} else {
		visit_wrong(v, 401, W(p, "Not signed in", "未登录"), W(p, "Your session is over. Nothing was done; please sign in and try again.", "会话已结束，未执行任何操作。请登录后重试。"));
	}
	return false;
}

/* ---- requests ---- */

static bool is_form(const struct sw_http_req *req)
{
	static const char type[] = "application/x-www-form-urlencoded";
	const char *value = sw_http_header(req, "content-type");
	size_t n = strlen(type);

	return value && strncasecmp(value, type, n) == 0 && (!value[n] || value[n] == ';' || value[n] == ' ');
}

static bool own_page(const char *path)
{
	return sw_streq(path, "/health") || sw_streq(path, "/metrics") || is_asset(path);
}

/* GET, HEAD, OPTIONS of what is no route. */
static void own_head(struct sw_http_req *req)
{
	static const struct sw_header allow = { "Allow", "GET, HEAD, OPTIONS" };

	req->body_max = 0;
	if (strcmp(req->method, "OPTIONS") == 0)
		dash_json(req, 204, &allow, 1, "");
	else if (strcmp(req->method, "GET") != 0 && strcmp(req->method, "HEAD") != 0)
		dash_json_error(req, 405, &allow, 1, "want GET");
}

/* An answer at the head; the page of an error needs a visit to be written in. */
static void head_wrong(struct dash *d, struct sw_http_req *req, const struct found *f, int status, const char *en, const char *zh)
{
	static const struct { int status; const char *zh; } titles[] = { { 404, "未找到" }, { 405, "不支持的方法" }, { 415, "不支持的类型" } };
	const char *title = sw_http_status_text(status);
	struct visit *v = visit_new(d, req, f);
	const char *why;

	(void)dash_auth_who(&v->p, &why);
	if (*f->allow)
		dash_header(&v->p, "Allow", sw_arena_printf(&v->p.a, "%s, OPTIONS", f->allow));
	for (size_t i = 0; i < SW_COUNT(titles); i++)
		if (titles[i].status == status)
			title = W(&v->p, title, titles[i].zh);
	visit_wrong(v, status, title, v->json ? en : W(&v->p, en, zh));
	dash_answer(&v->p);
}

void dash_on_head(void *arg, struct sw_http_req *req)
{
	struct dash *d = arg;
	struct found f;
	const char *why = NULL;
	int status = dash_auth_door(d, req, &why);
	struct visit *v;

	if (status) {
		dash_json_error(req, status, NULL, 0, why);
		return;
	}
	if (own_page(req->path)) {
		own_head(req);
		return;
	}
	route_find(req->method, req->path, &f);
	if (!f.path) {
		head_wrong(d, req, &f, 404, "There is nothing here.", "此处没有内容。");
	} else if (strcmp(req->method, "OPTIONS") == 0) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

		sw_buf_printf(&b, "%s, OPTIONS", f.allow);
		dash_json(req, 204, &(struct sw_header){ "Allow", sw_buf_str(&b) }, 1, "");
	} else if (!f.route) {
		head_wrong(d, req, &f, 405, "That cannot be done here.", "此处不支持该操作。");
	} else if (d->n_visits >= DASH_VISITS) {
		dash_json_error(req, 503, &(struct sw_header){ "Retry-After", "2" }, 1, BUSY);
	} else if (strcmp(req->method, "POST") == 0 && !is_form(req)) {
		f.allow[0] = '\0';
		head_wrong(d, req, &f, 415, "Want a form: application/x-www-form-urlencoded.", "需要表单：application/x-www-form-urlencoded。");
	} else {
		req->body_max = strcmp(req->method, "POST") == 0 ? DASH_FORM_MAX : 0;
		v = visit_new(d, req, &f);
		if (!visit_may(v))
			dash_answer(&v->p);
		else
			visit_free(v);
	}
}

/* The rest of the path: a name, not a piece of a file's. */
static const char *visit_id(struct visit *v, const char *rest)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	SW_CLEANUP(sw_buf_fini) struct sw_buf clean = SW_BUF_INIT;

	if (strlen(rest) > 3 * ID_MAX || sw_pct_decode(&b, rest, strlen(rest), false) < 0 || !b.n || b.n > ID_MAX || strlen(sw_buf_str(&b)) != b.n)
		return NULL;
	sw_utf8_clean(&clean, b.p, b.n, true);
	return strcmp(sw_buf_str(&clean), b.p) == 0 ? sw_arena_strdup(&v->p.a, b.p) : NULL;
}

void dash_on_request(void *arg, struct sw_http_req *req)
{
	struct dash *d = arg;
	const char *why;
	struct found f;
	struct visit *v;

	if (sw_streq(req->path, "/health")) {
		dash_health(d, req);
		return;
	}
	if (sw_streq(req->path, "/metrics")) {
		dash_metrics(d, req);
		return;
	}
	if (is_asset(req->path)) {
		dash_asset_reply(d, req);
		return;
	}
	route_find(req->method, req->path, &f);
	SW_ASSERT(f.route);
	v = visit_new(d, req, &f);
	if (req->body_n)
		v->p.form = sw_arena_memdup(&v->p.a, req->body, req->body_n);
	v->p.form_n = req->body_n;
	if (f.rest && !(v->p.id = visit_id(v, f.rest))) {
		visit_wrong(v, 404, W(&v->p, "Not found", "未找到"), W(&v->p, "There is nothing of that name.", "没有此名称的内容。"));
	} else if (visit_may(v)) {
		why = strcmp(req->method, "POST") == 0 ? dash_auth_form(&v->p) : NULL;
		if (!why && !dash_page_chosen(&v->p)) {
			dash_ask(v);
			return;
		}
		if (why) {
			SW_WARN(LOG, "refused: %s %s by %s: %s", req->method, req->path, v->p.who.name ? v->p.who.name : "nobody", why);
			visit_wrong(v, 403, W(&v->p, "Not from this page", "请求并非来自本页面"), why);
		}
	}
	dash_answer(&v->p);
}

void dash_on_answer(void *arg, const struct sw_http_req *req, int status, const char *why, sw_dur took)
{
	struct dash *d = arg;
	char code[16], path[96];
	struct found f = { 0 };
	const char *name = "other";

	if (req && own_page(req->path))
		name = is_asset(req->path) ? "/assets/" : req->path;
	else if (req)
		route_find(req->method, req->path, &f);
	if (f.route)
		name = f.route->path;
	(void)snprintf(code, sizeof code, "%d", status);
	(void)snprintf(path, sizeof path, "%s", name);
	SW_METRIC_INC(d->meters.requests, path, code);
	sw_metric_observe(d->meters.seconds, (const char *const[]){ path }, (double)took / 1000);
	if (why)
		SW_DEBUG(LOG, "answered %d: %s", status, why);
}
