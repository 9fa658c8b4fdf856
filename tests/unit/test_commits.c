/* The commits of a deployment out of the history: how pushes get their commits there, how they are walked, what is not known. */
#include "dashboard/commits.h"
#include "history_rig.h"
#include "shipwatch/clock.h"

#define AT 1790000000000ll

/* Commit n of these stories. */
static const char *sha(struct rig *g, int n)
{
	return n < 0 ? NULL : sw_arena_printf(&g->a, "%08x%032x", 0xabc00000 + n, n);
}

struct told { const char *repo, *branch; bool forced, quiet /* its commits are not told */; int total; };

static void put_event(struct rig *g, struct sw_buf *b, const struct told *t, int before, int to, bool commits)
{
	sw_buf_printf(b, "{\"kind\":\"push\",\"source\":\"gitlab\",\"source_kind\":\"gitlab\",\"event_id\":\"E%lu\",\"repo\":\"%s\",\"branch\":\"%s\",\"sha\":\"%s\"%s,\"commits_total\":%d", g->id, t->repo,
	              t->branch, sha(g, to), t->forced ? ",\"forced\":true" : "", t->total ? t->total : before < 0 ? 1 : to - before);
	if (before >= 0)
		sw_buf_printf(b, ",\"before\":\"%s\"", sha(g, before));
	if (commits) {
		sw_buf_cat(b, ",\"commits\":[");
		for (int i = before < 0 ? to : before + 1; i <= to; i++)
			sw_buf_printf(b, "%s{\"sha\":\"%s\",\"title\":\"commit %d\",\"author\":\"Lin\",\"author_email\":\"lin@example.com\",\"files\":[\"f%d.c\",\"all.c\"]}", b->p[b->n - 1] == '[' ? "" : ",",
			              sha(g, i), i, i);
		sw_buf_putc(b, ']');
	}
	sw_buf_putc(b, '}');
}

/* A push as intake tells of it, a minute after the one before. */
static void push_as(struct rig *g, struct told t, int before, int to)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	t.repo = t.repo ? t.repo : "acme/web";
	t.branch = t.branch ? t.branch : "main";
	sw_buf_printf(&b, "{\"at\":%lld,\"event_id\":\"E%lu\",\"source\":\"gitlab\",\"facts\":1,\"n_events\":1,\"events\":[", AT + (long long)g->id * SW_MINUTE, g->id);
	put_event(g, &b, &t, before, to, !t.quiet);
	sw_buf_cat(&b, "]}");
	rig_line(g, b.p);
	assert_int_equal(sw_store_skipped(g->w), 0);
}

static void push(struct rig *g, int before, int to)
{
	push_as(g, (struct told){ 0 }, before, to);
}

static struct commits_range find_of(struct rig *g, struct commits_of of)
{
	struct commits known = { .until = sw_clock_mono() + SW_HOUR }; /* however slow this machine is */
	struct commits_range r;

	of.repo = of.repo ? of.repo : "acme/web";
	of.at = of.at ? of.at : AT + (sw_ms)g->id * SW_MINUTE;
	commits_find(&known, g->s, &g->a, &of, &r);
	return r;
}

static struct commits_range find(struct rig *g, int from, int to)
{
	return find_of(g, (struct commits_of){ .branch = "main", .from = sha(g, from), .to = sha(g, to) });
}

/* These commits, newest first: of `newest` down to above `oldest`. */
static void are(struct rig *g, const struct commits_range *r, enum commits_found found, int newest, int oldest, bool complete)
{
	if (r->found != found || (int)r->n != newest - oldest || commits_complete(r) != complete)
		fail_msg("found %d, %zu commits of %lld, complete %d", (int)r->found, r->n, (long long)r->total, commits_complete(r));
	for (size_t i = 0; i < r->n; i++) {
		assert_string_equal(r->list[i].sha, sha(g, newest - (int)i));
		assert_string_equal(r->list[i].author, "Lin");
	}
}

