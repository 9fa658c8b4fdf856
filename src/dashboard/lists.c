/*
 * Searching lists: filters, order and cursor become one statement. What people say is bound, never part of its text.
 *
 * Pages are cut by key, not by number: "older than (moment, row)" costs the same on the first page and on the thousandth, and rows
 * that come meanwhile move nothing.
 *
 * Which index finds a page soonest depends on the values: of "status=failed, environment=prod" either may be rare, or both frequent and hardly ever
 * together. Nobody knows beforehand, so ways are tried one after the other, each for a moment only, and the last to its end:
 *
 *   as the library finds best ─▶ each filter for itself looked up ─▶ the values of a pattern (patterns.c) ─▶ as at first
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "dashboard/lists_inner.h"
#include "shipwatch/clock.h"

#define LIMIT_USUAL 50
#define WORDS_MOST  64

static const struct sw_list_bounds usual = { .ms = 10, .values = 8000 };

const struct sw_list *sw_list_find(const char *name)
{
	for (size_t i = 0; sw_lists[i]; i++)
		if (sw_streq(sw_lists[i]->name, name))
			return sw_lists[i];
	return NULL;
}

/* ---- what is asked for ---- */

/* The id of an item is a filter like the others. */
const struct sw_filter *search_filter(struct search *s, const char *name)
{
	const struct sw_list *l = s->q->list;
	const char *words[WORDS_MOST + 1], *near;
	size_t n = 0;

	for (size_t i = 0; i < l->n_filters; i++) {
		if (sw_streq(l->filters[i].name, name))
			return &l->filters[i];
		if (n < WORDS_MOST)
			words[n++] = l->filters[i].name;
	}
	for (size_t i = 0; i < l->n_columns && l->id; i++)
		if (sw_streq(l->columns[i].name, l->id)) {
			struct sw_filter *f = SW_ARENA_NEW(s->a, struct sw_filter);

			*f = (struct sw_filter){ .name = l->id, .type = l->columns[i].type, .sql = sw_arena_printf(s->a, "%s = ?", l->columns[i].sql) };
			if (sw_streq(name, l->id))
				return f;
			words[SW_MIN(n, (size_t)WORDS_MOST - 1)] = l->id;
			n = SW_MIN(n + 1, (size_t)WORDS_MOST);
		}
	words[n] = NULL;
	near = sw_did_you_mean(name, words);
	(void)sw_err_set(s->err, EINVAL, "no filter \"%.60s\" of %s%s%s%s", name, l->name, near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	return NULL;
}

static int search_wrong(struct search *s, const struct sw_filter *f, const char *want, const char *value)
{
	return sw_err_set(s->err, EINVAL, "%s: want %s, got \"%.60s\"", f->name, want, value);
}

static int search_whole(const char *text, int64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoll(text, &end, 10);
	return errno || end == text || *end || *text == ' ' ? -EINVAL : 0;
}

/* A moment: digits are ms, "7d" is so long ago. */
static int search_moment(struct search *s, const struct sw_filter *f, const char *value, int64_t *ret)
{
	sw_dur ago;

	if (search_whole(value, ret) == 0)
		return *ret >= 0 ? 0 : search_wrong(s, f, "a moment", value);
	if (sw_dur_parse(value, &ago) == 0) {
		*ret = (s->q->now ? s->q->now : sw_clock_wall()) - ago;
		return 0;
	}
	if (strlen(value) >= strlen("2026-01-01") && sw_time_parse(value, ret) == 0)
		return 0;
	return search_wrong(s, f, "ms since 1970, a time such as 2026-11-24T13:48:05Z, or how long ago, such as 7d", value);
}

static int search_words(struct search *s, const struct sw_filter *f, const char *value)
{
	struct sw_buf b = SW_BUF_INIT;
	const char *near = sw_did_you_mean(value, f->words);

	for (const char *const *w = f->words; *w; w++)
		if (strcmp(*w, value) == 0)
			return 0;
	for (const char *const *w = f->words; *w && !near; w++)
		sw_buf_printf(&b, "%s%s", b.n ? w[1] ? ", " : " or " : "", *w);
	if (near)
		(void)sw_err_set(s->err, EINVAL, "%s: there is no \"%.40s\", did you mean \"%s\"?", f->name, value, near);
	else
		(void)sw_err_set(s->err, EINVAL, "%s: want %s, got \"%.40s\"", f->name, sw_buf_str(&b), value);
	sw_buf_fini(&b);
	return -EINVAL;
}

const char *search_glob(struct search *s, const char *value)
{
	struct sw_buf b = SW_BUF_INIT;
	const char *ret;

	for (const char *p = value; *p; p++) {
		if (*p == '?' || *p == '[')
			sw_buf_printf(&b, "[%c]", *p);
		else if (*p != '*' || p == value || p[-1] != '*') /* many stars are one */
			sw_buf_putc(&b, *p);
	}
	ret = sw_arena_strdup(s->a, sw_buf_str(&b));
	sw_buf_fini(&b);
	return ret;
}

static bool search_is_sha(const char *value)
{
	size_t n = strspn(value, "0123456789abcdefABCDEF");

	return n >= 4 && n <= 64 && !value[n];
}

static const char *search_lower(struct search *s, const char *value)
{
	char *ret = sw_arena_strdup(s->a, value);

	for (char *p = ret; *p; p++)
		if (*p >= 'A' && *p <= 'F')
			*p |= 32;
	return ret;
}

static int search_value(struct search *s, const struct sw_filter *f, const char *value, struct bound *ret)
{
	char *end;

	*ret = (struct bound){ .type = BOUND_INT };
	switch (f->type) {
	case SW_COL_INT: return search_whole(value, &ret->i) < 0 ? search_wrong(s, f, "a whole number", value) : 0;
	case SW_COL_MS: return search_moment(s, f, value, &ret->i);
	case SW_COL_BOOL:
		ret->i = sw_streq(value, "true") || sw_streq(value, "1");
		return ret->i || sw_streq(value, "false") || sw_streq(value, "0") ? 0 : search_wrong(s, f, "true or false", value);
	case SW_COL_REAL:
		ret->type = BOUND_REAL;
		ret->d = strtod(value, &end);
		return end == value || *end ? search_wrong(s, f, "a number", value) : 0;
	case SW_COL_TEXT:
	case SW_COL_JSON: break;
	}
	ret->type = BOUND_TEXT;
	ret->text = value;
	if (f->words)
		return search_words(s, f, value);
	if (f->sha) {
		ret->text = search_lower(s, value);
		return search_is_sha(value) ? 0 : search_wrong(s, f, "4 to 64 digits 0-9a-f of a commit", value);
	}
	return 0;
}

/* ---- the statement ---- */

/* It is one value of a column, which may stand in an index. */
static bool search_is_value(const struct sw_filter *f, const char *value)
{
	size_t n = strlen(f->sql);

	return n > 4 && strcmp(f->sql + n - 4, " = ?") == 0 && !(f->glob && strchr(value, '*'));
}

bool search_is_pattern(const struct sw_filter *f, const char *value)
{
	return f->glob && strchr(value, '*');
}

/*
 * A condition with its place holders numbered; of one with a star each comparison becomes a pattern. A pattern is not looked up in an index (the plus
 * says so): what fits it would have to be sorted by time, where walking along the time soon has enough of what is frequent. What is rare: patterns.c.
 */
static void search_condition(struct search *s, const char *sql, bool glob, bool follows)
{
	sql += *sql == '+' && s->rare;
	sw_buf_cat(&s->sql, follows || (glob && !strchr(sql, '(')) ? " AND (+" : " AND (");
	for (const char *p = sql; *p; p++) {
		if (glob && strncmp(p, "= ?", 3) == 0) {
			sw_buf_printf(&s->sql, "GLOB ?%d", s->n);
			p += 2;
		} else if (*p == '?') {
			sw_buf_printf(&s->sql, "?%d", s->n);
		} else {
			sw_buf_putc(&s->sql, *p);
		}
	}
	sw_buf_putc(&s->sql, ')');
}

/* one: a pattern stands for one value. */
static int search_one(struct search *s, int i, bool one)
{
	const char *value = s->q->filters[i].value;
	const struct sw_filter *f = search_filter(s, s->q->filters[i].name);
	struct bound *b = &s->bound[s->n];
	bool glob;
	int r;

	if (!f)
		return -EINVAL;
	if (strlen(value) > SW_QUERY_TEXT)
		return sw_err_set(s->err, EINVAL, "%s: over %d bytes", f->name, SW_QUERY_TEXT);
	r = search_value(s, f, value, b);
	if (r < 0)
		return r;
	glob = search_is_pattern(f, value) && !one;
	if (glob)
		b->text = search_glob(s, value);
	s->n++;
	if (one)
		s->value = s->n;
	search_condition(s, f->sql, glob, s->lead >= 0 && s->lead != i && search_is_value(f, value));
	return 0;
}

static void search_int(struct search *s, int64_t v)
{
	s->bound[s->n++] = (struct bound){ .type = BOUND_INT, .i = v };
}

/* "<moment>.<row>" in hex, with a mark of the direction. */
static int search_cursor(struct search *s)
{
	const struct sw_list_query *q = s->q;
	const char *text = q->cursor;
	unsigned long long at, row;
	int n = 0;

	if (strlen(text) > 40 || *text != (q->oldest ? 'o' : 'n') || strspn(text + 1, "0123456789abcdef.-") != strlen(text + 1) ||
	    sscanf(text + 1, "%llx.%llx%n", &at, &row, &n) != 2 || text[1 + n])
		return sw_err_set(s->err, EINVAL, "cursor: \"%.40s\" is none of this list", text);
	search_int(s, (int64_t)at);
	search_int(s, (int64_t)row);
	sw_buf_printf(&s->sql, " AND (%s, %s) %c (?%d, ?%d)", q->list->order, q->list->rowid, q->oldest ? '>' : '<', s->n - 1, s->n);
	return 0;
}

static int search_required(struct search *s)
{
	for (const char *const *want = s->q->list->required; want && *want; want++) {
		bool given = false;

		for (size_t i = 0; i < s->q->n_filters; i++)
			given |= s->q->filters[i].value && sw_streq(s->q->filters[i].name, *want);
		if (!given)
			return sw_err_set(s->err, EINVAL, "%s: want a %s", s->q->list->name, *want);
	}
	return 0;
}

static void search_columns(struct search *s)
{
	const struct sw_list *l = s->q->list;

	for (size_t i = 0; i < l->n_columns; i++)
		sw_buf_printf(&s->sql, "%s, ", l->columns[i].sql);
}

int search_build(struct search *s, int by)
{
	const struct sw_list_query *q = s->q;
	const struct sw_list *l = q->list;
	int r = 0;

	sw_buf_reset(&s->sql);
	s->n = 0;
	sw_buf_cat(&s->sql, "SELECT ");
	if (by < 0)
		search_columns(s);
	sw_buf_printf(&s->sql, "%s, %s FROM %s WHERE 1", l->order, l->rowid, l->from);
	if (q->n_filters > SW_QUERY_FILTERS)
		return sw_err_set(s->err, EINVAL, "more than %d filters", SW_QUERY_FILTERS);
	r = search_required(s);
	for (size_t i = 0; i < q->n_filters && r == 0; i++)
		if (q->filters[i].value)
			r = search_one(s, (int)i, (int)i == by);
	if (r == 0 && q->cursor)
		r = search_cursor(s);
	if (by >= 0) {
		search_int(s, 0);
		search_int(s, 0);
		s->edge = s->n - 1;
		sw_buf_printf(&s->sql, " AND (%s, %s) %c (?%d, ?%d)", l->order, l->rowid, q->oldest ? '<' : '>', s->edge, s->edge + 1);
	}
	search_int(s, (int64_t)s->limit + 1);
	sw_buf_printf(&s->sql, " ORDER BY %s%s, %s%s LIMIT ?%d", l->order, q->oldest ? "" : " DESC", l->rowid, q->oldest ? "" : " DESC", s->n);
	return r;
}

void search_build_row(struct search *s)
{
	const struct sw_list *l = s->q->list;

	sw_buf_reset(&s->sql);
	sw_buf_cat(&s->sql, "SELECT ");
	search_columns(s);
	sw_buf_printf(&s->sql, "%s, %s FROM %s WHERE %s = ?1", l->order, l->rowid, l->from, l->rowid);
}

void search_bind(const struct search *s, struct sw_stmt *st)
{
	for (int i = 0; i < s->n; i++) {
		switch (s->bound[i].type) {
		case BOUND_TEXT: sw_stmt_text(st, i + 1, s->bound[i].text); break;
		case BOUND_INT: sw_stmt_int(st, i + 1, s->bound[i].i); break;
		case BOUND_REAL: sw_stmt_real(st, i + 1, s->bound[i].d); break;
		}
	}
}

/* ---- rows ---- */

static void row_value(struct search *s, struct sw_stmt *st, int i, enum sw_column_type type, struct sw_cell *v)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;

	if (sw_stmt_is_null(st, i)) {
		v->null = true;
		return;
	}
	switch (type) {
	case SW_COL_TEXT:
	case SW_COL_JSON:
		v->text = sw_stmt_get_text(st, i, &v->n);
		v->text = sw_arena_memdup(s->a, v->text, v->n);
		return;
	case SW_COL_INT:
	case SW_COL_MS:
	case SW_COL_BOOL:
		v->i = sw_stmt_get_int(st, i);
		v->d = (double)v->i;
		v->text = type == SW_COL_BOOL ? (v->i ? "true" : "false") : sw_arena_printf(s->a, "%lld", (long long)v->i);
		break;
	case SW_COL_REAL:
		v->d = sw_stmt_get_real(st, i);
		v->i = v->d >= -9e18 && v->d <= 9e18 ? (int64_t)v->d : 0;
		sw_jw_init(&w, &b);
		sw_jw_num(&w, NULL, v->d);
		v->text = sw_arena_strdup(s->a, sw_buf_str(&b));
		sw_buf_fini(&b);
		break;
	}
	v->n = strlen(v->text);
}

