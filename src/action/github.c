/*
 * An action by GitHub's REST API.
 *
 * redeploy-last-good    POST deployments of the last good commit; our id is in its payload, which the webhooks bring
 * back workflow-dispatch     POST actions/workflows/<file>/dispatches repository-dispatch   POST dispatches; our id is
 * in client_payload rerun                 GET the run of the last good deployment and see that it is of that commit,
 * POST rerun
 */
#include <errno.h>
#include <string.h>

#include "action/named.h"
#include "action/rest.h"
#include "base/str.h"

#define ID_MEMBER    "shipwatch_rollback_id"
#define RUN_BYTES    ((size_t)1024 * 1024)
#define PAYLOAD_MOST 9 /* members of client_payload beside ours; GitHub takes 10 */
#define INPUTS_MOST  10
#define EVENT_MOST   100

enum { REDEPLOY, WORKFLOW, REPOSITORY, RERUN };
static const char *const dos[] = { "redeploy-last-good", "workflow-dispatch", "repository-dispatch", "rerun", NULL };

struct github {
	const char *api, *token, *repo, *ref, *workflow, *event_type, *environment, *task, **inputs, **payload;
	int what;
	sw_dur timeout;
};

#define AT(f) offsetof(struct github, f)
static const struct sw_key keys[] = {
	{ "api", SW_KEY_URL, AT(api), "https://api.github.com", "of GitHub Enterprise: https://<host>/api/v3" },
	{ "token", SW_KEY_SECRET, AT(token), "!", "fine-grained: deployments, actions or contents, to write" },
	{ "do", SW_KEY_ENUM, AT(what), "!", "redeploy-last-good, workflow-dispatch, repository-dispatch or rerun", 0, 0,
	  dos },
	{ "repo", SW_KEY_STRING, AT(repo), "{repo}", "owner/name; named values" },
	{ "ref", SW_KEY_STRING, AT(ref), NULL, "workflow-dispatch: branch or tag with the workflow; named values" },
	{ "workflow", SW_KEY_STRING, AT(workflow), NULL, "workflow-dispatch: its file, such as rollback.yml" },
	{ "inputs", SW_KEY_STRMAP, AT(inputs), NULL,
	  "workflow-dispatch: of the workflow; named values such as {last_good.sha}" },
	{ "event_type", SW_KEY_STRING, AT(event_type), NULL, "repository-dispatch: the type that workflows wait for" },
	{ "payload", SW_KEY_STRMAP, AT(payload), NULL,
	  "redeploy-last-good, repository-dispatch: handed on beside shipwatch_rollback_id; named values" },
	{ "environment", SW_KEY_STRING, AT(environment), NULL,
	  "redeploy-last-good: as GitHub calls it; as the last good deployment said unless set" },
	{ "task", SW_KEY_STRING, AT(task), NULL, "redeploy-last-good: of the deployment; deploy unless set" },
	{ "timeout", SW_KEY_DUR, AT(timeout), "30s", "after which its outcome is unknown", SW_SECOND, SW_HOUR },
	{ 0 },
};

/* ---- requests ---- */

/* <api>/repos/<owner>/<name>, to be followed by "/…". Return: 0, or -errno with err. */
static int github_base(const struct github *c, const struct sw_act *act, struct sw_arena *a, const char **ret,
                       struct sw_err *err)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	size_t n = strlen(c->api), owner;
	const char *repo, *name;
	int r = sw_named_fill(c->repo, act, a, &repo, err);

	if (r < 0)
		return r;
	owner = strcspn(repo, "/");
	name = repo[owner] ? repo + owner + 1 : "";
	if (!owner || !*name || strchr(name, '/') || *repo == '.' || *name == '.')
		return sw_err_set(err, EINVAL, "repo: want owner/name (%s)",
		                  *repo ? repo : "the deployment does not say it");
	if ((c->what == REDEPLOY || c->what == RERUN) && act->last_good_repo &&
	    strcasecmp(repo, act->last_good_repo) != 0)
		return sw_err_set(err, EINVAL, "the last good deployment is of another project (%s)",
		                  act->last_good_repo);
	while (n && c->api[n - 1] == '/')
		n--;
	sw_buf_catn(&b, c->api, n);
	sw_buf_cat(&b, "/repos/");
	sw_pct_encode(&b, repo, owner);
	sw_buf_putc(&b, '/');
	sw_pct_encode(&b, name, strlen(name));
	*ret = sw_arena_strdup(a, sw_buf_str(&b));
	return 0;
}

