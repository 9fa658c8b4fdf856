/* shipwatch dashboard: the role that keeps the history and shows it. */
#include "dashboard/dashboard.h"

#include <stdio.h>

#include "cli/cli.h"
#include "cli/options.h"
#include "dashboard/api.h"

static int dashboard_openapi(void)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	api_describe(&b, SW_VERSION);
	return fwrite(b.p, 1, b.n, stdout) == b.n ? SW_EXIT_OK : SW_EXIT_WRONG;
}

int sw_cli_dashboard(int argc, char **argv)
{
	static const struct sw_usage usage = {
		"dashboard -c FILE [OPTIONS]",
		"Keeps the history of what happened, and serves the pages and the API that show it and take decisions.\n", NULL, 0, 0,
	};
	struct sw_common c = { .config = "shipwatch.yaml", .level = SW_LOG_INFO, .format = SW_LOG_JSON };
	struct sw_dashboard_options o = { .version = SW_VERSION, .commit = SW_COMMIT, .built = SW_BUILT };
	int64_t notify = -1;
	bool openapi = false;
	const struct sw_opt opts[] = {
		SW_OPT_CONFIG(&c), SW_OPT_REDIS(&c),
		{ "listen", 0, SW_OPT_TEXT, &o.listen, "ADDRESS", "instead of the configuration's: host:port or unix:/path" },
		{ "state-dir", 0, SW_OPT_TEXT, &o.state_dir, "DIR", "where the configuration names none: the history lies there" },
		{ "grace", 0, SW_OPT_INT, &o.grace, "MS", "to answer what is open after SIGTERM (10000)", NULL, 0, SW_HOUR },
		{ "notify-fd", 0, SW_OPT_INT, &notify, "FD", "READY=1 is written there once it listens", NULL, 0, 65535 },
		{ "openapi", 0, SW_OPT_FLAG, &openapi, NULL, "print the description of the API (OpenAPI 3.1) instead" },
		SW_OPT_LOG(&c), { 0 },
	};
	struct sw_config *cfg;
	int r;

	if (sw_options_read(&usage, opts, argc, argv, &r) < 0)
		return r;
	if (openapi)
		return dashboard_openapi();
	sw_log_setup((enum sw_log_level)c.level, (enum sw_log_format)c.format, 2);
	cfg = sw_cli_config(c.config, NULL, false);
	if (!cfg)
		return SW_EXIT_WRONG;
	o.config_path = c.config;
	o.redis_url = c.redis_url;
	o.notify_fd = (int)notify;
	r = sw_dashboard_run(cfg, &o);
	sw_config_put(cfg);
	return r < 0 ? SW_EXIT_WRONG : SW_EXIT_OK;
}
