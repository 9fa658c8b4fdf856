/*
 * CI environments: what of each becomes a field, and that one ci_run_id comes out of the job's report and of the same run's webhook.
 * Variables and payloads are made up from what the hosts document.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "cli/ci_env.h"
#include "cli/http.h"
#include "cli/report_send.h"
#include "plugins.h"

#define SHA "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678"
#define ARRIVED ((sw_ms)1790000000000)

static const char *const *variables; /* name, value, …, NULL */

static const char *get(const char *name)
{
	for (const char *const *v = variables; *v; v += 2)
		if (strcmp(*v, name) == 0)
			return v[1];
	return NULL;
}

/* The command's other half is not asked here. */
int sw_cli_http_net(const struct sw_cli_net *net, const struct sw_job *job, struct sw_arena *a, struct sw_result *ret, struct sw_err *err)
{
	(void)net;
	(void)job;
	(void)a;
	(void)ret;
	return sw_err_set(err, 1, "not in this test");
}

static const char *const gitlab[] = {
	"CI", "true", "GITLAB_CI", "true", "CI_SERVER_HOST", "gitlab.example.com", "CI_PROJECT_PATH", "acme/group/web", "CI_PIPELINE_ID", "1042",
	"CI_PIPELINE_IID", "17", "CI_JOB_ID", "99001", "CI_JOB_NAME", "deploy 1/2", "CI_JOB_URL",
	"https://gitlab.Example.com:8443/acme/group/web/-/jobs/99001", "CI_COMMIT_SHA", SHA, "CI_COMMIT_BRANCH", "main", "CI_COMMIT_REF_NAME", "main",
	"CI_JOB_STARTED_AT", "2026-09-21T08:00:00Z", "GITLAB_USER_LOGIN", "lin.wei", "CI_ENVIRONMENT_NAME", "production/hz", "CI_ENVIRONMENT_ACTION", "start",
	"CI_JOB_STATUS", "failed", NULL,
};
static const char gitlab_hook[] =
	"{\"object_kind\":\"pipeline\",\"object_attributes\":{\"id\":1042,\"iid\":17,\"ref\":\"main\",\"tag\":false,\"sha\":\"" SHA "\",\"status\":\"success\"},"
	"\"project\":{\"path_with_namespace\":\"acme/group/web\",\"web_url\":\"https://gitlab.example.com:8443/acme/group/web\"},\"builds\":[]}";
static const char *const gitlab_tag[] = {
	"GITLAB_CI", "true", "CI_PROJECT_PATH", "acme/web", "CI_PIPELINE_ID", "1", "CI_JOB_ID", "2", "CI_JOB_NAME", "j", "CI_JOB_URL", "https://gitlab.example.com/x",
	"CI_COMMIT_TAG", "v1.2", "CI_COMMIT_SHA", SHA, "CI_JOB_STATUS", "running", "CI_ENVIRONMENT_NAME", "prod", "CI_ENVIRONMENT_ACTION", "stop", NULL,
};
static const char *const gitlab_merge[] = {
	"GITLAB_CI", "true", "CI_PROJECT_PATH", "acme/web", "CI_PIPELINE_ID", "1", "CI_JOB_ID", "2", "CI_JOB_NAME", "j", "CI_JOB_URL", "https://gitlab.example.com/x",
	"CI_MERGE_REQUEST_REF_PATH", "refs/merge-requests/1/head", "CI_COMMIT_SHA", SHA, "CI_JOB_STATUS", "canceled", NULL,
};
static const char *const github[] = {
	"CI", "true", "GITHUB_ACTIONS", "true", "GITHUB_SERVER_URL", "https://github.com", "GITHUB_REPOSITORY", "acme/web", "GITHUB_RUN_ID", "1658821493",
	"GITHUB_RUN_NUMBER", "3", "GITHUB_RUN_ATTEMPT", "2", "GITHUB_JOB", "deploy", "GITHUB_REF", "refs/heads/main", "GITHUB_REF_NAME", "main", "GITHUB_SHA", SHA,
	"GITHUB_ACTOR", "octocat", "GITHUB_TRIGGERING_ACTOR", "lin", NULL,
};
static const char github_hook[] =
	"{\"action\":\"completed\",\"workflow_run\":{\"id\":1658821493,\"run_attempt\":2,\"head_branch\":\"main\",\"head_sha\":\"" SHA "\",\"status\":\"completed\","
	"\"conclusion\":\"success\",\"event\":\"push\",\"path\":\".github/workflows/deploy.yml\"},\"repository\":{\"full_name\":\"acme/web\",\"html_url\":"
	"\"https://github.com/acme/web\"},\"sender\":{\"login\":\"lin\"}}";
