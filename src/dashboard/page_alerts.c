/* Alerts: the list, and one of them with its news in order, its way to each channel, and who has it in hand. */
#include <string.h>

#include "base/str.h"
#include "dashboard/commits.h"
#include "dashboard/pages.h"
#include "model/words.h"

void page_alert_list(struct page *p)
{
	static const char *const filters[] = { "state", "severity", "service", "environment", "rule", "channel", "since", NULL };
	struct sw_rows rows;

	if (!sw_page_rows(p, "alerts", 40, &rows))
		return;
	sw_page_begin(p, "alerts", W(p, "Alerts", "告警"));
	sw_page_filters(p, sw_list_find("alerts"), filters);
	page_section(p, "list", W(p, "Newest first", "从新到旧"), sw_page_query(p, "cursor") ? NULL : "alerts");
	if (rows.n)
		page_alerts(p, &rows);
	else
		page_empty(p, *p->req->query ? W(p, "No alert fits these filters.", "没有符合筛选条件的告警。") : W(p, "Nobody had to be told anything yet. Good.", "还没有需要通知的事情。很好。"));
	sw_page_older(p, &rows);
	page_section_end(p);
	sw_page_end(p);
}

/* ---- one ---- */

static void alert_facts(struct page *p, const struct sw_row *r)
{
	const char *by = sw_row_text(r, "acked_by"), *watch = sw_row_text(r, "watch");

	sw_buf_cat(&p->out, "<dl class=\"facts\">\n");
	page_fact_begin(p, W(p, "State", "状态"));
	sw_html_badge(p, sw_row_text(r, "state"));
	sw_buf_putc(&p->out, ' ');
	sw_html_badge(p, sw_row_text(r, "severity"));
	page_fact_end(p);
	page_fact_begin(p, W(p, "Place", "位置"));
	page_place(p, sw_row_text(r, "service"), sw_row_text(r, "environment"), true);
	page_fact_end(p);
	page_fact_begin(p, W(p, "Since", "开始"));
	page_clock(p, sw_row_int(r, "at", 0));
	sw_buf_cat(&p->out, " <span class=\"muted\">(");
	page_ago(p, sw_row_int(r, "at", 0));
	sw_buf_cat(&p->out, ")</span>");
	page_fact_end(p);
	page_fact_begin(p, W(p, "Rule", "规则"));
	if (sw_row_text(r, "rule"))
		sw_html(&p->out, "<a href=\"/rules#rule-%s\">%s</a>", sw_row_text(r, "rule"), sw_row_text(r, "rule"));
	else
		sw_buf_cat(&p->out, "–");
	page_fact_end(p);
	if (watch || sw_row_text(r, "deployment")) {
		page_fact_begin(p, W(p, "About", "关于"));
		page_to(p, watch ? "watches" : "deployments", watch ? watch : sw_row_text(r, "deployment"), W(p, "the deployment and its watch", "部署及其观察"));
		page_fact_end(p);
	}
	page_fact(p, W(p, "Repository", "仓库"), sw_row_text(r, "repo"));
	page_fact(p, W(p, "Branch", "分支"), sw_row_text(r, "branch"));
	page_fact(p, W(p, "Run", "运行编号"), sw_row_text(r, "ci_run_id"));
	page_fact_begin(p, W(p, "In hand", "认领"));
	if (by)
		sw_html(&p->out, "<strong>%s</strong>, ", by);
	if (by)
		page_ago(p, sw_row_int(r, "acked_at", 0));
	else
		sw_html(&p->out, "<span class=\"muted\">%s</span>", W(p, "nobody said so", "无人认领"));
	page_fact_end(p);
	sw_buf_cat(&p->out, "</dl>\n");
	if (!by && sw_streq(sw_row_text(r, "state"), "firing"))
		page_button(p, "/alerts/ack", "primary", W(p, "I have it", "我来处理"), "alert", sw_row_text(r, "alert"), NULL);
}

static const char *link_words(struct page *p, size_t i)
{
	return sw_word_link((enum sw_link_kind)i, p->locale);
}

