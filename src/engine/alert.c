/*
 * One alert's life: firing, what became of it, and its end. Its messages are on their way by deliveries.c.
 *
 * 1. One kind of news is told once: its delivery id is its key.
 * 2. A critical alert whose rule says `repeat` is told again until somebody has it in hand or it is over; from the third time on the
 *    fallback channels are told as well.
 */
#include <errno.h>

#include "base/str.h"
#include "engine/alert.h"
#include "engine/flap.h"
#include "engine/record.h"
#include "shipwatch/err.h"

#define REMINDERS_MAX  12
#define REMINDERS_ALONE 2                /* then the fallback channels are told, too */

#define EACH(x, obj, key) for (const struct sw_jnode *x = sw_jget(obj, key) ? sw_jget(obj, key)->child : NULL; x; x = x->next)

/* To whom it goes; of what flaps only programs are told. */
static void alert_channels(struct step *s, struct alert_state *st, const struct sw_jnode *m, const char *delivery)
{
	bool held = sw_flap_holds(s, m);

	EACH(c, m, "channels") {
		const struct sw_engine_channel *conf = c->type == SW_J_STRING ? sw_alert_channel(s, c->text) : NULL;

		if (c->type == SW_J_STRING && (!held || (conf && conf->program)))
			sw_deliveries_add(s, st, delivery, c->text, false);
	}
}

static int alert_news(struct step *s, struct alert_state *st, const struct sw_jnode *m)
{
	const struct sw_jnode *al = sw_jget(m, "alert");
	const char *delivery = sw_jstr(al, "delivery"), *news = sw_jstr(al, "news");

	if (!delivery || !news)
		return sw_err_set(s->err, EBADMSG, "news without an alert");
	if (sw_alert_told(st, delivery))
		return 0; /* told once */
	if (st->n_told == ALERT_NEWS) {
		sw_step_note(s, SW_NOTE_ERROR, sw_jstr(al, "ci_run_id"), sw_jstr(al, "watch_id"), "more than %d news of one alert, \"%s\" is not told", ALERT_NEWS, news);
		return 0;
	}
	st->told[st->n_told++] = (struct told){ .delivery = delivery, .news = news, .alert = al, .roles = sw_jget(m, "roles"), .at = s->now,
	                                        .critical = sw_streq(sw_jstr(al, "severity"), "critical") };
	sw_record_told(s, delivery, news, al);
	if (sw_jstr(m, "with"))
		sw_step_note(s, SW_NOTE_INFO, sw_jstr(al, "ci_run_id"), sw_jstr(al, "watch_id"), "alert %s is told with %s", delivery, sw_jstr(m, "with"));
	else
		alert_channels(s, st, m, delivery);
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
static const struct sw_jnode *alert_as(struct step *s, const struct sw_jnode *firing, const char *news, const char *delivery, const char *detail,
                                       bool answered)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_jnode *ret = NULL;
	struct sw_jw w;

	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	for (const struct sw_jnode *x = firing->child; x; x = x->next)
		if (!sw_streq(x->key, "news") && !sw_streq(x->key, "delivery") && !(detail && sw_streq(x->key, "summary")) &&
		    !(answered && sw_streq(x->key, "ask")))
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
	bool answered = false; /* what the firing message asks, if it does */

	for (size_t i = 0; i < st->n_told; i++) {
		answered |= sw_streq(st->told[i].news, "rollback_approved") || sw_streq(st->told[i].news, "rollback_skipped");
		if (sw_streq(st->told[i].news, "firing") && st->told[i].alert)
			firing = &st->told[i];
		if (sw_streq(st->told[i].news, "reminder") && !sw_alert_wanted(st, st->told[i].delivery))
			slot = &st->told[i]; /* the last reminder is history */
	}
	if (!slot && st->n_told < ALERT_NEWS)
		slot = &st->told[st->n_told++];
	if (!firing || !slot)
		return;
	delivery = sw_arena_printf(s->a, "%s-%s-%d", firing->delivery, news, st->reminders);
	*slot = (struct told){ .delivery = delivery, .news = news, .alert = alert_as(s, firing->alert, news, delivery, detail, answered), .roles = firing->roles,
	                       .at = s->now, .critical = firing->critical };
	sw_record_told(s, delivery, news, slot->alert);
	for (const struct sw_jnode *c = st->channels ? st->channels->child : NULL; c; c = c->next) {
		const struct sw_engine_channel *conf = sw_alert_channel(s, c->text);

		sw_deliveries_add(s, st, delivery, c->text, false);
		if (far && conf && conf->fallback)
			sw_deliveries_add(s, st, delivery, conf->fallback, true);
	}
}

