/*
 * Intake: a raw delivery out of `in` becomes events, each event facts for the aggregates it concerns; one script puts them into
 * `work` and acknowledges the delivery.
 *
 * Parsing and routing are pure, so a failed script call is simply made again with the same arguments: the script does nothing
 * when the delivery was done before.
 */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "shipwatch/clock.h"
#include "shipwatch/log.h"
#include "worker/inner.h"

#define LOG "worker/intake"
#define DEATHS_MAX   5
#define META_NODES   1000
#define HEADERS_MAX  64
#define KEEP_TTL     (14 * SW_DAY)
#define KEEP_CAP     50
#define JOURNAL_MAX  65536

struct intake {
	struct worker *w;
	struct setup *setup;
	struct sw_arena a;
	struct sw_entry entry;         /* texts in the arena once it had to wait, else borrowed from the bus */
	struct sw_log_ids ids;
	struct sw_tell *facts;
	struct sw_keep *keeps;
	size_t n_facts, cap_facts, n_keeps, cap_keeps;
	const char *journal, *reason;  /* reason: it is to be buried */
	unsigned tries;
	struct sw_timer timer;
	struct intake *next, **link;   /* w->intakes */
};

static void intake_free(struct intake *in)
{
	struct worker *w = in->w;

	*in->link = in->next;
	if (in->next)
		in->next->link = in->link;
	sw_timer_stop(&in->timer);
	sw_setup_put(in->setup);
	sw_arena_fini(&in->a);
	free(in);
	w->in_flight--;
	sw_worker_more(w);
}

static void intake_submit(void *arg);

static void intake_done(void *arg, int r)
{
	struct intake *in = arg;

	if (r >= 0 || r == -ECANCELED) {
		intake_free(in);
		return;
	}
	if (in->tries++ % 32 == 0) {
		sw_log_ids_set(&in->ids);
		SW_WARN(LOG, "entry %s not taken in: %s, trying again", in->entry.id, strerror(-r));
		sw_log_ids_set(NULL);
	}
	sw_timer_set(&in->timer, SW_MIN((sw_dur)100 << SW_MIN(in->tries, 6u), 5 * SW_SECOND));
}

static void intake_submit(void *arg)
{
	struct intake *in = arg;

	if (in->reason) {
		sw_bus_bury(in->w->bus, SW_STREAM_IN, in->entry.id, in->reason, intake_done, in);
		return;
	}
	sw_bus_intake(in->w->bus, &(struct sw_intake){
		.id = in->entry.id, .facts = in->facts, .n_facts = in->n_facts, .keeps = in->keeps, .n_keeps = in->n_keeps,
		.journal = in->journal,
	}, intake_done, in);
}

static void intake_bury(struct intake *in, const char *reason)
{
	sw_log_ids_set(&in->ids);
	SW_ERROR(LOG, "dead letter: source %s, entry %s: %s", in->entry.source, in->entry.id, reason);
	sw_log_ids_set(NULL);
	sw_meters_dead(in->w, "in");
	in->reason = sw_arena_strdup(&in->a, reason);
	intake_submit(in);
}

/* ---- arrays in the arena ---- */

#define GROW(in, arr, n, cap, type)                                                                       \
	do {                                                                                              \
		if ((n) == (cap)) {                                                                       \
			type *bigger;                                                                     \
			(cap) = (cap) ? 2 * (cap) : 16;                                                   \
			bigger = SW_ARENA_ARRAY(&(in)->a, type, (cap));                                   \
			if (n)                                                                            \
				memcpy(bigger, (arr), (n) * sizeof(type));                                \
			(arr) = bigger;                                                                   \
		}                                                                                         \
	} while (0)

static void intake_keep(struct intake *in, const char *key, const char *value, sw_dur ttl, int cap)
{
	GROW(in, in->keeps, in->n_keeps, in->cap_keeps, struct sw_keep);
	in->keeps[in->n_keeps++] = (struct sw_keep){ .key = key, .value = value, .ttl = ttl, .list = true, .cap = cap };
}

