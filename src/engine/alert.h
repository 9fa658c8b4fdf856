/* One alert's state: what was told of it, and what is on its way to which channel. Only the files of an alert include this. */
#ifndef SW_ENGINE_ALERT_H
#define SW_ENGINE_ALERT_H

#include "engine/step.h"

#define ALERT_NEWS  32
#define ALERT_QUEUE 64

/* One message on its way to one channel. */
struct delivery {
	const char *delivery, *channel;
	int64_t seq;             /* number of the try under way; 0: none yet */
	int tries, ambiguous, size;
	bool sending, repeat, fallback, silenced;
	bool parked;             /* its channel has it (channel.h) */
	bool probe;              /* sent on its own to see whether the channel works */
	bool free;               /* given back by the channel: it does not stand back for others */
	bool fell;               /* its channel's fallback was told already */
	const char *doomed;      /* why it is to go to the dead letters: one a commit */
	const char *why;         /* of this step: what made it wait, for its record; not kept */
	sw_ms due;               /* waiting: next try; sending: time-out; parked: when it is taken back */
	sw_ms since;
};

struct told {
	const char *delivery, *news;
	const struct sw_jnode *alert, *roles;
	sw_ms at;
	bool critical;
};

struct alert_state {
	struct told told[ALERT_NEWS];
	size_t n_told;
	struct delivery queue[ALERT_QUEUE];
	size_t n_queue;
	int64_t seq;
	sw_ms tick_due;
	const char *acked_by;
	const struct sw_jnode *channels; /* of the firing message */
	sw_dur repeat;
	int reminders;
	sw_ms remind_due;        /* 0: no more */
	bool over;               /* resolved or closed */
	bool began;              /* a try was begun in this step: one a commit, its guard is the commit's */
};

void sw_alert_load(const struct sw_jnode *state, struct alert_state *st);
/* Writes the state of the step. The texts of what nobody waits for any more are left out. */
void sw_alert_save(struct step *s, const struct alert_state *st);
struct told *sw_alert_told(struct alert_state *st, const char *delivery);
/* Does a message of this news still wait or is it under way? */
bool sw_alert_wanted(const struct alert_state *st, const char *delivery);
/* A text of what was told under this key; NULL: it has none. */
const char *sw_alert_member(struct alert_state *st, const char *delivery, const char *key);
const struct sw_engine_channel *sw_alert_channel(struct step *s, const char *name); /* NULL: not configured any more */

/* One more message for a channel; the same one twice is one. fallback: the channel stands in for another. */
void sw_deliveries_add(struct step *s, struct alert_state *st, const char *delivery, const char *channel, bool fallback);
/* What became of a try. */
void sw_deliveries_sent(struct step *s, struct alert_state *st, const struct sw_jnode *m);
/* What its channel says of one that waits there. */
void sw_deliveries_channel(struct step *s, struct alert_state *st, const struct sw_jnode *m);
/* Begins what may be sent now, one try a step. */
void sw_deliveries_begin(struct step *s, struct alert_state *st);
/* When to look again, 0: not by the clock; *ret_now: something is due at once. */
sw_ms sw_deliveries_due(const struct step *s, const struct alert_state *st, bool *ret_now);

/* ---- waits.c: what waits with its channel ---- */

/* Held by its robot: why is "held" or "paced". Stands at the channel's, or waits here and is told elsewhere. */
void sw_waits_refused(struct step *s, struct alert_state *st, struct delivery *q, bool held, sw_dur wait);
/* Hands it to the channel. until: not sent before; down: why the channel cannot be used, or NULL; soon: it is critical and found no room. */
void sw_waits_park(struct step *s, struct alert_state *st, struct delivery *q, sw_ms until, const char *down, bool soon);
/* The fallback channel is told, once. */
void sw_waits_fall(struct step *s, struct alert_state *st, struct delivery *q);
/* True: it may not be sent now, for its channel's sake (or that is not known yet: a need was noted). */
bool sw_waits_stand(struct step *s, struct alert_state *st, struct delivery *q);
/* A probe is asked for of a message that is not known here any more. */
void sw_waits_unknown(struct step *s, const char *channel, const char *delivery);
/* A probe came back. gone: nothing of it waits any more. */
void sw_waits_probed(struct step *s, struct alert_state *st, struct delivery *q, bool ok, bool gone);

#endif
