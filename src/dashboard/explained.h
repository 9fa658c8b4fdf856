/* Explanations of watches, stored in the history a few seconds after the verdict, and once more when nobody looks any more. */
#ifndef SW_DASHBOARD_EXPLAINED_H
#define SW_DASHBOARD_EXPLAINED_H

#include "dashboard/store.h"

struct sw_loop;
struct sw_explained;

struct sw_explained_options {
	const char *program;                 /* absolute; NULL: this one */
	const char *config_path, *redis_url; /* NULL: not said */
	void (*stored)(void *arg);
	void *arg;
};

/* opt is borrowed. Return: 0, or -errno, logged. */
SW_CHECKED int sw_explained_new(struct sw_loop *loop, const struct sw_explained_options *opt, struct sw_explained **ret);
void sw_explained_free(struct sw_explained *x); /* NULL does nothing */
void sw_explained_store(struct sw_explained *x, struct sw_store *s); /* NULL: it is about to be closed */
void sw_explained_look(struct sw_explained *x); /* a watch changed */

#endif
