/* What the files that search lists share: lists.c makes statements of what people ask for, patterns.c finds what fits a pattern by its values. */
#ifndef SW_DASHBOARD_LISTS_INNER_H
#define SW_DASHBOARD_LISTS_INNER_H

#include "dashboard/store_inner.h"
#include "shipwatch/buf.h"

struct bound { enum { BOUND_TEXT, BOUND_INT, BOUND_REAL } type; const char *text; int64_t i; double d; };

struct search {
	struct sw_store *store;
	const struct sw_list_query *q;
	const struct sw_list_bounds *most;
	struct sw_arena *a;
	struct sw_err *err;
	sw_dur until;                     /* monotonic: it is given up then */
	unsigned limit;                   /* rows of the page */
	int lead;                         /* that filter is looked up, and no other that could be; -1: as the library finds best */
	bool rare;                        /* what a plus says of filters does not hold */
	struct sw_buf sql;                /* the statement, and what is bound in it */
	struct bound bound[SW_QUERY_FILTERS + 6];
	int n;
	int value, edge;                  /* parameters of a statement of keys, from 1 */
};

/* The filter as it was given is a pattern. */
bool search_is_pattern(const struct sw_filter *f, const char *value);
/* NULL and err: there is none. */
const struct sw_filter *search_filter(struct search *s, const char *name);
/* As the library's GLOB wants it: only the star means something. */
const char *search_glob(struct search *s, const char *value);
/*
 * The statement of the page. by >= 0: that filter, a pattern, stands for one value instead (parameter `value`), and only the moments and row numbers
 * are asked for, of what lies before the moment and row in the parameters `edge` and the one behind it. Return: 0, or -EINVAL with err.
 */
SW_CHECKED int search_build(struct search *s, int by);
/* The statement for one row, by its number: parameter 1. */
void search_build_row(struct search *s);
void search_bind(const struct search *s, struct sw_stmt *st);
/* A statement begins: it has what is left of the time. Return: 0; -ETIMEDOUT: nothing. */
SW_CHECKED int search_begins(struct search *s);
/* The row a statement stands at becomes the next of ret. */
void search_row(struct search *s, struct sw_stmt *st, struct sw_rows *ret);
const char *search_next(struct search *s, int64_t at, int64_t row); /* the cursor behind it */

/* patterns.c: the page by the values that fit a pattern. Return: 1, ret is filled; 0: they are too many, or in no index; -errno, as sw_list_run. */
SW_CHECKED int search_by_values(struct search *s, struct sw_rows *ret);

#endif
