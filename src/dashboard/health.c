/* The dashboard's own answers to machines: /health and /metrics. */
#include "dashboard/inner.h"

/* Answers are given as long as the process lives: what is away is named, and is no reason to take the dashboard away too. */
static void health_check(struct dash *d, const char *name, bool well, const char *why)
{
	sw_check_set(sw_health_check(d->health, name, 0, SW_CHECK_ADVISORY), well ? SW_CHECK_OK : SW_CHECK_FAIL, well || !*why ? NULL : why);
}

void dash_health(struct dash *d, struct sw_http_req *req)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	int status;

	dash_store_look(d);
	health_check(d, "redis", sw_bus_up(d->bus), d->redis_why);
	health_check(d, "history", d->store != NULL, d->store_why);
	health_check(d, "recorder", d->recorder.pid > 0, d->recorder.why);
	status = sw_health_print(d->health, &b);
	dash_json(req, status, NULL, 0, sw_buf_str(&b));
}

void dash_metrics(struct dash *d, struct sw_http_req *req)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_http_stats http;

	sw_http_server_stats(d->http, &http);
	sw_metric_set(d->meters.conns, NULL, http.conns);
	sw_metric_set(d->meters.viewers, NULL, dash_live_viewers(d));
	sw_metric_set(d->meters.history, NULL, d->store != NULL);
	sw_metrics_print(d->meters.all, &b);
	sw_http_reply(req, &(struct sw_http_answer){ .status = 200, .type = SW_METRICS_TYPE, .body = sw_buf_str(&b), .body_n = b.n });
}
