/* Rules as text: mistakes with their place, the 32 rules engineers want, signals, budgets, and sets that come back the same. */
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

/* ---- the 32 rules of rules.md 1.3, as they stand there ---- */

static const struct { const char *on, *cond, *then, *more; unsigned warnings; } seeds[] = {
	{ "deploy-to-prod", "http_latency_p95 > 1500ms for 3 checks", "rollback", "", 1 }, /* without min_requests */
	{ "deploy-to-prod", "health is failing for 3 checks", "rollback", "", 0 },
	{ "deploy-to-prod", "health is failing for 3 of 5 checks", "rollback", "", 0 },
	{ "deploy-to-prod", "regressed(http_latency_p95, by=20%, alpha=1%)", "rollback", "", 1 },
	{ "deploy-to-prod", "http_latency_p95 > baseline +50% and http_latency_p95 > 300ms", "alert", "", 0 },
	{ "deploy-to-prod", "error_rate > baseline +200% and error_rate > 1% and requests(5m) >= 200", "rollback", "", 0 },
	{ "deploy-to-prod", "error_rate > baseline + 2pp for 1m", "alert", "", 0 },
	{ "deploy-to-prod", "regressed(error_rate, by=2x, alpha=0.5%)", "rollback", "", 1 },
	{ "deploy-to-prod", "any(endpoints, .p95 > 3x baseline and .requests > 50)", "alert", "", 0 },
	{ "deploy-to-prod", "requests(5m) < 0.5 * baseline", "alert", "", 0 },
	{ "deploy-to-prod", "requests(5m) == 0", "alert", "", 0 },
	{ "deploy-to-prod", "http_latency_p95 is absent for 2m", "alert", "", 0 },
	{ "deploy-to-prod", "signal_source(\"prometheus\") is unknown for 1m", "[hold, alert: ops]", "", 0 },
	{ "deploy-to-prod", "memory_rss > baseline +30% for 10m", "alert", "watch: 60m", 0 },
	{ "deploy-to-prod", "restarts(5m) >= 3", "rollback", "", 0 },
	{ "deploy-to-prod", "new_error_types > 0 and error_rate > 0.5%", "alert", "", 0 },
	{ "deploy-to-prod", "health.version != deployment.sha for 2m", "alert", "", 0 },
	{ "report", "coverage < baseline - 2pp", "alert", "", 0 },
	{ "job", "job.duration > baseline +50% for 3 times", "alert", "", 0 },
	{ "pipeline-failed", "branch == \"main\" and not flaky(job.name)", "alert", "mention: [authors]", 0 },
	{ "pipeline-failed", "branch == \"main\"", "alert", "dedupe: until pipeline-fixed", 0 },
	{ "tag", "tag =~ /^v[0-9]+[.][0-9]+[.][0-9]+$/ and user not in teams.release", "alert: security", "", 0 },
	{ "deploy-started", "tier == \"prod\" and not within(windows.release)", "alert", "", 0 },
	{ "deploy-started", "within(windows.freeze) and not has(labels.hotfix)", "alert: security", "", 0 },
	{ "deploy-stuck", NULL, "alert", "", 0 },
	{ "deploy-to-prod", "deploys(1h) >= 4", "[hold, alert]", "", 0 },
	{ "deploy-to-prod", "flaps(health) > 30%", "alert", "", 0 },
	{ "deploy-superseded", "previous.verdict in [\"superseded\", \"fail\"]", "alert", "mention: [authors]", 0 },
	{ "rollback-finished", "health is failing for 3 checks or error_rate > 1%", "alert", "severity: critical", 0 },
	{ "deploy-to-prod", "changed(\"migrations/**\")", "alert", "", 0 },
	{ "deploy-to-prod", "sha in bad_shas", "alert", "severity: critical", 0 },
	{ "deploy-to-prod", "failing_services(10m) >= 3", "[hold, alert]", "", 0 },
	{ "deploy-to-prod", "(http_latency_p95 < 1500ms and error_rate < 1% and health is healthy) for 4m", "{label: good, alert: release}", "", 0 },
};

