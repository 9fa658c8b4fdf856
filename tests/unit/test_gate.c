/* The gate: what passes, what is refused and with which status, at every limit and one past it, whatever the pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "io/gate.h"
#include "shipwatch/buf.h"

static const struct sw_gate_limits limits = { 16 * 1024, 100 };

static int gate_whole(const char *p, size_t n, struct sw_gate_head *h, const char **why)
{
	struct sw_gate g = { 0 };

	return sw_gate_check(&g, &limits, p, n, h, why);
}

#define H "Host: a\r\n"
#define END "\r\n"
static const struct { const char *in; int want; } rows[] = {
	{ "GET / HTTP/1.1\r\n" H END, 0 },
	{ "GET /a?b=c HTTP/1.0\r\n" END, 0 },
	{ "OPTIONS * HTTP/1.1\r\n" H END, 0 },
	{ "POST / HTTP/1.1\r\n" H "Content-Length: 0\r\n" END, 0 },
	{ "POST / HTTP/1.1\r\n" H "content-LENGTH:\t 12 \t\r\n" END, 0 },
	{ "POST / HTTP/1.1\r\n" H "Content-Length: 999999999999999\r\n" END, 0 },
	{ "POST / HTTP/1.1\r\n" H "Content-Length: 1000000000000000\r\n" END, 400 },
	{ "GET / HTTP/1.1\r\n" H "X: \x80\xff\r\n" END, 0 },
	{ "GET / HTTP/1.1\r\n" H "X:\r\n" END, 0 },
	{ "GET / HTTP/1.1\r\n" H "X: a\tb\r\n" END, 0 },
	{ "GET / HTTP/1.1\r\nHost:\r\n" END, 0 },
	{ "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n" END, 0 },
	/* request line */
	{ "get / HTTP/1.1\r\n" H END, 400 },
	{ " GET / HTTP/1.1\r\n" H END, 400 },
	{ "\r\nGET / HTTP/1.1\r\n" H END, 400 },
	{ "GET  / HTTP/1.1\r\n" H END, 400 },
	{ "GET /  HTTP/1.1\r\n" H END, 400 },
	{ "GET / HTTP/1.1 \r\n" H END, 400 },
	{ "GET /\r\n" H END, 400 },
	{ "GET\r\n" END, 400 },
	{ "GET / HTTP/9.9\r\n" H END, 400 },
	{ "GET / HTTP/1.2\r\n" H END, 400 },
	{ "GET / HTTP/1.10\r\n" H END, 400 },
	{ "GET / http/1.1\r\n" H END, 400 },
	{ "GET http://a/ HTTP/1.1\r\n" H END, 400 },
	{ "CONNECT a:80 HTTP/1.1\r\n" H END, 400 },
	{ "GET /a#b HTTP/1.1\r\n" H END, 400 },
	{ "GET /\x01 HTTP/1.1\r\n" H END, 400 },
	{ "GET /\xc3\xa4 HTTP/1.1\r\n" H END, 400 },
	{ "AAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n" H END, 400 },
	{ "\x16\x03\x01", 400 },
	/* lines */
	{ "GET / HTTP/1.1\n" H "\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" H "X: a\nY: b\r\n" END, 400 },
	{ "GET / HTTP/1.1\r\n" H "X: a\rb\r\n" END, 400 },
	{ "GET / HTTP/1.1\r\n" H "X: a\r\n b\r\n" END, 400 },
	{ "GET / HTTP/1.1\r\n" H "X: a\r\n\tb\r\n" END, 400 },
	{ "GET / HTTP/1.1\r\n" H "no colon\r\n" END, 400 },
	{ "GET / HTTP/1.1\r\n" H "X : a\r\n" END, 400 },
	{ "GET / HTTP/1.1\r\n" H ": a\r\n" END, 400 },
	{ "GET / HTTP/1.1\r\n" H "X: \x7f\r\n" END, 400 },
	/* Host */
	{ "GET / HTTP/1.1\r\n" END, 400 },
	{ "GET / HTTP/1.1\r\n" H H END, 400 },
	{ "GET / HTTP/1.0\r\n" H H END, 400 },
	{ "GET / HTTP/1.1\r\nHost: a/b\r\n" END, 400 },
	{ "GET / HTTP/1.1\r\nHost: a b\r\n" END, 400 },
	/* length */
	{ "POST / HTTP/1.1\r\n" H END, 411 },
	{ "PUT / HTTP/1.1\r\n" H END, 411 },
	{ "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n" END, 411 },
	{ "POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n" END, 411 },
	{ "GET / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n" END, 411 },
	{ "POST / HTTP/1.1\r\n" H "Transfer-Encoding : chunked\r\n" END, 400 },
	{ "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" END, 400 },
	{ "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 5\r\n" END, 400 },
	{ "POST / HTTP/1.1\r\n" H "Content-Length: 5, 5\r\n" END, 400 },
	{ "POST / HTTP/1.1\r\n" H "Content-Length: +5\r\n" END, 400 },
	{ "POST / HTTP/1.1\r\n" H "Content-Length: -5\r\n" END, 400 },
	{ "POST / HTTP/1.1\r\n" H "Content-Length: 0x5\r\n" END, 400 },
	{ "POST / HTTP/1.1\r\n" H "Content-Length:\r\n" END, 400 },
	{ "GET / HTTP/1.1\r\n" H "Content-Length: 5\r\n" END, 400 },
	/* the rest */
	{ "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nExpect: 100-Continue\r\n" END, 0 },
	{ "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nExpect: a-miracle\r\n" END, 417 },
	{ "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Type: a/b\r\nContent-Type: a/c\r\n" END, 400 },
	{ "GET / HTTP/1.1\r\n" H, SW_GATE_MORE },
	{ "", SW_GATE_MORE },
};

