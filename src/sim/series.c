/* Series of a test: promtool's notation with words for what goes wrong, to runs of equal samples. */
#include "sim/series.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "rules/expr.h"
#include "shipwatch/clock.h"

/* ---- noise ---- */

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

uint64_t sw_series_seed(uint64_t seed, const char *text)
{
	uint64_t x = mix(seed);

	for (const char *p = text; p && *p; p++)
		x = mix(x ^ (unsigned char)*p);
	return x;
}

double sw_series_uniform(uint64_t seed, uint64_t n)
{
	return ((double)(mix(seed ^ mix(n)) >> 11) + 0.5) / 9007199254740992.0;
}

double sw_series_normal(uint64_t seed, uint64_t n)
{
	double u = sw_series_uniform(seed, 2 * n), v = sw_series_uniform(seed, 2 * n + 1);

	return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

/* ---- a moment ---- */

static const struct series_run *series_run_of(const struct sim_series *s, size_t i)
{
	size_t lo = 0, hi = s->n_runs;

	while (lo + 1 < hi) {
		size_t mid = (lo + hi) / 2;

		if (s->runs[mid].first <= i)
			lo = mid;
		else
			hi = mid;
	}
	return &s->runs[lo];
}

static double run_value(const struct sim_series *s, const struct series_run *r, size_t i)
{
	double v = r->a + r->step * (double)(i - r->first);

	return r->noise > 0 ? v * exp(r->noise * sw_series_normal(s->seed, i)) : v;
}

struct series_at sw_series_at(const struct sim_series *s, sw_ms at)
{
	struct series_at ret = { .kind = SERIES_NONE };
	const struct series_run *r;
	size_t i;

	if (at < s->start || (uint64_t)(at - s->start) / (uint64_t)s->interval >= s->n)
		return ret;
	i = (size_t)((at - s->start) / s->interval);
	r = series_run_of(s, i);
	ret = (struct series_at){ .kind = r->kind, .slow = r->slow, .text = r->text };
	if (r->kind == SERIES_VALUE) {
		ret.value = run_value(s, r, i);
		ret.known = true;
	}
	for (const struct series_run *before = r; r->kind == SERIES_SLOW && before > s->runs && !ret.known;) {
		before--;
		if (before->kind == SERIES_VALUE) {
			ret.value = run_value(s, before, before->first + before->n - 1);
			ret.text = before->text;
			ret.known = true;
		}
	}
	return ret;
}

const struct sim_series *sw_series_find(const struct sim_series *list, size_t n, const char *signal, const char *place)
{
	const struct sim_series *ret = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!sw_streq(list[i].signal, signal))
			continue;
		if (list[i].place && sw_streq(list[i].place, place))
			return &list[i];
		if (!list[i].place)
			ret = &list[i];
	}
	return ret;
}

/* ---- reading ---- */

struct reader {
	struct sim_series *s;
	const struct sw_ynode *node;
	enum series_type type;
	const struct sw_signal_def *def;
	struct sw_arena *a;
	struct sw_diags *d;
};

#define WRONG(r, at, ...) (sw_diag_in_text((r)->d, (r)->node, (size_t)((at) - (r)->node->text), __VA_ARGS__), -EINVAL)

static int run_add(struct reader *r, const char *at, struct series_run run)
{
	struct sim_series *s = r->s;
	struct series_run *more;

	if (run.n > SERIES_SAMPLES - s->n)
		return WRONG(r, at, "more than %d samples in one series", SERIES_SAMPLES);
	if (run.n == 0)
		return 0;
	if (s->n_runs == s->cap_runs) {
		s->cap_runs = s->cap_runs ? s->cap_runs * 2 : 8;
		more = SW_ARENA_ARRAY(r->a, struct series_run, s->cap_runs);
		if (s->n_runs)
			memcpy(more, s->runs, s->n_runs * sizeof *more);
		s->runs = more;
	}
	run.first = s->n;
	s->runs[s->n_runs++] = run;
	s->n += run.n;
	return 0;
}

/* A value as rules write it: p..p+n; bare numbers are in the base unit. */
static int read_value(struct reader *r, const char *p, size_t n, enum sw_vtype want, const char *what, double *ret)
{
	bool minus = n > 0 && (*p == '-' || *p == '+');
	struct lexer l = { .a = r->a, .text = sw_arena_strndup(r->a, p + minus, n - minus), .n = n - minus };
	struct token t = sw_lex_next(&l, false);

	if (t.kind == T_WRONG)
		return WRONG(r, p, "%s: \"%.*s\": %s", what, (int)n, p, t.error);
	if (t.kind != T_LITERAL || l.at != l.n || t.value.type == SW_V_STRING)
		return WRONG(r, p, "%s: want a value such as 0.3, 300ms, 0.2%% or 120MiB, got \"%.*s\"", what, (int)n, p);
	if (t.value.type != SW_V_NUMBER && t.value.type != want)
		return WRONG(r, p, "%s is a %s, \"%.*s\" is a %s", what, sw_vtype_name(want), (int)n, p, sw_vtype_name(t.value.type));
	*ret = minus && *p == '-' ? -t.value.num : t.value.num;
	return 0;
}

