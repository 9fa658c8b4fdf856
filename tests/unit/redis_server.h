/* A redis-server of the test's own: on a unix socket in a temporary folder, ended with the test. */
#ifndef TESTS_REDIS_SERVER_H
#define TESTS_REDIS_SERVER_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct redis_server { char dir[64], sock[96], url[128]; pid_t pid; };

static inline bool redis_present(void)
{
	return access("/usr/bin/redis-server", X_OK) == 0;
}

static inline int redis_connect(const struct redis_server *s)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(a.sun_path, sizeof a.sun_path, "%s", s->sock);
	if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

/* One command in Redis' inline form; the raw reply up to size. For setting things up behind the back of the bus. */
static inline void redis_do(const struct redis_server *s, const char *line, char *reply, size_t size)
{
	int fd = redis_connect(s);
	char buf[65536];
	size_t n = 0;
	ssize_t r = -1;

	if (fd >= 0 && write(fd, line, strlen(line)) == (ssize_t)strlen(line) && write(fd, "\r\n", 2) == 2) {
		while ((r = read(fd, buf + n, sizeof buf - 1 - n)) > 0) {
			struct pollfd p = { .fd = fd, .events = POLLIN };

			n += (size_t)r;
			if (n == sizeof buf - 1 || poll(&p, 1, 20) == 0)
				break;
		}
	}
	buf[n] = 0;
	if (reply)
		(void)snprintf(reply, size, "%s", buf);
	if (fd >= 0)
		(void)close(fd);
}

/* Starts (again), with further arguments (at most 6, NULL-ended or NULL) and with what lies in the folder; returns when it answers. fsync: "always", "everysec". */
static inline void redis_start_with(struct redis_server *s, const char *fsync_mode, const char *const *more)
{
	char reply[64];

	(void)fflush(NULL);
	s->pid = fork();
	if (s->pid == 0) {
		int null = open("/dev/null", O_RDWR);
		const char *argv[24] = { "redis-server", "--port", "0", "--unixsocket", s->sock, "--dir", s->dir, "--appendonly", "yes",
			"--appendfsync", fsync_mode, "--save", "", "--loglevel", "warning" };

		for (int n = 15; more && *more; more++)
			argv[n++] = *more;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)dup2(null, 1);
		(void)dup2(null, 2);
		execv("/usr/bin/redis-server", (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	for (int i = 0; i < 2000; i++) {
		redis_do(s, "PING", reply, sizeof reply);
		if (strncmp(reply, "+PONG", 5) == 0 || strncmp(reply, "-NOAUTH", 7) == 0)
			return;
		(void)poll(NULL, 0, 5);
	}
	abort();
}

static inline void redis_start(struct redis_server *s, const char *fsync_mode) { redis_start_with(s, fsync_mode, NULL); }

static inline void redis_new(struct redis_server *s, const char *fsync_mode)
{
	(void)snprintf(s->dir, sizeof s->dir, "/tmp/sw-test-XXXXXX");
	if (!mkdtemp(s->dir))
		abort();
	(void)snprintf(s->sock, sizeof s->sock, "%s/s", s->dir);
	(void)snprintf(s->url, sizeof s->url, "unix://%s", s->sock);
	redis_start(s, fsync_mode);
}

static inline void redis_kill(struct redis_server *s, int signo)
{
	if (s->pid > 0) {
		(void)kill(s->pid, SIGCONT);
		(void)kill(s->pid, signo);
		(void)waitpid(s->pid, NULL, 0);
	}
	s->pid = 0;
	(void)unlink(s->sock);
}

static inline void redis_gone(struct redis_server *s)
{
	pid_t pid;

	redis_kill(s, SIGKILL);
	pid = fork();
	if (pid == 0) {
		execl("/bin/rm", "rm", "-rf", s->dir, (char *)NULL);
		_exit(127);
	}
	(void)waitpid(pid, NULL, 0);
}

#endif
