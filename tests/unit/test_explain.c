/* engine/explain: what a watch saw, out of a state written by hand, its rings and what was kept. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "engine/explain.h"
#include "engine/step.h"

#define NOW ((sw_ms)1790000600000) /* ten minutes after the deployment */
#define DEP ((sw_ms)1790000000000)

static const char rules_text[] =
	"- {name: slow, on: deploy-to-prod, watch: {for: 5m, every: 10s, delay: 10s}, if: http_latency_p95 > 500ms for 2 checks, then: alert}\n"
	"- {name: errors, on: deploy-to-prod, watch: {for: 5m, every: 10s}, if: error_rate > 3x baseline, min_requests: 100, then: alert}\n"
	"- {name: limit, on: deploy-to-prod, watch: {for: 5m, every: 10s, delay: 10s}, if: http_latency_p95 > limits.p95, then: alert}\n"
	"- {name: ill, on: deploy-to-prod, watch: {for: 5m, every: 10s}, if: health is failing, then: alert}\n";

static struct sw_limit limits[] = { { "p95", 0.4, SW_V_DURATION } };
static struct sw_place web = { .service = "web", .environment = "prod", .tier = "prod", .limits = limits, .n_limits = 1 };
static const struct sw_places places = { &web, 1 }, no_places = { 0 };

struct run {
	struct sw_arena a;
	struct sw_rules *rules;
	struct sw_engine e;
	struct sw_snapshot snaps[4];
	struct sw_step_in in;
	struct sw_err err;
	struct sw_explanation x;
};

static struct sw_rules *pinned(void *arg, const char *hash)
{
	struct run *r = arg;

	return r->rules && sw_streq(hash, r->rules->hash) ? r->rules : NULL;
}

static int setup(void **state)
{
	struct run *r = sw_calloc(1, sizeof *r);
	struct sw_diags d;

	sw_diags_init(&d, &r->a);
	assert_int_equal(sw_rules_load_text("rules", rules_text, strlen(rules_text), NULL, &r->rules, &d), 0);
	r->e = (struct sw_engine){ .places = &places, .pinned = pinned, .arg = r };
	r->in = (struct sw_step_in){ .aggregate = "place:web/prod", .now = NOW, .snaps = r->snaps };
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct run *r = *state;

	sw_rules_put(r->rules);
	sw_arena_fini(&r->a);
	free(r);
	return 0;
}

/* The place: two deployments, the watch "w" over the second; more: members of it; rest: of the place. */
static void state_set(struct run *r, const char *rule, const char *more, const char *rest)
{
	struct sw_jnode *node;
	const char *text = sw_arena_printf(
		&r->a,
		"{\"service\":\"web\",\"environment\":\"prod\",\"deployments\":["
		"{\"id\":\"d1\",\"status\":\"success\",\"finished\":%lld,\"counted\":true,\"good\":1,\"ev\":{\"kind\":\"deployment\",\"sha\":\"aaaaaaaa\"}},"
		"{\"id\":\"d2\",\"status\":\"success\",\"finished\":%lld,\"counted\":true,\"good\":-1,\"prev_sha\":\"aaaaaaaa\","
		"\"ev\":{\"kind\":\"deployment\",\"sha\":\"bbbbbbbb\",\"user\":\"lin\",\"version\":\"2\",\"received\":%lld}}],"
		"\"watches\":[{\"id\":\"w\",\"dep\":\"d2\",\"rule\":\"%s\",\"hash\":\"%s\",\"every\":10000,\"opened\":%lld,\"from\":%lld,\"until\":%lld,"
		"\"grace_until\":%lld%s}]%s}",
		(long long)(DEP - SW_DAY), (long long)DEP, (long long)(DEP + 2000), rule, r->rules->hash, (long long)DEP, (long long)DEP,
		(long long)(DEP + 5 * SW_MINUTE), (long long)(DEP + SW_MINUTE), more, rest);

	assert_int_equal(sw_jtree_parse(&r->a, text, strlen(text), 100000, &node, &r->err), 0);
	r->in.state = node;
}

static int explain(struct run *r, const struct sw_explain_ring *rings, size_t n)
{
	return sw_engine_explain(&r->e, &r->in, "w", rings, n, &r->a, &r->x, &r->err);
}

/* Readings of a ring: value[i] at DEP + first + i * step. */
static struct sw_explain_ring ring_of(struct run *r, const char *name, const char *signal, sw_dur first, sw_dur step, const double *value, size_t n)
{
	unsigned char *bytes = sw_arena_alloc(&r->a, 16 * n);

