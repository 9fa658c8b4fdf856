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
	sw_ms due;               /* waiting: next try; sending: time-out */
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
/* Begins what may be sent now, one try a step. */
void sw_deliveries_begin(struct step *s, struct alert_state *st);
/* When to look again, 0: not by the clock; *ret_now: something is due at once. */
sw_ms sw_deliveries_due(const struct step *s, const struct alert_state *st, bool *ret_now);

#endif
