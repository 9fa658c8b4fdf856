/* libshipwatch-probe-evhttp: /health, /metrics and request ids for a service whose server is libevent's evhttp. */
#ifndef SHIPWATCH_PROBE_EVHTTP_H
#define SHIPWATCH_PROBE_EVHTTP_H

#include "shipwatch/probe.h"

SW_EXTERN_C_BEGIN

struct evhttp_request;

/* evhttp_set_cb(http, "/metrics", sw_evhttp_metrics, m); m: struct sw_metrics. GET and HEAD; else 405. */
SW_PUBLIC void sw_evhttp_metrics(struct evhttp_request *req, void *m);
/* evhttp_set_cb(http, "/health", sw_evhttp_health, h); h: struct sw_health. 200 or 503. */
SW_PUBLIC void sw_evhttp_health(struct evhttp_request *req, void *h);
/* sw_trace_begin with the headers of a request that came in. */
SW_PUBLIC void sw_evhttp_trace(struct evhttp_request *req, struct sw_trace *ret);
/* The ids of t into the headers of a request that goes out (evhttp_make_request comes after). */
SW_PUBLIC void sw_evhttp_trace_headers(const struct sw_trace *t, struct evhttp_request *out);

SW_EXTERN_C_END

#endif
