/* The frame of every page: head, navigation, banners, footer; language and theme; a page that says what is wrong. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "dashboard/inner.h"
#include "shipwatch/mem.h"

#define YEAR "31536000"

/* ---- what a visitor chose ---- */

void dash_set_cookie(struct page *p, const char *name, const char *value, const char *max_age)
{
	const char *url = p->cfg->public_url;
	bool hidden = strcmp(name, "sw_lang") != 0 && strcmp(name, "sw_theme") != 0;

	dash_header(p, "Set-Cookie",
	            sw_arena_printf(&p->a, "%s=%s; Path=/; SameSite=Strict%s%s; Max-Age=%s", name, value, hidden ? "; HttpOnly" : "",
	                            url && sw_starts(url, "https://") ? "; Secure" : "", max_age));
}

static const char *known(const char *s, const char *const *words)
{
	for (; s && *words; words++)
		if (sw_streq(s, *words))
			return *words;
	return NULL;
}

static const char *const langs[] = { "en", "zh", NULL }, *const themes[] = { "light", "dark", "auto", NULL };

void dash_page_choices(struct page *p)
{
	const char *lang = known(dash_cookie(p, "sw_lang"), langs), *theme = known(dash_cookie(p, "sw_theme"), themes);

	if (lang)
		p->locale = sw_streq(lang, "zh") ? SW_LOCALE_ZH : SW_LOCALE_EN;
	p->theme = sw_streq(theme, "auto") ? NULL : theme;
}

/* The query without the choices and without `but`; "" or "a=b&c=d". */
const char *dash_query_without(struct page *p, const char *but)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	const char *s = p->req->query;

	while (*s) {
		size_t n = strcspn(s, "&"), key = strcspn(s, "=&");
		bool out = (key == 4 && memcmp(s, "lang", 4) == 0) || (key == 5 && memcmp(s, "theme", 5) == 0) ||
		           (but && key == strlen(but) && memcmp(s, but, key) == 0);

		if (n && !out) {
			if (b.n)
				sw_buf_putc(&b, '&');
			sw_buf_catn(&b, s, n);
		}
		s += n + (s[n] == '&');
	}
	return sw_arena_strdup(&p->a, sw_buf_str(&b));
}

bool dash_page_chosen(struct page *p)
{
	const char *lang = known(sw_page_query(p, "lang"), langs), *theme = known(sw_page_query(p, "theme"), themes), *rest;

	if ((!lang && !theme) || strcmp(p->req->method, "POST") == 0 || dash_visit(p)->json)
		return false;
	if (lang)
		dash_set_cookie(p, "sw_lang", lang, YEAR);
	if (theme)
		dash_set_cookie(p, "sw_theme", theme, YEAR);
	rest = dash_query_without(p, NULL);
	dash_see(p, sw_arena_printf(&p->a, "%s%s%s", p->req->path, *rest ? "?" : "", rest));
	return true;
}

/* ---- a message for the next page ---- */

void dash_flash(struct page *p, bool good, const char *text)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	sw_buf_cat(&b, good ? "g." : "b.");
	sw_pct_encode(&b, text, SW_MIN(strlen(text), (size_t)600));
	dash_set_cookie(p, "sw_flash", sw_buf_str(&b), "60");
}

static void flash(struct page *p)
{
	const char *kept = dash_cookie(p, "sw_flash");
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	/* live.js asks for pieces of the page: the message is for the one who came. */
	if (!kept || sw_http_header(p->req, "x-shipwatch-live"))
		return;
	dash_set_cookie(p, "sw_flash", "", "0");
	if (strlen(kept) < 3 || kept[1] != '.' || sw_pct_decode(&b, kept + 2, strlen(kept + 2), false) < 0)
		return;
	sw_html(&p->out, "<p class=\"banner %s\" role=\"status\">%s</p>\n", kept[0] == 'g' ? "good" : "bad", sw_buf_str(&b));
}

/* ---- the frame ---- */

static const struct nav { const char *key, *path, *en, *zh; } nav[] = {
	{ "overview", "/", "Overview", "概览" },       { "builds", "/builds", "Builds", "构建" },     { "deployments", "/deployments", "Deployments", "部署" },
	{ "alerts", "/alerts", "Alerts", "告警" },     { "approvals", "/approvals", "Approvals", "审批" }, { "rules", "/rules", "Rules", "规则" },
	{ "events", "/events", "Events", "事件" },     { "silences", "/silences", "Silences", "静默" }, { "dead", "/dead", "Dead letters", "死信" },
	{ "inbox", "/inbox", "Inbox", "消息" },         { "status", "/status", "Status", "状态" },
};

