/* What a worker counts (design 8). Every family is declared here, nowhere else. */
#include "probe/print.h"
#include "worker/inner.h"

struct sw_meters {
	struct sw_metrics *all;
	struct sw_metric *events, *dead, *dead_now, *verdicts, *fired, *actions_decided, *deployments, *commits, *step_s, *attempts,
		*attempt_s, *actions, *samples, *depth, *age, *held, *rtt, *masters, *silent, *lanes, *ios, *down, *waiting;
};

struct sw_meters *sw_meters_new(const struct sw_worker_options *opt)
{
	static const double fine[] = { 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5 };
	static const double slow[] = { 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30 };
	static const char *const l_event[] = { "source", "kind", NULL }, *const l_what[] = { "what", NULL };
	static const char *const l_verdict[] = { "verdict", NULL }, *const l_rule[] = { "rule", NULL };
	static const char *const l_state[] = { "state", NULL }, *const l_status[] = { "status", NULL };
	static const char *const l_outcome[] = { "outcome", NULL }, *const l_attempt[] = { "channel", "class", NULL };
	static const char *const l_channel[] = { "channel", NULL }, *const l_act[] = { "action", "class", NULL };
	static const char *const l_sample[] = { "signal", "reading", NULL }, *const l_stream[] = { "stream", NULL };
	static const char *const l_source[] = { "source", NULL };
	struct sw_meters *m = sw_calloc(1, sizeof *m);

	if (sw_metrics_new(1, &m->all) < 0) {
		free(m);
		return NULL;
	}
	sw_metrics_build_info(m->all, "shipwatch_build_info", &(struct sw_build){ opt->version, opt->commit, opt->built });
	m->events = sw_metric_counter(m->all, "shipwatch_events_total", "Events read out of deliveries.", l_event, 200);
	m->dead = sw_metric_counter(m->all, "shipwatch_dead_letters_total", "Entries and messages that went to the dead letters.", l_what, 8);
	m->dead_now = sw_metric_gauge(m->all, "shipwatch_dead_letters", "Dead letters kept now.", NULL, 1, true);
	m->verdicts = sw_metric_counter(m->all, "shipwatch_verdicts_total", "Verdicts of watches.", l_verdict, 16);
	m->fired = sw_metric_counter(m->all, "shipwatch_rules_fired_total", "How often each rule fired.", l_rule, 200);
	m->actions_decided = sw_metric_counter(m->all, "shipwatch_action_changes_total", "Changes of state of actions.", l_state, 16);
	m->deployments = sw_metric_counter(m->all, "shipwatch_deployments_total", "Deployments by how they ended.", l_status, 16);
	m->commits = sw_metric_counter(m->all, "shipwatch_commits_total", "Commits of steps by outcome.", l_outcome, 8);
	m->step_s = sw_metric_histogram(m->all, "shipwatch_step_seconds", "From taking up messages of an aggregate to the answered commit.",
	                                NULL, 1, fine, SW_COUNT(fine));
	m->attempts = sw_metric_counter(m->all, "shipwatch_attempts_total", "Tries to tell a channel, by class of outcome.", l_attempt, 200);
	m->attempt_s = sw_metric_histogram(m->all, "shipwatch_attempt_seconds", "How long a try to tell a channel took.", l_channel, 50,
	                                   slow, SW_COUNT(slow));
	m->actions = sw_metric_counter(m->all, "shipwatch_actions_total", "Actions that were begun, by class of outcome.", l_act, 200);
	m->samples = sw_metric_counter(m->all, "shipwatch_samples_total", "Samples of signals, by reading.", l_sample, 50);
	m->depth = sw_metric_gauge(m->all, "shipwatch_queue_entries", "Entries in a stream.", l_stream, 2, true);
	m->age = sw_metric_gauge(m->all, "shipwatch_queue_oldest_seconds", "Age of the oldest entry in `in`.", NULL, 1, true);
	m->held = sw_metric_gauge(m->all, "shipwatch_hold", "1 while everything is on hold.", NULL, 1, true);
	m->masters = sw_metric_counter(m->all, "shipwatch_redis_master_changes_total", "Times the sentinels named another master than before.", NULL, 1);
	m->rtt = sw_metric_gauge(m->all, "shipwatch_redis_rtt_seconds", "Round trip to Redis.", NULL, 1, true);
	m->silent = sw_metric_gauge(m->all, "shipwatch_source_silent", "1 while a source was not heard of for longer than silent_after.",
	                            l_source, 50, true);
	m->down = sw_metric_gauge(m->all, "shipwatch_channel_down", "1 while a channel cannot be used: its messages go to its fallback.", l_channel, 50, true);
	m->waiting = sw_metric_gauge(m->all, "shipwatch_channel_waiting", "Messages that wait for a channel, for its next digest.", l_channel, 50, true);
	m->lanes = sw_metric_gauge(m->all, "shipwatch_worker_entries_in_hand", "Entries this worker has taken and not finished.", NULL, 1, false);
	m->ios = sw_metric_gauge(m->all, "shipwatch_worker_requests_open", "Requests and results under way.", NULL, 1, false);
	return m;
}

