/*
 * The API: every list as JSON with its filters and cursors, one item by its id; what is no list is in api_more.c, its description in
 * api_openapi.c. Lists are written from their tables alone, so a new column is there without a word here.
 */
#include "dashboard/api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define KEY_BYTES ((size_t)100)

static void api_any(struct page *p);

const struct route sw_routes_api[] = {
	{ "GET", "/api/v1/openapi.json", SW_ROLE_NOBODY, 0, api_openapi },
	{ "GET", "/api/v1/search", SW_ROLE_VIEWER, 0, api_search },
	{ "GET", "/api/v1/overview", SW_ROLE_VIEWER, SW_NEEDS_STATUS, api_overview },
	{ "GET", "/api/v1/rules", SW_ROLE_VIEWER, 0, api_rules },
	{ "GET", "/api/v1/status", SW_ROLE_VIEWER, SW_NEEDS_STATUS, api_status },
	{ "GET", "/api/v1/dead", SW_ROLE_VIEWER, SW_NEEDS_DEAD, api_dead },
	{ "GET", "/api/v1/dead/", SW_ROLE_VIEWER, SW_NEEDS_DEAD, api_dead },
	{ "GET", "/api/v1/silences", SW_ROLE_VIEWER, SW_NEEDS_SILENCES, api_silences },
	{ "GET", "/api/v1/export", SW_ROLE_VIEWER, 0, api_export },
	{ "GET", "/api/v1/badge/", SW_ROLE_NOBODY, 0, api_badge },
	{ "GET", "/api/v1/", SW_ROLE_VIEWER, 0, api_any },
	{ 0 },
};

/* ---- answers ---- */

void api_begin(struct page *p, struct sw_jw *w)
{
	p->type = "application/json";
	sw_jw_init(w, &p->out);
	sw_jw_obj(w, NULL);
}

void api_end(struct page *p, struct sw_jw *w)
{
	sw_jw_obj_end(w);
	sw_buf_putc(&p->out, '\n');
}

void api_wrong(struct page *p, int http, const char *what)
{
	struct sw_jw w;

	sw_buf_reset(&p->out);
	p->http = http;
	api_begin(p, &w);
	sw_jw_str(&w, "error", what);
	api_end(p, &w);
}

void api_failed(struct page *p, int r, const struct sw_err *err)
{
	api_wrong(p, r == -EINVAL ? 400 : 503, err->text[0] ? err->text : strerror(-r));
}

bool api_history(struct page *p)
{
	if (!p->store)
		api_wrong(p, 503, p->why && *p->why ? p->why : "there is no history yet");
	return p->store != NULL;
}

bool api_has_run(const struct sw_list *l)
{
	for (size_t i = 0; i < l->n_columns; i++)
		if (strcmp(l->columns[i].name, "ci_run_id") == 0)
			return true;
	return false;
}

bool api_serves(const struct sw_list *l)
{
	return strcmp(l->name, "rules") != 0;
}

bool api_alone(const struct sw_list *l)
{
	return strcmp(l->name, "deployments") == 0;
}

static void put_item(struct page *p, const struct sw_row *r, struct sw_jw *w)
{
	sw_jw_obj(w, NULL);
	sw_row_members(r, w);
	if (api_has_run(r->list))
		sw_jw_str(w, "log_url", page_log_url(p, sw_row_text(r, "ci_run_id")));
}

void api_item(struct page *p, const struct sw_row *r, struct sw_jw *w)
{
	put_item(p, r, w);
	sw_jw_obj_end(w);
}

/* ---- lists ---- */

static int query_limit(const char *value, struct sw_list_query *q, struct sw_err *err)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	if (*value < '0' || *value > '9' || *end || n < 1 || n > SW_QUERY_LIMIT)
		return sw_err_set(err, EINVAL, "limit: want a number from 1 to %d, got \"%.40s\"", SW_QUERY_LIMIT, value);
	q->limit = (unsigned)n;
	return 0;
}

