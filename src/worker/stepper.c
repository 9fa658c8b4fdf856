/*
 * The stepper: messages of `work` become steps of the engine, one aggregate at a time.
 *
 * Every aggregate that has messages here has a lane: a queue of entries and at most one run under way.
 *
 *   add ─▶ queue ─begin─▶ load ─▶ (needs: load again) ─▶ step ─▶ commit ─┬─ OK        done: I/O starts, next run
 *            ▲                                                          ├─ CONFLICT  load again
 *            │                                                          ├─ REFUSED   load again, the step is told why
 *            └───────────────── the run is taken up again ──────────────┼─ GONE      one by one, then dropped
 *                                                                       └─ -errno    later, nothing is lost
 *
 * 1. An entry leaves the queue only when it is known to be acknowledged, buried, or somebody else's.
 * 2. A run folds all waiting messages into one commit, except entries taken over from a dead worker: those run alone, marked.
 * 3. Samples of our own probes are in no stream: they come to the lane at once, on the state that the step which asked has left
 *    (states.c), and are lost with the worker, as what is under way is. While a worker died not long ago they go by way of the
 *    stream, so that one that kills is counted and buried (state.md: a poison event harms only itself).
 * 4. What a step wants done is started after its commit was answered OK, never before.
 */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "shipwatch/clock.h"
#include "shipwatch/log.h"
#include "worker/inner.h"

#define LOG "worker/stepper"
#define RUN_MAX      64     /* entries folded into one commit */
#define ROUNDS_MAX   4      /* loads for one step */
#define KEYS_MAX     64
#define CONFLICTS    8      /* in a row, then a pause */
#define DEATHS_MAX   5
#define STATE_NODES  65536
#define MSG_NODES    200000
#define SPARE_MAX    (512 * 1024) /* a larger arena is not kept for the next lane */

struct lane_entry {
	struct lane_entry *next;
	char *id;                      /* NULL: in no stream */
	bool reclaimed, marked;
	char msg[];
};

struct sw_lane {
	struct worker *w;
	struct setup *setup;           /* held while a run is under way */
	char *aggregate;
	struct lane_entry *first, **last;
	size_t n;                      /* queued */
	size_t run;                    /* of them in this run; 0: idle */
	size_t alone;                  /* so many are run one by one: something among them is wrong or gone */
	struct sw_arena a;             /* of one load and step */
	struct sw_step *step;
	const char *fails, *hold;      /* as the step was given them */
	const struct sw_jnode *ev;     /* of the run's first fact, for the log; NULL: there is none */
	int64_t v;
	char *keys[KEYS_MAX];          /* what the step asked for, plain keys and "rules:…" that nobody has */
	bool lost[KEYS_MAX];
	size_t n_keys;
	unsigned rounds, conflicts, refusals, tries, fetching;
	char refused[32];
	sw_dur refused_wait;
	sw_dur began;
	struct sw_timer timer;
	struct sw_lane *next_ready;
	bool ready;
};

static void lane_load(struct sw_lane *l);
static void lane_step(struct sw_lane *l, const struct sw_loaded *ld);

static void lane_timer(void *arg)
{
	struct sw_lane *l = arg;

	lane_load(l);
}

static struct sw_lane *lane_get(struct worker *w, const char *aggregate)
{
	struct sw_lane *l = sw_map_get(&w->lanes, aggregate);

	if (l)
		return l;
	l = sw_calloc(1, sizeof *l);
	l->w = w;
	l->aggregate = sw_strdup(aggregate);
	l->last = &l->first;
	if (w->n_spare)
		l->a = w->spare[--w->n_spare]; /* its pages are there already */
	else
		sw_arena_init(&l->a);
	sw_timer_init(&l->timer, w->loop, lane_timer, l);
	(void)sw_map_set(&w->lanes, aggregate, l);
	return l;
}

