/*
 * Actions: what became of one, by answer and by exit; programs never see more than they should. How requests look is in
 * tests/golden/action/; health in tests/golden/signal/.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "base/yaml.h"
#include "plugins.h"

#define NOW ((sw_ms)1700000000000)

struct row {
	enum sw_fault fault;
	int status;
	bool timed_out;
	const char *body;
	enum sw_outcome want;
	const char *says;
	const char *header, *value; /* one of the answer */
};

static void judge_rows(const struct sw_action *act, const void *conf, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct sw_result res = { .fault = rows[i].fault,
			                 .status = rows[i].status,
			                 .timed_out = rows[i].timed_out,
			                 .body = rows[i].body,
			                 .body_n = strlen(rows[i].body),
			                 .detail = rows[i].fault ? "why" : NULL,
			                 .at = NOW };
		struct sw_header header = { rows[i].header, rows[i].value };
		struct sw_err err = SW_ERR_INIT;
		struct sw_class got;

		if (rows[i].header) {
			res.headers = &header;
			res.n_headers = 1;
		}
		got = act->judge(conf, &res, &err);
		if (got.outcome != rows[i].want || (rows[i].says && !strstr(err.text, rows[i].says)))
			fail_msg("row %zu: %s: %s", i, sw_outcome_name(got.outcome), err.text);
	}
}

static void http_answers(void **state)
{
	static const struct row rows[] = {
		{ SW_FAULT_NONE, 200, false, "", SW_OK, NULL },
		{ SW_FAULT_NONE, 202, false, "x", SW_OK, NULL },
		{ SW_FAULT_NONE, 302, false, "", SW_CONFIG, "302" },
		{ SW_FAULT_NONE, 403, false, "", SW_MESSAGE, "403" },
		{ SW_FAULT_NONE, 503, false, "", SW_RETRY, "503" },
		{ SW_FAULT_CONNECT, 0, false, "", SW_RETRY, "why" },
		{ SW_FAULT_TIMEOUT_CONNECT, 0, false, "", SW_RETRY, "why" },
		{ SW_FAULT_AMBIGUOUS, 0, false, "", SW_AMBIGUOUS, "why" },
		{ SW_FAULT_CERT, 0, false, "", SW_CONFIG, "why" },
	};

	judge_rows(&sw_action_http, NULL, rows, SW_COUNT(rows));
}

static void exec_exits(void **state)
{
	static const struct row rows[] = {
		{ SW_FAULT_NONE, 0, false, "done\n", SW_OK, NULL },
		{ SW_FAULT_NONE, 1, false, "a\nno such release\n\n", SW_MESSAGE, "ended with 1: no such release" },
		{ SW_FAULT_NONE, 2, false, "", SW_MESSAGE, "ended with 2" },
		{ SW_FAULT_NONE, 137, false, "\x1b[31mred", SW_MESSAGE, "ended with 137: [31mred" },
		{ SW_FAULT_NONE, 143, true, "x", SW_AMBIGUOUS, "its time" },
		{ SW_FAULT_NONE, 0, true, "x", SW_AMBIGUOUS,
		  "its time" }, /* ended well, but after it was told to stop */
		{ SW_FAULT_AMBIGUOUS, 0, false, "", SW_AMBIGUOUS, "why" },
		{ SW_FAULT_REFUSED, 0, false, "", SW_CONFIG, "why" },
		{ SW_FAULT_SPAWN, 0, false, "", SW_CONFIG, "why" },
	};

	judge_rows(&sw_action_exec, NULL, rows, SW_COUNT(rows));
}

/* Settings as they stand in the configuration, JSON being YAML. */
static const void *conf_of(const struct sw_action *act, const char *text, struct sw_arena *a)
{
	void *conf = sw_arena_alloc(a, act->base.conf_size);
	struct sw_ynode *root;
	struct sw_diags d;

	sw_diags_init(&d, a);
	assert_int_equal(sw_yaml_parse(a, "conf", text, strlen(text), NULL, &root, &d), 0);
	assert_int_equal(sw_keys_read(act->base.keys, root, root, NULL, a, conf, &d), 0);
	return conf;
}

