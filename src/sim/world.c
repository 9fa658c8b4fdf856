/* The engine's world in virtual time: messages, timers, probes, deliveries and actions without Redis or network. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "engine/baseline.h"
#include "shipwatch/err.h"
#include "sim/sim.h"

#define PUSHES 200 /* kept of one branch */
#define ROUNDS 8   /* of needs and refusals in one step */

struct sim_aggregate {
	char *state;
	struct sw_map watches; /* id → watch_seen */
	bool held;
};

/* What of a watch is in the log. */
enum { WATCH_SEEN_OPEN = 1, WATCH_SEEN_VERDICT };
static char watch_seen[] = { 0, WATCH_SEEN_OPEN, WATCH_SEEN_VERDICT };

/* A value below {sw}:, or a list of them (pushes), newest first. */
struct sim_keep {
	char *one;
	char *list[PUSHES];
	size_t n;
};

#define GROW(w, field, n, cap)                                                                                         \
	do {                                                                                                           \
		if ((w)->n == (w)->cap) {                                                                              \
			(w)->cap = (w)->cap ? (w)->cap * 2 : 64;                                                       \
			(w)->field = sw_realloc((w)->field, (w)->cap * sizeof *(w)->field);                            \
		}                                                                                                      \
	} while (0)

void sw_sim_world_init(struct sim_world *w, const struct sw_engine *e, struct sw_arena *a, sw_ms start)
{
	memset(w, 0, sizeof *w);
	w->engine = e;
	w->a = a;
	w->start = w->now = start;
}

static void keep_free(struct sim_keep *k)
{
	free(k->one);
	for (size_t i = 0; i < k->n; i++)
		free(k->list[i]);
	free(k);
}

void sw_sim_world_fini(struct sim_world *w)
{
	struct sw_map_entry *e;

	for (size_t i = 0; (e = sw_map_next(&w->aggregates, &i));) {
		struct sim_aggregate *g = e->value;

		sw_map_fini(&g->watches);
		free(g->state);
		free(g);
	}
	for (size_t i = 0; (e = sw_map_next(&w->keeps, &i));)
		keep_free(e->value);
	for (size_t i = 0; (e = sw_map_next(&w->fails, &i));)
		free(e->value);
	for (size_t i = 0; (e = sw_map_next(&w->names, &i));)
		free(e->value);
	for (struct sim_message *m = w->head, *next; m; m = next) {
		next = m->next;
		free(m);
	}
	for (size_t i = 0; i < w->n_later; i++)
		free(w->later[i].m);
	sw_map_fini(&w->aggregates);
	sw_map_fini(&w->fails);
	sw_map_fini(&w->keeps);
	sw_map_fini(&w->starts);
	for (size_t i = 0; (e = sw_map_next(&w->robots, &i));)
		free(e->value);
	sw_map_fini(&w->robots);
	sw_map_fini(&w->names);
	free(w->timers);
	free(w->later);
	free(w->log);
}

/* The one copy of a name: aggregates and timers come again and again. */
static const char *world_name(struct sim_world *w, const char *name)
{
	char *ret = sw_map_get(&w->names, name);

	if (!ret) {
		ret = sw_strdup(name);
		(void)sw_map_set(&w->names, name, ret);
	}
	return ret;
}

static struct sim_entry *world_log(struct sim_world *w, enum sim_what what, const char *place)
{
	GROW(w, log, n_log, cap_log);
	w->log[w->n_log] = (struct sim_entry){ .what = what, .at = w->now - w->start, .place = world_name(w, place) };
	return &w->log[w->n_log++];
}

static struct sim_message *world_message(struct sim_world *w, const char *aggregate, const char *msg)
{
	size_t n = strlen(msg) + 1;
	struct sim_message *m = sw_malloc(sizeof *m + n);

	m->next = NULL;
	m->aggregate = world_name(w, aggregate);
	memcpy(m->msg, msg, n);
	return m;
}

