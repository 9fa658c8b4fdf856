/* Folding: stories told by entries of the journal, and the rows they leave, also when they come twice, late or broken. */
#include "history_rig.h"

#define DELIVERY(at, id, events) "{\"at\":" #at ",\"event_id\":\"" id "\",\"source\":\"gitlab\",\"delivery\":\"d-" id "\",\"facts\":1,\"n_events\":1,\"events\":[" events "]}"
#define RUN              "\"source\":\"gitlab\",\"source_kind\":\"gitlab\",\"host\":\"gl.example.com\",\"repo\":\"acme/web\",\"pipeline_id\":\"77\",\"ci_run_id\":\"gl.example.com/acme/web/77\""
#define PIPELINE(status, more) "{\"kind\":\"pipeline\",\"status\":\"" status "\"," RUN ",\"branch\":\"main\",\"sha\":\"1c4a2f00d1\"" more "}"
#define JOB(id, name, status, more) "{\"kind\":\"job\",\"status\":\"" status "\"," RUN ",\"job_id\":\"" id "\",\"job_name\":\"" name "\"" more "}"
#define STEP(at, agg, in, recs) "{\"at\":" #at ",\"agg\":\"" agg "\",\"in\":[" in "],\"recs\":[" recs "]}"
#define REC(k, d)        "{\"k\":\"" k "\",\"d\":" d "}"

