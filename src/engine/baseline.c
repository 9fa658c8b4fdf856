/* Baselines: points before a deployment as a record, and back. */
#include "engine/baseline.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "engine/step.h"
#include "shipwatch/buf.h"
#include "stats/order.h"

enum sw_regress_kind sw_baseline_kind(bool latency, bool counted)
{
	return latency ? SW_REGRESS_LATENCY : counted ? SW_REGRESS_COUNTS : SW_REGRESS_PLAIN;
}

/* ---- making ---- */

static bool past_counted(const struct sw_past *past)
{
	for (size_t i = 0; past->count && i < past->n; i++)
		if (past->count[i] > 0)
			return true;
	return false;
}

/* Where the baseline begins. */
static size_t past_baseline(const struct sw_past *past, const struct sw_past_ask *ask)
{
	size_t first = 0;

	while (first < past->n && past->from + (sw_ms)first * past->step < ask->baseline_from)
		first++;
	return SW_MAX(first, past->n - SW_MIN(past->n, (size_t)BASELINE_POINTS));
}

static size_t values_valid(const double *v, size_t n)
{
	size_t valid = 0;

	for (size_t i = 0; i < n; i++)
		valid += isfinite(v[i]);
	return valid;
}

bool sw_baseline_days_wanted(const struct sw_past *past, const struct sw_past_ask *ask)
{
	size_t first = past_baseline(past, ask);

	return ask->n_days && past->n && !past_counted(past) && values_valid(past->value + first, past->n - first) >= BASELINE_VALID;
}

