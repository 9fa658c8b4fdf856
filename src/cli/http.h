/* One request of a command, waited for. */
#ifndef SW_CLI_HTTP_H
#define SW_CLI_HTTP_H

#include "config/config.h"
#include "shipwatch/job.h"

/* How a command without a configuration reaches others. */
struct sw_cli_net {
	const char *proxy;   /* "http://…"; NULL or "": straight */
	const char *ca_file; /* PEM bundle; NULL: the system's */
};

/* Carries out an HTTP job and waits. Return as sw_cli_http. The statically linked program has its own (http_small.c). */
SW_CHECKED int sw_cli_http_net(const struct sw_cli_net *net, const struct sw_job *job, struct sw_arena *a, struct sw_result *ret,
                               struct sw_err *err);
/*
 * What the options say, else the environment as curl reads it: http_proxy, https_proxy, HTTPS_PROXY, all_proxy, ALL_PROXY, and no_proxy or
 * NO_PROXY for hosts that are reached straight (names, their sub-domains, "*"). proxy "none": straight. In a.
 */
void sw_cli_net_for(const char *url, const char *proxy, const char *ca_file, struct sw_arena *a, struct sw_cli_net *ret);
/* Rows for the options of such a command. */
#define SW_OPT_NET(proxy, ca)                                                                                          \
	{ "proxy", 0, SW_OPT_TEXT, (proxy), "URL", "instead of $https_proxy, $http_proxy; none: straight", NULL, 0, 0 },           \
	{ "ca-file", 0, SW_OPT_TEXT, (ca), "FILE", "certificates to trust (PEM) instead of the system's", NULL, 0, 0 }

/*
 * Carries out an HTTP job or a mail and waits; proxy and certificates are the configuration's (NULL: none, the system's). What ret
 * points to is in a. Return: 0, or -errno with err when it could not even be tried.
 */
SW_CHECKED int sw_cli_http(const struct sw_config *cfg, const struct sw_job *job, struct sw_arena *a, struct sw_result *ret,
                           struct sw_err *err);

#endif
