/* The log: each line is put together first and leaves by one write, so that lines of processes do not mix. */
#include "shipwatch/log.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "shipwatch/base.h"
#include "shipwatch/buf.h"
#include "shipwatch/clock.h"

#define LOG_MSG_MAX 8192

static const char *const log_words[] = { "debug", "info", "warn", "error" };

static struct {
	enum sw_log_level min;
	enum sw_log_format format;
	int fd;
} log_to = { SW_LOG_INFO, SW_LOG_JSON, STDERR_FILENO };

/* A thread has one work in hand; within it calls that lie within each other. calls may be deeper than there is room for. */
static __thread struct sw_log_ids log_stack[SW_LOG_DEPTH + 1];
static __thread unsigned log_depth;

void sw_log_setup(enum sw_log_level min, enum sw_log_format format, int fd)
{
	log_to.min = min;
	log_to.format = format;
	log_to.fd = fd;
}

static struct sw_log_ids *log_top(void)
{
	return &log_stack[SW_MIN(log_depth, (unsigned)SW_LOG_DEPTH)];
}

void sw_log_ids_set(const struct sw_log_ids *ids)
{
	*log_top() = ids ? *ids : (struct sw_log_ids){ 0 };
}

const struct sw_log_ids *sw_log_ids_now(void)
{
	return log_top();
}

void sw_log_ids_push(const struct sw_log_ids *ids)
{
	const struct sw_log_ids *below = log_top();
	struct sw_log_ids *top;

	if (++log_depth > SW_LOG_DEPTH)
		return;
	top = log_top();
	*top = *below;
#define OVER(field) (top->field = ids->field ? ids->field : top->field)
	OVER(ci_run_id);
	OVER(event_id);
	OVER(delivery);
	OVER(attempt);
	OVER(service);
	OVER(environment);
	OVER(watch_id);
	OVER(request_id);
	OVER(trace_id);
	OVER(span_id);
#undef OVER
}

void sw_log_ids_pop(void)
{
	if (log_depth)
		log_depth--;
}

static void log_ids_write(struct sw_buf *b, bool json)
{
	const struct sw_log_ids *now = log_top();
	const struct {
		const char *name, *value;
	} ids[] = {
		{ "ci_run_id", now->ci_run_id }, { "event_id", now->event_id },       { "delivery", now->delivery },
		{ "attempt", now->attempt },     { "service", now->service },         { "environment", now->environment },
		{ "watch_id", now->watch_id },   { "request_id", now->request_id },   { "trace_id", now->trace_id },
		{ "span_id", now->span_id },
	};

	for (size_t i = 0; i < SW_COUNT(ids); i++) {
		if (!ids[i].value)
			continue;
		if (json) {
			sw_buf_printf(b, ",\"%s\":", ids[i].name);
			sw_buf_json(b, ids[i].value);
		} else {
			sw_buf_printf(b, " %s=", ids[i].name);
			sw_utf8_clean(b, ids[i].value, strlen(ids[i].value), true);
		}
	}
}

static void log_write(const struct sw_buf *b)
{
	const char *p = b->p;
	size_t n = b->n;

	/* Only a full pipe or a signal makes a second write of the rest; a log that cannot be written is not worth
	 * dying for. */
	while (n) {
		ssize_t w = write(log_to.fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return;
		p += w;
		n -= (size_t)w;
	}
}

void sw_log(enum sw_log_level level, const char *component, const char *fmt, ...)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf line = SW_BUF_INIT, msg = SW_BUF_INIT;
	int saved = errno;
	va_list ap;

	if (level < log_to.min)
		return;
	va_start(ap, fmt);
	sw_buf_vprintf(&msg, fmt, ap);
	va_end(ap);
	if (msg.n > LOG_MSG_MAX) {
		sw_buf_truncate(&msg, sw_utf8_cut(msg.p, msg.n, LOG_MSG_MAX));
		sw_buf_cat(&msg, "\xe2\x80\xa6");
	}
	if (log_to.format == SW_LOG_JSON) {
		sw_buf_cat(&line, "{\"ts\":\"");
		sw_time_print(sw_clock_wall(), &line);
		sw_buf_printf(&line, "\",\"level\":\"%s\",\"component\":", log_words[level]);
		sw_buf_json(&line, component);
		sw_buf_cat(&line, ",\"msg\":");
		sw_buf_jsonn(&line, sw_buf_str(&msg), msg.n);
		log_ids_write(&line, true);
		sw_buf_cat(&line, "}\n");
	} else {
		sw_time_print(sw_clock_wall(), &line);
		sw_buf_printf(&line, " %-5s %s: ", log_words[level], component);
		for (size_t i = 0; i < msg.n; i++)
			if (msg.p[i] == '\n' || msg.p[i] == '\t')
				msg.p[i] = ' ';
		sw_utf8_clean(&line, sw_buf_str(&msg), msg.n, true);
		log_ids_write(&line, false);
		sw_buf_putc(&line, '\n');
	}
	log_write(&line);
	errno = saved;
}
