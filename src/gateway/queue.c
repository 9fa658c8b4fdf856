/*
 * Sources of kind redis-stream: entries of a consumer group become deliveries like those that are posted.
 *
 *   read ─▶ each entry to the store (Redis, or our spool) ─▶ all of them durable ─▶ XACK ─▶ read
 *     ▲                          └─ one was not: pause, then our own again ─────────────┘
 *     ├── our own that were not acknowledged: after each connect, until there are none
 *     ├── new ones, waiting up to 5 s
 *     └── what others left for a minute, looked for every 30 s
 *
 * Invariants
 *  1. An entry is acknowledged only after the store has it, so a crash at any point has it read again: by us under the same name, or by
 *     another gateway.
 *  2. The key of the delivery is the entry's own id, so that what is read twice is taken in once (for 3 days), whoever reads it.
 *  3. Nothing is read while entries are on their way: what is in hand is bounded by one batch.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "bus/redis.h"
#include "gateway/inner.h"
#include "shipwatch/log.h"
#include "shipwatch/mem.h"

#define LOG "gateway/queue"

enum {
	BATCH = 16,                 /* entries read at once; one where they are large: Redis hands them out whole */
	LARGE = 256 * 1024,         /* bytes of an entry, in the mean of a batch */
	RUN_ID_BODY = 64 * 1024,
};
#define BLOCK       5000  /* ms, of a read */
#define TIMEOUT     (5 * SW_SECOND)
#define AGAIN       SW_SECOND
#define REFUSED     (5 * SW_SECOND)
#define SWEEP_EVERY (30 * SW_SECOND)
#define SWEEP_IDLE  60000 /* ms that an entry lies with somebody else before it is taken over */
#define PLAUSIBLE   1262304000000 /* 2010: below it the time in an entry's id is none */

struct queue {
	struct queue *next;
	struct gateway *g;
	struct setup *setup;            /* src is of it */
	const struct sw_conf_source *src;
	struct sw_client *client;
	struct sw_link *link;
	struct sw_timer pause;
	bool closing, up, asking;
	bool group;                     /* it is there */
	bool own;                       /* our own are read until there are none */
	bool failed;                    /* one of this batch did not become durable */
	bool large;                     /* the last batch was of large entries */
	bool alone;                     /* its Redis cannot hand over what others left */
	size_t bytes;                   /* of this batch */
	size_t waiting;                 /* entries with the store */
	sw_dur sweep_at;
	char cursor[48];                /* of the sweep */
	char **acks;
	size_t n_acks, cap_acks;
	char said[256];                 /* trouble told last */
};

struct item {
	struct queue *q;
	struct sw_arena a;
	struct sw_entry_in e;
	char id[SW_ID_SIZE];
	const char *stream_id, *ci_run_id;
	bool keep;                      /* not taken whole: it is left in the stream */
};

static void queue_step(struct queue *q);

static void queue_free(struct queue *q)
{
	struct queue **p = &q->g->queues;

	while (*p != q)
		p = &(*p)->next;
	*p = q->next;
	sw_timer_stop(&q->pause);
	for (size_t i = 0; i < q->n_acks; i++)
		free(q->acks[i]);
	free(q->acks);
	sw_gateway_setup_put(q->setup);
	free(q);
}

static void queue_close(struct queue *q)
{
	if (q->closing)
		return;
	q->closing = true;
	sw_timer_stop(&q->pause);
	sw_client_free(q->client); /* calls under way come back with -ECANCELED */
	q->client = NULL;
	q->link = NULL;
	if (!q->waiting)
		queue_free(q);
}

static void queue_count(struct queue *q, const char *outcome)
{
	const char *const values[] = { q->src->name, "", outcome };

	sw_metric_add(q->g->meters.deliveries, values, 1);
}

/* Once until it changes. */
static void queue_trouble(struct queue *q, const char *what)
{
	if (strcmp(q->said, what) == 0)
		return;
	(void)snprintf(q->said, sizeof q->said, "%s", what);
	SW_WARN(LOG, "source %s: stream %s: %s, trying again", q->src->name, q->src->queue->stream, what);
}

static void queue_pause(struct queue *q, sw_dur how_long)
{
	sw_timer_set(&q->pause, how_long);
}