static bool nav_there(const char *path)
{
	static const struct route *const tables[] = { sw_routes_pages, sw_routes_decide };

	for (size_t t = 0; t < SW_COUNT(tables); t++)
		for (const struct route *r = tables[t]; r->path; r++)
			if (strcmp(r->path, path) == 0 && strcmp(r->method, "GET") == 0)
				return true;
	return false;
}

static void nav_links(struct page *p, const char *here)
{
	long long dead = sw_jint(p->status, "dead", 0);

	sw_buf_cat(&p->out, "<ul>");
	for (size_t i = 0; i < SW_COUNT(nav); i++) {
		if (!nav_there(nav[i].path))
			continue;
		sw_html(&p->out, "<li><a href=\"%s\"", nav[i].path);
		if (sw_streq(nav[i].key, here))
			sw_buf_cat(&p->out, " aria-current=\"page\"");
		sw_html(&p->out, ">%s", W(p, nav[i].en, nav[i].zh));
		if (dead > 0 && sw_streq(nav[i].key, "dead"))
			sw_html(&p->out, " <span class=\"count\">%lld</span>", dead);
		sw_buf_cat(&p->out, "</a></li>");
	}
	sw_buf_cat(&p->out, "</ul>");
}

static void person(struct page *p)
{
	if (!p->who.name)
		return;
	sw_html(&p->out, "<div class=\"who\"><span title=\"%s\">%s</span>", p->who.role == SW_ROLE_OPERATOR ? W(p, "operator", "操作员") : W(p, "viewer", "查看者"),
	        p->who.name);
	if (p->who.session) {
		sw_buf_cat(&p->out, "<form method=\"post\" action=\"/sign-out\">");
		sw_page_csrf(p);
		sw_html(&p->out, "<button class=\"quiet\">%s</button></form>", W(p, "Sign out", "退出"));
	}
	sw_buf_cat(&p->out, "</div>");
}

static void header(struct page *p, const char *here)
{
	const char *menu = W(p, "Menu", "菜单");

	sw_html(&p->out, "<a class=\"skip\" href=\"#main\">%s</a>\n<header class=\"top\"><a class=\"brand\" href=\"/\"><svg aria-hidden=\"true\" viewBox=\"0 0 24 24\" width=\"22\" "
	                 "height=\"22\"><circle cx=\"12\" cy=\"12\" r=\"9\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"2\"/><path d=\"M12 12 18 7\" stroke=\"currentColor\" "
	                 "stroke-width=\"2\" stroke-linecap=\"round\"/><circle cx=\"12\" cy=\"12\" r=\"2\" fill=\"currentColor\"/></svg>Shipwatch</a>\n",
	        W(p, "Skip to the content", "跳到内容"));
	if (p->who.role > SW_ROLE_NOBODY) {
		sw_html(&p->out, "<nav class=\"wide\" aria-label=\"%s\">", menu);
		nav_links(p, here);
		sw_html(&p->out, "</nav>\n<form class=\"search\" role=\"search\" action=\"/search\"><input type=\"search\" name=\"q\" aria-label=\"%s\" placeholder=\"%s\"></form>\n",
		        W(p, "Search by an id, a commit, a branch", "按标识、提交或分支搜索"), W(p, "Id, commit, branch", "标识、提交、分支"));
	}
	person(p);
	if (p->who.role > SW_ROLE_NOBODY) {
		sw_html(&p->out, "<details class=\"menu\"><summary>%s</summary><nav aria-label=\"%s\">", menu, menu);
		nav_links(p, here);
		sw_buf_cat(&p->out, "</nav></details>\n");
	}
	sw_buf_cat(&p->out, "</header>\n");
}

static void banners(struct page *p)
{
	const struct sw_jnode *hold = sw_jget(p->status, "hold");
	struct dash *d = p->d;

	sw_buf_cat(&p->out, "<div id=\"banners\" data-live=\"status\">\n");
	flash(p);
	if (p->who.role > SW_ROLE_NOBODY) {
		/* An answer that is given before Redis was asked knows only whether it is reached. */
		if (!p->status && (dash_visit(p)->asked || !d->bus || !sw_bus_up(d->bus)))
			sw_html(&p->out, "<p class=\"banner bad\" role=\"alert\">%s</p>\n",
			        W(p, "Redis does not answer: what is live is not shown, and nothing can be decided. The history is as it was last.",
			          "Redis 没有回应：无法显示实时状态，也无法作出决定。历史记录停留在最后的状态。"));
		if (hold && hold->type == SW_J_OBJECT)
			sw_html(&p->out, "<p class=\"banner warn\" role=\"status\"><strong>%s</strong> %s %s%s%s</p>\n",
			        W(p, "Everything is on hold: no action starts.", "全部暂停：不会开始任何操作。"), W(p, "By", "操作人"), sw_jstr(hold, "by"),
			        sw_jstr(hold, "why") && *sw_jstr(hold, "why") ? W(p, ": ", "：") : "", sw_jstr(hold, "why"));
		if (!d->store)
			sw_html(&p->out, "<p class=\"banner warn\" role=\"status\">%s <span class=\"muted\">%s</span></p>\n", W(p, "There is no history yet.", "尚无历史记录。"), d->store_why);
		else if (d->recorder.pid <= 0)
			sw_html(&p->out, "<p class=\"banner warn\" role=\"status\">%s <span class=\"muted\">%s</span></p>\n",
			        W(p, "The recorder does not run: the history is not continued.", "记录进程未运行：历史记录不再更新。"), d->recorder.why);
	}
	sw_buf_cat(&p->out, "</div>\n");
}

