/* Sources: signatures by their published vectors, and every recorded payload through its parser. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "plugins.h"

#define SECRETS(...) ((const char *[]){ __VA_ARGS__, NULL })

/* What the settings of all four begin with. */
struct conf { const char **first, **second; bool is_unsigned; };
struct conf_one { const char **secrets; bool is_unsigned; };

struct vector {
	const char *name;
	const struct sw_source *plugin;
	const char *secret;        /* NULL: none is configured; signing tokens of GitLab begin with whsec_ */
	const char *h[8];          /* name, value, … */
	const char *type, *body;
	sw_ms arrived;
	int want;                  /* 0, -EACCES, -EBADMSG */
};

#define JSON "application/json"
#define FORM "application/x-www-form-urlencoded"
#define GH_BODY "{\"ref\":\"refs/tags/v1.2.3\",\"msg\":\"caf\xc3\xa9\"}"
#define GH_FORM "payload=%7B%22ref%22%3A%22refs%2Ftags%2Fv1.2.3%22%2C%22msg%22%3A%22caf%C3%A9%22%7D"
#define GL_KEY "whsec_dGVzdHRlc3R0ZXN0dGVzdHRlc3R0ZXN0dGVzdHRlc3Q="
#define GL_ID "webhook-id", "f5e5f430-f57b-4e6e-9fac-d9128cd7232f", "webhook-timestamp", "1700000000"
#define SIG_OK "v1,68n7sQVzNQF7jew9KS2HTT9NVpOYy2A5oNqzWGa8QlM="

