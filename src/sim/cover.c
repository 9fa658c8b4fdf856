/*
 * Coverage: does each rule have a test where it fires and one where it must not; and, where it takes back by a watch, one with an
 * outage and one in which a newer deployment replaces the one under watch?
 *
 * Only what a test expects counts: it must name the rule. That a rule stays quiet in the tests of others shows nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "sim/check.h"

#define EVER (365 * SW_DAY)

const char *const sw_sim_tested_names[SIM_TESTED] = { "fires", "quiet", "outage", "superseded" };

/* "a/../b" and "./b" are "b": one file may be named in several ways. */
static const char *path_plain(struct sw_arena *a, const char *path)
{
	char *ret = sw_arena_strdup(a, path), *from = ret, *to = ret;

	while (*from) {
		size_t n = strcspn(from, "/");
		char *last = to;

		while (last > ret && last[-1] != '/')
			last--;
		if (n == 1 && *from == '.') {
			from += from[1] ? 2 : 1;
			continue;
		}
		if (n == 2 && memcmp(from, "..", 2) == 0 && to > ret + 1) {
			for (last = to - 1; last > ret && last[-1] != '/';)
				last--;
			if (strncmp(last, "../", 3) != 0) {
				to = last;
				from += from[2] ? 3 : 2;
				continue;
			}
		}
		memmove(to, from, n);
		to += n;
		from += n;
		if (*from)
			*to++ = *from++;
	}
	*to = '\0';
	return ret;
}

static struct sim_cover *cover_find(struct sim_report *r, const char *file, const char *rule)
{
	for (size_t i = 0; i < r->n_covers; i++)
		if (sw_streq(r->covers[i].rule, rule) && sw_streq(r->covers[i].file, file))
			return &r->covers[i];
	return NULL;
}

void sw_cover_rules(struct sim_report *r, const struct sw_rules *rules)
{
	for (size_t i = 0; i < rules->n; i++) {
		const struct sw_rule *rule = &rules->items[i];
		const char *file = path_plain(&r->a, rule->file ? rule->file : "");
		struct sim_cover *c;

		if (cover_find(r, file, rule->name))
			continue;
		if (r->n_covers == r->cap_covers) {
			r->cap_covers = r->cap_covers ? r->cap_covers * 2 : 32;
			r->covers = sw_realloc(r->covers, r->cap_covers * sizeof *r->covers);
		}
		c = &r->covers[r->n_covers++];
		*c = (struct sim_cover){ .rule = sw_arena_strdup(&r->a, rule->name), .file = file, .line = rule->line };
		c->wanted[SIM_FIRES] = true;
		c->wanted[SIM_QUIET] = true;
		c->wanted[SIM_OUTAGE] = c->wanted[SIM_SUPERSEDED] = rule->watches && rule->has_rollback;
	}
}

/* A rule whose watch ends `pass` when it fires (rules.md 1.2). */
static bool labels_good(const struct sw_rule *rule)
{
	bool label = false;

	for (size_t i = 0; i < rule->n_then; i++)
		label |= rule->then[i].kind == SW_THEN_LABEL && rule->then[i].good;
	return label && !rule->has_rollback;
}

static bool verdict_seen(const struct sim_world *w, const char *rule, const char *verdict, const char *reason)
{
	for (size_t i = 0; i < w->n_log; i++)
		if (w->log[i].what == SIM_VERDICT && sw_streq(w->log[i].rule, rule) && sw_streq(w->log[i].verdict, verdict) &&
		    (!reason || sw_streq(w->log[i].reason, reason)))
			return true;
	return false;
}

static bool fired(const struct sw_rule *rule, const struct sim_world *w)
{
	bool hold = false;

	if (sw_check_count(w, rule->name, "alert", 0, EVER) || sw_check_count(w, rule->name, "rollback", 0, EVER))
		return true;
	for (size_t i = 0; i < w->n_log; i++)
		hold |= w->log[i].what == SIM_HOLD && sw_streq(w->log[i].rule, rule->name);
	return hold || verdict_seen(w, rule->name, "fail", NULL) || (labels_good(rule) && verdict_seen(w, rule->name, "pass", "evidence"));
}