static const char *const github_tag[] = {
	"GITHUB_ACTIONS", "true", "GITHUB_SERVER_URL", "https://github.com", "GITHUB_REPOSITORY", "acme/web", "GITHUB_RUN_ID", "5", "GITHUB_RUN_ATTEMPT", "1",
	"GITHUB_JOB", "build", "GITHUB_REF", "refs/tags/v2", "GITHUB_SHA", SHA, "GITHUB_ACTOR", "octocat", NULL,
};
static const char *const github_pull[] = {
	"GITHUB_ACTIONS", "true", "GITHUB_SERVER_URL", "https://github.com", "GITHUB_REPOSITORY", "acme/web", "GITHUB_RUN_ID", "5", "GITHUB_RUN_ATTEMPT", "x",
	"GITHUB_JOB", "build", "GITHUB_REF", "refs/pull/7/merge", "GITHUB_HEAD_REF", "feature", "GITHUB_SHA", SHA, NULL,
};
static const char *const gitea[] = {
	"CI", "true", "GITEA_ACTIONS", "true", "GITHUB_ACTIONS", "true", "GITHUB_SERVER_URL", "https://git.example.com:3000/", "GITHUB_REPOSITORY", "acme/web",
	"GITHUB_RUN_ID", "120", "GITHUB_RUN_NUMBER", "12", "GITHUB_RUN_ATTEMPT", "1", "GITHUB_JOB", "deploy", "GITHUB_REF", "refs/heads/main", "GITHUB_SHA", SHA,
	"GITHUB_ACTOR", "lin", NULL,
};
static const char gitea_hook[] =
	"{\"action\":\"completed\",\"workflow_run\":{\"id\":120,\"run_number\":12,\"run_attempt\":1,\"head_branch\":\"main\",\"head_sha\":\"" SHA "\",\"status\":"
	"\"completed\",\"conclusion\":\"success\",\"event\":\"push\",\"path\":\"deploy.yml\"},\"repository\":{\"full_name\":\"acme/web\",\"html_url\":"
	"\"https://git.example.com:3000/acme/web\"},\"sender\":{\"login\":\"lin\"}}";
static const char *const forgejo[] = {
	"FORGEJO_ACTIONS", "true", "GITHUB_ACTIONS", "true", "GITHUB_SERVER_URL", "https://code.example.org", "GITHUB_REPOSITORY", "acme/web", "GITHUB_RUN_ID", "8",
	"GITHUB_JOB", "deploy", "GITHUB_REF", "refs/heads/main", "GITHUB_SHA", SHA, NULL,
};
static const char *const jenkins[] = {
	"JENKINS_URL", "https://jenkins.example.com/", "BUILD_NUMBER", "42", "BUILD_ID", "42", "BUILD_TAG", "jenkins-web-deploy-main-42", "BUILD_URL",
	"https://jenkins.example.com/job/web/job/deploy/job/main/42/", "JOB_NAME", "web/deploy/main", "GIT_URL", "https://bot@gitlab.example.com/acme/web.git",
	"GIT_COMMIT", SHA, "GIT_BRANCH", "origin/main", NULL,
};
static const char *const jenkins_pull[] = {
	"JENKINS_URL", "https://jenkins.example.com/", "BUILD_TAG", "jenkins-web-PR-7-1", "BUILD_URL", "https://jenkins.example.com/job/web/job/PR-7/1/", "JOB_NAME",
	"web/PR-7", "BRANCH_NAME", "PR-7", "CHANGE_ID", "7", "CHANGE_AUTHOR", "lin", "GIT_URL", "git@gitlab.example.com:acme/web.git", "GIT_COMMIT", SHA, NULL,
};
static const char *const jenkins_tag[] = {
	"JENKINS_HOME", "/jenkins", "BUILD_TAG", "jenkins-web-v1-1", "BUILD_URL", "https://jenkins.example.com/job/web/job/v1/1/", "JOB_NAME", "web/v1", "BRANCH_NAME", "v1",
	"TAG_NAME", "v1", "GIT_URL", "ssh://git@gitlab.example.com:2222/acme/web/", "GIT_COMMIT", SHA, NULL,
};

