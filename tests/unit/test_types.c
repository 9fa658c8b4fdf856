/* Expressions as text: mistakes with their column, limits, what regressed() asks and what baseline means in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "rules/expr.h"

/* ---- expressions: mistakes with their column, from 1 ---- */

static const struct { const char *text, *want; } wrongs[] = {
	{ "", "1: expression ends too early" },
	{ "health is", "10: expected a state behind \"is\": healthy, failing, absent, stale, nan, error, too_few, unknown" },
	{ "health is faling", "11: expected a state behind \"is\": healthy, failing, absent, stale, nan, error, too_few, unknown; did you mean \"failing\"?" },
	{ "health", "1: health is no condition, did you mean \"health is failing\"?" },
	{ "helth is failing", "1: unknown signal or field \"helth\", did you mean \"health\"?" },
	{ "health.commit == \"x\"", "1: health has no \"commit\", did you mean \"health.version\"?" },
	{ "b > 1500", "5: a duration is compared with a bare number, did you mean 1500ms?" },
	{ "b > 2", "5: a duration is compared with a bare number, did you mean 2s?" },
	{ "b > 5%", "1: a duration cannot be compared with a ratio" },
	{ "branch > \"x\"", "1: a string has no order, use == or !=" },
	{ "branch = \"x\"", "8: a single \"=\" compares nothing, did you mean \"==\"?" },
	{ "a > 4 for", "10: expected how long or how often (1 to 32): for 30s, for 3 checks, for 3 of 5 checks" },
	{ "a > 4 for 0 checks", "11: expected how long or how often (1 to 32): for 30s, for 3 checks, for 3 of 5 checks" },
	{ "a > 4 for 33 checks", "11: expected how long or how often (1 to 32): for 30s, for 3 checks, for 3 of 5 checks" },
	{ "a > 4 for 3", "12: expected \"checks\" or \"of\": for 3 checks, for 3 of 5 checks, for 30s" },
	{ "a > 4 for 3 of 2 checks", "16: expected a number of checks, at least as many as before \"of\" and at most 32" },
	{ "a > 4 a", "7: expected the end, \"and\" or \"or\" here" },
	{ "(a > 4", "7: expected \")\" here" },
	{ "a > 'x'", "5: strings stand in double quotes" },
	{ "a > \"x", "5: string is not closed" },
	{ "branch =~ /x", "11: regular expression is not closed" },
	{ "branch =~ /(/", "11: wrong regular expression: missing closing parenthesis at its byte 1" },
	{ "a =~ /x/", "1: a number cannot be matched, only a string" },
	{ "a > 4kg", "6: unknown unit, want us ms s m h d w B KB MB GB KiB MiB GiB rps rpm % pp or x" },
	{ "a > 2pp", "5: points (pp) stand only behind baseline + or -" },
	{ "averge(a, 5m) > 1", "1: unknown function \"averge\"" },
	{ "avg(a) > 1", "1: avg wants a signal and a length of time: avg(health, 5m)" },
	{ "avg(branch, 5m) > 1", "5: avg wants a signal here" },
	{ "avg(a, 5) > 1", "8: avg wants a length of time here, such as 5m" },
	{ "any(branch, .title == \"x\")", "5: any wants a list here, such as commits" },
	{ ".title == \"x\"", "1: \".title\" stands only inside any() or all()" },
	{ "a + branch > 1", "1: a number and a string cannot be calculated with" },
	{ "not a", "5: not wants a condition, this is a number" },
	{ "a is failing", "1: only health can be healthy or failing" },
	{ "branch in \"main\"", "11: expected a list here" },
	{ "metrics.x > 1 and limits.y > 2 and labels.z == 1", "36: a string cannot be compared with a number" },
	{ "http_latencyp95 > 1500ms", "1: unknown signal or field \"http_latencyp95\", did you mean \"http_latency_p95\"?" },
	{ "http_latency_p95 > 1500", "20: a duration is compared with a bare number, did you mean 1500ms?" },
	{ "memory_rss > 200", "14: a bytes is compared with a bare number, did you mean 200MiB?" },
	{ "request_rate < 5", "16: a rate is compared with a bare number, did you mean 5rps?" },
	{ "error_rate > 3s", "1: a ratio cannot be compared with a duration" },
	{ "exit_code in [1, \"2\"]", "18: a number cannot be compared with a string" },
	{ "a in endpoints", "6: \"in\" wants a list of plain values, ask any(endpoints, …)" },
	{ "branch between \"a\" and \"b\"", "1: a string has no order, use == or !=" },
	/* baseline */
	{ "baseline > 3", "1: baseline needs a signal or a number of an event on the other side" },
	{ "branch == baseline", "11: baseline needs a signal or a number of an event on the other side" },
	{ "branch in [baseline]", "12: baseline stands only in a comparison, opposite of what it is the baseline of: http_latency_p95 > 3x baseline" },
	{ "len(commits) > 3x baseline", "16: baseline needs a signal or a number of an event on the other side" },
	{ "limits.x > baseline", "12: baseline needs a signal or a number of an event on the other side" },
	{ "started > baseline", "11: baseline needs a signal or a number of an event on the other side" },
	{ "health == baseline", "11: baseline is a number, the other side is a bool" },
	{ "a + baseline > 3", "5: baseline needs a signal or a number of an event on the other side" },
	{ "a * 3x baseline is absent", "5: baseline stands only in a comparison, opposite of what it is the baseline of: http_latency_p95 > 3x baseline" },
	{ "a - baseline > 3 * baseline", "1: baseline stands on both sides: it is what the other side was before" },
	{ "baseline between 1 and a", "1: baseline belongs into the limits of between" },
	{ "b > baseline + 2pp", "16: points (pp) exist for ratios only, the other side is a duration" },
	{ "a > baseline + 2pp", "16: points (pp) exist for ratios only, the other side is a number" },
	{ "b > baseline + 200", "16: baseline is a duration here, did you mean 200ms?" },
	{ "b > baseline - 5", "16: baseline is a duration here, did you mean 5s?" },
	{ "b > baseline +5MiB", "15: baseline is a duration here, it cannot be moved by a bytes" },
	{ "error_rate > baseline +20ms", "24: baseline is a ratio here, it cannot be moved by a duration" },
	{ "b > 3x", "7: expected \"baseline\" behind a multiple such as 3x" },
	{ "b > 300ms + 20%", "5: a duration and a ratio do not add up" },
	{ "b > 3x baseline + 20", "5: a duration and a number do not add up" },
	{ "delta(branch, baseline) > 1", "7: delta wants a signal that is a number" },
	{ "delta(a, baseline +5) > 1", "10: delta wants a length of time or baseline" },
	{ "avg(baseline, 5m) > 1", "5: baseline stands only in a comparison, opposite of what it is the baseline of: http_latency_p95 > 3x baseline" },
	{ "any(commits, .title > baseline)", "23: baseline needs a signal or a number of an event on the other side" },
	{ "any(endpoints, .p95 > baseline +2pp)", "33: points (pp) exist for ratios only, the other side is a duration" },
	/* lists and their elements */
	{ "any(endpoints, .title == \"x\")", "16: an endpoint has no \".title\", want .name, .p95, .requests or .errors" },
	{ "any(commits, .p95 > 3s)", "14: an element here has no \".p95\", want .title" },
	{ "any(endpoints, .p95 > 3)", "23: a duration is compared with a bare number, did you mean 3s?" },
	{ "any(endpoints, .p95 > 3s for 3 checks)", "16: \"for\" stands outside of any() and all()" },
	{ "any(endpoints, consecutive(.p95 > 3s) > 2)", "16: consecutive stands outside of any() and all()" },
	{ "any(endpoints, health)", "16: any wants a condition here" },
	{ "avg(endpoints, 5m) > 3", "5: avg wants a signal that is a number, endpoints is a list" },
	{ "endpoints > 3", "1: a list cannot be compared with a number" },
	/* regressed */
	{ "regressed(branch)", "11: regressed wants a signal here, such as http_latency_p95" },
	{ "regressed(health)", "11: regressed compares measurements from before and after: health is healthy or failing" },
	{ "regressed(endpoints)", "11: regressed compares measurements from before and after: endpoints is a list" },
	{ "regressed(a)", "11: regressed compares measurements from before and after: a is a number of reports" },
	{ "regressed(http_latency_p95, 20%)", "29: regressed wants names here: by=20%, alpha=1%, baseline=30m, test=\"rank\"" },
	{ "regressed(by=20%)", "14: regressed wants a signal first: regressed(http_latency_p95, by=20%)" },
	{ "regressed(error_rate, bye=20%)", "27: regressed has no \"bye=\", did you mean \"by\"?" },
	{ "regressed(error_rate, by=20%, by=30%)", "34: regressed has \"by=\" twice" },
	{ "regressed(http_latency_p95, by=2pp)", "32: points (pp) exist for ratios only, http_latency_p95 is a duration" },
	{ "regressed(http_latency_p95, by=2)", "32: by wants how much worse: 20%, 2x, 2pp of a ratio, or an amount in the signal's unit" },
	{ "regressed(http_latency_p95, by=5MiB)", "32: by: http_latency_p95 is a duration, this is a bytes" },
	{ "regressed(http_latency_p95, by=1x)", "32: by: a multiple is more than 1x" },
	{ "regressed(http_latency_p95, by=0%)", "32: by: more than 0" },
	{ "regressed(request_rate, by=100%)", "28: by: of request_rate less is worse, it cannot be 100% less" },
	{ "regressed(http_latency_p95, by=a)", "32: by wants how much worse: 20%, 2x, 2pp of a ratio, or an amount in the signal's unit" },
	{ "regressed(http_latency_p95, alpha=1)", "35: alpha wants a share of deployments such as 1%, at most 20%" },
	{ "regressed(http_latency_p95, alpha=50%)", "35: alpha wants a share of deployments such as 1%, at most 20%" },
	{ "regressed(http_latency_p95, baseline=30s)", "38: baseline wants a length of time from 5m to 24h" },
	{ "regressed(http_latency_p95, test=\"rnk\")", "34: unknown test \"rnk\", did you mean \"rank\"?" },
	{ "regressed(http_latency_p95, test=5)", "34: test wants \"auto\", \"rank\" or \"sequential\"" },
	/* other functions */
	{ "signal_source(\"promtheus\") is unknown", "15: unknown signal source \"promtheus\", did you mean \"prometheus\"?" },
	{ "signal_source(5) is unknown", "15: signal_source wants \"prometheus\", \"scrape\" or \"health\"" },
	{ "flaps(a) > 30%", "7: flaps wants a signal that is healthy or failing: flaps(health)" },
	{ "flaps(health) > 3s", "1: a ratio cannot be compared with a duration" },
	{ "flaky(exit_code)", "7: flaky wants the name of a job: flaky(job.name)" },
	{ "requests(5) > 3", "10: requests wants a length of time, such as 5m" },
	{ "requests(a, 5m) > 3", "1: requests wants 1 argument, got 2" },
	{ "avg(m=a, 5m) > 3", "7: avg takes no \"m=\", only regressed has arguments with names" },
	{ "coalesce(a, branch) == 3", "13: coalesce gives a number, this is a string" },
};

