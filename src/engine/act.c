/*
 * Actions: what is done to the world for a failed watch, and its guards (design 4.2).
 *
 *   (asking ──▶) proposed ──go──▶ started ──acted──▶ done ──calm──▶ verified         asking: a person decides first (ask.c)
 *                   │  ▲             │                 └──deadline──▶ ineffective (told, critical)
 *                   ▼  │             ├──acted──▶ failed (told)
 *                postponed           └──deadline, or an outcome nobody knows──▶ unknown (told, never tried again)
 *                   └──deadline, cancel, guard──▶ skipped (told why)
 *
 * proposed→started happens in a commit whose script checks again what only Redis knows: was it ever started, is everything on
 * hold, is there news waiting that we have not read (state.md 4 "newest only").
 */
#include <string.h>

#include "base/str.h"
#include "engine/place.h"
#include "engine/silences.h"

#define TRY_AGAIN     (2 * SW_SECOND)
#define GIVE_UP       (60 * SW_SECOND)  /* while a guard of the script refuses */
#define POSTPONE_MOST (60 * SW_MINUTE)  /* while a newer deployment runs */
#define MARGIN        (10 * SW_SECOND)
#define NO_GOOD       "no verified good deployment is known"

static const struct sw_engine_action *act_conf(struct step *s, const char *name)
{
	for (size_t i = 0; i < s->e->n_actions; i++)
		if (sw_streq(s->e->actions[i].name, name))
			return &s->e->actions[i];
	return NULL;
}

static bool newer_running(const struct place_state *p, const struct deployment *d)
{
	for (size_t i = 0; i < p->n_deps; i++)
		if (&p->deps[i] != d && p->deps[i].status == SW_ST_RUNNING && sw_deployment_compare(&p->deps[i], d) > 0)
			return true;
	return false;
}

static const struct deployment *newer_done(const struct place_state *p, const struct deployment *d)
{
	for (size_t i = 0; i < p->n_deps; i++)
		if (&p->deps[i] != d && p->deps[i].counted && sw_deployment_compare(&p->deps[i], d) > 0)
			return &p->deps[i];
	return NULL;
}

const char *sw_act_newer(struct step *s, const struct deployment *newer)
{
	return newer->ev.user ? sw_arena_printf(s->a, "a newer deployment succeeded (%s)", newer->ev.user) : "a newer deployment succeeded";
}

static const char *act_caps(struct step *s, struct place_state *p)
{
	int in_30m = 0, in_24h = 0, most_30m = p->conf && p->conf->rollbacks_30m ? p->conf->rollbacks_30m : 1;
	int most_24h = p->conf && p->conf->rollbacks_24h ? p->conf->rollbacks_24h : 3;

	for (size_t i = 0; i < p->n_rollbacks; i++) {
		in_30m += p->rollbacks[i] > s->now - 30 * SW_MINUTE;
		in_24h += p->rollbacks[i] > s->now - SW_DAY;
	}
	if (in_30m < most_30m && in_24h < most_24h)
		return NULL;
	if (!p->hold_by) {
		p->hold_by = "limit";
		p->hold_why = "rollbacks of this place are at their limit";
	}
	return sw_arena_printf(s->a, "limit of this place reached (%d in 30 min, %d in 24 h); it is on hold now", in_30m, in_24h);
}

#define MIGRATIONS_CHANGED "migrations were changed: a person has to decide"
#define MIGRATIONS_UNKNOWN "whether migrations were changed is not known: a person has to decide"

/* Were files changed that a rollback cannot undo? */
static enum sw_truth act_migrations(struct step *s, const struct place_state *p, const struct deployment *d)
{
	struct facts f = { .s = s, .ev = &d->ev, .place = p->conf, .service = p->service, .state = p, .dep = d };
	enum sw_truth worst = SW_FALSE;
	struct sw_facts facts;

