/*
 * What a release engineer asks afterwards: why a watch ended so (explain), the same as a test of the rule (export-test), and
 * telling what it really was (label).
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "bus/bus.h"
#include "cli/cli.h"
#include "cli/talk.h"
#include "engine/explain.h"
#include "io/loop.h"
#include "shipwatch/clock.h"

#define PLACES      1000  /* looked through */
#define STATE_NODES 100000

/* ---- finding ---- */

struct found {
	const char *aggregate;
	const struct sw_jnode *place, *item; /* the state, and the watch or deployment in it */
};

typedef bool (*found_fits)(const struct sw_jnode *item, const char *what);

static bool watch_fits(const struct sw_jnode *w, const char *id) { return sw_streq(sw_jstr(w, "id"), id); }

/* By id, or by the beginning of its commit (7 digits and more). */
static bool deployment_fits(const struct sw_jnode *d, const char *what)
{
	const struct sw_jnode *ev = sw_jget(d, "ev");
	const char *sha = sw_jstr(ev, "sha") ? sw_jstr(ev, "sha") : sw_jstr(ev, "short_sha");

	return sw_streq(sw_jstr(d, "id"), what) || (strlen(what) >= 7 && sha && sw_starts(sha, what));
}

/* Looks through all places; the newest that fits. Return: how many fit, or -errno. */
static int find(struct sw_talk *t, const char *list, found_fits fits, const char *what, struct found *ret)
{
	struct sw_jnode *names, *place;
	int n = 0, r = sw_talk_query(t, sw_arena_printf(&t->a, "aggregates place: %d", PLACES), &names);

	*ret = (struct found){ 0 };
	for (const struct sw_jnode *x = names ? names->child : NULL; x && r == 0; x = x->next) {
		const struct sw_jnode *items;

		r = sw_talk_query(t, sw_arena_printf(&t->a, "aggregate %s", x->text), &place);
		items = sw_jget(sw_jget(place, "state"), list);
		for (const struct sw_jnode *i = items ? items->child : NULL; i; i = i->next)
			if (fits(i, what)) {
				*ret = (struct found){ x->text, sw_jget(place, "state"), i };
				n++;
			}
	}
	return r < 0 ? r : n;
}

/* ---- loading what an explanation needs ---- */

struct loading {
	struct sw_talk *t;
	struct sw_snapshot *snaps;
	size_t n_snaps;
	struct sw_explain_ring *rings;
	size_t n_rings;
	bool done;
	int r;
	sw_ms now;
};

static void loading_loaded(void *arg, int r, const struct sw_loaded *ld)
{
	struct loading *l = arg;

	l->r = r;
	l->done = true;
	if (r < 0)
		return;
	l->now = ld->now;
	for (size_t i = 0; i < l->n_snaps; i++)
		l->snaps[i].value = sw_arena_strdup(&l->t->a, ld->keeps[i]);
	for (size_t i = 0; i < l->n_rings; i++) {
		l->rings[i].bytes = sw_arena_memdup(&l->t->a, ld->rings[i].p, ld->rings[i].n);
		l->rings[i].n = ld->rings[i].n;
	}
}

static size_t texts_count(const char *const *list)
{
	size_t n = 0;

	while (list[n])
		n++;
	return n;
}

static int load(struct loading *l, const char *const *keys, const char *const *rings)
{
	l->n_snaps = texts_count(keys);
	l->n_rings = texts_count(rings);
	l->snaps = SW_ARENA_ARRAY(&l->t->a, struct sw_snapshot, l->n_snaps + 1);
	l->rings = SW_ARENA_ARRAY(&l->t->a, struct sw_explain_ring, l->n_rings + 1);
	for (size_t i = 0; i < l->n_snaps; i++)
		l->snaps[i].key = keys[i];
	for (size_t i = 0; i < l->n_rings; i++)
		l->rings[i].name = rings[i];
	l->done = false;
	sw_bus_load(l->t->bus, &(struct sw_load){ .aggregate = "cli:none", .rings = rings, .keeps = keys }, loading_loaded, l);
	while (!l->done && l->r >= 0)
		l->r = sw_loop_turn(l->t->loop, true) < 0 ? -1 : l->r;
	if (l->r < 0)
		(void)fprintf(stderr, "shipwatch: what was kept of this watch cannot be read\n");
	return l->r;
}