static const struct sw_signal_def defs[] = { { .name = "a", .type = SW_V_NUMBER, .report = "a" }, { .name = "b", .type = SW_V_DURATION, .report = "b" } };

static void test_wrongs(void **state)
{
	(void)state;
	for (size_t i = 0; i < SW_COUNT(wrongs); i++) {
		struct sw_arena a = { 0 };
		struct sw_err err = SW_ERR_INIT;
		const struct sw_expr *e;

		if (sw_expr_compile(&a, wrongs[i].text, defs, 2, &e, &err) == 0)
			fail_msg("%s: no mistake", wrongs[i].text);
		if (strcmp(err.text, wrongs[i].want) != 0)
			fail_msg("%s:\n  got  %s\n  want %s", wrongs[i].text, err.text, wrongs[i].want);
		sw_arena_fini(&a);
	}
}

static const struct { const char *text; double by; bool points; } bys[] = {
	{ "regressed(error_rate, by=20%)", 0.2, false }, { "regressed(error_rate, by=2x)", 1, false }, { "regressed(error_rate, by=1.5x)", 0.5, false },
	{ "regressed(request_rate, by=2x)", 0.5, false },     { "regressed(request_rate, by=30%)", 0.3, false },
	{ "regressed(error_rate, by=2pp)", 0.02, true }, { "regressed(http_latency_p95, by=20ms)", 0.02, true },
	{ "regressed(memory_rss, by=1KiB)", 1024, true }, { "regressed(restarts, by=3)", 3, true }, { "regressed(restarts)", 0, false },
};