	if (!p->conf || !p->conf->migrations)
		return SW_FALSE;
	sw_facts_fill(&f, &facts);
	for (size_t i = 0; p->conf->migrations[i]; i++) {
		enum sw_truth t = facts.changed(facts.arg, p->conf->migrations[i]);

		if (t == SW_TRUE)
			return SW_TRUE;
		if (t == SW_UNKNOWN)
			worst = SW_UNKNOWN;
	}
	return worst;
}

static const char *label_of(const struct sw_label *labels, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (sw_streq(labels[i].name, name))
			return labels[i].value && *labels[i].value ? labels[i].value : "true";
	return NULL;
}

/* A release, or its environment, may say by a label that it cannot be taken back; "false" and "0" say that it can. */
static const char *act_labelled(const struct place_state *p, const struct deployment *d)
{
	static const struct { const char *name, *why; } labels[] = {
		{ "no-rollback", "labelled no-rollback: a person has to decide" }, { "migrations", "labelled migrations: a person has to decide" },
	};

	for (size_t i = 0; i < SW_COUNT(labels); i++) {
		const char *v = label_of(d->ev.labels, d->ev.n_labels, labels[i].name);

		if (!v && p->conf)
			v = label_of(p->conf->labels, p->conf->n_labels, labels[i].name);
		if (v && !sw_streq(v, "false") && !sw_streq(v, "0"))
			return labels[i].why;
	}
	return NULL;
}

/* What forbids it for good, whatever its files are; NULL: nothing. */
static const char *act_barred(struct step *s, const struct place_state *p, const struct deployment *d, bool rollback)
{
	const struct deployment *newer = newer_done(p, d);

	if (newer)
		return sw_act_newer(s, newer);
	if (s->in->hold)
		return sw_arena_printf(s->a, "everything is on hold: %s", s->in->hold);
	if (p->hold_by)
		return sw_arena_printf(s->a, "this place is on hold by %s%s%s", p->hold_by, p->hold_why ? ": " : "", p->hold_why ? p->hold_why : "");
	if (!rollback)
		return NULL;
	if (d->is_rollback)
		return "this deployment is a rollback itself";
	if (d->is_redeploy)
		return "the same commit ran here before: taking it back changes nothing";
	if (d->concurrent)
		return "concurrent deployments: nobody knows which of them runs";
	return act_labelled(p, d);
}

static const char *act_forbidden(struct step *s, const struct place_state *p, const struct deployment *d, bool rollback)
{
	const char *why = act_barred(s, p, d, rollback);

	return why || !rollback || act_migrations(s, p, d) != SW_TRUE ? why : MIGRATIONS_CHANGED;
}

/* An action that chooses what is deployed needs to know what is good, or a person who says yes to what else there is. */
static const char *act_no_good(const struct place_state *p, const struct deployment *d, const struct sw_engine_action *conf,
                               const struct act *x)
{
	const struct deployment *good;
	const char *target;

	if (!conf || !conf->needs_good)
		return NULL;
	target = sw_own_target(p, d, x, &good);
	if (!target)
		return NO_GOOD;
	return x && x->asked && x->target && !sw_sha_equal(target, x->target) ? "what it goes back to is another by now" : NULL;
}

static bool act_dry(const struct place_state *p, const struct sw_engine_action *conf)
{
	return (conf && conf->dry_run) || (p->conf && p->conf->dry_run);
}

const char *sw_act_guards(struct step *s, struct place_state *p, struct deployment *d, const struct act *x)
{
	const struct sw_engine_action *conf = act_conf(s, x->action);
	const char *why = act_forbidden(s, p, d, x->rollback);

	if (!why && x->rollback && !x->approved && act_migrations(s, p, d) == SW_UNKNOWN)
		why = MIGRATIONS_UNKNOWN;
	if (!why && !x->approved) /* what is expected to be ill is not taken back by itself */
		why = sw_silences_maintenance(s, p->service, p->environment, x->rule);
	if (!why)
		why = act_no_good(p, d, conf, x);
	if (!why && x->asked && act_dry(p, conf))
		why = "a dry run by now";
	return !why && x->asked && x->rollback ? act_caps(s, p) : why;
}

