/*
 * The bus in memory: the same operations with the same replies as the one on Redis (test_bus_redis runs both side by side). For unit
 * tests, the simulator and a first try without Redis; nothing survives the process. An operation takes effect when it is called,
 * its callback runs at the end of the turn.
 */
#include "bus/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define MEM_DEAD_MAX 10000

sw_ms mem_now(const struct mem *m)
{
	return m->clock || !m->loop ? m->clock : sw_loop_wall(m->loop);
}

/* ---- replies ---- */

struct mem_late *mem_late(struct mem *m, void (*run)(struct mem_late *), void *arg, int r)
{
	struct mem_late *l = sw_calloc(1, sizeof *l);

	*l = (struct mem_late){ .run = run, .arg = arg, .r = r };
	*m->last = l;
	m->last = &l->next;
	if (m->loop)
		sw_loop_defer(m->loop, &m->later);
	return l;
}

void mem_run_done(struct mem_late *l)
{
	if (l->cb.done)
		l->cb.done(l->arg, l->r);
}

void mem_run_text(struct mem_late *l) { l->cb.text(l->arg, l->r, l->text); }

void mem_run_number(struct mem_late *l)
{
	if (l->cb.number)
		l->cb.number(l->arg, l->r, l->number);
}

static void mem_run_tick(struct mem_late *l)
{
	if (l->cb.tick)
		l->cb.tick(l->arg, l->r, &l->tick);
}

void mem_reply(struct mem *m, int r, sw_done_cb cb, void *arg) { mem_late(m, mem_run_done, arg, r)->cb.done = cb; }

/* ---- maps and streams ---- */

void mem_map_free(struct sw_map *map, void (*free_value)(void *))
{
	struct sw_map_entry *e;

	for (size_t i = 0; (e = sw_map_next(map, &i));)
		free_value(e->value);
	sw_map_fini(map);
	*map = (struct sw_map)SW_MAP_INIT;
}

void *mem_live(struct mem *m, struct sw_map *map, const char *key, sw_ms *(*expires)(void *), void (*free_value)(void *))
{
	void *p = sw_map_get(map, key);

	if (p && *expires(p) && *expires(p) <= mem_now(m)) {
		(void)sw_map_del(map, key);
		free_value(p);
		return NULL;
	}
	return p;
}

struct mem_time *mem_time(struct sw_map *map, const char *key)
{
	struct mem_time *t = sw_map_get(map, key);

	if (!t) {
		t = sw_calloc(1, sizeof *t);
		(void)sw_map_set(map, key, t);
	}
	return t;
}

void mem_agg_free(void *p)
{
	struct mem_agg *a = p;

	free(a->s);
	free(a);
}

void mem_bytes_free(void *p)
{
	struct mem_bytes *b = p;

	sw_buf_fini(&b->b);
	free(b);
}

void mem_keep_free(void *p)
{
	struct mem_keep *k = p;

	for (size_t i = 0; i < k->n; i++)
		free(k->items[i]);
	free(k->items);
	free(k);
}

static void mem_entry_free(struct mem_entry *e)
{
	free(e->aggregate);
	free(e->msg);
	free(e->own_id);
	free(e->source);
	free(e->kind);
	free(e->meta);
	free(e->body);
	free(e->consumer);
	free(e);
}

static void mem_id(struct mem_stream *st, sw_ms now, char id[48])
{
	if (now > st->last_ms) {
		st->last_ms = now;
		st->last_seq = 0;
	} else {
		st->last_seq++;
	}
	(void)snprintf(id, 48, "%lld-%lld", (long long)st->last_ms, (long long)st->last_seq);
}

struct mem_entry *mem_add(struct mem *m, enum sw_stream s)
{
	struct mem_stream *st = &m->streams[s];
	struct mem_entry *e = sw_calloc(1, sizeof *e);

	e->stream = s;
	mem_id(st, mem_now(m), e->id);
	e->ms = st->last_ms;
	e->prev = st->last;
	*(st->last ? &st->last->next : &st->first) = e;
	st->last = e;
	st->n++;
	(void)sw_map_set(&st->by_id, e->id, e);
	if (m->loop)
		sw_loop_defer(m->loop, &m->later);
	return e;
}

struct mem_entry *mem_pending(struct mem *m, enum sw_stream s, const char *id)
{
	struct mem_entry *e = sw_map_get(&m->streams[s].by_id, id);

	return e && e->consumer ? e : NULL;
}

static void mem_tag(char out[64], enum sw_stream s, const char *id)
{
	(void)snprintf(out, 64, "%c:%s", s == SW_STREAM_WORK ? 'w' : 'i', id);
}

