/* Maintenance windows: when they are on, over midnight and changes of the clock; each mistake with its place; limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "model/maintenance.h"
#include "shipwatch/buf.h"
#include "shipwatch/clock.h"

static int load(struct sw_arena *a, const char *text, struct sw_maintenance **ret, size_t *n, struct sw_diags *d)
{
	struct sw_ynode *root;

	sw_diags_init(d, a);
	if (sw_yaml_parse(a, "m", text, strlen(text), NULL, &root, d) < 0)
		return -EINVAL;
	return sw_maintenance_read(a, root, NULL, ret, n, d);
}

static void when_it_is_on(void **state)
{
	static const struct {
		const char *list, *place, *at, *until; /* until NULL: it is not on */
	} rows[] = {
		{ "[{from: 2026-12-05 22:00, until: 2026-12-06 02:00}]", "web/prod", "2026-12-05T22:00:00Z", "2026-12-06T02:00:00.000Z" },
		{ "[{from: 2026-12-05 22:00, until: 2026-12-06 02:00}]", "web/prod", "2026-12-05T21:59:59.999Z", NULL },
		{ "[{from: 2026-12-05 22:00, until: 2026-12-06 02:00}]", "web/prod", "2026-12-06T02:00:00Z", NULL },
		{ "[{from: 2026-12-05T22:00:00+08:00, until: 2026-12-05 24:00}]", "web/prod", "2026-12-05T14:00:00Z", "2026-12-06T00:00:00.000Z" },
		/* whom */
		{ "[{service: \"w*\", env: prod, from: 2026-12-05 22:00, until: 2026-12-06 02:00}]", "web/prod", "2026-12-05T22:00:00Z", "2026-12-06T02:00:00.000Z" },
		{ "[{service: \"w*\", env: prod, from: 2026-12-05 22:00, until: 2026-12-06 02:00}]", "web/staging", "2026-12-05T22:00:00Z", NULL },
		{ "[{service: \"w*\", env: prod, from: 2026-12-05 22:00, until: 2026-12-06 02:00}]", "pay/prod", "2026-12-05T22:00:00Z", NULL },
		{ "[{service: \"*\", from: 2026-12-05 22:00, until: 2026-12-06 02:00}]", NULL, "2026-12-05T22:00:00Z", "2026-12-06T02:00:00.000Z" },
		{ "[{service: \"w*\", from: 2026-12-05 22:00, until: 2026-12-06 02:00}]", NULL, "2026-12-05T22:00:00Z", NULL },
		/* of several the one that ends last */
		{ "[{from: 2026-12-05 22:00, until: 2026-12-06 02:00}, {from: 2026-12-05 22:00, until: 2026-12-06 03:00}, {from: \"21:00\", until: \"23:00\"}]", "a/b",
		  "2026-12-05T22:00:00Z", "2026-12-06T03:00:00.000Z" },
		/* weekly: 2026-12-05 is a Saturday */
		{ "[{days: sat, from: \"02:00\", until: \"04:00\"}]", "a/b", "2026-12-05T02:00:00Z", "2026-12-05T04:00:00.000Z" },
		{ "[{days: sat, from: \"02:00\", until: \"04:00\"}]", "a/b", "2026-12-05T04:00:00Z", NULL },
		{ "[{days: sat, from: \"02:00\", until: \"04:00\"}]", "a/b", "2026-12-06T02:00:00Z", NULL },
		{ "[{days: [fri-mon], from: \"02:00\", until: \"04:00\"}]", "a/b", "2026-12-07T02:00:00Z", "2026-12-07T04:00:00.000Z" },
		{ "[{days: [fri-mon], from: \"02:00\", until: \"04:00\"}]", "a/b", "2026-12-08T02:00:00Z", NULL },
		{ "[{from: \"02:00\", until: \"04:00\"}]", "a/b", "2026-12-08T02:00:00Z", "2026-12-08T04:00:00.000Z" },
		/* over midnight, a whole day */
		{ "[{days: sat, from: \"22:00\", until: \"04:00\"}]", "a/b", "2026-12-06T03:59:59Z", "2026-12-06T04:00:00.000Z" },
		{ "[{days: sat, from: \"22:00\", until: \"04:00\"}]", "a/b", "2026-12-05T03:59:59Z", NULL },
		{ "[{days: sat, from: \"00:00\", until: \"24:00\"}]", "a/b", "2026-12-05T23:59:59Z", "2026-12-06T00:00:00.000Z" },
		{ "[{days: sat, from: \"00:00\", until: \"24:00\"}]", "a/b", "2026-12-06T00:00:00Z", NULL },
		{ "[{days: sat, from: \"09:00\", until: \"09:00\"}]", "a/b", "2026-12-06T08:59:59Z", "2026-12-06T09:00:00.000Z" },
		/* zones: Monday in Shanghai begins on Sunday in UTC; summer time */
		{ "[{days: mon, from: \"01:00\", until: \"05:00\", timezone: \"+08:00\"}]", "a/b", "2026-12-06T17:00:00Z", "2026-12-06T21:00:00.000Z" },
		{ "[{days: mon, from: \"01:00\", until: \"05:00\", timezone: \"+08:00\"}]", "a/b", "2026-12-07T17:00:00Z", NULL },
		{ "[{from: \"01:00\", until: \"04:00\", timezone: Europe/Berlin}]", "a/b", "2026-03-29T00:30:00Z", "2026-03-29T02:00:00.000Z" },
		{ "[{from: \"01:00\", until: \"04:00\", timezone: Europe/Berlin}]", "a/b", "2026-10-25T02:59:59Z", "2026-10-25T03:00:00.000Z" },
		{ "[]", "a/b", "2026-12-05T22:00:00Z", NULL },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
		struct sw_arena a = { 0 };
		struct sw_maintenance *list;
		const char *slash = rows[i].place ? strchr(rows[i].place, '/') : NULL;
		struct sw_diags d;
		sw_ms at, until;
		size_t n;
		const struct sw_maintenance *m;

		assert_int_equal(sw_time_parse(rows[i].at, &at), 0);
		if (load(&a, rows[i].list, &list, &n, &d) < 0) {
			if (strstr(rows[i].list, "Berlin") && strstr(d.first->text, "does not know"))
				continue; /* a system without tzdata */
			fail_msg("%s: %s", rows[i].list, d.first->text);
		}
		m = sw_maintenance_at(list, n, slash ? sw_arena_strndup(&a, rows[i].place, (size_t)(slash - rows[i].place)) : NULL, slash ? slash + 1 : NULL, at,
		                      &until);
		sw_time_print(until, &b);
		if ((m != NULL) != (rows[i].until != NULL) || (m && strcmp(sw_buf_str(&b), rows[i].until) != 0))
			fail_msg("%s at %s: %s", rows[i].list, rows[i].at, m ? sw_buf_str(&b) : "not on");
		sw_arena_fini(&a);
	}
}

