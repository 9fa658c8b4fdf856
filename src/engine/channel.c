/*
 * A channel's step: what waits for it becomes one digest once its robot takes messages again, and while it cannot be used one of
 * the waiting messages is tried every ten minutes.
 *
 *   usable ──config {why}──▶ down (told once, by the fallback channel; its messages go there at once and wait here, too)
 *      ▲                      │ ▲
 *      └───────probed ok──────┘ └── probe every 10 min, with the oldest message that waits
 *
 *   collecting ──until, room──▶ sending ──ok──▶ telling the members ──▶ collecting
 *        ▲                        │ └──message, tries used up──▶ dead letter, fallback channel; members are told
 *        └──hold, retry, config───┤
 *                                 └──no answer──▶ once more, marked as a possible repeat
 */
#include "engine/channel.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "engine/alert.h"
#include "engine/record.h"
#include "shipwatch/clock.h"
#include "shipwatch/err.h"
#include "shipwatch/job.h"

#define TRY_TIMEOUT    (30 * SW_SECOND)
#define TRIES_MAX      6
#define PROBE_EVERY    (10 * SW_MINUTE)
#define PROBE_LATE     (2 * SW_MINUTE)   /* its alert did not say what became of it */
#define CRITICAL_FIRST (2 * SW_SECOND)   /* behind the end of a hold: what goes alone goes first */
#define FROZEN_WAIT    (2 * SW_SECOND)
#define FULL_WAIT      SW_MINUTE
#define GATHER         (3 * SW_SECOND)   /* what is critical comes in bursts */
#define PATIENCE       (10 * SW_MINUTE)  /* longer than this a digest does not stand back for others */
#define WAIT_MAX       SW_DAY
#define WAIT_ALONE_MAX SW_HOUR           /* cannot be used, and no other channel had it */
#define TELL_MOST      50                /* members a step; incoming messages are answered in the same */

enum ended { ENDED_NOT, ENDED_SENT, ENDED_DEAD, ENDED_FREE, ENDED_EXPIRED };
static const char *const ended_names[] = { "", "sent", "dead", "free", "expired" };

struct channel_state {
	struct waiting w;
	int64_t seq, digests;
	sw_ms tick_due, last;            /* last: when the last digest was begun */
	int burst;                       /* digests, each within a minute of the one before */
	const char *down_why;            /* NULL: it can be used */
	sw_ms down_since, probe_due, probing; /* probing: until when a probe's outcome is waited for; 0: none */
	/* the digest */
	int tries, ambiguous, size;
	bool sending, repeat;
	sw_ms due, first;                /* of the try: its end or, before a repeat, its beginning; first: of all its tries */
	enum ended ended;                /* members are being told of it */
	/* calls of a month, as last heard, and what people were warned of: 80, 95 (%) */
	int64_t calls;
	int month, warned;
};

static const char *channel_name(const struct step *s)
{
	return s->in->aggregate + strlen("channel:");
}

/* ---- state ---- */

static void state_load(struct step *s, struct channel_state *st)
{
	const struct sw_jnode *n = s->in->state, *down = sw_jget(n, "down"), *d = sw_jget(n, "digest");
	const char *ended = sw_jstr(n, "ended");

	memset(st, 0, sizeof *st);
	sw_waiting_load(sw_jget(n, "waiting"), s->a, &st->w);
	st->seq = sw_jint(n, "seq", 0);
	st->digests = sw_jint(n, "digests", 0);
	st->tick_due = sw_jint(n, "tick_due", 0);
	st->last = sw_jint(n, "last", 0);
	st->burst = (int)sw_jint(n, "burst", 0);
	if (down) {
		st->down_why = sw_jstr(down, "why") ? sw_jstr(down, "why") : "";
		st->down_since = sw_jint(down, "since", 0);
		st->probe_due = sw_jint(down, "probe_due", 0);
		st->probing = sw_jint(down, "probing", 0);
	}
	st->tries = (int)sw_jint(d, "tries", 0);
	st->ambiguous = (int)sw_jint(d, "ambiguous", 0);
	st->size = (int)sw_jint(d, "size", 0);
	st->sending = sw_jbool(d, "sending", false);
	st->repeat = sw_jbool(d, "repeat", false);
	st->due = sw_jint(d, "due", 0);
	st->first = sw_jint(d, "first", 0);
	st->calls = sw_jint(n, "calls", 0);
	st->month = (int)sw_jint(n, "month", 0);
	st->warned = (int)sw_jint(n, "warned", 0);
	for (size_t i = 0; ended && i < SW_COUNT(ended_names); i++)
		if (sw_streq(ended, ended_names[i]))
			st->ended = (enum ended)i;
}

