/* A command run in our place: its streams are ours, its signals are passed on, what it used is counted. */
#ifndef SW_CLI_RUN_H
#define SW_CLI_RUN_H

#include <signal.h>

#include "shipwatch/base.h"
#include "shipwatch/err.h"

struct sw_ran {
	int code;             /* its exit code; 128 + signal; 127: there is no such command, 126: it cannot be run */
	int signo;            /* that ended it; 0: none */
	sw_ms started, ended;
	sw_dur took;          /* by the monotonic clock */
	double cpu_ms;        /* of it and all it waited for */
	double max_rss_bytes; /* of the largest single process of these */
};

/*
 * argv: NULL-ended; looked for in PATH. SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2 that we get meanwhile go to it; those of a
 * terminal it has already. pipe: how SIGPIPE was handled before any of our own work, for the command. Return: 0, or -errno with err: no
 * process can be made.
 */
SW_CHECKED int sw_cli_run(char **argv, const struct sigaction *pipe, struct sw_ran *ret, struct sw_err *err);

#endif