static void alert_remind(struct step *s, struct alert_state *st)
{
	if (!st->remind_due || s->now < st->remind_due)
		return;
	for (size_t i = 0; i < st->n_queue; i++)
		if (st->queue[i].silenced) { /* nobody is reminded of what nobody was told: a dozen would come when the silence ends */
			st->remind_due = s->now + st->repeat;
			return;
		}
	st->reminders++;
	alert_tell(s, st, "reminder", NULL, st->reminders > REMINDERS_ALONE);
	st->remind_due = st->reminders < REMINDERS_MAX ? s->now + st->repeat : 0;
}

static void alert_ack(struct step *s, struct alert_state *st, const struct sw_jnode *m)
{
	const char *who = sw_jstr(m, "who") ? sw_jstr(m, "who") : "somebody";
	struct sw_jw w;

	if (st->acked_by)
		return; /* the first one has it */
	st->acked_by = who;
	sw_record_begin(s, "ack", &w);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "who", who);
	sw_jw_obj_end(&w);
	sw_record_end(s, &w);
	sw_step_note(s, SW_NOTE_INFO, NULL, NULL, "%s is in the hands of %s", s->in->aggregate, who);
	if (!st->remind_due)
		return;
	alert_tell(s, st, "acked", sw_arena_printf(s->a, "%s", who), false);
	st->remind_due = 0;
}

/* A person sends a dead letter again: {"channel":…, "delivery":…, "alert":…}. Long gone or not, its text is in the letter. */
static int alert_again(struct step *s, struct alert_state *st, const struct sw_jnode *dead)
{
	const struct sw_jnode *al = sw_jget(dead, "alert");
	const char *delivery = sw_jstr(dead, "delivery"), *channel = sw_jstr(dead, "channel");
	struct told *t;

	if (!delivery || !channel || !sw_jstr(al, "news"))
		return sw_err_set(s->err, EBADMSG, "a dead letter without its alert");
	t = sw_alert_told(st, delivery);
	if (!t && st->n_told == ALERT_NEWS) {
		sw_step_note(s, SW_NOTE_ERROR, sw_jstr(al, "ci_run_id"), sw_jstr(al, "watch_id"), "more than %d news of one alert, \"%s\" is not told",
		             ALERT_NEWS, delivery);
		return 0;
	}
	if (!t) {
		t = &st->told[st->n_told++];
		*t = (struct told){ .delivery = delivery, .news = sw_jstr(al, "news"), .at = s->now,
		                    .critical = sw_streq(sw_jstr(al, "severity"), "critical") };
		sw_record_told(s, delivery, t->news, al);
	}
	t->alert = al;
	sw_deliveries_add(s, st, delivery, channel, false);
	return 0;
}

/* ---- the step ---- */

static int alert_message(struct step *s, struct alert_state *st, const struct sw_jnode *m)
{
	const char *t = sw_jstr(m, "t");

	if (sw_streq(t, "news"))
		return alert_news(s, st, m);
	if (sw_streq(t, "again"))
		return alert_again(s, st, sw_jget(m, "dead"));
	if (sw_streq(t, "sent"))
		sw_deliveries_sent(s, st, m);
	else if (sw_streq(t, "merged") || sw_streq(t, "counted") || sw_streq(t, "free") || sw_streq(t, "probe") || sw_streq(t, "back") ||
	         sw_streq(t, "expired"))
		sw_deliveries_channel(s, st, m);
	else if (sw_streq(t, "cmd") && sw_streq(sw_jstr(m, "do"), "ack"))
		alert_ack(s, st, m);
	else if (!sw_streq(t, "timer") && !sw_streq(t, "send"))
		return sw_err_set(s->err, EBADMSG, "unknown message \"%.40s\" to an alert", t ? t : "");
	return 0;
}

int sw_alert_step(struct step *s)
{
	struct alert_state *st = SW_ARENA_NEW(s->a, struct alert_state);
	const struct record_alert *seen;
	sw_ms next, was;
	bool more;
	int r;

	sw_alert_load(s->in->state, st);
	seen = sw_record_alert_seen(s, st);
	was = st->tick_due;
	for (size_t i = 0; i < s->in->n_msgs; i++) {
		r = alert_message(s, st, s->in->msgs[i]);
		if (r < 0)
			return r;
	}
	alert_remind(s, st);
	sw_deliveries_begin(s, st);
	next = sw_deliveries_due(s, st, &more);
	if (st->remind_due && (!next || st->remind_due < next))
		next = st->remind_due;
	if (more)
		sw_step_tell(s, s->in->aggregate, "{\"t\":\"send\"}");
	st->tick_due = next;
	if (next != was)
		sw_step_timer(s, "tick", next);
	sw_record_alert(s, seen, st);
	sw_alert_save(s, st);
	return 0;
}
