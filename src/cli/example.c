/* An alert with all a message can say: what `render --example` shows, and docs/messages.md is made of. Always the same one. */
#include "cli/example.h"

#include "base/str.h"

#define EXAMPLE_AT 1772419300000 /* 2026-03-02 02:41:40 UTC */

/* What is said of the rollback in each piece of news; state NULL: nothing. */
static const struct {
	const char *state, *detail;
} rollbacks[SW_NEWS_COUNT] = {
	[SW_NEWS_FIRING] = { "starting", NULL },
	[SW_NEWS_ROLLBACK_WAITING] = { "waiting", NULL },
	[SW_NEWS_ROLLBACK_STARTED] = { "started", NULL },
	[SW_NEWS_ROLLBACK_DONE] = { "done", "a pipeline was started (7742)" },
	[SW_NEWS_ROLLBACK_FAILED] = { "failed", "GitLab does not accept the token (HTTP status 401)" },
	[SW_NEWS_ROLLBACK_UNKNOWN] = { "unknown", "no outcome within its time: it may or may not have run, it is not tried again" },
	[SW_NEWS_ROLLBACK_SKIPPED] = { "skipped", "a newer deployment succeeded (mei)" },
	[SW_NEWS_ROLLBACK_INEFFECTIVE] = { "ineffective", "the condition still holds 5 min after the rollback" },
	[SW_NEWS_REMINDER] = { "failed", NULL },
	[SW_NEWS_ACKED] = { "failed", NULL },
	[SW_NEWS_RESOLVED] = { "verified", "a pipeline was started (7742)" },
	[SW_NEWS_CLOSED] = { "ineffective", NULL },
};

static struct sw_finding findings[] = {
	{ "health is failing for 3 checks", "HTTP status 503", NULL, NULL },
	{ "http_latency_p95 > 1500ms", "1.82s", "1.5s", "310ms" },
};
static const char *files[] = { "migrations/20_coupons.sql", "src/cart.c", "src/cart.h" };

static bool example_measured(enum sw_alert_news n)
{
	return n == SW_NEWS_FIRING || n == SW_NEWS_INCONCLUSIVE || n == SW_NEWS_REMINDER || n == SW_NEWS_NOTICE;
}

void sw_example(enum sw_alert_news news, enum sw_severity severity, struct sw_arena *a, struct sw_alert *ret)
{
	static const char sha[] = "a1b2c3d4e5f6071829304a5b6c7d8e9f00112233", before[] = "00112233445566778899aabbccddeeff00112233";
	struct sw_commit *commits = SW_ARENA_ARRAY(a, struct sw_commit, 2);

	commits[0] = (struct sw_commit){ .sha = sha, .title = "cart: count each item once", .author = "Lin Wei" };
	commits[1] = (struct sw_commit){ .sha = "99b2c3d4e5f6071829304a5b6c7d8e9f00112233", .title = "购物车：修复优惠券重复计算",
		                         .author = "王芳" };
	*ret = (struct sw_alert){
		.id = "al-7f3a", .delivery = sw_arena_printf(a, "al-7f3a-%s", sw_news_name(news)), .news = news, .severity = severity,
		.rule_severity = severity, .rule = "prod-health", .service = "web", .environment = "prod-hz",
		.verdict = news == SW_NEWS_INCONCLUSIVE ? "inconclusive" : "fail",
		.reason = news == SW_NEWS_INCONCLUSIVE ? "no-data" : "evidence", .kind = "deployment", .event_status = "success",
		.summary = news == SW_NEWS_ACKED ? "lin" : NULL,
		.findings = findings, .n_findings = example_measured(news) ? SW_COUNT(findings) : 0,
		.repo = "acme/web", .branch = "main", .version = "v2.3.1", .sha = sha, .prev_version = "v2.3.0", .prev_sha = before,
		.user = "lin.wei", .author = "Lin Wei", .title = commits[0].title, .deployed_at = EXAMPLE_AT, .fired_at = EXAMPLE_AT + 90000,
		.rollback_action = rollbacks[news].state ? "undo-web" : NULL, .rollback_state = rollbacks[news].state,
		.rollback_detail = rollbacks[news].detail,
		.links = { [SW_LINK_CI_LOG] = "https://gitlab.example.com/acme/web/-/jobs/8812",
		           [SW_LINK_COMPARE] = "https://gitlab.example.com/acme/web/-/compare/00112233...a1b2c3d4",
		           [SW_LINK_ENVIRONMENT] = "https://hz.web.example.com", [SW_LINK_RUNBOOK] = "https://wiki.example.com/web-errors" },
		.ci_run_id = "gitlab.example.com/acme/web/7741", .watch_id = "5f3a9c20d1e4",
		.commits = commits, .n_commits = 2, .commits_total = 2, .files = files, .n_files = SW_COUNT(files),
	};
}
