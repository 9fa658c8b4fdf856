/*
 * The file of the history: opening it, whatever is found there.
 *
 *   absent ──▶ made              an older version ──▶ brought up to date, step by step, each in one transaction
 *   broken ──▶ moved aside, made anew                 a newer one, or somebody else's database ──▶ refused, untouched
 *
 * What it is set to, and why:
 *   WAL                    readers never wait for the writer, nor it for them
 *   synchronous=NORMAL     a power cut may take the last batches; their position goes with them, so they are read again
 *   auto_vacuum=INCREMENTAL  (when it is made) retention gives room back in small pieces, never by writing the whole file anew
 *   wal_autocheckpoint=16000  what is written often goes to its place once in 64 MiB of the log: a page of an index is changed by many batches
 *   journal_size_limit     the log shrinks again after a long reader had let it grow
 *   secure_delete=OFF      what is deleted need not be overwritten
 *   cache                  48 MiB to write (what a transaction changes), 24 MiB to read. No mmap: an I/O error would be a SIGBUS, the end of the process
 */
#include "dashboard/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dashboard/store_inner.h"
#include "shipwatch/clock.h"

#define WAL_MOST ((off_t)192 << 20)

static const char writer_set[] =
	"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA journal_size_limit=67108864; PRAGMA wal_autocheckpoint=16000; "
	"PRAGMA secure_delete=OFF; PRAGMA cache_size=-49152; PRAGMA temp_store=MEMORY;";
static const char reader_set[] = "PRAGMA query_only=ON; PRAGMA cache_size=-24576; PRAGMA temp_store=MEMORY;";

static const char *store_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static char *store_beside(const char *path, const char *suffix)
{
	struct sw_buf b = SW_BUF_INIT;

	sw_buf_cat(&b, path);
	sw_buf_cat(&b, suffix);
	return sw_buf_take(&b);
}

/* One writer: a lock that goes with the process. */
static int store_lock(struct sw_store *s, struct sw_err *err)
{
	SW_CLEANUP(sw_freep) char *path = store_beside(s->path, ".lock");
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), r;

	if (fd < 0)
		return sw_err_set(err, errno, "%s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		r = errno == EWOULDBLOCK ? EBUSY : errno;
		(void)close(fd);
		return sw_err_set(err, r, "%s: %s", s->path, r == EBUSY ? "another process writes it" : strerror(r));
	}
	s->lock_fd = fd;
	return 0;
}

static void store_remember(struct sw_store *s)
{
	struct stat st;

	if (stat(s->path, &st) == 0) {
		s->dev = st.st_dev;
		s->ino = st.st_ino;
	}
}

bool sw_store_gone(const struct sw_store *s)
{
	struct stat st;

	return stat(s->path, &st) < 0 ? errno == ENOENT : st.st_dev != s->dev || st.st_ino != s->ino;
}

/* ---- versions ---- */

static int store_step(struct sw_store *s, const char *text, int version, struct sw_err *err)
{
	char end[80];
	int r = sw_sql_exec(s->q, "BEGIN IMMEDIATE", err);

	(void)snprintf(end, sizeof end, "PRAGMA user_version=%d; COMMIT", version);
	if (r == 0)
		r = sw_sql_exec(s->q, text, err);
	if (r == 0)
		r = sw_sql_exec(s->q, end, err);
	if (r < 0 && sw_sql_in_transaction(s->q))
		(void)!sw_sql_exec(s->q, "ROLLBACK", NULL);
	return r;
}

/* Return: 0; -EPROTO: not for this program; else -errno. */
static int store_version(struct sw_store *s, const char *const *steps, int64_t *ret, struct sw_err *err)
{
	int64_t app = 0, tables = 0, newest = 0;
	int r = sw_sql_number(s->q, "PRAGMA user_version", 0, ret, err);

	while (steps[newest])
		newest++;
	if (r == 0)
		r = sw_sql_number(s->q, "PRAGMA application_id", 0, &app, err);
	if (r == 0)
		r = sw_sql_number(s->q, "SELECT count(*) FROM sqlite_schema", 0, &tables, err);
	if (r < 0)
		return r;
	if (tables && app != SW_STORE_APPLICATION)
		return sw_err_set(err, EPROTO, "a database, but no history of shipwatch");
	if (*ret > newest)
		return sw_err_set(err, EPROTO, "version %lld, written by a newer shipwatch; this one knows up to %lld", (long long)*ret, (long long)newest);
	if (s->mode == SW_STORE_READ && *ret < newest)
		return sw_err_set(err, EPROTO, "version %lld, which the recorder has to bring to %lld first", (long long)*ret, (long long)newest);
	return 0;
}