/* One name=value: limit, cursor, order, or a filter. An empty value is as if it were not there. */
static int query_pair(struct page *p, const char *name, struct sw_list_query *q, struct sw_err *err)
{
	const char *value = sw_page_query(p, name);

	if (!value)
		return sw_err_set(err, EINVAL, "%s: its value cannot be read", name);
	if (!*value)
		return 0;
	if (sw_streq(name, "limit"))
		return query_limit(value, q, err);
	if (sw_streq(name, "cursor")) {
		q->cursor = value;
		return 0;
	}
	if (sw_streq(name, "order")) {
		q->oldest = sw_streq(value, "oldest");
		return q->oldest || sw_streq(value, "newest") ? 0 : sw_err_set(err, EINVAL, "order: want newest or oldest, got \"%.40s\"", value);
	}
	if (q->n_filters == SW_QUERY_FILTERS)
		return sw_err_set(err, EINVAL, "more than %d filters", SW_QUERY_FILTERS);
	q->filters[q->n_filters].name = name;
	q->filters[q->n_filters++].value = value;
	return 0;
}

/* All of the query string: what is no filter of the list is told by the list. A name that comes twice is refused, it would count once. */
static int query_read(struct page *p, struct sw_list_query *q, struct sw_err *err)
{
	const char *s = p->req->query;
	int r = 0;

	while (*s && r == 0) {
		size_t n = strcspn(s, "&"), key = SW_MIN(strcspn(s, "="), n);
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

		if (key > KEY_BYTES || sw_pct_decode(&b, s, key, true) < 0)
			return sw_err_set(err, EINVAL, "a name in the query cannot be read");
		for (size_t i = 0; i < q->n_filters; i++)
			if (sw_streq(q->filters[i].name, sw_buf_str(&b)))
				return sw_err_set(err, EINVAL, "%s: is there twice", q->filters[i].name);
		if (b.n)
			r = query_pair(p, sw_arena_strdup(&p->a, sw_buf_str(&b)), q, err);
		s += n + (s[n] == '&');
	}
	return r;
}

static void list_answer(struct page *p, const struct sw_list *l)
{
	struct sw_list_query q = { .list = l, .now = p->now };
	struct sw_err err = SW_ERR_INIT;
	struct sw_rows rows;
	struct sw_jw w;
	int r = query_read(p, &q, &err);

	if (r == 0)
		r = sw_list_run(p->store, &q, &p->a, &rows, &err);
	if (r < 0) {
		api_failed(p, r, &err);
		return;
	}
	api_begin(p, &w);
	sw_jw_arr(&w, "items");
	for (size_t i = 0; i < rows.n; i++)
		api_item(p, &rows.rows[i], &w);
	sw_jw_arr_end(&w);
	sw_jw_str(&w, "next", rows.next);
	api_end(p, &w);
}

static void one_answer(struct page *p, const struct sw_list *l, const char *id)
{
	const struct sw_row *row = NULL;
	struct sw_err err = SW_ERR_INIT;
	struct sw_jw w;
	int r = l->id ? sw_list_one(p->store, l->name, id, &p->a, &row, &err) : 0;

	if (r < 0 && r != -EINVAL) {
		api_failed(p, r, &err);
	} else if (!row) {
		api_wrong(p, 404, sw_arena_printf(&p->a, "no %s \"%.80s\"", l->one, id));
	} else {
		p->type = "application/json";
		sw_jw_init(&w, &p->out);
		put_item(p, row, &w);
		if (api_alone(l))
			api_commits(p, row, &w);
		api_end(p, &w);
	}
}

/* /api/v1/<list> and /api/v1/<list>/<id>; an id may have slashes in it. */
static void api_any(struct page *p)
{
	const char *slash = strchr(p->id, '/'), *name = slash ? sw_arena_strndup(&p->a, p->id, (size_t)(slash - p->id)) : p->id;
	const struct sw_list *l = sw_list_find(name);
	const char *names[64] = { NULL }, *near;
	size_t n = 0;

	if (l && api_serves(l)) {
		if (!api_history(p))
			return;
		if (slash && slash[1])
			one_answer(p, l, slash + 1);
		else
			list_answer(p, l);
		return;
	}
	for (size_t i = 0; sw_lists[i] && n + 1 < SW_COUNT(names); i++)
		names[n++] = sw_lists[i]->name;
	near = sw_did_you_mean(name, names);
	api_wrong(p, 404, sw_arena_printf(&p->a, "no list \"%.60s\"%s%s%s; /api/v1/openapi.json names all", name, near ? ", did you mean \"" : "", near ? near : "",
	                                  near ? "\"?" : ""));
}
