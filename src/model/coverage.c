/*
 * Coverage: three formats to one number, in a stream.
 *
 * lcov and Go list what was run item by item (a line of a file, a block of statements), and name the same item again where several
 * test programs ran it (lcov: one section for each test, Go: -coverpkg). An item counts once and is covered when any of them ran it,
 * so items are kept: 64 bits of a hash instead of their names, in an open hash table. Cobertura says the sums in its root element;
 * nothing behind it is read.
 */
#include "model/coverage.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "model/coverage_xml.h"
#include "shipwatch/buf.h"
#include "shipwatch/mem.h"

#define FNV_BASIS 14695981039346656037u
#define FNV_PRIME 1099511628211u
#define UTF8_BOM  "\xef\xbb\xbf"

enum kind { KIND_UNKNOWN, KIND_LCOV, KIND_GO, KIND_COBERTURA };

/* hash 0: an empty slot. */
struct item {
	uint64_t hash;
	uint32_t weight; /* statements of a Go block; 1 of a line */
	bool hit;
};

struct sw_coverage {
	enum kind kind;
	struct sw_buf line; /* lcov, Go: what came of the line so far; at first of any kind */
	bool cut;           /* the line is longer than what is kept */
	unsigned long line_no;
	bool said;          /* this file told of something */
	struct item *items;
	size_t n_items, cap;
	/* lcov: the section it is in */
	uint64_t file;
	bool in_file, with_lines;
	double section_found, section_hit; /* LF, LH: they count where there is no DA */
	/* over all files */
	double found, hit; /* beside the items */
	double rate;       /* Cobertura without counts */
	unsigned rates;
	struct sw_cobertura xml;
};

static uint64_t hash_more(uint64_t h, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)p[i]) * FNV_PRIME;
	return h;
}

/* FNV's low bits are weak; slots are taken by them. */
static uint64_t hash_end(uint64_t h)
{
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdu;
	h ^= h >> 33;
	return h ? h : 1;
}

static void items_grow(struct sw_coverage *c)
{
	size_t cap = c->cap ? c->cap * 2 : 1024;
	struct item *to = sw_calloc(cap, sizeof *to);

	for (size_t i = 0; i < c->cap; i++) {
		size_t at = c->items[i].hash & (cap - 1);

		if (!c->items[i].hash)
			continue;
		while (to[at].hash)
			at = (at + 1) & (cap - 1);
		to[at] = c->items[i];
	}
	free(c->items);
	c->items = to;
	c->cap = cap;
}

static int item_add(struct sw_coverage *c, uint64_t hash, uint32_t weight, bool hit, struct sw_err *err)
{
	size_t at;

	if (c->n_items * 4 >= c->cap * 3)
		items_grow(c);
	hash = hash_end(hash);
	for (at = hash & (c->cap - 1); c->items[at].hash; at = (at + 1) & (c->cap - 1))
		if (c->items[at].hash == hash) {
			c->items[at].hit |= hit;
			return 0;
		}
	if (c->n_items == SW_COVERAGE_ITEMS)
		return sw_err_set(err, E2BIG, "line %lu: more than %zu lines or blocks of code", c->line_no, SW_COVERAGE_ITEMS);
	c->items[at] = (struct item){ hash, weight, hit };
	c->n_items++;
	return 0;
}

static int line_wrong(const struct sw_coverage *c, struct sw_err *err, const char *want)
{
	char got[120];

	return sw_err_set(err, EBADMSG, "line %lu: want %s, got \"%s\"", c->line_no, want,
	                  sw_err_quote(sw_buf_str(&c->line), SW_MIN(c->line.n, (size_t)40), got, sizeof got));
}

/* Decimal digits at *p; moves it behind them. Large ones saturate. */
static bool take_number(const char **p, uint64_t *ret)
{
	const char *s = *p;
	uint64_t n = 0;

	for (; *s >= '0' && *s <= '9'; s++)
		n = n > UINT32_MAX * (uint64_t)1000 ? n : n * 10 + (uint64_t)(*s - '0');
	if (s == *p)
		return false;
	*p = s;
	*ret = n;
	return true;
}

/* ---- lcov ---- */

static void lcov_section_end(struct sw_coverage *c)
{
	if (c->in_file && !c->with_lines) {
		c->found += c->section_found;
		c->hit += SW_MIN(c->section_hit, c->section_found);
	}
	c->in_file = false;
}

/* DA:<line>,<times>[,<checksum>]; times may be negative in files of broken counters: not run. */
static int lcov_da(struct sw_coverage *c, const char *p, struct sw_err *err)
{
	uint64_t line, times;
	bool minus;

	if (!c->in_file)
		return line_wrong(c, err, "SF: before DA:");
	if (!take_number(&p, &line) || *p++ != ',')
		return line_wrong(c, err, "DA:<line>,<times>");
	minus = *p == '-';
	p += minus;
	if (!take_number(&p, &times) || (*p && *p != ','))
		return line_wrong(c, err, "DA:<line>,<times>");
	c->said = c->with_lines = true;
	return item_add(c, hash_more(c->file, (const char *)&line, sizeof line), 1, !minus && times > 0, err);
}

