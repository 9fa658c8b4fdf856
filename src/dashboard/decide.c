/* Decisions of people. */
#include "dashboard/inner.h"

const struct route sw_routes_decide[] = { { 0 } };
