/* Mail as text (RFC 5322, 2045, 2047): everything that goes into it is seven bits wide, in short lines ended by CRLF.
 */
#include "channel/mime.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/str.h"

#define LINE     ((size_t)76)
#define WORD     ((size_t)75) /* an encoded word */
#define WRAPPING ((size_t)12) /* what stands around its text */
#define NAME_MAX ((size_t)128)
#define ADDR_MAX ((size_t)254)
#define TEXT_MAX ((size_t)600)

/* ---- addresses ---- */

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

static bool dots_good(const char *s, size_t n)
{
	if (!n || s[0] == '.' || s[n - 1] == '.')
		return false;
	for (size_t i = 1; i < n; i++)
		if (s[i] == '.' && s[i - 1] == '.')
			return false;
	return true;
}

static bool addr_good(const char *s)
{
	static const char special[] = "!#$%&'*+-/=?^_`{|}~.";
	const char *at = strrchr(s, '@');
	size_t n = strlen(s);

	if (!at || n > ADDR_MAX || at - s > 64 || !dots_good(s, (size_t)(at - s)) || !dots_good(at + 1, strlen(at + 1)))
		return false;
	for (const char *p = s; p < at; p++)
		if (!strchr(letters, *p) && !strchr(special, *p))
			return false;
	for (const char *p = at + 1; *p; p++)
		if (!strchr(letters, *p) && *p != '.' && *p != '-')
			return false;
	return true;
}

static const char *trimmed(struct sw_arena *a, const char *s, size_t n)
{
	while (n && (*s == ' ' || *s == '\t')) {
		s++;
		n--;
	}
	while (n && (s[n - 1] == ' ' || s[n - 1] == '\t'))
		n--;
	return sw_arena_strndup(a, s, n);
}

int sw_mime_address(const char *s, struct sw_arena *a, struct sw_mime_address *ret)
{
	const char *open = strchr(s, '<'), *close = open ? strchr(open, '>') : NULL;
	struct sw_mime_address found = { NULL, trimmed(a, s, strlen(s)) };

	if (open) {
		if (!close || close[1 + strspn(close + 1, " \t")])
			return -EINVAL;
		found.addr = sw_arena_strndup(a, open + 1, (size_t)(close - open - 1));
		found.name = trimmed(a, s, (size_t)(open - s));
		if (!*found.name)
			found.name = NULL;
	}
	if (!addr_good(found.addr) || (found.name && strlen(found.name) > NAME_MAX))
		return -EINVAL;
	for (const char *p = found.name; p && *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f || strchr("<>\"\\", *p))
			return -EINVAL;
	*ret = found;
	return 0;
}

/* ---- headers ---- */

static bool is_plain(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] < ' ' || s[i] > '~')
			return false;
	return !memmem(s, n, "=?", 2);
}

/* Encoded words behind what stands in the line already, *col bytes; a new line for each further one. */
static void put_words(struct sw_buf *out, const char *s, size_t n, size_t *col)
{
	while (n) {
		size_t room = SW_MIN(WORD, LINE - SW_MIN(*col, LINE)), from = out->n;
		size_t take = room > WRAPPING + 4 ? sw_utf8_cut(s, n, (room - WRAPPING) / 4 * 3) : 0;

		if (!take) {
			sw_buf_cat(out, "\r\n ");
			*col = 1;
			continue;
		}
		sw_buf_cat(out, "=?UTF-8?B?");
		sw_b64_encode(out, s, take);
		sw_buf_cat(out, "?=");
		*col += out->n - from;
		s += take;
		n -= take;
	}
}

