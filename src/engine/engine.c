/* The door of the engine: takes a step's inputs apart, hands them to the aggregate's own file, collects decisions. */
#include "engine/engine.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/hmac.h"
#include "base/str.h"
#include "engine/flap.h"
#include "engine/silences.h"
#include "engine/step.h"
#include "shipwatch/err.h"

void sw_step_tell(struct step *s, const char *aggregate, const char *msg)
{
	struct sw_step *o = s->out;

	if (o->n_tells == SW_STEP_MAX) {
		sw_step_note(s, SW_NOTE_ERROR, NULL, NULL, "more than %d messages in one step, dropped one to %s", SW_STEP_MAX, aggregate);
		return;
	}
	o->tells[o->n_tells++] = (struct sw_step_tell){ .aggregate = sw_arena_strdup(s->a, aggregate), .msg = msg };
}

void sw_step_note(struct step *s, enum sw_note_level level, const char *ci_run_id, const char *watch_id, const char *fmt, ...)
{
	struct sw_step *o = s->out;
	struct sw_buf b = SW_BUF_INIT;
	va_list ap;

	if (o->n_notes == SW_STEP_MAX)
		return;
	va_start(ap, fmt);
	sw_buf_vprintf(&b, fmt, ap);
	va_end(ap);
	o->notes[o->n_notes++] = (struct sw_note){
		.level = level, .text = sw_arena_strdup(s->a, sw_buf_str(&b)), .ci_run_id = ci_run_id, .watch_id = watch_id };
	sw_buf_fini(&b);
}

void sw_step_tally(struct step *s, enum sw_tally what, const char *label)
{
	if (s->out->n_tallies < SW_STEP_MAX)
		s->out->tallies[s->out->n_tallies++] = (struct sw_tallied){ what, label };
}

void sw_step_timer(struct step *s, const char *name, sw_ms due)
{
	struct sw_step *o = s->out;

	for (size_t i = 0; i < o->n_timers; i++) {
		if (sw_streq(o->timers[i].name, name)) {
			o->timers[i].due = due;
			return;
		}
	}
	SW_ASSERT(o->n_timers < SW_COUNT(o->timers));
	o->timers[o->n_timers++] = (struct sw_step_timer){ sw_arena_strdup(s->a, name), due };
}

struct sw_io *sw_step_io(struct step *s, enum sw_io_kind kind)
{
	struct sw_io *io;

	if (s->out->n_ios == SW_STEP_MAX)
		return NULL;
	io = &s->out->ios[s->out->n_ios++];
	*io = (struct sw_io){ .kind = kind };
	return io;
}

void sw_step_ring(struct step *s, const char *ring, const struct sw_sample *sample)
{
	struct sw_step_ring *r;
	uint64_t head = ((uint64_t)sample->at & 0x00ffffffffffffffULL) | ((uint64_t)sample->reading << 56);
	float v[2] = { sample->reading == SW_R_OK ? (float)sample->value : NAN, (float)sample->count };

	if (s->out->n_rings == SW_STEP_MAX)
		return;
	r = &s->out->rings[s->out->n_rings++];
	r->ring = ring;
	memcpy(r->bytes, &head, 8);
	memcpy(r->bytes + 8, v, 8);
}

struct sw_sample sw_ring_sample(const void *bytes, const char *signal)
{
	uint64_t head;
	float v[2];

	memcpy(&head, bytes, 8);
	memcpy(v, (const unsigned char *)bytes + 8, 8);
	return (struct sw_sample){ .signal = signal, .at = (sw_ms)(head & 0x00ffffffffffffffULL),
	                           .reading = head >> 56 <= SW_R_TOO_FEW ? (enum sw_reading)(head >> 56) : SW_R_ERROR,
	                           .value = head >> 56 == SW_R_OK ? (double)v[0] : 0, .count = (double)v[1] };
}

static void step_need(struct step *s, const char *key)
{
	struct sw_step *o = s->out;

	for (size_t i = 0; i < o->n_needs; i++)
		if (sw_streq(o->needs[i], key))
			return;
	if (o->n_needs < SW_COUNT(o->needs))
		o->needs[o->n_needs++] = sw_arena_strdup(s->a, key);
}

bool sw_step_snap(struct step *s, const char *key, const char **ret)
{
	for (size_t i = 0; i < s->in->n_snaps; i++) {
		if (sw_streq(s->in->snaps[i].key, key)) {
			*ret = s->in->snaps[i].value;
			return true;
		}
	}
	if (s->e->kept && sw_starts(key, "past:")) {
		*ret = s->e->kept(s->e->arg, key);
		if (*ret)
			return true;
	}
	step_need(s, key);
	return false;
}

struct sw_rules *sw_step_rules(struct step *s, const char *hash, bool *lost)
{
	struct sw_rules *r;
	const char *key, *text;

	*lost = false;
	if (s->e->rules && sw_streq(hash, s->e->rules->hash))
		return s->e->rules;
	r = s->e->pinned ? s->e->pinned(s->e->arg, hash) : NULL;
	if (r)
		return r;
	key = sw_arena_printf(s->a, "rules:%s", hash);
	if (sw_step_snap(s, key, &text))
		*lost = true; /* asked for and still not at hand: gone or of a newer language */
	return NULL;
}