static void world_queue(struct sim_world *w, struct sim_message *m)
{
	if (w->tail)
		w->tail->next = m;
	else
		w->head = m;
	w->tail = m;
}

void sw_sim_append(struct sim_world *w, const char *aggregate, const char *msg)
{
	world_queue(w, world_message(w, aggregate, msg));
}

static void world_later(struct sim_world *w, sw_dur after, const char *aggregate, const char *msg)
{
	GROW(w, later, n_later, cap_later);
	w->later[w->n_later++] = (struct sim_later){ w->now + after, world_message(w, aggregate, msg) };
}

static void world_timer(struct sim_world *w, const char *aggregate, const char *name, sw_ms due)
{
	for (size_t i = 0; i < w->n_timers; i++) {
		if (sw_streq(w->timers[i].aggregate, aggregate) && sw_streq(w->timers[i].name, name)) {
			if (due)
				w->timers[i].due = due;
			else
				w->timers[i] = w->timers[--w->n_timers];
			return;
		}
	}
	if (!due)
		return;
	GROW(w, timers, n_timers, cap_timers);
	w->timers[w->n_timers++] = (struct sim_timer){ world_name(w, aggregate), world_name(w, name), due };
}

static struct sim_aggregate *world_aggregate(struct sim_world *w, const char *name)
{
	struct sim_aggregate *g = sw_map_get(&w->aggregates, name);

	if (!g) {
		g = sw_calloc(1, sizeof *g);
		(void)sw_map_set(&w->aggregates, name, g);
	}
	return g;
}

const char *sw_sim_state(const struct sim_world *w, const char *aggregate)
{
	struct sim_aggregate *g = sw_map_get(&w->aggregates, aggregate);

	return g ? g->state : NULL;
}

static struct sim_keep *world_keep(struct sim_world *w, const char *key)
{
	struct sim_keep *k = sw_map_get(&w->keeps, key);

	if (!k) {
		k = sw_calloc(1, sizeof *k);
		(void)sw_map_set(&w->keeps, key, k);
	}
	return k;
}

const char *sw_sim_kept(const struct sim_world *w, const char *key)
{
	const struct sim_keep *k = sw_map_get(&w->keeps, key);

	return k ? k->one : NULL;
}

static void keep_push(struct sim_keep *k, const char *value)
{
	if (k->n == PUSHES)
		free(k->list[--k->n]);
	memmove(k->list + 1, k->list, k->n * sizeof *k->list);
	k->list[0] = sw_strdup(value);
	k->n++;
}

static const char *keep_text(const struct sim_keep *k, struct sw_arena *a)
{
	struct sw_buf b = SW_BUF_INIT;
	const char *ret;

	if (!k)
		return NULL;
	if (k->one)
		return sw_arena_strdup(a, k->one);
	for (size_t i = 0; i < k->n; i++)
		sw_buf_printf(&b, "%c%s", i ? ',' : '[', k->list[i]);
	sw_buf_putc(&b, ']');
	ret = sw_arena_strdup(a, sw_buf_str(&b));
	sw_buf_fini(&b);
	return ret;
}

void sw_sim_wake(struct sim_world *w)
{
	struct sw_arena a = { 0 };

	for (size_t i = 0; i < w->engine->places->n; i++) {
		const struct sw_place *p = &w->engine->places->items[i];

		if (!sw_streq(p->service, "*"))
			sw_sim_append(w, sw_arena_printf(&a, "place:%s/%s", p->service, p->environment), "{\"t\":\"wake\"}");
	}
	sw_arena_fini(&a);
}

void sw_sim_event(struct sim_world *w, const struct sw_event *ev)
{
	struct sw_arena a = { 0 };
	struct sw_routed routed;

	sw_engine_route(w->engine, ev, &a, &routed);
	if (routed.keep_key)
		keep_push(world_keep(w, routed.keep_key), routed.keep_value);
	for (size_t i = 0; i < routed.n_facts; i++)
		sw_sim_append(w, routed.facts[i].aggregate, routed.facts[i].msg);
	sw_arena_fini(&a);
}

