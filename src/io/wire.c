/*
 * One connection in the loop, plain or by OpenSSL.
 *
 *   connecting ──▶ greeting (TLS) ──▶ open ──▶ ended
 *        └───────────────┴────────────────────────▲
 *
 * Invariants
 *  1. The owner is called only from an event or the end of a turn, never from within its own calls.
 *  2. A wire freed in one of its callbacks lives until that returns (busy), so that nothing below looks at freed memory.
 *  3. TLS may want to write in order to read and the other way round: whatever it waits for, the same pump goes on.
 */
#include "io/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <openssl/err.h>

#include "io/tls.h"
#include "shipwatch/buf.h"
#include "shipwatch/mem.h"

#define READ_BYTES  65536
#define READ_TURNS  16             /* reads of one event: a flood does not keep the loop from the others */
#define KEEP_BYTES  (1 << 20)      /* a larger buffer is given back when it is empty */
#define DEAD_AFTER  10000          /* ms that sent bytes may stay unacknowledged */

enum wire_state { WIRE_CONNECTING, WIRE_GREETING, WIRE_OPEN, WIRE_ENDED };

struct sw_wire_tls { SSL_CTX *ctx; };

struct sw_wire {
	struct sw_loop *loop;
	struct sw_wire_handler h;
	enum wire_state state;
	int fd;
	bool events;                   /* they are set up */
	bool busy, freed;
	struct event ev_read, ev_write;
	SSL *ssl;
	char *name;
	struct sw_buf out;
	size_t out_at;                 /* of out, what is gone already */
	struct sw_defer later;
	char why[256];                 /* once it is to be ended */
};

/* ---- TLS ---- */

int sw_wire_tls_new(const struct sw_wire_tls_conf *conf, struct sw_wire_tls **ret, struct sw_err *err)
{
	struct sw_wire_tls *t = sw_calloc(1, sizeof *t);
	int r = sw_tls_context(conf->ca_file, conf->cert_file, conf->key_file, "ca_file", &t->ctx, err);

	if (r < 0) {
		free(t);
		return r;
	}
	(void)SSL_CTX_set_mode(t->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	*ret = t;
	return 0;
}

void sw_wire_tls_free(struct sw_wire_tls *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->ctx);
	free(t);
}

/* ---- ending ---- */

static void wire_destroy(struct sw_wire *w)
{
	sw_defer_cancel(&w->later);
	if (w->events) {
		(void)event_del(&w->ev_read);
		(void)event_del(&w->ev_write);
	}
	SSL_free(w->ssl);
	if (w->fd >= 0)
		(void)close(w->fd);
	sw_buf_fini(&w->out);
	free(w->name);
	free(w);
}

void sw_wire_free(struct sw_wire *w)
{
	if (!w)
		return;
	w->freed = true;
	if (!w->busy)
		wire_destroy(w);
}

/* Tells once; the caller looks at freed afterwards. */
static void wire_end(struct sw_wire *w, const char *why)
{
	char text[256];

	if (w->freed || w->state == WIRE_ENDED)
		return;
	(void)snprintf(text, sizeof text, "%s", why);
	w->state = WIRE_ENDED;
	if (w->events) {
		(void)event_del(&w->ev_read);
		(void)event_del(&w->ev_write);
	}
	w->h.end(w->h.arg, text);
}