static int store_migrate(struct sw_store *s, const char *const *steps, struct sw_err *err)
{
	struct sw_buf b = SW_BUF_INIT;
	int64_t version = 0;
	char made[128];
	int r = store_version(s, steps, &version, err);
	int64_t from = version;

	if (r == 0 && version == 0) {
		(void)snprintf(made, sizeof made, "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA application_id=%d", SW_STORE_APPLICATION);
		r = sw_sql_exec(s->q, made, err);
	}
	if (r == 0)
		r = sw_sql_exec(s->q, writer_set, err);
	for (; r == 0 && steps[version]; version++)
		r = store_step(s, steps[version], (int)version + 1, err);
	if (r == 0 && from && from != version) {
		sw_buf_printf(&b, "brought from version %lld to %lld", (long long)from, (long long)version);
		s->note = sw_buf_take(&b);
	}
	return r;
}

static const char *store_meta(struct sw_store *s, const char *key, struct sw_arena *a)
{
	const char *text, *ret = NULL;
	struct sw_stmt *st = NULL;

	if (sw_sql_prepare(s->q, "SELECT value FROM meta WHERE key = ?", &st, NULL) < 0)
		return NULL;
	sw_stmt_text(st, 1, key);
	if (sw_stmt_step(st) == 1) {
		text = sw_stmt_get_text(st, 0, NULL);
		ret = text ? sw_arena_strdup(a, text) : NULL;
	}
	sw_stmt_free(st);
	return ret;
}

/* Of a writer: it must not be taken for the beginning because it could not be read. */
static int store_stands(struct sw_store *s, struct sw_err *err)
{
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
	const char *pos = store_meta(s, "pos", &a);
	int64_t begun = 0;
	int r = sw_sql_number(s->q, "SELECT value FROM meta WHERE key = 'pos_n'", 0, &s->pos_n, err);

	if (r == 0 && !pos)
		r = sw_sql_number(s->q, "SELECT count(*) FROM meta WHERE key = 'pos'", 0, &begun, err);
	if (r == 0 && begun)
		r = sw_err_set(err, EIO, "where it stands cannot be read");
	(void)snprintf(s->pos, sizeof s->pos, "%s", pos ? pos : "0-0");
	return r;
}

/* ---- opening ---- */

static int store_try(struct sw_store *s, const char *const *steps, struct sw_err *err)
{
	int64_t version = 0;
	int r = sw_sql_open(s->path, s->mode == SW_STORE_WRITE ? SW_SQL_WRITE : SW_SQL_READ, &s->q, err);

	if (r == 0 && s->mode == SW_STORE_WRITE) {
		r = store_migrate(s, steps, err);
		if (r == 0)
			r = store_stands(s, err);
	} else if (r == 0) {
		r = store_version(s, steps, &version, err);
		if (r == 0)
			r = sw_sql_exec(s->q, reader_set, err);
	}
	if (r < 0)
		s->q = sw_sql_close(s->q);
	else
		store_remember(s);
	return r;
}

/* The file and its log are kept for who wants to look; the name tells when. */
int sw_store_aside(const char *path, const char *why, struct sw_buf *ret_note, struct sw_err *err)
{
	static const char *const parts[] = { "", "-wal" };
	struct sw_buf to = SW_BUF_INIT;
	sw_ms now = sw_clock_wall();
	char *from;
	int r = 0;

	for (size_t i = 0; i < SW_COUNT(parts) && r == 0; i++) {
		from = store_beside(path, parts[i]);
		sw_buf_reset(&to);
		sw_buf_printf(&to, "%s.broken-%lld%s", path, (long long)now, parts[i]);
		if (rename(from, to.p) < 0 && errno != ENOENT)
			r = sw_err_set(err, errno, "%s is broken (%s), and cannot be moved aside: %s", path, why, strerror(errno));
		else if (i == 0)
			sw_buf_printf(ret_note, "was broken (%s): moved to %s, begun anew", why, store_name(to.p));
		free(from);
	}
	from = store_beside(path, "-shm");
	(void)unlink(from);
	free(from);
	sw_buf_fini(&to);
	return r;
}

/* A folder that cannot be written to: nobody else can either, so the file is read as it lies there. */
static int store_frozen(struct sw_store *s, const char *const *steps, struct sw_err *err)
{
	int64_t version = 0;
	int r = sw_sql_open(s->path, SW_SQL_FROZEN, &s->q, err);

	if (r == 0)
		r = store_version(s, steps, &version, err);
	if (r == 0)
		r = sw_sql_exec(s->q, reader_set, err);
	if (r < 0)
		s->q = sw_sql_close(s->q);
	else
		store_remember(s);
	return r;
}

static bool store_folder_writable(const char *path)
{
	SW_CLEANUP(sw_freep) char *dir = sw_strndup(path, (size_t)(store_name(path) - path));

	return access(*dir ? dir : ".", W_OK) == 0;
}

