/*
 * A server for the tests of the HTTP layer: the real gate, parser and connections with a handler that tells what it was given.
 *
 *   http_echo [key=value]…   keys: the limits (body_max, held_max, conns_max, head, request, idle, reply, write, linger) and
 *                            listen (an address; default 127.0.0.1:0). The first line on stdout is the address.
 *
 * POST /echo   answers method, path, query, headers and body (its length and FNV-1a hash)
 * POST /later  the same, at the end of the loop's turn; POST /never is answered after the server is gone; POST /keep is
 *              answered by the next POST /release
 * GET /stats   what the server counts; GET /big 16 MiB; POST /small has a body_max of 10; POST /early is refused at its head
 * GET /stream/… pieces: all (1 MiB in pieces, each when there is room), flood (until it is cut), hang (8 MiB and nothing more), open (a few
 *              bytes and nothing more), cut (the same, and then cut), end (the same, and its end)
 * SIGTERM      a graceful stop of at most 2 s; then the line "stopped" on stdout
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/http_server.h"
#include "io/listen.h"
#include "shipwatch/buf.h"
#include "shipwatch/mem.h"

struct echo {
	struct sw_loop *loop;
	struct sw_http_server *server;
	struct sw_http_req *later[64], *never[64], *kept;
	struct sw_buf later_body[64];
	unsigned n_later, n_never, heads, done, answers, gone, flooded;
	struct sw_defer defer;
};

static void echo_field(struct sw_buf *b, const char *name, const char *value)
{
	sw_buf_printf(b, "\"%s\":", name);
	sw_buf_json(b, value);
	sw_buf_putc(b, ',');
}

static void echo_text(const struct sw_http_req *req, struct sw_buf *b)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < req->body_n; i++)
		hash = (hash ^ (unsigned char)req->body[i]) * 16777619u;
	sw_buf_putc(b, '{');
	echo_field(b, "method", req->method);
	echo_field(b, "path", req->path);
	echo_field(b, "query", req->query);
	sw_buf_cat(b, "\"headers\":[");
	for (size_t i = 0; i < req->n_headers; i++) {
		sw_buf_cat(b, i ? ",[" : "[");
		sw_buf_json(b, req->headers[i].name);
		sw_buf_putc(b, ',');
		sw_buf_json(b, req->headers[i].value);
		sw_buf_putc(b, ']');
	}
	sw_buf_printf(b, "],\"n\":%zu,\"hash\":%u}", req->body_n, hash);
}

static void echo_reply(struct sw_http_req *req, int status, const char *p, size_t n)
{
	struct sw_http_answer a = { .status = status, .body = p, .body_n = n };

	sw_http_reply(req, &a);
}

static void echo_on_head(void *arg, struct sw_http_req *req)
{
	struct echo *e = arg;

	e->heads++;
	if (strcmp(req->path, "/small") == 0)
		req->body_max = 10;
	if (strcmp(req->path, "/early") == 0)
		echo_reply(req, 404, "{\"error\":\"early\"}", 17);
}

static void echo_stats(struct echo *e, struct sw_http_req *req)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_http_stats st;

	sw_http_server_stats(e->server, &st);
	sw_buf_printf(&b, "{\"conns\":%u,\"idle\":%u,\"requests\":%u,\"held\":%lld,\"accepted\":%llu,\"heads\":%u,\"done\":%u,\"answers\":%u,"
	                  "\"streams\":%u,\"gone\":%u,\"flooded\":%u}",
	              st.conns, st.conns_idle, st.requests, (long long)st.held_bytes, (unsigned long long)st.accepted, e->heads,
	              e->done, e->answers, st.streams, e->gone, e->flooded);
	echo_reply(req, 200, b.p, b.n);
	sw_buf_fini(&b);
}

static void echo_big(struct sw_http_req *req)
{
	size_t n = 16 * 1024 * 1024; /* more than the kernel takes */
	char *p = sw_malloc(n);

	memset(p, 'x', n);
	echo_reply(req, 200, p, n);
	free(p);
}

