/*
 * The bus: everything that lives in Redis, as typed operations. One operation = one script = all or nothing (state.md).
 *
 *   gateway ─enqueue─▶ in ─intake─▶ work ─commit─▶ aggregate, timers, tells, rings, journal
 *                                    ▲   │
 *                    move: due timers┘   └ append: results of I/O, commands
 *
 * Two implementations that behave the same and are tested against each other: redis.c (with scripts/ *.lua, put into the program by
 * the build) and mem.c. Every call is asynchronous: the callback runs later in the loop's thread, exactly once, also when the
 * connection is lost (then with -EIO: the outcome is unknown) or the bus is closed (-ECANCELED). Arguments are copied by the call.
 * Strings in replies live until the callback returns.
 *
 * Keys, all under one hash tag:
 *   {sw}:in {sw}:work   streams, group "w"          {sw}:timers   sorted set "aggregate|name" by due time
 *   {sw}:<aggregate>    hash: fmt, v, s (JSON)       {sw}:ring:<id>:<signal>  string, 16 bytes a sample
 *   {sw}:seen:<n>       set of digests of 6 hours    {sw}:once:<digest> short ones
 *   {sw}:sha:<repo>:<sha>, {sw}:pushes:<repo>/<ref>  {sw}:rules:<hash>   {sw}:body:<id>
 *   {sw}:ask:<action> {sw}:ask-key:<action>  what the page of a question shows, the random part of its link
 *   {sw}:chan:<credential>  pacing and hold          {sw}:acts  starts of actions   {sw}:fails  which services fail now
 *   {sw}:ctl            hash: offset, last, lineage, counter, run_id, back_at, hold, hold_by, hold_why
 *   {sw}:spool:<gateway>  offset drained
 *   {sw}:gateways {sw}:workers  hashes of presence   {sw}:journal {sw}:dead  streams    {sw}:trying hash
 */
#ifndef SW_BUS_BUS_H
#define SW_BUS_BUS_H

#include "model/command.h"
#include "shipwatch/base.h"
#include "shipwatch/err.h"
#include "shipwatch/mem.h"

struct sw_loop;
struct sw_bus;

struct sw_bus_options {
	const char *url;        /* see bus/address.h; NULL: memory */
	sw_dur timeout;         /* of one command; 0: 2 s. Past it the connection is cut and opened anew */
	unsigned connections;   /* for enqueue, spread; 0: 4. Workers use 2: one blocks, one works */
	int64_t bytes_in_flight; /* enqueue refuses with -EAGAIN above it; 0: 64 MiB */
	int64_t in_max_bytes;   /* our own cap of {sw}:in when Redis has no maxmemory; 0: 1 GiB */
	/* Each change of reachability, for the log. why of up: behind sentinels who is the master, and who was; else NULL */
	void (*on_state)(void *arg, bool up, const char *why);
	void *arg;
};

SW_CHECKED int sw_bus_new(struct sw_loop *loop, const struct sw_bus_options *opt, struct sw_bus **ret, struct sw_err *err);
void sw_bus_free(struct sw_bus *bus);  /* not from within its callbacks */
bool sw_bus_up(const struct sw_bus *bus);
/* sw_now as last told by Redis plus what has passed here since; 0 before the first contact. */
sw_ms sw_bus_now(const struct sw_bus *bus);

/* What Redis is and is set to; asked at every connect and once a minute. */
struct sw_bus_info {
	char run_id[48], version[24];
	bool appendonly, always, noeviction, cluster, replica;
	bool aof_ok;                    /* aof_last_write_status:ok */
	int64_t maxmemory, used_memory;
	sw_dur rtt_ms;
	int64_t masters;                /* how often the sentinels named another master than before */
};
const struct sw_bus_info *sw_bus_info(const struct sw_bus *bus); /* NULL before the first contact */
/*
 * -errno of all callbacks: -EIO connection lost or no answer in time, outcome unknown; -ENOTCONN not connected, nothing was done;
 * -ECANCELED the bus is being freed; -EAGAIN busy or loading; -ENOMEM maxmemory reached; -ENOSPC its disk is full or broken
 * (MISCONF); -EROFS a replica; -EACCES not allowed; -EBADMSG a key of ours holds a wrong type; -EPROTO anything else.
 * All but -EIO and -ECANCELED: nothing was done. What Redis said last when it refused, escaped; "" if it never did.
 */
const char *sw_bus_error(const struct sw_bus *bus);
/* Durable at once: appendonly and appendfsync always. */
bool sw_bus_durable(const struct sw_bus *bus);
/* Why Redis may lose what it took, as it was asked last: one of a few constant texts. NULL: it keeps it, or is not known yet. */
const char *sw_bus_weakness(const struct sw_bus *bus);

