/* Time zones: what the C library says of them, over years and changes of the clock; rules; files that are broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/zone.h"
#include "shipwatch/buf.h"

/* Every half hour around each change of some years, and every nine days to the year 2100, against localtime_r. */
static void as_the_library(void **state)
{
	static const char *const names[] = { "UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
		                             "America/St_Johns", "Asia/Kathmandu", "America/Sao_Paulo", "Africa/Casablanca", "Pacific/Apia" };

	(void)state;
	for (size_t i = 0; i < SW_COUNT(names); i++) {
		struct sw_arena a = { 0 };
		const struct sw_zone *z;
		int last = 0;

		if (sw_zone_load(&a, names[i], &z) == -ENOENT)
			continue; /* a system without tzdata */
		(void)setenv("TZ", names[i], 1);
		tzset();
		for (time_t t = 0; t < 4102444800; t += 9 * 86400) {
			struct tm tm;

			(void)localtime_r(&t, &tm);
			if (sw_zone_offset(z, (sw_ms)t * 1000) != tm.tm_gmtoff)
				fail_msg("%s at %lld: %d, not %ld", names[i], (long long)t, sw_zone_offset(z, (sw_ms)t * 1000), tm.tm_gmtoff);
			if (t && last != tm.tm_gmtoff)
				for (time_t u = t - 10 * 86400; u < t; u += 1800) {
					(void)localtime_r(&u, &tm);
					assert_int_equal(sw_zone_offset(z, (sw_ms)u * 1000), tm.tm_gmtoff);
					(void)localtime_r(&(time_t){ u - 1 }, &tm);
					assert_int_equal(sw_zone_offset(z, (sw_ms)u * 1000 - 1), tm.tm_gmtoff);
				}
			(void)localtime_r(&t, &tm);
			last = (int)tm.tm_gmtoff;
		}
		sw_arena_fini(&a);
	}
}

static void moments(void **state)
{
	struct sw_arena a = { 0 };
	const struct sw_zone *z;
	int64_t spring = sw_zone_days(2026, 3, 29) * 86400, autumn = sw_zone_days(2026, 10, 25) * 86400;

	(void)state;
	assert_int_equal(sw_zone_days(1970, 1, 1), 0);
	assert_int_equal(sw_zone_days(2000, 3, 1), 11017);
	assert_int_equal(sw_zone_days(1969, 12, 31), -1);
	assert_int_equal(sw_zone_load(&a, "+08:00", &z), 0);
	assert_int_equal(sw_zone_moment(z, 8 * 3600), 0);
	assert_int_equal(sw_zone_load(&a, "-03:30", &z), 0);
	assert_int_equal(sw_zone_offset(z, 0), -(3 * 3600 + 1800));
	if (sw_zone_load(&a, "Europe/Berlin", &z) == 0) {
		assert_int_equal(sw_zone_moment(z, spring + 3600), (spring) * 1000LL);                    /* 01:00 CET */
		assert_int_equal(sw_zone_moment(z, spring + 2 * 3600 + 1800), (spring + 5400) * 1000LL);  /* 02:30 is left out: as 03:30 */
		assert_int_equal(sw_zone_moment(z, spring + 3 * 3600), (spring + 3600) * 1000LL);         /* 03:00 CEST */
		assert_int_equal(sw_zone_moment(z, spring + 9 * 3600), (spring + 7 * 3600) * 1000LL);
		assert_int_equal(sw_zone_moment(z, autumn + 2 * 3600 + 1800), (autumn + 1800) * 1000LL);  /* 02:30 comes twice: the first */
		assert_int_equal(sw_zone_moment(z, autumn + 3 * 3600), (autumn + 2 * 3600) * 1000LL);
		assert_int_equal(sw_zone_moment(z, autumn - 3600), (autumn - 3 * 3600) * 1000LL);
	}
	sw_arena_fini(&a);
}

static void names(void **state)
{
	static const struct { const char *name; int want; } rows[] = {
		{ "UTC", 0 }, { "+00:00", 0 }, { "+14:00", 0 }, { "-14:00", 0 }, { "+14:01", -EINVAL }, { "+15:00", -EINVAL }, { "+8", -EINVAL },
		{ "+08:60", -EINVAL }, { "+08:0", -EINVAL }, { "+0800", -EINVAL }, { "", -EINVAL }, { "../passwd", -EINVAL }, { "/etc/passwd", -EINVAL },
		{ "Asia/../../passwd", -EINVAL }, { "Mars/Olympus", -ENOENT }, { "zone.tab", -EBADMSG }, { "Asia", -EBADMSG },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_arena a = { 0 };
		const struct sw_zone *z;
		int r = sw_zone_load(&a, rows[i].name, &z);

		if (r != rows[i].want && !(r == -ENOENT && rows[i].want == -EBADMSG))
			fail_msg("%s: %d, not %d", rows[i].name, r, rows[i].want);
		sw_arena_fini(&a);
	}
}

/* A file cut anywhere, and with any byte changed, is read or refused; nothing beyond its end is looked at. */
static void broken_files(void **state)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	(void)state;
	if (sw_file_read(SW_ZONE_DIR "/Europe/Berlin", SW_ZONE_BYTES, &b, NULL) < 0)
		return;
	for (size_t n = 0; n < b.n; n++) {
		char *copy = sw_malloc(n ? n : 1);
		struct sw_arena a = { 0 };
		const struct sw_zone *z;

		memcpy(copy, b.p, n);
		assert_int_equal(sw_zone_read(&a, copy, n, &z), -EBADMSG);
		free(copy);
		sw_arena_fini(&a);
	}
	for (size_t i = 0; i < b.n; i++) {
		struct sw_arena a = { 0 };
		const struct sw_zone *z;
		char was = b.p[i];

		b.p[i] = (char)(was ^ 0xff);
		if (sw_zone_read(&a, b.p, b.n, &z) == 0)
			for (sw_ms at = -1000; at < 4102444800000; at += 400000000000)
				(void)sw_zone_offset(z, at);
		b.p[i] = was;
		sw_arena_fini(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_the_library), cmocka_unit_test(moments), cmocka_unit_test(names), cmocka_unit_test(broken_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
