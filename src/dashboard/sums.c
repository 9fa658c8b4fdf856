/* The newest of places, lines and rules, and the readings of curves. */
#include "dashboard/sums.h"

#include <math.h>
#include <string.h>

#include "base/str.h"
#include "dashboard/store_inner.h"

static const char *text_of(struct sw_stmt *st, int i, struct sw_arena *a)
{
	return sw_arena_strdup(a, sw_stmt_get_text(st, i, NULL));
}

static double real_of(struct sw_stmt *st, int i)
{
	return sw_stmt_is_null(st, i) ? NAN : sw_stmt_get_real(st, i);
}

static void stmt_freep(struct sw_stmt **st)
{
	sw_stmt_free(*st);
}

/* ---- places ---- */

static const char newest_deployments[] =
	"SELECT d.deployment, d.status, d.verdict, d.sha, d.version, d.user, d.at, d.is_rollback, d.good,"
	" (SELECT state FROM actions WHERE deployment = d.deployment AND rollback ORDER BY at DESC LIMIT 1),"
	" EXISTS (SELECT 1 FROM watches WHERE deployment = d.deployment AND state IN ('waiting', 'watching'))"
	" FROM deployments d WHERE d.place = (SELECT id FROM places WHERE service = ?1 AND environment = ?2) ORDER BY d.at DESC, d.id DESC LIMIT 10";

int sum_places(struct sw_store *s, struct sum_place *io, size_t n, struct sw_arena *a)
{
	SW_CLEANUP(stmt_freep) struct sw_stmt *st = NULL;
	int r = sw_sql_prepare(s->q, newest_deployments, &st, NULL);

	for (size_t i = 0; i < n && r == 0; i++) {
		io[i].n = 0;
		sw_stmt_text(st, 1, io[i].service);
		sw_stmt_text(st, 2, io[i].environment);
		while ((r = sw_stmt_step(st)) == 1)
			if (io[i].n < SUM_NEWEST)
				io[i].d[io[i].n++] = (struct sum_deployment){
					.id = text_of(st, 0, a), .status = text_of(st, 1, a), .verdict = text_of(st, 2, a), .sha = text_of(st, 3, a),
					.version = text_of(st, 4, a), .user = text_of(st, 5, a), .at = sw_stmt_get_int(st, 6),
					.is_rollback = sw_stmt_get_int(st, 7) != 0, .good = sw_stmt_is_null(st, 8) ? -1 : sw_stmt_get_int(st, 8) != 0,
					.taken_back = text_of(st, 9, a), .watched = sw_stmt_get_int(st, 10) != 0 };
	}
	return r;
}

const char *sum_word(const struct sum_deployment *d)
{
	static const char *const back[] = { "done", "verified", "ineffective" };

	for (size_t i = 0; i < SW_COUNT(back); i++)
		if (sw_streq(d->taken_back, back[i]))
			return "rolled back";
	if (!sw_streq(d->status, "success"))
		return d->status;
	if (d->verdict)
		return d->verdict;
	return d->watched ? "watching" : d->status;
}

/* ---- lines ---- */

/* A build without a branch or environment has NULL there, a line "". */
static const char newest_builds[] =
	"SELECT id, status, at, duration_ms, coverage FROM builds WHERE repo = ?1 AND branch IS nullif(?2, '') AND environment IS nullif(?3, '')"
	" ORDER BY at DESC, id DESC LIMIT ?4";

int sum_lines(struct sw_store *s, struct sum_line *io, size_t n, size_t each, struct sw_arena *a)
{
	SW_CLEANUP(stmt_freep) struct sw_stmt *st = NULL;
	int r = sw_sql_prepare(s->q, newest_builds, &st, NULL);

	for (size_t i = 0; i < n && r == 0; i++) {
		io[i].n = 0;
		sw_stmt_text(st, 1, io[i].repo);
		sw_stmt_text(st, 2, io[i].branch);
		sw_stmt_text(st, 3, io[i].environment);
		sw_stmt_int(st, 4, (int64_t)SW_MIN(each, (size_t)SUM_BUILDS));
		while ((r = sw_stmt_step(st)) == 1)
			io[i].b[io[i].n++] = (struct sum_build){ .id = sw_stmt_get_int(st, 0), .status = text_of(st, 1, a), .at = sw_stmt_get_int(st, 2),
			                                         .duration = real_of(st, 3), .coverage = real_of(st, 4) };
	}
	return r;
}

/* ---- rules ---- */

