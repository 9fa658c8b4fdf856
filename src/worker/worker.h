/*
 * The worker: takes what the gateways put into Redis, steps the engine, does what was decided. Any number of them, anywhere.
 *
 *   in ─▶ intake.c ─▶ work ─▶ stepper.c ─commit─▶ poller.c (asks services)  courier.c (tells people)  actor.c (acts)
 *                      ▲                                  └────────── outcomes, by outbox.c ────────────┘
 *                      └──────────────────────────────────────────────────────────┘
 */
#ifndef SW_WORKER_WORKER_H
#define SW_WORKER_WORKER_H

#include "config/config.h"
#include "shipwatch/base.h"

struct sw_worker_options {
	const char *config_path;  /* read again on SIGHUP; NULL: SIGHUP changes nothing */
	const char *redis_url;    /* instead of the configuration's (a private Redis); NULL: the configuration's */
	const char *consumer;     /* unique name; NULL: made from host, process and chance */
	const char *state_dir;    /* where the configuration names none; NULL: nothing is kept on disk */
	const char *listen;       /* /metrics and /health there; NULL: none */
	sw_dur grace;             /* after SIGTERM, to finish what is in hand; 0: 10 s */
	int notify_fd;            /* "READY=1\n" is written there once; -1: none. NOTIFY_SOCKET is served as well */
	const char *version, *commit, *built; /* of the program; NULL: "unknown" */
};

struct sw_rules;
/* What the signals of a set of rules ask, judged by the plug-ins that will ask it: mistakes are told where the signal stands. */
void sw_worker_check_queries(const struct sw_rules *rules, struct sw_diags *d);

/*
 * people.c: who is to be mentioned by a channel at a moment; fills al's mentions from the arena. roles: of the rule, NULL or NULL-ended;
 * without any it is whom the channel mentions at this severity. A rota that cannot be read is logged, and nobody on call is mentioned.
 */
void sw_people_mention(const struct sw_config *cfg, const struct sw_conf_channel *ch, const char *const *roles, sw_ms now,
                       struct sw_arena *a, struct sw_alert *al);

/* Runs until SIGTERM or SIGINT; takes a reference of cfg of its own. Return: 0, or -errno when it could not start (already logged). */
int sw_worker_run(struct sw_config *cfg, const struct sw_worker_options *opt);

#endif
