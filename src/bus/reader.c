/*
 * Reading for the bus on Redis: blocking reads on a connection of their own, sweeps for what others left, bodies from beside.
 *
 *   blocking read ─┐
 *   sweep ─────────┴─▶ held ─(wanted?)─▶ bodies fetched, inflated ─▶ the worker ─▶ known until done
 *
 * Invariants
 *  1. An entry is in `known` from the moment it is held until it is done, and is never held twice.
 *  2. An entry that Redis gave to our name but whose reply was lost is in no `known`: a sweep of our own name finds it. It runs at
 *     the start (then these are of our former life: reclaimed), when the connection came back, and every 30 s.
 *  3. The worker is called only from the end of a turn, never from within a reply, so it may stop reading there.
 *  4. An end is exact: the read under way is ended by Redis (CLIENT UNBLOCK) and its reply awaited, so no entry is given to a reader
 *     that is gone. The last call of the worker says so.
 *  5. Of inflated bodies at most 64 MiB are handed out at once (one body at least); the rest stays as it was kept.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "bus/impl.h"
#include "bus/pack.h"
#include "shipwatch/clock.h"

#define READER_BLOCK (5 * SW_SECOND)
#define READER_INFLATED (64LL << 20)
#define READER_OWN_EVERY (30 * SW_SECOND)

struct held {
	struct held *next;
	struct reader *reader;         /* NULL: let go of while its body was asked for */
	enum sw_stream stream;
	bool reclaimed, beside, asked, missing;
	char *id, *aggregate, *msg, *own_id, *source, *kind, *meta;
	struct sw_buf body;            /* as kept */
	int64_t raw_n;
	sw_ms arrived;
};

static void held_free(struct held *h)
{
	free(h->id);
	free(h->aggregate);
	free(h->msg);
	free(h->own_id);
	free(h->source);
	free(h->kind);
	free(h->meta);
	sw_buf_fini(&h->body);
	free(h);
}

static void reader_tag(char out[80], enum sw_stream s, const char *id)
{
	(void)snprintf(out, 80, "%c:%s", s == SW_STREAM_WORK ? 'w' : 'i', id);
}

static void reader_pump_later(struct reader *r)
{
	if (r->link)
		sw_loop_defer(r->b->loop, &r->later);
}

/* One field of an entry, by its short name in the stream. */
static void held_field(struct held *h, const char *name, const char *value, size_t n)
{
	struct { char name; char **to; } texts[] = {
		{ 'm', h->stream == SW_STREAM_WORK ? &h->msg : &h->meta }, { 'i', &h->own_id }, { 's', &h->source }, { 'k', &h->kind },
	};

	for (size_t i = 0; i < SW_COUNT(texts); i++)
		if (name[0] == texts[i].name) {
			free(*texts[i].to);
			*texts[i].to = sw_strndup(value, n);
		}
	if (name[0] == 'a' && h->stream == SW_STREAM_WORK) {
		free(h->aggregate);
		h->aggregate = sw_strndup(value, n);
	} else if (name[0] == 'a') {
		h->arrived = strtoll(value, NULL, 10);
	} else if (name[0] == 'n') {
		h->raw_n = strtoll(value, NULL, 10);
	} else if (name[0] == 'b') {
		h->beside = false;
		sw_buf_catn(&h->body, value, n);
	}
}

/* fields: `count` names and values, from index `at` of list. Skips what we have already. */
static void reader_hold(struct reader *r, enum sw_stream s, const char *id, bool reclaimed, const struct sw_rep *list, size_t at, size_t count)
{
	struct held *h;
	char tag[80];

	if (!id)
		return;
	reader_tag(tag, s, id);
	if (sw_map_get(&r->known, tag))
		return;
	(void)sw_map_set(&r->known, tag, r);
	h = sw_calloc(1, sizeof *h);
	*h = (struct held){ .reader = r, .stream = s, .reclaimed = reclaimed, .id = sw_strdup(id), .raw_n = -1, .beside = s == SW_STREAM_IN };
	for (size_t i = 0; i + 1 < count; i += 2) {
		size_t n;
		const char *name = sw_rep_str(sw_rep_at(list, at + i), NULL), *value = sw_rep_str(sw_rep_at(list, at + i + 1), &n);

		if (name && value)
			held_field(h, name, value, n);
	}
	*r->last = h;
	r->last = &h->next;
}

/* ---- handing out ---- */

