/*
 * Expressions: any text either compiles or is told why not at a place inside it; what compiles can be evaluated, with everything known,
 * with nothing, with no baseline, and about the time before; asked twice it says the same.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "rules/expr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void field(void *arg, enum sw_field_id id, const char *key, struct sw_value *ret)
{
	static const struct sw_value items[] = { { .type = SW_V_STRING, .str = "x" }, { .type = SW_V_STRING, .str = "main" } };

	(void)arg;
	(void)key;
	*ret = (struct sw_value){ .type = SW_V_NULL };
	if (id == SW_F_BRANCH)
		*ret = items[1];
	else if (id == SW_F_COMMITS || id == SW_F_BAD_SHAS)
		*ret = (struct sw_value){ .type = SW_V_LIST, .items = items, .n = 2 };
	else if (id == SW_F_EXIT_CODE || id == SW_F_METRICS)
		*ret = (struct sw_value){ .type = SW_V_NUMBER, .num = 3 };
}

static void signal_of(void *arg, const char *signal, const char *part, enum sw_window w, sw_dur window, struct sw_value *ret, sw_ms *ret_at)
{
	unsigned *step = arg;

	(void)w;
	(void)window;
	*ret_at = 1000 + *step;
	if (sw_streq(signal, "endpoints")) {
		static const struct sw_value get[] = { { .type = SW_V_STRING, .str = "x" }, { .type = SW_V_DURATION, .num = 3 },
			                               { .type = SW_V_NUMBER, .num = 9 }, { .type = SW_V_NUMBER, .reading = SW_R_ABSENT } };
		static const struct sw_value list[] = { { .type = SW_V_RECORD, .items = get, .n = SW_EL_COUNT } };

		*ret = (struct sw_value){ .type = SW_V_LIST, .items = list, .n = *step % 3 != 1 };
		return;
	}
	*ret = (struct sw_value){ .type = part ? SW_V_STRING : sw_streq(signal, "health") ? SW_V_BOOL : SW_V_NUMBER, .num = *step, .b = *step & 1,
		                  .str = "v", .reading = *step % 5 == 4 ? SW_R_ERROR : SW_R_OK };
}

static enum sw_truth changed(void *arg, const char *glob)
{
	(void)arg;
	(void)glob;
	return SW_UNKNOWN;
}

static void count(void *arg, const char *func, sw_dur window, struct sw_value *ret)
{
	(void)arg;
	(void)func;
	*ret = (struct sw_value){ .type = SW_V_NUMBER, .num = (double)window };
}

static void signal_before(void *arg, const char *signal, enum sw_window w, sw_dur window, struct sw_value *ret)
{
	sw_ms at;

	signal_of(arg, signal, NULL, w, window, ret, &at);
	ret->num /= 2;
}

static void field_before(void *arg, enum sw_field_id id, const char *key, struct sw_value *ret)
{
	(void)id;
	(void)key;
	*ret = (struct sw_value){ .type = SW_V_NUMBER, .num = *(unsigned *)arg };
}

static enum sw_truth regressed(void *arg, const struct sw_regressed_ask *ask, struct sw_regressed_saw *ret)
{
	SW_ASSERT(ask->signal && ask->by >= 0 && ask->alpha >= 0 && ask->alpha <= 0.2);
	ret->at = 1000 + *(unsigned *)arg;
	ret->now = ret->before = (struct sw_value){ .type = SW_V_DURATION, .num = 1 };
	ret->p = 0.5;
	return (enum sw_truth)(*(unsigned *)arg % 3);
}

static void about(void *arg, enum sw_about what, const char *name, struct sw_value *ret, sw_ms *ret_at)
{
	SW_ASSERT(name);
	*ret = (struct sw_value){ .type = what == SW_ABOUT_FLAPS ? SW_V_RATIO : SW_V_BOOL, .num = 0.5, .b = *(unsigned *)arg & 1 };
	*ret_at = what == SW_ABOUT_SOURCE ? 0 : 1000 + *(unsigned *)arg;
}

static void evaluate(const struct sw_expr *e, unsigned step, struct sw_hold *holds, struct sw_arena *a)
{
	struct sw_facts f = { .arg = &step, .field = field, .signal = signal_of, .changed = changed, .count = count, .now = 1000 + step };
	struct sw_judged j, again;

	if (step != 1) {
		f.regressed = regressed;
		f.about = about;
	}
	if (step != 2) {
		f.signal_before = signal_before;
		f.field_before = field_before;
	}
	sw_expr_eval(e, &f, holds, a, &j);
	sw_expr_eval(e, &f, holds, a, &again);
	SW_ASSERT(j.truth == again.truth && j.n_saw == again.n_saw);
	for (size_t i = 0; i < j.n_saw; i++)
		SW_ASSERT(j.saw[i].text);
	SW_ASSERT(sw_expr_before(e, &f, a) <= SW_UNKNOWN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct sw_signal_def defs[] = { { .name = "a", .type = SW_V_NUMBER, .report = "a" },
		                                     { .name = "q", .type = SW_V_RATIO, .floor = 0.01, .query.prometheus = "q" } };
	struct sw_arena a = { 0 };
	struct scope sc = { .a = &a, .signals = defs, .n_signals = 2, .hold_plain = n & 2 };
	struct sw_hold holds[SW_HOLDS_MAX] = { 0 };
	const char *text = sw_arena_memdup(&a, data, n);
	struct sw_expr *e;
	struct wrong w = { 0 };

	if (sw_expr_make(text, &sc, &e, &w) < 0) {
		SW_ASSERT(w.text[0] && w.at <= strlen(text));
	} else {
		SW_ASSERT(sw_expr_cost(e) <= EXPR_COST);
		for (size_t i = 0; e->based[i]; i++)
			SW_ASSERT(sw_expr_needs_baseline(e, e->based[i]));
		(void)sw_expr_limits(e, &a);
		for (unsigned step = 0; step < 6; step++)
			evaluate(e, step, holds, &a);
		sw_expr_fini(e);
	}
	sw_arena_fini(&a);
	return 0;
}
