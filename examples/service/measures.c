/* The measurements that a service should show: how many answers by code, how long they took, how much memory, since when it runs. */
#include "measures.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <event2/buffer.h>

static const double limits[MEASURES_BUCKETS] = { 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10 };

static double now(clockid_t id)
{
	struct timespec ts;

	(void)clock_gettime(id, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void measures_init(struct measures *m)
{
	*m = (struct measures){ .started = now(CLOCK_REALTIME) };
}

double measures_clock(void)
{
	return now(CLOCK_MONOTONIC);
}

void measures_answered(struct measures *m, int code, double seconds)
{
	size_t i = 0;

	if (code < 500)
		m->ok++;
	else
		m->failed++;
	while (i < MEASURES_BUCKETS && seconds > limits[i])
		i++;
	m->buckets[i]++;
	m->seconds += seconds;
}

/* Bytes in memory; 0 where the system does not say. */
static unsigned long resident(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long total, pages = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%lu %lu", &total, &pages) != 2)
		pages = 0;
	(void)fclose(f);
	return pages * (unsigned long)sysconf(_SC_PAGESIZE);
}

void measures_text(const struct measures *m, const struct knobs *k, struct evbuffer *out)
{
	unsigned long sum = 0;

	(void)evbuffer_add_printf(out,
	                          "# HELP build_info What is running.\n# TYPE build_info gauge\n"
	                          "build_info{commit=\"%s\",version=\"%s\"} 1\n"
	                          "# HELP http_requests_total Requests answered.\n# TYPE http_requests_total counter\n"
	                          "http_requests_total{code=\"200\",handler=\"/\",method=\"GET\"} %lu\n"
	                          "http_requests_total{code=\"500\",handler=\"/\",method=\"GET\"} %lu\n"
	                          "# HELP http_request_duration_seconds How long an answer took.\n# TYPE http_request_duration_seconds histogram\n",
	                          k->commit, k->version, m->ok, m->failed);
	for (size_t i = 0; i < MEASURES_BUCKETS; i++) {
		sum += m->buckets[i];
		(void)evbuffer_add_printf(out, "http_request_duration_seconds_bucket{handler=\"/\",method=\"GET\",le=\"%g\"} %lu\n", limits[i], sum);
	}
	(void)evbuffer_add_printf(out,
	                          "http_request_duration_seconds_bucket{handler=\"/\",method=\"GET\",le=\"+Inf\"} %lu\n"
	                          "http_request_duration_seconds_sum{handler=\"/\",method=\"GET\"} %.6f\n"
	                          "http_request_duration_seconds_count{handler=\"/\",method=\"GET\"} %lu\n"
	                          "# HELP health_requests_total Questions after the health.\n# TYPE health_requests_total counter\n"
	                          "health_requests_total %lu\n"
	                          "# HELP process_resident_memory_bytes Memory in use.\n# TYPE process_resident_memory_bytes gauge\n"
	                          "process_resident_memory_bytes %lu\n"
	                          "# HELP process_start_time_seconds When it began, since 1970.\n# TYPE process_start_time_seconds gauge\n"
	                          "process_start_time_seconds %.3f\n",
	                          m->ok + m->failed, m->seconds, m->ok + m->failed, m->health, resident(), m->started);
}
