/* Who asks: the Authorization of a source of measurements. */
#ifndef SW_SIGNAL_AUTH_H
#define SW_SIGNAL_AUTH_H

#include "model/place.h"
#include "shipwatch/job.h"

void sw_auth_header(const struct sw_measure_conf *c, struct sw_arena *a, struct sw_job *job);

#endif
