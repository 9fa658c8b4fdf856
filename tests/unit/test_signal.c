/* Signals: templates of PromQL, presets, the exposition format, the language of scrapes, two scrapes one after the other, memories. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "model/place.h"
#include "plugins.h"
#include "signal/answer.h"
#include "signal/exposition.h"
#include "signal/memory.h"
#include "signal/presets.h"
#include "signal/promql.h"
#include "signal/select.h"

/* ---- PromQL ---- */

static void test_promql(void **state)
{
	static const struct { const char *text, *labels, *want; } good[] = {
		{ "up{$labels}", "job=\"web\"", "up{job=\"web\"}" },
		{ "up{$labels}", "", "up{}" },
		{ "up{$labels,code=~\"5..\"}", "", "up{code=~\"5..\"}" },
		{ "up{$labels , a=\"b\"}", "", "up{ a=\"b\"}" },
		{ "up{a=\"b\",$labels}", "", "up{a=\"b\",}" },
		{ "up{a=\"b\",$labels,c=\"d\"}", "", "up{a=\"b\",c=\"d\"}" },
		{ "up{$labels,a=\"b\"}", "x=\"1\", ", "up{x=\"1\",a=\"b\"}" },
		{ "rate(x{$labels}[$window:$step])", "", "rate(x{}[90s:15s])" },
		{ "x{a=~\"$labels$\",b='$window',c=`$step\\`}", "j=\"1\"", "x{a=~\"$labels$\",b='$window',c=`$step\\`}" },
		{ "x{} # $nothing (\n + y{}", "", "x{} \n + y{}" },
		{ "x{a=\"\\\"$labels\"}", "", "x{a=\"\\\"$labels\"}" },
	};
	static const struct { const char *text, *want; } bad[] = {
		{ "", "is empty" },
		{ " \n", "is empty" },
		{ "up", "has no $labels, so it would ask for every service: write name{$labels}, or name{} where that is meant" },
		{ "rate(up{$labels}[$windo])", "column 18: unknown $windo, did you mean $window?" },
		{ "up{$labels}[$__rate_interval]", "column 13: unknown $__rate_interval, there are $labels, $window and $step" },
		{ "up{} + $", "column 8: unknown $, there are $labels, $window and $step" },
		{ "sum by ($labels) (x{})", "column 9: $labels belongs between { and }" },
		{ "sum(up{}", "a ( is not closed" },
		{ "sum(up{)}", "column 8: this ) closes nothing" },
		{ "up{}]", "column 5: this ] closes nothing" },
		{ "up{a=\"b}", "column 6: this text is not closed" },
		{ "up{}\x01", "column 5: a control character" },
		{ "((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((", "column 65: brackets nest too deep" },
	};

	for (size_t i = 0; i < SW_COUNT(good); i++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
		struct sw_err err = SW_ERR_INIT;

		if (sw_promql_check(good[i].text, &err) < 0)
			fail_msg("%s: %s", good[i].text, err.text);
		sw_promql_fill(&b, good[i].text, good[i].labels, 90 * SW_SECOND, 15 * SW_SECOND);
		assert_string_equal(sw_buf_str(&b), good[i].want);
	}
	for (size_t i = 0; i < SW_COUNT(bad); i++) {
		struct sw_err err = SW_ERR_INIT;

		assert_int_equal(sw_promql_check(bad[i].text, &err), -EINVAL);
		assert_string_equal(err.text, bad[i].want);
	}
	assert_true(sw_promql_uses("x{}[$window]", "window"));
	assert_false(sw_promql_uses("x{a=\"$window\"}[1m] # $window", "window"));
}

static void test_promql_limit(void **state)
{
	char text[SW_PROMQL_MAX + 2];
	struct sw_err err;

	memset(text, ' ', sizeof text);
	memcpy(text, "up{}", 4);
	text[SW_PROMQL_MAX] = '\0';
	assert_int_equal(sw_promql_check(text, &err), 0);
	text[SW_PROMQL_MAX] = ' ';
	text[SW_PROMQL_MAX + 1] = '\0';
	assert_int_equal(sw_promql_check(text, &err), -EINVAL);
}

/* ---- presets ---- */

static const char *const builtin[] = { "http_latency_p50", "http_latency_p95", "http_latency_p99", "error_rate", "request_rate",
	                               "requests", "memory_rss", "restarts", "endpoints", "new_error_types" };

