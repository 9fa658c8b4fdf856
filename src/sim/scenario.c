/*
 * Tests of rules: a YAML file of stories, each with events, what probes find and what must come of it (rules.md 2).
 *
 *   rule_files: [rules/web.yaml]        relative to the test file; or `rules:` with the rules themselves
 *   interval: 10s                       of series and probes
 *   places: {web/prod: {…}}             health: {every, grace, background, version}, rollback, migrations, dry_run, deploys
 *   tests:
 *   - name: …
 *     events: [{at: 0s, deployment: {service: web, env: prod, sha: b1, status: success}}]
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
#include "sim/script.h"

/* ---- what must come of it ---- */

static bool entry_in(const struct sim_entry *e, const char *rule, sw_dur from, sw_dur to)
{
	return e->at >= from && e->at <= to && (!rule || sw_streq(e->rule, rule));
}

static bool entry_is(const struct sim_entry *e, const char *what)
{
	if (sw_streq(what, "rollback"))
		return e->what == SIM_ACTION;
	if (sw_streq(what, "hold"))
		return e->what == SIM_HOLD;
	if (sw_starts(what, "run:"))
		return e->what == SIM_ACTION && sw_streq(e->action, what + 4);
	if (e->what != SIM_ALERT)
		return false;
	if (sw_streq(what, "alert"))
		return sw_streq(e->news, "firing");
	if (sw_starts(what, "alert:"))
		return sw_streq(e->channel, what + 6);
	if (sw_starts(what, "news:"))
		return sw_streq(e->news, what + 5);
	return false;
}

static size_t count_of(const struct sim_world *w, const char *rule, const char *what, sw_dur from, sw_dur to)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n_log; i++)
		n += (w->log[i].what == SIM_HOLD ? entry_in(&w->log[i], NULL, from, to) : entry_in(&w->log[i], rule, from, to)) &&
		     entry_is(&w->log[i], what);
	return n;
}

static bool verdict_of(const struct sim_world *w, const char *rule, const char *verdict, const char *reason, sw_dur from, sw_dur to)
{
	for (size_t i = 0; i < w->n_log; i++)
		if (w->log[i].what == SIM_VERDICT && entry_in(&w->log[i], rule, from, to) && sw_streq(w->log[i].verdict, verdict) &&
		    (!reason || sw_streq(w->log[i].reason, reason)))
			return true;
	return false;
}

static void each_text(const struct sw_ynode *n, const char **ret, size_t max, size_t *ret_n)
{
	*ret_n = 0;
	if (n && n->type == SW_Y_SCALAR)
		ret[(*ret_n)++] = n->text;
	for (const struct sw_ynode *x = n && n->type == SW_Y_LIST ? n->child : NULL; x && *ret_n < max; x = x->next)
		ret[(*ret_n)++] = x->text;
}

static bool expect_one(struct file *f, const struct sim_world *w, const struct sw_ynode *n, struct sw_buf *why)
{
	const char *rule = sw_yget(n, "rule") ? sw_yget(n, "rule")->text : NULL, *list[32];
	const struct sw_ynode *within = sw_yget(n, "within"), *at = sw_yget(n, "at"), *verdict = sw_yget(n, "verdict"),
			      *fired = sw_yget(n, "fired"), *reason = sw_yget(n, "reason");
	sw_dur from = 0, to = 365 * SW_DAY;
	bool good = true;
	size_t k;

	(void)f;
	if (within && within->n == 2 && (sw_dur_parse(within->child->text, &from) < 0 || sw_dur_parse(within->child->next->text, &to) < 0))
		return sw_buf_cat(why, "within: want [from, to]"), false;
	if (at && sw_dur_parse(at->text, &to) < 0)
		return sw_buf_cat(why, "at: want a length of time"), false;
	if (verdict && !verdict_of(w, rule, verdict->text, reason ? reason->text : NULL, from, to)) {
		sw_buf_printf(why, "no verdict %s%s%s; ", verdict->text, reason ? " for " : "", reason ? reason->text : "");
		good = false;
	}
	each_text(sw_yget(n, "actions"), list, SW_COUNT(list), &k);
	for (size_t i = 0; i < k; i++)
		if (!count_of(w, rule, list[i], from, to)) {
			sw_buf_printf(why, "no %s; ", list[i]);
			good = false;
		}
	each_text(sw_yget(n, "never"), list, SW_COUNT(list), &k);
	for (size_t i = 0; i < k; i++)
		if (count_of(w, rule, list[i], 0, 365 * SW_DAY)) {
			sw_buf_printf(why, "%s, which must never be; ", list[i]);
			good = false;
		}
	if (fired && count_of(w, rule, "alert", from, to) != strtoul(fired->text, NULL, 10)) {
		sw_buf_printf(why, "fired %zu times, not %s; ", count_of(w, rule, "alert", from, to), fired->text);
		good = false;
	}
	each_text(sw_yget(n, "message_contains"), list, SW_COUNT(list), &k);
	for (size_t i = 0; i < k; i++) {
		bool found = false;

		for (size_t m = 0; m < w->n_log; m++)
			found |= w->log[m].what == SIM_ALERT && entry_in(&w->log[m], rule, from, to) && strstr(w->log[m].text, list[i]);
		if (!found) {
			sw_buf_printf(why, "no message contains \"%s\"; ", list[i]);
			good = false;
		}
	}
	return good;
}

