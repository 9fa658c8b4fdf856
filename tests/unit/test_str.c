/* base/str, base/buf and base/err: globs, distances, UTF-8 and the encodings, each at its limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "shipwatch/err.h"
#include "shipwatch/mem.h"

static void test_glob(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool fold, want;
	} cases[] = {
		{ "", "", false, true },
		{ "", "a", false, false },
		{ "abc", "abc", false, true },
		{ "abc", "abcd", false, false },
		{ "ABC", "abc", false, false },
		{ "ABC", "abc", true, true },
		{ "?", "", false, false },
		{ "?", "/", false, false },
		{ "?", "\xe4\xb8\xad", false, true },
		{ "*", "", false, true },
		{ "*", "a.b", false, true },
		{ "*", "a/b", false, false },
		{ "**", "a/b/c", false, true },
		{ "acme/*", "acme/web", false, true },
		{ "acme/*", "acme/sub/web", false, false },
		{ "acme/**", "acme/sub/web", false, true },
		{ "migrations/**", "migrations/2026/a.sql", false, true },
		{ "migrations/**", "migrations", false, false },
		{ "shop/prod*", "shop/production", false, true },
		{ "*a*b", "xayb", false, true },
		{ "*a*b", "xa/yb", false, false },
		{ "**/x*/y", "a/xb/c/xd/y", false, true },
		{ "a**b*c", "a/zzbqc", false, true },
		{ "v*", "release", false, false },
		{ "[a]", "[a]", false, true },
		{ "\xff*", "\xff\xfe", false, true },
		{ "a*", "a", false, true },
		{ "a?", "a", false, false },
	};

	for (size_t i = 0; i < SW_COUNT(cases); i++)
		if (sw_glob_match(cases[i].pattern, cases[i].text, cases[i].fold) != cases[i].want)
			fail_msg("\"%s\" on \"%s\": want %d", cases[i].pattern, cases[i].text, cases[i].want);
}

/* What costs backtracking matchers hours is one pass here. */
static void test_glob_hard(void **state)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf p = SW_BUF_INIT, t = SW_BUF_INIT;

	for (int i = 0; i < 300; i++)
		sw_buf_cat(&p, "*a");
	for (int i = 0; i < 3000; i++)
		sw_buf_putc(&t, 'a');
	sw_buf_putc(&t, 'b');
	assert_false(sw_glob_match(p.p, t.p, false));
	sw_buf_putc(&p, '*');
	assert_true(sw_glob_match(p.p, t.p, false));
}

static void test_overlap(void **state)
{
	static const struct {
		const char *a, *b;
		bool want;
	} cases[] = {
		{ "prod", "prod", true }, { "prod", "stage", false },   { "prod*", "production", true },
		{ "*", "a/b", false },    { "**", "a/b", true },        { "a*", "*b", true },
		{ "a*c", "ab", false },   { "shop/*", "pay/*", false }, { "v?", "v12", false },
		{ "Prod", "prod", true }, { "*/x", "y/*", true },       { "", "*", true },
	};

	for (size_t i = 0; i < SW_COUNT(cases); i++) {
		if (sw_glob_overlap(cases[i].a, cases[i].b) != cases[i].want ||
		    sw_glob_overlap(cases[i].b, cases[i].a) != cases[i].want)
			fail_msg("\"%s\" and \"%s\": want %d", cases[i].a, cases[i].b, cases[i].want);
	}
}

static void test_distance(void **state)
{
	static const char *const words[] = { "health", "http_latency_p95", "error_rate", "if", NULL };

	assert_int_equal(sw_edit_distance("health", "helth", 3), 1);
	assert_int_equal(sw_edit_distance("abc", "acb", 3), 1);
	assert_int_equal(sw_edit_distance("", "abc", 3), 3);
	assert_int_equal(sw_edit_distance("", "abc", 2), 3);
	assert_int_equal(sw_edit_distance("same", "same", 0), 0);
	assert_string_equal(sw_did_you_mean("helth", words), "health");
	assert_string_equal(sw_did_you_mean("http_latencyp95", words), "http_latency_p95");
	assert_string_equal(sw_did_you_mean("iff", words), "if");
	assert_null(sw_did_you_mean("zzz", words));
	assert_null(sw_did_you_mean("x", (const char *const[]){ "a", NULL }));
	assert_null(sw_did_you_mean("", words));
}

