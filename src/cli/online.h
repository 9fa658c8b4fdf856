/* What a configuration names, asked without sending or doing anything. */
#ifndef SW_CLI_ONLINE_H
#define SW_CLI_ONLINE_H

#include "config/config.h"

/*
 * Asks the Redis that it names, the hosts of sources and actions for their tokens and repositories, the addresses of health, and whether the hosts of channels
 * answer; a line each on stdout. strict: warnings count too. Return: 0, or -1 when something is wrong.
 */
SW_CHECKED int sw_online(const struct sw_config *cfg, bool strict);

#endif
