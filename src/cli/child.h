/*
 * A child process of `shipwatch up`: started, seen to be ready, started again when it ends, ended.
 *
 *   start ─▶ STARTING ─ready─▶ RUNNING ─ends─▶ waits (0.2 s, twice as long each time, at most 10 s) ─▶ STARTING
 *                └─ends─▶ on_failed: the caller decides        stop: SIGTERM, at the deadline SIGKILL ─▶ on_stopped
 *
 * A child is in a process group of its own (Ctrl-C reaches `up` alone, which ends the children in order) and is told to end
 * when `up` dies.
 */
#ifndef SW_CLI_CHILD_H
#define SW_CLI_CHILD_H

#include <sys/types.h>

#include "io/loop.h"

#define SW_CHILD_ARGS 40

struct sw_child {
	/* set by the owner */
	const char *name;              /* for the log */
	const char *argv[SW_CHILD_ARGS]; /* NULL-ended; argv[0] is looked for on PATH unless it holds a slash */
	size_t n_argv;
	const char *log;               /* its output goes there, appended; NULL: ours */
	bool log_all;                  /* stdout as well as stderr */
	int keep_fd;                   /* a descriptor it inherits; -1: none */
	bool notifies;                 /* gets --notify-fd 3 and says READY=1 there; else it is ready when sw_child_ready is called */
	void (*on_ready)(void *arg);   /* at each start */
	void (*on_failed)(void *arg, struct sw_child *c);  /* ended before it was ever ready; not started again */
	void (*on_died)(void *arg, struct sw_child *c);    /* ended later; will be started again unless it is stopped here */
	void (*on_stopped)(void *arg, struct sw_child *c); /* after sw_child_stop */
	void *arg;
	/* its own */
	struct sw_loop *loop;
	pid_t pid;                     /* 0: none */
	int notify_fd;
	struct event *notify;
	bool ready, ever_ready, stopping;
	int status;                    /* of wait, the last end */
	unsigned restarts;
	sw_dur started, backoff;
	struct sw_timer again, kill_at;
};

void sw_child_init(struct sw_child *c, struct sw_loop *loop, const char *name);
void sw_child_arg(struct sw_child *c, const char *arg);
/* Return: 0, or -errno. */
SW_CHECKED int sw_child_start(struct sw_child *c);
void sw_child_ready(struct sw_child *c);
/* on_stopped runs later, also when there is no process now. */
void sw_child_stop(struct sw_child *c, sw_dur deadline);
/* At SIGCHLD: takes the ends of all of these. */
void sw_child_reap(struct sw_child *const *all, size_t n);
/* "exit code 1", "signal 9". */
const char *sw_child_ended(const struct sw_child *c, char *buf, size_t size);

#endif