/* An event that names an environment nobody claims: kept so that `status` can show the stanza that would claim it. */
static void intake_unclaimed(struct intake *in, const struct sw_event *ev)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_jw jw;

	SW_INFO(LOG, "no service claims %s environment \"%s\" of %s; `shipwatch status` shows what would", ev->source_kind,
	        ev->environment ? ev->environment : "", ev->repo ? ev->repo : "?");
	sw_jw_init(&jw, &b);
	sw_jw_obj(&jw, NULL);
	sw_jw_int(&jw, "at", in->entry.arrived);
	sw_jw_opt(&jw, "source", ev->source);
	sw_jw_opt(&jw, "repo", ev->repo);
	sw_jw_opt(&jw, "environment", ev->environment);
	sw_jw_opt(&jw, "sha", ev->sha);
	sw_jw_obj_end(&jw);
	intake_keep(in, "unclaimed", sw_arena_strdup(&in->a, sw_buf_str(&b)), 7 * SW_DAY, 20);
}

static void intake_event(struct intake *in, const struct sw_source *src, struct sw_event *ev)
{
	struct sw_routed rt = { 0 };

	ev->source = in->entry.source;
	ev->source_kind = src->base.name;
	ev->event_id = in->entry.own_id;
	if (!ev->received)
		ev->received = in->entry.arrived;
	if (!ev->at)
		ev->at = ev->received;
	sw_meters_event(in->w, ev->source, sw_kind_name(ev->kind));
	if (ev->kind == SW_EV_NONE)
		return;
	in->ids.ci_run_id = ev->ci_run_id;
	in->ids.service = ev->service;
	in->ids.environment = ev->environment;
	sw_log_ids_set(&in->ids);
	sw_engine_route(&in->setup->engine, ev, &in->a, &rt);
	SW_INFO(LOG, "%s %s of %s %s: %zu facts", ev->source_kind, sw_kind_name(ev->kind), ev->repo ? ev->repo : "?",
	        ev->status == SW_ST_NONE ? (ev->ref ? ev->ref : "") : sw_status_name(ev->status), rt.n_facts);
	for (size_t i = 0; i < rt.n_facts; i++) {
		GROW(in, in->facts, in->n_facts, in->cap_facts, struct sw_tell);
		in->facts[in->n_facts++] = (struct sw_tell){ rt.facts[i].aggregate, rt.facts[i].msg };
	}
	if (rt.keep_key)
		intake_keep(in, rt.keep_key, rt.keep_value, KEEP_TTL, KEEP_CAP);
	else
		ev->n_commits = 0; /* nobody will ask for them: the history need not have them */
	if (rt.unclaimed)
		intake_unclaimed(in, ev);
	sw_log_ids_set(NULL);
}

/* The events, whole, for the history: here only, whoever is told of them. */
static void intake_journal(struct intake *in, const struct sw_events *evs)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_jw jw;

	sw_jw_init(&jw, &b);
	sw_jw_obj(&jw, NULL);
	sw_jw_int(&jw, "at", in->entry.arrived);
	sw_jw_str(&jw, "event_id", in->entry.own_id);
	sw_jw_str(&jw, "source", in->entry.source);
	sw_jw_opt(&jw, "delivery", in->ids.delivery);
	sw_jw_int(&jw, "facts", (int64_t)in->n_facts);
	sw_jw_int(&jw, "n_events", (int64_t)evs->n);
	if (evs->left_out)
		sw_jw_int(&jw, "left_out", (int64_t)evs->left_out);
	sw_jw_arr(&jw, "events");
	for (size_t i = 0; i < evs->n && b.n < JOURNAL_MAX; i++) {
		size_t before = b.n;
		struct sw_jw was = jw;

		sw_event_write(&evs->items[i], true, &jw, NULL);
		if (b.n - before <= JOURNAL_MAX)
			continue;
		sw_buf_truncate(&b, before);
		jw = was;
		sw_event_write(&evs->items[i], false, &jw, NULL);
	}
	sw_jw_arr_end(&jw);
	sw_jw_obj_end(&jw);
	in->journal = sw_arena_strndup(&in->a, b.p, b.n);
}

/* ---- the delivery as the plug-in wants it ---- */

/* meta: {"headers":{…},"content_type":…,"delivery":…} as the gateway wrote it. */
static int intake_request(struct intake *in, struct sw_request *rq, struct sw_err *err)
{
	const char *meta = in->entry.meta ? in->entry.meta : "{}";
	const struct sw_jnode *h;
	struct sw_header *headers;
	struct sw_jnode *root;
	size_t n = 0;
	int r;

	r = sw_jtree_parse(&in->a, meta, strlen(meta), META_NODES, &root, err);
	if (r < 0)
		return sw_err_set(err, EBADMSG, "what the gateway noted of it cannot be read");
	headers = SW_ARENA_ARRAY(&in->a, struct sw_header, HEADERS_MAX);
	h = sw_jget(root, "headers");
	for (h = h ? h->child : NULL; h && n < HEADERS_MAX; h = h->next)
		if (h->key && h->type == SW_J_STRING)
			headers[n++] = (struct sw_header){ h->key, h->text };
	*rq = (struct sw_request){
		.source = in->entry.source, .headers = headers, .n_headers = n, .body = in->entry.body, .body_n = in->entry.body_n,
		.content_type = sw_jstr(root, "content_type"), .arrived = in->entry.arrived,
	};
	in->ids.delivery = sw_jstr(root, "delivery");
	return 0;
}

