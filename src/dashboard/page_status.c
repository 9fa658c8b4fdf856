/* How Shipwatch itself is: who works, what waits, what is on hold, how far the history is; and who decided what. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "dashboard/inner.h"
#include "dashboard/pages.h"

/* ---- decisions ---- */

/* Some of these words mean other things elsewhere: "release" is also a kind of event. */
static void put_decision(struct page *p, const char *what)
{
	static const struct { const char *what, *tone, *zh; } all[] = {
		{ "approve", "good", "批准" }, { "refuse", "warn", "拒绝" }, { "hold", "warn", "暂停" }, { "release", "good", "解除暂停" }, { "silence", "info", "静默" },
		{ "end", "info", "结束静默" }, { "ack", "good", "认领" }, { "cancel", "idle", "取消观察" }, { "label", "info", "评价" }, { "retry", "info", "重试死信" },
		{ "drop", "idle", "丢弃死信" }, { "deploy", "info", "登记部署" },
	};

	for (size_t i = 0; i < SW_COUNT(all); i++)
		if (sw_streq(all[i].what, what)) {
			sw_html(&p->out, "<span class=\"badge %s\">%s</span>", all[i].tone, W(p, what, all[i].zh));
			return;
		}
	sw_html_badge(p, what);
}

static const char *via_word(struct page *p, const char *via)
{
	static const char *const all[][2] = { { "command line", "命令行" }, { "dashboard", "看板" }, { "link", "消息中的链接" }, { "api", "接口" }, { "command", "命令" } };

	for (size_t i = 0; i < SW_COUNT(all); i++)
		if (sw_streq(all[i][0], via))
			return W(p, via, all[i][1]);
	return via;
}

void page_decisions(struct page *p)
{
	static const char *const filters[] = { "who", "what", "target", "service", "environment", "since", NULL };
	const char *const heads[] = { W(p, "What", "决定"), W(p, "Who", "操作人"), W(p, "About", "对象"), W(p, "When", "时间"), W(p, "Why", "原因"), W(p, "By way of", "方式"), NULL };
	struct sw_rows rows;
	struct table t;

	if (!sw_page_rows(p, "decisions", 50, &rows))
		return;
	sw_page_begin(p, "decisions", W(p, "Who decided what", "决定记录"));
	sw_page_filters(p, sw_list_find("decisions"), filters);
	page_section(p, "list", W(p, "Newest first", "从新到旧"), sw_page_query(p, "cursor") ? NULL : "decisions");
	if (rows.n) {
		page_table(p, &t, W(p, "Decisions", "决定"), heads);
		for (size_t i = 0; i < rows.n; i++) {
			const struct sw_row *r = &rows.rows[i];

			page_row(p, &t);
			page_cell(p, &t);
			put_decision(p, sw_row_text(r, "what"));
			page_cell(p, &t);
			page_words(p, sw_row_text(r, "who"), 40);
			page_cell(p, &t);
			page_words(p, sw_row_text(r, "target"), 60);
			if (sw_row_text(r, "service") && !strchr(sw_row_text(r, "target") ? sw_row_text(r, "target") : "", '/')) {
				sw_buf_putc(&p->out, ' ');
				page_place(p, sw_row_text(r, "service"), sw_row_text(r, "environment"), true);
			}
			page_cell(p, &t);
			page_ago(p, sw_row_int(r, "at", 0));
			page_cell(p, &t);
			page_words(p, sw_row_text(r, "why"), 120);
			page_cell(p, &t);
			page_words(p, via_word(p, sw_row_text(r, "via")), 40);
		}
		page_table_end(p, &t);
	} else {
		page_empty(p, *p->req->query ? W(p, "No decision fits these filters.", "没有符合筛选条件的决定。") : W(p, "Nobody decided anything yet.", "尚无决定。"));
	}
	sw_page_older(p, &rows);
	page_section_end(p);
	sw_page_end(p);
}

/* ---- status ---- */

static void put_figure(struct page *p, const char *name, int64_t n, const char *more)
{
	sw_html(&p->out, "<div class=\"figure\"><p class=\"big\">%lld</p><p class=\"muted\">%s", (long long)n, name);
	if (more)
		sw_html(&p->out, "<br>%s", more);
	sw_buf_cat(&p->out, "</p></div>\n");
}

static void put_waiting(struct page *p, const char *name, int64_t n, int64_t oldest)
{
	sw_html(&p->out, "<div class=\"figure\"><p class=\"big\">%lld</p><p class=\"muted\">%s", (long long)n, name);
	if (n) {
		sw_html(&p->out, "<br>%s ", W(p, "oldest", "最旧"));
		page_about(p, oldest);
	}
	sw_buf_cat(&p->out, "</p></div>\n");
}

