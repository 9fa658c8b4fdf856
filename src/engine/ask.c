/*
 * A person is asked before a rollback begins (design 4.2).
 *
 *   propose ──▶ asking ──approve──▶ proposed ──go──▶ started …
 *                 │ └────refuse, `otherwise: cancel`, a guard, resolved, hold──▶ skipped (told why, and who)
 *                 └──────`otherwise: proceed`──▶ proposed
 *
 * 1. The question is stored with its deadline before anybody is told of it; a message to itself tells people, behind the firing one.
 * 2. The first decision counts; whoever comes later is told whose it was. A decision made before the deadline counts also when it is
 *    read after it: its time is that of whoever stored it. The deadline is a timer of its own, so that it comes behind what was stored
 *    before it.
 * 3. What a person says yes to is what was shown: where the target is another by now, nothing begins.
 * 4. Where a rule asks for nothing, but what would be done is not sure (no verified good deployment, migrations not known), a person is
 *    asked all the same, and then silence never means yes.
 *
 * The link in the messages has its random part by the worker, which keeps it below ask-key:<id>; what the page shows is kept below
 * ask:<id>.
 */
#include <string.h>

#include "base/str.h"
#include "engine/place.h"

#define FORCED_FOR (30 * SW_MINUTE) /* asked though the rule does not ask */
#define KEPT_AFTER SW_DAY           /* the link still tells what became of it */
#define LATE       SW_MINUTE        /* its timer should have come by then */
#define SAW_MAX    300
#define TIMERS_KEPT ((size_t)6)          /* of a step's: for its tick and probes */

static void ask_saw(struct step *s, const struct sw_alert *al, struct act *x)
{
	const struct sw_finding *f = al->n_findings ? &al->findings[0] : NULL;
	const char *text = f ? sw_arena_printf(s->a, "%s%s%s", f->text ? f->text : "", f->value ? ": " : "", f->value ? f->value : "") : al->summary;

	x->saw = text ? sw_arena_strndup(s->a, text, sw_utf8_cut(text, strlen(text), SAW_MAX)) : NULL;
}

/* What the page shows, as it was when it was asked. */
static const char *ask_page(struct step *s, const struct place_state *p, const struct deployment *d, const struct act *x,
                            const struct deployment *target, const char *summary)
{
	struct sw_buf b = SW_BUF_INIT;
	const char *ret;
	struct sw_jw w;

	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "aggregate", s->in->aggregate);
	sw_jw_str(&w, "service", p->service);
	sw_jw_str(&w, "environment", p->environment);
	sw_jw_opt(&w, "repo", d->ev.repo);
	sw_jw_opt(&w, "branch", d->ev.branch);
	sw_jw_opt(&w, "tag", d->ev.tag);
	sw_jw_opt(&w, "sha", d->ev.sha ? d->ev.sha : d->ev.short_sha);
	sw_jw_opt(&w, "version", d->ev.version);
	sw_jw_opt(&w, "title", d->ev.title);
	sw_jw_opt(&w, "user", d->ev.user);
	sw_jw_opt(&w, "rule", x->rule);
	sw_jw_opt(&w, "summary", summary);
	sw_jw_opt(&w, "saw", x->saw);
	sw_jw_str(&w, "action", x->action);
	sw_jw_opt(&w, "target", x->target);
	sw_jw_opt(&w, "target_version", target ? target->ev.version : NULL);
	sw_jw_bool(&w, "verified", !x->offer);
	sw_jw_opt(&w, "why", x->ask_why);
	sw_jw_int(&w, "asked", x->asked);
	sw_jw_int(&w, "until", x->deadline);
	sw_jw_bool(&w, "proceeds", x->proceed);
	sw_jw_opt(&w, "ci_run_id", d->ev.ci_run_id);
	sw_jw_obj_end(&w);
	ret = sw_arena_strndup(s->a, b.p, b.n);
	sw_buf_fini(&b);
	return ret;
}

static void ask_keep(struct step *s, const char *key, const char *value, sw_dur ttl)
{
	if (s->out->n_keeps < SW_COUNT(s->out->keeps)) /* else there is no link, and the command line is left */
		s->out->keeps[s->out->n_keeps++] = (struct sw_step_keep){ .key = key, .value = value, .ttl = ttl };
}

static const char *ask_timer(struct step *s, const struct act *x)
{
	return sw_arena_printf(s->a, "ask:%s", x->id);
}

void sw_ask_begin(struct step *s, struct place_state *p, const struct deployment *d, struct act *x, const struct sw_then *then,
                  const char *forced, const struct sw_alert *al)
{
	const struct deployment *target;
	sw_dur ttl;

	x->state = ACT_ASKING;
	x->asked = s->now;
	x->deadline = s->now + (then->approve ? then->approve : FORCED_FOR);
	x->proceed = then->proceed && !forced;
	x->ask_why = forced;
	ask_saw(s, al, x);
	x->target = sw_own_target(p, d, x, &target);
	ttl = x->deadline - s->now + KEPT_AFTER;
	ask_keep(s, ask_timer(s, x), ask_page(s, p, d, x, target, al->summary), ttl);
	ask_keep(s, sw_engine_ask_key(s->a, x->id), NULL, ttl);
	if (s->out->n_timers + TIMERS_KEPT < SW_COUNT(s->out->timers)) /* else the tick ends it, later */
		sw_step_timer(s, ask_timer(s, x), x->deadline);
	sw_step_tell(s, s->in->aggregate, sw_arena_printf(s->a, "{\"t\":\"ask\",\"act\":\"%s\"}", x->id));
}

