/*
 * Numbers as text.
 *
 * Reading: up to 15 digits and a power of ten up to 22 are exact doubles, so one multiplication or division of them rounds correctly
 * (Clinger 1990, the fast path); everything else is strtod's. Printing: v that is m / 10^k for a small k reads back from the digits
 * of m by the same reasoning; everything else is tried with 15 to 17 digits.
 */
#include "base/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shipwatch/mem.h"

static const double tens[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
	                       1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };

static double read_slow(const char *p, size_t n)
{
	char small[64], *big;
	double d;

	if (n < sizeof small) {
		memcpy(small, p, n);
		small[n] = '\0';
		return strtod(small, NULL);
	}
	big = sw_strndup(p, n);
	d = strtod(big, NULL);
	free(big);
	return d;
}

double sw_number_read(const char *p, size_t n)
{
	const char *s = p, *end = p + n;
	bool minus = s < end && *s == '-';
	unsigned digits = 0;
	uint64_t m = 0;
	int exp = 0;
	double d;

	for (s += minus; s < end && *s >= '0' && *s <= '9'; s++) {
		m = m * 10 + (uint64_t)(*s - '0');
		digits += m > 0;
		if (digits > 15)
			return read_slow(p, n);
	}
	if (s < end && *s == '.')
		for (s++; s < end && *s >= '0' && *s <= '9'; s++, exp--) {
			m = m * 10 + (uint64_t)(*s - '0');
			digits += m > 0;
			if (digits > 15)
				return read_slow(p, n);
		}
	if (s < end || exp < -22)
		return read_slow(p, n);
	d = exp ? (double)m / tens[-exp] : (double)m;
	return minus ? -d : d;
}

static size_t digits_of(uint64_t m, char *end)
{
	char *p = end;

	do
		*--p = (char)('0' + m % 10);
	while (m /= 10);
	return (size_t)(end - p);
}

void sw_number_print_int(struct sw_buf *out, int64_t v)
{
	char s[24];
	size_t n = digits_of(v < 0 ? 0 - (uint64_t)v : (uint64_t)v, s + sizeof s);

	if (v < 0)
		sw_buf_putc(out, '-');
	sw_buf_catn(out, s + sizeof s - n, n);
}

static void print_slow(struct sw_buf *out, double v)
{
	char s[40];

	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(s, sizeof s, "%.*g", digits, v);
		if (strtod(s, NULL) == v)
			break;
	}
	sw_buf_cat(out, s);
}

void sw_number_print(struct sw_buf *out, double v)
{
	double abs = fabs(v);
	char s[24], *end = s + sizeof s;

	if (abs < 1e-4 || abs >= 1e15) {
		if (v == 0)
			sw_buf_cat(out, signbit(v) ? "-0" : "0");
		else
			print_slow(out, v);
		return;
	}
	for (unsigned k = 0; k <= 9 && abs * tens[k] < 1e15; k++) {
		double m = nearbyint(abs * tens[k]);
		size_t n;

		if (m / tens[k] != abs)
			continue;
		if (v < 0)
			sw_buf_putc(out, '-');
		n = digits_of((uint64_t)m, end);
		for (; n < k + 1; n++) /* 0.05 has the digits 5 only */
			*(end - n - 1) = '0';
		sw_buf_catn(out, end - n, n - k);
		if (k) {
			sw_buf_putc(out, '.');
			sw_buf_catn(out, end - k, k);
		}
		return;
	}
	print_slow(out, v);
}