static void test_utf8(void **state)
{
	static const struct {
		const char *s;
		unsigned want;
	} lens[] = {
		{ "a", 1 },        { "\xc3\xa9", 2 },     { "\xe4\xb8\xad", 3 }, { "\xf0\x9f\x98\x80", 4 },
		{ "\xc0\x80", 0 }, { "\xe0\x80\x80", 0 }, { "\xed\xa0\x80", 0 }, { "\xf4\x90\x80\x80", 0 },
		{ "\x80", 0 },     { "\xe4\xb8", 0 },
	};
	static const struct {
		size_t max, want;
	} cuts[] = { { 0, 0 }, { 1, 1 }, { 2, 1 }, { 3, 1 }, { 4, 4 }, { 5, 5 }, { 9, 5 } };
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	for (size_t i = 0; i < SW_COUNT(lens); i++)
		assert_int_equal(sw_utf8_len(lens[i].s, strlen(lens[i].s)), lens[i].want);
	for (size_t i = 0; i < SW_COUNT(cuts); i++)
		assert_int_equal(sw_utf8_cut("a\xe4\xb8\xad"
		                             "b",
		                             5, cuts[i].max),
		                 cuts[i].want);
	sw_utf8_clean(&b,
	              "a\xff"
	              "b\x01"
	              "c\xe2\x80\xae"
	              "d\xe2\x80\x8b"
	              "e",
	              13, true);
	assert_string_equal(b.p, "a\xef\xbf\xbd"
	                         "bcde");
	sw_buf_reset(&b);
	sw_utf8_clean(&b, "a\nb\xe4\xb8", 5, false);
	assert_string_equal(b.p, "a\nb\xef\xbf\xbd\xef\xbf\xbd");
}

static void test_base64(void **state)
{
	static const struct {
		const char *raw, *text;
	} good[] = {
		{ "", "" },        { "f", "Zg==" },        { "fo", "Zm8=" },
		{ "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "\xff\xfe\xfd", "//79" },
	};
	static const char *const bad[] = {
		"Z", "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "Zg==Zg==", "Zm-v", "Zm 9v", "===="
	};
	unsigned char out[8];

	for (size_t i = 0; i < SW_COUNT(good); i++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

		sw_b64_encode(&b, good[i].raw, strlen(good[i].raw));
		assert_string_equal(sw_buf_str(&b), good[i].text);
		assert_int_equal(sw_b64_decode(good[i].text, strlen(good[i].text), out, sizeof out),
		                 strlen(good[i].raw));
		assert_memory_equal(out, good[i].raw, strlen(good[i].raw));
	}
	for (size_t i = 0; i < SW_COUNT(bad); i++)
		assert_int_equal(sw_b64_decode(bad[i], strlen(bad[i]), out, sizeof out), -EINVAL);
	assert_int_equal(sw_b64_decode("Zm9v", 4, out, 3), 3);
	assert_int_equal(sw_b64_decode("Zm9v", 4, out, 2), -EINVAL);
}

/* Every byte at every place, also across the pieces that are looked at together; nothing behind the end is looked at. */
static void test_plain(void **state)
{
	(void)state;
	for (size_t n = 0; n <= 40; n++) {
		char *s = sw_malloc(n + 1); /* for the address sanitizer */

		memset(s, 'x', n);
		assert_ptr_equal(sw_text_plain(s, s + n), s + n);
		for (size_t at = 0; at < n; at++) {
			for (int c = 0; c < 256; c++) {
				bool plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';

				s[at] = (char)c;
				assert_ptr_equal(sw_text_plain(s, s + n), plain ? s + n : s + at);
			}
			s[at] = 'x';
		}
		free(s);
	}
}

static void test_hex_percent(void **state)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	unsigned char out[2];

	sw_hex_encode(&b, "\x01\xff", 2);
	assert_string_equal(b.p, "01ff");
	assert_int_equal(sw_hex_decode("01fF", 4, out, 2), 0);
	assert_int_equal(out[1], 0xff);
	assert_int_equal(sw_hex_decode("01f", 3, out, 2), -EINVAL);
	assert_int_equal(sw_hex_decode("01fg", 4, out, 2), -EINVAL);
	sw_buf_reset(&b);
	sw_pct_encode(&b, "a/b=+~\xc3\xa9", 8);
	assert_string_equal(b.p, "a%2Fb%3D%2B~%C3%A9");
	sw_buf_reset(&b);
	assert_int_equal(sw_pct_decode(&b, "a%2Fb+c%zz", 7, true), 0);
	assert_string_equal(b.p, "a/b c");
	assert_int_equal(sw_pct_decode(&b, "%zz", 3, true), -EINVAL);
	assert_int_equal(sw_pct_decode(&b, "%2", 2, true), -EINVAL);
	sw_buf_reset(&b);
	assert_int_equal(sw_pct_decode(&b, "a+b", 3, false), 0);
	assert_string_equal(b.p, "a+b");
}

