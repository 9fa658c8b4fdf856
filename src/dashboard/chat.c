/*
 * The markdown that chat robots understand, as HTML: a dialect each. Lines are blocks, within a line pieces nest at most a few deep; what opens
 * and does not close is text. Every byte of the message leaves by sw_html_textn, so nothing of it can become markup that is not written here.
 */
#include "dashboard/chat.h"

#include <string.h>

#include "base/html.h"
#include "base/str.h"

#define DEPTH_MAX  4
#define CLOSES_MAX 32 /* marks that are looked at, whether they close */

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

/* What emphasis looks like, longer marks first. */
static const struct mark { const char *mark, *element; } marks[CHAT_KINDS][5] = {
	[CHAT_DINGTALK] = { { "**", "strong" }, { "`", "code" } },
	[CHAT_WECOM] = { { "**", "strong" }, { "`", "code" } },
	[CHAT_FEISHU] = { { "**", "strong" }, { "*", "em" }, { "~~", "s" }, { "`", "code" } },
	[CHAT_SLACK] = { { "*", "strong" }, { "_", "em" }, { "~", "s" }, { "`", "code" } },
};

static void inline_html(struct sw_buf *out, enum chat_kind kind, struct span s, unsigned depth);

/* Words as they are. Slack has three characters as entities. */
static void words_html(struct sw_buf *out, enum chat_kind kind, struct span s)
{
	static const struct { const char *entity, *is; } entities[] = { { "&amp;", "&" }, { "&lt;", "<" }, { "&gt;", ">" } };
	size_t plain = 0;

	for (size_t i = 0; kind == CHAT_SLACK && i < s.n; i++)
		for (size_t k = 0; s.p[i] == '&' && k < SW_COUNT(entities); k++)
			if (starts(rest(s, i), entities[k].entity)) {
				sw_html_textn(out, s.p + plain, i - plain);
				sw_html_text(out, entities[k].is);
				plain = i + strlen(entities[k].entity);
				i = plain - 1;
				break;
			}
	sw_html_textn(out, s.p + plain, s.n - plain);
}

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

/* Slack sees a mark only at the edge of a word. from: behind the mark that opens; to: the one that closes. */
static bool at_edges(struct span s, size_t i, size_t from, size_t to, size_t m)
{
	return !(i && is_word(s.p[i - 1])) && s.p[from] != ' ' && s.p[to - 1] != ' ' && !(to + m < s.n && is_word(s.p[to + m]));
}

/* What stands between two marks from s.p[i] on, as an element; 0: they are not there. */
static size_t put_between(struct sw_buf *out, enum chat_kind kind, struct span s, size_t i, const struct mark *mark, unsigned depth)
{
	size_t m = strlen(mark->mark), from = i + m, n;
	unsigned tries = 0;

	if (!starts(rest(s, i), mark->mark))
		return 0;
	n = find(rest(s, from), mark->mark);
	while (kind == CHAT_SLACK && n && from + n < s.n && !at_edges(s, i, from, from + n, m)) {
		if (++tries == CLOSES_MAX)
			return 0;
		n += 1 + find(rest(s, from + n + 1), mark->mark);
	}
	if (n == 0 || from + n >= s.n)
		return 0;
	sw_buf_printf(out, "<%s>", mark->element);
	if (*mark->mark == '`')
		words_html(out, kind, (struct span){ s.p + from, n });
	else
		inline_html(out, kind, (struct span){ s.p + from, n }, depth + 1);
	sw_buf_printf(out, "</%s>", mark->element);
	return n + 2 * m;
}

static bool is_link(struct span s)
{
	return starts(s, "https://") || starts(s, "http://");
}

static void link_begin(struct sw_buf *out, enum chat_kind kind, struct span url)
{
	sw_buf_cat(out, "<a rel=\"noreferrer noopener\" href=\"");
	words_html(out, kind, url);
	sw_buf_cat(out, "\">");
}

/* [words](url) */
static size_t put_link(struct sw_buf *out, enum chat_kind kind, struct span s, unsigned depth)
{
	size_t words, url;

	if (kind == CHAT_SLACK || !starts(s, "["))
		return 0;
	words = find(s, "](");
	if (words <= 1 || words == s.n || memchr(s.p, '\n', words))
		return 0;
	url = find(rest(s, words + 2), ")");
	if (url == s.n - words - 2 || !is_link(rest(s, words + 2)))
		return 0;
	link_begin(out, kind, (struct span){ s.p + words + 2, url });
	inline_html(out, kind, (struct span){ s.p + 1, words - 1 }, depth + 1);
	sw_buf_cat(out, "</a>");
	return words + url + 3;
}