static void github_head(const struct github *c, struct sw_arena *a, struct sw_job *job)
{
	sw_job_header(job, "Accept", "application/vnd.github+json");
	sw_job_header(job, "X-GitHub-Api-Version", "2022-11-28");
	sw_job_header(job, "Authorization", sw_arena_printf(a, "Bearer %s", c->token));
}

static int github_post(const struct github *c, const char *url, const struct sw_buf *body, struct sw_arena *a,
                       struct sw_job *ret)
{
	int r = sw_job_post_json(ret, a, url, body);

	if (r < 0)
		return r;
	ret->timeout = c->timeout;
	github_head(c, a, ret);
	return 0;
}

/* A map of the settings as an object; with our id where it may stand. */
static int github_map(const char *const *map, const char *key, const char *id, const struct sw_act *act,
                      struct sw_arena *a, struct sw_jw *w, struct sw_err *err)
{
	sw_jw_obj(w, key);
	if (id)
		sw_jw_str(w, id, act->id);
	for (; map && map[0]; map += 2) {
		const char *value;
		int r = sw_named_fill(map[1], act, a, &value, err);

		if (r < 0)
			return r;
		sw_jw_str(w, map[0], value);
	}
	sw_jw_obj_end(w);
	return 0;
}

/* ---- what it can do ---- */

static int deployment_plan(const struct github *c, const char *base, const struct sw_act *act, struct sw_arena *a,
                           struct sw_job *ret, struct sw_err *err)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	const char *env = act->last_good_environment;
	struct sw_jw w;
	int r;

	if (!act->last_good_sha)
		return sw_err_set(err, ENOENT, "no verified good deployment is known");
	r = c->environment ? sw_named_fill(c->environment, act, a, &env, err) : 0;
	if (r < 0)
		return r;
	if (!env || !*env)
		return sw_err_set(err, EINVAL, "environment: the last good deployment does not say it");
	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "ref", act->last_good_sha);
	sw_jw_opt(&w, "task", c->task);
	sw_jw_str(&w, "environment", sw_named_clean(env, a));
	sw_jw_bool(&w, "auto_merge", false);
	sw_jw_arr(&w, "required_contexts");
	sw_jw_arr_end(&w);
	sw_jw_str(&w, "description", "Rollback by Shipwatch");
	r = github_map((const char *const *)c->payload, "payload", ID_MEMBER, act, a, &w, err);
	if (r < 0)
		return r;
	sw_jw_obj_end(&w);
	return github_post(c, sw_arena_printf(a, "%s/deployments", base), &b, a, ret);
}

static int workflow_plan(const struct github *c, const char *base, const struct sw_act *act, struct sw_arena *a,
                         struct sw_job *ret, struct sw_err *err)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT, file = SW_BUF_INIT;
	const char *slash = strrchr(c->workflow, '/'), *name = slash ? slash + 1 : c->workflow, *ref;
	struct sw_jw w;
	int r = sw_named_fill(c->ref, act, a, &ref, err);

	if (r < 0)
		return r;
	if (!*ref)
		return sw_err_set(err, EINVAL, "ref: \"%s\" is empty for this deployment", c->ref);
	sw_pct_encode(&file, name, strlen(name));
	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "ref", ref);
	if (c->inputs) {
		r = github_map((const char *const *)c->inputs, "inputs", NULL, act, a, &w, err);
		if (r < 0)
			return r;
	}
	sw_jw_obj_end(&w);
	return github_post(c, sw_arena_printf(a, "%s/actions/workflows/%s/dispatches", base, sw_buf_str(&file)), &b, a,
	                   ret);
}

static int repository_plan(const struct github *c, const char *base, const struct sw_act *act, struct sw_arena *a,
                           struct sw_job *ret, struct sw_err *err)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;
	int r;

	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "event_type", c->event_type);
	r = github_map((const char *const *)c->payload, "client_payload", ID_MEMBER, act, a, &w, err);
	if (r < 0)
		return r;
	sw_jw_obj_end(&w);
	return github_post(c, sw_arena_printf(a, "%s/dispatches", base), &b, a, ret);
}