static void test_walks(void **state)
{
	struct commits_range r;
	struct rig g;

	(void)state;
	rig_init(&g);
	push(&g, 0, 3);
	push(&g, 3, 4);
	push(&g, 4, 9);
	push(&g, 9, 12);
	r = find(&g, 4, 9); /* one push; a newer one does not matter */
	are(&g, &r, COMMITS_ALL, 9, 4, true);
	assert_int_equal(r.total, 5);
	assert_false(r.back);
	r = find(&g, 0, 12);
	are(&g, &r, COMMITS_ALL, 12, 0, true);
	r = find(&g, 2, 7); /* from the middle of a push to the middle of another */
	are(&g, &r, COMMITS_ALL, 7, 2, true);
	r = find(&g, 9, 4);
	are(&g, &r, COMMITS_BACK, 9, 4, true);
	assert_true(r.back);
	r = find_of(&g, (struct commits_of){ .from = sha(&g, 9), .to = sha(&g, 4), .rollback = true });
	are(&g, &r, COMMITS_BACK, 9, 4, true);
	r = find_of(&g, (struct commits_of){ .from = sha(&g, 4), .to = sha(&g, 9), .rollback = true }); /* it is called one, and goes on */
	are(&g, &r, COMMITS_ALL, 9, 4, true);
	r = find(&g, 4, 4);
	are(&g, &r, COMMITS_SAME, 0, 0, true);
	r = find(&g, -1, 9);
	are(&g, &r, COMMITS_PUSH, 9, 4, false);
	/* only the beginning of it is known, in any case */
	r = find_of(&g, (struct commits_of){ .branch = "main", .from = "ABC00004", .to = "abc0000c" });
	are(&g, &r, COMMITS_ALL, 12, 4, true);
	r = find_of(&g, (struct commits_of){ .repo = "acme/pay", .branch = "main", .from = sha(&g, 4), .to = sha(&g, 9) });
	are(&g, &r, COMMITS_NONE, 0, 0, false);
	assert_int_equal(r.total, -1);
	rig_fini(&g);
}

static void test_gaps(void **state)
{
	static const char *const none[] = { "", "abc", "not a commit", "';DROP TABLE events;--", "%", "abc0000g", "0123456789012345678901234567890123456789012345678901234567890123456789" };
	struct commits_range r;
	struct commits c = { 0 };
	struct rig g;

	(void)state;
	rig_init(&g);
	push(&g, 0, 3);
	push(&g, 5, 8); /* 4 and 5 were not told */
	push(&g, 8, 9);
	r = find(&g, 2, 9);
	are(&g, &r, COMMITS_GAP, 9, 5, false);
	assert_string_equal(r.missing, sha(&g, 5));
	assert_false(r.back);
	r = find_of(&g, (struct commits_of){ .from = sha(&g, 9), .to = sha(&g, 2), .rollback = true });
	are(&g, &r, COMMITS_GAP, 9, 5, false);
	assert_true(r.back);
	push_as(&g, (struct told){ .branch = "release" }, -1, 20);
	r = find(&g, 9, 20);
	are(&g, &r, COMMITS_GAP, 20, 19, false);
	assert_null(r.missing);
	push_as(&g, (struct told){ .quiet = true }, 9, 11); /* as it was before commits were kept: how many there are is known */
	push(&g, 11, 12);
	r = find(&g, 9, 12);
	are(&g, &r, COMMITS_ALL, 12, 11, false);
	assert_int_equal(r.total, 3);
	push_as(&g, (struct told){ .forced = true }, 12, 13);
	r = find(&g, 11, 13);
	are(&g, &r, COMMITS_ALL, 13, 11, false);
	assert_true(r.forced);
	/* forced there and back: it does not go round for ever */
	push_as(&g, (struct told){ .branch = "round", .forced = true }, 40, 41);
	push_as(&g, (struct told){ .branch = "round", .forced = true }, 41, 40);
	r = find(&g, 1, 41);
	assert_int_equal(r.found, COMMITS_GAP);
	for (size_t i = 0; i < SW_COUNT(none); i++) {
		r = find_of(&g, (struct commits_of){ .from = sha(&g, 8), .to = none[i] });
		are(&g, &r, COMMITS_NONE, 0, 0, false);
		r = find_of(&g, (struct commits_of){ .from = none[i], .to = sha(&g, 9) });
		assert_int_equal(r.found, COMMITS_GAP);
	}
	commits_find(&c, NULL, &g.a, &(struct commits_of){ .repo = "acme/web", .to = sha(&g, 9) }, &r);
	are(&g, &r, COMMITS_NONE, 0, 0, false);
	rig_fini(&g);
}

