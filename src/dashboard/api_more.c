/* What the API answers beside lists: search, the commits of a deployment, overview, rules, status, dead letters, silences, the export. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "dashboard/api.h"
#include "dashboard/commits.h"
#include "dashboard/inner.h"
#include "dashboard/search.h"
#include "rules/rules.h"

#define PLACES_MAX 500
#define RULES_MAX  1000
#define COUNTED    (30 * SW_DAY)

/* ---- search ---- */

void api_search(struct page *p)
{
	const char *run = sw_page_query(p, "ci_run_id"), *q = run && *run ? run : sw_page_query(p, "q"), *limit = sw_page_query(p, "limit");
	long n = limit ? strtol(limit, NULL, 10) : 25;
	struct sw_err err = SW_ERR_INIT;
	struct found f;
	struct sw_jw w;
	int r;

	if (!q || !*q) {
		api_wrong(p, 400, "q: want an id, or the first 7 digits of a commit");
		return;
	}
	if (n < 1 || n > 200) {
		api_wrong(p, 400, "limit: want a number from 1 to 200");
		return;
	}
	if (!api_history(p))
		return;
	r = search_find(p, q, (unsigned)n, &f, &err);
	if (r < 0) {
		api_failed(p, r, &err);
		return;
	}
	api_begin(p, &w);
	sw_jw_str(&w, "q", q);
	sw_jw_str(&w, "ci_run_id", f.run);
	sw_jw_str(&w, "log_url", page_log_url(p, f.run));
	for (size_t i = 0; i < FOUND_COUNT; i++) {
		sw_jw_arr(&w, found_lists[i]);
		for (size_t k = 0; k < f.rows[i].n; k++)
			api_item(p, &f.rows[i].rows[k], &w);
		sw_jw_arr_end(&w);
	}
	api_end(p, &w);
}

/* ---- the commits of a deployment ---- */

void api_commits(struct page *p, const struct sw_row *r, struct sw_jw *w)
{
	struct commits_range range;

	page_deployment_range(p, r, &range);
	sw_jw_arr(w, "commits");
	for (size_t i = 0; i < range.n; i++) {
		const struct sw_commit *c = &range.list[i];

		sw_jw_obj(w, NULL);
		sw_jw_str(w, "sha", c->sha);
		sw_jw_str(w, "title", c->title);
		sw_jw_str(w, "author", c->author);
		sw_jw_str(w, "url", c->url);
		if (c->at)
			sw_jw_int(w, "at", c->at);
		else
			sw_jw_null(w, "at");
		sw_jw_obj_end(w);
	}
	sw_jw_arr_end(w);
	if (range.total >= 0)
		sw_jw_int(w, "commits_total", range.total);
	else
		sw_jw_null(w, "commits_total");
	sw_jw_bool(w, "commits_complete", commits_complete(&range));
	sw_jw_bool(w, "commits_back", range.back);
}

/* ---- overview ---- */

static void put_history(struct page *p, struct sw_jw *w)
{
	struct dash_recording rec;

	dash_recording(p, &rec);
	sw_jw_obj(w, "history");
	sw_jw_str(w, "recorder", rec.runs ? "up" : "down");
	sw_jw_bool(w, "written", rec.written);
	if (rec.waits < 0)
		sw_jw_null(w, "waits_ms");
	else
		sw_jw_int(w, "waits_ms", rec.waits);
	sw_jw_str(w, "wrong", dash_recording_wrong(&rec));
	sw_jw_str(w, "position", p->store ? sw_store_position(p->store, &p->a) : NULL);
	sw_jw_str(w, "error", p->store ? NULL : p->why);
	sw_jw_obj_end(w);
}

/* Return: 0, or -errno, answered. */
static int put_some(struct page *p, struct sw_jw *w, const char *key, const char *list, const char *filter, const char *value)
{
	struct sw_err err = SW_ERR_INIT;
	struct sw_rows rows;
	int r = sw_list_get(p->store, list, 100, &p->a, &rows, &err, filter, value, NULL);

	if (r < 0) {
		api_failed(p, r, &err);
		return r;
	}
	sw_jw_arr(w, key);
	for (size_t i = 0; i < rows.n; i++)
		api_item(p, &rows.rows[i], w);
	sw_jw_arr_end(w);
	return 0;
}

