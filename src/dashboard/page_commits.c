/* The commits that a deployment brought or took back, with what is known of them and what is not. */
#include <string.h>

#include "base/str.h"
#include "dashboard/commits.h"
#include "dashboard/pages.h"

#define COMMITS_SHOWN 20 /* the others are folded */

static void put_commit(struct page *p, const struct sw_commit *c)
{
	bool link = c->url && (sw_starts(c->url, "https://") || sw_starts(c->url, "http://"));

	sw_buf_cat(&p->out, "<li>");
	if (link)
		sw_html_link(&p->out, c->url, sw_arena_printf(&p->a, "%.8s", c->sha ? c->sha : "?"));
	else
		sw_html_sha(p, c->sha);
	sw_buf_putc(&p->out, ' ');
	page_words(p, c->title, 140);
	sw_html(&p->out, " <span class=\"muted\">%s</span></li>\n", c->author);
}

static void put_list(struct page *p, const struct commits_range *r)
{
	size_t i = 0, shown = SW_MIN(r->n, (size_t)COMMITS_SHOWN);

	if (!r->n)
		return;
	sw_buf_cat(&p->out, "<ul class=\"commits\">\n");
	for (; i < shown; i++)
		put_commit(p, &r->list[i]);
	sw_buf_cat(&p->out, "</ul>\n");
	if (i == r->n)
		return;
	sw_html(&p->out, "<details><summary>%lld %s</summary><ul class=\"commits\">\n", (long long)(r->n - i), W(p, "more", "项"));
	for (; i < r->n; i++)
		put_commit(p, &r->list[i]);
	sw_buf_cat(&p->out, "</ul></details>\n");
}

static void put_from_to(struct page *p, const char *before, const char *from, const char *between, const char *to, const char *after)
{
	sw_html(&p->out, "%s ", before);
	sw_html_sha(p, from);
	if (to) {
		sw_html(&p->out, " %s ", between);
		sw_html_sha(p, to);
	}
	sw_html_text(&p->out, after);
}

/* One sentence about all of them. */
static void put_found(struct page *p, const struct commits_range *r, const char *from, const char *to)
{
	sw_buf_cat(&p->out, "<p class=\"muted\">");
	switch (r->found) {
	case COMMITS_ALL:
		if (r->total >= 0)
			page_number(p, r->total, "commit", "commits", "个提交");
		put_from_to(p, W(p, " since", "，自"), from, "", NULL, W(p, ", which ran before.", "（之前运行的版本）以来。"));
		break;
	case COMMITS_BACK:
		put_from_to(p, W(p, "It went back from", "已从"), from, W(p, "to", "回到"), to, W(p, ": these do not run any more.", "：以下提交不再运行。"));
		break;
	case COMMITS_SAME: sw_html_text(&p->out, W(p, "The same commit ran before: nothing changed.", "之前运行的是同一提交：没有变化。")); break;
	case COMMITS_PUSH:
		sw_html_text(&p->out, to ? W(p, "What ran before is not known: these are the commits of its push.", "之前运行的版本未知：以下是此次推送的提交。")
		                         : W(p, "These are the commits of its push.", "以下是此次推送的提交。"));
		break;
	case COMMITS_GAP:
		if (r->missing)
			put_from_to(p, W(p, "Not all are known: no push was seen that ended at", "提交不完整：没有收到以此结尾的推送："), r->missing, "", NULL, W(p, ".", "。"));
		else
			sw_html_text(&p->out, W(p, "Not all are known: the branch began with a push, and what is older was not pushed to it.", "提交不完整：分支从一次推送开始，更早的提交未推送到此分支。"));
		break;
	case COMMITS_FAR: sw_html_text(&p->out, W(p, "These are the newest; it was not looked further back.", "以下是最新的提交；没有继续向前查找。")); break;
	case COMMITS_NONE: sw_html_text(&p->out, W(p, "No push told of them.", "没有推送提到这些提交。")); break;
	}
	if (r->back && r->found != COMMITS_BACK && r->n)
		sw_html(&p->out, " %s", W(p, "It went back: these do not run any more.", "这是一次回退：以下提交不再运行。"));
	if (r->forced)
		sw_html(&p->out, " %s", W(p, "A push among these was forced: what it replaced is not here.", "其中有强制推送：被替换的提交不在此列。"));
	sw_buf_cat(&p->out, "</p>\n");
}

void page_commits(struct page *p, const struct commits_range *r, const char *from, const char *to, const char *compare)
{
	bool all = commits_complete(r);

	if (r->found == COMMITS_NONE && !compare)
		return;
	page_section(p, "commits", r->back && r->n ? W(p, "Commits that were taken back", "被撤回的提交") : W(p, "Commits", "提交"), NULL);
	put_found(p, r, from, to);
	put_list(p, r);
	if (r->found != COMMITS_FAR && r->found != COMMITS_GAP && r->total > (int64_t)r->n)
		sw_html(&p->out, "<p class=\"muted\">%lld %s</p>\n", (long long)(r->total - (int64_t)r->n), W(p, "more are not listed.", "项未列出。"));
	if (compare && !all) {
		sw_buf_cat(&p->out, "<p>");
		sw_html_link(&p->out, compare, W(p, "all of it at the host", "在代码平台查看全部"));
		sw_buf_cat(&p->out, "</p>\n");
	}
	page_section_end(p);
}