static void past_holes(struct sw_past *past, const struct sw_past_ask *ask)
{
	for (size_t i = 0; i < past->n; i++) {
		sw_ms at = past->from + (sw_ms)i * past->step;

		for (size_t h = 0; h < ask->n_holes; h++)
			if (at >= ask->holes[h][0] && at <= ask->holes[h][1])
				past->value[i] = NAN;
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* The history as sw_calibrate wants it: transformed, and its level. */
static double history_make(const struct sw_past *past, const struct sw_past_ask *ask, bool counted, struct sw_arena *a, struct sw_history *ret)
{
	enum sw_regress_kind kind = sw_baseline_kind(ask->logs, counted);
	double *x = SW_ARENA_ARRAY(a, double, past->n + 1), *all = SW_ARENA_ARRAY(a, double, past->n + 1);
	double *sorted = SW_ARENA_ARRAY(a, double, past->n + 1), level;
	size_t m = 0;

	for (size_t i = 0; i < past->n; i++) {
		double v = past->value[i];

		all[i] = counted && isfinite(v) ? past->count[i] : NAN;
		x[i] = sw_regress_value(kind, ask->bad_down, counted ? v * past->count[i] : v, all[i]);
		if (isfinite(x[i]))
			sorted[m++] = x[i];
	}
	qsort(sorted, m, sizeof *sorted, by_value);
	level = m ? sorted[m / 2] : NAN;
	*ret = (struct sw_history){ .x = x, .all = counted ? all : NULL, .n = past->n, .first_at = past->from, .step = past->step };
	return sw_regress_scale_least(kind, level);
}

/*
 * One calibration a length of watch; those the history is too short for are left out: tier B decides then. Windows of the same hour
 * alone are taken where the history itself has enough of them: 7 days, so a step of 105 s or more, and watches of at most 10 min.
 * Asking for two hours of each earlier day instead of its minutes would give other watches 120 of them, and decides worse: see
 * docs/statistics.md. What a time of day does to the level is for the control.
 */
static void record_calibrations(struct sw_jw *w, const struct sw_past *past, const struct sw_past_ask *ask, size_t m, bool counted,
                                struct sw_arena *a)
{
	struct sw_calibration *c = SW_ARENA_NEW(a, struct sw_calibration);
	struct sw_buf bytes = SW_BUF_INIT, text = SW_BUF_INIT;
	struct sw_history h;
	double least = history_make(past, ask, counted, a, &h);

	sw_jw_arr(w, "cal");
	for (size_t i = 0; i < ask->n_looks; i++) {
		struct sw_calibrate_ask how = { .m = SW_MIN(SW_MAX(m, (size_t)SW_BASELINE_LEAST), (size_t)SW_BASELINE_MAX), .looks = ask->looks[i],
			                        .scale_least = least, .at = ask->to, .tz_offset_s = ask->tz_offset_s };

		if (how.looks < SW_LOOK_FIRST || how.looks > SW_LOOKS_MAX || sw_calibrate(&h, &how, a, c) != 0)
			continue;
		sw_buf_reset(&bytes);
		sw_buf_reset(&text);
		sw_calibration_write(c, &bytes);
		sw_b64_encode(&text, bytes.p, bytes.n);
		sw_jw_obj(w, NULL);
		sw_jw_int(w, "k", ask->looks[i]);
		sw_jw_str(w, "d", sw_buf_str(&text));
		sw_jw_obj_end(w);
	}
	sw_jw_arr_end(w);
	sw_buf_fini(&bytes);
	sw_buf_fini(&text);
}

static void record_numbers(struct sw_jw *w, const char *key, const double *v, size_t n)
{
	char text[32];

	sw_jw_arr(w, key);
	for (size_t i = 0; i < n; i++) {
		if (!isfinite(v[i])) {
			sw_jw_null(w, NULL);
			continue;
		}
		(void)snprintf(text, sizeof text, "%.6g", v[i]);
		sw_jw_raw(w, NULL, text, strlen(text));
	}
	sw_jw_arr_end(w);
}

/* The median of each of at most BASELINE_DAY_X parts: their median is that of all, near enough. Return: how many. */
static size_t day_thin(const double *v, size_t n, double *ret, struct sw_arena *a)
{
	size_t parts = SW_MIN(n, (size_t)BASELINE_DAY_X);
	double *part = SW_ARENA_ARRAY(a, double, n + 1);

	for (size_t i = 0; i < parts; i++) {
		size_t from = i * n / parts, valid = sw_order_valid(v + from, (i + 1) * n / parts - from, part);

		sw_order_sort(part, valid);
		ret[i] = sw_order_median(part, valid);
	}
	return parts;
}

/* The time before the deployment's rollout began, and what follows its end; nothing of the rollout itself. */
static bool day_write(struct sw_jw *w, const struct sw_past *day, unsigned back, const struct sw_past_ask *ask, struct sw_arena *a)
{
	sw_dur ago = (sw_dur)back * SW_DAY;
	double x[BASELINE_DAY_X];
	size_t m = 0, after, n;

	while (m < day->n && day->from + (sw_ms)m * day->step <= ask->to - ago)
		m++;
	for (after = m; after < day->n && day->from + (sw_ms)after * day->step < ask->day_after - ago;)
		after++;
	n = SW_MIN(day->n - after, (size_t)BASELINE_DAY_Y);
	if (values_valid(day->value, m) < BASELINE_VALID || values_valid(day->value + after, n) < BASELINE_DAY_LEAST)
		return false;
	sw_jw_obj(w, NULL);
	sw_jw_int(w, "k", back);
	record_numbers(w, "x", x, day_thin(day->value, m, x, a));
	record_numbers(w, "y", day->value + after, n);
	sw_jw_obj_end(w);
	return true;
}

/* Each is written aside first: the record has its limit. */
static void record_days(struct sw_jw *w, const struct sw_past *days, const struct sw_past_ask *ask, struct sw_arena *a)
{
	struct sw_buf one = SW_BUF_INIT;
	struct sw_jw own;

	sw_jw_int(w, "after", ask->day_after);
	sw_jw_arr(w, "days");
	for (unsigned k = 0; k < ask->n_days; k++) {
		sw_buf_reset(&one);
		sw_jw_init(&own, &one);
		if (days[k].n && day_write(&own, &days[k], k + 1, ask, a) && w->b->n + one.n + 4 <= BASELINE_BYTES)
			sw_jw_raw(w, NULL, one.p, one.n);
	}
	sw_jw_arr_end(w);
	sw_buf_fini(&one);
}

static void record_write(struct sw_jw *w, const struct sw_past *past, struct sw_past *days, const struct sw_past_ask *ask, struct sw_arena *a)
{
	bool counted = past_counted(past);
	size_t first = past_baseline(past, ask);

	sw_jw_obj(w, "rec");
	sw_jw_int(w, "from", past->from + (sw_ms)first * past->step);
	sw_jw_int(w, "step", past->step);
	sw_jw_int(w, "history", (int64_t)values_valid(past->value, past->n));
	sw_jw_int(w, "holes", (int64_t)ask->n_holes);
	record_numbers(w, "v", past->n ? past->value + first : NULL, past->n - first);
	if (counted)
		record_numbers(w, "c", past->count + first, past->n - first);
	sw_jw_opt(w, "elements", past->elements);
	if (ask->n_looks)
		record_calibrations(w, past, ask, past->n - first, counted, a);
	if (days && !counted)
		record_days(w, days, ask, a);
	sw_jw_obj_end(w);
}

static void message_begin(struct sw_jw *w, struct sw_buf *b, const char *deployment, const char *signal)
{
	sw_jw_init(w, b);
	sw_jw_obj(w, NULL);
	sw_jw_str(w, "t", "past");
	sw_jw_str(w, "dep", deployment);
	sw_jw_str(w, "signal", signal);
}

static const char *message_end(struct sw_jw *w, struct sw_buf *b, struct sw_arena *a)
{
	const char *ret;

	sw_jw_obj_end(w);
	ret = sw_arena_strdup(a, sw_buf_str(b));
	sw_buf_fini(b);
	return ret;
}

const char *sw_baseline_message(const char *deployment, const char *signal, struct sw_past *past, struct sw_past *days,
                                const struct sw_past_ask *ask, struct sw_arena *a)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;

	past_holes(past, ask);
	for (unsigned k = 0; days && k < ask->n_days; k++)
		past_holes(&days[k], ask);
	message_begin(&w, &b, deployment, signal);
	record_write(&w, past, days, ask, a);
	return message_end(&w, &b, a);
}

const char *sw_baseline_missing(const char *deployment, const char *signal, sw_dur step, const char *why, bool again, struct sw_arena *a)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;

	message_begin(&w, &b, deployment, signal);
	sw_jw_int(&w, "step", step);
	sw_jw_str(&w, "why", why);
	sw_jw_bool(&w, "again", again);
	return message_end(&w, &b, a);
}

