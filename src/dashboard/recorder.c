/*
 * The recorder: journal ──batch──▶ history, with the position in the same transaction.
 *
 *            ┌───────────── a batch is in ─────────────┐
 *   CLOSED ──open──▶ ASKING ──lines──▶ writing ────────┘
 *     ▲  └─later─┐     │  └─ Redis away: again, soon
 *     └──────────┴─────┴──── disk full, read-only: later, 1 s to 30 s; broken: moved aside; removed: begun anew
 *
 * 1. What is in the file and how far it is read are one transaction: killed anywhere, it goes on where it was, and nothing is in twice.
 * 2. What cannot be known any more is a row of gaps: lines that were trimmed before they were read; another Redis, whose journal is then
 *    read from its beginning.
 * 3. While it catches up batches are held to become one transaction (store.h): a page that many of them change is written once. Where it stands is what
 *    the store says, so what could not be written after all is read again.
 * 4. Whether the file is whole is looked at by a process beside this one (verify.c), once there is no more to catch up with: nothing waits for it. What
 *    turns out to be broken, then or at any write, is moved aside and begun anew.
 * 5. One line of the log for each change: it cannot be written, why; it can again.
 */
#include "dashboard/recorder.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "bus/bus.h"
#include "dashboard/after.h"
#include "dashboard/store.h"
#include "dashboard/verify.h"
#include "io/loop.h"
#include "plugins.h"
#include "shipwatch/clock.h"
#include "shipwatch/log.h"

#define LOG "recorder"

enum { LATER_LEAST = 1000, LATER_MOST = 30000, AWAY_WAIT = 500, LOOK_EVERY = 1000 /* ms */ };
#define WAIT         (5 * SW_SECOND)
#define TIDY_FIRST   (20 * SW_SECOND)
#define TIDY_EVERY   (3 * SW_MINUTE)
#define TIDY_SLICE   50                /* ms between two slices */
#define TIDY_BEHIND  (10 * SW_SECOND)  /* while it is catching up */
#define VERIFY_LAST  SW_MINUTE         /* the file is looked through once it caught up, or so long after it was opened */

struct recorder {
	struct sw_loop *loop;
	struct sw_config *cfg;
	const struct sw_recorder_options *opt;
	const struct sw_recorder_meters *m;
	struct sw_bus *bus;
	struct sw_store *store;        /* NULL: closed */
	struct sw_after *after;
	struct sw_verify *verify;      /* NULL: the file was looked through, or cannot be */
	char path[4096], pos[64];
	int64_t pos_n;                 /* which entry of all pos is */
	struct sw_timer again, tidy;
	struct event *signals;
	int signal_fd;
	sw_dur later, looked, opened;
	bool asking, stopping, caught_up;
	char trouble[600];             /* what was told last; "": all is well */
	sw_dur trouble_since;
	unsigned bits;                 /* not told yet */
	uint64_t skipped;              /* as it was counted last */
	uint64_t records;              /* since it began to catch up */
	sw_dur behind_since;
	bool cut_told;
};

static void recorder_step(struct recorder *r);

/* ---- counting and telling ---- */

void sw_recorder_meters_new(struct sw_metrics *all, unsigned part, struct sw_recorder_meters *m)
{
	m->all = all;
	m->part = part;
	m->lag = sw_metric_gauge(all, "shipwatch_history_lag_seconds", "How old the newest entry of the journal is that the history has, while there are newer ones.",
	                         NULL, 1, true);
	m->records = sw_metric_counter(all, "shipwatch_history_records_total", "Entries of the journal that were recorded.", NULL, 1);
	m->skipped = sw_metric_counter(all, "shipwatch_history_skipped_total", "Entries or parts of entries that could not be understood.", NULL, 1);
	m->gaps = sw_metric_counter(all, "shipwatch_history_gaps_total", "Times that something is missing in the history.", NULL, 1);
	m->bytes = sw_metric_gauge(all, "shipwatch_history_bytes", "Size of the history.", NULL, 1, true);
	m->pruned = sw_metric_counter(all, "shipwatch_history_pruned_slices_total", "Slices of the history that went for their age or its size.", NULL, 1);
	m->written = sw_metric_gauge(all, "shipwatch_history_written", "Whether the history can be written.", NULL, 1, true);
	sw_pusher_meters_new(all, &m->push);
}

