/*
 * Rows of `signals:`: where a signal comes from, its unit, which way is worse.
 *
 *   error_rate: {unit: ratio, bad: up, floor: 0.1%, counts: {bad: '…', all: '…'}}
 *
 * A row with the name of a built-in signal changes that one and keeps what it does not say.
 */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "rules/check.h"
#include "rules/load.h"
#include "shipwatch/clock.h"

#define SIGNALS_MOST 500

static const struct { const char *word; enum sw_vtype type; bool summed; } units[] = {
	{ "s", SW_V_DURATION, false }, { "ratio", SW_V_RATIO, false }, { "bytes", SW_V_BYTES, false }, { "rate", SW_V_RATE, false },
	{ "number", SW_V_NUMBER, false }, { "count", SW_V_NUMBER, true },
};

static const char *const keys[] = { "unit", "bad", "step", "floor", "most", "reduce", "prometheus", "counts", "scrape", "report", "alertmanager", NULL };

static bool row_text(struct load *l, const struct sw_ynode *n, const char *want, const char **ret)
{
	if (!n)
		return false;
	if (n->type != SW_Y_SCALAR || sw_yaml_is_null(n)) {
		sw_diag_error(l->d, n, "%s: want %s", n->key, want);
		return false;
	}
	*ret = n->text;
	return true;
}

/* PromQL is full of { } and ", which YAML reads in its own way unless single quotes are around it. */
static void row_query(struct load *l, const struct sw_ynode *n, const char **ret)
{
	if (!n)
		return;
	if (n->type != SW_Y_SCALAR || sw_yaml_is_null(n))
		sw_diag_error(l->d, n, "%s: want a query, put it in single quotes: '…'", n->key);
	else
		*ret = n->text;
}

static const char *row_words(struct load *l, const char *const *words)
{
	const char *ret = "";

	for (size_t i = 0; words[i]; i++)
		ret = sw_arena_printf(l->a, "%s%s%s", ret, !i ? "" : words[i + 1] ? ", " : " or ", words[i]);
	return ret;
}

static int row_word(struct load *l, const struct sw_ynode *n, const char *const *words, int otherwise)
{
	const char *text, *near;

	if (!n || !row_text(l, n, "a word", &text))
		return otherwise;
	for (int i = 0; words[i]; i++)
		if (strcmp(words[i], text) == 0)
			return i;
	near = sw_did_you_mean(text, words);
	if (!near && sw_streq(n->key, "unit"))
		near = sw_streq(text, "%") || sw_streq(text, "percent") ? "ratio" : sw_streq(text, "ms") || sw_streq(text, "duration") ? "s" : NULL;
	sw_diag_error(l->d, n, "%s: unknown word \"%.60s\", %s%s%s", n->key, text, near ? "did you mean \"" : "want ",
	              near ? near : row_words(l, words), near ? "\"?" : "");
	return otherwise;
}

/* "20ms", "0.1%", "5" in the signal's unit. */
static double row_number(struct load *l, const struct sw_ynode *n, enum sw_vtype type, double otherwise)
{
	const char *text, *unit;
	struct lexer lex;
	struct token t;

	if (!n || !row_text(l, n, "a number with its unit", &text))
		return otherwise;
	lex = (struct lexer){ .a = l->a, .text = text, .n = strlen(text) };
	t = sw_lex_next(&lex, false);
	if (t.kind != T_LITERAL || !sw_vtype_numeric(t.value.type) || sw_lex_next(&lex, false).kind != T_END) {
		sw_diag_error(l->d, n, "%s: want a number with its unit, such as 20ms, 0.1%% or 5", n->key);
		return otherwise;
	}
	if (sw_types_fit(type, t.value.type))
		return t.value.num;
	unit = t.value.type == SW_V_NUMBER ? sw_type_unit(type, t.value.num) : NULL;
	if (unit)
		sw_diag_error(l->d, n, "%s: the signal is a %s, did you mean %.6g%s?", n->key, sw_vtype_name(type), t.value.num, unit);
	else
		sw_diag_error(l->d, n, "%s: the signal is a %s, this is a %s", n->key, sw_vtype_name(type), sw_vtype_name(t.value.type));
	return otherwise;
}