static const char *const story[] = {
	DELIVERY(1790000000100, "E1", PIPELINE("running", ",\"attempt\":1,\"at\":1790000000000,\"received\":1790000000100,\"started_at\":1790000000000,\"user\":\"lin\",\"title\":\"fix it\"")),
	DELIVERY(1790000000200, "E2", JOB("501", "test", "success", ",\"attempt\":1,\"at\":1790000000150,\"received\":1790000000200,\"started_at\":1790000000010,\"finished_at\":1790000000150,\"coverage\":0.81")),
	DELIVERY(1790000000300, "E3", JOB("502", "deploy", "running", ",\"attempt\":1,\"at\":1790000000250,\"received\":1790000000300,\"environment\":\"production\",\"env_action\":\"start\"")),
	DELIVERY(1790000000500, "E4", PIPELINE("success", ",\"attempt\":1,\"at\":1790000000450,\"received\":1790000000500,\"finished_at\":1790000000450,\"duration_ms\":450")),
	STEP(1790000000510, "place:web/prod/hz", "{\"t\":\"fact\",\"how\":1,\"ev\":" JOB("502", "deploy", "running", ",\"event_id\":\"E3\",\"environment\":\"production\"") "}",
	     REC("dep", "{\"id\":\"d1\",\"status\":\"running\",\"seen\":1790000000300,\"good\":-1,\"ev\":{\"kind\":\"job\"," RUN ",\"sha\":\"1c4a2f00d1\",\"title\":\"fix it\",\"branch\":\"main\"}}")),
	STEP(1790000000600, "place:web/prod/hz", "",
	     REC("dep", "{\"id\":\"d1\",\"status\":\"success\",\"seen\":1790000000300,\"started\":1790000000350,\"finished\":1790000000590,\"counted\":true,\"good\":-1,"
	                "\"prev_sha\":\"0aa\",\"ev\":{\"kind\":\"job\"," RUN ",\"sha\":\"1c4a2f00d1\",\"title\":\"fix it\",\"branch\":\"main\"}}") ","
	     REC("watch", "{\"id\":\"w1\",\"dep\":\"d1\",\"rule\":\"health\",\"hash\":\"abc\",\"state\":\"watching\",\"every\":5000,\"opened\":1790000000600,\"from\":1790000000600,\"until\":1790000300600}")),
	STEP(1790000005600, "place:web/prod/hz",
	     "{\"t\":\"samples\",\"src\":\"health\",\"dep\":\"d1\",\"items\":[{\"signal\":\"health\",\"at\":1790000005000,\"r\":\"ok\",\"v\":0,\"text\":\"503\"}]},"
	     "{\"t\":\"samples\",\"src\":\"prometheus\",\"items\":[{\"signal\":\"http_latency_p95\",\"at\":1790000005000,\"r\":\"absent\"},{\"signal\":\"error_rate\",\"at\":1790000005000,\"r\":\"ok\",\"v\":0.25,\"n\":40}]}",
	     REC("watch", "{\"id\":\"w1\",\"dep\":\"d1\",\"rule\":\"health\",\"hash\":\"abc\",\"state\":\"following\",\"every\":5000,\"opened\":1790000000600,\"from\":1790000000600,\"until\":1790000300600,"
	                  "\"verdict\":\"fail\",\"reason\":\"evidence\",\"fail_at\":1790000005600,\"fired\":true,\"total\":3,\"known\":3}") ","
	     REC("act", "{\"id\":\"a1\",\"action\":\"undo-web\",\"dep\":\"d1\",\"watch\":\"w1\",\"rule\":\"health\",\"state\":\"asking\",\"rollback\":true,\"proposed\":1790000005600,"
	                "\"asked\":1790000005600,\"deadline\":1790000605600,\"saw\":\"health is failing\"}")),
	STEP(1790000005700, "alert:al1", "{\"t\":\"news\"}",
	     REC("told", "{\"delivery\":\"al1-firing\",\"news\":\"firing\",\"alert\":{\"news\":\"firing\",\"severity\":\"critical\",\"id\":\"al1\",\"delivery\":\"al1-firing\",\"rule\":\"health\","
	                 "\"service\":\"web\",\"environment\":\"prod/hz\",\"findings\":[{\"text\":\"health is failing for 3 checks\",\"value\":\"failing\"}],\"sha\":\"1c4a2f00d1\","
	                 "\"ci_run_id\":\"gl.example.com/acme/web/77\",\"watch_id\":\"w1\",\"title\":\"<b>x\\u2028\"}}") ","
	     REC("way", "{\"delivery\":\"al1-firing\",\"channel\":\"ops\",\"state\":\"sending\",\"tries\":1}")),
	STEP(1790000005800, "alert:al1", "{\"t\":\"sent\",\"ch\":\"ops\"}",
	     REC("try", "{\"delivery\":\"al1-firing\",\"channel\":\"ops\",\"n\":1,\"class\":\"ok\"}") ","
	     REC("way", "{\"delivery\":\"al1-firing\",\"channel\":\"ops\",\"state\":\"sent\",\"tries\":1}")),
	STEP(1790000006000, "alert:al1", "{\"t\":\"cmd\",\"do\":\"ack\",\"who\":\"lin\",\"at\":1790000005990}", REC("ack", "{\"who\":\"lin\"}")),
	STEP(1790000007000, "place:web/prod/hz", "{\"t\":\"cmd\",\"do\":\"approve\",\"act\":\"a1\",\"who\":\"lin\",\"via\":\"link\",\"at\":1790000006999}",
	     REC("act", "{\"id\":\"a1\",\"action\":\"undo-web\",\"dep\":\"d1\",\"watch\":\"w1\",\"rule\":\"health\",\"state\":\"started\",\"rollback\":true,\"proposed\":1790000005600,"
	                "\"asked\":1790000005600,\"started\":1790000007000,\"approved\":true,\"decided_by\":\"lin\",\"decided_at\":1790000006999}")),
	"{\"t\":\"hold\",\"on\":true,\"scope\":\"web/prod/hz\",\"who\":\"lin\",\"via\":\"dashboard\",\"why\":\"moving\",\"at\":1790000008000}",
	STEP(1790000008001, "place:web/prod/hz", "{\"t\":\"cmd\",\"do\":\"hold\",\"who\":\"lin\",\"why\":\"moving\",\"at\":1790000008000}", ""),
	"{\"t\":\"dead\",\"id\":\"1-1\",\"again\":true,\"who\":\"lin\",\"at\":1790000009000}",
	STEP(1790000010000, "silences:all", "{\"t\":\"cmd\",\"do\":\"silence\",\"id\":\"s1\",\"service\":\"web\",\"who\":\"lin\",\"why\":\"known\",\"until\":1790000900000}",
	     REC("sil", "{\"id\":\"s1\",\"service\":\"web\"}")),
	STEP(1790000020000, "alert:al1", "{\"t\":\"news\"}",
	     REC("told", "{\"delivery\":\"al1-resolved\",\"news\":\"resolved\",\"alert\":{\"news\":\"resolved\",\"severity\":\"info\",\"rule_severity\":\"critical\",\"id\":\"al1\",\"rule\":\"health\","
	                 "\"service\":\"web\",\"environment\":\"prod/hz\",\"watch_id\":\"w1\"}}")),
};

