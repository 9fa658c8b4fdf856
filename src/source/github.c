/*
 * GitHub: what its webhooks say (inbound-events.md 1).
 *
 * push is the truth about refs; create and delete of a tag tell the same once more (and alone where several tags move at once),
 * of branches they are ignored. Actions tell of themselves as workflow_run and workflow_job; their check_* doubles are ignored.
 */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "source/host.h"

struct github { const char **secrets; bool is_unsigned; };

static const struct sw_key github_keys[] = {
	{ "secrets", SW_KEY_SECRETS, offsetof(struct github, secrets), NULL, "secrets of the webhook, the current one and those being replaced", 0, 0, NULL },
	{ "unsigned", SW_KEY_BOOL, offsetof(struct github, is_unsigned), "false", "take deliveries without a signature", 0, 0, NULL },
	{ 0 },
};

static const char *const github_headers[] = { "x-github-event", "x-github-delivery", "x-hub-signature-256", "x-github-enterprise-host", NULL };

static const char *const wanted[] = { "push", "create", "delete", "workflow_run", "workflow_job", "check_suite", "check_run", "status",
	                              "deployment", "deployment_status", "release", "pull_request", NULL };
static const char *const known[] = {
	"ping", "branch_protection_rule", "code_scanning_alert", "commit_comment", "dependabot_alert", "deploy_key", "deployment_review",
	"discussion", "fork", "gollum", "installation", "issue_comment", "issues", "label", "member", "membership", "merge_group", "meta",
	"milestone", "organization", "package", "page_build", "project", "public", "pull_request_review", "pull_request_review_comment",
	"registry_package", "repository", "repository_dispatch", "secret_scanning_alert", "security_advisory", "star", "team", "watch",
	"workflow_dispatch", NULL };

#define PAYLOAD_NODES 1000

/* ---- what stands where ---- */

struct gh {
	struct sw_event ev;
	struct each commits;
	const char *ref, *after, *ref_type, *status, *conclusion, *log_url, *target_url, *merge_sha, *base, *app, *job_env;
	const char *wf_name, *pusher, *run_title, *payload, *rollback;
	bool merged;
	int64_t attempt;
	struct each branches;
};

#define E(path, type, field) { path, type, offsetof(struct gh, ev.field), NULL, 0, 0 }
#define G(path, type, field) { path, type, offsetof(struct gh, field), NULL, 0, 0 }

