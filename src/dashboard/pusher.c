/*
 * Pushes builds: what changed behind the position in the history, by groups, one request at a time.
 *
 *   look ─every─▶ changed builds ─▶ groups, each once ─▶ newest that ended of each ─PUT─▶ 2xx: the next one; all of them: position
 *     ▲                                                                           │ no answer, 5xx, 429: again with a growing pause
 *     │                                                                           └ other 4xx: said once, left out
 *     └── idle: groups that had no build for long ─DELETE─▶
 *
 * 1. Of a group only the newest build is told, however many wait: a late change of an older one tells the newer one once more.
 * 2. The position moves when all groups of a batch were told or refused; after a crash some are told twice, which changes nothing.
 * 3. Several dashboards tell the same; the newest build is the same for all of them.
 * 4. What waits is counted when something was tried, not at each build: a Pushgateway that is away is tried every minute.
 */
#include "dashboard/pusher.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "io/http_client.h"
#include "io/loop.h"
#include "shipwatch/log.h"

#define LOG "pusher"

#define PUSH_BATCH      500
#define PUSH_WAITING    10000 /* more are not counted */
#define PUSH_LEAST      SW_SECOND
#define PUSH_MOST       SW_MINUTE
#define PUSH_FORGET_LOOK SW_MINUTE

struct sw_pusher {
	struct sw_loop *loop;
	struct sw_config *cfg;
	const struct sw_pusher_meters *m;
	struct sw_http_client *http;
	struct sw_http_call *call;   /* NULL: none is under way */
	struct sw_store *store;
	struct sw_timer timer;
	struct sw_arena a;           /* of the batch */
	struct sw_owed_build *batch; /* its groups, each once */
	int n, next;
	int64_t seq;                 /* the position once all of them are told */
	const char *path;            /* of the request under way */
	sw_ms at;                    /* newest news of what it tells */
	bool deleting, down, soon;   /* soon: news came, the timer is set for them */
	sw_dur pause, looked;        /* looked: for groups to be forgotten */
	char said[512];              /* said last about refusals, or the history */
};

static const struct sw_conf_pushgateway *conf(const struct sw_pusher *p) { return &p->cfg->pushgateway; }

static void pusher_next(struct sw_pusher *p);

/* ---- counting ---- */

void sw_pusher_meters_new(struct sw_metrics *all, struct sw_pusher_meters *m)
{
	static const char *const l_result[] = { "result", NULL };

	m->requests = sw_metric_counter(all, "shipwatch_pushgateway_requests_total", "Requests to the Pushgateway, by what became of them.", l_result, 4);
	m->waiting = sw_metric_gauge(all, "shipwatch_pushgateway_waiting_builds", "Changes of builds that the Pushgateway was not told yet, 10000 at most.", NULL, 1, true);
	m->last = sw_metric_gauge(all, "shipwatch_pushgateway_success_timestamp_seconds",
	                          "When the Pushgateway took something last, seconds since 1970; nothing yet: since when it is tried. 0: there is none.", NULL, 1, true);
}

static void pusher_count(struct sw_pusher *p, const char *result)
{
	if (p->m->requests)
		SW_METRIC_INC(p->m->requests, result);
}

static void pusher_gauge(struct sw_metric *f, double v)
{
	if (f)
		sw_metric_set(f, NULL, v);
}

static void pusher_waits(struct sw_pusher *p)
{
	int64_t n = 0;

	if (p->m->waiting && p->store && sw_owed_waiting(p->store, PUSH_WAITING, &n, NULL) == 0)
		pusher_gauge(p->m->waiting, (double)n);
}

/* It did not work, and may later. */
static void pusher_again(struct sw_pusher *p, const char *what)
{
	pusher_count(p, "failed");
	pusher_waits(p);
	p->pause = SW_MIN(SW_MAX(2 * p->pause, (sw_dur)PUSH_LEAST), (sw_dur)PUSH_MOST);
	if (!p->down)
		SW_WARN(LOG, "Pushgateway: %s, trying again in %lld s and then with growing pauses; recording goes on", what, (long long)(p->pause / SW_SECOND));
	p->down = true;
	sw_timer_set(&p->timer, p->pause);
}

static void pusher_trouble(struct sw_pusher *p, const struct sw_err *err)
{
	if (strcmp(err->text, p->said) != 0)
		SW_WARN(LOG, "%s, trying again in %d s", err->text, (int)(PUSH_MOST / SW_SECOND));
	(void)snprintf(p->said, sizeof p->said, "%s", err->text);
	sw_timer_set(&p->timer, PUSH_MOST);
}

/* ---- one request ---- */

static void pusher_told(struct sw_pusher *p, bool ok)
{
	struct sw_err err = SW_ERR_INIT;
	int r = 0;

	if (p->deleting)
		r = sw_owed_group_gone(p->store, p->path, &err);
	else if (ok)
		r = sw_owed_group(p->store, p->path, p->at, &err);
	if (r < 0) {
		pusher_trouble(p, &err);
		return;
	}
	if (!p->deleting)
		p->next++;
	pusher_next(p);
}

