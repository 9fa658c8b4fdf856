/* A calibration with a share of false alarms: limits and p-values; and a calibration as bytes. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "stats/calibrate.h"
#include "stats/normal.h"
#include "stats/order.h"

#define FORMAT 1
#define HEAD_BYTES 12
#define TAIL_SHARE 10   /* the largest tenth carries the extrapolation */
#define TAIL_LEAST 10

/* ---- limits ---- */

/* The ceil((1 - alpha)(n+1))-th smallest, or the largest where that does not exist. */
static double quantile_of(const double *sorted, size_t n, double alpha)
{
	double rank = ceil((1 - alpha) * (double)(n + 1) - 1e-9);

	return sorted[rank >= (double)n ? n - 1 : rank < 1 ? 0 : (size_t)rank - 1];
}

/* The upper tail as (u/v)^(1/xi): u, and xi, Hill's mean of logs above u. False: there is no tail to speak of. */
static bool tail_of(const struct sw_calibration_limits *l, double *ret_from, double *ret_xi, double *ret_share)
{
	size_t k = SW_MIN(SW_MAX(l->n / TAIL_SHARE, (size_t)TAIL_LEAST), l->n - 1);
	double from = l->joint[l->n - 1 - k], sum = 0;

	if (!(from > 0))
		return false;
	for (size_t i = l->n - k; i < l->n; i++)
		sum += log(l->joint[i] / from);
	*ret_from = from;
	*ret_xi = sum / (double)k;
	*ret_share = (double)k / (double)(l->n + 1);
	return *ret_xi > 0;
}

static double theta_of(const struct sw_calibration_limits *l)
{
	double most = l->joint[l->n - 1], from, xi, share;

	if (l->alpha * (double)(l->n + 1) >= 1 - 1e-9)
		return fmax(quantile_of(l->joint, l->n, l->alpha), 1e-9);
	if (!tail_of(l, &from, &xi, &share))
		return fmax(most, 1);
	return fmax(most, from * pow(share / l->alpha, xi));
}

void sw_calibration_limits(const struct sw_calibration *c, double alpha, struct sw_calibration_limits *ret)
{
	double least = sw_normal_upper(alpha);

	SW_ASSERT(c->n > 1 && c->n <= SW_PSEUDO_MAX && alpha > 0 && alpha < 0.5);
	ret->alpha = alpha;
	ret->n = c->n;
	for (int j = 0; j < SW_DETECTORS; j++) {
		for (size_t p = 0; p < c->n; p++)
			ret->joint[p] = (double)c->most[j][p];
		sw_order_sort(ret->joint, c->n);
		ret->q[j] = fmax(quantile_of(ret->joint, c->n, alpha), least);
	}
	for (size_t p = 0; p < c->n; p++) {
		double one[SW_DETECTORS];

		for (int j = 0; j < SW_DETECTORS; j++)
			one[j] = (double)c->most[j][p];
		ret->joint[p] = sw_calibration_joint(ret, one, NULL);
	}
	sw_order_sort(ret->joint, c->n);
	ret->theta = theta_of(ret);
}

void sw_calibration_standardise(const struct sw_calibration *c, size_t look, double values[SW_DETECTORS])
{
	SW_ASSERT(look >= 1 && look <= c->looks);
	if (c->kind == SW_CALIBRATION_VALUES)
		values[SW_DETECT_MEAN_RECENT] = (values[SW_DETECT_MEAN_RECENT] - (double)c->centre[look - 1]) / (double)c->scale[look - 1];
}

double sw_calibration_joint(const struct sw_calibration_limits *l, const double c[SW_DETECTORS], enum sw_detector *ret_which)
{
	double best = -INFINITY;

	for (int j = 0; j < SW_DETECTORS; j++)
		if (c[j] / l->q[j] > best) {
			best = c[j] / l->q[j];
			if (ret_which)
				*ret_which = (enum sw_detector)j;
		}
	return best;
}

double sw_calibration_p(const struct sw_calibration_limits *l, double joint)
{
	double from, xi, share, p;
	size_t low = 0, high = l->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (l->joint[mid] < joint)
			low = mid + 1;
		else
			high = mid;
	}
	p = (1 + (double)(l->n - low)) / (double)(l->n + 1);
	if (low == l->n && tail_of(l, &from, &xi, &share))
		return fmin(p, share * pow(from / joint, 1 / xi));
	return p;
}

/* ---- bytes ---- */