static void reader_body_reply(void *arg, int r, const struct sw_rep *rep)
{
	struct held *h = arg;
	struct reader *rd = h->reader;
	size_t n;
	const char *body;

	if (!rd) {
		held_free(h);
		return;
	}
	rd->fetching--;
	h->asked = false;
	if (r == 0) {
		h->beside = false;
		body = sw_rep_str(rep, &n);
		if (body)
			sw_buf_catn(&h->body, body, n);
		else
			h->missing = true;
	}
	reader_pump_later(rd);
}

static void reader_fetch(struct reader *r, struct held *h)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf key = SW_BUF_INIT;
	struct sw_cmd cmd;

	sw_buf_printf(&key, "{sw}:body:%s", h->id);
	sw_cmd_plain(&cmd, "GET");
	sw_cmd_str(&cmd, sw_buf_str(&key));
	h->asked = true;
	r->fetching++;
	sw_link_send(r->b->work, &cmd, 0, reader_body_reply, h);
}

/* How many from the head go out together; asks for bodies that are not here yet (then 0). */
static size_t reader_portion(struct reader *r)
{
	int64_t bytes = 0;
	size_t n = 0;
	bool wait = false;

	for (struct held *h = r->first; h; h = h->next, n++) {
		int64_t size = SW_MAX(h->raw_n, (int64_t)h->body.n);

		if (n && bytes + size > READER_INFLATED)
			break;
		bytes += size;
		if (h->beside) {
			wait = true;
			if (!h->asked && sw_link_up(r->b->work))
				reader_fetch(r, h);
		}
	}
	return wait ? 0 : n;
}

static void held_entry(struct held *h, struct sw_entry *e, struct sw_buf *inflated)
{
	int r;

	*e = (struct sw_entry){ .stream = h->stream, .id = h->id, .reclaimed = h->reclaimed };
	if (h->stream == SW_STREAM_WORK) {
		e->aggregate = h->aggregate ? h->aggregate : "";
		e->msg = h->msg ? h->msg : "";
		return;
	}
	e->own_id = h->own_id ? h->own_id : "";
	e->source = h->source ? h->source : "";
	e->kind = h->kind ? h->kind : "";
	e->meta = h->meta ? h->meta : "{}";
	e->arrived = h->arrived;
	e->body = sw_buf_str(&h->body);
	e->body_n = h->body.n;
	if (h->missing) {
		e->broken = "the body is not there any more";
	} else if (h->raw_n >= 0) {
		r = sw_pack_inflate(h->body.p, h->body.n, h->raw_n, BUS_RAW_MAX, inflated);
		e->broken = r == -EFBIG ? "the body is larger than anything we take" : r < 0 ? "the body cannot be inflated" : NULL;
		e->body = sw_buf_str(inflated);
		e->body_n = r < 0 ? 0 : inflated->n;
	}
}

static void reader_deliver(struct reader *r, size_t n)
{
	struct sw_entry *entries = sw_calloc(n, sizeof *entries);
	struct sw_buf *inflated = sw_calloc(n, sizeof *inflated);
	struct held *h = r->first, *next;

	for (size_t i = 0; i < n; i++, h = h->next)
		held_entry(h, &entries[i], &inflated[i]);
	h = r->first;
	for (size_t i = 0; i < n; i++)
		r->first = r->first->next;
	if (!r->first)
		r->last = &r->first;
	r->wanting = false;
	r->cb(r->arg, entries, n);
	for (size_t i = 0; i < n; i++, h = next) {
		next = h->next;
		sw_buf_fini(&inflated[i]);
		held_free(h);
	}
	free(inflated);
	free(entries);
}

/* ---- asking ---- */

static void reader_read_reply(void *arg, int r, const struct sw_rep *rep)
{
	struct reader *rd = arg;

	rd->asking = false;
	for (size_t i = 0; r == 0 && i < sw_rep_count(rep); i++) {
		const struct sw_rep *stream = sw_rep_at(rep, i), *list = sw_rep_at(stream, 1);
		const char *key = sw_rep_str(sw_rep_at(stream, 0), NULL);
		enum sw_stream s = sw_streq(key, "{sw}:in") ? SW_STREAM_IN : SW_STREAM_WORK;

		for (size_t k = 0; k < sw_rep_count(list); k++) {
			const struct sw_rep *e = sw_rep_at(list, k), *fields = sw_rep_at(e, 1);

			reader_hold(rd, s, sw_rep_str(sw_rep_at(e, 0), NULL), false, fields, 0, sw_rep_count(fields));
		}
	}
	if (r < 0 && r != -EIO && r != -ENOTCONN && r != -ECANCELED)
		sw_timer_set(&rd->pause, SW_SECOND / 2); /* refused: not at once again */
	else
		reader_pump_later(rd);
}

