/* What the example service counts of itself, and how it shows that: Prometheus text. */
#ifndef EXAMPLE_MEASURES_H
#define EXAMPLE_MEASURES_H

#include <stddef.h>

#include "knobs.h"

#define MEASURES_BUCKETS 11

struct measures {
	double started;                         /* seconds since 1970 */
	unsigned long ok, failed, health;       /* answers of /, and questions after the health */
	unsigned long buckets[MEASURES_BUCKETS + 1]; /* not cumulative; the last is above all limits */
	double seconds;
};

struct evbuffer;

void measures_init(struct measures *m);
/* Seconds of a clock that never goes back. */
double measures_clock(void);
void measures_answered(struct measures *m, int code, double seconds);
void measures_text(const struct measures *m, const struct knobs *k, struct evbuffer *out);

#endif
