/*
 * The overview answers in this order: does anything need me now? What is going on? What runs where, and is it well? What came last?
 * Where nothing needs anybody it says so in one line.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "dashboard/inner.h"
#include "dashboard/pages.h"
#include "shipwatch/clock.h"

#define PLACES_MAX  200
#define FIRING_MAX  20
#define RUNNING_MAX 30
#define RECENT      12
#define LATE        (10 * SW_SECOND)

/* ---- what needs a person ---- */

struct needs { size_t n; };

/* One line: a badge, then what follows until need_end. */
static void need(struct page *p, struct needs *x, const char *word)
{
	sw_buf_cat(&p->out, x->n++ ? "</div></li>\n<li>" : "<ul class=\"needs\">\n<li>");
	sw_html_badge(p, word);
	sw_buf_cat(&p->out, "<div>");
}

static void need_asking(struct page *p, struct needs *x)
{
	struct sw_rows rows;

	page_some(p, "actions", FIRING_MAX, &rows, "state", "asking", NULL);
	for (size_t i = 0; i < rows.n; i++) {
		need(p, x, "asking");
		page_asking(p, &rows.rows[i], false);
	}
}

static void need_unknown(struct page *p, struct needs *x)
{
	struct sw_rows rows;

	page_some(p, "actions", 5, &rows, "state", "unknown", "since", "24h", NULL);
	for (size_t i = 0; i < rows.n; i++) {
		const struct sw_row *r = &rows.rows[i];

		need(p, x, "unknown");
		sw_html(&p->out, "<strong>%s</strong> ", W(p, "Nobody knows whether this action ran:", "无法确定此操作是否已执行："));
		page_to(p, "deployments", sw_row_text(r, "deployment"), sw_row_text(r, "action"));
		sw_buf_putc(&p->out, ' ');
		page_place(p, sw_row_text(r, "service"), sw_row_text(r, "environment"), true);
		sw_html(&p->out, " <span class=\"muted\">%s ", W(p, "Look at the place itself; it is not tried again.", "请直接检查该环境；不会重试。"));
		page_ago(p, sw_row_int(r, "last", 0));
		sw_buf_cat(&p->out, "</span>");
	}
}

static void need_firing(struct page *p, struct needs *x)
{
	struct sw_rows rows;

	page_some(p, "alerts", FIRING_MAX + 1, &rows, "state", "firing", NULL);
	for (size_t i = 0; i < rows.n && i < FIRING_MAX; i++) {
		const struct sw_row *r = &rows.rows[i];
		const char *summary = sw_row_text(r, "summary"), *by = sw_row_text(r, "acked_by");

		need(p, x, sw_row_text(r, "severity"));
		page_place(p, sw_row_text(r, "service"), sw_row_text(r, "environment"), true);
		sw_buf_cat(&p->out, " <a class=\"main\" href=\"/alerts/");
		sw_html_url(&p->out, sw_row_text(r, "alert"));
		sw_buf_cat(&p->out, "\">");
		sw_html_cut(&p->out, summary && *summary ? summary : sw_row_text(r, "rule"), 160);
		sw_html(&p->out, "</a> <span class=\"muted\">%s ", W(p, "firing since", "触发于"));
		page_ago(p, sw_row_int(r, "at", 0));
		if (by)
			sw_html(&p->out, "%s <strong>%s</strong>", W(p, ", in the hands of", "，认领人"), by);
		sw_buf_cat(&p->out, "</span>");
		if (!by)
			page_button(p, "/alerts/ack", "", W(p, "I have it", "我来处理"), "alert", sw_row_text(r, "alert"), NULL);
	}
	if (rows.n > FIRING_MAX) {
		need(p, x, "firing");
		sw_html(&p->out, "<a href=\"/alerts?state=firing\">%s</a>", W(p, "more alerts fire", "还有更多告警在触发"));
	}
}

static void need_held(struct page *p, struct needs *x)
{
	const struct sw_jnode *holds = sw_jget(p->status, "holds");

	for (const struct sw_jnode *h = holds ? holds->child : NULL; h; h = h->next) {
		need(p, x, "hold");
		sw_html(&p->out, "<strong>%s</strong> %s <span class=\"muted\">%s %s%s%s</span>", h->key, W(p, "is on hold: no action starts there.", "已暂停：不会在此开始任何操作。"),
		        W(p, "By", "操作人"), sw_jstr(h, "by"), sw_jstr(h, "why") && *sw_jstr(h, "why") ? W(p, ": ", "：") : "", sw_jstr(h, "why"));
		page_button(p, "/hold/release", "", W(p, "Release", "解除"), "scope", h->key, NULL);
	}
}

