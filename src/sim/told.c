/* Replay: what it found, as text for people and as JSON. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "shipwatch/clock.h"
#include "sim/replay.h"

/* ---- numbers ---- */

static const char *dur_text(struct sw_arena *a, sw_dur d)
{
	struct sw_buf b = SW_BUF_INIT;
	const char *ret;

	sw_dur_print((d + 500) / 1000 * 1000, &b);
	ret = sw_arena_strdup(a, sw_buf_str(&b));
	sw_buf_fini(&b);
	return ret;
}

static const char *percent(struct sw_arena *a, size_t k, size_t n)
{
	return n ? sw_arena_printf(a, "%.0f %%", 100 * (double)k / (double)n) : "-";
}

/* "2.8 (0.5-14.2)" out of 100 */
static const char *rate_text(struct sw_arena *a, size_t k, size_t n)
{
	double lo, hi;

	if (!n)
		return "-";
	sw_replay_wilson(k, n, &lo, &hi);
	return sw_arena_printf(a, "%.1f (%.1f-%.1f)", 100 * (double)k / (double)n, 100 * lo, 100 * hi);
}

/* Nearest rank. */
static sw_dur detect_at(const struct replay_rule *r, unsigned percent_of)
{
	size_t i = (r->n_detect * percent_of + 99) / 100;

	return r->detect[i ? i - 1 : 0];
}

/* ---- text ---- */

#define COLUMNS 10

struct table { const char *cells[COLUMNS]; };

static size_t chars(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void table_print(const struct table *rows, size_t n, struct sw_buf *out)
{
	size_t width[COLUMNS] = { 0 };

	for (size_t i = 0; i < n; i++)
		for (int k = 0; k < COLUMNS; k++)
			width[k] = SW_MAX(width[k], chars(rows[i].cells[k]));
	for (size_t i = 0; i < n; i++) {
		for (int k = 0; k < COLUMNS; k++) {
			size_t pad = width[k] - chars(rows[i].cells[k]);

			sw_buf_cat(out, k ? "  " : "");
			for (; k > 0 && pad > 0; pad--)
				sw_buf_putc(out, ' ');
			sw_buf_cat(out, rows[i].cells[k]);
			for (; pad > 0; pad--)
				sw_buf_putc(out, ' ');
		}
		while (out->n && out->p[out->n - 1] == ' ')
			sw_buf_truncate(out, out->n - 1);
		sw_buf_putc(out, '\n');
	}
}

static struct table rule_row(const struct replay_rule *r, struct sw_arena *a)
{
	struct table t;
	bool judged = r->watches && !r->labels;

	t.cells[0] = r->name;
	t.cells[1] = r->watches ? sw_arena_printf(a, "%zu", r->seen) : "-";
	t.cells[2] = sw_arena_printf(a, "%zu", r->fires);
	t.cells[3] = sw_arena_printf(a, "%zu", r->rollbacks);
	t.cells[4] = judged ? percent(a, r->bad_fired, r->bad_fired + r->good_fired) : "-";
	t.cells[5] = judged ? percent(a, r->bad_fired, r->bad_fired + r->bad_quiet) : "-";
	t.cells[6] = r->n_detect ? dur_text(a, detect_at(r, 50)) : "-";
	t.cells[7] = r->n_detect ? dur_text(a, detect_at(r, 90)) : "-";
	t.cells[8] = judged ? rate_text(a, r->good_fired, r->good_fired + r->good_quiet) : "-";
	t.cells[9] = r->pseudo && !r->labels ? sw_arena_printf(a, "%s of %zu", rate_text(a, r->pseudo_fired, r->pseudo), r->pseudo) : "-";
	return t;
}

static void told_rules(const struct replay *r, struct sw_buf *out)
{
	struct sw_arena a = { 0 };
	struct table *rows = SW_ARENA_ARRAY(&a, struct table, r->n_rules + 1);

	rows[0] = (struct table){ { "rule", "seen", "fires", "rollbacks", "precision", "recall", "found p50", "p90", "false per 100", "in play per 100" } };
	for (size_t i = 0; i < r->n_rules; i++)
		rows[i + 1] = rule_row(&r->rules[i], &a);
	table_print(rows, r->n_rules + 1, out);
	sw_arena_fini(&a);
}

static bool outcome_same(const struct replay_outcome *a, const struct replay_outcome *b)
{
	return a->decision == b->decision && sw_streq(a->rules, b->rules);
}

static void outcome_text(const struct replay_outcome *o, struct sw_arena *a, struct sw_buf *out)
{
	sw_buf_cat(out, sw_replay_decisions[o->decision]);
	if (*o->rules)
		sw_buf_printf(out, " by %s after %s", o->rules, dur_text(a, o->after));
}

static void told_diff(const struct replay_told *t, struct sw_buf *out)
{
	struct sw_arena a = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < t->truth->n; i++)
		n += !outcome_same(&t->first->outcomes[i], &t->second->outcomes[i]);
	sw_buf_printf(out, "\n%zu of %zu deployments are decided otherwise by %s\n", n, t->truth->n, t->second_name);
	for (size_t i = 0; i < t->truth->n; i++) {
		const struct replay_deployment *d = &t->truth->items[i];

		if (outcome_same(&t->first->outcomes[i], &t->second->outcomes[i]))
			continue;
		sw_buf_cat(out, "  ");
		sw_time_print(d->at, out);
		sw_buf_printf(out, "  %s  %.12s  %s: ", d->place, d->sha, d->bad ? "bad" : "healthy");
		outcome_text(&t->first->outcomes[i], &a, out);
		sw_buf_cat(out, " -> ");
		outcome_text(&t->second->outcomes[i], &a, out);
		sw_buf_putc(out, '\n');
	}
	sw_arena_fini(&a);
}

