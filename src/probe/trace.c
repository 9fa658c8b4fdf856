/*
 * The ids of a request: W3C trace context (https://www.w3.org/TR/trace-context/), X-Request-Id, X-CI-Run-Id; taken from what comes
 * in, given to what goes out. What another sent goes into log lines and headers, so only harmless bytes are taken.
 */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/str.h"
#include "shipwatch/base.h"
#include "shipwatch/clock.h"
#include "shipwatch/probe.h"

/* n bytes as 2n digits, never all zero. Ids need not be secret: without random numbers the clock has to do. */
static void trace_random(char *out, size_t n)
{
	unsigned char raw[16];

	SW_ASSERT(n <= sizeof raw);
	if (getrandom(raw, n, GRND_NONBLOCK) != (ssize_t)n)
		for (size_t i = 0; i < n; i++)
			raw[i] = (unsigned char)(((uint64_t)sw_clock_mono() * 2654435761u + (uintptr_t)out) >> (i % 8 * 8));
	raw[0] |= 1;
	for (size_t i = 0; i < n; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", raw[i]);
}

/* n lower-case digits, not all zero where that means "none". */
static bool trace_hex(const char *s, size_t n, bool zero)
{
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f')))
			return false;
		any = any || s[i] != '0';
	}
	return any || zero;
}

/* "00-<32>-<16>-<2>"; a later version may have more behind a '-'. */
static bool trace_take(struct sw_trace *t, const char *s)
{
	size_t n = s ? strnlen(s, 256) : 0;
	unsigned flags = 0;

	if (n < SW_TRACEPARENT - 1 || !trace_hex(s, 2, true) || strncmp(s, "ff", 2) == 0 || s[2] != '-' || s[35] != '-' || s[52] != '-')
		return false;
	if (n > SW_TRACEPARENT - 1 && (strncmp(s, "00", 2) == 0 || s[55] != '-'))
		return false;
	if (!trace_hex(s + 3, 32, false) || !trace_hex(s + 36, 16, false) || !trace_hex(s + 53, 2, true))
		return false;
	(void)sscanf(s + 53, "%2x", &flags);
	memcpy(t->trace_id, s + 3, 32);
	memcpy(t->parent_id, s + 36, 16);
	t->trace_id[32] = t->parent_id[16] = '\0';
	t->flags = flags & 1;
	return true;
}

/* Printable ASCII; ids of requests without blanks and quotes. */
static bool trace_id_good(const char *s, size_t max, bool blanks)
{
	size_t n = s ? strnlen(s, max + 1) : 0;

	if (n == 0 || n > max)
		return false;
	for (size_t i = 0; i < n; i++)
		if (s[i] < (blanks ? 0x20 : 0x21) || s[i] >= 0x7f || (!blanks && (s[i] == '"' || s[i] == '\\')))
			return false;
	return s[0] != ' ' && s[n - 1] != ' ';
}

void sw_trace_begin(struct sw_trace *t, const char *traceparent, const char *request_id, const char *ci_run_id)
{
	*t = (struct sw_trace){ .flags = 1 };
	if (!trace_take(t, traceparent))
		trace_random(t->trace_id, 16);
	trace_random(t->span_id, 8);
	if (trace_id_good(request_id, SW_REQUEST_ID, false))
		memcpy(t->request_id, request_id, strlen(request_id) + 1);
	else
		trace_random(t->request_id, 16);
	if (trace_id_good(ci_run_id, SW_CI_RUN_ID, true))
		memcpy(t->ci_run_id, ci_run_id, strlen(ci_run_id) + 1);
}

void sw_trace_child(struct sw_trace *t, const struct sw_trace *of)
{
	struct sw_trace child = *of;

	memcpy(child.parent_id, of->span_id, sizeof child.parent_id);
	trace_random(child.span_id, 8);
	*t = child;
}

void sw_trace_push(const struct sw_trace *t)
{
	sw_log_ids_push(&(struct sw_log_ids){ .ci_run_id = *t->ci_run_id ? t->ci_run_id : NULL, .request_id = t->request_id,
	                                      .trace_id = t->trace_id, .span_id = t->span_id });
}

void sw_trace_parent(const struct sw_trace *t, char out[SW_TRACEPARENT])
{
	(void)snprintf(out, SW_TRACEPARENT, "00-%s-%s-%02x", t->trace_id, t->span_id, t->flags & 1);
}

void sw_trace_headers(const struct sw_trace *t, void (*put)(void *arg, const char *name, const char *value), void *arg)
{
	char parent[SW_TRACEPARENT];

	sw_trace_parent(t, parent);
	put(arg, SW_HEADER_TRACE, parent);
	put(arg, SW_HEADER_REQUEST, t->request_id);
	if (*t->ci_run_id)
		put(arg, SW_HEADER_CI_RUN, t->ci_run_id);
}