static struct sw_rules *explain_pinned(void *arg, const char *hash)
{
	struct sw_rules *r = *(struct sw_rules **)arg;

	return r && sw_streq(r->hash, hash) ? r : NULL;
}

/* Everything about one watch; rules has a reference afterwards. Return: 0, or -1 after one line on stderr. */
static int explain_watch(struct sw_talk *t, const char *id, struct sw_rules **rules, struct sw_explanation *ret)
{
	struct sw_places none = { 0 };
	struct sw_engine e = { .places = &none, .pinned = explain_pinned, .arg = rules };
	struct loading l = { .t = t };
	struct sw_err err = SW_ERR_INIT;
	struct sw_step_in in = { 0 };
	const char *const *keys, *const *rings;
	struct found f;
	int n = find(t, "watches", watch_fits, id, &f);

	if (n < 0)
		return -1;
	if (n == 0) {
		(void)fprintf(stderr, "shipwatch: there is no watch \"%.40s\"; `shipwatch status` names the open ones\n", id);
		return -1;
	}
	in = (struct sw_step_in){ .aggregate = f.aggregate, .state = f.place, .now = sw_clock_wall() };
	keys = sw_explain_keys(&e, &in, id, &t->a, &rings);
	if (!keys || load(&l, keys, rings) < 0)
		return -1;
	if (l.snaps[0].value && sw_rules_load_source(l.snaps[0].value, strlen(l.snaps[0].value), rules, &err) < 0) {
		(void)fprintf(stderr, "shipwatch: the rules of this watch: %s\n", err.text);
		return -1;
	}
	in.snaps = l.snaps;
	in.n_snaps = l.n_snaps;
	in.now = l.now;
	if (sw_engine_explain(&e, &in, id, l.rings, l.n_rings, &t->a, ret, &err) < 0) {
		(void)fprintf(stderr, "shipwatch: %s\n", err.text);
		return -1;
	}
	return 0;
}

/* ---- for people ---- */

static const char *const truths[] = { "false", "true", "unknown" };

static const char *dur_text(struct sw_talk *t, sw_dur d)
{
	struct sw_buf b = SW_BUF_INIT;
	const char *ret;

	sw_dur_print(d, &b);
	ret = sw_arena_strdup(&t->a, sw_buf_str(&b));
	sw_buf_fini(&b);
	return ret;
}

static const char *time_text(struct sw_talk *t, sw_ms at)
{
	struct sw_buf b = SW_BUF_INIT;
	const char *ret;

	sw_time_print(at, &b);
	ret = sw_arena_strdup(&t->a, sw_buf_str(&b));
	sw_buf_fini(&b);
	return ret;
}

static void print_signals(struct sw_talk *t, const struct sw_explanation *x)
{
	for (size_t i = 0; i < x->n_signals; i++) {
		const struct sw_explain_signal *g = &x->signals[i];

		(void)printf("before  %s %s", g->name, g->before ? g->before : "not known");
		if (g->baseline)
			(void)printf(" (%zu of %zu readings, %s apart", g->valid, g->baseline, dur_text(t, g->points_step));
		if (g->pseudo)
			(void)printf("; calibrated on %u pseudo-deployments in %zu readings", g->pseudo, g->history);
		if (g->n_days)
			(void)printf("; compared with %zu earlier days", g->n_days);
		(void)printf("%s\n", g->baseline ? ")" : "");
	}
}

