/*
 * One alert's life: what was told, and per channel what waits, what is under way and what became of it.
 *
 *   waiting ──begin (paced by the script)──▶ sending ──ok──▶ gone
 *      ▲                                        │
 *      ├────retry, hold, shrink, timeout────────┤
 *      │                                        └──message, config, tries used up──▶ dead letter, fallback channel
 *
 * 1. One kind of news is told once: its delivery id is its key.
 * 2. A channel sends one message at a time, in order; each try has a number, a late answer to an older try says nothing.
 * 3. A critical alert whose rule says `repeat` is told again until somebody has it in hand or it is over; from the third time on the
 *    fallback channels are told as well.
 * 4. What a silence holds back is looked up when a message is about to be sent. It waits for the end of the silence, and is dropped
 *    when the alert was over by then.
 * 5. A try without an answer in its time counts as ambiguous: it is repeated once, marked as a possible repeat.
 */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "engine/silences.h"
#include "engine/step.h"
#include "shipwatch/err.h"
#include "shipwatch/job.h"

#define ALERT_NEWS     32
#define ALERT_CHANNELS 16
#define ALERT_QUEUE    64
#define ALERT_TTL      (14 * SW_DAY)
#define TRY_TIMEOUT    (30 * SW_SECOND)
#define TRIES_MAX      6
#define FIRING_MAX_AGE (15 * SW_MINUTE)
#define OTHER_MAX_AGE  (60 * SW_MINUTE)
#define REMINDERS_MAX  12
#define REMINDERS_ALONE 2                /* then the fallback channels are told, too */
#define SILENCE_LOOK   SW_MINUTE         /* a silence may be ended before its time */

