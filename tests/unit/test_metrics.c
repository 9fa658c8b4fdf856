/* Metrics: the text they print, limits at and past them, handles, threads, several processes as one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe/print.h"
#include "shipwatch/base.h"

static const char *const labels[] = { "route", "code", NULL };
static const double bounds[] = { 0.1, 1 };

static void expect_text(struct sw_metrics *m, const char *want)
{
	struct sw_buf b = SW_BUF_INIT;

	sw_metrics_print(m, &b);
	assert_string_equal(sw_buf_str(&b), want);
	sw_buf_fini(&b);
}

static void test_print(void **state)
{
	struct sw_metrics *m;
	struct sw_metric *c, *g, *h;

	assert_int_equal(sw_metrics_new(1, &m), 0);
	(void)sw_metric_counter(m, "sw_bare_total", "Bare.", NULL, 0);
	c = sw_metric_counter(m, "sw_requests_total", "Requests.", labels, 10);
	g = sw_metric_gauge(m, "sw_size_bytes", "Size.", NULL, 0, false);
	h = sw_metric_histogram(m, "sw_wait_seconds", "Wait.", NULL, 0, bounds, 2);
	SW_METRIC_INC(c, "hooks", "200");
	SW_METRIC_INC(c, "hooks", "200");
	SW_METRIC_INC(c, "a\"b\\c\n\xff", "4");
	sw_metric_set(g, NULL, 1.5);
	sw_metric_observe(h, NULL, 0.1);
	sw_metric_observe(h, NULL, 0.5);
	sw_metric_observe(h, NULL, 7);
	expect_text(m, "# HELP sw_bare_total Bare.\n# TYPE sw_bare_total counter\nsw_bare_total 0\n"
	               "# HELP sw_requests_total Requests.\n# TYPE sw_requests_total counter\n"
	               "sw_requests_total{route=\"hooks\",code=\"200\"} 2\nsw_requests_total{route=\"a\\\"b\\\\c\\n\xef\xbf\xbd\",code=\"4\"} 1\n"
	               "# HELP sw_size_bytes Size.\n# TYPE sw_size_bytes gauge\nsw_size_bytes 1.5\n"
	               "# HELP sw_wait_seconds Wait.\n# TYPE sw_wait_seconds histogram\nsw_wait_seconds_bucket{le=\"0.1\"} 1\n"
	               "sw_wait_seconds_bucket{le=\"1\"} 2\nsw_wait_seconds_bucket{le=\"+Inf\"} 3\nsw_wait_seconds_sum 7.6\n"
	               "sw_wait_seconds_count 3\n");
	sw_metrics_free(m);
}

/* The start of a process is of no use to ten seconds. */
static void test_moment(void **state)
{
	struct sw_metrics *m;

	(void)state;
	assert_int_equal(sw_metrics_new(1, &m), 0);
	sw_metric_set(sw_metric_gauge(m, "sw_start_seconds", "Start.", NULL, 0, false), NULL, 1795834429.875);
	expect_text(m, "# HELP sw_start_seconds Start.\n# TYPE sw_start_seconds gauge\nsw_start_seconds 1795834429.875\n");
	sw_metrics_free(m);
}

static void test_bounded(void **state)
{
	struct sw_metrics *m;
	struct sw_metric *c;
	char long_value[1000];

	assert_int_equal(sw_metrics_new(1, &m), 0);
	c = sw_metric_counter(m, "sw_x_total", "X.", labels, 2);
	SW_METRIC_INC(c, "a", "1");
	memset(long_value, 'x', sizeof long_value - 1);
	long_value[sizeof long_value - 1] = '\0';
	SW_METRIC_INC(c, long_value, long_value);
	SW_METRIC_INC(c, "c", "1");
	SW_METRIC_INC(c, "d", "1");
	SW_METRIC_INC(c, "a", "1");
	{
		struct sw_buf b = SW_BUF_INIT;

		sw_metrics_print(m, &b);
		assert_non_null(strstr(b.p, "{route=\"other\",code=\"other\"} 2\n"));
		assert_non_null(strstr(b.p, "{route=\"a\",code=\"1\"} 2\n"));
		assert_null(strstr(b.p, "\"c\""));
		assert_true(b.n < 700);
		sw_buf_fini(&b);
	}
	sw_metrics_free(m);
}

