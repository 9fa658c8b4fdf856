/* Recordings and what is made of them: limits, order, which sample answers, which deployments were bad, intervals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/replay.h"

static void line(struct recording *r, const char *text)
{
	struct sw_err err = SW_ERR_INIT;

	if (sw_recording_line(r, text, strlen(text), &err) < 0)
		fail_msg("%s: %s", text, err.text);
}

static void deployed(struct recording *r, int minute, const char *sha)
{
	char text[400];

	(void)snprintf(text, sizeof text,
	               "{\"t\":\"event\",\"at\":%lld,\"ev\":{\"kind\":\"deployment\",\"status\":\"success\",\"repo\":\"acme/web\","
	               "\"environment\":\"production\",\"sha\":\"%s\"}}",
	               1790000000000LL + minute * 60000LL, sha);
	line(r, text);
}

static void test_samples_answer(void **state)
{
	struct recording r;
	const struct rec_series *s;

	(void)state;
	sw_recording_init(&r);
	line(&r, "{\"t\":\"sample\",\"at\":3000,\"place\":\"web/prod\",\"source\":\"prometheus\",\"signal\":\"requests\",\"v\":3,\"n\":7,\"text\":\"x\"}");
	line(&r, "{\"t\":\"sample\",\"at\":1000,\"place\":\"web/prod\",\"source\":\"prometheus\",\"signal\":\"requests\",\"r\":\"nan\"}  ");
	line(&r, "{\"t\":\"sample\",\"at\":3000,\"place\":\"web/prod\",\"source\":\"prometheus\",\"signal\":\"requests\",\"v\":4}");
	line(&r, "");
	sw_recording_finish(&r);
	assert_int_equal(r.first, 1000);
	assert_int_equal(r.last, 3000);
	assert_null(sw_recording_series(&r, "web/prod", "restarts"));
	assert_null(sw_recording_series(&r, "db/prod", "requests"));
	s = sw_recording_series(&r, "web/prod", "requests");
	assert_int_equal(s->n, 2); /* told twice in one moment: the first in order of value */
	assert_null(sw_recording_at(s, 999, 10000));
	assert_int_equal(sw_recording_at(s, 1000, 1)->reading, SW_R_NAN);
	assert_ptr_equal(sw_recording_at(s, 2999, 2000), &s->items[0]);
	assert_null(sw_recording_at(s, 3000 + 500, 500));
	assert_true(sw_recording_at(s, 3000 + 499, 500)->value == 3);
	assert_string_equal(s->items[1].text, "x");
	assert_null(sw_recording_at(NULL, 1, 1));
	sw_recording_fini(&r);
}

static void count_told(void *arg, const char *text)
{
	(void)text;
	++*(int *)arg;
}

static void test_limits_of_a_file(void **state)
{
	static const char sample[] = "{\"t\":\"sample\",\"at\":1,\"place\":\"web/prod\",\"source\":\"health\",\"signal\":\"health\",\"v\":1}";
	char path[] = "/tmp/sw-test-XXXXXX", *long_line = sw_malloc(RECORDING_LINE + 2);
	struct sw_err err = SW_ERR_INIT;
	struct recording r;
	int told = 0, fd = mkstemp(path);
	FILE *f;

	(void)state;
	assert_true(fd >= 0);
	f = fdopen(fd, "w");
	memset(long_line, ' ', RECORDING_LINE + 1);
	memcpy(long_line, sample, strlen(sample));
	(void)fwrite(long_line, 1, RECORDING_LINE, f); /* the longest line there may be, */
	(void)fputc('\n', f);
	(void)fwrite(long_line, 1, RECORDING_LINE + 1, f); /* and one byte more */
	(void)fprintf(f, "\n%s", sample); /* the last line needs no end */
	(void)fclose(f);
	sw_recording_init(&r);
	assert_int_equal(sw_recording_read(&r, path, count_told, &told, &err), 0);
	assert_int_equal(r.n_samples, 2);
	assert_int_equal(r.skipped, 1);
	assert_int_equal(told, 1);
	sw_recording_fini(&r);
	sw_recording_init(&r);
	r.lines_max = 3;
	assert_int_equal(sw_recording_read(&r, path, NULL, NULL, &err), 0);
	assert_int_equal(sw_recording_read(&r, path, NULL, NULL, &err), -E2BIG);
	assert_non_null(strstr(err.text, "more than 3 lines"));
	sw_recording_fini(&r);
	sw_recording_init(&r);
	assert_int_equal(sw_recording_read(&r, "/nowhere/at/all", NULL, NULL, &err), -ENOENT);
	sw_recording_fini(&r);
	(void)unlink(path);
	free(long_line);
}

