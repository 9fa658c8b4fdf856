/* Folding: batches of entries in one transaction each, with their position; the statements, prepared once. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "dashboard/fold_inner.h"
#include "shipwatch/clock.h"

#define HELD_MOST 8192
#define HELD_TIME SW_SECOND

static const char *const statements[ST_COUNT] = {
	[ST_PLACE] = "SELECT id FROM places WHERE service = ? AND environment = ?",
	[ST_PLACE_ADD] = "INSERT INTO places (service, environment) VALUES (?, ?)",
	[ST_SIGNAL] = "SELECT id FROM signals WHERE name = ? AND source = ?",
	[ST_SIGNAL_ADD] = "INSERT INTO signals (name, source) VALUES (?, ?)",
	[ST_EVENT] = "INSERT INTO events (at, event_id, n, delivery, source, kind, status, repo, branch, tag, sha, service, environment, ci_run_id, ci_run_alias, user,"
	             " title, url) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
	[ST_EVENT_BODY] = "INSERT INTO event_bodies (id, ev) VALUES (?, ?) ON CONFLICT DO NOTHING",
	[ST_EVENT_CLAIM] = "UPDATE events SET service = ?1, environment = ?2, claimed = 1 WHERE event_id = ?3 AND +kind = ?4 AND +environment IS ?5 AND NOT claimed",
	[ST_SAMPLE] = "INSERT INTO samples (place, at, signal, r, v, n, text) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
	[ST_BUILD_RUN] = "SELECT * FROM builds WHERE run = ?",
	[ST_BUILD_ALIAS] = "SELECT * FROM builds WHERE ci_run_alias = ? ORDER BY id DESC LIMIT 1",
	[ST_BUILD_PIPELINE] = "SELECT * FROM builds WHERE pipeline_id = ? AND repo = ? ORDER BY id DESC LIMIT 1",
	[ST_BUILD_ADD] = "INSERT INTO builds (run, at, first, source, repo, pipeline_id, ci_run_id, ci_run_alias, attempt, name, branch, tag, sha, version, service,"
	                 " environment, status, started, finished, duration_ms, coverage, cpu_ms, max_rss_bytes, exit_code, trigger, merge_request, user, author, title,"
	                 " url, jobs, jobs_failed, told_at, own, seq) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
	                 " ?, ?, ?, ?)",
	[ST_BUILD_SET] = "UPDATE builds SET run = ?, at = ?, first = ?, source = ?, repo = ?, pipeline_id = ?, ci_run_id = ?, ci_run_alias = ?, attempt = ?, name = ?,"
	                 " branch = ?, tag = ?, sha = ?, version = ?, service = ?, environment = ?, status = ?, started = ?, finished = ?, duration_ms = ?, coverage = ?,"
	                 " cpu_ms = ?, max_rss_bytes = ?, exit_code = ?, trigger = ?, merge_request = ?, user = ?, author = ?, title = ?, url = ?, jobs = ?,"
	                 " jobs_failed = ?, told_at = ?, own = ?, seq = ? WHERE id = ?",
	[ST_JOBS] = "SELECT * FROM jobs WHERE build = ?",
	[ST_JOB_ADD] = "INSERT INTO jobs (job, job_id, at, name, stage, status, attempt, started, finished, duration_ms, coverage, cpu_ms, max_rss_bytes, exit_code,"
	               " allow_failure, service, environment, url, told_at, metrics, extra, build) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[ST_JOB_SET] = "UPDATE jobs SET job = ?, job_id = ?, at = ?, name = ?, stage = ?, status = ?, attempt = ?, started = ?, finished = ?, duration_ms = ?,"
	               " coverage = ?, cpu_ms = ?, max_rss_bytes = ?, exit_code = ?, allow_failure = ?, service = ?, environment = ?, url = ?, told_at = ?, metrics = ?,"
	               " extra = ? WHERE id = ?",
	[ST_LINE] = "INSERT INTO lines (repo, branch, environment, at, build) VALUES (?, ?, ?, ?, ?) ON CONFLICT (repo, branch, environment)"
	            " DO UPDATE SET at = excluded.at, build = excluded.build WHERE excluded.at >= at",
	/* A build that is of another line now: what it leaves has its forerunner as the newest, or is no more. */
	[ST_LINE_MOVE] = "UPDATE lines SET build = b.id, at = b.at FROM (SELECT id, at FROM builds WHERE repo = ?1 AND branch IS nullif(?2, '') AND environment IS"
	                 " nullif(?3, '') AND id <> ?4 ORDER BY at DESC LIMIT 1) AS b WHERE lines.repo = ?1 AND lines.branch = ?2 AND lines.environment = ?3 AND"
	                 " lines.build = ?4",
	[ST_LINE_END] = "DELETE FROM lines WHERE repo = ?1 AND branch = ?2 AND environment = ?3 AND build = ?4",
	[ST_DEP] = "INSERT INTO deployments (deployment, place, at, status, source, repo, branch, tag, sha, version, user, author, title, url, compare_url, ci_run_id,"
	           " ci_run_alias, seen, started, finished, prev_sha, prev_version, is_rollback, is_redeploy, concurrent, rollback_of, runs, good, said, d)"
	           " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (deployment) DO UPDATE SET"
	           " at = excluded.at, status = excluded.status, source = coalesce(excluded.source, source), repo = coalesce(excluded.repo, repo),"
	           " branch = coalesce(excluded.branch, branch), tag = coalesce(excluded.tag, tag), sha = coalesce(excluded.sha, sha),"
	           " version = coalesce(excluded.version, version), user = coalesce(excluded.user, user), author = coalesce(excluded.author, author),"
	           " title = coalesce(excluded.title, title), url = coalesce(excluded.url, url), compare_url = coalesce(excluded.compare_url, compare_url),"
	           " ci_run_id = coalesce(excluded.ci_run_id, ci_run_id), ci_run_alias = coalesce(excluded.ci_run_alias, ci_run_alias), seen = excluded.seen,"
	           " started = excluded.started, finished = excluded.finished, prev_sha = excluded.prev_sha, prev_version = excluded.prev_version,"
	           " is_rollback = excluded.is_rollback, is_redeploy = excluded.is_redeploy, concurrent = excluded.concurrent, rollback_of = excluded.rollback_of,"
	           " runs = excluded.runs, good = excluded.good, said = excluded.said,"
	           " d = CASE WHEN excluded.source IS NULL AND source IS NOT NULL THEN d ELSE excluded.d END", /* an old one that the state keeps less of */
	[ST_DEP_VERDICT] = "UPDATE deployments SET verdict = (SELECT CASE WHEN sum(verdict IS 'fail') THEN 'fail' WHEN sum(state <> 'done') THEN NULL"
	                   " WHEN sum(verdict IS 'inconclusive') THEN 'inconclusive' WHEN sum(verdict IS 'pass') THEN 'pass'"
	                   " WHEN sum(verdict IS 'superseded') THEN 'superseded' ELSE max(verdict) END FROM watches WHERE watches.deployment = ?1) WHERE deployment = ?1",
	[ST_WATCH] = "INSERT INTO watches (watch, place, deployment, at, rule, rules, state, begins, until, every, verdict, reason, fail_at, ended, fired, checks, known)"
	             " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (watch) DO UPDATE SET state = excluded.state, begins = excluded.begins,"
	             " until = excluded.until, every = excluded.every, verdict = excluded.verdict, reason = excluded.reason, fail_at = excluded.fail_at,"
	             " ended = excluded.ended, fired = excluded.fired, checks = excluded.checks, known = excluded.known",
	[ST_ACT] = "INSERT INTO actions (action_id, place, at, last, action, rollback, deployment, watch, rule, state, why, started, deadline, target, asked, proceed,"
	           " ask_why, saw, approved, decided_by, decided_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (action_id)"
	           " DO UPDATE SET last = excluded.last, deployment = excluded.deployment, watch = excluded.watch, rule = excluded.rule, state = excluded.state,"
	           " why = excluded.why, started = excluded.started, deadline = excluded.deadline, target = excluded.target, asked = excluded.asked,"
	           " proceed = excluded.proceed, ask_why = excluded.ask_why, saw = excluded.saw, approved = excluded.approved, decided_by = excluded.decided_by,"
	           " decided_at = excluded.decided_at",
	[ST_ACT_STEP] = "INSERT INTO action_steps (action_id, at, state, why) SELECT ?1, ?2, ?3, ?4 WHERE ?3 IS NOT (SELECT state FROM action_steps WHERE action_id = ?1 AND"
	                " at <= ?2 ORDER BY at DESC, id DESC LIMIT 1) ON CONFLICT DO NOTHING",
	[ST_ALERT] = "INSERT INTO alerts (alert, at, last, service, environment, rule, severity, state, news, summary, watch, deployment, repo, branch, sha, ci_run_id)"
	             " VALUES (?1, ?2, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) ON CONFLICT (alert) DO UPDATE SET last = excluded.last,"
	             " state = CASE WHEN ?16 THEN excluded.state ELSE state END, news = excluded.news, severity = coalesce(excluded.severity, severity),"
	             " summary = coalesce(excluded.summary, summary), deployment = coalesce(excluded.deployment, deployment),"
	             " acked_by = CASE WHEN excluded.news = 'firing' THEN NULL ELSE acked_by END, acked_at = CASE WHEN excluded.news = 'firing' THEN NULL ELSE acked_at END"
	             " WHERE excluded.last >= last",
	[ST_NEWS] = "INSERT INTO news (news_id, alert, at, news, body) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
	[ST_WAY] = "INSERT INTO deliveries (news_id, alert, channel, at, last, state, tries, fallback, why) VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7, ?8)"
	           " ON CONFLICT (news_id, channel) DO UPDATE SET last = excluded.last, state = excluded.state, tries = max(tries, excluded.tries),"
	           " fallback = max(fallback, excluded.fallback), why = excluded.why WHERE excluded.last >= last",
	[ST_TRY] = "INSERT INTO attempts (alert, news_id, channel, n, at, class, detail, repeat) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
	[ST_ACK] = "UPDATE alerts SET acked_by = ?2, acked_at = ?3 WHERE alert = ?1",
	[ST_ALERT_PLACE] = "SELECT service, environment FROM alerts WHERE alert = ?",
	[ST_NEWS_ALERT] = "SELECT alert FROM news WHERE news_id = ?",
	[ST_WATCH_DEP] = "SELECT deployment FROM watches WHERE watch = ?",
	[ST_DECISION] = "INSERT INTO decisions (entry, n, at, who, what, target, service, environment, why, via, d) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	                " ON CONFLICT DO NOTHING",
	[ST_META] = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
};

