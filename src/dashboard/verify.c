/*
 * Is the history whole? Looked through by a process of its own beside the recorder.
 *
 *   recorder ──fork──▶ waits on its socket ──a byte──▶ PRAGMA quick_check, reading only ──"<errno> <why>"──▶ recorder
 *
 * It ends with the recorder, whichever way that ends. Whoever dies before it has said anything is "not known".
 */
#include "dashboard/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dashboard/store.h"
#include "io/loop.h"
#include "shipwatch/clock.h"

#define VERIFY_NICE 10 /* recording and pages come first */

struct sw_verify {
	sw_verify_cb cb;
	void *arg;
	pid_t pid;
	int fd;
	struct event *ev;
	sw_dur began;   /* 0: it waits */
	char said[700];
	size_t n;
};

/* In the child. Never returns. */
static void verify_run(const char *path, pid_t parent, int fd)
{
	static const int ours[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGPIPE };
	const int own = STDERR_FILENO + 1;
	struct sw_err err = SW_ERR_INIT;
	char text[sizeof err.text + 20], go;
	sigset_t none;
	int r, n;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	for (size_t i = 0; i < SW_COUNT(ours); i++)
		(void)signal(ours[i], SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* The recorder's descriptors would stay open with us; its parent sees its end by one of them. */
	if (fd != own && dup3(fd, own, O_CLOEXEC) < 0)
		_exit(1);
	(void)close_range((unsigned)own + 1, ~0u, 0);
	if (read(own, &go, 1) != 1)
		_exit(0);
	(void)setpriority(PRIO_PROCESS, 0, VERIFY_NICE);
	r = sw_store_verify(path, &err);
	n = snprintf(text, sizeof text, "%d %s", -r, r < 0 ? err.text : "");
	_exit(n > 0 && write(own, text, (size_t)n) == n ? 0 : 1);
}

static void verify_done(struct sw_verify *v)
{
	char *why = v->said, *end;
	long code;

	v->said[v->n] = '\0';
	code = strtol(v->said, &end, 10);
	why = end + (*end == ' ');
	event_free(v->ev);
	v->ev = NULL;
	if (end == v->said)
		v->cb(v->arg, -ECHILD, "the process that looked died", sw_clock_mono() - v->began);
	else
		v->cb(v->arg, (int)-code, why, sw_clock_mono() - v->began);
}

static void verify_said(evutil_socket_t fd, short what, void *arg)
{
	struct sw_verify *v = arg;
	ssize_t n = read(fd, v->said + v->n, sizeof v->said - 1 - v->n);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		v->n += (size_t)n;
	if (n <= 0 || v->n == sizeof v->said - 1)
		verify_done(v);
}

int sw_verify_new(struct sw_loop *loop, const char *path, sw_verify_cb cb, void *arg, struct sw_verify **ret, struct sw_err *err)
{
	struct sw_verify *v;
	pid_t self = getpid(), pid;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return sw_err_set(err, errno, "socketpair: %s", strerror(errno));
	pid = fork();
	if (pid == 0)
		verify_run(path, self, fds[1]);
	(void)close(fds[1]);
	if (pid < 0) {
		(void)close(fds[0]);
		return sw_err_set(err, errno, "fork: %s", strerror(errno));
	}
	(void)evutil_make_socket_nonblocking(fds[0]);
	v = sw_calloc(1, sizeof *v);
	*v = (struct sw_verify){ .cb = cb, .arg = arg, .pid = pid, .fd = fds[0] };
	v->ev = event_new(loop->base, v->fd, EV_READ | EV_PERSIST, verify_said, v);
	SW_ASSERT(v->ev && event_add(v->ev, NULL) == 0);
	*ret = v;
	return 0;
}

void sw_verify_start(struct sw_verify *v)
{
	if (v->began)
		return;
	v->began = sw_clock_mono();
	/* Nobody there: its end is read instead. */
	(void)!send(v->fd, "g", 1, MSG_NOSIGNAL);
}

bool sw_verify_started(const struct sw_verify *v)
{
	return v->began != 0;
}

void sw_verify_free(struct sw_verify *v)
{
	if (!v)
		return;
	if (v->ev)
		event_free(v->ev);
	(void)close(v->fd);
	(void)kill(v->pid, SIGKILL);
	(void)waitpid(v->pid, NULL, 0);
	free(v);
}
