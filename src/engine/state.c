/* The state of one place from JSON and to JSON; what goes first when it grows too large. */
#include <stddef.h>
#include <string.h>

#include "base/str.h"
#include "engine/place.h"

static const char *const act_names[] = {
	"proposed", "asking", "postponed", "started", "done", "failed", "unknown", "skipped", "verified", "ineffective" };
static const char *const past_names[] = { "asked", "known", "missing" };
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

/* ---- from JSON ---- */

/* A state that somebody broke has no order any more, but it is read. */
static const char *place_id(const struct sw_jnode *n)
{
	return sw_jstr(n, "id") ? sw_jstr(n, "id") : "";
}

static void place_read_dep(struct step *s, const struct sw_jnode *n, struct deployment *d)
{
	memset(d, 0, sizeof *d); /* record.c compares bytes */
	*d = (struct deployment){
		.id = place_id(n), .rank_of_ev = (int)sw_jint(n, "rank", 0), .origin = sw_jstr(n, "origin"), .d = sw_jstr(n, "d"),
		.j = sw_jstr(n, "j"), .p = sw_jstr(n, "p"), .r = sw_jstr(n, "r"), .status = sw_status_parse(sw_jstr(n, "status")),
		.status_at = sw_jint(n, "status_at", 0), .seen = sw_jint(n, "seen", 0), .started = sw_jint(n, "started", 0),
		.finished = sw_jint(n, "finished", 0), .is_rollback = sw_jbool(n, "is_rollback", false),
		.is_redeploy = sw_jbool(n, "is_redeploy", false), .concurrent = sw_jbool(n, "concurrent", false),
		.told_started = sw_jbool(n, "told_started", false), .told_stuck = sw_jbool(n, "told_stuck", false),
		.told_done = sw_jbool(n, "told_done", false), .told_inconclusive = sw_jbool(n, "told_inconclusive", false),
		.counted = sw_jbool(n, "counted", false), .prev_sha = sw_jstr(n, "prev_sha"), .prev_version = sw_jstr(n, "prev_version"),
		.prev_verdict = sw_jstr(n, "prev_verdict"), .rollback_of = sw_jstr(n, "rollback_of"), .acted = sw_jbool(n, "acted", false),
		.retargeted = sw_jbool(n, "retargeted", false),
		.good = (int)sw_jint(n, "good", -1), .said = sw_jbool(n, "said", false),
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
		.total = sw_jint(n, "total", 0), .known = sw_jint(n, "known", 0), .early = sw_jint(n, "early", 0), .last_known = sw_jbool(n, "last_known", false),
		.calm = (int)sw_jint(n, "calm", 0), .verdict = sw_jstr(n, "verdict"), .reason = sw_jstr(n, "reason"),
		.fired = sw_jbool(n, "fired", false), .transient = sw_jbool(n, "transient", false),
		.ended = sw_jint(n, "ended", 0), .looked = sw_jint(n, "looked", 0), .asked = sw_jbool(n, "asked", false),
		.requests = sw_jnum(n, "requests", -1), .counted = sw_jnum(n, "counted", -1), .every = sw_jint(n, "every", 0),
	};
	for (const struct sw_jnode *h = sw_jget(n, "holds") ? sw_jget(n, "holds")->child : NULL; h && w->n_holds < SW_HOLDS_MAX;
	     h = h->next)
		w->holds[w->n_holds++] = (struct sw_hold){
			.last_at = sw_jint(h, "at", 0), .since = sw_jint(h, "since", 0), .gap = sw_jint(h, "gap", 0),
			.valid = (uint32_t)sw_jint(h, "valid", 0), .bits = (uint32_t)sw_jint(h, "bits", 0) };
}

static void place_read_act(const struct sw_jnode *n, struct act *x)
{
	memset(x, 0, sizeof *x);
	*x = (struct act){
		.id = place_id(n), .action = sw_jstr(n, "action"), .dep = sw_jstr(n, "dep"), .watch = sw_jstr(n, "watch"),
		.rule = sw_jstr(n, "rule"), .hash = sw_jstr(n, "hash"),
		.state = (enum act_state)place_word(act_names, SW_COUNT(act_names), sw_jstr(n, "state"), ACT_UNKNOWN),
		.rollback = sw_jbool(n, "rollback", true), .proposed = sw_jint(n, "proposed", 0), .due = sw_jint(n, "due", 0),
		.deadline = sw_jint(n, "deadline", 0), .started = sw_jint(n, "started", 0),
		.refused_since = sw_jint(n, "refused_since", 0), .why = sw_jstr(n, "why"), .target = sw_jstr(n, "target"),
		.offer = sw_jstr(n, "offer"), .asked = sw_jint(n, "asked", 0), .proceed = sw_jbool(n, "proceed", false),
		.ask_why = sw_jstr(n, "ask_why"), .saw = sw_jstr(n, "saw"), .approved = sw_jbool(n, "approved", false),
		.decided_by = sw_jstr(n, "decided_by"), .decision = sw_jstr(n, "decision"), .decided_at = sw_jint(n, "decided_at", 0),
		.run_j = sw_jstr(n, "run_j"), .run_p = sw_jstr(n, "run_p"), .run_d = sw_jstr(n, "run_d") };
}