static void test_bys(void **state)
{
	(void)state;
	for (size_t i = 0; i < SW_COUNT(bys); i++) {
		struct sw_arena a = { 0 };
		struct sw_err err = SW_ERR_INIT;
		const struct sw_regressed_ask *ask;
		const struct sw_expr *e;

		if (sw_expr_compile(&a, bys[i].text, NULL, 0, &e, &err) < 0)
			fail_msg("%s: %s", bys[i].text, err.text);
		ask = sw_expr_regressed(e)[0];
		if (ask->by < bys[i].by - 1e-9 || ask->by > bys[i].by + 1e-9 || ask->by_points != bys[i].points)
			fail_msg("%s: %g %d", bys[i].text, ask->by, ask->by_points);
		sw_arena_fini(&a);
	}
}

static const struct { const char *text, *want; } words[] = {
	{ "http_latency_p95 > baseline +50%", "http_latency_p95 > 1.5 x max(baseline, 20ms)" },
	{ "error_rate > baseline +200%", "error_rate > 3 x max(baseline, 0.1%)" },
	{ "error_rate > 3x baseline", "error_rate > 3 x max(baseline, 0.1%)" },
	{ "error_rate > baseline + 2pp", "error_rate > baseline + 2pp" },
	{ "coverage < baseline - 2pp", "coverage < baseline - 2pp" },
	{ "http_latency_p95 > baseline +200ms", "http_latency_p95 > baseline + 200ms" },
	{ "requests(5m) < 0.5 * baseline", "requests(5m) < 0.5 x baseline" },
	{ "requests(5m) < baseline -50%", "requests(5m) < 0.5 x baseline" },
	{ "3x baseline < memory_rss", "3 x baseline < memory_rss" },
	{ "memory_rss > baseline", "memory_rss > baseline" },
	{ "http_latency_p95 between baseline -50% and 2x baseline", "http_latency_p95 between 0.5 x max(baseline, 20ms) and 2 x max(baseline, 20ms)" },
	{ "any(endpoints, .p95 > 3x baseline)", ".p95 > 3 x max(baseline, 20ms)" },
	{ "http_latency_p95 > (baseline + 20ms) * 2", "http_latency_p95 > (baseline + 20ms) * 2" },
	{ "http_latency_p95 > 3s", NULL },
};

