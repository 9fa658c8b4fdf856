/*
 * Watches: one rule following one deployment until it has a verdict.
 *
 *            open                first good answer, or grace over          condition held
 *   (none) ───────▶ waiting ───────────────────────────────▶ watching ─────────────────────▶ following ──▶ done (fail)
 *                      │                                        │ end of the window,            calm for 3 checks: resolved;
 *                      │ newer success                          │ known enough                  60 min: closed
 *                      ▼                                        ▼
 *                  done (superseded)                       done (pass | inconclusive)
 *
 *   waiting→watching  samples_clock      watching→following  watch_fail       watching→done  watch_window
 *   any→done          sw_watch_end          following→done      watch_follow
 *
 * 1. A verdict needs a reading that came after we were last asleep (tilt).
 * 2. A window is extended, to 30 min from its start, while too little is known; then the rule's no_data decides.
 * 3. fail is final: what follows only tells whether it got better.
 */
#include <string.h>

#include "base/str.h"
#include "engine/place.h"

#define EXTEND_TO   (30 * SW_MINUTE)
#define FOLLOW_FOR  (60 * SW_MINUTE)
#define CALM_CHECKS 3
#define ASLEEP      (30 * SW_SECOND)
#define LOOK_AGAIN  (2 * SW_MINUTE)
#define SLACK       5                /* checks that a window may lack: the first look of a test, answers that took their time */

static const char *dep_sha(const struct deployment *d)
{
	return d->ev.sha ? d->ev.sha : d->ev.short_sha;
}

struct sw_rules *sw_watch_rules(struct step *s, const struct watch *w, const struct sw_rule **rule)
{
	bool lost;
	struct sw_rules *rules = sw_step_rules(s, w->hash, &lost);

	*rule = rules ? sw_rules_find(rules, w->rule) : NULL;
	return rules;
}

/* The set in force is near enough when the pinned one is not at hand. */
const struct sw_rule *sw_watch_rule_near(struct step *s, const struct watch *w, struct sw_rules **ret_rules)
{
	struct sw_rules *r = s->e->rules, *pinned = NULL;

	if (s->e->pinned && (!r || !sw_streq(r->hash, w->hash)))
		pinned = s->e->pinned(s->e->arg, w->hash);
	r = pinned ? pinned : r;
	if (ret_rules)
		*ret_rules = r;
	return r ? sw_rules_find(r, w->rule) : NULL;
}

/* A rule that asks for latencies begins later: the first ones are of cold caches. */
static sw_dur watch_delay(const struct sw_rules *rules, const struct sw_rule *rule)
{
	for (size_t i = 0; rule->signals && rule->signals[i]; i++) {
		const struct sw_signal_def *def = sw_rules_signal(rules, rule->signals[i]);

		if (def && def->latency)
			return rule->delay;
	}
	return 0;
}

void sw_watch_open(struct step *s, struct place_state *p, struct deployment *d, const struct sw_rule *rule)
{
	const char *id = sw_engine_id(s->a, s->in->aggregate, d->id, rule->name, NULL);
	sw_dur grace = p->conf && p->conf->health.url ? p->conf->health.grace : 0;
	struct watch *w;

	if (sw_place_watch(p, id))
		return;
	if (p->n_watches == PLACE_WATCHES) {
		size_t n = 0;

		for (size_t i = 0; i < p->n_watches; i++)
			if (p->watches[i].state != WATCH_DONE || sw_streq(p->watches[i].dep, d->id))
				p->watches[n++] = p->watches[i];
		p->n_watches = n;
	}
	if (p->n_watches == PLACE_WATCHES) {
		sw_step_note(s, SW_NOTE_ERROR, d->ev.ci_run_id, NULL, "more than %d watches at one place: rule \"%s\" does not watch", PLACE_WATCHES,
		             rule->name);
		return;
	}
	w = &p->watches[p->n_watches++];
	*w = (struct watch){
		.id = id, .dep = d->id, .rule = rule->name, .hash = s->e->rules->hash, .state = WATCH_WAITING, .opened = d->finished,
		.from = d->finished, .until = d->finished + watch_delay(s->e->rules, rule) + rule->watch_for, .grace_until = d->finished + grace,
		.every = sw_probe_every(p->conf, s->e->rules, rule), .requests = -1, .counted = -1, .n_holds = sw_expr_holds(rule->cond),
	};
	s->out->pin = s->e->rules;
	sw_step_note(s, SW_NOTE_INFO, d->ev.ci_run_id, id, "watch opened by rule \"%s\" for %s", rule->name, d->id);
}

