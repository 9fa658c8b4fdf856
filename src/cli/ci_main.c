/*
 * shipwatch-report: the two commands that CI jobs need, as one statically linked file for any image. It takes the same words as the whole
 * program, so that it can be put there under the name of shipwatch.
 */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/cli.h"
#include "shipwatch/base.h"

static const struct sw_command commands[] = {
	{ "report", "tells of a CI job, runs and measures a command", sw_cli_report },
	{ "test-health", "is the service up, and the version the one just built", sw_cli_test_health },
	{ "version", "version, commit and time of build", sw_cli_version },
};

static int usage(FILE *to, int code)
{
	(void)fputs("usage: shipwatch COMMAND [OPTIONS]; shipwatch COMMAND --help says more\n"
	            "This is the small program for CI images; the other commands are in the whole one.\n\n", to);
	for (size_t i = 0; i < SW_COUNT(commands); i++)
		(void)fprintf(to, "  %-12s %s\n", commands[i].name, commands[i].help);
	(void)fputs("\nexit code: 0 well; 1 it went wrong, one line on stderr says what; 2 the command line is wrong\n", to);
	return code;
}

int main(int argc, char **argv)
{
	static char version[] = "version";

	if (argc < 2)
		return usage(stderr, SW_EXIT_USAGE);
	if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return usage(stdout, SW_EXIT_OK);
	if (strcmp(argv[1], "--version") == 0)
		argv[1] = version;
	for (size_t i = 0; i < SW_COUNT(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	(void)fprintf(stderr, "shipwatch: no command \"%s\" in this small program\n", argv[1]);
	return usage(stderr, SW_EXIT_USAGE);
}
