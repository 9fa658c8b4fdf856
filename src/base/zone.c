/*
 * Reads zoneinfo files: the list of changes, and the rule behind its end (RFC 8536). Three parts: the file, the rule ("CET-1CEST,M3.5.0,
 * M10.5.0/3"), and looking up.
 */
#include "base/zone.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "shipwatch/buf.h"

#define HEADER 44
#define DAY_S  86400
#define RULE_MAX_HOURS 167

/* When a change of the rule happens: day and second of a year's wall clock. */
struct rule_date {
	char kind; /* 'M': the week-th weekday of a month; 'J': day 1..365 without a leap day; '0': day 0..365 */
	int month, week, day, time_s;
};

struct sw_zone {
	const int64_t *at;      /* when offsets change, rising, seconds */
	const int *offset;      /* from then on */
	size_t n;
	int first;              /* before all of them */
	bool rule;              /* behind the last one: standard time, and where dst what summer time is */
	bool dst;
	int std_s, dst_s;
	struct rule_date begins, ends; /* of summer time */
};

/* ---- calendar ---- */

int64_t sw_zone_days(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year, era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400, doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static bool digits(const char *s, size_t n, int *ret)
{
	*ret = 0;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		*ret = *ret * 10 + (s[i] - '0');
	}
	return true;
}

bool sw_zone_date(const char *s, int64_t *ret_days)
{
	int y, m, d;

	if (strlen(s) < 10 || s[4] != '-' || s[7] != '-' || !digits(s, 4, &y) || !digits(s + 5, 2, &m) || !digits(s + 8, 2, &d) || y < 1970 ||
	    m < 1 || m > 12 || d < 1)
		return false;
	*ret_days = sw_zone_days(y, m, d);
	return *ret_days < (m == 12 ? sw_zone_days(y + 1, 1, 1) : sw_zone_days(y, m + 1, 1));
}

bool sw_zone_hour(const char *s, int64_t *ret_s)
{
	int h, m;

	if (strlen(s) != 5 || s[2] != ':' || !digits(s, 2, &h) || !digits(s + 3, 2, &m) || h > 24 || m > 59 || (h == 24 && m))
		return false;
	*ret_s = h * 3600 + m * 60;
	return true;
}

static bool is_leap(int y)
{
	return (y % 4 == 0 && y % 100) || y % 400 == 0;
}

static int year_of(int64_t s)
{
	int64_t days = s / DAY_S - (s % DAY_S < 0);
	int year = (int)(1970 + days / 366); /* never too late before 1970 is asked for, which rules are not */

	while (sw_zone_days(year + 1, 1, 1) <= days)
		year++;
	while (sw_zone_days(year, 1, 1) > days)
		year--;
	return year;
}

/* ---- the rule ---- */

static bool rule_number(const char **p, int max, int *ret)
{
	int v = 0;
	const char *s = *p;

	while (*s >= '0' && *s <= '9' && v <= max)
		v = v * 10 + (*s++ - '0');
	if (s == *p || v > max)
		return false;
	*p = s;
	*ret = v;
	return true;
}

/* "[+-]hh[:mm[:ss]]" in seconds */
static bool rule_time(const char **p, int max_hours, int *ret)
{
	int h = 0, m = 0, s = 0, sign = 1;

	if (**p == '+' || **p == '-')
		sign = *(*p)++ == '-' ? -1 : 1;
	if (!rule_number(p, max_hours, &h))
		return false;
	if (**p == ':') {
		(*p)++;
		if (!rule_number(p, 59, &m))
			return false;
		if (**p == ':') {
			(*p)++;
			if (!rule_number(p, 59, &s))
				return false;
		}
	}
	*ret = sign * (h * 3600 + m * 60 + s);
	return true;
}

/* "CET" or "<+08>" */
static bool rule_name(const char **p)
{
	const char *s = *p;

	if (*s == '<') {
		while (*s && *s != '>')
			s++;
		if (!*s)
			return false;
		*p = s + 1;
		return true;
	}
	while ((*s | 32) >= 'a' && (*s | 32) <= 'z')
		s++;
	if (s - *p < 3)
		return false;
	*p = s;
	return true;
}