/* ---- verdicts ---- */

/* All watches of a deployment have ended: was it good? */
void sw_watch_settle(struct step *s, struct place_state *p, struct deployment *d)
{
	bool all = true, any = false, bad = false;

	if (d->said)
		return;
	for (size_t i = 0; i < p->n_watches; i++) {
		const struct watch *w = &p->watches[i];
		const struct sw_rule *rule;

		if (!sw_streq(w->dep, d->id))
			continue;
		rule = sw_watch_rule_near(s, w, NULL);
		if (rule && rule->n_then == 1 && rule->then[0].kind == SW_THEN_LABEL)
			continue; /* judges nothing */
		any = true;
		all &= w->state == WATCH_DONE && sw_streq(w->verdict, "pass");
		bad |= sw_streq(w->verdict, "fail");
	}
	if (any && all && d->good < 0) {
		d->good = 1;
		sw_place_remember(p->good, &p->n_good, dep_sha(d));
		sw_step_note(s, SW_NOTE_INFO, d->ev.ci_run_id, NULL, "deployment %s is good: all its watches passed", d->id);
	} else if (bad && d->good) {
		d->good = 0;
		sw_place_remember(p->bad, &p->n_bad, dep_sha(d));
	}
}

void sw_watch_end(struct step *s, struct place_state *p, struct watch *w, const char *verdict, const char *reason)
{
	struct deployment *d = sw_place_dep(p, w->dep);

	if (!w->verdict) {
		sw_step_tally(s, SW_TALLY_VERDICT, verdict);
		sw_step_note(s, SW_NOTE_INFO, d ? d->ev.ci_run_id : NULL, w->id, "watch of rule \"%s\" ended: %s (%s)", w->rule, verdict, reason);
		w->verdict = verdict;
		w->reason = reason;
	}
	w->state = WATCH_DONE;
	w->ended = s->now;
	if (d)
		sw_watch_settle(s, p, d);
}

static void watch_news(struct step *s, struct place_state *p, const struct watch *w, const struct deployment *d,
                       const struct sw_rule *rule, const struct sw_judged *j, struct news *n)
{
	sw_news_of(s, rule, p->conf, p->service, &d->ev, w->id, n);
	n->al.environment = p->environment;
	n->al.watch_id = w->id;
	n->al.verdict = w->verdict;
	n->al.reason = w->reason;
	n->al.prev_sha = d->prev_sha;
	n->al.prev_version = d->prev_version;
	if (j)
		sw_news_findings(s, j, &n->al);
}

static void watch_fail(struct step *s, struct place_state *p, struct watch *w, struct deployment *d, const struct sw_rule *rule,
                       const struct sw_judged *j, const char *reason)
{
	struct news n;

	w->verdict = "fail";
	w->reason = reason;
	w->state = WATCH_FOLLOWING;
	w->fail_at = s->now;
	w->fired = true;
	sw_step_tally(s, SW_TALLY_VERDICT, "fail");
	sw_step_tally(s, SW_TALLY_FIRED, rule->name);
	sw_step_note(s, SW_NOTE_WARN, d->ev.ci_run_id, w->id, "rule \"%s\": verdict fail (%s) for deployment %s", rule->name, reason, d->id);
	sw_watch_settle(s, p, d);
	watch_news(s, p, w, d, rule, j, &n);
	sw_place_then(s, p, d, w, rule, &n.al);
	sw_news_tell(s, &n, SW_NEWS_FIRING, NULL);
}

/* A rule whose only consequence is a label judges nothing: it fires, and that is all. */
static bool watch_labels(const struct sw_rule *rule)
{
	bool label = false;

	for (size_t i = 0; i < rule->n_then; i++) {
		if (rule->then[i].kind == SW_THEN_ROLLBACK)
			return false;
		label |= rule->then[i].kind == SW_THEN_LABEL && rule->then[i].good;
	}
	return label;
}

