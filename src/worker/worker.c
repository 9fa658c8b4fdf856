/*
 * The worker's process: start, signals, housekeeping, the end.
 *
 * Housekeeping (sw_bus_tick) runs every 2 s, or at the next due timer when that is earlier: the tick tells it, and a commit that
 * sets an earlier one wakes us by itself. Nothing is polled.
 */
#include "worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hmac.h"
#include "base/str.h"
#include "io/notify.h"
#include "shipwatch/clock.h"
#include "worker/inner.h"

#define LOG "worker"
#define TICK_EVERY  (2 * SW_SECOND)
#define READ_COUNT  64
#define WINDOW      256              /* entries in hand at once */
#define IOS_MAX     1000
#define NOTE_MAX    (8 << 20)
#define GRACE       (10 * SW_SECOND)
#define CAREFUL     (10 * SW_MINUTE) /* after a worker went silent */

static const struct sw_plugins worker_plugins = { sw_sources, sw_signals, sw_channels, sw_actions };

/* ---- small things others use ---- */

bool sw_place_of_aggregate(struct sw_arena *a, const char *aggregate, const char **service, const char **environment)
{
	const char *p, *slash;

	if (!sw_starts(aggregate, "place:"))
		return false;
	p = aggregate + strlen("place:");
	slash = strchr(p, '/');
	if (!slash)
		return false;
	*service = sw_arena_strndup(a, p, (size_t)(slash - p));
	*environment = sw_arena_strdup(a, slash + 1);
	return true;
}

void sw_ids_of_aggregate(struct sw_arena *a, const char *aggregate, struct sw_log_ids *ids)
{
	(void)sw_place_of_aggregate(a, aggregate, &ids->service, &ids->environment);
}

void sw_worker_note(struct worker *w, const char *file, const char *p, size_t n)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf path = SW_BUF_INIT;
	SW_CLEANUP(sw_buf_fini) struct sw_buf old = SW_BUF_INIT;
	struct stat st;
	int fd;

	if (!w->state_dir)
		return;
	sw_buf_printf(&path, "%s/%s", w->state_dir, file);
	if (stat(sw_buf_str(&path), &st) == 0 && st.st_size > NOTE_MAX) {
		sw_buf_printf(&old, "%s.1", sw_buf_str(&path));
		(void)rename(sw_buf_str(&path), sw_buf_str(&old));
	}
	fd = open(sw_buf_str(&path), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (fd < 0 || write(fd, p, n) != (ssize_t)n) /* one write: lines of two workers do not mix */
		SW_WARN(LOG, "%s: %s, a message is not kept there", sw_buf_str(&path), strerror(errno));
	if (fd >= 0)
		(void)close(fd);
}

/* ---- the end ---- */

static void worker_settle(struct worker *w)
{
	if (w->stopping && !w->reading && w->in_flight == 0 && w->ios == 0)
		sw_loop_stop(w->loop);
}

static void worker_late(void *arg)
{
	struct worker *w = arg;

	SW_WARN(LOG, "%zu entries and %zu requests were not finished in time; another worker takes the entries over", w->in_flight, w->ios);
	sw_loop_stop(w->loop);
}

static void worker_stop(void *arg)
{
	struct worker *w = arg;

	if (w->stopping) {
		sw_loop_stop(w->loop);
		return;
	}
	SW_INFO(LOG, "stopping: %zu entries and %zu requests in hand", w->in_flight, w->ios);
	sw_notify("STOPPING=1");
	w->stopping = true;
	sw_bus_read_end(w->bus);
	sw_timer_stop(&w->tick);
	sw_timer_stop(&w->beat);
	sw_timer_stop(&w->minute);
	sw_timer_set(&w->deadline, w->opt->grace ? w->opt->grace : GRACE);
	worker_settle(w);
}

/* ---- reading ---- */

static void worker_more(void *arg)
{
	struct worker *w = arg;

	if (w->stopping) {
		worker_settle(w);
		return;
	}
	if (!w->owed || w->in_flight >= WINDOW || w->ios >= IOS_MAX)
		return;
	w->owed = false;
	sw_bus_read_more(w->bus);
}

/* At the end of the turn, so that what a whole batch of answers sets free is asked for once. */
void sw_worker_more(struct worker *w)
{
	sw_loop_defer(w->loop, &w->more);
}

void sw_worker_settled(struct worker *w)
{
	w->ios--;
	sw_worker_more(w);
}

static void worker_read(void *arg, const struct sw_entry *entries, size_t n)
{
	struct worker *w = arg;

	if (!n)
		w->reading = false; /* all that was given to us is in hand */
	w->owed = n > 0;
	for (size_t i = 0; i < n; i++) {
		if (entries[i].stream == SW_STREAM_WORK)
			sw_stepper_add(w, &entries[i]);
		else
			sw_intake_add(w, &entries[i]);
	}
	sw_stepper_go(w);
	sw_worker_more(w);
}

