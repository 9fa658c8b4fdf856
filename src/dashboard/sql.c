/* SQLite, as little of it as the history needs: the only file that knows the library. */
#include "dashboard/sql.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shipwatch/buf.h"
#include "shipwatch/clock.h"
#include "shipwatch/mem.h"

#define MAGIC       "SQLite format 3"
#define BUSY_MS     5000
#define CHECK_EVERY 4000 /* operations of its machine between two looks at the clock: well under a millisecond */

struct sw_sql {
	sqlite3 *db;
	sw_dur limit, until; /* limit 0: none; until: of the statement under way, 0: none is */
	int last;            /* errno of the last failure */
};

/* A process that was forked from one that has connections must not open any: the library would take the other's locks for its own. */
static unsigned open_here;
static pid_t open_by;

/* One of the library's with what we need to know of it. */
struct sw_stmt { struct sw_sql *q; sqlite3_stmt *st; bool running; };

/* ---- errors ---- */

static int sql_io(int system)
{
	switch (system) {
	case ENOSPC: case EDQUOT: case EFBIG: return -ENOSPC; /* EFBIG: a limit of the size of files is a disk that is full */
	case EROFS: return -EROFS;
	case EACCES: case EPERM: return -EACCES;
	case ENOENT: case ENOTDIR: return -ENOENT;
	default: return -EIO;
	}
}

/* Right after the call: what the system said is told by errno, which the library keeps for itself in one of its ways only. */
static int sql_what(struct sw_sql *q, int code)
{
	int system = errno;

	switch (code & 0xff) {
	case SQLITE_OK: case SQLITE_ROW: case SQLITE_DONE: return 0;
	case SQLITE_NOMEM: abort(); /* as everywhere: what was not committed is read again */
	case SQLITE_FULL: return -ENOSPC;
	case SQLITE_READONLY: return -EROFS;
	case SQLITE_PERM: case SQLITE_AUTH: return -EACCES;
	case SQLITE_CORRUPT: case SQLITE_NOTADB: case SQLITE_FORMAT: return -EBADMSG;
	case SQLITE_BUSY: case SQLITE_LOCKED: return -EBUSY;
	case SQLITE_INTERRUPT: return -ETIMEDOUT;
	case SQLITE_CONSTRAINT: case SQLITE_MISMATCH: case SQLITE_TOOBIG: return -EEXIST;
	case SQLITE_CANTOPEN: case SQLITE_IOERR: return sql_io(sqlite3_system_errno(q->db) ? sqlite3_system_errno(q->db) : system);
	default: return -EIO;
	}
}

static int sql_errno(struct sw_sql *q, int code)
{
	int r = sql_what(q, code);

	if (r < 0)
		q->last = r;
	return r;
}

int sw_sql_error(struct sw_sql *q, struct sw_err *err)
{
	int r = q->last ? q->last : -EIO;

	return sw_err_set(err, -r, "%s", r == -ENOSPC ? "the disk is full" : r == -EROFS ? "it can only be read" : sqlite3_errmsg(q->db));
}

static int sql_progress(void *arg)
{
	struct sw_sql *q = arg;

	return q->until && sw_clock_mono() >= q->until;
}

/* ---- the file ---- */

/* As a URI: some bytes of a path mean something there. */
static void sql_uri(struct sw_buf *b, const char *path)
{
	static const char hex[] = "0123456789ABCDEF";

	sw_buf_cat(b, "file:");
	for (const char *p = path; *p; p++) {
		if (strchr("?#%", *p)) {
			sw_buf_putc(b, '%');
			sw_buf_putc(b, hex[(unsigned char)*p >> 4]);
			sw_buf_putc(b, hex[(unsigned char)*p & 15]);
		} else {
			sw_buf_putc(b, *p);
		}
	}
	sw_buf_cat(b, "?immutable=1");
}

