/* What an expression may ask: fields of the event or deployment, readings of the place's series, lists of files. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "engine/place.h"
#include "engine/runs.h"
#include "engine/step.h"

static void facts_str(struct sw_value *v, const char *s)
{
	if (s)
		*v = (struct sw_value){ .type = SW_V_STRING, .str = s };
	else
		*v = (struct sw_value){ .type = SW_V_NULL };
}

static void facts_num(struct sw_value *v, enum sw_vtype type, double num, bool known)
{
	if (known)
		*v = (struct sw_value){ .type = type, .num = num };
	else
		*v = (struct sw_value){ .type = type, .reading = SW_R_ABSENT };
}

static void facts_bool(struct sw_value *v, bool b)
{
	*v = (struct sw_value){ .type = SW_V_BOOL, .b = b };
}

static void facts_list(struct facts *f, const char *const *list, size_t n, struct sw_value *ret)
{
	struct sw_value *items = SW_ARENA_ARRAY(f->s->a, struct sw_value, n ? n : 1);

	for (size_t i = 0; i < n; i++)
		facts_str(&items[i], list[i]);
	*ret = (struct sw_value){ .type = SW_V_LIST, .items = items, .n = n };
}

static void facts_labels(struct facts *f, const char *key, struct sw_value *ret)
{
	for (size_t i = 0; i < f->ev->n_labels; i++) {
		if (sw_streq(f->ev->labels[i].name, key)) {
			facts_str(ret, f->ev->labels[i].value);
			return;
		}
	}
	for (size_t i = 0; f->place && i < f->place->n_labels; i++) {
		if (sw_streq(f->place->labels[i].name, key)) {
			facts_str(ret, f->place->labels[i].value);
			return;
		}
	}
	facts_str(ret, NULL);
}

static void facts_metrics(struct facts *f, const char *key, struct sw_value *ret)
{
	for (size_t i = 0; i < f->ev->n_metrics; i++) {
		if (sw_streq(f->ev->metrics[i].name, key)) {
			facts_num(ret, SW_V_NUMBER, f->ev->metrics[i].value, true);
			return;
		}
	}
	facts_num(ret, SW_V_NUMBER, 0, false);
}

static void facts_limits(struct facts *f, const char *key, struct sw_value *ret)
{
	for (size_t i = 0; f->place && i < f->place->n_limits; i++) {
		if (sw_streq(f->place->limits[i].name, key)) {
			facts_num(ret, (enum sw_vtype)f->place->limits[i].type, f->place->limits[i].value, true);
			return;
		}
	}
	facts_num(ret, SW_V_NUMBER, 0, false);
}

static void facts_commits(struct facts *f, struct sw_value *ret)
{
	const char **titles = SW_ARENA_ARRAY(f->s->a, const char *, f->ev->n_commits + 1);

	for (size_t i = 0; i < f->ev->n_commits; i++)
		titles[i] = f->ev->commits[i].title;
	facts_list(f, titles, f->ev->n_commits, ret);
}

/* Fields of the deployment under watch, and of what ran here before. */
static void facts_deployment(struct facts *f, enum sw_field_id id, struct sw_value *ret)
{
	const struct deployment *d = f->dep;

	if (!d) {
		facts_str(ret, NULL);
		return;
	}
	if (id == SW_F_DEPLOYMENT_SHA)
		facts_str(ret, d->ev.sha ? d->ev.sha : d->ev.short_sha);
	else if (id == SW_F_DEPLOYMENT_VERSION)
		facts_str(ret, d->ev.version);
	else if (id == SW_F_DEPLOYMENT_IS_ROLLBACK)
		facts_bool(ret, d->is_rollback);
	else if (id == SW_F_DEPLOYMENT_IS_REDEPLOY)
		facts_bool(ret, d->is_redeploy);
	else if (id == SW_F_PREVIOUS_SHA)
		facts_str(ret, d->prev_sha);
	else
		facts_str(ret, d->prev_verdict);
}