static int rerun_plan(const struct github *c, const char *base, const struct sw_act *act, const struct sw_result *last,
                      struct sw_arena *a, struct sw_job *ret, struct sw_err *err)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	const struct sw_jnode *root;
	const char *url;

	if (!act->last_good_sha)
		return sw_err_set(err, ENOENT, "no verified good deployment is known");
	if (!sw_rest_is_id(act->last_good_pipeline_id))
		return sw_err_set(err, ENOENT, "the run of the last good deployment is not known");
	url = sw_arena_printf(a, "%s/actions/runs/%s", base, act->last_good_pipeline_id);
	if (!last) {
		memset(ret, 0, sizeof *ret);
		ret->kind = SW_JOB_HTTP;
		ret->method = "GET";
		ret->url = url;
		ret->response_max = RUN_BYTES;
		github_head(c, a, ret);
		return 1;
	}
	root = sw_rest_body(last, a);
	if (!sw_rest_same_sha(sw_jstr(root, "head_sha"), act->last_good_sha))
		return sw_err_set(err, EPROTO,
		                  "the run of the last good deployment is of another commit, nothing was done");
	if (!sw_streq(sw_jstr(root, "status"), "completed"))
		return sw_err_set(err, EPROTO, "the run of the last good deployment runs right now, nothing was done");
	sw_buf_cat(&b, "{}");
	return github_post(c, sw_arena_printf(a, "%s/rerun", url), &b, a, ret);
}

static int github_plan(const void *conf, const struct sw_act *act, unsigned step, const struct sw_result *last,
                       sw_ms now, struct sw_arena *a, struct sw_job *ret, struct sw_err *err)
{
	const struct github *c = conf;
	const char *base = NULL;
	int r = github_base(c, act, a, &base, err);

	(void)step;
	(void)now;
	if (r < 0)
		return r;
	switch (c->what) {
	case REDEPLOY:
		return deployment_plan(c, base, act, a, ret, err);
	case WORKFLOW:
		return workflow_plan(c, base, act, a, ret, err);
	case REPOSITORY:
		return repository_plan(c, base, act, a, ret, err);
	case RERUN:
		return rerun_plan(c, base, act, last, a, ret, err);
	}
	return -EINVAL;
}

/* ---- what became of it ---- */

static const struct rest_row rows[] = {
	{ 401, NULL, SW_CONFIG, "GitHub does not accept the token" },
	{ 403, "month ago", SW_MESSAGE, "the run is too old to be run again" },
	{ 403, "already running", SW_MESSAGE, "the run of the last good deployment runs right now, nothing was done" },
	{ 403, "workflow_dispatch", SW_CONFIG,
	  "the workflow cannot be dispatched: it has no workflow_dispatch, or is disabled" },
	{ 403, NULL, SW_CONFIG, "the token may not do this: a permission is missing" },
	{ 404, NULL, SW_CONFIG,
	  "GitHub shows no such repository, workflow or run: not there, or the token lacks the permission" },
	{ 409, NULL, SW_MESSAGE,
	  "GitHub sees a conflict: checks of the commit have not passed, or it cannot be deployed now" },
	{ 422, "no ref found", SW_CONFIG, "there is no such branch, tag or commit" },
	{ 422, "workflow_dispatch", SW_CONFIG,
	  "the workflow cannot be dispatched: it has no workflow_dispatch, or is disabled" },
	{ 422, "inputs", SW_CONFIG, "the workflow wants other inputs" },
	{ 422, "required input", SW_CONFIG, "the workflow wants other inputs" },
	{ 422, NULL, SW_MESSAGE, "GitHub refuses the request" },
	{ 400, NULL, SW_MESSAGE, "GitHub refuses the request" },
	{ 0 },
};

/* An object with an id: a deployment was made, or a run was read. 202 of deployments is none: a branch was merged
 * instead. */
static struct sw_class github_judge(const void *conf, const struct sw_result *res, struct sw_err *err)
{
	static const char *const begun[] = { NULL, "a workflow was started", "an event was sent to the workflows",
		                             "a run was started again" };
	const struct github *c = conf;
	struct sw_class ret = sw_rest_judge(rows, res, err);
	const struct sw_jnode *root;
	struct sw_arena a = { 0 };
	const char *id;

	if (ret.outcome != SW_OK)
		return ret;
	root = sw_rest_body(res, &a);
	id = sw_rest_text(root, "id", &a);
	if (c->what == REDEPLOY && id) {
		sw_err_set(err, 0, "a deployment was made (%s)", id);
	} else if (c->what == REDEPLOY && root && res->status == 202) {
		ret.outcome = SW_MESSAGE;
		sw_err_set(err, EPROTO, "GitHub merged instead of deploying (HTTP 202)");
	} else if (c->what == REDEPLOY || (res->body_n && !root)) {
		ret.outcome = SW_AMBIGUOUS; /* a page of a proxy, or cut off: whatever it was, it was not a no */
		sw_err_set(err, EPROTO, "the answer is none of GitHub's: it may or may not have been done (HTTP %d)",
		           res->status);
	} else {
		sw_err_set(err, 0, "%s", begun[c->what]);
	}
	sw_arena_fini(&a);
	return ret;
}