static void story_holds(struct rig *g)
{
	struct sw_rows r = rig_list(g, "builds", NULL, NULL, NULL, NULL);

	assert_int_equal(r.n, 1);
	rig_has(g, r.rows, "\"status\":\"success\"");
	rig_has(g, r.rows, "\"duration_ms\":450,\"coverage\":0.81");
	rig_has(g, r.rows, "\"environment\":\"production\"");
	rig_has(g, r.rows, "\"branch\":\"main\"");
	rig_has(g, r.rows, "\"jobs\":2,\"jobs_failed\":0");
	rig_has(g, r.rows, "\"user\":\"lin\"");
	assert_int_equal(rig_list(g, "jobs", NULL, NULL, NULL, NULL).n, 2);
	r = rig_list(g, "lines", NULL, NULL, NULL, NULL);
	assert_int_equal(r.n, 1);
	rig_has(g, r.rows, "\"repo\":\"acme/web\",\"branch\":\"main\",\"environment\":\"production\"");
	r = rig_list(g, "events", "service", "web", "environment", "prod/hz");
	assert_int_equal(r.n, 1);
	rig_has(g, r.rows, "\"event_id\":\"E3\",\"n\":0,\"delivery\":\"d-E3\"");
	rig_has(g, r.rows, "\"claimed\":true");
	assert_int_equal(rig_list(g, "events", "q", "gl.example.com/acme/web/77", NULL, NULL).n, 4);
	r = rig_list(g, "deployments", "service", "web", "environment", "prod/hz");
	assert_int_equal(r.n, 1);
	rig_has(g, r.rows, "\"status\":\"success\"");
	rig_has(g, r.rows, "\"runs\":true,\"good\":null");
	rig_has(g, r.rows, "\"verdict\":\"fail\"");
	assert_int_equal(sw_row_int(r.rows, "at", 0), 1790000000590);
	r = rig_list(g, "watches", "deployment", "d1", "open", "true");
	assert_int_equal(r.n, 1);
	rig_has(g, r.rows, "\"verdict\":\"fail\",\"reason\":\"evidence\"");
	rig_has(g, r.rows, "\"checks\":3,\"known\":3");
	r = rig_list(g, "samples", "service", "web", "environment", "prod/hz");
	assert_int_equal(r.n, 3);
	r = rig_list(g, "alerts", "q", "1c4a2f0", NULL, NULL);
	assert_int_equal(r.n, 1);
	rig_has(g, r.rows, "\"severity\":\"critical\",\"state\":\"resolved\",\"news\":\"resolved\",\"summary\":\"health is failing for 3 checks\",\"watch\":\"w1\",\"deployment\":\"d1\"");
	rig_has(g, r.rows, "\"acked_by\":\"lin\",\"acked_at\":1790000006000");
	assert_int_equal(rig_list(g, "news", "alert", "al1", NULL, NULL).n, 2);
	r = rig_list(g, "deliveries", "channel", "ops", NULL, NULL);
	assert_int_equal(r.n, 1);
	rig_has(g, r.rows, "\"state\":\"sent\",\"tries\":1");
	rig_has(g, r.rows, "\"news\":\"firing\",\"service\":\"web\"");
	assert_int_equal(rig_list(g, "attempts", "alert", "al1", NULL, NULL).n, 1);
	r = rig_list(g, "actions", "watch", "w1", NULL, NULL);
	assert_int_equal(r.n, 1);
	rig_has(g, r.rows, "\"state\":\"started\"");
	rig_has(g, r.rows, "\"approved\":true,\"decided_by\":\"lin\"");
	assert_int_equal(rig_list(g, "action_steps", "action_id", "a1", NULL, NULL).n, 2);
	r = rig_list(g, "rules", NULL, NULL, NULL, NULL);
	assert_int_equal(r.n, 1);
	rig_has(g, r.rows, "\"alert\":\"al1\",\"alerts\":1,\"watches\":1,\"fails\":1");
	r = rig_list(g, "places", NULL, NULL, NULL, NULL);
	assert_int_equal(r.n, 1);
	rig_has(g, r.rows, "\"running\":\"d1\",\"running_sha\":\"1c4a2f00d1\",\"running_version\":null,\"open_watches\":1,\"firing\":0");
	assert_int_equal(sw_store_skipped(g->w), 0);
}

