/* Deployments: the list, and one of them with what it was, what was thought of it, what was done, and its watches. */
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "dashboard/commits.h"
#include "dashboard/pages.h"
#include "engine/range.h"
#include "model/words.h"

#define ROWS_SHOWN    40
#define WATCHES_SHOWN 12 /* whole; the others are lines */

void page_deployment_list(struct page *p)
{
	static const char *const filters[] = { "service", "environment", "verdict", "status", "branch", "sha", "ci_run_id", "since", NULL };
	struct sw_rows rows;

	if (!sw_page_rows(p, "deployments", ROWS_SHOWN, &rows))
		return;
	sw_page_begin(p, "deployments", W(p, "Deployments", "部署"));
	sw_page_filters(p, sw_list_find("deployments"), filters);
	page_section(p, "list", W(p, "Newest first", "从新到旧"), sw_page_query(p, "cursor") ? NULL : "deployments");
	if (rows.n)
		page_deployments(p, &rows, true);
	else
		page_empty(p, *p->req->query ? W(p, "No deployment fits these filters.", "没有符合筛选条件的部署。")
		                             : W(p, "No deployment was told of yet. Deployments come from webhooks of a git host, or from CI reports with an environment.",
		                                 "尚无部署。部署来自代码平台的 webhook，或带有 environment 的 CI 报告。"));
	sw_page_older(p, &rows);
	page_section_end(p);
	sw_page_end(p);
}

/* ---- the head ---- */

static void put_release(struct page *p, const char *version, const char *sha)
{
	if (version)
		page_words(p, version, 60);
	if (version && sha)
		sw_buf_putc(&p->out, ' ');
	if (sha || !version)
		sw_html_sha(p, sha);
}

static void head_release(struct page *p, const struct sw_row *r)
{
	const char *prev = sw_row_text(r, "prev_sha"), *prev_version = sw_row_text(r, "prev_version");

	page_fact_begin(p, W(p, "Release", "版本"));
	put_release(p, sw_row_text(r, "version"), sw_row_text(r, "sha"));
	if (prev || prev_version) {
		sw_html(&p->out, " <span class=\"muted\">%s</span> ", W(p, "after", "替换"));
		put_release(p, prev_version, prev);
	}
	page_fact_end(p);
}

static void head_when(struct page *p, const struct sw_row *r)
{
	sw_ms started = sw_row_int(r, "started", 0), finished = sw_row_int(r, "finished", 0);

	page_fact_begin(p, W(p, "When", "时间"));
	page_clock(p, finished ? finished : sw_row_int(r, "at", 0));
	sw_buf_cat(&p->out, " <span class=\"muted\">(");
	page_ago(p, finished ? finished : sw_row_int(r, "at", 0));
	sw_buf_cat(&p->out, ")</span>");
	if (started && finished > started) {
		sw_html(&p->out, ", %s ", W(p, "rolled out in", "部署耗时"));
		sw_html_dur(p, (double)(finished - started));
	}
	page_fact_end(p);
}

/* As the host told it, else made of its parts. */
static const char *compare_of(struct page *p, const struct sw_row *r)
{
	const struct sw_jnode *ev = sw_jget(page_json(p, sw_row_text(r, "d"), sw_row_value(r, "d")->n), "ev");
	const char *told = sw_row_text(r, "compare_url");

	return told ? told : sw_range_url(&p->a, sw_jstr(ev, "repo_url"), sw_jstr(ev, "source_kind"), sw_row_text(r, "prev_sha"), sw_row_text(r, "sha"));
}

static void head_links(struct page *p, const struct sw_row *r, const struct sw_jnode *ev)
{
	const char *url = sw_row_text(r, "url"), *compare = compare_of(p, r), *env = sw_jstr(ev, "env_url"), *run = sw_row_text(r, "ci_run_id");
	const struct { const char *url, *words; } links[] = {
		{ url, W(p, "CI log", "CI 日志") }, { compare, W(p, "compare", "代码对比") }, { env, W(p, "environment", "环境") }, { page_log_url(p, run), W(p, "logs", "日志") } };

	page_fact_begin(p, W(p, "Links", "链接"));
	for (size_t i = 0; i < SW_COUNT(links); i++)
		if (links[i].url) {
			sw_html_link(&p->out, links[i].url, links[i].words);
			sw_buf_putc(&p->out, ' ');
		}
	if (run) {
		sw_buf_cat(&p->out, "<a href=\"/search?q=");
		sw_html_url(&p->out, run);
		sw_html(&p->out, "\">%s</a>", W(p, "everything of this run", "此运行的全部记录"));
	}
	page_fact_end(p);
}