/* ---- coming in ---- */

enum { SW_ENQ_QUEUED, SW_ENQ_DUPLICATE, SW_ENQ_FULL /* over half of maxmemory or our own cap */ };

struct sw_entry_in {
	const char *id;             /* own entry id, unique for ever (ULID-like text) */
	const char *source, *kind;  /* "gitlab", "gitlab" */
	const char *meta;           /* JSON: headers kept, content type, delivery */
	const char *dedupe;         /* text; digested together with source; never NULL */
	sw_dur dedupe_for;
	const void *body;           /* as kept: zstd frame or raw */
	size_t body_n;
	int64_t raw_n;              /* >= 0: body is a zstd frame of so many bytes; -1: raw */
	sw_ms arrived;
};
/* r: SW_ENQ_*, or -errno (-EIO: unknown; -EAGAIN: too much in flight; -ENOTCONN: down). stream_id on QUEUED. */
typedef void (*sw_enqueue_cb)(void *arg, int r, const char *stream_id);
/* Joined with all others of this loop turn into one script call per connection. */
void sw_bus_enqueue(struct sw_bus *bus, const struct sw_entry_in *e, sw_enqueue_cb cb, void *arg);
/* From the spool of `gateway`: entries in order and the new offset, one script; those already in are skipped. r: 0 or -errno. */
typedef void (*sw_done_cb)(void *arg, int r);
/* -ENOMEM: full (as SW_ENQ_FULL); nothing was taken and the offset stands. */
#define SW_DRAIN_MAX 128 /* entries in one call */
void sw_bus_drain(struct sw_bus *bus, const char *gateway, const struct sw_entry_in *e, size_t n, int64_t offset, sw_done_cb cb, void *arg);
/* Presence of a gateway: bytes waiting in its spool; forgotten after 30 s. Returns through cb the drained offset (-1: none known). */
typedef void (*sw_int_cb)(void *arg, int r, int64_t value);
void sw_bus_gateway(struct sw_bus *bus, const char *gateway, int64_t spool_bytes, sw_int_cb cb, void *arg);

/* ---- work ---- */

enum sw_stream { SW_STREAM_WORK, SW_STREAM_IN };

struct sw_entry {
	enum sw_stream stream;
	const char *id;             /* stream id */
	bool reclaimed;             /* taken over from a worker that went silent: run it alone, marked */
	/* WORK */
	const char *aggregate, *msg; /* msg: JSON */
	/* IN */
	const char *own_id, *source, *kind, *meta;
	const void *body;           /* inflated */
	size_t body_n;
	sw_ms arrived;
	const char *broken;         /* body could not be read (missing, inflation failed): why; else NULL */
};

/* Entries for this consumer; borrowed during the call (copy what you keep). work before in. n 0: reading has ended. */
typedef void (*sw_read_cb)(void *arg, const struct sw_entry *entries, size_t n);
/*
 * Starts reading as consumer (blocking reads of 5 s on a connection of its own). After each callback reading pauses until
 * sw_bus_read_more, so that a worker is never given more than it can do. count: at most so many of each stream.
 */
void sw_bus_read(struct sw_bus *bus, const char *consumer, unsigned count, sw_read_cb cb, void *arg);
void sw_bus_read_more(struct sw_bus *bus);
/*
 * No more is asked for. What was given to us already still comes through the callback, without sw_bus_read_more; the last call has
 * n 0, and then nobody else has to wait until we are silent. sw_bus_read_stop: at once, what was given is left to others.
 */
void sw_bus_read_end(struct sw_bus *bus);
void sw_bus_read_stop(struct sw_bus *bus);

struct sw_tell { const char *aggregate, *msg; };
struct sw_keep { const char *key, *value; sw_dur ttl; bool list; int cap; }; /* below {sw}: write once, or list: push on the left, capped */

/* Raw entry done: its facts to work, its commits kept, acknowledged and deleted; nothing if it was already done. r: 0, 1 = was done before, -errno */
struct sw_intake {
	const char *id;             /* in entry */
	const struct sw_tell *facts;
	size_t n_facts;
	const struct sw_keep *keeps;
	size_t n_keeps;
	const char *journal;        /* JSON or NULL */
};
void sw_bus_intake(struct sw_bus *bus, const struct sw_intake *in, sw_done_cb cb, void *arg);