/* One thread of a process uses the library, and nobody asks it for its statistics of memory: no locks. */
static void sql_setup(void)
{
	static bool done;

	if (!done) {
		(void)sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
		(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	}
	done = true;
}

int sw_sql_open(const char *path, enum sw_sql_mode mode, struct sw_sql **ret, struct sw_err *err)
{
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | (mode == SW_SQL_WRITE ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
	struct sw_sql *q = sw_calloc(1, sizeof *q);
	struct sw_buf uri = SW_BUF_INIT;
	int r;

	sql_setup();
	if (open_here && open_by != getpid()) {
		free(q);
		return sw_err_set(err, EDEADLK, "a connection was open when this process was forked");
	}
	if (mode == SW_SQL_FROZEN) {
		sql_uri(&uri, path);
		path = uri.p;
		flags |= SQLITE_OPEN_URI;
	}
	errno = 0;
	r = sqlite3_open_v2(path, &q->db, flags, NULL);
	sw_buf_fini(&uri);
	if (r != SQLITE_OK) {
		if (!q->db)
			abort();
		(void)sql_errno(q, r);
		r = sw_sql_error(q, err);
		(void)sqlite3_close(q->db);
		free(q);
		return r;
	}
	/* The file may come from anywhere: nothing in its schema is trusted to call functions, and nobody writes to its tables by pragma. */
	(void)sqlite3_db_config(q->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(q->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_busy_timeout(q->db, BUSY_MS);
	sqlite3_progress_handler(q->db, CHECK_EVERY, sql_progress, q);
	open_here++;
	open_by = getpid();
	*ret = q;
	return 0;
}

struct sw_sql *sw_sql_close(struct sw_sql *q)
{
	if (q) {
		open_here -= open_here > 0;
		SW_ASSERT(sqlite3_close(q->db) == SQLITE_OK);
		free(q);
	}
	return NULL;
}

bool sw_sql_is(const char *path)
{
	char head[sizeof MAGIC] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool is = fd >= 0 && read(fd, head, sizeof head) == (ssize_t)sizeof head && memcmp(head, MAGIC, sizeof head) == 0;

	if (fd >= 0)
		(void)close(fd);
	return is;
}

void sw_sql_limit(struct sw_sql *q, sw_dur limit)
{
	q->limit = limit;
}

static void sql_begin(struct sw_sql *q)
{
	q->until = q->limit ? sw_clock_mono() + q->limit : 0;
	errno = 0;
}

int sw_sql_exec(struct sw_sql *q, const char *text, struct sw_err *err)
{
	sql_begin(q);
	return sql_errno(q, sqlite3_exec(q->db, text, NULL, NULL, NULL)) == 0 ? 0 : sw_sql_error(q, err);
}

int sw_sql_number(struct sw_sql *q, const char *text, int64_t otherwise, int64_t *ret, struct sw_err *err)
{
	struct sw_stmt *s = NULL;
	int r = sw_sql_prepare(q, text, &s, err);

	if (r < 0)
		return r;
	r = sw_stmt_step(s);
	if (r < 0)
		r = sw_sql_error(q, err);
	else
		*ret = r == 1 ? sw_stmt_get_int(s, 0) : otherwise;
	sw_stmt_free(s);
	return r < 0 ? r : 0;
}

bool sw_sql_in_transaction(struct sw_sql *q)
{
	return !sqlite3_get_autocommit(q->db);
}

int64_t sw_sql_rowid(struct sw_sql *q)
{
	return sqlite3_last_insert_rowid(q->db);
}

int64_t sw_sql_changes(struct sw_sql *q)
{
	return sqlite3_changes64(q->db);
}

int sw_sql_checkpoint(struct sw_sql *q, bool truncate, struct sw_err *err)
{
	int in_log = 0, moved = 0, r;

	q->until = 0;
	errno = 0;
	r = sqlite3_wal_checkpoint_v2(q->db, NULL, truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE, &in_log, &moved);
	if (sql_errno(q, r) < 0)
		return sw_sql_error(q, err);
	return moved < in_log ? -EBUSY : 0;
}

/* ---- statements ---- */

int sw_sql_prepare(struct sw_sql *q, const char *text, struct sw_stmt **ret, struct sw_err *err)
{
	sqlite3_stmt *st = NULL;

	sql_begin(q);
	if (sql_errno(q, sqlite3_prepare_v3(q->db, text, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL)) < 0)
		return sw_sql_error(q, err);
	*ret = sw_malloc(sizeof **ret);
	**ret = (struct sw_stmt){ .q = q, .st = st };
	return 0;
}

struct sw_stmt *sw_stmt_free(struct sw_stmt *s)
{
	if (s) {
		(void)sqlite3_finalize(s->st);
		free(s);
	}
	return NULL;
}

int sw_stmt_count(struct sw_stmt *s)
{
	return sqlite3_bind_parameter_count(s->st);
}

void sw_stmt_text(struct sw_stmt *s, int i, const char *text)
{
	(void)sqlite3_bind_text(s->st, i, text, -1, SQLITE_STATIC);
}

void sw_stmt_textn(struct sw_stmt *s, int i, const char *text, size_t n)
{
	(void)sqlite3_bind_text64(s->st, i, text, n, SQLITE_STATIC, SQLITE_UTF8);
}

void sw_stmt_int(struct sw_stmt *s, int i, int64_t v)
{
	(void)sqlite3_bind_int64(s->st, i, v);
}

void sw_stmt_real(struct sw_stmt *s, int i, double v)
{
	(void)sqlite3_bind_double(s->st, i, v);
}

void sw_stmt_null(struct sw_stmt *s, int i)
{
	(void)sqlite3_bind_null(s->st, i);
}

int sw_stmt_step(struct sw_stmt *s)
{
	int r;

	if (!s->running)
		sql_begin(s->q);
	s->running = true;
	errno = 0;
	r = sqlite3_step(s->st);
	if (r == SQLITE_ROW)
		return 1;
	r = sql_errno(s->q, r);
	s->running = false;
	(void)sqlite3_reset(s->st);
	return r;
}

void sw_stmt_reset(struct sw_stmt *s)
{
	s->running = false;
	(void)sqlite3_reset(s->st);
}

bool sw_stmt_is_null(struct sw_stmt *s, int i)
{
	return sqlite3_column_type(s->st, i) == SQLITE_NULL;
}

int64_t sw_stmt_get_int(struct sw_stmt *s, int i)
{
	return sqlite3_column_int64(s->st, i);
}

double sw_stmt_get_real(struct sw_stmt *s, int i)
{
	return sqlite3_column_double(s->st, i);
}

const char *sw_stmt_get_text(struct sw_stmt *s, int i, size_t *ret_n)
{
	const unsigned char *p = sqlite3_column_text(s->st, i);

	if (ret_n)
		*ret_n = p ? (size_t)sqlite3_column_bytes(s->st, i) : 0;
	return (const char *)p;
}
