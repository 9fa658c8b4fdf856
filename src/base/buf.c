/* A growing run of bytes with a NUL behind it, and the one place where text becomes a JSON string. */
#include "shipwatch/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "shipwatch/mem.h"

void sw_buf_init(struct sw_buf *b)
{
	*b = (struct sw_buf)SW_BUF_INIT;
}

void sw_buf_fini(struct sw_buf *b)
{
	free(b->p);
	sw_buf_init(b);
}

void sw_buf_reset(struct sw_buf *b)
{
	sw_buf_truncate(b, 0);
}

void sw_buf_grow(struct sw_buf *b, size_t more)
{
	size_t want, cap;

	SW_ASSERT(more < SIZE_MAX / 4 && b->n < SIZE_MAX / 4);
	want = b->n + more + 1;
	cap = b->cap ? b->cap : 64;
	while (cap < want)
		cap *= 2;
	b->p = sw_realloc(b->p, cap);
	b->cap = cap;
	b->p[b->n] = '\0';
}

void sw_buf_truncate(struct sw_buf *b, size_t n)
{
	if (n >= b->n)
		return;
	b->n = n;
	b->p[n] = '\0';
}

void sw_buf_cat(struct sw_buf *b, const char *s)
{
	sw_buf_catn(b, s, strlen(s));
}

void sw_buf_catn(struct sw_buf *b, const void *p, size_t n)
{
	sw_buf_reserve(b, n);
	if (n)
		memcpy(b->p + b->n, p, n);
	b->n += n;
	b->p[b->n] = '\0';
}

void sw_buf_printf(struct sw_buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	sw_buf_vprintf(b, fmt, ap);
	va_end(ap);
}

void sw_buf_vprintf(struct sw_buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	sw_buf_reserve(b, 128);
	va_copy(again, ap);
	n = vsnprintf(b->p + b->n, b->cap - b->n, fmt, ap);
	SW_ASSERT(n >= 0);
	if ((size_t)n >= b->cap - b->n) {
		b->p[b->n] = '\0';
		sw_buf_reserve(b, (size_t)n);
		n = vsnprintf(b->p + b->n, b->cap - b->n, fmt, again);
		SW_ASSERT(n >= 0);
	}
	va_end(again);
	b->n += (size_t)n;
}

void sw_buf_json(struct sw_buf *b, const char *s)
{
	if (s)
		sw_buf_jsonn(b, s, strlen(s));
	else
		sw_buf_catn(b, "null", 4);
}

static void buf_json_control(struct sw_buf *b, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char esc[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };
	const char *word = NULL;

	switch (c) {
	case '"':
		word = "\\\"";
		break;
	case '\\':
		word = "\\\\";
		break;
	case '\n':
		word = "\\n";
		break;
	case '\r':
		word = "\\r";
		break;
	case '\t':
		word = "\\t";
		break;
	}
	if (word)
		sw_buf_catn(b, word, 2);
	else
		sw_buf_catn(b, esc, sizeof esc);
}

void sw_buf_jsonn(struct sw_buf *b, const char *s, size_t n)
{
	const char *from = s, *end = s + n;

	sw_buf_reserve(b, n + 2);
	sw_buf_putc(b, '"');
	while ((s = sw_text_plain(s, end)) < end) {
		unsigned char c = (unsigned char)*s;
		unsigned len = c >= 0x80 ? sw_utf8_len(s, (size_t)(end - s)) : 0;

		if (len) {
			s += len;
			continue;
		}
		sw_buf_catn(b, from, (size_t)(s - from));
		if (c >= 0x80)
			sw_buf_catn(b, "\xef\xbf\xbd", 3);
		else
			buf_json_control(b, c);
		from = ++s;
	}
	sw_buf_catn(b, from, (size_t)(end - from));
	sw_buf_putc(b, '"');
}

const char *sw_buf_str(const struct sw_buf *b)
{
	return b->p ? b->p : "";
}

char *sw_buf_take(struct sw_buf *b)
{
	char *p;

	sw_buf_reserve(b, 0);
	p = b->p;
	sw_buf_init(b);
	return p;
}