static bool expect_known(struct file *f, const struct sw_ynode *n)
{
	static const char *const words[] = { "rule", "verdict", "reason", "within", "at", "fired", "actions", "never", "message_contains", NULL };
	bool good = true;

	for (const struct sw_ynode *x = n->child; x; x = x->next) {
		bool known = false;

		for (size_t i = 0; words[i]; i++)
			known |= sw_streq(words[i], x->key);
		if (!known) {
			sw_diag_key(f->d, x, "unknown key \"%s\"", x->key);
			good = false;
		}
		if (sw_streq(x->key, "rule") && f->rules && !sw_rules_find(f->rules, x->text)) {
			sw_diag_error(f->d, x, "no rule \"%s\" in the rule files", x->text);
			good = false;
		}
	}
	return good;
}

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

static void engine_fill(struct file *f, struct sw_engine *e)
{
	struct sw_engine_channel *ch = SW_ARENA_ARRAY(f->a, struct sw_engine_channel, 256);
	struct sw_engine_action *ac = SW_ARENA_ARRAY(f->a, struct sw_engine_action, 256);

	memset(e, 0, sizeof *e);
	e->places = &f->places;
	e->rules = f->rules;
	e->alerts = (const char *const *)f->alerts;
	for (size_t i = 0; f->alerts[i]; i++)
		ch[e->n_channels++] = (struct sw_engine_channel){ .name = f->alerts[i], .credential = f->alerts[i] };
	ac[e->n_actions++] = (struct sw_engine_action){ .name = "rollback", .timeout = 30 * SW_SECOND };
	for (size_t i = 0; i < f->rules->n; i++)
		for (size_t k = 0; k < f->rules->items[i].n_then; k++) {
			const struct sw_then *t = &f->rules->items[i].then[k];

			for (size_t m = 0; t->channels && t->channels[m] && e->n_channels < 256; m++)
				ch[e->n_channels++] = (struct sw_engine_channel){ .name = t->channels[m], .credential = t->channels[m] };
			if (t->kind == SW_THEN_RUN && e->n_actions < 256)
				ac[e->n_actions++] = (struct sw_engine_action){ .name = t->action, .timeout = 30 * SW_SECOND };
		}
	for (size_t i = 0; i < f->places.n && e->n_actions < 256; i++)
		if (f->places.items[i].rollback)
			ac[e->n_actions++] = (struct sw_engine_action){ .name = f->places.items[i].rollback, .timeout = 30 * SW_SECOND };
	e->channels = ch;
	e->actions = ac;
}

/* One variant of one test. Return: 1 passed, 0 failed with why. */
static int test_run(struct file *f, struct script *sc, enum variant v, struct sw_buf *why)
{
	struct sw_arena a;
	struct sw_engine e;
	struct sim_world w;
	struct sw_err err = SW_ERR_INIT;
	int good = 1;

	sw_arena_init(&a);
	engine_fill(f, &e);
	sw_sim_world_init(&w, &e, &a, SIM_START);
	w.probe = sw_script_probe;
	w.arg = sc;
	w.outcome = sc->outcome;
	for (size_t i = 0; i < f->places.n; i++)
		sw_sim_append(&w, sw_arena_printf(&a, "place:%s/%s", f->places.items[i].service, f->places.items[i].environment), "{\"t\":\"wake\"}");
	if (script_play(&w, sc, v, &a, &err) < 0) {
		sw_buf_printf(why, "%s", err.text);
		good = 0;
	}
	for (const struct sw_ynode *x = sc->expect->child; x && good; x = x->next) {
		struct sw_buf b = SW_BUF_INIT;

		if (!expect_one(f, &w, x, &b)) {
			sw_buf_printf(why, "line %u: %s", x->line, sw_buf_str(&b));
			good = 0;
		}
		sw_buf_fini(&b);
	}
	for (size_t i = 0; !good && i < w.n_log && i < 60; i++) {
		const struct sim_entry *x = &w.log[i];

		sw_buf_printf(why, "\n      %6lld s  %s %s %s%s%s%s", (long long)(x->at / 1000), x->place ? x->place : "", x->rule ? x->rule : "",
		              x->what == SIM_VERDICT ? "verdict " : x->what == SIM_ALERT ? "told " : x->what == SIM_ACTION ? "action " : "hold ",
		              x->what == SIM_VERDICT ? x->verdict : x->what == SIM_ALERT ? x->news : x->action ? x->action : "",
		              x->reason ? " " : "", x->reason ? x->reason : "");
	}
	sw_sim_world_fini(&w);
	sw_arena_fini(&a);
	return good;
}