/* ---- statements ---- */

static void fold_fail(struct fold *f, int r)
{
	if (f->r < 0)
		return;
	(void)sw_sql_error(f->store->q, &f->err);
	f->r = r;
}

struct sw_stmt *sw_fold_stmt(struct fold *f, enum fold_stmt st)
{
	int r;

	if (f->r < 0)
		return NULL;
	if (!f->st[st]) {
		r = sw_sql_prepare(f->store->q, statements[st], &f->st[st], NULL);
		if (r < 0) {
			fold_fail(f, r);
			return NULL;
		}
	}
	sw_stmt_reset(f->st[st]);
	return f->st[st];
}

void sw_fold_bind(struct sw_stmt *st, const char *types, ...)
{
	va_list ap;
	int i = 1;

	if (!st)
		return;
	va_start(ap, types);
	for (const char *t = types; *t; t++, i++) {
		switch (*t) {
		case 's': sw_stmt_text(st, i, va_arg(ap, const char *)); break;
		case 'n': {
			const char *p = va_arg(ap, const char *);

			sw_stmt_textn(st, i, p, va_arg(ap, size_t));
			break;
		}
		case 'i': sw_stmt_int(st, i, va_arg(ap, int64_t)); break;
		case 'b': sw_stmt_int(st, i, va_arg(ap, int)); break;
		case 'c': {
			int v = va_arg(ap, int);

			if (v >= 0)
				sw_stmt_int(st, i, v);
			else
				sw_stmt_null(st, i);
			break;
		}
		case 'o': {
			int64_t v = va_arg(ap, int64_t);

			if (v)
				sw_stmt_int(st, i, v);
			else
				sw_stmt_null(st, i);
			break;
		}
		case 'r':
		case 'v': {
			double v = va_arg(ap, double);

			if (isfinite(v) && (*t == 'v' || v >= 0))
				sw_stmt_real(st, i, v);
			else
				sw_stmt_null(st, i);
			break;
		}
		default: SW_ASSERT(!"a type of a parameter");
		}
	}
	va_end(ap);
	SW_ASSERT(i == sw_stmt_count(st) + 1);
}