/* One message on its way to one channel. */
struct item {
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
	struct item queue[ALERT_QUEUE];
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

#define EACH(x, obj, key) for (const struct sw_jnode *x = sw_jget(obj, key) ? sw_jget(obj, key)->child : NULL; x; x = x->next)

static void alert_read(const struct sw_jnode *n, struct alert_state *st)
{
	memset(st, 0, sizeof *st);
	st->seq = sw_jint(n, "seq", 0);
	st->tick_due = sw_jint(n, "tick_due", 0);
	st->acked_by = sw_jstr(n, "acked_by");
	st->channels = sw_jget(n, "channels");
	st->repeat = sw_jint(n, "repeat", 0);
	st->reminders = (int)sw_jint(n, "reminders", 0);
	st->remind_due = sw_jint(n, "remind_due", 0);
	st->over = sw_jbool(n, "over", false);
	EACH(x, n, "told") if (st->n_told < ALERT_NEWS)
		st->told[st->n_told++] = (struct told){ .delivery = sw_jstr(x, "delivery"), .news = sw_jstr(x, "news"),
		                                        .alert = sw_jget(x, "alert"), .roles = sw_jget(x, "roles"), .at = sw_jint(x, "at", 0),
		                                        .critical = sw_jbool(x, "critical", false) };
	EACH(x, n, "queue") if (st->n_queue < ALERT_QUEUE)
		st->queue[st->n_queue++] = (struct item){
			.delivery = sw_jstr(x, "delivery"), .channel = sw_jstr(x, "channel"), .seq = sw_jint(x, "seq", 0),
			.tries = (int)sw_jint(x, "tries", 0), .ambiguous = (int)sw_jint(x, "ambiguous", 0), .size = (int)sw_jint(x, "size", 0),
			.sending = sw_jbool(x, "sending", false), .repeat = sw_jbool(x, "repeat", false),
			.fallback = sw_jbool(x, "fallback", false), .silenced = sw_jbool(x, "silenced", false), .due = sw_jint(x, "due", 0), .since = sw_jint(x, "since", 0) };
}

static bool alert_wanted(const struct alert_state *st, const char *delivery)
{
	for (size_t i = 0; i < st->n_queue; i++)
		if (sw_streq(st->queue[i].delivery, delivery))
			return true;
	return false;
}

static void alert_write(struct step *s, const struct alert_state *st)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;

	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_int(&w, "t", s->now);
	sw_jw_int(&w, "seq", st->seq);
	sw_jw_int(&w, "tick_due", st->tick_due);
	sw_jw_opt(&w, "acked_by", st->acked_by);
	if (st->remind_due) {
		sw_jw_node(&w, "channels", st->channels);
		sw_jw_int(&w, "repeat", st->repeat);
		sw_jw_int(&w, "reminders", st->reminders);
		sw_jw_int(&w, "remind_due", st->remind_due);
	}
	if (st->over)
		sw_jw_bool(&w, "over", true);
	sw_jw_arr(&w, "told");
	for (size_t i = 0; i < st->n_told; i++) {
		const struct told *t = &st->told[i];

		sw_jw_obj(&w, NULL);
		sw_jw_str(&w, "delivery", t->delivery);
		sw_jw_str(&w, "news", t->news);
		sw_jw_int(&w, "at", t->at);
		sw_jw_bool(&w, "critical", t->critical);
		if (alert_wanted(st, t->delivery) || (st->remind_due && sw_streq(t->news, "firing"))) { /* the text is kept while somebody still waits for it */
			sw_jw_node(&w, "alert", t->alert);
			if (t->roles)
				sw_jw_node(&w, "roles", t->roles);
		}
		sw_jw_obj_end(&w);
	}
	sw_jw_arr_end(&w);
	sw_jw_arr(&w, "queue");
	for (size_t i = 0; i < st->n_queue; i++) {
		const struct item *q = &st->queue[i];

		sw_jw_obj(&w, NULL);
		sw_jw_str(&w, "delivery", q->delivery);
		sw_jw_str(&w, "channel", q->channel);
		sw_jw_int(&w, "seq", q->seq);
		sw_jw_int(&w, "tries", q->tries);
		sw_jw_int(&w, "ambiguous", q->ambiguous);
		sw_jw_int(&w, "size", q->size);
		sw_jw_bool(&w, "sending", q->sending);
		sw_jw_bool(&w, "repeat", q->repeat);
		sw_jw_bool(&w, "fallback", q->fallback);
		if (q->silenced)
			sw_jw_bool(&w, "silenced", true);
		sw_jw_int(&w, "due", q->due);
		sw_jw_int(&w, "since", q->since);
		sw_jw_obj_end(&w);
	}
	sw_jw_arr_end(&w);
	sw_jw_obj_end(&w);
	s->out->state = sw_arena_strndup(s->a, b.p, b.n);
	s->out->state_n = b.n;
	s->out->ttl = ALERT_TTL;
	sw_buf_fini(&b);
}

static struct told *alert_told(struct alert_state *st, const char *delivery)
{
	for (size_t i = 0; i < st->n_told; i++)
		if (sw_streq(st->told[i].delivery, delivery))
			return &st->told[i];
	return NULL;
}

static const struct sw_engine_channel *alert_channel(struct step *s, const char *name)
{
	for (size_t i = 0; i < s->e->n_channels; i++)
		if (sw_streq(s->e->channels[i].name, name))
			return &s->e->channels[i];
	return NULL;
}

static const char *alert_node_json(struct step *s, const struct sw_jnode *n)
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

/* A line about a message, with the ids of what it tells. */
#define ALERT_NOTE(s, st, level, delivery, ...) \
	sw_step_note(s, level, alert_text(st, delivery, "ci_run_id"), alert_text(st, delivery, "watch_id"), __VA_ARGS__)

static const char *alert_text(struct alert_state *st, const char *delivery, const char *key)
{
	const struct told *t = alert_told(st, delivery);

	return t ? sw_jstr(t->alert, key) : NULL;
}

/* ---- news ---- */

