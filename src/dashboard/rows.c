/* Rows that several pages show: deployments, builds, alerts, events, actions. Newest first, one line each, wide things last. */
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "dashboard/pages.h"
#include "model/words.h"

/* What a deployment came to, as one word for a badge. */
static const char *deployment_word(const struct sw_row *r)
{
	const char *status = sw_row_text(r, "status"), *verdict = sw_row_text(r, "verdict");

	return verdict && sw_streq(status, "success") ? verdict : status;
}

static void put_release(struct page *p, const char *version, const char *sha)
{
	if (version)
		page_words(p, version, 40);
	if (version && sha)
		sw_buf_putc(&p->out, ' ');
	if (sha || !version)
		sw_html_sha(p, sha);
}

static void put_line(struct page *p, const struct sw_row *r)
{
	page_branch(p, sw_row_text(r, "tag") ? sw_row_text(r, "tag") : sw_row_text(r, "branch"));
}

void page_deployments(struct page *p, const struct sw_rows *rows, bool place)
{
	const char *const all[] = { W(p, "Release", "版本"), W(p, "Place", "位置"), W(p, "When", "时间"), W(p, "By", "操作人"), W(p, "Branch", "分支"), W(p, "What", "内容"), NULL };
	const char *const here[] = { all[0], all[2], all[3], all[4], all[5], NULL };
	struct table t;

	page_table(p, &t, W(p, "Deployments", "部署"), place ? all : here);
	for (size_t i = 0; i < rows->n; i++) {
		const struct sw_row *r = &rows->rows[i];

		page_row(p, &t);
		page_cell(p, &t);
		sw_buf_cat(&p->out, "<span class=\"nowrap\">");
		sw_html_badge(p, deployment_word(r));
		sw_buf_cat(&p->out, " <a class=\"main\" href=\"/deployments/");
		sw_html_url(&p->out, sw_row_text(r, "deployment"));
		sw_buf_cat(&p->out, "\">");
		put_release(p, sw_row_text(r, "version"), sw_row_text(r, "sha"));
		sw_buf_cat(&p->out, "</a></span>");
		if (sw_row_int(r, "is_rollback", 0))
			sw_html(&p->out, " <span class=\"badge info\">%s</span>", W(p, "rollback", "回滚"));
		if (place) {
			page_cell(p, &t);
			page_place(p, sw_row_text(r, "service"), sw_row_text(r, "environment"), true);
		}
		page_cell(p, &t);
		page_ago(p, sw_row_int(r, "at", 0));
		page_cell(p, &t);
		page_name(p, sw_row_text(r, "user"));
		page_cell(p, &t);
		put_line(p, r);
		page_cell(p, &t);
		page_words(p, sw_row_text(r, "title"), 80);
	}
	page_table_end(p, &t);
}

void page_builds(struct page *p, const struct sw_rows *rows)
{
	const char *const heads[] = { W(p, "Build", "构建"), W(p, "When", "时间"), W(p, "#Duration", "#耗时"), W(p, "#Coverage", "#覆盖率"), W(p, "Commit", "提交"), W(p, "By", "操作人"),
	                              W(p, "What", "内容"), NULL };
	struct table t;

	page_table(p, &t, W(p, "Builds", "构建"), heads);
	for (size_t i = 0; i < rows->n; i++) {
		const struct sw_row *r = &rows->rows[i];

		page_row(p, &t);
		page_cell(p, &t);
		sw_html_badge(p, sw_row_text(r, "status"));
		sw_buf_cat(&p->out, " <a class=\"main\" href=\"/builds/");
		sw_html_url(&p->out, sw_row_text(r, "id"));
		sw_buf_cat(&p->out, "\">");
		page_words(p, sw_row_text(r, "repo") ? sw_row_text(r, "repo") : sw_row_text(r, "run"), 48);
		sw_buf_cat(&p->out, "</a> ");
		put_line(p, r);
		page_cell(p, &t);
		page_ago(p, sw_row_int(r, "at", 0));
		page_cell(p, &t);
		sw_html_dur(p, sw_row_num(r, "duration_ms", -1));
		page_cell(p, &t);
		page_value(p, SW_V_RATIO, sw_row_num(r, "coverage", NAN));
		page_cell(p, &t);
		sw_html_sha(p, sw_row_text(r, "sha"));
		page_cell(p, &t);
		page_name(p, sw_row_text(r, "user") ? sw_row_text(r, "user") : sw_row_text(r, "author"));
		page_cell(p, &t);
		page_words(p, sw_row_text(r, "title"), 80);
	}
	page_table_end(p, &t);
}

