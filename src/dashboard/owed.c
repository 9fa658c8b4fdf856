/* What the history still owes: statements about it, nothing else. */
#include "dashboard/owed.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "dashboard/store_inner.h"

#define ENDED "status IN ('success', 'failed', 'cancelled')"

/* Runs a statement to its end, whatever rows it has. */
static int owed_finish(struct sw_store *s, struct sw_stmt *st, int r, struct sw_err *err)
{
	while (r == 0 && (r = sw_stmt_step(st)) == 1)
		r = 0;
	if (r < 0)
		r = sw_sql_error(s->q, err);
	sw_stmt_free(st);
	return r;
}

static const char *text_of(struct sw_stmt *st, int i, struct sw_arena *a)
{
	return sw_arena_strdup(a, sw_stmt_get_text(st, i, NULL));
}

static double real_of(struct sw_stmt *st, int i)
{
	return sw_stmt_is_null(st, i) ? NAN : sw_stmt_get_real(st, i);
}

/* ---- watches ---- */

int sw_owed_watch(struct sw_store *s, sw_ms from, sw_ms until, struct sw_arena *a, struct sw_owed_watch *ret, struct sw_err *err)
{
	/* the second condition is that of the index watches_owed */
	static const char text[] = "SELECT w.watch, w.state, p.service, p.environment FROM watches w JOIN places p ON p.id = w.place WHERE w.verdict IS NOT NULL"
		" AND (w.explained_as IS NULL OR w.explained_as NOT IN ('done', 'none')) AND w.explained_as IS NOT w.state"
		" AND coalesce(w.ended, w.fail_at, w.at) BETWEEN ? AND ? ORDER BY w.at DESC LIMIT 1";
	struct sw_stmt *st = NULL;
	int r = sw_sql_prepare(s->q, text, &st, err);

	if (r < 0)
		return r;
	sw_stmt_int(st, 1, from);
	sw_stmt_int(st, 2, until);
	r = sw_stmt_step(st);
	if (r == 1)
		*ret = (struct sw_owed_watch){ text_of(st, 0, a), text_of(st, 1, a), text_of(st, 2, a), text_of(st, 3, a) };
	if (r < 0)
		r = sw_sql_error(s->q, err);
	sw_stmt_free(st);
	return r;
}

int sw_owed_explained(struct sw_store *s, const char *watch, const char *state, const char *json, struct sw_err *err)
{
	struct sw_stmt *st = NULL;
	int r = sw_sql_prepare(s->q, "UPDATE watches SET explained = coalesce(?, explained), explained_as = ? WHERE watch = ?", &st, err);

	if (r < 0)
		return r;
	sw_stmt_text(st, 1, json);
	sw_stmt_text(st, 2, json ? state : "none");
	sw_stmt_text(st, 3, watch);
	return owed_finish(s, st, 0, err);
}

/* ---- builds ---- */

int sw_owed_pushed(struct sw_store *s, int64_t *ret, struct sw_err *err)
{
	return sw_sql_number(s->q, "SELECT value FROM meta WHERE key = 'pushed'", 0, ret, err);
}

int sw_owed_waiting(struct sw_store *s, int most, int64_t *ret, struct sw_err *err)
{
	static const char text[] = "SELECT count(*) FROM (SELECT 1 FROM builds WHERE seq > coalesce((SELECT value FROM meta WHERE key = 'pushed'), 0) LIMIT ?)";
	struct sw_stmt *st = NULL;
	int r = sw_sql_prepare(s->q, text, &st, err);

	if (r < 0)
		return r;
	sw_stmt_int(st, 1, most);
	r = sw_stmt_step(st);
	if (r == 1)
		*ret = sw_stmt_get_int(st, 0);
	else
		(void)sw_sql_error(s->q, err);
	sw_stmt_free(st);
	return r < 0 ? r : 0;
}

