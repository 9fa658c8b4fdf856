/*
 * One line for a person: where, what, the wrong word in quotes. No newline, no secret.
 *
 * Functions that can be wrong because of somebody's text or a remote answer take `struct sw_err *err` last and fill it
 * when they return a negative errno. err may be NULL where the caller does not care.
 */
#ifndef SHIPWATCH_ERR_H
#define SHIPWATCH_ERR_H

#include "shipwatch/base.h"

struct sw_err {
	char text[512];
};

#define SW_ERR_INIT { "" }

/* Fills err (if any) and returns -code, so that `return sw_err_set(err, EINVAL, "…")` reads well. Cut text ends in "…". */
int sw_err_set(struct sw_err *err, int code, const char *fmt, ...) SW_PRINTF(3, 4);
/* Puts "prefix: " in front of what stands there. */
void sw_err_prefix(struct sw_err *err, const char *fmt, ...) SW_PRINTF(2, 3);
/* Writes untrusted bytes printable: control bytes and broken UTF-8 as \xNN, at most max_chars. Static storage per call site: into out. */
const char *sw_err_quote(const char *s, size_t n, char *out, size_t out_size);

#endif
