/*
 * Pictures made of numbers. Words stand beside the SVG as HTML, never in it, so that it can be stretched to any width and they stay legible.
 * chart.js, where it runs, draws the same numbers again from data-chart.
 */
#include "dashboard/chart.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "shipwatch/clock.h"

#define WIDTH      1000.0 /* of the SVG's own measure */
#define HEIGHT     200.0
#define TABLE_ROWS 40
#define SPARK_MOST 50

/* ---- numbers ---- */

void page_value(struct page *p, enum sw_vtype type, double v)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	if (isnan(v)) {
		sw_buf_cat(&p->out, "–");
		return;
	}
	if (type == SW_V_BOOL) {
		sw_buf_cat(&p->out, v > 0 ? W(p, "ok", "正常") : W(p, "failing", "异常"));
		return;
	}
	sw_value_print(&(struct sw_value){ .type = type, .reading = SW_R_OK, .num = v }, &b);
	sw_html_text(&p->out, sw_buf_str(&b));
}

/* The next round number at or above v: 1, 2, 2.5 or 5 of a power of ten. */
static double round_up(double v)
{
	static const double steps[] = { 1, 2, 2.5, 5, 10 };
	double power = pow(10, floor(log10(v)));

	for (size_t i = 0; i < SW_COUNT(steps); i++)
		if (v <= steps[i] * power * (1 + 1e-9))
			return steps[i] * power;
	return 10 * power;
}

/* Lengths of time are round in minutes and hours. */
static double round_up_time(double v)
{
	static const double steps[] = { 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400 };

	for (size_t i = 0; v > 5 && i < SW_COUNT(steps); i++)
		if (v <= steps[i] * (1 + 1e-9))
			return steps[i];
	return round_up(v);
}

struct scale { double low, high, step; };

static void scale_see(double v, double *low, double *high)
{
	if (!isfinite(v))
		return;
	*low = SW_MIN(*low, v);
	*high = SW_MAX(*high, v);
}

/* From 0 where the values are near it, in steps that are round in the unit people read. */
static struct scale scale_of(const struct chart *c)
{
	double low = INFINITY, high = -INFINITY, unit = 1;
	struct scale s;

	if (c->type == SW_V_BOOL)
		return (struct scale){ 0, 1, 1 };
	for (size_t i = 0; i < c->n; i++)
		scale_see(c->points[i].v, &low, &high);
	for (size_t i = 0; i < c->n_limits; i++)
		scale_see(c->limits[i].v, &low, &high);
	scale_see(c->before, &low, &high);
	if (low > high)
		low = high = 0;
	if (low >= 0 && low <= 0.7 * high)
		low = 0;
	while (c->type == SW_V_BYTES && SW_MAX(fabs(low), fabs(high)) >= 1024 * unit && unit < 1e9)
		unit *= 1024;
	if (high - low <= 0)
		high = low + (fabs(low) > 0 ? fabs(low) * 0.1 : c->type == SW_V_RATIO ? 0.01 : 1);
	s.step = c->type == SW_V_DURATION ? round_up_time((high - low) / 4) : round_up((high - low) / unit / 4) * unit;
	s.low = floor(low / s.step) * s.step;
	s.high = ceil(high / s.step - 1e-9) * s.step;
	return s;
}

static double x_of(const struct chart *c, sw_ms at)
{
	double x = WIDTH * (double)(at - c->from) / (double)SW_MAX(c->to - c->from, 1);

	return x < 0 ? 0 : x > WIDTH ? WIDTH : x;
}

static double y_of(const struct scale *s, double v)
{
	double y = HEIGHT - HEIGHT * (v - s->low) / (s->high - s->low);

	return y < 0 ? 0 : y > HEIGHT ? HEIGHT : y;
}

/* ---- fewer points ---- */