/* What GitLab really answers. Nothing that may have been taken is a plain no, nothing that was refused is in doubt. */
static void gitlab_answers(void **state)
{
	static const struct row rows[] = {
		{ SW_FAULT_NONE, 201, false, "{\"id\":47,\"web_url\":\"http://g/47\"}", SW_OK, "a pipeline was started (47)" },
		{ SW_FAULT_NONE, 200, false, "[]", SW_OK, NULL },
		{ SW_FAULT_NONE, 200, false, "<html>", SW_AMBIGUOUS, "none of GitLab's" },
		{ SW_FAULT_NONE, 201, false, "", SW_AMBIGUOUS, "none of GitLab's" },
		{ SW_FAULT_NONE, 201, false, "{\"id\":", SW_AMBIGUOUS, "none of GitLab's" },
		{ SW_FAULT_NONE, 301, false, "", SW_MESSAGE, "sent on to another address" },
		{ SW_FAULT_NONE, 401, false, "{\"message\":\"401 Unauthorized\"}", SW_CONFIG,
		  "GitLab does not accept the token (HTTP 401: 401 Unauthorized)" },
		{ SW_FAULT_NONE, 401, false, "{\"error\":\"invalid_token\",\"error_description\":\"Token was revoked.\"}", SW_CONFIG,
		  "Token was revoked.; invalid_token)" },
		{ SW_FAULT_NONE, 403, false,
		  "{\"error\":\"insufficient_scope\",\"error_description\":\"The request requires higher privileges than provided by the access "
		  "token.\",\"scope\":\"api\"}",
		  SW_CONFIG, "the token lacks the scope api" },
		{ SW_FAULT_NONE, 403, false, "{\"message\":\"403 Forbidden\"}", SW_CONFIG, "protected environment" },
		{ SW_FAULT_NONE, 403, false, "{\"message\":\"403 Forbidden - Job is not retryable\"}", SW_MESSAGE, "outdated deployments are prevented" },
		{ SW_FAULT_NONE, 404, false, "{\"message\":\"404 Project Not Found\"}", SW_CONFIG, "no access, or a protected environment" },
		{ SW_FAULT_NONE, 400, false, "{\"message\":\"400 Bad request - Unplayable Job\"}", SW_MESSAGE, "ran already" },
		{ SW_FAULT_NONE, 400, false, "{\"message\":{\"base\":[\"Reference not found\"]}}", SW_CONFIG, "no such branch or tag" },
		{ SW_FAULT_NONE, 400, false, "{\"message\":{\"base\":[\"Insufficient permissions to set pipeline variables\"]}}", SW_CONFIG,
		  "may not set variables" },
		{ SW_FAULT_NONE, 400, false,
		  "{\"message\":{\"base\":[\"Too many pipelines created in the last minute. Try again later.\"]}}", SW_HOLD, "nothing was done" },
		{ SW_FAULT_NONE, 400, false, "{\"message\":\"Artifacts of job build have expired\"}", SW_MESSAGE, "have expired (HTTP 400" },
		{ SW_FAULT_NONE, 400, false, "{\"error\":\"ref is missing\"}", SW_MESSAGE, "GitLab refuses the request (HTTP 400: ref is missing)" },
		{ SW_FAULT_NONE, 422, false, "{\"message\":\"not the latest\"}", SW_MESSAGE, "not the newest of its name" },
		{ SW_FAULT_NONE, 429, false, "Retry later\n", SW_HOLD, "nothing was done (HTTP 429: again in 37 s)", "retry-after", "37" },
		{ SW_FAULT_NONE, 429, false, "", SW_HOLD, "nothing was done (HTTP 429)" },
		{ SW_FAULT_NONE, 409, false, "", SW_MESSAGE, "refused (HTTP 409)" },
		{ SW_FAULT_NONE, 408, false, "", SW_AMBIGUOUS, "may or may not" },
		{ SW_FAULT_NONE, 500, false, "{\"message\":\"500 Internal Server Error\"}", SW_AMBIGUOUS, "may or may not" },
		{ SW_FAULT_NONE, 502, false, "<html>", SW_AMBIGUOUS, "may or may not" },
		{ SW_FAULT_NONE, 503, false, "", SW_AMBIGUOUS, "may or may not", "retry-after", "5" },
		{ SW_FAULT_NONE, 403, false, "{\"message\":\"a\\nb\\u202ec\"}", SW_CONFIG, "(HTTP 403: abc)" },
		{ SW_FAULT_CONNECT, 0, false, "", SW_RETRY, "why" },
		{ SW_FAULT_AMBIGUOUS, 0, false, "", SW_AMBIGUOUS, "why" },
		{ SW_FAULT_CERT, 0, false, "", SW_CONFIG, "why" },
	};
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };

	judge_rows(&sw_action_gitlab, conf_of(&sw_action_gitlab, "{url: 'http://g', token: t, do: trigger-pipeline, ref: main}", &a), rows,
	           SW_COUNT(rows));
}