static void mistakes(void **state)
{
	static const char *const rows[][2] = {
		{ "{from: 1}", "m:1:1: maintenance: want a list of at most 200 windows: [{service: web, days: sun, from: \"02:00\", until: \"04:00\"}]" },
		{ "[x]", "m:1:2: maintenance: want {service, env, from, until}" },
		{ "[{from: \"02:00\"}]", "m:1:2: \"until\" is missing" },
		{ "[{from: noon, until: \"04:00\"}]",
		  "m:1:9: from: want an hour (\"22:00\"), a time (2026-12-05 22:00) or one with an offset (2026-12-05T22:00:00+08:00), got \"noon\"" },
		{ "[{from: 2026-12-05, until: 2026-12-06}]",
		  "m:1:9: from: want an hour (\"22:00\"), a time (2026-12-05 22:00) or one with an offset (2026-12-05T22:00:00+08:00), got \"2026-12-05\"" },
		{ "[{from: 2026-12-05 22:00, until: \"23:00\"}]",
		  "m:1:34: until: want an hour (\"22:00\"), a time (2026-12-05 22:00) or one with an offset (2026-12-05T22:00:00+08:00), got \"23:00\"" },
		{ "[{from: \"22:00\", until: 2026-12-05 22:00}]", "m:1:25: until: want an hour such as \"04:00\", as from is one, got \"2026-12-05 22:00\"" },
		{ "[{from: \"24:00\", until: \"04:00\"}]", "m:1:9: from: want an hour before \"24:00\"" },
		{ "[{from: 2026-12-05 22:00, until: 2026-12-05 22:00}]", "m:1:34: until: is not behind from" },
		{ "[{days: mon, from: 2026-12-05 22:00, until: 2026-12-05 23:00}]", "m:1:9: days: only with hours in from and until" },
		{ "[{days: [mon, monday], from: \"02:00\", until: \"04:00\"}]", "m:1:9: days: want days such as mon, or fri-sun, got \"monday\"" },
		{ "[{days: mon-, from: \"02:00\", until: \"04:00\"}]", "m:1:9: days: want days such as mon, or fri-sun, got \"mon-\"" },
		{ "[{from: \"02:00\", until: \"04:00\", timezone: Mars/Olympus}]",
		  "m:1:44: timezone: this system does not know \"Mars/Olympus\"; an offset such as +08:00 works everywhere" },
		{ "[{form: \"02:00\", until: \"04:00\"}]", "m:1:2: \"from\" is missing" },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_arena a = { 0 };
		struct sw_maintenance *list;
		struct sw_diags d;
		size_t n;

		assert_int_equal(load(&a, rows[i][0], &list, &n, &d), -EINVAL);
		assert_string_equal(d.first->text, rows[i][1]);
		sw_arena_fini(&a);
	}
}

