/*
 * The bus on Redis: entries come in, many in one script.
 *
 * The connections for it are opened with the first entry. Each has at most two calls under way, and what comes in meanwhile goes
 * with the next: the batch grows with the load.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bus/impl.h"

#define ENQ_BATCH 128              /* entries in one script: Lua's unpack and Redis' patience */
#define ENQ_BATCH_BYTES (1 << 20)
#define ENQ_PIPE 2

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

void enqueue_flush(void *arg)
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

void remote_enqueue(struct sw_bus *bus, const struct sw_entry_in *e, sw_enqueue_cb cb, void *arg)
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

void remote_drain(struct sw_bus *bus, const char *gateway, const struct sw_entry_in *e, size_t n, int64_t offset, sw_done_cb cb,
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

void remote_gateway(struct sw_bus *bus, const char *gateway, int64_t spool_bytes, sw_int_cb cb, void *arg)
{
	struct op *o = op_new(bus, arg);
	struct sw_cmd cmd;

	o->cb.number = cb;
	sw_cmd_script(&cmd, SW_SCRIPT_GATEWAY);
	sw_cmd_str(&cmd, gateway);
	sw_cmd_int(&cmd, spool_bytes);
	op_send(o, &cmd, op_number);
}

void enqueue_cancel(struct remote *b)
{
	struct enq_item *it;

	while ((it = b->first)) {
		b->first = it->next;
		enq_end(b, it, -ECANCELED, NULL);
	}
	sw_defer_cancel(&b->flush);
}