/* After a call of OpenSSL that gave k <= 0. Return: 0: wait and call again; 1: it is over, and was told. */
static int wire_tls_more(struct sw_wire *w, int k)
{
	int e = errno, what = SSL_get_error(w->ssl, k);
	char why[256];

	if (what == SSL_ERROR_WANT_READ)
		return 0;
	if (what == SSL_ERROR_WANT_WRITE) {
		(void)event_add(&w->ev_write, NULL);
		return 0;
	}
	if (what == SSL_ERROR_ZERO_RETURN)
		(void)snprintf(why, sizeof why, "connection closed");
	else if (what == SSL_ERROR_SYSCALL)
		(void)snprintf(why, sizeof why, "%s", e ? strerror(e) : "connection closed");
	else if (ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_SSL && ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		(void)snprintf(why, sizeof why, "%s", w->state == WIRE_GREETING ? "the connection was closed within TLS's greeting" : "connection closed");
	else
		sw_tls_why(w->ssl, w->name, why, sizeof why);
	ERR_clear_error();
	wire_end(w, why);
	return 1;
}

/* ---- bytes ---- */

static void wire_flush(struct sw_wire *w)
{
	while (!w->freed && w->state == WIRE_OPEN && w->out_at < w->out.n) {
		size_t left = w->out.n - w->out_at;
		ssize_t k;

		errno = 0;
		if (w->ssl) {
			ERR_clear_error();
			k = SSL_write(w->ssl, w->out.p + w->out_at, (int)SW_MIN(left, (size_t)1 << 30));
			if (k <= 0) {
				(void)wire_tls_more(w, (int)k);
				return;
			}
		} else {
			k = send(w->fd, w->out.p + w->out_at, left, MSG_NOSIGNAL);
			if (k < 0 && errno == EINTR)
				continue;
			if (k < 0 && errno == EAGAIN) {
				(void)event_add(&w->ev_write, NULL);
				return;
			}
			if (k < 0) {
				wire_end(w, strerror(errno));
				return;
			}
		}
		w->out_at += (size_t)k;
	}
	if (w->out_at < w->out.n)
		return;
	w->out_at = 0;
	if (w->out.cap > KEEP_BYTES)
		sw_buf_fini(&w->out);
	else
		sw_buf_reset(&w->out);
}

static void wire_read(struct sw_wire *w)
{
	static char buf[READ_BYTES]; /* of the thread of the loop; the owner borrows it within data only */

	for (int i = 0; i < READ_TURNS && !w->freed && w->state == WIRE_OPEN; i++) {
		ssize_t k;

		errno = 0;
		if (w->ssl) {
			ERR_clear_error();
			k = SSL_read(w->ssl, buf, sizeof buf);
			if (k <= 0) {
				(void)wire_tls_more(w, (int)k);
				return;
			}
		} else {
			k = recv(w->fd, buf, sizeof buf, 0);
			if (k < 0 && errno == EINTR)
				continue;
			if (k < 0 && errno == EAGAIN)
				return;
			if (k <= 0) {
				wire_end(w, k == 0 ? "connection closed" : strerror(errno));
				return;
			}
		}
		w->h.data(w->h.arg, buf, (size_t)k);
		if (!w->ssl && k < READ_BYTES)
			return; /* that was all: saves asking once more to be told so */
	}
	if (!w->freed && w->state == WIRE_OPEN && w->ssl && SSL_pending(w->ssl))
		event_active(&w->ev_read, EV_READ, 0); /* no event tells of what OpenSSL has taken already */
}

static void wire_opened(struct sw_wire *w)
{
	w->state = WIRE_OPEN;
	w->h.open(w->h.arg);
}

static void wire_greet(struct sw_wire *w)
{
	int k;

	ERR_clear_error();
	errno = 0;
	k = SSL_connect(w->ssl);
	if (k == 1)
		wire_opened(w);
	else
		(void)wire_tls_more(w, k);
}

static void wire_connected(struct sw_wire *w)
{
	socklen_t len = sizeof(int);
	int e = 0;

	if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &e, &len) < 0)
		e = errno;
	if (e) {
		wire_end(w, strerror(e));
		return;
	}
	(void)event_add(&w->ev_read, NULL);
	if (w->ssl) {
		w->state = WIRE_GREETING;
		wire_greet(w);
	} else {
		wire_opened(w);
	}
}

/* Whatever happened: what is next in this state. */
static void wire_pump(struct sw_wire *w, bool readable)
{
	bool outer = !w->busy;

	w->busy = true;
	if (w->why[0])
		wire_end(w, w->why);
	else if (w->state == WIRE_CONNECTING)
		wire_connected(w);
	else if (w->state == WIRE_GREETING)
		wire_greet(w);
	else if (w->state == WIRE_OPEN && readable)
		wire_read(w);
	/* After a read what was written waits for the end of the turn with all else, unless TLS could not write before it had read. */
	if (!w->freed && w->state == WIRE_OPEN && (!readable || w->ssl))
		wire_flush(w);
	if (outer) {
		w->busy = false;
		if (w->freed)
			wire_destroy(w);
	}
}

