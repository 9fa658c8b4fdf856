/*
 * The demo of `up`: a configuration written into the state directory, the example service as the thing that is deployed, and
 * what a user posts to break it.
 *
 *   demo.yaml  demo/gitlab-token  demo/report-secret  demo/headers  demo/bad-release.json  demo/demo.sh
 */
#ifndef SW_CLI_DEMO_H
#define SW_CLI_DEMO_H

#include "cli/child.h"
#include "shipwatch/buf.h"
#include "shipwatch/err.h"
#include "shipwatch/job.h"
#include "shipwatch/mem.h"

#define SW_DEMO_GOOD_SHA     "4f9c1d7be02a6853c1f0d94ab7e35821669d0c3e"
#define SW_DEMO_GOOD_VERSION "1.4.0"
#define SW_DEMO_BAD_VERSION  "1.5.0"

struct sw_demo {
	struct sw_arena *a;
	const char *state_dir, *dir, *config; /* config: path of the written configuration */
	const char *bad_file, *headers_file, *script_file;
	const char *rules, *program;          /* of the example service */
	char token[65], secret[65];
	struct sw_child service;
	const char *port_file;
	int port;                             /* of the example service; 0: not known yet */
	sw_ms last_id;                        /* of a deployment told or prepared */
	char last_sha[41];                    /* of one that runs; "": none does */
	const char *gateway;                  /* host:port as a client reaches it */
};

/* Finds rules and service, makes the secrets at the first start. Return: 0, or -errno with err. */
SW_CHECKED int sw_demo_init(struct sw_demo *d, struct sw_loop *loop, const char *state_dir, struct sw_arena *a, struct sw_err *err);
/* Whether the service wrote its port by now; then d->port is set and it is started with this port again. */
bool sw_demo_port(struct sw_demo *d);
/* The configuration for these addresses. Return: 0, or -errno with err. */
SW_CHECKED int sw_demo_write(struct sw_demo *d, const char *listen, const char *dashboard, struct sw_err *err);
/* GitLab's Deployment Hook, with a number of its own unless the same commit was running before it succeeded. */
void sw_demo_hook(struct sw_demo *d, struct sw_buf *b, const char *status, const char *sha, const char *title, const char *version);
/* A bad release with a number not used before. Return: 0, or -errno with err. */
SW_CHECKED int sw_demo_fresh(struct sw_demo *d, struct sw_err *err);
/* The request that tells the gateway of the good release. */
void sw_demo_good(struct sw_demo *d, struct sw_job *ret);

#endif
