/* The state of one place: from JSON, to JSON, and the step that hands each message to who knows it. */
#include "engine/place.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "engine/record.h"
#include "shipwatch/err.h"

struct deployment *sw_place_dep(struct place_state *p, const char *id)
{
	for (size_t i = 0; i < p->n_deps; i++)
		if (sw_streq(p->deps[i].id, id))
			return &p->deps[i];
	return NULL;
}

struct watch *sw_place_watch(struct place_state *p, const char *id)
{
	for (size_t i = 0; i < p->n_watches; i++)
		if (sw_streq(p->watches[i].id, id))
			return &p->watches[i];
	return NULL;
}

struct act *sw_place_act(struct place_state *p, const char *id)
{
	for (size_t i = 0; i < p->n_acts; i++)
		if (sw_streq(p->acts[i].id, id))
			return &p->acts[i];
	return NULL;
}

struct deployment *sw_place_running(struct place_state *p)
{
	for (size_t i = p->n_deps; i-- > 0;)
		if (p->deps[i].status == SW_ST_SUCCESS || (p->deps[i].status == SW_ST_INACTIVE && p->deps[i].counted))
			return &p->deps[i];
	return NULL;
}

bool sw_place_has(const char *const *list, size_t n, const char *sha)
{
	for (size_t i = 0; i < n; i++)
		if (sw_sha_equal(list[i], sha))
			return true;
	return false;
}

void sw_place_remember(const char **list, size_t *n, const char *sha)
{
	if (!sha || sw_place_has(list, *n, sha))
		return;
	if (*n == PLACE_SHAS) {
		memmove(list, list + 1, (PLACE_SHAS - 1) * sizeof *list);
		(*n)--;
	}
	list[(*n)++] = sha;
}

void sw_place_forget(const char **list, size_t *n, const char *sha)
{
	size_t m = 0;

	for (size_t i = 0; i < *n; i++)
		if (!sw_sha_equal(list[i], sha))
			list[m++] = list[i];
	*n = m;
}

const char *sw_place_scope(struct step *s, const struct place_state *p)
{
	return sw_arena_printf(s->a, "%s/%s", p->service, p->environment);
}

const char *sw_place_ring(struct step *s, const struct place_state *p, const char *dep, const char *signal)
{
	return dep ? sw_arena_printf(s->a, "%s:%s", dep, signal)
	           : sw_arena_printf(s->a, "%s:%s", sw_engine_id(s->a, p->service, p->environment, NULL), signal);
}

void sw_place_then(struct step *s, struct place_state *p, struct deployment *d, struct watch *w, const struct sw_rule *rule,
                struct sw_alert *al)
{
	const char *sha = d->ev.sha ? d->ev.sha : d->ev.short_sha;

	for (size_t i = 0; i < rule->n_then; i++) {
		const struct sw_then *then = &rule->then[i];

		switch (then->kind) {
		case SW_THEN_ALERT:
			break;
		case SW_THEN_ROLLBACK:
		case SW_THEN_RUN:
			sw_act_propose(s, p, d, w, rule, then, al);
			break;
		case SW_THEN_HOLD:
			p->hold_by = "rule";
			p->hold_why = rule->name;
			break;
		case SW_THEN_LABEL:
			d->good = then->good;
			sw_place_remember(then->good ? p->good : p->bad, then->good ? &p->n_good : &p->n_bad, sha);
			break;
		}
	}
}

/* ---- the step ---- */

static void place_hold(struct step *s, struct place_state *p, const struct sw_jnode *m, bool on)
{
	const char *who = sw_jstr(m, "who");

	p->hold_by = on ? (who ? who : "somebody") : NULL;
	p->hold_why = on ? sw_jstr(m, "why") : NULL;
	sw_step_note(s, SW_NOTE_INFO, NULL, NULL, "%s by %s", on ? "put on hold" : "hold released", who ? who : "somebody");
}

static void place_cancel(struct step *s, struct place_state *p, const struct sw_jnode *m)
{
	struct watch *w = sw_place_watch(p, sw_jstr(m, "watch"));

	if (!w || w->state == WATCH_DONE) {
		sw_step_note(s, SW_NOTE_WARN, NULL, sw_jstr(m, "watch"), "cancel: no such open watch");
		return;
	}
	sw_step_note(s, SW_NOTE_INFO, NULL, w->id, "watch cancelled by %s", sw_jstr(m, "who") ? sw_jstr(m, "who") : "somebody");
	sw_act_cancel(s, p, w->dep, "cancelled by an operator");
	sw_watch_end(s, p, w, w->verdict ? w->verdict : "cancelled", "operator");
}