static void count(struct sw_metric *f, double v)
{
	if (f && v > 0)
		sw_metric_add(f, NULL, v);
}

static void gauge(struct sw_metric *f, double v)
{
	if (f)
		sw_metric_set(f, NULL, v);
}

/* The pipe is full: what is new is told with the next. Nobody there: there is no parent any more. */
static void recorder_tell(struct recorder *r, unsigned bits)
{
	r->bits |= bits;
	if (!r->bits || r->opt->notify_fd < 0)
		return;
	if (write(r->opt->notify_fd, &r->bits, sizeof r->bits) == (ssize_t)sizeof r->bits)
		r->bits = 0;
	else if (errno == EPIPE)
		sw_loop_stop(r->loop);
}

static void recorder_touched(void *arg, unsigned bits)
{
	recorder_tell(arg, bits);
}

/* ---- the file ---- */

static void recorder_close(struct recorder *r)
{
	if (r->after && r->store)
		sw_after_store(r->after, NULL);
	sw_verify_free(r->verify);
	r->verify = NULL;
	r->store = sw_store_close(r->store);
	gauge(r->m->written, 0);
}

static void recorder_later(struct recorder *r)
{
	r->later = SW_MIN(SW_MAX(2 * r->later, (sw_dur)LATER_LEAST), (sw_dur)LATER_MOST);
	sw_timer_set(&r->again, r->later);
}

/* Said once; tried again more and more seldom. */
static void recorder_trouble(struct recorder *r, int code, const char *what)
{
	gauge(r->m->written, 0);
	if (!sw_streq(r->trouble, what)) {
		if (code == -EBUSY || code == -EPROTO)
			SW_ERROR(LOG, "%s; nothing is recorded, trying again until that changes", what);
		else
			SW_ERROR(LOG, "%s; nothing is recorded until it can be written, pages go on with what there is", what);
		if (!r->trouble[0])
			r->trouble_since = sw_loop_mono(r->loop);
		(void)snprintf(r->trouble, sizeof r->trouble, "%s", what);
	}
	recorder_later(r);
}

static void recorder_well(struct recorder *r)
{
	struct sw_buf b = SW_BUF_INIT;

	r->later = 0;
	gauge(r->m->written, 1);
	if (!r->trouble[0])
		return;
	sw_dur_print((sw_loop_mono(r->loop) - r->trouble_since) / 1000 * 1000, &b);
	SW_INFO(LOG, "the history is written again, after %s", sw_buf_str(&b));
	sw_buf_fini(&b);
	r->trouble[0] = '\0';
}

/* From here it reads on. */
static void recorder_stands(struct recorder *r)
{
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };

	(void)snprintf(r->pos, sizeof r->pos, "%s", sw_store_position(r->store, &a));
	r->pos_n = sw_store_position_n(r->store);
}

/* What was held did not get into the file after all: what was asked for since does not follow on what is. */
static bool recorder_fell_back(struct recorder *r)
{
	char asked[sizeof r->pos];

	(void)snprintf(asked, sizeof asked, "%s", r->pos);
	recorder_stands(r);
	return !sw_streq(asked, r->pos);
}

/* It is broken: kept for who wants to look, and begun anew. */
static void recorder_broken(struct recorder *r, const char *why)
{
	struct sw_err err = SW_ERR_INIT;
	struct sw_buf note = SW_BUF_INIT;
	int code;

	recorder_close(r);
	code = sw_store_aside(r->path, why, &note, &err);
	if (code < 0) {
		recorder_trouble(r, code, err.text);
	} else {
		SW_ERROR(LOG, "history %s %s", r->path, sw_buf_str(&note));
		recorder_later(r);
	}
	sw_buf_fini(&note);
}

static void recorder_verified(void *arg, int result, const char *why, sw_dur took)
{
	struct recorder *r = arg;
	struct sw_buf b = SW_BUF_INIT;
	char text[sizeof r->trouble];

	(void)snprintf(text, sizeof text, "%s", why);
	sw_verify_free(r->verify);
	r->verify = NULL;
	if (!r->store || sw_store_gone(r->store))
		return; /* seen with the next batch, and what lies there then is looked through as well */
	sw_dur_print(took, &b);
	if (result == 0)
		SW_INFO(LOG, "history %s: looked through in %s, it is whole", r->path, sw_buf_str(&b));
	else if (result != -EBADMSG)
		SW_WARN(LOG, "history %s cannot be looked through (%s), going on; it is tried again at the next start", r->path, text);
	sw_buf_fini(&b);
	if (result == -EBADMSG)
		recorder_broken(r, text);
}

