/*
 * The actor: one action, begun once. The step has recorded that it started; what became of it goes back as `acted`.
 *
 * An action is a few steps: the last one acts, those before it only read what it needs to know. A read that fails for now, and a
 * request that reached nobody (no connection), are made again, at most three times within the action's time. Everything else is
 * told as it is: what may have happened is never repeated, and what failed before the last step has not happened.
 */
#include <errno.h>
#include <string.h>

#include "action/act_json.h"
#include "base/str.h"
#include "shipwatch/clock.h"
#include "worker/inner.h"

#define LOG "worker/actor"
#define CONNECT_TRIES 3
#define CONNECT_PAUSE SW_SECOND
#define ACT_NODES     100000
#define DETAIL_MAX    1000
#define READ_MOST     (10 * SW_SECOND)
#define LEAST_LEFT    ((sw_dur)250) /* for the step that acts: cut off, nobody would know what became of it */

struct act {
	struct worker *w;
	struct setup *setup;
	struct sw_arena a;
	const char *aggregate, *id, *name, *note;
	const struct sw_conf_action *conf;
	struct sw_act act;
	struct sw_job job;
	struct sw_log_ids ids;
	unsigned step, tries;
	bool reads;                    /* the step at hand: more follow */
	sw_dur began, until;
	struct sw_timer timer;
};

static void act_tell(struct worker *w, struct sw_arena *a, const char *aggregate, const char *id, const struct sw_class *c,
                     int status, sw_dur took, const char *detail, const struct sw_run *run, bool settle)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_jw jw;

	sw_jw_init(&jw, &b);
	sw_jw_obj(&jw, NULL);
	sw_jw_str(&jw, "t", "acted");
	sw_jw_str(&jw, "act", id);
	sw_jw_str(&jw, "class", sw_outcome_name(c->outcome));
	sw_jw_int(&jw, "status", status);
	sw_jw_int(&jw, "code", c->code);
	sw_jw_int(&jw, "took", took);
	if (detail && *detail)
		sw_jw_str(&jw, "detail", sw_arena_strndup(a, detail, sw_utf8_cut(detail, strlen(detail), DETAIL_MAX)));
	sw_jw_opt(&jw, "job", run->job_id);
	sw_jw_opt(&jw, "pipeline", run->pipeline_id);
	sw_jw_opt(&jw, "deployment", run->deployment_id);
	sw_jw_opt(&jw, "url", run->url);
	sw_jw_obj_end(&jw);
	sw_outbox_append(w, aggregate, sw_buf_str(&b), true, settle ? id : NULL);
}

static void act_end(struct act *x, struct sw_class c, int status, const char *detail, const struct sw_run *run)
{
	struct worker *w = x->w;
	sw_dur took = sw_clock_mono() - x->began;

	sw_log_ids_set(&x->ids);
	sw_log(c.outcome == SW_OK ? SW_LOG_INFO : SW_LOG_ERROR, LOG, "action %s: class=%s status=%d took=%lldms%s%s", x->name,
	       sw_outcome_name(c.outcome), status, (long long)took, detail && *detail ? ": " : "", detail ? detail : "");
	sw_log_ids_set(NULL);
	sw_meters_action(w, x->name, sw_outcome_name(c.outcome));
	act_tell(w, &x->a, x->aggregate, x->id, &c, status, took, detail, run ? run : &(struct sw_run){ 0 }, x->job.kind == SW_JOB_EXEC);
	sw_timer_stop(&x->timer);
	sw_setup_put(x->setup);
	sw_arena_fini(&x->a);
	free(x);
	sw_worker_settled(w);
}

static void act_next(struct act *x, const struct sw_result *last);

