/* shipwatch test: tests of rules in virtual time. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/options.h"
#include "sim/sim.h"

/* Codes as rules.md and the help say: the worst of all files counts. */
enum { TEST_FAILED = 1, TEST_BROKEN = 2, TEST_NONE = 3 };

int sw_cli_test(int argc, char **argv)
{
	static const struct sw_usage usage = {
		"test FILE… [--run TEXT]",
		"Runs tests of rules in virtual time: hours in milliseconds, no Redis, no network.\n",
		"for test: 0 all passed; 1 a test failed; 2 a mistake in a file, a rule or the command line; 3 nothing ran\n", 1, 10000,
	};
	const char *only = NULL;
	const struct sw_opt opts[] = {
		{ "run", 0, SW_OPT_TEXT, &only, "TEXT", "only tests whose name contains it" }, { 0 },
	};
	unsigned passed = 0, failed = 0;
	bool broken = false;
	int n, r;

	n = sw_options_read(&usage, opts, argc, argv, &r);
	if (n < 0)
		return r;
	for (int i = 1; i <= n; i++) {
		struct sim_report report = { 0 };
		struct sw_arena arena = { 0 };
		struct sw_diags d;

		sw_diags_init(&d, &arena);
		broken |= sw_sim_test_file(argv[i], only, &report, &d) < 0;
		sw_diags_sort(&d);
		(void)fputs(sw_buf_str(&report.text), stdout);
		for (const struct sw_diag *one = d.first; one; one = one->next)
			(void)fprintf(stderr, "%s%s\n", one->warning ? "warning: " : "", one->text);
		passed += report.passed;
		failed += report.failed;
		sw_buf_fini(&report.text);
		sw_arena_fini(&arena);
	}
	(void)printf("%u passed, %u failed%s\n", passed, failed, passed + failed == 0 ? ": nothing ran" : "");
	return broken ? TEST_BROKEN : failed ? TEST_FAILED : passed ? 0 : TEST_NONE;
}
