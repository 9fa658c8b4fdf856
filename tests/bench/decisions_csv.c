/*
 * Series from files: deployments are put where somebody says something began, and where nothing is.
 *
 * Rows "timestamp,value[,label]", any header. timestamp: seconds, or "2024-02-29 12:00:00" (T and Z allowed); the step is the median
 * distance, rows that are not there are missing samples. value: a number, else missing. label: 1 while something is wrong. A bad
 * deployment begins at each first 1; healthy ones every 20 points, where the 120 points before and the 20 after have no 1. Both need
 * history for tier A; points labelled 1 are excluded from it. Values that are all above 0 are compared as logs.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "decisions.h"
#include "stats/calibrate.h"
#include "stats/order.h"

#define POINTS_MAX ((size_t)4 << 20)
#define HISTORY_LEAST (BASELINE + 100 * LOOKS)

struct series {
	double *at, *value;        /* rows as read */
	bool *bad;
	size_t n;
	double step_s;
};

/* Seconds; NaN: no time. */
static double parse_time(const char *s)
{
	struct tm tm = { 0 };
	char *end;
	double number = strtod(s, &end);

	if (sscanf(s, "%d-%d-%d%*c%d:%d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) >= 5) {
		tm.tm_year -= 1900;
		tm.tm_mon -= 1;
		return (double)timegm(&tm);
	}
	return end != s && *end == 0 ? number : NAN;
}

static void read_row(struct series *s, char *line)
{
	char *value = strchr(line, ','), *label, *end;

	if (!value)
		return;
	*value++ = 0;
	label = strchr(value, ',');
	if (label)
		*label++ = 0;
	s->at[s->n] = parse_time(line);
	s->value[s->n] = strtod(value, &end);
	if (end == value)
		s->value[s->n] = NAN;
	s->bad[s->n] = label && strtod(label, NULL) != 0;
	if (isfinite(s->at[s->n]))
		s->n++;
}

static int read_rows(const char *path, struct series *s, struct sw_arena *a)
{
	FILE *f = fopen(path, "r");
	char line[512];
	size_t rows = 0;

	if (!f) {
		fprintf(stderr, "decisions: %s: %s\n", path, strerror(errno));
		return -1;
	}
	while (fgets(line, sizeof line, f))
		rows++;
	rewind(f);
	rows = SW_MIN(rows, POINTS_MAX);
	s->at = SW_ARENA_ARRAY(a, double, rows + 1);
	s->value = SW_ARENA_ARRAY(a, double, rows + 1);
	s->bad = SW_ARENA_ARRAY(a, bool, rows + 1);
	while (s->n < rows && fgets(line, sizeof line, f)) {
		line[strcspn(line, "\r\n")] = 0;
		read_row(s, line);
	}
	(void)fclose(f);
	return 0;
}

/* Rows on a grid of one step; what lies between is missing. */
static int to_grid(const char *path, struct series *s, struct sw_arena *a)
{
	double *gaps = SW_ARENA_ARRAY(a, double, s->n + 1), *value;
	size_t n_gaps = 0, n;
	bool *bad;

	for (size_t i = 1; i < s->n; i++)
		if (s->at[i] > s->at[i - 1])
			gaps[n_gaps++] = s->at[i] - s->at[i - 1];
	sw_order_sort(gaps, n_gaps);
	s->step_s = sw_order_median(gaps, n_gaps);
	if (!(s->step_s > 0) || (s->at[s->n - 1] - s->at[0]) / s->step_s > (double)POINTS_MAX) {
		fprintf(stderr, "decisions: %s: no rows \"timestamp,value,label\" in order of time\n", path);
		return -1;
	}
	n = (size_t)((s->at[s->n - 1] - s->at[0]) / s->step_s + 0.5) + 1;
	value = SW_ARENA_ARRAY(a, double, n);
	bad = SW_ARENA_ARRAY(a, bool, n);
	for (size_t i = 0; i < n; i++)
		value[i] = NAN;
	for (size_t i = 0, last = 0; i < s->n; i++) {
		size_t k = (size_t)((s->at[i] - s->at[0]) / s->step_s + 0.5);

		if (s->at[i] < s->at[0] || k >= n)
			continue;
		value[k] = s->value[i];
		/* what is missing within a region belongs to it */
		for (; last < k && i > 0 && s->bad[i] && s->bad[i - 1]; last++)
			bad[last] = true;
		bad[k] = s->bad[i];
		last = k;
	}
	s->value = value;
	s->bad = bad;
	s->n = n;
	return 0;
}

static bool any_bad(const struct series *s, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (s->bad[i])
			return true;
	return false;
}

static void judge(struct group *g, size_t scenario, const struct series *s, size_t p, bool plain)
{
	size_t n = SW_MIN(p, (size_t)HISTORY);
	struct deployment d = { .history = s->value + p - n, .excluded = s->bad + p - n, .n_history = n, .overlap = 1, .plain = plain };
	struct sw_calibration *cal;
	struct sw_arena a = { 0 };
	double *sorted;

	cal = SW_ARENA_NEW(&a, struct sw_calibration);
	sorted = SW_ARENA_ARRAY(&a, double, n);
	n = sw_order_valid(d.history, n, sorted);
	sw_order_sort(sorted, n);
	d.fixed = sw_order_median(sorted, n) + 0.5 * fabs(sw_order_median(sorted, n));
	memcpy(d.y, s->value + p, sizeof d.y);
	deployment_calibrate(&d, cal, &a);
	tally_deployment(g, scenario, &d, &a);
	sw_arena_fini(&a);
}

int csv_group(const char *path, size_t most, size_t part, size_t parts, struct group *g, struct sw_arena *a)
{
	struct series s = { 0 };
	size_t first, healthy = 0, n_bad = 0, nth = 0, every;
	bool plain = false;

	g->n_scenarios = 2;
	(void)snprintf(g->scenarios[0].name, sizeof g->scenarios[0].name, "healthy");
	g->scenarios[0].healthy = true;
	(void)snprintf(g->scenarios[1].name, sizeof g->scenarios[1].name, "labelled");
	if (read_rows(path, &s, a) < 0 || to_grid(path, &s, a) < 0)
		return -1;
	g->step_s = s.step_s;
	for (size_t i = 0; i < s.n; i++)
		plain |= s.value[i] <= 0;
	first = SW_MIN((size_t)HISTORY_LEAST, SW_MAX(s.n / 3, (size_t)BASELINE));
	for (size_t p = first; p + LOOKS <= s.n; p += LOOKS)
		healthy += !any_bad(&s, p - BASELINE, p + LOOKS);
	every = healthy / SW_MAX(most, (size_t)1) + 1;
	for (size_t p = first; p + LOOKS <= s.n; p += LOOKS)
		if (!any_bad(&s, p - BASELINE, p + LOOKS) && nth++ % every == 0 && nth / every % parts == part)
			judge(g, 0, &s, p, plain);
	for (size_t p = first; p + LOOKS <= s.n; p++)
		if (s.bad[p] && !s.bad[p - 1] && n_bad++ % parts == part)
			judge(g, 1, &s, p, plain);
	(void)snprintf(g->help, sizeof g->help, "%zu points every %.0f s%s, %zu labelled regions%s", s.n, s.step_s, plain ? ", compared as they are" : "",
	               n_bad, first < HISTORY_LEAST ? "; too short for tier A" : "");
	sw_arena_reset(a);
	return 0;
}