/* A person knows better than the watches. */
static void place_label(struct step *s, struct place_state *p, const struct sw_jnode *m)
{
	struct deployment *d = sw_place_dep(p, sw_jstr(m, "dep"));
	bool good = sw_jbool(m, "good", false);
	const char *sha, *who = sw_jstr(m, "who");

	if (!d) {
		sw_step_note(s, SW_NOTE_WARN, NULL, NULL, "label: no such deployment");
		return;
	}
	sha = d->ev.sha ? d->ev.sha : d->ev.short_sha;
	d->good = good;
	d->said = true;
	sw_place_forget(good ? p->bad : p->good, good ? &p->n_bad : &p->n_good, sha);
	sw_place_remember(good ? p->good : p->bad, good ? &p->n_good : &p->n_bad, sha);
	sw_step_note(s, SW_NOTE_INFO, d->ev.ci_run_id, NULL, "deployment %s is %s, says %s", d->id, good ? "good" : "bad", who ? who : "somebody");
}

/* Redis went back in time: what was started may have ended unseen. */
static void place_rewound(struct step *s, struct place_state *p)
{
	for (size_t i = 0; i < p->n_acts; i++) {
		struct act *x = &p->acts[i];

		if (x->state == ACT_STARTED)
			x->deadline = 1; /* sw_act_tick makes it unknown and tells people */
		else if (x->state == ACT_PROPOSED || x->state == ACT_POSTPONED)
			x->deadline = 1;
		else if (x->state == ACT_ASKING)
			sw_ask_withdraw(s, p, x, "Redis went back in time: what was decided may be lost");
	}
}

static int place_command(struct step *s, struct place_state *p, const struct sw_jnode *m)
{
	const char *what = sw_jstr(m, "do");

	if (sw_streq(what, "cancel"))
		place_cancel(s, p, m);
	else if (sw_streq(what, "hold"))
		place_hold(s, p, m, true);
	else if (sw_streq(what, "release"))
		place_hold(s, p, m, false);
	else if (sw_streq(what, "label"))
		place_label(s, p, m);
	else if (sw_streq(what, "approve"))
		sw_ask_decide(s, p, m, true);
	else if (sw_streq(what, "refuse"))
		sw_ask_decide(s, p, m, false);
	else if (sw_streq(what, "rewound"))
		place_rewound(s, p);
	else
		return sw_err_set(s->err, EBADMSG, "unknown command \"%.40s\"", what ? what : "");
	return 0;
}

static int place_timer(struct step *s, struct place_state *p, const struct sw_jnode *m)
{
	const char *name = sw_jstr(m, "name");
	sw_ms due = sw_jint(m, "due", 0);

	if (name && sw_starts(name, "probe:"))
		sw_probe_timer(s, p, name + strlen("probe:"), due);
	else if (name && sw_starts(name, "ask:"))
		sw_ask_timer(s, p, name + strlen("ask:"), due);
	else if (sw_streq(name, "tick") && due == p->tick_due)
		p->tick_due = 0; /* set again below when something still waits */
	return 0;
}

static int place_message(struct step *s, struct place_state *p, const struct sw_jnode *m)
{
	const char *t = sw_jstr(m, "t");

	if (sw_streq(t, "fact") || sw_streq(t, "told"))
		sw_heard_take(s, p, m);
	if (sw_streq(t, "fact"))
		return sw_deployment_fact(s, p, m);
	if (sw_streq(t, "timer"))
		return place_timer(s, p, m);
	if (sw_streq(t, "samples"))
		sw_place_samples(s, p, m);
	else if (sw_streq(t, "past"))
		sw_probe_past(s, p, m);
	else if (sw_streq(t, "acted"))
		sw_act_result(s, p, m);
	else if (sw_streq(t, "go"))
		sw_act_go(s, p, m);
	else if (sw_streq(t, "ask"))
		sw_ask_tell(s, p, m);
	else if (sw_streq(t, "cmd"))
		return place_command(s, p, m);
	else if (!sw_streq(t, "wake") && !sw_streq(t, "told"))
		return sw_err_set(s->err, EBADMSG, "unknown message \"%.40s\" to a place", t ? t : "");
	return 0;
}

int sw_place_step(struct step *s)
{
	struct place_state *p = sw_arena_raw(s->a, sizeof *p);
	const struct record_place *seen;
	sw_ms next = 0, tick;
	int r;

	if (!s->in->state && sw_heard_only(s->in))
		return 0;
	sw_place_read(s, p);
	seen = sw_record_place_seen(s, p);
	tick = p->tick_due;
	for (size_t i = 0; i < s->in->n_msgs; i++) {
		r = place_message(s, p, s->in->msgs[i]);
		if (r < 0)
			return r;
	}
	sw_deployment_tick(s, p, &next);
	sw_heard_tick(s, p, &next);
	sw_watch_tick(s, p, &next);
	sw_act_tick(s, p, &next);
	sw_probe_plan(s, p, &next);
	if (next != tick || (next && p->tick_due == 0)) {
		p->tick_due = next;
		sw_step_timer(s, "tick", next);
	}
	sw_record_place(s, seen, p);
	sw_place_write(s, p);
	return 0;
}
