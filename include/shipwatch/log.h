/*
 * The log: one JSON object a line on stderr (or plain text for people).
 *
 *   {"ts":"2026-11-24T13:48:05.123Z","level":"warn","component":"cart","msg":"…","ci_run_id":"…","request_id":"…"}
 *
 * A line is a change of state with the ids somebody would grep for. The ids of the work in hand belong to the thread: they are
 * pushed where the work begins and popped where it ends, and are on every line between. In Shipwatch itself only layer 5
 * (gateway, worker, dashboard, cli) logs; everything below returns.
 */
#ifndef SHIPWATCH_LOG_H
#define SHIPWATCH_LOG_H

#include "shipwatch/public.h"

SW_EXTERN_C_BEGIN

enum sw_log_level { SW_LOG_DEBUG, SW_LOG_INFO, SW_LOG_WARN, SW_LOG_ERROR };
enum sw_log_format { SW_LOG_JSON, SW_LOG_TEXT };

/* The ids of the work in hand; NULL = not known. The texts are borrowed until they are popped, or until the next set. */
struct sw_log_ids {
	const char *ci_run_id, *event_id, *delivery, *attempt, *service, *environment, *watch_id;
	const char *request_id, *trace_id, *span_id;
};

/* What is below min is not written; fd: where lines go (2 unless said). Before other threads begin. */
SW_PUBLIC void sw_log_setup(enum sw_log_level min, enum sw_log_format format, int fd);

/* So many calls may lie within each other; ids pushed deeper are not written, but have to be popped all the same. */
#define SW_LOG_DEPTH 16
/* Adds to the ids of this thread: what is NULL stays as the calls around it have it. One pop for each push. */
SW_PUBLIC void sw_log_ids_push(const struct sw_log_ids *ids);
/* Back to the ids from before the last push; nothing where there was none. */
SW_PUBLIC void sw_log_ids_pop(void);
/* These instead of all ids of the innermost call; NULL: none. */
SW_PUBLIC void sw_log_ids_set(const struct sw_log_ids *ids);
/* What is on this thread's lines now; valid until the next push, pop or set. */
SW_PUBLIC const struct sw_log_ids *sw_log_ids_now(void);

/*
 * level, component ("gateway", "worker/intake"), then printf. The message is escaped and cut at 8 KiB; keep names=values in it
 * short. One write a line, so that lines of threads and processes do not mix; errno is kept.
 * Example: SW_INFO("worker/courier", "channel %s: sent alert=%s", name, id);
 */
SW_PUBLIC void sw_log(enum sw_log_level level, const char *component, const char *fmt, ...) SW_PRINTF(3, 4);

#define SW_ERROR(c, ...) sw_log(SW_LOG_ERROR, (c), __VA_ARGS__)
#define SW_WARN(c, ...)  sw_log(SW_LOG_WARN, (c), __VA_ARGS__)
#define SW_INFO(c, ...)  sw_log(SW_LOG_INFO, (c), __VA_ARGS__)
#define SW_DEBUG(c, ...) sw_log(SW_LOG_DEBUG, (c), __VA_ARGS__)

SW_EXTERN_C_END

#endif
