/* The language of scrapes: reading an expression, and which samples it chooses. */
#include "signal/select.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "shipwatch/buf.h"

static const struct {
	const char *name;
	enum sw_select_func func;
	size_t n_sel;
} select_funcs[] = {
	{ "quantile", SW_SEL_QUANTILE, 1 }, { "ratio", SW_SEL_RATIO, 2 },     { "rate", SW_SEL_RATE, 1 },
	{ "increase", SW_SEL_INCREASE, 1 }, { "changes", SW_SEL_CHANGES, 1 }, { "sum", SW_SEL_SUM, 1 },
	{ "max", SW_SEL_MAX, 1 },           { "min", SW_SEL_MIN, 1 },         { "avg", SW_SEL_AVG, 1 },
};
static const char *const func_names[] = { "quantile", "ratio", "rate", "increase", "changes",
	                                  "sum",      "max",   "min",  "avg",      NULL };

struct text {
	const char *begin, *p;
	struct sw_arena *a;
	struct sw_err *err;
};

static int text_wrong(const struct text *t, const char *at, const char *want)
{
	char shown[40];
	size_t n = SW_MIN(strlen(at), (size_t)16);

	if (!*at)
		return sw_err_set(t->err, EINVAL, "column %zu: want %s, but it ends", (size_t)(at - t->begin) + 1,
		                  want);
	return sw_err_set(t->err, EINVAL, "column %zu: want %s, got \"%s\"", (size_t)(at - t->begin) + 1, want,
	                  sw_err_quote(at, n, shown, sizeof shown));
}

static void blanks(struct text *t)
{
	t->p += strspn(t->p, " \t\r\n");
}

/* One character and the blanks around it. */
static bool take(struct text *t, char c)
{
	blanks(t);
	if (*t->p != c)
		return false;
	t->p++;
	blanks(t);
	return true;
}

static size_t name_length(const char *s, bool colon)
{
	if (*s >= '0' && *s <= '9')
		return 0;
	return strspn(s, colon ? "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:"
	                       : "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
}

/* A number without a sign. */
static int number(struct text *t, double *ret)
{
	size_t n = strspn(t->p, "0123456789.eE");

	if (!sw_expo_number(t->p, n, ret))
		return text_wrong(t, t->p, "a number");
	t->p += n;
	blanks(t);
	return 0;
}

/* "…" or '…'; \\, \", \' and \n as in PromQL, any other \ is itself. */
static int quoted(struct text *t, struct sw_matcher *m)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	const char *from = t->p;
	char quote = *t->p;

	if (quote != '"' && quote != '\'')
		return text_wrong(t, t->p, "a text in quotes");
	for (t->p++; *t->p && *t->p != quote; t->p++) {
		if (*t->p == '\\' && t->p[1] && strchr("\\\"'n", t->p[1])) {
			t->p++;
			sw_buf_putc(&b, *t->p == 'n' ? '\n' : *t->p);
		} else {
			sw_buf_putc(&b, *t->p);
		}
	}
	if (!*t->p)
		return text_wrong(t, from, "a text that is closed");
	t->p++;
	blanks(t);
	m->value = sw_arena_memdup(t->a, sw_buf_str(&b), b.n);
	m->value_n = b.n;
	return 0;
}

static int matcher_op(struct text *t, struct sw_matcher *m)
{
	static const struct {
		const char *text;
		enum sw_match_op op;
	} ops[] = {
		{ "=~", SW_OP_LIKE },
		{ "!~", SW_OP_NOT_LIKE },
		{ "!=", SW_OP_IS_NOT },
		{ "=", SW_OP_IS },
	};

	blanks(t);
	for (size_t i = 0; i < SW_COUNT(ops); i++) {
		if (!sw_starts(t->p, ops[i].text))
			continue;
		t->p += strlen(ops[i].text);
		blanks(t);
		m->op = ops[i].op;
		return 0;
	}
	return text_wrong(t, t->p, "=, !=, =~ or !~");
}

static int matcher(struct text *t, struct sw_matcher *m)
{
	const char *value;
	size_t at;

	m->name = t->p;
	m->name_n = name_length(t->p, false);
	if (!m->name_n)
		return text_wrong(t, t->p, "the name of a label");
	m->name = sw_arena_strndup(t->a, t->p, m->name_n);
	t->p += m->name_n;
	if (matcher_op(t, m) < 0)
		return -EINVAL;
	value = t->p;
	if (quoted(t, m) < 0)
		return -EINVAL;
	if (m->op != SW_OP_LIKE && m->op != SW_OP_NOT_LIKE)
		return 0;
	if (sw_pattern_parse(m->value, m->value_n, t->a, &m->pattern, &at, t->err) < 0) {
		sw_err_prefix(t->err, "column %zu: in this pattern", (size_t)(value - t->begin) + 1);
		return -EINVAL;
	}
	return 0;
}

static int way(struct text *t, struct sw_way *w)
{
	w->name_n = name_length(t->p, true);
	if (!w->name_n)
		return text_wrong(t, t->p, "the name of a metric");
	w->name = sw_arena_strndup(t->a, t->p, w->name_n);
	t->p += w->name_n;
	if (!take(t, '{'))
		return 0;
	while (!take(t, '}')) {
		if (w->n_matchers == SW_SEL_MATCHERS)
			return text_wrong(t, t->p, "no more than 16 matchers");
		if (matcher(t, &w->matchers[w->n_matchers++]) < 0)
			return -EINVAL;
		if (!take(t, ',') && *t->p != '}')
			return text_wrong(t, t->p, ", or }");
	}
	return 0;
}

