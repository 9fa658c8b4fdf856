/* The page of `up`: the messages of the console channels, newest first, until there is a dashboard. */
#ifndef SW_CLI_PAGE_H
#define SW_CLI_PAGE_H

#include "io/loop.h"
#include "shipwatch/err.h"

struct sw_page;

/* file: messages.ndjson as the worker writes it; need not be there yet. Copied. Return: 0, or -errno with err. */
SW_CHECKED int sw_page_new(struct sw_loop *loop, const char *listen, const char *file, struct sw_page **ret, struct sw_err *err);
/* "127.0.0.1:8081" */
const char *sw_page_address(const struct sw_page *p);
void sw_page_free(struct sw_page *p); /* NULL is fine */

#endif
