/* What the history owes: which watch is explained next, which groups of builds are pushed; and what is said of a build. */
#include "history_rig.h"

#include <math.h>

#include "dashboard/owed.h"
#include "dashboard/pusher.h"

#define NOW ((sw_ms)1790000000000)

static void next_watch(struct rig *g, sw_ms from, sw_ms until, const char *want)
{
	struct sw_owed_watch w = { 0 };
	int r = sw_owed_watch(g->w, from, until, &g->a, &w, &g->err);

	if (r < 0)
		fail_msg("%s", g->err.text);
	assert_int_equal(r, want != NULL);
	if (want)
		assert_string_equal(sw_arena_printf(&g->a, "%s %s %s/%s", w.watch, w.state, w.service, w.environment), want);
}

static void explained(struct rig *g, const char *watch, const char *state, const char *json)
{
	if (sw_owed_explained(g->w, watch, state, json, &g->err) < 0)
		fail_msg("%s", g->err.text);
}

static void test_watches(void **state)
{
	struct rig g;

	(void)state;
	rig_init(&g);
	next_watch(&g, 0, NOW, NULL);
	rig_sql(&g, "INSERT INTO places (id, service, environment) VALUES (1, 'web', 'prod/hz')");
	rig_sql(&g, "INSERT INTO watches (watch, place, deployment, at, rule, state, verdict, fail_at, ended) VALUES"
	            " ('open', 1, 'd', 1789999999000, 'r', 'watching', NULL, NULL, NULL), ('old', 1, 'd', 1700000000000, 'r', 'done', 'pass', NULL, 1700000001000),"
	            " ('a', 1, 'd', 1789999000000, 'r', 'done', 'pass', NULL, 1789999300000), ('b', 1, 'd', 1789999100000, 'r', 'following', 'fail', 1789999200000, NULL)");
	next_watch(&g, NOW - SW_HOUR, NOW, "b following web/prod/hz"); /* the newest first */
	next_watch(&g, NOW - SW_HOUR, 1789999100500, NULL);            /* its verdict is too new */
	explained(&g, "b", "following", "{\"b\":1}");
	next_watch(&g, NOW - SW_HOUR, NOW, "a done web/prod/hz");
	explained(&g, "a", "done", NULL); /* never */
	next_watch(&g, NOW - SW_HOUR, NOW, NULL);
	rig_sql(&g, "UPDATE watches SET state = 'done', ended = 1789999400000 WHERE watch = 'b'");
	next_watch(&g, NOW - SW_HOUR, NOW, "b done web/prod/hz"); /* once more, now that nobody looks */
	explained(&g, "b", "done", NULL);
	next_watch(&g, NOW - SW_HOUR, NOW, NULL);
	assert_int_equal(rig_number(&g, "SELECT count(*) FROM watches WHERE explained = '{\"b\":1}' AND explained_as = 'none'"), 1); /* the first one stays */
	next_watch(&g, 0, NOW, "old done web/prod/hz");
	rig_fini(&g);
}

#define BUILD "INSERT INTO builds (run, at, first, source, repo, branch, environment, name, status, seq, sha, duration_ms, merge_request) VALUES "

