/* Metrics as text: Prometheus' exposition format 0.0.4, one series over all processes. */
#include "probe/print.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "probe/inner.h"

/* In 15 digits a moment in seconds keeps its milliseconds, and 0.1 stays 0.1. */
static void print_value(struct sw_buf *out, double v)
{
	if (v == floor(v) && fabs(v) < 1e15)
		sw_buf_printf(out, "%.0f\n", v);
	else
		sw_buf_printf(out, "%.15g\n", v);
}

/* Backslash and newline, in labels the quote too. */
static void print_escaped(struct sw_buf *out, const char *s, bool quote)
{
	for (; *s; s++) {
		if (*s == '\\' || *s == '\n' || (quote && *s == '"')) {
			sw_buf_putc(out, '\\');
			sw_buf_putc(out, *s == '\n' ? 'n' : *s);
		} else {
			sw_buf_putc(out, *s);
		}
	}
}

void sw_print_label(struct sw_buf *out, const char *name, const char *value)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf clean = SW_BUF_INIT;

	sw_buf_cat(out, name);
	sw_buf_cat(out, "=\"");
	sw_utf8_clean(&clean, value, strnlen(value, 4 * SW_METRIC_VALUE), false);
	sw_buf_truncate(&clean, sw_utf8_cut(sw_buf_str(&clean), clean.n, SW_METRIC_VALUE));
	print_escaped(out, sw_buf_str(&clean), true);
	sw_buf_putc(out, '"');
}

static void print_labels(struct sw_buf *out, const struct sw_metric *f, const struct cell *c)
{
	const char *key = cell_key(c);

	for (unsigned i = 0; i < f->n_labels; i++) {
		sw_buf_cat(out, i ? "," : "");
		sw_buf_cat(out, f->labels[i]);
		sw_buf_cat(out, "=\"");
		print_escaped(out, key, true);
		sw_buf_putc(out, '"');
		key += strlen(key) + 1;
	}
}

static void print_name(const struct sw_metric *f, const char *suffix, const char *labels, const char *le, struct sw_buf *out)
{
	sw_buf_cat(out, f->name);
	sw_buf_cat(out, suffix);
	if (*labels || le) {
		sw_buf_putc(out, '{');
		sw_buf_cat(out, labels);
		if (le)
			sw_buf_printf(out, "%sle=\"%s\"", *labels ? "," : "", le);
		sw_buf_putc(out, '}');
	}
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

/* One series over all processes; c is the first cell of it, in part k. */
static void print_series(const struct sw_metrics *m, const struct sw_metric *f, unsigned k, const struct cell *c, struct sw_buf *out)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf labels = SW_BUF_INIT;
	double v[SW_METRIC_BOUNDS + 2] = { 0 };
	bool first = true;

	for (; k < m->n_parts; k++) {
		const struct cell *s = first ? c : sw_cell_find(metrics_part(m, k), f->id, c->hash, cell_key(c), c->key_n);

		for (unsigned i = 0; s && i < s->n_values; i++) {
			double x = value_read(&s->v[i]);

			v[i] = f->largest && !first ? SW_MAX(v[i], x) : v[i] + x;
		}
		first = false;
	}
	print_labels(&labels, f, c);
	if (f->type == METRIC_HISTOGRAM) {
		print_histogram(f, sw_buf_str(&labels), v, out);
		return;
	}
	print_name(f, "", sw_buf_str(&labels), NULL, out);
	print_value(out, v[0]);
}

double sw_metric_total(const struct sw_metric *f)
{
	double v = 0;
	bool first = true;

	for (unsigned k = 0; f && k < f->m->n_parts; k++) {
		const struct cell *c = cell_first(metrics_part(f->m, k), f->id);
		double x = c ? value_read(&c->v[0]) : 0;

		if (!c)
			continue;
		v = f->largest && !first ? SW_MAX(v, x) : v + x;
		first = false;
	}
	return v;
}

static bool seen_before(const struct sw_metrics *m, unsigned parts, const struct sw_metric *f, const struct cell *c)
{
	for (unsigned k = 0; k < parts; k++)
		if (sw_cell_find(metrics_part(m, k), f->id, c->hash, cell_key(c), c->key_n))
			return true;
	return false;
}

static void print_head(const char *name, const char *help, const char *type, struct sw_buf *out)
{
	sw_buf_printf(out, "# HELP %s ", name);
	print_escaped(out, help, false);
	sw_buf_printf(out, "\n# TYPE %s %s\n", name, type);
}

static void print_info(struct sw_metrics *m, const struct sw_metric *f, struct sw_buf *out)
{
	(void)pthread_mutex_lock(&m->lock);
	if (f->info) {
		print_head(f->name, f->help, "gauge", out);
		sw_buf_printf(out, "%s{%s} 1\n", f->name, f->info);
	}
	(void)pthread_mutex_unlock(&m->lock);
}

static void print_family(const struct sw_metrics *m, const struct sw_metric *f, struct sw_buf *out)
{
	static const char *const types[] = { "counter", "gauge", "histogram" };
	bool head = false;

	for (unsigned k = 0; k < m->n_parts; k++) {
		struct part *p = metrics_part(m, k);

		for (struct cell *c = cell_first(p, f->id); c; c = cell_next(p, c)) {
			if (seen_before(m, k, f, c))
				continue;
			if (!head)
				print_head(f->name, f->help, types[f->type], out);
			head = true;
			print_series(m, f, k, c, out);
		}
	}
}

void sw_metrics_print(const struct sw_metrics *m, struct sw_buf *out)
{
	unsigned families;
	uint64_t dropped;

	if (!m)
		return;
	for (unsigned i = 0, n = __atomic_load_n(&m->n_hooks, __ATOMIC_ACQUIRE); i < n; i++)
		m->hooks[i].fn(m->hooks[i].arg);
	families = __atomic_load_n(&m->n_families, __ATOMIC_ACQUIRE);
	for (unsigned i = 0; i < families; i++) {
		const struct sw_metric *f = &m->families[i];

		if (f->type == METRIC_INFO)
			print_info(f->m, f, out);
		else
			print_family(m, f, out);
	}
	dropped = __atomic_load_n(&m->dropped, __ATOMIC_RELAXED);
	if (dropped) {
		print_head("probe_dropped_total", "Values of series that there was no memory for.", "counter", out);
		sw_buf_printf(out, "probe_dropped_total %llu\n", (unsigned long long)dropped);
	}
}

int sw_metrics_text(const struct sw_metrics *m, char **ret, size_t *ret_n)
{
	struct sw_buf b = SW_BUF_INIT;

	sw_metrics_print(m, &b);
	*ret_n = b.n;
	*ret = sw_buf_take(&b);
	return 0;
}