/* Nothing joins a digest that is on its way, may have arrived, or whose members are being told. */
static bool frozen(const struct channel_state *st)
{
	return st->sending || st->repeat || st->ended != ENDED_NOT;
}

static void state_save(struct step *s, const struct channel_state *st)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;

	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_int(&w, "t", s->now);
	sw_jw_int(&w, "seq", st->seq);
	sw_jw_int(&w, "digests", st->digests);
	sw_jw_int(&w, "tick_due", st->tick_due);
	sw_jw_int(&w, "last", st->last);
	sw_jw_int(&w, "burst", st->burst);
	if (st->down_why) {
		sw_jw_obj(&w, "down");
		sw_jw_str(&w, "why", st->down_why);
		sw_jw_int(&w, "since", st->down_since);
		sw_jw_int(&w, "probe_due", st->probe_due);
		sw_jw_int(&w, "probing", st->probing);
		sw_jw_obj_end(&w);
	}
	if (frozen(st))
		sw_jw_bool(&w, "frozen", true);
	if (st->tries || st->sending || st->repeat) {
		sw_jw_obj(&w, "digest");
		sw_jw_int(&w, "tries", st->tries);
		sw_jw_int(&w, "ambiguous", st->ambiguous);
		sw_jw_int(&w, "size", st->size);
		sw_jw_bool(&w, "sending", st->sending);
		sw_jw_bool(&w, "repeat", st->repeat);
		sw_jw_int(&w, "due", st->due);
		sw_jw_int(&w, "first", st->first);
		sw_jw_obj_end(&w);
	}
	if (st->calls) {
		sw_jw_int(&w, "calls", st->calls);
		sw_jw_int(&w, "month", st->month);
		sw_jw_int(&w, "warned", st->warned);
	}
	if (st->ended)
		sw_jw_str(&w, "ended", ended_names[st->ended]);
	sw_waiting_save(&st->w, &w, "waiting");
	sw_jw_obj_end(&w);
	s->out->state = sw_arena_strndup(s->a, b.p, b.n);
	s->out->state_n = b.n;
	sw_buf_fini(&b);
}

/* ---- what is told ---- */

static void tell_alert(struct step *s, const char *alert, const char *what, const char *delivery, sw_dur wait, const char *digest)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;

	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "t", what);
	sw_jw_str(&w, "ch", channel_name(s));
	sw_jw_str(&w, "d", delivery);
	if (wait)
		sw_jw_int(&w, "wait", wait);
	sw_jw_opt(&w, "digest", digest);
	sw_jw_obj_end(&w);
	sw_step_tell(s, sw_arena_printf(s->a, "alert:%s", alert), sw_arena_strndup(s->a, b.p, b.n));
	sw_buf_fini(&b);
}

/* A message of its own life, to one channel or two. */
static void tell_news(struct step *s, const struct sw_alert *al, const char *channel, const char *other)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;

	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "t", "news");
	sw_jw_arr(&w, "channels");
	sw_jw_str(&w, NULL, channel);
	if (other)
		sw_jw_str(&w, NULL, other);
	sw_jw_arr_end(&w);
	sw_alert_write(al, &w, "alert");
	sw_jw_obj_end(&w);
	sw_step_tell(s, sw_arena_printf(s->a, "alert:%s", al->id), sw_arena_strndup(s->a, b.p, b.n));
	sw_buf_fini(&b);
}

