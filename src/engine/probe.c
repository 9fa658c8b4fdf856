/*
 * Questions: which sources a place asks now, at what rhythm, and what is asked of the time before a deployment.
 *
 * 1. A signal is asked once, at the shortest rhythm of the watches that need it; ten rules share one question.
 * 2. A source has one timer, "probe:<source>". An old one (its due is not what the state says) does nothing.
 * 3. Between deployments only what has no past of its own is asked (health, scrape), slowly: it is the baseline of the next one.
 * 4. The past of a signal is asked once per deployment and step, from the moment its rollout began backwards, and again while the
 *    source does not answer and somebody still watches. regressed() has the same minutes of the seven days before asked as well.
 */
#include <string.h>

#include "base/str.h"
#include "engine/baseline.h"
#include "engine/place.h"

#define LOOKS_MOST    60               /* of a watch (stats/defaults.h SW_LOOKS_MAX) */
#define BASELINE_FOR  (30 * SW_MINUTE)
#define BASELINE_LEAST 60              /* points, where the step is long */
#define HISTORY_MOST  (7 * SW_DAY)
#define HISTORY_POINTS 5760            /* 24 h at 15 s: 281 pseudo-deployments */
#define PAST_LATE     (30 * SW_SECOND)
#define PAST_TRIES    20
#define PAST_KEEPS    8                /* written in one step */
#define DAY_POINTS    1000             /* of an earlier day; a longer rollout has no control */
#define REFERENCE_FRESH (10 * SW_SECOND)
#define REFERENCE_LATE  (10 * SW_SECOND)

static const char *const sources[] = { "health", "prometheus", "scrape" };

struct wanted {
	const struct sw_signal_def *def;
	const char *source;
	sw_dur every;
};

struct wanted_list { struct wanted items[PLACE_SERIES]; size_t n; };

const char *sw_probe_source(const struct sw_place *conf, const struct sw_signal_def *def)
{
	bool prometheus, scrape;

	if (!conf || !def || def->report || def->alarm)
		return NULL;
	if (sw_streq(def->name, "health"))
		return conf->health.url ? sources[0] : NULL;
	prometheus = def->query.prometheus || def->query.all;
	scrape = def->query.scrape != NULL;
	if (conf->prometheus.url && (prometheus || !scrape || !conf->scrape.url))
		return sources[1];
	return conf->scrape.url && (scrape || !prometheus) ? sources[2] : NULL;
}

struct source_state *sw_probe_state(struct place_state *p, const char *source)
{
	for (size_t i = 0; i < p->n_sources; i++)
		if (sw_streq(p->sources[i].name, source))
			return &p->sources[i];
	if (p->n_sources == PLACE_SOURCES)
		return NULL;
	p->sources[p->n_sources] = (struct source_state){ .name = source, .reading = SW_R_ABSENT };
	return &p->sources[p->n_sources++];
}

sw_dur sw_probe_every(const struct sw_place *conf, const struct sw_rules *rules, const struct sw_rule *rule)
{
	sw_dur every = 0;

	if (rule->every)
		return rule->every;
	for (size_t i = 0; rule->signals && rule->signals[i]; i++) {
		const struct sw_signal_def *def = sw_rules_signal(rules, rule->signals[i]);
		const char *source = sw_probe_source(conf, def);
		sw_dur own = source == sources[0] ? conf->health.every : def ? def->query.step : 0;

		/* a long watch looks at most LOOKS_MOST times, on the grid of the signal's own step */
		if (source && source != sources[0] && own && rule->watch_for > own * LOOKS_MOST)
			own = (rule->watch_for / LOOKS_MOST + own - 1) / own * own;
		if (own && (!every || own < every))
			every = own;
	}
	return every ? every : conf && conf->health.every ? conf->health.every : 15 * SW_SECOND;
}

/* ---- what is wanted ---- */