static void pusher_answer(void *arg, const struct sw_result *res)
{
	struct sw_pusher *p = arg;
	char body[200], what[320];

	p->call = NULL;
	if (!p->store)
		return;
	if (res->fault == SW_FAULT_NONE && res->status / 100 == 2) {
		if (p->down)
			SW_INFO(LOG, "Pushgateway takes builds again");
		p->down = false;
		p->pause = 0;
		p->said[0] = '\0';
		pusher_count(p, p->deleting ? "deleted" : "pushed");
		pusher_gauge(p->m->last, (double)sw_loop_wall(p->loop) / 1000);
		pusher_told(p, true);
		return;
	}
	(void)sw_err_quote(res->body, SW_MIN(strcspn(res->body, "\n"), (size_t)150), body, sizeof body);
	if (res->fault == SW_FAULT_NONE)
		(void)snprintf(what, sizeof what, "it answered %d%s%s", res->status, *body ? ": " : "", body);
	else
		(void)snprintf(what, sizeof what, "%s", res->detail ? res->detail : "no answer");
	if (res->fault != SW_FAULT_NONE || res->status / 100 != 4 || res->status == 429 || res->status == 408) {
		pusher_again(p, what);
		return;
	}
	/* It will never take this one: said once, or again when it says something else. */
	pusher_count(p, "refused");
	if (strcmp(what, p->said) != 0)
		SW_ERROR(LOG, "Pushgateway: %s; %s is left out, and others that it refuses so", what, p->path);
	(void)snprintf(p->said, sizeof p->said, "%s", what);
	pusher_told(p, false);
}

