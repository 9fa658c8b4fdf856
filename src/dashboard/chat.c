/*
 * The markdown that chat robots understand, as HTML. Lines are blocks, within a line pieces nest at most a few deep; what opens and does
 * not close is text. Every byte of the message leaves by sw_html_textn, so nothing of it can become markup that is not written here.
 */
#include "dashboard/chat.h"

#include <string.h>

#include "base/html.h"
#include "base/str.h"

#define DEPTH_MAX 4

struct span { const char *p; size_t n; };

static bool starts(struct span s, const char *with)
{
	size_t n = strlen(with);

	return s.n >= n && memcmp(s.p, with, n) == 0;
}

static struct span rest(struct span s, size_t from)
{
	return (struct span){ s.p + from, s.n - from };
}

/* Where `what` is in s, or s.n. */
static size_t find(struct span s, const char *what)
{
	const char *at = s.n ? memmem(s.p, s.n, what, strlen(what)) : NULL;

	return at ? (size_t)(at - s.p) : s.n;
}

static void inline_html(struct sw_buf *out, enum chat_kind kind, struct span s, unsigned depth);

/* What stands between two marks, as an element; 0: they are not there. */
static size_t put_between(struct sw_buf *out, enum chat_kind kind, struct span s, const char *mark, const char *element, unsigned depth)
{
	size_t m = strlen(mark), n;

	if (!starts(s, mark))
		return 0;
	n = find(rest(s, m), mark);
	if (n == 0 || n == s.n - m)
		return 0;
	sw_buf_printf(out, "<%s>", element);
	if (*mark == '`')
		sw_html_textn(out, s.p + m, n);
	else
		inline_html(out, kind, (struct span){ s.p + m, n }, depth + 1);
	sw_buf_printf(out, "</%s>", element);
	return n + 2 * m;
}

/* [words](url) */
static size_t put_link(struct sw_buf *out, enum chat_kind kind, struct span s, unsigned depth)
{
	size_t words, url;

	if (!starts(s, "["))
		return 0;
	words = find(s, "](");
	if (words == s.n || memchr(s.p, '\n', words))
		return 0;
	url = find(rest(s, words + 2), ")");
	if (url == s.n - words - 2 || !(starts(rest(s, words + 2), "https://") || starts(rest(s, words + 2), "http://")))
		return 0;
	sw_buf_cat(out, "<a rel=\"noreferrer noopener\" href=\"");
	sw_html_textn(out, s.p + words + 2, url);
	sw_buf_cat(out, "\">");
	inline_html(out, kind, (struct span){ s.p + 1, words - 1 }, depth + 1);
	sw_buf_cat(out, "</a>");
	return words + url + 3;
}

/* <font color="warning">…</font>, and <@user> */
static size_t put_wecom(struct sw_buf *out, enum chat_kind kind, struct span s, unsigned depth)
{
	static const char *const colors[] = { "info", "comment", "warning" };
	size_t end;

	if (kind != CHAT_WECOM || !starts(s, "<"))
		return 0;
	end = find(s, ">");
	if (end == s.n)
		return 0;
	if (starts(s, "<@")) {
		sw_buf_cat(out, "<span class=\"chat-at\">@");
		sw_html_textn(out, s.p + 2, end - 2);
		sw_buf_cat(out, "</span>");
		return end + 1;
	}
	for (size_t i = 0; i < SW_COUNT(colors); i++) {
		char open[40] = "<font color=\"";
		size_t close;

		strncat(open, colors[i], sizeof open - strlen(open) - 1);
		strncat(open, "\">", sizeof open - strlen(open) - 1);
		if (!starts(s, open))
			continue;
		close = find(rest(s, end + 1), "</font>");
		if (close == s.n - end - 1)
			return 0;
		sw_buf_printf(out, "<span class=\"chat-%s\">", colors[i]);
		inline_html(out, kind, (struct span){ s.p + end + 1, close }, depth + 1);
		sw_buf_cat(out, "</span>");
		return end + 1 + close + strlen("</font>");
	}
	return 0;
}

static void inline_html(struct sw_buf *out, enum chat_kind kind, struct span s, unsigned depth)
{
	size_t plain = 0;

	for (size_t i = 0; i < s.n;) {
		struct span at = rest(s, i);
		size_t n = 0;

		if (depth < DEPTH_MAX && strchr("*`[<", at.p[0])) {
			sw_html_textn(out, s.p + plain, i - plain);
			plain = i;
			n = put_between(out, kind, at, "**", "strong", depth);
			n = n ? n : put_between(out, kind, at, "`", "code", depth);
			n = n ? n : put_link(out, kind, at, depth);
			n = n ? n : put_wecom(out, kind, at, depth);
			plain += n;
		}
		i += n ? n : 1;
	}
	sw_html_textn(out, s.p + plain, s.n - plain);
}

/* ---- lines ---- */

enum block { BLOCK_NONE, BLOCK_WORDS, BLOCK_QUOTE, BLOCK_LIST };

static void block_go(struct sw_buf *out, enum block *at, enum block to)
{
	static const char *const opens[] = { "", "<p>", "<blockquote><p>", "<ul>" }, *const closes[] = { "", "</p>\n", "</p></blockquote>\n", "</ul>\n" };

	if (*at == to)
		return;
	sw_buf_cat(out, closes[*at]);
	sw_buf_cat(out, opens[to]);
	*at = to;
}

static void line_html(struct sw_buf *out, enum chat_kind kind, struct span s, enum block *at)
{
	enum block was = *at;
	size_t marks = 0;

	while (marks < s.n && marks < 7 && s.p[marks] == '#')
		marks++;
	if (marks && marks < 7 && marks < s.n && s.p[marks] == ' ') {
		block_go(out, at, BLOCK_NONE);
		sw_buf_cat(out, "<p class=\"chat-head\">");
		inline_html(out, kind, rest(s, marks + 1), 0);
		sw_buf_cat(out, "</p>\n");
		return;
	}
	if (starts(s, "- ")) {
		block_go(out, at, BLOCK_LIST);
		sw_buf_cat(out, "<li>");
		inline_html(out, kind, rest(s, 2), 0);
		sw_buf_cat(out, "</li>");
		return;
	}
	block_go(out, at, starts(s, ">") ? BLOCK_QUOTE : BLOCK_WORDS);
	if (*at == was)
		sw_buf_cat(out, kind == CHAT_WECOM ? "<br>" : " ");
	inline_html(out, kind, *at == BLOCK_QUOTE ? rest(s, starts(s, "> ") ? 2 : 1) : s, 0);
}

void chat_html(struct sw_buf *out, enum chat_kind kind, const char *text)
{
	struct span all = { text ? text : "", 0 };
	enum block at = BLOCK_NONE;

	all.n = sw_utf8_cut(all.p, strlen(all.p), CHAT_MAX);
	while (all.n) {
		size_t n = find(all, "\n");
		struct span line = { all.p, n };

		while (line.n && (line.p[line.n - 1] == ' ' || line.p[line.n - 1] == '\r'))
			line.n--;
		if (line.n)
			line_html(out, kind, line, &at);
		else if (at != BLOCK_LIST || kind == CHAT_WECOM) /* our lists stand an empty line apart */
			block_go(out, &at, BLOCK_NONE);
		all = rest(all, SW_MIN(n + 1, all.n));
	}
	block_go(out, &at, BLOCK_NONE);
}
