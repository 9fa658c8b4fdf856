/* shipwatch status: roles, queue, holds, dead letters, and what is being watched. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/cli.h"
#include "cli/talk.h"
#include "model/maintenance.h"

#define PLACES 1000

/* "3.2 s", "4 min", "2 h", "3 d" */
static const char *status_age(int64_t ms, char *buf, size_t size)
{
	if (ms < 0)
		ms = 0;
	if (ms < SW_MINUTE)
		(void)snprintf(buf, size, "%lld.%lld s", (long long)(ms / 1000), (long long)(ms % 1000 / 100));
	else if (ms < 2 * SW_HOUR)
		(void)snprintf(buf, size, "%lld min", (long long)(ms / SW_MINUTE));
	else if (ms < 2 * SW_DAY)
		(void)snprintf(buf, size, "%lld h", (long long)(ms / SW_HOUR));
	else
		(void)snprintf(buf, size, "%lld d", (long long)(ms / SW_DAY));
	return buf;
}

static void status_roles(const struct sw_jnode *s)
{
	const struct sw_jnode *w = sw_jget(s, "workers"), *g = sw_jget(s, "gateways");
	char age[32];

	(void)printf("workers   %zu\n", w ? w->n : 0);
	for (const struct sw_jnode *x = w ? w->child : NULL; x; x = x->next)
		(void)printf("  %-30s seen %s ago\n", x->key, status_age(x->i, age, sizeof age));
	(void)printf("gateways  %zu\n", g ? g->n : 0);
	for (const struct sw_jnode *x = g ? g->child : NULL; x; x = x->next)
		(void)printf("  %-30s seen %s ago, %lld bytes in its spool\n", x->key, status_age(sw_jint(x, "silent_ms", 0), age, sizeof age),
		             (long long)sw_jint(x, "spool_bytes", 0));
}

static void status_queue(const struct sw_jnode *s)
{
	char a[32], b[32];

	(void)printf("in        %lld waiting, oldest %s\n", (long long)sw_jint(s, "in", 0),
	             status_age(sw_jint(s, "in_oldest_ms", 0), a, sizeof a));
	(void)printf("work      %lld waiting, oldest %s\n", (long long)sw_jint(s, "work", 0),
	             status_age(sw_jint(s, "work_oldest_ms", 0), b, sizeof b));
	(void)printf("timers    %lld set\ndead      %lld letters\n", (long long)sw_jint(s, "timers", 0), (long long)sw_jint(s, "dead", 0));
}

static void status_hold(const char *scope, const struct sw_jnode *h)
{
	const char *why = sw_jstr(h, "why");

	(void)printf("HOLD      %s, by %s%s%s\n", scope, sw_jstr(h, "by") && *sw_jstr(h, "by") ? sw_jstr(h, "by") : "somebody",
	             why && *why ? ": " : "", why ? why : "");
}

static void status_maintenance_line(const char *scope, sw_ms until, sw_ms now, const char *more)
{
	char age[32];

	(void)printf("MAINT     %s, for another %s%s\n", scope, status_age(until - now, age, sizeof age), more);
}

/* Windows of the configuration (where -c names it), and silences that are one: what is on. Other silences are counted. */
static int status_maintenance(struct sw_talk *t, int64_t now)
{
	const struct sw_jnode *items;
	struct sw_jnode *got;
	size_t silences = 0;
	sw_ms until;
	int r = sw_talk_query(t, "aggregate silences:all", &got);

	for (size_t i = 0; t->cfg && i < t->cfg->n_maintenance; i++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

		if (!sw_maintenance_on(&t->cfg->maintenance[i], now, &until))
			continue;
		sw_maintenance_print(&t->cfg->maintenance[i], &b);
		status_maintenance_line(sw_buf_str(&b), until, now, "");
	}
	items = r == 0 ? sw_jget(sw_jget(got, "state"), "items") : NULL;
	for (const struct sw_jnode *x = items ? items->child : NULL; x; x = x->next) {
		const char *service = sw_jstr(x, "service"), *env = sw_jstr(x, "env"), *rule = sw_jstr(x, "rule"), *why = sw_jstr(x, "why");

		if (sw_jint(x, "until", 0) <= now)
			continue;
		if (sw_jbool(x, "maintenance", false))
			status_maintenance_line(sw_arena_printf(&t->a, "%s/%s%s%s", service ? service : "*", env ? env : "*", rule ? ", rule " : "",
			                                        rule ? rule : ""),
			                        sw_jint(x, "until", 0), now,
			                        sw_arena_printf(&t->a, ", %s by %s%s%s", sw_jstr(x, "id"), sw_jstr(x, "who"), why ? ": " : "", why ? why : ""));
		else
			silences++;
	}
	if (silences)
		(void)printf("silences  %zu, see `shipwatch silence list`\n", silences);
	return r;
}