/* ---- streams ---- */

enum { PIECE = 4000, WHOLE = 1 << 20, HANG = 8 << 20 };

struct piped { struct echo *e; struct sw_http_stream *st; size_t sent; };

static void piped_gone(void *arg)
{
	struct piped *p = arg;

	p->e->gone++;
	free(p);
}

/* One piece whenever all before it is on its way; byte n is 'a' + n % 26. */
static void piped_room(void *arg)
{
	struct piped *p = arg;
	char piece[PIECE];
	size_t n = SW_MIN((size_t)PIECE, WHOLE - p->sent);

	while (n) {
		for (size_t i = 0; i < n; i++)
			piece[i] = (char)('a' + (p->sent + i) % 26);
		p->sent += n;
		if (!sw_http_stream_send(p->st, piece, n)) {
			free(p);
			return;
		}
		if (sw_http_stream_pending(p->st))
			return;
		n = SW_MIN((size_t)PIECE, WHOLE - p->sent);
	}
	sw_http_stream_end(p->st);
	free(p);
}

static void piped_flood(struct piped *p)
{
	char piece[PIECE];

	memset(piece, 'x', sizeof piece);
	while (sw_http_stream_send(p->st, piece, sizeof piece))
		p->sent += sizeof piece;
	p->e->flooded = (unsigned)p->sent;
	free(p);
}

static void echo_stream(struct echo *e, struct sw_http_req *req, const char *how)
{
	struct piped *p = sw_calloc(1, sizeof *p);
	const struct sw_http_stream_owner owner = { piped_gone, strcmp(how, "all") == 0 ? piped_room : NULL, p };
	char *big;

	p->e = e;
	p->st = sw_http_stream_begin(req, &(struct sw_http_answer){ .status = 200, .type = "text/plain" }, strcmp(how, "hang") == 0 ? 2 * HANG : 3 * PIECE, &owner);
	if (!p->st || (strcmp(how, "open") == 0 && sw_http_stream_send(p->st, "hello", 5))) {
		if (!p->st)
			free(p);
	} else if (strcmp(how, "all") == 0) {
		piped_room(p);
	} else if (strcmp(how, "flood") == 0) {
		piped_flood(p);
	} else if (strcmp(how, "hang") == 0) {
		big = sw_calloc(1, HANG);
		SW_ASSERT(sw_http_stream_send(p->st, big, HANG));
		free(big);
	} else {
		SW_ASSERT(sw_http_stream_send(p->st, "hello", 5) && sw_http_stream_send(p->st, "", 0));
		if (strcmp(how, "cut") == 0)
			sw_http_stream_cut(p->st);
		else
			sw_http_stream_end(p->st);
		free(p);
	}
}

static void echo_on_request(void *arg, struct sw_http_req *req)
{
	struct echo *e = arg;
	struct sw_buf b = SW_BUF_INIT;

	if (strcmp(req->path, "/stats") == 0) {
		echo_stats(e, req);
		return;
	}
	if (strncmp(req->path, "/stream/", 8) == 0) {
		echo_stream(e, req, req->path + 8);
		return;
	}
	if (strcmp(req->path, "/big") == 0) {
		echo_big(req);
		return;
	}
	if (strcmp(req->path, "/keep") == 0 && !e->kept) {
		e->kept = req;
		return;
	}
	if (strcmp(req->path, "/never") == 0 && e->n_never < SW_COUNT(e->never)) {
		e->never[e->n_never++] = req;
		return;
	}
	if (strcmp(req->path, "/release") == 0 && e->kept)
		echo_reply(SW_TAKE(e->kept), 200, "{}", 2);
	echo_text(req, &b);
	if (strcmp(req->path, "/later") == 0 && e->n_later < SW_COUNT(e->later)) {
		e->later[e->n_later] = req;
		e->later_body[e->n_later++] = b;
		sw_loop_defer(e->loop, &e->defer);
		return;
	}
	echo_reply(req, 200, b.p, b.n);
	sw_buf_fini(&b);
}