/* What each preset has, for both sources, in the order of the names above. */
static void test_presets(void **state)
{
	static const struct { const char *name, *prometheus, *scrape; } have[] = {
		{ NULL, "111111111.", "11111111.." },          { "default", "111111111.", "11111111.." },
		{ "client-golang", "111111111.", "11111111.." }, { "spring-boot", "111111111.", "11111111.." },
		{ "nginx-ingress", "111111..1.", "111111...." }, { "istio", "111111....", "111111...." },
		{ "envoy", "111111....", "111111...." },
	};
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };

	for (size_t i = 0; i < SW_COUNT(have); i++) {
		for (size_t k = 0; k < SW_COUNT(builtin); k++) {
			struct sw_query q = { .signal = builtin[k], .step = 15000, .list = sw_streq(builtin[k], "endpoints") };
			struct sw_err err = SW_ERR_INIT;
			const struct sw_query *p = sw_preset_fill(&q, have[i].name, SW_PRESET_PROMETHEUS, &a, &err), *s;

			assert_int_equal(p != NULL, have[i].prometheus[k] == '1');
			if (p && sw_signal_prometheus.check(p, &err) < 0)
				fail_msg("%s %s: %s", have[i].name, builtin[k], err.text);
			s = sw_preset_fill(&q, have[i].name, SW_PRESET_SCRAPE, &a, &err);
			assert_int_equal(s != NULL, have[i].scrape[k] == '1');
			if (s && sw_signal_scrape.check(s, &err) < 0)
				fail_msg("%s %s: %s", have[i].name, builtin[k], err.text);
		}
	}
	for (size_t i = 0; sw_place_presets[i]; i++) /* every word of the configuration is a preset of its own */
		assert_string_equal(sw_place_presets[i], have[i + 1].name);
	assert_null(sw_place_presets[SW_COUNT(have) - 1]);
}

static void test_preset_own(void **state)
{
	static const struct sw_query own = { .signal = "error_rate", .all = "x{}", .scrape = "x" };
	static const struct sw_query other = { .signal = "queue" };
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
	struct sw_err err = SW_ERR_INIT;

	assert_ptr_equal(sw_preset_fill(&own, "envoy", SW_PRESET_PROMETHEUS, &a, &err), &own);
	assert_ptr_equal(sw_preset_fill(&own, "envoy", SW_PRESET_SCRAPE, &a, &err), &own);
	assert_null(sw_preset_fill(&other, NULL, SW_PRESET_SCRAPE, &a, &err));
	assert_string_equal(err.text, "the preset default has nothing for queue in a scrape; say it under signals: in the rules");
}

static void test_check(void **state)
{
	static const struct { struct sw_query q; const struct sw_signal *of; const char *want; } cases[] = {
		{ { .prometheus = "up{}", .all = "x{}" }, &sw_signal_prometheus, "want prometheus or counts, not both" },
		{ { .bad = "x{}" }, &sw_signal_prometheus, "counts.bad needs counts.all: of how many" },
		{ { .bad = "x{}", .all = "x{" }, &sw_signal_prometheus, "counts.all: a { is not closed" },
		{ { .scrape = "sum(x", .list = true }, &sw_signal_scrape, "scrape: a list is not made from a scrape" },
		{ { .scrape = "sum(x" }, &sw_signal_scrape, "scrape: column 6: want ), but it ends" },
	};

	for (size_t i = 0; i < SW_COUNT(cases); i++) {
		struct sw_err err = SW_ERR_INIT;

		assert_int_equal(cases[i].of->check(&cases[i].q, &err), -EINVAL);
		assert_string_equal(err.text, cases[i].want);
	}
}

/* ---- the exposition format ---- */

static int expo_tell(void *arg, const struct sw_expo_sample *s, struct sw_err *err)
{
	struct sw_buf *b = arg;

	sw_buf_printf(b, "%.*s", (int)s->name_n, s->name);
	for (size_t i = 0; i < s->n_labels; i++)
		sw_buf_printf(b, "|%.*s=%.*s", (int)s->labels[i].name_n, s->labels[i].name, (int)s->labels[i].value_n, s->labels[i].value);
	sw_buf_printf(b, " %g;", s->value);
	return 0;
}