static void watch_label(struct step *s, struct place_state *p, struct watch *w, struct deployment *d, const struct sw_rule *rule,
                        const struct sw_judged *j)
{
	struct news n;

	sw_watch_end(s, p, w, "pass", "evidence");
	watch_news(s, p, w, d, rule, j, &n);
	sw_place_then(s, p, d, w, rule, &n.al);
	for (size_t i = 0; i < rule->n_then; i++)
		if (rule->then[i].kind == SW_THEN_ALERT) {
			sw_news_tell(s, &n, SW_NEWS_NOTICE, NULL);
			break;
		}
}

static void watch_inconclusive(struct step *s, struct place_state *p, struct watch *w, struct deployment *d,
                               const struct sw_rule *rule, const struct sw_judged *j, const char *reason)
{
	struct news n;

	sw_watch_end(s, p, w, "inconclusive", reason);
	if (d->told_inconclusive)
		return;
	d->told_inconclusive = true; /* once per deployment, without mentions */
	watch_news(s, p, w, d, rule, j, &n);
	n.roles = NULL;
	n.al.severity = SW_SEV_WARNING;
	sw_news_tell(s, &n, SW_NEWS_INCONCLUSIVE, NULL);
}

/* It was worse for a while: a pass, and people hear of it once, without mentions. */
static void watch_transient(struct step *s, struct place_state *p, struct watch *w, struct deployment *d, const struct sw_rule *rule,
                            const struct sw_judged *j)
{
	struct news n;

	sw_watch_end(s, p, w, "pass", "transient");
	watch_news(s, p, w, d, rule, j, &n);
	n.roles = NULL;
	n.al.severity = SW_SEV_WARNING;
	sw_news_tell(s, &n, SW_NEWS_NOTICE, NULL);
}

/* Known at the last check and at 80 % of all that there should have been; silence is no check, and counts as one that failed. */
static bool watch_known(const struct step *s, const struct watch *w, const struct sw_rule *rule)
{
	sw_dur window = w->until - w->from - (w->until - w->from > rule->watch_for ? rule->delay : 0);
	int64_t total = rule->signals[0] ? SW_MAX(w->total, window / w->every - SLACK - w->early) : w->total;

	if (rule->signals[0] && s->now - w->last_at > SW_MAX(3 * w->every, ASLEEP))
		return false;
	return w->total > 0 && w->last_known && w->known * 5 >= total * 4;
}

/* The window is over: pass if enough is known, else wait on, else what no_data says. */
static void watch_window(struct step *s, struct place_state *p, struct watch *w, struct deployment *d, const struct sw_rule *rule,
                         const struct sw_judged *j, const struct facts *f)
{
	if (sw_streq(f->veto, "pre-existing")) {
		watch_inconclusive(s, p, w, d, rule, j, "pre-existing");
		return;
	}
	if (watch_known(s, w, rule)) {
		if (watch_labels(rule))
			sw_watch_end(s, p, w, "inconclusive", "deadline");
		else if (w->transient)
			watch_transient(s, p, w, d, rule, j);
		else
			sw_watch_end(s, p, w, "pass", "evidence");
		return;
	}
	if (s->now < SW_MAX(w->from + EXTEND_TO, w->until))
		return;
	switch (rule->no_data) {
	case SW_ND_FAIL: watch_fail(s, p, w, d, rule, j, "no-data"); break;
	case SW_ND_PASS: sw_watch_end(s, p, w, "pass", "no-data"); break;
	case SW_ND_LAST:
		if (w->last_at && s->now - w->last_at <= rule->no_data_last + EXTEND_TO && w->known)
			sw_watch_end(s, p, w, "pass", "no-data");
		else
			watch_inconclusive(s, p, w, d, rule, j, "no-data");
		break;
	case SW_ND_INCONCLUSIVE: watch_inconclusive(s, p, w, d, rule, j, "no-data"); break;
	}
}

