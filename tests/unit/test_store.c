/* The file of the history: absent, older, newer, broken, somebody else's, not writable, written by another. */
#include "history_rig.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "shipwatch/clock.h"

#define LINE(id) "{\"at\":1790000000100,\"event_id\":\"" id "\",\"source\":\"gitlab\",\"events\":[{\"kind\":\"push\",\"repo\":\"acme/web\",\"branch\":\"main\"}]}"

static void test_made(void **state)
{
	struct rig g;

	(void)state;
	rig_init(&g);
	assert_null(sw_store_note(g.w));
	assert_string_equal(sw_store_position(g.w, &g.a), "0-0");
	assert_int_equal(sw_store_position_n(g.w), 0);
	assert_null(sw_store_lineage(g.w, &g.a));
	assert_int_equal(rig_number(&g, "PRAGMA user_version"), 1);
	assert_int_equal(rig_number(&g, "PRAGMA auto_vacuum"), 2);
	assert_int_equal(rig_number(&g, "PRAGMA synchronous"), 1);
	rig_line(&g, LINE("E1"));
	assert_string_equal(sw_store_position(g.s, &g.a), "1790000000000-0"); /* a reader sees it */
	rig_close(&g);
	rig_open(&g);
	assert_string_equal(sw_store_position(g.w, &g.a), "1790000000000-0");
	assert_int_equal(rig_list(&g, "events", NULL, NULL, NULL, NULL).n, 1);
	assert_int_equal(sw_store_skipped(g.w), 0);
	rig_fini(&g);
}

static void test_absent(void **state)
{
	struct rig g;

	(void)state;
	rig_dir(&g);
	assert_int_equal(sw_store_open(g.path, SW_STORE_READ, &g.s, &g.err), -ENOENT);
	assert_non_null(strstr(g.err.text, "there is no history yet"));
	g.s = NULL;
	rig_fini(&g);
}

static void test_one_writer(void **state)
{
	struct rig g;
	struct sw_store *other;

	(void)state;
	rig_init(&g);
	assert_int_equal(sw_store_open(g.path, SW_STORE_WRITE, &other, &g.err), -EBUSY);
	assert_non_null(strstr(g.err.text, "another process writes it"));
	g.w = sw_store_close(g.w);
	assert_int_equal(sw_store_open(g.path, SW_STORE_WRITE, &other, &g.err), 0);
	sw_store_close(other);
	rig_fini(&g);
}

/* Steps of the schema: an older file is brought up, a step that fails changes nothing. */
static void test_older(void **state)
{
	static const char *const older[] = { "CREATE TABLE meta (key TEXT PRIMARY KEY, value); CREATE TABLE t (a); INSERT INTO t VALUES (7)", NULL };
	static const char *const wrong[] = { "", "ALTER TABLE t ADD COLUMN b; CREATE TABLE t (a)", NULL };
	static const char *const newer[] = { "", "ALTER TABLE t ADD COLUMN b DEFAULT 5", "UPDATE t SET a = a + b", NULL };
	struct rig g;

	(void)state;
	rig_dir(&g);
	assert_int_equal(sw_store_open_with(g.path, SW_STORE_WRITE, older, &g.w, &g.err), 0);
	rig_close(&g);
	assert_int_equal(sw_store_open_with(g.path, SW_STORE_READ, newer, &g.s, &g.err), -EPROTO);
	assert_non_null(strstr(g.err.text, "version 1, which the recorder has to bring to 3 first"));
	assert_true(sw_store_open_with(g.path, SW_STORE_WRITE, wrong, &g.w, &g.err) < 0);
	assert_non_null(strstr(g.err.text, "already exists"));
	if (sw_store_open_with(g.path, SW_STORE_WRITE, newer, &g.w, &g.err) < 0)
		fail_msg("%s", g.err.text);
	assert_string_equal(sw_store_note(g.w), "brought from version 1 to 3");
	assert_int_equal(rig_number(&g, "PRAGMA user_version"), 3);
	assert_int_equal(rig_number(&g, "SELECT a FROM t"), 12);
	rig_close(&g);
	/* and this program's own one does not know it any more */
	assert_int_equal(sw_store_open(g.path, SW_STORE_WRITE, &g.w, &g.err), -EPROTO);
	assert_non_null(strstr(g.err.text, "version 3, written by a newer shipwatch; this one knows up to 1"));
	g.w = g.s = NULL;
	rig_fini(&g);
}