/* ---- I/O as the world outside says ---- */

static void samples_write(const struct sw_io *io, const struct sw_samples *ss, struct sw_buf *b)
{
	struct sw_jw j;

	sw_jw_init(&j, b);
	sw_jw_obj(&j, NULL);
	sw_jw_str(&j, "t", "samples");
	sw_jw_str(&j, "src", io->source);
	sw_jw_opt(&j, "dep", io->deployment);
	sw_jw_arr(&j, "items");
	for (size_t i = 0; i < ss->n; i++) {
		const struct sw_sample *x = &ss->items[i];

		sw_jw_obj(&j, NULL);
		sw_jw_str(&j, "signal", x->signal);
		sw_jw_int(&j, "at", x->at);
		sw_jw_str(&j, "r", sw_reading_name(x->reading));
		if (x->reading == SW_R_OK)
			sw_jw_num(&j, "v", x->value);
		if (x->count > 0)
			sw_jw_num(&j, "n", x->count);
		sw_jw_opt(&j, "text", x->text);
		sw_jw_obj_end(&j);
	}
	sw_jw_arr_end(&j);
	sw_jw_opt(&j, "mem", ss->memory);
	sw_jw_obj_end(&j);
}

static void world_probe(struct sim_world *w, const char *aggregate, const struct sw_io *io, struct sw_arena *a)
{
	struct sw_samples ss = { .a = a };
	struct sw_buf b = SW_BUF_INIT;
	sw_dur after;

	after = w->outside.probe ? w->outside.probe(w->outside.arg, aggregate + strlen("place:"), io, w->now, &ss) : -1;
	if (after < 0)
		return;
	samples_write(io, &ss, &b);
	world_later(w, after, aggregate, sw_buf_str(&b));
	sw_buf_fini(&b);
}

/* The same of each earlier day; what is not known of one is left out. */
static struct sw_past *world_days(struct sim_world *w, const char *place, const struct sw_io *io, struct sw_arena *a)
{
	struct sw_past *days = SW_ARENA_ARRAY(a, struct sw_past, io->past->n_days + 1);
	struct sw_past_ask ask = *io->past;
	struct sw_io one = *io;
	const char *why;

	one.past = &ask;
	for (unsigned k = 0; k < ask.n_days; k++) {
		ask.from = ask.baseline_from = io->past->day_from - (sw_dur)(k + 1) * SW_DAY;
		ask.to = io->past->day_to - (sw_dur)(k + 1) * SW_DAY;
		if (w->outside.past(w->outside.arg, place, &one, w->now, a, &days[k], &why) < 0)
			days[k] = (struct sw_past){ 0 };
	}
	return days;
}

static void world_past(struct sim_world *w, const char *aggregate, const struct sw_io *io, struct sw_arena *a)
{
	const char *signal = io->n_queries ? io->queries[0].signal : io->source, *why = "nothing is known of the time before";
	const char *place = aggregate + strlen("place:");
	struct sw_past past = { 0 }, *days = NULL;
	int r = -ENOENT;

	if (w->outside.past)
		r = w->outside.past(w->outside.arg, place, io, w->now, a, &past, &why);
	if (r == 0 && sw_baseline_days_wanted(&past, io->past))
		days = world_days(w, place, io, a);
	world_later(w, 1, aggregate,
	            r == 0 ? sw_baseline_message(io->deployment, signal, &past, days, io->past, a)
	                   : sw_baseline_missing(io->deployment, signal, io->queries[0].step, why, r == -EIO, a));
}