static void queue_paused(void *arg)
{
	queue_step(arg);
}

/* ---- acknowledging ---- */

static void queue_acked(void *arg, int r, const struct sw_rep *rep)
{
	struct queue *q = arg;

	(void)rep;
	if (r == -ECANCELED)
		return;
	q->asking = false;
	if (r < 0) { /* they are read again, and found to be known */
		q->own = true;
		if (r != -EIO && r != -ENOTCONN)
			queue_trouble(q, sw_client_error(q->client));
		queue_pause(q, AGAIN);
		return;
	}
	queue_step(q);
}

static void queue_words(const struct queue *q, struct sw_cmd *cmd, const char *word, bool group)
{
	sw_cmd_plain(cmd, word);
	sw_cmd_str(cmd, q->src->queue->stream);
	if (group)
		sw_cmd_str(cmd, q->src->queue->group);
	for (size_t i = 0; i < q->n_acks; i++)
		if (group || q->acks[i][0] != '!')
			sw_cmd_str(cmd, q->acks[i] + (q->acks[i][0] == '!'));
}

static void queue_ack(struct queue *q)
{
	struct sw_cmd ack, del;
	size_t n = 0;

	for (size_t i = 0; i < q->n_acks; i++)
		n += q->acks[i][0] != '!';
	queue_words(q, &ack, "XACK", true);
	q->asking = true;
	if (q->src->queue->remove && n) {
		sw_link_send(q->link, &ack, 0, NULL, NULL);
		queue_words(q, &del, "XDEL", false);
		sw_link_send(q->link, &del, 0, queue_acked, q);
	} else {
		sw_link_send(q->link, &ack, 0, queue_acked, q);
	}
	for (size_t i = 0; i < q->n_acks; i++)
		free(q->acks[i]);
	q->n_acks = 0;
}

/* keep: acknowledged, but never deleted. */
static void queue_done(struct queue *q, const char *id, bool keep)
{
	if (q->n_acks == q->cap_acks) {
		q->cap_acks = q->cap_acks ? 2 * q->cap_acks : BATCH;
		q->acks = sw_realloc(q->acks, q->cap_acks * sizeof *q->acks);
	}
	q->acks[q->n_acks] = sw_calloc(1, strlen(id) + 2);
	q->acks[q->n_acks][0] = keep ? '!' : '\0';
	memcpy(q->acks[q->n_acks++] + keep, id, strlen(id));
}

/* A batch is over: what is durable is acknowledged, and the next one read. */
static void queue_settle(struct queue *q)
{
	if (q->waiting)
		return;
	if (q->closing) {
		queue_free(q);
		return;
	}
	if (q->asking)
		return; /* its entries are still being handed out */
	if (q->failed) {
		q->failed = false;
		q->own = true;
		queue_pause(q, AGAIN);
	}
	if (q->n_acks && q->up)
		queue_ack(q);
	else
		queue_step(q);
}

/* ---- an entry ---- */

static void item_stored(void *arg, int r, bool spooled)
{
	struct item *it = arg;
	struct queue *q = it->q;

	sw_log_ids_set(&(struct sw_log_ids){ .event_id = it->id, .delivery = it->stream_id, .ci_run_id = it->ci_run_id });
	if (r < 0) {
		SW_ERROR(LOG, "not taken from %s: %s, it is read again", q->src->name, strerror(-r));
		q->failed = true;
	} else {
		SW_INFO(LOG, "%s from %s: entry %s", r == STORE_DUPLICATE ? "duplicate" : spooled ? "spooled" : "queued", q->src->name, it->stream_id);
		queue_done(q, it->stream_id, it->keep);
	}
	queue_count(q, r < 0 ? "refused" : r == STORE_DUPLICATE ? "duplicate" : spooled ? "spooled" : "queued");
	sw_log_ids_set(NULL);
	sw_arena_fini(&it->a);
	free(it);
	q->waiting--;
	queue_settle(q);
}

/* "ce_id" is "Ce-Id" is "ce-id": bridges have their own ways with names. */
static bool same_name(const char *header, const char *field, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char c = field[i] == '_' ? '-' : field[i] >= 'A' && field[i] <= 'Z' ? (char)(field[i] + 32) : field[i];

		if (!header[i] || header[i] != c)
			return false;
	}
	return header[n] == '\0';
}

