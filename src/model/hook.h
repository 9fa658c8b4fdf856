/* Requests to a receiver of one's own: signed like the hooks of git hosts, judged by the status alone. */
#ifndef SW_MODEL_HOOK_H
#define SW_MODEL_HOOK_H

#include "shipwatch/buf.h"
#include "shipwatch/job.h"

/*
 * POST of the JSON in body with X-Shipwatch-Event, -Delivery, -Timestamp (seconds), Idempotency-Key and, with a secret,
 * X-Shipwatch-Signature: sha256=HMAC(secret, timestamp + "." + body). id is the delivery and the key.
 */
int sw_hook_post(struct sw_job *ret, struct sw_arena *a, const char *url, const char *secret, const char *event,
                 const char *id, sw_ms now, const struct sw_buf *body);
/* 2xx OK; 408, 425, 429, 5xx and network RETRY; other statuses MESSAGE. */
struct sw_class sw_hook_judge(const struct sw_result *res, struct sw_err *err);

#endif