static void test_exposition(void **state)
{
	static const struct { const char *text, *want; bool open; } good[] = {
		{ "", "", false },
		{ "# HELP a b\n# TYPE a counter\n\n  \na 1\n", "a 1;", false },
		{ "a{} 1\na{b=\"c\"} 2 1700000000000\n", "a 1;a|b=c 2;", false },
		{ "\ta \t{ b = \"c\" , d=\"\" , } \t 1.5e3 \t -5 \n", "a|b=c|d= 1500;", false },
		{ "a{b=\"x\\\\y\\\"z\\nw\\t\",c=\"\xc3\xa9}\"} +Inf\n", "a|b=x\\y\"z\nw\\t|c=\xc3\xa9} inf;", false },
		{ "a:b_9 NaN\nc -inf\nd .5\ne 0x10\n", "a:b_9 nan;c -inf;d 0.5;e 16;", false },
		{ "a_bucket{le=\"1\"} 3 # {trace_id=\"x\"} 0.6 1.2\n# EOF\n", "a_bucket|le=1 3;", true },
		{ "# EOF\n", "", true },
		{ "# EOF\na 1\n", "a 1;", false }, /* in the older format it is a comment */
	};
	static const struct { const char *text, *want; bool open; } bad[] = {
		{ "a 1", "line 1: the page ends in the middle of a line", false },
		{ "a 1\n{b=\"c\"} 1\n", "line 2: want the name of a metric, got \"{b=\"c\"} 1\"", false },
		{ "a\n", "line 1: want a number, but the line ends", false },
		{ "a one\n", "line 1: want a number, got \"one\"", false },
		{ "a 1 2 3\n", "line 1: want the end of the line, got \"3\"", false },
		{ "a 1 x\n", "line 1: want a time, got \"x\"", false },
		{ "a 1 # {x=\"y\"} 1\n", "line 1: want the end of the line, got \"# {x=\"y\"} 1\"", false },
		{ "a{b=\"c\n\"} 1\n", "line 1: want the quote that ends a value, but the line ends", false },
		{ "a{b=c} 1\n", "line 1: want a value in quotes, got \"c} 1\"", false },
		{ "a{b\"c\"} 1\n", "line 1: want =, got \"\"c\"} 1\"", false },
		{ "a{9=\"c\"} 1\n", "line 1: want the name of a label, got \"9=\"c\"} 1\"", false },
		{ "a{b=\"c\" d=\"e\"} 1\n", "line 1: want , or }, got \"d=\"e\"} 1\"", false },
		{ "a{,} 1\n", "line 1: want the name of a label, got \",} 1\"", false },
		{ "a 1\r\n", "line 1: want a number, got \"1\\x0d\"", false },
		{ "a 1\n", "line 2: the page ends without # EOF", true },
		{ "# EOF\na 1\n", "line 2: something stands behind # EOF", true },
		{ "a nan(1)\n", "line 1: want a number, got \"nan(1)\"", false },
	};

	for (size_t i = 0; i < SW_COUNT(good); i++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
		struct sw_err err = SW_ERR_INIT;

		if (sw_expo_parse(good[i].text, strlen(good[i].text), good[i].open, expo_tell, &b, &err) < 0)
			fail_msg("%s: %s", good[i].text, err.text);
		assert_string_equal(sw_buf_str(&b), good[i].want);
	}
	for (size_t i = 0; i < SW_COUNT(bad); i++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
		struct sw_err err = SW_ERR_INIT;

		assert_int_equal(sw_expo_parse(bad[i].text, strlen(bad[i].text), bad[i].open, expo_tell, &b, &err), -EBADMSG);
		assert_string_equal(err.text, bad[i].want);
	}
}

static void test_exposition_limits(void **state)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT, out = SW_BUF_INIT;
	struct sw_err err = SW_ERR_INIT;

	sw_buf_cat(&b, "a{");
	for (int i = 0; i < SW_EXPO_LABELS; i++)
		sw_buf_printf(&b, "l%d=\"\",", i);
	sw_buf_cat(&b, "} 1\n");
	assert_int_equal(sw_expo_parse(b.p, b.n, false, expo_tell, &out, &err), 0);
	sw_buf_truncate(&b, b.n - 4);
	sw_buf_cat(&b, "x=\"\"} 1\n");
	assert_int_equal(sw_expo_parse(b.p, b.n, false, expo_tell, &out, &err), -EBADMSG);
	assert_string_equal(err.text, "line 1: more than 64 labels");
	sw_buf_reset(&b);
	sw_buf_cat(&b, "# ");
	while (b.n <= SW_EXPO_LINE)
		sw_buf_putc(&b, 'x');
	sw_buf_putc(&b, '\n');
	assert_int_equal(sw_expo_parse(b.p, b.n, false, expo_tell, &out, &err), -EBADMSG);
	assert_string_equal(err.text, "line 1: longer than 65536 bytes");
}

/* ---- patterns and expressions ---- */

