/*
 * libshipwatch-probe: what a service links to be watched well. Metrics in Prometheus' words, /health, a log that carries the ids
 * of a run and of a request, and what was built. docs/probe.md begins with a whole service; shipwatch-probe(3) is this page.
 *
 *   static const struct sw_build build = SW_BUILD_INFO;
 *
 *   struct sw_metrics *m;
 *   struct sw_health *h = sw_health_new(&build);
 *   if (sw_metrics_new(1, &m) < 0) …
 *   struct sw_metric *sent = sw_metric_counter(m, "cart_mails_sent_total", "Mails sent.", NULL, 1);
 *   sw_metric_add(sent, NULL, 1);
 *   evhttp_set_cb(http, "/metrics", sw_evhttp_metrics, m);      (shipwatch/probe_evhttp.h; or sw_metrics_text for another server)
 *   evhttp_set_cb(http, "/health", sw_evhttp_health, h);
 *
 * The library does not end the program, but where memory runs out: then it says so on stderr and aborts. It starts no
 * threads, but for sw_health_ask. Functions may be called from any thread unless they say otherwise. What is NULL because it
 * could not be made is taken everywhere and does nothing, so that a mistake in the name of a metric does not end a service.
 */
#ifndef SHIPWATCH_PROBE_H
#define SHIPWATCH_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shipwatch/log.h"
#include "shipwatch/public.h"

SW_EXTERN_C_BEGIN

/* ---- what was built ---- */

struct sw_build {
	const char *version;     /* "1.4.0" */
	const char *commit;      /* the whole sha, as the git host says it: Shipwatch compares it with what was deployed */
	const char *built;       /* "2026-11-24T13:48:05Z" */
};

/* Said by the build: -DSW_BUILD_COMMIT='"…"', or a header that `shipwatch-build-info --header FILE` writes, included before. */
#ifndef SW_BUILD_VERSION
#define SW_BUILD_VERSION "unknown"
#endif
#ifndef SW_BUILD_COMMIT
#define SW_BUILD_COMMIT "unknown"
#endif
#ifndef SW_BUILD_TIME
#define SW_BUILD_TIME "unknown"
#endif
#define SW_BUILD_INFO { SW_BUILD_VERSION, SW_BUILD_COMMIT, SW_BUILD_TIME }

/* ---- metrics ---- */

struct sw_metrics;
struct sw_metric;
struct sw_series;

#define SW_METRIC_LABELS 8          /* labels a family has at most */
#define SW_METRIC_VALUE  128        /* bytes of a label's value; longer ones are cut, at a whole character */
#define SW_METRIC_SERIES 10000      /* what `max` may be at most */
#define SW_METRIC_BOUNDS 20         /* limits of a histogram, without +Inf */
#define SW_METRIC_FAMILIES 128      /* in one struct sw_metrics */

/*
 * The values lie in memory shared by so many processes (1 to 1024), each with a part of its own, so that whichever of them is
 * asked answers for all, and a process that is started again counts on from where its forerunner was. A program of one process
 * says 1. Families are declared before the processes part. Return: 0, or -EINVAL, -ENOMEM.
 */
SW_PUBLIC SW_CHECKED int sw_metrics_new(unsigned processes, struct sw_metrics **ret);
/* Everything made of it is gone with it: families, series. No other thread may still use them. */
SW_PUBLIC void sw_metrics_free(struct sw_metrics *m);
/*
 * From now on this process counts in part k (0 unless said): called after fork(), before there are threads. Gauges there begin
 * at 0, the rest goes on. Handles of series stay valid. k: below the number of processes, and of no other process that lives; a k
 * that is not there aborts, as it would spoil what others count.
 */
SW_PUBLIC void sw_metrics_become(struct sw_metrics *m, unsigned k);

/*
 * Families. All texts are borrowed for ever (literals). labels: NULL-ended names, or NULL; max: different combinations of
 * values (1 to SW_METRIC_SERIES) before the rest is counted as "other" in all labels. The same name, type and labels a second
 * time give the same family. Return: NULL with errno EINVAL where a name or bound is not what Prometheus takes (names:
 * [a-zA-Z_:][a-zA-Z0-9_:]*; labels without colons, not "le" in a histogram, not beginning with "__", none twice), EEXIST where the
 * name is that of a family of another kind, ENOSPC where there are SW_METRIC_FAMILIES.
 */
SW_PUBLIC struct sw_metric *sw_metric_counter(struct sw_metrics *m, const char *name, const char *help, const char *const *labels,
                                              unsigned max);
/* The processes' values are added up; with largest the greatest is told. */
SW_PUBLIC struct sw_metric *sw_metric_gauge(struct sw_metrics *m, const char *name, const char *help, const char *const *labels,
                                            unsigned max, bool largest);