/* The system itself: nobody works, much waits, a gateway could not pass on what it took, dead letters. */
static void need_system(struct page *p, struct needs *x)
{
	const struct sw_jnode *s = p->status, *workers = sw_jget(s, "workers"), *gateways = sw_jget(s, "gateways");
	int64_t late = SW_MAX(sw_jint(s, "in_oldest_ms", 0), sw_jint(s, "work_oldest_ms", 0)), spooled = 0, dead = sw_jint(s, "dead", 0);

	if (!s)
		return;
	if (!workers || !workers->n) {
		need(p, x, "down");
		sw_html(&p->out, "<strong>%s</strong> <span class=\"muted\">%s</span>", W(p, "No worker runs.", "没有正在运行的 worker。"),
		        W(p, "Events are kept and wait; nothing is watched and nobody is told.", "事件已保存并等待；没有观察，也不会通知任何人。"));
	} else if (late > LATE) {
		need(p, x, "warning");
		sw_html(&p->out, "<a href=\"/status\">%s</a> ", W(p, "Work waits", "任务积压"));
		page_about(p, late);
	}
	for (const struct sw_jnode *g = gateways ? gateways->child : NULL; g; g = g->next)
		spooled += sw_jint(g, "spool_bytes", 0);
	if (spooled > 0) {
		need(p, x, "warning");
		sw_html(&p->out, "<a href=\"/status\">%s</a>", W(p, "A gateway keeps events in its spool", "网关缓存中有未入队的事件"));
	}
	if (dead > 0) {
		need(p, x, "dead");
		sw_buf_cat(&p->out, "<a href=\"/dead\">");
		page_number(p, dead, "dead letter", "dead letters", "封死信");
		sw_html(&p->out, "</a> <span class=\"muted\">%s</span>", W(p, "could not be handled: to be tried again, or dropped", "无法处理：请重试或丢弃"));
	}
}

/* The pages themselves: what they show is as old as what was recorded last. */
static void need_history(struct page *p, struct needs *x)
{
	struct dash_recording rec;
	const char *wrong;

	dash_recording(p, &rec);
	wrong = dash_recording_wrong(&rec);
	if (!wrong)
		return;
	need(p, x, sw_streq(wrong, "down") ? "down" : "warning");
	sw_html(&p->out, "<strong><a href=\"/status#history\">%s</a></strong> ", sw_streq(wrong, "down") ? W(p, "The recorder does not run.", "记录进程未运行。") :
	        sw_streq(wrong, "behind") ? W(p, "The history is behind.", "历史记录滞后。") : W(p, "The history cannot be written.", "历史记录无法写入。"));
	sw_buf_cat(&p->out, "<span class=\"muted\">");
	if (rec.waits > 0) {
		sw_html(&p->out, "%s ", W(p, "These pages lack what happened in the last", "页面缺少的时段：最近"));
		page_about(p, rec.waits);
		sw_html(&p->out, "%s ", W(p, ".", "。"));
	}
	if (sw_streq(wrong, "down"))
		sw_html(&p->out, "%s%s%s", rec.why, *rec.why ? W(p, "; ", "；") : "", W(p, "it is started again by itself and reads on where it was.", "它会自动重启并从中断处继续。"));
	else if (sw_streq(wrong, "behind"))
		sw_html(&p->out, "%s", W(p, "The recorder is catching up, or hangs.", "记录进程正在追赶，或已停止响应。"));
	else
		sw_html(&p->out, "%s", W(p, "The log says why: a full disk, a file that cannot be written, another program that holds it. It is tried again by itself.",
		                         "日志中有原因：磁盘已满、文件不可写，或被其他程序占用。会自动重试。"));
	sw_buf_cat(&p->out, "</span>");
}

static void need_silent(struct page *p, struct needs *x)
{
	for (size_t i = 0; p->store && i < p->cfg->n_sources; i++) {
		const struct sw_conf_source *s = &p->cfg->sources[i];
		sw_ms at = 0;

		if (!s->silent_after || sum_heard(p->store, s->name, &at) < 0 || !at || p->now - at < s->silent_after)
			continue;
		need(p, x, "warning");
		sw_html(&p->out, "%s <a href=\"/events?source=", W(p, "Nothing is heard of source", "来源没有消息："));
		sw_html_url(&p->out, s->name);
		sw_html(&p->out, "\">%s</a> <span class=\"muted\">%s ", s->name, W(p, "last", "最近"));
		page_ago(p, at);
		sw_buf_cat(&p->out, "</span>");
	}
}

