/* A command run in our place. All signals are waited for, none is handled, so nothing can come at a wrong moment. */
#include "cli/run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shipwatch/clock.h"

static const int passed_on[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 };

static _Noreturn void run_child(char **argv, const sigset_t *mask, const struct sigaction *pipe)
{
	int e;

	(void)sigaction(SIGPIPE, pipe, NULL);
	(void)sigprocmask(SIG_SETMASK, mask, NULL);
	(void)execvp(argv[0], argv);
	e = errno;
	(void)dprintf(STDERR_FILENO, "shipwatch: %s: %s\n", argv[0], strerror(e));
	_exit(e == ENOENT || e == ENOTDIR ? 127 : 126);
}

static double ms_of(struct timeval t)
{
	return (double)t.tv_sec * 1000 + (double)t.tv_usec / 1000;
}

/* Until it ended. Other children are nobody's: there are none. */
static int run_wait(pid_t pid, const sigset_t *set, struct rusage *ru)
{
	int status;

	for (;;) {
		pid_t got = wait4(pid, &status, WNOHANG, ru);
		siginfo_t info = { 0 };

		if (got == pid)
			return status;
		if (sigwaitinfo(set, &info) <= 0 || info.si_signo == SIGCHLD)
			continue;
		/* A terminal's ^C went to its whole foreground group: the command has it. */
		if (info.si_code != SI_KERNEL)
			(void)kill(pid, info.si_signo);
	}
}

int sw_cli_run(char **argv, const struct sigaction *pipe, struct sw_ran *ret, struct sw_err *err)
{
	const struct sigaction usual = { .sa_handler = SIG_DFL };
	sigset_t set, mask;
	struct rusage ru = { 0 };
	sw_dur began;
	pid_t pid;
	int status;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	for (size_t i = 0; i < SW_COUNT(passed_on); i++)
		(void)sigaddset(&set, passed_on[i]);
	(void)sigaction(SIGCHLD, &usual, NULL); /* inherited as ignored it would take the exit code away */
	(void)sigprocmask(SIG_BLOCK, &set, &mask);
	(void)fflush(NULL);
	*ret = (struct sw_ran){ .started = sw_clock_wall() };
	began = sw_clock_mono();
	pid = fork();
	if (pid == 0)
		run_child(argv, &mask, pipe);
	if (pid < 0) {
		int e = errno;

		(void)sigprocmask(SIG_SETMASK, &mask, NULL);
		return sw_err_set(err, e, "%.200s cannot be started: %s", argv[0], strerror(e));
	}
	status = run_wait(pid, &set, &ru);
	ret->took = sw_clock_mono() - began;
	ret->ended = sw_clock_wall();
	ret->signo = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	ret->code = ret->signo ? 128 + ret->signo : WEXITSTATUS(status);
	ret->cpu_ms = ms_of(ru.ru_utime) + ms_of(ru.ru_stime);
	ret->max_rss_bytes = (double)ru.ru_maxrss * 1024;
	/* What was meant for the command and came too late does not end the report of it. */
	while (sigtimedwait(&set, NULL, &(struct timespec){ 0, 0 }) > 0)
		;
	(void)sigprocmask(SIG_SETMASK, &mask, NULL);
	return 0;
}
