/* Watches and deployments by what people call them, and all that is kept of one watch. */
#ifndef SW_CLI_FOUND_H
#define SW_CLI_FOUND_H

#include "cli/talk.h"
#include "engine/explain.h"

struct sw_found {
	const char *aggregate;           /* "place:web/prod" */
	const struct sw_jnode *place;    /* its state */
	const struct sw_jnode *item;     /* the watch or deployment in it */
};

#define SW_FOUND_MAX 16

/* The watch of that id. Return: 0, or -1 after one line on stderr. */
SW_CHECKED int sw_find_watch(struct sw_talk *t, const char *id, struct sw_found *ret);
/* The action of that id. Return: 0, or -1 after one line on stderr. */
SW_CHECKED int sw_find_action(struct sw_talk *t, const char *id, struct sw_found *ret);
/* The deployment of that id or commit. Return: 0, or -1 after a line on stderr, or several that name those that fit. */
SW_CHECKED int sw_find_deployment(struct sw_talk *t, const char *what, struct sw_found *ret);
/*
 * Why that watch ended so. *ret_rules: the rules it was opened with, a reference. Return: 0, or -1 after one line on stderr.
 */
SW_CHECKED int sw_find_explained(struct sw_talk *t, const char *id, struct sw_rules **ret_rules, struct sw_explanation *ret);

/* On stdout. */
void sw_explain_json(const char *watch, const struct sw_explanation *x);

/* "2026-11-28 04:25:25 UTC"; "90s"; in the arena. */
const char *sw_found_time(struct sw_talk *t, sw_ms at);
const char *sw_found_dur(struct sw_talk *t, sw_dur d);

#endif
