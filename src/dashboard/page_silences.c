/* Silences: what is kept quiet and until when, a form for one more; maintenance of the configuration beside it. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "dashboard/pages.h"
#include "model/maintenance.h"

static void put_matchers(struct page *p, const struct sw_jnode *x)
{
	const char *const names[][2] = { { W(p, "service", "服务"), "service" }, { W(p, "environment", "环境"), "env" }, { W(p, "rule", "规则"), "rule" }, { W(p, "severity", "级别"), "severity" } };

	for (size_t i = 0; i < SW_COUNT(names); i++)
		if (sw_jstr(x, names[i][1]))
			sw_html(&p->out, "<span class=\"pair\"><span class=\"muted\">%s</span> %s</span> ", names[i][0], sw_jstr(x, names[i][1]));
}

static void silences(struct page *p, bool on)
{
	const char *const heads[] = { W(p, "Quiet", "静默"), W(p, "Until", "截止"), W(p, "By", "操作人"), W(p, "Why", "原因"), on ? W(p, "", "") : NULL, NULL };
	struct table t;

	page_table(p, &t, on ? W(p, "Silences in force", "生效中的静默") : W(p, "Silences that are over", "已结束的静默"), heads);
	for (const struct sw_jnode *x = p->silences->child; x; x = x->next) {
		if ((sw_jint(x, "until", 0) > p->now) != on)
			continue;
		page_row(p, &t);
		page_cell(p, &t);
		sw_html_badge(p, on ? sw_jbool(x, "maintenance", false) ? "maintenance" : "silence" : "over");
		sw_buf_putc(&p->out, ' ');
		put_matchers(p, x);
		page_cell(p, &t);
		page_clock(p, sw_jint(x, "until", 0));
		sw_buf_cat(&p->out, " <span class=\"muted\">(");
		page_ago(p, sw_jint(x, "until", 0));
		sw_buf_cat(&p->out, ")</span>");
		page_cell(p, &t);
		page_words(p, sw_jstr(x, "who"), 40);
		page_cell(p, &t);
		page_words(p, sw_jstr(x, "why"), 120);
		if (on) {
			page_cell(p, &t);
			page_button(p, "/silences/end", "", W(p, "End it", "结束"), "id", sw_jstr(x, "id"), NULL);
		}
	}
	page_table_end(p, &t);
}

static size_t count(struct page *p, bool on)
{
	size_t n = 0;

	for (const struct sw_jnode *x = p->silences ? p->silences->child : NULL; x; x = x->next)
		n += (sw_jint(x, "until", 0) > p->now) == on;
	return n;
}

static void put_select(struct page *p, const char *name, const char *label, const char *const (*options)[2], size_t n)
{
	sw_html(&p->out, "<label><span>%s</span><select name=\"%s\">", label, name);
	for (size_t i = 0; i < n; i++)
		sw_html(&p->out, "<option value=\"%s\">%s</option>", options[i][0], options[i][1]);
	sw_buf_cat(&p->out, "</select></label>\n");
}

/* The fields may come filled in from a link of another page. */
static void put_field(struct page *p, const char *name, const char *label, const char *hint)
{
	const char *value = sw_page_query(p, name);

	sw_html(&p->out, "<label><span>%s</span><input name=\"%s\" value=\"%s\" placeholder=\"%s\" maxlength=\"200\"></label>\n", label, name, value, hint);
}

static void form(struct page *p)
{
	const char *const times[][2] = { { "30m", W(p, "30 minutes", "30 分钟") }, { "1h", W(p, "1 hour", "1 小时") }, { "4h", W(p, "4 hours", "4 小时") }, { "12h", W(p, "12 hours", "12 小时") },
		                         { "1d", W(p, "1 day", "1 天") }, { "7d", W(p, "7 days", "7 天") } };
	const char *const grades[][2] = { { "", W(p, "any", "全部") }, { "info", W(p, "info", "提示") }, { "warning", W(p, "warning", "警告") }, { "critical", W(p, "critical", "严重") } };

	page_section(p, "add", W(p, "Add a silence", "新增静默"), NULL);
	sw_html(&p->out, "<p class=\"muted\">%s</p>\n", W(p, "Messages that fit are held back until it is over; what is still so then is told. A * fits anything. Rollbacks go on, unless it is maintenance.",
	                                                  "符合条件的消息在期间内不发送，结束时仍存在的会补发。* 匹配任意内容。除非选择维护，回滚照常进行。"));
	sw_buf_cat(&p->out, "<form class=\"form wide-form\" method=\"post\" action=\"/silences/add\">");
	sw_page_csrf(p);
	sw_buf_cat(&p->out, "<div class=\"fields\">\n");
	put_field(p, "service", W(p, "Service", "服务"), "web, pay-*");
	put_field(p, "env", W(p, "Environment", "环境"), "prod*");
	put_field(p, "rule", W(p, "Rule", "规则"), "");
	put_select(p, "severity", W(p, "Severity", "级别"), grades, SW_COUNT(grades));
	put_select(p, "for", W(p, "For", "时长"), times, SW_COUNT(times));
	put_field(p, "why", W(p, "Why", "原因"), W(p, "told with what it holds back", "会随被静默的内容一起告知"));
	sw_html(&p->out, "</div>\n<label class=\"check\"><input type=\"checkbox\" name=\"maintenance\" value=\"1\">%s</label>\n<button class=\"primary\">%s</button></form>\n",
	        W(p, "It is maintenance: no action starts by itself either", "这是维护：期间也不自动执行操作"), W(p, "Add", "新增"));
	page_section_end(p);
}

static void maintenance(struct page *p)
{
	if (!p->cfg->n_maintenance)
		return;
	page_section(p, "windows", W(p, "Maintenance windows of the configuration", "配置中的维护窗口"), NULL);
	sw_buf_cat(&p->out, "<ul class=\"plain\">\n");
	for (size_t i = 0; i < p->cfg->n_maintenance; i++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
		sw_ms until;

		sw_maintenance_print(&p->cfg->maintenance[i], &b);
		sw_html(&p->out, "<li>%s", sw_buf_str(&b));
		if (sw_maintenance_on(&p->cfg->maintenance[i], p->now, &until)) {
			sw_html(&p->out, " <span class=\"badge warn\">%s</span> ", W(p, "now", "进行中"));
			page_ago(p, until);
		}
		sw_buf_cat(&p->out, "</li>\n");
	}
	sw_buf_cat(&p->out, "</ul>\n");
	page_section_end(p);
}

void page_silence_list(struct page *p)
{
	sw_page_begin(p, "silences", W(p, "Silences", "静默"));
	page_section(p, "list", W(p, "In force", "生效中"), "decisions status");
	if (!p->silences)
		page_empty(p, W(p, "Silences live in Redis, which does not answer right now.", "静默保存在 Redis 中，目前 Redis 没有回应。"));
	else if (!count(p, true))
		page_empty(p, W(p, "Nothing is silenced: everybody is told everything.", "没有静默：所有消息照常发送。"));
	else
		silences(p, true);
	page_section_end(p);
	if (page_operator(p))
		form(p);
	maintenance(p);
	if (count(p, false)) {
		page_section(p, "over", W(p, "Over, of the last day", "最近一天内结束的"), NULL);
		silences(p, false);
		page_section_end(p);
	}
	sw_page_end(p);
}