static void echo_deferred(void *arg)
{
	struct echo *e = arg;

	while (e->n_later) {
		struct sw_buf *b = &e->later_body[--e->n_later];

		echo_reply(e->later[e->n_later], 200, b->p, b->n);
		sw_buf_fini(b);
	}
}

static void echo_on_answer(void *arg, const struct sw_http_req *req, int status, const char *why, sw_dur took)
{
	((struct echo *)arg)->answers++;
}

static void echo_on_done(void *arg, struct sw_http_req *req)
{
	((struct echo *)arg)->done++;
}

static void echo_on_trouble(void *arg, const char *what)
{
	(void)fprintf(stderr, "trouble: %s\n", what);
}

static void echo_stopped(void *arg)
{
	sw_loop_stop(((struct echo *)arg)->loop);
}

static void echo_term(void *arg)
{
	sw_http_server_stop(((struct echo *)arg)->server, 2000, echo_stopped, arg);
}

static bool echo_limit(struct sw_http_limits *l, const char *key, int64_t v)
{
	if (strcmp(key, "body_max") == 0)
		l->body_max = v;
	else if (strcmp(key, "held_max") == 0)
		l->held_max = v;
	else if (strcmp(key, "conns_max") == 0)
		l->conns_max = (unsigned)v;
	else if (strcmp(key, "head") == 0)
		l->head = v;
	else if (strcmp(key, "request") == 0)
		l->request = v;
	else if (strcmp(key, "idle") == 0)
		l->idle = v;
	else if (strcmp(key, "reply") == 0)
		l->reply = v;
	else if (strcmp(key, "write") == 0)
		l->write = v;
	else if (strcmp(key, "linger") == 0)
		l->linger = v;
	else
		return false;
	return true;
}

static const char *echo_options(int argc, char **argv, struct sw_http_limits *lim)
{
	const char *listen_at = "127.0.0.1:0";

	for (int i = 1; i < argc; i++) {
		char *eq = strchr(argv[i], '=');

		if (!eq)
			return NULL;
		*eq = '\0';
		if (strcmp(argv[i], "listen") == 0)
			listen_at = eq + 1;
		else if (!echo_limit(lim, argv[i], strtoll(eq + 1, NULL, 10)))
			return NULL;
	}
	return listen_at;
}

int main(int argc, char **argv)
{
	struct sw_http_limits lim = sw_http_limits_default;
	const char *listen_at = echo_options(argc, argv, &lim);
	struct sw_err err = SW_ERR_INIT;
	static const struct sw_header always[] = { { "X-Always", "1" }, { "Cache-Control", "no-store" } };
	struct echo e = { 0 };
	struct sw_http_handler h = { &e, echo_on_head, echo_on_request, echo_on_answer, echo_on_done, echo_on_trouble };
	char name[160];
	int fd;

	if (!listen_at || sw_listen(listen_at, 1, &fd, &err) < 0 || sw_loop_new(&e.loop) < 0 ||
	    sw_http_server_new(e.loop, &lim, &h, &e.server) < 0 || sw_http_server_listen(e.server, fd) < 0 ||
	    sw_loop_signal(e.loop, SIGTERM, echo_term, &e) < 0) {
		(void)fprintf(stderr, "http_echo: %s\n", err.text);
		return 1;
	}
	sw_http_server_always(e.server, always, SW_COUNT(always));
	e.defer = (struct sw_defer){ .cb = echo_deferred, .arg = &e };
	sw_listen_name(fd, name, sizeof name);
	(void)printf("%s\n", name);
	(void)fflush(stdout);
	if (sw_loop_run(e.loop) < 0)
		return 1;
	sw_http_server_free(e.server);
	/* A handler may be later than the server itself. */
	while (e.n_never)
		echo_reply(e.never[--e.n_never], 200, "{}", 2);
	sw_loop_free(e.loop);
	(void)printf("stopped\n");
	return 0;
}
