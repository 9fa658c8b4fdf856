/* From a form to what came of it. */
#include "dashboard/deed.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "dashboard/auth.h"
#include "shipwatch/log.h"
#include "shipwatch/mem.h"

#define LOG "dashboard"

enum { POLL_FIRST = 20 /* ms */, POLL_MOST = 200, WAIT = 2000, NODES = 100000 };

/* ---- the end ---- */

static void deed_gone(struct visit *v)
{
	struct deed *d = v->state;

	sw_arena_fini(&d->last);
}

void dash_deed_say(struct deed *d, int status, const char *words)
{
	struct page *p = d->p;
	bool well = status < 400;
	unsigned char ip[16];
	char from[64];

	dash_client(p, ip, from, sizeof from);
	sw_log(well ? SW_LOG_INFO : SW_LOG_WARN, LOG, "%s of %s by %s from %s: %s, %d", d->what, d->target, d->by.who, from,
	       status == 202 ? "stored" : well ? "done" : "not done", status);
	if (well) {
		SW_METRIC_INC(p->d->meters.decisions, d->what);
		dash_live_touched(p->d, SW_TOUCHED_DECISIONS | DASH_TOUCHED_STATUS);
	}
	if (dash_visit(p)->json) {
		p->http = status;
		p->type = "application/json";
		sw_buf_cat(&p->out, well ? "{\"done\":" : "{\"error\":");
		sw_buf_json(&p->out, words);
		sw_buf_putc(&p->out, '}');
	} else {
		dash_flash(p, well, words);
		dash_see(p, d->back);
	}
	dash_answer(p);
}

void dash_deed_failed(struct deed *d, int r)
{
	struct page *p = d->p;

	if (r == -EIO || r == -ECANCELED)
		dash_deed_say(d, 503, W(p, "Redis gave no answer: it may have been stored or not. Doing it twice does no harm.", "Redis 没有回应：可能已保存，也可能未保存。重复操作不会造成影响。"));
	else
		dash_deed_say(d, 503, W(p, "Redis cannot be reached: nothing was done.", "无法连接 Redis：未执行任何操作。"));
}

/* ---- the beginning ---- */

/* The page that the form stood on, if it is one of ours. */
static const char *deed_back(struct page *p)
{
	const char *referer = sw_http_header(p->req, "referer"), *host = sw_http_header(p->req, "host"), *url = p->cfg->public_url, *s;
	const char *next = sw_page_form(p, "next");
	size_t n;

	if (next)
		return dash_next(next);
	s = referer ? strstr(referer, "://") : NULL;
	if (!s)
		return "/";
	if (url && sw_starts(referer, url) && referer[strlen(url)] == '/')
		return dash_next(referer + strlen(url));
	s += 3;
	n = strcspn(s, "/?#");
	return host && strlen(host) == n && strncmp(s, host, n) == 0 ? dash_next(s + n) : "/";
}

struct deed *dash_deed(struct page *p, const char *what, const char *target)
{
	struct deed *d = SW_ARENA_NEW(&p->a, struct deed);

	d->p = p;
	d->what = what;
	d->target = target;
	d->by = (struct sw_decider){ .who = p->who.name, .via = p->who.token ? "api" : "dashboard", .at = p->now };
	d->back = sw_arena_strndup(&p->a, deed_back(p), strcspn(deed_back(p), "#"));
	d->most = WAIT;
	dash_visit(p)->state = d;
	dash_visit(p)->gone = deed_gone;
	dash_later(p);
	return d;
}

/* ---- looking, appending, waiting ---- */

static void deed_load(void *arg);

static void deed_stored(void *arg, int r)
{
	struct deed *d = arg;

	if (r < 0) {
		dash_deed_failed(d, r);
		return;
	}
	d->sent = true;
	d->poll = POLL_FIRST;
	sw_timer_init(&dash_visit(d->p)->timer, d->p->d->loop, deed_load, d);
	sw_timer_set(&dash_visit(d->p)->timer, d->poll);
}

