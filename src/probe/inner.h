/* What the files of the metrics share: how a series lies in shared memory, and what this process knows of it. */
#ifndef SW_PROBE_INNER_H
#define SW_PROBE_INNER_H

#include <pthread.h>

#include "probe/print.h"
#include "shipwatch/base.h"
#include "shipwatch/mem.h"

enum {
	PART_BYTES = 1024 * 1024, /* touched as it fills */
	KEY_MAX = SW_METRIC_LABELS * (SW_METRIC_VALUE + 1),
	HOOKS_MAX = 8,
	PROCESSES_MAX = 1024,
};
enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM, METRIC_INFO };

/*
 * In shared memory. A cell is one series of one process: its values, behind them the key (the values of its labels, each with its
 * NUL). The cells of a family are a chain of offsets from the part; 0 ends it. Only the owner of a part appends, what is
 * linked never changes but for the numbers: readers need no lock.
 */
struct cell {
	uint32_t size, next, hash, key_n;
	uint16_t n_values, pad[3];
	double v[];
};
struct part {
	uint32_t used, pad;
	uint32_t heads[SW_METRIC_FAMILIES];
	char bytes[];
};

/* What this process knows of a series. Lives as long as the metrics; cell is NULL until it is used after a change of part. */
struct sw_series {
	struct sw_metric *f;
	struct cell *cell;
	struct sw_series *next;   /* all of a family */
	uint32_t hash, key_n;
	char key[];
};

struct sw_metric {
	struct sw_metrics *m;
	unsigned id;
	enum metric_type type;
	const char *name, *help;
	const char *const *labels;
	unsigned n_labels, max, n_bounds;
	bool largest;
	const double *bounds;
	/* Read without a lock, written under it. slots: open addressing, never more than half full. */
	struct sw_series **slots, *other, *bare, *all;
	uint32_t n_slots, n_series;
	bool full;
	char *info;               /* of METRIC_INFO: its labels as printed; under the lock */
};

struct sw_metrics {
	struct part *parts;
	unsigned n_parts, me, n_families, n_hooks;
	pthread_mutex_t lock;     /* making families and series */
	uint64_t dropped;
	struct { void (*fn)(void *arg); void *arg; } hooks[HOOKS_MAX];
	struct sw_metric families[SW_METRIC_FAMILIES];
};

static inline struct part *metrics_part(const struct sw_metrics *m, unsigned k)
{
	return (struct part *)(void *)((char *)m->parts + (size_t)k * PART_BYTES);
}

static inline struct cell *cell_at(struct part *p, uint32_t at)
{
	return at ? (struct cell *)(void *)((char *)p + at) : NULL;
}

static inline struct cell *cell_first(struct part *p, unsigned family)
{
	return cell_at(p, __atomic_load_n(&p->heads[family], __ATOMIC_ACQUIRE));
}

static inline struct cell *cell_next(struct part *p, const struct cell *c)
{
	return cell_at(p, __atomic_load_n(&c->next, __ATOMIC_ACQUIRE));
}

static inline const char *cell_key(const struct cell *c)
{
	return (const char *)&c->v[c->n_values];
}

static inline double value_read(const double *v)
{
	double x;

	__atomic_load(v, &x, __ATOMIC_RELAXED);
	return x;
}

static inline void value_write(double *v, double x)
{
	__atomic_store(v, &x, __ATOMIC_RELAXED);
}

static inline void value_add(double *v, double x)
{
	double old = value_read(v), now;

	do
		now = old + x;
	while (!__atomic_compare_exchange(v, &old, &now, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

/* index.c: the series of a family in this process. */

/* The series of these values, made where it is new; "other" where there are too many. NULL: no memory for it, or f is NULL. */
struct sw_series *sw_series_of(struct sw_metric *f, const char *const *values);
/* Its cell in this process' part, made where there is none. NULL: the part is full. */
struct cell *sw_series_cell_make(struct sw_series *s);
static inline struct cell *series_cell(struct sw_series *s)
{
	struct cell *c = __atomic_load_n(&s->cell, __ATOMIC_ACQUIRE);

	return c ? c : sw_series_cell_make(s);
}
/* Room for max series, and the one of a family without labels. */
void sw_index_init(struct sw_metric *f);
void sw_index_fini(struct sw_metric *f);
/* The process counts in another part now: series go on with the cells that are there. */
void sw_index_become(struct sw_metric *f);
struct cell *sw_cell_find(struct part *p, unsigned family, uint32_t hash, const char *key, uint32_t key_n);

/* metrics.c */
struct sw_metric *sw_metric_info(struct sw_metrics *m, const char *name, const char *help);
/* print.c: "a=\"x\"" with what Prometheus wants escaped. */
void sw_print_label(struct sw_buf *out, const char *name, const char *value);

#endif
