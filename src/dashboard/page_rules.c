/* Rules: which are in force, what they would do, and how they did: fired last, the last ten verdicts, counts of 30 days. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "dashboard/inner.h"
#include "dashboard/pages.h"
#include "rules/rules.h"
#include "shipwatch/log.h"

#define LOG        "dashboard"
#define RULES_MAX  200 /* on one page */
#define COUNTED    (30 * SW_DAY)

struct sw_rules *dash_rules_load(const struct sw_config *cfg)
{
	struct sw_rules_names names = {
		.channels = (const char *const *)cfg->channel_names, .actions = (const char *const *)cfg->action_names, .people = (const char *const *)cfg->people_names,
		.limits = (const char *const *)cfg->limit_names, .targets = (const char *const *)cfg->target_names,
	};
	struct sw_rules *rules = NULL;
	struct sw_arena a = { 0 };
	struct sw_diags d;
	int r;

	sw_diags_init(&d, &a);
	if (cfg->rules)
		r = sw_rules_load((const char *const *)cfg->rules, &names, &rules, &d);
	else
		r = sw_rules_load_text("<safe rules>", sw_rules_safe, strlen(sw_rules_safe), NULL, &rules, &d);
	for (const struct sw_diag *x = r < 0 ? d.first : NULL; x; x = x->next)
		SW_WARN(LOG, "%s", x->text);
	sw_arena_fini(&a);
	return r < 0 ? NULL : rules;
}

static const struct sw_rules *rules_of(struct page *p)
{
	return dash_visit(p)->setup->rules;
}

static const struct sw_rule *rule_of(struct page *p, const char *name)
{
	return rules_of(p) && name ? sw_rules_find(rules_of(p), name) : NULL;
}

const char *page_rule_condition(struct page *p, const char *rule)
{
	const struct sw_rule *r = rule_of(p, rule);

	return r && r->cond ? sw_expr_text(r->cond) : NULL;
}

const char **page_rule_signals(struct page *p, const char *rule)
{
	const struct sw_rule *r = rule_of(p, rule);

	return r ? r->signals : NULL;
}

enum sw_vtype page_signal_type(struct page *p, const char *signal)
{
	const struct sw_signal_def *def = sw_rules_signal(rules_of(p), signal);

	return def ? def->type : SW_V_NUMBER;
}

/* ---- what a rule says ---- */

static void put_dur(struct page *p, sw_dur d)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	sw_dur_print(d, &b);
	sw_html_text(&p->out, sw_buf_str(&b));
}

static void put_then(struct page *p, const struct sw_then *t)
{
	switch (t->kind) {
	case SW_THEN_ALERT:
		sw_html_text(&p->out, W(p, "alert", "告警"));
		for (const char **c = t->channels; c && *c; c++)
			sw_html(&p->out, "%s%s", c == t->channels ? W(p, ": ", "：") : W(p, ", ", "，"), *c);
		return;
	case SW_THEN_ROLLBACK:
		sw_html_text(&p->out, W(p, "roll back", "回滚"));
		if (!t->approve)
			return;
		sw_buf_cat(&p->out, W(p, ", asked for ", "，先请求批准 "));
		put_dur(p, t->approve);
		sw_buf_cat(&p->out, t->proceed ? W(p, ", without an answer it begins", "，无人答复则执行") : W(p, ", without an answer nothing", "，无人答复则不执行"));
		return;
	case SW_THEN_RUN: sw_html(&p->out, "%s %s", W(p, "run", "执行"), t->action); return;
	case SW_THEN_HOLD: sw_html_text(&p->out, W(p, "hold the place", "暂停该位置")); return;
	case SW_THEN_LABEL: sw_html_text(&p->out, t->good ? W(p, "label it good", "标为良好") : W(p, "label it bad", "标为不良")); return;
	}
}

