/*
 * Records for the history, in the journal's line of a step.
 *
 * What has a state is compared with what it was when the step began, by id: so no path that changes it can be forgotten. What leaves the
 * state (a message that was sent) is recorded where it leaves.
 */
#include "engine/record.h"

#include <string.h>

#include "base/str.h"
#include "engine/alert.h"
#include "engine/place.h"

void sw_record_begin(struct step *s, const char *kind, struct sw_jw *w)
{
	s->recs_last = s->recs.n;
	sw_buf_printf(&s->recs, "%s{\"k\":\"%s\",\"d\":", s->n_recs ? "," : "", kind);
	sw_jw_init(w, &s->recs);
}

void sw_record_end(struct step *s, struct sw_jw *w)
{
	(void)w;
	sw_buf_putc(&s->recs, '}');
	if (s->n_recs < RECORDS_MAX && s->recs.n <= RECORDS_BYTES) {
		s->n_recs++;
		return;
	}
	sw_buf_truncate(&s->recs, s->recs_last);
	if (!s->recs_lost++)
		sw_step_note(s, SW_NOTE_ERROR, NULL, NULL, "more than %d changes or %d KiB of them in one step, the history lacks some", RECORDS_MAX, RECORDS_BYTES / 1024);
}

/* ---- a place ---- */

/* What of a watch is looked at: the rest changes at every check. */
struct watch_seen { const char *id, *verdict, *reason; enum watch_state state; sw_ms until, fail_at, ended; bool fired; };

struct record_place {
	size_t n_deps, n_watches, n_acts;
	struct deployment *deps;
	struct watch_seen *watches;
	struct act *acts;
};

static struct watch_seen watch_seen(const struct watch *w)
{
	return (struct watch_seen){ .id = w->id, .verdict = w->verdict, .reason = w->reason, .state = w->state, .until = w->until, .fail_at = w->fail_at,
	                            .ended = w->ended, .fired = w->fired };
}

static bool watch_same(const struct watch_seen *a, const struct watch_seen *b)
{
	return a->state == b->state && a->until == b->until && a->fail_at == b->fail_at && a->ended == b->ended && a->fired == b->fired &&
	       sw_streq(a->verdict, b->verdict) && sw_streq(a->reason, b->reason);
}

struct record_place *sw_record_place_seen(struct step *s, const struct place_state *p)
{
	struct record_place *x = SW_ARENA_NEW(s->a, struct record_place);

	x->n_deps = p->n_deps;
	x->n_watches = p->n_watches;
	x->n_acts = p->n_acts;
	x->deps = sw_arena_raw(s->a, (p->n_deps + 1) * sizeof *x->deps);
	x->acts = sw_arena_raw(s->a, (p->n_acts + 1) * sizeof *x->acts);
	x->watches = sw_arena_raw(s->a, (p->n_watches + 1) * sizeof *x->watches);
	memcpy(x->deps, p->deps, p->n_deps * sizeof *x->deps);
	memcpy(x->acts, p->acts, p->n_acts * sizeof *x->acts);
	for (size_t i = 0; i < p->n_watches; i++)
		x->watches[i] = watch_seen(&p->watches[i]);
	return x;
}

static void write_dep(const void *x, struct sw_jw *w) { sw_place_write_dep(x, true, w); }
static void write_act(const void *x, struct sw_jw *w) { sw_place_write_act(x, w); }

/* As it was? Most are, byte for byte; others may have been given the same words anew, so both are written (and taken back). */
static bool record_same(struct step *s, const void *was, const void *now, size_t size, void (*write)(const void *x, struct sw_jw *w))
{
	size_t from = s->recs.n, mid;
	struct sw_jw w;
	bool same;

	if (memcmp(was, now, size) == 0)
		return true;
	sw_jw_init(&w, &s->recs);
	write(was, &w);
	mid = s->recs.n;
	sw_jw_init(&w, &s->recs);
	write(now, &w);
	same = s->recs.n - mid == mid - from && memcmp(s->recs.p + from, s->recs.p + mid, mid - from) == 0;
	sw_buf_truncate(&s->recs, from);
	return same;
}

static void place_deps(struct step *s, const struct record_place *seen, const struct place_state *p)
{
	struct sw_jw w;

	for (size_t i = 0; i < p->n_deps; i++) {
		const struct deployment *d = &p->deps[i];
		size_t k = i < seen->n_deps && sw_streq(seen->deps[i].id, d->id) ? i : 0; /* few move */

		while (k < seen->n_deps && !sw_streq(seen->deps[k].id, d->id))
			k++;
		if (k < seen->n_deps && record_same(s, &seen->deps[k], d, sizeof *d, write_dep))
			continue;
		sw_record_begin(s, "dep", &w);
		sw_place_write_dep(d, true, &w);
		sw_record_end(s, &w);
	}
}

