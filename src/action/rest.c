/* What the APIs of git hosts share: reading a refusal. */
#include "action/rest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define SAID_MOST 200
#define SAID_DEEP 4

/* The first text in it: {"message": {"base": ["Reference not found"]}} says its reason three levels down. */
static const char *first_text(const struct sw_jnode *n, int deep)
{
	if (!n || deep > SAID_DEEP)
		return NULL;
	if (n->type == SW_J_STRING)
		return n->text;
	for (const struct sw_jnode *c = n->child; c; c = c->next) {
		const char *s = c->key && strcmp(c->key, "documentation_url") == 0 ? NULL : first_text(c, deep + 1);

		if (s)
			return s;
	}
	return NULL;
}

const struct sw_jnode *sw_rest_body(const struct sw_result *res, struct sw_arena *a)
{
	struct sw_jnode *root;

	if (!res->body_n || sw_jtree_parse(a, res->body, res->body_n, SW_REST_NODES, &root, NULL) < 0)
		return NULL;
	return root;
}

const char *sw_rest_text(const struct sw_jnode *obj, const char *key, struct sw_arena *a)
{
	const struct sw_jnode *n = sw_jget(obj, key);

	return n && (n->type == SW_J_NUMBER || n->type == SW_J_STRING) && *n->text ? sw_arena_strdup(a, n->text) : NULL;
}

static void said(const struct sw_result *res, struct sw_buf *out)
{
	static const char *const keys[] = { "error_description", "message", "error", "errors" };
	struct sw_arena a = { 0 };
	const struct sw_jnode *root = sw_rest_body(res, &a);

	for (size_t i = 0; i < SW_COUNT(keys); i++) {
		const char *s = first_text(sw_jget(root, keys[i]), 0);

		if (!s || (out->n && strstr(out->p, s)))
			continue;
		sw_buf_cat(out, out->n ? "; " : "");
		sw_utf8_clean(out, s, sw_utf8_cut(s, strlen(s), SAID_MOST), true);
	}
	if (!out->n && root && root->type == SW_J_STRING)
		sw_utf8_clean(out, root->text, sw_utf8_cut(root->text, root->n, SAID_MOST), true);
	sw_arena_fini(&a);
}

/* Seconds until it may be asked again; 0: not said. */
static sw_dur rest_wait(const struct sw_result *res)
{
	const char *after = sw_result_header(res, "retry-after"),
	           *left = sw_result_header(res, "x-ratelimit-remaining"),
	           *reset = sw_result_header(res, "x-ratelimit-reset");
	long long v = after ? strtoll(after, NULL, 10) : 0;

	if (v <= 0 && reset && sw_streq(left, "0"))
		v = strtoll(reset, NULL, 10) - res->at / SW_SECOND;
	return v > 0 ? SW_MIN((sw_dur)SW_MIN(v, 86400LL) * SW_SECOND, SW_DAY) : 0;
}

static bool rest_limited(const struct sw_result *res, const char *text)
{
	return res->status == 429 ||
	       (res->status == 403 &&
	        (sw_result_header(res, "retry-after") ||
	         sw_streq(sw_result_header(res, "x-ratelimit-remaining"), "0") || strcasestr(text, "rate limit")));
}

static void rest_tell(struct sw_err *err, int status, const char *words, const char *text)
{
	if (*text)
		sw_err_set(err, EIO, "%s (HTTP %d: %s)", words, status, text);
	else
		sw_err_set(err, EIO, "%s (HTTP %d)", words, status);
}

struct sw_class sw_rest_judge(const struct rest_row *rows, const struct sw_result *res, struct sw_err *err)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf text = SW_BUF_INIT;
	struct sw_class ret = { .outcome = SW_OK, .code = res->status };

	if (res->fault != SW_FAULT_NONE) {
		(void)sw_judge_transport(res, &ret, err);
		return ret;
	}
	if (res->status >= 200 && res->status < 300)
		return ret;
	said(res, &text);
	if (rest_limited(res, sw_buf_str(&text))) {
		ret.outcome = SW_HOLD;
		ret.wait = rest_wait(res);
		if (ret.wait)
			sw_buf_printf(&text, "%sagain in %lld s", text.n ? "; " : "",
			              (long long)(ret.wait / SW_SECOND));
		rest_tell(err, res->status, "refused because of too many requests, nothing was done",
		          sw_buf_str(&text));
		return ret;
	}
	if (res->status >= 500 || res->status == 408) {
		ret.outcome = SW_AMBIGUOUS;
		rest_tell(err, res->status, "an error over there: it may or may not have been done", sw_buf_str(&text));
		return ret;
	}
	ret.outcome = SW_MESSAGE;
	for (; rows->status; rows++) {
		if (rows->status != res->status || (rows->has && !strcasestr(sw_buf_str(&text), rows->has)))
			continue;
		ret.outcome = rows->outcome;
		rest_tell(err, res->status, rows->words, sw_buf_str(&text));
		return ret;
	}
	rest_tell(err, res->status,
	          res->status >= 300 && res->status < 400 ? "sent on to another address, which is not followed"
	                                                  : "refused",
	          sw_buf_str(&text));
	return ret;
}

bool sw_rest_same_sha(const char *a, const char *b)
{
	size_t n;

	if (!a || !b)
		return false;
	n = SW_MIN(strlen(a), strlen(b));
	return n >= 7 && strncasecmp(a, b, n) == 0;
}

bool sw_rest_is_id(const char *s)
{
	size_t n = s ? strspn(s, "0123456789") : 0;

	return n && n <= 20 && !s[n];
}

void sw_rest_unused(const struct sw_ynode *node, const char *const *words, const char *what, struct sw_diags *d)
{
	for (; *words; words++) {
		const struct sw_ynode *v = sw_yget(node, *words);

		if (v)
			sw_diag_key(d, v, "%s has no use for %s", what, *words);
	}
}
