/* HTML out of text that anybody wrote. */
#include "base/html.h"

#include <string.h>

#include "base/str.h"

static void html_escape(struct sw_buf *b, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		switch (s[i]) {
		case '&': sw_buf_cat(b, "&amp;"); break;
		case '<': sw_buf_cat(b, "&lt;"); break;
		case '>': sw_buf_cat(b, "&gt;"); break;
		case '"': sw_buf_cat(b, "&quot;"); break;
		case '\'': sw_buf_cat(b, "&#39;"); break;
		default: sw_buf_putc(b, s[i]);
		}
}

/* Lines are cleaned one by one: what is dropped with control characters would take the ends of lines along. */
void sw_html_textn(struct sw_buf *b, const char *s, size_t n)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf clean = SW_BUF_INIT;
	const char *end = s + n;

	while (s < end) {
		size_t k = 0;

		while (s + k < end && s[k] != '\n' && s[k] != '\t')
			k++;
		sw_buf_reset(&clean);
		sw_utf8_clean(&clean, s, k, true);
		html_escape(b, sw_buf_str(&clean), clean.n);
		s += k;
		if (s < end)
			sw_buf_putc(b, *s++);
	}
}

void sw_html_text(struct sw_buf *b, const char *s)
{
	if (s)
		sw_html_textn(b, s, strlen(s));
}

void sw_html_cut(struct sw_buf *b, const char *s, size_t bytes)
{
	size_t n = s ? strlen(s) : 0, k = n > bytes ? sw_utf8_cut(s, n, bytes) : n;

	if (!n)
		return;
	sw_html_textn(b, s, k);
	if (k < n)
		sw_buf_cat(b, "…");
}
