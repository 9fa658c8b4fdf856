/* shipwatch test: tests of rules in virtual time. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/options.h"
#include "rules/expr.h"
#include "sim/sim.h"

/* Codes as rules.md and the help say: the worst of all files counts. */
enum { TEST_FAILED = 1, TEST_BROKEN = 2, TEST_NONE = 3 };

struct test_options {
	struct sw_common c;
	const char *run, *junit;
	bool coverage, require;
};

/* stdout as "-". */
static bool test_write(const char *path, const struct sw_buf *b)
{
	FILE *f = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
	bool good = f && fwrite(b->p, 1, b->n, f) == b->n;

	if (f && f != stdout)
		good = fclose(f) == 0 && good;
	if (!good)
		(void)fprintf(stderr, "shipwatch: %s: %s\n", path, strerror(errno));
	return good;
}

/* Each file as it is done, so that a long run is seen to go on. Return: false when the file or its rules have a mistake. */
static bool test_file(const char *path, const void *run, struct sim_report *report, const struct test_options *o)
{
	struct sw_arena arena = { 0 };
	size_t first = report->n;
	struct sw_diags d;
	bool good;

	sw_diags_init(&d, &arena);
	good = sw_sim_test_file(path, run, report, &d) == 0;
	sw_diags_sort(&d);
	for (size_t i = first; i < report->n && !o->c.json; i++) {
		const struct sim_result *t = &report->results[i];

		if (t->why)
			(void)printf("FAIL %s:%u: %s\n      %s\n", t->file, t->line, t->name, t->why);
		else
			(void)printf("ok   %s\n", t->name);
	}
	(void)fflush(stdout);
	for (const struct sw_diag *one = d.first; one; one = one->next)
		(void)fprintf(stderr, "%s%s\n", one->warning ? "warning: " : "", one->text);
	sw_arena_fini(&arena);
	return good;
}

static void test_coverage(const struct sim_report *report, const struct test_options *o)
{
	size_t missing = sw_sim_uncovered(report);
	struct sw_buf b = SW_BUF_INIT;

	if (o->coverage || o->require) {
		sw_sim_coverage(report, &b);
		(void)printf("\n%s\n", sw_buf_str(&b));
	}
	if (report->n_covers && (!o->run || o->coverage || o->require))
		(void)printf("%zu of %zu rules are tested in all ways%s\n", report->n_covers - missing, report->n_covers,
		             missing && !o->coverage && !o->require ? ", --coverage says which are not" : "");
	sw_buf_fini(&b);
}

static int test_all(int n, char **argv, const void *run, const struct test_options *o)
{
	struct sim_report report = { 0 };
	struct sw_buf b = SW_BUF_INIT;
	bool broken = false;
	int r;

	for (int i = 1; i <= n; i++)
		broken |= !test_file(argv[i], run, &report, o);
	if (o->c.json) {
		sw_sim_report_json(&report, &b);
		broken |= !test_write("-", &b);
	} else {
		test_coverage(&report, o);
		(void)printf("%u passed, %u failed%s\n", report.passed, report.failed, report.passed + report.failed == 0 ? ": nothing ran" : "");
	}
	if (o->junit) {
		sw_buf_reset(&b);
		sw_sim_junit(&report, &b);
		broken |= !test_write(o->junit, &b);
	}
	r = report.failed || (o->require && sw_sim_uncovered(&report)) ? TEST_FAILED : report.passed ? 0 : TEST_NONE;
	sw_buf_fini(&b);
	sw_sim_report_fini(&report);
	return broken ? TEST_BROKEN : r;
}

int sw_cli_test(int argc, char **argv)
{
	static const struct sw_usage usage = {
		"test FILE… [--run RE] [--junit FILE] [--coverage] [--require-coverage] [--json]",
		"Runs tests of rules in virtual time: hours in milliseconds, no Redis, no network.\n",
		"for test: 0 all passed; 1 a test failed, or coverage is required and missing; 2 a mistake in a file, a rule or the command\n"
		"line; 3 nothing ran\n", 1, 10000,
	};
	struct test_options o = { 0 };
	const struct sw_opt opts[] = {
		{ "run", 0, SW_OPT_TEXT, &o.run, "RE", "only tests whose name this expression finds" },
		{ "junit", 0, SW_OPT_TEXT, &o.junit, "FILE", "results as JUnit XML; -: on stdout" },
		{ "coverage", 0, SW_OPT_FLAG, &o.coverage, NULL, "a table: is each rule tested in all ways" },
		{ "require-coverage", 0, SW_OPT_FLAG, &o.require, NULL, "what is not tested counts as failed" },
		SW_OPT_JSON(&o.c), { 0 },
	};
	struct sw_err err = SW_ERR_INIT;
	void *run = NULL;
	int n, r;

	n = sw_options_read(&usage, opts, argc, argv, &r);
	if (n < 0)
		return r;
	if (o.run && !(run = sw_regex_compile(o.run, false, &err))) {
		(void)fprintf(stderr, "shipwatch: --run: %s\n", err.text);
		return TEST_BROKEN;
	}
	r = test_all(n, argv, run, &o);
	if (run)
		sw_regex_free(run);
	return r;
}