const char *sw_act_withdrawn(struct step *s, struct place_state *p, struct deployment *d, const struct act *x)
{
	const char *why = act_barred(s, p, d, x->rollback);

	return !why && act_dry(p, act_conf(s, x->action)) ? "a dry run by now" : why;
}

/* Why a person has to be asked though the rule asks for nothing; NULL: nobody has to. What is offered is noted in x. */
static const char *act_unsure(struct step *s, struct place_state *p, const struct deployment *d, const struct sw_engine_action *conf,
                              struct act *x)
{
	const struct deployment *other, *previous;

	if (conf->needs_good && !sw_own_good(p, d, &other)) {
		previous = sw_own_previous(p, d);
		x->offer = previous ? previous->id : NULL;
		return previous ? NO_GOOD : NULL;
	}
	return act_migrations(s, p, d) == SW_UNKNOWN ? MIGRATIONS_UNKNOWN : NULL;
}

static struct act *act_new(struct place_state *p)
{
	if (p->n_acts == PLACE_ACTS) {
		size_t i = 0;

		while (i < p->n_acts && (p->acts[i].state == ACT_STARTED || p->acts[i].state == ACT_PROPOSED || p->acts[i].state == ACT_ASKING ||
		                         p->acts[i].state == ACT_POSTPONED))
			i++;
		if (i == p->n_acts)
			return NULL;
		memmove(&p->acts[i], &p->acts[i + 1], (p->n_acts - i - 1) * sizeof p->acts[0]);
		p->n_acts--;
	}
	memset(&p->acts[p->n_acts], 0, sizeof p->acts[0]);
	return &p->acts[p->n_acts++];
}

static void act_tell_go(struct step *s, const struct act *x)
{
	sw_step_tell(s, s->in->aggregate, sw_arena_printf(s->a, "{\"t\":\"go\",\"act\":\"%s\"}", x->id));
}

static void act_told(struct step *s, struct sw_alert *al, const char *action, const char *state, const char *detail)
{
	al->rollback_action = action;
	al->rollback_state = state;
	al->rollback_detail = detail;
	sw_step_tally(s, SW_TALLY_ACTION, state);
	sw_step_note(s, SW_NOTE_INFO, al->ci_run_id, al->watch_id, "action %s: %s%s%s", action ? action : "(none)", state, detail ? ", " : "",
	             detail ? detail : "");
}

/* What a message says while a person is asked. */
static void act_asks(const struct act *x, struct sw_alert *al)
{
	al->ask = x->id;
	al->ask_until = x->deadline;
	al->ask_proceeds = x->proceed;
}

