/* shipwatch export-history: what a dashboard recorded, as lines of JSON that replay reads. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/options.h"
#include "dashboard/history.h"
#include "shipwatch/clock.h"

#define PIECE ((size_t)1 << 20)

struct history_options { struct sw_common c; const char *from, *since, *until; };

static int history_write(struct sw_store *s, struct sw_export *x)
{
	struct sw_err err = SW_ERR_INIT;
	struct sw_buf b = SW_BUF_INIT;
	int r = 0;

	while (r == 0 && !x->done) {
		sw_buf_reset(&b);
		r = sw_store_export(s, x, PIECE, &b, &err);
		if (r == 0 && b.n && fwrite(b.p, 1, b.n, stdout) != b.n)
			r = sw_err_set(&err, EIO, "it cannot be written: %s", strerror(errno));
	}
	if (r == 0 && fflush(stdout) != 0)
		r = sw_err_set(&err, EIO, "it cannot be written: %s", strerror(errno));
	if (r < 0)
		(void)fprintf(stderr, "shipwatch: %s\n", err.text);
	sw_buf_fini(&b);
	return r < 0 ? SW_EXIT_WRONG : SW_EXIT_OK;
}

/* A moment, or so long ago. */
static bool history_moment(const char *name, const char *text, sw_ms *ret)
{
	sw_dur ago;

	if (!text)
		return true;
	if (sw_dur_parse(text, &ago) == 0)
		*ret = sw_clock_wall() - ago;
	else if (sw_time_parse(text, ret) < 0) {
		(void)fprintf(stderr, "shipwatch: --%s: want a time such as 2026-11-24T13:48:05Z, or how long ago, such as 7d\n", name);
		return false;
	}
	return true;
}

static const char *history_path(const struct history_options *o, struct sw_arena *a)
{
	struct sw_config *cfg = o->from ? NULL : sw_cli_config(o->c.config, NULL, false);
	const char *ret = o->from;

	if (cfg && cfg->state_dir)
		ret = sw_arena_printf(a, "%s/history.db", cfg->state_dir);
	else if (cfg)
		(void)fprintf(stderr, "shipwatch: %s has no state_dir: say where the history is, by --from FILE\n", o->c.config);
	sw_config_put(cfg);
	return ret;
}

int sw_cli_export_history(int argc, char **argv)
{
	static const struct sw_usage usage = {
		"export-history [SERVICE ENV] [--from FILE] [--since 7d] [--until TIME] [-c FILE]",
		"Writes what a dashboard recorded, of one place or of all, as lines of JSON: events, readings of signals, labels. `replay --from` reads\n"
		"them, and the file of the history itself.\n", NULL, 0, 2,
	};
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
	struct history_options o = { .c.config = "shipwatch.yaml" };
	const struct sw_opt opts[] = {
		{ "from", 0, SW_OPT_TEXT, &o.from, "FILE", "the history; else history.db in the state_dir of the configuration" },
		{ "since", 0, SW_OPT_TEXT, &o.since, "TIME", "from this moment on, or from so long ago" },
		{ "until", 0, SW_OPT_TEXT, &o.until, "TIME", "before this moment, or so long ago" },
		SW_OPT_CONFIG(&o.c), { 0 },
	};
	struct sw_err err = SW_ERR_INIT;
	struct sw_export x = { 0 };
	struct sw_store *s = NULL;
	const char *path;
	int r, n = sw_options_read(&usage, opts, argc, argv, &r);

	if (n < 0)
		return r;
	if (n == 1) {
		(void)fprintf(stderr, "shipwatch: export-history: want a service and an environment, or neither\nusage: shipwatch %s\n", usage.line);
		return SW_EXIT_USAGE;
	}
	if (n == 2) {
		x.service = argv[1];
		x.environment = argv[2];
	}
	if (!history_moment("since", o.since, &x.from) || !history_moment("until", o.until, &x.until))
		return SW_EXIT_USAGE;
	path = history_path(&o, &a);
	if (!path)
		return SW_EXIT_WRONG;
	if (sw_store_open(path, SW_STORE_READ, &s, &err) < 0) {
		(void)fprintf(stderr, "shipwatch: %s\n", err.text);
		return SW_EXIT_WRONG;
	}
	r = history_write(s, &x);
	sw_store_close(s);
	return r;
}