static void rig_write(const char *path, const char *bytes, size_t n, off_t at)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, n, at), (ssize_t)n);
	assert_int_equal(close(fd), 0);
}

static size_t rig_files(struct rig *g, const char *word)
{
	DIR *d = opendir(g->dir);
	struct dirent *e;
	size_t n = 0;

	assert_non_null(d);
	while ((e = readdir(d)))
		n += strstr(e->d_name, word) != NULL;
	(void)closedir(d);
	return n;
}

static void test_broken(void **state)
{
	char junk[4096];
	struct rig g;

	(void)state;
	memset(junk, 0x5a, sizeof junk);
	rig_dir(&g);
	rig_write(g.path, junk, sizeof junk, 0);
	assert_int_equal(sw_store_open(g.path, SW_STORE_READ, &g.s, &g.err), -EBADMSG);
	rig_open(&g);
	assert_non_null(strstr(sw_store_note(g.w), "was broken (file is not a database): moved to history.db.broken-"));
	assert_int_equal(rig_files(&g, ".broken-"), 1);
	for (int i = 0; i < 2000; i++)
		rig_line(&g, i % 2 ? LINE("E1") : LINE("E2"));
	for (int i = 0; i < 300; i++) {
		char line[200];

		(void)snprintf(line, sizeof line, "{\"at\":1790000000100,\"event_id\":\"F%d\",\"source\":\"gitlab\",\"events\":[{\"kind\":\"push\",\"repo\":\"acme/web\"}]}", i);
		rig_line(&g, line);
	}
	rig_fini(&g);
}

/* What is broken within is not seen when it is opened: it is looked through, while others have it open. */
static void test_verify(void **state)
{
	char junk[4096], line[200];
	struct sw_buf note = SW_BUF_INIT;
	struct rig g;
	int64_t root;

	(void)state;
	memset(junk, 0x5a, sizeof junk);
	rig_init(&g);
	assert_int_equal(sw_store_verify("/nowhere/history.db", &g.err), -ENOENT);
	for (int i = 0; i < 300; i++) {
		(void)snprintf(line, sizeof line, "{\"at\":1790000000100,\"event_id\":\"F%d\",\"source\":\"gitlab\",\"events\":[{\"kind\":\"push\",\"repo\":\"acme/web\"}]}", i);
		rig_line(&g, line);
	}
	g.err.text[0] = '\0';
	if (sw_store_verify(g.path, &g.err) < 0)
		fail_msg("%s", g.err.text);
	root = rig_number(&g, "SELECT rootpage FROM sqlite_schema WHERE name = 'events_kind'");
	rig_close(&g);
	rig_write(g.path, junk, sizeof junk, (off_t)(root - 1) * 4096);
	rig_open(&g); /* nothing of it is seen */
	assert_null(sw_store_note(g.w));
	g.err.text[0] = '\0';
	assert_int_equal(sw_store_verify(g.path, &g.err), -EBADMSG);
	assert_true(g.err.text[0]);
	rig_close(&g);
	assert_int_equal(sw_store_aside(g.path, "why", &note, &g.err), 0);
	assert_non_null(strstr(sw_buf_str(&note), "was broken (why): moved to history.db.broken-"));
	sw_buf_fini(&note);
	rig_open(&g);
	assert_string_equal(sw_store_position(g.w, &g.a), "0-0");
	assert_int_equal(sw_store_verify(g.path, &g.err), 0);
	rig_fini(&g);
}

/* An empty file, or one with a log that belongs to nothing, is as good as none. */
static void test_empty(void **state)
{
	char wal[160], junk[100] = "nothing";
	struct rig g;

	(void)state;
	rig_dir(&g);
	rig_write(g.path, "", 0, 0);
	(void)snprintf(wal, sizeof wal, "%s-wal", g.path);
	rig_write(wal, junk, sizeof junk, 0);
	rig_open(&g);
	rig_line(&g, LINE("E1"));
	assert_int_equal(rig_list(&g, "events", NULL, NULL, NULL, NULL).n, 1);
	rig_fini(&g);
}