	for (size_t i = 0; i < n; i++) {
		struct sw_step out = { .a = &r->a };
		struct step s = { .out = &out, .a = &r->a };
		struct sw_sample y = { .signal = signal, .at = DEP + first + (sw_dur)i * step, .value = value[i], .count = 50 };

		sw_step_ring(&s, name, &y);
		memcpy(bytes + 16 * i, out.rings[0].bytes, 16);
	}
	return (struct sw_explain_ring){ name, bytes, 16 * n };
}

static const char failed[] = ",\"state\":\"done\",\"verdict\":\"fail\",\"reason\":\"evidence\",\"fail_at\":1790000030500,\"ended\":1790000090000,\"total\":4,\"known\":4";

static void test_series_alone(void **state)
{
	struct run *r = *state;

	/* +5 s is within the delay; +15, +25 and +30 s are above; then it is well again */
	state_set(r, "slow", failed,
	          ",\"series\":[{\"name\":\"http_latency_p95\",\"t\":1790000005000,\"s\":[[0,0.9],[10000,0.6],[5000,0.7],[10000,0.8],[20000,0.1]]}]");
	assert_int_equal(explain(r, NULL, 0), 0);
	assert_string_equal(r->x.rule, "slow");
	assert_string_equal(r->x.prev_sha, "aaaaaaaa");
	assert_int_equal(r->x.n_deployments, 2);
	assert_int_equal(r->x.deployment, 1);
	assert_string_equal(r->x.deployments[1].user, "lin");
	assert_int_equal(r->x.deployments[1].heard, DEP + 2000);
	assert_int_equal(r->x.ended, DEP + 30500);
	assert_int_equal(r->x.n_rows, 5);
	assert_int_equal(r->x.rows[0].j.truth, SW_UNKNOWN);
	assert_true(r->x.rows[0].early);
	assert_int_equal(r->x.rows[1].j.truth, SW_UNKNOWN);
	assert_int_equal(r->x.rows[2].j.truth, SW_TRUE);
	assert_int_equal(r->x.rows[2].phase, SW_EXPLAIN_GRACE);
	assert_string_equal(r->x.rows[2].j.saw[0].value, "700ms");
	assert_string_equal(r->x.rows[2].j.saw[0].limit, "500ms");
	assert_string_equal(r->x.rows[2].j.saw[0].part, "http_latency_p95 > 500ms");
	assert_int_equal(r->x.rows[4].phase, SW_EXPLAIN_FOLLOWING);
	assert_int_equal(r->x.rows[4].j.truth, SW_FALSE);
	assert_null(r->x.signals[0].before);
	assert_null(r->x.needs[0]);
	/* guards of a fail: before, others, own network */
	assert_int_equal(r->x.n_guards, 3);
	assert_string_equal(r->x.guards[0].text, "how it was before the deployment is not known");
	for (size_t i = 0; i < r->x.n_guards; i++)
		assert_false(r->x.guards[i].stopped);
}

static void test_rings(void **state)
{
	const double before[] = { 0.1, 0.1, 0.1, 0.1 }, after[] = { 0.2, 0.6, 0.7, 0.8 };
	struct run *r = *state;
	struct sw_explain_ring rings[2];
	const char *const *names, *rules;

	/* the series has forgotten all but the last; the one that is in both counts once */
	state_set(r, "slow", failed, ",\"series\":[{\"name\":\"http_latency_p95\",\"t\":1790000045000,\"s\":[[0,0.8]]}]");
	names = sw_explain_rings(&r->e, &r->in, "w", &r->a, &rules);
	assert_string_equal(names[0], "d1:http_latency_p95");
	assert_string_equal(names[1], "d2:http_latency_p95");
	assert_null(names[2]);
	assert_string_equal(rules, sw_arena_printf(&r->a, "rules:%s", r->rules->hash));
	rings[0] = ring_of(r, names[0], "http_latency_p95", -40000, 10000, before, 4);
	rings[1] = ring_of(r, names[1], "http_latency_p95", 15000, 10000, after, 4);
	assert_int_equal(explain(r, rings, 2), 0);
	assert_int_equal(r->x.signals[0].n, 8);
	assert_int_equal(r->x.signals[0].samples[0].at, DEP - 40000);
	assert_int_equal(r->x.n_rows, 4);
	assert_int_equal(r->x.rows[0].j.truth, SW_FALSE);
	assert_int_equal(r->x.rows[2].j.truth, SW_TRUE);
	assert_string_equal(r->x.signals[0].before, "100ms");
	assert_string_equal(r->x.guards[0].text, "it was not so before the deployment");
	/* a ring cut in the middle of a reading */
	rings[1].n -= 5;
	assert_int_equal(explain(r, rings, 2), 0);
	assert_int_equal(r->x.n_rows, 4);
	rings[1].n = 3;
	assert_int_equal(explain(r, rings, 2), 0);
	assert_int_equal(r->x.n_rows, 1);
}

