/*
 * One connection: its states, its bytes, its answer. See http_server.h for the picture.
 *
 * Reading goes on while the handler works, so that a sender who leaves is noticed; bytes of a next request stay in the kernel.
 * A connection that is closed is only marked; its memory goes at the end of the loop's turn.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/http_inner.h"
#include "shipwatch/mem.h"

static void conn_event(evutil_socket_t fd, short what, void *arg);

void http_conn_want(struct sw_http_conn *c, short want)
{
	if (c->want == want)
		return;
	if (c->want)
		(void)event_del(&c->ev);
	c->want = want;
	if (!want)
		return;
	SW_ASSERT(event_assign(&c->ev, c->srv->loop->base, c->fd, (short)(want | EV_PERSIST), conn_event, c) == 0);
	if (event_add(&c->ev, NULL) < 0)
		http_conn_close(c);
}

void http_conn_state(struct sw_http_conn *c, enum http_state state, sw_dur deadline)
{
	struct sw_http_server *s = c->srv;

	s->stats.conns_idle += (state == HTTP_IDLE) - (c->state == HTTP_IDLE);
	s->stats.requests += (state == HTTP_REPLY) - (c->state == HTTP_REPLY);
	s->stats.streams += (state == HTTP_STREAM) - (c->state == HTTP_STREAM);
	c->state = state;
	c->deadline = deadline;
}

static void conn_drop_in(struct sw_http_conn *c)
{
	c->srv->stats.held_bytes -= (int64_t)c->in_cap;
	free(c->in);
	c->in = NULL;
	c->in_n = c->in_cap = 0;
}

/* Room for more bytes, never above most; false when all connections together hold too much. */
static bool conn_room(struct sw_http_conn *c, size_t more, size_t most)
{
	struct sw_http_server *s = c->srv;
	size_t cap = c->in_cap ? c->in_cap : 1024;

	while (cap < c->in_n + more)
		cap *= 2;
	cap = SW_MIN(cap, most);
	SW_ASSERT(cap >= c->in_n + more);
	if (cap <= c->in_cap)
		return true;
	if (s->stats.held_bytes + (int64_t)(cap - c->in_cap) > s->lim.held_max)
		return false;
	s->stats.held_bytes += (int64_t)(cap - c->in_cap);
	c->in = sw_realloc(c->in, cap);
	c->in_cap = cap;
	return true;
}

void http_req_unref(struct sw_http_req *req)
{
	struct sw_http_server *s = req->srv;

	if (--req->refs)
		return;
	if (s->h.on_done)
		s->h.on_done(s->h.arg, req);
	free(req);
}

void http_conn_drop_req(struct sw_http_conn *c)
{
	struct sw_http_req *req = SW_TAKE(c->req);

	if (!req)
		return;
	req->conn = NULL;
	req->addr = NULL;
	http_req_unref(req);
}

struct sw_http_conn *http_conn_new(struct sw_http_server *s, int fd, const struct sw_http_addr *addr)
{
	struct sw_http_conn *c = sw_calloc(1, sizeof *c);

	c->srv = s;
	c->fd = fd;
	c->addr = *addr;
	c->since = sw_loop_mono(s->loop);
	c->deadline = c->since + s->lim.head;
	c->state = HTTP_HEAD;
	return c;
}

void http_conn_start(struct sw_http_conn *c)
{
	http_conn_want(c, EV_READ);
}

void http_conn_close(struct sw_http_conn *c)
{
	if (c->state == HTTP_CLOSED)
		return;
	http_conn_state(c, HTTP_CLOSED, 0);
	if (c->want)
		(void)event_del(&c->ev);
	c->want = 0;
	(void)close(c->fd);
	c->fd = -1;
	conn_drop_in(c);
	sw_buf_fini(&c->out);
	http_conn_drop_req(c);
	if (c->stream)
		http_stream_closed(c);
	http_server_closed(c);
}

/* The answer is on its way as far as we are concerned. */
void http_conn_answered(struct sw_http_conn *c)
{
	struct sw_http_server *s = c->srv;
	sw_dur now = sw_loop_mono(s->loop);

	sw_buf_fini(&c->out);
	c->out_sent = 0;
	http_conn_drop_req(c);
	if (c->linger && !c->eof) {
		/* Closing with bytes unread would send a reset, and that can take the answer away from the sender. */
		(void)shutdown(c->fd, SHUT_WR);
		conn_drop_in(c);
		http_conn_state(c, HTTP_LINGER, now + s->lim.linger);
		http_conn_want(c, EV_READ);
	} else if (!c->keep_alive || c->eof || s->stopping) {
		http_conn_close(c);
	} else {
		conn_drop_in(c);
		c->gate = (struct sw_gate){ 0 };
		http_conn_state(c, HTTP_IDLE, now + s->lim.idle);
		http_conn_want(c, EV_READ);
	}
}

