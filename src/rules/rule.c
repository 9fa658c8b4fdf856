/* One rule: its trigger, its expressions with their place, what it does, its settings. */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "rules/load.h"
#include "shipwatch/clock.h"
#include "shipwatch/key.h"

/* ---- expressions with their place ---- */

/* YAML ends a plain text at " #": what follows would silently be lost. */
static bool cut_by_comment(const struct load *l, const struct sw_ynode *n)
{
	const char *p = l->now->text, *end = p + l->now->n, *eol;

	if (n->quoted)
		return false;
	for (unsigned line = 1; line < n->line && p < end; line++) {
		p = memchr(p, '\n', (size_t)(end - p));
		if (!p)
			return false;
		p++;
	}
	eol = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
	eol = eol ? eol : end;
	p += n->col - 1 + strlen(n->text);
	if (p >= eol)
		return false;
	while (p < eol && *p == ' ')
		p++;
	return p < eol && *p == '#' && p + 1 < eol && p[1] != ' ';
}

static const struct sw_expr *load_expr(struct load *l, const struct sw_ynode *n, bool hold_plain)
{
	struct scope sc = { .a = l->a, .signals = l->signals, .n_signals = l->n_signals, .lists = l->lists,
	                    .limits = l->names ? l->names->limits : NULL, .hold_plain = hold_plain };
	struct wrong wrong;
	struct sw_expr *e;
	struct expr_owned *own;

	if (n->type != SW_Y_SCALAR) {
		sw_diag_error(l->d, n, "want an expression, quote this expression if it begins with [ or {");
		return NULL;
	}
	if (cut_by_comment(l, n)) {
		sw_diag_error(l->d, n, "YAML cuts this at \" #\": quote this expression");
		return NULL;
	}
	if (sw_expr_parse(l->a, n->text, &e, &wrong) < 0) {
		sw_diag_in_text(l->d, n, wrong.at, "%s", wrong.text);
		return NULL;
	}
	own = SW_ARENA_NEW(l->a, struct expr_owned);
	*own = (struct expr_owned){ e, l->set->exprs };
	l->set->exprs = own;
	if (sw_expr_check(e, &sc, &wrong) < 0) {
		sw_diag_in_text(l->d, n, wrong.at, "%s", wrong.text);
		return NULL;
	}
	return e;
}

/* ---- triggers ---- */

static const struct { const char *name; enum sw_trigger_kind kind; } triggers[] = {
	{ "deploy-started", SW_TR_DEPLOY_STARTED }, { "deploy-failed", SW_TR_DEPLOY_FAILED }, { "deploy-stuck", SW_TR_DEPLOY_STUCK },
	{ "deploy-superseded", SW_TR_DEPLOY_SUPERSEDED }, { "pipeline-failed", SW_TR_PIPELINE_FAILED },
	{ "pipeline-fixed", SW_TR_PIPELINE_FIXED }, { "pipeline", SW_TR_PIPELINE }, { "job", SW_TR_JOB }, { "push", SW_TR_PUSH },
	{ "tag", SW_TR_TAG }, { "release", SW_TR_RELEASE }, { "merge", SW_TR_MERGE }, { "report", SW_TR_REPORT }, { "alarm", SW_TR_ALARM },
	{ "rollback-finished", SW_TR_ROLLBACK_FINISHED },
};

static const char *trigger_near(const struct load *l, const char *name)
{
	const char *words[128];
	size_t n = 0;
	struct sw_map_entry *e;

	for (size_t i = 0; i < SW_COUNT(triggers); i++)
		words[n++] = triggers[i].name;
	for (size_t i = 0; l->names && l->names->targets && l->names->targets[i] && n < 100; i++)
		words[n++] = sw_arena_printf(l->a, "deploy-to-%s", l->names->targets[i]);
	for (size_t i = 0; (e = sw_map_next(&l->triggers, &i)) && n < 127;)
		words[n++] = e->key;
	words[n] = NULL;
	return sw_did_you_mean(name, words);
}

static bool known_target(const struct load *l, const char *target)
{
	if (!l->names || !l->names->targets)
		return true;
	for (size_t i = 0; l->names->targets[i]; i++)
		if (strcasecmp(l->names->targets[i], target) == 0)
			return true;
	return false;
}

