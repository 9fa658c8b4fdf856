/* Approvals: what waits for a person, with what would happen and until when; and what was decided last. The first decision counts. */
#include <string.h>

#include "base/str.h"
#include "dashboard/pages.h"
#include "model/words.h"

static void put_silence(struct page *p, const struct sw_row *r)
{
	sw_html_text(&p->out, sw_row_int(r, "proceed", 0) ? W(p, "without an answer it begins", "无人答复则自动开始") : W(p, "without an answer nothing is done", "无人答复则不执行"));
}

static void put_buttons(struct page *p, const struct sw_row *r)
{
	const char *id = sw_row_text(r, "action_id");

	if (!page_operator(p)) {
		sw_html(&p->out, "<p class=\"muted\">%s</p>\n", W(p, "Operators decide; you are signed in as a viewer.", "由操作员决定；当前角色为查看者。"));
		return;
	}
	sw_buf_cat(&p->out, "<div class=\"actions\">");
	page_button(p, "/approvals/decide", "danger", sw_row_int(r, "rollback", 0) ? W(p, "Approve the rollback", "批准回滚") : W(p, "Approve", "批准"), "action", id, "decision", "approve", NULL);
	page_button(p, "/approvals/decide", "", W(p, "Refuse", "拒绝"), "action", id, "decision", "refuse", NULL);
	sw_buf_cat(&p->out, "</div>\n");
}

static void put_facts(struct page *p, const struct sw_row *r)
{
	const char *target = sw_row_text(r, "target"), *saw = sw_row_text(r, "saw"), *why = sw_row_text(r, "ask_why");

	sw_buf_cat(&p->out, "<dl class=\"facts\">\n");
	page_fact_begin(p, W(p, "Would do", "将执行"));
	sw_html(&p->out, "<code>%s</code>", sw_row_text(r, "action"));
	page_fact_end(p);
	page_fact_begin(p, W(p, "Takes back", "撤回"));
	page_to(p, "deployments", sw_row_text(r, "deployment"), NULL);
	sw_buf_putc(&p->out, ' ');
	sw_html_sha(p, sw_row_text(r, "sha"));
	page_fact_end(p);
	page_fact_begin(p, W(p, "Goes back to", "回滚到"));
	if (target)
		sw_html_sha(p, target);
	else
		sw_html(&p->out, "<span class=\"muted\">%s</span>", W(p, "what the action itself chooses", "由操作自行决定"));
	page_fact_end(p);
	page_fact(p, W(p, "Rule", "规则"), sw_row_text(r, "rule"));
	page_fact(p, W(p, "It saw", "触发原因"), saw);
	if (why)
		page_fact(p, W(p, "Asked because", "需要批准的原因"), sw_word_known(why, p->locale));
	page_fact_begin(p, W(p, "Asked until", "截止"));
	page_clock(p, sw_row_int(r, "deadline", 0));
	sw_buf_cat(&p->out, " (");
	page_ago(p, sw_row_int(r, "deadline", 0));
	sw_buf_cat(&p->out, W(p, "), ", ")，"));
	put_silence(p, r);
	page_fact_end(p);
	sw_buf_cat(&p->out, "</dl>\n");
}

void page_asking(struct page *p, const struct sw_row *r, bool whole)
{
	if (whole) {
		put_facts(p, r);
	} else {
		page_place(p, sw_row_text(r, "service"), sw_row_text(r, "environment"), true);
		sw_html(&p->out, " <a class=\"main\" href=\"/approvals\">%s</a> <code>%s</code> <span class=\"muted\">%s ",
		        sw_row_int(r, "rollback", 0) ? W(p, "roll back?", "是否回滚？") : W(p, "begin?", "是否执行？"), sw_row_text(r, "action"), W(p, "asked until", "截止"));
		page_clock(p, sw_row_int(r, "deadline", 0));
		sw_buf_cat(&p->out, W(p, ", ", "，"));
		put_silence(p, r);
		sw_buf_cat(&p->out, "</span>");
	}
	put_buttons(p, r);
}

void page_approvals(struct page *p)
{
	struct sw_rows rows;

	sw_page_begin(p, "approvals", W(p, "Approvals", "审批"));
	page_section(p, "waiting", W(p, "Waiting for a person", "等待决定"), "actions");
	page_some(p, "actions", 50, &rows, "state", "asking", NULL);
	for (size_t i = 0; i < rows.n; i++) {
		sw_buf_cat(&p->out, "<article class=\"ask\"><h3>");
		page_place(p, sw_row_text(&rows.rows[i], "service"), sw_row_text(&rows.rows[i], "environment"), true);
		sw_buf_cat(&p->out, "</h3>\n");
		page_asking(p, &rows.rows[i], true);
		sw_buf_cat(&p->out, "</article>\n");
	}
	if (!rows.n)
		page_empty(p, W(p, "Nothing waits. A rule with rollback: {approve: 10m} asks here before it takes a release back.", "没有等待的决定。规则中写有 rollback: {approve: 10m} 时，会在此请求批准。"));
	page_section_end(p);
	page_section(p, "decided", W(p, "Actions so far", "以往的操作"), "actions");
	page_some(p, "actions", 30, &rows, NULL);
	if (rows.n)
		page_actions(p, &rows);
	else
		page_empty(p, W(p, "No action was ever proposed.", "尚无操作。"));
	page_section_end(p);
	sw_page_end(p);
}
