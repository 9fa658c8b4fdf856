/*
 * The bus on Redis: each operation is one script (scripts/ *.lua); here its arguments are written and its reply is read.
 *
 * One connection works (b->work); enqueue has more, opened with the first entry; reading has its own (reader.c). Each connection
 * of enqueue has at most two calls under way, and what comes in meanwhile goes with the next: the batch grows with the load.
 */
#include "bus/impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hmac.h"
#include "base/json.h"
#include "base/str.h"
#include "shipwatch/clock.h"

#define JOURNAL_BYTES (256LL << 20)
#define ENQ_BATCH 128              /* entries in one script: Lua's unpack and Redis' patience */
#define ENQ_BATCH_BYTES (1 << 20)
#define ENQ_PIPE 2

/* A call with a callback of one of the kinds; ids: what is off our hands when it went well. */
struct op {
	struct remote *b;
	union { sw_done_cb done; sw_int_cb number; sw_text_cb text; sw_load_cb load; sw_commit_cb commit; sw_tick_cb tick; } cb;
	void *arg;
	enum sw_stream stream;
	char **ids;
	size_t n_ids, n_rings, n_keeps;
	char *word;                    /* query: its argument */
	size_t limit;
	struct sw_map names;
	struct bus_field fields[32];
	size_t n_fields;
	struct sw_arena arena;
};

static struct op *op_new(struct sw_bus *bus, void *arg)
{
	struct op *o = sw_calloc(1, sizeof *o);

	o->b = remote_of(bus);
	o->arg = arg;
	return o;
}

static void op_free(struct op *o)
{
	for (size_t i = 0; i < o->n_ids; i++)
		free(o->ids[i]);
	free(o->ids);
	free(o->word);
	sw_map_fini(&o->names);
	sw_arena_fini(&o->arena);
	free(o);
}

static void op_id(struct op *o, const char *id)
{
	o->ids = sw_realloc(o->ids, (o->n_ids + 1) * sizeof *o->ids);
	o->ids[o->n_ids++] = sw_strdup(id);
}

static void op_send(struct op *o, struct sw_cmd *cmd, sw_rep_cb cb)
{
	sw_link_send(o->b->work, cmd, 0, cb, o);
}

static void op_done(void *arg, int r, const struct sw_rep *rep)
{
	struct op *o = arg;

	if (r == 0)
		for (size_t i = 0; i < o->n_ids; i++)
			reader_done(o->b, o->stream, o->ids[i]);
	if (o->cb.done)
		o->cb.done(o->arg, r < 0 ? r : o->n_ids ? sw_rep_int(rep) != 0 : 0);
	op_free(o);
}

static void op_number(void *arg, int r, const struct sw_rep *rep)
{
	struct op *o = arg;

	if (o->cb.number)
		o->cb.number(o->arg, r, r < 0 ? 0 : sw_rep_int(rep));
	op_free(o);
}

static void op_text(void *arg, int r, const struct sw_rep *rep)
{
	struct op *o = arg;

	if (o->cb.text)
		o->cb.text(o->arg, r, r < 0 ? NULL : sw_rep_str(rep, NULL));
	op_free(o);
}

static void remote_now_set(struct remote *b, sw_ms now)
{
	b->now = now;
	b->now_boot = sw_clock_boot();
}

/* ---- enqueue ---- */

struct enq_item {
	struct enq_item *next;
	struct sw_cmd args;
	sw_enqueue_cb cb;
	void *arg;
	int64_t bytes;
	int r;                         /* refused already: why */
};

struct enq_batch { struct remote *b; size_t n; struct enq_item *items[ENQ_BATCH]; };

static void enq_args(struct sw_cmd *c, const struct sw_entry_in *e)
{
	unsigned char d[BUS_DIGEST];

	sw_cmd_str(c, e->id);
	sw_cmd_str(c, e->source);
	sw_cmd_str(c, e->kind);
	sw_cmd_str(c, e->meta);
	bus_digest(e->source, e->dedupe, d);
	sw_cmd_mem(c, d, sizeof d);
	bus_digest("", e->id, d);
	sw_cmd_mem(c, d, sizeof d);
	sw_cmd_int(c, SW_MAX(e->dedupe_for, 0));
	sw_cmd_int(c, e->arrived);
	sw_cmd_int(c, e->raw_n);
	sw_cmd_mem(c, e->body, e->body_n);
}

static void enq_end(struct remote *b, struct enq_item *it, int r, const char *id)
{
	b->bytes -= it->bytes;
	if (it->cb)
		it->cb(it->arg, r, id);
	sw_buf_fini(&it->args.b);
	free(it);
}

static void enq_reply(void *arg, int r, const struct sw_rep *rep)
{
	struct enq_batch *batch = arg;
	struct remote *b = batch->b;

	if (r == 0 && sw_rep_count(rep) != batch->n)
		r = -EPROTO;
	for (size_t i = 0; i < batch->n; i++) {
		const char *s = r == 0 ? sw_rep_str(sw_rep_at(rep, i), NULL) : NULL;

		if (r == -ENOMEM)
			enq_end(b, batch->items[i], SW_ENQ_FULL, NULL);
		else if (r < 0 || !s)
			enq_end(b, batch->items[i], r < 0 ? r : -EPROTO, NULL);
		else if (s[0] == 'D' || s[0] == 'F')
			enq_end(b, batch->items[i], s[0] == 'D' ? SW_ENQ_DUPLICATE : SW_ENQ_FULL, NULL);
		else
			enq_end(b, batch->items[i], SW_ENQ_QUEUED, s);
	}
	free(batch);
	if (b->first)
		sw_loop_defer(b->loop, &b->flush);
}

