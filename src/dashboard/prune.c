/*
 * Retention: what is older than it is kept goes, in small transactions, so that recording never waits for long.
 *
 * 1. What hangs together goes together: an alert with its news, deliveries and attempts; a deployment with its watches and actions; a build with
 *    its jobs. Old is what nothing was heard of for so long.
 * 2. What is still going on stays, however old: alerts that fire, open watches, and of each place what runs there.
 * 3. Past the largest size the oldest goes, a fiftieth of the time that is kept at once.
 * 4. Room of what went is used again; only where a fifth of the file is empty is it given back.
 */
#include <errno.h>
#include <stdio.h>

#include "dashboard/fold_inner.h"

#define SLICE_ROWS  2000
#define SLICE_PAGES 2000 /* given back at once */

/* What is old, as rows of doomed(id, key); then what goes with it. ?1: older than this; ?2: at most so many. */
struct family { bool samples; const char *find, *ends[5]; };

static const struct family families[] = {
	{ false, "SELECT id, NULL FROM events WHERE at < ?1 ORDER BY at LIMIT ?2",
	  { "DELETE FROM event_bodies WHERE id IN (SELECT id FROM doomed)", "DELETE FROM events WHERE id IN (SELECT id FROM doomed)" } },
	{ false, "SELECT id, NULL FROM builds WHERE at < ?1 ORDER BY at LIMIT ?2",
	  { "DELETE FROM jobs WHERE build IN (SELECT id FROM doomed)", "DELETE FROM builds WHERE id IN (SELECT id FROM doomed)" } },
	{ false, "SELECT id, NULL FROM lines WHERE at < ?1 ORDER BY at LIMIT ?2", { "DELETE FROM lines WHERE id IN (SELECT id FROM doomed)" } },
	{ false, "SELECT id, deployment FROM deployments d WHERE at < ?1 AND id <> (SELECT id FROM deployments WHERE place = d.place ORDER BY at DESC LIMIT 1) AND"
	         " id IS NOT (SELECT id FROM deployments WHERE place = d.place AND runs ORDER BY at DESC LIMIT 1) AND"
	         " NOT EXISTS (SELECT 1 FROM watches w WHERE w.deployment = d.deployment AND (w.state <> 'done' OR coalesce(w.ended, w.at) >= ?1)) ORDER BY at LIMIT ?2",
	  { "DELETE FROM action_steps WHERE action_id IN (SELECT action_id FROM actions WHERE deployment IN (SELECT key FROM doomed))",
	    "DELETE FROM actions WHERE deployment IN (SELECT key FROM doomed)", "DELETE FROM watches WHERE deployment IN (SELECT key FROM doomed)",
	    "DELETE FROM deployments WHERE id IN (SELECT id FROM doomed)" } },
	/* of deployments that were never told */
	{ false, "SELECT id, NULL FROM watches w WHERE at < ?1 AND state = 'done' AND NOT EXISTS (SELECT 1 FROM deployments d WHERE d.deployment = w.deployment)"
	         " ORDER BY at LIMIT ?2", { "DELETE FROM watches WHERE id IN (SELECT id FROM doomed)" } },
	{ false, "SELECT id, action_id FROM actions c WHERE at < ?1 AND NOT EXISTS (SELECT 1 FROM deployments d WHERE d.deployment = c.deployment) ORDER BY at LIMIT ?2",
	  { "DELETE FROM action_steps WHERE action_id IN (SELECT key FROM doomed)", "DELETE FROM actions WHERE id IN (SELECT id FROM doomed)" } },
	{ false, "SELECT id, alert FROM alerts WHERE at < ?1 AND last < ?1 AND state <> 'firing' ORDER BY at LIMIT ?2",
	  { "DELETE FROM attempts WHERE alert IN (SELECT key FROM doomed)", "DELETE FROM deliveries WHERE alert IN (SELECT key FROM doomed)",
	    "DELETE FROM news WHERE alert IN (SELECT key FROM doomed)", "DELETE FROM alerts WHERE id IN (SELECT id FROM doomed)" } },
	/* of channels' own, and of alerts whose beginning was not seen */
	{ false, "SELECT id, NULL FROM deliveries v WHERE at < ?1 AND NOT EXISTS (SELECT 1 FROM alerts a WHERE a.alert = v.alert) ORDER BY at LIMIT ?2",
	  { "DELETE FROM deliveries WHERE id IN (SELECT id FROM doomed)" } },
	{ false, "SELECT id, NULL FROM attempts t WHERE at < ?1 AND NOT EXISTS (SELECT 1 FROM alerts a WHERE a.alert = t.alert) ORDER BY at LIMIT ?2",
	  { "DELETE FROM attempts WHERE id IN (SELECT id FROM doomed)" } },
	{ false, "SELECT id, NULL FROM decisions WHERE at < ?1 ORDER BY at LIMIT ?2", { "DELETE FROM decisions WHERE id IN (SELECT id FROM doomed)" } },
	{ false, "SELECT id, NULL FROM gaps WHERE at < ?1 ORDER BY at LIMIT ?2", { "DELETE FROM gaps WHERE id IN (SELECT id FROM doomed)" } },
};