void search_row(struct search *s, struct sw_stmt *st, struct sw_rows *ret)
{
	const struct sw_list *l = s->q->list;
	struct sw_cell *v = SW_ARENA_ARRAY(s->a, struct sw_cell, l->n_columns);

	if (!ret->rows) /* pages are small */
		ret->rows = SW_ARENA_ARRAY(s->a, struct sw_row, s->limit);
	for (size_t i = 0; i < l->n_columns; i++)
		row_value(s, st, (int)i, l->columns[i].type, &v[i]);
	ret->rows[ret->n++] = (struct sw_row){ l, v };
}

const char *search_next(struct search *s, int64_t at, int64_t row)
{
	return sw_arena_printf(s->a, "%c%llx.%llx", s->q->oldest ? 'o' : 'n', (unsigned long long)at, (unsigned long long)row);
}

static int search_read(struct search *s, struct sw_stmt *st, struct sw_rows *ret)
{
	int n = (int)s->q->list->n_columns, r;
	int64_t at = 0, row = 0;

	while ((r = sw_stmt_step(st)) == 1) {
		if (ret->n == s->limit) { /* there is more */
			ret->next = search_next(s, at, row);
			sw_stmt_reset(st);
			return 0;
		}
		search_row(s, st, ret);
		at = sw_stmt_get_int(st, n);
		row = sw_stmt_get_int(st, n + 1);
	}
	return r;
}