/* bounds: rising upper limits, at most SW_METRIC_BOUNDS, borrowed for ever; +Inf is added. NULL: 0.005 to 10 s, as usual. */
SW_PUBLIC struct sw_metric *sw_metric_histogram(struct sw_metrics *m, const char *name, const char *help, const char *const *labels,
                                                unsigned max, const double *bounds, unsigned n_bounds);

/*
 * By the values of the labels: as many as the family has (NULL counts as ""), or NULL for none. No lock and no memory once the
 * combination was seen. Broken UTF-8 becomes U+FFFD.
 */
SW_PUBLIC void sw_metric_add(struct sw_metric *f, const char *const *values, double v);     /* counter, gauge */
SW_PUBLIC void sw_metric_set(struct sw_metric *f, const char *const *values, double v);     /* gauge */
SW_PUBLIC void sw_metric_observe(struct sw_metric *f, const char *const *values, double v); /* histogram */
#ifndef __cplusplus
/* SW_METRIC_INC(requests, "GET", "200"); */
#define SW_METRIC_INC(f, ...) sw_metric_add((f), (const char *const[]){ __VA_ARGS__ }, 1)
#endif

/*
 * A handle of one series: found once, then used without looking anything up. The series is shown from now on, with 0. What does
 * not fit is "other", as above. NULL only where the memory for series (1 MiB a process) is full. Valid until sw_metrics_free.
 */
SW_PUBLIC struct sw_series *sw_metric_series(struct sw_metric *f, const char *const *values);
/* Atomic, without a lock. A counter does not take what is negative; nothing takes what is not a finite number. */
SW_PUBLIC void sw_series_add(struct sw_series *s, double v);     /* counter, gauge */
SW_PUBLIC void sw_series_set(struct sw_series *s, double v);     /* gauge */
SW_PUBLIC void sw_series_observe(struct sw_series *s, double v); /* histogram */
/* What this process counted; of a histogram: how many values. */
SW_PUBLIC double sw_series_value(const struct sw_series *s);

/* fn sets gauges just before the metrics are printed, in the thread that prints. At most 8. Return: 0, or -ENOSPC. */
SW_PUBLIC int sw_metrics_on_print(struct sw_metrics *m, void (*fn)(void *arg), void *arg);
/* A gauge that is 1 and tells version and commit in its labels; name: "build_info". Again: what is told from now on. */
SW_PUBLIC void sw_metrics_build_info(struct sw_metrics *m, const char *name, const struct sw_build *build);
/*
 * process_resident_memory_bytes, process_cpu_seconds_total, process_open_fds, process_start_time_seconds: of the process that
 * prints. From them Shipwatch tells memory and restarts.
 */
SW_PUBLIC void sw_metrics_process(struct sw_metrics *m);

/*
 * All processes together, as Prometheus text. Return: 0 and *ret (free() it), *ret_n bytes, NUL-ended.
 * Where series did not fit into memory, probe_dropped_total tells how many times.
 */
SW_PUBLIC int sw_metrics_text(const struct sw_metrics *m, char **ret, size_t *ret_n);
#define SW_METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/*
 * Requests as Shipwatch's default preset asks for them: http_requests_total by code, handler and method, and the histogram
 * http_request_duration_seconds by handler and method. handler: the route ("/carts/:id"), never the path. At most 500 and 100
 * combinations.
 */
struct sw_requests;
SW_PUBLIC struct sw_requests *sw_requests_new(struct sw_metrics *m);
SW_PUBLIC void sw_requests_free(struct sw_requests *r);
/* Shows them with 0 from now on: what a rate of failures is asked from has to be there before the first failure. */
SW_PUBLIC void sw_requests_expect(struct sw_requests *r, const char *method, const char *handler, int code);
/* One was answered. What is no usual method is "other", a code out of 100 to 599 is "0". */
SW_PUBLIC void sw_requests_count(struct sw_requests *r, const char *method, const char *handler, int code, double seconds);

/* ---- health ---- */

struct sw_health;
struct sw_check;

enum sw_check_state { SW_CHECK_OK, SW_CHECK_FAIL, SW_CHECK_OFF /* not in use: neither good nor bad */ };

#define SW_CHECKS_MAX 32
#define SW_CHECK_ADVISORY 1u        /* shown, but does not make the whole fail */

