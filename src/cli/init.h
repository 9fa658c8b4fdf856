/* What `shipwatch init` was answered, and what it makes of that. */
#ifndef SW_CLI_INIT_H
#define SW_CLI_INIT_H

#include "shipwatch/base.h"
#include "shipwatch/buf.h"
#include "shipwatch/err.h"
#include "shipwatch/mem.h"

/* Every text is checked before it stands here, and is one line. */
struct sw_init {
	const char *dir;            /* where it is written */
	const char *source;         /* gitlab, github or gitea */
	const char *repo, *service; /* acme/web, web */
	const char *health;
	const char *channel;        /* kind */
	const char *url;            /* of the channel; NULL: the kind has none */
	const char *signing;        /* secret the robot wants signatures with; NULL: none */
	bool force;                 /* write over a configuration and rules that are there */
	struct sw_arena a;
};

/* ---- texts (init_text.c) ---- */

void sw_init_config(const struct sw_init *in, struct sw_buf *b);
void sw_init_rules(struct sw_buf *b);
/* What is left to do by hand. config: path of the file as it was written. */
void sw_init_next(const struct sw_init *in, const char *config, struct sw_buf *b);
/* Name of the webhook's secret in the folder of secrets: "gitlab-token". */
const char *sw_init_secret_name(const struct sw_init *in);

/* ---- files (init_write.c) ---- */

/* Nothing may be lost, and it can be written: asked before the questions, so that nobody answers in vain. Return: 0, -EEXIST, -errno with err. */
SW_CHECKED int sw_init_may(struct sw_init *in, struct sw_err *err);
/*
 * Writes everything into a folder of its own, loads it there, and moves it to its place, the configuration last: after a failure nothing of
 * it is there. Secrets of webhooks and CI jobs that are there already stay as they are. *ret: the configuration's path.
 * Return: 0, or -errno with err.
 */
SW_CHECKED int sw_init_write(struct sw_init *in, const char **ret, struct sw_err *err);

#endif