int search_begins(struct search *s)
{
	sw_dur left = s->until - sw_clock_mono();

	if (left <= 0)
		return -ETIMEDOUT;
	sw_sql_limit(s->store->q, left);
	return 0;
}

/* Along the time, or as the indexes of the filters have it. most: so long at most; 0: as long as there is time. */
static int search_walk(struct search *s, sw_dur most, struct sw_rows *ret)
{
	struct sw_stmt *st = NULL;
	int r = search_build(s, -1);

	if (r == 0)
		r = search_begins(s);
	if (r == 0 && most)
		sw_sql_limit(s->store->q, most);
	if (r == 0)
		r = sw_sql_prepare(s->store->q, s->sql.p, &st, s->err);
	if (r == 0) {
		search_bind(s, st);
		r = search_read(s, st, ret);
		if (r < 0 && r != -ETIMEDOUT)
			(void)sw_sql_error(s->store->q, s->err);
	}
	sw_stmt_free(st);
	if (r < 0)
		*ret = (struct sw_rows){ 0 };
	return r;
}

/* Does the filter have it? Those that are left out do not. */
static bool search_has(struct search *s, size_t i, bool (*what)(const struct sw_filter *f, const char *value))
{
	const struct sw_filter *f = s->q->filters[i].value ? search_filter(s, s->q->filters[i].name) : NULL;

	return f && what(f, s->q->filters[i].value);
}