/* build is copied; NULL: all "unknown". */
SW_PUBLIC struct sw_health *sw_health_new(const struct sw_build *build);
/* Does not wait for a check that hangs: its thread ends when it comes back. */
SW_PUBLIC void sw_health_free(struct sw_health *h);
SW_PUBLIC void sw_health_build(struct sw_health *h, const struct sw_build *build);
/* One more text beside the version, for instance "role"; both copied. At most 8. Return: 0, or -ENOSPC. */
SW_PUBLIC int sw_health_text_field(struct sw_health *h, const char *name, const char *value);
/* A verdict of the service's own beside its checks: SW_CHECK_FAIL makes the whole fail. why is copied. */
SW_PUBLIC void sw_health_overall(struct sw_health *h, enum sw_check_state state, const char *why);
/*
 * A check whose state the service reports by sw_check_set. stale_ms: older reports are a failure (0: they never are). Until
 * the first report it fails: what is not known is not good. The name is copied; the same name gives the same check.
 * Return: NULL where there are SW_CHECKS_MAX.
 */
SW_PUBLIC struct sw_check *sw_health_check(struct sw_health *h, const char *name, int64_t stale_ms, unsigned flags);
/* why: for people, copied, 255 bytes; NULL: none. Never waits for anything but another report. */
SW_PUBLIC void sw_check_set(struct sw_check *c, enum sw_check_state state, const char *why);
/* A figure beside the state, for instance "rtt_ms". At most 4 names a check; NAN: not shown. */
SW_PUBLIC void sw_check_number(struct sw_check *c, const char *name, double v);
/*
 * A check that may take its time: fn is called every every_ms in a thread of its own and fills why. /health tells its last
 * state and how old that is; where a call takes longer than timeout_ms the check fails, and /health still answers at once.
 * After fork(). Return: NULL where there are SW_CHECKS_MAX, or no thread.
 */
typedef enum sw_check_state (*sw_check_fn)(void *arg, char *why, size_t why_size);
SW_PUBLIC struct sw_check *sw_health_ask(struct sw_health *h, const char *name, sw_check_fn fn, void *arg, int64_t every_ms,
                                         int64_t timeout_ms, unsigned flags);
/*
 * {"status":"ok","version":…,"commit":…,"built":…,"uptime_s":…,"checks":{"db":{"status":"ok","age_s":0.4}, …}}
 * Where it fails, "reason" names the first check that does. Return: the HTTP status, 200 or 503; *ret: free() it.
 */
SW_PUBLIC int sw_health_text(struct sw_health *h, char **ret, size_t *ret_n);

/*
 * One GET of a http:// URL, for a container's health check and the end of a CI job (the program `shipwatch test-health` can more:
 * https, waiting). commit: has to be the one of the answer, whole or at least 7 digits; NULL: any. why: one line, also when well.
 * Return: 0 healthy; -EIO it answers, but not well or not as that commit; -EINVAL the URL or commit is none; -EBADMSG not HTTP;
 * -ETIMEDOUT, -ECONNREFUSED … not reached.
 */
SW_PUBLIC int sw_test_health(const char *url, const char *commit, int64_t timeout_ms, char *why, size_t why_size);

/* ---- a request and its ids ---- */

#define SW_REQUEST_ID  128          /* bytes of X-Request-Id; longer or odd ones are not taken, a new one is made */
#define SW_CI_RUN_ID   255          /* bytes of X-CI-Run-Id; longer or odd ones are left out */

struct sw_trace {
	char trace_id[33], span_id[17], parent_id[17]; /* hexadecimal; parent_id "" where the request came without */
	unsigned flags;                                /* of traceparent: 1 = sampled */
	char request_id[SW_REQUEST_ID + 1];
	char ci_run_id[SW_CI_RUN_ID + 1];              /* "" where none came */
};

/*
 * A request comes in: its headers traceparent (W3C), X-Request-Id and X-CI-Run-Id; NULL where it has none. What is broken is taken
 * as absent. A span of our own is begun in any case. Names of headers: SW_HEADER_…
 */
SW_PUBLIC void sw_trace_begin(struct sw_trace *t, const char *traceparent, const char *request_id, const char *ci_run_id);
/* A call within it: the same trace and ids, a new span below. */
SW_PUBLIC void sw_trace_child(struct sw_trace *t, const struct sw_trace *of);
/* Its ids are on this thread's log lines until sw_log_ids_pop(). t must live so long. */
SW_PUBLIC void sw_trace_push(const struct sw_trace *t);
/* For outgoing requests: "00-<trace>-<span>-01" into out. */
#define SW_TRACEPARENT 56
SW_PUBLIC void sw_trace_parent(const struct sw_trace *t, char out[SW_TRACEPARENT]);
/* Calls put for each header an outgoing request should have. */
SW_PUBLIC void sw_trace_headers(const struct sw_trace *t, void (*put)(void *arg, const char *name, const char *value), void *arg);

#define SW_HEADER_TRACE   "traceparent"
#define SW_HEADER_REQUEST "X-Request-Id"
#define SW_HEADER_CI_RUN  "X-CI-Run-Id"

SW_EXTERN_C_END

#endif