void sw_baseline_of_ring(const void *ring, size_t n, sw_ms from, sw_ms to, sw_dur step, struct sw_arena *a, struct sw_past *past)
{
	const unsigned char *p = ring;

	if (!past->value) {
		*past = (struct sw_past){ .from = from, .step = step, .n = (size_t)SW_MIN((to - from) / step + 1, (sw_ms)SW_PAST_MAX) };
		past->value = SW_ARENA_ARRAY(a, double, past->n);
		past->count = SW_ARENA_ARRAY(a, double, past->n);
		for (size_t i = 0; i < past->n; i++)
			past->value[i] = past->count[i] = NAN;
	}
	for (size_t i = 0; i + 16 <= n; i += 16) {
		struct sw_sample x = sw_ring_sample(p + i, NULL);
		size_t k = x.at < from ? past->n : (size_t)((x.at - from) / step);

		if (x.reading != SW_R_OK || x.at > to || k >= past->n)
			continue;
		past->value[k] = x.value; /* the last of a step stands */
		past->count[k] = x.count;
	}
}

/* ---- reading ---- */

static void calibrations_read(const struct sw_jnode *list, struct sw_arena *a, struct baseline *ret)
{
	for (const struct sw_jnode *x = list ? list->child : NULL; x && ret->n_cals < BASELINE_CALS; x = x->next) {
		const struct sw_jnode *d = sw_jget(x, "d");
		unsigned char *bytes = d && d->type == SW_J_STRING ? sw_arena_alloc(a, d->n) : NULL;
		int n = bytes ? sw_b64_decode(d->text, d->n, bytes, d->n) : -1;

		if (n > 0)
			ret->cals[ret->n_cals++] = (struct baseline_cal){ (unsigned)sw_jint(x, "k", 0), bytes, (size_t)n };
	}
}

static double *numbers_read(const struct sw_jnode *list, size_t n, struct sw_arena *a)
{
	double *v = SW_ARENA_ARRAY(a, double, n ? n : 1);
	size_t i = 0;

	for (const struct sw_jnode *x = list->child; x && i < n; x = x->next)
		v[i++] = x->type == SW_J_NUMBER ? x->d : NAN;
	return v;
}

static void days_read(const struct sw_jnode *list, struct sw_arena *a, struct baseline *ret)
{
	for (const struct sw_jnode *d = list ? list->child : NULL; d && ret->n_days < SW_PAST_DAYS; d = d->next) {
		const struct sw_jnode *x = sw_jget(d, "x"), *y = sw_jget(d, "y");
		struct baseline_day *day = &ret->days[ret->n_days];

		if (!x || x->type != SW_J_ARRAY || !y || y->type != SW_J_ARRAY)
			continue;
		*day = (struct baseline_day){ .back = (unsigned)sw_jint(d, "k", 0), .m = SW_MIN(x->n, (size_t)BASELINE_DAY_X),
			                      .n = SW_MIN(y->n, (size_t)BASELINE_DAY_Y) };
		day->x = numbers_read(x, day->m, a);
		day->y = numbers_read(y, day->n, a);
		ret->n_days++;
	}
}

bool sw_baseline_read(const struct sw_jnode *rec, struct sw_arena *a, struct baseline *ret)
{
	const struct sw_jnode *v = sw_jget(rec, "v"), *c = sw_jget(rec, "c");

	*ret = (struct baseline){ .from = sw_jint(rec, "from", 0), .step = sw_jint(rec, "step", 0), .elements = sw_jstr(rec, "elements"),
	                          .history = (size_t)sw_jint(rec, "history", 0), .holes = (size_t)sw_jint(rec, "holes", 0) };
	if (!v || v->type != SW_J_ARRAY || ret->step <= 0)
		return false;
	ret->n = SW_MIN(v->n, (size_t)BASELINE_POINTS);
	ret->value = numbers_read(v, ret->n, a);
	if (c && c->type == SW_J_ARRAY && c->n == v->n)
		ret->count = numbers_read(c, ret->n, a);
	ret->valid = values_valid(ret->value, ret->n);
	calibrations_read(sw_jget(rec, "cal"), a, ret);
	ret->day_after = sw_jint(rec, "after", 0);
	days_read(sw_jget(rec, "days"), a, ret);
	return true;
}
