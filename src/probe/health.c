/*
 * Health: checks with their last state and its age. /health asks nobody and waits for nobody: who asks is a thread of each
 * check (sw_health_ask) or the service itself (sw_check_set), and what was not heard of for too long fails.
 *
 *   thread:  run fn ─▶ report ─▶ sleep `every` ─▶ run fn …        running_since tells /health how long fn has taken so far
 *
 * A check that hangs holds its own thread only. When the whole goes, that thread is let go and frees its check once fn is back.
 */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/str.h"
#include "probe/print.h"
#include "shipwatch/base.h"
#include "shipwatch/clock.h"
#include "shipwatch/mem.h"

#define WHY_MAX     256
#define NUMBERS_MAX 4
#define FIELDS_MAX  8

struct sw_check {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	char *name;
	unsigned flags, refs, n_numbers;
	bool reported;
	enum sw_check_state state;
	char why[WHY_MAX];
	sw_dur at, stale;         /* monotonic; 0: never stale */
	struct { char *name; double v; } numbers[NUMBERS_MAX];
	/* of one with a thread */
	sw_check_fn fn;
	void *arg;
	sw_dur every, timeout, running_since;
	bool running, stop;
	pthread_t thread;
};

struct sw_health {
	pthread_mutex_t lock;
	char *version, *commit, *built;
	struct { char *name, *value; } fields[FIELDS_MAX];
	unsigned n_fields, n_checks;
	enum sw_check_state overall;
	char why[WHY_MAX];
	struct sw_check *checks[SW_CHECKS_MAX];
	sw_dur started;
};

/* At most so many bytes, at a whole character, without what breaks a line. */
static void why_copy(char out[WHY_MAX], const char *why)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	sw_utf8_clean(&b, why ? why : "", why ? strnlen(why, 4 * WHY_MAX) : 0, true);
	sw_buf_truncate(&b, sw_utf8_cut(sw_buf_str(&b), b.n, WHY_MAX - 1));
	memcpy(out, sw_buf_str(&b), b.n + 1);
}

static void check_put(struct sw_check *c)
{
	unsigned left;

	(void)pthread_mutex_lock(&c->lock);
	left = --c->refs;
	(void)pthread_mutex_unlock(&c->lock);
	if (left)
		return;
	for (unsigned i = 0; i < c->n_numbers; i++)
		free(c->numbers[i].name);
	(void)pthread_cond_destroy(&c->wake);
	(void)pthread_mutex_destroy(&c->lock);
	free(c->name);
	free(c);
}

struct sw_health *sw_health_new(const struct sw_build *build)
{
	struct sw_health *h = sw_calloc(1, sizeof *h);

	(void)pthread_mutex_init(&h->lock, NULL);
	h->started = sw_clock_mono();
	sw_health_build(h, build);
	return h;
}

void sw_health_free(struct sw_health *h)
{
	if (!h)
		return;
	for (unsigned i = 0; i < h->n_checks; i++) {
		struct sw_check *c = h->checks[i];

		(void)pthread_mutex_lock(&c->lock);
		c->stop = true;
		(void)pthread_cond_signal(&c->wake);
		if (c->fn)
			(void)pthread_detach(c->thread);
		(void)pthread_mutex_unlock(&c->lock);
		check_put(c);
	}
	for (unsigned i = 0; i < h->n_fields; i++) {
		free(h->fields[i].name);
		free(h->fields[i].value);
	}
	free(h->version);
	free(h->commit);
	free(h->built);
	(void)pthread_mutex_destroy(&h->lock);
	free(h);
}

void sw_health_build(struct sw_health *h, const struct sw_build *build)
{
	if (!h)
		return;
	(void)pthread_mutex_lock(&h->lock);
	free(h->version);
	free(h->commit);
	free(h->built);
	h->version = sw_strdup(build && build->version ? build->version : "unknown");
	h->commit = sw_strdup(build && build->commit ? build->commit : "unknown");
	h->built = sw_strdup(build && build->built ? build->built : "unknown");
	(void)pthread_mutex_unlock(&h->lock);
}

int sw_health_text_field(struct sw_health *h, const char *name, const char *value)
{
	unsigned i = 0;
	int r = 0;

	if (!h)
		return 0;
	(void)pthread_mutex_lock(&h->lock);
	while (i < h->n_fields && !sw_streq(h->fields[i].name, name))
		i++;
	if (i == FIELDS_MAX) {
		r = -ENOSPC;
	} else {
		if (i == h->n_fields)
			h->fields[h->n_fields++].name = sw_strdup(name);
		free(h->fields[i].value);
		h->fields[i].value = sw_strdup(value ? value : "");
	}
	(void)pthread_mutex_unlock(&h->lock);
	return r;
}

