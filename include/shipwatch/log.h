/*
 * The log: one JSON object a line on stderr (or plain text for people).
 *
 * Only layer 5 (gateway, worker, dashboard, cli) logs; everything below returns. A line is a change of state with the ids
 * somebody would grep for. Ids of the work in hand are set once with sw_log_ids_set and are then on every line.
 */
#ifndef SHIPWATCH_LOG_H
#define SHIPWATCH_LOG_H

#include "shipwatch/base.h"

enum sw_log_level { SW_LOG_DEBUG, SW_LOG_INFO, SW_LOG_WARN, SW_LOG_ERROR };
enum sw_log_format { SW_LOG_JSON, SW_LOG_TEXT };

/* The ids of the work in hand; NULL = not known. Borrowed until the next set. */
struct sw_log_ids {
	const char *ci_run_id, *event_id, *delivery, *attempt, *service, *environment, *watch_id;
};

void sw_log_setup(enum sw_log_level min, enum sw_log_format format, int fd);
void sw_log_ids_set(const struct sw_log_ids *ids); /* NULL clears */

/*
 * level, component ("gateway", "worker/intake"), then printf. The message is escaped; keep names=values in it short.
 * Example: SW_INFO("worker/courier", "channel %s: sent alert=%s", name, id);
 */
void sw_log(enum sw_log_level level, const char *component, const char *fmt, ...) SW_PRINTF(3, 4);

#define SW_ERROR(c, ...) sw_log(SW_LOG_ERROR, (c), __VA_ARGS__)
#define SW_WARN(c, ...)  sw_log(SW_LOG_WARN, (c), __VA_ARGS__)
#define SW_INFO(c, ...)  sw_log(SW_LOG_INFO, (c), __VA_ARGS__)
#define SW_DEBUG(c, ...) sw_log(SW_LOG_DEBUG, (c), __VA_ARGS__)

#endif