void mem_done(struct mem *m, struct mem_entry *e)
{
	struct mem_stream *st = &m->streams[e->stream];
	char tag[64];

	if (e->stream == SW_STREAM_IN) /* falls by the mean, as on Redis */
		m->in_bytes = st->n > 1 ? m->in_bytes * (st->n - 1) / st->n : 0;
	mem_tag(tag, e->stream, e->id);
	free(sw_map_del(&m->trying, tag));
	*(e->prev ? &e->prev->next : &st->first) = e->next;
	*(e->next ? &e->next->prev : &st->last) = e->prev;
	st->n--;
	(void)sw_map_del(&st->by_id, e->id);
	mem_entry_free(e);
}

void mem_tell(struct mem *m, const char *aggregate, const char *msg)
{
	struct mem_entry *e = mem_add(m, SW_STREAM_WORK);

	e->aggregate = sw_strdup(aggregate);
	e->msg = sw_strdup(msg);
}

/* ---- the turn ---- */

static bool mem_run(struct mem *m)
{
	struct mem_late *l = m->first, *next;
	bool any = l != NULL;

	if (!m->told_up) {
		m->told_up = true;
		if (m->opt.on_state)
			m->opt.on_state(m->opt.arg, true, NULL);
	}
	m->first = NULL;
	m->last = &m->first;
	for (; l; l = next) {
		next = l->next;
		l->run(l);
		sw_arena_fini(&l->arena);
		free(l);
	}
	mem_deliver(m);
	return any || m->first;
}

static void mem_later(void *arg) { (void)mem_run(arg); }

/* ---- work ---- */

void mem_keep_put(struct mem *m, const struct sw_keep *k)
{
	struct mem_keep *have = sw_map_get(&m->keeps, k->key);

	if (have && have->expires && have->expires <= mem_now(m)) {
		mem_keep_free(sw_map_del(&m->keeps, k->key));
		have = NULL;
	}
	if (have && !k->list)
		return; /* once */
	if (!have) {
		have = sw_calloc(1, sizeof *have);
		have->list = k->list;
		(void)sw_map_set(&m->keeps, k->key, have);
	}
	have->items = sw_realloc(have->items, (have->n + 1) * sizeof *have->items);
	memmove(have->items + 1, have->items, have->n * sizeof *have->items);
	have->items[0] = sw_strdup(k->value);
	have->n++;
	while (k->list && k->cap > 0 && have->n > (size_t)k->cap)
		free(have->items[--have->n]);
	if (k->ttl > 0)
		have->expires = mem_now(m) + k->ttl;
}

static void mem_intake(struct sw_bus *bus, const struct sw_intake *in, sw_done_cb cb, void *arg)
{
	struct mem *m = mem_of(bus);
	struct mem_entry *e = mem_pending(m, SW_STREAM_IN, in->id);

	if (e) {
		for (size_t i = 0; i < in->n_facts; i++)
			mem_tell(m, in->facts[i].aggregate, in->facts[i].msg);
		for (size_t i = 0; i < in->n_keeps; i++)
			mem_keep_put(m, &in->keeps[i]);
		if (in->journal)
			mem_note(m, in->journal);
		mem_done(m, e);
	}
	mem_reply(m, e ? 0 : 1, cb, arg);
}

static void mem_append(struct sw_bus *bus, const char *aggregate, const char *msg, sw_done_cb cb, void *arg)
{
	mem_tell(mem_of(bus), aggregate, msg);
	mem_reply(mem_of(bus), 0, cb, arg);
}

/* The due timer that comes first, as a sorted set orders them; NULL: none by then. */
static struct sw_map_entry *mem_timer_first(struct mem *m)
{
	struct sw_map_entry *e, *best = NULL;

	for (size_t i = 0; (e = sw_map_next(&m->timers, &i));) {
		sw_ms at = ((struct mem_time *)e->value)->at, than = best ? ((struct mem_time *)best->value)->at : 0;

		if (!best || at < than || (at == than && strcmp(e->key, best->key) < 0))
			best = e;
	}
	return best;
}

static int64_t mem_move(struct mem *m)
{
	struct sw_map_entry *e;
	int64_t moved = 0;

	while (moved < BUS_TICK_MOVES && (e = mem_timer_first(m)) && ((struct mem_time *)e->value)->at <= mem_now(m)) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf msg = SW_BUF_INIT;
		const char *bar = strrchr(e->key, '|');
		SW_CLEANUP(sw_freep) char *agg = sw_strndup(e->key, (size_t)(bar - e->key));

		sw_buf_cat(&msg, "{\"t\":\"timer\",\"name\":");
		sw_buf_json(&msg, bar + 1);
		sw_buf_printf(&msg, ",\"due\":%lld}", (long long)((struct mem_time *)e->value)->at);
		mem_tell(m, agg, sw_buf_str(&msg));
		free(sw_map_del(&m->timers, e->key));
		moved++;
	}
	return moved;
}

