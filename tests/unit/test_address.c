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
		{ "rediss://127.0.0.1", -EINVAL, .error = "begins with" },
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

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
