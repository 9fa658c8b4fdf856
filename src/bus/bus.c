/* The bus: hands each call to the implementation (Redis or memory), and what both need. */
#include "bus/bus.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hmac.h"
#include "base/str.h"
#include "bus/impl.h"
#include "bus/pack.h"

int sw_bus_new(struct sw_loop *loop, const struct sw_bus_options *opt, struct sw_bus **ret, struct sw_err *err)
{
	struct sw_bus_options o = *opt;

	o.timeout = o.timeout ? o.timeout : 2 * SW_SECOND;
	o.connections = o.connections ? SW_MIN(o.connections, 64u) : 4;
	o.bytes_in_flight = o.bytes_in_flight ? o.bytes_in_flight : 64LL << 20;
	o.in_max_bytes = o.in_max_bytes ? o.in_max_bytes : 1LL << 30;
	if (o.url)
		return bus_remote_new(loop, &o, ret, err);
	*ret = bus_mem_new(loop, &o);
	return 0;
}

void sw_bus_free(struct sw_bus *bus)
{
	if (bus)
		bus->ops->free(bus);
}

bool sw_bus_up(const struct sw_bus *bus) { return bus->ops->up(bus); }
sw_ms sw_bus_now(const struct sw_bus *bus) { return bus->ops->now(bus); }
const struct sw_bus_info *sw_bus_info(const struct sw_bus *bus) { return bus->ops->info(bus); }
const char *sw_bus_error(const struct sw_bus *bus) { return bus->ops->error(bus); }

bool sw_bus_durable(const struct sw_bus *bus)
{
	const struct sw_bus_info *i = sw_bus_info(bus);

	return i && i->appendonly && i->always && i->aof_ok;
}

const char *sw_bus_weakness(const struct sw_bus *bus)
{
	const struct sw_bus_info *i = sw_bus_info(bus);

	if (!i)
		return NULL;
	if (!i->appendonly || !i->always)
		return "Redis is not set to appendonly yes and appendfsync always";
	if (!i->aof_ok)
		return "Redis could not write its append-only file";
	if (i->maxmemory > 0 && !i->noeviction)
		return "Redis is not set to maxmemory-policy noeviction: once its memory is full it throws away what was promised";
	return NULL;
}

void sw_bus_enqueue(struct sw_bus *bus, const struct sw_entry_in *e, sw_enqueue_cb cb, void *arg)
{
	bus->ops->enqueue(bus, e, cb, arg);
}

void sw_bus_drain(struct sw_bus *bus, const char *gateway, const struct sw_entry_in *e, size_t n, int64_t offset, sw_done_cb cb, void *arg)
{
	SW_ASSERT(n <= SW_DRAIN_MAX && gateway[0]);
	bus->ops->drain(bus, gateway, e, n, offset, cb, arg);
}

void sw_bus_gateway(struct sw_bus *bus, const char *gateway, int64_t spool_bytes, sw_int_cb cb, void *arg)
{
	bus->ops->gateway(bus, gateway, spool_bytes, cb, arg);
}

void sw_bus_read(struct sw_bus *bus, const char *consumer, unsigned count, sw_read_cb cb, void *arg)
{
	bus->ops->read(bus, consumer, SW_MIN(SW_MAX(count, 1u), 256u), cb, arg);
}

void sw_bus_read_more(struct sw_bus *bus) { bus->ops->read_more(bus); }
void sw_bus_read_end(struct sw_bus *bus) { bus->ops->read_end(bus); }
void sw_bus_read_stop(struct sw_bus *bus) { bus->ops->read_stop(bus); }
void sw_bus_intake(struct sw_bus *bus, const struct sw_intake *in, sw_done_cb cb, void *arg) { bus->ops->intake(bus, in, cb, arg); }