static const struct vector vectors[] = {
	{ "GitHub's own vector", &sw_source_github, "It's a Secret to Everybody",
	  { "x-github-event", "push", "x-hub-signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17" }, JSON, "Hello, World!", 0, 0 },
	{ "JSON with UTF-8", &sw_source_github, "shipwatch",
	  { "x-github-event", "push", "x-hub-signature-256", "sha256=ec24af1ea135da5270d8686becf5ac7d0f13403153d3566f6aedf60b3a9a6165" }, JSON, GH_BODY, 0, 0 },
	{ "GitHub form: over the raw form", &sw_source_github, "shipwatch",
	  { "x-github-event", "push", "x-hub-signature-256", "sha256=171ce7d67d8847d856013a79dd3b8c5c90ee10a712276fc658f7ca6b149bf7cc" }, FORM, GH_FORM, 0, 0 },
	{ "GitHub form, signed as Gitea would", &sw_source_github, "shipwatch",
	  { "x-github-event", "push", "x-hub-signature-256", "sha256=ec24af1ea135da5270d8686becf5ac7d0f13403153d3566f6aedf60b3a9a6165" }, FORM, GH_FORM, 0, -EACCES },
	{ "one digit short", &sw_source_github, "shipwatch",
	  { "x-github-event", "push", "x-hub-signature-256", "sha256=ec24af1ea135da5270d8686becf5ac7d0f13403153d3566f6aedf60b3a9a616" }, JSON, GH_BODY, 0, -EACCES },
	{ "no algorithm", &sw_source_github, "shipwatch",
	  { "x-github-event", "push", "x-hub-signature-256", "ec24af1ea135da5270d8686becf5ac7d0f13403153d3566f6aedf60b3a9a6165" }, JSON, GH_BODY, 0, -EACCES },
	{ "no signature", &sw_source_github, "shipwatch", { "x-github-event", "push" }, JSON, GH_BODY, 0, -EACCES },
	{ "another secret", &sw_source_github, "shipwatch2",
	  { "x-github-event", "push", "x-hub-signature-256", "sha256=ec24af1ea135da5270d8686becf5ac7d0f13403153d3566f6aedf60b3a9a6165" }, JSON, GH_BODY, 0, -EACCES },
	{ "no event", &sw_source_github, "shipwatch",
	  { "x-hub-signature-256", "sha256=ec24af1ea135da5270d8686becf5ac7d0f13403153d3566f6aedf60b3a9a6165" }, JSON, GH_BODY, 0, -EBADMSG },
	{ "GitLab token", &sw_source_gitlab, "t0ken", { "x-gitlab-event", "Push Hook", "x-gitlab-token", "t0ken" }, JSON, "{}", 0, 0 },
	{ "GitLab token, longer", &sw_source_gitlab, "t0ken", { "x-gitlab-event", "Push Hook", "x-gitlab-token", "t0kenx" }, JSON, "{}", 0, -EACCES },
	{ "GitLab token, empty", &sw_source_gitlab, "t0ken", { "x-gitlab-event", "Push Hook", "x-gitlab-token", "" }, JSON, "{}", 0, -EACCES },
	{ "GitLab without a token", &sw_source_gitlab, "t0ken", { "x-gitlab-event", "Push Hook" }, JSON, "{}", 0, -EACCES },
	{ "GitLab signing token", &sw_source_gitlab, GL_KEY, { "x-gitlab-event", "Push Hook", GL_ID, "webhook-signature", SIG_OK }, JSON,
	  "{\"object_kind\":\"push\"}", 1700000000000, 0 },
	{ "good among bad ones", &sw_source_gitlab, GL_KEY,
	  { "x-gitlab-event", "Push Hook", GL_ID, "webhook-signature", "v1,bad v2,bad " SIG_OK " v1,bad" }, JSON, "{\"object_kind\":\"push\"}", 1700000000000, 0 },
	{ "unknown version only", &sw_source_gitlab, GL_KEY,
	  { "x-gitlab-event", "Push Hook", GL_ID, "webhook-signature", "v2,68n7sQVzNQF7jew9KS2HTT9NVpOYy2A5oNqzWGa8QlM=" }, JSON, "{\"object_kind\":\"push\"}", 1700000000000, -EACCES },
	{ "five minutes old", &sw_source_gitlab, GL_KEY, { "x-gitlab-event", "Push Hook", GL_ID, "webhook-signature", SIG_OK }, JSON,
	  "{\"object_kind\":\"push\"}", 1700000300000, 0 },
	{ "older than five minutes", &sw_source_gitlab, GL_KEY, { "x-gitlab-event", "Push Hook", GL_ID, "webhook-signature", SIG_OK }, JSON,
	  "{\"object_kind\":\"push\"}", 1700000301000, -EACCES },
	{ "more than five minutes ahead", &sw_source_gitlab, GL_KEY, { "x-gitlab-event", "Push Hook", GL_ID, "webhook-signature", SIG_OK }, JSON,
	  "{\"object_kind\":\"push\"}", 1699999699000, -EACCES },
	{ "empty signature", &sw_source_gitlab, GL_KEY, { "x-gitlab-event", "Push Hook", GL_ID, "webhook-signature", "v1," }, JSON,
	  "{\"object_kind\":\"push\"}", 1700000000000, -EACCES },
	{ "Gitea, bare hex", &sw_source_gitea, "shipwatch",
	  { "x-gitea-event", "push", "x-gitea-signature", "ec24af1ea135da5270d8686becf5ac7d0f13403153d3566f6aedf60b3a9a6165" }, JSON, GH_BODY, 0, 0 },
	{ "Gitea form: over the decoded payload", &sw_source_gitea, "shipwatch",
	  { "x-gitea-event", "push", "x-gitea-signature", "ec24af1ea135da5270d8686becf5ac7d0f13403153d3566f6aedf60b3a9a6165" }, FORM, GH_FORM, 0, 0 },
	{ "Forgejo", &sw_source_gitea, "shipwatch",
	  { "x-forgejo-event", "push", "x-forgejo-signature", "ec24af1ea135da5270d8686becf5ac7d0f13403153d3566f6aedf60b3a9a6165" }, JSON, GH_BODY, 0, 0 },
	{ "Gitea with an empty signature", &sw_source_gitea, "shipwatch", { "x-gitea-event", "push", "x-gitea-signature", "" }, JSON, GH_BODY, 0, -EACCES },
	{ "report, plainly over the body", &sw_source_report, "shipwatch",
	  { "x-signature-256", "sha256=ec24af1ea135da5270d8686becf5ac7d0f13403153d3566f6aedf60b3a9a6165" }, JSON, GH_BODY, 0, 0 },
	{ "report without anything", &sw_source_report, "shipwatch", { NULL }, JSON, "{}", 0, -EACCES },
	{ "report whose timestamp is no number", &sw_source_report, "shipwatch",
	  { "x-shipwatch-timestamp", "+1", "x-shipwatch-signature", "sha256=ec24af1ea135da5270d8686becf5ac7d0f13403153d3566f6aedf60b3a9a6165" }, JSON, GH_BODY, 0, -EACCES },
};

