/* One value of a signal at one time, or why there is none. */
#ifndef SHIPWATCH_SAMPLE_H
#define SHIPWATCH_SAMPLE_H

#include "shipwatch/base.h"
#include "shipwatch/mem.h"

/* rules.md 1.1 semantics 3 */
enum sw_reading { SW_R_OK, SW_R_ABSENT, SW_R_NAN, SW_R_STALE, SW_R_ERROR, SW_R_TOO_FEW };
const char *sw_reading_name(enum sw_reading r); /* "ok", "absent" … */

struct sw_sample {
	const char *signal;     /* "health" */
	sw_ms at;
	enum sw_reading reading;
	double value;           /* in the signal's base unit (s, ratio, bytes, 1/s, count); health: 1 healthy, 0 failing */
	const char *text;       /* a text value such as the version that answered; or why it failed, for people */
};

struct sw_samples { struct sw_arena *a; struct sw_sample items[16]; size_t n; };
/* NULL when full. */
struct sw_sample *sw_samples_add(struct sw_samples *s, const char *signal, sw_ms at, enum sw_reading r, double value);

#endif