static void test_seeds(void **state)
{
	static const char lists[] = "lists:\n  teams: {release: [lin]}\n  windows: {release: {days: mon-thu, from: \"09:00\", to: \"17:00\"},\n"
				    "    freeze: [{days: fri-sun, from: \"18:00\", to: \"08:00\"}]}\nrules:\n";

	(void)state;
	for (size_t i = 0; i < SW_COUNT(seeds); i++) {
		struct sw_arena a = { 0 };
		struct sw_buf b = SW_BUF_INIT;
		struct sw_rules *r, *again;
		struct sw_diags d;
		struct sw_err err;

		sw_buf_printf(&b, "%s- on: %s\n", lists, seeds[i].on);
		if (seeds[i].cond)
			sw_buf_printf(&b, "  if: '%s'\n", seeds[i].cond);
		sw_buf_printf(&b, "  then: %s\n  %s\n", strstr(seeds[i].then, ": ") && seeds[i].then[0] == 'a' ? sw_arena_printf(&a, "{%s}", seeds[i].then) : seeds[i].then,
		              seeds[i].more);
		sw_diags_init(&d, &a);
		if (sw_rules_load_text("f.yaml", sw_buf_str(&b), b.n, NULL, &r, &d) < 0)
			fail_msg("%s", d.first->text);
		if (d.warnings != seeds[i].warnings)
			fail_msg("%s: %u warnings: %s", seeds[i].cond, d.warnings, d.first ? d.first->text : "");
		assert_int_equal(sw_rules_load_source(r->source, r->source_n, &again, &err), 0);
		assert_string_equal(r->hash, again->hash);
		assert_int_equal(r->items[0].watches, again->items[0].watches);
		sw_rules_put(again);
		sw_rules_put(r);
		sw_buf_fini(&b);
		sw_arena_fini(&a);
	}
}

/* ---- files ---- */

