/*
 * The poller: asks a place's sources for signals and hands on what it found as `samples`, or for the time before a
 * deployment and sends it as `past`. A question that cannot be asked is an answer too ("absent" or "error" with the
 * reason), so that the engine sees missing data as missing and not as silence.
 *
 * A round is what a step wants of one source. health and reference are one request without a query; a scrape is one
 * request for all queries; a Prometheus is asked once a query. When the last answer is in, the round is one message:
 * all its readings are of the moment it was asked, so that signals compared with each other have new readings at the
 * same time.
 *
 * A past is one question, and after its answer one small one for each earlier day, two at a time. An earlier day is a
 * help, no need: one that fails, is empty or comes too late is left out, and nothing is asked again for it.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "engine/baseline.h"
#include "shipwatch/clock.h"
#include "signal/presets.h"
#include "worker/inner.h"

#define LOG               "worker/poller"
#define TEXT_MAX          300
#define REFERENCE_TIMEOUT (5 * SW_SECOND)
#define DAYS_AT_ONCE      2                /* questions about earlier days under way */
#define DAYS_FOR          (10 * SW_SECOND) /* after the past was asked no further one begins: what there is, is sent */
#define DAY_TIMEOUT       (10 * SW_SECOND)

struct round {
	struct worker *w;
	struct setup *setup;
	struct sw_arena a;
	const char *aggregate, *source, *deployment, *memory;
	const struct sw_signal *plugin;
	const void *conf;
	struct sw_target about;   /* service, environment, sha, version */
	struct sw_query *queries; /* that can be asked, filled from the preset */
	size_t n;
	sw_ms at;
	size_t waiting; /* answers still to come */
	struct sw_samples samples;
	struct sw_past_ask *past; /* NULL: of now */
	sw_dur step;              /* of the past */
	struct sw_past before, *days; /* what is known of it: just before, and of each earlier day */
	unsigned day;             /* asked so far */
};

struct question {
	struct round *r;
	struct sw_target target;
	unsigned day; /* of the past: so many days back */
};

static void round_free(struct round *r)
{
	struct worker *w = r->w;

	sw_setup_put(r->setup);
	sw_arena_fini(&r->a);
	free(r);
	sw_worker_settled(w);
}

/* ---- now ---- */

static const struct sw_query *round_query(const struct round *r, const char *signal)
{
	for (size_t i = 0; i < r->n; i++)
		if (sw_streq(r->queries[i].signal, signal))
			return &r->queries[i];
	return NULL;
}

static void round_item(struct round *r, const struct sw_sample *s, struct sw_jw *jw)
{
	const struct sw_query *q = round_query(r, s->signal);
	bool whole = q && q->list && s->reading == SW_R_OK; /* its text is JSON of a bounded size */
	const char *text = s->text && !whole
	                       ? sw_arena_strndup(&r->a, s->text, sw_utf8_cut(s->text, strlen(s->text), TEXT_MAX))
	                       : s->text;

	sw_jw_obj(jw, NULL);
	sw_jw_str(jw, "signal", s->signal);
	sw_jw_int(jw, "at", s->at);
	sw_jw_str(jw, "r", sw_reading_name(s->reading));
	if (s->reading == SW_R_OK)
		sw_jw_num(jw, "v", s->value);
	if (s->reading == SW_R_OK && s->count > 0)
		sw_jw_num(jw, "n", s->count);
	sw_jw_opt(jw, "text", text);
	sw_jw_obj_end(jw);
	sw_meters_probe(r->w, r->source, sw_reading_name(s->reading));
	if (s->reading == SW_R_OK)
		SW_DEBUG(LOG, "%s: %s %g%s%s", r->aggregate, s->signal, s->value, text ? ": " : "", text ? text : "");
	else
		SW_DEBUG(LOG, "%s: %s %s%s%s", r->aggregate, s->signal, sw_reading_name(s->reading), text ? ": " : "",
		         text ? text : "");
}

static void round_end(struct round *r)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_jw jw;

	sw_jw_init(&jw, &b);
	sw_jw_obj(&jw, NULL);
	sw_jw_str(&jw, "t", "samples");
	sw_jw_str(&jw, "src", r->source);
	sw_jw_str(&jw, "dep", r->deployment);
	sw_jw_arr(&jw, "items");
	for (size_t i = 0; i < r->samples.n; i++)
		round_item(r, &r->samples.items[i], &jw);
	sw_jw_arr_end(&jw);
	if (r->samples.memory && strlen(r->samples.memory) <= SW_MEMORY_MAX)
		sw_jw_str(&jw, "mem", r->samples.memory);
	sw_jw_obj_end(&jw);
	sw_stepper_local(r->w, r->aggregate, sw_buf_str(&b));
	round_free(r);
}