/* "xN" at p: how many. Return: bytes read, 0 when there is none. */
static size_t read_times(const char *p, size_t *ret)
{
	size_t digits;

	if (*p != 'x')
		return 0;
	digits = strspn(p + 1, "0123456789");
	if (!digits)
		return 0;
	*ret = digits > 8 ? (size_t)SERIES_SAMPLES + 1 : strtoul(p + 1, NULL, 10);
	return 1 + digits;
}

/* ---- endpoints ---- */

struct element { const char *name; double p95, requests, errors; size_t order; };

static int element_by_requests(const void *a, const void *b)
{
	const struct element *x = a, *y = b;

	if (x->requests != y->requests)
		return x->requests > y->requests ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* "GET /a: 300ms 120 1" */
static int element_read(struct reader *r, const char *p, size_t n, struct element *ret)
{
	const char *colon = memrchr(p, ':', n), *end = p + n;
	double *to[] = { &ret->p95, &ret->requests, &ret->errors };
	size_t k = 0;

	if (!colon || colon == p)
		return WRONG(r, p, "want [GET /a: 300ms 120 1; …]: name, p95, requests, errors");
	ret->name = sw_arena_strndup(r->a, p, (size_t)(colon - p));
	for (const char *q = colon + 1; q < end;) {
		size_t w = strcspn(q, " ;]");

		if (w && k == SW_COUNT(to))
			return WRONG(r, q, "an endpoint has p95, requests and errors, nothing more");
		if (w && read_value(r, q, w, k == 0 ? SW_V_DURATION : SW_V_NUMBER, "an endpoint's number", to[k]) < 0)
			return -EINVAL;
		k += w > 0;
		q += w ? w : 1;
	}
	return k >= 2 ? 0 : WRONG(r, p, "want [GET /a: 300ms 120 1; …]: name, p95, requests, errors");
}

static const char *elements_text(const struct element *e, size_t n, struct sw_arena *a)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;
	const char *ret;

	sw_jw_init(&w, &b);
	sw_jw_arr(&w, NULL);
	for (size_t i = 0; i < n; i++) {
		sw_jw_arr(&w, NULL);
		sw_jw_str(&w, NULL, e[i].name);
		sw_jw_num(&w, NULL, e[i].p95);
		sw_jw_num(&w, NULL, e[i].requests);
		sw_jw_num(&w, NULL, e[i].errors);
		sw_jw_arr_end(&w);
	}
	sw_jw_arr_end(&w);
	ret = sw_arena_strdup(a, sw_buf_str(&b));
	sw_buf_fini(&b);
	return ret;
}

/* "[…; …]xN" from p; *end behind it. */
static int read_list(struct reader *r, const char *p, const char **end)
{
	struct element list[SW_ELEMENTS_MAX + 1] = { 0 };
	const char *close = strchr(p, ']');
	struct series_run run = { .kind = SERIES_VALUE };
	size_t n = 0, times = 0, skip;

	if (!close)
		return WRONG(r, p, "\"[\" is not closed");
	if (!r->def || r->def->type != SW_V_LIST)
		return WRONG(r, p, "%s is no list", r->s->signal);
	for (const char *q = p + 1; q < close;) {
		size_t w = strcspn(q, ";]");

		while (w && *q == ' ')
			q++, w--;
		if (w && n == SW_ELEMENTS_MAX)
			return WRONG(r, q, "more than %d endpoints", SW_ELEMENTS_MAX);
		list[n].order = n;
		if (w && element_read(r, q, w, &list[n]) < 0)
			return -EINVAL;
		n += w > 0;
		run.a += w ? list[n - 1].requests : 0;
		q += w + 1;
	}
	qsort(list, n, sizeof list[0], element_by_requests);
	run.text = elements_text(list, n, r->a);
	skip = read_times(close + 1, &times);
	run.n = times + 1;
	*end = close + 1 + skip;
	return run_add(r, p, run);
}

/* ---- words and values ---- */