/* Of each piece of time its least and its greatest value, in their order: a short peak stays. Return: how many in ret. */
static size_t thin(const struct chart *c, struct chart_point ret[CHART_POINTS])
{
	size_t n = 0, pieces = CHART_POINTS / 2;

	if (c->n <= CHART_POINTS) {
		if (c->n)
			memcpy(ret, c->points, c->n * sizeof *ret);
		return c->n;
	}
	for (size_t k = 0; k < pieces; k++) {
		size_t from = k * c->n / pieces, to = (k + 1) * c->n / pieces, least = to, most = to;

		for (size_t i = from; i < to; i++) {
			if (isnan(c->points[i].v))
				continue;
			least = least == to || c->points[i].v < c->points[least].v ? i : least;
			most = most == to || c->points[i].v > c->points[most].v ? i : most;
		}
		if (least == to) {
			ret[n++] = c->points[from];
			continue;
		}
		ret[n++] = c->points[SW_MIN(least, most)];
		if (least != most)
			ret[n++] = c->points[SW_MAX(least, most)];
	}
	return n;
}

/* ---- the drawing ---- */

static void put_vertical(struct page *p, const struct chart *c, sw_ms at, const char *class)
{
	if (at >= c->from && at <= c->to && at)
		sw_buf_printf(&p->out, "<path class=\"%s\" vector-effect=\"non-scaling-stroke\" d=\"M%.1f 0V%.0f\"/>", class, x_of(c, at), HEIGHT);
}

static void put_curve(struct page *p, const struct chart *c, const struct scale *s, const struct chart_point *v, size_t n)
{
	bool pen = false;

	sw_buf_cat(&p->out, "<path class=\"c-line\" vector-effect=\"non-scaling-stroke\" d=\"");
	for (size_t i = 0; i < n; i++) {
		bool alone = !pen && (i + 1 == n || isnan(v[i + 1].v));

		if (isnan(v[i].v)) {
			pen = false;
			continue;
		}
		sw_buf_printf(&p->out, "%c%.1f %.1f", pen ? 'L' : 'M', x_of(c, v[i].at), y_of(s, v[i].v));
		if (alone)
			sw_buf_cat(&p->out, "h2"); /* a value between two gaps */
		pen = true;
	}
	sw_buf_cat(&p->out, "\"/>");
	for (size_t i = 0; i < n; i++)
		if (isnan(v[i].v))
			sw_buf_printf(&p->out, "<path class=\"c-miss\" vector-effect=\"non-scaling-stroke\" d=\"M%.1f %.0fv-10\"/>", x_of(c, v[i].at), HEIGHT);
}

/* Good or not is no curve: a bar each, high and calm or low and red. */
static void put_bars(struct page *p, const struct chart *c, const struct chart_point *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		double x = x_of(c, v[i].at), end = i + 1 < n ? x_of(c, v[i + 1].at) : SW_MIN(x + WIDTH / SW_MAX((double)n, 40), WIDTH);
		bool none = isnan(v[i].v), ok = v[i].v > 0;

		end = SW_MIN(end, x + WIDTH / 20); /* a gap is one */
		sw_buf_printf(&p->out, "<rect class=\"%s\" x=\"%.1f\" width=\"%.1f\" y=\"%.0f\" height=\"%.0f\"/>", none ? "c-none" : ok ? "c-good" : "c-bad", x,
		              SW_MAX(end - x - 1, 1.5), none ? HEIGHT * 0.9 : ok ? 0 : HEIGHT / 2, none ? HEIGHT * 0.1 : ok ? HEIGHT : HEIGHT / 2);
	}
}

static void put_limits(struct page *p, const struct chart *c, const struct scale *s)
{
	if (!c->n_limits)
		return;
	sw_buf_cat(&p->out, "<path class=\"c-limit\" vector-effect=\"non-scaling-stroke\" d=\"");
	for (size_t i = 0; i < c->n_limits; i++)
		sw_buf_printf(&p->out, "%s%.1f %.1fH%.1f", i ? "L" : "M", x_of(c, c->limits[i].at), y_of(s, c->limits[i].v),
		              x_of(c, i + 1 < c->n_limits ? c->limits[i + 1].at : c->to));
	sw_buf_cat(&p->out, "\"/>");
}

