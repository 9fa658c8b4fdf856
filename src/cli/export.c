/*
 * shipwatch export-test: what a watch saw, as a rule test.
 *
 * 1. The test's time is a grid of the shortest rhythm at which the place was asked. Readings came a little after each other's due
 *    time, so the grid is laid with the first of them in the middle of its slot; between two readings of a signal the older one holds.
 * 2. What came before the rollout is the kept baseline. Of the longer history that a tier A calibration was made of nothing is kept but
 *    the calibration: noise of the baseline's level and spread stands for it, and the file says so.
 * 3. The file is played before it is printed. It expects what it can: the verdict, its reason and its time; where the play ends
 *    otherwise (other services, our own network, a person are not in it), it says what really was and expects what the play gives.
 */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/cli.h"
#include "cli/export.h"

#define AGO_LEAST    (2 * SW_HOUR)      /* a deployment before: later than its watch would have lasted */
#define PREVIOUS     3                  /* deployments before that are told */
#define NO_DATA      (31 * SW_MINUTE)   /* where the play knows too little, it takes so long to say so */

/* ---- the parts of the file ---- */

static const char *quoted(struct export *e, const char *s)
{
	struct sw_buf b = SW_BUF_INIT;
	const char *ret;

	sw_buf_json(&b, s);
	ret = sw_arena_strdup(&e->t->a, sw_buf_str(&b));
	sw_buf_fini(&b);
	return ret;
}

