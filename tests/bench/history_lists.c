/*
 * How long each list of a history takes by each of its filters, by each two of them, and by patterns: bench-lists FILE ROUNDS [LIST]. Values are those of
 * rows picked at random, patterns are made of them: what begins so, what has it within, what nothing fits. Each question is asked for its first page, and
 * for one further on. Prints a line of JSON for each list and filters ("~": a pattern), and one of all of the list.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/str.h"
#include "dashboard/store.h"
#include "shipwatch/clock.h"

#define ROUNDS_MOST 1000

static uint64_t seed = 88172645463325252ull;

static uint64_t random_below(uint64_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 11) % n;
}

/* In microseconds: processor time of this process, so that others on the machine do not count. */
static double spent(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_time(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Frequent, rare, fitting nothing; with a beginning and without. */
static const char *pattern_of(const char *v, struct sw_arena *a)
{
	int n = (int)strlen(v);

	switch (random_below(8)) {
	case 0: return sw_arena_printf(a, "%.*s*", n > 1 ? n - 1 : 1, v);
	case 1: return sw_arena_printf(a, "%.*s*", (n + 1) / 2, v);
	case 2: return sw_arena_printf(a, "%s*", v);
	case 3: return sw_arena_printf(a, "*%s", v + n / 2);
	case 4: return sw_arena_printf(a, "*%.*s*", n / 3 + 1, v + n / 2);
	case 5: return sw_arena_printf(a, "%.*s*%s", n / 3 + 1, v, v + n - n / 3);
	case 6: return sw_arena_printf(a, "%.*s*nothing", (n + 1) / 2, v);
	default: return "*nothing*";
	}
}

/* A value that some row has under the filter's name. */
static const char *value_of(const struct sw_row *row, const struct sw_filter *f)
{
	static const char *const ago[] = { "1h", "1d", "7d", "30d", "60d" };

	if (f->type == SW_COL_MS)
		return ago[random_below(SW_COUNT(ago))];
	if (f->words && (!row || random_below(3) == 0)) {
		size_t n = 0;

		while (f->words[n])
			n++;
		return f->words[random_below(n)];
	}
	for (size_t i = 0; row && i < row->list->n_columns; i++)
		if (sw_streq(row->list->columns[i].name, f->name) && !row->v[i].null)
			return row->v[i].text;
	for (size_t i = 0; row && strcmp(f->name, "q") == 0 && i < row->list->n_columns; i++)
		if (sw_streq(row->list->columns[i].name, random_below(2) ? "ci_run_id" : "sha") && !row->v[i].null)
			return row->v[i].text;
	return f->type == SW_COL_BOOL ? "true" : f->type == SW_COL_INT ? "5" : f->words ? f->words[0] : f->sha ? "abcdef1" : "nothing";
}

/* Some row, far from the newest or near. */
static const struct sw_row *row_of(struct sw_store *s, const struct sw_list *l, struct sw_arena *a)
{
	struct sw_list_query q = { .list = l, .limit = 20, .oldest = random_below(2) != 0 };
	struct sw_err err = SW_ERR_INIT;
	struct sw_rows rows;

	if (l->required) {
		q.filters[0].name = "service", q.filters[0].value = sw_arena_printf(a, "service%d", (int)random_below(40));
		q.filters[1].name = "environment", q.filters[1].value = "prod";
		q.n_filters = 2;
	}
	if (random_below(2)) {
		q.filters[q.n_filters].name = "until";
		q.filters[q.n_filters++].value = sw_arena_printf(a, "%dh", (int)random_below(24 * 55));
		q.oldest = false;
	}
	if (sw_list_run(s, &q, a, &rows, &err) < 0 || !rows.n) {
		q.n_filters = l->required ? 2 : 0;
		if (sw_list_run(s, &q, a, &rows, &err) < 0 || !rows.n)
			return NULL;
	}
	return &rows.rows[random_below(rows.n)];
}

static double ask(struct sw_store *s, struct sw_list_query *q, struct sw_arena *a, const char **ret_next, int *ret_r)
{
	struct sw_err err = SW_ERR_INIT;
	struct sw_rows rows;
	double began = spent();

	*ret_r = sw_list_run(s, q, a, &rows, &err);
	if (*ret_r < 0)
		(void)fprintf(stderr, "%s: %s\n", q->list->name, err.text);
	*ret_next = rows.next;
	return spent() - began;
}

static double most_ms; /* of the list */
static int slow, asked;

static void measure(struct sw_store *s, const struct sw_list *l, const struct sw_filter *f, const struct sw_filter *f2, bool pattern, int rounds)
{
	static double took[2 * ROUNDS_MOST];
	double worst = 0;
	char kept[400] = "";
	int n = 0, r;

	for (int i = 0; i < rounds; i++) {
		struct sw_arena a = { 0 };
		const struct sw_row *row = f || l->required ? row_of(s, l, &a) : NULL;
		struct sw_list_query q = { .list = l, .limit = 50, .oldest = random_below(8) == 0 };
		const char *next;

		for (const char *const *x = l->required; x && *x; x++) {
			q.filters[q.n_filters].name = *x;
			q.filters[q.n_filters++].value = row ? sw_row_text(row, *x) : "x";
		}
		if (f) {
			q.filters[q.n_filters].name = f->name;
			q.filters[q.n_filters++].value = pattern ? pattern_of(value_of(row, f), &a) : value_of(row, f);
		}
		if (f2) {
			if (random_below(2))
				row = row_of(s, l, &a);
			q.filters[q.n_filters].name = f2->name;
			q.filters[q.n_filters++].value = value_of(row, f2);
		}
		took[n++] = ask(s, &q, &a, &next, &r);
		if (took[n - 1] > worst) {
			worst = took[n - 1];
			(void)snprintf(kept, sizeof kept, "%.150s %.150s%s", q.n_filters ? q.filters[0].value : "", q.n_filters > 1 ? q.filters[1].value : "", q.oldest ? " oldest" : "");
		}
		if (next && r == 0) {
			q.cursor = next;
			took[n++] = ask(s, &q, &a, &next, &r);
		}
		sw_arena_fini(&a);
	}
	for (int i = 0; i < n; i++)
		slow += took[i] > 50e3;
	asked += n;
	qsort(took, (size_t)n, sizeof *took, by_time);
	most_ms = took[n - 1] / 1e3 > most_ms ? took[n - 1] / 1e3 : most_ms;
	(void)printf("{\"list\":\"%s\",\"by\":\"%s%s%s%s\",\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"most_ms\":%.3f,\"worst\":\"%s\"}\n", l->name, f ? f->name : "", pattern ? "~" : "",
	             f2 ? "+" : "", f2 ? f2->name : "", took[n / 2] / 1e3, took[n * 99 / 100] / 1e3, took[n - 1] / 1e3, kept);
}

static void measure_list(struct sw_store *s, const struct sw_list *l, int rounds)
{
	most_ms = 0;
	slow = asked = 0;
	measure(s, l, NULL, NULL, false, rounds);
	for (size_t k = 0; k < l->n_filters; k++) {
		const struct sw_filter *f = &l->filters[k];

		measure(s, l, f, NULL, false, rounds);
		if (f->glob)
			measure(s, l, f, NULL, true, rounds);
		for (size_t x = 0; x < l->n_filters; x++) {
			if (x > k)
				measure(s, l, f, &l->filters[x], false, (rounds + 3) / 4);
			if (x != k && f->glob)
				measure(s, l, f, &l->filters[x], true, (rounds + 3) / 4);
		}
	}
	(void)printf("{\"list\":\"%s\",\"all\":%d,\"over_50_ms\":%d,\"most_ms\":%.3f}\n", l->name, asked, slow, most_ms);
	(void)fflush(stdout);
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0;
	struct sw_err err = SW_ERR_INIT;
	struct sw_store *s;

	if (rounds < 1 || rounds > ROUNDS_MOST) {
		(void)fprintf(stderr, "usage: bench-lists FILE ROUNDS [LIST]\n");
		return 2;
	}
	if (sw_store_open(argv[1], SW_STORE_READ, &s, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	for (size_t i = 0; sw_lists[i]; i++)
		if (argc <= 3 || strcmp(argv[3], sw_lists[i]->name) == 0)
			measure_list(s, sw_lists[i], rounds);
	sw_store_close(s);
	return 0;
}
