/* A decision to act as JSON and as environment: what every kind of action tells its target. */
#ifndef SW_ACTION_ACT_JSON_H
#define SW_ACTION_ACT_JSON_H

#include "base/json.h"
#include "shipwatch/plugin.h"

/* {"format":"1","id":…,"service":…,…,"alert":{…}}; what is not known is left out, but last_good_sha, which is null
 * then. */
void sw_act_json(const struct sw_act *act, struct sw_buf *out);
/* Back again; texts are borrowed from the tree. */
void sw_act_read(const struct sw_jnode *node, struct sw_arena *a, struct sw_act *ret);
/* SW_ID=…, SW_SERVICE=… of everything known; NULL-ended, in the arena. */
const char **sw_act_env(const struct sw_act *act, struct sw_arena *a);

#endif