#define S(name, rest) "signals: {" name ": {" rest "}}\nrules: []\n"
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
	{ R("then: {rollback: {aprove: 10m}}"), "f.yaml:1:51: unknown key \"aprove\", did you mean \"approve\"?" },
	{ R("then: {rollback: {otherwise: cancel}}"), "f.yaml:1:50: rollback: say how long people are asked: {approve: 10m, otherwise: cancel}" },
	{ R("then: {rollback: {approve: 59s}}"), "f.yaml:1:60: approve: want 1m to 24h, got \"59s\"" },
	{ R("then: {rollback: {approve: 25h}}"), "f.yaml:1:60: approve: want 1m to 24h, got \"25h\"" },
	{ R("then: {rollback: {approve: true}}"), "f.yaml:1:60: approve: want a length of time with its unit, such as 5m" },
	{ R("then: {rollback: {approve: 10m, otherwise: maybe}}"), "f.yaml:1:76: want otherwise: cancel or otherwise: proceed" },
	{ R("then: {rollback: ask}"), "f.yaml:1:50: want rollback, or rollback: {approve: 10m, otherwise: cancel}" },
	{ R("if: health is failing for 3 chks, then: alert"), "f.yaml:1:61: expected \"checks\" or \"of\": for 3 checks, for 3 of 5 checks, for 30s" },
	{ "- name: r\n  on: deploy-to-prod\n  if: helth is failing\n  then: alert\n", "f.yaml:3:7: unknown signal or field \"helth\", did you mean \"health\"?" },
	{ "- name: r\n  on: push\n  if: health is failing\n  then: alert\n",
	  "f.yaml:3:7: only deployments can be watched: a rule on push cannot ask for the signal health" },
	{ "- name: r\n  on: push\n  watch: 5m\n  then: alert\n", "f.yaml:3:10: watch: this rule is decided by the event alone, it asks for no signal" },
	{ "- {name: r, on: push, then: rollback}\n", "f.yaml:1:29: there is nothing to roll back on push" },
	{ "- name: r\n  on: deploy-to-prod\n  if: health is failing\n  watch: 5\n  then: alert\n",
	  "f.yaml:4:10: watch: want a length of time with its unit, such as 5m" },
	{ R("then: alert") R("then: alert"), "f.yaml:2:10: a rule \"r\" stands at f.yaml:1 already" },
	{ "- name: r\n  on: push\n  if: branch == \"x\" #1\n  then: alert\n", "f.yaml:3:7: YAML cuts this at \" #\": quote this expression" },
	{ R("where: health is failing, then: alert"), "f.yaml:1:40: where asks about events and places, signals belong into if" },
	{ R("mention: [nobody], then: alert"), "f.yaml:1:42: unknown person or role \"nobody\", want deployer, authors, oncall or a name of people:" },
	{ R("dedupe: forever, then: alert"), "f.yaml:1:41: want dedupe: 1h, or dedupe: until <trigger>, such as until pipeline-fixed" },
	{ R("no_data: maybe, then: alert"), "f.yaml:1:42: want no_data: inconclusive, fail, pass or last(2m)" },
	{ R("min_requests: 5, then: alert"), "f.yaml:1:33: min_requests: this rule watches no signal" },
	{ R("if: failing_services(10m) > 3, min_requests: 5, then: alert"), "f.yaml:1:64: min_requests: this rule watches no signal" },
	{ R("weight: 0, then: alert"), "f.yaml:1:41: weight: want more than 0" },
	{ R("weight: lots, then: alert"), "f.yaml:1:41: weight: want a number, got \"lots\"" },
	{ R("watch: {evry: 5s}, if: health is failing, then: alert"), "f.yaml:1:41: unknown key \"evry\", did you mean \"every\"?" },
	{ R("repeat: 10s, severity: critical, then: alert"), "f.yaml:1:41: repeat: want 1m to 1d, got \"10s\"" },
	{ "- name: r\n  on: push\n  if: failing_services(10m) > 3\n  then: alert\n",
	  "f.yaml:3:7: only deployments can be watched: a rule on push cannot ask for what a watch sees" },
	{ S("x", "unit: s"), "f.yaml:1:14: signal \"x\": say where it comes from: prometheus, counts, scrape, report or alertmanager" },
	{ S("x", "report: x, prometheus: q"),
	  "f.yaml:1:14: signal \"x\" comes from one place: prometheus or counts (with scrape beside it), report or alertmanager" },
	{ S("x", "prometheus: q, counts: {bad: a, all: b}"),
	  "f.yaml:1:14: signal \"x\" comes from one place: prometheus or counts (with scrape beside it), report or alertmanager" },
	{ S("x", "prometheus: q, unit: sec"), "f.yaml:1:36: unit: unknown word \"sec\", want s, ratio, bytes, rate, number or count" },
	{ S("x", "prometheus: q, unit: ms"), "f.yaml:1:36: unit: unknown word \"ms\", did you mean \"s\"?" },
	{ S("x", "prometheus: q, unit: percent"), "f.yaml:1:36: unit: unknown word \"percent\", did you mean \"ratio\"?" },
	{ S("x", "prometheus: q, bad: upp"), "f.yaml:1:35: bad: unknown word \"upp\", did you mean \"up\"?" },
	{ S("x", "prometheus: q, reduce: summ"), "f.yaml:1:38: reduce: unknown word \"summ\", did you mean \"sum\"?" },
	{ S("x", "prometheus: q, flor: 5"), "f.yaml:1:30: unknown key \"flor\", did you mean \"floor\"?" },
	{ S("x", "prometheus: q, unit: s, floor: 20"), "f.yaml:1:46: floor: the signal is a duration, did you mean 20ms?" },
	{ S("x", "prometheus: q, unit: s, floor: 20%"), "f.yaml:1:46: floor: the signal is a duration, this is a ratio" },
	{ S("x", "prometheus: q, floor: lots"), "f.yaml:1:37: floor: want a number with its unit, such as 20ms, 0.1% or 5" },
	{ S("x", "prometheus: q, most: [1]"), "f.yaml:1:36: most: want a number with its unit" },
	{ S("x", "prometheus: q, step: 15"), "f.yaml:1:36: step: want a length of time with its unit, such as 15s" },
	{ S("x", "prometheus: q, step: 2h"), "f.yaml:1:36: step: want 1s to 1h" },
	{ S("x", "report: x, step: 15s"), "f.yaml:1:26: step belongs to signals of prometheus and scrape" },
	{ S("x", "prometheus: {a: b}"), "f.yaml:1:27: prometheus: want a query, put it in single quotes: '…'" },
	{ S("x", "counts: {bad: a}"), "f.yaml:1:23: counts: want {bad: '…', all: '…'}, two queries that count" },
	{ S("x", "unit: s, counts: {bad: a, all: b}"), "f.yaml:1:32: counts: bad of all is a ratio, the signal is a duration" },
	{ S("x", "unit: s, alertmanager: Disk"), "f.yaml:1:38: alertmanager: an alert is 1 while it fires and 0 else, a number" },
	{ S("http_latency_p95", "unit: bytes"), "f.yaml:1:36: unit: http_latency_p95 is built in as a duration, give a signal of another unit another name" },
	{ S("http_latency_p95", "floor: 5"), "f.yaml:1:37: floor: the signal is a duration, did you mean 5s?" },
	{ S("health", "floor: 5"), "f.yaml:1:11: health is asked at the health address of an environment, it has no row here" },
	{ S("branch", "report: x"), "f.yaml:1:11: \"branch\" has a meaning in expressions already, give the signal another name" },
	{ S("baseline", "report: x"), "f.yaml:1:11: \"baseline\" has a meaning in expressions already, give the signal another name" },
	{ S("x-y", "report: x"), "f.yaml:1:11: a signal has a name of letters, digits and _, got \"x-y\"" },
	{ "signals: {x: 5}\nrules: []\n", "f.yaml:1:14: signal \"x\": want a map such as {unit: s, prometheus: '…'}" },
	{ "triggers: {t: health is failing}\nrules: [{on: t, then: alert}]\n", "f.yaml:1:15: a trigger asks about events, signals belong into if of a rule" },
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