/* That it cannot be used, or can again: to those who get its messages meanwhile. */
static void tell_health(struct step *s, const struct channel_state *st, enum sw_alert_news news, enum sw_severity severity)
{
	const struct sw_engine_channel *c = sw_alert_channel(s, channel_name(s));
	const char *id = sw_engine_id(s->a, s->in->aggregate, sw_arena_printf(s->a, "%lld", (long long)st->down_since), NULL);
	struct sw_alert al = { .id = id, .news = news, .severity = severity, .rule_severity = severity, .rule = "channels", .fired_at = s->now };

	if (!c || !c->fallback)
		return;
	al.delivery = sw_arena_printf(s->a, "%s-%s", id, sw_news_name(news));
	al.summary = news == SW_NEWS_CHANNEL_DOWN ? sw_arena_printf(s->a, "%s: %s", channel_name(s), st->down_why) : channel_name(s);
	tell_news(s, &al, c->fallback, NULL);
}

static void channel_down(struct step *s, struct channel_state *st, const char *why)
{
	const struct sw_engine_channel *c = sw_alert_channel(s, channel_name(s));

	if (st->down_why)
		return;
	st->down_why = sw_waiting_clip(why && *why ? why : "its configuration is wrong", CHANNEL_WHY, s->a);
	st->down_since = s->now;
	st->probe_due = s->now + PROBE_EVERY;
	st->probing = 0;
	sw_step_note(s, SW_NOTE_ERROR, NULL, NULL, "channel %s: cannot be used: %s; its messages go %s%s until it can, tried every 10 min", channel_name(s),
	             st->down_why, c && c->fallback ? "to " : "nowhere", c && c->fallback ? c->fallback : "");
	sw_record_channel(s, channel_name(s), st->down_why);
	tell_health(s, st, SW_NEWS_CHANNEL_DOWN, SW_SEV_CRITICAL);
}

static void channel_up(struct step *s, struct channel_state *st)
{
	if (!st->down_why)
		return;
	sw_step_note(s, SW_NOTE_INFO, NULL, NULL, "channel %s: works again after %lld min, %lld messages wait for it", channel_name(s),
	             (long long)((s->now - st->down_since) / SW_MINUTE), (long long)st->w.sum.total);
	sw_record_channel(s, channel_name(s), NULL);
	tell_health(s, st, SW_NEWS_CHANNEL_UP, SW_SEV_WARNING);
	st->down_why = NULL;
	st->probing = 0;
	st->w.until = s->now;
}

/* The calls of a month run out: told at 80 and at 95 %, to the channel itself and to the one that stands in for it. */
static void channel_calls(struct step *s, struct channel_state *st, int64_t calls)
{
	const struct sw_engine_channel *c = sw_alert_channel(s, channel_name(s));
	int64_t used = c && c->quota ? calls * 100 / c->quota : 0;
	int month = c ? sw_channel_month(s, c) : 0, level = used >= 95 ? 95 : used >= 80 ? 80 : 0;
	struct sw_alert al = { .news = SW_NEWS_QUOTA, .severity = level == 95 ? SW_SEV_CRITICAL : SW_SEV_WARNING, .rule = "channels", .fired_at = s->now };

	if (!month)
		return;
	if (st->month != month)
		st->calls = st->warned = 0;
	st->month = month;
	st->calls = SW_MAX(st->calls, calls);
	if (level <= st->warned)
		return;
	st->warned = level;
	al.rule_severity = al.severity;
	al.id = sw_engine_id(s->a, s->in->aggregate, sw_arena_printf(s->a, "%d %d", month, level), NULL);
	al.delivery = sw_arena_printf(s->a, "%s-quota", al.id);
	al.summary = sw_arena_printf(s->a, "%s: %lld / %d (%lld %%)", channel_name(s), (long long)calls, c->quota, (long long)used);
	sw_step_note(s, SW_NOTE_WARN, NULL, NULL, "channel %s: %lld of %d calls of this month are used", channel_name(s), (long long)calls, c->quota);
	tell_news(s, &al, channel_name(s), c->fallback);
}

/* ---- messages ---- */

static const char *digest_id(struct step *s, int64_t n)
{
	return sw_arena_printf(s->a, "digest-%s-%lld", channel_name(s), (long long)n);
}