static int prune_run(struct sw_store *s, const char *text, int64_t before, struct sw_err *err)
{
	struct sw_stmt *st = NULL;
	int r = sw_sql_prepare(s->q, text, &st, err);

	if (r < 0)
		return r;
	if (sw_stmt_count(st) >= 1)
		sw_stmt_int(st, 1, before);
	if (sw_stmt_count(st) >= 2)
		sw_stmt_int(st, 2, SLICE_ROWS);
	r = sw_stmt_step(st);
	if (r < 0)
		(void)sw_sql_error(s->q, err);
	sw_stmt_free(st);
	return r < 0 ? r : 0;
}

static int prune_begin(struct sw_store *s, struct sw_err *err)
{
	return sw_sql_exec(s->q, "CREATE TEMP TABLE IF NOT EXISTS doomed (id INTEGER PRIMARY KEY, key TEXT); BEGIN IMMEDIATE; DELETE FROM temp.doomed", err);
}

static int prune_end(struct sw_store *s, int r, struct sw_err *err)
{
	if (r == 0)
		r = sw_sql_exec(s->q, "COMMIT", err);
	if (r < 0 && sw_sql_in_transaction(s->q))
		(void)!sw_sql_exec(s->q, "ROLLBACK", NULL);
	return r;
}

/* Return: how many went, or -errno. */
static int64_t prune_family(struct sw_store *s, const struct family *fam, sw_ms before, struct sw_err *err)
{
	char find[900];
	int64_t n = 0;
	int r = prune_begin(s, err);

	(void)snprintf(find, sizeof find, "INSERT INTO doomed %s", fam->find);
	if (r == 0)
		r = prune_run(s, find, before, err);
	if (r == 0)
		n = sw_sql_changes(s->q);
	for (size_t i = 0; i < SW_COUNT(fam->ends) && fam->ends[i] && n && r == 0; i++)
		r = prune_run(s, fam->ends[i], before, err);
	r = prune_end(s, r, err);
	return r < 0 ? r : n;
}

/* Samples lie by place and time. */
static int64_t prune_samples(struct sw_store *s, sw_ms before, struct sw_err *err)
{
	static const char end[] =
		"DELETE FROM samples WHERE place = ?1 AND (at, signal) IN (SELECT at, signal FROM samples WHERE place = ?1 AND at < ?2 ORDER BY at LIMIT ?3)";
	struct sw_stmt *places = NULL, *st = NULL;
	int64_t n = 0;
	int r = sw_sql_exec(s->q, "BEGIN IMMEDIATE", err);

	if (r == 0)
		r = sw_sql_prepare(s->q, "SELECT id FROM places", &places, err);
	if (r == 0)
		r = sw_sql_prepare(s->q, end, &st, err);
	while (r == 0 && n < SLICE_ROWS && (r = sw_stmt_step(places)) == 1) {
		sw_stmt_int(st, 1, sw_stmt_get_int(places, 0));
		sw_stmt_int(st, 2, before);
		sw_stmt_int(st, 3, SLICE_ROWS - n);
		r = sw_stmt_step(st);
		if (r == 0)
			n += sw_sql_changes(s->q);
		else
			(void)sw_sql_error(s->q, err);
	}
	sw_stmt_free(places);
	sw_stmt_free(st);
	r = prune_end(s, r == 1 ? 0 : r, err);
	return r < 0 ? r : n;
}