static const struct ci_case {
	const char *name;
	const char *const *env;
	const char *ci, *want; /* the document without what is the same in all: sha */
	const struct sw_source *hook; /* NULL: it has none */
	const char *event, *body;
} cases[] = {
	{ "GitLab", gitlab, "gitlab",
	  "pipeline_id=1042 job_id=99001 job_name=deploy 1/2 exit_code=1 started_at=2026-09-21T08:00:00Z repo=acme/group/web branch=main author=lin.wei "
	  "url=https://gitlab.Example.com:8443/acme/group/web/-/jobs/99001 environment=production/hz ci_run_id=gitlab.example.com:8443/acme/group/web/1042",
	  &sw_source_gitlab, "Pipeline Hook", gitlab_hook },
	{ "GitLab, a tag, an environment stopped", gitlab_tag, "gitlab",
	  "pipeline_id=1 job_id=2 job_name=j repo=acme/web tag=v1.2 url=https://gitlab.example.com/x ci_run_id=gitlab.example.com/acme/web/1", NULL, NULL, NULL },
	{ "GitLab, a merge request, cancelled", gitlab_merge, "gitlab",
	  "pipeline_id=1 job_id=2 job_name=j exit_code=143 cancelled=true repo=acme/web ref=refs/merge-requests/1/head url=https://gitlab.example.com/x "
	  "ci_run_id=gitlab.example.com/acme/web/1", NULL, NULL, NULL },
	{ "GitHub", github, "github",
	  "pipeline_id=1658821493 attempt=2 job_name=deploy repo=acme/web ref=refs/heads/main author=lin url=https://github.com/acme/web/actions/runs/1658821493 "
	  "ci_run_id=github.com/acme/web/1658821493", &sw_source_github, "workflow_run", github_hook },
	{ "GitHub, a tag", github_tag, "github",
	  "pipeline_id=5 attempt=1 job_name=build repo=acme/web ref=refs/tags/v2 author=octocat url=https://github.com/acme/web/actions/runs/5 "
	  "ci_run_id=github.com/acme/web/5", NULL, NULL, NULL },
	{ "GitHub, a pull request, no attempt", github_pull, "github",
	  "pipeline_id=5 job_name=build repo=acme/web ref=refs/pull/7/merge url=https://github.com/acme/web/actions/runs/5 ci_run_id=github.com/acme/web/5", NULL, NULL, NULL },
	{ "Gitea", gitea, "gitea",
	  "pipeline_id=120 attempt=1 job_name=deploy repo=acme/web ref=refs/heads/main author=lin url=https://git.example.com:3000/acme/web/actions/runs/12 "
	  "ci_run_id=git.example.com:3000/acme/web/120", &sw_source_gitea, "workflow_run", gitea_hook },
	{ "Forgejo", forgejo, "gitea",
	  "pipeline_id=8 job_name=deploy repo=acme/web ref=refs/heads/main url=https://code.example.org/acme/web/actions/runs/8 ci_run_id=code.example.org/acme/web/8",
	  NULL, NULL, NULL },
	{ "Jenkins", jenkins, "jenkins",
	  "pipeline_id=jenkins-web-deploy-main-42 job_name=web/deploy/main repo=acme/web branch=main url=https://jenkins.example.com/job/web/job/deploy/job/main/42/ "
	  "ci_run_id=jenkins.example.com/acme/web/jenkins-web-deploy-main-42", NULL, NULL, NULL },
	{ "Jenkins, a change request", jenkins_pull, "jenkins",
	  "pipeline_id=jenkins-web-PR-7-1 job_name=web/PR-7 repo=acme/web author=lin url=https://jenkins.example.com/job/web/job/PR-7/1/ "
	  "ci_run_id=jenkins.example.com/acme/web/jenkins-web-PR-7-1", NULL, NULL, NULL },
	{ "Jenkins, a tag", jenkins_tag, "jenkins",
	  "pipeline_id=jenkins-web-v1-1 job_name=web/v1 repo=acme/web tag=v1 url=https://jenkins.example.com/job/web/job/v1/1/ "
	  "ci_run_id=jenkins.example.com/acme/web/jenkins-web-v1-1", NULL, NULL, NULL },
};