static void world_deliver(struct sim_world *w, const char *aggregate, const struct sw_io *io, struct sw_arena *a)
{
	struct sw_jnode *node;
	struct sw_alert al;
	struct sim_entry *e;
	struct sw_buf b = SW_BUF_INIT;
	const char *cls = "ok", *detail = NULL;
	sw_dur wait = 0;

	if (w->outside.deliver)
		cls = w->outside.deliver(w->outside.arg, io, w->now, &wait, &detail);
	if (sw_streq(cls, "ok") && sw_jtree_parse(a, io->alert_json, strlen(io->alert_json), 100000, &node, NULL) == 0) {
		sw_alert_read(node, a, &al);
		sw_alert_text(&al, SW_MARKUP_PLAIN, 16384, &b);
		e = world_log(w, SIM_ALERT, al.service && al.environment ? sw_arena_printf(a, "%s/%s", al.service, al.environment) : "");
		e->rule = al.rule ? world_name(w, al.rule) : NULL;
		e->news = sw_news_name(al.news);
		e->channel = world_name(w, io->channel);
		e->severity = al.severity;
		e->verdict = sw_arena_strdup(w->a, al.verdict);
		e->text = sw_arena_strdup(w->a, sw_buf_str(&b));
	}
	sw_buf_fini(&b);
	if (*cls)
		world_later(w, 1, aggregate, sw_arena_printf(a, "{\"t\":\"sent\",\"ch\":\"%s\",\"n\":%lld,\"class\":\"%s\",\"wait\":%lld,\"calls\":%lld,\"detail\":\"%s\"}", io->channel,
		                                             (long long)io->seq, cls, (long long)wait, (long long)w->calls, detail ? detail : ""));
}

static void world_act(struct sim_world *w, const char *aggregate, const struct sw_io *io, struct sw_arena *a)
{
	static const char *const classes[] = { "ok", "message", "ambiguous", NULL };
	struct sim_entry *e = world_log(w, SIM_ACTION, aggregate + strlen("place:"));
	struct sw_jnode *node;

	e->action = world_name(w, io->action);
	if (sw_jtree_parse(a, io->act_json, strlen(io->act_json), 10000, &node, NULL) == 0) {
		e->rule = sw_jstr(node, "rule") ? world_name(w, sw_jstr(node, "rule")) : NULL;
		e->deployment = sw_arena_strdup(w->a, sw_jstr(node, "deployment_id"));
		e->sha = sw_arena_strdup(w->a, sw_jstr(node, "sha"));
	}
	if (classes[w->outcome])
		world_later(w, SW_SECOND, aggregate,
		            sw_arena_printf(a, "{\"t\":\"acted\",\"act\":\"%s\",\"class\":\"%s\",\"detail\":\"as the test says\"}", io->act_id,
		                            classes[w->outcome]));
}

/* ---- steps ---- */

static const struct sw_jnode *state_deployment(const struct sw_jnode *state, const char *id)
{
	const struct sw_jnode *list = sw_jget(state, "deployments");

	for (const struct sw_jnode *x = list ? list->child : NULL; x; x = x->next)
		if (sw_streq(sw_jstr(x, "id"), id))
			return x;
	return NULL;
}

static void notice_watch(struct sim_world *w, const char *aggregate, struct sim_aggregate *g, const struct sw_jnode *state,
                         const struct sw_jnode *x)
{
	const char *id = sw_jstr(x, "id"), *verdict = sw_jstr(x, "verdict"), *seen = sw_map_get(&g->watches, id);
	const struct sw_jnode *d = state_deployment(state, sw_jstr(x, "dep")), *ev = sw_jget(d, "ev");

	for (int what = seen ? *seen + 1 : WATCH_SEEN_OPEN; what <= (verdict ? WATCH_SEEN_VERDICT : WATCH_SEEN_OPEN); what++) {
		struct sim_entry *e = world_log(w, what == WATCH_SEEN_OPEN ? SIM_OPEN : SIM_VERDICT, aggregate + strlen("place:"));

		(void)sw_map_set(&g->watches, id, &watch_seen[what]);
		e->rule = world_name(w, sw_jstr(x, "rule"));
		e->deployment = sw_arena_strdup(w->a, sw_jstr(x, "dep"));
		e->sha = sw_arena_strdup(w->a, sw_jstr(ev, "sha") ? sw_jstr(ev, "sha") : sw_jstr(ev, "short_sha"));
		e->deployed = sw_jint(d, "finished", w->now) - w->start;
		e->is_rollback = sw_jbool(d, "is_rollback", false);
		if (what == WATCH_SEEN_VERDICT) {
			e->verdict = world_name(w, verdict);
			e->reason = sw_jstr(x, "reason") ? world_name(w, sw_jstr(x, "reason")) : NULL;
		}
	}
}

