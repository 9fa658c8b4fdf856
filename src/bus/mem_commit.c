/* The bus in memory: loading and committing an aggregate, and what operators ask. See scripts/commit.lua, whose order this follows. */
#include "bus/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static sw_ms *agg_expires(void *p) { return &((struct mem_agg *)p)->expires; }
static sw_ms *bytes_expires(void *p) { return &((struct mem_bytes *)p)->expires; }
static sw_ms *keep_expires(void *p) { return &((struct mem_keep *)p)->expires; }

static struct mem_agg *mem_agg(struct mem *m, const char *name) { return mem_live(m, &m->aggs, name, agg_expires, mem_agg_free); }

/* ---- load ---- */

static void mem_run_load(struct mem_late *l) { l->cb.load(l->arg, l->r, l->r < 0 ? NULL : l->loaded); }

static const char *mem_keep_text(struct mem *m, const char *key, struct sw_arena *a)
{
	struct mem_keep *k = mem_live(m, &m->keeps, key, keep_expires, mem_keep_free);
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	if (!k)
		return NULL;
	if (!k->list)
		return sw_arena_strdup(a, k->items[0]);
	sw_buf_putc(&b, '[');
	for (size_t i = 0; i < k->n; i++) {
		if (i)
			sw_buf_putc(&b, ',');
		sw_buf_cat(&b, k->items[i]);
	}
	sw_buf_putc(&b, ']');
	return sw_arena_strdup(a, sw_buf_str(&b));
}

