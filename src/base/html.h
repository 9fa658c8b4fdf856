/* Text from anybody as characters of HTML: nothing in it can become markup, end an attribute, or hide what stands beside it. */
#ifndef SW_BASE_HTML_H
#define SW_BASE_HTML_H

#include "shipwatch/base.h"
#include "shipwatch/buf.h"

/* NULL: nothing. Control characters, bidi controls and zero-width characters are dropped; newlines and tabs stay. */
void sw_html_text(struct sw_buf *b, const char *s);
void sw_html_textn(struct sw_buf *b, const char *s, size_t n);
/* At most so many bytes of it, whole characters, with "…" behind when it was longer. */
void sw_html_cut(struct sw_buf *b, const char *s, size_t bytes);

#endif