static int verify(const struct vector *v, const char *const *secrets, struct sw_proof *proof)
{
	struct sw_header h[4];
	struct sw_request rq = { .source = "s", .headers = h, .body = v->body, .body_n = strlen(v->body), .content_type = v->type, .arrived = v->arrived };
	struct sw_arena a = { 0 };
	struct sw_err err = SW_ERR_INIT;
	bool signing = sw_starts(secrets[0], "whsec_");
	const char **s = (const char **)(uintptr_t)secrets;
	struct conf gitlab = { .first = signing ? NULL : s, .second = signing ? s : NULL };
	struct conf_one one = { .secrets = s };
	int r;

	for (size_t i = 0; i < 8 && v->h[i]; i += 2)
		h[rq.n_headers++] = (struct sw_header){ v->h[i], v->h[i + 1] };
	r = v->plugin->verify(v->plugin == &sw_source_gitlab ? (void *)&gitlab : (void *)&one, &rq, &a, proof, &err);
	if (r < 0)
		assert_true(err.text[0]);
	sw_arena_fini(&a);
	return r;
}

static void test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < SW_COUNT(vectors); i++) {
		struct sw_proof proof;
		int r = verify(&vectors[i], SECRETS(vectors[i].secret), &proof);

		if (r != vectors[i].want)
			fail_msg("%s: %d, want %d", vectors[i].name, r, vectors[i].want);
	}
}

/* Which secret fitted is told, so that one sees when the old one is no longer used. */
static void test_rotation(void **state)
{
	struct sw_proof proof;

	(void)state;
	assert_int_equal(verify(&vectors[1], SECRETS("new", "shipwatch"), &proof), 0);
	assert_int_equal(proof.secret, 1);
	assert_int_equal(verify(&vectors[9], SECRETS("t0ken", "old"), &proof), 0);
	assert_int_equal(proof.secret, 0);
}

static void test_report_schema(void **state)
{
	static const struct { const char *json, *want; } rows[] = {
		{ "{\"pipeline_id\":1,\"job_name\":\"a\",\"exit_code\":0}", "" },
		{ "{\"pipeline_id\":1,\"job_name\":\"a\",\"phase\":\"started\"}", "" },
		{ "{\"pipeline_id\":1,\"job_name\":\"a\",\"exit_code\":0,\"duration_ms\":\"fast\"}", "duration_ms: want a number >= 0, got \"fast\"" },
		{ "{\"pipeline_id\":1,\"job_name\":\"a\",\"exit_code\":0,\"duration_ms\":-1}", "duration_ms: want a number >= 0, got -1" },
		{ "{\"pipeline_id\":1,\"job_name\":\"a\",\"exit_code\":0,\"coverage_pct\":100}", "" },
		{ "{\"pipeline_id\":1,\"job_name\":\"a\",\"exit_code\":0,\"coverage_pct\":100.1}", "coverage_pct: want a number from 0 to 100, got 100.1" },
		{ "{\"pipeline_id\":1,\"job_name\":\"a\",\"exit_code\":1.5}", "exit_code: want an integer, got 1.5" },
		{ "{\"pipeline_id\":1,\"job_name\":\"a\"}", "exit_code: is missing (only a report with \"phase\": \"started\" has none)" },
		{ "{\"job_name\":\"a\",\"exit_code\":0}", "pipeline_id: is missing" },
		{ "{\"pipeline_id\":{},\"job_name\":\"a\",\"exit_code\":0}", "pipeline_id: want a string or number, got an object" },
		{ "{\"pipeline_id\":1,\"job_name\":\"a\",\"exit_code\":0,\"phase\":\"begun\"}", "phase: want \"started\" or \"finished\", got \"begun\"" },
		{ "{\"pipeline_id\":1,\"job_name\":\"a\",\"exit_code\":0,\"metrics\":{\"x\":\"y\"}}", "metrics.x: want a number, got \"y\"" },
		{ "{\"pipeline_id\":1,\"job_name\":\"a\",\"exit_code\":0,\"metrics\":[]}", "metrics: want an object of numbers, got a list" },
		{ "{\"pipeline_id\":1,\"job_name\":\"a\",\"exit_code\":0,\"started_at\":\"soon\"}", "started_at: want a time (RFC 3339 or seconds), got \"soon\"" },
		{ "[]", "want a JSON object" },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_err err = SW_ERR_INIT;
		int r = sw_source_report.check(rows[i].json, strlen(rows[i].json), &err);

		assert_int_equal(r < 0, *rows[i].want != '\0');
		if (r < 0)
			assert_string_equal(err.text, rows[i].want);
	}
}

