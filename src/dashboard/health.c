/* The dashboard's own answers to machines: /health and /metrics. */
#include "dashboard/inner.h"

static void health_check(struct sw_jw *w, const char *name, bool well, const char *why)
{
	sw_jw_obj(w, name);
	sw_jw_str(w, "status", well ? "ok" : "fail");
	if (!well && *why)
		sw_jw_str(w, "reason", why);
	sw_jw_obj_end(w);
}

/* Answers are given as long as the process lives: what is away is named, and is no reason to take the dashboard away too. */
void dash_health(struct dash *d, struct sw_http_req *req)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;

	dash_store_look(d);
	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "status", "ok");
	sw_jw_str(&w, "version", d->opt->version);
	sw_jw_str(&w, "commit", d->opt->commit);
	sw_jw_str(&w, "built", d->opt->built);
	sw_jw_int(&w, "uptime_s", (sw_loop_wall(d->loop) - d->started) / SW_SECOND);
	sw_jw_obj(&w, "checks");
	health_check(&w, "redis", sw_bus_up(d->bus), d->redis_why);
	health_check(&w, "history", d->store != NULL, d->store_why);
	health_check(&w, "recorder", d->recorder.pid > 0, d->recorder.why);
	sw_jw_obj_end(&w);
	sw_jw_obj_end(&w);
	dash_json(req, 200, NULL, 0, sw_buf_str(&b));
}

void dash_metrics(struct dash *d, struct sw_http_req *req)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_http_stats http;
	struct sw_header h[16];
	size_t n = dash_headers_common(h, NULL);

	sw_http_server_stats(d->http, &http);
	sw_metric_set(d->meters.conns, NULL, http.conns);
	sw_metric_set(d->meters.viewers, NULL, dash_live_viewers(d));
	sw_metric_set(d->meters.history, NULL, d->store != NULL);
	sw_metrics_print(d->meters.all, &b);
	sw_http_reply(req, &(struct sw_http_answer){ .status = 200, .type = SW_METRICS_TYPE, .headers = h, .n_headers = n, .body = sw_buf_str(&b), .body_n = b.n });
}