static void put_at(struct sw_buf *out, enum chat_kind kind, struct span who)
{
	sw_buf_cat(out, "<span class=\"chat-at\">@");
	words_html(out, kind, who);
	sw_buf_cat(out, "</span>");
}

/* <font color="warning">…</font> with the colours that the chat has, in quotes of either kind or (Feishu) none. */
static size_t put_font(struct sw_buf *out, enum chat_kind kind, struct span s, unsigned depth)
{
	static const struct { enum chat_kind kind; const char *open, *class; } colors[] = {
		{ CHAT_WECOM, "<font color=\"info\">", "info" }, { CHAT_WECOM, "<font color=\"comment\">", "comment" }, { CHAT_WECOM, "<font color=\"warning\">", "warning" },
		{ CHAT_FEISHU, "<font color='red'>", "bad" }, { CHAT_FEISHU, "<font color=\"red\">", "bad" }, { CHAT_FEISHU, "<font color=red>", "bad" },
		{ CHAT_FEISHU, "<font color='orange'>", "warning" }, { CHAT_FEISHU, "<font color=\"orange\">", "warning" }, { CHAT_FEISHU, "<font color=orange>", "warning" },
		{ CHAT_FEISHU, "<font color='green'>", "info" }, { CHAT_FEISHU, "<font color=\"green\">", "info" }, { CHAT_FEISHU, "<font color=green>", "info" },
		{ CHAT_FEISHU, "<font color='grey'>", "comment" }, { CHAT_FEISHU, "<font color=\"grey\">", "comment" }, { CHAT_FEISHU, "<font color=grey>", "comment" } };

	for (size_t i = 0; i < SW_COUNT(colors); i++) {
		size_t open = strlen(colors[i].open), n;

		if (kind != colors[i].kind || !starts(s, colors[i].open))
			continue;
		n = find(rest(s, open), "</font>");
		if (n == s.n - open)
			return 0;
		sw_buf_printf(out, "<span class=\"chat-%s\">", colors[i].class);
		inline_html(out, kind, (struct span){ s.p + open, n }, depth + 1);
		sw_buf_cat(out, "</span>");
		return open + n + strlen("</font>");
	}
	return 0;
}

/* Feishu: <at id=ou_1></at>, <at id=all></at>, <at user_id="ou_1">Lin</at>: the name where there is one. */
static size_t put_feishu_at(struct sw_buf *out, struct span s)
{
	size_t end = find(s, ">"), name, id = find(s, "=") + 1;
	struct span who;

	if (!starts(s, "<at ") || end == s.n || id >= end)
		return 0;
	name = find(rest(s, end + 1), "</at>");
	if (name == s.n - end - 1)
		return 0;
	who = name ? (struct span){ s.p + end + 1, name } : (struct span){ s.p + id, end - id };
	if (!name && who.n > 1 && strchr("\"'", who.p[0]) && who.p[who.n - 1] == who.p[0])
		who = (struct span){ who.p + 1, who.n - 2 };
	put_at(out, CHAT_FEISHU, who);
	return end + 1 + name + strlen("</at>");
}

/* Slack: <url|words>, <@U1>, <#C1|name>, <!channel>, <!subteam^S1|name>; <mailto:…|words> are words. */
static size_t put_slack(struct sw_buf *out, struct span s)
{
	size_t end = find(s, ">"), bar;
	struct span in, words;

	if (end == s.n || end < 2)
		return 0;
	in = (struct span){ s.p + 1, end - 1 };
	bar = find(in, "|");
	words = bar + 1 < in.n ? rest(in, bar + 1) : (struct span){ in.p, bar };
	if (is_link(in)) {
		link_begin(out, CHAT_SLACK, (struct span){ in.p, bar });
		words_html(out, CHAT_SLACK, words);
		sw_buf_cat(out, "</a>");
	} else if (strchr("@!", *in.p)) {
		if (words.p == in.p)
			words = rest(words, 1);
		if (starts(words, "subteam^"))
			words = rest(words, strlen("subteam^"));
		put_at(out, CHAT_SLACK, starts(words, "@") ? rest(words, 1) : words);
	} else if (*in.p == '#' || starts(in, "mailto:")) {
		words_html(out, CHAT_SLACK, words);
	} else {
		return 0;
	}
	return end + 1;
}

/* What begins with "<". */
static size_t put_tag(struct sw_buf *out, enum chat_kind kind, struct span s, unsigned depth)
{
	size_t n = 0, end;

	if (!starts(s, "<"))
		return 0;
	if (kind == CHAT_SLACK)
		return put_slack(out, s);
	if (kind == CHAT_FEISHU)
		n = put_feishu_at(out, s);
	end = find(s, ">");
	if (kind == CHAT_WECOM && starts(s, "<@") && end < s.n) {
		put_at(out, kind, (struct span){ s.p + 2, end - 2 });
		n = end + 1;
	}
	return n ? n : put_font(out, kind, s, depth);
}

