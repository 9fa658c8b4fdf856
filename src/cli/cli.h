/* The commands of the program: one row each in main.c. */
#ifndef SW_CLI_CLI_H
#define SW_CLI_CLI_H

struct sw_command {
	const char *name, *help;
	/* argv[0] is the command's own name. Return: the exit code. */
	int (*run)(int argc, char **argv);
};

/* Set by the build. */
#ifndef SW_VERSION
#define SW_VERSION "unknown"
#endif
#ifndef SW_COMMIT
#define SW_COMMIT "unknown"
#endif
#ifndef SW_BUILT
#define SW_BUILT "unknown"
#endif

/* Exit codes: 0 well, 1 it went wrong, 2 the command line is wrong; further ones are in the help of the command. */
enum { SW_EXIT_OK, SW_EXIT_WRONG, SW_EXIT_USAGE };

int sw_cli_gateway(int argc, char **argv);
int sw_cli_worker(int argc, char **argv);
int sw_cli_dashboard(int argc, char **argv);
int sw_cli_up(int argc, char **argv);
int sw_cli_version(int argc, char **argv);
int sw_cli_init(int argc, char **argv);
int sw_cli_check(int argc, char **argv);
int sw_cli_test(int argc, char **argv);
int sw_cli_replay(int argc, char **argv);
int sw_cli_status(int argc, char **argv);
int sw_cli_hold(int argc, char **argv);
int sw_cli_release(int argc, char **argv);
int sw_cli_cancel(int argc, char **argv);
int sw_cli_approve(int argc, char **argv);
int sw_cli_refuse(int argc, char **argv);
int sw_cli_ack(int argc, char **argv);
int sw_cli_deploy(int argc, char **argv);
int sw_cli_explain(int argc, char **argv);
int sw_cli_export_test(int argc, char **argv);
int sw_cli_export_history(int argc, char **argv);
int sw_cli_label(int argc, char **argv);
int sw_cli_dead(int argc, char **argv);
int sw_cli_silence(int argc, char **argv);
int sw_cli_sign(int argc, char **argv);
int sw_cli_report(int argc, char **argv);
int sw_cli_sweep(int argc, char **argv);
int sw_cli_test_health(int argc, char **argv);
int sw_cli_send(int argc, char **argv);
int sw_cli_render(int argc, char **argv);
int sw_cli_hash_password(int argc, char **argv);

#endif