static size_t truth_places(const struct replay_truth *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++) {
		size_t k = 0;

		while (k < i && !sw_streq(t->items[k].place, t->items[i].place))
			k++;
		n += k == i;
	}
	return n;
}

void sw_replay_text(const struct replay_told *t, struct sw_buf *out)
{
	const struct recording *rec = t->rec;

	sw_buf_printf(out, "recording: %zu events, %zu samples in %zu series, %zu labels; ", rec->n_events, rec->n_samples, rec->n_series, rec->n_labels);
	sw_time_print(rec->first, out);
	sw_buf_cat(out, " to ");
	sw_time_print(rec->last, out);
	if (rec->skipped)
		sw_buf_printf(out, "; %zu lines left out", rec->skipped);
	sw_buf_cat(out, "\ndeployments");
	if (t->since > rec->first) {
		sw_buf_cat(out, " since ");
		sw_time_print(t->since, out);
	}
	sw_buf_printf(out, ": %zu at %zu place%s, %zu bad, %zu healthy (%zu labelled, %zu taken back within 1h, the others assumed to be healthy)\n\n",
	              t->truth->n, truth_places(t->truth), truth_places(t->truth) == 1 ? "" : "s", t->truth->bad, t->truth->n - t->truth->bad, t->truth->labelled, t->truth->rolled_back);
	if (t->second)
		sw_buf_printf(out, "%s\n", t->first_name);
	told_rules(t->first, out);
	if (t->second) {
		sw_buf_printf(out, "\n%s\n", t->second_name);
		told_rules(t->second, out);
		told_diff(t, out);
	}
}

/* ---- JSON ---- */

static void json_rate(struct sw_jw *w, const char *key, size_t k, size_t n)
{
	double lo, hi;

	sw_replay_wilson(k, n, &lo, &hi);
	sw_jw_obj(w, key);
	sw_jw_int(w, "count", (int64_t)k);
	sw_jw_int(w, "of", (int64_t)n);
	if (n) {
		sw_jw_num(w, "rate", (double)k / (double)n);
		sw_jw_num(w, "low", lo);
		sw_jw_num(w, "high", hi);
	}
	sw_jw_obj_end(w);
}