/* ---- housekeeping ---- */

static void worker_tick(void *arg);

static void worker_tick_in(struct worker *w, sw_dur after)
{
	w->tick_at = sw_clock_mono() + after;
	sw_timer_set(&w->tick, after);
}

void sw_worker_wake_at(struct worker *w, sw_ms due)
{
	sw_ms now = sw_bus_now(w->bus);
	sw_dur after = SW_MAX(due - now, (sw_ms)0) + 1;

	if (w->stopping || !now || after >= TICK_EVERY)
		return;
	if (w->ticking)
		w->woke_at = w->woke_at ? SW_MIN(w->woke_at, due) : due;
	else if (sw_clock_mono() + after < w->tick_at)
		worker_tick_in(w, after);
}

static void worker_ready(struct worker *w)
{
	w->ready_told = true;
	SW_INFO(LOG, "ready: consumer %s, %zu places, %zu rules", w->consumer, w->setup->cfg->places.n, w->setup->rules->n);
	sw_notify_ready(w->opt->notify_fd);
}

/* A sign of life for whoever started us: that the loop turns. */
static void worker_alive(void *arg)
{
	struct worker *w = arg;
	sw_dur every = sw_notify_watchdog();

	if (!every)
		return;
	sw_notify("WATCHDOG=1");
	sw_timer_set(&w->alive, every);
}

static void worker_watchful(struct worker *w, const struct sw_tick *t)
{
	if (t->gone)
		w->careful_until = sw_clock_mono() + CAREFUL;
	if (t->held != w->held)
		SW_WARN(LOG, "%s", t->held ? "everything is on hold: no action starts until `shipwatch release`" : "the hold is over");
	w->held = t->held;
	if (t->rewound && !w->rewound)
		SW_ERROR(LOG, "Redis went back in time (restored, failed over or flushed): everything is on hold, open actions are unknown; "
		         "see `shipwatch status`, then `shipwatch release`");
	w->rewound = t->rewound;
}

/* Each change is told once: that Redis may lose what it took, and that it takes nothing though it is there. */
static void worker_redis(struct worker *w, int r)
{
	const char *weak = sw_bus_weakness(w->bus);
	const struct sw_bus_info *info = sw_bus_info(w->bus);

	if (weak && weak != w->weak)
		SW_WARN(LOG, "%s: decisions may be lost with it", weak);
	else if (!weak && w->weak)
		SW_INFO(LOG, "Redis keeps what it takes again");
	w->weak = weak;
	if (r == -EIO || r == -ENOTCONN || r == -EAGAIN || r == -EROFS || r == w->tick_r)
		return; /* the connection is told about elsewhere */
	if (r < 0)
		SW_ERROR(LOG, "Redis refuses the worker's housekeeping: %s; nothing is decided until it takes it again",
		         info && info->maxmemory > 0 && info->used_memory >= info->maxmemory ? "its memory is full (maxmemory)"
		         : *sw_bus_error(w->bus)                                            ? sw_bus_error(w->bus)
		                                                                             : strerror(-r));
	else
		SW_INFO(LOG, "Redis takes the worker's housekeeping again");
	w->tick_r = r;
}

static void worker_ticked(void *arg, int r, const struct sw_tick *t)
{
	struct worker *w = arg;
	sw_dur after = TICK_EVERY;
	sw_ms due;

	w->ticking = false;
	if (r == -ECANCELED || w->stopping)
		return;
	worker_redis(w, r);
	if (r == 0) {
		w->ticked = sw_clock_mono();
		sw_meters_tick(w, t);
		worker_watchful(w, t);
		due = t->next_due;
		if (w->woke_at && (!due || w->woke_at < due))
			due = w->woke_at;
		if (due)
			after = SW_MIN(TICK_EVERY, SW_MAX(due - t->now, (sw_ms)0) + 1);
		if (due && due <= t->now && !t->moved && due != w->woke_at)
			after = 100; /* due and still not moved: something holds it, do not spin */
		if (!w->ready_told)
			worker_ready(w);
	}
	w->woke_at = 0;
	worker_tick_in(w, after);
}

static void worker_tick(void *arg)
{
	struct worker *w = arg;

	w->ticking = true;
	sw_bus_tick(w->bus, worker_ticked, w);
}

static void worker_minute(void *arg)
{
	struct worker *w = arg;

	w->setup->engine.tz_offset_s = sw_config_tz_offset(w->setup->cfg, sw_clock_wall()); /* summer time begins and ends */
	sw_quiet_tick(w);
	sw_channels_tick(w);
	sw_timer_set(&w->minute, SW_MINUTE);
}

