/* Inside of the bus in memory: its store, shared by mem.c (coming in, reading, housekeeping) and mem_commit.c (steps, queries). */
#ifndef SW_BUS_MEM_H
#define SW_BUS_MEM_H

#include "bus/impl.h"

struct mem_entry {
	struct mem_entry *prev, *next;
	enum sw_stream stream;
	char id[48];
	sw_ms ms;                          /* the time in the id */
	char *aggregate, *msg;
	char *own_id, *source, *kind, *meta;
	void *body;
	size_t body_n;
	int64_t raw_n;
	sw_ms arrived;
	char *consumer;                    /* NULL: not yet given to anybody */
	sw_ms given;
};

struct mem_stream { struct mem_entry *first, *last; struct sw_map by_id; int64_t n; sw_ms last_ms; int64_t last_seq; };

struct mem_agg { int64_t v; int fmt; char *s; size_t n; sw_ms expires; };
struct mem_bytes { struct sw_buf b; sw_ms expires; };
struct mem_keep { bool list; char **items; size_t n; sw_ms expires; }; /* list: newest first */
struct mem_time { sw_ms at; int64_t n; sw_ms expires; };
struct mem_chan { sw_ms hold_until; sw_ms sent[1000]; size_t n; int month; int64_t calls; };
struct mem_dead { struct mem_dead *next; char id[48]; struct bus_field f[16]; size_t n; sw_ms at; };

struct mem_line { struct mem_line *next; char id[48]; sw_ms ms; int64_t seq; size_t n; char json[]; };
struct mem_journal {
	struct mem_line *first, *last;
	int64_t n, added;
	size_t bytes;
	sw_ms last_ms;
	int64_t last_seq;
	/* a reader */
	sw_journal_cb cb;                  /* NULL: no call is under way */
	void *arg;
	char from[48];
	unsigned count;
	bool asked, unsure;                /* asked: ever; unsure: ends are to be told */
	struct sw_timer late;
};

/* A reply on its way to its callback. Everything it points to is in its arena. */
struct mem_late {
	struct mem_late *next;
	void (*run)(struct mem_late *l);
	union { sw_enqueue_cb enqueue; sw_done_cb done; sw_int_cb number; sw_text_cb text; sw_load_cb load; sw_commit_cb commit; sw_tick_cb tick; sw_journal_cb journal; } cb;
	void *arg;
	int r;
	int64_t number;
	const char *text;
	struct sw_loaded *loaded;
	struct sw_journal_line *lines;
	struct sw_journal_ends *ends;
	struct sw_committed committed;
	struct sw_tick tick;
	struct sw_arena arena;
};

struct mem {
	struct sw_bus base;
	struct sw_loop *loop;
	struct sw_bus_options opt;
	sw_ms clock;                       /* set from outside; 0: the loop's */
	struct sw_bus_info info;
	struct mem_late *first, **last;
	struct sw_defer later;
	bool told_up;
	struct mem_stream streams[2];      /* by enum sw_stream */
	struct sw_map aggs, timers, rings, seen, once, keeps, rules, chans, acts, fails, gateways, spools, workers, holds, trying;
	struct mem_dead *dead;             /* newest first */
	struct mem_journal journal;
	int64_t dead_n, in_bytes;
	bool hold;
	char *hold_by, *hold_why;
	sw_ms hold_at;
	int64_t counter;
	char *consumer;                    /* reading */
	unsigned count;
	sw_read_cb read_cb;
	void *read_arg;
	bool wanting, ending;
};

static inline struct mem *mem_of(struct sw_bus *bus) { return (struct mem *)(void *)bus; }

sw_ms mem_now(const struct mem *m);
struct mem_late *mem_late(struct mem *m, void (*run)(struct mem_late *), void *arg, int r);
void mem_run_done(struct mem_late *l);
void mem_run_text(struct mem_late *l);
struct mem_entry *mem_add(struct mem *m, enum sw_stream s);           /* at the end, with a new id */
struct mem_entry *mem_pending(struct mem *m, enum sw_stream s, const char *id); /* NULL: not given to anybody, or done */
void mem_done(struct mem *m, struct mem_entry *e);                    /* acknowledged and deleted */
void mem_tell(struct mem *m, const char *aggregate, const char *msg);
void mem_dead(struct mem *m, const char *kind, const char *reason, const struct mem_entry *e, const char *aggregate, const char *msg);
const char *mem_dead_text(const struct mem_dead *d, const char *name); /* "": it has none */
/* The value of a map whose entries expire; an expired one is freed by free_value and gone. */
void *mem_live(struct mem *m, struct sw_map *map, const char *key, sw_ms *(*expires)(void *), void (*free_value)(void *));
void mem_map_free(struct sw_map *map, void (*free_value)(void *));
void mem_keep_put(struct mem *m, const struct sw_keep *k);
void mem_agg_free(void *p);
void mem_bytes_free(void *p);
void mem_keep_free(void *p);

struct mem_time *mem_time(struct sw_map *map, const char *key);       /* there from now on */
void mem_run_number(struct mem_late *l);
void mem_reply(struct mem *m, int r, sw_done_cb cb, void *arg);

/* mem_in.c */
void mem_enqueue(struct sw_bus *bus, const struct sw_entry_in *e, sw_enqueue_cb cb, void *arg);
void mem_drain(struct sw_bus *bus, const char *gateway, const struct sw_entry_in *e, size_t n, int64_t offset, sw_done_cb cb, void *arg);
void mem_gateway(struct sw_bus *bus, const char *gateway, int64_t spool_bytes, sw_int_cb cb, void *arg);
void mem_read(struct sw_bus *bus, const char *consumer, unsigned count, sw_read_cb cb, void *arg);
void mem_read_more(struct sw_bus *bus);
void mem_read_end(struct sw_bus *bus);
void mem_read_stop(struct sw_bus *bus);
void mem_deliver(struct mem *m);

/* mem_journal.c */
void mem_note(struct mem *m, const char *json);                       /* a line of the journal */
void mem_journal(struct sw_bus *bus, const char *from, unsigned count, sw_dur wait, sw_journal_cb cb, void *arg);
sw_dur mem_journal_waits(const struct mem *m, const char *from);       /* how long the first line after it is there; 0: there is none */
void mem_journal_fini(struct mem *m);                                 /* a call that waits: -ECANCELED */

/* mem_commit.c */
void mem_load(struct sw_bus *bus, const struct sw_load *l, sw_load_cb cb, void *arg);
void mem_commit(struct sw_bus *bus, const struct sw_change *c, sw_commit_cb cb, void *arg);
void mem_query(struct sw_bus *bus, const char *what, sw_text_cb cb, void *arg);
void mem_rules(struct sw_bus *bus, const char *hash, sw_text_cb cb, void *arg);

#endif