static int load_trigger(struct load *l, const struct sw_ynode *n, struct sw_trigger *ret)
{
	const struct sw_ynode *custom;
	const char *near;

	if (n->type != SW_Y_SCALAR)
		return sw_diag_error(l->d, n, "want the name of a trigger"), -EINVAL;
	*ret = (struct sw_trigger){ .name = n->text };
	for (size_t i = 0; i < SW_COUNT(triggers); i++)
		if (strcmp(triggers[i].name, n->text) == 0) {
			ret->kind = triggers[i].kind;
			return 0;
		}
	if (strcmp(n->text, "deploy") == 0) { /* a success at any place */
		ret->kind = SW_TR_DEPLOY_TO;
		ret->target = "*";
		return 0;
	}
	custom = sw_map_get(&l->triggers, n->text);
	if (custom) {
		ret->kind = SW_TR_CUSTOM;
		ret->expr = load_expr(l, custom, false);
		if (ret->expr && ret->expr->watches) {
			sw_diag_error(l->d, custom, "a trigger asks about events, signals belong into if of a rule");
			return -EINVAL;
		}
		return ret->expr ? 0 : -EINVAL;
	}
	if (sw_starts(n->text, "deploy-to-") && known_target(l, n->text + strlen("deploy-to-"))) {
		ret->kind = SW_TR_DEPLOY_TO;
		ret->target = n->text + strlen("deploy-to-");
		return 0;
	}
	near = trigger_near(l, n->text);
	sw_diag_error(l->d, n, "unknown trigger \"%s\"%s%s%s", n->text, near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	return -EINVAL;
}

/* ---- then ---- */

static void check_name(struct load *l, const struct sw_ynode *at, const char *const *names, const char *what)
{
	const char *near;

	if (!names)
		return;
	for (size_t i = 0; names[i]; i++)
		if (strcmp(names[i], at->text) == 0)
			return;
	near = sw_did_you_mean(at->text, names);
	sw_diag_error(l->d, at, "unknown %s \"%s\"%s%s%s", what, at->text, near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static const char **load_texts(struct load *l, const struct sw_ynode *n, const char *const *names, const char *what)
{
	const char **ret = SW_ARENA_ARRAY(l->a, const char *, n->type == SW_Y_LIST ? n->n + 1 : 2);
	size_t k = 0;

	for (const struct sw_ynode *x = n->type == SW_Y_LIST ? n->child : n; x; x = n->type == SW_Y_LIST ? x->next : NULL) {
		if (x->type != SW_Y_SCALAR) {
			sw_diag_error(l->d, x, "want the name of a %s", what);
			continue;
		}
		check_name(l, x, names, what);
		ret[k++] = x->text;
	}
	return ret;
}

static bool load_dur(struct load *l, const struct sw_ynode *n, const char *what, sw_dur least, sw_dur most, sw_dur *ret)
{
	sw_dur v;

	if (!n)
		return true;
	if (n->type != SW_Y_SCALAR || sw_dur_parse(n->text, &v) < 0) {
		sw_diag_error(l->d, n, "%s: want a length of time with its unit, such as 5m", what);
		return false;
	}
	if (v < least || v > most) {
		sw_diag_error(l->d, n, "%s: out of range", what);
		return false;
	}
	*ret = v;
	return true;
}

/* rollback: {approve: 10m, otherwise: cancel} */
static void load_approve(struct load *l, const struct sw_ynode *n, struct sw_then *t)
{
	static const char *const words[] = { "approve", "otherwise", NULL };
	const struct sw_ynode *approve, *otherwise;
	unsigned errors = l->d->errors;

	if (n->type != SW_Y_MAP) {
		sw_diag_error(l->d, n, "want rollback, or rollback: {approve: 10m, otherwise: cancel}");
		return;
	}
	for (const struct sw_ynode *x = n->child; x; x = x->next)
		if (!sw_streq(x->key, words[0]) && !sw_streq(x->key, words[1])) {
			const char *near = sw_did_you_mean(x->key, words);

			sw_diag_key(l->d, x, "unknown key \"%s\"%s%s%s", x->key, near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
		}
	approve = sw_yget(n, "approve");
	otherwise = sw_yget(n, "otherwise");
	if (!approve && l->d->errors == errors)
		sw_diag_error(l->d, n, "rollback: say how long people are asked: {approve: 10m, otherwise: cancel}");
	if (approve && load_dur(l, approve, "approve", 0, INT64_MAX, &t->approve) &&
	    (t->approve < SW_APPROVE_LEAST || t->approve > SW_APPROVE_MOST))
		sw_diag_error(l->d, approve, "approve: want 1m to 24h, got \"%s\"", approve->text);
	if (otherwise && (otherwise->type != SW_Y_SCALAR || (strcmp(otherwise->text, "cancel") != 0 && strcmp(otherwise->text, "proceed") != 0)))
		sw_diag_error(l->d, otherwise, "want otherwise: cancel or otherwise: proceed");
	t->proceed = otherwise && sw_streq(otherwise->text, "proceed");
}

static void load_then_one(struct load *l, const struct sw_ynode *n, const char *word, const struct sw_ynode *arg, struct sw_rule *r)
{
	static const char *const words[] = { "alert", "rollback", "run", "hold", "label", NULL };
	struct sw_then *t = &r->then[r->n_then];
	const char *near;

	*t = (struct sw_then){ 0 };
	if (strcmp(word, "alert") == 0) {
		t->kind = SW_THEN_ALERT;
		if (arg && !sw_yaml_is_null(arg))
			t->channels = load_texts(l, arg, l->names ? l->names->channels : NULL, "channel");
	} else if (strcmp(word, "rollback") == 0) {
		t->kind = SW_THEN_ROLLBACK;
		if (arg && !sw_yaml_is_null(arg))
			load_approve(l, arg, t);
	} else if (strcmp(word, "run") == 0) {
		t->kind = SW_THEN_RUN;
		if (!arg || arg->type != SW_Y_SCALAR || sw_yaml_is_null(arg)) {
			sw_diag_error(l->d, n, "want run: <action>");
			return;
		}
		check_name(l, arg, l->names ? l->names->actions : NULL, "action");
		t->action = arg->text;
	} else if (strcmp(word, "hold") == 0) {
		t->kind = SW_THEN_HOLD;
	} else if (strcmp(word, "label") == 0) {
		t->kind = SW_THEN_LABEL;
		if (!arg || arg->type != SW_Y_SCALAR || (strcmp(arg->text, "good") != 0 && strcmp(arg->text, "bad") != 0)) {
			sw_diag_error(l->d, arg ? arg : n, "want label: good or label: bad");
			return;
		}
		t->good = strcmp(arg->text, "good") == 0;
	} else {
		near = sw_did_you_mean(word, words);
		sw_diag_error(l->d, n, "unknown action \"%s\"%s%s%s", word, near ? ", did you mean \"" : ", want alert, rollback, run, hold or label",
		              near ? near : "", near ? "\"?" : "");
		return;
	}
	r->has_rollback |= t->kind == SW_THEN_ROLLBACK;
	r->n_then++;
}

static void load_then(struct load *l, const struct sw_ynode *n, struct sw_rule *r)
{
	size_t most = n->type == SW_Y_LIST ? n->n * 4 + 4 : n->n + 4;
	unsigned errors = l->d->errors;

	r->then = SW_ARENA_ARRAY(l->a, struct sw_then, most);
	for (const struct sw_ynode *x = n->type == SW_Y_LIST ? n->child : n; x; x = n->type == SW_Y_LIST ? x->next : NULL) {
		if (x->type == SW_Y_SCALAR)
			load_then_one(l, x, x->text, NULL, r);
		for (const struct sw_ynode *k = x->type == SW_Y_MAP ? x->child : NULL; k && r->n_then + 1 < most; k = k->next)
			load_then_one(l, k, k->key, k, r);
	}
	if (!r->n_then && l->d->errors == errors)
		sw_diag_error(l->d, n, "a rule does something: alert, rollback, run, hold or label");
}

/* ---- one rule ---- */

struct rule_conf {
	const char *name, *runbook, *summary, *dedupe;
	const struct sw_ynode *on, *where, *cond, *watch, *then, *no_data, *for_gap;
	sw_dur after, repeat;
	double weight;
	int64_t min_requests;
	int severity;
	const char **mention;
	bool dry_run;
};

static const char *const severities[] = { "info", "warning", "critical", "auto", NULL };

#define ROW(name, type, field, def, help) { name, type, offsetof(struct rule_conf, field), def, help, 0, 0, NULL }
static const struct sw_key rule_keys[] = {
	ROW("name", SW_KEY_STRING, name, NULL, "name of the rule; made from trigger and condition unless said"),
	ROW("on", SW_KEY_NODE, on, NULL, "trigger"),
	ROW("where", SW_KEY_NODE, where, NULL, "which events and places"),
	ROW("if", SW_KEY_NODE, cond, NULL, "condition; always unless said"),
	ROW("watch", SW_KEY_NODE, watch, NULL, "how long to watch: 5m, or {for, every, delay}"),
	ROW("after", SW_KEY_DUR, after, "0s", "wait so long, unless undone by then"),
	ROW("then", SW_KEY_NODE, then, NULL, "alert, rollback, run, hold, label"),
	{ "severity", SW_KEY_ENUM, offsetof(struct rule_conf, severity), "auto", "info, warning or critical; critical where it rolls back", 0, 0, severities },
	ROW("no_data", SW_KEY_NODE, no_data, NULL, "inconclusive, fail, pass or last(2m)"),
	ROW("for_gap", SW_KEY_NODE, for_gap, NULL, "reset or hold"),
	{ "min_requests", SW_KEY_INT, offsetof(struct rule_conf, min_requests), "0", "fewer say nothing", 0, 1000000000, NULL },
	{ "weight", SW_KEY_NUMBER, offsetof(struct rule_conf, weight), "1", "share of the budget of false alarms", 0, 1000, NULL },
	ROW("mention", SW_KEY_STRINGS, mention, NULL, "deployer, authors, oncall"),
	ROW("dedupe", SW_KEY_STRING, dedupe, NULL, "1h, or until <trigger>"),
	ROW("dry_run", SW_KEY_BOOL, dry_run, "false", "actions are told, not started"),
	{ "repeat", SW_KEY_DUR, offsetof(struct rule_conf, repeat), NULL, "a critical alert is told again so often until somebody has it in hand", SW_MINUTE, SW_DAY, NULL },
	ROW("runbook", SW_KEY_URL, runbook, NULL, "link for people"),
	ROW("summary", SW_KEY_STRING, summary, NULL, "the rule in its own words"),
	{ 0 },
};

/* broken: the condition is one mistake already, what it asks for is not known */
static void load_watch(struct load *l, const struct sw_ynode *n, bool broken, struct sw_rule *r)
{
	static const char *const words[] = { "for", "every", "delay", NULL };

	r->watch_for = 5 * SW_MINUTE;
	r->delay = 30 * SW_SECOND;
	if (!n)
		return;
	if (n->type == SW_Y_MAP) {
		for (const struct sw_ynode *x = n->child; x; x = x->next)
			if (!sw_streq(x->key, "for") && !sw_streq(x->key, "every") && !sw_streq(x->key, "delay")) {
				const char *near = sw_did_you_mean(x->key, words);

				sw_diag_key(l->d, x, "unknown key \"%s\"%s%s%s", x->key, near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
			}
		load_dur(l, sw_yget(n, "for"), "for", 10 * SW_SECOND, 24 * SW_HOUR, &r->watch_for);
		load_dur(l, sw_yget(n, "every"), "every", SW_SECOND, SW_HOUR, &r->every);
		load_dur(l, sw_yget(n, "delay"), "delay", 0, SW_HOUR, &r->delay);
	} else {
		load_dur(l, n, "watch", 10 * SW_SECOND, 24 * SW_HOUR, &r->watch_for);
	}
	if (!r->watches && !broken)
		sw_diag_error(l->d, n, "watch: this rule is decided by the event alone, it asks for no signal");
}

static void load_no_data(struct load *l, const struct rule_conf *c, struct sw_rule *r)
{
	static const char *const words[] = { "inconclusive", "fail", "pass" };
	const char *t = c->no_data && c->no_data->type == SW_Y_SCALAR ? c->no_data->text : NULL;
	bool known = !c->no_data;

	for (size_t i = 0; t && i < SW_COUNT(words); i++)
		if (strcmp(t, words[i]) == 0) {
			r->no_data = (enum sw_no_data)i;
			known = true;
		}
	if (t && sw_starts(t, "last(") && sw_ends(t, ")")) {
		char *in = sw_arena_strndup(l->a, t + 5, strlen(t) - 6);

		known = sw_dur_parse(in, &r->no_data_last) == 0;
		r->no_data = SW_ND_LAST;
	}
	if (!known)
		sw_diag_error(l->d, c->no_data, "want no_data: inconclusive, fail, pass or last(2m)");
	if (c->for_gap && (c->for_gap->type != SW_Y_SCALAR || (strcmp(c->for_gap->text, "reset") != 0 && strcmp(c->for_gap->text, "hold") != 0)))
		sw_diag_error(l->d, c->for_gap, "want for_gap: reset or for_gap: hold");
	r->gap_resets = c->for_gap && sw_streq(c->for_gap->text, "reset");
}

static void load_dedupe(struct load *l, const struct sw_ynode *n, const struct rule_conf *c, struct sw_rule *r)
{
	if (!c->dedupe)
		return;
	if (sw_starts(c->dedupe, "until ")) {
		r->dedupe = c->dedupe + strlen("until ");
		for (size_t i = 0; i < SW_COUNT(triggers); i++)
			if (strcmp(triggers[i].name, r->dedupe) == 0)
				return;
	} else if (sw_dur_parse(c->dedupe, &r->dedupe_for) == 0) {
		return;
	}
	sw_diag_error(l->d, sw_yget(n, "dedupe"), "want dedupe: 1h, or dedupe: until <trigger>, such as until pipeline-fixed");
}

static void load_mentions(struct load *l, const struct sw_ynode *n, const struct sw_rule *r)
{
	static const char *const roles[] = { "deployer", "authors", "oncall", "all", NULL };

	for (size_t i = 0; r->mention && r->mention[i]; i++) {
		bool known = false;

		for (size_t k = 0; roles[k]; k++)
			known |= strcmp(roles[k], r->mention[i]) == 0;
		for (size_t k = 0; l->names && l->names->people && l->names->people[k]; k++)
			known |= strcmp(l->names->people[k], r->mention[i]) == 0;
		if (!known && (!l->names || l->names->people))
			sw_diag_error(l->d, sw_yget(n, "mention"), "unknown person or role \"%s\", want deployer, authors, oncall or a name of people:",
			              r->mention[i]);
	}
}

/* Only what is critical is told again: the rest would be noise. */
static void load_repeat(struct load *l, const struct sw_ynode *n, const struct sw_rule *r)
{
	if (r->repeat && r->severity != SW_SEV_CRITICAL)
		sw_diag_warn(l->d, sw_yget(n, "repeat"), "repeat: only critical alerts are told again, and this rule is not: severity: critical");
}

/* Fewer requests than these say nothing: so the rule needs the signal that counts them. */
static void load_requests(struct load *l, const struct sw_ynode *n, const struct rule_conf *c, struct sw_rule *r)
{
	const char **more;
	size_t k = 0;

	r->min_requests = c->min_requests;
	if (!c->min_requests)
		return;
	if (!r->signals || !r->signals[0]) {
		if (!c->cond || r->cond) /* else the condition is one mistake already */
			sw_diag_key(l->d, sw_yget(n, "min_requests"), "min_requests: this rule watches no signal");
		return;
	}
	for (; r->signals[k]; k++)
		if (sw_streq(r->signals[k], "requests"))
			return;
	more = SW_ARENA_ARRAY(l->a, const char *, k + 2);
	memcpy(more, r->signals, k * sizeof *more);
	more[k] = "requests";
	r->signals = more;
}

static void load_weight(struct load *l, const struct sw_ynode *n, const struct rule_conf *c, struct sw_rule *r)
{
	const struct sw_ynode *at = sw_yget(n, "weight");

	r->weight = c->weight;
	if (at && c->weight <= 0)
		sw_diag_error(l->d, at, "weight: want more than 0");
	else if (at && r->cond && !r->cond->regressed[0])
		sw_diag_warn(l->d, at, "weight: a share of the budget of false alarms, there is no regressed() in this rule");
}

static bool deploys(enum sw_trigger_kind k)
{
	return k == SW_TR_DEPLOY_TO || k == SW_TR_ROLLBACK_FINISHED || k == SW_TR_CUSTOM;
}

static void load_name(struct load *l, const struct sw_ynode *n, struct sw_rule *r, const char *given)
{
	r->name = given;
	if (!given) {
		const char *base = sw_arena_printf(l->a, "%s%s%s", r->on.name, r->cond ? ": " : "", r->cond ? sw_expr_text(r->cond) : "");

		base = sw_arena_strndup(l->a, base, sw_utf8_cut(base, strlen(base), 160));
		r->name = base;
		for (unsigned i = 2; sw_map_get(&l->rule_names, r->name); i++)
			r->name = sw_arena_printf(l->a, "%s (%u)", base, i);
	} else if (sw_map_get(&l->rule_names, given)) {
		const struct sw_ynode *first = sw_map_get(&l->rule_names, given);

		sw_diag_error(l->d, sw_yget(n, "name"), "a rule \"%s\" stands at %s:%u already", given, first->file, first->line);
		return;
	}
	(void)sw_map_set(&l->rule_names, r->name, (void *)(uintptr_t)n);
}

static struct sw_rule *rule_room(struct load *l)
{
	struct sw_rules *s = &l->set->pub;
	struct sw_rule *bigger;

	if (s->n == l->cap_rules) {
		l->cap_rules = l->cap_rules ? l->cap_rules * 2 : 16;
		bigger = SW_ARENA_ARRAY(l->a, struct sw_rule, l->cap_rules);
		if (s->n)
			memcpy(bigger, s->items, s->n * sizeof *bigger);
		s->items = bigger;
	}
	return &s->items[s->n];
}

void sw_load_rule(struct load *l, const struct sw_ynode *n)
{
	struct rule_conf c = { 0 };
	unsigned errors = l->d->errors;
	struct sw_rule r = { .file = n->file, .line = n->line };

	if (n->type != SW_Y_MAP) {
		sw_diag_error(l->d, n, "want a rule: {on: …, if: …, then: …}");
		return;
	}
	if (sw_keys_read(rule_keys, n, n, NULL, l->a, &c, l->d) < 0) {
		const struct sw_ynode *cond = sw_yget(n, "if");

		if (cond && cond->type == SW_Y_SCALAR && !cond->quoted && cond->line == n->line)
			sw_diag_error(l->d, cond, "in the one-line form YAML cuts at , [ ] { }: quote this expression");
		return;
	}
	if (!c.on)
		sw_diag_error(l->d, n, "a rule needs a trigger: on: deploy-to-prod");
	if (!c.then)
		sw_diag_error(l->d, n, "a rule needs something to do: then: alert");
	if (c.then)
		load_then(l, c.then, &r);
	if (c.on)
		(void)load_trigger(l, c.on, &r.on);
	r.where = c.where ? load_expr(l, c.where, false) : NULL;
	r.cond = c.cond ? load_expr(l, c.cond, r.has_rollback) : NULL;
	r.signals = r.cond ? r.cond->signals : NULL;
	r.sources = r.cond ? r.cond->sources : NULL;
	r.watches = r.cond && r.cond->watches;
	if (r.where && r.where->watches)
		sw_diag_error(l->d, c.where, "where asks about events and places, signals belong into if");
	if (r.watches && c.on && !deploys(r.on.kind))
		sw_diag_error(l->d, c.cond, "only deployments can be watched: a rule on %s cannot ask for %s%s", r.on.name,
		              r.signals[0] ? "the signal " : "what a watch sees", r.signals[0] ? r.signals[0] : "");
	if (!r.watches && r.has_rollback && c.on && (r.on.kind >= SW_TR_PIPELINE_FAILED && r.on.kind <= SW_TR_ALARM))
		sw_diag_error(l->d, c.then, "there is nothing to roll back on %s", r.on.name);
	load_watch(l, c.watch, c.cond && !r.cond, &r);
	load_no_data(l, &c, &r);
	load_dedupe(l, n, &c, &r);
	r.severity = c.severity < 3 ? (enum sw_severity)c.severity : r.has_rollback ? SW_SEV_CRITICAL : SW_SEV_WARNING;
	r.after = c.after;
	r.repeat = c.repeat;
	load_requests(l, n, &c, &r);
	load_weight(l, n, &c, &r);
	r.mention = c.mention;
	r.dry_run = c.dry_run;
	r.runbook = c.runbook;
	r.summary = c.summary;
	load_mentions(l, n, &r);
	load_repeat(l, n, &r);
	if (l->d->errors != errors)
		return;
	load_name(l, n, &r, c.name);
	sw_lint_expr(l, c.cond, r.cond, &r);
	sw_lint_expr(l, c.where, r.where, NULL);
	sw_lint_rule(l, n, &r);
	if (l->set->pub.n == RULES_MOST) {
		sw_diag_error(l->d, n, "more than %d rules", RULES_MOST);
		return;
	}
	*rule_room(l) = r;
	l->set->pub.n++;
}