static void test_metrics_limit(void **state)
{
	(void)state;
	for (int n = SW_EVENT_METRICS; n <= SW_EVENT_METRICS + 1; n++) {
		struct sw_buf b = SW_BUF_INIT;
		struct sw_err err = SW_ERR_INIT;

		sw_buf_cat(&b, "{\"pipeline_id\":1,\"job_name\":\"a\",\"exit_code\":0,\"metrics\":{");
		for (int i = 0; i < n; i++)
			sw_buf_printf(&b, "%s\"m%d\":%d", i ? "," : "", i, i);
		sw_buf_cat(&b, "}}");
		assert_int_equal(sw_source_report.check(sw_buf_str(&b), b.n, &err), n > SW_EVENT_METRICS ? -EBADMSG : 0);
		sw_buf_fini(&b);
	}
}

/* ---- limits: 256 events out of one delivery, 100 commits, 300 files of each ---- */

static void parse(const struct sw_source *plugin, const char *header, const char *event, const struct sw_buf *body, struct sw_arena *a, struct sw_events *ret)
{
	struct sw_header h = { header, event };
	struct sw_request rq = { .source = "s", .headers = &h, .n_headers = 1, .body = body->p, .body_n = body->n, .content_type = JSON, .arrived = 1790000000000 };
	struct sw_err err = SW_ERR_INIT;
	void *conf = sw_calloc(1, plugin->base.conf_size);

	sw_events_init(ret, a);
	if (plugin->parse(conf, &rq, ret, &err) < 0)
		fail_msg("%s", err.text);
	free(conf);
}

static void test_events_limit(void **state)
{
	(void)state;
	for (int builds = SW_EVENTS_MAX - 1; builds <= SW_EVENTS_MAX; builds++) {
		struct sw_buf b = SW_BUF_INIT;
		struct sw_arena a = { 0 };
		struct sw_events evs;

		sw_buf_cat(&b, "{\"object_kind\":\"pipeline\",\"object_attributes\":{\"id\":31,\"ref\":\"main\",\"sha\":\"bcbb5ec396a2c0f828686f14fac9b80b780504f2\","
		               "\"status\":\"success\"},\"project\":{\"id\":1,\"web_url\":\"https://gitlab.example.com/acme/web\",\"path_with_namespace\":\"acme/web\"},\"builds\":[");
		for (int i = 0; i < builds; i++)
			sw_buf_printf(&b, "%s{\"id\":%d,\"stage\":\"test\",\"name\":\"j%d\",\"status\":\"success\",\"environment\":{\"name\":\"e\"}}", i ? "," : "", 1000 + i, i);
		sw_buf_cat(&b, "]}");
		parse(&sw_source_gitlab, "x-gitlab-event", "Pipeline Hook", &b, &a, &evs);
		assert_int_equal(evs.n, SW_EVENTS_MAX);
		assert_int_equal(evs.cut, builds == SW_EVENTS_MAX);
		sw_arena_fini(&a);
		sw_buf_fini(&b);
	}
}

