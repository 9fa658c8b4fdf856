/* shipwatch replay: recorded events and samples against rules: what would have fired, and what a change of rules would change. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "dashboard/history.h"
#include "rules/rules.h"
#include "sim/replay.h"

enum { REPLAY_BROKEN = 2, REPLAY_EMPTY = 3 };

#define RULE_FILES 200
#define PIECE ((size_t)4 << 20) /* of a history at once */
#define BEFORE (7 * SW_DAY)     /* of a history, before what is asked for: what ran then, what was usual */

struct replay_options {
	struct sw_common c;
	const char *from, *rules, *against, *labels;
	sw_dur since;
	int64_t pseudo;
	bool shown; /* a line of progress stands on the terminal */
};

/* ---- rules ---- */

static int rule_file_wanted(const struct dirent *e)
{
	return e->d_name[0] != '.' && (sw_ends(e->d_name, ".yaml") || sw_ends(e->d_name, ".yml")) && !sw_ends(e->d_name, "_test.yaml") &&
	       !sw_ends(e->d_name, "_test.yml");
}

static int rule_file_order(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* The files of a folder (tests of rules are not rules), or the file. Return: how many; -1 after a line. */
static int rule_files(const char *path, struct sw_arena *a, const char **ret)
{
	struct dirent **found = NULL;
	struct stat st;
	int n, k = 0;

	if (stat(path, &st) < 0) {
		(void)fprintf(stderr, "shipwatch: %s: %s\n", path, strerror(errno));
		return -1;
	}
	if (!S_ISDIR(st.st_mode)) {
		ret[0] = path;
		return 1;
	}
	n = scandir(path, &found, rule_file_wanted, rule_file_order);
	for (int i = 0; i < n; i++) {
		if (k < RULE_FILES)
			ret[k++] = sw_arena_printf(a, "%s%s%s", path, sw_ends(path, "/") ? "" : "/", found[i]->d_name);
		free(found[i]);
	}
	free(found);
	if (n <= 0 || n > RULE_FILES) {
		(void)fprintf(stderr, n <= 0 ? "shipwatch: there is no *.yaml in %s\n" : "shipwatch: there are too many *.yaml in %s\n", path);
		return -1;
	}
	return k;
}

/* NULL after all mistakes were told. */
static struct sw_rules *replay_rules(const char *path, const struct sw_config *cfg)
{
	const char *files[RULE_FILES + 1] = { NULL };
	struct sw_rules_names names = { 0 };
	struct sw_rules *ret = NULL;
	struct sw_arena a = { 0 };
	struct sw_diags d;
	int r;

	sw_diags_init(&d, &a);
	if (cfg)
		names = (struct sw_rules_names){ .channels = (const char *const *)cfg->channel_names,
			                         .actions = (const char *const *)cfg->action_names,
			                         .people = (const char *const *)cfg->people_names,
			                         .limits = (const char *const *)cfg->limit_names };
	if (path)
		r = rule_files(path, &a, files) < 0 ? -EINVAL : sw_rules_load(files, cfg ? &names : NULL, &ret, &d);
	else if (cfg && cfg->rules)
		r = sw_rules_load((const char *const *)cfg->rules, &names, &ret, &d);
	else
		r = sw_rules_load_text("<safe rules>", sw_rules_safe, strlen(sw_rules_safe), NULL, &ret, &d);
	sw_diags_sort(&d);
	for (const struct sw_diag *one = d.first; one; one = one->next)
		(void)fprintf(stderr, "%s%s\n", one->warning ? "warning: " : "", one->text);
	sw_arena_fini(&a);
	return r < 0 ? NULL : ret;
}

/* ---- running ---- */

static void told_bad(void *arg, const char *text)
{
	(void)arg;
	(void)fprintf(stderr, "%s\n", text);
}

static void told_progress(void *arg, sw_ms now, size_t pseudo)
{
	struct replay_options *o = arg;
	char day[40];
	struct tm tm;
	time_t t = (time_t)(now / 1000);

	if (!isatty(STDERR_FILENO) || !gmtime_r(&t, &tm) || !strftime(day, sizeof day, "%Y-%m-%d %H:%M", &tm))
		return;
	o->shown = true;
	if (pseudo)
		(void)fprintf(stderr, "\rreplaying %s, deployment %zu in play ", day, pseudo);
	else
		(void)fprintf(stderr, "\rreplaying %s ", day);
}

/* Each line of a piece. Return: 0, or -E2BIG with err. */
static int history_lines(struct recording *rec, const struct sw_buf *b, struct sw_err *err)
{
	struct sw_err bad = SW_ERR_INIT;

	for (const char *p = b->p, *end; p < b->p + b->n; p = end + 1) {
		end = memchr(p, '\n', (size_t)(b->p + b->n - p));
		if (++rec->lines > rec->lines_max)
			return sw_err_set(err, E2BIG, "more than %zu lines; say --since", rec->lines_max);
		if (sw_recording_line(rec, p, (size_t)(end - p), &bad) < 0 && rec->skipped++ < RECORDING_TOLD)
			told_bad(NULL, bad.text);
	}
	return 0;
}

/* A dashboard's own file. */
static int replay_history(struct recording *rec, const struct replay_options *o, struct sw_err *err)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_arena a = { 0 };
	struct sw_export x = { 0 };
	struct sw_store *s = NULL;
	struct sw_rows newest;
	int r = sw_store_open(o->from, SW_STORE_READ, &s, err);

	if (r == 0 && o->since) {
		r = sw_list_get(s, "events", 1, &a, &newest, err, NULL);
		if (r == 0 && newest.n)
			x.from = sw_row_int(&newest.rows[0], "at", 0) - o->since - BEFORE;
	}
	while (r == 0 && !x.done) {
		sw_buf_reset(&b);
		r = sw_store_export(s, &x, PIECE, &b, err);
		if (r == 0 && b.n)
			r = history_lines(rec, &b, err);
	}
	sw_store_close(s);
	sw_arena_fini(&a);
	return r;
}