static uint32_t hash_text(const char *from, const char *to)
{
	uint32_t h = 2166136261U;

	for (; from < to; from++)
		if (!strchr(" \t\r\n", *from))
			h = (h ^ (unsigned char)*from) * 16777619U;
	return h;
}

static bool take_or(struct text *t)
{
	blanks(t);
	if (strncmp(t->p, "or", 2) != 0 || name_length(t->p, true) != 2)
		return false;
	t->p += 2;
	blanks(t);
	return true;
}

static int selector(struct text *t, struct sw_selector *sel)
{
	const char *from = t->p;

	sel->ways = SW_ARENA_ARRAY(t->a, struct sw_way, SW_SEL_WAYS);
	do {
		if (sel->n_ways == SW_SEL_WAYS)
			return text_wrong(t, t->p, "no more than 8 of them");
		if (way(t, &sel->ways[sel->n_ways++]) < 0)
			return -EINVAL;
	} while (take_or(t));
	sel->hash = hash_text(from, t->p);
	return 0;
}

static int arguments(struct text *t, struct sw_select *s)
{
	const char *from = t->p;

	if (s->func == SW_SEL_QUANTILE) {
		if (number(t, &s->q) < 0)
			return -EINVAL;
		if (s->q > 1)
			return text_wrong(t, from, "a number from 0 to 1");
		if (!take(t, ','))
			return text_wrong(t, t->p, ", and the name of a histogram");
	}
	for (size_t i = 0; i < s->n_sel; i++) {
		if (i && !take(t, ','))
			return text_wrong(t, t->p, ", and of what it is a part");
		if (selector(t, &s->sel[i]) < 0)
			return -EINVAL;
	}
	return take(t, ')') ? 0 : text_wrong(t, t->p, ")");
}

/* NAME( … ) or a selector alone. */
static int call(struct text *t, struct sw_select *s)
{
	const char *from = t->p, *meant;
	size_t n = name_length(t->p, true);
	char word[24];

	*s = (struct sw_select){ .func = SW_SEL_BARE, .factor = 1, .n_sel = 1 };
	t->p += n;
	if (!n || !take(t, '(')) {
		t->p = from;
		return selector(t, &s->sel[0]);
	}
	(void)snprintf(word, sizeof word, "%.*s", (int)SW_MIN(n, sizeof word - 1), from);
	for (size_t i = 0; i < SW_COUNT(select_funcs); i++) {
		if (strcmp(word, select_funcs[i].name) != 0)
			continue;
		s->func = select_funcs[i].func;
		s->n_sel = select_funcs[i].n_sel;
		return arguments(t, s);
	}
	meant = sw_did_you_mean(word, func_names);
	return sw_err_set(
	    t->err, EINVAL, "column %zu: unknown function \"%s\"%s%s%s", (size_t)(from - t->begin) + 1, word,
	    meant ? ", did you mean \"" : "; there are quantile, ratio, rate, increase, changes, sum, max, min and avg",
	    meant ? meant : "", meant ? "\"?" : "");
}

int sw_select_parse(const char *text, struct sw_arena *a, struct sw_select *ret, struct sw_err *err)
{
	struct text t = { .begin = text, .p = text, .a = a, .err = err };

	if (strlen(text) > SW_SELECT_MAX)
		return sw_err_set(err, EINVAL, "is longer than %d bytes", SW_SELECT_MAX);
	blanks(&t);
	if (call(&t, ret) < 0)
		return -EINVAL;
	blanks(&t);
	if (*t.p == '/' || *t.p == '*') {
		char op = *t.p++;
		double v;

		blanks(&t);
		if (number(&t, &v) < 0)
			return -EINVAL;
		if (v <= 0)
			return text_wrong(&t, t.p, "a number above 0 in front");
		ret->factor = op == '*' ? v : 1 / v;
	}
	return *t.p ? text_wrong(&t, t.p, "its end") : 0;
}

/* ---- choosing ---- */

static bool bytes_equal(const char *a, size_t an, const char *b, size_t bn)
{
	return an == bn && memcmp(a, b, an) == 0;
}

/* A label that is not there is the empty text. */
static bool matcher_fits(const struct sw_matcher *m, const struct sw_expo_sample *s)
{
	const char *value = "";
	size_t n = 0;

	for (size_t i = 0; i < s->n_labels; i++) {
		if (!bytes_equal(s->labels[i].name, s->labels[i].name_n, m->name, m->name_n))
			continue;
		value = s->labels[i].value;
		n = s->labels[i].value_n;
		break;
	}
	switch (m->op) {
	case SW_OP_IS:
		return bytes_equal(value, n, m->value, m->value_n);
	case SW_OP_IS_NOT:
		return !bytes_equal(value, n, m->value, m->value_n);
	case SW_OP_LIKE:
		return sw_pattern_fits(m->pattern, value, n);
	case SW_OP_NOT_LIKE:
		return !sw_pattern_fits(m->pattern, value, n);
	}
	return false;
}

bool sw_selector_fits(const struct sw_selector *sel, const struct sw_expo_sample *s, const char *suffix)
{
	size_t suffix_n = strlen(suffix);

	for (size_t i = 0; i < sel->n_ways; i++) {
		const struct sw_way *w = &sel->ways[i];
		size_t k = 0;

		if (s->name_n != w->name_n + suffix_n || memcmp(s->name, w->name, w->name_n) != 0 ||
		    memcmp(s->name + w->name_n, suffix, suffix_n) != 0)
			continue;
		while (k < w->n_matchers && matcher_fits(&w->matchers[k], s))
			k++;
		if (k == w->n_matchers)
			return true;
	}
	return false;
}
