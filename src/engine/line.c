/*
 * Lines: the runs of one ref of one repository, or what is told of one alarm, and the rules decided by an event alone (push, tag,
 * pipeline, job, release, merge, report, alarm; pipeline-failed, pipeline-fixed).
 *
 * 1. One fact is judged once: runs are folded by (id, attempt, rank), pushes and tags by their shas. What was seen is
 *    remembered per line, newest last, at most LINE_SEEN.
 * 2. pipeline-failed and -fixed look at root pipelines only, in the order of their ids.
 * 3. A rule with `after` waits in the state; a retry, a success of the same pipeline or of a newer one, or the end of the alarm
 *    undoes it.
 * 4. An alarm (line:<source>/alarm:<fingerprint>) is judged once when it begins and once when it is resolved, however often
 *    Alertmanager repeats it.
 */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "engine/step.h"
#include "shipwatch/err.h"

#define LINE_SEEN    64
#define LINE_RUNS    20
#define LINE_WAITING 16
#define LINE_MUTED   32
#define LINE_HOLDS   16
#define LINE_TTL     (90 * SW_DAY)
#define ALARM_TTL    (30 * SW_DAY) /* since it was last told */
#define LINE_BYTES   8192

struct run {
	const char *id;          /* pipeline id */
	int attempt, rank;
	enum sw_status status;   /* last terminal one told; NONE: none yet */
};

struct waiting {
	const char *rule, *hash, *pipeline;
	sw_ms due;
	const struct sw_jnode *ev;
};

struct muted {
	const char *rule;
	sw_ms until;             /* 0: until the trigger of its `dedupe` */
};

struct kept_holds {
	const char *key;         /* rule and job */
	struct sw_hold holds[SW_HOLDS_MAX];
	size_t n;
};

struct line {
	const char *seen[LINE_SEEN];
	size_t n_seen;
	struct run runs[LINE_RUNS];
	size_t n_runs;
	enum sw_status last;     /* of the newest root pipeline that ended in success or failure */
	const char *last_id;
	struct waiting waiting[LINE_WAITING];
	size_t n_waiting;
	struct muted muted[LINE_MUTED];
	size_t n_muted;
	struct kept_holds holds[LINE_HOLDS];
	size_t n_holds;
	sw_ms tick_due;
};

/* What is judged: an event, and where it belongs. */
struct about {
	const struct sw_event *ev;
	const struct sw_jnode *node;   /* the event as it was told */
	const char *service;
	const struct sw_place *place;  /* an alarm that is about exactly one; else NULL */
};

#define EACH(x, obj, key) for (const struct sw_jnode *x = sw_jget(obj, key) ? sw_jget(obj, key)->child : NULL; x; x = x->next)

/* Oldest out, newest last. */
#define PUSH(array, n) \
	((n) == SW_COUNT(array) ? (memmove(&(array)[0], &(array)[1], sizeof (array) - sizeof (array)[0]), &(array)[(n) - 1]) : &(array)[(n)++])

static void line_read_holds(const struct sw_jnode *x, struct kept_holds *k)
{
	*k = (struct kept_holds){ .key = sw_jstr(x, "key") };
	EACH(h, x, "h") if (k->n < SW_HOLDS_MAX)
		k->holds[k->n++] = (struct sw_hold){
			.last_at = sw_jint(h, "at", 0), .since = sw_jint(h, "since", 0), .gap = sw_jint(h, "gap", 0),
			.valid = (uint32_t)sw_jint(h, "valid", 0), .bits = (uint32_t)sw_jint(h, "bits", 0) };
}

static void line_read(const struct sw_jnode *n, struct line *l)
{
	memset(l, 0, sizeof *l);
	EACH(x, n, "seen") if (l->n_seen < LINE_SEEN && x->type == SW_J_STRING) l->seen[l->n_seen++] = x->text;
	EACH(x, n, "runs") if (l->n_runs < LINE_RUNS)
		l->runs[l->n_runs++] = (struct run){ sw_jstr(x, "id"), (int)sw_jint(x, "attempt", 0), (int)sw_jint(x, "rank", 0),
		                                     sw_status_parse(sw_jstr(x, "status")) };
	l->last = sw_status_parse(sw_jstr(n, "last"));
	l->last_id = sw_jstr(n, "last_id");
	EACH(x, n, "waiting") if (l->n_waiting < LINE_WAITING)
		l->waiting[l->n_waiting++] = (struct waiting){ sw_jstr(x, "rule"), sw_jstr(x, "hash"), sw_jstr(x, "pipeline"),
		                                               sw_jint(x, "due", 0), sw_jget(x, "ev") };
	EACH(x, n, "muted") if (l->n_muted < LINE_MUTED)
		l->muted[l->n_muted++] = (struct muted){ sw_jstr(x, "rule"), sw_jint(x, "until", 0) };
	EACH(x, n, "holds") if (l->n_holds < LINE_HOLDS) line_read_holds(x, &l->holds[l->n_holds++]);
	l->tick_due = sw_jint(n, "tick_due", 0);
}