static void near(double got, double want)
{
	if (got < want - 1e-9 || got > want + 1e-9)
		fail_msg("%g, want %g", got, want);
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
	assert_int_equal(sw_expr_holds(x->cond), 1); /* "is failing" is decided by CUSUM */
	near(x->weight, 1);
	assert_false(r->items[1].watches);
	assert_int_equal(r->items[1].severity, SW_SEV_WARNING);
	r = sw_rules_put(r);
}

/* ---- signals ---- */

static const struct sw_then *approve_load(struct sw_rules **r, struct sw_diags *d, const char *text)
{
	if (sw_rules_load_text("f.yaml", text, strlen(text), &names, r, d) < 0)
		fail_msg("%s\n  %s", text, d->first->text);
	assert_int_equal((*r)->n, 1);
	assert_true((*r)->items[0].has_rollback);
	return &(*r)->items[0].then[0];
}

/* How long people are asked, at both ends of what is allowed; unless said nothing happens without an answer. */
static void test_approve(void **state)
{
	static const struct { const char *text; sw_dur approve; bool proceed; } rows[] = {
		{ R("then: rollback"), 0, false },
		{ R("then: {rollback: {approve: 1m}}"), SW_MINUTE, false },
		{ R("then: {rollback: {approve: 24h, otherwise: cancel}}"), SW_DAY, false },
		{ R("then: [{rollback: {approve: 10m, otherwise: proceed}}, alert]"), 10 * SW_MINUTE, true },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_arena a = { 0 };
		struct sw_rules *r = NULL;
		struct sw_diags d;
		const struct sw_then *t;

		sw_diags_init(&d, &a);
		t = approve_load(&r, &d, rows[i].text);
		assert_int_equal(t->approve, rows[i].approve);
		assert_int_equal(t->proceed, rows[i].proceed);
		sw_rules_put(r);
		sw_arena_fini(&a);
	}
}