static void head_good(struct page *p, const struct sw_row *r)
{
	int good = (int)sw_row_int(r, "good", -1);

	page_fact_begin(p, W(p, "Thought to be", "评价"));
	if (good < 0)
		sw_html(&p->out, "<span class=\"muted\">%s</span>", W(p, "not known yet", "尚未确定"));
	else
		sw_html_badge(p, good ? "good" : "bad");
	if (good >= 0)
		sw_html(&p->out, " <span class=\"muted\">%s</span>", sw_row_int(r, "said", 0) ? W(p, "a person said so", "由人工标注") : W(p, "by its watches", "由观察得出"));
	page_fact_end(p);
}

static void head_flags(struct page *p, const struct sw_row *r)
{
	static const struct { const char *column, *en, *zh; } flags[] = {
		{ "is_rollback", "it took another one back", "这是一次回滚" }, { "is_redeploy", "the commit that ran already", "重新部署同一提交" },
		{ "concurrent", "another one was under way at the same time", "与另一部署同时进行" } };

	for (size_t i = 0; i < SW_COUNT(flags); i++)
		if (sw_row_int(r, flags[i].column, 0))
			page_fact(p, W(p, "Note", "备注"), W(p, flags[i].en, flags[i].zh));
}

static void head(struct page *p, const struct sw_row *r)
{
	const struct sw_jnode *d = page_json(p, sw_row_text(r, "d"), sw_row_value(r, "d")->n), *ev = sw_jget(d, "ev");
	const char *user = sw_row_text(r, "user"), *author = sw_row_text(r, "author");

	page_section(p, "what", W(p, "What it is", "概要"), "deployments watches");
	sw_buf_cat(&p->out, "<dl class=\"facts\">\n");
	page_fact_begin(p, W(p, "Result", "结果"));
	sw_html_badge(p, sw_row_text(r, "status"));
	if (sw_row_text(r, "verdict")) {
		sw_buf_putc(&p->out, ' ');
		sw_html_badge(p, sw_row_text(r, "verdict"));
	}
	page_fact_end(p);
	page_fact_begin(p, W(p, "Place", "位置"));
	page_place(p, sw_row_text(r, "service"), sw_row_text(r, "environment"), true);
	page_fact_end(p);
	head_release(p, r);
	head_when(p, r);
	page_fact(p, W(p, "By", "操作人"), user);
	page_fact(p, W(p, "Author", "作者"), sw_streq(author, user) ? NULL : author);
	page_fact(p, W(p, "Repository", "仓库"), sw_row_text(r, "repo"));
	page_fact(p, W(p, "Branch", "分支"), sw_row_text(r, "branch"));
	page_fact(p, W(p, "Tag", "标签"), sw_row_text(r, "tag"));
	head_good(p, r);
	head_flags(p, r);
	page_fact(p, W(p, "Run", "运行编号"), sw_row_text(r, "ci_run_id"));
	head_links(p, r, ev);
	sw_buf_cat(&p->out, "</dl>\n");
	page_fact_long(p, sw_row_text(r, "title") ? sw_row_text(r, "title") : sw_jstr(ev, "title"));
	if (page_operator(p)) {
		sw_buf_cat(&p->out, "<div class=\"actions\">");
		page_button(p, "/deployments/label", "", W(p, "It is good", "标为良好"), "deployment", sw_row_text(r, "deployment"), "label", "good", NULL);
		page_button(p, "/deployments/label", "", W(p, "It is bad", "标为不良"), "deployment", sw_row_text(r, "deployment"), "label", "bad", NULL);
		sw_buf_cat(&p->out, "</div>\n");
	}
	page_section_end(p);
}

/* ---- commits ---- */

void page_deployment_range(struct page *p, const struct sw_row *r, struct commits_range *ret)
{
	struct commits known = { 0 };

	commits_find(&known, p->store, &p->a, &(struct commits_of){ .repo = sw_row_text(r, "repo"), .branch = sw_row_text(r, "branch"), .from = sw_row_text(r, "prev_sha"),
	             .to = sw_row_text(r, "sha"), .rollback = sw_row_int(r, "is_rollback", 0) != 0, .at = sw_row_int(r, "at", 0) }, ret);
}

static void commits(struct page *p, const struct sw_row *r)
{
	struct commits_range range;

	page_deployment_range(p, r, &range);
	page_commits(p, &range, sw_row_text(r, "prev_sha"), sw_row_text(r, "sha"), compare_of(p, r));
}

/* ---- what was done ---- */

static void action_steps(struct page *p, const struct sw_row *a)
{
	struct sw_rows rows;

	page_some(p, "action_steps", 50, &rows, "action_id", sw_row_text(a, "action_id"), NULL);
	sw_buf_cat(&p->out, "<ol class=\"timeline\">\n");
	for (size_t i = rows.n; i-- > 0;) {
		const struct sw_row *s = &rows.rows[i];
		SW_CLEANUP(sw_buf_fini) struct sw_buf room = SW_BUF_INIT;

		sw_buf_cat(&p->out, "<li>");
		page_clock(p, sw_row_int(s, "at", 0));
		sw_buf_putc(&p->out, ' ');
		sw_html_badge(p, sw_row_text(s, "state"));
		if (sw_row_text(s, "why"))
			sw_html(&p->out, " %s", sw_word_said(sw_row_text(s, "why"), p->locale, &room));
		sw_buf_cat(&p->out, "</li>\n");
	}
	sw_buf_cat(&p->out, "</ol>\n");
}

