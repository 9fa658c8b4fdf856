/*
 * The shim. A process with one thread: it forks the program, feeds and drains its pipes, ends it at its limit (SIGTERM
 * to the group, SIGKILL after the grace) and writes the outcome, whether or not anybody still waits for it.
 */
#include "io/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "io/spawn.h"
#include "shipwatch/clock.h"
#include "shipwatch/mem.h"

#define ENV_OWN 4

struct watch {
	const struct sw_shim *s;
	pid_t pid;
	int in, out, child; /* stdin of the program, its output, signalfd; -1: closed */
	size_t fed;
	struct sw_buf output;
	bool cut, timed_out, ended;
	int status;
	sw_dur began, term_at, kill_at; /* 0: not set */
};

int sw_shim_sync_dir(const char *dir)
{
	int r, fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	r = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return r;
}

static int write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t k = write(fd, p, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -errno;
		p += k;
		n -= (size_t)k;
	}
	return 0;
}

int sw_shim_write(const char *path, const char *p, size_t n)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf tmp = SW_BUF_INIT;
	int fd, r;

	sw_buf_printf(&tmp, "%s.tmp", path);
	fd = open(tmp.p, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, p, n);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	close(fd);
	if (r == 0 && rename(tmp.p, path) < 0)
		r = -errno;
	return r;
}

/* ---- the program's own process ---- */

static const char **program_env(const struct sw_job *job, const char **ret_dir)
{
	size_t n = 0, k = 0;
	const char **env;
	SW_CLEANUP(sw_buf_fini) struct sw_buf home = SW_BUF_INIT;

	while (job->env && job->env[n])
		n++;
	env = sw_calloc(n + ENV_OWN, sizeof *env);
	sw_buf_printf(&home, "HOME=%s", getenv("HOME") ? getenv("HOME") : "/");
	env[k++] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	env[k++] = "LANG=C.UTF-8";
	env[k++] = sw_buf_take(&home);
	*ret_dir = "/";
	for (size_t i = 0; i < n; i++) {
		env[k++] = job->env[i];
		if (sw_starts(job->env[i], "PWD="))
			*ret_dir = job->env[i] + 4;
	}
	return env;
}

/* Tells the errno of what failed; nothing is told when the program runs (the pipe closes on exec). */
SW_NORETURN static void program_failed(int tell)
{
	int code = errno;

	(void)!write(tell, &code, sizeof code);
	_exit(127);
}

SW_NORETURN static void program_run(const struct sw_job *job, int in, int out, int tell)
{
	const struct rlimit no_core = { 0, 0 };
	const char *dir, **env = program_env(job, &dir);
	sigset_t none;

	(void)setsid();
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 || chdir(dir) < 0)
		program_failed(tell);
	if (tell != 3) {
		if (dup3(tell, 3, O_CLOEXEC) < 0)
			program_failed(tell);
		tell = 3;
	}
	(void)close_range(4, ~0u, 0);
	for (int i = 1; i < NSIG; i++)
		(void)signal(i, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setrlimit(RLIMIT_CORE, &no_core);
	(void)execve(job->argv[0], (char *const *)(uintptr_t)job->argv, (char *const *)(uintptr_t)env);
	program_failed(tell);
}

/* Return: 0, or -errno: it was not started. */
static int program_start(struct watch *w)
{
	int in[2], out[2], tell[2], code = 0;

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(tell, O_CLOEXEC) < 0)
		return -errno; /* the shim ends: nothing to close */
	w->pid = fork();
	if (w->pid < 0)
		return -errno;
	if (w->pid == 0)
		program_run(w->s->job, in[0], out[1], tell[1]);
	close(in[0]);
	close(out[1]);
	close(tell[1]);
	while (read(tell[0], &code, sizeof code) < 0 && errno == EINTR)
		;
	close(tell[0]);
	if (code) {
		(void)waitpid(w->pid, NULL, 0);
		return -code;
	}
	w->in = in[1];
	w->out = out[0];
	(void)fcntl(w->in, F_SETFL, O_NONBLOCK);
	(void)fcntl(w->out, F_SETFL, O_NONBLOCK);
	return 0;
}

/* ---- watching ---- */

static void watch_feed(struct watch *w)
{
	const struct sw_job *job = w->s->job;

	while (w->fed < job->body_n) {
		ssize_t k = write(w->in, job->body + w->fed, job->body_n - w->fed);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0 && errno == EAGAIN)
			return;
		if (k < 0) /* it does not read: that is its right */
			break;
		w->fed += (size_t)k;
	}
	close(w->in);
	w->in = -1;
}

/* The last bytes are kept: errors come at the end. */
static void watch_drain(struct watch *w)
{
	char buf[8192];

	for (;;) {
		ssize_t k = read(w->out, buf, sizeof buf);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0 && errno == EAGAIN)
			return;
		if (k <= 0)
			break;
		sw_buf_catn(&w->output, buf, (size_t)k);
		if (w->output.n > 2 * SW_SPAWN_OUTPUT) {
			memmove(w->output.p, w->output.p + w->output.n - SW_SPAWN_OUTPUT, SW_SPAWN_OUTPUT);
			sw_buf_truncate(&w->output, SW_SPAWN_OUTPUT);
			w->cut = true;
		}
	}
	close(w->out);
	w->out = -1;
}

