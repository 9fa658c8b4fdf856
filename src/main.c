/* The program: a table of commands. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/cli.h"
#include "shipwatch/base.h"

static const struct sw_command commands[] = {
	{ "up", "everything on this machine; without a file: a demo", sw_cli_up },
	{ "gateway", "takes webhooks and CI reports", sw_cli_gateway },
	{ "worker", "decides, asks services, tells people, takes releases back", sw_cli_worker },
	{ "dashboard", "keeps the history, serves pages and the API", sw_cli_dashboard },
	{ "init", "four questions, and a configuration that works", sw_cli_init },
	{ "check", "reads configuration and rules, says all mistakes", sw_cli_check },
	{ "test", "tests of rules in virtual time", sw_cli_test },
	{ "replay", "recorded events and samples against rules", sw_cli_replay },
	{ "status", "queue, workers, gateways, holds, dead letters, open watches", sw_cli_status },
	{ "hold", "no action starts there, or anywhere", sw_cli_hold },
	{ "release", "ends a hold", sw_cli_release },
	{ "cancel", "ends a watch", sw_cli_cancel },
	{ "approve", "says yes to a rollback that waits for it", sw_cli_approve },
	{ "refuse", "says no to it", sw_cli_refuse },
	{ "ack", "somebody has this alert in hand", sw_cli_ack },
	{ "deploy", "tells of a deployment made by hand", sw_cli_deploy },
	{ "explain", "why a watch ended as it did", sw_cli_explain },
	{ "export-test", "what happened, as a test of the rule", sw_cli_export_test },
	{ "export-history", "what was recorded, as lines of JSON", sw_cli_export_history },
	{ "label", "says what a deployment really was: good or bad", sw_cli_label },
	{ "dead", "what could not be handled: list, show, retry, drop", sw_cli_dead },
	{ "silence", "messages held back for a while: add, list, end", sw_cli_silence },
	{ "sign", "headers for trying a hook with curl", sw_cli_sign },
	{ "report", "tells of a CI job, runs and measures a command", sw_cli_report },
	{ "test-health", "is the service up, and the version the one just built", sw_cli_test_health },
	{ "sweep", "have a git host send again what failed", sw_cli_sweep },
	{ "send", "a real test message by a channel", sw_cli_send },
	{ "render", "the exact request a channel would get", sw_cli_render },
	{ "hash-password", "a password's hash, for users of the dashboard", sw_cli_hash_password },
	{ "version", "version, commit and time of build", sw_cli_version },
};

static int usage(FILE *to, int code)
{
	(void)fputs("usage: shipwatch COMMAND [OPTIONS]; shipwatch COMMAND --help says more\n\n", to);
	for (size_t i = 0; i < SW_COUNT(commands); i++)
		(void)fprintf(to, "  %-13s %s\n", commands[i].name, commands[i].help);
	(void)fputs("\nexit code: 0 well; 1 it went wrong, one line on stderr says what; 2 the command line is wrong;\n"
	            "`test` and `replay` have 3 as well: nothing ran\n", to);
	return code;
}

int main(int argc, char **argv)
{
	static char help[] = "--help", version[] = "version";
	const char *names[SW_COUNT(commands) + 1] = { NULL }, *near;

	if (argc < 2)
		return usage(stderr, SW_EXIT_USAGE);
	if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		if (argc == 2)
			return usage(stdout, SW_EXIT_OK);
		argv[1] = argv[2];
		argv[2] = help;
		argc = 3;
	}
	if (strcmp(argv[1], "--version") == 0)
		argv[1] = version;
	for (size_t i = 0; i < SW_COUNT(commands); i++) {
		names[i] = commands[i].name;
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	}
	near = sw_did_you_mean(argv[1], names);
	(void)fprintf(stderr, "shipwatch: unknown command \"%s\"%s%s%s\n", argv[1], near ? ", did you mean \"" : "", near ? near : "",
	              near ? "\"?" : "");
	return near ? SW_EXIT_USAGE : usage(stderr, SW_EXIT_USAGE);
}
