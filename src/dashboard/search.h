/* Everything that belongs to one id: for the page and for the API. (page_search.c) */
#ifndef SW_DASHBOARD_SEARCH_H
#define SW_DASHBOARD_SEARCH_H

#include "dashboard/pages.h"

enum { FOUND_EVENTS, FOUND_BUILDS, FOUND_DEPLOYMENTS, FOUND_WATCHES, FOUND_ALERTS, FOUND_ACTIONS, FOUND_COUNT };
extern const char *const found_lists[FOUND_COUNT];

struct found { struct sw_rows rows[FOUND_COUNT]; size_t n; const char *run; /* of which run all of it is; NULL: not known, or as was asked */ };
/* p->store is there. Return: 0, or -errno with err. */
SW_CHECKED int search_find(struct page *p, const char *q, unsigned limit, struct found *f, struct sw_err *err);

#endif