static int lcov_sum(struct sw_coverage *c, const char *p, double *to, struct sw_err *err)
{
	uint64_t n;

	if (!c->in_file || !take_number(&p, &n) || *p)
		return line_wrong(c, err, "SF: and then LF:<lines> and LH:<lines>");
	*to = (double)n;
	c->said = true;
	return 0;
}

static int lcov_line(struct sw_coverage *c, const char *s, struct sw_err *err)
{
	bool matters = sw_starts(s, "SF:") || sw_starts(s, "DA:") || sw_starts(s, "LF:") || sw_starts(s, "LH:");

	if (c->cut && matters)
		return sw_err_set(err, E2BIG, "line %lu: longer than %zu bytes", c->line_no, SW_COVERAGE_LINE);
	if (sw_starts(s, "SF:")) {
		lcov_section_end(c);
		c->file = hash_more(FNV_BASIS, s + 3, strlen(s + 3));
		c->in_file = true;
		c->with_lines = false;
		c->section_found = c->section_hit = 0;
		return 0;
	}
	if (sw_starts(s, "DA:"))
		return lcov_da(c, s + 3, err);
	if (sw_starts(s, "LF:"))
		return lcov_sum(c, s + 3, &c->section_found, err);
	if (sw_starts(s, "LH:"))
		return lcov_sum(c, s + 3, &c->section_hit, err);
	if (sw_streq(s, "end_of_record"))
		lcov_section_end(c);
	return 0; /* functions, branches, versions, comments */
}

/* ---- Go ---- */

/* <file>:<line>.<column>,<line>.<column> <statements> <times>; the file's name may have blanks and colons. */
static int go_line(struct sw_coverage *c, const char *s, struct sw_err *err)
{
	const char *statements, *times, *p;
	uint64_t n, k;

	if (c->cut)
		return sw_err_set(err, E2BIG, "line %lu: longer than %zu bytes", c->line_no, SW_COVERAGE_LINE);
	if (!*s || sw_starts(s, "mode: ")) /* profiles that were put together have several */
		return 0;
	times = strrchr(s, ' ');
	statements = times ? memrchr(s, ' ', (size_t)(times - s)) : NULL;
	if (!statements || !memchr(s, ':', (size_t)(statements - s)))
		return line_wrong(c, err, "file:from,to statements times");
	p = statements + 1;
	if (!take_number(&p, &n) || p != times || n > UINT32_MAX)
		return line_wrong(c, err, "a number of statements");
	p = times + 1;
	if (!take_number(&p, &k) || *p)
		return line_wrong(c, err, "how often it ran");
	c->said = true;
	return item_add(c, hash_more(FNV_BASIS, s, (size_t)(times - s)), (uint32_t)n, k > 0, err);
}

/* ---- which, and the stream ---- */

/* From the first bytes that are no white space. Return: 0 also when more is needed to say. */
static int coverage_guess(struct sw_coverage *c, struct sw_err *err)
{
	static const struct { const char *begin; enum kind kind; } known[] = {
		{ "mode: ", KIND_GO }, { "TN:", KIND_LCOV }, { "SF:", KIND_LCOV }, { "#", KIND_LCOV }, { "VER:", KIND_LCOV },
	};
	const char *s = sw_buf_str(&c->line), *nul = memchr(s, '\0', c->line.n);
	char got[80];

	if (nul)
		return sw_err_set(err, EBADMSG, "bytes that are no text (a zero): neither lcov, nor Cobertura XML in UTF-8, nor a Go profile");
	if (strncmp(s, UTF8_BOM, strlen(s)) == 0)
		return 0;
	if (*s == '<') {
		c->kind = KIND_COBERTURA;
		return 0;
	}
	for (size_t i = 0; i < SW_COUNT(known); i++) {
		if (sw_starts(s, known[i].begin))
			c->kind = known[i].kind;
		if (c->kind || strncmp(s, known[i].begin, strlen(s)) == 0)
			return 0;
	}
	return sw_err_set(err, EBADMSG, "neither lcov (TN:, SF:), nor Cobertura XML (<coverage …>), nor a Go profile (mode: …): it begins \"%s\"",
	                  sw_err_quote(s, SW_MIN(strlen(s), (size_t)20), got, sizeof got));
}

