/*
 * The messages of one alert on their way: per channel what waits, what is under way and what became of it.
 *
 *   waiting ──begin (paced by the script)──▶ sending ──ok──▶ gone
 *      ▲                                        │
 *      ├────retry, hold, shrink, timeout────────┤
 *      │                                        └──message, config, tries used up──▶ dead letter, fallback channel
 *
 * 1. A channel is sent one message at a time, in order; each try has a number, a late answer to an older try says nothing.
 * 2. A try whose channel did not answer is ambiguous: it is repeated once, marked as a possible repeat. A try of which no worker told
 *    how it ended is tried as often as one that was refused: who died with it may not have sent it.
 * 3. What a silence holds back is looked up when a message is about to be sent. It waits for the end of the silence, and is dropped
 *    when it got better before.
 */
#include <string.h>

#include "base/str.h"
#include "engine/alert.h"
#include "engine/channel.h"
#include "engine/record.h"
#include "engine/silences.h"
#include "shipwatch/job.h"

#define TRY_TIMEOUT    (30 * SW_SECOND)
#define TRIES_MAX      6
#define FIRING_MAX_AGE (15 * SW_MINUTE)
#define OTHER_MAX_AGE  (60 * SW_MINUTE)
#define SILENCE_LOOK   SW_MINUTE         /* a silence may be ended before its time */

/* A line about a message, with the ids of what it tells. */
#define DELIVERY_NOTE(s, st, level, delivery, ...) \
	sw_step_note(s, level, sw_alert_member(st, delivery, "ci_run_id"), sw_alert_member(st, delivery, "watch_id"), __VA_ARGS__)

void sw_deliveries_add(struct step *s, struct alert_state *st, const char *delivery, const char *channel, bool fallback)
{
	for (size_t i = 0; i < st->n_queue; i++)
		if (sw_streq(st->queue[i].delivery, delivery) && sw_streq(st->queue[i].channel, channel))
			return;
	if (st->n_queue == ALERT_QUEUE) {
		DELIVERY_NOTE(s, st, SW_NOTE_ERROR, delivery, "more than %d messages of one alert wait, %s is not sent to %s", ALERT_QUEUE, delivery, channel);
		return;
	}
	st->queue[st->n_queue++] =
		(struct delivery){ .delivery = delivery, .channel = channel, .due = s->now, .since = s->now, .fallback = fallback };
}

static const char *delivery_json(struct step *s, const struct sw_jnode *n)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;
	const char *ret;

	sw_jw_init(&w, &b);
	sw_jw_node(&w, NULL, n);
	ret = sw_arena_strdup(s->a, sw_buf_str(&b));
	sw_buf_fini(&b);
	return ret;
}

/* It goes: sent, merged, dropped or dead. */
static void delivery_drop(struct step *s, struct alert_state *st, struct delivery *q, const char *how, const char *why)
{
	size_t i = (size_t)(q - st->queue);

	sw_record_way(s, &(struct sw_record_way){ .delivery = q->delivery, .channel = q->channel, .state = how, .tries = q->tries, .fallback = q->fallback,
	                                          .why = why });
	memmove(q, q + 1, (st->n_queue - i - 1) * sizeof *q);
	st->n_queue--;
}

/* It will not arrive there: dead letter, and the fallback channel if there is one. A commit takes one dead letter, others follow. */
static void delivery_dead(struct step *s, struct alert_state *st, struct delivery *q, const char *why)
{
	const struct sw_engine_channel *c = sw_alert_channel(s, q->channel);
	const struct told *t = sw_alert_told(st, q->delivery);
	const char *delivery = q->delivery, *channel = q->channel, *fallback = c ? c->fallback : NULL;
	struct sw_buf b = SW_BUF_INIT;
	bool fell = q->fell;
	struct sw_jw w;

	if (s->out->dead_reason) {
		q->doomed = sw_arena_strdup(s->a, why);
		q->sending = q->parked = false;
		q->due = s->now;
		return;
	}
	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "channel", channel);
	sw_jw_str(&w, "delivery", delivery);
	sw_jw_int(&w, "tries", q->tries);
	if (t && t->alert)
		sw_jw_node(&w, "alert", t->alert);
	sw_jw_obj_end(&w);
	s->out->dead_reason = sw_arena_printf(s->a, "channel %s: %s", channel, why);
	s->out->dead_body = sw_arena_strndup(s->a, b.p, b.n);
	sw_buf_fini(&b);
	DELIVERY_NOTE(s, st, SW_NOTE_ERROR, delivery, "channel %s: %s, alert=%s goes to the dead letters%s%s", channel, why, delivery,
	             fallback ? " and to " : "", fallback ? fallback : "");
	delivery_drop(s, st, q, "dead", why);
	if (fallback && !fell)
		sw_deliveries_add(s, st, delivery, fallback, true);
}

