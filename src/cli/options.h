/* Options of the commands: one table says what there is, reads the command line and prints the help. */
#ifndef SW_CLI_OPTIONS_H
#define SW_CLI_OPTIONS_H

#include "config/config.h"
#include "shipwatch/base.h"
#include "shipwatch/log.h"

enum sw_opt_type {
	SW_OPT_TEXT, /* to: const char * */
	SW_OPT_INT,  /* to: int64_t; within min and max */
	SW_OPT_DUR,  /* to: sw_dur; "60s", "500ms", "2m"; within min and max */
	SW_OPT_WORD, /* to: int; place in words */
	SW_OPT_FLAG, /* to: bool; takes no value */
	SW_OPT_LIST, /* to: struct sw_opt_list; given as often as there is room */
};

#define SW_OPT_LIST_MOST 256
struct sw_opt_list { const char *items[SW_OPT_LIST_MOST]; size_t n; };

/* One option; a table of them ends with a row without a name. */
struct sw_opt {
	const char *name;         /* "config" is --config */
	char letter;              /* 'c' is -c; 0: none */
	enum sw_opt_type type;
	void *to;                 /* where the value goes; untouched when the option is not there */
	const char *value;        /* what the help calls it: "FILE" */
	const char *help;
	const char *const *words; /* WORD: NULL-ended */
	int64_t min, max;         /* INT, DUR: both 0: 0 and above */
};

struct sw_usage {
	const char *line;         /* "check -c FILE [--strict]" */
	const char *text;         /* what it does, whole lines */
	const char *exits;        /* exit codes beyond the common ones, whole lines; NULL: none */
	int min_args, max_args;   /* words that are not options */
};

/* What nearly every command takes. */
struct sw_common {
	const char *config;
	const char *redis_url;
	int level, format;        /* enum sw_log_level, enum sw_log_format */
	bool json;
};
extern const char *const sw_opt_levels[], *const sw_opt_formats[];
#define SW_OPT_CONFIG(c)                                                                                               \
	{ "config", 'c', SW_OPT_TEXT, &(c)->config, "FILE", "the configuration", NULL, 0, 0 }
#define SW_OPT_REDIS(c)                                                                                                \
	{ "redis", 0, SW_OPT_TEXT, &(c)->redis_url, "URL", "instead of the configuration's: redis://… or unix:///path", NULL, 0, 0 }
#define SW_OPT_JSON(c)                                                                                                 \
	{ "json", 0, SW_OPT_FLAG, &(c)->json, NULL, "for programs", NULL, 0, 0 }
#define SW_OPT_LOG(c)                                                                                                  \
	{ "log-format", 0, SW_OPT_WORD, &(c)->format, "FORMAT", "json or text", sw_opt_formats, 0, 0 },                \
	{ "log-level", 0, SW_OPT_WORD, &(c)->level, "LEVEL", "debug, info, warn or error", sw_opt_levels, 0, 0 }

/*
 * Reads argv; argv[1..] are the other words afterwards, NULL-ended. Return: how many of those; -1: the command is over with
 * *ret_exit (help was asked for, or a line about the mistake was printed).
 */
SW_CHECKED int sw_options_read(const struct sw_usage *u, const struct sw_opt *opts, int argc, char **argv, int *ret_exit);
/* "1500ms", "60s", "2m", "1h", "3d". Return: 0, or -EINVAL. */
SW_CHECKED int sw_options_dur(const char *text, sw_dur *ret);

/*
 * Loads a configuration with the program's own plug-ins and says all its mistakes on stderr, sorted. NULL: it could not be
 * used. rules: when not NULL, its rules are loaded as well, and mistakes of both are told together.
 */
struct sw_rules;
struct sw_config *sw_cli_config(const char *path, struct sw_rules **rules, bool strict);

#endif
