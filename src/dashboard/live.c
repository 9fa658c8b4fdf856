/*
 * What changed, to those who look: server-sent events that name what was touched, never what it is now; a page asks for that itself, with its
 * own right to see it. What is touched within a second is told together. One list, one timer for all: who only waits costs nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "dashboard/inner.h"
#include "shipwatch/mem.h"

enum { TOLD_EVERY = 1000 /* ms */, TOLD_AFTER = 100, BEAT = 25000, BUFFER = 16 * 1024 };
#define LIFE SW_HOUR /* then it comes again, and is asked who it is */

struct viewer { struct live *l; struct sw_http_stream *st; sw_dur until; struct viewer *next, **prev; };

struct live {
	struct dash *d;
	struct viewer *viewers;
	unsigned n;
	unsigned touched;            /* not told yet */
	struct sw_timer tell, beat;
	sw_dur told_at;
	bool written;                /* the history could be, at the last beat */
	char boot[24];               /* of the ids: another process, another count */
	unsigned long long seq;
};

static const struct { unsigned bit; const char *name; } names[] = {
	{ SW_TOUCHED_EVENTS, "events" },     { SW_TOUCHED_BUILDS, "builds" },   { SW_TOUCHED_DEPLOYMENTS, "deployments" }, { SW_TOUCHED_WATCHES, "watches" },
	{ SW_TOUCHED_SAMPLES, "samples" },   { SW_TOUCHED_ALERTS, "alerts" },   { SW_TOUCHED_DELIVERIES, "deliveries" },   { SW_TOUCHED_ACTIONS, "actions" },
	{ SW_TOUCHED_DECISIONS, "decisions" }, { DASH_TOUCHED_STATUS, "status" },
};

static void viewer_free(struct viewer *v)
{
	*v->prev = v->next;
	if (v->next)
		v->next->prev = v->prev;
	v->l->n--;
	free(v);
}

static void viewer_gone(void *arg)
{
	viewer_free(arg);
}

static void live_write(struct live *l, unsigned bits, struct sw_buf *b)
{
	const char *sep = "";

	sw_buf_printf(b, "id: %s-%llu\nevent: %s\ndata: ", l->boot, l->seq, bits ? "touched" : "hello");
	for (size_t i = 0; i < SW_COUNT(names); i++)
		if (bits & names[i].bit) {
			sw_buf_printf(b, "%s%s", sep, names[i].name);
			sep = " ";
		}
	sw_buf_cat(b, bits ? "\n\n" : "-\n\n");
}

static void live_all(struct live *l, const char *p, size_t n)
{
	for (struct viewer *v = l->viewers, *next; v; v = next) {
		next = v->next;
		if (!sw_http_stream_send(v->st, p, n)) {
			sw_metric_add(l->d->meters.cut, NULL, 1);
			viewer_free(v);
		}
	}
}

static void live_tell(void *arg)
{
	struct live *l = arg;
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	l->told_at = sw_loop_mono(l->d->loop);
	l->seq++;
	live_write(l, l->touched, &b);
	l->touched = 0;
	sw_metric_add(l->d->meters.told, NULL, l->n);
	live_all(l, b.p, b.n);
}

void dash_live_touched(struct dash *d, unsigned bits)
{
	struct live *l = d->live;
	sw_dur since;

	if (bits & DASH_TOUCHED_STATUS)
		dash_ask_forget(d);
	if (!l || !bits)
		return;
	/* Also with nobody there: who comes back sees by the id that something was. */
	l->touched |= bits;
	since = sw_loop_mono(d->loop) - l->told_at;
	if (!sw_timer_armed(&l->tell))
		sw_timer_set(&l->tell, l->told_at && since < TOLD_EVERY ? TOLD_EVERY - since : TOLD_AFTER);
}

/* So that proxies keep the connection, and one that is dead is found. */
static void live_beat(void *arg)
{
	struct live *l = arg;
	sw_dur now = sw_loop_mono(l->d->loop);
	bool written;

	for (struct viewer *v = l->viewers, *next; v; v = next) {
		next = v->next;
		if (now >= v->until) {
			sw_http_stream_end(v->st);
			viewer_free(v);
		}
	}
	live_all(l, ":\n\n", 3);
	/* Nothing is recorded, so nothing tells of it. */
	written = sw_metric_total(l->d->meters.recorder_own.written) > 0;
	if (!written || !l->written)
		dash_live_touched(l->d, DASH_TOUCHED_STATUS);
	l->written = written;
	if (l->viewers)
		sw_timer_set(&l->beat, BEAT);
}

static void live_begin(struct page *p)
{
	static const struct sw_header h[] = { { "Cache-Control", "no-store, no-transform" }, { "X-Accel-Buffering", "no" } };
	struct sw_http_answer a = { .status = 200, .type = "text/event-stream; charset=utf-8", .headers = h, .n_headers = SW_COUNT(h) };
	struct live *l = p->d->live;
	const char *last = sw_page_query(p, "last"), *header = sw_http_header(p->req, "last-event-id"), *now;
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_http_stream_owner owner = { .gone = viewer_gone };
	struct viewer *v;

	if (!l || l->n >= DASH_VIEWERS) {
		p->http = 503;
		p->type = "application/json";
		dash_header(p, "Retry-After", "30");
		sw_buf_cat(&p->out, "{\"error\":\"as many live viewers as there may be\"}");
		return;
	}
	now = sw_arena_printf(&p->a, "%s-%llu", l->boot, l->seq);
	last = header ? header : last;
	sw_buf_cat(&b, "retry: 3000\n\n");
	/* Who was here before and missed something sees all of it anew. */
	live_write(l, last && *last && !sw_streq(last, now) ? ~0u : 0, &b);
	v = sw_calloc(1, sizeof *v);
	owner.arg = v;
	v->l = l;
	v->until = sw_loop_mono(p->d->loop) + LIFE;
	dash_later(p);
	v->st = sw_http_stream_begin(p->req, &a, BUFFER, &owner);
	if (!v->st || !sw_http_stream_send(v->st, b.p, b.n)) {
		free(v);
	} else {
		v->next = l->viewers;
		v->prev = &l->viewers;
		if (v->next)
			v->next->prev = &v->next;
		l->viewers = v;
		if (l->n++ == 0)
			sw_timer_set(&l->beat, BEAT);
	}
	dash_streams(p);
}

const struct route dash_routes_live[] = { { "GET", "/live", SW_ROLE_VIEWER, 0, live_begin }, { 0 } };

void dash_live_new(struct dash *d)
{
	struct live *l = sw_calloc(1, sizeof *l);

	l->d = d;
	d->live = l;
	(void)snprintf(l->boot, sizeof l->boot, "%llx", (unsigned long long)sw_loop_wall(d->loop));
	sw_timer_init(&l->tell, d->loop, live_tell, l);
	sw_timer_init(&l->beat, d->loop, live_beat, l);
}

void dash_live_again(struct dash *d)
{
	struct live *l = d->live;

	while (l && l->viewers) {
		sw_http_stream_end(l->viewers->st);
		viewer_free(l->viewers);
	}
}

void dash_live_free(struct dash *d)
{
	struct live *l = d->live;

	dash_live_again(d);
	d->live = NULL;
	if (!l)
		return;
	sw_timer_stop(&l->tell);
	sw_timer_stop(&l->beat);
	free(l);
}

unsigned dash_live_viewers(const struct dash *d)
{
	return d->live ? d->live->n : 0;
}
