/* shipwatch worker: the role that decides, asks services, tells people and acts. */
#include "cli/cli.h"
#include "cli/options.h"
#include "worker/worker.h"

int sw_cli_worker(int argc, char **argv)
{
	static const struct sw_usage usage = {
		"worker -c FILE [OPTIONS]",
		"Takes what the gateways put into Redis, watches deployments, tells people, takes releases back.\n"
		"Any number of workers share the work.\n",
		NULL, 0, 0,
	};
	struct sw_common c = { .level = SW_LOG_INFO, .format = SW_LOG_JSON };
	struct sw_worker_options o = { .notify_fd = -1, .version = SW_VERSION, .commit = SW_COMMIT, .built = SW_BUILT };
	int64_t notify = -1;
	const struct sw_opt opts[] = {
		SW_OPT_CONFIG(&c), SW_OPT_REDIS(&c),
		{ "listen", 0, SW_OPT_TEXT, &o.listen, "ADDRESS", "/metrics and /health there: host:port or unix:/path" },
		{ "state-dir", 0, SW_OPT_TEXT, &o.state_dir, "DIR", "where the configuration names none" },
		{ "name", 0, SW_OPT_TEXT, &o.consumer, "NAME", "unique; made up unless said" },
		{ "grace", 0, SW_OPT_INT, &o.grace, "MS", "to finish what is in hand after SIGTERM (10000)", NULL, 0, SW_HOUR },
		{ "notify-fd", 0, SW_OPT_INT, &notify, "FD", "READY=1 is written there once it works", NULL, 0, 65535 },
		SW_OPT_LOG(&c), { 0 },
	};
	struct sw_config *cfg;
	int r;

	if (sw_options_read(&usage, opts, argc, argv, &r) < 0)
		return r;
	if (!c.config)
		c.config = "shipwatch.yaml";
	sw_log_setup((enum sw_log_level)c.level, (enum sw_log_format)c.format, 2);
	cfg = sw_cli_config(c.config, NULL, false);
	if (!cfg)
		return SW_EXIT_WRONG;
	o.config_path = c.config;
	o.redis_url = c.redis_url;
	o.notify_fd = (int)notify;
	r = sw_worker_run(cfg, &o);
	sw_config_put(cfg);
	return r < 0 ? SW_EXIT_WRONG : SW_EXIT_OK;
}