static void reader_unblock(struct reader *r)
{
	struct sw_cmd cmd;

	if (!r->asking || !r->client_id || !sw_link_up(r->b->work))
		return;
	sw_cmd_plain(&cmd, "CLIENT");
	sw_cmd_str(&cmd, "UNBLOCK");
	sw_cmd_int(&cmd, r->client_id);
	sw_link_send(r->b->work, &cmd, 0, NULL, NULL);
}

static void reader_id_reply(void *arg, int r, const struct sw_rep *rep)
{
	struct reader *rd = arg;

	rd->client_id = r == 0 ? sw_rep_int(rep) : 0;
	if (rd->ending)
		reader_unblock(rd);
}

static void reader_ask(struct reader *r)
{
	struct sw_cmd cmd;

	sw_cmd_plain(&cmd, "XREADGROUP");
	sw_cmd_str(&cmd, "GROUP");
	sw_cmd_str(&cmd, "w");
	sw_cmd_str(&cmd, r->consumer);
	sw_cmd_str(&cmd, "COUNT");
	sw_cmd_int(&cmd, r->count);
	sw_cmd_str(&cmd, "BLOCK");
	sw_cmd_int(&cmd, READER_BLOCK);
	sw_cmd_str(&cmd, "STREAMS");
	sw_cmd_str(&cmd, "{sw}:work");
	sw_cmd_str(&cmd, "{sw}:in");
	sw_cmd_str(&cmd, ">");
	sw_cmd_str(&cmd, ">");
	r->asking = true;
	sw_link_send(r->link, &cmd, READER_BLOCK, reader_read_reply, r);
}

static void reader_claim_reply(void *arg, int r, const struct sw_rep *rep)
{
	struct reader *rd = arg;
	size_t n = r == 0 ? sw_rep_count(rep) : 0, count, entries = 0;
	bool all;

	rd->claiming = false;
	if (!rd->link)
		return;
	for (size_t i = 0; i + 4 <= n; i += 4 + count) {
		const char *tag = sw_rep_str(sw_rep_at(rep, i), NULL);
		bool other = sw_rep_int(sw_rep_at(rep, i + 2)) != 0;

		count = (size_t)sw_rep_int(sw_rep_at(rep, i + 3));
		if (!tag || i + 4 + count > n)
			break;
		reader_hold(rd, tag[0] == 'w' ? SW_STREAM_WORK : SW_STREAM_IN, sw_rep_str(sw_rep_at(rep, i + 1), NULL),
		            other || !rd->began, rep, i + 4, count);
		entries++;
	}
	all = entries < rd->count; /* else there may be more: once these are handed out */
	if (r == 0)
		rd->left = !all;
	if (r == 0 && rd->own && all) {
		rd->began = true;
		rd->history = rd->own = rd->own_due = false;
		rd->own_at = sw_clock_mono();
	}
	if (r < 0 && r != -EIO && r != -ENOTCONN && r != -ECANCELED)
		sw_timer_set(&rd->pause, SW_SECOND / 2);
	else
		reader_pump_later(rd);
}

static void reader_claim(struct reader *r, bool own)
{
	struct sw_map_entry *e;
	struct sw_cmd cmd;

	sw_cmd_script(&cmd, SW_SCRIPT_RECLAIM);
	sw_cmd_str(&cmd, r->consumer);
	sw_cmd_int(&cmd, r->count);
	sw_cmd_str(&cmd, own ? "m" : "o");
	for (size_t i = 0; own && (e = sw_map_next(&r->known, &i));)
		sw_cmd_str(&cmd, e->key);
	r->claiming = true;
	r->own = own;
	sw_link_send(r->b->work, &cmd, 0, reader_claim_reply, r);
}

/* Nothing more can come: others need not wait until we are silent. */
static void reader_ended(struct reader *r)
{
	sw_read_cb cb = r->cb;
	void *arg = r->arg;

	reader_stop(&r->b->base);
	cb(arg, NULL, 0);
}