/* Watches open and end only in steps that pin their rules or count a verdict; a hold stands in the state. */
static void world_notice(struct sim_world *w, const char *aggregate, struct sim_aggregate *g, const struct sw_step *out, struct sw_arena *a)
{
	bool held = strstr(g->state, "\"hold_by\":") != NULL;
	struct sw_jnode *state;
	const struct sw_jnode *list;

	if (!out->pin && !out->n_tallies && held == g->held)
		return;
	if (sw_jtree_parse(a, g->state, strlen(g->state), 100000, &state, NULL) < 0)
		return;
	list = sw_jget(state, "watches");
	for (const struct sw_jnode *x = list ? list->child : NULL; x; x = x->next)
		notice_watch(w, aggregate, g, state, x);
	if (held && !g->held)
		world_log(w, SIM_HOLD, aggregate + strlen("place:"))->rule = sw_arena_strdup(w->a, sw_jstr(state, "hold_why"));
	g->held = held;
}

static void commit_keeps(struct sim_world *w, const struct sw_step *out)
{
	for (size_t i = 0; i < out->n_keeps; i++) {
		struct sim_keep *k = world_keep(w, out->keeps[i].key);

		if (!k->one)
			k->one = sw_strdup(out->keeps[i].value ? out->keeps[i].value : "0");
	}
}

static void world_commit(struct sim_world *w, const char *aggregate, struct sim_aggregate *g, const struct sw_step *out, struct sw_arena *a)
{
	if (out->state) {
		free(g->state);
		g->state = sw_strndup(out->state, out->state_n);
	}
	if (w->journal)
		w->journal(w->journal_arg, out->journal);
	for (size_t i = 0; i < out->n_timers; i++)
		world_timer(w, aggregate, out->timers[i].name, out->timers[i].due);
	for (size_t i = 0; i < out->n_tells; i++)
		sw_sim_append(w, out->tells[i].aggregate, out->tells[i].msg);
	commit_keeps(w, out);
	if (out->fails_add)
		free(sw_map_set(&w->fails, out->fails_add, sw_strdup(sw_arena_printf(a, "%lld", (long long)w->now))));
	if (out->fails_del)
		free(sw_map_del(&w->fails, out->fails_del));
	if (out->start_action)
		(void)sw_map_set(&w->starts, out->start_action, w);
	sw_sim_robot_commit(w, out);
	w->dead += out->dead_reason != NULL;
	for (size_t i = 0; i < out->n_ios; i++) {
		switch (out->ios[i].kind) {
		case SW_IO_PROBE: world_probe(w, aggregate, &out->ios[i], a); break;
		case SW_IO_PAST: world_past(w, aggregate, &out->ios[i], a); break;
		case SW_IO_DELIVER: world_deliver(w, aggregate, &out->ios[i], a); break;
		case SW_IO_ACT: world_act(w, aggregate, &out->ios[i], a); break;
		}
	}
	if (sw_starts(aggregate, "place:") && g->state)
		world_notice(w, aggregate, g, out, a);
}

