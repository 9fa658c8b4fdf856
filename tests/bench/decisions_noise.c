/* The noise of services: seven models of a latency, four of an error rate. */
#include <math.h>
#include <stdio.h>

#include "decisions.h"

#define LEVEL 0.30        /* s */
#define SPREAD 0.15       /* of the logs: the p95 of a minute at about one request a second is that uncertain */
#define SPREAD_SMALL 0.02
#define SWING 0.25
#define DAY_STEPS 5760.0
#define BURST_CHANCE 0.004 /* a step begins one: 23 a day */
#define BURST_STAYS 0.75   /* four steps in the middle */
#define OVERLAP 4
#define NORMAL_ABOVE 100 /* a Poisson of that mean is as good as normal */

static uint64_t rotate(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

static uint64_t rng_next(struct rng *r)
{
	uint64_t ret = rotate(r->s[1] * 5, 7) * 9, t = r->s[1] << 17;

	r->s[2] ^= r->s[0];
	r->s[3] ^= r->s[1];
	r->s[1] ^= r->s[2];
	r->s[0] ^= r->s[3];
	r->s[2] ^= t;
	r->s[3] = rotate(r->s[3], 45);
	return ret;
}

void rng_seed(struct rng *r, uint64_t seed, uint64_t stream)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15U + stream * 0xd1342543de82ef95U;

	for (int i = 0; i < 4; i++) {
		uint64_t z = x += 0x9e3779b97f4a7c15U;

		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
		z = (z ^ z >> 27) * 0x94d049bb133111ebU;
		r->s[i] = z ^ z >> 31;
	}
}

double rng_uniform(struct rng *r)
{
	return ((double)(rng_next(r) >> 11) + 0.5) / 9007199254740992.0;
}

double rng_normal(struct rng *r)
{
	double radius = sqrt(-2 * log(rng_uniform(r)));

	return radius * cos(2 * M_PI * rng_uniform(r));
}

double rng_poisson(struct rng *r, double mean)
{
	double k = 0, product = rng_uniform(r);

	if (mean > NORMAL_ABOVE)
		return fmax(0, floor(mean + sqrt(mean) * rng_normal(r) + 0.5));
	for (double end = exp(-mean); product > end; product *= rng_uniform(r))
		k++;
	return k;
}

static void fill_spread(struct rng *r, double *log_x, size_t n, double spread)
{
	for (size_t i = 0; i < n; i++)
		log_x[i] = log(LEVEL) + spread * rng_normal(r);
}

static void fill_independent(struct rng *r, double *log_x, size_t n)
{
	fill_spread(r, log_x, n, SPREAD);
}

static void fill_small(struct rng *r, double *log_x, size_t n)
{
	fill_spread(r, log_x, n, SPREAD_SMALL);
}

static void fill_ar(struct rng *r, double *log_x, size_t n, double rho)
{
	double e = rng_normal(r);

	for (size_t i = 0; i < n; i++) {
		log_x[i] = log(LEVEL) + SPREAD * e;
		e = rho * e + sqrt(1 - rho * rho) * rng_normal(r);
	}
}

static void fill_ar75(struct rng *r, double *log_x, size_t n)
{
	fill_ar(r, log_x, n, 0.75);
}

static void fill_ar90(struct rng *r, double *log_x, size_t n)
{
	fill_ar(r, log_x, n, 0.9);
}

static void fill_bursts(struct rng *r, double *log_x, size_t n)
{
	double height = 0;

	fill_independent(r, log_x, n);
	for (size_t i = 0; i < n; i++) {
		if (height > 0 && rng_uniform(r) > BURST_STAYS)
			height = 0;
		if (height == 0 && rng_uniform(r) < BURST_CHANCE)
			height = log(2) + rng_uniform(r) * log(2);
		log_x[i] += height;
	}
}

static void fill_daily(struct rng *r, double *log_x, size_t n)
{
	double phase = rng_uniform(r);

	fill_independent(r, log_x, n);
	for (size_t i = 0; i < n; i++)
		log_x[i] += log(1 + SWING * sin(2 * M_PI * (phase + (double)i / DAY_STEPS)));
}

static void fill_overlap(struct rng *r, double *log_x, size_t n)
{
	double last[OVERLAP];

	for (size_t j = 0; j < OVERLAP; j++)
		last[j] = rng_normal(r);
	for (size_t i = 0; i < n; i++) {
		double sum = 0;

		last[i % OVERLAP] = rng_normal(r);
		for (size_t j = 0; j < OVERLAP; j++)
			sum += last[j];
		log_x[i] = log(LEVEL) + SPREAD * sum / sqrt(OVERLAP);
	}
}

const struct model models[] = {
	{ "independent", "log-normal, spread 15 %", fill_independent, 1 },
	{ "AR .75", "the same spread, each sample keeps 3/4 of the last one's deviation", fill_ar75, 1 },
	{ "AR .9", "the same, 9/10", fill_ar90, 1 },
	{ "bursts", "independent, and 23 times a day a burst of x2 to x4 that lasts 4 samples in the middle", fill_bursts, 1 },
	{ "daily swing", "independent around a level that swings by 25 % within the day; no history of the same hour", fill_daily, 1 },
	{ "small noise", "log-normal, spread 2 %", fill_small, 1 },
	{ "overlap", "moving average over 4 steps, as rate(x[1m]) every 15 s; spread 15 %; a step arrives over 4 samples", fill_overlap, OVERLAP },
};
const size_t n_models = SW_COUNT(models);

const struct error_model error_models[] = {
	{ "errors 1 rps 1 %", "Poisson", 1, 0.01, 0 },
	{ "errors 10 rps 0.1 %", "Poisson", 10, 0.001, 0 },
	{ "errors 10 rps 1 %", "Poisson", 10, 0.01, 0 },
	{ "errors 100 rps 0.1 %", "Poisson", 100, 0.001, 0 },
	{ "errors 10 rps 1 % uneven", "Poisson, the rate of each minute times a log-normal factor of spread 60 %", 10, 0.01, 0.6 },
};
const size_t n_error_models = SW_COUNT(error_models);

void errors_fill(const struct error_model *m, struct rng *r, double *bad, double *all, size_t n, const double *times)
{
	double factor = 1;

	for (size_t i = 0; i < n; i++) {
		if (m->burst > 0 && i % 4 == 0)
			factor = exp(m->burst * rng_normal(r) - m->burst * m->burst / 2);
		all[i] = rng_poisson(r, m->rps * STEP_S);
		bad[i] = SW_MIN(all[i], rng_poisson(r, all[i] * m->rate * factor * (times ? times[i] : 1)));
	}
}