bool sw_fold_row(struct fold *f, struct sw_stmt *st)
{
	int r = st && f->r == 0 ? sw_stmt_step(st) : 0;

	if (r == -EEXIST)
		f->skipped++; /* a row that breaks a rule of the table is left out */
	else if (r < 0)
		fold_fail(f, r);
	return r == 1;
}

bool sw_fold_run(struct fold *f, struct sw_stmt *st)
{
	uint64_t skipped = f->skipped;

	if (!st)
		return false;
	(void)sw_fold_row(f, st);
	return f->r == 0 && f->skipped == skipped;
}

/* ---- names that have rows of their own ---- */

static int64_t fold_id(struct fold *f, struct sw_map *map, const char *a, const char *b, enum fold_stmt find, enum fold_stmt add)
{
	const char *key = sw_arena_printf(&f->a, "%s\n%s", a, b);
	int64_t id = (int64_t)(intptr_t)sw_map_get(map, key);
	struct sw_stmt *st;

	if (id)
		return id;
	st = sw_fold_stmt(f, find);
	sw_fold_bind(st, "ss", a, b);
	if (sw_fold_row(f, st)) {
		id = sw_stmt_get_int(st, 0);
		sw_stmt_reset(st);
	} else {
		st = sw_fold_stmt(f, add);
		sw_fold_bind(st, "ss", a, b);
		if (!sw_fold_run(f, st))
			return 0;
		id = sw_sql_rowid(f->store->q);
	}
	(void)sw_map_set(map, key, (void *)(intptr_t)id);
	return id;
}