static const char *field_text(struct item *it, const struct sw_rep *fields, const char *header)
{
	for (size_t i = 0; i + 1 < sw_rep_count(fields); i += 2) {
		size_t n = 0, k = 0;
		const char *name = sw_rep_str(sw_rep_at(fields, i), &k), *value = sw_rep_str(sw_rep_at(fields, i + 1), &n);

		if (name && value && same_name(header, name, k) && n <= 8192)
			return sw_arena_strndup(&it->a, value, n);
	}
	return NULL;
}

static const char *item_meta(struct item *it, const struct sw_rep *fields, struct sw_request *rq)
{
	const struct sw_source *plugin = it->q->src->plugin;
	const char *const *lists[] = { plugin->headers, plugin->more ? plugin->more(it->q->src->conf) : NULL };
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_header *headers = SW_ARENA_ARRAY(&it->a, struct sw_header, 128);
	const char *type = field_text(it, fields, "content-type"), *semicolon = type ? strchr(type, ';') : NULL;
	struct sw_jw w;

	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_obj(&w, "headers");
	for (size_t k = 0; k < SW_COUNT(lists); k++)
		for (const char *const *name = lists[k]; name && *name && rq->n_headers < 128; name++) {
			const char *value = field_text(it, fields, *name);

			sw_jw_opt(&w, *name, value);
			if (value)
				headers[rq->n_headers++] = (struct sw_header){ *name, value };
		}
	sw_jw_obj_end(&w);
	rq->headers = headers;
	rq->content_type = !type ? "application/json" : semicolon ? sw_arena_strndup(&it->a, type, (size_t)(semicolon - type)) : type;
	sw_jw_str(&w, "content_type", rq->content_type);
	sw_jw_str(&w, "delivery", it->stream_id);
	sw_jw_obj_end(&w);
	return sw_arena_strndup(&it->a, b.p, b.n);
}

/* For the log: which run it is of. */
static void item_run_id(struct item *it, const struct sw_request *rq)
{
	struct gateway *g = it->q->g;
	struct sw_err err;
	struct sw_events evs;

	if (rq->body_n > RUN_ID_BODY)
		return;
	sw_arena_reset(&g->arena);
	sw_events_init(&evs, &g->arena);
	if (it->q->src->plugin->parse(it->q->src->conf, rq, &evs, &err) == 0 && evs.n && evs.items[0].ci_run_id)
		it->ci_run_id = sw_arena_strdup(&it->a, evs.items[0].ci_run_id);
}

/* When it was put into the stream, as its id says: "1790000000000-0". */
static sw_ms item_time(const char *stream_id, sw_ms now)
{
	sw_ms at = strtoll(stream_id, NULL, 10);

	return at >= PLAUSIBLE && at <= now ? at : now;
}

static void queue_entry(struct queue *q, const struct sw_rep *entry)
{
	const char *id = sw_rep_str(sw_rep_at(entry, 0), NULL), *body = NULL;
	const struct sw_rep *fields = sw_rep_at(entry, 1);
	struct item *it;
	struct sw_request rq = { .source = q->src->name };
	size_t n = 0;

	if (!id)
		return;
	if (!sw_rep_count(fields)) { /* deleted from the stream meanwhile */
		queue_done(q, id, true);
		return;
	}
	for (size_t i = 0; i + 1 < sw_rep_count(fields); i += 2)
		if (sw_streq(sw_rep_str(sw_rep_at(fields, i), NULL), q->src->queue->field))
			body = sw_rep_str(sw_rep_at(fields, i + 1), &n);
	it = sw_calloc(1, sizeof *it);
	it->q = q;
	it->stream_id = sw_arena_strdup(&it->a, id);
	/* What cannot be read goes on all the same, empty: it becomes a dead letter, which people can see. */
	if (!body || (int64_t)n > q->setup->cfg->gateway.body_max) {
		SW_WARN(LOG, "source %s: entry %s: %s", q->src->name, id, body ? "the document is larger than body_max" : "there is no such field as `field` says");
		it->keep = true;
		q->bytes += n;
		body = "";
		n = 0;
	}
	q->bytes += n;
	rq.body = body;
	rq.body_n = n;
	rq.arrived = item_time(id, sw_loop_wall(q->g->loop));
	sw_id_new(sw_loop_wall(q->g->loop), it->id);
	it->e = (struct sw_entry_in){ .id = it->id, .source = q->src->name, .kind = q->src->kind, .arrived = rq.arrived, .dedupe_for = 3 * SW_DAY,
		.dedupe = sw_arena_printf(&it->a, "%s %s", q->src->queue->stream, id), .meta = item_meta(it, fields, &rq) };
	item_run_id(it, &rq);
	sw_entry_pack(q->g, &it->a, body, n, &it->e);
	q->waiting++;
	sw_store_put(q->g->store, &it->e, item_stored, it);
}