int sw_store_open_with(const char *path, enum sw_store_mode mode, const char *const *steps, struct sw_store **ret, struct sw_err *err)
{
	struct sw_store *s = sw_calloc(1, sizeof *s);
	struct sw_err own = SW_ERR_INIT;
	int r = 0;

	s->path = sw_strdup(path);
	s->mode = mode;
	s->lock_fd = -1;
	if (mode == SW_STORE_READ && access(path, F_OK) < 0)
		r = sw_err_set(err, errno == ENOENT ? ENOENT : errno, "%s: %s", path, errno == ENOENT ? "there is no history yet" : strerror(errno));
	else if (mode == SW_STORE_WRITE)
		r = store_lock(s, err);
	if (r == 0) {
		r = store_try(s, steps, &own);
		if (r == -EBADMSG && mode == SW_STORE_WRITE) {
			struct sw_buf note = SW_BUF_INIT;
			char why[sizeof own.text];

			(void)snprintf(why, sizeof why, "%s", own.text);
			r = sw_store_aside(path, why, &note, &own);
			free(s->note);
			s->note = sw_buf_take(&note);
			if (r == 0)
				r = store_try(s, steps, &own);
		} else if ((r == -EACCES || r == -EROFS || r == -EIO) && mode == SW_STORE_READ && !store_folder_writable(path)) {
			r = store_frozen(s, steps, &own);
		}
		if (r < 0)
			(void)sw_err_set(err, -r, "%s: %s", path, own.text);
	}
	if (r < 0)
		sw_store_close(s);
	else
		*ret = s;
	return r;
}

int sw_store_open(const char *path, enum sw_store_mode mode, struct sw_store **ret, struct sw_err *err)
{
	return sw_store_open_with(path, mode, sw_store_schema, ret, err);
}

struct sw_store *sw_store_close(struct sw_store *s)
{
	unsigned touched;

	if (!s)
		return NULL;
	(void)!sw_store_commit(s, &touched, NULL); /* else it is read again */
	sw_fold_free(s->fold);
	sw_sql_close(s->q);
	if (s->lock_fd >= 0)
		(void)close(s->lock_fd);
	free(s->path);
	free(s->note);
	free(s);
	return NULL;
}

const char *sw_store_note(const struct sw_store *s)
{
	return s->note;
}

/* All of it at once: only then the list of free pages is looked at too, which would hand out a page that is in use. */
int sw_store_verify(const char *path, struct sw_err *err)
{
	struct sw_stmt *st = NULL;
	struct sw_sql *q = NULL;
	const char *said;
	int r = sw_sql_open(path, SW_SQL_READ, &q, err);

	if (r < 0)
		return r;
	r = sw_sql_exec(q, reader_set, err);
	if (r == 0)
		r = sw_sql_prepare(q, "PRAGMA quick_check(1)", &st, err);
	if (r == 0) {
		r = sw_stmt_step(st);
		said = r == 1 ? sw_stmt_get_text(st, 0, NULL) : NULL;
		if (r == 1)
			r = said && strcmp(said, "ok") == 0 ? 0 : sw_err_set(err, EBADMSG, "%s", said ? said : "not whole");
		else if (r < 0)
			(void)sw_sql_error(q, err);
		sw_stmt_free(st);
	}
	sw_sql_close(q);
	return r;
}

/* ---- where it stands ---- */

const char *sw_store_position(struct sw_store *s, struct sw_arena *a)
{
	const char *pos;

	if (s->mode == SW_STORE_WRITE)
		return sw_arena_strdup(a, sw_fold_position(s));
	pos = store_meta(s, "pos", a);
	return pos ? pos : "0-0";
}

int64_t sw_store_position_n(struct sw_store *s)
{
	int64_t n = 0;

	if (s->mode == SW_STORE_WRITE)
		return sw_fold_position_n(s);
	(void)!sw_sql_number(s->q, "SELECT value FROM meta WHERE key = 'pos_n'", 0, &n, NULL);
	return n;
}

const char *sw_store_lineage(struct sw_store *s, struct sw_arena *a)
{
	return store_meta(s, "lineage", a);
}

int sw_store_gap(struct sw_store *s, sw_ms at, const char *after, const char *before, const char *why, struct sw_err *err)
{
	struct sw_stmt *st = NULL;
	int r = sw_sql_prepare(s->q, "INSERT INTO gaps (at, after, before, why) SELECT ?1, ?2, ?3, ?4 WHERE NOT EXISTS (SELECT 1 FROM gaps WHERE after IS ?2 AND before IS ?3)", &st, err);

	if (r < 0)
		return r;
	sw_stmt_int(st, 1, at);
	sw_stmt_text(st, 2, after);
	sw_stmt_text(st, 3, before);
	sw_stmt_text(st, 4, why);
	r = sw_stmt_step(st);
	if (r < 0)
		(void)sw_sql_error(s->q, err);
	sw_stmt_free(st);
	return r;
}

void sw_store_checkpoint(struct sw_store *s)
{
	SW_CLEANUP(sw_freep) char *path = store_beside(s->path, "-wal");
	struct stat st;

	if (sw_store_settle(s, NULL) < 0)
		return; /* told with the next batch */
	/* Emptying it waits for readers; the usual way never does. */
	(void)sw_sql_checkpoint(s->q, stat(path, &st) == 0 && st.st_size > WAL_MOST, NULL);
}
