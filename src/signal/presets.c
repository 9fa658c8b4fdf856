/*
 * The table of presets. Where the names come from:
 *
 *   default        the names most libraries use for HTTP servers, with the status under `code`, `status` or
 * `status_code` client-golang  promhttp.InstrumentHandlerCounter and …Duration label with `code` and `method`;
 * `handler` is curried: https://pkg.go.dev/github.com/prometheus/client_golang/prometheus/promhttp
 *                  process_resident_memory_bytes, process_start_time_seconds: its process collector, also of other
 * clients spring-boot    Micrometer's http.server.requests: `uri`, `method`, `status`, `outcome`, `exception`; buckets
 * only with management.metrics.distribution.percentiles-histogram.http.server.requests=true
 *                  https://docs.spring.io/spring-boot/reference/actuator/metrics.html
 *   nginx-ingress  request_duration_seconds (histogram), requests (counter): `status`, `method`, `path`, `ingress`,
 * `service` https://kubernetes.github.io/ingress-nginx/user-guide/monitoring/ istio          istio_requests_total,
 * istio_request_duration_milliseconds: `response_code`, `reporter`
 *                  https://istio.io/latest/docs/reference/config/metrics/
 *   envoy          cluster.<name>.upstream_rq_xx and upstream_rq_time (ms): `envoy_response_code_class`,
 * `envoy_cluster_name` https://www.envoyproxy.io/docs/envoy/latest/configuration/upstream/cluster_manager/cluster_stats
 *
 * `>= 0` behind a quantile: without requests the quantile is NaN, which is not >= 0, so that nothing comes back:
 * absent, not nan. What a proxy measures of itself (its memory, its restarts) is not the service's: nginx-ingress,
 * istio and envoy have none of it. A list is not made from a scrape: its buckets would have to be remembered for each
 * element.
 */
#include "signal/presets.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

struct preset_row {
	const char *signal, *prometheus, *bad, *all, *scrape;
};
struct preset {
	const char *name;
	const struct preset_row *rows;
};

/* A quantile of a histogram in seconds; and in milliseconds. */
#define QUANTILE(p, name, by, more)                                                                                    \
	"histogram_quantile(" p ", sum by (le" by ") (rate(" name "_bucket{$labels" more "}[$window])))"
#define LATENCY(p, name, more)    QUANTILE(p, name, "", more) " >= 0"
#define LATENCY_MS(p, name, more) QUANTILE(p, name, "", more) " / 1000 >= 0"
#define GROWN(name, more)         "sum(increase(" name "{$labels" more "}[$window]))"
#define RATE(name, more)          "sum(rate(" name "{$labels" more "}[$window]))"
#define GROWN_BY(by, name, more)  "sum by (" by ") (increase(" name "{$labels" more "}[$window]))"
/* The same without a Prometheus. */
#define SCRAPED(p, name) "quantile(" p ", " name ")"

#define PROCESS_ROWS                                                                                                   \
	{ "memory_rss", "max(process_resident_memory_bytes{$labels})", NULL, NULL,                                     \
	  "max(process_resident_memory_bytes)" },                                                                      \
	{                                                                                                              \
		"restarts", NULL, NULL, "sum(changes(process_start_time_seconds{$labels}[$window]))",                  \
		    "changes(process_start_time_seconds)"                                                              \
	}

/* Series that say it one way never say it another, so nothing is counted twice. */
#define ANY_STATUS(func)                                                                                               \
	"sum(" func "(http_requests_total{$labels,code=~\"5..\"}[$window]) or " func                                   \
	"(http_requests_total{$labels,status=~\"5..\"}[$window]) or " func                                             \
	"(http_requests_total{$labels,status_code=~\"5..\"}[$window]))"