static int coverage_line(struct sw_coverage *c, struct sw_err *err)
{
	const char *s;
	int r;

	while (c->line.n && (c->line.p[c->line.n - 1] == '\r' || c->line.p[c->line.n - 1] == ' '))
		sw_buf_truncate(&c->line, c->line.n - 1);
	s = sw_buf_str(&c->line);
	r = c->kind == KIND_LCOV ? lcov_line(c, s, err) : go_line(c, s, err);
	sw_buf_reset(&c->line);
	c->cut = false;
	c->line_no++;
	return r;
}

static int coverage_lines(struct sw_coverage *c, const char *p, size_t n, struct sw_err *err)
{
	while (n) {
		const char *nl = memchr(p, '\n', n);
		size_t len = nl ? (size_t)(nl - p) : n, room = SW_COVERAGE_LINE - c->line.n;
		int r;

		sw_buf_catn(&c->line, p, SW_MIN(len, room));
		c->cut |= len > room;
		if (!nl)
			return 0;
		r = coverage_line(c, err);
		if (r < 0)
			return r;
		p += len + 1;
		n -= len + 1;
	}
	return 0;
}

int sw_coverage_feed(struct sw_coverage *c, const char *p, size_t n, struct sw_err *err)
{
	int r = 0;

	while (n && c->kind == KIND_UNKNOWN) { /* byte by byte: the first few only */
		sw_buf_putc(&c->line, *p++);
		n--;
		if ((c->line.n == 1 && c->line.p[0] && strchr(" \t\r\n", c->line.p[0])) || sw_streq(c->line.p, UTF8_BOM)) {
			c->line_no += c->line.p[0] == '\n';
			sw_buf_reset(&c->line);
			continue;
		}
		r = coverage_guess(c, err);
		if (r < 0)
			return r;
		if (c->kind == KIND_COBERTURA) {
			c->xml.line = c->line_no;
			r = sw_cobertura_feed(&c->xml, "<", 1, err);
		}
		if (r < 0)
			return r;
	}
	if (!n)
		return 0;
	return c->kind == KIND_COBERTURA ? sw_cobertura_feed(&c->xml, p, n, err) : coverage_lines(c, p, n, err);
}

static int cobertura_end(struct sw_coverage *c, struct sw_err *err)
{
	int r = sw_cobertura_end(&c->xml, err);

	if (r < 0)
		return r;
	if (c->xml.valid >= 0 && c->xml.covered >= 0) {
		c->found += c->xml.valid;
		c->hit += c->xml.covered;
	} else {
		c->rate = c->xml.rate;
		c->rates++;
	}
	return 0;
}

int sw_coverage_end(struct sw_coverage *c, struct sw_err *err)
{
	int r = 0;

	if (c->kind == KIND_UNKNOWN)
		return sw_err_set(err, EBADMSG, c->line.n ? "too short to be a coverage file" : "it is empty");
	if (c->kind == KIND_COBERTURA)
		return cobertura_end(c, err);
	if (c->line.n || c->cut)
		r = coverage_line(c, err);
	if (r == 0 && c->kind == KIND_LCOV)
		lcov_section_end(c);
	if (r == 0 && !c->said)
		r = sw_err_set(err, EBADMSG, c->kind == KIND_LCOV ? "no line of code in it (no DA:, no LF:)" : "no block of code in it");
	return r;
}

int sw_coverage_percent(const struct sw_coverage *c, double *ret, struct sw_err *err)
{
	double found = c->found, hit = c->hit;

	for (size_t i = 0; i < c->cap; i++) {
		found += c->items[i].weight;
		hit += c->items[i].hit ? c->items[i].weight : 0;
	}
	if (c->rates && (c->rates > 1 || found > 0))
		return sw_err_set(err, ENODATA, "Cobertura files without lines-valid and lines-covered cannot be added to others");
	if (!c->rates && found <= 0)
		return sw_err_set(err, ENODATA, "no line of code");
	*ret = c->rates ? c->rate * 100 : SW_MIN(hit / found, 1.0) * 100;
	*ret = round(*ret * 10000) / 10000;
	return 0;
}

const char *sw_coverage_kind(const struct sw_coverage *c)
{
	switch (c->kind) {
	case KIND_LCOV: return "lcov";
	case KIND_GO: return "Go";
	case KIND_COBERTURA: return "Cobertura";
	case KIND_UNKNOWN: break;
	}
	return NULL;
}

void sw_coverage_begin(struct sw_coverage *c)
{
	sw_buf_reset(&c->line);
	c->kind = KIND_UNKNOWN;
	c->cut = c->said = c->in_file = c->with_lines = false;
	c->line_no = 1;
	sw_cobertura_begin(&c->xml);
}

struct sw_coverage *sw_coverage_new(void)
{
	struct sw_coverage *c = sw_calloc(1, sizeof *c);

	sw_coverage_begin(c);
	return c;
}

void sw_coverage_free(struct sw_coverage *c)
{
	if (!c)
		return;
	sw_buf_fini(&c->line);
	sw_cobertura_fini(&c->xml);
	free(c->items);
	free(c);
}
