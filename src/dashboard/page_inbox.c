/*
 * The inbox: what people were told, as each chat shows it. The channel's own plug-in renders the message, as it does for the robot; what
 * would be sent is read back and shown by chat.c.
 */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "dashboard/chat.h"
#include "dashboard/commits.h"
#include "dashboard/pages.h"
#include "model/words.h"
#include "plugins.h"

#define SHOWN     20
#define PARTS_MAX 4

/* In which way a message is looked at. Those between the first and the last are kinds of channels. */
static const struct look { const char *name, *en, *zh; } looks[] = {
	{ "chats", "Your chats", "已配置" }, { "dingtalk", "DingTalk", "钉钉" }, { "wecom", "WeCom", "企业微信" }, { "feishu", "Feishu", "飞书" }, { "slack", "Slack", "Slack" },
	{ "plain", "Plain text", "纯文本" } };
#define LOOK_PLAIN (SW_COUNT(looks) - 1)

/* ---- one message ---- */

/* The first channel of that kind; NULL: none is configured. */
static const struct sw_conf_channel *channel_of(struct page *p, const struct sw_channel *plugin)
{
	for (size_t i = 0; i < p->cfg->n_channels; i++)
		if (p->cfg->channels[i].plugin == plugin)
			return &p->cfg->channels[i];
	return NULL;
}

/* With the settings and the template of its channel, or none of them: nothing is sent from here, so an address does not matter. */
static void put_chat(struct page *p, const char *name, struct sw_alert *al)
{
	const struct sw_channel *plugin = sw_channel_find(name);
	const struct sw_conf_channel *c = channel_of(p, plugin);
	const void *conf = c ? c->conf : plugin ? sw_arena_alloc(&p->a, plugin->base.conf_size) : NULL;
	struct sw_err err = SW_ERR_INIT;
	int more = 1;

	al->tmpl = c ? c->tmpl : NULL;
	for (unsigned part = 0; plugin && more > 0 && part < PARTS_MAX; part++) {
		struct sw_job job = { 0 };

		more = plugin->render(conf, al, SW_SIZE_FULL, part, p->now, &p->a, &job, &err);
		if (more < 0) {
			sw_html(&p->out, "<p class=\"muted\">%s</p>", err.text);
			return;
		}
		sw_html(&p->out, "<div class=\"bubble %s\">", name);
		chat_message(&p->out, chat_kind_of(name), page_json(p, job.body, job.body_n));
		sw_buf_cat(&p->out, "</div>\n");
	}
}

static void put_plain(struct page *p, const struct sw_alert *al)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	sw_alert_text(al, SW_MARKUP_PLAIN, (size_t)16 * 1024, &b);
	sw_html(&p->out, "<pre class=\"msg\">%s</pre>\n", sw_buf_str(&b));
}

/* ---- the page ---- */

static void put_ways(struct page *p, const char *news_id)
{
	struct sw_rows rows;

	page_some(p, "deliveries", 10, &rows, "news_id", news_id, NULL);
	for (size_t i = 0; i < rows.n; i++) {
		sw_html(&p->out, "<span class=\"way\">%s ", sw_row_text(&rows.rows[i], "channel"));
		sw_html_badge(p, sw_row_text(&rows.rows[i], "state"));
		sw_buf_cat(&p->out, "</span>");
	}
}

/* Of the first look: the kinds that the configuration has a channel of; where it has none, two, to see what it would be like. */
static bool is_shown(struct page *p, const struct look *look, const struct look *kind)
{
	bool any = false;

	if (look != &looks[0])
		return look == kind;
	for (size_t i = 0; i < p->cfg->n_channels; i++) {
		const char *name = p->cfg->channels[i].plugin->base.name;

		if (sw_streq(name, kind->name))
			return true;
		any |= chat_kind_of(name) != CHAT_KINDS;
	}
	return !any && kind < &looks[3];
}

/* What the courier added: commits; the button to decide. Its link is a right that stands in no alert: here it leads to the page of those who sign in. */
static void as_sent(struct page *p, const struct sw_row *r, struct commits *known, struct sw_alert *al)
{
	sw_ms at = sw_row_int(r, "at", 0);

	commits_of_alert(known, p->store, &p->a, at, al);
	if (al->ask && al->ask_until <= at)
		al->ask = NULL;
	if (al->ask && p->cfg->gateway.approvals && p->cfg->hooks_url && p->cfg->public_url)
		al->links[SW_LINK_APPROVAL] = sw_arena_printf(&p->a, "%s/approvals", p->cfg->public_url);
}

