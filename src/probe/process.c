/* What a process is: memory, processor time, open files, start; read when metrics are printed. And the requests it answers. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/str.h"
#include "probe/inner.h"
#include "shipwatch/clock.h"

/* Bytes in memory; 0 where the system does not say. */
static double process_resident(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long total, pages = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%lu %lu", &total, &pages) != 2)
		pages = 0;
	(void)fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double process_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	if (!d)
		return 0;
	for (const struct dirent *e; (e = readdir(d)) != NULL;)
		n += e->d_name[0] != '.';
	(void)closedir(d);
	return n > 0 ? n - 1 : 0; /* without the one this took */
}

static double process_cpu(void)
{
	struct rusage u;

	if (getrusage(RUSAGE_SELF, &u) < 0)
		return 0;
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void process_print(void *arg)
{
	struct sw_metrics *m = arg;
	struct sw_series *cpu;
	struct cell *c;

	sw_metric_set(sw_metric_gauge(m, "process_resident_memory_bytes", "Memory in use.", NULL, 1, true), NULL, process_resident());
	sw_metric_set(sw_metric_gauge(m, "process_open_fds", "Open file descriptors.", NULL, 1, true), NULL, process_files());
	cpu = sw_metric_series(sw_metric_counter(m, "process_cpu_seconds_total", "Processor time used.", NULL, 1), NULL);
	c = cpu ? series_cell(cpu) : NULL;
	if (c)
		value_write(&c->v[0], process_cpu()); /* the system counts, and never down */
}

void sw_metrics_process(struct sw_metrics *m)
{
	struct sw_metric *start = sw_metric_gauge(m, "process_start_time_seconds", "When it began, seconds since 1970.", NULL, 1, true);

	if (!start)
		return;
	sw_metric_set(start, NULL, (double)sw_clock_wall() / 1000);
	process_print(m);
	(void)sw_metrics_on_print(m, process_print, m);
}

/* ---- requests ---- */

struct sw_requests {
	struct sw_metric *total, *seconds;
};

struct sw_requests *sw_requests_new(struct sw_metrics *m)
{
	static const char *const l_total[] = { "code", "handler", "method", NULL }, *const l_seconds[] = { "handler", "method", NULL };
	struct sw_requests *r = sw_calloc(1, sizeof *r);

	r->total = sw_metric_counter(m, "http_requests_total", "Requests answered.", l_total, 500);
	r->seconds = sw_metric_histogram(m, "http_request_duration_seconds", "How long an answer took.", l_seconds, 100, NULL, 0);
	return r;
}

void sw_requests_free(struct sw_requests *r)
{
	free(r);
}

/* The sender chooses the word: it must not make series without end. */
static const char *method_name(const char *method)
{
	static const char *const usual[] = { "GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS" };

	for (size_t i = 0; i < SW_COUNT(usual); i++)
		if (sw_streq(method, usual[i]))
			return usual[i];
	return "other";
}

static const char *code_name(int code, char digits[4])
{
	if (code < 100 || code > 599)
		return "0";
	digits[0] = (char)('0' + code / 100);
	digits[1] = (char)('0' + code / 10 % 10);
	digits[2] = (char)('0' + code % 10);
	digits[3] = '\0';
	return digits;
}

void sw_requests_expect(struct sw_requests *r, const char *method, const char *handler, int code)
{
	char digits[4];

	if (!r)
		return;
	method = method_name(method);
	(void)sw_metric_series(r->total, (const char *const[]){ code_name(code, digits), handler, method });
	(void)sw_metric_series(r->seconds, (const char *const[]){ handler, method });
}

void sw_requests_count(struct sw_requests *r, const char *method, const char *handler, int code, double seconds)
{
	char digits[4];

	if (!r)
		return;
	method = method_name(method);
	SW_METRIC_INC(r->total, code_name(code, digits), handler, method);
	sw_metric_observe(r->seconds, (const char *const[]){ handler, method }, seconds);
}