/* Is the step to be made again? Only what cannot have had an effect. */
static bool act_again(struct act *x, const struct sw_result *res, const struct sw_class *c, const char *why)
{
	bool nobody = res->fault == SW_FAULT_CONNECT || res->fault == SW_FAULT_TIMEOUT_CONNECT;
	bool passing = c->outcome == SW_RETRY || c->outcome == SW_HOLD || c->outcome == SW_AMBIGUOUS;
	sw_dur pause = nobody ? CONNECT_PAUSE : SW_MAX(c->wait, CONNECT_PAUSE);

	if (!(nobody || (x->reads && passing)) || x->tries >= CONNECT_TRIES || sw_clock_mono() + pause >= x->until)
		return false;
	sw_log_ids_set(&x->ids);
	SW_WARN(LOG, "action %s %s (%s), trying again in %lld s", x->name, nobody ? "reached nobody" : "got no answer to a question",
	        why && *why ? why : "no connection", (long long)(pause / SW_SECOND));
	sw_log_ids_set(NULL);
	sw_timer_set(&x->timer, pause);
	return true;
}

static void act_did(void *arg, const struct sw_result *res)
{
	struct act *x = arg;
	struct sw_err err = SW_ERR_INIT;
	struct sw_run run = { 0 };
	struct sw_class c = x->conf->plugin->judge(x->conf->conf, res, &err);

	if (!err.text[0] && res->detail)
		(void)sw_err_set(&err, EIO, "%s", res->detail);
	if (act_again(x, res, &c, err.text))
		return;
	if (x->reads && c.outcome == SW_OK) {
		x->step++;
		act_next(x, res);
		return;
	}
	if (x->reads && (c.outcome == SW_AMBIGUOUS || c.outcome == SW_RETRY)) {
		c.outcome = SW_MESSAGE;
		(void)sw_err_set(&err, EIO, "what it needs to know could not be asked, nothing was done (%s)",
		                 sw_arena_strdup(&x->a, err.text[0] ? err.text : "no answer"));
	}
	if (c.outcome == SW_OK && x->conf->plugin->began)
		x->conf->plugin->began(x->conf->conf, &x->act, res, &x->a, &run);
	act_end(x, c, res->status, err.text, &run);
}

static void act_do(void *arg)
{
	struct act *x = arg;
	sw_dur left = SW_MAX(x->until - sw_clock_mono(), (sw_dur)1);

	x->tries++;
	x->job.timeout = x->reads ? SW_MIN(SW_MAX(left / 2, (sw_dur)1), READ_MOST) : left;
	sw_do_job(x->w, &x->job, &(struct sw_do_for){ .id = x->id, .note = x->note, .ci_run_id = x->act.ci_run_id }, act_did, x);
}

/* Plans the step at hand and makes it. last: the answer to the one before. */
static void act_next(struct act *x, const struct sw_result *last)
{
	struct sw_err err = SW_ERR_INIT;
	int r;

	if (last && sw_clock_mono() + LEAST_LEFT >= x->until) {
		act_end(x, (struct sw_class){ .outcome = SW_MESSAGE }, last->status, "no time was left to do it, nothing was done", NULL);
		return;
	}
	if (x->step >= SW_ACTION_STEPS)
		r = sw_err_set(&err, E2BIG, "it would take too many requests, nothing was done");
	else
		r = x->conf->plugin->plan(x->conf->conf, &x->act, x->step, last, sw_clock_wall(), &x->a, &x->job, &err);
	if (r < 0) {
		act_end(x, (struct sw_class){ .outcome = last ? SW_MESSAGE : SW_CONFIG }, last ? last->status : 0, err.text, NULL);
		return;
	}
	x->reads = r > 0;
	x->tries = 0;
	act_do(x);
}

static int act_read(struct act *x, const char *json, struct sw_err *err)
{
	struct sw_jnode *n;
	int r;

	r = sw_jtree_parse(&x->a, json, strlen(json), ACT_NODES, &n, err);
	if (r < 0)
		return r;
	sw_act_read(n, &x->a, &x->act);
	if (!x->act.id)
		x->act.id = x->id;
	if (!x->act.action)
		x->act.action = x->name;
	return 0;
}

