/* Metrics are the probe library's (src/probe). */
#include "probe/print.h"
