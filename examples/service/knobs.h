/* What can be turned on the example service while it runs: one table of names, set by command line, environment or POST. */
#ifndef EXAMPLE_KNOBS_H
#define EXAMPLE_KNOBS_H

#include <stdbool.h>
#include <stddef.h>

struct knobs {
	bool fail;              /* health: /health answers 503 and "fail" */
	bool silent;            /* requests are taken and never answered */
	long delay_ms;          /* every answer waits this long */
	long status;            /* the code of /health, 0: 200 or 503 by `fail` */
	long error_pct;         /* this share of requests to / answers 500, evenly spread */
	char commit[65];
	char version[65];
};

struct sw_build;
/* Version and commit: what was built, where that can be told. */
void knobs_init(struct knobs *k, const struct sw_build *build);
/*
 * Sets one knob from text. Return: 0; -EINVAL with *ret_why (a literal) when there is no such knob or it cannot have that value.
 */
int knobs_set(struct knobs *k, const char *name, const char *value, const char **ret_why);
/* Sets those that the environment names: EXAMPLE_HEALTH, EXAMPLE_DELAY_MS … Return: as above, *ret_name is the variable. */
int knobs_from_env(struct knobs *k, const char **ret_name, const char **ret_why);
/* All of them as one JSON object. Return: its length. */
size_t knobs_json(const struct knobs *k, char *buf, size_t size);

#endif
