/* Tier A: pseudo-deployments of the signal's own history. */
#include "stats/calibrate.h"

#include <math.h>
#include <string.h>

#include "stats/normal.h"
#include "stats/order.h"

#define CLIP 1e6         /* of detector values, so that they fit a float whatever came in */
#define THURSDAY 4       /* 1970-01-01 */
#define NEAR_HOUR SW_HOUR
#define USUAL 0.995 /* two of 281: a height that a service had once in a day is an event, twice is a habit */

struct run {
	const struct sw_history *h;
	const struct sw_calibrate_ask *ask;
	struct sw_calibration *out;
	double *sorted;          /* m */
	double *raw;             /* [window][look]: difference of the trimmed mean; NaN: the window has no such look */
	double *column, *before; /* [window] */
	struct sw_detect detect;
	struct sw_detect_counts counts;
};

/* NaN, of sums that overflowed, becomes the smallest. */
static double clip(double v)
{
	return v > CLIP ? CLIP : v > -CLIP ? v : -CLIP;
}

static bool point_valid(const struct sw_history *h, size_t i)
{
	if (!h->all)
		return isfinite(h->x[i]);
	return isfinite(h->x[i]) && isfinite(h->all[i]) && h->x[i] >= 0 && h->all[i] >= 0;
}

static size_t window_valid(const struct sw_history *h, size_t from, size_t to)
{
	size_t n = 0;

	for (size_t i = from; i < to; i++)
		n += point_valid(h, i);
	return n;
}

/* ---- which windows ---- */

/* Where the first window at or after p starts that touches nothing excluded; h->n: there is none. p - m is its first point. */
static size_t start_clear(const struct sw_history *h, const struct sw_calibrate_ask *ask, size_t p)
{
	while (p + ask->looks <= h->n) {
		size_t i = p + ask->looks;

		if (!h->excluded)
			return p;
		while (i > p - ask->m && !h->excluded[i - 1])
			i--;
		if (i == p - ask->m)
			return p;
		p = i + ask->m; /* i - 1 is excluded: the baseline begins behind it */
	}
	return h->n;
}

static bool start_whole(const struct sw_history *h, const struct sw_calibrate_ask *ask, size_t p)
{
	size_t before = window_valid(h, p - ask->m, p);

	return before >= SW_BASELINE_LEAST && 2 * before >= ask->m && 4 * window_valid(h, p, p + ask->looks) >= 3 * ask->looks;
}

/* Monday to Friday, or Saturday and Sunday. */
static bool day_is_weekend(int64_t day)
{
	int64_t weekday = ((day + THURSDAY) % 7 + 7) % 7;

	return weekday == 0 || weekday == 6;
}

static int64_t day_of(sw_ms local)
{
	return local / SW_DAY - (local % SW_DAY < 0);
}

static bool start_same_hour(const struct sw_history *h, const struct sw_calibrate_ask *ask, size_t p, int64_t *ret_day)
{
	sw_ms at = h->first_at + (sw_ms)p * h->step + ask->tz_offset_s * SW_SECOND, want = ask->at + ask->tz_offset_s * SW_SECOND;
	sw_dur apart = (want - at) % SW_DAY;

	*ret_day = day_of(at);
	apart = apart < 0 ? apart + SW_DAY : apart;
	return SW_MIN(apart, SW_DAY - apart) <= NEAR_HOUR && day_is_weekend(*ret_day) == day_is_weekend(day_of(want));
}

/* Starts every stride points to starts[0..most), or only counted where starts is NULL. days: of how many days they are. */
static size_t pick(const struct sw_history *h, const struct sw_calibrate_ask *ask, size_t stride, bool same_hour, size_t *starts, size_t most, size_t *ret_days)
{
	size_t n = 0, days = 0;
	int64_t last_day = INT64_MIN, day = 0;

	for (size_t p = start_clear(h, ask, ask->m); p < h->n && n < most; p = start_clear(h, ask, p + stride)) {
		if (same_hour && !start_same_hour(h, ask, p, &day))
			continue;
		if (!start_whole(h, ask, p))
			continue;
		days += day != last_day;
		last_day = day;
		if (starts)
			starts[n] = p;
		n++;
	}
	*ret_days = days;
	return n;
}

/* At most SW_PSEUDO_MAX starts, spread over all there are. */
static size_t pick_spread(const struct sw_history *h, const struct sw_calibrate_ask *ask, bool same_hour, size_t least, size_t *starts)
{
	size_t stride = ask->looks, days, n = pick(h, ask, stride, same_hour, NULL, SIZE_MAX, &days);

	if (same_hour && days < SW_GUARD_DAYS)
		return 0;
	if (n < least && !same_hour) {
		stride = stride / 2;
		n = pick(h, ask, stride, same_hour, NULL, SIZE_MAX, &days);
	}
	if (n < least)
		return 0;
	if (n > SW_PSEUDO_MAX)
		stride = (stride * n + SW_PSEUDO_MAX - 1) / SW_PSEUDO_MAX;
	return pick(h, ask, stride, same_hour, starts, SW_PSEUDO_MAX, &days);
}

/* ---- one window ---- */