/* The same commit ended pushes of several branches and stands in other repositories. */
static void test_branches(void **state)
{
	struct commits_range r;
	struct rig g;

	(void)state;
	rig_init(&g);
	push(&g, 0, 2);
	push_as(&g, (struct told){ .branch = "feature" }, -1, 5);
	push(&g, 2, 5);
	push_as(&g, (struct told){ .branch = "copy" }, -1, 5);
	push_as(&g, (struct told){ .repo = "acme/fork" }, 4, 5);
	r = find(&g, 0, 5);
	are(&g, &r, COMMITS_ALL, 5, 0, true);
	r = find_of(&g, (struct commits_of){ .branch = "copy", .from = sha(&g, 0), .to = sha(&g, 5) });
	are(&g, &r, COMMITS_GAP, 5, 4, false);
	rig_fini(&g);
}

static void test_bounds(void **state)
{
	struct commits_range r;
	struct rig g;
	int n = 0;

	(void)state;
	rig_init(&g);
	for (int i = 0; i < COMMITS_PUSHES + 2; i++, n++)
		push(&g, n, n + 1);
	r = find(&g, n - COMMITS_PUSHES, n);
	are(&g, &r, COMMITS_ALL, n, n - COMMITS_PUSHES, true);
	r = find(&g, n - COMMITS_PUSHES - 1, n);
	are(&g, &r, COMMITS_FAR, n, n - COMMITS_PUSHES, false);
	for (int i = 0; i < 4; i++, n += COMMITS_MOST / 4)
		push(&g, n, n + COMMITS_MOST / 4);
	r = find(&g, n - COMMITS_MOST, n);
	are(&g, &r, COMMITS_ALL, n, n - COMMITS_MOST, true);
	r = find(&g, n - COMMITS_MOST - 1, n); /* the others are counted */
	are(&g, &r, COMMITS_ALL, n, n - COMMITS_MOST, false);
	assert_int_equal(r.total, COMMITS_MOST + 1);
	rig_fini(&g);
}

/* A range is walked once a request, and when the time of all of them is over none is. */
static void test_time(void **state)
{
	struct commits c = { 0 };
	struct commits_range r;
	struct rig g;

	(void)state;
	rig_init(&g);
	push(&g, 0, 3);
	push(&g, 3, 4);
	commits_find(&c, g.s, &g.a, &(struct commits_of){ .repo = "acme/web", .from = sha(&g, 0), .to = sha(&g, 3) }, &r);
	are(&g, &r, COMMITS_ALL, 3, 0, true);
	assert_int_equal(c.n, 1);
	c.until = 1;
	commits_find(&c, g.s, &g.a, &(struct commits_of){ .repo = "acme/web", .from = sha(&g, 0), .to = sha(&g, 3) }, &r);
	are(&g, &r, COMMITS_ALL, 3, 0, true);
	commits_find(&c, g.s, &g.a, &(struct commits_of){ .repo = "acme/web", .from = sha(&g, 0), .to = sha(&g, 4) }, &r);
	are(&g, &r, COMMITS_FAR, 0, 0, false);
	rig_fini(&g);
}

static void test_alerts(void **state)
{
	static struct sw_commit own = { .title = "its own" };
	struct commits c = { 0 };
	struct sw_alert al = { 0 };
	struct rig g;

	(void)state;
	rig_init(&g);
	push(&g, 0, 3);
	push(&g, 3, 4);
	al = (struct sw_alert){ .repo = "acme/web", .branch = "main", .prev_sha = sha(&g, 2), .sha = sha(&g, 4) };
	commits_of_alert(&c, g.s, &g.a, AT, &al);
	assert_int_equal(al.n_commits, 2);
	assert_int_equal(al.commits_total, 2);
	assert_string_equal(al.commits[0].title, "commit 4");
	assert_int_equal(al.n_files, 3);
	al = (struct sw_alert){ .repo = "acme/web", .branch = "main", .sha = sha(&g, 4) };
	commits_of_alert(&c, g.s, &g.a, AT, &al);
	assert_int_equal(al.n_commits, 1);
	al = (struct sw_alert){ .repo = "acme/web", .branch = "main", .prev_sha = "fffffff", .sha = sha(&g, 4) }; /* chats are told none where there is a gap */
	commits_of_alert(&c, g.s, &g.a, AT, &al);
	assert_int_equal(al.n_commits, 0);
	al = (struct sw_alert){ .repo = "acme/web", .branch = "main", .prev_sha = sha(&g, 4), .sha = sha(&g, 2) }; /* nor what was taken back */
	commits_of_alert(&c, g.s, &g.a, AT, &al);
	assert_int_equal(al.n_commits, 0);
	al = (struct sw_alert){ .repo = "acme/web", .branch = "main", .sha = sha(&g, 4), .commits = &own, .n_commits = 1 };
	commits_of_alert(&c, g.s, &g.a, AT, &al);
	assert_ptr_equal(al.commits, &own);
	rig_fini(&g);
}