/* A name as it is, where YAML takes it for one. */
static const char *name(struct export *e, const char *s)
{
	static const char *const words[] = { "true", "false", "null", "yes", "no", "on", "off", "y", "n" };
	bool plain = ((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z')) &&
	             s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-")] == '\0';

	for (size_t i = 0; i < SW_COUNT(words); i++)
		plain &= strcasecmp(s, words[i]) != 0;
	return plain ? s : quoted(e, s);
}

/* When something happens, in the play. */
static const char *since(struct export *e, sw_ms at) { return sw_found_dur(e->t, SW_MAX(at - e->start - e->shift, 0)); }

/* A text as a block, `indent` deep. */
static void block_print(struct sw_buf *b, const char *text, int indent)
{
	const char *first = text + strspn(text, "\n");

	sw_buf_cat(b, *first == ' ' ? "|2\n" : "|\n");
	while (*text) {
		size_t n = strcspn(text, "\n");

		if (n)
			sw_buf_printf(b, "%*s%.*s", indent, "", (int)n, text);
		sw_buf_putc(b, '\n');
		text += n + (text[n] == '\n');
	}
}

/* The rules of the watch as they were: the text of one file, or of several by their names. */
static void rules_print(struct export *e)
{
	struct sw_jnode *root;
	size_t i = 0;

	if (sw_jtree_parse(&e->t->a, e->rules->source, e->rules->source_n, STATE_NODES, &root, NULL) < 0)
		return;
	sw_buf_cat(&e->b, "rules:");
	if (root->n != 1)
		sw_buf_putc(&e->b, '\n');
	for (const struct sw_jnode *x = root->child; x; x = x->next) {
		bool twice = false;

		if (root->n == 1) {
			sw_buf_putc(&e->b, ' ');
			block_print(&e->b, x->child->next->text, 2);
			continue;
		}
		for (const struct sw_jnode *y = root->child; y != x; y = y->next)
			twice |= sw_streq(y->child->text, x->child->text);
		i++;
		sw_buf_printf(&e->b, "  %s: ", name(e, twice ? sw_arena_printf(&e->t->a, "%zu-%s", i, x->child->text) : x->child->text));
		block_print(&e->b, x->child->next->text, 4);
	}
}

/* The rhythm of health before the rollout, and under watch. */
static void place_rhythm(struct export *e, sw_dur *every, sw_dur *background)
{
	const struct sw_place *p = e->x->place;

	*every = *background = 0;
	for (size_t i = 0; i < e->x->n_signals; i++)
		if (sw_export_health(&e->x->signals[i])) {
			*every = sw_export_rhythm(e, &e->x->signals[i], e->heard, e->x->closed ? e->x->closed + 1 : INT64_MAX);
			*background = sw_export_rhythm(e, &e->x->signals[i], sw_export_previous_end(e), e->began);
		}
	if (p && p->health.url) {
		*every = p->health.every;
		*background = p->health.background;
	}
	if (!*every)
		*every = e->x->every;
}

static void limits_print(struct export *e, const struct sw_place *p)
{
	sw_buf_cat(&e->b, ", limits: {");
	for (size_t i = 0; i < p->n_limits; i++) {
		struct sw_value v = { .type = (enum sw_vtype)p->limits[i].type, .num = p->limits[i].value };

		sw_buf_printf(&e->b, "%s%s: ", i ? ", " : "", p->limits[i].name);
		sw_value_print(&v, &e->b);
	}
	sw_buf_cat(&e->b, "}");
}

static void place_print(struct export *e)
{
	const struct sw_explanation *x = e->x;
	const struct sw_place *p = x->place;
	const char *tier = p ? p->tier : e->rule && e->rule->on.kind == SW_TR_DEPLOY_TO && !sw_streq(e->rule->on.target, "*") ? e->rule->on.target : NULL;
	sw_dur every, background;
	bool versions = false;

	place_rhythm(e, &every, &background);
	for (size_t i = 0; i < x->n_signals; i++)
		for (size_t k = 0; sw_export_health(&x->signals[i]) && k < x->signals[i].n; k++)
			versions |= x->signals[i].samples[k].value > 0.5 && x->signals[i].samples[k].text;
	sw_buf_printf(&e->b, "places:\n  %s: {every: %s, grace: %s", name(e, sw_arena_printf(&e->t->a, "%s/%s", x->service, x->environment)),
	              sw_found_dur(e->t, every), sw_found_dur(e->t, x->grace));
	if (background)
		sw_buf_printf(&e->b, ", background: %s", sw_found_dur(e->t, background));
	if (p ? p->health.version != NULL : versions)
		sw_buf_cat(&e->b, ", version: true");
	if (p && p->prometheus.url && p->prometheus.window != SW_MINUTE)
		sw_buf_printf(&e->b, ", window: %s", sw_found_dur(e->t, p->prometheus.window));
	if (p && !p->rollback)
		sw_buf_cat(&e->b, ", rollback: none");
	if (p && p->dry_run)
		sw_buf_cat(&e->b, ", dry_run: true");
	if (tier && !sw_streq(tier, sw_place_tier(x->environment)) && strcasecmp(tier, x->environment) != 0)
		sw_buf_printf(&e->b, ", tier: %s", name(e, tier));
	if (p && p->n_limits)
		limits_print(e, p);
	sw_buf_cat(&e->b, "}\n");
}

static void event_print(struct export *e, sw_ms at, size_t i, const char *status, sw_dur ago)
{
	const struct sw_explain_deployment *d = &e->x->deployments[i];
	const struct { const char *name, *value; } texts[] = {
		{ "sha", d->sha ? d->sha : "0000000" }, { "version", d->version }, { "user", d->user }, { "branch", d->branch }, { "tag", d->tag },
	};

	sw_buf_printf(&e->b, "  - {at: %s, deployment: {service: %s, env: %s, id: \"%zu\", status: %s", since(e, SW_MAX(at, e->start)),
	              name(e, e->x->service), name(e, e->x->environment), i + 1, status);
	if (ago >= SW_SECOND)
		sw_buf_printf(&e->b, ", ago: %s", sw_found_dur(e->t, ago / SW_SECOND * SW_SECOND));
	for (size_t k = 0; k < SW_COUNT(texts); k++)
		if (texts[k].value && !(k == 3 && sw_streq(d->branch, "main")))
			sw_buf_printf(&e->b, ", %s: %s", texts[k].name, name(e, texts[k].value));
	sw_buf_cat(&e->b, "}}\n");
}

/* What ran here before, the deployment, and what came before its verdict. */
static void events_print(struct export *e)
{
	const struct sw_explanation *x = e->x;
	size_t before = 0;

	sw_buf_cat(&e->b, "  events:\n");
	for (size_t i = 0; i < x->deployment; i++)
		before += x->deployments[i].ran;
	for (size_t i = 0; i < x->deployment; i++) {
		const struct sw_explain_deployment *d = &x->deployments[i];

		if (d->ran && before-- <= PREVIOUS)
			event_print(e, e->start, i, "success", SW_MAX(e->start - d->finished, AGO_LEAST + (sw_dur)(x->deployment - i) * SW_MINUTE));
	}
	if (e->began < e->d->finished)
		event_print(e, e->began, x->deployment, "running", 0);
	event_print(e, e->heard, x->deployment, "success", e->heard - e->d->finished);
	for (size_t i = x->deployment + 1; i < x->n_deployments; i++) {
		const struct sw_explain_deployment *d = &x->deployments[i];

		if (d->started && d->started > e->heard && d->started <= e->end && d->started < d->finished)
			event_print(e, d->started, i, "running", 0);
		if (d->ran && d->finished > e->heard && d->finished <= e->end)
			event_print(e, d->finished, i, "success", 0);
	}
}

/* ---- what it expects ---- */

enum exact { EXACT_TIME, EXACT_REASON, EXACT_VERDICT, EXACT_PLAYED };

/* Why a play of what is kept may end otherwise. */
static const char *lost_why(const struct export *e)
{
	if (sw_streq(e->x->reason, "common-cause"))
		return "other services failed at the same time, which are not in this file";
	if (sw_streq(e->x->reason, "operator"))
		return "a person ended it";
	if (e->filled)
		return "regressed() was calibrated on a longer history than is kept";
	if (strstr(e->x->cond, "changed(") || strstr(e->x->cond, "failing_services") || strstr(e->x->cond, "previous.") || strstr(e->x->cond, "flaky"))
		return "its condition asks for what is not kept";
	if (!e->x->place && (strstr(e->x->cond, "limits.") || strstr(e->x->cond, "labels.")))
		return "limits and labels were not known here: say -c FILE";
	return "not all that it saw is kept";
}

static void expect_print(struct export *e, enum exact exact, const char *verdict)
{
	const struct sw_explanation *x = e->x;
	sw_dur margin = SW_MAX(3 * SW_MAX(x->every, e->step), (e->end - e->heard) / 10), from = SW_MAX(e->end - margin, e->heard) - e->start;

	if (exact == EXACT_PLAYED)
		sw_buf_printf(&e->b, "  # Really it ended %s (%s), %s after the deployment. Played again from what is kept it ends %s: %s.\n"
		                     "  # So this expects what the play gives. Give it what is missing, then expect verdict: %s.\n",
		              x->verdict, x->reason, sw_found_dur(e->t, (e->end - e->d->finished) / SW_SECOND * SW_SECOND), verdict, lost_why(e), x->verdict);
	else if (exact == EXACT_VERDICT)
		sw_buf_printf(&e->b, "  # Its reason was: %s. What is kept does not show that.\n", x->reason);
	sw_buf_printf(&e->b, "  expect:\n  - {rule: %s, verdict: %s", name(e, x->rule), verdict);
	if (exact <= EXACT_REASON)
		sw_buf_printf(&e->b, ", reason: %s", x->reason);
	if (exact == EXACT_TIME)
		sw_buf_printf(&e->b, ", within: [%s, %s]", sw_found_dur(e->t, SW_MAX(from - e->shift, 0) / SW_SECOND * SW_SECOND),
		              sw_found_dur(e->t, (e->end + margin - e->start) / SW_SECOND * SW_SECOND + SW_SECOND));
	sw_buf_cat(&e->b, "}\n");
}

static void file_print(struct export *e, enum exact exact, const char *verdict)
{
	const struct sw_explanation *x = e->x;
	const struct sw_explain_signal *g = x->signals;
	sw_dur more = exact == EXACT_PLAYED ? NO_DATA : 0, length = more + (e->end - e->heard + AFTER + SW_SECOND) / SW_SECOND * SW_SECOND;

	sw_buf_reset(&e->b);
	sw_buf_printf(&e->b, "# %s/%s: what the watch of rule %s saw. 0s is %s; the deployment ended %s later.\n", x->service, x->environment, x->rule,
	              sw_found_time(e->t, e->start), sw_found_dur(e->t, SW_MAX(e->d->finished - e->start, 0)));
	while (e->filled && !g->pseudo)
		g++;
	if (e->filled)
		sw_buf_printf(&e->b, "# Of the time before the deployment the last %s are kept; what stands before them under `history` is noise like them%s.\n",
		              sw_found_dur(e->t, (e->began - g->points_from) / SW_MINUTE * SW_MINUTE),
		              g->n_days ? ", and the same minutes of earlier days" : "");
	rules_print(e);
	sw_buf_printf(&e->b, "interval: %s\n", sw_found_dur(e->t, e->step));
	place_print(e);
	sw_buf_printf(&e->b, "tests:\n- name: %s\n  length: %s\n",
	              quoted(e, sw_arena_printf(&e->t->a, "%s of %.12s", x->rule, e->d->sha ? e->d->sha : e->d->id)), sw_found_dur(e->t, length));
	events_print(e);
	sw_export_series(e);
	expect_print(e, exact, verdict);
}

/* ---- playing it ---- */

/* Does it load, and does the play end as the file expects? *ret_broken: it does not load. */
static bool file_play(struct export *e, bool *ret_broken)
{
	struct sim_report report = { 0 };
	struct sw_arena a = { 0 };
	struct sw_diags d;
	bool good;

	sw_diags_init(&d, &a);
	*ret_broken = sw_sim_test_text("export-test", sw_buf_str(&e->b), e->b.n, NULL, &report, &d) < 0;
	for (const struct sw_diag *one = d.first; one && *ret_broken; one = one->next)
		if (!one->warning)
			(void)fprintf(stderr, "shipwatch: %s\n", one->text);
	good = !*ret_broken && report.passed == 1 && report.failed == 0;
	sw_sim_report_fini(&report);
	sw_arena_fini(&a);
	return good;
}

/* The strictest expectation that holds. Return: 0, or -1 told on stderr. */
static int file_make(struct export *e)
{
	static const char *const verdicts[] = { "pass", "fail", "inconclusive", "superseded" };
	bool broken = false;

	file_print(e, EXACT_TIME, e->x->verdict); /* what is said on top is known when the series are */
	for (int exact = EXACT_TIME; exact <= EXACT_VERDICT && !broken; exact++) {
		file_print(e, (enum exact)exact, e->x->verdict);
		if (file_play(e, &broken))
			return 0;
	}
	for (size_t i = 0; i < SW_COUNT(verdicts) && !broken; i++) {
		file_print(e, EXACT_PLAYED, verdicts[i]);
		if (file_play(e, &broken)) {
			(void)fprintf(stderr, "shipwatch: what is kept does not give the verdict %s again, the file says why\n", e->x->verdict);
			return 0;
		}
	}
	file_print(e, EXACT_TIME, e->x->verdict);
	(void)fprintf(stderr, "shipwatch: what is kept does not make a test that holds\n");
	return -1;
}

int sw_cli_export_test(int argc, char **argv)
{
	static const struct sw_usage usage = {
		"export-test WATCH",
		"Writes what a watch saw as a test for `shipwatch test`: the deployments, the readings since and before, the verdict. It is played\n"
		"first; where it does not end as the watch did, it says so and why. With -c FILE it knows limits, tier and rhythms too.\n",
		NULL, 1, 1,
	};
	struct sw_talk t = { 0 };
	const struct sw_opt opts[] = { SW_OPT_TALK(&t), { 0 } };
	struct sw_rules *rules = NULL;
	struct sw_explanation x;
	int r;

	if (sw_options_read(&usage, opts, argc, argv, &r) < 0)
		return r;
	r = sw_talk_open(&t);
	if (r == 0)
		r = sw_find_explained(&t, argv[1], &rules, &x);
	if (r == 0 && !x.verdict) {
		(void)fprintf(stderr, "shipwatch: watch %s has no verdict yet\n", argv[1]);
		r = -1;
	}
	if (r == 0) {
		struct export e = { .t = &t, .x = &x, .rules = rules, .rule = sw_rules_find(rules, x.rule), .d = &x.deployments[x.deployment] };

		sw_export_grid(&e);
		r = file_make(&e);
		(void)fputs(sw_buf_str(&e.b), stdout);
		sw_buf_fini(&e.b);
	}
	sw_rules_put(rules);
	sw_talk_close(&t);
	return r < 0 ? SW_EXIT_WRONG : SW_EXIT_OK;
}
