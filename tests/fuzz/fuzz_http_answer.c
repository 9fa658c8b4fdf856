/*
 * Fuzzes the answers the small HTTP client reads: whatever comes, it is whole, unfinished or refused with a line; the same in pieces of
 * one byte; nothing over the limits is kept. The first byte chooses the kind of request.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/http_answer.h"

#define BODY 100

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_all(struct sw_http_answer *h, struct sw_arena *a, const char *p, size_t n, size_t piece, bool no_body, struct sw_err *err)
{
	int r = 0;

	sw_http_answer_begin(h, a, BODY, no_body);
	for (size_t at = 0; r == 0 && at < n; at += piece)
		r = sw_http_answer_feed(h, p + at, SW_MIN(piece, n - at), err);
	return r ? SW_MIN(r, 0) : sw_http_answer_end(h, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sw_arena a = { 0 };
	struct sw_http_answer one, whole;
	struct sw_err e1 = SW_ERR_INIT, e2 = SW_ERR_INIT;
	int r, q;

	if (!size)
		return 0;
	r = read_all(&whole, &a, (const char *)data + 1, size - 1, size, data[0] & 1, &e1);
	q = read_all(&one, &a, (const char *)data + 1, size - 1, 1, data[0] & 1, &e2);
	if ((r < 0) != (q < 0) || (r == 0 && (one.status != whole.status || one.n_headers != whole.n_headers || one.body.n != whole.body.n)) || whole.body.n > BODY ||
	    (r < 0 && !e1.text[0]) || (r == 0 && (whole.status < 101 || whole.status > 599))) {
		(void)fprintf(stderr, "whole: %d status %d body %zu \"%s\"; by bytes: %d status %d body %zu \"%s\"\n", r, whole.status, whole.body.n, e1.text, q, one.status,
		              one.body.n, e2.text);
		abort();
	}
	sw_http_answer_fini(&one);
	sw_http_answer_fini(&whole);
	sw_arena_fini(&a);
	return 0;
}
