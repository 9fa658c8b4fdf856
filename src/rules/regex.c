/* Regular expressions: PCRE2, compiled at load, with limits on matching; a limit hit is "unknown", never a match. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <errno.h>
#include <pcre2.h>
#include <string.h>

#include "rules/expr.h"

#define SUBJECT_BYTES 4096
#define MATCH_LIMIT   100000
#define DEPTH_LIMIT   1000
#define HEAP_KIB      1024

void *sw_regex_compile(const char *pattern, bool fold, struct sw_err *err)
{
	PCRE2_UCHAR text[120];
	PCRE2_SIZE at;
	int code;
	pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern, strlen(pattern),
	                               PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C | (fold ? PCRE2_CASELESS : 0), &code, &at,
	                               NULL);

	if (!re) {
		pcre2_get_error_message(code, text, sizeof text);
		sw_err_set(err, EINVAL, "wrong regular expression: %s at its byte %zu", (const char *)text, (size_t)at);
	}
	return re;
}

enum sw_truth sw_regex_match(const void *re, const char *text)
{
	pcre2_match_context *ctx = pcre2_match_context_create(NULL);
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	size_t n = strlen(text);
	int r;

	SW_ASSERT(ctx && data);
	pcre2_set_match_limit(ctx, MATCH_LIMIT);
	pcre2_set_depth_limit(ctx, DEPTH_LIMIT);
	pcre2_set_heap_limit(ctx, HEAP_KIB);
	r = pcre2_match(re, (PCRE2_SPTR)text, SW_MIN(n, SUBJECT_BYTES), 0, 0, data, ctx);
	pcre2_match_data_free(data);
	pcre2_match_context_free(ctx);
	if (r >= 0)
		return SW_TRUE;
	return r == PCRE2_ERROR_NOMATCH ? SW_FALSE : SW_UNKNOWN;
}

bool sw_regex_matches_empty(const void *re)
{
	return sw_regex_match(re, "") == SW_TRUE;
}

void sw_regex_free(void *re)
{
	pcre2_code_free(re);
}