/* ---- reading ---- */

static void queue_refused(struct queue *q, int r)
{
	const char *why = sw_client_error(q->client);

	if (r == -EIO || r == -ENOTCONN)
		return; /* the connection tells; queue_state goes on */
	if (sw_starts(why, "NOGROUP")) {
		q->group = false;
		queue_pause(q, AGAIN);
		return;
	}
	queue_trouble(q, why);
	queue_pause(q, REFUSED);
}

static size_t queue_entries(struct queue *q, const struct sw_rep *list)
{
	size_t n = sw_rep_count(list);

	q->bytes = 0;
	for (size_t i = 0; i < n; i++)
		queue_entry(q, sw_rep_at(list, i));
	if (n)
		q->large = q->bytes / n > LARGE;
	return n;
}

/* [[stream, [entry, …]]], or nil when nothing came in time. */
static void queue_read_reply(void *arg, int r, const struct sw_rep *rep)
{
	struct queue *q = arg;

	if (r == -ECANCELED)
		return;
	if (r < 0) {
		q->asking = false;
		queue_refused(q, r);
		return;
	}
	q->said[0] = '\0';
	if (!queue_entries(q, sw_rep_at(sw_rep_at(rep, 0), 1)))
		q->own = false;
	q->asking = false;
	queue_settle(q);
}

static void queue_read(struct queue *q)
{
	struct sw_cmd cmd;

	sw_cmd_plain(&cmd, "XREADGROUP");
	sw_cmd_str(&cmd, "GROUP");
	sw_cmd_str(&cmd, q->src->queue->group);
	sw_cmd_str(&cmd, q->g->name);
	sw_cmd_str(&cmd, "COUNT");
	sw_cmd_int(&cmd, q->large ? 1 : BATCH);
	if (!q->own) {
		sw_cmd_str(&cmd, "BLOCK");
		sw_cmd_int(&cmd, BLOCK);
	}
	sw_cmd_str(&cmd, "STREAMS");
	sw_cmd_str(&cmd, q->src->queue->stream);
	sw_cmd_str(&cmd, q->own ? "0" : ">");
	q->asking = true;
	sw_link_send(q->link, &cmd, q->own ? 0 : BLOCK, queue_read_reply, q);
}

/* [next, [entry, …], …]: what is ours now. */
static void queue_swept(void *arg, int r, const struct sw_rep *rep)
{
	struct queue *q = arg;
	const char *next = r == 0 ? sw_rep_str(sw_rep_at(rep, 0), NULL) : NULL;

	if (r == -ECANCELED)
		return;
	q->sweep_at = sw_loop_mono(q->g->loop) + SWEEP_EVERY;
	if (r < 0 && sw_starts(sw_client_error(q->client), "ERR unknown command")) {
		q->alone = true;
		SW_WARN(LOG, "source %s: its Redis is older than 6.2: what a gateway that died had in hand waits for that one", q->src->name);
		q->asking = false;
		queue_step(q);
		return;
	}
	if (r < 0) {
		q->asking = false;
		queue_refused(q, r);
		return;
	}
	(void)snprintf(q->cursor, sizeof q->cursor, "%s", next ? next : "0-0");
	(void)queue_entries(q, sw_rep_at(rep, 1));
	if (strcmp(q->cursor, "0-0") != 0)
		q->sweep_at = 0;
	q->asking = false;
	queue_settle(q);
}

