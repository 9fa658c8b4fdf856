/*
 * The series of an exported test: the grid that they stand on, the readings and the history, real or made.
 *
 * Readings came a little after each other's due time, so the grid is laid with the first of them in the middle of its slot; between two
 * readings of a signal the older one holds.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cli/export.h"

#define SLOTS_MOST   20000              /* of a series */
#define LEAD_READINGS 10                /* of health, before the rollout */
#define LEAD_MOST    (30 * SW_MINUTE)

/* ---- the grid ---- */

static int dur_by_length(const void *a, const void *b)
{
	sw_dur x = *(const sw_dur *)a, y = *(const sw_dur *)b;

	return x < y ? -1 : x > y;
}

/* The usual distance of readings between two moments; 0: fewer than two. */
sw_dur sw_export_rhythm(struct export *e, const struct sw_explain_signal *g, sw_ms from, sw_ms until)
{
	sw_dur *gaps = SW_ARENA_ARRAY(&e->t->a, sw_dur, g->n + 1);
	size_t n = 0;

	for (size_t i = 1; i < g->n; i++)
		if (g->samples[i - 1].at >= from && g->samples[i].at < until)
			gaps[n++] = g->samples[i].at - g->samples[i - 1].at;
	qsort(gaps, n, sizeof *gaps, dur_by_length);
	return n ? SW_MAX((gaps[n / 2] + 50) / 100 * 100, 100) : 0;
}

static bool is_told(const struct sw_explain_signal *g) { return !g->def || g->def->report || g->def->alarm; }

static sw_ms first_reading(const struct sw_explanation *x, sw_ms from, bool health)
{
	sw_ms at = 0;

	for (size_t i = 0; i < x->n_signals; i++)
		for (size_t k = 0; k < x->signals[i].n && (!health || sw_export_health(&x->signals[i])); k++)
			if (x->signals[i].samples[k].at >= from && (!at || x->signals[i].samples[k].at < at))
				at = x->signals[i].samples[k].at;
	return at;
}

/* When the deployment that ran here before had ended: what health was until then says nothing. */
sw_ms sw_export_previous_end(const struct export *e)
{
	sw_ms at = 0;

	for (size_t i = 0; i < e->x->deployment; i++)
		if (e->x->deployments[i].ran)
			at = SW_MAX(at, e->x->deployments[i].finished);
	return at;
}

/* The earliest reading of health that tells how it was before. */
static sw_ms lead_start(const struct export *e)
{
	sw_ms start = SW_MIN(e->began, e->heard), after = SW_MAX(e->began - LEAD_MOST, sw_export_previous_end(e));

	for (size_t i = 0; i < e->x->n_signals; i++) {
		const struct sw_explain_signal *g = &e->x->signals[i];
		size_t n = 0;

		for (size_t k = g->n; sw_export_health(g) && k-- > 0 && n < LEAD_READINGS;)
			if (g->samples[k].at < e->began && g->samples[k].at > after) {
				start = SW_MIN(start, g->samples[k].at);
				n++;
			}
	}
	return start;
}

/*
 * Where health was asked before, the play asks it from its start on, at the beginnings of slots, and what happens has to keep its distance
 * from those: it is moved by the half slot that the readings are. Else what happens says when sources are asked.
 */
void sw_export_grid(struct export *e)
{
	const struct sw_explanation *x = e->x;
	sw_ms first, lead;

	e->began = e->d->started && e->d->started < e->d->finished ? e->d->started : e->d->finished;
	e->end = x->ended;
	e->heard = e->d->heard >= e->d->finished && e->d->heard <= e->end ? e->d->heard : e->d->finished;
	first = first_reading(x, e->heard, false);
	if (first && first < e->end && first - e->heard < SW_MINUTE)
		e->heard = SW_MAX(e->heard, first - 1); /* the watch opened: its sources are asked at once */
	e->step = x->every;
	for (size_t i = 0; i < x->n_signals; i++) {
		sw_dur own = sw_export_rhythm(e, &x->signals[i], e->heard, x->closed ? x->closed + 1 : INT64_MAX);

		if (own && !is_told(&x->signals[i]))
			e->step = SW_MIN(e->step, own);
	}
	e->step = SW_MAX(e->step, SW_SECOND);
	lead = lead_start(e);
	if (lead < SW_MIN(e->began, e->heard) && first_reading(x, e->heard, true)) {
		first = first_reading(x, e->heard, true);
		e->shift = e->step / 2;
	}
	e->start = first ? first - e->step / 2 : e->heard;
	while (e->start > lead)
		e->start -= e->step;
}