static int text_order(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* Names of a map in order; n of them, to be freed (the array). */
static const char **map_names(const struct sw_map *map, size_t *ret_n)
{
	const char **names = sw_calloc(map->n_live + 1, sizeof *names);
	struct sw_map_entry *e;

	*ret_n = 0;
	for (size_t i = 0; (e = sw_map_next(map, &i));)
		names[(*ret_n)++] = e->key;
	qsort(names, *ret_n, sizeof *names, text_order);
	return names;
}

static void mem_fails(struct mem *m, struct sw_buf *out)
{
	size_t n;
	SW_CLEANUP(sw_freep) const char **names = map_names(&m->fails, &n);
	bool any = false;

	sw_buf_putc(out, '{');
	for (size_t i = 0; i < n; i++) {
		struct mem_time *t = sw_map_get(&m->fails, names[i]);

		if (t->at <= mem_now(m) - SW_HOUR)
			continue;
		if (any)
			sw_buf_putc(out, ',');
		any = true;
		sw_buf_json(out, names[i]);
		sw_buf_printf(out, ":%lld", (long long)t->at);
	}
	sw_buf_putc(out, '}');
}

void mem_load(struct sw_bus *bus, const struct sw_load *in, sw_load_cb cb, void *arg)
{
	struct mem *m = mem_of(bus);
	struct mem_late *l = mem_late(m, mem_run_load, arg, 0);
	struct sw_loaded *d = sw_arena_alloc(&l->arena, sizeof *d);
	struct mem_agg *agg = mem_agg(m, in->aggregate);
	SW_CLEANUP(sw_buf_fini) struct sw_buf fails = SW_BUF_INIT;

	l->cb.load = cb;
	l->loaded = d;
	d->now = mem_now(m);
	d->hold = m->hold ? sw_arena_strdup(&l->arena, m->hold_why ? m->hold_why : "on hold") : NULL;
	if (agg) {
		d->v = agg->v;
		d->fmt = agg->fmt;
		d->state_n = agg->n;
		d->state = sw_arena_strndup(&l->arena, agg->s, agg->n);
	}
	mem_fails(m, &fails);
	d->fails = sw_arena_strdup(&l->arena, sw_buf_str(&fails));
	for (size_t i = 0; in->rings && in->rings[i]; i++) {
		struct mem_bytes *ring = mem_live(m, &m->rings, in->rings[i], bytes_expires, mem_bytes_free);
		size_t n = ring ? SW_MIN(ring->b.n, (size_t)BUS_RING_BYTES) : 0;
		char *copy = sw_arena_alloc(&l->arena, n + 1);

		if (n)
			memcpy(copy, ring->b.p + ring->b.n - n, n);
		d->rings[i].p = copy;
		d->rings[i].n = n;
	}
	for (size_t i = 0; in->keeps && in->keeps[i]; i++) {
		struct mem_agg *other = mem_agg(m, in->keeps[i]);

		d->keeps[i] = other ? sw_arena_strndup(&l->arena, other->s, other->n) : mem_keep_text(m, in->keeps[i], &l->arena);
	}
}

/* ---- commit ---- */

static void mem_run_commit(struct mem_late *l)
{
	if (l->cb.commit)
		l->cb.commit(l->arg, l->r, l->r < 0 ? NULL : &l->committed);
}

/* NULL: it may start; else why not. */
static const char *guard_start(struct mem *m, const struct sw_change *c, sw_dur *wait)
{
	const char *slash = strchr(c->start_place ? c->start_place : "", '/');
	SW_CLEANUP(sw_freep) char *service = c->start_place && slash ? sw_strndup(c->start_place, (size_t)(slash - c->start_place)) : NULL;
	struct mem_entry *oldest = m->streams[SW_STREAM_IN].first;
	struct sw_map_entry *e;
	int recent = 0;

	if (sw_map_get(&m->acts, c->start_action))
		return "started";
	if (m->hold || (c->start_place && sw_map_get(&m->holds, c->start_place)) || (service && sw_map_get(&m->holds, service)))
		return "hold";
	*wait = 2 * SW_SECOND;
	if (oldest && mem_now(m) - oldest->ms > 2 * SW_SECOND)
		return "backlog";
	for (size_t i = 0; (e = sw_map_next(&m->gateways, &i));) {
		struct mem_time *t = e->value;

		if (t->at > mem_now(m) - 30 * SW_SECOND && t->n > 0)
			return "spool";
	}
	*wait = 0;
	for (size_t i = 0; (e = sw_map_next(&m->acts, &i));)
		recent += ((struct mem_time *)e->value)->at > mem_now(m) - 10 * SW_MINUTE;
	if (recent < 3)
		return NULL;
	free(m->hold_by);
	free(m->hold_why);
	m->hold = true;
	m->hold_at = mem_now(m);
	m->hold_by = sw_strdup("shipwatch");
	m->hold_why = sw_strdup("3 actions began within 10 minutes; this one would have been the fourth");
	return "cap";
}

static struct mem_chan *mem_chan(struct mem *m, const char *credential)
{
	struct mem_chan *c = sw_map_get(&m->chans, credential);

	if (!c) {
		c = sw_calloc(1, sizeof *c);
		(void)sw_map_set(&m->chans, credential, c);
	}
	return c;
}

/* Until fewer than `count` of the newest lie within that time; 0: they do not. */
static sw_dur chan_room(const struct mem_chan *ch, int count, sw_dur within, sw_ms now)
{
	return count > 0 && ch->n >= (size_t)count ? SW_MAX(ch->sent[ch->n - (size_t)count] + within - now, 0) : 0;
}

static const char *guard_pace(struct mem *m, const struct sw_change *c, sw_dur *wait)
{
	struct mem_chan *ch = mem_chan(m, c->pace_credential);
	sw_ms now = mem_now(m);
	size_t keep = 0;

	if (ch->hold_until > now) {
		*wait = ch->hold_until - now;
		return "held";
	}
	for (size_t i = 0; i < ch->n; i++)
		if (ch->sent[i] > now - SW_MAX(c->pace_per, SW_MINUTE))
			ch->sent[keep++] = ch->sent[i];
	ch->n = keep;
	*wait = SW_MAX(chan_room(ch, c->pace_count, c->pace_per, now), chan_room(ch, c->pace_calm, SW_MINUTE, now));
	return *wait > 0 ? "paced" : NULL;
}

static bool commit_sets_timer(const struct sw_change *c)
{
	for (size_t i = 0; i < c->n_timers; i++)
		if (c->timers[i].due)
			return true;
	return false;
}

/* What must be so: SW_COMMIT_*. */
static int commit_check(struct mem *m, const struct sw_change *c, struct sw_committed *ret)
{
	struct mem_agg *agg;

	for (size_t i = 0; c->acks && c->acks[i]; i++)
		if (!mem_pending(m, SW_STREAM_WORK, c->acks[i])) {
			ret->gone = c->acks[i];
			return SW_COMMIT_GONE;
		}
	agg = mem_agg(m, c->aggregate);
	if (agg && agg->fmt > SW_FMT)
		ret->reason = "fmt";
	else if ((agg ? agg->v : 0) != c->v) {
		ret->v = agg ? agg->v : 0;
		return SW_COMMIT_CONFLICT;
	} else if (commit_sets_timer(c) && m->timers.n_live >= 200000) {
		ret->reason = "timers";
		ret->wait = SW_MINUTE;
	} else {
		if (c->start_action)
			ret->reason = guard_start(m, c, &ret->wait);
		if (!ret->reason && c->pace_credential)
			ret->reason = guard_pace(m, c, &ret->wait);
	}
	return ret->reason ? SW_COMMIT_REFUSED : SW_COMMIT_OK;
}

static int64_t commit_state(struct mem *m, const struct sw_change *c)
{
	struct mem_agg *agg = mem_agg(m, c->aggregate);
	size_t n = c->state ? (c->state_n ? c->state_n : strlen(c->state)) : 0;

	if (!c->state)
		return c->v;
	if (!n) {
		agg = sw_map_del(&m->aggs, c->aggregate);
		if (agg)
			mem_agg_free(agg);
		return 0;
	}
	if (!agg) {
		agg = sw_calloc(1, sizeof *agg);
		(void)sw_map_set(&m->aggs, c->aggregate, agg);
	}
	free(agg->s);
	agg->s = sw_strndup(c->state, n);
	agg->n = n;
	agg->fmt = SW_FMT;
	agg->expires = c->ttl ? mem_now(m) + c->ttl : 0;
	return ++agg->v;
}

static void commit_timers(struct mem *m, const struct sw_change *c)
{
	for (size_t i = 0; i < c->n_timers; i++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf key = SW_BUF_INIT;
		struct mem_time *t;

		sw_buf_printf(&key, "%s|%s", c->aggregate, c->timers[i].name);
		free(sw_map_del(&m->timers, sw_buf_str(&key)));
		if (!c->timers[i].due)
			continue;
		t = sw_calloc(1, sizeof *t);
		t->at = c->timers[i].due;
		(void)sw_map_set(&m->timers, sw_buf_str(&key), t);
	}
}

static void commit_rings(struct mem *m, const struct sw_change *c)
{
	for (size_t i = 0; i < c->n_rings; i++) {
		struct mem_bytes *ring = mem_live(m, &m->rings, c->rings[i].ring, bytes_expires, mem_bytes_free);

		if (!ring) {
			ring = sw_calloc(1, sizeof *ring);
			(void)sw_map_set(&m->rings, c->rings[i].ring, ring);
		}
		sw_buf_catn(&ring->b, c->rings[i].p, c->rings[i].n);
		if (ring->b.n > BUS_RING_BYTES + 4000) {
			memmove(ring->b.p, ring->b.p + ring->b.n - BUS_RING_BYTES, BUS_RING_BYTES);
			sw_buf_truncate(&ring->b, BUS_RING_BYTES);
		}
		ring->expires = mem_now(m) + 7 * SW_DAY;
	}
}

static void commit_marks(struct mem *m, const struct sw_change *c, int64_t *calls)
{
	struct mem_time *t;

	if (c->fails_add && !sw_map_get(&m->fails, c->fails_add)) {
		t = sw_calloc(1, sizeof *t);
		t->at = mem_now(m);
		(void)sw_map_set(&m->fails, c->fails_add, t);
	}
	if (c->fails_del)
		free(sw_map_del(&m->fails, c->fails_del));
	if (c->rules_hash && !sw_map_get(&m->rules, c->rules_hash))
		(void)sw_map_set(&m->rules, c->rules_hash, sw_strndup(c->rules_source ? c->rules_source : "", c->rules_source_n));
	if (c->start_action) {
		t = sw_calloc(1, sizeof *t);
		t->at = mem_now(m);
		free(sw_map_set(&m->acts, c->start_action, t));
	}
	if (c->pace_credential) {
		struct mem_chan *ch = mem_chan(m, c->pace_credential);

		if (ch->n == SW_COUNT(ch->sent))
			memmove(ch->sent, ch->sent + 1, --ch->n * sizeof *ch->sent);
		ch->sent[ch->n++] = mem_now(m);
		if (c->pace_month) {
			ch->calls = ch->month == c->pace_month ? ch->calls + 1 : 1;
			ch->month = c->pace_month;
			*calls = ch->calls;
		}
	}
	if (c->hold_credential) {
		struct mem_chan *ch = mem_chan(m, c->hold_credential);

		ch->hold_until = SW_MAX(ch->hold_until, c->hold_until);
	}
	if (c->dead_reason)
		mem_dead(m, "alert", c->dead_reason, NULL, c->aggregate, c->dead_body);
}

void mem_commit(struct sw_bus *bus, const struct sw_change *c, sw_commit_cb cb, void *arg)
{
	struct mem *m = mem_of(bus);
	struct mem_late *l = mem_late(m, mem_run_commit, arg, 0);

	l->cb.commit = cb;
	l->committed.now = mem_now(m);
	l->committed.v = c->v;
	l->r = commit_check(m, c, &l->committed);
	l->committed.gone = sw_arena_strdup(&l->arena, l->committed.gone);
	if (l->r != SW_COMMIT_OK)
		return;
	l->committed.v = commit_state(m, c);
	commit_timers(m, c);
	for (size_t i = 0; i < c->n_tells; i++)
		mem_tell(m, c->tells[i].aggregate, c->tells[i].msg);
	commit_rings(m, c);
	for (size_t i = 0; i < c->n_keeps; i++)
		mem_keep_put(m, &c->keeps[i]);
	if (c->journal)
		mem_note(m, c->journal);
	commit_marks(m, c, &l->committed.calls);
	for (size_t i = 0; c->acks && c->acks[i]; i++) {
		struct mem_entry *e = mem_pending(m, SW_STREAM_WORK, c->acks[i]);

		if (e) /* the same one may stand twice in the list */
			mem_done(m, e);
	}
}

/* ---- queries ---- */

static void query_map(struct sw_buf *b, const struct sw_map *map, void (*value)(struct sw_buf *b, void *value, sw_ms now), sw_ms now)
{
	size_t n;
	SW_CLEANUP(sw_freep) const char **names = map_names(map, &n);

	sw_buf_putc(b, '{');
	for (size_t i = 0; i < n; i++) {
		if (i)
			sw_buf_putc(b, ',');
		sw_buf_json(b, names[i]);
		sw_buf_putc(b, ':');
		value(b, sw_map_get(map, names[i]), now);
	}
	sw_buf_putc(b, '}');
}

static void value_raw(struct sw_buf *b, void *value, sw_ms now)
{
	(void)now;
	sw_buf_cat(b, value);
}

static void value_at(struct sw_buf *b, void *value, sw_ms now)
{
	(void)now;
	sw_buf_printf(b, "%lld", (long long)((struct mem_time *)value)->at);
}

static void value_silent(struct sw_buf *b, void *value, sw_ms now)
{
	sw_buf_printf(b, "%lld", (long long)(now - ((struct mem_time *)value)->at));
}

static void value_gateway(struct sw_buf *b, void *value, sw_ms now)
{
	struct mem_time *t = value;

	sw_buf_printf(b, "{\"silent_ms\":%lld,\"spool_bytes\":%lld}", (long long)(now - t->at), (long long)t->n);
}

static long long oldest_ms(const struct mem *m, enum sw_stream s)
{
	return m->streams[s].first ? (long long)(mem_now(m) - m->streams[s].first->ms) : 0;
}

/* An id of a stream as it is written whole. */
static bool stream_id(const char *s)
{
	size_t ms = strspn(s, "0123456789"), seq = s[ms] == '-' ? strspn(s + ms + 1, "0123456789") : 0;

	return ms && seq && !s[ms + 1 + seq];
}

static void query_status(struct mem *m, const char *read, struct sw_buf *b)
{
	sw_ms now = mem_now(m);

	sw_buf_printf(b, "{\"now\":%lld,\"in\":%lld,\"in_oldest_ms\":%lld,\"in_bytes\":%lld,\"work\":%lld,\"work_oldest_ms\":%lld,\"timers\":%zu,"
		"\"dead\":%lld,\"journal\":%lld", (long long)now, (long long)m->streams[SW_STREAM_IN].n, oldest_ms(m, SW_STREAM_IN),
		(long long)m->in_bytes, (long long)m->streams[SW_STREAM_WORK].n, oldest_ms(m, SW_STREAM_WORK), m->timers.n_live,
		(long long)m->dead_n, (long long)m->journal.n);
	if (stream_id(read))
		sw_buf_printf(b, ",\"journal_waits_ms\":%lld", (long long)mem_journal_waits(m, read));
	sw_buf_cat(b, ",\"hold\":");
	if (m->hold) {
		sw_buf_cat(b, "{\"by\":");
		sw_buf_json(b, m->hold_by ? m->hold_by : "");
		sw_buf_cat(b, ",\"why\":");
		sw_buf_json(b, m->hold_why ? m->hold_why : "");
		sw_buf_printf(b, ",\"at\":%lld}", (long long)m->hold_at);
	} else {
		sw_buf_cat(b, "null");
	}
	sw_buf_cat(b, ",\"holds\":");
	query_map(b, &m->holds, value_raw, now);
	sw_buf_cat(b, ",\"workers\":");
	query_map(b, &m->workers, value_silent, now);
	sw_buf_cat(b, ",\"gateways\":");
	query_map(b, &m->gateways, value_gateway, now);
	sw_buf_cat(b, ",\"fails\":");
	query_map(b, &m->fails, value_at, now);
	sw_buf_printf(b, ",\"lineage\":\"memory\",\"counter\":%lld,\"clock_offset_ms\":0,\"back_at\":0,\"dedupe_from\":0}", (long long)m->counter);
}

const char *mem_dead_text(const struct mem_dead *d, const char *name)
{
	for (size_t i = 0; i < d->n; i++)
		if (sw_streq(d->f[i].name, name))
			return d->f[i].value;
	return "";
}

static void query_dead_list(struct mem *m, const char *from, unsigned long count, struct sw_buf *b)
{
	const struct mem_dead *d = m->dead;
	unsigned long n = 0;

	if (from[0] >= '1' && from[0] <= '9') {
		while (d && !sw_streq(d->id, from))
			d = d->next;
		d = d ? d->next : NULL;
	}
	sw_buf_putc(b, '[');
	for (; d && n < count; d = d->next, n++) {
		bool in = sw_streq(mem_dead_text(d, "k"), "in");

		sw_buf_cat(b, n ? ",{\"id\":" : "{\"id\":");
		sw_buf_json(b, d->id);
		sw_buf_cat(b, ",\"kind\":");
		sw_buf_json(b, mem_dead_text(d, "k"));
		sw_buf_cat(b, ",\"reason\":");
		sw_buf_json(b, mem_dead_text(d, "r"));
		sw_buf_printf(b, ",\"at\":%lld,\"aggregate\":", (long long)d->at);
		sw_buf_json(b, in ? "" : mem_dead_text(d, "a"));
		sw_buf_cat(b, ",\"source\":");
		sw_buf_json(b, mem_dead_text(d, "s"));
		sw_buf_putc(b, '}');
	}
	sw_buf_putc(b, ']');
}

static void query_names(struct mem *m, const char *prefix, unsigned long count, struct sw_buf *b)
{
	size_t n, put = 0;
	SW_CLEANUP(sw_freep) const char **names = map_names(&m->aggs, &n);

	sw_buf_putc(b, '[');
	for (size_t i = 0; i < n && put < count; i++) {
		if (!sw_starts(names[i], prefix) || !mem_agg(m, names[i]))
			continue;
		if (put++)
			sw_buf_putc(b, ',');
		sw_buf_json(b, names[i]);
	}
	sw_buf_putc(b, ']');
}

/* False: there is no such thing. */
static int query_answer(struct mem *m, const char *what, struct sw_buf *b)
{
	char buf[256];
	const char *w[4] = { "", "", "", "" };
	size_t n = bus_words(what, buf, w);

	if (sw_streq(w[0], "status") && n <= 2) {
		query_status(m, w[1], b);
	} else if (sw_streq(w[0], "dead") && sw_streq(w[1], "list") && n == 4) {
		query_dead_list(m, w[2], strtoul(w[3], NULL, 10), b);
	} else if (sw_streq(w[0], "dead") && sw_streq(w[1], "show") && n == 3) {
		for (const struct mem_dead *d = m->dead; d; d = d->next)
			if (sw_streq(d->id, w[2]))
				bus_dead_json(b, d->id, d->f, d->n, NULL, 0);
	} else if (sw_streq(w[0], "aggregates") && n == 3) {
		query_names(m, w[1], strtoul(w[2], NULL, 10), b);
	} else if (sw_streq(w[0], "aggregate") && n == 2) {
		struct mem_agg *a = mem_agg(m, w[1]);

		if (a)
			sw_buf_printf(b, "{\"v\":%lld,\"fmt\":%d,\"state\":%s}", (long long)a->v, a->fmt, a->s);
	} else {
		return -EINVAL;
	}
	return 0;
}

void mem_query(struct sw_bus *bus, const char *what, sw_text_cb cb, void *arg)
{
	struct mem *m = mem_of(bus);
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	int r = query_answer(m, what, &b);
	struct mem_late *l = mem_late(m, mem_run_text, arg, r);

	l->cb.text = cb;
	l->text = r == 0 && b.n ? sw_arena_strdup(&l->arena, sw_buf_str(&b)) : NULL;
}

void mem_rules(struct sw_bus *bus, const char *hash, sw_text_cb cb, void *arg)
{
	struct mem *m = mem_of(bus);
	struct mem_late *l = mem_late(m, mem_run_text, arg, 0);

	l->cb.text = cb;
	l->text = sw_arena_strdup(&l->arena, sw_map_get(&m->rules, hash));
}
