/*
 * Series of a test: what a signal is at equal intervals, in promtool's notation (rules.md 2).
 *
 *   0.3x20         21 samples of 0.3: a value, then N more            300ms+10msx5    300ms, 310ms … 350ms: N more after the first
 *   0.3~5%x20      21 samples of log-normal noise around 0.3          _x3  _ x3       3 times no sample
 *   stale nan err  as a word, `err x20` 20 times                      slow(5s)        the answer takes 5 s; over the time limit: an error
 *   ok fail        for probes; ok:b2 is answered by version b2        [GET /a: 300ms 120 1; GET /b: 80ms 900 0]x20   a list of endpoints
 *
 * Values are written as in rules: 1500ms, 0.2%, 120MiB, 5rps; a bare number is in the signal's base unit. Noise depends only on
 * the seed, the name of the series and the number of the sample, so that a change in one place changes nothing elsewhere.
 */
#ifndef SW_SIM_SERIES_H
#define SW_SIM_SERIES_H

#include "base/yaml.h"
#include "rules/rules.h"
#include "shipwatch/mem.h"

#define SERIES_SAMPLES 1000000 /* of one series */

enum series_kind { SERIES_VALUE, SERIES_NONE, SERIES_STALE, SERIES_NAN, SERIES_ERROR, SERIES_SLOW };

/* So many samples of one kind. */
struct series_run {
	enum series_kind kind;
	size_t first, n;
	double a, step, noise;  /* VALUE: a + step * i, noise as a ratio; a health that is well is 1 */
	sw_dur slow;            /* SLOW */
	const char *text;       /* of a health: the version; of a list: its elements */
};

struct sim_series {
	const char *signal;
	const char *place;      /* "web/prod"; NULL: every place that has none of its own */
	sw_ms start;
	sw_dur interval;
	uint64_t seed;
	struct series_run *runs;
	size_t n_runs, cap_runs, n; /* n: samples */
};

/* A moment of a series. */
struct series_at {
	enum series_kind kind;  /* NONE also before its start and behind its end */
	double value;           /* VALUE, SLOW: the last that was known */
	bool known;             /* SLOW: there was one */
	sw_dur slow;
	const char *text;
};

/* What a series is of. */
enum series_type { SERIES_PROBE, SERIES_MEASURED };

/*
 * Reads the text of a series at the node; def says what it measures (PROBE: NULL). Return: 0, or -EINVAL with the mistake told.
 */
SW_CHECKED int sw_series_read(struct sim_series *s, const struct sw_ynode *node, enum series_type type, const struct sw_signal_def *def,
                              struct sw_arena *a, struct sw_diags *d);
struct series_at sw_series_at(const struct sim_series *s, sw_ms at);
/* The series of a signal at a place: its own before one for all; NULL: none. */
const struct sim_series *sw_series_find(const struct sim_series *list, size_t n, const char *signal, const char *place);
/* A seed out of a number and a text. */
uint64_t sw_series_seed(uint64_t seed, const char *text);
/* Uniform in (0, 1), and standard normal: of the n-th draw. */
double sw_series_uniform(uint64_t seed, uint64_t n);
double sw_series_normal(uint64_t seed, uint64_t n);

#endif
