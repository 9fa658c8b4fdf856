/* engine/baseline: what was before a deployment as a record and back, with its earlier days; what is left out, and how large it gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "engine/baseline.h"

#define STEP    (15 * SW_SECOND)
#define BEGAN   ((sw_ms)1790000000000 / STEP * STEP)
#define ROLLOUT (4 * STEP) /* from the last point before to the end of the deployment */
#define BEFORE  120
#define LOOKS   20

static struct sw_past_ask ask_make(void)
{
	struct sw_past_ask ask = { .to = BEGAN, .baseline_from = BEGAN - (BEFORE - 1) * STEP, .logs = true, .n_days = SW_PAST_DAYS };

	ask.from = ask.day_from = ask.baseline_from;
	ask.day_after = BEGAN + ROLLOUT;
	ask.day_to = ask.day_after + LOOKS * STEP;
	return ask;
}

static struct sw_past past_make(struct sw_arena *a, sw_ms from, size_t n, double value)
{
	struct sw_past p = { .from = from, .step = STEP, .n = n, .value = SW_ARENA_ARRAY(a, double, n) };

	for (size_t i = 0; i < n; i++)
		p.value[i] = value;
	return p;
}

/* Of day k: 100 k before, 200 k after, in between 9999. */
static struct sw_past *days_make(struct sw_arena *a, const struct sw_past_ask *ask)
{
	struct sw_past *days = SW_ARENA_ARRAY(a, struct sw_past, SW_PAST_DAYS);

	for (unsigned k = 1; k <= SW_PAST_DAYS; k++) {
		struct sw_past *d = &days[k - 1];

		*d = past_make(a, ask->day_from - (sw_dur)k * SW_DAY, (size_t)((ask->day_to - ask->day_from) / STEP + 1), 9999);
		for (size_t i = 0; i < BEFORE; i++)
			d->value[i] = 100 * k;
		for (size_t i = d->n - LOOKS - 1; i < d->n; i++)
			d->value[i] = 200 * k;
	}
	return days;
}

/* The record of a message. */
static bool record_read(const char *msg, struct sw_arena *a, struct baseline *ret)
{
	struct sw_jnode *node;

	assert_int_equal(sw_jtree_parse(a, msg, strlen(msg), 10000, &node, NULL), 0);
	return sw_baseline_read(sw_jget(node, "rec"), a, ret);
}

static void test_days(void **state)
{
	struct sw_arena a = { 0 };
	struct sw_past_ask ask = ask_make();
	struct sw_past past = past_make(&a, ask.from, BEFORE, 0.3), *days = days_make(&a, &ask);
	struct baseline b;

	(void)state;
	days[1] = (struct sw_past){ 0 };         /* was not answered */
	for (size_t i = 29; i < days[2].n; i++)  /* 29 before, nothing after */
		days[2].value[i] = NAN;
	for (size_t i = 30; i < BEFORE; i++)     /* 30 before are enough */
		days[3].value[i] = NAN;
	for (size_t i = days[4].n - 3; i-- > BEFORE;) /* 3 after are not */
		days[4].value[i] = NAN;
	for (size_t i = days[5].n - 4; i-- > BEFORE;) /* 4 are */
		days[5].value[i] = NAN;
	assert_true(sw_baseline_days_wanted(&past, &ask));
	assert_true(record_read(sw_baseline_message("d1", "http_latency_p95", &past, days, &ask, &a), &a, &b));
	assert_int_equal(b.n, BEFORE);
	assert_int_equal(b.day_after, ask.day_after);
	assert_int_equal(b.n_days, 4);
	for (size_t i = 0; i < b.n_days; i++) {
		static const unsigned back[] = { 1, 4, 6, 7 };
		const struct baseline_day *d = &b.days[i];

		assert_int_equal(d->back, back[i]);
		assert_int_equal(d->m, BASELINE_DAY_X);
		assert_int_equal(d->n, LOOKS + 1);
		assert_true(d->x[0] == 100 * back[i]);
		assert_true(d->y[d->n - 1] == 200 * back[i]);
		assert_true(back[i] == 6 ? isnan(d->y[0]) : d->y[0] == 200 * back[i]);
		assert_true(back[i] == 4 ? isnan(d->x[d->m - 1]) : d->x[d->m - 1] == 100 * back[i]);
	}
	sw_arena_fini(&a);
}

