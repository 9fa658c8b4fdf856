/*
 * The gateway: takes what git hosts and CI jobs post, verifies it over the raw bytes, makes it durable, answers.
 *
 *   parent (gateway.c: sockets, children, signals)
 *     └─ one child a core (child.c: loop, HTTP server)
 *           on_head, on_request ─▶ hooks.c: verify ─▶ check ─▶ pack ─▶ store.c: Redis, or the spool while it is away ─▶ answer
 *                                   └ io/client.c: who posts, how often without a right        pages.c: /health /metrics
 *           approve.c: people decide about rollbacks (approve_form.c: what they say, approve_page.c: what they see)
 */
#ifndef SW_GATEWAY_GATEWAY_H
#define SW_GATEWAY_GATEWAY_H

#include "config/config.h"
#include "shipwatch/base.h"

struct sw_gateway_options {
	const char *config_path;  /* read again on SIGHUP; NULL: SIGHUP changes nothing */
	const char *redis_url;    /* instead of the configuration's (a private Redis); NULL: the configuration's */
	const char *listen;       /* instead of the configuration's; NULL: the configuration's */
	const char *state_dir;    /* where the configuration names none; NULL: no spool, 503 while Redis is away */
	unsigned processes;       /* 0: what the configuration says, else one per core */
	sw_dur grace;             /* after SIGTERM, to answer what is open; 0: 10 s */
	int notify_fd;            /* "READY=1\n" is written there once; -1: none. NOTIFY_SOCKET is served as well */
	const char *version, *commit, *built; /* of the program, for /health; NULL: "unknown" */
};

/* Runs until SIGTERM or SIGINT; takes a reference of cfg of its own. Return: 0, or -errno when it could not start (already logged). */
int sw_gateway_run(struct sw_config *cfg, const struct sw_gateway_options *opt);

#endif