static void test_buf(void **state)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	SW_CLEANUP(sw_freep) char *taken = NULL;

	assert_string_equal(sw_buf_str(&b), "");
	sw_buf_json(&b, NULL);
	sw_buf_json(&b, "a\"\\\n\x01\x7f\xff\xe4\xb8\xad");
	assert_string_equal(b.p, "null\"a\\\"\\\\\\n\\u0001\\u007f\xef\xbf\xbd\xe4\xb8\xad\"");
	sw_buf_reset(&b);
	for (int i = 0; i < 1000; i++)
		sw_buf_printf(&b, "%0100d", i);
	assert_int_equal(b.n, 100000);
	sw_buf_truncate(&b, 3);
	assert_string_equal(b.p, "000");
	taken = sw_buf_take(&b);
	assert_string_equal(taken, "000");
	free(sw_buf_take(&b));
}

static void test_err(void **state)
{
	struct sw_err err = SW_ERR_INIT;
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	char out[32];

	assert_int_equal(sw_err_set(&err, EINVAL, "line\none"), -EINVAL);
	sw_err_prefix(&err, "file %d", 3);
	assert_string_equal(err.text, "file 3: line one");
	for (int i = 0; i < 400; i++)
		sw_buf_cat(&b, "\xe4\xb8\xad");
	(void)sw_err_set(&err, EINVAL, "%s", b.p);
	assert_true(strlen(err.text) < sizeof err.text);
	assert_true(sw_ends(err.text, "\xe2\x80\xa6"));
	assert_int_equal(sw_err_set(NULL, EIO, "nobody"), -EIO);
	assert_string_equal(sw_err_quote("a\x01\xff\xe4\xb8\xad", 6, out, sizeof out), "a\\x01\\xff\xe4\xb8\xad");
	assert_true(sw_ends(sw_err_quote(b.p, b.n, out, sizeof out), "\xe2\x80\xa6"));
}

static void test_arena(void **state)
{
	struct sw_arena a = { 0 };
	char *p;

	assert_null(sw_arena_strdup(&a, NULL));
	for (int i = 0; i < 100; i++) {
		p = sw_arena_alloc(&a, 5000 * (size_t)(i % 3 + 1));
		assert_int_equal((uintptr_t)p % 16, 0);
		assert_int_equal(p[4999], 0);
		memset(p, 1, 5000);
	}
	assert_string_equal(sw_arena_printf(&a, "%0300d", 7) + 299, "7");
	sw_arena_reset(&a);
	p = sw_arena_alloc(&a, 100);
	for (int i = 0; i < 100; i++)
		assert_int_equal(p[i], 0);
	sw_arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_glob),        cmocka_unit_test(test_glob_hard), cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_distance),    cmocka_unit_test(test_utf8),      cmocka_unit_test(test_base64),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_hex_percent), cmocka_unit_test(test_buf),       cmocka_unit_test(test_err),
		cmocka_unit_test(test_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
