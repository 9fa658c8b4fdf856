/*
 * An action by GitLab's REST API, version 4.
 *
 * trigger-pipeline     POST pipeline, or trigger/pipeline with a trigger token
 * play-job             GET the jobs of the bad deployment's pipeline (its job first where only that is known), POST
 * play of the one that has the name redeploy-last-good   GET the job of the last good deployment (or the environment's
 * deployments where it is not known) and see that it is of that commit, POST retry
 *
 * What is read is never believed further than needed: a job of another commit is not run again, whoever gave its id.
 * A pipeline and a job that are started here carry SHIPWATCH_ROLLBACK_ID.
 */
#include <errno.h>
#include <string.h>

#include "action/named.h"
#include "action/rest.h"
#include "base/str.h"

#define ID_VARIABLE "SHIPWATCH_ROLLBACK_ID"
#define LIST_BYTES  ((size_t)2 * 1024 * 1024)
#define PER_PAGE    "100"

enum { REDEPLOY, TRIGGER, PLAY };
static const char *const dos[] = { "redeploy-last-good", "trigger-pipeline", "play-job", NULL };

struct gitlab {
	const char *url, *token, *trigger_token, *project, *ref, *job, **variables;
	int what;
	bool pass_id;
	sw_dur timeout;
};

#define AT(f) offsetof(struct gitlab, f)
static const struct sw_key keys[] = {
	{ "url", SW_KEY_URL, AT(url), "!", "GitLab's address, without /api" },
	{ "token", SW_KEY_SECRET, AT(token), NULL, "access token with the scope api" },
	{ "trigger_token", SW_KEY_SECRET, AT(trigger_token), NULL, "pipeline trigger token, in place of token" },
	{ "do", SW_KEY_ENUM, AT(what), "!", "redeploy-last-good, trigger-pipeline or play-job", 0, 0, dos },
	{ "project", SW_KEY_STRING, AT(project), "{repo}", "path or number; named values" },
	{ "ref", SW_KEY_STRING, AT(ref), NULL, "trigger-pipeline: branch or tag; named values" },
	{ "job", SW_KEY_STRING, AT(job), NULL, "play-job: name of a manual job of the bad deployment's pipeline" },
	{ "variables", SW_KEY_STRMAP, AT(variables), NULL,
	  "of the pipeline or job; named values such as {last_good.sha}" },
	{ "pass_id", SW_KEY_BOOL, AT(pass_id), "true",
	  "the variable SHIPWATCH_ROLLBACK_ID goes along, by which the run is recognised" },
	{ "timeout", SW_KEY_DUR, AT(timeout), "30s", "after which its outcome is unknown", SW_SECOND, SW_HOUR },
	{ 0 },
};

/* ---- requests ---- */

/* <url>/api/v4/projects/<project>, to be followed by "/…". Return: 0, or -errno with err. */
static int gitlab_base(const struct gitlab *c, const struct sw_act *act, struct sw_arena *a, const char **ret,
                       struct sw_err *err)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	size_t n = strlen(c->url);
	const char *project;
	int r = sw_named_fill(c->project, act, a, &project, err);

	if (r < 0)
		return r;
	if (!*project)
		return sw_err_set(err, EINVAL, "project: the deployment does not say of which project it is");
	if (c->what == REDEPLOY && act->last_good_repo && !sw_rest_is_id(project) &&
	    strcasecmp(project, act->last_good_repo) != 0)
		return sw_err_set(err, EINVAL, "the last good deployment is of another project (%s)",
		                  act->last_good_repo);
	while (n && c->url[n - 1] == '/')
		n--;
	sw_buf_catn(&b, c->url, n);
	sw_buf_cat(&b, "/api/v4/projects/");
	sw_pct_encode(&b, project, strlen(project));
	*ret = sw_arena_strdup(a, sw_buf_str(&b));
	return 0;
}

static void gitlab_head(const struct gitlab *c, struct sw_job *job)
{
	sw_job_header(job, "Accept", "application/json");
	if (c->token && *c->token)
		sw_job_header(job, "PRIVATE-TOKEN", c->token);
}