static bool read_word(struct reader *r, const char *p, size_t n, struct series_run *ret, int *ret_r)
{
	static const struct { const char *word; enum series_kind kind; bool probe; double a; } words[] = {
		{ "_", SERIES_NONE, false, 0 }, { "stale", SERIES_STALE, false, 0 }, { "nan", SERIES_NAN, false, 0 },
		{ "NaN", SERIES_NAN, false, 0 }, { "err", SERIES_ERROR, false, 0 }, { "ok", SERIES_VALUE, true, 1 },
		{ "fail", SERIES_VALUE, true, 0 },
	};
	const char *colon = r->type == SERIES_PROBE ? memchr(p, ':', n) : NULL;
	size_t w = colon ? (size_t)(colon - p) : n;

	*ret_r = 0;
	if (n > 6 && memcmp(p, "slow(", 5) == 0 && p[n - 1] == ')') {
		*ret = (struct series_run){ .kind = SERIES_SLOW };
		if (sw_dur_parse(sw_arena_strndup(r->a, p + 5, n - 6), &ret->slow) < 0)
			*ret_r = WRONG(r, p, "want slow(3s), got \"%.*s\"", (int)n, p);
		return true;
	}
	for (size_t i = 0; i < SW_COUNT(words); i++) {
		if (strlen(words[i].word) != w || memcmp(words[i].word, p, w) != 0)
			continue;
		*ret = (struct series_run){ .kind = words[i].kind, .a = words[i].a };
		if (colon)
			ret->text = sw_arena_strndup(r->a, colon + 1, n - w - 1);
		if (words[i].probe && r->type != SERIES_PROBE)
			*ret_r = WRONG(r, p, "\"%.*s\" is for probes; %s has values", (int)n, p, r->s->signal);
		return true;
	}
	return false;
}

/* "a+bxN", "a-bxN", "axN", "a~s%xN", "a": p..p+n */
static int read_numbers(struct reader *r, const char *p, size_t n)
{
	enum sw_vtype type = r->def ? r->def->type : SW_V_NUMBER;
	struct series_run run = { .kind = SERIES_VALUE };
	size_t body = n, times = 0, op;

	while (body > 0 && p[body - 1] >= '0' && p[body - 1] <= '9')
		body--;
	if (body > 1 && body < n && p[body - 1] == 'x')
		(void)read_times(p + --body, &times);
	else
		body = n;
	for (op = 1; op < body && !strchr("+-~", p[op]);)
		op++;
	if (*p == '+')
		return WRONG(r, p, "%s: want a value, got \"%.*s\"", r->s->signal, (int)n, p);
	if (op < body && p[op] != '~' && body == n)
		return WRONG(r, p, "want how often: %.*sx5", (int)n, p);
	if (read_value(r, p, SW_MIN(op, body), type, r->s->signal, &run.a) < 0)
		return -EINVAL;
	if (op < body && p[op] == '~' && read_value(r, p + op + 1, body - op - 1, SW_V_RATIO, "noise", &run.noise) < 0)
		return -EINVAL;
	if (op < body && p[op] != '~' && read_value(r, p + op, body - op, type, r->s->signal, &run.step) < 0)
		return -EINVAL;
	if (run.noise < 0 || run.noise > 5)
		return WRONG(r, p + op, "noise: want 0%% to 500%%");
	run.n = times + 1;
	return run_add(r, p, run);
}

/* One item from p; *end behind it and its " xN". */
static int read_item(struct reader *r, const char *p, const char **end)
{
	struct series_run run;
	size_t n = strcspn(p, " \t\n"), times = 1, skip, word = n, digits;
	const char *q;
	int wrong;

	*end = p + n;
	if (*p == '[')
		return read_list(r, p, end);
	for (digits = n; digits > 0 && p[digits - 1] >= '0' && p[digits - 1] <= '9';)
		digits--;
	if (digits > 1 && digits < n && p[digits - 1] == 'x' && !memchr(p, ':', n)) /* "_x3", "err x3" without its space */
		word = digits - 1;
	if (!read_word(r, p, word, &run, &wrong)) {
		q = p + n + strspn(p + n, " \t\n");
		if (read_times(q, &times) && r->type == SERIES_MEASURED)
			return WRONG(r, q, "behind a value there is no space: %.*sx%zu are %zu samples", (int)n, p, times ? times - 1 : 0, times);
		if (r->type == SERIES_PROBE)
			return WRONG(r, p, "unknown probe \"%.*s\", want ok, fail, slow(3s), err, stale, nan or _", (int)n, p);
		return read_numbers(r, p, n);
	}
	if (wrong < 0)
		return wrong;
	if (word < n) {
		(void)read_times(p + word, &times);
	} else {
		q = p + n + strspn(p + n, " \t\n");
		skip = read_times(q, &times);
		*end = skip ? q + skip : *end;
	}
	run.n = times;
	return run_add(r, p, run);
}

int sw_series_read(struct sim_series *s, const struct sw_ynode *node, enum series_type type, const struct sw_signal_def *def,
                   struct sw_arena *a, struct sw_diags *d)
{
	struct reader r = { .s = s, .node = node, .type = type, .def = def, .a = a, .d = d };

	for (const char *p = node->text; *p;) {
		size_t blank = strspn(p, " \t\n");

		p += blank;
		if (!*p)
			break;
		if (read_item(&r, p, &p) < 0)
			return -EINVAL;
		if (*p && !strchr(" \t\n", *p))
			return WRONG(&r, p, "want a space before \"%.20s\"", p);
	}
	return 0;
}
