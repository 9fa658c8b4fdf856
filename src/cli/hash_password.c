/* shipwatch hash-password: a password from the terminal or stdin, its hash for the configuration on stdout. */
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/passwd.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/options.h"

enum { SHORTEST = 8 };

/* One line, without its end. Return: its length, or -1 at the end of the input, or when it is too long. */
static int line_read(const char *prompt, char *out, size_t size)
{
	bool terminal = isatty(STDIN_FILENO);
	struct termios before, silent;
	char *got;
	size_t n;

	if (terminal) {
		(void)fputs(prompt, stderr);
		(void)tcgetattr(STDIN_FILENO, &before);
		silent = before;
		silent.c_lflag &= ~(tcflag_t)ECHO;
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
	}
	got = fgets(out, (int)size, stdin);
	if (terminal) {
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		(void)fputs("\n", stderr);
	}
	if (!got)
		return -1;
	n = strcspn(out, "\r\n");
	if (!out[n] && n + 1 == size)
		return -1;
	out[n] = '\0';
	return (int)n;
}

int sw_cli_hash_password(int argc, char **argv)
{
	static const struct sw_usage usage = {
		"hash-password",
		"Asks for a password twice (or reads two lines from stdin) and prints its hash, for `dashboard: {users: [{password_hash: …}]}`.\n", NULL, 0, 0,
	};
	const struct sw_opt opts[] = { { 0 } };
	char once[SW_PASSWD_MAX + 2], twice[SW_PASSWD_MAX + 2], hash[SW_PASSWD_HASH];
	const char *wrong = NULL;
	int r, n;

	if (sw_options_read(&usage, opts, argc, argv, &r) < 0)
		return r;
	n = line_read("Password: ", once, sizeof once);
	if (n < 0)
		wrong = "want a password of at most 512 bytes on stdin, twice";
	else if (n < SHORTEST)
		wrong = "want at least 8 characters";
	else if (line_read("Once more: ", twice, sizeof twice) < 0)
		wrong = "want it a second time: two lines on stdin";
	else if (strcmp(once, twice) != 0)
		wrong = "the two are not the same";
	else if (sw_passwd_hash(once, hash) < 0)
		wrong = "crypt(3) makes no hash here";
	explicit_bzero(once, sizeof once);
	explicit_bzero(twice, sizeof twice);
	if (wrong) {
		(void)fprintf(stderr, "shipwatch: hash-password: %s\n", wrong);
		return SW_EXIT_WRONG;
	}
	(void)puts(hash);
	return SW_EXIT_OK;
}