static void rule_says(struct page *p, const struct sw_rule *r)
{
	sw_html(&p->out, "<dl class=\"kv rule-says\"><dt>%s</dt><dd>%s", W(p, "on", "触发"), r->on.name);
	if (r->watches) {
		sw_html(&p->out, " <span class=\"muted\">%s ", W(p, "watched for", "观察"));
		put_dur(p, r->watch_for);
		sw_buf_cat(&p->out, "</span>");
	}
	if (r->after) {
		sw_html(&p->out, " <span class=\"muted\">%s ", W(p, "after", "等待"));
		put_dur(p, r->after);
		sw_buf_cat(&p->out, "</span>");
	}
	sw_buf_cat(&p->out, "</dd>");
	if (r->where)
		sw_html(&p->out, "<dt>%s</dt><dd><code>%s</code></dd>", W(p, "where", "范围"), sw_expr_text(r->where));
	sw_html(&p->out, "<dt>%s</dt><dd>", W(p, "if", "条件"));
	if (r->cond)
		sw_html(&p->out, "<code>%s</code>", sw_expr_text(r->cond));
	else
		sw_html(&p->out, "<span class=\"muted\">%s</span>", W(p, "always", "总是"));
	sw_html(&p->out, "</dd><dt>%s</dt><dd>", W(p, "then", "动作"));
	for (size_t i = 0; i < r->n_then; i++) {
		sw_buf_cat(&p->out, i ? W(p, "; ", "；") : "");
		put_then(p, &r->then[i]);
	}
	if (r->dry_run)
		sw_html(&p->out, " <span class=\"badge idle\">%s</span>", W(p, "dry run", "演练"));
	sw_buf_cat(&p->out, "</dd></dl>\n");
}

/* ---- how it did ---- */

static void put_marks(struct page *p, const struct sum_rule *s)
{
	struct mark marks[SUM_NEWEST];

	for (size_t i = 0; i < s->n; i++) {
		size_t k = s->n - 1 - i;
		SW_CLEANUP(sw_buf_fini) struct sw_buf t = SW_BUF_INIT;
		SW_CLEANUP(sw_buf_fini) struct sw_buf url = SW_BUF_INIT;

		sw_buf_printf(&t, "%s%s", page_word(p, s->w[k].verdict), W(p, ", ", "，"));
		sw_time_print_local(s->w[k].at, sw_config_tz_offset(p->cfg, s->w[k].at), true, &t);
		sw_html_url(&url, s->w[k].watch);
		marks[i] = (struct mark){ .word = s->w[k].verdict, .href = sw_arena_printf(&p->a, "/watches/%s", sw_buf_str(&url)), .title = sw_arena_strdup(&p->a, sw_buf_str(&t)) };
	}
	page_marks(p, W(p, "its last verdicts, oldest first", "最近的结论，从旧到新"), marks, s->n);
}

static void rule_did(struct page *p, const struct sum_rule *s)
{
	sw_html(&p->out, "<dl class=\"kv\"><dt>%s</dt><dd>", W(p, "fired last", "最近触发"));
	if (s->fired) {
		sw_buf_cat(&p->out, "<a href=\"/alerts?rule=");
		sw_html_url(&p->out, s->rule);
		sw_buf_cat(&p->out, "\">");
		page_ago(p, s->fired);
		sw_buf_cat(&p->out, "</a>");
	} else {
		sw_html(&p->out, "<span class=\"muted\">%s</span>", W(p, "never", "从未"));
	}
	sw_html(&p->out, "</dd><dt>%s</dt><dd>", W(p, "30 days", "近 30 天"));
	page_number(p, s->alerts, "alert", "alerts", "次告警");
	if (s->pass + s->fail + s->other) {
		sw_buf_cat(&p->out, W(p, "; ", "；"));
		sw_buf_printf(&p->out, W(p, "%lld pass, %lld fail, %lld other", "%lld 通过，%lld 失败，%lld 其他"), (long long)s->pass, (long long)s->fail, (long long)s->other);
	}
	sw_buf_cat(&p->out, "</dd>");
	if (s->n) {
		sw_html(&p->out, "<dt>%s</dt><dd>", W(p, "verdicts", "结论"));
		put_marks(p, s);
		sw_buf_cat(&p->out, "</dd>");
	}
	sw_buf_cat(&p->out, "</dl>\n");
}

/* ---- the page ---- */

/* Those that fired last stand first; those that never did, by name. */
static int rule_order(const void *a, const void *b)
{
	const struct sum_rule *x = a, *y = b;

	if (x->fired != y->fired)
		return x->fired < y->fired ? 1 : -1;
	return strcmp(x->rule, y->rule);
}

