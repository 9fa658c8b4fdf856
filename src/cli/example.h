/* An alert to show messages with. */
#ifndef SW_CLI_EXAMPLE_H
#define SW_CLI_EXAMPLE_H

#include "shipwatch/alert.h"

/* As this news of it is told; all but locale, zone and mentions. Texts are static or in the arena. */
void sw_example(enum sw_alert_news news, enum sw_severity severity, struct sw_arena *a, struct sw_alert *ret);

#endif
