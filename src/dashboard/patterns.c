/*
 * What fits a pattern, by the values that fit it.
 *
 * What is frequent is found at once by walking along the time. What is rare is not: the walk ends at the last row. But values are few beside rows, and
 * each stands in an index with the time behind it. So the values are jumped through, one look each, and of those that fit the newest rows are merged:
 *
 *   repo=acme/rare*:  acme/rare-a │ ●    ●        ●
 *                     acme/rare-b │    ●   ●                    the page: the newest of all of them; what lies before its last row need not
 *                     acme/rarest │               ●  ●          be looked at in the next value (the edge)
 *
 * Where a pattern begins with a star all values of the column are jumped through. Where they are too many, rows that fit are seldom few: lists.c walks on.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "dashboard/lists_inner.h"
#include "shipwatch/clock.h"

#define JUMPS_TIME ((sw_dur)500) /* ms */
#define VALUES_LEAD 8             /* of more values each has few rows beside those of what else is asked for: the value is what is looked up */

struct values { const char **v; size_t n, cap; int by; };
struct key { int64_t at, row; };
struct keys { struct key *k; size_t n, most; bool oldest; };

/* ---- values ---- */

/* "e.repo = ?" of the list's own table: its name and the column. */
static bool values_column(const struct sw_list *l, const struct sw_filter *f, char table[64], char column[64])
{
	char alias[16], own[16];
	int n = 0;

	return sscanf(l->from, "%63[a-z_] %15[a-z]", table, own) == 2 && sscanf(f->sql, "%15[a-z].%63[a-z_] = ?%n", alias, column, &n) == 2 && n > 0 && !f->sql[n] &&
	       strcmp(alias, own) == 0;
}

static void values_add(struct search *s, struct values *v, const char *text, size_t n)
{
	if (v->n == v->cap) {
		const char **more = SW_ARENA_ARRAY(s->a, const char *, v->cap ? 2 * v->cap : 64);

		if (v->n)
			memcpy(more, v->v, v->n * sizeof *more);
		v->v = more;
		v->cap = v->cap ? 2 * v->cap : 64;
	}
	v->v[v->n++] = sw_arena_memdup(s->a, text, n);
}

/* Jumps from value to value. Return: 1 these are all; 0 they are too many, or it takes too long; -errno. */
static int values_jump(struct search *s, struct sw_stmt *st, const char *pattern, struct values *ret)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf from = SW_BUF_INIT;
	size_t prefix = strcspn(pattern, "*"), n;
	sw_dur began = sw_clock_mono();
	const char *text;
	int r;

	sw_buf_catn(&from, pattern, prefix);
	sw_stmt_text(st, 2, search_glob(s, pattern));
	for (int i = 0; i < s->most->values && sw_clock_mono() - began < JUMPS_TIME; i++) {
		sw_stmt_textn(st, 1, sw_buf_str(&from), from.n);
		r = sw_stmt_step(st);
		text = r == 1 ? sw_stmt_get_text(st, 0, &n) : NULL;
		if (r <= 0 || !text || n < prefix || memcmp(text, pattern, prefix) != 0) {
			sw_stmt_reset(st);
			return r < 0 ? (r == -ETIMEDOUT ? 0 : r) : 1;
		}
		if (sw_stmt_get_int(st, 1))
			values_add(s, ret, text, n);
		sw_buf_reset(&from); /* the smallest text behind it: with one byte of zero more */
		sw_buf_catn(&from, text, n + 1);
		sw_stmt_reset(st);
	}
	return 0;
}

/* A column that begins no index would be gone through whole at each jump. */
static bool values_in_index(struct search *s, const char *text)
{
	struct sw_stmt *st = NULL;
	bool is = false;

	if (sw_sql_prepare(s->store->q, sw_arena_printf(s->a, "EXPLAIN QUERY PLAN %s", text), &st, NULL) == 0 && sw_stmt_step(st) == 1) {
		const char *plan = sw_stmt_get_text(st, 3, NULL);

		is = strncmp(plan, "SEARCH ", strlen("SEARCH ")) == 0 && !strstr(plan, "(ANY("); /* ANY: an index of another column first */
	}
	sw_stmt_free(st);
	return is;
}

static int values_of(struct search *s, const struct sw_filter *f, const char *pattern, struct values *ret)
{
	char table[64], column[64];
	struct sw_stmt *st = NULL;
	const char *text;
	int r;

	if (!values_column(s->q->list, f, table, column))
		return 0;
	text = sw_arena_printf(s->a, "SELECT %s, %s GLOB ?2 FROM %s WHERE %s >= ?1 ORDER BY %s LIMIT 1", column, column, table, column, column);
	if (!values_in_index(s, text))
		return 0;
	sw_sql_limit(s->store->q, JUMPS_TIME);
	r = sw_sql_prepare(s->store->q, text, &st, s->err);
	if (r < 0)
		return r;
	r = values_jump(s, st, pattern, ret);
	sw_stmt_free(st);
	return r;
}

