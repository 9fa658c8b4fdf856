/* Samples: names of readings and a small bounded list. */
#include "shipwatch/sample.h"

#include "base/str.h"

static const char *const reading_names[] = { "ok", "absent", "nan", "stale", "error", "too_few" };

const char *sw_reading_name(enum sw_reading r)
{
	return reading_names[r];
}

enum sw_reading sw_reading_parse(const char *s)
{
	for (size_t i = 0; i < SW_COUNT(reading_names); i++)
		if (sw_streq(s, reading_names[i]))
			return (enum sw_reading)i;
	return SW_R_ERROR;
}

struct sw_sample *sw_samples_add(struct sw_samples *s, const char *signal, sw_ms at, enum sw_reading r, double value)
{
	struct sw_sample *x;

	if (s->n == SW_COUNT(s->items))
		return NULL;
	x = &s->items[s->n++];
	*x = (struct sw_sample){ .signal = signal, .at = at, .reading = r, .value = value };
	return x;
}
