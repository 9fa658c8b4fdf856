/*
 * Messages and cards of chats, as HTML: the JSON that a channel renders is walked and each piece drawn as its chat draws it. Shapes that our
 * channels do not use (yet) are known as far as they are usual; what is not known is shown as the JSON it is, so that nothing is dropped.
 */
#include "dashboard/chat.h"

#include <stdio.h>
#include <string.h>

#include "base/html.h"
#include "base/str.h"

#define NEST_MAX 4              /* columns within columns */
#define RAW_MAX  ((size_t)4000) /* bytes of what is not known */
#define EACH(x, list) for (const struct sw_jnode *x = (list) ? (list)->child : NULL; x; x = x->next)

static const char *const names[CHAT_KINDS] = { "dingtalk", "wecom", "feishu", "slack" };

enum chat_kind chat_kind_of(const char *channel)
{
	for (size_t i = 0; i < SW_COUNT(names); i++)
		if (sw_streq(names[i], channel))
			return (enum chat_kind)i;
	return CHAT_KINDS;
}

/* ---- pieces ---- */

/* Text without markup; line ends are kept by the style. Nothing for NULL. */
static void put_words(struct sw_buf *out, const char *class, const char *text)
{
	if (!text || !*text)
		return;
	sw_buf_printf(out, "<p class=\"chat-words%s%s\">", *class ? " " : "", class);
	sw_html_text(out, text);
	sw_buf_cat(out, "</p>\n");
}

static void put_raw(struct sw_buf *out, const struct sw_jnode *node)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;

	if (!node)
		return;
	if (node->type == SW_J_STRING) {
		put_words(out, "", node->text);
		return;
	}
	sw_jw_init(&w, &b);
	sw_jw_node(&w, NULL, node);
	sw_buf_cat(out, "<pre class=\"chat-raw\">");
	sw_html_cut(out, sw_buf_str(&b), RAW_MAX);
	sw_buf_cat(out, "</pre>\n");
}

static bool is_url(const char *url)
{
	return url && (sw_starts(url, "https://") || sw_starts(url, "http://"));
}

static void put_button(struct sw_buf *out, const char *words, const char *url, const char *style)
{
	const char *element = is_url(url) ? "a" : "span", *tone = sw_streq(style, "primary") || sw_streq(style, "danger") ? style : "plain";

	sw_buf_printf(out, "<%s class=\"chat-button %s\"", element, tone);
	if (*element == 'a') {
		sw_buf_cat(out, " rel=\"noreferrer noopener\" href=\"");
		sw_html_text(out, url);
		sw_buf_putc(out, '"');
	}
	sw_buf_putc(out, '>');
	sw_html_text(out, words && *words ? words : "–");
	sw_buf_printf(out, "</%s>", element);
}

/* ---- DingTalk, WeCom ---- */

static void dingtalk_card(struct sw_buf *out, const struct sw_jnode *card)
{
	const char *one = sw_jstr(card, "singleTitle");

	chat_html(out, CHAT_DINGTALK, sw_jstr(card, "text"));
	EACH(b, sw_jget(card, "btns"))
		put_button(out, sw_jstr(b, "title"), sw_jstr(b, "actionURL"), NULL);
	if (one)
		put_button(out, one, sw_jstr(card, "singleURL"), NULL);
}

static void wecom_card(struct sw_buf *out, const struct sw_jnode *card)
{
	const struct sw_jnode *main = sw_jget(card, "main_title"), *large = sw_jget(card, "emphasis_content"), *quote = sw_jget(card, "quote_area");

	put_words(out, "chat-small", sw_jstr(sw_jget(card, "source"), "desc"));
	put_words(out, "chat-head", sw_jstr(main, "title"));
	put_words(out, "", sw_jstr(main, "desc"));
	put_words(out, "chat-head", sw_jstr(large, "title"));
	put_words(out, "chat-small", sw_jstr(large, "desc"));
	put_words(out, "chat-small", sw_jstr(quote, "quote_text"));
	put_words(out, "", sw_jstr(card, "sub_title_text"));
	sw_buf_cat(out, "<dl class=\"kv\">");
	EACH(r, sw_jget(card, "horizontal_content_list")) {
		sw_buf_cat(out, "<dt>");
		sw_html_text(out, sw_jstr(r, "keyname"));
		sw_buf_cat(out, "</dt><dd>");
		sw_html_text(out, sw_jstr(r, "value"));
		sw_buf_cat(out, "</dd>");
	}
	sw_buf_cat(out, "</dl>\n");
	EACH(b, sw_jget(card, "jump_list"))
		put_button(out, sw_jstr(b, "title"), sw_jstr(b, "url"), NULL);
}

