/*
 * The demo's story: one request after the other, each until it is taken, with pauses between.
 *
 *   runs of CI (a pipeline hook and the report of its test job) ─▶ 20 s later: pushed, built, rolled out, bad ─▶ taken back by the worker
 *                                                                  ─▶ GitLab tells that the old one was deployed again
 *
 * Meanwhile visitors ask the service a few times a second: without them it has neither latencies nor errors.
 */
#include "cli/story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hmac.h"
#include "base/json.h"
#include "base/str.h"
#include "shipwatch/buf.h"
#include "shipwatch/clock.h"
#include "shipwatch/log.h"

#define LOG "demo"

#define RUNS         12
#define RUN_APART    (37 * SW_MINUTE)
#define BETWEEN      ((sw_dur)60)
#define GOOD_SEEN    (20 * SW_SECOND) /* the good release has its verdict by then */
#define ROLLOUT      (3 * SW_SECOND)
#define AGAIN        (SW_SECOND / 2)
#define TRIES_MAX    60
#define VISIT_EVERY  ((sw_dur)125)
#define LOOK_EVERY   SW_SECOND

/* What is told, in order; each run of CI is two of them. */
enum step {
	STEP_RUNS,
	STEP_PUSH = STEP_RUNS + 2 * RUNS, STEP_PIPELINE, STEP_REPORT, STEP_ROLLOUT, STEP_BREAK, STEP_DEPLOYED, STEP_WATCH, STEP_BACK, STEP_OVER,
};

struct sw_story {
	struct sw_loop *loop;
	struct sw_demo *d;
	struct sw_http_client *client;
	struct sw_timer next, visit;
	struct sw_arena a;             /* of the request under way */
	int step;
	unsigned tries, serial;
	sw_ms began;
	int64_t pipeline;              /* number of the first run */
	char bad[41];
};

/* ---- what CI tells ---- */

struct run { int64_t id; const char *sha, *branch, *title, *author, *status; sw_ms at; double seconds, coverage; };

static const struct { const char *title, *author; } commits[] = {
	{ "Cart: count each item once", "Wang Fang" }, { "Checkout asks the stock once", "Lin Wei" }, { "Prices in the currency of the shop", "Zhao Lei" },
	{ "购物车：修复优惠券重复计算", "王芳" }, { "Search: rank by what people buy", "Lin Wei" }, { "Raise the limit of pictures to 12", "Zhao Lei" },
};

static const char *story_sha(struct sw_story *s, const char *what, int64_t n)
{
	unsigned char d[SW_SHA256_BYTES];
	const char *text = sw_arena_printf(&s->a, "%s %lld", what, (long long)n);
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	sw_sha256(text, strlen(text), d);
	sw_hex_encode(&b, d, 20);
	return sw_arena_strdup(&s->a, sw_buf_str(&b));
}

/* A line that grows slower while its coverage rises; the seventh run fails; every fifth one is of a branch. */
static void story_run(struct sw_story *s, int i, struct run *ret)
{
	size_t c = (size_t)i % SW_COUNT(commits);

	*ret = (struct run){ .id = s->pipeline + i, .sha = story_sha(s, "run", s->pipeline + i), .branch = i % 5 == 4 ? "feature/new-checkout" : "main",
	                     .title = commits[c].title, .author = commits[c].author, .status = i == 6 ? "failed" : "success",
	                     .at = s->began - (sw_dur)(RUNS - i) * RUN_APART, .seconds = 148 + 4.5 * i + 7 * (i % 3), .coverage = 74.5 + 0.6 * i - (i == 6 ? 2 : 0) };
}

static void time_member(struct sw_jw *w, const char *key, sw_ms at)
{
	time_t t = (time_t)(at / SW_SECOND);
	char text[40];
	struct tm tm;

	(void)strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", gmtime_r(&t, &tm));
	sw_jw_str(w, key, text);
}

static void project_member(struct sw_jw *w)
{
	sw_jw_obj(w, "project");
	sw_jw_int(w, "id", 1);
	sw_jw_str(w, "name", "demo");
	sw_jw_str(w, "web_url", "https://gitlab.example.com/acme/demo");
	sw_jw_str(w, "path_with_namespace", "acme/demo");
	sw_jw_str(w, "default_branch", "main");
	sw_jw_obj_end(w);
}

