/* What the chat robots have in common: mentions, links, a message cut to its size. */
#ifndef SW_CHANNEL_ROBOT_H
#define SW_CHANNEL_ROBOT_H

#include "shipwatch/plugin.h"

/* Mobile numbers an alert mentions, each once: the channel's own, then those of people. Return: how many, at most max.
 */
size_t sw_robot_mobiles(const struct sw_alert *al, const char **ret, size_t max);
/* The first link people would open; NULL: none. */
const char *sw_robot_link(const struct sw_alert *al);
/* Where people decide about what this message asks, as a link; false: it asks nothing, or there is no page for it. */
bool sw_robot_decides(const struct sw_alert *al, struct sw_buf *url);
/* A button beside the one that decides: what else people would look at, with its name; NULL: nothing. url is overwritten. */
const char *sw_robot_beside(const struct sw_alert *al, struct sw_buf *url);
/* True when the text is one a robot takes as a number: digits, at most one '+' before and '-' within. */
bool sw_robot_is_mobile(const char *s);
/* The body must hold one of these in the answer: for codes whose text decides. */
bool sw_robot_says(const struct sw_result *res, const char *const *words);

#define SW_ROBOT_MENTIONS 50

#endif
