/* test-health in a call: one GET over a plain socket, with one deadline over all of it. Reads no more than the answer may be long. */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "shipwatch/clock.h"
#include "shipwatch/err.h"
#include "shipwatch/mem.h"
#include "shipwatch/probe.h"

#define ANSWER_MAX ((size_t)64 * 1024)
#define HOST_MAX   256

struct ask {
	char host[HOST_MAX], port[8];
	const char *path;         /* "" or from its '/' on */
	sw_dur end;               /* monotonic */
	struct sw_err *err;
};

/* "http://host[:port][/path]", the host also as [::1]. */
static int ask_url(struct ask *k, const char *url)
{
	const char *p = url + 7, *end, *host = p;
	size_t host_n;

	if (!sw_starts(url, "http://"))
		return sw_err_set(k->err, EINVAL, "want http://HOST[:PORT][/PATH]");
	end = p + strcspn(p, "/?#");
	if (*p == '[') {
		host = p + 1;
		p = memchr(p, ']', (size_t)(end - p));
		host_n = p ? (size_t)(p++ - host) : 0;
	} else {
		p += strcspn(p, ":/?#");
		host_n = (size_t)(p - host);
	}
	if (host_n == 0 || host_n >= HOST_MAX || strcspn(url, " \t\r\n@") < strlen(url))
		return sw_err_set(k->err, EINVAL, "want http://HOST[:PORT][/PATH]");
	(void)snprintf(k->host, sizeof k->host, "%.*s", (int)host_n, host);
	(void)snprintf(k->port, sizeof k->port, "80");
	if (p < end) {
		size_t digits = strspn(p + 1, "0123456789");

		if (*p != ':' || digits == 0 || digits > 5 || p + 1 + digits != end || strtoul(p + 1, NULL, 10) > 65535)
			return sw_err_set(k->err, EINVAL, "want a port from 1 to 65535");
		(void)snprintf(k->port, sizeof k->port, "%.*s", (int)digits, p + 1);
	}
	k->path = *end == '#' ? "" : end;
	return 0;
}

static int ask_wait(struct ask *k, int fd, short what)
{
	for (;;) {
		sw_dur left = k->end - sw_clock_mono();
		struct pollfd p = { .fd = fd, .events = what };
		int r = left > 0 ? poll(&p, 1, (int)SW_MIN(left, (sw_dur)INT32_MAX)) : 0;

		if (r > 0)
			return 0;
		if (r == 0)
			return sw_err_set(k->err, ETIMEDOUT, "no answer in time");
		if (errno != EINTR)
			return sw_err_set(k->err, errno, "%s", strerror(errno));
	}
}

/* Return: the socket, or -errno of the last address tried. */
static int ask_connect(struct ask *k)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all, *ai;
	int r = getaddrinfo(k->host, k->port, &hints, &all), fd = -1;

	if (r != 0)
		return sw_err_set(k->err, EHOSTUNREACH, "%s: %s", k->host, gai_strerror(r));
	for (ai = all; ai && fd < 0; ai = ai->ai_next) {
		socklen_t n = sizeof r;

		fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fd < 0) {
			r = sw_err_set(k->err, errno, "%s", strerror(errno));
			continue;
		}
		r = connect(fd, ai->ai_addr, ai->ai_addrlen) == 0 ? 0 : errno;
		if (r == EINPROGRESS) {
			r = -ask_wait(k, fd, POLLOUT);
			if (r == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &r, &n) < 0)
				r = errno;
		}
		if (r == 0)
			break;
		r = sw_err_set(k->err, r, "%s", strerror(r));
		(void)close(fd);
		fd = -1;
	}
	freeaddrinfo(all);
	return fd >= 0 ? fd : r;
}

/* A server that keeps the connection open has said how long its answer is. */
static bool ask_whole(const struct sw_buf *answer)
{
	const char *text = sw_buf_str(answer), *end = strstr(text, "\r\n\r\n");

	for (const char *p = end ? strstr(text, "\r\n") : NULL; p && p < end; p = strstr(p + 2, "\r\n"))
		if (strncasecmp(p + 2, "content-length:", 15) == 0)
			return answer->n - (size_t)(end + 4 - text) >= strtoul(p + 17, NULL, 10);
	return false;
}

