/*
 * One HTTP request, waited for, without libcurl: what the statically linked program for CI images uses, because Debian has no static
 * libraries of all that its libcurl.a needs. It says of each outcome what http_client.h says.
 */
#ifndef SW_IO_HTTP_ONCE_H
#define SW_IO_HTTP_ONCE_H

#include "shipwatch/err.h"
#include "shipwatch/job.h"

struct sw_http_once_conf {
	const char *proxy;   /* "http://[user:password@]host:port"; NULL or "": none */
	const char *ca_file; /* NULL: the system's */
};

/*
 * Carries out an SW_JOB_HTTP over a connection of its own; redirects as http_client.h. What ret points to is in a. Return: 0 and *ret,
 * whatever became of it.
 */
int sw_http_once(const struct sw_http_once_conf *conf, const struct sw_job *job, struct sw_arena *a, struct sw_result *ret);

#endif