/* ---- size ---- */

static int prune_pages(struct sw_store *s, int64_t *ret_pages, int64_t *ret_free, int64_t *ret_size, struct sw_err *err)
{
	int r = sw_sql_number(s->q, "PRAGMA page_count", 0, ret_pages, err);

	if (r == 0)
		r = sw_sql_number(s->q, "PRAGMA freelist_count", 0, ret_free, err);
	return r < 0 ? r : sw_sql_number(s->q, "PRAGMA page_size", 4096, ret_size, err);
}

int64_t sw_store_bytes(struct sw_store *s)
{
	int64_t pages = 0, unused = 0, size = 0;

	return prune_pages(s, &pages, &unused, &size, NULL) < 0 ? 0 : (pages - unused) * size;
}

/* Too large: older than this goes, though it is kept longer else. 0: it is not too large, or there is nothing that could go. */
static int prune_size(struct sw_store *s, const struct sw_keeping *k, sw_ms now, sw_ms *ret, struct sw_err *err)
{
	int64_t oldest = 0;
	int r;

	*ret = 0;
	if (k->bytes_max <= 0 || sw_store_bytes(s) <= k->bytes_max)
		return 0;
	r = sw_sql_number(s->q, "SELECT min(at) FROM (SELECT min(at) AS at FROM events UNION ALL SELECT min(at) FROM deployments UNION ALL SELECT min(at) FROM alerts"
	                        " UNION ALL SELECT min((SELECT min(at) FROM samples WHERE place = places.id)) FROM places)", 0, &oldest, err);
	if (r == 0 && oldest > 0 && oldest < now)
		*ret = oldest + (now - oldest) / 50 + 1;
	return r;
}

static int64_t prune_give_back(struct sw_store *s, struct sw_err *err)
{
	int64_t pages = 0, unused = 0, size = 0;
	char text[64];
	int r = prune_pages(s, &pages, &unused, &size, err);

	if (r < 0 || unused < SLICE_PAGES || unused < pages / 5)
		return r;
	(void)snprintf(text, sizeof text, "PRAGMA incremental_vacuum(%d)", SLICE_PAGES);
	r = sw_sql_exec(s->q, text, err);
	return r < 0 ? r : SLICE_PAGES;
}

/* One slice. */
static int64_t prune_slice(struct sw_store *s, sw_ms before, sw_ms samples_before, struct sw_err *err)
{
	int64_t n = prune_samples(s, samples_before, err);

	for (size_t i = 0; i < SW_COUNT(families) && n == 0; i++)
		n = prune_family(s, &families[i], before, err);
	return n;
}

int sw_store_prune(struct sw_store *s, const struct sw_keeping *k, sw_ms now, sw_ms *ret_cut, struct sw_err *err)
{
	sw_ms before = now - k->keep, samples = now - k->keep_samples, cut = 0;
	int64_t n;
	int r;

	*ret_cut = 0;
	r = sw_store_settle(s, err);
	if (r < 0)
		return r;
	sw_fold_forget(s->fold); /* what it remembers of builds may go */
	n = prune_slice(s, before, samples, err);
	if (n == 0) {
		r = prune_size(s, k, now, &cut, err);
		if (r < 0)
			return r;
		if (cut) {
			n = prune_slice(s, SW_MAX(before, cut), SW_MAX(samples, cut), err);
			*ret_cut = n > 0 ? cut : 0;
		}
	}
	if (n == 0)
		n = prune_give_back(s, err);
	return n < 0 ? (int)n : n > 0;
}
