/*
 * The bus on Redis: each operation is one script (scripts/ *.lua); here its arguments are written and its reply is read.
 *
 * One connection works (b->work), on it intake joins many deliveries (taken.c); enqueue has more (enqueue.c); reading has its own (reader.c).
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
#include "shipwatch/log.h"

#define LOG "bus"

#define JOURNAL_BYTES (256LL << 20)

struct op *op_new(struct sw_bus *bus, void *arg)
{
	struct op *o = sw_calloc(1, sizeof *o);

	o->b = remote_of(bus);
	o->arg = arg;
	return o;
}

void op_free(struct op *o)
{
	for (size_t i = 0; i < o->n_ids; i++)
		free(o->ids[i]);
	free(o->ids);
	free(o->word);
	sw_map_fini(&o->names);
	sw_arena_fini(&o->arena);
	free(o);
}

void op_id(struct op *o, const char *id)
{
	o->ids = sw_realloc(o->ids, (o->n_ids + 1) * sizeof *o->ids);
	o->ids[o->n_ids++] = sw_strdup(id);
}

void op_send(struct op *o, struct sw_cmd *cmd, sw_rep_cb cb)
{
	sw_link_send(o->b->work, cmd, 0, cb, o);
}

void op_done(void *arg, int r, const struct sw_rep *rep)
{
	struct op *o = arg;

	if (r == 0)
		for (size_t i = 0; i < o->n_ids; i++)
			reader_done(o->b, o->stream, o->ids[i]);
	if (o->cb.done)
		o->cb.done(o->arg, r < 0 ? r : o->n_ids ? sw_rep_int(rep) != 0 : 0);
	op_free(o);
}

void op_number(void *arg, int r, const struct sw_rep *rep)
{
	struct op *o = arg;

	if (o->cb.number)
		o->cb.number(o->arg, r, r < 0 ? 0 : sw_rep_int(rep));
	op_free(o);
}

void op_text(void *arg, int r, const struct sw_rep *rep)
{
	struct op *o = arg;

	if (o->cb.text)
		o->cb.text(o->arg, r, r < 0 ? NULL : sw_rep_str(rep, NULL));
	op_free(o);
}

void remote_now_set(struct remote *b, sw_ms now)
{
	b->now = now;
	b->now_boot = sw_clock_boot();
}

/* ---- work ---- */

void put_tells(struct sw_cmd *cmd, const struct sw_tell *t, size_t n)
{
	sw_cmd_int(cmd, (int64_t)n);
	for (size_t i = 0; i < n; i++) {
		sw_cmd_str(cmd, t[i].aggregate);
		sw_cmd_str(cmd, t[i].msg);
	}
}

void put_keeps(struct sw_cmd *cmd, const struct sw_keep *k, size_t n)
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