#define ANY_ELEMENT "method,handler,uri,path,route,endpoint"
#define ANY_FAILED                                                                                                     \
	"sum by (" ANY_ELEMENT ") (increase(http_requests_total{$labels,code=~\"5..\"}[$window]) or "                  \
	"increase(http_requests_total{$labels,status=~\"5..\"}[$window]) or "                                          \
	"increase(http_requests_total{$labels,status_code=~\"5..\"}[$window]))"

static const struct preset_row default_rows[] = {
	{ "http_latency_p50", LATENCY("0.5", "http_request_duration_seconds", ""), NULL, NULL,
	  SCRAPED("0.5", "http_request_duration_seconds") },
	{ "http_latency_p95", LATENCY("0.95", "http_request_duration_seconds", ""), NULL, NULL,
	  SCRAPED("0.95", "http_request_duration_seconds") },
	{ "http_latency_p99", LATENCY("0.99", "http_request_duration_seconds", ""), NULL, NULL,
	  SCRAPED("0.99", "http_request_duration_seconds") },
	{ "error_rate", NULL, ANY_STATUS("increase"), GROWN("http_requests_total", ""),
	  "ratio(http_requests_total{code=~\"5..\"} or http_requests_total{status=~\"5..\"} or "
	  "http_requests_total{status_code=~\"5..\"}, "
	  "http_requests_total)" },
	{ "request_rate", RATE("http_requests_total", ""), NULL, NULL, "rate(http_requests_total)" },
	{ "requests", NULL, NULL, GROWN("http_requests_total", ""), "increase(http_requests_total)" },
	{ "endpoints", QUANTILE("0.95", "http_request_duration_seconds", "," ANY_ELEMENT, ""), ANY_FAILED,
	  GROWN_BY(ANY_ELEMENT, "http_requests_total", ""), NULL },
	PROCESS_ROWS,
	{ 0 },
};

static const struct preset_row golang_rows[] = {
	{ "http_latency_p50", LATENCY("0.5", "http_request_duration_seconds", ""), NULL, NULL,
	  SCRAPED("0.5", "http_request_duration_seconds") },
	{ "http_latency_p95", LATENCY("0.95", "http_request_duration_seconds", ""), NULL, NULL,
	  SCRAPED("0.95", "http_request_duration_seconds") },
	{ "http_latency_p99", LATENCY("0.99", "http_request_duration_seconds", ""), NULL, NULL,
	  SCRAPED("0.99", "http_request_duration_seconds") },
	{ "error_rate", NULL, GROWN("http_requests_total", ",code=~\"5..\""), GROWN("http_requests_total", ""),
	  "ratio(http_requests_total{code=~\"5..\"}, http_requests_total)" },
	{ "request_rate", RATE("http_requests_total", ""), NULL, NULL, "rate(http_requests_total)" },
	{ "requests", NULL, NULL, GROWN("http_requests_total", ""), "increase(http_requests_total)" },
	{ "endpoints", QUANTILE("0.95", "http_request_duration_seconds", ",method,handler", ""),
	  GROWN_BY("method,handler", "http_requests_total", ",code=~\"5..\""),
	  GROWN_BY("method,handler", "http_requests_total", ""), NULL },
	PROCESS_ROWS,
	{ 0 },
};

