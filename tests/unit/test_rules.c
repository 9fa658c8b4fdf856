/* Rules as text: mistakes with their place, the 32 rules engineers want, limits, and sets that come back the same. */
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

/* ---- expressions: mistakes with their column, from 1 ---- */

static const struct { const char *text, *want; } wrongs[] = {
	{ "", "1: expression ends too early" },
	{ "health is", "10: expected a state behind \"is\": healthy, failing, absent, stale, nan, error, too_few, unknown" },
	{ "health is faling", "11: expected a state behind \"is\": healthy, failing, absent, stale, nan, error, too_few, unknown; did you mean \"failing\"?" },
	{ "health", "1: health is no condition, did you mean \"health is failing\"?" },
	{ "helth is failing", "1: unknown signal or field \"helth\", did you mean \"health\"?" },
	{ "health.commit == \"x\"", "1: health has no \"commit\", did you mean \"health.version\"?" },
	{ "b > 1500", "5: a duration is compared with a bare number, did you mean 1500ms?" },
	{ "b > 2", "5: a duration is compared with a bare number, did you mean 2s?" },
	{ "b > 5%", "1: a duration cannot be compared with a ratio" },
	{ "branch > \"x\"", "1: a string has no order, use == or !=" },
	{ "branch = \"x\"", "8: a single \"=\" compares nothing, did you mean \"==\"?" },
	{ "a > 4 for", "10: expected how long or how often (1 to 32): for 30s, for 3 checks, for 3 of 5 checks" },
	{ "a > 4 for 0 checks", "11: expected how long or how often (1 to 32): for 30s, for 3 checks, for 3 of 5 checks" },
	{ "a > 4 for 33 checks", "11: expected how long or how often (1 to 32): for 30s, for 3 checks, for 3 of 5 checks" },
	{ "a > 4 for 3", "12: expected \"checks\" or \"of\": for 3 checks, for 3 of 5 checks, for 30s" },
	{ "a > 4 for 3 of 2 checks", "16: expected a number of checks, at least as many as before \"of\" and at most 32" },
	{ "a > 4 a", "7: expected the end, \"and\" or \"or\" here" },
	{ "(a > 4", "7: expected \")\" here" },
	{ "a > 'x'", "5: strings stand in double quotes" },
	{ "a > \"x", "5: string is not closed" },
	{ "branch =~ /x", "11: regular expression is not closed" },
	{ "branch =~ /(/", "11: wrong regular expression: missing closing parenthesis at its byte 1" },
	{ "a =~ /x/", "1: a number cannot be matched, only a string" },
	{ "a > 4kg", "6: unknown unit, want us ms s m h d w B KB MB GB KiB MiB GiB rps rpm % pp or x" },
	{ "a > 2pp", "5: points (pp) stand only behind baseline + or -" },
	{ "averge(a, 5m) > 1", "1: unknown function \"averge\"" },
	{ "avg(a) > 1", "1: avg wants a signal and a length of time: avg(health, 5m)" },
	{ "avg(branch, 5m) > 1", "5: avg wants a signal here" },
	{ "avg(a, 5) > 1", "8: avg wants a length of time here, such as 5m" },
	{ "any(branch, .title == \"x\")", "5: any wants a list here, such as commits" },
	{ ".title == \"x\"", "1: \".title\" stands only inside any() or all()" },
	{ "a + branch > 1", "1: a number and a string cannot be calculated with" },
	{ "not a", "5: not wants a condition, this is a number" },
	{ "a is failing", "1: only health can be healthy or failing" },
	{ "branch in \"main\"", "11: expected a list here" },
	{ "metrics.x > 1 and limits.y > 2 and labels.z == 1", "36: a string cannot be compared with a number" },
	{ "http_latency_p95 > 1500ms", "1: http_latency_p95 needs a prometheus or scrape signal source: not in this version" },
	{ "http_latencyp95 > 1500ms", "1: unknown signal or field \"http_latencyp95\", did you mean \"http_latency_p95\"?" },
	{ "a > baseline +50%", "5: baseline needs values from before the deployment: not in this version" },
};