/* When a question is over its timer is stale: it comes, and nothing happens. */
static void ask_over(struct act *x)
{
	x->deadline = 0;
	x->saw = NULL;
}

void sw_ask_withdraw(struct step *s, struct place_state *p, struct act *x, const char *why)
{
	ask_over(x);
	sw_act_skip(s, p, x, why);
}

/* The yes of a person or of the rule: all guards once more, now; and again when it begins. */
static void ask_yes(struct step *s, struct place_state *p, struct act *x, const char *detail)
{
	struct deployment *d = sw_place_dep(p, x->dep);
	const char *why = d ? sw_act_guards(s, p, d, x) : "its deployment is not known any more";

	if (s->out->n_needs)
		return; /* decided once it is known */
	ask_over(x);
	if (why) {
		sw_act_skip(s, p, x, why);
		return;
	}
	sw_act_begin(s, p, x, d);
	sw_act_news(s, p, x, SW_NEWS_ROLLBACK_APPROVED, detail);
}

static void ask_expire(struct step *s, struct place_state *p, struct act *x)
{
	if (!x->proceed) {
		sw_ask_withdraw(s, p, x, SW_ASK_SILENCE);
		return;
	}
	x->why = SW_ASK_SILENCE;
	ask_yes(s, p, x, SW_ASK_SILENCE);
}

void sw_ask_tell(struct step *s, struct place_state *p, const struct sw_jnode *msg)
{
	struct act *x = sw_place_act(p, sw_jstr(msg, "act"));

	if (x && x->state == ACT_ASKING)
		sw_act_news(s, p, x, SW_NEWS_ROLLBACK_WAITING, x->ask_why);
}

void sw_ask_timer(struct step *s, struct place_state *p, const char *id, sw_ms due)
{
	struct act *x = sw_place_act(p, id);

	if (x && x->state == ACT_ASKING && due == x->deadline && s->now >= due)
		ask_expire(s, p, x);
}

/* The one that is meant: by its id, or the only one that is asked about here. */
static struct act *ask_meant(struct place_state *p, const struct sw_jnode *m)
{
	struct act *ret = NULL;

	if (sw_jstr(m, "act"))
		return sw_place_act(p, sw_jstr(m, "act"));
	for (size_t i = 0; i < p->n_acts; i++)
		if (p->acts[i].state == ACT_ASKING) {
			if (ret)
				return NULL;
			ret = &p->acts[i];
		}
	return ret;
}

static const char *ask_who(struct step *s, const struct sw_jnode *m)
{
	const char *who = sw_jstr(m, "who");
	struct sw_buf b = SW_BUF_INIT;
	const char *ret;

	if (!who || !*who)
		return "somebody";
	sw_utf8_clean(&b, who, strlen(who), true);
	ret = sw_arena_strndup(s->a, sw_buf_str(&b), sw_utf8_cut(sw_buf_str(&b), b.n, SW_ASK_NAME_MAX));
	sw_buf_fini(&b);
	return ret;
}

void sw_ask_decide(struct step *s, struct place_state *p, const struct sw_jnode *m, bool yes)
{
	struct act *x = ask_meant(p, m);
	const char *who = ask_who(s, m), *word = yes ? "approved" : "refused";
	sw_ms at = sw_jint(m, "at", s->now);

	if (!x) {
		sw_step_note(s, SW_NOTE_WARN, NULL, NULL, "%s by %s, but there is no such question", word, who);
		return;
	}
	if (x->state != ACT_ASKING) {
		sw_step_note(s, SW_NOTE_INFO, NULL, x->watch, "action %s %s: %s by %s too late, it was %s%s", x->action, x->id, word, who,
		             x->decided_by ? "decided by " : "over already", x->decided_by ? x->decided_by : "");
		return;
	}
	if (SW_MIN(at, s->now) >= x->deadline) { /* its timer is on its way */
		sw_step_note(s, SW_NOTE_INFO, NULL, x->watch, "action %s %s: %s by %s too late", x->action, x->id, word, who);
		ask_expire(s, p, x);
		return;
	}
	x->decided_by = who;
	x->decided_at = s->now;
	x->decision = sw_jstr(m, "decision");
	x->approved = yes;
	sw_step_tally(s, SW_TALLY_ACTION, word);
	sw_step_note(s, SW_NOTE_INFO, NULL, x->watch, "action %s %s: %s by %s (%s)", x->action, x->id, word, who,
	             sw_jstr(m, "via") ? sw_jstr(m, "via") : "command");
	x->why = sw_arena_printf(s->a, "%s by %s", word, who);
	if (yes)
		ask_yes(s, p, x, x->why);
	else
		sw_ask_withdraw(s, p, x, x->why);
}

void sw_ask_outdone(struct step *s, struct place_state *p, struct act *x, const struct act *other)
{
	ask_over(x);
	x->why = "another rule asks nobody";
	x->state = ACT_PROPOSED;
	sw_act_news(s, p, x, SW_NEWS_ROLLBACK_APPROVED, x->why);
	x->watch = other->watch;
	x->rule = other->rule;
	x->hash = other->hash;
	sw_act_begin(s, p, x, sw_place_dep(p, x->dep));
}

void sw_ask_tick(struct step *s, struct place_state *p, struct act *x, sw_ms *next)
{
	struct deployment *d = sw_place_dep(p, x->dep);
	const char *why = d ? sw_act_withdrawn(s, p, d, x) : "its deployment is not known any more";
	sw_ms late = x->deadline + LATE;

	if (why)
		sw_ask_withdraw(s, p, x, why);
	else if (s->now >= late)
		ask_expire(s, p, x);
	else if (!*next || late < *next)
		*next = late;
}