static int gitlab_get(const struct gitlab *c, const char *url, struct sw_job *ret)
{
	memset(ret, 0, sizeof *ret);
	ret->kind = SW_JOB_HTTP;
	ret->method = "GET";
	ret->url = url;
	ret->response_max = LIST_BYTES;
	gitlab_head(c, ret);
	return 1;
}

static int gitlab_post(const struct gitlab *c, const char *url, const struct sw_buf *body, struct sw_arena *a,
                       struct sw_job *ret)
{
	int r = sw_job_post_json(ret, a, url, body);

	if (r < 0)
		return r;
	ret->timeout = c->timeout;
	if (c->what != TRIGGER || !c->trigger_token)
		gitlab_head(c, ret);
	return 0;
}

static void put_variable(struct sw_jw *w, bool list, const char *key, const char *value)
{
	if (!list) {
		sw_jw_str(w, key, value);
		return;
	}
	sw_jw_obj(w, NULL);
	sw_jw_str(w, "key", key);
	sw_jw_str(w, "value", value);
	sw_jw_obj_end(w);
}

/* Ours first, then those of the settings: as a list of {key, value}, or as a map where the API wants one. */
static int gitlab_variables(const struct gitlab *c, const struct sw_act *act, const char *name, bool list,
                            struct sw_arena *a, struct sw_jw *w, struct sw_err *err)
{
	if (list)
		sw_jw_arr(w, name);
	else
		sw_jw_obj(w, name);
	if (c->pass_id)
		put_variable(w, list, ID_VARIABLE, act->id);
	for (const char *const *v = (const char *const *)c->variables; v && v[0]; v += 2) {
		const char *value;
		int r = sw_named_fill(v[1], act, a, &value, err);

		if (r < 0)
			return r;
		put_variable(w, list, v[0], value);
	}
	if (list)
		sw_jw_arr_end(w);
	else
		sw_jw_obj_end(w);
	return 0;
}

/* ---- trigger-pipeline ---- */

static int trigger_plan(const struct gitlab *c, const char *base, const struct sw_act *act, struct sw_arena *a,
                        struct sw_job *ret, struct sw_err *err)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	const char *ref;
	struct sw_jw w;
	int r = sw_named_fill(c->ref, act, a, &ref, err);

	if (r < 0)
		return r;
	if (!*ref)
		return sw_err_set(err, EINVAL, "ref: \"%s\" is empty for this deployment", c->ref);
	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	if (c->trigger_token)
		sw_jw_str(&w, "token", c->trigger_token);
	sw_jw_str(&w, "ref", ref);
	r = gitlab_variables(c, act, "variables", !c->trigger_token, a, &w, err);
	if (r < 0)
		return r;
	sw_jw_obj_end(&w);
	return gitlab_post(c, sw_arena_printf(a, "%s/%s", base, c->trigger_token ? "trigger/pipeline" : "pipeline"), &b,
	                   a, ret);
}

/* ---- redeploy-last-good ---- */

static int redeploy_retry(const struct gitlab *c, const char *base, const char *job, struct sw_arena *a,
                          struct sw_job *ret, struct sw_err *err)
{
	struct sw_buf none = SW_BUF_INIT;
	int r;

	if (!sw_rest_is_id(job))
		return sw_err_set(err, EPROTO, "the job of the last good deployment is not known");
	r = gitlab_post(c, sw_arena_printf(a, "%s/jobs/%s/retry", base, job), &none, a, ret);
	ret->body = "{}";
	ret->body_n = 2;
	return r;
}

/* A list of deployments: the newest of that commit that has a job. */
static const char *redeploy_find(const struct sw_jnode *list, const struct sw_act *act, struct sw_arena *a)
{
	for (const struct sw_jnode *d = list->child; d; d = d->next) {
		const char *job = sw_rest_text(sw_jget(d, "deployable"), "id", a);

		if (job && sw_rest_same_sha(sw_jstr(d, "sha"), act->last_good_sha))
			return job;
	}
	return NULL;
}