static size_t bus_count(const char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

void sw_bus_load(struct sw_bus *bus, const struct sw_load *l, sw_load_cb cb, void *arg)
{
	SW_ASSERT(bus_count(l->rings) <= BUS_RINGS_MAX && bus_count(l->keeps) <= BUS_KEEPS_MAX);
	bus->ops->load(bus, l, cb, arg);
}

void sw_bus_commit(struct sw_bus *bus, const struct sw_change *c, sw_commit_cb cb, void *arg) { bus->ops->commit(bus, c, cb, arg); }

void sw_bus_append(struct sw_bus *bus, const char *aggregate, const char *msg, sw_done_cb cb, void *arg)
{
	bus->ops->append(bus, aggregate, msg, cb, arg);
}

void sw_bus_tick(struct sw_bus *bus, sw_tick_cb cb, void *arg) { bus->ops->tick(bus, cb, arg); }
void sw_bus_remember(struct sw_bus *bus, const char *path) { bus->ops->remember(bus, path); }

void sw_bus_trying(struct sw_bus *bus, enum sw_stream s, const char *id, sw_int_cb cb, void *arg)
{
	bus->ops->trying(bus, s, id, cb, arg);
}

void sw_bus_bury(struct sw_bus *bus, enum sw_stream s, const char *id, const char *reason, sw_done_cb cb, void *arg)
{
	bus->ops->bury(bus, s, id, reason, cb, arg);
}

void sw_bus_give_back(struct sw_bus *bus, enum sw_stream s, const char *id, sw_done_cb cb, void *arg)
{
	bus->ops->give_back(bus, s, id, cb, arg);
}

void sw_bus_dead_add(struct sw_bus *bus, const char *kind, const char *reason, const char *body, sw_done_cb cb, void *arg)
{
	bus->ops->dead_add(bus, kind, reason, body, cb, arg);
}

void sw_bus_dead_end(struct sw_bus *bus, const char *id, bool again, const struct sw_decider *by, sw_int_cb cb, void *arg)
{
	bus->ops->dead_end(bus, id, again, by, cb, arg);
}

void sw_bus_hold(struct sw_bus *bus, const char *scope, bool on, const struct sw_decider *by, const char *why, sw_done_cb cb, void *arg)
{
	bus->ops->hold(bus, scope, on, by, why, cb, arg);
}

void sw_bus_journal(struct sw_bus *bus, const char *from, unsigned count, sw_dur wait, sw_journal_cb cb, void *arg)
{
	bus->ops->journal(bus, from, SW_MIN(SW_MAX(count, 1u), (unsigned)SW_JOURNAL_MAX), SW_MIN(wait, 5 * SW_SECOND), cb, arg);
}

void sw_bus_query(struct sw_bus *bus, const char *what, sw_text_cb cb, void *arg) { bus->ops->query(bus, what, cb, arg); }
void sw_bus_rules(struct sw_bus *bus, const char *hash, sw_text_cb cb, void *arg) { bus->ops->rules(bus, hash, cb, arg); }

/* ---- shared by the implementations ---- */

void bus_digest(const char *source, const char *text, unsigned char ret[BUS_DIGEST])
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	unsigned char full[SW_SHA256_BYTES];

	sw_buf_catn(&b, source, strlen(source) + 1);
	sw_buf_cat(&b, text);
	sw_sha256(b.p, b.n, full);
	memcpy(ret, full, BUS_DIGEST);
}

size_t bus_words(const char *what, char buf[256], const char *words[4])
{
	size_t n = 0;
	char *save, *w;

	(void)snprintf(buf, 256, "%s", what);
	for (w = strtok_r(buf, " ", &save); w && n < 4; w = strtok_r(NULL, " ", &save))
		words[n++] = w;
	return n;
}

const struct bus_field *bus_field(const struct bus_field *f, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (sw_streq(f[i].name, name))
			return &f[i];
	return NULL;
}

static void bus_member(struct sw_buf *out, const char *name, const char *value, size_t n)
{
	sw_buf_printf(out, ",\"%s\":", name);
	sw_buf_jsonn(out, value, n);
}

