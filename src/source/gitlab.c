/*
 * GitLab: what its webhooks and system hooks say (inbound-events.md 2).
 *
 * A Pipeline Hook is one pipeline and, for each job in it that names an environment, that job: it is the job's status that tells
 * of a deployment, never the pipeline's. A Job Hook and a Deployment Hook carry the same job id.
 */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "source/host.h"

struct gitlab { const char **tokens, **signing_tokens; bool is_unsigned; };

static const struct sw_key gitlab_keys[] = {
	{ "tokens", SW_KEY_SECRETS, offsetof(struct gitlab, tokens), NULL, "secret tokens of the webhook, the current one and those being replaced", 0, 0, NULL },
	{ "signing_tokens", SW_KEY_SECRETS, offsetof(struct gitlab, signing_tokens), NULL, "signing tokens (whsec_…) of the webhook", 0, 0, NULL },
	{ "unsigned", SW_KEY_BOOL, offsetof(struct gitlab, is_unsigned), "false", "take deliveries without a token", 0, 0, NULL },
	{ 0 },
};

static const char *const gitlab_headers[] = { "x-gitlab-event", "x-gitlab-instance", "idempotency-key", "webhook-id",
	                                      "webhook-timestamp", "webhook-signature", NULL };

static const char *const wanted[] = { "Push Hook", "Tag Push Hook", "Pipeline Hook", "Job Hook", "Build Hook", "Deployment Hook",
	                              "Release Hook", "Merge Request Hook", "System Hook", NULL };
static const char *const known[] = { "Issue Hook", "Confidential Issue Hook", "Note Hook", "Confidential Note Hook", "Wiki Page Hook",
	                             "Feature Flag Hook", "Milestone Hook", "Emoji Hook", "Member Hook", "Project Hook", "Subgroup Hook",
	                             "Resource Access Token Hook", "Service Hook", NULL };

#define VARIABLES 100 /* of a pipeline that are looked at */

/* ---- what stands where ---- */

struct build {
	const char *id, *stage, *name, *status, *failure, *user, *user_name, *env, *env_action, *env_tier;
	sw_ms created, started, finished;
	double duration;
	bool allow_failure;
};

struct variable {
	const char *key, *value;
};

struct gl {
	struct sw_event ev;
	struct each commits, builds, variables;
	const char *kind, *event_name, *ref, *after, *checkout, *status, *project_url, *old_url, *commit_url, *merge_sha, *last_sha,
		*target, *state, *mr_action, *deployable_url;
	double seconds, queued;
	bool is_tag, mr;
	sw_ms changed;
};

#define E(path, type, field) { path, type, offsetof(struct gl, ev.field), NULL, 0, 0 }
#define G(path, type, field) { path, type, offsetof(struct gl, field), NULL, 0, 0 }
#define V(path, type, field) { path, type, offsetof(struct variable, field), NULL, 0, 0 }
#define B(path, type, field) { path, type, offsetof(struct build, field), NULL, 0, 0 }