static void needs(struct page *p)
{
	struct needs x = { 0 };

	page_section(p, "needs", W(p, "Needs you", "需要处理"), "alerts actions status decisions");
	need_asking(p, &x);
	need_firing(p, &x);
	need_unknown(p, &x);
	need_held(p, &x);
	need_system(p, &x);
	need_history(p, &x);
	need_silent(p, &x);
	if (x.n)
		sw_buf_cat(&p->out, "</div></li></ul>\n");
	else if (!p->status || !p->store)
		sw_html(&p->out, "<p class=\"muted\">%s</p>\n", W(p, "Not all of it is known right now, see above.", "目前信息不完整，见上方提示。"));
	else
		sw_html(&p->out, "<p class=\"calm\">%s</p>\n", W(p, "Nothing needs you: no alert fires, nothing waits for a decision.", "一切平静：没有触发中的告警，也没有等待的决定。"));
	page_section_end(p);
}

/* ---- what is going on ---- */

static void running_deployment(struct page *p, const struct sw_row *r)
{
	sw_buf_cat(&p->out, "<li><div class=\"row\">");
	sw_html_badge(p, sw_row_text(r, "status"));
	page_place(p, sw_row_text(r, "service"), sw_row_text(r, "environment"), true);
	sw_html(&p->out, "<span>%s ", W(p, "being deployed:", "正在部署："));
	page_to(p, "deployments", sw_row_text(r, "deployment"), sw_row_text(r, "version") ? sw_row_text(r, "version") : NULL);
	sw_buf_putc(&p->out, ' ');
	sw_html_sha(p, sw_row_text(r, "sha"));
	sw_buf_cat(&p->out, "</span> <span class=\"muted\">");
	page_ago(p, sw_row_int(r, "started", 0) ? sw_row_int(r, "started", 0) : sw_row_int(r, "at", 0));
	sw_buf_cat(&p->out, "</span></div></li>\n");
}

static void going_on(struct page *p)
{
	struct sw_rows watches, deps;
	size_t n = 0;

	page_section(p, "now", W(p, "Going on now", "正在进行"), "watches deployments");
	page_some(p, "deployments", RUNNING_MAX, &deps, "status", "running", "since", "6h", NULL);
	page_some(p, "watches", RUNNING_MAX, &watches, "open", "true", NULL);
	if (deps.n || watches.n)
		sw_buf_cat(&p->out, "<ul class=\"plain\">\n");
	for (size_t i = 0; i < deps.n; i++, n++)
		running_deployment(p, &deps.rows[i]);
	for (size_t i = 0; i < watches.n; i++, n++)
		page_open_watch(p, &watches.rows[i]);
	if (n)
		sw_buf_cat(&p->out, "</ul>\n");
	else
		page_empty(p, W(p, "No deployment is running and none is being watched. The next one appears here by itself.", "目前没有进行中的部署或观察；新的部署会自动显示在这里。"));
	page_section_end(p);
}

/* ---- places ---- */

static void place_mark(struct page *p, const struct sum_deployment *d, struct mark *ret)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	SW_CLEANUP(sw_buf_fini) struct sw_buf url = SW_BUF_INIT;

	sw_buf_printf(&b, "%s %s%s%.8s%s", page_word(p, sum_word(d)), d->version ? d->version : "", d->version ? " " : "", d->sha ? d->sha : "", W(p, ", ", "，"));
	sw_time_print_local(d->at, sw_config_tz_offset(p->cfg, d->at), true, &b);
	if (d->is_rollback)
		sw_buf_cat(&b, W(p, ", a rollback", "，回滚"));
	sw_pct_encode(&url, d->id, strlen(d->id));
	*ret = (struct mark){ .word = sum_word(d), .href = sw_arena_printf(&p->a, "/deployments/%s", sw_buf_str(&url)),
		              .title = sw_arena_strdup(&p->a, sw_buf_str(&b)) };
}

/* Is what runs there ill? */
static const char *place_tone(const struct sum_place *x)
{
	const char *word = x->n ? sum_word(&x->d[0]) : NULL;

	if (!word)
		return "none";
	if (sw_streq(word, "fail") || sw_streq(word, "failed"))
		return "bad";
	if (sw_streq(word, "pass"))
		return "good";
	return sw_streq(word, "inconclusive") || sw_streq(word, "rolled back") ? "warn" : sw_streq(word, "watching") || sw_streq(word, "running") ? "run" : "none";
}

