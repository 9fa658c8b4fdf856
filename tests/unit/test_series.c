/* Series of tests: promtool's notation, words, units, lists, noise that repeats; and every mistake told at its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "sim/series.h"

static struct sw_arena arena;

/* A series of that signal as it stands in a file; NULL: wrong, and the mistake is in *wrong. */
static struct sim_series *series(const char *signal, const char *text, const char **wrong)
{
	const struct sw_signal_def *def = strcmp(signal, "health") == 0 ? NULL : sw_rules_signal(NULL, signal);
	struct sim_series *s = SW_ARENA_NEW(&arena, struct sim_series);
	const char *yaml = sw_arena_printf(&arena, "s: '%s'\n", text);
	struct sw_ynode *root;
	struct sw_diags d;

	*s = (struct sim_series){ .signal = signal, .start = 1000000, .interval = 1000, .seed = sw_series_seed(1, signal) };
	sw_diags_init(&d, &arena);
	assert_int_equal(sw_yaml_parse(&arena, "t.yaml", yaml, strlen(yaml), NULL, &root, &d), 0);
	if (sw_series_read(s, sw_yget(root, "s"), def ? SERIES_MEASURED : SERIES_PROBE, def, &arena, &d) == 0) {
		assert_int_equal(d.errors, 0);
		return s;
	}
	assert_int_equal(d.errors, 1);
	*wrong = d.first->text;
	return NULL;
}

/* The samples as text: "0.3 0.3 - err", numbers by %g. */
static const char *told(const char *signal, const char *text)
{
	static const char *const kinds[] = { "", "-", "stale", "nan", "err", "slow" };
	const char *wrong = NULL;
	struct sim_series *s = series(signal, text, &wrong);
	struct sw_buf b = SW_BUF_INIT;
	const char *ret;

	if (!s)
		return wrong;
	for (size_t i = 0; i < s->n; i++) {
		struct series_at x = sw_series_at(s, s->start + (sw_ms)i * s->interval + 999);

		sw_buf_printf(&b, "%s", i ? " " : "");
		if (x.kind == SERIES_VALUE)
			sw_buf_printf(&b, "%g%s%s", x.value, x.text ? ":" : "", x.text ? x.text : "");
		else
			sw_buf_cat(&b, kinds[x.kind]);
	}
	ret = sw_arena_strdup(&arena, sw_buf_str(&b));
	sw_buf_fini(&b);
	return ret;
}

static const struct { const char *signal, *text, *want; } cases[] = {
	{ "requests", "", "" },
	{ "requests", "1", "1" },
	{ "requests", "1x3", "1 1 1 1" },
	{ "requests", "1x0", "1" },
	{ "requests", "1+2x3", "1 3 5 7" },
	{ "requests", "10-2x2", "10 8 6" },
	{ "requests", "-2+4x3", "-2 2 6 10" },
	{ "requests", "  1   2\t3x1 ", "1 2 3 3" },
	{ "requests", "0x2", "0 0 0" },
	{ "requests", "1 _x2 3", "1 - - 3" },
	{ "requests", "_ 1 _ x2 stale nan NaN err x2 errx1", "- 1 - - stale nan nan err err err" },
	{ "requests", "slow(3s) x2 1", "slow slow 1" },
	{ "http_latency_p95", "300ms 0.3 1s+100msx2", "0.3 0.3 1 1.1 1.2" },
	{ "http_latency_p95", "1m30sx1", "90 90" },
	{ "error_rate", "0.2% 7.5%x1 0.5", "0.002 0.075 0.075 0.5" },
	{ "memory_rss", "120MiB 1KB-10Bx1", "1.25829e+08 1000 990" },
	{ "request_rate", "5rps 60rpm 7", "5 1 7" },
	{ "health", "ok fail x2 ok:b2 x2 _ err", "1 0 0 1:b2 1:b2 - err" },
	{ "health", "ok:v1x3", "1:v1x3" },
	{ "health", "slow(1s) ok", "slow 1" },
	{ "endpoints", "[GET /a: 300ms 120 1; GET /b: 80ms 900]x1 []",
	  "1020:[[\"GET /b\",0.08,900,0],[\"GET /a\",0.3,120,1]] 1020:[[\"GET /b\",0.08,900,0],[\"GET /a\",0.3,120,1]] 0:[]" },
	/* mistakes */
	{ "requests", "x3", "t.yaml:1:5: requests: want a value such as 0.3, 300ms, 0.2% or 120MiB, got \"x3\"" },
	{ "requests", "1 +3", "t.yaml:1:7: requests: want a value, got \"+3\"" },
	{ "requests", "1+3", "t.yaml:1:5: want how often: 1+3x5" },
	{ "requests", "1ms", "t.yaml:1:5: requests is a number, \"1ms\" is a duration" },
	{ "error_rate", "1 5s", "t.yaml:1:7: error_rate is a ratio, \"5s\" is a duration" },
	{ "requests", "1 x20", "t.yaml:1:7: behind a value there is no space: 1x19 are 20 samples" },
	{ "requests", "5~3x2", "5.34" },
	{ "requests", "1~600%x3", "t.yaml:1:6: noise: want 0% to 500%" },
	{ "requests", "ok", "t.yaml:1:5: \"ok\" is for probes; requests has values" },
	{ "requests", "[GET /a: 1 2 3]", "t.yaml:1:5: requests is no list" },
	{ "requests", "1x999999", "" },
	{ "requests", "1x1000000", "t.yaml:1:5: more than 1000000 samples in one series" },
	{ "requests", "1x99999999999999999999", "t.yaml:1:5: more than 1000000 samples in one series" },
	{ "health", "ok x1000000 ok", "t.yaml:1:17: more than 1000000 samples in one series" },
	{ "health", "1", "t.yaml:1:5: unknown probe \"1\", want ok, fail, slow(3s), err, stale, nan or _" },
	{ "health", "slow(3)", "t.yaml:1:5: want slow(3s), got \"slow(3)\"" },
	{ "endpoints", "[GET /a: 300ms 120 1", "t.yaml:1:5: \"[\" is not closed" },
	{ "endpoints", "[GET /a]", "t.yaml:1:6: want [GET /a: 300ms 120 1; …]: name, p95, requests, errors" },
	{ "endpoints", "[GET /a: 1]", "t.yaml:1:6: want [GET /a: 300ms 120 1; …]: name, p95, requests, errors" },
	{ "endpoints", "[GET /a: 1 2 3 4]", "t.yaml:1:20: an endpoint has p95, requests and errors, nothing more" },
	{ "endpoints", "[a: 5% 1]", "t.yaml:1:9: an endpoint's number is a duration, \"5%\" is a ratio" },
	{ "endpoints", "[a: 1 1]y", "t.yaml:1:13: want a space before \"y\"" },
};