static const struct row any_rows[] = {
	G("object_kind", T_TEXT, kind), G("event_name", T_TEXT, event_name), E("project.path_with_namespace", T_TEXT, repo),
	G("project.web_url", T_TEXT, project_url), E("project.default_branch", T_TEXT, default_branch), G("repository.homepage", T_TEXT, old_url),
	E("user.username", T_TEXT, user), E("user.name", T_TEXT, user_name), { 0 },
};
static const struct row push_rows[] = {
	G("ref", T_TEXT, ref), E("before", T_SHA, before), G("after", T_SHA, after), G("checkout_sha", T_SHA, checkout),
	E("user_username", T_TEXT, user), E("user_name", T_TEXT, user_name), E("total_commits_count", T_INT, commits_total),
	{ "commits", T_EACH, offsetof(struct gl, commits), sw_raw_commit_rows, sizeof(struct raw_commit), SW_EVENT_COMMITS }, { 0 },
};
static const struct row build_rows[] = {
	B("id", T_TEXT, id), B("stage", T_TEXT, stage), B("name", T_TEXT, name), B("status", T_TEXT, status), B("failure_reason", T_TEXT, failure),
	B("created_at", T_TIME, created), B("started_at", T_TIME, started), B("finished_at", T_TIME, finished), B("duration", T_NUMBER, duration),
	B("allow_failure", T_BOOL, allow_failure), B("user.username", T_TEXT, user), B("user.name", T_TEXT, user_name),
	B("environment.name", T_TEXT, env), B("environment.action", T_TEXT, env_action), B("environment.deployment_tier", T_TEXT, env_tier), { 0 },
};
/* Values that users typed: only that of our own is looked at, none is kept. */
static const struct row variable_rows[] = { V("key", T_TEXT, key), V("value", T_TEXT, value), { 0 } };
static const struct row pipeline_rows[] = {
	E("object_attributes.id", T_TEXT, pipeline_id), G("object_attributes.ref", T_TEXT, ref), G("object_attributes.tag", T_BOOL, is_tag),
	E("object_attributes.sha", T_SHA, sha), E("object_attributes.before_sha", T_SHA, before), G("object_attributes.status", T_TEXT, status),
	E("object_attributes.source", T_TEXT, pipeline_source), E("object_attributes.name", T_TEXT, pipeline_name), E("object_attributes.url", T_TEXT, url),
	E("object_attributes.created_at", T_TIME, created_at), E("object_attributes.finished_at", T_TIME, finished_at),
	G("object_attributes.duration", T_NUMBER, seconds), G("object_attributes.queued_duration", T_NUMBER, queued),
	G("merge_request", T_SOME, mr), E("source_pipeline.pipeline_id", T_TEXT, parent_pipeline), E("commit.message", T_LINE, title),
	E("commit.author.name", T_TEXT, author), E("commit.author.email", T_TEXT, author_email),
	{ "object_attributes.variables", T_EACH, offsetof(struct gl, variables), variable_rows, sizeof(struct variable), VARIABLES },
	{ "builds", T_EACH, offsetof(struct gl, builds), build_rows, sizeof(struct build), SW_EVENTS_MAX - 1 }, { 0 },
};
static const struct row job_rows[] = {
	G("ref", T_TEXT, ref), G("tag", T_BOOL, is_tag), E("sha", T_SHA, sha), E("before_sha", T_SHA, before), E("build_id", T_TEXT, job_id),
	E("build_name", T_TEXT, job_name), E("build_stage", T_TEXT, job_stage), G("build_status", T_TEXT, status),
	E("build_created_at", T_TIME, created_at), E("build_started_at", T_TIME, started_at), E("build_finished_at", T_TIME, finished_at),
	G("build_duration", T_NUMBER, seconds), G("build_queued_duration", T_NUMBER, queued), E("build_allow_failure", T_BOOL, allow_failure),
	E("build_failure_reason", T_TEXT, failure_reason), E("pipeline_id", T_TEXT, pipeline_id), E("commit.id", T_TEXT, report_id),
	E("commit.message", T_LINE, title), E("commit.author_name", T_TEXT, author), E("commit.author_email", T_TEXT, author_email),
	E("commit.name", T_TEXT, pipeline_name), E("environment.name", T_TEXT, environment), E("environment.action", T_TEXT, env_action),
	E("environment.deployment_tier", T_TEXT, env_tier), E("source_pipeline.pipeline_id", T_TEXT, parent_pipeline), { 0 },
};
static const struct row deployment_rows[] = {
	E("deployment_id", T_TEXT, deployment_id), G("status", T_TEXT, status), G("status_changed_at", T_TIME, changed),
	E("deployable_id", T_TEXT, job_id), G("deployable_url", T_TEXT, deployable_url), E("environment", T_TEXT, environment),
	E("environment_tier", T_TEXT, env_tier), E("environment_external_url", T_TEXT, env_url), E("short_sha", T_SHA, short_sha),
	G("ref", T_TEXT, ref), G("commit_url", T_TEXT, commit_url), E("commit_title", T_LINE, title), { 0 },
};
static const struct row release_rows[] = {
	G("tag", T_TEXT, ref), E("name", T_LINE, title), E("url", T_TEXT, url), E("action", T_TEXT, action), E("released_at", T_TIME, at),
	E("commit.id", T_SHA, sha), E("commit.author.name", T_TEXT, author), { 0 },
};
static const struct row merge_rows[] = {
	G("object_attributes.source_branch", T_TEXT, ref), G("object_attributes.target_branch", T_TEXT, target),
	G("object_attributes.action", T_TEXT, mr_action), G("object_attributes.state", T_TEXT, state), E("object_attributes.url", T_TEXT, url),
	E("object_attributes.title", T_LINE, title), G("object_attributes.merge_commit_sha", T_SHA, merge_sha),
	G("object_attributes.last_commit.id", T_SHA, last_sha), E("object_attributes.last_commit.author.name", T_TEXT, author),
	E("object_attributes.updated_at", T_TIME, at), { 0 },
};

