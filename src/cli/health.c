/* shipwatch test-health: for the end of a CI job. Is it up, does /health say so, is it the commit just built? */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/cli.h"
#include "cli/http.h"
#include "cli/options.h"
#include "model/place.h"
#include "plugins.h"
#include "shipwatch/clock.h"

/* Whole or short: "abc1234" is "abc1234def…". */
static bool health_same(const char *got, const char *want)
{
	size_t a = strlen(got), b = strlen(want), n = SW_MIN(a, b);

	return n >= 7 && strncasecmp(got, want, n) == 0;
}

/* One question. Return: whether all is well; why tells what is not. */
static bool health_once(const struct sw_health_conf *conf, const struct sw_cli_net *net, const char *commit, struct sw_err *why)
{
	const struct sw_target t = { .service = "", .environment = "", .sha = commit };
	struct sw_arena a = { 0 };
	struct sw_samples samples = { .a = &a };
	struct sw_result res = { 0 };
	struct sw_job job;
	bool good = false;
	int r = sw_signal_health.ask(conf, &t, sw_clock_wall(), &a, &job, why);

	if (r == 0)
		r = sw_cli_http_net(net, &job, &a, &res, why);
	if (r == 0)
		r = sw_signal_health.read(conf, &t, &res, &samples, why);
	if (r == 0 && samples.n > 0) {
		const struct sw_sample *s = &samples.items[0];

		good = s->reading == SW_R_OK && s->value >= 0.5;
		if (!good)
			(void)sw_err_set(why, 1, "%s", s->text ? s->text : "not healthy");
		else if (commit && (!s->text || !health_same(s->text, commit)))
			good = sw_err_set(why, 1, "it answers, but as commit %s, not %s", s->text ? s->text : "(none said)", commit) == 0;
	}
	sw_arena_fini(&a);
	return good;
}

/* The address as it is shown: without a login. */
static const char *health_shown(const char *url, struct sw_arena *a)
{
	const char *host = strstr(url, "://") + 3, *at = memrchr(host, '@', strcspn(host, "/?#"));

	return at ? sw_arena_printf(a, "%.*s%s", (int)(host - url), url, at + 1) : url;
}

static int health_usage(const char *why, const char *what)
{
	(void)fprintf(stderr, "shipwatch: test-health: %s%s%.100s%s\n", why, what ? ": \"" : "", what ? what : "", what ? "\"" : "");
	return SW_EXIT_USAGE;
}

/* Asks until all is well or the time is over. On a terminal each new reason is shown while it waits. */
static int health_wait(const struct sw_health_conf *conf, const struct sw_cli_net *net, const char *commit, const char *shown, sw_dur wait,
                       sw_dur every, bool quiet)
{
	struct sw_err why = SW_ERR_INIT, last = SW_ERR_INIT;
	sw_dur began = sw_clock_mono();
	bool talk = wait > 0 && !quiet && isatty(STDERR_FILENO);

	for (unsigned asked = 1; !health_once(conf, net, commit, &why); asked++) {
		sw_dur now = sw_clock_mono();

		if (now + every > began + wait) {
			(void)fprintf(stderr, "%s: %s", shown, why.text);
			if (asked > 1)
				(void)fprintf(stderr, " (asked %u times in %.1f s)", asked, (double)(now - began) / 1000);
			(void)fputc('\n', stderr);
			return SW_EXIT_WRONG;
		}
		if (talk && strcmp(why.text, last.text) != 0)
			(void)fprintf(stderr, "%s: not yet: %s\n", shown, why.text);
		last = why;
		(void)nanosleep(&(struct timespec){ every / 1000, every % 1000 * 1000000 }, NULL);
	}
	if (!quiet)
		(void)printf("%s: healthy%s%s\n", shown, commit ? ", commit " : "", commit ? commit : "");
	return SW_EXIT_OK;
}

int sw_cli_test_health(int argc, char **argv)
{
	static const struct sw_usage usage = {
		"test-health URL [--expect-commit SHA] [--wait 60s]",
		"Asks until the URL answers well (and as this commit), or until the time is over: then exit code 1 and one line.\n", NULL, 1, 1,
	};
	struct sw_health_conf conf = { .timeout = 2 * SW_SECOND, .status_min = 200, .status_max = 299 };
	const char *commit = NULL, *at = "/commit", *proxy = NULL, *ca_file = NULL;
	sw_dur wait = 0, every = SW_SECOND;
	bool quiet = false;
	const struct sw_opt opts[] = {
		{ "expect-commit", 0, SW_OPT_TEXT, &commit, "SHA", "the commit that has to answer; whole or at least 7 digits" },
		{ "commit-at", 0, SW_OPT_TEXT, &at, "POINTER", "where it stands in the JSON (/commit)" },
		{ "expect", 0, SW_OPT_TEXT, &conf.expect, "POINTER=TEXT", "what else must be there: /status=ok" },
		{ "wait", 0, SW_OPT_DUR, &wait, "TIME", "how long to ask again (0s: once)", NULL, 0, SW_DAY },
		{ "interval", 0, SW_OPT_DUR, &every, "TIME", "between two questions (1s)", NULL, 10, SW_HOUR },
		{ "timeout", 0, SW_OPT_DUR, &conf.timeout, "TIME", "of one question (2s)", NULL, 10, SW_HOUR },
		SW_OPT_NET(&proxy, &ca_file),
		{ "quiet", 'q', SW_OPT_FLAG, &quiet, NULL, "no line when all is well" }, { 0 },
	};
	struct sw_arena a = { 0 };
	struct sw_cli_net net;
	int r;

	if (sw_options_read(&usage, opts, argc, argv, &r) < 0)
		return r;
	conf.url = argv[1];
	if (!sw_starts(conf.url, "http://") && !sw_starts(conf.url, "https://"))
		return health_usage("no URL (http://…, https://…)", conf.url);
	if (commit && strlen(commit) < 7)
		return health_usage("--expect-commit wants at least 7 digits", commit);
	if (*at != '/')
		return health_usage("--commit-at wants a JSON Pointer such as /commit", at);
	if (conf.expect && (*conf.expect != '/' || !strchr(conf.expect, '=')))
		return health_usage("--expect wants a JSON Pointer, = and a text, such as /status=ok", conf.expect);
	conf.version = commit ? at : NULL;
	sw_cli_net_for(conf.url, proxy, ca_file, &a, &net);
	r = health_wait(&conf, &net, commit, health_shown(conf.url, &a), wait, every, quiet);
	sw_arena_fini(&a);
	return r;
}
