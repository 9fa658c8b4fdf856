/*
 * SQLite, as little of it as the history needs. sql.c is the only file that knows the library; what it answers is an errno here:
 *
 *   -ENOSPC the disk is full (or its quota)   -EROFS cannot be written   -EACCES not allowed   -ENOENT there is no such file
 *   -EBADMSG broken, or no database           -EBUSY somebody else has it  -ETIMEDOUT the limit of time  -EEXIST a constraint  -EIO anything else
 *
 * A statement is prepared once and used again. Texts that are bound are borrowed until the statement is reset; texts that come out,
 * until the next step.
 */
#ifndef SW_DASHBOARD_SQL_H
#define SW_DASHBOARD_SQL_H

#include "shipwatch/base.h"
#include "shipwatch/err.h"

struct sw_sql;
struct sw_stmt;

enum sw_sql_mode { SW_SQL_READ, SW_SQL_WRITE /* made when it is absent */, SW_SQL_FROZEN /* read, and nobody can be writing: its folder is read-only */ };
SW_CHECKED int sw_sql_open(const char *path, enum sw_sql_mode mode, struct sw_sql **ret, struct sw_err *err);
/* Statements of it must be gone. NULL does nothing; returns NULL. */
struct sw_sql *sw_sql_close(struct sw_sql *q);
/* One or more statements without a result. err: what the library says. */
SW_CHECKED int sw_sql_exec(struct sw_sql *q, const char *text, struct sw_err *err);
/* One that gives a number; otherwise where there is no row. */
SW_CHECKED int sw_sql_number(struct sw_sql *q, const char *text, int64_t otherwise, int64_t *ret, struct sw_err *err);
/* From now on a statement ends with -ETIMEDOUT after so long; 0: no limit. */
void sw_sql_limit(struct sw_sql *q, sw_dur limit);
/* Fills err with what the library said last and returns the errno of it. */
int sw_sql_error(struct sw_sql *q, struct sw_err *err);
bool sw_sql_in_transaction(struct sw_sql *q);
int64_t sw_sql_rowid(struct sw_sql *q);   /* of the last insert */
int64_t sw_sql_changes(struct sw_sql *q); /* rows of the last insert, update or delete */
/*
 * What stands in the write-ahead log goes into the file. truncate: and the log is emptied, where no reader is in it. Return: 0; -EBUSY: not all of it.
 */
int sw_sql_checkpoint(struct sw_sql *q, bool truncate, struct sw_err *err);

SW_CHECKED int sw_sql_prepare(struct sw_sql *q, const char *text, struct sw_stmt **ret, struct sw_err *err);
struct sw_stmt *sw_stmt_free(struct sw_stmt *s); /* NULL does nothing; returns NULL */
int sw_stmt_count(struct sw_stmt *s); /* of parameters */
/* Parameters from 1 on. NULL: null. */
void sw_stmt_text(struct sw_stmt *s, int i, const char *text);
void sw_stmt_textn(struct sw_stmt *s, int i, const char *text, size_t n);
void sw_stmt_int(struct sw_stmt *s, int i, int64_t v);
void sw_stmt_real(struct sw_stmt *s, int i, double v);
void sw_stmt_null(struct sw_stmt *s, int i);
/* Return: 1 a row; 0 no more (and it is reset, so that it can be used again); -errno (reset too). */
SW_CHECKED int sw_stmt_step(struct sw_stmt *s);
/* What is bound stays until it is bound anew. */
void sw_stmt_reset(struct sw_stmt *s);
/* Columns from 0 on. */
bool sw_stmt_is_null(struct sw_stmt *s, int i);
int64_t sw_stmt_get_int(struct sw_stmt *s, int i);
double sw_stmt_get_real(struct sw_stmt *s, int i);
const char *sw_stmt_get_text(struct sw_stmt *s, int i, size_t *ret_n); /* NULL of null; ret_n may be NULL */

/* Is this file a database of SQLite, by its first bytes? */
bool sw_sql_is(const char *path);

#endif