static void actions(struct page *p, const struct sw_row *dep)
{
	struct sw_rows rows;

	page_some(p, "actions", 10, &rows, "deployment", sw_row_text(dep, "deployment"), NULL);
	if (!rows.n)
		return;
	page_section(p, "done", W(p, "What was done", "执行的操作"), "actions");
	for (size_t i = 0; i < rows.n; i++) {
		const struct sw_row *a = &rows.rows[i];

		sw_buf_cat(&p->out, "<div class=\"act\"><p class=\"row\">");
		sw_html_badge(p, sw_row_text(a, "state"));
		sw_html(&p->out, "<strong>%s</strong> <code>%s</code>", sw_row_int(a, "rollback", 0) ? W(p, "Rollback", "回滚") : W(p, "Action", "操作"), sw_row_text(a, "action"));
		if (sw_row_text(a, "target")) {
			sw_html(&p->out, "<span class=\"muted\">%s</span>", W(p, "back to", "回到"));
			sw_html_sha(p, sw_row_text(a, "target"));
		}
		if (sw_row_text(a, "decided_by"))
			sw_html(&p->out, "<span>%s <strong>%s</strong></span>", sw_row_int(a, "approved", 0) ? W(p, "approved by", "批准人：") : W(p, "refused by", "拒绝人："), sw_row_text(a, "decided_by"));
		sw_buf_cat(&p->out, "</p>\n");
		if (sw_streq(sw_row_text(a, "state"), "asking"))
			page_asking(p, a, true);
		action_steps(p, a);
		sw_buf_cat(&p->out, "</div>\n");
	}
	page_section_end(p);
}

static void alerts(struct page *p, const struct sw_row *dep)
{
	struct sw_rows rows;

	page_some(p, "alerts", 20, &rows, "deployment", sw_row_text(dep, "deployment"), NULL);
	if (!rows.n)
		return;
	page_section(p, "alerts", W(p, "What people were told", "发出的告警"), "alerts");
	page_alert_lines(p, &rows);
	page_section_end(p);
}

static void watches(struct page *p, const struct sw_row *dep)
{
	struct sw_rows rows;

	page_some(p, "watches", 64, &rows, "deployment", sw_row_text(dep, "deployment"), NULL);
	if (!rows.n) {
		page_section(p, "watches", W(p, "Watches", "观察"), "watches");
		page_empty(p, W(p, "No rule watched this deployment: none fits its place, or it was not the newest.", "没有规则观察此部署：没有匹配的规则，或它不是最新的部署。"));
		page_section_end(p);
		return;
	}
	for (size_t i = 0; i < rows.n && i < WATCHES_SHOWN; i++)
		page_watch(p, dep, &rows.rows[i]);
	if (rows.n > WATCHES_SHOWN) {
		page_section(p, "watches", W(p, "More watches", "其他观察"), "watches");
		sw_buf_cat(&p->out, "<ul class=\"plain\">\n");
		for (size_t i = WATCHES_SHOWN; i < rows.n; i++)
			page_open_watch(p, &rows.rows[i]);
		sw_buf_cat(&p->out, "</ul>\n");
		page_section_end(p);
	}
}

void page_deployment(struct page *p)
{
	const struct sw_row *r;
	const char *what;

	if (!page_one(p, "deployments", p->id, &r))
		return;
	what = sw_row_text(r, "version") ? sw_row_text(r, "version") : sw_row_text(r, "sha");
	p->charts = true;
	sw_page_begin(p, "deployments", sw_arena_printf(&p->a, "%s/%s: %.*s", sw_row_text(r, "service"), sw_row_text(r, "environment"),
	                                                what && !sw_row_text(r, "version") ? 12 : 60, what ? what : W(p, "unknown release", "未知版本")));
	sw_buf_cat(&p->out, "<div class=\"columns\"><div>\n");
	head(p, r);
	commits(p, r);
	sw_buf_cat(&p->out, "</div><div>\n");
	actions(p, r);
	alerts(p, r);
	sw_buf_cat(&p->out, "</div></div>\n");
	watches(p, r);
	sw_page_end(p);
}

/* Links in messages name a watch: it is shown where its deployment is. */
void page_to_watch(struct page *p)
{
	const struct sw_row *r;
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	if (!page_one(p, "watches", p->id, &r))
		return;
	sw_buf_cat(&b, "/deployments/");
	sw_html_url(&b, sw_row_text(r, "deployment"));
	sw_buf_cat(&b, "#watch-");
	sw_html_url(&b, sw_row_text(r, "watch"));
	p->http = 303;
	p->location = sw_arena_strdup(&p->a, sw_buf_str(&b));
}
