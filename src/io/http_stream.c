/*
 * Answers without an end that is known: a head, then pieces whenever there are some. What a socket does not take is kept up to a limit; who
 * takes nothing for longer than an answer may take, or lets more pile up than that, is cut off. Chunked, so that an end is told from a cut.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "io/http_inner.h"
#include "shipwatch/mem.h"

#define NEVER INT64_MAX

struct sw_http_stream {
	struct sw_http_conn *conn;
	size_t most;
	bool chunked, ending;
	bool ours;                /* the owner's call is under way: it hears by its result */
	struct sw_http_stream_owner owner;
};

static size_t stream_pending(const struct sw_http_conn *c)
{
	return c->out.n - c->out_sent;
}

/* By its owner, or with nobody to tell: no callback comes any more. */
static void stream_free(struct sw_http_conn *c)
{
	free(SW_TAKE(c->stream));
}

static void stream_cut(struct sw_http_conn *c)
{
	stream_free(c);
	http_conn_close(c);
}

static void stream_drained(struct sw_http_conn *c)
{
	struct sw_http_stream *st = c->stream;

	sw_buf_fini(&c->out);
	c->out_sent = 0;
	if (st->ending) {
		stream_free(c);
		http_conn_answered(c);
		return;
	}
	c->deadline = NEVER;
	http_conn_want(c, (short)(c->want & EV_READ));
}

/* Return: false: the connection is broken. */
static bool stream_write(struct sw_http_conn *c)
{
	while (stream_pending(c)) {
		ssize_t k = send(c->fd, c->out.p + c->out_sent, stream_pending(c), MSG_NOSIGNAL);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK;
		c->out_sent += (size_t)k;
		c->deadline = sw_loop_mono(c->srv->loop) + c->srv->lim.write;
	}
	return true;
}

void http_stream_writable(struct sw_http_conn *c)
{
	struct sw_http_stream *st = c->stream;
	bool ending = st->ending;

	if (!stream_write(c)) {
		http_conn_close(c);
		return;
	}
	if (stream_pending(c))
		return;
	stream_drained(c);
	if (!ending && st->owner.room)
		st->owner.room(st->owner.arg);
}

void http_stream_readable(struct sw_http_conn *c)
{
	char byte;
	ssize_t k = recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	if (k < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	/* A next request waits in the kernel; that the other side goes is seen when it takes nothing more. */
	if (k > 0)
		http_conn_want(c, (short)(c->want & EV_WRITE));
	else
		http_conn_close(c);
}

void http_stream_closed(struct sw_http_conn *c)
{
	struct sw_http_stream *st = SW_TAKE(c->stream);
	struct sw_http_stream_owner owner = st->owner;

	if (st->ending || st->ours)
		owner.gone = NULL;
	free(st);
	if (owner.gone)
		owner.gone(owner.arg);
}

/* What waits goes out, as far as the socket takes it. Return: false: it was cut, or has come to its end. */
static bool stream_push(struct sw_http_conn *c, bool waited)
{
	struct sw_http_stream *st = c->stream;

	if (!waited) {
		c->deadline = sw_loop_mono(c->srv->loop) + c->srv->lim.write;
		if (!stream_write(c)) {
			stream_cut(c);
			return false;
		}
	}
	st->ours = true;
	if (!stream_pending(c))
		stream_drained(c);
	else if (stream_pending(c) > st->most && !st->ending)
		stream_cut(c);
	else
		http_conn_want(c, (short)(c->want | EV_WRITE));
	if (c->stream)
		c->stream->ours = false;
	return c->stream != NULL;
}

/* The kernel keeps no more for a slow reader than we do. */
static void stream_room(struct sw_http_conn *c, size_t most)
{
	int bytes = (int)SW_MIN(SW_MAX(most, (size_t)8192), (size_t)1 << 20);

	(void)setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

struct sw_http_stream *sw_http_stream_begin(struct sw_http_req *req, const struct sw_http_answer *head, size_t most, const struct sw_http_stream_owner *owner)
{
	struct sw_http_conn *c = req->conn;
	struct sw_http_server *s = req->srv;
	struct sw_http_answer a = *head;
	struct sw_http_stream *st;

	SW_ASSERT(req->refs > 0 && req->handed && (!req->status || !c));
	if (!c || c->head_only) {
		a.body_n = 0;
		sw_http_reply(req, &a);
		return NULL;
	}
	if (a.close || s->stopping || c->old)
		c->keep_alive = false;
	req->status = a.status;
	st = c->stream = sw_calloc(1, sizeof *st);
	*st = (struct sw_http_stream){ .conn = c, .most = most, .chunked = !c->old, .ours = true, .owner = *owner };
	stream_room(c, most);
	sw_buf_reset(&c->out);
	http_conn_head(c, &a, -1, &c->out);
	sw_buf_cat(&c->out, st->chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n");
	http_conn_state(c, HTTP_STREAM, NEVER);
	if (s->h.on_answer)
		s->h.on_answer(s->h.arg, req, a.status, NULL, sw_loop_mono(s->loop) - c->since);
	http_conn_drop_req(c);
	http_req_back(req);
	http_conn_want(c, EV_READ);
	return c->stream && stream_push(c, false) ? st : NULL;
}

bool sw_http_stream_send(struct sw_http_stream *st, const void *p, size_t n)
{
	struct sw_http_conn *c = st->conn;
	bool waited = stream_pending(c) > 0;

	SW_ASSERT(!st->ending);
	if (n == 0)
		return true;
	/* What is sent already makes room. */
	if (c->out_sent > stream_pending(c)) {
		memmove(c->out.p, c->out.p + c->out_sent, stream_pending(c));
		sw_buf_truncate(&c->out, stream_pending(c));
		c->out_sent = 0;
	}
	if (st->chunked)
		sw_buf_printf(&c->out, "%zx\r\n", n);
	sw_buf_catn(&c->out, p, n);
	if (st->chunked)
		sw_buf_cat(&c->out, "\r\n");
	return stream_push(c, waited);
}

void sw_http_stream_end(struct sw_http_stream *st)
{
	struct sw_http_conn *c = st->conn;
	bool waited = stream_pending(c) > 0;

	if (st->chunked)
		sw_buf_cat(&c->out, "0\r\n\r\n");
	else
		c->keep_alive = false;
	st->ending = true;
	(void)stream_push(c, waited);
}

void sw_http_stream_cut(struct sw_http_stream *st)
{
	stream_cut(st->conn);
}

size_t sw_http_stream_pending(const struct sw_http_stream *st)
{
	return stream_pending(st->conn);
}
