/*
 * The gateway's parent: opens the sockets, starts one child a core, starts them again when they die, hands signals on.
 *
 * The sockets are the parent's, so that connections waiting for a child that died are taken by its successor. It reads nothing
 * from anybody and so outlives whatever a child dies of. Children get SIGTERM when the parent is gone.
 */
#include "gateway/gateway.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/hmac.h"
#include "base/str.h"
#include "gateway/inner.h"
#include "io/listen.h"
#include "io/notify.h"
#include "plugins.h"
#include "shipwatch/clock.h"
#include "shipwatch/log.h"
#include "shipwatch/mem.h"

#define LOG "gateway"

enum { BACKOFF_LEAST = 100, BACKOFF_MOST = 5000, LIVED_LONG = 10000, KILL_AFTER = 3000, BIND_TRIES = 60, BIND_EVERY = 50 /* ms */ };

struct child { pid_t pid; int listen_fd; sw_dur started, again, backoff; char name[128]; };

struct parent {
	struct sw_config *cfg;
	struct sw_gateway_options opt;
	struct sw_gateway_meters meters;
	struct child children[GATEWAY_PROCESSES];
	unsigned n;
	const char *state_dir;       /* NULL: no spool */
	sigset_t signals, before;
	int ready[2];                /* a child writes a byte when it listens */
	unsigned n_ready;
	sw_dur stop_at;              /* 0: not stopping */
	sw_dur alive_every, alive_at; /* a sign of life for whoever started us; 0: not wanted */
	bool failed;                 /* a child could not even start: its reason holds for all and is told */
};

static void sleep_ms(long ms)
{
	(void)nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

/* A gateway killed a moment ago may still have a child that answers; it goes by itself. */
static int parent_listen(const char *address, unsigned n, int *fds, struct sw_err *err)
{
	int r = sw_listen(address, n, fds, err);

	for (int i = 0; r == -EADDRINUSE && i < BIND_TRIES; i++) {
		sleep_ms(BIND_EVERY);
		r = sw_listen(address, n, fds, err);
	}
	return r;
}

/* The gateway's own name, for ever the same: the spool's place in Redis hangs on it. */
static void parent_identity(const char *state_dir, char out[64])
{
	unsigned char random[4];
	char host[40] = "", path[4096], text[16] = "";
	ssize_t k = -1;
	int fd;

	(void)gethostname(host, sizeof host - 1);
	for (char *p = host; *p; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '.'))
			*p = '-';
	sw_random(random, sizeof random);
	(void)snprintf(text, sizeof text, "%02x%02x%02x%02x", random[0], random[1], random[2], random[3]);
	if (state_dir) {
		(void)snprintf(path, sizeof path, "%s/gateway.id", state_dir);
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd >= 0) {
			char kept[16] = "";

			k = read(fd, kept, 8);
			if (k == 8 && strspn(kept, "0123456789abcdef") == 8)
				memcpy(text, kept, 8);
			else if (pwrite(fd, text, 8, 0) != 8 || fsync(fd) < 0)
				SW_WARN(LOG, "%s: %s; the spool may be drained from its start", path, strerror(errno));
			(void)close(fd);
		}
	}
	(void)snprintf(out, 64, "%s-%s", host, text);
}

static int parent_state_dir(struct parent *p)
{
	const char *dir = p->cfg->state_dir ? p->cfg->state_dir : p->opt.state_dir;

	if (!dir) {
		SW_WARN(LOG, "no state_dir: no spool, deliveries are refused while Redis is away");
		return 0;
	}
	if (mkdir(dir, 0700) < 0 && errno != EEXIST) {
		int r = -errno;

		SW_ERROR(LOG, "state_dir %s: %s", dir, strerror(errno));
		return r;
	}
	p->state_dir = dir;
	return 0;
}

static int child_main(struct parent *p, unsigned k, pid_t parent)
{
	struct child_start start = {
		.index = k, .processes = p->n, .listen_fd = p->children[k].listen_fd, .ready_fd = p->ready[1],
		.name = p->children[k].name, .state_dir = p->state_dir,
	};

	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	(void)prctl(PR_SET_DUMPABLE, 0);
	if (getppid() != parent)
		return 0;
	(void)close(p->ready[0]);
	for (unsigned i = 0; i < p->n; i++)
		if (i != k)
			(void)close(p->children[i].listen_fd);
	(void)sigprocmask(SIG_SETMASK, &p->before, NULL);
	return sw_gateway_child(p->cfg, &p->opt, &p->meters, &start);
}

