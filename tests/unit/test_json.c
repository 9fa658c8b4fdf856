/* JSON: what is accepted and where a mistake is, what text becomes when it is taken out, numbers, limits, the writer. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

/* want NULL: well formed. Each text is also tried in a block of exactly its size, so that nothing beyond it is read. */
static const struct { const char *text, *want; } texts[] = {
	{ "{}", NULL },
	{ " [ ] \r\n\t", NULL },
	{ "{\"a\":[1,-0,0.5,1e9,1E-9,-1.5e+3,true,false,null,\"x\",{\"b\":{}}]}", NULL },
	{ "5", NULL },
	{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\ud83d\\ude00\"", NULL },
	{ "\"\xff\xfe broken UTF-8 passes \xc3\"", NULL },
	{ "\"\x7f\"", NULL },
	{ "{\"a\":1,\"a\":2}", NULL },
	{ "", "not JSON: text ends too early at byte 0" },
	{ "  ", "not JSON: text ends too early at byte 2" },
	{ "{", "not JSON: text ends too early at byte 1" },
	{ "[1,", "not JSON: text ends too early at byte 3" },
	{ "{\"a\"", "not JSON: expected ':' at byte 4" },
	{ "{\"a\" 1}", "not JSON: expected ':' at byte 5" },
	{ "{\"a\":}", "not JSON: expected a value at byte 5" },
	{ "{\"a\":1 \"b\":2}", "not JSON: expected ',' or '}' at byte 7" },
	{ "{\"a\":1,}", "not JSON: expected a name in quotes at byte 7" },
	{ "{,}", "not JSON: expected a name in quotes or '}' at byte 1" },
	{ "{a:1}", "not JSON: expected a name in quotes or '}' at byte 1" },
	{ "{'a':1}", "not JSON: expected a name in quotes or '}' at byte 1" },
	{ "[1 2]", "not JSON: expected ',' or ']' at byte 3" },
	{ "[1,]", "not JSON: expected a value at byte 3" },
	{ "[1}", "not JSON: expected ',' or ']' at byte 2" },
	{ "{\"a\":1]", "not JSON: expected ',' or '}' at byte 6" },
	{ "]", "not JSON: expected a value at byte 0" },
	{ "{}{}", "not JSON: expected the end at byte 2" },
	{ "1 2", "not JSON: expected the end at byte 2" },
	{ "tru", "not JSON: expected a value at byte 0" },
	{ "True", "not JSON: expected a value at byte 0" },
	{ "nulls", "not JSON: expected the end at byte 4" },
	{ "NaN", "not JSON: expected a value at byte 0" },
	{ "-Infinity", "not JSON: wrong number at byte 1" },
	{ "+1", "not JSON: expected a value at byte 0" },
	{ "01", "not JSON: wrong number at byte 1" },
	{ "-", "not JSON: wrong number at byte 1" },
	{ ".5", "not JSON: expected a value at byte 0" },
	{ "1.", "not JSON: wrong number at byte 2" },
	{ "1.e5", "not JSON: wrong number at byte 2" },
	{ "1e", "not JSON: wrong number at byte 2" },
	{ "1e+", "not JSON: wrong number at byte 3" },
	{ "0x10", "not JSON: expected the end at byte 1" },
	{ "\"abc", "not JSON: string is not closed at byte 4" },
	{ "\"abcdefghijk", "not JSON: string is not closed at byte 12" },
	{ "\"a\nb\"", "not JSON: control character in a string at byte 2" },
	{ "\"12345678\tb\"", "not JSON: control character in a string at byte 9" },
	{ "\"\\x\"", "not JSON: wrong escape in a string at byte 1" },
	{ "\"\\u12g4\"", "not JSON: wrong escape in a string at byte 1" },
	{ "\"\\u12", "not JSON: wrong escape in a string at byte 1" },
	{ "\"\\", "not JSON: wrong escape in a string at byte 1" },
	{ "/* x */ 1", "not JSON: expected a value at byte 0" },
	{ "\xef\xbb\xbf{}", "not JSON: expected a value at byte 0" },
	{ "\v1", "not JSON: expected a value at byte 0" },
};

static void check(const char *text, size_t n, const char *want)
{
	struct sw_err err = SW_ERR_INIT;
	char *exact = malloc(n ? n : 1);
	int r;

	memcpy(exact, text, n);
	r = sw_json_check(exact, n, &err);
	if (r != (want ? -EINVAL : 0) || (want && strcmp(err.text, want) != 0))
		fail_msg("%.*s\n  got  %s\n  want %s", (int)n, text, r ? err.text : "well formed", want ? want : "well formed");
	free(exact);
}

