/*
 * Mail against a server in the same loop: were the loop ever to wait for the server, neither would go on. What the
 * server says is a table; the strict one is tests/sim/smtp.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "base/str.h"
#include "io/mailer.h"
#include "shipwatch/buf.h"
#include "shipwatch/clock.h"

#define CONNS 32
#define MAILS 12

/* NULL: as a good server; "": silence; "!": closes. */
struct script {
	const char *hello, *mail, *rcpt, *data, *end, *quit;
};

static struct server {
	struct evconnlistener *listener;
	unsigned port;
	struct script script;
	struct bufferevent *conns[CONNS];
	bool in_data[CONNS];
	size_t n;
	struct sw_buf text; /* of the last mail */
	int mails;
} server;
static struct sw_loop *loop;

static void say(size_t i, const char *script, const char *good)
{
	const char *s = script ? script : good;

	if (strcmp(s, "!") == 0) {
		bufferevent_free(server.conns[i]);
		server.conns[i] = NULL;
	} else if (*s) {
		(void)evbuffer_add_printf(bufferevent_get_output(server.conns[i]), "%s\r\n", s);
	}
}

static void on_command(size_t i, const char *line)
{
	const struct script *s = &server.script;

	if (sw_starts(line, "EHLO"))
		say(i, NULL, "250-test\r\n250 SIZE 100000");
	else if (sw_starts(line, "MAIL"))
		say(i, s->mail, "250 ok");
	else if (sw_starts(line, "RCPT"))
		say(i, s->rcpt, "250 ok");
	else if (sw_starts(line, "QUIT"))
		say(i, s->quit, "221 bye");
	else if (sw_starts(line, "DATA")) {
		server.in_data[i] = !s->data;
		sw_buf_reset(&server.text);
		say(i, s->data, "354 go on");
	} else
		say(i, NULL, "500 what");
}

static void on_read(struct bufferevent *b, void *arg)
{
	size_t i = (size_t)(uintptr_t)arg, n;
	char *line;

	while (server.conns[i] == b &&
	       (line = evbuffer_readln(bufferevent_get_input(b), &n, EVBUFFER_EOL_CRLF_STRICT)) != NULL) {
		if (!server.in_data[i]) {
			on_command(i, line);
		} else if (strcmp(line, ".") == 0) {
			server.in_data[i] = false;
			server.mails++;
			say(i, server.script.end, "250 taken");
		} else {
			sw_buf_printf(&server.text, "%s\n", line);
		}
		free(line);
	}
}

static void on_event(struct bufferevent *b, short what, void *arg)
{
	(void)what;
	bufferevent_free(b);
	server.conns[(size_t)(uintptr_t)arg] = NULL;
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len, void *arg)
{
	size_t i = server.n++;

	assert_true(i < CONNS);
	server.in_data[i] = false;
	server.conns[i] = bufferevent_socket_new(loop->base, fd, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(server.conns[i], on_read, NULL, on_event, (void *)(uintptr_t)i);
	(void)bufferevent_enable(server.conns[i], EV_READ | EV_WRITE);
	say(i, server.script.hello, "220 test");
}

static void server_up(const struct script *script)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof sin;

	memset(&server, 0, sizeof server);
	server.script = *script;
	server.listener = evconnlistener_new_bind(loop->base, on_accept, NULL, LEV_OPT_CLOSE_ON_FREE, -1,
	                                          (struct sockaddr *)&sin, sizeof sin);
	assert_non_null(server.listener);
	assert_int_equal(getsockname(evconnlistener_get_fd(server.listener), (struct sockaddr *)&sin, &len), 0);
	server.port = ntohs(sin.sin_port);
}

static void server_down(void)
{
	for (size_t i = 0; i < server.n; i++)
		if (server.conns[i])
			bufferevent_free(server.conns[i]);
	evconnlistener_free(server.listener);
	sw_buf_fini(&server.text);
}

struct outcome {
	int calls, status;
	enum sw_fault fault;
	char body[200];
};

static void on_mailed(void *arg, const struct sw_result *res)
{
	struct outcome *o = arg;

	o->calls++;
	o->status = res->status;
	o->fault = res->fault;
	(void)snprintf(o->body, sizeof o->body, "%s", res->body);
	assert_true(res->fault == SW_FAULT_NONE || (res->detail && *res->detail));
}

static void mail(struct sw_mailer *m, sw_dur timeout, struct outcome *o)
{
	static const char *to[] = { "a@b.example", "c@d.example", NULL };
	char url[64];
	struct sw_job job = { .kind = SW_JOB_MAIL,
		              .url = url,
		              .timeout = timeout,
		              .mail_tls = SW_MAIL_PLAIN,
		              .mail_from = "s@b.example",
		              .mail_to = to,
		              .body = "Subject: x\r\n\r\n.dot\r\nend\r\n" };

	(void)snprintf(url, sizeof url, "smtp://localhost:%u", server.port);
	job.body_n = strlen(job.body);
	memset(o, 0, sizeof *o);
	sw_mailer_do(m, &job, on_mailed, o);
}

static void until(const int *calls)
{
	while (!*calls)
		assert_int_equal(sw_loop_turn(loop, true), 0);
}