static void rule_card(struct page *p, const struct sum_rule *s)
{
	const char *name = s->rule ? s->rule : "";
	const struct sw_rule *r = rule_of(p, name);

	sw_html(&p->out, "<article class=\"card rule\" id=\"rule-%s\"><div class=\"row\"><h2>%s</h2>", name, name);
	if (r)
		sw_html_badge(p, r->severity == SW_SEV_CRITICAL ? "critical" : r->severity == SW_SEV_WARNING ? "warning" : "info");
	else
		sw_html(&p->out, "<span class=\"badge idle\">%s</span>", W(p, "not in force any more", "已不在配置中"));
	if (r)
		sw_html(&p->out, "<span class=\"muted where\">%s:%u", strrchr(r->file, '/') ? strrchr(r->file, '/') + 1 : r->file, r->line);
	if (r && r->runbook) {
		sw_buf_cat(&p->out, " · ");
		sw_html_link(&p->out, r->runbook, W(p, "runbook", "处理手册"));
	}
	sw_buf_cat(&p->out, r ? "</span></div>\n" : "</div>\n");
	if (r && r->summary)
		sw_html(&p->out, "<p>%s</p>\n", r->summary);
	sw_buf_cat(&p->out, "<div class=\"two-sides\"><div>");
	if (r)
		rule_says(p, r);
	sw_buf_cat(&p->out, "</div><div>");
	rule_did(p, s);
	sw_buf_cat(&p->out, "</div></div></article>\n");
}

static size_t rules_known(struct page *p, struct sum_rule *list, const char *q)
{
	const struct sw_rules *rules = rules_of(p);
	struct sw_rows rows;
	size_t n = 0;

	for (size_t i = 0; rules && i < rules->n && n < RULES_MAX; i++)
		if (!q || !*q || strcasestr(rules->items[i].name, q))
			list[n++].rule = rules->items[i].name;
	page_some(p, "rules", RULES_MAX, &rows, NULL);
	for (size_t i = 0; i < rows.n && n < RULES_MAX; i++) {
		const char *name = sw_row_text(&rows.rows[i], "rule");

		if (name && !rule_of(p, name) && (!q || !*q || strcasestr(name, q)))
			list[n++].rule = name;
	}
	return n;
}

void page_rule_list(struct page *p)
{
	struct sum_rule *list = SW_ARENA_ARRAY(&p->a, struct sum_rule, RULES_MAX);
	const char *q = sw_page_query(p, "rule");
	size_t n;

	sw_page_begin(p, "rules", W(p, "Rules", "规则"));
	sw_html(&p->out, "<form class=\"filters\" method=\"get\" action=\"/rules\"><label><span>%s</span><input name=\"rule\" value=\"%s\"></label><button>%s</button></form>\n",
	        W(p, "Name contains", "名称包含"), q ? q : "", W(p, "Filter", "筛选"));
	sw_buf_cat(&p->out, "<div id=\"rules\" data-live=\"watches alerts\">\n");
	if (!rules_of(p))
		sw_html(&p->out, "<p class=\"banner bad\" role=\"alert\">%s</p>\n", W(p, "The rules of the configuration cannot be read by the dashboard; its log says why.", "看板无法读取配置中的规则，原因见其日志。"));
	n = rules_known(p, list, q);
	if (p->store && sum_rules(p->store, list, n, p->now - COUNTED, &p->a) < 0)
		sw_html(&p->out, "<p class=\"banner bad\" role=\"alert\">%s</p>\n", W(p, "The history does not answer.", "历史记录没有回应。"));
	qsort(list, n, sizeof *list, rule_order);
	for (size_t i = 0; i < n; i++)
		rule_card(p, &list[i]);
	if (!n)
		page_empty(p, W(p, "No rule of that name.", "没有符合的规则。"));
	if (n == RULES_MAX)
		sw_html(&p->out, "<p class=\"muted\">%s</p>\n", W(p, "200 rules are shown; a filter finds others.", "仅显示 200 条规则，可用筛选查找其他。"));
	sw_buf_cat(&p->out, "</div>\n");
	sw_page_end(p);
}