static void test_builds(void **state)
{
	struct sw_owed_build list[10], b;
	int64_t seq = -1;
	struct rig g;

	(void)state;
	rig_init(&g);
	assert_int_equal(sw_owed_pushed(g.w, &seq, &g.err), 0);
	assert_int_equal(seq, 0);
	rig_sql(&g, BUILD "('r1', 1000, 1, 'gitlab', 'acme/web', 'main', NULL, 'ci', 'success', 5, 'aa', 1000, 0),"
	            " ('r2', 2000, 1, 'gitlab', 'acme/web', 'main', NULL, 'ci', 'failed', 7, 'bb', 2500, 0),"
	            " ('r3', 3000, 1, 'gitlab', 'acme/web', 'main', NULL, 'ci', 'running', 8, 'cc', NULL, 0),"
	            " ('r4', 500, 1, 'gitlab', 'acme/web', 'main', 'prod', 'ci', 'success', 9, 'dd', 10, 0),"
	            " ('r5', 500, 1, 'gitlab', NULL, NULL, NULL, NULL, 'running', 10, NULL, NULL, 0)");
	rig_sql(&g, "INSERT INTO jobs (build, job, at, name, stage, status, duration_ms, coverage, exit_code, metrics) VALUES"
	            " ((SELECT id FROM builds WHERE run = 'r2'), '1', 1, 'test', 'verify', 'failed', 100, 0.5, 3, '{\"size\":7}'),"
	            " ((SELECT id FROM builds WHERE run = 'r2'), '2', 2, 'test', 'verify', 'success', 90, 0.75, 0, NULL),"
	            " ((SELECT id FROM builds WHERE run = 'r2'), '3', 3, 'deploy', NULL, 'running', NULL, NULL, NULL, NULL)");
	assert_int_equal(sw_owed_changed(g.w, 0, list, 10, &g.a, &g.err), 5);
	assert_int_equal(sw_owed_changed(g.w, 5, list, 2, &g.a, &g.err), 2);
	assert_int_equal(list[1].seq, 8);
	memset(&b, 0, sizeof b);
	assert_int_equal(sw_owed_newest(g.w, &list[1], &g.a, &b, &g.err), 1); /* the newest that ended */
	assert_string_equal(b.sha, "bb");
	assert_int_equal(b.n_jobs, 2); /* those that ended, newest first */
	assert_true(b.jobs[0].coverage > 0.7 && b.jobs[0].exit_code == 0 && isnan(b.coverage) && b.exit_code == -1);
	assert_int_equal(sw_owed_changed(g.w, 9, list, 10, &g.a, &g.err), 1);
	assert_int_equal(sw_owed_newest(g.w, &list[0], &g.a, &b, &g.err), 0); /* none of it ended */
	assert_int_equal(sw_owed_pushed_set(g.w, 9, &g.err), 0);
	assert_int_equal(sw_owed_pushed_set(g.w, 10, &g.err), 0);
	assert_int_equal(sw_owed_pushed(g.w, &seq, &g.err), 0);
	assert_int_equal(seq, 10);
	/* another Pushgateway knows nothing of it */
	assert_int_equal(sw_owed_pushed_to(g.w, "http://a shipwatch", &g.err), 0);
	assert_int_equal(sw_owed_group(g.w, "/metrics/a", 1, &g.err), 0);
	assert_int_equal(sw_owed_pushed_set(g.w, 10, &g.err), 0);
	assert_int_equal(sw_owed_pushed_to(g.w, "http://a shipwatch", &g.err), 0);
	assert_int_equal(sw_owed_pushed(g.w, &seq, &g.err), 0);
	assert_int_equal(seq, 10);
	assert_int_equal(sw_owed_pushed_to(g.w, "http://b shipwatch", &g.err), 0);
	assert_int_equal(sw_owed_pushed(g.w, &seq, &g.err), 0);
	assert_int_equal(seq, 0);
	assert_int_equal(rig_number(&g, "SELECT count(*) FROM pushed"), 0);
	rig_fini(&g);
}

static void test_groups(void **state)
{
	const char *path = NULL;
	struct rig g;

	(void)state;
	rig_init(&g);
	assert_int_equal(sw_owed_group(g.w, "/metrics/a", 1000, &g.err), 0);
	assert_int_equal(sw_owed_group(g.w, "/metrics/b", 2000, &g.err), 0);
	assert_int_equal(sw_owed_group(g.w, "/metrics/a", 500, &g.err), 0); /* never older */
	assert_int_equal(sw_owed_group_old(g.w, 1000, &g.a, &path, &g.err), 0);
	assert_int_equal(sw_owed_group_old(g.w, 5000, &g.a, &path, &g.err), 1);
	assert_string_equal(path, "/metrics/a");
	assert_int_equal(sw_owed_group_gone(g.w, path, &g.err), 0);
	assert_int_equal(sw_owed_group_old(g.w, 5000, &g.a, &path, &g.err), 1);
	assert_string_equal(path, "/metrics/b");
	rig_fini(&g);
}