static void test_foreign(void **state)
{
	struct sw_sql *q;
	struct rig g;

	(void)state;
	rig_dir(&g);
	assert_int_equal(sw_sql_open(g.path, SW_SQL_WRITE, &q, &g.err), 0);
	assert_int_equal(sw_sql_exec(q, "CREATE TABLE accounts (x); INSERT INTO accounts VALUES (1)", &g.err), 0);
	sw_sql_close(q);
	assert_int_equal(sw_store_open(g.path, SW_STORE_WRITE, &g.w, &g.err), -EPROTO);
	assert_non_null(strstr(g.err.text, "a database, but no history of shipwatch"));
	assert_int_equal(sw_store_open(g.path, SW_STORE_READ, &g.s, &g.err), -EPROTO);
	assert_int_equal(rig_files(&g, ".broken-"), 0);
	g.w = g.s = NULL;
	rig_fini(&g);
}

/* In a child that may not do everything: a folder that cannot be written to is said, and what lies there can be read. */
static int as_nobody(const char *path)
{
	struct sw_err err = SW_ERR_INIT;
	struct sw_arena a = { 0 };
	struct sw_store *s;
	struct sw_rows rows;
	int r;

	if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
		return 1;
	r = sw_store_open(path, SW_STORE_WRITE, &s, &err);
	if (r != -EACCES && r != -EROFS)
		return 2;
	r = sw_store_open(path, SW_STORE_READ, &s, &err);
	if (r < 0) {
		(void)fprintf(stderr, "# %s\n", err.text);
		return 3;
	}
	r = sw_list_get(s, "events", 0, &a, &rows, &err, NULL) < 0 ? 4 : rows.n != 1 ? 5 : 0;
	sw_store_close(s);
	sw_arena_fini(&a);
	return r;
}

