/* The engine's world in virtual time: messages, timers, probes, deliveries and actions without Redis or network. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "shipwatch/err.h"
#include "sim/sim.h"

struct sim_aggregate {
	const char *state;
	struct sw_map verdicts; /* watches whose verdict is in the log */
	bool held;
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

void sw_sim_world_fini(struct sim_world *w)
{
	struct sw_map_entry *e;

	for (size_t i = 0; (e = sw_map_next(&w->aggregates, &i));)
		sw_map_fini(&((struct sim_aggregate *)e->value)->verdicts);
	sw_map_fini(&w->aggregates);
	sw_map_fini(&w->fails);
	sw_map_fini(&w->keeps);
	sw_map_fini(&w->starts);
	free(w->timers);
	free(w->later);
	free(w->log);
}

static struct sim_entry *world_log(struct sim_world *w, enum sim_what what, const char *place)
{
	GROW(w, log, n_log, cap_log);
	w->log[w->n_log] = (struct sim_entry){ .what = what, .at = w->now - w->start, .place = sw_arena_strdup(w->a, place) };
	return &w->log[w->n_log++];
}

void sw_sim_append(struct sim_world *w, const char *aggregate, const char *msg)
{
	struct sim_message *m = SW_ARENA_NEW(w->a, struct sim_message);

	m->aggregate = sw_arena_strdup(w->a, aggregate);
	m->msg = sw_arena_strdup(w->a, msg);
	if (w->tail)
		w->tail->next = m;
	else
		w->head = m;
	w->tail = m;
}

static void world_later(struct sim_world *w, sw_dur after, const char *aggregate, const char *msg)
{
	GROW(w, later, n_later, cap_later);
	w->later[w->n_later++] = (struct sim_later){ w->now + after, sw_arena_strdup(w->a, aggregate), msg };
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
	w->timers[w->n_timers++] = (struct sim_timer){ sw_arena_strdup(w->a, aggregate), sw_arena_strdup(w->a, name), due };
}

static struct sim_aggregate *world_aggregate(struct sim_world *w, const char *name)
{
	struct sim_aggregate *g = sw_map_get(&w->aggregates, name);

	if (!g) {
		g = SW_ARENA_NEW(w->a, struct sim_aggregate);
		(void)sw_map_set(&w->aggregates, name, g);
	}
	return g;
}

const char *sw_sim_state(const struct sim_world *w, const char *aggregate)
{
	struct sim_aggregate *g = sw_map_get(&w->aggregates, aggregate);

	return g ? g->state : NULL;
}

void sw_sim_event(struct sim_world *w, const struct sw_event *ev)
{
	struct sw_routed routed;
	const char *old;

	sw_engine_route(w->engine, ev, w->a, &routed);
	if (routed.keep_key) {
		old = sw_map_get(&w->keeps, routed.keep_key);
		(void)sw_map_set(&w->keeps, routed.keep_key,
		                 old ? sw_arena_printf(w->a, "[%s,%s", routed.keep_value, old + 1)
		                     : sw_arena_printf(w->a, "[%s]", routed.keep_value));
	}
	for (size_t i = 0; i < routed.n_facts; i++)
		sw_sim_append(w, routed.facts[i].aggregate, routed.facts[i].msg);
}

/* ---- I/O as the script says ---- */

static void world_probe(struct sim_world *w, const char *aggregate, const struct sw_io *io)
{
	struct sw_sample x = { .signal = io->source, .at = w->now, .reading = SW_R_OK };
	struct sw_buf b = SW_BUF_INIT;
	struct sw_jw j;
	const char *service = aggregate + strlen("place:");

	if (!w->probe || !w->probe(w->arg, service, w->now, &x))
		return;
	sw_jw_init(&j, &b);
	sw_jw_obj(&j, NULL);
	sw_jw_str(&j, "t", "samples");
	sw_jw_opt(&j, "dep", io->deployment);
	sw_jw_arr(&j, "items");
	sw_jw_obj(&j, NULL);
	sw_jw_str(&j, "signal", io->source);
	sw_jw_int(&j, "at", w->now);
	sw_jw_str(&j, "r", sw_reading_name(x.reading));
	sw_jw_num(&j, "v", x.value);
	sw_jw_opt(&j, "text", x.text);
	sw_jw_obj_end(&j);
	sw_jw_arr_end(&j);
	sw_jw_obj_end(&j);
	world_later(w, 1, aggregate, sw_arena_strdup(w->a, sw_buf_str(&b)));
	sw_buf_fini(&b);
}

static void world_deliver(struct sim_world *w, const char *aggregate, const struct sw_io *io)
{
	struct sw_jnode *node;
	struct sw_alert al;
	struct sim_entry *e;
	struct sw_buf b = SW_BUF_INIT;

	if (sw_jtree_parse(w->a, io->alert_json, strlen(io->alert_json), 100000, &node, NULL) == 0) {
		sw_alert_read(node, w->a, &al);
		sw_alert_text(&al, SW_MARKUP_PLAIN, 16384, &b);
		e = world_log(w, SIM_ALERT, al.service && al.environment ? sw_arena_printf(w->a, "%s/%s", al.service, al.environment) : "");
		e->rule = al.rule;
		e->news = sw_news_name(al.news);
		e->channel = sw_arena_strdup(w->a, io->channel);
		e->verdict = al.verdict;
		e->text = sw_arena_strdup(w->a, sw_buf_str(&b));
	}
	sw_buf_fini(&b);
	world_later(w, 1, aggregate, sw_arena_printf(w->a, "{\"t\":\"sent\",\"ch\":\"%s\",\"n\":%lld,\"class\":\"ok\"}", io->channel, (long long)io->seq));
}