static int64_t enq_cap(const struct remote *b)
{
	return b->info.maxmemory > 0 ? SW_MIN(b->opt.in_max_bytes, b->info.maxmemory / 2) : b->opt.in_max_bytes;
}

static void enq_send(struct remote *b, struct sw_link *l, size_t most)
{
	struct enq_batch *batch = sw_calloc(1, sizeof *batch);
	struct sw_cmd cmd;
	int64_t bytes = 0;

	batch->b = b;
	for (struct enq_item *it = b->first; it && batch->n < most && bytes < ENQ_BATCH_BYTES; it = it->next) {
		batch->items[batch->n++] = it;
		bytes += it->bytes;
	}
	sw_cmd_script(&cmd, SW_SCRIPT_ENQUEUE);
	sw_cmd_str(&cmd, "");
	sw_cmd_str(&cmd, "0");
	sw_cmd_int(&cmd, enq_cap(b));
	sw_cmd_int(&cmd, (int64_t)batch->n);
	sw_buf_reserve(&cmd.b, (size_t)bytes + batch->n * 256);
	for (size_t i = 0; i < batch->n; i++) {
		sw_cmd_join(&cmd, &batch->items[i]->args);
		sw_buf_fini(&batch->items[i]->args.b);
		batch->items[i]->args.b = (struct sw_buf)SW_BUF_INIT;
	}
	b->first = batch->items[batch->n - 1]->next;
	if (!b->first)
		b->last = &b->first;
	b->n_items -= batch->n;
	sw_link_send(l, &cmd, 0, enq_reply, batch);
}

/* The free connection with the least to do; *ret_free: how many are free, *ret_up: any that is up. */
static struct sw_link *enq_pick(const struct remote *b, unsigned *ret_free, bool *ret_up)
{
	struct sw_link *best = NULL;

	*ret_free = 0;
	*ret_up = false;
	for (unsigned i = 0; i < b->n_enq; i++) {
		struct sw_link *l = b->enq[i];

		*ret_up |= sw_link_up(l);
		if (!sw_link_up(l) || sw_link_calls(l) >= ENQ_PIPE)
			continue;
		++*ret_free;
		if (!best || sw_link_calls(l) < sw_link_calls(best))
			best = l;
	}
	if (!*ret_up && sw_link_up(b->work)) { /* the others are still on their way */
		*ret_up = true;
		*ret_free = 1;
		best = sw_link_calls(b->work) < 4 * ENQ_PIPE ? b->work : NULL;
	}
	return best;
}

static void enq_flush(void *arg)
{
	struct remote *b = arg;
	struct enq_item **p = &b->first, *it;
	struct sw_link *l;
	unsigned free_links;
	bool up;

	(void)enq_pick(b, &free_links, &up);
	while ((it = *p)) { /* out with those that were refused; with all of them while nothing is up */
		if (it->r == 0 && up) {
			p = &it->next;
			continue;
		}
		*p = it->next;
		b->n_items--;
		enq_end(b, it, it->r ? it->r : -ENOTCONN, NULL);
	}
	b->last = p;
	while (b->first && (l = enq_pick(b, &free_links, &up)))
		enq_send(b, l, SW_MIN((size_t)ENQ_BATCH, SW_MAX((size_t)16, b->n_items / SW_MAX(free_links, 1u))));
}

static void enq_state(void *arg, bool up, const char *why)
{
	struct remote *b = arg;

	(void)up;
	(void)why;
	if (b->first)
		sw_loop_defer(b->loop, &b->flush);
}

static void remote_enqueue(struct sw_bus *bus, const struct sw_entry_in *e, sw_enqueue_cb cb, void *arg)
{
	struct remote *b = remote_of(bus);
	struct enq_item *it = sw_calloc(1, sizeof *it);

	*it = (struct enq_item){ .cb = cb, .arg = arg };
	if (b->bytes + (int64_t)e->body_n > b->opt.bytes_in_flight) {
		it->r = -EAGAIN;
	} else {
		sw_buf_reserve(&it->args.b, e->body_n + strlen(e->meta) + 256);
		enq_args(&it->args, e);
		it->bytes = (int64_t)it->args.b.n;
		b->bytes += it->bytes;
	}
	if (!b->enq) {
		b->enq = sw_calloc(b->opt.connections, sizeof *b->enq);
		for (; b->n_enq < b->opt.connections; b->n_enq++)
			b->enq[b->n_enq] = sw_link_new(b->client, enq_state, NULL, b);
	}
	*b->last = it;
	b->last = &it->next;
	b->n_items++;
	sw_loop_defer(b->loop, &b->flush);
}

