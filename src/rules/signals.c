/* The signals that are built in: what they measure, in which unit, and which way is worse (rules.md 1.2). */
#include "base/str.h"
#include "rules/expr.h"
#include "shipwatch/clock.h"

#define STEP     (15 * SW_SECOND)
#define LATENCY  .type = SW_V_DURATION, .floor = 0.020, .latency = true
#define QUERY(n) .name = n, .query.signal = n, .query.step = STEP

static const struct sw_signal_def builtin[] = {
	{ .name = "health", .type = SW_V_BOOL, .query.signal = "health", .query.bad_down = true },
	{ QUERY("http_latency_p50"), LATENCY },
	{ QUERY("http_latency_p95"), LATENCY },
	{ QUERY("http_latency_p99"), LATENCY },
	{ QUERY("error_rate"), .type = SW_V_RATIO, .floor = 0.001, .most = 1 },
	{ QUERY("request_rate"), .type = SW_V_RATE, .query.bad_down = true },
	{ QUERY("requests"), .type = SW_V_NUMBER, .query.bad_down = true, .summed = true },
	{ QUERY("memory_rss"), .type = SW_V_BYTES },
	{ QUERY("restarts"), .type = SW_V_NUMBER, .summed = true },
	{ QUERY("new_error_types"), .type = SW_V_NUMBER },
	{ QUERY("endpoints"), .type = SW_V_LIST, .query.list = true },
};

const struct sw_signal_def *sw_signal_def_builtin(size_t i)
{
	return i < SW_COUNT(builtin) ? &builtin[i] : NULL;
}

const struct sw_signal_def *sw_signal_def_find(const struct sw_signal_def *rows, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (sw_streq(rows[i].name, name))
			return &rows[i];
	for (size_t i = 0; i < SW_COUNT(builtin); i++)
		if (sw_streq(builtin[i].name, name))
			return &builtin[i];
	return NULL;
}

const struct sw_signal_def *sw_rules_signal(const struct sw_rules *r, const char *name)
{
	return sw_signal_def_find(r ? r->signals : NULL, r ? r->n_signals : 0, name);
}
