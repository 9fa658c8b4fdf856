/* The state of one place: from JSON, to JSON, and the step that hands each message to who knows it. */
#include "engine/place.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "shipwatch/err.h"

static const char *const act_names[] = {
	"proposed", "postponed", "started", "done", "failed", "unknown", "skipped", "verified", "ineffective" };
static const char *const watch_names[] = { "waiting", "watching", "following", "done" };

const char *sw_act_state_name(enum act_state st)
{
	return act_names[st];
}

static int place_word(const char *const *words, size_t n, const char *s, int otherwise)
{
	for (size_t i = 0; i < n; i++)
		if (sw_streq(words[i], s))
			return (int)i;
	return otherwise;
}

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

const char *sw_place_scope(struct step *s, const struct place_state *p)
{
	return sw_arena_printf(s->a, "%s/%s", p->service, p->environment);
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

/* ---- from JSON ---- */

static void place_read_dep(struct step *s, const struct sw_jnode *n, struct deployment *d)
{
	*d = (struct deployment){
		.id = sw_jstr(n, "id"), .rank_of_ev = (int)sw_jint(n, "rank", 0), .origin = sw_jstr(n, "origin"), .d = sw_jstr(n, "d"),
		.j = sw_jstr(n, "j"), .p = sw_jstr(n, "p"), .r = sw_jstr(n, "r"), .status = sw_status_parse(sw_jstr(n, "status")),
		.status_at = sw_jint(n, "status_at", 0), .seen = sw_jint(n, "seen", 0), .started = sw_jint(n, "started", 0),
		.finished = sw_jint(n, "finished", 0), .is_rollback = sw_jbool(n, "is_rollback", false),
		.is_redeploy = sw_jbool(n, "is_redeploy", false), .concurrent = sw_jbool(n, "concurrent", false),
		.told_started = sw_jbool(n, "told_started", false), .told_stuck = sw_jbool(n, "told_stuck", false),
		.told_done = sw_jbool(n, "told_done", false), .told_inconclusive = sw_jbool(n, "told_inconclusive", false),
		.counted = sw_jbool(n, "counted", false), .prev_sha = sw_jstr(n, "prev_sha"), .prev_version = sw_jstr(n, "prev_version"),
		.prev_verdict = sw_jstr(n, "prev_verdict"), .rollback_of = sw_jstr(n, "rollback_of"), .acted = sw_jbool(n, "acted", false),
		.good = (int)sw_jint(n, "good", -1),
	};
	sw_event_read(sw_jget(n, "ev"), s->a, &d->ev);
}

static void place_read_watch(const struct sw_jnode *n, struct watch *w)
{
	*w = (struct watch){
		.id = sw_jstr(n, "id"), .dep = sw_jstr(n, "dep"), .rule = sw_jstr(n, "rule"), .hash = sw_jstr(n, "hash"),
		.state = (enum watch_state)place_word(watch_names, SW_COUNT(watch_names), sw_jstr(n, "state"), WATCH_DONE),
		.opened = sw_jint(n, "opened", 0), .from = sw_jint(n, "from", 0), .until = sw_jint(n, "until", 0),
		.grace_until = sw_jint(n, "grace_until", 0), .good_at = sw_jint(n, "good_at", 0), .last_at = sw_jint(n, "last_at", 0),
		.last_eval = sw_jint(n, "last_eval", 0), .fail_at = sw_jint(n, "fail_at", 0), .tilt = sw_jint(n, "tilt", 0),
		.total = sw_jint(n, "total", 0), .known = sw_jint(n, "known", 0), .last_known = sw_jbool(n, "last_known", false),
		.calm = (int)sw_jint(n, "calm", 0), .verdict = sw_jstr(n, "verdict"), .reason = sw_jstr(n, "reason"),
		.fired = sw_jbool(n, "fired", false),
	};
	for (const struct sw_jnode *h = sw_jget(n, "holds") ? sw_jget(n, "holds")->child : NULL; h && w->n_holds < SW_HOLDS_MAX;
	     h = h->next)
		w->holds[w->n_holds++] = (struct sw_hold){
			.last_at = sw_jint(h, "at", 0), .since = sw_jint(h, "since", 0), .gap = sw_jint(h, "gap", 0),
			.valid = (uint32_t)sw_jint(h, "valid", 0), .bits = (uint32_t)sw_jint(h, "bits", 0) };
}

static void place_read_act(const struct sw_jnode *n, struct act *x)
{
	*x = (struct act){
		.id = sw_jstr(n, "id"), .action = sw_jstr(n, "action"), .dep = sw_jstr(n, "dep"), .watch = sw_jstr(n, "watch"),
		.rule = sw_jstr(n, "rule"), .hash = sw_jstr(n, "hash"),
		.state = (enum act_state)place_word(act_names, SW_COUNT(act_names), sw_jstr(n, "state"), ACT_UNKNOWN),
		.rollback = sw_jbool(n, "rollback", true), .proposed = sw_jint(n, "proposed", 0), .due = sw_jint(n, "due", 0),
		.deadline = sw_jint(n, "deadline", 0), .started = sw_jint(n, "started", 0),
		.refused_since = sw_jint(n, "refused_since", 0), .why = sw_jstr(n, "why") };
}

static void place_read_series(const struct sw_jnode *n, struct series *sr)
{
	*sr = (struct series){ .name = sw_jstr(n, "name") };
	for (const struct sw_jnode *x = sw_jget(n, "s") ? sw_jget(n, "s")->child : NULL; x && sr->n < PLACE_SAMPLES; x = x->next) {
		const struct sw_jnode *at = x->child, *r = at ? at->next : NULL, *v = r ? r->next : NULL, *t = v ? v->next : NULL;

		if (!v)
			continue;
		sr->s[sr->n++] = (struct sw_sample){ .signal = sr->name, .at = at->i, .reading = (enum sw_reading)r->i, .value = v->d,
		                                     .text = t && t->type == SW_J_STRING ? t->text : NULL };
	}
}

static size_t place_read_texts(const struct sw_jnode *list, const char **ret, size_t max)
{
	size_t n = 0;

	for (const struct sw_jnode *x = list ? list->child : NULL; x && n < max; x = x->next)
		if (x->type == SW_J_STRING)
			ret[n++] = x->text;
	return n;
}

#define EACH(x, obj, key) for (const struct sw_jnode *x = sw_jget(obj, key) ? sw_jget(obj, key)->child : NULL; x; x = x->next)

void sw_place_read(struct step *s, struct place_state *p)
{
	const struct sw_jnode *n = s->in->state;
	const char *name = s->in->aggregate + strlen("place:"), *slash = strrchr(name, '/');

	memset(p, 0, sizeof *p);
	p->service = slash ? sw_arena_strndup(s->a, name, (size_t)(slash - name)) : name;
	p->environment = slash ? slash + 1 : "";
	/* names of environments hold slashes ("production/hz"): the state knows better where to cut */
	if (n && sw_jstr(n, "service")) {
		p->service = sw_jstr(n, "service");
		p->environment = sw_jstr(n, "environment");
	}
	for (const char *c = strchr(name, '/'); !p->conf && c; c = strchr(c + 1, '/')) {
		const char *svc = sw_arena_strndup(s->a, name, (size_t)(c - name));

		p->conf = sw_places_find(s->e->places, svc, c + 1, s->a);
		if (p->conf) {
			p->service = p->conf->service;
			p->environment = p->conf->environment;
		}
	}
	EACH(x, n, "deployments") if (p->n_deps < PLACE_DEPLOYMENTS) place_read_dep(s, x, &p->deps[p->n_deps++]);
	EACH(x, n, "watches") if (p->n_watches < PLACE_WATCHES) place_read_watch(x, &p->watches[p->n_watches++]);
	EACH(x, n, "actions") if (p->n_acts < PLACE_ACTS) place_read_act(x, &p->acts[p->n_acts++]);
	EACH(x, n, "series") if (p->n_series < PLACE_SERIES) place_read_series(x, &p->series[p->n_series++]);
	EACH(x, n, "rollbacks") if (p->n_rollbacks < SW_COUNT(p->rollbacks)) p->rollbacks[p->n_rollbacks++] = x->i;
	p->n_good = place_read_texts(sw_jget(n, "good"), p->good, PLACE_SHAS);
	p->n_bad = place_read_texts(sw_jget(n, "bad"), p->bad, PLACE_SHAS);
	p->hold_by = sw_jstr(n, "hold_by");
	p->hold_why = sw_jstr(n, "hold_why");
	p->probe_due = sw_jint(n, "probe_due", 0);
	p->tick_due = sw_jint(n, "tick_due", 0);
	p->failing = sw_jbool(n, "failing", false);
}

/* ---- to JSON ---- */

static void jw_time(struct sw_jw *w, const char *key, int64_t v)
{
	if (v)
		sw_jw_int(w, key, v);
}

static void jw_flag(struct sw_jw *w, const char *key, bool v)
{
	if (v)
		sw_jw_bool(w, key, v);
}

static void place_write_dep(const struct deployment *d, bool whole, struct sw_jw *w)
{
	struct sw_event ev = d->ev;

	if (!whole) {
		/* Of old deployments only what identity, order and the next message need. */
		sw_event_init(&ev);
		ev.kind = d->ev.kind;
		ev.repo = d->ev.repo;
		ev.sha = d->ev.sha;
		ev.short_sha = d->ev.short_sha;
		ev.version = d->ev.version;
		ev.ci_run_id = d->ev.ci_run_id;
		ev.user = d->ev.user;
	}
	sw_jw_obj(w, NULL);
	sw_jw_str(w, "id", d->id);
	sw_jw_int(w, "rank", d->rank_of_ev);
	sw_jw_opt(w, "origin", d->origin);
	sw_jw_opt(w, "d", d->d);
	sw_jw_opt(w, "j", d->j);
	sw_jw_opt(w, "p", d->p);
	sw_jw_opt(w, "r", d->r);
	sw_jw_str(w, "status", sw_status_name(d->status));
	jw_time(w, "status_at", d->status_at);
	jw_time(w, "seen", d->seen);
	jw_time(w, "started", d->started);
	jw_time(w, "finished", d->finished);
	jw_flag(w, "is_rollback", d->is_rollback);
	jw_flag(w, "is_redeploy", d->is_redeploy);
	jw_flag(w, "concurrent", d->concurrent);
	jw_flag(w, "told_started", d->told_started);
	jw_flag(w, "told_stuck", d->told_stuck);
	jw_flag(w, "told_done", d->told_done);
	jw_flag(w, "told_inconclusive", d->told_inconclusive);
	jw_flag(w, "counted", d->counted);
	sw_jw_opt(w, "prev_sha", d->prev_sha);
	sw_jw_opt(w, "prev_version", d->prev_version);
	sw_jw_opt(w, "prev_verdict", d->prev_verdict);
	sw_jw_opt(w, "rollback_of", d->rollback_of);
	jw_flag(w, "acted", d->acted);
	sw_jw_int(w, "good", d->good);
	sw_event_write(&ev, false, w, "ev");
	sw_jw_obj_end(w);
}

static void place_write_watch(const struct watch *x, struct sw_jw *w)
{
	sw_jw_obj(w, NULL);
	sw_jw_str(w, "id", x->id);
	sw_jw_str(w, "dep", x->dep);
	sw_jw_str(w, "rule", x->rule);
	sw_jw_str(w, "hash", x->hash);
	sw_jw_str(w, "state", watch_names[x->state]);
	jw_time(w, "opened", x->opened);
	jw_time(w, "from", x->from);
	jw_time(w, "until", x->until);
	jw_time(w, "grace_until", x->grace_until);
	jw_time(w, "good_at", x->good_at);
	jw_time(w, "last_at", x->last_at);
	jw_time(w, "last_eval", x->last_eval);
	jw_time(w, "fail_at", x->fail_at);
	jw_time(w, "tilt", x->tilt);
	jw_time(w, "total", x->total);
	jw_time(w, "known", x->known);
	jw_flag(w, "last_known", x->last_known);
	jw_time(w, "calm", x->calm);
	sw_jw_opt(w, "verdict", x->verdict);
	sw_jw_opt(w, "reason", x->reason);
	jw_flag(w, "fired", x->fired);
	if (x->n_holds && x->state != WATCH_DONE) {
		sw_jw_arr(w, "holds");
		for (size_t i = 0; i < x->n_holds; i++) {
			sw_jw_obj(w, NULL);
			jw_time(w, "at", x->holds[i].last_at);
			jw_time(w, "since", x->holds[i].since);
			jw_time(w, "gap", x->holds[i].gap);
			jw_time(w, "valid", x->holds[i].valid);
			jw_time(w, "bits", x->holds[i].bits);
			sw_jw_obj_end(w);
		}
		sw_jw_arr_end(w);
	}
	sw_jw_obj_end(w);
}

static void place_write_act(const struct act *x, struct sw_jw *w)
{
	sw_jw_obj(w, NULL);
	sw_jw_str(w, "id", x->id);
	sw_jw_str(w, "action", x->action);
	sw_jw_str(w, "dep", x->dep);
	sw_jw_opt(w, "watch", x->watch);
	sw_jw_opt(w, "rule", x->rule);
	sw_jw_opt(w, "hash", x->hash);
	sw_jw_str(w, "state", act_names[x->state]);
	sw_jw_bool(w, "rollback", x->rollback);
	jw_time(w, "proposed", x->proposed);
	jw_time(w, "due", x->due);
	jw_time(w, "deadline", x->deadline);
	jw_time(w, "started", x->started);
	jw_time(w, "refused_since", x->refused_since);
	sw_jw_opt(w, "why", x->why);
	sw_jw_obj_end(w);
}

static void place_write_series(const struct series *sr, struct sw_jw *w)
{
	sw_jw_obj(w, NULL);
	sw_jw_str(w, "name", sr->name);
	sw_jw_arr(w, "s");
	for (size_t i = 0; i < sr->n; i++) {
		const struct sw_sample *x = &sr->s[i];
		/* a version or reason is kept where it changes and on the newest, that is where it is asked for */
		bool text = x->text && (i + 1 == sr->n || !sw_streq(sr->s[i + 1].text, x->text));

		sw_jw_arr(w, NULL);
		sw_jw_int(w, NULL, x->at);
		sw_jw_int(w, NULL, x->reading);
		sw_jw_num(w, NULL, x->value);
		if (text)
			sw_jw_str(w, NULL, x->text);
		sw_jw_arr_end(w);
	}
	sw_jw_arr_end(w);
	sw_jw_obj_end(w);
}

static void place_write_texts(struct sw_jw *w, const char *key, const char *const *list, size_t n)
{
	if (!n)
		return;
	sw_jw_arr(w, key);
	for (size_t i = 0; i < n; i++)
		sw_jw_str(w, NULL, list[i]);
	sw_jw_arr_end(w);
}

static bool place_open(const struct place_state *p, const char *dep)
{
	for (size_t i = 0; i < p->n_watches; i++)
		if (p->watches[i].state != WATCH_DONE && sw_streq(p->watches[i].dep, dep))
			return true;
	return false;
}

static void place_print(struct step *s, const struct place_state *p, struct sw_buf *b)
{
	struct sw_jw w;

	sw_jw_init(&w, b);
	sw_jw_obj(&w, NULL);
	sw_jw_int(&w, "t", s->now);
	sw_jw_str(&w, "service", p->service);
	sw_jw_str(&w, "environment", p->environment);
	sw_jw_opt(&w, "hold_by", p->hold_by);
	sw_jw_opt(&w, "hold_why", p->hold_why);
	jw_time(&w, "probe_due", p->probe_due);
	jw_time(&w, "tick_due", p->tick_due);
	jw_flag(&w, "failing", p->failing);
	sw_jw_arr(&w, "deployments");
	for (size_t i = 0; i < p->n_deps; i++)
		place_write_dep(&p->deps[i], i + 3 > p->n_deps || place_open(p, p->deps[i].id), &w);
	sw_jw_arr_end(&w);
	sw_jw_arr(&w, "watches");
	for (size_t i = 0; i < p->n_watches; i++)
		place_write_watch(&p->watches[i], &w);
	sw_jw_arr_end(&w);
	sw_jw_arr(&w, "actions");
	for (size_t i = 0; i < p->n_acts; i++)
		place_write_act(&p->acts[i], &w);
	sw_jw_arr_end(&w);
	if (p->n_rollbacks) {
		sw_jw_arr(&w, "rollbacks");
		for (size_t i = 0; i < p->n_rollbacks; i++)
			sw_jw_int(&w, NULL, p->rollbacks[i]);
		sw_jw_arr_end(&w);
	}
	place_write_texts(&w, "good", p->good, p->n_good);
	place_write_texts(&w, "bad", p->bad, p->n_bad);
	sw_jw_arr(&w, "series");
	for (size_t i = 0; i < p->n_series; i++)
		place_write_series(&p->series[i], &w);
	sw_jw_arr_end(&w);
	sw_jw_obj_end(&w);
}

/* Drops the oldest deployment nobody watches; false when there is none to drop. */
static bool place_drop_oldest(struct place_state *p)
{
	for (size_t i = 0; i + 2 < p->n_deps; i++) {
		const char *id = p->deps[i].id;
		size_t n = 0;

		if (place_open(p, id))
			continue;
		for (size_t k = 0; k < p->n_watches; k++)
			if (!sw_streq(p->watches[k].dep, id))
				p->watches[n++] = p->watches[k];
		p->n_watches = n;
		memmove(&p->deps[i], &p->deps[i + 1], (p->n_deps - i - 1) * sizeof p->deps[0]);
		p->n_deps--;
		return true;
	}
	return false;
}

void sw_place_write(struct step *s, struct place_state *p)
{
	struct sw_buf b = SW_BUF_INIT;

	while (p->n_deps > PLACE_DEPLOYMENTS && place_drop_oldest(p))
		;
	place_print(s, p, &b);
	while (b.n > PLACE_BYTES && place_drop_oldest(p)) {
		sw_buf_reset(&b);
		place_print(s, p, &b);
	}
	for (size_t i = 0; b.n > PLACE_BYTES && i < p->n_series; i++) {
		struct series *sr = &p->series[i];
		size_t keep = sr->n / 2;

		memmove(sr->s, sr->s + sr->n - keep, keep * sizeof sr->s[0]);
		sr->n = keep;
		sw_buf_reset(&b);
		place_print(s, p, &b);
	}
	s->out->state = sw_arena_strndup(s->a, b.p, b.n);
	s->out->state_n = b.n;
	sw_buf_fini(&b);
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

/* Redis went back in time: what was started may have ended unseen. */
static void place_rewound(struct step *s, struct place_state *p)
{
	(void)s;
	for (size_t i = 0; i < p->n_acts; i++) {
		struct act *x = &p->acts[i];

		if (x->state == ACT_STARTED)
			x->deadline = 1; /* sw_act_tick makes it unknown and tells people */
		else if (x->state == ACT_PROPOSED || x->state == ACT_POSTPONED)
			x->deadline = 1;
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
	else if (sw_streq(what, "rewound"))
		place_rewound(s, p);
	else
		return sw_err_set(s->err, EBADMSG, "unknown command \"%.40s\"", what ? what : "");
	return 0;
}

/* Asks for the place's health, at the rhythm it deserves now. */
static void place_probe(struct step *s, struct place_state *p)
{
	sw_dur every = sw_watch_rhythm(s, p);
	const struct deployment *d = sw_place_running(p);
	struct sw_io *io;
	sw_ms next;

	if (!every) {
		p->probe_due = 0;
		return;
	}
	io = sw_step_io(s, SW_IO_PROBE);
	if (io) {
		io->source = "health";
		io->deployment = d ? d->id : NULL;
		io->sha = d ? (d->ev.sha ? d->ev.sha : d->ev.short_sha) : NULL;
		io->version = d ? d->ev.version : NULL;
	}
	next = p->probe_due + every;
	p->probe_due = next > s->now ? next : s->now + every;
}

static int place_timer(struct step *s, struct place_state *p, const struct sw_jnode *m)
{
	const char *name = sw_jstr(m, "name");
	sw_ms due = sw_jint(m, "due", 0);

	if (sw_streq(name, "probe") && due == p->probe_due)
		place_probe(s, p);
	else if (sw_streq(name, "tick") && due == p->tick_due)
		p->tick_due = 0; /* set again below when something still waits */
	return 0;
}

static int place_message(struct step *s, struct place_state *p, const struct sw_jnode *m)
{
	const char *t = sw_jstr(m, "t");

	if (sw_streq(t, "fact"))
		return sw_deployment_fact(s, p, m);
	if (sw_streq(t, "timer"))
		return place_timer(s, p, m);
	if (sw_streq(t, "samples"))
		sw_watch_samples(s, p, m);
	else if (sw_streq(t, "acted"))
		sw_act_result(s, p, m);
	else if (sw_streq(t, "go"))
		sw_act_go(s, p, m);
	else if (sw_streq(t, "cmd"))
		return place_command(s, p, m);
	else if (!sw_streq(t, "wake"))
		return sw_err_set(s->err, EBADMSG, "unknown message \"%.40s\" to a place", t ? t : "");
	return 0;
}

/* A probe is wanted sooner than it is planned (a watch opened), or at all. */
static void place_plan_probe(struct step *s, struct place_state *p)
{
	sw_dur every = sw_watch_rhythm(s, p);

	if (!every)
		p->probe_due = 0;
	else if (!p->probe_due || p->probe_due > s->now + every)
		p->probe_due = s->now + 1;
}

int sw_place_step(struct step *s)
{
	struct place_state *p = SW_ARENA_NEW(s->a, struct place_state);
	sw_ms next = 0, probe, tick;
	int r;

	sw_place_read(s, p);
	probe = p->probe_due;
	tick = p->tick_due;
	for (size_t i = 0; i < s->in->n_msgs; i++) {
		r = place_message(s, p, s->in->msgs[i]);
		if (r < 0)
			return r;
	}
	sw_deployment_tick(s, p, &next);
	sw_watch_tick(s, p, &next);
	sw_act_tick(s, p, &next);
	place_plan_probe(s, p);
	if (p->probe_due != probe)
		sw_step_timer(s, "probe", p->probe_due);
	if (next != tick || (next && p->tick_due == 0)) {
		p->tick_due = next;
		sw_step_timer(s, "tick", next);
	}
	sw_place_write(s, p);
	return 0;
}