static void github_answers(void **state)
{
	static const struct row rows[] = {
		{ SW_FAULT_NONE, 204, false, "", SW_OK, "a workflow was started" },
		{ SW_FAULT_NONE, 200, false, "{\"workflow_run_id\":1}", SW_OK, "a workflow was started" },
		{ SW_FAULT_NONE, 200, false, "<html>", SW_AMBIGUOUS, "none of GitHub's" },
		{ SW_FAULT_NONE, 401, false, "{\"message\":\"Bad credentials\",\"documentation_url\":\"https://docs.github.com/rest\"}", SW_CONFIG,
		  "GitHub does not accept the token (HTTP 401: Bad credentials)" },
		{ SW_FAULT_NONE, 403, false, "{\"message\":\"Resource not accessible by personal access token\"}", SW_CONFIG, "a permission is missing" },
		{ SW_FAULT_NONE, 403, false,
		  "{\"message\":\"You have exceeded a secondary rate limit. Please wait a few minutes before you try again.\"}", SW_HOLD,
		  "nothing was done", "retry-after", "60" },
		{ SW_FAULT_NONE, 403, false, "{\"message\":\"API rate limit exceeded for user ID 1.\"}", SW_HOLD, "nothing was done",
		  "x-ratelimit-remaining", "0" },
		{ SW_FAULT_NONE, 429, false, "", SW_HOLD, "again in 9 s", "retry-after", "9" },
		{ SW_FAULT_NONE, 403, false, "{\"message\":\"Unable to retry this workflow run because it was created over a month ago\"}", SW_MESSAGE,
		  "too old" },
		{ SW_FAULT_NONE, 403, false, "{\"message\":\"This workflow is already running\"}", SW_MESSAGE, "right now" },
		{ SW_FAULT_NONE, 404, false, "{\"message\":\"Not Found\"}", SW_CONFIG, "lacks the permission" },
		{ SW_FAULT_NONE, 409, false, "{\"message\":\"Conflict: Commit status checks failed for main.\"}", SW_MESSAGE, "conflict" },
		{ SW_FAULT_NONE, 422, false, "{\"message\":\"No ref found for: nope\"}", SW_CONFIG, "no such branch, tag or commit" },
		{ SW_FAULT_NONE, 422, false, "{\"message\":\"Workflow does not have 'workflow_dispatch' trigger\"}", SW_CONFIG, "no workflow_dispatch" },
		{ SW_FAULT_NONE, 422, false, "{\"message\":\"Unexpected inputs provided: [\\\"x\\\"]\"}", SW_CONFIG, "wants other inputs" },
		{ SW_FAULT_NONE, 422, false, "{\"message\":\"Required input 'sha' not provided\"}", SW_CONFIG, "wants other inputs" },
		{ SW_FAULT_NONE, 422, false, "{\"message\":\"Validation Failed\",\"errors\":[{\"field\":\"ref\",\"code\":\"invalid\"}]}", SW_MESSAGE,
		  "Validation Failed; ref)" },
		{ SW_FAULT_NONE, 500, false, "", SW_AMBIGUOUS, "may or may not" },
		{ SW_FAULT_NONE, 503, false, "", SW_AMBIGUOUS, "may or may not", "retry-after", "9" },
		{ SW_FAULT_NONE, 302, false, "", SW_MESSAGE, "another address" },
		{ SW_FAULT_AMBIGUOUS, 0, false, "", SW_AMBIGUOUS, "why" },
	};
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };

	judge_rows(&sw_action_github,
	           conf_of(&sw_action_github, "{token: t, do: workflow-dispatch, workflow: a.yml, ref: main}", &a), rows, SW_COUNT(rows));
}