int64_t sw_fold_place(struct fold *f, const char *service, const char *environment)
{
	return fold_id(f, &f->places, service, environment, ST_PLACE, ST_PLACE_ADD);
}

int64_t sw_fold_own_place(struct fold *f, struct entry *e)
{
	if (!e->place && e->service)
		e->place = sw_fold_place(f, e->service, e->environment);
	return e->place;
}

int64_t sw_fold_signal(struct fold *f, const char *name, const char *source)
{
	return fold_id(f, &f->signals, name, source, ST_SIGNAL, ST_SIGNAL_ADD);
}

/* The first byte that is not ASCII; most text has none. */
static size_t fold_ascii(const char *p, size_t n)
{
	size_t i = 0;

	for (uint64_t eight; i + sizeof eight <= n; i += sizeof eight) {
		memcpy(&eight, p + i, sizeof eight);
		if (eight & 0x8080808080808080u)
			break;
	}
	while (i < n && (unsigned char)p[i] < 0x80)
		i++;
	return i;
}

struct raw sw_fold_json(struct fold *f, struct raw raw)
{
	struct sw_buf b = SW_BUF_INIT;

	for (size_t i = fold_ascii(raw.p, raw.n); i < raw.n; i += fold_ascii(raw.p + i, raw.n - i)) {
		unsigned k = sw_utf8_len(raw.p + i, raw.n - i);

		if (!k) {
			sw_utf8_clean(&b, raw.p, raw.n, false);
			raw.p = sw_arena_memdup(&f->a, b.p, b.n);
			raw.n = b.n;
			sw_buf_fini(&b);
			break;
		}
		i += k;
	}
	return raw;
}

/* ---- batches ---- */

struct fold *sw_fold_free(struct fold *f)
{
	if (!f)
		return NULL;
	for (size_t i = 0; i < ST_COUNT; i++)
		sw_stmt_free(f->st[i]);
	sw_fold_builds_forget(f);
	sw_map_fini(&f->places);
	sw_map_fini(&f->signals);
	sw_arena_fini(&f->a);
	sw_arena_fini(&f->keep);
	free(f);
	return NULL;
}

void sw_fold_forget(struct fold *f)
{
	if (!f)
		return;
	sw_map_fini(&f->places);
	sw_map_fini(&f->signals);
	f->places = f->signals = (struct sw_map)SW_MAP_INIT;
	f->seq_known = false;
	sw_fold_builds_forget(f);
}

static void fold_meta(struct fold *f, const char *key, const char *text, int64_t number)
{
	struct sw_stmt *st = sw_fold_stmt(f, ST_META);

	if (text)
		sw_fold_bind(st, "ss", key, text);
	else
		sw_fold_bind(st, "si", key, number);
	(void)sw_fold_run(f, st);
}

