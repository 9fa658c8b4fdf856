/* The dashboard's process: start, signals, reload, the history it reads, the end. */
#include "dashboard/dashboard.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "dashboard/inner.h"
#include "io/client.h"
#include "io/listen.h"
#include "io/notify.h"
#include "plugins.h"
#include "rules/rules.h"
#include "shipwatch/clock.h"
#include "shipwatch/log.h"
#include "shipwatch/mem.h"

#define LOG "dashboard"

enum { DESCRIPTORS_KEPT = 64, DESCRIPTORS_WANTED = 4200, RECORDER_WAIT = 5000 /* ms */, STORE_EVERY = 1000 };

static const struct sw_plugins dash_plugins = { sw_sources, sw_signals, sw_channels, sw_actions };

/* ---- what belongs to a configuration ---- */

static struct dash_setup *setup_new(struct sw_config *cfg)
{
	struct dash_setup *s = sw_calloc(1, sizeof *s);

	SW_ASSERT(sw_nets_new(cfg->dashboard.trusted_proxies, &s->trusted, NULL) == 0); /* the configuration checked them */

	s->cfg = sw_config_get(cfg);
	s->rules = dash_rules_load(cfg);
	s->refs = 1;
	return s;
}

struct dash_setup *dash_setup_get(struct dash_setup *s)
{
	s->refs++;
	return s;
}

void dash_setup_put(struct dash_setup *s)
{
	if (!s || --s->refs)
		return;
	sw_rules_put(s->rules);
	sw_config_put(s->cfg);
	sw_nets_free(s->trusted);
	free(s);
}

/* ---- the history ---- */

void dash_store_look(struct dash *d)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf path = SW_BUF_INIT;
	struct sw_err err = SW_ERR_INIT;
	sw_dur now = sw_loop_mono(d->loop);
	struct stat st;
	int r;

	if (!d->state_dir || (d->store_at && now - d->store_at < STORE_EVERY))
		return;
	d->store_at = now;
	sw_buf_printf(&path, "%s/history.db", d->state_dir);
	r = stat(sw_buf_str(&path), &st) < 0 ? -errno : 0;
	if (d->store && r == 0 && st.st_dev == d->store_dev && st.st_ino == d->store_ino)
		return;
	d->store = sw_store_close(d->store);
	if (r == 0)
		r = sw_store_open(sw_buf_str(&path), SW_STORE_READ, &d->store, &err);
	if (r == 0) {
		d->store_dev = st.st_dev;
		d->store_ino = st.st_ino;
		d->store_why[0] = '\0';
		SW_INFO(LOG, "history %s is open", sw_buf_str(&path));
		return;
	}
	d->store = NULL;
	if (!err.text[0])
		(void)sw_err_set(&err, -r, "%s: %s", sw_buf_str(&path), strerror(-r));
	if (strcmp(d->store_why, err.text) != 0)
		SW_WARN(LOG, "no history to read: %s; pages go on without it", err.text);
	(void)snprintf(d->store_why, sizeof d->store_why, "%s", err.text);
}

void dash_store_close(struct dash *d)
{
	d->store = sw_store_close(d->store);
	d->store_at = 0;
}

/* ---- signals ---- */

static void dash_stopped(void *arg)
{
	sw_loop_stop(((struct dash *)arg)->loop);
}

static void dash_term(void *arg)
{
	struct dash *d = arg;

	if (d->stopping)
		return;
	SW_INFO(LOG, "stopping");
	d->stopping = true;
	sw_notify("STOPPING=1");
	dash_recorder_signal(d, SIGTERM);
	dash_live_free(d);
	sw_http_server_stop(d->http, d->opt->grace, dash_stopped, d);
}

