/*
 * Tests of rules: a YAML file of stories, each with events, what sources answer and what must come of it (rules.md 2).
 *
 *   rule_files: [rules/web.yaml]        relative to the test file; or `rules:` with the rules themselves, of several files by their names
 *   interval: 15s                       of series and probes
 *   places: {web/prod: {…}}             rhythm and grace of health, rollback, migrations, dry_run, deploys, measured, tier, limits
 *   tests:
 *   - name: …
 *     events: [{at: 0s, deployment: {service: web, env: prod, sha: b1, status: success}}]
 *     history: {http_latency_p95: '0.3~5%x5760'}
 *     series: {http_latency_p95: '0.3~5%x3 0.62~5%x20'}
 *     probes: {health: 'ok x3 fail x20'}
 *     expect: [{rule: …, verdict: fail, within: [10s, 60s], actions: [alert, rollback], never: [rollback], …}]
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "shipwatch/clock.h"
#include "shipwatch/err.h"
#include "shipwatch/key.h"
#include "sim/check.h"
#include "sim/script.h"

/* ---- running ---- */

enum variant { AS_WRITTEN, DOUBLED, REVERSED };
static const char *const variant_names[] = { "as written", "with every event doubled", "with events of one moment reversed" };

static void world_event(struct sim_world *w, struct script *sc, size_t i, enum variant v)
{
	const struct script_event *e = &sc->events[i];

	switch (e->what) {
	case SCRIPT_EVENT:
		sw_sim_event(w, &e->ev);
		if (v == DOUBLED)
			sw_sim_event(w, &e->ev);
		break;
	case SCRIPT_COMMAND: sw_sim_append(w, e->aggregate, e->msg); break;
	case SCRIPT_ACK: sw_sim_ack(w); break;
	case SCRIPT_REFUSE: w->refuse_starts = sw_streq(e->msg, "none") ? NULL : e->msg; break;
	case SCRIPT_PAUSE: break;
	}
}

/* Events in order of time; those of one moment in the order of the variant. */
static void script_order(const struct script *sc, enum variant v, size_t *order)
{
	for (size_t i = 0; i < sc->n_events; i++) {
		size_t k = i;

		while (k > 0 && (sc->events[order[k - 1]].at > sc->events[i].at ||
		                 (v == REVERSED && sc->events[order[k - 1]].at == sc->events[i].at))) {
			order[k] = order[k - 1];
			k--;
		}
		order[k] = i;
	}
}

static int script_play(struct sim_world *w, struct script *sc, enum variant v, struct sw_arena *a, struct sw_err *err)
{
	size_t *order = SW_ARENA_ARRAY(a, size_t, sc->n_events + 1);
	sw_ms end = SIM_START + sc->length;
	int r = 0;

	script_order(sc, v, order);
	for (size_t i = 0; i < sc->n_events && r == 0; i++) {
		const struct script_event *e = &sc->events[order[i]];

		r = sw_sim_run(w, e->at - 1, false, err);
		w->now = SW_MAX(w->now, e->at);
		if (r < 0)
			break;
		world_event(w, sc, order[i], v);
		if (e->what == SCRIPT_PAUSE)
			r = sw_sim_run(w, e->at + e->pause, true, err);
		end = SW_MAX(end, e->at + sc->length);
	}
	return r < 0 ? r : sw_sim_run(w, end, false, err);
}

/* What happened, for the one who looks for the mistake. */
static void run_story(const struct sim_world *w, struct sw_buf *why)
{
	static const char *const whats[] = { "watch opened", "verdict ", "told ", "action ", "hold " };

	for (size_t i = 0; i < w->n_log && i < 60; i++) {
		const struct sim_entry *x = &w->log[i];
		const char *more = x->what == SIM_VERDICT ? x->verdict : x->what == SIM_ALERT ? x->news : x->what == SIM_ACTION ? x->action : NULL;

		sw_buf_printf(why, "\n      %8.3f s  %s  %s  %s%s", (double)x->at / 1000, x->place, x->rule ? x->rule : "", whats[x->what],
		              more ? more : "");
		if (x->reason)
			sw_buf_printf(why, " (%s)", x->reason);
	}
}

static bool run_judge(struct file *f, const struct script *sc, const struct sim_world *w, struct sw_buf *why)
{
	(void)f;
	for (const struct sw_ynode *x = sc->expect->child; x; x = x->next) {
		struct sw_buf b = SW_BUF_INIT;
		bool good = sw_check_one(w, x, &b);

		if (!good)
			sw_buf_printf(why, "line %u: %s", x->line, sw_buf_str(&b));
		sw_buf_fini(&b);
		if (!good)
			return false;
	}
	return true;
}

