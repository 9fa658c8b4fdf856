/*
 * Grammar of a line (https://prometheus.io/docs/instrumenting/exposition_formats/):
 *
 *   [blanks] name [blanks] [ "{" [ label "=" quoted { "," … } ] [","] "}" ] blanks value [ blanks timestamp ] [ blanks
 * "#" exemplar ] "\n"
 *   "#" anything "\n"
 */
#include "signal/exposition.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shipwatch/buf.h"

#define NUMBER_MAX 63

struct line {
	const char *p, *end; /* end: the line's '\n' */
	unsigned no;
	bool open;
	struct sw_buf values; /* of labels with escapes */
	struct sw_expo_sample s;
	struct sw_err *err;
};

static int line_wrong(const struct line *l, const char *want)
{
	char shown[48];
	size_t n = SW_MIN((size_t)(l->end - l->p), (size_t)20);

	if (n == 0)
		return sw_err_set(l->err, EBADMSG, "line %u: want %s, but the line ends", l->no, want);
	return sw_err_set(l->err, EBADMSG, "line %u: want %s, got \"%s\"", l->no, want,
	                  sw_err_quote(l->p, n, shown, sizeof shown));
}

static void line_blanks(struct line *l)
{
	while (l->p < l->end && (*l->p == ' ' || *l->p == '\t'))
		l->p++;
}

static bool name_char(char c, bool first, bool colon)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colon && c == ':') ||
	       (!first && c >= '0' && c <= '9');
}

/* How long the name at p is; 0: none stands there. */
static size_t line_name(const struct line *l, bool colon)
{
	size_t n = 0;

	while (l->p + n < l->end && name_char(l->p[n], n == 0, colon))
		n++;
	return n;
}

bool sw_expo_number(const char *s, size_t n, double *ret)
{
	char copy[NUMBER_MAX + 1], *end;
	const char *word;

	if (n == 0 || n > NUMBER_MAX)
		return false;
	memcpy(copy, s, n);
	copy[n] = '\0';
	word = copy + (*copy == '+' || *copy == '-');
	if (strcasecmp(word, "nan") == 0) {
		*ret = NAN;
		return true;
	}
	if (strcasecmp(word, "inf") == 0 || strcasecmp(word, "infinity") == 0) {
		*ret = *copy == '-' ? -INFINITY : INFINITY;
		return true;
	}
	if (!((*word >= '0' && *word <= '9') || *word == '.'))
		return false;
	*ret = strtod(copy, &end);
	return *end == '\0';
}

static bool line_number(struct line *l, double *ret)
{
	const char *from = l->p;

	while (l->p < l->end && *l->p != ' ' && *l->p != '\t')
		l->p++;
	if (sw_expo_number(from, (size_t)(l->p - from), ret))
		return true;
	l->p = from;
	return false;
}

/* Behind the opening quote. What other escape there is stays as it is written. */
static int line_value(struct line *l, struct sw_expo_label *label)
{
	const char *from = l->p;
	bool escaped = false;
	size_t at = l->values.n;

	for (; l->p < l->end && *l->p != '"'; l->p++) {
		if (*l->p == '\\' && l->p + 1 < l->end) {
			escaped = true;
			l->p++;
		}
	}
	if (l->p == l->end)
		return line_wrong(l, "the quote that ends a value");
	label->value = from;
	label->value_n = (size_t)(l->p++ - from);
	if (!escaped)
		return 0;
	for (const char *c = from; c < from + label->value_n; c++) {
		if (*c == '\\' && (c[1] == '\\' || c[1] == '"' || c[1] == 'n')) {
			sw_buf_putc(&l->values, c[1] == 'n' ? '\n' : c[1]);
			c++;
		} else {
			sw_buf_putc(&l->values, *c);
		}
	}
	label->value = l->values.p + at; /* there is room for the whole line: the memory does not move */
	label->value_n = l->values.n - at;
	return 0;
}