static void alert_enqueue(struct step *s, struct alert_state *st, const char *delivery, const char *channel, bool fallback)
{
	for (size_t i = 0; i < st->n_queue; i++)
		if (sw_streq(st->queue[i].delivery, delivery) && sw_streq(st->queue[i].channel, channel))
			return;
	if (st->n_queue == ALERT_QUEUE) {
		ALERT_NOTE(s, st, SW_NOTE_ERROR, delivery, "more than %d messages of one alert wait, %s is not sent to %s", ALERT_QUEUE, delivery, channel);
		return;
	}
	st->queue[st->n_queue++] =
		(struct item){ .delivery = delivery, .channel = channel, .due = s->now, .since = s->now, .fallback = fallback };
}

static int alert_news(struct step *s, struct alert_state *st, const struct sw_jnode *m)
{
	const struct sw_jnode *al = sw_jget(m, "alert");
	const char *delivery = sw_jstr(al, "delivery"), *news = sw_jstr(al, "news");

	if (!delivery || !news)
		return sw_err_set(s->err, EBADMSG, "news without an alert");
	if (alert_told(st, delivery))
		return 0; /* told once */
	if (st->n_told == ALERT_NEWS) {
		sw_step_note(s, SW_NOTE_ERROR, sw_jstr(al, "ci_run_id"), sw_jstr(al, "watch_id"), "more than %d news of one alert, \"%s\" is not told", ALERT_NEWS, news);
		return 0;
	}
	st->told[st->n_told++] = (struct told){ .delivery = delivery, .news = news, .alert = al, .roles = sw_jget(m, "roles"), .at = s->now,
	                                        .critical = sw_streq(sw_jstr(al, "severity"), "critical") };
	EACH(c, m, "channels") if (c->type == SW_J_STRING) alert_enqueue(s, st, delivery, c->text, false);
	if (sw_streq(news, "resolved") || sw_streq(news, "closed")) {
		st->over = true;
		st->remind_due = 0;
	} else if (sw_streq(news, "firing") && sw_jint(m, "repeat", 0) > 0 && sw_jget(m, "channels")) {
		st->channels = sw_jget(m, "channels");
		st->repeat = sw_jint(m, "repeat", 0);
		st->remind_due = s->now + st->repeat;
	}
	if (!sw_jget(m, "channels") || !sw_jget(m, "channels")->n)
		sw_step_note(s, SW_NOTE_ERROR, sw_jstr(al, "ci_run_id"), NULL, "alert %s goes to no channel", delivery);
	return 0;
}

/* ---- reminders ---- */

/* The firing message again, as other news under a key of its own. */
static const struct sw_jnode *alert_as(struct step *s, const struct sw_jnode *firing, const char *news, const char *delivery, const char *detail)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_jnode *ret = NULL;
	struct sw_jw w;

	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	for (const struct sw_jnode *x = firing->child; x; x = x->next)
		if (!sw_streq(x->key, "news") && !sw_streq(x->key, "delivery") && !(detail && sw_streq(x->key, "summary")))
			sw_jw_node(&w, x->key, x);
	sw_jw_str(&w, "news", news);
	sw_jw_str(&w, "delivery", delivery);
	sw_jw_opt(&w, "summary", detail);
	sw_jw_obj_end(&w);
	if (sw_jtree_parse(s->a, sw_buf_str(&b), b.n, 100000, &ret, NULL) < 0)
		ret = NULL;
	sw_buf_fini(&b);
	return ret;
}

/* Tells those who were told of the firing; far: and those behind them. */
static void alert_tell(struct step *s, struct alert_state *st, const char *news, const char *detail, bool far)
{
	const struct told *firing = NULL;
	struct told *slot = NULL;
	const char *delivery;

	for (size_t i = 0; i < st->n_told; i++) {
		if (sw_streq(st->told[i].news, "firing") && st->told[i].alert)
			firing = &st->told[i];
		if (sw_streq(st->told[i].news, "reminder") && !alert_wanted(st, st->told[i].delivery))
			slot = &st->told[i]; /* the last reminder is history */
	}
	if (!slot && st->n_told < ALERT_NEWS)
		slot = &st->told[st->n_told++];
	if (!firing || !slot)
		return;
	delivery = sw_arena_printf(s->a, "%s-%s-%d", firing->delivery, news, st->reminders);
	*slot = (struct told){ .delivery = delivery, .news = news, .alert = alert_as(s, firing->alert, news, delivery, detail), .roles = firing->roles,
	                       .at = s->now, .critical = firing->critical };
	for (const struct sw_jnode *c = st->channels ? st->channels->child : NULL; c; c = c->next) {
		const struct sw_engine_channel *conf = alert_channel(s, c->text);

		alert_enqueue(s, st, delivery, c->text, false);
		if (far && conf && conf->fallback)
			alert_enqueue(s, st, delivery, conf->fallback, true);
	}
}