/* A process that was started again goes on with its counters, not with its gauges. */
static void test_processes(void **state)
{
	struct sw_metrics *m;
	struct sw_metric *c, *g, *most;

	assert_int_equal(sw_metrics_new(2, &m), 0);
	c = sw_metric_counter(m, "sw_c_total", "C.", NULL, 0);
	g = sw_metric_gauge(m, "sw_g", "G.", NULL, 0, false);
	most = sw_metric_gauge(m, "sw_most", "Most.", NULL, 0, true);
	assert_true(sw_metric_total(most) == 0 && sw_metric_total(NULL) == 0);
	sw_metric_add(c, NULL, 3);
	sw_metric_set(g, NULL, 5);
	sw_metric_set(most, NULL, 5);
	sw_metrics_become(m, 1);
	sw_metric_add(c, NULL, 4);
	sw_metric_set(g, NULL, 6);
	sw_metric_set(most, NULL, 2);
	expect_text(m, "# HELP sw_c_total C.\n# TYPE sw_c_total counter\nsw_c_total 7\n# HELP sw_g G.\n# TYPE sw_g gauge\nsw_g 11\n"
	               "# HELP sw_most Most.\n# TYPE sw_most gauge\nsw_most 5\n");
	assert_true(sw_metric_total(c) == 7 && sw_metric_total(g) == 11 && sw_metric_total(most) == 5);
	sw_metrics_become(m, 0);
	sw_metric_add(c, NULL, 1);
	expect_text(m, "# HELP sw_c_total C.\n# TYPE sw_c_total counter\nsw_c_total 8\n# HELP sw_g G.\n# TYPE sw_g gauge\nsw_g 6\n"
	               "# HELP sw_most Most.\n# TYPE sw_most gauge\nsw_most 2\n");
	assert_true(sw_metric_total(c) == 8 && sw_metric_total(g) == 6 && sw_metric_total(most) == 2);
	sw_metrics_free(m);
}

/* A long value is cut at a whole character; what is the same up to there is the same series. */
static void test_long_values(void **state)
{
	static const char *const one[] = { "v", NULL };
	struct sw_metrics *m;
	struct sw_metric *c;
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	char text[SW_METRIC_VALUE + 20], want[SW_METRIC_VALUE + 60];

	assert_int_equal(sw_metrics_new(1, &m), 0);
	c = sw_metric_counter(m, "c_total", "C.", one, 10);
	memset(text, 'x', sizeof text);
	text[SW_METRIC_VALUE] = '\0';
	SW_METRIC_INC(c, text); /* at the limit */
	text[SW_METRIC_VALUE] = 'y';
	text[SW_METRIC_VALUE + 1] = '\0';
	SW_METRIC_INC(c, text); /* past it */
	text[SW_METRIC_VALUE - 1] = '\xe2'; /* the last character would be cut in its middle */
	text[SW_METRIC_VALUE] = '\x82';
	text[SW_METRIC_VALUE + 1] = '\xac';
	text[SW_METRIC_VALUE + 2] = '\0';
	SW_METRIC_INC(c, text);
	sw_metrics_print(m, &b);
	(void)snprintf(want, sizeof want, "c_total{v=\"%.*s\"} 2\n", SW_METRIC_VALUE, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	               "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
	assert_non_null(strstr(b.p, want));
	assert_null(strstr(b.p, "\xe2"));
	sw_metrics_free(m);
}

static void test_families(void **state)
{
	static const char *const good[] = { "a", "b", NULL }, *const le[] = { "le", NULL }, *const twice[] = { "a", "a", NULL }, *const under[] = { "__a", NULL },
		*const odd[] = { "a-b", NULL }, *const empty[] = { "", NULL }, *const eight[] = { "a", "b", "c", "d", "e", "f", "g", "h", NULL },
		*const nine[] = { "a", "b", "c", "d", "e", "f", "g", "h", "i", NULL };
	static const double rising[SW_METRIC_BOUNDS + 1] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21 }, falling[] = { 2, 1 },
	                    same[] = { 1, 1 }, nan[] = { NAN };
	struct sw_metrics *m;
	struct sw_metric *c;
	char names[SW_METRIC_FAMILIES + 1][16];

	assert_int_equal(sw_metrics_new(0, &m), -EINVAL);
	assert_int_equal(sw_metrics_new(1025, &m), -EINVAL);
	assert_int_equal(sw_metrics_new(1, &m), 0);
#define WRONG(call, code) (errno = 0, assert_null(call), assert_int_equal(errno, code))
	WRONG(sw_metric_counter(m, "9a", "", NULL, 1), EINVAL);
	WRONG(sw_metric_counter(m, "", "", NULL, 1), EINVAL);
	WRONG(sw_metric_counter(m, NULL, "", NULL, 1), EINVAL);
	WRONG(sw_metric_counter(m, "a b", "", NULL, 1), EINVAL);
	WRONG(sw_metric_counter(m, "a", "", twice, 1), EINVAL);
	WRONG(sw_metric_counter(m, "a", "", under, 1), EINVAL);
	WRONG(sw_metric_counter(m, "a", "", odd, 1), EINVAL);
	WRONG(sw_metric_counter(m, "a", "", empty, 1), EINVAL);
	WRONG(sw_metric_counter(m, "a", "", nine, 1), EINVAL);
	WRONG(sw_metric_histogram(m, "a", "", le, 1, rising, 2), EINVAL);
	WRONG(sw_metric_histogram(m, "a", "", NULL, 1, rising, SW_METRIC_BOUNDS + 1), EINVAL);
	WRONG(sw_metric_histogram(m, "a", "", NULL, 1, falling, 2), EINVAL);
	WRONG(sw_metric_histogram(m, "a", "", NULL, 1, same, 2), EINVAL);
	WRONG(sw_metric_histogram(m, "a", "", NULL, 1, nan, 1), EINVAL);
	/* what could not be made does nothing */
	sw_metric_add(NULL, NULL, 1);
	sw_metric_observe(NULL, NULL, 1);
	assert_null(sw_metric_series(NULL, NULL));
	sw_series_add(NULL, 1);
	c = sw_metric_counter(m, "ns:c_total", "", good, 1);
	assert_non_null(c);
	assert_ptr_equal(sw_metric_counter(m, "ns:c_total", "", good, 1), c);
	WRONG(sw_metric_counter(m, "ns:c_total", "", le, 1), EEXIST);
	WRONG(sw_metric_gauge(m, "ns:c_total", "", good, 1, false), EEXIST);
	assert_non_null(sw_metric_counter(m, "le_is_a_label_here", "", le, 1));
	assert_non_null(sw_metric_counter(m, "eight", "", eight, 1));
	assert_non_null(sw_metric_histogram(m, "twenty", "", NULL, 1, rising, SW_METRIC_BOUNDS));
	for (int i = 4; i <= SW_METRIC_FAMILIES; i++) {
		(void)snprintf(names[i], sizeof names[i], "f%d", i);
		if (i < SW_METRIC_FAMILIES)
			assert_non_null(sw_metric_counter(m, names[i], "", NULL, 1));
		else
			WRONG(sw_metric_counter(m, names[i], "", NULL, 1), ENOSPC);
	}
	sw_metrics_free(m);
}