static const struct sw_signal_def defs[] = { { .name = "a", .type = SW_V_NUMBER, .report = "a" }, { .name = "b", .type = SW_V_DURATION, .report = "b" } };

static void test_wrongs(void **state)
{
	(void)state;
	for (size_t i = 0; i < SW_COUNT(wrongs); i++) {
		struct sw_arena a = { 0 };
		struct sw_err err = SW_ERR_INIT;
		const struct sw_expr *e;

		if (sw_expr_compile(&a, wrongs[i].text, defs, 2, &e, &err) == 0)
			fail_msg("%s: no mistake", wrongs[i].text);
		if (strcmp(err.text, wrongs[i].want) != 0)
			fail_msg("%s:\n  got  %s\n  want %s", wrongs[i].text, err.text, wrongs[i].want);
		sw_arena_fini(&a);
	}
}

/* ---- the 32 rules (what this version has not is one mistake; with all of it built they load) ---- */

static const struct { const char *text; bool now; } seeds[] = {
	{ "http_latency_p95 > 1500ms for 3 checks", false }, { "health is failing for 3 checks", true }, { "health is failing for 3 of 5 checks", true },
	{ "regressed(http_latency_p95, by=20%, alpha=1%)", false }, { "http_latency_p95 > baseline +50% and http_latency_p95 > 300ms", false },
	{ "error_rate > baseline +200% and error_rate > 1% and requests(5m) >= 200", false }, { "error_rate > baseline + 2pp for 1m", false },
	{ "regressed(error_rate, by=2x, alpha=0.5%)", false }, { "any(endpoints, .p95 > 3x baseline and .requests > 50)", false },
	{ "requests(5m) < 0.5 * baseline", false }, { "requests(5m) == 0", false }, { "http_latency_p95 is absent for 2m", false },
	{ "signal_source(\"prometheus\") is unknown for 1m", false }, { "memory_rss > baseline +30% for 10m", false }, { "restarts(5m) >= 3", false },
	{ "new_error_types > 0 and error_rate > 0.5%", false }, { "health.version != deployment.sha for 2m", true }, { "coverage < baseline - 2pp", false },
	{ "job.duration > baseline +50% for 3 times", false }, { "branch == \"main\" and not flaky(job.name)", false }, { "branch == \"main\"", true },
	{ "tag =~ /^v[0-9]+[.][0-9]+[.][0-9]+$/ and user not in teams.release", true }, { "tier == \"prod\" and not within(windows.release)", true },
	{ "within(windows.freeze) and not has(labels.hotfix)", true }, { "deploys(1h) >= 4", true }, { "flaps(health) > 30%", false },
	{ "previous.verdict in [\"superseded\", \"fail\"]", true }, { "health is failing for 3 checks or error_rate > 1%", false },
	{ "changed(\"migrations/**\")", true }, { "sha in bad_shas", true }, { "failing_services(10m) >= 3", true },
	{ "(http_latency_p95 < 1500ms and error_rate < 1% and health is healthy) for 4m", false },
};

static void test_seeds(void **state)
{
	static const char lists[] = "teams: {release: [lin]}\nwindows: {release: {days: mon-thu, from: \"09:00\", to: \"17:00\"},\n"
				    "  freeze: [{days: fri-sun, from: \"18:00\", to: \"08:00\"}]}\n";
	struct sw_arena a = { 0 };
	struct sw_ynode *root;
	struct sw_diags d;

	(void)state;
	sw_diags_init(&d, &a);
	assert_int_equal(sw_yaml_parse(&a, "lists", lists, strlen(lists), NULL, &root, &d), 0);
	for (size_t i = 0; i < SW_COUNT(seeds); i++) {
		struct scope sc = { .a = &a, .lists = root };
		struct sw_expr *e;
		struct wrong w = { 0 };
		int r = sw_expr_make(seeds[i].text, &sc, &e, &w);

		if ((r == 0) != seeds[i].now)
			fail_msg("%s: %s", seeds[i].text, w.text);
		if (r < 0 && !strstr(w.text, "not in this version"))
			fail_msg("%s: %s", seeds[i].text, w.text);
		if (r == 0)
			sw_expr_fini(e);
		sc.all_built = true;
		if (sw_expr_make(seeds[i].text, &sc, &e, &w) < 0)
			fail_msg("%s: %s", seeds[i].text, w.text);
		sw_expr_fini(e);
	}
	sw_arena_fini(&a);
}