static void conn_write(struct sw_http_conn *c)
{
	while (c->out_sent < c->out.n) {
		ssize_t k = send(c->fd, c->out.p + c->out_sent, c->out.n - c->out_sent, MSG_NOSIGNAL);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			http_conn_want(c, EV_WRITE);
			return;
		}
		if (k < 0) {
			http_conn_close(c);
			return;
		}
		c->out_sent += (size_t)k;
	}
	http_conn_answered(c);
}

static bool answer_has(const struct sw_http_answer *a, const char *name)
{
	for (size_t i = 0; i < a->n_headers; i++)
		if (strcmp(a->headers[i].name, name) == 0)
			return true;
	return false;
}

void http_conn_head(struct sw_http_conn *c, const struct sw_http_answer *a, int64_t length, struct sw_buf *b)
{
	sw_buf_printf(b, "HTTP/1.1 %d %s\r\nDate: %s\r\n", a->status, sw_http_status_text(a->status), http_server_date(c->srv));
	/* A 304 speaks of the body that the other side has: its length is not ours to tell. */
	if (a->status != 204 && a->status != 304)
		sw_buf_printf(b, "Content-Type: %s\r\n", a->type ? a->type : "application/json");
	if (a->status != 204 && a->status != 304 && length >= 0)
		sw_buf_printf(b, "Content-Length: %lld\r\n", (long long)length);
	for (size_t i = 0; i < a->n_headers; i++)
		sw_buf_printf(b, "%s: %s\r\n", a->headers[i].name, a->headers[i].value);
	for (size_t i = 0; i < c->srv->n_always; i++)
		if (!answer_has(a, c->srv->always[i].name))
			sw_buf_printf(b, "%s: %s\r\n", c->srv->always[i].name, c->srv->always[i].value);
	sw_buf_cat(b, c->keep_alive ? "Connection: keep-alive\r\n" : "Connection: close\r\n");
}

static void conn_build(struct sw_http_conn *c, const struct sw_http_answer *a, struct sw_buf *b)
{
	http_conn_head(c, a, (int64_t)a->body_n, b);
	sw_buf_cat(b, "\r\n");
	if (a->body_n && !c->head_only && a->status != 204 && a->status != 304)
		sw_buf_catn(b, a->body, a->body_n);
}

/* Sends the answer; most fit into the socket at once and are never copied. */
static void conn_answer(struct sw_http_conn *c, const struct sw_http_answer *a, const char *why)
{
	struct sw_http_server *s = c->srv;
	sw_dur now = sw_loop_mono(s->loop);
	ssize_t k;

	if (a->close || s->stopping || c->linger)
		c->keep_alive = false;
	if (c->req)
		c->req->status = a->status;
	sw_buf_reset(&s->build);
	conn_build(c, a, &s->build);
	http_conn_state(c, HTTP_WRITE, now + s->lim.write);
	if (s->h.on_answer)
		s->h.on_answer(s->h.arg, c->req, a->status, why, now - c->since);
	k = send(c->fd, s->build.p, s->build.n, MSG_NOSIGNAL);
	if (k < 0 && errno != EAGAIN && errno != EINTR) {
		http_conn_close(c);
	} else if (k >= 0 && (size_t)k == s->build.n) {
		http_conn_answered(c);
	} else {
		size_t sent = k > 0 ? (size_t)k : 0;

		sw_buf_catn(&c->out, s->build.p + sent, s->build.n - sent);
		http_conn_want(c, EV_WRITE);
	}
	if (s->build.cap > HTTP_SCRATCH)
		sw_buf_fini(&s->build);
}

/* The server's own refusals; always the end of the connection, since nobody knows where a next request would begin. */
static void conn_refuse(struct sw_http_conn *c, int status, const char *why)
{
	struct sw_http_answer a = { .status = status };
	struct sw_header retry = { "Retry-After", "5" };
	struct sw_buf b = SW_BUF_INIT;

	sw_buf_cat(&b, "{\"error\":");
	sw_buf_json(&b, why);
	sw_buf_cat(&b, "}");
	a.body = b.p;
	a.body_n = b.n;
	if (status == 503) {
		a.headers = &retry;
		a.n_headers = 1;
	}
	c->linger = true;
	conn_answer(c, &a, why);
	sw_buf_fini(&b);
}

