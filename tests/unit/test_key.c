/* base/key: every type of setting, right and wrong, with the line a person sees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "base/yaml.h"
#include "shipwatch/key.h"

struct conf {
	const char *text, *secret, *url;
	const char **secrets, **texts, **map;
	bool flag;
	int64_t count, size;
	double number, percent;
	sw_dur every;
	int level;
	const struct sw_ynode *raw;
};

static const char *const levels[] = { "debug", "info", "warning", NULL };
static const char *const skip[] = { "kind", NULL };

static const struct sw_key keys[] = {
	{ "text", SW_KEY_STRING, offsetof(struct conf, text), "one", "" },
	{ "secret", SW_KEY_SECRET, offsetof(struct conf, secret), NULL, "" },
	{ "url", SW_KEY_URL, offsetof(struct conf, url), "!", "" },
	{ "secrets", SW_KEY_SECRETS, offsetof(struct conf, secrets), NULL, "" },
	{ "texts", SW_KEY_STRINGS, offsetof(struct conf, texts), NULL, "" },
	{ "map", SW_KEY_STRMAP, offsetof(struct conf, map), NULL, "" },
	{ "flag", SW_KEY_BOOL, offsetof(struct conf, flag), "true", "" },
	{ "count", SW_KEY_INT, offsetof(struct conf, count), "3", "", 1, 65535 },
	{ "size", SW_KEY_SIZE, offsetof(struct conf, size), "25MiB", "", 1024, 1 << 30 },
	{ "number", SW_KEY_NUMBER, offsetof(struct conf, number), NULL, "", 0, INT64_MAX },
	{ "percent", SW_KEY_PERCENT, offsetof(struct conf, percent), NULL, "", 0, 100 },
	{ "every", SW_KEY_DUR, offsetof(struct conf, every), "10s", "", 1000, 3600000 },
	{ "level", SW_KEY_ENUM, offsetof(struct conf, level), "info", "", 0, 0, levels },
	{ "raw", SW_KEY_NODE, offsetof(struct conf, raw), NULL, "" },
	{ 0 },
};

static const char *test_get(void *arg, const char *name)
{
	return strcmp(name, "N") == 0 ? "7" : "s3cret";
}

static const struct sw_yenv test_env = { .get = test_get };

static int test_read(struct sw_arena *a, const char *text, struct conf *c, struct sw_diags *d)
{
	struct sw_ynode *root;

	sw_diags_init(d, a);
	memset(c, 0, sizeof *c);
	assert_int_equal(sw_yaml_parse(a, "f", text, strlen(text), &test_env, &root, d), 0);
	return sw_keys_read(keys, root, root, skip, a, c, d);
}

static void test_good(void **state)
{
	struct sw_arena a = { 0 };
	struct sw_diags d;
	struct conf c;

	assert_int_equal(test_read(&a, "url: https://a.example\n", &c, &d), 0);
	assert_string_equal(c.text, "one");
	assert_true(c.flag);
	assert_int_equal(c.count, 3);
	assert_int_equal(c.size, 25 << 20);
	assert_int_equal(c.every, 10000);
	assert_int_equal(c.level, 1);
	assert_null(c.secrets);
	assert_int_equal(test_read(&a,
	                           "{url: 'http://u:p@[::1]:80/x?y', kind: z, text: 1.10, secret: abc, secrets: "
	                           "['${A}', b], texts: one, map: {a: b, c: 1},\n"
	                           " flag: false, count: '${N}', size: 1KiB, number: 1.5e3, percent: 5%, every: '1h', "
	                           "level: warning, raw: [x]}",
	                           &c, &d),
	                 0);
	assert_string_equal(c.text, "1.10");
	assert_string_equal(c.secret, "abc");
	assert_string_equal(c.secrets[0], "s3cret");
	assert_string_equal(c.secrets[1], "b");
	assert_null(c.secrets[2]);
	assert_string_equal(c.texts[0], "one");
	assert_null(c.texts[1]);
	assert_string_equal(c.map[2], "c");
	assert_string_equal(c.map[3], "1");
	assert_null(c.map[4]);
	assert_false(c.flag);
	assert_int_equal(c.count, 7);
	assert_int_equal(c.size, 1024);
	assert_true(c.number > 1499 && c.number < 1501);
	assert_true(c.percent > 0.0499 && c.percent < 0.0501);
	assert_int_equal(c.every, SW_HOUR);
	assert_int_equal(c.level, 2);
	assert_int_equal(c.raw->n, 1);
	sw_arena_fini(&a);
}

static void test_bad(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "txet: a", "f:2:1: unknown key \"txet\", did you mean \"text\"?" },
		{ "zzzzzzz: a", "f:2:1: unknown key \"zzzzzzz\"; there are text, secret, url, secrets, texts, map, "
		                "flag, count, size, number, "
		                "percent, every, level, raw, kind" },
		{ "text: [a]", "f:2:7: text: want a text, got a list" },
		{ "text:", "f:2:6: text: want a text, got nothing" },
		{ "text: {}", "f:2:7: text: want a text, got a map" },
		{ "secret: ''", "f:2:9: secret: this secret is empty" },
		{ "secret: [a]", "f:2:9: secret: want a secret, got a list" },
		{ "secrets: []", "f:2:10: secrets: want at least one" },
		{ "secrets: [a, '']", "f:2:14: secrets: this secret is empty" },
		{ "texts: [a, {b: c}]", "f:2:12: texts: want a text or a list of texts, got a map" },
		{ "map: a", "f:2:6: map: want a map of names and texts, got \"a\"" },
		{ "map: {a: [b]}", "f:2:10: map: want a text, got a list" },
		{ "flag: yes", "f:2:7: flag: want true or false, got \"yes\"" },
		{ "flag: 'true'", "f:2:7: flag: want true or false without quotes, got \"true\"" },
		{ "count: 0", "f:2:8: count: want 1 to 65535, got \"0\"" },
		{ "count: 65536", "f:2:8: count: want 1 to 65535, got \"65536\"" },
		{ "count: 1.5", "f:2:8: count: want a whole number, got \"1.5\"" },
		{ "count: 99999999999999999999", "f:2:8: count: want a whole number, got \"99999999999999999999\"" },
		{ "count: '5'", "f:2:8: count: want a whole number without quotes, got \"5\"" },
		{ "count: ${A}", "f:2:8: count: want a whole number, got something else" },
		{ "size: 25", "f:2:7: size: want a size with its unit, such as 25MiB, got \"25\"" },
		{ "size: 2GiB", "f:2:7: size: want 1KiB to 1024MiB, got \"2GiB\"" },
		{ "number: nan", "f:2:9: number: want a number, got \"nan\"" },
		{ "number: -1", "f:2:9: number: want 0 or more, got \"-1\"" },
		{ "percent: 5", "f:2:10: percent: want a percentage such as 5%, got \"5\"" },
		{ "percent: 101%", "f:2:10: percent: want 0% to 100%, got \"101%\"" },
		{ "every: 10", "f:2:8: every: want a length of time with its unit, such as 30s, got \"10\"" },
		{ "every: 999ms", "f:2:8: every: want 1s to 1h, got \"999ms\"" },
		{ "level: waring", "f:2:8: level: unknown \"waring\", did you mean \"warning\"?" },
		{ "level: loud", "f:2:8: level: want debug, info or warning, got \"loud\"" },
	};
	static const char *const urls[] = { "ftp://a",     "http://",        "http:///x",  "https://a b",
		                            "http://a:0",  "http://a:65536", "http://a:",  "a.example",
		                            "http://[::1", "http://[]/",     "http://:80", "http://a:x" };
	struct sw_arena a = { 0 };
	struct sw_diags d;
	struct conf c;

	for (size_t i = 0; i < SW_COUNT(cases); i++) {
		assert_int_equal(test_read(&a, sw_arena_printf(&a, "url: http://a\n%s\n", cases[i].text), &c, &d),
		                 -EINVAL);
		assert_int_equal(d.errors, 1);
		assert_string_equal(d.first->text, cases[i].want);
	}
	for (size_t i = 0; i < SW_COUNT(urls); i++) {
		assert_int_equal(test_read(&a, sw_arena_printf(&a, "url: '%s'\n", urls[i]), &c, &d), -EINVAL);
		assert_true(strstr(d.first->text, "f:1:6: url: want an address") == d.first->text);
	}
	assert_int_equal(test_read(&a, "text: a\n", &c, &d), -EINVAL);
	assert_string_equal(d.first->text, "f:1:1: \"url\" is missing");
	assert_int_equal(test_read(&a, "[a]\n", &c, &d), -EINVAL);
	assert_string_equal(d.first->text, "f:1:1: want a map of settings, got a list");
	sw_arena_fini(&a);
}

/* A file that everybody can read must not hold a secret; ${…} in it may. */
static void test_exposed(void **state)
{
	struct sw_ynode v = {
		.type = SW_Y_SCALAR, .file = "f", .line = 1, .col = 1, .text = "hunter2", .exposed = true
	};
	struct sw_arena a = { 0 };
	struct sw_diags d;
	struct conf c = { 0 };

	sw_diags_init(&d, &a);
	assert_int_equal(sw_key_read_one(&keys[1], &v, &a, &c, &d), -EINVAL);
	assert_null(strstr(d.first->text, "hunter2"));
	v.from_env = true;
	assert_int_equal(sw_key_read_one(&keys[1], &v, &a, &c, &d), 0);
	assert_string_equal(c.secret, "hunter2");
	sw_arena_fini(&a);
}

static void test_size(void **state)
{
	static const struct {
		const char *s;
		int64_t want;
	} good[] = {
		{ "0B", 0 },           { "1KB", 1000 },       { "1KiB", 1024 },
		{ "1.5MiB", 1572864 }, { "2GB", 2000000000 }, { "75MiB", 75 << 20 },
	};
	static const char *const bad[] = { "",      "1",     "MiB",      "-1MiB",
		                           "1mib",  "1 MiB", "1.2.3MiB", "99999999999999999999GiB",
		                           "1e3MiB" };
	int64_t v;

	for (size_t i = 0; i < SW_COUNT(good); i++) {
		assert_int_equal(sw_size_parse(good[i].s, &v), 0);
		assert_int_equal(v, good[i].want);
	}
	for (size_t i = 0; i < SW_COUNT(bad); i++)
		if (sw_size_parse(bad[i], &v) != -EINVAL)
			fail_msg("taken: \"%s\"", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_exposed),
		cmocka_unit_test(test_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