/* White space of any kind is a blank, none at the ends; other controls are gone, what was no UTF-8 is U+FFFD. */
static void clean(struct sw_buf *out, const char *s)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT, c = SW_BUF_INIT;
	size_t from, n;

	for (; *s; s++)
		sw_buf_putc(&b, *s >= '\t' && *s <= '\r' ? ' ' : *s);
	sw_utf8_clean(&c, sw_buf_str(&b), b.n, true);
	from = strspn(sw_buf_str(&c), " ");
	n = sw_utf8_cut(sw_buf_str(&c) + from, c.n - from, TEXT_MAX);
	while (n && c.p[from + n - 1] == ' ')
		n--;
	sw_buf_catn(out, sw_buf_str(&c) + from, n);
}

void sw_mime_header(struct sw_buf *out, const char *name, const char *text)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	size_t col = strlen(name) + 2;

	clean(&b, text);
	if (!b.n)
		return;
	sw_buf_printf(out, "%s: ", name);
	if (is_plain(sw_buf_str(&b), b.n) && col + b.n <= LINE)
		sw_buf_catn(out, sw_buf_str(&b), b.n);
	else
		put_words(out, sw_buf_str(&b), b.n, &col);
	sw_buf_cat(out, "\r\n");
}

void sw_mime_header_addresses(struct sw_buf *out, const char *name, const struct sw_mime_address *list, size_t n)
{
	size_t col = strlen(name) + 2;

	sw_buf_printf(out, "%s: ", name);
	for (size_t i = 0; i < n; i++) {
		if (i) {
			sw_buf_cat(out, ",\r\n ");
			col = 1;
		}
		if (list[i].name && is_plain(list[i].name, strlen(list[i].name)) && strlen(list[i].name) < LINE - 16) {
			sw_buf_printf(out, "\"%s\"", list[i].name);
			col += strlen(list[i].name) + 2;
		} else if (list[i].name) {
			put_words(out, list[i].name, strlen(list[i].name), &col);
		}
		if (list[i].name)
			sw_buf_cat(out, col + strlen(list[i].addr) + 3 > LINE ? "\r\n " : " ");
		sw_buf_printf(out, list[i].name ? "<%s>" : "%s", list[i].addr);
	}
	sw_buf_cat(out, "\r\n");
}

void sw_mime_header_date(struct sw_buf *out, sw_ms at, int offset_s)
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
		                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	int minutes = (offset_s < 0 ? -offset_s : offset_s) / 60;
	time_t t = (time_t)(at / SW_SECOND) + offset_s;
	struct tm tm;

	if (!gmtime_r(&t, &tm))
		return;
	sw_buf_printf(out, "Date: %s, %02d %s %04d %02d:%02d:%02d %c%02d%02d\r\n", days[tm.tm_wday], tm.tm_mday,
	              months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec, offset_s < 0 ? '-' : '+',
	              minutes / 60, minutes % 60);
}

/* ---- bodies ---- */

/* Is it safe as itself, in this column and with what follows? */
static bool is_literal(const char *s, size_t i, size_t n, size_t col)
{
	bool last = i + 1 == n || s[i + 1] == '\n' || s[i + 1] == '\r';

	if (s[i] == ' ' || s[i] == '\t')
		return !last;
	if (col == 0 && (s[i] == '.' || s[i] == 'F')) /* the end of a mail, and "From " of mailboxes */
		return false;
	return s[i] > ' ' && s[i] <= '~' && s[i] != '=';
}

void sw_mime_quoted_printable(struct sw_buf *out, const char *s, size_t n)
{
	size_t col = 0;

	for (size_t i = 0; i < n; i++) {
		size_t width;

		if (s[i] == '\n') {
			sw_buf_cat(out, "\r\n");
			col = 0;
			continue;
		}
		if (s[i] == '\r')
			continue;
		width = is_literal(s, i, n, col) ? 1 : 3;
		if (col + width > LINE - 1) {
			sw_buf_cat(out, "=\r\n");
			col = 0;
			width = is_literal(s, i, n, col) ? 1 : 3;
		}
		if (width == 1)
			sw_buf_putc(out, s[i]);
		else
			sw_buf_printf(out, "=%02X", (unsigned char)s[i]);
		col += width;
	}
	if (col)
		sw_buf_cat(out, "\r\n");
}