/* What this change said: conditions with their values, and its links. */
static void news_body(struct page *p, const struct sw_row *r)
{
	struct sw_alert al;

	sw_alert_read(page_json(p, sw_row_text(r, "body"), sw_row_value(r, "body")->n), &p->a, &al);
	if (al.rollback_detail) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf room = SW_BUF_INIT;

		sw_html(&p->out, "<p>%s</p>", sw_word_said(al.rollback_detail, p->locale, &room));
	}
	if (al.n_findings)
		sw_buf_cat(&p->out, "<ul class=\"findings\">");
	for (size_t i = 0; i < al.n_findings; i++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf value = SW_BUF_INIT, limit = SW_BUF_INIT, before = SW_BUF_INIT;
		const struct sw_finding *f = &al.findings[i];

		sw_html(&p->out, "<li><code>%s</code> <strong>%s</strong>", f->text, sw_word_seen(f->value, p->locale, &value));
		if (f->limit)
			sw_html(&p->out, " <span class=\"muted\">%s %s</span>", W(p, "limit", "阈值"), sw_word_seen(f->limit, p->locale, &limit));
		if (f->before)
			sw_html(&p->out, " <span class=\"muted\">%s %s</span>", W(p, "before", "部署前"), sw_word_seen(f->before, p->locale, &before));
		sw_buf_cat(&p->out, "</li>");
	}
	if (al.n_findings)
		sw_buf_cat(&p->out, "</ul>");
}

/* The newest news has the most links. */
static void news_links(struct page *p, const struct sw_row *r)
{
	struct sw_alert al;

	sw_alert_read(page_json(p, sw_row_text(r, "body"), sw_row_value(r, "body")->n), &p->a, &al);
	sw_buf_cat(&p->out, "<p>");
	for (size_t i = 0; i < SW_LINK_COUNT; i++)
		if (al.links[i] && i != SW_LINK_APPROVAL && i != SW_LINK_DASHBOARD) {
			sw_html_link(&p->out, al.links[i], link_words(p, i));
			sw_buf_putc(&p->out, ' ');
		}
	sw_buf_cat(&p->out, "</p>\n");
}

static void news(struct page *p, const char *alert)
{
	struct sw_rows rows;

	page_section(p, "news", W(p, "What was told", "消息经过"), "alerts deliveries");
	page_some(p, "news", 100, &rows, "alert", alert, NULL);
	sw_buf_cat(&p->out, "<ol class=\"timeline\">\n");
	for (size_t i = rows.n; i-- > 0;) {
		const struct sw_row *r = &rows.rows[i];
		const char *word = sw_word_news(sw_news_parse(sw_row_text(r, "news")), p->locale);

		sw_buf_cat(&p->out, "<li>");
		page_clock(p, sw_row_int(r, "at", 0));
		sw_html(&p->out, " <strong>%s</strong> ", word ? word : page_word(p, sw_row_text(r, "news")));
		news_body(p, r);
		sw_buf_cat(&p->out, "</li>\n");
	}
	sw_buf_cat(&p->out, "</ol>\n");
	if (rows.n)
		news_links(p, &rows.rows[0]);
	page_section_end(p);
}

static void attempts_of(struct page *p, const struct sw_rows *all, const struct sw_row *delivery)
{
	for (size_t i = all->n; i-- > 0;) {
		const struct sw_row *t = &all->rows[i];

		if (!sw_streq(sw_row_text(t, "channel"), sw_row_text(delivery, "channel")) || !sw_streq(sw_row_text(t, "news_id"), sw_row_text(delivery, "news_id")))
			continue;
		sw_buf_cat(&p->out, "<div class=\"try\">");
		page_clock(p, sw_row_int(t, "at", 0));
		sw_buf_putc(&p->out, ' ');
		sw_html_badge(p, sw_row_text(t, "class"));
		if (sw_row_text(t, "detail"))
			sw_html(&p->out, " %s", sw_row_text(t, "detail"));
		if (sw_row_int(t, "repeat", 0))
			sw_html(&p->out, " <span class=\"muted\">%s</span>", W(p, "may be a second copy", "可能重复"));
		sw_buf_cat(&p->out, "</div>");
	}
}