static void put_svg(struct page *p, const struct chart *c, const struct scale *s, const struct chart_point *v, size_t n)
{
	sw_buf_printf(&p->out, "<svg class=\"c-svg\" viewBox=\"0 0 %.0f %.0f\" preserveAspectRatio=\"none\" aria-hidden=\"true\" focusable=\"false\">", WIDTH, HEIGHT);
	if (c->watched && c->until > c->watched)
		sw_buf_printf(&p->out, "<rect class=\"c-window\" x=\"%.1f\" width=\"%.1f\" y=\"0\" height=\"%.0f\"/>", x_of(c, c->watched),
		              x_of(c, c->until) - x_of(c, c->watched), HEIGHT);
	for (double y = s->low; c->type != SW_V_BOOL && y <= s->high + s->step / 2; y += s->step)
		sw_buf_printf(&p->out, "<path class=\"c-grid\" vector-effect=\"non-scaling-stroke\" d=\"M0 %.1fH%.0f\"/>", y_of(s, y), WIDTH);
	if (c->type == SW_V_BOOL)
		put_bars(p, c, v, n);
	else if (isfinite(c->before) && c->deployed > c->from)
		sw_buf_printf(&p->out, "<path class=\"c-before\" vector-effect=\"non-scaling-stroke\" d=\"M0 %.1fH%.1f\"/>", y_of(s, c->before), x_of(c, c->deployed));
	put_limits(p, c, s);
	if (c->type != SW_V_BOOL)
		put_curve(p, c, s, v, n);
	put_vertical(p, c, c->deployed, "c-deploy");
	put_vertical(p, c, c->decided, "c-decided");
	sw_buf_cat(&p->out, "</svg>");
}

/* "17:59:46"; over days "11-28 17:59". */
static void put_clock(struct page *p, const struct chart *c, sw_ms at)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	bool days = c->to - c->from > 20 * SW_HOUR;

	sw_time_print_local(at, sw_config_tz_offset(p->cfg, at), days, &b);
	if (days && b.n == strlen("2026-11-28 17:59:46"))
		sw_html(&p->out, "%s", sw_arena_strndup(&p->a, b.p + 5, 11));
	else
		sw_html_text(&p->out, sw_buf_str(&b));
}

static void put_axes(struct page *p, const struct chart *c, const struct scale *s)
{
	int steps = (int)lround((s->high - s->low) / s->step);

	sw_buf_cat(&p->out, "<div class=\"c-y\" aria-hidden=\"true\">");
	for (int i = steps; i >= 0; i--) {
		sw_buf_cat(&p->out, "<span>");
		page_value(p, c->type, s->low + i * s->step);
		sw_buf_cat(&p->out, "</span>");
	}
	sw_buf_cat(&p->out, "</div><div class=\"c-x\" aria-hidden=\"true\">");
	for (int i = 0; i < 4; i++) {
		sw_buf_cat(&p->out, "<span>");
		put_clock(p, c, c->from + (c->to - c->from) * i / 3);
		sw_buf_cat(&p->out, "</span>");
	}
	sw_buf_cat(&p->out, "</div>");
}

/* ---- words ---- */

static int order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* "before 0 – 0.4 %, after 0 – 35 %": least and greatest on one side of a moment. */
static void put_range(struct page *p, const struct chart *c, sw_ms from, sw_ms to, const char *words)
{
	double least = INFINITY, most = -INFINITY;
	size_t bad = 0, n = 0;

	for (size_t i = 0; i < c->n; i++) {
		if (c->points[i].at < from || c->points[i].at >= to || isnan(c->points[i].v))
			continue;
		scale_see(c->points[i].v, &least, &most);
		bad += c->points[i].v <= 0;
		n++;
	}
	sw_html(&p->out, "<li>%s%s", words, W(p, ": ", "："));
	if (!n) {
		sw_buf_cat(&p->out, W(p, "no reading", "没有读数"));
	} else if (c->type == SW_V_BOOL) {
		sw_buf_printf(&p->out, W(p, "%zu of %zu checks failed", "%zu / %zu 次检查异常"), bad, n);
	} else {
		page_value(p, c->type, least);
		if (most > least) {
			sw_buf_cat(&p->out, " – ");
			page_value(p, c->type, most);
		}
	}
	sw_buf_cat(&p->out, "</li>");
}

