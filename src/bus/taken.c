/*
 * The bus on Redis: raw entries are done, many in one script.
 *
 * What a worker takes in during one turn of the loop goes together. Redis refuses a script whole, so when something is wrong with
 * one of them (a key of ours holds another type) each goes once more alone, and only the wrong one is refused.
 */
#include <errno.h>
#include <stdlib.h>

#include "bus/impl.h"

#define TAKEN_BATCH 64
#define TAKEN_BATCH_ARGS 4000      /* Lua's unpack and Redis' patience; a single entry may have more */
#define TAKEN_BATCH_BYTES (1 << 20)

struct taken {
	struct taken *next;
	struct sw_cmd args;
	char *id;
	sw_done_cb cb;
	void *arg;
};

struct taken_batch { struct remote *b; size_t n; struct taken *items[TAKEN_BATCH]; };

static void taken_end(struct taken *t, int r)
{
	if (t->cb)
		t->cb(t->arg, r);
	sw_buf_fini(&t->args.b);
	free(t->id);
	free(t);
}

static void taken_send(struct taken_batch *batch);

static struct taken_batch *taken_batch(struct remote *b)
{
	struct taken_batch *batch = sw_malloc(sizeof *batch);

	batch->b = b;
	batch->n = 0;
	return batch;
}

static void taken_reply(void *arg, int r, const struct sw_rep *rep)
{
	struct taken_batch *batch = arg;
	struct remote *b = batch->b;

	if (r == 0 && sw_rep_count(rep) != batch->n)
		r = -EPROTO;
	for (size_t i = 0; i < batch->n; i++) {
		struct taken *t = batch->items[i];

		if (batch->n > 1 && (r == -EBADMSG || r == -EPROTO)) {
			struct taken_batch *alone = taken_batch(b);

			alone->items[alone->n++] = t;
			taken_send(alone);
			continue;
		}
		if (r == 0)
			reader_done(b, SW_STREAM_IN, t->id);
		taken_end(t, r < 0 ? r : sw_rep_int(sw_rep_at(rep, i)) != 0);
	}
	free(batch);
}

static void taken_send(struct taken_batch *batch)
{
	struct sw_cmd cmd;
	size_t bytes = 0;

	for (size_t i = 0; i < batch->n; i++)
		bytes += batch->items[i]->args.b.n;
	sw_cmd_script(&cmd, SW_SCRIPT_INTAKE);
	sw_buf_reserve(&cmd.b, bytes + 64);
	sw_cmd_int(&cmd, (int64_t)batch->n);
	sw_cmd_int(&cmd, remote_journal_max(batch->b, NULL));
	for (size_t i = 0; i < batch->n; i++)
		sw_cmd_join(&cmd, &batch->items[i]->args);
	sw_link_send(batch->b->work, &cmd, 0, taken_reply, batch);
}

void intake_flush(void *arg)
{
	struct remote *b = arg;
	struct intake_list *l = &b->intakes;

	while (l->first) {
		struct taken_batch *batch = taken_batch(b);
		size_t bytes = 0, args = 0;

		while (l->first && batch->n < TAKEN_BATCH && bytes < TAKEN_BATCH_BYTES &&
		       (batch->n == 0 || args + l->first->args.argc <= TAKEN_BATCH_ARGS)) {
			struct taken *t = l->first;

			l->first = t->next;
			bytes += t->args.b.n;
			args += t->args.argc;
			batch->items[batch->n++] = t;
		}
		if (!l->first)
			l->last = &l->first;
		taken_send(batch);
	}
}

void remote_intake(struct sw_bus *bus, const struct sw_intake *in, sw_done_cb cb, void *arg)
{
	struct remote *b = remote_of(bus);
	struct taken *t = sw_calloc(1, sizeof *t);

	t->cb = cb;
	t->arg = arg;
	t->id = sw_strdup(in->id);
	sw_cmd_str(&t->args, in->id);
	sw_cmd_str(&t->args, in->journal);
	(void)remote_journal_max(b, in->journal);
	put_tells(&t->args, in->facts, in->n_facts);
	put_keeps(&t->args, in->keeps, in->n_keeps);
	*b->intakes.last = t;
	b->intakes.last = &t->next;
	sw_loop_defer(b->loop, &b->intakes.flush);
}

void intake_cancel(struct remote *b)
{
	struct taken *t;

	while ((t = b->intakes.first)) {
		b->intakes.first = t->next;
		taken_end(t, -ECANCELED);
	}
	sw_defer_cancel(&b->intakes.flush);
}