static void deed_waits(struct deed *d, int64_t v)
{
	if (d->came ? d->came(d) : v > d->v) {
		if (!d->came)
			dash_deed_say(d, 200, d->done);
		return;
	}
	d->waited += d->poll;
	d->poll = SW_MIN(2 * d->poll, POLL_MOST);
	if (d->waited < d->most)
		sw_timer_set(&dash_visit(d->p)->timer, d->poll);
	else
		dash_deed_say(d, 202, W(d->p, "Stored; no worker has read it yet.", "已保存；尚未被 worker 读取。"));
}

static void deed_loaded(void *arg, int r, const struct sw_loaded *l)
{
	struct deed *d = arg;
	struct sw_jnode *state = NULL;

	if (r < 0) {
		/* Stored it is; what came of it is seen on the page. */
		if (d->sent)
			dash_deed_say(d, 202, W(d->p, "Stored; what came of it is not known yet.", "已保存；结果尚不可知。"));
		else
			dash_deed_failed(d, r);
		return;
	}
	sw_arena_reset(&d->last);
	d->state = l->state && sw_jtree_parse(&d->last, l->state, l->state_n, NODES, &state, NULL) == 0 ? state : NULL;
	d->now = l->now;
	if (d->sent) {
		deed_waits(d, l->v);
		return;
	}
	d->v = l->v;
	d->by.at = l->now;
	if (d->look(d))
		sw_bus_append(d->p->d->bus, d->aggregate, d->msg, deed_stored, d);
}

static void deed_load(void *arg)
{
	struct deed *d = arg;

	sw_bus_load(d->p->d->bus, &(struct sw_load){ .aggregate = d->aggregate }, deed_loaded, d);
}

void dash_deed_at(struct deed *d, const char *aggregate)
{
	d->aggregate = aggregate;
	deed_load(d);
}

/* ---- finding ---- */

const struct sw_jnode *dash_deed_item(const struct deed *d)
{
	const struct sw_jnode *items = sw_jget(d->state, d->list);

	for (const struct sw_jnode *x = items ? items->child : NULL; x; x = x->next)
		if (sw_streq(sw_jstr(x, "id"), d->id))
			return x;
	return NULL;
}

static void deed_next(struct deed *d);

static void deed_seen(void *arg, int r, const struct sw_loaded *l)
{
	struct deed *d = arg;
	struct sw_jnode *state = NULL;

	if (r < 0) {
		dash_deed_failed(d, r);
		return;
	}
	sw_arena_reset(&d->last);
	d->state = l->state && sw_jtree_parse(&d->last, l->state, l->state_n, NODES, &state, NULL) == 0 ? state : NULL;
	if (dash_deed_item(d))
		dash_deed_at(d, d->names[d->at - 1]);
	else
		deed_next(d);
}

static void deed_next(struct deed *d)
{
	if (d->at >= d->n_names) {
		dash_deed_say(d, 404, W(d->p, "It is not kept any more; nothing was done.", "已不再保存，未执行任何操作。"));
		return;
	}
	sw_bus_load(d->p->d->bus, &(struct sw_load){ .aggregate = d->names[d->at++] }, deed_seen, d);
}

static void deed_places(void *arg, int r, const char *json)
{
	struct deed *d = arg;
	struct sw_arena *a = &d->p->a;
	struct sw_jnode *names = NULL;

	if (r < 0) {
		dash_deed_failed(d, r);
		return;
	}
	if (json && sw_jtree_parse(a, json, strlen(json), NODES, &names, NULL) == 0) {
		d->names = SW_ARENA_ARRAY(a, const char *, names->n + 1);
		for (const struct sw_jnode *x = names->child; x; x = x->next)
			if (x->text)
				d->names[d->n_names++] = x->text;
	}
	deed_next(d);
}

void dash_deed_find(struct deed *d, const char *list, const char *id, const char *service, const char *environment)
{
	struct page *p = d->p;

	d->list = list;
	d->id = id;
	if (service && environment)
		dash_deed_at(d, sw_arena_printf(&p->a, "place:%s/%s", service, environment));
	else
		sw_bus_query(p->d->bus, sw_arena_printf(&p->a, "aggregates place: %d", DEED_PLACES), deed_places, d);
}