void sw_health_overall(struct sw_health *h, enum sw_check_state state, const char *why)
{
	if (!h)
		return;
	(void)pthread_mutex_lock(&h->lock);
	h->overall = state;
	why_copy(h->why, why);
	(void)pthread_mutex_unlock(&h->lock);
}

/* ---- checks ---- */

/* Under the lock of h: the one of that name, or a new one (*ret_new); NULL when there is no room. */
static struct sw_check *check_get(struct sw_health *h, const char *name, bool *ret_new)
{
	pthread_condattr_t attr;
	struct sw_check *c;

	*ret_new = false;
	for (unsigned i = 0; i < h->n_checks; i++)
		if (sw_streq(h->checks[i]->name, name))
			return h->checks[i];
	if (h->n_checks == SW_CHECKS_MAX)
		return NULL;
	*ret_new = true;
	c = sw_calloc(1, sizeof *c);
	(void)pthread_mutex_init(&c->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&c->wake, &attr);
	(void)pthread_condattr_destroy(&attr);
	c->name = sw_strdup(name);
	c->refs = 1;
	c->state = SW_CHECK_FAIL;
	c->at = sw_clock_mono();
	return c;
}

struct sw_check *sw_health_check(struct sw_health *h, const char *name, int64_t stale_ms, unsigned flags)
{
	struct sw_check *c;
	bool fresh;

	if (!h)
		return NULL;
	(void)pthread_mutex_lock(&h->lock);
	c = check_get(h, name, &fresh);
	if (c && fresh) {
		c->stale = SW_MAX(stale_ms, (int64_t)0);
		c->flags = flags;
		h->checks[h->n_checks++] = c;
	}
	(void)pthread_mutex_unlock(&h->lock);
	return c;
}

/* Under the lock of c. */
static void check_report(struct sw_check *c, enum sw_check_state state, const char *why)
{
	c->state = state;
	c->reported = true;
	c->at = sw_clock_mono();
	why_copy(c->why, why);
}

void sw_check_set(struct sw_check *c, enum sw_check_state state, const char *why)
{
	if (!c)
		return;
	(void)pthread_mutex_lock(&c->lock);
	check_report(c, state, why);
	(void)pthread_mutex_unlock(&c->lock);
}

void sw_check_number(struct sw_check *c, const char *name, double v)
{
	unsigned i = 0;

	if (!c)
		return;
	(void)pthread_mutex_lock(&c->lock);
	while (i < c->n_numbers && !sw_streq(c->numbers[i].name, name))
		i++;
	if (i < NUMBERS_MAX) {
		if (i == c->n_numbers)
			c->numbers[c->n_numbers++].name = sw_strdup(name);
		c->numbers[i].v = v;
	}
	(void)pthread_mutex_unlock(&c->lock);
}

