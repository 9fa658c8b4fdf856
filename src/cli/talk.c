/* One command's conversation with Redis. */
#include "cli/talk.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "bus/bus.h"
#include "io/loop.h"
#include "shipwatch/clock.h"

#define CONNECT_MAX (5 * SW_SECOND)
#define ANSWER_NODES ((size_t)200000)

const char *sw_cli_state_dir(const char *option, const struct sw_config *cfg, struct sw_arena *a)
{
	const char *xdg = getenv("XDG_STATE_HOME");

	if (option)
		return option;
	if (cfg && cfg->state_dir)
		return cfg->state_dir;
	return xdg && *xdg == '/' ? sw_arena_printf(a, "%s/shipwatch", xdg) : "var/shipwatch";
}

/* NULL: nowhere, told. */
static const char *talk_url(struct sw_talk *t)
{
	const char *ret, *dir;
	char *real;

	if (t->c.config && !(t->cfg = sw_cli_config(t->c.config, NULL, false)) && !t->c.redis_url)
		return NULL; /* its mistakes were told; where the Redis is said, it goes on without the rest */
	ret = t->c.redis_url ? t->c.redis_url : t->cfg ? t->cfg->redis_url : NULL;
	if (!ret) {
		dir = sw_arena_printf(&t->a, "%s/redis/sock", sw_cli_state_dir(t->state_dir, t->cfg, &t->a));
		real = realpath(dir, NULL);
		if (real)
			ret = sw_arena_printf(&t->a, "unix://%s", real);
		else
			(void)fprintf(stderr, "shipwatch: no Redis: %s is not there; is `shipwatch up` running, or should -c FILE, --state-dir or --redis say where?\n",
			              dir);
		free(real);
	}
	return ret;
}

static void talk_state(void *arg, bool up, const char *why)
{
	struct sw_talk *t = arg;

	t->up = up;
	(void)snprintf(t->why, sizeof t->why, "%s", why ? why : "");
}

static void talk_late(void *arg) { ((struct sw_talk *)arg)->done = true; }

int sw_talk_open(struct sw_talk *t)
{
	struct sw_bus_options o = { .connections = 1, .on_state = talk_state, .arg = t };
	struct sw_err err = SW_ERR_INIT;
	struct sw_timer late = { 0 };
	const struct passwd *pw = getpwuid(getuid());
	int r;

	if (!t->who)
		t->who = pw ? sw_arena_strdup(&t->a, pw->pw_name) : "somebody";
	o.url = talk_url(t);
	if (!o.url)
		return -ENOENT;
	r = sw_loop_new(&t->loop);
	if (r == 0)
		r = sw_bus_new(t->loop, &o, &t->bus, &err);
	if (r < 0) {
		(void)fprintf(stderr, "shipwatch: %s\n", err.text[0] ? err.text : strerror(-r));
		return r;
	}
	sw_timer_init(&late, t->loop, talk_late, t);
	sw_timer_set(&late, CONNECT_MAX);
	t->done = false;
	while (!t->up && !t->done && r == 0)
		r = sw_loop_turn(t->loop, true);
	sw_timer_stop(&late);
	if (t->up)
		return 0;
	(void)fprintf(stderr, "shipwatch: Redis is not reached%s%s\n", t->why[0] ? ": " : "", t->why);
	return -ENOTCONN;
}

struct sw_decider sw_talk_by(const struct sw_talk *t)
{
	sw_ms now = t->bus ? sw_bus_now(t->bus) : 0;

	return (struct sw_decider){ .who = t->who, .via = "command line", .at = now ? now : sw_clock_wall() };
}

void sw_talk_close(struct sw_talk *t)
{
	if (t->bus)
		sw_bus_free(t->bus);
	if (t->loop)
		sw_loop_free(t->loop);
	if (t->cfg)
		sw_config_put(t->cfg);
	free(t->text);
	sw_arena_fini(&t->a);
	*t = (struct sw_talk){ 0 };
}

static void talk_done(void *arg, int r)
{
	struct sw_talk *t = arg;

	t->r = r;
	t->done = true;
}

static void talk_answer(void *arg, int r, const char *json)
{
	struct sw_talk *t = arg;

	free(t->text);
	t->text = sw_strdup(json);
	talk_done(t, r);
}

/* Until the answer of the call just made. */
static int talk_wait(struct sw_talk *t, const char *what)
{
	int r = 0;

	while (!t->done && r == 0)
		r = sw_loop_turn(t->loop, true);
	if (r == 0)
		r = t->r < 0 ? t->r : 0;
	if (r < 0)
		(void)fprintf(stderr, "shipwatch: %s: %s%s%s\n", what, r == -EIO ? "no answer, it may have happened or not" : strerror(-r),
		              sw_bus_error(t->bus)[0] ? ": " : "", sw_bus_error(t->bus));
	return r;
}

int sw_talk_query(struct sw_talk *t, const char *what, struct sw_jnode **ret)
{
	struct sw_err err = SW_ERR_INIT;
	int r;

	*ret = NULL;
	t->done = false;
	sw_bus_query(t->bus, what, talk_answer, t);
	r = talk_wait(t, what);
	if (r < 0 || !t->text)
		return r;
	r = sw_jtree_parse(&t->a, t->text, strlen(t->text), ANSWER_NODES, ret, &err);
	if (r < 0)
		(void)fprintf(stderr, "shipwatch: %s: %s\n", what, err.text);
	return r;
}

static void talk_loaded(void *arg, int r, const struct sw_loaded *l) { talk_answer(arg, r, r < 0 ? NULL : l->keeps[0]); }

int sw_talk_list(struct sw_talk *t, const char *key, struct sw_jnode **ret)
{
	const char *const keys[] = { key, NULL };
	struct sw_load load = { .aggregate = "cli:none", .keeps = keys };
	struct sw_err err = SW_ERR_INIT;
	int r;

	*ret = NULL;
	t->done = false;
	sw_bus_load(t->bus, &load, talk_loaded, t);
	r = talk_wait(t, key);
	if (r < 0 || !t->text)
		return r;
	r = sw_jtree_parse(&t->a, t->text, strlen(t->text), ANSWER_NODES, ret, &err);
	if (r < 0)
		(void)fprintf(stderr, "shipwatch: %s: %s\n", key, err.text);
	return r;
}

const char *sw_talk_text(const struct sw_talk *t) { return t->text ? t->text : "null"; }

int sw_talk_append(struct sw_talk *t, const char *aggregate, const char *msg)
{
	t->done = false;
	sw_bus_append(t->bus, aggregate, msg, talk_done, t);
	return talk_wait(t, aggregate);
}

static void talk_number(void *arg, int r, int64_t value)
{
	struct sw_talk *t = arg;

	t->number = value;
	talk_done(t, r);
}

int sw_talk_dead_end(struct sw_talk *t, const char *id, bool again)
{
	const struct sw_decider by = sw_talk_by(t);
	int r;

	t->done = false;
	sw_bus_dead_end(t->bus, id, again, &by, talk_number, t);
	r = talk_wait(t, id);
	return r < 0 ? r : (int)t->number;
}

int sw_talk_hold(struct sw_talk *t, const char *scope, bool on, const char *why)
{
	const struct sw_decider by = sw_talk_by(t);

	t->done = false;
	sw_bus_hold(t->bus, scope, on, &by, why, talk_done, t);
	return talk_wait(t, "hold");
}
