/*
 * What the files of folding share: entries of the journal become rows.
 *
 *   fold_entry.c   an entry's bytes to its pieces     fold_events.c  events, and which place claimed them; readings of signals
 *   fold_builds.c  events to builds and their jobs    fold_recs.c    records of steps: deployments, watches, actions, messages
 *   fold_said.c    what people decided                fold.c         batches, statements
 *
 * The first failure of the file stops the batch: f->r, and nothing is done any more. A row that the file refuses is counted and left out.
 */
#ifndef SW_DASHBOARD_FOLD_INNER_H
#define SW_DASHBOARD_FOLD_INNER_H

#include "base/json.h"
#include "dashboard/store_inner.h"
#include "shipwatch/event.h"

enum fold_stmt {
	ST_PLACE, ST_PLACE_ADD, ST_SIGNAL, ST_SIGNAL_ADD,
	ST_EVENT, ST_EVENT_BODY, ST_EVENT_CLAIM, ST_SAMPLE,
	ST_BUILD_RUN, ST_BUILD_ALIAS, ST_BUILD_PIPELINE, ST_BUILD_ADD, ST_BUILD_SET, ST_JOBS, ST_JOB_ADD, ST_JOB_SET, ST_LINE, ST_LINE_MOVE, ST_LINE_END,
	ST_DEP, ST_DEP_VERDICT, ST_WATCH, ST_ACT, ST_ACT_STEP, ST_ALERT, ST_NEWS, ST_WAY, ST_TRY, ST_ACK, ST_ALERT_PLACE, ST_NEWS_ALERT, ST_WATCH_DEP, ST_DECISION,
	ST_META, ST_COUNT
};

struct builds;

struct fold {
	struct sw_store *store;
	struct sw_stmt *st[ST_COUNT];
	struct sw_map places, signals;   /* name → its row */
	struct sw_arena a, keep;         /* of an entry; of a batch */
	struct builds *builds;           /* touched in this batch */
	int64_t seq;                     /* of builds: the last one given */
	bool seq_known;
	size_t held;                     /* entries of the transaction that is open; it may be open with none */
	bool open;
	sw_dur began;
	char position[64];               /* where it stands once that ends; "": as it was */
	int64_t added;                   /* -1: as it was */
	unsigned touched;
	uint64_t skipped;                /* entries, or rows, that could not be understood, since it was opened */
	int r;
	struct sw_err err;               /* of r */
};

/* An entry that is being read. */
struct entry {
	const char *id;                  /* of the stream */
	sw_ms at;
	const char *agg, *event_id, *source, *delivery, *t;
	const char *service, *environment; /* of a place's */
	int64_t place;                   /* its row; 0: not asked for yet */
	int n;                           /* which piece of its array, from 0 */
};

/* A piece as it was written. */
struct raw { const char *p; size_t n; };

/* The statement, reset; NULL after a failure. */
struct sw_stmt *sw_fold_stmt(struct fold *f, enum fold_stmt st);
/*
 * Parameters in order: s text or NULL; n text and size_t; i int64_t; o int64_t, 0 is null; b int; c int, negative is null; r double, negative or
 * NaN is null; v double, NaN is null.
 */
void sw_fold_bind(struct sw_stmt *st, const char *types, ...);
/* Runs one that gives no rows. True: done. */
bool sw_fold_run(struct fold *f, struct sw_stmt *st);
/* The next row of one that does. False: no more, or a failure. */
bool sw_fold_row(struct fold *f, struct sw_stmt *st);
/* Row of a place, made if it is new; of the entry's own. 0 after a failure. */
int64_t sw_fold_place(struct fold *f, const char *service, const char *environment);
int64_t sw_fold_own_place(struct fold *f, struct entry *e);
int64_t sw_fold_signal(struct fold *f, const char *name, const char *source);
/* A piece as text that may be handed on as JSON: broken UTF-8 is replaced. */
struct raw sw_fold_json(struct fold *f, struct raw raw);

void sw_fold_entry(struct fold *f, const struct sw_journal_entry *e);
void sw_fold_event(struct fold *f, struct entry *e, const struct sw_jnode *node, struct raw raw);
void sw_fold_fact(struct fold *f, struct entry *e, const struct sw_jnode *msg);
void sw_fold_told(struct fold *f, struct entry *e, const struct sw_jnode *msg);
void sw_fold_samples(struct fold *f, struct entry *e, const struct sw_jnode *msg);
void sw_fold_rec(struct fold *f, struct entry *e, const struct sw_jnode *rec, struct raw raw);
/* A command among the messages of a step; a line that is no step's and no delivery's. */
void sw_fold_cmd(struct fold *f, struct entry *e, const struct sw_jnode *msg, struct raw raw);
void sw_fold_said(struct fold *f, struct entry *e, const struct sw_jnode *line, struct raw raw);
void sw_fold_deployed(struct fold *f, struct entry *e, const struct sw_event *ev, struct raw raw);
/* What an event says of a build; written when the batch ends. */
void sw_fold_build(struct fold *f, const struct sw_event *ev);
void sw_fold_builds_write(struct fold *f);
void sw_fold_builds_forget(struct fold *f);

#endif