/* ---- words ---- */

static const struct host_word words[] = {
	{ "created", SW_ST_CREATED }, { "waiting_for_resource", SW_ST_CREATED }, { "preparing", SW_ST_CREATED }, { "pending", SW_ST_CREATED },
	{ "manual", SW_ST_CREATED },  { "scheduled", SW_ST_CREATED },            { "blocked", SW_ST_CREATED },   { "running", SW_ST_RUNNING },
	{ "canceling", SW_ST_RUNNING }, { "success", SW_ST_SUCCESS },            { "failed", SW_ST_FAILED },     { "canceled", SW_ST_CANCELLED },
	{ "skipped", SW_ST_SKIPPED }, { NULL, SW_ST_NONE },
};

static void gl_status(struct gl *g)
{
	g->ev.status_text = g->status;
	g->ev.status = g->status ? sw_host_status(words, g->status) : SW_ST_OTHER;
	if (g->ev.status != SW_ST_FAILED)
		g->ev.failure_reason = NULL; /* present and meaningless unless failed */
	g->ev.duration_ms = g->seconds >= 0 ? g->seconds * 1000 : -1;
	g->ev.queued_ms = g->queued >= 0 ? g->queued * 1000 : -1;
}

static void gl_times(struct gl *g)
{
	struct sw_event *ev = &g->ev;

	if (!ev->at)
		ev->at = sw_status_terminal(ev->status) && ev->finished_at ? ev->finished_at
		         : ev->started_at                                  ? ev->started_at
		                                                           : ev->created_at;
}

static bool for_merge_request(const struct gl *g)
{
	return g->mr || sw_streq(g->ev.pipeline_source, "merge_request_event") || sw_streq(g->ev.pipeline_source, "external_pull_request_event") ||
	       (g->ref && sw_starts(g->ref, "refs/merge-requests/"));
}

static void gl_ref(struct gl *g, struct sw_arena *a)
{
	sw_host_ref(&g->ev, g->ref, g->is_tag, a);
	if (!for_merge_request(g))
		return;
	g->ev.merge_request = true;
	g->ev.branch = g->ev.tag = NULL;
	g->ev.ref = g->ref && sw_starts(g->ref, "refs/") ? g->ref : NULL;
}

/* ---- events ---- */

