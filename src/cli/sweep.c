/*
 * shipwatch sweep: asks a git host which deliveries failed, and has them sent again.
 *
 * One that arrived after all is a duplicate to the gateway, so it does not matter how often this runs, or from where. What is sent
 * again is told by the host's own id of the event: one of which any try was answered with 2xx is well. Oldest first, as they happened.
 * A host's limits are waited for, up to --patience in all.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/map.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/http.h"
#include "cli/options.h"
#include "shipwatch/clock.h"

#define PAGES_MOST 2000
#define HOOKS_MOST 200
#define WAIT_TOLD  60 /* s, where a host limits us without saying for how long */

enum outcome { OUT_FAILED, OUT_SENT, OUT_STILL, OUT_LEFT, OUT_OURS, OUT_COUNT };
static const char *const outcomes[OUT_COUNT] = { "failed", "sent", "still-failing", "left", "refused-by-us" };

/* One event of the host and its newest try. */
struct event { struct sw_tried t; bool well; enum outcome out; };

struct sweeping {
	const struct sw_config *cfg;
	const struct sw_conf_source *src;
	const struct sw_sweep *how;
	struct sw_arena a;
	struct sw_hook hook;
	sw_ms from;
	sw_dur patience;               /* what is left of it */
	bool dry_run, json, problem;
	struct sw_jw jw;
	struct sw_buf out;
	/* of the hook in hand */
	struct sw_map by_event;
	struct event **events;
	size_t n, cap, tries, counts[OUT_COUNT];
	sw_dur sent[8];                /* when the last ones were sent again */
	size_t n_sent;
};

static const char *sweep_name(struct sweeping *s)
{
	const char *kind = strcmp(s->src->kind, "gitlab") == 0 ? "groups/" : "orgs/";

	return sw_arena_printf(&s->a, "%s%s%s%s", s->hook.group ? kind : "", s->hook.owner, s->hook.id ? "#" : "", s->hook.id ? s->hook.id : "");
}

static int sweep_complain(struct sweeping *s, const char *what)
{
	s->problem = true;
	(void)fprintf(stderr, "shipwatch: sweep: %s: %s\n", sweep_name(s), what);
	return -1;
}

/* ---- asking ---- */

static void sweep_sleep(sw_dur how_long)
{
	(void)nanosleep(&(struct timespec){ how_long / 1000, how_long % 1000 * 1000000 }, NULL);
}

/* False: there is no patience left for it. */
static bool sweep_wait(struct sweeping *s, sw_dur how_long)
{
	if (how_long > s->patience)
		return false;
	if (isatty(STDERR_FILENO))
		(void)fprintf(stderr, "%s limits how often it is asked, waiting %lld s\n", s->src->kind, (long long)(how_long + 999) / 1000);
	s->patience -= how_long;
	sweep_sleep(how_long);
	return true;
}

/* How long the host wants to be left alone; 0: it does not say so. */
static sw_dur sweep_limit(const struct sw_result *res)
{
	const char *after = sw_result_header(res, "retry-after"), *left = sw_result_header(res, "x-ratelimit-remaining"),
		   *reset = sw_result_header(res, "x-ratelimit-reset");
	long long s = after ? strtoll(after, NULL, 10) : 0;

	if (res->status != 429 && !(res->status == 403 && (after || (left && strcmp(left, "0") == 0))))
		return 0;
	if (!after && reset)
		s = strtoll(reset, NULL, 10) - sw_clock_wall() / 1000;
	else if (!after)
		s = WAIT_TOLD;
	return SW_MAX(s, 1) * SW_SECOND;
}

static const char *sweep_refused(struct sweeping *s, const struct sw_result *res)
{
	bool gitlab = strcmp(s->src->kind, "gitlab") == 0;
	const char *rights = gitlab ? "it wants the scope api and the role Maintainer" : "it wants to read and write webhooks (admin:repo_hook, admin:org_hook)";

	switch (res->status) {
	case 401: return "api_token is not accepted (HTTP 401)";
	case 403: return sw_arena_printf(&s->a, "api_token may not do this (HTTP 403): %s", rights);
	case 404: return sw_arena_printf(&s->a, "there is no such hook, or api_token may not see it (HTTP 404): %s", rights);
	default: return sw_arena_printf(&s->a, "%s answered HTTP %d", s->src->kind, res->status);
	}
}

/* Return: 0 and a 2xx answer; -1: told; 1: limits are in the way and patience is over. */
static int sweep_ask(struct sweeping *s, const struct sw_job *job, struct sw_result *ret)
{
	struct sw_err err = SW_ERR_INIT;
	sw_dur limit;

	for (;;) {
		memset(ret, 0, sizeof *ret);
		if (sw_cli_http(s->cfg, job, &s->a, ret, &err) < 0)
			return sweep_complain(s, err.text);
		if (ret->fault != SW_FAULT_NONE)
			return sweep_complain(s, ret->detail ? ret->detail : "no answer");
		limit = sweep_limit(ret);
		if (limit && sweep_wait(s, limit))
			continue;
		if (limit)
			return 1;
		return ret->status >= 200 && ret->status < 300 ? 0 : sweep_complain(s, sweep_refused(s, ret));
	}
}

