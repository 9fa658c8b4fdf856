/* Expressions about the time before the deployment: baseline in all its forms, regressed(), elements of lists, CUSUM, sources. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "base/str.h"
#include "rules/expr.h"

/* One number for every signal, now and before; NaN: not known. */
struct world {
	double is, was;
	enum sw_reading reading;       /* of what is not known */
	struct sw_value now_list, was_list;
	enum sw_truth regressed;
	struct sw_value about;
	sw_ms now, at;
	unsigned asked_before;
	const struct sw_regressed_ask *ask;
};

static struct sw_value number(enum sw_vtype type, double num, enum sw_reading none)
{
	return isnan(num) ? (struct sw_value){ .type = type, .reading = none } : (struct sw_value){ .type = type, .num = num, .b = num > 0.5 };
}

static void field(void *arg, enum sw_field_id id, const char *key, struct sw_value *ret)
{
	const struct world *x = arg;

	(void)key;
	*ret = number(SW_V_NUMBER, x->is, x->reading);
	if (id == SW_F_BRANCH || id == SW_F_JOB_NAME)
		*ret = (struct sw_value){ .type = SW_V_STRING, .str = "main" };
}

static void signal_of(void *arg, const char *signal, const char *part, enum sw_window w, sw_dur window, struct sw_value *ret, sw_ms *ret_at)
{
	const struct world *x = arg;

	(void)part, (void)w, (void)window;
	*ret = sw_streq(signal, "endpoints") ? x->now_list : number(sw_streq(signal, "health") ? SW_V_BOOL : SW_V_NUMBER, x->is, x->reading);
	*ret_at = x->at;
}

static void signal_before(void *arg, const char *signal, enum sw_window w, sw_dur window, struct sw_value *ret)
{
	struct world *x = arg;

	(void)w, (void)window;
	x->asked_before++;
	*ret = sw_streq(signal, "endpoints") ? x->was_list : number(sw_streq(signal, "health") ? SW_V_BOOL : SW_V_NUMBER, x->was, SW_R_ABSENT);
}

static void field_before(void *arg, enum sw_field_id id, const char *key, struct sw_value *ret)
{
	(void)id, (void)key;
	*ret = number(SW_V_NUMBER, ((const struct world *)arg)->was, SW_R_ABSENT);
}

static enum sw_truth changed(void *arg, const char *glob)
{
	(void)arg, (void)glob;
	return SW_UNKNOWN;
}

static void count(void *arg, const char *func, sw_dur window, struct sw_value *ret)
{
	(void)arg, (void)func, (void)window;
	*ret = (struct sw_value){ .type = SW_V_NUMBER, .num = 3 };
}

static enum sw_truth regressed(void *arg, const struct sw_regressed_ask *ask, struct sw_regressed_saw *ret)
{
	struct world *x = arg;

	x->ask = ask;
	ret->now = number(SW_V_DURATION, x->is, SW_R_ABSENT);
	ret->before = number(SW_V_DURATION, x->was, SW_R_ABSENT);
	ret->effect = x->is / x->was;
	ret->p = 0.004;
	ret->why = x->is > 1 ? "1.9x, tier A" : NULL;
	ret->at = x->at;
	return x->regressed;
}

static void about(void *arg, enum sw_about what, const char *name, struct sw_value *ret, sw_ms *ret_at)
{
	const struct world *x = arg;

	assert_string_equal(name, what == SW_ABOUT_FLAPS ? "health" : what == SW_ABOUT_SOURCE ? "prometheus" : "main");
	*ret = x->about;
	*ret_at = x->at;
}

static struct sw_facts facts(struct world *x)
{
	return (struct sw_facts){ .arg = x, .field = field, .signal = signal_of, .changed = changed, .count = count, .signal_before = signal_before,
		                  .field_before = field_before, .regressed = regressed, .about = about, .now = x->now };
}