void page_alerts(struct page *p, const struct sw_rows *rows)
{
	const char *const heads[] = { W(p, "Alert", "告警"), W(p, "Place", "位置"), W(p, "When", "时间"), W(p, "Told last", "最近消息"), W(p, "In hand", "认领"), NULL };
	struct table t;

	page_table(p, &t, W(p, "Alerts", "告警"), heads);
	for (size_t i = 0; i < rows->n; i++) {
		const struct sw_row *r = &rows->rows[i];
		const char *summary = sw_row_text(r, "summary"), *rule = sw_row_text(r, "rule");
		const char *told = sw_word_news(sw_news_parse(sw_row_text(r, "news")), p->locale);

		page_row(p, &t);
		page_cell(p, &t);
		sw_html_badge(p, sw_row_text(r, "state"));
		sw_buf_putc(&p->out, ' ');
		if (sw_row_text(r, "severity") && !sw_streq(sw_row_text(r, "severity"), "info"))
			sw_html_badge(p, sw_row_text(r, "severity"));
		sw_buf_cat(&p->out, " <a class=\"main\" href=\"/alerts/");
		sw_html_url(&p->out, sw_row_text(r, "alert"));
		sw_buf_cat(&p->out, "\">");
		sw_html_cut(&p->out, summary && *summary ? summary : rule && *rule ? rule : sw_row_text(r, "alert"), 120);
		sw_buf_cat(&p->out, "</a>");
		if (summary && *summary && rule)
			sw_html(&p->out, " <span class=\"muted nowrap\">%s</span>", rule);
		page_cell(p, &t);
		page_place(p, sw_row_text(r, "service"), sw_row_text(r, "environment"), true);
		page_cell(p, &t);
		page_ago(p, sw_row_int(r, "at", 0));
		page_cell(p, &t);
		if (told)
			sw_html(&p->out, "%s%s", told, W(p, ", ", "，"));
		page_ago(p, sw_row_int(r, "last", 0));
		page_cell(p, &t);
		page_name(p, sw_row_text(r, "acked_by"));
	}
	page_table_end(p, &t);
}

void page_alert_lines(struct page *p, const struct sw_rows *rows)
{
	sw_buf_cat(&p->out, "<ul class=\"plain\">\n");
	for (size_t i = 0; i < rows->n; i++) {
		const struct sw_row *r = &rows->rows[i];
		const char *summary = sw_row_text(r, "summary"), *told = sw_word_news(sw_news_parse(sw_row_text(r, "news")), p->locale);

		sw_buf_cat(&p->out, "<li>");
		sw_html_badge(p, sw_row_text(r, "state"));
		sw_buf_putc(&p->out, ' ');
		page_to(p, "alerts", sw_row_text(r, "alert"), summary && *summary ? summary : sw_row_text(r, "rule"));
		sw_html(&p->out, "<br><span class=\"muted\">%s%s", told, told ? W(p, ", ", "，") : "");
		page_ago(p, sw_row_int(r, "last", 0));
		if (sw_row_text(r, "acked_by"))
			sw_html(&p->out, "%s <strong>%s</strong>", W(p, ", in the hands of", "，认领人"), sw_row_text(r, "acked_by"));
		sw_buf_cat(&p->out, "</span></li>\n");
	}
	sw_buf_cat(&p->out, "</ul>\n");
}