/* ---- heartbeat: only while our own housekeeping works, else nobody would learn that it does not ---- */

static void worker_beaten(void *arg, const struct sw_result *res)
{
	struct worker *w = arg;

	w->beating = false;
	if (res->fault != SW_FAULT_NONE || res->status < 200 || res->status > 299)
		SW_WARN(LOG, "heartbeat not taken: %s", res->fault != SW_FAULT_NONE && res->detail ? res->detail : "not answered with 2xx");
}

static void worker_beat(void *arg)
{
	struct worker *w = arg;
	const struct sw_conf_heartbeat *h = &w->setup->cfg->heartbeat;

	if (!h->url)
		return;
	sw_timer_set(&w->beat, h->every ? h->every : SW_MINUTE);
	if (w->beating || !w->ticked || sw_clock_mono() - w->ticked > 10 * SW_SECOND)
		return;
	w->beating = true;
	sw_do_job(w, &(struct sw_job){ .kind = SW_JOB_HTTP, .method = "GET", .url = h->url, .timeout = 10 * SW_SECOND },
	          &(struct sw_do_for){ 0 }, worker_beaten, w);
}

/* ---- configuration ---- */

/* Every named place with a health address: somebody must see that it is probed. Doubled ones change nothing. */
static void worker_wake_places(struct worker *w)
{
	const struct sw_places *ps = &w->setup->cfg->places;
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	for (size_t i = 0; i < ps->n; i++) {
		if (!ps->items[i].health.url || strcmp(ps->items[i].service, "*") == 0)
			continue;
		sw_buf_reset(&b);
		sw_buf_printf(&b, "place:%s/%s", ps->items[i].service, ps->items[i].environment);
		sw_outbox_append(w, sw_buf_str(&b), "{\"t\":\"wake\"}", true, NULL);
	}
}

static void worker_reload(void *arg)
{
	struct worker *w = arg;
	struct sw_config *cfg = NULL;
	struct setup *fresh;
	struct sw_arena a = { 0 };
	struct sw_diags d;
	int r;

	if (!w->opt->config_path || w->stopping)
		return;
	sw_diags_init(&d, &a);
	r = sw_config_load(w->opt->config_path, &worker_plugins, &sw_yenv_process, &cfg, &d);
	for (const struct sw_diag *x = d.first; x; x = x->next)
		sw_log(x->warning ? SW_LOG_WARN : SW_LOG_ERROR, LOG, "%s", x->text);
	if (r == 0)
		r = sw_setup_new(w, cfg, &fresh);
	if (r == 0) {
		if (!sw_streq(cfg->redis_url, w->setup->cfg->redis_url) && !w->opt->redis_url)
			SW_WARN(LOG, "redis.url changed: takes effect at the next start");
		sw_setup_put(w->setup);
		w->setup = fresh;
		sw_quiet_setup(w);
		worker_wake_places(w);
		worker_beat(w);
		SW_INFO(LOG, "reloaded: %zu places, %zu rules", w->setup->cfg->places.n, w->setup->rules->n);
	} else {
		SW_ERROR(LOG, "reload refused, going on with the configuration in force");
	}
	sw_config_put(cfg);
	sw_arena_fini(&a);
}

/* ---- start ---- */

static void worker_state(void *arg, bool up, const char *why)
{
	struct worker *w = arg;
	int64_t masters;

	if (up) {
		masters = sw_bus_info(w->bus) ? sw_bus_info(w->bus)->masters : 0;
		sw_meters_masters(w, masters - w->masters);
		w->masters = masters;
		SW_INFO(LOG, "Redis is reached%s%s", why ? ": " : "", why ? why : "");
		if (w->reading && !w->stopping) {
			worker_wake_places(w); /* also of a Redis that came back without what it had */
			if (!w->ticking)
				worker_tick_in(w, 0);
		}
	} else if (!w->stopping) {
		SW_WARN(LOG, "Redis is not reached (%s), trying again", why ? why : "?");
	}
}

static void worker_name(struct worker *w)
{
	unsigned char chance[4];
	char host[48] = "worker";

	if (w->opt->consumer) {
		(void)snprintf(w->consumer, sizeof w->consumer, "%s", w->opt->consumer);
		return;
	}
	(void)gethostname(host, sizeof host - 1);
	sw_random(chance, sizeof chance);
	(void)snprintf(w->consumer, sizeof w->consumer, "%s-%ld-%02x%02x%02x%02x", host, (long)getpid(), chance[0], chance[1],
	               chance[2], chance[3]);
}

