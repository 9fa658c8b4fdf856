/* Expressions, bytes to tokens; the longest match wins: "3x" before "3", "1h30m" as one, "2pp" before "2". */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "rules/expr.h"

static const struct { const char *unit; enum sw_vtype type; double scale; } units[] = {
	{ "us", SW_V_DURATION, 1e-6 }, { "ms", SW_V_DURATION, 1e-3 }, { "s", SW_V_DURATION, 1 },       { "m", SW_V_DURATION, 60 },
	{ "h", SW_V_DURATION, 3600 },  { "d", SW_V_DURATION, 86400 }, { "w", SW_V_DURATION, 604800 },  { "B", SW_V_BYTES, 1 },
	{ "KB", SW_V_BYTES, 1e3 },     { "MB", SW_V_BYTES, 1e6 },     { "GB", SW_V_BYTES, 1e9 },       { "KiB", SW_V_BYTES, 1024 },
	{ "MiB", SW_V_BYTES, 1048576 }, { "GiB", SW_V_BYTES, 1073741824 }, { "rps", SW_V_RATE, 1 },    { "rpm", SW_V_RATE, 1.0 / 60 },
};

static bool word(char c)
{
	return c == '_' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

static struct token lex_wrong(struct lexer *l, size_t at, const char *what)
{
	l->at = l->n;
	return (struct token){ .kind = T_WRONG, .at = at, .end = at, .error = what };
}

static size_t lex_digits(const struct lexer *l, size_t at)
{
	while (at < l->n && l->text[at] >= '0' && l->text[at] <= '9')
		at++;
	return at;
}

static size_t lex_number_end(const struct lexer *l, size_t at)
{
	at = lex_digits(l, at);
	if (at + 1 < l->n && l->text[at] == '.' && l->text[at + 1] >= '0' && l->text[at + 1] <= '9')
		at = lex_digits(l, at + 1);
	return at;
}

/* Index of the unit whose letters stand at `at`, all of them; -1: none. */
static int lex_unit(const struct lexer *l, size_t at, size_t *end)
{
	size_t n = 0;

	while (at + n < l->n && ((l->text[at + n] | 32) >= 'a' && (l->text[at + n] | 32) <= 'z'))
		n++;
	for (size_t i = 0; n && i < SW_COUNT(units); i++)
		if (strlen(units[i].unit) == n && memcmp(units[i].unit, l->text + at, n) == 0) {
			*end = at + n;
			return (int)i;
		}
	return -1;
}

static struct token lex_number(struct lexer *l)
{
	size_t at = l->at, end = lex_number_end(l, at), next;
	struct token t = { .kind = T_LITERAL, .at = at };
	double v = strtod(l->text + at, NULL);
	int u;

	t.value = (struct sw_value){ .type = SW_V_NUMBER, .num = v };
	if (end < l->n && l->text[end] == '%') {
		t.value = (struct sw_value){ .type = SW_V_RATIO, .num = v / 100 };
		end++;
	} else if (end + 1 < l->n && l->text[end] == 'p' && l->text[end + 1] == 'p' && (end + 2 == l->n || !word(l->text[end + 2]))) {
		t.kind = T_POINTS;
		t.value = (struct sw_value){ .type = SW_V_RATIO, .num = v / 100 };
		end += 2;
	} else if (end < l->n && l->text[end] == 'x' && (end + 1 == l->n || !word(l->text[end + 1]))) {
		t.kind = T_MULTIPLE;
		end++;
	} else if ((u = lex_unit(l, end, &next)) >= 0) {
		t.value = (struct sw_value){ .type = units[u].type, .num = v * units[u].scale };
		end = next;
		while (units[u].type == SW_V_DURATION && end < l->n && l->text[end] >= '0' && l->text[end] <= '9') {
			size_t num = lex_number_end(l, end);
			int k = lex_unit(l, num, &next);

			if (k < 0 || units[k].type != SW_V_DURATION)
				return lex_wrong(l, end, "want a unit behind this number");
			t.value.num += strtod(l->text + end, NULL) * units[k].scale;
			end = next;
		}
	} else if (end < l->n && word(l->text[end])) {
		return lex_wrong(l, end, "unknown unit, want us ms s m h d w B KB MB GB KiB MiB GiB rps rpm % pp or x");
	}
	t.end = l->at = end;
	return t;
}

static struct token lex_string(struct lexer *l)
{
	struct token t = { .kind = T_LITERAL, .at = l->at };
	struct sw_buf b = SW_BUF_INIT;
	size_t at = l->at + 1;

	while (at < l->n && l->text[at] != '"') {
		if (l->text[at] == '\\' && at + 1 < l->n)
			at++;
		sw_buf_putc(&b, l->text[at++]);
	}
	if (at >= l->n) {
		sw_buf_fini(&b);
		return lex_wrong(l, l->at, "string is not closed");
	}
	t.value = (struct sw_value){ .type = SW_V_STRING, .str = sw_arena_strdup(l->a, sw_buf_str(&b)) };
	t.text = t.value.str;
	t.end = l->at = at + 1;
	sw_buf_fini(&b);
	return t;
}

static struct token lex_regex(struct lexer *l)
{
	struct token t = { .kind = T_REGEX, .at = l->at };
	struct sw_buf b = SW_BUF_INIT;
	size_t at = l->at + 1;

	while (at < l->n && l->text[at] != '/') {
		if (l->text[at] == '\\' && at + 1 < l->n && l->text[at + 1] == '/')
			at++;
		else if (l->text[at] == '\\' && at + 1 < l->n)
			sw_buf_putc(&b, l->text[at++]);
		sw_buf_putc(&b, l->text[at++]);
	}
	if (at >= l->n) {
		sw_buf_fini(&b);
		return lex_wrong(l, l->at, "regular expression is not closed");
	}
	at++;
	if (at < l->n && l->text[at] == 'i' && (at + 1 == l->n || !word(l->text[at + 1]))) {
		t.fold = true;
		at++;
	}
	t.text = sw_arena_strdup(l->a, sw_buf_str(&b));
	t.end = l->at = at;
	sw_buf_fini(&b);
	return t;
}

struct token sw_lex_next(struct lexer *l, bool regex)
{
	static const char *const ops[] = { "<=", ">=", "==", "!=", "=~", "!~", "&&", "||", "<", ">", "=", "!", "+", "-", "*",
		                           "/",  "(",  ")",  "[",  "]",  ",",  "." };
	struct token t = { .kind = T_OP };
	char c;

	while (l->at < l->n && strchr(" \t\r\n", l->text[l->at]))
		l->at++;
	if (l->at >= l->n)
		return (struct token){ .kind = T_END, .at = l->n, .end = l->n };
	c = l->text[l->at];
	if (c >= '0' && c <= '9')
		return lex_number(l);
	if (c == '"')
		return lex_string(l);
	if (c == '/' && regex)
		return lex_regex(l);
	t.at = l->at;
	if (word(c)) {
		t.kind = T_IDENT;
		while (l->at < l->n && word(l->text[l->at]))
			l->at++;
		t.text = sw_arena_strndup(l->a, l->text + t.at, l->at - t.at);
		t.end = l->at;
		return t;
	}
	for (size_t i = 0; i < SW_COUNT(ops); i++) {
		if (sw_starts(l->text + l->at, ops[i])) {
			t.text = ops[i];
			t.end = l->at += strlen(ops[i]);
			return t;
		}
	}
	return lex_wrong(l, l->at, c == '\'' ? "strings stand in double quotes" : "unexpected character");
}