static void drain_reply(void *arg, int r, const struct sw_rep *rep)
{
	struct op *o = arg;
	const char *s = r == 0 && sw_rep_count(rep) == 1 ? sw_rep_str(sw_rep_at(rep, 0), NULL) : NULL;

	if (o->cb.done)
		o->cb.done(o->arg, s && s[0] == 'F' ? -ENOMEM : r);
	op_free(o);
}

static void remote_drain(struct sw_bus *bus, const char *gateway, const struct sw_entry_in *e, size_t n, int64_t offset, sw_done_cb cb,
                         void *arg)
{
	struct op *o = op_new(bus, arg);
	struct sw_cmd cmd;

	o->cb.done = cb;
	sw_cmd_script(&cmd, SW_SCRIPT_ENQUEUE);
	sw_cmd_str(&cmd, gateway);
	sw_cmd_int(&cmd, offset);
	sw_cmd_int(&cmd, enq_cap(o->b));
	sw_cmd_int(&cmd, (int64_t)n);
	for (size_t i = 0; i < n; i++)
		enq_args(&cmd, &e[i]);
	op_send(o, &cmd, drain_reply);
}

static void remote_gateway(struct sw_bus *bus, const char *gateway, int64_t spool_bytes, sw_int_cb cb, void *arg)
{
	struct op *o = op_new(bus, arg);
	struct sw_cmd cmd;

	o->cb.number = cb;
	sw_cmd_script(&cmd, SW_SCRIPT_GATEWAY);
	sw_cmd_str(&cmd, gateway);
	sw_cmd_int(&cmd, spool_bytes);
	op_send(o, &cmd, op_number);
}

/* ---- work ---- */

static void put_tells(struct sw_cmd *cmd, const struct sw_tell *t, size_t n)
{
	sw_cmd_int(cmd, (int64_t)n);
	for (size_t i = 0; i < n; i++) {
		sw_cmd_str(cmd, t[i].aggregate);
		sw_cmd_str(cmd, t[i].msg);
	}
}

static void put_keeps(struct sw_cmd *cmd, const struct sw_keep *k, size_t n)
{
	sw_cmd_int(cmd, (int64_t)n);
	for (size_t i = 0; i < n; i++) {
		sw_cmd_str(cmd, k[i].key);
		sw_cmd_str(cmd, k[i].value);
		sw_cmd_int(cmd, k[i].ttl);
		sw_cmd_int(cmd, k[i].list);
		sw_cmd_int(cmd, k[i].cap);
	}
}

/* The journal and how many of its entries are about 256 MiB, by the mean size of what this process writes. */
static void put_journal(struct sw_cmd *cmd, struct remote *b, const char *journal)
{
	int64_t n = journal ? (int64_t)strlen(journal) + 64 : 0;

	if (n)
		b->journal_mean = b->journal_mean ? (b->journal_mean * 63 + n) / 64 : n;
	sw_cmd_str(cmd, journal);
	sw_cmd_int(cmd, SW_MAX(JOURNAL_BYTES / SW_MAX(b->journal_mean, (int64_t)256), (int64_t)1000));
}

static void remote_intake(struct sw_bus *bus, const struct sw_intake *in, sw_done_cb cb, void *arg)
{
	struct op *o = op_new(bus, arg);
	struct sw_cmd cmd;

	o->cb.done = cb;
	o->stream = SW_STREAM_IN;
	op_id(o, in->id);
	sw_cmd_script(&cmd, SW_SCRIPT_INTAKE);
	sw_cmd_str(&cmd, in->id);
	put_journal(&cmd, o->b, in->journal);
	put_tells(&cmd, in->facts, in->n_facts);
	put_keeps(&cmd, in->keeps, in->n_keeps);
	op_send(o, &cmd, op_done);
}

static void load_reply(void *arg, int r, const struct sw_rep *rep)
{
	struct op *o = arg;
	SW_CLEANUP(sw_freep) struct sw_loaded *l = sw_calloc(1, sizeof *l);

	if (r == 0 && sw_rep_count(rep) < 6 + o->n_rings + o->n_keeps)
		r = -EPROTO;
	if (r == 0) {
		l->v = sw_rep_int(sw_rep_at(rep, 0));
		l->fmt = (int)sw_rep_int(sw_rep_at(rep, 1));
		l->state = sw_rep_str(sw_rep_at(rep, 2), &l->state_n);
		l->now = sw_rep_int(sw_rep_at(rep, 3));
		l->hold = sw_rep_str(sw_rep_at(rep, 4), NULL);
		l->fails = sw_rep_str(sw_rep_at(rep, 5), NULL);
		for (size_t i = 0; i < o->n_rings; i++)
			l->rings[i].p = sw_rep_str(sw_rep_at(rep, 6 + i), &l->rings[i].n);
		for (size_t i = 0; i < o->n_keeps; i++)
			l->keeps[i] = sw_rep_str(sw_rep_at(rep, 6 + o->n_rings + i), NULL);
		remote_now_set(o->b, l->now);
	}
	o->cb.load(o->arg, r, r < 0 ? NULL : l);
	op_free(o);
}

static size_t put_names(struct sw_cmd *cmd, const char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	sw_cmd_int(cmd, (int64_t)n);
	for (size_t i = 0; i < n; i++)
		sw_cmd_str(cmd, list[i]);
	return n;
}