static void wanted_add(struct wanted_list *l, const struct sw_place *conf, const struct sw_rules *rules, const char *signal, sw_dur every)
{
	const struct sw_signal_def *def = sw_rules_signal(rules, signal);
	const char *source = sw_probe_source(conf, def);

	if (!source)
		return;
	for (size_t i = 0; i < l->n; i++)
		if (sw_streq(l->items[i].def->name, signal)) {
			l->items[i].every = SW_MIN(l->items[i].every, every);
			return;
		}
	if (l->n < SW_COUNT(l->items))
		l->items[l->n++] = (struct wanted){ def, source, every };
}

/* What asks a source only whether it answers. */
static const struct sw_signal_def reachable = {
	.name = "reachable", .type = SW_V_NUMBER,
	.query = { .signal = "reachable", .reduce = SW_REDUCE_MAX, .prometheus = "vector(1)", .scrape = "sum(process_start_time_seconds)",
	           .step = 15 * SW_SECOND },
};

static void wanted_source(struct wanted_list *l, const struct sw_place *conf, const char *source, sw_dur every)
{
	const char *name = sw_streq(source, sources[1]) ? sources[1] : sw_streq(source, sources[2]) ? sources[2] : NULL;

	if (!name || !conf || !(name == sources[1] ? conf->prometheus.url : conf->scrape.url))
		return;
	for (size_t i = 0; i < l->n; i++)
		if (l->items[i].source == name)
			return;
	if (l->n < SW_COUNT(l->items))
		l->items[l->n++] = (struct wanted){ &reachable, name, every };
}

static void wanted_now(struct step *s, const struct place_state *p, struct wanted_list *l)
{
	l->n = 0;
	for (size_t i = 0; i < p->n_watches; i++) {
		const struct watch *w = &p->watches[i];
		struct sw_rules *rules;
		const struct sw_rule *rule = w->state == WATCH_DONE ? NULL : sw_watch_rule_near(s, w, &rules);

		for (size_t k = 0; rule && rule->signals && rule->signals[k]; k++)
			wanted_add(l, p->conf, rules, rule->signals[k], w->every);
	}
	for (size_t i = 0; i < p->n_watches; i++) { /* only where nothing else asks that source */
		const struct watch *w = &p->watches[i];
		const struct sw_rule *rule = w->state == WATCH_DONE ? NULL : sw_watch_rule_near(s, w, NULL);

		for (size_t k = 0; rule && rule->sources && rule->sources[k]; k++)
			wanted_source(l, p->conf, rule->sources[k], w->every);
	}
}

/* Between deployments: what a rule may want to know of the time before the next one. */
static void wanted_later(struct step *s, const struct place_state *p, struct wanted_list *l)
{
	const struct sw_rules *rules = s->e->rules;

	l->n = 0;
	for (size_t i = 0; rules && rules->watched[i]; i++)
		wanted_add(l, p->conf, rules, rules->watched[i], p->conf->scrape.background);
}

static bool place_watched(const struct place_state *p)
{
	for (size_t i = 0; i < p->n_watches; i++)
		if (p->watches[i].state != WATCH_DONE)
			return true;
	return false;
}

sw_dur sw_probe_rhythm(struct step *s, struct place_state *p, const char *source)
{
	struct wanted_list l;
	sw_dur every = 0;

	if (!p->conf)
		return 0;
	wanted_now(s, p, &l);
	for (size_t i = 0; i < l.n; i++)
		if (sw_streq(l.items[i].source, source) && (!every || l.items[i].every < every))
			every = l.items[i].every;
	if (sw_streq(source, "health") && p->conf->health.url) /* also for watches that do not ask it: people want to know */
		return every ? every : place_watched(p) ? p->conf->health.every : p->conf->health.background;
	if (!every && sw_streq(source, "scrape") && p->conf->scrape.url) {
		wanted_later(s, p, &l);
		for (size_t i = 0; i < l.n; i++)
			if (sw_streq(l.items[i].source, "scrape"))
				return p->conf->scrape.background;
	}
	return every;
}