/* Deterministic full jitter: the same try of the same message always waits the same. */
static sw_dur delivery_backoff(struct step *s, const struct delivery *q)
{
	const char *h = sw_engine_id(s->a, q->delivery, q->channel, sw_arena_printf(s->a, "%d", q->tries), NULL);
	sw_dur most = SW_MIN(SW_SECOND << SW_MIN(q->tries, 6), SW_MINUTE);
	unsigned x = 0;

	for (size_t i = 0; i < 4; i++)
		x = x * 31 + (unsigned char)h[i];
	return SW_SECOND / 2 + (sw_dur)(x % 1000) * most / 1000;
}

static void delivery_again(struct step *s, struct alert_state *st, struct delivery *q, sw_dur wait, const char *why)
{
	const struct told *t = sw_alert_told(st, q->delivery);
	sw_dur most = t && sw_streq(t->news, "firing") ? FIRING_MAX_AGE : OTHER_MAX_AGE;

	q->sending = false;
	if (q->tries >= TRIES_MAX || s->now + wait - q->since > most) {
		delivery_dead(s, st, q, why);
		return;
	}
	q->due = s->now + SW_MAX(wait, delivery_backoff(s, q));
	q->why = why;
}

/* The robot does not want more for a while: waiting is no failed try. */
static void delivery_hold(struct step *s, struct alert_state *st, struct delivery *q, sw_dur wait, const char *detail)
{
	q->sending = false;
	if (q->tries > 0)
		q->tries--;
	sw_waits_refused(s, st, q, true, wait);
	q->why = detail && *detail ? detail : q->why;
}

static void delivery_begin(struct step *s, struct alert_state *st, struct delivery *q)
{
	const struct sw_engine_channel *c = sw_alert_channel(s, q->channel);
	struct told *t = sw_alert_told(st, q->delivery);
	struct sw_io *io;
	const char **roles;
	size_t n = 0;

	if (!c || !t || !t->alert) {
		delivery_dead(s, st, q, c ? "its text is gone" : "no such channel is configured any more");
		return;
	}
	io = sw_step_io(s, SW_IO_DELIVER);
	if (!io)
		return;
	roles = SW_ARENA_ARRAY(s->a, const char *, (t->roles ? t->roles->n : 0) + 1);
	for (const struct sw_jnode *x = t->roles ? t->roles->child : NULL; x; x = x->next)
		if (x->type == SW_J_STRING)
			roles[n++] = x->text;
	q->sending = true;
	q->seq = ++st->seq;
	q->tries++;
	q->due = s->now + TRY_TIMEOUT;
	st->began = true;
	io->channel = q->channel;
	io->seq = q->seq;
	io->size = (enum sw_size_step)q->size;
	io->alert_json = delivery_json(s, t->alert);
	io->roles = roles;
	io->repeat = q->repeat;
	s->out->pace_credential = c->credential;
	s->out->pace_count = c->pace_count - (t->critical ? sw_channel_reserve(c) : 0);
	s->out->pace_per = c->pace_per;
	s->out->pace_month = sw_channel_month(s, c);
	s->out->pace_calm = sw_channel_digests(c) && !t->critical && !q->free && !q->probe ? c->digest_above : 0;
}

static struct delivery *delivery_of(struct alert_state *st, const char *channel, int64_t seq)
{
	for (size_t i = 0; i < st->n_queue; i++)
		if (st->queue[i].sending && st->queue[i].seq == seq && sw_streq(st->queue[i].channel, channel))
			return &st->queue[i];
	return NULL;
}

static void delivery_shrink(struct step *s, struct alert_state *st, struct delivery *q, const char *detail)
{
	q->sending = false;
	if (q->size == SW_IO_LINE) {
		delivery_dead(s, st, q, detail ? detail : "too long even as one line");
		return;
	}
	q->size++;
	q->due = s->now;
}

static void delivery_ambiguous(struct step *s, struct alert_state *st, struct delivery *q)
{
	q->sending = false;
	if (q->ambiguous++) { /* repeated once: people may have it twice, they have it */
		DELIVERY_NOTE(s, st, SW_NOTE_WARN, q->delivery, "channel %s: no answer twice, alert=%s may or may not have arrived", q->channel, q->delivery);
		delivery_dead(s, st, q, "no answer, twice");
		return;
	}
	q->repeat = true;
	q->due = s->now + SW_SECOND;
	q->why = "no answer";
}

