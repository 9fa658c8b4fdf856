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