static void print_rows(struct sw_talk *t, const struct sw_explanation *x)
{
	for (size_t i = 0; i < x->n_rows; i++) {
		const struct sw_explain_row *row = &x->rows[i];

		for (size_t k = 0; k < row->j.n_saw; k++) {
			const struct sw_saw *s = &row->j.saw[k];
			const char *when = k ? "" : sw_arena_printf(&t->a, "+%s", dur_text(t, (row->at - x->finished) / SW_SECOND * SW_SECOND));

			(void)printf("  %-8s %-8s %-8s %s: %s", when, k ? "" : truths[row->j.truth], truths[s->truth], s->text ? s->text : "",
			             s->value ? s->value : "");
			if (s->limit)
				(void)printf(", limit %s", s->limit);
			if (s->before)
				(void)printf(", before %s", s->before);
			(void)printf("%s%s\n", s->note ? "; " : "", s->note ? s->note : "");
		}
	}
}

static void print_explanation(struct sw_talk *t, const struct sw_explanation *x)
{
	(void)printf("rule    %s\n", x->rule);
	(void)printf("if      %s\n", x->cond);
	(void)printf("where   %s/%s, deployment %s of %s%s%s\n", x->service, x->environment, x->deployment, x->sha ? x->sha : "an unknown commit",
	             x->user ? " by " : "", x->user ? x->user : "");
	(void)printf("when    ended %s, watched from then for %s, every %s\n", time_text(t, x->finished), dur_text(t, x->until - x->from),
	             dur_text(t, x->every));
	if (x->verdict)
		(void)printf("verdict %s (%s)%s%s\n", x->verdict, x->reason, x->ended ? " at +" : "",
		             x->ended ? dur_text(t, (x->ended - x->finished) / SW_SECOND * SW_SECOND) : "");
	else
		(void)printf("verdict none yet, %s\n", x->state);
	print_signals(t, x);
	(void)printf("\n  %-8s %-8s %-8s %s\n", "after", "rule", "", "comparison: value, limit, before");
	print_rows(t, x);
	if (!x->n_rows)
		(void)printf("  no reading since the deployment\n");
}

static void json_rows(struct sw_jw *w, const struct sw_explanation *x)
{
	sw_jw_arr(w, "steps");
	for (size_t i = 0; i < x->n_rows; i++) {
		const struct sw_judged *j = &x->rows[i].j;

		sw_jw_obj(w, NULL);
		sw_jw_int(w, "at", x->rows[i].at);
		sw_jw_str(w, "truth", truths[j->truth]);
		sw_jw_arr(w, "comparisons");
		for (size_t k = 0; k < j->n_saw; k++) {
			sw_jw_obj(w, NULL);
			sw_jw_opt(w, "text", j->saw[k].text);
			sw_jw_str(w, "truth", truths[j->saw[k].truth]);
			sw_jw_opt(w, "value", j->saw[k].value);
			sw_jw_opt(w, "limit", j->saw[k].limit);
			sw_jw_opt(w, "before", j->saw[k].before);
			sw_jw_opt(w, "note", j->saw[k].note);
			sw_jw_obj_end(w);
		}
		sw_jw_arr_end(w);
		sw_jw_obj_end(w);
	}
	sw_jw_arr_end(w);
}

static void json_explanation(const struct sw_explanation *x)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;

	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "rule", x->rule);
	sw_jw_opt(&w, "if", x->cond);
	sw_jw_str(&w, "service", x->service);
	sw_jw_str(&w, "environment", x->environment);
	sw_jw_str(&w, "deployment", x->deployment);
	sw_jw_opt(&w, "sha", x->sha);
	sw_jw_opt(&w, "version", x->version);
	sw_jw_opt(&w, "user", x->user);
	sw_jw_str(&w, "state", x->state);
	sw_jw_opt(&w, "verdict", x->verdict);
	sw_jw_opt(&w, "reason", x->reason);
	sw_jw_int(&w, "finished", x->finished);
	sw_jw_int(&w, "from", x->from);
	sw_jw_int(&w, "until", x->until);
	sw_jw_int(&w, "ended", x->ended);
	sw_jw_int(&w, "every_ms", x->every);
	sw_jw_arr(&w, "before");
	for (size_t i = 0; i < x->n_signals; i++) {
		sw_jw_obj(&w, NULL);
		sw_jw_str(&w, "signal", x->signals[i].name);
		sw_jw_opt(&w, "value", x->signals[i].before);
		sw_jw_int(&w, "readings", (int64_t)x->signals[i].valid);
		sw_jw_int(&w, "pseudo_deployments", x->signals[i].pseudo);
		sw_jw_int(&w, "earlier_days", (int64_t)x->signals[i].n_days);
		sw_jw_obj_end(&w);
	}
	sw_jw_arr_end(&w);
	json_rows(&w, x);
	sw_jw_obj_end(&w);
	(void)printf("%s\n", sw_buf_str(&b));
}

