/*
 * A watch: what it came to in one sentence, its curves, and the explanation row by row, folded where looks say the same. The same that
 * `shipwatch explain` prints, from what the recorder kept of it.
 */
#include <string.h>

#include "base/str.h"
#include "dashboard/watch_view.h"
#include "model/words.h"

/* ---- what it means ---- */

static const struct { const char *verdict, *reason, *en, *zh; } meanings[] = {
	{ "pass", "evidence", "The condition was known and did not hold until the end of the window.", "观察期内条件可判断且未成立。" },
	{ "pass", "transient", "It was worse for a while, and went away.", "曾短暂变差，随后恢复。" },
	{ "pass", "no-data", "Too little was known, and the rule counts that as a pass.", "数据不足，规则将其视为通过。" },
	{ "fail", "evidence", "The condition held as long as the rule says, and nothing spoke for another cause.", "条件持续成立达到规则要求，且没有其他原因。" },
	{ "fail", "no-data", "Too little was known, and the rule counts that as a failure.", "数据不足，规则将其视为失败。" },
	{ "inconclusive", "no-data", "Too little was known to say whether it is good or bad.", "数据不足，无法判断好坏。" },
	{ "inconclusive", "pre-existing", "It was so before the deployment already: this deployment did not cause it.", "部署前已是如此，并非此次部署造成。" },
	{ "inconclusive", "common-cause", "Other services fail at the same time: a cause they share is likelier.", "其他服务同时异常，更可能是共同原因。" },
	{ "inconclusive", "deadline", "What the rule waits for did not happen in its window.", "规则等待的情况在观察期内没有出现。" },
	{ "superseded", "newer", "A newer deployment succeeded first; nothing is taken back.", "更新的部署先成功，不再回滚此次部署。" },
	{ "cancelled", "operator", "A person ended it.", "由人工结束。" },
};

static void put_meaning(struct page *p, const struct watch_view *x)
{
	const char *text = NULL;

	for (size_t i = 0; i < SW_COUNT(meanings) && !text; i++)
		if (sw_streq(meanings[i].verdict, x->verdict) && sw_streq(meanings[i].reason, x->reason))
			text = W(p, meanings[i].en, meanings[i].zh);
	if (!text && sw_streq(x->verdict, "pass"))
		text = W(p, meanings[0].en, meanings[0].zh);
	if (!x->verdict)
		text = sw_streq(x->state, "waiting") ? W(p, "It waits for the new version to answer.", "等待新版本响应。") : W(p, "It is being watched; there is no verdict yet.", "正在观察，尚无结论。");
	if (text)
		sw_html(&p->out, "<p class=\"meaning\">%s</p>\n", text);
}

/* ---- its progress ---- */

/* Of its window: how far, as an element that says so itself. */
static void put_progress(struct page *p, const struct sw_row *r)
{
	sw_ms from = sw_row_int(r, "begins", 0) ? sw_row_int(r, "begins", 0) : sw_row_int(r, "at", 0), until = sw_row_int(r, "until", 0);
	int64_t whole = SW_MAX(until - from, (int64_t)1), done = SW_MIN(SW_MAX(p->now - from, (int64_t)0), whole);

	sw_html(&p->out, "<progress max=\"%lld\" value=\"%lld\" aria-label=\"%s\"></progress>", (long long)whole, (long long)done, W(p, "of the window", "观察进度"));
	sw_buf_cat(&p->out, "<span class=\"muted nowrap\">");
	if (until > p->now) {
		page_about(p, until - p->now);
		sw_buf_cat(&p->out, W(p, " left", "后结束"));
	} else {
		sw_html_text(&p->out, W(p, "its window is over", "观察期已过"));
	}
	sw_buf_cat(&p->out, "</span>");
}

void page_open_watch(struct page *p, const struct sw_row *r)
{
	const char *verdict = sw_row_text(r, "verdict"), *version = sw_row_text(r, "version");

	sw_buf_cat(&p->out, "<li><div class=\"row\">");
	sw_html_badge(p, verdict ? verdict : sw_row_text(r, "state"));
	page_place(p, sw_row_text(r, "service"), sw_row_text(r, "environment"), true);
	sw_buf_cat(&p->out, "<span><a href=\"/deployments/");
	sw_html_url(&p->out, sw_row_text(r, "deployment"));
	sw_buf_cat(&p->out, "#watch-");
	sw_html_url(&p->out, sw_row_text(r, "watch"));
	sw_buf_cat(&p->out, "\">");
	if (version)
		page_words(p, version, 32);
	else
		sw_html_sha(p, sw_row_text(r, "sha"));
	sw_html(&p->out, "</a> <span class=\"muted\">%s</span></span>", sw_row_text(r, "rule"));
	if (verdict) /* a failed one is looked at until it is well again */
		sw_html(&p->out, "<span class=\"muted\">%s</span>", W(p, "followed until it recovers", "持续跟踪直到恢复"));
	else
		put_progress(p, r);
	sw_buf_cat(&p->out, "</div></li>\n");
}

