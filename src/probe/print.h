/* The library's texts into a buffer of our own: for programs within this tree. Others take sw_metrics_text and sw_health_text. */
#ifndef SW_PROBE_PRINT_H
#define SW_PROBE_PRINT_H

#include "shipwatch/buf.h"
#include "shipwatch/probe.h"

void sw_metrics_print(const struct sw_metrics *m, struct sw_buf *out);
/* The value of a counter or gauge without labels over all processes, as it is printed; 0 where nobody counted yet. */
double sw_metric_total(const struct sw_metric *f);
/* Return: the HTTP status. */
int sw_health_print(struct sw_health *h, struct sw_buf *out);

#endif
