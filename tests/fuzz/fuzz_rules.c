/* Rule files: any text loads or is told why not; what loads, loads again from its source with the same hash. */
#include <string.h>

#include "rules/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

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
