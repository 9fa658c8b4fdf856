/* What counting costs with libshipwatch-probe, against a counter under a mutex in the same run: nanoseconds each, as JSON lines. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shipwatch/base.h"
#include "shipwatch/probe.h"

enum { ROUNDS = 7, THREADS_MAX = 16 };

static struct {
	pthread_mutex_t lock;
	double locked;
	struct sw_metric *requests, *plain, *seconds;
	struct sw_series *handle, *histogram;
	long n;
	pthread_barrier_t begin;
} b = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void by_mutex(long n)
{
	for (long i = 0; i < n; i++) {
		(void)pthread_mutex_lock(&b.lock);
		b.locked += 1;
		(void)pthread_mutex_unlock(&b.lock);
	}
}

static void by_handle(long n)
{
	for (long i = 0; i < n; i++)
		sw_series_add(b.handle, 1);
}

static void by_family(long n)
{
	for (long i = 0; i < n; i++)
		sw_metric_add(b.plain, NULL, 1);
}

static void by_labels(long n)
{
	for (long i = 0; i < n; i++)
		SW_METRIC_INC(b.requests, "200", "/carts/:id", "GET");
}

static void by_observe(long n)
{
	for (long i = 0; i < n; i++)
		sw_series_observe(b.histogram, 0.03);
}

static const struct { const char *name; void (*fn)(long n); } ways[] = {
	{ "mutex", by_mutex }, { "handle", by_handle }, { "family", by_family }, { "labels", by_labels }, { "observe", by_observe },
};

/* Of this thread: a busy machine does not count, and what it waited for a mutex neither (which favours the mutex). */
static double cpu_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

struct job { size_t way; double ns; };

static void *worker(void *arg)
{
	struct job *j = arg;
	double began;

	(void)pthread_barrier_wait(&b.begin);
	began = cpu_now();
	ways[j->way].fn(b.n);
	j->ns = (cpu_now() - began) / (double)b.n;
	return NULL;
}

/* Nanoseconds of processor time of one increment, where so many threads count the same thing at once. */
static double once(size_t way, unsigned threads)
{
	pthread_t t[THREADS_MAX];
	struct job jobs[THREADS_MAX];
	double ns = 0;

	(void)pthread_barrier_init(&b.begin, NULL, threads);
	for (unsigned i = 0; i < threads; i++) {
		jobs[i] = (struct job){ .way = way };
		if (pthread_create(&t[i], NULL, worker, &jobs[i]) != 0)
			abort();
	}
	for (unsigned i = 0; i < threads; i++) {
		(void)pthread_join(t[i], NULL);
		ns += jobs[i].ns / threads;
	}
	(void)pthread_barrier_destroy(&b.begin);
	return ns;
}

static int compare(const void *x, const void *y)
{
	double a = *(const double *)x, c = *(const double *)y;

	return (a > c) - (a < c);
}

int main(int argc, char **argv)
{
	static const char *const labels[] = { "code", "handler", "method", NULL };
	struct sw_metrics *m;

	b.n = argc > 1 ? strtol(argv[1], NULL, 10) : 5000000;
	if (b.n <= 0 || sw_metrics_new(1, &m) < 0)
		return 1;
	b.requests = sw_metric_counter(m, "http_requests_total", "R.", labels, 500);
	for (int i = 0; i < 400; i++) {
		char path[32];

		(void)snprintf(path, sizeof path, "/other/%d", i);
		SW_METRIC_INC(b.requests, "200", path, "GET");
	}
	b.plain = sw_metric_counter(m, "plain_total", "P.", NULL, 1);
	b.handle = sw_metric_series(b.requests, (const char *const[]){ "200", "/", "GET" });
	b.seconds = sw_metric_histogram(m, "seconds", "S.", NULL, 1, NULL, 0);
	b.histogram = sw_metric_series(b.seconds, NULL);
	for (unsigned threads = 1; threads <= 2; threads++) {
		double ns[SW_COUNT(ways)][ROUNDS];

		/* one after the other in each round, so that what else the machine does falls on all alike */
		for (int r = 0; r < ROUNDS; r++)
			for (size_t w = 0; w < SW_COUNT(ways); w++)
				ns[w][r] = once(w, threads);
		for (size_t w = 0; w < SW_COUNT(ways); w++) {
			qsort(ns[w], ROUNDS, sizeof(double), compare);
			(void)printf("{\"threads\":%u,\"way\":\"%s\",\"ns\":%.2f,\"least\":%.2f}\n", threads, ways[w].name, ns[w][ROUNDS / 2], ns[w][0]);
		}
	}
	sw_metrics_free(m);
	return 0;
}