/* After a fail: is it over? */
static void watch_follow(struct step *s, struct place_state *p, struct watch *w, struct deployment *d, const struct sw_rule *rule,
                         const struct sw_judged *j, bool fresh)
{
	struct news n;

	if (fresh)
		w->calm = j->truth == SW_FALSE ? w->calm + 1 : j->truth == SW_TRUE ? 0 : w->calm;
	if (w->calm >= CALM_CHECKS) {
		sw_act_recovered(s, p, w);
		watch_news(s, p, w, d, rule, NULL, &n);
		sw_act_became(p, w, &n.al);
		sw_news_tell(s, &n, SW_NEWS_RESOLVED, NULL);
		sw_watch_end(s, p, w, "fail", w->reason);
	} else if (s->now >= w->fail_at + FOLLOW_FOR) {
		watch_news(s, p, w, d, rule, NULL, &n);
		sw_act_became(p, w, &n.al);
		sw_news_tell(s, &n, SW_NEWS_CLOSED, NULL);
		sw_watch_end(s, p, w, "fail", w->reason);
	}
}

/* Newest reading of the signals and sources the rule needs; where it needs none of them, now. 0: none since it opened. */
static sw_ms watch_newest(const struct step *s, const struct place_state *p, const struct watch *w, const struct sw_rule *rule)
{
	sw_ms at = 0;

	for (size_t k = 0; rule->signals[k]; k++) {
		const struct series *sr = sw_readings_find(p, rule->signals[k]);

		if (sr && sr->n)
			at = SW_MAX(at, sr->s[sr->n - 1].at);
	}
	for (size_t k = 0; rule->sources[k]; k++)
		for (size_t i = 0; i < p->n_sources; i++)
			if (sw_streq(p->sources[i].name, rule->sources[k]))
				at = SW_MAX(at, p->sources[i].heard);
	if (!rule->signals[0] && !rule->sources[0])
		at = s->now; /* failing_services and the like: each look is a check */
	return at >= w->opened ? at : 0;
}

/* Nothing new, and no moment passed at which something has to be decided: what was found last still stands. */
static bool watch_idle(const struct watch *w, bool fresh, sw_ms now)
{
	sw_ms at[] = { w->grace_until, w->until, w->from + EXTEND_TO, w->fail_at ? w->fail_at + FOLLOW_FOR : 0 };

	if (fresh || w->asked || w->tilt || !w->looked)
		return false;
	for (size_t i = 0; i < SW_COUNT(at); i++)
		if (at[i] > w->looked && at[i] <= now)
			return false;
	return true;
}

/* The moment from which a true condition may count: after sleep or a jump of the clock we look again first. */
static void watch_awake(struct step *s, struct watch *w)
{
	sw_dur limit = SW_MAX(ASLEEP, 3 * w->every);

	if (w->last_eval && s->now - w->last_eval > limit) {
		w->tilt = s->now;
		w->last_known = false;
	} else if (w->tilt && w->last_at > w->tilt)
		w->tilt = 0;
	w->last_eval = s->now;
}

static void watch_lost(struct step *s, struct place_state *p, struct watch *w)
{
	sw_step_note(s, SW_NOTE_ERROR, NULL, w->id, "the rules this watch was opened with are gone, it ends");
	sw_watch_end(s, p, w, "inconclusive", "no-data");
}

/* The condition holds. What stands between that and a verdict? */
static void watch_true(struct step *s, struct place_state *p, struct watch *w, struct deployment *d, const struct sw_rule *rule,
                       const struct sw_judged *j, const struct sw_facts *facts)
{
	switch (sw_judge_guard(s, p, d, rule, facts)) {
	case JUDGE_GO: watch_fail(s, p, w, d, rule, j, "evidence"); break;
	case JUDGE_WAIT: w->asked = true; break;
	case JUDGE_PRE_EXISTING: watch_inconclusive(s, p, w, d, rule, j, "pre-existing"); break;
	case JUDGE_COMMON_CAUSE: watch_inconclusive(s, p, w, d, rule, j, "common-cause"); break;
	case JUDGE_OWN_NETWORK:
		if (!w->tilt)
			sw_step_note(s, SW_NOTE_WARN, d->ev.ci_run_id, w->id, "the reference address does not answer either: our own network is down, looking again");
		w->tilt = s->now;
		w->last_known = false;
		break;
	}
}