static void remote_load(struct sw_bus *bus, const struct sw_load *l, sw_load_cb cb, void *arg)
{
	struct op *o = op_new(bus, arg);
	struct sw_cmd cmd;

	o->cb.load = cb;
	sw_cmd_script(&cmd, SW_SCRIPT_LOAD);
	sw_cmd_str(&cmd, l->aggregate);
	o->n_rings = put_names(&cmd, l->rings);
	o->n_keeps = put_names(&cmd, l->keeps);
	op_send(o, &cmd, load_reply);
}

static void commit_reply(void *arg, int r, const struct sw_rep *rep)
{
	struct op *o = arg;
	struct sw_committed c = { 0 };

	if (r == 0 && sw_rep_count(rep) != 5)
		r = -EPROTO;
	if (r == 0) {
		r = (int)sw_rep_int(sw_rep_at(rep, 0));
		c.v = sw_rep_int(sw_rep_at(rep, 1));
		c.now = sw_rep_int(sw_rep_at(rep, 2));
		if (r == SW_COMMIT_REFUSED)
			c.reason = sw_rep_str(sw_rep_at(rep, 3), NULL);
		if (r == SW_COMMIT_GONE)
			c.gone = sw_rep_str(sw_rep_at(rep, 3), NULL);
		c.wait = sw_rep_int(sw_rep_at(rep, 4));
		remote_now_set(o->b, c.now);
		if (c.gone)
			reader_done(o->b, SW_STREAM_WORK, c.gone);
		for (size_t i = 0; r == SW_COMMIT_OK && i < o->n_ids; i++)
			reader_done(o->b, SW_STREAM_WORK, o->ids[i]);
	}
	if (o->cb.commit)
		o->cb.commit(o->arg, r, r < 0 ? NULL : &c);
	op_free(o);
}

static void put_commit_lists(struct sw_cmd *cmd, struct op *o, const struct sw_change *c)
{
	size_t n = put_names(cmd, c->acks);

	for (size_t i = 0; i < n; i++)
		op_id(o, c->acks[i]);
	sw_cmd_int(cmd, (int64_t)c->n_timers);
	for (size_t i = 0; i < c->n_timers; i++) {
		sw_cmd_str(cmd, c->timers[i].name);
		sw_cmd_int(cmd, c->timers[i].due);
	}
	put_tells(cmd, c->tells, c->n_tells);
	sw_cmd_int(cmd, (int64_t)c->n_rings);
	for (size_t i = 0; i < c->n_rings; i++) {
		sw_cmd_str(cmd, c->rings[i].ring);
		sw_cmd_mem(cmd, c->rings[i].p, c->rings[i].n);
	}
	put_keeps(cmd, c->keeps, c->n_keeps);
}

static void remote_commit(struct sw_bus *bus, const struct sw_change *c, sw_commit_cb cb, void *arg)
{
	struct op *o = op_new(bus, arg);
	size_t state_n = c->state ? (c->state_n ? c->state_n : strlen(c->state)) : 0;
	struct sw_cmd cmd;

	o->cb.commit = cb;
	sw_cmd_script(&cmd, SW_SCRIPT_COMMIT);
	sw_cmd_str(&cmd, c->aggregate);
	sw_cmd_int(&cmd, c->v);
	sw_cmd_str(&cmd, !c->state ? "k" : state_n ? "s" : "d");
	sw_cmd_mem(&cmd, c->state ? c->state : "", state_n);
	sw_cmd_int(&cmd, c->ttl);
	sw_cmd_int(&cmd, SW_FMT);
	put_journal(&cmd, o->b, c->journal);
	sw_cmd_str(&cmd, c->fails_add);
	sw_cmd_str(&cmd, c->fails_del);
	sw_cmd_str(&cmd, c->rules_hash);
	sw_cmd_mem(&cmd, c->rules_source ? c->rules_source : "", c->rules_source ? c->rules_source_n : 0);
	sw_cmd_str(&cmd, c->start_action);
	sw_cmd_str(&cmd, c->start_place);
	sw_cmd_str(&cmd, c->pace_credential);
	sw_cmd_int(&cmd, c->pace_count);
	sw_cmd_int(&cmd, c->pace_per);
	sw_cmd_str(&cmd, c->hold_credential);
	sw_cmd_int(&cmd, c->hold_until);
	sw_cmd_str(&cmd, c->dead_reason);
	sw_cmd_str(&cmd, c->dead_body);
	put_commit_lists(&cmd, o, c);
	op_send(o, &cmd, commit_reply);
}

static void remote_append(struct sw_bus *bus, const char *aggregate, const char *msg, sw_done_cb cb, void *arg)
{
	struct op *o = op_new(bus, arg);
	struct sw_cmd cmd;

	o->cb.done = cb;
	sw_cmd_script(&cmd, SW_SCRIPT_APPEND);
	sw_cmd_str(&cmd, aggregate);
	sw_cmd_str(&cmd, msg);
	op_send(o, &cmd, op_done);
}

/* ---- housekeeping ---- */