static const struct row any_rows[] = {
	E("action", T_TEXT, action), E("repository.full_name", T_TEXT, repo), E("repository.html_url", T_TEXT, repo_url),
	E("repository.default_branch", T_TEXT, default_branch), E("sender.login", T_TEXT, user), { 0 },
};
static const struct row push_rows[] = {
	G("ref", T_TEXT, ref), E("before", T_SHA, before), G("after", T_SHA, after), E("created", T_BOOL, created), E("deleted", T_BOOL, deleted),
	E("forced", T_BOOL, forced), E("compare", T_TEXT, compare_url), E("head_commit.id", T_SHA, sha), E("head_commit.message", T_LINE, title),
	E("head_commit.author.name", T_TEXT, author), E("head_commit.author.email", T_TEXT, author_email), E("head_commit.url", T_TEXT, url),
	E("head_commit.timestamp", T_TIME, created_at), G("pusher.name", T_TEXT, pusher),
	{ "commits", T_EACH, offsetof(struct gh, commits), sw_raw_commit_rows, sizeof(struct raw_commit), SW_EVENT_COMMITS }, { 0 },
};
static const struct row ref_rows[] = { G("ref", T_TEXT, ref), G("ref_type", T_TEXT, ref_type), { 0 } };
static const struct row run_rows[] = {
	E("workflow_run.id", T_TEXT, pipeline_id), G("workflow_run.run_attempt", T_INT, attempt), G("workflow_run.head_branch", T_TEXT, ref),
	E("workflow_run.head_sha", T_SHA, sha), G("workflow_run.status", T_TEXT, status), G("workflow_run.conclusion", T_TEXT, conclusion),
	G("workflow_run.display_title", T_TEXT, run_title), E("workflow_run.event", T_TEXT, pipeline_source), E("workflow_run.path", T_TEXT, workflow), G("workflow_run.name", T_TEXT, wf_name),
	E("workflow.name", T_TEXT, pipeline_name), E("workflow_run.html_url", T_TEXT, url), E("workflow_run.head_commit.message", T_LINE, title),
	E("workflow_run.head_commit.author.name", T_TEXT, author), E("workflow_run.head_commit.author.email", T_TEXT, author_email),
	E("workflow_run.triggering_actor.login", T_TEXT, user_name), E("workflow_run.created_at", T_TIME, created_at),
	E("workflow_run.run_started_at", T_TIME, started_at), E("workflow_run.updated_at", T_TIME, at), { 0 },
};
static const struct row job_rows[] = {
	E("workflow_job.id", T_TEXT, job_id), E("workflow_job.run_id", T_TEXT, pipeline_id), G("workflow_job.run_attempt", T_INT, attempt),
	G("workflow_job.head_branch", T_TEXT, ref), E("workflow_job.head_sha", T_SHA, sha), G("workflow_job.status", T_TEXT, status),
	G("workflow_job.conclusion", T_TEXT, conclusion), E("workflow_job.name", T_TEXT, job_name),
	E("workflow_job.workflow_name", T_TEXT, pipeline_name), E("workflow_job.html_url", T_TEXT, url),
	E("workflow_job.created_at", T_TIME, created_at), E("workflow_job.started_at", T_TIME, started_at),
	E("workflow_job.completed_at", T_TIME, finished_at), G("deployment.environment", T_TEXT, job_env), E("deployment.id", T_TEXT, deployment_id),
	{ 0 },
};
static const struct row deployment_rows[] = {
	E("deployment.id", T_TEXT, deployment_id), E("deployment.sha", T_SHA, sha), G("deployment.ref", T_TEXT, ref),
	E("deployment.environment", T_TEXT, environment), E("deployment.creator.login", T_TEXT, user_name), E("deployment.created_at", T_TIME, created_at),
	E("workflow_run.id", T_TEXT, pipeline_id), E("workflow_run.html_url", T_TEXT, url), G("workflow_run.run_attempt", T_INT, attempt),
	E("deployment_status.environment", T_TEXT, env_action), G("deployment_status.state", T_TEXT, status),
	G("deployment_status.log_url", T_TEXT, log_url), G("deployment_status.target_url", T_TEXT, target_url),
	E("deployment_status.environment_url", T_TEXT, env_url), E("deployment_status.created_at", T_TIME, at),
	E("deployment_status.description", T_LINE, title), G("deployment.payload", T_TEXT, payload),
	G("deployment.payload.shipwatch_rollback_id", T_TEXT, rollback), { 0 },
};
static const struct row suite_rows[] = {
	E("check_suite.id", T_TEXT, pipeline_id), G("check_suite.head_branch", T_TEXT, ref), E("check_suite.head_sha", T_SHA, sha),
	G("check_suite.status", T_TEXT, status), G("check_suite.conclusion", T_TEXT, conclusion), G("check_suite.app.slug", T_TEXT, app),
	E("check_suite.app.name", T_TEXT, pipeline_name), E("check_suite.updated_at", T_TIME, at), E("check_suite.created_at", T_TIME, created_at),
	E("check_suite.head_commit.message", T_LINE, title), E("check_suite.head_commit.author.name", T_TEXT, author), { 0 },
};
static const struct row check_rows[] = {
	E("check_run.id", T_TEXT, job_id), E("check_run.check_suite.id", T_TEXT, pipeline_id), G("check_run.check_suite.head_branch", T_TEXT, ref),
	E("check_run.head_sha", T_SHA, sha), G("check_run.status", T_TEXT, status), G("check_run.conclusion", T_TEXT, conclusion),
	G("check_run.app.slug", T_TEXT, app), E("check_run.name", T_TEXT, job_name), E("check_run.html_url", T_TEXT, url),
	E("check_run.started_at", T_TIME, started_at), E("check_run.completed_at", T_TIME, finished_at), { 0 },
};
static const struct row branch_rows[] = { G("name", T_TEXT, ref), { 0 } };
static const struct row status_rows[] = {
	E("id", T_TEXT, job_id), E("sha", T_SHA, sha), G("state", T_TEXT, status), E("context", T_TEXT, job_name), E("target_url", T_TEXT, url),
	E("commit.commit.message", T_LINE, title), E("commit.commit.author.name", T_TEXT, author), E("updated_at", T_TIME, at),
	{ "branches", T_EACH, offsetof(struct gh, branches), branch_rows, sizeof(struct gh), 10 }, { 0 },
};
static const struct row release_rows[] = {
	G("release.tag_name", T_TEXT, ref), E("release.name", T_LINE, title), E("release.html_url", T_TEXT, url), E("release.id", T_TEXT, job_id),
	E("release.author.login", T_TEXT, author), E("release.published_at", T_TIME, at), { 0 },
};
static const struct row pull_rows[] = {
	G("pull_request.merged", T_BOOL, merged), G("pull_request.merge_commit_sha", T_SHA, merge_sha), G("pull_request.head.ref", T_TEXT, ref),
	G("pull_request.base.ref", T_TEXT, base), E("pull_request.html_url", T_TEXT, url), E("pull_request.title", T_LINE, title),
	E("pull_request.user.login", T_TEXT, author), E("pull_request.merged_at", T_TIME, at), E("pull_request.number", T_TEXT, job_id), { 0 },
};

