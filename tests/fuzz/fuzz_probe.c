/*
 * What others send into a service that links the probe library. Parts, each ended by a byte 0x01: values of labels, a traceparent,
 * an X-Request-Id, an X-CI-Run-Id, the reason of a check. Whatever they are: the page of metrics is read by our own reader with
 * nothing lost, /health is JSON, and what goes out in headers is harmless and understood by the next one.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "probe/print.h"
#include "signal/exposition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next part as text: up to a zero. */
static char *part(const uint8_t **data, size_t *size)
{
	const uint8_t *end = memchr(*data, 1, *size);
	size_t n = end ? (size_t)(end - *data) : *size;
	char *s = sw_strndup(n ? (const char *)*data : "", n);

	*data += n + (end != NULL);
	*size -= n + (end != NULL);
	return s;
}

struct seen { double sum; unsigned series; };

static int sample(void *arg, const struct sw_expo_sample *s, struct sw_err *err)
{
	struct seen *seen = arg;

	SW_ASSERT(s->n_labels == 2);
	for (size_t i = 0; i < s->n_labels; i++) {
		struct sw_buf b = SW_BUF_INIT;
		struct sw_err why;

		/* valid UTF-8, and no longer than it may be */
		SW_ASSERT(s->labels[i].value_n <= SW_METRIC_VALUE);
		sw_buf_jsonn(&b, s->labels[i].value, s->labels[i].value_n);
		SW_ASSERT(sw_json_check(b.p, b.n, &why) == 0);
		sw_buf_fini(&b);
	}
	seen->sum += s->value;
	seen->series++;
	return 0;
}

static void check_metrics(char *const *p, size_t n)
{
	static const char *const labels[] = { "a", "b", NULL };
	struct sw_buf b = SW_BUF_INIT;
	struct sw_metrics *m;
	struct sw_metric *c;
	struct seen seen = { 0 };
	struct sw_err err;
	double added = 0;

	SW_ASSERT(sw_metrics_new(1, &m) == 0);
	c = sw_metric_counter(m, "c_total", "C.", labels, 3);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++, added++) {
			struct sw_series *s = sw_metric_series(c, (const char *const[]){ p[i], p[k] });

			SW_METRIC_INC(c, p[i], p[k]);
			SW_ASSERT(s && s == sw_metric_series(c, (const char *const[]){ p[i], p[k] }));
		}
	sw_metrics_print(m, &b);
	SW_ASSERT(sw_expo_parse(sw_buf_str(&b), b.n, false, sample, &seen, &err) == 0);
	SW_ASSERT(fabs(seen.sum - added) < 0.5 && seen.series <= 4);
	sw_buf_fini(&b);
	sw_metrics_free(m);
}

static void header(void *arg, const char *name, const char *value)
{
	SW_ASSERT(*value);
	for (; *value; value++)
		SW_ASSERT(*value >= 0x20 && *value < 0x7f);
}

static void check_trace(char *const *p)
{
	char out[SW_TRACEPARENT];
	struct sw_trace t, next;

	sw_trace_begin(&t, p[0], p[1], p[2]);
	sw_trace_headers(&t, header, NULL);
	sw_trace_parent(&t, out);
	sw_trace_begin(&next, out, t.request_id, t.ci_run_id);
	SW_ASSERT(strcmp(next.trace_id, t.trace_id) == 0 && strcmp(next.parent_id, t.span_id) == 0);
	SW_ASSERT(strcmp(next.request_id, t.request_id) == 0 && strcmp(next.ci_run_id, t.ci_run_id) == 0);
}

static void check_health(char *const *p)
{
	struct sw_health *h = sw_health_new(&(struct sw_build){ p[0], p[1], p[2] });
	struct sw_err err;
	char *text;
	size_t n;

	sw_check_set(sw_health_check(h, p[0], 0, 0), SW_CHECK_FAIL, p[3]);
	sw_health_overall(h, SW_CHECK_OK, p[3]);
	SW_ASSERT(sw_health_text(h, &text, &n) == 503);
	SW_ASSERT(sw_json_check(text, n, &err) == 0);
	free(text);
	sw_health_free(h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *p[5];

	for (size_t i = 0; i < SW_COUNT(p); i++)
		p[i] = part(&data, &size);
	check_metrics(p, SW_COUNT(p));
	check_trace(p);
	check_health(p);
	for (size_t i = 0; i < SW_COUNT(p); i++)
		free(p[i]);
	return 0;
}
