/* Inside of the bus: what an implementation offers, and the parts of the one on Redis that know each other. */
#ifndef SW_BUS_IMPL_H
#define SW_BUS_IMPL_H

#include "base/map.h"
#include "bus/bus.h"
#include "bus/redis.h"
#include "shipwatch/mem.h"

struct bus_ops {
	void (*free)(struct sw_bus *bus);
	bool (*up)(const struct sw_bus *bus);
	sw_ms (*now)(const struct sw_bus *bus);
	const struct sw_bus_info *(*info)(const struct sw_bus *bus);
	void (*enqueue)(struct sw_bus *bus, const struct sw_entry_in *e, sw_enqueue_cb cb, void *arg);
	void (*drain)(struct sw_bus *bus, const char *gateway, const struct sw_entry_in *e, size_t n, int64_t offset, sw_done_cb cb, void *arg);
	void (*gateway)(struct sw_bus *bus, const char *gateway, int64_t spool_bytes, sw_int_cb cb, void *arg);
	void (*read)(struct sw_bus *bus, const char *consumer, unsigned count, sw_read_cb cb, void *arg);
	void (*read_more)(struct sw_bus *bus);
	void (*read_end)(struct sw_bus *bus);
	void (*read_stop)(struct sw_bus *bus);
	void (*intake)(struct sw_bus *bus, const struct sw_intake *in, sw_done_cb cb, void *arg);
	void (*load)(struct sw_bus *bus, const struct sw_load *l, sw_load_cb cb, void *arg);
	void (*commit)(struct sw_bus *bus, const struct sw_change *c, sw_commit_cb cb, void *arg);
	void (*append)(struct sw_bus *bus, const char *aggregate, const char *msg, sw_done_cb cb, void *arg);
	void (*tick)(struct sw_bus *bus, sw_tick_cb cb, void *arg);
	void (*remember)(struct sw_bus *bus, const char *path);
	void (*trying)(struct sw_bus *bus, enum sw_stream s, const char *id, sw_int_cb cb, void *arg);
	void (*bury)(struct sw_bus *bus, enum sw_stream s, const char *id, const char *reason, sw_done_cb cb, void *arg);
	void (*give_back)(struct sw_bus *bus, enum sw_stream s, const char *id, sw_done_cb cb, void *arg);
	void (*dead_add)(struct sw_bus *bus, const char *kind, const char *reason, const char *body, sw_done_cb cb, void *arg);
	void (*dead_end)(struct sw_bus *bus, const char *id, bool again, const struct sw_decider *by, sw_int_cb cb, void *arg);
	void (*hold)(struct sw_bus *bus, const char *scope, bool on, const struct sw_decider *by, const char *why, sw_done_cb cb, void *arg);
	void (*query)(struct sw_bus *bus, const char *what, sw_text_cb cb, void *arg);
	void (*rules)(struct sw_bus *bus, const char *hash, sw_text_cb cb, void *arg);
	void (*journal)(struct sw_bus *bus, const char *from, unsigned count, sw_dur wait, sw_journal_cb cb, void *arg);
	const char *(*error)(const struct sw_bus *bus);
};

struct sw_bus { const struct bus_ops *ops; };

#define BUS_TICK_MOVES 400             /* timers a tick moves at most: a few ms of Redis */
#define BUS_DIGEST 12
#define BUS_BODY_INLINE 65536          /* compressed; larger bodies lie beside the stream */
#define BUS_RAW_MAX (80LL << 20)       /* of one body inflated: the largest that the gateway takes, and some */
#define BUS_RING_BYTES 16000
#define BUS_RINGS_MAX SW_COUNT(((struct sw_loaded *)0)->rings)
#define BUS_KEEPS_MAX SW_COUNT(((struct sw_loaded *)0)->keeps)

/* The delivery, and the entry itself, as short digests. */
void bus_digest(const char *source, const char *text, unsigned char ret[BUS_DIGEST]);
/* "dead list + 20" into words; returns how many. Cut into buf. */
size_t bus_words(const char *what, char buf[256], const char *words[4]);
struct bus_field { const char *name, *value; size_t n; };
const struct bus_field *bus_field(const struct bus_field *f, size_t n, const char *name); /* NULL: there is none */
/* {"id":…,"kind":…,…,"body":…} from the fields of a dead letter. */
void bus_dead_json(struct sw_buf *out, const char *id, const struct bus_field *f, size_t n, const void *kept, size_t kept_n);

/* What lineage and counter this process has seen, in a small file. */
struct bus_memory { int fd; char lineage[40]; int64_t counter; };
void bus_memory_open(struct bus_memory *m, const char *path);
void bus_memory_note(struct bus_memory *m, const char *lineage, int64_t counter);
void bus_memory_close(struct bus_memory *m);

struct sw_bus *bus_mem_new(struct sw_loop *loop, const struct sw_bus_options *opt);
int bus_remote_new(struct sw_loop *loop, const struct sw_bus_options *opt, struct sw_bus **ret, struct sw_err *err);

/* ---- the implementation on Redis: remote.c, and reader.c for its reading ---- */

struct remote;

struct reader {
	struct remote *b;
	struct sw_link *link;      /* blocking reads; NULL: not reading */
	char *consumer;
	unsigned count;
	sw_read_cb cb;
	void *arg;
	bool wanting;              /* read_more was called: the next entries may be handed out */
	bool asking;               /* a blocking read is under way */
	bool claiming;             /* a sweep is under way */
	bool ending;               /* nothing new is asked for */
	int64_t client_id;         /* of the connection, so that its read can be ended; 0: not known yet */
	bool began;                /* the first sweep for entries of our own name was done */
	bool own;                  /* the sweep under way looks through our own entries too */
	sw_dur own_at;             /* when that was done last */
	bool left;                 /* others left something, or the last sweep found as many as it may: another when the worker wants more */
	bool own_due;              /* the same for our own entries whose replies were lost */
	bool history;              /* our own entries must be looked through: the connection was lost */
	struct held *first, **last;
	size_t fetching;           /* bodies that lie beside the stream, asked for */
	struct sw_map known;       /* "w:<id>": entries handed out and not yet done */
	struct sw_defer later;
	struct sw_timer pause;     /* after a refusal */
};