static void place_read_source(const struct sw_jnode *n, struct source_state *x)
{
	*x = (struct source_state){
		.name = sw_jstr(n, "name"), .due = sw_jint(n, "due", 0), .planned = sw_jint(n, "due", 0), .heard = sw_jint(n, "heard", 0),
		.reading = sw_reading_parse(sw_jstr(n, "r")), .value = sw_jnum(n, "v", 0), .memory = sw_jstr(n, "mem") };
}

static void place_read_past(const struct sw_jnode *n, struct past *x)
{
	*x = (struct past){
		.dep = sw_jstr(n, "dep"), .signal = sw_jstr(n, "signal"), .step = sw_jint(n, "step", 0),
		.state = (enum past_state)place_word(past_names, SW_COUNT(past_names), sw_jstr(n, "state"), PAST_MISSING),
		.due = sw_jint(n, "due", 0), .tries = (int)sw_jint(n, "tries", 0), .why = sw_jstr(n, "why") };
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

	memset(p, 0, offsetof(struct place_state, deps));
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
	EACH(x, n, "series") if (p->n_series < PLACE_SERIES) sw_readings_read(x, &p->series[p->n_series++]);
	EACH(x, n, "rollbacks") if (p->n_rollbacks < SW_COUNT(p->rollbacks)) p->rollbacks[p->n_rollbacks++] = x->i;
	sw_heard_read(n, &p->heard);
	p->n_good = place_read_texts(sw_jget(n, "good"), p->good, PLACE_SHAS);
	p->n_bad = place_read_texts(sw_jget(n, "bad"), p->bad, PLACE_SHAS);
	p->hold_by = sw_jstr(n, "hold_by");
	p->hold_why = sw_jstr(n, "hold_why");
	EACH(x, n, "sources") if (p->n_sources < PLACE_SOURCES) place_read_source(x, &p->sources[p->n_sources++]);
	EACH(x, n, "pasts") if (p->n_pasts < PLACE_PASTS) place_read_past(x, &p->pasts[p->n_pasts++]);
	p->tick_due = sw_jint(n, "tick_due", 0);
	p->failing = sw_jstr(n, "failing");
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

void sw_place_write_dep(const struct deployment *d, bool whole, struct sw_jw *w)
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
		ev.environment = d->good == 1 ? d->ev.environment : NULL; /* what it takes to bring it back */
		ev.url = d->good == 1 ? d->ev.url : NULL;
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
	jw_flag(w, "retargeted", d->retargeted);
	jw_flag(w, "acted", d->acted);
	sw_jw_int(w, "good", d->good);
	jw_flag(w, "said", d->said);
	sw_event_write(&ev, false, w, "ev");
	sw_jw_obj_end(w);
}

