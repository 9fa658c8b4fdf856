/* What a chat shows of a robot's message: the markdown that DingTalk and WeCom understand, as HTML. */
#ifndef SW_DASHBOARD_CHAT_H
#define SW_DASHBOARD_CHAT_H

#include "shipwatch/base.h"
#include "shipwatch/buf.h"

enum chat_kind {
	CHAT_DINGTALK, /* a line end alone is a blank; an empty line begins a paragraph */
	CHAT_WECOM,    /* every line end counts; <font color> and <@user> */
};

/*
 * Headings, quotes, lists, bold, code and links (http and https only) become markup of ours; everything else, HTML above all, stays the
 * text it is. At most CHAT_MAX bytes are looked at.
 */
#define CHAT_MAX ((size_t)20 * 1024)
void chat_html(struct sw_buf *out, enum chat_kind kind, const char *text);

#endif
