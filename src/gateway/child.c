/* One process of the gateway: its loop, its server, which request goes where, reload and the graceful end. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/hmac.h"
#include "base/str.h"
#include "gateway/inner.h"
#include "plugins.h"
#include "shipwatch/log.h"
#include "shipwatch/mem.h"

#define LOG "gateway"

#define APPROVE_PATH "/approve/"
#define NOTHING_HERE "there is nothing here"

enum { BEAT = 5000 /* ms */, DESCRIPTORS_KEPT = 64, FORM_FACTOR = 3 };

/* ---- what belongs to a configuration ---- */

/* How many secrets a source tries: its lists of secrets, by the table of its settings. */
static unsigned setup_secrets(const struct sw_conf_source *src)
{
	unsigned n = 0;

	for (const struct sw_key *k = src->plugin->base.keys; k && k->name; k++) {
		const char *const *list;

		if (k->type != SW_KEY_SECRETS)
			continue;
		memcpy(&list, (const char *)src->conf + k->offset, sizeof list);
		while (list && *list)
			n++, list++;
	}
	return n;
}

int sw_gateway_setup_new(struct sw_config *cfg, struct setup **ret, struct sw_err *err)
{
	struct setup *s = sw_calloc(1, sizeof *s);
	int r = sw_nets_new(cfg->gateway.trusted_proxies, &s->trusted, err);

	if (r < 0) {
		free(s);
		return r;
	}
	s->refs = 1;
	s->cfg = sw_config_get(cfg);
	s->secrets_max = 1;
	for (size_t i = 0; i < cfg->n_sources; i++)
		if (!cfg->sources[i].queue)
			s->secrets_max = SW_MAX(s->secrets_max, setup_secrets(&cfg->sources[i]));
	*ret = s;
	return 0;
}

struct setup *sw_gateway_setup_get(struct setup *s)
{
	s->refs++;
	return s;
}

void sw_gateway_setup_put(struct setup *s)
{
	if (!s || --s->refs)
		return;
	sw_nets_free(s->trusted);
	sw_config_put(s->cfg);
	free(s);
}

/* ---- requests ---- */

enum route { ROUTE_OTHER, ROUTE_HOOKS, ROUTE_REPORT, ROUTE_HEALTH, ROUTE_METRICS, ROUTE_APPROVE };
static const char *const route_names[] = { "other", "hooks", "ci-report", "health", "metrics", "approve" };

static enum route route_of(const char *path)
{
	if (strcmp(path, "/health") == 0)
		return ROUTE_HEALTH;
	if (strcmp(path, "/metrics") == 0)
		return ROUTE_METRICS;
	if (strcmp(path, "/ci-report") == 0)
		return ROUTE_REPORT;
	if (strncmp(path, APPROVE_PATH, strlen(APPROVE_PATH)) == 0)
		return ROUTE_APPROVE;
	return strncmp(path, "/hooks/", 7) == 0 && path[7] && !strchr(path + 7, '/') ? ROUTE_HOOKS : ROUTE_OTHER;
}

static void page_on_head(struct sw_http_req *req)
{
	static const struct sw_header allow = { "Allow", "GET, HEAD, OPTIONS" };

	if (strcmp(req->method, "OPTIONS") == 0)
		sw_reply_json(req, 204, &allow, 1, "");
	else if (strcmp(req->method, "GET") != 0 && strcmp(req->method, "HEAD") != 0)
		sw_reply_error(req, 405, &allow, 1, "want GET");
}

static void child_on_head(void *arg, struct sw_http_req *req)
{
	struct gateway *g = arg;

	switch (route_of(req->path)) {
	case ROUTE_HOOKS:
		sw_hooks_on_head(g, req, req->path + 7);
		break;
	case ROUTE_REPORT:
		sw_hooks_on_head(g, req, NULL);
		break;
	case ROUTE_HEALTH:
	case ROUTE_METRICS:
		page_on_head(req);
		break;
	case ROUTE_APPROVE:
		if (g->setup->cfg->gateway.approvals)
			sw_approve_on_head(g, req, req->path + strlen(APPROVE_PATH));
		else
			sw_reply_error(req, 404, NULL, 0, NOTHING_HERE);
		break;
	case ROUTE_OTHER:
		sw_reply_error(req, 404, NULL, 0, NOTHING_HERE);
		break;
	}
}

static void child_on_request(void *arg, struct sw_http_req *req)
{
	struct gateway *g = arg;
	enum route route = route_of(req->path);

	if (route == ROUTE_HEALTH)
		sw_page_health(g, req);
	else if (route == ROUTE_METRICS)
		sw_page_metrics(g, req);
	else if (route == ROUTE_APPROVE)
		sw_approve_on_request(g, req, req->path + strlen(APPROVE_PATH));
	else
		sw_hooks_on_request(g, req);
}

static void child_on_answer(void *arg, const struct sw_http_req *req, int status, const char *why, sw_dur took)
{
	struct gateway *g = arg;
	const char *route = route_names[req ? route_of(req->path) : ROUTE_OTHER];
	char code[16];

	(void)snprintf(code, sizeof code, "%d", status);
	SW_METRIC_INC(g->meters.requests, route, code);
	sw_metric_observe(g->meters.seconds, (const char *const[]){ route }, (double)took / 1000);
	if (why)
		SW_DEBUG(LOG, "answered %d: %s", status, why);
}