static void *check_thread(void *arg)
{
	struct sw_check *c = arg;
	sigset_t all;

	/* Signals are the service's own threads' business. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, NULL);
	(void)pthread_mutex_lock(&c->lock);
	while (!c->stop) {
		char why[WHY_MAX] = "";
		enum sw_check_state state;
		sw_dur until;

		c->running = true;
		c->running_since = sw_clock_mono();
		(void)pthread_mutex_unlock(&c->lock);
		state = c->fn(c->arg, why, sizeof why);
		why[sizeof why - 1] = '\0';
		(void)pthread_mutex_lock(&c->lock);
		c->running = false;
		check_report(c, state, why);
		until = c->at + c->every;
		while (!c->stop && sw_clock_mono() < until)
			(void)pthread_cond_timedwait(&c->wake, &c->lock, &(struct timespec){ until / 1000, until % 1000 * 1000000 });
	}
	(void)pthread_mutex_unlock(&c->lock);
	check_put(c);
	return NULL;
}

struct sw_check *sw_health_ask(struct sw_health *h, const char *name, sw_check_fn fn, void *arg, int64_t every_ms, int64_t timeout_ms,
                               unsigned flags)
{
	struct sw_check *c;
	bool fresh;

	if (!h)
		return NULL;
	(void)pthread_mutex_lock(&h->lock);
	c = check_get(h, name, &fresh);
	if (c && fresh) {
		c->fn = fn;
		c->arg = arg;
		c->every = SW_MAX(every_ms, (int64_t)10);
		c->timeout = SW_MAX(timeout_ms, (int64_t)1);
		c->flags = flags;
		c->refs = 2;
		if (pthread_create(&c->thread, NULL, check_thread, c) != 0) {
			c->refs = 1;
			check_put(c);
			c = NULL;
		} else {
			h->checks[h->n_checks++] = c;
		}
	}
	(void)pthread_mutex_unlock(&h->lock);
	return c;
}

/* ---- the page ---- */

/* Under the lock of c: what it is now, and why; age: of the last report. */
static enum sw_check_state check_now(const struct sw_check *c, sw_dur now, char why[WHY_MAX])
{
	why_copy(why, c->why);
	if (c->running && now - c->running_since > c->timeout) {
		(void)snprintf(why, WHY_MAX, "no answer for %lld s", (long long)((now - c->running_since) / 1000));
		return SW_CHECK_FAIL;
	}
	if (!c->reported) {
		(void)snprintf(why, WHY_MAX, "not known yet");
		return SW_CHECK_FAIL;
	}
	if (c->stale && now - c->at > c->stale) {
		(void)snprintf(why, WHY_MAX, "nothing heard for %lld s", (long long)((now - c->at) / 1000));
		return SW_CHECK_FAIL;
	}
	return c->state;
}

/* Return: whether the whole fails by it; reason, where it has none yet. */
static bool check_print(struct sw_check *c, sw_dur now, struct sw_jw *w, struct sw_buf *reason)
{
	static const char *const words[] = { "ok", "fail", "off" };
	enum sw_check_state state;
	char why[WHY_MAX];
	bool fails;

	(void)pthread_mutex_lock(&c->lock);
	state = check_now(c, now, why);
	sw_jw_obj(w, c->name);
	sw_jw_str(w, "status", words[state <= SW_CHECK_OFF ? state : SW_CHECK_FAIL]);
	if (*why)
		sw_jw_str(w, "reason", why);
	if (c->reported)
		sw_jw_num(w, "age_s", (double)SW_MAX(now - c->at, (sw_dur)0) / 1000);
	for (unsigned i = 0; i < c->n_numbers; i++)
		if (isfinite(c->numbers[i].v))
			sw_jw_num(w, c->numbers[i].name, c->numbers[i].v);
	sw_jw_obj_end(w);
	fails = state != SW_CHECK_OK && state != SW_CHECK_OFF && !(c->flags & SW_CHECK_ADVISORY);
	if (fails && !reason->n)
		sw_buf_printf(reason, "%s: %s", c->name, *why ? why : "fails");
	(void)pthread_mutex_unlock(&c->lock);
	return fails;
}

int sw_health_print(struct sw_health *h, struct sw_buf *out)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf checks = SW_BUF_INIT, reason = SW_BUF_INIT;
	sw_dur now = sw_clock_mono();
	struct sw_jw w;
	bool fails;

	(void)pthread_mutex_lock(&h->lock);
	fails = h->overall == SW_CHECK_FAIL;
	if (fails)
		sw_buf_cat(&reason, *h->why ? h->why : "the service says so");
	sw_jw_init(&w, &checks);
	sw_jw_obj(&w, NULL);
	for (unsigned i = 0; i < h->n_checks; i++)
		fails = check_print(h->checks[i], now, &w, &reason) || fails;
	sw_jw_obj_end(&w);

	sw_jw_init(&w, out);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "status", fails ? "fail" : "ok");
	if (fails)
		sw_jw_str(&w, "reason", sw_buf_str(&reason));
	for (unsigned i = 0; i < h->n_fields; i++)
		sw_jw_str(&w, h->fields[i].name, h->fields[i].value);
	sw_jw_str(&w, "version", h->version);
	sw_jw_str(&w, "commit", h->commit);
	sw_jw_str(&w, "built", h->built);
	sw_jw_int(&w, "uptime_s", (now - h->started) / SW_SECOND);
	sw_jw_raw(&w, "checks", sw_buf_str(&checks), checks.n);
	sw_jw_obj_end(&w);
	(void)pthread_mutex_unlock(&h->lock);
	return fails ? 503 : 200;
}

int sw_health_text(struct sw_health *h, char **ret, size_t *ret_n)
{
	struct sw_buf b = SW_BUF_INIT;
	int status = 503;

	if (h)
		status = sw_health_print(h, &b);
	else
		sw_buf_cat(&b, "{\"status\":\"fail\",\"reason\":\"no health was set up\"}");
	*ret_n = b.n;
	*ret = sw_buf_take(&b);
	return status;
}