/* Titles are cut, addresses left out; read twice it is the same. */
static void test_kept(void **state)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_rows rows;
	struct rig g;
	const char *json, *again;

	(void)state;
	rig_init(&g);
	push(&g, 0, 2);
	rows = rig_list(&g, "events", NULL, NULL, NULL, NULL);
	assert_int_equal(rows.n, 1);
	json = rig_json(&g, rows.rows);
	assert_non_null(strstr(json, "\"title\":\"commit 2\""));
	assert_non_null(strstr(json, "\"files\":[\"f2.c\",\"all.c\"]"));
	assert_null(strstr(json, "lin@example.com"));
	g.id = 0;
	push(&g, 0, 2);
	rows = rig_list(&g, "events", NULL, NULL, NULL, NULL);
	again = rig_json(&g, rows.rows);
	assert_string_equal(again, json);
	/* titles and files without end */
	sw_buf_cat(&b, "{\"at\":1790000000000,\"event_id\":\"EL\",\"source\":\"gitlab\",\"events\":[{\"kind\":\"push\",\"repo\":\"acme/web\",\"branch\":\"main\",\"sha\":\"abcabcabc\",\"commits\":[{\"sha\":\"1\",\"title\":\"old\","
	               "\"files\":[\"old.c\"]},"
	               "{\"sha\":\"2\",\"title\":\"");
	for (int i = 0; i < 100; i++)
		sw_buf_cat(&b, "长\xff"); /* and broken */
	sw_buf_cat(&b, "\",\"files\":[");
	for (int i = 0; i < 301; i++)
		sw_buf_printf(&b, "%s\"f%d\"", i ? "," : "", i);
	sw_buf_cat(&b, "]}]}]}");
	rig_line(&g, b.p);
	rows = rig_list(&g, "events", "sha", "abcabcabc", NULL, NULL);
	json = rig_json(&g, rows.rows);
	assert_non_null(strstr(json, "\"f299\""));
	assert_null(strstr(json, "\"f300\""));
	assert_null(strstr(json, "old.c"));
	assert_non_null(strstr(json, "\"files_cut\":true"));
	assert_non_null(strstr(json, "…\""));
	assert_true(strlen(strstr(json, "\"title\":\"长")) < 4500);
	sw_buf_fini(&b);
	rig_fini(&g);
}

/* A plan without a walk through a table. */
static void plan_has(struct rig *g, const char *sql, const char *const *wants)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT, q = SW_BUF_INIT;
	struct sw_stmt *st;
	int r;

	sw_buf_printf(&q, "EXPLAIN QUERY PLAN %s", sql);
	if (sw_sql_prepare(g->s->q, q.p, &st, &g->err) < 0)
		fail_msg("%s: %s", sql, g->err.text);
	while ((r = sw_stmt_step(st)) == 1)
		sw_buf_printf(&b, "%s; ", sw_stmt_get_text(st, 3, NULL));
	assert_int_equal(r, 0);
	sw_stmt_free(st);
	for (; *wants; wants++)
		if (!strstr(sw_buf_str(&b), *wants))
			fail_msg("%s: no %s in %s", sql, *wants, sw_buf_str(&b));
	if (strstr(sw_buf_str(&b), "SCAN e;") || strstr(sw_buf_str(&b), "SCAN b") || strstr(sw_buf_str(&b), "SCAN events;") || strstr(sw_buf_str(&b), "SCAN event_bodies"))
		fail_msg("%s walks: %s", sql, sw_buf_str(&b));
}

static void test_plans(void **state)
{
	static const char *const ended[] = { "events_sha (<expr>=? AND sha>? AND sha<?)", "SEARCH e USING INTEGER PRIMARY KEY", "SEARCH b USING INTEGER PRIMARY KEY", NULL };
	static const char *const near[] = { "SEARCH events USING INDEX events_repo (repo=? AND at<?)", "SEARCH b USING INTEGER PRIMARY KEY", NULL };
	struct rig g;

	(void)state;
	rig_init(&g);
	push(&g, 0, 3);
	plan_has(&g, commits_sql_ended, ended);
	plan_has(&g, commits_sql_near, near);
	rig_fini(&g);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walks), cmocka_unit_test(test_gaps), cmocka_unit_test(test_branches), cmocka_unit_test(test_bounds), cmocka_unit_test(test_time),
		cmocka_unit_test(test_alerts), cmocka_unit_test(test_kept), cmocka_unit_test(test_plans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
