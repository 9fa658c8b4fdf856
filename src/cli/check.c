/* shipwatch check: a configuration and its rules read as the roles read them; all mistakes, then what was understood. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/online.h"
#include "cli/options.h"
#include "engine/place.h"
#include "model/maintenance.h"
#include "plugins.h"
#include "rules/rules.h"
#include "shipwatch/clock.h"
#include "signal/presets.h"
#include "worker/worker.h"

static int check_rules(const struct sw_config *c, bool named, struct sw_rules **ret, struct sw_diags *d)
{
	struct sw_rules_names names = {
		.channels = (const char *const *)c->channel_names, .actions = (const char *const *)c->action_names,
		.people = (const char *const *)c->people_names, .limits = (const char *const *)c->limit_names,
		.targets = (const char *const *)c->target_names,
	};
	const struct sw_rules_names none = { 0 };

	if (c->rules)
		return sw_rules_load((const char *const *)c->rules, named ? &names : &none, ret, d);
	return sw_rules_load_text("<safe rules>", sw_rules_safe, strlen(sw_rules_safe), NULL, ret, d);
}

/* ---- which places a rule is about, as far as that is known without a deployment ---- */

static void place_field(void *arg, enum sw_field_id id, const char *key, struct sw_value *ret)
{
	const struct sw_place *p = arg;
	const char *text = id == SW_F_SERVICE ? p->service : id == SW_F_ENV ? p->environment : id == SW_F_TIER ? p->tier : NULL;

	(void)key;
	*ret = (struct sw_value){ .type = SW_V_STRING, .reading = SW_R_ABSENT };
	if (text && !(id == SW_F_SERVICE && sw_streq(text, "*")))
		*ret = (struct sw_value){ .type = SW_V_STRING, .reading = SW_R_OK, .str = text };
}

static void place_signal(void *arg, const char *signal, const char *part, enum sw_window w, sw_dur window, struct sw_value *ret,
                         sw_ms *ret_at)
{
	(void)arg, (void)signal, (void)part, (void)w, (void)window;
	*ret = (struct sw_value){ .reading = SW_R_ABSENT };
	*ret_at = 0;
}

static enum sw_truth place_changed(void *arg, const char *glob)
{
	(void)arg, (void)glob;
	return SW_UNKNOWN;
}

static void place_count(void *arg, const char *func, sw_dur window, struct sw_value *ret)
{
	(void)arg, (void)func, (void)window;
	*ret = (struct sw_value){ .type = SW_V_NUMBER, .reading = SW_R_ABSENT };
}

static bool rule_concerns(const struct sw_rule *r, const struct sw_place *p)
{
	const char *target = r->on.target;
	struct sw_facts facts = { NULL, place_field, place_signal, place_changed, place_count };
	struct sw_hold holds[SW_HOLDS_MAX] = { 0 };
	struct sw_judged judged = { SW_UNKNOWN };
	struct sw_arena a = { 0 };

	if (r->on.kind == SW_TR_DEPLOY_TO && !sw_streq(target, "*") && strcasecmp(target, p->environment) != 0 &&
	    !(p->tier && strcasecmp(target, p->tier) == 0))
		return false;
	if (!r->where)
		return true;
	facts.arg = (void *)(uintptr_t)p;
	facts.now = sw_clock_wall();
	sw_expr_eval(r->where, &facts, holds, &a, &judged);
	sw_arena_fini(&a);
	return judged.truth != SW_FALSE;
}

/* A rule that takes back where nothing says how: it would alert only, and that is better known before. */
static void check_rollbacks(const struct sw_config *c, const struct sw_rules *rules, struct sw_diags *d)
{
	for (size_t i = 0; i < rules->n; i++) {
		const struct sw_rule *r = &rules->items[i];

		for (size_t k = 0; r->has_rollback && k < c->places.n; k++) {
			const struct sw_place *p = &c->places.items[k];
			struct sw_ynode at = { .file = r->file, .line = r->line, .col = 1 };

			if (p->rollback || !rule_concerns(r, p))
				continue;
			sw_diag_warn(d, &at, "rule \"%s\" rolls back, but %s/%s names no action under rollback: it will only alert there",
			             r->name, p->service, p->environment);
		}
	}
}

/* People who are asked, and have no page to answer on. */
static void check_asks(const struct sw_config *c, const struct sw_rules *rules, struct sw_diags *d)
{
	for (size_t i = 0; i < rules->n && !c->gateway.approvals; i++) {
		const struct sw_rule *r = &rules->items[i];

		for (size_t k = 0; k < r->n_then; k++) {
			struct sw_ynode at = { .file = r->file, .line = r->line, .col = 1 };

			if (r->then[k].approve)
				sw_diag_warn(d, &at, "rule \"%s\" asks for approval, and there is no page for it (gateway: {approvals: true}): people can only use `shipwatch approve`",
				             r->name);
		}
	}
}