static void intake_run(struct intake *in)
{
	const struct sw_conf_source *conf = sw_config_source(in->setup->cfg, in->entry.source);
	struct sw_err err = SW_ERR_INIT;
	struct sw_request rq = { 0 };
	struct sw_events evs;

	in->ids.event_id = in->entry.own_id;
	if (intake_request(in, &rq, &err) < 0) {
		intake_bury(in, err.text);
		return;
	}
	if (in->entry.broken) {
		intake_bury(in, in->entry.broken);
		return;
	}
	if (!conf) {
		intake_bury(in, "no source of that name in the configuration");
		return;
	}
	sw_events_init(&evs, &in->a);
	if (conf->plugin->parse(conf->conf, &rq, &evs, &err) < 0) {
		intake_bury(in, err.text[0] ? err.text : "cannot be understood");
		return;
	}
	sw_log_ids_set(&in->ids);
	if (evs.left_out)
		SW_WARN(LOG, "%zu more events in one delivery than the %zu that were taken, they are left out", evs.left_out, evs.n);
	else if (evs.cut)
		SW_WARN(LOG, "more than %d events in one delivery, the rest is dropped", SW_EVENTS_MAX);
	if (!evs.n)
		SW_DEBUG(LOG, "source %s: of no interest", in->entry.source);
	for (size_t i = 0; i < evs.n; i++)
		intake_event(in, conf->plugin, &evs.items[i]);
	sw_log_ids_set(NULL);
	if (sw_quiet_heard(in->w, in->entry.source, in->entry.arrived))
		intake_keep(in, sw_arena_printf(&in->a, "heard:%s", in->entry.source),
		            sw_arena_printf(&in->a, "%lld", (long long)in->entry.arrived), 30 * SW_DAY, 1);
	intake_journal(in, &evs);
	intake_submit(in);
}

static void intake_marked(void *arg, int r, int64_t times);

static void intake_mark(void *arg)
{
	struct intake *in = arg;

	sw_bus_trying(in->w->bus, SW_STREAM_IN, in->entry.id, intake_marked, in);
}

static void intake_marked(void *arg, int r, int64_t times)
{
	struct intake *in = arg;

	if (r == -ECANCELED) {
		intake_free(in);
		return;
	}
	if (r < 0) {
		in->timer.cb = intake_mark;
		intake_done(in, r);
		return;
	}
	in->timer.cb = intake_submit;
	in->tries = 0;
	if (times > DEATHS_MAX)
		intake_bury(in, sw_arena_printf(&in->a, "%d workers died of it", DEATHS_MAX));
	else
		intake_run(in);
}

void sw_intake_add(struct worker *w, const struct sw_entry *entry)
{
	struct intake *in = sw_calloc(1, sizeof *in);
	struct sw_entry *e = &in->entry;

	in->w = w;
	in->setup = sw_setup_get(w->setup);
	sw_timer_init(&in->timer, w->loop, intake_submit, in);
	*e = *entry;
	e->id = sw_arena_strdup(&in->a, e->id);
	e->own_id = sw_arena_strdup(&in->a, e->own_id);
	e->source = sw_arena_strdup(&in->a, e->source);
	in->link = &w->intakes;
	in->next = w->intakes;
	if (in->next)
		in->next->link = &in->next;
	w->intakes = in;
	w->in_flight++;
	if (!entry->reclaimed) {
		intake_run(in);
		e->body = NULL; /* was borrowed; what is left to do does not need it */
		return;
	}
	e->kind = sw_arena_strdup(&in->a, e->kind);
	e->meta = sw_arena_strdup(&in->a, e->meta);
	e->broken = sw_arena_strdup(&in->a, e->broken);
	e->body = e->body ? sw_arena_memdup(&in->a, e->body, e->body_n) : NULL;
	intake_mark(in);
}

void sw_intake_fini(struct worker *w)
{
	while (w->intakes)
		intake_free(w->intakes);
}
