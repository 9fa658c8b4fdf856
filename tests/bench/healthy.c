/*
 * A health URL that is always well, at any address of the loopback device: what thousands of watches are pointed at. Prints its port;
 * GET /count says how many others were answered. Ends by itself after so many seconds.
 *
 *   bench-healthy SECONDS
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX 4096

struct conn {
	int fd;
	size_t n;
	char head[REQUEST_MAX];
};

static unsigned long answered;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void conn_close(struct conn *c)
{
	(void)close(c->fd);
	free(c);
}

/* Answers the request whose head is whole. Its body, if any, is none of ours. Return: 0; -1 when the connection is gone. */
static int conn_answer(struct conn *c)
{
	static const char well[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{\"status\":\"ok\"}";
	char text[128];
	const char *p = well;
	size_t n = sizeof well - 1;

	if (strncmp(c->head, "GET /count ", 11) == 0) {
		char body[32];
		int len = snprintf(body, sizeof body, "%lu", answered);

		n = (size_t)snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len, body);
		p = text;
	} else {
		answered++;
	}
	return write(c->fd, p, n) == (ssize_t)n ? 0 : -1;
}

static void conn_read(struct conn *c)
{
	for (;;) {
		ssize_t r = read(c->fd, c->head + c->n, sizeof c->head - 1 - c->n);
		char *end;

		if (r < 0 && errno == EAGAIN)
			return;
		if (r <= 0) {
			conn_close(c);
			return;
		}
		c->n += (size_t)r;
		c->head[c->n] = 0;
		while ((end = strstr(c->head, "\r\n\r\n"))) {
			size_t used = (size_t)(end + 4 - c->head);

			if (conn_answer(c) < 0) {
				conn_close(c);
				return;
			}
			c->n -= used;
			memmove(c->head, end + 4, c->n + 1);
		}
		if (c->n == sizeof c->head - 1) {
			conn_close(c);
			return;
		}
	}
}

/* Every address of the loopback device, and no other device. */
static int listen_loopback(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) < 0 || bind(fd, (struct sockaddr *)&sa, sizeof sa) < 0 ||
	    listen(fd, 4096) < 0)
		die("listen on the loopback device");
	return fd;
}

static void accept_all(int ep, int listener)
{
	int fd, one = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *c = calloc(1, sizeof *c);
		struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };

		if (!c)
			die("memory");
		c->fd = fd;
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0)
			die("epoll");
	}
}

int main(int argc, char **argv)
{
	unsigned long seconds = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
	struct rlimit files;
	struct sockaddr_in sa;
	socklen_t n = sizeof sa;
	struct epoll_event ev = { .events = EPOLLIN }, got[256];
	int listener, ep = epoll_create1(EPOLL_CLOEXEC);

	if (argc != 2 || seconds == 0 || seconds > 3600) {
		(void)fprintf(stderr, "usage: bench-healthy SECONDS\n");
		return 2;
	}
	(void)alarm((unsigned)seconds); /* the default of SIGALRM: the end */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	listener = listen_loopback();
	if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev) < 0 || getsockname(listener, (struct sockaddr *)&sa, &n) < 0)
		die("epoll");
	(void)printf("%d\n", ntohs(sa.sin_port));
	(void)fflush(stdout);
	for (;;) {
		int k = epoll_wait(ep, got, sizeof got / sizeof *got, -1);

		for (int i = 0; i < k; i++) {
			if (got[i].data.ptr)
				conn_read(got[i].data.ptr);
			else
				accept_all(ep, listener);
		}
	}
}
