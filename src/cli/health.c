/* shipwatch test-health: for the end of a CI job. Is it up, does /health say so, is it the commit just built? */
#include <stdio.h>
#include <string.h>
#include <time.h>

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

	return n >= 7 && strncmp(got, want, n) == 0;
}

/* One question. Return: whether all is well; why tells what is not. */
static bool health_once(const struct sw_health_conf *conf, const char *commit, struct sw_err *why)
{
	const struct sw_target t = { .service = "", .environment = "", .sha = commit };
	struct sw_arena a = { 0 };
	struct sw_samples samples = { .a = &a };
	struct sw_result res = { 0 };
	struct sw_job job;
	bool good = false;
	int r = sw_signal_health.ask(conf, &t, sw_clock_wall(), &a, &job, why);

	if (r == 0)
		r = sw_cli_http(NULL, &job, &a, &res, why);
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

int sw_cli_test_health(int argc, char **argv)
{
	static const struct sw_usage usage = {
		"test-health URL [--expect-commit SHA] [--wait 60s]",
		"Asks until the URL answers well (and as this commit), or until the time is over: then exit code 1 and one line.\n", NULL, 1, 1,
	};
	struct sw_health_conf conf = { .timeout = 2 * SW_SECOND, .status_min = 200, .status_max = 299 };
	const char *commit = NULL, *at = "/commit";
	sw_dur wait = 0, every = SW_SECOND, end;
	bool quiet = false;
	const struct sw_opt opts[] = {
		{ "expect-commit", 0, SW_OPT_TEXT, &commit, "SHA", "the commit that has to answer; whole or at least 7 digits" },
		{ "commit-at", 0, SW_OPT_TEXT, &at, "POINTER", "where it stands in the JSON (/commit)" },
		{ "expect", 0, SW_OPT_TEXT, &conf.expect, "POINTER=TEXT", "what else must be there: /status=ok" },
		{ "wait", 0, SW_OPT_DUR, &wait, "TIME", "how long to ask again (0s: once)", NULL, 0, SW_DAY },
		{ "interval", 0, SW_OPT_DUR, &every, "TIME", "between two questions (1s)", NULL, 10, SW_HOUR },
		{ "timeout", 0, SW_OPT_DUR, &conf.timeout, "TIME", "of one question (2s)", NULL, 10, SW_HOUR },
		{ "quiet", 'q', SW_OPT_FLAG, &quiet, NULL, "no line when all is well" }, { 0 },
	};
	struct sw_err why = SW_ERR_INIT;
	int r;

	if (sw_options_read(&usage, opts, argc, argv, &r) < 0)
		return r;
	conf.url = argv[1];
	if (!sw_starts(conf.url, "http://") && !sw_starts(conf.url, "https://")) {
		(void)fprintf(stderr, "shipwatch: test-health: \"%.100s\" is no URL (http://…, https://…)\n", conf.url);
		return SW_EXIT_USAGE;
	}
	if (commit && strlen(commit) < 7) {
		(void)fprintf(stderr, "shipwatch: test-health: --expect-commit wants at least 7 digits\n");
		return SW_EXIT_USAGE;
	}
	conf.version = commit ? at : NULL;
	end = sw_clock_mono() + wait;
	while (!health_once(&conf, commit, &why)) {
		if (sw_clock_mono() + every > end) {
			(void)fprintf(stderr, "%s: %s\n", conf.url, why.text);
			return SW_EXIT_WRONG;
		}
		(void)nanosleep(&(struct timespec){ every / 1000, every % 1000 * 1000000 }, NULL);
	}
	if (!quiet)
		(void)printf("%s: healthy%s%s\n", conf.url, commit ? ", commit " : "", commit ? commit : "");
	return SW_EXIT_OK;
}
