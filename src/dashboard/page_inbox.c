/*
 * The inbox: what people were told, as each chat shows it. The channel's own plug-in renders the message, as it does for the robot; what
 * would be sent is read back and shown by chat.c.
 */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "dashboard/chat.h"
#include "dashboard/pages.h"
#include "model/words.h"
#include "plugins.h"

#define SHOWN     20
#define PARTS_MAX 4

/* In which way a message is looked at. */
static const struct look { const char *name, *en, *zh; } looks[] = {
	{ "both", "DingTalk and WeCom", "钉钉与企业微信" }, { "dingtalk", "DingTalk", "钉钉" }, { "wecom", "WeCom", "企业微信" }, { "plain", "Plain text", "纯文本" } };

/* ---- one message ---- */

static void put_card_rows(struct page *p, const struct sw_jnode *card)
{
	const struct sw_jnode *rows = sw_jget(card, "horizontal_content_list");

	sw_html(&p->out, "<p class=\"chat-head\">%s</p><p>%s</p>", sw_jstr(sw_jget(card, "main_title"), "title"), sw_jstr(sw_jget(card, "main_title"), "desc"));
	sw_html(&p->out, "<p>%s</p><dl class=\"kv\">", sw_jstr(card, "sub_title_text"));
	for (const struct sw_jnode *r = rows ? rows->child : NULL; r; r = r->next)
		sw_html(&p->out, "<dt>%s</dt><dd>%s</dd>", sw_jstr(r, "keyname"), sw_jstr(r, "value"));
	sw_buf_cat(&p->out, "</dl>");
}

static void put_buttons(struct page *p, const struct sw_jnode *list, const char *title)
{
	for (const struct sw_jnode *b = list ? list->child : NULL; b; b = b->next)
		if (sw_jstr(b, title))
			sw_html(&p->out, "<span class=\"chat-button\">%s</span>", sw_jstr(b, title));
}

/* The body of the request, as the chat would show it. A link to approve is a right: it is shown as a button, not to be followed from here. */
static void put_body(struct page *p, enum chat_kind kind, const struct sw_jnode *body)
{
	const struct sw_jnode *markdown = sw_jget(body, "markdown"), *action = sw_jget(body, "actionCard"), *card = sw_jget(body, "template_card"), *text = sw_jget(body, "text");

	if (markdown) {
		chat_html(&p->out, kind, sw_jstr(markdown, kind == CHAT_DINGTALK ? "text" : "content"));
	} else if (action) {
		chat_html(&p->out, kind, sw_jstr(action, "text"));
		put_buttons(p, sw_jget(action, "btns"), "title");
	} else if (card) {
		put_card_rows(p, card);
		put_buttons(p, sw_jget(card, "jump_list"), "title");
	} else {
		sw_html(&p->out, "<p>%s</p>", sw_jstr(text, "content"));
	}
}

/* The settings of a channel of that kind, else none of them: nothing is sent from here, so an address does not matter. */
static const void *conf_of(struct page *p, const struct sw_channel *plugin)
{
	for (size_t i = 0; i < p->cfg->n_channels; i++)
		if (p->cfg->channels[i].plugin == plugin)
			return p->cfg->channels[i].conf;
	return sw_arena_alloc(&p->a, plugin->base.conf_size);
}

static void put_chat(struct page *p, const char *name, const struct sw_alert *al)
{
	const struct sw_channel *plugin = sw_channel_find(name);
	enum chat_kind kind = sw_streq(name, "wecom") ? CHAT_WECOM : CHAT_DINGTALK;
	struct sw_err err = SW_ERR_INIT;
	int more = 1;

	for (unsigned part = 0; plugin && more > 0 && part < PARTS_MAX; part++) {
		struct sw_job job = { 0 };

		more = plugin->render(conf_of(p, plugin), al, SW_SIZE_FULL, part, p->now, &p->a, &job, &err);
		if (more < 0) {
			sw_html(&p->out, "<p class=\"muted\">%s</p>", err.text);
			return;
		}
		sw_html(&p->out, "<div class=\"bubble %s\">", name);
		put_body(p, kind, page_json(p, job.body, job.body_n));
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

static void message(struct page *p, const struct sw_row *r, const char *look)
{
	struct sw_alert al;
	bool both = sw_streq(look, "both");

	sw_alert_read(page_json(p, sw_row_text(r, "body"), sw_row_value(r, "body")->n), &p->a, &al);
	al.delivery = al.delivery ? al.delivery : sw_row_text(r, "news_id");
	al.locale = p->locale;
	al.tz_offset_s = sw_config_tz_offset(p->cfg, al.fired_at);
	sw_buf_cat(&p->out, "<article class=\"mail\"><header class=\"row\">");
	page_ago(p, sw_row_int(r, "at", 0));
	page_to(p, "alerts", sw_row_text(r, "alert"), sw_word_news(al.news, p->locale) ? sw_word_news(al.news, p->locale) : page_word(p, sw_row_text(r, "news")));
	page_place(p, al.service, al.environment, true);
	put_ways(p, sw_row_text(r, "news_id"));
	sw_buf_cat(&p->out, both ? "</header><div class=\"chats\">\n" : "</header><div class=\"chats single\">\n");
	for (size_t i = 1; i <= 2; i++)
		if (both || sw_streq(look, looks[i].name)) {
			sw_html(&p->out, "<div class=\"chat\"><p class=\"chat-name\">%s</p>\n", W(p, looks[i].en, looks[i].zh));
			put_chat(p, looks[i].name, &al);
			sw_buf_cat(&p->out, "</div>\n");
		}
	if (sw_streq(look, "plain"))
		put_plain(p, &al);
	sw_buf_cat(&p->out, "</div></article>\n");
}

static const char *look_of(struct page *p)
{
	const char *want = sw_page_query(p, "as");

	for (size_t i = 0; i < SW_COUNT(looks); i++)
		if (sw_streq(looks[i].name, want))
			return looks[i].name;
	return looks[0].name;
}

void page_inbox(struct page *p)
{
	const char *look = look_of(p), *channel = sw_page_query(p, "channel");
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
		sw_html(&p->out, sw_streq(looks[i].name, look) ? "\" aria-current=\"true\">%s</a>" : "\">%s</a>", W(p, looks[i].en, looks[i].zh));
	}
	sw_buf_cat(&p->out, "</nav>\n");
	sw_buf_cat(&p->out, sw_page_query(p, "cursor") ? "<div id=\"inbox\">\n" : "<div id=\"inbox\" data-live=\"alerts deliveries\">\n");
	for (size_t i = 0; i < rows.n; i++)
		message(p, &rows.rows[i], look);
	if (!rows.n)
		page_empty(p, W(p, "No message yet. When an alert fires, it stands here as DingTalk and WeCom show it.", "尚无消息。告警触发后，会按钉钉和企业微信的样式显示在这里。"));
	sw_buf_cat(&p->out, "</div>\n");
	sw_page_older(p, &rows);
	sw_page_end(p);
}
