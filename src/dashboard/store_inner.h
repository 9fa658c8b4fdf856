/* What the files of the store share: the connection, and what is prepared once. */
#ifndef SW_DASHBOARD_STORE_INNER_H
#define SW_DASHBOARD_STORE_INNER_H

#include <sys/types.h>

#include "base/map.h"
#include "dashboard/sql.h"
#include "dashboard/store.h"

/* "SWHY": tells a history from other people's databases. */
#define SW_STORE_APPLICATION 0x53574859

struct fold;

struct sw_store {
	struct sw_sql *q;
	char *path;
	enum sw_store_mode mode;
	int lock_fd;               /* -1: none */
	dev_t dev;                 /* which file it is, to see that another one lies there now */
	ino_t ino;
	char *note;                /* what was found when it was opened, or NULL */
	struct fold *fold;         /* of a writer; made at the first batch */
	char pos[64];              /* of a writer: where it stands without what is held */
	int64_t pos_n;
};

/* The steps of the schema, NULL-ended: the first makes version 1, each further one brings it one further. */
extern const char *const sw_store_schema[];
/* As sw_store_open with other steps: for tests. */
SW_CHECKED int sw_store_open_with(const char *path, enum sw_store_mode mode, const char *const *steps, struct sw_store **ret, struct sw_err *err);

/*
 * How long each way of searching is tried (lists.c), and with which it begins. ms: of one way, before the next. values: of a column that are looked at
 * for a pattern at most.
 */
struct sw_list_bounds { sw_dur ms; int values; enum { SW_LIST_USUAL, SW_LIST_LEAD, SW_LIST_VALUES, SW_LIST_TO_THE_END } first; };
/* As sw_list_run with others than the usual ones: for tests. */
SW_CHECKED int sw_list_run_within(struct sw_store *s, const struct sw_list_query *q, const struct sw_list_bounds *most, struct sw_arena *a,
                                  struct sw_rows *ret, struct sw_err *err);

/* fold.c */
struct fold *sw_fold_free(struct fold *f);
/* What is remembered of rows may not be so: a transaction was taken back. */
void sw_fold_forget(struct fold *f);
/* Where a writer stands, what is held included. */
const char *sw_fold_position(const struct sw_store *s);
int64_t sw_fold_position_n(const struct sw_store *s);
/* Before a transaction of its own: what is held is ended. What it touched is told with the next batch. */
SW_CHECKED int sw_store_settle(struct sw_store *s, struct sw_err *err);

#endif