static int redeploy_plan(const struct gitlab *c, const char *base, const struct sw_act *act,
                         const struct sw_result *last, struct sw_arena *a, struct sw_job *ret, struct sw_err *err)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf env = SW_BUF_INIT;
	const struct sw_jnode *root;
	const char *status;

	if (!act->last_good_sha)
		return sw_err_set(err, ENOENT, "no verified good deployment is known");
	if (!last && sw_rest_is_id(act->last_good_job_id))
		return gitlab_get(c, sw_arena_printf(a, "%s/jobs/%s", base, act->last_good_job_id), ret);
	if (!last) {
		if (!act->last_good_environment)
			return sw_err_set(err, ENOENT, "the job of the last good deployment is not known");
		sw_pct_encode(&env, act->last_good_environment, strlen(act->last_good_environment));
		return gitlab_get(
		    c,
		    sw_arena_printf(
		        a, "%s/deployments?environment=%s&status=success&order_by=id&sort=desc&per_page=" PER_PAGE,
		        base, sw_buf_str(&env)),
		    ret);
	}
	root = sw_rest_body(last, a);
	if (root && root->type == SW_J_ARRAY)
		return redeploy_retry(c, base, redeploy_find(root, act, a), a, ret, err);
	if (!sw_rest_same_sha(sw_jstr(sw_jget(root, "commit"), "id"), act->last_good_sha))
		return sw_err_set(err, EPROTO,
		                  "the job of the last good deployment is of another commit now, nothing was done");
	if (sw_jbool(root, "archived", false))
		return sw_err_set(err, EPROTO, "the job of the last good deployment is archived, nothing was done");
	status = sw_jstr(root, "status");
	if (!sw_streq(status, "success") && !sw_streq(status, "failed") && !sw_streq(status, "canceled"))
		return sw_err_set(err, EPROTO,
		                  "the job of the last good deployment cannot be run again now, nothing was done (%s)",
		                  status ? sw_named_clean(status, a) : "no status");
	return redeploy_retry(c, base, sw_rest_text(root, "id", a), a, ret, err);
}

/* ---- play-job ---- */

/* The newest job of that name; NULL: this page has none. */
static const struct sw_jnode *play_find(const struct sw_jnode *list, const char *name)
{
	const struct sw_jnode *best = NULL;

	for (const struct sw_jnode *j = list->child; j; j = j->next)
		if (sw_streq(sw_jstr(j, "name"), name) && (!best || sw_jint(j, "id", 0) > sw_jint(best, "id", 0)))
			best = j;
	return best;
}

static int play_list(const struct gitlab *c, const char *base, const char *pipeline, const char *page,
                     struct sw_arena *a, struct sw_job *ret, struct sw_err *err)
{
	if (!sw_rest_is_id(pipeline))
		return sw_err_set(err, EPROTO, "the pipeline of this deployment is not known");
	return gitlab_get(
	    c, sw_arena_printf(a, "%s/pipelines/%s/jobs?per_page=" PER_PAGE "&page=%s", base, pipeline, page), ret);
}

static int play_post(const struct gitlab *c, const char *base, const struct sw_act *act, const struct sw_jnode *job,
                     struct sw_arena *a, struct sw_job *ret, struct sw_err *err)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	const char *status = sw_jstr(job, "status"), *id = sw_rest_text(job, "id", a);
	struct sw_jw w;
	int r;

	if (!sw_rest_is_id(id))
		return sw_err_set(err, EPROTO, "the job has no number");
	if (!sw_streq(status, "manual") && !sw_streq(status, "scheduled"))
		return sw_err_set(
		    err, EPROTO,
		    "the job cannot be started now: it ran already, or waits for others, nothing was done (%s)",
		    status ? sw_named_clean(status, a) : "no status");
	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	r = gitlab_variables(c, act, "job_variables_attributes", true, a, &w, err);
	if (r < 0)
		return r;
	sw_jw_obj_end(&w);
	return gitlab_post(c, sw_arena_printf(a, "%s/jobs/%s/play", base, id), &b, a, ret);
}

/* An object is the job that led to the pipeline, a list is one page of the pipeline's jobs. */
static int play_plan(const struct gitlab *c, const char *base, const struct sw_act *act, const struct sw_result *last,
                     struct sw_arena *a, struct sw_job *ret, struct sw_err *err)
{
	const struct sw_jnode *root, *job;
	const char *name, *page, *pipeline;
	int r = sw_named_fill(c->job, act, a, &name, err);

