/* Metrics: the text they print, bounded labels, several processes as one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "io/metrics.h"

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
	               "sw_requests_total{route=\"hooks\",code=\"200\"} 2\nsw_requests_total{route=\"a_b_c__\",code=\"4\"} 1\n"
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
		assert_true(b.n < 500);
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
	sw_metric_add(c, NULL, 3);
	sw_metric_set(g, NULL, 5);
	sw_metric_set(most, NULL, 5);
	sw_metrics_become(m, 1);
	sw_metric_add(c, NULL, 4);
	sw_metric_set(g, NULL, 6);
	sw_metric_set(most, NULL, 2);
	expect_text(m, "# HELP sw_c_total C.\n# TYPE sw_c_total counter\nsw_c_total 7\n# HELP sw_g G.\n# TYPE sw_g gauge\nsw_g 11\n"
	               "# HELP sw_most Most.\n# TYPE sw_most gauge\nsw_most 5\n");
	sw_metrics_become(m, 0);
	sw_metric_add(c, NULL, 1);
	expect_text(m, "# HELP sw_c_total C.\n# TYPE sw_c_total counter\nsw_c_total 8\n# HELP sw_g G.\n# TYPE sw_g gauge\nsw_g 6\n"
	               "# HELP sw_most Most.\n# TYPE sw_most gauge\nsw_most 2\n");
	sw_metrics_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_print), cmocka_unit_test(test_moment), cmocka_unit_test(test_bounded), cmocka_unit_test(test_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
