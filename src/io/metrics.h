/*
 * Metrics in Prometheus' words: counters, gauges, histograms; the number of label values is bounded, further ones are "other".
 *
 * The values lie in memory shared by the processes of one role, each with a part of its own, so that whichever of them is
 * asked answers for all, and a process that is started again counts on from where its forerunner was.
 */
#ifndef SW_IO_METRICS_H
#define SW_IO_METRICS_H

#include "shipwatch/base.h"
#include "shipwatch/buf.h"

struct sw_metrics;
struct sw_metric;

#define SW_METRIC_LABELS 4

/* For so many processes; families are declared before the processes part. Return: 0, or -errno. */
SW_CHECKED int sw_metrics_new(unsigned processes, struct sw_metrics **ret);
void sw_metrics_free(struct sw_metrics *m);
/* From now on this process counts in part k (0 unless said). Gauges there begin at 0, the rest goes on. */
void sw_metrics_become(struct sw_metrics *m, unsigned k);

/*
 * Families. All texts are borrowed for ever (literals). labels: NULL-ended names, or NULL; max: different combinations of
 * values before the rest is counted as "other".
 */
struct sw_metric *sw_metric_counter(struct sw_metrics *m, const char *name, const char *help, const char *const *labels, unsigned max);
/* The processes' values are added up; with largest the greatest is told. */
struct sw_metric *sw_metric_gauge(struct sw_metrics *m, const char *name, const char *help, const char *const *labels, unsigned max,
                                  bool largest);
/* bounds: rising upper limits, at most 20; +Inf is added. */
struct sw_metric *sw_metric_histogram(struct sw_metrics *m, const char *name, const char *help, const char *const *labels,
                                      unsigned max, const double *bounds, unsigned n_bounds);

/* values: as many as the family has labels (NULL counts as ""), or NULL for none. */
void sw_metric_add(struct sw_metric *f, const char *const *values, double v);   /* counter, gauge */
void sw_metric_set(struct sw_metric *f, const char *const *values, double v);   /* gauge */
void sw_metric_observe(struct sw_metric *f, const char *const *values, double v); /* histogram */
#define SW_METRIC_INC(f, ...) sw_metric_add((f), (const char *const[]){ __VA_ARGS__ }, 1)

/* All processes together, as text/plain; version=0.0.4. */
void sw_metrics_print(const struct sw_metrics *m, struct sw_buf *out);
#define SW_METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

#endif
