/* Templates of PromQL: one scanner that knows strings, comments and brackets; checking and filling walk over it. */
#include "signal/promql.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "shipwatch/clock.h"

#define DEPTH_MAX 64

static const char *const promql_words[] = { "labels", "window", "step", NULL };

/* Behind the string, comment or character at p; NULL: a string that is not closed. */
static const char *promql_next(const char *p)
{
	char quote = *p;

	if (quote == '#')
		return p + strcspn(p, "\n");
	if (quote != '"' && quote != '\'' && quote != '`')
		return p + 1;
	for (p++; *p && *p != quote; p++)
		if (*p == '\\' && quote != '`' && p[1])
			p++;
	return *p ? p + 1 : NULL;
}

/* The word behind a $; its length, 0 where none stands. */
static size_t promql_word(const char *p)
{
	return *p == '$' ? strspn(p + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") : 0;
}

static bool promql_is(const char *p, size_t n, const char *word)
{
	return strlen(word) == n && memcmp(p + 1, word, n) == 0;
}

static int check_word(const char *text, const char *p, char inside, struct sw_err *err)
{
	size_t n = promql_word(p);
	char word[24], shown[64];
	const char *meant;

	for (const char *const *w = promql_words; *w; w++) {
		if (!promql_is(p, n, *w))
			continue;
		if (w == promql_words && inside != '{')
			return sw_err_set(err, EINVAL, "column %zu: $labels belongs between { and }",
			                  (size_t)(p - text) + 1);
		return 0;
	}
	(void)snprintf(word, sizeof word, "%.*s", (int)SW_MIN(n, sizeof word - 1), p + 1);
	meant = n ? sw_did_you_mean(word, promql_words) : NULL;
	return sw_err_set(err, EINVAL, "column %zu: unknown $%s, %s%s%s", (size_t)(p - text) + 1,
	                  sw_err_quote(word, strlen(word), shown, sizeof shown),
	                  meant ? "did you mean $" : "there are $labels, $window and $step", meant ? meant : "",
	                  meant ? "?" : "");
}

/* What closes the bracket c, or 0. */
static char promql_closer(char c)
{
	return c == '(' ? ')' : c == '[' ? ']' : c == '{' ? '}' : '\0';
}

int sw_promql_check(const char *text, struct sw_err *err)
{
	char open[DEPTH_MAX] = "";
	size_t depth = 0;
	bool selects = false;

	if (strlen(text) > SW_PROMQL_MAX)
		return sw_err_set(err, EINVAL, "is longer than %d bytes", SW_PROMQL_MAX);
	if (!text[strspn(text, " \t\r\n")])
		return sw_err_set(err, EINVAL, "is empty");
	for (const char *p = text, *next; *p; p = next) {
		size_t at = (size_t)(p - text) + 1;
		int r = *p == '$' ? check_word(text, p, depth ? open[depth - 1] : '\0', err) : 0;

		if (r < 0)
			return r;
		next = promql_next(p);
		if (!next)
			return sw_err_set(err, EINVAL, "column %zu: this text is not closed", at);
		if ((unsigned char)*p < ' ' && !strchr("\t\r\n", *p))
			return sw_err_set(err, EINVAL, "column %zu: a control character", at);
		selects = selects || *p == '{';
		if (promql_closer(*p)) {
			if (depth == DEPTH_MAX)
				return sw_err_set(err, EINVAL, "column %zu: brackets nest too deep", at);
			open[depth++] = *p;
		} else if (strchr(")]}", *p) && (depth == 0 || promql_closer(open[--depth]) != *p)) {
			return sw_err_set(err, EINVAL, "column %zu: this %c closes nothing", at, *p);
		}
	}
	if (depth)
		return sw_err_set(err, EINVAL, "a %c is not closed", open[depth - 1]);
	if (!selects)
		return sw_err_set(err, EINVAL,
		                  "has no $labels, so it would ask for every service: write name{$labels}, or name{} "
		                  "where that is meant");
	return 0;
}

bool sw_promql_uses(const char *text, const char *word)
{
	for (const char *p = text; p && *p; p = promql_next(p))
		if (*p == '$' && promql_is(p, promql_word(p), word))
			return true;
	return false;
}

/* Behind the matchers that are not there, and behind the comma that would stand in front. */
static const char *fill_nothing(const char *p)
{
	p += strspn(p, " \t\r\n");
	return *p == ',' ? p + 1 : p;
}

void sw_promql_fill(struct sw_buf *out, const char *text, const char *labels, sw_dur window, sw_dur step)
{
	size_t labels_n = labels ? strlen(labels) : 0;

	while (labels_n && strchr(" \t\r\n,", labels[labels_n - 1]))
		labels_n--;
	for (const char *p = text, *next; p && *p; p = next) {
		size_t n = promql_word(p);

		next = promql_next(p);
		if (n && promql_is(p, n, "labels")) {
			next = labels_n ? p + 1 + n : fill_nothing(p + 1 + n);
			sw_buf_catn(out, labels, labels_n);
		} else if (n && (promql_is(p, n, "window") || promql_is(p, n, "step"))) {
			sw_dur_print(p[1] == 'w' ? window : step, out);
			next = p + 1 + n;
		} else if (*p != '#') {
			sw_buf_catn(out, p, next ? (size_t)(next - p) : strlen(p));
		}
	}
}