static void recorder_verify(struct recorder *r)
{
	if (r->verify && r->store && !sw_verify_started(r->verify) && (r->caught_up || sw_loop_mono(r->loop) - r->opened >= VERIFY_LAST))
		sw_verify_start(r->verify);
}

static void recorder_opened(struct recorder *r)
{
	recorder_stands(r);
	r->opened = sw_loop_mono(r->loop);
	r->skipped = 0;
	r->caught_up = false;
	r->records = 0;
	r->behind_since = sw_clock_mono();
	if (sw_store_note(r->store))
		SW_WARN(LOG, "%s %s", r->path, sw_store_note(r->store));
	if (strcmp(r->pos, "0-0") == 0)
		SW_INFO(LOG, "history %s: new, reading the journal from its beginning", r->path);
	else
		SW_INFO(LOG, "history %s: going on after %s", r->path, r->pos);
	gauge(r->m->bytes, (double)sw_store_bytes(r->store));
	if (r->after)
		sw_after_store(r->after, r->store);
}

static bool recorder_open(struct recorder *r)
{
	struct sw_err err = SW_ERR_INIT;
	int code;

	/* Before there is a connection. */
	if (!r->verify && sw_verify_new(r->loop, r->path, recorder_verified, r, &r->verify, &err) < 0)
		SW_WARN(LOG, "history %s cannot be looked through (%s), going on; it is tried again at the next start", r->path, err.text);
	if (mkdir(r->opt->state_dir, 0750) < 0 && errno != EEXIST)
		code = sw_err_set(&err, errno, "state_dir %s: %s", r->opt->state_dir, strerror(errno));
	else
		code = sw_store_open(r->path, SW_STORE_WRITE, &r->store, &err);
	if (code < 0) {
		r->store = NULL;
		recorder_trouble(r, code, err.text);
		return false;
	}
	recorder_well(r);
	recorder_opened(r);
	return true;
}

/* Its file was removed, or another lies there: begun anew. */
static bool recorder_gone(struct recorder *r)
{
	sw_dur now = sw_loop_mono(r->loop);

	if (now - r->looked < LOOK_EVERY)
		return false;
	r->looked = now;
	if (!sw_store_gone(r->store))
		return false;
	SW_WARN(LOG, "history %s was removed or replaced, going on with what lies there", r->path);
	recorder_close(r);
	return true;
}

/* ---- gaps ---- */

/* <0: a is before b. Ids of a stream: "<ms>-<n>". */
static int id_compare(const char *a, const char *b)
{
	uint64_t a1 = 0, a2 = 0, b1 = 0, b2 = 0;

	(void)sscanf(a, "%" SCNu64 "-%" SCNu64, &a1, &a2);
	(void)sscanf(b, "%" SCNu64 "-%" SCNu64, &b1, &b2);
	return a1 != b1 ? (a1 < b1 ? -1 : 1) : a2 != b2 ? (a2 < b2 ? -1 : 1) : 0;
}

static bool recorder_gap(struct recorder *r, const char *after, const char *before, const char *why)
{
	struct sw_err err = SW_ERR_INIT;
	sw_ms now = sw_bus_now(r->bus);
	int code = sw_store_gap(r->store, now ? now : sw_clock_wall(), after, before, why, &err);

	if (code < 0) {
		recorder_trouble(r, code, err.text);
		return false;
	}
	SW_WARN(LOG, "a gap in the history: %s", why);
	count(r->m->gaps, 1);
	return true;
}

/* Another Redis, or an older one: its journal is read from its beginning; what is known already changes nothing. */
static bool recorder_other(struct recorder *r, const struct sw_journal_ends *e, const char *why)
{
	struct sw_store_at at = { .position = "0-0", .added = 0, .lineage = e->lineage };
	struct sw_err err = SW_ERR_INIT;
	unsigned bits;
	int code;

	if (!recorder_gap(r, r->pos, e->first, why))
		return false;
	code = sw_store_apply_at(r->store, NULL, 0, &at, &bits, &err);
	if (code < 0) {
		recorder_trouble(r, code, err.text);
		return false;
	}
	recorder_stands(r);
	return true;
}