static void put_deployment(struct sw_jw *w, const struct sum_deployment *d)
{
	sw_jw_obj(w, NULL);
	sw_jw_str(w, "deployment", d->id);
	sw_jw_int(w, "at", d->at);
	sw_jw_str(w, "status", d->status);
	sw_jw_str(w, "state", sum_word(d));
	sw_jw_str(w, "verdict", d->verdict);
	sw_jw_str(w, "sha", d->sha);
	sw_jw_str(w, "version", d->version);
	sw_jw_str(w, "user", d->user);
	sw_jw_bool(w, "is_rollback", d->is_rollback);
	sw_jw_obj_end(w);
}

static int put_places(struct page *p, struct sw_jw *w)
{
	struct sw_err err = SW_ERR_INIT;
	struct sum_place *list = NULL;
	struct sw_rows rows;
	int r = sw_list_get(p->store, "places", PLACES_MAX, &p->a, &rows, &err, NULL);

	if (r == 0) {
		list = SW_ARENA_ARRAY(&p->a, struct sum_place, rows.n + 1);
		for (size_t i = 0; i < rows.n; i++)
			list[i] = (struct sum_place){ .service = sw_row_text(&rows.rows[i], "service"), .environment = sw_row_text(&rows.rows[i], "environment") };
		r = sum_places(p->store, list, rows.n, &p->a);
	}
	if (r < 0) {
		api_failed(p, r, &err);
		return r;
	}
	sw_jw_arr(w, "places");
	for (size_t i = 0; i < rows.n; i++) {
		sw_jw_obj(w, NULL);
		sw_jw_str(w, "service", list[i].service);
		sw_jw_str(w, "environment", list[i].environment);
		sw_jw_str(w, "state", list[i].n ? sum_word(&list[i].d[0]) : NULL);
		sw_jw_arr(w, "deployments");
		for (size_t k = 0; k < list[i].n; k++)
			put_deployment(w, &list[i].d[k]);
		sw_jw_arr_end(w);
		sw_jw_obj_end(w);
	}
	sw_jw_arr_end(w);
	return 0;
}

void api_overview(struct page *p)
{
	struct sw_jw w;

	if (!api_history(p))
		return;
	api_begin(p, &w);
	sw_jw_int(&w, "now", p->now);
	if (put_some(p, &w, "asking", "actions", "state", "asking") < 0 || put_some(p, &w, "firing", "alerts", "state", "firing") < 0 ||
	    put_some(p, &w, "watching", "watches", "open", "true") < 0 || put_some(p, &w, "running", "deployments", "status", "running") < 0)
		return;
	if (p->status)
		sw_jw_int(&w, "dead", sw_jint(p->status, "dead", 0));
	else
		sw_jw_null(&w, "dead");
	put_history(p, &w);
	if (put_places(p, &w) == 0)
		api_end(p, &w);
}

/* ---- rules ---- */

static void put_rule(struct sw_jw *w, const struct sum_rule *s, const struct sw_rule *r)
{
	static const char *const severities[] = { "info", "warning", "critical" };

	sw_jw_obj(w, NULL);
	sw_jw_str(w, "rule", s->rule);
	sw_jw_bool(w, "in_force", r != NULL);
	if (r) {
		sw_jw_str(w, "on", r->on.name);
		sw_jw_str(w, "where", r->where ? sw_expr_text(r->where) : NULL);
		sw_jw_str(w, "if", r->cond ? sw_expr_text(r->cond) : NULL);
		if (r->watches)
			sw_jw_int(w, "watch_ms", r->watch_for);
		else
			sw_jw_null(w, "watch_ms");
		sw_jw_bool(w, "rollback", r->has_rollback);
		sw_jw_str(w, "severity", severities[r->severity]);
		sw_jw_str(w, "file", r->file);
		sw_jw_int(w, "line", r->line);
	}
	if (s->fired)
		sw_jw_int(w, "fired", s->fired);
	else
		sw_jw_null(w, "fired");
	sw_jw_int(w, "alerts_30d", s->alerts);
	sw_jw_int(w, "pass_30d", s->pass);
	sw_jw_int(w, "fail_30d", s->fail);
	sw_jw_int(w, "other_30d", s->other);
	sw_jw_arr(w, "watches");
	for (size_t i = 0; i < s->n; i++) {
		sw_jw_obj(w, NULL);
		sw_jw_str(w, "watch", s->w[i].watch);
		sw_jw_str(w, "deployment", s->w[i].deployment);
		sw_jw_str(w, "verdict", s->w[i].verdict);
		sw_jw_int(w, "at", s->w[i].at);
		sw_jw_obj_end(w);
	}
	sw_jw_arr_end(w);
	sw_jw_obj_end(w);
}

