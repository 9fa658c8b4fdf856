/* The small things that many pages say: places, ages, facts, buttons; and how they read the history without falling over it. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/str.h"
#include "dashboard/inner.h"
#include "dashboard/pages.h"
#include "shipwatch/clock.h"

#define JSON_NODES ((size_t)60000)

bool page_operator(const struct page *p)
{
	return p->who.role >= SW_ROLE_OPERATOR;
}

/* ---- frames ---- */

void page_section(struct page *p, const char *id, const char *title, const char *live)
{
	sw_html(&p->out, "<section class=\"card\" id=\"%s\" aria-labelledby=\"%s-h\"", id, id);
	if (live)
		sw_html(&p->out, " data-live=\"%s\"", live);
	sw_html(&p->out, ">\n<h2 id=\"%s-h\">%s</h2>\n", id, title);
}

void page_section_end(struct page *p)
{
	sw_buf_cat(&p->out, "</section>\n");
}

void page_empty(struct page *p, const char *words)
{
	sw_html(&p->out, "<p class=\"empty\">%s</p>\n", words);
}

void page_table(struct page *p, struct table *t, const char *label, const char *const *heads)
{
	*t = (struct table){ .heads = heads };
	sw_html(&p->out, "<div class=\"scroll\"><table class=\"stack\"><caption class=\"sr\">%s</caption><thead><tr>", label);
	for (; *heads; heads++)
		sw_html(&p->out, **heads == '#' ? "<th scope=\"col\" class=\"num\">%s</th>" : "<th scope=\"col\">%s</th>", *heads + (**heads == '#'));
	sw_buf_cat(&p->out, "</tr></thead><tbody>\n");
}

static void row_end(struct page *p, struct table *t)
{
	if (t->i)
		sw_buf_cat(&p->out, t->i > 1 ? "</div></td></tr>\n" : "</td></tr>\n");
	t->i = 0;
}

void page_row(struct page *p, struct table *t)
{
	row_end(p, t);
	sw_buf_cat(&p->out, "<tr>");
}

void page_cell(struct page *p, struct table *t)
{
	const char *head = t->heads[t->i];
	bool number;

	SW_ASSERT(head);
	number = *head == '#';
	sw_buf_cat(&p->out, t->i > 1 ? "</div></td><td" : t->i ? "</td><td" : "<td");
	if (number)
		sw_buf_cat(&p->out, " class=\"num\"");
	if (t->i)
		sw_html(&p->out, " data-label=\"%s\"><div", head + number); /* one thing beside its label */
	sw_buf_putc(&p->out, '>');
	t->i++;
}

void page_table_end(struct page *p, struct table *t)
{
	row_end(p, t);
	sw_buf_cat(&p->out, "</tbody></table></div>\n");
}

/* ---- words ---- */

const char *page_word(struct page *p, const char *word)
{
	return word ? dash_badge_word(p, word) : "";
}

void page_place(struct page *p, const char *service, const char *environment, bool link)
{
	struct sw_buf *b = &p->out;

	if (!service && !environment) {
		sw_buf_cat(b, "<span class=\"none\">–</span>");
		return;
	}
	if (link && service && environment) {
		sw_buf_cat(b, "<a class=\"place\" href=\"/deployments?service=");
		sw_html_url(b, service);
		sw_buf_cat(b, "&amp;environment=");
		sw_html_url(b, environment);
		sw_html(b, "\">%s<i>/</i><wbr>%s</a>", service, environment);
	} else {
		sw_html(b, "<span class=\"place\">%s%s", service, service && environment ? "/" : "");
		sw_html(b, "<wbr>%s</span>", environment);
	}
}

void page_to(struct page *p, const char *what, const char *id, const char *words)
{
	struct sw_buf *b = &p->out;

	if (!id || !*id) {
		sw_html(b, "<span class=\"none\">%s</span>", words && *words ? words : "–");
		return;
	}
	sw_html(b, "<a href=\"/%s/", what);
	sw_html_url(b, id);
	sw_buf_cat(b, "\">");
	sw_html_text(b, words && *words ? words : id);
	sw_buf_cat(b, "</a>");
}