static void put_words(struct page *p, const struct chart *c)
{
	sw_buf_cat(&p->out, "<figcaption><ul class=\"c-words\">");
	if (c->deployed) {
		put_range(p, c, c->from, c->deployed, W(p, "before", "部署前"));
		put_range(p, c, c->deployed, c->to + 1, W(p, "since", "部署后"));
	} else {
		put_range(p, c, c->from, c->to + 1, W(p, "values", "数值"));
	}
	if (c->n_limits) {
		sw_buf_printf(&p->out, "<li class=\"k-limit\">%s", W(p, "limit: ", "阈值："));
		page_value(p, c->type, c->limits[c->n_limits - 1].v);
		sw_buf_cat(&p->out, "</li>");
	}
	if (c->deployed) {
		sw_buf_printf(&p->out, "<li class=\"k-deploy\">%s ", W(p, "deployed", "部署于"));
		put_clock(p, c, c->deployed);
		sw_buf_cat(&p->out, "</li>");
	}
	if (c->decided && c->verdict) {
		sw_html(&p->out, "<li class=\"k-decided\">%s ", W(p, "verdict", "判定于"));
		put_clock(p, c, c->decided);
		sw_buf_cat(&p->out, "</li>");
	}
	sw_buf_cat(&p->out, "</ul></figcaption>");
}

/* For who wants numbers, or does not see. */
static void put_table(struct page *p, const struct chart *c, const struct chart_point *v, size_t n)
{
	size_t every = (n + TABLE_ROWS - 1) / TABLE_ROWS;

	sw_html(&p->out, "<details class=\"c-table\"><summary>%s</summary><table><thead><tr><th scope=\"col\">%s</th><th scope=\"col\">%s</th></tr></thead><tbody>",
	        W(p, "Numbers", "数据"), W(p, "time", "时间"), c->signal);
	for (size_t i = 0; i < n; i += every ? every : 1) {
		sw_buf_cat(&p->out, "<tr><td>");
		put_clock(p, c, v[i].at);
		sw_buf_cat(&p->out, "</td><td>");
		page_value(p, c->type, v[i].v);
		sw_buf_cat(&p->out, "</td></tr>");
	}
	sw_buf_cat(&p->out, "</tbody></table></details>");
}

static void json_points(struct sw_jw *w, const char *key, const struct chart_point *v, size_t n)
{
	sw_jw_arr(w, key);
	for (size_t i = 0; i < n; i++) {
		sw_jw_arr(w, NULL);
		sw_jw_int(w, NULL, v[i].at);
		sw_jw_num(w, NULL, v[i].v);
		sw_jw_arr_end(w);
	}
	sw_jw_arr_end(w);
}

static void put_data(struct page *p, const struct chart *c, const struct scale *s, const struct chart_point *v, size_t n)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;

	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "signal", c->signal);
	sw_jw_str(&w, "type", sw_vtype_name(c->type));
	sw_jw_int(&w, "from", c->from);
	sw_jw_int(&w, "to", c->to);
	sw_jw_int(&w, "zone", sw_config_tz_offset(p->cfg, c->to));
	sw_jw_num(&w, "low", s->low);
	sw_jw_num(&w, "high", s->high);
	sw_jw_num(&w, "step", s->step);
	sw_jw_int(&w, "deployed", c->deployed);
	sw_jw_int(&w, "decided", c->decided);
	sw_jw_int(&w, "watched", c->watched);
	sw_jw_int(&w, "until", c->until);
	sw_jw_num(&w, "before", c->before);
	json_points(&w, "points", v, n);
	json_points(&w, "limits", c->limits, c->n_limits);
	sw_jw_obj_end(&w);
	sw_buf_cat(&p->out, " data-chart=\"");
	sw_html_text(&p->out, sw_buf_str(&b));
	sw_buf_putc(&p->out, '"');
}

