/* What a gateway counts (design 8). Every family is declared here, nowhere else. */
#include "gateway/inner.h"
#include "shipwatch/clock.h"

int sw_gateway_meters_new(unsigned processes, const struct sw_gateway_options *opt, struct sw_gateway_meters *m)
{
	static const double fine[] = { 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5 };
	static const char *const l_request[] = { "route", "code", NULL };
	static const char *const l_route[] = { "route", NULL }, *const l_delivery[] = { "source", "event", "outcome", NULL };
	static const char *const l_secret[] = { "source", "secret", NULL }, *const l_source[] = { "source", NULL };
	struct sw_metrics *all;
	struct sw_metric *start;
	int r = sw_metrics_new(processes + 1, &all);

	if (r < 0)
		return r;
	/* The last part is the parent's: what it says once stays when a child begins anew. */
	sw_metrics_become(all, processes);
	m->all = all;
	sw_metrics_build_info(all, "shipwatch_build_info", &(struct sw_build){ opt->version, opt->commit, opt->built });
	start = sw_metric_gauge(all, "shipwatch_start_time_seconds", "When it started, seconds since 1970.", NULL, 1, true);
	sw_metric_set(start, NULL, (double)sw_clock_wall() / 1000);
	m->requests = sw_metric_counter(all, "shipwatch_http_requests_total", "Requests answered, by route and status.", l_request, 120);
	m->seconds = sw_metric_histogram(all, "shipwatch_http_request_seconds", "From a request's first byte to its answer.", l_route, 6,
	                                 fine, SW_COUNT(fine));
	m->deliveries = sw_metric_counter(all, "shipwatch_deliveries_total", "Deliveries by source, event and what became of them.",
	                                  l_delivery, 300);
	m->secrets = sw_metric_counter(all, "shipwatch_secret_used_total", "Deliveries by the secret of the source's list that fitted, from 0.",
	                               l_secret, 60);
	m->bytes_in = sw_metric_counter(all, "shipwatch_received_bytes_total", "Bytes of authentic deliveries as sent.", NULL, 1);
	m->bytes_kept = sw_metric_counter(all, "shipwatch_kept_bytes_total", "Bytes of deliveries as kept.", NULL, 1);
	m->limited = sw_metric_counter(all, "shipwatch_auth_limited_total", "Refusals of addresses with too many failed authentications.",
	                               NULL, 1);
	m->conns = sw_metric_gauge(all, "shipwatch_http_connections", "Open connections.", NULL, 1, false);
	m->held = sw_metric_gauge(all, "shipwatch_http_held_bytes", "Bytes of requests that are not whole yet.", NULL, 1, false);
	m->spool = sw_metric_gauge(all, "shipwatch_spool_bytes", "Bytes in spools, waiting for Redis.", NULL, 1, false);
	m->redis_up = sw_metric_gauge(all, "shipwatch_redis_up", "Whether Redis answers (to any process of the gateway).", NULL, 1, true);
	m->masters = sw_metric_counter(all, "shipwatch_redis_master_changes_total", "Times the sentinels named another master than before, as each process saw it.", NULL, 1);
	m->rtt = sw_metric_gauge(all, "shipwatch_redis_round_trip_seconds", "How long Redis took to answer last.", NULL, 1, true);
	m->stream_up = sw_metric_gauge(all, "shipwatch_stream_up", "Whether the Redis of a source of kind redis-stream answers.",
	                               l_source, 40, true);
	m->restarts = sw_metric_counter(all, "shipwatch_gateway_restarts_total", "Processes of the gateway that ended and were started again.",
	                                NULL, 1);
	return 0;
}
