/* The least plug-ins a worker can be tried with: a source, a signal, a channel and an action of a few lines each. */
#ifndef TESTS_WORKER_PLUGINS_H
#define TESTS_WORKER_PLUGINS_H

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "model/place.h"
#include "shipwatch/plugin.h"

struct toy { const char *url, *secret; const char **secrets; };

static const struct sw_key toy_keys[] = {
	{ "url", SW_KEY_STRING, offsetof(struct toy, url), NULL, "address" },
	{ "secret", SW_KEY_STRING, offsetof(struct toy, secret), NULL, "secret" },
	{ 0 }
};
static const struct sw_key toy_source_keys[] = {
	{ "secrets", SW_KEY_STRINGS, offsetof(struct toy, secrets), NULL, "secrets" },
	{ 0 }
};
static const char *const toy_none[] = { NULL };

static int toy_parse(const void *conf, const struct sw_request *rq, struct sw_events *out, struct sw_err *err)
{
	struct sw_event *ev;
	struct sw_jnode *n;

	if (sw_jtree_parse(out->a, rq->body, rq->body_n, 1000, &n, err) < 0)
		return -EBADMSG;
	if (n->type != SW_J_OBJECT)
		return sw_err_set(err, EBADMSG, "want an object");
	ev = sw_events_add(out);
	ev->kind = SW_EV_REPORT;
	ev->status = sw_jint(n, "exit_code", 1) == 0 ? SW_ST_SUCCESS : SW_ST_FAILED;
	ev->repo = sw_jstr(n, "repo");
	ev->branch = sw_jstr(n, "branch");
	ev->sha = sw_jstr(n, "sha");
	ev->environment = sw_jstr(n, "environment");
	ev->service = sw_jstr(n, "service");
	ev->pipeline_id = sw_jget(n, "pipeline_id") ? sw_jget(n, "pipeline_id")->text : NULL;
	ev->job_id = sw_jget(n, "job_id") ? sw_jget(n, "job_id")->text : NULL;
	ev->report_id = sw_arena_printf(out->a, "%s/%s", ev->pipeline_id ? ev->pipeline_id : "", ev->job_id ? ev->job_id : "");
	ev->ci_run_id = sw_arena_printf(out->a, "test/%s", ev->pipeline_id ? ev->pipeline_id : "");
	ev->user = sw_jstr(n, "user");
	ev->at = rq->arrived;
	return 0;
}

static int toy_ask(const void *conf, const struct sw_target *t, sw_ms now, struct sw_arena *a, struct sw_job *ret, struct sw_err *err)
{
	const struct sw_health_conf *c = conf;

	*ret = (struct sw_job){ .kind = SW_JOB_HTTP, .method = "GET", .url = c->url, .timeout = c->timeout };
	return 0;
}

static int toy_read(const void *conf, const struct sw_target *t, const struct sw_result *res, struct sw_samples *out, struct sw_err *err)
{
	sw_samples_add(out, "health", res->at, SW_R_OK, res->fault == SW_FAULT_NONE && res->status == 200 ? 1 : 0);
	return 0;
}

static const char *toy_credential(const void *conf) { return ((const struct toy *)conf)->url; }

/* What the last rendering was given, and how many parts a message has. */
static struct { unsigned parts; char mentions[128]; unsigned rendered[4]; enum sw_size size; } toy_seen;

static int toy_render(const void *conf, const struct sw_alert *al, enum sw_size size, unsigned part, sw_ms now, struct sw_arena *a,
                      struct sw_job *ret, struct sw_err *err)
{
	*ret = (struct sw_job){ .kind = SW_JOB_HTTP, .method = "POST", .url = ((const struct toy *)conf)->url, .body = "{}", .body_n = 2 };
	sw_job_header(ret, "X-Shipwatch-Delivery", al->delivery);
	sw_job_header(ret, "X-Part", part ? "later" : "first");
	toy_seen.mentions[0] = 0;
	for (size_t i = 0; i < al->n_mentions; i++)
		(void)snprintf(toy_seen.mentions + strlen(toy_seen.mentions), sizeof toy_seen.mentions - strlen(toy_seen.mentions), "%s ",
		               al->mentions[i].name);
	toy_seen.size = size;
	if (part < SW_COUNT(toy_seen.rendered))
		toy_seen.rendered[part]++;
	return part + 1 < toy_seen.parts;
}

static struct sw_class toy_judge(const void *conf, const struct sw_result *res, struct sw_err *err)
{
	struct sw_class c = { .outcome = SW_MESSAGE };

	if (sw_judge_transport(res, &c, err))
		return c;
	return (struct sw_class){ .outcome = res->status >= 200 && res->status < 300 ? SW_OK : SW_MESSAGE };
}

static int toy_plan(const void *conf, const struct sw_act *act, unsigned step, const struct sw_result *last, sw_ms now, struct sw_arena *a, struct sw_job *ret, struct sw_err *err)
{
	*ret = (struct sw_job){ .kind = SW_JOB_HTTP, .method = "POST", .url = ((const struct toy *)conf)->url, .body = "{}", .body_n = 2 };
	return 0;
}

static const struct sw_source toy_source = {
	.base = { "report", "", toy_source_keys, sizeof(struct toy) }, .headers = toy_none, .types = toy_none, .parse = toy_parse };
static const struct sw_signal toy_signal = { .base = { "health", "", toy_keys, sizeof(struct toy) }, .ask = toy_ask, .read = toy_read };
static const struct sw_channel toy_channel = { .base = { "webhook", "", toy_keys, sizeof(struct toy) }, .rate = { 10, SW_MINUTE },
	.credential = toy_credential, .render = toy_render, .judge = toy_judge };
static const struct sw_action toy_action = { .base = { "http", "", toy_keys, sizeof(struct toy) }, .plan = toy_plan, .judge = toy_judge };

const struct sw_source *const sw_sources[] = { &toy_source, NULL };
const struct sw_signal *const sw_signals[] = { &toy_signal, NULL };
const struct sw_channel *const sw_channels[] = { &toy_channel, NULL };
const struct sw_action *const sw_actions[] = { &toy_action, NULL };

const struct sw_source *sw_source_find(const char *kind) { return sw_streq(kind, "report") ? &toy_source : NULL; }
const struct sw_signal *sw_signal_find(const char *kind) { return sw_streq(kind, "health") ? &toy_signal : NULL; }
const struct sw_channel *sw_channel_find(const char *kind) { return sw_streq(kind, "webhook") ? &toy_channel : NULL; }
const struct sw_action *sw_action_find(const char *kind) { return sw_streq(kind, "http") ? &toy_action : NULL; }

#endif