static void test_story(void **state)
{
	struct rig g;
	struct sw_rows r;

	(void)state;
	rig_init(&g);
	rig_lines(&g, story, SW_COUNT(story));
	story_holds(&g);
	r = rig_list(&g, "decisions", NULL, NULL, NULL, NULL);
	assert_int_equal(r.n, 5);
	rig_has(&g, &r.rows[0], "\"who\":\"lin\",\"what\":\"silence\",\"target\":\"s1\",\"service\":\"web\"");
	rig_has(&g, &r.rows[1], "\"what\":\"retry\",\"target\":\"1-1\",\"service\":null,\"environment\":null,\"why\":null,\"via\":null"); /* of a bus that did not say it yet */
	rig_has(&g, &r.rows[2], "\"what\":\"hold\",\"target\":\"web/prod/hz\",\"service\":\"web\",\"environment\":\"prod/hz\",\"why\":\"moving\",\"via\":\"dashboard\"");
	rig_has(&g, &r.rows[3], "\"what\":\"approve\",\"target\":\"a1\",\"service\":\"web\",\"environment\":\"prod/hz\",\"why\":null,\"via\":\"link\"");
	rig_has(&g, &r.rows[4], "\"what\":\"ack\",\"target\":\"al1\",\"service\":\"web\"");
	rig_fini(&g);
}

/* Twice each, then all of it again under the same ids: nothing is different. */
static void test_twice(void **state)
{
	struct rig g;

	(void)state;
	rig_init(&g);
	for (size_t i = 0; i < SW_COUNT(story); i++) {
		rig_line(&g, story[i]);
		g.id--;
		rig_line(&g, story[i]);
	}
	story_holds(&g);
	assert_int_equal(rig_list(&g, "decisions", NULL, NULL, NULL, NULL).n, 5);
	g.id = 0;
	rig_lines(&g, story, SW_COUNT(story));
	story_holds(&g);
	assert_int_equal(rig_list(&g, "decisions", NULL, NULL, NULL, NULL).n, 5);
	rig_fini(&g);
}

/* ---- builds ---- */

#define P(status, more) "{\"kind\":\"pipeline\",\"status\":\"" status "\"," RUN more "}"

static void event(struct rig *g, const char *ev)
{
	char line[3000];

	(void)snprintf(line, sizeof line, "{\"at\":1790000000100,\"event_id\":\"X%lu\",\"source\":\"gitlab\",\"events\":[%s]}", g->id, ev);
	rig_line(g, line);
}

static void build_is(struct rig *g, const char *want)
{
	struct sw_rows r = rig_list(g, "builds", NULL, NULL, NULL, NULL);

	assert_int_equal(r.n, 1);
	rig_has(g, r.rows, want);
}

/* Facts of one attempt: the later state counts, whatever comes last. */
static void test_late(void **state)
{
	struct rig g;

	(void)state;
	rig_init(&g);
	event(&g, P("failed", ",\"attempt\":1,\"at\":2000,\"received\":2000,\"finished_at\":2000,\"duration_ms\":1000"));
	event(&g, P("running", ",\"attempt\":1,\"at\":3000,\"received\":3000,\"started_at\":1000"));
	build_is(&g, "\"status\":\"failed\",\"started\":1000,\"finished\":2000,\"duration_ms\":1000");
	event(&g, P("created", ",\"attempt\":1,\"at\":900,\"received\":3100"));
	build_is(&g, "\"status\":\"failed\"");
	/* a new attempt forgets the old one, and an old fact of that one is of no interest any more */
	event(&g, P("running", ",\"attempt\":2,\"at\":4000,\"received\":4000,\"started_at\":4000"));
	build_is(&g, "\"status\":\"running\",\"started\":4000,\"finished\":null,\"duration_ms\":null");
	event(&g, P("success", ",\"attempt\":1,\"at\":4500,\"received\":4500"));
	build_is(&g, "\"status\":\"running\"");
	build_is(&g, "\"attempt\":2");
	event(&g, P("success", ",\"attempt\":2,\"at\":5000,\"received\":5000,\"finished_at\":5000"));
	build_is(&g, "\"status\":\"success\",\"started\":4000,\"finished\":5000,\"duration_ms\":1000");
	rig_fini(&g);
}

/* A host that counts no attempts: it runs again when it says so later than its end. */
static void test_again(void **state)
{
	struct rig g;

	(void)state;
	rig_init(&g);
	event(&g, P("failed", ",\"at\":2000,\"received\":2000,\"finished_at\":2000"));
	event(&g, P("running", ",\"at\":1500,\"received\":2100"));
	build_is(&g, "\"status\":\"failed\"");
	event(&g, P("running", ",\"at\":2500,\"received\":2500"));
	build_is(&g, "\"status\":\"running\"");
	event(&g, P("success", ",\"at\":3000,\"received\":3000"));
	build_is(&g, "\"status\":\"success\"");
	rig_fini(&g);
}

