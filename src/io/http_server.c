/*
 * The HTTP server's sockets: accepting, deadlines, limits, stopping.
 *
 * Deadlines are looked at by one timer over all connections, a second apart at most: cheaper than a timer for each, and the
 * timer only runs while there is a connection. Accepting pauses when descriptors or connections run out, and goes on by a timer
 * or when a connection closes; meanwhile the oldest idle ones are closed.
 */
#include "io/http_server.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "io/http_inner.h"
#include "shipwatch/mem.h"

const struct sw_http_limits sw_http_limits_default = {
	.head_max = 16 * 1024, .lines_max = SW_GATE_LINES, .body_max = 25 * 1024 * 1024, .held_max = 256 * 1024 * 1024,
	.conns_max = 4000, .head = 10 * SW_SECOND, .request = 60 * SW_SECOND, .idle = 75 * SW_SECOND, .reply = 20 * SW_SECOND,
	.write = 30 * SW_SECOND, .linger = 10 * SW_SECOND, .linger_bytes = 64 * 1024 * 1024,
};

enum { ACCEPT_BATCH = 64, ACCEPT_AGAIN = 100 /* ms */, TROUBLE_EVERY = 10000 /* ms */ };

static void server_tick(void *arg);
static void server_resume(void *arg);
static void server_sweep(void *arg);

int sw_http_server_new(struct sw_loop *loop, const struct sw_http_limits *lim, const struct sw_http_handler *h,
                       struct sw_http_server **ret)
{
	struct sw_http_server *s = sw_calloc(1, sizeof *s);

	s->parser = htparser_new();
	if (!s->parser) {
		free(s);
		return -ENOMEM;
	}
	s->loop = loop;
	s->lim = *lim;
	s->h = *h;
	s->sweep = (struct sw_defer){ .cb = server_sweep, .arg = s };
	sw_timer_init(&s->tick, loop, server_tick, s);
	sw_timer_init(&s->again, loop, server_resume, s);
	*ret = s;
	return 0;
}

void sw_http_server_always(struct sw_http_server *s, const struct sw_header *headers, size_t n)
{
	s->always = headers;
	s->n_always = n;
}

void sw_http_server_limits(struct sw_http_server *s, const struct sw_http_limits *lim)
{
	s->lim = *lim;
}

void sw_http_server_stats(const struct sw_http_server *s, struct sw_http_stats *ret)
{
	*ret = s->stats;
}

const char *http_server_date(struct sw_http_server *s)
{
	sw_ms now = sw_loop_wall(s->loop) / 1000;
	time_t t = (time_t)now;
	struct tm tm;

	if (now != s->date_at && gmtime_r(&t, &tm)) {
		(void)strftime(s->date, sizeof s->date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
		s->date_at = now;
	}
	return s->date;
}

static void server_trouble(struct sw_http_server *s, const char *what)
{
	sw_dur now = sw_loop_mono(s->loop);

	if (!s->h.on_trouble || (s->trouble_at && now - s->trouble_at < TROUBLE_EVERY))
		return;
	s->trouble_at = now;
	s->h.on_trouble(s->h.arg, what);
}

static sw_dur server_tick_every(const struct sw_http_server *s)
{
	const struct sw_http_limits *l = &s->lim;
	sw_dur least = SW_MIN(SW_MIN(SW_MIN(l->head, l->request), SW_MIN(l->idle, l->reply)), SW_MIN(l->write, l->linger));

	return SW_MAX(SW_MIN(least / 4, SW_SECOND), 5);
}

static void server_stopped(struct sw_http_server *s)
{
	if (!s->stopping || s->first || !s->stop_done)
		return;
	sw_timer_stop(&s->tick);
	SW_TAKE(s->stop_done)(s->stop_arg);
}

static void server_sweep(void *arg)
{
	struct sw_http_server *s = arg;
	struct sw_http_conn *c;

	while ((c = s->dead) != NULL) {
		s->dead = c->next;
		free(c);
	}
	server_stopped(s);
}

void http_server_closed(struct sw_http_conn *c)
{
	struct sw_http_server *s = c->srv;

	if (c->prev)
		c->prev->next = c->next;
	else
		s->first = c->next;
	if (c->next)
		c->next->prev = c->prev;
	c->next = s->dead;
	s->dead = c;
	s->stats.conns--;
	sw_loop_defer(s->loop, &s->sweep);
	if (s->paused && s->stats.conns < s->lim.conns_max)
		sw_timer_set(&s->again, 0);
}

/* Closing one may close none but itself, so that next stays good. */
static void server_tick(void *arg)
{
	struct sw_http_server *s = arg;
	sw_dur now = sw_loop_mono(s->loop);
	bool over = s->stopping && now >= s->stop_at;

	for (struct sw_http_conn *c = s->first, *next; c; c = next) {
		next = c->next;
		if (over)
			http_conn_close(c);
		else if (now >= c->deadline)
			http_conn_expired(c);
	}
	if (s->first)
		sw_timer_set(&s->tick, server_tick_every(s));
}

/* Room for those who wait: the idle connection that would be closed first. */
static bool server_evict(struct sw_http_server *s)
{
	struct sw_http_conn *oldest = NULL;

	for (struct sw_http_conn *c = s->first; c; c = c->next)
		if (c->state == HTTP_IDLE && (!oldest || c->deadline < oldest->deadline))
			oldest = c;
	if (oldest)
		http_conn_close(oldest);
	return oldest != NULL;
}

static void server_pause(struct sw_http_server *s, const char *why)
{
	if (!s->paused)
		for (struct http_listener *l = s->listeners; l; l = l->next)
			(void)event_del(&l->ev);
	s->paused = true;
	server_trouble(s, why);
	sw_timer_set(&s->again, ACCEPT_AGAIN);
}

static void server_resume(void *arg)
{
	struct sw_http_server *s = arg;

	if (!s->paused || s->stopping)
		return;
	s->paused = false;
	for (struct http_listener *l = s->listeners; l; l = l->next)
		if (event_add(&l->ev, NULL) < 0)
			server_pause(s, "cannot wait for connections");
}

static void server_addr(const struct sockaddr_storage *ss, struct sw_http_addr *ret)
{
	*ret = (struct sw_http_addr){ .local = ss->ss_family != AF_INET && ss->ss_family != AF_INET6 };
	if (ss->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;

		memcpy(ret->ip, &in6->sin6_addr, 16);
		ret->port = ntohs(in6->sin6_port);
	} else if (ss->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)ss;

		ret->ip[10] = ret->ip[11] = 0xff;
		memcpy(ret->ip + 12, &in->sin_addr, 4);
		ret->port = ntohs(in->sin_port);
	}
}