/* An aggregate with all a step wants to read. */
struct sw_load {
	const char *aggregate;
	const char *const *rings;   /* "<deployment>:<signal>", NULL-ended or NULL */
	const char *const *keeps;   /* keys below {sw}: ("sha:…", "pushes:…"), NULL-ended or NULL; lists come as a JSON array text (their items are JSON),
	                               of another aggregate its state */
};
struct sw_loaded {
	int64_t v;                  /* 0: does not exist */
	int fmt;
	const char *state;          /* JSON or NULL */
	size_t state_n;
	struct { const void *p; size_t n; } rings[64];
	const char *keeps[128];     /* NULL: not there */
	const char *fails;          /* JSON object service → since ms, of the last 60 min */
	const char *hold;           /* why everything is on hold; NULL: it is not */
	sw_ms now;
};
typedef void (*sw_load_cb)(void *arg, int r, const struct sw_loaded *l);
void sw_bus_load(struct sw_bus *bus, const struct sw_load *l, sw_load_cb cb, void *arg);

#define SW_FMT 1                /* format of aggregates this program writes; newer ones are left to newer workers */

enum { SW_COMMIT_OK, SW_COMMIT_CONFLICT /* version moved */, SW_COMMIT_GONE /* an entry was done by another */,
       SW_COMMIT_REFUSED /* a guard said no: reason, wait */ };

struct sw_timer_set { const char *name; sw_ms due; }; /* due 0: remove. aggregate's own; a new time overwrites */
struct sw_ring_add { const char *ring; const void *p; size_t n; };

/* Not named sw_commit: event.h has a struct of that name (a commit of git) and layer 5 includes both. */
struct sw_change {
	const char *aggregate;
	int64_t v;                  /* version it was loaded with */
	const char *state;          /* new JSON; NULL: unchanged (version is compared, not moved); "": delete */
	size_t state_n;
	sw_dur ttl;                 /* 0: for ever */
	const char *const *acks;    /* work entries folded into this, NULL-ended; every one must still be pending */
	const struct sw_timer_set *timers;
	size_t n_timers;
	const struct sw_tell *tells;
	size_t n_tells;
	const struct sw_ring_add *rings;
	size_t n_rings;
	const struct sw_keep *keeps;
	size_t n_keeps;
	const char *journal;        /* JSON or NULL */
	const char *fails_add, *fails_del; /* a service fails from now, fails no more; or NULL */
	const char *rules_hash, *rules_source; /* pinned rules to keep, once; or NULL */
	size_t rules_source_n;
	/* guards, all checked before anything is written */
	const char *start_action;   /* id: refuse if it was ever started, everything or `start_place` is on hold, oldest of in older
	                               than 2 s, a gateway has a spool, Redis came back < 10 s ago, 3 starts in 10 min in all (then
	                               everything goes on hold) */
	const char *start_place;    /* "web/prod" */
	const char *pace_credential; /* refuse while it is held, or pace_count were sent in pace_per; else count this one */
	int pace_count;
	sw_dur pace_per;
	int pace_calm;              /* and while so many were sent within a minute; 0: no matter */
	int pace_month;             /* 202611: its calls are counted by months; 0: they are not */
	const char *hold_credential; /* hold it until hold_until */
	sw_ms hold_until;
	/* a dead letter that belongs to this commit (an alert that could not be delivered): why and the whole of it; or NULL */
	const char *dead_reason, *dead_body;
};
struct sw_committed {
	int64_t v;                  /* OK: the new version */
	const char *reason;         /* REFUSED: "hold", "started", "backlog", "spool", "redis-back", "cap", "paced", "held";
	                               "fmt": written by a newer program; "timers": 200,000 are set */
	sw_dur wait;                /* REFUSED by pace: at least so long */
	int64_t calls;              /* OK: of the paced credential in pace_month, this one included; 0: not counted */
	const char *gone;           /* GONE: the first ack that is; the others may still be pending: commit again without it */
	sw_ms now;
};
typedef void (*sw_commit_cb)(void *arg, int r, const struct sw_committed *c); /* r: SW_COMMIT_* or -errno */
void sw_bus_commit(struct sw_bus *bus, const struct sw_change *c, sw_commit_cb cb, void *arg);

/* A message to an aggregate that is nobody's commit: a result of I/O, a command of a person. */
void sw_bus_append(struct sw_bus *bus, const char *aggregate, const char *msg, sw_done_cb cb, void *arg);

/*
 * Housekeeping of a worker, one script every 2 s (or at the next due time): moves due timers to work (message
 * {"t":"timer","name":…,"due":…}; due is its generation), keeps the clock at rate 1, notes presence, answers what is going on.
 * Reclaimed entries (idle > 5 s, of consumers silent that long) come through the read callback with reclaimed set.
 */
struct sw_tick { sw_ms now, next_due /* 0: none */; int64_t moved, in_n, work_n, dead_n; sw_ms in_oldest; bool held; bool rewound; int64_t gone /* workers that fell silent in the last 10 min without leaving */; };
typedef void (*sw_tick_cb)(void *arg, int r, const struct sw_tick *t);
void sw_bus_tick(struct sw_bus *bus, sw_tick_cb cb, void *arg);
/* Where this process remembers lineage and counter (a file in state_dir; NULL: nowhere). Set before the first contact. */
void sw_bus_remember(struct sw_bus *bus, const char *path);