static void deliveries(struct page *p, const char *alert)
{
	const char *const heads[] = { W(p, "Channel", "渠道"), W(p, "News", "消息"), W(p, "When", "时间"), W(p, "Tries", "尝试"), W(p, "Why", "原因"), NULL };
	struct sw_rows rows, tries;
	struct table t;

	page_section(p, "ways", W(p, "Its way to people", "送达情况"), "deliveries alerts");
	page_some(p, "deliveries", 100, &rows, "alert", alert, NULL);
	page_some(p, "attempts", 300, &tries, "alert", alert, NULL);
	if (!rows.n) {
		page_empty(p, W(p, "It went to no channel: none is named for this place, or it was held back.", "没有发往任何渠道：未配置渠道，或被静默。"));
		page_section_end(p);
		return;
	}
	page_table(p, &t, W(p, "Deliveries", "送达"), heads);
	for (size_t i = 0; i < rows.n; i++) {
		const struct sw_row *r = &rows.rows[i];
		const char *word = sw_word_news(sw_news_parse(sw_row_text(r, "news")), p->locale);

		page_row(p, &t);
		page_cell(p, &t);
		sw_html_badge(p, sw_row_text(r, "state"));
		sw_html(&p->out, " %s", sw_row_text(r, "channel"));
		if (sw_row_int(r, "fallback", 0))
			sw_html(&p->out, " <span class=\"muted\">%s</span>", W(p, "instead of another", "备用"));
		page_cell(p, &t);
		sw_html_text(&p->out, word ? word : page_word(p, sw_row_text(r, "news")));
		page_cell(p, &t);
		page_clock(p, sw_row_int(r, "at", 0));
		page_cell(p, &t);
		attempts_of(p, &tries, r);
		page_cell(p, &t);
		page_words(p, sw_row_text(r, "why"), 160);
	}
	page_table_end(p, &t);
	page_section_end(p);
}

/* Those that its messages listed: the alert's own, where an event told them, else out of the pushes. */
static void commits(struct page *p, const char *alert)
{
	struct commits known = { 0 };
	struct commits_range r = { .found = COMMITS_PUSH };
	struct sw_rows rows;
	struct sw_alert al;

	page_some(p, "news", 1, &rows, "alert", alert, NULL);
	if (!rows.n)
		return;
	sw_alert_read(page_json(p, sw_row_text(&rows.rows[0], "body"), sw_row_value(&rows.rows[0], "body")->n), &p->a, &al);
	r.list = al.commits;
	r.n = al.n_commits;
	r.total = SW_MAX(al.commits_total, (int64_t)al.n_commits);
	if (!r.n)
		commits_find(&known, p->store, &p->a, &(struct commits_of){ .repo = al.repo, .branch = al.branch, .from = al.prev_sha, .to = al.sha, .at = sw_row_int(&rows.rows[0], "at", 0) }, &r);
	if (r.n || al.prev_sha)
		page_commits(p, &r, al.prev_sha, al.prev_sha || sw_streq(al.kind, "deployment") ? al.sha : NULL, al.links[SW_LINK_COMPARE]);
}

void page_alert(struct page *p)
{
	const struct sw_row *r;
	const char *summary;

	if (!page_one(p, "alerts", p->id, &r))
		return;
	summary = sw_row_text(r, "summary");
	sw_page_begin(p, "alerts", sw_arena_printf(&p->a, "%s%s%s%s%.200s", sw_row_text(r, "service") ? sw_row_text(r, "service") : "",
	                                           sw_row_text(r, "environment") ? "/" : "", sw_row_text(r, "environment") ? sw_row_text(r, "environment") : "",
	                                           sw_row_text(r, "service") ? ": " : "", summary && *summary ? summary : sw_row_text(r, "rule") ? sw_row_text(r, "rule") : p->id));
	page_section(p, "what", W(p, "What it is", "概要"), "alerts");
	alert_facts(p, r);
	page_section_end(p);
	news(p, p->id);
	commits(p, p->id);
	deliveries(p, p->id);
	sw_page_end(p);
}