void sw_act_propose(struct step *s, struct place_state *p, struct deployment *d, struct watch *w, const struct sw_rule *rule,
                 const struct sw_then *then, struct sw_alert *al)
{
	bool rollback = then->kind == SW_THEN_ROLLBACK;
	const char *action = rollback ? (p->conf ? p->conf->rollback : NULL) : then->action, *why;
	const char *id = sw_engine_id(s->a, s->in->aggregate, d->id, rollback ? "rollback" : rule->name, action ? action : "", NULL);
	const struct sw_engine_action *conf = act_conf(s, action);
	struct act *x, draft = { .id = id, .action = action, .dep = d->id, .watch = al->id, .rule = rule->name, .hash = w ? w->hash : s->e->rules->hash,
	                         .rollback = rollback, .proposed = s->now, .state = ACT_PROPOSED };
	const char *unsure = NULL;

	if (!action || !conf) {
		act_told(s, al, action, "none", "no rollback is configured for this place");
		return;
	}
	x = sw_place_act(p, id);
	if (x && x->state == ACT_ASKING && !x->ask_why && !then->approve && !rule->dry_run) {
		act_told(s, al, action, "starting", NULL);
		sw_ask_outdone(s, p, x, &draft);
		return;
	}
	if (x || (rollback && d->acted)) {
		act_told(s, al, action, "already", "a rollback of this deployment was decided before");
		return;
	}
	why = act_forbidden(s, p, d, rollback);
	if (!why) /* what is expected to be ill is not taken back by itself */
		why = sw_silences_maintenance(s, p->service, p->environment, rule->name);
	if (!why && rollback)
		unsure = act_unsure(s, p, d, conf, &draft);
	if (!why)
		why = act_no_good(p, d, conf, &draft);
	if (!why && rollback)
		why = act_caps(s, p);
	if (rule->dry_run || act_dry(p, conf)) {
		al->dry_run = true;
		act_told(s, al, action, "dry-run", why ? why : unsure || then->approve ? "a person would have been asked now" : "would have been started now");
		return;
	}
	x = act_new(p);
	if (!x) {
		act_told(s, al, action, "skipped", "too many actions at this place are under way");
		return;
	}
	d->acted |= rollback;
	*x = draft;
	if (why) {
		x->state = ACT_SKIPPED;
		x->why = why;
		act_told(s, al, action, "skipped", why);
	} else if (unsure || then->approve) {
		sw_ask_begin(s, p, d, x, then, unsure, al);
		act_told(s, al, action, "asking", unsure);
		act_asks(x, al);
	} else if (newer_running(p, d)) {
		x->state = ACT_POSTPONED;
		x->due = s->now + TRY_AGAIN;
		x->deadline = s->now + POSTPONE_MOST;
		act_told(s, al, action, "postponed", "a newer deployment is running");
	} else {
		act_told(s, al, action, "starting", NULL);
		act_tell_go(s, x);
	}
}

void sw_act_news(struct step *s, struct place_state *p, const struct act *x, enum sw_alert_news what, const char *detail)
{
	struct deployment *d = sw_place_dep(p, x->dep);
	bool lost;
	struct sw_rules *rules = sw_step_rules(s, x->hash, &lost);
	const struct sw_rule *rule = rules ? sw_rules_find(rules, x->rule) : NULL;
	struct watch *w = sw_place_watch(p, x->watch);
	struct sw_event none;
	struct news n;

	sw_event_init(&none);
	sw_news_of(s, rule, p->conf, p->service, d ? &d->ev : &none, x->watch, &n);
	n.al.environment = p->environment;
	n.al.rule = x->rule;
	n.al.severity = what == SW_NEWS_ROLLBACK_DONE || what == SW_NEWS_ROLLBACK_APPROVED ? n.al.severity : SW_SEV_CRITICAL;
	n.al.rollback_action = x->action;
	n.al.rollback_state = sw_act_state_name(x->state);
	n.al.rollback_detail = detail;
	if (x->state == ACT_ASKING) {
		act_asks(x, &n.al);
		if (x->saw) {
			n.al.findings = SW_ARENA_ARRAY(s->a, struct sw_finding, 1);
			n.al.findings[n.al.n_findings++] = (struct sw_finding){ .text = x->saw };
		}
	}
	if (w) {
		n.al.watch_id = w->id;
		n.al.verdict = w->verdict;
		n.al.reason = w->reason;
	}
	if (d) {
		n.al.prev_sha = d->prev_sha;
		n.al.prev_version = d->prev_version;
	}
	sw_news_tell(s, &n, what, x->id);
	sw_step_tally(s, SW_TALLY_ACTION, sw_act_state_name(x->state));
	sw_step_note(s, what == SW_NEWS_ROLLBACK_DONE || what == SW_NEWS_ROLLBACK_APPROVED ? SW_NOTE_INFO : SW_NOTE_WARN, n.al.ci_run_id, n.al.watch_id, "action %s %s: %s%s%s",
	             x->action, x->id, sw_act_state_name(x->state), detail ? ", " : "", detail ? detail : "");
}

