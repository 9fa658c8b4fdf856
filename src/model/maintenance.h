/*
 * Maintenance: times at which a service is expected to be ill. Messages are held back meanwhile and no action starts by itself; what is
 * still ill at the end is told then. A pure function of the moment.
 */
#ifndef SW_MODEL_MAINTENANCE_H
#define SW_MODEL_MAINTENANCE_H

#include "base/yaml.h"
#include "base/zone.h"
#include "shipwatch/base.h"
#include "shipwatch/mem.h"

#define SW_MAINTENANCE_MAX     200
#define SW_MAINTENANCE_LONGEST (30 * SW_DAY) /* once */

struct sw_buf;

struct sw_maintenance {
	const char *service, *environment; /* globs; NULL: all */
	const char *why;                   /* NULL: not said */
	sw_ms from, until;                 /* once; both 0: weekly */
	unsigned days;                     /* weekly: bit 0 is Sunday */
	int64_t from_s, until_s;           /* of the day; until is the next day's where it is not behind from */
	const struct sw_zone *zone;        /* NULL: UTC */
};

/*
 * Reads a list of windows; zone: of those that name none. *ret and its texts are in a. Mistakes go to d.
 * Return: 0, or -EINVAL (counted in d, so that it may be left alone).
 */
int sw_maintenance_read(struct sw_arena *a, const struct sw_ynode *list, const struct sw_zone *zone, struct sw_maintenance **ret, size_t *ret_n,
                        struct sw_diags *d);
/* Is it on at a moment? *ret_until: its end. */
bool sw_maintenance_on(const struct sw_maintenance *m, sw_ms now, sw_ms *ret_until);
/* The window in which a place is, of several the one that ends last; NULL: none. service, environment: NULL where it has none. */
const struct sw_maintenance *sw_maintenance_at(const struct sw_maintenance *list, size_t n, const char *service, const char *environment,
                                               sw_ms now, sw_ms *ret_until);
/* "web/prod, sat sun 02:00-04:00: backup" */
void sw_maintenance_print(const struct sw_maintenance *m, struct sw_buf *out);

#endif
