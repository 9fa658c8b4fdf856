/* Expressions: any text either compiles or is told why not at a place inside it; what compiles can be evaluated with nothing known. */
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct sw_signal_def defs[] = { { .name = "a", .type = SW_V_NUMBER, .report = "a" } };
	struct sw_arena a = { 0 };
	struct scope sc = { .a = &a, .signals = defs, .n_signals = 1, .hold_plain = n & 2 };
	struct sw_hold holds[SW_HOLDS_MAX] = { 0 };
	const char *text = sw_arena_memdup(&a, data, n);
	struct sw_expr *e;
	struct wrong w = { 0 };

	if (sw_expr_make(text, &sc, &e, &w) < 0) {
		SW_ASSERT(w.text[0] && w.at <= strlen(text));
	} else {
		for (unsigned step = 0; step < 6; step++) {
			struct sw_facts f = { .arg = &step, .field = field, .signal = signal_of, .changed = changed, .count = count, .now = 1000 + step };
			struct sw_judged j;

			sw_expr_eval(e, &f, holds, &a, &j);
			for (size_t i = 0; i < j.n_saw; i++)
				SW_ASSERT(j.saw[i].text);
		}
		sw_expr_fini(e);
	}
	sw_arena_fini(&a);
	return 0;
}
