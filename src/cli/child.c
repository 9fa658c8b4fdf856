/* Children of `up`: fork, readiness by a pipe, restart with a growing pause, an end with a deadline. */
#include "cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shipwatch/log.h"

#define LOG         "up"
#define NOTIFY_FD   3
#define PAUSE_FIRST ((sw_dur)200)
#define PAUSE_MOST  (10 * SW_SECOND)
#define LIVED       (10 * SW_SECOND) /* who lived so long begins with the first pause again */

void sw_child_init(struct sw_child *c, struct sw_loop *loop, const char *name)
{
	*c = (struct sw_child){ .name = name, .loop = loop, .keep_fd = -1, .notify_fd = -1 };
}

void sw_child_arg(struct sw_child *c, const char *arg)
{
	SW_ASSERT(c->n_argv + 3 < SW_CHILD_ARGS);
	c->argv[c->n_argv++] = arg;
	c->argv[c->n_argv] = NULL;
}

const char *sw_child_ended(const struct sw_child *c, char *buf, size_t size)
{
	if (WIFSIGNALED(c->status))
		(void)snprintf(buf, size, "signal %d", WTERMSIG(c->status));
	else
		(void)snprintf(buf, size, "exit code %d", WEXITSTATUS(c->status));
	return buf;
}

/* In the child, between fork and exec: only calls that are safe there. Never returns. */
static void child_exec(const struct sw_child *c, pid_t parent, int notify)
{
	sigset_t none;
	int fd;

	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(127);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	fd = open("/dev/null", O_RDONLY);
	if (fd >= 0)
		(void)dup2(fd, 0);
	if (c->log) {
		fd = open(c->log, O_WRONLY | O_CREAT | O_APPEND, 0640);
		if (fd >= 0)
			(void)dup2(fd, 2);
		if (fd >= 0 && c->log_all)
			(void)dup2(fd, 1);
	}
	if (c->keep_fd >= 0)
		(void)fcntl(c->keep_fd, F_SETFD, 0);
	if (notify >= 0 && notify != NOTIFY_FD)
		(void)dup2(notify, NOTIFY_FD);
	else if (notify >= 0)
		(void)fcntl(notify, F_SETFD, 0);
	(void)execvp(c->argv[0], (char *const *)(uintptr_t)c->argv);
	dprintf(2, "%s: %s\n", c->argv[0], strerror(errno));
	_exit(127);
}

void sw_child_ready(struct sw_child *c)
{
	if (c->ready || !c->pid)
		return;
	c->ready = c->ever_ready = true;
	if (c->on_ready)
		c->on_ready(c->arg);
}

static void child_notify_end(struct sw_child *c)
{
	if (c->notify)
		event_free(c->notify);
	c->notify = NULL;
	if (c->notify_fd >= 0)
		(void)close(c->notify_fd);
	c->notify_fd = -1;
}

static void child_notified(evutil_socket_t fd, short what, void *arg)
{
	struct sw_child *c = arg;
	char buf[64];
	ssize_t n = read(fd, buf, sizeof buf);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	child_notify_end(c);
	if (n > 0)
		sw_child_ready(c);
}

static void child_again(void *arg)
{
	struct sw_child *c = arg;
	int r = sw_child_start(c);

	if (r < 0) {
		SW_ERROR(LOG, "%s: %s, tried again in %lld s", c->name, strerror(-r), (long long)(PAUSE_MOST / SW_SECOND));
		sw_timer_set(&c->again, PAUSE_MOST);
	}
}

static void child_kill(void *arg)
{
	struct sw_child *c = arg;

	if (!c->pid)
		return;
	SW_WARN(LOG, "%s does not end: killed", c->name);
	(void)kill(c->pid, SIGKILL);
}

static void child_stopped(void *arg)
{
	struct sw_child *c = arg;

	if (c->on_stopped)
		c->on_stopped(c->arg, c);
}

int sw_child_start(struct sw_child *c)
{
	int fds[2] = { -1, -1 };
	pid_t parent = getpid();

	if (!c->again.ready) {
		sw_timer_init(&c->again, c->loop, child_again, c);
		sw_timer_init(&c->kill_at, c->loop, child_kill, c);
	}
	if (c->notifies && pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	if (c->notifies && !c->restarts && !c->ever_ready) {
		sw_child_arg(c, "--notify-fd");
		sw_child_arg(c, "3");
	}
	c->pid = fork();
	if (c->pid == 0)
		child_exec(c, parent, fds[1]);
	if (fds[1] >= 0)
		(void)close(fds[1]);
	if (c->pid < 0) {
		int r = -errno;

		c->pid = 0;
		if (fds[0] >= 0)
			(void)close(fds[0]);
		return r;
	}
	c->ready = false;
	c->started = sw_loop_mono(c->loop);
	c->notify_fd = fds[0];
	if (fds[0] >= 0) {
		c->notify = event_new(c->loop->base, fds[0], EV_READ | EV_PERSIST, child_notified, c);
		SW_ASSERT(c->notify && event_add(c->notify, NULL) == 0);
	}
	return 0;
}

static void child_gone(struct sw_child *c)
{
	char buf[32];

	c->pid = 0;
	c->ready = false;
	child_notify_end(c);
	sw_timer_stop(&c->kill_at);
	if (c->stopping) {
		child_stopped(c);
		return;
	}
	if (!c->ever_ready) {
		c->on_failed(c->arg, c);
		return;
	}
	if (sw_loop_mono(c->loop) - c->started >= LIVED || !c->backoff)
		c->backoff = PAUSE_FIRST;
	else
		c->backoff = SW_MIN(c->backoff * 2, PAUSE_MOST);
	SW_WARN(LOG, "%s ended (%s), started again in %lld ms", c->name, sw_child_ended(c, buf, sizeof buf), (long long)c->backoff);
	c->restarts++;
	sw_timer_set(&c->again, c->backoff);
	if (c->on_died)
		c->on_died(c->arg, c);
}

void sw_child_stop(struct sw_child *c, sw_dur deadline)
{
	c->stopping = true;
	if (c->again.ready)
		sw_timer_stop(&c->again);
	if (!c->pid) {
		if (!c->again.ready)
			sw_timer_init(&c->again, c->loop, child_stopped, c);
		c->again.cb = child_stopped;
		sw_timer_set(&c->again, 0);
		return;
	}
	(void)kill(c->pid, SIGTERM);
	sw_timer_set(&c->kill_at, deadline);
}

void sw_child_reap(struct sw_child *const *all, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		pid_t r;

		if (!all[i]->pid)
			continue;
		do
			r = waitpid(all[i]->pid, &all[i]->status, WNOHANG);
		while (r < 0 && errno == EINTR);
		if (r == all[i]->pid)
			child_gone(all[i]);
	}
}