void sw_meters_free(struct sw_meters *m)
{
	if (!m)
		return;
	sw_metrics_free(m->all);
	free(m);
}

void sw_meters_event(struct worker *w, const char *source, const char *kind)
{
	SW_METRIC_INC(w->meters->events, source, kind);
}

void sw_meters_masters(struct worker *w, int64_t more)
{
	sw_metric_add(w->meters->masters, NULL, (double)more);
}

void sw_meters_dead(struct worker *w, const char *what)
{
	SW_METRIC_INC(w->meters->dead, what);
}

void sw_meters_tally(struct worker *w, enum sw_tally what, const char *label)
{
	switch (what) {
	case SW_TALLY_VERDICT:
		SW_METRIC_INC(w->meters->verdicts, label);
		break;
	case SW_TALLY_FIRED:
		SW_METRIC_INC(w->meters->fired, label);
		break;
	case SW_TALLY_ACTION:
		SW_METRIC_INC(w->meters->actions_decided, label);
		break;
	case SW_TALLY_DEPLOYMENT:
		SW_METRIC_INC(w->meters->deployments, label);
		break;
	}
}

void sw_meters_step(struct worker *w, sw_dur took, int outcome)
{
	static const char *const names[] = {
		[SW_COMMIT_OK] = "ok", [SW_COMMIT_CONFLICT] = "conflict", [SW_COMMIT_GONE] = "gone", [SW_COMMIT_REFUSED] = "refused",
	};

	if (outcome >= 0 && (size_t)outcome < SW_COUNT(names))
		SW_METRIC_INC(w->meters->commits, names[outcome]);
	sw_metric_observe(w->meters->step_s, NULL, (double)took / 1000);
}

void sw_meters_attempt(struct worker *w, const char *channel, const char *cls, sw_dur took)
{
	SW_METRIC_INC(w->meters->attempts, channel, cls);
	sw_metric_observe(w->meters->attempt_s, (const char *const[]){ channel }, (double)took / 1000);
}

void sw_meters_channel(struct worker *w, const char *channel, bool down, int64_t waiting)
{
	sw_metric_set(w->meters->down, (const char *const[]){ channel }, down);
	sw_metric_set(w->meters->waiting, (const char *const[]){ channel }, (double)waiting);
}

void sw_meters_action(struct worker *w, const char *action, const char *cls)
{
	SW_METRIC_INC(w->meters->actions, action, cls);
}

void sw_meters_probe(struct worker *w, const char *signal, const char *reading)
{
	SW_METRIC_INC(w->meters->samples, signal, reading);
}

void sw_meters_silent(struct worker *w, const char *source, bool silent)
{
	sw_metric_set(w->meters->silent, (const char *const[]){ source }, silent);
}

void sw_meters_tick(struct worker *w, const struct sw_tick *t)
{
	struct sw_meters *m = w->meters;
	const struct sw_bus_info *info = sw_bus_info(w->bus);

	sw_metric_set(m->depth, (const char *const[]){ "in" }, (double)t->in_n);
	sw_metric_set(m->depth, (const char *const[]){ "work" }, (double)t->work_n);
	sw_metric_set(m->age, NULL, t->in_oldest && t->now > t->in_oldest ? (double)(t->now - t->in_oldest) / 1000 : 0);
	sw_metric_set(m->dead_now, NULL, (double)t->dead_n);
	sw_metric_set(m->held, NULL, t->held);
	if (info)
		sw_metric_set(m->rtt, NULL, (double)info->rtt_ms / 1000);
}

void sw_meters_text(struct worker *w, struct sw_buf *out)
{
	sw_metric_set(w->meters->lanes, NULL, (double)w->in_flight);
	sw_metric_set(w->meters->ios, NULL, (double)w->ios);
	sw_metrics_print(w->meters->all, out);
}
