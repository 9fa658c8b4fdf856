/* base/map against a plain list that does the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"

#define KEYS 500

static void test_against_list(void **state)
{
	struct sw_map m = SW_MAP_INIT;
	static int values[KEYS];
	bool in[KEYS] = { false };
	unsigned seed = 1;
	size_t live = 0;

	for (int step = 0; step < 50000; step++) {
		char key[16];
		unsigned k;

		seed = seed * 1103515245 + 12345;
		k = (seed >> 8) % KEYS;
		snprintf(key, sizeof key, "key-%u", k);
		if (seed >> 30 & 1) {
			assert_ptr_equal(sw_map_set(&m, key, &values[k]), in[k] ? &values[k] : NULL);
			live += !in[k];
			in[k] = true;
		} else {
			assert_ptr_equal(sw_map_del(&m, key), in[k] ? &values[k] : NULL);
			live -= in[k];
			in[k] = false;
		}
		assert_int_equal(m.n_live, live);
		assert_ptr_equal(sw_map_get(&m, key), in[k] ? &values[k] : NULL);
	}
	sw_map_fini(&m);
}

static void test_order(void **state)
{
	struct sw_map m = SW_MAP_INIT;
	struct sw_map_entry *e;
	char seen[64] = "";
	int v = 0;

	assert_null(sw_map_get(&m, "a"));
	assert_null(sw_map_del(&m, "a"));
	for (const char *p = "hgfedcba"; *p; p++)
		sw_map_set(&m, (char[]){ *p, '\0' }, &v);
	sw_map_set(&m, "", &v);
	for (size_t i = 0; (e = sw_map_next(&m, &i));) {
		strncat(seen, *e->key ? e->key : "-", 8);
		if (e->key[0] == 'f' || e->key[0] == 'a')
			sw_map_del(&m, e->key);
	}
	assert_string_equal(seen, "hgfedcba-");
	sw_map_set(&m, "f", &v);
	seen[0] = '\0';
	for (size_t i = 0; (e = sw_map_next(&m, &i));)
		strncat(seen, *e->key ? e->key : "-", 8);
	assert_string_equal(seen, "hgedcb-f");
	assert_ptr_equal(sw_map_getn(&m, "headline", 1), &v);
	assert_null(sw_map_getn(&m, "headline", 2));
	sw_map_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_against_list), cmocka_unit_test(test_order) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