/* ---- tokens ---- */

/* Six digits, without an exponent: to a series + and - are words of their own. */
static void number_print(struct sw_buf *b, double v)
{
	int digits = v == 0 ? 0 : SW_MIN(SW_MAX(5 - (int)floor(log10(fabs(v))), 0), 12);
	char text[64];
	size_t n = (size_t)snprintf(text, sizeof text, "%.*f", digits, v);

	while (digits && n > 1 && text[n - 1] == '0')
		n--;
	if (digits && text[n - 1] == '.')
		n--;
	sw_buf_catn(b, text, SW_MIN(n, sizeof text - 1));
}

/* [["GET /a",p95,requests,errors],…] as [GET /a: 0.3 120 1; …]; names that would end it are left out. */
static void elements_print(struct export *e, const char *json, struct sw_buf *b)
{
	struct sw_jnode *list;
	bool any = false;

	if (!json || sw_jtree_parse(&e->t->a, json, strlen(json), STATE_NODES, &list, NULL) < 0) {
		sw_buf_cat(b, "_");
		return;
	}
	sw_buf_putc(b, '[');
	for (const struct sw_jnode *x = list->child; x; x = x->next) {
		const struct sw_jnode *v = x->child ? x->child->next : NULL;

		if (!v || x->child->type != SW_J_STRING || strpbrk(x->child->text, ";]'\n"))
			continue;
		sw_buf_printf(b, "%s%s:", any ? "; " : "", x->child->text);
		for (; v; v = v->next) {
			sw_buf_putc(b, ' ');
			number_print(b, v->type == SW_J_NUMBER ? v->d : 0);
		}
		any = true;
	}
	sw_buf_putc(b, ']');
}