/* All that is wrong with settings, by line. */
static void settings(void **state)
{
	static const struct {
		const struct sw_action *act;
		const char *text, *want; /* NULL: nothing is wrong; then tell is what it says of itself */
		const char *tell;
		bool good;
	} cases[] = {
		{ &sw_action_gitlab, "{url: 'http://g', token: t, do: trigger-pipeline, project: acme/web, ref: main}", NULL,
		  "trigger-pipeline acme/web@main", false },
		{ &sw_action_gitlab, "{url: 'http://g', trigger_token: t, do: trigger-pipeline, ref: main, variables: {A: '{last_good.sha}'}}", NULL,
		  "trigger-pipeline the deployment's project@main", true },
		{ &sw_action_gitlab, "{url: 'http://g', token: t, do: play-job, job: undo}", NULL, "play-job \"undo\" of the deployment's project", false },
		{ &sw_action_gitlab, "{url: 'http://g', token: t, do: redeploy-last-good, project: '30'}", NULL, "redeploy-last-good 30", true },
		{ &sw_action_gitlab, "{url: 'http://g', token: t, do: trigger-pipeline}", "trigger-pipeline needs ref", NULL, false },
		{ &sw_action_gitlab, "{url: 'http://g', do: play-job, job: x}", "play-job needs token", NULL, false },
		{ &sw_action_gitlab, "{url: 'http://g', do: trigger-pipeline, ref: x}", "needs token or trigger_token", NULL, false },
		{ &sw_action_gitlab, "{url: 'http://g', token: t, trigger_token: u, do: trigger-pipeline, ref: x}", "not both", NULL, false },
		{ &sw_action_gitlab, "{url: 'http://g', token: t, do: play-job}", "play-job needs job", NULL, false },
		{ &sw_action_gitlab, "{url: 'http://g', token: t, do: redeploy-last-good, ref: main}", "conf:1:53: redeploy-last-good has no use for ref",
		  NULL, false },
		{ &sw_action_gitlab, "{url: 'http://g', token: t, do: trigger-pipeline, ref: main, variables: {A: 'x {last_good.sah}'}}",
		  "conf:1:80: unknown name \"{last_good.sah}\", did you mean \"{last_good.sha}\"?", NULL, false },
		{ &sw_action_gitlab, "{url: 'http://g', token: t, do: trigger-pipeline, ref: '{quux}'}", "unknown name \"{quux}\"", NULL, false },
		{ &sw_action_gitlab, "{url: 'http://g', token: t, do: trigger-pipeline, ref: a, variables: {SHIPWATCH_ROLLBACK_ID: x}}", "goes along anyway",
		  NULL, false },
		{ &sw_action_github, "{token: t, do: redeploy-last-good}", NULL, "redeploy-last-good the deployment's repository", true },
		{ &sw_action_github, "{token: t, do: rerun, repo: acme/web}", NULL, "rerun acme/web", true },
		{ &sw_action_github, "{token: t, do: workflow-dispatch, repo: acme/web, workflow: a.yml, ref: main}", NULL,
		  "workflow-dispatch a.yml of acme/web@main", false },
		{ &sw_action_github, "{token: t, do: repository-dispatch, event_type: undo, payload: {a: '{last_good.sha}'}}", NULL,
		  "repository-dispatch undo to the deployment's repository", true },
		{ &sw_action_github, "{token: t, do: workflow-dispatch, ref: main}", "needs workflow", NULL, false },
		{ &sw_action_github, "{token: t, do: workflow-dispatch, workflow: a.yml}", "needs ref", NULL, false },
		{ &sw_action_github, "{token: t, do: repository-dispatch}", "needs event_type", NULL, false },
		{ &sw_action_github, "{token: t, do: rerun, inputs: {a: b}}", "rerun has no use for inputs", NULL, false },
		{ &sw_action_github, "{token: t, do: rerun, task: x}", "rerun has no use for task", NULL, false },
		{ &sw_action_github, "{token: t, do: redeploy-last-good, payload: {shipwatch_rollback_id: b}}", "goes along anyway", NULL, false },
		{ &sw_action_github, "{token: t, do: repository-dispatch, event_type: a, payload: {a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1, h: 1, i: 1, j: 1}}",
		  "payload: at most 9", NULL, false },
		{ &sw_action_github, "{token: t, do: workflow-dispatch, workflow: a, ref: b, inputs: {a: '{sha} {branche}'}}",
		  "did you mean \"{branch}\"?", NULL, false },
	};

	for (size_t i = 0; i < SW_COUNT(cases); i++) {
		SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
		const struct sw_action *act = cases[i].act;
		const void *conf = conf_of(act, cases[i].text, &a);
		struct sw_ynode *root;
		struct sw_diags d;

		sw_diags_init(&d, &a);
		assert_int_equal(sw_yaml_parse(&a, "conf", cases[i].text, strlen(cases[i].text), NULL, &root, &d), 0);
		act->check(conf, root, &d);
		if (cases[i].want) {
			if (d.errors != 1 || !strstr(d.first->text, cases[i].want))
				fail_msg("%s: %u: %s", cases[i].text, d.errors, d.first ? d.first->text : "nothing");
			continue;
		}
		if (d.errors)
			fail_msg("%s: %s", cases[i].text, d.first->text);
		act->tell(conf, &b);
		assert_string_equal(sw_buf_str(&b), cases[i].tell);
		assert_int_equal(act->needs_good(conf), cases[i].good);
	}
}