static void test_signals(void **state)
{
	struct sw_rules *r = load("signals:\n"
	                          "  http_latency_p95: {floor: 50ms, prometheus: 'histogram_quantile(0.95, sum by (le)(rate(x_bucket{$labels}[1m])))'}\n"
	                          "  error_rate: {unit: ratio, bad: up, floor: 0.2%, counts: {bad: 'sum(increase(x{$labels,code=~\"5..\"}[15s]))',\n"
	                          "                                                           all: 'sum(increase(x{$labels}[15s]))'}}\n"
	                          "  queue_length: {unit: count, bad: up, step: 30s, floor: 5, most: 1000, reduce: max, prometheus: 'x', scrape: 'queue_length'}\n"
	                          "  hit_share: {bad: down, counts: {bad: 'a', all: 'b'}}\n"
	                          "  bundle_size: {report: bundle_size, unit: bytes}\n"
	                          "  disk: {alertmanager: DiskFull}\n"
	                          "rules:\n" R("if: queue_length > 3 and hit_share < 5% and bundle_size > 3MiB and disk == 1, then: alert"),
	                          0);
	const struct sw_signal_def *s = sw_rules_signal(r, "http_latency_p95");

	(void)state;
	assert_true(s->type == SW_V_DURATION && s->latency && s->file && s->floor > 0.0499 && s->floor < 0.0501); /* what it does not say is kept */
	assert_int_equal(s->query.step, 15 * SW_SECOND);
	assert_non_null(strstr(s->query.prometheus, "{$labels}"));
	s = sw_rules_signal(r, "error_rate");
	assert_true(s->query.bad && s->query.all && !s->query.prometheus && s->most == 1);
	s = sw_rules_signal(r, "queue_length");
	assert_true(s->type == SW_V_NUMBER && s->summed && s->query.reduce == SW_REDUCE_MAX && s->query.step == 30 * SW_SECOND && s->most == 1000);
	assert_string_equal(s->query.signal, "queue_length");
	assert_string_equal(s->query.scrape, "queue_length");
	assert_int_equal(s->line, 5);
	s = sw_rules_signal(r, "hit_share");
	assert_true(s->type == SW_V_RATIO && s->query.bad_down);
	assert_string_equal(sw_rules_signal(r, "bundle_size")->report, "bundle_size");
	assert_string_equal(sw_rules_signal(r, "disk")->alarm, "DiskFull");
	assert_null(sw_rules_signal(r, "http_latency_p95")->report);
	assert_null(sw_rules_signal(r, "nothing"));
	assert_null(sw_rules_signal(NULL, "http_latency_p95")->file);
	assert_int_equal(r->items[0].n_then, 1);
	sw_rules_put(r);
}

/* ---- what a rule needs ---- */

static void test_needs(void **state)
{
	struct sw_rules *r = load(
	        "- name: a\n  on: deploy-to-prod\n  then: alert\n  min_requests: 200\n"
	        "  if: http_latency_p95 > 3x baseline and any(endpoints, .p95 > baseline +50%) and delta(memory_rss, baseline) > 1GiB\n"
	        "- {name: b, on: deploy-to-prod, then: alert, if: 'requests(5m) < 3 and error_rate > 1%', min_requests: 9}\n"
	        "- {name: c, on: deploy-to-prod, then: alert, if: 'signal_source(\"prometheus\") is unknown'}\n"
	        "- {name: d, on: deploy-to-prod, then: alert, if: 'deploys(1h) >= 4'}\n"
	        "- {name: e, on: deploy-to-prod, then: alert, if: 'flaps(health) > 30%'}\n"
	        "- {name: f, on: deploy-to-prod, then: alert, if: 'regressed(error_rate, by=2pp, baseline=1h, test=\"rank\")'}\n"
	        "- {name: g, on: deploy-to-prod, then: alert, if: 'failing_services(10m) >= 3'}\n", 0);
	const struct sw_rule *x = r->items;
	const struct sw_regressed_ask *ask;

	(void)state;
	assert_string_equal(x[0].signals[0], "http_latency_p95");
	assert_string_equal(x[0].signals[1], "endpoints");
	assert_string_equal(x[0].signals[2], "memory_rss");
	assert_string_equal(x[0].signals[3], "requests");
	assert_null(x[0].signals[4]);
	assert_true(sw_expr_needs_baseline(x[0].cond, "http_latency_p95") && sw_expr_needs_baseline(x[0].cond, "endpoints"));
	assert_true(sw_expr_needs_baseline(x[0].cond, "memory_rss") && !sw_expr_needs_baseline(x[0].cond, "requests"));
	assert_null(x[1].signals[2]); /* requests once */
	assert_true(x[2].watches && !x[2].signals[0] && !x[3].watches && x[4].watches && x[5].watches && x[6].watches && !x[6].signals[0]);
	assert_string_equal(x[4].signals[0], "health");
	assert_string_equal(x[5].signals[0], "error_rate");
	ask = sw_expr_regressed(x[5].cond)[0];
	assert_true(ask->by_points && ask->by > 0.0199 && ask->by < 0.0201 && ask->alpha == 0 && ask->test == SW_TEST_RANK);
	assert_int_equal(ask->baseline, SW_HOUR);
	assert_null(sw_expr_regressed(x[5].cond)[1]);
	assert_null(sw_expr_regressed(x[0].cond)[0]);
	sw_rules_put(r);
}