static void test_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < SW_COUNT(words); i++) {
		struct sw_arena a = { 0 };
		struct sw_err err = SW_ERR_INIT;
		const struct sw_expr *e;
		const char *got;

		if (sw_expr_compile(&a, words[i].text, NULL, 0, &e, &err) < 0)
			fail_msg("%s: %s", words[i].text, err.text);
		got = sw_expr_limits(e, &a)[0];
		if (!sw_streq(got, words[i].want))
			fail_msg("%s\n  got  %s\n  want %s", words[i].text, got ? got : "(nothing)", words[i].want ? words[i].want : "(nothing)");
		sw_arena_fini(&a);
	}
}

/* ---- limits: at, and one past ---- */

static int compile(const char *text)
{
	struct sw_arena a = { 0 };
	struct sw_err err;
	const struct sw_expr *e;
	int r = sw_expr_compile(&a, text, defs, 2, &e, &err);

	sw_arena_fini(&a);
	return r;
}

static void test_limits(void **state)
{
	(void)state;
	for (int past = 0; past <= 1; past++) {
		struct sw_buf b = SW_BUF_INIT;

		sw_buf_cat(&b, "branch == \""); /* bytes */
		while (b.n < EXPR_BYTES - 1 + (size_t)past)
			sw_buf_putc(&b, 'x');
		sw_buf_putc(&b, '"');
		assert_int_equal(compile(sw_buf_str(&b)) < 0, past);
		sw_buf_reset(&b);
		for (int i = 0; i < EXPR_DEPTH - 1 + past; i++) /* depth */
			sw_buf_putc(&b, '(');
		sw_buf_cat(&b, "a > 1");
		for (int i = 0; i < EXPR_DEPTH - 1 + past; i++)
			sw_buf_putc(&b, ')');
		assert_int_equal(compile(sw_buf_str(&b)) < 0, past);
		sw_buf_reset(&b);
		for (int i = 0; i < SW_HOLDS_MAX + past; i++) /* holds */
			sw_buf_printf(&b, "%sa > %d for 2 checks", i ? " and " : "", i);
		assert_int_equal(compile(sw_buf_str(&b)) < 0, past);
		sw_buf_reset(&b);
		sw_buf_cat(&b, "true"); /* parts: n operands and n - 1 ands */
		for (int i = 0; i < (EXPR_NODES - 1) / 2 + past; i++)
			sw_buf_cat(&b, " or true");
		assert_int_equal(compile(sw_buf_str(&b)) < 0, past);
		sw_buf_reset(&b);
		for (int i = 0; i < 2 + past; i++) /* cost: each any() goes through all endpoints */
			sw_buf_cat(&b, "any(endpoints, ");
		sw_buf_cat(&b, ".p95 > 1s and .p95 > 2s and .p95 > 3s and .p95 > 4s");
		for (int i = 0; i < 2 + past; i++)
			sw_buf_putc(&b, ')');
		assert_int_equal(compile(sw_buf_str(&b)) < 0, past);
		sw_buf_fini(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrongs),
		cmocka_unit_test(test_bys),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