static void test_patterns(void **state)
{
	static const struct { const char *pattern, *text; bool fits; } cases[] = {
		{ "5..", "503", true },           { "5..", "5033", false },        { "5..", "5xx", true },
		{ "5..", "50", false },           { "", "", true },                { "", "x", false },
		{ "a|b|", "", true },             { "a|b|", "b", true },           { "a|b|", "c", false },
		{ ".*", "", true },               { ".*", "anything", true },      { "/api/.*", "/api/", true },
		{ "/api/.+", "/api/", false },    { "/api/.+", "/api/x", true },   { "[45]\\d{2}", "404", true },
		{ "[45]\\d{2}", "304", false },   { "[^45].*", "304", true },      { "[^45].*", "404", false },
		{ "^(500|503)$", "503", true },   { "(?:500|503)", "500", true },  { "a\\.b", "a.b", true },
		{ "a\\.b", "axb", false },        { "ab?c", "ac", true },          { "ab?c", "abc", true },
		{ "ab?c", "abbc", false },        { "a*a*a*a*b", "aaaaaaaaaaaa", false }, { "a*b", "aaab", true },
		{ "caf.", "caf\xc3\xa9", true },  { "caf..", "caf\xc3\xa9", false }, { "\\w+", "Ab_9", true },
		{ "[]x]", "]", true },            { "[a\\]]", "]", true },         { "[a-]", "-", true },
		{ "x{3}", "xxx", true },          { "x{3}", "xx", false },         { "x.y", "x\xffy", true },
		{ "a\\$", "a$", true },           { "é", "\xc3\xa9", true },
	};
	static const struct { const char *pattern, *want; size_t at; } bad[] = {
		{ "(a|b)c", "groups are not known here, but for one around it all", 0 },
		{ "a(b(c))", "groups are not known here, but for one around it all", 1 },
		{ "*a", "nothing stands in front of *", 0 },
		{ "a|+", "nothing stands in front of +", 2 },
		{ "a**", "a * behind a *", 2 },
		{ "a+?", "a ? behind a +", 2 },
		{ "[a", "a [ that is not closed", 2 },
		{ "[z-a]", "a range in [ ] that is not understood", 4 },
		{ "a\\", "a \\ at the end", 2 },
		{ "\\bx", "\\b is not known here", 2 },
		{ "a{0}", "of { } only {1} to {16} is known here", 3 },
		{ "a{17}", "of { } only {1} to {16} is known here", 4 },
		{ "a{1,2}", "of { } only {1} to {16} is known here", 3 },
		{ "a^b", "a ^ in the middle", 1 },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "longer than 63 characters", 64 },
	};
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
	const struct sw_pattern *p;
	size_t at;

	for (size_t i = 0; i < SW_COUNT(cases); i++) {
		struct sw_err err = SW_ERR_INIT;

		if (sw_pattern_parse(cases[i].pattern, strlen(cases[i].pattern), &a, &p, &at, &err) < 0)
			fail_msg("%s: %s", cases[i].pattern, err.text);
		if (sw_pattern_fits(p, cases[i].text, strlen(cases[i].text)) != cases[i].fits)
			fail_msg("%s on %s is not %d", cases[i].pattern, cases[i].text, cases[i].fits);
	}
	for (size_t i = 0; i < SW_COUNT(bad); i++) {
		struct sw_err err = SW_ERR_INIT;

		assert_int_equal(sw_pattern_parse(bad[i].pattern, strlen(bad[i].pattern), &a, &p, &at, &err), -EINVAL);
		assert_string_equal(err.text, bad[i].want);
		assert_int_equal(at, bad[i].at);
	}
}

static void test_select(void **state)
{
	static const char *const good[] = {
		"x", " x { } ", "x{a=\"b\"}", "x{a='b',}", "quantile(0.95,x)", "quantile( 1 , x{a!=\"b\"} ) / 1000", "ratio(a, b)",
		"ratio(a{c=~\"5..\"} or a{d=~\"5..\"}, a or b) * 100", "rate(a:b)", "increase(or)", "changes(x)", "sum(x)*2", "max(x)", "min(x)",
		"avg(x)", "sum", "x{a=\"\\\\\\\"\\n\\d\"}",
	};
	static const struct { const char *text, *want; } bad[] = {
		{ "", "column 1: want the name of a metric, but it ends" },
		{ "qantile(0.9, x)", "column 1: unknown function \"qantile\", did you mean \"quantile\"?" },
		{ "topk(x)", "column 1: unknown function \"topk\"; there are quantile, ratio, rate, increase, changes, sum, max, min and avg" },
		{ "quantile(95, x)", "column 10: want a number from 0 to 1, got \"95, x)\"" },
		{ "quantile(x)", "column 10: want a number, got \"x)\"" },
		{ "quantile(0.9)", "column 13: want , and the name of a histogram, got \")\"" },
		{ "ratio(a)", "column 8: want , and of what it is a part, got \")\"" },
		{ "sum(a, b)", "column 6: want ), got \", b)\"" },
		{ "sum(a) sum(b)", "column 8: want its end, got \"sum(b)\"" },
		{ "sum(a) / 0", "column 11: want a number above 0 in front, but it ends" },
		{ "sum(a) / x", "column 10: want a number, got \"x\"" },
		{ "x{a}", "column 4: want =, !=, =~ or !~, got \"}\"" },
		{ "x{a=b}", "column 5: want a text in quotes, got \"b}\"" },
		{ "x{a=\"b}", "column 5: want a text that is closed, got \"\"b}\"" },
		{ "x{a=\"b\" c=\"d\"}", "column 9: want , or }, got \"c=\"d\"}\"" },
		{ "x{a=~\"(b|c)d\"}", "column 6: in this pattern: groups are not known here, but for one around it all" },
		{ "9x", "column 1: want the name of a metric, got \"9x\"" },
		{ "a or a or a or a or a or a or a or a or a", "column 41: want no more than 8 of them, got \"a\"" },
	};
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
	struct sw_select s, t;

	for (size_t i = 0; i < SW_COUNT(good); i++) {
		struct sw_err err = SW_ERR_INIT;

		if (sw_select_parse(good[i], &a, &s, &err) < 0)
			fail_msg("%s: %s", good[i], err.text);
	}
	for (size_t i = 0; i < SW_COUNT(bad); i++) {
		struct sw_err err = SW_ERR_INIT;

		assert_int_equal(sw_select_parse(bad[i].text, &a, &s, &err), -EINVAL);
		assert_string_equal(err.text, bad[i].want);
	}
	assert_int_equal(sw_select_parse("sum(x{a=\"b\"})", &a, &s, NULL), 0);
	assert_int_equal(sw_select_parse("rate( x { a = \"b\" } )", &a, &t, NULL), 0);
	assert_int_equal(s.sel[0].hash, t.sel[0].hash);
}