static void mem_tick(struct sw_bus *bus, sw_tick_cb cb, void *arg)
{
	struct mem *m = mem_of(bus);
	struct mem_late *l = mem_late(m, mem_run_tick, arg, 0);
	struct sw_map_entry *e;

	m->counter++;
	if (m->consumer)
		mem_time(&m->workers, m->consumer)->at = mem_now(m);
	l->tick.moved = mem_move(m);
	e = mem_timer_first(m);
	l->tick.next_due = e ? ((struct mem_time *)e->value)->at : 0;
	l->tick.now = mem_now(m);
	l->tick.in_n = m->streams[SW_STREAM_IN].n;
	l->tick.work_n = m->streams[SW_STREAM_WORK].n;
	l->tick.dead_n = m->dead_n;
	l->tick.in_oldest = m->streams[SW_STREAM_IN].first ? m->streams[SW_STREAM_IN].first->ms : 0;
	l->tick.held = m->hold;
	l->cb.tick = cb;
}

static void mem_remember(struct sw_bus *bus, const char *path)
{
	(void)bus; /* nothing survives, so nothing can be rewound */
	(void)path;
}

static void mem_trying(struct sw_bus *bus, enum sw_stream s, const char *id, sw_int_cb cb, void *arg)
{
	struct mem *m = mem_of(bus);
	struct mem_late *l = mem_late(m, mem_run_number, arg, 0);
	char tag[64];

	mem_tag(tag, s, id);
	l->number = ++mem_time(&m->trying, tag)->n;
	l->cb.number = cb;
}

static void dead_field(struct mem_dead *d, const char *name, const void *value, size_t n)
{
	char *copy;

	if (!value)
		return;
	copy = sw_malloc(n + 1);
	memcpy(copy, value, n);
	copy[n] = 0;
	d->f[d->n++] = (struct bus_field){ name, copy, n };
}

static void dead_text(struct mem_dead *d, const char *name, const char *value) { dead_field(d, name, value, value ? strlen(value) : 0); }

static void dead_free(struct mem_dead *d)
{
	for (size_t i = 0; i < d->n; i++)
		free((void *)(uintptr_t)d->f[i].value);
	free(d);
}

void mem_dead(struct mem *m, const char *kind, const char *reason, const struct mem_entry *e, const char *aggregate, const char *msg)
{
	struct mem_dead *d = sw_calloc(1, sizeof *d), **p;
	char number[32];

	d->at = mem_now(m);
	(void)snprintf(d->id, sizeof d->id, "%lld-%lld", (long long)d->at, (long long)++m->counter);
	dead_text(d, "k", kind);
	dead_text(d, "r", reason);
	(void)snprintf(number, sizeof number, "%lld", (long long)d->at);
	dead_text(d, "t", number);
	dead_text(d, "o", e ? e->id : NULL);
	dead_text(d, "a", e && e->stream == SW_STREAM_WORK ? e->aggregate : aggregate);
	dead_text(d, "m", e ? (e->stream == SW_STREAM_WORK ? e->msg : e->meta) : msg);
	if (e && e->stream == SW_STREAM_IN) {
		dead_text(d, "i", e->own_id);
		dead_text(d, "s", e->source);
		dead_text(d, "kind", e->kind);
		(void)snprintf(number, sizeof number, "%lld", (long long)e->arrived);
		dead_text(d, "a", number);
		(void)snprintf(number, sizeof number, "%lld", (long long)e->raw_n);
		dead_text(d, "n", number);
		dead_field(d, "b", e->body, e->body_n);
	}
	d->next = m->dead;
	m->dead = d;
	if (++m->dead_n > MEM_DEAD_MAX) {
		for (p = &m->dead; (*p)->next; p = &(*p)->next)
			;
		dead_free(*p);
		*p = NULL;
		m->dead_n--;
	}
}

static void mem_bury(struct sw_bus *bus, enum sw_stream s, const char *id, const char *reason, sw_done_cb cb, void *arg)
{
	struct mem *m = mem_of(bus);
	struct mem_entry *e = mem_pending(m, s, id);

	if (e) {
		mem_dead(m, s == SW_STREAM_WORK ? "work" : "in", reason, e, NULL, NULL);
		mem_done(m, e);
	}
	mem_reply(m, e ? 0 : 1, cb, arg);
}

