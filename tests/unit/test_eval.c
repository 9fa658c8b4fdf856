/* Expressions with readings: Kleene logic, what is never unknown, and holds step by step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "rules/expr.h"

/* A world of three signals, a few fields and a clock. */
struct world {
	struct sw_value a, b, health;
	sw_ms a_at, b_at, health_at, now;
	const char *version;
	enum sw_truth changed;
};

static void field(void *arg, enum sw_field_id id, const char *key, struct sw_value *ret)
{
	static const struct sw_value shas[] = { { .type = SW_V_STRING, .str = "bad1" }, { .type = SW_V_STRING, .str = "bad2" } };

	(void)arg;
	*ret = (struct sw_value){ .type = SW_V_NULL };
	if (id == SW_F_BRANCH)
		*ret = (struct sw_value){ .type = SW_V_STRING, .str = "main" };
	else if (id == SW_F_SHA)
		*ret = (struct sw_value){ .type = SW_V_STRING, .str = "bad2" };
	else if (id == SW_F_BAD_SHAS)
		*ret = (struct sw_value){ .type = SW_V_LIST, .items = shas, .n = 2 };
	else if (id == SW_F_COMMITS)
		*ret = (struct sw_value){ .type = SW_V_LIST };
	else if (id == SW_F_COVERAGE)
		*ret = (struct sw_value){ .type = SW_V_RATIO, .reading = SW_R_ABSENT };
	else if (id == SW_F_EXIT_CODE)
		*ret = (struct sw_value){ .type = SW_V_NUMBER, .num = 2 };
	else if (id == SW_F_LABELS && sw_streq(key, "hotfix"))
		*ret = (struct sw_value){ .type = SW_V_STRING, .str = "yes" };
}

static void signal_of(void *arg, const char *signal, const char *part, enum sw_window w, sw_dur window, struct sw_value *ret, sw_ms *ret_at)
{
	const struct world *x = arg;

	(void)w;
	(void)window;
	*ret_at = sw_streq(signal, "a") ? x->a_at : sw_streq(signal, "b") ? x->b_at : x->health_at;
	*ret = sw_streq(signal, "a") ? x->a : sw_streq(signal, "b") ? x->b : x->health;
	if (part)
		*ret = (struct sw_value){ .type = SW_V_STRING, .str = x->version, .reading = x->version ? SW_R_OK : SW_R_ABSENT };
}

static enum sw_truth changed(void *arg, const char *glob)
{
	(void)glob;
	return ((const struct world *)arg)->changed;
}

static void count(void *arg, const char *func, sw_dur window, struct sw_value *ret)
{
	(void)arg;
	(void)func;
	*ret = (struct sw_value){ .type = SW_V_NUMBER, .num = (double)window / (double)SW_HOUR };
}

static const struct sw_signal_def defs[] = { { .name = "a", .type = SW_V_NUMBER, .report = "a" }, { .name = "b", .type = SW_V_DURATION, .report = "b" } };

