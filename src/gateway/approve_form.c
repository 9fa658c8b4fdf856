/* What comes from a browser: the token in the path, and the form that decides. */
#include <string.h>

#include "base/str.h"
#include "engine/engine.h"
#include "gateway/approve.h"

static bool token_digits(const char *s, size_t n)
{
	return strspn(s, "0123456789abcdef") >= n;
}

bool sw_approve_token(const char *token, char id[13], char key[41])
{
	if (strlen(token) != SW_ASK_ID_DIGITS + SW_ASK_KEY_DIGITS || !token_digits(token, SW_ASK_ID_DIGITS + SW_ASK_KEY_DIGITS))
		return false;
	memcpy(id, token, SW_ASK_ID_DIGITS);
	id[SW_ASK_ID_DIGITS] = '\0';
	memcpy(key, token + SW_ASK_ID_DIGITS, SW_ASK_KEY_DIGITS + 1);
	return true;
}

/* White space of any kind to one blank each, none around; nothing that hides or moves what stands beside it. */
static void form_name(const struct sw_buf *raw, struct sw_buf *name)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf flat = SW_BUF_INIT;

	for (size_t i = 0; i < raw->n; i++) {
		bool blank = raw->p[i] == ' ' || (raw->p[i] >= '\t' && raw->p[i] <= '\r');

		if (!blank)
			sw_buf_putc(&flat, raw->p[i] ? raw->p[i] : ' ');
		else if (flat.n && flat.p[flat.n - 1] != ' ')
			sw_buf_putc(&flat, ' ');
	}
	sw_buf_reset(name);
	sw_utf8_clean(name, sw_buf_str(&flat), flat.n, true);
	while (name->n && name->p[name->n - 1] == ' ')
		sw_buf_truncate(name, name->n - 1);
	while (name->n && name->p[0] == ' ') {
		memmove(name->p, name->p + 1, name->n); /* with its end */
		name->n--;
	}
}

static bool form_is(const char *p, const char *end, const char *text)
{
	return (size_t)(end - p) == strlen(text) && memcmp(p, text, strlen(text)) == 0;
}

int sw_approve_form(const char *body, size_t n, struct sw_buf *name, bool *ret_yes)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf raw = SW_BUF_INIT;
	const char *p = body, *end = body + n;
	unsigned names = 0, decisions = 0;

	for (; p < end;) {
		const char *amp = memchr(p, '&', (size_t)(end - p)), *stop = amp ? amp : end, *eq = memchr(p, '=', (size_t)(stop - p));

		if (!eq)
			return APPROVE_FORM_BROKEN;
		if (form_is(p, eq, "name")) {
			names++;
			sw_buf_reset(&raw);
			if (sw_pct_decode(&raw, eq + 1, (size_t)(stop - eq - 1), true) < 0)
				return APPROVE_FORM_BROKEN;
		} else if (form_is(p, eq, "decision")) {
			decisions++;
			*ret_yes = form_is(eq + 1, stop, "approve");
			if (!*ret_yes && !form_is(eq + 1, stop, "refuse"))
				return APPROVE_FORM_BROKEN;
		}
		p = stop + 1;
	}
	if (names > 1 || decisions != 1)
		return APPROVE_FORM_BROKEN;
	form_name(&raw, name);
	if (!name->n)
		return APPROVE_FORM_NAME;
	return name->n > APPROVE_NAME_MAX ? APPROVE_FORM_LONG : APPROVE_FORM_GOOD;
}
