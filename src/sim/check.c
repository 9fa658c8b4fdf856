/* Tests of rules: what must come of a story, against the log of its world. */
#include "sim/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "shipwatch/clock.h"

#define EVER (365 * SW_DAY)

static bool entry_in(const struct sim_entry *e, const char *rule, sw_dur from, sw_dur to)
{
	return e->at >= from && e->at <= to && (!rule || sw_streq(e->rule, rule));
}

static bool entry_is(const struct sim_entry *e, const char *what)
{
	if (sw_streq(what, "rollback")) /* whatever action takes a place back, none is called run: */
		return e->what == SIM_ACTION;
	if (sw_streq(what, "hold"))
		return e->what == SIM_HOLD;
	if (sw_starts(what, "run:"))
		return e->what == SIM_ACTION && sw_streq(e->action, what + 4);
	if (e->what != SIM_ALERT)
		return false;
	if (sw_streq(what, "alert")) /* a notice is how a rule that only labels tells */
		return sw_streq(e->news, "firing") || sw_streq(e->news, "notice");
	if (sw_starts(what, "alert:"))
		return sw_streq(e->channel, what + 6);
	if (sw_starts(what, "news:"))
		return sw_streq(e->news, what + 5);
	return false;
}

size_t sw_check_count(const struct sim_world *w, const char *rule, const char *what, sw_dur from, sw_dur to)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n_log; i++)
		n += entry_in(&w->log[i], w->log[i].what == SIM_HOLD ? NULL : rule, from, to) && entry_is(&w->log[i], what);
	return n;
}

static bool verdict_of(const struct sim_world *w, const char *rule, const char *verdict, const char *reason, sw_dur from, sw_dur to)
{
	for (size_t i = 0; i < w->n_log; i++)
		if (w->log[i].what == SIM_VERDICT && entry_in(&w->log[i], rule, from, to) &&
		    (!verdict || sw_streq(w->log[i].verdict, verdict)) && (!reason || sw_streq(w->log[i].reason, reason)))
			return true;
	return false;
}

static bool severity_of(const struct sim_world *w, const char *rule, const char *severity, sw_dur from, sw_dur to)
{
	static const char *const names[] = { "info", "warning", "critical" };

	for (size_t i = 0; i < w->n_log; i++)
		if (w->log[i].what == SIM_ALERT && entry_in(&w->log[i], rule, from, to) && sw_streq(names[w->log[i].severity], severity))
			return true;
	return false;
}

static bool message_of(const struct sim_world *w, const char *rule, const char *text, sw_dur from, sw_dur to)
{
	for (size_t i = 0; i < w->n_log; i++)
		if (w->log[i].what == SIM_ALERT && entry_in(&w->log[i], rule, from, to) && strstr(w->log[i].text, text))
			return true;
	return false;
}

/* The texts of a node, one or a list: each in turn. */
static const struct sw_ynode *first_text(const struct sw_ynode *n)
{
	return n && n->type == SW_Y_LIST ? n->child : n;
}

static const struct sw_ynode *next_text(const struct sw_ynode *list, const struct sw_ynode *n)
{
	return list->type == SW_Y_LIST ? n->next : NULL;
}

static const char *text_of(const struct sw_ynode *n, const char *key)
{
	const struct sw_ynode *x = sw_yget(n, key);

	return x && x->type == SW_Y_SCALAR ? x->text : NULL;
}

/* When: within is a span, at a last moment. False: they cannot be read. */
static bool check_times(const struct sw_ynode *n, sw_dur *from, sw_dur *to)
{
	const struct sw_ynode *within = sw_yget(n, "within"), *at = sw_yget(n, "at");

	*from = 0;
	*to = EVER;
	if (within && (within->type != SW_Y_LIST || within->n != 2 || within->child->type != SW_Y_SCALAR ||
	               within->child->next->type != SW_Y_SCALAR || sw_dur_parse(within->child->text, from) < 0 ||
	               sw_dur_parse(within->child->next->text, to) < 0))
		return false;
	return !at || (at->type == SW_Y_SCALAR && sw_dur_parse(at->text, to) == 0);
}

bool sw_check_one(const struct sim_world *w, const struct sw_ynode *n, struct sw_buf *why)
{
	const char *rule = text_of(n, "rule"), *verdict = text_of(n, "verdict"), *fired = text_of(n, "fired"), *reason = text_of(n, "reason"),
		   *severity = text_of(n, "severity");
	const struct sw_ynode *list;
	sw_dur from, to;

	(void)check_times(n, &from, &to);
	if ((verdict || reason) && !verdict_of(w, rule, verdict, reason, from, to))
		sw_buf_printf(why, "no verdict %s%s%s; ", verdict ? verdict : "", reason ? " for " : "", reason ? reason : "");
	if (severity && !severity_of(w, rule, severity, from, to))
		sw_buf_printf(why, "nothing told as %s; ", severity);
	if (fired && sw_check_count(w, rule, "alert", from, to) != strtoul(fired, NULL, 10))
		sw_buf_printf(why, "fired %zu times, not %s; ", sw_check_count(w, rule, "alert", from, to), fired);
	list = sw_yget(n, "actions");
	for (const struct sw_ynode *x = first_text(list); x; x = next_text(list, x))
		if (!sw_check_count(w, rule, x->text, from, to))
			sw_buf_printf(why, "no %s; ", x->text);
	list = sw_yget(n, "never");
	for (const struct sw_ynode *x = first_text(list); x; x = next_text(list, x))
		if (sw_check_count(w, rule, x->text, 0, EVER))
			sw_buf_printf(why, "%s, which must never be; ", x->text);
	list = sw_yget(n, "message_contains");
	for (const struct sw_ynode *x = first_text(list); x; x = next_text(list, x))
		if (!message_of(w, rule, x->text, from, to))
			sw_buf_printf(why, "no message contains \"%s\"; ", x->text);
	return why->n == 0;
}