static void test_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		check(texts[i].text, strlen(texts[i].text), texts[i].want);
	check("1\0", 2, "not JSON: expected the end at byte 1");
	check("\"a\0b\"", 5, "not JSON: control character in a string at byte 2");
}

/* Every beginning of a text but the whole is a mistake, and none reads beyond its end. */
static void test_beginnings(void **state)
{
	static const char text[] = "{\"a\":[1.5e3,true,null,\"x\\u00e4\\n\"],\"b\":{\"c\":false}}";

	(void)state;
	for (size_t n = 0; n < sizeof text - 1; n++) {
		struct sw_err err = SW_ERR_INIT;
		char *exact = malloc(n ? n : 1);

		memcpy(exact, text, n);
		assert_int_equal(sw_json_check(exact, n, &err), -EINVAL);
		free(exact);
	}
	check(text, sizeof text - 1, NULL);
}

static void test_depth(void **state)
{
	char text[2 * (SW_JSON_DEPTH + 1)];

	(void)state;
	memset(text, '[', SW_JSON_DEPTH);
	memset(text + SW_JSON_DEPTH, ']', SW_JSON_DEPTH);
	check(text, 2 * (size_t)SW_JSON_DEPTH, NULL);
	memset(text, '[', SW_JSON_DEPTH + 1);
	memset(text + SW_JSON_DEPTH + 1, ']', SW_JSON_DEPTH + 1);
	check(text, sizeof text, "not JSON: nested too deep at byte 64");
}

/* ---- text, as it is taken out ---- */

static void test_text(void **state)
{
	static const struct { const char *json, *want; } rows[] = {
		{ "\"plain\"", "plain" },
		{ "\"\"", "" },
		{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t" },
		{ "\"\\u00e4\\u4E2d\"", "\xc3\xa4\xe4\xb8\xad" },
		{ "\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80" },
		{ "\"\\ud83d\"", "\xef\xbf\xbd" },
		{ "\"\\ude00\\ud83d\"", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\"\\ud83d\\u0041\"", "\xef\xbf\xbd" "A" },
		{ "\"a\\u0000b\"", "a\xef\xbf\xbd" "b" },
		{ "\"\xe4\xb8\xad\"", "\xe4\xb8\xad" },
		{ "\"a\xff" "b\"", "a\xef\xbf\xbd" "b" },
		{ "\"\xc0\x80\"", "\xef\xbf\xbd\xef\xbf\xbd" },                    /* NUL, overlong */
		{ "\"\xed\xa0\x80\"", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },    /* half a surrogate pair */
		{ "\"\xe4\xb8\"", "\xef\xbf\xbd\xef\xbf\xbd" },
	};
	struct sw_arena a = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sw_json j;

		sw_json_init(&j, rows[i].json, strlen(rows[i].json));
		assert_int_equal(sw_json_next(&j), SW_JSON_STRING);
		assert_string_equal(sw_json_text(&j, &a), rows[i].want);
	}
	sw_arena_fini(&a);
}