static const struct sw_jnode *world_fails(struct sim_world *w, struct sw_arena *a)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_map_entry *e;
	struct sw_jnode *ret = NULL;
	struct sw_jw j;

	sw_jw_init(&j, &b);
	sw_jw_obj(&j, NULL);
	for (size_t i = 0; (e = sw_map_next(&w->fails, &i));)
		sw_jw_raw(&j, e->key, e->value, strlen(e->value));
	sw_jw_obj_end(&j);
	if (sw_jtree_parse(a, sw_buf_str(&b), b.n, 10000, &ret, NULL) < 0)
		ret = NULL;
	sw_buf_fini(&b);
	return ret;
}

static const char *world_guard(struct sim_world *w, const struct sw_step *out, sw_dur *wait)
{
	if (!out->start_action)
		return sw_sim_robot_guard(w, out, wait);
	if (sw_map_get(&w->starts, out->start_action))
		return "started";
	return w->hold ? "hold" : w->refuse_starts;
}

/* One message as one step, with the rounds of needs and refusals that a worker would make. */
static int world_step(struct sim_world *w, const struct sim_message *m, struct sw_err *err)
{
	struct sim_aggregate *g = world_aggregate(w, m->aggregate);
	struct sw_arena a = { 0 };
	struct sw_snapshot snaps[64];
	struct sw_step_in in = { .aggregate = m->aggregate, .snaps = snaps, .hold = w->hold, .now = w->now, .n_msgs = 1 };
	struct sw_step *out = SW_ARENA_NEW(&a, struct sw_step);
	struct sw_jnode *state = NULL, *msg = NULL;
	const struct sw_jnode *msgs[1];
	int r = 0, round;

	w->steps++;
	if (g->state)
		r = sw_jtree_parse(&a, g->state, strlen(g->state), 100000, &state, err);
	if (r == 0)
		r = sw_jtree_parse(&a, m->msg, strlen(m->msg), 100000, &msg, err);
	msgs[0] = msg;
	in.msgs = msgs;
	in.state = state;
	in.fails = world_fails(w, &a);
	for (round = 0; r == 0 && round < ROUNDS; round++) {
		r = sw_engine_step(w->engine, &in, &a, out, err);
		if (r < 0)
			break;
		if (out->n_needs) {
			for (size_t i = 0; i < out->n_needs && in.n_snaps < SW_COUNT(snaps); i++) {
				const char *key = sw_arena_strdup(&a, out->needs[i]);

				const struct sim_aggregate *other = sw_map_get(&w->aggregates, key);

				snaps[in.n_snaps++] = (struct sw_snapshot){ key, other ? other->state : keep_text(sw_map_get(&w->keeps, key), &a) };
			}
			continue;
		}
		if (!in.refused) {
			in.refused = world_guard(w, out, &in.refused_wait);
			if (in.refused)
				continue;
		}
		world_commit(w, m->aggregate, g, out, &a);
		break;
	}
	if (r == 0 && round == ROUNDS)
		r = sw_err_set(err, ELOOP, "%s: a step wants ever more to be decided", m->aggregate);
	sw_arena_fini(&a);
	return r;
}

static int world_drain(struct sim_world *w, struct sw_err *err)
{
	int r = 0;

	while (w->head && r == 0) {
		struct sim_message *m = w->head;

		w->head = m->next;
		if (!w->head)
			w->tail = NULL;
		r = world_step(w, m, err);
		free(m);
	}
	return r;
}

/* The next moment at which something is due, at most `until`. */
static sw_ms world_next(const struct sim_world *w, sw_ms until)
{
	for (size_t i = 0; i < w->n_timers; i++)
		until = SW_MIN(until, w->timers[i].due);
	for (size_t i = 0; i < w->n_later; i++)
		until = SW_MIN(until, w->later[i].due);
	return until;
}