/* Evaluates; what was new counts as a check, unless it is too early to tell anything. */
static void watch_look(struct step *s, struct watch *w, struct facts *f, struct sw_facts *facts, bool fresh, struct sw_judged *j)
{
	const struct sw_rule *rule = f->rule;

	sw_facts_fill(f, facts);
	facts->gap_resets = rule->gap_resets;
	sw_expr_eval(rule->cond, facts, w->holds, s->a, j);
	if (j->truth != SW_FALSE && rule->min_requests && f->requests < (double)rule->min_requests)
		j->truth = SW_UNKNOWN; /* too little traffic says nothing */
	w->transient |= sw_streq(f->veto, "transient");
	if (!fresh)
		return;
	if (f->early && j->truth == SW_UNKNOWN) {
		w->early++;
		return;
	}
	w->last_known = j->truth != SW_UNKNOWN;
	if (w->state == WATCH_WATCHING) {
		w->total++;
		w->known += w->last_known;
	}
}

static void watch_eval(struct step *s, struct place_state *p, struct watch *w)
{
	const struct sw_rule *rule;
	struct sw_rules *rules = sw_watch_rules(s, w, &rule);
	struct deployment *d = sw_place_dep(p, w->dep);
	struct facts f;
	struct sw_facts facts;
	struct sw_judged j;
	sw_ms newest;
	bool fresh;

	if (!rules && s->out->n_needs)
		return; /* asked for; this step is run again with them */
	if (!rule || !d || !rule->cond) {
		watch_lost(s, p, w);
		return;
	}
	newest = watch_newest(s, p, w, rule);
	fresh = newest > w->last_at;
	if (fresh)
		w->last_at = newest;
	if (w->state == WATCH_WAITING && s->now >= w->grace_until)
		w->state = WATCH_WATCHING;
	watch_awake(s, w);
	if (watch_idle(w, fresh, s->now))
		return;
	f = (struct facts){ .s = s, .ev = &d->ev, .place = p->conf, .service = p->service, .state = p, .dep = d, .watch = w, .rules = rules,
	                    .rule = rule, .delay = rule->delay, .requests = sw_judge_requests(w) };
	watch_look(s, w, &f, &facts, fresh, &j);
	if (s->out->n_needs)
		return;
	w->looked = s->now;
	w->asked = false;
	if (w->state == WATCH_FOLLOWING)
		watch_follow(s, p, w, d, rule, &j, fresh);
	else if (j.truth == SW_TRUE && !w->tilt && watch_labels(rule))
		watch_label(s, p, w, d, rule, &j);
	else if (j.truth == SW_TRUE && !w->tilt)
		watch_true(s, p, w, d, rule, &j, &facts);
	else if (s->now >= w->until && w->state == WATCH_WATCHING && (!w->tilt || s->now >= w->tilt + LOOK_AGAIN))
		watch_window(s, p, w, d, rule, &j, &f);
}

/* When this watch has to be looked at without a new reading. */
static sw_ms watch_due(const struct watch *w, sw_ms now)
{
	sw_ms due = w->state == WATCH_FOLLOWING ? w->fail_at + FOLLOW_FOR : w->state == WATCH_WAITING ? w->grace_until : w->until;

	if (w->state == WATCH_WATCHING && now >= w->until)
		due = SW_MAX(w->from + EXTEND_TO, w->until);
	if (w->tilt && w->tilt + LOOK_AGAIN > now)
		due = SW_MIN(due, w->tilt + LOOK_AGAIN);
	return due > now ? due : now + SW_MINUTE;
}

void sw_watch_tick(struct step *s, struct place_state *p, sw_ms *next)
{
	for (size_t i = 0; i < p->n_watches; i++) {
		struct watch *w = &p->watches[i];
		sw_ms due;

		if (w->state != WATCH_DONE)
			watch_eval(s, p, w);
		if (w->state == WATCH_DONE)
			continue;
		due = watch_due(w, s->now);
		if (!*next || due < *next)
			*next = due;
	}
}

void sw_watch_superseded(struct step *s, struct place_state *p, const struct deployment *newer)
{
	for (size_t i = 0; i < p->n_watches; i++) {
		struct watch *w = &p->watches[i];

		if (sw_streq(w->dep, newer->id) || (w->state != WATCH_WAITING && w->state != WATCH_WATCHING))
			continue;
		sw_watch_end(s, p, w, "superseded", "newer");
	}
	for (size_t i = 0; i < p->n_deps; i++)
		if (!sw_streq(p->deps[i].id, newer->id))
			sw_act_cancel(s, p, p->deps[i].id, sw_act_newer(s, newer));
}
