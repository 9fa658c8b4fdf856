/*
 * Readings: the newest of one signal at a place, as a series.
 *
 * In the state they stand as [milliseconds since the one before, value or why there is none, count, text], the last two only where
 * they say something. The whole of a deployment's readings is in its rings.
 */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "engine/place.h"

#define READINGS_DENSE 48 /* newest ones that stay whatever comes: an hour's watch still has its five minutes at full rhythm */

struct series *sw_readings_of(struct place_state *p, const char *signal)
{
	for (size_t i = 0; i < p->n_series; i++)
		if (sw_streq(p->series[i].name, signal))
			return &p->series[i];
	if (p->n_series == PLACE_SERIES)
		return NULL;
	p->series[p->n_series].name = signal;
	p->series[p->n_series].n = 0;
	return &p->series[p->n_series++];
}

const struct series *sw_readings_find(const struct place_state *p, const char *signal)
{
	for (size_t i = 0; i < p->n_series; i++)
		if (sw_streq(p->series[i].name, signal))
			return &p->series[i];
	return NULL;
}

/* The readings from `from` on move to `to`. */
static void readings_move(struct series *sr, size_t to, size_t from)
{
	memmove(&sr->s[to], &sr->s[from], (sr->n - from) * sizeof sr->s[0]);
	memmove(&sr->digits[to], &sr->digits[from], (sr->n - from) * sizeof sr->digits[0]);
	memmove(&sr->counts[to], &sr->counts[from], (sr->n - from) * sizeof sr->counts[0]);
}

/* The one whose neighbours are nearest to each other, among the older ones. */
static size_t readings_densest(const struct series *sr)
{
	size_t best = 0;
	sw_dur least = 0;

	for (size_t i = 1; i + READINGS_DENSE < sr->n; i++) {
		sw_dur gap = sr->s[i + 1].at - sr->s[i - 1].at;

		if (!best || gap < least) {
			best = i;
			least = gap;
		}
	}
	return best;
}

bool sw_readings_add(struct series *sr, const struct sw_sample *x)
{
	size_t i;

	if (sr->n == PLACE_SAMPLES) {
		size_t gone = readings_densest(sr);

		if (x->at <= sr->s[0].at)
			return false;
		readings_move(sr, gone, gone + 1);
		sr->n--;
	}
	for (i = sr->n; i > 0 && sr->s[i - 1].at > x->at; i--)
		;
	if (i > 0 && sr->s[i - 1].at == x->at)
		return false; /* told twice */
	readings_move(sr, i + 1, i);
	sr->s[i] = *x;
	sr->digits[i] = sr->counts[i] = NULL;
	sr->n++;
	return true;
}

bool sw_readings_keep(struct series *sr, size_t n)
{
	if (sr->n <= n)
		return false;
	readings_move(sr, 0, sr->n - n);
	sr->n = n;
	return true;
}

void sw_readings_read(const struct sw_jnode *n, struct series *sr)
{
	sw_ms at = sw_jint(n, "t", 0);

	sr->name = sw_jstr(n, "name");
	sr->n = 0;
	for (const struct sw_jnode *x = sw_jget(n, "s") ? sw_jget(n, "s")->child : NULL; x && sr->n < PLACE_SAMPLES; x = x->next) {
		const struct sw_jnode *dt = x->child, *v = dt ? dt->next : NULL, *count = v ? v->next : NULL, *text = count ? count->next : NULL;
		struct sw_sample *y = &sr->s[sr->n];

		if (!v)
			continue;
		at += dt->i;
		*y = (struct sw_sample){ .signal = sr->name, .at = at, .count = count ? count->d : 0,
		                         .text = text && text->type == SW_J_STRING ? text->text : NULL };
		sr->digits[sr->n] = v->type == SW_J_NUMBER ? v->text : NULL;
		if (v->type == SW_J_NUMBER)
			y->value = v->d;
		else
			y->reading = sw_reading_parse(v->text);
		sr->counts[sr->n] = count ? count->text : NULL;
		sr->n++;
	}
}

/* Seven digits are more than any source measures. A number that stood in the state is written as it stood. */
static void readings_number(struct sw_jw *w, double v, const char *digits)
{
	char text[32];

	if (!digits) {
		(void)snprintf(text, sizeof text, "%.7g", v);
		digits = text;
	}
	sw_jw_raw(w, NULL, digits, strlen(digits));
}

void sw_readings_write(const struct series *sr, struct sw_jw *w)
{
	sw_ms at = sr->n ? sr->s[0].at : 0;

	sw_jw_obj(w, NULL);
	sw_jw_str(w, "name", sr->name);
	sw_jw_int(w, "t", at);
	sw_jw_arr(w, "s");
	for (size_t i = 0; i < sr->n; i++) {
		const struct sw_sample *x = &sr->s[i];
		/* a version or reason is kept where it changes and on the newest, that is where it is asked for */
		bool text = x->text && (i + 1 == sr->n || !sw_streq(sr->s[i + 1].text, x->text));

		sw_jw_arr(w, NULL);
		sw_jw_int(w, NULL, x->at - at);
		at = x->at;
		if (x->reading == SW_R_OK)
			readings_number(w, x->value, sr->digits[i]);
		else
			sw_jw_str(w, NULL, sw_reading_name(x->reading));
		if (x->count || text)
			readings_number(w, x->count, sr->counts[i]);
		if (text)
			sw_jw_str(w, NULL, x->text);
		sw_jw_arr_end(w);
	}
	sw_jw_arr_end(w);
	sw_jw_obj_end(w);
}
