/* The two doors for what comes from outside into a message: words and links. Behind them nothing is left that a chat
 * acts on. */
#include "model/clean.h"

#include <string.h>
#include <strings.h>

#include "base/str.h"

#define URL_MAX 1024

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
}

/* The full-width twin of a printable ASCII character: looks the same, means nothing. */
static void put_twin(struct sw_buf *b, char c)
{
	unsigned u = 0xff01u + (unsigned)(c - '!');

	sw_buf_putc(b, (char)(0xe0 | (u >> 12)));
	sw_buf_putc(b, (char)(0x80 | ((u >> 6) & 0x3f)));
	sw_buf_putc(b, (char)(0x80 | (u & 0x3f)));
}

/* "1. x" and "1) x" at the beginning are lists: the place of the mark, or 0. */
static size_t list_mark(const char *s)
{
	size_t i = strspn(s, "0123456789");

	return i && (s[i] == '.' || s[i] == ')') && (s[i + 1] == ' ' || !s[i + 1]) ? i : 0;
}

/* Does the character at s[i] form markup in the chats' markdown? */
static bool is_markup(const char *s, size_t i)
{
	switch (s[i]) {
	case '*':
	case '`':
	case '[':
	case ']':
	case '<':
	case '\\':
	case '~':
	case '|':
	case '$':
		return true;
	case '!':
		return s[i + 1] == '[';
	case '_':
		return !(i && is_word(s[i - 1]) && is_word(s[i + 1])); /* inside a word it is only itself */
	case '&':
		return s[i + 1] == '#' || is_word(s[i + 1]); /* an entity */
	case '#':
	case '-':
	case '+':
	case '=':
	case '>':
		return i == 0; /* "x > 5" stays as it was written */
	case '.':
	case ')':
		return i && i == list_mark(s);
	default:
		return false;
	}
}

/* Would a chat make a link of it? A scheme's colon, or the dot of "www.". */
static bool is_link(const char *s, size_t i)
{
	if (s[i] == ':')
		return s[i + 1] == '/' || sw_starts(s + i, ":%2") || s[i + 1] == '\\' ||
		       !s[i + 1]; /* "/" of ours may follow */
	return s[i] == '.' && i >= 3 && strncasecmp(s + i - 3, "www", 3) == 0 && (i == 3 || !is_word(s[i - 4]));
}

/* White space of any kind to one blank each; cut at max bytes. */
static void text_flatten(struct sw_buf *b, const char *s, size_t max)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf flat = SW_BUF_INIT;
	size_t n = strnlen(s, max * 4), from = 0, cut;

	for (size_t i = 0; i < n; i++) {
		bool blank = s[i] == ' ' || (s[i] >= '\t' && s[i] <= '\r');

		if (!blank)
			sw_buf_putc(&flat, s[i]);
		else if (flat.n && flat.p[flat.n - 1] != ' ')
			sw_buf_putc(&flat, ' ');
	}
	sw_utf8_clean(b, sw_buf_str(&flat), flat.n, true);
	while (from < b->n && b->p[from] == ' ')
		from++;
	if (from)
		memmove(b->p, b->p + from, b->n - from + 1);
	b->n -= from;
	if (b->n > max || s[n]) {
		cut = sw_utf8_cut(b->p, b->n, max - 3);
		sw_buf_truncate(b, cut);
		sw_buf_cat(b, "…");
	}
	while (b->n && b->p[b->n - 1] == ' ')
		sw_buf_truncate(b, b->n - 1);
}

const char *sw_clean_entity(enum sw_markup markup, char c)
{
	if (markup != SW_MARKUP_SLACK && markup != SW_MARKUP_HTML)
		return NULL;
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return markup == SW_MARKUP_HTML ? "&quot;" : NULL;
	default:
		return NULL;
	}
}

/* Does the character at s[i] have to go for what it would do? */
static bool is_active(enum sw_markup markup, const char *s, size_t i)
{
	if (s[i] == '@' || is_link(s, i))
		return true;
	if (markup == SW_MARKUP_SLACK && s[i] == '>')
		return i == 0; /* a quote, also when it is written as an entity */
	return markup != SW_MARKUP_PLAIN && markup != SW_MARKUP_HTML && is_markup(s, i);
}

void sw_clean_words(struct sw_buf *out, enum sw_markup markup, const char *s, size_t max)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	const char *p;

	if (!s || !*s)
		return;
	text_flatten(&b, s, max);
	p = sw_buf_str(&b);
	for (size_t i = 0; i < b.n; i++) {
		const char *e = sw_clean_entity(markup, p[i]);

		if (e && !(markup == SW_MARKUP_SLACK && p[i] == '>' && i == 0))
			sw_buf_cat(out, e);
		else if (is_active(markup, p, i))
			put_twin(out, p[i]);
		else
			sw_buf_putc(out, p[i]);
	}
}

bool sw_alert_url(const char *url, struct sw_buf *out)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?#&=+%,;$";
	size_t n = url ? strlen(url) : 0;

	if (n > URL_MAX || !(sw_starts(url ? url : "", "https://") || sw_starts(url ? url : "", "http://")))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (strchr(plain, url[i]))
			sw_buf_putc(out, url[i]);
		else
			sw_buf_printf(out, "%%%02X", (unsigned char)url[i]);
	}
	return true;
}