static void facts_field(void *arg, enum sw_field_id id, const char *key, struct sw_value *ret)
{
	struct facts *f = arg;
	const struct sw_event *ev = f->ev;

	switch (id) {
	case SW_F_KIND: facts_str(ret, sw_kind_name(ev->kind)); break;
	case SW_F_SOURCE: facts_str(ret, ev->source); break;
	case SW_F_REPO: facts_str(ret, ev->repo); break;
	case SW_F_SERVICE: facts_str(ret, f->service); break;
	case SW_F_ENV: facts_str(ret, f->place ? f->place->environment : ev->environment); break;
	case SW_F_TIER: facts_str(ret, f->place ? f->place->tier : NULL); break;
	case SW_F_REF: facts_str(ret, ev->ref); break;
	case SW_F_BRANCH: facts_str(ret, ev->branch); break;
	case SW_F_TAG: facts_str(ret, ev->tag); break;
	case SW_F_SHA: facts_str(ret, ev->sha ? ev->sha : ev->short_sha); break;
	case SW_F_BEFORE: facts_str(ret, ev->before); break;
	case SW_F_STATUS: facts_str(ret, ev->status == SW_ST_NONE ? NULL : sw_status_name(ev->status)); break;
	case SW_F_USER: facts_str(ret, ev->user); break;
	case SW_F_AUTHOR: facts_str(ret, ev->author); break;
	case SW_F_URL: facts_str(ret, ev->url); break;
	case SW_F_JOB_NAME: facts_str(ret, ev->job_name); break;
	case SW_F_JOB_DURATION:
	case SW_F_DURATION: facts_num(ret, SW_V_DURATION, ev->duration_ms / 1000, ev->duration_ms >= 0); break;
	case SW_F_PIPELINE_ID: facts_str(ret, ev->pipeline_id); break;
	case SW_F_PIPELINE_SOURCE: facts_str(ret, ev->pipeline_source); break;
	case SW_F_EXIT_CODE: facts_num(ret, SW_V_NUMBER, ev->exit_code, ev->exit_code >= 0); break;
	case SW_F_COVERAGE: facts_num(ret, SW_V_RATIO, ev->coverage, ev->coverage >= 0); break;
	case SW_F_METRICS: facts_metrics(f, key, ret); break;
	case SW_F_LABELS: facts_labels(f, key, ret); break;
	case SW_F_COMMITS: facts_commits(f, ret); break;
	case SW_F_STARTED: facts_num(ret, SW_V_TIME, (double)ev->started_at / 1000, ev->started_at > 0); break;
	case SW_F_AT: facts_num(ret, SW_V_TIME, (double)ev->at / 1000, ev->at > 0); break;
	case SW_F_DEPLOYMENT_SHA:
	case SW_F_DEPLOYMENT_VERSION:
	case SW_F_DEPLOYMENT_IS_ROLLBACK:
	case SW_F_DEPLOYMENT_IS_REDEPLOY:
	case SW_F_PREVIOUS_SHA:
	case SW_F_PREVIOUS_VERDICT: facts_deployment(f, id, ret); break;
	case SW_F_BAD_SHAS: facts_list(f, f->state ? f->state->bad : NULL, f->state ? f->state->n_bad : 0, ret); break;
	case SW_F_LIMITS: facts_limits(f, key, ret); break;
	case SW_F_COUNT: facts_str(ret, NULL); break;
	}
}

static enum sw_truth facts_files(const struct sw_commit *commits, size_t n, bool cut, const char *glob)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < commits[i].n_files; k++)
			if (sw_glob_match(glob, commits[i].files[k], false))
				return SW_TRUE;
	return cut ? SW_UNKNOWN : SW_FALSE;
}

static enum sw_truth facts_changed(void *arg, const char *glob)
{
	struct facts *f = arg;
	struct sw_alert al = { 0 };
	struct sw_jnode *list;
	const char *text;

	if (f->ev->kind == SW_EV_PUSH)
		return facts_files(f->ev->commits, f->ev->n_commits, f->ev->files_cut, glob);
	if (!f->dep || !f->dep->prev_sha || !f->dep->ev.sha || !f->ev->repo)
		return SW_UNKNOWN;
	if (!sw_step_snap(f->s, sw_engine_pushes_key(f->s->a, f->ev->repo, f->ev->branch ? f->ev->branch : f->ev->default_branch), &text))
		return SW_UNKNOWN;
	if (!text || sw_jtree_parse(f->s->a, text, strlen(text), 100000, &list, NULL) < 0)
		return SW_UNKNOWN;
	sw_engine_commits(list, f->dep->prev_sha, f->dep->ev.sha, f->s->a, &al);
	return facts_files(al.commits, al.n_commits, al.files_cut || !al.n_commits, glob);
}

static void facts_count(void *arg, const char *func, sw_dur window, struct sw_value *ret)
{
	struct facts *f = arg;
	double n = 0;

	if (sw_streq(func, "deploys")) {
		for (size_t i = 0; f->state && i < f->state->n_deps; i++) {
			const struct deployment *d = &f->state->deps[i];

			n += d->status == SW_ST_SUCCESS && d->finished > f->s->now - window;
		}
	} else if (sw_streq(func, "failing_services")) {
		n = (double)sw_fails_count(f->s, f->place ? f->place->tier : NULL, NULL, false, window);
	} else {
		facts_num(ret, SW_V_NUMBER, 0, false);
		return;
	}
	facts_num(ret, SW_V_NUMBER, n, true);
}

void sw_facts_fill(struct facts *f, struct sw_facts *ret)
{
	*ret = (struct sw_facts){
		.arg = f, .field = facts_field, .changed = facts_changed, .count = facts_count, .now = f->s->now,
		.tz_offset_s = f->s->e->tz_offset_s,
	};
	sw_measure_fill(f, ret);
	sw_runs_fill(ret);
}

bool sw_facts_where(struct facts *f, const struct sw_expr *e)
{
	struct sw_hold holds[SW_HOLDS_MAX] = { 0 };
	struct sw_judged j;
	struct sw_facts facts;

	if (!e)
		return true;
	sw_facts_fill(f, &facts);
	sw_expr_eval(e, &facts, holds, f->s->a, &j);
	return j.truth == SW_TRUE;
}