int sw_owed_pushed_set(struct sw_store *s, int64_t seq, struct sw_err *err)
{
	struct sw_stmt *st = NULL;
	int r = sw_sql_prepare(s->q, "INSERT INTO meta (key, value) VALUES ('pushed', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", &st, err);

	if (r < 0)
		return r;
	sw_stmt_int(st, 1, seq);
	return owed_finish(s, st, 0, err);
}

int sw_owed_pushed_to(struct sw_store *s, const char *where, struct sw_err *err)
{
	struct sw_stmt *st = NULL;
	bool same = false;
	int r = sw_sql_prepare(s->q, "SELECT 1 FROM meta WHERE key = 'pushed_to' AND value = ?", &st, err);

	if (r < 0)
		return r;
	sw_stmt_text(st, 1, where);
	r = sw_stmt_step(st);
	same = r == 1;
	if (r < 0)
		r = sw_sql_error(s->q, err);
	sw_stmt_free(st);
	if (same || r < 0)
		return r < 0 ? r : 0;
	r = sw_store_settle(s, err);
	if (r < 0)
		return r;
	r = sw_sql_exec(s->q, "BEGIN IMMEDIATE; DELETE FROM pushed; DELETE FROM meta WHERE key IN ('pushed', 'pushed_to')", err);
	if (r == 0)
		r = sw_sql_prepare(s->q, "INSERT INTO meta (key, value) VALUES ('pushed_to', ?)", &st, err);
	if (r == 0) {
		sw_stmt_text(st, 1, where);
		r = owed_finish(s, st, 0, err);
	}
	if (r == 0)
		r = sw_sql_exec(s->q, "COMMIT", err);
	if (r < 0 && sw_sql_in_transaction(s->q))
		(void)!sw_sql_exec(s->q, "ROLLBACK", NULL);
	return r;
}

int sw_owed_changed(struct sw_store *s, int64_t seq, struct sw_owed_build *ret, int max, struct sw_arena *a, struct sw_err *err)
{
	struct sw_stmt *st = NULL;
	int n = 0, r = sw_sql_prepare(s->q, "SELECT seq, at, repo, branch, environment, name, status FROM builds WHERE seq > ? ORDER BY seq LIMIT ?", &st, err);

	if (r < 0)
		return r;
	sw_stmt_int(st, 1, seq);
	sw_stmt_int(st, 2, max);
	while (n < max && (r = sw_stmt_step(st)) == 1)
		ret[n++] = (struct sw_owed_build){ .seq = sw_stmt_get_int(st, 0), .at = sw_stmt_get_int(st, 1), .repo = text_of(st, 2, a), .branch = text_of(st, 3, a),
		                                   .environment = text_of(st, 4, a), .name = text_of(st, 5, a), .status = text_of(st, 6, a) };
	if (r < 0)
		r = sw_sql_error(s->q, err);
	sw_stmt_free(st);
	return r < 0 ? r : n;
}

static int owed_jobs(struct sw_store *s, struct sw_arena *a, struct sw_owed_build *b, struct sw_err *err)
{
	struct sw_stmt *st = NULL;
	int r = sw_sql_prepare(s->q, "SELECT name, stage, status, metrics, duration_ms, coverage, cpu_ms, max_rss_bytes, exit_code FROM jobs WHERE build = ? AND name IS NOT NULL"
	                             " AND " ENDED " ORDER BY at DESC, id DESC LIMIT ?", &st, err);

	if (r < 0)
		return r;
	b->jobs = SW_ARENA_ARRAY(a, struct sw_owed_job, SW_OWED_JOBS);
	sw_stmt_int(st, 1, b->id);
	sw_stmt_int(st, 2, SW_OWED_JOBS);
	while ((r = sw_stmt_step(st)) == 1)
		b->jobs[b->n_jobs++] = (struct sw_owed_job){
			.name = text_of(st, 0, a), .stage = text_of(st, 1, a), .status = text_of(st, 2, a), .metrics = text_of(st, 3, a), .duration_ms = real_of(st, 4),
			.coverage = real_of(st, 5), .cpu_ms = real_of(st, 6), .max_rss_bytes = real_of(st, 7),
			.exit_code = sw_stmt_is_null(st, 8) ? -1 : (int)sw_stmt_get_int(st, 8) };
	if (r < 0)
		r = sw_sql_error(s->q, err);
	sw_stmt_free(st);
	return r;
}