void page_events(struct page *p, const struct sw_rows *rows)
{
	const char *const heads[] = { W(p, "Event", "事件"), W(p, "When", "时间"), W(p, "Repository", "仓库"), W(p, "Place named", "声明的位置"), W(p, "Source", "来源"), W(p, "Run", "运行"),
	                              W(p, "What", "内容"), NULL };
	struct table t;

	page_table(p, &t, W(p, "Events", "事件"), heads);
	for (size_t i = 0; i < rows->n; i++) {
		const struct sw_row *r = &rows->rows[i];

		page_row(p, &t);
		page_cell(p, &t);
		sw_buf_cat(&p->out, "<span class=\"nowrap\">");
		page_to(p, "events", sw_row_text(r, "id"), sw_word_known(sw_row_text(r, "kind"), p->locale));
		sw_buf_putc(&p->out, ' ');
		if (sw_row_text(r, "status"))
			sw_html_badge(p, sw_row_text(r, "status"));
		sw_buf_cat(&p->out, "</span>");
		page_cell(p, &t);
		page_ago(p, sw_row_int(r, "at", 0));
		page_cell(p, &t);
		page_words(p, sw_row_text(r, "repo"), 40);
		sw_buf_putc(&p->out, ' ');
		put_line(p, r);
		page_cell(p, &t);
		page_place(p, sw_row_text(r, "service"), sw_row_text(r, "environment"), false);
		page_cell(p, &t);
		page_words(p, sw_row_text(r, "source"), 32);
		page_cell(p, &t);
		page_words(p, sw_row_text(r, "ci_run_id"), 40);
		page_cell(p, &t);
		page_words(p, sw_row_text(r, "title"), 60);
	}
	page_table_end(p, &t);
}

void page_actions(struct page *p, const struct sw_rows *rows)
{
	const char *const heads[] = { W(p, "Action", "操作"), W(p, "Place", "位置"), W(p, "When", "时间"), W(p, "Decided by", "决定人"), W(p, "Why", "原因"), NULL };
	struct table t;

	page_table(p, &t, W(p, "Actions", "操作"), heads);
	for (size_t i = 0; i < rows->n; i++) {
		const struct sw_row *r = &rows->rows[i];
		SW_CLEANUP(sw_buf_fini) struct sw_buf room = SW_BUF_INIT;

		page_row(p, &t);
		page_cell(p, &t);
		sw_html_badge(p, sw_row_text(r, "state"));
		sw_buf_putc(&p->out, ' ');
		page_to(p, "deployments", sw_row_text(r, "deployment"), sw_row_text(r, "action"));
		page_cell(p, &t);
		page_place(p, sw_row_text(r, "service"), sw_row_text(r, "environment"), true);
		page_cell(p, &t);
		page_ago(p, sw_row_int(r, "at", 0));
		page_cell(p, &t);
		page_name(p, sw_row_text(r, "decided_by"));
		page_cell(p, &t);
		page_words(p, sw_word_said(sw_row_text(r, "why"), p->locale, &room), 120);
	}
	page_table_end(p, &t);
}

void page_watches(struct page *p, const struct sw_rows *rows)
{
	const char *const heads[] = { W(p, "Watch", "观察"), W(p, "Place", "位置"), W(p, "Release", "版本"), W(p, "When", "时间"), W(p, "Reason", "原因"), NULL };
	struct table t;

	page_table(p, &t, W(p, "Watches", "观察"), heads);
	for (size_t i = 0; i < rows->n; i++) {
		const struct sw_row *r = &rows->rows[i];

		page_row(p, &t);
		page_cell(p, &t);
		sw_html_badge(p, sw_row_text(r, "verdict") ? sw_row_text(r, "verdict") : sw_row_text(r, "state"));
		sw_buf_putc(&p->out, ' ');
		page_to(p, "watches", sw_row_text(r, "watch"), sw_row_text(r, "rule"));
		page_cell(p, &t);
		page_place(p, sw_row_text(r, "service"), sw_row_text(r, "environment"), true);
		page_cell(p, &t);
		put_release(p, sw_row_text(r, "version"), sw_row_text(r, "sha"));
		page_cell(p, &t);
		page_ago(p, sw_row_int(r, "at", 0));
		page_cell(p, &t);
		page_words(p, sw_word_reason(sw_row_text(r, "reason"), p->locale), 60);
	}
	page_table_end(p, &t);
}