/* Was anything not known of a signal of the rule between two moments? */
static bool outage_in(const struct sw_rule *rule, const struct script *sc, const char *place, sw_ms from, sw_ms to)
{
	sw_dur step = sc->n_series ? sc->series[0].interval : 10 * SW_SECOND;

	for (sw_ms at = from; at <= to; at += step)
		for (size_t k = 0; rule->signals && rule->signals[k]; k++) {
			struct series_at x = sw_script_at(sc, rule->signals[k], place, at);

			if (x.kind != SERIES_VALUE)
				return true;
		}
	return false;
}

static bool outage_seen(const struct sw_rule *rule, const struct script *sc, const struct sim_world *w)
{
	for (size_t i = 0; i < w->n_log; i++) {
		sw_dur to = sc->length;

		if (w->log[i].what != SIM_OPEN || !sw_streq(w->log[i].rule, rule->name))
			continue;
		for (size_t k = i; k < w->n_log; k++)
			if (w->log[k].what == SIM_VERDICT && sw_streq(w->log[k].rule, rule->name) &&
			    sw_streq(w->log[k].deployment, w->log[i].deployment)) {
				to = w->log[k].at;
				break;
			}
		if (outage_in(rule, sc, w->log[i].place, SIM_START + w->log[i].at, SIM_START + to))
			return true;
	}
	return false;
}

static bool names_rule(const struct script *sc, const char *rule)
{
	for (const struct sw_ynode *x = sc->expect->child; x; x = x->next)
		if (sw_yget(x, "rule") && sw_streq(sw_yget(x, "rule")->text, rule))
			return true;
	return false;
}

/* A rollback is expected not to be: for this rule, or at all. */
static bool forbids_rollback(const struct script *sc, const char *rule)
{
	for (const struct sw_ynode *x = sc->expect->child; x; x = x->next) {
		const struct sw_ynode *of = sw_yget(x, "rule"), *never = sw_yget(x, "never");

		if (!never || (of && !sw_streq(of->text, rule)))
			continue;
		if (never->type == SW_Y_SCALAR && sw_streq(never->text, "rollback"))
			return true;
		for (const struct sw_ynode *t = never->child; t; t = t->next)
			if (sw_streq(t->text, "rollback"))
				return true;
	}
	return false;
}

static bool quiet_seen(const struct sw_rule *rule, const struct sim_world *w)
{
	if (!rule->watches)
		return true;
	if (labels_good(rule))
		return verdict_seen(w, rule->name, "inconclusive", "deadline");
	return verdict_seen(w, rule->name, "pass", NULL);
}

void sw_cover_test(struct sim_report *r, const struct sw_rules *rules, const struct script *sc, const struct sim_world *w)
{
	for (size_t i = 0; i < rules->n; i++) {
		const struct sw_rule *rule = &rules->items[i];
		struct sim_cover *c = cover_find(r, path_plain(&r->a, rule->file ? rule->file : ""), rule->name);
		bool named = names_rule(sc, rule->name), fires = fired(rule, w);

		if (!c)
			continue;
		c->done[SIM_FIRES] |= named && fires;
		c->done[SIM_QUIET] |= named && !fires && quiet_seen(rule, w);
		c->done[SIM_SUPERSEDED] |= named && verdict_seen(w, rule->name, "superseded", NULL);
		c->done[SIM_OUTAGE] |= (named || forbids_rollback(sc, rule->name)) && !sw_check_count(w, rule->name, "rollback", 0, EVER) &&
		                       !verdict_seen(w, rule->name, "fail", NULL) && outage_seen(rule, sc, w);
	}
}

size_t sw_sim_uncovered(const struct sim_report *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_covers; i++)
		for (int k = 0; k < SIM_TESTED; k++)
			if (r->covers[i].wanted[k] && !r->covers[i].done[k]) {
				n++;
				break;
			}
	return n;
}
