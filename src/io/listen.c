/* Listening sockets: an address as it is written in the configuration, to descriptors that accept. */
#include "io/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LISTEN_BACKLOG 1024

static int listen_unix(const char *path, struct sw_err *err)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct stat st;
	int fd, r;

	if (path[0] == '\0' || strlen(path) >= sizeof sa.sun_path)
		return sw_err_set(err, EINVAL, "listen: path of the unix socket is empty or too long: %s", path);
	memcpy(sa.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return sw_err_set(err, errno, "listen: socket: %m");
	/* A file left behind by a dead process refuses; a living one answers and keeps it. */
	if (stat(path, &st) == 0 && S_ISSOCK(st.st_mode) && connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0 &&
	    errno == ECONNREFUSED)
		(void)unlink(path);
	(void)close(fd);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return sw_err_set(err, errno, "listen: socket: %m");
	if (bind(fd, (struct sockaddr *)&sa, sizeof sa) < 0 || listen(fd, LISTEN_BACKLOG) < 0) {
		r = sw_err_set(err, errno, "listen: unix:%s: %m", path);
		(void)close(fd);
		return r;
	}
	return fd;
}

static int listen_tcp(const struct sockaddr *sa, socklen_t sa_n, const char *address, struct sw_err *err)
{
	int one = 1, fd, r;

	fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return sw_err_set(err, errno, "listen: socket: %m");
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	/* Accepted sockets inherit it: answers are one small write each. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) < 0 || bind(fd, sa, sa_n) < 0 ||
	    listen(fd, LISTEN_BACKLOG) < 0) {
		r = sw_err_set(err, errno, "listen: %s: %m", address);
		(void)close(fd);
		return r;
	}
	return fd;
}

/* SO_REUSEPORT would let a second program of the same user take half of the connections without a word. */
static int listen_probe(const struct sockaddr *sa, socklen_t sa_n, const char *address, struct sw_err *err)
{
	int one = 1, r = 0, fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return sw_err_set(err, errno, "listen: socket: %m");
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fd, sa, sa_n) < 0)
		r = sw_err_set(err, errno, "listen: %s: %m", address);
	(void)close(fd);
	return r;
}

static int listen_split(const char *address, char *host, size_t size, const char **ret_port, struct sw_err *err)
{
	const char *colon = strrchr(address, ':');
	size_t n;

	if (!colon || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1))
		return sw_err_set(err, EINVAL, "listen: want \"host:port\" or \"unix:/path\", got \"%s\"", address);
	n = (size_t)(colon - address);
	if (n >= 2 && address[0] == '[' && address[n - 1] == ']') {
		address++;
		n -= 2;
	}
	if (n >= size)
		return sw_err_set(err, EINVAL, "listen: host too long");
	memcpy(host, address, n);
	host[n] = '\0';
	*ret_port = colon + 1;
	return 0;
}

int sw_listen(const char *address, unsigned n, int *ret_fds, struct sw_err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV }, *ai = NULL;
	struct sockaddr_storage ss;
	socklen_t ss_n = sizeof ss;
	const char *port = NULL;
	char host[256];
	unsigned i = 0;
	int r;

	if (strncmp(address, "unix:", 5) == 0) {
		r = listen_unix(address + 5, err);
		for (; r >= 0 && i < n; i++)
			ret_fds[i] = i ? fcntl(ret_fds[0], F_DUPFD_CLOEXEC, 3) : r;
		return r < 0 ? r : 0;
	}
	r = listen_split(address, host, sizeof host, &port, err);
	if (r < 0)
		return r;
	r = getaddrinfo(host[0] ? host : NULL, port, &hints, &ai);
	if (r)
		return sw_err_set(err, EINVAL, "listen: %s: %s", address, gai_strerror(r));
	memcpy(&ss, ai->ai_addr, ai->ai_addrlen);
	ss_n = ai->ai_addrlen;
	freeaddrinfo(ai);
	r = listen_probe((struct sockaddr *)&ss, ss_n, address, err);
	for (; r >= 0 && i < n; i++) {
		r = listen_tcp((struct sockaddr *)&ss, ss_n, address, err);
		if (r < 0)
			break;
		ret_fds[i] = r;
		/* From the first on, port 0 has become a number. */
		ss_n = sizeof ss;
		if (getsockname(r, (struct sockaddr *)&ss, &ss_n) < 0)
			r = sw_err_set(err, errno, "listen: %s: %m", address);
	}
	while (r < 0 && i > 0)
		(void)close(ret_fds[--i]);
	return r < 0 ? r : 0;
}

void sw_listen_name(int fd, char *out, size_t size)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t n = sizeof ss;
	char host[INET6_ADDRSTRLEN] = "", port[8] = "";

	if (getsockname(fd, (struct sockaddr *)&ss, &n) < 0)
		(void)snprintf(out, size, "?");
	else if (ss.ss_family == AF_UNIX)
		(void)snprintf(out, size, "unix:%s", ((struct sockaddr_un *)&ss)->sun_path);
	else if (getnameinfo((struct sockaddr *)&ss, n, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV))
		(void)snprintf(out, size, "?");
	else
		(void)snprintf(out, size, ss.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}