static size_t search_count(struct search *s, bool (*what)(const struct sw_filter *f, const char *value))
{
	size_t n = 0;

	for (size_t i = 0; i < s->q->n_filters; i++)
		n += search_has(s, i, what);
	return n;
}

static bool search_is_plus(const struct sw_filter *f, const char *value)
{
	(void)value;
	return *f->sql == '+';
}

/* It names a few rows, an id for instance: they are looked up whatever else is asked for. */
static bool search_is_few(const struct sw_filter *f, const char *value)
{
	(void)value;
	return *f->sql != '+' && strstr(f->sql, "IN (SELECT");
}

/* Return: as search_walk; -ETIMEDOUT: none of them is quick. */
static int search_leads(struct search *s, struct sw_rows *ret)
{
	int r = -ETIMEDOUT;

	for (size_t i = 0; i < s->q->n_filters && r == -ETIMEDOUT; i++) {
		s->lead = (int)i;
		if (search_has(s, i, search_is_value))
			r = search_walk(s, s->most->ms, ret);
	}
	s->lead = -1;
	return r;
}

static int search_ways(struct search *s, struct sw_rows *ret)
{
	bool lead = search_count(s, search_is_value) > 1, few = search_count(s, search_is_few) > 0;
	bool values = search_count(s, search_is_pattern) > 0 && !few, plus = search_count(s, search_is_plus) > 0;
	int first = s->most->first, r = -ETIMEDOUT;

	if (first <= SW_LIST_USUAL && (lead || values || plus))
		r = search_walk(s, s->most->ms, ret);
	if (r == -ETIMEDOUT && first <= SW_LIST_LEAD && lead)
		r = search_leads(s, ret);
	if (r != -ETIMEDOUT)
		return r;
	s->rare = true;
	r = first <= SW_LIST_VALUES && values ? search_by_values(s, ret) : 0;
	return r == 1 ? 0 : r < 0 ? r : search_walk(s, 0, ret);
}