static bool replay_read(struct recording *rec, const struct replay_options *o)
{
	struct sw_err err = SW_ERR_INIT;
	int r = sw_store_is(o->from) ? replay_history(rec, o, &err) : sw_recording_read(rec, o->from, told_bad, NULL, &err);

	if (r == 0 && o->labels)
		r = sw_recording_read(rec, o->labels, told_bad, NULL, &err);
	if (r < 0)
		(void)fprintf(stderr, "shipwatch: %s\n", err.text);
	if (rec->skipped)
		(void)fprintf(stderr, "shipwatch: %zu of %zu lines could not be read and were left out\n", rec->skipped, rec->lines);
	sw_recording_finish(rec);
	return r == 0;
}

static bool replay_one(struct replay_ask *ask, struct sw_rules *rules, const struct replay_truth *truth, struct replay *ret)
{
	struct replay_options *o = ask->arg;
	struct sw_err err = SW_ERR_INIT;
	int r;

	ask->rules = rules;
	r = sw_replay_run(ask, truth, ret, &err);
	if (o->shown)
		(void)fputs("\r\033[K", stderr);
	o->shown = false;
	if (r < 0)
		(void)fprintf(stderr, "shipwatch: replay: %s\n", err.text);
	return r == 0;
}

static int replay_run(struct replay_options *o, const struct recording *rec, const struct sw_config *cfg, struct sw_rules *rules,
                      struct sw_rules *against)
{
	static const char *const oncall[] = { "oncall", NULL };
	struct sw_arena a = { 0 };
	struct sw_places made = { 0 };
	struct replay_truth truth;
	struct replay first = { 0 }, second = { 0 };
	struct replay_ask ask = { .rec = rec, .alerts = oncall, .pseudo = (size_t)o->pseudo, .progress = told_progress, .arg = o };
	struct replay_told told = { .rec = rec, .truth = &truth, .first = &first, .second = against ? &second : NULL,
		                    .first_name = o->rules ? o->rules : "the rules of the configuration", .second_name = o->against };
	struct sw_buf b = SW_BUF_INIT;
	bool good;