static void job_member(struct sw_jw *w, const struct run *r, int64_t n, const char *name, const char *stage, sw_ms from, double seconds, const char *status)
{
	sw_jw_obj(w, NULL);
	sw_jw_int(w, "id", r->id * 10 + n);
	sw_jw_str(w, "name", name);
	sw_jw_str(w, "stage", stage);
	sw_jw_str(w, "status", status);
	time_member(w, "created_at", r->at);
	time_member(w, "started_at", from);
	time_member(w, "finished_at", from + (sw_dur)(seconds * 1000));
	sw_jw_num(w, "duration", seconds);
	sw_jw_obj_end(w);
}

/* A Pipeline Hook. */
static void story_pipeline(const struct run *r, struct sw_jw *w)
{
	sw_jw_obj(w, NULL);
	sw_jw_str(w, "object_kind", "pipeline");
	sw_jw_obj(w, "object_attributes");
	sw_jw_int(w, "id", r->id);
	sw_jw_str(w, "ref", r->branch);
	sw_jw_bool(w, "tag", false);
	sw_jw_str(w, "sha", r->sha);
	sw_jw_str(w, "source", "push");
	sw_jw_str(w, "status", r->status);
	time_member(w, "created_at", r->at);
	time_member(w, "finished_at", r->at + (sw_dur)(r->seconds * 1000));
	sw_jw_num(w, "duration", r->seconds);
	sw_jw_obj_end(w);
	sw_jw_obj(w, "user");
	sw_jw_str(w, "name", r->author);
	sw_jw_str(w, "username", "lin.wei");
	sw_jw_obj_end(w);
	project_member(w);
	sw_jw_obj(w, "commit");
	sw_jw_str(w, "id", r->sha);
	sw_jw_str(w, "message", r->title);
	sw_jw_obj(w, "author");
	sw_jw_str(w, "name", r->author);
	sw_jw_str(w, "email", "dev@example.com");
	sw_jw_obj_end(w);
	sw_jw_obj_end(w);
	sw_jw_arr(w, "builds");
	job_member(w, r, 1, "build", "build", r->at, r->seconds * 0.3, "success");
	job_member(w, r, 2, "test", "test", r->at + (sw_dur)(r->seconds * 300), r->seconds * 0.7, r->status);
	sw_jw_arr_end(w);
	sw_jw_obj_end(w);
}

/* What the test job of that run reports about itself. */
static void story_report(const struct run *r, struct sw_jw *w)
{
	char run_id[80];

	(void)snprintf(run_id, sizeof run_id, "gitlab.example.com/acme/demo/%lld", (long long)r->id);
	sw_jw_obj(w, NULL);
	sw_jw_int(w, "pipeline_id", r->id);
	sw_jw_str(w, "job_name", "test");
	sw_jw_int(w, "job_id", r->id * 10 + 2);
	sw_jw_str(w, "ci_run_id", run_id);
	sw_jw_int(w, "exit_code", sw_streq(r->status, "success") ? 0 : 1);
	sw_jw_num(w, "duration_ms", r->seconds * 700);
	sw_jw_num(w, "coverage_pct", r->coverage);
	sw_jw_num(w, "cpu_ms", r->seconds * 1900);
	sw_jw_num(w, "max_rss_bytes", 4e8 + r->seconds * 1e6);
	sw_jw_str(w, "repo", "acme/demo");
	sw_jw_str(w, "branch", r->branch);
	sw_jw_str(w, "sha", r->sha);
	sw_jw_str(w, "author", r->author);
	sw_jw_obj(w, "metrics");
	sw_jw_int(w, "tests", 1180 + r->id % 50);
	sw_jw_num(w, "bundle_kb", 412.5 + r->coverage);
	sw_jw_obj_end(w);
	sw_jw_obj_end(w);
}