static void reader_pump(void *arg)
{
	struct reader *r = arg;
	size_t n;

	if (!r->link)
		return;
	if (r->ending && !r->first) {
		if (!r->asking && !r->claiming)
			reader_ended(r);
		return;
	}
	r->wanting |= r->ending;
	if ((!r->began || r->history || ((r->left || r->own_due) && r->wanting)) && !r->first && !r->claiming && sw_link_up(r->b->work) &&
	    !sw_timer_armed(&r->pause)) {
		reader_claim(r, !r->began || r->history || r->own_due);
		return;
	}
	if (!r->wanting)
		return;
	if (r->first) {
		n = r->fetching ? 0 : reader_portion(r);
		if (n)
			reader_deliver(r, n);
		if (r->ending)
			reader_pump_later(r);
	} else if (r->began && !r->history && !r->asking && sw_link_up(r->link) && !sw_timer_armed(&r->pause)) {
		reader_ask(r);
	}
}

static void reader_state(void *arg, bool up, const char *why)
{
	struct reader *r = arg;

	struct sw_cmd cmd;

	(void)why;
	r->client_id = 0;
	if (up) {
		sw_cmd_plain(&cmd, "CLIENT");
		sw_cmd_str(&cmd, "ID");
		sw_link_send(r->link, &cmd, 0, reader_id_reply, r);
	} else if (r->began) {
		r->history = true;
	}
	if (up || r->ending)
		reader_pump_later(r);
}

/* ---- the doors ---- */

void reader_read(struct sw_bus *bus, const char *consumer, unsigned count, sw_read_cb cb, void *arg)
{
	struct remote *b = remote_of(bus);
	struct reader *r = &b->reader;

	SW_ASSERT(!r->link);
	free(r->consumer);
	r->consumer = sw_strdup(consumer);
	r->count = count;
	r->cb = cb;
	r->arg = arg;
	r->wanting = true;
	r->began = r->history = r->asking = r->left = r->own_due = r->ending = false;
	r->last = &r->first;
	r->later = (struct sw_defer){ .cb = reader_pump, .arg = r };
	sw_timer_init(&r->pause, b->loop, reader_pump, r);
	r->link = sw_link_new(b->client, reader_state, NULL, r);
}

void reader_more(struct sw_bus *bus)
{
	struct reader *r = &remote_of(bus)->reader;

	r->wanting = true;
	reader_pump_later(r);
}

void reader_end(struct sw_bus *bus)
{
	struct reader *r = &remote_of(bus)->reader;

	if (!r->link || r->ending)
		return;
	r->ending = true;
	reader_unblock(r);
	reader_pump_later(r);
}

void reader_stop(struct sw_bus *bus)
{
	struct remote *b = remote_of(bus);
	struct reader *r = &b->reader;
	struct sw_link *link = SW_TAKE(r->link);
	struct sw_cmd cmd;
	struct held *h;

	if (!link)
		return;
	sw_defer_cancel(&r->later);
	sw_timer_stop(&r->pause);
	sw_link_free(link);
	sw_defer_cancel(&r->later);
	sw_timer_stop(&r->pause);
	while ((h = r->first)) {
		r->first = h->next;
		if (h->asked)
			h->reader = NULL; /* its reply frees it */
		else
			held_free(h);
	}
	r->last = &r->first;
	r->fetching = 0;
	sw_map_fini(&r->known);
	r->known = (struct sw_map)SW_MAP_INIT;
	if (sw_link_up(b->work)) { /* so that the others need not wait until we are silent */
		sw_cmd_script(&cmd, SW_SCRIPT_LEAVE);
		sw_cmd_str(&cmd, "c");
		sw_cmd_str(&cmd, r->consumer);
		sw_link_send(b->work, &cmd, 0, NULL, NULL);
	}
}

void reader_sweep(struct remote *b, bool left)
{
	struct reader *r = &b->reader;

	/* Not at once while the worker has enough (what it cannot begin soon is better with somebody else), but never forgotten: the
	 * tick that tells of it often has moved a timer, so at this moment the worker often has something. */
	r->left |= left;
	r->own_due |= r->began && sw_clock_mono() - r->own_at >= READER_OWN_EVERY;
	reader_pump_later(r);
}

void reader_work_up(struct remote *b) { reader_pump_later(&b->reader); }

void reader_done(struct remote *b, enum sw_stream s, const char *id)
{
	char tag[80];

	reader_tag(tag, s, id);
	(void)sw_map_del(&b->reader.known, tag);
}
