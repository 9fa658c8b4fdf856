/* Presets: how the built-in signals are asked where a place says which names its metrics have. */
#ifndef SW_SIGNAL_PRESETS_H
#define SW_SIGNAL_PRESETS_H

#include "shipwatch/err.h"
#include "shipwatch/mem.h"
#include "shipwatch/sample.h"

enum sw_preset_for { SW_PRESET_PROMETHEUS, SW_PRESET_SCRAPE };

/*
 * The query with what it leaves open taken from the preset (NULL: the default names); q itself when it leaves nothing
 * open. NULL with err: the preset has nothing for this signal. Names of presets are sw_place_presets (model/place.h);
 * an unknown one is the default.
 */
const struct sw_query *sw_preset_fill(const struct sw_query *q, const char *preset, enum sw_preset_for what,
                                      struct sw_arena *a, struct sw_err *err);

#endif