/* How many entries of the journal are about 256 MiB, by the mean size of what this process writes. */
int64_t remote_journal_max(struct remote *b, const char *journal)
{
	int64_t n = journal ? (int64_t)strlen(journal) + 64 : 0;

	if (n)
		b->journal_mean = b->journal_mean ? (b->journal_mean * 63 + n) / 64 : n;
	return SW_MAX(JOURNAL_BYTES / SW_MAX(b->journal_mean, (int64_t)256), (int64_t)1000);
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

	if (r == 0 && sw_rep_count(rep) != 6)
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
		c.calls = sw_rep_int(sw_rep_at(rep, 5));
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
	sw_cmd_str(&cmd, c->journal);
	sw_cmd_int(&cmd, remote_journal_max(o->b, c->journal));
	sw_cmd_str(&cmd, c->fails_add);
	sw_cmd_str(&cmd, c->fails_del);
	sw_cmd_str(&cmd, c->rules_hash);
	sw_cmd_mem(&cmd, c->rules_source ? c->rules_source : "", c->rules_source ? c->rules_source_n : 0);
	sw_cmd_str(&cmd, c->start_action);
	sw_cmd_str(&cmd, c->start_place);
	sw_cmd_str(&cmd, c->pace_credential);
	sw_cmd_int(&cmd, c->pace_count);
	sw_cmd_int(&cmd, c->pace_per);
	sw_cmd_int(&cmd, c->pace_calm);
	sw_cmd_int(&cmd, c->pace_month);
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

static void rewrite_reply(void *arg, int r, const struct sw_rep *rep)
{
	struct remote *b = arg;

	(void)rep;
	if (r < 0)
		SW_WARN(LOG, "Redis was started anew and does not rewrite its append-only file (BGREWRITEAOF): %s",
		        r == -EIO || r == -ENOTCONN || r == -ECANCELED ? "not reached" : sw_client_error(b->client));
}

/*
 * Redis started again on a file that ended within a write has cut it behind the last whole command (7.0, aof-load-truncated yes):
 * of a script, written as a transaction, half is left in the file, though not in memory, and the start after the next would run it.
 * A file written anew has no such end.
 */
static void remote_rewrite(struct remote *b)
{
	struct sw_cmd cmd;

	sw_cmd_plain(&cmd, "BGREWRITEAOF");
	sw_link_send(b->work, &cmd, 0, rewrite_reply, b);
}

static void tick_reply(void *arg, int r, const struct sw_rep *rep)
{
	struct op *o = arg;
	struct remote *b = o->b;
	struct sw_tick t = { 0 };
	int64_t *numbers[] = { &t.now, &t.next_due, &t.moved, &t.in_n, &t.work_n, &t.dead_n, &t.in_oldest };

	if (r == 0 && sw_rep_count(rep) != 14)
		r = -EPROTO;
	if (r == 0) {
		for (size_t i = 0; i < SW_COUNT(numbers); i++)
			*numbers[i] = sw_rep_int(sw_rep_at(rep, i));
		t.held = sw_rep_int(sw_rep_at(rep, 7)) != 0;
		t.rewound = sw_rep_int(sw_rep_at(rep, 8)) != 0;
		bus_memory_note(&b->memory, sw_rep_str(sw_rep_at(rep, 9), NULL), sw_rep_int(sw_rep_at(rep, 10)));
		t.gone = sw_rep_int(sw_rep_at(rep, 12));
		b->tick_now = t.now;
		b->tick_boot = sw_clock_boot();
		remote_now_set(b, t.now);
		reader_sweep(b, sw_rep_int(sw_rep_at(rep, 11)) > 0);
		if (sw_rep_int(sw_rep_at(rep, 13)))
			remote_rewrite(b);
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
	sw_cmd_int(&cmd, BUS_TICK_MOVES);
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

static void remote_dead_end(struct sw_bus *bus, const char *id, bool again, const struct sw_decider *by, sw_int_cb cb, void *arg)
{
	struct op *o = op_new(bus, arg);
	struct sw_cmd cmd;

	o->cb.number = cb;
	sw_cmd_script(&cmd, SW_SCRIPT_DEAD_END);
	sw_cmd_str(&cmd, id);
	sw_cmd_int(&cmd, again);
	sw_cmd_str(&cmd, by ? by->who : NULL);
	sw_cmd_str(&cmd, by ? by->via : NULL);
	op_send(o, &cmd, op_number);
}

static void remote_hold(struct sw_bus *bus, const char *scope, bool on, const struct sw_decider *by, const char *why, sw_done_cb cb, void *arg)
{
	struct op *o = op_new(bus, arg);
	struct sw_cmd cmd;

	o->cb.done = cb;
	sw_cmd_script(&cmd, SW_SCRIPT_HOLD);
	sw_cmd_str(&cmd, scope);
	sw_cmd_int(&cmd, on);
	sw_cmd_str(&cmd, by->who);
	sw_cmd_str(&cmd, why);
	sw_cmd_str(&cmd, by->via);
	op_send(o, &cmd, op_done);
}

/* ---- being there ---- */

static void remote_minute(void *arg)
{
	struct remote *b = arg;

	if (sw_link_up(b->work))
		info_ask(b);
}

static void remote_state(void *arg, bool up, const char *why)
{
	struct remote *b = arg;

	b->info.masters = sw_link_masters(b->work);
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

	reader_stop(bus);
	sw_timer_stop(&b->minute);
	b->opt.on_state = NULL;
	b->n_enq = 0;
	sw_client_free(b->client);
	enqueue_cancel(b);
	intake_cancel(b);
	journal_cancel(b);
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
	.read = reader_read, .read_more = reader_more, .read_end = reader_end, .read_stop = reader_stop,
	.intake = remote_intake, .load = remote_load, .commit = remote_commit, .append = remote_append,
	.tick = remote_tick, .remember = remote_remember, .trying = remote_trying, .bury = remote_bury, .give_back = remote_give_back,
	.dead_add = remote_dead_add, .dead_end = remote_dead_end, .hold = remote_hold, .query = remote_query, .rules = remote_rules,
	.journal = remote_journal,
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
	b->flush = (struct sw_defer){ .cb = enqueue_flush, .arg = b };
	b->intakes = (struct intake_list){ .last = &b->intakes.first, .flush = { .cb = intake_flush, .arg = b } };
	b->memory.fd = -1;
	b->reader.b = b;
	journal_init(b);
	sw_timer_init(&b->minute, loop, remote_minute, b);
	b->work = sw_link_new(b->client, remote_state, info_ask, b);
	*ret = &b->base;
	return 0;
}
