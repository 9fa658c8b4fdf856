/*
 * Explanations of watches, one at a time, by our own program: time is run once more over all that was kept, which may take a second, and
 * the recorder has other things to do.
 *
 *   look ──a verdict a few seconds old?──▶ shipwatch explain WATCH --json -o FILE ──▶ the history
 *     ▲                                         │ failed: again after a while, three times
 *     └─────────────────────────────────────────┘
 *
 * What is owed stands in the history (owed.c), the newest first; what is older than a few hours stays as it is: what it would take is
 * going. The page of such a watch says so.
 */
#include "dashboard/explained.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "dashboard/owed.h"
#include "dashboard/store_inner.h"
#include "io/loop.h"
#include "io/spawn.h"
#include "shipwatch/buf.h"
#include "shipwatch/clock.h"
#include "shipwatch/log.h"

#define LOG "explained"

#define EXPLAIN_AFTER   (3 * SW_SECOND)   /* the verdict's readings and its action are in by then */
#define EXPLAIN_BACK    (6 * SW_HOUR)
#define EXPLAIN_LIMIT   (20 * SW_SECOND)
#define EXPLAIN_AGAIN   (20 * SW_SECOND)
#define EXPLAIN_TRIES   3
#define EXPLAIN_BYTES   ((size_t)768 << 10)
#define EXPLAIN_IDLE    SW_MINUTE
#define EXPLAIN_BETWEEN (SW_SECOND / 5)   /* a hundred verdicts at once leave the processor to others */

struct sw_explained {
	struct sw_loop *loop;
	const struct sw_explained_options *opt;
	struct sw_spawner *spawner;
	struct sw_spawn *running;      /* NULL: none */
	struct sw_store *store;
	struct sw_timer timer;
	char *program, *file;          /* file: what it writes */
	char watch[64], state[16];     /* of what runs, or of the last one */
	int tries;                     /* of that one */
	bool soon;                     /* the timer is set for news; others that come do not move it */
	char said[512];                /* said last of the history */
};

/* Said once until it is something else. */
static void explained_trouble(struct sw_explained *x, const char *what)
{
	if (strcmp(what, x->said) != 0)
		SW_WARN(LOG, "%s, trying again in %d s", what, (int)(EXPLAIN_AGAIN / SW_SECOND));
	(void)snprintf(x->said, sizeof x->said, "%s", what);
	sw_timer_set(&x->timer, EXPLAIN_AGAIN);
}

static void explained_put(struct sw_explained *x, const char *json)
{
	struct sw_err err = SW_ERR_INIT;

	if (!x->store)
		return;
	if (sw_owed_explained(x->store, x->watch, x->state, json, &err) < 0) {
		explained_trouble(x, err.text);
		return;
	}
	x->said[0] = '\0';
	if (json && x->opt->stored)
		x->opt->stored(x->opt->arg);
	sw_timer_set(&x->timer, EXPLAIN_BETWEEN);
}

/* The last line that it said, without our own name. */
static void explained_why(const struct sw_result *res, char *out, size_t size)
{
	const char *line = res->fault != SW_FAULT_NONE && res->detail ? res->detail : res->body, *end;

	if (sw_starts(line, "shipwatch: "))
		line += strlen("shipwatch: ");
	end = line + strcspn(line, "\n");
	(void)sw_err_quote(line, SW_MIN((size_t)(end - line), size / 2), out, size);
}

/* It will never be explained: what it takes is gone. */
static bool explained_gone(const struct sw_result *res)
{
	static const char *const words[] = { "there is no watch", "is not kept any more", "are not there any more" };

	for (size_t i = 0; i < SW_COUNT(words); i++)
		if (res->fault == SW_FAULT_NONE && strstr(res->body, words[i]))
			return true;
	return false;
}

static void explained_done(void *arg, const struct sw_result *res)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_explained *x = arg;
	char why[300] = "it says nothing";
	int r = -EIO;

	x->running = NULL;
	if (res->fault == SW_FAULT_NONE && res->status == 0 && !res->timed_out)
		r = sw_file_read(x->file, EXPLAIN_BYTES, &b, NULL);
	(void)unlink(x->file);
	if (r == 0 && sw_json_check(sw_buf_str(&b), b.n, NULL) == 0) {
		explained_put(x, sw_buf_str(&b));
		return;
	}
	if (r < 0 && r != -EIO)
		(void)snprintf(why, sizeof why, "%s", r == -EFBIG ? "it is too long" : strerror(-r));
	else if (res->timed_out)
		(void)snprintf(why, sizeof why, "it took longer than %d s", (int)(EXPLAIN_LIMIT / SW_SECOND));
	else
		explained_why(res, why, sizeof why);
	if (++x->tries >= EXPLAIN_TRIES || explained_gone(res)) {
		SW_WARN(LOG, "watch %s cannot be explained: %s", x->watch, why);
		explained_put(x, NULL);
		return;
	}
	SW_INFO(LOG, "watch %s is not explained yet: %s, trying again in %d s", x->watch, why, (int)(EXPLAIN_AGAIN / SW_SECOND));
	sw_timer_set(&x->timer, EXPLAIN_AGAIN);
}