/* Times of other deployments are left out of days as well. */
static void test_holes(void **state)
{
	struct sw_arena a = { 0 };
	struct sw_past_ask ask = ask_make();
	sw_ms holes[][2] = { { BEGAN - 2 * SW_DAY - 25 * SW_MINUTE, BEGAN - 2 * SW_DAY }, { ask.day_after - 3 * SW_DAY, ask.day_after - 3 * SW_DAY + STEP } };
	struct sw_past past = past_make(&a, ask.from, BEFORE, 0.3), *days = days_make(&a, &ask);
	struct baseline b;

	(void)state;
	ask.holes = (const sw_ms (*)[2])holes;
	ask.n_holes = SW_COUNT(holes);
	assert_true(record_read(sw_baseline_message("d1", "http_latency_p95", &past, days, &ask, &a), &a, &b));
	assert_int_equal(b.n_days, SW_PAST_DAYS - 1);
	assert_int_equal(b.days[1].back, 3);
	assert_true(isnan(b.days[1].y[0]) && isnan(b.days[1].y[1]) && b.days[1].y[2] == 600);
	sw_arena_fini(&a);
}

static void test_not_wanted(void **state)
{
	struct sw_arena a = { 0 };
	struct sw_past_ask ask = ask_make();
	struct sw_past past = past_make(&a, ask.from, BEFORE, 0.3), *days = days_make(&a, &ask);
	struct baseline b;

	(void)state;
	for (size_t i = 29; i < past.n; i++)
		past.value[i] = NAN;
	assert_false(sw_baseline_days_wanted(&past, &ask)); /* no baseline */
	past.value[29] = 0.3;
	assert_true(sw_baseline_days_wanted(&past, &ask));
	assert_true(record_read(sw_baseline_message("d1", "s", &past, NULL, &ask, &a), &a, &b)); /* of no day anything is known */
	assert_int_equal(b.n_days, 0);
	past.count = SW_ARENA_ARRAY(&a, double, past.n);
	past.count[0] = 7;
	assert_false(sw_baseline_days_wanted(&past, &ask)); /* counts */
	assert_true(record_read(sw_baseline_message("d1", "s", &past, days, &ask, &a), &a, &b));
	assert_int_equal(b.n_days, 0);
	past.count = NULL;
	ask.n_days = 0;
	assert_false(sw_baseline_days_wanted(&past, &ask));
	past = (struct sw_past){ .step = STEP };
	ask.n_days = SW_PAST_DAYS;
	assert_false(sw_baseline_days_wanted(&past, &ask)); /* nothing at all */
	sw_arena_fini(&a);
}

