/*
 * Where a delivery becomes durable: Redis, or the spool while Redis is away, full, or not synced at every write.
 *
 *   put ─▶ Redis up, durable, nothing in our spool? ─yes─▶ enqueue ─▶ queued, duplicate
 *           └─no─┐                                          └─ full, refused, unknown ─┐
 *                └──────▶ spool: append ─▶ one sync at the end of the turn ◀───────────┘ ─▶ queued
 *                                            └─▶ drained in order once Redis is well
 *
 * An unknown outcome (the connection died) goes to the spool under the same entry id, so the two cannot double. While anything
 * waits in the spool new deliveries queue behind it; under load that would never end, so while the last of it is on its way to
 * Redis new ones wait (`held`) for its end and then go to Redis themselves.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "gateway/inner.h"
#include "shipwatch/log.h"
#include "shipwatch/mem.h"

#define LOG "gateway/store"

enum { SPOOLS_MAX = 64, PRESENCE_EVERY = 10000 /* ms */, AGAIN = 500 /* ms */, REFUSED_FOR = 15000 /* ms, without another try */ };

struct put {
	struct store *s;
	const struct sw_entry_in *e;
	store_cb cb;
	void *arg;
	struct put *next;
};

/* The first is ours; others were left behind by processes there are no more of, and are only drained. */
struct spool {
	struct store *s;
	struct sw_spool *spool;      /* NULL: not open (yet) */
	char *name, *dir;
	bool draining;
	bool failed;
};

struct store {
	struct gateway *g;
	struct sw_bus *bus;
	struct spool spools[SPOOLS_MAX];
	unsigned n_spools;
	int64_t spool_max;
	struct put *first, **last;   /* appended in this turn, not yet synced */
	struct put *held, **held_last; /* until it is known whether the spool is empty */
	struct sw_defer sync;
	struct sw_timer presence, again;
	bool freed;
	const char *weak;            /* why Redis may lose what it took, as last told; NULL: it may not */
	sw_ms refused_at;            /* when Redis last took nothing though it is there; 0: it does */
	int64_t masters;               /* of the bus, as it was counted last */
	char redis_why[160], spool_why[200], refused_why[160];
};

static void store_kick(struct store *s);

static void put_done(struct put *p, int r, bool spooled)
{
	store_cb cb = p->cb;
	void *arg = p->arg;

	free(p);
	cb(arg, r, spooled);
}

static void spool_trouble(struct store *s, struct spool *sp, const struct sw_err *err)
{
	if (!sp->failed)
		SW_ERROR(LOG, "spool: %s; deliveries are refused while Redis is away", err->text);
	sp->failed = true;
	(void)snprintf(s->spool_why, sizeof s->spool_why, "%s", err->text);
}

static void spool_well(struct store *s, struct spool *sp)
{
	if (sp->failed)
		SW_INFO(LOG, "spool: well again");
	sp->failed = false;
	s->spool_why[0] = '\0';
}

/* One sync for all that was appended in this turn; then they are answered. */
static void store_sync(void *arg)
{
	struct store *s = arg;
	struct spool *sp = &s->spools[0];
	struct put *p = s->first, *next;
	struct sw_err err = SW_ERR_INIT;
	int r;

	s->first = NULL;
	s->last = &s->first;
	r = sw_spool_sync(sp->spool, &err);
	if (r < 0)
		spool_trouble(s, sp, &err);
	else
		spool_well(s, sp);
	for (; p; p = next) {
		next = p->next;
		put_done(p, r < 0 ? r : STORE_QUEUED, true);
	}
	store_kick(s);
}

static void store_hold(struct put *p)
{
	struct store *s = p->s;

	p->next = NULL;
	*s->held_last = p;
	s->held_last = &p->next;
}

static void store_spool(struct put *p)
{
	struct store *s = p->s;
	struct spool *sp = &s->spools[0];
	struct sw_err err = SW_ERR_INIT;
	int r;

	if (!sp->spool) {
		put_done(p, -ENOTCONN, false);
		return;
	}
	r = sw_spool_append(sp->spool, p->e, &err);
	if (r < 0) {
		spool_trouble(s, sp, &err);
		put_done(p, r, false);
		return;
	}
	p->next = NULL;
	*s->last = p;
	s->last = &p->next;
	sw_loop_defer(s->g->loop, &s->sync);
}

