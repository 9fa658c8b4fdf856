/* Baselines: points before a deployment as a record, and back. */
#include "engine/baseline.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "shipwatch/buf.h"

/* ---- making ---- */

static void past_holes(struct sw_past *past, const struct sw_past_ask *ask)
{
	for (size_t i = 0; i < past->n; i++) {
		sw_ms at = past->from + (sw_ms)i * past->step;

		for (size_t h = 0; h < ask->n_holes; h++)
			if (at >= ask->holes[h][0] && at <= ask->holes[h][1])
				past->value[i] = NAN;
	}
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

static void record_write(struct sw_jw *w, const struct sw_past *past, const struct sw_past_ask *ask)
{
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
	if (past->count)
		record_numbers(w, "c", past->count + first, past->n - first);
	sw_jw_opt(w, "elements", past->elements);
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
	record_write(&w, past, ask);
	return message_end(&w, &b, a);
}

const char *sw_baseline_missing(const char *deployment, const char *signal, const char *why, bool again, struct sw_arena *a)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;

	message_begin(&w, &b, deployment, signal);
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
		for (size_t i = 0; i < past->n; i++)
			past->value[i] = NAN;
	}
	for (size_t i = 0; i + 16 <= n; i += 16) {
		uint64_t head;
		double v;
		sw_ms at;

		memcpy(&head, p + i, 8);
		memcpy(&v, p + i + 8, 8);
		at = (sw_ms)(head & 0x00ffffffffffffffULL);
		if (head >> 56 != SW_R_OK || at < from || at > to)
			continue;
		if ((size_t)((at - from) / step) < past->n)
			past->value[(at - from) / step] = v; /* the last of a step stands */
	}
}

/* ---- reading ---- */

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
	return true;
}