static void tick_reply(void *arg, int r, const struct sw_rep *rep)
{
	struct op *o = arg;
	struct remote *b = o->b;
	struct sw_tick t = { 0 };
	int64_t *numbers[] = { &t.now, &t.next_due, &t.moved, &t.in_n, &t.work_n, &t.dead_n, &t.in_oldest };

	if (r == 0 && sw_rep_count(rep) != 12)
		r = -EPROTO;
	if (r == 0) {
		for (size_t i = 0; i < SW_COUNT(numbers); i++)
			*numbers[i] = sw_rep_int(sw_rep_at(rep, i));
		t.held = sw_rep_int(sw_rep_at(rep, 7)) != 0;
		t.rewound = sw_rep_int(sw_rep_at(rep, 8)) != 0;
		bus_memory_note(&b->memory, sw_rep_str(sw_rep_at(rep, 9), NULL), sw_rep_int(sw_rep_at(rep, 10)));
		b->tick_now = t.now;
		b->tick_boot = sw_clock_boot();
		remote_now_set(b, t.now);
		reader_sweep(b, sw_rep_int(sw_rep_at(rep, 11)) > 0);
	}
	if (o->cb.tick)
		o->cb.tick(o->arg, r, r < 0 ? NULL : &t);
	op_free(o);
}

static void remote_tick(struct sw_bus *bus, sw_tick_cb cb, void *arg)
{
	struct op *o = op_new(bus, arg);
	struct remote *b = o->b;
	SW_CLEANUP(sw_buf_fini) struct sw_buf hex = SW_BUF_INIT;
	unsigned char rnd[16];
	struct sw_cmd cmd;

	o->cb.tick = cb;
	sw_random(rnd, sizeof rnd);
	sw_hex_encode(&hex, rnd, sizeof rnd);
	sw_cmd_script(&cmd, SW_SCRIPT_TICK);
	sw_cmd_str(&cmd, b->reader.link ? b->reader.consumer : "");
	sw_cmd_int(&cmd, b->tick_now ? b->tick_now + (sw_clock_boot() - b->tick_boot) : 0);
	sw_cmd_str(&cmd, b->memory.lineage);
	sw_cmd_int(&cmd, b->memory.counter);
	sw_cmd_str(&cmd, sw_buf_str(&hex));
	sw_cmd_int(&cmd, 100);
	op_send(o, &cmd, tick_reply);
}

static void remote_remember(struct sw_bus *bus, const char *path) { bus_memory_open(&remote_of(bus)->memory, path); }

static void put_tagged(struct sw_cmd *cmd, enum sw_stream s, const char *id)
{
	char text[64];

	(void)snprintf(text, sizeof text, "%c:%s", s == SW_STREAM_WORK ? 'w' : 'i', id);
	sw_cmd_str(cmd, text);
}

static void remote_trying(struct sw_bus *bus, enum sw_stream s, const char *id, sw_int_cb cb, void *arg)
{
	struct op *o = op_new(bus, arg);
	struct sw_cmd cmd;

	o->cb.number = cb;
	sw_cmd_script(&cmd, SW_SCRIPT_TRYING);
	put_tagged(&cmd, s, id);
	op_send(o, &cmd, op_number);
}

static void remote_bury(struct sw_bus *bus, enum sw_stream s, const char *id, const char *reason, sw_done_cb cb, void *arg)
{
	struct op *o = op_new(bus, arg);
	struct sw_cmd cmd;

	o->cb.done = cb;
	o->stream = s;
	op_id(o, id);
	sw_cmd_script(&cmd, SW_SCRIPT_BURY);
	sw_cmd_str(&cmd, s == SW_STREAM_WORK ? "w" : "i");
	sw_cmd_str(&cmd, id);
	sw_cmd_str(&cmd, reason);
	op_send(o, &cmd, op_done);
}

static void give_back_reply(void *arg, int r, const struct sw_rep *rep)
{
	struct op *o = arg;

	(void)rep;
	if (r == 0)
		reader_done(o->b, o->stream, o->ids[0]);
	if (o->cb.done)
		o->cb.done(o->arg, r);
	op_free(o);
}

static void remote_give_back(struct sw_bus *bus, enum sw_stream s, const char *id, sw_done_cb cb, void *arg)
{
	struct op *o = op_new(bus, arg);
	struct sw_cmd cmd;

	o->cb.done = cb;
	o->stream = s;
	op_id(o, id);
	sw_cmd_script(&cmd, SW_SCRIPT_LEAVE);
	sw_cmd_str(&cmd, "e");
	sw_cmd_str(&cmd, s == SW_STREAM_WORK ? "w" : "i");
	sw_cmd_str(&cmd, id);
	op_send(o, &cmd, give_back_reply);
}

static void remote_dead_add(struct sw_bus *bus, const char *kind, const char *reason, const char *body, sw_done_cb cb, void *arg)
{
	struct op *o = op_new(bus, arg);
	struct sw_cmd cmd;

	o->cb.done = cb;
	sw_cmd_script(&cmd, SW_SCRIPT_DEAD_ADD);
	sw_cmd_str(&cmd, kind);
	sw_cmd_str(&cmd, reason);
	sw_cmd_str(&cmd, body);
	op_send(o, &cmd, op_done);
}