static void queue(struct page *p)
{
	const struct sw_jnode *s = p->status;

	page_section(p, "queue", W(p, "What waits", "队列"), "status");
	sw_buf_cat(&p->out, "<div class=\"figures\">\n");
	put_waiting(p, W(p, "events to be taken in", "待接收的事件"), sw_jint(s, "in", 0), sw_jint(s, "in_oldest_ms", 0));
	put_waiting(p, W(p, "steps to be done", "待处理的步骤"), sw_jint(s, "work", 0), sw_jint(s, "work_oldest_ms", 0));
	put_figure(p, W(p, "timers set", "定时器"), sw_jint(s, "timers", 0), NULL);
	put_figure(p, W(p, "dead letters", "死信"), sw_jint(s, "dead", 0), NULL);
	put_figure(p, W(p, "entries of the journal", "日志条目"), sw_jint(s, "journal", 0), NULL);
	sw_buf_cat(&p->out, "</div>\n");
	page_section_end(p);
}

static void roles(struct page *p)
{
	const struct sw_jnode *w = sw_jget(p->status, "workers"), *g = sw_jget(p->status, "gateways");
	const char *const heads[] = { W(p, "Process", "进程"), W(p, "Heard of", "最近心跳"), W(p, "#In its spool", "#缓存"), NULL };
	struct table t;

	page_section(p, "roles", W(p, "Who works", "运行中的进程"), "status");
	page_table(p, &t, W(p, "Workers and gateways", "worker 与网关"), heads);
	for (const struct sw_jnode *x = w ? w->child : NULL; x; x = x->next) {
		page_row(p, &t);
		page_cell(p, &t);
		sw_html(&p->out, "<span class=\"badge info\">worker</span> %s", x->key);
		page_cell(p, &t);
		page_about(p, x->i);
		sw_html_text(&p->out, W(p, " ago", "前"));
		page_cell(p, &t);
	}
	for (const struct sw_jnode *x = g ? g->child : NULL; x; x = x->next) {
		page_row(p, &t);
		page_cell(p, &t);
		sw_html(&p->out, "<span class=\"badge info\">gateway</span> %s", x->key);
		page_cell(p, &t);
		page_about(p, sw_jint(x, "silent_ms", 0));
		sw_html_text(&p->out, W(p, " ago", "前"));
		page_cell(p, &t);
		page_value(p, SW_V_BYTES, (double)sw_jint(x, "spool_bytes", 0));
	}
	page_table_end(p, &t);
	if (!w || !w->n)
		sw_html(&p->out, "<p class=\"banner bad\">%s</p>\n", W(p, "No worker runs: events are kept and wait.", "没有正在运行的 worker：事件已保存并等待。"));
	page_section_end(p);
}

static void hold_line(struct page *p, const char *scope, const char *name, const struct sw_jnode *h)
{
	sw_buf_cat(&p->out, "<li class=\"row\">");
	sw_html_badge(p, "hold");
	sw_html(&p->out, "<strong>%s</strong> <span class=\"muted\">%s %s", name, W(p, "by", "操作人"), sw_jstr(h, "by"));
	if (sw_jstr(h, "why") && *sw_jstr(h, "why"))
		sw_html(&p->out, "%s%s", W(p, ": ", "："), sw_jstr(h, "why"));
	sw_buf_cat(&p->out, "</span>");
	page_button(p, "/hold/release", "", W(p, "Release", "解除"), "scope", scope, NULL);
	sw_buf_cat(&p->out, "</li>\n");
}

static void holds(struct page *p)
{
	const struct sw_jnode *list = sw_jget(p->status, "holds"), *all = sw_jget(p->status, "hold");
	bool whole = all && all->type == SW_J_OBJECT;

	page_section(p, "holds", W(p, "On hold", "已暂停"), "status decisions");
	sw_html(&p->out, "<p class=\"muted\">%s</p>\n", W(p, "A hold stops actions, a silence stops messages.", "暂停会阻止操作，静默会阻止消息。"));
	if (whole || (list && list->child)) {
		sw_buf_cat(&p->out, "<ul class=\"plain\">\n");
		if (whole)
			hold_line(p, "", W(p, "everything", "全部"), all);
		for (const struct sw_jnode *h = list ? list->child : NULL; h; h = h->next)
			hold_line(p, h->key, h->key, h);
		sw_buf_cat(&p->out, "</ul>\n");
	} else {
		page_empty(p, W(p, "Nothing is on hold.", "没有暂停。"));
	}
	if (page_operator(p)) {
		sw_buf_cat(&p->out, "<form class=\"filters\" method=\"post\" action=\"/hold\">");
		sw_page_csrf(p);
		page_field(p, "scope", W(p, "Service or place; empty: everything", "服务或位置；留空：全部"), "web/prod", "maxlength=\"200\"");
		page_field(p, "why", W(p, "Why", "原因"), "", "maxlength=\"200\"");
		sw_html(&p->out, "<button class=\"danger\">%s</button></form>\n", W(p, "Put on hold", "暂停"));
	}
	page_section_end(p);
}