/* No worker said how it ended, not even that the channel kept silent: people may have nothing yet. */
static void delivery_late(struct step *s, struct alert_state *st, struct delivery *q)
{
	q->repeat = true;
	delivery_again(s, st, q, SW_SECOND, "no answer");
}

/* A probe is not tried again at once: it goes on waiting. True: nothing else is to be done about it. */
static bool delivery_probed(struct step *s, struct alert_state *st, struct delivery *q, const struct sw_jnode *m)
{
	enum sw_outcome o = sw_outcome_parse(sw_jstr(m, "class"));

	if (o == SW_OK || o == SW_SHRINK)
		return false;
	if (o == SW_MESSAGE) { /* what it thinks of this message is no matter: it takes messages */
		sw_waits_probed(s, st, q, true, true);
		return false;
	}
	q->sending = false;
	q->repeat |= o == SW_AMBIGUOUS;
	if (o == SW_HOLD && sw_alert_channel(s, q->channel)) {
		s->out->hold_credential = sw_alert_channel(s, q->channel)->credential;
		s->out->hold_until = s->now + sw_jint(m, "wait", 0);
	}
	sw_waits_probed(s, st, q, false, false);
	return true;
}

void sw_deliveries_channel(struct step *s, struct alert_state *st, const struct sw_jnode *m)
{
	const char *t = sw_jstr(m, "t"), *channel = sw_jstr(m, "ch"), *delivery = sw_jstr(m, "d");
	struct delivery *q = NULL;

	for (size_t i = 0; i < st->n_queue; i++)
		if (sw_streq(st->queue[i].channel, channel) && sw_streq(st->queue[i].delivery, delivery))
			q = &st->queue[i];
	if (!q || !q->parked) {
		if (sw_streq(t, "probe") && !q && channel && delivery) /* its text is gone: it cannot be sent */
			sw_waits_unknown(s, channel, delivery);
		return;
	}
	if (sw_streq(t, "merged") || sw_streq(t, "counted")) {
		DELIVERY_NOTE(s, st, SW_NOTE_INFO, delivery, "channel %s: alert=%s is told within %s%s", channel, delivery, sw_jstr(m, "digest"),
		              sw_streq(t, "counted") ? ", as a number" : "");
		delivery_drop(s, st, q, "merged", sw_jstr(m, "digest"));
	} else if (sw_streq(t, "expired") && q->fell) {
		DELIVERY_NOTE(s, st, SW_NOTE_WARN, delivery, "channel %s: alert=%s waited too long, another channel had it", channel, delivery);
		delivery_drop(s, st, q, "dropped", "it waited too long, another channel had it");
	} else if (sw_streq(t, "expired")) {
		q->parked = false;
		delivery_dead(s, st, q, "it could not be used for too long");
	} else {
		q->parked = false;
		q->probe = sw_streq(t, "probe");
		q->free = sw_streq(t, "free");
		q->due = s->now + sw_jint(m, "wait", 0);
	}
}

void sw_deliveries_sent(struct step *s, struct alert_state *st, const struct sw_jnode *m)
{
	const char *channel = sw_jstr(m, "ch"), *detail = sw_jstr(m, "detail");
	struct delivery *q = delivery_of(st, channel, sw_jint(m, "n", 0));
	sw_dur wait = sw_jint(m, "wait", 0);
	int tries = (int)sw_jint(m, "tries", 0);
	const struct sw_engine_channel *c = sw_alert_channel(s, channel);

	if (sw_channel_notable(c, sw_jint(m, "calls", 0)))
		sw_step_tell(s, sw_arena_printf(s->a, "channel:%s", channel), sw_arena_printf(s->a, "{\"t\":\"calls\",\"calls\":%lld}", (long long)sw_jint(m, "calls", 0)));
	if (!q)
		return; /* an older try, or told twice */
	sw_record_try(s, q->delivery, channel, q->seq, sw_jstr(m, "class"), detail, q->repeat);
	if (q->probe && delivery_probed(s, st, q, m))
		return;
	switch (sw_outcome_parse(sw_jstr(m, "class"))) {
	case SW_OK:
		DELIVERY_NOTE(s, st, SW_NOTE_INFO, q->delivery, "channel %s: sent alert=%s attempt=%d", channel, q->delivery, q->tries);
		sw_waits_probed(s, st, q, true, true);
		delivery_drop(s, st, q, "sent", NULL);
		break;
	case SW_RETRY:
		if (tries && q->tries >= tries)
			delivery_dead(s, st, q, detail ? detail : "tried often enough");
		else
			delivery_again(s, st, q, wait, detail ? detail : "tries used up");
		break;
	case SW_HOLD:
		if (c) {
			s->out->hold_credential = c->credential;
			s->out->hold_until = s->now + wait;
		}
		DELIVERY_NOTE(s, st, SW_NOTE_WARN, q->delivery, "channel %s: held for %llds, alert=%s waits: %s", channel, (long long)(wait / 1000),
		             q->delivery, detail ? detail : "");
		delivery_hold(s, st, q, wait, detail);
		break;
	case SW_SHRINK:
		delivery_shrink(s, st, q, detail);
		break;
	case SW_MESSAGE:
		delivery_dead(s, st, q, detail ? detail : "refused");
		break;
	case SW_CONFIG:
		q->sending = false;
		sw_waits_fall(s, st, q);
		sw_waits_park(s, st, q, s->now, detail ? detail : "its configuration is wrong", false);
		break;
	case SW_AMBIGUOUS:
		delivery_ambiguous(s, st, q);
		break;
	}
}

