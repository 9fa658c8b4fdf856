/* The rank sum test, look by look; its exact distribution; the shift. */
#include "stats/rank.h"

#include <math.h>
#include <string.h>

#include "stats/normal.h"

#define EXACT_U_MAX (SW_RANK_EXACT_MAX * SW_RANK_EXACT_MAX)

/* How many of sorted x[0..m) are below v; with_equal: or equal to it. */
static size_t rank_below(const double *x, size_t m, double v, bool with_equal)
{
	size_t low = 0, high = m;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (x[mid] < v || (with_equal && x[mid] == v))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static double cube_less(double t)
{
	return t * t * t - t;
}

void sw_rank_begin(struct sw_rank *r, const double *sorted_x, size_t m)
{
	r->x = sorted_x;
	r->m = m;
	r->n = 0;
	r->u = 0;
	r->ties = 0;
	for (size_t i = 0, end; i < m; i = end) {
		for (end = i + 1; end < m && sorted_x[end] == sorted_x[i];)
			end++;
		r->ties += cube_less((double)(end - i));
	}
}

/* The part of y in u, and how many values equal to it are held now. */
static double rank_pairs(const struct sw_rank *r, double y, double *ret_equal)
{
	size_t below = rank_below(r->x, r->m, y, false), equal = 0;

	while (below + equal < r->m && r->x[below + equal] == y)
		equal++;
	*ret_equal = (double)equal;
	for (size_t i = 0; i < r->n; i++)
		*ret_equal += r->y[i] == y;
	return (double)below + (double)equal / 2;
}

void sw_rank_add(struct sw_rank *r, double y)
{
	double equal;

	SW_ASSERT(r->n < SW_RANK_POST_MAX);
	r->u += rank_pairs(r, y, &equal);
	r->ties += cube_less(equal + 1) - cube_less(equal);
	r->y[r->n++] = y;
}

void sw_rank_drop_oldest(struct sw_rank *r)
{
	double equal;

	SW_ASSERT(r->n > 0);
	r->u -= rank_pairs(r, r->y[0], &equal);
	r->ties -= cube_less(equal) - cube_less(equal - 1);
	memmove(r->y, r->y + 1, --r->n * sizeof *r->y);
}

double sw_rank_z(const struct sw_rank *r)
{
	double m = (double)r->m, n = (double)r->n, all = m + n, off = r->u - m * n / 2, var;

	if (r->m == 0 || r->n == 0 || r->m + r->n < 3)
		return 0;
	var = m * n / 12 * (all + 1 - r->ties / (all * (all - 1)));
	if (fabs(off) <= 0.5 || var <= m * n * 1e-9)
		return 0;
	return (off > 0 ? off - 0.5 : off + 0.5) / sqrt(var);
}

double sw_rank_a12(const struct sw_rank *r)
{
	return r->m && r->n ? r->u / ((double)r->m * (double)r->n) : 0.5;
}

/*
 * The counts f(0..mn; m, n) are the coefficients of prod_{i=1..n} (1 - q^(m+i)) / (1 - q^i); multiplying in factor i turns the
 * counts for n = i-1 into those for n = i, which is the recurrence summed up.
 */
static void rank_counts(size_t m, size_t n, double *f)
{
	size_t most = m * n;

	for (size_t u = 0; u <= most; u++)
		f[u] = u == 0;
	for (size_t i = 1; i <= n; i++) {
		for (size_t u = most; u >= m + i; u--)
			f[u] -= f[u - m - i];
		for (size_t u = i; u <= most; u++)
			f[u] += f[u - i];
	}
}

double sw_rank_exact(size_t m, size_t n, double u)
{
	double f[EXACT_U_MAX + 1], total = 0, above = 0;

	SW_ASSERT(m <= SW_RANK_EXACT_MAX && n <= SW_RANK_EXACT_MAX);
	if (isnan(u))
		return NAN;
	rank_counts(m, n, f);
	for (size_t i = 0; i <= m * n; i++) {
		total += f[i];
		if ((double)i >= u)
			above += f[i];
	}
	return above / total;
}

/* How many differences y_j - x_i are <= d: both sorted, so one pass. */
static double shift_count(const double *x, size_t m, const double *y, size_t n, double d)
{
	double count = 0;
	size_t i = 0;

	for (size_t j = 0; j < n; j++) {
		while (i < m && !(y[j] - x[i] <= d))
			i++;
		count += (double)(m - i);
	}
	return count;
}

/* Doubles in their order as whole numbers, so that halving an interval of them ends at one double. */
static double shift_from_key(int64_t key)
{
	double d;

	if (key < 0)
		key = INT64_MIN - key;
	memcpy(&d, &key, sizeof d);
	return d;
}

static int64_t shift_to_key(double d)
{
	int64_t key;

	memcpy(&key, &d, sizeof key);
	return key < 0 ? INT64_MIN - key : key;
}

/* The difference number rank (1 = smallest): the least d that rank differences do not exceed. */
static double shift_number(const double *x, size_t m, const double *y, size_t n, double rank)
{
	int64_t low = shift_to_key(y[0] - x[m - 1]), high = shift_to_key(y[n - 1] - x[0]);

	while (low < high) {
		int64_t mid = (low & high) + ((low ^ high) >> 1); /* rounded down, without overflow */

		if (shift_count(x, m, y, n, shift_from_key(mid)) >= rank)
			high = mid;
		else
			low = mid + 1;
	}
	return shift_from_key(low);
}

struct sw_shift sw_rank_shift(const double *sorted_x, size_t m, const double *sorted_y, size_t n, double alpha)
{
	double pairs = (double)m * (double)n, half = floor(pairs / 2), c;
	struct sw_shift ret;

	SW_ASSERT(m > 0 && n > 0);
	c = floor(pairs / 2 - sw_normal_upper(alpha / 2) * sqrt(pairs * ((double)m + (double)n + 1) / 12));
	c = c >= 1 ? c : 1;
	ret.low = shift_number(sorted_x, m, sorted_y, n, c);
	ret.high = shift_number(sorted_x, m, sorted_y, n, pairs + 1 - c);
	ret.shift = shift_number(sorted_x, m, sorted_y, n, half + 1);
	if (pairs == 2 * half)
		ret.shift = ret.shift / 2 + shift_number(sorted_x, m, sorted_y, n, half) / 2;
	return ret;
}