/* Redis is there, but full, broken or not ours to write: told once. (A connection that is lost tells on_state.) */
static void store_refused(struct store *s, int r)
{
	if (r == -EIO || r == -ENOTCONN || r == -ECANCELED || r == -EAGAIN || r == -EROFS)
		return;
	(void)snprintf(s->refused_why, sizeof s->refused_why, "%s",
	               r == SW_ENQ_FULL || r == -ENOMEM ? "its memory is full, or too much waits in it"
	               : *sw_bus_error(s->bus)          ? sw_bus_error(s->bus)
	                                                : strerror(-r));
	if (!s->refused_at)
		SW_WARN(LOG, "Redis takes nothing: %s; %s", s->refused_why,
		        s->spools[0].spool ? "deliveries go to the spool" : "deliveries are refused, there is no spool");
	s->refused_at = sw_loop_mono(s->g->loop);
}

static void store_taken(struct store *s)
{
	if (s->refused_at)
		SW_INFO(LOG, "Redis takes deliveries again");
	s->refused_at = 0;
}

static void store_enqueued(void *arg, int r, const char *stream_id)
{
	struct put *p = arg;

	if (p->s->freed) {
		put_done(p, r == SW_ENQ_QUEUED ? STORE_QUEUED : r == SW_ENQ_DUPLICATE ? STORE_DUPLICATE : -ECANCELED, false);
	} else if (r == SW_ENQ_QUEUED) {
		store_taken(p->s);
		put_done(p, STORE_QUEUED, false);
	} else if (r == SW_ENQ_DUPLICATE) {
		put_done(p, STORE_DUPLICATE, false);
	} else {
		store_refused(p->s, r);
		store_spool(p);
	}
}

static void store_route(struct put *p)
{
	struct store *s = p->s;
	struct sw_spool *own = s->spools[0].spool;

	if (!sw_bus_up(s->bus) || !sw_bus_durable(s->bus) || s->first)
		store_spool(p);
	else if (!own || sw_spool_waiting(own) == 0)
		sw_bus_enqueue(s->bus, p->e, store_enqueued, p);
	else if (sw_spool_emptying(own))
		store_hold(p);
	else
		store_spool(p);
}

void sw_store_put(struct store *s, const struct sw_entry_in *e, store_cb cb, void *arg)
{
	struct put *p = sw_calloc(1, sizeof *p);

	*p = (struct put){ .s = s, .e = e, .cb = cb, .arg = arg };
	if (s->held)
		store_hold(p); /* behind those that wait */
	else
		store_route(p);
}

/* The spool is empty, or will not be soon: to Redis with them, or into the spool, in order. */
static void store_unhold(struct store *s)
{
	struct put *p = s->held, *next;

	s->held = NULL;
	s->held_last = &s->held;
	for (; p; p = next) {
		next = p->next;
		store_route(p);
	}
}

/* ---- draining ---- */

static void presence_told(void *arg, int r, int64_t value)
{
}

/* Rollbacks wait while a gateway has something in its spool: that it is empty is said at once. */
static void spool_emptied(struct store *s, struct spool *sp)
{
	sw_bus_gateway(s->bus, sp->name, 0, presence_told, s);
}

static void spool_drained(void *arg, int r)
{
	struct spool *sp = arg;
	struct store *s = sp->s;

	if (s->freed)
		return;
	sp->draining = false;
	if (r < 0) {
		store_unhold(s);
		store_refused(s, r);
		sw_timer_set(&s->again, AGAIN);
		return;
	}
	store_taken(s);
	if (sw_spool_waiting(sp->spool) == 0) {
		SW_INFO(LOG, "spool %s: all of it is in Redis", sp->name);
		spool_emptied(s, sp);
	}
	store_kick(s);
}

static void spool_offset(void *arg, int r, int64_t offset)
{
	struct spool *sp = arg;
	struct store *s = sp->s;

	if (s->freed)
		return;
	if (r < 0 || !sp->spool) {
		sp->draining = false;
		store_unhold(s);
		sw_timer_set(&s->again, AGAIN);
		return;
	}
	sw_spool_drain(sp->spool, s->bus, offset, spool_drained, sp);
	if (sw_spool_draining(sp->spool))
		return;
	/* Redis had it all: the answer to an earlier call was lost. Or what waits is not synced yet: store_sync comes back. */
	sp->draining = false;
	if (sw_spool_waiting(sp->spool) == 0)
		spool_emptied(s, sp);
	if (s->held && sw_spool_waiting(s->spools[0].spool) == 0)
		store_unhold(s);
}

