/* What changed, to those who look. */
#include "dashboard/inner.h"

void dash_live_new(struct dash *d) { d->live = NULL; }
void dash_live_free(struct dash *d) { d->live = NULL; }
void dash_live_touched(struct dash *d, unsigned bits) { (void)d, (void)bits; }
unsigned dash_live_viewers(const struct dash *d) { (void)d; return 0; }