static void row_keys(struct load *l, const struct sw_ynode *row)
{
	for (const struct sw_ynode *k = row->child; k; k = k->next) {
		const char *near;
		bool known = false;

		for (size_t i = 0; keys[i]; i++)
			known |= sw_streq(keys[i], k->key);
		if (known)
			continue;
		near = sw_did_you_mean(k->key, keys);
		sw_diag_key(l->d, k, "unknown key \"%s\"%s%s%s", k->key, near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	}
}

static void row_unit(struct load *l, const struct sw_ynode *row, bool builtin, struct sw_signal_def *def)
{
	const struct sw_ynode *n = sw_yget(row, "unit");
	const char *words[SW_COUNT(units) + 1] = { NULL };
	int i;

	for (size_t k = 0; k < SW_COUNT(units); k++)
		words[k] = units[k].word;
	i = row_word(l, n, words, -1);
	if (i >= 0 && builtin && units[i].type != def->type) {
		sw_diag_error(l->d, n, "unit: %s is built in as a %s, give a signal of another unit another name", row->key, sw_vtype_name(def->type));
	} else if (i >= 0) {
		def->type = units[i].type;
		def->summed |= units[i].summed;
	} else if (!builtin && sw_yget(row, "counts")) {
		def->type = SW_V_RATIO;
	}
}

static void row_counts(struct load *l, const struct sw_ynode *n, struct sw_signal_def *def)
{
	if (!n)
		return;
	if (n->type != SW_Y_MAP || !sw_yget(n, "bad") || !sw_yget(n, "all") || n->n != 2) {
		sw_diag_error(l->d, n, "counts: want {bad: '…', all: '…'}, two queries that count");
		return;
	}
	if (def->type != SW_V_RATIO)
		sw_diag_error(l->d, n, "counts: bad of all is a ratio, the signal is a %s", sw_vtype_name(def->type));
	row_query(l, sw_yget(n, "bad"), &def->query.bad);
	row_query(l, sw_yget(n, "all"), &def->query.all);
	def->query.prometheus = NULL;
	def->most = 1;
}

/* One place where the values come from; measured are prometheus (a value or two counts) and, beside it, scrape. */
static void row_origin(struct load *l, const struct sw_ynode *row, bool builtin, struct sw_signal_def *def)
{
	const struct sw_ynode *prom = sw_yget(row, "prometheus"), *counts = sw_yget(row, "counts"), *scrape = sw_yget(row, "scrape"),
			      *report = sw_yget(row, "report"), *alarm = sw_yget(row, "alertmanager");
	int kinds = (prom || counts || scrape) + (report != NULL) + (alarm != NULL);

	if (kinds > 1 || (prom && counts)) {
		sw_diag_error(l->d, row, "signal \"%s\" comes from one place: prometheus or counts (with scrape beside it), report or alertmanager", row->key);
		return;
	}
	if (kinds == 0 && !builtin) {
		sw_diag_error(l->d, row, "signal \"%s\": say where it comes from: prometheus, counts, scrape, report or alertmanager", row->key);
		return;
	}
	if (prom)
		def->query.bad = def->query.all = NULL;
	row_query(l, prom, &def->query.prometheus);
	row_counts(l, counts, def);
	row_query(l, scrape, &def->query.scrape);
	(void)row_text(l, report, "the name of a metric of reports", &def->report);
	(void)row_text(l, alarm, "the name of an alert", &def->alarm);
	if (alarm && def->type != SW_V_NUMBER)
		sw_diag_error(l->d, alarm, "alertmanager: an alert is 1 while it fires and 0 else, a number");
	if (!def->report && !def->alarm)
		return;
	for (size_t i = 0; i < 2; i++) {
		const struct sw_ynode *k = sw_yget(row, i ? "reduce" : "step");

		if (k)
			sw_diag_key(l->d, k, "%s belongs to signals of prometheus and scrape", k->key);
	}
}

static void row_step(struct load *l, const struct sw_ynode *n, sw_dur *ret)
{
	const char *text;
	sw_dur v;

	if (!n || !row_text(l, n, "a length of time with its unit, such as 15s", &text))
		return;
	if (sw_dur_parse(text, &v) < 0)
		sw_diag_error(l->d, n, "step: want a length of time with its unit, such as 15s");
	else if (v < SW_SECOND || v > SW_HOUR)
		sw_diag_error(l->d, n, "step: want 1s to 1h");
	else
		*ret = v;
}

/* Could an expression ask for it by this name? */
static bool row_name(struct load *l, const struct sw_ynode *row)
{
	static const char *const words[] = { "baseline", "true", "false", "null", "and", "or", "not", "for", "of", "in", "between", "matches", "is", NULL };
	struct lexer lex = { .a = l->a, .text = row->key, .n = strlen(row->key) };
	struct token t = sw_lex_next(&lex, false);
	const struct sw_signal_def *first = sw_signal_def_find(l->signals, l->n_signals, row->key);
	bool taken = sw_field_name(row->key) || sw_call_name(row->key);

	for (size_t i = 0; words[i]; i++)
		taken |= sw_streq(words[i], row->key);
	if (t.kind != T_IDENT || sw_lex_next(&lex, false).kind != T_END)
		sw_diag_key(l->d, row, "a signal has a name of letters, digits and _, got \"%.60s\"", row->key);
	else if (taken)
		sw_diag_key(l->d, row, "\"%s\" has a meaning in expressions already, give the signal another name", row->key);
	else if (sw_streq(row->key, "health"))
		sw_diag_key(l->d, row, "health is asked at the health address of an environment, it has no row here");
	else if (first && first->file)
		sw_diag_key(l->d, row, "signal \"%s\" stands at %s:%u already", row->key, first->file, first->line);
	else
		return true;
	return false;
}

static void load_row(struct load *l, const struct sw_ynode *row)
{
	static const char *const ways[] = { "up", "down", NULL }, *const reduces[] = { "single", "max", "sum", "avg", "any", NULL };
	const struct sw_signal_def *base = sw_signal_def_find(NULL, 0, row->key);
	struct sw_signal_def *bigger, def = { .type = SW_V_NUMBER, .query.step = 15 * SW_SECOND };

	if (row->type != SW_Y_MAP) {
		sw_diag_error(l->d, row, "signal \"%s\": want a map such as {unit: s, prometheus: '…'}", row->key);
		return;
	}
	if (!row_name(l, row))
		return;
	if (l->n_signals == SIGNALS_MOST) {
		sw_diag_key(l->d, row, "more than %d signals", SIGNALS_MOST);
		return;
	}
	if (base)
		def = *base;
	def.name = def.query.signal = row->key;
	def.file = row->file;
	def.line = row->key_line;
	row_keys(l, row);
	row_unit(l, row, base != NULL, &def);
	row_origin(l, row, base != NULL, &def);
	row_step(l, sw_yget(row, "step"), &def.query.step);
	def.query.bad_down = row_word(l, sw_yget(row, "bad"), ways, def.query.bad_down) == 1;
	def.query.reduce = (enum sw_reduce)row_word(l, sw_yget(row, "reduce"), reduces, (int)def.query.reduce);
	def.floor = row_number(l, sw_yget(row, "floor"), def.type, def.floor);
	def.most = row_number(l, sw_yget(row, "most"), def.type, def.most);
	bigger = SW_ARENA_ARRAY(l->a, struct sw_signal_def, l->n_signals + 1);
	if (l->n_signals)
		memcpy(bigger, l->signals, l->n_signals * sizeof *bigger);
	bigger[l->n_signals++] = def;
	l->signals = bigger;
}

void sw_load_signals(struct load *l, const struct sw_ynode *n)
{
	for (const struct sw_ynode *x = n->child; x; x = x->next)
		load_row(l, x);
}