static void test_needs(void **state)
{
	const double after[] = { 0.05, 0.05, 0.05 };
	struct run *r = *state;
	struct sw_explain_ring rings[1];
	struct sw_buf b = SW_BUF_INIT;

	state_set(r, "errors", ",\"state\":\"watching\",\"counted\":150",
	          ",\"series\":[{\"name\":\"error_rate\",\"t\":1790000005000,\"s\":[[0,0.05,50],[10000,0.05,50],[10000,0.05,50]]}],"
	          "\"pasts\":[{\"dep\":\"d2\",\"signal\":\"error_rate\",\"step\":10000,\"state\":\"known\"}]");
	assert_int_equal(explain(r, NULL, 0), 0);
	assert_string_equal(r->x.needs[0], "past:d2:error_rate:10");
	/* it is gone: said, and nothing more is wanted */
	r->snaps[0] = (struct sw_snapshot){ .key = "past:d2:error_rate:10" };
	r->in.n_snaps = 1;
	assert_int_equal(explain(r, NULL, 0), 0);
	assert_null(r->x.needs[0]);
	assert_string_equal(r->x.signals[0].why, "what was known of the time before is gone");
	/* 40 points of 1 % */
	sw_buf_printf(&b, "{\"from\":%lld,\"step\":10000,\"history\":40,\"v\":[", (long long)(DEP - 400000));
	for (int i = 0; i < 40; i++)
		sw_buf_cat(&b, i ? ",0.01" : "0.01");
	sw_buf_cat(&b, "],\"c\":[");
	for (int i = 0; i < 40; i++)
		sw_buf_cat(&b, i ? ",50" : "50");
	sw_buf_cat(&b, "]}");
	r->snaps[0].value = sw_buf_str(&b);
	assert_int_equal(explain(r, NULL, 0), 0);
	assert_string_equal(r->x.signals[0].before, "1%");
	assert_int_equal(r->x.signals[0].valid, 40);
	assert_non_null(r->x.signals[0].counts);
	/* the first look had 50 requests of the 100 that it takes */
	assert_true(r->x.rows[0].few);
	assert_int_equal(r->x.rows[0].j.truth, SW_UNKNOWN);
	assert_true(r->x.rows[0].requests == 50);
	assert_false(r->x.rows[1].few);
	assert_int_equal(r->x.rows[1].j.truth, SW_TRUE);
	assert_string_equal(r->x.rows[1].j.saw[0].limit, "3%");
	assert_string_equal(r->x.rows[1].j.saw[0].before, "1%");
	assert_null(r->x.verdict);
	assert_string_equal(r->x.guards[0].name, "traffic");
	assert_false(r->x.guards[0].stopped);
	rings[0] = ring_of(r, "d2:error_rate", "error_rate", 35000, 10000, after, 3);
	assert_int_equal(explain(r, rings, 1), 0);
	assert_true(r->x.rows[5].requests == 300);
	sw_buf_fini(&b);
}

static void test_configuration(void **state)
{
	struct run *r = *state;

	state_set(r, "limit", failed, ",\"series\":[{\"name\":\"http_latency_p95\",\"t\":1790000015000,\"s\":[[0,0.6]]}]");
	assert_int_equal(explain(r, NULL, 0), 0);
	assert_ptr_equal(r->x.place, &web);
	assert_int_equal(r->x.rows[0].j.truth, SW_TRUE);
	assert_string_equal(r->x.rows[0].j.saw[0].limit, "400ms");
	r->e.places = &no_places;
	assert_int_equal(explain(r, NULL, 0), 0);
	assert_null(r->x.place);
	assert_int_equal(r->x.rows[0].j.truth, SW_UNKNOWN);
}

