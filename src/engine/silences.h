/*
 * Silences: messages that people do not want for a while. An aggregate of its own, "silences:all", so that adding and ending one is a
 * command like any other; what a message is held back by is looked up when it is about to be sent, not when it is decided. A maintenance
 * (of the configuration, or a silence that is one) holds messages back in the same way, and actions as well.
 */
#ifndef SW_ENGINE_SILENCES_H
#define SW_ENGINE_SILENCES_H

#include "engine/step.h"
#include "model/command.h"

/* cmd {do: silence, id, service, env, rule, severity, maintenance, until, who, why} and {do: end, id, who}. Return: 0, or -EBADMSG with s->err. */
int sw_silences_step(struct step *s);
/*
 * Which silence holds this alert (its JSON) back now: "by lin until …: why"; NULL: none. *ret_until: its end. *ret_known false: not at
 * hand, it was noted as a need.
 */
const char *sw_silences_hold(struct step *s, const struct sw_jnode *alert, sw_ms *ret_until, bool *ret_known);
/*
 * Is a place in maintenance, by the configuration or by a silence that says so? Then no action starts there by itself: why not; NULL: it
 * is not, or what is known of silences was noted as a need.
 */
const char *sw_silences_maintenance(struct step *s, const char *service, const char *environment, const char *rule);

#endif
