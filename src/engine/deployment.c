/*
 * Deployments: which facts tell of the same one, in which order they stand, and what follows when one changes.
 *
 * Identity (design 2.3, state.md 3). A fact joins, in this order:
 *   1. the deployment of the same origin with the same job id, host's deployment id or report id; where the fact has no job
 *      and no deployment id: with the same pipeline
 *   2. the deployment of the same origin and pipeline that has none of the ids the fact brings (a green pipeline adopted by its job)
 *   3. the deployment of the same sha that has no id of the fact's kinds yet and is open or ended less than 15 minutes ago
 *   else it opens a new one.
 *
 * Status: the fact with the highest (rank, time of the host, status) stands, whatever the order of arrival.
 * Order: host's deployment id, else job id, else start, else arrival.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "engine/place.h"
#include "shipwatch/err.h"

#define JOIN_BY_SHA (15 * SW_MINUTE)
#define HOST_CLOCK  (5 * SW_MINUTE)

bool sw_sha_equal(const char *a, const char *b)
{
	size_t n, m;

	if (!a || !b)
		return false;
	n = strlen(a);
	m = strlen(b);
	if (n == m)
		return strcasecmp(a, b) == 0;
	return SW_MIN(n, m) >= 7 && strncasecmp(a, b, SW_MIN(n, m)) == 0;
}

static const char *event_sha(const struct sw_event *ev)
{
	return ev->sha ? ev->sha : ev->short_sha;
}

/* A pipeline is told from its retries by the attempt (GitHub: same run id). */
static const char *event_pipeline(struct step *s, const struct sw_event *ev)
{
	if (!ev->pipeline_id)
		return NULL;
	return ev->attempt > 1 ? sw_arena_printf(s->a, "%s.%d", ev->pipeline_id, ev->attempt) : ev->pipeline_id;
}

/* What the ids of an event are unique in: host and repository; a report belongs to the run it names. */
static const char *event_origin(struct step *s, const struct sw_event *ev)
{
	const char *cut = ev->ci_run_id ? strrchr(ev->ci_run_id, '/') : NULL;

	if (cut)
		return sw_arena_strndup(s->a, ev->ci_run_id, (size_t)(cut - ev->ci_run_id));
	return sw_arena_printf(s->a, "%s/%s", ev->host ? ev->host : ev->source ? ev->source : "", ev->repo ? ev->repo : "");
}

struct ids {
	const char *origin, *d, *j, *p, *r;
};