void sw_act_skip(struct step *s, struct place_state *p, struct act *x, const char *why)
{
	x->state = ACT_SKIPPED;
	x->why = why;
	x->due = x->deadline = 0;
	sw_act_news(s, p, x, SW_NEWS_ROLLBACK_SKIPPED, why);
}

static void act_postpone(struct step *s, struct act *x)
{
	x->state = ACT_POSTPONED;
	x->due = s->now + TRY_AGAIN;
	if (!x->deadline)
		x->deadline = s->now + POSTPONE_MOST;
}

/* The script said no to this very step. */
static void act_refused(struct step *s, struct place_state *p, struct act *x)
{
	const char *why = s->in->refused;

	if (!x->refused_since)
		x->refused_since = s->now;
	if (sw_streq(why, "backlog") || sw_streq(why, "spool") || sw_streq(why, "redis-back")) {
		if (s->now - x->refused_since >= GIVE_UP)
			sw_act_skip(s, p, x, sw_arena_printf(s->a, "not sure for 60 s to know the newest events (%s)", why));
		else
			act_postpone(s, x);
		return;
	}
	if (sw_streq(why, "cap"))
		why = "3 actions were started in 10 min over all places: everything is on hold";
	else if (sw_streq(why, "started"))
		why = "it was started before";
	else if (sw_streq(why, "hold"))
		why = "on hold";
	sw_act_skip(s, p, x, why);
}

static const char *act_json(struct step *s, struct place_state *p, const struct act *x, const struct deployment *d)
{
	struct watch *w = sw_place_watch(p, x->watch);
	struct sw_buf b = SW_BUF_INIT;
	const char *ret;
	struct sw_jw j;

	sw_jw_init(&j, &b);
	sw_jw_obj(&j, NULL);
	sw_jw_str(&j, "id", x->id);
	sw_jw_str(&j, "action", x->action);
	sw_jw_str(&j, "service", p->service);
	sw_jw_str(&j, "environment", p->environment);
	sw_jw_opt(&j, "tier", p->conf ? p->conf->tier : NULL);
	sw_jw_opt(&j, "repo", d->ev.repo);
	sw_jw_opt(&j, "branch", d->ev.branch);
	sw_jw_opt(&j, "tag", d->ev.tag);
	sw_jw_opt(&j, "sha", d->ev.sha ? d->ev.sha : d->ev.short_sha);
	sw_jw_opt(&j, "version", d->ev.version);
	sw_jw_opt(&j, "prev_sha", d->prev_sha);
	sw_jw_opt(&j, "prev_version", d->prev_version);
	sw_own_write(s, p, d, x, &j);
	sw_jw_opt(&j, "rule", x->rule);
	sw_jw_opt(&j, "verdict", w ? w->verdict : NULL);
	sw_jw_opt(&j, "reason", w ? w->reason : NULL);
	sw_jw_opt(&j, "user", d->ev.user);
	sw_jw_opt(&j, "url", d->ev.url);
	sw_jw_opt(&j, "ci_run_id", d->ev.ci_run_id);
	sw_jw_opt(&j, "watch_id", w ? w->id : NULL);
	sw_jw_str(&j, "deployment_id", d->id);
	sw_jw_opt(&j, "approved_by", x->approved ? x->decided_by : NULL);
	sw_jw_obj_end(&j);
	ret = sw_arena_strndup(s->a, b.p, b.n);
	sw_buf_fini(&b);
	return ret;
}

static void act_count(struct step *s, struct place_state *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_rollbacks; i++)
		if (p->rollbacks[i] > s->now - SW_DAY)
			p->rollbacks[n++] = p->rollbacks[i];
	if (n == SW_COUNT(p->rollbacks)) {
		memmove(p->rollbacks, p->rollbacks + 1, (n - 1) * sizeof p->rollbacks[0]);
		n--;
	}
	p->rollbacks[n++] = s->now;
	p->n_rollbacks = n;
}

