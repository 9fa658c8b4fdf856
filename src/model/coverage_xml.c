/*
 * Cobertura: only the root element matters, <coverage line-rate="0.87" lines-covered="870" lines-valid="1000" …>. In front of it may
 * stand an XML declaration, comments, processing instructions and a DOCTYPE with declarations of its own; they are passed over as XML
 * says, byte by byte, so that a line-rate in a comment is not taken for one. Attributes come in any order, in either kind of quotes,
 * with entities.
 */
#include "model/coverage_xml.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "model/coverage.h"

/*
 *  TEXT ─'<'→ MARK ─"!--"→ COMMENT ─"-->"→ TEXT        MARK ─'?'→ PI ─"?>"→ TEXT        MARK ─'!'→ DOCTYPE ─'>'→ TEXT
 *                  └─ a name → ROOT ─'>' outside of quotes→ DONE
 */
enum { TEXT, MARK, COMMENT, PI, DOCTYPE, DOCTYPE_COMMENT, ROOT, DONE };

static int xml_wrong(const struct sw_cobertura *x, struct sw_err *err, const char *what)
{
	return sw_err_set(err, EBADMSG, "line %lu: %s", x->line, what);
}

/* ---- the root element's text, without its brackets ---- */

/* &#45; and &#x2d; and the five names; of what is above ASCII nothing matters here. */
static size_t entity(const char *p, size_t n, char *out)
{
	static const struct { const char *name; char c; } names[] = { { "quot", '"' }, { "apos", '\'' }, { "amp", '&' }, { "lt", '<' }, { "gt", '>' } };
	const char *semicolon = memchr(p, ';', SW_MIN(n, (size_t)12));
	size_t len = semicolon ? (size_t)(semicolon - p) : 0;
	unsigned long code = 0;
	char digits[12], *end = digits;

	if (len > 2 && p[1] == '#') {
		memcpy(digits, p + 2, len - 2);
		digits[len - 2] = '\0';
		code = digits[0] == 'x' ? strtoul(digits + 1, &end, 16) : strtoul(digits, &end, 10);
		*out = code < 128 ? (char)code : '?';
		return *end || !code ? 0 : len + 1;
	}
	for (size_t i = 0; len && i < SW_COUNT(names); i++)
		if (strlen(names[i].name) == len - 1 && strncmp(p + 1, names[i].name, len - 1) == 0) {
			*out = names[i].c;
			return len + 1;
		}
	return 0;
}

/* An attribute's value as a number; text around it, commas and units are not. */
static int xml_number(const struct sw_cobertura *x, const char *name, const char *p, size_t n, double *ret, struct sw_err *err)
{
	char text[64], got[80], *end;
	size_t k = 0;

	for (size_t i = 0; i < n && k + 1 < sizeof text;) {
		size_t skip = p[i] == '&' ? entity(p + i, n - i, &text[k]) : 0;

		if (!skip) {
			text[k] = p[i];
			skip = 1;
		}
		k++;
		i += skip;
	}
	text[k] = '\0';
	*ret = strtod(text, &end);
	while (*end == ' ')
		end++;
	if (end == text || *end || !(isfinite(*ret) || isnan(*ret)) || *ret < 0)
		return sw_err_set(err, EBADMSG, "line %lu: %s: want a number, got \"%s\"", x->line, name, sw_err_quote(text, SW_MIN(k, (size_t)30), got, sizeof got));
	return 0;
}

static int xml_attribute(struct sw_cobertura *x, const char *name, size_t name_n, const char *p, size_t n, struct sw_err *err)
{
	const struct { const char *name; double *to; } wanted[] = {
		{ "line-rate", &x->rate }, { "lines-valid", &x->valid }, { "lines-covered", &x->covered },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < SW_COUNT(wanted); i++)
		if (strlen(wanted[i].name) == name_n && strncmp(wanted[i].name, name, name_n) == 0)
			r = xml_number(x, wanted[i].name, p, n, wanted[i].to, err);
	return r;
}

static size_t blanks(const char *s)
{
	return strspn(s, " \t\r\n");
}

static int xml_attributes(struct sw_cobertura *x, const char *s, struct sw_err *err)
{
	s += blanks(s);
	while (*s && *s != '/') {
		size_t name_n = strcspn(s, "= \t\r\n\"'/");
		const char *name = s, *end;
		int r;

		s += name_n + blanks(s + name_n);
		if (!name_n || *s++ != '=')
			return xml_wrong(x, err, "an attribute of <coverage> has no =\"value\"");
		s += blanks(s);
		if (*s != '"' && *s != '\'')
			return xml_wrong(x, err, "an attribute's value of <coverage> is not in quotes");
		end = strchr(s + 1, *s); /* there is one: the element ends outside of quotes */
		if (!end)
			return xml_wrong(x, err, "<coverage> ends within quotes");
		r = xml_attribute(x, name, name_n, s + 1, (size_t)(end - s - 1), err);
		if (r < 0)
			return r;
		s = end + 1;
		s += blanks(s);
	}
	return 0;
}

