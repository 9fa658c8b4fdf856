/* The Lua scripts, put into the program by the build (embed.py): one operation of the bus, one script, all or nothing. */
#ifndef SW_BUS_SCRIPTS_H
#define SW_BUS_SCRIPTS_H

#include "shipwatch/base.h"

enum sw_script_id {
	SW_SCRIPT_ENQUEUE, SW_SCRIPT_GATEWAY, SW_SCRIPT_INTAKE, SW_SCRIPT_LOAD, SW_SCRIPT_COMMIT, SW_SCRIPT_APPEND, SW_SCRIPT_TICK,
	SW_SCRIPT_RECLAIM, SW_SCRIPT_LEAVE, SW_SCRIPT_TRYING, SW_SCRIPT_BURY, SW_SCRIPT_DEAD_ADD, SW_SCRIPT_DEAD_END, SW_SCRIPT_HOLD,
	SW_SCRIPT_QUERY, SW_SCRIPT_JOURNAL,
	SW_SCRIPT_COUNT,
};

struct sw_script { const char *name, *sha, *text; size_t text_n; };
extern const struct sw_script sw_scripts[SW_SCRIPT_COUNT];

#endif