static void child_on_done(void *arg, struct sw_http_req *req)
{
	sw_hooks_on_done(arg, req);
}

static void child_on_trouble(void *arg, const char *what)
{
	SW_WARN(LOG, "%s; new ones wait", what);
}

/* ---- reload, end ---- */

static void child_limits(const struct gateway *g, struct sw_http_limits *lim)
{
	struct rlimit files;

	*lim = sw_http_limits_default;
	lim->body_max = g->setup->cfg->gateway.body_max;
	/* One form of the greatest size must fit whatever is configured. */
	lim->held_max = SW_MAX(lim->held_max, 2 * FORM_FACTOR * lim->body_max);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < lim->conns_max + (rlim_t)DESCRIPTORS_KEPT)
		lim->conns_max = files.rlim_cur > 2 * DESCRIPTORS_KEPT ? (unsigned)files.rlim_cur - DESCRIPTORS_KEPT : DESCRIPTORS_KEPT;
}

static void child_reload(void *arg)
{
	struct gateway *g = arg;
	struct sw_plugins plugins = { sw_sources, sw_signals, sw_channels, sw_actions };
	struct sw_config *cfg = NULL;
	struct sw_err err = SW_ERR_INIT;
	struct sw_http_limits lim;
	struct setup *fresh;
	struct sw_arena a = { 0 };
	struct sw_diags d;

	if (!g->opt->config_path)
		return;
	sw_diags_init(&d, &a);
	/* The parent has told the mistakes. */
	if (sw_config_load(g->opt->config_path, &plugins, &sw_yenv_process, &cfg, &d) == 0) {
		if (sw_gateway_setup_new(cfg, &fresh, &err) == 0) {
			sw_gateway_setup_put(g->setup);
			g->setup = fresh;
			child_limits(g, &lim);
			sw_http_server_limits(g->http, &lim);
			sw_queues_begin(g);
			SW_DEBUG(LOG, "new configuration in use");
		}
		sw_config_put(cfg);
	}
	sw_arena_fini(&a);
}

static void child_stopped(void *arg)
{
	sw_loop_stop(((struct gateway *)arg)->loop);
}

static void child_term(void *arg)
{
	struct gateway *g = arg;

	sw_queues_end(g);
	sw_http_server_stop(g->http, g->opt->grace, child_stopped, g);
}

static void child_beat(void *arg)
{
	struct gateway *g = arg;

	sw_gauges_set(g);
	sw_queues_gauges(g);
	sw_timer_set(&g->beat, BEAT);
}

static int child_begin(struct gateway *g, struct sw_config *cfg, const struct child_start *start, struct sw_err *err)
{
	struct sw_http_handler h = { g, child_on_head, child_on_request, child_on_answer, child_on_done, child_on_trouble };
	struct sw_http_limits lim;
	int r;

	r = sw_gateway_setup_new(cfg, &g->setup, err);
	if (r < 0)
		return r;
	child_limits(g, &lim);
	if ((r = sw_loop_new(&g->loop)) < 0 || (r = sw_http_server_new(g->loop, &lim, &h, &g->http)) < 0 ||
	    (r = sw_loop_signal(g->loop, SIGTERM, child_term, g)) < 0 || (r = sw_loop_signal(g->loop, SIGINT, child_term, g)) < 0 ||
	    (r = sw_loop_signal(g->loop, SIGHUP, child_reload, g)) < 0)
		return sw_err_set(err, -r, "loop: %s", strerror(-r));
	sw_timer_init(&g->beat, g->loop, child_beat, g);
	sw_timer_set(&g->beat, 0);
	g->health = sw_health_new(&(struct sw_build){ g->opt->version, g->opt->commit, g->opt->built });
	g->failures = sw_failures_new(SW_FAILURES_MAX);
	sw_random(g->dummy, sizeof g->dummy);
	r = sw_store_new(g, g->opt->redis_url, start->state_dir, cfg->gateway.spool_max, start->processes, &g->store, err);
	if (r < 0)
		return r;
	r = sw_http_server_listen(g->http, start->listen_fd);
	if (r == 0)
		sw_queues_begin(g);
	return r < 0 ? sw_err_set(err, -r, "listen: %s", strerror(-r)) : 0;
}

int sw_gateway_child(struct sw_config *cfg, const struct sw_gateway_options *opt, struct sw_gateway_meters *meters,
                     const struct child_start *start)
{
	struct gateway g = { .opt = opt, .meters = *meters, .name = start->name, .index = start->index };
	struct sw_err err = SW_ERR_INIT;
	int r;

	sw_metrics_become(meters->all, start->index);
	r = child_begin(&g, cfg, start, &err);
	if (r < 0) {
		SW_ERROR(LOG, "cannot start: %s", err.text);
		return 1;
	}
	if (start->ready_fd >= 0) {
		(void)!write(start->ready_fd, "r", 1);
		(void)close(start->ready_fd);
	}
	r = sw_loop_run(g.loop);
	sw_timer_stop(&g.beat);
	sw_queues_end(&g);
	/* The bus first: what it still had in hand is answered, or spooled, before the connections go. */
	sw_store_free(g.store);
	sw_approve_end(&g);
	sw_http_server_free(g.http);
	sw_failures_free(g.failures);
	sw_health_free(g.health);
	sw_gateway_setup_put(g.setup);
	sw_arena_fini(&g.arena);
	sw_buf_fini(&g.pack);
	sw_loop_free(g.loop);
	return r < 0 ? 1 : 0;
}