static void round_sample(struct round *r, const char *signal, enum sw_reading reading, const char *why)
{
	struct sw_sample *s = sw_samples_add(&r->samples, signal, r->at, reading, 0);

	if (s)
		s->text = sw_arena_strdup(&r->a, why);
}

/* The same for everything that was asked. */
static void round_none(struct round *r, const struct sw_target *t, enum sw_reading reading, const char *why)
{
	if (!t->n_queries)
		round_sample(r, r->source, reading, why);
	for (size_t i = 0; i < t->n_queries; i++)
		round_sample(r, t->queries[i].signal, reading, why);
}

static void question_did(void *arg, const struct sw_result *res)
{
	struct question *qu = arg;
	struct round *r = qu->r;
	struct sw_err err = SW_ERR_INIT;
	size_t before = r->samples.n;

	if (r->plugin->read(r->conf, &qu->target, res, &r->samples, &err) < 0 || r->samples.n == before)
		round_none(r, &qu->target, SW_R_ERROR, err.text[0] ? err.text : "no answer that can be read");
	for (size_t i = before; i < r->samples.n; i++) {
		struct sw_sample *s = &r->samples.items[i];

		if (qu->target.n_queries)
			s->at = r->at;
		else
			s->signal = r->source; /* a reference is asked as health is */
	}
	if (--r->waiting == 0)
		round_end(r);
}

static void round_ask(struct round *r, const struct sw_query *queries, size_t n)
{
	struct question *qu = SW_ARENA_NEW(&r->a, struct question);
	struct sw_err err = SW_ERR_INIT;
	struct sw_job job = { 0 };

	qu->r = r;
	qu->target = r->about;
	qu->target.queries = queries;
	qu->target.n_queries = n;
	qu->target.memory = r->memory;
	if (r->plugin->ask(r->conf, &qu->target, r->at, &r->a, &job, &err) < 0) {
		round_none(r, &qu->target, SW_R_ERROR, err.text);
		return;
	}
	r->waiting++;
	sw_do_job(r->w, &job, &(struct sw_do_for){ 0 }, question_did, qu);
}

static void round_begin(struct round *r)
{
	bool each = sw_streq(r->source, "prometheus");

	if (!sw_streq(r->source, "health") && !sw_streq(r->source, "reference") && !r->n) {
		round_end(r); /* nothing of it can be asked: said already */
		return;
	}
	for (size_t i = 0; each && i < r->n; i++)
		round_ask(r, &r->queries[i], 1);
	if (!each)
		round_ask(r, r->queries, r->n);
	if (!r->waiting)
		round_end(r);
}

/* ---- the past ---- */

static void past_send(struct round *r, const char *msg)
{
	sw_outbox_append(r->w, r->aggregate, msg, true, NULL);
	round_free(r);
}

static void past_missing(struct round *r, const char *signal, const char *why, bool again)
{
	SW_DEBUG(LOG, "%s: no past of %s: %s", r->aggregate, signal, why);
	past_send(r, sw_baseline_missing(r->deployment, signal, r->step, why, again, &r->a));
}

static void past_known(struct round *r)
{
	past_send(r, sw_baseline_message(r->deployment, r->queries->signal, &r->before, r->days, r->past, &r->a));
}

static struct question *past_question(struct round *r, sw_ms from, sw_ms to)
{
	struct question *qu = SW_ARENA_NEW(&r->a, struct question);

	qu->r = r;
	qu->target = r->about;
	qu->target.queries = r->queries;
	qu->target.n_queries = 1;
	qu->target.from = from;
	qu->target.to = to;
	return qu;
}

static void days_go(struct round *r);

static void day_did(void *arg, const struct sw_result *res)
{
	struct question *qu = arg;
	struct round *r = qu->r;
	struct sw_err err = SW_ERR_INIT;
	struct sw_past day = { 0 };

	if (r->plugin->past(r->conf, &qu->target, res, &r->a, &day, &err) == 0)
		r->days[qu->day - 1] = day;
	else
		SW_DEBUG(LOG, "%s: no past of %s %u days ago: %s", r->aggregate, r->queries->signal, qu->day, err.text);
	r->waiting--;
	days_go(r);
}

