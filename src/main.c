/* The program: a table of commands. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "shipwatch/base.h"

static const struct sw_command commands[] = {
	{ "gateway", "takes webhooks and CI reports", sw_cli_gateway },
};

static int usage(FILE *to, int code)
{
	(void)fputs("usage: shipwatch COMMAND [OPTIONS]\n\n", to);
	for (size_t i = 0; i < SW_COUNT(commands); i++)
		(void)fprintf(to, "  %-12s %s\n", commands[i].name, commands[i].help);
	return code;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return usage(stderr, 2);
	if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return usage(stdout, 0);
	for (size_t i = 0; i < SW_COUNT(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	(void)fprintf(stderr, "shipwatch: unknown command \"%s\"\n\n", argv[1]);
	return usage(stderr, 2);
}