/* Before running a reclaimed entry alone: how often it was begun so (this time included). */
void sw_bus_trying(struct sw_bus *bus, enum sw_stream s, const char *id, sw_int_cb cb, void *arg);
/* To the dead letters with the reason, acknowledged, one script. Only entries of this bus. */
void sw_bus_bury(struct sw_bus *bus, enum sw_stream s, const char *id, const char *reason, sw_done_cb cb, void *arg);
/* Back to whoever sweeps next (a newer worker, for a newer format): comes again as reclaimed, after 5 s at the earliest. */
void sw_bus_give_back(struct sw_bus *bus, enum sw_stream s, const char *id, sw_done_cb cb, void *arg);
/* A dead letter about something that is no stream entry (an undeliverable message): kind "alert", body JSON. */
void sw_bus_dead_add(struct sw_bus *bus, const char *kind, const char *reason, const char *body, sw_done_cb cb, void *arg);

/* ---- operators ---- */

/* A dead letter goes: again: what it was about is tried once more (an event is taken in again, a message goes to its aggregate, an
 * undeliverable alert to its channel). by: who and by which way, for the journal, where the time is Redis's own; NULL: not known. Value: 0
 * done, 1 there is no such letter, 2 nothing of it can be tried again */
void sw_bus_dead_end(struct sw_bus *bus, const char *id, bool again, const struct sw_decider *by, sw_int_cb cb, void *arg);

/* by: who and by which way; on everything (scope NULL) or "service" or "service/env". r: 0 or -errno */
void sw_bus_hold(struct sw_bus *bus, const char *scope, bool on, const struct sw_decider *by, const char *why, sw_done_cb cb, void *arg);
/* A text reply: JSON; NULL with r 0: there is no such thing; -EINVAL: no such query. dead list: newest first; from: "-" or the id
 * of the last one seen. keys: "status" (queue lengths, ages, ctl, workers, gateways, holds, dead count, timers count), "status <id>" (also
 * journal_waits_ms: how long the first line of the journal after that id is there already; 0: there is none),
 * "dead list <from> <count>", "dead show <id>", "aggregates <prefix> <count>" (names), "aggregate <name>" (v, state) */
typedef void (*sw_text_cb)(void *arg, int r, const char *json);
void sw_bus_query(struct sw_bus *bus, const char *what, sw_text_cb cb, void *arg);
/* Text of pinned rules; NULL if unknown. */
void sw_bus_rules(struct sw_bus *bus, const char *hash, sw_text_cb cb, void *arg);

/* ---- the journal: what every step took and made, what was taken in, what people decided ---- */

struct sw_journal_line { const char *id, *json; size_t n; }; /* id: of the stream, "1795857292816-0" */
/*
 * Where the journal begins and ends: with it a reader knows what it did not see. Entries go only from the front (256 MiB stay), so
 * before `first` there were added - length. A `last` below what was read, or another lineage: this is another Redis, or an older one.
 */
struct sw_journal_ends {
	const char *first, *last;   /* "0-0": there is none */
	int64_t length, added;      /* added: ever; -1: this Redis does not count them (before 7.0) */
	const char *lineage;        /* "" before a worker was there */
};
#define SW_JOURNAL_MAX 512
/*
 * r: how many lines; 0 none came; -errno. more: as many as fit, there may be more right behind. ends NULL: nobody looked, what comes continues
 * where `from` was. Strings live until the callback returns.
 */
typedef void (*sw_journal_cb)(void *arg, int r, const struct sw_journal_line *lines, bool more, const struct sw_journal_ends *ends);
/*
 * Lines after `from` ("0-0": all there are), at most count (and SW_JOURNAL_MAX; fewer where they are large). At the first call, after
 * each new connection, while there is more than fits and once a minute ends are looked up, and it answers at once; else it waits for
 * up to `wait` (5 s at most) for a line. On a connection of its own, opened by the first call. One call at a time.
 */
void sw_bus_journal(struct sw_bus *bus, const char *from, unsigned count, sw_dur wait, sw_journal_cb cb, void *arg);

/* Memory only: its clock (0: the loop's again), and running what is due when it was made without a loop (loop NULL). */
void sw_bus_mem_clock(struct sw_bus *bus, sw_ms now);
bool sw_bus_mem_run(struct sw_bus *bus); /* whether anything was called back */

/* A new own entry id: 26 characters, time first, unique. */
#define SW_ID_SIZE 27
void sw_id_new(sw_ms now, char ret[SW_ID_SIZE]);

#endif