/* The pattern with the fewest values. Return: 1; 0: there is none that can be; -errno. */
static int values_best(struct search *s, struct values *ret)
{
	const struct sw_list_query *q = s->q;
	int r, found = 0;

	for (size_t i = 0; i < q->n_filters; i++) {
		const char *value = q->filters[i].value;
		const struct sw_filter *f = value ? search_filter(s, q->filters[i].name) : NULL;
		struct values v = { .by = (int)i };

		if (!f || !search_is_pattern(f, value))
			continue;
		r = values_of(s, f, value, &v);
		if (r < 0)
			return r;
		if (r == 1 && (!found || v.n < ret->n))
			*ret = v;
		found |= r;
	}
	return found;
}

/* ---- merging ---- */

static bool key_before(const struct keys *k, struct key a, struct key b)
{
	bool less = a.at != b.at ? a.at < b.at : a.row < b.row;

	return k->oldest ? less : !less;
}

/* In order, the last one falls out where there are too many. */
static void keys_add(struct keys *k, struct key x)
{
	size_t low = 0, high = k->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (key_before(k, k->k[mid], x))
			low = mid + 1;
		else
			high = mid;
	}
	if (low == k->most)
		return;
	k->n = SW_MIN(k->n + 1, k->most);
	memmove(&k->k[low + 1], &k->k[low], (k->n - 1 - low) * sizeof *k->k);
	k->k[low] = x;
}

static int keys_of(struct search *s, struct sw_stmt *st, const char *value, struct keys *k)
{
	struct key edge = { k->oldest ? INT64_MAX : INT64_MIN, k->oldest ? INT64_MAX : INT64_MIN };
	int r = search_begins(s);

	if (k->n == k->most)
		edge = k->k[k->n - 1];
	sw_stmt_text(st, s->value, value);
	sw_stmt_int(st, s->edge, edge.at);
	sw_stmt_int(st, s->edge + 1, edge.row);
	while (r == 0 && (r = sw_stmt_step(st)) == 1) {
		keys_add(k, (struct key){ sw_stmt_get_int(st, 0), sw_stmt_get_int(st, 1) });
		r = 0;
	}
	return r;
}

static int keys_merge(struct search *s, const struct values *v, struct keys *k)
{
	struct sw_stmt *st = NULL;
	int r;

	s->lead = v->n > VALUES_LEAD ? v->by : -1;
	r = search_build(s, v->by);
	s->lead = -1;
	if (r == 0)
		r = sw_sql_prepare(s->store->q, s->sql.p, &st, s->err);
	if (r == 0)
		search_bind(s, st);
	for (size_t i = 0; i < v->n && r == 0; i++)
		r = keys_of(s, st, v->v[i], k);
	sw_stmt_free(st);
	return r;
}

static int keys_rows(struct search *s, const struct keys *k, struct sw_rows *ret)
{
	size_t n = SW_MIN(k->n, (size_t)s->limit);
	struct sw_stmt *st = NULL;
	int r;

	search_build_row(s);
	r = sw_sql_prepare(s->store->q, s->sql.p, &st, s->err);
	for (size_t i = 0; i < n && r >= 0; i++) {
		r = search_begins(s);
		if (r < 0)
			break;
		sw_stmt_int(st, 1, k->k[i].row);
		r = sw_stmt_step(st);
		if (r == 1)
			search_row(s, st, ret);
		sw_stmt_reset(st);
	}
	if (r >= 0 && k->n > n)
		ret->next = search_next(s, k->k[n - 1].at, k->k[n - 1].row);
	sw_stmt_free(st);
	return r < 0 ? r : 0;
}

int search_by_values(struct search *s, struct sw_rows *ret)
{
	struct keys k = { .most = s->limit + 1, .oldest = s->q->oldest };
	bool own = !sw_sql_in_transaction(s->store->q);
	struct values v = { 0 };
	int r;

	/* All of it is of one moment. */
	sw_sql_limit(s->store->q, 0);
	if (own && (r = sw_sql_exec(s->store->q, "BEGIN", s->err)) < 0)
		return r;
	r = values_best(s, &v);
	if (r == 1) {
		k.k = SW_ARENA_ARRAY(s->a, struct key, k.most + 1);
		r = keys_merge(s, &v, &k);
		r = r < 0 ? r : keys_rows(s, &k, ret);
		r = r < 0 ? r : 1;
	}
	if (r < 0 && r != -ETIMEDOUT)
		(void)sw_sql_error(s->store->q, s->err);
	sw_sql_limit(s->store->q, 0);
	if (own)
		(void)!sw_sql_exec(s->store->q, "COMMIT", NULL);
	return r;
}