/* ---- which hook ---- */

/* "acme/web", "acme/web#12", "orgs/acme", "groups/a/b#3". Return: 0, or -1: it is none. */
static int sweep_parse(struct sweeping *s, const char *text)
{
	const char *hash = strchr(text, '#'), *group = strcmp(s->src->kind, "gitlab") == 0 ? "groups/" : "orgs/";

	s->hook = (struct sw_hook){ .group = sw_starts(text, group) };
	if (s->hook.group)
		text += strlen(group);
	s->hook.owner = sw_arena_strndup(&s->a, text, hash ? (size_t)(hash - text) : strlen(text));
	s->hook.id = hash ? sw_arena_strdup(&s->a, hash + 1) : NULL;
	if (!*s->hook.owner)
		return sweep_complain(s, "want a repository such as acme/web, or its hook acme/web#123");
	if (s->hook.id && (!*s->hook.id || strlen(s->hook.id) > 20 || s->hook.id[strspn(s->hook.id, "0123456789")]))
		return sweep_complain(s, "the id of a hook is a number");
	return 0;
}

/* By the address it posts to. */
static int sweep_find(struct sweeping *s)
{
	const char *page = NULL, *next, *address;
	struct sw_err err = SW_ERR_INIT;
	struct sw_result res;
	struct sw_job job;
	int r;

	if (!s->cfg->hooks_url)
		return sweep_complain(s, "hooks_url (or public_url) would tell which hook is ours; or name its id: acme/web#123");
	address = sw_arena_printf(&s->a, "%s/hooks/%s", s->cfg->hooks_url, s->src->name);
	for (int i = 0; i < PAGES_MOST; i++, page = next) {
		if (s->how->hooks(&s->src->api, &s->hook, page, &s->a, &job, &err) < 0)
			return sweep_complain(s, err.text);
		r = sweep_ask(s, &job, &res);
		if (r)
			return r < 0 ? r : sweep_complain(s, "the host limits how often it is asked; try again later");
		if (s->how->hooks_read(&res, address, &s->a, &s->hook.id, &next, &err) < 0)
			return sweep_complain(s, err.text);
		if (s->hook.id)
			return 0;
		if (!next)
			break;
	}
	return sweep_complain(s, sw_arena_printf(&s->a, "no hook posts to %s", address));
}

/* ---- which events ---- */

static void sweep_note(struct sweeping *s, const struct sw_tried *t)
{
	struct event *e = sw_map_get(&s->by_event, t->event);

	s->tries++;
	if (!e) {
		e = SW_ARENA_NEW(&s->a, struct event);
		e->t = *t; /* newest first: this is the newest */
		(void)sw_map_set(&s->by_event, t->event, e);
		if (s->n == s->cap) {
			s->cap = s->cap ? 2 * s->cap : 64;
			s->events = sw_realloc(s->events, s->cap * sizeof *s->events);
		}
		s->events[s->n++] = e;
	}
	e->well |= t->status >= 200 && t->status < 300;
}

/* All tries since then. Return: 0, or -1: told. */
static int sweep_list(struct sweeping *s)
{
	const char *page = NULL;
	bool older = false;

	for (int i = 0; i < PAGES_MOST && !older; i++) {
		struct sw_err err = SW_ERR_INIT;
		struct sw_tries tries = { 0 };
		struct sw_result res;
		struct sw_job job;
		int r;

		if (s->how->tries(&s->src->api, &s->hook, page, &s->a, &job, &err) < 0)
			return sweep_complain(s, err.text);
		r = sweep_ask(s, &job, &res);
		if (r)
			return r < 0 ? r : sweep_complain(s, "the host limits how often it is asked; try again later");
		if (s->how->tries_read(&res, &s->a, &tries, &err) < 0)
			return sweep_complain(s, err.text);
		for (size_t k = 0; k < tries.n; k++) {
			if (tries.items[k].at && tries.items[k].at < s->from)
				older = true;
			else
				sweep_note(s, &tries.items[k]);
		}
		page = tries.next;
		if (!page)
			break;
	}
	return 0;
}

/* ---- again ---- */

