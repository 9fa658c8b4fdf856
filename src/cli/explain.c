/* shipwatch explain: why a watch ended so. What it saw at each look as a table, for the one who is awake at three; or as JSON. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cli/cli.h"
#include "cli/found.h"
#include "model/words.h"
#include "rules/rules.h"
#include "shipwatch/clock.h"

static const char *const truths[] = { "false", "true", "unknown" };

static const struct sw_explain_deployment *explained_deployment(const struct sw_explanation *x) { return &x->deployments[x->deployment]; }

/* Since the deployment ended, in whole seconds: "+35s". */
static const char *after_text(struct sw_talk *t, const struct sw_explanation *x, sw_ms at)
{
	sw_dur d = at - explained_deployment(x)->finished;

	return sw_arena_printf(&t->a, "%s%s", d < 0 ? "" : "+", sw_found_dur(t, d < SW_SECOND && d > -SW_SECOND ? 0 : d / SW_SECOND * SW_SECOND));
}

/* "12 min ago" */
static const char *ago_text(struct sw_talk *t, sw_ms at)
{
	sw_dur d = SW_MAX(sw_clock_wall() - at, 0), unit = d < 2 * SW_MINUTE ? SW_SECOND : d < 2 * SW_HOUR ? SW_MINUTE : d < 2 * SW_DAY ? SW_HOUR : SW_DAY;
	const char *name = unit == SW_SECOND ? "s" : unit == SW_MINUTE ? "min" : unit == SW_HOUR ? "h" : "d";

	return sw_arena_printf(&t->a, "%lld %s ago", (long long)(d / unit), name);
}

/* ---- the head ---- */

static const char *commit_text(struct sw_talk *t, const char *sha, const char *version)
{
	return sw_arena_printf(&t->a, "%.12s%s%s", sha ? sha : "an unknown commit", version ? " " : "", version ? version : "");
}

static void head_verdict(struct sw_talk *t, const struct sw_explanation *x)
{
	if (x->verdict)
		(void)printf("%s/%s: %s (%s), %s after the deployment\n\n", x->service, x->environment, x->verdict, x->reason,
		             sw_found_dur(t, SW_MAX((x->ended - explained_deployment(x)->finished) / SW_SECOND * SW_SECOND, 0)));
	else
		(void)printf("%s/%s: no verdict yet, %s\n\n", x->service, x->environment, x->state);
}

static void head_deployment(struct sw_talk *t, const struct sw_explanation *x)
{
	const struct sw_explain_deployment *d = explained_deployment(x);

	(void)printf("deployment   %s of %s%s%s%s\n", d->id, commit_text(t, d->sha, d->version), d->user ? " by " : "", d->user ? d->user : "",
	             d->is_rollback ? ", a rollback" : d->is_redeploy ? ", of the same commit as before" : "");
	if (x->prev_sha || x->prev_version)
		(void)printf("ran before   %s\n", commit_text(t, x->prev_sha, x->prev_version));
	if (d->started && d->started < d->finished)
		(void)printf("rollout      %s, took %s\n", sw_found_time(t, d->started), sw_found_dur(t, (d->finished - d->started) / SW_SECOND * SW_SECOND));
	(void)printf("ended        %s, %s\n", sw_found_time(t, d->finished), ago_text(t, d->finished));
}

static void head_asked(struct sw_talk *t, const struct sw_explanation *x, const struct sw_explain_action *a)
{
	(void)printf("  asked      action %s at %s, because %s\n", a->id, after_text(t, x, a->asked), a->ask_why ? a->ask_why : "the rule says so");
	if (a->until)
		(void)printf("             until %s, then it %s; `shipwatch approve %s` or `refuse`\n", after_text(t, x, a->until),
		             a->proceeds ? "begins" : "is cancelled", a->id);
	if (a->decided_by)
		(void)printf("  %-9s  by %s at %s\n", a->approved ? "approved" : "refused", a->decided_by, after_text(t, x, a->decided_at));
}

static void head_print(struct sw_talk *t, const struct sw_explanation *x)
{
	head_verdict(t, x);
	(void)printf("rule         %s\nif           %s\n", x->rule, x->cond);
	head_deployment(t, x);
	(void)printf("watched      from %s for %s, every %s\n", after_text(t, x, x->from), sw_found_dur(t, x->until - x->from), sw_found_dur(t, x->every));
	if (x->verdict)
		(void)printf("decided      %s, %s, at %s\n", sw_found_time(t, x->ended), ago_text(t, x->ended), after_text(t, x, x->ended));
	else
		(void)printf("decided      not yet; %s\n", x->until > sw_clock_wall() ? sw_arena_printf(&t->a, "its window ends at %s", after_text(t, x, x->until))
		                                                             : "its window is over, but too little is known");
	for (size_t i = 0; i < x->n_actions; i++) {
		(void)printf("action       %s %s: %s%s%s\n", x->actions[i].rollback ? "rollback" : "run", x->actions[i].action, x->actions[i].state,
		             x->actions[i].why ? ", " : "", x->actions[i].why ? x->actions[i].why : "");
		if (x->actions[i].asked)
			head_asked(t, x, &x->actions[i]);
	}
	for (size_t i = 0; i < x->n_guards; i++)
		(void)printf("%-12s %s: %s%s\n", i ? "" : "guards", x->guards[i].name, x->guards[i].text, x->guards[i].stopped ? " (this decided)" : "");
}

