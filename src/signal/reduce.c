/*
 * Reducing: as PromQL does it, max and min pass over what is not a number, sum and avg do not. A number that is not
 * finite is no reading. No requests is no error rate: there is nothing it could be of.
 */
#include "signal/reduce.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"

/* ---- one number ---- */

struct folded {
	size_t n;
	double value;
};

static double fold_two(enum sw_reduce how, bool bad_down, double a, double b)
{
	switch (how) {
	case SW_REDUCE_MAX:
		return fmax(a, b);
	case SW_REDUCE_ANY:
		return bad_down ? fmin(a, b) : fmax(a, b);
	case SW_REDUCE_SINGLE:
	case SW_REDUCE_SUM:
	case SW_REDUCE_AVG:
		return a + b;
	}
	return NAN;
}

/* All series of that mark at moment i; gaps: those without a number there are not counted (a past). */
static struct folded fold(const struct sw_query *q, const struct sw_answer *an, const char *mark, size_t i, bool gaps,
                          enum sw_reduce how)
{
	struct folded f = { 0, 0 };

	for (size_t k = 0; k < an->n; k++) {
		const struct sw_series *s = &an->items[k];

		if (mark && strcmp(s->mark, mark) != 0)
			continue;
		if (gaps && isnan(s->v[i]))
			continue;
		f.value = f.n++ ? fold_two(how, q->bad_down, f.value, s->v[i]) : s->v[i];
	}
	if (how == SW_REDUCE_AVG && f.n)
		f.value /= (double)f.n;
	return f;
}

static void level_several(size_t n, struct sw_arena *a, struct sw_level *ret)
{
	*ret = (struct sw_level){ .reading = SW_R_ERROR };
	ret->text = sw_arena_printf(a, "%zu series where one is wanted: say reduce, or aggregate in the query", n);
}

static void level_counts(const struct sw_query *q, const struct sw_answer *an, size_t i, double scale, bool gaps,
                         struct sw_arena *a, struct sw_level *ret)
{
	struct folded all = fold(q, an, SW_MARK_ALL, i, gaps, SW_REDUCE_SUM),
	              bad = fold(q, an, SW_MARK_BAD, i, gaps, SW_REDUCE_SUM);

	if (q->reduce == SW_REDUCE_SINGLE && (all.n > 1 || bad.n > 1)) {
		level_several(SW_MAX(all.n, bad.n), a, ret);
		return;
	}
	if (!all.n) {
		ret->text = "no series";
		return;
	}
	if (!isfinite(all.value) || !isfinite(bad.value) || all.value < 0 || bad.value < 0) {
		ret->reading = SW_R_NAN;
		return;
	}
	if (all.value <= 0 && q->bad) {
		ret->text = "no requests";
		return;
	}
	ret->reading = SW_R_OK;
	ret->count = all.value * scale;
	/* increase() extrapolates each of the two by itself: a part may seem larger than the whole */
	ret->value = q->bad ? fmin(bad.value / all.value, 1) : ret->count;
}

void sw_reduce_value(const struct sw_query *q, const struct sw_answer *an, size_t i, bool gaps, double scale,
                     struct sw_arena *a, struct sw_level *ret)
{
	struct folded f;

	*ret = (struct sw_level){ .reading = SW_R_ABSENT };
	if (q->all) {
		level_counts(q, an, i, scale, gaps, a, ret);
		return;
	}
	f = fold(q, an, NULL, i, gaps, q->reduce);
	if (q->reduce == SW_REDUCE_SINGLE && f.n > 1) {
		level_several(f.n, a, ret);
		return;
	}
	if (!f.n) {
		ret->text = "no series";
		return;
	}
	ret->reading = isfinite(f.value) ? SW_R_OK : SW_R_NAN;
	ret->value = isfinite(f.value) ? f.value : 0;
}

/* ---- a list ---- */

struct element {
	const char *name;
	double value, all, bad;
};

static int by_number(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Of what is there; NaN: nothing is. */
static double median(const double *v, size_t n, struct sw_arena *a)
{
	double *copy = SW_ARENA_ARRAY(a, double, n);
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		if (isfinite(v[i]))
			copy[k++] = v[i];
	if (!k)
		return NAN;
	qsort(copy, k, sizeof *copy, by_number);
	return k % 2 ? copy[k / 2] : (copy[k / 2 - 1] + copy[k / 2]) / 2;
}

static struct element *element_of(struct element *list, size_t *n, const char *name)
{
	for (size_t i = 0; i < *n; i++)
		if (strcmp(list[i].name, name) == 0)
			return &list[i];
	list[*n] = (struct element){ .name = name, .value = NAN, .all = NAN, .bad = NAN };
	return &list[(*n)++];
}

static double plus(double sum, double v)
{
	return isnan(sum) ? v : isnan(v) ? sum : sum + v;
}

/* Two series of one name (their other labels are not what tells elements apart): counts are added, the worse value
 * stands. */
static void element_put(const struct sw_query *q, struct element *e, const char *mark, double v)
{
	if (strcmp(mark, SW_MARK_ALL) == 0)
		e->all = plus(e->all, v);
	else if (strcmp(mark, SW_MARK_BAD) == 0)
		e->bad = plus(e->bad, v);
	else
		e->value = q->bad_down ? fmin(e->value, v) : fmax(e->value, v);
}

static int by_requests(const void *a, const void *b)
{
	const struct element *x = a, *y = b;
	double m = isnan(x->all) ? 0 : x->all, n = isnan(y->all) ? 0 : y->all;

	return m != n ? (m < n) - (m > n) : strcmp(x->name, y->name);
}

static const char *elements_text(const struct element *list, size_t n, double scale, struct sw_arena *a)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;

	sw_jw_init(&w, &b);
	sw_jw_arr(&w, NULL);
	for (size_t i = 0; i < n; i++) {
		sw_jw_arr(&w, NULL);
		sw_jw_str(&w, NULL, list[i].name);
		sw_jw_num(&w, NULL, list[i].value);
		sw_jw_num(&w, NULL, list[i].all * scale);
		sw_jw_num(&w, NULL, isnan(list[i].bad) && !isnan(list[i].all) ? 0 : list[i].bad * scale);
		sw_jw_arr_end(&w);
	}
	sw_jw_arr_end(&w);
	return sw_arena_strdup(a, sw_buf_str(&b));
}

void sw_reduce_list(const struct sw_query *q, const struct sw_answer *an, size_t n, double scale, struct sw_arena *a,
                    struct sw_level *ret)
{
	struct element *list = SW_ARENA_ARRAY(a, struct element, an->n + 1);
	size_t count = 0, kept = 0;

	*ret = (struct sw_level){ .reading = SW_R_ABSENT, .text = "no series" };
	for (size_t i = 0; i < an->n; i++) {
		const struct sw_series *s = &an->items[i];

		element_put(q, element_of(list, &count, s->element), s->mark, median(s->v, n, a));
	}
	for (size_t i = 0; i < count; i++) /* without requests, where they are counted, it was not there */
		if (isnan(list[i].all) ? !q->all && !isnan(list[i].value) : list[i].all > 0)
			list[kept++] = list[i];
	if (!kept)
		return;
	qsort(list, kept, sizeof *list, by_requests);
	kept = SW_MIN(kept, (size_t)SW_ELEMENTS_MAX);
	*ret =
	    (struct sw_level){ .reading = SW_R_OK, .value = (double)kept, .text = elements_text(list, kept, scale, a) };
}