/* From a digest to the next one for what is critical: soon at first, and no more in a minute than room is kept for. */
static sw_dur channel_gap(const struct step *s, const struct channel_state *st, const struct sw_engine_channel *c)
{
	static const sw_dur gaps[] = { 0, 5 * SW_SECOND, 15 * SW_SECOND, 40 * SW_SECOND };

	if (sw_channel_reserve(c) < 3)
		return c->pace_per / sw_channel_reserve(c);
	return s->now - st->last < SW_MINUTE ? gaps[SW_MIN((size_t)st->burst, SW_COUNT(gaps) - 1)] : 0;
}

static int channel_wait(struct step *s, struct channel_state *st, const struct sw_jnode *m)
{
	const struct sw_engine_channel *c = sw_alert_channel(s, channel_name(s));
	struct waiter x;
	bool counted;

	sw_waiter_read(m, &x);
	if (!x.alert || !x.delivery)
		return sw_err_set(s->err, EBADMSG, "a message waits without its alert");
	if (sw_jstr(m, "down"))
		channel_down(s, st, sw_jstr(m, "down"));
	if (frozen(st)) {
		tell_alert(s, x.alert, "back", x.delivery, FROZEN_WAIT, NULL);
		return 0;
	}
	if (c && !sw_channel_digests(c) && (st->w.n_members == CHANNEL_MEMBERS || st->w.members_bytes + 100 > CHANNEL_MEMBERS_BYTES)) {
		tell_alert(s, x.alert, "back", x.delivery, FULL_WAIT, NULL); /* numbers are nothing to a program */
		return 0;
	}
	if (sw_waiting_add(&st->w, &x, s->now, s->a, &counted) && counted)
		tell_alert(s, x.alert, "counted", x.delivery, 0, digest_id(s, st->digests + 1));
	st->w.until = SW_MAX(st->w.until, sw_jint(m, "until", 0));
	if (sw_jbool(m, "soon", false) && c && !st->w.soon && sw_channel_reserve(c))
		st->w.soon = SW_MAX(s->now + GATHER, st->last + channel_gap(s, st, c));
	return 0;
}

static void channel_probed(struct step *s, struct channel_state *st, const struct sw_jnode *m)
{
	struct waiter x;

	sw_waiter_read(m, &x);
	if (!x.alert || !x.delivery)
		return;
	st->probing = 0;
	if (sw_jbool(m, "unknown", false)) {
		const char *alert, *delivery;

		for (size_t i = 0; i < st->w.n_members; i++) {
			sw_waiting_member(&st->w, i, s->a, &alert, &delivery);
			if (sw_streq(delivery, x.delivery)) {
				sw_waiting_lose(&st->w, i);
				break;
			}
		}
		st->probe_due = s->now; /* another one */
		return;
	}
	if (sw_jbool(m, "gone", false) && !frozen(st))
		sw_waiting_gone(&st->w, &x, s->a);
	if (sw_jbool(m, "ok", false))
		channel_up(s, st);
}

static enum sw_severity digest_severity(const struct sw_digest *d)
{
	enum sw_severity worst = SW_SEV_INFO;

	for (size_t i = 0; i < d->n_counts; i++)
		worst = SW_MAX(worst, d->counts[i].severity);
	return worst;
}

static void digest_alert(struct step *s, const struct channel_state *st, struct sw_alert *ret)
{
	const char *id = digest_id(s, st->digests);

	*ret = (struct sw_alert){ .id = id, .delivery = id, .news = SW_NEWS_DIGEST, .rule = "digest", .digest = &st->w.sum, .fired_at = s->now };
	ret->severity = ret->rule_severity = digest_severity(&st->w.sum);
}

static const char *digest_json(struct step *s, const struct channel_state *st, bool dead)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_alert al;
	struct sw_jw w;
	const char *ret;

	digest_alert(s, st, &al);
	sw_jw_init(&w, &b);
	if (dead) {
		sw_jw_obj(&w, NULL);
		sw_jw_str(&w, "channel", channel_name(s));
		sw_jw_str(&w, "delivery", al.delivery);
		sw_jw_int(&w, "tries", st->tries);
	}
	sw_alert_write(&al, &w, dead ? "alert" : NULL);
	if (dead)
		sw_jw_obj_end(&w);
	ret = sw_arena_strndup(s->a, b.p, b.n);
	sw_buf_fini(&b);
	return ret;
}

