/*
 * An alert's messages whose robot is held, has no room, or whose channel cannot be used.
 *
 * 1. What is critical goes to the fallback channel at once. While its robot is held it waits here, to be sent alone as soon as that is
 *    over. Where there is no room too many are critical: it joins the digest, which lists those first and for which room is kept.
 * 2. Everything else waits with the channel, for its digest, and so does what comes behind it. Where digests are not wanted it waits here.
 * 3. While a channel cannot be used, or is held for longer than a quarter of an hour, all of it goes to the fallback channel at once.
 * 4. A fallback channel is told once of one message.
 */
#include <string.h>

#include "base/str.h"
#include "engine/alert.h"
#include "engine/channel.h"

#define LONG_HOLD    (15 * SW_MINUTE)
#define ROOM_SOON    (5 * SW_SECOND)      /* a critical one waits so long for room of its own */
#define TAKE_BACK    (25 * SW_HOUR)       /* longer than a channel keeps anything */
#define FROZEN_WAIT  (2 * SW_SECOND)

void sw_waits_fall(struct step *s, struct alert_state *st, struct delivery *q)
{
	const struct sw_engine_channel *c = sw_alert_channel(s, q->channel);

	if (!c || !c->fallback || q->fell)
		return;
	q->fell = true;
	sw_deliveries_add(s, st, q->delivery, c->fallback, true);
}

static enum sw_severity waits_severity(const char *s)
{
	return sw_streq(s, "critical") ? SW_SEV_CRITICAL : sw_streq(s, "info") ? SW_SEV_INFO : SW_SEV_WARNING;
}

/* As its channel knows it: the same each time it is said. */
static struct waiter waits_waiter(struct step *s, struct alert_state *st, const struct delivery *q)
{
	const struct told *t = sw_alert_told(st, q->delivery);
	const struct sw_jnode *al = t ? t->alert : NULL, *findings = sw_jget(al, "findings");
	const char *what = sw_jstr(findings ? findings->child : NULL, "text");

	if (!what)
		what = sw_jstr(al, "summary") ? sw_jstr(al, "summary") : sw_jstr(al, "rule");
	return (struct waiter){ .alert = s->in->aggregate + strlen("alert:"), .delivery = q->delivery, .service = sw_jstr(al, "service"),
	                        .environment = sw_jstr(al, "environment"), .what = sw_waiting_clip(what, CHANNEL_WHAT, s->a),
	                        .severity = waits_severity(sw_jstr(al, "severity")), .news = sw_news_parse(t ? t->news : NULL), .at = t ? t->at : s->now };
}

static void waits_tell(struct step *s, struct alert_state *st, const struct delivery *q, const char *what, sw_ms until, const char *down, const char *const *flags)
{
	struct waiter x = waits_waiter(s, st, q);
	struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;

	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "t", what);
	sw_waiter_write(&x, &w);
	if (until)
		sw_jw_int(&w, "until", until);
	sw_jw_opt(&w, "down", down);
	for (; *flags; flags++)
		sw_jw_bool(&w, *flags, true);
	sw_jw_obj_end(&w);
	sw_step_tell(s, sw_arena_printf(s->a, "channel:%s", q->channel), sw_arena_strndup(s->a, b.p, b.n));
	sw_buf_fini(&b);
}

void sw_waits_unknown(struct step *s, const char *channel, const char *delivery)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;

	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "t", "probed");
	sw_jw_str(&w, "a", s->in->aggregate + strlen("alert:"));
	sw_jw_str(&w, "d", delivery);
	sw_jw_bool(&w, "unknown", true);
	sw_jw_obj_end(&w);
	sw_step_tell(s, sw_arena_printf(s->a, "channel:%s", channel), sw_arena_strndup(s->a, b.p, b.n));
	sw_buf_fini(&b);
}

void sw_waits_park(struct step *s, struct alert_state *st, struct delivery *q, sw_ms until, const char *down, bool soon)
{
	q->sending = q->free = q->probe = false;
	q->parked = true;
	q->due = s->now + TAKE_BACK;
	q->why = down ? down : "waits with its channel";
	waits_tell(s, st, q, "wait", until, down, (const char *const[]){ soon ? "soon" : NULL, NULL });
}

void sw_waits_probed(struct step *s, struct alert_state *st, struct delivery *q, bool ok, bool gone)
{
	if (!q->probe)
		return;
	q->probe = q->sending = false;
	q->parked = true;
	q->due = s->now + TAKE_BACK;
	q->why = ok ? NULL : "a try whether its channel works failed";
	waits_tell(s, st, q, "probed", 0, NULL, (const char *const[]){ ok ? "ok" : gone ? "gone" : NULL, ok && gone ? "gone" : NULL, NULL });
}

/* A digest of another channel is no message among others, and what may have arrived already has to say so itself. */
static bool waits_joins(const struct sw_engine_channel *c, const struct told *t, const struct delivery *q)
{
	return c && sw_channel_digests(c) && t && t->alert && !q->repeat && !sw_streq(t->news, "digest");
}

void sw_waits_refused(struct step *s, struct alert_state *st, struct delivery *q, bool held, sw_dur wait)
{
	const struct sw_engine_channel *c = sw_alert_channel(s, q->channel);
	const struct told *t = sw_alert_told(st, q->delivery);
	bool critical = t && t->critical;

	wait = SW_MAX(wait, SW_SECOND);
	q->due = s->now + wait;
	q->why = held ? "its robot is held" : "its robot has no room";
	if ((critical && !q->fallback) || (held && wait > LONG_HOLD))
		sw_waits_fall(s, st, q);
	if (q->probe || !waits_joins(c, t, q))
		return;
	if (!critical)
		sw_waits_park(s, st, q, q->due, NULL, false);
	else if (!held && wait > ROOM_SOON)
		sw_waits_park(s, st, q, s->now, NULL, true);
}

/* Does an older message of this alert wait with the same channel? */
static bool waits_behind(const struct alert_state *st, const struct delivery *q)
{
	for (const struct delivery *x = st->queue; x < q; x++)
		if (x->parked && sw_streq(x->channel, q->channel))
			return true;
	return false;
}

bool sw_waits_stand(struct step *s, struct alert_state *st, struct delivery *q)
{
	const struct sw_engine_channel *c = sw_alert_channel(s, q->channel);
	const struct told *t = sw_alert_told(st, q->delivery);
	struct channel_seen seen;

	if (!c || !t || !t->alert)
		return false; /* it cannot be sent at all, and that will be said */
	if (!sw_channel_look(s, q->channel, &seen))
		return true;
	if (q->probe)
		return false;
	if (seen.down) {
		sw_waits_fall(s, st, q);
		sw_waits_park(s, st, q, s->now, NULL, false);
		return true;
	}
	if (q->free || t->critical || !waits_joins(c, t, q) || !(seen.waits || waits_behind(st, q)))
		return false;
	if (seen.until - s->now > LONG_HOLD)
		sw_waits_fall(s, st, q);
	if (seen.frozen)
		q->due = s->now + FROZEN_WAIT;
	else
		sw_waits_park(s, st, q, s->now, NULL, false);
	return true;
}
