/*
 * PromQL with three words in it: $labels (the matchers of the place), $window (length of a range) and $step (distance
 * of two questions). In strings and comments a $ is a $.
 */
#ifndef SW_SIGNAL_PROMQL_H
#define SW_SIGNAL_PROMQL_H

#include "shipwatch/base.h"
#include "shipwatch/buf.h"
#include "shipwatch/err.h"

#define SW_PROMQL_MAX 4000

/*
 * Can this be a question about one place? Brackets and quotes are closed, words are known, $labels stands where
 * matchers stand, and the text selects something. The rest is the server's to judge. Return: 0, or -EINVAL with err,
 * which names the column.
 */
SW_CHECKED int sw_promql_check(const char *text, struct sw_err *err);
bool sw_promql_uses(const char *text, const char *word); /* word: "window" */
/* labels "": none; a comma that is one too many goes with them. Comments are left out. */
void sw_promql_fill(struct sw_buf *out, const char *text, const char *labels, sw_dur window, sw_dur step);

#endif
