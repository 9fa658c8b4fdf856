/* Readings of a signal: order, doubles, what a full series forgets, and that a number is written as it was read. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "engine/place.h"

static struct series sr;
static struct sw_arena arena;

static int fresh(void **state)
{
	(void)state;
	sw_arena_fini(&arena);
	arena = (struct sw_arena){ 0 };
	memset(&sr, 0, sizeof sr);
	sr.name = "http_latency_p95";
	return 0;
}

static bool add(sw_ms at, double v)
{
	return sw_readings_add(&sr, &(struct sw_sample){ .signal = sr.name, .at = at, .value = v });
}

/* To JSON and back; the text. */
static const char *again(void)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_jnode *node;
	struct sw_jw w;
	const char *text;

	sw_jw_init(&w, &b);
	sw_readings_write(&sr, &w);
	text = sw_arena_strdup(&arena, sw_buf_str(&b));
	sw_buf_fini(&b);
	assert_int_equal(sw_jtree_parse(&arena, text, strlen(text), 1000, &node, NULL), 0);
	sw_readings_read(node, &sr);
	return text;
}

static void test_order(void **state)
{
	(void)state;
	assert_true(add(3000, 3));
	assert_true(add(1000, 1));
	assert_true(add(2000, 2));
	assert_false(add(2000, 5)); /* told twice */
	assert_int_equal(sr.n, 3);
	for (size_t i = 0; i < 3; i++)
		assert_true(sr.s[i].value == (double)(i + 1));
}

static void test_full(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++)
		assert_true(add(1000 * (i + 1), i));
	assert_int_equal(sr.n, PLACE_SAMPLES);
	assert_int_equal(sr.s[0].at, 1000); /* the first stays, the newest 48 stay as they are */
	for (size_t i = 0; i < 48; i++)
		assert_int_equal(sr.s[PLACE_SAMPLES - 1 - i].at, 1000 * (200 - (int)i));
	for (size_t i = 1; i < sr.n; i++)
		assert_true(sr.s[i].at > sr.s[i - 1].at);
	assert_false(add(500, 0)); /* older than all of a full one */
	assert_true(sw_readings_keep(&sr, PLACE_SAMPLES_LEAST));
	assert_false(sw_readings_keep(&sr, PLACE_SAMPLES_LEAST));
	assert_int_equal(sr.n, PLACE_SAMPLES_LEAST);
	assert_int_equal(sr.s[sr.n - 1].at, 200000);
}

static void test_text(void **state)
{
	struct sw_sample error = { .signal = "x", .at = 4000, .reading = SW_R_ERROR, .text = "no answer" };
	const char *text;

	(void)state;
	(void)add(1000, 0.312345678);
	(void)sw_readings_add(&sr, &(struct sw_sample){ .signal = "x", .at = 2500, .value = 0.02, .count = 812 });
	(void)sw_readings_add(&sr, &error);
	text = again();
	assert_string_equal(text, "{\"name\":\"http_latency_p95\",\"t\":1000,\"s\":[[0,0.3123457],[1500,0.02,812],[1500,\"error\",0,\"no answer\"]]}");
	assert_string_equal(again(), text); /* and ever again */
	assert_int_equal(sr.s[2].at, 4000);
	assert_int_equal(sr.s[2].reading, SW_R_ERROR);
	assert_string_equal(sr.s[2].text, "no answer");
	assert_true(sr.s[1].count == 812);
}

/* Digits move with their readings, whatever is put in between, forgotten or cut. */
static void test_digits_stay_with_their_reading(void **state)
{
	(void)state;
	for (int i = 0; i < 300; i++) {
		(void)add(1000 * (i % 7 ? i + 1 : i - 2), 0.5 + i);
		if (i % 3 == 0)
			(void)again();
		if (i % 50 == 49)
			(void)sw_readings_keep(&sr, 20);
	}
	(void)again();
	for (size_t i = 0; i < sr.n; i++) {
		double was = sr.s[i].value;

		assert_true(sr.digits[i] && strtod(sr.digits[i], NULL) == was);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_order, fresh), cmocka_unit_test_setup(test_full, fresh), cmocka_unit_test_setup(test_text, fresh),
		cmocka_unit_test_setup(test_digits_stay_with_their_reading, fresh),
	};
	int r = cmocka_run_group_tests(tests, NULL, NULL);

	sw_arena_fini(&arena);
	return r;
}
