/*
 * What Redis knows, asked before a handler runs. Every page has "status" for its banners; its text is kept for a second, so that
 * hundreds who look at the same moment ask once. Where Redis is away nothing is waited for: the page says so.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "dashboard/inner.h"
#include "model/command.h"
#include "shipwatch/mem.h"

enum { STATUS_KEPT = 1000 /* ms */, NODES = 200000, DEAD_SHOWN = 100 };

void dash_ask_forget(struct dash *d)
{
	free(d->status);
	d->status = NULL;
}

static void ask_done(struct visit *v)
{
	if (--v->waiting == 0)
		dash_run(v);
}

static const struct sw_jnode *ask_tree(struct visit *v, const char *json)
{
	struct sw_jnode *t = NULL;

	if (!json || sw_jtree_parse(&v->p.a, json, strlen(json), NODES, &t, NULL) < 0)
		return NULL;
	return t;
}

static void ask_status(void *arg, int r, const char *json)
{
	struct visit *v = arg;
	struct dash *d = v->p.d;

	v->p.status = r == 0 ? ask_tree(v, json) : NULL;
	if (v->p.status) {
		dash_ask_forget(d);
		d->status = sw_strdup(json);
		d->status_at = sw_loop_mono(d->loop);
	}
	ask_done(v);
}

static void ask_dead(void *arg, int r, const char *json)
{
	struct visit *v = arg;

	v->p.dead = r == 0 ? ask_tree(v, json ? json : "null") : NULL;
	ask_done(v);
}

static void ask_silences(void *arg, int r, const char *json)
{
	struct visit *v = arg;
	const struct sw_jnode *t = r == 0 ? ask_tree(v, json ? json : "{\"state\":{\"items\":[]}}") : NULL;

	v->p.silences = sw_jget(sw_jget(t, "state"), "items");
	ask_done(v);
}

static bool stream_id(const char *id)
{
	return id && *id && strlen(id) < 64 && !id[strspn(id, "0123456789-")];
}

/* What Redis is to say also tells how long the history is behind it. */
static const char *ask_status_words(struct page *p)
{
	struct dash *d = p->d;
	const char *at;

	dash_store_look(d);
	at = d->store ? sw_store_position(d->store, &p->a) : NULL;
	return at && stream_id(at) ? sw_arena_printf(&p->a, "status %s", at) : "status";
}

void dash_ask(struct visit *v)
{
	struct page *p = &v->p;
	struct dash *d = p->d;
	unsigned needs = v->route->needs;
	const char *from;

	if (!v->json)
		needs |= SW_NEEDS_STATUS;
	v->waiting = 1;
	v->asked = true;
	if ((needs & SW_NEEDS_STATUS) && d->status && sw_loop_mono(d->loop) - d->status_at < STATUS_KEPT && sw_bus_up(d->bus)) {
		p->status = ask_tree(v, d->status);
		needs &= ~(unsigned)SW_NEEDS_STATUS;
	}
	if (sw_bus_up(d->bus)) {
		if (needs & SW_NEEDS_STATUS) {
			v->waiting++;
			sw_bus_query(d->bus, ask_status_words(p), ask_status, v);
		}
		if ((needs & SW_NEEDS_DEAD) && (!p->id || stream_id(p->id))) {
			from = sw_page_query(p, "from");
			v->waiting++;
			sw_bus_query(d->bus, p->id ? sw_arena_printf(&p->a, "dead show %s", p->id) : sw_arena_printf(&p->a, "dead list %s %d", stream_id(from) ? from : "-", DEAD_SHOWN),
			             ask_dead, v);
		}
		if (needs & SW_NEEDS_SILENCES) {
			v->waiting++;
			sw_bus_query(d->bus, "aggregate " SILENCES_KEY, ask_silences, v);
		}
	}
	ask_done(v);
}