/* ---- row by row ---- */

static const char *truth_word(struct page *p, const char *t)
{
	if (sw_streq(t, "true"))
		return W(p, "true", "成立");
	return sw_streq(t, "false") ? W(p, "false", "不成立") : W(p, "unknown", "未知");
}

static void put_truth(struct page *p, const char *t)
{
	sw_html(&p->out, "<span class=\"truth t-%s\">%s</span>", sw_streq(t, "true") ? "true" : sw_streq(t, "false") ? "false" : "unknown", truth_word(p, t));
}

/* Since the deployment, in whole seconds: "+35s". */
static void put_after(struct page *p, const struct watch_view *x, sw_ms at)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	sw_dur d = at - x->deployed;

	sw_dur_print((d < 0 ? -d : d) / SW_SECOND * SW_SECOND, &b);
	sw_html(&p->out, "%s%s", d <= -SW_SECOND ? "−" : "+", sw_buf_str(&b));
}

static const struct sw_jnode *comparisons(const struct sw_jnode *step)
{
	const struct sw_jnode *list = sw_jget(step, "comparisons");

	return list && list->type == SW_J_ARRAY ? list->child : NULL;
}

/* Do two looks say the same but for the numbers? */
static bool steps_alike(const struct sw_jnode *a, const struct sw_jnode *b)
{
	const struct sw_jnode *x = comparisons(a), *y = comparisons(b);

	if (!sw_streq(sw_jstr(a, "truth"), sw_jstr(b, "truth")) || !sw_streq(sw_jstr(a, "phase"), sw_jstr(b, "phase")))
		return false;
	for (; x && y; x = x->next, y = y->next)
		if (!sw_streq(sw_jstr(x, "truth"), sw_jstr(y, "truth")) || !sw_jstr(x, "value") != !sw_jstr(y, "value"))
			return false;
	return !x && !y;
}

static void put_reading(struct page *p, struct table *t, const char *s)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf room = SW_BUF_INIT;

	page_cell(p, t);
	page_words(p, sw_word_seen(s, p->locale, &room), 60);
}

static void step_row(struct page *p, struct table *t, const struct watch_view *x, const struct sw_jnode *step, const struct sw_jnode *c, bool first)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf room = SW_BUF_INIT;
	const char *part = sw_jstr(c, "part"), *text = sw_jstr(c, "text"), *note = sw_word_seen(sw_jstr(c, "note"), p->locale, &room);

	page_row(p, t);
	page_cell(p, t);
	if (first)
		put_after(p, x, sw_jint(step, "at", 0));
	page_cell(p, t);
	if (first)
		put_truth(p, sw_jstr(step, "truth"));
	page_cell(p, t);
	if (c)
		sw_html(&p->out, "<code>%s</code>", part ? part : text);
	if (note)
		sw_html(&p->out, " <span class=\"muted\">%s</span>", note);
	if (!c && sw_jbool(step, "too_few_requests", false))
		sw_html_text(&p->out, W(p, "too few requests", "请求过少"));
	page_cell(p, t);
	if (c)
		put_truth(p, sw_jstr(c, "truth"));
	put_reading(p, t, sw_jstr(c, "value"));
	put_reading(p, t, sw_jstr(c, "limit"));
	put_reading(p, t, sw_jstr(c, "before"));
}

static void step_rows(struct page *p, struct table *t, const struct watch_view *x, const struct sw_jnode *step)
{
	const struct sw_jnode *c = comparisons(step);
	bool first = true;

	do {
		step_row(p, t, x, step, c, first);
		first = false;
		c = c ? c->next : NULL;
	} while (c);
}

static void row_whole(struct page *p, struct table *t, const char *class)
{
	page_row(p, t);
	sw_buf_printf(&p->out, "<td colspan=\"7\" class=\"%s\">", class);
	t->i = 1;
}

static void row_verdict(struct page *p, struct table *t, const struct watch_view *x)
{
	row_whole(p, t, sw_streq(x->verdict, "fail") ? "moment bad" : "moment");
	put_after(p, x, x->decided);
	sw_buf_putc(&p->out, ' ');
	sw_html_badge(p, x->verdict);
	if (x->reason)
		sw_html(&p->out, " <span class=\"muted\">%s</span>", sw_word_reason(x->reason, p->locale));
}

