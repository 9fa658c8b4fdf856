/*
 * Metrics: families and what is done with their values. Counting takes no lock: a series is found by its labels without one
 * (index.c), and its numbers are added to by compare-and-swap, as threads and readers in other processes share them.
 */
#include "shipwatch/probe.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/str.h"
#include "probe/inner.h"

static const double seconds[] = { 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10 };

int sw_metrics_new(unsigned processes, struct sw_metrics **ret)
{
	struct sw_metrics *m;
	void *p;

	if (processes == 0 || processes > PROCESSES_MAX)
		return -EINVAL;
	p = mmap(NULL, (size_t)processes * PART_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	m = sw_calloc(1, sizeof *m);
	m->parts = p;
	m->n_parts = processes;
	(void)pthread_mutex_init(&m->lock, NULL);
	for (unsigned k = 0; k < processes; k++)
		metrics_part(m, k)->used = sizeof(struct part);
	*ret = m;
	return 0;
}

void sw_metrics_free(struct sw_metrics *m)
{
	if (!m)
		return;
	for (unsigned i = 0; i < m->n_families; i++)
		sw_index_fini(&m->families[i]);
	(void)munmap(m->parts, (size_t)m->n_parts * PART_BYTES);
	(void)pthread_mutex_destroy(&m->lock);
	free(m);
}

void sw_metrics_become(struct sw_metrics *m, unsigned k)
{
	if (!m)
		return;
	SW_ASSERT(k < m->n_parts);
	m->me = k;
	for (unsigned i = 0; i < m->n_families; i++)
		if (m->families[i].type != METRIC_INFO)
			sw_index_become(&m->families[i]);
}

/* ---- families ---- */

static bool name_good(const char *s, bool colon)
{
	if (!s || !*s || (*s >= '0' && *s <= '9'))
		return false;
	for (; *s; s++)
		if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || *s == '_' || (colon && *s == ':')))
			return false;
	return true;
}

/* How many; -1 where one is not allowed. */
static int labels_check(const char *const *labels, bool histogram)
{
	int n = 0;

	for (; labels && labels[n]; n++) {
		if (n == SW_METRIC_LABELS || !name_good(labels[n], false) || sw_starts(labels[n], "__") || (histogram && sw_streq(labels[n], "le")))
			return -1;
		for (int k = 0; k < n; k++)
			if (sw_streq(labels[k], labels[n]))
				return -1;
	}
	return n;
}

static bool same_labels(const char *const *a, unsigned n, const struct sw_metric *f)
{
	if (n != f->n_labels)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (!sw_streq(a[i], f->labels[i]))
			return false;
	return true;
}

/* Under the lock. Return: the family, or NULL with *ret_errno. */
static struct sw_metric *family_get(struct sw_metrics *m, const struct sw_metric *want, int *ret_errno)
{
	struct sw_metric *f;

	for (unsigned i = 0; i < m->n_families; i++) {
		f = &m->families[i];
		if (!sw_streq(f->name, want->name))
			continue;
		if (f->type == want->type && same_labels(want->labels, want->n_labels, f))
			return f;
		*ret_errno = EEXIST;
		return NULL;
	}
	if (m->n_families == SW_METRIC_FAMILIES) {
		*ret_errno = ENOSPC;
		return NULL;
	}
	f = &m->families[m->n_families];
	*f = *want;
	f->m = m;
	f->id = m->n_families;
	if (f->type != METRIC_INFO)
		sw_index_init(f);
	__atomic_store_n(&m->n_families, m->n_families + 1, __ATOMIC_RELEASE);
	return f;
}

static struct sw_metric *metric_new(struct sw_metrics *m, struct sw_metric want)
{
	int labels = labels_check(want.labels, want.type == METRIC_HISTOGRAM), wrong = EINVAL;
	struct sw_metric *f = NULL;

	if (m && labels >= 0 && name_good(want.name, true)) {
		want.help = want.help ? want.help : "";
		want.n_labels = (unsigned)labels;
		want.max = labels ? SW_MIN(SW_MAX(want.max, 1u), (unsigned)SW_METRIC_SERIES) : 1;
		(void)pthread_mutex_lock(&m->lock);
		f = family_get(m, &want, &wrong);
		(void)pthread_mutex_unlock(&m->lock);
	}
	if (!f)
		errno = wrong;
	return f;
}

struct sw_metric *sw_metric_counter(struct sw_metrics *m, const char *name, const char *help, const char *const *labels, unsigned max)
{
	return metric_new(m, (struct sw_metric){ .type = METRIC_COUNTER, .name = name, .help = help, .labels = labels, .max = max });
}

