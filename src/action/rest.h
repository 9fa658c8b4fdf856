/* What the APIs of git hosts share: how a refusal is read, so that a person learns why and nothing is ever done twice.
 */
#ifndef SW_ACTION_REST_H
#define SW_ACTION_REST_H

#include "base/json.h"
#include "base/yaml.h"
#include "shipwatch/plugin.h"

#define SW_REST_NODES 200000

/* A refusal: the first row that fits counts. */
struct rest_row {
	int status;
	const char *has; /* in what the host said, case folded; NULL: anything */
	enum sw_outcome outcome;
	const char *words; /* model/words.c has them in Chinese */
};

/*
 * rows end with a zero row. 2xx: OK, err untouched. 429, and 403 for a rate: HOLD, nothing was done. 408 and 5xx:
 * AMBIGUOUS, it may have been done. Else by the rows, or MESSAGE. err: the words, and in brackets what the host said.
 */
struct sw_class sw_rest_judge(const struct rest_row *rows, const struct sw_result *res, struct sw_err *err);
/* The body as a tree; NULL: it is not JSON. */
const struct sw_jnode *sw_rest_body(const struct sw_result *res, struct sw_arena *a);
/* A number or text of the tree as text; NULL: it is neither, or not there. */
const char *sw_rest_text(const struct sw_jnode *obj, const char *key, struct sw_arena *a);
/* One may be the beginning of the other, of at least 7 digits. */
bool sw_rest_same_sha(const char *a, const char *b);
/* Are all of it digits, at most 20? */
bool sw_rest_is_id(const char *s);
/* Settings that this kind of doing has no use for. words: NULL-ended. */
void sw_rest_unused(const struct sw_ynode *node, const char *const *words, const char *what, struct sw_diags *d);

#endif