static void pusher_send(struct sw_pusher *p, const char *method, const char *path, const struct sw_buf *body)
{
	const struct sw_conf_pushgateway *c = conf(p);
	struct sw_job job = { .kind = SW_JOB_HTTP, .method = method, .timeout = c->timeout, .response_max = 4096 };
	SW_CLEANUP(sw_buf_fini) struct sw_buf both = SW_BUF_INIT, b64 = SW_BUF_INIT;

	p->path = path;
	job.url = sw_arena_printf(&p->a, "%s%s", c->url, path);
	if (body) {
		job.body = sw_buf_str(body);
		job.body_n = body->n;
		sw_job_header(&job, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
	}
	if (c->user) {
		sw_buf_printf(&both, "%s:%s", c->user, c->password ? c->password : "");
		sw_b64_encode(&b64, sw_buf_str(&both), both.n);
		sw_job_header(&job, "Authorization", sw_arena_printf(&p->a, "Basic %s", sw_buf_str(&b64)));
	}
	p->call = sw_http_client_do(p->http, &job, pusher_answer, p);
}

/* ---- batches ---- */

static bool branch_wanted(const struct sw_conf_pushgateway *c, const struct sw_owed_build *b)
{
	for (const char **g = c->branches; g && *g; g++)
		if (sw_glob_match(*g, b->branch ? b->branch : "", false))
			return true;
	return !c->branches;
}

static bool same_group(const struct sw_owed_build *a, const struct sw_owed_build *b)
{
	return sw_streq(a->repo, b->repo) && sw_streq(a->branch, b->branch) && sw_streq(a->environment, b->environment) && sw_streq(a->name, b->name);
}

/* What changed, each group once. Return: how many builds were looked at, or -errno. */
static int pusher_batch(struct sw_pusher *p, struct sw_err *err)
{
	struct sw_owed_build *all;
	int n, r;

	sw_arena_reset(&p->a);
	p->n = p->next = 0;
	r = sw_owed_pushed_to(p->store, sw_arena_printf(&p->a, "%s %s", conf(p)->url, conf(p)->job), err);
	if (r == 0)
		r = sw_owed_pushed(p->store, &p->seq, err);
	if (r < 0)
		return r;
	all = SW_ARENA_ARRAY(&p->a, struct sw_owed_build, PUSH_BATCH);
	n = sw_owed_changed(p->store, p->seq, all, PUSH_BATCH, &p->a, err);
	p->batch = SW_ARENA_ARRAY(&p->a, struct sw_owed_build, PUSH_BATCH);
	for (int i = 0; i < n; i++) {
		bool known = !branch_wanted(conf(p), &all[i]);

		p->seq = all[i].seq;
		for (int k = 0; k < p->n && !known; k++)
			known = same_group(&p->batch[k], &all[i]);
		if (!known)
			p->batch[p->n++] = all[i];
	}
	return n;
}

/* Too old to be put there, only to be deleted again. */
static bool pusher_stale(const struct sw_pusher *p, const struct sw_owed_build *b)
{
	return conf(p)->forget && b->at < sw_loop_wall(p->loop) - conf(p)->forget;
}

/* Begins the request for the next group of the batch that has something to tell. False: there is none. */
static bool pusher_group(struct sw_pusher *p, struct sw_err *err, int *ret)
{
	for (*ret = 0; p->next < p->n; p->next++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf text = SW_BUF_INIT, path = SW_BUF_INIT;
		struct sw_owed_build b = { 0 };

		*ret = sw_owed_newest(p->store, &p->batch[p->next], &p->a, &b, err);
		if (*ret < 0)
			return false;
		if (*ret == 0 || pusher_stale(p, &b))
			continue;
		sw_push_path(&path, conf(p)->job, &b);
		sw_push_text(&text, &b);
		p->at = b.at;
		p->deleting = false;
		pusher_send(p, "PUT", sw_arena_strdup(&p->a, sw_buf_str(&path)), &text);
		return true;
	}
	*ret = 0;
	return false;
}

/* A group that had no build for so long is deleted there. False: there is none now. */
static bool pusher_forget(struct sw_pusher *p, struct sw_err *err, int *ret)
{
	const char *path = NULL;

	*ret = 0;
	if (!conf(p)->forget || (p->looked && sw_loop_mono(p->loop) - p->looked < PUSH_FORGET_LOOK && !p->deleting))
		return false;
	p->looked = sw_loop_mono(p->loop);
	*ret = sw_owed_group_old(p->store, sw_loop_wall(p->loop) - conf(p)->forget, &p->a, &path, err);
	if (*ret <= 0)
		return false;
	p->deleting = true;
	pusher_send(p, "DELETE", path, NULL);
	return true;
}

static void pusher_next(struct sw_pusher *p)
{
	struct sw_err err = SW_ERR_INIT;
	int r;

	if (p->call || !p->store)
		return;
	for (;;) {
		if (pusher_group(p, &err, &r))
			return;
		if (r == 0 && p->n) {
			r = sw_owed_pushed_set(p->store, p->seq, &err);
			p->n = p->next = 0;
		}
		if (r == 0)
			r = pusher_batch(p, &err);
		if (r > 0 && !p->n)
			r = sw_owed_pushed_set(p->store, p->seq, &err); /* all of branches that nobody wants */
		else if (r == 0)
			break;
		if (r < 0) {
			pusher_trouble(p, &err);
			return;
		}
	}
	pusher_waits(p);
	if (pusher_forget(p, &err, &r))
		return;
	p->deleting = false;
	if (r < 0)
		pusher_trouble(p, &err);
	else
		sw_timer_set(&p->timer, PUSH_MOST);
}

static void pusher_due(void *arg)
{
	struct sw_pusher *p = arg;

	p->soon = false;
	pusher_next(p);
}

void sw_pusher_look(struct sw_pusher *p)
{
	if (!p->store || p->call || p->down || p->soon)
		return;
	p->soon = true;
	sw_timer_set(&p->timer, conf(p)->every);
}

void sw_pusher_store(struct sw_pusher *p, struct sw_store *s)
{
	if (p->call)
		sw_http_client_cancel(p->call);
	p->call = NULL;
	p->store = p->http ? s : NULL;
	p->n = p->next = 0;
	p->soon = false;
	if (p->store)
		sw_timer_set(&p->timer, PUSH_LEAST);
	else
		sw_timer_stop(&p->timer);
}

int sw_pusher_new(struct sw_loop *loop, struct sw_config *cfg, const struct sw_pusher_meters *m, struct sw_pusher **ret)
{
	static const struct sw_pusher_meters none;
	static const char *const results[] = { "pushed", "deleted", "refused", "failed" };
	struct sw_http_client_conf hc = { .proxy = cfg->proxy, .ca_file = cfg->ca_file };
	struct sw_pusher *p = sw_calloc(1, sizeof *p);
	struct sw_err err = SW_ERR_INIT;
	int r = 0;

	p->loop = loop;
	p->cfg = sw_config_get(cfg);
	p->m = m ? m : &none;
	sw_timer_init(&p->timer, loop, pusher_due, p);
	if (cfg->pushgateway.url)
		r = sw_http_client_new(loop, &hc, &p->http, &err);
	if (r < 0) {
		SW_ERROR(LOG, "%s", err.text);
		sw_pusher_free(p);
		return r;
	}
	pusher_gauge(p->m->last, p->http ? (double)sw_loop_wall(loop) / 1000 : 0);
	pusher_gauge(p->m->waiting, 0);
	for (size_t i = 0; i < SW_COUNT(results) && p->http && p->m->requests; i++) /* from 0: an alert sees the first one */
		(void)sw_metric_series(p->m->requests, (const char *const[]){ results[i] });
	*ret = p;
	return 0;
}

void sw_pusher_free(struct sw_pusher *p)
{
	if (!p)
		return;
	sw_timer_stop(&p->timer);
	sw_http_client_free(p->http);
	sw_arena_fini(&p->a);
	sw_config_put(p->cfg);
	free(p);
}