/* Is this the journal we know, and what is gone of it? Return: 1 go on; 0 it is read anew from where r->pos says; -1 trouble. */
static int recorder_ends(struct recorder *r, const struct sw_journal_ends *e)
{
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
	const char *known = sw_store_lineage(r->store, &a);
	bool begun = strcmp(r->pos, "0-0") != 0;
	int64_t before = e->added >= 0 ? e->added - e->length : 0;
	char why[160];

	if (begun && known && *known && *e->lineage && !sw_streq(known, e->lineage))
		return recorder_other(r, e, "this is another Redis, or it lost what it had; its journal is read from its beginning") ? 0 : -1;
	if (begun && id_compare(e->last, r->pos) < 0)
		return recorder_other(r, e, "Redis is older than what was read from it; its journal is read from its beginning") ? 0 : -1;
	if (before > r->pos_n) {
		(void)snprintf(why, sizeof why, "%" PRId64 " entries of the journal were trimmed before they were read", before - r->pos_n);
		if (!recorder_gap(r, begun ? r->pos : NULL, e->first, why))
			return -1;
		r->pos_n = before;
	} else if (e->added < 0 && begun && id_compare(e->first, r->pos) > 0) {
		if (!recorder_gap(r, r->pos, e->first, "entries of the journal may have been trimmed before they were read"))
			return -1;
	}
	return 1;
}

/* ---- following ---- */

static void recorder_lag(struct recorder *r)
{
	int64_t at = strtoll(r->pos, NULL, 10), now = sw_bus_now(r->bus);

	gauge(r->m->lag, r->caught_up || now <= at ? 0 : (double)(now - at) / 1000);
}

static void recorder_caught_up(struct recorder *r, bool is)
{
	if (is && !r->caught_up && r->records > 2 * SW_JOURNAL_MAX)
		SW_INFO(LOG, "caught up: %" PRIu64 " entries in %lld ms", r->records, (long long)(sw_clock_mono() - r->behind_since));
	if (!is && r->caught_up) {
		r->behind_since = sw_clock_mono();
		r->records = 0;
	}
	r->caught_up = is;
	recorder_lag(r);
	recorder_verify(r);
}

/* Those who look at it, here and in the parent. last: nothing more waits in the journal. */
static void recorder_touched_by(struct recorder *r, unsigned bits, bool last)
{
	recorder_tell(r, bits);
	if (r->after)
		sw_after_touched(r->after, bits, last);
}

/* more: more waits behind it. False: the batch is not in. */
static bool recorder_write(struct recorder *r, const struct sw_journal_line *lines, int n, bool more, const char *lineage)
{
	struct sw_journal_entry e[SW_JOURNAL_MAX];
	struct sw_store_at at = { .added = r->pos_n + n, .lineage = lineage && *lineage ? lineage : NULL, .more = more };
	struct sw_err err = SW_ERR_INIT;
	unsigned bits = 0;
	int code;

	SW_ASSERT(n <= SW_JOURNAL_MAX);
	for (int i = 0; i < n; i++)
		e[i] = (struct sw_journal_entry){ lines[i].id, lines[i].json, lines[i].n };
	code = sw_store_apply_at(r->store, e, (size_t)n, &at, &bits, &err);
	if (code == -EBADMSG) {
		recorder_broken(r, err.text);
		return false;
	}
	if (code < 0) {
		recorder_trouble(r, code, err.text);
		return false;
	}
	recorder_well(r);
	recorder_stands(r);
	r->records += (uint64_t)n;
	count(r->m->records, n);
	count(r->m->skipped, (double)(sw_store_skipped(r->store) - r->skipped));
	if (sw_store_skipped(r->store) != r->skipped && r->skipped == 0)
		SW_WARN(LOG, "an entry of the journal between %s and %s is not understood, it is left out", n ? lines[0].id : "", r->pos);
	r->skipped = sw_store_skipped(r->store);
	recorder_touched_by(r, bits, !more);
	return true;
}

/* Nothing comes for a while: what is held need not wait for it. */
static void recorder_commit(struct recorder *r)
{
	struct sw_err err = SW_ERR_INIT;
	unsigned bits = 0;
	int code = sw_store_commit(r->store, &bits, &err);

	if (code == -EBADMSG)
		recorder_broken(r, err.text);
	else if (code < 0)
		recorder_trouble(r, code, err.text);
	else
		recorder_touched_by(r, bits, false);
}