static void wire_on_read(evutil_socket_t fd, short what, void *arg) { wire_pump(arg, true); }

/* TLS may have waited for this in order to read. */
static void wire_on_write(evutil_socket_t fd, short what, void *arg)
{
	struct sw_wire *w = arg;

	wire_pump(w, w->ssl != NULL);
}

static void wire_later(void *arg) { wire_pump(arg, false); }

void sw_wire_write(struct sw_wire *w, const void *p, size_t n)
{
	if (w->freed || w->state == WIRE_ENDED)
		return;
	if (w->out_at && w->out_at == w->out.n) {
		w->out_at = 0;
		sw_buf_reset(&w->out);
	}
	sw_buf_catn(&w->out, p, n);
	if (w->state == WIRE_OPEN)
		sw_loop_defer(w->loop, &w->later);
}

/* ---- opening ---- */

static int wire_unix(struct sw_wire *w, const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof a.sun_path)
		return -ENAMETOOLONG;
	memcpy(a.sun_path, path, strlen(path));
	w->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return w->fd < 0 || connect(w->fd, (const struct sockaddr *)&a, sizeof a) < 0 ? -errno : 0;
}

static int wire_tcp(struct sw_wire *w, const char *host, int port)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	bool v4 = inet_pton(AF_INET, host, &in.sin_addr) == 1;
	unsigned ms = DEAD_AFTER;
	int one = 1;

	if (!v4 && inet_pton(AF_INET6, host, &in6.sin6_addr) != 1)
		return -EINVAL;
	in.sin_port = in6.sin6_port = htons((uint16_t)port);
	w->fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (w->fd < 0)
		return -errno;
	(void)setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	(void)setsockopt(w->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
	(void)setsockopt(w->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
	return (v4 ? connect(w->fd, (const struct sockaddr *)&in, sizeof in) : connect(w->fd, (const struct sockaddr *)&in6, sizeof in6)) < 0 ? -errno : 0;
}

struct sw_wire *sw_wire_open(struct sw_loop *loop, const struct sw_wire_to *to, const struct sw_wire_handler *h)
{
	struct sw_wire *w = sw_calloc(1, sizeof *w);
	int r;

	*w = (struct sw_wire){ .loop = loop, .h = *h, .fd = -1, .later = { .cb = wire_later, .arg = w } };
	w->name = sw_strdup(to->name ? to->name : to->host ? to->host : "");
	r = to->path ? wire_unix(w, to->path) : wire_tcp(w, to->host, to->port);
	if (r < 0 && r != -EINPROGRESS) {
		(void)snprintf(w->why, sizeof w->why, "%s", strerror(-r));
		sw_loop_defer(loop, &w->later);
		return w;
	}
	if (to->tls) {
		w->ssl = SSL_new(to->tls->ctx);
		SW_ASSERT(w->ssl && SSL_set_fd(w->ssl, w->fd) == 1);
		if (!sw_tls_expect(w->ssl, w->name)) {
			ERR_clear_error();
			(void)snprintf(w->why, sizeof w->why, "TLS: \"%.100s\" is no name that a certificate can have", w->name);
			sw_loop_defer(loop, &w->later);
		}
	}
	SW_ASSERT(event_assign(&w->ev_read, loop->base, w->fd, EV_READ | EV_PERSIST, wire_on_read, w) == 0 &&
	          event_assign(&w->ev_write, loop->base, w->fd, EV_WRITE, wire_on_write, w) == 0);
	w->events = true;
	(void)event_add(&w->ev_write, NULL);
	return w;
}

const char *sw_wire_doing(const struct sw_wire *w)
{
	return w->state == WIRE_CONNECTING ? "connecting" : w->state == WIRE_GREETING ? "TLS's greeting" : "open";
}