/* Nobody tells of the pipeline itself: it is what its jobs are; one that was run again counts once. */
static void test_jobs(void **state)
{
	struct rig g;
	struct sw_rows r;

	(void)state;
	rig_init(&g);
	event(&g, JOB("1", "test", "failed", ",\"at\":2000,\"received\":2000,\"started_at\":1000,\"finished_at\":2000,\"coverage\":0.5"));
	build_is(&g, "\"status\":\"failed\"");
	build_is(&g, "\"jobs\":1,\"jobs_failed\":1");
	event(&g, JOB("2", "test", "running", ",\"at\":3000,\"received\":3000"));
	build_is(&g, "\"status\":\"running\"");
	event(&g, JOB("2", "test", "success", ",\"at\":4000,\"received\":4000,\"finished_at\":4000,\"coverage\":0.75"));
	build_is(&g, "\"status\":\"success\"");
	build_is(&g, "\"coverage\":0.75");
	build_is(&g, "\"jobs\":1,\"jobs_failed\":0");
	event(&g, JOB("3", "lint", "failed", ",\"at\":4000,\"received\":4000,\"allow_failure\":true"));
	build_is(&g, "\"status\":\"success\"");
	build_is(&g, "\"jobs\":2,\"jobs_failed\":0");
	r = rig_list(&g, "jobs", "ci_run_id", "gl.example.com/acme/web/77", NULL, NULL);
	assert_int_equal(r.n, 3);
	/* a report of a job that the host told of, by its name, without its id */
	event(&g, "{\"kind\":\"report\",\"status\":\"failed\"," RUN ",\"job_name\":\"lint\",\"exit_code\":3,\"cpu_ms\":12,\"max_rss_bytes\":1000,\"metrics\":{\"size\":7},\"extra\":{\"a\":[1]},"
	          "\"at\":4000,\"received\":5000}");
	assert_int_equal(rig_list(&g, "jobs", "ci_run_id", "gl.example.com/acme/web/77", NULL, NULL).n, 3);
	build_is(&g, "\"cpu_ms\":12,\"max_rss_bytes\":1000,\"exit_code\":3");
	r = rig_list(&g, "jobs", "q", NULL, NULL, NULL);
	rig_has(&g, &r.rows[0], "\"metrics\":{\"size\":7},\"extra\":{\"a\":[1]}");
	rig_fini(&g);
}

/* A report that does not know the host's id of the run, before and after the host's own word. */
static void test_alias(void **state)
{
	static const char report[] = "{\"kind\":\"report\",\"status\":\"success\",\"source\":\"ci\",\"source_kind\":\"report\",\"repo\":\"acme/web\",\"pipeline_id\":\"77\",\"ci_run_id\":\"my-own-7\","
	                             "\"job_name\":\"unit\",\"at\":2000,\"received\":2000}";
	struct rig g;

	(void)state;
	for (int first = 0; first < 2; first++) {
		rig_init(&g);
		event(&g, first ? P("success", ",\"at\":1000,\"received\":1000") : report);
		event(&g, first ? report : P("success", ",\"at\":1000,\"received\":1000"));
		build_is(&g, "\"run\":\"gl.example.com/acme/web/77\"");
		build_is(&g, "\"ci_run_id\":\"gl.example.com/acme/web/77\",\"ci_run_alias\":\"my-own-7\"");
		build_is(&g, "\"jobs\":1");
		assert_int_equal(rig_list(&g, "builds", "q", "my-own-7", NULL, NULL).n, 1);
		assert_int_equal(rig_list(&g, "builds", "ci_run_id", "my-own-7", NULL, NULL).n, 1);
		assert_int_equal(rig_list(&g, "events", "q", "my-own-7", NULL, NULL).n, 2);
		event(&g, report);
		build_is(&g, "\"jobs\":1");
		rig_fini(&g);
	}
	/* two hosts with the same repository and number are two runs */
	rig_init(&g);
	event(&g, P("success", ",\"at\":1000,\"received\":1000"));
	event(&g, "{\"kind\":\"pipeline\",\"status\":\"failed\",\"source\":\"b\",\"host\":\"other\",\"repo\":\"acme/web\",\"pipeline_id\":\"77\",\"ci_run_id\":\"other/acme/web/77\",\"at\":5,\"received\":5}");
	assert_int_equal(rig_list(&g, "builds", NULL, NULL, NULL, NULL).n, 2);
	rig_fini(&g);
}