static void remote_hold(struct sw_bus *bus, const char *scope, bool on, const char *who, const char *why, sw_done_cb cb, void *arg)
{
	struct op *o = op_new(bus, arg);
	struct sw_cmd cmd;

	o->cb.done = cb;
	sw_cmd_script(&cmd, SW_SCRIPT_HOLD);
	sw_cmd_str(&cmd, scope);
	sw_cmd_int(&cmd, on);
	sw_cmd_str(&cmd, who);
	sw_cmd_str(&cmd, why);
	op_send(o, &cmd, op_done);
}

/* ---- queries ---- */

static void dead_finish(struct op *o, const void *kept, size_t kept_n)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	bus_dead_json(&b, o->word, o->fields, o->n_fields, kept, kept_n);
	o->cb.text(o->arg, 0, sw_buf_str(&b));
	op_free(o);
}

static void dead_body_reply(void *arg, int r, const struct sw_rep *rep)
{
	size_t n = 0;
	const char *body = r == 0 ? sw_rep_str(rep, &n) : NULL;

	dead_finish(arg, body, n);
}

static void dead_show_reply(void *arg, int r, const struct sw_rep *rep)
{
	struct op *o = arg;
	const struct sw_rep *f = sw_rep_at(sw_rep_at(rep, 0), 1);
	const char *entry = NULL;
	bool inside = false, in = false;
	char key[96];
	struct sw_cmd cmd;

	if (r < 0 || sw_rep_count(rep) == 0) {
		o->cb.text(o->arg, r, NULL);
		op_free(o);
		return;
	}
	for (size_t i = 0; i + 1 < sw_rep_count(f) && o->n_fields < SW_COUNT(o->fields); i += 2) {
		struct bus_field *x = &o->fields[o->n_fields++];
		const char *value = sw_rep_str(sw_rep_at(f, i + 1), &x->n);

		x->name = sw_arena_strdup(&o->arena, sw_rep_str(sw_rep_at(f, i), NULL));
		x->value = sw_arena_alloc(&o->arena, x->n + 1);
		memcpy((char *)(uintptr_t)x->value, value, x->n);
		inside |= sw_streq(x->name, "b");
		in |= sw_streq(x->name, "k") && sw_streq(x->value, "in");
		if (sw_streq(x->name, "o"))
			entry = x->value;
	}
	if (inside || !in || !entry) {
		dead_finish(o, NULL, 0);
		return;
	}
	(void)snprintf(key, sizeof key, "{sw}:body:%s", entry);
	sw_cmd_plain(&cmd, "GET");
	sw_cmd_str(&cmd, key);
	op_send(o, &cmd, dead_body_reply);
}

static int name_order(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void scan_finish(struct op *o)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	SW_CLEANUP(sw_freep) const char **names = sw_calloc(o->names.n_live + 1, sizeof *names);
	struct sw_map_entry *e;
	size_t n = 0;

	for (size_t i = 0; (e = sw_map_next(&o->names, &i));)
		names[n++] = e->key;
	qsort(names, n, sizeof *names, name_order);
	sw_buf_putc(&b, '[');
	for (size_t i = 0; i < SW_MIN(n, o->limit); i++) {
		if (i)
			sw_buf_putc(&b, ',');
		sw_buf_json(&b, names[i]);
	}
	sw_buf_putc(&b, ']');
	o->cb.text(o->arg, 0, sw_buf_str(&b));
	op_free(o);
}

static void scan_send(struct op *o, const char *cursor);

/* SCAN from here, not in a script: it goes over the whole keyspace, a piece at a time. */
static void scan_reply(void *arg, int r, const struct sw_rep *rep)
{
	struct op *o = arg;
	const struct sw_rep *keys = sw_rep_at(rep, 1);
	const char *cursor = sw_rep_str(sw_rep_at(rep, 0), NULL);

	if (r < 0 || !cursor) {
		o->cb.text(o->arg, r < 0 ? r : -EPROTO, NULL);
		op_free(o);
		return;
	}
	for (size_t i = 0; i < sw_rep_count(keys); i++) {
		const char *k = sw_rep_str(sw_rep_at(keys, i), NULL);

		if (k && sw_starts(k, "{sw}:") && sw_starts(k + 5, o->word))
			(void)sw_map_set(&o->names, k + 5, o);
	}
	if (sw_streq(cursor, "0") || o->names.n_live >= o->limit)
		scan_finish(o);
	else
		scan_send(o, cursor);
}

static void scan_send(struct op *o, const char *cursor)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf match = SW_BUF_INIT;
	struct sw_cmd cmd;

	sw_buf_cat(&match, "{sw}:");
	for (const char *p = o->word; *p; p++) {
		if (strchr("*?[]\\^", *p))
			sw_buf_putc(&match, '\\');
		sw_buf_putc(&match, *p);
	}
	sw_buf_putc(&match, '*');
	sw_cmd_plain(&cmd, "SCAN");
	sw_cmd_str(&cmd, cursor);
	sw_cmd_str(&cmd, "MATCH");
	sw_cmd_str(&cmd, sw_buf_str(&match));
	sw_cmd_str(&cmd, "COUNT");
	sw_cmd_str(&cmd, "1000");
	sw_cmd_str(&cmd, "TYPE");
	sw_cmd_str(&cmd, "hash");
	op_send(o, &cmd, scan_reply);
}

static void unknown_reply(void *arg, int r, const struct sw_rep *rep)
{
	struct op *o = arg;

	(void)rep;
	o->cb.text(o->arg, r < 0 ? r : -EINVAL, NULL);
	op_free(o);
}