/* ---- asking ---- */

static struct sw_io *probe_io(struct step *s, struct place_state *p, const struct source_state *src)
{
	const struct deployment *d = sw_place_running(p);
	struct sw_io *io = sw_step_io(s, SW_IO_PROBE);

	if (!io)
		return NULL;
	io->source = src->name;
	io->memory = src->memory;
	io->deployment = d ? d->id : NULL;
	io->sha = d ? (d->ev.sha ? d->ev.sha : d->ev.short_sha) : NULL;
	io->version = d ? d->ev.version : NULL;
	return io;
}

/* One question with all signals of the source, answered in one message; health and reference have no queries. */
static void probe_ask(struct step *s, struct place_state *p, const struct source_state *src)
{
	struct sw_query *queries = SW_ARENA_ARRAY(s->a, struct sw_query, PLACE_SERIES);
	struct wanted_list l;
	struct sw_io *io;
	size_t n = 0;

	if (sw_streq(src->name, "health") || sw_streq(src->name, "reference")) {
		(void)probe_io(s, p, src);
		return;
	}
	wanted_now(s, p, &l);
	if (!l.n)
		wanted_later(s, p, &l);
	for (size_t i = 0; i < l.n; i++)
		if (sw_streq(l.items[i].source, src->name)) {
			queries[n] = l.items[i].def->query;
			queries[n++].step = l.items[i].every;
		}
	io = n ? probe_io(s, p, src) : NULL;
	if (io) {
		io->queries = queries;
		io->n_queries = n;
	}
}

void sw_probe_timer(struct step *s, struct place_state *p, const char *source, sw_ms due)
{
	struct source_state *src = sw_probe_state(p, source);
	sw_dur every;
	sw_ms next;

	if (!src || src->due != due)
		return; /* set anew since */
	every = sw_probe_rhythm(s, p, source);
	src->due = 0;
	if (!every)
		return;
	probe_ask(s, p, src);
	next = due + every;
	src->due = next > s->now ? next : s->now + every;
}

enum sw_truth sw_probe_reference(struct step *s, struct place_state *p)
{
	struct source_state *src = sw_probe_state(p, "reference");

	if (!s->e->reference || !src)
		return SW_TRUE;
	if (src->heard && s->now - src->heard < REFERENCE_FRESH)
		return src->reading == SW_R_OK && src->value < 0.5 ? SW_FALSE : SW_TRUE;
	if (src->due && src->heard < src->due - REFERENCE_LATE) { /* asked, not answered */
		if (s->now < src->due)
			return SW_UNKNOWN;
		if (s->now < src->due + REFERENCE_FRESH)
			return SW_TRUE; /* no word at all says nothing about our network: the worker may be slow */
	}
	src->due = s->now + REFERENCE_LATE;
	probe_ask(s, p, src);
	return SW_UNKNOWN;
}

/* ---- the time before ---- */

const char *sw_probe_past_key(struct step *s, const struct past *x)
{
	return sw_arena_printf(s->a, "past:%s:%s:%lld", x->dep, x->signal, (long long)(x->step / SW_SECOND));
}

static struct past *past_of(struct place_state *p, const char *dep, const char *signal, sw_dur step)
{
	for (size_t i = 0; i < p->n_pasts; i++)
		if (sw_streq(p->pasts[i].dep, dep) && sw_streq(p->pasts[i].signal, signal) && p->pasts[i].step == step)
			return &p->pasts[i];
	return NULL;
}

bool sw_probe_has_past(const struct place_state *p, const char *dep, const char *signal, sw_dur step)
{
	return past_of((struct place_state *)(uintptr_t)p, dep, signal, step) != NULL;
}