static void digest_way(struct step *s, const struct channel_state *st, const char *state, const char *why)
{
	sw_record_way(s, &(struct sw_record_way){ .delivery = digest_id(s, st->digests), .channel = channel_name(s), .state = state, .tries = st->tries,
	                                          .why = why && *why ? why : NULL });
}

static void digest_told(struct step *s, const struct channel_state *st)
{
	struct sw_alert al;

	digest_alert(s, st, &al);
	sw_record_digest(s, &al);
}

static void digest_dead(struct step *s, struct channel_state *st, const char *why)
{
	const struct sw_engine_channel *c = sw_alert_channel(s, channel_name(s));
	struct sw_alert al;

	digest_alert(s, st, &al);
	s->out->dead_reason = sw_arena_printf(s->a, "channel %s: %s", channel_name(s), why);
	s->out->dead_body = digest_json(s, st, true);
	sw_step_note(s, SW_NOTE_ERROR, NULL, NULL, "channel %s: %s, %s with %lld messages goes to the dead letters%s%s", channel_name(s), why, al.delivery,
	             (long long)st->w.sum.total, c && c->fallback ? " and to " : "", c && c->fallback ? c->fallback : "");
	if (c && c->fallback)
		tell_news(s, &al, c->fallback, NULL);
	digest_way(s, st, "dead", why);
	st->sending = st->repeat = false;
	st->ended = ENDED_DEAD;
}

static void digest_ambiguous(struct step *s, struct channel_state *st)
{
	st->sending = false;
	if (st->ambiguous++) {
		digest_dead(s, st, "no answer, twice");
		return;
	}
	st->repeat = true;
	st->due = s->now + SW_SECOND;
}

static void channel_sent(struct step *s, struct channel_state *st, const struct sw_jnode *m)
{
	const struct sw_engine_channel *c = sw_alert_channel(s, channel_name(s));
	const char *detail = sw_jstr(m, "detail") ? sw_jstr(m, "detail") : "";
	sw_dur wait = sw_jint(m, "wait", 0);
	int tries = (int)sw_jint(m, "tries", 0);

	if (sw_channel_notable(c, sw_jint(m, "calls", 0)))
		channel_calls(s, st, sw_jint(m, "calls", 0));
	if (!st->sending || sw_jint(m, "n", 0) != st->seq)
		return; /* an older try, or told twice */
	st->sending = false;
	sw_record_try(s, digest_id(s, st->digests), channel_name(s), st->seq, sw_jstr(m, "class"), detail, st->repeat);
	switch (sw_outcome_parse(sw_jstr(m, "class"))) {
	case SW_OK:
		sw_step_note(s, SW_NOTE_INFO, NULL, NULL, "channel %s: sent %s with %lld messages, attempt=%d", channel_name(s), digest_id(s, st->digests),
		             (long long)st->w.sum.total, st->tries);
		digest_way(s, st, "sent", NULL);
		st->ended = ENDED_SENT;
		st->repeat = false;
		channel_up(s, st);
		break;
	case SW_RETRY:
		if (st->tries >= (tries ? tries : TRIES_MAX) || s->now + wait - st->first > SW_HOUR)
			digest_dead(s, st, *detail ? detail : "tries used up");
		else if (st->repeat)
			st->due = s->now + SW_MAX(wait, SW_SECOND << SW_MIN(st->tries, 5));
		else
			st->w.until = s->now + SW_MAX(wait, SW_SECOND << SW_MIN(st->tries, 5));
		break;
	case SW_HOLD:
		if (c) {
			s->out->hold_credential = c->credential;
			s->out->hold_until = s->now + wait;
		}
		sw_step_note(s, SW_NOTE_WARN, NULL, NULL, "channel %s: held for %llds, %lld messages wait: %s", channel_name(s), (long long)(wait / 1000),
		             (long long)st->w.sum.total, detail);
		st->w.until = st->due = s->now + SW_MAX(wait, SW_SECOND);
		if (st->w.soon)
			st->w.soon = st->w.until;
		st->tries--;
		break;
	case SW_SHRINK:
		if (st->size == SW_IO_LINE)
			digest_dead(s, st, *detail ? detail : "too long even as one line");
		else
			st->size++;
		break;
	case SW_MESSAGE:
		digest_dead(s, st, *detail ? detail : "refused");
		break;
	case SW_CONFIG:
		st->repeat = false;
		st->tries = st->size = 0;
		st->probe_due = s->now + PROBE_EVERY;
		channel_down(s, st, detail);
		break;
	case SW_AMBIGUOUS:
		digest_ambiguous(s, st);
		break;
	}
	if (!st->ended) /* without a try that counts the next one is another digest */
		digest_way(s, st, st->tries ? "waits" : "dropped", detail);
}