void http_req_back(struct sw_http_req *req)
{
	struct sw_http_server *s = req->srv;

	http_req_unref(req);
	SW_ASSERT(s->open_requests > 0);
	if (--s->open_requests == 0 && s->freed)
		free(s);
}

void sw_http_reply(struct sw_http_req *req, const struct sw_http_answer *a)
{
	struct sw_http_conn *c = req->conn;
	bool handed = req->handed;

	SW_ASSERT(req->refs > 0 && (!req->status || !c));
	/* A body that is still on its way is not waited for. */
	if (c && !handed && req->content_length > 0)
		c->linger = true;
	if (c)
		conn_answer(c, a, NULL);
	if (handed)
		http_req_back(req);
}

/* The body is whole: p lies in the scratch buffer or in what was kept. */
static void conn_complete(struct sw_http_conn *c, const char *p, size_t n)
{
	struct sw_http_server *s = c->srv;
	struct sw_http_req *req = c->req;
	size_t held = c->in_cap;
	char *in = SW_TAKE(c->in); /* stays while the handler reads, also when it answers meanwhile */

	c->in_n = c->in_cap = 0;
	req->body = p;
	req->body_n = n;
	req->handed = true;
	req->refs += 2; /* the handler's, and ours for the next lines */
	s->open_requests++;
	http_conn_state(c, HTTP_REPLY, sw_loop_mono(s->loop) + s->lim.reply);
	s->h.on_request(s->h.arg, req);
	req->body = NULL;
	http_req_unref(req);
	s->stats.held_bytes -= (int64_t)held;
	free(in);
}

/* The first part of the body came with the head. */
static void conn_body_begins(struct sw_http_conn *c, const char *rest, size_t rest_n)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct sw_http_server *s = c->srv;
	size_t want = (size_t)SW_MAX(c->req->content_length, 0);
	char *head = c->in;
	size_t head_cap = c->in_cap;

	if (rest_n == want) {
		conn_complete(c, rest, rest_n);
		return;
	}
	http_conn_state(c, HTTP_BODY, c->since + s->lim.request);
	/* rest may lie in the kept head: that goes only after it was copied. */
	c->in = NULL;
	c->in_n = c->in_cap = 0;
	if (!conn_room(c, SW_MAX(rest_n, 1), want)) {
		c->in = head;
		c->in_cap = head_cap;
		conn_refuse(c, 503, "too many requests are on their way");
		return;
	}
	memcpy(c->in, rest, rest_n);
	c->in_n = rest_n;
	s->stats.held_bytes -= (int64_t)head_cap;
	free(head);
	/* Nobody waits for it who has begun to send. */
	if (s->head.expect && rest_n == 0 && send(c->fd, go_on, sizeof go_on - 1, MSG_NOSIGNAL) != (ssize_t)sizeof go_on - 1)
		http_conn_close(c);
}

/* The head at p passed the gate (s->head). */
static void conn_head_done(struct sw_http_conn *c, const char *p, size_t n)
{
	struct sw_http_server *s = c->srv;
	struct sw_http_req *req;
	size_t rest_n = n - s->head.n;

	if ((int64_t)rest_n > SW_MAX(s->head.content_length, 0)) {
		conn_refuse(c, 400, "bytes behind the request: one request at a time");
		return;
	}
	req = http_head_read(s, p);
	if (!req) {
		conn_refuse(c, 400, "request line or header not understood");
		return;
	}
	c->req = req;
	c->keep_alive = s->head.keep_alive;
	c->old = s->head.minor == 0;
	c->head_only = strcmp(req->method, "HEAD") == 0;
	req->conn = c;
	req->addr = &c->addr;
	req->arrived = sw_loop_wall(s->loop);
	req->started = c->since;
	req->body_max = s->lim.body_max;
	http_conn_state(c, HTTP_BODY, c->since + s->lim.request);
	if (s->h.on_head)
		s->h.on_head(s->h.arg, req);
	if (c->state != HTTP_BODY)
		return;
	if (req->content_length > req->body_max)
		conn_refuse(c, 413, "body too large");
	else
		conn_body_begins(c, p + s->head.n, rest_n);
}

