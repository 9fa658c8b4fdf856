/* shipwatch explain --json: all that is known of a watch, for programs and for the page of its deployment. */
#include <math.h>
#include <stdio.h>

#include "base/str.h"
#include "cli/found.h"
#include "rules/rules.h"

#define JSON_BEFORE         (30 * SW_MINUTE) /* so much of the time before the deployment is drawn at least */
#define JSON_SAMPLES_BEFORE 300
#define JSON_SAMPLES        1000             /* of one signal */

static const char *const truths[] = { "false", "true", "unknown" };
static const char *const phases[] = { "grace", "watching", "following" };

static void json_deployment(struct sw_jw *w, const struct sw_explanation *x)
{
	const struct sw_explain_deployment *d = &x->deployments[x->deployment];

	sw_jw_str(w, "deployment", d->id);
	sw_jw_opt(w, "sha", d->sha);
	sw_jw_opt(w, "version", d->version);
	sw_jw_opt(w, "user", d->user);
	sw_jw_opt(w, "previous_sha", x->prev_sha);
	sw_jw_opt(w, "previous_version", x->prev_version);
	sw_jw_bool(w, "is_rollback", d->is_rollback);
	if (d->good >= 0)
		sw_jw_bool(w, "good", d->good == 1);
	if (d->started)
		sw_jw_int(w, "started", d->started);
	sw_jw_int(w, "finished", d->finished);
}

static void json_before(struct sw_jw *w, const struct sw_explanation *x)
{
	sw_jw_arr(w, "before");
	for (size_t i = 0; i < x->n_signals; i++) {
		const struct sw_explain_signal *g = &x->signals[i];

		sw_jw_obj(w, NULL);
		sw_jw_str(w, "signal", g->name);
		sw_jw_opt(w, "value", g->before);
		sw_jw_opt(w, "why", g->before ? NULL : g->why);
		sw_jw_int(w, "readings", (int64_t)g->valid);
		sw_jw_int(w, "of", (int64_t)g->baseline);
		sw_jw_int(w, "pseudo_deployments", g->pseudo);
		sw_jw_int(w, "history_readings", (int64_t)g->history);
		sw_jw_int(w, "earlier_days", (int64_t)g->n_days);
		sw_jw_obj_end(w);
	}
	sw_jw_arr_end(w);
}

static void json_guards(struct sw_jw *w, const struct sw_explanation *x)
{
	sw_jw_arr(w, "guards");
	for (size_t i = 0; i < x->n_guards; i++) {
		sw_jw_obj(w, NULL);
		sw_jw_str(w, "guard", x->guards[i].name);
		sw_jw_str(w, "text", x->guards[i].text);
		sw_jw_bool(w, "decided", x->guards[i].stopped);
		sw_jw_obj_end(w);
	}
	sw_jw_arr_end(w);
	sw_jw_arr(w, "actions");
	for (size_t i = 0; i < x->n_actions; i++) {
		sw_jw_obj(w, NULL);
		sw_jw_str(w, "action", x->actions[i].action);
		sw_jw_str(w, "id", x->actions[i].id);
		sw_jw_bool(w, "rollback", x->actions[i].rollback);
		sw_jw_str(w, "state", x->actions[i].state);
		sw_jw_opt(w, "why", x->actions[i].why);
		if (x->actions[i].asked) {
			sw_jw_int(w, "asked", x->actions[i].asked);
			sw_jw_opt(w, "ask_why", x->actions[i].ask_why);
			sw_jw_opt(w, "decided_by", x->actions[i].decided_by);
			if (x->actions[i].until)
				sw_jw_int(w, "until", x->actions[i].until);
			if (x->actions[i].decided_by) {
				sw_jw_bool(w, "approved", x->actions[i].approved);
				sw_jw_int(w, "decided_at", x->actions[i].decided_at);
			}
		}
		sw_jw_obj_end(w);
	}
	sw_jw_arr_end(w);
}

/* What a curve is drawn by: of which signal, against what. */
static void json_curve(struct sw_jw *w, const struct sw_saw *s)
{
	const struct { const char *name; double v; } numbers[] = { { "value_number", s->value_num }, { "limit_number", s->limit_num }, { "before_number", s->before_num } };

	sw_jw_opt(w, "signal", s->signal);
	sw_jw_opt(w, "op", s->op);
	for (size_t i = 0; i < SW_COUNT(numbers); i++)
		if (isfinite(numbers[i].v))
			sw_jw_num(w, numbers[i].name, numbers[i].v);
}

static void json_samples(struct sw_jw *w, const struct sw_explanation *x, const struct sw_explain_signal *g)
{
	sw_ms deployed = x->deployments[x->deployment].finished, from = deployed - SW_MAX(x->until - x->from, JSON_BEFORE);
	size_t first = 0, before = 0;

	while (first < g->n && g->samples[first].at < from)
		first++;
	while (first + before < g->n && g->samples[first + before].at < deployed)
		before++;
	first += before > JSON_SAMPLES_BEFORE ? before - JSON_SAMPLES_BEFORE : 0;
	if (g->n - first > JSON_SAMPLES)
		sw_jw_int(w, "samples_left_out", (int64_t)(g->n - first - JSON_SAMPLES));
	sw_jw_arr(w, "samples");
	for (size_t i = first; i < g->n && i < first + JSON_SAMPLES; i++) {
		const struct sw_sample *y = &g->samples[i];

		sw_jw_arr(w, NULL);
		sw_jw_int(w, NULL, y->at);
		if (y->reading == SW_R_OK)
			sw_jw_num(w, NULL, y->value);
		else
			sw_jw_null(w, NULL);
		if (y->reading != SW_R_OK)
			sw_jw_str(w, NULL, sw_reading_name(y->reading));
		sw_jw_arr_end(w);
	}
	sw_jw_arr_end(w);
}