/* A history that cannot be written to: an error, no more. */
static void test_refused(void **state)
{
	struct sw_owed_watch w;
	const char *path;
	int64_t seq;
	struct rig g;

	(void)state;
	rig_init(&g);
	assert_true(sw_owed_pushed_set(g.s, 1, &g.err) < 0);
	assert_true(*g.err.text);
	assert_true(sw_owed_explained(g.s, "w", "done", "{}", &g.err) < 0);
	assert_true(sw_owed_group(g.s, "/p", 1, &g.err) < 0);
	assert_true(sw_owed_pushed_to(g.s, "x", &g.err) < 0);
	assert_false(sw_sql_in_transaction(g.s->q));
	rig_sql(&g, "DROP TABLE watches; DROP TABLE pushed; DROP TABLE builds; DROP TABLE meta");
	assert_true(sw_owed_watch(g.w, 0, 1, &g.a, &w, &g.err) < 0);
	assert_true(sw_owed_group_old(g.w, 1, &g.a, &path, &g.err) < 0);
	assert_true(sw_owed_pushed(g.w, &seq, &g.err) < 0);
	rig_fini(&g);
}

static void path_is(const struct sw_owed_build *b, const char *job, const char *want)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf s = SW_BUF_INIT;

	sw_push_path(&s, job, b);
	assert_string_equal(sw_buf_str(&s), want);
}

