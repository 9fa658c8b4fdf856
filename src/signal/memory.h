/*
 * What a scrape remembers for the next one: when it was, when the process began, and what each selector added up to.
 *
 *   1 <ms> <start or -> <hash>=<sum> <hash>:<le>,<count>,<le>,<count>…
 *
 * It comes back from a store that others write too, so anything that is not exactly of this form is no memory at all.
 */
#ifndef SW_SIGNAL_MEMORY_H
#define SW_SIGNAL_MEMORY_H

#include "shipwatch/buf.h"
#include "shipwatch/mem.h"

#define SW_BUCKETS_MAX 200
struct sw_bucket {
	double le, count;
};

/* What a selector chose: counters added up, or the buckets of histograms. */
struct sw_heap {
	uint32_t hash;
	bool histogram;
	bool kept;                 /* something is to be known of it at the next scrape: not only a gauge */
	size_t series;             /* of this scrape; 0 in a memory */
	double sum, max, min;      /* max and min: of this scrape only */
	struct sw_bucket *buckets; /* by le */
	size_t n_buckets;
};

struct sw_memory {
	sw_ms at;
	double start; /* NaN: not known */
	struct sw_heap *items;
	size_t n;
};

#define SW_HEAPS_MAX 128

/* False: it is none. text may be NULL. */
bool sw_memory_read(const char *text, struct sw_arena *a, struct sw_memory *ret);
/* What does not fit into max bytes is left out (that selector has its first scrape again); at least the time is there.
 */
void sw_memory_write(const struct sw_memory *m, size_t max, struct sw_buf *out);
const struct sw_heap *sw_memory_find(const struct sw_memory *m, uint32_t hash, bool histogram);

#endif