const char *sw_engine_id(struct sw_arena *a, const char *first, ...)
{
	unsigned char d[SW_SHA256_BYTES];
	struct sw_buf b = SW_BUF_INIT;
	const char *p, *ret;
	va_list ap;

	sw_buf_cat(&b, first ? first : "");
	va_start(ap, first);
	while ((p = va_arg(ap, const char *))) {
		sw_buf_putc(&b, '\n');
		sw_buf_cat(&b, p);
	}
	va_end(ap);
	sw_sha256(b.p, b.n, d);
	sw_buf_reset(&b);
	sw_hex_encode(&b, d, 6);
	ret = sw_arena_strdup(a, sw_buf_str(&b));
	sw_buf_fini(&b);
	return ret;
}

const char *sw_engine_ask_key(struct sw_arena *a, const char *act)
{
	return sw_arena_printf(a, "ask-key:%s", act);
}

/*
 * A fact of a delivery is in the journal already, whole: the line of its intake. Here it is named, by what tells it apart from the
 * delivery's others; what a person told has no such line and stands as it is.
 */
static void step_journal_fact(struct sw_jw *w, const struct sw_jnode *msg, const struct sw_jnode *ev)
{
	static const char *const names[] = { "kind", "status", "source", "event_id", "repo", "environment", "sha", "ci_run_id" };

	sw_jw_obj(w, NULL);
	sw_jw_str(w, "t", "fact");
	sw_jw_int(w, "how", sw_jint(msg, "how", 0));
	sw_jw_obj(w, "ev");
	for (size_t i = 0; i < SW_COUNT(names); i++)
		sw_jw_opt(w, names[i], sw_jstr(ev, names[i]));
	sw_jw_obj_end(w);
	sw_jw_obj_end(w);
}

static void step_journal_in(struct step *s, size_t i, struct sw_jw *w)
{
	const struct sw_jnode *msg = s->in->msgs[i], *ev = sw_jget(msg, "ev");

	if (sw_streq(sw_jstr(msg, "t"), "fact") && sw_jstr(ev, "event_id") && !sw_streq(sw_jstr(ev, "source"), "cli"))
		step_journal_fact(w, msg, ev);
	else if (s->in->texts)
		sw_jw_raw(w, NULL, s->in->texts[i], strlen(s->in->texts[i]));
	else
		sw_jw_node(w, NULL, msg);
}

/* The journal's line: what came in and what was decided, for `explain` and the recorder. */
static void step_journal(struct step *s)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_step *o = s->out;
	struct sw_jw w;

	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_int(&w, "at", s->now);
	sw_jw_str(&w, "agg", s->in->aggregate);
	sw_jw_opt(&w, "refused", s->in->refused);
	sw_jw_opt(&w, "hold", s->in->hold);
	sw_jw_arr(&w, "in");
	for (size_t i = 0; i < s->in->n_msgs; i++)
		step_journal_in(s, i, &w);
	sw_jw_arr_end(&w);
	if (s->in->fails && s->in->fails->n)
		sw_jw_node(&w, "fails", s->in->fails);
	if (s->in->n_snaps) {
		sw_jw_arr(&w, "snaps");
		for (size_t i = 0; i < s->in->n_snaps; i++)
			sw_jw_str(&w, NULL, s->in->snaps[i].key);
		sw_jw_arr_end(&w);
	}
	if (o->n_notes) {
		sw_jw_arr(&w, "notes");
		for (size_t i = 0; i < o->n_notes; i++)
			sw_jw_str(&w, NULL, o->notes[i].text);
		sw_jw_arr_end(&w);
	}
	if (o->n_tells) {
		sw_jw_arr(&w, "tells");
		for (size_t i = 0; i < o->n_tells; i++)
			sw_jw_str(&w, NULL, o->tells[i].aggregate);
		sw_jw_arr_end(&w);
	}
	sw_jw_opt(&w, "start", o->start_action);
	if (s->n_recs) {
		sw_jw_arr(&w, "recs");
		sw_jw_raw(&w, NULL, s->recs.p, s->recs.n);
		sw_jw_arr_end(&w);
	}
	sw_jw_obj_end(&w);
	o->journal = sw_arena_strndup(s->a, b.p, b.n);
	sw_buf_fini(&b);
}

static int step_run(struct step *s)
{
	const char *aggregate = s->in->aggregate;

	if (sw_starts(aggregate, "place:"))
		return sw_place_step(s);
	if (sw_starts(aggregate, "line:"))
		return sw_line_step(s);
	if (sw_starts(aggregate, "alert:"))
		return sw_alert_step(s);
	if (sw_starts(aggregate, "channel:"))
		return sw_channel_step(s);
	if (sw_starts(aggregate, "flap:"))
		return sw_flap_step(s);
	if (sw_streq(aggregate, SILENCES_KEY))
		return sw_silences_step(s);
	return sw_err_set(s->err, EBADMSG, "no such kind of aggregate: \"%.60s\"", aggregate);
}

int sw_engine_step(const struct sw_engine *e, const struct sw_step_in *in, struct sw_arena *a, struct sw_step *ret, struct sw_err *err)
{
	struct step s = { .e = e, .in = in, .a = a, .out = ret, .err = err, .now = in->now, .recs = SW_BUF_INIT };
	int r;

	memset(ret, 0, offsetof(struct sw_step, timers));
	ret->a = a;
	if (in->state) {
		sw_ms last = sw_jint(in->state, "t", 0);

		if (last > s.now) /* our time never goes back for one aggregate */
			s.now = last;
	}
	r = step_run(&s);
	if (r == 0)
		sw_news_flush(&s);
	if (r == 0 && ret->n_needs) {
		size_t n = ret->n_needs;

		memset(ret, 0, offsetof(struct sw_step, timers));
		ret->a = a;
		ret->n_needs = n;
	} else if (r == 0) {
		step_journal(&s);
	}
	sw_buf_fini(&s.recs);
	return r;
}