/* What is no number, or not of the kind, changes nothing. */
static void test_odd_numbers(void **state)
{
	struct sw_metrics *m;
	struct sw_metric *c, *g, *h;

	assert_int_equal(sw_metrics_new(1, &m), 0);
	c = sw_metric_counter(m, "c_total", "C\\\n.", NULL, 0);
	g = sw_metric_gauge(m, "g", "G.", NULL, 0, false);
	h = sw_metric_histogram(m, "h", "H.", NULL, 0, bounds, 2);
	sw_metric_add(c, NULL, 2);
	sw_metric_add(c, NULL, -1);
	sw_metric_add(c, NULL, NAN);
	sw_metric_add(c, NULL, INFINITY);
	sw_metric_set(c, NULL, 9);
	sw_metric_observe(c, NULL, 9);
	sw_metric_add(g, NULL, -3.5);
	sw_metric_set(g, NULL, NAN);
	sw_metric_observe(h, NULL, NAN);
	sw_metric_observe(h, NULL, -INFINITY);
	sw_metric_add(h, NULL, 1);
	expect_text(m, "# HELP c_total C\\\\\\n.\n# TYPE c_total counter\nc_total 2\n# HELP g G.\n# TYPE g gauge\ng -3.5\n"
	               "# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"0.1\"} 0\nh_bucket{le=\"1\"} 0\nh_bucket{le=\"+Inf\"} 0\nh_sum 0\nh_count 0\n");
	sw_metrics_free(m);
}