static void fold_begin(struct fold *f)
{
	f->r = 0;
	if (f->open)
		return;
	f->err = (struct sw_err)SW_ERR_INIT;
	f->r = sw_sql_exec(f->store->q, "BEGIN IMMEDIATE", &f->err);
	f->open = true;
	f->held = 0;
	f->began = sw_clock_mono();
	f->position[0] = '\0';
	f->added = -1;
	if (f->r == 0 && !f->seq_known) {
		f->r = sw_sql_number(f->store->q, "SELECT value FROM meta WHERE key = 'seq'", 0, &f->seq, &f->err);
		f->seq_known = f->r == 0;
	}
}

static void fold_end(struct fold *f)
{
	sw_fold_builds_write(f);
	if (f->position[0])
		fold_meta(f, "pos", f->position, 0);
	if (f->added >= 0)
		fold_meta(f, "pos_n", NULL, f->added);
	if (f->touched & SW_TOUCHED_BUILDS)
		fold_meta(f, "seq", NULL, f->seq);
	for (size_t i = 0; i < ST_COUNT; i++)
		if (f->st[i])
			sw_stmt_reset(f->st[i]);
	if (f->r == 0)
		f->r = sw_sql_exec(f->store->q, "COMMIT", &f->err);
	if (f->r < 0) {
		if (sw_sql_in_transaction(f->store->q))
			(void)!sw_sql_exec(f->store->q, "ROLLBACK", NULL);
		sw_fold_forget(f);
	}
	f->open = false;
	if (f->r == 0 && f->position[0])
		(void)snprintf(f->store->pos, sizeof f->store->pos, "%s", f->position);
	if (f->r == 0 && f->added >= 0)
		f->store->pos_n = f->added;
	sw_fold_builds_forget(f);
	sw_arena_reset(&f->a);
	sw_arena_reset(&f->keep);
}

/* Return: 0, or -errno with err. */
static int fold_done(struct fold *f, unsigned *ret_touched, struct sw_err *err)
{
	if (f->r < 0)
		return sw_err_set(err, -f->r, "%s: %s", f->store->path, f->err.text);
	*ret_touched = f->open ? 0 : f->touched;
	if (!f->open)
		f->touched = 0;
	return 0;
}

int sw_store_apply_at(struct sw_store *s, const struct sw_journal_entry *e, size_t n, const struct sw_store_at *at, unsigned *ret_touched, struct sw_err *err)
{
	struct fold *f = s->fold;

	SW_ASSERT(s->mode == SW_STORE_WRITE);
	if (!f) {
		f = s->fold = sw_calloc(1, sizeof *f);
		f->store = s;
	}
	fold_begin(f);
	for (size_t i = 0; i < n && f->r == 0; i++) {
		sw_fold_entry(f, &e[i]);
		sw_arena_reset(&f->a);
	}
	if (f->r == 0 && at && at->lineage)
		fold_meta(f, "lineage", at->lineage, 0);
	if (n || (at && at->position))
		(void)snprintf(f->position, sizeof f->position, "%s", at && at->position ? at->position : e[n - 1].id);
	if (at && at->added >= 0)
		f->added = at->added;
	f->held += n;
	if (f->r < 0 || !at || !at->more || f->held >= HELD_MOST || sw_clock_mono() - f->began >= HELD_TIME)
		fold_end(f);
	return fold_done(f, ret_touched, err);
}

bool sw_store_held(const struct sw_store *s)
{
	return s->fold && s->fold->open;
}

const char *sw_fold_position(const struct sw_store *s)
{
	return sw_store_held(s) && s->fold->position[0] ? s->fold->position : s->pos;
}

int64_t sw_fold_position_n(const struct sw_store *s)
{
	return sw_store_held(s) && s->fold->added >= 0 ? s->fold->added : s->pos_n;
}

int sw_store_commit(struct sw_store *s, unsigned *ret_touched, struct sw_err *err)
{
	*ret_touched = 0;
	if (!sw_store_held(s))
		return 0;
	s->fold->r = 0;
	fold_end(s->fold);
	return fold_done(s->fold, ret_touched, err);
}

int sw_store_settle(struct sw_store *s, struct sw_err *err)
{
	unsigned touched = 0;
	int r = sw_store_commit(s, &touched, err);

	if (s->fold)
		s->fold->touched |= touched;
	return r;
}

int sw_store_apply(struct sw_store *s, const struct sw_journal_entry *e, size_t n, unsigned *ret_touched, struct sw_err *err)
{
	return sw_store_apply_at(s, e, n, NULL, ret_touched, err);
}

uint64_t sw_store_skipped(const struct sw_store *s)
{
	return s->fold ? s->fold->skipped : 0;
}
