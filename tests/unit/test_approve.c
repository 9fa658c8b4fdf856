/* The approval page: what a link and a form are, and that nothing of what a page shows can be more than words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "gateway/approve.h"

#define ID  "0123456789ab"
#define KEY "0123456789abcdef0123456789abcdef01234567"

static void test_token(void **state)
{
	static const char *const wrong[] = { "", ID, ID KEY "0", ID "0123456789abcdef0123456789abcdef0123456", "0123456789aB" KEY, "g123456789ab" KEY,
		                             ID "0123456789abcdef0123456789abcdef0123456/", ID "0123456789abcdef0123456789abcdef0123456 " };
	char id[13], key[41];

	(void)state;
	assert_true(sw_approve_token(ID KEY, id, key));
	assert_string_equal(id, ID);
	assert_string_equal(key, KEY);
	for (size_t i = 0; i < SW_COUNT(wrong); i++)
		if (sw_approve_token(wrong[i], id, key))
			fail_msg("%s", wrong[i]);
}

#define A10 "aaaaaaaaaa"
#define A100 A10 A10 A10 A10 A10 A10 A10 A10 A10 A10
#define E10 "%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9" /* 20 bytes */

static void test_form(void **state)
{
	static const struct { const char *body; int want; bool yes; const char *name; } rows[] = {
		{ "name=Lin&decision=approve", APPROVE_FORM_GOOD, true, "Lin" },
		{ "decision=refuse&name=Lin", APPROVE_FORM_GOOD, false, "Lin" },
		{ "name=Lin+Wei&decision=refuse", APPROVE_FORM_GOOD, false, "Lin Wei" },
		{ "name=+%20Lin%09%0A+Wei++&decision=refuse", APPROVE_FORM_GOOD, false, "Lin Wei" },
		{ "name=%E6%9E%97&decision=approve&other=1", APPROVE_FORM_GOOD, true, "林" },
		{ "name=a%00b&decision=approve", APPROVE_FORM_GOOD, true, "a b" },
		{ "name=a%1B%5B31m&decision=approve", APPROVE_FORM_GOOD, true, "a[31m" },
		{ "name=a%E2%80%AEb&decision=approve", APPROVE_FORM_GOOD, true, "ab" },
		{ "name=a%FFb&decision=approve", APPROVE_FORM_GOOD, true, "a\xef\xbf\xbd" "b" },
		{ "name=" A100 "&decision=approve", APPROVE_FORM_GOOD, true, A100 },
		{ "name=" A100 "a&decision=approve", APPROVE_FORM_LONG, true, A100 "a" },
		{ "name=" E10 E10 E10 E10 E10 "&decision=approve", APPROVE_FORM_GOOD, true, NULL },
		{ "name=" E10 E10 E10 E10 E10 "a&decision=approve", APPROVE_FORM_LONG, true, NULL },
		{ "name=&decision=approve", APPROVE_FORM_NAME, true, "" },
		{ "decision=approve", APPROVE_FORM_NAME, true, "" },
		{ "name=%20%09+&decision=approve", APPROVE_FORM_NAME, true, "" },
		{ "name=%E2%80%8B&decision=approve", APPROVE_FORM_NAME, true, "" },
		{ "", APPROVE_FORM_BROKEN, false, NULL },
		{ "name=Lin", APPROVE_FORM_BROKEN, false, NULL },
		{ "name=Lin&decision=", APPROVE_FORM_BROKEN, false, NULL },
		{ "name=Lin&decision=approved", APPROVE_FORM_BROKEN, false, NULL },
		{ "name=Lin&decision=approv", APPROVE_FORM_BROKEN, false, NULL },
		{ "name=Lin&decision=approve&decision=refuse", APPROVE_FORM_BROKEN, false, NULL },
		{ "name=Lin&name=Mei&decision=approve", APPROVE_FORM_BROKEN, false, NULL },
		{ "name=%4&decision=approve", APPROVE_FORM_BROKEN, false, NULL },
		{ "name&decision=approve", APPROVE_FORM_BROKEN, false, NULL },
		{ "&name=Lin&decision=approve", APPROVE_FORM_BROKEN, false, NULL },
		{ "{\"name\":\"Lin\"}", APPROVE_FORM_BROKEN, false, NULL },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf name = SW_BUF_INIT;
		bool yes = false;
		int r = sw_approve_form(rows[i].body, strlen(rows[i].body), &name, &yes);

		if (r != rows[i].want)
			fail_msg("%s: %d, not %d", rows[i].body, r, rows[i].want);
		if (r != APPROVE_FORM_BROKEN)
			assert_int_equal(yes, rows[i].yes);
		if (rows[i].name)
			assert_string_equal(sw_buf_str(&name), rows[i].name);
	}
}

