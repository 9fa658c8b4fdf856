/*
 * The export: the history as lines of JSON, sent in pieces as they are taken. Between two pieces nothing is held but the cursor, so a slow
 * reader costs nobody anything, and a history that is replaced meanwhile cuts the answer instead of ending it as if it were whole.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "dashboard/api.h"
#include "dashboard/history.h"
#include "dashboard/inner.h"
#include "shipwatch/log.h"

#define LOG    "dashboard"
#define PIECE  ((size_t)128 * 1024)
#define BUFFER ((size_t)1024 * 1024)
#define AT_ONCE 4

struct export {
	struct dash *d;
	struct sw_http_stream *st;
	struct sw_export x;
	char *service, *environment;
	struct sw_timer more;
};

static unsigned exports;

static void export_free(struct export *e)
{
	sw_timer_stop(&e->more);
	free(e->service);
	free(e->environment);
	free(e);
	exports--;
}

static void export_gone(void *arg)
{
	export_free(arg);
}

/* One piece; the next one when it was taken, or in the loop's next turn: a large history must not keep others waiting. */
static void export_piece(void *arg)
{
	struct export *e = arg;
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_err err = SW_ERR_INIT;
	int r = e->d->store ? sw_store_export(e->d->store, &e->x, PIECE, &b, &err) : -EIO;

	if (r < 0) {
		SW_WARN(LOG, "an export was cut off: %s", err.text[0] ? err.text : "the history is gone");
		sw_http_stream_cut(e->st);
		export_free(e);
		return;
	}
	if (b.n && !sw_http_stream_send(e->st, b.p, b.n)) {
		export_free(e);
		return;
	}
	if (e->x.done) {
		sw_http_stream_end(e->st);
		export_free(e);
	} else if (!sw_http_stream_pending(e->st)) {
		sw_timer_set(&e->more, 0);
	}
}

static void export_room(void *arg)
{
	struct export *e = arg;

	if (!sw_timer_armed(&e->more))
		sw_timer_set(&e->more, 0);
}

/* A moment as lists take it: ms, RFC 3339, or so long ago. */
static bool export_moment(struct page *p, const char *name, sw_ms *ret)
{
	const char *value = sw_page_query(p, name);
	sw_dur ago;
	char *end;

	*ret = 0;
	if (!value || !*value)
		return true;
	*ret = strtoll(value, &end, 10);
	if (!*end && *ret >= 0)
		return true;
	if (sw_dur_parse(value, &ago) == 0)
		*ret = p->now - ago;
	else if (sw_time_parse(value, ret) < 0)
		return false;
	return true;
}

static const char *export_wrong(struct page *p, struct sw_export *x)
{
	const char *service = sw_page_query(p, "service"), *environment = sw_page_query(p, "environment");

	x->service = service && *service ? service : NULL;
	x->environment = environment && *environment ? environment : NULL;
	if (!x->service != !x->environment)
		return "service and environment: want both, or none for everything";
	if (!export_moment(p, "since", &x->from))
		return "since: want a moment or so long ago, such as 7d";
	if (!export_moment(p, "until", &x->until))
		return "until: want a moment or so long ago, such as 7d";
	return NULL;
}

void api_export(struct page *p)
{
	static const struct sw_header attachment = { "Content-Disposition", "attachment; filename=\"shipwatch.ndjson\"" };
	struct sw_http_answer a = { .status = 200, .type = "application/x-ndjson", .headers = &attachment, .n_headers = 1 };
	struct sw_http_stream_owner owner = { .gone = export_gone, .room = export_room };
	struct sw_export x = { 0 };
	const char *bad = export_wrong(p, &x);
	struct export *e;

	if (!api_history(p))
		return;
	if (bad || exports >= AT_ONCE) {
		api_wrong(p, bad ? 400 : 503, bad ? bad : "as many exports as there may be, try again later");
		return;
	}
	e = sw_calloc(1, sizeof *e);
	exports++;
	e->d = p->d;
	e->service = sw_strdup(x.service);
	e->environment = sw_strdup(x.environment);
	e->x = x;
	e->x.service = e->service;
	e->x.environment = e->environment;
	sw_timer_init(&e->more, p->d->loop, export_piece, e);
	owner.arg = e;
	dash_later(p);
	e->st = sw_http_stream_begin(p->req, &a, BUFFER, &owner);
	if (e->st)
		sw_timer_set(&e->more, 0);
	else
		export_free(e);
	dash_streams(p);
}