static void mem_give_back(struct sw_bus *bus, enum sw_stream s, const char *id, sw_done_cb cb, void *arg)
{
	struct mem *m = mem_of(bus);
	struct mem_entry *e = mem_pending(m, s, id);

	if (e) {
		free(e->consumer);
		e->consumer = sw_strdup("nobody");
		e->given = mem_now(m);
	}
	mem_reply(m, 0, cb, arg);
}

static void mem_dead_add(struct sw_bus *bus, const char *kind, const char *reason, const char *body, sw_done_cb cb, void *arg)
{
	mem_dead(mem_of(bus), kind, reason, NULL, NULL, body);
	mem_reply(mem_of(bus), 0, cb, arg);
}

static bool mem_dead_again(struct mem *m, const struct mem_dead *d)
{
	const char *kind = mem_dead_text(d, "k"), *msg = mem_dead_text(d, "m"), *agg = mem_dead_text(d, "a");
	const struct bus_field *body = bus_field(d->f, d->n, "b");
	struct mem_entry *e;

	if (strcmp(kind, "in") == 0 && *msg && body) {
		e = mem_add(m, SW_STREAM_IN);
		e->own_id = sw_strdup(mem_dead_text(d, "i"));
		e->source = sw_strdup(mem_dead_text(d, "s"));
		e->kind = sw_strdup(mem_dead_text(d, "kind"));
		e->meta = sw_strdup(msg);
		e->body = sw_malloc(body->n + 1);
		memcpy(e->body, body->value, body->n + 1);
		e->body_n = body->n;
		e->raw_n = strtoll(mem_dead_text(d, "n"), NULL, 10);
		e->arrived = strtoll(agg, NULL, 10);
		m->in_bytes += (int64_t)(body->n + strlen(msg) + 128);
	} else if (strcmp(kind, "work") == 0 && *agg && *msg) {
		mem_tell(m, agg, msg);
	} else if (strcmp(kind, "alert") == 0 && *agg && *msg) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

		sw_buf_printf(&b, "{\"t\":\"again\",\"dead\":%s}", msg);
		mem_tell(m, agg, sw_buf_str(&b));
	} else {
		return false;
	}
	return true;
}

static void member(struct sw_buf *b, const char *name, const char *value)
{
	sw_buf_printf(b, ",\"%s\":", name);
	sw_buf_json(b, value ? value : "");
}

/* The way a decision came by, where it is known. */
static void mem_via(struct sw_buf *b, const struct sw_decider *by)
{
	if (by && by->via && *by->via)
		member(b, "via", by->via);
}

static void mem_dead_note(struct mem *m, const struct mem_dead *d, bool again, const struct sw_decider *by)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	bool in = sw_streq(mem_dead_text(d, "k"), "in");

	sw_buf_printf(&b, "{\"t\":\"dead\",\"do\":\"%s\"", again ? "retry" : "drop");
	member(&b, "id", d->id);
	member(&b, "who", by && by->who && *by->who ? by->who : "somebody");
	mem_via(&b, by);
	sw_buf_printf(&b, ",\"at\":%lld", (long long)mem_now(m));
	member(&b, "kind", mem_dead_text(d, "k"));
	member(&b, in ? "source" : "aggregate", mem_dead_text(d, in ? "s" : "a"));
	member(&b, "reason", mem_dead_text(d, "r"));
	sw_buf_putc(&b, '}');
	mem_note(m, sw_buf_str(&b));
}

static void mem_dead_end(struct sw_bus *bus, const char *id, bool again, const struct sw_decider *by, sw_int_cb cb, void *arg)
{
	struct mem *m = mem_of(bus);
	struct mem_late *l = mem_late(m, mem_run_number, arg, 0);
	struct mem_dead **p = &m->dead, *d;

	l->cb.number = cb;
	while (*p && strcmp((*p)->id, id) != 0)
		p = &(*p)->next;
	d = *p;
	if (!d || (again && !mem_dead_again(m, d))) {
		l->number = d ? 2 : 1;
		return;
	}
	mem_dead_note(m, d, again, by);
	*p = d->next;
	m->dead_n--;
	dead_free(d);
}

