/*
 * The private Redis of `up`: on a unix socket in the state directory, every write synced.
 *
 * A lock file says that nobody else uses the directory: its descriptor goes on to the Redis, so that a Redis whose `up` died
 * holds it until it is gone, and the next `up` waits for that.
 *
 * A power cut may leave the last write of the append-only file half there. Redis would cut it off by itself, but 7.0 cuts behind
 * the last whole command, inside the transaction as which a script is written; the next start would run that half. So it is told
 * not to (aof-load-truncated no), and redis-check-aof cuts before the transaction. A file that is wrong elsewhere is left alone.
 */
#ifndef SW_CLI_REDIS_H
#define SW_CLI_REDIS_H

#include "cli/child.h"
#include "shipwatch/err.h"
#include "shipwatch/mem.h"

struct sw_private_redis {
	struct sw_child child;
	const char *dir, *url, *socket, *log; /* in the arena */
	int lock;
	struct sw_bus *bus;        /* until it answered for the first time */
	struct sw_defer drop;
	long log_from;             /* where this start's part of its log begins */
};

/* Directory, lock (waits up to 30 s for a forerunner's Redis to end), command line. Return: 0, or -errno with err. */
SW_CHECKED int sw_private_redis_init(struct sw_private_redis *r, struct sw_loop *loop, const char *state_dir, struct sw_arena *a,
                                     struct sw_err *err);
/* Starts it; child.on_ready runs when it answers. Return: 0, or -errno with err. */
SW_CHECKED int sw_private_redis_start(struct sw_private_redis *r, struct sw_err *err);
enum sw_redis_end {
	SW_REDIS_ENDED,    /* may be started again */
	SW_REDIS_CORRUPT,  /* its file is wrong, starting it again is in vain */
	SW_REDIS_TORN,     /* its file ends within a write: sw_private_redis_mend, then it may be started again */
};
/* Why it ended, from its log: one line. */
enum sw_redis_end sw_private_redis_why(struct sw_private_redis *r, struct sw_err *why);
/* Cuts the unfinished write off the end of the append-only file. Waits for redis-check-aof. Return: 0, or -errno with err. */
SW_CHECKED int sw_private_redis_mend(struct sw_private_redis *r, struct sw_err *err);
void sw_private_redis_fini(struct sw_private_redis *r);

#endif