void sw_page_begin(struct page *p, const char *here, const char *title)
{
	static const char *const scripts[] = { "live.js", "chart.js", "charts.js" };

	sw_html(&p->out, "<!DOCTYPE html>\n<html lang=\"%s\"", W(p, "en", "zh-CN"));
	if (p->theme)
		sw_html(&p->out, " data-theme=\"%s\"", p->theme);
	sw_html(&p->out, "><head><meta charset=\"utf-8\"><title>%s · Shipwatch</title>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
	                 "<meta name=\"color-scheme\" content=\"light dark\"><meta name=\"robots\" content=\"noindex\">\n",
	        title);
	sw_html(&p->out, "<link rel=\"stylesheet\" href=\"%s\"><link rel=\"stylesheet\" href=\"%s\"><link rel=\"icon\" href=\"%s\" type=\"image/svg+xml\">\n", dash_asset_path("style.css"), dash_asset_path("pages.css"), dash_asset_path("icon.svg"));
	for (size_t i = 0; i < SW_COUNT(scripts); i++)
		if (dash_asset_path(scripts[i]) && (i == 0 ? p->who.role > SW_ROLE_NOBODY : p->charts))
			sw_html(&p->out, "<script src=\"%s\" defer></script>\n", dash_asset_path(scripts[i]));
	sw_buf_cat(&p->out, "</head>\n<body>\n");
	header(p, here);
	sw_buf_cat(&p->out, "<main id=\"main\" tabindex=\"-1\">\n");
	banners(p);
	sw_html(&p->out, "<h1>%s</h1>\n", title);
}

/* A link to this page with one thing chosen otherwise; of an answer to a form, to the beginning. */
static void choice(struct page *p, const char *key, const char *value, const char *words, bool now)
{
	const char *rest = dash_query_without(p, NULL);
	bool post = strcmp(p->req->method, "POST") == 0;

	sw_html(&p->out, "<a href=\"%s?%s%s%s=%s\"", post ? "/" : p->req->path, post ? "" : rest, *rest && !post ? "&" : "", key, value);
	sw_buf_cat(&p->out, now ? " aria-current=\"true\">" : ">");
	sw_html(&p->out, "%s</a>", words);
}

void sw_page_end(struct page *p)
{
	sw_html(&p->out, "</main>\n<footer class=\"foot\"><div><span id=\"live\" class=\"live\" role=\"status\" data-on=\"%s\" data-off=\"%s\"></span></div>\n<div class=\"choices\"><span>%s</span>",
	        W(p, "live", "实时更新"), W(p, "not live: reload to see changes", "未实时更新：请刷新查看"), W(p, "Theme", "主题"));
	choice(p, "theme", "light", W(p, "light", "浅色"), sw_streq(p->theme, "light"));
	choice(p, "theme", "dark", W(p, "dark", "深色"), sw_streq(p->theme, "dark"));
	choice(p, "theme", "auto", W(p, "as the system", "跟随系统"), !p->theme);
	sw_buf_cat(&p->out, "</div><div class=\"choices\">");
	choice(p, "lang", "en", "English", p->locale == SW_LOCALE_EN);
	choice(p, "lang", "zh", "中文", p->locale == SW_LOCALE_ZH);
	sw_html(&p->out, "</div><div class=\"muted\">Shipwatch %s · %s</div></footer>\n</body></html>\n", p->d->opt->version, p->cfg->timezone ? p->cfg->timezone : "UTC");
}

void sw_page_csrf(struct page *p)
{
	sw_html(&p->out, "<input type=\"hidden\" name=\"csrf\" value=\"%s\">", p->who.csrf);
}

void sw_page_wrong(struct page *p, int http, const char *title, const char *detail)
{
	sw_buf_reset(&p->out);
	p->http = http;
	p->type = "text/html; charset=utf-8";
	p->location = NULL;
	sw_page_begin(p, "", title);
	sw_html(&p->out, "<div class=\"card wrong\"><p>%s</p><p><a href=\"/\">%s</a></p></div>\n", detail, W(p, "To the overview", "返回概览"));
	sw_page_end(p);
}
