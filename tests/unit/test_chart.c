/* What robots' markdown and curves become as HTML: nothing of a message is markup of its own, no number breaks a picture. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dashboard/chat.h"
#include "dashboard/sums.h"
#include "dashboard/watch_view.h"
#include "plugins.h"

/* No kinds of plug-in are needed here. */
const struct sw_source *const sw_sources[] = { NULL };
const struct sw_signal *const sw_signals[] = { NULL };
const struct sw_channel *const sw_channels[] = { NULL };
const struct sw_action *const sw_actions[] = { NULL };
const struct sw_channel *sw_channel_find(const char *kind)
{
	(void)kind;
	return NULL;
}

/* ---- chat ---- */

static const struct { enum chat_kind kind; const char *in, *want; } chats[] = {
	{ CHAT_DINGTALK, "#### 【critical】web: fail\n\n> x > 5: **7**\n\nrule: a", "<p class=\"chat-head\">【critical】web: fail</p>\n<blockquote><p>x &gt; 5: <strong>7</strong></p></blockquote>\n<p>rule: a</p>\n" },
	{ CHAT_DINGTALK, "a\nb\n\nc", "<p>a b</p>\n<p>c</p>\n" },
	{ CHAT_WECOM, "a\nb", "<p>a<br>b</p>\n" },
	{ CHAT_DINGTALK, "- a\n\n- b\n\nc", "<ul><li>a</li><li>b</li></ul>\n<p>c</p>\n" },
	{ CHAT_WECOM, "<font color=\"warning\">【x】**y**</font>", "<p><span class=\"chat-warning\">【x】<strong>y</strong></span></p>\n" },
	{ CHAT_WECOM, "<@lin>", "<p><span class=\"chat-at\">@lin</span></p>\n" },
	{ CHAT_WECOM, "<font color=\"red\">x</font>", "<p>&lt;font color=&quot;red&quot;&gt;x&lt;/font&gt;</p>\n" },
	{ CHAT_DINGTALK, "<font color=\"warning\">x</font>", "<p>&lt;font color=&quot;warning&quot;&gt;x&lt;/font&gt;</p>\n" },
	{ CHAT_DINGTALK, "[CI log](https://ci.example.com/1?a=b&c)", "<p><a rel=\"noreferrer noopener\" href=\"https://ci.example.com/1?a=b&amp;c\">CI log</a></p>\n" },
	{ CHAT_DINGTALK, "[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>\n" },
	{ CHAT_DINGTALK, "[x](https://a\"onclick=\"b)", "<p><a rel=\"noreferrer noopener\" href=\"https://a&quot;onclick=&quot;b\">x</a></p>\n" },
	{ CHAT_DINGTALK, "<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n" },
	{ CHAT_DINGTALK, "**<b>**", "<p><strong>&lt;b&gt;</strong></p>\n" },
	{ CHAT_DINGTALK, "`a **b**`", "<p><code>a **b**</code></p>\n" },
	{ CHAT_DINGTALK, "** a", "<p>** a</p>\n" }, { CHAT_DINGTALK, "****", "<p>****</p>\n" }, { CHAT_DINGTALK, "[", "<p>[</p>\n" }, { CHAT_DINGTALK, "[a](", "<p>[a](</p>\n" },
	{ CHAT_WECOM, "<", "<p>&lt;</p>\n" }, { CHAT_WECOM, "<@", "<p>&lt;@</p>\n" }, { CHAT_DINGTALK, "#######  x", "<p>#######  x</p>\n" }, { CHAT_DINGTALK, ">", "<blockquote><p></p></blockquote>\n" },
	{ CHAT_DINGTALK, "", "" }, { CHAT_DINGTALK, NULL, "" }, { CHAT_DINGTALK, "\n\n\n", "" },
};

static void test_chat(void **state)
{
	(void)state;
	for (size_t i = 0; i < SW_COUNT(chats); i++) {
		struct sw_buf b = SW_BUF_INIT;

		chat_html(&b, chats[i].kind, chats[i].in);
		assert_string_equal(sw_buf_str(&b), chats[i].want);
		sw_buf_fini(&b);
	}
}

/* Marks that open and never close, as many as fit, are looked at in no time; what is too long is cut at a whole character. */
static void test_chat_is_bounded(void **state)
{
	static const char *const pieces[] = { "**", "[", "`", "<@", "[a](", "**`[", "> **", "\u4e2d", "[**a**](https://b)" };

	(void)state;
	for (size_t i = 0; i < SW_COUNT(pieces); i++) {
		struct sw_buf in = SW_BUF_INIT, out = SW_BUF_INIT;

		while (in.n < 2 * CHAT_MAX)
			sw_buf_cat(&in, pieces[i]);
		chat_html(&out, CHAT_WECOM, sw_buf_str(&in));
		assert_true(out.n > 0 && out.n < 12 * CHAT_MAX);
		assert_null(strstr(sw_buf_str(&out), "\xef\xbf\xbd"));
		sw_buf_fini(&in);
		sw_buf_fini(&out);
	}
}

/* ---- numbers that people read ---- */

