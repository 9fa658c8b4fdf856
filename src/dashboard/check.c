/*
 * Is this the password of that hash? Checking takes tens of milliseconds by intent, and the loop has others to serve: a child does it, says one
 * byte by a pipe and is gone. Two at once, a short queue, a time limit, so that trying passwords costs the machine no more than that.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/passwd.h"
#include "dashboard/auth.h"
#include "shipwatch/log.h"
#include "shipwatch/mem.h"

#define LOG "dashboard"

struct check {
	struct auth *a;
	struct check *next;
	char *password, *hash;
	check_cb cb;                 /* NULL: nobody waits for it any more */
	void *arg;
	pid_t pid;                   /* 0: waits for its turn */
	int fd;
	struct event *ev;
	struct sw_timer late;
	bool failed;                 /* no child could be made; told in the next turn, never from within dash_check */
};

static void check_start(struct check *c);

static void check_next(struct auth *a)
{
	for (struct check *c = a->checks, *next; c && a->running < AUTH_CHILDREN; c = next) {
		next = c->next;
		if (!c->pid && !c->failed)
			check_start(c);
	}
}

static void check_free(struct check *c)
{
	struct auth *a = c->a;
	int status;

	for (struct check **p = &a->checks; *p; p = &(*p)->next)
		if (*p == c) {
			*p = c->next;
			break;
		}
	if (c->pid > 0) {
		(void)kill(c->pid, SIGKILL);
		while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
			;
		a->running--;
	} else {
		a->waiting--;
	}
	if (c->ev)
		event_free(c->ev);
	if (c->fd >= 0)
		(void)close(c->fd);
	sw_timer_stop(&c->late);
	explicit_bzero(c->password, strlen(c->password));
	free(c->password);
	free(c->hash);
	free(c);
}

static void check_done(struct check *c, int outcome)
{
	check_cb cb = c->cb;
	void *arg = c->arg;
	struct auth *a = c->a;

	check_free(c);
	if (cb)
		cb(arg, outcome);
	check_next(a);
}

static void check_late(void *arg)
{
	struct check *c = arg;

	if (!c->failed)
		SW_ERROR(LOG, "checking a password took more than %d s and was stopped: its hash costs too much for this machine", (int)(AUTH_TIME / SW_SECOND));
	check_done(c, CHECK_FAILED);
}

static void check_said(evutil_socket_t fd, short what, void *arg)
{
	struct check *c = arg;
	char byte = 0;
	ssize_t n = read(fd, &byte, 1);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	check_done(c, n != 1 ? CHECK_FAILED : byte == 'y' ? CHECK_YES : CHECK_NO);
}

/* In the child. Nothing but memory and one byte: no file, no log. */
static void check_child(const struct check *c, int fd, pid_t parent)
{
	static const int ours[] = { SIGTERM, SIGINT, SIGHUP };
	char byte;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_DUMPABLE, 0);
	for (size_t i = 0; i < SW_COUNT(ours); i++)
		(void)signal(ours[i], SIG_DFL);
	(void)setrlimit(RLIMIT_CPU, &(struct rlimit){ AUTH_TIME / SW_SECOND, AUTH_TIME / SW_SECOND });
	if (getppid() != parent)
		_exit(1);
	/* Connections of the parent would stay open as long as we live. */
	(void)dup2(fd, STDIN_FILENO);
	(void)close_range(STDIN_FILENO + 1, ~0u, 0);
	byte = sw_passwd_is(c->password, c->hash) ? 'y' : 'n';
	_exit(write(STDIN_FILENO, &byte, 1) == 1 ? 0 : 1);
}

static void check_fails(struct check *c)
{
	SW_ERROR(LOG, "a password cannot be checked: %s", strerror(errno));
	c->failed = true;
	sw_timer_set(&c->late, 0);
}

static void check_start(struct check *c)
{
	struct auth *a = c->a;
	sigset_t block, before;
	pid_t self = getpid();
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0) {
		check_fails(c);
		return;
	}
	(void)sigfillset(&block);
	(void)sigprocmask(SIG_BLOCK, &block, &before);
	c->pid = fork();
	if (c->pid == 0) {
		check_child(c, fds[1], self);
		_exit(1);
	}
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	(void)close(fds[1]);
	if (c->pid < 0) {
		c->pid = 0;
		(void)close(fds[0]);
		check_fails(c);
		return;
	}
	c->fd = fds[0];
	(void)fcntl(c->fd, F_SETFL, O_NONBLOCK);
	a->waiting--;
	a->running++;
	c->ev = event_new(a->d->loop->base, c->fd, EV_READ | EV_PERSIST, check_said, c);
	SW_ASSERT(c->ev && event_add(c->ev, NULL) == 0);
	sw_timer_set(&c->late, AUTH_TIME);
}

bool dash_check(struct auth *a, const char *password, const char *hash, check_cb cb, void *arg)
{
	struct check *c, **p = &a->checks;

	if (a->waiting >= AUTH_QUEUE)
		return false;
	c = sw_calloc(1, sizeof *c);
	*c = (struct check){ .a = a, .password = sw_strdup(password), .hash = sw_strdup(hash), .cb = cb, .arg = arg, .fd = -1 };
	sw_timer_init(&c->late, a->d->loop, check_late, c);
	while (*p)
		p = &(*p)->next;
	*p = c;
	a->waiting++;
	if (a->running < AUTH_CHILDREN)
		check_start(c);
	return true;
}

void dash_check_forget(struct auth *a, void *arg)
{
	for (struct check *c = a->checks; c; c = c->next)
		if (c->arg == arg)
			c->cb = NULL;
}

void dash_check_end(struct auth *a)
{
	while (a->checks)
		check_free(a->checks);
}