/* Every '<' of a page begins a tag of ours, every attribute is quoted by us, every '&' is an entity of ours. */
static void check_html(const char *s)
{
	static const char *const tags[] = { "!DOCTYPE", "html", "head", "meta", "title", "link", "body", "main", "h1", "section", "dl", "dt", "dd", "p",
		                            "strong", "form", "button", "label", "input", "div" };
	static const char *const entities[] = { "&amp;", "&lt;", "&gt;", "&quot;", "&#39;" };

	for (; *s; s++) {
		bool known = false;

		if (*s == '&') {
			for (size_t i = 0; i < SW_COUNT(entities); i++)
				known |= sw_starts(s, entities[i]);
			if (!known)
				fail_msg("a bare '&': %.60s", s);
		}
		if (*s != '<')
			continue;
		for (size_t i = 0; i < SW_COUNT(tags); i++) {
			const char *p = s + 1 + (s[1] == '/');

			known |= sw_starts(p, tags[i]) && strchr(" >", p[strlen(tags[i])]);
		}
		if (!known)
			fail_msg("no tag of ours: %.60s", s);
		for (s++; *s != '>'; s++)
			if (!*s || *s == '<' || *s == '\'')
				fail_msg("a tag that does not end");
	}
}

#define HOSTILE "<script>alert(1)</script>\\\"'&amp;&<!--]]>\\u202e\\u0000\\n</dd></main>@all"

static void test_pages(void **state)
{
	static const char page[] = "{\"aggregate\":\"place:" HOSTILE "\",\"service\":\"" HOSTILE "\",\"environment\":\"" HOSTILE "\",\"repo\":\"" HOSTILE
				   "\",\"branch\":\"" HOSTILE "\",\"tag\":\"" HOSTILE "\",\"sha\":\"" HOSTILE "\",\"version\":\"" HOSTILE "\",\"title\":\"" HOSTILE
				   "\",\"user\":\"" HOSTILE "\",\"rule\":\"" HOSTILE "\",\"summary\":\"" HOSTILE "\",\"saw\":\"" HOSTILE "!\",\"action\":\"" HOSTILE
				   "\",\"target\":\"" HOSTILE "\",\"target_version\":\"" HOSTILE "\",\"verified\":false,\"why\":\"" HOSTILE
				   "\",\"until\":1790000600000,\"proceeds\":true}",
			  act[] = "{\"id\":\"x\",\"state\":\"skipped\",\"why\":\"" HOSTILE "\",\"decided_by\":\"" HOSTILE "\",\"approved\":true}";
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
	struct sw_jnode *nodes[3] = { NULL };

	(void)state;
	assert_int_equal(sw_jtree_parse(&a, page, strlen(page), 100, &nodes[1], NULL), 0);
	assert_int_equal(sw_jtree_parse(&a, act, strlen(act), 100, &nodes[2], NULL), 0);
	for (int kind = 0; kind < APPROVE_KINDS; kind++)
		for (int zh = 0; zh < 2; zh++)
			for (int known = 0; known < 2; known++) {
				SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
				struct approve_view v = { .kind = (enum approve_kind)kind, .locale = zh ? SW_LOCALE_ZH : SW_LOCALE_EN, .now = 1790000000000,
					                  .timezone = "Asia/Shanghai", .page = known ? nodes[1] : NULL, .act = known ? nodes[2] : NULL,
					                  .name = "\"><b>x</b>", .wrong = "name", .yes = true };

				sw_approve_html(&v, &b);
				check_html(sw_buf_str(&b));
				assert_non_null(strstr(b.p, zh ? "lang=\"zh-CN\"" : "lang=\"en\""));
				assert_non_null(strstr(b.p, "<h1>"));
				assert_null(strstr(b.p, "\xe2\x80\xae"));
				assert_null(strstr(b.p, "(null)"));
				assert_int_equal(strstr(b.p, "<form") != NULL, kind == APPROVE_ASK || kind == APPROVE_WRONG);
				assert_true(sw_approve_status((enum approve_kind)kind) >= 200);
			}
	check_html(sw_approve_css); /* nothing of a stylesheet looks like a tag */
}

/* A text that somebody made very long is cut, at a character. */
static void test_long(void **state)
{
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
	SW_CLEANUP(sw_buf_fini) struct sw_buf text = SW_BUF_INIT, b = SW_BUF_INIT;
	struct sw_jnode *page;

	(void)state;
	sw_buf_cat(&text, "{\"service\":\"w\",\"environment\":\"p\",\"until\":1,\"title\":\"x");
	for (int i = 0; i < 5000; i++)
		sw_buf_cat(&text, "部");
	sw_buf_cat(&text, "\"}");
	assert_int_equal(sw_jtree_parse(&a, text.p, text.n, 100, &page, NULL), 0);
	sw_approve_html(&(struct approve_view){ .kind = APPROVE_ASK, .page = page }, &b);
	assert_true(b.n < 5000);
	assert_non_null(strstr(b.p, "部…</dd>"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_token), cmocka_unit_test(test_form), cmocka_unit_test(test_pages), cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
