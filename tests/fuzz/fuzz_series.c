/* Series of tests: the first byte says of which signal; the text is read or told, and what was read can be asked at any time. */
#include <string.h>

#include "sim/series.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const signals[] = { "health", "http_latency_p95", "error_rate", "requests", "memory_rss", "endpoints" };
	const char *signal = signals[n ? data[0] % SW_COUNT(signals) : 0];
	const struct sw_signal_def *def = strcmp(signal, "health") == 0 ? NULL : sw_rules_signal(NULL, signal);
	struct sw_arena a = { 0 };
	struct sim_series s = { .signal = signal, .start = 1000, .interval = 10 };
	struct sw_ynode node = { .type = SW_Y_SCALAR, .file = "fuzz", .line = 1, .col = 1, .key = "s", .text_col = 1 };
	struct sw_diags d;

	sw_diags_init(&d, &a);
	node.text = sw_arena_strndup(&a, n ? (const char *)data + 1 : "", n ? n - 1 : 0);
	if (sw_series_read(&s, &node, def ? SERIES_MEASURED : SERIES_PROBE, def, &a, &d) < 0)
		SW_ASSERT(d.errors && d.first->text[0]);
	else
		SW_ASSERT(d.errors == 0);
	SW_ASSERT(s.n <= SERIES_SAMPLES && s.n_runs <= s.n);
	for (size_t i = 0, sum = 0; i < s.n_runs; sum += s.runs[i].n, i++)
		SW_ASSERT(s.runs[i].first == sum && s.runs[i].n > 0 && sw_series_at(&s, 1000 + (sw_ms)sum * 10).kind == s.runs[i].kind);
	SW_ASSERT(sw_series_at(&s, 1000 + (sw_ms)s.n * 10).kind == SERIES_NONE && sw_series_at(&s, 999).kind == SERIES_NONE);
	sw_arena_fini(&a);
	return 0;
}
