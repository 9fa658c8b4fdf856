/* In the place of what is not in this tree yet: the history's store and lists, pages, the API. The build says which. */
#include <errno.h>

#include "dashboard/inner.h"

#ifndef SW_HAS_STORE
int sw_store_open(const char *path, enum sw_store_mode mode, struct sw_store **ret, struct sw_err *err)
{
	(void)mode, (void)ret;
	return sw_err_set(err, ENOSYS, "%s: this program was built without a history", path);
}
struct sw_store *sw_store_close(struct sw_store *s)
{
	(void)s;
	return NULL;
}
#endif

#ifndef SW_HAS_LISTS
const struct sw_list *sw_list_find(const char *name)
{
	(void)name;
	return NULL;
}
int sw_list_run(struct sw_store *s, const struct sw_list_query *q, struct sw_arena *a, struct sw_rows *ret, struct sw_err *err)
{
	(void)s, (void)q, (void)a, (void)ret;
	return sw_err_set(err, ENOSYS, "this program was built without a history");
}
#endif

#ifndef SW_HAS_PAGES
static void overview(struct page *p)
{
	static const char *const words[] = { "pass", "fail", "inconclusive", "running", "superseded", "info" };

	sw_page_begin(p, "overview", W(p, "Overview", "概览"));
	sw_buf_cat(&p->out, "<section class=\"card\" data-live=\"deployments alerts\" id=\"now\"><h2>Now</h2><p>");
	for (size_t i = 0; i < SW_COUNT(words); i++) {
		sw_html_badge(p, words[i]);
		sw_buf_putc(&p->out, ' ');
	}
	sw_html_time(p, p->now);
	sw_page_csrf(p);
	sw_buf_cat(&p->out, "</p></section>\n");
	sw_page_end(p);
}
const struct route sw_routes_pages[] = { { "GET", "/", SW_ROLE_VIEWER, SW_NEEDS_STATUS, overview }, { 0 } };
#endif

#ifndef SW_HAS_API
const struct route sw_routes_api[] = { { 0 } };
#endif