static void channels(struct page *p)
{
	struct sw_rows rows;

	page_section(p, "messages", W(p, "Messages on their way", "发送中的消息"), "deliveries");
	page_some(p, "deliveries", 20, &rows, "state", "waits", NULL);
	if (!rows.n)
		page_empty(p, W(p, "None waits for its channel.", "没有等待发送的消息。"));
	else
		sw_buf_cat(&p->out, "<ul class=\"plain\">\n");
	for (size_t i = 0; i < rows.n; i++) {
		const struct sw_row *r = &rows.rows[i];

		sw_html(&p->out, "<li class=\"row\"><strong>%s</strong> ", sw_row_text(r, "channel"));
		page_to(p, "alerts", sw_row_text(r, "alert"), sw_row_text(r, "news"));
		page_ago(p, sw_row_int(r, "at", 0));
		page_words(p, sw_row_text(r, "why"), 100);
		sw_buf_cat(&p->out, "</li>\n");
	}
	if (rows.n)
		sw_buf_cat(&p->out, "</ul>\n");
	page_section_end(p);
}

static void history(struct page *p)
{
	struct dash_recording rec;
	const char *wrong;
	struct sw_rows gaps;

	dash_recording(p, &rec);
	wrong = dash_recording_wrong(&rec);
	page_section(p, "history", W(p, "The history", "历史记录"), "status");
	sw_buf_cat(&p->out, "<dl class=\"facts\">\n");
	page_fact_begin(p, W(p, "Recorder", "记录进程"));
	sw_html_badge(p, rec.runs ? "up" : "down");
	if (!rec.runs)
		sw_html(&p->out, " %s", rec.why);
	if (wrong && rec.runs) {
		sw_html_badge(p, "warning");
		sw_html(&p->out, " %s", sw_streq(wrong, "behind") ? W(p, "behind", "滞后") : W(p, "cannot write, see the log", "无法写入，见日志"));
	}
	page_fact_end(p);
	if (wrong && rec.waits > 0) {
		page_fact_begin(p, W(p, "Not recorded since", "未记录时长"));
		page_about(p, rec.waits);
		page_fact_end(p);
	}
	if (p->store) {
		const char *at = sw_store_position(p->store, &p->a);

		page_fact_begin(p, W(p, "Up to", "记录至"));
		page_clock(p, at ? strtoll(at, NULL, 10) : 0);
		page_fact_end(p);
	} else {
		page_fact(p, W(p, "File", "文件"), p->why);
	}
	sw_buf_cat(&p->out, "</dl>\n");
	page_some(p, "gaps", 5, &gaps, NULL);
	for (size_t i = 0; i < gaps.n; i++) {
		sw_html(&p->out, "<p class=\"banner warn\">%s ", W(p, "A piece is missing:", "有缺失："));
		sw_html_text(&p->out, sw_row_text(&gaps.rows[i], "why"));
		sw_buf_putc(&p->out, ' ');
		page_ago(p, sw_row_int(&gaps.rows[i], "at", 0));
		sw_buf_cat(&p->out, "</p>\n");
	}
	sw_html(&p->out, "<p><a href=\"/decisions\">%s</a></p>\n", W(p, "Who decided what", "决定记录"));
	page_section_end(p);
}

void page_status(struct page *p)
{
	sw_page_begin(p, "status", W(p, "Status", "状态"));
	if (p->status) {
		queue(p);
		sw_buf_cat(&p->out, "<div class=\"columns\"><div>\n");
		roles(p);
		history(p);
		sw_buf_cat(&p->out, "</div><div>\n");
		holds(p);
		channels(p);
		sw_buf_cat(&p->out, "</div></div>\n");
	} else {
		history(p);
	}
	sw_page_end(p);
}