int sw_cli_explain(int argc, char **argv)
{
	static const struct sw_usage usage = {
		"explain WATCH [--json]", "Why a watch ended as it did: its condition at every reading, with values, limits and what was before.\n", NULL, 1, 1,
	};
	struct sw_talk t = { 0 };
	const struct sw_opt opts[] = { SW_OPT_TALK(&t), SW_OPT_JSON(&t.c), { 0 } };
	struct sw_rules *rules = NULL;
	struct sw_explanation x;
	int r;

	if (sw_options_read(&usage, opts, argc, argv, &r) < 0)
		return r;
	r = sw_talk_open(&t);
	if (r == 0)
		r = explain_watch(&t, argv[1], &rules, &x);
	if (r == 0 && t.c.json)
		json_explanation(&x);
	else if (r == 0)
		print_explanation(&t, &x);
	sw_rules_put(rules);
	sw_talk_close(&t);
	return r < 0 ? SW_EXIT_WRONG : SW_EXIT_OK;
}

/* ---- as a test ---- */

/* A reading as a token of a series. */
static void token_print(struct sw_buf *b, const struct sw_explain_signal *g, const struct sw_sample *s)
{
	if (!s || s->reading == SW_R_ABSENT || s->reading == SW_R_TOO_FEW)
		sw_buf_cat(b, "_");
	else if (s->reading != SW_R_OK)
		sw_buf_cat(b, s->reading == SW_R_ERROR ? "err" : s->reading == SW_R_NAN ? "nan" : "stale");
	else if (g->def && g->def->type == SW_V_BOOL)
		sw_buf_cat(b, s->value > 0.5 ? "ok" : "fail");
	else
		sw_buf_printf(b, "%.6g", s->value);
}

/* A token so many times: behind a value the number of further ones follows it, behind a word its own number. */
static void token_times(struct sw_buf *b, const char *token, size_t times)
{
	const char *end = token + strspn(token, "+-.0123456789e");

	if (*end)
		sw_buf_printf(b, "%s x%zu", token, times);
	else if (times > 1)
		sw_buf_printf(b, "%sx%zu", token, times - 1);
	else
		sw_buf_cat(b, token);
}

/* The readings since the deployment on the grid of the test, runs of equal ones folded. */
static void series_print(struct sw_buf *b, const struct sw_explanation *x, const struct sw_explain_signal *g, sw_dur every, sw_ms until)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf last = SW_BUF_INIT;
	SW_CLEANUP(sw_buf_fini) struct sw_buf now = SW_BUF_INIT;
	size_t times = 0, k = 0;

	for (sw_ms at = x->finished; at <= until; at += every) {
		const struct sw_sample *s = NULL;

		while (k < g->n && g->samples[k].at < at)
			k++;
		if (k < g->n && g->samples[k].at < at + every)
			s = &g->samples[k];
		sw_buf_reset(&now);
		token_print(&now, g, s);
		if (times && strcmp(sw_buf_str(&now), sw_buf_str(&last)) == 0) {
			times++;
			continue;
		}
		if (times) {
			token_times(b, sw_buf_str(&last), times);
			sw_buf_putc(b, ' ');
		}
		sw_buf_reset(&last);
		sw_buf_cat(&last, sw_buf_str(&now));
		times = 1;
	}
	if (times)
		token_times(b, sw_buf_str(&last), times);
}