static bool finish_push(struct gl *g, struct sw_arena *a, struct sw_events *out)
{
	struct sw_event *ev = &g->ev;
	const struct raw_commit *list = g->commits.items;

	(void)out;
	sw_host_ref(ev, g->ref, false, a);
	ev->kind = ev->tag ? SW_EV_TAG : SW_EV_PUSH;
	ev->sha = g->checkout ? g->checkout : ev->tag ? NULL : g->after;
	ev->deleted = !g->after;
	ev->created = !ev->before && g->after;
	sw_host_commits(&g->commits, a, ev);
	ev->files_cut |= ev->commits_total > (int64_t)ev->n_commits;
	for (size_t i = 0; i < g->commits.n; i++)
		if (sw_streq(list[i].sha, ev->sha)) {
			ev->title = list[i].title;
			ev->author = list[i].author;
			ev->author_email = list[i].author_email;
			ev->url = list[i].url;
			ev->at = list[i].at;
		}
	if (g->project_url && ev->before && g->after)
		ev->compare_url = sw_arena_printf(a, "%s/-/compare/%s...%s", g->project_url, ev->before, g->after);
	return ev->branch || ev->tag;
}

static void add_build(struct gl *g, const struct build *b, struct sw_arena *a, struct sw_events *out)
{
	struct sw_event *ev = sw_events_add(out);

	if (!ev)
		return;
	*ev = g->ev;
	ev->kind = SW_EV_JOB;
	ev->jobs_deploy = false;
	ev->job_id = b->id;
	ev->job_name = b->name;
	ev->job_stage = b->stage;
	ev->status_text = b->status;
	ev->status = b->status ? sw_host_status(words, b->status) : SW_ST_OTHER;
	ev->failure_reason = ev->status == SW_ST_FAILED ? b->failure : NULL;
	ev->allow_failure = b->allow_failure;
	ev->environment = b->env;
	ev->env_action = b->env_action;
	ev->env_tier = b->env_tier;
	ev->user = b->user ? b->user : ev->user;
	ev->user_name = b->user_name ? b->user_name : ev->user_name;
	ev->created_at = b->created;
	ev->started_at = b->started;
	ev->finished_at = b->finished;
	ev->duration_ms = b->duration > 0 ? b->duration * 1000 : -1;
	ev->queued_ms = -1;
	ev->at = b->finished ? b->finished : b->started ? b->started : b->created ? b->created : ev->at;
	if (g->project_url && b->id)
		ev->url = sw_arena_printf(a, "%s/-/jobs/%s", g->project_url, b->id);
}

static const char *own_rollback(const struct gl *g)
{
	const struct variable *v = g->variables.items;

	for (size_t i = 0; i < g->variables.n; i++)
		if (sw_streq(v[i].key, "SHIPWATCH_ROLLBACK_ID"))
			return sw_host_rollback_id(v[i].value);
	return NULL;
}

static bool finish_pipeline(struct gl *g, struct sw_arena *a, struct sw_events *out)
{
	struct sw_event *ev = &g->ev, *first;
	const struct build *b = g->builds.items;

	ev->kind = SW_EV_PIPELINE;
	ev->rollback_id = own_rollback(g);
	gl_status(g);
	gl_ref(g, a);
	gl_times(g);
	if (!ev->url && g->project_url && ev->pipeline_id)
		ev->url = sw_arena_printf(a, "%s/-/pipelines/%s", g->project_url, ev->pipeline_id);
	sw_host_run_id(ev, a);
	for (size_t i = 0; i < g->builds.n; i++)
		ev->jobs_deploy |= sw_event_deploys(&(struct sw_event){ .environment = b[i].env, .env_action = b[i].env_action });
	first = sw_events_add(out);
	if (first)
		*first = *ev;
	for (size_t i = 0; i < g->builds.n; i++)
		if (b[i].env && b[i].id)
			add_build(g, &b[i], a, out);
	out->cut |= g->builds.cut;
	return false; /* added already */
}

static bool finish_job(struct gl *g, struct sw_arena *a, struct sw_events *out)
{
	struct sw_event *ev = &g->ev;

	(void)out;
	ev->kind = SW_EV_JOB;
	gl_status(g);
	gl_ref(g, a);
	gl_times(g);
	if (!ev->pipeline_id)
		ev->pipeline_id = ev->report_id; /* commit.id is the pipeline's id */
	ev->report_id = NULL;
	if (g->project_url && ev->job_id)
		ev->url = sw_arena_printf(a, "%s/-/jobs/%s", g->project_url, ev->job_id);
	return ev->job_id != NULL;
}

