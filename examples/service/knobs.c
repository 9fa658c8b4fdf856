/* The knobs of the example service: names, checks, and how they are shown. */
#include "knobs.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shipwatch/probe.h>

static const char *const knob_names[] = { "health", "silent", "delay_ms", "status", "error_pct", "commit", "version" };


static int knob_number(const char *value, long min, long max, long *ret)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(value, &end, 10);
	if (errno || end == value || *end || n < min || n > max)
		return -EINVAL;
	*ret = n;
	return 0;
}

static int knob_flag(const char *value, const char *on, const char *off, bool *ret)
{
	if (strcmp(value, on) != 0 && strcmp(value, off) != 0)
		return -EINVAL;
	*ret = strcmp(value, on) == 0;
	return 0;
}

/* Commits and versions go into JSON as they are, so they may hold only what needs no escape there. */
static int knob_word(const char *value, char *ret, size_t size)
{
	size_t n = strlen(value);

	if (n == 0 || n >= size)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)value[i]) && !strchr("._-+/", value[i]))
			return -EINVAL;
	memcpy(ret, value, n + 1);
	return 0;
}

void knobs_init(struct knobs *k, const struct sw_build *build)
{
	*k = (struct knobs){ .commit = "unknown", .version = "0" };
	if (strcmp(build->version, "unknown") != 0)
		(void)knob_word(build->version, k->version, sizeof k->version);
	(void)knob_word(build->commit, k->commit, sizeof k->commit);
}

int knobs_set(struct knobs *k, const char *name, const char *value, const char **ret_why)
{
	int r = -EINVAL;

	*ret_why = "no such knob: health, silent, delay_ms, status, error_pct, commit, version";
	if (strcmp(name, "health") == 0) {
		*ret_why = "health: want ok or fail";
		r = knob_flag(value, "fail", "ok", &k->fail);
	} else if (strcmp(name, "silent") == 0) {
		*ret_why = "silent: want 1 or 0";
		r = knob_flag(value, "1", "0", &k->silent);
	} else if (strcmp(name, "delay_ms") == 0) {
		*ret_why = "delay_ms: want 0 to 600000";
		r = knob_number(value, 0, 600000, &k->delay_ms);
	} else if (strcmp(name, "status") == 0) {
		long n;

		*ret_why = "status: want 0 or 200 to 599";
		r = knob_number(value, 0, 599, &n);
		if (r == 0 && n != 0 && n < 200)
			r = -EINVAL;
		if (r == 0)
			k->status = n;
	} else if (strcmp(name, "error_pct") == 0) {
		*ret_why = "error_pct: want 0 to 100";
		r = knob_number(value, 0, 100, &k->error_pct);
	} else if (strcmp(name, "commit") == 0) {
		*ret_why = "commit: want 1 to 64 letters, digits or . _ - + /";
		r = knob_word(value, k->commit, sizeof k->commit);
	} else if (strcmp(name, "version") == 0) {
		*ret_why = "version: want 1 to 64 letters, digits or . _ - + /";
		r = knob_word(value, k->version, sizeof k->version);
	}
	return r;
}

int knobs_from_env(struct knobs *k, const char **ret_name, const char **ret_why)
{
	static char var[32];

	for (size_t i = 0; i < sizeof knob_names / sizeof *knob_names; i++) {
		const char *value;
		int n = snprintf(var, sizeof var, "EXAMPLE_%s", knob_names[i]);

		for (int j = 0; j < n; j++)
			var[j] = (char)toupper((unsigned char)var[j]);
		value = getenv(var);
		if (value && knobs_set(k, knob_names[i], value, ret_why) < 0) {
			*ret_name = var;
			return -EINVAL;
		}
	}
	return 0;
}

size_t knobs_json(const struct knobs *k, char *buf, size_t size)
{
	int n = snprintf(buf, size,
	                 "{\"health\":\"%s\",\"silent\":%d,\"delay_ms\":%ld,\"status\":%ld,\"error_pct\":%ld,"
	                 "\"commit\":\"%s\",\"version\":\"%s\"}\n",
	                 k->fail ? "fail" : "ok", k->silent, k->delay_ms, k->status, k->error_pct, k->commit, k->version);

	return n < 0 ? 0 : (size_t)n;
}