static void inline_html(struct sw_buf *out, enum chat_kind kind, struct span s, unsigned depth)
{
	size_t plain = 0;

	for (size_t i = 0; i < s.n;) {
		size_t n = 0;

		if (depth < DEPTH_MAX && strchr("*`[<_~", s.p[i])) {
			words_html(out, kind, (struct span){ s.p + plain, i - plain });
			plain = i;
			for (const struct mark *m = marks[kind]; m->mark && !n; m++)
				n = put_between(out, kind, s, i, m, depth);
			n = n ? n : put_link(out, kind, rest(s, i), depth);
			n = n ? n : put_tag(out, kind, rest(s, i), depth);
			plain += n;
		}
		i += n ? n : 1;
	}
	words_html(out, kind, rest(s, plain));
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

static bool line_head(struct sw_buf *out, enum chat_kind kind, struct span s, enum block *at)
{
	size_t n = 0;

	while (n < s.n && n < 7 && s.p[n] == '#')
		n++;
	if (kind == CHAT_SLACK || !n || n == 7 || n == s.n || s.p[n] != ' ')
		return false;
	block_go(out, at, BLOCK_NONE);
	sw_buf_cat(out, "<p class=\"chat-head\">");
	inline_html(out, kind, rest(s, n + 1), 0);
	sw_buf_cat(out, "</p>\n");
	return true;
}

/* How many bytes at its beginning say that it is quoted. */
static size_t quote_mark(enum chat_kind kind, struct span s)
{
	size_t n = starts(s, ">") ? 1 : kind == CHAT_SLACK && starts(s, "&gt;") ? strlen("&gt;") : 0;

	return n && n < s.n && s.p[n] == ' ' ? n + 1 : n;
}

static void line_html(struct sw_buf *out, enum chat_kind kind, struct span s, enum block *at)
{
	size_t quote = quote_mark(kind, s);
	enum block was = *at;

	if (line_head(out, kind, s, at))
		return;
	if (kind == CHAT_FEISHU && s.n == 3 && starts(s, "---")) {
		block_go(out, at, BLOCK_NONE);
		sw_buf_cat(out, "<hr>\n");
		return;
	}
	if (kind != CHAT_SLACK && starts(s, "- ")) {
		block_go(out, at, BLOCK_LIST);
		sw_buf_cat(out, "<li>");
		inline_html(out, kind, rest(s, 2), 0);
		sw_buf_cat(out, "</li>");
		return;
	}
	block_go(out, at, quote ? BLOCK_QUOTE : BLOCK_WORDS);
	if (*at == was)
		sw_buf_cat(out, kind == CHAT_DINGTALK ? " " : "<br>");
	inline_html(out, kind, rest(s, quote), 0);
}

/* ``` on a line of its own, up to the next one; 0: it does not end, then it is text. Return: bytes of all of it. */
static size_t fence_html(struct sw_buf *out, enum chat_kind kind, struct span all, enum block *at)
{
	size_t head = find(all, "\n"), n;

	if ((kind != CHAT_FEISHU && kind != CHAT_SLACK) || !starts(all, "```") || head == all.n || find((struct span){ all.p + 3, head - 3 }, "`") < head - 3)
		return 0;
	n = find(rest(all, head), "\n```");
	if (n == all.n - head)
		return 0;
	block_go(out, at, BLOCK_NONE);
	sw_buf_cat(out, "<pre class=\"chat-pre\">");
	if (n)
		words_html(out, kind, (struct span){ all.p + head + 1, n - 1 });
	sw_buf_cat(out, "</pre>\n");
	n += head + 4;
	return n + find(rest(all, n), "\n");
}

void chat_html(struct sw_buf *out, enum chat_kind kind, const char *text)
{
	struct span all = { text ? text : "", 0 };
	enum block at = BLOCK_NONE;

	all.n = sw_utf8_cut(all.p, strlen(all.p), CHAT_MAX);
	while (all.n) {
		size_t fence = fence_html(out, kind, all, &at), n = fence ? fence : find(all, "\n");
		struct span line = { all.p, fence ? 0 : n };

		while (line.n && (line.p[line.n - 1] == ' ' || line.p[line.n - 1] == '\r'))
			line.n--;
		if (line.n)
			line_html(out, kind, line, &at);
		else if (!fence && (at != BLOCK_LIST || kind != CHAT_DINGTALK)) /* our lists stand an empty line apart */
			block_go(out, &at, BLOCK_NONE);
		all = rest(all, SW_MIN(n + 1, all.n));
	}
	block_go(out, &at, BLOCK_NONE);
}