static void queue_sweep(struct queue *q)
{
	struct sw_cmd cmd;

	sw_cmd_plain(&cmd, "XAUTOCLAIM");
	sw_cmd_str(&cmd, q->src->queue->stream);
	sw_cmd_str(&cmd, q->src->queue->group);
	sw_cmd_str(&cmd, q->g->name);
	sw_cmd_int(&cmd, SWEEP_IDLE);
	sw_cmd_str(&cmd, q->cursor);
	sw_cmd_str(&cmd, "COUNT");
	sw_cmd_int(&cmd, q->large ? 1 : BATCH);
	q->asking = true;
	sw_link_send(q->link, &cmd, 0, queue_swept, q);
}

static void queue_grouped(void *arg, int r, const struct sw_rep *rep)
{
	struct queue *q = arg;

	(void)rep;
	if (r == -ECANCELED)
		return;
	q->asking = false;
	if (r < 0 && !sw_starts(sw_client_error(q->client), "BUSYGROUP")) {
		queue_refused(q, r);
		return;
	}
	if (r == 0)
		SW_INFO(LOG, "source %s: made the group %s of stream %s", q->src->name, q->src->queue->group, q->src->queue->stream);
	q->group = true;
	queue_step(q);
}

static void queue_group(struct queue *q)
{
	struct sw_cmd cmd;

	sw_cmd_plain(&cmd, "XGROUP");
	sw_cmd_str(&cmd, "CREATE");
	sw_cmd_str(&cmd, q->src->queue->stream);
	sw_cmd_str(&cmd, q->src->queue->group);
	sw_cmd_str(&cmd, q->src->queue->from ? "$" : "0");
	sw_cmd_str(&cmd, "MKSTREAM");
	q->asking = true;
	sw_link_send(q->link, &cmd, 0, queue_grouped, q);
}

static void queue_step(struct queue *q)
{
	if (q->closing || !q->up || q->asking || q->waiting || sw_timer_armed(&q->pause))
		return;
	if (!q->group)
		queue_group(q);
	else if (!q->own && !q->alone && sw_loop_mono(q->g->loop) >= q->sweep_at)
		queue_sweep(q);
	else
		queue_read(q);
}

static void queue_state(void *arg, bool up, const char *why)
{
	struct queue *q = arg;

	q->up = up;
	sw_queues_gauges(q->g);
	if (!up) {
		SW_WARN(LOG, "source %s: its Redis is away: %s", q->src->name, why ? why : "?");
		return;
	}
	SW_INFO(LOG, "source %s: its Redis is there, reading stream %s", q->src->name, q->src->queue->stream);
	q->own = true;
	q->group = false;
	sw_timer_stop(&q->pause);
	queue_step(q);
}

/* ---- beginning and end ---- */

static void queue_begin(struct gateway *g, const struct sw_conf_source *src)
{
	struct queue *q = sw_calloc(1, sizeof *q);
	struct sw_client_options o = { .url = src->queue->url, .timeout = TIMEOUT, .foreign = true };
	struct sw_err err = SW_ERR_INIT;

	q->g = g;
	q->src = src;
	q->setup = sw_gateway_setup_get(g->setup);
	q->next = g->queues;
	g->queues = q;
	(void)snprintf(q->cursor, sizeof q->cursor, "0-0");
	q->sweep_at = sw_loop_mono(g->loop) + SWEEP_EVERY;
	sw_timer_init(&q->pause, g->loop, queue_paused, q);
	if (sw_client_new(g->loop, &o, &q->client, &err) < 0) {
		SW_ERROR(LOG, "source %s: url: %s; it is not read", src->name, err.text);
		queue_free(q);
		return;
	}
	q->link = sw_link_new(q->client, queue_state, NULL, q);
}

void sw_queues_begin(struct gateway *g)
{
	const struct sw_config *cfg = g->setup->cfg;

	if (g->index != 0)
		return;
	sw_queues_end(g);
	for (size_t i = 0; i < cfg->n_sources; i++)
		if (cfg->sources[i].queue)
			queue_begin(g, &cfg->sources[i]);
}

void sw_queues_end(struct gateway *g)
{
	struct queue *next;

	for (struct queue *q = g->queues; q; q = next) {
		next = q->next;
		queue_close(q);
	}
}

void sw_queues_gauges(struct gateway *g)
{
	for (const struct queue *q = g->queues; q; q = q->next)
		if (!q->closing)
			sw_metric_set(g->meters.stream_up, (const char *const[]){ q->src->name }, q->up);
}