static void test_notation(void **state)
{
	(void)state;
	for (size_t i = 0; i < SW_COUNT(cases); i++) {
		const char *got;

		if (!*cases[i].want && *cases[i].text) { /* the limit itself: too much to print */
			assert_non_null(series(cases[i].signal, cases[i].text, &got));
			continue;
		}
		if (strchr(cases[i].text, '~') && strncmp(cases[i].want, "t.yaml", 6) != 0)
			continue; /* noise has its own test */
		got = told(cases[i].signal, cases[i].text);
		if (strcmp(got, cases[i].want) != 0)
			print_error("%s: \"%s\"\n  got  %s\n  want %s\n", cases[i].signal, cases[i].text, got, cases[i].want);
		assert_string_equal(got, cases[i].want);
	}
}

static void test_outside_its_time_there_is_nothing(void **state)
{
	const char *wrong;
	struct sim_series *s = series("requests", "1 2", &wrong);

	(void)state;
	assert_int_equal(sw_series_at(s, s->start - 1).kind, SERIES_NONE);
	assert_int_equal(sw_series_at(s, s->start).kind, SERIES_VALUE);
	assert_true(sw_series_at(s, s->start + 1999).value == 2);
	assert_int_equal(sw_series_at(s, s->start + 2000).kind, SERIES_NONE);
	assert_int_equal(sw_series_at(s, INT64_MAX).kind, SERIES_NONE);
	s = series("requests", "", &wrong);
	assert_int_equal(sw_series_at(s, s->start).kind, SERIES_NONE);
}

/* A slow answer is late, not another one. */
static void test_slow_keeps_the_value(void **state)
{
	const char *wrong;
	struct sim_series *s = series("requests", "7+1x1 slow(5s)", &wrong);
	struct series_at x = sw_series_at(s, s->start + 2000);

	(void)state;
	assert_int_equal(x.kind, SERIES_SLOW);
	assert_true(x.known && x.value == 8 && x.slow == 5 * SW_SECOND);
	s = series("requests", "err slow(5s)", &wrong);
	assert_false(sw_series_at(s, s->start + 1000).known);
}

static void test_noise(void **state)
{
	const char *wrong;
	struct sim_series *s = series("http_latency_p95", "300ms~5%x9999", &wrong), *again = series("http_latency_p95", "1 300ms~5%x9999", &wrong);
	double sum = 0, square = 0;

	(void)state;
	assert_int_equal(s->n, 10000);
	for (size_t i = 0; i < s->n; i++) {
		double x = log(sw_series_at(s, s->start + (sw_ms)i * 1000).value / 0.3) / 0.05;

		sum += x;
		square += x * x;
		if (i > 0) /* the same whatever stands before it */
			assert_true(sw_series_at(s, s->start + (sw_ms)i * 1000).value == sw_series_at(again, s->start + (sw_ms)i * 1000).value);
	}
	assert_true(fabs(sum / 10000) < 0.03);
	assert_true(fabs(square / 10000 - 1) < 0.05);
	again->seed++;
	assert_true(sw_series_at(s, s->start + 5000).value != sw_series_at(again, s->start + 5000).value);
	assert_true(sw_series_seed(1, "a") != sw_series_seed(1, "b") && sw_series_seed(1, "a") != sw_series_seed(2, "a"));
}

static void test_the_own_series_of_a_place_comes_first(void **state)
{
	struct sim_series list[] = { { .signal = "requests" }, { .signal = "requests", .place = "web/prod" }, { .signal = "error_rate", .place = "db/prod" } };

	(void)state;
	assert_ptr_equal(sw_series_find(list, 3, "requests", "web/prod"), &list[1]);
	assert_ptr_equal(sw_series_find(list, 3, "requests", "db/prod"), &list[0]);
	assert_ptr_equal(sw_series_find(list, 3, "error_rate", "db/prod"), &list[2]);
	assert_null(sw_series_find(list, 3, "error_rate", "web/prod"));
}

static int end(void **state)
{
	(void)state;
	sw_arena_fini(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_notation),
		cmocka_unit_test(test_outside_its_time_there_is_nothing),
		cmocka_unit_test(test_slow_keeps_the_value),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_the_own_series_of_a_place_comes_first),
	};

	return cmocka_run_group_tests(tests, NULL, end);
}
