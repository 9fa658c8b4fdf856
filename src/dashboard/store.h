/*
 * The history in one SQLite file (schema.sql): written by the recorder, read by everybody else. Nothing depends on it: a file that is
 * lost is made anew from the journal.
 *
 * One process writes (a lock beside the file keeps a second one out), any number read; WAL, so neither waits for the other.
 * A broken file is moved aside ("history.db.broken-<time>") and a new one begun; a full disk or a read-only one is -ENOSPC, -EROFS: the
 * caller says so once and tries again later.
 */
#ifndef SW_DASHBOARD_STORE_H
#define SW_DASHBOARD_STORE_H

#include "shipwatch/base.h"
#include "shipwatch/err.h"
#include "shipwatch/mem.h"

struct sw_buf;
struct sw_store;

enum sw_store_mode { SW_STORE_READ, SW_STORE_WRITE };
/*
 * WRITE: made when it is absent, brought up to date when it is older, moved aside and made anew when it is seen to be broken; it is not looked
 * through (sw_store_verify). READ: as it is. Return: 0, or with err in one line: -EBUSY another process writes it; -EPROTO
 * no history, written by a newer program, or (READ) by an older one and not brought up to date yet; -ENOENT (READ) not there yet;
 * -EBADMSG (READ) broken; -ENOSPC, -EROFS, -EACCES, -EIO.
 * A connection is not carried over a fork: a child of a process that has one open cannot open any (-EDEADLK); close it before.
 */
SW_CHECKED int sw_store_open(const char *path, enum sw_store_mode mode, struct sw_store **ret, struct sw_err *err);
struct sw_store *sw_store_close(struct sw_store *s); /* NULL does nothing; returns NULL */
/* What was found when it was opened, for the log: "was broken (…): moved to …, begun anew"; NULL: nothing. */
const char *sw_store_note(const struct sw_store *s);
/*
 * Is all of it whole? Reads every page while others read and write it: seconds for gigabytes that are in memory, else as the disk is. What is written
 * meanwhile stays in its log until then. Return: 0; -EBADMSG broken, err says how; else -errno with err: it could not be looked through.
 */
SW_CHECKED int sw_store_verify(const char *path, struct sw_err *err);
/* Its file was removed, moved aside or replaced: close it and open it again. */
bool sw_store_gone(const struct sw_store *s);

/* ---- writing: the recorder (fold.c) ---- */

struct sw_journal_entry { const char *id, *json; size_t n; }; /* id: of the stream, "1795857292816-0" */

/* Where it stands: the id of the last entry that is in the file, or (a writer) held to be, "0-0" at first. In a. */
const char *sw_store_position(struct sw_store *s, struct sw_arena *a);
/* Likewise: which entry of all that were ever added to the journal that is (0: none, or not known); whose journal it is (NULL: not known). */
int64_t sw_store_position_n(struct sw_store *s);
const char *sw_store_lineage(struct sw_store *s, struct sw_arena *a);
/* What a batch touched, for those who look: bits of SW_TOUCHED_*. */
enum { SW_TOUCHED_EVENTS = 1, SW_TOUCHED_BUILDS = 2, SW_TOUCHED_DEPLOYMENTS = 4, SW_TOUCHED_WATCHES = 8, SW_TOUCHED_SAMPLES = 16, SW_TOUCHED_ALERTS = 32,
       SW_TOUCHED_DELIVERIES = 64, SW_TOUCHED_ACTIONS = 128, SW_TOUCHED_DECISIONS = 256 };
/*
 * Entries in order and the new position, one transaction. An entry that cannot be understood is counted and left out. Return: 0, or
 * -errno with err: nothing of the batch is in, nor of those before it that were held.
 */
SW_CHECKED int sw_store_apply(struct sw_store *s, const struct sw_journal_entry *e, size_t n, unsigned *ret_touched, struct sw_err *err);
/* The same, and what goes with the position. */
struct sw_store_at {
	const char *position;               /* NULL: the id of the last entry */
	int64_t added;                      /* which entry of all that is; -1: not known */
	const char *lineage;                /* NULL: as before */
	bool more;                          /* more comes at once: it may be held, to become one transaction with that */
};
SW_CHECKED int sw_store_apply_at(struct sw_store *s, const struct sw_journal_entry *e, size_t n, const struct sw_store_at *at, unsigned *ret_touched,
                                 struct sw_err *err);
/*
 * Batches that are held are in the file, for readers and after a crash, with the first batch that is not (8,192 entries or one second later at the
 * latest, if more batches come), or by sw_store_commit, or when it is closed. *ret_touched of a held batch is 0; those of the transaction come with its end.
 */
bool sw_store_held(const struct sw_store *s);
SW_CHECKED int sw_store_commit(struct sw_store *s, unsigned *ret_touched, struct sw_err *err); /* Return: as apply */
/* Entries or rows that could not be understood since it was opened. */
uint64_t sw_store_skipped(const struct sw_store *s);
/* Something is missing between two entries (either may be NULL). */
SW_CHECKED int sw_store_gap(struct sw_store *s, sw_ms at, const char *after, const char *before, const char *why, struct sw_err *err);

/* How long things stay (prune.c). */
struct sw_keeping { sw_dur keep, keep_samples; int64_t bytes_max; /* 0: no matter */ };
/*
 * One slice of what is too old or too much goes: some thousand rows. *ret_cut: because of the size what is older than this went, though it is kept
 * longer else; 0: not so. Return: 1 there may be more; 0 nothing is left to do; -errno with err.
 */