/* n more bytes of a head in the scratch buffer. */
static void conn_head_bytes(struct sw_http_conn *c, size_t n)
{
	struct sw_http_server *s = c->srv;
	struct sw_gate_limits lim = { s->lim.head_max, s->lim.lines_max };
	const char *p = s->scratch, *why = NULL;
	int r;

	if (c->in_n) {
		if (!conn_room(c, n, s->lim.head_max + HTTP_SCRATCH)) {
			conn_refuse(c, 503, "too many requests are on their way");
			return;
		}
		memcpy(c->in + c->in_n, s->scratch, n);
		c->in_n += n;
		p = c->in;
		n = c->in_n;
	} else {
		c->since = sw_loop_mono(s->loop);
	}
	if (c->state == HTTP_IDLE)
		http_conn_state(c, HTTP_HEAD, c->since + s->lim.head);
	c->keep_alive = c->linger = c->head_only = false;
	r = sw_gate_check(&c->gate, &lim, p, n, &s->head, &why);
	if (r == 0) {
		conn_head_done(c, p, n);
	} else if (r != SW_GATE_MORE) {
		conn_refuse(c, r, why);
	} else if (c->in_n == 0) {
		if (!conn_room(c, n, s->lim.head_max + HTTP_SCRATCH)) {
			conn_refuse(c, 503, "too many requests are on their way");
			return;
		}
		memcpy(c->in, p, n);
		c->in_n = n;
	}
}

/* Return: bytes; 0 when there is nothing to do now, or the connection is closed. */
static size_t conn_recv(struct sw_http_conn *c, void *p, size_t n, int flags)
{
	ssize_t k = recv(c->fd, p, n, flags);

	if (k > 0)
		return (size_t)k;
	if (k < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return 0;
	if (k == 0 && (c->state == HTTP_REPLY || c->state == HTTP_WRITE)) {
		/* A sender may close its half and still read the answer. */
		c->eof = true;
		http_conn_want(c, c->want & EV_WRITE);
		return 0;
	}
	http_conn_close(c);
	return 0;
}

static void conn_body_bytes(struct sw_http_conn *c)
{
	size_t want = (size_t)c->req->content_length, left = want - c->in_n, k;

	if (!conn_room(c, SW_MIN(left, (size_t)HTTP_SCRATCH), want)) {
		conn_refuse(c, 503, "too many requests are on their way");
		return;
	}
	k = conn_recv(c, c->in + c->in_n, SW_MIN(left, c->in_cap - c->in_n), 0);
	if (!k)
		return;
	c->in_n += k;
	if (c->in_n == want)
		conn_complete(c, c->in, c->in_n);
}

static void conn_readable(struct sw_http_conn *c)
{
	struct sw_http_server *s = c->srv;
	size_t k;

	switch (c->state) {
	case HTTP_IDLE:
	case HTTP_HEAD:
		k = conn_recv(c, s->scratch, sizeof s->scratch, 0);
		if (k)
			conn_head_bytes(c, k);
		break;
	case HTTP_BODY:
		conn_body_bytes(c);
		break;
	case HTTP_REPLY:
	case HTTP_WRITE:
		/* A next request waits in the kernel until this one is answered. */
		if (conn_recv(c, s->scratch, 1, MSG_PEEK))
			http_conn_want(c, 0);
		break;
	case HTTP_LINGER:
		k = conn_recv(c, s->scratch, sizeof s->scratch, 0);
		c->lingered += (int64_t)k;
		if (k && c->lingered > s->lim.linger_bytes)
			http_conn_close(c);
		break;
	case HTTP_STREAM:
		http_stream_readable(c);
		break;
	case HTTP_CLOSED:
		break;
	}
}

static void conn_event(evutil_socket_t fd, short what, void *arg)
{
	struct sw_http_conn *c = arg;

	if ((what & EV_WRITE) && c->state == HTTP_STREAM)
		http_stream_writable(c);
	else if (what & EV_WRITE)
		conn_write(c);
	else if (what & EV_READ)
		conn_readable(c);
}

void http_conn_expired(struct sw_http_conn *c)
{
	switch (c->state) {
	case HTTP_HEAD:
		if (c->in_n)
			conn_refuse(c, 408, "the head of the request took too long");
		else
			http_conn_close(c);
		break;
	case HTTP_BODY:
		conn_refuse(c, 408, "the request took too long");
		break;
	case HTTP_REPLY:
		/* The handler still has it; its answer will find nobody. */
		conn_refuse(c, 503, "no answer in time, try again");
		break;
	case HTTP_IDLE:
	case HTTP_WRITE:
	case HTTP_LINGER:
	case HTTP_STREAM:
	case HTTP_CLOSED:
		http_conn_close(c);
		break;
	}
}