static void alert_remind(struct step *s, struct alert_state *st)
{
	if (!st->remind_due || s->now < st->remind_due)
		return;
	st->reminders++;
	alert_tell(s, st, "reminder", NULL, st->reminders > REMINDERS_ALONE);
	st->remind_due = st->reminders < REMINDERS_MAX ? s->now + st->repeat : 0;
}

static void alert_ack(struct step *s, struct alert_state *st, const struct sw_jnode *m)
{
	const char *who = sw_jstr(m, "who") ? sw_jstr(m, "who") : "somebody";

	if (st->acked_by)
		return; /* the first one has it */
	st->acked_by = who;
	sw_step_note(s, SW_NOTE_INFO, NULL, NULL, "%s is in the hands of %s", s->in->aggregate, who);
	if (!st->remind_due)
		return;
	alert_tell(s, st, "acked", sw_arena_printf(s->a, "%s", who), false);
	st->remind_due = 0;
}

/* ---- trying ---- */

static void item_drop(struct alert_state *st, struct item *q)
{
	size_t i = (size_t)(q - st->queue);

	memmove(q, q + 1, (st->n_queue - i - 1) * sizeof *q);
	st->n_queue--;
}

/* It will not arrive there: dead letter, and the fallback channel if there is one. */
static void item_dead(struct step *s, struct alert_state *st, struct item *q, const char *why)
{
	const struct sw_engine_channel *c = alert_channel(s, q->channel);
	const struct told *t = alert_told(st, q->delivery);
	const char *delivery = q->delivery, *channel = q->channel, *fallback = c ? c->fallback : NULL;
	struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;

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
	ALERT_NOTE(s, st, SW_NOTE_ERROR, delivery, "channel %s: %s, alert=%s goes to the dead letters%s%s", channel, why, delivery,
	             fallback ? " and to " : "", fallback ? fallback : "");
	item_drop(st, q);
	if (fallback)
		alert_enqueue(s, st, delivery, fallback, true);
}

/* Deterministic full jitter: the same try of the same message always waits the same. */
static sw_dur item_backoff(struct step *s, const struct item *q)
{
	const char *h = sw_engine_id(s->a, q->delivery, q->channel, sw_arena_printf(s->a, "%d", q->tries), NULL);
	sw_dur most = SW_MIN(SW_SECOND << SW_MIN(q->tries, 6), SW_MINUTE);
	unsigned x = 0;

	for (size_t i = 0; i < 4; i++)
		x = x * 31 + (unsigned char)h[i];
	return SW_SECOND / 2 + (sw_dur)(x % 1000) * most / 1000;
}

static void item_again(struct step *s, struct alert_state *st, struct item *q, sw_dur wait, const char *why)
{
	const struct told *t = alert_told(st, q->delivery);
	sw_dur most = t && sw_streq(t->news, "firing") ? FIRING_MAX_AGE : OTHER_MAX_AGE;

	q->sending = false;
	if (q->tries >= TRIES_MAX || s->now + wait - q->since > most) {
		item_dead(s, st, q, why);
		return;
	}
	q->due = s->now + SW_MAX(wait, item_backoff(s, q));
}