/* ---- files ---- */

#define R(rest) "- {name: r, on: deploy-to-prod, " rest "}\n"

static const struct { const char *text, *want; } files[] = {
	{ "- {on: deploy-to-prod, iff: true, then: alert}\n", "f.yaml:1:24: unknown key \"iff\", did you mean \"if\"?" },
	{ "- {on: deploy-to-prd, then: alert}\n", "f.yaml:1:8: unknown trigger \"deploy-to-prd\", did you mean \"deploy-to-prod\"?" },
	{ "- {on: pipeline-fail, then: alert}\n", "f.yaml:1:8: unknown trigger \"pipeline-fail\", did you mean \"pipeline-failed\"?" },
	{ "- {then: alert}\n", "f.yaml:1:3: a rule needs a trigger: on: deploy-to-prod" },
	{ "- {on: push}\n", "f.yaml:1:3: a rule needs something to do: then: alert" },
	{ R("then: alrt"), "f.yaml:1:39: unknown action \"alrt\", did you mean \"alert\"?" },
	{ R("then: {alert: onkall}"), "f.yaml:1:47: unknown channel \"onkall\", did you mean \"oncall\"?" },
	{ R("then: {run: undoo}"), "f.yaml:1:45: unknown action \"undoo\", did you mean \"undo\"?" },
	{ R("then: {label: fine}"), "f.yaml:1:47: want label: good or label: bad" },
	{ R("then: {rollback: {approve: 10m}}"), "f.yaml:1:50: rollback with approve needs the approval pages: not in this version" },
	{ R("if: health is failing for 3 chks, then: alert"), "f.yaml:1:61: expected \"checks\" or \"of\": for 3 checks, for 3 of 5 checks, for 30s" },
	{ "- name: r\n  on: deploy-to-prod\n  if: helth is failing\n  then: alert\n", "f.yaml:3:7: unknown signal or field \"helth\", did you mean \"health\"?" },
	{ "- name: r\n  on: push\n  if: health is failing\n  then: alert\n",
	  "f.yaml:3:7: only deployments can be watched: a rule on push cannot ask for the signal health" },
	{ "- name: r\n  on: push\n  watch: 5m\n  then: alert\n", "f.yaml:3:10: watch: this rule is decided by the event alone, it asks for no signal" },
	{ "- name: r\n  on: deploy-to-prod\n  watch: 5m\n  if: regressed(http_latency_p95, by=20%)\n  then: alert\n",
	  "f.yaml:4:7: regressed needs baselines and statistics: not in this version" },
	{ "- {name: r, on: push, then: rollback}\n", "f.yaml:1:29: there is nothing to roll back on push" },
	{ "- name: r\n  on: deploy-to-prod\n  if: health is failing\n  watch: 5\n  then: alert\n",
	  "f.yaml:4:10: watch: want a length of time with its unit, such as 5m" },
	{ R("then: alert") R("then: alert"), "f.yaml:2:10: a rule \"r\" stands at f.yaml:1 already" },
	{ "- name: r\n  on: push\n  if: branch == \"x\" #1\n  then: alert\n", "f.yaml:3:7: YAML cuts this at \" #\": quote this expression" },
	{ R("where: health is failing, then: alert"), "f.yaml:1:40: where asks about events and places, signals belong into if" },
	{ R("mention: [nobody], then: alert"), "f.yaml:1:42: unknown person or role \"nobody\", want deployer, authors, oncall or a name of people:" },
	{ R("dedupe: forever, then: alert"), "f.yaml:1:41: want dedupe: 1h, or dedupe: until <trigger>, such as until pipeline-fixed" },
	{ R("no_data: maybe, then: alert"), "f.yaml:1:42: want no_data: inconclusive, fail, pass or last(2m)" },
	{ R("min_requests: 5, then: alert"), "f.yaml:1:33: min_requests needs the signal requests: not in this version" },
	{ R("repeat: 10m, then: alert"), "f.yaml:1:33: repeat: not in this version" },
	{ "signals: {x: {prometheus: q}}\nrules: []\n", "f.yaml:1:14: signal \"x\": prometheus queries are not in this version" },
	{ "rulez: []\n", "f.yaml:1:1: unknown key \"rulez\", did you mean \"rules\"?" },
	{ "rules: 5\n", "f.yaml:1:8: want a list of rules" },
	{ "- 5\n", "f.yaml:1:3: want a rule: {on: …, if: …, then: …}" },
};