/* ---- two scrapes ---- */

#define STARTED(s) "process_start_time_seconds " #s "\n"
#define HISTO(a, b, c, d) "h_bucket{le=\"0.1\"} " #a "\nh_bucket{le=\"0.5\"} " #b "\nh_bucket{le=\"1\"} " #c "\nh_bucket{le=\"+Inf\"} " #d "\n"

static const struct { const char *scrape, *first, *second; sw_dur apart; const char *want; double value, count; } pairs[] = {
	/* before, now, ms between them: what is read the second time; a step is 10 s */
	{ "sum(g)", "", "g{a=\"1\"} 2\ng{a=\"2\"} 3\n", 10000, "ok", 5, 0 },
	{ "max(g) * 10", "", "g{a=\"1\"} 2\ng{a=\"2\"} 3\n", 10000, "ok", 30, 0 },
	{ "min(g)", "", "g{a=\"1\"} 2\ng{a=\"2\"} 3\n", 10000, "ok", 2, 0 },
	{ "avg(g)", "", "g{a=\"1\"} 2\ng{a=\"2\"} 3\n", 10000, "ok", 2.5, 0 },
	{ "g{a!=\"1\"}", "", "g{a=\"1\"} 2\ng{a=\"2\"} 3\n", 10000, "ok", 3, 0 },
	{ "g", "", "g{a=\"1\"} 2\ng{a=\"2\"} 3\n", 10000, "error 2 series where one is wanted: say reduce, or sum(…)", 0, 0 },
	{ "g", "", "g NaN\n", 10000, "nan", 0, 0 },
	{ "sum(g)", "", "x 1\n", 10000, "absent no such metric on the page", 0, 0 },
	{ "rate(c)", "c 100\n", "c 150\n", 5000, "ok", 10, 0 },
	{ "increase(c)", "c 100\n", "c 150\n", 5000, "ok", 100, 100 },
	{ "increase(c)", "c{a=\"1\"} 100\n", "c{a=\"1\"} 100\nc{a=\"2\"} 7\n", 10000, "ok", 7, 7 },
	{ "rate(c)", "", "c 150\n", 5000, "ok", 30, 0 }, /* what was not there was 0 */
	{ "rate(c)", "c 100\n", "", 5000, "absent no such counter on the page", 0, 0 },
	{ "rate(c)", NULL, "c 150\n", 5000, "absent first scrape", 0, 0 },
	{ "rate(c)", "c 100\n", "c 150\n", 400, "absent too soon after the last scrape", 0, 0 },
	{ "rate(c)", "c 100\n", "c 150\n", 15 * SW_MINUTE + 1, "absent first scrape", 0, 0 },
	{ "rate(c)", "c 100\n", "c 150\n", -5, "absent first scrape", 0, 0 },
	{ "rate(c)", "c 100\n", "c 40\n", 10000, "ok", 4, 0 }, /* began anew: all of it grew since */
	{ "rate(c)", STARTED(1) "c 100\n", STARTED(9) "c 140\n", 10000, "ok", 14, 0 },
	{ "rate(c)", STARTED(1) "c 100\n", STARTED(1) "c 40\n", 10000, "absent a counter fell although the process is the same: is the page of one process?", 0, 0 },
	{ "ratio(c{code=~\"5..\"}, c)", "c{code=\"200\"} 90\nc{code=\"500\"} 1\n", "c{code=\"200\"} 180\nc{code=\"500\"} 11\n", 20000, "ok", 0.1, 50 },
	{ "ratio(c{code=~\"5..\"}, c)", "c{code=\"200\"} 90\n", "c{code=\"200\"} 180\nc{code=\"500\"} 10\n", 10000, "ok", 0.1, 100 },
	{ "ratio(c{code=~\"5..\"}, c)", "c{code=\"200\"} 90\n", "c{code=\"200\"} 180\n", 10000, "ok", 0, 90 },
	{ "ratio(c{code=~\"5..\"}, c)", "c{code=\"200\"} 90\n", "c{code=\"200\"} 90\n", 10000, "absent no requests", 0, 0 },
	{ "ratio(c{code=~\"5..\"}, c)", "", "d 1\n", 10000, "absent no such counter on the page", 0, 0 },
	{ "ratio(c{code=~\"5..\"} or c{status=~\"5..\"}, c)", "", "c{code=\"500\",status=\"500\"} 1\nc{status=\"502\"} 2\nc 3\n", 10000, "ok", 0.5, 6 },
	{ "changes(s)", "s 5\n", "s 5\n", 10000, "ok", 0, 0 },
	{ "changes(s)", "s 5\n", "s 6\n", 10000, "ok", 1, 0 },
	{ "changes(s)", NULL, "s 6\n", 10000, "absent first scrape", 0, 0 },
	/* the examples of promql/quantile_test.go: within a bucket, in the first, beyond the last */
	{ "quantile(0.5, h)", HISTO(10, 10, 10, 10), HISTO(10, 20, 20, 20), 10000, "ok", 0.3, 10 },
	{ "quantile(0.9, h)", HISTO(0, 0, 0, 0), HISTO(10, 20, 20, 20), 20000, "ok", 0.42, 10 },
	{ "quantile(0.25, h)", HISTO(0, 0, 0, 0), HISTO(10, 20, 20, 20), 10000, "ok", 0.05, 20 },
	{ "quantile(0.99, h)", HISTO(0, 0, 0, 0), HISTO(10, 20, 20, 30), 10000, "ok", 1, 30 },
	{ "quantile(0.5, h) / 1000", HISTO(0, 0, 0, 0), HISTO(0, 10, 10, 10), 10000, "ok", 0.0003, 10 },
	{ "quantile(0.5, h)", HISTO(1, 2, 3, 4), HISTO(1, 2, 3, 4), 10000, "absent no requests", 0, 0 },
	{ "quantile(0.5, h)", "", HISTO(0, 10, 10, 10), 10000, "ok", 0.3, 10 },
	{ "quantile(0.5, h)", NULL, HISTO(0, 10, 10, 10), 10000, "absent first scrape", 0, 0 },
	{ "quantile(0.5, h)", HISTO(50, 50, 50, 50), HISTO(0, 10, 10, 10), 10000, "ok", 0.3, 10 },
	{ "quantile(0.5, h)", STARTED(1) HISTO(50, 50, 50, 50), STARTED(1) HISTO(0, 60, 60, 60), 10000,
	  "absent a counter fell although the process is the same: is the page of one process?", 0, 0 },
	{ "quantile(0.5, h)", STARTED(1) "h_bucket{le=\"+Inf\"} 5\n", STARTED(1) HISTO(0, 10, 10, 10), 10000, "absent its buckets are other ones than before", 0, 0 },
	{ "quantile(0.5, h)", "", "h_bucket{le=\"1\"} 5\n", 10000, "nan", 0, 0 },
	{ "quantile(0.5, h)", "", "x 1\n", 10000, "absent no such histogram on the page", 0, 0 },
	{ "quantile(0.5, h)", "", "h_bucket{le=\"one\"} 5\n", 10000, "error line 1: a bucket without a limit (le) that is a number", 0, 0 },
	{ "quantile(0.5, h)", "", "h_bucket 5\n", 10000, "error line 1: a bucket without a limit (le) that is a number", 0, 0 },
	{ "sum(g)", "", "g{a=\"1\",b=\"2\"} 2\ng{b=\"2\",a=\"1\"} 3\n", 10000, "error line 2: the same series a second time", 0, 0 },
	{ "sum(g)", "", "g 1\nbroken\n", 10000, "error line 2: want a number, but the line ends", 0, 0 },
	{ "sum(g", "", "g 1\n", 10000, "error scrape: column 6: want ), but it ends", 0, 0 },
};

