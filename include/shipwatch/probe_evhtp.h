/*
 * libshipwatch-probe-evhtp: /health, /metrics and request ids for a service whose server is libevhtp.
 *
 * These are callbacks of evhtp_set_cb. evhtp hands a callback the argument of the request, which hooks of a connection or of a
 * request replace by theirs: do not set hooks on these two paths.
 */
#ifndef SHIPWATCH_PROBE_EVHTP_H
#define SHIPWATCH_PROBE_EVHTP_H

#include "shipwatch/probe.h"

SW_EXTERN_C_BEGIN

struct evhtp_request;

/* evhtp_set_cb(htp, "/metrics", sw_evhtp_metrics, m); m: struct sw_metrics. GET and HEAD; else 405. */
SW_PUBLIC void sw_evhtp_metrics(struct evhtp_request *req, void *m);
/* evhtp_set_cb(htp, "/health", sw_evhtp_health, h); h: struct sw_health. 200 or 503. */
SW_PUBLIC void sw_evhtp_health(struct evhtp_request *req, void *h);
/* sw_trace_begin with the headers of a request that came in. */
SW_PUBLIC void sw_evhtp_trace(struct evhtp_request *req, struct sw_trace *ret);

SW_EXTERN_C_END

#endif