static void lane_forget(struct sw_lane *l)
{
	for (size_t i = 0; i < l->n_keys; i++)
		free(l->keys[i]);
	l->n_keys = 0;
	l->rounds = l->conflicts = l->refusals = 0;
	l->refused[0] = 0;
	l->setup = sw_setup_put(l->setup);
}

static void lane_free(struct sw_lane *l)
{
	struct lane_entry *e, *next;

	for (e = l->first; e; e = next) {
		next = e->next;
		free(e->id);
		free(e);
	}
	lane_forget(l);
	sw_timer_stop(&l->timer);
	sw_arena_reset(&l->a);
	if (l->w->n_spare < SPARE_ARENAS && sw_arena_size(&l->a) <= SPARE_MAX)
		l->w->spare[l->w->n_spare++] = l->a;
	else
		sw_arena_fini(&l->a);
	free(l->aggregate);
	free(l);
}

/* Removes the first n entries: they are settled. */
static void lane_drop(struct sw_lane *l, size_t n)
{
	struct lane_entry *e;

	for (; n; n--) {
		e = l->first;
		l->first = e->next;
		if (!l->first)
			l->last = &l->first;
		free(e->id);
		free(e);
		l->n--;
		l->w->in_flight--;
	}
}

static void lane_arena_reset(struct sw_lane *l)
{
	sw_arena_reset(&l->a);
	l->step = NULL;
	l->ev = NULL;
}

/* Samples on the state that was just left here; false: it has to be loaded. */
static bool lane_step_kept(struct sw_lane *l)
{
	struct lane_entry *e = l->first;
	struct sw_kept_state *k;

	for (size_t i = 0; i < l->run; i++, e = e->next)
		if (e->id)
			return false;
	k = sw_states_take(l->w, l->aggregate);
	if (!k)
		return false;
	lane_arena_reset(l);
	lane_step(l, &(struct sw_loaded){ .v = k->v, .fmt = SW_FMT, .state = k->state, .state_n = k->n, .fails = k->fails, .hold = k->hold,
	                                  .now = sw_bus_now(l->w->bus) });
	sw_kept_state_free(k);
	return true;
}

/* Takes up the next run, or ends the lane. */
static void lane_begin(struct sw_lane *l)
{
	struct lane_entry *e;

	l->run = 0;
	lane_forget(l);
	if (!l->first) {
		struct worker *w = l->w;

		(void)sw_map_del(&w->lanes, l->aggregate);
		lane_free(l);
		sw_worker_more(w);
		return;
	}
	for (e = l->first; e && l->run < RUN_MAX; e = e->next) {
		if (l->run && (e->reclaimed || l->alone))
			break;
		l->run++;
		if (e->reclaimed)
			break;
	}
	if (l->alone)
		l->alone--;
	l->setup = sw_setup_get(l->w->setup);
	l->began = sw_clock_mono();
	if (!lane_step_kept(l))
		lane_load(l);
}

/* The run is settled: its entries are acknowledged. */
static void lane_done(struct sw_lane *l)
{
	l->tries = 0;
	lane_drop(l, l->run);
	lane_begin(l);
}

/* One of several is wrong or gone: one by one finds it. */
static void lane_split(struct sw_lane *l)
{
	l->alone = l->run;
	lane_begin(l);
}

/* Takes the same run up again after a pause: 100 ms, doubling to 5 s. */
static void lane_later(struct sw_lane *l, sw_dur at_least)
{
	sw_dur d = (sw_dur)100 << SW_MIN(l->tries, 6u);

	l->tries++;
	l->rounds = l->conflicts = 0;
	sw_timer_set(&l->timer, SW_MAX(SW_MIN(d, 5 * SW_SECOND), at_least));
}

static void lane_failed(struct sw_lane *l, const char *what, int r)
{
	if (r == -ECANCELED)
		return; /* the bus is being closed; the entries stay pending for another worker */
	if (l->tries == 0 || l->tries % 32 == 0)
		SW_WARN(LOG, "%s of %s: %s, trying again", what, l->aggregate, strerror(-r));
	lane_later(l, 0);
}

