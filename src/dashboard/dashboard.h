/*
 * The dashboard: serves what people see of the history and of what is live, and takes their decisions.
 *
 *   parent (dashboard.c: loop, HTTP server, signals)         routes.c ─▶ auth.c ─▶ ask.c ─▶ pages.c api.c decide.c sign.c ─▶ answer
 *     └─ recorder (child.c; recorder.c): journal ─▶ history.db      live.c: what it touched, to those who look
 *
 * The parent reads the history and never writes it; while the recorder is dead or Redis is away, pages go on and say so.
 */
#ifndef SW_DASHBOARD_DASHBOARD_H
#define SW_DASHBOARD_DASHBOARD_H

#include "config/config.h"
#include "shipwatch/base.h"

struct sw_dashboard_options {
	const char *config_path;  /* read again on SIGHUP; NULL: SIGHUP changes nothing */
	const char *redis_url;    /* instead of the configuration's (a private Redis); NULL: the configuration's */
	const char *listen;       /* instead of the configuration's; NULL: the configuration's */
	const char *state_dir;    /* where the configuration names none: the history lies there */
	sw_dur grace;             /* after SIGTERM, to answer what is open; 0: 10 s */
	int notify_fd;            /* "READY=1\n" is written there once; -1: none. NOTIFY_SOCKET is served as well */
	const char *version, *commit, *built; /* of the program, for /health; NULL: "unknown" */
};

/* Runs until SIGTERM or SIGINT; takes a reference of cfg of its own. Return: 0, or -errno when it could not start (already logged). */
int sw_dashboard_run(struct sw_config *cfg, const struct sw_dashboard_options *opt);

#endif