static void bus_dead_body(struct sw_buf *out, const struct bus_field *f, size_t n, const void *kept, size_t kept_n)
{
	const struct bus_field *raw = bus_field(f, n, "n"), *body = bus_field(f, n, "b");
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	int64_t raw_n = raw ? strtoll(raw->value, NULL, 10) : -1;

	if (body) {
		kept = body->value;
		kept_n = body->n;
	}
	if (!kept)
		return;
	if (raw_n < 0)
		sw_buf_catn(&b, kept, kept_n);
	else if (sw_pack_inflate(kept, kept_n, raw_n, BUS_RAW_MAX, &b) < 0)
		return;
	bus_member(out, "body", sw_buf_str(&b), b.n);
}

void bus_dead_json(struct sw_buf *out, const char *id, const struct bus_field *f, size_t n, const void *kept, size_t kept_n)
{
	static const struct { const char *field, *name; } texts[] = {
		{ "k", "kind" }, { "r", "reason" }, { "o", "entry" }, { "m", "message" }, { "i", "own_id" }, { "s", "source" },
		{ "kind", "source_kind" },
	};
	const struct bus_field *x, *kind = bus_field(f, n, "k"), *at = bus_field(f, n, "t");

	sw_buf_cat(out, "{\"id\":");
	sw_buf_json(out, id);
	sw_buf_printf(out, ",\"at\":%lld", at ? strtoll(at->value, NULL, 10) : 0LL);
	for (size_t i = 0; i < SW_COUNT(texts); i++)
		if ((x = bus_field(f, n, texts[i].field)))
			bus_member(out, texts[i].name, x->value, x->n);
	if ((x = bus_field(f, n, "a")))
		bus_member(out, kind && sw_streq(kind->value, "in") ? "arrived" : "aggregate", x->value, x->n);
	bus_dead_body(out, f, n, kept, kept_n);
	sw_buf_putc(out, '}');
}

void bus_memory_open(struct bus_memory *m, const char *path)
{
	char text[96] = "";
	long long counter;

	bus_memory_close(m);
	*m = (struct bus_memory){ .fd = -1 };
	if (!path)
		return;
	m->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (m->fd < 0 || pread(m->fd, text, sizeof text - 1, 0) < 0)
		return;
	if (sscanf(text, "%39s %lld", m->lineage, &counter) == 2)
		m->counter = counter;
	else
		m->lineage[0] = 0;
}

void bus_memory_note(struct bus_memory *m, const char *lineage, int64_t counter)
{
	char text[96];
	int n;

	(void)snprintf(m->lineage, sizeof m->lineage, "%s", lineage);
	m->counter = counter;
	n = snprintf(text, sizeof text, "%-39s %20lld\n", m->lineage, (long long)counter);
	/* Of one length, in one write; not synced: an older counter is still a bound. */
	if (m->fd >= 0 && pwrite(m->fd, text, (size_t)n, 0) != n)
		bus_memory_close(m);
}

void bus_memory_close(struct bus_memory *m)
{
	if (m->fd >= 0)
		(void)close(m->fd);
	m->fd = -1;
}

/* Crockford's base 32: 10 characters of time, 16 random; the last of a millisecond grows by one, so ids of one process ascend. */
void sw_id_new(sw_ms now, char ret[SW_ID_SIZE])
{
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	static unsigned char rnd[16];
	static sw_ms last;
	uint64_t t;

	if (now > last || last == 0) {
		sw_random(rnd, sizeof rnd);
		for (size_t i = 0; i < sizeof rnd; i++)
			rnd[i] &= 31;
		rnd[0] &= 15; /* room to grow */
		last = now;
	} else {
		for (size_t i = sizeof rnd; i-- > 0 && ++rnd[i] == 32;)
			rnd[i] = 0;
	}
	t = (uint64_t)last;
	for (int i = 9; i >= 0; i--, t >>= 5)
		ret[i] = digits[t & 31];
	for (size_t i = 0; i < sizeof rnd; i++)
		ret[10 + i] = digits[rnd[i]];
	ret[26] = 0;
}