/* Room for one: those of deployments nobody watches any more go first. */
static struct past *past_new(struct place_state *p, const char *dep, const char *signal, sw_dur step)
{
	size_t n = 0;

	if (p->n_pasts == PLACE_PASTS) {
		for (size_t i = 0; i < p->n_pasts; i++) {
			bool open = false;

			for (size_t k = 0; k < p->n_watches; k++)
				open |= p->watches[k].state != WATCH_DONE && sw_streq(p->watches[k].dep, p->pasts[i].dep);
			if (open)
				p->pasts[n++] = p->pasts[i];
		}
		p->n_pasts = n;
	}
	if (p->n_pasts == PLACE_PASTS)
		return NULL;
	p->pasts[p->n_pasts] = (struct past){ .dep = dep, .signal = signal, .step = step };
	return &p->pasts[p->n_pasts++];
}

/* Windows of other deployments that were not found good, and every rollout, are neither baseline nor history (rules.md 3.1). */
static void past_holes(struct step *s, const struct place_state *p, const struct deployment *d, struct sw_past_ask *ask)
{
	sw_ms (*holes)[2] = (sw_ms (*)[2])sw_arena_alloc(s->a, PLACE_DEPLOYMENTS * sizeof *holes);
	sw_dur longest = BASELINE_FOR;

	for (size_t i = 0; i < p->n_deps && ask->n_holes < PLACE_DEPLOYMENTS; i++) {
		const struct deployment *x = &p->deps[i];
		sw_ms from = x->started ? x->started : x->finished, to = x->finished ? x->finished : from;

		if (x == d || !from)
			continue;
		holes[ask->n_holes][0] = from;
		holes[ask->n_holes++][1] = x->good == 1 || x->status != SW_ST_SUCCESS ? to : to + longest;
	}
	ask->holes = (const sw_ms (*)[2])holes;
}

/* The rule of a watch, where it asks regressed() about this signal. */
static const struct sw_rule *watch_regresses(struct step *s, const struct watch *w, const char *signal)
{
	const struct sw_rule *rule = sw_watch_rule_near(s, w, NULL);
	const struct sw_regressed_ask *const *calls = rule && rule->cond ? sw_expr_regressed(rule->cond) : NULL;

	for (; calls && *calls; calls++)
		if (sw_streq((*calls)->signal, signal))
			return rule;
	return NULL;
}

/* Calibrations for every length of watch that asks regressed() about this signal at this step. */
static void past_looks(struct step *s, const struct place_state *p, const struct past *x, struct sw_past_ask *ask)
{
	unsigned *looks = SW_ARENA_ARRAY(s->a, unsigned, BASELINE_CALS);

	for (size_t i = 0; i < p->n_watches; i++) {
		const struct watch *w = &p->watches[i];
		const struct sw_rule *rule = sw_streq(w->dep, x->dep) && w->every == x->step ? watch_regresses(s, w, x->signal) : NULL;
		unsigned k = rule ? (unsigned)SW_MIN(rule->watch_for / x->step, (sw_dur)LOOKS_MOST) : 0;
		bool there = false;

		for (size_t j = 0; j < ask->n_looks; j++)
			there |= looks[j] == k;
		if (!there && k && ask->n_looks < BASELINE_CALS)
			looks[ask->n_looks++] = k;
	}
	ask->looks = looks;
}

/* Rings of the deployments that ran here before, oldest first. */
static const char *const *past_rings(struct step *s, const struct place_state *p, const struct deployment *d, const char *signal)
{
	const char **rings = SW_ARENA_ARRAY(s->a, const char *, PLACE_DEPLOYMENTS + 2);
	size_t n = 0;

	rings[n++] = sw_place_ring(s, p, NULL, signal);
	for (size_t i = 0; i < p->n_deps && &p->deps[i] != d && n <= PLACE_DEPLOYMENTS; i++)
		if (p->deps[i].counted)
			rings[n++] = sw_place_ring(s, p, p->deps[i].id, signal);
	return rings;
}

