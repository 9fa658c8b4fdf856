/* Dead letters: what could not be handled, why, what it was; sent again or dropped by an operator. They live in Redis, not in the history. */
#include <string.h>

#include "base/str.h"
#include "dashboard/pages.h"

#define BODY_SHOWN ((size_t)16 * 1024)

static const char *kind_word(struct page *p, const char *kind)
{
	if (sw_streq(kind, "in"))
		return W(p, "event", "事件");
	if (sw_streq(kind, "work"))
		return W(p, "work", "任务");
	return sw_streq(kind, "alert") ? W(p, "message", "消息") : kind;
}

static void put_buttons(struct page *p, const char *id)
{
	sw_buf_cat(&p->out, "<div class=\"actions\">");
	page_button(p, "/dead/retry", "", W(p, "Try again", "重试"), "id", id, NULL);
	page_button(p, "/dead/drop", "danger", W(p, "Drop", "丢弃"), "id", id, NULL);
	sw_buf_cat(&p->out, "</div>");
}

/* ---- one ---- */

static void letter_body(struct page *p, const struct sw_jnode *d)
{
	const struct sw_jnode *body = sw_jget(d, "body"), *message = sw_jget(d, "message");

	body = body ? body : message;
	if (!body) {
		page_empty(p, W(p, "Its body is not kept.", "未保留其内容。"));
		return;
	}
	if (body->type == SW_J_STRING && body->text && *body->text) {
		const struct sw_jnode *tree = page_json(p, body->text, strlen(body->text));

		if (tree && (tree->type == SW_J_OBJECT || tree->type == SW_J_ARRAY)) {
			page_tree(p, tree);
		} else {
			sw_buf_cat(&p->out, "<pre class=\"log\">");
			sw_html_cut(&p->out, body->text, BODY_SHOWN);
			sw_buf_cat(&p->out, "</pre>\n");
		}
	} else {
		page_tree(p, body);
	}
}

void page_dead(struct page *p)
{
	const struct sw_jnode *d = p->dead;
	const char *what;

	if (!p->status) {
		sw_page_wrong(p, 503, W(p, "Redis does not answer", "Redis 没有回应"), W(p, "Dead letters live in Redis; they are shown again when it is back.", "死信保存在 Redis 中，恢复后再显示。"));
		return;
	}
	if (!d || d->type != SW_J_OBJECT) {
		sw_page_wrong(p, 404, W(p, "Not found", "未找到"), W(p, "There is no such dead letter: it was sent again, dropped, or never there.", "没有此死信：可能已重试、丢弃或从未存在。"));
		return;
	}
	what = sw_jstr(d, "aggregate") ? sw_jstr(d, "aggregate") : sw_jstr(d, "source");
	sw_page_begin(p, "dead", W(p, "Dead letter", "死信"));
	page_section(p, "what", W(p, "Why it is here", "原因"), NULL);
	sw_html(&p->out, "<p class=\"said bad\">%s</p>\n<dl class=\"facts\">\n", sw_jstr(d, "reason"));
	page_fact(p, W(p, "Kind", "类型"), kind_word(p, sw_jstr(d, "kind")));
	page_fact(p, W(p, "About", "关于"), what);
	page_fact_begin(p, W(p, "When", "时间"));
	page_clock(p, sw_jint(d, "at", 0));
	page_fact_end(p);
	page_fact(p, W(p, "Id", "编号"), sw_jstr(d, "id"));
	page_fact(p, W(p, "Entry", "条目"), sw_jstr(d, "own_id") ? sw_jstr(d, "own_id") : sw_jstr(d, "entry"));
	sw_buf_cat(&p->out, "</dl>\n");
	put_buttons(p, p->id);
	page_section_end(p);
	page_section(p, "body", W(p, "What it was", "内容"), NULL);
	letter_body(p, d);
	page_section_end(p);
	sw_page_end(p);
}

/* ---- the list ---- */

static void letters(struct page *p)
{
	const char *const heads[] = { W(p, "Letter", "死信"), W(p, "Why", "原因"), W(p, "When", "时间"), W(p, "", ""), NULL };
	const struct sw_jnode *last = NULL;
	struct table t;

	page_table(p, &t, W(p, "Dead letters", "死信"), heads);
	for (const struct sw_jnode *d = p->dead->child; d; d = d->next) {
		const char *what = sw_jstr(d, "aggregate");

		last = d;
		if (!what || !*what)
			what = sw_jstr(d, "source");
		page_row(p, &t);
		page_cell(p, &t);
		sw_html(&p->out, "<span class=\"badge dead\">%s</span> ", kind_word(p, sw_jstr(d, "kind")));
		page_to(p, "dead", sw_jstr(d, "id"), what && *what ? what : NULL);
		page_cell(p, &t);
		page_words(p, sw_jstr(d, "reason"), 240);
		page_cell(p, &t);
		page_ago(p, sw_jint(d, "at", 0));
		page_cell(p, &t);
		put_buttons(p, sw_jstr(d, "id"));
	}
	page_table_end(p, &t);
	if (p->dead->n >= 100 && last) {
		sw_buf_cat(&p->out, "<nav class=\"pager\"><a class=\"button\" href=\"/dead?from=");
		sw_html_url(&p->out, sw_jstr(last, "id"));
		sw_html(&p->out, "\">%s</a></nav>\n", W(p, "Older", "更早"));
	}
}

void page_dead_list(struct page *p)
{
	sw_page_begin(p, "dead", W(p, "Dead letters", "死信"));
	page_section(p, "list", W(p, "What could not be handled", "无法处理的内容"), "status decisions");
	if (!p->dead)
		page_empty(p, W(p, "Dead letters live in Redis, which does not answer right now.", "死信保存在 Redis 中，目前 Redis 没有回应。"));
	else if (!p->dead->child)
		page_empty(p, W(p, "None. What cannot be parsed, crashes its handler or cannot be delivered comes here instead of being lost.", "没有。无法解析、反复使处理崩溃或无法送达的内容会放在这里，不会丢失。"));
	else
		letters(p);
	page_section_end(p);
	sw_page_end(p);
}