static void put_u16(struct sw_buf *out, unsigned v)
{
	sw_buf_putc(out, (char)(v & 255));
	sw_buf_putc(out, (char)(v >> 8 & 255));
}

static void put_float(struct sw_buf *out, float f)
{
	uint32_t v;

	memcpy(&v, &f, sizeof v);
	put_u16(out, v & 0xffff);
	put_u16(out, v >> 16);
}

static unsigned get_u16(const unsigned char *p)
{
	return p[0] | (unsigned)p[1] << 8;
}

/* False: not finite. */
static bool get_floats(const unsigned char **p, size_t n, float *ret)
{
	for (size_t i = 0; i < n; i++, *p += 4) {
		uint32_t v = get_u16(*p) | (uint32_t)get_u16(*p + 2) << 16;

		memcpy(&ret[i], &v, sizeof v);
		if (!isfinite(ret[i]))
			return false;
	}
	return true;
}

static size_t detectors_of(enum sw_calibration_kind kind)
{
	switch (kind) {
	case SW_CALIBRATION_VALUES:
		return SW_DETECTORS;
	case SW_CALIBRATION_COUNTS:
		return SW_DETECT_MEAN_RECENT; /* the mean is not used */
	}
	return 0;
}

void sw_calibration_write(const struct sw_calibration *c, struct sw_buf *out)
{
	sw_buf_catn(out, "SWC", 3);
	sw_buf_putc(out, FORMAT);
	sw_buf_putc(out, (char)c->kind);
	sw_buf_putc(out, (char)c->same_hour);
	put_u16(out, c->m);
	put_u16(out, c->looks);
	put_u16(out, c->n);
	if (c->kind == SW_CALIBRATION_VALUES) {
		put_float(out, c->usual_before);
		for (size_t k = 0; k < c->looks; k++) {
			put_float(out, c->centre[k]);
			put_float(out, c->scale[k]);
		}
	}
	for (size_t j = 0; j < detectors_of(c->kind); j++)
		for (size_t p = 0; p < c->n; p++)
			put_float(out, c->most[j][p]);
}

static int read_head(const unsigned char *b, size_t n, struct sw_calibration *ret)
{
	if (n < HEAD_BYTES || memcmp(b, "SWC", 3) != 0)
		return -EBADMSG;
	if (b[3] != FORMAT)
		return -EPROTONOSUPPORT;
	if (b[4] > SW_CALIBRATION_COUNTS || b[5] > 1)
		return -EBADMSG;
	memset(ret, 0, sizeof *ret);
	ret->kind = (enum sw_calibration_kind)b[4];
	ret->same_hour = b[5];
	ret->m = (uint16_t)get_u16(b + 6);
	ret->looks = (uint16_t)get_u16(b + 8);
	ret->n = (uint16_t)get_u16(b + 10);
	if (ret->m < SW_BASELINE_LEAST || ret->m > SW_BASELINE_MAX || ret->looks < SW_LOOK_FIRST || ret->looks > SW_LOOKS_MAX ||
	    ret->n < SW_PSEUDO_SAME_HOUR / 2 || ret->n > SW_PSEUDO_MAX)
		return -EBADMSG;
	return 0;
}

/* The part that only values have. */
static bool read_values(const unsigned char **b, struct sw_calibration *ret)
{
	if (!get_floats(b, 1, &ret->usual_before) || ret->usual_before < 0)
		return false;
	for (size_t k = 0; k < ret->looks; k++)
		if (!get_floats(b, 1, &ret->centre[k]) || !get_floats(b, 1, &ret->scale[k]) || !(ret->scale[k] > 0))
			return false;
	return true;
}

int sw_calibration_read(const void *p, size_t n, struct sw_calibration *ret)
{
	struct sw_calibration got;
	const unsigned char *b = p;
	size_t floats;
	int r = read_head(b, n, &got);

	if (r < 0)
		return r;
	floats = detectors_of(got.kind) * got.n + (got.kind == SW_CALIBRATION_VALUES ? 1 + 2 * (size_t)got.looks : 0);
	if (n != HEAD_BYTES + 4 * floats)
		return -EBADMSG;
	b += HEAD_BYTES;
	for (size_t k = 0; k < got.looks; k++)
		got.scale[k] = 1;
	if (got.kind == SW_CALIBRATION_VALUES && !read_values(&b, &got))
		return -EBADMSG;
	for (size_t j = 0; j < detectors_of(got.kind); j++)
		if (!get_floats(&b, got.n, got.most[j]))
			return -EBADMSG;
	*ret = got;
	return 0;
}