static void github_began(const void *conf, const struct sw_act *act, const struct sw_result *res, struct sw_arena *a,
                         struct sw_run *ret)
{
	const struct github *c = conf;
	const struct sw_jnode *root = sw_rest_body(res, a);

	if (c->what == REDEPLOY)
		ret->deployment_id = sw_rest_text(root, "id", a);
	else if (c->what == RERUN)
		ret->pipeline_id = act->last_good_pipeline_id; /* the same run, its next attempt */
}

/* ---- settings ---- */

static size_t pairs(const char **map)
{
	size_t n = 0;

	while (map && map[2 * n])
		n++;
	return n;
}

static void github_check(const void *conf, const struct sw_ynode *node, struct sw_diags *d)
{
	static const char *const unused[][8] = {
		[REDEPLOY] = { "ref", "workflow", "inputs", "event_type", NULL },
		[WORKFLOW] = { "event_type", "payload", "environment", "task", NULL },
		[REPOSITORY] = { "ref", "workflow", "inputs", "environment", "task", NULL },
		[RERUN] = { "ref", "workflow", "inputs", "event_type", "payload", "environment", "task" },
	};
	static const char *const filled[] = { "repo", "ref", "inputs", "payload", "environment" };
	const struct github *c = conf;

	sw_rest_unused(node, unused[c->what], dos[c->what], d);
	for (size_t i = 0; i < SW_COUNT(filled); i++)
		sw_named_check(sw_yget(node, filled[i]), d);
	if (c->what == WORKFLOW && !c->workflow)
		sw_diag_key(d, node, "workflow-dispatch needs workflow: the name of its file");
	if (c->what == WORKFLOW && !c->ref)
		sw_diag_key(d, node, "workflow-dispatch needs ref: a branch or tag");
	if (c->what == REPOSITORY && !c->event_type)
		sw_diag_key(d, node, "repository-dispatch needs event_type");
	if (c->event_type && strlen(c->event_type) > EVENT_MOST)
		sw_diag_key(d, sw_yget(node, "event_type"), "event_type: at most %d bytes", EVENT_MOST);
	if (pairs(c->inputs) > INPUTS_MOST)
		sw_diag_key(d, sw_yget(node, "inputs"), "inputs: at most %d", INPUTS_MOST);
	if (c->what == REPOSITORY && pairs(c->payload) > PAYLOAD_MOST)
		sw_diag_key(d, sw_yget(node, "payload"), "payload: at most %d beside " ID_MEMBER, PAYLOAD_MOST);
	for (size_t i = 0; i < pairs(c->payload); i++)
		if (strcmp(c->payload[2 * i], ID_MEMBER) == 0)
			sw_diag_key(d, sw_yget(sw_yget(node, "payload"), ID_MEMBER), ID_MEMBER " goes along anyway");
}

static void github_tell(const void *conf, struct sw_buf *out)
{
	const struct github *c = conf;
	const char *repo = strcmp(c->repo, "{repo}") == 0 ? "the deployment's repository" : c->repo;

	if (c->what == WORKFLOW)
		sw_buf_printf(out, "%s %s of %s@%s", dos[c->what], c->workflow, repo, c->ref);
	else if (c->what == REPOSITORY)
		sw_buf_printf(out, "%s %s to %s", dos[c->what], c->event_type, repo);
	else
		sw_buf_printf(out, "%s %s", dos[c->what], repo);
}

static void github_asks(const void *conf, struct sw_asks *ret)
{
	/* of a classic token; a fine-grained one shows none */
	static const char *const deployment[] = { "repo_deployment", "repo", NULL }, *const other[] = { "repo", NULL };
	const struct github *c = conf;

	*ret = (struct sw_asks){ c->api, c->token, c->repo, c->what == REDEPLOY ? deployment : other };
}

static bool github_needs_good(const void *conf)
{
	const struct github *c = conf;

	return c->what == REDEPLOY || c->what == RERUN || sw_named_good(c->repo) || sw_named_good(c->ref) ||
	       sw_named_good(c->environment) || sw_named_good_any((const char *const *)c->inputs) ||
	       sw_named_good_any((const char *const *)c->payload);
}

const struct sw_action sw_action_github = {
	.base = { "github", "A deployment or workflow of GitHub.", keys, sizeof(struct github) },
	.plan = github_plan,
	.judge = github_judge,
	.began = github_began,
	.check = github_check,
	.tell = github_tell,
	.needs_good = github_needs_good,
	.asks = github_asks,
};