static void store_kick(struct store *s)
{
	const struct sw_spool *own = s->spools[0].spool;

	if (s->held && (!sw_bus_up(s->bus) || !own || sw_spool_waiting(own) == 0))
		store_unhold(s);
	if (!sw_bus_up(s->bus))
		return;
	for (unsigned i = 0; i < s->n_spools; i++) {
		struct spool *sp = &s->spools[i];
		int64_t waiting = sp->spool ? sw_spool_waiting(sp->spool) : 0;

		if (!waiting || sp->draining)
			continue;
		sp->draining = true;
		sw_bus_gateway(s->bus, sp->name, waiting, spool_offset, sp);
	}
}

static void spool_try_open(struct store *s, struct spool *sp)
{
	struct sw_spool_options o = { .dir = sp->dir, .gateway = sp->name, .bytes_max = s->spool_max };
	struct sw_err err = SW_ERR_INIT;

	if (sp->spool || !sp->dir)
		return;
	if (sw_spool_open(&o, &sp->spool, &err) < 0) {
		sp->spool = NULL;
		if (sp == &s->spools[0])
			spool_trouble(s, sp, &err);
		sw_timer_set(&s->again, AGAIN);
		return;
	}
	if (sp == &s->spools[0])
		spool_well(s, sp);
	if (sw_spool_waiting(sp->spool))
		SW_INFO(LOG, "spool %s: %lld bytes wait for Redis", sp->name, (long long)sw_spool_waiting(sp->spool));
}

static void store_again(void *arg)
{
	struct store *s = arg;

	for (unsigned i = 0; i < s->n_spools; i++)
		spool_try_open(s, &s->spools[i]);
	store_kick(s);
}

/* What Redis is set to is asked at every connect and once a minute: each change is told. */
static void store_weak(struct store *s)
{
	const char *weak = sw_bus_up(s->bus) ? sw_bus_weakness(s->bus) : s->weak;

	if (weak == s->weak)
		return;
	s->weak = weak;
	if (!weak)
		SW_INFO(LOG, "Redis keeps what it takes again");
	else if (sw_bus_durable(s->bus))
		SW_WARN(LOG, "%s", weak);
	else
		SW_WARN(LOG, "%s; %s", weak,
		        s->spools[0].spool ? "deliveries are synced in the spool first" : "deliveries are refused, there is no spool");
}

static void store_presence(void *arg)
{
	struct store *s = arg;

	store_weak(s);
	if (sw_bus_up(s->bus))
		for (unsigned i = 0; i < s->n_spools; i++)
			if (s->spools[i].spool || i == 0)
				sw_bus_gateway(s->bus, s->spools[i].name,
				               s->spools[i].spool ? sw_spool_waiting(s->spools[i].spool) : 0, presence_told, s);
	store_kick(s);
	sw_timer_set(&s->presence, PRESENCE_EVERY);
}

static void store_on_state(void *arg, bool up, const char *why)
{
	struct store *s = arg;
	int64_t masters;

	if (s->freed)
		return;
	(void)snprintf(s->redis_why, sizeof s->redis_why, "%s", up ? "" : why ? why : "not connected");
	if (!up) {
		store_unhold(s);
		SW_WARN(LOG, "Redis is away: %s; %s", s->redis_why,
		        s->spools[0].spool ? "deliveries go to the spool" : "deliveries are refused, there is no spool");
		return;
	}
	s->weak = NULL;
	store_weak(s);
	if (!s->weak || why)
		SW_INFO(LOG, "Redis is there%s%s", why ? ": " : "", why ? why : "");
	masters = sw_bus_info(s->bus) ? sw_bus_info(s->bus)->masters : 0;
	sw_metric_add(s->g->meters.masters, NULL, (double)(masters - s->masters));
	s->masters = masters;
	sw_timer_set(&s->presence, 0);
}

/* ---- beginning and end ---- */

