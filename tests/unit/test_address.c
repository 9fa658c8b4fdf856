/* Addresses of Redis: what is read, and what is refused with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "bus/address.h"

static void test_rows(void **state)
{
	static const struct { const char *url; int r; const char *path, *host, *user, *password; int port, db; const char *error; } rows[] = {
		{ "redis://127.0.0.1", 0, NULL, "127.0.0.1", NULL, NULL, 6379, 0, NULL },
		{ "redis://127.0.0.1:7000/3", 0, NULL, "127.0.0.1", NULL, NULL, 7000, 3, NULL },
		{ "redis://:s%40c@127.0.0.1/", 0, NULL, "127.0.0.1", NULL, "s@c", 6379, 0, NULL },
		{ "redis://ann:p:w@127.0.0.1:1", 0, NULL, "127.0.0.1", "ann", "p:w", 1, 0, NULL },
		{ "redis://[::1]:99/1", 0, NULL, "::1", NULL, NULL, 99, 1, NULL },
		{ "redis://[::1]", 0, NULL, "::1", NULL, NULL, 6379, 0, NULL },
		{ "redis://", 0, NULL, "127.0.0.1", NULL, NULL, 6379, 0, NULL },
		{ "unix:///run/redis.sock", 0, "/run/redis.sock", NULL, NULL, NULL, 0, 0, NULL },
		{ "unix:///run/redis.sock?db=2", 0, "/run/redis.sock", NULL, NULL, NULL, 0, 2, NULL },
		{ "unix://run/redis.sock", -EINVAL, .error = "unix:///path" },
		{ "unix:///s?x=1", -EINVAL, .error = "?db=" },
		{ "redis://127.0.0.1:0", -EINVAL, .error = "\"0\" is not a port" },
		{ "redis://127.0.0.1:70000", -EINVAL, .error = "\"70000\" is not a port" },
		{ "redis://127.0.0.1:", -EINVAL, .error = "is not a port" },
		{ "redis://127.0.0.1/x", -EINVAL, .error = "is a number" },
		{ "redis://secret@127.0.0.1", -EINVAL, .error = "redis://[user]:password@host" },
		{ "redis://:%zz@127.0.0.1", -EINVAL, .error = "redis://[user]:password@host" },
		{ "rediss://127.0.0.1:7/1", 0, NULL, "127.0.0.1", NULL, NULL, 7, 1, NULL },
		{ "redis://:pa?ss@127.0.0.1", 0, NULL, "127.0.0.1", NULL, "pa?ss", 6379, 0, NULL },
		{ "redis://127.0.0.1?ca_file=/x", -EINVAL, .error = "ca_file goes with rediss://" },
		{ "rediss://127.0.0.1?sentinel_password=secret", -EINVAL, .error = "sentinel_password goes with redis+sentinel://" },
		{ "rediss://127.0.0.1?ca=/x", -EINVAL, .error = "\"ca\": behind '?'" },
		{ "rediss://127.0.0.1?ca_file=/x&ca_file=/y", -EINVAL, .error = "ca_file: want one text" },
		{ "rediss://127.0.0.1?ca_file", -EINVAL, .error = "ca_file: want one text" },
		{ "rediss://127.0.0.1?ca_file=%4", -EINVAL, .error = "ca_file: want one text" },
		{ "redis://[::1", -EINVAL, .error = "']' is missing" },
		{ "redis+sentinel://", -EINVAL, .error = "the name of the master" },
		{ "redis+sentinel://a,b", -EINVAL, .error = "the name of the master" },
		{ "redis+sentinel://a,b/", -EINVAL, .error = "the name of the master" },
		{ "redis+sentinel:///main", -EINVAL, .error = "the name of the master" },
		{ "redis+sentinel://a,,b/main", -EINVAL, .error = "sentinels are written" },
		{ "redis+sentinel://a:x/main", -EINVAL, .error = "\"x\" is not a port" },
		{ "redis+sentinel://a/main/x", -EINVAL, .error = "is a number" },
		{ "redis+sentinel://1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7/main", -EINVAL, .error = "at most 16 sentinels" },
		{ "127.0.0.1:6379", -EINVAL, .error = "begins with" },
		{ "", -EINVAL, .error = "begins with" },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_address a;
		struct sw_err err = SW_ERR_INIT;
		int r = sw_address_parse(rows[i].url, &a, &err);

		if (r != rows[i].r)
			fail_msg("%s: %d %s", rows[i].url, r, err.text);
		if (r == 0 && !(sw_streq(a.path, rows[i].path) && sw_streq(a.host, rows[i].host) && sw_streq(a.user, rows[i].user) &&
		                sw_streq(a.password, rows[i].password) && a.db == rows[i].db && (a.path || a.port == rows[i].port)))
			fail_msg("%s: read as %s %s:%d/%d", rows[i].url, a.path ? a.path : "-", a.host ? a.host : "-", a.port, a.db);
		if (r < 0 && !strstr(err.text, rows[i].error))
			fail_msg("%s: %s", rows[i].url, err.text);
		if (r < 0)
			assert_null(strstr(err.text, "secret"));
		sw_address_fini(&a);
	}
}

static void test_sentinels(void **state)
{
	struct sw_address a;
	struct sw_err err = SW_ERR_INIT;

	(void)state;
	/* None of the names is looked up here. */
	assert_int_equal(sw_address_parse("rediss+sentinel://u:p%2F@s1.invalid,[fe80::1]:7,s3:8/main/4?sentinel_password=a%26b&server_name=r&sentinel_user=su", &a, &err), 0);
	assert_true(a.tls);
	assert_int_equal(a.n_sentinels, 3);
	assert_string_equal(a.sentinels[0].host, "s1.invalid");
	assert_int_equal(a.sentinels[0].port, 26379);
	assert_string_equal(a.sentinels[1].host, "fe80::1");
	assert_int_equal(a.sentinels[1].port, 7);
	assert_int_equal(a.sentinels[2].port, 8);
	assert_string_equal(a.master, "main");
	assert_int_equal(a.db, 4);
	assert_string_equal(a.user, "u");
	assert_string_equal(a.password, "p/");
	assert_string_equal(a.sentinel_password, "a&b");
	assert_string_equal(a.sentinel_user, "su");
	assert_string_equal(a.server_name, "r");
	assert_null(a.host);
	sw_address_fini(&a);
	assert_int_equal(sw_address_parse("redis+sentinel://1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6/main", &a, &err), 0);
	assert_int_equal(a.n_sentinels, SW_SENTINELS_MAX);
	assert_false(a.tls);
	sw_address_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows), cmocka_unit_test(test_sentinels) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