static void test_numbers(void **state)
{
	static const struct { enum sw_vtype type; const char *text; double want; } rows[] = {
		{ SW_V_RATIO, "2%", 0.02 }, { SW_V_DURATION, "310ms", 0.31 }, { SW_V_DURATION, "1.5s", 1.5 }, { SW_V_DURATION, "2m", 120 }, { SW_V_BYTES, "12MiB", 12582912 },
		{ SW_V_RATE, "3.5/s", 3.5 }, { SW_V_NUMBER, "-7", -7 } };
	static const char *const none[] = { NULL, "", "absent", "too_few", "healthy", "[1, 2]", "5 apples", "%", "1.5sx" };

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++)
		assert_true(fabs(watch_number(rows[i].type, rows[i].text) - rows[i].want) < 1e-9);
	for (size_t i = 0; i < SW_COUNT(none); i++)
		assert_true(isnan(watch_number(SW_V_NUMBER, none[i])));
	assert_true(isnan(watch_number(SW_V_BOOL, "1")));
}

/* ---- curves ---- */

static const char *drawn(struct page *p, const struct chart *c)
{
	sw_buf_reset(&p->out);
	page_chart(p, c);
	return sw_buf_str(&p->out);
}

static void test_curves(void **state)
{
	static struct sw_config cfg;
	struct page p = { .cfg = &cfg, .now = 2000000 };
	struct chart_point v[5000];
	static const double odd[] = { 0, -5, 1e300, -1e300, 1e-300, 0.1, NAN, INFINITY };
	static const enum sw_vtype types[] = { SW_V_BOOL, SW_V_NUMBER, SW_V_RATIO, SW_V_DURATION, SW_V_BYTES, SW_V_RATE };
	struct chart c = { .signal = "a<b>", .points = v, .from = 1000000, .to = 2000000, .deployed = 1500000, .watched = 1500000, .until = 1800000, .decided = 1600000, .verdict = "fail",
		           .before = NAN };

	(void)state;
	assert_null(strstr(drawn(&p, &c), "<svg")); /* nothing to draw is no picture, but words */
	assert_non_null(strstr(sw_buf_str(&p.out), "no reading"));
	for (size_t t = 0; t < SW_COUNT(types); t++)
		for (size_t i = 0; i < SW_COUNT(odd); i++)
			for (size_t n = 1; n <= 3; n++) {
				for (size_t k = 0; k < n; k++)
					v[k] = (struct chart_point){ 1000000 + (sw_ms)k * 1000, odd[(i + k) % SW_COUNT(odd)] };
				c.type = types[t];
				c.n = n;
				assert_null(strstr(drawn(&p, &c), "nan"));
				assert_null(strstr(sw_buf_str(&p.out), "inf,"));
				assert_null(strstr(sw_buf_str(&p.out), "a<b>"));
			}
	/* many: few are drawn, and the one peak among them is */
	for (size_t k = 0; k < SW_COUNT(v); k++)
		v[k] = (struct chart_point){ 1000000 + (sw_ms)k * 200, k == 3333 ? 9 : 1 };
	c.type = SW_V_NUMBER;
	c.n = SW_COUNT(v);
	assert_non_null(strstr(drawn(&p, &c), ",9]"));
	assert_true(p.out.n < 60000);
	c.from = c.to; /* no time at all */
	(void)drawn(&p, &c);
	sw_buf_fini(&p.out);
	sw_arena_fini(&p.a);
}

static void test_sparks(void **state)
{
	static struct sw_config cfg;
	struct page p = { .cfg = &cfg };
	double v[80] = { 0 };

	(void)state;
	page_spark(&p, "x", SW_V_RATIO, v, 0);
	assert_string_equal(sw_buf_str(&p.out), "<span class=\"none\">–</span>");
	for (size_t i = 0; i < SW_COUNT(v); i++)
		v[i] = i % 7 ? (double)i : NAN;
	sw_buf_reset(&p.out);
	page_spark(&p, "a\"b", SW_V_NUMBER, v, SW_COUNT(v));
	assert_null(strstr(sw_buf_str(&p.out), "nan"));
	assert_non_null(strstr(sw_buf_str(&p.out), "a&quot;b: from 30 to 79"));
	sw_buf_fini(&p.out);
}

static void test_words_of_deployments(void **state)
{
	static const struct { struct sum_deployment d; const char *want; } rows[] = {
		{ { .status = "success", .verdict = "fail", .taken_back = "done" }, "rolled back" }, { { .status = "success", .verdict = "fail", .taken_back = "skipped" }, "fail" },
		{ { .status = "success", .verdict = "pass" }, "pass" }, { { .status = "success", .watched = true }, "watching" }, { { .status = "success" }, "success" },
		{ { .status = "failed", .verdict = "pass" }, "failed" }, { { .status = "running" }, "running" } };

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++)
		assert_string_equal(sum_word(&rows[i].d), rows[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_chat), cmocka_unit_test(test_chat_is_bounded), cmocka_unit_test(test_numbers), cmocka_unit_test(test_curves),
		                            cmocka_unit_test(test_sparks), cmocka_unit_test(test_words_of_deployments) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
