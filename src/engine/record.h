/*
 * Records: what became of deployments, watches, actions and messages, for the history. They stand in the journal's line of the step,
 * {"at":…,"agg":"place:web/prod","in":[…],"recs":[{"k":"dep","d":{…}}, …]}, and are the whole of the thing as it is afterwards, so that
 * the last one counts and one read twice changes nothing. Where nothing changed there is no record.
 *
 *   k      aggregate  d
 *   dep    place      a deployment as the state of its place keeps it (state.c), whenever anything of it changed. Of older ones the state
 *                     keeps no title, author and the like: what "ev" does not say any more is as it was
 *   watch  place      a watch likewise, without its holds, when its state, verdict, reason, until, fail_at, ended or fired changed
 *   act    place      an action likewise, whenever anything of it changed
 *   told   alert, channel   {delivery, news, alert}: a change of an alert that people are told; alert as channels are given it
 *   way    alert, channel   {delivery, channel, state, tries, fallback, why}: where a message stands: waits, sending, sent, silenced, merged, dropped,
 *                     dead. tries, fallback and why are left out where they are 0, false and unknown
 *   try    alert, channel   {delivery, channel, n, class, detail, repeat}: what a channel answered; n: unique within the aggregate and channel
 *   ack    alert      {who}
 *   sil    silences   a silence as it is kept, when it was added or ended
 *   chan   channel    {name, state, why}: it cannot be used (down), it can again (up)
 *
 * An alert that fires without a watch_id was decided by an event alone and has no end.
 * A digest, or what is said about a channel itself, is a message like others; a digest's alert has the id of its delivery.
 * Commands of people are in "in" as they came ({"t":"cmd","do":…,"who":…}); what arrived is in the lines of intake.
 */
#ifndef SW_ENGINE_RECORD_H
#define SW_ENGINE_RECORD_H

#include "base/json.h"

#define RECORDS_MAX   256      /* of one step */
#define RECORDS_BYTES 524288

struct step;
struct place_state;
struct alert_state;
struct sw_alert;
struct record_place;
struct record_alert;

/* Between the two the value of the record is written into w, as one object without a name. */
void sw_record_begin(struct step *s, const char *kind, struct sw_jw *w);
/* Past the limits the record is left out, and a note says so once. */
void sw_record_end(struct step *s, struct sw_jw *w);

/* How a place is at the beginning of a step, in the arena; and what is new or different at its end. */
struct record_place *sw_record_place_seen(struct step *s, const struct place_state *p);
void sw_record_place(struct step *s, const struct record_place *seen, const struct place_state *p);

/* The same of an alert's messages that are still on their way. */
struct record_alert *sw_record_alert_seen(struct step *s, const struct alert_state *st);
void sw_record_alert(struct step *s, const struct record_alert *seen, const struct alert_state *st);

struct sw_record_way { const char *delivery, *channel, *state, *why; int tries; bool fallback; };
void sw_record_way(struct step *s, const struct sw_record_way *x);
void sw_record_told(struct step *s, const char *delivery, const char *news, const struct sw_jnode *alert);
void sw_record_digest(struct step *s, const struct sw_alert *al); /* told likewise */
void sw_record_channel(struct step *s, const char *name, const char *why); /* why NULL: it can be used again */
/* The answer to try n, as the message `sent` has it. */
void sw_record_try(struct step *s, const char *delivery, const char *channel, int64_t n, const char *class, const char *detail, bool repeat);

#endif