	if (r < 0)
		return r;
	if (!last && !act->pipeline_id && sw_rest_is_id(act->job_id))
		return gitlab_get(c, sw_arena_printf(a, "%s/jobs/%s", base, act->job_id), ret);
	if (!last)
		return play_list(c, base, act->pipeline_id, "1", a, ret, err);
	root = sw_rest_body(last, a);
	if (!root || root->type != SW_J_ARRAY)
		return play_list(c, base, sw_rest_text(sw_jget(root, "pipeline"), "id", a), "1", a, ret, err);
	job = play_find(root, name);
	if (job)
		return play_post(c, base, act, job, a, ret, err);
	page = sw_result_header(last, "x-next-page");
	pipeline = sw_rest_is_id(page) && root->child ? sw_rest_text(sw_jget(root->child, "pipeline"), "id", a) : NULL;
	if (pipeline)
		return play_list(c, base, pipeline, page, a, ret, err);
	return sw_err_set(err, ENOENT, "the pipeline of this deployment has no such job (%s)", name);
}

/* ---- what became of it ---- */

static const char no_retry[] = "GitLab does not run this job again: it is not the newest of its name, too old, or "
                               "outdated deployments are prevented";
static const char no_play[] = "the job cannot be started now: it ran already, or waits for others, nothing was done";
static const struct rest_row rows[] = {
	{ 401, NULL, SW_CONFIG, "GitLab does not accept the token" },
	{ 403, "higher privileges", SW_CONFIG, "the token lacks the scope api" },
	{ 403, "insufficient_scope", SW_CONFIG, "the token lacks the scope api" },
	{ 403, "not retryable", SW_MESSAGE, no_retry },
	{ 403, "outdated", SW_MESSAGE, no_retry },
	{ 403, NULL, SW_CONFIG,
	  "the token's user may not do this: its role, a protected branch or a protected environment" },
	{ 404, NULL, SW_CONFIG,
	  "GitLab shows no such project, job or token: not there, no access, or a protected environment" },
	{ 400, "artifact", SW_MESSAGE, "artifacts that it needs have expired" },
	{ 400, "outdated", SW_MESSAGE, no_retry },
	{ 400, "not the latest", SW_MESSAGE, no_retry },
	{ 400, "unplayable", SW_MESSAGE, no_play },
	{ 400, "reference not found", SW_CONFIG, "there is no such branch or tag" },
	{ 400, "set pipeline variables", SW_CONFIG, "the token's user may not set variables of pipelines" },
	{ 400, "too many pipelines", SW_HOLD, "refused because of too many requests, nothing was done" },
	{ 400, NULL, SW_MESSAGE, "GitLab refuses the request" },
	{ 422, "artifact", SW_MESSAGE, "artifacts that it needs have expired" },
	{ 422, NULL, SW_MESSAGE, no_retry },
	{ 0 },
};

/* What was begun, as the answer to a POST says it. */
static void gitlab_began_text(const struct gitlab *c, const struct sw_jnode *root, struct sw_err *err)
{
	struct sw_arena a = { 0 };
	const char *id = sw_rest_text(root, "id", &a);

	if (id)
		sw_err_set(err, 0, c->what == TRIGGER ? "a pipeline was started (%s)" : "a job was started (%s)", id);
	sw_arena_fini(&a);
}

static struct sw_class gitlab_judge(const void *conf, const struct sw_result *res, struct sw_err *err)
{
	struct sw_class ret = sw_rest_judge(rows, res, err);
	const struct sw_jnode *root;
	struct sw_arena a = { 0 };

	if (ret.outcome != SW_OK)
		return ret;
	root = sw_rest_body(res, &a);
	if (!root || (root->type != SW_J_ARRAY && !sw_rest_text(root, "id", &a))) {
		ret.outcome = SW_AMBIGUOUS; /* a page of a proxy, or cut off: whatever it was, it was not a no */
		sw_err_set(err, EPROTO, "the answer is none of GitLab's: it may or may not have been done (HTTP %d)",
		           res->status);
	} else {
		gitlab_began_text(conf, root, err);
	}
	sw_arena_fini(&a);
	return ret;
}