/* Both have these members, and both name what they send. */
static void robot_message(struct sw_buf *out, enum chat_kind kind, const struct sw_jnode *body)
{
	const char *type = sw_jstr(body, "msgtype");
	const struct sw_jnode *what = type ? sw_jget(body, type) : NULL;

	if (what && sw_streq(type, "text"))
		put_words(out, "", sw_jstr(what, "content"));
	else if (what && sw_starts(type, "markdown"))
		chat_html(out, kind, sw_jstr(what, kind == CHAT_DINGTALK ? "text" : "content"));
	else if (what && sw_streq(type, "actionCard"))
		dingtalk_card(out, what);
	else if (what && sw_streq(type, "template_card"))
		wecom_card(out, what);
	else
		put_raw(out, body);
}

/* ---- Feishu ---- */

/* {tag: plain_text | lark_md | markdown, content} */
static void feishu_words(struct sw_buf *out, const struct sw_jnode *t)
{
	const char *tag = sw_jstr(t, "tag"), *content = sw_jstr(t, "content");

	if (!content)
		put_raw(out, t);
	else if (sw_streq(tag, "plain_text"))
		put_words(out, "", content);
	else
		chat_html(out, CHAT_FEISHU, content);
}

/* Where a button leads: its behaviour (cards of version 2), or the members that were before. */
static const char *feishu_url(const struct sw_jnode *button)
{
	const char *url = sw_jstr(button, "url");

	EACH(b, sw_jget(button, "behaviors"))
		if (sw_streq(sw_jstr(b, "type"), "open_url"))
			return sw_jstr(b, "default_url");
	return url ? url : sw_jstr(sw_jget(button, "multi_url"), "url");
}

static void feishu_button(struct sw_buf *out, const struct sw_jnode *b)
{
	const char *type = sw_jstr(b, "type");

	put_button(out, sw_jstr(sw_jget(b, "text"), "content"), feishu_url(b), sw_starts(type ? type : "", "primary") ? "primary" : sw_starts(type ? type : "", "danger") ? "danger" : NULL);
}

static void feishu_elements(struct sw_buf *out, const struct sw_jnode *list, unsigned nest);

static void feishu_columns(struct sw_buf *out, const struct sw_jnode *set, unsigned nest)
{
	sw_buf_cat(out, "<div class=\"chat-columns\">\n");
	EACH(c, sw_jget(set, "columns")) {
		sw_buf_cat(out, "<div>");
		feishu_elements(out, sw_jget(c, "elements"), nest + 1);
		sw_buf_cat(out, "</div>\n");
	}
	sw_buf_cat(out, "</div>\n");
}

static void feishu_div(struct sw_buf *out, const struct sw_jnode *e)
{
	if (sw_jget(e, "text"))
		feishu_words(out, sw_jget(e, "text"));
	if (!sw_jget(e, "fields"))
		return;
	sw_buf_cat(out, "<div class=\"chat-fields\">\n");
	EACH(f, sw_jget(e, "fields")) {
		sw_buf_cat(out, sw_jbool(f, "is_short", false) ? "<div>" : "<div class=\"long\">");
		feishu_words(out, sw_jget(f, "text"));
		sw_buf_cat(out, "</div>\n");
	}
	sw_buf_cat(out, "</div>\n");
}

static void feishu_element(struct sw_buf *out, const struct sw_jnode *e, unsigned nest)
{
	const char *tag = sw_jstr(e, "tag");

	if (nest > NEST_MAX || !tag)
		put_raw(out, e);
	else if (sw_streq(tag, "markdown") || sw_streq(tag, "plain_text") || sw_streq(tag, "lark_md"))
		feishu_words(out, e);
	else if (sw_streq(tag, "button"))
		feishu_button(out, e);
	else if (sw_streq(tag, "column_set"))
		feishu_columns(out, e, nest);
	else if (sw_streq(tag, "div"))
		feishu_div(out, e);
	else if (sw_streq(tag, "action"))
		feishu_elements(out, sw_jget(e, "actions"), nest + 1);
	else if (sw_streq(tag, "note"))
		feishu_elements(out, sw_jget(e, "elements"), nest + 1);
	else if (sw_streq(tag, "hr"))
		sw_buf_cat(out, "<hr>\n");
	else
		put_raw(out, e);
}

