/*
 * Readings: the newest of one signal at a place, as a series.
 *
 * In the state they stand as [milliseconds since the one before, value or why there is none, count, text], the last two only where
 * they say something. The whole of a deployment's readings is in its rings.
 */
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
	p->series[p->n_series] = (struct series){ .name = signal };
	return &p->series[p->n_series++];
}

const struct series *sw_readings_find(const struct place_state *p, const char *signal)
{
	for (size_t i = 0; i < p->n_series; i++)
		if (sw_streq(p->series[i].name, signal))
			return &p->series[i];
	return NULL;
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
		memmove(&sr->s[gone], &sr->s[gone + 1], (PLACE_SAMPLES - gone - 1) * sizeof sr->s[0]);
		sr->n--;
	}
	for (i = sr->n; i > 0 && sr->s[i - 1].at > x->at; i--)
		;
	if (i > 0 && sr->s[i - 1].at == x->at)
		return false; /* told twice */
	memmove(&sr->s[i + 1], &sr->s[i], (sr->n - i) * sizeof sr->s[0]);
	sr->s[i] = *x;
	sr->n++;
	return true;
}

void sw_readings_read(const struct sw_jnode *n, struct series *sr)
{
	sw_ms at = sw_jint(n, "t", 0);

	*sr = (struct series){ .name = sw_jstr(n, "name") };
	for (const struct sw_jnode *x = sw_jget(n, "s") ? sw_jget(n, "s")->child : NULL; x && sr->n < PLACE_SAMPLES; x = x->next) {
		const struct sw_jnode *dt = x->child, *v = dt ? dt->next : NULL, *count = v ? v->next : NULL, *text = count ? count->next : NULL;
		struct sw_sample *y = &sr->s[sr->n];

		if (!v)
			continue;
		at += dt->i;
		*y = (struct sw_sample){ .signal = sr->name, .at = at, .count = count ? count->d : 0,
		                         .text = text && text->type == SW_J_STRING ? text->text : NULL };
		if (v->type == SW_J_NUMBER)
			y->value = v->d;
		else
			y->reading = sw_reading_parse(v->text);
		sr->n++;
	}
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
			sw_jw_num(w, NULL, x->value);
		else
			sw_jw_str(w, NULL, sw_reading_name(x->reading));
		if (x->count || text)
			sw_jw_num(w, NULL, x->count);
		if (text)
			sw_jw_str(w, NULL, x->text);
		sw_jw_arr_end(w);
	}
	sw_jw_arr_end(w);
	sw_jw_obj_end(w);
}
