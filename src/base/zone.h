/*
 * Time zones without the process's own: a zone is read from the system's zoneinfo once and then only looked up, so that any number of
 * zones can be used side by side, by any thread, and nothing (TZ, tzset) is changed for anybody else.
 */
#ifndef SW_BASE_ZONE_H
#define SW_BASE_ZONE_H

#include "shipwatch/base.h"
#include "shipwatch/mem.h"

#define SW_ZONE_DIR   "/usr/share/zoneinfo"
#define SW_ZONE_BYTES ((size_t)128 * 1024) /* of a file; the largest have 4 KB */

struct sw_zone;

/*
 * "Asia/Shanghai", "UTC", or a fixed offset: "+08:00", "-03:30", at most 14 hours. Return: 0 and *ret, which lives in a; -EINVAL when it is
 * neither, -ENOENT when the system has no such zone, -EBADMSG when its file cannot be understood.
 */
SW_CHECKED int sw_zone_load(struct sw_arena *a, const char *name, const struct sw_zone **ret);
/* The same from the bytes of a file (RFC 8536). Return: 0, or -EBADMSG. */
SW_CHECKED int sw_zone_read(struct sw_arena *a, const void *bytes, size_t n, const struct sw_zone **ret);
/* Seconds east of UTC at a moment. */
int sw_zone_offset(const struct sw_zone *z, sw_ms at);
/*
 * The moment a clock on the wall shows so many seconds since 1970-01-01 00:00. Of an hour that comes twice it is the first; of one that
 * is left out, when clocks go forward, as far behind the change as it would have been.
 */
sw_ms sw_zone_moment(const struct sw_zone *z, int64_t wall_s);
/* Days since 1970-01-01 of a date of our calendar. */
int64_t sw_zone_days(int year, int month, int day);

/* "2026-11-23", a date that there is, at the beginning of s: its days since 1970. What follows is not looked at. */
bool sw_zone_date(const char *s, int64_t *ret_days);
/* "09:00", all of s, to "24:00": seconds of the day. */
bool sw_zone_hour(const char *s, int64_t *ret_s);

#endif