static void line_write_holds(const struct kept_holds *k, struct sw_jw *w)
{
	sw_jw_obj(w, NULL);
	sw_jw_str(w, "key", k->key);
	sw_jw_arr(w, "h");
	for (size_t i = 0; i < k->n; i++) {
		sw_jw_obj(w, NULL);
		sw_jw_int(w, "at", k->holds[i].last_at);
		sw_jw_int(w, "since", k->holds[i].since);
		sw_jw_int(w, "gap", k->holds[i].gap);
		sw_jw_int(w, "valid", k->holds[i].valid);
		sw_jw_int(w, "bits", k->holds[i].bits);
		sw_jw_obj_end(w);
	}
	sw_jw_arr_end(w);
	sw_jw_obj_end(w);
}

static void line_print(struct step *s, const struct line *l, size_t skip_seen, struct sw_buf *b)
{
	struct sw_jw w;

	sw_jw_init(&w, b);
	sw_jw_obj(&w, NULL);
	sw_jw_int(&w, "t", s->now);
	sw_jw_arr(&w, "seen");
	for (size_t i = SW_MIN(skip_seen, l->n_seen); i < l->n_seen; i++)
		sw_jw_str(&w, NULL, l->seen[i]);
	sw_jw_arr_end(&w);
	sw_jw_arr(&w, "runs");
	for (size_t i = 0; i < l->n_runs; i++) {
		sw_jw_obj(&w, NULL);
		sw_jw_str(&w, "id", l->runs[i].id);
		sw_jw_int(&w, "attempt", l->runs[i].attempt);
		sw_jw_int(&w, "rank", l->runs[i].rank);
		sw_jw_str(&w, "status", sw_status_name(l->runs[i].status));
		sw_jw_obj_end(&w);
	}
	sw_jw_arr_end(&w);
	if (l->last_id) {
		sw_jw_str(&w, "last", sw_status_name(l->last));
		sw_jw_str(&w, "last_id", l->last_id);
	}
	sw_jw_arr(&w, "waiting");
	for (size_t i = 0; i < l->n_waiting; i++) {
		sw_jw_obj(&w, NULL);
		sw_jw_str(&w, "rule", l->waiting[i].rule);
		sw_jw_str(&w, "hash", l->waiting[i].hash);
		sw_jw_opt(&w, "pipeline", l->waiting[i].pipeline);
		sw_jw_int(&w, "due", l->waiting[i].due);
		sw_jw_node(&w, "ev", l->waiting[i].ev);
		sw_jw_obj_end(&w);
	}
	sw_jw_arr_end(&w);
	sw_jw_arr(&w, "muted");
	for (size_t i = 0; i < l->n_muted; i++) {
		sw_jw_obj(&w, NULL);
		sw_jw_str(&w, "rule", l->muted[i].rule);
		sw_jw_int(&w, "until", l->muted[i].until);
		sw_jw_obj_end(&w);
	}
	sw_jw_arr_end(&w);
	sw_jw_arr(&w, "holds");
	for (size_t i = 0; i < l->n_holds; i++)
		line_write_holds(&l->holds[i], &w);
	sw_jw_arr_end(&w);
	sw_jw_int(&w, "tick_due", l->tick_due);
	sw_jw_obj_end(&w);
}

/* line:<source>/alarm:<fingerprint>; the lines of repositories have one slash more. */
static bool line_is_alarm(const struct step *s)
{
	const char *slash = strchr(s->in->aggregate, '/');

	return slash && sw_starts(slash + 1, "alarm:") && !strchr(slash + 1, '/');
}

