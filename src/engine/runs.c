/*
 * The last runs of a job: what `baseline` is for fields of events, and whether a job is flaky.
 *
 * Every job that ended and every report is noted at intake in a list of its repository and job name ("runs:<digest>",
 * below {sw}:), newest first, so that a report of a branch can be compared with the main branch, which is another line.
 */
#include "engine/runs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "shipwatch/buf.h"

#define RUNS_BEFORE 20          /* of the main branch; their median is the baseline (rules.md 1.2) */
#define RUNS_LEAST  3

static bool runs_noted(const struct sw_event *ev)
{
	return (ev->kind == SW_EV_JOB || ev->kind == SW_EV_REPORT) && ev->repo && ev->job_name && sw_status_terminal(ev->status);
}

static const char *runs_key(struct sw_arena *a, const char *repo, const char *job)
{
	return sw_arena_printf(a, "runs:%s", sw_engine_id(a, repo, job, NULL)); /* names from outside are long and hold anything */
}

static const char *runs_id(struct sw_arena *a, const struct sw_event *ev)
{
	return sw_arena_printf(a, "%s.%d.%s", ev->pipeline_id ? ev->pipeline_id : "", ev->attempt, ev->job_id ? ev->job_id : "");
}

bool sw_runs_note(const struct sw_event *ev, struct sw_arena *a, const char **ret_key, const char **ret_value)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;

	if (!runs_noted(ev))
		return false;
	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "id", runs_id(a, ev));
	sw_jw_bool(&w, "main", ev->branch && !ev->merge_request && sw_streq(ev->branch, ev->default_branch ? ev->default_branch : "main"));
	sw_jw_bool(&w, "ok", ev->status == SW_ST_SUCCESS);
	sw_jw_opt(&w, "sha", ev->sha ? ev->sha : ev->short_sha);
	if (ev->duration_ms >= 0)
		sw_jw_num(&w, "duration", ev->duration_ms / 1000);
	if (ev->coverage >= 0)
		sw_jw_num(&w, "coverage", ev->coverage);
	sw_jw_obj(&w, "metrics");
	for (size_t i = 0; i < ev->n_metrics && i < SW_RUNS_METRICS; i++)
		sw_jw_num(&w, ev->metrics[i].name, ev->metrics[i].value);
	sw_jw_obj_end(&w);
	sw_jw_obj_end(&w);
	*ret_key = runs_key(a, ev->repo, ev->job_name);
	*ret_value = sw_arena_strdup(a, sw_buf_str(&b));
	sw_buf_fini(&b);
	return true;
}

/* The list as it is known; NULL: there is none, or it is not at hand (then it was noted as a need). */
static const struct sw_jnode *runs_of(struct facts *f, const char *job)
{
	struct sw_jnode *list;
	const char *text;

	if (!f->ev->repo || !job || !*job || !sw_step_snap(f->s, runs_key(f->s->a, f->ev->repo, job), &text) || !text)
		return NULL;
	return sw_jtree_parse(f->s->a, text, strlen(text), 100000, &list, NULL) == 0 ? list : NULL;
}

static double runs_value(const struct sw_jnode *run, enum sw_field_id id, const char *key)
{
	if (id == SW_F_COVERAGE)
		return sw_jnum(run, "coverage", NAN);
	if (id == SW_F_DURATION || id == SW_F_JOB_DURATION)
		return sw_jbool(run, "ok", false) ? sw_jnum(run, "duration", NAN) : NAN; /* a failed one ends early */
	return id == SW_F_METRICS && key ? sw_jnum(sw_jget(run, "metrics"), key, NAN) : NAN;
}

static int runs_by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void runs_before(void *arg, enum sw_field_id id, const char *key, struct sw_value *ret)
{
	struct facts *f = arg;
	const struct sw_jnode *list = runs_of(f, f->ev->job_name);
	const char *self = runs_id(f->s->a, f->ev);
	double v[RUNS_BEFORE];
	size_t n = 0;

	*ret = (struct sw_value){ .type = id == SW_F_COVERAGE ? SW_V_RATIO : id == SW_F_METRICS ? SW_V_NUMBER : SW_V_DURATION,
	                          .reading = SW_R_ABSENT };
	for (const struct sw_jnode *x = list ? list->child : NULL; x && n < RUNS_BEFORE; x = x->next) {
		double got = runs_value(x, id, key);

		if (isfinite(got) && sw_jbool(x, "main", false) && !sw_streq(sw_jstr(x, "id"), self))
			v[n++] = got;
	}
	if (n < RUNS_LEAST) {
		ret->reading = n ? SW_R_TOO_FEW : SW_R_ABSENT;
		return;
	}
	qsort(v, n, sizeof *v, runs_by_value);
	ret->reading = SW_R_OK;
	ret->num = n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

bool sw_runs_flaky(struct facts *f, const char *job)
{
	const struct sw_jnode *list = runs_of(f, job);

	for (const struct sw_jnode *x = list ? list->child : NULL; x; x = x->next)
		for (const struct sw_jnode *y = x->next; y; y = y->next)
			if (sw_jstr(x, "sha") && sw_streq(sw_jstr(x, "sha"), sw_jstr(y, "sha")) && sw_jbool(x, "ok", false) != sw_jbool(y, "ok", false))
				return true;
	return false;
}

void sw_runs_fill(struct sw_facts *ret)
{
	ret->field_before = runs_before;
}
