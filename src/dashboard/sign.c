/* Signing in and out. */
#include "dashboard/inner.h"

const struct route sw_routes_sign[] = { { 0 } };