static void act_start(struct step *s, struct place_state *p, struct act *x, const struct deployment *d)
{
	const struct sw_engine_action *conf = act_conf(s, x->action);
	struct sw_io *io = sw_step_io(s, SW_IO_ACT);
	const struct deployment *good;

	if (!conf || !io) {
		sw_act_skip(s, p, x, "this action is not configured any more");
		return;
	}
	io->action = x->action;
	io->act_id = x->id;
	io->act_json = act_json(s, p, x, d);
	x->target = sw_own_target(p, d, x, &good);
	x->state = ACT_STARTED;
	x->started = s->now;
	x->due = 0;
	x->deadline = s->now + conf->timeout + MARGIN;
	if (x->rollback)
		act_count(s, p);
	s->out->start_action = x->id;
	s->out->start_place = sw_place_scope(s, p);
	sw_act_news(s, p, x, SW_NEWS_ROLLBACK_STARTED, x->asked ? x->why : NULL);
}

/* What forbids it for now; NULL: nothing (rules.md 4, guards 4, 7 and 8). */
static const char *act_waits(struct step *s, const struct place_state *p, const struct act *x, const struct deployment *d)
{
	const struct watch *w = sw_place_watch((struct place_state *)(uintptr_t)p, x->watch);

	if (newer_running(p, d))
		return "a newer deployment is running";
	if (!x->rollback)
		return NULL;
	if (sw_judge_common(s, p))
		return "other services fail too";
	return w && sw_judge_outage(s, p, w) ? "the source of the signals does not answer" : NULL;
}

void sw_act_begin(struct step *s, struct place_state *p, struct act *x, const struct deployment *d)
{
	x->state = ACT_PROPOSED;
	if (act_waits(s, p, x, d))
		act_postpone(s, x);
	else
		act_tell_go(s, x);
}

void sw_act_go(struct step *s, struct place_state *p, const struct sw_jnode *msg)
{
	struct act *x = sw_place_act(p, sw_jstr(msg, "act"));
	struct deployment *d = x ? sw_place_dep(p, x->dep) : NULL;
	const char *why;

	if (!x || (x->state != ACT_PROPOSED && x->state != ACT_POSTPONED))
		return;
	why = d ? sw_act_guards(s, p, d, x) : "its deployment is not known any more";
	if (s->out->n_needs)
		return;
	if (why)
		sw_act_skip(s, p, x, why);
	else if (s->in->refused)
		act_refused(s, p, x);
	else if (act_waits(s, p, x, d))
		act_postpone(s, x);
	else if (s->out->start_action)
		act_postpone(s, x); /* one start a commit */
	else
		act_start(s, p, x, d);
}

/* Nobody answered for it, but it ran: its own webhooks told. */
static void act_seen(struct step *s, struct place_state *p, struct act *x)
{
	x->state = ACT_DONE;
	x->deadline = s->now + (sw_own_succeeded(p, x) ? SW_OWN_VERIFY_WITHIN : SW_OWN_RUN_WITHIN);
	sw_act_news(s, p, x, SW_NEWS_ROLLBACK_DONE, SW_OWN_SEEN);
}

void sw_act_result(struct step *s, struct place_state *p, const struct sw_jnode *msg)
{
	struct act *x = sw_place_act(p, sw_jstr(msg, "act"));
	const char *class = sw_jstr(msg, "class"), *detail = sw_jstr(msg, "detail");

	if (!x || (x->state != ACT_STARTED && x->state != ACT_UNKNOWN))
		return;
	x->why = detail;
	if (sw_streq(class, "ok")) {
		x->state = ACT_DONE;
		x->deadline = s->now + SW_OWN_VERIFY_WITHIN;
		sw_act_news(s, p, x, SW_NEWS_ROLLBACK_DONE, detail);
		sw_own_began(s, p, x, msg);
	} else if (sw_streq(class, "ambiguous")) {
		if (x->state == ACT_UNKNOWN)
			return;
		if (sw_own_seen(p, x)) {
			act_seen(s, p, x);
			return;
		}
		x->state = ACT_UNKNOWN;
		x->deadline = 0;
		sw_act_news(s, p, x, SW_NEWS_ROLLBACK_UNKNOWN, detail);
	} else {
		x->state = ACT_FAILED;
		x->deadline = 0;
		sw_act_news(s, p, x, SW_NEWS_ROLLBACK_FAILED, detail);
	}
}

