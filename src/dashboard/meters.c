/* What a dashboard counts (design 8). Every family is declared here, nowhere else. */
#include "dashboard/inner.h"
#include "shipwatch/clock.h"

int dash_meters_new(struct dash *d)
{
	static const double fine[] = { 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5 };
	static const char *const l_build[] = { "version", "commit", NULL }, *const l_request[] = { "route", "code", NULL };
	static const char *const l_route[] = { "route", NULL }, *const l_outcome[] = { "outcome", NULL }, *const l_what[] = { "what", NULL };
	struct dash_meters *m = &d->meters;
	int r = sw_metrics_new(2, &m->all); /* this process and the recorder */

	if (r < 0)
		return r;
	sw_metric_set(sw_metric_gauge(m->all, "shipwatch_build_info", "Which program this is.", l_build, 1, true),
	              (const char *const[]){ d->opt->version, d->opt->commit }, 1);
	sw_metric_set(sw_metric_gauge(m->all, "shipwatch_start_time_seconds", "When it started, seconds since 1970.", NULL, 1, true), NULL,
	              (double)sw_clock_wall() / 1000);
	m->requests = sw_metric_counter(m->all, "shipwatch_http_requests_total", "Requests answered, by route and status.", l_request, 500);
	m->seconds = sw_metric_histogram(m->all, "shipwatch_http_request_seconds", "From a request's first byte to its answer.", l_route, 120,
	                                 fine, SW_COUNT(fine));
	m->conns = sw_metric_gauge(m->all, "shipwatch_http_connections", "Open connections.", NULL, 1, false);
	m->viewers = sw_metric_gauge(m->all, "shipwatch_live_viewers", "Browsers that are told what changes.", NULL, 1, false);
	m->told = sw_metric_counter(m->all, "shipwatch_live_events_total", "Changes told to viewers, one for each viewer.", NULL, 1);
	m->cut = sw_metric_counter(m->all, "shipwatch_live_cut_total", "Viewers that took nothing for too long and were cut off.", NULL, 1);
	m->masters = sw_metric_counter(m->all, "shipwatch_redis_master_changes_total", "Times the sentinels named another master than before.", NULL, 1);
	m->redis_up = sw_metric_gauge(m->all, "shipwatch_redis_up", "Whether Redis answers.", NULL, 1, true);
	m->history = sw_metric_gauge(m->all, "shipwatch_history_up", "Whether the history can be read.", NULL, 1, true);
	m->recorder = sw_metric_gauge(m->all, "shipwatch_recorder_up", "Whether the recorder runs.", NULL, 1, true);
	m->restarts = sw_metric_counter(m->all, "shipwatch_recorder_restarts_total", "Recorders that ended and were started again.", NULL, 1);
	m->signins = sw_metric_counter(m->all, "shipwatch_sign_ins_total", "Tries to sign in, by outcome.", l_outcome, 8);
	m->limited = sw_metric_counter(m->all, "shipwatch_auth_limited_total", "Refusals of addresses with too many failed authentications.", NULL, 1);
	m->decisions = sw_metric_counter(m->all, "shipwatch_decisions_total", "Decisions of people, by what was decided.", l_what, 32);
	sw_recorder_meters_new(m->all, 1, &m->recorder_own);
	return 0;
}
