/* Pictures made of numbers, as SVG that needs no script: the curve of a signal around a deployment, and small lines within a row. */
#ifndef SW_DASHBOARD_CHART_H
#define SW_DASHBOARD_CHART_H

#include "dashboard/web.h"
#include "rules/value.h"

struct chart_point { sw_ms at; double v; /* NaN: there was no value */ };

/* A signal around a deployment. Texts and points are borrowed. */
struct chart {
	const char *signal;
	enum sw_vtype type;                  /* how its numbers are written; SW_V_BOOL is drawn as good or not */
	const struct chart_point *points;    /* oldest first */
	size_t n;
	const struct chart_point *limits;    /* from each moment on the limit is this; oldest first */
	size_t n_limits;
	double before;                       /* level before the deployment; NaN: not known */
	sw_ms from, to;                      /* what is shown */
	sw_ms deployed;                      /* 0: not known, as below */
	sw_ms watched, until;                /* the window */
	sw_ms decided;
	const char *verdict;                 /* of decided */
};
#define CHART_POINTS 240                 /* drawn at most; more are joined, least and greatest of each piece are kept */

/* A <figure> with words for who does not see it, numbers to unfold, and what chart.js draws it again from. */
void page_chart(struct page *p, const struct chart *c);

/* A value of a signal: "1.5 s", "5 %". NaN: a dash. */
void page_value(struct page *p, enum sw_vtype type, double v);

/* A small line of at most 50 values, oldest first (NaN: none), said in words. */
void page_spark(struct page *p, const char *label, enum sw_vtype type, const double *v, size_t n);

/* Results of runs, oldest first, as small marks that differ in shape and colour. */
struct mark { const char *word, *href, *title; };
void page_marks(struct page *p, const char *label, const struct mark *m, size_t n);

#endif
