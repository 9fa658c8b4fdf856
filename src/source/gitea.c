/*
 * Gitea, Forgejo and Gogs: what their webhooks say (inbound-events.md 3). Payloads are like GitHub's with differences; the
 * signature is over the JSON text also where that is sent in a form, the opposite of GitHub.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "source/host.h"

struct gitea { const char **secrets; bool is_unsigned; };

static const struct sw_key gitea_keys[] = {
	{ "secrets", SW_KEY_SECRETS, offsetof(struct gitea, secrets), NULL, "secrets of the webhook, the current one and those being replaced", 0, 0, NULL },
	{ "unsigned", SW_KEY_BOOL, offsetof(struct gitea, is_unsigned), "false", "take deliveries without a signature", 0, 0, NULL },
	{ 0 },
};

static const char *const gitea_headers[] = { "x-forgejo-event", "x-forgejo-delivery", "x-forgejo-signature", "x-gitea-event", "x-gitea-delivery",
	                                     "x-gitea-signature", "x-gogs-event", "x-gogs-delivery", "x-gogs-signature", NULL };

static const char *const wanted[] = { "push", "create", "delete", "release", "pull_request", "status", "workflow_run", "workflow_job", NULL };
static const char *const known[] = { "fork", "issues", "issue_assign", "issue_label", "issue_milestone", "issue_comment", "pull_request_assign",
	                             "pull_request_label", "pull_request_milestone", "pull_request_comment", "pull_request_review_approved",
	                             "pull_request_review_rejected", "pull_request_review_comment", "pull_request_sync", "wiki", "repository",
	                             "package", NULL };

struct gt {
	struct sw_event ev;
	struct each commits;
	const char *ref, *after, *ref_type, *pusher, *state, *conclusion, *base, *merge_sha, *sender_old, *head_sha;
	bool merged;
	int64_t attempt;
};

#define E(path, type, field) { path, type, offsetof(struct gt, ev.field), NULL, 0, 0 }
#define G(path, type, field) { path, type, offsetof(struct gt, field), NULL, 0, 0 }

static const struct row any_rows[] = {
	E("action", T_TEXT, action), E("repository.full_name", T_TEXT, repo), E("repository.html_url", T_TEXT, repo_url),
	E("repository.default_branch", T_TEXT, default_branch), E("sender.login", T_TEXT, user), G("sender.username", T_TEXT, sender_old), { 0 },
};
static const struct row push_rows[] = {
	G("ref", T_TEXT, ref), E("before", T_SHA, before), G("after", T_SHA, after), E("compare_url", T_TEXT, compare_url),
	E("total_commits", T_INT, commits_total), G("pusher.login", T_TEXT, pusher), E("head_commit.id", T_SHA, sha),
	E("head_commit.message", T_LINE, title), E("head_commit.author.name", T_TEXT, author), E("head_commit.author.email", T_TEXT, author_email),
	E("head_commit.url", T_TEXT, url), E("head_commit.timestamp", T_TIME, at),
	{ "commits", T_EACH, offsetof(struct gt, commits), sw_raw_commit_rows, sizeof(struct raw_commit), SW_EVENT_COMMITS }, { 0 },
};
static const struct row ref_rows[] = { G("ref", T_TEXT, ref), G("ref_type", T_TEXT, ref_type), G("sha", T_SHA, head_sha), { 0 } };
static const struct row release_rows[] = {
	G("release.tag_name", T_TEXT, ref), E("release.name", T_LINE, title), E("release.html_url", T_TEXT, url),
	E("release.author.login", T_TEXT, author), E("release.published_at", T_TIME, at), { 0 },
};
static const struct row pull_rows[] = {
	G("pull_request.merged", T_BOOL, merged), G("pull_request.merge_commit_sha", T_SHA, merge_sha), G("pull_request.head.ref", T_TEXT, ref),
	G("pull_request.base.ref", T_TEXT, base), E("pull_request.html_url", T_TEXT, url), E("pull_request.title", T_LINE, title),
	E("pull_request.user.login", T_TEXT, author), E("pull_request.merged_at", T_TIME, at), { 0 },
};
static const struct row status_rows[] = {
	E("sha", T_SHA, sha), G("state", T_TEXT, state), E("context", T_TEXT, job_name), E("target_url", T_TEXT, url),
	E("commit.message", T_LINE, title), E("updated_at", T_TIME, at), E("id", T_TEXT, job_id), { 0 },
};
static const struct row run_rows[] = {
	E("workflow_run.id", T_TEXT, pipeline_id), G("workflow_run.run_attempt", T_INT, attempt), G("workflow_run.head_branch", T_TEXT, ref),
	E("workflow_run.head_sha", T_SHA, sha), G("workflow_run.status", T_TEXT, state), G("workflow_run.conclusion", T_TEXT, conclusion),
	E("workflow_run.event", T_TEXT, pipeline_source), E("workflow_run.path", T_TEXT, workflow), E("workflow_run.html_url", T_TEXT, url),
	E("workflow_run.display_title", T_LINE, title), E("workflow_run.started_at", T_TIME, started_at),
	E("workflow_run.completed_at", T_TIME, finished_at), E("workflow.name", T_TEXT, pipeline_name), { 0 },
};
static const struct row job_rows[] = {
	E("workflow_job.id", T_TEXT, job_id), E("workflow_job.run_id", T_TEXT, pipeline_id), G("workflow_job.run_attempt", T_INT, attempt),
	G("workflow_job.head_branch", T_TEXT, ref), E("workflow_job.head_sha", T_SHA, sha), G("workflow_job.status", T_TEXT, state),
	G("workflow_job.conclusion", T_TEXT, conclusion), E("workflow_job.name", T_TEXT, job_name), E("workflow_job.html_url", T_TEXT, url),
	E("workflow_job.created_at", T_TIME, created_at), E("workflow_job.started_at", T_TIME, started_at),
	E("workflow_job.completed_at", T_TIME, finished_at), { 0 },
};

static const struct host_word words[] = {
	{ "queued", SW_ST_CREATED }, { "waiting", SW_ST_CREATED }, { "pending", SW_ST_CREATED }, { "blocked", SW_ST_CREATED },
	{ "requested", SW_ST_CREATED }, { "in_progress", SW_ST_RUNNING }, { "running", SW_ST_RUNNING }, { "success", SW_ST_SUCCESS },
	{ "failure", SW_ST_FAILED }, { "error", SW_ST_FAILED }, { "cancelled", SW_ST_CANCELLED }, { "skipped", SW_ST_SKIPPED },
	{ "warning", SW_ST_SKIPPED }, { NULL, SW_ST_NONE },
};

typedef bool (*finish_fn)(struct gt *g, struct sw_arena *a);

static bool finish_push(struct gt *g, struct sw_arena *a)
{
	struct sw_event *ev = &g->ev;
	const struct raw_commit *list = g->commits.items;

	sw_host_ref(ev, g->ref, false, a);
	ev->kind = ev->tag ? SW_EV_TAG : SW_EV_PUSH;
	ev->deleted = !g->after;
	ev->created = !ev->before && g->after;
	if (!ev->sha)
		ev->sha = g->after;
	sw_host_commits(&g->commits, a, ev);
	ev->files_cut |= ev->commits_total > (int64_t)ev->n_commits;
	for (size_t i = 0; i < g->commits.n && !ev->title; i++)
		if (sw_streq(list[i].sha, ev->sha)) { /* old versions have no head_commit */
			ev->title = list[i].title;
			ev->author = list[i].author;
			ev->url = list[i].url;
			ev->at = list[i].at;
		}
	if (g->pusher)
		ev->user = g->pusher;
	return ev->branch || ev->tag;
}