/* ---- can it be read? ---- */

enum word_type { WORD_TEXT, WORD_TEXTS, WORD_TIME, WORD_NUMBER, WORD_ONE_OF, WORD_WHAT };

static const char *const verdicts[] = { "pass", "fail", "inconclusive", "superseded", "cancelled", NULL };
static const char *const severities[] = { "info", "warning", "critical", NULL };

static const struct check_word { const char *name; enum word_type type; const char *const *words; } check_words[] = {
	{ "rule", WORD_TEXT, NULL }, { "verdict", WORD_ONE_OF, verdicts }, { "reason", WORD_TEXT, NULL }, { "within", WORD_TIME, NULL },
	{ "at", WORD_TIME, NULL }, { "fired", WORD_NUMBER, NULL }, { "actions", WORD_WHAT, NULL }, { "never", WORD_WHAT, NULL },
	{ "message_contains", WORD_TEXTS, NULL }, { "severity", WORD_ONE_OF, severities },
};

static bool what_known(const char *s)
{
	static const char *const words[] = { "rollback", "hold", "alert", NULL };
	struct sw_buf b = SW_BUF_INIT;
	bool known = sw_starts(s, "alert:") || sw_starts(s, "run:");

	for (size_t i = 0; words[i]; i++)
		known |= sw_streq(words[i], s);
	for (int i = 0; sw_starts(s, "news:") && i < SW_NEWS_COUNT; i++)
		known |= sw_streq(s + 5, sw_news_name((enum sw_alert_news)i));
	sw_buf_fini(&b);
	return known;
}

static bool check_texts(struct file *f, const struct sw_ynode *x, enum word_type type)
{
	for (const struct sw_ynode *t = first_text(x); t; t = next_text(x, t)) {
		if (t->type != SW_Y_SCALAR)
			return sw_diag_error(f->d, t, "%s: want texts", x->key), false;
		if (type == WORD_WHAT && !what_known(t->text))
			return sw_diag_error(f->d, t, "%s: unknown \"%s\", want alert, alert:<channel>, rollback, run:<action>, hold or news:<news>", x->key,
			                     t->text),
			       false;
	}
	return true;
}

static bool check_value(struct file *f, const struct sw_ynode *n, const struct sw_ynode *x, const struct check_word *w)
{
	sw_dur from, to;
	size_t i = 0;

	if (w->type == WORD_TEXTS || w->type == WORD_WHAT)
		return check_texts(f, x, w->type);
	if (w->type == WORD_TIME) {
		if (!check_times(n, &from, &to))
			return sw_diag_error(f->d, x, "%s: want %s", x->key, sw_streq(x->key, "at") ? "a length of time" : "[from, to]"), false;
		return true;
	}
	if (x->type != SW_Y_SCALAR)
		return sw_diag_error(f->d, x, "%s: want a text", x->key), false;
	if (w->type == WORD_NUMBER && (!*x->text || strspn(x->text, "0123456789") != strlen(x->text)))
		return sw_diag_error(f->d, x, "%s: want a number", x->key), false;
	while (w->words && w->words[i] && !sw_streq(w->words[i], x->text))
		i++;
	if (w->words && !w->words[i])
		return sw_diag_error(f->d, x, "%s: there is no \"%s\"", x->key, x->text), false;
	if (sw_streq(x->key, "rule") && f->rules && !sw_rules_find(f->rules, x->text))
		return sw_diag_error(f->d, x, "no rule \"%s\" in the rule files", x->text), false;
	return true;
}

static bool check_known_one(struct file *f, const struct sw_ynode *n)
{
	const char *names[SW_COUNT(check_words) + 1] = { NULL }, *near;
	bool good = true;

	if (n->type != SW_Y_MAP)
		return sw_diag_error(f->d, n, "want {rule: …, verdict: fail, …}"), false;
	for (const struct sw_ynode *x = n->child; x; x = x->next) {
		size_t i = 0;

		for (; i < SW_COUNT(check_words) && !sw_streq(check_words[i].name, x->key); i++)
			names[i] = check_words[i].name;
		if (i < SW_COUNT(check_words)) {
			good &= check_value(f, n, x, &check_words[i]);
			continue;
		}
		near = sw_did_you_mean(x->key, names);
		sw_diag_key(f->d, x, "unknown key \"%s\"%s%s%s", x->key, near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
		good = false;
	}
	return good;
}

bool sw_check_known(struct file *f, const struct sw_ynode *expect)
{
	bool good = true;

	for (const struct sw_ynode *x = expect->child; x; x = x->next)
		good &= check_known_one(f, x);
	return good;
}