/* The configuration may name what is in the environment, and lie beside where we are. */
static const char **explained_env(struct sw_arena *a)
{
	const char **env;
	size_t n = 0;
	char cwd[4096];

	while (environ[n])
		n++;
	env = SW_ARENA_ARRAY(a, const char *, n + 2);
	n = 0;
	for (char **e = environ; *e; e++)
		if (!sw_starts(*e, "PWD="))
			env[n++] = *e;
	if (getcwd(cwd, sizeof cwd))
		env[n++] = sw_arena_printf(a, "PWD=%s", cwd);
	return env;
}

static void explained_start(struct sw_explained *x, const struct sw_owed_watch *w, struct sw_arena *a)
{
	const char *argv[16];
	struct sw_job job = { .kind = SW_JOB_EXEC, .timeout = EXPLAIN_LIMIT, .argv = argv, .env = explained_env(a) };
	size_t n = 0;

	if (strcmp(w->watch, x->watch) != 0 || strcmp(w->state, x->state) != 0)
		x->tries = 0;
	(void)snprintf(x->watch, sizeof x->watch, "%s", w->watch);
	(void)snprintf(x->state, sizeof x->state, "%s", w->state);
	free(x->file);
	x->file = sw_strdup(sw_arena_printf(a, "%s.explained", x->store->path));
	argv[n++] = x->program;
	argv[n++] = "explain";
	argv[n++] = x->watch;
	argv[n++] = "--json";
	argv[n++] = sw_arena_printf(a, "--place=%s/%s", w->service, w->environment);
	argv[n++] = sw_arena_printf(a, "--output=%s", x->file);
	if (x->opt->config_path)
		argv[n++] = sw_arena_printf(a, "--config=%s", x->opt->config_path);
	if (x->opt->redis_url)
		argv[n++] = sw_arena_printf(a, "--redis=%s", x->opt->redis_url);
	argv[n] = NULL;
	x->running = sw_spawn_do(x->spawner, &job, NULL, NULL, explained_done, x);
}

static void explained_next(void *arg)
{
	struct sw_explained *x = arg;
	struct sw_err err = SW_ERR_INIT;
	struct sw_owed_watch w;
	struct sw_arena a = { 0 };
	sw_ms now = sw_loop_wall(x->loop);
	int r;

	x->soon = false;
	if (x->running || !x->store)
		return;
	r = sw_owed_watch(x->store, now - EXPLAIN_BACK, now - EXPLAIN_AFTER, &a, &w, &err);
	if (r == 1)
		explained_start(x, &w, &a);
	else if (r < 0)
		explained_trouble(x, err.text);
	else
		sw_timer_set(&x->timer, EXPLAIN_IDLE);
	sw_arena_fini(&a);
}

void sw_explained_look(struct sw_explained *x)
{
	if (x->running || !x->store || x->soon || (x->tries && sw_timer_armed(&x->timer)))
		return;
	x->soon = true;
	sw_timer_set(&x->timer, EXPLAIN_AFTER + SW_SECOND / 2);
}

void sw_explained_store(struct sw_explained *x, struct sw_store *s)
{
	x->store = s;
	x->soon = false;
	if (s)
		sw_timer_set(&x->timer, SW_SECOND);
	else
		sw_timer_stop(&x->timer);
}

static char *explained_self(void)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	self[n > 0 ? n : 0] = '\0';
	/* Replaced by a newer one meanwhile: this one is still there by this name. */
	return sw_strdup(n > 0 && access(self, X_OK) == 0 ? self : "/proc/self/exe");
}

int sw_explained_new(struct sw_loop *loop, const struct sw_explained_options *opt, struct sw_explained **ret)
{
	struct sw_explained *x = sw_calloc(1, sizeof *x);
	struct sw_err err = SW_ERR_INIT;
	int r = sw_spawner_new(loop, NULL, NULL, &x->spawner, &err);

	if (r < 0) {
		SW_ERROR(LOG, "%s", err.text);
		free(x);
		return r;
	}
	x->loop = loop;
	x->opt = opt;
	x->program = opt->program ? sw_strdup(opt->program) : explained_self();
	sw_timer_init(&x->timer, loop, explained_next, x);
	*ret = x;
	return 0;
}

void sw_explained_free(struct sw_explained *x)
{
	if (!x)
		return;
	sw_timer_stop(&x->timer);
	sw_spawner_free(x->spawner);
	if (x->running && x->file)
		(void)unlink(x->file);
	free(x->program);
	free(x->file);
	free(x);
}