static void test_commits_limit(void **state)
{
	(void)state;
	for (int more = 0; more < 2; more++) {
		struct sw_buf b = SW_BUF_INIT;
		struct sw_arena a = { 0 };
		struct sw_events evs;

		sw_buf_printf(&b, "{\"object_kind\":\"push\",\"ref\":\"refs/heads/main\",\"before\":\"%040d\",\"after\":\"%040d\",\"checkout_sha\":\"%040d\","
		              "\"total_commits_count\":%d,\"project\":{\"web_url\":\"https://gitlab.example.com/acme/web\",\"path_with_namespace\":\"acme/web\"},"
		              "\"commits\":[", 1, 2, 2, SW_EVENT_COMMITS + more);
		for (int i = 0; i < SW_EVENT_COMMITS + more; i++) {
			sw_buf_printf(&b, "%s{\"id\":\"%040d\",\"message\":\"m\",\"added\":[", i ? "," : "", i + 3);
			for (int k = 0; k < (i == 1 ? SW_EVENT_FILES + more : 1); k++)
				sw_buf_printf(&b, "%s\"f%d\"", k ? "," : "", k);
			sw_buf_cat(&b, "]}");
		}
		sw_buf_cat(&b, "]}");
		parse(&sw_source_gitlab, "x-gitlab-event", "Push Hook", &b, &a, &evs);
		assert_int_equal(evs.n, 1);
		assert_int_equal(evs.items[0].n_commits, SW_EVENT_COMMITS);
		assert_int_equal(evs.items[0].commits_total, SW_EVENT_COMMITS + more);
		assert_int_equal(evs.items[0].commits[1].n_files, SW_EVENT_FILES);
		assert_int_equal(evs.items[0].files_cut, more);
		sw_arena_fini(&a);
		sw_buf_fini(&b);
	}
}

/* ---- recorded payloads ---- */

static char *slurp(const char *path, size_t *ret_n)
{
	FILE *f = fopen(path, "rb");
	char *s;
	long n;

	if (!f)
		return NULL;
	(void)fseek(f, 0, SEEK_END);
	n = ftell(f);
	rewind(f);
	s = sw_malloc((size_t)n + 1);
	*ret_n = fread(s, 1, (size_t)n, f);
	s[*ret_n] = '\0';
	(void)fclose(f);
	return s;
}

struct tally { int files, events, ignored, refused; };

/* One payload as each event the source knows: never a crash, and success only where the body says so. */
static void walk_one(const struct sw_source *plugin, const char *path, const char *header, const char *const *names, struct tally *t)
{
	size_t n = 0;
	char *body = slurp(path, &n);

	assert_non_null(body);
	t->files++;
	for (; *names; names++) {
		struct sw_header h = { header, *names };
		struct sw_request rq = { .source = "s", .headers = &h, .n_headers = 1, .body = body, .body_n = n, .content_type = JSON, .arrived = 1790000000000 };
		struct sw_arena a = { 0 };
		struct sw_events evs;
		struct sw_err err = SW_ERR_INIT;
		void *conf = sw_calloc(1, plugin->base.conf_size);
		int r;

		sw_events_init(&evs, &a);
		r = plugin->parse(conf, &rq, &evs, &err);
		if (r < 0)
			t->refused++;
		else if (!evs.n)
			t->ignored++;
		for (size_t i = 0; i < evs.n; i++) {
			const struct sw_event *ev = &evs.items[i];

			t->events++;
			assert_non_null(ev->repo);
			assert_int_not_equal(ev->kind, SW_EV_NONE);
			assert_true(ev->at > 0);
			if (ev->status == SW_ST_SUCCESS && !strstr(body, "\"success\""))
				fail_msg("%s as %s: a success the body does not tell of", path, *names);
		}
		free(conf);
		sw_arena_fini(&a);
	}
	free(body);
}

/* Where payloads recorded by others lie, which are not ours to keep in the tree. */
static const char *recorded(char *path, size_t size, const char *name)
{
	const char *root = getenv("SW_SOURCE_ROOT"), *payloads = getenv("SW_PAYLOADS");

	if (payloads)
		(void)snprintf(path, size, "%s/%s", payloads, name);
	else
		(void)snprintf(path, size, "%s/../shared/payloads/%s", root ? root : ".", name);
	return path;
}