static void line_write(struct step *s, struct line *l)
{
	struct sw_buf b = SW_BUF_INIT;

	line_print(s, l, 0, &b);
	for (size_t skip = 16; b.n > LINE_BYTES && skip <= LINE_SEEN; skip += 16) {
		sw_buf_reset(&b);
		line_print(s, l, skip, &b);
	}
	s->out->state = sw_arena_strndup(s->a, b.p, b.n);
	s->out->state_n = b.n;
	s->out->ttl = line_is_alarm(s) ? ALARM_TTL : LINE_TTL;
	sw_buf_fini(&b);
}

/* ---- what is new ---- */

static bool line_seen(struct line *l, const char *key)
{
	for (size_t i = 0; i < l->n_seen; i++)
		if (sw_streq(l->seen[i], key))
			return true;
	*PUSH(l->seen, l->n_seen) = key;
	return false;
}

static const char *alarm_key(struct step *s, const struct sw_event *ev, enum sw_status status)
{
	return sw_engine_id(s->a, sw_arena_printf(s->a, "alarm %lld %s", (long long)ev->started_at, sw_status_name(status)), NULL);
}

/* Two hooks that tell the same thing make the same key; NULL: a run, folded by rank instead. */
static const char *line_key(struct step *s, const struct sw_event *ev)
{
	const char *what;

	switch (ev->kind) {
	case SW_EV_PUSH:
		what = sw_arena_printf(s->a, "%s %s %d%d", ev->before ? ev->before : "", ev->sha ? ev->sha : "", ev->created, ev->deleted);
		break;
	case SW_EV_RELEASE:
		what = sw_arena_printf(s->a, "release %s", ev->tag ? ev->tag : ev->title ? ev->title : "");
		break;
	case SW_EV_MERGE:
		what = sw_arena_printf(s->a, "merge %s %s", ev->url ? ev->url : "", ev->sha ? ev->sha : "");
		break;
	case SW_EV_REPORT:
		what = sw_arena_printf(s->a, "report %s", ev->report_id ? ev->report_id : "");
		break;
	case SW_EV_JOB:
		what = sw_arena_printf(s->a, "job %s %s", ev->job_id ? ev->job_id : ev->job_name ? ev->job_name : "", sw_status_name(ev->status));
		break;
	case SW_EV_ALARM:
		return alarm_key(s, ev, ev->status);
	case SW_EV_NONE:
	case SW_EV_TAG: /* line_tag */
	case SW_EV_PIPELINE:
	case SW_EV_DEPLOYMENT:
	case SW_EV_KINDS:
	default:
		return NULL;
	}
	return sw_engine_id(s->a, what, NULL);
}

/*
 * A tag is told by its push and once more, without its commit, by `create` or `delete`, in either order. New is what changes
 * the tag: its commit, or whether it is there.
 */
static bool line_tag(struct step *s, struct line *l, const struct sw_event *ev)
{
	const char *mark = ev->deleted ? "tag-" : "tag+", *sha = ev->sha && !ev->deleted ? ev->sha : "";

	for (size_t i = l->n_seen; i-- > 0;) {
		const char *last = l->seen[i];

		if (!sw_starts(last, "tag"))
			continue;
		if (!sw_starts(last, mark) || (*sha && last[4] && !sw_streq(last + 4, sha)))
			break;
		if (*sha)
			l->seen[i] = sw_arena_printf(s->a, "%s%s", mark, sha);
		return false;
	}
	*PUSH(l->seen, l->n_seen) = sw_arena_printf(s->a, "%s%s", mark, sha);
	return true;
}

static int compare_ids(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);

	return n != m ? (n < m ? -1 : 1) : strcmp(a, b);
}

/* Is this state of this run new? */
static bool line_run(struct line *l, const struct sw_event *ev)
{
	int rank = sw_status_rank(ev->status), attempt = ev->attempt ? ev->attempt : 1;
	struct run *r = NULL;

	if (!ev->pipeline_id)
		return true;
	for (size_t i = 0; i < l->n_runs; i++)
		if (sw_streq(l->runs[i].id, ev->pipeline_id))
			r = &l->runs[i];
	if (!r) {
		r = PUSH(l->runs, l->n_runs);
		*r = (struct run){ .id = ev->pipeline_id, .attempt = attempt };
	}
	/* GitLab retries a pipeline under the same id: running again after a terminal state is a new attempt of ours */
	if (attempt < r->attempt || (attempt == r->attempt && rank < r->rank && ev->attempt))
		return false;
	if (attempt == r->attempt && ev->status == r->status && rank == r->rank)
		return false;
	r->attempt = attempt;
	r->rank = rank;
	r->status = ev->status;
	return true;
}