/* ---- dead letters ---- */

static void lane_buried(void *arg, int r)
{
	struct sw_lane *l = arg;

	if (r < 0) {
		lane_failed(l, "burying an entry", r);
		return;
	}
	lane_done(l);
}

static void lane_bury(struct sw_lane *l, const char *reason)
{
	if (!l->first->id) {
		SW_ERROR(LOG, "samples of %s cannot be understood: %s", l->aggregate, reason);
		lane_done(l);
		return;
	}
	SW_ERROR(LOG, "dead letter: work entry %s of %s: %s", l->first->id, l->aggregate, reason);
	sw_meters_dead(l->w, "work");
	sw_bus_bury(l->w->bus, SW_STREAM_WORK, l->first->id, reason, lane_buried, l);
}

static void lane_wrong(struct sw_lane *l, const char *why)
{
	if (l->run > 1) {
		SW_WARN(LOG, "one of %zu messages to %s cannot be understood (%s), trying them one by one", l->run, l->aggregate, why);
		lane_split(l);
		return;
	}
	lane_bury(l, why);
}

static void lane_parked(void *arg, int r, const struct sw_committed *c)
{
	struct sw_lane *l = arg;

	(void)c;
	if (r < 0)
		lane_failed(l, "parking the state", r);
	else
		lane_load(l);
}

/* A state that cannot be read goes to the dead letters whole; what comes next begins anew. */
static void lane_park(struct sw_lane *l, const struct sw_loaded *ld, const char *why)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	SW_CLEANUP(sw_buf_fini) struct sw_buf reason = SW_BUF_INIT;
	const char *const none[] = { NULL };
	struct sw_jw jw;

	sw_jw_init(&jw, &b);
	sw_jw_obj(&jw, NULL);
	sw_jw_str(&jw, "aggregate", l->aggregate);
	sw_jw_int(&jw, "v", ld->v);
	sw_jw_str(&jw, "state", ld->state);
	sw_jw_obj_end(&jw);
	sw_buf_printf(&reason, "state cannot be read: %s", why);
	SW_ERROR(LOG, "%s is parked: its state cannot be read (%s); see `shipwatch dead list`", l->aggregate, why);
	sw_meters_dead(l->w, "state");
	sw_bus_commit(l->w->bus, &(struct sw_change){
		.aggregate = l->aggregate, .v = ld->v, .state = "", .acks = none,
		.dead_reason = sw_buf_str(&reason), .dead_body = sw_buf_str(&b),
	}, lane_parked, l);
}

/* ---- newer formats ---- */

static void lane_left(void *arg, int r)
{
	struct sw_lane *l = arg;

	if (r < 0) {
		lane_failed(l, "handing back a message", r);
		return;
	}
	lane_drop(l, 1);
	lane_begin(l);
}

/* Written by a newer program: the message goes back, one of the sweeps will be a newer worker's. */
static void lane_leave(struct sw_lane *l)
{
	SW_WARN(LOG, "%s has a format newer than ours (%d): left to a newer worker", l->aggregate, SW_FMT);
	if (!l->first->id) {
		sw_outbox_append(l->w, l->aggregate, l->first->msg, false, NULL);
		lane_left(l, 0);
		return;
	}
	sw_bus_give_back(l->w->bus, SW_STREAM_WORK, l->first->id, lane_left, l);
}

/* ---- after the commit ---- */

/* A probe's answer is on its way: it will find the state here. */
static void lane_keep_state(struct sw_lane *l, int64_t v)
{
	const struct sw_step *s = l->step;

	for (size_t i = 0; i < s->n_ios && s->state_n; i++) {
		if (s->ios[i].kind != SW_IO_PROBE)
			continue;
		sw_states_keep(l->w, l->aggregate,
		               &(struct sw_loaded){ .v = v, .state = s->state, .state_n = s->state_n, .fails = l->fails, .hold = l->hold });
		break;
	}
}