int sw_list_run_within(struct sw_store *store, const struct sw_list_query *q, const struct sw_list_bounds *most, struct sw_arena *a, struct sw_rows *ret,
                       struct sw_err *err)
{
	struct search s = { .store = store, .q = q, .most = most, .a = a, .err = err, .limit = q->limit ? q->limit : LIMIT_USUAL, .lead = -1 };
	int r;

	*ret = (struct sw_rows){ 0 };
	if (s.limit > SW_QUERY_LIMIT)
		return sw_err_set(err, EINVAL, "limit: at most %d", SW_QUERY_LIMIT);
	s.until = sw_clock_mono() + SW_QUERY_TIME;
	r = search_build(&s, -1); /* what is asked for is right */
	if (r == 0)
		r = search_ways(&s, ret);
	if (r == -ETIMEDOUT)
		(void)sw_err_set(err, ETIMEDOUT, "%s: searching took over %lld s; say more of what is looked for, or a shorter time", q->list->name,
		                 (long long)(SW_QUERY_TIME / SW_SECOND));
	sw_sql_limit(store->q, 0);
	sw_buf_fini(&s.sql);
	return r;
}

int sw_list_run(struct sw_store *store, const struct sw_list_query *q, struct sw_arena *a, struct sw_rows *ret, struct sw_err *err)
{
	return sw_list_run_within(store, q, &usual, a, ret, err);
}

