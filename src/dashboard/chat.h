/* What a chat shows of a robot's message: the markdown that each of them understands, and the messages and cards it stands in, as HTML. */
#ifndef SW_DASHBOARD_CHAT_H
#define SW_DASHBOARD_CHAT_H

#include "base/json.h"
#include "shipwatch/base.h"
#include "shipwatch/buf.h"

enum chat_kind {
	CHAT_DINGTALK, /* a line end alone is a blank; an empty line begins a paragraph */
	CHAT_WECOM,    /* every line end counts, here and below; <font color> and <@user> */
	CHAT_FEISHU,   /* markdown of a card: also emphasis, rules, fences; <font color> and <at id=…> */
	CHAT_SLACK,    /* mrkdwn: *bold* _italic_ ~struck~ at the edges of words; <url|words>, <@U1>, <!channel>; three entities */
	CHAT_KINDS
};
/* Of a kind of channel; CHAT_KINDS: its messages cannot be drawn. */
enum chat_kind chat_kind_of(const char *channel);

/*
 * Headings, quotes, lists, emphasis, code and links (http and https only) become markup of ours; everything else, HTML above all, stays the
 * text it is. At most CHAT_MAX bytes are looked at.
 */
#define CHAT_MAX ((size_t)20 * 1024)
void chat_html(struct sw_buf *out, enum chat_kind kind, const char *text);

/*
 * The body of a request to a robot, as its chat draws the message. (chat_card.c) A button leads where the message says, if that is http or https.
 * What is not known here is shown as the JSON it is; body NULL: nothing.
 */
void chat_message(struct sw_buf *out, enum chat_kind kind, const struct sw_jnode *body);

#endif