static void rows(struct page *p, const struct watch_view *x, const struct sw_jnode *step)
{
	const char *const heads[] = { W(p, "After", "部署后"), W(p, "Rule", "规则"), W(p, "Comparison", "比较"), W(p, "Truth", "真值"), W(p, "Value", "数值"), W(p, "Limit", "阈值"),
	                              W(p, "Before", "部署前"), NULL };
	bool told = !x->verdict || !x->decided;
	struct table t;

	page_table(p, &t, W(p, "What it saw at each look", "每次检查的结果"), heads);
	while (step) {
		const struct sw_jnode *last = step;
		size_t between = 0;

		if (!told && sw_jint(step, "at", 0) > x->decided) {
			row_verdict(p, &t, x);
			told = true;
		}
		while (last->next && steps_alike(step, last->next) && (told || sw_jint(last->next, "at", 0) <= x->decided)) {
			last = last->next;
			between++;
		}
		step_rows(p, &t, x, step);
		if (between > 1) {
			row_whole(p, &t, "folded muted");
			sw_buf_printf(&p->out, between == 2 ? W(p, "… %zu look that says the same", "… %zu 次相同结果") : W(p, "… %zu looks that say the same", "… %zu 次相同结果"), between - 1);
		}
		if (last != step)
			step_rows(p, &t, x, last);
		step = last->next;
	}
	if (!told)
		row_verdict(p, &t, x);
	page_table_end(p, &t);
}

static void guards(struct page *p, const struct sw_jnode *list)
{
	if (!list || !list->child)
		return;
	sw_html(&p->out, "<h3>%s</h3><ul class=\"guards\">\n", W(p, "What stood between the condition and a verdict", "条件与结论之间的检查"));
	for (const struct sw_jnode *g = list->child; g; g = g->next) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf name = SW_BUF_INIT, text = SW_BUF_INIT;
		bool decided = sw_jbool(g, "decided", false);

		sw_html(&p->out, "<li><strong>%s</strong> %s", sw_word_seen(sw_jstr(g, "guard"), p->locale, &name), sw_word_seen(sw_jstr(g, "text"), p->locale, &text));
		if (decided)
			sw_html(&p->out, " <span class=\"badge warn\">%s</span>", W(p, "this decided", "由此决定"));
		sw_buf_cat(&p->out, "</li>\n");
	}
	sw_buf_cat(&p->out, "</ul>\n");
}

static void befores(struct page *p, const struct sw_jnode *list)
{
	if (!list || !list->child)
		return;
	sw_html(&p->out, "<h3>%s</h3><ul class=\"guards\">\n", W(p, "Before the deployment", "部署前"));
	for (const struct sw_jnode *b = list->child; b; b = b->next) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf value_room = SW_BUF_INIT, why_room = SW_BUF_INIT;
		const char *value = sw_word_seen(sw_jstr(b, "value"), p->locale, &value_room), *why = sw_word_seen(sw_jstr(b, "why"), p->locale, &why_room);

		sw_html(&p->out, "<li><code>%s</code> ", sw_jstr(b, "signal"));
		if (value)
			sw_html(&p->out, "<strong>%s</strong> ", value);
		if (value && sw_jint(b, "readings", 0))
			page_number(p, sw_jint(b, "readings", 0), "reading", "readings", "个读数");
		if (!value)
			sw_html(&p->out, "<span class=\"muted\">%s%s%s</span>", W(p, "not known", "未知"), why ? W(p, ": ", "：") : "", why);
		sw_buf_cat(&p->out, "</li>\n");
	}
	sw_buf_cat(&p->out, "</ul>\n");
}

static void explanation(struct page *p, const struct watch_view *x)
{
	const struct sw_jnode *steps = sw_jget(x->explained, "steps");

	if (!x->explained) {
		sw_html(&p->out, "<p class=\"muted\">%s</p>\n", x->verdict ? W(p, "Its explanation is not kept.", "未保留其说明。")
		                                                          : W(p, "It is explained row by row once there is a verdict.", "有结论后将逐行说明。"));
		return;
	}
	sw_html(&p->out, "<details class=\"why\"%s><summary>%s</summary>\n", "", W(p, "Why: every look, row by row", "原因：逐行查看每次检查"));
	if (steps && steps->child)
		rows(p, x, steps->child);
	else
		page_empty(p, W(p, "Its condition asks for no signal, or no reading is kept.", "其条件不涉及指标，或读数未保留。"));
	if (sw_jint(x->explained, "steps_left_out", 0))
		sw_html(&p->out, "<p class=\"muted\">%lld %s</p>\n", (long long)sw_jint(x->explained, "steps_left_out", 0), W(p, "more looks are not kept", "次检查未保留"));
	guards(p, sw_jget(x->explained, "guards"));
	befores(p, sw_jget(x->explained, "before"));
	sw_html(&p->out, "<p class=\"muted\">%s <code>shipwatch explain %s</code></p></details>\n", W(p, "The same on a terminal:", "终端命令："), x->id);
}

