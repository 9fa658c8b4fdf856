/*
 * The text in which programs show their measurements: Prometheus text format 0.0.4 and OpenMetrics 1.0, read line by
 * line.
 *
 * As strict as Prometheus is: one broken line and the page is not understood. A page that stops in the middle of a
 * line, or without its "# EOF", is not whole. Nothing is kept: what stands in a sample lives until the callback
 * returns.
 */
#ifndef SW_SIGNAL_EXPOSITION_H
#define SW_SIGNAL_EXPOSITION_H

#include "shipwatch/base.h"
#include "shipwatch/err.h"

#define SW_EXPO_LABELS 64
#define SW_EXPO_LINE   ((size_t)64 * 1024)

struct sw_expo_label {
	const char *name, *value;
	size_t name_n, value_n;
}; /* value: escapes undone */
struct sw_expo_sample {
	const char *name;
	size_t name_n;
	struct sw_expo_label labels[SW_EXPO_LABELS];
	size_t n_labels;
	double value;
	unsigned line;
};

/* Return: 0, or -errno with err to stop. */
typedef int (*sw_expo_cb)(void *arg, const struct sw_expo_sample *s, struct sw_err *err);

/* open: it is OpenMetrics. Return: 0; -EBADMSG with err, which names the line; what the callback returned. */
SW_CHECKED int sw_expo_parse(const char *text, size_t n, bool open, sw_expo_cb cb, void *arg, struct sw_err *err);
/* "0.25", "+Inf", "NaN", "1e-3" as Go reads them. */
bool sw_expo_number(const char *s, size_t n, double *ret);

#endif