/*
 * The same clock window of earlier days, where regressed() asks: the baseline's time, the rollout's, and that of the longest watch.
 * Days are 24 h: where clocks are put forward or back the window is an hour off on the days before, for a week.
 */
static void past_days(struct step *s, const struct place_state *p, const struct past *x, const struct deployment *d, struct sw_past_ask *ask)
{
	sw_ms until = 0;

	for (size_t i = 0; i < p->n_watches; i++) {
		const struct watch *w = &p->watches[i];

		if (sw_streq(w->dep, x->dep) && w->every == x->step && watch_regresses(s, w, x->signal))
			until = SW_MAX(until, w->until);
	}
	ask->day_from = SW_MAX(ask->baseline_from, ask->to - (BASELINE_POINTS - 1) * x->step);
	ask->day_after = (d->finished + x->step - 1) / x->step * x->step;
	ask->day_to = SW_MIN(until / x->step, ask->day_after / x->step + BASELINE_DAY_Y - 1) * x->step;
	if (ask->day_to > ask->day_after && (ask->day_to - ask->day_from) / x->step < DAY_POINTS)
		ask->n_days = SW_PAST_DAYS;
}

static void past_ask(struct step *s, struct place_state *p, struct past *x, const struct sw_signal_def *def, const char *source)
{
	const struct deployment *d = sw_place_dep(p, x->dep);
	struct sw_past_ask *ask = SW_ARENA_NEW(s->a, struct sw_past_ask);
	struct sw_query *q = SW_ARENA_NEW(s->a, struct sw_query);
	sw_ms began = d->started ? d->started : d->finished;
	struct sw_io *io = sw_step_io(s, SW_IO_PAST);
	sw_dur history;

	x->state = PAST_ASKED;
	x->due = s->now + PAST_LATE;
	x->tries++;
	if (!io)
		return; /* again when it is late */
	*q = def->query;
	q->step = x->step;
	ask->to = (began - 1) / x->step * x->step;
	ask->baseline_from = ask->to - SW_MAX(BASELINE_FOR, BASELINE_LEAST * x->step) + x->step;
	ask->logs = def->latency;
	ask->bad_down = def->query.bad_down;
	past_holes(s, p, d, ask);
	past_looks(s, p, x, ask);
	history = ask->n_looks ? SW_MIN(HISTORY_POINTS * x->step, HISTORY_MOST) : 0;
	ask->from = SW_MIN(ask->baseline_from, ask->to - history + x->step);
	if (ask->n_looks && source == sources[1])
		past_days(s, p, x, d, ask);
	ask->rings = past_rings(s, p, d, x->signal);
	ask->tz_offset_s = s->e->tz_offset_s;
	io->source = source;
	io->deployment = x->dep;
	io->queries = q;
	io->n_queries = 1;
	io->past = ask;
}

/* What open watches want to know of before, and what is late. */
static void past_plan(struct step *s, struct place_state *p, sw_ms *next)
{
	for (size_t i = 0; i < p->n_watches; i++) {
		const struct watch *w = &p->watches[i];
		struct sw_rules *rules;
		const struct sw_rule *rule = w->state == WATCH_DONE || !sw_place_dep(p, w->dep) ? NULL : sw_watch_rule_near(s, w, &rules);

		for (size_t k = 0; rule && rule->signals && rule->signals[k]; k++) {
			const struct sw_signal_def *def = sw_rules_signal(rules, rule->signals[k]);
			const char *source = sw_probe_source(p->conf, def);
			struct past *x;

			if (!source || source == sources[0])
				continue;
			x = past_of(p, w->dep, def->name, w->every);
			if (!x && (x = past_new(p, w->dep, def->name, w->every)))
				past_ask(s, p, x, def, source);
			else if (x && x->state == PAST_ASKED && s->now >= x->due && x->tries < PAST_TRIES)
				past_ask(s, p, x, def, source);
			if (x && x->state == PAST_ASKED && x->due > s->now && (!*next || x->due < *next))
				*next = x->due;
		}
	}
}