/* The line of a build moves when its environment becomes known; what it leaves shows its forerunner. */
static void test_lines(void **state)
{
	struct rig g;
	struct sw_rows r;

	(void)state;
	rig_init(&g);
	event(&g, "{\"kind\":\"pipeline\",\"status\":\"success\",\"source\":\"a\",\"repo\":\"acme/web\",\"branch\":\"main\",\"pipeline_id\":\"1\",\"ci_run_id\":\"h/1\",\"at\":5,\"received\":5}");
	event(&g, "{\"kind\":\"pipeline\",\"status\":\"running\",\"source\":\"a\",\"repo\":\"acme/web\",\"branch\":\"main\",\"pipeline_id\":\"2\",\"ci_run_id\":\"h/2\",\"at\":9,\"received\":9}");
	r = rig_list(&g, "lines", NULL, NULL, NULL, NULL);
	assert_int_equal(r.n, 1);
	rig_has(&g, r.rows, "\"build\":2,\"status\":\"running\"");
	event(&g, "{\"kind\":\"job\",\"status\":\"running\",\"source\":\"a\",\"repo\":\"acme/web\",\"branch\":\"main\",\"pipeline_id\":\"2\",\"ci_run_id\":\"h/2\",\"job_id\":\"7\",\"environment\":\"prod\","
	          "\"at\":10,\"received\":10}");
	r = rig_list(&g, "lines", NULL, NULL, NULL, NULL);
	assert_int_equal(r.n, 2);
	rig_has(&g, &r.rows[0], "\"environment\":\"prod\",\"at\":10,\"build\":2");
	rig_has(&g, &r.rows[1], "\"environment\":\"\",\"at\":5,\"build\":1,\"status\":\"success\"");
	rig_fini(&g);
}

/* ---- what cannot be understood ---- */

static void test_nonsense(void **state)
{
	static const char *const lines[] = {
		"", " ", "{", "[]", "7", "null", "\"x\"", "{}", "{\"at\":5}", "{\"at\":\"5\",\"agg\":\"place:a/b\"}", "{\"agg\":\"place:a/b\",\"in\":[]}", "{\"at\":5,\"event_id\":\"E\",\"events\":[]}",
		"{\"at\":5,\"agg\":\"place:a/b\",\"in\":{}}", "{\"at\":5,\"agg\":\"place:a/b\",\"in\":[],\"recs\":7}", "{\"at\":5,\"agg\":\"place:a/b\",\"in\":[]} x", "{\"t\":\"what\"}",
		"{\"t\":\"hold\"}", "{\"t\":\"hold\",\"who\":\"x\"}", "{\"at\":5,\"agg\":\"place:a/b\",\"recs\":[{\"k\":\"new\"}]}", "{\"at\":5,\"agg\":\"place:a/b\",\"recs\":[{\"k\":\"dep\",\"d\":{}}]}",
		"{\"at\":5,\"agg\":\"place:a/b\",\"recs\":[{\"k\":\"watch\",\"d\":{\"id\":\"w\"}}]}", "{\"at\":5,\"agg\":\"place:a/b\",\"recs\":[7]}", "{\"at\":5,\"agg\":\"alert:x\",\"recs\":[{\"k\":\"told\",\"d\":{\"news\":\"x\"}}]}",
	};
	struct rig g;
	char deep[600];
	size_t n = 0;

	(void)state;
	rig_init(&g);
	for (size_t i = 0; i < SW_COUNT(lines); i++) {
		uint64_t before = sw_store_skipped(g.w);

		rig_line(&g, lines[i]);
		if (sw_store_skipped(g.w) == before)
			fail_msg("not counted: %s", lines[i]);
	}
	n += (size_t)snprintf(deep, sizeof deep, "{\"at\":5,\"agg\":\"place:a/b\",\"in\":");
	memset(deep + n, '[', 200);
	deep[n + 200] = '\0';
	rig_line(&g, deep);
	assert_int_equal(rig_list(&g, "deployments", NULL, NULL, NULL, NULL).n, 0);
	/* and the next is as good as ever; what is not known of a line is passed over */
	rig_line(&g, "{\"new\":{\"a\":[1,2]},\"at\":1790000000100,\"recs\":[],\"in\":[{\"t\":\"samples\",\"src\":\"health\",\"items\":[{\"signal\":\"health\",\"at\":7,\"r\":\"ok\",\"v\":1}]}],\"agg\":\"place:a/b\"}");
	assert_int_equal(rig_list(&g, "samples", "service", "a", "environment", "b").n, 1);
	rig_fini(&g);
}

