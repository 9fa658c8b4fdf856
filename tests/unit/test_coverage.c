/* Coverage: what each format says, what is no such file, and the limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/number.h"
#include "model/coverage.h"
#include "shipwatch/buf.h"
#include "shipwatch/mem.h"

static int feed(struct sw_coverage *c, const char *p, size_t n, size_t piece, struct sw_err *err)
{
	int r = 0;

	sw_coverage_begin(c);
	for (size_t at = 0; r == 0 && at < n; at += piece)
		r = sw_coverage_feed(c, p + at, SW_MIN(piece, n - at), err);
	return r < 0 ? r : sw_coverage_end(c, err);
}

static int percent(const char *p, size_t n, double *ret, struct sw_err *err)
{
	struct sw_coverage *c = sw_coverage_new();
	int r = feed(c, p, n, n ? n : 1, err);

	if (r == 0)
		r = sw_coverage_percent(c, ret, err);
	sw_coverage_free(c);
	return r;
}

/* want: percent; below 0: the error has this text in it */
static const struct { double want; const char *error, *text; } cases[] = {
	{ 50, NULL, "TN:\nSF:a.c\nDA:1,1\nDA:2,0\nend_of_record\n" },
	{ 50, NULL, "\xef\xbb\xbf\n\nSF:a.c\r\nDA:1,1\r\nDA:2,0\r\nend_of_record" },
	{ 75, NULL, "SF:a.c\nDA:1,1\nDA:2,0\nLF:9\nLH:9\nend_of_record\nSF:b.c\nDA:1,2\nDA:2,1\nend_of_record\n" }, /* DA, not LF and LH */
	{ 100, NULL, "TN:one\nSF:a.c\nDA:1,1\nDA:2,0\nend_of_record\nTN:two\nSF:a.c\nDA:1,0\nDA:2,5\nend_of_record\n" }, /* lines once */
	{ 70, NULL, "SF:a.c\nLF:10\nLH:7\nend_of_record\n" },
	{ 80, NULL, "SF:a.c\nLF:10\nLH:7\nend_of_record\nSF:b.c\nLF:10\nLH:9\n" },
	{ 100, NULL, "SF:a.c\nLF:10\nLH:11\nend_of_record\n" },
	{ 0, NULL, "SF:a.c\nDA:1,-3\nend_of_record\n" },
	{ 33.3333, NULL, "SF:a.c\nDA:1,1,sum==\nDA:2,0\nDA:3,0\nend_of_record\n" },
	{ -1, "line 2: want DA:<line>,<times>, got \"DA:one,1\"", "SF:a.c\nDA:one,1\n" },
	{ -1, "line 2: want DA:<line>,<times>", "SF:a.c\nDA:1\n" },
	{ -1, "line 2: want SF: before DA:", "TN:\nDA:1,1\n" },
	{ -1, "no line of code in it (no DA:, no LF:)", "TN:\nSF:a.c\nend_of_record\n" },
	{ -1, "no line of code", "SF:a.c\nLF:0\nLH:0\nend_of_record\n" },
	{ 40, NULL, "mode: set\nexample.com/a.go:1.2,3.4 2 1\nexample.com/a.go:5.2,6.4 3 0\n" },
	{ 100, NULL, "mode: count\na b.go:1.2,3.4 2 1\na b.go:5.2,6.4 3 0\nmode: count\na b.go:5.2,6.4 3 7\n" }, /* a block counts once */
	{ -1, "line 2: want file:from,to statements times, got \"nonsense\"", "mode: set\nnonsense\n" },
	{ -1, "line 2: want how often it ran", "mode: set\na.go:1.2,3.4 2 x\n" },
	{ -1, "line 2: want a number of statements", "mode: set\na.go:1.2,3.4 x 1\n" },
	{ -1, "no block of code in it", "mode: set\n" },
	{ 87.5, NULL, "<coverage line-rate=\"0.875\" branch-rate=\"1\">" },
	{ 87.5, NULL, "<?xml version='1.0'?>\n<coverage\n branch-rate='1' version=\"a>b\"\n line-rate = '0.875'/>" },
	{ 75, NULL, "<coverage line-rate=\"0.7\" lines-valid=\"8\" lines-covered=\"6\">" }, /* the exact one */
	{ 50, NULL, "<!-- <coverage line-rate=\"1\"> --><coverage line-rate=\"0&#46;&#x35;\">" },
	{ 50, NULL, "<!--><coverage line-rate='1'>--><coverage line-rate='0.5'>" },
	{ 50, NULL, "<!DOCTYPE coverage [ <!ELEMENT a \"]>\"> <!-- ' ]> --> ]><?x <coverage line-rate='1'>?><coverage line-rate='0.5'>" },
	{ 50, NULL, "<!DOCTYPE coverage SYSTEM 'http://example.com/x>y.dtd'><coverage line-rate='0.5'>" },
	{ -1, "line-rate: want a number, got \"0,5\"", "<coverage line-rate=\"0,5\">" },
	{ -1, "line 2: line-rate: want a number, got \"-0.5\"", "\n<coverage line-rate=\"-0.5\">" },
	{ -1, "line-rate is more than 1", "<coverage line-rate=\"87\">" },
	{ -1, "no line of code", "<coverage line-rate=\"NaN\">" },
	{ -1, "no line of code", "<coverage line-rate=\"0\" lines-valid=\"0\" lines-covered=\"0\">" },
	{ -1, "lines-covered is more than lines-valid", "<coverage lines-valid=\"1\" lines-covered=\"2\">" },
	{ -1, "the root element is <report>, not Cobertura's <coverage>", "<report name=\"jacoco\">" },
	{ -1, "neither line-rate nor lines-valid", "<coverage generated=\"1\" clover=\"4\"><project/></coverage>" },
	{ -1, "is not in quotes", "<coverage line-rate=1>" },
	{ -1, "has no =\"value\"", "<coverage line-rate>" },
	{ -1, "line 3: it ends before the root element does", "<?xml version='1.0'?>\n<coverage line-rate=\"0.5\"\n" },
	{ -1, "text in front of the root element", "<?xml version='1.0'?>x<coverage line-rate='1'>" },
	{ -1, "it is empty", "" },
	{ -1, "it is empty", "\n\n" },
	{ -1, "too short", "mod" },
	{ -1, "it begins \"{\"", "{\"total\": 1}" },
};