static void window_most(struct run *r, size_t w, size_t look, const double c[SW_DETECTORS])
{
	if (look < SW_LOOK_FIRST)
		return;
	for (int j = 0; j < SW_DETECTORS; j++)
		if (look == SW_LOOK_FIRST || c[j] > r->out->most[j][w])
			r->out->most[j][w] = (float)clip(c[j]);
}

static void window_values(struct run *r, size_t w, size_t p)
{
	const struct sw_history *h = r->h;
	size_t m = sw_order_valid(h->x + p - r->ask->m, r->ask->m, r->sorted), look = 0;
	double c[SW_DETECTORS];

	r->before[w] = sw_order_trimmed_of(r->sorted + m - SW_GUARD_AGAIN, SW_GUARD_AGAIN, SW_TRIM);
	sw_order_sort(r->sorted, m);
	sw_detect_begin(&r->detect, r->sorted, m);
	r->before[w] -= r->detect.centre;
	for (size_t i = p; i < p + r->ask->looks; i++) {
		if (!point_valid(h, i))
			continue;
		sw_detect_add(&r->detect, h->x[i], c);
		r->raw[w * r->ask->looks + look] = c[SW_DETECT_MEAN_RECENT];
		window_most(r, w, ++look, c);
	}
	for (; look < r->ask->looks; look++)
		r->raw[w * r->ask->looks + look] = NAN;
}

static void window_counts(struct run *r, size_t w, size_t p)
{
	const struct sw_history *h = r->h;
	double bad = 0, all = 0, c[SW_DETECTORS];
	size_t look = 0;

	for (size_t i = p - r->ask->m; i < p; i++)
		if (point_valid(h, i)) {
			bad += h->x[i];
			all += h->all[i];
		}
	sw_detect_counts_begin(&r->counts, bad, all);
	for (size_t i = p; i < p + r->ask->looks; i++)
		if (point_valid(h, i)) {
			sw_detect_counts_add(&r->counts, h->x[i], h->all[i], c);
			window_most(r, w, ++look, c);
		}
}

/* Centre and scale of the mean's difference per look, then its largest standardised value per window. */
static void scale_looks(struct run *r)
{
	struct sw_calibration *out = r->out;

	for (size_t k = 0; k < out->looks; k++) {
		double centre, scale;
		size_t n = 0;

		for (size_t w = 0; w < out->n; w++)
			if (isfinite(r->raw[w * out->looks + k]))
				r->column[n++] = r->raw[w * out->looks + k];
		/* looks that few windows have lean on the look before */
		if (n < out->n / 2 && k > 0) {
			out->centre[k] = out->centre[k - 1];
			out->scale[k] = out->scale[k - 1];
			continue;
		}
		sw_order_scale(r->column, n, &centre, &scale);
		out->centre[k] = (float)clip(centre);
		out->scale[k] = (float)clip(fmax(scale, r->ask->scale_least));
	}
	sw_order_sort(r->before, out->n);
	out->usual_before = (float)clip(fmax(0, sw_order_quantile(r->before, out->n, USUAL)));
	for (size_t w = 0; w < out->n; w++)
		for (size_t k = SW_LOOK_FIRST; k <= out->looks; k++) {
			double c = clip((r->raw[w * out->looks + k - 1] - (double)out->centre[k - 1]) / (double)out->scale[k - 1]);

			if (k == SW_LOOK_FIRST || c > (double)out->most[SW_DETECT_MEAN_RECENT][w])
				out->most[SW_DETECT_MEAN_RECENT][w] = (float)c;
		}
}

int sw_calibrate(const struct sw_history *h, const struct sw_calibrate_ask *ask, struct sw_arena *a, struct sw_calibration *ret)
{
	size_t *starts = SW_ARENA_ARRAY(a, size_t, SW_PSEUDO_MAX), n = 0;
	struct run *r = SW_ARENA_NEW(a, struct run);

	SW_ASSERT(ask->m >= SW_BASELINE_LEAST && ask->m <= SW_BASELINE_MAX);
	SW_ASSERT(ask->looks >= SW_LOOK_FIRST && ask->looks <= SW_LOOKS_MAX && ask->scale_least > 0);
	memset(ret, 0, sizeof *ret);
	ret->kind = h->all ? SW_CALIBRATION_COUNTS : SW_CALIBRATION_VALUES;
	ret->m = (uint16_t)ask->m;
	ret->looks = (uint16_t)ask->looks;
	if (ask->at && h->step > 0) {
		n = pick_spread(h, ask, true, SW_PSEUDO_SAME_HOUR, starts);
		ret->same_hour = n > 0;
	}
	if (n == 0)
		n = pick_spread(h, ask, false, SW_PSEUDO_LEAST, starts);
	if (n == 0)
		return SW_CALIBRATE_E_FEW;
	ret->n = (uint16_t)n;
	*r = (struct run){ .h = h, .ask = ask, .out = ret, .sorted = SW_ARENA_ARRAY(a, double, ask->m),
		           .raw = SW_ARENA_ARRAY(a, double, n * ask->looks), .column = SW_ARENA_ARRAY(a, double, n), .before = SW_ARENA_ARRAY(a, double, n) };
	for (size_t w = 0; w < n; w++)
		if (h->all)
			window_counts(r, w, starts[w]);
		else
			window_values(r, w, starts[w]);
	for (size_t k = 0; k < ask->looks; k++)
		ret->scale[k] = 1;
	if (!h->all)
		scale_looks(r);
	return 0;
}
