/* Lists on pages: filters as a form above, rows by what the query says, "older" below. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "dashboard/inner.h"
#include "shipwatch/mem.h"

static const struct { const char *name, *en, *zh; } labels[] = {
	{ "service", "Service", "服务" },     { "environment", "Environment", "环境" }, { "branch", "Branch", "分支" },   { "repo", "Repository", "仓库" },
	{ "status", "Status", "状态" },       { "verdict", "Verdict", "结论" },         { "since", "Since", "起始" },     { "until", "Until", "截止" },
	{ "ci_run_id", "CI run", "CI 运行" }, { "source", "Source", "来源" },           { "kind", "Kind", "类型" },       { "rule", "Rule", "规则" },
	{ "channel", "Channel", "渠道" },     { "state", "State", "状态" },             { "severity", "Severity", "级别" }, { "user", "By", "操作人" },
	{ "sha", "Commit", "提交" },          { "tag", "Tag", "标签" },                 { "class", "Class", "结果" },     { "action", "Action", "操作" },
	{ "who", "Who", "操作人" },           { "q", "Contains", "包含" },           { "what", "What", "决定" },       { "target", "About", "对象" },
};

static const char *label_of(struct page *p, const char *name)
{
	for (size_t i = 0; i < SW_COUNT(labels); i++)
		if (sw_streq(labels[i].name, name))
			return W(p, labels[i].en, labels[i].zh);
	return name;
}

static const struct sw_filter *filter_of(const struct sw_list *list, const char *name)
{
	for (size_t i = 0; i < list->n_filters; i++)
		if (sw_streq(list->filters[i].name, name))
			return &list->filters[i];
	return NULL;
}

void sw_page_filters(struct page *p, const struct sw_list *list, const char *const *names)
{
	struct sw_buf *b = &p->out;

	sw_html(b, "<form class=\"filters\" method=\"get\" action=\"%s\" aria-label=\"%s\">\n", p->req->path, W(p, "Filters", "筛选"));
	for (; *names; names++) {
		const struct sw_filter *f = filter_of(list, *names);
		const char *value = sw_page_query(p, *names);

		if (!f)
			continue;
		sw_html(b, "<label><span>%s</span>", label_of(p, f->name));
		if (f->words) {
			sw_html(b, "<select name=\"%s\"><option value=\"\">%s</option>", f->name, W(p, "any", "全部"));
			for (const char *const *w = f->words; *w; w++) {
				sw_html(b, "<option value=\"%s\"", *w);
				sw_buf_cat(b, sw_streq(value, *w) ? " selected>" : ">");
				sw_html(b, "%s</option>", dash_badge_word(p, *w));
			}
			sw_buf_cat(b, "</select>");
		} else {
			sw_html(b, "<input name=\"%s\" value=\"%s\" placeholder=\"%s\">", f->name, value, f->type == SW_COL_MS ? "24h" : "");
		}
		sw_buf_cat(b, "</label>\n");
	}
	sw_html(b, "<button>%s</button>", W(p, "Filter", "筛选"));
	if (*p->req->query)
		sw_html(b, " <a class=\"button quiet\" href=\"%s\">%s</a>", p->req->path, W(p, "Clear", "清除"));
	sw_buf_cat(b, "</form>\n");
}

void sw_page_older(struct page *p, const struct sw_rows *rows)
{
	const char *rest = dash_query_without(p, "cursor");
	bool later = sw_page_query(p, "cursor") != NULL;
	struct sw_buf *b = &p->out;

	if (!rows->next && !later)
		return;
	sw_html(b, "<nav class=\"pager\" aria-label=\"%s\">", W(p, "Pages", "分页"));
	if (later)
		sw_html(b, "<a class=\"button quiet\" href=\"%s%s%s\">%s</a>", p->req->path, *rest ? "?" : "", rest, W(p, "Newest", "最新"));
	if (rows->next) {
		sw_html(b, "<a class=\"button\" rel=\"next\" href=\"%s?%s%scursor=", p->req->path, rest, *rest ? "&" : "");
		sw_html_url(b, rows->next);
		sw_html(b, "\">%s</a>", W(p, "Older", "更早"));
	}
	sw_buf_cat(b, "</nav>\n");
}

bool sw_page_rows(struct page *p, const char *list, unsigned limit, struct sw_rows *ret)
{
	struct sw_list_query q = { .list = sw_list_find(list), .limit = limit, .cursor = sw_page_query(p, "cursor") };
	struct sw_err err = SW_ERR_INIT;
	int r;

	*ret = (struct sw_rows){ 0 };
	if (!p->store || !q.list) {
		sw_page_wrong(p, 503, W(p, "No history", "没有历史记录"), p->why && *p->why ? p->why : W(p, "There is no history yet.", "尚无历史记录。"));
		return false;
	}
	for (size_t i = 0; i < q.list->n_filters && q.n_filters < SW_QUERY_FILTERS; i++) {
		const char *value = sw_page_query(p, q.list->filters[i].name);

		if (value && *value) {
			q.filters[q.n_filters].name = q.list->filters[i].name;
			q.filters[q.n_filters++].value = value;
		}
	}
	r = sw_list_run(p->store, &q, &p->a, ret, &err);
	if (r == 0)
		return true;
	if (r == -EINVAL)
		sw_page_wrong(p, 400, W(p, "That cannot be asked", "无法查询"), err.text);
	else
		sw_page_wrong(p, 503, W(p, "The history does not answer", "历史记录没有回应"), err.text[0] ? err.text : strerror(-r));
	return false;
}