void api_rules(struct page *p)
{
	const struct sw_rules *rules = dash_visit(p)->setup->rules;
	struct sum_rule *list = SW_ARENA_ARRAY(&p->a, struct sum_rule, 2 * RULES_MAX);
	struct sw_err err = SW_ERR_INIT;
	struct sw_rows rows;
	struct sw_jw w;
	size_t n = 0;
	int r;

	if (!api_history(p))
		return;
	for (size_t i = 0; rules && i < rules->n && n < RULES_MAX; i++)
		list[n++].rule = rules->items[i].name;
	r = sw_list_get(p->store, "rules", RULES_MAX, &p->a, &rows, &err, NULL);
	for (size_t i = 0; r == 0 && i < rows.n; i++) {
		const char *name = sw_row_text(&rows.rows[i], "rule");

		if (name && !(rules && sw_rules_find(rules, name)))
			list[n++].rule = name;
	}
	if (r == 0)
		r = sum_rules(p->store, list, n, p->now - COUNTED, &p->a);
	if (r < 0) {
		api_failed(p, r, &err);
		return;
	}
	api_begin(p, &w);
	sw_jw_arr(&w, "items");
	for (size_t i = 0; i < n; i++)
		put_rule(&w, &list[i], rules ? sw_rules_find(rules, list[i].rule) : NULL);
	sw_jw_arr_end(&w);
	sw_jw_null(&w, "next");
	api_end(p, &w);
}

/* ---- what Redis knows ---- */

static bool api_live(struct page *p, const struct sw_jnode *node)
{
	if (!node)
		api_wrong(p, 503, "Redis does not answer");
	return node != NULL;
}

void api_status(struct page *p)
{
	struct sw_jw w;

	if (!api_live(p, p->status))
		return;
	api_begin(p, &w);
	for (const struct sw_jnode *m = p->status->child; m; m = m->next)
		sw_jw_node(&w, m->key, m);
	put_history(p, &w);
	api_end(p, &w);
}

void api_dead(struct page *p)
{
	const struct sw_jnode *last = NULL;
	struct sw_jw w;

	if (p->id && p->dead && p->dead->type == SW_J_OBJECT) {
		p->type = "application/json";
		sw_jw_init(&w, &p->out);
		sw_jw_node(&w, NULL, p->dead);
		sw_buf_putc(&p->out, '\n');
		return;
	}
	if (p->id && sw_bus_up(p->d->bus)) {
		api_wrong(p, 404, sw_arena_printf(&p->a, "no dead letter \"%.60s\"", p->id));
		return;
	}
	if (!api_live(p, p->dead))
		return;
	api_begin(p, &w);
	sw_jw_arr(&w, "items");
	for (const struct sw_jnode *d = p->dead->child; d; d = d->next) {
		sw_jw_node(&w, NULL, d);
		last = d;
	}
	sw_jw_arr_end(&w);
	sw_jw_str(&w, "next", p->dead->n >= 100 ? sw_jstr(last, "id") : NULL);
	api_end(p, &w);
}

void api_silences(struct page *p)
{
	struct sw_jw w;

	if (!api_live(p, p->silences))
		return;
	api_begin(p, &w);
	sw_jw_node(&w, "items", p->silences);
	sw_jw_null(&w, "next");
	api_end(p, &w);
}
