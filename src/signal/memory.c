/* Reading and writing the memory of a scrape. */
#include "signal/memory.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shipwatch/sample.h"
#include "signal/exposition.h"

/* ---- writing ---- */

/* The shortest that reads back equal. */
static void put_number(struct sw_buf *out, double v)
{
	char s[40];

	(void)snprintf(s, sizeof s, "%.15g", v);
	if (isfinite(v) && strtod(s, NULL) != v)
		(void)snprintf(s, sizeof s, "%.17g", v);
	sw_buf_cat(out, s);
}

static void put_heap(struct sw_buf *out, const struct sw_heap *h)
{
	sw_buf_printf(out, " %08" PRIx32 "%c", h->hash, h->histogram ? ':' : '=');
	if (!h->histogram)
		put_number(out, h->sum);
	for (size_t i = 0; h->histogram && i < h->n_buckets; i++) {
		if (i)
			sw_buf_putc(out, ',');
		put_number(out, h->buckets[i].le);
		sw_buf_putc(out, ',');
		put_number(out, h->buckets[i].count);
	}
}

static bool heap_keeps(const struct sw_heap *h)
{
	bool good = h->kept && (h->histogram || isfinite(h->sum));

	for (size_t i = 0; i < h->n_buckets; i++)
		good = good && isfinite(h->buckets[i].count);
	return good;
}

void sw_memory_write(const struct sw_memory *m, size_t max, struct sw_buf *out)
{
	sw_buf_printf(out, "1 %lld ", (long long)m->at);
	if (isfinite(m->start))
		put_number(out, m->start);
	else
		sw_buf_putc(out, '-');
	for (size_t i = 0; i < m->n; i++) {
		size_t before = out->n;

		if (heap_keeps(&m->items[i]))
			put_heap(out, &m->items[i]);
		if (out->n > max)
			sw_buf_truncate(out, before);
	}
}

/* ---- reading ---- */

/* The number at *p, up to a blank, a comma or the end; never NaN. */
static bool take_number(const char **p, double *ret)
{
	size_t n = strcspn(*p, " ,");

	if (!sw_expo_number(*p, n, ret) || isnan(*ret))
		return false;
	*p += n;
	return true;
}

static bool take_buckets(const char **p, struct sw_heap *h, struct sw_arena *a)
{
	struct sw_bucket list[SW_BUCKETS_MAX];
	size_t n = 0;

	while (**p && **p != ' ') {
		if (n == SW_BUCKETS_MAX || (n && *(*p)++ != ','))
			return false;
		if (!take_number(p, &list[n].le) || *(*p)++ != ',' || !take_number(p, &list[n].count) ||
		    !isfinite(list[n].count))
			return false;
		if (n && list[n].le <= list[n - 1].le)
			return false;
		n++;
	}
	h->n_buckets = n;
	h->buckets = SW_ARENA_ARRAY(a, struct sw_bucket, n + 1);
	if (n)
		memcpy(h->buckets, list, n * sizeof *list);
	return true;
}

/* " 1a2b3c4d=12" or " 1a2b3c4d:0.5,3,inf,9" */
static bool take_heap(const char **p, struct sw_heap *h, struct sw_arena *a)
{
	const char *s = *p + 1;
	char hex[9], *end;

	if (**p != ' ' || strspn(s, "0123456789abcdef") != 8 || (s[8] != '=' && s[8] != ':'))
		return false;
	memcpy(hex, s, 8);
	hex[8] = '\0';
	*h = (struct sw_heap){ .hash = (uint32_t)strtoul(hex, &end, 16), .histogram = s[8] == ':', .kept = true };
	*p = s + 9;
	return h->histogram ? take_buckets(p, h, a)
	                    : take_number(p, &h->sum) && isfinite(h->sum) && (**p == ' ' || !**p);
}

bool sw_memory_read(const char *text, struct sw_arena *a, struct sw_memory *ret)
{
	const char *p = text;
	double at;

	*ret = (struct sw_memory){ .start = NAN };
	if (!text || strnlen(text, SW_MEMORY_MAX + 1) > SW_MEMORY_MAX || p[0] != '1' || p[1] != ' ')
		return false;
	p += 2;
	if (!take_number(&p, &at) || !(at > 0 && at < 9e15) || *p++ != ' ')
		return false;
	ret->at = (sw_ms)at;
	if (*p == '-' && (p[1] == ' ' || !p[1]))
		p++;
	else if (!take_number(&p, &ret->start) || !isfinite(ret->start))
		return false;
	ret->items = SW_ARENA_ARRAY(a, struct sw_heap, SW_HEAPS_MAX);
	while (*p) {
		if (ret->n == SW_HEAPS_MAX || !take_heap(&p, &ret->items[ret->n], a))
			return false;
		ret->n++;
	}
	return true;
}

const struct sw_heap *sw_memory_find(const struct sw_memory *m, uint32_t hash, bool histogram)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->items[i].hash == hash && m->items[i].histogram == histogram)
			return &m->items[i];
	return NULL;
}
