/* The bus in memory: entries come in, each once, and are read. See scripts/enqueue.lua and reclaim.lua. */
#include "bus/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "bus/pack.h"

#define MEM_H6 (6 * SW_HOUR)
#define MEM_WINDOW (3 * SW_DAY)

static void mem_run_enqueue(struct mem_late *l)
{
	if (l->cb.enqueue)
		l->cb.enqueue(l->arg, l->r, l->text);
}

static void mem_key(char out[64], int64_t bucket, const unsigned char d[BUS_DIGEST])
{
	int n = snprintf(out, 64, "%lld:", (long long)bucket);

	for (size_t i = 0; i < BUS_DIGEST; i++)
		n += snprintf(out + n, (size_t)(64 - n), "%02x", d[i]);
}

static bool mem_seen(struct mem *m, const unsigned char d[BUS_DIGEST], sw_dur window)
{
	char key[64];
	sw_ms now = mem_now(m);

	for (int64_t b = (now - window) / MEM_H6; b <= now / MEM_H6; b++) {
		mem_key(key, b, d);
		if (sw_map_get(&m->seen, key))
			return true;
	}
	return false;
}

static sw_ms *mem_time_expires(void *p) { return &((struct mem_time *)p)->expires; }

static bool mem_duplicate(struct mem *m, const struct sw_entry_in *e, const unsigned char d[BUS_DIGEST], const unsigned char own[BUS_DIGEST])
{
	struct mem_time *t;
	char key[64];

	if (e->dedupe_for >= MEM_H6)
		return mem_seen(m, d, SW_MIN(e->dedupe_for, MEM_WINDOW));
	if (mem_seen(m, own, MEM_WINDOW))
		return true;
	mem_key(key, 0, d);
	t = e->dedupe_for > 0 ? mem_live(m, &m->once, key, mem_time_expires, free) : NULL;
	return t && llabs(e->arrived - t->at) < e->dedupe_for;
}

static int64_t mem_size(const struct sw_entry_in *e) { return (int64_t)(e->body_n + strlen(e->meta) + 128); }

/* Takes it in, or answers SW_ENQ_*. */
static int mem_take(struct mem *m, const struct sw_entry_in *in, const char **ret_id)
{
	unsigned char d[BUS_DIGEST], own[BUS_DIGEST];
	struct mem_time *t;
	struct mem_entry *e;
	char key[64];

	bus_digest(in->source, in->dedupe, d);
	bus_digest("", in->id, own);
	if (mem_duplicate(m, in, d, own))
		return SW_ENQ_DUPLICATE;
	if (m->in_bytes + mem_size(in) > m->opt.in_max_bytes)
		return SW_ENQ_FULL;
	m->in_bytes += mem_size(in);
	e = mem_add(m, SW_STREAM_IN);
	e->own_id = sw_strdup(in->id);
	e->source = sw_strdup(in->source);
	e->kind = sw_strdup(in->kind);
	e->meta = sw_strdup(in->meta);
	e->body = sw_malloc(in->body_n + 1);
	if (in->body_n)
		memcpy(e->body, in->body, in->body_n);
	((char *)e->body)[in->body_n] = 0;
	e->body_n = in->body_n;
	e->raw_n = in->raw_n;
	e->arrived = in->arrived;
	mem_key(key, mem_now(m) / MEM_H6, in->dedupe_for >= MEM_H6 ? d : own);
	(void)mem_time(&m->seen, key);
	if (in->dedupe_for > 0 && in->dedupe_for < MEM_H6) {
		mem_key(key, 0, d);
		t = mem_time(&m->once, key);
		t->at = in->arrived;
		t->expires = mem_now(m) + in->dedupe_for;
	}
	*ret_id = e->id;
	return SW_ENQ_QUEUED;
}

void mem_enqueue(struct sw_bus *bus, const struct sw_entry_in *e, sw_enqueue_cb cb, void *arg)
{
	struct mem *m = mem_of(bus);
	const char *id = NULL;
	int r = mem_take(m, e, &id);
	struct mem_late *l = mem_late(m, mem_run_enqueue, arg, r);

	l->cb.enqueue = cb;
	l->text = sw_arena_strdup(&l->arena, id);
}

void mem_drain(struct sw_bus *bus, const char *gateway, const struct sw_entry_in *e, size_t n, int64_t offset, sw_done_cb cb, void *arg)
{
	struct mem *m = mem_of(bus);
	struct mem_time *spool = sw_map_get(&m->spools, gateway);
	int64_t bytes = m->in_bytes;
	const char *id;
	bool full = false;

	if (spool && spool->n >= offset) {
		mem_reply(m, 0, cb, arg);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		unsigned char d[BUS_DIGEST], own[BUS_DIGEST];

		bus_digest(e[i].source, e[i].dedupe, d);
		bus_digest("", e[i].id, own);
		if (!mem_duplicate(m, &e[i], d, own))
			full |= (bytes += mem_size(&e[i])) > m->opt.in_max_bytes;
	}
	for (size_t i = 0; i < n && !full; i++)
		(void)mem_take(m, &e[i], &id);
	if (!full)
		mem_time(&m->spools, gateway)->n = offset;
	mem_reply(m, full ? -ENOMEM : 0, cb, arg);
}