struct sw_metric *sw_metric_gauge(struct sw_metrics *m, const char *name, const char *help, const char *const *labels, unsigned max,
                                  bool largest)
{
	return metric_new(m, (struct sw_metric){ .type = METRIC_GAUGE, .name = name, .help = help, .labels = labels, .max = max,
	                                         .largest = largest });
}

struct sw_metric *sw_metric_histogram(struct sw_metrics *m, const char *name, const char *help, const char *const *labels,
                                      unsigned max, const double *bounds, unsigned n_bounds)
{
	if (!bounds) {
		bounds = seconds;
		n_bounds = SW_COUNT(seconds);
	}
	for (unsigned i = 0; i < n_bounds && i <= SW_METRIC_BOUNDS; i++) {
		if (i == SW_METRIC_BOUNDS || !isfinite(bounds[i]) || (i && !(bounds[i] > bounds[i - 1]))) {
			errno = EINVAL;
			return NULL;
		}
	}
	return metric_new(m, (struct sw_metric){ .type = METRIC_HISTOGRAM, .name = name, .help = help, .labels = labels, .max = max,
	                                         .bounds = bounds, .n_bounds = n_bounds });
}

struct sw_metric *sw_metric_info(struct sw_metrics *m, const char *name, const char *help)
{
	return metric_new(m, (struct sw_metric){ .type = METRIC_INFO, .name = name, .help = help });
}

/* ---- values ---- */

void sw_series_add(struct sw_series *s, double v)
{
	struct cell *c;

	if (!s || s->f->type > METRIC_GAUGE || !isfinite(v) || (v < 0 && s->f->type == METRIC_COUNTER))
		return;
	c = series_cell(s);
	if (c)
		value_add(&c->v[0], v);
}

void sw_series_set(struct sw_series *s, double v)
{
	struct cell *c;

	if (!s || s->f->type != METRIC_GAUGE || !isfinite(v))
		return;
	c = series_cell(s);
	if (c)
		value_write(&c->v[0], v);
}

void sw_series_observe(struct sw_series *s, double v)
{
	struct cell *c;
	unsigned i = 0;

	if (!s || s->f->type != METRIC_HISTOGRAM || !isfinite(v))
		return;
	c = series_cell(s);
	if (!c)
		return;
	while (i < s->f->n_bounds && v > s->f->bounds[i])
		i++;
	value_add(&c->v[i], 1);
	value_add(&c->v[s->f->n_bounds + 1], v);
}

double sw_series_value(const struct sw_series *s)
{
	struct cell *c = s ? __atomic_load_n(&s->cell, __ATOMIC_ACQUIRE) : NULL;
	double sum = 0;

	if (!c)
		return 0;
	if (s->f->type != METRIC_HISTOGRAM)
		return value_read(&c->v[0]);
	for (unsigned i = 0; i <= s->f->n_bounds; i++)
		sum += value_read(&c->v[i]);
	return sum;
}

struct sw_series *sw_metric_series(struct sw_metric *f, const char *const *values)
{
	return f && f->type != METRIC_INFO ? sw_series_of(f, values) : NULL;
}

void sw_metric_add(struct sw_metric *f, const char *const *values, double v)
{
	sw_series_add(sw_metric_series(f, values), v);
}

void sw_metric_set(struct sw_metric *f, const char *const *values, double v)
{
	sw_series_set(sw_metric_series(f, values), v);
}

void sw_metric_observe(struct sw_metric *f, const char *const *values, double v)
{
	sw_series_observe(sw_metric_series(f, values), v);
}

int sw_metrics_on_print(struct sw_metrics *m, void (*fn)(void *arg), void *arg)
{
	int r = -ENOSPC;

	if (!m)
		return 0;
	(void)pthread_mutex_lock(&m->lock);
	if (m->n_hooks < HOOKS_MAX) {
		m->hooks[m->n_hooks].fn = fn;
		m->hooks[m->n_hooks].arg = arg;
		__atomic_store_n(&m->n_hooks, m->n_hooks + 1, __ATOMIC_RELEASE);
		r = 0;
	}
	(void)pthread_mutex_unlock(&m->lock);
	return r;
}

void sw_metrics_build_info(struct sw_metrics *m, const char *name, const struct sw_build *build)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_metric *f = sw_metric_info(m, name, "What is running.");

	if (!f)
		return;
	sw_print_label(&b, "version", build && build->version ? build->version : "unknown");
	sw_buf_putc(&b, ',');
	sw_print_label(&b, "commit", build && build->commit ? build->commit : "unknown");
	(void)pthread_mutex_lock(&m->lock);
	free(f->info);
	f->info = sw_buf_take(&b);
	(void)pthread_mutex_unlock(&m->lock);
}
