/* What a request says besides its path: values of its query, of a form, of cookies; and where it wants to be led. Nothing but bytes in, text out. */
#include <string.h>

#include "base/str.h"
#include "dashboard/auth.h"
#include "shipwatch/mem.h"

enum { VALUE_MAX = 4096 /* bytes of one value of a query or form */ };

/* name=value of the first such pair; NULL: not there, or it is none (a broken escape, a zero byte, longer than VALUE_MAX). */
static const char *pair_value(struct page *p, const char *s, size_t n, const char *name)
{
	const char *end = s + n;
	size_t name_n = strlen(name);

	while (s < end) {
		const char *amp = memchr(s, '&', (size_t)(end - s)), *stop = amp ? amp : end, *eq = memchr(s, '=', (size_t)(stop - s));
		const char *key_end = eq ? eq : stop;

		if ((size_t)(key_end - s) == name_n && memcmp(s, name, name_n) == 0) {
			SW_CLEANUP(sw_buf_fini) struct sw_buf raw = SW_BUF_INIT;
			SW_CLEANUP(sw_buf_fini) struct sw_buf clean = SW_BUF_INIT;

			if (!eq)
				return "";
			if (stop - eq - 1 > 3 * VALUE_MAX || sw_pct_decode(&raw, eq + 1, (size_t)(stop - eq - 1), true) < 0 || raw.n > VALUE_MAX ||
			    strlen(sw_buf_str(&raw)) != raw.n)
				return NULL;
			sw_utf8_clean(&clean, sw_buf_str(&raw), raw.n, false);
			return sw_arena_strdup(&p->a, sw_buf_str(&clean));
		}
		s = stop + 1;
	}
	return NULL;
}

const char *sw_page_query(struct page *p, const char *name)
{
	return pair_value(p, p->req->query, strlen(p->req->query), name);
}

const char *sw_page_form(struct page *p, const char *name)
{
	return p->form ? pair_value(p, p->form, p->form_n, name) : NULL;
}

/* The value of a cookie, or NULL. Values of ours hold nothing that would need quotes. */
const char *dash_cookie(struct page *p, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < p->req->n_headers; i++) {
		const char *s = p->req->headers[i].value;

		if (strcmp(p->req->headers[i].name, "cookie") != 0)
			continue;
		while (*s) {
			size_t k;

			s += strspn(s, " ;\t");
			k = strcspn(s, ";");
			if (k > n && s[n] == '=' && memcmp(s, name, n) == 0)
				return sw_arena_strndup(&p->a, s + n + 1, k - n - 1);
			s += k;
		}
	}
	return NULL;
}

const char *dash_next(const char *s)
{
	if (!s || s[0] != '/' || s[1] == '/' || s[1] == '\\' || strlen(s) > 1000)
		return "/";
	for (const char *c = s; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 127 || *c == '\\')
			return "/";
	return s;
}
