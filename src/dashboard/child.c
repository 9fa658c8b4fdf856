/*
 * The recorder's process as its parent sees it: forked, told of by a pipe, started again with a growing pause, ended with its parent.
 *
 * What it tells: words of 4 bytes, bits of SW_TOUCHED_*, in this machine's order. The end of the pipe is the end of the process.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dashboard/inner.h"
#include "shipwatch/clock.h"
#include "shipwatch/log.h"

#define LOG "dashboard"

enum { BACKOFF_LEAST = 200, BACKOFF_MOST = 10000, LIVED_LONG = 10000 /* ms */, POLL = 10, GONE_WAIT = 300 };

/* In the child. Never returns. */
static void recorder_run(struct dash *d, pid_t parent, int fd, const sigset_t *before)
{
	struct sw_recorder_options o = { .config_path = d->opt->config_path, .redis_url = d->opt->redis_url, .state_dir = d->state_dir, .notify_fd = fd,
		                         .meters = &d->meters.recorder_own };
	static const int ours[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD };
	int most = STDERR_FILENO + 1;

	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(0);
	/* The parent's loop goes, after it has got descriptors of its own: else what is taken out of it would be taken out of the parent's too. */
	(void)event_reinit(d->loop->base);
	sw_loop_free(d->loop);
	for (size_t i = 0; i < SW_COUNT(ours); i++)
		(void)signal(ours[i], SIG_DFL);
	(void)sigprocmask(SIG_SETMASK, before, NULL);
	/* Connections of the parent would stay open with us. */
	if (fd != most)
		(void)dup3(fd, most, O_CLOEXEC);
	o.notify_fd = most;
	(void)close_range((unsigned)most + 1, ~0u, 0);
	_exit(sw_recorder_run(d->setup->cfg, &o) < 0 ? 1 : 0);
}

static void recorder_start(void *arg);

static void recorder_later(struct dash *d, const char *what)
{
	struct dash_child *c = &d->recorder;
	sw_dur now = sw_clock_mono();

	c->backoff = now - c->started > LIVED_LONG ? BACKOFF_LEAST : SW_MIN(SW_MAX(2 * c->backoff, BACKOFF_LEAST), BACKOFF_MOST);
	(void)snprintf(c->why, sizeof c->why, "%s", what);
	SW_ERROR(LOG, "recorder %s, starting it again in %lld ms; pages go on", what, (long long)c->backoff);
	c->restarts++;
	sw_metric_add(d->meters.restarts, NULL, 1);
	sw_metric_set(d->meters.recorder, NULL, 0);
	sw_timer_set(&c->again, c->backoff);
	dash_live_touched(d, DASH_TOUCHED_STATUS);
}

static void recorder_close(struct dash_child *c)
{
	if (c->ev)
		event_free(c->ev);
	c->ev = NULL;
	if (c->fd >= 0)
		(void)close(c->fd);
	c->fd = -1;
	c->part_n = 0;
}

static void recorder_gone(struct dash *d)
{
	struct dash_child *c = &d->recorder;
	char what[80];
	int status = 0;

	recorder_close(c);
	/* It closes the pipe by ending; should it only have closed it, it is of no use any more. */
	for (int waited = 0; c->pid > 0 && waitpid(c->pid, &status, WNOHANG) == 0; waited += POLL) {
		if (waited >= GONE_WAIT)
			(void)kill(c->pid, SIGKILL);
		(void)nanosleep(&(struct timespec){ .tv_nsec = POLL * 1000000L }, NULL);
	}
	c->pid = 0;
	if (d->stopping)
		return;
	(void)snprintf(what, sizeof what, WIFSIGNALED(status) ? "died of signal %d" : "ended with %d", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	recorder_later(d, what);
}

static void recorder_told(evutil_socket_t fd, short what, void *arg)
{
	struct dash *d = arg;
	struct dash_child *c = &d->recorder;
	unsigned char buf[1024];
	unsigned bits = 0, word;
	ssize_t n;

	n = read(fd, buf, sizeof buf);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		recorder_gone(d);
		return;
	}
	for (ssize_t i = 0; i < n; i++) {
		c->part[c->part_n++] = buf[i];
		if (c->part_n == sizeof word) {
			memcpy(&word, c->part, sizeof word);
			bits |= word;
			c->part_n = 0;
		}
	}
	if (bits)
		dash_live_touched(d, bits & ~DASH_TOUCHED_STATUS);
}