static void walk(const char *folder, const char *only, const struct sw_source *plugin, const char *header, const char *const *names, struct tally *t)
{
	char dir[600], path[1200];
	struct dirent *e;
	DIR *d;

	d = opendir(recorded(dir, sizeof dir, folder));
	if (!d)
		return;
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.' || (only && !strstr(e->d_name, only)))
			continue;
		(void)snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		walk_one(plugin, path, header, names, t);
	}
	(void)closedir(d);
}

/* The bodies of the golden cases, where there are no recorded ones. A form, a broken text and reports are cases of their own. */
static void walk_own(const char *kind, const struct sw_source *plugin, const char *header, const char *const *names, struct tally *t)
{
	const char *root = getenv("SW_SOURCE_ROOT");
	char dir[600], path[1200];
	struct dirent *e;
	DIR *d;

	(void)snprintf(dir, sizeof dir, "%s/tests/golden/source/%s", root ? root : ".", kind);
	d = opendir(dir);
	assert_non_null(d);
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.' || strstr(e->d_name, "form") || strstr(e->d_name, "not_json"))
			continue;
		(void)snprintf(path, sizeof path, "%s/%s/body", dir, e->d_name);
		walk_one(plugin, path, header, names, t);
	}
	(void)closedir(d);
}

static void test_recorded(void **state)
{
	static const char *const github[] = { "push", "create", "delete", "workflow_run", "workflow_job", "check_suite", "check_run", "status",
		                              "deployment", "deployment_status", "release", "pull_request", "issues", NULL };
	static const char *const gitlab[] = { "Push Hook", "Tag Push Hook", "Pipeline Hook", "Job Hook", "Deployment Hook", "Release Hook",
		                              "Merge Request Hook", "System Hook", "Note Hook", NULL };
	static const char *const gitea[] = { "push", "create", "delete", "release", "pull_request", "status", "workflow_run", NULL };
	struct tally t = { 0 };

	(void)state;
	walk("github", NULL, &sw_source_github, "x-github-event", github, &t);
	walk("gitlab", NULL, &sw_source_gitlab, "x-gitlab-event", gitlab, &t);
	walk("other", "gitea", &sw_source_gitea, "x-gitea-event", gitea, &t);
	walk("other", "gogs", &sw_source_gitea, "x-gogs-event", gitea, &t);
	if (!t.files) {
		print_message("# recorded payloads are absent (SW_PAYLOADS names their folder): our own instead\n");
		walk_own("github", &sw_source_github, "x-github-event", github, &t);
		walk_own("gitlab", &sw_source_gitlab, "x-gitlab-event", gitlab, &t);
		walk_own("gitea", &sw_source_gitea, "x-gitea-event", gitea, &t);
	}
	assert_true(t.files > 20);
	assert_int_equal(t.refused, 0);
	print_message("# %d files, %d events, %d of no interest\n", t.files, t.events, t.ignored);
}

/* The recorded merge-request pipeline (or ours that is like it) is green, its production job was skipped: nothing was deployed. */
static void test_skipped_production(void **state)
{
	const char *root = getenv("SW_SOURCE_ROOT");
	char path[700];
	size_t n = 0, deployed = 0;
	char *body;
	struct sw_header h = { "x-gitlab-event", "Pipeline Hook" };
	struct sw_arena a = { 0 };
	struct sw_events evs;
	struct sw_err err;
	long long conf[8] = { 0 };

	(void)state;
	body = slurp(recorded(path, sizeof path, "gitlab/go-gitlab__webhooks__pipeline.json"), &n);
	if (!body) {
		(void)snprintf(path, sizeof path, "%s/tests/golden/source/gitlab/pipeline_merge_request_skipped_prod/body", root ? root : ".");
		body = slurp(path, &n);
	}
	assert_non_null(body);
	{
		struct sw_request rq = { .source = "s", .headers = &h, .n_headers = 1, .body = body, .body_n = n, .content_type = JSON, .arrived = 1790000000000 };

		sw_events_init(&evs, &a);
		assert_int_equal(sw_source_gitlab.parse(conf, &rq, &evs, &err), 0);
	}
	assert_true(evs.n > 1);
	for (size_t i = 0; i < evs.n; i++)
		deployed += evs.items[i].kind == SW_EV_JOB && sw_streq(evs.items[i].environment, "production") && evs.items[i].status == SW_ST_SUCCESS;
	assert_int_equal(deployed, 0);
	sw_arena_fini(&a);
	free(body);
}

