/* One request of a command, waited for. */
#ifndef SW_CLI_HTTP_H
#define SW_CLI_HTTP_H

#include "config/config.h"
#include "shipwatch/job.h"

/*
 * Carries out an HTTP job or a mail and waits; proxy and certificates are the configuration's (NULL: none, the system's). What ret
 * points to is in a. Return: 0, or -errno with err when it could not even be tried.
 */
SW_CHECKED int sw_cli_http(const struct sw_config *cfg, const struct sw_job *job, struct sw_arena *a, struct sw_result *ret,
                           struct sw_err *err);

#endif