static void remote_query(struct sw_bus *bus, const char *what, sw_text_cb cb, void *arg)
{
	struct op *o = op_new(bus, arg);
	char buf[256];
	const char *w[4] = { "", "", "", "" };
	size_t n = bus_words(what, buf, w);
	struct sw_cmd cmd;

	o->cb.text = cb;
	if (sw_streq(w[0], "aggregates") && n == 3) {
		o->word = sw_strdup(w[1]);
		o->limit = strtoul(w[2], NULL, 10);
		scan_send(o, "0");
		return;
	}
	if (sw_streq(w[0], "dead") && sw_streq(w[1], "show") && n == 3) {
		o->word = sw_strdup(w[2]);
		sw_cmd_plain(&cmd, "XRANGE");
		sw_cmd_str(&cmd, "{sw}:dead");
		sw_cmd_str(&cmd, w[2]);
		sw_cmd_str(&cmd, w[2]);
		op_send(o, &cmd, dead_show_reply);
		return;
	}
	if (sw_streq(what, "status") || (sw_streq(w[0], "dead") && sw_streq(w[1], "list") && n == 4) ||
	    (sw_streq(w[0], "aggregate") && n == 2)) {
		sw_cmd_script(&cmd, SW_SCRIPT_QUERY);
		for (size_t i = sw_streq(w[0], "dead"); i < n; i++)
			sw_cmd_str(&cmd, w[i]);
		op_send(o, &cmd, op_text);
		return;
	}
	sw_cmd_plain(&cmd, "PING");
	op_send(o, &cmd, unknown_reply);
}

static void remote_rules(struct sw_bus *bus, const char *hash, sw_text_cb cb, void *arg)
{
	struct op *o = op_new(bus, arg);
	char key[160];
	struct sw_cmd cmd;

	o->cb.text = cb;
	(void)snprintf(key, sizeof key, "{sw}:rules:%s", hash);
	sw_cmd_plain(&cmd, "GET");
	sw_cmd_str(&cmd, key);
	op_send(o, &cmd, op_text);
}

/* ---- what Redis is, and being there ---- */

static bool info_word(const char *info, const char *name, char *out, size_t size)
{
	size_t n = strlen(name), len;
	const char *p = info;

	while ((p = strstr(p, name))) {
		if ((p == info || p[-1] == '\n') && p[n] == ':')
			break;
		p += n;
	}
	if (!p)
		return false;
	len = strcspn(p + n + 1, "\r\n");
	(void)snprintf(out, size, "%.*s", (int)SW_MIN(len, size - 1), p + n + 1);
	return true;
}

static void info_reply(void *arg, int r, const struct sw_rep *rep)
{
	struct remote *b = arg;
	const char *s = r == 0 ? sw_rep_str(rep, NULL) : NULL;
	char word[64];

	if (!s)
		return;
	(void)info_word(s, "run_id", b->info.run_id, sizeof b->info.run_id);
	(void)info_word(s, "redis_version", b->info.version, sizeof b->info.version);
	b->info.cluster = info_word(s, "cluster_enabled", word, sizeof word) && word[0] == '1';
	b->info.replica = info_word(s, "role", word, sizeof word) && sw_streq(word, "slave");
	b->info.aof_ok = info_word(s, "aof_last_write_status", word, sizeof word) && sw_streq(word, "ok");
	b->info.maxmemory = info_word(s, "maxmemory", word, sizeof word) ? strtoll(word, NULL, 10) : 0;
	b->info.used_memory = info_word(s, "used_memory", word, sizeof word) ? strtoll(word, NULL, 10) : 0;
	b->info.noeviction = info_word(s, "maxmemory_policy", word, sizeof word) && sw_streq(word, "noeviction");
	b->info.appendonly = info_word(s, "aof_enabled", word, sizeof word) && word[0] == '1';
	if (info_word(s, "loading", word, sizeof word) && word[0] == '1')
		sw_link_drop(b->work, "Redis is still loading its data");
	else if (b->info.cluster)
		sw_link_drop(b->work, "Redis runs as a cluster, which is not supported: use a single Redis, or one behind Sentinel");
	else if (strtol(b->info.version, NULL, 10) < 7)
		sw_link_drop(b->work, "Redis is older than 7.0");
	else if (b->info.replica)
		sw_link_drop(b->work, "Redis is a replica: the address must be that of the master");
}

static void config_reply(void *arg, int r, const struct sw_rep *rep)
{
	struct remote *b = arg;

	b->info.always = false; /* where CONFIG is not allowed nothing can be promised */
	for (size_t i = 0; r == 0 && i + 1 < sw_rep_count(rep); i += 2)
		if (sw_streq(sw_rep_str(sw_rep_at(rep, i), NULL), "appendfsync"))
			b->info.always = sw_streq(sw_rep_str(sw_rep_at(rep, i + 1), NULL), "always");
}

