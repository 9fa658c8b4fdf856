/* Moments and lengths of time as text, without the C library's time zones: everything inside is UTC. */
#include "shipwatch/clock.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>

#define CLOCK_DUR_MAX  (100.0 * 365 * 24 * 3600e6) /* a hundred years, in us: nobody means more */
#define CLOCK_YEAR_MAX 9999

static int64_t clock_read(clockid_t id)
{
	struct timespec ts;

	SW_ASSERT(clock_gettime(id, &ts) == 0);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

sw_ms sw_clock_wall(void)
{
	return clock_read(CLOCK_REALTIME);
}

sw_dur sw_clock_mono(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

sw_dur sw_clock_boot(void)
{
	return clock_read(CLOCK_BOOTTIME);
}

static bool clock_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Longest name first, so that "ms" is not read as "m". */
static const struct {
	const char *name;
	double us;
} clock_units[] = {
	{ "us", 1 },
	{ "ms", 1e3 },
	{ "s", 1e6 },
	{ "m", 60e6 },
	{ "h", 3600e6 },
	{ "d", 24 * 3600e6 },
	{ "w", 7 * 24 * 3600e6 },
};

static double clock_unit(const char **s)
{
	for (size_t i = 0; i < SW_COUNT(clock_units); i++) {
		size_t n = strlen(clock_units[i].name);

		if (strncmp(*s, clock_units[i].name, n) == 0 && !(n == 1 && **s == 'm' && (*s)[1] == 's')) {
			*s += n;
			return clock_units[i].us;
		}
	}
	return 0;
}

int sw_dur_parse(const char *s, sw_dur *ret)
{
	double total = 0;

	if (!*s)
		return -EINVAL;
	while (*s) {
		double v = 0, scale = 0.1, unit;

		if (!clock_digit(*s))
			return -EINVAL;
		for (; clock_digit(*s); s++)
			v = v * 10 + (*s - '0');
		if (*s == '.') {
			if (!clock_digit(*++s))
				return -EINVAL;
			for (; clock_digit(*s); s++, scale /= 10)
				v += (*s - '0') * scale;
		}
		unit = clock_unit(&s);
		if (unit <= 0)
			return -EINVAL;
		total += v * unit;
		if (total > CLOCK_DUR_MAX)
			return -EINVAL;
	}
	*ret = (sw_dur)floor(total / 1000 + 0.5);
	return 0;
}

void sw_dur_print(sw_dur d, struct sw_buf *out)
{
	static const struct {
		sw_dur len;
		const char *name;
	} units[] = {
		{ SW_DAY, "d" }, { SW_HOUR, "h" }, { SW_MINUTE, "m" }, { SW_SECOND, "s" }, { 1, "ms" },
	};

	if (d < 0) {
		sw_buf_putc(out, '-');
		d = -d;
	}
	if (d == 0) {
		sw_buf_cat(out, "0s");
		return;
	}
	/* People say 90s, not 1m30s, and 1.5s, not 1s500ms. */
	if (d >= SW_SECOND && d < 100 * SW_SECOND && d % SW_MINUTE) {
		int ms = (int)(d % 1000), digits = ms % 10 ? 3 : ms % 100 ? 2 : 1;

		sw_buf_printf(out, "%d", (int)(d / 1000));
		if (ms)
			sw_buf_printf(out, ".%0*d", digits, digits == 3 ? ms : digits == 2 ? ms / 10 : ms / 100);
		sw_buf_putc(out, 's');
		return;
	}
	for (size_t i = 0; i < SW_COUNT(units); i++) {
		if (d >= units[i].len)
			sw_buf_printf(out, "%lld%s", (long long)(d / units[i].len), units[i].name);
		d %= units[i].len;
	}
}

/* Days since 1970-01-01 of a date in the Gregorian calendar, and back (H. Hinnant's algorithms). */
static int64_t clock_days(int y, int m, int d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = y / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void clock_date(int64_t days, int *y, int *m, int *d)
{
	int64_t era, doe, yoe, doy, mp;

	days += 719468;
	era = days / 146097;
	doe = days - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	*d = (int)(doy - (153 * mp + 2) / 5 + 1);
	*m = (int)(mp < 10 ? mp + 3 : mp - 9);
	*y = (int)(yoe + era * 400 + (*m <= 2));
}

/* n digits; -1 when there are others. */
static int clock_number(const char **s, int n)
{
	int v = 0;

	for (int i = 0; i < n; i++, ++*s) {
		if (!clock_digit(**s))
			return -1;
		v = v * 10 + (**s - '0');
	}
	return v;
}

static bool clock_take(const char **s, const char *set)
{
	if (!**s || !strchr(set, **s))
		return false;
	++*s;
	return true;
}

/* Fraction of a second to ms; more digits are cut. */
static int clock_fraction(const char **s)
{
	int ms = 0, scale = 100;

	for (; clock_digit(**s); ++*s, scale /= 10)
		ms += (**s - '0') * scale;
	return ms;
}

static int clock_zone(const char *s, int *ret_s)
{
	int sign, h, m = 0;

	while (*s == ' ')
		s++;
	*ret_s = 0;
	if (!*s || strcmp(s, "Z") == 0 || strcmp(s, "z") == 0 || strcmp(s, "UTC") == 0 || strcmp(s, "GMT") == 0)
		return 0;
	if (*s != '+' && *s != '-')
		return -EINVAL;
	sign = *s++ == '-' ? -1 : 1;
	h = clock_number(&s, 2);
	if (h >= 0 && *s) {
		(void)clock_take(&s, ":");
		m = clock_number(&s, 2);
	}
	if (h < 0 || h > 23 || m < 0 || m > 59 || *s)
		return -EINVAL;
	*ret_s = sign * (h * 3600 + m * 60);
	return 0;
}

/* "1700000000", "1700000000.25", "1700000000123" */
static int clock_epoch(const char *s, sw_ms *ret)
{
	int64_t v = 0;
	int n = 0, ms = 0;

	for (; clock_digit(*s); s++, n++) {
		if (n == 15)
			return -EINVAL;
		v = v * 10 + (*s - '0');
	}
	if (*s == '.' && clock_digit(s[1])) {
		s++;
		ms = clock_fraction(&s);
	}
	if (*s || n == 0)
		return -EINVAL;
	*ret = v < 100000000000 ? v * 1000 + ms : v;
	return 0;
}

int sw_time_parse(const char *s, sw_ms *ret)
{
	static const unsigned char month_days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int y, mo, d, h, mi, sec, ms = 0, zone;
	const char *p = s;
	int64_t t;

	y = clock_number(&p, 4);
	if (y < 0 || !clock_take(&p, "-"))
		return clock_epoch(s, ret);
	mo = clock_number(&p, 2);
	if (mo < 1 || mo > 12 || !clock_take(&p, "-"))
		return -EINVAL;
	d = clock_number(&p, 2);
	if (d < 1 || d > month_days[mo - 1] || (mo == 2 && d == 29 && (y % 4 || (y % 100 == 0 && y % 400))))
		return -EINVAL;
	if (!clock_take(&p, "Tt "))
		return -EINVAL;
	h = clock_number(&p, 2);
	if (h < 0 || h > 23 || !clock_take(&p, ":"))
		return -EINVAL;
	mi = clock_number(&p, 2);
	if (mi < 0 || mi > 59 || !clock_take(&p, ":"))
		return -EINVAL;
	sec = clock_number(&p, 2);
	if (sec < 0 || sec > 60)
		return -EINVAL;
	if (*p == '.' || *p == ',') {
		if (!clock_digit(*++p))
			return -EINVAL;
		ms = clock_fraction(&p);
	}
	if (clock_zone(p, &zone) < 0)
		return -EINVAL;
	t = ((clock_days(y, mo, d) * 24 + h) * 60 + mi) * 60 + sec - zone;
	if (t < 0)
		return -EINVAL;
	*ret = t * 1000 + ms;
	return 0;
}

static void clock_print(sw_ms t, bool date, char sep, struct sw_buf *out)
{
	int y, m, d;
	int64_t s = t / 1000;

	if (date) {
		clock_date(s / 86400, &y, &m, &d);
		sw_buf_printf(out, "%04d-%02d-%02d%c", y, m, d, sep);
	}
	sw_buf_printf(out, "%02d:%02d:%02d", (int)(s / 3600 % 24), (int)(s / 60 % 60), (int)(s % 60));
}

/* Outside 1970..9999 there is nothing to print; the nearest end stands for it. */
static sw_ms clock_clamp(sw_ms t)
{
	sw_ms max = clock_days(CLOCK_YEAR_MAX, 12, 31) * SW_DAY + SW_DAY - 1;

	return t < 0 ? 0 : SW_MIN(t, max);
}

void sw_time_print(sw_ms t, struct sw_buf *out)
{
	t = clock_clamp(t);
	clock_print(t, true, 'T', out);
	sw_buf_printf(out, ".%03dZ", (int)(t % 1000));
}

void sw_time_print_local(sw_ms t, int offset_s, bool date, struct sw_buf *out)
{
	t = clock_clamp(t);
	clock_print(clock_clamp(t + (sw_ms)offset_s * 1000), date, ' ', out);
}
