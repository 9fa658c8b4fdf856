/* shipwatch worker: the role that parses, decides, tells and acts. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "plugins.h"
#include "shipwatch/log.h"
#include "worker/worker.h"

#ifndef SW_VERSION
#define SW_VERSION "unknown"
#endif
#ifndef SW_COMMIT
#define SW_COMMIT "unknown"
#endif
#ifndef SW_BUILT
#define SW_BUILT "unknown"
#endif

static const char worker_help[] =
	"usage: shipwatch worker -c FILE [OPTIONS]\n"
	"Reads deliveries, watches deployments, tells people and takes releases back. Any number of them share the work.\n\n"
	"  -c, --config FILE       the configuration\n"
	"      --redis URL         instead of the configuration's\n"
	"      --listen ADDRESS    /metrics and /health there: host:port or unix:/path (none)\n"
	"      --state-dir DIR     where the configuration names none: records of programs, console messages\n"
	"      --grace MS          to finish what is in hand after SIGTERM (10000)\n"
	"      --notify-fd FD      READY=1 is written there once it works\n"
	"      --log-format FORMAT json (default) or text\n"
	"      --log-level LEVEL   debug, info (default), warn or error\n";

struct worker_args { const char *config; struct sw_worker_options opt; enum sw_log_level level; enum sw_log_format format; };

static int worker_word(const char *const *words, const char *value)
{
	for (int i = 0; words[i]; i++)
		if (strcmp(words[i], value) == 0)
			return i;
	return -1;
}

/* Return: 0, or -1 when the command line is wrong. */
static int worker_args(int argc, char **argv, struct worker_args *a)
{
	static const char *const levels[] = { "debug", "info", "warn", "error", NULL }, *const formats[] = { "json", "text", NULL };
	static const struct option long_options[] = {
		{ "config", required_argument, NULL, 'c' }, { "redis", required_argument, NULL, 'r' },
		{ "listen", required_argument, NULL, 'l' }, { "state-dir", required_argument, NULL, 's' },
		{ "grace", required_argument, NULL, 'g' },
		{ "notify-fd", required_argument, NULL, 'n' }, { "log-format", required_argument, NULL, 'f' },
		{ "log-level", required_argument, NULL, 'v' }, { NULL, 0, NULL, 0 },
	};
	int c, word;

	while ((c = getopt_long(argc, argv, "c:", long_options, NULL)) != -1) {
		switch (c) {
		case 'c':
			a->config = optarg;
			break;
		case 'r':
			a->opt.redis_url = optarg;
			break;
		case 'l':
			a->opt.listen = optarg;
			break;
		case 's':
			a->opt.state_dir = optarg;
			break;
		case 'g':
			a->opt.grace = strtol(optarg, NULL, 10);
			break;
		case 'n':
			a->opt.notify_fd = (int)strtol(optarg, NULL, 10);
			break;
		case 'f':
		case 'v':
			word = worker_word(c == 'f' ? formats : levels, optarg);
			if (word < 0)
				return -1;
			if (c == 'f')
				a->format = (enum sw_log_format)word;
			else
				a->level = (enum sw_log_level)word;
			break;
		default:
			return -1;
		}
	}
	return a->config && optind == argc ? 0 : -1;
}

int sw_cli_worker(int argc, char **argv)
{
	struct sw_plugins plugins = { sw_sources, sw_signals, sw_channels, sw_actions };
	struct worker_args a = {
		.opt = { .notify_fd = -1, .version = SW_VERSION, .commit = SW_COMMIT, .built = SW_BUILT },
		.level = SW_LOG_INFO, .format = SW_LOG_JSON,
	};
	struct sw_config *cfg = NULL;
	struct sw_arena arena = { 0 };
	struct sw_diags d;
	int r;

	if (worker_args(argc, argv, &a) < 0) {
		(void)fputs(worker_help, stderr);
		return 2;
	}
	sw_log_setup(a.level, a.format, 2);
	sw_diags_init(&d, &arena);
	r = sw_config_load(a.config, &plugins, &sw_yenv_process, &cfg, &d);
	for (const struct sw_diag *one = d.first; one; one = one->next)
		(void)fprintf(stderr, "%s%s\n", one->warning ? "warning: " : "", one->text);
	sw_arena_fini(&arena);
	if (r < 0)
		return 1;
	a.opt.config_path = a.config;
	r = sw_worker_run(cfg, &a.opt);
	sw_config_put(cfg);
	return r < 0 ? 1 : 0;
}