/* The actuator's own pages are no traffic: /actuator/health is what a probe asks. */
#define SPRING     "http_server_requests_seconds"
#define SPRING_NOT ",uri!~\"/actuator.*\""
#define SPRING_IS  SPRING "{uri!~\"/actuator.*\"}"
static const struct preset_row spring_rows[] = {
	{ "http_latency_p50", LATENCY("0.5", SPRING, SPRING_NOT), NULL, NULL, SCRAPED("0.5", SPRING_IS) },
	{ "http_latency_p95", LATENCY("0.95", SPRING, SPRING_NOT), NULL, NULL, SCRAPED("0.95", SPRING_IS) },
	{ "http_latency_p99", LATENCY("0.99", SPRING, SPRING_NOT), NULL, NULL, SCRAPED("0.99", SPRING_IS) },
	{ "error_rate", NULL, GROWN(SPRING "_count", SPRING_NOT ",status=~\"5..\""), GROWN(SPRING "_count", SPRING_NOT),
	  "ratio(" SPRING "_count{uri!~\"/actuator.*\",status=~\"5..\"}, " SPRING "_count{uri!~\"/actuator.*\"})" },
	{ "request_rate", RATE(SPRING "_count", SPRING_NOT), NULL, NULL,
	  "rate(" SPRING "_count{uri!~\"/actuator.*\"})" },
	{ "requests", NULL, NULL, GROWN(SPRING "_count", SPRING_NOT),
	  "increase(" SPRING "_count{uri!~\"/actuator.*\"})" },
	{ "endpoints", QUANTILE("0.95", SPRING, ",method,uri", SPRING_NOT),
	  GROWN_BY("method,uri", SPRING "_count", SPRING_NOT ",status=~\"5..\""),
	  GROWN_BY("method,uri", SPRING "_count", SPRING_NOT), NULL },
	/* Micrometer tells no resident memory; what the JVM has taken from the system is nearest to it */
	{ "memory_rss", "max(sum without (area,id) (jvm_memory_committed_bytes{$labels}))", NULL, NULL,
	  "sum(jvm_memory_committed_bytes)" },
	{ "restarts", NULL, NULL, "sum(changes(process_start_time_seconds{$labels}[$window]))",
	  "changes(process_start_time_seconds)" },
	{ 0 },
};

#define NGINX "nginx_ingress_controller_request"
static const struct preset_row nginx_rows[] = {
	{ "http_latency_p50", LATENCY("0.5", NGINX "_duration_seconds", ""), NULL, NULL,
	  SCRAPED("0.5", NGINX "_duration_seconds") },
	{ "http_latency_p95", LATENCY("0.95", NGINX "_duration_seconds", ""), NULL, NULL,
	  SCRAPED("0.95", NGINX "_duration_seconds") },
	{ "http_latency_p99", LATENCY("0.99", NGINX "_duration_seconds", ""), NULL, NULL,
	  SCRAPED("0.99", NGINX "_duration_seconds") },
	{ "error_rate", NULL, GROWN(NGINX "s", ",status=~\"5..\""), GROWN(NGINX "s", ""),
	  "ratio(" NGINX "s{status=~\"5..\"}, " NGINX "s)" },
	{ "request_rate", RATE(NGINX "s", ""), NULL, NULL, "rate(" NGINX "s)" },
	{ "requests", NULL, NULL, GROWN(NGINX "s", ""), "increase(" NGINX "s)" },
	{ "endpoints", QUANTILE("0.95", NGINX "_duration_seconds", ",method,path", ""),
	  GROWN_BY("method,path", NGINX "s", ",status=~\"5..\""), GROWN_BY("method,path", NGINX "s", ""), NULL },
	{ 0 },
};

/* Both ends of a call are measured; who is called is the service. In ambient mode its end is a waypoint. */
#define ISTIO_MS "istio_request_duration_milliseconds"
#define ISTIO_AT ",reporter=~\"destination|waypoint\""
static const struct preset_row istio_rows[] = {
	{ "http_latency_p50", LATENCY_MS("0.5", ISTIO_MS, ISTIO_AT), NULL, NULL,
	  "quantile(0.5, " ISTIO_MS "{reporter=~\"destination|waypoint\"}) / 1000" },
	{ "http_latency_p95", LATENCY_MS("0.95", ISTIO_MS, ISTIO_AT), NULL, NULL,
	  "quantile(0.95, " ISTIO_MS "{reporter=~\"destination|waypoint\"}) / 1000" },
	{ "http_latency_p99", LATENCY_MS("0.99", ISTIO_MS, ISTIO_AT), NULL, NULL,
	  "quantile(0.99, " ISTIO_MS "{reporter=~\"destination|waypoint\"}) / 1000" },
	{ "error_rate", NULL, GROWN("istio_requests_total", ISTIO_AT ",response_code=~\"5..\""),
	  GROWN("istio_requests_total", ISTIO_AT),
	  "ratio(istio_requests_total{reporter=~\"destination|waypoint\",response_code=~\"5..\"}, "
	  "istio_requests_total{reporter=~\"destination|waypoint\"})" },
	{ "request_rate", RATE("istio_requests_total", ISTIO_AT), NULL, NULL,
	  "rate(istio_requests_total{reporter=~\"destination|waypoint\"})" },
	{ "requests", NULL, NULL, GROWN("istio_requests_total", ISTIO_AT),
	  "increase(istio_requests_total{reporter=~\"destination|waypoint\"})" },
	{ 0 },
};

