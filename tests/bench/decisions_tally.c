/* Counts of the decision bench, and their table: shares with Wilson's interval, median time. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "decisions.h"

#define Z95 1.959964

void tally_deployment(struct group *g, size_t scenario, struct deployment *d, struct sw_arena *a)
{
	memset(d->tier_a, 0, sizeof d->tier_a);
	for (size_t m = 0; m < n_methods; m++) {
		size_t found = 0;

		for (size_t k = 1; k <= LOOKS && !found; k++)
			if (methods[m].alarm(d, k, a))
				found = k;
		g->tallies[scenario].alarms[m][found]++;
	}
}

/* Wilson 1927: the interval of a share that also makes sense at none of a thousand. */
static void wilson(double found, double n, double *ret_low, double *ret_high)
{
	double p = found / n, z2 = Z95 * Z95, mid = (p + z2 / (2 * n)) / (1 + z2 / n), half = Z95 / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n * n));

	*ret_low = fmax(0, mid - half);
	*ret_high = fmin(1, mid + half);
}

/* Of those found, in seconds; NaN: none. */
static double median_s(const uint64_t *alarms, uint64_t found, double step_s)
{
	uint64_t seen = 0;

	for (size_t k = 1; k <= LOOKS; k++) {
		seen += alarms[k];
		if (found && 2 * seen >= found)
			return (double)k * step_s;
	}
	return NAN;
}

static void print_cell(const struct scenario *s, const uint64_t *alarms, double step_s, FILE *text, FILE *json)
{
	uint64_t n = alarms[0], found = 0;
	double low, high, share, median;

	for (size_t k = 1; k <= LOOKS; k++)
		found += alarms[k];
	n += found;
	if (n == 0) {
		(void)fprintf(text, "%22s", "-");
		return;
	}
	wilson((double)found, (double)n, &low, &high);
	share = (double)found / (double)n;
	median = median_s(alarms, found, step_s) - s->late_s;
	if (s->healthy)
		(void)fprintf(text, "  %5.1f %% (%4.1f-%4.1f)", 100 * share, 100 * low, 100 * high);
	else if (found)
		(void)fprintf(text, "  %5.1f %% %4.0f s", 100 * share, median);
	else
		(void)fprintf(text, "  %5.1f %%       ", 0.0);
	if (json)
		(void)fprintf(json, "\"%s\":{\"n\":%llu,\"found\":%llu,\"low\":%.5f,\"high\":%.5f,\"median_s\":%.0f},", s->name, (unsigned long long)n,
		              (unsigned long long)found, low, high, found ? median : -1);
}

void group_print(const struct group *g, FILE *text, FILE *json)
{
	(void)fprintf(text, "\n%s: %s\n  %-22s", g->name, g->help, "");
	for (size_t s = 0; s < g->n_scenarios; s++)
		(void)fprintf(text, g->scenarios[s].healthy ? "  %-19s" : "  %-14s", g->scenarios[s].healthy ? "false alarms" : g->scenarios[s].name);
	(void)fprintf(text, "\n");
	if (json)
		(void)fprintf(json, ",\n\"%s\":{", g->name);
	for (size_t m = 0; m < n_methods; m++) {
		(void)fprintf(text, "  %-22s", methods[m].name);
		if (json)
			(void)fprintf(json, "%s\n \"%s\":{", m ? "," : "", methods[m].name);
		for (size_t s = 0; s < g->n_scenarios; s++)
			print_cell(&g->scenarios[s], g->tallies[s].alarms[m], g->step_s, text, json);
		(void)fprintf(text, "\n");
		if (json)
			(void)fprintf(json, "\"method\":%zu}", m);
	}
	if (json)
		(void)fprintf(json, "}");
}