/* ---- commits by the host's API ---- */

#define SHA(c) c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c
#define GIT_COMMIT(sha, title, at, more) "{\"sha\":\"" sha "\",\"html_url\":\"https://h/c\",\"author\":{\"login\":\"lin\"},\"commit\":{\"message\":\"" title \
	"\\n\\nbody\",\"author\":{\"name\":\"Lin\",\"email\":\"lin@example.com\"},\"committer\":{\"date\":\"" at "\"}}" more "}"
#define FILE_OF(name) "{\"filename\":\"" name "\",\"status\":\"modified\"}"

static void test_compare_asks(void **state)
{
	static const struct { const struct sw_source *plugin; struct sw_api api; const char *repo, *from, *to, *url; } asks[] = {
		{ &sw_source_gitlab, { "https://git.example.com/", "t" }, "acme/sub group/web", SHA("a"), SHA("b"),
		  "https://git.example.com/api/v4/projects/acme%2Fsub%20group%2Fweb/repository/compare?from=" SHA("a") "&to=" SHA("b") },
		{ &sw_source_github, { "https://api.github.com", "t" }, "acme/web", "aaaaaaa", SHA("b"),
		  "https://api.github.com/repos/acme/web/compare/aaaaaaa..." SHA("b") },
		{ &sw_source_gitea, { "https://tea.example.com", NULL }, "ac#me/web", SHA("a"), SHA("b"),
		  "https://tea.example.com/api/v1/repos/ac%23me/web/compare/" SHA("a") "..." SHA("b") },
		{ &sw_source_github, { "https://api.github.com", "t" }, "web", SHA("a"), SHA("b"), NULL },
		{ &sw_source_github, { "https://api.github.com", "t" }, "a/b/c", SHA("a"), SHA("b"), NULL },
		{ &sw_source_gitlab, { "https://git.example.com", "t" }, "acme/web", "aaaaaa", SHA("b"), NULL }, /* six digits */
		{ &sw_source_gitlab, { "https://git.example.com", "t" }, "acme/web", SHA("a"), "main&x=1", NULL },
		{ &sw_source_gitlab, { "https://git.example.com", "t" }, NULL, SHA("a"), SHA("b"), NULL },
	};
	struct sw_arena a = { 0 };

	(void)state;
	for (size_t i = 0; i < SW_COUNT(asks); i++) {
		struct sw_err err = SW_ERR_INIT;
		struct sw_job job;
		int r = asks[i].plugin->compare(&asks[i].api, asks[i].repo, asks[i].from, asks[i].to, &a, &job, &err);

		assert_int_equal(r, asks[i].url ? 0 : -EINVAL);
		if (asks[i].url) {
			assert_string_equal(job.url, asks[i].url);
			assert_string_equal(job.method, "GET");
			assert_int_equal(job.n_headers, 1 + (asks[i].api.token != NULL) + (asks[i].plugin == &sw_source_github));
		} else {
			assert_true(err.text[0]);
		}
	}
	assert_null(sw_source_report.compare);
	sw_arena_fini(&a);
}

static int compared(const struct sw_source *plugin, const char *body, struct sw_arena *a, struct sw_alert *al)
{
	struct sw_result res = { .status = 200, .body = body, .body_n = strlen(body) };
	struct sw_err err = SW_ERR_INIT;
	int r;

	*al = (struct sw_alert){ 0 };
	r = plugin->compared(&res, a, al, &err);
	assert_true((r < 0) == (err.text[0] != 0));
	return r;
}