void page_about(struct page *p, sw_dur d)
{
	struct sw_buf *b = &p->out;
	long long n = d < 0 ? 0 : d;

	if (n < SW_MINUTE)
		sw_buf_printf(b, W(p, "%lld s", "%lld 秒"), n / SW_SECOND);
	else if (n < 2 * SW_HOUR)
		sw_buf_printf(b, W(p, "%lld min", "%lld 分钟"), n / SW_MINUTE);
	else if (n < 2 * SW_DAY)
		sw_buf_printf(b, W(p, "%lld h", "%lld 小时"), n / SW_HOUR);
	else
		sw_buf_printf(b, W(p, "%lld d", "%lld 天"), n / SW_DAY);
}

void page_clock(struct page *p, sw_ms at)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf local = SW_BUF_INIT, today = SW_BUF_INIT;
	const char *text;

	if (at <= 0) {
		sw_buf_cat(&p->out, "<span class=\"none\">–</span>");
		return;
	}
	sw_time_print_local(at, sw_config_tz_offset(p->cfg, at), true, &local);
	sw_time_print_local(p->now, sw_config_tz_offset(p->cfg, p->now), true, &today);
	text = sw_buf_str(&local);
	if (strncmp(text, sw_buf_str(&today), strlen("2026-11-24 ")) == 0)
		text += strlen("2026-11-24 ");
	sw_html(&p->out, "<span class=\"clock\">%s</span>", text);
}

void page_ago(struct page *p, sw_ms at)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf local = SW_BUF_INIT, utc = SW_BUF_INIT;

	if (at <= 0) {
		sw_buf_cat(&p->out, "<span class=\"none\">–</span>");
		return;
	}
	sw_time_print_local(at, sw_config_tz_offset(p->cfg, at), true, &local);
	sw_time_print(at, &utc);
	sw_html(&p->out, "<time class=\"ago\" datetime=\"%s\" title=\"%s\">", sw_buf_str(&utc), sw_buf_str(&local));
	if (at > p->now + SW_SECOND) {
		sw_buf_cat(&p->out, W(p, "in ", "还有 "));
		page_about(p, at - p->now);
	} else {
		page_about(p, p->now - at);
		sw_buf_cat(&p->out, W(p, " ago", "前"));
	}
	sw_buf_cat(&p->out, "</time>");
}

void page_words(struct page *p, const char *s, size_t bytes)
{
	if (!s || !*s) {
		sw_buf_cat(&p->out, "<span class=\"none\">–</span>");
	} else if (strlen(s) <= bytes) {
		sw_html(&p->out, "<span class=\"words\">%s</span>", s);
	} else {
		sw_buf_cat(&p->out, "<span class=\"words\" title=\"");
		sw_html_cut(&p->out, s, 1000);
		sw_buf_cat(&p->out, "\">");
		sw_html_cut(&p->out, s, bytes);
		sw_buf_cat(&p->out, "</span>");
	}
}

static void put_cut(struct page *p, const char *class, const char *s)
{
	if (!s || !*s) {
		sw_buf_cat(&p->out, "<span class=\"none\">–</span>");
		return;
	}
	sw_html(&p->out, "<span class=\"%s\" title=\"", class);
	sw_html_cut(&p->out, s, 300);
	sw_buf_cat(&p->out, "\">");
	sw_html_cut(&p->out, s, 120);
	sw_buf_cat(&p->out, "</span>");
}

void page_branch(struct page *p, const char *s)
{
	put_cut(p, "branch", s);
}

void page_name(struct page *p, const char *s)
{
	put_cut(p, "name", s);
}

void page_number(struct page *p, int64_t n, const char *one, const char *many, const char *zh)
{
	sw_html(&p->out, "%lld %s", (long long)n, W(p, n == 1 ? one : many, zh));
}

void page_fact_begin(struct page *p, const char *name)
{
	sw_html(&p->out, "<div><dt>%s</dt><dd>", name);
}

void page_fact_end(struct page *p)
{
	sw_buf_cat(&p->out, "</dd></div>\n");
}

void page_fact(struct page *p, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	page_fact_begin(p, name);
	sw_html_cut(&p->out, value, 2000);
	page_fact_end(p);
}

void page_fact_long(struct page *p, const char *text)
{
	size_t n = text ? strlen(text) : 0, most = 240;

	if (!n)
		return;
	if (n <= most) {
		sw_html(&p->out, "<p class=\"said\">%s</p>\n", text);
		return;
	}
	sw_buf_cat(&p->out, "<details class=\"said\"><summary>");
	sw_html_cut(&p->out, text, most);
	sw_buf_cat(&p->out, "</summary><p>");
	sw_html_cut(&p->out, text, 8000);
	sw_buf_cat(&p->out, "</p></details>\n");
}