/* Rollbacks that wait for a person, and what was decided last. */
static void status_asked(const struct sw_jnode *x, int64_t now)
{
	const char *by = sw_jstr(x, "decided_by"), *why = sw_jstr(x, "ask_why");
	char age[32];

	if (sw_streq(sw_jstr(x, "state"), "asking"))
		(void)printf("  rollback %s \"%s\" waits for approval, %s left, then it %s%s%s\n", sw_jstr(x, "id"), sw_jstr(x, "action"),
		             status_age(sw_jint(x, "deadline", now) - now, age, sizeof age), sw_jbool(x, "proceed", false) ? "begins" : "is cancelled",
		             why ? "; " : "", why ? why : "");
	else if (by && now - sw_jint(x, "decided_at", 0) < SW_DAY)
		(void)printf("  rollback %s \"%s\" %s by %s %s ago: %s\n", sw_jstr(x, "id"), sw_jstr(x, "action"),
		             sw_jbool(x, "approved", false) ? "approved" : "refused", by,
		             status_age(now - sw_jint(x, "decided_at", now), age, sizeof age), sw_jstr(x, "state"));
}

static void status_place(const char *name, const struct sw_jnode *state, int64_t now)
{
	const struct sw_jnode *deps = sw_jget(state, "deployments"), *watches = sw_jget(state, "watches"), *acts = sw_jget(state, "actions"),
			      *last = NULL;
	char age[32];

	for (const struct sw_jnode *d = deps ? deps->child : NULL; d; d = d->next)
		last = d;
	(void)printf("%-24s %s%s", name + strlen("place:"), sw_jbool(state, "failing", false) ? "FAILING, " : "",
	             sw_jstr(state, "hold_by") ? "on hold, " : "");
	if (last) {
		const struct sw_jnode *ev = sw_jget(last, "ev");
		const char *sha = sw_jstr(ev, "sha") ? sw_jstr(ev, "sha") : sw_jstr(ev, "short_sha");
		const char *version = sw_jstr(ev, "version");

		(void)printf("last deployment %.12s%s%s %s", sha ? sha : "?", version ? " " : "", version ? version : "",
		             sw_jstr(ev, "status") ? sw_jstr(ev, "status") : "");
	} else {
		(void)printf("no deployment known");
	}
	(void)putchar('\n');
	for (const struct sw_jnode *x = acts ? acts->child : NULL; x; x = x->next)
		status_asked(x, now);
	for (const struct sw_jnode *w = watches ? watches->child : NULL; w; w = w->next) {
		bool done = sw_streq(sw_jstr(w, "state"), "done");
		const char *verdict = sw_jstr(w, "verdict"), *reason = sw_jstr(w, "reason");

		if (done && !sw_streq(sw_jstr(w, "dep"), sw_jstr(last, "id")))
			continue; /* of deployments before: their verdicts were told */
		(void)printf("  watch %s by \"%s\": ", sw_jstr(w, "id"), sw_jstr(w, "rule"));
		if (verdict)
			(void)printf("%s (%s)%s", verdict, reason ? reason : "", done ? "" : ", following");
		else
			(void)printf("%s", sw_jstr(w, "state"));
		if (!verdict && sw_jint(w, "until", 0) > now)
			(void)printf(", ends in %s", status_age(sw_jint(w, "until", now) - now, age, sizeof age));
		if (done && sw_jint(w, "ended", 0))
			(void)printf(", %s ago", status_age(now - sw_jint(w, "ended", now), age, sizeof age));
		(void)putchar('\n');
	}
}

