/*
 * Routing: which aggregates an event concerns; and the commits that a push leaves behind for later messages.
 *
 *   deployment, job, pipeline, report   the places that claim it (fact), and but for deployments the line of its ref (fact)
 *   push                                the line of its ref (fact), where a rule may be set off by it: most are not, and they are many
 *   alarm                               the places it names (told), and its own line (fact)
 *   report of no deployment             all places of its service, for its numbers (told)
 */
#include <string.h>

#include "base/str.h"
#include "engine/engine.h"
#include "engine/range.h"
#include "engine/runs.h"

#define NAME_MAX_BYTES 400
#define PLACES_MOST    32 /* that one event can be about */

/* Names from outside stand in keys: bounded, and without line ends. */
static const char *route_name(struct sw_arena *a, const char *s)
{
	struct sw_buf b = SW_BUF_INIT;
	const char *ret;
	size_t n = s ? strlen(s) : 0;

	sw_utf8_clean(&b, s ? s : "", sw_utf8_cut(s ? s : "", n, NAME_MAX_BYTES), true);
	ret = sw_arena_strdup(a, sw_buf_str(&b));
	sw_buf_fini(&b);
	return ret;
}

static const char *route_fact(struct sw_arena *a, const struct sw_event *ev, enum sw_claim how, bool commits)
{
	struct sw_buf b = SW_BUF_INIT;
	const char *ret;
	struct sw_jw w;

	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "t", "fact");
	sw_jw_int(&w, "how", how);
	sw_event_write(ev, commits, &w, "ev");
	sw_jw_obj_end(&w);
	ret = sw_arena_strndup(a, b.p, b.n);
	sw_buf_fini(&b);
	return ret;
}

static const char *route_ref(const struct sw_event *ev)
{
	if (ev->ref)
		return ev->ref;
	if (ev->branch)
		return ev->branch;
	if (ev->tag)
		return ev->tag;
	return ev->merge_request ? "merge-requests" : "-";
}

const char *sw_engine_pushes_key(struct sw_arena *a, const char *repo, const char *ref)
{
	if (ref && sw_starts(ref, "refs/heads/"))
		ref += strlen("refs/heads/");
	return sw_arena_printf(a, "pushes:%s/%s", route_name(a, repo), route_name(a, ref ? ref : "-"));
}

/* What a push leaves: shas, and its commits with their files. The event itself is in the journal. */
static void route_keep(const struct sw_event *ev, struct sw_arena *a, struct sw_routed *ret)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_event slim;
	struct sw_jw w;

	if (ev->kind != SW_EV_PUSH || !ev->branch || ev->deleted || !ev->sha || !ev->repo)
		return;
	sw_event_init(&slim);
	slim.kind = ev->kind;
	slim.sha = ev->sha;
	slim.before = ev->before;
	slim.commits = ev->commits;
	slim.n_commits = ev->n_commits;
	slim.commits_total = ev->commits_total;
	slim.files_cut = ev->files_cut;
	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_event_write(&slim, true, &w, "ev");
	sw_jw_obj_end(&w);
	ret->keep_key = sw_engine_pushes_key(a, ev->repo, ev->branch);
	ret->keep_value = sw_arena_strndup(a, b.p, b.n);
	sw_buf_fini(&b);
}

/* What a place has to know of an alarm or of the numbers of a report. */
static const char *route_told(struct sw_arena *a, const struct sw_event *ev)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_event slim;
	const char *ret;
	struct sw_jw w;

	sw_event_init(&slim);
	slim.kind = ev->kind;
	slim.status = ev->status;
	slim.alarm_id = ev->alarm_id;
	slim.sha = ev->sha;
	slim.pipeline_id = ev->pipeline_id;
	slim.ci_run_id = ev->ci_run_id;
	slim.at = ev->at;
	slim.received = ev->received;
	slim.started_at = ev->started_at;
	slim.metrics = ev->metrics;
	slim.n_metrics = ev->n_metrics;
	for (size_t i = 0; i < ev->n_labels && !slim.n_labels; i++)
		if (sw_streq(ev->labels[i].name, "alertname")) {
			slim.labels = &ev->labels[i];
			slim.n_labels = 1;
		}
	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "t", "told");
	sw_event_write(&slim, false, &w, "ev");
	sw_jw_obj_end(&w);
	ret = sw_arena_strndup(a, b.p, b.n);
	sw_buf_fini(&b);
	return ret;
}