static void gitlab_began(const void *conf, const struct sw_act *act, const struct sw_result *res, struct sw_arena *a,
                         struct sw_run *ret)
{
	const struct gitlab *c = conf;
	const struct sw_jnode *root = sw_rest_body(res, a);
	const char *id = sw_rest_text(root, "id", a);

	(void)act;
	if (c->what == TRIGGER)
		ret->pipeline_id = id;
	else
		ret->job_id = id; /* its pipeline is an old one, with other jobs in it */
	ret->url = sw_rest_text(root, "web_url", a);
}

/* ---- settings ---- */

static void gitlab_check(const void *conf, const struct sw_ynode *node, struct sw_diags *d)
{
	static const char *const unused[][5] = {
		[REDEPLOY] = { "trigger_token", "ref", "job", "variables", NULL },
		[TRIGGER] = { "job", NULL },
		[PLAY] = { "trigger_token", "ref", NULL },
	};
	static const char *const filled[] = { "project", "ref", "job", "variables" };
	const struct gitlab *c = conf;

	sw_rest_unused(node, unused[c->what], dos[c->what], d);
	for (size_t i = 0; i < SW_COUNT(filled); i++)
		sw_named_check(sw_yget(node, filled[i]), d);
	if (c->what == TRIGGER && !c->ref)
		sw_diag_key(d, node, "trigger-pipeline needs ref: a branch or tag");
	if (c->what == PLAY && !c->job)
		sw_diag_key(d, node, "play-job needs job: the name of a job");
	if (c->token && c->trigger_token)
		sw_diag_key(d, sw_yget(node, "trigger_token"), "want token or trigger_token, not both");
	if (!c->token && !(c->what == TRIGGER && c->trigger_token))
		sw_diag_key(d, node, "%s needs token%s", dos[c->what], c->what == TRIGGER ? " or trigger_token" : "");
	for (const char *const *v = (const char *const *)c->variables; v && v[0]; v += 2)
		if (strcmp(v[0], ID_VARIABLE) == 0 && c->pass_id)
			sw_diag_key(d, sw_yget(sw_yget(node, "variables"), v[0]), ID_VARIABLE " goes along anyway");
}

static void gitlab_tell(const void *conf, struct sw_buf *out)
{
	const struct gitlab *c = conf;
	const char *project = strcmp(c->project, "{repo}") == 0 ? "the deployment's project" : c->project;

	if (c->what == PLAY)
		sw_buf_printf(out, "%s \"%s\" of %s", dos[c->what], c->job, project);
	else
		sw_buf_printf(out, "%s %s%s%s", dos[c->what], project, c->what == TRIGGER ? "@" : "",
		              c->what == TRIGGER ? c->ref : "");
}

static void gitlab_asks(const void *conf, struct sw_asks *ret)
{
	static const char *const scopes[] = { "api", NULL };
	const struct gitlab *c = conf;

	*ret = (struct sw_asks){ c->url, c->token && *c->token ? c->token : NULL, c->project, scopes };
}

static bool gitlab_needs_good(const void *conf)
{
	const struct gitlab *c = conf;

	return c->what == REDEPLOY || sw_named_good(c->project) || sw_named_good(c->ref) || sw_named_good(c->job) ||
	       sw_named_good_any((const char *const *)c->variables);
}

static int gitlab_plan(const void *conf, const struct sw_act *act, unsigned step, const struct sw_result *last,
                       sw_ms now, struct sw_arena *a, struct sw_job *ret, struct sw_err *err)
{
	const struct gitlab *c = conf;
	const char *base = NULL;
	int r = gitlab_base(c, act, a, &base, err);

	(void)step;
	(void)now;
	if (r < 0)
		return r;
	if (c->what == REDEPLOY)
		return redeploy_plan(c, base, act, last, a, ret, err);
	return c->what == PLAY ? play_plan(c, base, act, last, a, ret, err) : trigger_plan(c, base, act, a, ret, err);
}

const struct sw_action sw_action_gitlab = {
	.base = { "gitlab", "A pipeline or job of GitLab.", keys, sizeof(struct gitlab) },
	.plan = gitlab_plan,
	.judge = gitlab_judge,
	.began = gitlab_began,
	.check = gitlab_check,
	.tell = gitlab_tell,
	.needs_good = gitlab_needs_good,
	.asks = gitlab_asks,
};