static void test_numbers(void **state)
{
	static const struct { const char *json; bool whole; int64_t i; double d; } rows[] = {
		{ "0", true, 0, 0 },
		{ "-7", true, -7, -7 },
		{ "9223372036854775807", true, INT64_MAX, 9223372036854775807.0 },
		{ "9223372036854775808", false, 0, 9223372036854775808.0 },
		{ "-9223372036854775808", true, INT64_MIN, -9223372036854775808.0 },
		{ "-9223372036854775809", false, 0, -9223372036854775808.0 },
		{ "1.0", false, 0, 1 },
		{ "1e3", false, 0, 1000 },
		{ "-0.25", false, 0, -0.25 },
		{ "0.1000000000000000000000000000000000000000000000000000000000000000000000000001", false, 0, 0.1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sw_json j;
		int64_t v = 0;

		sw_json_init(&j, rows[i].json, strlen(rows[i].json));
		assert_int_equal(sw_json_next(&j), SW_JSON_NUMBER);
		assert_int_equal(sw_json_int(&j, &v), rows[i].whole);
		assert_true(!rows[i].whole || v == rows[i].i);
		assert_true(sw_json_double(&j) == rows[i].d);
		assert_int_equal(sw_json_next(&j), SW_JSON_END);
	}
}

static void test_skip(void **state)
{
	static const char text[] = "{\"skip\":{\"a\":[1,{\"b\":[]}]},\"n\":5,\"list\":[1,[2],3],\"s\":\"x\"}";
	struct sw_json j;

	(void)state;
	sw_json_init(&j, text, sizeof text - 1);
	assert_int_equal(sw_json_next(&j), SW_JSON_OBJECT);
	assert_int_equal(sw_json_next(&j), SW_JSON_KEY);
	assert_int_equal(sw_json_skip(&j), 0);               /* a value behind its name */
	assert_int_equal(sw_json_next(&j), SW_JSON_KEY);
	assert_true(sw_json_is(&j, "n"));
	assert_int_equal(sw_json_skip(&j), 0);
	assert_int_equal(sw_json_next(&j), SW_JSON_KEY);
	assert_int_equal(sw_json_next(&j), SW_JSON_ARRAY);
	assert_int_equal(sw_json_next(&j), SW_JSON_NUMBER);
	assert_int_equal(sw_json_next(&j), SW_JSON_ARRAY);
	assert_int_equal(sw_json_skip(&j), 0);               /* to the end of what is open */
	assert_int_equal(sw_json_next(&j), SW_JSON_NUMBER);
	assert_int_equal(sw_json_next(&j), SW_JSON_ARRAY_END);
	assert_int_equal(sw_json_next(&j), SW_JSON_KEY);
	assert_true(sw_json_is(&j, "s"));
	assert_int_equal(sw_json_skip(&j), 0);
	assert_int_equal(sw_json_next(&j), SW_JSON_OBJECT_END);
	assert_int_equal(sw_json_next(&j), SW_JSON_END);
	assert_int_equal(sw_json_next(&j), SW_JSON_END);
	sw_json_init(&j, "[[1,}", 5);
	assert_int_equal(sw_json_next(&j), SW_JSON_ARRAY);
	assert_int_equal(sw_json_skip(&j), -EINVAL);
	assert_int_equal(sw_json_next(&j), SW_JSON_ERROR);
	sw_json_init(&j, "\"n\\u0061me\"", 11);
	assert_int_equal(sw_json_next(&j), SW_JSON_STRING);
	assert_true(sw_json_is(&j, "name"));
}

/* ---- the tree, and the writer ---- */

static void test_tree(void **state)
{
	static const char text[] = "{\"a\":1,\"b\":[true,null,\"x\"],\"a\":2,\"big\":1e400,\"d\":0.1}";
	struct sw_err err = SW_ERR_INIT;
	struct sw_arena a = { 0 };
	struct sw_jnode *n;
	struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;

	(void)state;
	assert_int_equal(sw_jtree_parse(&a, text, sizeof text - 1, 9, &n, &err), 0);
	assert_int_equal(sw_jint(n, "a", 0), 2); /* the last of equal names */
	assert_int_equal(sw_jget(n, "b")->n, 3);
	assert_null(sw_jstr(n, "a"));
	assert_int_equal(sw_jint(n, "nothing", 7), 7);
	assert_int_equal(sw_jint(NULL, "a", 7), 7);
	assert_int_equal(sw_jtree_parse(&a, text, sizeof text - 1, 8, &n, &err), -E2BIG);
	assert_int_equal(sw_jtree_parse(&a, "[1", 2, 8, &n, &err), -EINVAL);
	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "s", "q\"\\\n\x01\xff");
	sw_jw_opt(&w, "left out", NULL);
	sw_jw_str(&w, "none", NULL);
	sw_jw_arr(&w, "l");
	sw_jw_int(&w, NULL, INT64_MIN);
	sw_jw_num(&w, NULL, 0.1);
	sw_jw_num(&w, NULL, 1.0 / 0.0);
	sw_jw_bool(&w, NULL, true);
	sw_jw_arr_end(&w);
	sw_jw_obj_end(&w);
	assert_string_equal(sw_buf_str(&b), "{\"s\":\"q\\\"\\\\\\n\\u0001\xef\xbf\xbd\",\"none\":null,\"l\":[-9223372036854775808,0.1,null,true]}");
	check(b.p, b.n, NULL);
	sw_buf_fini(&b);
	sw_arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts), cmocka_unit_test(test_beginnings), cmocka_unit_test(test_depth), cmocka_unit_test(test_text),
		cmocka_unit_test(test_numbers), cmocka_unit_test(test_skip), cmocka_unit_test(test_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
