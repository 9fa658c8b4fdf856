/* shipwatch label: a person says what a deployment really was. It becomes an input of the engine, as a webhook does. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/cli.h"
#include "cli/found.h"

int sw_cli_label(int argc, char **argv)
{
	static const struct sw_usage usage = {
		"label DEPLOYMENT good|bad [--who NAME]",
		"Says what a deployment really was: its id, or its commit (7 digits and more) where that was deployed once. The newest good one is\n"
		"what a rollback goes back to; what is bad is not good whatever its watches said.\n",
		NULL, 2, 2,
	};
	struct sw_talk t = { 0 };
	const struct sw_opt opts[] = { SW_OPT_TALK(&t), SW_OPT_WHO(&t), { 0 } };
	struct sw_found f;
	int r;

	if (sw_options_read(&usage, opts, argc, argv, &r) < 0)
		return r;
	if (strcmp(argv[2], "good") != 0 && strcmp(argv[2], "bad") != 0) {
		(void)fprintf(stderr, "shipwatch: label: want good or bad, got \"%.40s\"\n", argv[2]);
		return SW_EXIT_USAGE;
	}
	r = sw_talk_open(&t);
	if (r == 0)
		r = sw_find_deployment(&t, argv[1], &f);
	if (r == 0) {
		struct sw_decider by = sw_talk_by(&t);

		r = sw_talk_append(&t, f.aggregate, sw_command_label(&t.a, &by, sw_jstr(f.item, "id"), strcmp(argv[2], "good") == 0));
	}
	if (r == 0)
		(void)printf("%s: deployment %s is %s, says %s\n", f.aggregate + strlen("place:"), sw_jstr(f.item, "id"), argv[2], t.who);
	sw_talk_close(&t);
	return r < 0 ? SW_EXIT_WRONG : SW_EXIT_OK;
}
