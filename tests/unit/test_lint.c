/* Rules that load but surely mean something else: each warning once, and the next rule that is right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "rules/expr.h"

#define R(rest) "- {name: r, on: deploy-to-prod, " rest "}\n"
#define W(rest) "- {name: r, on: deploy-to-prod, then: alert, " rest "}\n"

static const struct { const char *text, *want; } warnings[] = {
	{ R("if: 'branch == \"a\" or branch == \"b\" and tag == null', then: alert"), "\"and\" and \"or\" are mixed: say with parentheses what is meant" },
	{ R("if: 'branch == \"a\" or (branch == \"b\" and tag == null)', then: alert"), NULL },
	{ R("if: 'any(commits, .title == \"a\" or .title == \"b\" and branch == null)', then: alert"),
	  "\"and\" and \"or\" are mixed: say with parentheses what is meant" },
	{ R("if: 'branch =~ /x*/', then: alert"), "the regular expression of \"branch =~ /x*/\" matches the empty text, so it matches everything" },
	{ R("if: 'any(commits, .title =~ /x*/)', then: alert"),
	  "the regular expression of \".title =~ /x*/\" matches the empty text, so it matches everything" },
	{ W("watch: 1m, if: health is failing for 2m"), "this rule can never fire: \"health is failing for 2m\" holds for longer than it watches, 1m" },
	{ W("watch: 5m, if: health is failing for 4m"), NULL },
	{ W("watch: 1m, if: error_rate > 1% for 5 checks"), "this rule can never fire: \"error_rate > 1% for 5 checks\" holds for longer than it watches, 1m" },
	{ W("watch: {for: 1m, every: 10s}, if: error_rate > 1% for 5 checks"), NULL },
	{ W("watch: {for: 1m, every: 10s}, if: error_rate > 1% for 6 checks"),
	  "this rule can never fire: \"error_rate > 1% for 6 checks\" holds for longer than it watches, 1m" },
	/* limits nothing reaches */
	{ W("if: error_rate > 100%"), "\"error_rate > 100%\" is never true: error_rate is never above 100%" },
	{ W("if: error_rate >= 100%"), NULL },
	{ W("if: error_rate > 5"), "\"error_rate > 5\" is never true: error_rate is never above 100%, did you mean 5%?" },
	{ W("if: 5 < error_rate"), "\"5 < error_rate\" is never true: error_rate is never above 100%, did you mean 5%?" },
	{ W("if: 'avg(error_rate, 2m) > 5'"), "\"avg(error_rate, 2m) > 5\" is never true: avg(error_rate, 2m) is never above 100%, did you mean 5%?" },
	{ "- {name: r, on: report, if: coverage < 80, then: alert}\n", "\"coverage < 80\" is always true: coverage is never above 100%, did you mean 80%?" },
	{ "- {name: r, on: report, if: coverage < 0.8, then: alert}\n", NULL },
	{ "signals: {q: {prometheus: 'x', most: 100}}\nrules:\n" W("if: q > 100"), "\"q > 100\" is never true: q is never above 100" },
	/* rollbacks by thin data */
	{ R("if: error_rate > 1%, then: rollback"), "rule \"r\" rolls back by error_rate however few requests there were: say min_requests: 200" },
	{ R("if: error_rate > 1%, min_requests: 200, then: rollback"), NULL },
	{ R("if: error_rate > 1% and requests(5m) > 100, then: rollback"), NULL },
	{ R("if: memory_rss > 2GiB, then: rollback"), NULL },
	{ R("if: error_rate > 1%, then: alert"), NULL },
	/* nothing before */
	{ W("if: new_error_types > 2x baseline"),
	  "new_error_types may be 0 before a deployment, then anything is more than that: give the signal a floor in signals:" },
	{ W("if: new_error_types > baseline + 5"), NULL },
	{ W("if: 2x baseline < new_error_types"),
	  "new_error_types may be 0 before a deployment, then anything is more than that: give the signal a floor in signals:" },
	{ W("if: new_error_types < 0.5 * baseline"), NULL },
	{ W("if: http_latency_p95 > 2x baseline"), NULL },
	{ W("if: 'regressed(new_error_types, by=2x)'"),
	  "new_error_types may be 0 before a deployment, then anything is more than that: give the signal a floor in signals:" },
	{ W("if: error_rate > baseline +2%"), "\"baseline +2%\" is 1.02 x baseline, did you mean 2pp?" },
	/* windows */
	{ W("if: 'avg(error_rate, 30s) > 1%'"), "\"avg(error_rate, 30s)\": 30s is short, error_rate comes every 15s" },
	{ W("if: 'avg(error_rate, 1m) > 1%'"), NULL },
	{ W("if: 'restarts(10m) > 1'"), "\"restarts(10m)\" asks for 10m, but no window reaches before the deployment and it is watched for 5m only" },
	/* the budget */
	{ R("if: 'regressed(error_rate, alpha=2%)', min_requests: 9, then: rollback"),
	  "rule \"r\": alpha=2% is more false alarms than the 1% of deployments that all rules which roll back may share" },
	{ W("if: 'regressed(error_rate, alpha=2%)'"), NULL },
	{ W("if: error_rate > 1%, weight: 2"), "weight: a share of the budget of false alarms, there is no regressed() in this rule" },
};

static void test_warnings(void **state)
{
	(void)state;
	for (size_t i = 0; i < SW_COUNT(warnings); i++) {
		struct sw_arena a = { 0 };
		struct sw_rules *r = NULL;
		struct sw_diags d;
		const char *got;

		sw_diags_init(&d, &a);
		if (sw_rules_load_text("f.yaml", warnings[i].text, strlen(warnings[i].text), NULL, &r, &d) < 0)
			fail_msg("%s\n  %s", warnings[i].text, d.first->text);
		got = d.first ? strstr(d.first->text, ": ") + 2 : NULL;
		if (!sw_streq(got, warnings[i].want) || d.warnings > 1)
			fail_msg("%s\n  got  %s\n  want %s", warnings[i].text, got ? got : "(nothing)", warnings[i].want ? warnings[i].want : "(nothing)");
		sw_rules_put(r);
		sw_arena_fini(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_warnings) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