static void json_rules(struct sw_jw *w, const char *key, const struct replay *r)
{
	sw_jw_arr(w, key);
	for (size_t i = 0; i < r->n_rules; i++) {
		const struct replay_rule *x = &r->rules[i];

		sw_jw_obj(w, NULL);
		sw_jw_str(w, "rule", x->name);
		sw_jw_int(w, "fires", (int64_t)x->fires);
		if (x->watches) {
			sw_jw_int(w, "seen", (int64_t)x->seen);
			sw_jw_int(w, "rollbacks", (int64_t)x->rollbacks);
		}
		if (x->watches && !x->labels) {
			json_rate(w, "precision", x->bad_fired, x->bad_fired + x->good_fired);
			json_rate(w, "recall", x->bad_fired, x->bad_fired + x->bad_quiet);
			json_rate(w, "false_alarms", x->good_fired, x->good_fired + x->good_quiet);
			json_rate(w, "pseudo_false_alarms", x->pseudo_fired, x->pseudo);
		}
		if (x->n_detect) {
			sw_jw_int(w, "detect_p50_ms", detect_at(x, 50));
			sw_jw_int(w, "detect_p90_ms", detect_at(x, 90));
		}
		sw_jw_obj_end(w);
	}
	sw_jw_arr_end(w);
}

static void json_outcome(struct sw_jw *w, const char *key, const struct replay_outcome *o)
{
	sw_jw_obj(w, key);
	sw_jw_str(w, "decision", sw_replay_decisions[o->decision]);
	sw_jw_str(w, "rules", o->rules);
	if (*o->rules)
		sw_jw_int(w, "after_ms", o->after);
	sw_jw_obj_end(w);
}

static void json_deployments(struct sw_jw *w, const struct replay_told *t)
{
	static const char *const known[] = { "assumed", "rolled back", "label" };

	sw_jw_arr(w, "deployments");
	for (size_t i = 0; i < t->truth->n; i++) {
		const struct replay_deployment *d = &t->truth->items[i];

		sw_jw_obj(w, NULL);
		sw_jw_str(w, "place", d->place);
		sw_jw_str(w, "sha", d->sha);
		sw_jw_int(w, "at", d->at);
		sw_jw_bool(w, "bad", d->bad);
		sw_jw_str(w, "known", known[d->known]);
		json_outcome(w, "decided", &t->first->outcomes[i]);
		if (t->second) {
			json_outcome(w, "against", &t->second->outcomes[i]);
			sw_jw_bool(w, "same", outcome_same(&t->first->outcomes[i], &t->second->outcomes[i]));
		}
		sw_jw_obj_end(w);
	}
	sw_jw_arr_end(w);
}

void sw_replay_json(const struct replay_told *t, struct sw_buf *out)
{
	struct sw_jw w;

	sw_jw_init(&w, out);
	sw_jw_obj(&w, NULL);
	sw_jw_obj(&w, "recording");
	sw_jw_int(&w, "events", (int64_t)t->rec->n_events);
	sw_jw_int(&w, "samples", (int64_t)t->rec->n_samples);
	sw_jw_int(&w, "series", (int64_t)t->rec->n_series);
	sw_jw_int(&w, "labels", (int64_t)t->rec->n_labels);
	sw_jw_int(&w, "left_out", (int64_t)t->rec->skipped);
	sw_jw_int(&w, "first", t->rec->first);
	sw_jw_int(&w, "last", t->rec->last);
	sw_jw_obj_end(&w);
	json_rules(&w, "rules", t->first);
	if (t->second)
		json_rules(&w, "against", t->second);
	json_deployments(&w, t);
	sw_jw_obj_end(&w);
	sw_buf_putc(out, '\n');
}