void sw_place_write_watch(const struct watch *x, bool holds, struct sw_jw *w)
{
	sw_jw_obj(w, NULL);
	sw_jw_str(w, "id", x->id);
	sw_jw_str(w, "dep", x->dep);
	sw_jw_str(w, "rule", x->rule);
	sw_jw_str(w, "hash", x->hash);
	sw_jw_str(w, "state", watch_names[x->state]);
	jw_time(w, "every", x->every);
	jw_time(w, "opened", x->opened);
	jw_time(w, "from", x->from);
	jw_time(w, "until", x->until);
	jw_time(w, "grace_until", x->grace_until);
	jw_time(w, "good_at", x->good_at);
	jw_time(w, "last_at", x->last_at);
	jw_time(w, "last_eval", x->last_eval);
	jw_time(w, "looked", x->looked);
	jw_flag(w, "asked", x->asked);
	jw_time(w, "fail_at", x->fail_at);
	jw_time(w, "tilt", x->tilt);
	jw_time(w, "total", x->total);
	jw_time(w, "known", x->known);
	jw_time(w, "early", x->early);
	if (x->requests >= 0)
		sw_jw_num(w, "requests", x->requests);
	if (x->counted >= 0)
		sw_jw_num(w, "counted", x->counted);
	jw_flag(w, "last_known", x->last_known);
	jw_time(w, "calm", x->calm);
	sw_jw_opt(w, "verdict", x->verdict);
	sw_jw_opt(w, "reason", x->reason);
	jw_flag(w, "fired", x->fired);
	jw_flag(w, "transient", x->transient);
	jw_time(w, "ended", x->ended);
	if (holds && x->n_holds && x->state != WATCH_DONE) {
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

void sw_place_write_act(const struct act *x, struct sw_jw *w)
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
	sw_jw_opt(w, "target", x->target);
	sw_jw_opt(w, "offer", x->offer);
	jw_time(w, "asked", x->asked);
	jw_flag(w, "proceed", x->proceed);
	sw_jw_opt(w, "ask_why", x->ask_why);
	sw_jw_opt(w, "saw", x->saw);
	jw_flag(w, "approved", x->approved);
	sw_jw_opt(w, "decided_by", x->decided_by);
	sw_jw_opt(w, "decision", x->decision);
	jw_time(w, "decided_at", x->decided_at);
	sw_jw_opt(w, "run_j", x->run_j);
	sw_jw_opt(w, "run_p", x->run_p);
	sw_jw_opt(w, "run_d", x->run_d);
	sw_jw_obj_end(w);
}

static void place_write_source(const struct source_state *x, struct sw_jw *w)
{
	sw_jw_obj(w, NULL);
	sw_jw_str(w, "name", x->name);
	jw_time(w, "due", x->due);
	jw_time(w, "heard", x->heard);
	sw_jw_str(w, "r", sw_reading_name(x->reading));
	if (x->value)
		sw_jw_num(w, "v", x->value);
	sw_jw_opt(w, "mem", x->memory);
	sw_jw_obj_end(w);
}

static void place_write_past(const struct past *x, struct sw_jw *w)
{
	sw_jw_obj(w, NULL);
	sw_jw_str(w, "dep", x->dep);
	sw_jw_str(w, "signal", x->signal);
	sw_jw_int(w, "step", x->step);
	sw_jw_str(w, "state", past_names[x->state]);
	jw_time(w, "due", x->due);
	jw_time(w, "tries", x->tries);
	sw_jw_opt(w, "why", x->why);
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
	jw_time(&w, "tick_due", p->tick_due);
	sw_jw_opt(&w, "failing", p->failing);
	sw_jw_arr(&w, "deployments");
	for (size_t i = 0; i < p->n_deps; i++)
		sw_place_write_dep(&p->deps[i], i + 3 > p->n_deps || place_open(p, p->deps[i].id), &w);
	sw_jw_arr_end(&w);
	sw_jw_arr(&w, "watches");
	for (size_t i = 0; i < p->n_watches; i++)
		sw_place_write_watch(&p->watches[i], true, &w);
	sw_jw_arr_end(&w);
	sw_jw_arr(&w, "actions");
	for (size_t i = 0; i < p->n_acts; i++)
		sw_place_write_act(&p->acts[i], &w);
	sw_jw_arr_end(&w);
	if (p->n_rollbacks) {
		sw_jw_arr(&w, "rollbacks");
		for (size_t i = 0; i < p->n_rollbacks; i++)
			sw_jw_int(&w, NULL, p->rollbacks[i]);
		sw_jw_arr_end(&w);
	}
	place_write_texts(&w, "good", p->good, p->n_good);
	place_write_texts(&w, "bad", p->bad, p->n_bad);
	sw_heard_write(&p->heard, &w);
	sw_jw_arr(&w, "sources");
	for (size_t i = 0; i < p->n_sources; i++)
		place_write_source(&p->sources[i], &w);
	sw_jw_arr_end(&w);
	if (p->n_pasts) {
		sw_jw_arr(&w, "pasts");
		for (size_t i = 0; i < p->n_pasts; i++)
			place_write_past(&p->pasts[i], &w);
		sw_jw_arr_end(&w);
	}
	sw_jw_arr(&w, "series");
	for (size_t i = 0; i < p->n_series; i++)
		sw_readings_write(&p->series[i], &w);
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
		if (!sw_readings_keep(&p->series[i], PLACE_SAMPLES_LEAST))
			continue;
		sw_buf_reset(&b);
		place_print(s, p, &b);
	}
	s->out->state = sw_arena_strndup(s->a, b.p, b.n);
	s->out->state_n = b.n;
	sw_buf_fini(&b);
}