static const char *const channels[] = { "oncall", NULL }, *const actions[] = { "undo", NULL }, *const people[] = { "lin", NULL },
			 *const targets[] = { "prod", "staging", NULL };
static const struct sw_rules_names names = { .channels = channels, .actions = actions, .people = people, .targets = targets };

static void test_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < SW_COUNT(files); i++) {
		struct sw_arena a = { 0 };
		struct sw_rules *r = NULL;
		struct sw_diags d;

		sw_diags_init(&d, &a);
		if (sw_rules_load_text("f.yaml", files[i].text, strlen(files[i].text), &names, &r, &d) == 0)
			fail_msg("%s: no mistake", files[i].text);
		if (!d.first || strcmp(d.first->text, files[i].want) != 0)
			fail_msg("%s\n  got  %s\n  want %s", files[i].text, d.first ? d.first->text : "(nothing)", files[i].want);
		if (d.errors != 1) /* one mistake, one line */
			fail_msg("%s\n  also %s", files[i].text, d.first->next->text);
		sw_arena_fini(&a);
	}
}

static struct sw_rules *load(const char *text, unsigned warnings)
{
	struct sw_arena a = { 0 };
	struct sw_rules *r = NULL;
	struct sw_diags d;

	sw_diags_init(&d, &a);
	if (sw_rules_load_text("f.yaml", text, strlen(text), &names, &r, &d) < 0)
		fail_msg("%s\n  %s", text, d.first->text);
	assert_int_equal(d.warnings, warnings);
	sw_arena_fini(&a);
	return r;
}

static void test_defaults(void **state)
{
	struct sw_rules *r = load("- {on: deploy-to-prod, if: health is failing, then: [alert: oncall, rollback]}\n- {on: push, then: alert}\n", 0);
	const struct sw_rule *x = &r->items[0];

	(void)state;
	assert_int_equal(r->n, 2);
	assert_string_equal(x->name, "deploy-to-prod: health is failing");
	assert_true(x->watches && x->has_rollback);
	assert_int_equal(x->watch_for, 5 * SW_MINUTE);
	assert_int_equal(x->severity, SW_SEV_CRITICAL);
	assert_int_equal(x->no_data, SW_ND_INCONCLUSIVE);
	assert_string_equal(x->signals[0], "health");
	assert_string_equal(x->then[0].channels[0], "oncall");
	assert_int_equal(sw_expr_holds(x->cond), 1); /* "is failing" holds for 3 checks */
	assert_false(r->items[1].watches);
	assert_int_equal(r->items[1].severity, SW_SEV_WARNING);
	r = sw_rules_put(r);
}

static void test_warnings(void **state)
{
	(void)state;
	sw_rules_put(load(R("if: 'branch == \"a\" or branch == \"b\" and tag == null', then: alert"), 1));
	sw_rules_put(load(R("if: 'branch == \"a\" or (branch == \"b\" and tag == null)', then: alert"), 0));
	sw_rules_put(load(R("if: 'branch =~ /x*/', then: alert"), 1));
	sw_rules_put(load(R("watch: 1m, if: health is failing for 2m, then: alert"), 1));
}

