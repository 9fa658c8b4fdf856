/*
 * The HTTP client: requests of plug-ins carried out in the loop, by libcurl. Names are resolved by resolve.h and
 * pinned, so that nothing in here blocks.
 */
#ifndef SW_IO_HTTP_CLIENT_H
#define SW_IO_HTTP_CLIENT_H

#include "io/loop.h"
#include "shipwatch/base.h"
#include "shipwatch/err.h"
#include "shipwatch/job.h"

struct sw_http_client;
struct sw_http_call;

#define SW_HTTP_CALLS   1000             /* under way at once; further ones end in SW_FAULT_CONNECT */
#define SW_HTTP_TIMEOUT (10 * SW_SECOND) /* of a job that names none */

struct sw_http_client_conf {
	const char *proxy;   /* "http://proxy.example.com:3128"; NULL or "": none, whatever the environment says */
	const char *ca_file; /* PEM bundle; NULL or "": the system's */
	const char *resolv_conf, *hosts; /* NULL: the system's */
};

/* res is borrowed during the callback. res->at is this machine's wall clock. */
typedef void (*sw_http_client_cb)(void *arg, const struct sw_result *res);

/* conf is copied; NULL: no proxy, system's certificates. Return: 0, or -errno with err. */
SW_CHECKED int sw_http_client_new(struct sw_loop *loop, const struct sw_http_client_conf *conf,
                                  struct sw_http_client **ret, struct sw_err *err);
/* Calls under way are cancelled: their callbacks do not run. Not from within a callback. NULL is fine. */
void sw_http_client_free(struct sw_http_client *c);
/*
 * Carries out an SW_JOB_HTTP; the job is copied. The callback runs exactly once, never from within this call. A request
 * that is not GET or HEAD goes over a connection of its own, so that libcurl never sends it twice by itself. Redirects
 * are answers, unless job->follow: then a GET or HEAD follows up to five on the same host, never from https to http.
 */
struct sw_http_call *sw_http_client_do(struct sw_http_client *c, const struct sw_job *job, sw_http_client_cb cb,
                                       void *arg);
/* The callback will not run. Not after it ran. */
void sw_http_client_cancel(struct sw_http_call *call);
/* Calls under way. */
size_t sw_http_client_busy(const struct sw_http_client *c);

#endif