static void place_watches(struct step *s, const struct record_place *seen, const struct place_state *p)
{
	struct sw_jw w;

	for (size_t i = 0; i < p->n_watches; i++) {
		struct watch_seen now = watch_seen(&p->watches[i]);
		size_t k = i < seen->n_watches && sw_streq(seen->watches[i].id, now.id) ? i : 0;

		while (k < seen->n_watches && !sw_streq(seen->watches[k].id, now.id))
			k++;
		if (k < seen->n_watches && watch_same(&seen->watches[k], &now))
			continue;
		sw_record_begin(s, "watch", &w);
		sw_place_write_watch(&p->watches[i], false, &w);
		sw_record_end(s, &w);
	}
}

void sw_record_place(struct step *s, const struct record_place *seen, const struct place_state *p)
{
	struct sw_jw w;

	place_deps(s, seen, p);
	place_watches(s, seen, p);
	for (size_t i = 0; i < p->n_acts; i++) {
		size_t k = 0;

		while (k < seen->n_acts && !sw_streq(seen->acts[k].id, p->acts[i].id))
			k++;
		if (k < seen->n_acts && record_same(s, &seen->acts[k], &p->acts[i], sizeof p->acts[i], write_act))
			continue;
		sw_record_begin(s, "act", &w);
		sw_place_write_act(&p->acts[i], &w);
		sw_record_end(s, &w);
	}
}

/* ---- messages ---- */

void sw_record_told(struct step *s, const char *delivery, const char *news, const struct sw_jnode *alert)
{
	struct sw_jw w;

	sw_record_begin(s, "told", &w);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "delivery", delivery);
	sw_jw_str(&w, "news", news);
	sw_jw_node(&w, "alert", alert);
	sw_jw_obj_end(&w);
	sw_record_end(s, &w);
}

void sw_record_digest(struct step *s, const struct sw_alert *al)
{
	struct sw_jw w;

	sw_record_begin(s, "told", &w);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "delivery", al->delivery);
	sw_jw_str(&w, "news", sw_news_name(al->news));
	sw_alert_write(al, &w, "alert");
	sw_jw_obj_end(&w);
	sw_record_end(s, &w);
}

void sw_record_channel(struct step *s, const char *name, const char *why)
{
	struct sw_jw w;

	sw_record_begin(s, "chan", &w);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "name", name);
	sw_jw_str(&w, "state", why ? "down" : "up");
	sw_jw_opt(&w, "why", why);
	sw_jw_obj_end(&w);
	sw_record_end(s, &w);
}

void sw_record_way(struct step *s, const struct sw_record_way *x)
{
	struct sw_jw w;

	sw_record_begin(s, "way", &w);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "delivery", x->delivery);
	sw_jw_str(&w, "channel", x->channel);
	sw_jw_str(&w, "state", x->state);
	if (x->tries)
		sw_jw_int(&w, "tries", x->tries);
	if (x->fallback)
		sw_jw_bool(&w, "fallback", true);
	sw_jw_opt(&w, "why", x->why);
	sw_jw_obj_end(&w);
	sw_record_end(s, &w);
}

void sw_record_try(struct step *s, const char *delivery, const char *channel, int64_t n, const char *class, const char *detail, bool repeat)
{
	struct sw_jw w;

	sw_record_begin(s, "try", &w);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "delivery", delivery);
	sw_jw_str(&w, "channel", channel);
	sw_jw_int(&w, "n", n);
	sw_jw_str(&w, "class", class ? class : "ambiguous");
	sw_jw_opt(&w, "detail", detail && *detail ? detail : NULL);
	if (repeat)
		sw_jw_bool(&w, "repeat", true);
	sw_jw_obj_end(&w);
	sw_record_end(s, &w);
}

struct record_alert { size_t n; struct delivery queue[ALERT_QUEUE]; };

struct record_alert *sw_record_alert_seen(struct step *s, const struct alert_state *st)
{
	struct record_alert *x = sw_arena_raw(s->a, sizeof *x);

	x->n = st->n_queue;
	memcpy(x->queue, st->queue, st->n_queue * sizeof *x->queue);
	return x;
}

static const char *way_state(const struct delivery *q)
{
	return q->sending ? "sending" : q->silenced ? "silenced" : "waits";
}

void sw_record_alert(struct step *s, const struct record_alert *seen, const struct alert_state *st)
{
	for (size_t i = 0; i < st->n_queue; i++) {
		const struct delivery *q = &st->queue[i], *was = NULL;

		for (size_t k = 0; k < seen->n && !was; k++)
			if (sw_streq(seen->queue[k].delivery, q->delivery) && sw_streq(seen->queue[k].channel, q->channel))
				was = &seen->queue[k];
		if (was && sw_streq(way_state(was), way_state(q)) && was->tries == q->tries && was->fallback == q->fallback && was->parked == q->parked)
			continue;
		sw_record_way(s, &(struct sw_record_way){ .delivery = q->delivery, .channel = q->channel, .state = way_state(q), .tries = q->tries,
		                                          .fallback = q->fallback, .why = q->why });
	}
}