/* Broken UTF-8 within what is kept as it was written: it is JSON that can be handed on. */
static void test_utf8(void **state)
{
	struct rig g;
	struct sw_rows r;

	(void)state;
	rig_init(&g);
	rig_line(&g, "{\"at\":1790000000100,\"event_id\":\"E1\",\"source\":\"g\",\"events\":[{\"kind\":\"push\",\"repo\":\"a/b\",\"title\":\"x\xff\xc3(\xe4\xb8\xad\",\"new\":\"\xf0\x28\"}]}");
	r = rig_list(&g, "events", NULL, NULL, NULL, NULL);
	assert_int_equal(r.n, 1);
	rig_has(&g, r.rows, "\"title\":\"x\xef\xbf\xbd\xef\xbf\xbd(\xe4\xb8\xad\"");
	assert_int_equal(sw_json_check(rig_json(&g, r.rows), strlen(rig_json(&g, r.rows)), &g.err), 0);
	for (const char *p = rig_json(&g, r.rows); *p; p++)
		assert_true((unsigned char)*p < 0x80 || sw_utf8_len(p, strlen(p)) || ((unsigned char)*p & 0xc0) == 0x80);
	rig_fini(&g);
}

/* ---- killed ---- */

/* Batches of any size, held or not, and a process that ends between two of them: always the same rows. */
static void test_batches(void **state)
{
	static const char *const tables[] = { "events", "builds", "jobs", "deployments", "watches", "samples", "alerts", "news", "deliveries", "attempts", "actions", "action_steps", "decisions", "lines" };

	(void)state;
	for (size_t k = 2; k <= 2 * SW_COUNT(story) + 1; k++) {
		const struct sw_store_at held = { .added = -1, .more = k % 2 };
		struct sw_journal_entry e[SW_COUNT(story)];
		size_t size = k / 2;
		char ids[SW_COUNT(story)][32], text[64];
		struct rig g;

		rig_init(&g);
		for (size_t i = 0; i < SW_COUNT(story); i++) {
			(void)snprintf(ids[i], sizeof ids[i], "%zu-0", 1790000000000 + i);
			e[i] = (struct sw_journal_entry){ ids[i], story[i], strlen(story[i]) };
		}
		for (size_t i = 0; i < SW_COUNT(story); i += size) {
			assert_int_equal(sw_store_apply_at(g.w, e + i, SW_MIN(size, SW_COUNT(story) - i), &held, &g.touched, &g.err), 0);
			assert_true(sw_store_held(g.w) == held.more);
			assert_string_equal(sw_store_position(g.w, &g.a), ids[SW_MIN(i + size, SW_COUNT(story)) - 1]);
			if (i / size % 2) {
				rig_close(&g);
				rig_open(&g);
			}
		}
		assert_int_equal(sw_store_commit(g.w, &g.touched, &g.err), 0);
		story_holds(&g);
		for (size_t i = 0; i < SW_COUNT(tables); i++) {
			static const int64_t want[] = { 4, 1, 2, 1, 1, 3, 1, 2, 1, 1, 1, 2, 5, 1 };

			(void)snprintf(text, sizeof text, "SELECT count(*) FROM %s", tables[i]);
			assert_int_equal(rig_number(&g, text), want[i]);
		}
		rig_fini(&g);
	}
}

/* A deployment told by hand is an event, a decision and, by its place, claimed. */
static void test_by_hand(void **state)
{
	struct rig g;
	struct sw_rows r;

	(void)state;
	rig_init(&g);
	rig_line(&g, STEP(1790000000510, "place:web/prod", "{\"t\":\"fact\",\"how\":1,\"ev\":{\"kind\":\"deployment\",\"status\":\"success\",\"source\":\"cli\",\"source_kind\":\"cli\",\"service\":\"web\","
	                 "\"environment\":\"prod\",\"deployment_id\":\"cli-1\",\"ci_run_id\":\"cli-1\",\"user\":\"lin\"}}", ""));
	r = rig_list(&g, "events", "service", "web", "environment", "prod");
	assert_int_equal(r.n, 1);
	rig_has(&g, r.rows, "\"event_id\":\"cli-1\"");
	rig_has(&g, r.rows, "\"claimed\":true");
	r = rig_list(&g, "decisions", "what", "deploy", "who", "lin");
	assert_int_equal(r.n, 1);
	rig_has(&g, r.rows, "\"target\":\"web/prod\"");
	rig_fini(&g);
}

