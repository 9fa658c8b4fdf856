/*
 * shipwatch up: everything on this machine. Starts in order, each when the one before is ready; ends in the other order.
 *
 *   (example service) ─▶ redis ─▶ gateway + worker (+ dashboard) ─▶ what to do next is printed, the demo's story begins
 *   SIGINT, SIGTERM: gateway ─▶ dashboard ─▶ worker ─▶ example service ─▶ redis
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <netdb.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/cli.h"
#include "cli/child.h"
#include "cli/demo.h"
#include "cli/options.h"
#include "cli/redis.h"
#include "cli/story.h"
#include "cli/talk.h"
#include "io/http_client.h"

#define LOG       "up"
#define STOP_ROLE (12 * SW_SECOND) /* the roles' own grace is 10 s */
#define STOP_REST (10 * SW_SECOND)
#define TICK      ((sw_dur)100)

struct up {
	struct sw_common c;
	const char *state_dir, *listen, *dash_listen /* NULL: no dashboard */, *messages;
	struct sw_arena a;
	struct sw_loop *loop;
	struct sw_config *cfg;         /* NULL: the demo's is not written yet */
	struct sw_private_redis redis;
	bool mended;             /* its file, at this start */
	struct sw_demo demo;
	struct sw_child gateway, worker, dashboard;
	struct sw_child *all[5];
	size_t n_all;
	struct sw_story *story;        /* NULL: nothing happens by itself */
	struct sw_http_client *client; /* demo: posts the good release */
	struct sw_job good;
	unsigned good_tries;
	struct sw_timer tick;
	int lock;
	off_t told;                    /* size of the messages when the demo's files were made */
	bool is_demo, still, is_private, terminal, roles_started, no_dashboard, printed, stopping;
	size_t stopped;                /* how many of all have been stopped */
	int code;
};

static void up_stop(struct up *u, int code);

/* ---- where things are ---- */

static int up_mkdirs(const char *path, struct sw_err *err)
{
	char text[4096];

	if (snprintf(text, sizeof text, "%s", path) >= (int)sizeof text)
		return sw_err_set(err, ENAMETOOLONG, "state directory: the path is too long");
	for (char *p = text + 1;; p++) {
		char kept = *p;

		if (kept && kept != '/')
			continue;
		*p = 0;
		if (mkdir(text, 0750) < 0 && errno != EEXIST)
			return sw_err_set(err, errno, "state directory %s: %s", text, strerror(errno));
		if (!kept)
			return 0;
		*p = kept;
	}
}

/* The option, the configuration, or a place of the user's; made, absolute, and ours alone. */
static int up_state_dir(struct up *u, struct sw_err *err)
{
	const char *dir = sw_cli_state_dir(u->state_dir, u->cfg, &u->a);
	char *real, *path;
	int r;

	r = up_mkdirs(dir, err);
	if (r < 0)
		return r;
	real = realpath(dir, NULL);
	if (!real)
		return sw_err_set(err, errno, "state directory %s: %s", dir, strerror(errno));
	u->state_dir = sw_arena_strdup(&u->a, real);
	free(real);
	r = up_mkdirs(sw_arena_printf(&u->a, "%s/log", u->state_dir), err);
	if (r < 0)
		return r;
	path = sw_arena_printf(&u->a, "%s/up.lock", u->state_dir);
	u->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (u->lock < 0)
		return sw_err_set(err, errno, "%s: %s", path, strerror(errno));
	if (flock(u->lock, LOCK_EX | LOCK_NB) < 0)
		return sw_err_set(err, EBUSY, "another \"shipwatch up\" works in %s", u->state_dir);
	return 0;
}