static int ask_exchange(struct ask *k, int fd, struct sw_buf *answer)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf rq = SW_BUF_INIT;
	bool v6 = strchr(k->host, ':') != NULL;
	size_t sent = 0;

	sw_buf_printf(&rq, "GET %s%s HTTP/1.1\r\nHost: %s%s%s:%s\r\nAccept: application/json\r\nConnection: close\r\n\r\n",
	              *k->path == '/' ? "" : "/", k->path, v6 ? "[" : "", k->host, v6 ? "]" : "", k->port);
	while (sent < rq.n) {
		ssize_t n = send(fd, rq.p + sent, rq.n - sent, MSG_NOSIGNAL);
		int r = 0;

		if (n >= 0)
			sent += (size_t)n;
		else if (errno == EAGAIN)
			r = ask_wait(k, fd, POLLOUT);
		else if (errno != EINTR)
			r = sw_err_set(k->err, errno, "%s", strerror(errno));
		if (r < 0)
			return r;
	}
	for (;;) {
		ssize_t n;
		int r = ask_wait(k, fd, POLLIN);

		if (r < 0)
			return r;
		sw_buf_reserve(answer, 4096);
		n = recv(fd, answer->p + answer->n, 4096, 0);
		if (n == 0)
			return 0;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return answer->n ? 0 : sw_err_set(k->err, errno, "%s", strerror(errno));
		if (n > 0) {
			answer->n += (size_t)n;
			answer->p[answer->n] = '\0';
		}
		if (ask_whole(answer))
			return 0;
		if (answer->n > ANSWER_MAX)
			return sw_err_set(k->err, EBADMSG, "an answer of more than %zu KiB", ANSWER_MAX / 1024);
	}
}

/* The body without the sizes of its chunks; what is broken ends it. */
static void ask_unchunk(const char *p, struct sw_buf *out)
{
	for (;;) {
		char *end;
		unsigned long n = strtoul(p, &end, 16);
		const char *data = strstr(end, "\r\n");

		if (end == p || n == 0 || n > ANSWER_MAX || !data || strlen(data + 2) < n)
			return;
		sw_buf_catn(out, data + 2, n);
		p = data + 2 + n;
		if (strncmp(p, "\r\n", 2) == 0)
			p += 2;
	}
}

static bool ask_chunked(const char *head, const char *end)
{
	for (const char *p = strstr(head, "\r\n"); p && p < end; p = strstr(p + 2, "\r\n"))
		if (strncasecmp(p + 2, "transfer-encoding:", 18) == 0)
			return strcasestr(p, "chunked") != NULL && strcasestr(p, "chunked") < end;
	return false;
}

static int ask_commit(const char *body, size_t n, const char *commit, struct sw_err *err)
{
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
	struct sw_jnode *root;
	const char *got;
	size_t same;
	int r = sw_jtree_parse(&a, body, n, 10000, &root, err);

	if (r < 0) {
		sw_err_prefix(err, "it answers, but the body is");
		return -EIO;
	}
	got = sw_jstr(root, "commit");
	if (!got)
		return sw_err_set(err, EIO, "it answers, but says no commit");
	same = SW_MIN(strlen(got), strlen(commit));
	if (same < 7 || strncasecmp(got, commit, same) != 0)
		return sw_err_set(err, EIO, "it answers, but as commit %.64s, not %.64s", got, commit);
	return 0;
}

static int ask_judge(const struct sw_buf *answer, const char *commit, struct sw_err *err)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf body = SW_BUF_INIT;
	const char *text = sw_buf_str(answer), *end = strstr(text, "\r\n\r\n");
	int status = 0;

	if (!end || strncmp(text, "HTTP/1.", 7) != 0 || sscanf(text + 8, " %3d", &status) != 1)
		return sw_err_set(err, EBADMSG, answer->n ? "not an answer of HTTP" : "closed without an answer");
	if (status < 200 || status > 299)
		return sw_err_set(err, EIO, "HTTP status %d", status);
	if (!commit)
		return 0;
	if (ask_chunked(text, end))
		ask_unchunk(end + 4, &body);
	else
		sw_buf_cat(&body, end + 4);
	return ask_commit(sw_buf_str(&body), body.n, commit, err);
}

int sw_test_health(const char *url, const char *commit, int64_t timeout_ms, char *why, size_t why_size)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf answer = SW_BUF_INIT;
	struct sw_err err = SW_ERR_INIT;
	struct ask k = { .err = &err, .end = sw_clock_mono() + SW_MAX(timeout_ms, (int64_t)1) };
	int fd = -1, r = commit && strlen(commit) < 7 ? sw_err_set(&err, EINVAL, "want at least 7 digits of the commit") : ask_url(&k, url);

	if (r == 0)
		r = fd = ask_connect(&k);
	if (r >= 0)
		r = ask_exchange(&k, fd, &answer);
	if (fd >= 0)
		(void)close(fd);
	if (r >= 0)
		r = ask_judge(&answer, commit, &err);
	if (why && why_size) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

		sw_utf8_clean(&b, r < 0 ? err.text : "healthy", strlen(r < 0 ? err.text : "healthy"), true);
		(void)snprintf(why, why_size, "%s", sw_buf_str(&b));
	}
	return r;
}