static bool finish_ref(struct gt *g, struct sw_arena *a)
{
	if (!sw_streq(g->ref_type, "tag") || !g->ref)
		return false;
	sw_host_ref(&g->ev, g->ref, true, a);
	g->ev.kind = SW_EV_TAG;
	g->ev.created = sw_streq(g->ev.what, "create");
	g->ev.deleted = !g->ev.created;
	g->ev.sha = g->head_sha;
	return true;
}

static bool finish_release(struct gt *g, struct sw_arena *a)
{
	g->ev.kind = SW_EV_RELEASE;
	sw_host_ref(&g->ev, g->ref, true, a);
	return sw_streq(g->ev.action, "published");
}

static bool finish_pull(struct gt *g, struct sw_arena *a)
{
	(void)a;
	g->ev.kind = SW_EV_MERGE;
	g->ev.branch = g->ref;
	g->ev.target_branch = g->base;
	g->ev.sha = g->merge_sha;
	g->ev.merge_request = true;
	return sw_streq(g->ev.action, "closed") && g->merged;
}

static void gt_status(struct gt *g)
{
	const char *s = sw_streq(g->state, "completed") && g->conclusion ? g->conclusion : g->state;

	g->ev.status_text = s;
	g->ev.status = s ? sw_host_status(words, s) : SW_ST_OTHER;
}