/* As often as the host lets one hook in a minute. False: patience is over. */
static bool sweep_pace(struct sweeping *s)
{
	size_t most = SW_MIN((size_t)s->how->per_minute, SW_COUNT(s->sent));
	sw_dur now = sw_clock_mono();

	if (!most)
		return true;
	if (s->n_sent == most) {
		sw_dur wait = s->sent[0] + SW_MINUTE - now;

		if (wait > 0 && !sweep_wait(s, wait))
			return false;
		memmove(&s->sent[0], &s->sent[1], (most - 1) * sizeof s->sent[0]);
		s->n_sent--;
	}
	s->sent[s->n_sent++] = sw_clock_mono();
	return true;
}

static enum outcome sweep_again(struct sweeping *s, const struct event *e)
{
	struct sw_err err = SW_ERR_INIT;
	struct sw_result res;
	struct sw_job job;
	int r, status;

	if (e->t.status == 400 || e->t.status == 413 || e->t.status == 415)
		return OUT_OURS; /* the gateway cannot read it, and could not the next time */
	if (s->dry_run)
		return OUT_FAILED;
	if (!sweep_pace(s))
		return OUT_LEFT;
	if (s->how->again(&s->src->api, &s->hook, e->t.id, &s->a, &job, &err) < 0) {
		(void)sweep_complain(s, err.text);
		return OUT_LEFT;
	}
	r = sweep_ask(s, &job, &res);
	if (r)
		return OUT_LEFT;
	status = s->how->again_read(&res, &s->a);
	return status && (status < 200 || status > 299) ? OUT_STILL : OUT_SENT;
}

static void sweep_tell(struct sweeping *s, const struct event *e)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	const char *at;

	if (e->t.at)
		sw_time_print(e->t.at, &b);
	at = sw_buf_str(&b);
	if (s->json) {
		sw_jw_obj(&s->jw, NULL);
		sw_jw_str(&s->jw, "id", e->t.id);
		sw_jw_str(&s->jw, "delivery", e->t.event);
		sw_jw_str(&s->jw, "event", e->t.what);
		sw_jw_int(&s->jw, "status", e->t.status);
		sw_jw_opt(&s->jw, "at", at[0] ? at : NULL);
		sw_jw_str(&s->jw, "outcome", outcomes[e->out]);
		sw_jw_obj_end(&s->jw);
		return;
	}
	(void)printf("  %-13s %s %s", outcomes[e->out], e->t.what, e->t.event);
	if (e->t.status)
		(void)printf(", answered %d", e->t.status);
	else
		(void)printf(", %s", e->t.why ? e->t.why : "no answer");
	(void)printf("%s%s\n", at[0] ? ", " : "", at);
	(void)fflush(stdout);
}

static void sweep_failed(struct sweeping *s)
{
	size_t failed = 0;

	for (size_t i = 0; i < s->n; i++)
		failed += !s->events[i]->well;
	if (s->json) {
		sw_jw_obj(&s->jw, NULL);
		sw_jw_str(&s->jw, "hook", sweep_name(s));
		sw_jw_int(&s->jw, "tries", (int64_t)s->tries);
		sw_jw_int(&s->jw, "events", (int64_t)s->n);
		sw_jw_int(&s->jw, "failed", (int64_t)failed);
		sw_jw_arr(&s->jw, "deliveries");
	} else {
		(void)printf("%s: %zu tries of %zu events, %zu failed\n", sweep_name(s), s->tries, s->n, failed);
	}
	for (size_t i = s->n; i-- > 0;) {
		struct event *e = s->events[i];

		if (e->well)
			continue;
		e->out = sweep_again(s, e);
		s->counts[e->out]++;
		sweep_tell(s, e);
	}
	if (s->json) {
		sw_jw_arr_end(&s->jw);
		sw_jw_obj_end(&s->jw);
	}
}

static void sweep_hook(struct sweeping *s, const char *text)
{
	if (sweep_parse(s, text) < 0 || (!s->hook.id && sweep_find(s) < 0))
		return;
	s->n = s->tries = s->n_sent = 0;
	sw_map_fini(&s->by_event);
	s->by_event = (struct sw_map)SW_MAP_INIT;
	if (sweep_list(s) == 0)
		sweep_failed(s);
}

/* The source's hooks; where none are named, the repositories of the services. */
static size_t sweep_hooks(const struct sweeping *s, const char **ret)
{
	const struct sw_places *ps = &s->cfg->places;
	size_t n = 0;

	for (const char **h = s->src->hooks; h && *h && n < HOOKS_MOST; h++)
		ret[n++] = *h;
	for (size_t i = 0; !s->src->hooks && i < ps->n; i++)
		for (const char **r = ps->items[i].repos; r && *r && n < HOOKS_MOST; r++) {
			bool known = strpbrk(*r, "*?") != NULL;

			for (size_t k = 0; k < n && !known; k++)
				known = strcmp(ret[k], *r) == 0;
			if (!known)
				ret[n++] = *r;
		}
	return n;
}