static void each_answer(void **state)
{
	static const struct {
		struct script script;
		enum sw_fault fault;
		int status;
		const char *body;
	} rows[] = {
		{ { NULL }, SW_FAULT_NONE, 250, "" },
		{ { .quit = "" }, SW_FAULT_NONE, 250, "" },
		{ { .quit = "!" }, SW_FAULT_NONE, 250, "" },
		{ { .hello = "554 no" }, SW_FAULT_NONE, 554, "554 no" },
		{ { .hello = "!" }, SW_FAULT_CONNECT, 0, NULL },
		{ { .hello = "noise" }, SW_FAULT_TIMEOUT_CONNECT, 0, NULL },
		{ { .mail = "530-log in\r\n530 first" }, SW_FAULT_NONE, 530, "530-log in 530 first" },
		{ { .mail = "!" }, SW_FAULT_CONNECT, 0, NULL },
		{ { .rcpt = "550 nobody" }, SW_FAULT_NONE, 550, "550 nobody" },
		{ { .data = "451 later" }, SW_FAULT_NONE, 451, "451 later" },
		{ { .end = "552 too long" }, SW_FAULT_NONE, 552, "552 too long" },
		{ { .end = "!" }, SW_FAULT_AMBIGUOUS, 0, NULL },
		{ { .end = "" }, SW_FAULT_AMBIGUOUS, 0, NULL },
		{ { .mail = "" }, SW_FAULT_TIMEOUT_CONNECT, 0, NULL },
	};

	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_mailer *m;
		struct outcome o;

		assert_int_equal(sw_loop_new(&loop), 0);
		server_up(&rows[i].script);
		assert_int_equal(sw_mailer_new(loop, NULL, &m, NULL), 0);
		mail(m, 1500, &o);
		assert_int_equal(o.calls, 0);
		until(&o.calls);
		if (o.fault != rows[i].fault || o.status != rows[i].status ||
		    (rows[i].body && strcmp(o.body, rows[i].body) != 0))
			fail_msg("row %zu: fault %d status %d %s", i, (int)o.fault, o.status, o.body);
		if (o.status == 250)
			assert_string_equal(server.text.p, "Subject: x\n\n..dot\nend\n");
		sw_mailer_free(m);
		server_down();
		sw_loop_free(loop);
	}
}

/* More than there are places: all arrive. */
static void many(void **state)
{
	static const struct script good = { NULL };
	struct outcome o[MAILS];
	struct sw_mailer *m;

	assert_int_equal(sw_loop_new(&loop), 0);
	server_up(&good);
	assert_int_equal(sw_mailer_new(loop, NULL, &m, NULL), 0);
	for (size_t i = 0; i < MAILS; i++)
		mail(m, 20 * SW_SECOND, &o[i]);
	for (size_t i = 0; i < MAILS; i++) {
		until(&o[i].calls);
		assert_int_equal(o[i].status, 250);
		assert_int_equal(o[i].calls, 1);
	}
	assert_int_equal(server.mails, MAILS);
	sw_mailer_free(m);
	server_down();
	sw_loop_free(loop);
}

/* A server that says nothing keeps all the places: who waits too long is told so; at the end nobody is waited for. */
static void silence(void **state)
{
	static const struct script silent = { .hello = "" };
	struct outcome o[MAILS];
	struct sw_mailer *m;
	sw_dur began;

	assert_int_equal(sw_loop_new(&loop), 0);
	server_up(&silent);
	assert_int_equal(sw_mailer_new(loop, NULL, &m, NULL), 0);
	for (size_t i = 0; i < MAILS; i++)
		mail(m, i < SW_MAIL_THREADS ? 60 * SW_SECOND : 200, &o[i]);
	for (size_t i = SW_MAIL_THREADS; i < MAILS; i++) {
		until(&o[i].calls);
		assert_int_equal(o[i].fault, SW_FAULT_TIMEOUT_CONNECT);
	}
	began = sw_clock_mono();
	sw_mailer_free(m);
	assert_true(sw_clock_mono() - began < 20 * SW_SECOND);
	for (size_t i = 0; i < SW_MAIL_THREADS; i++)
		assert_int_equal(o[i].calls, 0);
	server_down();
	sw_loop_free(loop);
}

static void what_is_no_job(void **state)
{
	static const char *const urls[] = { "", "http://localhost/", "smtp://", "imap://localhost" };
	static const char *to[] = { "a@b.example", NULL };
	struct sw_mailer *m;

	assert_int_equal(sw_loop_new(&loop), 0);
	assert_int_equal(sw_mailer_new(loop, NULL, &m, NULL), 0);
	for (size_t i = 0; i <= SW_COUNT(urls); i++) {
		struct outcome o = { 0 };
		bool nobody = i == SW_COUNT(urls);

		sw_mailer_do(m,
		             &(struct sw_job){ .kind = SW_JOB_MAIL,
		                               .url = nobody ? "smtp://localhost" : urls[i],
		                               .mail_from = "a@b.example",
		                               .mail_to = nobody ? NULL : to,
		                               .body = "",
		                               .body_n = 0 },
		             on_mailed, &o);
		until(&o.calls);
		assert_int_equal(o.fault, SW_FAULT_REFUSED);
	}
	sw_mailer_free(m);
	sw_loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_answer),
		cmocka_unit_test(many),
		cmocka_unit_test(silence),
		cmocka_unit_test(what_is_no_job),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