static const struct sw_expr *compile(struct sw_arena *a, const char *text)
{
	const struct sw_expr *e;
	struct sw_err err = SW_ERR_INIT;

	if (sw_expr_compile(a, text, NULL, 0, &e, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return e;
}

#define GIB 1073741824.0

/* want: now; want_before: the same question about the time before. */
static const struct { const char *text; double is, was; int want, want_before; } rows[] = {
	/* the forms of baseline */
	{ "http_latency_p95 > baseline", 0.31, 0.3, 1, 0 }, { "http_latency_p95 > baseline", 0.29, 0.3, 0, 0 },
	{ "http_latency_p95 > baseline +50%", 0.31, 0.2, 1, 0 }, { "http_latency_p95 > baseline +50%", 0.29, 0.2, 0, 0 },
	{ "http_latency_p95 > baseline +200%", 0.61, 0.2, 1, 0 }, { "http_latency_p95 > baseline +200%", 0.59, 0.2, 0, 0 },
	{ "http_latency_p95 > 3x baseline", 0.61, 0.2, 1, 0 }, { "http_latency_p95 > 3x baseline", 0.59, 0.2, 0, 0 },
	{ "3x baseline < http_latency_p95", 0.61, 0.2, 1, 0 }, { "http_latency_p95 > 3 * baseline", 0.61, 0.2, 1, 0 },
	{ "http_latency_p95 > baseline +200ms", 0.41, 0.2, 1, 0 }, { "http_latency_p95 > baseline +200ms", 0.39, 0.2, 0, 0 },
	{ "http_latency_p95 > 3x baseline + 20ms", 0.61, 0.2, 0, 0 }, { "http_latency_p95 > 3x baseline + 20ms", 0.63, 0.2, 1, 0 },
	{ "error_rate > baseline + 2pp", 0.031, 0.01, 1, 0 }, { "error_rate > baseline + 2pp", 0.029, 0.01, 0, 0 },
	{ "error_rate < baseline - 2pp", 0.02, 0.05, 1, 0 }, { "error_rate < baseline -50%", 0.004, 0.01, 1, 0 },
	{ "requests(5m) < 0.5 * baseline", 49, 100, 1, 0 }, { "requests(5m) < 0.5 * baseline", 51, 100, 0, 0 },
	{ "requests(5m) < baseline / 2", 49, 100, 1, 0 }, { "requests > baseline + 5", 106, 100, 1, 0 },
	{ "avg(http_latency_p95, 2m) > 1.2x baseline", 0.25, 0.2, 1, 0 }, { "http_latency_p95 * 2 > 3x baseline", 0.31, 0.2, 1 - 1, 0 },
	{ "http_latency_p95 between baseline -50% and baseline +50%", 0.2, 0.2, 1, 1 },
	{ "http_latency_p95 between baseline -50% and baseline +50%", 0.31, 0.2, 0, 1 },
	{ "delta(memory_rss, baseline) > 1GiB", 3 * GIB, GIB, 1, 0 }, { "delta(memory_rss, baseline) > 1GiB", 2 * GIB, GIB, 0, 0 },
	{ "delta(memory_rss, baseline) > 1GiB", 2 * GIB, NAN, 2, 2 },
	/* relative limits are relative to at least the floor, absolute ones are not */
	{ "error_rate > baseline +200%", 0.0029, 0, 0, 0 }, { "error_rate > baseline +200%", 0.0031, 0, 1, 0 },
	{ "error_rate > 3x baseline", 0.0029, 0, 0, 0 }, { "error_rate > 3 * baseline", 0.0029, 0, 0, 0 },
	{ "error_rate > baseline", 0.0009, 0, 0, 0 }, { "error_rate > baseline + 1pp", 0.0101, 0, 1, 0 },
	{ "http_latency_p95 > 2x baseline", 0.039, 0.001, 0, 0 }, { "http_latency_p95 > 2x baseline", 0.041, 0.001, 1, 0 },
	/* no baseline: unknown, never 0 */
	{ "http_latency_p95 > baseline", 0.31, NAN, 2, 2 }, { "http_latency_p95 > 3x baseline", 0.31, NAN, 2, 2 },
	{ "http_latency_p95 > baseline +20ms", 0.31, NAN, 2, 2 }, { "http_latency_p95 > 3x baseline", NAN, 0.2, 2, 0 },
	{ "http_latency_p95 > 3x baseline and http_latency_p95 > 1s", 0.31, NAN, 0, 2 }, { "http_latency_p95 > 3x baseline or true", 0.31, NAN, 1, 1 },
	{ "not http_latency_p95 > 3x baseline", 0.31, NAN, 2, 2 }, { "coalesce(http_latency_p95, 3s) > baseline", 0.31, 0.3, 1, 0 },
	/* numbers of events: only baseline is about the jobs before */
	{ "coverage < baseline - 2pp", 0.77, 0.8, 1, 1 }, { "coverage < baseline - 2pp", 0.79, 0.8, 0, 0 }, { "coverage < baseline - 2pp", 0.7, NAN, 2, 2 },
	{ "job.duration > baseline +50%", 91, 60, 1, 1 }, { "job.duration > baseline +50%", 89, 60, 0, 0 }, { "metrics.x > 2x baseline", 21, 10, 1, 1 },
	/* the time before */
	{ "http_latency_p95 > 300ms", 0.5, 0.4, 1, 1 }, { "http_latency_p95 > 300ms", 0.5, 0.2, 1, 0 }, { "http_latency_p95 > 300ms", 0.5, NAN, 1, 2 },
	{ "http_latency_p95 > 300ms for 2 checks", 0.5, 0.4, 2, 1 }, { "consecutive(http_latency_p95 > 300ms) >= 2", 0.5, 0.4, 0, 1 },
	{ "health is failing for 3 checks", 0, 0, 2, 1 }, { "health is failing for 3 checks", 0, 1, 2, 0 }, { "health is healthy", 1, 1, 1, 1 },
	{ "http_latency_p95 is absent", NAN, NAN, 1, 2 }, { "http_latency_p95 is absent", NAN, 0.2, 1, 0 }, { "http_latency_p95 == null", NAN, NAN, 1, 2 },
	{ "has(http_latency_p95)", 0.3, NAN, 1, 2 }, { "branch == \"main\" and error_rate > 1%", 0.02, 0.02, 1, 1 },
	{ "deploys(1h) >= 3", 0, 0, 1, 1 }, { "failing_services(10m) >= 3", 0, 0, 1, 2 }, { "regressed(http_latency_p95)", 0.5, 0.2, 1, 0 },
	{ "regressed(http_latency_p95) and error_rate > 1%", 0.5, 0.2, 1, 0 }, { "flaps(health) > 30%", 0, 0, 1, 2 },
	{ "signal_source(\"prometheus\") is unknown", 0, 0, 0, 2 },
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_arena a = { 0 };
		struct sw_hold holds[SW_HOLDS_MAX] = { 0 };
		struct world x = { .is = rows[i].is, .was = rows[i].was, .reading = SW_R_ABSENT, .now = 9000, .at = 9000, .regressed = SW_TRUE,
			           .about = { .type = SW_V_RATIO, .num = 0.4 } };
		const struct sw_expr *e = compile(&a, rows[i].text);
		struct sw_facts f = facts(&x);
		struct sw_judged j;
		int before = (int)sw_expr_before(e, &f, &a);

		sw_expr_eval(e, &f, holds, &a, &j);
		if ((int)j.truth != rows[i].want)
			fail_msg("%s, %g after %g: %d, want %d", rows[i].text, x.is, x.was, (int)j.truth, rows[i].want);
		if (before != rows[i].want_before)
			fail_msg("%s, before at %g: %d, want %d", rows[i].text, x.was, before, rows[i].want_before);
		sw_expr_fini((struct sw_expr *)(uintptr_t)e);
		sw_arena_fini(&a);
	}
}

/* What nobody can tell yet is not known: neither true nor "is unknown". */
static void test_nobody(void **state)
{
	static const char *const texts[] = {
		"http_latency_p95 > 3x baseline", "coverage < baseline - 2pp", "delta(memory_rss, baseline) > 1GiB", "regressed(http_latency_p95)",
		"regressed(http_latency_p95) is unknown", "flaps(health) > 30%", "flaps(health) is unknown", "signal_source(\"prometheus\") is unknown",
		"signal_source(\"prometheus\") is absent", "flaky(job.name)", "not flaky(job.name)", "any(endpoints, .p95 > 3x baseline)",
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(texts); i++) {
		struct sw_arena a = { 0 };
		struct sw_hold holds[SW_HOLDS_MAX] = { 0 };
		struct world x = { .is = 5, .was = 1, .now = 9, .at = 9, .now_list = { .type = SW_V_LIST, .reading = SW_R_ABSENT } };
		struct sw_facts f = { .arg = &x, .field = field, .signal = signal_of, .changed = changed, .count = count, .now = 9 };
		const struct sw_expr *e = compile(&a, texts[i]);
		struct sw_judged j;

		sw_expr_eval(e, &f, holds, &a, &j);
		if (j.truth != SW_UNKNOWN)
			fail_msg("%s: %d", texts[i], (int)j.truth);
		(void)sw_expr_before(e, &f, &a);
		sw_arena_fini(&a);
	}
}

/* ---- elements ---- */

#define STR(s)    { .type = SW_V_STRING, .str = s }
#define DUR(n)    { .type = SW_V_DURATION, .num = n }
#define NUM(n)    { .type = SW_V_NUMBER, .num = n }
#define NONE      { .type = SW_V_DURATION, .reading = SW_R_ABSENT }
#define RECORD(f) { .type = SW_V_RECORD, .items = f, .n = SW_EL_COUNT }

static void test_elements(void **state)
{
	static const struct { const char *text; int want; const char *which; } cases[] = {
		{ "any(endpoints, .p95 > 3x baseline and .requests > 50)", 1, "\"GET /pay\"" },
		{ "any(endpoints, .p95 > 3x baseline and .requests > 500)", 0, NULL }, /* the new one has few, so it does not matter that it is new */
		{ "any(endpoints, .p95 > 8x baseline)", 2, NULL },                    /* the new one: nobody knows */
		{ "any(endpoints, .p95 > baseline +5s)", 2, NULL },
		{ "any(endpoints, .errors > 2x baseline and .requests > 50)", 0, NULL },
		{ "any(endpoints, .name == \"GET /new\" and .p95 > 1s)", 1, "\"GET /new\"" },
		{ "any(endpoints, .name == \"GET /slow\" and .p95 is absent)", 1, "\"GET /slow\"" },
		{ "all(endpoints, .requests >= 1)", 1, NULL },
		{ "all(endpoints, .requests > 60)", 0, "\"GET /new\"" },
		{ "all(endpoints, .p95 < 10s)", 2, NULL },
		{ "any(endpoints, http_latency_p95 > baseline)", 1, "\"GET /\"" },
		{ "len(endpoints) == 4", 1, NULL },
	};
	static const struct sw_value root[] = { STR("GET /"), DUR(0.1), NUM(1000), NUM(1) }, pay[] = { STR("GET /pay"), DUR(2), NUM(100), NUM(1) },
				     fresh[] = { STR("GET /new"), DUR(9), NUM(3), NUM(3) }, slow[] = { STR("GET /slow"), NONE, NUM(90), NUM(0) },
				     pay_was[] = { STR("GET /pay"), DUR(0.3), NUM(110), NUM(1) }, root_was[] = { STR("GET /"), DUR(0.1), NUM(900), NUM(1) },
				     slow_was[] = { STR("GET /slow"), DUR(4), NUM(80), NUM(0) };
	static const struct sw_value is[] = { RECORD(root), RECORD(pay), RECORD(fresh), RECORD(slow) },
				     was[] = { RECORD(pay_was), RECORD(slow_was), RECORD(root_was) };

	(void)state;
	for (size_t i = 0; i < SW_COUNT(cases); i++) {
		struct sw_arena a = { 0 };
		struct sw_hold holds[SW_HOLDS_MAX] = { 0 };
		struct world x = { .is = 5, .was = 1, .now = 9, .at = 9, .now_list = { .type = SW_V_LIST, .items = is, .n = 4 },
			           .was_list = { .type = SW_V_LIST, .items = was, .n = 3 } };
		struct sw_facts f = facts(&x);
		const struct sw_expr *e = compile(&a, cases[i].text);
		struct sw_judged j;

		sw_expr_eval(e, &f, holds, &a, &j);
		if ((int)j.truth != cases[i].want)
			fail_msg("%s: %d, want %d", cases[i].text, (int)j.truth, cases[i].want);
		if (sw_starts(cases[i].text, "a") && !sw_streq(j.saw[0].value, cases[i].which))
			fail_msg("%s: %s", cases[i].text, j.saw[0].value);
		assert_true(x.asked_before <= 6); /* the list as it was: once, however many elements */
		sw_arena_fini(&a);
	}
	for (int n = 0; n < 2; n++) { /* an empty list, and none */
		struct sw_arena a = { 0 };
		struct sw_hold holds[SW_HOLDS_MAX] = { 0 };
		struct world x = { .now = 9, .at = 9, .now_list = { .type = SW_V_LIST, .reading = n ? SW_R_ABSENT : SW_R_OK } };
		struct sw_facts f = facts(&x);
		struct sw_judged j;

		sw_expr_eval(compile(&a, "any(endpoints, .p95 > 1s)"), &f, holds, &a, &j);
		assert_int_equal(j.truth, n ? SW_UNKNOWN : SW_FALSE);
		sw_expr_eval(compile(&a, "all(endpoints, .p95 > 1s)"), &f, holds, &a, &j);
		assert_int_equal(j.truth, SW_UNKNOWN);
		sw_arena_fini(&a);
	}
}

/* The list of before is looked at as it was when the question is about before. */
static void test_elements_before(void **state)
{
	static const struct sw_value is0[] = { STR("GET /"), DUR(5), NUM(1), NUM(1) }, was0[] = { STR("GET /"), DUR(1), NUM(1), NUM(1) };
	static const struct sw_value is[] = { RECORD(is0) }, was[] = { RECORD(was0) };
	struct sw_arena a = { 0 };
	struct world x = { .now = 9, .now_list = { .type = SW_V_LIST, .items = is, .n = 1 }, .was_list = { .type = SW_V_LIST, .items = was, .n = 1 } };
	struct sw_facts f = facts(&x);

	(void)state;
	assert_int_equal(sw_expr_before(compile(&a, "any(endpoints, .p95 > 2s)"), &f, &a), SW_FALSE);
	assert_int_equal(sw_expr_before(compile(&a, "any(endpoints, .p95 > 900ms)"), &f, &a), SW_TRUE);
	assert_int_equal(sw_expr_before(compile(&a, "any(endpoints, .p95 > 2x baseline)"), &f, &a), SW_FALSE);
	x.was_list.reading = SW_R_ABSENT;
	assert_int_equal(sw_expr_before(compile(&a, "any(endpoints, .p95 > 2s)"), &f, &a), SW_UNKNOWN);
	sw_arena_fini(&a);
}

/* ---- sequences: f failing, o healthy, ? unknown, . no new reading ---- */

static const struct { const char *text, *in, *want; bool resets; } sequences[] = {
	{ "health is failing", "fff", "001", false },
	{ "health is failing", "foff", "0001", false },     /* rules.md 3.5 */
	{ "health is failing", "fof", "000", false },
	{ "health is failing", "fofof", "00001", false },
	{ "health is failing", "foofoof", "0000000", false },
	{ "health is failing", "foofof", "000001", false },
	{ "health is failing", "fooooofooooof", "0000000000000", false },
	{ "health is failing", "f..f..f", "0000001", false },
	{ "health is failing", "ff?f", "00?1", false },
	{ "health is failing", "ff?f", "00?0", true },
	{ "health is failing", "fffffffo", "00111110", false }, /* one good answer ends it */
	{ "health is failing", "ffffof", "001101", false },
	{ "health is failing", "ooooooooooooooooooooooooooooooooooooofff", "0000000000000000000000000000000000000001", false },
	{ "health is failing for 3 checks", "foff", "?000", false }, /* a rule with `for` keeps its count */
	{ "health is failing for 1 check", "f", "1", false },
	{ "not health is failing", "fff", "110", false },
};

static void test_cusum(void **state)
{
	(void)state;
	for (size_t i = 0; i < SW_COUNT(sequences); i++) {
		struct sw_arena a = { 0 };
		struct sw_hold holds[SW_HOLDS_MAX] = { 0 };
		struct world x = { .now = 1000000, .reading = SW_R_ERROR };
		const struct sw_expr *e = compile(&a, sequences[i].text);

		assert_int_equal(sw_expr_holds(e), 1);
		for (size_t k = 0; sequences[i].in[k]; k++) {
			char c = sequences[i].in[k];
			struct sw_facts f;
			struct sw_judged j;

			x.now += 5000;
			if (c != '.') {
				x.at = x.now;
				x.is = c == '?' ? NAN : c == 'o';
			}
			f = facts(&x);
			f.gap_resets = sequences[i].resets;
			for (int twice = 0; twice < 2; twice++) {
				sw_expr_eval(e, &f, holds, &a, &j);
				if ("01?"[j.truth] != sequences[i].want[k])
					fail_msg("%s after %.*s: %c, want %c", sequences[i].text, (int)k + 1, sequences[i].in, "01?"[j.truth], sequences[i].want[k]);
			}
		}
		sw_arena_fini(&a);
	}
}

/* A source that does not answer: each look counts, and a `for` holds over looks. */
static void test_source(void **state)
{
	struct sw_arena a = { 0 };
	struct sw_hold holds[SW_HOLDS_MAX] = { 0 };
	struct world x = { .now = 1000000, .about = { .type = SW_V_BOOL, .reading = SW_R_ERROR } };
	const struct sw_expr *e = compile(&a, "signal_source(\"prometheus\") is unknown for 1m");
	struct sw_judged j = { SW_UNKNOWN };

	(void)state;
	for (int k = 0; k <= 4; k++) {
		struct sw_facts f = facts(&x);

		sw_expr_eval(e, &f, holds, &a, &j);
		assert_int_equal(j.truth, k == 4 ? SW_TRUE : SW_FALSE);
		x.now += 15000;
	}
	x.about = (struct sw_value){ .type = SW_V_BOOL, .b = true };
	sw_expr_eval(e, &(struct sw_facts){ .arg = &x, .about = about, .now = x.now }, holds, &a, &j);
	assert_int_equal(j.truth, SW_FALSE);
	sw_arena_fini(&a);
}

/* ---- what is told ---- */

static void test_saw(void **state)
{
	static const struct { const char *text, *value, *limit, *before, *note; } cases[] = {
		{ "http_latency_p95 > 3x baseline", "620ms", "600ms", "200ms", NULL },
		{ "3x baseline < http_latency_p95", "620ms", "600ms", "200ms", NULL },
		{ "http_latency_p95 > 500ms", "620ms", "500ms", "200ms", NULL },
		{ "500ms < http_latency_p95 for 1 check", "620ms", "500ms", "200ms", NULL },
		{ "http_latency_p95 between 1ms and 2s", "620ms", "1ms", "200ms", NULL },
		{ "avg(http_latency_p95, 1m) > 500ms", "620ms", "500ms", "200ms", NULL },
		{ "job.duration > 500ms", "0.62", "500ms", NULL, NULL },
		{ "job.duration > baseline +10%", "0.62", "0.22", "0.2", NULL },
		{ "health is healthy", "healthy", NULL, "failing", NULL },
		{ "regressed(http_latency_p95)", "620ms", NULL, "200ms", "3.1 x before, p 0.4%" },
		{ "regressed(http_latency_p95) for 1 check", "620ms", NULL, "200ms", "3.1 x before, p 0.4%" },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(cases); i++) {
		struct sw_arena a = { 0 };
		struct sw_hold holds[SW_HOLDS_MAX] = { 0 };
		struct world x = { .is = 0.62, .was = 0.2, .now = 9000, .at = 9000, .regressed = SW_TRUE };
		struct sw_facts f = facts(&x);
		struct sw_judged j;

		sw_expr_eval(compile(&a, cases[i].text), &f, holds, &a, &j);
		assert_int_equal(j.n_saw, 1);
		assert_string_equal(j.saw[0].text, cases[i].text);
		if (!sw_streq(j.saw[0].value, cases[i].value) || !sw_streq(j.saw[0].limit, cases[i].limit) || !sw_streq(j.saw[0].before, cases[i].before) ||
		    !sw_streq(j.saw[0].note, cases[i].note))
			fail_msg("%s: %s, %s, %s, %s", cases[i].text, j.saw[0].value, j.saw[0].limit ? j.saw[0].limit : "-",
			         j.saw[0].before ? j.saw[0].before : "-", j.saw[0].note ? j.saw[0].note : "-");
		assert_int_equal(j.saw[0].truth, SW_TRUE);
		sw_arena_fini(&a);
	}
}

/* regressed() is handed what the rule says, and a reading that is not new is no new check. */
static void test_regressed(void **state)
{
	struct sw_arena a = { 0 };
	struct sw_hold holds[SW_HOLDS_MAX] = { 0 };
	struct world x = { .is = 2, .was = 1, .now = 1000, .at = 1000, .regressed = SW_TRUE };
	const struct sw_expr *e = compile(&a, "regressed(error_rate, by=2x, alpha=0.5%) for 2 checks");
	struct sw_facts f = facts(&x);
	struct sw_judged j;

	(void)state;
	sw_expr_eval(e, &f, holds, &a, &j);
	assert_int_equal(j.truth, SW_UNKNOWN);
	assert_string_equal(j.saw[0].note, "1.9x, tier A");
	assert_ptr_equal(x.ask, sw_expr_regressed(e)[0]);
	f.now = 2000;
	sw_expr_eval(e, &f, holds, &a, &j);
	assert_int_equal(j.truth, SW_UNKNOWN);
	x.at = 3000;
	sw_expr_eval(e, &f, holds, &a, &j);
	assert_int_equal(j.truth, SW_TRUE);
	x.regressed = SW_UNKNOWN;
	x.at = 4000;
	sw_expr_eval(e, &f, holds, &a, &j);
	assert_int_equal(j.truth, SW_UNKNOWN);
	sw_arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),   cmocka_unit_test(test_nobody), cmocka_unit_test(test_elements), cmocka_unit_test(test_elements_before),
		cmocka_unit_test(test_cusum),  cmocka_unit_test(test_source), cmocka_unit_test(test_saw),      cmocka_unit_test(test_regressed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