static void scrape_once(const char *expr, const char *page, const char *memory, sw_ms at, struct sw_samples *out)
{
	struct sw_query q = { .signal = "s", .scrape = expr, .step = 10000 };
	struct sw_target t = { .queries = &q, .n_queries = 1, .memory = memory };
	struct sw_result res = { .status = 200, .body = page, .body_n = strlen(page), .at = at };

	assert_int_equal(sw_signal_scrape.read(&(struct sw_measure_conf){ .url = "u" }, &t, &res, out, NULL), 0);
	assert_int_equal(out->n, 1);
}

static void test_pairs(void **state)
{
	for (size_t i = 0; i < SW_COUNT(pairs); i++) {
		SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
		struct sw_samples one = { .a = &a }, two = { .a = &a };
		const struct sw_sample *x = &two.items[0];
		const char *got;

		if (pairs[i].first)
			scrape_once(pairs[i].scrape, pairs[i].first, NULL, 1000000, &one);
		scrape_once(pairs[i].scrape, pairs[i].second, one.memory, 1000000 + pairs[i].apart, &two);
		got = x->text ? sw_arena_printf(&a, "%s %s", sw_reading_name(x->reading), x->text) : sw_reading_name(x->reading);
		if (strcmp(got, pairs[i].want) != 0 || fabs(x->value - pairs[i].value) > 1e-9 || fabs(x->count - pairs[i].count) > 1e-9)
			fail_msg("%zu: %s: %s %g of %g, want %s %g of %g", i, pairs[i].scrape, got, x->value, x->count, pairs[i].want,
			         pairs[i].value, pairs[i].count);
	}
}

