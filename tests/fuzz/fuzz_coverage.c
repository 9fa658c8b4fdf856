/*
 * Fuzzes the reader of coverage files: whatever the bytes and wherever they are cut, the answer is a percentage from 0 to 100 or one line
 * that says why not, and the same when the bytes come one by one.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/coverage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_all(const char *p, size_t n, size_t piece, double *percent, struct sw_err *err)
{
	struct sw_coverage *c = sw_coverage_new();
	int r = 0;

	for (size_t at = 0; r == 0 && at < n; at += piece)
		r = sw_coverage_feed(c, p + at, SW_MIN(piece, n - at), err);
	if (r >= 0)
		r = sw_coverage_end(c, err);
	if (r == 0)
		r = sw_coverage_percent(c, percent, err);
	sw_coverage_free(c);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sw_err one = SW_ERR_INIT, whole = SW_ERR_INIT;
	double a = -1, b = -1;
	int r = read_all((const char *)data, size, size ? size : 1, &a, &whole), q = read_all((const char *)data, size, 1, &b, &one);

	if (r != q || a != b || strcmp(one.text, whole.text) != 0 || (r == 0 ? !(a >= 0 && a <= 100) : !whole.text[0] || strchr(whole.text, '\n'))) {
		(void)fprintf(stderr, "whole: %d %g \"%s\"; by bytes: %d %g \"%s\"\n", r, a, whole.text, q, b, one.text);
		abort();
	}
	return 0;
}
