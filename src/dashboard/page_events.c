/* Events: what sources told, one a line; and one of them whole, with what it belongs to. */
#include <string.h>

#include "base/str.h"
#include "dashboard/pages.h"

void page_event_list(struct page *p)
{
	static const char *const filters[] = { "source", "kind", "status", "repo", "branch", "service", "environment", "ci_run_id", "since", NULL };
	struct sw_rows rows;

	if (!sw_page_rows(p, "events", 50, &rows))
		return;
	sw_page_begin(p, "events", W(p, "Events", "事件"));
	sw_page_filters(p, sw_list_find("events"), filters);
	page_section(p, "list", W(p, "Newest first", "从新到旧"), sw_page_query(p, "cursor") ? NULL : "events");
	if (rows.n)
		page_events(p, &rows);
	else
		page_empty(p, *p->req->query ? W(p, "No event fits these filters.", "没有符合筛选条件的事件。")
		                             : W(p, "Nothing came in yet. Point a webhook of your git host at /hooks/<source> of the gateway.", "尚无事件。请将代码平台的 webhook 指向网关的 /hooks/<source>。"));
	sw_page_older(p, &rows);
	page_section_end(p);
	sw_page_end(p);
}

static void event_facts(struct page *p, const struct sw_row *r)
{
	const char *const texts[][2] = {
		{ W(p, "Source", "来源"), "source" }, { W(p, "Delivery", "投递编号"), "delivery" }, { W(p, "Event id", "事件编号"), "event_id" }, { W(p, "Repository", "仓库"), "repo" },
		{ W(p, "Branch", "分支"), "branch" }, { W(p, "Tag", "标签"), "tag" }, { W(p, "By", "操作人"), "user" }, { W(p, "Run", "运行编号"), "ci_run_id" },
		{ W(p, "Run by another name", "运行别名"), "ci_run_alias" } };

	sw_buf_cat(&p->out, "<dl class=\"facts\">\n");
	page_fact_begin(p, W(p, "Kind", "类型"));
	sw_html_badge(p, sw_row_text(r, "kind"));
	sw_buf_putc(&p->out, ' ');
	if (sw_row_text(r, "status"))
		sw_html_badge(p, sw_row_text(r, "status"));
	page_fact_end(p);
	page_fact_begin(p, W(p, "Arrived", "到达"));
	page_clock(p, sw_row_int(r, "at", 0));
	page_fact_end(p);
	page_fact_begin(p, sw_row_int(r, "claimed", 0) ? W(p, "Place", "位置") : W(p, "Place named", "声明的位置"));
	page_place(p, sw_row_text(r, "service"), sw_row_text(r, "environment"), sw_row_int(r, "claimed", 0) != 0);
	page_fact_end(p);
	page_fact_begin(p, W(p, "Commit", "提交"));
	sw_html_sha(p, sw_row_text(r, "sha"));
	page_fact_end(p);
	for (size_t i = 0; i < SW_COUNT(texts); i++)
		page_fact(p, texts[i][0], sw_row_text(r, texts[i][1]));
	page_fact_begin(p, W(p, "Links", "链接"));
	if (sw_row_text(r, "url"))
		sw_html_link(&p->out, sw_row_text(r, "url"), W(p, "at the host", "代码平台"));
	sw_buf_putc(&p->out, ' ');
	page_log_link(p, sw_row_text(r, "ci_run_id"));
	sw_buf_cat(&p->out, " <a href=\"/search?q=");
	sw_html_url(&p->out, sw_row_text(r, "ci_run_id") ? sw_row_text(r, "ci_run_id") : sw_row_text(r, "event_id"));
	sw_html(&p->out, "\">%s</a>", W(p, "everything that belongs to it", "相关的全部记录"));
	page_fact_end(p);
	sw_buf_cat(&p->out, "</dl>\n");
	page_fact_long(p, sw_row_text(r, "title"));
}

/* A member a line, so that long ones can be read. */
static void put_tree(struct page *p, const struct sw_jnode *node, unsigned depth)
{
	for (const struct sw_jnode *m = node ? node->child : NULL; m; m = m->next) {
		for (unsigned i = 0; i < depth; i++)
			sw_buf_cat(&p->out, "  ");
		if (m->key)
			sw_html(&p->out, "%s: ", m->key);
		switch (m->type) {
		case SW_J_NULL: sw_buf_cat(&p->out, "null\n"); break;
		case SW_J_FALSE: sw_buf_cat(&p->out, "false\n"); break;
		case SW_J_TRUE: sw_buf_cat(&p->out, "true\n"); break;
		case SW_J_NUMBER:
		case SW_J_STRING:
			sw_html_cut(&p->out, m->text, 4000);
			sw_buf_putc(&p->out, '\n');
			break;
		case SW_J_OBJECT:
		case SW_J_ARRAY:
			sw_buf_putc(&p->out, '\n');
			put_tree(p, m, depth + 1);
			break;
		}
	}
}

void page_tree(struct page *p, const struct sw_jnode *node)
{
	sw_buf_cat(&p->out, "<pre class=\"log\">");
	put_tree(p, node, 0);
	sw_buf_cat(&p->out, "</pre>\n");
}

void page_event(struct page *p)
{
	const struct sw_row *r;

	if (!page_one(p, "events", p->id, &r))
		return;
	sw_page_begin(p, "events", sw_arena_printf(&p->a, "%s%s", W(p, "Event: ", "事件："), sw_row_text(r, "repo") ? sw_row_text(r, "repo") : sw_row_text(r, "event_id")));
	page_section(p, "what", W(p, "What it is", "概要"), NULL);
	event_facts(p, r);
	page_section_end(p);
	page_section(p, "whole", W(p, "All of it, as Shipwatch understood it", "完整内容（Shipwatch 的理解）"), NULL);
	page_tree(p, page_json(p, sw_row_text(r, "ev"), sw_row_value(r, "ev")->n));
	page_section_end(p);
	sw_page_end(p);
}