/* A Push Hook with the two commits of the bad release. */
static void story_push(struct sw_story *s, struct sw_jw *w)
{
	static const char *const titles[] = { "Cache the price list", "Faster checkout" };

	sw_jw_obj(w, NULL);
	sw_jw_str(w, "object_kind", "push");
	sw_jw_str(w, "ref", "refs/heads/main");
	sw_jw_str(w, "before", SW_DEMO_GOOD_SHA);
	sw_jw_str(w, "after", s->bad);
	sw_jw_str(w, "user_username", "lin.wei");
	sw_jw_str(w, "user_name", "Lin Wei");
	project_member(w);
	sw_jw_arr(w, "commits");
	for (size_t i = 0; i < SW_COUNT(titles); i++) {
		const char *sha = i + 1 == SW_COUNT(titles) ? s->bad : story_sha(s, "price list", s->pipeline);

		sw_jw_obj(w, NULL);
		sw_jw_str(w, "id", sha);
		sw_jw_str(w, "message", titles[i]);
		sw_jw_str(w, "title", titles[i]);
		sw_jw_str(w, "url", sw_arena_printf(&s->a, "https://gitlab.example.com/acme/demo/-/commit/%s", sha));
		sw_jw_obj(w, "author");
		sw_jw_str(w, "name", i ? "Lin Wei" : "Zhao Lei");
		sw_jw_str(w, "email", "dev@example.com");
		sw_jw_obj_end(w);
		sw_jw_arr(w, "modified");
		sw_jw_str(w, NULL, i ? "src/checkout.c" : "src/prices.c");
		sw_jw_arr_end(w);
		sw_jw_obj_end(w);
	}
	sw_jw_arr_end(w);
	sw_jw_int(w, "total_commits_count", SW_COUNT(titles));
	sw_jw_obj_end(w);
}

/* ---- requests ---- */

static void to_gitlab(struct sw_story *s, struct sw_job *job, const char *event, const struct sw_buf *body)
{
	(void)sw_job_post_json(job, &s->a, sw_arena_printf(&s->a, "http://%s/hooks/gitlab", s->d->gateway), body);
	sw_job_header(job, "X-Gitlab-Token", s->d->token);
	sw_job_header(job, "X-Gitlab-Event", event);
	sw_job_header(job, "X-Gitlab-Event-UUID", sw_arena_printf(&s->a, "demo-%lld-%u", (long long)s->began, s->serial));
}

static void to_reports(struct sw_story *s, struct sw_job *job, const struct sw_buf *body)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf text = SW_BUF_INIT, hex = SW_BUF_INIT;
	unsigned char mac[SW_SHA256_BYTES];
	long long at = sw_loop_wall(s->loop) / SW_SECOND;

	sw_buf_printf(&text, "%lld.%s", at, sw_buf_str(body));
	sw_hmac_sha256(s->d->secret, strlen(s->d->secret), text.p, text.n, mac);
	sw_hex_encode(&hex, mac, sizeof mac);
	(void)sw_job_post_json(job, &s->a, sw_arena_printf(&s->a, "http://%s/ci-report", s->d->gateway), body);
	sw_job_header(job, "X-Shipwatch-Timestamp", sw_arena_printf(&s->a, "%lld", at));
	sw_job_header(job, "X-Shipwatch-Signature", sw_arena_printf(&s->a, "sha256=%s", sw_buf_str(&hex)));
}

static void to_service(struct sw_story *s, struct sw_job *job, const char *method, const char *path)
{
	*job = (struct sw_job){ .kind = SW_JOB_HTTP, .method = method, .timeout = 5 * SW_SECOND, .url = sw_arena_printf(&s->a, "http://127.0.0.1:%d%s", s->d->port, path) };
}

/* The bad release: written where demo.sh has its own. */
static void bad_run(struct sw_story *s, struct run *ret)
{
	story_run(s, RUNS, ret);
	ret->sha = s->bad;
	ret->branch = "main";
	ret->title = "Faster checkout";
	ret->author = "Lin Wei";
	ret->at = sw_loop_wall(s->loop) - (sw_dur)(ret->seconds * 1000);
}

/* The request of a step. */
static void story_job(struct sw_story *s, struct sw_job *job)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;
	struct run r;

	sw_jw_init(&w, &b);
	if (s->step < STEP_PUSH)
		story_run(s, s->step / 2, &r);
	else
		bad_run(s, &r);
	switch (s->step) {
	case STEP_PUSH: story_push(s, &w); to_gitlab(s, job, "Push Hook", &b); break;
	case STEP_ROLLOUT: sw_demo_hook(s->d, &b, "running", s->bad, "Faster checkout", SW_DEMO_BAD_VERSION); to_gitlab(s, job, "Deployment Hook", &b); break;
	case STEP_BREAK: to_service(s, job, "POST", sw_arena_printf(&s->a, "/knobs?error_pct=40&delay_ms=180&version=" SW_DEMO_BAD_VERSION "&commit=%s", s->bad)); break;
	case STEP_DEPLOYED: sw_demo_hook(s->d, &b, "success", s->bad, "Faster checkout", SW_DEMO_BAD_VERSION); to_gitlab(s, job, "Deployment Hook", &b); break;
	case STEP_WATCH: to_service(s, job, "GET", "/knobs"); break;
	case STEP_BACK: sw_demo_hook(s->d, &b, "success", SW_DEMO_GOOD_SHA, "First release", SW_DEMO_GOOD_VERSION); to_gitlab(s, job, "Deployment Hook", &b); break;
	default:
		if (s->step == STEP_REPORT || (s->step < STEP_PUSH && s->step % 2)) {
			story_report(&r, &w);
			to_reports(s, job, &b);
		} else {
			story_pipeline(&r, &w);
			to_gitlab(s, job, "Pipeline Hook", &b);
		}
	}
}

