/* Mail as text: headers nothing can be put into, bodies of seven bits and short lines. */
#ifndef SW_CHANNEL_MIME_H
#define SW_CHANNEL_MIME_H

#include "shipwatch/base.h"
#include "shipwatch/buf.h"
#include "shipwatch/mem.h"

/* "Lin Wei <lin@example.com>" taken apart; name may be NULL. */
struct sw_mime_address {
	const char *name, *addr;
};

/* Return: 0, or -EINVAL when it is no address that mail goes to (one '@', plain characters, no control among them). */
SW_CHECKED int sw_mime_address(const char *s, struct sw_arena *a, struct sw_mime_address *ret);

/*
 * "Name: text" in lines of at most 76, encoded (RFC 2047) where it is not short and plain. Controls in text are
 * dropped, and what is beyond 600 bytes; nothing is written when nothing is left.
 */
void sw_mime_header(struct sw_buf *out, const char *name, const char *text);
/* "Name: one,\r\n two"; addresses as sw_mime_address made them. */
void sw_mime_header_addresses(struct sw_buf *out, const char *name, const struct sw_mime_address *list, size_t n);
/* "Date: Tue, 14 Nov 2023 22:13:20 +0000" */
void sw_mime_header_date(struct sw_buf *out, sw_ms at, int offset_s);
/* Text as quoted-printable: CRLF for each newline, lines of at most 76, none begins with a dot, no blank at an end. */
void sw_mime_quoted_printable(struct sw_buf *out, const char *s, size_t n);

#endif
