/* One connection, waited for, by sockets that never block and OpenSSL. */
#include "io/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "io/resolve.h"
#include "io/tls.h"
#include "shipwatch/clock.h"
#include "shipwatch/mem.h"

struct sw_stream {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl; /* NULL: plain */
};

/* Until fd is ready. Return: 0, or -ETIMEDOUT. */
static int stream_wait(int fd, short what, sw_dur until)
{
	for (;;) {
		sw_dur left = until - sw_clock_mono();
		struct pollfd p = { .fd = fd, .events = what };
		int r = left <= 0 ? 0 : poll(&p, 1, (int)SW_MIN(left, (sw_dur)1000000));

		if (r > 0)
			return 0;
		if (r == 0 && sw_clock_mono() >= until)
			return -ETIMEDOUT;
		if (r < 0 && errno != EINTR)
			return -errno;
	}
}

/* ---- names ---- */

struct asked {
	char addrs[SW_RESOLVE_ADDRS][INET6_ADDRSTRLEN];
	size_t n;
	char why[160];
	bool done;
};

static void on_resolved(void *arg, const char *const *addrs, size_t n, const char *why)
{
	struct asked *q = arg;

	for (q->n = 0; q->n < n; q->n++)
		(void)snprintf(q->addrs[q->n], sizeof q->addrs[0], "%s", addrs[q->n]);
	(void)snprintf(q->why, sizeof q->why, "%s", why ? why : "");
	q->done = true;
}

static void on_limit(void *arg)
{
	(void)arg;
}

static int stream_resolve(const char *host, sw_dur until, struct asked *q, struct sw_err *err)
{
	struct sw_resolver *resolver = NULL;
	struct sw_resolve *open;
	struct sw_loop *loop;
	struct sw_timer limit = { 0 };
	int swept, r = sw_loop_new(&loop);

	if (r < 0)
		return sw_err_set(err, -r, "%s", strerror(-r));
	r = sw_resolver_new(loop, NULL, NULL, &resolver);
	if (r == 0) {
		sw_timer_init(&limit, loop, on_limit, NULL);
		sw_timer_set(&limit, until - sw_clock_mono());
		open = sw_resolve(resolver, host, on_resolved, q);
		while (!q->done && sw_clock_mono() < until && sw_loop_turn(loop, true) >= 0)
			;
		if (!q->done) {
			sw_resolve_cancel(open);
			r = sw_err_set(err, ETIMEDOUT, "no answer about the name %.100s in time", host);
		} else if (!q->n) {
			r = sw_err_set(err, EHOSTUNREACH, "cannot resolve %.100s: %s", host, q->why);
		}
		sw_timer_stop(&limit);
		swept = sw_loop_turn(loop, false); /* what a cancelled question left is told now, and freed */
		(void)swept;
	}
	sw_resolver_free(resolver);
	sw_loop_free(loop);
	return r;
}

/* ---- TCP ---- */

static int stream_connect(const char *addr, const char *port, sw_dur until, int *ret)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	bool v4 = inet_pton(AF_INET, addr, &in.sin_addr) == 1;
	socklen_t len = sizeof(int);
	int fd, e = 0, one = 1, r;

	if (!v4 && inet_pton(AF_INET6, addr, &in6.sin6_addr) != 1)
		return -EINVAL;
	in.sin_port = in6.sin6_port = htons((uint16_t)strtoul(port, NULL, 10));
	fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = v4 ? connect(fd, (const struct sockaddr *)&in, sizeof in) : connect(fd, (const struct sockaddr *)&in6, sizeof in6);
	r = r < 0 ? -errno : 0;
	if (r == -EINPROGRESS) {
		r = stream_wait(fd, POLLOUT, until);
		if (r == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len) == 0)
			r = -e;
	}
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	*ret = fd;
	return 0;
}

int sw_stream_open(const char *host, const char *port, sw_dur until, struct sw_stream **ret, struct sw_err *err)
{
	struct asked q = { .n = 0 };
	struct sw_stream *s;
	int fd = -1, r = stream_resolve(host, until, &q, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < q.n && fd < 0; i++) {
		sw_dur left = until - sw_clock_mono();

		/* An address that says nothing leaves time for the others. */
		r = stream_connect(q.addrs[i], port, sw_clock_mono() + (i + 1 < q.n ? left / 2 : left), &fd);
	}
	if (fd < 0)
		return sw_err_set(err, -r, "no connection to %.100s port %s: %s", host, port, strerror(-r));
	s = sw_calloc(1, sizeof *s);
	s->fd = fd;
	*ret = s;
	return 0;
}

