/* The gateway's own pages: /health and /metrics. */
#include <math.h>
#include <string.h>

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

static void health_check(struct gateway *g, const char *name, bool well, bool off, const char *why, const char *number, double v)
{
	/* Either of the two can take events: one that fails is shown, and the whole fails where neither can. */
	struct sw_check *c = sw_health_check(g->health, name, 0, SW_CHECK_ADVISORY);

	sw_check_set(c, off ? SW_CHECK_OFF : well ? SW_CHECK_OK : SW_CHECK_FAIL, well ? NULL : why);
	sw_check_number(c, number, v);
}

void sw_page_health(struct gateway *g, struct sw_http_req *req)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT, why = SW_BUF_INIT;
	struct store_state st;
	int status;

	sw_store_state(g->store, &st);
	health_check(g, "redis", st.redis_durable && !*st.redis_why, false, st.redis_why, "rtt_ms", st.redis_up ? (double)st.rtt : NAN);
	health_check(g, "spool", st.spool_ok, !st.spool_on, st.spool_why, "waiting_bytes", (double)st.spool_bytes);
	sw_buf_printf(&why, "Redis: %s; spool: %s", *st.redis_why ? st.redis_why : "well", *st.spool_why ? st.spool_why : "well");
	sw_health_overall(g->health, st.can_take ? SW_CHECK_OK : SW_CHECK_FAIL, why.p);
	status = sw_health_print(g->health, &b);
	sw_reply_json(req, status, NULL, 0, b.p);
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