/* No worker said how it ended: who died with it may not have sent it. */
static void digest_late(struct step *s, struct channel_state *st)
{
	sw_record_try(s, digest_id(s, st->digests), channel_name(s), st->seq, "ambiguous", "no answer in time", st->repeat);
	st->sending = false;
	st->repeat = true;
	st->due = s->now + SW_SECOND;
	if (st->tries >= TRIES_MAX)
		digest_dead(s, st, "no answer");
	if (!st->ended)
		digest_way(s, st, "waits", "no answer");
}

/* A person sends a dead digest again: as a message of its own. */
static int channel_again(struct step *s, const struct sw_jnode *dead)
{
	struct sw_alert al;

	sw_alert_read(sw_jget(dead, "alert"), s->a, &al);
	if (!al.id || !al.digest)
		return sw_err_set(s->err, EBADMSG, "a dead letter without its digest");
	al.delivery = sw_arena_printf(s->a, "%s-again-%lld", al.id, (long long)s->now);
	al.id = al.delivery;
	tell_news(s, &al, channel_name(s), NULL);
	return 0;
}

static int channel_message(struct step *s, struct channel_state *st, const struct sw_jnode *m)
{
	const char *t = sw_jstr(m, "t");

	if (sw_streq(t, "wait"))
		return channel_wait(s, st, m);
	if (sw_streq(t, "again"))
		return channel_again(s, sw_jget(m, "dead"));
	if (sw_streq(t, "probed"))
		channel_probed(s, st, m);
	else if (sw_streq(t, "sent"))
		channel_sent(s, st, m);
	else if (sw_streq(t, "calls"))
		channel_calls(s, st, sw_jint(m, "calls", 0));
	else if (!sw_streq(t, "timer") && !sw_streq(t, "send"))
		return sw_err_set(s->err, EBADMSG, "unknown message \"%.40s\" to a channel", t ? t : "");
	return 0;
}

/* ---- what is due ---- */

/* Tells members how it ended, some a step. */
static void channel_tell(struct step *s, struct channel_state *st)
{
	static const char *const words[] = { [ENDED_SENT] = "merged", [ENDED_DEAD] = "merged", [ENDED_FREE] = "free", [ENDED_EXPIRED] = "expired" };
	const char *alert, *delivery, *digest = st->ended == ENDED_SENT || st->ended == ENDED_DEAD ? digest_id(s, st->digests) : NULL;
	size_t n = 0;

	if (st->ended == ENDED_NOT)
		return;
	for (; n < st->w.n_members && n < TELL_MOST; n++) {
		sw_waiting_member(&st->w, n, s->a, &alert, &delivery);
		tell_alert(s, alert, words[st->ended], delivery, 0, digest);
	}
	memmove(st->w.members, st->w.members + n, (st->w.n_members - n) * sizeof st->w.members[0]);
	st->w.n_members -= n;
	if (st->w.n_members)
		return;
	sw_waiting_clear(&st->w);
	st->ended = ENDED_NOT;
	st->tries = st->ambiguous = st->size = 0;
	st->first = st->due = 0;
}

static void channel_expire(struct step *s, struct channel_state *st, const struct sw_engine_channel *c)
{
	sw_dur most = c && st->down_why && !c->fallback ? WAIT_ALONE_MAX : WAIT_MAX;

	if (frozen(st) || !st->w.sum.total || (c && s->now - st->w.sum.from < most))
		return;
	sw_step_note(s, SW_NOTE_ERROR, NULL, NULL, "channel %s: %lld messages waited too long and are given up", channel_name(s), (long long)st->w.sum.total);
	if (st->w.counted) { /* nobody else knows of these */
		st->digests++;
		digest_told(s, st);
		digest_dead(s, st, "waited too long");
	}
	st->ended = ENDED_EXPIRED;
}