void http_server_adopt(struct sw_http_server *s, int fd, const struct sw_http_addr *addr)
{
	struct sw_http_conn *c = http_conn_new(s, fd, addr);

	c->next = s->first;
	if (s->first)
		s->first->prev = c;
	s->first = c;
	s->stats.conns++;
	s->stats.accepted++;
	if (!sw_timer_armed(&s->tick))
		sw_timer_set(&s->tick, server_tick_every(s));
	http_conn_start(c);
}

/* Return: false when there is nothing more to accept now. */
static bool server_accept_one(struct sw_http_server *s, int listener)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t n = sizeof ss;
	struct sw_http_addr addr;
	int fd;

	if (s->stats.conns >= s->lim.conns_max && !server_evict(s)) {
		server_pause(s, "as many connections as there may be");
		return false;
	}
	fd = accept4(listener, (struct sockaddr *)&ss, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		/* Left registered, a listener that cannot accept would spin. */
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			(void)server_evict(s);
			server_pause(s, "out of file descriptors or memory for connections");
			return false;
		}
		return errno == EINTR || errno == ECONNABORTED;
	}
	server_addr(&ss, &addr);
	http_server_adopt(s, fd, &addr);
	return true;
}

static void server_acceptable(evutil_socket_t fd, short what, void *arg)
{
	struct http_listener *l = arg;

	for (int i = 0; i < ACCEPT_BATCH && server_accept_one(l->srv, fd); i++)
		;
}

int sw_http_server_listen(struct sw_http_server *s, int fd)
{
	struct http_listener *l = sw_calloc(1, sizeof *l);

	l->srv = s;
	l->fd = fd;
	SW_ASSERT(event_assign(&l->ev, s->loop->base, fd, EV_READ | EV_PERSIST, server_acceptable, l) == 0);
	if (event_add(&l->ev, NULL) < 0) {
		free(l);
		return -EIO;
	}
	l->next = s->listeners;
	s->listeners = l;
	return 0;
}

static void server_unlisten(struct sw_http_server *s)
{
	struct http_listener *l;

	while ((l = s->listeners) != NULL) {
		s->listeners = l->next;
		(void)event_del(&l->ev);
		(void)close(l->fd);
		free(l);
	}
}

void sw_http_server_stop(struct sw_http_server *s, sw_dur deadline, sw_loop_cb done, void *arg)
{
	char byte;

	if (s->stopping)
		return;
	/* What the kernel has already shaken hands with would be reset by closing the listener. */
	for (struct http_listener *l = s->listeners; l; l = l->next)
		while (s->stats.conns < s->lim.conns_max && server_accept_one(s, l->fd))
			;
	s->stopping = true;
	s->stop_at = sw_loop_mono(s->loop) + deadline;
	s->stop_done = done;
	s->stop_arg = arg;
	server_unlisten(s);
	for (struct sw_http_conn *c = s->first, *next; c; c = next) {
		next = c->next;
		/* An idle one may just have been asked again. */
		if (c->state == HTTP_IDLE && recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
			http_conn_close(c);
	}
	sw_timer_set(&s->tick, SW_MIN(server_tick_every(s), SW_MAX(deadline, 0)));
	sw_loop_defer(s->loop, &s->sweep);
}

void sw_http_server_free(struct sw_http_server *s)
{
	if (!s)
		return;
	s->stop_done = NULL;
	s->stopping = true;
	server_unlisten(s);
	while (s->first)
		http_conn_close(s->first);
	server_sweep(s);
	sw_defer_cancel(&s->sweep);
	sw_timer_stop(&s->tick);
	sw_timer_stop(&s->again);
	sw_buf_fini(&s->build);
	free(s->parser);
	s->parser = NULL;
	s->freed = true;
	if (s->open_requests == 0)
		free(s);
}

const char *sw_http_status_text(int status)
{
	static const struct { int status; const char *text; } texts[] = {
		{ 200, "OK" }, { 202, "Accepted" }, { 204, "No Content" }, { 301, "Moved Permanently" }, { 302, "Found" },
		{ 303, "See Other" }, { 304, "Not Modified" }, { 400, "Bad Request" }, { 401, "Unauthorized" },
		{ 403, "Forbidden" }, { 404, "Not Found" }, { 405, "Method Not Allowed" }, { 408, "Request Timeout" },
		{ 409, "Conflict" }, { 410, "Gone" }, { 411, "Length Required" }, { 413, "Content Too Large" },
		{ 415, "Unsupported Media Type" }, { 417, "Expectation Failed" }, { 421, "Misdirected Request" }, { 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" }, { 500, "Internal Server Error" }, { 503, "Service Unavailable" },
	};

	for (size_t i = 0; i < SW_COUNT(texts); i++)
		if (texts[i].status == status)
			return texts[i].text;
	return "Status";
}