static void lane_refused(struct sw_lane *l, const struct sw_committed *c)
{
	if (c && sw_streq(c->reason, "fmt")) {
		lane_leave(l);
		return;
	}
	if (c && sw_streq(c->reason, "timers")) { /* no guard of the step's: there is no room for what it decided */
		lane_failed(l, "commit (too many timers are set)", -ENOSPC);
		return;
	}
	(void)snprintf(l->refused, sizeof l->refused, "%s", c && c->reason ? c->reason : "guard");
	l->refused_wait = c ? c->wait : 0;
	if (++l->refusals > ROUNDS_MAX) {
		SW_ERROR(LOG, "%s begins again although refused (%s), trying again later", l->aggregate, l->refused);
		l->refusals = 0;
		lane_later(l, SW_SECOND);
		return;
	}
	lane_load(l);
}

/* Done by another: dropped. The rest of the run is taken up again without it. */
static void lane_gone(struct sw_lane *l, const struct sw_committed *c)
{
	struct lane_entry **p = &l->first, *e;
	size_t i = 0;

	if (l->run == 1 && l->first->id) {
		SW_DEBUG(LOG, "work entry %s of %s was done by another", l->first->id, l->aggregate);
		lane_done(l);
		return;
	}
	while (i < l->run && !(c && sw_streq((*p)->id, c->gone))) {
		p = &(*p)->next;
		i++;
	}
	if (i == l->run) {
		lane_split(l);
		return;
	}
	e = *p;
	*p = e->next;
	if (!*p)
		l->last = p;
	free(e->id);
	free(e);
	l->n--;
	l->run--;
	l->w->in_flight--;
	lane_load(l);
}

static void lane_committed(void *arg, int r, const struct sw_committed *c)
{
	struct sw_lane *l = arg;

	if (r < 0) {
		lane_failed(l, "commit", r); /* perhaps it was done: then the entries are gone next time */
		return;
	}
	sw_meters_step(l->w, sw_clock_mono() - l->began, r);
	switch (r) {
	case SW_COMMIT_OK:
		lane_keep_state(l, c->v);
		l->step->calls = c->calls;
		sw_effects_begin(l->w, l->setup, l->aggregate, l->ev, l->step, &l->a);
		lane_done(l);
		break;
	case SW_COMMIT_CONFLICT:
		if (++l->conflicts > CONFLICTS)
			lane_later(l, 0);
		else
			lane_load(l);
		break;
	case SW_COMMIT_GONE:
		lane_gone(l, c);
		break;
	case SW_COMMIT_REFUSED:
		lane_refused(l, c);
		break;
	default:
		lane_failed(l, "commit", -EPROTO);
	}
}

static void lane_commit(struct sw_lane *l)
{
	const char **acks = SW_ARENA_ARRAY(&l->a, const char *, l->run + 1);
	struct lane_entry *e = l->first;
	struct sw_change change;
	size_t n_acks = 0;

	for (size_t i = 0; i < l->run; i++, e = e->next)
		if (e->id)
			acks[n_acks++] = e->id;
	sw_effects_change(l->step, &l->a, &change);
	change.aggregate = l->aggregate;
	change.v = l->v;
	change.acks = acks;
	sw_bus_commit(l->w->bus, &change, lane_committed, l);
	if (l->step->dead_reason)
		sw_meters_dead(l->w, "alert");
}

/* ---- what a step asks for ---- */

static void lane_key(struct sw_lane *l, const char *key, bool lost)
{
	for (size_t i = 0; i < l->n_keys; i++)
		if (strcmp(l->keys[i], key) == 0)
			return;
	if (l->n_keys == KEYS_MAX)
		return;
	l->lost[l->n_keys] = lost;
	l->keys[l->n_keys++] = sw_strdup(key);
}

struct fetch { struct sw_lane *l; char key[]; };