static void route_places(const struct sw_engine *e, const struct sw_event *ev, struct sw_arena *a, struct sw_routed *ret)
{
	const struct sw_place *places[PLACES_MOST];
	size_t n = sw_places_meant(e->places, ev, a, places, PLACES_MOST);
	const char *msg = n ? route_told(a, ev) : NULL;

	for (size_t i = 0; i < n; i++)
		ret->facts[ret->n_facts++] = (struct sw_step_tell){
			.aggregate = sw_arena_printf(a, "place:%s/%s", places[i]->service, places[i]->environment), .msg = msg };
}

/* An alarm has a line of its own: the same one again is known there, however many others there are. */
static void route_alarm(const struct sw_engine *e, const struct sw_event *ev, struct sw_arena *a, struct sw_routed *ret)
{
	ret->facts = SW_ARENA_ARRAY(a, struct sw_step_tell, PLACES_MOST + 1);
	route_places(e, ev, a, ret);
	ret->facts[ret->n_facts++] = (struct sw_step_tell){
		.aggregate = sw_arena_printf(a, "line:%s/alarm:%s", ev->source, route_name(a, ev->alarm_id)),
		.msg = route_fact(a, ev, SW_CLAIM_NONE, false) };
}

/* Other events leave something at their line that a later one is compared with: what ran, what was red. */
static bool route_line(const struct sw_engine *e, const struct sw_event *ev, const char *service)
{
	static const enum sw_trigger_kind kinds[] = { SW_TR_PUSH, SW_TR_CUSTOM };
	struct sw_rules_walk walk;

	if (ev->kind != SW_EV_PUSH)
		return ev->kind != SW_EV_DEPLOYMENT && ev->kind != SW_EV_NONE;
	for (size_t i = 0; i < SW_COUNT(kinds); i++) {
		sw_rules_walk(e->rules, kinds[i], false, service, &walk);
		if (sw_rules_next(&walk))
			return true;
	}
	return false;
}

void sw_engine_route(const struct sw_engine *e, const struct sw_event *ev, struct sw_arena *a, struct sw_routed *ret)
{
	struct sw_claimed claims[PLACES_MOST];
	size_t n = sw_places_claim(e->places, ev, a, claims, SW_COUNT(claims));
	const char *ours = ev->repo ? sw_places_service_of(e->places, ev, a) : NULL;

	memset(ret, 0, sizeof *ret);
	if (ev->kind == SW_EV_ALARM) {
		route_alarm(e, ev, a, ret);
		return;
	}
	ret->facts = SW_ARENA_ARRAY(a, struct sw_step_tell, PLACES_MOST + 1);
	for (size_t i = 0; i < n; i++)
		ret->facts[ret->n_facts++] = (struct sw_step_tell){
			.aggregate = sw_arena_printf(a, "place:%s/%s", claims[i].place->service, claims[i].place->environment),
			.msg = route_fact(a, ev, claims[i].how, false) };
	if (n == 0 && ev->kind == SW_EV_REPORT && ev->n_metrics)
		route_places(e, ev, a, ret);
	if (ours && route_line(e, ev, ours))
		ret->facts[ret->n_facts++] = (struct sw_step_tell){
			.aggregate = sw_arena_printf(a, "line:%s/%s/%s", ev->source, route_name(a, ev->repo), route_name(a, route_ref(ev))),
			.msg = route_fact(a, ev, SW_CLAIM_NONE, ev->kind == SW_EV_PUSH) };
	ret->unclaimed = n == 0 && sw_event_deploys(ev) && (ev->kind == SW_EV_DEPLOYMENT || ev->kind == SW_EV_JOB || ev->kind == SW_EV_REPORT);
	if (ours && !sw_runs_note(ev, a, &ret->keep_key, &ret->keep_value))
		route_keep(ev, a, ret);
}

/* ---- commits between two shas ---- */

void sw_engine_commits(const struct sw_jnode *pushes, const char *from_sha, const char *to_sha, struct sw_arena *a, struct sw_alert *al)
{
	struct sw_range r;
	bool more = true;

	sw_range_begin(&r, from_sha, to_sha, SW_EVENT_COMMITS, a);
	for (const struct sw_jnode *p = pushes ? pushes->child : NULL; p && more; p = p->next) {
		struct sw_event ev;

		sw_event_read(sw_jget(p, "ev"), a, &ev);
		more = sw_range_push(&r, &ev);
	}
	sw_range_tell(&r, al);
}
