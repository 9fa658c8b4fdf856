/* Moments and lengths of time: reading clocks, and the texts people and hosts write them in. */
#ifndef SHIPWATCH_CLOCK_H
#define SHIPWATCH_CLOCK_H

#include "shipwatch/base.h"
#include "shipwatch/buf.h"

sw_ms sw_clock_wall(void);   /* CLOCK_REALTIME; layer 5 only */
sw_dur sw_clock_mono(void);  /* CLOCK_MONOTONIC */
sw_dur sw_clock_boot(void);  /* CLOCK_BOOTTIME: goes on during sleep */

/*
 * A length: one or more of number+unit, units us ms s m h d w ("90s", "1h30m", "1.5s"). A bare number has no unit and is
 * refused. Return: 0, or -EINVAL.
 */
SW_CHECKED int sw_dur_parse(const char *s, sw_dur *ret);
/* "1h30m", "90s" as the shortest exact spelling; "0s". */
void sw_dur_print(sw_dur d, struct sw_buf *out);

/*
 * A moment in any of the spellings that git hosts use (inbound-events.md 2.5): RFC 3339 with any number of fractional digits,
 * space or T between, "UTC", "Z", "+0200" or "+02:00" with or without a space before; no zone = UTC; also a decimal number of
 * seconds (below 1e11) or milliseconds. Return: 0, or -EINVAL.
 */
SW_CHECKED int sw_time_parse(const char *s, sw_ms *ret);
/* "2026-11-24T13:48:05.123Z" */
void sw_time_print(sw_ms t, struct sw_buf *out);
/* "13:48:05" or, with date, "2026-11-24 13:48:05" at the given offset east of UTC in seconds. */
void sw_time_print_local(sw_ms t, int offset_s, bool date, struct sw_buf *out);

#endif