static bool rule_date(const char **p, struct rule_date *ret)
{
	*ret = (struct rule_date){ .kind = '0', .time_s = 2 * 3600 };
	if (**p == 'M') {
		(*p)++;
		ret->kind = 'M';
		if (!rule_number(p, 12, &ret->month) || *(*p)++ != '.' || !rule_number(p, 5, &ret->week) || *(*p)++ != '.' ||
		    !rule_number(p, 6, &ret->day) || !ret->month || !ret->week)
			return false;
	} else {
		if (**p == 'J') {
			(*p)++;
			ret->kind = 'J';
		}
		if (!rule_number(p, 365, &ret->day) || (ret->kind == 'J' && !ret->day))
			return false;
	}
	if (**p != '/')
		return true;
	(*p)++;
	return rule_time(p, RULE_MAX_HOURS, &ret->time_s);
}

static bool rule_read(const char *p, struct sw_zone *z)
{
	if (!*p)
		return true; /* no rule: as after the last change */
	if (!rule_name(&p) || !rule_time(&p, 24, &z->std_s))
		return false;
	z->std_s = -z->std_s; /* it counts west of UTC */
	z->rule = true;
	if (!*p)
		return true;
	z->dst = true;
	z->dst_s = z->std_s + 3600;
	if (!rule_name(&p))
		return false;
	if (*p != ',') {
		if (!rule_time(&p, 24, &z->dst_s))
			return false;
		z->dst_s = -z->dst_s;
	}
	return *p++ == ',' && rule_date(&p, &z->begins) && *p++ == ',' && rule_date(&p, &z->ends) && !*p;
}

/* Seconds since 1970 of a date of the rule, by the wall clock. */
static int64_t rule_wall(const struct rule_date *d, int year)
{
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int64_t days = sw_zone_days(year, 1, 1);

	if (d->kind == 'M') {
		int64_t first = sw_zone_days(year, d->month, 1);
		int weekday = (int)((first + 4) % 7), day = (d->day - weekday + 7) % 7 + (d->week - 1) * 7;
		int length = lengths[d->month - 1] + (d->month == 2 && is_leap(year));

		while (day >= length)
			day -= 7;
		days = first + day;
	} else if (d->kind == 'J') {
		days += d->day - 1 + (is_leap(year) && d->day >= 60);
	} else {
		days += d->day;
	}
	return days * DAY_S + d->time_s;
}

static int rule_offset(const struct sw_zone *z, int64_t at)
{
	int64_t begins, ends;
	int year;

	if (!z->dst)
		return z->std_s;
	year = year_of(at + z->std_s);
	begins = rule_wall(&z->begins, year) - z->std_s;
	ends = rule_wall(&z->ends, year) - z->dst_s;
	if (begins < ends)
		return at >= begins && at < ends ? z->dst_s : z->std_s;
	return at >= ends && at < begins ? z->std_s : z->dst_s; /* the south: summer goes over the new year */
}

/* ---- the file ---- */