static void dash_limits(struct sw_http_limits *lim)
{
	struct rlimit files;

	*lim = sw_http_limits_default;
	lim->body_max = DASH_FORM_MAX;
	/* Each viewer holds one; what a shell usually allows is less than they may be. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < DESCRIPTORS_WANTED && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = SW_MIN(files.rlim_max, (rlim_t)DESCRIPTORS_WANTED);
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < lim->conns_max + (rlim_t)DESCRIPTORS_KEPT)
		lim->conns_max = files.rlim_cur > 2 * DESCRIPTORS_KEPT ? (unsigned)files.rlim_cur - DESCRIPTORS_KEPT : DESCRIPTORS_KEPT;
}

/* All of it or nothing. */
static void dash_reload(void *arg)
{
	struct dash *d = arg;
	struct sw_config *cfg = NULL;
	struct sw_arena a = { 0 };
	struct sw_diags diags;
	int r;

	if (!d->opt->config_path || d->stopping)
		return;
	sw_diags_init(&diags, &a);
	r = sw_config_load(d->opt->config_path, &dash_plugins, &sw_yenv_process, &cfg, &diags);
	for (const struct sw_diag *x = diags.first; x; x = x->next)
		sw_log(x->warning ? SW_LOG_WARN : SW_LOG_ERROR, LOG, "%s", x->text);
	if (r == 0) {
		if (!sw_streq(cfg->dashboard.listen, d->setup->cfg->dashboard.listen) || !sw_streq(cfg->redis_url, d->setup->cfg->redis_url) ||
		    !sw_streq(cfg->state_dir, d->setup->cfg->state_dir))
			SW_WARN(LOG, "listen, redis and state_dir change only by a restart");
		dash_setup_put(d->setup);
		d->setup = setup_new(cfg);
		dash_live_again(d);
		dash_recorder_signal(d, SIGHUP);
		SW_INFO(LOG, "configuration read again");
	} else {
		SW_ERROR(LOG, "the new configuration has %u mistakes; going on with the old one", diags.errors);
	}
	sw_config_put(cfg);
	sw_arena_fini(&a);
}

/* ---- start ---- */

static void dash_state(void *arg, bool up, const char *why)
{
	struct dash *d = arg;
	int64_t masters;

	(void)snprintf(d->redis_why, sizeof d->redis_why, "%s", up ? "" : why ? why : "not reached");
	sw_metric_set(d->meters.redis_up, NULL, up);
	if (d->stopping)
		return;
	if (up) {
		masters = sw_bus_info(d->bus) ? sw_bus_info(d->bus)->masters : 0;
		sw_metric_add(d->meters.masters, NULL, (double)(masters - d->masters));
		d->masters = masters;
		SW_INFO(LOG, "Redis is reached%s%s", why ? ": " : "", why ? why : "");
	} else {
		SW_WARN(LOG, "Redis is not reached (%s), trying again; pages go on", d->redis_why);
	}
	dash_live_touched(d, DASH_TOUCHED_STATUS);
}

static int dash_bus(struct dash *d, const char *url, struct sw_err *err)
{
	struct sw_bus_options o = { .url = url, .connections = 2, .on_state = dash_state, .arg = d };

	if (!url)
		return sw_err_set(err, EINVAL, "no Redis: redis: {url: …} says which (`shipwatch up` runs a private one)");
	(void)snprintf(d->redis_why, sizeof d->redis_why, "not reached yet");
	return sw_bus_new(d->loop, &o, &d->bus, err);
}

static int dash_state_dir(struct dash *d, struct sw_err *err)
{
	const char *dir = d->setup->cfg->state_dir ? d->setup->cfg->state_dir : d->opt->state_dir;

	if (!dir)
		return sw_err_set(err, EINVAL, "no state_dir: the history lies there; say state_dir: or --state-dir");
	if (mkdir(dir, 0750) < 0 && errno != EEXIST)
		return sw_err_set(err, errno, "state_dir %s: %s", dir, strerror(errno));
	d->state_dir = sw_strdup(dir);
	return 0;
}

static int dash_listen(struct dash *d, const char *address, struct sw_err *err)
{
	struct sw_http_handler h = { d, dash_on_head, dash_on_request, dash_on_answer, NULL, NULL };
	struct sw_http_limits lim;
	char at[160];
	int fd, r;

	r = sw_listen(address, 1, &fd, err);
	if (r < 0)
		return r;
	sw_listen_name(fd, at, sizeof at);
	dash_limits(&lim);
	r = sw_http_server_new(d->loop, &lim, &h, &d->http);
	if (r == 0) {
		dash_headers_always(d->http);
		r = sw_http_server_listen(d->http, fd);
	} else {
		(void)close(fd);
	}
	if (r < 0)
		return sw_err_set(err, -r, "listen %s: %s", address, strerror(-r));
	SW_INFO(LOG, "listening on %s", at);
	return 0;
}

/* A sign of life for whoever started us: that the loop turns. */
static void dash_alive(void *arg)
{
	struct dash *d = arg;
	sw_dur every = sw_notify_watchdog();

	if (!every)
		return;
	sw_notify("WATCHDOG=1");
	sw_timer_set(&d->alive, every);
}

static int dash_begin(struct dash *d, struct sw_config *cfg, struct sw_err *err)
{
	const char *address = d->opt->listen ? d->opt->listen : cfg->dashboard.listen;
	int r = sw_loop_new(&d->loop);

	if (r < 0)
		return sw_err_set(err, -r, "event loop: %s", strerror(-r));
	d->setup = setup_new(cfg);
	d->health = sw_health_new(&(struct sw_build){ d->opt->version, d->opt->commit, d->opt->built });
	sw_timer_init(&d->alive, d->loop, dash_alive, d);
	address = address ? address : "127.0.0.1:8081";
	if (sw_config_dashboard_open(&cfg->dashboard) && !sw_config_listen_local(address))
		return sw_err_set(err, EACCES, "%s would let everybody decide: say dashboard: {users: …}, or user_header with trusted_proxies, or listen on 127.0.0.1", address);
	if ((r = dash_state_dir(d, err)) < 0)
		return r;
	if ((r = dash_meters_new(d)) < 0 || (r = sw_loop_signal(d->loop, SIGTERM, dash_term, d)) < 0 ||
	    (r = sw_loop_signal(d->loop, SIGINT, dash_term, d)) < 0 || (r = sw_loop_signal(d->loop, SIGHUP, dash_reload, d)) < 0)
		return sw_err_set(err, -r, "cannot start: %s", strerror(-r));
	dash_live_new(d);
	if ((r = dash_auth_new(d)) < 0)
		return sw_err_set(err, -r, "cannot tell who is who: %s", strerror(-r));
	if ((r = dash_bus(d, d->opt->redis_url ? d->opt->redis_url : cfg->redis_url, err)) < 0)
		return r;
	return dash_listen(d, address, err);
}

static void dash_fini(struct dash *d)
{
	d->stopping = true;
	dash_recorder_end(d, RECORDER_WAIT);
	dash_live_free(d);
	/* The bus first: what waits for it is answered before the connections go. */
	if (d->bus)
		sw_bus_free(d->bus);
	d->bus = NULL;
	dash_visits_end(d);
	if (d->http)
		sw_http_server_free(d->http);
	dash_auth_free(d);
	dash_store_close(d);
	dash_setup_put(d->setup);
	sw_health_free(d->health);
	if (d->meters.all)
		sw_metrics_free(d->meters.all);
	free(d->status);
	free((char *)(uintptr_t)d->state_dir);
	if (d->loop)
		sw_loop_free(d->loop);
}

int sw_dashboard_run(struct sw_config *cfg, const struct sw_dashboard_options *opt)
{
	struct sw_dashboard_options o = *opt;
	struct dash d = { .opt = &o, .recorder = { .fd = -1 } };
	struct sw_err err = SW_ERR_INIT;
	int r;

	o.grace = opt->grace > 0 ? opt->grace : 10 * SW_SECOND;
	o.version = opt->version ? opt->version : "unknown";
	o.commit = opt->commit ? opt->commit : "unknown";
	o.built = opt->built ? opt->built : "unknown";
	r = dash_begin(&d, cfg, &err);
	if (r == 0) {
		dash_recorder_begin(&d);
		sw_notify_ready(d.opt->notify_fd);
		dash_alive(&d);
		r = sw_loop_run(d.loop);
		SW_INFO(LOG, "stopped");
	} else {
		SW_ERROR(LOG, "cannot start: %s", err.text);
	}
	dash_fini(&d);
	return r;
}