/* Numbers as long as they get, everything as many as there may be: the record keeps its limit, the nearest days come first. */
static void test_size(void **state)
{
	static const unsigned looks[BASELINE_CALS] = { 36, 35, 34 }; /* 300 pseudo-deployments each */
	struct sw_arena a = { 0 };
	struct sw_past_ask ask = ask_make();
	struct sw_past past, *days;
	struct baseline b;
	const char *msg;

	(void)state;
	ask.from = BEGAN - 10999 * STEP;
	ask.baseline_from = BEGAN - 479 * STEP;
	ask.day_from = BEGAN - 239 * STEP;
	ask.day_to = ask.day_after + 99 * STEP;
	ask.looks = looks;
	ask.n_looks = SW_COUNT(looks);
	ask.logs = false;
	past = past_make(&a, ask.from, 11000, 0);
	for (size_t i = 0; i < past.n; i++)
		past.value[i] = -1.23456e-105 * (double)(100 + i * 7919 % 97);
	days = days_make(&a, &ask);
	for (size_t k = 0; k < SW_PAST_DAYS; k++)
		for (size_t i = 0; i < days[k].n; i++)
			days[k].value[i] = past.value[i] * 1.0123;
	msg = sw_baseline_message("d1", "http_latency_p95", &past, days, &ask, &a);
	assert_true(strlen(msg) <= BASELINE_BYTES + 16);
	assert_true(record_read(msg, &a, &b));
	assert_int_equal(b.n, BASELINE_POINTS);
	assert_int_equal(b.n_cals, BASELINE_CALS);
	if (b.n_days < 3 || b.n_days >= SW_PAST_DAYS)
		fail_msg("%zu days, %zu bytes", b.n_days, strlen(msg));
	assert_int_equal(b.days[0].back, 1);
	assert_int_equal(b.days[0].n, BASELINE_DAY_Y);
	/* as they usually are: all fit */
	for (size_t i = 0; i < past.n; i++)
		past.value[i] = 0.3 + 0.001 * (double)(i * 7919 % 97);
	for (size_t k = 0; k < SW_PAST_DAYS; k++)
		for (size_t i = 0; i < days[k].n; i++)
			days[k].value[i] = past.value[i] * 1.0123;
	msg = sw_baseline_message("d1", "http_latency_p95", &past, days, &ask, &a);
	assert_true(record_read(msg, &a, &b));
	if (b.n_days != SW_PAST_DAYS)
		fail_msg("%zu days, %zu bytes", b.n_days, strlen(msg));
	sw_arena_fini(&a);
}

/* Records of others: too many days, too long ones, none, something else. */
static void test_odd(void **state)
{
	static const char *const recs[] = {
		"{\"rec\":{\"step\":15000,\"v\":[1],\"days\":3}}",
		"{\"rec\":{\"step\":15000,\"v\":[1],\"days\":[1,null,{},{\"x\":1,\"y\":[1]},{\"x\":[1]}]}}",
		"{\"rec\":{\"step\":15000,\"v\":[1]}}",
	};
	struct sw_arena a = { 0 };
	struct sw_buf t = SW_BUF_INIT;
	struct baseline b;

	(void)state;
	for (size_t i = 0; i < SW_COUNT(recs); i++) {
		assert_true(record_read(recs[i], &a, &b));
		assert_int_equal(b.n_days, 0);
	}
	sw_buf_cat(&t, "{\"rec\":{\"step\":15000,\"v\":[1],\"days\":[");
	for (int k = 0; k < 9; k++) {
		sw_buf_printf(&t, "%s{\"k\":%d,\"x\":[", k ? "," : "", k + 1);
		for (int i = 0; i < 20; i++)
			sw_buf_printf(&t, "%s%d", i ? "," : "", i);
		sw_buf_cat(&t, "],\"y\":[");
		for (int i = 0; i < 70; i++)
			sw_buf_cat(&t, i ? ",\"x\"" : "2");
		sw_buf_cat(&t, "]}");
	}
	sw_buf_cat(&t, "]}}");
	assert_true(record_read(sw_buf_str(&t), &a, &b));
	assert_int_equal(b.n_days, SW_PAST_DAYS);
	assert_int_equal(b.days[6].back, 7);
	assert_int_equal(b.days[6].m, BASELINE_DAY_X);
	assert_int_equal(b.days[6].n, BASELINE_DAY_Y);
	assert_true(b.days[6].y[0] == 2 && isnan(b.days[6].y[1]));
	sw_buf_fini(&t);
	sw_arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_days), cmocka_unit_test(test_holes), cmocka_unit_test(test_not_wanted),
		cmocka_unit_test(test_size), cmocka_unit_test(test_odd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