	if (!cfg)
		made = sw_replay_places(rec, &a);
	ask.places = cfg ? &cfg->places : &made;
	if (cfg && cfg->alerts && cfg->alerts[0])
		ask.alerts = (const char *const *)cfg->alerts;
	ask.tz_offset_s = cfg ? sw_config_tz_offset(cfg, rec->last) : 0; /* at the end of the recording */
	ask.since = told.since = o->since ? rec->last - o->since : rec->first;
	sw_replay_truth(rec, ask.places, ask.since, &truth);
	good = replay_one(&ask, rules, &truth, &first) && (!against || replay_one(&ask, against, &truth, &second));
	if (good) {
		if (o->c.json)
			sw_replay_json(&told, &b);
		else
			sw_replay_text(&told, &b);
		good = fwrite(b.p, 1, b.n, stdout) == b.n;
	}
	sw_buf_fini(&b);
	sw_replay_fini(&first);
	sw_replay_fini(&second);
	free(truth.items);
	sw_arena_fini(&a);
	return good ? SW_EXIT_OK : SW_EXIT_WRONG;
}

static int replay_all(struct replay_options *o)
{
	struct sw_config *cfg = o->c.config ? sw_cli_config(o->c.config, NULL, false) : NULL;
	struct sw_rules *rules = NULL, *against = NULL;
	struct recording rec;
	int r = REPLAY_BROKEN;

	sw_recording_init(&rec);
	if (o->c.config && !cfg)
		goto out;
	rules = replay_rules(o->rules, cfg);
	against = o->against ? replay_rules(o->against, cfg) : NULL;
	if (!rules || (o->against && !against))
		goto out;
	r = SW_EXIT_WRONG;
	if (!replay_read(&rec, o))
		goto out;
	if (rec.n_events + rec.n_samples == 0) {
		(void)fprintf(stderr, "shipwatch: there is no event and no sample in %s\n", o->from);
		r = REPLAY_EMPTY;
	} else {
		r = replay_run(o, &rec, cfg, rules, against);
	}
out:
	sw_recording_fini(&rec);
	sw_rules_put(rules);
	sw_rules_put(against);
	sw_config_put(cfg);
	return r;
}

int sw_cli_replay(int argc, char **argv)
{
	static const struct sw_usage usage = {
		"replay --from FILE [--since 30d] [--rules DIR] [--against DIR] [--labels FILE] [-c FILE] [--json]",
		"Plays what was recorded (a dashboard's history.db, or lines of JSON, docs/replay.md) against rules: what would have fired,\n"
		"how often rightly, how soon, and what other rules would have decided instead. Nothing is sent, nothing is done.\n",
		"for replay: 2 also a mistake in the rules or the configuration; 3 nothing is recorded there\n", 0, 0,
	};
	struct replay_options o = { .pseudo = 100 };
	const struct sw_opt opts[] = {
		{ "from", 0, SW_OPT_TEXT, &o.from, "FILE", "the recording, or a history; -: stdin" },
		{ "since", 0, SW_OPT_DUR, &o.since, "TIME", "only deployments so long before its end", NULL, 1, 3650 * SW_DAY },
		{ "rules", 0, SW_OPT_TEXT, &o.rules, "DIR", "folder or file of rules; else those of the configuration" },
		{ "against", 0, SW_OPT_TEXT, &o.against, "DIR", "other rules: what would they decide otherwise" },
		{ "labels", 0, SW_OPT_TEXT, &o.labels, "FILE", "more lines: which deployments were good or bad" },
		{ "pseudo", 0, SW_OPT_INT, &o.pseudo, "N", "deployments in play for each place, 100 unless said; 0: none", NULL, 0, 10000 },
		SW_OPT_CONFIG(&o.c), SW_OPT_JSON(&o.c), { 0 },
	};
	int r;

	if (sw_options_read(&usage, opts, argc, argv, &r) < 0)
		return r;
	if (!o.from) {
		(void)fprintf(stderr, "shipwatch: replay: want --from with a recording\nusage: shipwatch %s\n", usage.line);
		return SW_EXIT_USAGE;
	}
	return replay_all(&o);
}