static void test_handles(void **state)
{
	struct sw_metrics *m;
	struct sw_metric *c, *h;
	struct sw_series *a, *b;
	const char *const x[] = { "x", "1" }, *const y[] = { "y", "1" }, *const z[] = { "z", "1" };

	assert_int_equal(sw_metrics_new(2, &m), 0);
	c = sw_metric_counter(m, "c_total", "C.", labels, 2);
	h = sw_metric_histogram(m, "h", "H.", NULL, 1, bounds, 2);
	a = sw_metric_series(c, x);
	b = sw_metric_series(c, y);
	assert_ptr_equal(sw_metric_series(c, x), a);
	assert_ptr_not_equal(a, b);
	/* past the limit all are one */
	assert_ptr_equal(sw_metric_series(c, z), sw_metric_series(c, (const char *const[]){ "w", NULL }));
	sw_series_add(a, 2);
	sw_metric_add(c, x, 1);
	sw_series_add(sw_metric_series(c, z), 5);
	sw_series_observe(sw_metric_series(h, NULL), 0.5);
	assert_true(fabs(sw_series_value(a) - 3) < 1e-9);
	assert_true(fabs(sw_series_value(sw_metric_series(h, NULL)) - 1) < 1e-9);
	/* they go on in another part */
	sw_metrics_become(m, 1);
	sw_series_add(a, 4);
	assert_true(fabs(sw_series_value(a) - 4) < 1e-9);
	assert_ptr_equal(sw_metric_series(c, x), a);
	SW_METRIC_INC(c, "v", "1");
	expect_text(m, "# HELP c_total C.\n# TYPE c_total counter\nc_total{route=\"x\",code=\"1\"} 7\nc_total{route=\"y\",code=\"1\"} 0\n"
	               "c_total{route=\"other\",code=\"other\"} 6\n"
	               "# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"0.1\"} 0\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 0.5\nh_count 1\n");
	sw_metrics_free(m);
}

/* A part full of series: the rest is dropped, counted, and nothing else is harmed. */
static void test_full(void **state)
{
	static const char *const one[] = { "v", NULL };
	static char names[SW_METRIC_FAMILIES][16];
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_metrics *m;
	struct sw_metric *f[3];
	char value[64];

	assert_int_equal(sw_metrics_new(1, &m), 0);
	for (int i = 0; i < 3; i++) {
		(void)snprintf(names[i], sizeof names[i], "h%d", i);
		f[i] = sw_metric_histogram(m, names[i], "", one, 1000000, NULL, 0);
		for (int k = 0; k < SW_METRIC_SERIES; k++) {
			(void)snprintf(value, sizeof value, "%d", k);
			sw_metric_observe(f[i], (const char *const[]){ value }, 1);
		}
	}
	assert_null(sw_metric_series(f[2], (const char *const[]){ "new" }));
	assert_non_null(sw_metric_series(f[0], (const char *const[]){ "0" }));
	sw_metrics_print(m, &b);
	assert_non_null(strstr(b.p, "\n# TYPE probe_dropped_total counter\nprobe_dropped_total "));
	assert_non_null(strstr(b.p, "h0_count{v=\"0\"} 1\n"));
	sw_metrics_free(m);
}

/* ---- threads ---- */

enum { THREADS = 8, ROUNDS = 20000 };
static struct {
	struct sw_metric *c, *g, *h, *many;
	struct sw_series *handle;
	struct sw_metrics *m;
} shared;

static void *hammer(void *arg)
{
	char value[16];

	for (int i = 0; i < ROUNDS; i++) {
		sw_metric_add(shared.c, NULL, 1);
		sw_series_add(shared.handle, 0.5);
		sw_metric_add(shared.g, NULL, i % 2 ? 1 : -1);
		sw_metric_observe(shared.h, NULL, i % 3);
		(void)snprintf(value, sizeof value, "%d", i % 40);
		SW_METRIC_INC(shared.many, value, "1");
		if (i % 5000 == 0) {
			char *text;
			size_t n;

			assert_int_equal(sw_metrics_text(shared.m, &text, &n), 0);
			assert_int_equal(strlen(text), n);
			free(text);
		}
	}
	return NULL;
}

static void test_threads(void **state)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	pthread_t threads[THREADS];
	double sum = 0;

	assert_int_equal(sw_metrics_new(1, &shared.m), 0);
	shared.c = sw_metric_counter(shared.m, "c_total", "C.", NULL, 0);
	shared.g = sw_metric_gauge(shared.m, "g", "G.", NULL, 0, false);
	shared.h = sw_metric_histogram(shared.m, "h", "H.", NULL, 0, bounds, 2);
	shared.many = sw_metric_counter(shared.m, "many_total", "M.", labels, 20);
	shared.handle = sw_metric_series(shared.many, (const char *const[]){ "handle", "" });
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	sw_metrics_print(shared.m, &b);
	assert_non_null(strstr(b.p, "\nc_total 160000\n"));
	assert_non_null(strstr(b.p, "\ng 0\n"));
	assert_non_null(strstr(b.p, "\nh_bucket{le=\"0.1\"} 53336\nh_bucket{le=\"1\"} 106672\nh_bucket{le=\"+Inf\"} 160000\nh_sum 159992\nh_count 160000\n"));
	assert_non_null(strstr(b.p, "\nmany_total{route=\"handle\",code=\"\"} 80000\n"));
	/* 20 and "other", and none was counted twice or not at all */
	for (const char *p = strstr(b.p, "\nmany_total{"); p; p = strstr(p + 1, "\nmany_total{"))
		sum += strstr(p, "handle") == p + 19 ? 0 : strtod(strchr(p, '}') + 1, NULL);
	assert_true(fabs(sum - THREADS * ROUNDS) < 0.5);
	sw_metrics_free(shared.m);
}

