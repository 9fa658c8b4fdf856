/* The command line by tables: long and short options anywhere, --name=value, "--" ends them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cli/options.h"

const char *const sw_opt_levels[] = { "debug", "info", "warn", "error", NULL };
const char *const sw_opt_formats[] = { "json", "text", NULL };

static void options_help(const struct sw_usage *u, const struct sw_opt *opts)
{
	(void)printf("usage: shipwatch %s\n%s\n", u->line, u->text);
	for (const struct sw_opt *o = opts; o->name; o++) {
		char left[64];

		(void)snprintf(left, sizeof left, "%s%c%s--%s%s%s", o->letter ? "-" : " ", o->letter ? o->letter : ' ',
		               o->letter ? ", " : "  ", o->name, o->value ? " " : "", o->value ? o->value : "");
		(void)printf("  %-26s %s\n", left, o->help);
	}
	(void)printf("\nexit code: 0 well; 1 it went wrong; 2 the command line is wrong\n%s", u->exits ? u->exits : "");
}

static int options_wrong(const struct sw_usage *u, const char *fmt, const char *a, const char *b)
{
	(void)fputs("shipwatch: ", stderr);
	(void)fprintf(stderr, "%s \"%s\"%s%s", fmt, a, b ? ": " : "", b ? b : "");
	(void)fprintf(stderr, "\nusage: shipwatch %s\n", u->line);
	return -EINVAL;
}

int sw_options_dur(const char *text, sw_dur *ret)
{
	static const struct { const char *unit; sw_dur n; } units[] = {
		{ "ms", 1 }, { "s", SW_SECOND }, { "m", SW_MINUTE }, { "h", SW_HOUR }, { "d", SW_DAY },
	};
	char *end;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (end == text || errno || n < 0 || n > 1000000000)
		return -EINVAL;
	for (size_t i = 0; i < SW_COUNT(units); i++)
		if (sw_streq(end, units[i].unit)) {
			*ret = n * units[i].n;
			return 0;
		}
	return -EINVAL;
}

static int option_int(const struct sw_opt *o, const char *value, int64_t *ret)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(value, &end, 10);
	if (end == value || *end || errno)
		return -EINVAL;
	*ret = n;
	return 0;
}

static int option_set(const struct sw_usage *u, const struct sw_opt *o, const char *value)
{
	int64_t n = 0;
	int i = 0;

	switch (o->type) {
	case SW_OPT_FLAG:
		*(bool *)o->to = true;
		return 0;
	case SW_OPT_TEXT:
		if (!*value)
			return options_wrong(u, "empty value of", o->name, NULL);
		*(const char **)o->to = value;
		return 0;
	case SW_OPT_LIST: {
		struct sw_opt_list *list = o->to;

		if (!*value)
			return options_wrong(u, "empty value of", o->name, NULL);
		if (list->n == SW_OPT_LIST_MOST)
			return options_wrong(u, "given too often:", o->name, NULL);
		list->items[list->n++] = value;
		return 0;
	}
	case SW_OPT_WORD:
		while (o->words[i] && !sw_streq(o->words[i], value))
			i++;
		if (!o->words[i])
			return options_wrong(u, "wrong value", value, o->help);
		*(int *)o->to = i;
		return 0;
	case SW_OPT_INT:
		if (option_int(o, value, &n) < 0)
			return options_wrong(u, "not a number", value, o->name);
		break;
	case SW_OPT_DUR:
		if (sw_options_dur(value, &n) < 0)
			return options_wrong(u, "not a length of time such as 500ms, 60s or 2m:", value, o->name);
		break;
	}
	if (n < o->min || (o->max && n > o->max))
		return options_wrong(u, "out of range", value, o->name);
	*(int64_t *)o->to = n;
	return 0;
}

static const struct sw_opt *option_find(const struct sw_opt *opts, const char *arg, size_t n, bool is_long)
{
	for (const struct sw_opt *o = opts; o->name; o++)
		if (is_long ? strlen(o->name) == n && strncmp(o->name, arg, n) == 0 : o->letter && o->letter == arg[0])
			return o;
	return NULL;
}

/* One option at argv[*i]; moves *i over a value that is a word of its own. */
static int option_one(const struct sw_usage *u, const struct sw_opt *opts, char **argv, int argc, int *i)
{
	const char *arg = argv[*i], *value = NULL;
	bool is_long = arg[1] == '-';
	const char *name = arg + (is_long ? 2 : 1), *eq = is_long ? strchr(name, '=') : NULL;
	const struct sw_opt *o = option_find(opts, name, eq ? (size_t)(eq - name) : strlen(name), is_long);

	if (!o) {
		const char *words[32];
		size_t n = 0;
		const char *near;

		for (const struct sw_opt *x = opts; x->name && n + 1 < SW_COUNT(words); x++)
			words[n++] = x->name;
		words[n] = NULL;
		near = is_long ? sw_did_you_mean(name, words) : NULL;
		(void)fprintf(stderr, "shipwatch: unknown option \"%s\"%s%s%s\nusage: shipwatch %s\n", arg, near ? ", did you mean \"--" : "",
		              near ? near : "", near ? "\"?" : "", u->line);
		return -EINVAL;
	}
	if (o->type == SW_OPT_FLAG) {
		if (eq || (!is_long && name[1]))
			return options_wrong(u, "option takes no value:", arg, NULL);
		return option_set(u, o, NULL);
	}
	if (eq)
		value = eq + 1;
	else if (!is_long && name[1])
		value = name + 1;
	else if (*i + 1 < argc)
		value = argv[++*i];
	else
		return options_wrong(u, "option wants a value:", arg, NULL);
	return option_set(u, o, value);
}

int sw_options_read(const struct sw_usage *u, const struct sw_opt *opts, int argc, char **argv, int *ret_exit)
{
	int n = 0;
	bool over = false;

	for (int i = 1; i < argc; i++) {
		if (over || argv[i][0] != '-' || !argv[i][1]) {
			argv[++n] = argv[i];
		} else if (sw_streq(argv[i], "--")) {
			over = true;
		} else if (sw_streq(argv[i], "--help") || sw_streq(argv[i], "-h")) {
			options_help(u, opts);
			*ret_exit = 0;
			return -1;
		} else if (option_one(u, opts, argv, argc, &i) < 0) {
			*ret_exit = 2;
			return -1;
		}
	}
	argv[n + 1] = NULL;
	if (n < u->min_args || n > u->max_args) {
		*ret_exit = 2;
		if (n > u->max_args)
			(void)options_wrong(u, "one word too many:", argv[u->max_args + 1], NULL);
		else
			(void)fprintf(stderr, "shipwatch: a word is missing\nusage: shipwatch %s\n", u->line);
		return -1;
	}
	return n;
}