static void parent_spawn(struct parent *p, unsigned k)
{
	struct child *c = &p->children[k];
	pid_t self = getpid(), pid = fork();

	c->started = sw_clock_mono();
	if (pid == 0)
		_exit(child_main(p, k, self));
	if (pid < 0) {
		SW_ERROR(LOG, "fork: %s, trying again", strerror(errno));
		c->again = c->started + BACKOFF_MOST;
		return;
	}
	c->pid = pid;
	c->again = 0;
}

static void parent_reaped(struct parent *p, pid_t pid, int status)
{
	struct child *c = NULL;
	sw_dur now = sw_clock_mono();

	for (unsigned i = 0; i < p->n; i++)
		if (p->children[i].pid == pid)
			c = &p->children[i];
	if (!c)
		return;
	c->pid = 0;
	if (p->n_ready < p->n && WIFEXITED(status) && WEXITSTATUS(status) == 1)
		p->failed = true;
	if (p->stop_at || p->failed)
		return;
	c->backoff = now - c->started > LIVED_LONG ? BACKOFF_LEAST : SW_MIN(SW_MAX(2 * c->backoff, BACKOFF_LEAST), BACKOFF_MOST);
	c->again = now + c->backoff;
	sw_metric_add(p->meters.restarts, NULL, 1);
	SW_ERROR(LOG, "process %ld %s %d, starting it again in %lld ms", (long)pid, WIFSIGNALED(status) ? "died of signal" : "ended with",
	         WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), (long long)c->backoff);
}

static void parent_kill(const struct parent *p, int signo)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->children[i].pid > 0)
			(void)kill(p->children[i].pid, signo);
}

/* All of it or nothing: the children are told only when it is good. */
static void parent_reload(struct parent *p)
{
	struct sw_plugins plugins = { sw_sources, sw_signals, sw_channels, sw_actions };
	struct sw_config *cfg = NULL;
	struct sw_arena a = { 0 };
	struct sw_diags d;

	if (!p->opt.config_path)
		return;
	sw_diags_init(&d, &a);
	if (sw_config_load(p->opt.config_path, &plugins, &sw_yenv_process, &cfg, &d) < 0) {
		for (const struct sw_diag *one = d.first; one; one = one->next)
			if (!one->warning)
				SW_ERROR(LOG, "%s", one->text);
		SW_ERROR(LOG, "the new configuration has %u mistakes; going on with the old one", d.errors);
	} else {
		if (!sw_streq(cfg->gateway.listen, p->cfg->gateway.listen) || cfg->gateway.workers != p->cfg->gateway.workers ||
		    !sw_streq(cfg->redis_url, p->cfg->redis_url) || !sw_streq(cfg->state_dir, p->cfg->state_dir))
			SW_WARN(LOG, "listen, workers, redis and state_dir change only by a restart");
		SW_INFO(LOG, "configuration read again");
		/* What a child is started with from now on; what hangs on a restart has its texts in the caller's. */
		sw_config_put(p->cfg);
		p->cfg = cfg;
		parent_kill(p, SIGHUP);
	}
	sw_arena_fini(&a);
}

static void parent_stop(struct parent *p)
{
	if (p->stop_at)
		return;
	SW_INFO(LOG, "stopping");
	sw_notify("STOPPING=1");
	p->stop_at = sw_clock_mono() + p->opt.grace + KILL_AFTER;
	for (unsigned i = 0; i < p->n; i++)
		p->children[i].again = 0;
	parent_kill(p, SIGTERM);
}

static unsigned parent_alive(const struct parent *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->n; i++)
		n += p->children[i].pid > 0;
	return n;
}

static void parent_ready_bytes(struct parent *p)
{
	struct pollfd pfd = { .fd = p->ready[0], .events = POLLIN };
	char bytes[GATEWAY_PROCESSES];
	ssize_t k;

	if (p->n_ready >= p->n || poll(&pfd, 1, 0) <= 0)
		return;
	k = read(p->ready[0], bytes, sizeof bytes);
	if (k <= 0)
		return;
	p->n_ready += (unsigned)k;
	if (p->n_ready >= p->n) {
		char at[160];

		sw_listen_name(p->children[0].listen_fd, at, sizeof at);
		SW_INFO(LOG, "listening on %s with %u processes", at, p->n);
		sw_notify_ready(p->opt.notify_fd);
		p->alive_at = p->alive_every ? sw_clock_mono() + p->alive_every : 0;
	}
}

/* How long there is nothing to do but to wait for a signal. */
static sw_dur parent_wait(const struct parent *p, sw_dur now)
{
	sw_dur until = p->stop_at ? p->stop_at : now + SW_HOUR;

	if (p->n_ready < p->n)
		until = SW_MIN(until, now + 5);
	if (p->alive_at)
		until = SW_MIN(until, p->alive_at);
	for (unsigned i = 0; i < p->n; i++)
		if (p->children[i].again)
			until = SW_MIN(until, p->children[i].again);
	return SW_MAX(until - now, 0);
}