static void mem_hold(struct sw_bus *bus, const char *scope, bool on, const struct sw_decider *by, const char *why, sw_done_cb cb, void *arg)
{
	struct mem *m = mem_of(bus);
	struct sw_buf b = SW_BUF_INIT, note = SW_BUF_INIT;

	sw_buf_printf(&note, "{\"t\":\"hold\",\"on\":%s", on ? "true" : "false");
	member(&note, "scope", scope);
	member(&note, "who", by->who);
	mem_via(&note, by);
	member(&note, "why", why);
	sw_buf_printf(&note, ",\"at\":%lld}", (long long)mem_now(m));
	mem_note(m, sw_buf_str(&note));
	sw_buf_fini(&note);
	if (!scope || !*scope) {
		free(m->hold_by);
		free(m->hold_why);
		m->hold = on;
		m->hold_by = sw_strdup(on ? by->who : NULL);
		m->hold_why = sw_strdup(on ? why : NULL);
		m->hold_at = mem_now(m);
	} else if (on) {
		sw_buf_cat(&b, "{\"by\":");
		sw_buf_json(&b, by->who ? by->who : "");
		sw_buf_cat(&b, ",\"why\":");
		sw_buf_json(&b, why ? why : "");
		sw_buf_printf(&b, ",\"at\":%lld}", (long long)mem_now(m));
		free(sw_map_set(&m->holds, scope, sw_buf_take(&b)));
	} else {
		free(sw_map_del(&m->holds, scope));
	}
	mem_reply(m, 0, cb, arg);
}

/* ---- being there ---- */

static void mem_free(struct sw_bus *bus)
{
	struct mem *m = mem_of(bus);
	struct sw_map *plain[] = { &m->timers, &m->seen, &m->once, &m->rules, &m->chans, &m->acts, &m->fails, &m->gateways, &m->spools,
		&m->workers, &m->holds, &m->trying };
	struct mem_dead *d;

	m->wanting = false;
	mem_journal_fini(m);
	for (struct mem_late *l = m->first; l; l = l->next)
		if (l->run != mem_run_text || l->r == 0)
			l->r = -ECANCELED;
	while (m->first)
		(void)mem_run(m);
	sw_defer_cancel(&m->later);
	for (int s = 0; s < 2; s++) {
		while (m->streams[s].first) {
			struct mem_entry *e = m->streams[s].first;

			m->streams[s].first = e->next;
			mem_entry_free(e);
		}
		sw_map_fini(&m->streams[s].by_id);
	}
	for (size_t i = 0; i < SW_COUNT(plain); i++)
		mem_map_free(plain[i], free);
	mem_map_free(&m->aggs, mem_agg_free);
	mem_map_free(&m->rings, mem_bytes_free);
	mem_map_free(&m->keeps, mem_keep_free);
	while ((d = m->dead)) {
		m->dead = d->next;
		dead_free(d);
	}
	free(m->hold_by);
	free(m->hold_why);
	free(m->consumer);
	free(m);
}

static bool mem_up(const struct sw_bus *bus)
{
	(void)bus;
	return true;
}

static sw_ms mem_bus_now(const struct sw_bus *bus) { return mem_now((const struct mem *)(const void *)bus); }
static const struct sw_bus_info *mem_info(const struct sw_bus *bus) { return &((const struct mem *)(const void *)bus)->info; }

static const char *mem_error(const struct sw_bus *bus)
{
	(void)bus;
	return "";
}

static const struct bus_ops mem_ops = {
	.free = mem_free, .up = mem_up, .now = mem_bus_now, .info = mem_info, .error = mem_error,
	.enqueue = mem_enqueue, .drain = mem_drain, .gateway = mem_gateway,
	.read = mem_read, .read_more = mem_read_more, .read_end = mem_read_end, .read_stop = mem_read_stop,
	.intake = mem_intake, .load = mem_load, .commit = mem_commit, .append = mem_append,
	.tick = mem_tick, .remember = mem_remember, .trying = mem_trying, .bury = mem_bury, .give_back = mem_give_back,
	.dead_add = mem_dead_add, .dead_end = mem_dead_end, .hold = mem_hold, .query = mem_query, .rules = mem_rules,
	.journal = mem_journal,
};

struct sw_bus *bus_mem_new(struct sw_loop *loop, const struct sw_bus_options *opt)
{
	struct mem *m = sw_calloc(1, sizeof *m);

	m->base.ops = &mem_ops;
	m->loop = loop;
	m->opt = *opt;
	m->last = &m->first;
	m->later = (struct sw_defer){ .cb = mem_later, .arg = m };
	(void)snprintf(m->info.run_id, sizeof m->info.run_id, "memory");
	m->info.noeviction = true;
	if (loop)
		sw_loop_defer(loop, &m->later);
	return &m->base;
}

void sw_bus_mem_clock(struct sw_bus *bus, sw_ms now)
{
	SW_ASSERT(bus->ops == &mem_ops);
	mem_of(bus)->clock = now;
}

bool sw_bus_mem_run(struct sw_bus *bus)
{
	SW_ASSERT(bus->ops == &mem_ops);
	return mem_run(mem_of(bus));
}