static bool finish_deployment(struct gl *g, struct sw_arena *a, struct sw_events *out)
{
	struct sw_event *ev = &g->ev;
	const char *slash = g->commit_url ? strrchr(g->commit_url, '/') : NULL;

	(void)out;
	ev->kind = SW_EV_DEPLOYMENT;
	gl_status(g);
	if (slash && strlen(slash + 1) >= 40 && strspn(slash + 1, "0123456789abcdef") == strlen(slash + 1))
		ev->sha = slash + 1; /* the payload itself has only the short one */
	sw_host_ref(ev, g->ref, false, a);
	ev->url = g->deployable_url;
	ev->at = g->changed;
	if (sw_status_terminal(ev->status))
		ev->finished_at = g->changed;
	else if (ev->status == SW_ST_RUNNING)
		ev->started_at = g->changed;
	return ev->environment && (ev->deployment_id || ev->job_id);
}

static bool finish_release(struct gl *g, struct sw_arena *a, struct sw_events *out)
{
	(void)out;
	g->ev.kind = SW_EV_RELEASE;
	sw_host_ref(&g->ev, g->ref, true, a);
	return sw_streq(g->ev.action, "create");
}

static bool finish_merge(struct gl *g, struct sw_arena *a, struct sw_events *out)
{
	(void)a;
	(void)out;
	g->ev.kind = SW_EV_MERGE;
	g->ev.action = g->mr_action;
	g->ev.branch = g->ref;
	g->ev.target_branch = g->target;
	g->ev.sha = g->merge_sha ? g->merge_sha : g->last_sha;
	g->ev.merge_request = true;
	return sw_streq(g->mr_action, "merge");
}

typedef bool (*finish_fn)(struct gl *g, struct sw_arena *a, struct sw_events *out); /* false: nothing to add */

static const struct { const char *kind; const struct row *rows; finish_fn finish; } kinds[] = {
	{ "push", push_rows, finish_push }, { "tag_push", push_rows, finish_push }, { "pipeline", pipeline_rows, finish_pipeline },
	{ "build", job_rows, finish_job }, { "deployment", deployment_rows, finish_deployment }, { "release", release_rows, finish_release },
	{ "merge_request", merge_rows, finish_merge },
};

static const struct { const char *header, *kind; } by_header[] = {
	{ "Push Hook", "push" }, { "Tag Push Hook", "tag_push" }, { "Pipeline Hook", "pipeline" }, { "Job Hook", "build" }, { "Build Hook", "build" },
	{ "Deployment Hook", "deployment" }, { "Release Hook", "release" }, { "Merge Request Hook", "merge_request" },
};

/* Of a system hook the body tells which event it is. */
static int gitlab_kind(const struct sw_request *rq, const char *header, struct sw_arena *a, const char **ret, struct sw_err *err)
{
	const struct row *const lists[] = { any_rows, NULL };
	struct gl *g;
	int r;

	for (size_t i = 0; i < SW_COUNT(by_header); i++)
		if (sw_streq(by_header[i].header, header)) {
			*ret = by_header[i].kind;
			return 0;
		}
	*ret = NULL;
	if (!sw_streq(header, "System Hook"))
		return 0;
	g = SW_ARENA_NEW(a, struct gl);
	r = sw_table_read(lists, rq->body, rq->body_n, a, g, err);
	*ret = g->event_name ? g->event_name : g->kind;
	return r;
}