static void parent_run(struct parent *p)
{
	while (!p->stop_at || parent_alive(p)) {
		sw_dur now = sw_clock_mono(), wait = parent_wait(p, now);
		struct timespec ts = { (time_t)(wait / 1000), (long)(wait % 1000) * 1000000 };
		int signo = sigtimedwait(&p->signals, NULL, &ts), status;
		pid_t pid;

		if (signo == SIGTERM || signo == SIGINT)
			parent_stop(p);
		else if (signo == SIGHUP && !p->stop_at)
			parent_reload(p);
		/* Only children of ours: a caller may have others. */
		for (unsigned i = 0; i < p->n; i++)
			if (p->children[i].pid > 0 && (pid = waitpid(p->children[i].pid, &status, WNOHANG)) > 0)
				parent_reaped(p, pid, status);
		parent_ready_bytes(p);
		now = sw_clock_mono();
		if (p->alive_at && now >= p->alive_at) {
			sw_notify("WATCHDOG=1");
			p->alive_at = now + p->alive_every;
		}
		if (p->failed)
			parent_stop(p);
		if (p->stop_at && now >= p->stop_at)
			parent_kill(p, SIGKILL);
		for (unsigned i = 0; i < p->n && !p->stop_at; i++)
			if (p->children[i].again && now >= p->children[i].again)
				parent_spawn(p, i);
	}
}

static unsigned parent_processes(const struct parent *p)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	int64_t n = p->opt.processes ? (int64_t)p->opt.processes : p->cfg->gateway.workers;

	if (n <= 0)
		n = cores > 0 ? cores : 1;
	return (unsigned)SW_MIN(n, (int64_t)GATEWAY_PROCESSES);
}

static int parent_begin(struct parent *p)
{
	const char *address = p->opt.listen ? p->opt.listen : p->cfg->gateway.listen;
	struct sw_err err = SW_ERR_INIT;
	int fds[GATEWAY_PROCESSES], r;
	char name[64];

	p->n = parent_processes(p);
	if (!p->opt.redis_url) {
		SW_ERROR(LOG, "no Redis: redis: {url: …} says which (`shipwatch up` runs a private one)");
		return -EINVAL;
	}
	r = parent_state_dir(p);
	if (r < 0)
		return r;
	r = parent_listen(address, p->n, fds, &err);
	if (r < 0) {
		SW_ERROR(LOG, "%s", err.text);
		return r;
	}
	r = sw_gateway_meters_new(p->n, &p->opt, &p->meters);
	if (r < 0 || pipe2(p->ready, O_CLOEXEC | O_NONBLOCK) < 0) {
		SW_ERROR(LOG, "cannot start: %s", strerror(r < 0 ? -r : errno));
		return r < 0 ? r : -errno;
	}
	parent_identity(p->state_dir, name);
	for (unsigned i = 0; i < p->n; i++) {
		p->children[i].listen_fd = fds[i];
		(void)snprintf(p->children[i].name, sizeof p->children[i].name, "%s-%u", name, i);
	}
	return 0;
}

int sw_gateway_run(struct sw_config *cfg, const struct sw_gateway_options *opt)
{
	struct parent *p = sw_calloc(1, sizeof *p);
	static const int handled[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD };
	int r;

	p->cfg = sw_config_get(cfg);
	p->opt = *opt;
	p->opt.redis_url = opt->redis_url ? opt->redis_url : cfg->redis_url;
	p->alive_every = sw_notify_watchdog();
	p->opt.grace = opt->grace > 0 ? opt->grace : 10 * SW_SECOND;
	p->opt.version = opt->version ? opt->version : "unknown";
	p->opt.commit = opt->commit ? opt->commit : "unknown";
	p->opt.built = opt->built ? opt->built : "unknown";
	(void)sigemptyset(&p->signals);
	for (size_t i = 0; i < SW_COUNT(handled); i++)
		(void)sigaddset(&p->signals, handled[i]);
	r = parent_begin(p);
	if (r < 0) {
		sw_config_put(p->cfg);
		free(p);
		return r;
	}
	(void)sigprocmask(SIG_BLOCK, &p->signals, &p->before);
	for (unsigned i = 0; i < p->n; i++)
		parent_spawn(p, i);
	parent_run(p);
	SW_INFO(LOG, "stopped");
	(void)sigprocmask(SIG_SETMASK, &p->before, NULL);
	for (unsigned i = 0; i < p->n; i++)
		(void)close(p->children[i].listen_fd);
	(void)close(p->ready[0]);
	(void)close(p->ready[1]);
	sw_metrics_free(p->meters.all);
	sw_config_put(p->cfg);
	r = p->failed ? -EINVAL : 0;
	free(p);
	return r;
}
