/* A watch as its pages show it: the row and its explanation, read once. */
#ifndef SW_DASHBOARD_WATCH_VIEW_H
#define SW_DASHBOARD_WATCH_VIEW_H

#include "dashboard/pages.h"

struct watch_view {
	const struct sw_row *row;
	const char *id, *rule, *service, *environment, *state, *verdict, *reason;
	sw_ms deployed, begins, until, decided; /* decided: the verdict; 0: none yet */
	const struct sw_jnode *explained;       /* NULL: not yet */
};

/* What people read as a number of this type ("2%", "1.5s") in its base unit; NaN: it is none. */
double watch_number(enum sw_vtype type, const char *text);
void watch_curves(struct page *p, const struct watch_view *x);

#endif