/* What the answer is when there is no page; the memory outlives it. */
static void test_no_page(void **state)
{
	static struct sw_header html = { "content-type", "text/html" }, open = { "content-type", "application/openmetrics-text; version=1.0.0" };
	static const struct { struct sw_result res; const char *want; } cases[] = {
		{ { .fault = SW_FAULT_CONNECT, .detail = "connection refused" }, "connection refused" },
		{ { .status = 404, .body = "" }, "HTTP status 404" },
		{ { .status = 401, .body = "" }, "HTTP status 401: they do not accept who asks" },
		{ { .status = 200, .body = "hello", .body_n = 5, .headers = &html, .n_headers = 1 },
		  "an HTML page where metrics are wanted: a page for signing in, or another path?" },
		{ { .status = 200, .body = " <html>", .body_n = 7 }, "an HTML page where metrics are wanted: a page for signing in, or another path?" },
		{ { .status = 200, .body = "c 1\n", .body_n = 4, .body_cut = true }, "a page of more than 16 MiB: ask a Prometheus instead" },
		{ { .status = 200, .body = "c 1\n", .body_n = 4, .headers = &open, .n_headers = 1 }, "line 2: the page ends without # EOF" },
	};
	static const struct sw_query q[] = { { .signal = "a", .scrape = "sum(c)" }, { .signal = "b", .scrape = "rate(c)" } };

	for (size_t i = 0; i < SW_COUNT(cases); i++) {
		SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
		struct sw_target t = { .queries = q, .n_queries = 2, .memory = "1 1000 -" };
		struct sw_samples out = { .a = &a };

		assert_int_equal(sw_signal_scrape.read(&(struct sw_measure_conf){ .url = "u" }, &t, &cases[i].res, &out, NULL), 0);
		assert_int_equal(out.n, 2);
		for (size_t k = 0; k < 2; k++) {
			assert_int_equal(out.items[k].reading, SW_R_ERROR);
			assert_string_equal(out.items[k].text, cases[i].want);
		}
		assert_string_equal(out.memory, "1 1000 -");
	}
}

static void test_many_series(void **state)
{
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_samples out = { .a = &a };

	for (int i = 0; i < 50000; i++)
		sw_buf_printf(&b, "c{i=\"%d\"} 1\nother{i=\"%d\"} 1\n", i, i);
	scrape_once("sum(c)", b.p, NULL, 1000, &out);
	assert_int_equal(out.items[0].reading, SW_R_OK);
	assert_true(fabs(out.items[0].value - 50000) < 0.5);
	sw_buf_cat(&b, "c 1\n");
	out.n = 0;
	scrape_once("sum(c)", b.p, NULL, 1000, &out);
	assert_string_equal(out.items[0].text, "more than 50000 series to be added up: choose by labels, or ask a Prometheus");
}

/* ---- memories ---- */

static void test_memory(void **state)
{
	static const char *const good[] = {
		"1 1000 -", "1 1000 1790000000.5", "1 1000 - 0011aabb=12", "1 1000 - 0011aabb:0.1,3,inf,9 ffffffff=1e+300", "1 1000 - 0011aabb:",
	};
	static const char *const bad[] = {
		"", "1", "1 ", "2 1000 -", "1 x -", "1 -5 -", "1 1e99 -", "1 1000", "1 1000 ", "1 1000 x", "1 1000 nan", "1 1000 -x",
		"1 1000 - ", "1 1000 - 0011aab=1", "1 1000 - 0011AABB=1", "1 1000 - 0011aabb=", "1 1000 - 0011aabb=1,2", "1 1000 - 0011aabb=nan",
		"1 1000 - 0011aabb=inf", "1 1000 - 0011aabb:1", "1 1000 - 0011aabb:1,", "1 1000 - 0011aabb:2,1,1,1", "1 1000 - 0011aabb:1,1,1,1",
		"1 1000 - 0011aabb:1,inf", "1 1000 -  0011aabb=1", "1 1000 - 0011aabb=1\n",
	};
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
	struct sw_memory m;
	char *large = sw_arena_alloc(&a, SW_MEMORY_MAX + 2);

	for (size_t i = 0; i < SW_COUNT(good); i++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

		assert_true(sw_memory_read(good[i], &a, &m));
		sw_memory_write(&m, SW_MEMORY_MAX, &b);
		assert_string_equal(sw_buf_str(&b), good[i]);
	}
	for (size_t i = 0; i < SW_COUNT(bad); i++)
		if (sw_memory_read(bad[i], &a, &m))
			fail_msg("\"%s\" was read", bad[i]);
	assert_false(sw_memory_read(NULL, &a, &m));
	memset(large, ' ', SW_MEMORY_MAX + 1);
	memcpy(large, "1 1000 -", 8);
	assert_false(sw_memory_read(large, &a, &m));
}

/* What does not fit is left out, whole. */
static void test_memory_full(void **state)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
	struct sw_heap heaps[3] = { { .hash = 1, .kept = true, .sum = 1 },
		                    { .hash = 2, .kept = true, .histogram = true, .n_buckets = SW_BUCKETS_MAX },
		                    { .hash = 3, .kept = true, .sum = 3 } };
	struct sw_memory m = { .at = 5, .start = NAN, .items = heaps, .n = 3 }, again;

	heaps[1].buckets = SW_ARENA_ARRAY(&a, struct sw_bucket, SW_BUCKETS_MAX);
	for (size_t i = 0; i < SW_BUCKETS_MAX; i++)
		heaps[1].buckets[i] = (struct sw_bucket){ (double)i + 1.0 / 3, 1e15 + (double)i };
	sw_memory_write(&m, SW_MEMORY_MAX, &b);
	assert_string_equal(sw_buf_str(&b), "1 5 - 00000001=1 00000003=3");
	assert_true(sw_memory_read(b.p, &a, &again));
	assert_int_equal(again.n, 2);
	assert_null(sw_memory_find(&again, 1, true));
	assert_non_null(sw_memory_find(&again, 3, false));
}

