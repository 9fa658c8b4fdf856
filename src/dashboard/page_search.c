/*
 * One id finds everything that belongs together: the webhook, the build, the deployment, its watches, the alert, the rollback. An id of a
 * delivery or event leads to its run, and the run to the rest.
 */
#include <string.h>

#include "base/str.h"
#include "dashboard/search.h"

/* Of what was found first: the id by which the others find it too. */
static const char *run_of(const struct found *f)
{
	for (size_t i = 0; i < FOUND_COUNT; i++)
		for (size_t k = 0; k < f->rows[i].n; k++) {
			const char *run = sw_row_text(&f->rows[i].rows[k], "ci_run_id");

			if (run)
				return run;
		}
	return NULL;
}

const char *const found_lists[FOUND_COUNT] = { "events", "builds", "deployments", "watches", "alerts", "actions" };

static int search_once(struct page *p, const char *q, unsigned limit, struct found *f, struct sw_err *err)
{
	for (size_t i = 0; i < FOUND_COUNT; i++) {
		struct sw_rows rows;
		int r;

		if (f->rows[i].n)
			continue;
		r = sw_list_get(p->store, found_lists[i], limit, &p->a, &rows, err, "q", q, NULL);
		if (r < 0)
			return r;
		f->rows[i] = rows;
		f->n += rows.n;
	}
	return 0;
}

int search_find(struct page *p, const char *q, unsigned limit, struct found *f, struct sw_err *err)
{
	const char *run;
	int r;

	*f = (struct found){ 0 };
	r = search_once(p, q, limit, f, err);
	run = r == 0 ? run_of(f) : NULL;
	if (run && !sw_streq(run, q)) {
		r = search_once(p, run, limit, f, err);
		f->run = run;
	}
	/* A deployment made by hand has no run: its watches and alerts are found by its own id. */
	for (size_t i = 0; r == 0 && !run && i < f->rows[FOUND_WATCHES].n && !f->rows[FOUND_DEPLOYMENTS].n; i++)
		r = search_once(p, sw_row_text(&f->rows[FOUND_WATCHES].rows[i], "deployment"), limit, f, err);
	if (r == 0 && !run && f->rows[FOUND_DEPLOYMENTS].n == 1)
		r = search_once(p, sw_row_text(&f->rows[FOUND_DEPLOYMENTS].rows[0], "deployment"), limit, f, err);
	return r;
}

/* ---- the page ---- */

static void put_found(struct page *p, const struct found *f)
{
	const char *const titles[FOUND_COUNT] = { W(p, "Events", "事件"), W(p, "Builds", "构建"), W(p, "Deployments", "部署"), W(p, "Watches", "观察"), W(p, "Alerts", "告警"),
		                                  W(p, "Actions", "操作") };

	for (size_t i = 0; i < FOUND_COUNT; i++) {
		const struct sw_rows *rows = &f->rows[i];

		if (!rows->n)
			continue;
		page_section(p, found_lists[i], titles[i], NULL);
		switch (i) {
		case FOUND_EVENTS: page_events(p, rows); break;
		case FOUND_BUILDS: page_builds(p, rows); break;
		case FOUND_DEPLOYMENTS: page_deployments(p, rows, true); break;
		case FOUND_WATCHES: page_watches(p, rows); break;
		case FOUND_ALERTS: page_alerts(p, rows); break;
		default: page_actions(p, rows); break;
		}
		if (rows->next)
			sw_html(&p->out, "<p class=\"muted\">%s</p>\n", W(p, "There are more; the list with a filter has them all.", "还有更多，请在列表中筛选查看。"));
		page_section_end(p);
	}
}

void page_search(struct page *p)
{
	const char *q = sw_page_query(p, "q");
	struct sw_err err = SW_ERR_INIT;
	struct found f = { 0 };
	int r = 0;

	q = q ? q + strspn(q, " \t") : "";
	sw_page_begin(p, "search", W(p, "Search", "搜索"));
	sw_html(&p->out, "<form class=\"filters\" role=\"search\" method=\"get\" action=\"/search\"><label class=\"long\"><span>%s</span><input type=\"search\" name=\"q\" value=\"%s\"></label>"
	                 "<button class=\"primary\">%s</button></form>\n",
	        W(p, "An id of a run, event, delivery, deployment, watch, alert or action, or 7 digits and more of a commit", "运行、事件、投递、部署、观察、告警或操作的编号，或提交的前 7 位"), q,
	        W(p, "Search", "搜索"));
	if (*q && p->store)
		r = search_find(p, q, 25, &f, &err);
	if (r < 0)
		sw_html(&p->out, "<p class=\"banner bad\" role=\"alert\">%s %s</p>\n", W(p, "That cannot be searched:", "无法搜索："), err.text);
	else if (*q && !f.n)
		page_empty(p, W(p, "Nothing has this id. Ids are compared whole; of a commit the first 7 digits are enough.", "没有找到。编号需完整匹配；提交只需前 7 位。"));
	else if (f.run)
		sw_html(&p->out, "<p class=\"muted\">%s <code>%s</code></p>\n", W(p, "All of its run", "所属运行"), f.run);
	if (page_log_url(p, f.run)) {
		sw_buf_cat(&p->out, "<p>");
		page_log_link(p, f.run);
		sw_buf_cat(&p->out, "</p>\n");
	}
	put_found(p, &f);
	sw_page_end(p);
}
