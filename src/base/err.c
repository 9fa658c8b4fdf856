/* One line for a person: filled, prefixed, and with untrusted bytes made printable. */
#include "shipwatch/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

/* A text that did not fit ends in "…" after a whole code point. */
static void err_cut(struct sw_err *err, int wanted)
{
	static const char dots[] = "\xe2\x80\xa6";
	size_t at;

	if (wanted < 0 || (size_t)wanted < sizeof err->text)
		return;
	at = sw_utf8_cut(err->text, strlen(err->text), sizeof err->text - sizeof dots);
	memcpy(err->text + at, dots, sizeof dots);
}

static void err_one_line(struct sw_err *err)
{
	for (char *p = err->text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
}

int sw_err_set(struct sw_err *err, int code, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (err) {
		va_start(ap, fmt);
		n = vsnprintf(err->text, sizeof err->text, fmt, ap);
		va_end(ap);
		err_cut(err, n);
		err_one_line(err);
	}
	return -code;
}

void sw_err_prefix(struct sw_err *err, const char *fmt, ...)
{
	struct sw_err old;
	va_list ap;
	int n;
	size_t at;

	if (!err)
		return;
	old = *err;
	va_start(ap, fmt);
	n = vsnprintf(err->text, sizeof err->text, fmt, ap);
	va_end(ap);
	err_cut(err, n);
	at = strlen(err->text);
	n = snprintf(err->text + at, sizeof err->text - at, ": %s", old.text);
	err_cut(err, n < 0 ? n : n + (int)at);
	err_one_line(err);
}

const char *sw_err_quote(const char *s, size_t n, char *out, size_t out_size)
{
	size_t at = 0, i = 0;

	SW_ASSERT(out_size >= 16);
	while (i < n) {
		unsigned len = sw_utf8_len(s + i, n - i);
		unsigned char c = (unsigned char)s[i];
		bool raw =
		    len > 1 ? !(c == 0xc2 && (unsigned char)s[i + 1] < 0xa0) : len == 1 && c >= 0x20 && c != 0x7f;

		if (at + 8 >= out_size) {
			memcpy(out + at, "\xe2\x80\xa6", 3);
			at += 3;
			break;
		}
		if (raw) {
			memcpy(out + at, s + i, len);
			at += len;
			i += len;
		} else {
			at += (size_t)snprintf(out + at, 5, "\\x%02x", c);
			i++;
		}
	}
	out[at] = '\0';
	return out;
}