/* "host:0" becomes "host:39123": the configuration and what is printed need the number. Others stay as they are. */
static const char *up_port(struct up *u, const char *listen)
{
	const char *colon = strrchr(listen, ':');
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *ai = NULL;
	char host[128], serv[16];
	struct sockaddr_storage ss;
	socklen_t n = sizeof ss;
	const char *ret = listen;
	int fd;

	if (!colon || !sw_streq(colon, ":0") || sw_starts(listen, "unix:") || (size_t)(colon - listen) >= sizeof host)
		return listen;
	(void)snprintf(host, sizeof host, "%.*s", (int)(colon - listen), listen);
	if (getaddrinfo(host, "0", &hints, &ai) != 0)
		return listen;
	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && getsockname(fd, (struct sockaddr *)&ss, &n) == 0 &&
	    getnameinfo((struct sockaddr *)&ss, n, NULL, 0, serv, sizeof serv, NI_NUMERICSERV) == 0)
		ret = sw_arena_printf(&u->a, "%s:%s", host, serv);
	if (fd >= 0)
		(void)close(fd);
	freeaddrinfo(ai);
	return ret;
}

/* How one on this machine reaches it. */
static const char *up_reach(struct up *u, const char *listen)
{
	if (sw_starts(listen, "0.0.0.0:"))
		return sw_arena_printf(&u->a, "127.0.0.1:%s", listen + strlen("0.0.0.0:"));
	if (sw_starts(listen, "[::]:"))
		return sw_arena_printf(&u->a, "[::1]:%s", listen + strlen("[::]:"));
	return listen;
}

/* ---- what a person reads ---- */

static void up_say_hooks(const struct up *u, const char *reach)
{
	const char *base = u->cfg->hooks_url ? u->cfg->hooks_url : sw_starts(reach, "unix:") ? reach : NULL;

	for (size_t i = 0; i < u->cfg->n_sources; i++) {
		const struct sw_conf_source *s = &u->cfg->sources[i];
		bool report = sw_streq(s->kind, "report");

		(void)printf("  %-17s %s%s%s%s\n", report ? "CI reports to" : i == 0 ? "Post webhooks to" : "", base ? "" : "http://",
		             base ? base : reach, report ? "/ci-report" : "/hooks/", report ? "" : s->name);
	}
}

static void up_say(struct up *u)
{
	const char *reach = up_reach(u, u->listen);
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	(void)snprintf(self, sizeof self, "%.*s", n > 0 ? (int)n : 9, n > 0 ? sw_arena_strndup(&u->a, self, (size_t)n) : "shipwatch");
	(void)printf("\nShipwatch %s is running%s.\n\n", SW_VERSION, u->is_demo ? ", with a demo" : "");
	if (u->dash_listen && !u->no_dashboard)
		(void)printf("  %-17s %s%s%s\n", "Open", sw_starts(u->dash_listen, "unix:") ? "" : "http://", up_reach(u, u->dash_listen),
		             sw_starts(u->dash_listen, "unix:") ? "" : "/");
	up_say_hooks(u, reach);
	(void)printf("  %-17s %s\n  %-17s %s\n", "Configuration", u->c.config, "State and logs", u->state_dir);
	(void)printf("  %-17s %s status --state-dir %s\n", "Look inside with", self, u->state_dir);
	if (u->is_demo)
		(void)printf("%s\nBreak %s release, and see it told and taken back within a few seconds:\n\n"
		             "  curl -X POST 'http://127.0.0.1:%d/knobs?health=fail&version=1.5.0' --next \\\n"
		             "    -H @'%s/headers' --data @'%s/bad-release.json' \\\n    http://%s/hooks/gitlab\n\n"
		             "The same in short: %s/demo.sh\n"
		             "Why it did that, where status names the WATCH:\n  %s explain WATCH --state-dir %s\n"
		             "After three rollbacks in ten minutes all further ones are held; this lets them go on:\n"
		             "  %s release --state-dir %s\n",
		             u->still ? "" : "\nA good release is out. In 20 seconds a bad one follows: what it does, who is told and how it is taken back is on the first page,\n"
		                             "what the chats show below \"Inbox\". Messages come into this terminal, too.\n",
		             u->still ? "a" : "another", u->demo.port, u->demo.dir, u->demo.dir, reach, u->demo.dir, self, u->state_dir, self, u->state_dir);
	(void)printf("\nCtrl-C ends everything; the next start goes on from here.\n\n");
	(void)fflush(stdout);
}