void sw_stream_free(struct sw_stream *s)
{
	if (!s)
		return;
	SSL_free(s->ssl);
	SSL_CTX_free(s->ctx);
	(void)close(s->fd);
	free(s);
}

/* ---- TLS ---- */

/* What to do after a call that gave r. Return: 0: call again; 1: closed; -errno with err. */
static int tls_more(struct sw_stream *s, int r, sw_dur until, struct sw_err *err)
{
	int why = SSL_get_error(s->ssl, r), e = errno;
	long verified = SSL_get_verify_result(s->ssl);

	switch (why) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		r = stream_wait(s->fd, why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, until);
		return r < 0 ? sw_err_set(err, -r, "%s", strerror(-r)) : 0;
	case SSL_ERROR_ZERO_RETURN:
		return 1;
	case SSL_ERROR_SYSCALL:
		ERR_clear_error();
		return sw_err_set(err, e ? e : ECONNRESET, "%s", e ? strerror(e) : "the connection was cut");
	default:
		if (verified != X509_V_OK)
			return sw_tls_error(err, EKEYREJECTED, X509_verify_cert_error_string(verified));
		return sw_tls_error(err, EPROTO, "TLS");
	}
}

int sw_stream_tls(struct sw_stream *s, const char *host, const char *ca_file, sw_dur until, struct sw_err *err)
{
	int r;

	/* What a machine's openssl.cnf says is of the OpenSSL it has, not of the one in here. */
	(void)OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	r = sw_tls_context(ca_file, NULL, NULL, "--ca-file", &s->ctx, err);
	if (r < 0)
		return r;
	s->ssl = SSL_new(s->ctx);
	if (!s->ssl || SSL_set_fd(s->ssl, s->fd) != 1 || !sw_tls_expect(s->ssl, host))
		return sw_tls_error(err, EINVAL, "TLS cannot be set up");
	for (;;) {
		ERR_clear_error();
		r = SSL_connect(s->ssl);
		if (r == 1)
			return 0;
		r = tls_more(s, r, until, err);
		if (r != 0)
			return r < 0 ? r : sw_err_set(err, ECONNRESET, "the connection ended within TLS's greeting");
	}
}

/* ---- bytes ---- */

int sw_stream_write(struct sw_stream *s, const void *p, size_t n, sw_dur until, struct sw_err *err)
{
	const char *from = p;

	while (n) {
		ssize_t k;
		int r = 0;

		ERR_clear_error();
		errno = 0;
		k = s->ssl ? SSL_write(s->ssl, from, (int)SW_MIN(n, (size_t)65536)) : send(s->fd, from, n, MSG_NOSIGNAL);
		if (k > 0) {
			from += k;
			n -= (size_t)k;
			continue;
		}
		if (s->ssl)
			r = tls_more(s, (int)k, until, err);
		else if (errno == EAGAIN)
			r = stream_wait(s->fd, POLLOUT, until);
		else if (errno != EINTR)
			r = -errno;
		if (r != 0)
			return s->ssl ? (r < 0 ? r : sw_err_set(err, EPIPE, "the connection ended")) : sw_err_set(err, -r, "%s", strerror(-r));
	}
	return 0;
}

long sw_stream_read(struct sw_stream *s, void *p, size_t n, sw_dur until, struct sw_err *err)
{
	for (;;) {
		ssize_t k;
		int r = 0;

		ERR_clear_error();
		errno = 0;
		k = s->ssl ? SSL_read(s->ssl, p, (int)SW_MIN(n, (size_t)65536)) : recv(s->fd, p, n, 0);
		if (k > 0 || (k == 0 && !s->ssl))
			return (long)k;
		if (s->ssl) {
			r = tls_more(s, (int)k, until, err);
			if (r != 0)
				return r < 0 ? r : 0;
			continue;
		}
		if (errno == EAGAIN)
			r = stream_wait(s->fd, POLLIN, until);
		else if (errno != EINTR)
			r = -errno;
		if (r < 0)
			return sw_err_set(err, -r, "%s", strerror(-r));
	}
}