static void recorder_lines(void *arg, int n, const struct sw_journal_line *lines, bool more, const struct sw_journal_ends *ends)
{
	struct recorder *r = arg;
	bool first;

	r->asking = false;
	if (n == -ECANCELED || r->stopping)
		return;
	if (!r->store || (n >= 0 && recorder_gone(r))) {
		if (!sw_timer_armed(&r->again))
			sw_timer_set(&r->again, 0);
		return;
	}
	if (recorder_fell_back(r)) {
		recorder_step(r);
		return;
	}
	if (n < 0) { /* the bus tells of Redis itself */
		recorder_commit(r);
		recorder_verify(r);
		gauge(r->m->lag, 0);
		sw_timer_set(&r->again, AWAY_WAIT);
		return;
	}
	first = ends != NULL;
	switch (first ? recorder_ends(r, ends) : 1) {
	case 0: recorder_step(r); return;
	case 1: break;
	default: return;
	}
	if ((n > 0 || sw_store_held(r->store) || (first && *ends->lineage)) && !recorder_write(r, lines, n, more, first ? ends->lineage : NULL))
		return;
	recorder_caught_up(r, !more);
	recorder_step(r);
}

static void recorder_step(struct recorder *r)
{
	if (r->asking || r->stopping)
		return;
	if (!r->store && !recorder_open(r))
		return;
	recorder_stands(r);
	r->asking = true;
	sw_bus_journal(r->bus, r->pos, SW_JOURNAL_MAX, WAIT, recorder_lines, r);
}

static void recorder_again(void *arg)
{
	recorder_step(arg);
}

/* ---- keeping it tidy ---- */

static void recorder_cut(struct recorder *r, sw_ms cut)
{
	struct sw_buf b = SW_BUF_INIT;

	if (cut && !r->cut_told) {
		sw_time_print(cut, &b);
		SW_WARN(LOG, "the history is as large as history_max lets it be: what is older than %s goes before its time", sw_buf_str(&b));
		sw_buf_fini(&b);
	}
	r->cut_told |= cut != 0;
}

static void recorder_tidy(void *arg)
{
	struct recorder *r = arg;
	const struct sw_conf_dashboard *c = &r->cfg->dashboard;
	struct sw_keeping keep = { c->keep, c->keep_samples, c->history_max };
	struct sw_err err = SW_ERR_INIT;
	sw_ms now = sw_bus_now(r->bus), cut = 0;
	int more;

	if (!r->store || r->trouble[0] || !now) {
		sw_timer_set(&r->tidy, TIDY_EVERY);
		return;
	}
	if (!r->caught_up && r->records) { /* first things first */
		sw_store_checkpoint(r->store);
		sw_timer_set(&r->tidy, TIDY_BEHIND);
		return;
	}
	more = sw_store_prune(r->store, &keep, now, &cut, &err);
	if (more == -EBADMSG) {
		recorder_broken(r, err.text);
		sw_timer_set(&r->tidy, TIDY_EVERY);
		return;
	}
	if (more < 0) {
		SW_WARN(LOG, "what is too old cannot be removed: %s", err.text);
		more = 0;
	}
	recorder_cut(r, cut);
	count(r->m->pruned, more);
	if (!more) {
		sw_store_checkpoint(r->store);
		gauge(r->m->bytes, (double)sw_store_bytes(r->store));
	}
	sw_timer_set(&r->tidy, more ? TIDY_SLICE : TIDY_EVERY);
}

/* ---- the process ---- */

static void recorder_reload(struct recorder *r)
{
	struct sw_plugins plugins = { sw_sources, sw_signals, sw_channels, sw_actions };
	struct sw_config *cfg = NULL;
	struct sw_arena a = { 0 };
	struct sw_diags d;

	sw_diags_init(&d, &a);
	/* The parent told of mistakes, and would not have sent the signal with any. */
	if (r->opt->config_path && sw_config_load(r->opt->config_path, &plugins, &sw_yenv_process, &cfg, &d) == 0) {
		sw_config_put(r->cfg);
		r->cfg = SW_TAKE(cfg);
		r->cut_told = false;
		if (r->after)
			sw_after_config(r->after, r->cfg);
		sw_timer_set(&r->tidy, TIDY_SLICE);
	}
	sw_config_put(cfg);
	sw_arena_fini(&a);
}