static void test_text(void **state)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf s = SW_BUF_INIT;
	struct sw_owed_job jobs[] = {
		{ .name = "test \"x\"\\", .stage = "v\nx", .status = "failed", .metrics = "{\"size\":7.5,\"text\":\"no\",\"\\\"\":1}", .duration_ms = 1500, .coverage = NAN,
		  .cpu_ms = NAN, .max_rss_bytes = 1e18, .exit_code = 3 },
		{ .name = "test \"x\"\\", .status = "success", .duration_ms = 1, .coverage = 1, .cpu_ms = 1, .max_rss_bytes = 1, .exit_code = 0 },
		{ .name = "lint", .status = "success", .metrics = "nonsense", .duration_ms = NAN, .coverage = 0.875, .cpu_ms = NAN, .max_rss_bytes = NAN, .exit_code = -1 },
	};
	struct sw_owed_build b = { .repo = "acme/web", .branch = "feature/ü?>", .name = "", .status = "success", .sha = "aa", .source = "gitlab", .finished = 1790000000500,
	                           .duration_ms = 61000, .coverage = 0.8123, .cpu_ms = NAN, .max_rss_bytes = NAN, .exit_code = 0, .jobs = jobs, .n_jobs = 3 };
	char longest[300], want[600];

	(void)state;
	path_is(&b, "shipwatch", "/metrics/job@base64/c2hpcHdhdGNo/repo@base64/YWNtZS93ZWI/branch@base64/ZmVhdHVyZS_DvD8-");
	sw_push_text(&s, &b);
	assert_string_equal(s.p,
		"# HELP shipwatch_build_success 1: it succeeded, 0: it failed or was cancelled.\n# TYPE shipwatch_build_success gauge\nshipwatch_build_success 1\n"
		"# HELP shipwatch_build_duration_seconds How long it took.\n# TYPE shipwatch_build_duration_seconds gauge\nshipwatch_build_duration_seconds 61\n"
		"# HELP shipwatch_build_coverage_ratio Test coverage, 0 to 1.\n# TYPE shipwatch_build_coverage_ratio gauge\nshipwatch_build_coverage_ratio 0.8123\n"
		"# HELP shipwatch_build_exit_code Exit code as reported.\n# TYPE shipwatch_build_exit_code gauge\nshipwatch_build_exit_code 0\n"
		"# HELP shipwatch_build_finished_timestamp_seconds When it ended, seconds since 1970.\n# TYPE shipwatch_build_finished_timestamp_seconds gauge\n"
		"shipwatch_build_finished_timestamp_seconds 1790000000.5\n"
		"# HELP shipwatch_build_info Which build it is.\n# TYPE shipwatch_build_info gauge\nshipwatch_build_info{status=\"success\",sha=\"aa\",source=\"gitlab\"} 1\n"
		"# HELP shipwatch_job_success 1: it succeeded, 0: it failed or was cancelled.\n# TYPE shipwatch_job_success gauge\n"
		"shipwatch_job_success{ci_job=\"test \\\"x\\\"\\\\\",stage=\"v\\nx\"} 0\nshipwatch_job_success{ci_job=\"lint\"} 1\n"
		"# HELP shipwatch_job_duration_seconds How long it took.\n# TYPE shipwatch_job_duration_seconds gauge\n"
		"shipwatch_job_duration_seconds{ci_job=\"test \\\"x\\\"\\\\\",stage=\"v\\nx\"} 1.5\n"
		"# HELP shipwatch_job_coverage_ratio Test coverage, 0 to 1.\n# TYPE shipwatch_job_coverage_ratio gauge\nshipwatch_job_coverage_ratio{ci_job=\"lint\"} 0.875\n"
		"# HELP shipwatch_job_exit_code Exit code as reported.\n# TYPE shipwatch_job_exit_code gauge\nshipwatch_job_exit_code{ci_job=\"test \\\"x\\\"\\\\\",stage=\"v\\nx\"} 3\n"
		"# HELP shipwatch_job_max_rss_bytes Largest resident memory.\n# TYPE shipwatch_job_max_rss_bytes gauge\n"
		"shipwatch_job_max_rss_bytes{ci_job=\"test \\\"x\\\"\\\\\",stage=\"v\\nx\"} 1e+18\n"
		"# HELP shipwatch_job_metric A number of the job's report.\n# TYPE shipwatch_job_metric gauge\n"
		"shipwatch_job_metric{ci_job=\"test \\\"x\\\"\\\\\",metric=\"size\"} 7.5\nshipwatch_job_metric{ci_job=\"test \\\"x\\\"\\\\\",metric=\"\\\"\"} 1\n");
	/* a label at its limit, one past it in the middle of a character, and bytes that are no text */
	memset(longest, 'a', sizeof longest);
	longest[PUSH_LABEL] = '\0';
	b = (struct sw_owed_build){ .status = "failed", .sha = longest, .at = 1000, .duration_ms = NAN, .coverage = NAN, .cpu_ms = NAN, .max_rss_bytes = NAN, .exit_code = -1 };
	sw_buf_reset(&s);
	sw_push_text(&s, &b);
	(void)snprintf(want, sizeof want, "sha=\"%s\"} 1\n", longest);
	assert_non_null(strstr(s.p, want));
	memcpy(longest + PUSH_LABEL - 1, "\xc3\xbc", 3);
	sw_buf_reset(&s);
	sw_push_text(&s, &b);
	longest[PUSH_LABEL - 1] = '\0';
	(void)snprintf(want, sizeof want, "sha=\"%s\"} 1\n", longest);
	assert_non_null(strstr(s.p, want));
	b.sha = "\xff\x01";
	sw_buf_reset(&s);
	sw_push_text(&s, &b);
	assert_non_null(strstr(s.p, "sha=\"\xef\xbf\xbd"));
	assert_non_null(strstr(s.p, "shipwatch_build_finished_timestamp_seconds 1\n"));
	path_is(&b, "j", "/metrics/job@base64/ag");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_watches), cmocka_unit_test(test_builds), cmocka_unit_test(test_groups), cmocka_unit_test(test_refused), cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