static void numbers_print(struct sw_buf *b, double v, size_t times)
{
	char text[32] = "_";

	if (isfinite(v))
		(void)snprintf(text, sizeof text, "%.6g", v);
	if (times)
		token_times(b, text, times);
	sw_buf_cat(b, times ? " " : "");
}

/*
 * Earlier days, oldest first, each from where its deployment would have been; what is not kept of a day is missing. The time before
 * is told by medians of its parts, each as long as the part was.
 */
static void days_print(struct sw_buf *b, const struct sw_explain_signal *g)
{
	size_t day = (size_t)(SW_DAY / g->points_step), at = 0;

	if (SW_DAY % g->points_step || day < g->baseline + BASELINE_DAY_Y)
		return;
	for (size_t i = g->n_days; i-- > 0;) {
		const struct baseline_day *d = &g->days[i];
		size_t deployed = ((size_t)g->days[g->n_days - 1].back - d->back) * day + g->baseline;

		numbers_print(b, NAN, deployed - g->baseline - at);
		for (size_t k = 0; k < d->m; k++)
			numbers_print(b, d->x[k], (k + 1) * g->baseline / d->m - k * g->baseline / d->m);
		for (size_t k = 0; k < d->n; k++)
			numbers_print(b, d->y[k], 1);
		at = deployed + d->n;
	}
	if (g->n_days)
		numbers_print(b, NAN, (size_t)g->days[g->n_days - 1].back * day - at);
}

static void history_print(struct sw_buf *b, const struct sw_explain_signal *g)
{
	for (size_t i = 0; i < g->baseline; i++) {
		if (i)
			sw_buf_putc(b, ' ');
		if (isfinite(g->points[i]))
			sw_buf_printf(b, "%.6g", g->points[i]);
		else
			sw_buf_putc(b, '_');
	}
}

static const char *yaml_quoted(struct sw_talk *t, const char *s)
{
	struct sw_buf b = SW_BUF_INIT;
	const char *ret;

	sw_buf_json(&b, s);
	ret = sw_arena_strdup(&t->a, sw_buf_str(&b));
	sw_buf_fini(&b);
	return ret;
}

/* The rules of the watch as they were, each file's text; most sets are one. */
static void export_rules(const struct sw_rules *rules, struct sw_buf *b)
{
	struct sw_arena a = { 0 };
	struct sw_jnode *root;

	if (sw_jtree_parse(&a, rules->source, rules->source_n, STATE_NODES, &root, NULL) == 0 && root->child && root->child->child &&
	    root->child->child->next) {
		const char *text = root->child->child->next->text;

		while (*text) {
			size_t n = strcspn(text, "\n");

			sw_buf_cat(b, "  ");
			sw_buf_catn(b, text, n);
			sw_buf_putc(b, '\n');
			text += n + (text[n] == '\n');
		}
	}
	sw_arena_fini(&a);
}

static void export_print(struct sw_talk *t, const struct sw_explanation *x, const struct sw_rules *rules)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	sw_ms until = x->ended ? x->ended + SW_MINUTE : x->until;

	sw_buf_printf(&b, "# What happened at %s/%s on %s, as a test of rule %s.\n", x->service, x->environment, time_text(t, x->finished), x->rule);
	sw_buf_cat(&b, "rules: |\n");
	export_rules(rules, &b);
	sw_buf_printf(&b, "interval: %s\nplaces:\n  %s/%s: {every: %s, grace: %s}\ntests:\n", dur_text(t, x->every), x->service, x->environment,
	              dur_text(t, x->every), dur_text(t, x->grace));
	sw_buf_printf(&b, "- name: %s\n  events:\n", yaml_quoted(t, sw_arena_printf(&t->a, "%s of %s", x->rule, x->deployment)));
	sw_buf_printf(&b, "  - {at: 0s, deployment: {service: %s, env: %s, sha: %s, status: success}}\n", x->service, x->environment,
	              yaml_quoted(t, x->sha ? x->sha : "unknown"));
	for (size_t pass = 0; pass < 3; pass++) { /* series, history, probes */
		bool any = false;

		for (size_t i = 0; i < x->n_signals; i++) {
			const struct sw_explain_signal *g = &x->signals[i];
			bool health = g->def && g->def->type == SW_V_BOOL;

			if ((pass == 2) != health || (pass == 1 && !g->baseline) || (g->def && g->def->type == SW_V_LIST))
				continue;
			if (!any)
				sw_buf_printf(&b, "  %s:\n", pass == 0 ? "series" : pass == 1 ? "history" : "probes");
			any = true;
			sw_buf_printf(&b, "    %s: '", g->name);
			if (pass == 1) {
				days_print(&b, g);
				history_print(&b, g);
			} else {
				series_print(&b, x, g, x->every, until);
			}
			sw_buf_cat(&b, "'\n");
		}
	}
	sw_buf_printf(&b, "  expect:\n  - {rule: %s, verdict: %s%s%s}\n", yaml_quoted(t, x->rule), x->verdict ? x->verdict : "pass",
	              x->reason ? ", reason: " : "", x->reason ? x->reason : "");
	(void)fputs(sw_buf_str(&b), stdout);
}