/* ---- the budget of false alarms ---- */

static void test_budget(void **state)
{
#define STAT(name, on, then, rest) "- {name: " name ", on: " on ", then: " then ", min_requests: 9, if: '" rest "}\n"
	struct sw_rules *r = load(STAT("a", "deploy-to-prod", "rollback", "regressed(error_rate)'")
	                          STAT("b", "deploy-to-prod", "rollback", "regressed(http_latency_p95)', weight: 3")
	                          STAT("c", "deploy-to-prod", "rollback", "regressed(http_latency_p99, alpha=0.5%)'")
	                          STAT("d", "deploy-to-prod", "alert", "regressed(error_rate) or regressed(http_latency_p95)'")
	                          STAT("e", "deploy-to-staging", "alert", "regressed(error_rate)'")
	                          STAT("f", "deploy", "alert", "regressed(error_rate)'")
	                          STAT("g", "deploy-to-prod", "alert", "error_rate > 5%'"), 0);
	const struct sw_rules_budget *b;
	struct sw_arena a = { 0 };

	(void)state;
	near(r->items[0].alpha, 0.0025); /* 1 % by weight 1 : 3 */
	near(r->items[1].alpha, 0.0075);
	near(r->items[2].alpha, 0);      /* says its own */
	near(r->items[3].alpha, 0.0125); /* half of 5 %, for two calls */
	near(r->items[4].alpha, 0.025);
	near(r->items[5].alpha, 0.025);
	near(r->items[6].alpha, 0);
	near(r->items[1].weight, 3);
	assert_int_equal(sw_rules_budgets(r, &a, &b), 4);
	assert_string_equal(b[0].trigger, "deploy-to-prod");
	assert_true(b[0].rollback && b[0].rules == 3 && !b[1].rollback && b[1].rules == 2);
	near(b[0].alpha, 0.015);
	near(b[1].alpha, 0.05);
	assert_string_equal(b[2].trigger, "deploy-to-staging");
	near(b[2].alpha, 0.05);
	sw_rules_put(r);
	sw_arena_fini(&a);
}

/* ---- the examples of the design ---- */

static void test_design(void **state)
{
	static const char text[] =
		"- {on: deploy-to-prod, if: http_latency_p95 > 1500ms, then: rollback}\n"
		"- name: prod-health\n  on: deploy-to-prod\n  watch: 5m\n  if: health is failing for 3 checks\n  then: [alert, rollback]\n"
		"- name: prod-errors\n  on: deploy-to-prod\n  where: service == \"web\" or service matches /^pay-/\n  watch: 5m\n"
		"  if: error_rate > baseline +200% for 30s and requests(5m) >= 200\n  then: [alert: oncall, rollback]\n"
		"  severity: critical\n  runbook: https://wiki.example.com/web-errors\n"
		"- name: prod-slower\n  on: deploy-to-prod\n  watch: 5m\n  if: regressed(http_latency_p95, by=20%, alpha=1%)\n  then: alert\n"
		"- name: main-is-red\n  on: pipeline-failed\n  after: 2m\n  if: branch == \"main\"\n  then: alert\n"
		"- {name: deploy-failed, on: deploy-failed, then: alert}\n"
		"- name: p95-limit\n  on: deploy-to-prod\n  watch: {for: 5m, every: 15s, delay: 30s}\n  if: http_latency_p95 > 1500ms for 3 checks\n"
		"  then: [rollback, alert: oncall]\n  min_requests: 200\n";
	struct sw_rules *r = load(text, 1);

	(void)state;
	assert_int_equal(sw_expr_holds(r->items[0].cond), 1); /* a plain comparison that leads to a rollback holds for 3 checks */
	assert_int_equal(sw_expr_holds(r->items[2].cond), 2);
	assert_int_equal(sw_expr_holds(r->items[3].cond), 0);
	assert_int_equal(r->items[6].every, 15 * SW_SECOND);
	assert_int_equal(r->items[6].min_requests, 200);
	sw_rules_put(r);
}