/* ---- ends ---- */

static void up_stop_next(struct up *u)
{
	if (u->stopped == u->n_all) {
		sw_loop_stop(u->loop);
		return;
	}
	sw_child_stop(u->all[u->stopped], sw_streq(u->all[u->stopped]->argv[0], "/proc/self/exe") ? STOP_ROLE : STOP_REST);
}

static void up_child_stopped(void *arg, struct sw_child *c)
{
	struct up *u = arg;

	SW_DEBUG(LOG, "%s ended", c->name);
	u->stopped++;
	up_stop_next(u);
}

/* Everything, in order; code is the exit code. A second time: at once. */
static void up_stop(struct up *u, int code)
{
	if (u->stopping) {
		for (size_t i = 0; i < u->n_all; i++)
			if (u->all[i]->pid)
				(void)kill(u->all[i]->pid, SIGKILL);
		return;
	}
	u->stopping = true;
	u->code = code;
	sw_timer_stop(&u->tick);
	for (size_t i = 0; i < u->n_all; i++)
		u->all[i]->stopping = true; /* none is started again meanwhile */
	up_stop_next(u);
}

static void up_signal(void *arg)
{
	struct up *u = arg;

	if (u->stopping)
		SW_WARN(LOG, "asked again: ending at once");
	else
		SW_INFO(LOG, "ending: what is in hand is finished first");
	up_stop(u, 0);
}

/* A closed terminal ends it as Ctrl-C does; without one it means: read the configuration again. */
static void up_hangup(void *arg)
{
	struct up *u = arg;
	struct sw_child *const roles[] = { &u->gateway, &u->worker, &u->dashboard };

	if (u->is_demo || u->terminal) {
		up_signal(u);
		return;
	}
	SW_INFO(LOG, "SIGHUP goes on to the roles");
	for (size_t i = 0; i < SW_COUNT(roles); i++)
		if (roles[i]->pid && roles[i]->ready)
			(void)kill(roles[i]->pid, SIGHUP);
}

static void up_sigchld(void *arg)
{
	struct up *u = arg;

	sw_child_reap(u->all, u->n_all);
}

/* The last line of its log says why it did not start. */
static void up_failed_say(struct up *u, struct sw_child *c, const char *then)
{
	char ended[32], text[2048] = "";
	FILE *f = c->log ? fopen(c->log, "re") : NULL;
	struct sw_jnode *json;
	const char *line;
	size_t n = 0, at;

	if (f) {
		if (fseek(f, -(long)(sizeof text - 1), SEEK_END) != 0)
			rewind(f);
		n = fread(text, 1, sizeof text - 1, f);
		(void)fclose(f);
	}
	while (n > 0 && text[n - 1] == '\n')
		n--;
	text[n] = 0;
	for (at = n; at > 0 && text[at - 1] != '\n';)
		at--;
	line = text + at;
	if (sw_jtree_parse(&u->a, line, strlen(line), 100, &json, NULL) == 0 && sw_jstr(json, "msg"))
		line = sw_jstr(json, "msg");
	SW_ERROR(LOG, "%s did not start (%s)%s%s%s", c->name, sw_child_ended(c, ended, sizeof ended), n ? ": " : "", line, then);
}

static void up_child_failed(void *arg, struct sw_child *c)
{
	up_failed_say(arg, c, "");
	up_stop(arg, SW_EXIT_WRONG);
}

/* What is torn is mended. Whether it can be started (again); else all ends. */
static bool up_redis_may(struct up *u, bool must)
{
	struct sw_err why = SW_ERR_INIT;
	enum sw_redis_end end = sw_private_redis_why(&u->redis, &why);

	if (end == SW_REDIS_TORN) {
		SW_WARN(LOG, "%s; it is cut off", why.text);
		if (sw_private_redis_mend(&u->redis, &why) == 0)
			return true;
	} else if (end == SW_REDIS_ENDED && !must) {
		return true;
	}
	SW_ERROR(LOG, "%s", why.text);
	up_stop(u, SW_EXIT_WRONG);
	return false;
}