/* ---- the limits of an answer ---- */

static int answer_of(struct sw_arena *a, const char *body, size_t n, const struct sw_grid *g, struct sw_answer *an, struct sw_err *err)
{
	struct sw_result res = { .status = 200, .body = body, .body_n = n };

	return sw_answer_read(&res, g, a, an, err);
}

static void test_answer_limits(void **state)
{
	static const struct sw_grid now = { 0, 0, 1 }, past = { 1000, 1000, SW_PAST_MAX };
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_err err = SW_ERR_INIT;
	struct sw_answer an;

	sw_buf_cat(&b, "{\"status\":\"success\",\"data\":{\"result\":[");
	for (int i = 0; i < SW_SERIES_MAX; i++)
		sw_buf_printf(&b, "%s{\"metric\":{\"i\":\"%d\"},\"value\":[1,\"1\"]}", i ? "," : "", i);
	sw_buf_cat(&b, "]}}");
	assert_int_equal(answer_of(&a, b.p, b.n, &now, &an, &err), 0);
	assert_int_equal(an.n, SW_SERIES_MAX);
	assert_int_equal(answer_of(&a, b.p, b.n, &past, &an, &err), -EBADMSG);
	assert_string_equal(err.text, "more than 95 series: aggregate in the query");
	sw_buf_truncate(&b, b.n - 3);
	sw_buf_cat(&b, ",{\"metric\":{},\"value\":[1,\"1\"]}]}}");
	assert_int_equal(answer_of(&a, b.p, b.n, &now, &an, &err), -EBADMSG);
	assert_string_equal(err.text, "more than 2000 series: aggregate in the query");
}

static void test_answer_broken(void **state)
{
	static const struct { const char *body, *want; } cases[] = {
		{ "[]", "not an answer of a Prometheus: an object is wanted at byte 1" },
		{ "", "not JSON: text ends too early at byte 0" },
		{ "{}", "not an answer of a Prometheus: it says no status" },
		{ "{\"status\":\"success\"}x", "not JSON: expected the end at byte 20" },
		{ "{\"status\":\"success\",\"data\":[]}", "not an answer of a Prometheus: data is no object at byte 28" },
		{ "{\"status\":\"success\",\"data\":{\"result\":{}}}", "not an answer of a Prometheus: the result is no list at byte 38" },
		{ "{\"status\":\"success\",\"data\":{\"result\":[1]}}", "not an answer of a Prometheus: a value is no number at byte 40" },
		{ "{\"status\":\"success\",\"data\":{\"result\":[\"a\"]}}", "not an answer of a Prometheus: a series is no object at byte 41" },
		{ "{\"status\":\"success\",\"data\":{\"result\":[{\"metric\":{}}]}}", "not an answer of a Prometheus: a series has no values at byte 51" },
		{ "{\"status\":\"success\",\"data\":{\"result\":[{\"value\":[1,\"0x9\"]}]}}", "not an answer of a Prometheus: a value is no number at byte 55" },
		{ "{\"status\":\"success\",\"data\":{\"result\":[{\"value\":[1,\"1\",2]}]}}", "not an answer of a Prometheus: a point has more than time and value at byte 55" },
		{ "{\"status\":\"success\",\"data\":{\"result\":[{\"histogram\":[1,{}]}]}}", "a native histogram where a number is wanted: use histogram_quantile() in the query" },
		{ "{\"status\":\"success\",\"data\":{\"resultType\":\"string\",\"result\":[1,\"a\"]}}", "a text where a number is wanted" },
		{ "{\"status\":\"success\",\"isPartial\":true,\"data\":{\"result\":[]}}", "only a part of the answer: isPartial" },
		{ "{\"status\":\"error\",\"error\":\"no\\nidea\\u202e\"}", "noidea" },
		{ "{\"status\":\"error\"}", "no reason given" },
	};
	static const struct sw_grid now = { 0, 0, 1 };

	for (size_t i = 0; i < SW_COUNT(cases); i++) {
		SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
		struct sw_err err = SW_ERR_INIT;
		struct sw_answer an;

		assert_true(answer_of(&a, cases[i].body, strlen(cases[i].body), &now, &an, &err) < 0);
		assert_string_equal(err.text, cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_promql),      cmocka_unit_test(test_promql_limit), cmocka_unit_test(test_presets),
		cmocka_unit_test(test_preset_own),  cmocka_unit_test(test_check),        cmocka_unit_test(test_exposition),
		cmocka_unit_test(test_exposition_limits), cmocka_unit_test(test_patterns), cmocka_unit_test(test_select),
		cmocka_unit_test(test_pairs),       cmocka_unit_test(test_no_page),      cmocka_unit_test(test_many_series),
		cmocka_unit_test(test_memory),      cmocka_unit_test(test_memory_full),  cmocka_unit_test(test_answer_limits),
		cmocka_unit_test(test_answer_broken),
	};

	return cmocka_run_group_tests_name("signal", tests, NULL, NULL);
}
