/*
 * Flapping: an alert that fires and resolves again and again. The same service, environment and rule is one "flap:<id>", whatever
 * alerts it comes with; what is critical is never held down.
 *
 *   calm ──FLAP_CHANGES changes within FLAP_WITHIN──▶ the next one: told once as "flapping", it and all others are held down
 *     ▲                                                  │
 *     └── no change for FLAP_WITHIN: its state is told ◀─┘
 *
 * An alert reads the state before it tells of a change, and says it afterwards: two that change at one moment may both be told.
 */
#ifndef SW_ENGINE_FLAP_H
#define SW_ENGINE_FLAP_H

#include "engine/step.h"

#define FLAP_CHANGES 4
#define FLAP_WITHIN  (30 * SW_MINUTE)

/* Return: 0, or -EBADMSG with s->err. */
int sw_flap_step(struct step *s);
/*
 * News m ({channels, roles, alert}) of an alert: does it flap? Then it is not to be told. Says the change on. With a need noted nothing
 * was decided.
 */
bool sw_flap_holds(struct step *s, const struct sw_jnode *m);

#endif