/* Its end was told before its beginning. */
static bool alarm_ended(struct step *s, const struct line *l, const struct sw_event *ev)
{
	const char *key = ev->kind == SW_EV_ALARM && ev->status == SW_ST_FAILED ? alarm_key(s, ev, SW_ST_SUCCESS) : NULL;

	for (size_t i = 0; key && i < l->n_seen; i++)
		if (sw_streq(l->seen[i], key))
			return true;
	return false;
}

/* ---- rules ---- */

static bool line_muted(struct line *l, const struct sw_rule *rule, sw_ms now)
{
	for (size_t i = 0; i < l->n_muted; i++)
		if (sw_streq(l->muted[i].rule, rule->name))
			return !l->muted[i].until || l->muted[i].until > now;
	return false;
}

static void line_mute(struct line *l, const struct sw_rule *rule, sw_ms now)
{
	size_t n = 0;

	if (!rule->dedupe && !rule->dedupe_for)
		return;
	for (size_t i = 0; i < l->n_muted; i++)
		if (!sw_streq(l->muted[i].rule, rule->name))
			l->muted[n++] = l->muted[i];
	l->n_muted = n;
	*PUSH(l->muted, l->n_muted) = (struct muted){ rule->name, rule->dedupe_for ? now + rule->dedupe_for : 0 };
}

/* `dedupe: until pipeline-fixed`: the trigger came, what was muted speaks again. */
static void line_unmute(struct step *s, struct line *l, const char *trigger)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n_muted; i++) {
		const struct sw_rule *rule = s->e->rules ? sw_rules_find(s->e->rules, l->muted[i].rule) : NULL;

		if (!rule || !sw_streq(rule->dedupe, trigger))
			l->muted[n++] = l->muted[i];
	}
	l->n_muted = n;
}

static struct kept_holds *line_holds(struct step *s, struct line *l, const struct sw_rule *rule, const struct sw_event *ev, size_t n)
{
	const char *key = sw_engine_id(s->a, rule->name, ev->job_name ? ev->job_name : "", NULL);
	struct kept_holds *k;

	for (size_t i = 0; i < l->n_holds; i++)
		if (sw_streq(l->holds[i].key, key))
			return &l->holds[i];
	k = PUSH(l->holds, l->n_holds);
	*k = (struct kept_holds){ .key = key, .n = n };
	return k;
}

/* What makes one firing of a rule the same as another: the run, the alarm's state, else the commit. */
static const char *line_subject(struct step *s, const struct sw_event *ev)
{
	if (ev->kind == SW_EV_ALARM)
		return alarm_key(s, ev, ev->status);
	if (ev->pipeline_id)
		return sw_arena_printf(s->a, "%s.%d.%s", ev->pipeline_id, ev->attempt, ev->job_id ? ev->job_id : "");
	return sw_arena_printf(s->a, "%s %s %s", ev->sha ? ev->sha : "", ev->tag ? ev->tag : "", ev->url ? ev->url : "");
}

static void line_fire(struct step *s, struct line *l, const struct sw_rule *rule, const struct about *of, const struct sw_judged *j)
{
	const struct sw_event *ev = of->ev;
	const char *id = sw_engine_id(s->a, s->in->aggregate, rule->name, line_subject(s, ev), NULL);
	const char *where = ev->repo ? ev->repo : of->service ? of->service : ev->source;
	struct news n;

	if (line_muted(l, rule, s->now))
		return;
	line_mute(l, rule, s->now);
	sw_news_of(s, rule, of->place, of->service, ev, id, &n);
	sw_news_findings(s, j, &n.al);
	sw_step_tally(s, SW_TALLY_FIRED, rule->name);
	sw_step_note(s, SW_NOTE_INFO, ev->ci_run_id, NULL, "rule \"%s\" fired on %s of %s", rule->name, sw_kind_name(ev->kind), where);
	sw_news_tell(s, &n, SW_NEWS_FIRING, NULL);
}