/* Each signal's curve: readings since before the deployment, and what the baseline is made of. */
static void json_signals(struct sw_jw *w, const struct sw_explanation *x)
{
	sw_jw_arr(w, "signals");
	for (size_t i = 0; i < x->n_signals; i++) {
		const struct sw_explain_signal *g = &x->signals[i];

		sw_jw_obj(w, NULL);
		sw_jw_str(w, "signal", g->name);
		sw_jw_str(w, "type", g->def ? sw_vtype_name(g->def->type) : "number");
		sw_jw_str(w, "worse", g->def && (g->def->query.bad_down || g->def->type == SW_V_BOOL) ? "down" : "up");
		json_samples(w, x, g);
		if (g->points && g->baseline) {
			sw_jw_obj(w, "baseline");
			sw_jw_int(w, "from", g->points_from);
			sw_jw_int(w, "step_ms", g->points_step);
			sw_jw_arr(w, "points"); /* NaN is written as null: missing there */
			for (size_t k = 0; k < g->baseline; k++)
				sw_jw_num(w, NULL, g->points[k]);
			sw_jw_arr_end(w);
			sw_jw_obj_end(w);
		}
		sw_jw_obj_end(w);
	}
	sw_jw_arr_end(w);
}

/* Others of the place that ended within the time that is drawn. */
static void json_neighbours(struct sw_jw *w, const struct sw_explanation *x)
{
	sw_ms deployed = x->deployments[x->deployment].finished, from = deployed - SW_MAX(x->until - x->from, JSON_BEFORE), to = x->closed ? x->closed : x->until;

	sw_jw_arr(w, "deployments");
	for (size_t i = 0; i < x->n_deployments; i++) {
		const struct sw_explain_deployment *d = &x->deployments[i];

		if (!d->finished || d->finished < from || d->finished > to + 5 * SW_MINUTE)
			continue;
		sw_jw_obj(w, NULL);
		sw_jw_str(w, "deployment", d->id);
		sw_jw_opt(w, "sha", d->sha);
		sw_jw_opt(w, "version", d->version);
		sw_jw_str(w, "status", d->status);
		sw_jw_int(w, "finished", d->finished);
		sw_jw_bool(w, "is_rollback", d->is_rollback);
		sw_jw_obj_end(w);
	}
	sw_jw_arr_end(w);
}

static void json_rows(struct sw_jw *w, const struct sw_explanation *x)
{
	sw_jw_int(w, "steps_left_out", (int64_t)(x->before_rows + x->after_rows));
	sw_jw_arr(w, "steps");
	for (size_t i = 0; i < x->n_rows; i++) {
		const struct sw_judged *j = &x->rows[i].j;

		sw_jw_obj(w, NULL);
		sw_jw_int(w, "at", x->rows[i].at);
		sw_jw_str(w, "phase", phases[x->rows[i].phase]);
		sw_jw_str(w, "truth", truths[j->truth]);
		if (x->rows[i].requests >= 0)
			sw_jw_num(w, "requests", x->rows[i].requests);
		if (x->rows[i].few)
			sw_jw_bool(w, "too_few_requests", true);
		sw_jw_arr(w, "comparisons");
		for (size_t k = 0; k < j->n_saw; k++) {
			sw_jw_obj(w, NULL);
			sw_jw_opt(w, "text", j->saw[k].text);
			if (!sw_streq(j->saw[k].part, j->saw[k].text))
				sw_jw_opt(w, "part", j->saw[k].part);
			sw_jw_str(w, "truth", truths[j->saw[k].truth]);
			sw_jw_opt(w, "value", j->saw[k].value);
			sw_jw_opt(w, "limit", j->saw[k].limit);
			sw_jw_opt(w, "before", j->saw[k].before);
			sw_jw_opt(w, "note", j->saw[k].note);
			json_curve(w, &j->saw[k]);
			sw_jw_obj_end(w);
		}
		sw_jw_arr_end(w);
		sw_jw_obj_end(w);
	}
	sw_jw_arr_end(w);
}

void sw_explain_json(const char *watch, const struct sw_explanation *x)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;

	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "watch", watch);
	sw_jw_str(&w, "rule", x->rule);
	sw_jw_str(&w, "if", x->cond);
	sw_jw_str(&w, "service", x->service);
	sw_jw_str(&w, "environment", x->environment);
	json_deployment(&w, x);
	sw_jw_str(&w, "state", x->state);
	sw_jw_opt(&w, "verdict", x->verdict);
	sw_jw_opt(&w, "reason", x->reason);
	sw_jw_int(&w, "from", x->from);
	sw_jw_int(&w, "until", x->until);
	if (x->ended)
		sw_jw_int(&w, "ended", x->ended);
	sw_jw_int(&w, "every_ms", x->every);
	sw_jw_int(&w, "checks", x->checks);
	sw_jw_int(&w, "known", x->known);
	if (x->closed)
		sw_jw_int(&w, "closed", x->closed);
	sw_jw_int(&w, "opened", x->opened);
	if (x->requests >= 0)
		sw_jw_num(&w, "requests", x->requests);
	if (x->min_requests)
		sw_jw_int(&w, "min_requests", x->min_requests);
	json_before(&w, x);
	json_signals(&w, x);
	json_neighbours(&w, x);
	json_guards(&w, x);
	json_rows(&w, x);
	sw_jw_obj_end(&w);
	(void)printf("%s\n", sw_buf_str(&b));
}