static int xml_root(struct sw_cobertura *x, struct sw_err *err)
{
	const char *s = sw_buf_str(&x->word);
	size_t n = strcspn(s, " \t\r\n/");
	char got[80];
	int r;

	if (n != strlen("coverage") || strncmp(s, "coverage", n) != 0)
		return sw_err_set(err, EBADMSG, "line %lu: the root element is <%s>, not Cobertura's <coverage>", x->line,
		                  sw_err_quote(s, SW_MIN(n, (size_t)30), got, sizeof got));
	r = xml_attributes(x, s + n, err);
	if (r < 0)
		return r;
	if (x->rate < 0 && (x->valid < 0 || x->covered < 0))
		return xml_wrong(x, err, "<coverage> has neither line-rate nor lines-valid and lines-covered: it is not Cobertura's");
	if (x->valid >= 0 && x->covered > x->valid)
		return xml_wrong(x, err, "lines-covered is more than lines-valid");
	if (x->valid >= 0 && x->covered >= 0)
		return 0;
	if (isnan(x->rate))
		return xml_wrong(x, err, "line-rate is NaN: no line of code");
	return x->rate > 1 ? xml_wrong(x, err, "line-rate is more than 1") : 0;
}

/* ---- the stream ---- */

static int mark_byte(struct sw_cobertura *x, char c, struct sw_err *err)
{
	sw_buf_putc(&x->word, c);
	if (x->word.p[0] == '?') {
		x->state = PI;
	} else if (x->word.p[0] == '!') {
		if (x->word.n == 3 && memcmp(x->word.p, "!--", 3) == 0) {
			x->state = COMMENT;
			x->tail[0] = x->tail[1] = '\0';
		} else if (x->word.n == 2 && c != '-') {
			x->state = DOCTYPE;
			x->brackets = 0;
			x->quote = 0;
		} else if (x->word.n >= 3) {
			return xml_wrong(x, err, "<!- is no markup");
		}
	} else if ((c | 32) >= 'a' && (c | 32) <= 'z') {
		x->state = ROOT;
		x->quote = 0;
	} else {
		return xml_wrong(x, err, "a < without a name");
	}
	return 0;
}

/* Declarations within [ ] have < > and quotes of their own. */
static void doctype_byte(struct sw_cobertura *x, char c)
{
	bool comment = c == '-' && x->tail[1] == '-' && x->tail[0] == '!';

	if (x->quote) {
		x->quote = c == x->quote ? 0 : x->quote;
	} else if (c == '"' || c == '\'') {
		x->quote = (unsigned char)c;
	} else if (comment && x->brackets) {
		x->state = DOCTYPE_COMMENT;
	} else if (c == '[' || c == '<') {
		x->brackets++;
	} else if ((c == ']' || c == '>') && x->brackets) {
		x->brackets--;
	} else if (c == '>') {
		x->state = TEXT;
	}
}

static int root_byte(struct sw_cobertura *x, char c, struct sw_err *err)
{
	if (c == '>' && !x->quote) {
		x->state = DONE;
		return xml_root(x, err);
	}
	if (c == '\0' || (c == '<' && !x->quote))
		return xml_wrong(x, err, "the root element has a byte that cannot stand there");
	if (x->word.n == SW_COVERAGE_TAG)
		return sw_err_set(err, E2BIG, "line %lu: the root element is longer than %zu bytes", x->line, SW_COVERAGE_TAG);
	if (x->quote)
		x->quote = c == x->quote ? 0 : x->quote;
	else if (c == '"' || c == '\'')
		x->quote = (unsigned char)c;
	sw_buf_putc(&x->word, c);
	return 0;
}

static int xml_byte(struct sw_cobertura *x, char c, struct sw_err *err)
{
	switch (x->state) {
	case TEXT:
		if (c == '<') {
			x->state = MARK;
			sw_buf_reset(&x->word);
		} else if (!strchr(" \t\r\n", c) || !c) {
			return xml_wrong(x, err, "text in front of the root element");
		}
		return 0;
	case MARK:
		return mark_byte(x, c, err);
	case COMMENT:
	case DOCTYPE_COMMENT:
		if (c == '>' && x->tail[1] == '-' && x->tail[0] == '-') {
			x->brackets -= x->state == DOCTYPE_COMMENT;
			x->state = x->state == COMMENT ? TEXT : DOCTYPE;
		}
		return 0;
	case PI:
		if (c == '>' && x->tail[1] == '?')
			x->state = TEXT;
		return 0;
	case DOCTYPE:
		doctype_byte(x, c);
		return 0;
	default:
		return root_byte(x, c, err);
	}
}

int sw_cobertura_feed(struct sw_cobertura *x, const char *p, size_t n, struct sw_err *err)
{
	for (size_t i = 0; i < n && x->state != DONE; i++) {
		unsigned char was = x->state;
		int r = xml_byte(x, p[i], err);

		if (r < 0)
			return r;
		x->tail[0] = x->tail[1];
		x->tail[1] = p[i];
		if (x->state != was) /* "<!-->" and "<?>" do not end by what began them */
			x->tail[0] = x->tail[1] = '\0';
		x->line += p[i] == '\n';
	}
	return x->state == DONE;
}

int sw_cobertura_end(const struct sw_cobertura *x, struct sw_err *err)
{
	return x->state == DONE ? 0 : xml_wrong(x, err, "it ends before the root element does");
}

void sw_cobertura_begin(struct sw_cobertura *x)
{
	sw_buf_reset(&x->word);
	x->state = TEXT;
	x->quote = 0;
	x->brackets = 0;
	x->tail[0] = x->tail[1] = '\0';
	x->line = 1;
	x->rate = x->valid = x->covered = -1;
}

void sw_cobertura_fini(struct sw_cobertura *x)
{
	sw_buf_fini(&x->word);
}
