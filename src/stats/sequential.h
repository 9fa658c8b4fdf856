/*
 * Tier B, where the history is too short to calibrate on: group-sequential tests on means.
 *
 * d_k = mean(y_1..k) - mean(x), variance v_k = s^2 VIF (1/k + 1/m), information I_k = 1/v_k, score S_k = d_k I_k. The dependence of
 * neighbouring samples is in one factor, the variance inflation VIF, estimated from the baseline.
 */
#ifndef SW_STATS_SEQUENTIAL_H
#define SW_STATS_SEQUENTIAL_H

#include "shipwatch/base.h"
#include "stats/defaults.h"

/* Spending functions: how much of alpha may be used up to the share t (0..1) of the information. Lan & DeMets 1983. */
enum sw_spend {
	SW_SPEND_OBRIEN_FLEMING, /* 2 - 2 Phi(z(alpha/2)/sqrt(t)): next to nothing early, nearly all at the end */
	SW_SPEND_POCOCK,         /* alpha ln(1 + (e-1) t): about the same at every look, finds large steps early */
};
double sw_spend(enum sw_spend how, double alpha, double t);

/*
 * Variance inflation of a mean of many: 1 + 2 sum_{h=1..lags} (1 - h/(lags+1)) r_h (Bartlett's weights: never negative), r_h over
 * the pairs of x that are both there (NaN: missing), each r_h raised by (1 + 3 r_h)/n for the bias of short series (Kendall 1954).
 * At least `least` (a rate over a window W at step s overlaps: W/s, exactly) and at least 1; at most n/4. 1 where x is constant.
 */
double sw_vif(const double *x, size_t n, size_t lags, double least);

struct sw_sequential {
	double mean, var;  /* of the winsorised baseline; var corrected to what a normal one would have had */
	double vif;
	size_t m;
};
/* x: n points in time order, NaN: missing; scratch: room for n. m valid ones, at least 2. lags and vif_least as for sw_vif. */
void sw_sequential_begin(struct sw_sequential *s, const double *x, size_t n, size_t lags, double vif_least, double *scratch);

struct sw_sequential_look {
	double d;     /* difference of means, units of x */
	double info;  /* I_k; infinite where the baseline is constant */
	double z;     /* d sqrt(I_k); 0 where d is 0 */
};
/*
 * y: k valid samples, 1..SW_LOOKS_MAX; winsorised like the baseline (which changes nothing below 20 of them). A positive d is not
 * larger than the difference of y's median: a burst that fills less than half of the window moves the mean, but is no step. That
 * makes d only smaller, so the test only more cautious: in series with bursts it halves the false alarms.
 */
struct sw_sequential_look sw_sequential_look(const struct sw_sequential *s, const double *y, size_t k);

/*
 * Normal-mixture sequential probability ratio (Robbins 1970; Johari, Pekelis & Walsh 2015): log of
 * (1 + tau^2 I)^(-1/2) exp(tau^2 S^2 / (2 (1 + tau^2 I))). Against d > 0 alone, 1/(2 Lambda) is an always-valid p-value: its
 * smallest over any number of looks, stopped at any time, is below alpha with probability at most alpha. tau: size of the changes
 * one looks for, units of x.
 */
double sw_msprt_log(const struct sw_sequential_look *l, double tau);
double sw_msprt_p(const struct sw_sequential_look *l, double tau);

/* The least d (units of x) that the ratio finds at information info with alpha, found in `power` of the cases. */
double sw_msprt_detectable(double info, double tau, double alpha, double power);

#endif
