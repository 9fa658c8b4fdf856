/*
 * Builds as metrics at a Prometheus Pushgateway (docs/pushgateway.md): each group of repository, branch, environment and name has its newest
 * build that ended. What was told stands in the history, so a push that fails is made up for, and telling twice changes nothing.
 */
#ifndef SW_DASHBOARD_PUSHER_H
#define SW_DASHBOARD_PUSHER_H

#include "config/config.h"
#include "dashboard/owed.h"
#include "shipwatch/buf.h"
#include "shipwatch/probe.h"

struct sw_loop;
struct sw_pusher;

/* What it counts; NULL families: nobody counts. */
struct sw_pusher_meters { struct sw_metric *requests, *waiting, *last; };
void sw_pusher_meters_new(struct sw_metrics *all, struct sw_pusher_meters *ret);

/*
 * cfg: a reference of its own is taken; without a Pushgateway it does nothing. m is borrowed; NULL: nobody counts. Return: 0, or -errno, logged.
 */
SW_CHECKED int sw_pusher_new(struct sw_loop *loop, struct sw_config *cfg, const struct sw_pusher_meters *m, struct sw_pusher **ret);
void sw_pusher_free(struct sw_pusher *p); /* NULL does nothing */
void sw_pusher_store(struct sw_pusher *p, struct sw_store *s); /* NULL: it is about to be closed */
void sw_pusher_look(struct sw_pusher *p); /* a build changed */

/* ---- push_text.c: what is said ---- */

#define PUSH_LABEL 200 /* bytes of a label's value; longer ones are cut at a character */

/* "/metrics/job/shipwatch/branch@base64/bWFpbg/repo@base64/YWNtZS93ZWI": the group's path. */
void sw_push_path(struct sw_buf *out, const char *job, const struct sw_owed_build *b);
/* All metrics of the group in the text format. */
void sw_push_text(struct sw_buf *out, const struct sw_owed_build *b);

#endif