static void place_tile(struct page *p, const struct sum_place *x)
{
	const struct sum_deployment *d = &x->d[0];
	struct mark marks[SUM_NEWEST];

	sw_html(&p->out, "<article class=\"tile t-%s\"><header><h4><a href=\"/deployments?service=", place_tone(x));
	sw_html_url(&p->out, x->service);
	sw_buf_cat(&p->out, "&amp;environment=");
	sw_html_url(&p->out, x->environment);
	sw_html(&p->out, "\">%s</a></h4>", x->environment);
	if (!x->n) {
		sw_html(&p->out, "</header><p class=\"muted\">%s</p></article>\n", W(p, "no deployment seen yet", "尚无部署"));
		return;
	}
	sw_html_badge(p, sum_word(d));
	sw_buf_cat(&p->out, "</header><p class=\"release\"><a href=\"/deployments/");
	sw_html_url(&p->out, d->id);
	sw_buf_cat(&p->out, "\">");
	if (d->version)
		sw_html_cut(&p->out, d->version, 28);
	else
		sw_html_sha(p, d->sha);
	sw_buf_cat(&p->out, "</a>");
	if (d->version && d->sha) {
		sw_buf_putc(&p->out, ' ');
		sw_html_sha(p, d->sha);
	}
	sw_buf_cat(&p->out, "</p><p class=\"muted\">");
	page_ago(p, d->at);
	if (d->user) {
		sw_buf_cat(&p->out, " · ");
		sw_html_cut(&p->out, d->user, 28);
	}
	sw_buf_cat(&p->out, "</p>");
	for (size_t i = 0; i < x->n; i++)
		place_mark(p, &x->d[x->n - 1 - i], &marks[i]);
	page_marks(p, W(p, "its last deployments, oldest first", "最近的部署，从旧到新"), marks, x->n);
	sw_buf_cat(&p->out, "</article>\n");
}

static int place_order(const void *a, const void *b)
{
	const struct sum_place *x = a, *y = b;
	int r = strcmp(x->service, y->service);

	return r ? r : strcmp(x->environment, y->environment);
}

static void places_add(struct sum_place *list, size_t *n, const char *service, const char *environment)
{
	for (size_t i = 0; i < *n; i++)
		if (sw_streq(list[i].service, service) && sw_streq(list[i].environment, environment))
			return;
	if (*n < PLACES_MAX)
		list[(*n)++] = (struct sum_place){ .service = service, .environment = environment };
}

static void places(struct page *p)
{
	struct sum_place *list = SW_ARENA_ARRAY(&p->a, struct sum_place, PLACES_MAX);
	struct sw_rows rows;
	size_t n = 0;

	page_section(p, "places", W(p, "What runs where", "运行情况"), "deployments watches actions");
	page_some(p, "places", PLACES_MAX, &rows, NULL);
	for (size_t i = 0; i < rows.n; i++)
		places_add(list, &n, sw_row_text(&rows.rows[i], "service"), sw_row_text(&rows.rows[i], "environment"));
	for (size_t i = 0; i < p->cfg->places.n; i++)
		if (!sw_streq(p->cfg->places.items[i].service, "*"))
			places_add(list, &n, p->cfg->places.items[i].service, p->cfg->places.items[i].environment);
	qsort(list, n, sizeof *list, place_order);
	if (p->store && sum_places(p->store, list, n, &p->a) < 0)
		sw_html(&p->out, "<p class=\"banner bad\" role=\"alert\">%s</p>\n", W(p, "The history does not answer.", "历史记录没有回应。"));
	if (n)
		sw_buf_cat(&p->out, "<div class=\"services\">\n");
	for (size_t i = 0; i < n; i++) {
		bool first = i == 0 || !sw_streq(list[i].service, list[i - 1].service), last = i + 1 == n || !sw_streq(list[i].service, list[i + 1].service);

		if (first)
			sw_html(&p->out, "<div class=\"service\"><h3>%s</h3><div class=\"tiles\">\n", list[i].service);
		place_tile(p, &list[i]);
		if (last)
			sw_buf_cat(&p->out, "</div></div>\n");
	}
	if (n)
		sw_buf_cat(&p->out, "</div>\n");
	if (!n)
		page_empty(p, W(p, "No place is configured and no deployment was seen. Name your services in the configuration under services:.", "尚未配置服务，也没有收到部署。请在配置的 services: 下声明服务。"));
	if (rows.next)
		sw_html(&p->out, "<p class=\"muted\">%s</p>\n", W(p, "The 200 places with the newest deployments are shown.", "仅显示最近有部署的 200 个位置。"));
	page_section_end(p);
}

static void recent(struct page *p)
{
	struct sw_rows rows;

	page_section(p, "recent", W(p, "Recent deployments", "最近的部署"), "deployments");
	page_some(p, "deployments", RECENT, &rows, NULL);
	if (rows.n) {
		page_deployments(p, &rows, true);
		sw_html(&p->out, "<p class=\"more\"><a href=\"/deployments\">%s</a></p>\n", W(p, "All deployments", "全部部署"));
	} else {
		page_empty(p, W(p, "Deployments appear here as soon as a git host or a CI job tells of one.", "代码平台或 CI 报告部署后会显示在这里。"));
	}
	page_section_end(p);
}

void page_overview(struct page *p)
{
	sw_page_begin(p, "overview", W(p, "Overview", "概览"));
	needs(p);
	going_on(p);
	places(p);
	recent(p);
	sw_page_end(p);
}
