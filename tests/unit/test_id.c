/* Own entry ids: of one length, ascending within a process, never twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/map.h"
#include "bus/bus.h"

static void test_ascending(void **state)
{
	struct sw_map seen = SW_MAP_INIT;
	char last[SW_ID_SIZE] = "", id[SW_ID_SIZE];

	(void)state;
	for (int i = 0; i < 20000; i++) {
		/* the clock stands still, runs, and goes back */
		sw_ms now = 1700000000000 + (i / 100) - (i % 7 == 0 ? 5000 : 0);

		sw_id_new(now, id);
		assert_int_equal(strlen(id), SW_ID_SIZE - 1);
		assert_int_equal(strspn(id, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), SW_ID_SIZE - 1);
		assert_true(strcmp(id, last) > 0);
		assert_null(sw_map_set(&seen, id, id));
		memcpy(last, id, sizeof last);
	}
	sw_map_fini(&seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_ascending) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