static void spool_add(struct store *s, const char *state_dir, unsigned k)
{
	struct spool *sp = &s->spools[s->n_spools];
	char text[4096];
	size_t base = strlen(s->g->name);

	if (s->n_spools == SPOOLS_MAX)
		return;
	s->n_spools++;
	sp->s = s;
	/* The name ends in the number of the process. */
	while (base && s->g->name[base - 1] != '-')
		base--;
	(void)snprintf(text, sizeof text, "%.*s%u", (int)base, s->g->name, k);
	sp->name = sw_strdup(text);
	if (!state_dir)
		return;
	(void)snprintf(text, sizeof text, "%s/spool-%u", state_dir, k);
	sp->dir = sw_strdup(text);
	spool_try_open(s, sp);
}

/* What more processes left behind when there were more of them: the first process drains it. */
static void spool_orphans(struct store *s, const char *state_dir, unsigned processes)
{
	DIR *dir = opendir(state_dir);
	struct dirent *d;

	while (dir && (d = readdir(dir)) != NULL) {
		char *end;
		unsigned long k;

		if (!sw_starts(d->d_name, "spool-") || d->d_name[6] < '0' || d->d_name[6] > '9')
			continue;
		k = strtoul(d->d_name + 6, &end, 10);
		if (!*end && k >= processes && k < 1000)
			spool_add(s, state_dir, (unsigned)k);
	}
	if (dir)
		(void)closedir(dir);
}

int sw_store_new(struct gateway *g, const char *redis_url, const char *state_dir, int64_t spool_max, unsigned processes,
                 struct store **ret, struct sw_err *err)
{
	struct store *s = sw_calloc(1, sizeof *s);
	struct sw_bus_options o = { .url = redis_url, .on_state = store_on_state, .arg = s };
	int r;

	s->g = g;
	s->last = &s->first;
	s->held_last = &s->held;
	s->sync = (struct sw_defer){ .cb = store_sync, .arg = s };
	s->spool_max = spool_max / (int64_t)processes;
	sw_timer_init(&s->presence, g->loop, store_presence, s);
	sw_timer_init(&s->again, g->loop, store_again, s);
	(void)snprintf(s->redis_why, sizeof s->redis_why, "not connected yet");
	(void)snprintf(s->spool_why, sizeof s->spool_why, "%s", state_dir ? "" : "off: no state_dir");
	r = sw_bus_new(g->loop, &o, &s->bus, err);
	if (r < 0) {
		free(s);
		return r;
	}
	spool_add(s, state_dir, g->index);
	if (state_dir && g->index == 0)
		spool_orphans(s, state_dir, processes);
	sw_timer_set(&s->presence, PRESENCE_EVERY);
	*ret = s;
	return 0;
}

void sw_store_free(struct store *s)
{
	struct put *p;

	if (!s)
		return;
	while ((p = s->held) != NULL) {
		s->held = p->next;
		store_spool(p);
	}
	if (s->first)
		store_sync(s);
	sw_defer_cancel(&s->sync);
	s->freed = true;
	sw_timer_stop(&s->presence);
	sw_timer_stop(&s->again);
	sw_bus_free(s->bus);
	for (unsigned i = 0; i < s->n_spools; i++) {
		sw_spool_free(s->spools[i].spool);
		free(s->spools[i].name);
		free(s->spools[i].dir);
	}
	free(s);
}

struct sw_bus *sw_store_bus(struct store *s)
{
	return s->bus;
}

void sw_store_state(const struct store *s, struct store_state *ret)
{
	const struct spool *own = &s->spools[0];
	const struct sw_bus_info *info = sw_bus_info(s->bus);

	*ret = (struct store_state){
		.redis_up = sw_bus_up(s->bus), .spool_on = own->dir != NULL, .spool_ok = own->spool && !own->failed,
		.rtt = info ? info->rtt_ms : 0, .redis_why = s->redis_why, .spool_why = s->spool_why,
	};
	ret->redis_durable = ret->redis_up && sw_bus_durable(s->bus);
	if (ret->redis_up && sw_bus_weakness(s->bus))
		ret->redis_why = sw_bus_weakness(s->bus);
	if (ret->redis_up && s->refused_at && sw_loop_mono(s->g->loop) - s->refused_at < REFUSED_FOR) {
		ret->redis_durable = false;
		ret->redis_why = s->refused_why;
	}
	for (unsigned i = 0; i < s->n_spools; i++)
		if (s->spools[i].spool)
			ret->spool_bytes += sw_spool_waiting(s->spools[i].spool);
	ret->can_take = ret->redis_durable || ret->spool_ok;
}