static bool same(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

static struct deployment *join_by_id(struct place_state *p, const struct ids *id)
{
	for (size_t i = p->n_deps; i-- > 0;) {
		struct deployment *d = &p->deps[i];

		if (!same(d->origin, id->origin))
			continue;
		if (same(d->j, id->j) || same(d->d, id->d) || same(d->r, id->r))
			return d;
		if (!id->j && !id->d && same(d->p, id->p))
			return d;
	}
	return NULL;
}

/* No id of a kind that the fact brings too: nothing says that they are two. */
static bool lacks(const struct deployment *d, const struct ids *id)
{
	return !(d->j && id->j) && !(d->d && id->d) && !(d->r && id->r);
}

static struct deployment *join_by_pipeline(struct place_state *p, const struct ids *id)
{
	for (size_t i = p->n_deps; i-- > 0;) {
		struct deployment *d = &p->deps[i];

		if (same(d->origin, id->origin) && same(d->p, id->p) && lacks(d, id))
			return d;
	}
	return NULL;
}

static struct deployment *join_by_sha(struct step *s, struct place_state *p, const struct ids *id, const struct sw_event *ev)
{
	for (size_t i = p->n_deps; i-- > 0;) {
		struct deployment *d = &p->deps[i];
		bool open = !sw_status_terminal(d->status) && d->status != SW_ST_INACTIVE;

		if (!sw_sha_equal(event_sha(&d->ev), event_sha(ev)) || !lacks(d, id))
			continue;
		if (d->p && id->p && same(d->origin, id->origin) && !same(d->p, id->p))
			continue; /* two runs of one host are two deployments */
		if (open || s->now - SW_MAX(d->finished, d->seen) < JOIN_BY_SHA)
			return d;
	}
	return NULL;
}

/* Ids that are no numbers (of senders that count nothing) have no order. */
static int compare_numbers(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	int c = n == m ? strcmp(a, b) : n < m ? -1 : 1; /* decimal ids without leading zeros */

	if (strspn(a, "0123456789") != n || strspn(b, "0123456789") != m)
		return 0;
	return c < 0 ? -1 : c > 0;
}

int sw_deployment_compare(const struct deployment *a, const struct deployment *b)
{
	sw_ms x, y;

	if (same(a->origin, b->origin)) {
		if (a->d && b->d && compare_numbers(a->d, b->d))
			return compare_numbers(a->d, b->d);
		if (a->j && b->j && compare_numbers(a->j, b->j))
			return compare_numbers(a->j, b->j);
	}
	x = a->started ? a->started : a->finished ? a->finished : a->seen;
	y = b->started ? b->started : b->finished ? b->finished : b->seen;
	if (x != y)
		return x < y ? -1 : 1;
	if (a->seen != b->seen)
		return a->seen < b->seen ? -1 : 1;
	return strcmp(a->id, b->id);
}

/*
 * Times of a host are data: used where they are near the arrival. Most hosts tell whole seconds: the moment lay somewhere in that
 * second, and is taken as late as it can have been, or two deployments within a second would change places.
 */
static sw_ms event_moment(const struct sw_event *ev, sw_ms said)
{
	sw_ms got = ev->received;

	if (!said)
		return 0;
	if (llabs((long long)(said - got)) > HOST_CLOCK)
		return got;
	return said % SW_SECOND == 0 && said <= got ? SW_MIN(said + SW_SECOND - 1, got) : said;
}

static int fact_rank(const struct sw_event *ev)
{
	switch (ev->kind) {
	case SW_EV_DEPLOYMENT: return 4;
	case SW_EV_JOB: return 3;
	case SW_EV_PIPELINE: return 2;
	case SW_EV_REPORT: return 1;
	default: return 0;
	}
}

#define TAKE(field) if (from->field && (better || !to->field)) to->field = from->field

/* Fields of a better kind of fact stand; gaps are filled by any. */
static void fold_event(struct deployment *d, const struct sw_event *from)
{
	struct sw_event *to = &d->ev;
	int rank = fact_rank(from);
	bool better = rank > d->rank_of_ev, had_pipeline = to->pipeline_id != NULL;

	TAKE(source); TAKE(source_kind); TAKE(host); TAKE(repo); TAKE(repo_url); TAKE(default_branch); TAKE(ref); TAKE(branch);
	TAKE(tag); TAKE(environment); TAKE(rollback_id); TAKE(sha); TAKE(short_sha); TAKE(before); TAKE(version); TAKE(env_url); TAKE(ci_run_alias);
	TAKE(pipeline_id); TAKE(job_id); TAKE(deployment_id); TAKE(pipeline_source); TAKE(workflow); TAKE(job_name); TAKE(user);
	TAKE(user_name); TAKE(author); TAKE(author_email); TAKE(title); TAKE(url); TAKE(compare_url); TAKE(failure_reason);
	TAKE(metrics); TAKE(labels);
	if (from->ci_run_id && (!to->ci_run_id || (from->pipeline_id && !had_pipeline)))
		to->ci_run_id = from->ci_run_id; /* the run's own id over the one made from a job */
	if (to->metrics == from->metrics)
		to->n_metrics = from->n_metrics;
	if (to->labels == from->labels)
		to->n_labels = from->n_labels;
	if (to->duration_ms < 0)
		to->duration_ms = from->duration_ms;
	if (to->coverage < 0)
		to->coverage = from->coverage;
	to->kind = SW_EV_DEPLOYMENT;
	to->received = to->received ? SW_MIN(to->received, from->received) : from->received;
	if (better)
		d->rank_of_ev = rank;
}

/* Does the fact's status stand over what is known? */
static bool status_stands(const struct deployment *d, enum sw_status st, sw_ms at)
{
	int a = sw_status_rank(st), b = sw_status_rank(d->status);

	if (a != b)
		return a > b;
	if (at != d->status_at)
		return at > d->status_at;
	return st > d->status;
}

static void fold_ids(struct deployment *d, const struct ids *id)
{
	if (!d->origin || (!d->d && !d->j && !d->p && !d->r))
		d->origin = id->origin;
	if (!same(d->origin, id->origin))
		return; /* ids of another host mean nothing beside ours */
	d->d = d->d ? d->d : id->d;
	d->j = d->j ? d->j : id->j;
	d->p = d->p ? d->p : id->p;
	d->r = d->r ? d->r : id->r;
}

/* Keeps the order after d's ids or times changed. */
static struct deployment *place_sort(struct place_state *p, const char *id)
{
	for (size_t i = 1; i < p->n_deps; i++) {
		struct deployment x = p->deps[i];
		size_t k = i;

		for (; k > 0 && sw_deployment_compare(&p->deps[k - 1], &x) > 0; k--)
			p->deps[k] = p->deps[k - 1];
		p->deps[k] = x;
	}
	return sw_place_dep(p, id);
}

static struct deployment *deployment_new(struct step *s, struct place_state *p, const struct ids *id, const struct sw_event *ev)
{
	const char *what = id->d ? id->d : id->j ? id->j : id->r ? id->r : id->p;
	struct deployment *d;

	if (p->n_deps > PLACE_DEPLOYMENTS - 1) { /* room for one: sw_place_write drops by age, but the array is bounded */
		size_t gone = 0;

		while (gone + 1 < p->n_deps && sw_place_running(p) == &p->deps[gone])
			gone++;
		for (size_t i = 0; i < p->n_watches; i++)
			if (sw_streq(p->watches[i].dep, p->deps[gone].id) && p->watches[i].state != WATCH_DONE)
				sw_watch_end(s, p, &p->watches[i], "superseded", "newer");
		memmove(&p->deps[gone], &p->deps[gone + 1], (p->n_deps - gone - 1) * sizeof p->deps[0]);
		p->n_deps--;
	}
	d = &p->deps[p->n_deps++];
	memset(d, 0, sizeof *d);
	sw_event_init(&d->ev);
	d->id = sw_engine_id(s->a, s->in->aggregate, id->origin, what ? what : event_sha(ev) ? event_sha(ev) : "",
	                     what ? "" : sw_arena_printf(s->a, "%lld", (long long)ev->received), NULL);
	d->seen = ev->received ? ev->received : s->now;
	d->good = -1;
	d->rank_of_ev = -1;
	return d;
}

/* ---- triggers ---- */

static bool trigger_fits(const struct place_state *p, const struct deployment *d, const struct sw_rule *rule,
                         enum sw_trigger_kind kind)
{
	const struct sw_trigger *on = &rule->on;

	if (on->kind == SW_TR_CUSTOM) /* its expression decides, by the status; once a change of it */
		return kind == SW_TR_DEPLOY_TO || kind == SW_TR_DEPLOY_FAILED ||
		       (kind == SW_TR_DEPLOY_STARTED && d->status == SW_ST_RUNNING);
	if (on->kind != kind)
		return false;
	if (kind != SW_TR_DEPLOY_TO)
		return true;
	if (sw_streq(on->target, "*"))
		return true;
	return (p->conf && p->conf->tier && strcasecmp(on->target, p->conf->tier) == 0) || strcasecmp(on->target, p->environment) == 0;
}

static void trigger_immediate(struct step *s, struct place_state *p, struct deployment *d, const struct sw_rule *rule,
                              struct facts *f)
{
	struct sw_hold holds[SW_HOLDS_MAX] = { 0 };
	struct sw_judged j = { .truth = SW_TRUE };
	struct sw_facts facts;
	struct news n;

	sw_facts_fill(f, &facts);
	if (rule->cond)
		sw_expr_eval(rule->cond, &facts, holds, s->a, &j);
	if (j.truth != SW_TRUE)
		return;
	sw_news_of(s, rule, p->conf, p->service, &d->ev, sw_engine_id(s->a, s->in->aggregate, d->id, rule->name, NULL), &n);
	n.al.prev_sha = d->prev_sha;
	n.al.prev_version = d->prev_version;
	sw_news_findings(s, &j, &n.al);
	sw_step_tally(s, SW_TALLY_FIRED, rule->name);
	sw_step_note(s, SW_NOTE_INFO, d->ev.ci_run_id, NULL, "rule \"%s\" fired for %s", rule->name, p->service);
	if (rule->has_rollback) { /* decided by the event alone, a verdict all the same */
		n.al.verdict = "fail";
		n.al.reason = "evidence";
		d->good = 0;
		sw_place_remember(p->bad, &p->n_bad, event_sha(&d->ev));
	}
	sw_place_then(s, p, d, NULL, rule, &n.al);
	sw_news_tell(s, &n, SW_NEWS_FIRING, NULL);
}

void sw_deployment_trigger(struct step *s, struct place_state *p, struct deployment *d, enum sw_trigger_kind kind)
{
	const struct sw_rules *rules = s->e->rules;
	struct facts f = { .s = s, .ev = &d->ev, .place = p->conf, .service = p->service, .state = p, .dep = d, .rules = rules };
	struct sw_rules_walk walk;
	const struct sw_rule *rule;

	if (!p->conf) { /* told by hand of a place that is misspelt, or taken out of the configuration meanwhile */
		if (kind == SW_TR_DEPLOY_TO)
			sw_step_note(s, SW_NOTE_WARN, d->ev.ci_run_id, NULL, "no service has this place: the deployment is recorded, not watched");
		return;
	}
	sw_rules_walk(rules, kind, true, p->service, &walk);
	while ((rule = sw_rules_next(&walk))) {
		if (!trigger_fits(p, d, rule, kind))
			continue;
		if (rule->on.expr && !sw_facts_where(&f, rule->on.expr))
			continue;
		if (!sw_facts_where(&f, rule->where))
			continue;
		if (rule->watches && (kind == SW_TR_DEPLOY_TO || kind == SW_TR_ROLLBACK_FINISHED))
			sw_watch_open(s, p, d, rule);
		else if (!rule->watches)
			trigger_immediate(s, p, d, rule, &f);
	}
}

/* ---- what follows from a change ---- */

static void deployment_started(struct step *s, struct place_state *p, struct deployment *d)
{
	d->told_started = true;
	sw_step_note(s, SW_NOTE_INFO, d->ev.ci_run_id, NULL, "deployment %s of %s started", d->id,
	             event_sha(&d->ev) ? event_sha(&d->ev) : "an unknown commit");
	sw_deployment_trigger(s, p, d, SW_TR_DEPLOY_STARTED);
}

static const char *worst_verdict(const struct place_state *p, const struct deployment *d)
{
	static const char *const order[] = { "fail", "superseded", "inconclusive", "cancelled", "pass" };

	for (size_t k = 0; k < SW_COUNT(order); k++)
		for (size_t i = 0; i < p->n_watches; i++)
			if (sw_streq(p->watches[i].dep, d->id) && sw_streq(p->watches[i].verdict, order[k]))
				return order[k];
	return NULL;
}

/* Is it something that ran here before, taken back by us or by a person? */
static void classify(struct place_state *p, struct deployment *d, struct deployment *running)
{
	const char *sha = event_sha(&d->ev);

	if (!running || running == d)
		return;
	if (sw_sha_equal(sha, event_sha(&running->ev))) {
		d->is_redeploy = true;
	} else {
		for (size_t i = 0; i < p->n_deps; i++) {
			struct deployment *x = &p->deps[i];

			if (x != d && x != running && x->counted && sw_deployment_compare(x, running) < 0 &&
			    sw_sha_equal(event_sha(&x->ev), sha))
				d->is_rollback = true;
		}
	}
	for (size_t i = 0; i < p->n_acts && !d->rollback_of; i++) {
		struct act *x = &p->acts[i];

		if (x->rollback && x->started && sw_streq(x->dep, running->id) &&
		    (x->state == ACT_STARTED || x->state == ACT_DONE || x->state == ACT_UNKNOWN) && d->seen >= x->started) {
			d->is_rollback = true;
			d->rollback_of = x->id;
		}
	}
}

static void deployment_succeeded(struct step *s, struct place_state *p, struct deployment *d)
{
	struct deployment *running = NULL;
	sw_dur longest = s->e->rules ? s->e->rules->watch_longest : 0;

	d->told_done = true;
	sw_step_tally(s, SW_TALLY_DEPLOYMENT, "success");
	for (size_t i = p->n_deps; i-- > 0 && !running;)
		if (&p->deps[i] != d && p->deps[i].counted)
			running = &p->deps[i];
	if (running && sw_deployment_compare(d, running) < 0) {
		/* An older one told late. Where it ended after the newer one, nobody knows which of them runs. */
		if (d->finished > running->finished) {
			running->concurrent = true;
			sw_step_note(s, SW_NOTE_WARN, d->ev.ci_run_id, NULL, "concurrent deployments: %s began before %s and ended after it", d->id,
			             running->id);
		}
		return;
	}
	classify(p, d, running);
	sw_own_ran(s, p, d);
	d->counted = true;
	if (running) {
		d->prev_sha = event_sha(&running->ev);
		d->prev_version = running->ev.version;
	}
	sw_step_note(s, SW_NOTE_INFO, d->ev.ci_run_id, NULL, "deployment %s of %s succeeded%s", d->id,
	             event_sha(&d->ev) ? event_sha(&d->ev) : "an unknown commit",
	             d->is_rollback ? " (a rollback)" : d->is_redeploy ? " (a redeploy)" : "");
	if (running) {
		sw_watch_superseded(s, p, d);
		d->prev_verdict = worst_verdict(p, running);
	}
	if (s->now - SW_MIN(d->status_at, d->finished) > SW_MAX(longest, 5 * SW_MINUTE)) {
		sw_step_note(s, SW_NOTE_WARN, d->ev.ci_run_id, NULL,
		             "deployment %s ended %lld min ago by the host's clock, later than its watch would have lasted: not watched", d->id,
		             (long long)((s->now - SW_MIN(d->status_at, d->finished)) / SW_MINUTE));
		return;
	}
	if (running)
		sw_deployment_trigger(s, p, d, SW_TR_DEPLOY_SUPERSEDED);
	sw_deployment_trigger(s, p, d, SW_TR_DEPLOY_TO);
	if (d->is_rollback)
		sw_deployment_trigger(s, p, d, SW_TR_ROLLBACK_FINISHED);
}

static void deployment_failed(struct step *s, struct place_state *p, struct deployment *d)
{
	d->told_done = true;
	sw_step_tally(s, SW_TALLY_DEPLOYMENT, "failed");
	sw_own_ran(s, p, d);
	sw_deployment_trigger(s, p, d, SW_TR_DEPLOY_FAILED);
}

static void deployment_changed(struct step *s, struct place_state *p, struct deployment *d)
{
	bool moved = d->status == SW_ST_RUNNING || sw_status_terminal(d->status);

	if (moved && !d->told_started && d->status != SW_ST_SKIPPED && d->status != SW_ST_CANCELLED)
		deployment_started(s, p, d);
	if (d->told_done)
		return;
	if (d->status == SW_ST_SUCCESS)
		deployment_succeeded(s, p, d);
	else if (d->status == SW_ST_FAILED)
		deployment_failed(s, p, d);
	else if (d->status == SW_ST_CANCELLED)
		d->told_done = true;
}

/* Only what says that something was deployed opens a deployment; the rest only adds to one that is known. */
static bool fact_opens(const struct sw_event *ev, enum sw_claim how)
{
	if (how == SW_CLAIM_PIPELINE)
		return ev->status == SW_ST_SUCCESS;
	return ev->status == SW_ST_RUNNING || ev->status == SW_ST_SUCCESS || ev->status == SW_ST_FAILED;
}

int sw_deployment_fact(struct step *s, struct place_state *p, const struct sw_jnode *msg)
{
	enum sw_claim how = (enum sw_claim)sw_jint(msg, "how", SW_CLAIM_DEPLOYMENT);
	struct sw_event ev;
	struct deployment *d;
	struct ids id;
	sw_ms at;

	if (!sw_jget(msg, "ev"))
		return sw_err_set(s->err, EBADMSG, "a fact without an event");
	sw_event_read(sw_jget(msg, "ev"), s->a, &ev);
	if (!ev.received)
		ev.received = s->now;
	id = (struct ids){ .origin = event_origin(s, &ev), .d = ev.deployment_id, .j = ev.job_id, .p = event_pipeline(s, &ev),
	                   .r = ev.pipeline_id ? NULL : ev.report_id }; /* "started" and "finished" are two reports of one run */
	if (how == SW_CLAIM_PIPELINE || how == SW_CLAIM_WORKFLOW)
		id.j = id.d = NULL;
	d = join_by_id(p, &id);
	if (how == SW_CLAIM_PIPELINE && d && (d->j || d->d))
		return 0; /* a job of that pipeline named the environment: that one counts */
	if (!d)
		d = join_by_pipeline(p, &id);
	if (!d)
		d = join_by_sha(s, p, &id, &ev);
	if (!d) {
		if (!fact_opens(&ev, how))
			return 0;
		d = deployment_new(s, p, &id, &ev);
	}
	fold_ids(d, &id);
	fold_event(d, &ev);
	sw_own_recognise(s, p, d);
	at = ev.at ? ev.at : ev.received;
	if (ev.started_at && !d->started)
		d->started = event_moment(&ev, ev.started_at);
	if (ev.status == SW_ST_RUNNING && !d->started)
		d->started = event_moment(&ev, at);
	if (status_stands(d, ev.status, at)) {
		d->status = d->ev.status = ev.status;
		d->status_at = at;
		if (sw_status_terminal(ev.status)) {
			d->finished = event_moment(&ev, ev.finished_at ? ev.finished_at : at);
			d->ev.finished_at = d->finished;
			d->ev.at = d->finished;
		}
	}
	d = place_sort(p, d->id);
	deployment_changed(s, p, d);
	return 0;
}

void sw_deployment_tick(struct step *s, struct place_state *p, sw_ms *next)
{
	sw_dur limit = s->e->stuck_after ? s->e->stuck_after : 20 * SW_MINUTE;

	for (size_t i = 0; i < p->n_deps; i++) {
		struct deployment *d = &p->deps[i];
		sw_ms due = (d->started ? d->started : d->seen) + limit;

		if (d->status != SW_ST_RUNNING || d->told_stuck)
			continue;
		if (s->now >= due) {
			d->told_stuck = true;
			sw_deployment_trigger(s, p, d, SW_TR_DEPLOY_STUCK);
		} else if (!*next || due < *next) {
			*next = due;
		}
	}
}