static void up_redis_failed(void *arg, struct sw_child *c)
{
	struct up *u = arg;
	int r = -EBADMSG;

	if (!up_redis_may(u, true))
		return;
	if (!u->mended) /* once: it is there to be started then */
		r = sw_child_start(c);
	u->mended = true;
	if (r == 0)
		return;
	SW_ERROR(LOG, "redis-server: %s", strerror(-r));
	up_stop(u, SW_EXIT_WRONG);
}

/* Later it is started again, unless that is in vain. */
static void up_redis_died(void *arg, struct sw_child *c)
{
	struct up *u = arg;

	(void)c;
	(void)up_redis_may(u, false);
}

/* ---- the way up ---- */

static void up_good_done(void *arg, const struct sw_result *res)
{
	struct up *u = arg;

	if (res->fault == SW_FAULT_NONE && res->status < 300)
		return;
	if (u->good_tries++ < 20 && !u->stopping)
		(void)sw_http_client_do(u->client, &u->good, up_good_done, u);
	else if (!u->stopping)
		SW_WARN(LOG, "the demo's first release was not taken: %s", res->detail ? res->detail : "refused");
}

static void up_role_ready(void *arg)
{
	struct up *u = arg;
	struct sw_err err = SW_ERR_INIT;
	struct stat st;

	if (u->printed || !u->gateway.ready || !u->worker.ready || (u->dash_listen && !u->dashboard.ready && !u->no_dashboard))
		return;
	u->printed = true;
	if (u->is_demo && sw_http_client_new(u->loop, NULL, &u->client, &err) == 0) {
		sw_demo_good(&u->demo, &u->good);
		(void)sw_http_client_do(u->client, &u->good, up_good_done, u);
		if (!u->still)
			u->story = sw_story_new(u->loop, &u->demo, u->client);
	}
	if (u->is_demo && sw_demo_fresh(&u->demo, &err) < 0)
		SW_WARN(LOG, "%s", err.text);
	if (stat(u->messages, &st) == 0)
		u->told = st.st_size; /* messages of an earlier start are not about this release */
	up_say(u);
}

/* Nothing of the rest needs it; in the demo it is what there is to see. */
static void up_dashboard_failed(void *arg, struct sw_child *c)
{
	struct up *u = arg;

	if (u->is_demo) {
		up_child_failed(u, c);
		return;
	}
	up_failed_say(u, c, "; going on without it");
	u->no_dashboard = true;
	up_role_ready(u);
}

static void up_role(struct up *u, struct sw_child *c, const char *name)
{
	const char *format = sw_opt_formats[u->c.format], *level = sw_opt_levels[u->c.level];
	const char *words[] = {
		"/proc/self/exe", name, "-c", u->c.config, "--state-dir", u->state_dir, "--log-format", format, "--log-level", level,
	};

	sw_child_init(c, u->loop, name);
	for (size_t i = 0; i < SW_COUNT(words); i++)
		sw_child_arg(c, words[i]);
	if (u->is_private || u->c.redis_url) {
		sw_child_arg(c, "--redis");
		sw_child_arg(c, u->is_private ? u->redis.url : u->c.redis_url);
	}
	if (u->is_demo)
		c->log = sw_arena_printf(&u->a, "%s/log/%s.log", u->state_dir, name);
	c->notifies = true;
	c->on_ready = up_role_ready;
	c->on_failed = up_child_failed;
	c->on_stopped = up_child_stopped;
	c->arg = u;
}