static void lane_fetched(void *arg, int r, const char *source)
{
	struct fetch *f = arg;
	struct sw_lane *l = f->l;

	/* With an error nothing is known: the step asks again and the rounds run out into a pause. */
	if (r == 0 && sw_pinned_add(l->w, f->key + strlen("rules:"), source) < 0)
		lane_key(l, f->key, true);
	free(f);
	if (--l->fetching > 0 || r == -ECANCELED)
		return;
	lane_load(l);
}

static void lane_needs(struct sw_lane *l)
{
	const struct sw_step *s = l->step;

	if (++l->rounds > ROUNDS_MAX) {
		if (l->tries == 0 || l->tries % 32 == 0)
			SW_ERROR(LOG, "%s still asks for %s after %d rounds, trying again later", l->aggregate, s->needs[0], ROUNDS_MAX);
		lane_later(l, SW_SECOND);
		return;
	}
	l->fetching = 1;
	for (size_t i = 0; i < s->n_needs; i++) {
		struct fetch *f;
		size_t n = strlen(s->needs[i]) + 1;

		if (!sw_starts(s->needs[i], "rules:")) {
			lane_key(l, s->needs[i], false);
			continue;
		}
		f = sw_malloc(sizeof *f + n);
		f->l = l;
		memcpy(f->key, s->needs[i], n);
		l->fetching++;
		sw_bus_rules(l->w->bus, f->key + strlen("rules:"), lane_fetched, f);
	}
	if (--l->fetching == 0)
		lane_load(l);
}

/* ---- load and step ---- */

static int lane_parse(struct sw_lane *l, const struct sw_loaded *ld, struct sw_step_in *in, struct sw_err *err)
{
	const struct sw_jnode **msgs = SW_ARENA_ARRAY(&l->a, const struct sw_jnode *, l->run);
	const char **texts = SW_ARENA_ARRAY(&l->a, const char *, l->run);
	struct sw_snapshot *snaps = SW_ARENA_ARRAY(&l->a, struct sw_snapshot, l->n_keys + 1);
	struct lane_entry *e = l->first;
	struct sw_jnode *node;
	size_t plain = 0;

	for (size_t i = 0; i < l->run; i++, e = e->next) {
		int r = sw_jtree_parse(&l->a, e->msg, strlen(e->msg), MSG_NODES, &node, err);

		if (r < 0)
			return -EBADMSG;
		msgs[i] = node;
		texts[i] = e->msg;
		if (!l->ev)
			l->ev = sw_jget(node, "ev");
	}
	for (size_t i = 0; i < l->n_keys; i++)
		snaps[i] = (struct sw_snapshot){ l->keys[i], l->lost[i] ? NULL : sw_arena_strdup(&l->a, ld->keeps[plain++]) };
	for (size_t i = 0; i < l->n_keys; i++)
		sw_kept_add(l->w, snaps[i].key, snaps[i].value);
	in->aggregate = l->aggregate;
	in->msgs = msgs;
	in->texts = texts;
	in->n_msgs = l->run;
	in->snaps = snaps;
	in->n_snaps = l->n_keys;
	if (ld->fails && sw_jtree_parse(&l->a, ld->fails, strlen(ld->fails), STATE_NODES, &node, NULL) == 0)
		in->fails = node;
	l->fails = sw_arena_strdup(&l->a, ld->fails);
	l->hold = in->hold = sw_arena_strdup(&l->a, ld->hold);
	in->refused = l->refused[0] ? l->refused : NULL;
	in->refused_wait = l->refused_wait;
	in->now = ld->now;
	return 0;
}

static void lane_step(struct sw_lane *l, const struct sw_loaded *ld)
{
	struct sw_err err = SW_ERR_INIT;
	struct sw_step_in in = { 0 };
	struct sw_jnode *state = NULL;
	int r;

	if (ld->state && sw_jtree_parse(&l->a, ld->state, ld->state_n, STATE_NODES, &state, &err) < 0) {
		lane_park(l, ld, err.text);
		return;
	}
	in.state = state;
	l->v = ld->v;
	r = lane_parse(l, ld, &in, &err);
	if (r == 0) {
		l->step = sw_arena_raw(&l->a, sizeof *l->step);
		r = sw_engine_step(&l->setup->engine, &in, &l->a, l->step, &err);
	}
	if (r < 0)
		lane_wrong(l, err.text);
	else if (l->step->n_needs)
		lane_needs(l);
	else
		lane_commit(l);
}

