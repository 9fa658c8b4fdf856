/* JSON: the reader and the tree agree, and what the writer writes reads back the same. */
#include <errno.h>
#include <string.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct sw_arena a = { 0 };
	struct sw_err err = SW_ERR_INIT;
	struct sw_jnode *root, *again;
	int r = sw_json_check((const char *)data, n, &err), t = sw_jtree_parse(&a, (const char *)data, n, 10000, &root, &err);

	SW_ASSERT(t == -E2BIG || (r == 0) == (t == 0));
	if (t == 0) {
		struct sw_buf b = SW_BUF_INIT, c = SW_BUF_INIT;
		struct sw_jw w;

		sw_jw_init(&w, &b);
		sw_jw_node(&w, NULL, root);
		SW_ASSERT(sw_json_check(sw_buf_str(&b), b.n, &err) == 0);
		SW_ASSERT(sw_jtree_parse(&a, sw_buf_str(&b), b.n, 10000, &again, &err) == 0);
		sw_jw_init(&w, &c);
		sw_jw_node(&w, NULL, again);
		SW_ASSERT(b.n == c.n && memcmp(sw_buf_str(&b), sw_buf_str(&c), b.n) == 0);
		sw_buf_fini(&b);
		sw_buf_fini(&c);
	}
	sw_arena_fini(&a);
	return 0;
}