/* Why a signal is not measured at a place; NULL: it is. */
static const char *signal_missing(const struct sw_place *p, const struct sw_signal_def *def, struct sw_arena *a)
{
	const char *source = sw_probe_source(p, def);
	bool prometheus = sw_streq(source, "prometheus");
	struct sw_err err = SW_ERR_INIT;

	if (!def || def->report || def->alarm || sw_streq(source, "health"))
		return NULL;
	if (!source && sw_streq(def->name, "health"))
		return "it has no health address";
	if (!source)
		return "it has no prometheus: and no metrics: to ask";
	if (sw_preset_fill(&def->query, prometheus ? p->prometheus.preset : p->scrape.preset, prometheus ? SW_PRESET_PROMETHEUS : SW_PRESET_SCRAPE, a,
	                   &err))
		return NULL;
	return sw_arena_strdup(a, err.text);
}

/* A rule that will never know: said once a rule and signal, with the first place and how many more there are. */
static void check_measured(const struct sw_config *c, const struct sw_rules *rules, struct sw_diags *d)
{
	for (size_t i = 0; i < rules->n; i++) {
		const struct sw_rule *r = &rules->items[i];
		struct sw_ynode at = { .file = r->file, .line = r->line, .col = 1 };

		for (size_t k = 0; r->file && r->signals && r->signals[k]; k++) {
			const struct sw_signal_def *def = sw_rules_signal(rules, r->signals[k]);
			const struct sw_place *first = NULL;
			const char *why = NULL;
			size_t more = 0;

			for (size_t x = 0; x < c->places.n; x++) {
				const char *missing = rule_concerns(r, &c->places.items[x]) ? signal_missing(&c->places.items[x], def, d->arena) : NULL;

				if (missing && first)
					more++;
				else if (missing) {
					first = &c->places.items[x];
					why = missing;
				}
			}
			if (first && more)
				sw_diag_warn(d, &at, "rule \"%s\" needs %s, which is not known at %s/%s and %zu more: %s", r->name, r->signals[k],
				             first->service, first->environment, more, why);
			else if (first)
				sw_diag_warn(d, &at, "rule \"%s\" needs %s, which is not known at %s/%s: %s", r->name, r->signals[k], first->service,
				             first->environment, why);
		}
	}
}

struct sw_config *sw_cli_config(const char *path, struct sw_rules **ret_rules, bool strict)
{
	struct sw_plugins plugins = { sw_sources, sw_signals, sw_channels, sw_actions };
	struct sw_config *cfg = NULL;
	struct sw_rules *rules = NULL;
	struct sw_arena arena = { 0 };
	struct sw_diags d;
	bool good;

	sw_diags_init(&d, &arena);
	good = sw_config_load_broken(path, &plugins, &sw_yenv_process, &cfg, &d) == 0;
	/* Of a configuration with mistakes it is not known what there is: rules are read without asking for names. */
	if (ret_rules && (good || cfg->rules) && check_rules(cfg, good, &rules, &d) == 0 && good) {
		check_rollbacks(cfg, rules, &d);
		check_asks(cfg, rules, &d);
		check_measured(cfg, rules, &d);
		sw_worker_check_queries(rules, &d);
	}
	sw_diags_sort(&d);
	for (const struct sw_diag *one = d.first; one; one = one->next)
		(void)fprintf(stderr, "%s%s\n", one->warning ? "warning: " : "", one->text);
	good = good && d.errors == 0 && !(strict && d.warnings > 0);
	if (ret_rules && d.errors + d.warnings > 0)
		(void)fprintf(stderr, "%s: %u error%s, %u warning%s\n", path, d.errors, d.errors == 1 ? "" : "s", d.warnings,
		              d.warnings == 1 ? "" : "s");
	sw_arena_fini(&arena);
	if (!good) {
		if (cfg)
			cfg = sw_config_put(cfg);
		if (rules)
			rules = sw_rules_put(rules);
	}
	if (ret_rules)
		*ret_rules = rules;
	return cfg;
}

/* What chance may do, so that nobody is surprised by the first false alarm. */
static void check_budget(const struct sw_rules *rules, struct sw_buf *b)
{
	const struct sw_rules_budget *list;
	struct sw_arena a = { 0 };
	size_t n = sw_rules_budgets(rules, &a, &list);

	for (size_t i = 0; i < n; i++)
		sw_buf_printf(b, "%s: %zu statistical rule%s; of 100 good deployments a month at most %.3g %s by chance\n", list[i].trigger, list[i].rules,
		              list[i].rules == 1 ? "" : "s", 100 * list[i].alpha, list[i].rollback ? "are taken back" : "are alerted about");
	sw_arena_fini(&a);
}

static void oncall_names(struct sw_buf *b, const char **names)
{
	for (size_t i = 0; names && names[i]; i++)
		sw_buf_printf(b, "%s%s", i ? " and " : "", names[i]);
}

