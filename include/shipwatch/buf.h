/* A growing run of bytes, always followed by a NUL, so that .p can be used as text. */
#ifndef SHIPWATCH_BUF_H
#define SHIPWATCH_BUF_H

#include <stdarg.h>

#include "shipwatch/base.h"

struct sw_buf {
	char *p;    /* NULL while nothing was ever written */
	size_t n;   /* bytes used, without the NUL */
	size_t cap;
};

#define SW_BUF_INIT { NULL, 0, 0 }

void sw_buf_init(struct sw_buf *b);
void sw_buf_fini(struct sw_buf *b);
void sw_buf_reset(struct sw_buf *b);            /* n = 0, memory kept */
void sw_buf_grow(struct sw_buf *b, size_t more); /* sw_buf_reserve where there is no room yet */
void sw_buf_truncate(struct sw_buf *b, size_t n);
/* Room for so many more bytes and the NUL. */
static inline void sw_buf_reserve(struct sw_buf *b, size_t more)
{
	if (more >= b->cap - b->n)
		sw_buf_grow(b, more);
}
static inline void sw_buf_putc(struct sw_buf *b, char c)
{
	sw_buf_reserve(b, 1);
	b->p[b->n++] = c;
	b->p[b->n] = '\0';
}
void sw_buf_cat(struct sw_buf *b, const char *s);
void sw_buf_catn(struct sw_buf *b, const void *p, size_t n);
void sw_buf_printf(struct sw_buf *b, const char *fmt, ...) SW_PRINTF(2, 3);
void sw_buf_vprintf(struct sw_buf *b, const char *fmt, va_list ap) SW_PRINTF(2, 0);
/*
 * Appends s as a JSON string with its quotes; raw UTF-8, only what must be escaped is. Broken UTF-8 becomes U+FFFD.
 * NULL is written as null.
 */
void sw_buf_json(struct sw_buf *b, const char *s);
void sw_buf_jsonn(struct sw_buf *b, const char *s, size_t n);
/* The text; "" while nothing was written. */
const char *sw_buf_str(const struct sw_buf *b);
/* The memory goes to the caller (free()); the buffer is empty afterwards. Never NULL. */
char *sw_buf_take(struct sw_buf *b);

#endif
