/* What whoever started a role is told: datagrams to a path and to an abstract name, the descriptor, when a sign of life is due. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/notify.h"

/* A socket that NOTIFY_SOCKET names; '@' is the abstract namespace. */
static int listener(const char *name)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	memcpy(sa.sun_path, name, strlen(name));
	if (*name == '@')
		sa.sun_path[0] = 0;
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
	return fd;
}

static void heard(int fd, const char *want)
{
	char buf[64] = "";
	ssize_t n = read(fd, buf, sizeof buf - 1);

	assert_true(n >= 0);
	assert_string_equal(buf, want);
}

static void test_socket(void **state)
{
	char dir[] = "/tmp/sw-notify-XXXXXX", path[64], name[64];
	int fds[2], fd;

	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof path, "%s/s", dir);
	(void)snprintf(name, sizeof name, "@sw-test-notify-%ld", (long)getpid());
	for (int i = 0; i < 2; i++) {
		fd = listener(i ? name : path);
		sw_notify("STOPPING=1");
		heard(fd, "STOPPING=1");
		assert_int_equal(pipe(fds), 0);
		sw_notify_ready(fds[1]);
		heard(fd, "READY=1");
		heard(fds[0], "READY=1\n");
		sw_notify_ready(-1);
		heard(fd, "READY=1");
		(void)close(fds[0]);
		(void)close(fds[1]);
		(void)close(fd);
	}
	(void)unlink(path);
	(void)rmdir(dir);
}

/* Names that are none, and a socket that nobody reads: nothing happens, and nobody waits. */
static void test_nobody(void **state)
{
	char longest[200], dir[] = "/tmp/sw-notify-XXXXXX", path[64];
	const char *names[] = { "", "/", "@", "relative/socket", "/nowhere/at/all", longest };
	int fd;

	memset(longest, 'a', sizeof longest - 1);
	longest[0] = '/';
	longest[sizeof longest - 1] = 0;
	for (size_t i = 0; i < SW_COUNT(names); i++) {
		assert_int_equal(setenv("NOTIFY_SOCKET", names[i], 1), 0);
		sw_notify("READY=1");
	}
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
	sw_notify("READY=1");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof path, "%s/s", dir);
	fd = listener(path);
	for (int i = 0; i < 10000; i++)
		sw_notify("WATCHDOG=1");
	heard(fd, "WATCHDOG=1");
	(void)close(fd);
	(void)unlink(path);
	(void)rmdir(dir);
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
}

static void test_watchdog(void **state)
{
	char own[32];
	static const struct { const char *us, *pid; sw_dur want; } rows[] = {
		{ NULL, NULL, 0 },
		{ "30000000", NULL, 15000 },
		{ "30000000", "own", 15000 },
		{ "30000000", "1", 0 },
		{ "30000000", "", 0 },
		{ "30000000", "own ", 0 },
		{ "0", NULL, 0 },
		{ "-5", NULL, 0 },
		{ "many", NULL, 0 },
		{ "1", NULL, 100 },
		{ "99999999999999999999", NULL, 0 },
	};

	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		(void)snprintf(own, sizeof own, "%ld%s", (long)getpid(), rows[i].pid && strchr(rows[i].pid, ' ') ? " " : "");
		(void)unsetenv("WATCHDOG_USEC");
		(void)unsetenv("WATCHDOG_PID");
		if (rows[i].us)
			(void)setenv("WATCHDOG_USEC", rows[i].us, 1);
		if (rows[i].pid)
			(void)setenv("WATCHDOG_PID", strncmp(rows[i].pid, "own", 3) == 0 ? own : rows[i].pid, 1);
		assert_int_equal(sw_notify_watchdog(), rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_socket),
		cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_watchdog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