static int worker_bus(struct worker *w)
{
	struct sw_bus_options o = { .connections = 2, .on_state = worker_state, .arg = w };
	SW_CLEANUP(sw_buf_fini) struct sw_buf path = SW_BUF_INIT;
	struct sw_err err = SW_ERR_INIT;
	int r;

	o.url = w->opt->redis_url ? w->opt->redis_url : w->setup->cfg->redis_url;
	if (!o.url) {
		SW_ERROR(LOG, "no redis.url: a worker by itself needs a Redis that the gateways use too (`shipwatch up` brings its own)");
		return -EINVAL;
	}
	r = sw_bus_new(w->loop, &o, &w->bus, &err);
	if (r < 0) {
		SW_ERROR(LOG, "redis: %s", err.text);
		return r;
	}
	if (w->state_dir) {
		(void)mkdir(w->state_dir, 0750);
		sw_buf_printf(&path, "%s/lineage.worker", w->state_dir);
		sw_bus_remember(w->bus, sw_buf_str(&path));
	}
	return 0;
}

void sw_worker_init(struct worker *w, const struct sw_worker_options *opt)
{
	w->opt = opt;
	w->started = sw_clock_mono();
	w->more = (struct sw_defer){ .cb = worker_more, .arg = w };
	sw_timer_init(&w->tick, w->loop, worker_tick, w);
	sw_timer_init(&w->beat, w->loop, worker_beat, w);
	sw_timer_init(&w->minute, w->loop, worker_minute, w);
	sw_timer_init(&w->deadline, w->loop, worker_late, w);
	sw_timer_init(&w->alive, w->loop, worker_alive, w);
	w->meters = sw_meters_new(opt);
	worker_name(w);
}

void sw_worker_begin(struct worker *w)
{
	w->reading = true;
	sw_quiet_setup(w);
	sw_bus_read(w->bus, w->consumer, READ_COUNT, worker_read, w);
	worker_tick(w);
	if (sw_bus_up(w->bus))
		worker_wake_places(w);
	sw_actor_recover(w);
	sw_timer_set(&w->beat, 100);
	sw_timer_set(&w->minute, SW_MINUTE);
	worker_alive(w);
}

void sw_worker_fini(struct worker *w)
{
	w->stopping = true;
	sw_side_free(w);
	sw_do_fini(w);
	sw_bus_free(w->bus); /* ends every call under way with -ECANCELED */
	w->bus = NULL;
	sw_intake_fini(w);
	sw_stepper_fini(w);
	sw_states_fini(w);
	sw_outbox_fini(w);
	sw_quiet_fini(w);
	sw_defer_cancel(&w->more);
	sw_timer_stop(&w->tick);
	sw_timer_stop(&w->beat);
	sw_timer_stop(&w->minute);
	sw_timer_stop(&w->deadline);
	sw_timer_stop(&w->alive);
	w->setup = sw_setup_put(w->setup);
	sw_pinned_fini(w);
	sw_kept_fini(w);
	sw_compare_fini(w);
	sw_meters_free(w->meters);
}

static int worker_start(struct worker *w, struct sw_config *cfg)
{
	struct sw_err err = SW_ERR_INIT;
	int r;

	w->state_dir = cfg->state_dir ? cfg->state_dir : w->opt->state_dir;
	r = sw_setup_new(w, cfg, &w->setup);
	if (r < 0)
		return r;
	r = sw_do_init(w, &err);
	if (r == 0 && w->opt->listen)
		r = sw_side_new(w, w->opt->listen, &err);
	if (r < 0) {
		SW_ERROR(LOG, "%s", err.text);
		return r;
	}
	r = worker_bus(w);
	if (r == 0)
		r = sw_loop_signal(w->loop, SIGTERM, worker_stop, w);
	if (r == 0)
		r = sw_loop_signal(w->loop, SIGINT, worker_stop, w);
	if (r == 0)
		r = sw_loop_signal(w->loop, SIGHUP, worker_reload, w);
	return r;
}

int sw_worker_run(struct sw_config *cfg, const struct sw_worker_options *opt)
{
	struct worker w = { 0 };
	int r;

	r = sw_loop_new(&w.loop);
	if (r < 0) {
		SW_ERROR(LOG, "event loop: %s", strerror(-r));
		return r;
	}
	sw_worker_init(&w, opt);
	cfg = sw_config_get(cfg); /* w.state_dir is borrowed from it */
	r = worker_start(&w, cfg);
	if (r == 0) {
		sw_worker_begin(&w);
		r = sw_loop_run(w.loop);
		SW_INFO(LOG, "stopped");
	}
	sw_worker_fini(&w);
	sw_config_put(cfg);
	sw_loop_free(w.loop);
	return r;
}
