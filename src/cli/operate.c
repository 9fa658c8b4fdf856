/* What an operator does: hold, release, cancel, ack, deploy. Each becomes an input of the engine, as a webhook does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cli/cli.h"
#include "cli/talk.h"
#include "model/place.h"
#include "shipwatch/clock.h"
#include "shipwatch/event.h"

#define NAME_MAX_ 200  /* of a service or environment */
#define PLACES    1000 /* looked through */

/* No white space and no control characters: it becomes part of a key and of a query. */
static bool operate_name(const char *what, const char *s)
{
	size_t n = strlen(s);

	for (const char *p = s; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 127)
			n = 0;
	if (n > 0 && n <= NAME_MAX_)
		return true;
	(void)fprintf(stderr, "shipwatch: \"%.40s\" is not the name of %s\n", s, what);
	return false;
}

/* The engine keeps a hold of its own at each place: the guard of the start is in Redis, what people are told is there. */
static int hold_places(struct sw_talk *t, const char *scope, bool on, const char *why, unsigned *ret_n)
{
	struct sw_decider by = sw_talk_by(t);
	const char *cmd = sw_command_hold(&t->a, &by, on, why);
	bool exact = strchr(scope, '/') != NULL;
	struct sw_jnode *names;
	int r;

	r = sw_talk_query(t, sw_arena_printf(&t->a, "aggregates place:%s%s %d", scope, exact ? "" : "/", PLACES), &names);
	for (const struct sw_jnode *n = names ? names->child : NULL; n && r == 0; n = n->next) {
		if (!n->text || (exact && !sw_streq(n->text + strlen("place:"), scope)))
			continue;
		r = sw_talk_append(t, n->text, cmd);
		*ret_n += r == 0;
	}
	return r;
}

static int operate_hold(int argc, char **argv, bool on)
{
	static const struct sw_usage usages[] = {
		{ "release [SERVICE[/ENV]] [--who NAME]", "Ends a hold: of one place, of a service, or the kill switch.\n", NULL, 0, 1 },
		{ "hold [SERVICE[/ENV]] [--why TEXT] [--who NAME]",
		  "No action starts at this place, in this service, or, without a word, anywhere (the kill switch). Alerts go on.\n", NULL, 0, 1 },
	};
	struct sw_talk t = { 0 };
	const char *why = NULL, *scope;
	const struct sw_opt opts[] = {
		SW_OPT_TALK(&t), SW_OPT_WHO(&t), { "why", 0, SW_OPT_TEXT, &why, "TEXT", "told with everything it stops" }, { 0 },
	};
	unsigned places = 0;
	int r, n = sw_options_read(&usages[on], opts, argc, argv, &r);

	if (n < 0)
		return r;
	scope = n ? argv[1] : NULL;
	if (scope && !operate_name("a service or place", scope))
		return SW_EXIT_USAGE;
	r = sw_talk_open(&t);
	if (r == 0)
		r = sw_talk_hold(&t, scope, on, why ? why : "");
	if (r == 0 && scope)
		r = hold_places(&t, scope, on, why, &places);
	if (r == 0)
		(void)printf("%s: %s%s\n", scope ? scope : "everything", on ? "on hold, no action starts" : "released",
		             scope && !places ? " (nothing was ever deployed there, as far as is known)" : "");
	sw_talk_close(&t);
	return r < 0 ? SW_EXIT_WRONG : SW_EXIT_OK;
}

int sw_cli_hold(int argc, char **argv) { return operate_hold(argc, argv, true); }
int sw_cli_release(int argc, char **argv) { return operate_hold(argc, argv, false); }

/* The place that has this open watch; NULL: none. Return: 0 or -errno. */
static int watch_place(struct sw_talk *t, const char *id, const char **ret)
{
	struct sw_jnode *names, *place;
	int r = sw_talk_query(t, sw_arena_printf(&t->a, "aggregates place: %d", PLACES), &names);

	*ret = NULL;
	for (const struct sw_jnode *n = names ? names->child : NULL; n && r == 0 && !*ret; n = n->next) {
		const struct sw_jnode *watches;

		r = sw_talk_query(t, sw_arena_printf(&t->a, "aggregate %s", n->text), &place);
		watches = sw_jget(sw_jget(place, "state"), "watches");
		for (const struct sw_jnode *w = watches ? watches->child : NULL; w; w = w->next)
			if (sw_streq(sw_jstr(w, "id"), id) && !sw_streq(sw_jstr(w, "state"), "done"))
				*ret = n->text;
	}
	return r;
}

int sw_cli_cancel(int argc, char **argv)
{
	static const struct sw_usage usage = {
		"cancel WATCH [--who NAME]", "Ends an open watch; what it was about to do is not done. `status` names the open ones.\n", NULL, 1, 1,
	};
	struct sw_talk t = { 0 };
	const struct sw_opt opts[] = { SW_OPT_TALK(&t), SW_OPT_WHO(&t), { 0 } };
	const char *place = NULL;
	int r;

	if (sw_options_read(&usage, opts, argc, argv, &r) < 0)
		return r;
	if (!operate_name("a watch", argv[1]))
		return SW_EXIT_USAGE;
	r = sw_talk_open(&t);
	if (r == 0)
		r = watch_place(&t, argv[1], &place);
	if (r == 0 && !place) {
		(void)fprintf(stderr, "shipwatch: there is no open watch \"%s\"\n", argv[1]);
		r = -1;
	}
	if (r == 0) {
		struct sw_decider by = sw_talk_by(&t);

		r = sw_talk_append(&t, place, sw_command_cancel(&t.a, &by, argv[1]));
	}
	if (r == 0)
		(void)printf("watch %s of %s is cancelled\n", argv[1], place + strlen("place:"));
	sw_talk_close(&t);
	return r < 0 ? SW_EXIT_WRONG : SW_EXIT_OK;
}

