/*
 * A channel: what waits for it while its robot is held, has no room, or cannot be used; and whether it can be used.
 *
 * A delivery belongs to an alert; what is said about many alerts at once belongs to nobody but the channel. So an aggregate of its
 * own, "channel:<name>", takes deliveries over from the alerts and tells each how it ended.
 *
 *      alert ──wait──▶ channel ──merged {digest}──▶ alert      it was sent within a digest
 *                         │    ──counted {digest}─▶ alert      it is a number in the next digest: there was no room for more
 *                         │    ──free─────────────▶ alert      send it yourself: it is the only one, or this channel knows no digests
 *                         │    ──probe────────────▶ alert      send it yourself, to see whether the channel works; it goes on waiting
 *                         │    ◀─probed {ok}────── alert       … and this became of it
 *                         │    ──back {wait}──────▶ alert      not now: a digest is on its way
 *                         └────expired────────────▶ alert      it waited too long: dead letter, if no other channel had it
 *
 * Invariants
 *  1. A delivery is held by one of both: the alert keeps its text and its place in the queue, but does not send while the channel has it.
 *  2. While a digest is on its way nothing joins it: what was sent is what members are told of, and a repeat is the same message.
 *  3. The state is at most CHANNEL_STATE_MAX bytes: names are clipped, places past CHANNEL_COUNTS are "others", only the newest
 *     lines are kept, and members past CHANNEL_MEMBERS_BYTES are only counted. Every message is in the total.
 */
#ifndef SW_ENGINE_CHANNEL_H
#define SW_ENGINE_CHANNEL_H

#include "engine/step.h"

#define CHANNEL_STATE_MAX     16384
#define CHANNEL_MEMBERS       400
#define CHANNEL_MEMBERS_BYTES 5500       /* of their names, as written */
#define CHANNEL_COUNTS        32
#define CHANNEL_LINES         12
#define CHANNEL_NAME          40         /* bytes of a service or environment, as written */
#define CHANNEL_WHAT          110        /* of what happened */
#define CHANNEL_WHY           200        /* of why it cannot be used */

/* What waits. */
struct waiting {
	struct sw_digest sum;            /* its arrays have room for one more than the limits */
	const char *line_of[CHANNEL_LINES + 1]; /* whose the lines are: one a delivery's alert */
	const char *members[CHANNEL_MEMBERS]; /* "<alert> <rest of the delivery>", oldest first */
	size_t n_members, members_bytes;
	int64_t counted;                 /* of the total: those that are no members */
	sw_ms until;                     /* not sent before */
	sw_ms soon;                      /* but for what is critical and found no room: then; 0: nothing of it waits */
};

/* A message that waits, as an alert tells of it. */
struct waiter {
	const char *alert, *delivery;    /* alert without "alert:" */
	const char *service, *environment, *what;
	enum sw_severity severity;
	enum sw_alert_news news;
	sw_ms at;
};

/* What an alert reads of a channel before it sends; all zero: nothing is known against it. */
struct channel_seen {
	bool down;                       /* it cannot be used: only probes are sent */
	bool frozen;                     /* a digest is on its way */
	bool waits;                      /* others wait: what comes now stands behind them */
	sw_ms until;                     /* so long at least */
};

/* ---- waiting.c ---- */

void sw_waiting_load(const struct sw_jnode *n, struct sw_arena *a, struct waiting *w);
void sw_waiting_save(const struct waiting *w, struct sw_jw *jw, const char *key);
/* True: it is told with the others (a member, or only counted: *ret_counted). False: it was there already. */
bool sw_waiting_add(struct waiting *w, const struct waiter *x, sw_ms now, struct sw_arena *a, bool *ret_counted);
/* It does not wait any more. */
void sw_waiting_gone(struct waiting *w, const struct waiter *x, struct sw_arena *a);
/* Member i is known no more by its alert: from now on it is only a number. */
void sw_waiting_lose(struct waiting *w, size_t i);
/* A member's alert and delivery. */
void sw_waiting_member(const struct waiting *w, size_t i, struct sw_arena *a, const char **ret_alert, const char **ret_delivery);
void sw_waiting_clear(struct waiting *w);
/* Message "wait" or "probed", the members of a waiter in it; and back. */
void sw_waiter_write(const struct waiter *x, struct sw_jw *w);
void sw_waiter_read(const struct sw_jnode *n, struct waiter *ret);
/* Of s at most so many bytes, counted as JSON writes them, ending with a whole character. NULL: NULL. */
const char *sw_waiting_clip(const char *s, size_t max, struct sw_arena *a);

/* ---- channel_limits.c ---- */

/* False: not at hand, it was noted as a need. */
bool sw_channel_look(struct step *s, const char *channel, struct channel_seen *ret);
/* Messages in its pace that only digests may use, so that what is critical and finds no room does not wait for a minute. */
int sw_channel_reserve(const struct sw_engine_channel *c);
/* The month that calls of this channel are counted in, as 202611; 0: they are not counted. */
int sw_channel_month(const struct step *s, const struct sw_engine_channel *c);
/* So many calls in this month, as a robot's answer says it: worth telling the channel? At every hundredth of its quota. */
bool sw_channel_notable(const struct sw_engine_channel *c, int64_t calls);
/* Does it know digests: is it one that people read, and are they wanted? */
bool sw_channel_digests(const struct sw_engine_channel *c);

#endif