static void limits(void **state)
{
	static const struct { const char *text; int want; } rows[] = {
		{ "[{from: 2026-12-01 00:00, until: 2026-12-31 00:00}]", 0 }, { "[{from: 2026-12-01 00:00, until: 2026-12-31 00:01}]", -EINVAL },
	};
	struct sw_maintenance *list;
	struct sw_diags d;
	size_t n;

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_arena a = { 0 };

		assert_int_equal(load(&a, rows[i].text, &list, &n, &d), rows[i].want);
		sw_arena_fini(&a);
	}
	for (size_t k = SW_MAINTENANCE_MAX; k <= SW_MAINTENANCE_MAX + 1; k++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
		struct sw_arena a = { 0 };

		sw_buf_cat(&b, "[");
		for (size_t i = 0; i < k; i++)
			sw_buf_cat(&b, "{from: \"02:00\", until: \"04:00\"}, ");
		sw_buf_cat(&b, "]");
		assert_int_equal(load(&a, sw_buf_str(&b), &list, &n, &d), k > SW_MAINTENANCE_MAX ? -EINVAL : 0);
		sw_arena_fini(&a);
	}
}

static void in_words(void **state)
{
	static const char *const rows[][2] = {
		{ "[{service: web, env: prod, days: [sat, sun], from: \"02:00\", until: \"04:30\", why: backup}]", "web/prod, sun sat 02:00-04:30: backup" },
		{ "[{from: \"02:00\", until: \"24:00\"}]", "everything, 02:00-24:00" },
		{ "[{env: prod, from: 2026-12-05 22:00, until: 2026-12-06 02:00, timezone: \"+08:00\"}]", "*/prod, 2026-12-05 22:00:00 to 2026-12-06 02:00:00" },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
		struct sw_arena a = { 0 };
		struct sw_maintenance *list;
		struct sw_diags d;
		size_t n;

		assert_int_equal(load(&a, rows[i][0], &list, &n, &d), 0);
		sw_maintenance_print(&list[0], &b);
		assert_string_equal(sw_buf_str(&b), rows[i][1]);
		sw_arena_fini(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(when_it_is_on), cmocka_unit_test(mistakes), cmocka_unit_test(limits), cmocka_unit_test(in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