static const struct sw_expr *compile(struct sw_arena *a, const char *text)
{
	const struct sw_expr *e;
	struct sw_err err = SW_ERR_INIT;

	if (sw_expr_compile(a, text, defs, 2, &e, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return e;
}

static enum sw_truth eval(const struct sw_expr *e, struct world *x, struct sw_hold *holds, struct sw_arena *a, bool resets)
{
	struct sw_facts f = { .arg = x, .field = field, .signal = signal_of, .changed = changed, .count = count, .now = x->now, .gap_resets = resets };
	struct sw_judged j;

	sw_expr_eval(e, &f, holds, a, &j);
	return j.truth;
}

/* a = 5, b = 2 s, health failing, unless the row says that a signal is not known. */
static const struct { const char *text; int want; } truths[] = {
	{ "a > 4", 1 }, { "a > 5", 0 }, { "a >= 5", 1 }, { "a == 5", 1 }, { "a != 5", 0 }, { "a < 5", 0 }, { "a <= 5", 1 },
	{ "b > 1500ms", 1 }, { "b > 2s", 0 }, { "b between 1s and 3s", 1 }, { "b between 3s and 4s", 0 }, { "a * 2 + 1 == 11", 1 },
	{ "a / 0 > 1", 2 }, { "-a < 0", 1 }, { "a - 5 == 0", 1 }, { "health is failing for 1 check", 1 }, { "health is healthy", 0 },
	{ "health.version == \"v2\"", 1 }, { "branch == \"main\"", 1 }, { "branch != \"main\"", 0 }, { "tag == null", 1 }, { "tag != null", 0 },
	{ "branch == null", 0 }, { "branch =~ /^ma/", 1 }, { "branch !~ /^ma/", 0 }, { "branch =~ /^MA/i", 1 }, { "branch matches \"in$\"", 1 },
	{ "tag =~ /x/", 0 }, { "tag !~ /x/", 1 }, { "branch in [\"main\", \"dev\"]", 1 }, { "branch not in [\"main\"]", 0 }, { "sha in bad_shas", 1 },
	{ "sha not in bad_shas", 0 }, { "any(commits, .title =~ /x/)", 0 }, { "all(commits, .title =~ /x/)", 2 }, { "coverage < 80%", 2 },
	{ "coverage == null", 1 }, { "coverage is absent", 1 }, { "coverage is unknown", 1 }, { "has(labels.hotfix)", 1 }, { "has(labels.none)", 0 },
	{ "has(coverage)", 0 }, { "lower(branch) == \"main\"", 1 }, { "len(branch) == 4", 1 }, { "len(bad_shas) == 2", 1 }, { "deploys(3h) == 3", 1 },
	{ "coalesce(tag, branch) == \"main\"", 1 }, { "exit_code == 2", 1 }, { "changed(\"x\")", 2 }, { "not changed(\"x\")", 2 },
	{ "a > 4 and b > 1s", 1 }, { "a > 9 and coverage < 1%", 0 }, { "coverage < 1% and a > 9", 0 }, { "a > 4 and coverage < 1%", 2 },
	{ "a > 4 or coverage < 1%", 1 }, { "a > 9 or coverage < 1%", 2 }, { "not a > 9", 1 }, { "! a > 9", 1 }, { "not coverage < 1%", 2 },
	{ "a > 9 || b > 1s && a > 4", 1 }, { "(a > 9 or b > 1s) and a > 9", 0 }, { "true", 1 }, { "false or a > 4", 1 },
};

static void test_truths(void **state)
{
	(void)state;
	for (size_t i = 0; i < SW_COUNT(truths); i++) {
		struct sw_arena a = { 0 };
		struct sw_hold holds[SW_HOLDS_MAX] = { 0 };
		struct world x = { .a = { .type = SW_V_NUMBER, .num = 5 }, .b = { .type = SW_V_DURATION, .num = 2 }, .health = { .type = SW_V_BOOL },
			           .a_at = 1000, .b_at = 1000, .health_at = 1000, .now = 1000, .version = "v2", .changed = SW_UNKNOWN };
		const struct sw_expr *e = compile(&a, truths[i].text);
		int got = (int)eval(e, &x, holds, &a, false);

		if (got != truths[i].want)
			fail_msg("%s: %d, want %d", truths[i].text, got, truths[i].want);
		sw_expr_fini((struct sw_expr *)(uintptr_t)e);
		sw_arena_fini(&a);
	}
}

/* A reading that is not OK makes comparisons unknown, and `is` tells it. */
static void test_readings(void **state)
{
	static const char *const words[] = { "ok", "absent", "nan", "stale", "error", "too_few" };

	(void)state;
	for (int r = SW_R_ABSENT; r <= SW_R_TOO_FEW; r++) {
		struct sw_arena a = { 0 };
		struct sw_hold holds[SW_HOLDS_MAX] = { 0 };
		struct world x = { .a = { .type = SW_V_NUMBER, .num = 5, .reading = (enum sw_reading)r }, .a_at = 1, .now = 1 };
		const struct sw_expr *cmp = compile(&a, "a > 4"), *is = compile(&a, sw_arena_printf(&a, "a is %s", words[r])),
				     *unk = compile(&a, "a is unknown");

		assert_int_equal(eval(cmp, &x, holds, &a, false), SW_UNKNOWN);
		assert_int_equal(eval(is, &x, holds, &a, false), SW_TRUE);
		assert_int_equal(eval(unk, &x, holds, &a, false), SW_TRUE);
		sw_arena_fini(&a);
	}
}

/*
 * Sequences: one letter a check, 10 s apart: 1 true, 0 false, ? unknown, . no new reading (the clock goes on).
 * want: what the expression says after each.
 */
static const struct { const char *text, *in, *want; bool resets; } sequences[] = {
	{ "a > 4 for 3 checks", "111", "??1", false },
	{ "a > 4 for 3 checks", "110111", "??0001", false },
	{ "a > 4 for 3 checks", "11?1", "???1", false },
	{ "a > 4 for 3 checks", "11?1", "????", true },
	{ "a > 4 for 3 checks", "11..1", "????1", false },
	{ "a > 4 for 1 check", "01", "01", false },
	{ "a > 4 for 3 of 5 checks", "1010100", "????100", false },
	{ "a > 4 for 3 of 5", "10?1?1", "?????1", false },
	{ "a > 4 for 30s", "11110", "00010", false },
	{ "a > 4 for 30s", "1?111", "0?011", false },
	{ "a > 4 for 30s", "1???11", "0???00", false },
	{ "a > 4 for 30s", "1?1111", "0?0001", true },
	{ "a > 4 for 20s", "1.1.1", "00111", false },
	{ "consecutive(a > 4) >= 2", "1101", "0100", false },
	{ "a > 4 for 2 checks and a > 4", "111", "?11", false },
	{ "a > 4 for 32 checks", "11111111111111111111111111111111", "???????????????????????????????1", false },
};

static void test_sequences(void **state)
{
	(void)state;
	for (size_t i = 0; i < SW_COUNT(sequences); i++) {
		struct sw_arena a = { 0 };
		struct sw_hold holds[SW_HOLDS_MAX] = { 0 };
		struct world x = { .now = 1000000 };
		const struct sw_expr *e = compile(&a, sequences[i].text);

		for (size_t k = 0; sequences[i].in[k]; k++) {
			char c = sequences[i].in[k];
			int got, again;

			x.now += 10000;
			if (c != '.') {
				x.a_at = x.now;
				x.a = (struct sw_value){ .type = SW_V_NUMBER, .num = c == '1' ? 5 : 0, .reading = c == '?' ? SW_R_ERROR : SW_R_OK };
			}
			got = (int)eval(e, &x, holds, &a, sequences[i].resets);
			again = (int)eval(e, &x, holds, &a, sequences[i].resets);
			if (got != again)
				fail_msg("%s after %.*s: asked twice it says another thing", sequences[i].text, (int)k + 1, sequences[i].in);
			if ("01?"[got] != sequences[i].want[k])
				fail_msg("%s after %.*s: %c, want %c", sequences[i].text, (int)k + 1, sequences[i].in, "01?"[got], sequences[i].want[k]);
		}
		sw_arena_fini(&a);
	}
}

/* With two signals a check is a time at which both have a new reading. */
static void test_two_signals(void **state)
{
	struct sw_arena a = { 0 };
	struct sw_hold holds[SW_HOLDS_MAX] = { 0 };
	struct world x = { .a = { .type = SW_V_NUMBER, .num = 5 }, .b = { .type = SW_V_DURATION, .num = 2 }, .now = 1000 };
	const struct sw_expr *e = compile(&a, "(a > 4 and b > 1s) for 2 checks");

	(void)state;
	x.a_at = x.b_at = x.now = 2000;
	assert_int_equal(eval(e, &x, holds, &a, false), SW_UNKNOWN); /* the second one has not come yet */
	x.a_at = x.now = 3000; /* only one of them */
	assert_int_equal(eval(e, &x, holds, &a, false), SW_UNKNOWN);
	x.b_at = x.now = 4000;
	assert_int_equal(eval(e, &x, holds, &a, false), SW_TRUE);
	sw_arena_fini(&a);
}

static void test_saw(void **state)
{
	struct sw_arena a = { 0 };
	struct sw_hold holds[SW_HOLDS_MAX] = { 0 };
	struct world x = { .a = { .type = SW_V_NUMBER, .num = 5 }, .b = { .type = SW_V_DURATION, .num = 2.5 }, .a_at = 9, .b_at = 9, .now = 9 };
	struct sw_facts f = { .arg = &x, .field = field, .signal = signal_of, .changed = changed, .count = count, .now = 9 };
	const struct sw_expr *e = compile(&a, "a > 4 and b > 1500ms for 1 check");
	struct sw_judged j;

	(void)state;
	sw_expr_eval(e, &f, holds, &a, &j);
	assert_int_equal(j.n_saw, 2);
	assert_string_equal(j.saw[0].text, "a > 4");
	assert_string_equal(j.saw[1].text, "b > 1500ms for 1 check");
	assert_string_equal(j.saw[1].value, "2.5s");
	assert_string_equal(j.saw[1].limit, "1.5s");
	sw_arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_truths), cmocka_unit_test(test_readings), cmocka_unit_test(test_sequences),
		cmocka_unit_test(test_two_signals), cmocka_unit_test(test_saw),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
