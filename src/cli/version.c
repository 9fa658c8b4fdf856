/* shipwatch version: what this program is. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/options.h"

int sw_cli_version(int argc, char **argv)
{
	static const struct sw_usage usage = { "version [--json]", "Version, commit and time of build.\n", NULL, 0, 0 };
	struct sw_common c = { 0 };
	const struct sw_opt opts[] = { SW_OPT_JSON(&c), { 0 } };
	int r;

	if (sw_options_read(&usage, opts, argc, argv, &r) < 0)
		return r;
	if (c.json)
		(void)printf("{\"version\":\"%s\",\"commit\":\"%s\",\"built\":\"%s\"}\n", SW_VERSION, SW_COMMIT, SW_BUILT);
	else
		(void)printf("shipwatch %s (commit %s, built %s)\n", SW_VERSION, SW_COMMIT, SW_BUILT);
	return 0;
}