static void world_act(struct sim_world *w, const char *aggregate, const struct sw_io *io)
{
	static const char *const classes[] = { "ok", "message", "ambiguous", NULL };
	struct sim_entry *e = world_log(w, SIM_ACTION, aggregate + strlen("place:"));
	struct sw_jnode *node;

	e->action = sw_arena_strdup(w->a, io->action);
	if (sw_jtree_parse(w->a, io->act_json, strlen(io->act_json), 10000, &node, NULL) == 0)
		e->rule = sw_jstr(node, "rule");
	if (classes[w->outcome])
		world_later(w, SW_SECOND, aggregate,
		            sw_arena_printf(w->a, "{\"t\":\"acted\",\"act\":\"%s\",\"class\":\"%s\",\"detail\":\"as the test says\"}", io->act_id,
		                            classes[w->outcome]));
}

/* ---- steps ---- */

static void world_notice(struct sim_world *w, const char *aggregate, struct sim_aggregate *g, const struct sw_jnode *state)
{
	const struct sw_jnode *list = sw_jget(state, "watches");
	bool held = sw_jstr(state, "hold_by") != NULL;

	for (const struct sw_jnode *x = list ? list->child : NULL; x; x = x->next) {
		struct sim_entry *e;

		if (!sw_jstr(x, "verdict") || sw_map_get(&g->verdicts, sw_jstr(x, "id")))
			continue;
		(void)sw_map_set(&g->verdicts, sw_jstr(x, "id"), g);
		e = world_log(w, SIM_VERDICT, aggregate + strlen("place:"));
		e->rule = sw_jstr(x, "rule");
		e->verdict = sw_jstr(x, "verdict");
		e->reason = sw_jstr(x, "reason");
	}
	if (held && !g->held)
		world_log(w, SIM_HOLD, aggregate + strlen("place:"))->rule = sw_jstr(state, "hold_why");
	g->held = held;
}

static void world_commit(struct sim_world *w, const char *aggregate, struct sim_aggregate *g, const struct sw_step *out)
{
	struct sw_jnode *state;

	if (out->state)
		g->state = sw_arena_strdup(w->a, out->state);
	for (size_t i = 0; i < out->n_timers; i++)
		world_timer(w, aggregate, out->timers[i].name, out->timers[i].due);
	for (size_t i = 0; i < out->n_tells; i++)
		sw_sim_append(w, out->tells[i].aggregate, out->tells[i].msg);
	if (out->fails_add)
		(void)sw_map_set(&w->fails, out->fails_add, sw_arena_printf(w->a, "%lld", (long long)w->now));
	if (out->fails_del)
		(void)sw_map_del(&w->fails, out->fails_del);
	if (out->start_action)
		(void)sw_map_set(&w->starts, out->start_action, w);
	for (size_t i = 0; i < out->n_ios; i++) {
		switch (out->ios[i].kind) {
		case SW_IO_PROBE: world_probe(w, aggregate, &out->ios[i]); break;
		case SW_IO_PAST: break;
		case SW_IO_DELIVER: world_deliver(w, aggregate, &out->ios[i]); break;
		case SW_IO_ACT: world_act(w, aggregate, &out->ios[i]); break;
		}
	}
	if (sw_starts(aggregate, "place:") && g->state && sw_jtree_parse(w->a, g->state, strlen(g->state), 100000, &state, NULL) == 0)
		world_notice(w, aggregate, g, state);
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

static const char *world_guard(struct sim_world *w, const struct sw_step *out)
{
	if (!out->start_action)
		return NULL;
	if (sw_map_get(&w->starts, out->start_action))
		return "started";
	return w->hold ? "hold" : w->refuse_starts;
}

/* One message as one step, with the rounds of needs and refusals that a worker would make. */
static int world_step(struct sim_world *w, const struct sim_message *m, struct sw_err *err)
{
	struct sim_aggregate *g = world_aggregate(w, m->aggregate);
	struct sw_arena a;
	struct sw_snapshot snaps[64];
	struct sw_step_in in = { .aggregate = m->aggregate, .snaps = snaps, .hold = w->hold, .now = w->now };
	struct sw_step *out;
	struct sw_jnode *state = NULL, *msg;
	int r = 0;

	sw_arena_init(&a);
	if (g->state)
		r = sw_jtree_parse(&a, g->state, strlen(g->state), 100000, &state, err);
	if (r == 0)
		r = sw_jtree_parse(&a, m->msg, strlen(m->msg), 100000, &msg, err);
	in.state = state;
	in.fails = world_fails(w, &a);
	out = SW_ARENA_NEW(&a, struct sw_step);
	for (int round = 0; r == 0 && round < 8; round++) {
		const struct sw_jnode *msgs[] = { msg };

		in.msgs = msgs;
		in.n_msgs = 1;
		r = sw_engine_step(w->engine, &in, &a, out, err);
		if (r < 0)
			break;
		if (out->n_needs) {
			for (size_t i = 0; i < out->n_needs && in.n_snaps < SW_COUNT(snaps); i++)
				snaps[in.n_snaps++] = (struct sw_snapshot){ sw_arena_strdup(&a, out->needs[i]), sw_map_get(&w->keeps, out->needs[i]) };
			continue;
		}
		if (!in.refused && world_guard(w, out)) {
			in.refused = world_guard(w, out);
			continue;
		}
		world_commit(w, m->aggregate, g, out);
		break;
	}
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
	for (size_t i = 0; i < w->n_later;) {
		if (w->later[i].due > w->now) {
			i++;
			continue;
		}
		sw_sim_append(w, w->later[i].aggregate, w->later[i].msg);
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
		sw_sim_append(w, t.aggregate, sw_arena_printf(w->a, "{\"t\":\"timer\",\"name\":\"%s\",\"due\":%lld}", t.name, (long long)t.due));
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