static void lane_marked(void *arg, int r, int64_t times)
{
	struct sw_lane *l = arg;

	if (r < 0) {
		lane_failed(l, "marking an entry", r);
		return;
	}
	l->first->marked = true;
	if (times > DEATHS_MAX) {
		struct sw_buf b = SW_BUF_INIT;

		sw_buf_printf(&b, "%d workers died of it", DEATHS_MAX);
		lane_bury(l, sw_buf_str(&b));
		sw_buf_fini(&b);
		return;
	}
	lane_load(l);
}

static void lane_loaded(void *arg, int r, const struct sw_loaded *ld)
{
	struct sw_lane *l = arg;

	if (r < 0) {
		lane_failed(l, "loading", r);
		return;
	}
	if (ld->fmt > SW_FMT)
		lane_leave(l);
	else if (l->first->reclaimed && !l->first->marked)
		sw_bus_trying(l->w->bus, SW_STREAM_WORK, l->first->id, lane_marked, l); /* only now: a newer format is no death */
	else
		lane_step(l, ld);
}

static void lane_load(struct sw_lane *l)
{
	const char **keeps;
	size_t n = 0;

	lane_arena_reset(l);
	keeps = SW_ARENA_ARRAY(&l->a, const char *, l->n_keys + 1);
	for (size_t i = 0; i < l->n_keys; i++)
		if (!l->lost[i])
			keeps[n++] = l->keys[i];
	sw_bus_load(l->w->bus, &(struct sw_load){ .aggregate = l->aggregate, .keeps = n ? keeps : NULL }, lane_loaded, l);
}

/* ---- from outside ---- */

static void lane_add(struct sw_lane *l, const char *id, bool reclaimed, const char *msg)
{
	size_t n = strlen(msg) + 1;
	struct lane_entry *e = sw_malloc(sizeof *e + n);

	*e = (struct lane_entry){ .id = sw_strdup(id), .reclaimed = reclaimed };
	memcpy(e->msg, msg, n);
	*l->last = e;
	l->last = &e->next;
	l->n++;
	l->w->in_flight++;
	if (l->run || l->ready)
		return;
	l->ready = true;
	l->next_ready = l->w->ready;
	l->w->ready = l;
}

void sw_stepper_add(struct worker *w, const struct sw_entry *entry)
{
	struct sw_lane *l = lane_get(w, entry->aggregate);

	for (const struct lane_entry *e = l->first; e; e = e->next)
		if (sw_streq(e->id, entry->id))
			return; /* taken over from ourselves: it is in hand */
	lane_add(l, entry->id, entry->reclaimed, entry->msg);
}

void sw_stepper_local(struct worker *w, const char *aggregate, const char *msg)
{
	if (w->stopping || !w->ticked || sw_clock_mono() < w->careful_until) {
		sw_outbox_append(w, aggregate, msg, false, NULL);
		return;
	}
	lane_add(lane_get(w, aggregate), NULL, false, msg);
	sw_stepper_go(w);
}

void sw_stepper_go(struct worker *w)
{
	struct sw_lane *l, *next;

	l = w->ready;
	w->ready = NULL;
	for (; l; l = next) {
		next = l->next_ready;
		l->ready = false;
		lane_begin(l);
	}
}

void sw_stepper_fini(struct worker *w)
{
	struct sw_map_entry *e;

	for (size_t i = 0; (e = sw_map_next(&w->lanes, &i)) != NULL;)
		lane_free(e->value);
	sw_map_fini(&w->lanes);
	w->lanes = (struct sw_map)SW_MAP_INIT;
	while (w->n_spare)
		sw_arena_fini(&w->spare[--w->n_spare]);
}