int sw_owed_newest(struct sw_store *s, const struct sw_owed_build *group, struct sw_arena *a, struct sw_owed_build *ret, struct sw_err *err)
{
	static const char text[] = "SELECT seq, id, at, finished, tag, sha, version, service, ci_run_id, source, status, trigger, duration_ms, coverage, cpu_ms,"
		" max_rss_bytes, exit_code, merge_request FROM builds WHERE repo IS ? AND branch IS ? AND environment IS ? AND name IS ? AND " ENDED
		" ORDER BY at DESC, id DESC LIMIT 1";
	struct sw_stmt *st = NULL;
	int r = sw_sql_prepare(s->q, text, &st, err);

	if (r < 0)
		return r;
	sw_stmt_text(st, 1, group->repo);
	sw_stmt_text(st, 2, group->branch);
	sw_stmt_text(st, 3, group->environment);
	sw_stmt_text(st, 4, group->name);
	r = sw_stmt_step(st);
	if (r == 1)
		*ret = (struct sw_owed_build){
			.repo = group->repo, .branch = group->branch, .environment = group->environment, .name = group->name, .seq = sw_stmt_get_int(st, 0),
			.id = sw_stmt_get_int(st, 1), .at = sw_stmt_get_int(st, 2), .finished = sw_stmt_get_int(st, 3), .tag = text_of(st, 4, a), .sha = text_of(st, 5, a),
			.version = text_of(st, 6, a), .service = text_of(st, 7, a), .ci_run_id = text_of(st, 8, a), .source = text_of(st, 9, a), .status = text_of(st, 10, a),
			.trigger = text_of(st, 11, a), .duration_ms = real_of(st, 12), .coverage = real_of(st, 13), .cpu_ms = real_of(st, 14), .max_rss_bytes = real_of(st, 15),
			.exit_code = sw_stmt_is_null(st, 16) ? -1 : (int)sw_stmt_get_int(st, 16), .merge_request = sw_stmt_get_int(st, 17) != 0 };
	if (r < 0)
		r = sw_sql_error(s->q, err);
	sw_stmt_free(st);
	if (r == 1) {
		int got = owed_jobs(s, a, ret, err);

		return got < 0 ? got : 1;
	}
	return r;
}

/* ---- groups ---- */

int sw_owed_group(struct sw_store *s, const char *path, sw_ms at, struct sw_err *err)
{
	struct sw_stmt *st = NULL;
	int r = sw_sql_prepare(s->q, "INSERT INTO pushed (path, at) VALUES (?, ?) ON CONFLICT (path) DO UPDATE SET at = max(at, excluded.at)", &st, err);

	if (r < 0)
		return r;
	sw_stmt_text(st, 1, path);
	sw_stmt_int(st, 2, at);
	return owed_finish(s, st, 0, err);
}

int sw_owed_group_old(struct sw_store *s, sw_ms before, struct sw_arena *a, const char **ret, struct sw_err *err)
{
	struct sw_stmt *st = NULL;
	int r = sw_sql_prepare(s->q, "SELECT path FROM pushed WHERE at < ? ORDER BY at LIMIT 1", &st, err);

	if (r < 0)
		return r;
	sw_stmt_int(st, 1, before);
	r = sw_stmt_step(st);
	if (r == 1)
		*ret = text_of(st, 0, a);
	if (r < 0)
		r = sw_sql_error(s->q, err);
	sw_stmt_free(st);
	return r;
}

int sw_owed_group_gone(struct sw_store *s, const char *path, struct sw_err *err)
{
	struct sw_stmt *st = NULL;
	int r = sw_sql_prepare(s->q, "DELETE FROM pushed WHERE path = ?", &st, err);

	if (r < 0)
		return r;
	sw_stmt_text(st, 1, path);
	return owed_finish(s, st, 0, err);
}