/* One variant of one test. Return: passed; else why. */
static bool test_run(struct file *f, struct script *sc, enum variant v, struct sim_report *report, struct sw_buf *why)
{
	struct sw_arena a = { 0 };
	struct sw_places places;
	struct sw_engine e;
	struct sim_world w;
	struct sw_err err = SW_ERR_INIT;
	bool good;

	places = sw_script_places_of(f, sc, &a);
	sw_sim_engine(&e, f->rules, &places, (const char *const *)f->alerts, &a);
	e.reference = sc->reference;
	e.maintenance = f->maintenance;
	e.n_maintenance = f->n_maintenance;
	sw_sim_world_init(&w, &e, &a, SIM_START);
	sw_script_outside(sc, &w.outside);
	w.outcome = sc->outcome;
	sw_sim_wake(&w);
	good = script_play(&w, sc, v, &a, &err) == 0;
	if (!good)
		sw_buf_cat(why, err.text);
	good = good && run_judge(f, sc, &w, why);
	if (!good)
		run_story(&w, why);
	else if (v == AS_WRITTEN)
		sw_cover_test(report, f->rules, sc, &w);
	sw_sim_world_fini(&w);
	sw_arena_fini(&a);
	return good;
}

static void test_result(struct sim_report *r, const struct sw_ynode *test, const struct sw_ynode *name, const char *why)
{
	if (r->n == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 64;
		r->results = sw_realloc(r->results, r->cap * sizeof *r->results);
	}
	r->results[r->n++] = (struct sim_result){ .file = sw_arena_strdup(&r->a, test->file), .name = sw_arena_strdup(&r->a, name->text),
		                                  .line = name->line, .why = sw_arena_strdup(&r->a, why) };
	r->passed += !why;
	r->failed += why != NULL;
}

/* Do two events come in one moment? Else their order in reverse is the order as written. */
static bool script_moments(const struct script *sc)
{
	for (size_t i = 0; i < sc->n_events; i++)
		for (size_t k = 0; k < i; k++)
			if (sc->events[i].at == sc->events[k].at)
				return true;
	return false;
}

static void file_test(struct file *f, const struct sw_ynode *test, const void *run, struct sim_report *report)
{
	const struct sw_ynode *name = sw_yget(test, "name");
	struct script *sc = SW_ARENA_NEW(f->a, struct script);
	struct sw_buf why = SW_BUF_INIT;
	bool good = true;

	if (!name || name->type != SW_Y_SCALAR) {
		sw_diag_error(f->d, test, "a test needs a name");
		return;
	}
	if (sw_script_read(f, test, sc) < 0 || !sw_check_known(f, sc->expect))
		return;
	if (run && sw_regex_match(run, name->text) != SW_TRUE)
		return;
	for (enum variant v = AS_WRITTEN; v <= (script_moments(sc) ? REVERSED : DOUBLED) && good; v++) {
		struct sw_buf b = SW_BUF_INIT;

		good = test_run(f, sc, v, report, &b);
		if (!good)
			sw_buf_printf(&why, "%s: %s", variant_names[v], sw_buf_str(&b));
		sw_buf_fini(&b);
	}
	test_result(report, test, name, good ? NULL : sw_buf_str(&why));
	sw_buf_fini(&why);
}

/* ---- a file ---- */

static const char *path_beside(struct sw_arena *a, const char *file, const char *path)
{
	const char *slash = strrchr(file, '/');

	if (path[0] == '/' || !slash)
		return path;
	return sw_arena_printf(a, "%.*s/%s", (int)(slash - file), file, path);
}

/* rules: {web.yaml: "…", measured.yaml: "…"}: what several files say, as one set. */
static int file_rules_named(struct file *f, const struct sw_ynode *map)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_err err = SW_ERR_INIT;
	struct sw_jw w;
	int r = 0;

	sw_jw_init(&w, &b);
	sw_jw_arr(&w, NULL);
	for (const struct sw_ynode *x = map->child; x && r == 0; x = x->next) {
		if (x->type != SW_Y_SCALAR)
			r = (sw_diag_key(f->d, x, "want the rules of %s as a text", x->key), -EINVAL);
		sw_jw_arr(&w, NULL);
		sw_jw_str(&w, NULL, x->key);
		sw_jw_str(&w, NULL, x->type == SW_Y_SCALAR ? x->text : "");
		sw_jw_arr_end(&w);
	}
	sw_jw_arr_end(&w);
	if (r == 0 && sw_rules_load_source(sw_buf_str(&b), b.n, &f->rules, &err) < 0)
		r = (sw_diag_error(f->d, map, "rules: %s", err.text), -EINVAL);
	sw_buf_fini(&b);
	return r;
}