static void test_rows(void **state)
{
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_gate_head h;
		const char *why = NULL;
		int r = gate_whole(rows[i].in, strlen(rows[i].in), &h, &why);

		if (r != rows[i].want)
			print_message("row %zu: want %d, got %d (%s): %s\n", i, rows[i].want, r, why ? why : "-", rows[i].in);
		assert_int_equal(r, rows[i].want);
		if (r >= 400)
			assert_non_null(why);
	}
}

static void test_nul(void **state)
{
	static const char value[] = "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", name[] = "GET / HTTP/1.1\r\nHost: a\r\nX\0: a\r\n\r\n";
	static const char target[] = "GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n";
	struct sw_gate_head h;
	const char *why;

	assert_int_equal(gate_whole(value, sizeof value - 1, &h, &why), 400);
	assert_int_equal(gate_whole(name, sizeof name - 1, &h, &why), 400);
	assert_int_equal(gate_whole(target, sizeof target - 1, &h, &why), 400);
}

static void test_parts(void **state)
{
	static const char in[] = "POST /hooks/x?y=z HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nX-Empty:\r\nX-Two:  a b \t\r\n\r\nabc";
	struct sw_gate_head h;
	const char *why;

	assert_int_equal(gate_whole(in, sizeof in - 1, &h, &why), 0);
	assert_int_equal(h.n, sizeof in - 1 - 3);
	assert_int_equal(h.method_n, 4);
	assert_memory_equal(in + h.target, "/hooks/x?y=z", h.target_n);
	assert_int_equal(h.content_length, 3);
	assert_int_equal(h.n_lines, 4);
	assert_int_equal(h.lines[2].value_n, 0);
	assert_int_equal(h.lines[3].value_n, 3);
	assert_memory_equal(in + h.lines[3].value, "a b", 3);
	assert_true(h.keep_alive);
}

/* One byte more at a time: MORE until the last byte of the head, then the same as in one piece. */
static void test_pieces(void **state)
{
	static const char in[] = "POST /hooks/x?y=z HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
	struct sw_gate g = { 0 };
	struct sw_gate_head h;
	const char *why;

	for (size_t n = 0; n < sizeof in - 1; n++)
		assert_int_equal(sw_gate_check(&g, &limits, in, n, &h, &why), SW_GATE_MORE);
	assert_int_equal(sw_gate_check(&g, &limits, in, sizeof in - 1, &h, &why), 0);
	assert_int_equal(h.n, sizeof in - 1);
}

static void fill(struct sw_buf *b, char c, size_t n)
{
	while (n--)
		sw_buf_putc(b, c);
}

/* A head of n bytes with one line that fills it. */
static int head_of_bytes(size_t n)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_gate_head h;
	const char *why;
	int r;

	sw_buf_cat(&b, "GET / HTTP/1.1\r\nHost: a\r\n");
	while (n - b.n > 8000) {
		sw_buf_cat(&b, "X: ");
		fill(&b, 'x', 7000);
		sw_buf_cat(&b, "\r\n");
	}
	sw_buf_cat(&b, "X: ");
	fill(&b, 'x', n - b.n - 4);
	sw_buf_cat(&b, "\r\n\r\n");
	assert_int_equal(b.n, n);
	r = gate_whole(b.p, b.n, &h, &why);
	sw_buf_fini(&b);
	return r;
}

static int head_of_lines(unsigned lines, size_t line)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_gate_head h;
	const char *why;
	int r;

	sw_buf_cat(&b, "GET / HTTP/1.1\r\nHost: a\r\n");
	for (unsigned i = 1; i < lines; i++) {
		sw_buf_cat(&b, "X:");
		fill(&b, 'x', line - 2);
		sw_buf_cat(&b, "\r\n");
	}
	sw_buf_cat(&b, "\r\n");
	r = gate_whole(b.p, b.n, &h, &why);
	sw_buf_fini(&b);
	return r;
}

static void test_limits(void **state)
{
	assert_int_equal(head_of_bytes(16 * 1024), 0);
	assert_int_equal(head_of_bytes(16 * 1024 + 1), 431);
	assert_int_equal(head_of_lines(100, 20), 0);
	assert_int_equal(head_of_lines(101, 20), 431);
	assert_int_equal(head_of_lines(2, SW_GATE_LINE_BYTES), 0);
	assert_int_equal(head_of_lines(2, SW_GATE_LINE_BYTES + 1), 431);
}

static void test_keep_alive(void **state)
{
	static const struct { const char *in; bool want; } kept[] = {
		{ "GET / HTTP/1.1\r\n" H END, true },
		{ "GET / HTTP/1.1\r\n" H "Connection: close\r\n" END, false },
		{ "GET / HTTP/1.1\r\n" H "Connection: foo, Close\r\n" END, false },
		{ "GET / HTTP/1.1\r\n" H "Connection: close\r\nConnection: keep-alive\r\n" END, false },
		{ "GET / HTTP/1.0\r\n" END, false },
		{ "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n" END, true },
	};

	for (size_t i = 0; i < SW_COUNT(kept); i++) {
		struct sw_gate_head h;
		const char *why;

		assert_int_equal(gate_whole(kept[i].in, strlen(kept[i].in), &h, &why), 0);
		assert_int_equal(h.keep_alive, kept[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows), cmocka_unit_test(test_nul), cmocka_unit_test(test_parts),
		cmocka_unit_test(test_pieces), cmocka_unit_test(test_limits), cmocka_unit_test(test_keep_alive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