/* Return: it is asked. */
static bool day_ask(struct round *r, unsigned day)
{
	sw_dur ago = (sw_dur)day * SW_DAY;
	struct question *qu = past_question(r, r->past->day_from - ago, r->past->day_to - ago);
	struct sw_err err = SW_ERR_INIT;
	struct sw_job job = { 0 };

	qu->day = day;
	if (r->plugin->ask(r->conf, &qu->target, r->at, &r->a, &job, &err) < 0)
		return false;
	job.timeout = SW_MIN(job.timeout, DAY_TIMEOUT);
	sw_do_job(r->w, &job, &(struct sw_do_for){ 0 }, day_did, qu);
	return true;
}

static void days_go(struct round *r)
{
	while (r->waiting < DAYS_AT_ONCE && r->day < r->past->n_days && !r->w->stopping && sw_bus_now(r->w->bus) - r->at < DAYS_FOR)
		r->waiting += day_ask(r, ++r->day);
	if (!r->waiting)
		past_known(r);
}

static void past_did(void *arg, const struct sw_result *res)
{
	struct question *qu = arg;
	struct round *r = qu->r;
	struct sw_err err = SW_ERR_INIT;
	int rc = r->plugin->past(r->conf, &qu->target, res, &r->a, &r->before, &err);

	if (rc < 0) {
		past_missing(r, qu->target.queries->signal, err.text, rc != -EBADMSG);
	} else if (sw_baseline_days_wanted(&r->before, r->past)) {
		r->days = SW_ARENA_ARRAY(&r->a, struct sw_past, r->past->n_days);
		days_go(r);
	} else {
		past_known(r);
	}
}

static void past_ask(struct round *r)
{
	struct question *qu = past_question(r, r->past->from, r->past->to);
	struct sw_err err = SW_ERR_INIT;
	struct sw_job job = { 0 };

	if (r->plugin->ask(r->conf, &qu->target, r->at, &r->a, &job, &err) < 0)
		past_missing(r, r->queries->signal, err.text, false);
	else
		sw_do_job(r->w, &job, &(struct sw_do_for){ 0 }, past_did, qu);
}

/* A source that keeps no past: what we kept of it ourselves. */
static void past_loaded(void *arg, int rc, const struct sw_loaded *l)
{
	struct round *r = arg;

	if (rc < 0) {
		past_missing(r, r->queries->signal, "Redis does not answer", true);
		return;
	}
	sw_baseline_of_ring("", 0, r->past->from, r->past->to, r->step, &r->a, &r->before);
	for (size_t i = 0; r->past->rings[i] && i < SW_COUNT(l->rings); i++)
		if (l->rings[i].p)
			sw_baseline_of_ring(l->rings[i].p, l->rings[i].n, r->past->from, r->past->to, r->step, &r->a,
			                    &r->before);
	past_known(r);
}

static void past_begin(struct round *r)
{
	struct sw_load *load;

	if (!r->n) {
		past_missing(r, r->samples.n ? r->samples.items[0].signal : r->source,
		             r->samples.n && r->samples.items[0].text ? r->samples.items[0].text : "nothing is asked",
		             false);
		return;
	}
	if (r->past->to < r->past->from) {
		past_missing(r, r->queries->signal, "there is no time before it", false);
		return;
	}
	if (r->plugin->past) {
		past_ask(r);
		return;
	}
	load = SW_ARENA_NEW(&r->a, struct sw_load);
	*load = (struct sw_load){ .aggregate = r->aggregate, .rings = r->past->rings };
	sw_bus_load(r->w->bus, load, past_loaded, r);
}

/* ---- what a step wants, as our own ---- */

static struct sw_past_ask *past_copy(struct sw_arena *a, const struct sw_past_ask *from)
{
	struct sw_past_ask *p = SW_ARENA_NEW(a, struct sw_past_ask);
	const char **rings;
	size_t n = 0;

	*p = *from;
	p->holes = (const sw_ms(*)[2])sw_arena_memdup(a, from->n_holes ? (const void *)from->holes : "",
	                                              from->n_holes * sizeof *from->holes);
	p->looks = (const unsigned *)(void *)sw_arena_memdup(a, from->n_looks ? (const void *)from->looks : "",
	                                                     from->n_looks * sizeof *from->looks);
	while (from->rings && from->rings[n] && n < SW_COUNT(((struct sw_loaded *)0)->rings))
		n++;
	rings = SW_ARENA_ARRAY(a, const char *, n + 1);
	for (size_t i = 0; i < n; i++)
		rings[i] = sw_arena_strdup(a, from->rings[i]);
	p->rings = rings;
	return p;
}

static struct sw_query query_copy(struct sw_arena *a, const struct sw_query *from)
{
	struct sw_query q = *from;