static void channel_probe(struct step *s, struct channel_state *st)
{
	const char *alert, *delivery;

	sw_waiting_member(&st->w, 0, s->a, &alert, &delivery);
	tell_alert(s, alert, "probe", delivery, 0, NULL);
	st->probing = s->now + PROBE_LATE;
	st->probe_due = s->now + PROBE_EVERY;
}

static void channel_begin(struct step *s, struct channel_state *st, const struct sw_engine_channel *c)
{
	struct sw_io *io;

	if (s->in->refused) {
		st->w.until = st->due = s->now + SW_MAX(s->in->refused_wait, SW_SECOND);
		if (st->w.soon)
			st->w.soon = st->w.until;
		return;
	}
	io = sw_step_io(s, SW_IO_DELIVER);
	if (!io)
		return;
	if (!st->tries) {
		st->digests++;
		st->first = s->now;
	}
	st->tries++;
	st->sending = true;
	st->due = s->now + TRY_TIMEOUT;
	st->burst = s->now - st->last < SW_MINUTE ? st->burst + 1 : 1;
	st->last = s->now;
	io->channel = channel_name(s);
	io->seq = ++st->seq;
	io->size = (enum sw_size_step)st->size;
	io->alert_json = digest_json(s, st, false);
	digest_told(s, st);
	digest_way(s, st, "sending", NULL);
	io->repeat = st->repeat;
	s->out->pace_credential = c->credential;
	s->out->pace_count = c->pace_count;
	s->out->pace_per = c->pace_per;
	s->out->pace_month = sw_channel_month(s, c);
	s->out->pace_calm = s->now - st->w.sum.from < PATIENCE && !st->w.soon ? c->digest_above : 0;
}

/* When what waits may go; 0: nothing does. */
static sw_ms channel_ready(const struct channel_state *st)
{
	if (st->sending || st->ended || !st->w.sum.total)
		return 0;
	if (st->repeat)
		return st->due;
	if (!st->down_why)
		return st->w.soon ? SW_MIN(st->w.soon, st->w.until + CRITICAL_FIRST) : st->w.until + CRITICAL_FIRST;
	return st->probing ? SW_MAX(st->probing, st->probe_due) : st->probe_due;
}

static void channel_go(struct step *s, struct channel_state *st, const struct sw_engine_channel *c)
{
	sw_ms ready = channel_ready(st);

	if (!c || !ready || s->now < ready)
		return;
	if (st->down_why && st->w.n_members)
		channel_probe(s, st);
	else if (!st->repeat && !st->w.counted && (st->w.sum.total == 1 || !sw_channel_digests(c)))
		st->ended = ENDED_FREE;
	else
		channel_begin(s, st, c);
}

int sw_channel_step(struct step *s)
{
	struct channel_state *st = SW_ARENA_NEW(s->a, struct channel_state);
	const struct sw_engine_channel *c = sw_alert_channel(s, channel_name(s));
	sw_ms next, was;
	int r;

	state_load(s, st);
	was = st->tick_due;
	for (size_t i = 0; i < s->in->n_msgs; i++) {
		r = channel_message(s, st, s->in->msgs[i]);
		if (r < 0)
			return r;
	}
	if (st->sending && s->now >= st->due)
		digest_late(s, st);
	channel_expire(s, st, c);
	channel_go(s, st, c);
	channel_tell(s, st);
	if (st->ended)
		sw_step_tell(s, s->in->aggregate, "{\"t\":\"send\"}");
	next = st->sending ? st->due : channel_ready(st);
	if (next && !st->sending && next <= s->now)
		next = s->now + SW_SECOND; /* nothing could be begun in this step */
	if (!next && st->w.sum.total && !st->ended)
		next = s->now + SW_MINUTE;
	st->tick_due = next;
	if (next != was)
		sw_step_timer(s, "tick", next);
	state_save(s, st);
	return 0;
}
