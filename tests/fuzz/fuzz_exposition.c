/*
 * Scrapes. Four parts, each ended by a byte 0x01: an expression, a memory, a page, a second page ('o' in front of a
 * page: OpenMetrics). Whatever they are: one reading a scrape, numbers are finite, what is remembered is short and can
 * be read again.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "model/place.h"
#include "plugins.h"
#include "signal/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next part, as text with its length. */
static const char *part(const uint8_t **data, size_t *size, struct sw_arena *a, size_t *ret_n)
{
	const uint8_t *end = memchr(*data, 1, *size);
	size_t n = end ? (size_t)(end - *data) : *size;
	const char *s = sw_arena_memdup(a, n ? (const char *)*data : "", n);

	*data += n + (end != NULL);
	*size -= n + (end != NULL);
	*ret_n = n;
	return s;
}

static const char *scrape(const struct sw_query *queries, const char *page, size_t n, const char *memory, sw_ms at,
                          struct sw_arena *a)
{
	static struct sw_header open = { "content-type", "application/openmetrics-text" };
	struct sw_target t = { .queries = queries, .n_queries = 2, .memory = memory };
	struct sw_result res = { .status = 200, .body = page, .body_n = n, .at = at };
	struct sw_samples out = { .a = a };
	struct sw_memory m;

	if (n && *page == 'o') {
		res.body++;
		res.body_n--;
		res.headers = &open;
		res.n_headers = 1;
	}
	SW_ASSERT(sw_signal_scrape.read(&(struct sw_measure_conf){ .url = "u" }, &t, &res, &out, NULL) == 0 &&
	          out.n == 2);
	for (size_t i = 0; i < out.n; i++) {
		const struct sw_sample *s = &out.items[i];

		SW_ASSERT(isfinite(s->value) && isfinite(s->count));
		SW_ASSERT(s->reading != SW_R_ERROR || (s->text && !strchr(s->text, '\n')));
	}
	SW_ASSERT(!out.memory || (strlen(out.memory) <= SW_MEMORY_MAX && sw_memory_read(out.memory, a, &m)));
	return out.memory;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sw_arena a = { 0 };
	size_t n, first_n, second_n;
	const char *expr = part(&data, &size, &a, &n), *memory = part(&data, &size, &a, &n);
	const char *first = part(&data, &size, &a, &first_n), *second = part(&data, &size, &a, &second_n);
	struct sw_query queries[2] = { { .signal = "a", .scrape = expr, .step = 15000 },
		                       { .signal = "b", .scrape = "quantile(0.95, h{code!=\"500\"})", .step = 15000 } };
	struct sw_err err = SW_ERR_INIT;

	if (sw_signal_scrape.check(&queries[0], &err) < 0)
		SW_ASSERT(err.text[0] && !strchr(err.text, '\n'));
	memory = scrape(queries, first, first_n, *memory ? memory : NULL, 1790000000000, &a);
	(void)scrape(queries, second, second_n, memory, 1790000015000, &a);
	sw_arena_fini(&a);
	return 0;
}