/* What a worker after us needs to tell the outcome of a program that outlives this one. */
static const char *act_note(struct act *x)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_jw jw;

	sw_jw_init(&jw, &b);
	sw_jw_obj(&jw, NULL);
	sw_jw_str(&jw, "aggregate", x->aggregate);
	sw_jw_str(&jw, "action", x->name);
	sw_jw_opt(&jw, "ci_run_id", x->act.ci_run_id);
	sw_jw_obj_end(&jw);
	return sw_arena_strdup(&x->a, sw_buf_str(&b));
}

static void act_found(void *arg, const char *id, const char *note, const struct sw_result *res)
{
	struct worker *w = arg;
	struct sw_class c = { .outcome = res->fault != SW_FAULT_NONE ? SW_AMBIGUOUS : res->status == 0 ? SW_OK : SW_MESSAGE };
	const struct sw_conf_action *conf;
	struct sw_err err = SW_ERR_INIT;
	struct sw_arena a = { 0 };
	struct sw_log_ids ids = { .attempt = id };
	struct sw_jnode *n;

	if (!note || sw_jtree_parse(&a, note, strlen(note), 64, &n, NULL) < 0 || !sw_jstr(n, "aggregate")) {
		SW_WARN(LOG, "the record of program %s cannot be read, dropped", id);
		sw_do_settle(w, id);
	} else {
		conf = sw_config_action(w->setup->cfg, sw_jstr(n, "action") ? sw_jstr(n, "action") : "");
		if (conf)
			c = conf->plugin->judge(conf->conf, res, &err);
		ids.ci_run_id = sw_jstr(n, "ci_run_id");
		sw_ids_of_aggregate(&a, sw_jstr(n, "aggregate"), &ids);
		sw_log_ids_set(&ids);
		SW_INFO(LOG, "action %s, begun by a worker before us, ended: class=%s status=%d", sw_jstr(n, "action"),
		        sw_outcome_name(c.outcome), res->status);
		sw_log_ids_set(NULL);
		act_tell(w, &a, sw_jstr(n, "aggregate"), id, &c, res->status, res->took, err.text[0] ? err.text : res->detail,
		         &(struct sw_run){ 0 }, true);
	}
	sw_arena_fini(&a);
}

void sw_actor_recover(struct worker *w)
{
	sw_do_recover(w, act_found, w);
}

void sw_actor_run(struct worker *w, struct setup *setup, const char *aggregate, const struct sw_io *io)
{
	struct act *x = sw_calloc(1, sizeof *x);
	struct sw_err err = SW_ERR_INIT;

	w->ios++;
	x->w = w;
	x->setup = sw_setup_get(setup);
	x->aggregate = sw_arena_strdup(&x->a, aggregate);
	x->id = sw_arena_strdup(&x->a, io->act_id);
	x->name = sw_arena_strdup(&x->a, io->action);
	x->began = sw_clock_mono();
	sw_timer_init(&x->timer, w->loop, act_do, x);
	if (act_read(x, io->act_json, &err) < 0) {
		act_end(x, (struct sw_class){ .outcome = SW_MESSAGE }, 0, err.text, NULL);
		return;
	}
	x->ids = (struct sw_log_ids){
		.ci_run_id = x->act.ci_run_id, .service = x->act.service, .environment = x->act.environment,
		.watch_id = x->act.watch_id, .attempt = x->id,
	};
	x->conf = sw_config_action(setup->cfg, io->action);
	if (!x->conf) {
		act_end(x, (struct sw_class){ .outcome = SW_CONFIG }, 0, "the configuration has no such action any more", NULL);
		return;
	}
	x->until = x->began + (x->conf->timeout ? x->conf->timeout : 30 * SW_SECOND);
	x->note = act_note(x);
	sw_log_ids_set(&x->ids);
	SW_INFO(LOG, "action %s starts for %s/%s sha=%s id=%s", x->name, x->act.service ? x->act.service : "?",
	        x->act.environment ? x->act.environment : "?", x->act.sha ? x->act.sha : "?", x->id);
	sw_log_ids_set(NULL);
	act_next(x, NULL);
}