/* ---- forms ---- */

void page_field(struct page *p, const char *name, const char *label, const char *placeholder, const char *more)
{
	sw_html(&p->out, "<label><span>%s</span><input name=\"%s\" placeholder=\"%s\" ", label, name, placeholder);
	sw_buf_cat(&p->out, more ? more : ""); /* attributes of ours */
	sw_buf_cat(&p->out, "></label>\n");
}

void page_button(struct page *p, const char *action, const char *class, const char *words, ...)
{
	const char *name, *value;
	va_list ap;

	if (!page_operator(p))
		return;
	sw_html(&p->out, "<form class=\"one\" method=\"post\" action=\"%s\">", action);
	sw_page_csrf(p);
	va_start(ap, words);
	while ((name = va_arg(ap, const char *)) != NULL) {
		value = va_arg(ap, const char *);
		if (value)
			sw_html(&p->out, "<input type=\"hidden\" name=\"%s\" value=\"%s\">", name, value);
	}
	va_end(ap);
	sw_html(&p->out, "<button class=\"%s\">%s</button></form>\n", class, words);
}

/* ---- logs ---- */

const char *page_log_url(struct page *p, const char *ci_run_id)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	const char *url = p->cfg->log_url, *hole = url ? strstr(url, "{ci_run_id}") : NULL;

	if (!hole || !ci_run_id || !*ci_run_id)
		return NULL;
	sw_buf_catn(&b, url, (size_t)(hole - url));
	sw_pct_encode(&b, ci_run_id, strlen(ci_run_id));
	sw_buf_cat(&b, hole + strlen("{ci_run_id}"));
	return sw_arena_strdup(&p->a, sw_buf_str(&b));
}

void page_log_link(struct page *p, const char *ci_run_id)
{
	const char *url = page_log_url(p, ci_run_id);

	if (url)
		sw_html_link(&p->out, url, W(p, "logs", "日志"));
}

/* ---- reading ---- */

const struct sw_jnode *page_json(struct page *p, const char *text, size_t n)
{
	struct sw_jnode *root;

	if (!text || sw_jtree_parse(&p->a, text, n, JSON_NODES, &root, NULL) < 0)
		return NULL;
	return root;
}

void page_some(struct page *p, const char *list, unsigned limit, struct sw_rows *ret, ...)
{
	struct sw_list_query q = { .list = sw_list_find(list), .limit = limit, .now = p->now };
	struct sw_err err = SW_ERR_INIT;
	const char *name, *value;
	va_list ap;

	*ret = (struct sw_rows){ 0 };
	if (!p->store)
		return;
	SW_ASSERT(q.list);
	va_start(ap, ret);
	while ((name = va_arg(ap, const char *)) != NULL) {
		value = va_arg(ap, const char *);
		if (value && q.n_filters < SW_QUERY_FILTERS) {
			q.filters[q.n_filters].name = name;
			q.filters[q.n_filters++].value = value;
		}
	}
	va_end(ap);
	if (sw_list_run(p->store, &q, &p->a, ret, &err) < 0) {
		*ret = (struct sw_rows){ 0 };
		sw_html(&p->out, "<p class=\"banner bad\" role=\"alert\">%s %s</p>\n", W(p, "The history does not answer:", "历史记录没有回应："), err.text);
	}
}

bool page_one(struct page *p, const char *list, const char *id, const struct sw_row **ret)
{
	struct sw_err err = SW_ERR_INIT;
	int r;

	if (!p->store) {
		sw_page_wrong(p, 503, W(p, "No history", "没有历史记录"), p->why && *p->why ? p->why : W(p, "There is no history yet.", "尚无历史记录。"));
		return false;
	}
	r = sw_list_one(p->store, list, id, &p->a, ret, &err);
	if (r == -EINVAL || (r == 0 && !*ret))
		sw_page_wrong(p, 404, W(p, "Not found", "未找到"),
		              W(p, "The history has nothing of that id: it was never there, or it is older than what is kept.", "历史记录中没有此标识：从未存在，或已超过保留期限。"));
	else if (r < 0)
		sw_page_wrong(p, 503, W(p, "The history does not answer", "历史记录没有回应"), err.text[0] ? err.text : strerror(-r));
	return r == 0 && *ret;
}