static void up_start_roles(void *arg)
{
	struct up *u = arg;
	size_t n;
	int r = 0;

	if (u->roles_started || u->stopping) /* a Redis that came back: the roles find it by themselves */
		return;
	u->roles_started = true;
	up_role(u, &u->gateway, "gateway");
	sw_child_arg(&u->gateway, "--listen");
	sw_child_arg(&u->gateway, u->listen);
	up_role(u, &u->worker, "worker");
	if (u->dash_listen) {
		up_role(u, &u->dashboard, "dashboard");
		u->dashboard.on_failed = up_dashboard_failed;
		sw_child_arg(&u->dashboard, "--listen");
		sw_child_arg(&u->dashboard, u->dash_listen);
	}
	/* in the order in which they end */
	n = u->dash_listen ? 3 : 2;
	memmove(u->all + n, u->all, u->n_all * sizeof *u->all);
	u->all[0] = &u->gateway;
	u->all[1] = &u->dashboard;
	u->all[n - 1] = &u->worker;
	u->n_all += n;
	for (size_t i = n; i-- > 0 && r == 0;)
		r = sw_child_start(u->all[i]);
	if (r < 0) {
		SW_ERROR(LOG, "cannot start a process: %s", strerror(-r));
		up_stop(u, SW_EXIT_WRONG);
	}
}

static int up_start_redis(struct up *u, struct sw_err *err)
{
	if (!u->is_private) {
		up_start_roles(u);
		return 0;
	}
	u->redis.child.on_ready = up_start_roles;
	u->redis.child.on_failed = up_redis_failed;
	u->redis.child.on_died = up_redis_died;
	u->redis.child.on_stopped = up_child_stopped;
	u->redis.child.arg = u;
	u->all[u->n_all++] = &u->redis.child;
	return sw_private_redis_start(&u->redis, err);
}

/* The service listens: now the configuration can name its port. */
static int up_demo_go(struct up *u, struct sw_err *err)
{
	int r = sw_demo_write(&u->demo, u->listen, u->dash_listen, err);

	sw_child_ready(&u->demo.service);
	if (r < 0)
		return r;
	u->c.config = u->demo.config;
	u->demo.gateway = up_reach(u, u->listen);
	u->cfg = sw_cli_config(u->demo.config, NULL, false);
	if (!u->cfg)
		return sw_err_set(err, EINVAL, "the demo's own configuration %s is wrong", u->demo.config);
	return up_start_redis(u, err);
}

/* Waits for the port of the example service; later gives the curl command a new release number when the old one was used. */
static void up_tick(void *arg)
{
	struct up *u = arg;
	struct sw_err err = SW_ERR_INIT;
	struct stat st;
	bool fresh;

	sw_timer_set(&u->tick, u->printed ? SW_SECOND : TICK);
	if (!u->demo.port) {
		if (sw_demo_port(&u->demo) && up_demo_go(u, &err) < 0) {
			SW_ERROR(LOG, "%s", err.text);
			up_stop(u, SW_EXIT_WRONG);
		}
		return;
	}
	fresh = u->printed && stat(u->messages, &st) == 0 && st.st_size != u->told;
	if (!fresh)
		return;
	u->told = st.st_size;
	if (sw_demo_fresh(&u->demo, &err) < 0)
		SW_WARN(LOG, "%s", err.text);
}

static int up_begin(struct up *u, struct sw_err *err)
{
	int r = 0;

	u->messages = sw_arena_printf(&u->a, "%s/messages.ndjson", u->state_dir);
	if (u->is_private)
		r = sw_private_redis_init(&u->redis, u->loop, u->state_dir, &u->a, err);
	if (r < 0)
		return r;
	if (!u->is_demo)
		return up_start_redis(u, err);
	r = sw_demo_init(&u->demo, u->loop, u->state_dir, &u->a, err);
	if (r < 0)
		return r;
	u->demo.service.on_failed = up_child_failed;
	u->demo.service.on_stopped = up_child_stopped;
	u->demo.service.arg = u;
	u->all[u->n_all++] = &u->demo.service;
	r = sw_child_start(&u->demo.service);
	if (r < 0)
		return sw_err_set(err, -r, "%s: %s", u->demo.program, strerror(-r));
	sw_timer_init(&u->tick, u->loop, up_tick, u);
	sw_timer_set(&u->tick, TICK);
	return 0;
}