int sw_cli_ack(int argc, char **argv)
{
	static const struct sw_usage usage = { "ack ALERT [--who NAME]", "Somebody has this alert in hand.\n", NULL, 1, 1 };
	struct sw_talk t = { 0 };
	const struct sw_opt opts[] = { SW_OPT_TALK(&t), SW_OPT_WHO(&t), { 0 } };
	struct sw_jnode *alert = NULL;
	const char *name;
	int r;

	if (sw_options_read(&usage, opts, argc, argv, &r) < 0)
		return r;
	if (!operate_name("an alert", argv[1]))
		return SW_EXIT_USAGE;
	r = sw_talk_open(&t);
	name = sw_arena_printf(&t.a, "alert:%s", argv[1]);
	if (r == 0)
		r = sw_talk_query(&t, sw_arena_printf(&t.a, "aggregate %s", name), &alert);
	if (r == 0 && !alert) {
		(void)fprintf(stderr, "shipwatch: there is no alert \"%s\"\n", argv[1]);
		r = -1;
	}
	if (r == 0) {
		struct sw_decider by = sw_talk_by(&t);

		r = sw_talk_append(&t, name, sw_command_ack(&t.a, &by));
	}
	if (r == 0)
		(void)printf("alert %s is in the hands of %s\n", argv[1], t.who);
	sw_talk_close(&t);
	return r < 0 ? SW_EXIT_WRONG : SW_EXIT_OK;
}

static bool deploy_sha(const char *sha)
{
	size_t n = strspn(sha, "0123456789abcdef");

	return n >= 7 && n <= 64 && !sha[n];
}

static const char *deploy_fact(struct sw_talk *t, struct sw_event *ev)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;

	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "t", "fact");
	sw_jw_int(&w, "how", SW_CLAIM_DEPLOYMENT);
	sw_event_write(ev, false, &w, "ev");
	sw_jw_obj_end(&w);
	return sw_arena_strndup(&t->a, b.p, b.n);
}

int sw_cli_deploy(int argc, char **argv)
{
	static const struct sw_usage usage = {
		"deploy SERVICE ENV --sha SHA [--version V] [--user NAME]",
		"Tells of a deployment made by hand, which just ended well: it is watched like one of CI.\n", NULL, 2, 2,
	};
	struct sw_talk t = { 0 };
	struct sw_event ev;
	const char *sha = NULL, *version = NULL;
	const struct sw_opt opts[] = {
		SW_OPT_TALK(&t), { "user", 0, SW_OPT_TEXT, &t.who, "NAME", "who did it; your user name unless said" },
		{ "sha", 0, SW_OPT_TEXT, &sha, "SHA", "commit, 7 to 64 digits" }, { "version", 0, SW_OPT_TEXT, &version, "V", "its version" }, { 0 },
	};
	struct sw_jnode *known;
	const char *place;
	int r;

	if (sw_options_read(&usage, opts, argc, argv, &r) < 0)
		return r;
	if (!operate_name("a service", argv[1]) || !operate_name("an environment", argv[2]))
		return SW_EXIT_USAGE;
	if (!sha || !deploy_sha(sha)) {
		(void)fprintf(stderr, "shipwatch: deploy: want --sha with 7 to 64 digits 0-9a-f\n");
		return SW_EXIT_USAGE;
	}
	r = sw_talk_open(&t);
	if (r < 0) {
		sw_talk_close(&t);
		return SW_EXIT_WRONG;
	}
	sw_event_init(&ev);
	ev.kind = SW_EV_DEPLOYMENT;
	ev.source = ev.source_kind = "cli";
	ev.what = "shipwatch deploy";
	ev.service = argv[1];
	ev.environment = argv[2];
	ev.status = SW_ST_SUCCESS;
	ev.status_text = "success";
	ev.version = version;
	ev.user = t.who;
	ev.at = ev.received = ev.finished_at = sw_clock_wall();
	if (strlen(sha) >= 40)
		ev.sha = sha;
	else
		ev.short_sha = sha;
	ev.deployment_id = ev.ci_run_id = sw_arena_printf(&t.a, "cli-%lld", (long long)ev.at);
	place = sw_arena_printf(&t.a, "place:%s/%s", argv[1], argv[2]);
	r = sw_talk_query(&t, sw_arena_printf(&t.a, "aggregate %s", place), &known);
	if (r == 0 && !known)
		(void)fprintf(stderr, "warning: %s/%s is not known to any worker yet; is it configured?\n", argv[1], argv[2]);
	if (r == 0)
		r = sw_talk_append(&t, place, deploy_fact(&t, &ev));
	if (r == 0)
		(void)printf("%s/%s: deployment of %.12s told, ci_run_id %s\n", argv[1], argv[2], sha, ev.ci_run_id);
	sw_talk_close(&t);
	return r < 0 ? SW_EXIT_WRONG : SW_EXIT_OK;
}
