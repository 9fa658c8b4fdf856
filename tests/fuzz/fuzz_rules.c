/*
 * Rule files: any text loads or is told why not; what loads, loads again from its source with the same hash, and its budget of false
 * alarms is split without being exceeded.
 */
#include <string.h>

#include "base/str.h"

#include "rules/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void needs(const struct sw_rules *r, struct sw_arena *a)
{
	const struct sw_rules_budget *budgets;
	size_t n = sw_rules_budgets(r, a, &budgets);

	for (size_t i = 0; i < n; i++)
		SW_ASSERT(budgets[i].rules && budgets[i].alpha > 0 && budgets[i].alpha <= 1);
	for (size_t i = 0; i < r->n; i++) {
		const struct sw_rule *x = &r->items[i];

		SW_ASSERT(x->weight > 0 && x->alpha >= 0 && x->alpha <= 0.05 + 1e-9);
		for (size_t k = 0; x->signals && x->signals[k]; k++)
			SW_ASSERT(sw_rules_signal(r, x->signals[k]));
		SW_ASSERT(!x->min_requests || x->watches);
	}
	for (size_t i = 0; i < r->n_signals; i++)
		SW_ASSERT(sw_streq(r->signals[i].query.signal, r->signals[i].name) && r->signals[i].file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct sw_arena a = { 0 };
	struct sw_rules *r, *again;
	struct sw_err err = SW_ERR_INIT;
	struct sw_diags d;

	sw_diags_init(&d, &a);
	if (sw_rules_load_text("fuzz.yaml", (const char *)data, n, NULL, &r, &d) < 0) {
		SW_ASSERT(d.errors && d.first && d.first->text[0]);
	} else {
		needs(r, &a);
		if (!memchr(data, 0, n)) { /* the source is text */
			SW_ASSERT(sw_rules_load_source(r->source, r->source_n, &again, &err) == 0);
			SW_ASSERT(strcmp(r->hash, again->hash) == 0 && again->n == r->n);
			sw_rules_put(again);
		}
		sw_rules_put(r);
	}
	sw_arena_fini(&a);
	return 0;
}