static bool line_judge(struct step *s, struct line *l, const struct sw_rule *rule, const struct about *of, struct sw_judged *j)
{
	struct facts f = { .s = s, .ev = of->ev, .place = of->place, .service = of->service, .rules = s->e->rules };
	size_t n = rule->cond ? sw_expr_holds(rule->cond) : 0;
	struct sw_hold none[SW_HOLDS_MAX] = { 0 };
	struct sw_facts facts;

	*j = (struct sw_judged){ .truth = SW_TRUE };
	if (!sw_facts_where(&f, rule->where))
		return false;
	if (!rule->cond)
		return true;
	sw_facts_fill(&f, &facts);
	sw_expr_eval(rule->cond, &facts, n ? line_holds(s, l, rule, of->ev, n)->holds : none, s->a, j);
	return j->truth == SW_TRUE;
}

static void line_trigger(struct step *s, struct line *l, enum sw_trigger_kind kind, const char *name, const struct about *of)
{
	const struct sw_rules *rules = s->e->rules;
	struct sw_rules_walk walk;
	const struct sw_rule *rule;
	struct sw_judged j;

	line_unmute(s, l, name);
	sw_rules_walk(rules, kind, false, of->service, &walk);
	while ((rule = sw_rules_next(&walk))) {
		struct facts f = { .s = s, .ev = of->ev, .place = of->place, .service = of->service, .rules = rules };

		if (rule->watches)
			continue;
		if (kind == SW_TR_CUSTOM && !sw_facts_where(&f, rule->on.expr))
			continue;
		if (!line_judge(s, l, rule, of, &j))
			continue;
		if (!rule->after) {
			line_fire(s, l, rule, of, &j);
			continue;
		}
		if (alarm_ended(s, l, of->ev))
			continue;
		*PUSH(l->waiting, l->n_waiting) = (struct waiting){ rule->name, rules->hash, of->ev->pipeline_id, s->now + rule->after,
		                                                    of->node };
	}
}

static enum sw_trigger_kind line_kind(enum sw_kind k)
{
	switch (k) {
	case SW_EV_PUSH: return SW_TR_PUSH;
	case SW_EV_TAG: return SW_TR_TAG;
	case SW_EV_PIPELINE: return SW_TR_PIPELINE;
	case SW_EV_JOB: return SW_TR_JOB;
	case SW_EV_RELEASE: return SW_TR_RELEASE;
	case SW_EV_MERGE: return SW_TR_MERGE;
	case SW_EV_REPORT: return SW_TR_REPORT;
	case SW_EV_ALARM: return SW_TR_ALARM;
	case SW_EV_NONE:
	case SW_EV_DEPLOYMENT:
	case SW_EV_KINDS: break;
	}
	return SW_TR_CUSTOM;
}

/* A retry or success undoes what waits for that pipeline; a newer success undoes all. */
static void line_undo(struct line *l, const struct sw_event *ev)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n_waiting; i++) {
		struct waiting *w = &l->waiting[i];
		bool same_run = sw_streq(w->pipeline, ev->pipeline_id) && w->pipeline;
		bool newer = w->pipeline && ev->pipeline_id && compare_ids(ev->pipeline_id, w->pipeline) > 0;

		if ((same_run && ev->status != SW_ST_FAILED) || (newer && ev->status == SW_ST_SUCCESS))
			continue;
		l->waiting[n++] = *w;
	}
	l->n_waiting = n;
}

/* An alarm that is over: what waits for it to last is undone. */
static void line_alarm(struct line *l, const struct sw_event *ev)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n_waiting; i++)
		if (ev->status != SW_ST_SUCCESS || sw_jint(l->waiting[i].ev, "started_at", 0) > ev->started_at)
			l->waiting[n++] = l->waiting[i];
	l->n_waiting = n;
}

/* Root pipelines that ended: did the line turn red or green? */
static void line_pipeline(struct step *s, struct line *l, const struct about *of)
{
	const struct sw_event *ev = of->ev;
	bool was_red = l->last == SW_ST_FAILED;

	line_undo(l, ev);
	if (ev->parent_pipeline || (ev->status != SW_ST_FAILED && ev->status != SW_ST_SUCCESS))
		return;
	if (l->last_id && ev->pipeline_id && compare_ids(ev->pipeline_id, l->last_id) < 0)
		return; /* an older one told late says nothing about the line as it is */
	l->last = ev->status;
	l->last_id = ev->pipeline_id ? ev->pipeline_id : "0";
	if (ev->status == SW_ST_FAILED)
		line_trigger(s, l, SW_TR_PIPELINE_FAILED, "pipeline-failed", of);
	else if (was_red)
		line_trigger(s, l, SW_TR_PIPELINE_FIXED, "pipeline-fixed", of);
}