static uint32_t be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t be(const unsigned char *p, size_t width)
{
	if (width == 4)
		return (int32_t)be32(p);
	return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

struct block {
	const unsigned char *times, *types, *infos;
	size_t n_times, n_types, size;
};

/* The lengths of a block's parts stand in its header; width: of its times. */
static bool block_read(const unsigned char *p, size_t n, size_t width, struct block *ret)
{
	size_t counts[6], need = HEADER;

	if (n < HEADER || memcmp(p, "TZif", 4) != 0)
		return false;
	for (size_t i = 0; i < SW_COUNT(counts); i++) {
		counts[i] = be32(p + 20 + 4 * i);
		if (counts[i] > SW_ZONE_BYTES)
			return false;
	}
	ret->n_times = counts[3];
	ret->n_types = counts[4];
	ret->times = p + HEADER;
	ret->types = ret->times + width * ret->n_times;
	ret->infos = ret->types + ret->n_times;
	need += width * counts[3] + counts[3] + 6 * counts[4] + counts[5] + (width + 4) * counts[2] + counts[1] + counts[0];
	ret->size = need;
	return need <= n && ret->n_types > 0;
}

static bool changes_read(const struct block *b, size_t width, struct sw_arena *a, struct sw_zone *z)
{
	int64_t *at = SW_ARENA_ARRAY(a, int64_t, b->n_times + 1);
	int *offset = SW_ARENA_ARRAY(a, int, b->n_times + 1);

	z->first = (int32_t)be32(b->infos);
	for (size_t i = 0; i < b->n_times; i++) {
		size_t type = b->types[i];

		at[i] = be(b->times + width * i, width);
		if (type >= b->n_types || (i && at[i] <= at[i - 1]))
			return false;
		offset[i] = (int32_t)be32(b->infos + 6 * type);
		if (offset[i] <= -26 * 3600 || offset[i] >= 26 * 3600)
			return false;
	}
	z->at = at;
	z->offset = offset;
	z->n = b->n_times;
	return z->first > -26 * 3600 && z->first < 26 * 3600;
}

int sw_zone_read(struct sw_arena *a, const void *bytes, size_t n, const struct sw_zone **ret)
{
	struct sw_zone *z = SW_ARENA_NEW(a, struct sw_zone);
	const unsigned char *p = bytes, *end = p + n, *nl;
	size_t width = 4;
	struct block b;

	if (!block_read(p, n, 4, &b))
		return -EBADMSG;
	if (p[4] >= '2') { /* the same again with times of 64 bits, then the rule */
		p += b.size;
		width = 8;
		if (!block_read(p, (size_t)(end - p), 8, &b))
			return -EBADMSG;
	}
	if (!changes_read(&b, width, a, z))
		return -EBADMSG;
	p += b.size;
	if (width == 8) {
		nl = p < end && *p == '\n' ? memchr(p + 1, '\n', (size_t)(end - p - 1)) : NULL;
		if (!nl || !rule_read(sw_arena_strndup(a, (const char *)p + 1, (size_t)(nl - p - 1)), z))
			return -EBADMSG;
	}
	*ret = z;
	return 0;
}

/* "+08:00": minutes must be said, or "+8" would be read as one of two things. */
static bool fixed_read(const char *name, struct sw_zone *z)
{
	const char *p = name + 1;
	int h, m;

	if ((*name != '+' && *name != '-') || strlen(name) != 6 || !rule_number(&p, 14, &h) || p != name + 3 || *p++ != ':' ||
	    !rule_number(&p, 59, &m) || *p || h * 60 + m > 14 * 60)
		return false;
	z->rule = true;
	z->std_s = (*name == '-' ? -1 : 1) * (h * 3600 + m * 60);
	return true;
}

int sw_zone_load(struct sw_arena *a, const char *name, const struct sw_zone **ret)
{
	struct sw_zone *z = SW_ARENA_NEW(a, struct sw_zone);
	SW_CLEANUP(sw_buf_fini) struct sw_buf path = SW_BUF_INIT, b = SW_BUF_INIT;
	int r;

	if (fixed_read(name, z) || strcmp(name, "UTC") == 0) {
		*ret = z;
		return 0;
	}
	if (!*name || *name == '/' || *name == '+' || *name == '-' || *name == '.' || strstr(name, "..") || strlen(name) > 100)
		return -EINVAL;
	sw_buf_printf(&path, "%s/%s", SW_ZONE_DIR, name);
	r = sw_file_read(sw_buf_str(&path), SW_ZONE_BYTES, &b, NULL);
	if (r < 0)
		return r == -EFBIG || r == -EISDIR ? -EBADMSG : -ENOENT;
	return sw_zone_read(a, b.p, b.n, ret);
}

/* ---- looking up ---- */

int sw_zone_offset(const struct sw_zone *z, sw_ms at)
{
	int64_t s = at / 1000 - (at % 1000 < 0);
	size_t lo = 0, hi = z->n;

	while (lo < hi) { /* how many changes were before */
		size_t mid = (lo + hi) / 2;

		if (z->at[mid] <= s)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == z->n && z->rule)
		return rule_offset(z, s);
	return lo ? z->offset[lo - 1] : z->first;
}

sw_ms sw_zone_moment(const struct sw_zone *z, int64_t wall_s)
{
	int before = sw_zone_offset(z, (wall_s - DAY_S) * 1000), after = sw_zone_offset(z, (wall_s + DAY_S) * 1000);
	int64_t first = wall_s - before;

	/* with the offset of the day before, unless that was over by then and the other one fits */
	if (sw_zone_offset(z, first * 1000) != before && sw_zone_offset(z, (wall_s - after) * 1000) == after)
		return (wall_s - after) * 1000;
	return first * 1000;
}