/* ---- words ---- */

static const struct host_word run_words[] = {
	{ "requested", SW_ST_CREATED }, { "queued", SW_ST_CREATED },  { "waiting", SW_ST_CREATED }, { "pending", SW_ST_CREATED },
	{ "in_progress", SW_ST_RUNNING }, { "success", SW_ST_SUCCESS }, { "failure", SW_ST_FAILED }, { "error", SW_ST_FAILED },
	{ "timed_out", SW_ST_FAILED },  { "startup_failure", SW_ST_FAILED }, { "cancelled", SW_ST_CANCELLED }, { "stale", SW_ST_CANCELLED },
	{ "skipped", SW_ST_SKIPPED },   { "neutral", SW_ST_SKIPPED },   { "inactive", SW_ST_INACTIVE }, { NULL, SW_ST_NONE },
};

/* status says where it stands; once completed, conclusion says how it ended. */
static void gh_status(struct gh *g)
{
	g->ev.status_text = g->status;
	if (sw_streq(g->status, "completed")) {
		g->ev.status_text = g->conclusion ? g->conclusion : g->status;
		g->ev.status = g->conclusion ? sw_host_status(run_words, g->conclusion) : SW_ST_OTHER;
		return;
	}
	g->ev.status = g->status ? sw_host_status(run_words, g->status) : SW_ST_OTHER;
	if (g->ev.status != SW_ST_CREATED && g->ev.status != SW_ST_RUNNING)
		g->ev.status = SW_ST_OTHER; /* no word of these events ends a run without a conclusion */
}

static void gh_run(struct gh *g, struct sw_arena *a)
{
	struct sw_event *ev = &g->ev;

	gh_status(g);
	sw_host_ref(ev, g->ref, false, a);
	ev->attempt = (int)SW_MIN(SW_MAX(g->attempt, 0), 1000000);
	ev->merge_request = sw_streq(ev->pipeline_source, "pull_request") || sw_streq(ev->pipeline_source, "pull_request_target");
	if (ev->merge_request) {
		ev->branch = NULL;
		ev->ref = NULL;
	}
	if (!ev->pipeline_name)
		ev->pipeline_name = g->wf_name;
	if (ev->user_name) { /* who set the run off, rather than who sent the hook */
		ev->user = ev->user_name;
		ev->user_name = NULL;
	}
	if (sw_status_terminal(ev->status) && !ev->finished_at)
		ev->finished_at = ev->at;
	if (!ev->at)
		ev->at = ev->finished_at ? ev->finished_at : ev->started_at ? ev->started_at : ev->created_at;
	if (ev->started_at && ev->finished_at >= ev->started_at)
		ev->duration_ms = (double)(ev->finished_at - ev->started_at);
}

/* ---- events ---- */

typedef bool (*finish_fn)(struct gh *g, struct sw_arena *a); /* false: of no interest */

static bool finish_push(struct gh *g, struct sw_arena *a)
{
	struct sw_event *ev = &g->ev;

	sw_host_ref(ev, g->ref, false, a);
	ev->kind = ev->tag ? SW_EV_TAG : SW_EV_PUSH;
	if (!ev->sha && !ev->deleted)
		ev->sha = g->after; /* of an annotated tag head_commit has the commit, after only the tag object */
	if (ev->before == NULL && !ev->deleted)
		ev->created = true;
	if (g->pusher)
		ev->user = g->pusher;
	ev->at = ev->created_at;
	sw_host_commits(&g->commits, a, ev);
	ev->commits_total = g->commits.cut ? -1 : (int64_t)g->commits.n;
	return ev->ref != NULL && (ev->branch || ev->tag);
}