static void formats(void **state)
{
	(void)state;
	for (size_t i = 0; i < SW_COUNT(cases); i++)
		for (size_t piece = 1; piece < 100; piece += 13) {
			struct sw_coverage *c = sw_coverage_new();
			struct sw_err err = SW_ERR_INIT;
			double got = -1;
			int r = feed(c, cases[i].text, strlen(cases[i].text), piece, &err);

			if (r == 0)
				r = sw_coverage_percent(c, &got, &err);
			if (cases[i].want < 0 ? r == 0 || !strstr(err.text, cases[i].error) : r != 0 || got != cases[i].want)
				fail_msg("%s\nin pieces of %zu: %d, %g, \"%s\"", cases[i].text, piece, r, got, err.text);
			sw_coverage_free(c);
		}
}

static void several_files(void **state)
{
	static const char lcov[] = "SF:a.c\nDA:1,1\nDA:2,0\nend_of_record\n", again[] = "SF:a.c\nDA:2,1\nend_of_record\n",
			  sums[] = "<coverage lines-valid=\"2\" lines-covered=\"0\">", rate[] = "<coverage line-rate=\"0.5\">";
	struct sw_coverage *c = sw_coverage_new();
	struct sw_err err = SW_ERR_INIT;
	double got;

	(void)state;
	assert_int_equal(feed(c, lcov, strlen(lcov), 7, &err), 0);
	assert_string_equal(sw_coverage_kind(c), "lcov");
	assert_int_equal(feed(c, again, strlen(again), 7, &err), 0);
	assert_int_equal(sw_coverage_percent(c, &got, &err), 0);
	assert_true(got == 100);
	assert_int_equal(feed(c, sums, strlen(sums), 7, &err), 0);
	assert_string_equal(sw_coverage_kind(c), "Cobertura");
	assert_int_equal(sw_coverage_percent(c, &got, &err), 0);
	assert_true(got == 50);
	assert_int_equal(feed(c, rate, strlen(rate), 7, &err), 0);
	assert_true(sw_coverage_percent(c, &got, &err) < 0);
	assert_non_null(strstr(err.text, "cannot be added"));
	sw_coverage_free(c);
}