int sw_list_get(struct sw_store *s, const char *list, unsigned limit, struct sw_arena *a, struct sw_rows *ret, struct sw_err *err, ...)
{
	struct sw_list_query q = { .list = sw_list_find(list), .limit = limit };
	const char *name;
	va_list ap;

	SW_ASSERT(q.list);
	va_start(ap, err);
	while ((name = va_arg(ap, const char *))) {
		const char *value = va_arg(ap, const char *);

		if (!value)
			continue;
		SW_ASSERT(q.n_filters < SW_QUERY_FILTERS);
		q.filters[q.n_filters].name = name;
		q.filters[q.n_filters++].value = value;
	}
	va_end(ap);
	return sw_list_run(s, &q, a, ret, err);
}

int sw_list_one(struct sw_store *s, const char *list, const char *id, struct sw_arena *a, const struct sw_row **ret, struct sw_err *err)
{
	const struct sw_list *l = sw_list_find(list);
	struct sw_rows rows;
	int r;

	SW_ASSERT(l && l->id);
	r = sw_list_get(s, list, 1, a, &rows, err, l->id, id, NULL);
	*ret = r == 0 && rows.n ? &rows.rows[0] : NULL;
	return r;
}

/* ---- one row ---- */

const struct sw_cell *sw_row_value(const struct sw_row *r, const char *column)
{
	for (size_t i = 0; i < r->list->n_columns; i++)
		if (strcmp(r->list->columns[i].name, column) == 0)
			return &r->v[i];
	SW_ASSERT(!"a column of this list");
	return NULL;
}

const char *sw_row_text(const struct sw_row *r, const char *column)
{
	const struct sw_cell *v = sw_row_value(r, column);

	return v->null ? NULL : v->text;
}

int64_t sw_row_int(const struct sw_row *r, const char *column, int64_t otherwise)
{
	const struct sw_cell *v = sw_row_value(r, column);

	return v->null ? otherwise : v->i;
}

double sw_row_num(const struct sw_row *r, const char *column, double otherwise)
{
	const struct sw_cell *v = sw_row_value(r, column);

	return v->null ? otherwise : v->d;
}

void sw_row_members(const struct sw_row *r, struct sw_jw *w)
{
	for (size_t i = 0; i < r->list->n_columns; i++) {
		const struct sw_column *c = &r->list->columns[i];
		const struct sw_cell *v = &r->v[i];

		if (v->null) {
			sw_jw_null(w, c->name);
			continue;
		}
		switch (c->type) {
		case SW_COL_TEXT: sw_jw_str(w, c->name, v->text); break;
		case SW_COL_INT:
		case SW_COL_MS: sw_jw_int(w, c->name, v->i); break;
		case SW_COL_REAL: sw_jw_num(w, c->name, v->d); break;
		case SW_COL_BOOL: sw_jw_bool(w, c->name, v->i != 0); break;
		case SW_COL_JSON: sw_jw_raw(w, c->name, v->text, v->n); break;
		}
	}
}

void sw_row_write(const struct sw_row *r, struct sw_jw *w)
{
	sw_jw_obj(w, NULL);
	sw_row_members(r, w);
	sw_jw_obj_end(w);
}
