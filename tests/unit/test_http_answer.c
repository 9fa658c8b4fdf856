/* HTTP answers of the small client: bodies of each kind, what is none, and the limits; in pieces of any size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/http_answer.h"

#define OK "HTTP/1.1 200 OK\r\n"

/* Return: as feed and end. closed: the other side closes behind it. */
static int answer(struct sw_http_answer *h, struct sw_arena *a, const char *p, size_t n, size_t piece, bool no_body, size_t max, struct sw_err *err)
{
	int r = 0;

	sw_http_answer_begin(h, a, max, no_body);
	for (size_t at = 0; r == 0 && at < n; at += piece)
		r = sw_http_answer_feed(h, p + at, SW_MIN(piece, n - at), err);
	return r ? r : sw_http_answer_end(h, err);
}

static const struct { const char *text, *body, *error; int status; bool no_body; } cases[] = {
	{ OK "Content-Length: 5\r\n\r\nhello", "hello", NULL, 200, false },
	{ OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello, and more", "hello", NULL, 200, false },
	{ "HTTP/1.0 503 Not now\nRetry-After: 7\n\nto the end", "to the end", NULL, 503, false },
	{ OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0C;x=y\r\n, my friends\r\n0\r\nTrailer: x\r\n\r\n", "hello, my friends", NULL, 200, false },
	{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" OK "Content-Length: 2\r\n\r\nok", "ok", NULL, 200, false },
	{ "HTTP/1.1 204 No Content\r\n\r\n", "", NULL, 204, false },
	{ "HTTP/1.1 304 Not Modified\r\nContent-Length: 50\r\n\r\n", "", NULL, 304, false },
	{ OK "Content-Length: 50\r\n\r\n", "", NULL, 200, true },
	{ OK "Content-Length: 0\r\n\r\n", "", NULL, 200, false },
	{ "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "", NULL, 200, false },
	{ "", NULL, "ended without an answer", 0, false },
	{ OK "Content-Le", NULL, "in the middle", 0, false },
	{ OK "Content-Length: 5\r\n\r\nhell", NULL, "in the middle", 0, false },
	{ OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", NULL, "in the middle", 0, false },
	{ OK "Transfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n", NULL, "a chunk is longer than it says", 0, false },
	{ OK "Transfer-Encoding: chunked\r\n\r\nfive\r\n", NULL, "a chunk's length", 0, false },
	{ OK "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n", NULL, "a chunk's length", 0, false },
	{ OK "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", NULL, "both Content-Length", 0, false },
	{ OK "Transfer-Encoding: gzip\r\n\r\n", NULL, "a Transfer-Encoding", 0, false },
	{ OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", NULL, "its Content-Length", 0, false },
	{ OK "Content-Length: -5\r\n\r\n", NULL, "its Content-Length", 0, false },
	{ OK "Content-Length: \r\n\r\n", NULL, "its Content-Length", 0, false },
	{ OK "no colon\r\n\r\n", NULL, "a header has no name", 0, false },
	{ OK "a blank : x\r\n\r\n", NULL, "a header has no name", 0, false },
	{ "SSH-2.0-OpenSSH_9.2\r\n", NULL, "it begins \"SSH-2.0-OpenSSH_9.2\"", 0, false },
	{ "HTTP/1.1 2000 OK\r\n", NULL, "is no HTTP", 0, false },
	{ "HTTP/2 200 OK\r\n", NULL, "is no HTTP", 0, false },
};

static void kinds(void **state)
{
	(void)state;
	for (size_t i = 0; i < SW_COUNT(cases); i++)
		for (size_t piece = 1; piece < 200; piece += 17) {
			struct sw_http_answer h;
			struct sw_arena a = { 0 };
			struct sw_err err = SW_ERR_INIT;
			int r = answer(&h, &a, cases[i].text, strlen(cases[i].text), piece, cases[i].no_body, 1000, &err);

			if (cases[i].error ? r >= 0 || !strstr(err.text, cases[i].error)
			                   : r < 0 || h.status != cases[i].status || strcmp(sw_buf_str(&h.body), cases[i].body) != 0)
				fail_msg("%s\nin pieces of %zu: %d, status %d, \"%s\", \"%s\"", cases[i].text, piece, r, h.status, sw_buf_str(&h.body), err.text);
			sw_http_answer_fini(&h);
			sw_arena_fini(&a);
		}
}

/* A body, a head and a number of headers at their limits and past them. */
static void limits(void **state)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_http_answer h;
	struct sw_arena a = { 0 };
	struct sw_err err = SW_ERR_INIT;

	(void)state;
	sw_buf_cat(&b, OK "\r\n12345");
	assert_int_equal(answer(&h, &a, b.p, b.n, b.n, false, 5, &err), 0);
	assert_false(h.body_cut);
	sw_http_answer_fini(&h);
	sw_buf_cat(&b, "6");
	assert_int_equal(answer(&h, &a, b.p, b.n, b.n, false, 5, &err), 1);
	assert_true(h.body_cut);
	assert_string_equal(sw_buf_str(&h.body), "12345");
	sw_http_answer_fini(&h);
	for (int over = 0; over < 2; over++) {
		sw_buf_reset(&b);
		sw_buf_cat(&b, OK "X: ");
		while (b.n < SW_ANSWER_HEAD - 4 + (size_t)over)
			sw_buf_putc(&b, 'x');
		sw_buf_cat(&b, "\r\n\r\n");
		assert_int_equal(answer(&h, &a, b.p, b.n, 1000, false, 5, &err) < 0, over);
		sw_http_answer_fini(&h);
	}
	assert_non_null(strstr(err.text, "head is larger than 32768 bytes"));
	sw_buf_reset(&b);
	sw_buf_cat(&b, OK);
	for (int i = 0; i < SW_ANSWER_HEADERS + 3; i++)
		sw_buf_printf(&b, "X-%d: %d\r\n", i, i);
	sw_buf_cat(&b, "Content-Length: 2\r\n\r\nok and more"); /* is read also where no room is left to keep it */
	assert_int_equal(answer(&h, &a, b.p, b.n, b.n, false, 100, &err), 1);
	assert_int_equal(h.n_headers, SW_ANSWER_HEADERS);
	assert_string_equal(h.headers[3].name, "x-3");
	assert_string_equal(sw_buf_str(&h.body), "ok");
	sw_http_answer_fini(&h);
	assert_true(answer(&h, &a, "HTTP/1.1 200 O\0K\r\n\r\n", 20, 20, false, 5, &err) < 0);
	sw_http_answer_fini(&h);
	sw_arena_fini(&a);
	sw_buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(kinds), cmocka_unit_test(limits) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("http_answer", tests, NULL, NULL);
}