static void feishu_elements(struct sw_buf *out, const struct sw_jnode *list, unsigned nest)
{
	EACH(e, list)
		feishu_element(out, e, nest);
}

/* The colours of a title, by what they say here. */
static const char *feishu_tone(const char *template)
{
	static const struct { const char *names, *tone; } tones[] = { { " red carmine ", "bad" }, { " orange yellow ", "warn" }, { " green turquoise ", "good" },
		{ " blue wathet indigo ", "run" }, { " violet purple ", "info" } };
	char name[24];

	if (!template || strlen(template) > sizeof name - 3)
		return "idle";
	(void)snprintf(name, sizeof name, " %s ", template);
	for (size_t i = 0; i < SW_COUNT(tones); i++)
		if (strstr(tones[i].names, name))
			return tones[i].tone;
	return "idle";
}

static void feishu_message(struct sw_buf *out, const struct sw_jnode *body)
{
	const struct sw_jnode *card = sw_jget(body, "card"), *head = sw_jget(card, "header"), *list = sw_jget(sw_jget(card, "body"), "elements");

	if (sw_streq(sw_jstr(body, "msg_type"), "text") && sw_jstr(sw_jget(body, "content"), "text")) {
		put_words(out, "", sw_jstr(sw_jget(body, "content"), "text"));
		return;
	}
	if (!card) {
		put_raw(out, body);
		return;
	}
	if (head) {
		sw_buf_printf(out, "<div class=\"chat-title %s\">", feishu_tone(sw_jstr(head, "template")));
		put_words(out, "chat-head", sw_jstr(sw_jget(head, "title"), "content"));
		put_words(out, "", sw_jstr(sw_jget(head, "subtitle"), "content"));
		EACH(t, sw_jget(head, "text_tag_list"))
			put_words(out, "chat-small", sw_jstr(sw_jget(t, "text"), "content"));
		sw_buf_cat(out, "</div>\n");
	}
	feishu_elements(out, list ? list : sw_jget(card, "elements"), 0);
}

/* ---- Slack ---- */

/* {type: mrkdwn | plain_text, text} */
static void slack_words(struct sw_buf *out, const char *class, const struct sw_jnode *t)
{
	const char *text = sw_jstr(t, "text");

	if (!text)
		put_raw(out, t);
	else if (sw_streq(sw_jstr(t, "type"), "mrkdwn"))
		chat_html(out, CHAT_SLACK, text);
	else
		put_words(out, class, text);
}

static void slack_button(struct sw_buf *out, const struct sw_jnode *b)
{
	if (sw_streq(sw_jstr(b, "type"), "button"))
		put_button(out, sw_jstr(sw_jget(b, "text"), "text"), sw_jstr(b, "url"), sw_jstr(b, "style"));
	else
		put_raw(out, b);
}

static void slack_fields(struct sw_buf *out, const struct sw_jnode *list)
{
	if (!list)
		return;
	sw_buf_cat(out, "<div class=\"chat-fields\">\n");
	EACH(f, list) {
		sw_buf_cat(out, "<div>");
		slack_words(out, "", f);
		sw_buf_cat(out, "</div>\n");
	}
	sw_buf_cat(out, "</div>\n");
}

static void slack_block(struct sw_buf *out, const struct sw_jnode *b)
{
	const char *type = sw_jstr(b, "type");

	if (sw_streq(type, "header")) {
		slack_words(out, "chat-head", sw_jget(b, "text"));
	} else if (sw_streq(type, "section")) {
		if (sw_jget(b, "text"))
			slack_words(out, "", sw_jget(b, "text"));
		slack_fields(out, sw_jget(b, "fields"));
		if (sw_jget(b, "accessory"))
			slack_button(out, sw_jget(b, "accessory"));
	} else if (sw_streq(type, "context")) {
		sw_buf_cat(out, "<div class=\"chat-context\">");
		EACH(e, sw_jget(b, "elements"))
			slack_words(out, "", e);
		sw_buf_cat(out, "</div>\n");
	} else if (sw_streq(type, "actions")) {
		EACH(e, sw_jget(b, "elements"))
			slack_button(out, e);
	} else if (sw_streq(type, "divider")) {
		sw_buf_cat(out, "<hr>\n");
	} else {
		put_raw(out, b);
	}
}