/* What fires by an event alone has no end, but an alarm, whose sender tells it. */
static void test_ends(void **state)
{
	struct rig g;

	(void)state;
	rig_init(&g);
	rig_line(&g, STEP(1790000000510, "alert:one", "", REC("told", "{\"delivery\":\"1\",\"news\":\"firing\",\"alert\":{\"news\":\"firing\",\"kind\":\"pipeline\"}}")));
	rig_has(&g, rig_list(&g, "alerts", "q", "one", NULL, NULL).rows, "\"state\":\"told\"");
	rig_line(&g, STEP(1790000000511, "alert:two", "", REC("told", "{\"delivery\":\"2\",\"news\":\"firing\",\"alert\":{\"news\":\"firing\",\"kind\":\"alarm\"}}")));
	rig_has(&g, rig_list(&g, "alerts", "q", "two", NULL, NULL).rows, "\"state\":\"firing\"");
	rig_line(&g, STEP(1790000000512, "alert:two", "", REC("told", "{\"delivery\":\"3\",\"news\":\"reminder\",\"alert\":{\"news\":\"reminder\",\"kind\":\"alarm\"}}")));
	rig_has(&g, rig_list(&g, "alerts", "q", "two", NULL, NULL).rows, "\"state\":\"firing\",\"news\":\"reminder\"");
	rig_line(&g, STEP(1790000000513, "alert:two", "", REC("told", "{\"delivery\":\"4\",\"news\":\"resolved\",\"alert\":{\"news\":\"resolved\",\"kind\":\"alarm\"}}")));
	rig_has(&g, rig_list(&g, "alerts", "q", "two", NULL, NULL).rows, "\"state\":\"resolved\"");
	/* an entry that is older than what is known changes nothing */
	rig_line(&g, STEP(1790000000512, "alert:two", "", REC("told", "{\"delivery\":\"3\",\"news\":\"reminder\",\"alert\":{\"news\":\"reminder\",\"kind\":\"alarm\"}}")));
	rig_has(&g, rig_list(&g, "alerts", "q", "two", NULL, NULL).rows, "\"state\":\"resolved\"");
	rig_fini(&g);
}

/* A digest: told, sent and tried by its channel; the rows belong together. */
static void test_digest(void **state)
{
	struct rig g;
	struct sw_rows r;

	(void)state;
	rig_init(&g);
	rig_line(&g, STEP(1790000000510, "channel:ops", "", REC("told", "{\"delivery\":\"dg-1\",\"news\":\"digest\",\"alert\":{\"news\":\"digest\",\"id\":\"dg-1\",\"summary\":\"12 alerts\"}}") ","
	                 REC("way", "{\"delivery\":\"dg-1\",\"channel\":\"ops\",\"state\":\"sending\",\"tries\":1}") ","
	                 REC("try", "{\"delivery\":\"dg-1\",\"channel\":\"ops\",\"n\":4,\"class\":\"hold\",\"detail\":\"too fast\"}") ","
	                 REC("chan", "{\"name\":\"ops\",\"state\":\"down\",\"why\":\"x\"}")));
	r = rig_list(&g, "alerts", "q", "dg-1", NULL, NULL);
	assert_int_equal(r.n, 1);
	rig_has(&g, r.rows, "\"state\":\"told\",\"news\":\"digest\",\"summary\":\"12 alerts\"");
	r = rig_list(&g, "deliveries", "alert", "dg-1", NULL, NULL);
	assert_int_equal(r.n, 1);
	rig_has(&g, r.rows, "\"news\":\"digest\"");
	r = rig_list(&g, "attempts", "alert", "dg-1", NULL, NULL);
	assert_int_equal(r.n, 1);
	rig_has(&g, r.rows, "\"class\":\"hold\",\"detail\":\"too fast\"");
	assert_int_equal(sw_store_skipped(g.w), 0);
	rig_fini(&g);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_story), cmocka_unit_test(test_twice), cmocka_unit_test(test_late), cmocka_unit_test(test_again), cmocka_unit_test(test_jobs),
		cmocka_unit_test(test_alias), cmocka_unit_test(test_lines), cmocka_unit_test(test_nonsense), cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_batches), cmocka_unit_test(test_by_hand), cmocka_unit_test(test_ends), cmocka_unit_test(test_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