/* Is another message of this alert on its way to, or first in line for, the same channel? */
static bool delivery_behind(const struct alert_state *st, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (!st->queue[k].parked && sw_streq(st->queue[k].channel, st->queue[i].channel))
			return true;
	return false;
}

/* It got better; one that was closed without that is still to be told. */
static bool delivery_recovered(const struct alert_state *st)
{
	for (size_t i = 0; i < st->n_told; i++)
		if (sw_streq(st->told[i].news, "resolved"))
			return true;
	return false;
}

/* Held back by a silence? Then it waits, or goes when nobody needs it any more. */
static bool delivery_silenced(struct step *s, struct alert_state *st, struct delivery *q)
{
	const struct told *t = sw_alert_told(st, q->delivery);
	sw_ms until = 0;
	bool known;
	const char *why = t && t->alert ? sw_silences_hold(s, t->alert, &until, &known) : NULL;

	if (!why) {
		if (q->silenced)
			q->since = s->now; /* its age is counted from when it could be said */
		q->silenced = false;
		return false;
	}
	if (!q->silenced)
		DELIVERY_NOTE(s, st, SW_NOTE_INFO, q->delivery, "channel %s: alert=%s is held back, %s", q->channel, q->delivery, why);
	q->silenced = true;
	q->due = SW_MIN(until, s->now + SILENCE_LOOK);
	q->why = why;
	if (delivery_recovered(st))
		delivery_drop(s, st, q, "dropped", sw_arena_printf(s->a, "it got better within %s", why));
	return true;
}

void sw_deliveries_begin(struct step *s, struct alert_state *st)
{
	for (size_t i = 0; i < st->n_queue; i++) {
		struct delivery *q = &st->queue[i];

		if (q->doomed) {
			if (!s->out->dead_reason) {
				delivery_dead(s, st, q, q->doomed);
				i = (size_t)-1; /* the queue may have moved */
			}
			continue;
		}
		if (q->sending && s->now >= q->due) {
			sw_record_try(s, q->delivery, q->channel, q->seq, "ambiguous", "no answer in time", q->repeat);
			if (q->probe)
				sw_waits_probed(s, st, q, false, false);
			else
				delivery_late(s, st, q);
			i = (size_t)-1;
			continue;
		}
		if (q->sending || q->due > s->now || delivery_behind(st, i))
			continue;
		if (q->parked) { /* the channel said nothing for longer than it keeps anything */
			DELIVERY_NOTE(s, st, SW_NOTE_WARN, q->delivery, "channel %s: alert=%s is taken back", q->channel, q->delivery);
			q->parked = false;
		}
		if (st->began)
			continue;
		if (delivery_silenced(s, st, q)) {
			i = (size_t)-1; /* it may be gone */
			continue;
		}
		if (sw_waits_stand(s, st, q))
			continue;
		if (s->out->n_needs)
			return;
		if (s->in->refused) {
			st->began = true; /* the guard spoke about the first one only */
			sw_waits_refused(s, st, q, sw_streq(s->in->refused, "held"), s->in->refused_wait);
			continue;
		}
		delivery_begin(s, st, q);
	}
}

sw_ms sw_deliveries_due(const struct step *s, const struct alert_state *st, bool *ret_now)
{
	sw_ms next = 0;

	*ret_now = false;
	for (size_t i = 0; i < st->n_queue; i++) {
		const struct delivery *q = &st->queue[i];

		if (!q->sending && delivery_behind(st, i))
			continue;
		if (!q->sending && q->due <= s->now)
			*ret_now = true;
		else if (!next || q->due < next)
			next = q->due;
	}
	return next;
}