static void test_read_only(void **state)
{
	struct rig g;
	int status;
	pid_t pid;

	(void)state;
	rig_init(&g);
	rig_line(&g, LINE("E1"));
	rig_close(&g);
	assert_int_equal(chmod(g.dir, 0555), 0);
	assert_int_equal(chmod(g.path, 0444), 0);
	pid = fork();
	if (pid == 0)
		_exit(as_nobody(g.path));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(chmod(g.dir, 0755), 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	rig_fini(&g);
}

/* Files may not grow: -ENOSPC, nothing of the batch is in; with room it goes on. */
static int without_room(struct rig *g)
{
	struct rlimit limit = { 800000, RLIM_INFINITY };
	struct sw_journal_entry e[64];
	char lines[64][160], ids[64][24];
	unsigned bits;
	int r = 0, n = 0;
	int64_t events;

	(void)signal(SIGXFSZ, SIG_IGN);
	if (sw_store_open(g->path, SW_STORE_WRITE, &g->w, &g->err) < 0 || setrlimit(RLIMIT_FSIZE, &limit) < 0)
		return 1;
	while (r == 0 && n < 1000) {
		for (int i = 0; i < 64; i++) {
			(void)snprintf(ids[i], sizeof ids[i], "%d-%d", n + 1, i);
			(void)snprintf(lines[i], sizeof lines[i], "{\"at\":1790000000100,\"event_id\":\"F%d.%d\",\"source\":\"gitlab\",\"events\":[{\"kind\":\"push\",\"repo\":\"acme/web\"}]}", n, i);
			e[i] = (struct sw_journal_entry){ ids[i], lines[i], strlen(lines[i]) };
		}
		r = sw_store_apply(g->w, e, 64, &bits, &g->err);
		n += r == 0;
	}
	if (n < 1 || r != -ENOSPC || !strstr(g->err.text, "the disk is full"))
		return 2;
	if (sw_sql_number(g->w->q, "SELECT count(*) FROM events", -1, &events, NULL) < 0 || events != 64 * n)
		return 3;
	/* held, it is not in when its end fails, and the writer stands where it stood */
	if (sw_store_apply_at(g->w, e, 64, &(struct sw_store_at){ .added = -1, .more = true }, &bits, &g->err) == 0 && (sw_store_commit(g->w, &bits, &g->err) != -ENOSPC))
		return 6;
	(void)snprintf(ids[0], sizeof ids[0], "%d-63", n);
	if (sw_store_held(g->w) || strcmp(sw_store_position(g->w, &g->a), ids[0]) != 0)
		return 7;
	(void)snprintf(ids[0], sizeof ids[0], "%d-0", n + 1);
	limit.rlim_cur = RLIM_INFINITY;
	if (setrlimit(RLIMIT_FSIZE, &limit) < 0 || sw_store_apply(g->w, e, 64, &bits, &g->err) < 0)
		return 4;
	if (sw_sql_number(g->w->q, "SELECT count(*) FROM events", -1, &events, NULL) < 0 || events != 64 * (n + 1))
		return 5;
	g->w = sw_store_close(g->w);
	return 0;
}

static void test_full(void **state)
{
	struct rig g;
	int status;
	pid_t pid;

	(void)state;
	rig_dir(&g);
	pid = fork();
	if (pid == 0)
		_exit(without_room(&g));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	rig_fini(&g);
}

/* A child of a process that has the file open would take over its locks: it is refused. */
static void test_forked(void **state)
{
	struct rig g;
	int status;
	pid_t pid;

	(void)state;
	rig_init(&g);
	pid = fork();
	if (pid == 0) {
		struct sw_store *s;

		_exit(sw_store_open(g.path, SW_STORE_READ, &s, NULL) == -EDEADLK ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	rig_line(&g, LINE("E1"));
	rig_fini(&g);
}

static void test_gone(void **state)
{
	struct rig g;

	(void)state;
	rig_init(&g);
	assert_false(sw_store_gone(g.w));
	assert_int_equal(unlink(g.path), 0);
	assert_true(sw_store_gone(g.w));
	rig_write(g.path, "", 0, 0);
	assert_true(sw_store_gone(g.w));
	assert_true(sw_store_gone(g.s));
	rig_fini(&g);
}

static void test_position(void **state)
{
	struct sw_store_at at = { .position = "5-5", .added = 77, .lineage = "abc" };
	struct sw_journal_entry e = { "6-0", LINE("E1"), strlen(LINE("E1")) };
	struct rig g;
	unsigned bits;

	(void)state;
	rig_init(&g);
	assert_int_equal(sw_store_apply_at(g.w, NULL, 0, &at, &bits, &g.err), 0);
	assert_int_equal(bits, 0);
	assert_string_equal(sw_store_position(g.w, &g.a), "5-5");
	assert_int_equal(sw_store_position_n(g.w), 77);
	assert_string_equal(sw_store_lineage(g.w, &g.a), "abc");
	at = (struct sw_store_at){ .added = 78 };
	assert_int_equal(sw_store_apply_at(g.w, &e, 1, &at, &bits, &g.err), 0);
	assert_int_equal(bits, SW_TOUCHED_EVENTS);
	assert_string_equal(sw_store_position(g.w, &g.a), "6-0");
	assert_int_equal(sw_store_position_n(g.w), 78);
	assert_string_equal(sw_store_lineage(g.w, &g.a), "abc");
	assert_int_equal(sw_store_gap(g.w, 1790000000000, "5-5", "9-0", "some were trimmed", &g.err), 0);
	assert_int_equal(sw_store_gap(g.w, 1790000000999, "5-5", "9-0", "some were trimmed", &g.err), 0);
	assert_int_equal(rig_list(&g, "gaps", NULL, NULL, NULL, NULL).n, 1);
	rig_fini(&g);
}

static void held_apply(struct rig *g, const char *id, const char *json, bool more)
{
	struct sw_journal_entry e = { id, json, strlen(json) };
	struct sw_store_at at = { .added = -1, .more = more };

	assert_int_equal(sw_store_apply_at(g->w, &e, 1, &at, &g->touched, &g->err), 0);
}

/* What is held is for the writer only; it ends with a batch that is not, by commit, and before other transactions. */
static void test_held(void **state)
{
	struct sw_keeping k = { SW_DAY, SW_DAY, 0 };
	struct rig g;
	sw_ms cut;

	(void)state;
	rig_init(&g);
	held_apply(&g, "1-0", LINE("E1"), true);
	held_apply(&g, "2-0", LINE("E2"), true);
	assert_true(sw_store_held(g.w));
	assert_int_equal(g.touched, 0);
	assert_string_equal(sw_store_position(g.w, &g.a), "2-0");
	assert_string_equal(sw_store_position(g.s, &g.a), "0-0");
	assert_int_equal(rig_list(&g, "events", NULL, NULL, NULL, NULL).n, 0);
	held_apply(&g, "3-0", LINE("E3"), false);
	assert_false(sw_store_held(g.w));
	assert_int_equal(g.touched, SW_TOUCHED_EVENTS);
	assert_string_equal(sw_store_position(g.s, &g.a), "3-0");
	assert_int_equal(rig_list(&g, "events", NULL, NULL, NULL, NULL).n, 3);

	held_apply(&g, "4-0", LINE("E4"), true);
	assert_int_equal(sw_store_commit(g.w, &g.touched, &g.err), 0);
	assert_int_equal(g.touched, SW_TOUCHED_EVENTS);
	assert_int_equal(sw_store_commit(g.w, &g.touched, &g.err), 0);
	assert_int_equal(g.touched, 0);
	assert_string_equal(sw_store_position(g.s, &g.a), "4-0");

	held_apply(&g, "5-0", LINE("E5"), true);
	assert_int_equal(sw_store_prune(g.w, &k, 1790000000200, &cut, &g.err), 0);
	assert_int_equal(rig_list(&g, "events", NULL, NULL, NULL, NULL).n, 5);
	held_apply(&g, "6-0", "{}", false);
	assert_int_equal(g.touched, SW_TOUCHED_EVENTS); /* of what had to end before */
	rig_fini(&g);
}

/* A catching up that lasts is seen while it lasts. */
static void test_held_long(void **state)
{
	char id[32], line[200];
	struct rig g;
	int i = 0;

	(void)state;
	rig_init(&g);
	do {
		(void)snprintf(id, sizeof id, "%d-0", ++i);
		(void)snprintf(line, sizeof line, LINE("L%d"), i);
		held_apply(&g, id, line, true);
	} while (sw_store_held(g.w) && i < 100000);
	assert_true(i <= 8192);
	assert_string_equal(sw_store_position(g.s, &g.a), id);
	rig_fini(&g);
}

/* Held and gone: it is read again. */
static void test_held_killed(void **state)
{
	struct rig g;
	int status;
	pid_t pid;

	(void)state;
	rig_init(&g);
	held_apply(&g, "1-0", LINE("E1"), false);
	rig_close(&g);
	pid = fork();
	if (pid == 0) {
		if (sw_store_open(g.path, SW_STORE_WRITE, &g.w, &g.err) < 0)
			_exit(1);
		held_apply(&g, "2-0", LINE("E2"), true);
		_exit(sw_store_held(g.w) ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	rig_open(&g);
	assert_string_equal(sw_store_position(g.w, &g.a), "1-0");
	assert_int_equal(rig_list(&g, "events", NULL, NULL, NULL, NULL).n, 1);
	rig_fini(&g);
}

/* ---- retention ---- */

#define NOW ((sw_ms)1790000000000)

static void prune_all(struct rig *g, const struct sw_keeping *k, sw_ms *ret_cut)
{
	sw_ms cut;
	int r, n = 0;

	*ret_cut = 0;
	while ((r = sw_store_prune(g->w, k, NOW, &cut, &g->err)) > 0 && n++ < 10000)
		*ret_cut = cut ? cut : *ret_cut;
	if (r < 0)
		fail_msg("%s", g->err.text);
	assert_true(n < 10000);
}

static void step(struct rig *g, sw_ms at, const char *agg, const char *recs)
{
	char line[1500];

	(void)snprintf(line, sizeof line, "{\"at\":%lld,\"agg\":\"%s\",\"in\":[],\"recs\":[%s]}", (long long)at, agg, recs);
	rig_line(g, line);
}

static void deployment(struct rig *g, sw_ms at, const char *id, const char *counted, const char *state)
{
	char recs[1200];

	(void)snprintf(recs, sizeof recs, "{\"k\":\"dep\",\"d\":{\"id\":\"%s\",\"status\":\"success\",\"finished\":%lld,\"counted\":%s,\"ev\":{\"kind\":\"job\",\"sha\":\"aaaaaaa1\"}}},"
	               "{\"k\":\"watch\",\"d\":{\"id\":\"w-%s\",\"dep\":\"%s\",\"rule\":\"r\",\"state\":\"%s\",\"opened\":%lld,\"ended\":%lld}},"
	               "{\"k\":\"act\",\"d\":{\"id\":\"a-%s\",\"action\":\"undo\",\"dep\":\"%s\",\"watch\":\"w-%s\",\"state\":\"done\",\"proposed\":%lld}}", id, (long long)at, counted, id, id, state,
	               (long long)at, (long long)at, id, id, id, (long long)at);
	step(g, at, "place:web/prod", recs);
}

static void alert(struct rig *g, sw_ms at, const char *id, const char *news)
{
	char recs[900], agg[64];

	(void)snprintf(agg, sizeof agg, "alert:%s", id);
	(void)snprintf(recs, sizeof recs, "{\"k\":\"told\",\"d\":{\"delivery\":\"%s-%s\",\"news\":\"%s\",\"alert\":{\"news\":\"%s\",\"id\":\"%s\",\"watch_id\":\"w\"}}},{\"k\":\"way\",\"d\":{\"delivery\":\"%s-%s\",\"channel\":\"ops\","
	               "\"state\":\"sent\"}},{\"k\":\"try\",\"d\":{\"delivery\":\"%s-%s\",\"channel\":\"ops\",\"n\":%lld,\"class\":\"ok\"}}", id, news, news, news, id, id, news, id, news, (long long)(at / SW_DAY % 1000));
	step(g, at, agg, recs);
}

static void test_retention(void **state)
{
	struct sw_keeping keep = { .keep = 10 * SW_DAY, .keep_samples = 2 * SW_DAY };
	struct rig g;
	sw_ms cut;

	(void)state;
	rig_init(&g);
	deployment(&g, NOW - 40 * SW_DAY, "old", "true", "done");
	deployment(&g, NOW - 30 * SW_DAY, "open", "true", "watching");
	deployment(&g, NOW - 20 * SW_DAY, "runs", "true", "done");
	deployment(&g, NOW - 15 * SW_DAY, "newest", "false", "done");
	alert(&g, NOW - 20 * SW_DAY, "over", "firing");
	alert(&g, NOW - 19 * SW_DAY, "over", "resolved");
	alert(&g, NOW - 20 * SW_DAY, "fires", "firing");
	alert(&g, NOW - 20 * SW_DAY, "late", "firing");
	alert(&g, NOW - 1 * SW_DAY, "late", "resolved");
	for (int i = 0; i < 3; i++)
		rig_line(&g, (const char *const[]){ "{\"at\":1780000000000,\"event_id\":\"E1\",\"source\":\"s\",\"events\":[{\"kind\":\"pipeline\",\"status\":\"success\",\"repo\":\"a/b\",\"pipeline_id\":\"1\","
		                                    "\"ci_run_id\":\"h/a/b/1\",\"received\":1780000000000},{\"kind\":\"job\",\"status\":\"success\",\"repo\":\"a/b\",\"pipeline_id\":\"1\",\"ci_run_id\":\"h/a/b/1\","
		                                    "\"job_name\":\"x\",\"received\":1780000000000}]}",
		                                    "{\"at\":1789999999999,\"event_id\":\"E2\",\"source\":\"s\",\"events\":[{\"kind\":\"push\",\"repo\":\"a/b\"}]}",
		                                    "{\"t\":\"hold\",\"on\":true,\"scope\":\"\",\"who\":\"lin\",\"why\":\"\",\"at\":1780000000000}" }[i]);
	rig_line(&g, "{\"at\":1789999999999,\"agg\":\"place:web/prod\",\"in\":[{\"t\":\"samples\",\"src\":\"health\",\"items\":[{\"signal\":\"health\",\"at\":1789700000000,\"r\":\"ok\",\"v\":1},"
	             "{\"signal\":\"health\",\"at\":1789999999999,\"r\":\"ok\",\"v\":1}]}]}");
	assert_int_equal(rig_list(&g, "samples", "service", "web", "environment", "prod").n, 2);
	prune_all(&g, &keep, &cut);
	assert_int_equal(cut, 0);
	assert_int_equal(rig_list(&g, "deployments", NULL, NULL, NULL, NULL).n, 3);
	assert_int_equal(rig_list(&g, "deployments", "q", "old", NULL, NULL).n, 0);
	assert_int_equal(rig_list(&g, "watches", NULL, NULL, NULL, NULL).n, 3);
	assert_int_equal(rig_list(&g, "actions", NULL, NULL, NULL, NULL).n, 3);
	assert_int_equal(rig_list(&g, "action_steps", NULL, NULL, NULL, NULL).n, 3);
	assert_int_equal(rig_list(&g, "alerts", NULL, NULL, NULL, NULL).n, 2);
	assert_int_equal(rig_list(&g, "news", "alert", "over", NULL, NULL).n, 0);
	assert_int_equal(rig_list(&g, "news", "alert", "late", NULL, NULL).n, 2);
	assert_int_equal(rig_list(&g, "deliveries", NULL, NULL, NULL, NULL).n, 3);
	assert_int_equal(rig_list(&g, "attempts", NULL, NULL, NULL, NULL).n, 3);
	assert_int_equal(rig_list(&g, "events", NULL, NULL, NULL, NULL).n, 1);
	assert_int_equal(rig_number(&g, "SELECT count(*) FROM event_bodies"), 1);
	assert_int_equal(rig_list(&g, "builds", NULL, NULL, NULL, NULL).n, 0);
	assert_int_equal(rig_list(&g, "jobs", NULL, NULL, NULL, NULL).n, 0);
	assert_int_equal(rig_list(&g, "lines", NULL, NULL, NULL, NULL).n, 0);
	assert_int_equal(rig_list(&g, "decisions", NULL, NULL, NULL, NULL).n, 0);
	assert_int_equal(rig_list(&g, "samples", "service", "web", "environment", "prod").n, 1);
	rig_fini(&g);
}

/* Too large: the oldest goes until it fits, and room is given back. */
static void test_size(void **state)
{
	struct sw_keeping keep = { .keep = 90 * SW_DAY, .keep_samples = 90 * SW_DAY, .bytes_max = 1000000 };
	char line[2000], text[1200];
	struct rig g;
	sw_ms cut;
	int64_t pages;

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	rig_init(&g);
	for (int i = 0; i < 1500; i++) {
		(void)snprintf(line, sizeof line, "{\"at\":%lld,\"event_id\":\"E%d\",\"source\":\"s\",\"events\":[{\"kind\":\"push\",\"repo\":\"a/b\",\"what\":\"%s\"}]}", (long long)(NOW - (1500 - i) * SW_HOUR), i, text);
		rig_line(&g, line);
	}
	assert_true(sw_store_bytes(g.w) > 2000000);
	pages = rig_number(&g, "PRAGMA page_count");
	prune_all(&g, &keep, &cut);
	assert_true(cut > NOW - 1500 * SW_HOUR && cut < NOW);
	assert_true(sw_store_bytes(g.w) <= 1000000);
	assert_true(sw_store_bytes(g.w) > 500000); /* and not much more than had to */
	assert_int_equal(rig_number(&g, "SELECT count(*) FROM events WHERE event_id = 'E1499'"), 1);
	assert_int_equal(rig_number(&g, "SELECT count(*) FROM events WHERE event_id = 'E0'"), 0);
	assert_true(rig_number(&g, "PRAGMA page_count") <= pages);
	rig_fini(&g);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_made), cmocka_unit_test(test_absent), cmocka_unit_test(test_one_writer), cmocka_unit_test(test_older),
		cmocka_unit_test(test_broken), cmocka_unit_test(test_verify), cmocka_unit_test(test_empty), cmocka_unit_test(test_foreign), cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_full), cmocka_unit_test(test_forked), cmocka_unit_test(test_gone), cmocka_unit_test(test_position), cmocka_unit_test(test_held), cmocka_unit_test(test_held_long), cmocka_unit_test(test_held_killed), cmocka_unit_test(test_retention),
		cmocka_unit_test(test_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