/* The robot does not want more for a while: waiting is no failed try. Critical messages do not wait, if they have where to go. */
static void item_hold(struct step *s, struct alert_state *st, struct item *q, sw_dur wait)
{
	const struct sw_engine_channel *c = alert_channel(s, q->channel);
	const struct told *t = alert_told(st, q->delivery);
	const char *delivery = q->delivery;

	q->sending = false;
	q->due = s->now + SW_MAX(wait, SW_SECOND);
	if (q->tries > 0)
		q->tries--;
	if (c && c->fallback && t && t->critical && !q->fallback)
		alert_enqueue(s, st, delivery, c->fallback, true);
}

static void item_begin(struct step *s, struct alert_state *st, struct item *q)
{
	const struct sw_engine_channel *c = alert_channel(s, q->channel);
	struct told *t = alert_told(st, q->delivery);
	struct sw_io *io;
	const char **roles;
	size_t n = 0;

	if (!c || !t || !t->alert) {
		item_dead(s, st, q, c ? "its text is gone" : "no such channel is configured any more");
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
	io->alert_json = alert_node_json(s, t->alert);
	io->roles = roles;
	io->repeat = q->repeat;
	s->out->pace_credential = c->credential;
	s->out->pace_count = c->pace_count;
	s->out->pace_per = c->pace_per;
}

static struct item *item_of(struct alert_state *st, const char *channel, int64_t seq)
{
	for (size_t i = 0; i < st->n_queue; i++)
		if (st->queue[i].sending && st->queue[i].seq == seq && sw_streq(st->queue[i].channel, channel))
			return &st->queue[i];
	return NULL;
}

static void item_shrink(struct step *s, struct alert_state *st, struct item *q, const char *detail)
{
	q->sending = false;
	if (q->size == SW_IO_LINE) {
		item_dead(s, st, q, detail ? detail : "too long even as one line");
		return;
	}
	q->size++;
	q->due = s->now;
}

static void item_ambiguous(struct step *s, struct alert_state *st, struct item *q)
{
	q->sending = false;
	if (q->ambiguous++) { /* repeated once: people may have it twice, they have it */
		ALERT_NOTE(s, st, SW_NOTE_WARN, q->delivery, "channel %s: no answer twice, alert=%s may or may not have arrived", q->channel, q->delivery);
		item_dead(s, st, q, "no answer, twice");
		return;
	}
	q->repeat = true;
	q->due = s->now + SW_SECOND;
}

static void alert_sent(struct step *s, struct alert_state *st, const struct sw_jnode *m)
{
	const char *channel = sw_jstr(m, "ch"), *detail = sw_jstr(m, "detail");
	struct item *q = item_of(st, channel, sw_jint(m, "n", 0));
	sw_dur wait = sw_jint(m, "wait", 0);
	int tries = (int)sw_jint(m, "tries", 0);
	const struct sw_engine_channel *c = alert_channel(s, channel);

	if (!q)
		return; /* an older try, or told twice */
	switch (sw_outcome_parse(sw_jstr(m, "class"))) {
	case SW_OK:
		ALERT_NOTE(s, st, SW_NOTE_INFO, q->delivery, "channel %s: sent alert=%s attempt=%d", channel, q->delivery, q->tries);
		item_drop(st, q);
		break;
	case SW_RETRY:
		if (tries && q->tries >= tries)
			item_dead(s, st, q, detail ? detail : "tried often enough");
		else
			item_again(s, st, q, wait, detail ? detail : "tries used up");
		break;
	case SW_HOLD:
		if (c) {
			s->out->hold_credential = c->credential;
			s->out->hold_until = s->now + wait;
		}
		ALERT_NOTE(s, st, SW_NOTE_WARN, q->delivery, "channel %s: held for %llds, alert=%s waits: %s", channel, (long long)(wait / 1000),
		             q->delivery, detail ? detail : "");
		item_hold(s, st, q, wait);
		break;
	case SW_SHRINK:
		item_shrink(s, st, q, detail);
		break;
	case SW_MESSAGE:
		item_dead(s, st, q, detail ? detail : "refused");
		break;
	case SW_CONFIG:
		ALERT_NOTE(s, st, SW_NOTE_ERROR, q->delivery, "channel %s: its configuration is wrong: %s", channel, detail ? detail : "");
		item_dead(s, st, q, detail ? detail : "its configuration is wrong");
		break;
	case SW_AMBIGUOUS:
		item_ambiguous(s, st, q);
		break;
	}
}

/* ---- the step ---- */

static int alert_message(struct step *s, struct alert_state *st, const struct sw_jnode *m)
{
	const char *t = sw_jstr(m, "t");

	if (sw_streq(t, "news"))
		return alert_news(s, st, m);
	if (sw_streq(t, "sent"))
		alert_sent(s, st, m);
	else if (sw_streq(t, "cmd") && sw_streq(sw_jstr(m, "do"), "ack"))
		alert_ack(s, st, m);
	else if (!sw_streq(t, "timer") && !sw_streq(t, "send"))
		return sw_err_set(s->err, EBADMSG, "unknown message \"%.40s\" to an alert", t ? t : "");
	return 0;
}

/* Is another message of this alert on its way to, or first in line for, the same channel? */
static bool item_behind(const struct alert_state *st, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (sw_streq(st->queue[k].channel, st->queue[i].channel))
			return true;
	return false;
}

/* Held back by a silence? Then it waits, or goes when nobody needs it any more. */
static bool item_silenced(struct step *s, struct alert_state *st, struct item *q)
{
	const struct told *t = alert_told(st, q->delivery);
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
		ALERT_NOTE(s, st, SW_NOTE_INFO, q->delivery, "channel %s: alert=%s is held back, %s", q->channel, q->delivery, why);
	q->silenced = true;
	q->due = SW_MIN(until, s->now + SILENCE_LOOK);
	if (st->over)
		item_drop(st, q);
	return true;
}

static void alert_begin(struct step *s, struct alert_state *st)
{
	for (size_t i = 0; i < st->n_queue; i++) {
		struct item *q = &st->queue[i];

		if (q->sending && s->now >= q->due) {
			item_ambiguous(s, st, q);
			i = (size_t)-1; /* the queue may have moved */
			continue;
		}
		if (q->sending || q->due > s->now || item_behind(st, i))
			continue;
		if (s->in->refused && !st->began) {
			bool wait = s->in->refused_wait > 0;

			st->began = true; /* the guard spoke about the first one only */
			if (sw_streq(s->in->refused, "held") && wait)
				item_hold(s, st, q, s->in->refused_wait);
			else
				q->due = s->now + (wait ? s->in->refused_wait : SW_SECOND);
			continue;
		}
		if (st->began)
			continue;
		if (item_silenced(s, st, q)) {
			i = (size_t)-1; /* it may be gone */
			continue;
		}
		if (s->out->n_needs)
			return;
		item_begin(s, st, q);
	}
}

int sw_alert_step(struct step *s)
{
	struct alert_state *st = SW_ARENA_NEW(s->a, struct alert_state);
	sw_ms next = 0, was;
	bool more = false;
	int r;

	alert_read(s->in->state, st);
	was = st->tick_due;
	for (size_t i = 0; i < s->in->n_msgs; i++) {
		r = alert_message(s, st, s->in->msgs[i]);
		if (r < 0)
			return r;
	}
	alert_remind(s, st);
	alert_begin(s, st);
	if (st->remind_due)
		next = st->remind_due;
	for (size_t i = 0; i < st->n_queue; i++) {
		const struct item *q = &st->queue[i];

		if (!q->sending && item_behind(st, i))
			continue;
		if (!q->sending && q->due <= s->now)
			more = true;
		else if (!next || q->due < next)
			next = q->due;
	}
	if (more)
		sw_step_tell(s, s->in->aggregate, "{\"t\":\"send\"}");
	st->tick_due = next;
	if (next != was)
		sw_step_timer(s, "tick", next);
	alert_write(s, st);
	return 0;
}