static bool finish_ref(struct gh *g, struct sw_arena *a)
{
	if (!sw_streq(g->ref_type, "tag") || !g->ref)
		return false;
	sw_host_ref(&g->ev, g->ref, true, a);
	g->ev.kind = SW_EV_TAG;
	g->ev.created = sw_streq(g->ev.what, "create");
	g->ev.deleted = !g->ev.created;
	return true;
}

/* A workflow that we dispatched can only tell so by its run-name: "… shipwatch-rollback-<id> …". */
static const char *titled_rollback(const char *title, struct sw_arena *a)
{
	static const char mark[] = "shipwatch-rollback-";
	const char *p = title ? strstr(title, mark) : NULL;

	if (!p)
		return NULL;
	p += sizeof mark - 1;
	return sw_host_rollback_id(sw_arena_strndup(a, p, strspn(p, "0123456789abcdefghijklmnopqrstuvwxyz")));
}

/* The payload of a deployment comes back as it was given: an object, or a text with one in it. */
static const char *payload_rollback(const struct gh *g, struct sw_arena *a)
{
	struct sw_jnode *root;

	if (g->rollback)
		return sw_host_rollback_id(g->rollback);
	if (!g->payload || sw_jtree_parse(a, g->payload, strlen(g->payload), PAYLOAD_NODES, &root, NULL) < 0)
		return NULL;
	return sw_host_rollback_id(sw_jstr(root, "shipwatch_rollback_id"));
}

static bool finish_run(struct gh *g, struct sw_arena *a)
{
	gh_run(g, a);
	g->ev.kind = SW_EV_PIPELINE;
	g->ev.rollback_id = titled_rollback(g->run_title, a);
	return g->ev.pipeline_id != NULL;
}

static bool finish_job(struct gh *g, struct sw_arena *a)
{
	gh_run(g, a);
	g->ev.kind = SW_EV_JOB;
	g->ev.environment = g->job_env;
	return g->ev.job_id != NULL;
}

static bool finish_deployment(struct gh *g, struct sw_arena *a)
{
	struct sw_event *ev = &g->ev;
	bool sha = g->ref && (strlen(g->ref) == 40 || strlen(g->ref) == 64) && strspn(g->ref, "0123456789abcdef") == strlen(g->ref);

	if (ev->env_action) { /* the status names the environment better than the deployment did */
		ev->environment = ev->env_action;
		ev->env_action = NULL;
	}
	ev->kind = SW_EV_DEPLOYMENT;
	ev->rollback_id = payload_rollback(g, a);
	ev->status_text = sw_streq(ev->what, "deployment") ? "created" : g->status;
	ev->status = sw_streq(ev->what, "deployment") ? SW_ST_CREATED : sw_host_status(run_words, g->status);
	if (ev->status == SW_ST_NONE)
		ev->status = SW_ST_OTHER;
	if (!sha)
		sw_host_ref(ev, g->ref, g->ref && g->ref[0] == 'v' && g->ref[1] >= '0' && g->ref[1] <= '9', a);
	ev->url = g->log_url ? g->log_url : g->target_url ? g->target_url : ev->url;
	ev->attempt = (int)SW_MIN(SW_MAX(g->attempt, 0), 1000000);
	if (ev->user_name) {
		ev->user = ev->user_name;
		ev->user_name = NULL;
	}
	if (!ev->at)
		ev->at = ev->created_at;
	if (sw_status_terminal(ev->status))
		ev->finished_at = ev->at;
	return ev->deployment_id != NULL && ev->environment != NULL;
}

static bool finish_check(struct gh *g, struct sw_arena *a)
{
	if (sw_streq(g->app, "github-actions"))
		return false;
	gh_run(g, a);
	g->ev.kind = sw_streq(g->ev.what, "check_run") ? SW_EV_JOB : SW_EV_PIPELINE;
	return true;
}

static bool finish_status(struct gh *g, struct sw_arena *a)
{
	struct sw_event *ev = &g->ev;
	const struct gh *first = g->branches.n ? g->branches.items : NULL;

	ev->kind = SW_EV_JOB;
	ev->status_text = g->status;
	ev->status = sw_host_status(run_words, g->status);
	if (ev->status == SW_ST_NONE)
		ev->status = SW_ST_OTHER;
	if (first)
		sw_host_ref(ev, first->ref, false, a);
	if (sw_status_terminal(ev->status))
		ev->finished_at = ev->at;
	return ev->sha != NULL;
}