void sw_probe_past(struct step *s, struct place_state *p, const struct sw_jnode *msg)
{
	const struct sw_jnode *rec = sw_jget(msg, "rec");
	struct past *x = past_of(p, sw_jstr(msg, "dep"), sw_jstr(msg, "signal"), rec ? sw_jint(rec, "step", 0) : sw_jint(msg, "step", 0));
	struct sw_buf b = SW_BUF_INIT;
	struct sw_step_keep *keep;
	struct sw_jw w;

	if (!x || x->state != PAST_ASKED)
		return; /* told twice, or of a deployment that is forgotten */
	if (!rec) {
		x->why = sw_jstr(msg, "why");
		if (!sw_jbool(msg, "again", false) || x->tries >= PAST_TRIES)
			x->state = PAST_MISSING;
		return;
	}
	if (s->out->n_keeps >= PAST_KEEPS) /* a question to people needs room, too */
		return; /* asked again when it is late */
	x->state = PAST_KNOWN;
	x->due = 0;
	x->why = NULL;
	sw_jw_init(&w, &b);
	sw_jw_node(&w, NULL, rec);
	keep = &s->out->keeps[s->out->n_keeps++];
	*keep = (struct sw_step_keep){ sw_probe_past_key(s, x), sw_arena_strdup(s->a, sw_buf_str(&b)), BASELINE_TTL };
	sw_buf_fini(&b);
}

const struct baseline *sw_probe_baseline(struct step *s, const struct place_state *p, const char *dep, const char *signal, sw_dur step,
                                         const char **ret_why)
{
	const struct past *x = past_of((struct place_state *)(uintptr_t)p, dep, signal, step);
	struct baseline *b;
	struct sw_jnode *rec;
	const char *text;

	*ret_why = x && x->why ? x->why : "what it was before the deployment is not known yet";
	if (!x || x->state != PAST_KNOWN)
		return NULL;
	for (size_t i = 0; i < s->out->n_keeps; i++) /* kept by this very step */
		if (sw_streq(s->out->keeps[i].key, sw_probe_past_key(s, x)))
			return NULL;
	if (!sw_step_snap(s, sw_probe_past_key(s, x), &text))
		return NULL;
	*ret_why = "what was known of the time before is gone";
	b = SW_ARENA_NEW(s->a, struct baseline);
	if (!text || sw_jtree_parse(s->a, text, strlen(text), 10000, &rec, NULL) < 0 || !sw_baseline_read(rec, s->a, b))
		return NULL;
	return b;
}

/* ---- timers ---- */

void sw_probe_plan(struct step *s, struct place_state *p, sw_ms *next)
{
	for (size_t i = 0; i < SW_COUNT(sources); i++) {
		sw_dur every = sw_probe_rhythm(s, p, sources[i]);
		struct source_state *src = NULL;
		sw_ms before;

		for (size_t k = 0; k < p->n_sources; k++)
			if (sw_streq(p->sources[k].name, sources[i]))
				src = &p->sources[k];
		if (!src && every)
			src = sw_probe_state(p, sources[i]);
		if (!src)
			continue;
		before = src->planned;
		if (!every)
			src->due = 0;
		else if (!src->due || src->due > s->now + every)
			src->due = s->now + 1; /* wanted sooner than planned: a watch opened */
		if (src->due != before)
			sw_step_timer(s, sw_arena_printf(s->a, "probe:%s", sources[i]), src->due);
	}
	for (size_t i = 0; i < p->n_sources; i++) {
		sw_ms due = p->sources[i].due;

		if (sw_streq(p->sources[i].name, "reference") && due > s->now && (!*next || due < *next))
			*next = due;
	}
	past_plan(s, p, next);
}