static int status_places(struct sw_talk *t, int64_t now, struct sw_jw *json)
{
	struct sw_jnode *names, *place;
	int r = sw_talk_query(t, sw_arena_printf(&t->a, "aggregates place: %d", PLACES), &names);

	if (json)
		sw_jw_obj(json, "places");
	for (const struct sw_jnode *n = names ? names->child : NULL; n && r == 0; n = n->next) {
		r = sw_talk_query(t, sw_arena_printf(&t->a, "aggregate %s", n->text), &place);
		if (r < 0 || !place)
			continue;
		if (json)
			sw_jw_node(json, n->text + strlen("place:"), sw_jget(place, "state"));
		else
			status_place(n->text, sw_jget(place, "state"), now);
	}
	if (json)
		sw_jw_obj_end(json);
	return r;
}

/* Was this repository and environment shown before? */
static bool unclaimed_again(const struct sw_jnode *list, const struct sw_jnode *u)
{
	for (const struct sw_jnode *x = list->child; x != u; x = x->next)
		if (sw_streq(sw_jstr(x, "repo"), sw_jstr(u, "repo")) && sw_streq(sw_jstr(x, "environment"), sw_jstr(u, "environment")))
			return true;
	return false;
}

/* A YAML string in double quotes is a JSON string. */
static void unclaimed_quoted(const char *before, const char *text, const char *after)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	sw_buf_json(&b, text);
	(void)printf("%s%s%s", before, sw_buf_str(&b), after);
}

/* Deployments that no service claims: what would, ready to be put under services. */
static int status_unclaimed(struct sw_talk *t, struct sw_jw *json)
{
	struct sw_jnode *list;
	int r = sw_talk_list(t, "unclaimed", &list);

	if (json && list)
		sw_jw_node(json, "unclaimed", list);
	for (const struct sw_jnode *u = list && !json ? list->child : NULL; u; u = u->next) {
		const char *repo = sw_jstr(u, "repo"), *env = sw_jstr(u, "environment"), *name;

		if (!repo || !env || unclaimed_again(list, u))
			continue;
		name = strrchr(repo, '/') ? strrchr(repo, '/') + 1 : repo;
		unclaimed_quoted("\nNo service claims environment ", env, "");
		unclaimed_quoted(" of ", repo, ", told by ");
		(void)printf("%s; this would:\n", sw_jstr(u, "source") ? sw_jstr(u, "source") : "?");
		unclaimed_quoted("  services:\n    ", name, ":\n");
		unclaimed_quoted("      repo: ", repo, "\n");
		unclaimed_quoted("      environments: {", env, ": \"https://…/health\"}\n");
	}
	return r;
}

/* "channel   oncall CANNOT BE USED for 12 min: the access_token does not exist; 14 messages wait, oldest 11 min" */
static void status_channel(const char *name, const struct sw_jnode *state, int64_t now)
{
	const struct sw_jnode *down = sw_jget(state, "down"), *waiting = sw_jget(state, "waiting");
	int64_t n = sw_jint(waiting, "total", 0), calls = sw_jint(state, "calls", 0), month = sw_jint(state, "month", 0);
	char age[32];

	if (!down && !n && !calls)
		return;
	(void)printf("channel   %s", name + strlen("channel:"));
	if (down)
		(void)printf(" CANNOT BE USED for %s: %s", status_age(now - sw_jint(down, "since", now), age, sizeof age), sw_jstr(down, "why"));
	if (n)
		(void)printf("%s %lld messages wait, oldest %s", down ? ";" : "", (long long)n, status_age(now - sw_jint(waiting, "from", now), age, sizeof age));
	if (calls)
		(void)printf("%s about %lld calls in %lld-%02lld", down || n ? ";" : "", (long long)calls, (long long)(month / 100), (long long)(month % 100));
	(void)putchar('\n');
}

