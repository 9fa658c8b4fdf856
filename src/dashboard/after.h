/*
 * What the recorder does besides recording, once something is in the history: explanations of watches are stored (explained.c), builds go
 * to a Pushgateway (pusher.c). Nothing of it holds up the recording: it all waits for others, and what is still to be done stands in the
 * history itself, so that a recorder that is started anew goes on where the last one was.
 */
#ifndef SW_DASHBOARD_AFTER_H
#define SW_DASHBOARD_AFTER_H

#include "config/config.h"
#include "dashboard/store.h"

struct sw_loop;
struct sw_after;
struct sw_pusher_meters;

struct sw_after_options {
	const char *config_path, *redis_url; /* for `shipwatch explain`; redis_url NULL: the configuration's */
	const struct sw_pusher_meters *push; /* what it counts; NULL: nothing */
	void (*touched)(void *arg, unsigned bits); /* it wrote to the history: bits of SW_TOUCHED_* */
	void *arg;
};

/* opt is borrowed. cfg: a reference of its own is taken. Return: 0, or -errno, logged. */
SW_CHECKED int sw_after_new(struct sw_loop *loop, struct sw_config *cfg, const struct sw_after_options *opt, struct sw_after **ret);
void sw_after_free(struct sw_after *a); /* NULL does nothing */
void sw_after_config(struct sw_after *a, struct sw_config *cfg); /* read anew */
/* The history was opened to write; NULL: it is about to be closed. */
void sw_after_store(struct sw_after *a, struct sw_store *s);
/* A batch is in: bits of SW_TOUCHED_*. caught_up: nothing more waits in the journal. */
void sw_after_touched(struct sw_after *a, unsigned bits, bool caught_up);

#endif