static void health_print(const struct export *e, const struct sw_sample *s, struct sw_buf *b)
{
	const char *version = s->value > 0.5 ? s->text : NULL;

	if (!version && s->value > 0.5 && e->x->place && e->x->place->health.version && s->at >= e->x->from)
		version = e->d->sha; /* rings keep no texts: the clock starts when the new version answers */
	sw_buf_cat(b, s->value > 0.5 ? "ok" : "fail");
	if (version && *version && strspn(version, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-") == strlen(version))
		sw_buf_printf(b, ":%s", version);
}

static void sample_print(struct export *e, const struct sw_explain_signal *g, const struct sw_sample *s, struct sw_buf *b)
{
	if (!s || s->reading == SW_R_ABSENT || s->reading == SW_R_TOO_FEW)
		sw_buf_cat(b, "_");
	else if (s->reading != SW_R_OK)
		sw_buf_cat(b, s->reading == SW_R_ERROR ? "err" : s->reading == SW_R_NAN ? "nan" : "stale");
	else if (sw_export_health(g))
		health_print(e, s, b);
	else if (g->def->type == SW_V_LIST)
		elements_print(e, s->text, b);
	else
		number_print(b, s->value);
}

static void point_print(const struct sw_explain_signal *g, const double *points, sw_ms at, struct sw_buf *b)
{
	sw_ms i = at < g->points_from ? -1 : (at - g->points_from) / g->points_step;

	if (i >= 0 && (size_t)i < g->baseline && isfinite(points[i]))
		number_print(b, points[i]);
	else
		sw_buf_cat(b, "_");
}

/* What a signal was in the slot from `at` on. counts: of how many requests it spoke. */
static void slot_print(struct export *e, const struct sw_explain_signal *g, bool counts, sw_ms at, size_t *k, struct sw_buf *b)
{
	const double *points = counts ? g->counts : g->points;
	const struct sw_sample *s = NULL;
	sw_dur hold;

	if (at + e->step / 2 < e->began && points && g->def->type != SW_V_LIST) {
		point_print(g, points, at + e->step / 2, b);
		return;
	}
	if (at + e->step / 2 < e->began && g->elements) {
		elements_print(e, g->elements, b);
		return;
	}
	while (*k + 1 < g->n && g->samples[*k + 1].at < at + e->step)
		(*k)++;
	hold = *k + 1 < g->n ? g->samples[*k + 1].at - g->samples[*k].at : 0;
	if (*k < g->n && g->samples[*k].at < at + e->step && at - g->samples[*k].at < SW_MIN(hold, 3 * SW_MINUTE))
		s = &g->samples[*k];
	if (!counts)
		sample_print(e, g, s, b);
	else if (s && s->reading == SW_R_OK && s->count > 0)
		number_print(b, s->count);
	else
		sw_buf_cat(b, "_");
}

/* So many times the same. Behind a value stands the number of further ones, behind a word how many there are. */
static void run_print(struct sw_buf *b, const char *token, size_t n)
{
	bool value = (*token >= '0' && *token <= '9') || *token == '-' || *token == '[';

	if (n == 1)
		sw_buf_printf(b, "%s%s", b->n && b->p[b->n - 1] != '\'' ? " " : "", token);
	else
		sw_buf_printf(b, "%s%s%sx%zu", b->n && b->p[b->n - 1] != '\'' ? " " : "", token, value ? "" : " ", value ? n - 1 : n);
}

/* Slots between two moments of the grid; nothing at either end is left out. */
static void slots_print(struct export *e, const struct sw_explain_signal *g, bool counts, sw_ms from, sw_ms until, struct sw_buf *b)
{
	bool at_start = until <= e->start; /* a history ends where the test begins, a series begins there */
	SW_CLEANUP(sw_buf_fini) struct sw_buf last = SW_BUF_INIT;
	SW_CLEANUP(sw_buf_fini) struct sw_buf now = SW_BUF_INIT;
	size_t times = 0, k = 0, n = 0;

	for (sw_ms at = from; at < until && n < SLOTS_MOST; at += e->step, n++) {
		sw_buf_reset(&now);
		slot_print(e, g, counts, at, &k, &now);
		if (times && strcmp(sw_buf_str(&now), sw_buf_str(&last)) == 0) {
			times++;
			continue;
		}
		if (times && !(at_start && strcmp(sw_buf_str(&last), "_") == 0 && !b->n))
			run_print(b, sw_buf_str(&last), times);
		sw_buf_reset(&last);
		sw_buf_cat(&last, sw_buf_str(&now));
		times = 1;
	}
	if (times && (at_start || strcmp(sw_buf_str(&last), "_") != 0))
		run_print(b, sw_buf_str(&last), times);
}

/* ---- a history that is not kept ---- */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Level and spread of the baseline: the median, and 1.4826 MAD of its logarithms where it is above 0. */
static void points_fit(struct export *e, const double *v, size_t n, double *ret_level, double *ret_spread)
{
	double *x = SW_ARENA_ARRAY(&e->t->a, double, n + 1), level;
	size_t m = 0;

	for (size_t i = 0; i < n; i++)
		if (isfinite(v[i]))
			x[m++] = v[i];
	qsort(x, m, sizeof *x, by_value);
	*ret_level = level = m ? x[m / 2] : 0;
	*ret_spread = 0;
	if (!m || x[0] <= 0 || level <= 0)
		return;
	for (size_t i = 0; i < m; i++)
		x[i] = fabs(log(x[i] / level));
	qsort(x, m, sizeof *x, by_value);
	*ret_spread = SW_MIN(1.4826 * x[m / 2], 4.0);
}

/* The slot of a moment; those before the test are negative. */
static sw_ms slot_of(const struct export *e, sw_ms at)
{
	sw_dur d = at - e->start;

	return d >= 0 ? d / e->step : -((e->step - 1 - d) / e->step);
}

/* From slot *pos up to the one of `until` a value, NaN: nothing known. */
static void fill(struct export *e, double v, sw_ms until, sw_ms *pos, struct sw_buf *b)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf token = SW_BUF_INIT;
	sw_ms to = slot_of(e, until);

	if (to <= *pos)
		return;
	if (isfinite(v))
		number_print(&token, v);
	else
		sw_buf_cat(&token, "_");
	run_print(b, sw_buf_str(&token), (size_t)(to - *pos));
	*pos = to;
}

/* Earlier days, oldest first: of the time before the medians of its parts, each as long as the part was, and what came after as it was. */
static void days_print(struct export *e, const struct sw_explain_signal *g, sw_ms *pos, struct sw_buf *b)
{
	sw_dur length = (sw_dur)g->baseline * g->points_step;

	for (size_t i = g->n_days; i-- > 0;) {
		const struct baseline_day *d = &g->days[i];
		sw_dur back = d->back * SW_DAY;

		if (i == g->n_days - 1)
			*pos = slot_of(e, g->points_from - back);
		fill(e, NAN, g->points_from - back, pos, b);
		for (size_t k = 0; k < d->m; k++)
			fill(e, d->x[k], g->points_from - back + (sw_dur)(k + 1) * length / (sw_dur)d->m, pos, b);
		fill(e, NAN, g->day_after - back, pos, b);
		for (size_t k = 0; k < d->n; k++)
			fill(e, d->y[k], g->day_after - back + (sw_dur)(k + 1) * g->points_step, pos, b);
	}
}

/* What comes before the baseline: earlier days, and noise for what a calibration was made of. */
static void filler_print(struct export *e, const struct sw_explain_signal *g, bool counts, struct sw_buf *b)
{
	sw_ms end = slot_of(e, g->points_from), pos = end;
	sw_dur length = g->pseudo && g->history > g->valid ? (sw_dur)(g->history - g->valid) * g->points_step : 0;
	double level, spread;

	if (!counts)
		days_print(e, g, &pos, b);
	if (length && pos == end && !b->n)
		pos = slot_of(e, g->points_from - length);
	else if (length)
		fill(e, NAN, g->points_from - length, &pos, b);
	else
		fill(e, NAN, g->points_from, &pos, b);
	if (!length || end - pos < 2)
		return;
	points_fit(e, counts ? g->counts : g->points, g->baseline, &level, &spread);
	sw_buf_cat(b, b->n ? " " : "");
	number_print(b, level);
	if (spread > 0.0005)
		sw_buf_printf(b, "~%.1f%%", spread * 100);
	sw_buf_printf(b, "x%lld", (long long)(end - pos - 1));
	e->filled = true;
}
enum part { PART_HISTORY, PART_SERIES, PART_PROBES, PARTS };

/* One series of a part. counts: how many requests an error rate speaks of, as the signal requests. */
static void part_print(struct export *e, enum part part, const struct sw_explain_signal *g, bool counts, bool *any)
{
	static const char *const names[] = { "history", "series", "probes" };
	sw_ms from = e->start, until = e->end + AFTER;
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	if (is_told(g) || (part == PART_PROBES) != sw_export_health(g) || (part == PART_HISTORY && !g->baseline))
		return;
	if (part == PART_HISTORY) {
		until = e->start;
		while (from > g->points_from)
			from -= e->step;
		if (g->def->type != SW_V_LIST)
			filler_print(e, g, counts, &b);
	}
	if (e->x->closed)
		until = SW_MIN(until, e->x->closed + e->step);
	slots_print(e, g, counts, from, until, &b);
	if (!b.n && part == PART_HISTORY)
		return;
	if (!b.n)
		sw_buf_cat(&b, "_"); /* it was asked for */
	if (!*any)
		sw_buf_printf(&e->b, "  %s:\n", names[part]);
	*any = true;
	sw_buf_printf(&e->b, "    %s: '%s'\n", counts ? "requests" : g->name, sw_buf_str(&b));
}

void sw_export_series(struct export *e)
{
	const struct sw_explain_signal *counted = NULL;
	bool requests = false;

	for (size_t i = 0; i < e->x->n_signals; i++) {
		const struct sw_explain_signal *g = &e->x->signals[i];

		requests |= sw_streq(g->name, "requests");
		for (size_t k = 0; k < g->n && !counted; k++)
			if (g->samples[k].count > 0)
				counted = g;
	}
	for (int part = 0; part < PARTS; part++) {
		bool any = false;

		for (size_t i = 0; i < e->x->n_signals; i++)
			part_print(e, (enum part)part, &e->x->signals[i], false, &any);
		if (counted && !requests && (part == PART_SERIES || counted->counts))
			part_print(e, (enum part)part, counted, true, &any);
	}
}
