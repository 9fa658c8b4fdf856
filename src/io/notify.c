/* Readiness, stopping and signs of life, as systemd's sd_notify(3) and --notify-fd want them. */
#include "io/notify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define WATCHDOG_LEAST ((sw_dur)100) /* who asks for more than that gets no more */

void sw_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t n = path ? strlen(path) : 0;
	int fd;

	if (n < 2 || n >= sizeof sa.sun_path || (*path != '/' && *path != '@'))
		return;
	memcpy(sa.sun_path, path, n);
	if (sa.sun_path[0] == '@')
		sa.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	/* A full queue of the other side must not hold us: the next sign of life comes soon. */
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&sa, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
	(void)close(fd);
}

void sw_notify_ready(int fd)
{
	if (fd >= 0)
		(void)!write(fd, "READY=1\n", 8);
	sw_notify("READY=1");
}

static long long notify_number(const char *name)
{
	const char *text = getenv(name);
	char *end;
	long long n;

	if (!text)
		return -1;
	errno = 0;
	n = strtoll(text, &end, 10);
	return errno || end == text || *end || n <= 0 ? 0 : n;
}

sw_dur sw_notify_watchdog(void)
{
	long long us = notify_number("WATCHDOG_USEC"), pid = notify_number("WATCHDOG_PID");

	/* Without a pid it is meant for whoever reads it; a child inherits the variables and is not the one. */
	if (us <= 0 || (pid >= 0 && pid != (long long)getpid()))
		return 0;
	return SW_MAX((sw_dur)(us / 2000), WATCHDOG_LEAST);
}