static void test_comes_back(void **state)
{
	struct sw_rules *r = load("lists: {teams: {release: [lin]}}\nsignals: {q: {prometheus: 'sum(x{a=\"b\"})', floor: 5}}\nrules:\n"
	                          R("if: 'user in teams.release', then: alert") "- {name: q, on: deploy, if: q > 2x baseline, then: alert, min_requests: 5}\n", 0),
			*again;
	struct sw_err err;

	(void)state;
	assert_int_equal(sw_rules_load_source(r->source, r->source_n, &again, &err), 0);
	assert_string_equal(r->hash, again->hash);
	assert_int_equal(again->n, 2);
	assert_string_equal(again->items[0].name, "r");
	assert_string_equal(again->items[1].signals[1], "requests");
	assert_string_equal(sw_rules_signal(again, "q")->query.prometheus, "sum(x{a=\"b\"})");
	near(sw_rules_signal(again, "q")->floor, 5);
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

/* What is walked is what a look at each rule would find, in its order. */
static void test_walk(void **state)
{
	static const char text[] =
		"triggers: {odd: 'user == \"x\"'}\n"
		"rules:\n"
		"- {name: a, on: deploy-to-prod, where: service == \"web\", then: alert}\n"
		"- {name: b, on: deploy-to-prod, then: alert}\n"
		"- {name: c, on: odd, where: service == \"web\", then: alert}\n"
		"- {name: d, on: deploy-to-prod, where: env == \"eu\" and (branch == \"main\" and \"web\" == service), then: alert}\n"
		"- {name: e, on: deploy-failed, where: service == \"web\", then: alert}\n"
		"- {name: f, on: deploy-to-prod, where: service == \"api\", then: alert}\n"
		"- {name: g, on: deploy-to-prod, where: service != \"web\", then: alert}\n"
		"- {name: h, on: odd, then: alert}\n"
		"- {name: i, on: deploy-to-prod, where: service == \"web\" or env == \"eu\", then: alert}\n"
		"- {name: j, on: deploy-to-prod, where: not (service == \"web\"), then: alert}\n"
		"- {name: k, on: deploy-to-prod, where: service == env, then: alert}\n";
	static const struct { enum sw_trigger_kind kind; bool custom; const char *service, *want; } rows[] = {
		{ SW_TR_DEPLOY_TO, true, "web", "abcdghijk" },
		{ SW_TR_DEPLOY_TO, true, "api", "bfghijk" },
		{ SW_TR_DEPLOY_TO, true, NULL, "bghijk" },
		{ SW_TR_DEPLOY_TO, false, "web", "abdgijk" },
		{ SW_TR_DEPLOY_FAILED, false, "web", "e" },
		{ SW_TR_CUSTOM, false, "web", "ch" },
		{ SW_TR_CUSTOM, true, "web", "ch" },
		{ SW_TR_JOB, false, "web", "" },
	};
	struct sw_rules *r;
	struct sw_arena a = { 0 };
	struct sw_diags d;

	(void)state;
	sw_diags_init(&d, &a);
	assert_int_equal(sw_rules_load_text("r.yaml", text, strlen(text), NULL, &r, &d), 0);
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_rules_walk walk;
		const struct sw_rule *rule;
		char got[32] = "";

		sw_rules_walk(r, rows[i].kind, rows[i].custom, rows[i].service, &walk);
		while ((rule = sw_rules_next(&walk)))
			strncat(got, rule->name, sizeof got - strlen(got) - 1);
		assert_string_equal(got, rows[i].want);
	}
	sw_rules_put(r);
	sw_arena_fini(&a);
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
		cmocka_unit_test(test_seeds),  cmocka_unit_test(test_files),  cmocka_unit_test(test_defaults), cmocka_unit_test(test_signals),
		cmocka_unit_test(test_needs),  cmocka_unit_test(test_budget), cmocka_unit_test(test_design),   cmocka_unit_test(test_comes_back),
		cmocka_unit_test(test_safe),   cmocka_unit_test(test_many),  cmocka_unit_test(test_walk),
		cmocka_unit_test(test_approve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