static const struct sw_event *parse(const struct sw_source *s, const char *header, const char *event, const char *body, size_t n, struct sw_events *out)
{
	struct sw_header h[] = { { header, event } };
	const struct sw_request rq = { .source = "s", .headers = h, .n_headers = 1, .body = body, .body_n = n, .content_type = "application/json", .arrived = ARRIVED };
	struct sw_err err = SW_ERR_INIT;
	void *conf = sw_calloc(1, s->base.conf_size);
	int r = s->parse(conf, &rq, out, &err);

	free(conf);
	if (r < 0 || !out->n)
		fail_msg("%s: %d events, %s", s->base.name, (int)out->n, err.text);
	return &out->items[0];
}

static void fill(struct sw_fields *f, struct sw_arena *a, const struct sw_ci **ci, const char *const *env)
{
	memset(f, 0, sizeof *f);
	f->a = a;
	variables = env;
	*ci = sw_ci_detect(get);
	if (*ci)
		sw_ci_fill(*ci, get, f);
	sw_fields_run_id(f);
}

static void environments(void **state)
{
	(void)state;
	for (size_t i = 0; i < SW_COUNT(cases); i++) {
		const struct ci_case *c = &cases[i];
		struct sw_arena a = { 0 };
		struct sw_fields f;
		struct sw_buf got = SW_BUF_INIT, json = SW_BUF_INIT;
		struct sw_err err = SW_ERR_INIT;
		const struct sw_ci *ci;
		struct sw_events events = { .a = &a }, hooked = { .a = &a };
		const struct sw_event *ev, *hook;
		char header[40];

		fill(&f, &a, &ci, c->env);
		assert_non_null(ci);
		assert_string_equal(sw_ci_name(ci), c->ci);
		assert_string_equal(sw_fields_get(&f, "sha"), SHA);
		for (size_t k = 0; k < f.n; k++)
			if (strcmp(f.items[k].name, "sha") != 0)
				sw_buf_printf(&got, "%s%s=%s", got.n ? " " : "", f.items[k].name, f.items[k].value);
		if (strcmp(sw_buf_str(&got), c->want) != 0)
			fail_msg("%s:\n%s\nwant\n%s", c->name, sw_buf_str(&got), c->want);
		if (!sw_fields_get(&f, "exit_code"))
			sw_fields_number(&f, "exit_code", 0);
		if (sw_fields_json(&f, &json, &err) < 0)
			fail_msg("%s: %s", c->name, err.text);
		ev = parse(&sw_source_report, "x-shipwatch-timestamp", "1", json.p, json.n, &events);
		assert_string_equal(ev->ci_run_id, sw_fields_get(&f, "ci_run_id")); /* the gateway's own, not our word for it */
		assert_null(ev->ci_run_alias);
		assert_string_equal(ev->sha, SHA);
		if (strstr(c->name, "merge request") || strstr(c->name, "pull request") || strstr(c->name, "change request"))
			assert_null(ev->branch);
		assert_int_equal(ev->status, strstr(c->name, "cancelled") ? SW_ST_CANCELLED : ev->exit_code ? SW_ST_FAILED : SW_ST_SUCCESS);
		if (strstr(c->name, "tag"))
			assert_non_null(ev->tag);
		if (c->hook) {
			(void)snprintf(header, sizeof header, "x-%s-event", c->ci);
			hook = parse(c->hook, header, c->event, c->body, strlen(c->body), &hooked);
			assert_string_equal(ev->ci_run_id, hook->ci_run_id);
			assert_string_equal(ev->repo, hook->repo);
			assert_string_equal(ev->branch, hook->branch);
			assert_int_equal(ev->attempt, hook->attempt);
			assert_string_equal(ev->pipeline_id, hook->pipeline_id);
		}
		sw_buf_fini(&got);
		sw_buf_fini(&json);
		sw_arena_fini(&a);
	}
}