static int line_label(struct line *l)
{
	struct sw_expo_label *label;

	if (l->s.n_labels == SW_EXPO_LABELS)
		return sw_err_set(l->err, EBADMSG, "line %u: more than %d labels", l->no, SW_EXPO_LABELS);
	label = &l->s.labels[l->s.n_labels++];
	label->name = l->p;
	label->name_n = line_name(l, false);
	if (!label->name_n)
		return line_wrong(l, "the name of a label");
	l->p += label->name_n;
	line_blanks(l);
	if (l->p == l->end || *l->p != '=')
		return line_wrong(l, "=");
	l->p++;
	line_blanks(l);
	if (l->p == l->end || *l->p != '"')
		return line_wrong(l, "a value in quotes");
	l->p++;
	return line_value(l, label);
}

/* Behind the '{'. */
static int line_labels(struct line *l)
{
	for (;;) {
		int r;

		line_blanks(l);
		if (l->p < l->end && *l->p == '}') {
			l->p++;
			return 0;
		}
		r = line_label(l);
		if (r < 0)
			return r;
		line_blanks(l);
		if (l->p < l->end && *l->p == ',')
			l->p++;
		else if (l->p == l->end || *l->p != '}')
			return line_wrong(l, ", or }");
	}
}

static int line_sample(struct line *l)
{
	double timestamp;
	int r = 0;

	l->s.n_labels = 0;
	l->s.line = l->no;
	l->s.name = l->p;
	l->s.name_n = line_name(l, true);
	if (!l->s.name_n)
		return line_wrong(l, "the name of a metric");
	l->p += l->s.name_n;
	line_blanks(l);
	if (l->p < l->end && *l->p == '{') {
		l->p++;
		r = line_labels(l);
	}
	if (r < 0)
		return r;
	line_blanks(l);
	if (!line_number(l, &l->s.value))
		return line_wrong(l, "a number");
	line_blanks(l);
	if (l->p < l->end && *l->p != '#' && !line_number(l, &timestamp))
		return line_wrong(l, "a time");
	line_blanks(l);
	if (l->p < l->end && !(l->open && *l->p == '#'))
		return line_wrong(l, "the end of the line");
	return 0;
}

/* One line. Return: 1 a sample is there, 0 none, 2 it was the end. */
static int line_read(struct line *l)
{
	int r;

	if (l->open && (size_t)(l->end - l->p) == 5 && memcmp(l->p, "# EOF", 5) == 0)
		return 2;
	line_blanks(l);
	if (l->p == l->end || *l->p == '#')
		return 0;
	sw_buf_reset(&l->values);
	sw_buf_reserve(&l->values, (size_t)(l->end - l->p) + 1);
	r = line_sample(l);
	return r < 0 ? r : 1;
}

int sw_expo_parse(const char *text, size_t n, bool open, sw_expo_cb cb, void *arg, struct sw_err *err)
{
	const char *p = text, *end = text + n;
	struct line l = { .open = open, .err = err };
	int r = 0;

	while (p < end && r == 0) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		l.no++;
		if (!nl) {
			r = sw_err_set(err, EBADMSG, "line %u: the page ends in the middle of a line", l.no);
			break;
		}
		if ((size_t)(nl - p) > SW_EXPO_LINE) {
			r = sw_err_set(err, EBADMSG, "line %u: longer than %zu bytes", l.no, SW_EXPO_LINE);
			break;
		}
		l.p = p;
		l.end = nl;
		p = nl + 1;
		r = line_read(&l);
		if (r == 1)
			r = cb(arg, &l.s, err);
	}
	sw_buf_fini(&l.values);
	if (r < 0)
		return r;
	if (r == 2)
		return p == end ? 0 : sw_err_set(err, EBADMSG, "line %u: something stands behind # EOF", l.no + 1);
	return open ? sw_err_set(err, EBADMSG, "line %u: the page ends without # EOF", l.no + 1) : 0;
}