static void ctl_reply(void *arg, int r, const struct sw_rep *rep)
{
	struct remote *b = arg;

	if (r < 0 || sw_rep_count(rep) < 6) {
		if (r < 0 && r != -EIO && r != -ECANCELED && !sw_link_up(b->work))
			sw_link_drop(b->work, sw_client_error(b->client));
		return;
	}
	remote_now_set(b, sw_rep_int(sw_rep_at(rep, 3)));
	b->info.rtt_ms = sw_clock_mono() - b->asked_at;
	b->have_info = true;
	sw_link_ready(b->work); /* nothing if something above wants it dropped, or it is up */
}

/* Asked at every connect and once a minute; the last answer makes the connection ready. */
static void remote_ask(void *arg)
{
	struct remote *b = arg;
	static const char *const keys[] = { "{sw}:work", "{sw}:in" };
	struct sw_cmd cmd;

	b->asked_at = sw_clock_mono();
	sw_cmd_plain(&cmd, "INFO");
	sw_link_send(b->work, &cmd, 0, info_reply, b);
	sw_cmd_plain(&cmd, "CONFIG");
	sw_cmd_str(&cmd, "GET");
	sw_cmd_str(&cmd, "appendfsync");
	sw_link_send(b->work, &cmd, 0, config_reply, b);
	for (size_t i = 0; i < SW_COUNT(keys) && !sw_link_up(b->work); i++) {
		sw_cmd_plain(&cmd, "XGROUP");
		sw_cmd_str(&cmd, "CREATE");
		sw_cmd_str(&cmd, keys[i]);
		sw_cmd_str(&cmd, "w");
		sw_cmd_str(&cmd, "0");
		sw_cmd_str(&cmd, "MKSTREAM");
		sw_link_send(b->work, &cmd, 0, NULL, NULL);
	}
	sw_cmd_script(&cmd, SW_SCRIPT_LOAD);
	sw_cmd_str(&cmd, "ctl-time");
	sw_cmd_int(&cmd, 0);
	sw_cmd_int(&cmd, 0);
	sw_link_send(b->work, &cmd, 0, ctl_reply, b);
	sw_timer_set(&b->minute, SW_MINUTE);
}

static void remote_minute(void *arg)
{
	struct remote *b = arg;

	if (sw_link_up(b->work))
		remote_ask(b);
}

static void remote_state(void *arg, bool up, const char *why)
{
	struct remote *b = arg;

	if (up)
		reader_work_up(b);
	if (b->first)
		sw_loop_defer(b->loop, &b->flush);
	if (b->opt.on_state)
		b->opt.on_state(b->opt.arg, up, why);
}

static void remote_free(struct sw_bus *bus)
{
	struct remote *b = remote_of(bus);
	struct enq_item *it;

	reader_stop(bus);
	sw_timer_stop(&b->minute);
	b->opt.on_state = NULL;
	b->n_enq = 0;
	sw_client_free(b->client);
	while ((it = b->first)) {
		b->first = it->next;
		enq_end(b, it, -ECANCELED, NULL);
	}
	sw_defer_cancel(&b->flush);
	sw_map_fini(&b->reader.known);
	bus_memory_close(&b->memory);
	free(b->enq);
	free(b->reader.consumer);
	free(b);
}

static bool remote_up(const struct sw_bus *bus) { return sw_link_up(((const struct remote *)(const void *)bus)->work); }

static sw_ms remote_now(const struct sw_bus *bus)
{
	const struct remote *b = (const struct remote *)(const void *)bus;

	return b->now ? b->now + (sw_clock_boot() - b->now_boot) : 0;
}

static const struct sw_bus_info *remote_info(const struct sw_bus *bus)
{
	const struct remote *b = (const struct remote *)(const void *)bus;

	return b->have_info ? &b->info : NULL;
}

static const char *remote_error(const struct sw_bus *bus)
{
	return sw_client_error(((const struct remote *)(const void *)bus)->client);
}

static const struct bus_ops remote_ops = {
	.free = remote_free, .up = remote_up, .now = remote_now, .info = remote_info, .error = remote_error,
	.enqueue = remote_enqueue, .drain = remote_drain, .gateway = remote_gateway,
	.read = reader_read, .read_more = reader_more, .read_stop = reader_stop,
	.intake = remote_intake, .load = remote_load, .commit = remote_commit, .append = remote_append,
	.tick = remote_tick, .remember = remote_remember, .trying = remote_trying, .bury = remote_bury, .give_back = remote_give_back,
	.dead_add = remote_dead_add, .hold = remote_hold, .query = remote_query, .rules = remote_rules,
};

int bus_remote_new(struct sw_loop *loop, const struct sw_bus_options *opt, struct sw_bus **ret, struct sw_err *err)
{
	struct remote *b = sw_calloc(1, sizeof *b);
	struct sw_client_options co = { .url = opt->url, .timeout = opt->timeout };
	int r = sw_client_new(loop, &co, &b->client, err);

	if (r < 0) {
		free(b);
		return r;
	}
	b->base.ops = &remote_ops;
	b->loop = loop;
	b->opt = *opt;
	b->opt.url = NULL;
	b->last = &b->first;
	b->flush = (struct sw_defer){ .cb = enq_flush, .arg = b };
	b->memory.fd = -1;
	b->reader.b = b;
	sw_timer_init(&b->minute, loop, remote_minute, b);
	b->work = sw_link_new(b->client, remote_state, remote_ask, b);
	*ret = &b->base;
	return 0;
}