/* Nothing that came from outside can be an argument, a variable of another name, or a second variable. */
static void exec_environment(void **state)
{
	struct {
		const char *program, **args, *cwd;
		sw_dur timeout;
	} conf = { .program = "/opt/undo", .timeout = SW_MINUTE };
	static const char *const evil[] = {
		"x\nLD_PRELOAD=/tmp/e.so", "x\rPATH=/tmp", "=", "", "$(id)", "\xff\xfe", "\xe2\x80\xaex"
	};
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };

	for (size_t i = 0; i < SW_COUNT(evil); i++) {
		struct sw_act act = {
			.id = evil[i], .service = evil[i], .branch = evil[i], .user = evil[i], .sha = evil[i]
		};
		struct sw_err err = SW_ERR_INIT;
		struct sw_job job;

		assert_int_equal(sw_action_exec.plan(&conf, &act, 0, NULL, NOW, &a, &job, &err), 0);
		assert_string_equal(job.argv[0], "/opt/undo");
		assert_null(job.argv[1]);
		for (const char **e = job.env; *e; e++) {
			assert_true(sw_starts(*e, "SW_"));
			assert_null(strpbrk(*e, "\n\r"));
			for (size_t n = strlen(*e), at = 0; at < n; at += sw_utf8_len(*e + at, n - at))
				assert_true(sw_utf8_len(*e + at, n - at) > 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(http_answers),
		cmocka_unit_test(exec_exits),
		cmocka_unit_test(exec_environment),
		cmocka_unit_test(gitlab_answers),
		cmocka_unit_test(github_answers),
		cmocka_unit_test(settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