static void test_guards(void **state)
{
	static const struct { const char *more, *name, *text; } cases[] = {
		{ "\"verdict\":\"inconclusive\",\"reason\":\"pre-existing\",\"ended\":1790000030500", "before", "it was so before the deployment already" },
		{ "\"verdict\":\"inconclusive\",\"reason\":\"common-cause\",\"ended\":1790000030500", "others",
		  "other services of the tier failed at the same time, and no deployment of theirs explains it" },
		{ "\"verdict\":\"pass\",\"reason\":\"transient\",\"ended\":1790000030500", "transient", "it was worse for a while and went away: a pass, with a warning" },
		{ "\"verdict\":\"inconclusive\",\"reason\":\"no-data\",\"ended\":1790000030500,\"total\":9,\"known\":2", "data",
		  "2 of 9 checks said something; it takes 80 % and the last" },
		{ "\"tilt\":1790000020000", "own network", "the reference address does not answer either: no verdict before it does" },
	};
	struct run *r = *state;

	for (size_t i = 0; i < SW_COUNT(cases); i++) {
		bool found = false;

		state_set(r, "ill", sw_arena_printf(&r->a, ",\"state\":\"%s\",%s", i == 4 ? "watching" : "done", cases[i].more),
		          ",\"sources\":[{\"name\":\"reference\",\"heard\":1790000020000,\"r\":\"ok\"}],"
		          "\"series\":[{\"name\":\"health\",\"t\":1790000010000,\"s\":[[0,0]]}]");
		assert_int_equal(explain(r, NULL, 0), 0);
		for (size_t k = 0; k < r->x.n_guards; k++) {
			assert_true(r->x.guards[k].stopped == sw_streq(r->x.guards[k].name, cases[i].name));
			if (r->x.guards[k].stopped)
				assert_string_equal(r->x.guards[k].text, cases[i].text);
			found |= r->x.guards[k].stopped;
		}
		assert_true(found);
	}
}

/* Of more looks than are kept: those up to the verdict that are nearest to it, then the first after it. */
static void test_rows_limit(void **state)
{
	static const struct { size_t n; sw_dur verdict; size_t rows, before, after; } cases[] = {
		{ 500, 600000, 500, 0, 0 }, { 501, 600000, 500, 1, 0 }, { 600, 600000, 500, 100, 0 }, { 600, 420000, 500, 20, 80 }, { 600, 100000, 500, 0, 100 },
	};
	struct run *r = *state;
	double *value = SW_ARENA_ARRAY(&r->a, double, 600);
	struct sw_explain_ring ring;

	for (size_t i = 0; i < 600; i++)
		value[i] = 0.1;
	for (size_t i = 0; i < SW_COUNT(cases); i++) {
		state_set(r, "slow", sw_arena_printf(&r->a, ",\"state\":\"done\",\"verdict\":\"fail\",\"reason\":\"evidence\",\"fail_at\":%lld,\"ended\":%lld",
		                                     (long long)(DEP + cases[i].verdict), (long long)(DEP + 700000)), ",\"series\":[{\"name\":\"http_latency_p95\",\"s\":[]}]");
		ring = ring_of(r, "d2:http_latency_p95", "http_latency_p95", 1000, 1000, value, cases[i].n);
		assert_int_equal(explain(r, &ring, 1), 0);
		assert_int_equal(r->x.n_rows, cases[i].rows);
		assert_int_equal(r->x.before_rows, cases[i].before);
		assert_int_equal(r->x.after_rows, cases[i].after);
		assert_int_equal(r->x.rows[0].at, DEP + 1000 + (sw_dur)cases[i].before * 1000);
	}
}

static void test_lost(void **state)
{
	struct run *r = *state;
	const char *rules;

	state_set(r, "slow", failed, "");
	assert_int_equal(sw_engine_explain(&r->e, &r->in, "other", NULL, 0, &r->a, &r->x, &r->err), -ENOENT);
	assert_string_equal(r->err.text, "there is no watch \"other\"");
	assert_null(sw_explain_rings(&r->e, &r->in, "other", &r->a, &rules));
	/* no reading at all */
	assert_int_equal(explain(r, NULL, 0), 0);
	assert_int_equal(r->x.n_rows, 0);
	/* a rule that is not in them, then no rules */
	state_set(r, "gone", failed, "");
	assert_int_equal(explain(r, NULL, 0), -ENOENT);
	state_set(r, "slow", failed, "");
	r->rules = sw_rules_put(r->rules);
	assert_int_equal(explain(r, NULL, 0), -ENOENT);
	assert_string_equal(r->err.text, "the rules that watch w was opened with are not there any more");
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = { TEST(test_series_alone), TEST(test_rings), TEST(test_needs), TEST(test_configuration),
		                            TEST(test_guards), TEST(test_rows_limit), TEST(test_lost) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