/* Once it is over, what it left running in its group goes too; its number is still ours then. */
static void watch_reap(struct watch *w)
{
	struct signalfd_siginfo info;
	siginfo_t si = { 0 };
	int st;

	while (read(w->child, &info, sizeof info) > 0)
		;
	if (waitid(P_PID, (id_t)w->pid, &si, WEXITED | WNOHANG | WNOWAIT) < 0 || si.si_pid != w->pid)
		return;
	(void)kill(-w->pid, SIGKILL);
	if (waitpid(w->pid, &st, 0) != w->pid)
		return;
	w->status = WIFSIGNALED(st) ? 128 + WTERMSIG(st) : WEXITSTATUS(st);
	w->ended = true;
}

static void watch_limit(struct watch *w, sw_dur now)
{
	if (!w->timed_out && now >= w->term_at) {
		w->timed_out = true;
		(void)kill(-w->pid, SIGTERM);
	}
	if (w->timed_out && now >= w->kill_at) {
		(void)kill(-w->pid, SIGKILL);
		w->kill_at = now + SW_SECOND;
	}
}

static void watch_run(struct watch *w)
{
	while (!w->ended) {
		sw_dur now = sw_clock_mono(), next = w->timed_out ? w->kill_at : w->term_at;
		struct pollfd p[3] = {
			{ .fd = w->child, .events = POLLIN },
			{ .fd = w->in, .events = POLLOUT },
			{ .fd = w->out, .events = POLLIN },
		};

		(void)poll(p, SW_COUNT(p), (int)SW_MIN(SW_MAX(next - now, (sw_dur)0), SW_HOUR));
		if (w->in >= 0 && p[1].revents)
			watch_feed(w);
		if (w->out >= 0 && p[2].revents)
			watch_drain(w);
		watch_reap(w);
		watch_limit(w, sw_clock_mono());
	}
	if (w->out >= 0)
		watch_drain(w);
}

/* ---- the outcome ---- */

static void outcome_write(struct watch *w, int failed, struct sw_buf *out)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf text = SW_BUF_INIT;
	size_t from = w->output.n > SW_SPAWN_OUTPUT ? w->output.n - SW_SPAWN_OUTPUT : 0;
	struct sw_jw jw;

	sw_utf8_clean(&text, w->output.n ? w->output.p + from : "", w->output.n - from, false);
	for (size_t i = 0; i < text.n; i++)
		if (!text.p[i])
			text.p[i] = ' ';
	sw_jw_init(&jw, out);
	sw_jw_obj(&jw, NULL);
	if (failed)
		sw_jw_str(&jw, "failed", strerror(-failed));
	sw_jw_int(&jw, "status", w->status);
	sw_jw_bool(&jw, "timed_out", w->timed_out);
	sw_jw_bool(&jw, "cut", w->cut || from > 0);
	sw_jw_int(&jw, "took", sw_clock_mono() - w->began);
	sw_jw_int(&jw, "at", sw_clock_wall());
	sw_jw_str(&jw, "output", sw_buf_str(&text));
	sw_jw_obj_end(&jw);
}

static void outcome_store(const struct sw_shim *s, const struct sw_buf *b)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf path = SW_BUF_INIT;

	if (!s->dir)
		return;
	sw_buf_printf(&path, "%s/%s.result", s->dir, s->file);
	if (sw_shim_write(path.p, b->p, b->n) < 0 || sw_shim_sync_dir(s->dir) < 0)
		return; /* nobody to tell: who comes after finds an intent alone, which says "unknown" */
}

/* Only the two descriptors stay; they get the numbers 3 and 4. */
static void shim_descriptors(struct sw_shim *s)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int report = fcntl(s->report_fd, F_DUPFD_CLOEXEC, 16),
	    intent = s->intent_fd < 0 ? -1 : fcntl(s->intent_fd, F_DUPFD_CLOEXEC, 16);

	for (int i = 0; i < 3; i++)
		(void)dup2(null, i);
	s->report_fd = dup3(report, 3, O_CLOEXEC);
	if (intent >= 0)
		s->intent_fd = dup3(intent, 4, O_CLOEXEC);
	(void)close_range(intent >= 0 ? 5 : 4, ~0u, 0);
}

void sw_shim_run(const struct sw_shim *given)
{
	struct sw_shim s = *given;
	struct watch w = { .s = &s, .in = -1, .out = -1, .child = -1 };
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	sigset_t set;
	int r;

	(void)setsid();
	for (int i = 1; i < NSIG; i++)
		(void)signal(i, SIG_DFL);
	(void)signal(SIGPIPE, SIG_IGN);
	shim_descriptors(&s);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_SETMASK, &set, NULL);
	w.child = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	w.began = sw_clock_mono();
	w.term_at = w.began + s.timeout;
	w.kill_at = w.term_at + SW_MIN(SW_SPAWN_GRACE, s.timeout);
	r = w.child < 0 ? -errno : program_start(&w);
	if (r == 0)
		watch_run(&w);
	outcome_write(&w, r, &b);
	outcome_store(&s, &b);
	(void)!write_all(s.report_fd, b.p, b.n);
	_exit(0);
}