int sw_cli_export_test(int argc, char **argv)
{
	static const struct sw_usage usage = {
		"export-test WATCH",
		"Writes what happened as a test file for `shipwatch test`: the deployment, its readings and those before, the verdict.\n", NULL, 1, 1,
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
		r = explain_watch(&t, argv[1], &rules, &x);
	if (r == 0 && !x.verdict) {
		(void)fprintf(stderr, "shipwatch: watch %s has no verdict yet\n", argv[1]);
		r = -1;
	}
	if (r == 0)
		export_print(&t, &x, rules);
	sw_rules_put(rules);
	sw_talk_close(&t);
	return r < 0 ? SW_EXIT_WRONG : SW_EXIT_OK;
}

/* ---- labels ---- */

int sw_cli_label(int argc, char **argv)
{
	static const struct sw_usage usage = {
		"label DEPLOYMENT good|bad [--who NAME]",
		"Says what a deployment really was: its id, or its commit (7 digits and more). Good ones are what a rollback goes back to.\n", NULL, 2, 2,
	};
	struct sw_talk t = { 0 };
	const struct sw_opt opts[] = { SW_OPT_TALK(&t), SW_OPT_WHO(&t), { 0 } };
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;
	struct found f;
	int r, n = 0;

	if (sw_options_read(&usage, opts, argc, argv, &r) < 0)
		return r;
	if (strcmp(argv[2], "good") != 0 && strcmp(argv[2], "bad") != 0) {
		(void)fprintf(stderr, "shipwatch: label: want good or bad, got \"%.40s\"\n", argv[2]);
		return SW_EXIT_USAGE;
	}
	r = sw_talk_open(&t);
	if (r == 0)
		n = r = find(&t, "deployments", deployment_fits, argv[1], &f);
	if (r == 0) {
		(void)fprintf(stderr, "shipwatch: there is no deployment \"%.64s\"; want its id or 7 digits of its commit\n", argv[1]);
		r = -1;
	} else if (n > 1) {
		(void)fprintf(stderr, "shipwatch: %d deployments fit \"%.64s\": say the id of one\n", n, argv[1]);
		r = -1;
	}
	if (r > 0) {
		sw_jw_init(&w, &b);
		sw_jw_obj(&w, NULL);
		sw_jw_str(&w, "t", "cmd");
		sw_jw_str(&w, "do", "label");
		sw_jw_str(&w, "dep", sw_jstr(f.item, "id"));
		sw_jw_bool(&w, "good", strcmp(argv[2], "good") == 0);
		sw_jw_str(&w, "who", t.who);
		sw_jw_obj_end(&w);
		r = sw_talk_append(&t, f.aggregate, sw_buf_str(&b));
	}
	if (r == 0)
		(void)printf("%s: deployment %s is %s, says %s\n", f.aggregate + strlen("place:"), sw_jstr(f.item, "id"), argv[2], t.who);
	sw_talk_close(&t);
	return r < 0 ? SW_EXIT_WRONG : SW_EXIT_OK;
}
