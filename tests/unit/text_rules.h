/*
 * What must hold for every message, whatever an alert says. An oracle of its own: it reads the finished text, line by
 * line, and knows nothing of how it was made.
 */
#ifndef SW_TESTS_TEXT_RULES_H
#define SW_TESTS_TEXT_RULES_H

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "shipwatch/alert.h"
#include "shipwatch/buf.h"

/* C0 but for the newline of ours, DEL, C1, zero-width, bidi, line and paragraph separators, BOM, invisible operators.
 */
static inline bool text_rules_invisible(unsigned u)
{
	return (u < 0x20 && u != '\n') || (u >= 0x7f && u <= 0x9f) || (u >= 0x200b && u <= 0x200f) ||
	       (u >= 0x2028 && u <= 0x202e) || (u >= 0x2060 && u <= 0x206f) || u == 0xfeff || u == 0x061c ||
	       u == 0x00ad;
}

static inline const char *text_rules_bytes(const char *s, size_t n)
{
	for (size_t i = 0; i < n;) {
		const unsigned char *p = (const unsigned char *)s + i;
		unsigned len = sw_utf8_len(s + i, n - i), u = p[0];

		if (!len)
			return "not UTF-8";
		if (len == 2)
			u = (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
		else if (len == 3)
			u = (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
		else if (len == 4)
			u = (p[0] & 0x07u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
		if (text_rules_invisible(u))
			return "an invisible character";
		i += len;
	}
	return NULL;
}

static inline const char *const *text_rules_labels(void)
{
	static const char *const labels[] = { "approve or refuse", "批准或拒绝", "CI log",   "compare", "environment", "dashboard", "runbook",
		                              "logs",     "CI 日志", "代码对比",    "环境",      "看板",
		                              "处理手册", "日志",    "alarm",       "告警来源",  NULL };

	return labels;
}

/* "[label](https://…)", or "label: https://…" in plain text. */
static inline bool text_rules_is_link(const char *s, size_t n, enum sw_markup markup)
{
	for (const char *const *l = text_rules_labels(); *l; l++) {
		char head[64];
		size_t head_n, end = n;
		bool colon = false;

		for (int zh = 0; zh < 2 && !colon; zh++) {
			if (markup == SW_MARKUP_PLAIN)
				(void)snprintf(head, sizeof head, "%s%shttp", *l, zh ? "：" : ": ");
			else if (markup == SW_MARKUP_SLACK || markup == SW_MARKUP_HTML)
				return false; /* text_rules_link_behind knows them */
			else
				(void)snprintf(head, sizeof head, "[%s](http", *l);
			colon = strlen(head) <= n && memcmp(s, head, strlen(head)) == 0;
		}
		if (!colon)
			continue;
		head_n = strlen(head);
		if (markup != SW_MARKUP_PLAIN && s[--end] != ')')
			return false;
		for (size_t i = head_n; i < end; i++)
			if (strchr("()<>[]\"'`* \\^{}|@", s[i]) || (unsigned char)s[i] >= 0x80)
				return false;
		return true;
	}
	return false;
}

static inline size_t text_rules_count(const char *s, size_t n, char c)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		k += s[i] == c;
	return k;
}

static inline const char *text_rules_link_in(const char *s, size_t n)
{
	for (size_t i = 0; i + 3 <= n; i++) {
		if (memcmp(s + i, "://", 3) == 0)
			return "a link in words";
		if (i + 4 <= n && strncasecmp(s + i, "www.", 4) == 0 && (i == 0 || s[i - 1] == ' '))
			return "a www link in words";
	}
	return NULL;
}

/* What stands in front of the label: "<https://…|label>" and "<a href=\"https://…\">label</a>". */
static inline bool text_rules_link_behind(const char *s, size_t n, const char *open, const char *middle, const char *close)
{
	const char *from, *end, *label;

	if (n < strlen(open) + 4 || memcmp(s, open, strlen(open)) != 0 || memcmp(s + strlen(open), "http", 4) != 0)
		return false;
	from = s + strlen(open);
	end = memmem(from, (size_t)(s + n - from), middle, strlen(middle));
	if (!end)
		return false;
	for (const char *p = from; p < end; p++)
		if (strchr("()<>[]\"'`* \\^{}|@", *p) || (unsigned char)*p >= 0x80 || (*p == '&' && strncmp(p, "&amp;", 5) != 0))
			return false;
	label = end + strlen(middle);
	for (const char *const *l = text_rules_labels(); *l; l++)
		if (label + strlen(*l) + strlen(close) == s + n && memcmp(label, *l, strlen(*l)) == 0 &&
		    memcmp(label + strlen(*l), close, strlen(close)) == 0)
			return true;
	return false;
}

/* '&' only as one of the entities that this markup has. */
static inline const char *text_rules_entities(const char *s, size_t n)
{
	static const char *const known[] = { "&amp;", "&lt;", "&gt;", "&quot;" };

	for (size_t i = 0; i < n; i++) {
		bool good = s[i] != '&';

		for (size_t k = 0; !good && k < SW_COUNT(known); k++)
			good = n - i >= strlen(known[k]) && memcmp(s + i, known[k], strlen(known[k])) == 0;
		if (!good)
			return "a bare ampersand";
	}
	return NULL;
}

static inline const char *text_rules_slack(const char *s, size_t n, size_t number)
{
	size_t stars = text_rules_count(s, n, '*');

	if (number > 0 && n >= 2 && memcmp(s, "> ", 2) == 0) {
		s += 2;
		n -= 2;
	} else if (number == 0 ? stars != 0 && (stars != 2 || s[0] != '*' || s[n - 1] != '*') : stars != 0) {
		return "emphasis in words";
	}
	if (stars != 0 && stars != 2)
		return "emphasis in words";
	if (memchr(s, '<', n) || memchr(s, '>', n) || memchr(s, '`', n) || memchr(s, '~', n))
		return "markup in words";
	if (n >= 4 && memcmp(s, "&gt;", 4) == 0)
		return "a quote in words";
	return text_rules_entities(s, n);
}

/* One <div> a line; in it words, <b> around a value, or a link alone. */
static inline const char *text_rules_html(const char *s, size_t n, size_t number)
{
	static const char close[] = "</div>";
	const char *end = memchr(s, '>', n), *b;

	if (n >= 5 && memcmp(s, "<div", 4) == 0 && end && n >= sizeof close - 1 &&
	    memcmp(s + n - (sizeof close - 1), close, sizeof close - 1) == 0) {
		n -= (size_t)(end + 1 - s) + sizeof close - 1;
		s = end + 1;
	} else if (number > 0) {
		return "a line that is no block";
	}
	if (text_rules_link_behind(s, n, "<a href=\"", "\">", "</a>"))
		return NULL;
	b = memmem(s, n, "<b>", 3);
	if (b) {
		const char *e = memmem(b, (size_t)(s + n - b), "</b>", 4);

		if (!e || text_rules_count(s, n, '<') != 2 || text_rules_count(s, n, '>') != 2 || memchr(s, '"', n))
			return "markup in words";
		return text_rules_entities(s, n);
	}
	return memchr(s, '<', n) || memchr(s, '>', n) || memchr(s, '"', n) ? "markup in words" : text_rules_entities(s, n);
}

/* One line that is not the first and no link, in a chat's markdown. */
static inline const char *text_rules_markdown(const char *s, size_t n)
{
	size_t stars = text_rules_count(s, n, '*');

	if (memchr(s, '<', n) || memchr(s, '`', n) || memchr(s, '[', n) || memchr(s, ']', n) || memchr(s, '\\', n))
		return "markup in words";
	if (stars && !(stars == 4 && n > 4 && (memcmp(s, "> ", 2) == 0 || memcmp(s, "• ", 4) == 0)))
		return "emphasis in words";
	if (n && s[0] == '>' && !(n > 1 && s[1] == ' '))
		return "a quote in words";
	if (n && strchr("#+=", s[0]))
		return "markup at the beginning of a line";
	if (n && s[0] == '-' && !(n > 1 && s[1] == ' '))
		return "a rule across";
	return NULL;
}

static inline const char *text_rules_line(const char *s, size_t n, size_t number, enum sw_markup markup)
{
	static const char *const open[] = { "<font color=\"info\">", "<font color=\"comment\">",
		                            "<font color=\"warning\">" };
	static const char close[] = "</font>";

	if (text_rules_is_link(s, n, markup))
		return NULL;
	for (size_t i = 0; number == 0 && markup == SW_MARKUP_WECOM && i < SW_COUNT(open); i++) {
		size_t k = strlen(open[i]);

		if (n < k || memcmp(s, open[i], k) != 0)
			continue;
		if (n < k + sizeof close - 1 || memcmp(s + n - (sizeof close - 1), close, sizeof close - 1) != 0)
			return "font is not closed";
		s += k;
		n -= k + sizeof close - 1;
		break;
	}
	if (number == 0 && markup == SW_MARKUP_DINGTALK && n >= 5 && memcmp(s, "#### ", 5) == 0) {
		s += 5;
		n -= 5;
	}
	if (memchr(s, '@', n))
		return "a mention";
	if (markup == SW_MARKUP_SLACK && text_rules_link_behind(s, n, "<", "|", ">"))
		return NULL;
	if (markup == SW_MARKUP_HTML)
		return !memmem(s, n, "<a ", 3) && text_rules_link_in(s, n) ? text_rules_link_in(s, n) : text_rules_html(s, n, number);
	if (text_rules_link_in(s, n))
		return text_rules_link_in(s, n);
	if (markup == SW_MARKUP_SLACK)
		return text_rules_slack(s, n, number);
	return markup == SW_MARKUP_PLAIN ? NULL : text_rules_markdown(s, n);
}

/* What is wrong with lines number.. of a text, or NULL. */
static inline const char *text_rules_lines(const struct sw_buf *b, enum sw_markup markup, size_t max, size_t number)
{
	const char *s = sw_buf_str(b), *wrong = text_rules_bytes(s, b->n);

	if (wrong)
		return wrong;
	if (b->n > max)
		return "longer than allowed";
	for (size_t from = 0; b->n && from <= b->n; number++) {
		const char *end = memchr(s + from, '\n', b->n - from);
		size_t n = end ? (size_t)(end - s) - from : b->n - from;

		wrong = text_rules_line(s + from, n, number, markup);
		if (wrong)
			return wrong;
		from += n + 1;
	}
	return NULL;
}

/* What is wrong with the text, or NULL. */
static inline const char *text_rules_broken(const struct sw_buf *b, enum sw_markup markup, size_t max)
{
	return text_rules_lines(b, markup, max, 0);
}

#endif