static void message(struct page *p, const struct sw_row *r, const struct look *look, struct commits *known)
{
	struct sw_alert al;
	bool plain = look == &looks[LOOK_PLAIN];
	size_t n = 0;

	sw_alert_read(page_json(p, sw_row_text(r, "body"), sw_row_value(r, "body")->n), &p->a, &al);
	al.delivery = al.delivery ? al.delivery : sw_row_text(r, "news_id");
	al.locale = p->locale;
	al.tz_offset_s = sw_config_tz_offset(p->cfg, al.fired_at);
	as_sent(p, r, known, &al);
	sw_buf_cat(&p->out, "<article class=\"mail\"><header class=\"row\">");
	page_ago(p, sw_row_int(r, "at", 0));
	page_to(p, "alerts", sw_row_text(r, "alert"), sw_word_news(al.news, p->locale) ? sw_word_news(al.news, p->locale) : page_word(p, sw_row_text(r, "news")));
	page_place(p, al.service, al.environment, true);
	put_ways(p, sw_row_text(r, "news_id"));
	for (size_t i = 1; i < LOOK_PLAIN; i++)
		n += is_shown(p, look, &looks[i]);
	sw_buf_cat(&p->out, n > 1 ? "</header><div class=\"chats\">\n" : "</header><div class=\"chats single\">\n");
	for (size_t i = 1; i < LOOK_PLAIN; i++)
		if (is_shown(p, look, &looks[i])) {
			sw_html(&p->out, "<div class=\"chat\"><p class=\"chat-name\">%s</p>\n", W(p, looks[i].en, looks[i].zh));
			put_chat(p, looks[i].name, &al);
			sw_buf_cat(&p->out, "</div>\n");
		}
	if (plain)
		put_plain(p, &al);
	sw_buf_cat(&p->out, "</div></article>\n");
}

static const struct look *look_of(struct page *p)
{
	const char *want = sw_page_query(p, "as");

	for (size_t i = 0; i < SW_COUNT(looks); i++)
		if (sw_streq(looks[i].name, want))
			return &looks[i];
	return &looks[0];
}

void page_inbox(struct page *p)
{
	const char *channel = sw_page_query(p, "channel");
	const struct look *look = look_of(p);
	struct commits known = { 0 };
	struct sw_rows rows;

	if (!sw_page_rows(p, "news", SHOWN, &rows))
		return;
	sw_page_begin(p, "inbox", W(p, "Inbox", "消息"));
	sw_html(&p->out, "<p class=\"lead muted\">%s</p>\n", W(p, "What people were told, as their chat shows it. Newest first.", "发出的消息，按聊天软件的样式显示，从新到旧。"));
	sw_html(&p->out, "<nav class=\"tabs\" aria-label=\"%s\">", W(p, "Shown as", "显示为"));
	for (size_t i = 0; i < SW_COUNT(looks); i++) {
		sw_html(&p->out, "<a href=\"/inbox?as=%s", looks[i].name);
		if (channel && *channel) {
			sw_buf_cat(&p->out, "&amp;channel=");
			sw_html_url(&p->out, channel);
		}
		sw_html(&p->out, &looks[i] == look ? "\" aria-current=\"true\">%s</a>" : "\">%s</a>", W(p, looks[i].en, looks[i].zh));
	}
	sw_buf_cat(&p->out, "</nav>\n");
	sw_buf_cat(&p->out, sw_page_query(p, "cursor") ? "<div id=\"inbox\">\n" : "<div id=\"inbox\" data-live=\"alerts deliveries\">\n");
	for (size_t i = 0; i < rows.n; i++)
		message(p, &rows.rows[i], look, &known);
	if (!rows.n)
		page_empty(p, W(p, "No message yet. When an alert fires, it stands here as its chat shows it.", "尚无消息。告警触发后，会按聊天软件的样式显示在这里。"));
	sw_buf_cat(&p->out, "</div>\n");
	sw_page_older(p, &rows);
	sw_page_end(p);
}
