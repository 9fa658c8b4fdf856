/* The commands of the program: one file each, one row each in main.c. */
#ifndef SW_CLI_CLI_H
#define SW_CLI_CLI_H

struct sw_command {
	const char *name, *help;
	/* argv[0] is the command's own name. Return: the exit code. */
	int (*run)(int argc, char **argv);
};

/* Exit codes: 0 well, 1 it went wrong, 2 the command line is wrong. */

int sw_cli_gateway(int argc, char **argv);
int sw_cli_worker(int argc, char **argv);

#endif