static void no_ci(void **state)
{
	static const char *const none[] = { "PATH", "/bin", "GITHUB_ACTIONS", "false", "GITLAB_CI", "", "BUILD_TAG", "mine", NULL };
	struct sw_arena a = { 0 };
	struct sw_fields f;
	struct sw_buf json = SW_BUF_INIT;
	struct sw_err err = SW_ERR_INIT;
	const struct sw_ci *ci;

	(void)state;
	fill(&f, &a, &ci, none);
	assert_null(ci);
	assert_int_equal(f.n, 0);
	assert_true(sw_fields_json(&f, &json, &err) < 0);
	assert_string_equal(err.text, "pipeline_id: is missing");
	sw_buf_fini(&json);
	sw_arena_fini(&a);
}

static void given(void **state)
{
	static const struct { const char *text; bool metric; const char *error; } rows[] = {
		{ "note=a=b", false, NULL }, { "sha=", false, NULL }, { "attempt=3", false, NULL }, { "duration_ms=1e3", false, NULL }, { "coverage_pct=0.5", false, NULL },
		{ "attempt=three", false, "--field attempt: want a number, got \"three\"" }, { "duration_ms=0x10", false, "want a number" },
		{ "duration_ms= 1", false, "want a number" }, { "size=1.5", true, NULL }, { "size=-2e-3", true, NULL }, { "size=1.", true, "want a number" },
		{ "size=nan", true, "want a number" }, { "size=1e999", true, "want a number" }, { "size=", true, "want a number" }, { "size", true, "NAME=VALUE" },
		{ "=1", true, "NAME=VALUE" }, { "metrics=1", false, "say --metric" }, { "cancelled=true", false, NULL }, { "cancelled=yes", false, "want true or false" },
	};
	struct sw_arena a = { 0 };
	struct sw_fields f = { .a = &a };
	char name[SW_FIELD_NAME + 16];

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_err err = SW_ERR_INIT;
		int r = sw_fields_given(&f, rows[i].text, rows[i].metric, &err);

		if (rows[i].error ? r == 0 || !strstr(err.text, rows[i].error) : r != 0)
			fail_msg("%s: %d \"%s\"", rows[i].text, r, err.text);
	}
	assert_string_equal(sw_fields_get(&f, "note"), "a=b");
	assert_null(sw_fields_get(&f, "sha"));
	assert_int_equal(f.n_metrics, 1);
	for (int over = 0; over < 2; over++) { /* a name at its limit and one past it */
		memset(name, 'n', sizeof name);
		(void)snprintf(name + SW_FIELD_NAME + over, 8, "=x");
		assert_int_equal(sw_fields_given(&f, name, false, NULL) < 0, over);
	}
	while (f.n < SW_FIELDS) { /* as many fields as there is room for, one more, and one that is there */
		(void)snprintf(name, sizeof name, "f%zu=x", f.n);
		assert_int_equal(sw_fields_given(&f, name, false, NULL), 0);
	}
	assert_true(sw_fields_given(&f, "further=x", false, NULL) < 0);
	assert_int_equal(sw_fields_given(&f, "note=again", false, NULL), 0);
	while (f.n_metrics < SW_COUNT(f.metrics)) {
		(void)snprintf(name, sizeof name, "m%zu=1", f.n_metrics);
		assert_int_equal(sw_fields_given(&f, name, true, NULL), 0);
	}
	assert_true(sw_fields_given(&f, "further=1", true, NULL) < 0);
	sw_arena_fini(&a);
}