static void file_test(struct file *f, const struct sw_ynode *test, const char *only, struct sim_report *report)
{
	const struct sw_ynode *name = sw_yget(test, "name");
	struct script *sc = SW_ARENA_NEW(f->a, struct script);
	unsigned errors = f->d->errors;

	if (!name || name->type != SW_Y_SCALAR) {
		sw_diag_error(f->d, test, "a test needs a name");
		return;
	}
	if (only && !strstr(name->text, only))
		return;
	if (sw_script_read(f, test, sc) < 0)
		return;
	for (const struct sw_ynode *x = sc->expect->child; x; x = x->next)
		if (!expect_known(f, x))
			return;
	for (enum variant v = AS_WRITTEN; v <= REVERSED && errors == f->d->errors; v++) {
		struct sw_buf why = SW_BUF_INIT;

		if (!test_run(f, sc, v, &why)) {
			report->failed++;
			sw_buf_printf(&report->text, "FAIL %s:%u: %s (%s)\n      %s\n", test->file, name->line, name->text, variant_names[v], sw_buf_str(&why));
			sw_buf_fini(&why);
			return;
		}
		sw_buf_fini(&why);
	}
	report->passed++;
	sw_buf_printf(&report->text, "ok   %s\n", name->text);
}

static const char *path_beside(struct sw_arena *a, const char *file, const char *path)
{
	const char *slash = strrchr(file, '/');

	if (path[0] == '/' || !slash)
		return path;
	return sw_arena_printf(a, "%.*s/%s", (int)(slash - file), file, path);
}

static int file_rules(struct file *f, const char *path)
{
	const struct sw_ynode *files = sw_yget(f->root, "rule_files"), *text = sw_yget(f->root, "rules");
	const char *paths[65] = { NULL };
	size_t n = 0;

	if (text && text->type == SW_Y_SCALAR)
		return sw_rules_load_text(sw_arena_printf(f->a, "%s: rules", path), text->text, strlen(text->text), NULL, &f->rules, f->d);
	if (!files || files->type != SW_Y_LIST || !files->n)
		return sw_diag_error(f->d, f->root, "want rule_files: [rules/web.yaml] or rules: |"), -EINVAL;
	for (const struct sw_ynode *x = files->child; x && n < 64; x = x->next)
		paths[n++] = path_beside(f->a, path, x->text);
	return sw_rules_load(paths, NULL, &f->rules, f->d);
}

int sw_sim_test_file(const char *path, const char *only, struct sim_report *report, struct sw_diags *d)
{
	struct file f = { .a = d->arena, .d = d, .interval = 10 * SW_SECOND };
	struct sw_ynode *root;
	const struct sw_ynode *x;
	int r = sw_yaml_load(d->arena, path, NULL, &root, d);

	if (r < 0)
		return r;
	f.root = root;
	if (!root || root->type != SW_Y_MAP)
		return sw_diag_error(d, root, "want a map with rule_files and tests"), -EINVAL;
	x = sw_yget(root, "interval");
	if (x && (x->type != SW_Y_SCALAR || sw_dur_parse(x->text, &f.interval) < 0 || f.interval < SW_SECOND))
		return sw_diag_error(d, x, "interval: want a length of time of at least 1s"), -EINVAL;
	f.alerts = SW_ARENA_ARRAY(f.a, const char *, 17);
	f.alerts[0] = "oncall";
	x = sw_yget(root, "alerts");
	if (x) {
		size_t n;

		each_text(x, f.alerts, 16, &n);
	}
	r = file_rules(&f, path);
	if (r < 0)
		return r;
	sw_script_places(&f, sw_yget(root, "places"));
	x = sw_yget(root, "tests");
	if (!x || x->type != SW_Y_LIST)
		sw_diag_error(d, root, "want tests: a list");
	for (x = x && x->type == SW_Y_LIST ? x->child : NULL; x; x = x->next)
		file_test(&f, x, only, report);
	f.rules = sw_rules_put(f.rules);
	return d->errors ? -EINVAL : 0;
}