/* Channels that ever had something waiting. */
static int status_channels(struct sw_talk *t, int64_t now, struct sw_jw *json)
{
	struct sw_jnode *names, *channel;
	int r = sw_talk_query(t, sw_arena_printf(&t->a, "aggregates channel: %d", PLACES), &names);

	if (json)
		sw_jw_obj(json, "channels");
	for (const struct sw_jnode *n = names ? names->child : NULL; n && r == 0; n = n->next) {
		r = sw_talk_query(t, sw_arena_printf(&t->a, "aggregate %s", n->text), &channel);
		if (r < 0 || !channel)
			continue;
		if (json)
			sw_jw_node(json, n->text + strlen("channel:"), sw_jget(channel, "state"));
		else
			status_channel(n->text, sw_jget(channel, "state"), now);
	}
	if (json)
		sw_jw_obj_end(json);
	return r;
}

static int status_text(struct sw_talk *t, const struct sw_jnode *s)
{
	const struct sw_jnode *holds = sw_jget(s, "holds"), *all = sw_jget(s, "hold");
	int r;

	status_roles(s);
	status_queue(s);
	if (all && all->type == SW_J_OBJECT)
		status_hold("everything", all);
	for (const struct sw_jnode *h = holds ? holds->child : NULL; h; h = h->next)
		status_hold(h->key, h);
	r = status_maintenance(t, sw_jint(s, "now", 0));
	if (r == 0)
		r = status_channels(t, sw_jint(s, "now", 0), NULL);
	if (r == 0)
		r = status_places(t, sw_jint(s, "now", 0), NULL);
	return r < 0 ? r : status_unclaimed(t, NULL);
}

/* "maintenance": windows that are on, "silences": as they are kept, those that are over too. */
static int status_silences(struct sw_talk *t, int64_t now, struct sw_jw *w)
{
	const struct sw_jnode *items;
	struct sw_jnode *got;
	sw_ms until;
	int r = sw_talk_query(t, "aggregate silences:all", &got);

	sw_jw_arr(w, "maintenance");
	for (size_t i = 0; t->cfg && i < t->cfg->n_maintenance; i++) {
		const struct sw_maintenance *m = &t->cfg->maintenance[i];

		if (!sw_maintenance_on(m, now, &until))
			continue;
		sw_jw_obj(w, NULL);
		sw_jw_opt(w, "service", m->service);
		sw_jw_opt(w, "env", m->environment);
		sw_jw_int(w, "until", until);
		sw_jw_opt(w, "why", m->why);
		sw_jw_obj_end(w);
	}
	sw_jw_arr_end(w);
	items = r == 0 ? sw_jget(sw_jget(got, "state"), "items") : NULL;
	if (items)
		sw_jw_node(w, "silences", items);
	return r;
}

static int status_json(struct sw_talk *t, const struct sw_jnode *s)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;
	int r;

	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	for (const struct sw_jnode *x = s->child; x; x = x->next)
		sw_jw_node(&w, x->key, x);
	r = status_silences(t, sw_jint(s, "now", 0), &w);
	if (r == 0)
		r = status_channels(t, 0, &w);
	if (r == 0)
		r = status_places(t, 0, &w);
	if (r == 0)
		r = status_unclaimed(t, &w);
	sw_jw_obj_end(&w);
	if (r == 0)
		(void)printf("%s\n", sw_buf_str(&b));
	return r;
}

int sw_cli_status(int argc, char **argv)
{
	static const struct sw_usage usage = {
		"status [--json]", "Workers, gateways, queue lengths and ages, holds, maintenance (that of a configuration where -c names it), dead letters, channels that cannot be used or have messages waiting, each place with its open watches and those of its last deployment.\n", NULL, 0, 0,
	};
	struct sw_talk t = { 0 };
	const struct sw_opt opts[] = { SW_OPT_TALK(&t), SW_OPT_JSON(&t.c), { 0 } };
	struct sw_jnode *s = NULL;
	int r;

	if (sw_options_read(&usage, opts, argc, argv, &r) < 0)
		return r;
	r = sw_talk_open(&t);
	if (r == 0)
		r = sw_talk_query(&t, "status", &s);
	if (r == 0 && s)
		r = t.c.json ? status_json(&t, s) : status_text(&t, s);
	sw_talk_close(&t);
	return r < 0 ? SW_EXIT_WRONG : SW_EXIT_OK;
}
