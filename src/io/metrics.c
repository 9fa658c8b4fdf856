/*
 * Metrics in shared memory: a part for each process, in it a run of series, each with its rendered labels and its values.
 *
 *   part:  used ─▶ [family labels values…] [family labels values…] …
 *
 * Only the owner of a part appends to it and writes values; the others read. A series is visible once `used` covers it.
 */
#include "io/metrics.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "shipwatch/mem.h"

enum { PART_BYTES = 256 * 1024, LABEL_BYTES = 168, FAMILIES_MAX = 64, BOUNDS_MAX = 20 };
enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct part { uint32_t used; uint32_t pad; char bytes[PART_BYTES - 8]; };
struct series { uint32_t size; uint16_t family, n_values; char labels[LABEL_BYTES]; double v[]; };

struct sw_metric {
	struct sw_metrics *m;
	unsigned id;
	enum metric_type type;
	const char *name, *help;
	const char *const *labels;
	unsigned max, n_bounds, n_series;
	bool largest;
	const double *bounds;
	struct series *last;      /* where the same labels were found last time */
};

struct sw_metrics {
	struct part *parts;
	unsigned n_parts, me, n_families;
	struct sw_metric families[FAMILIES_MAX];
};

int sw_metrics_new(unsigned processes, struct sw_metrics **ret)
{
	struct sw_metrics *m;
	void *p = mmap(NULL, (size_t)processes * sizeof(struct part), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	m = sw_calloc(1, sizeof *m);
	m->parts = p;
	m->n_parts = processes;
	*ret = m;
	return 0;
}

void sw_metrics_free(struct sw_metrics *m)
{
	if (!m)
		return;
	(void)munmap(m->parts, (size_t)m->n_parts * sizeof(struct part));
	free(m);
}

static struct series *part_next(struct part *p, uint32_t *at)
{
	struct series *s;

	if (*at >= __atomic_load_n(&p->used, __ATOMIC_ACQUIRE))
		return NULL;
	s = (struct series *)(void *)(p->bytes + *at);
	*at += s->size;
	return s;
}

static void value_write(double *v, double x)
{
	__atomic_store(v, &x, __ATOMIC_RELAXED);
}

static double value_read(double *v)
{
	double x;

	__atomic_load(v, &x, __ATOMIC_RELAXED);
	return x;
}

void sw_metrics_become(struct sw_metrics *m, unsigned k)
{
	struct series *s;

	SW_ASSERT(k < m->n_parts);
	m->me = k;
	for (unsigned i = 0; i < m->n_families; i++) {
		m->families[i].n_series = 0;
		m->families[i].last = NULL;
	}
	for (uint32_t at = 0; (s = part_next(&m->parts[k], &at)) != NULL;) {
		m->families[s->family].n_series++;
		if (m->families[s->family].type == METRIC_GAUGE)
			value_write(&s->v[0], 0);
	}
}

static struct sw_metric *metric_new(struct sw_metrics *m, enum metric_type type, const char *name, const char *help,
                                    const char *const *labels, unsigned max)
{
	struct sw_metric *f = &m->families[m->n_families];

	SW_ASSERT(m->n_families < FAMILIES_MAX);
	*f = (struct sw_metric){ .m = m, .id = m->n_families++, .type = type, .name = name, .help = help, .labels = labels,
	                         .max = labels ? SW_MAX(max, 1) : 1 };
	return f;
}

/* Labels as they are printed. Long values are cut to their share of the room, bytes that would need escaping are replaced. */
static void labels_render(const struct sw_metric *f, const char *const *values, bool other, char out[LABEL_BYTES])
{
	size_t n = 0, labels = 0;

	memset(out, 0, LABEL_BYTES);
	while (f->labels && labels < SW_METRIC_LABELS && f->labels[labels])
		labels++;
	for (size_t i = 0; i < labels; i++) {
		const char *v = other ? "other" : values && values[i] ? values[i] : "";
		size_t share = (i + 1) * (LABEL_BYTES / labels);

		n += (size_t)snprintf(out + n, LABEL_BYTES - n, "%s%.24s=\"", i ? "," : "", f->labels[i]);
		for (; *v && n < share - 2; v++) {
			unsigned char c = (unsigned char)*v;

			out[n++] = c < 0x20 || c >= 0x7f || c == '"' || c == '\\' ? '_' : *v;
		}
		out[n++] = '"';
	}
}

static unsigned metric_n_values(const struct sw_metric *f)
{
	/* A bucket for each bound, +Inf, the sum. */
	return f->type == METRIC_HISTOGRAM ? f->n_bounds + 2 : 1;
}

static struct series *series_find(struct part *p, unsigned family, const char *labels)
{
	struct series *s;

	for (uint32_t at = 0; (s = part_next(p, &at)) != NULL;)
		if (s->family == family && strcmp(s->labels, labels) == 0)
			return s;
	return NULL;
}

static struct series *series_add(struct sw_metric *f, const char *labels)
{
	struct part *p = &f->m->parts[f->m->me];
	size_t size = sizeof(struct series) + metric_n_values(f) * sizeof(double);
	struct series *s;

	if (p->used + size > sizeof p->bytes)
		return NULL;
	s = (struct series *)(void *)(p->bytes + p->used);
	s->size = (uint32_t)size;
	s->family = (uint16_t)f->id;
	s->n_values = (uint16_t)metric_n_values(f);
	memcpy(s->labels, labels, LABEL_BYTES);
	memset(s->v, 0, s->n_values * sizeof(double));
	f->n_series++;
	__atomic_store_n(&p->used, p->used + (uint32_t)size, __ATOMIC_RELEASE);
	return s;
}

/* NULL when this process' part is full. */
static struct series *metric_series(struct sw_metric *f, const char *const *values)
{
	char labels[LABEL_BYTES];

	labels_render(f, values, false, labels);
	if (f->last && strcmp(f->last->labels, labels) == 0)
		return f->last;
	f->last = series_find(&f->m->parts[f->m->me], f->id, labels);
	if (!f->last && f->n_series >= f->max) {
		labels_render(f, values, true, labels);
		f->last = series_find(&f->m->parts[f->m->me], f->id, labels);
	}
	if (!f->last)
		f->last = series_add(f, labels);
	return f->last;
}

struct sw_metric *sw_metric_counter(struct sw_metrics *m, const char *name, const char *help, const char *const *labels, unsigned max)
{
	struct sw_metric *f = metric_new(m, METRIC_COUNTER, name, help, labels, max);

	/* Without labels it is there from the start, so that a rate has a beginning. */
	if (!labels)
		sw_metric_add(f, NULL, 0);
	return f;
}

struct sw_metric *sw_metric_gauge(struct sw_metrics *m, const char *name, const char *help, const char *const *labels, unsigned max,
                                  bool largest)
{
	struct sw_metric *f = metric_new(m, METRIC_GAUGE, name, help, labels, max);

	f->largest = largest;
	if (!labels)
		sw_metric_set(f, NULL, 0);
	return f;
}

struct sw_metric *sw_metric_histogram(struct sw_metrics *m, const char *name, const char *help, const char *const *labels,
                                      unsigned max, const double *bounds, unsigned n_bounds)
{
	struct sw_metric *f = metric_new(m, METRIC_HISTOGRAM, name, help, labels, max);

	SW_ASSERT(n_bounds <= BOUNDS_MAX);
	f->bounds = bounds;
	f->n_bounds = n_bounds;
	return f;
}

void sw_metric_add(struct sw_metric *f, const char *const *values, double v)
{
	struct series *s = metric_series(f, values);

	if (s)
		value_write(&s->v[0], s->v[0] + v);
}

void sw_metric_set(struct sw_metric *f, const char *const *values, double v)
{
	struct series *s = metric_series(f, values);

	if (s)
		value_write(&s->v[0], v);
}

void sw_metric_observe(struct sw_metric *f, const char *const *values, double v)
{
	struct series *s = metric_series(f, values);
	unsigned i = 0;

	if (!s || isnan(v))
		return;
	while (i < f->n_bounds && v > f->bounds[i])
		i++;
	value_write(&s->v[i], s->v[i] + 1);
	value_write(&s->v[f->n_bounds + 1], s->v[f->n_bounds + 1] + v);
}

/* In 15 digits a moment in seconds keeps its milliseconds, and 0.1 stays 0.1. */
static void print_value(struct sw_buf *out, double v)
{
	if (v == floor(v) && fabs(v) < 1e15)
		sw_buf_printf(out, "%.0f\n", v);
	else
		sw_buf_printf(out, "%.15g\n", v);
}

static void print_name(const struct sw_metric *f, const char *suffix, const char *labels, const char *le, struct sw_buf *out)
{
	sw_buf_printf(out, "%s%s", f->name, suffix);
	if (*labels || le)
		sw_buf_printf(out, "{%s%s%s%s%s}", labels, *labels && le ? "," : "", le ? "le=\"" : "", le ? le : "", le ? "\"" : "");
	sw_buf_putc(out, ' ');
}

static void print_histogram(const struct sw_metric *f, const char *labels, const double *v, struct sw_buf *out)
{
	double total = 0;
	char le[32];

	for (unsigned i = 0; i <= f->n_bounds; i++) {
		total += v[i];
		if (i < f->n_bounds)
			(void)snprintf(le, sizeof le, "%g", f->bounds[i]);
		print_name(f, "_bucket", labels, i < f->n_bounds ? le : "+Inf", out);
		print_value(out, total);
	}
	print_name(f, "_sum", labels, NULL, out);
	print_value(out, v[f->n_bounds + 1]);
	print_name(f, "_count", labels, NULL, out);
	print_value(out, total);
}

/* One series over all processes. */
static void print_series(const struct sw_metrics *m, const struct sw_metric *f, const char *labels, struct sw_buf *out)
{
	double v[BOUNDS_MAX + 2] = { 0 };

	for (unsigned k = 0; k < m->n_parts; k++) {
		struct series *s = series_find(&m->parts[k], f->id, labels);

		for (unsigned i = 0; s && i < s->n_values; i++) {
			double x = value_read(&s->v[i]);

			v[i] = f->largest ? SW_MAX(v[i], x) : v[i] + x;
		}
	}
	if (f->type == METRIC_HISTOGRAM) {
		print_histogram(f, labels, v, out);
		return;
	}
	print_name(f, "", labels, NULL, out);
	print_value(out, v[0]);
}

static bool seen_before(const struct sw_metrics *m, unsigned parts, const struct sw_metric *f, const char *labels)
{
	for (unsigned k = 0; k < parts; k++)
		if (series_find(&m->parts[k], f->id, labels))
			return true;
	return false;
}

static void print_family(const struct sw_metrics *m, const struct sw_metric *f, struct sw_buf *out)
{
	static const char *const types[] = { "counter", "gauge", "histogram" };
	struct series *s;
	bool head = false;

	for (unsigned k = 0; k < m->n_parts; k++)
		for (uint32_t at = 0; (s = part_next(&m->parts[k], &at)) != NULL;) {
			if (s->family != f->id || seen_before(m, k, f, s->labels))
				continue;
			if (!head)
				sw_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help, f->name, types[f->type]);
			head = true;
			print_series(m, f, s->labels, out);
		}
}

void sw_metrics_print(const struct sw_metrics *m, struct sw_buf *out)
{
	for (unsigned i = 0; i < m->n_families; i++)
		print_family(m, &m->families[i], out);
}
