/* Numbers: what is read is what strtod reads, what is printed reads back equal and is no longer than it has to be. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/number.h"

static const struct { double v; const char *want; } rows[] = {
	{ 0, "0" }, { -0.0, "-0" }, { 1, "1" }, { -1, "-1" }, { 0.1, "0.1" }, { 0.05, "0.05" }, { -0.25, "-0.25" }, { 1234.5, "1234.5" },
	{ 0.0001, "0.0001" }, { 0.00001, "1e-05" }, { 999999999999999, "999999999999999" }, { 1e15, "1e+15" }, { 1e300, "1e+300" },
	{ 0.1 + 0.2, "0.30000000000000004" }, { 1.0 / 3, "0.3333333333333333" }, { 0.123456789, "0.123456789" }, { 1790000000.125, "1790000000.125" },
	{ 100, "100" }, { 1.10, "1.1" }, { 5e-324, "4.94065645841247e-324" },
};

static void check(double v)
{
	struct sw_buf b = SW_BUF_INIT;

	sw_number_print(&b, v);
	if (strtod(sw_buf_str(&b), NULL) != v || sw_number_read(b.p, b.n) != v)
		fail_msg("%.17g is printed as %s", v, sw_buf_str(&b));
	sw_buf_fini(&b);
}

static void test_printed(void **state)
{
	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_buf b = SW_BUF_INIT;

		sw_number_print(&b, rows[i].v);
		assert_string_equal(sw_buf_str(&b), rows[i].want);
		sw_buf_fini(&b);
		check(rows[i].v);
	}
}

static void test_ints(void **state)
{
	static const struct { int64_t v; const char *want; } ints[] = {
		{ 0, "0" }, { 7, "7" }, { -7, "-7" }, { INT64_MAX, "9223372036854775807" }, { INT64_MIN, "-9223372036854775808" } };

	(void)state;
	for (size_t i = 0; i < SW_COUNT(ints); i++) {
		struct sw_buf b = SW_BUF_INIT;

		sw_number_print_int(&b, ints[i].v);
		assert_string_equal(sw_buf_str(&b), ints[i].want);
		sw_buf_fini(&b);
	}
}

static uint64_t next(uint64_t *s)
{
	*s = *s * 6364136223846793005ULL + 1442695040888963407ULL;
	return *s >> 11;
}

/* Any double, and any short decimal as text, against strtod. */
static void test_random(void **state)
{
	uint64_t s = 42;
	char text[64];

	(void)state;
	for (int i = 0; i < 300000; i++) {
		uint64_t bits = next(&s) << 11 ^ next(&s);
		double v;

		memcpy(&v, &bits, sizeof v);
		if (isfinite(v))
			check(v);
		check((double)(int64_t)(next(&s) % 2000000) / 1000);
		(void)snprintf(text, sizeof text, "%s%llu.%0*llu", i % 3 ? "" : "-", (unsigned long long)(next(&s) % 100000), 1 + i % 20,
		               (unsigned long long)next(&s));
		if (sw_number_read(text, strlen(text)) != strtod(text, NULL))
			fail_msg("%s", text);
		(void)snprintf(text, sizeof text, "%lluE%d", (unsigned long long)next(&s), (int)(next(&s) % 600) - 300);
		if (sw_number_read(text, strlen(text)) != strtod(text, NULL))
			fail_msg("%s", text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_printed), cmocka_unit_test(test_ints), cmocka_unit_test(test_random) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