/* Who is mentioned as oncall at this moment, and until when: the line people look for when the wrong one was called. */
static void check_oncall(const struct sw_config *cfg, struct sw_buf *b)
{
	sw_ms now = sw_clock_wall();
	struct sw_oncall who, next = { 0 };
	struct sw_arena a = { 0 };
	struct sw_diags d;

	if (!cfg->oncall.people && !cfg->oncall.rota && !cfg->oncall.file)
		return;
	sw_diags_init(&d, &a);
	sw_config_oncall(cfg, now, &a, &who, &d);
	if (who.until)
		sw_config_oncall(cfg, who.until, &a, &next, &d);
	sw_buf_cat(b, "on call now: ");
	if (who.people)
		oncall_names(b, who.people);
	else
		sw_buf_cat(b, "nobody");
	sw_buf_cat(b, who.override ? " (an override)" : "");
	if (who.until) {
		sw_buf_cat(b, ", until ");
		sw_time_print_local(who.until, sw_config_tz_offset(cfg, who.until), true, b);
		sw_buf_cat(b, "; then ");
		oncall_names(b, next.people);
		sw_buf_cat(b, next.people ? "" : "nobody");
	}
	sw_buf_putc(b, '\n');
	sw_arena_fini(&a);
}

/* Each window as it was understood, and whether it is on. */
static void check_maintenance(const struct sw_config *cfg, struct sw_buf *b)
{
	sw_ms now = sw_clock_wall(), until;

	for (size_t i = 0; i < cfg->n_maintenance; i++) {
		sw_buf_cat(b, "maintenance of ");
		sw_maintenance_print(&cfg->maintenance[i], b);
		if (sw_maintenance_on(&cfg->maintenance[i], now, &until))
			sw_buf_cat(b, " (now)");
		else if (cfg->maintenance[i].until && cfg->maintenance[i].until <= now)
			sw_buf_cat(b, " (over)");
		sw_buf_putc(b, '\n');
	}
}

static void check_print(const char *path, const struct sw_config *cfg, const struct sw_rules *rules, bool json)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	if (json) {
		sw_buf_cat(&b, "{\"config\":");
		sw_buf_json(&b, path);
		sw_buf_printf(&b, ",\"rules\":%zu,\"rules_hash\":\"%s\",\"places\":[", rules->n, rules->hash);
	}
	for (size_t i = 0; i < cfg->places.n; i++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf line = SW_BUF_INIT;

		sw_config_summary(cfg, &cfg->places.items[i], &line);
		if (json) {
			sw_buf_cat(&b, i ? "," : "");
			sw_buf_json(&b, sw_buf_str(&line));
		} else {
			sw_buf_printf(&b, "%s\n", sw_buf_str(&line));
		}
	}
	if (json)
		sw_buf_cat(&b, "]}\n");
	else {
		check_oncall(cfg, &b);
		check_maintenance(cfg, &b);
		check_budget(rules, &b);
	}
	if (!json)
		sw_buf_printf(&b, "%s is fine: %zu source%s, %zu place%s, %zu rule%s%s\n", path, cfg->n_sources, cfg->n_sources == 1 ? "" : "s",
		              cfg->places.n, cfg->places.n == 1 ? "" : "s", rules->n, rules->n == 1 ? "" : "s",
		              cfg->rules ? "" : " (the safe ones that are used when none are named)");
	(void)fputs(sw_buf_str(&b), stdout);
}

int sw_cli_check(int argc, char **argv)
{
	static const struct sw_usage usage = {
		"check -c FILE [--strict] [--json | --online]",
		"Reads a configuration and its rules, says all mistakes with their places, then one line a place as it was understood.\n"
		"Nothing is connected or started; with --online Redis, hosts, tokens, addresses of health and chat robots are asked, and nothing is sent or done.\n",
		NULL, 0, 0,
	};
	struct sw_common c = { 0 };
	bool strict = false, online = false;
	const struct sw_opt opts[] = {
		SW_OPT_CONFIG(&c), { "strict", 0, SW_OPT_FLAG, &strict, NULL, "warnings are errors" },
		{ "online", 0, SW_OPT_FLAG, &online, NULL, "ask what it names: one line each, ok, warning or error, and what helps" },
		SW_OPT_JSON(&c), { 0 },
	};
	struct sw_rules *rules = NULL;
	struct sw_config *cfg;
	int r;

	if (sw_options_read(&usage, opts, argc, argv, &r) < 0)
		return r;
	if (online && c.json) {
		(void)fprintf(stderr, "shipwatch: check: --online says lines, --json does not go with it\n");
		return SW_EXIT_USAGE;
	}
	if (!c.config)
		c.config = "shipwatch.yaml";
	cfg = sw_cli_config(c.config, &rules, strict);
	if (!cfg)
		return SW_EXIT_WRONG;
	check_print(c.config, cfg, rules, c.json);
	r = online && sw_online(cfg, strict) < 0 ? SW_EXIT_WRONG : SW_EXIT_OK;
	sw_rules_put(rules);
	sw_config_put(cfg);
	return r;
}
