/*
 * Fuzzes the reading of YAML: any bytes end in a tree or in mistakes with a place, within the limits.
 */
#include <stdint.h>
#include <string.h>

#include "base/str.h"
#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *fuzz_get(void *arg, const char *name)
{
	return *name == 'N' ? NULL : "value";
}

/* No ${file:…}: a fuzzer would find the files of this machine. */
static const struct sw_yenv fuzz_env = { .get = fuzz_get };

static void fuzz_walk(const struct sw_ynode *n, unsigned depth)
{
	size_t children = 0;

	SW_ASSERT(depth <= 32 && n->line > 0 && n->col > 0 && n->file);
	SW_ASSERT((n->type == SW_Y_SCALAR) == (n->text != NULL));
	for (const struct sw_ynode *c = n->child; c; c = c->next, children++) {
		SW_ASSERT((n->type == SW_Y_MAP) == (c->key != NULL));
		fuzz_walk(c, depth + 1);
	}
	SW_ASSERT(children == n->n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sw_arena a = { 0 };
	struct sw_diags d;
	struct sw_ynode *root;
	int r;

	sw_diags_init(&d, &a);
	r = sw_yaml_parse(&a, "fuzz", (const char *)data, size, &fuzz_env, &root, &d);
	SW_ASSERT((r < 0) == (d.errors > 0) && (r < 0) == (d.first != NULL));
	for (const struct sw_diag *g = d.first; g; g = g->next)
		SW_ASSERT(!strchr(g->text, '\n') && sw_starts(g->text, "fuzz:"));
	if (root)
		fuzz_walk(root, 0);
	sw_arena_fini(&a);
	return 0;
}