void mem_gateway(struct sw_bus *bus, const char *gateway, int64_t spool_bytes, sw_int_cb cb, void *arg)
{
	struct mem *m = mem_of(bus);
	struct mem_time *t = mem_time(&m->gateways, gateway), *at = sw_map_get(&m->spools, gateway);
	struct mem_late *l = mem_late(m, mem_run_number, arg, 0);
	struct sw_map_entry *e;

	t->at = mem_now(m);
	t->n = spool_bytes;
	for (size_t i = 0; (e = sw_map_next(&m->gateways, &i));)
		if (((struct mem_time *)e->value)->at < mem_now(m) - 30 * SW_SECOND)
			free(sw_map_del(&m->gateways, e->key));
	l->number = at ? at->n : -1;
	l->cb.number = cb;
}

/* ---- reading ---- */

static bool mem_silent(struct mem *m, const char *consumer)
{
	struct mem_time *t = sw_map_get(&m->workers, consumer);

	return !t || t->at < mem_now(m) - 5 * SW_SECOND;
}

static void mem_give(struct mem *m, struct mem_entry *e)
{
	free(e->consumer);
	e->consumer = sw_strdup(m->consumer);
	e->given = mem_now(m);
}

static void mem_describe(const struct mem_entry *e, bool reclaimed, struct sw_entry *ret, struct sw_buf *inflated)
{
	int r;

	*ret = (struct sw_entry){ .stream = e->stream, .id = e->id, .reclaimed = reclaimed, .aggregate = e->aggregate, .msg = e->msg,
		.own_id = e->own_id, .source = e->source, .kind = e->kind, .meta = e->meta, .body = e->body, .body_n = e->body_n, .arrived = e->arrived };
	if (e->stream == SW_STREAM_IN && e->raw_n >= 0) {
		r = sw_pack_inflate(e->body, e->body_n, e->raw_n, BUS_RAW_MAX, inflated);
		ret->broken = r == -EFBIG ? "the body is larger than anything we take" : r < 0 ? "the body cannot be inflated" : NULL;
		ret->body = sw_buf_str(inflated);
		ret->body_n = r < 0 ? 0 : inflated->n;
	}
}

/* What silent consumers left, else what nobody has, up to count of each stream. */
static size_t mem_pick(struct mem *m, struct mem_entry **picked, bool *ret_reclaimed)
{
	size_t n = 0;

	*ret_reclaimed = false;
	for (int s = 0; s < 2; s++)
		for (struct mem_entry *e = m->streams[s].first; e && n < m->count; e = e->next)
			if (e->consumer && !sw_streq(e->consumer, m->consumer) && e->given <= mem_now(m) - 5 * SW_SECOND && mem_silent(m, e->consumer))
				picked[n++] = e;
	if (n) {
		*ret_reclaimed = true;
		return n;
	}
	for (int s = 0; s < 2; s++) {
		size_t of_stream = 0;

		for (struct mem_entry *e = m->streams[s].first; e && of_stream < m->count; e = e->next)
			if (!e->consumer) {
				picked[n++] = e;
				of_stream++;
			}
	}
	return n;
}

void mem_read_stop(struct sw_bus *bus)
{
	struct mem *m = mem_of(bus);

	m->ending = false;
	if (m->consumer)
		free(sw_map_del(&m->workers, m->consumer));
	free(SW_TAKE(m->consumer));
}

void mem_deliver(struct mem *m)
{
	struct mem_entry **picked;
	struct sw_entry *entries;
	struct sw_buf *inflated;
	bool reclaimed;
	size_t n;

	if (m->ending && m->consumer) {
		mem_read_stop(&m->base);
		m->read_cb(m->read_arg, NULL, 0);
		return;
	}
	if (!m->consumer || !m->wanting)
		return;
	picked = sw_calloc(2 * (size_t)m->count, sizeof *picked);
	n = mem_pick(m, picked, &reclaimed);
	entries = sw_calloc(n + 1, sizeof *entries);
	inflated = sw_calloc(n + 1, sizeof *inflated);
	for (size_t i = 0; i < n; i++) {
		mem_give(m, picked[i]);
		mem_describe(picked[i], reclaimed, &entries[i], &inflated[i]);
	}
	if (n) {
		m->wanting = false;
		m->read_cb(m->read_arg, entries, n);
	}
	for (size_t i = 0; i < n; i++)
		sw_buf_fini(&inflated[i]);
	free(inflated);
	free(entries);
	free(picked);
}

void mem_read(struct sw_bus *bus, const char *consumer, unsigned count, sw_read_cb cb, void *arg)
{
	struct mem *m = mem_of(bus);

	free(m->consumer);
	m->consumer = sw_strdup(consumer);
	m->count = count;
	m->read_cb = cb;
	m->read_arg = arg;
	m->wanting = true;
	m->ending = false;
	if (m->loop)
		sw_loop_defer(m->loop, &m->later);
}

void mem_read_more(struct sw_bus *bus)
{
	struct mem *m = mem_of(bus);

	m->wanting = true;
	if (m->loop)
		sw_loop_defer(m->loop, &m->later);
}

/* What is given is handed out in the same breath here, so there is only the end to be told. */
void mem_read_end(struct sw_bus *bus)
{
	struct mem *m = mem_of(bus);

	m->ending = true;
	if (m->loop)
		sw_loop_defer(m->loop, &m->later);
}
