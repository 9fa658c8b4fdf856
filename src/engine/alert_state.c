/* An alert's state, read and written. */
#include <stddef.h>
#include <string.h>

#include "base/str.h"
#include "engine/alert.h"

#define ALERT_TTL (14 * SW_DAY)
#define EACH(x, obj, key) for (const struct sw_jnode *x = sw_jget(obj, key) ? sw_jget(obj, key)->child : NULL; x; x = x->next)

void sw_alert_load(const struct sw_jnode *n, struct alert_state *st)
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
		st->queue[st->n_queue++] = (struct delivery){
			.delivery = sw_jstr(x, "delivery"), .channel = sw_jstr(x, "channel"), .seq = sw_jint(x, "seq", 0),
			.tries = (int)sw_jint(x, "tries", 0), .ambiguous = (int)sw_jint(x, "ambiguous", 0), .size = (int)sw_jint(x, "size", 0),
			.sending = sw_jbool(x, "sending", false), .repeat = sw_jbool(x, "repeat", false),
			.fallback = sw_jbool(x, "fallback", false), .silenced = sw_jbool(x, "silenced", false), .parked = sw_jbool(x, "parked", false),
			.probe = sw_jbool(x, "probe", false), .free = sw_jbool(x, "free", false), .fell = sw_jbool(x, "fell", false),
			.doomed = sw_jstr(x, "doomed"), .due = sw_jint(x, "due", 0), .since = sw_jint(x, "since", 0) };
}

bool sw_alert_wanted(const struct alert_state *st, const char *delivery)
{
	for (size_t i = 0; i < st->n_queue; i++)
		if (sw_streq(st->queue[i].delivery, delivery))
			return true;
	return false;
}

/* Those that are seldom so: not written while they are not. */
static const struct { const char *name; size_t offset; } flags[] = {
	{ "silenced", offsetof(struct delivery, silenced) }, { "parked", offsetof(struct delivery, parked) }, { "probe", offsetof(struct delivery, probe) },
	{ "free", offsetof(struct delivery, free) }, { "fell", offsetof(struct delivery, fell) },
};

void sw_alert_save(struct step *s, const struct alert_state *st)
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
		if (sw_alert_wanted(st, t->delivery) || (st->remind_due && sw_streq(t->news, "firing"))) { /* the text is kept while somebody still waits for it */
			sw_jw_node(&w, "alert", t->alert);
			if (t->roles)
				sw_jw_node(&w, "roles", t->roles);
		}
		sw_jw_obj_end(&w);
	}
	sw_jw_arr_end(&w);
	sw_jw_arr(&w, "queue");
	for (size_t i = 0; i < st->n_queue; i++) {
		const struct delivery *q = &st->queue[i];

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
		for (size_t k = 0; k < SW_COUNT(flags); k++)
			if (*(const bool *)((const char *)q + flags[k].offset))
				sw_jw_bool(&w, flags[k].name, true);
		sw_jw_opt(&w, "doomed", q->doomed);
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

struct told *sw_alert_told(struct alert_state *st, const char *delivery)
{
	for (size_t i = 0; i < st->n_told; i++)
		if (sw_streq(st->told[i].delivery, delivery))
			return &st->told[i];
	return NULL;
}

const struct sw_engine_channel *sw_alert_channel(struct step *s, const char *name)
{
	for (size_t i = 0; i < s->e->n_channels; i++)
		if (sw_streq(s->e->channels[i].name, name))
			return &s->e->channels[i];
	return NULL;
}

const char *sw_alert_member(struct alert_state *st, const char *delivery, const char *key)
{
	const struct told *t = sw_alert_told(st, delivery);

	return t ? sw_jstr(t->alert, key) : NULL;
}