/* ---- before ---- */

static void before_print(struct sw_talk *t, const struct sw_explanation *x)
{
	bool any = false;

	for (size_t i = 0; i < x->n_signals; i++) {
		const struct sw_explain_signal *g = &x->signals[i];

		if (!g->before && g->def && g->def->type == SW_V_LIST && g->baseline)
			continue;
		if (!any)
			(void)printf("\nbefore the deployment\n");
		any = true;
		(void)printf("  %-20s %s", g->name, g->before ? g->before : "not known");
		if (g->before && g->baseline)
			(void)printf(", of %zu readings %s apart", g->valid, sw_found_dur(t, g->points_step));
		else if (!g->before && g->why)
			(void)printf(": %s", g->why);
		if (g->pseudo)
			(void)printf("; calibrated on %u deployments in play out of %zu readings", g->pseudo, g->history);
		if (g->n_days)
			(void)printf("; compared with %zu earlier days", g->n_days);
		(void)putchar('\n');
	}
}

/* ---- the looks ---- */

struct columns { int text, value, limit, before; };

static int text_width(const char *s)
{
	int n = 0;

	for (; s && *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* printf counts bytes, people see characters. */
static void cell_put(struct sw_buf *b, const char *s, int width)
{
	sw_buf_printf(b, "%s%*s  ", s, width > text_width(s) ? width - text_width(s) : 0, "");
}

static const char *cell(const char *s)
{
	return s ? sw_word_seen(s, SW_LOCALE_EN, NULL) : "";
}

/* One `for` may be about several comparisons: then each is told by its own text. */
static const char *saw_text(const struct sw_judged *j, size_t k)
{
	bool shared = (k && sw_streq(j->saw[k - 1].text, j->saw[k].text)) || (k + 1 < j->n_saw && sw_streq(j->saw[k + 1].text, j->saw[k].text));

	return cell(shared ? j->saw[k].part : j->saw[k].text);
}

static struct columns rows_columns(const struct sw_explanation *x)
{
	struct columns c = { 10, 5, 5, 6 };

	for (size_t i = 0; i < x->n_rows; i++)
		for (size_t k = 0; k < x->rows[i].j.n_saw; k++) {
			const struct sw_saw *s = &x->rows[i].j.saw[k];

			c.text = SW_MAX(c.text, text_width(saw_text(&x->rows[i].j, k)));
			c.value = SW_MAX(c.value, text_width(cell(s->value)));
			c.limit = SW_MAX(c.limit, text_width(cell(s->limit)));
			c.before = SW_MAX(c.before, text_width(cell(s->before)));
		}
	c.text = SW_MIN(c.text, 60);
	return c;
}

static void line_end(struct sw_buf *b)
{
	while (b->n && b->p[b->n - 1] == ' ')
		b->n--;
	(void)printf("%.*s\n", (int)b->n, b->n ? (const char *)b->p : "");
	sw_buf_reset(b);
}

static void row_print(struct sw_talk *t, const struct sw_explanation *x, const struct sw_explain_row *row, const struct columns *c)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	for (size_t k = 0; k < row->j.n_saw || k == 0; k++) {
		const struct sw_saw *s = k < row->j.n_saw ? &row->j.saw[k] : NULL;

		sw_buf_printf(&b, "  %8s  %-7s  ", k ? "" : after_text(t, x, row->at), k ? "" : truths[row->j.truth]);
		if (s) {
			cell_put(&b, saw_text(&row->j, k), c->text);
			sw_buf_printf(&b, "%-7s  ", truths[s->truth]);
			cell_put(&b, cell(s->value), c->value);
			cell_put(&b, cell(s->limit), c->limit);
			cell_put(&b, cell(s->before), c->before);
			sw_buf_cat(&b, cell(s->note));
		}
		if (!k && row->early && !(s && s->note))
			sw_buf_cat(&b, row->few ? "too early; " : "too early");
		if (!k && row->few && row->requests >= 0)
			sw_buf_printf(&b, "%s%.0f of %lld requests", s && s->note ? "; " : "", row->requests, (long long)x->min_requests);
		line_end(&b);
	}
}

/* Do two looks say the same but for the numbers? */
static bool row_alike(const struct sw_explain_row *a, const struct sw_explain_row *b)
{
	if (a->j.truth != b->j.truth || a->phase != b->phase || a->few != b->few || a->j.n_saw != b->j.n_saw)
		return false;
	for (size_t k = 0; k < a->j.n_saw; k++)
		if (a->j.saw[k].truth != b->j.saw[k].truth || !a->j.saw[k].value != !b->j.saw[k].value)
			return false;
	return true;
}

/* Where what begins at row i ends: a run of looks that say the same. */
static size_t row_run(const struct sw_explanation *x, size_t i)
{
	size_t n = i + 1;

	while (n < x->n_rows && row_alike(&x->rows[i], &x->rows[n]) && !(x->ended && x->rows[n - 1].at <= x->ended && x->rows[n].at > x->ended))
		n++;
	return n;
}

static void rows_print(struct sw_talk *t, const struct sw_explanation *x, bool all)
{
	struct columns c = rows_columns(x);
	bool told = !x->verdict;

	(void)printf("\n  %8s  %-7s  %-*s  %-7s  %-*s  %-*s  %s\n", "after", "rule", c.text, "comparison", "", c.value, "value", c.limit, "limit", "before");
	if (x->before_rows)
		(void)printf("  … %zu looks before\n", x->before_rows);
	for (size_t i = 0; i < x->n_rows;) {
		size_t end = row_run(x, i);

		if (!told && x->rows[i].at > x->ended) {
			(void)printf("  %8s  ── %s (%s)\n", after_text(t, x, x->ended), x->verdict, x->reason);
			told = true;
		}
		for (size_t k = i; k < end; k++)
			if (all || end - i <= 3 || k == i || k == end - 1)
				row_print(t, x, &x->rows[k], &c);
			else if (k == i + 1)
				(void)printf("  %8s  … %zu looks that say the same\n", "", end - i - 2);
		i = end;
	}
	if (x->after_rows)
		(void)printf("  … %zu looks after\n", x->after_rows);
	if (!told)
		(void)printf("  %8s  ── %s (%s)\n", after_text(t, x, x->ended), x->verdict, x->reason);
}

/* What this explanation cannot know. */
static void limits_print(const struct sw_explanation *x)
{
	if (!x->place && x->cond && (strstr(x->cond, "limits.") || strstr(x->cond, "labels.") || strstr(x->cond, "tier") || strstr(x->cond, "regressed")))
		(void)printf("\nnote: read without the configuration (-c FILE): limits, labels and tier are not known here\n");
	if (x->cond && strstr(x->cond, "failing_services"))
		(void)printf("\nnote: which other services failed then is not kept\n");
}

int sw_cli_explain(int argc, char **argv)
{
	static const struct sw_usage usage = {
		"explain WATCH [--place SERVICE/ENV] [--all] [--json] [-o FILE]",
		"Why a watch ended as it did: what its condition was at every look, with values, limits and what was before, and what else decided.\n"
		"Looks that say the same are folded. `status` and the messages name the watches.\n",
		NULL, 1, 1,
	};
	struct sw_talk t = { 0 };
	const char *to = NULL;
	bool all = false;
	const struct sw_opt opts[] = {
		SW_OPT_TALK(&t), { "all", 0, SW_OPT_FLAG, &all, NULL, "every look" },
		{ "place", 0, SW_OPT_TEXT, &t.place, "SERVICE/ENV", "where it was, which saves looking for it", NULL, 0, 0 },
		{ "output", 'o', SW_OPT_TEXT, &to, "FILE", "it is written there instead of to the terminal", NULL, 0, 0 }, SW_OPT_JSON(&t.c), { 0 },
	};
	struct sw_rules *rules = NULL;
	struct sw_explanation x;
	int r;

	if (sw_options_read(&usage, opts, argc, argv, &r) < 0)
		return r;
	r = sw_talk_open(&t);
	if (r == 0)
		r = sw_find_explained(&t, argv[1], &rules, &x);
	if (r == 0 && to && !freopen(to, "w", stdout)) {
		(void)fprintf(stderr, "shipwatch: %s: %s\n", to, strerror(errno));
		r = -1;
	}
	if (r == 0 && t.c.json) {
		sw_explain_json(argv[1], &x);
	} else if (r == 0) {
		head_print(&t, &x);
		before_print(&t, &x);
		if (x.n_rows)
			rows_print(&t, &x, all);
		else
			(void)printf("\n%s\n", x.n_signals ? "no reading since the deployment is kept" : "its condition asks for no signal; what it saw is not kept");
		limits_print(&x);
	}
	sw_rules_put(rules);
	sw_talk_close(&t);
	if (to && r == 0 && fclose(stdout) != 0) {
		(void)fprintf(stderr, "shipwatch: %s: %s\n", to, strerror(errno));
		r = -1;
	}
	return r < 0 ? SW_EXIT_WRONG : SW_EXIT_OK;
}