static int file_rules(struct file *f, const char *path)
{
	const struct sw_ynode *files = sw_yget(f->root, "rule_files"), *text = sw_yget(f->root, "rules");
	const char *paths[65] = { NULL };
	size_t n = 0;

	if (text && text->type == SW_Y_SCALAR)
		return sw_rules_load_text(sw_arena_printf(f->a, "%s: rules", path), text->text, strlen(text->text), NULL, &f->rules, f->d);
	if (text && text->type == SW_Y_MAP)
		return file_rules_named(f, text);
	if (!files || files->type != SW_Y_LIST || !files->n)
		return sw_diag_error(f->d, f->root, "want rule_files: [rules/web.yaml] or rules: |"), -EINVAL;
	for (const struct sw_ynode *x = files->child; x; x = x->next) {
		if (x->type != SW_Y_SCALAR || n == SW_COUNT(paths) - 1)
			return sw_diag_error(f->d, x, "rule_files: want at most %zu names of files", SW_COUNT(paths) - 1), -EINVAL;
		paths[n++] = path_beside(f->a, path, x->text);
	}
	return sw_rules_load(paths, NULL, &f->rules, f->d);
}

static int file_words(struct file *f)
{
	static const char *const words[] = { "rule_files", "rules", "interval", "length", "alerts", "maintenance", "places", "tests", NULL };

	return sw_script_words(f, f->root, words);
}

static void file_alerts(struct file *f)
{
	const struct sw_ynode *x = sw_yget(f->root, "alerts");
	size_t n = 0;

	f->alerts = SW_ARENA_ARRAY(f->a, const char *, 17);
	f->alerts[0] = "oncall";
	if (x && x->type == SW_Y_SCALAR)
		f->alerts[n++] = x->text;
	for (const struct sw_ynode *c = x && x->type == SW_Y_LIST ? x->child : NULL; c && n < 16; c = c->next)
		if (c->type == SW_Y_SCALAR)
			f->alerts[n++] = c->text;
}

static int test_root(const char *path, const struct sw_ynode *root, const void *run, struct sim_report *report, struct sw_diags *d)
{
	struct file f = { .a = d->arena, .d = d, .root = root, .interval = 10 * SW_SECOND, .length = 2 * SW_HOUR };
	const struct sw_ynode *x;
	int r;

	if (!root || root->type != SW_Y_MAP)
		return sw_diag_error(d, root, "want a map with rule_files and tests"), -EINVAL;
	x = sw_yget(root, "interval");
	if (x && (x->type != SW_Y_SCALAR || sw_dur_parse(x->text, &f.interval) < 0 || f.interval < SW_SECOND))
		return sw_diag_error(d, x, "interval: want a length of time of at least 1s"), -EINVAL;
	x = sw_yget(root, "length");
	if (x && sw_script_length(&f, x, &f.length) < 0)
		return -EINVAL;
	file_alerts(&f);
	r = file_rules(&f, path);
	if (r < 0 || file_words(&f) < 0)
		goto out;
	sw_script_places(&f, sw_yget(root, "places"));
	sw_maintenance_read(f.a, sw_yget(root, "maintenance"), NULL, &f.maintenance, &f.n_maintenance, f.d);
	sw_cover_rules(report, f.rules);
	x = sw_yget(root, "tests");
	if (!x || x->type != SW_Y_LIST)
		sw_diag_error(d, root, "want tests: a list");
	for (x = x && x->type == SW_Y_LIST ? x->child : NULL; x; x = x->next)
		file_test(&f, x, run, report);
out:
	f.rules = sw_rules_put(f.rules);
	return d->errors ? -EINVAL : 0;
}

int sw_sim_test_file(const char *path, const void *run, struct sim_report *report, struct sw_diags *d)
{
	struct sw_ynode *root;
	int r = sw_yaml_load(d->arena, path, NULL, &root, d);

	return r < 0 ? r : test_root(path, root, run, report, d);
}

int sw_sim_test_text(const char *name, const char *text, size_t n, const void *run, struct sim_report *report, struct sw_diags *d)
{
	struct sw_ynode *root;
	int r = sw_yaml_parse(d->arena, name, text, n, NULL, &root, d);

	return r < 0 ? r : test_root(name, root, run, report, d);
}