static int rule_counts(struct sw_stmt *st, struct sum_rule *x, sw_ms since)
{
	int r;

	sw_stmt_text(st, 1, x->rule);
	sw_stmt_int(st, 2, since);
	while ((r = sw_stmt_step(st)) == 1) {
		const char *verdict = sw_stmt_get_text(st, 0, NULL);
		int64_t n = sw_stmt_get_int(st, 1);

		if (sw_streq(verdict, "pass"))
			x->pass += n;
		else if (sw_streq(verdict, "fail"))
			x->fail += n;
		else
			x->other += n;
	}
	return r;
}

static int rule_newest(struct sw_stmt *st, struct sum_rule *x, struct sw_arena *a)
{
	int r;

	sw_stmt_text(st, 1, x->rule);
	while ((r = sw_stmt_step(st)) == 1) {
		if (x->n == SUM_NEWEST)
			continue;
		x->w[x->n].deployment = text_of(st, 0, a);
		x->w[x->n].watch = text_of(st, 1, a);
		x->w[x->n].verdict = text_of(st, 2, a);
		x->w[x->n++].at = sw_stmt_get_int(st, 3);
	}
	return r;
}

static int rule_alerts(struct sw_stmt *st, struct sum_rule *x, sw_ms since)
{
	int r;

	sw_stmt_text(st, 1, x->rule);
	sw_stmt_int(st, 2, since);
	while ((r = sw_stmt_step(st)) == 1) {
		x->fired = sw_stmt_get_int(st, 0);
		x->alerts = sw_stmt_get_int(st, 1);
	}
	return r;
}

int sum_rules(struct sw_store *s, struct sum_rule *io, size_t n, sw_ms since, struct sw_arena *a)
{
	SW_CLEANUP(stmt_freep) struct sw_stmt *counts = NULL, *newest = NULL, *alerts = NULL;
	int r = sw_sql_prepare(s->q, "SELECT verdict, count(*) FROM watches WHERE rule = ?1 AND at >= ?2 GROUP BY verdict", &counts, NULL);

	if (r == 0)
		r = sw_sql_prepare(s->q, "SELECT deployment, watch, coalesce(verdict, state), at FROM watches WHERE rule = ?1 ORDER BY at DESC LIMIT 10", &newest, NULL);
	if (r == 0)
		r = sw_sql_prepare(s->q, "SELECT (SELECT max(at) FROM alerts WHERE rule = ?1), (SELECT count(*) FROM alerts WHERE rule = ?1 AND at >= ?2)", &alerts, NULL);
	for (size_t i = 0; i < n && r == 0; i++) {
		io[i] = (struct sum_rule){ .rule = io[i].rule };
		r = rule_counts(counts, &io[i], since);
		if (r == 0)
			r = rule_newest(newest, &io[i], a);
		if (r == 0)
			r = rule_alerts(alerts, &io[i], since);
	}
	return r;
}

/* ---- samples ---- */

static const char newest_samples[] =
	"SELECT s.at, CASE WHEN s.r IS NULL THEN s.v END FROM samples s WHERE s.place = (SELECT id FROM places WHERE service = ?1 AND environment = ?2)"
	" AND s.at >= ?3 AND s.at <= ?4 AND s.signal IN (SELECT id FROM signals WHERE name = ?5 AND source <> 'reference') ORDER BY s.at DESC LIMIT ?6";

int sum_samples(struct sw_store *s, const char *service, const char *environment, const char *signal, sw_ms from, sw_ms to, size_t max, struct sw_arena *a,
                struct chart_point **ret, size_t *ret_n)
{
	SW_CLEANUP(stmt_freep) struct sw_stmt *st = NULL;
	struct chart_point *v = SW_ARENA_ARRAY(a, struct chart_point, max + 1);
	size_t n = 0;
	int r = sw_sql_prepare(s->q, newest_samples, &st, NULL);

	*ret = v;
	*ret_n = 0;
	if (r < 0)
		return r;
	sw_stmt_text(st, 1, service);
	sw_stmt_text(st, 2, environment);
	sw_stmt_int(st, 3, from);
	sw_stmt_int(st, 4, to);
	sw_stmt_text(st, 5, signal);
	sw_stmt_int(st, 6, (int64_t)max);
	while ((r = sw_stmt_step(st)) == 1)
		if (n < max)
			v[max - ++n] = (struct chart_point){ .at = sw_stmt_get_int(st, 0), .v = real_of(st, 1) };
	*ret = v + max - n;
	*ret_n = n;
	return r;
}

int sum_heard(struct sw_store *s, const char *source, sw_ms *ret)
{
	SW_CLEANUP(stmt_freep) struct sw_stmt *st = NULL;
	int r = sw_sql_prepare(s->q, "SELECT max(at) FROM events WHERE source = ?1", &st, NULL);

	*ret = 0;
	if (r < 0)
		return r;
	sw_stmt_text(st, 1, source);
	while ((r = sw_stmt_step(st)) == 1)
		*ret = sw_stmt_get_int(st, 0);
	return r;
}
