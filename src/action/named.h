/* Named values: {service}, {last_good.sha} … in the settings of an action, replaced by what is known of the decision.
 */
#ifndef SW_ACTION_NAMED_H
#define SW_ACTION_NAMED_H

#include "base/yaml.h"
#include "shipwatch/plugin.h"

#define SW_NAMED_MOST 1024 /* bytes of one value */

/*
 * The text with its names replaced. Values come from outside: control characters are dropped, what is too long is cut.
 * What is not known is empty; but {last_good…}: an action that wants it must not run without. Return: 0 and *ret;
 * -ENOENT with err "no verified good deployment is known".
 */
SW_CHECKED int sw_named_fill(const char *text, const struct sw_act *act, struct sw_arena *a, const char **ret,
                             struct sw_err *err);
/* One value made harmless as above. */
const char *sw_named_clean(const char *value, struct sw_arena *a);
/* Names that do not exist, in a text or in the texts of a map; node NULL: nothing was said. */
void sw_named_check(const struct sw_ynode *node, struct sw_diags *d);
/* Does it name a value of the last good deployment? NULL does not. */
bool sw_named_good(const char *text);
/* The same of the values of a map: NULL-ended key, value, key, value. */
bool sw_named_good_any(const char *const *map);

#endif