/* Real processes: the parent tells what its children counted. */
static void test_forked(void **state)
{
	struct sw_metrics *m;
	struct sw_metric *c;
	struct sw_series *s;
	int status;

	assert_int_equal(sw_metrics_new(3, &m), 0);
	c = sw_metric_counter(m, "c_total", "C.", labels, 5);
	s = sw_metric_series(c, (const char *const[]){ "a", "" });
	for (unsigned k = 0; k < 2; k++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			sw_metrics_become(m, k);
			for (int i = 0; i < 1000; i++) {
				sw_series_add(s, 1);
				SW_METRIC_INC(c, k ? "one" : "zero", "");
			}
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	sw_metrics_become(m, 2);
	sw_series_add(s, 1);
	expect_text(m, "# HELP c_total C.\n# TYPE c_total counter\nc_total{route=\"a\",code=\"\"} 2001\nc_total{route=\"zero\",code=\"\"} 1000\n"
	               "c_total{route=\"one\",code=\"\"} 1000\n");
	sw_metrics_free(m);
}

static void collected(void *arg)
{
	sw_metric_add(arg, NULL, 1);
}

static void test_told_when_printed(void **state)
{
	const struct sw_build one = { "1.4.0", "abc\"def\n\\", "x" }, two = { "1.5.0", NULL, NULL };
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_metrics *m;
	struct sw_requests *r;

	assert_int_equal(sw_metrics_new(1, &m), 0);
	for (int i = 0; i < 7; i++)
		assert_int_equal(sw_metrics_on_print(m, collected, sw_metric_gauge(m, "g", "G.", NULL, 1, false)), 0);
	sw_metrics_build_info(m, "build_info", &one);
	sw_metrics_process(m); /* the eighth */
	assert_int_equal(sw_metrics_on_print(m, collected, NULL), -ENOSPC);
	r = sw_requests_new(m);
	sw_requests_expect(r, "GET", "/", 500);
	sw_requests_count(r, "GET", "/", 200, 0.02);
	sw_requests_count(r, "BREW", "/", 99999, 0.02);
	sw_requests_count(r, NULL, "/", -1, 0.02);
	sw_metrics_print(m, &b);
	assert_non_null(strstr(b.p, "\ng 7\n"));
	assert_non_null(strstr(b.p, "\nbuild_info{version=\"1.4.0\",commit=\"abc\\\"def\\n\\\\\"} 1\n"));
	assert_non_null(strstr(b.p, "\nhttp_requests_total{code=\"200\",handler=\"/\",method=\"GET\"} 1\n"));
	assert_non_null(strstr(b.p, "\nhttp_requests_total{code=\"500\",handler=\"/\",method=\"GET\"} 0\n"));
	assert_non_null(strstr(b.p, "\nhttp_requests_total{code=\"0\",handler=\"/\",method=\"other\"} 2\n"));
	assert_non_null(strstr(b.p, "\nhttp_request_duration_seconds_bucket{handler=\"/\",method=\"GET\",le=\"0.025\"} 1\n"));
	assert_true(strtod(strstr(b.p, "\nprocess_resident_memory_bytes ") + 31, NULL) > 100000);
	assert_true(strtod(strstr(b.p, "\nprocess_start_time_seconds ") + 28, NULL) > 1.6e9);
	assert_true(strtod(strstr(b.p, "\nprocess_open_fds ") + 18, NULL) >= 3);
	/* another version instead of the one before */
	sw_metrics_build_info(m, "build_info", &two);
	sw_buf_reset(&b);
	sw_metrics_print(m, &b);
	assert_non_null(strstr(b.p, "\nbuild_info{version=\"1.5.0\",commit=\"unknown\"} 1\n"));
	assert_null(strstr(b.p, "1.4.0"));
	sw_requests_free(r);
	sw_metrics_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_print), cmocka_unit_test(test_moment), cmocka_unit_test(test_bounded), cmocka_unit_test(test_processes),
		cmocka_unit_test(test_long_values), cmocka_unit_test(test_families), cmocka_unit_test(test_odd_numbers), cmocka_unit_test(test_handles),
		cmocka_unit_test(test_full), cmocka_unit_test(test_threads), cmocka_unit_test(test_forked), cmocka_unit_test(test_told_when_printed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