static void test_compare_answers(void **state)
{
	struct sw_arena a = { 0 };
	struct sw_err err = SW_ERR_INIT;
	struct sw_alert al;
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	(void)state;
	/* GitHub and Gitea: oldest first, files beside or within */
	assert_int_equal(compared(&sw_source_gitea, "{\"total_commits\":2,\"commits\":[" GIT_COMMIT(SHA("1"), "one", "2026-11-27T10:00:00Z", ",\"files\":[" FILE_OF("a.c") "," FILE_OF("b.c") "]")
	                          "," GIT_COMMIT(SHA("2"), "two", "2026-11-27T11:00:00Z", ",\"files\":[" FILE_OF("b.c") "]") "]}", &a, &al), 0);
	assert_int_equal(al.n_commits, 2);
	assert_string_equal(al.commits[0].title, "two");
	assert_string_equal(al.commits[0].author, "Lin");
	assert_string_equal(al.commits[1].sha, SHA("1"));
	assert_int_equal(al.commits_total, 2);
	assert_int_equal(al.n_files, 2);
	assert_false(al.files_cut);
	/* of one second: the later one first; more than are listed */
	assert_int_equal(compared(&sw_source_github, "{\"total_commits\":400,\"files\":[" FILE_OF("z") "],\"commits\":[" GIT_COMMIT(SHA("1"), "one", "2026-11-27T10:00:00Z", "")
	                          "," GIT_COMMIT(SHA("2"), "two", "2026-11-27T10:00:00Z", "") "]}", &a, &al), 0);
	assert_string_equal(al.commits[0].title, "two");
	assert_int_equal(al.commits_total, 400);
	/* GitLab */
	assert_int_equal(compared(&sw_source_gitlab, "{\"commits\":[{\"id\":\"" SHA("1") "\",\"title\":\"one\",\"author_name\":\"Mei\",\"committed_date\":\"2026-11-27T10:00:00.000+08:00\"}],"
	                          "\"diffs\":[{\"old_path\":\"x\",\"new_path\":\"y\",\"diff\":\"@@\"}]}", &a, &al), 0);
	assert_string_equal(al.commits[0].author, "Mei");
	assert_string_equal(al.files[0], "y");
	assert_int_equal(compared(&sw_source_gitlab, "{}", &a, &al), 0);
	assert_int_equal(al.n_commits, 0);
	/* not an answer */
	assert_int_equal(compared(&sw_source_gitlab, "<html>", &a, &al), -EBADMSG);
	assert_int_equal(compared(&sw_source_github, "{\"commits\":[", &a, &al), -EBADMSG);
	assert_int_equal(sw_source_github.compared(&(struct sw_result){ .status = 404, .body = "{}", .body_n = 2 }, &a, &al, &err), -EIO);
	assert_int_equal(sw_source_github.compared(&(struct sw_result){ .status = 200, .body = "{}", .body_n = 2, .body_cut = true }, &a, &al, &err), -EFBIG);
	assert_int_equal(sw_source_github.compared(&(struct sw_result){ .fault = SW_FAULT_CONNECT, .body = "" }, &a, &al, &err), -EIO);
	/* at the limits and past them */
	for (size_t n = SW_EVENT_COMMITS; n <= SW_EVENT_COMMITS + 1; n++) {
		sw_buf_reset(&b);
		sw_buf_cat(&b, "{\"commits\":[");
		for (size_t i = 0; i < n; i++)
			sw_buf_printf(&b, "%s{\"sha\":\"%040zu\",\"commit\":{\"message\":\"m\"}}", i ? "," : "", i + 1);
		sw_buf_cat(&b, "],\"files\":[");
		for (size_t i = 0; i < n - SW_EVENT_COMMITS + SW_EVENT_FILES; i++)
			sw_buf_printf(&b, "%s{\"filename\":\"f%zu\"}", i ? "," : "", i);
		sw_buf_cat(&b, "]}");
		assert_int_equal(compared(&sw_source_github, sw_buf_str(&b), &a, &al), 0);
		assert_int_equal(al.n_commits, SW_EVENT_COMMITS);
		assert_int_equal(al.commits_total, n);
		assert_int_equal(al.n_files, SW_EVENT_FILES);
		assert_int_equal(al.files_cut, n > SW_EVENT_COMMITS);
	}
	sw_arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors), cmocka_unit_test(test_rotation), cmocka_unit_test(test_report_schema),
		cmocka_unit_test(test_metrics_limit), cmocka_unit_test(test_events_limit), cmocka_unit_test(test_commits_limit),
		 cmocka_unit_test(test_compare_asks), cmocka_unit_test(test_compare_answers), cmocka_unit_test(test_recorded), cmocka_unit_test(test_skipped_production),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