static void test_comes_back(void **state)
{
	struct sw_rules *r = load("lists: {teams: {release: [lin]}}\nrules:\n" R("if: 'user in teams.release', then: alert"), 0), *again;
	struct sw_err err;

	(void)state;
	assert_int_equal(sw_rules_load_source(r->source, r->source_n, &again, &err), 0);
	assert_string_equal(r->hash, again->hash);
	assert_int_equal(again->n, 1);
	assert_string_equal(again->items[0].name, "r");
	assert_non_null(sw_rules_find(again, "r"));
	sw_rules_put(again);
	sw_rules_put(r);
	assert_true(sw_rules_load_source("{", 1, &again, &err) < 0);
	assert_true(sw_rules_load_source("[[\"f\",\"- 5\"]]", 13, &again, &err) < 0);
}

static void test_safe(void **state)
{
	struct sw_arena a = { 0 };
	struct sw_diags d;
	struct sw_rules *r;

	(void)state;
	sw_diags_init(&d, &a);
	assert_int_equal(sw_rules_load_text("safe", sw_rules_safe, strlen(sw_rules_safe), NULL, &r, &d), 0);
	assert_int_equal(d.warnings, 0);
	for (size_t i = 0; i < r->n; i++)
		for (size_t k = 0; k < r->items[i].n_then; k++)
			assert_int_equal(r->items[i].then[k].kind, SW_THEN_ALERT); /* they tell, they never act */
	sw_rules_put(r);
	sw_arena_fini(&a);
}

/* ---- limits: at, and one past ---- */

static int compile(const char *text)
{
	struct sw_arena a = { 0 };
	struct sw_err err;
	const struct sw_expr *e;
	int r = sw_expr_compile(&a, text, defs, 2, &e, &err);

	sw_arena_fini(&a);
	return r;
}

static void test_limits(void **state)
{
	(void)state;
	for (int past = 0; past <= 1; past++) {
		struct sw_buf b = SW_BUF_INIT;

		sw_buf_cat(&b, "branch == \""); /* bytes */
		while (b.n < EXPR_BYTES - 1 + (size_t)past)
			sw_buf_putc(&b, 'x');
		sw_buf_putc(&b, '"');
		assert_int_equal(compile(sw_buf_str(&b)) < 0, past);
		sw_buf_reset(&b);
		for (int i = 0; i < EXPR_DEPTH - 1 + past; i++) /* depth */
			sw_buf_putc(&b, '(');
		sw_buf_cat(&b, "a > 1");
		for (int i = 0; i < EXPR_DEPTH - 1 + past; i++)
			sw_buf_putc(&b, ')');
		assert_int_equal(compile(sw_buf_str(&b)) < 0, past);
		sw_buf_reset(&b);
		for (int i = 0; i < SW_HOLDS_MAX + past; i++) /* holds */
			sw_buf_printf(&b, "%sa > %d for 2 checks", i ? " and " : "", i);
		assert_int_equal(compile(sw_buf_str(&b)) < 0, past);
		sw_buf_reset(&b);
		sw_buf_cat(&b, "true"); /* parts: n operands and n - 1 ands */
		for (int i = 0; i < (EXPR_NODES - 1) / 2 + past; i++)
			sw_buf_cat(&b, " or true");
		assert_int_equal(compile(sw_buf_str(&b)) < 0, past);
		sw_buf_fini(&b);
	}
}

static void test_many(void **state)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_rules *r;

	(void)state;
	for (int i = 0; i < 3000; i++)
		sw_buf_printf(&b, "- {name: r%d, on: push, if: exit_code == %d, then: alert}\n", i, i);
	r = load(sw_buf_str(&b), 0);
	assert_int_equal(r->n, 3000);
	sw_rules_put(r);
	sw_buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrongs), cmocka_unit_test(test_seeds), cmocka_unit_test(test_files), cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_warnings), cmocka_unit_test(test_comes_back), cmocka_unit_test(test_safe), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