/* A colour by its name or number; a picture, because a style of its own the page does not allow. Anything else is grey. */
static void slack_bar(struct sw_buf *out, const char *color)
{
	static const struct { const char *name, *color; } named[] = { { "good", "#2eb886" }, { "warning", "#daa038" }, { "danger", "#a30200" } };
	const char *is = "#8a8a8a";

	for (size_t i = 0; i < SW_COUNT(named); i++)
		if (sw_streq(named[i].name, color))
			is = named[i].color;
	if (color && strlen(color) == 7 && *color == '#' && strspn(color + 1, "0123456789abcdefABCDEF") == 6)
		is = color;
	sw_buf_printf(out, "<svg class=\"chat-bar\" aria-hidden=\"true\" preserveAspectRatio=\"none\" viewBox=\"0 0 1 1\"><rect width=\"1\" height=\"1\" fill=\"%s\"/></svg>\n", is);
}

/* Blocks, or the members that were before there were blocks. */
static void slack_attachment(struct sw_buf *out, const struct sw_jnode *at)
{
	const char *title = sw_jstr(at, "title"), *link = sw_jstr(at, "title_link");
	size_t empty;

	chat_html(out, CHAT_SLACK, sw_jstr(at, "pretext"));
	sw_buf_cat(out, "<div class=\"chat-attached\">");
	slack_bar(out, sw_jstr(at, "color"));
	empty = out->n;
	EACH(b, sw_jget(at, "blocks"))
		slack_block(out, b);
	put_words(out, "chat-small", sw_jstr(at, "author_name"));
	if (title && is_url(link)) {
		sw_buf_cat(out, "<p class=\"chat-head\"><a rel=\"noreferrer noopener\" href=\"");
		sw_html_text(out, link);
		sw_buf_cat(out, "\">");
		sw_html_text(out, *title ? title : link);
		sw_buf_cat(out, "</a></p>\n");
	} else {
		put_words(out, "chat-head", title);
	}
	chat_html(out, CHAT_SLACK, sw_jstr(at, "text"));
	if (sw_jget(at, "fields")) {
		sw_buf_cat(out, "<div class=\"chat-fields\">\n");
		EACH(f, sw_jget(at, "fields")) {
			sw_buf_cat(out, sw_jbool(f, "short", false) ? "<div>" : "<div class=\"long\">");
			put_words(out, "chat-strong", sw_jstr(f, "title"));
			chat_html(out, CHAT_SLACK, sw_jstr(f, "value"));
			sw_buf_cat(out, "</div>\n");
		}
		sw_buf_cat(out, "</div>\n");
	}
	put_words(out, "chat-small", sw_jstr(at, "footer"));
	if (out->n == empty)
		put_raw(out, at);
	sw_buf_cat(out, "</div>\n");
}

static void slack_message(struct sw_buf *out, const struct sw_jnode *body)
{
	const struct sw_jnode *blocks = sw_jget(body, "blocks"), *attached = sw_jget(body, "attachments");

	if (!sw_jstr(body, "text") && !blocks && !attached) {
		put_raw(out, body);
		return;
	}
	if (!blocks) /* beside blocks it is what a notification says, not the message */
		chat_html(out, CHAT_SLACK, sw_jstr(body, "text"));
	EACH(b, blocks)
		slack_block(out, b);
	EACH(at, attached)
		slack_attachment(out, at);
}

void chat_message(struct sw_buf *out, enum chat_kind kind, const struct sw_jnode *body)
{
	switch (kind) {
	case CHAT_DINGTALK:
	case CHAT_WECOM: robot_message(out, kind, body); break;
	case CHAT_FEISHU: feishu_message(out, body); break;
	case CHAT_SLACK: slack_message(out, body); break;
	case CHAT_KINDS: put_raw(out, body); break;
	}
}