static int sweep_run(struct sweeping *s)
{
	const char *hooks[HOOKS_MOST];
	size_t n = sweep_hooks(s, hooks);

	if (!n) {
		(void)fprintf(stderr, "shipwatch: sweep: no repository is named: `hooks` of the source says whose deliveries are looked at\n");
		return SW_EXIT_WRONG;
	}
	sw_jw_init(&s->jw, &s->out);
	sw_jw_obj(&s->jw, NULL);
	sw_jw_str(&s->jw, "source", s->src->name);
	sw_jw_bool(&s->jw, "dry_run", s->dry_run);
	sw_jw_arr(&s->jw, "hooks");
	for (size_t i = 0; i < n; i++)
		sweep_hook(s, hooks[i]);
	sw_jw_arr_end(&s->jw);
	for (int i = 0; i < OUT_COUNT; i++)
		sw_jw_int(&s->jw, outcomes[i], (int64_t)s->counts[i]);
	sw_jw_obj_end(&s->jw);
	if (s->json)
		(void)printf("%s\n", sw_buf_str(&s->out));
	else if (s->dry_run)
		(void)printf("%zu would be sent again\n", s->counts[OUT_FAILED]);
	else
		(void)printf("%zu sent again, %zu still failing, %zu left for later\n", s->counts[OUT_SENT], s->counts[OUT_STILL], s->counts[OUT_LEFT]);
	return s->problem || s->counts[OUT_STILL] || s->counts[OUT_LEFT] ? SW_EXIT_WRONG : SW_EXIT_OK;
}

/* NULL: it cannot be swept, and why was told. */
static const struct sw_conf_source *sweep_source(const struct sw_config *cfg, const char *path, const char *name)
{
	const struct sw_conf_source *src = sw_config_source(cfg, name);
	const char *names[128], *near;
	size_t n = 0;

	if (!src) {
		for (; n < cfg->n_sources && n < 127; n++)
			names[n] = cfg->sources[n].name;
		names[n] = NULL;
		near = sw_did_you_mean(name, names);
		(void)fprintf(stderr, "shipwatch: %s: no source \"%s\"%s%s%s\n", path, name, near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
		return NULL;
	}
	if (src->queue || !src->plugin->sweep) {
		(void)fprintf(stderr, "shipwatch: sweep: source %s is of kind %s; github and gitlab can be swept\n", name, src->kind);
		return NULL;
	}
	if (!src->api.url || !src->api.token) {
		(void)fprintf(stderr, "shipwatch: sweep: source %s wants api_token%s\n", name, src->api.url || src->plugin->api ? "" : " and api, the address of the host");
		return NULL;
	}
	return src;
}

int sw_cli_sweep(int argc, char **argv)
{
	static const struct sw_usage usage = {
		"sweep SOURCE [--since 3d] [--dry-run] -c FILE",
		"Asks the git host of a source which webhooks failed, and has them sent again, oldest first. What arrived already is a duplicate\n"
		"and changes nothing. The source wants api_token (and api), and `hooks` where its repositories are not those of the services.\n",
		"  1  something could not be asked, still fails, or is left for later because the host limits how often it is asked\n", 1, 1,
	};
	struct sw_common c = { .config = "shipwatch.yaml" };
	struct sweeping s = { .patience = 10 * SW_MINUTE };
	sw_dur since = 0;
	const struct sw_opt opts[] = {
		SW_OPT_CONFIG(&c),
		{ "since", 0, SW_OPT_DUR, &since, "TIME", "how far back (as far as the host has them: GitHub 3d, GitLab 7d)", NULL, SW_MINUTE, 365 * SW_DAY },
		{ "dry-run", 0, SW_OPT_FLAG, &s.dry_run, NULL, "only say what would be sent again" },
		{ "patience", 0, SW_OPT_DUR, &s.patience, "TIME", "how long to wait in all where the host limits how often it is asked (10m)", NULL, 0, SW_DAY },
		SW_OPT_JSON(&c), { 0 },
	};
	struct sw_config *cfg;
	int r;

	if (sw_options_read(&usage, opts, argc, argv, &r) < 0)
		return r;
	cfg = sw_cli_config(c.config, NULL, false);
	if (!cfg)
		return SW_EXIT_WRONG;
	s.cfg = cfg;
	s.json = c.json;
	s.src = sweep_source(cfg, c.config, argv[1]);
	r = SW_EXIT_WRONG;
	if (s.src) {
		s.how = s.src->plugin->sweep;
		s.from = sw_clock_wall() - (since && since < s.how->keeps ? since : s.how->keeps);
		r = sweep_run(&s);
		sw_map_fini(&s.by_event);
	}
	free(s.events);
	sw_buf_fini(&s.out);
	sw_arena_fini(&s.a);
	sw_config_put(cfg);
	return r;
}