/* ---- all of it ---- */

static void facts(struct page *p, const struct watch_view *x)
{
	const char *cond = sw_jstr(x->explained, "if") ? sw_jstr(x->explained, "if") : page_rule_condition(p, x->rule);

	sw_buf_cat(&p->out, "<dl class=\"facts\">\n");
	if (cond) {
		page_fact_begin(p, W(p, "If", "条件"));
		sw_html(&p->out, "<code>%s</code>", cond);
		page_fact_end(p);
	}
	page_fact_begin(p, W(p, "Watched", "观察"));
	page_clock(p, x->begins ? x->begins : sw_row_int(x->row, "at", 0));
	sw_buf_cat(&p->out, " – ");
	page_clock(p, x->until);
	page_fact_end(p);
	if (x->decided) {
		page_fact_begin(p, W(p, "Decided", "判定"));
		page_clock(p, x->decided);
		sw_buf_cat(&p->out, " (");
		put_after(p, x, x->decided);
		sw_buf_cat(&p->out, ")");
		page_fact_end(p);
	}
	if (sw_row_int(x->row, "checks", -1) >= 0) {
		page_fact_begin(p, W(p, "Looks", "检查"));
		sw_html(&p->out, "%lld", (long long)sw_row_int(x->row, "checks", 0));
		if (sw_row_int(x->row, "known", -1) >= 0)
			sw_buf_printf(&p->out, W(p, ", %lld with an answer", " 次，有效 %lld 次"), (long long)sw_row_int(x->row, "known", 0));
		page_fact_end(p);
	}
	page_fact(p, W(p, "Watch", "观察编号"), x->id);
	sw_buf_cat(&p->out, "</dl>\n");
}

void page_watch(struct page *p, const struct sw_row *dep, const struct sw_row *w)
{
	struct watch_view x = {
		.row = w, .id = sw_row_text(w, "watch"), .rule = sw_row_text(w, "rule"), .service = sw_row_text(w, "service"), .environment = sw_row_text(w, "environment"),
		.state = sw_row_text(w, "state"), .verdict = sw_row_text(w, "verdict"), .reason = sw_row_text(w, "reason"),
		.deployed = sw_row_int(dep, "finished", sw_row_int(dep, "at", 0)), .begins = sw_row_int(w, "begins", 0), .until = sw_row_int(w, "until", 0),
		.explained = page_json(p, sw_row_text(w, "explained"), sw_row_value(w, "explained")->n),
	};
	bool open = !sw_streq(x.state, "done");

	x.begins = x.begins ? x.begins : sw_row_int(w, "at", 0);
	x.decided = sw_jint(x.explained, "ended", sw_row_int(w, "fail_at", 0));
	if (!x.decided && x.verdict)
		x.decided = sw_row_int(w, "ended", 0);
	sw_html(&p->out, "<section class=\"card watch\" id=\"watch-%s\" data-live=\"watches samples\" aria-labelledby=\"watch-%s-h\">\n<div class=\"row apart\"><div class=\"row\">"
	                 "<h2 id=\"watch-%s-h\">%s</h2>", x.id, x.id, x.id, x.rule);
	sw_html_badge(p, x.verdict ? x.verdict : x.state);
	if (x.reason)
		sw_html(&p->out, "<span class=\"muted\">%s</span>", sw_word_reason(x.reason, p->locale));
	if (open && x.verdict)
		sw_html(&p->out, "<span class=\"muted\">%s</span>", W(p, "followed until it recovers", "持续跟踪直到恢复"));
	else if (open)
		put_progress(p, w);
	sw_buf_cat(&p->out, "</div>");
	if (open)
		page_button(p, "/watches/cancel", "", W(p, "Cancel this watch", "取消观察"), "watch", x.id, NULL);
	sw_buf_cat(&p->out, "</div>\n");
	put_meaning(p, &x);
	facts(p, &x);
	watch_curves(p, &x);
	explanation(p, &x);
	page_section_end(p);
}