static int up_run(struct up *u)
{
	struct sw_err err = SW_ERR_INIT;
	int r = sw_loop_new(&u->loop);

	if (r == 0)
		r = sw_loop_signal(u->loop, SIGCHLD, up_sigchld, u);
	if (r == 0)
		r = sw_loop_signal(u->loop, SIGINT, up_signal, u);
	if (r == 0)
		r = sw_loop_signal(u->loop, SIGTERM, up_signal, u);
	if (r == 0)
		r = sw_loop_signal(u->loop, SIGHUP, up_hangup, u);
	if (r < 0)
		return sw_err_set(&err, -r, "%s", strerror(-r));
	r = up_begin(u, &err);
	if (r < 0) {
		SW_ERROR(LOG, "%s", err.text);
		up_stop(u, SW_EXIT_WRONG);
	}
	return sw_loop_run(u->loop);
}

static void up_fini(struct up *u)
{
	sw_timer_stop(&u->tick);
	sw_story_free(u->story);
	sw_http_client_free(u->client);
	if (u->is_private)
		sw_private_redis_fini(&u->redis);
	if (u->loop)
		sw_loop_free(u->loop);
	if (u->cfg)
		sw_config_put(u->cfg);
	if (u->lock >= 0)
		(void)close(u->lock);
	sw_arena_fini(&u->a);
}

int sw_cli_up(int argc, char **argv)
{
	static const struct sw_usage usage = {
		"up [-c FILE] [--state-dir DIR] [OPTIONS]",
		"Everything on this machine: gateway, worker, the dashboard where the configuration has one, and, unless it names one, a private Redis.\n"
		"Without a file: a demo with the example service, in which a release goes bad. Ctrl-C ends it all.\n",
		NULL, 0, 0,
	};
	struct up u = { .c = { .level = SW_LOG_INFO, .format = SW_LOG_JSON }, .lock = -1 };
	const struct sw_opt opts[] = {
		SW_OPT_CONFIG(&u.c), SW_OPT_REDIS(&u.c),
		{ "state-dir", 0, SW_OPT_TEXT, &u.state_dir, "DIR", "$XDG_STATE_HOME/shipwatch or var/shipwatch unless said" },
		{ "listen", 0, SW_OPT_TEXT, &u.listen, "ADDRESS", "of the gateway, instead of the configuration's (demo: 127.0.0.1:8080)" },
		{ "dashboard", 0, SW_OPT_TEXT, &u.dash_listen, "ADDRESS", "of the dashboard, instead of the configuration's (demo: 127.0.0.1:8081); without either there is none" },
		{ "still", 0, SW_OPT_FLAG, &u.still, NULL, "in the demo nothing happens by itself" },
		SW_OPT_LOG(&u.c), { 0 },
	};
	struct sw_err err = SW_ERR_INIT;
	int r;

	if (sw_options_read(&usage, opts, argc, argv, &r) < 0)
		return r;
	u.is_demo = !u.c.config;
	u.terminal = isatty(0) || isatty(1);
	sw_log_setup(u.is_demo ? SW_LOG_INFO : (enum sw_log_level)u.c.level, u.is_demo ? SW_LOG_TEXT : (enum sw_log_format)u.c.format, 2);
	u.cfg = u.is_demo ? NULL : sw_cli_config(u.c.config, NULL, false);
	if (!u.is_demo && !u.cfg)
		return SW_EXIT_WRONG;
	if (!u.listen)
		u.listen = u.is_demo ? "127.0.0.1:8080" : u.cfg->gateway.listen;
	u.listen = up_port(&u, u.listen);
	if (!u.dash_listen)
		u.dash_listen = u.is_demo ? "127.0.0.1:8081" : u.cfg->dashboard.set ? u.cfg->dashboard.listen : NULL;
	if (u.dash_listen)
		u.dash_listen = up_port(&u, u.dash_listen);
	u.is_private = !u.c.redis_url && (!u.cfg || !u.cfg->redis_url);
	if (up_state_dir(&u, &err) < 0) {
		SW_ERROR(LOG, "%s", err.text);
		u.code = SW_EXIT_WRONG;
	} else if (up_run(&u) < 0) {
		u.code = SW_EXIT_WRONG;
	}
	up_fini(&u);
	return u.code;
}