static bool finish_release(struct gh *g, struct sw_arena *a)
{
	g->ev.kind = SW_EV_RELEASE;
	sw_host_ref(&g->ev, g->ref, true, a);
	g->ev.job_id = NULL;
	return sw_streq(g->ev.action, "published"); /* one of several a single click raises */
}

static bool finish_pull(struct gh *g, struct sw_arena *a)
{
	(void)a;
	g->ev.kind = SW_EV_MERGE;
	g->ev.branch = g->ref;
	g->ev.target_branch = g->base;
	g->ev.sha = g->merge_sha;
	g->ev.job_id = NULL;
	g->ev.merge_request = true;
	return sw_streq(g->ev.action, "closed") && g->merged;
}

static const struct { const char *event; const struct row *rows; finish_fn finish; } events[] = {
	{ "push", push_rows, finish_push }, { "create", ref_rows, finish_ref }, { "delete", ref_rows, finish_ref },
	{ "workflow_run", run_rows, finish_run }, { "workflow_job", job_rows, finish_job }, { "deployment", deployment_rows, finish_deployment },
	{ "deployment_status", deployment_rows, finish_deployment }, { "check_suite", suite_rows, finish_check },
	{ "check_run", check_rows, finish_check }, { "status", status_rows, finish_status }, { "release", release_rows, finish_release },
	{ "pull_request", pull_rows, finish_pull },
};

static int github_parse(const void *conf, const struct sw_request *rq, struct sw_events *out, struct sw_err *err)
{
	const char *event = sw_request_header(rq, "x-github-event"), *enterprise = sw_request_header(rq, "x-github-enterprise-host"), *json;
	size_t n;
	int r;

	(void)conf;
	for (size_t i = 0; i < SW_COUNT(events); i++) {
		const struct row *const lists[] = { any_rows, events[i].rows, NULL };
		struct gh *g;
		struct sw_event *ev;

		if (!sw_streq(events[i].event, event))
			continue;
		r = sw_form_text(rq, out->a, &json, &n, err);
		if (r < 0)
			return r;
		g = SW_ARENA_NEW(out->a, struct gh);
		sw_event_init(&g->ev);
		r = sw_table_read(lists, json, n, out->a, g, err);
		if (r < 0)
			return r;
		g->ev.what = events[i].event;
		g->ev.source = rq->source;
		g->ev.source_kind = "github";
		g->ev.received = rq->arrived;
		g->ev.host = enterprise ? enterprise : sw_host_of_url(out->a, g->ev.repo_url);
		if (!events[i].finish(g, out->a) || !g->ev.repo)
			return 0;
		if (!g->ev.at)
			g->ev.at = rq->arrived;
		sw_host_run_id(&g->ev, out->a);
		ev = sw_events_add(out);
		if (ev)
			*ev = g->ev;
		return 0;
	}
	return 0;
}

static int github_verify(const void *conf, const struct sw_request *rq, struct sw_arena *a, struct sw_proof *ret, struct sw_err *err)
{
	const struct github *c = conf;
	const char *event = sw_request_header(rq, "x-github-event"), *sig = sw_request_header(rq, "x-hub-signature-256");

	(void)a;
	*ret = (struct sw_proof){ .dedupe = sw_request_header(rq, "x-github-delivery"), .dedupe_for = DEDUPE_LONG, .secret = -1 };
	ret->secret = sw_verify_hmac_hex((const char *const *)c->secrets, rq->body, rq->body_n, sig && sw_starts(sig, "sha256=") ? sig + 7 : NULL);
	if (ret->secret < 0 && !c->is_unsigned)
		return sw_err_set(err, EACCES, sig ? "X-Hub-Signature-256 does not fit any of the secrets" : "no X-Hub-Signature-256");
	if (!event)
		return sw_err_set(err, EBADMSG, "no X-GitHub-Event");
	ret->ping = strcmp(event, "ping") == 0;
	sw_host_what(wanted, known, event, ret);
	return 0;
}

const struct sw_source sw_source_github = {
	.base = { "github", "GitHub webhooks", github_keys, sizeof(struct github) },
	.mark = "x-github-event",
	.headers = github_headers,
	.types = sw_form_types,
	.verify = github_verify,
	.text = sw_form_text,
	.parse = github_parse,
	.compare = sw_compare_github,
	.compared = sw_compared_git,
	.api = "https://api.github.com",
	.sweep = &sw_sweep_github,
};