void page_chart(struct page *p, const struct chart *c)
{
	struct chart_point v[CHART_POINTS];
	size_t n = thin(c, v);
	struct scale s = scale_of(c);

	sw_html(&p->out, "<figure class=\"curve%s\" role=\"group\" aria-label=\"%s\"", c->type == SW_V_BOOL ? " curve-bool" : "", c->signal);
	if (c->type != SW_V_BOOL)
		put_data(p, c, &s, v, n);
	sw_html(&p->out, "><p class=\"c-name\">%s</p>", c->signal);
	if (n) {
		sw_buf_cat(&p->out, "<div class=\"c-plot\">");
		put_svg(p, c, &s, v, n);
		put_axes(p, c, &s);
		sw_buf_cat(&p->out, "</div>");
	}
	put_words(p, c);
	if (n)
		put_table(p, c, v, n);
	sw_buf_cat(&p->out, "</figure>\n");
}

/* ---- small ones ---- */

void page_spark(struct page *p, const char *label, enum sw_vtype type, const double *v, size_t n)
{
	double low = INFINITY, high = -INFINITY, x = 0, y = 0;
	double sorted[SPARK_MOST];
	size_t known = 0, from = n > SPARK_MOST ? n - SPARK_MOST : 0;
	bool pen = false;

	for (size_t i = from; i < n; i++) {
		scale_see(v[i], &low, &high);
		if (isfinite(v[i]))
			sorted[known++] = v[i];
	}
	if (!known) {
		sw_buf_cat(&p->out, "<span class=\"none\">–</span>");
		return;
	}
	qsort(sorted, known, sizeof *sorted, order);
	sw_html(&p->out, "<svg class=\"spark\" viewBox=\"-2 -2 104 28\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"%s: %s ", label,
	        W(p, "from", "最低"));
	page_value(p, type, low);
	sw_html(&p->out, " %s ", W(p, "to", "最高"));
	page_value(p, type, high);
	sw_html(&p->out, ", %s ", W(p, "median", "中位"));
	page_value(p, type, sorted[known / 2]);
	sw_buf_cat(&p->out, "\"><path class=\"c-line\" vector-effect=\"non-scaling-stroke\" d=\"");
	for (size_t i = from; i < n; i++) {
		if (!isfinite(v[i])) {
			pen = false;
			continue;
		}
		x = n - from > 1 ? 100.0 * (double)(i - from) / (double)(n - from - 1) : 100;
		y = high > low ? 24 - 24 * (v[i] - low) / (high - low) : 12;
		sw_buf_printf(&p->out, "%c%.1f %.1f", pen ? 'L' : 'M', x, y);
		pen = true;
	}
	sw_buf_printf(&p->out, "\"/><path class=\"c-last\" vector-effect=\"non-scaling-stroke\" d=\"M%.1f %.1fh0\"/></svg>", x, y);
}

/* A shape for each kind of end, so that colour says nothing alone. */
static const char *mark_kind(const char *word)
{
	static const struct { const char *word, *kind; } kinds[] = {
		{ "success", "good" }, { "pass", "good" }, { "good", "good" }, { "failed", "bad" }, { "fail", "bad" }, { "bad", "bad" }, { "inconclusive", "open" },
		{ "rolled back", "back" }, { "running", "now" }, { "created", "now" }, { "watching", "now" },
		{ "waiting", "now" }, { "following", "bad" } };

	for (size_t i = 0; i < SW_COUNT(kinds); i++)
		if (sw_streq(kinds[i].word, word))
			return kinds[i].kind;
	return "none";
}

void page_marks(struct page *p, const char *label, const struct mark *m, size_t n)
{
	sw_html(&p->out, "<ol class=\"marks\" aria-label=\"%s\">", label);
	for (size_t i = 0; i < n; i++) {
		sw_html(&p->out, "<li><a class=\"mark m-%s\" href=\"%s\" title=\"%s\"><span class=\"sr\">%s</span></a></li>", mark_kind(m[i].word), m[i].href,
		        m[i].title, m[i].title);
	}
	sw_buf_cat(&p->out, "</ol>");
}