/* ---- one after the other ---- */

/* How long after the step before it. */
static sw_dur story_pause(const struct sw_story *s)
{
	sw_dur left = s->began + GOOD_SEEN - sw_loop_wall(s->loop);

	switch (s->step) {
	case STEP_PUSH: return SW_MAX(left, BETWEEN);
	case STEP_BREAK: return ROLLOUT;
	case STEP_WATCH: return LOOK_EVERY;
	case STEP_BACK: return SW_SECOND;
	default: return BETWEEN;
	}
}

static void story_done(void *arg, const struct sw_result *res)
{
	struct sw_story *s = arg;
	bool ok = res->fault == SW_FAULT_NONE && res->status / 100 == 2;

	if (s->step == STEP_WATCH) { /* until the rollback has set it back; nobody needs to wait for ever */
		ok = ok && strstr(res->body, "\"" SW_DEMO_GOOD_VERSION "\"");
		if (!ok && s->tries++ < 10 * TRIES_MAX) {
			sw_timer_set(&s->next, LOOK_EVERY);
			return;
		}
		if (!ok)
			s->step = STEP_OVER;
	} else if (!ok && s->tries++ < TRIES_MAX) {
		sw_timer_set(&s->next, AGAIN);
		return;
	} else if (!ok) {
		SW_WARN(LOG, "a part of the story was not taken: %s", res->detail ? res->detail : "refused");
	}
	s->tries = 0;
	if (s->step < STEP_OVER)
		s->step++;
	if (s->step < STEP_OVER)
		sw_timer_set(&s->next, story_pause(s));
}

static void story_next(void *arg)
{
	struct sw_story *s = arg;
	struct sw_job job;

	sw_arena_reset(&s->a);
	s->serial += !s->tries; /* tried again it is the same delivery */
	story_job(s, &job);
	(void)sw_http_client_do(s->client, &job, story_done, s);
}

static void visited(void *arg, const struct sw_result *res)
{
	(void)arg;
	(void)res;
}

static void story_visit(void *arg)
{
	struct sw_story *s = arg;
	char url[64];
	struct sw_job job = { .kind = SW_JOB_HTTP, .method = "GET", .timeout = 2 * SW_SECOND, .url = url };

	(void)snprintf(url, sizeof url, "http://127.0.0.1:%d/", s->d->port);
	if (sw_http_client_busy(s->client) < 30)
		(void)sw_http_client_do(s->client, &job, visited, s);
	sw_timer_set(&s->visit, VISIT_EVERY);
}

struct sw_story *sw_story_new(struct sw_loop *loop, struct sw_demo *d, struct sw_http_client *client)
{
	struct sw_story *s = sw_calloc(1, sizeof *s);

	*s = (struct sw_story){ .loop = loop, .d = d, .client = client, .began = sw_loop_wall(loop) };
	s->pipeline = s->began / SW_MINUTE % 1000000 * 20; /* later starts go on with higher numbers */
	(void)snprintf(s->bad, sizeof s->bad, "%s", story_sha(s, "bad", s->began));
	sw_timer_init(&s->next, loop, story_next, s);
	sw_timer_init(&s->visit, loop, story_visit, s);
	sw_timer_set(&s->next, BETWEEN);
	sw_timer_set(&s->visit, VISIT_EVERY);
	return s;
}

void sw_story_free(struct sw_story *s)
{
	if (!s)
		return;
	sw_timer_stop(&s->next);
	sw_timer_stop(&s->visit);
	sw_arena_fini(&s->a);
	free(s);
}