/* journal.c */
struct journal {
	struct remote *b;
	struct sw_link *link;      /* NULL: nobody has asked yet */
	sw_journal_cb cb;          /* NULL: no call is under way */
	void *arg;
	char from[48];
	unsigned count;
	sw_dur wait;
	bool asked;                /* its command is under way */
	bool unsure;               /* ends are to be looked up before what comes can be taken for what is next */
	bool have_ends;            /* they were, for this call */
	char first[48], last[48], lineage[48];
	int64_t length, added;
	sw_dur looked;             /* when that was last */
	size_t mean;               /* bytes of a line */
	unsigned most;             /* lines at once: fewer after a reply that did not come */
	struct sw_timer late;      /* the connection is waited for */
};

struct enq_item;
struct taken;
struct intake_list { struct taken *first, **last; struct sw_defer flush; };

struct remote {
	struct sw_bus base;
	struct sw_loop *loop;
	struct sw_bus_options opt;
	struct sw_client *client;
	struct sw_link *work, **enq;
	unsigned n_enq;
	struct sw_timer minute;
	struct sw_bus_info info;
	bool have_info, was_up;
	sw_dur asked_at;
	sw_ms now;                 /* as Redis told at now_boot */
	sw_dur now_boot;
	struct enq_item *first, **last;
	size_t n_items;
	int64_t bytes;
	struct sw_defer flush;
	struct intake_list intakes;
	int64_t journal_mean;
	sw_ms tick_now;            /* of the last tick, and when that was here: what the next may be */
	sw_dur tick_boot;
	struct bus_memory memory;
	struct reader reader;
	struct journal journal;
};

static inline struct remote *remote_of(struct sw_bus *bus) { return (struct remote *)(void *)bus; }

/* A call with a callback of one of the kinds; ids: what is off our hands when it went well. */
struct op {
	struct remote *b;
	union { sw_done_cb done; sw_int_cb number; sw_text_cb text; sw_load_cb load; sw_commit_cb commit; sw_tick_cb tick; } cb;
	void *arg;
	enum sw_stream stream;
	char **ids;
	size_t n_ids, n_rings, n_keeps;
	char *word;                    /* query: its argument */
	size_t limit;
	struct sw_map names;
	struct bus_field fields[32];
	size_t n_fields;
	struct sw_arena arena;
};

struct op *op_new(struct sw_bus *bus, void *arg);
void op_free(struct op *o);
void op_id(struct op *o, const char *id);
void op_send(struct op *o, struct sw_cmd *cmd, sw_rep_cb cb);   /* on the working connection */
void op_done(void *arg, int r, const struct sw_rep *rep);       /* for op_send: the plain endings */
void op_number(void *arg, int r, const struct sw_rep *rep);
void op_text(void *arg, int r, const struct sw_rep *rep);
void remote_now_set(struct remote *b, sw_ms now);
void put_tells(struct sw_cmd *cmd, const struct sw_tell *t, size_t n);
void put_keeps(struct sw_cmd *cmd, const struct sw_keep *k, size_t n);
int64_t remote_journal_max(struct remote *b, const char *journal); /* journal: written next, counts in the mean; may be NULL */

/* enqueue.c */
void remote_enqueue(struct sw_bus *bus, const struct sw_entry_in *e, sw_enqueue_cb cb, void *arg);
void remote_drain(struct sw_bus *bus, const char *gateway, const struct sw_entry_in *e, size_t n, int64_t offset, sw_done_cb cb, void *arg);
void remote_gateway(struct sw_bus *bus, const char *gateway, int64_t spool_bytes, sw_int_cb cb, void *arg);
void enqueue_flush(void *remote);
void enqueue_cancel(struct remote *b);               /* what still waits: -ECANCELED */

/* taken.c */
void remote_intake(struct sw_bus *bus, const struct sw_intake *in, sw_done_cb cb, void *arg);
void intake_flush(void *remote);
void intake_cancel(struct remote *b);                /* what still waits: -ECANCELED */

/* query.c */
void remote_query(struct sw_bus *bus, const char *what, sw_text_cb cb, void *arg);
void remote_rules(struct sw_bus *bus, const char *hash, sw_text_cb cb, void *arg);

/* journal.c */
void remote_journal(struct sw_bus *bus, const char *from, unsigned count, sw_dur wait, sw_journal_cb cb, void *arg);
void journal_init(struct remote *b);
void journal_cancel(struct remote *b);               /* a call that waits: -ECANCELED */

/* info.c: asked at every connect and once a minute; the last answer makes the connection ready. */
void info_ask(void *remote);

/* reader.c */
void reader_read(struct sw_bus *bus, const char *consumer, unsigned count, sw_read_cb cb, void *arg);
void reader_more(struct sw_bus *bus);
void reader_end(struct sw_bus *bus);
void reader_stop(struct sw_bus *bus);
void reader_sweep(struct remote *b, bool left);      /* a tick was done; left: somebody silent left entries */
void reader_work_up(struct remote *b);               /* the work connection is (again) there */
void reader_done(struct remote *b, enum sw_stream s, const char *id); /* this entry is off our hands */

#endif
