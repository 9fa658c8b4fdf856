/* Baselines: points before a deployment as a record, and back. */
#include "engine/baseline.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "engine/step.h"
#include "shipwatch/buf.h"

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

/* One calibration a length of watch; those the history is too short for are left out: tier B decides then. */
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

static void record_write(struct sw_jw *w, const struct sw_past *past, const struct sw_past_ask *ask, struct sw_arena *a)
{
	bool counted = past_counted(past);
	size_t first = 0, valid = 0;

	while (first < past->n && past->from + (sw_ms)first * past->step < ask->baseline_from)
		first++;
	if (past->n - first > BASELINE_POINTS)
		first = past->n - BASELINE_POINTS;
	for (size_t i = 0; i < past->n; i++)
		valid += isfinite(past->value[i]);
	sw_jw_obj(w, "rec");
	sw_jw_int(w, "from", past->from + (sw_ms)first * past->step);
	sw_jw_int(w, "step", past->step);
	sw_jw_int(w, "history", (int64_t)valid);
	sw_jw_int(w, "holes", (int64_t)ask->n_holes);
	record_numbers(w, "v", past->value + first, past->n - first);
	if (counted)
		record_numbers(w, "c", past->count + first, past->n - first);
	sw_jw_opt(w, "elements", past->elements);
	if (ask->n_looks)
		record_calibrations(w, past, ask, past->n - first, counted, a);
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

const char *sw_baseline_message(const char *deployment, const char *signal, struct sw_past *past, const struct sw_past_ask *ask,
                                struct sw_arena *a)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;

	past_holes(past, ask);
	message_begin(&w, &b, deployment, signal);
	record_write(&w, past, ask, a);
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
	for (size_t i = 0; i < ret->n; i++)
		ret->valid += isfinite(ret->value[i]);
	calibrations_read(sw_jget(rec, "cal"), a, ret);
	return true;
}