static void gitlab_finish(struct gl *g, const struct sw_request *rq, struct sw_arena *a)
{
	const char *instance = sw_request_header(rq, "x-gitlab-instance");

	g->ev.source = rq->source;
	g->ev.source_kind = "gitlab";
	g->ev.received = rq->arrived;
	if (!g->project_url)
		g->project_url = g->old_url;
	g->ev.repo_url = g->project_url;
	g->ev.host = sw_host_of_url(a, g->project_url);
	if (!g->ev.host)
		g->ev.host = sw_host_of_url(a, instance);
	if (!g->ev.repo && g->project_url) { /* old servers: the path of the home page */
		const char *p = strstr(g->project_url, "://");

		p = p ? strchr(p + 3, '/') : NULL;
		g->ev.repo = p && p[1] ? p + 1 : NULL;
	}
}

static int gitlab_parse(const void *conf, const struct sw_request *rq, struct sw_events *out, struct sw_err *err)
{
	const char *header = sw_request_header(rq, "x-gitlab-event"), *kind;
	int r = gitlab_kind(rq, header, out->a, &kind, err);

	(void)conf;
	for (size_t i = 0; r == 0 && kind && i < SW_COUNT(kinds); i++) {
		const struct row *const lists[] = { any_rows, kinds[i].rows, NULL };
		struct gl *g;
		struct sw_event *ev;

		if (strcmp(kinds[i].kind, kind) != 0)
			continue;
		g = SW_ARENA_NEW(out->a, struct gl);
		sw_event_init(&g->ev);
		g->seconds = g->queued = -1;
		r = sw_table_read(lists, rq->body, rq->body_n, out->a, g, err);
		if (r < 0)
			return r;
		g->ev.what = sw_host_known(wanted, header);
		gitlab_finish(g, rq, out->a);
		if (!g->ev.repo)
			return 0;
		if (!kinds[i].finish(g, out->a, out)) {
			for (size_t k = 0; k < out->n; k++)
				if (!out->items[k].at)
					out->items[k].at = rq->arrived;
			return 0;
		}
		if (!g->ev.at)
			g->ev.at = rq->arrived;
		sw_host_run_id(&g->ev, out->a);
		ev = sw_events_add(out);
		if (ev)
			*ev = g->ev;
		return 0;
	}
	return r;
}

static int gitlab_verify(const void *conf, const struct sw_request *rq, struct sw_arena *a, struct sw_proof *ret, struct sw_err *err)
{
	const struct gitlab *c = conf;
	const char *event = sw_request_header(rq, "x-gitlab-event"), *id = sw_request_header(rq, "idempotency-key");
	const char *sig = sw_request_header(rq, "webhook-signature"), *token = sw_request_header(rq, "x-gitlab-token");
	int by_token = sw_verify_token((const char *const *)c->tokens, token);
	int by_sign = sw_verify_standard((const char *const *)c->signing_tokens, rq, rq->arrived);
	bool signing = c->signing_tokens && c->signing_tokens[0];

	(void)a;
	*ret = (struct sw_proof){ .dedupe = id ? id : sw_request_header(rq, "webhook-id"), .dedupe_for = DEDUPE_LONG };
	/* a signature that is there has to fit: no way back to the token */
	ret->secret = sig && signing ? by_sign : by_token;
	if (ret->secret < 0 && !(c->is_unsigned && !sig && !token))
		return sw_err_set(err, EACCES, sig && signing ? "webhook-signature does not fit any signing token, or is older than 5 min"
		                                : token       ? "X-Gitlab-Token does not fit any of the tokens"
		                                              : "no X-Gitlab-Token");
	if (!event)
		return sw_err_set(err, EBADMSG, "no X-Gitlab-Event");
	sw_host_what(wanted, known, event, ret);
	return 0;
}

const struct sw_source sw_source_gitlab = {
	.base = { "gitlab", "GitLab webhooks and system hooks", gitlab_keys, sizeof(struct gitlab) },
	.mark = "x-gitlab-event",
	.headers = gitlab_headers,
	.secret = "x-gitlab-token",
	.types = sw_json_types,
	.verify = gitlab_verify,
	.text = sw_form_text,
	.parse = gitlab_parse,
	.compare = sw_compare_gitlab,
	.compared = sw_compared_gitlab,
	.sweep = &sw_sweep_gitlab,
};