SW_CHECKED int sw_store_prune(struct sw_store *s, const struct sw_keeping *k, sw_ms now, sw_ms *ret_cut, struct sw_err *err);
/* Bytes of the file that are in use. */
int64_t sw_store_bytes(struct sw_store *s);
/* What stands in the log goes into the file; the log is cut when it is above a limit. */
void sw_store_checkpoint(struct sw_store *s);
/*
 * A file that turned out to be broken while it was used: close it, then move it aside. ret_note is added to: "was broken (…): moved to …, begun
 * anew". Return: 0, or -errno with err.
 */
SW_CHECKED int sw_store_aside(const char *path, const char *why, struct sw_buf *ret_note, struct sw_err *err);

/* ---- reading (lists.c, tables_*.c) ---- */

enum sw_column_type { SW_COL_TEXT, SW_COL_INT, SW_COL_REAL, SW_COL_MS /* a moment */, SW_COL_BOOL, SW_COL_JSON };
struct sw_column { const char *name; enum sw_column_type type; const char *sql; const char *help; };
/*
 * A filter that a list understands: a condition in which each ? stands for the value.
 * A plus before it: what fits is looked for along the time first, and looked up only when it turns out to be rare.
 * MS: a moment in ms or as RFC 3339, or so long ago ("7d"). BOOL: true, false. words: what it may be, or NULL.
 */
struct sw_filter {
	const char *name, *sql, *help;
	enum sw_column_type type;
	const char *const *words;           /* NULL-ended, or NULL */
	bool glob;                          /* a * in the value is any run of characters */
	bool sha;                           /* 4 to 64 hex digits: the beginning of a commit */
};
/*
 * What can be listed, newest first: one row of the tables in tables_*.c each. The API, its description and the pages all read from it,
 * so that they cannot differ.
 */
struct sw_list {
	const char *name;                   /* "events", as in /api/v1/events */
	const char *one;                    /* "event", as the description names an item */
	const char *help;
	const char *from;                   /* "events e", with its joins */
	const char *order;                  /* the moment by which it is ordered: "e.at"; never NULL */
	const char *rowid;                  /* and what tells rows of one moment apart: "e.id" */
	const char *id;                     /* the column that names an item in a path (/api/v1/watches/<id>): "watch"; NULL: items have none.
	                                       It is a filter, too */
	const struct sw_column *columns;
	size_t n_columns;
	const struct sw_filter *filters;
	size_t n_filters;
	const char *const *required;        /* filters without which it is not searched, NULL-ended; NULL: none */
};
/* events builds jobs lines places rules deployments watches samples alerts news deliveries attempts actions action_steps decisions gaps; NULL-ended. */
extern const struct sw_list *const sw_lists[];
const struct sw_list *sw_list_find(const char *name); /* NULL: there is none */

struct sw_cell { const char *text; size_t n; double d; int64_t i; bool null; }; /* text of everything but null */
struct sw_row { const struct sw_list *list; const struct sw_cell *v; };         /* v: one a column */
struct sw_rows { struct sw_row *rows; size_t n; const char *next; /* cursor of what follows; NULL: that was all */ };

#define SW_QUERY_FILTERS 16
#define SW_QUERY_LIMIT   1000 /* rows at most */
#define SW_QUERY_TIME    (2 * SW_SECOND)
#define SW_QUERY_TEXT    1024 /* bytes of a value */
struct sw_list_query {
	const struct sw_list *list;
	struct { const char *name, *value; } filters[SW_QUERY_FILTERS]; /* a value of NULL is left out; the same name twice: both hold */
	size_t n_filters;
	const char *cursor;                 /* of an earlier answer with the same filters and direction; NULL: from the newest */
	unsigned limit;                     /* 0: 50 */
	bool oldest;                        /* the other way round */
	sw_ms now;                          /* what "7d" is counted from; 0: the wall clock */
};
/*
 * Return: 0; -EINVAL with err ("no filter \"servce\", did you mean \"service\"?", "since: want …", a bad cursor, a limit above 1000, a filter
 * that is required); -ETIMEDOUT after 2 s of searching; -EBADMSG, -EIO: the file.
 */
SW_CHECKED int sw_list_run(struct sw_store *s, const struct sw_list_query *q, struct sw_arena *a, struct sw_rows *ret, struct sw_err *err);
/* The same, where the filters are name, value, …, NULL; those with a NULL value are left out. */
SW_CHECKED int sw_list_get(struct sw_store *s, const char *list, unsigned limit, struct sw_arena *a, struct sw_rows *ret, struct sw_err *err, ...)
	__attribute__((sentinel));
/* One item by the list's id; *ret NULL: there is none. Return: as above. */
SW_CHECKED int sw_list_one(struct sw_store *s, const char *list, const char *id, struct sw_arena *a, const struct sw_row **ret, struct sw_err *err);

const struct sw_cell *sw_row_value(const struct sw_row *r, const char *column); /* asserts that there is one */
const char *sw_row_text(const struct sw_row *r, const char *column);             /* NULL: not known */
int64_t sw_row_int(const struct sw_row *r, const char *column, int64_t otherwise);
double sw_row_num(const struct sw_row *r, const char *column, double otherwise);
struct sw_jw;
void sw_row_members(const struct sw_row *r, struct sw_jw *w);                    /* its columns as members; NULL values are written as null */
void sw_row_write(const struct sw_row *r, struct sw_jw *w);                      /* as an object; NULL values are written as null */

#endif