static bool finish_status(struct gt *g, struct sw_arena *a)
{
	(void)a;
	g->ev.kind = SW_EV_JOB;
	gt_status(g);
	return g->ev.sha != NULL;
}

static bool finish_run(struct gt *g, struct sw_arena *a)
{
	gt_status(g);
	sw_host_ref(&g->ev, g->ref, false, a);
	g->ev.attempt = (int)SW_MIN(SW_MAX(g->attempt, 0), 1000000);
	g->ev.merge_request = g->ev.pipeline_source && sw_starts(g->ev.pipeline_source, "pull_request");
	if (g->ev.merge_request)
		g->ev.branch = NULL;
	g->ev.kind = g->ev.job_id ? SW_EV_JOB : SW_EV_PIPELINE;
	g->ev.at = sw_status_terminal(g->ev.status) ? g->ev.finished_at : g->ev.started_at;
	return g->ev.pipeline_id != NULL;
}

static const struct { const char *event; const struct row *rows; finish_fn finish; } events[] = {
	{ "push", push_rows, finish_push }, { "create", ref_rows, finish_ref }, { "delete", ref_rows, finish_ref },
	{ "release", release_rows, finish_release }, { "pull_request", pull_rows, finish_pull }, { "status", status_rows, finish_status },
	{ "workflow_run", run_rows, finish_run }, { "workflow_job", job_rows, finish_run },
};

/* The most specific of the three names a delivery carries. */
static const char *gitea_header(const struct sw_request *rq, const char *what)
{
	static const char *const brands[] = { "forgejo", "gitea", "gogs" };
	char name[40];

	for (size_t i = 0; i < SW_COUNT(brands); i++) {
		const char *v;

		(void)snprintf(name, sizeof name, "x-%s-%s", brands[i], what);
		v = sw_request_header(rq, name);
		if (v && *v)
			return v;
	}
	return NULL;
}

static int gitea_parse(const void *conf, const struct sw_request *rq, struct sw_events *out, struct sw_err *err)
{
	const char *event = gitea_header(rq, "event"), *json;
	size_t n;
	int r;

	(void)conf;
	for (size_t i = 0; i < SW_COUNT(events); i++) {
		const struct row *const lists[] = { any_rows, events[i].rows, NULL };
		struct sw_event *ev;
		struct gt *g;

		if (!sw_streq(events[i].event, event))
			continue;
		r = sw_form_text(rq, out->a, &json, &n, err);
		if (r < 0)
			return r;
		g = SW_ARENA_NEW(out->a, struct gt);
		sw_event_init(&g->ev);
		r = sw_table_read(lists, json, n, out->a, g, err);
		if (r < 0)
			return r;
		g->ev.what = events[i].event;
		g->ev.source = rq->source;
		g->ev.source_kind = "gitea";
		g->ev.received = rq->arrived;
		g->ev.user = g->ev.user ? g->ev.user : g->sender_old;
		g->ev.host = sw_host_of_url(out->a, g->ev.repo_url);
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

static int gitea_verify(const void *conf, const struct sw_request *rq, struct sw_arena *a, struct sw_proof *ret, struct sw_err *err)
{
	const struct gitea *c = conf;
	const char *event = gitea_header(rq, "event"), *sig = gitea_header(rq, "signature"), *json = rq->body;
	size_t n = rq->body_n;

	*ret = (struct sw_proof){ .dedupe = gitea_header(rq, "delivery"), .dedupe_for = DEDUPE_LONG };
	if (sw_form_text(rq, a, &json, &n, NULL) < 0) /* still hashed, so that it takes as long */
		json = rq->body;
	ret->secret = sw_verify_hmac_hex((const char *const *)c->secrets, json, n, sig);
	if (ret->secret < 0 && !c->is_unsigned)
		return sw_err_set(err, EACCES, sig ? "the signature does not fit any of the secrets" : "no X-Gitea-Signature");
	if (!event)
		return sw_err_set(err, EBADMSG, "no X-Gitea-Event");
	sw_host_what(wanted, known, event, ret);
	return 0;
}

const struct sw_source sw_source_gitea = {
	.base = { "gitea", "Gitea, Forgejo and Gogs webhooks", gitea_keys, sizeof(struct gitea) },
	.mark = "x-gitea-event",
	.headers = gitea_headers,
	.types = sw_form_types,
	.verify = gitea_verify,
	.text = sw_form_text,
	.parse = gitea_parse,
	.compare = sw_compare_gitea,
	.compared = sw_compared_git,
};