static void test_which_deployments_were_bad(void **state)
{
	static const struct { const char *sha; bool bad, back; enum replay_known known; } want[] = {
		{ "aaaaaaa1", false, false, REPLAY_ASSUMED },   { "bbbbbbb1", true, false, REPLAY_ROLLED_BACK }, { "aaaaaaa1", false, true, REPLAY_ASSUMED },
		{ "ccccccc1", false, false, REPLAY_ASSUMED },   { "aaaaaaa1", false, true, REPLAY_ASSUMED },    { "ddddddd1", true, false, REPLAY_LABELLED },
		{ "eeeeeee1", false, false, REPLAY_LABELLED }, { "ddddddd1", true, true, REPLAY_LABELLED },
	};
	struct sw_arena a = { 0 };
	struct replay_truth t;
	struct sw_places places;
	struct recording r;

	(void)state;
	sw_recording_init(&r);
	deployed(&r, 0, "aaaaaaa1");
	deployed(&r, 100, "bbbbbbb1");
	deployed(&r, 101, "bbbbbbb1"); /* another fact about the same */
	deployed(&r, 160, "aaaaaaa1"); /* taken back within the hour, just */
	deployed(&r, 200, "ccccccc1");
	deployed(&r, 261, "aaaaaaa1"); /* a minute too late to say so */
	deployed(&r, 300, "ddddddd1");
	deployed(&r, 400, "eeeeeee1");
	deployed(&r, 410, "ddddddd1");
	line(&r, "{\"t\":\"label\",\"at\":1,\"place\":\"web/production\",\"deployment\":\"ddddddd\",\"good\":true}");
	line(&r, "{\"t\":\"label\",\"at\":2,\"place\":\"web/production\",\"deployment\":\"ddddddd1\",\"good\":false}"); /* the later counts */
	line(&r, "{\"t\":\"label\",\"at\":2,\"place\":\"web/production\",\"deployment\":\"eeeeeee1\",\"good\":true}"); /* more than what happened */
	sw_recording_finish(&r);
	places = sw_replay_places(&r, &a);
	assert_int_equal(places.n, 1);
	assert_string_equal(places.items[0].tier, "prod");
	sw_replay_truth(&r, &places, 0, &t);
	assert_int_equal(t.n, SW_COUNT(want));
	for (size_t i = 0; i < t.n; i++) {
		assert_string_equal(t.items[i].sha, want[i].sha);
		assert_int_equal(t.items[i].bad, want[i].bad);
		assert_int_equal(t.items[i].is_rollback, want[i].back);
		assert_int_equal(t.items[i].known, want[i].known);
	}
	assert_int_equal(t.bad, 3);
	free(t.items);
	sw_replay_truth(&r, &places, 1790000000000LL + 300 * 60000LL, &t);
	assert_int_equal(t.n, 3);
	free(t.items);
	sw_recording_fini(&r);
	sw_arena_fini(&a);
}

static void test_wilson(void **state)
{
	static const struct { size_t k, n; double lo, hi; } cases[] = {
		{ 0, 0, 0, 1 }, { 0, 10, 0, 0.2775 }, { 5, 10, 0.2366, 0.7634 }, { 10, 10, 0.7225, 1 }, { 1, 100, 0.0018, 0.0545 }, { 0, 1, 0, 0.7935 },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(cases); i++) {
		double lo, hi;

		sw_replay_wilson(cases[i].k, cases[i].n, &lo, &hi);
		assert_true(fabs(lo - cases[i].lo) < 0.0001 && fabs(hi - cases[i].hi) < 0.0001);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples_answer),
		cmocka_unit_test(test_limits_of_a_file),
		cmocka_unit_test(test_which_deployments_were_bad),
		cmocka_unit_test(test_wilson),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