/* Whose event it is. An alarm of something that is not deployed through us is called as its labels call it. */
static void line_about(struct step *s, const struct sw_event *ev, const struct sw_jnode *node, struct about *ret)
{
	const struct sw_place *places[2];

	*ret = (struct about){ .ev = ev, .node = node, .service = sw_places_service_of(s->e->places, ev, s->a) };
	if (ev->kind != SW_EV_ALARM)
		return;
	if (sw_places_meant(s->e->places, ev, s->a, places, SW_COUNT(places)) == 1)
		ret->place = places[0];
	if (!ret->service)
		ret->service = ev->service;
}

static int line_fact(struct step *s, struct line *l, const struct sw_jnode *msg)
{
	const struct sw_jnode *node = sw_jget(msg, "ev");
	const char *key;
	struct sw_event ev;
	struct about of;

	if (!node)
		return sw_err_set(s->err, EBADMSG, "a fact without an event");
	sw_event_read(node, s->a, &ev);
	key = line_key(s, &ev);
	if (key ? line_seen(l, key) : ev.kind == SW_EV_TAG ? !line_tag(s, l, &ev) : !line_run(l, &ev))
		return 0;
	if (ev.kind == SW_EV_JOB && ev.allow_failure && ev.status == SW_ST_FAILED)
		return 0;
	line_about(s, &ev, node, &of);
	if (ev.kind == SW_EV_PIPELINE)
		line_pipeline(s, l, &of);
	if (ev.kind == SW_EV_ALARM)
		line_alarm(l, &ev);
	line_trigger(s, l, line_kind(ev.kind), sw_kind_name(ev.kind), &of);
	line_trigger(s, l, SW_TR_CUSTOM, NULL, &of);
	return 0;
}

/* Rules that waited and were not undone. */
static void line_due(struct step *s, struct line *l)
{
	struct waiting due[LINE_WAITING];
	size_t n = 0, n_due = 0;

	for (size_t i = 0; i < l->n_waiting; i++) {
		if (l->waiting[i].due <= s->now)
			due[n_due++] = l->waiting[i];
		else
			l->waiting[n++] = l->waiting[i];
	}
	l->n_waiting = n;
	for (size_t i = 0; i < n_due; i++) {
		bool lost;
		struct sw_rules *rules = sw_step_rules(s, due[i].hash, &lost);
		const struct sw_rule *rule = rules ? sw_rules_find(rules, due[i].rule) : NULL;
		struct sw_judged j = { .truth = SW_TRUE };
		struct sw_event ev;
		struct about of;

		if (!rule)
			continue; /* asked for, or gone with its rules */
		sw_event_read(due[i].ev, s->a, &ev);
		line_about(s, &ev, due[i].ev, &of);
		line_fire(s, l, rule, &of, &j);
	}
}

int sw_line_step(struct step *s)
{
	struct line *l = SW_ARENA_NEW(s->a, struct line);
	sw_ms next = 0, was;
	int r = 0;

	line_read(s->in->state, l);
	was = l->tick_due;
	for (size_t i = 0; i < s->in->n_msgs && r == 0; i++) {
		const struct sw_jnode *m = s->in->msgs[i];
		const char *t = sw_jstr(m, "t");

		if (sw_streq(t, "fact"))
			r = line_fact(s, l, m);
		else if (!sw_streq(t, "timer"))
			r = sw_err_set(s->err, EBADMSG, "unknown message \"%.40s\" to a line", t ? t : "");
	}
	if (r < 0)
		return r;
	line_due(s, l);
	for (size_t i = 0; i < l->n_waiting; i++) {
		s->out->pin = s->e->rules;
		if (!next || l->waiting[i].due < next)
			next = l->waiting[i].due;
	}
	l->tick_due = next;
	if (next != was)
		sw_step_timer(s, "tick", next);
	line_write(s, l);
	return 0;
}
