/* The gateway's own pages: /health and /metrics. */
#include <string.h>

#include "base/json.h"
#include "gateway/inner.h"

void sw_reply_json(struct sw_http_req *req, int status, const struct sw_header *headers, size_t n, const char *json)
{
	sw_http_reply(req, &(struct sw_http_answer){ .status = status, .headers = headers, .n_headers = n, .body = json,
	                                             .body_n = strlen(json) });
}

void sw_reply_error(struct sw_http_req *req, int status, const struct sw_header *headers, size_t n, const char *what)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	sw_buf_cat(&b, "{\"error\":");
	sw_buf_json(&b, what);
	sw_buf_cat(&b, "}");
	sw_reply_json(req, status, headers, n, b.p);
}

static void health_check(struct sw_jw *w, const char *name, bool well, bool off, const char *why)
{
	sw_jw_obj(w, name);
	sw_jw_str(w, "status", off ? "off" : well ? "ok" : "fail");
	if (!well && *why)
		sw_jw_str(w, "reason", why);
}

void sw_page_health(struct gateway *g, struct sw_http_req *req)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct store_state st;
	struct sw_jw w;

	sw_store_state(g->store, &st);
	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "status", st.can_take ? "ok" : "fail");
	if (!st.can_take) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf why = SW_BUF_INIT;

		sw_buf_printf(&why, "Redis: %s; spool: %s", *st.redis_why ? st.redis_why : "well",
		              *st.spool_why ? st.spool_why : "well");
		sw_jw_str(&w, "reason", why.p);
	}
	sw_jw_str(&w, "version", g->opt->version);
	sw_jw_str(&w, "commit", g->opt->commit);
	sw_jw_str(&w, "built", g->opt->built);
	sw_jw_int(&w, "uptime_s", (sw_loop_wall(g->loop) - g->started) / SW_SECOND);
	sw_jw_obj(&w, "checks");
	health_check(&w, "redis", st.redis_durable && !*st.redis_why, false, st.redis_why);
	if (st.redis_up)
		sw_jw_int(&w, "rtt_ms", st.rtt);
	sw_jw_obj_end(&w);
	health_check(&w, "spool", st.spool_ok, !st.spool_on, st.spool_why);
	sw_jw_int(&w, "waiting_bytes", st.spool_bytes);
	sw_jw_obj_end(&w);
	sw_jw_obj_end(&w);
	sw_jw_obj_end(&w);
	sw_reply_json(req, st.can_take ? 200 : 503, NULL, 0, b.p);
}

void sw_gauges_set(struct gateway *g)
{
	struct sw_http_stats http;
	struct store_state st;

	sw_http_server_stats(g->http, &http);
	sw_store_state(g->store, &st);
	sw_metric_set(g->meters.conns, NULL, http.conns);
	sw_metric_set(g->meters.held, NULL, (double)http.held_bytes);
	sw_metric_set(g->meters.spool, NULL, (double)st.spool_bytes);
	sw_metric_set(g->meters.redis_up, NULL, st.redis_up);
	sw_metric_set(g->meters.rtt, NULL, (double)st.rtt / 1000);
}

void sw_page_metrics(struct gateway *g, struct sw_http_req *req)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	sw_gauges_set(g);
	sw_metrics_print(g->meters.all, &b);
	sw_http_reply(req, &(struct sw_http_answer){ .status = 200, .type = SW_METRICS_TYPE, .body = sw_buf_str(&b), .body_n = b.n });
}
