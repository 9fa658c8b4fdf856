/*
 * The HTTP client against a server of raw bytes in the same loop: answers, faults and what they are classified as,
 * limits, redirects, names; nothing is sent twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <sys/socket.h>

#include "base/str.h"
#include "io/http_client.h"
#include "shipwatch/buf.h"
#include "shipwatch/mem.h"

#define CONNS 64

struct server {
	struct evconnlistener *listener;
	unsigned port, accepted, requests;
	struct sw_buf last;               /* the last request, whole */
	struct bufferevent *conns[CONNS]; /* those that are left open */
	size_t n;
};

static struct server server;
static struct sw_loop *loop;

/* ---- the server ---- */

struct answer {
	const char *path, *bytes;
	enum { STAY, CLOSE, RESET, ENDLESS } then;
};
static const struct answer answers[] = {
	{ "/ok", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-One: a\r\nDATE:  now \r\nX-Empty:\r\n\r\nhello", STAY },
	{ "http://far.example/once", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nfar", STAY },
	{ "/once", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nonce", CLOSE },
	{ "/empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", STAY },
	{ "/chunked", "HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\nRetry-After: 7\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	  STAY },
	{ "/until-close", "HTTP/1.0 200 OK\r\n\r\nto the end", CLOSE },
	{ "/continue", "HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok",
	  STAY },
	{ "/half", "HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n{\"errcode\":", CLOSE },
	{ "/half-head", "HTTP/1.1 200 OK\r\nContent-Le", CLOSE },
	{ "/close", "", CLOSE },
	{ "/reset", "", RESET },
	{ "/silent", "", STAY },
	{ "/slow-body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", STAY },
	{ "/noise", "what is this?\r\n\r\n", CLOSE },
	{ "/endless", "HTTP/1.1 200 OK\r\n\r\n", ENDLESS },
	{ "/here", "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 4\r\n\r\ngone", STAY },
	{ "/loop", "HTTP/1.1 301 Moved\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n", STAY },
	{ "/away", "HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/ok\r\nContent-Length: 0\r\n\r\n", STAY },
	{ "/file", "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n", STAY },
	{ "/not-modified", "HTTP/1.1 304 Not Modified\r\n\r\n", STAY },
};

static void conn_drop(struct bufferevent *b)
{
	for (size_t i = 0; i < server.n; i++)
		if (server.conns[i] == b)
			server.conns[i] = server.conns[--server.n];
	bufferevent_free(b);
}

static void on_flushed(struct bufferevent *b, void *arg)
{
	static const char junk[4096];
	const struct answer *a = arg;
	const struct linger now = { 1, 0 };

	if (a->then == ENDLESS) {
		(void)bufferevent_write(b, junk, sizeof junk);
		return;
	}
	if (a->then == RESET)
		(void)setsockopt(bufferevent_getfd(b), SOL_SOCKET, SO_LINGER, &now, sizeof now);
	conn_drop(b);
}

static void on_gone(struct bufferevent *b, short what, void *arg)
{
	conn_drop(b);
}

static void on_request(struct bufferevent *b, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(b);
	size_t have = evbuffer_get_length(in), need;
	const char *p = (const char *)evbuffer_pullup(in, -1), *end, *len;
	char path[64];

	end = p ? memmem(p, have, "\r\n\r\n", 4) : NULL;
	if (!end)
		return;
	need = (size_t)(end - p) + 4;
	len = memmem(p, need, "Content-Length: ", 16);
	need += len ? strtoul(len + 16, NULL, 10) : 0;
	if (have < need)
		return;
	sw_buf_reset(&server.last);
	sw_buf_catn(&server.last, p, need);
	(void)evbuffer_drain(in, need);
	server.requests++;
	assert_int_equal(sscanf(server.last.p, "%*s %63[^ ?]", path), 1);
	for (size_t i = 0; i < SW_COUNT(answers); i++) {
		if (strcmp(answers[i].path, path) != 0)
			continue;
		(void)bufferevent_write(b, answers[i].bytes, strlen(answers[i].bytes));
		if (answers[i].then == STAY)
			return;
		bufferevent_setcb(b, NULL, on_flushed, on_gone, (void *)(uintptr_t)&answers[i]);
		if (!*answers[i].bytes)
			on_flushed(b, (void *)(uintptr_t)&answers[i]);
		return;
	}
	fail_msg("no answer for %s", path);
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int n, void *arg)
{
	struct bufferevent *b = bufferevent_socket_new(loop->base, fd, BEV_OPT_CLOSE_ON_FREE);

	assert_true(b && server.n < CONNS);
	server.conns[server.n++] = b;
	server.accepted++;
	bufferevent_setcb(b, on_request, NULL, on_gone, NULL);
	(void)bufferevent_enable(b, EV_READ | EV_WRITE);
}

static int start(void **state)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof sa;

	(void)setenv("http_proxy", "http://127.0.0.1:1", 1); /* must not be used */
	(void)setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	if (sw_loop_new(&loop) < 0)
		return -1;
	server.listener = evconnlistener_new_bind(loop->base, on_accept, NULL, LEV_OPT_CLOSE_ON_FREE, 64,
	                                          (struct sockaddr *)&sa, sizeof sa);
	if (!server.listener || getsockname(evconnlistener_get_fd(server.listener), (struct sockaddr *)&sa, &n) < 0)
		return -1;
	server.port = ntohs(sa.sin_port);
	return 0;
}

static int stop(void **state)
{
	while (server.n)
		conn_drop(server.conns[0]);
	evconnlistener_free(server.listener);
	sw_loop_free(loop);
	sw_buf_fini(&server.last);
	return 0;
}

/* ---- one call ---- */

struct seen {
	unsigned n;
	struct sw_result res;
	char body[256], detail[300], date[32], retry[32];
	bool early, empty;
};

static void on_done(void *arg, const struct sw_result *res)
{
	struct seen *s = arg;

	s->n++;
	s->res = *res;
	(void)snprintf(s->body, sizeof s->body, "%s", res->body);
	(void)snprintf(s->detail, sizeof s->detail, "%s", res->detail ? res->detail : "");
	(void)snprintf(s->date, sizeof s->date, "%s",
	               sw_result_header(res, "date") ? sw_result_header(res, "date") : "");
	(void)snprintf(s->retry, sizeof s->retry, "%s",
	               sw_result_header(res, "retry-after") ? sw_result_header(res, "retry-after") : "");
	s->early = sw_result_header(res, "x-early") != NULL;
	s->empty = sw_result_header(res, "x-empty") && !*sw_result_header(res, "x-empty");
	assert_int_equal(res->body[res->body_n], 0);
	assert_true(res->at > 0 && res->took >= 0);
}

static const char *url(const char *path)
{
	static char texts[4][200]; /* several jobs at a time */
	static unsigned turn;
	char *s = texts[turn++ % SW_COUNT(texts)];

	(void)snprintf(s, sizeof texts[0], "http://127.0.0.1:%u%s", server.port, path);
	return s;
}

static struct sw_job get(const char *path)
{
	return (struct sw_job){ .kind = SW_JOB_HTTP, .method = "GET", .url = url(path), .timeout = 20 * SW_SECOND };
}

static struct sw_job post(const char *path)
{
	struct sw_job job = get(path);

	job.method = "POST";
	job.body = "{}";
	job.body_n = 2;
	sw_job_header(&job, "Content-Type", "application/json");
	return job;
}

static void run(struct sw_http_client *c, const struct sw_job *job, struct seen *s)
{
	*s = (struct seen){ 0 };
	(void)sw_http_client_do(c, job, on_done, s);
	assert_int_equal(s->n, 0); /* never from within */
	while (!s->n)
		assert_true(sw_loop_turn(loop, true) >= 0);
	assert_int_equal(s->n, 1);
}

static struct sw_http_client *client(void)
{
	struct sw_http_client *c;

	assert_int_equal(sw_http_client_new(loop, NULL, &c, NULL), 0);
	server.accepted = server.requests = 0;
	return c;
}

/* ---- tests ---- */

static void answers_and_faults(void **state)
{
	static const struct {
		const char *path;
		enum sw_fault fault;
		int status;
		const char *body;
	} rows[] = {
		{ "/ok?access_token=SECRET", SW_FAULT_NONE, 200, "hello" },
		{ "/empty", SW_FAULT_NONE, 200, "" },
		{ "/chunked", SW_FAULT_NONE, 503, "abc" },
		{ "/until-close", SW_FAULT_NONE, 200, "to the end" },
		{ "/continue", SW_FAULT_NONE, 201, "ok" },
		{ "/here", SW_FAULT_NONE, 302, "gone" },
		{ "/half?access_token=SECRET", SW_FAULT_AMBIGUOUS, 0, "{\"errcode\":" },
		{ "/half-head", SW_FAULT_AMBIGUOUS, 0, "" },
		{ "/close?access_token=SECRET", SW_FAULT_AMBIGUOUS, 0, "" },
		{ "/reset", SW_FAULT_AMBIGUOUS, 0, "" },
		{ "/noise", SW_FAULT_AMBIGUOUS, 0, "" },
	};
	struct sw_http_client *c = client();
	struct seen s;

	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_job job = post(rows[i].path);
		unsigned before = server.requests;

		run(c, &job, &s);
		if (s.res.fault != rows[i].fault || s.res.status != rows[i].status)
			fail_msg("%s: fault %d status %d: %s", rows[i].path, (int)s.res.fault, s.res.status, s.detail);
		assert_string_equal(s.body, rows[i].body);
		assert_int_equal(server.requests, before + 1); /* sent once, whatever became of it */
		assert_null(strstr(s.detail, "SECRET"));
		assert_true(s.res.fault == SW_FAULT_NONE || *s.detail);
	}
	assert_int_equal(server.accepted, SW_COUNT(rows)); /* a connection each: nothing libcurl would repeat */
	sw_http_client_free(c);
}

static void the_request_as_it_was_asked_for(void **state)
{
	struct sw_http_client *c = client();
	struct sw_job job = post("/ok");
	struct seen s;

	sw_job_header(&job, "X-Shipwatch-Event", "alert");
	sw_job_header(&job, "X-Bad", "a\r\nX-Injected: 1");
	run(c, &job, &s);
	assert_true(sw_starts(server.last.p, "POST /ok HTTP/1.1\r\n"));
	assert_non_null(strstr(server.last.p, "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(server.last.p, "\r\nX-Shipwatch-Event: alert\r\n"));
	assert_non_null(strstr(server.last.p, "\r\nUser-Agent: shipwatch/"));
	assert_non_null(strstr(server.last.p, "\r\nContent-Length: 2\r\n"));
	assert_null(strcasestr(server.last.p, "expect"));
	assert_null(strstr(server.last.p, "X-Injected"));
	assert_true(sw_ends(server.last.p, "\r\n\r\n{}"));
	assert_string_equal(s.date, "now");
	assert_true(s.empty);
	job = post("/continue");
	run(c, &job, &s);
	assert_false(s.early);
	job = post("/chunked");
	run(c, &job, &s);
	assert_string_equal(s.retry, "7");
	sw_http_client_free(c);
}

static void limits_of_time(void **state)
{
	static const char *const paths[] = { "/silent", "/slow-body" };
	struct sw_http_client *c = client();
	struct seen s;

	for (size_t i = 0; i < SW_COUNT(paths); i++) {
		struct sw_job job = post(paths[i]);

		job.timeout = SW_SECOND;
		run(c, &job, &s);
		assert_int_equal(s.res.fault, SW_FAULT_AMBIGUOUS);
		assert_true(s.res.took >= 900);
	}
	sw_http_client_free(c);
}

static void nothing_reached_them(void **state)
{
	static const struct {
		const char *url;
		enum sw_fault fault;
	} rows[] = {
		{ "http://127.0.0.1:1/", SW_FAULT_CONNECT },
		{ "ftp://127.0.0.1/", SW_FAULT_REFUSED },
		{ "file:///etc/passwd", SW_FAULT_REFUSED },
		{ "nonsense", SW_FAULT_REFUSED },
		{ "", SW_FAULT_REFUSED },
		{ "http://", SW_FAULT_REFUSED },
		{ "gopher://127.0.0.1/", SW_FAULT_REFUSED },
		{ "http://[::1]:1/", SW_FAULT_CONNECT },
	};
	struct sw_http_client *c = client();
	struct seen s;

	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_job job = post("/ok");

		job.url = rows[i].url;
		run(c, &job, &s);
		if (s.res.fault != rows[i].fault)
			fail_msg("%s: fault %d: %s", rows[i].url, (int)s.res.fault, s.detail);
		assert_true(*s.detail);
	}
	sw_http_client_free(c);
}

static void no_more_is_read_than_asked_for(void **state)
{
	static const char *const paths[] = { "/endless", "/ok" };
	struct sw_http_client *c = client();
	struct seen s;

	for (size_t i = 0; i < SW_COUNT(paths); i++)
		for (size_t max = 4; max <= 5; max++) {
			struct sw_job job = get(paths[i]);

			job.response_max = max;
			run(c, &job, &s);
			assert_int_equal(s.res.fault, SW_FAULT_NONE);
			assert_int_equal(s.res.status, 200);
			assert_int_equal(s.res.body_n, max);
			assert_int_equal(s.res.body_cut, i == 0 || max == 4);
		}
	sw_http_client_free(c);
}

static void redirects(void **state)
{
	static const struct {
		const char *path, *method;
		bool follow;
		int status;
		unsigned requests;
	} rows[] = {
		{ "/here", "GET", true, 200, 2 },         { "/here", "GET", false, 302, 1 },
		{ "/here", "POST", true, 302, 1 },        { "/away", "GET", true, 302, 1 },
		{ "/file", "GET", true, 302, 1 },         { "/loop", "GET", true, 301, 6 },
		{ "/not-modified", "GET", true, 304, 1 },
	};
	struct sw_http_client *c = client();
	struct seen s;

	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_job job = get(rows[i].path);
		unsigned before = server.requests;

		job.method = rows[i].method;
		job.follow = rows[i].follow;
		run(c, &job, &s);
		if (s.res.status != rows[i].status || server.requests - before != rows[i].requests)
			fail_msg("%s: status %d, %u requests", rows[i].path, s.res.status, server.requests - before);
	}
	sw_http_client_free(c);
}

/* Reads share a connection; one that died meanwhile is not noticed by who asks. */
static void connections_are_kept_for_reading(void **state)
{
	struct sw_http_client *c = client();
	struct seen s;

	for (int i = 0; i < 3; i++) {
		struct sw_job job = get("/ok");

		run(c, &job, &s);
		assert_string_equal(s.body, "hello");
	}
	assert_int_equal(server.accepted, 1);
	for (int i = 0; i < 3; i++) {
		struct sw_job job = get("/once");

		run(c, &job, &s);
		assert_string_equal(s.body, "once");
	}
	sw_http_client_free(c);
}

static char *file_of(const char *text)
{
	char *path = sw_strdup("/tmp/sw-http-XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	return path;
}

static void names(void **state)
{
	char *hosts = file_of("127.0.0.1 robots.example hooks.example\n"),
	     *conf = file_of("nameserver 127.0.0.1:1\noptions timeout:1 attempts:1\n");
	struct sw_http_client_conf settings = { .hosts = hosts, .resolv_conf = conf };
	char text[100];
	struct sw_http_client *c;
	struct sw_job job = post("/ok");
	struct seen s;

	assert_int_equal(sw_http_client_new(loop, &settings, &c, NULL), 0);
	job.url = text;
	for (int i = 0; i < 2; i++) {
		(void)snprintf(text, sizeof text, "http://%s:%u/ok", i ? "localhost" : "hooks.example", server.port);
		run(c, &job, &s);
		assert_int_equal(s.res.fault, SW_FAULT_NONE);
		assert_string_equal(s.body, "hello");
	}
	assert_non_null(strstr(server.last.p, "Host: localhost:"));
	(void)snprintf(text, sizeof text, "http://nobody.example:%u/ok", server.port);
	job.timeout = 3 * SW_SECOND;
	run(c, &job, &s);
	assert_true(s.res.fault == SW_FAULT_CONNECT || s.res.fault == SW_FAULT_TIMEOUT_CONNECT);
	sw_http_client_free(c);
	(void)unlink(hosts);
	(void)unlink(conf);
	free(hosts);
	free(conf);
}

static void cancelled_and_too_many(void **state)
{
	static struct sw_http_call *calls[SW_HTTP_CALLS];
	struct sw_http_client *c = client();
	struct sw_job job = post("/silent"), quick = post("/ok");
	struct seen s = { 0 }, last = { 0 };

	for (size_t i = 0; i < SW_COUNT(calls); i++) /* no turn in between: nothing is connected yet */
		calls[i] = sw_http_client_do(c, &job, on_done, &s);
	assert_int_equal(sw_http_client_busy(c), SW_HTTP_CALLS);
	run(c, &quick, &last); /* one too many: refused at once */
	assert_int_equal(last.res.fault, SW_FAULT_CONNECT);
	for (size_t i = 0; i < SW_COUNT(calls); i++)
		if (i % 100 || i == 0)
			sw_http_client_cancel(calls[i]);
	run(c, &quick, &last);
	assert_int_equal(last.res.status, 200);
	assert_int_equal(s.n, 0);
	assert_int_equal(sw_http_client_busy(c), 9);
	sw_http_client_free(c); /* with calls under way: their callbacks do not run */
	assert_int_equal(s.n, 0);
}

static void through_a_proxy_that_was_configured(void **state)
{
	char proxy[64];
	struct sw_http_client_conf settings = { .proxy = proxy };
	struct sw_http_client *c;
	struct sw_job job = post("/ok");
	struct seen s;

	(void)snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", server.port);
	assert_int_equal(sw_http_client_new(loop, &settings, &c, NULL), 0);
	job.url = "http://far.example/once";
	job.timeout = 20 * SW_SECOND;
	sw_buf_reset(&server.last);
	(void)sw_http_client_do(c, &job, on_done, &s);
	s.n = 0;
	while (!server.last.n && !s.n)
		assert_true(sw_loop_turn(loop, true) >= 0);
	assert_true(sw_starts(sw_buf_str(&server.last), "POST http://far.example/once HTTP/1.1\r\n"));
	sw_http_client_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_and_faults),
		cmocka_unit_test(the_request_as_it_was_asked_for),
		cmocka_unit_test(limits_of_time),
		cmocka_unit_test(nothing_reached_them),
		cmocka_unit_test(no_more_is_read_than_asked_for),
		cmocka_unit_test(redirects),
		cmocka_unit_test(connections_are_kept_for_reading),
		cmocka_unit_test(names),
		cmocka_unit_test(cancelled_and_too_many),
		cmocka_unit_test(through_a_proxy_that_was_configured),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