static void world_due(struct sim_world *w)
{
	char text[160];

	for (size_t i = 0; i < w->n_later;) {
		if (w->later[i].due > w->now) {
			i++;
			continue;
		}
		world_queue(w, w->later[i].m);
		memmove(&w->later[i], &w->later[i + 1], (w->n_later - i - 1) * sizeof *w->later);
		w->n_later--;
	}
	for (size_t i = 0; i < w->n_timers;) {
		struct sim_timer t = w->timers[i];

		if (t.due > w->now) {
			i++;
			continue;
		}
		memmove(&w->timers[i], &w->timers[i + 1], (w->n_timers - i - 1) * sizeof *w->timers);
		w->n_timers--;
		(void)snprintf(text, sizeof text, "{\"t\":\"timer\",\"name\":\"%s\",\"due\":%lld}", t.name, (long long)t.due);
		sw_sim_append(w, t.aggregate, text);
	}
}

int sw_sim_run(struct sim_world *w, sw_ms until, bool asleep, struct sw_err *err)
{
	int r = world_drain(w, err);

	if (asleep && r == 0)
		w->now = SW_MAX(w->now, until);
	while (r == 0 && w->now <= until) {
		sw_ms next = world_next(w, until);

		w->now = SW_MAX(w->now, next);
		world_due(w);
		if (!w->head)
			break; /* nothing is due up to `until` */
		r = world_drain(w, err);
	}
	return r;
}

/* ---- an engine for rules ---- */

#define NAMES 1024

static void engine_channel(struct sw_engine *e, struct sw_engine_channel *list, const char *name)
{
	for (size_t i = 0; i < e->n_channels; i++)
		if (sw_streq(list[i].name, name))
			return;
	if (e->n_channels < NAMES)
		list[e->n_channels++] = (struct sw_engine_channel){ .name = name, .credential = name };
}

static void engine_action(struct sw_engine *e, struct sw_engine_action *list, const char *name)
{
	for (size_t i = 0; i < e->n_actions; i++)
		if (sw_streq(list[i].name, name))
			return;
	if (e->n_actions < NAMES)
		list[e->n_actions++] = (struct sw_engine_action){
			.name = name, .timeout = 30 * SW_SECOND, .needs_good = sw_streq(name, "redeploy-last-good") };
}

void sw_sim_engine(struct sw_engine *e, struct sw_rules *rules, const struct sw_places *places, const char *const *alerts,
                   struct sw_arena *a)
{
	struct sw_engine_channel *channels = SW_ARENA_ARRAY(a, struct sw_engine_channel, NAMES);
	struct sw_engine_action *actions = SW_ARENA_ARRAY(a, struct sw_engine_action, NAMES);

	*e = (struct sw_engine){ .places = places, .rules = rules, .alerts = alerts, .channels = channels, .actions = actions };
	for (size_t i = 0; alerts && alerts[i]; i++)
		engine_channel(e, channels, alerts[i]);
	for (size_t i = 0; i < rules->n; i++)
		for (size_t k = 0; k < rules->items[i].n_then; k++) {
			const struct sw_then *t = &rules->items[i].then[k];

			for (size_t m = 0; t->channels && t->channels[m]; m++)
				engine_channel(e, channels, t->channels[m]);
			if (t->kind == SW_THEN_RUN)
				engine_action(e, actions, t->action);
		}
	for (size_t i = 0; i < places->n; i++) {
		for (size_t m = 0; places->items[i].channels && places->items[i].channels[m]; m++)
			engine_channel(e, channels, places->items[i].channels[m]);
		if (places->items[i].rollback)
			engine_action(e, actions, places->items[i].rollback);
	}
}

void sw_sim_ack(struct sim_world *w)
{
	struct sw_map_entry *e;

	for (size_t i = 0; (e = sw_map_next(&w->aggregates, &i));)
		if (sw_starts(e->key, "alert:"))
			sw_sim_append(w, e->key, "{\"t\":\"cmd\",\"do\":\"ack\",\"who\":\"test\"}");
}
