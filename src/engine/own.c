/*
 * Our own rollbacks seen from both ends: which deployment one goes back to, and which deployment is its run.
 *
 * A run of ours is recognised, surest first:
 *   1. by the rollback's id, where the host hands it back (a variable of GitLab's pipeline, the payload of GitHub's deployment)
 *   2. by the job, pipeline or deployment that the host named when it was asked
 *   3. by time: it succeeded after the rollback was started (classify in deployment.c)
 *
 * By 1 and 2 it is known before it ends, so that its failure is the rollback's failure, and an outcome that nobody knew becomes known.
 */
#include <string.h>

#include "base/str.h"
#include "engine/place.h"

#define CLOCKS (1 * SW_MINUTE) /* between the gateway that heard and the worker that started */

static const char *dep_sha(const struct deployment *d)
{
	return d->ev.sha ? d->ev.sha : d->ev.short_sha;
}

static bool same(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

/* The attempt behind a pipeline's id does not tell two runs of ours apart. */
static bool same_run(const char *asked, const char *p)
{
	size_t n = asked ? strlen(asked) : 0;

	return n && p && strncmp(asked, p, n) == 0 && (!p[n] || p[n] == '.');
}

/* ---- what it goes back to ---- */

const char *sw_own_good(const struct place_state *p, const struct deployment *d, const struct deployment **ret)
{
	*ret = NULL;
	for (size_t i = p->n_good; i-- > 0;) {
		const char *sha = p->good[i];

		if (sw_sha_equal(sha, dep_sha(d)) || sw_place_has(p->bad, p->n_bad, sha))
			continue;
		for (size_t k = p->n_deps; k-- > 0 && !*ret;) {
			const struct deployment *x = &p->deps[k];

			if (x != d && x->counted && !x->retargeted && sw_sha_equal(dep_sha(x), sha) && sw_deployment_compare(x, d) < 0)
				*ret = x;
		}
		return sha;
	}
	return NULL;
}

const struct deployment *sw_own_previous(const struct place_state *p, const struct deployment *d)
{
	for (size_t k = p->n_deps; k-- > 0;) {
		const struct deployment *x = &p->deps[k];

		if (x != d && x->counted && !x->retargeted && dep_sha(x) && !sw_sha_equal(dep_sha(x), dep_sha(d)) &&
		    !sw_place_has(p->bad, p->n_bad, dep_sha(x)) && sw_deployment_compare(x, d) < 0)
			return x;
	}
	return NULL;
}

const char *sw_own_target(const struct place_state *p, const struct deployment *d, const struct act *x, const struct deployment **ret)
{
	const char *sha = sw_own_good(p, d, ret);

	for (size_t k = 0; !sha && x && x->offer && k < p->n_deps; k++)
		if (sw_streq(p->deps[k].id, x->offer) && !sw_place_has(p->bad, p->n_bad, dep_sha(&p->deps[k]))) {
			*ret = &p->deps[k];
			return dep_sha(*ret);
		}
	return sha;
}

static const char *own_pipeline(struct step *s, const struct deployment *d)
{
	return d->p ? sw_arena_strndup(s->a, d->p, strcspn(d->p, ".")) : NULL;
}

void sw_own_write(struct step *s, const struct place_state *p, const struct deployment *d, const struct act *x, struct sw_jw *j)
{
	const struct deployment *good;
	const char *sha = sw_own_target(p, d, x, &good), *repo;

	sw_jw_opt(j, "job_id", d->j);
	sw_jw_opt(j, "pipeline_id", own_pipeline(s, d));
	sw_jw_opt(j, "last_good_sha", sha);
	if (!good)
		return;
	repo = good->origin ? strchr(good->origin, '/') : NULL;
	sw_jw_opt(j, "last_good_version", good->ev.version);
	sw_jw_opt(j, "last_good_repo", repo && repo[1] ? repo + 1 : good->ev.repo);
	sw_jw_opt(j, "last_good_environment", good->ev.environment);
	sw_jw_opt(j, "last_good_job_id", good->j);
	sw_jw_opt(j, "last_good_pipeline_id", own_pipeline(s, good));
	sw_jw_opt(j, "last_good_deployment_id", good->d);
	sw_jw_opt(j, "last_good_url", good->ev.url);
}

/* ---- its run ---- */

static struct act *own_act(struct place_state *p, const struct deployment *d)
{
	for (size_t i = p->n_acts; i-- > 0;) {
		struct act *x = &p->acts[i];

		if (!x->rollback || !x->started || same(x->dep, d->id))
			continue;
		if (same(x->id, d->ev.rollback_id))
			return x;
		if (d->seen + CLOCKS >= x->started && (same(x->run_j, d->j) || same(x->run_d, d->d) || same_run(x->run_p, d->p)))
			return x;
	}
	return NULL;
}

/*
 * A pipeline on main that is told which commit to deploy is of the commit of main: the host says the bad one, what runs is the one
 * that we asked for. Else the bad commit would be known as good once its rollback is.
 */
static void own_retarget(struct place_state *p, const struct act *x, struct deployment *d)
{
	const struct deployment *bad = sw_place_dep(p, x->dep), *good;

	if (!x->target || !bad || !sw_sha_equal(dep_sha(d), dep_sha(bad)))
		return;
	(void)sw_own_target(p, bad, x, &good);
	d->ev.sha = x->target;
	d->ev.short_sha = NULL;
	d->ev.version = good && sw_sha_equal(dep_sha(good), x->target) ? good->ev.version : NULL;
	d->retargeted = true;
}

void sw_own_recognise(struct step *s, struct place_state *p, struct deployment *d)
{
	struct act *x = own_act(p, d);

	if (!x)
		return;
	if (!same(d->rollback_of, x->id))
		sw_step_note(s, SW_NOTE_INFO, d->ev.ci_run_id, x->watch, "deployment %s is the run of rollback %s", d->id, x->id);
	d->rollback_of = x->id;
	d->is_rollback = true;
	own_retarget(p, x, d);
	if (x->state == ACT_UNKNOWN) {
		x->state = ACT_DONE;
		x->deadline = s->now + SW_OWN_RUN_WITHIN;
		sw_act_news(s, p, x, SW_NEWS_ROLLBACK_DONE, SW_OWN_SEEN);
	}
}

static const char *own_failed(struct step *s, const struct deployment *d)
{
	static const char *const words[][2] = {
		{ "failed_outdated_deployment_job", "its own deployment failed: the host prevents outdated deployments" },
		{ "forward_deployment_failure", "its own deployment failed: the host prevents outdated deployments" },
		{ "missing_dependency_failure", "its own deployment failed: artifacts that it needs have expired" },
		{ "protected_environment_failure", "its own deployment failed: the environment is protected" },
		{ "archived_failure", "its own deployment failed: the job is archived" },
		{ "stuck_or_timeout_failure", "its own deployment failed: no runner took it, or it took too long" },
		{ "no_matching_runner", "its own deployment failed: no runner took it, or it took too long" },
	};

	for (size_t i = 0; i < SW_COUNT(words); i++)
		if (same(d->ev.failure_reason, words[i][0]))
			return words[i][1];
	return d->ev.failure_reason ? sw_arena_printf(s->a, "its own deployment failed (%s)", d->ev.failure_reason) : "its own deployment failed";
}

void sw_own_ran(struct step *s, struct place_state *p, const struct deployment *d)
{
	struct act *x = d->rollback_of ? sw_place_act(p, d->rollback_of) : NULL;

	if (!x || (x->state != ACT_STARTED && x->state != ACT_DONE && x->state != ACT_UNKNOWN))
		return;
	if (d->status == SW_ST_SUCCESS && x->state == ACT_DONE) {
		x->deadline = s->now + SW_OWN_VERIFY_WITHIN;
	} else if (d->status == SW_ST_FAILED) {
		x->state = ACT_FAILED;
		x->deadline = 0;
		x->why = own_failed(s, d);
		sw_act_news(s, p, x, SW_NEWS_ROLLBACK_FAILED, x->why);
	}
}

bool sw_own_succeeded(const struct place_state *p, const struct act *x)
{
	for (size_t i = 0; i < p->n_deps; i++)
		if (same(p->deps[i].rollback_of, x->id) && p->deps[i].status == SW_ST_SUCCESS)
			return true;
	return false;
}

bool sw_own_seen(struct place_state *p, const struct act *x)
{
	for (size_t i = 0; i < p->n_deps; i++)
		if (own_act(p, &p->deps[i]) == x)
			return true;
	return false;
}

void sw_own_began(struct step *s, struct place_state *p, struct act *x, const struct sw_jnode *msg)
{
	x->run_j = sw_jstr(msg, "job");
	x->run_p = sw_jstr(msg, "pipeline");
	x->run_d = sw_jstr(msg, "deployment");
	if (!x->run_j && !x->run_p && !x->run_d)
		return;
	if (!sw_own_succeeded(p, x))
		x->deadline = s->now + SW_OWN_RUN_WITHIN;
	for (size_t i = 0; i < p->n_deps; i++) { /* its webhooks were faster than its answer */
		sw_own_recognise(s, p, &p->deps[i]);
		if (same(p->deps[i].rollback_of, x->id))
			sw_own_ran(s, p, &p->deps[i]);
	}
}