/* A line, an attribute and the root element at their limits and one past them. */
static void limits(void **state)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_err err = SW_ERR_INIT;
	double got;

	(void)state;
	for (int over = 0; over < 2; over++) { /* SF: line */
		sw_buf_reset(&b);
		sw_buf_cat(&b, "SF:");
		while (b.n < SW_COVERAGE_LINE + (size_t)over)
			sw_buf_putc(&b, 'x');
		sw_buf_cat(&b, "\nDA:1,1\n");
		assert_int_equal(percent(b.p, b.n, &got, &err) < 0, over);
	}
	assert_non_null(strstr(err.text, "line 1: longer than 65536 bytes"));
	sw_buf_reset(&b); /* what does not count may be of any length */
	sw_buf_cat(&b, "SF:a\nFN:1,");
	while (b.n < 3 * SW_COVERAGE_LINE)
		sw_buf_putc(&b, 'x');
	sw_buf_cat(&b, "\nDA:1,1\n");
	assert_int_equal(percent(b.p, b.n, &got, &err), 0);
	for (int over = 0; over < 2; over++) { /* the root element */
		static const char head[] = "coverage line-rate='1' a='", tail[] = "'";

		sw_buf_reset(&b);
		sw_buf_cat(&b, "<");
		sw_buf_cat(&b, head);
		while (b.n - 1 < SW_COVERAGE_TAG - strlen(tail) + (size_t)over)
			sw_buf_putc(&b, 'x');
		sw_buf_cat(&b, tail);
		sw_buf_cat(&b, ">");
		assert_int_equal(percent(b.p, b.n, &got, &err) < 0, over);
	}
	assert_non_null(strstr(err.text, "root element is longer than 65536 bytes"));
	assert_true(percent("SF:a\0b", 6, &got, &err) < 0 || got >= 0);
	assert_true(percent("<\0c\0o\0", 6, &got, &err) < 0);
	sw_buf_fini(&b);
}

/* As many lines as are told apart, and one more. */
static void items(void **state)
{
	struct sw_coverage *c = sw_coverage_new();
	struct sw_buf b = SW_BUF_INIT;
	struct sw_err err = SW_ERR_INIT;
	double got;
	int r = sw_coverage_feed(c, "SF:a\n", 5, &err);

	(void)state;
	for (size_t i = 1; r == 0 && i <= SW_COVERAGE_ITEMS; i++) {
		sw_buf_cat(&b, "DA:"); /* not by printf: two million are many */
		sw_number_print_int(&b, (int64_t)i);
		sw_buf_cat(&b, i % 4 ? ",1\n" : ",0\n");
		if (b.n > 60000 || i == SW_COVERAGE_ITEMS) {
			r = sw_coverage_feed(c, b.p, b.n, &err);
			sw_buf_reset(&b);
		}
	}
	assert_int_equal(r, 0);
	assert_int_equal(sw_coverage_feed(c, "DA:1,1\n", 7, &err), 0);
	assert_int_equal(sw_coverage_percent(c, &got, &err), 0);
	assert_true(got == 75);
	assert_true(sw_coverage_feed(c, "DA:9000000,1\n", 13, &err) < 0);
	assert_non_null(strstr(err.text, "more than 2000000"));
	sw_buf_fini(&b);
	sw_coverage_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats), cmocka_unit_test(several_files), cmocka_unit_test(limits), cmocka_unit_test(items),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("coverage", tests, NULL, NULL);
}