void sw_act_recovered(struct step *s, struct place_state *p, const struct watch *w)
{
	for (size_t i = 0; i < p->n_acts; i++) {
		struct act *x = &p->acts[i];

		if (!sw_streq(x->watch, w->id))
			continue;
		if (x->state == ACT_ASKING) {
			sw_ask_withdraw(s, p, x, "the condition does not hold any more");
		} else if (x->state == ACT_DONE) {
			x->state = ACT_VERIFIED;
			x->deadline = 0;
		}
	}
}

void sw_act_became(const struct place_state *p, const struct watch *w, struct sw_alert *al)
{
	const struct act *x = NULL;

	for (size_t i = 0; i < p->n_acts; i++)
		if (sw_streq(p->acts[i].watch, w->id) && (!x || p->acts[i].rollback))
			x = &p->acts[i];
	if (!x)
		return;
	al->rollback_action = x->action;
	al->rollback_state = sw_act_state_name(x->state);
	al->rollback_detail = x->why;
}

void sw_act_cancel(struct step *s, struct place_state *p, const char *dep, const char *why)
{
	for (size_t i = 0; i < p->n_acts; i++) {
		struct act *x = &p->acts[i];

		if (!sw_streq(x->dep, dep))
			continue;
		if (x->state == ACT_ASKING)
			sw_ask_withdraw(s, p, x, why);
		else if (x->state == ACT_PROPOSED || x->state == ACT_POSTPONED)
			sw_act_skip(s, p, x, why);
	}
}

static void act_deadline(struct step *s, struct place_state *p, struct act *x)
{
	struct watch *w = sw_place_watch(p, x->watch);

	x->deadline = 0;
	switch (x->state) {
	case ACT_STARTED:
		if (sw_own_seen(p, x)) {
			act_seen(s, p, x);
			break;
		}
		x->state = ACT_UNKNOWN;
		sw_act_news(s, p, x, SW_NEWS_ROLLBACK_UNKNOWN, "no outcome within its time: it may or may not have run, it is not tried again");
		break;
	case ACT_DONE:
		if (w && w->state == WATCH_FOLLOWING) {
			x->state = ACT_INEFFECTIVE;
			sw_act_news(s, p, x, SW_NEWS_ROLLBACK_INEFFECTIVE,
			            sw_own_succeeded(p, x) || !(x->run_j || x->run_p || x->run_d)
			                ? "the condition still holds 5 min after the rollback"
			                : "the condition still holds 30 min after the rollback was started, its run was not seen to end");
		}
		break;
	case ACT_PROPOSED:
	case ACT_POSTPONED:
		sw_act_skip(s, p, x, "given up: it could not be started in time");
		break;
	case ACT_ASKING: /* ask.c */
	case ACT_FAILED:
	case ACT_UNKNOWN:
	case ACT_SKIPPED:
	case ACT_VERIFIED:
	case ACT_INEFFECTIVE:
		break;
	}
}

void sw_act_tick(struct step *s, struct place_state *p, sw_ms *next)
{
	for (size_t i = 0; i < p->n_acts; i++) {
		struct act *x = &p->acts[i];
		sw_ms due;

		if (x->state == ACT_ASKING) {
			sw_ask_tick(s, p, x, next);
			continue;
		}
		if (x->deadline && s->now >= x->deadline)
			act_deadline(s, p, x);
		if (x->state == ACT_POSTPONED && x->due && s->now >= x->due) {
			x->due = s->now + TRY_AGAIN;
			act_tell_go(s, x);
		}
		due = x->due && x->state == ACT_POSTPONED ? x->due : x->deadline;
		if (due && (!*next || due < *next))
			*next = due;
	}
}
