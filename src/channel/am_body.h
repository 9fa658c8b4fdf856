/* An alert in the words of Prometheus Alertmanager: labels, annotations, times. */
#ifndef SW_CHANNEL_AM_BODY_H
#define SW_CHANNEL_AM_BODY_H

#include "base/json.h"
#include "shipwatch/plugin.h"

#define SW_AM_LABELS 32

struct sw_am_label {
	const char *name, *value;
};

struct sw_am_labels {
	struct sw_am_label item[SW_AM_LABELS]; /* by name */
	size_t n;
};

/*
 * The labels: the same over an alert's life, or its end would not find its beginning. No value, time or sha is in them.
 * extra: NULL-ended name, value, name, value of the configuration, or NULL; they win over ours.
 */
void sw_am_labels(const struct sw_alert *al, const char *const *extra, struct sw_arena *a, struct sw_am_labels *ret);
void sw_am_write_labels(struct sw_jw *w, const char *key, const struct sw_am_labels *labels);
void sw_am_write_annotations(struct sw_jw *w, const char *key, const struct sw_alert *al, enum sw_size size);
/* Over: what it told of is no more. */
bool sw_am_over(const struct sw_alert *al);
/* When it began, by the clock of now at the latest. */
void sw_am_write_time(struct sw_jw *w, const char *key, sw_ms at);
sw_ms sw_am_starts(const struct sw_alert *al, sw_ms now);
/* As Alertmanager computes it, 16 hex digits. */
void sw_am_fingerprint(const struct sw_am_labels *labels, char ret[17]);
/* "[a-zA-Z_][a-zA-Z0-9_]*" */
bool sw_am_is_name(const char *s);
/* Names of a configuration's labels. Return: 0, or -EINVAL with err. */
int sw_am_check(const char *const *extra, struct sw_err *err);
/* The body of its webhooks, version 4. */
void sw_am_write_webhook(struct sw_jw *w, const struct sw_alert *al, const char *const *extra, enum sw_size size,
                         sw_ms now, struct sw_arena *a);

#endif