/* What an environment holds may be long or broken: the document is still one that the gateway takes. */
static void hostile(void **state)
{
	static const char start[] = "GITLAB_CI";
	char *name = sw_malloc(4000), *broken = sw_malloc(4000);
	const char *env[] = { start, "true", "CI_PIPELINE_ID", "7", "CI_JOB_NAME", name, "CI_COMMIT_BRANCH", broken, "CI_COMMIT_SHA", "\xff\xfe\"\n", NULL };
	struct sw_arena a = { 0 };
	struct sw_fields f;
	struct sw_buf json = SW_BUF_INIT;
	struct sw_err err = SW_ERR_INIT;
	const struct sw_ci *ci;

	(void)state;
	for (size_t i = 0; i < 3999; i++) {
		name[i] = "\xe4\xb8\xad"[i % 3];
		broken[i] = (char)(0x80 + i % 0x80);
	}
	name[3999] = broken[3999] = '\0';
	fill(&f, &a, &ci, env);
	sw_fields_number(&f, "exit_code", 0);
	if (sw_fields_json(&f, &json, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(strlen(sw_fields_get(&f, "job_name")) <= SW_FIELD_ID);
	sw_buf_fini(&json);
	sw_arena_fini(&a);
	free(name);
	free(broken);
}

static void urls(void **state)
{
	static const struct { const char *text, *want, *error; } rows[] = {
		{ "https://sw.example.com", "https://sw.example.com/ci-report", NULL }, { "https://sw.example.com/", "https://sw.example.com/ci-report", NULL },
		{ "http://10.0.0.1:8080/ship//", "http://10.0.0.1:8080/ship/ci-report", NULL }, { "https://sw.example.com/ci-report/", "https://sw.example.com/ci-report", NULL },
		{ "https://sw.example.com/hooks/ci", "https://sw.example.com/hooks/ci", NULL }, { "sw.example.com", NULL, "is no URL" }, { "ftp://x", NULL, "is no URL" },
		{ "https://", NULL, "is no URL" }, { "https:///x", NULL, "is no URL" }, { "https://u:p@x", NULL, "name or password" }, { "https://x/?a", NULL, "cannot stand" },
		{ "https://x/a b", NULL, "cannot stand" }, { "https://x/\xc3\xa9", NULL, "cannot stand" },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_arena a = { 0 };
		struct sw_err err = SW_ERR_INIT;
		const char *got = NULL;
		int r = sw_report_url(rows[i].text, &a, &got, &err);

		if (rows[i].error ? r == 0 || !strstr(err.text, rows[i].error) || strstr(err.text, "u:p") : r != 0 || strcmp(got, rows[i].want) != 0)
			fail_msg("%s: %d %s \"%s\"", rows[i].text, r, got ? got : "", err.text);
		sw_arena_fini(&a);
	}
}

static void proxies(void **state)
{
	static const struct { const char *url, *given, *no_proxy, *want; } rows[] = {
		{ "https://sw.example.com/x", NULL, NULL, "http://secure:1" }, { "http://sw.example.com/x", NULL, NULL, "http://plain:1" },
		{ "https://sw.example.com/x", "none", NULL, NULL }, { "https://sw.example.com/x", "http://other:1", "*", "http://other:1" },
		{ "https://sw.example.com/x", NULL, "example.com", NULL }, { "https://sw.example.com:8443/x", NULL, "localhost, .Example.com", NULL },
		{ "https://sw.example.com/x", NULL, "ample.com", "http://secure:1" }, { "https://sw.example.com/x", NULL, "x.sw.example.com", "http://secure:1" },
		{ "https://sw.example.com:8443/x", NULL, "sw.example.com:8443", NULL }, { "https://sw.example.com/x", NULL, "*", NULL },
		{ "https://[::1]:8443/x", NULL, "[::1]", NULL }, { "https://10.0.0.1/x", NULL, "10.0.0.1", NULL }, { "https://sw.example.com/x", NULL, " ,", "http://secure:1" },
	};

	(void)state;
	(void)setenv("http_proxy", "http://plain:1", 1);
	(void)setenv("HTTP_PROXY", "http://never:1", 1);
	(void)unsetenv("https_proxy");
	(void)setenv("HTTPS_PROXY", "http://secure:1", 1);
	(void)unsetenv("NO_PROXY");
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_arena a = { 0 };
		struct sw_cli_net net;

		(void)setenv("no_proxy", rows[i].no_proxy ? rows[i].no_proxy : "", 1);
		sw_cli_net_for(rows[i].url, rows[i].given, NULL, &a, &net);
		if (!sw_streq(net.proxy, rows[i].want))
			fail_msg("%s, no_proxy=%s: %s", rows[i].url, rows[i].no_proxy ? rows[i].no_proxy : "", net.proxy ? net.proxy : "straight");
		sw_arena_fini(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(environments), cmocka_unit_test(no_ci), cmocka_unit_test(given), cmocka_unit_test(hostile), cmocka_unit_test(urls), cmocka_unit_test(proxies),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("ci", tests, NULL, NULL);
}