static void recorder_start(void *arg)
{
	struct dash *d = arg;
	struct dash_child *c = &d->recorder;
	static const int held[] = { SIGTERM, SIGINT, SIGHUP };
	sigset_t block, before;
	pid_t self = getpid();
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		recorder_later(d, strerror(errno));
		return;
	}
	(void)sigemptyset(&block);
	for (size_t i = 0; i < SW_COUNT(held); i++)
		(void)sigaddset(&block, held[i]);
	/* A signal between fork and the child's own handlers must not reach the parent's. */
	(void)sigprocmask(SIG_BLOCK, &block, &before);
	c->started = sw_clock_mono();
	/* SQLite knows the files a process has open by what they are: a child that opens the same one would take over our locks for its own. */
	dash_store_close(d);
	c->pid = fork();
	if (c->pid == 0)
		recorder_run(d, self, fds[1], &before);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	(void)close(fds[1]);
	dash_store_look(d);
	if (!d->store)
		d->store_at = 0; /* the first one is being made: who asks looks again */
	if (c->pid < 0) {
		c->pid = 0;
		(void)close(fds[0]);
		recorder_later(d, strerror(errno));
		return;
	}
	c->fd = fds[0];
	c->ev = event_new(d->loop->base, c->fd, EV_READ | EV_PERSIST, recorder_told, d);
	SW_ASSERT(c->ev && event_add(c->ev, NULL) == 0);
	c->why[0] = '\0';
	sw_metric_set(d->meters.recorder, NULL, 1);
	SW_INFO(LOG, "recorder started, process %ld", (long)c->pid);
	dash_live_touched(d, DASH_TOUCHED_STATUS);
}

void dash_recording(const struct page *p, struct dash_recording *ret)
{
	struct dash *d = p->d;

	*ret = (struct dash_recording){ .runs = d->recorder.pid > 0, .written = sw_metric_total(d->meters.recorder_own.written) > 0,
		                        .waits = sw_jint(p->status, "journal_waits_ms", -1), .why = d->recorder.why };
	ret->written &= ret->runs;
}

const char *dash_recording_wrong(const struct dash_recording *x)
{
	if (!x->runs)
		return "down";
	/* Where nothing waits nothing is missing: it has just begun, or another dashboard writes the same file. */
	if (!x->written && x->waits > DASH_NOT_WRITTEN)
		return "not written";
	return x->waits > DASH_BEHIND ? "behind" : NULL;
}

void dash_recorder_begin(struct dash *d)
{
	sw_timer_init(&d->recorder.again, d->loop, recorder_start, d);
	recorder_start(d);
}

void dash_recorder_signal(struct dash *d, int signo)
{
	if (d->recorder.pid > 0)
		(void)kill(d->recorder.pid, signo);
}

void dash_recorder_end(struct dash *d, sw_dur wait)
{
	struct dash_child *c = &d->recorder;
	sw_dur until = sw_clock_mono() + wait;
	int status;

	sw_timer_stop(&c->again);
	recorder_close(c);
	if (c->pid <= 0)
		return;
	(void)kill(c->pid, SIGTERM);
	while (waitpid(c->pid, &status, WNOHANG) == 0) {
		if (sw_clock_mono() >= until)
			(void)kill(c->pid, SIGKILL);
		(void)nanosleep(&(struct timespec){ .tv_nsec = POLL * 1000000L }, NULL);
	}
	c->pid = 0;
}