static void recorder_signal(evutil_socket_t fd, short what, void *arg)
{
	struct recorder *r = arg;
	struct signalfd_siginfo si;

	(void)what;
	while (read(fd, &si, sizeof si) == (ssize_t)sizeof si) {
		if (si.ssi_signo == SIGHUP) {
			recorder_reload(r);
		} else {
			r->stopping = true;
			sw_loop_stop(r->loop);
		}
	}
}

/* By a descriptor: the loop of the process that forked us has the handlers of libevent, of which there is one set a process. */
static int recorder_signals(struct recorder *r)
{
	static const int handled[] = { SIGTERM, SIGINT, SIGHUP };
	sigset_t set;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < SW_COUNT(handled); i++)
		(void)sigaddset(&set, handled[i]);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	r->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (r->signal_fd < 0)
		return -errno;
	r->signals = event_new(r->loop->base, r->signal_fd, EV_READ | EV_PERSIST, recorder_signal, r);
	SW_ASSERT(r->signals && event_add(r->signals, NULL) == 0);
	return 0;
}

static void recorder_redis(void *arg, bool up, const char *why)
{
	struct recorder *r = arg;

	if (r->stopping)
		return;
	if (up)
		SW_DEBUG(LOG, "Redis is reached");
	else
		SW_WARN(LOG, "Redis is not reached (%s), trying again", why ? why : "");
}

static int recorder_begin(struct recorder *r, struct sw_config *cfg, struct sw_err *err)
{
	struct sw_bus_options bo = { .url = r->opt->redis_url ? r->opt->redis_url : cfg->redis_url, .connections = 1, .on_state = recorder_redis, .arg = r };
	int code;

	if (!r->opt->state_dir)
		return sw_err_set(err, EINVAL, "no state_dir: the history lies there");
	if (!bo.url)
		return sw_err_set(err, EINVAL, "no Redis: redis: {url: …} says which");
	if (snprintf(r->path, sizeof r->path, "%s/history.db", r->opt->state_dir) >= (int)sizeof r->path)
		return sw_err_set(err, ENAMETOOLONG, "state_dir %.60s…: %s", r->opt->state_dir, strerror(ENAMETOOLONG));
	/* Past a limit of the size of files a write is refused; it would end the process else. */
	(void)signal(SIGXFSZ, SIG_IGN);
	if ((code = sw_loop_new(&r->loop)) < 0 || (code = recorder_signals(r)) < 0)
		return sw_err_set(err, -code, "event loop: %s", strerror(-code));
	sw_timer_init(&r->again, r->loop, recorder_again, r);
	sw_timer_init(&r->tidy, r->loop, recorder_tidy, r);
	code = sw_bus_new(r->loop, &bo, &r->bus, err);
	if (code == 0) {
		static struct sw_after_options ao;

		ao = (struct sw_after_options){ .config_path = r->opt->config_path, .redis_url = r->opt->redis_url, .push = &r->m->push, .touched = recorder_touched,
			.arg = r };
		code = sw_after_new(r->loop, cfg, &ao, &r->after);
	}
	return code;
}

int sw_recorder_run(struct sw_config *cfg, const struct sw_recorder_options *opt)
{
	static const struct sw_recorder_meters none;
	struct recorder r = { .opt = opt, .m = opt->meters ? opt->meters : &none, .cfg = sw_config_get(cfg), .looked = -LOOK_EVERY, .signal_fd = -1 };
	struct sw_err err = SW_ERR_INIT;
	int code;

	if (r.m->all)
		sw_metrics_become(r.m->all, r.m->part);
	code = recorder_begin(&r, cfg, &err);
	if (code == 0) {
		sw_timer_set(&r.tidy, TIDY_FIRST);
		recorder_step(&r);
		code = sw_loop_run(r.loop);
	} else {
		SW_ERROR(LOG, "cannot start: %s", err.text);
	}
	r.stopping = true;
	sw_timer_stop(&r.again);
	sw_timer_stop(&r.tidy);
	recorder_close(&r);
	sw_after_free(r.after);
	if (r.bus)
		sw_bus_free(r.bus);
	if (r.signals)
		event_free(r.signals);
	if (r.signal_fd >= 0)
		(void)close(r.signal_fd);
	if (r.loop)
		sw_loop_free(r.loop);
	sw_config_put(r.cfg);
	return code;
}