#define ENVOY "envoy_cluster_upstream_rq"
static const struct preset_row envoy_rows[] = {
	{ "http_latency_p50", LATENCY_MS("0.5", ENVOY "_time", ""), NULL, NULL,
	  "quantile(0.5, " ENVOY "_time) / 1000" },
	{ "http_latency_p95", LATENCY_MS("0.95", ENVOY "_time", ""), NULL, NULL,
	  "quantile(0.95, " ENVOY "_time) / 1000" },
	{ "http_latency_p99", LATENCY_MS("0.99", ENVOY "_time", ""), NULL, NULL,
	  "quantile(0.99, " ENVOY "_time) / 1000" },
	{ "error_rate", NULL, GROWN(ENVOY "_xx", ",envoy_response_code_class=\"5\""), GROWN(ENVOY "_xx", ""),
	  "ratio(" ENVOY "_xx{envoy_response_code_class=\"5\"}, " ENVOY "_xx)" },
	{ "request_rate", RATE(ENVOY "_xx", ""), NULL, NULL, "rate(" ENVOY "_xx)" },
	{ "requests", NULL, NULL, GROWN(ENVOY "_xx", ""), "increase(" ENVOY "_xx)" },
	{ 0 },
};

/* Names as in sw_place_presets. */
static const struct preset presets[] = {
	{ "default", default_rows },     { "client-golang", golang_rows }, { "spring-boot", spring_rows },
	{ "nginx-ingress", nginx_rows }, { "istio", istio_rows },          { "envoy", envoy_rows },
};

static const struct preset_row *preset_find(const char *preset, const char *signal)
{
	const struct preset *p = &presets[0];

	for (size_t i = 0; preset && i < SW_COUNT(presets); i++)
		if (strcmp(presets[i].name, preset) == 0)
			p = &presets[i];
	for (const struct preset_row *r = p->rows; r->signal; r++)
		if (sw_streq(r->signal, signal))
			return r;
	return NULL;
}

const struct sw_query *sw_preset_fill(const struct sw_query *q, const char *preset, enum sw_preset_for what,
                                      struct sw_arena *a, struct sw_err *err)
{
	bool scrape = what == SW_PRESET_SCRAPE;
	const struct preset_row *row;
	struct sw_query *filled;

	if (scrape ? q->scrape != NULL : q->prometheus || q->all)
		return q;
	row = preset_find(preset, q->signal);
	if (!row || (scrape ? !row->scrape : !row->prometheus && !row->all)) {
		(void)sw_err_set(err, ENOENT, "the preset %s has nothing for %s %s; say it under signals: in the rules",
		                 preset ? preset : "default", q->signal, scrape ? "in a scrape" : "from a Prometheus");
		return NULL;
	}
	filled = SW_ARENA_NEW(a, struct sw_query);
	*filled = *q;
	if (scrape) {
		filled->scrape = row->scrape;
	} else {
		filled->prometheus = row->prometheus;
		filled->bad = row->bad;
		filled->all = row->all;
	}
	return filled;
}
