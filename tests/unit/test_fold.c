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
	"{\"t\":\"hold\",\"on\":true,\"scope\":\"web/prod/hz\",\"who\":\"lin\",\"why\":\"moving\",\"at\":1790000008000}",
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
	rig_has(&g, &r.rows[1], "\"what\":\"retry\",\"target\":\"1-1\"");
	rig_has(&g, &r.rows[2], "\"what\":\"hold\",\"target\":\"web/prod/hz\",\"service\":\"web\",\"environment\":\"prod/hz\",\"why\":\"moving\"");
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

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_story), cmocka_unit_test(test_twice) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