	q.signal = sw_arena_strdup(a, from->signal);
	q.prometheus = sw_arena_strdup(a, from->prometheus);
	q.bad = sw_arena_strdup(a, from->bad);
	q.all = sw_arena_strdup(a, from->all);
	q.scrape = sw_arena_strdup(a, from->scrape);
	return q;
}

/* Settings of the source at the place; NULL: there are none. */
static const void *source_conf(struct round *r, const struct sw_place *place)
{
	if (sw_streq(r->source, "reference")) {
		struct sw_health_conf *c = SW_ARENA_NEW(&r->a, struct sw_health_conf);

		/* any answer but a failing one says that our own network is up */
		*c = (struct sw_health_conf){ .url = r->setup->cfg->reference,
			                      .timeout = REFERENCE_TIMEOUT,
			                      .status_min = 200,
			                      .status_max = 499 };
		return c->url ? c : NULL;
	}
	if (!place)
		return NULL;
	if (sw_streq(r->source, "prometheus"))
		return place->prometheus.url ? &place->prometheus : NULL;
	if (sw_streq(r->source, "scrape"))
		return place->scrape.url ? &place->scrape : NULL;
	return sw_streq(r->source, "health") && place->health.url ? &place->health : NULL;
}

/* The queries that can be asked; what cannot be gets its sample at once. A past has one, also of a source that needs no
 * query. */
static void round_queries(struct round *r, const struct sw_io *io, size_t first, size_t n)
{
	bool prometheus = sw_streq(r->source, "prometheus"), measured = prometheus || sw_streq(r->source, "scrape");

	if (!measured && !r->past)
		return;
	r->queries = SW_ARENA_ARRAY(&r->a, struct sw_query, n + 1);
	for (size_t i = first; i < first + n; i++) {
		struct sw_query q = query_copy(&r->a, &io->queries[i]);
		const struct sw_query *filled = &q;
		struct sw_err err = SW_ERR_INIT;

		if (r->conf && measured && !(r->past && !r->plugin->past)) {
			const struct sw_measure_conf *c = r->conf;

			filled = sw_preset_fill(&q, c->preset, prometheus ? SW_PRESET_PROMETHEUS : SW_PRESET_SCRAPE,
			                        &r->a, &err);
		}
		if (r->conf && filled)
			r->queries[r->n++] = *filled;
		else
			round_sample(r, q.signal, SW_R_ABSENT, r->conf ? err.text : "nothing to ask is configured");
	}
}

static void round_run(struct worker *w, struct setup *setup, const char *aggregate, const struct sw_io *io,
                      size_t first, size_t n)
{
	struct round *r = sw_calloc(1, sizeof *r);
	const struct sw_place *place = NULL;

	w->ios++;
	r->w = w;
	r->setup = sw_setup_get(setup);
	r->aggregate = sw_arena_strdup(&r->a, aggregate);
	r->source = sw_arena_strdup(&r->a, io->source);
	r->deployment = sw_arena_strdup(&r->a, io->deployment);
	r->memory = sw_arena_strdup(&r->a, io->memory);
	r->about.sha = sw_arena_strdup(&r->a, io->sha);
	r->about.version = sw_arena_strdup(&r->a, io->version);
	r->at = sw_bus_now(w->bus);
	r->samples.a = &r->a;
	if (io->kind == SW_IO_PAST) {
		r->past = past_copy(&r->a, io->past);
		r->step = io->queries[first].step;
	}
	if (sw_place_of_aggregate(&r->a, aggregate, &r->about.service, &r->about.environment))
		place = sw_places_find(&setup->cfg->places, r->about.service, r->about.environment, &r->a);
	r->plugin = sw_signal_find(sw_streq(io->source, "reference") ? "health" : io->source);
	r->conf = r->plugin ? source_conf(r, place) : NULL;
	round_queries(r, io, first, n);
	if (!r->conf && !r->samples.n)
		round_sample(r, r->source, SW_R_ABSENT, "nothing to ask is configured");
	if (r->past)
		past_begin(r);
	else if (r->conf)
		round_begin(r);
	else
		round_end(r);
}

void sw_poller_run(struct worker *w, struct setup *setup, const char *aggregate, const struct sw_io *io)
{
	const size_t most = SW_COUNT(((struct sw_samples *)0)->items);
	size_t n = io->kind == SW_IO_PAST ? SW_MIN(io->n_queries, (size_t)1) : io->n_queries;
	size_t first = 0;

	do {
		size_t now = SW_MIN(n - first, most);

		round_run(w, setup, aggregate, io, first, now);
		first += now;
	} while (first < n);
}
