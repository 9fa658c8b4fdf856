/* The curves of a watch: the readings of its signals before and after the deployment, and the limits as its explanation tells them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "dashboard/watch_view.h"

#define SAMPLES_MAX 5000
#define SIGNALS_MAX 8
#define LIMITS_MAX  64
#define BEFORE_LEAST (2 * SW_MINUTE)
#define BEFORE_MOST  (30 * SW_MINUTE)

double watch_number(enum sw_vtype type, const char *text)
{
	static const struct { const char *unit; double times; } units[] = {
		{ "%", 0.01 }, { "ms", 0.001 }, { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 }, { "B", 1 }, { "KiB", 1024 }, { "MiB", 1048576 },
		{ "GiB", 1073741824 }, { "/s", 1 }, { "", 1 } };
	char *end;
	double v = text && *text ? strtod(text, &end) : NAN;

	if (!text || !*text || end == text || type == SW_V_BOOL)
		return NAN;
	for (size_t i = 0; i < SW_COUNT(units); i++)
		if (strcmp(end, units[i].unit) == 0)
			return v * units[i].times;
	return NAN;
}

/* "error_rate > 2%": does it begin with this signal, as a word? */
static bool is_about(const char *comparison, const char *signal)
{
	const char *at = comparison ? strstr(comparison, signal) : NULL;
	size_t n = strlen(signal);

	if (!at || (at > comparison && (at[-1] == '_' || at[-1] == '.')))
		return false;
	return !(at[n] == '_' || at[n] == '.' || (at[n] >= '0' && at[n] <= '9') || (at[n] >= 'a' && at[n] <= 'z'));
}

/* The limit of a signal at each look that says another one than the look before. */
static size_t limits_of(const struct watch_view *x, const char *signal, enum sw_vtype type, struct chart_point ret[LIMITS_MAX])
{
	const struct sw_jnode *steps = sw_jget(x->explained, "steps");
	size_t n = 0;

	for (const struct sw_jnode *s = steps ? steps->child : NULL; s && n < LIMITS_MAX; s = s->next) {
		const struct sw_jnode *list = sw_jget(s, "comparisons");
		double least = NAN;

		for (const struct sw_jnode *c = list ? list->child : NULL; c; c = c->next) {
			double v = is_about(sw_jstr(c, "text"), signal) ? watch_number(type, sw_jstr(c, "limit")) : NAN;

			if (isfinite(v))
				least = isfinite(least) ? SW_MIN(least, v) : v;
		}
		if (isfinite(least) && (!n || ret[n - 1].v < least || ret[n - 1].v > least))
			ret[n++] = (struct chart_point){ .at = sw_jint(s, "at", 0), .v = least };
	}
	return n;
}

static const char *before_of(const struct watch_view *x, const char *signal)
{
	const struct sw_jnode *list = sw_jget(x->explained, "before");

	for (const struct sw_jnode *b = list ? list->child : NULL; b; b = b->next)
		if (sw_streq(sw_jstr(b, "signal"), signal))
			return sw_jstr(b, "value");
	return NULL;
}

/* Names of its signals: as it was explained, else as its rule says today. */
static size_t signals_of(struct page *p, const struct watch_view *x, const char *ret[SIGNALS_MAX])
{
	const struct sw_jnode *list = sw_jget(x->explained, "before");
	size_t n = 0;

	for (const struct sw_jnode *b = list ? list->child : NULL; b && n < SIGNALS_MAX; b = b->next)
		if (sw_jstr(b, "signal"))
			ret[n++] = sw_jstr(b, "signal");
	for (const char **s = n ? NULL : page_rule_signals(p, x->rule); s && *s && n < SIGNALS_MAX; s++)
		ret[n++] = *s;
	return n;
}

static void span_of(struct page *p, const struct watch_view *x, sw_ms *from, sw_ms *to)
{
	sw_dur window = SW_MAX(x->until - x->begins, SW_SECOND), before = SW_MIN(SW_MAX(window, BEFORE_LEAST), BEFORE_MOST);
	sw_ms last = SW_MAX(x->until, x->decided + window / 2);

	*from = x->deployed - before;
	*to = SW_MAX(SW_MIN(p->now, last), x->deployed + SW_SECOND);
}

void watch_curves(struct page *p, const struct watch_view *x)
{
	const char *signals[SIGNALS_MAX];
	size_t n = signals_of(p, x, signals), drawn = 0;
	struct chart_point limits[LIMITS_MAX];
	sw_ms from, to;

	if (!n || !p->store)
		return;
	span_of(p, x, &from, &to);
	sw_buf_cat(&p->out, "<div class=\"curves\">\n");
	for (size_t i = 0; i < n; i++) {
		struct chart c = { .signal = signals[i], .type = page_signal_type(p, signals[i]), .from = from, .to = to, .deployed = x->deployed,
			           .watched = x->begins, .until = x->until, .decided = x->decided, .verdict = x->verdict };
		struct chart_point *points;

		if (sum_samples(p->store, x->service, x->environment, signals[i], from, to, SAMPLES_MAX, &p->a, &points, &c.n) < 0)
			continue;
		c.points = points;
		if (c.n && points[0].at < x->deployed)
			c.from = SW_MAX(c.from, points[0].at); /* before that nothing was read */
		c.before = watch_number(c.type, before_of(x, signals[i]));
		c.limits = limits;
		c.n_limits = limits_of(x, signals[i], c.type, limits);
		if (c.n) {
			page_chart(p, &c);
			drawn++;
		}
	}
	sw_buf_cat(&p->out, "</div>\n");
	if (!drawn)
		sw_html(&p->out, "<p class=\"muted\">%s</p>\n", W(p, "No reading of its signals is kept from that time.", "该时段没有保留其指标的读数。"));
}
