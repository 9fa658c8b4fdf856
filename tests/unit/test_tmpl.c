/* Templates: what can be written, each mistake with its place, each limit at it and past it; what a template makes stays harmless and short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>

#include "model/tmpl.h"
#include "unit/text_rules.h"

static struct sw_finding findings[] = {
	{ "health is failing", "HTTP status 503", NULL, NULL },
	{ "p95 > 1500ms", "1.82s", "1.5s", "310ms" },
	{ "errors > 1%", NULL, NULL, NULL },
};
static struct sw_commit commits[12];
static const char *files[] = { "a.c", "b.c" };

static struct sw_alert whole(void)
{
	for (size_t i = 0; i < SW_COUNT(commits); i++)
		commits[i] = (struct sw_commit){ .sha = "a1b2c3d4e5", .title = "t", .author = i ? NULL : "Lin" };
	return (struct sw_alert){
		.id = "al-1", .news = SW_NEWS_FIRING, .severity = SW_SEV_CRITICAL, .rule = "r", .service = "web", .environment = "prod",
		.verdict = "fail", .kind = "deployment", .findings = findings, .n_findings = 3, .sha = "a1b2c3d4e5", .user = "lin",
		.commits = commits, .n_commits = 12, .commits_total = 20, .files = files, .n_files = 2, .watch_id = "w1",
		.links = { [SW_LINK_CI_LOG] = "https://ci.example.com/1?a=1&b=2", [SW_LINK_RUNBOOK] = "javascript:x", [SW_LINK_LOGS] = "https://l.example.com" },
	};
}

static const struct sw_tmpl *parsed(struct sw_arena *a, const char *text)
{
	const struct sw_tmpl *ret = NULL;
	struct sw_diags d;

	sw_diags_init(&d, a);
	if (sw_tmpl_parse(a, "t", text, strlen(text), &ret, &d) < 0)
		fail_msg("%s: %s", text, d.first->text);
	return ret;
}

static void what_is_written(void **state)
{
	static const struct {
		enum sw_markup markup;
		const char *tmpl, *want;
	} rows[] = {
		{ SW_MARKUP_PLAIN, "# {severity} {place}\n", "critical web/prod" },
		{ SW_MARKUP_PLAIN, "{severity}", "critical" },
		{ SW_MARKUP_PLAIN, "a\r\n\n  \n{# a {nothing} #}\nb\r\n", "a\nb" },
		{ SW_MARKUP_PLAIN, "{{ {{?{{severity}} }}\n", "{ {?{severity} }" },
		{ SW_MARKUP_PLAIN, "> **{service}** x\n- y\n", "  web x\n- y" },
		{ SW_MARKUP_SLACK, "> a：**{service}** x\n", "> a： *web* x" },
		{ SW_MARKUP_DINGTALK, "# a\n**b**\n", "#### a\n\n**b**" },
		{ SW_MARKUP_WECOM, "# a\n", "<font color=\"warning\">a</font>" },
		/* dropped: a line, a part; what has no values stays */
		{ SW_MARKUP_PLAIN, "branch: {branch}\nx\n", "x" },
		{ SW_MARKUP_PLAIN, "{branch}{service}{tag}\n", "web" },
		{ SW_MARKUP_PLAIN, "by {user}{? on {branch}?}{? to {service}?}.\n", "by lin to web." },
		{ SW_MARKUP_PLAIN, "{?a: {branch}?}{? · b: {user}?}{? · c: {tag}?}\n", "b: lin" },
		{ SW_MARKUP_PLAIN, "{?no value?} in it\n", "no value in it" },
		/* lists */
		{ SW_MARKUP_PLAIN, "> {condition}{?: {condition.value}?}{? ({condition.limits})?} at {service}\n",
		  "  health is failing: HTTP status 503 at web\n  p95 > 1500ms: 1.82s (limit 1.5s, before 310ms) at web\n  errors > 1% at web" },
		{ SW_MARKUP_PLAIN, "was {condition.before} of {condition.limit}\n", "was 310ms of 1.5s" },
		{ SW_MARKUP_PLAIN, "- {file}\n{link}\n", "- a.c\n- b.c\nCI log: https://ci.example.com/1?a=1&b=2\nlogs: https://l.example.com" },
		{ SW_MARKUP_SLACK, "see {link.ci_log}\nand {link.runbook}\n", "see <https://ci.example.com/1?a=1&amp;b=2|CI log>" },
		{ SW_MARKUP_PLAIN, "{commits}: {commit.author}\n", "20: Lin\n" /* the author of the others is not known, the number is */
		                   "20: \n20: \n20: \n20: \n20: \n20: \n20: \n20: \n20: \n… +10 more" },
		/* words of the author */
		{ SW_MARKUP_WECOM, "<font color=\"info\">{user}</font>\n", "<font color=\"info\">lin</font>" },
		{ SW_MARKUP_HTML, "a < b & {user}\n", "<div>a &lt; b &amp; lin</div>" },
		/* nothing to say: our own first line */
		{ SW_MARKUP_PLAIN, "{branch}\n", "[critical] web/prod: fail, health is failing" },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
		struct sw_alert al = whole();
		struct sw_arena a = { 0 };

		al.tmpl = parsed(&a, rows[i].tmpl);
		sw_alert_text(&al, rows[i].markup, 4000, &b);
		assert_string_equal(sw_buf_str(&b), rows[i].want);
		sw_arena_fini(&a);
	}
}

static void mistakes(void **state)
{
	static const char *const rows[][2] = {
		{ "x\n{severty}\n", "t:2:2: unknown value \"severty\", did you mean \"severity\"?" },
		{ "严重 {zzzzzzzz}\n", "t:1:5: unknown value \"zzzzzzzz\"" },
		{ "{commit.sha} {file}\n", "t:1:14: a line repeats one list: {file} does not go with {commit.sha}" },
		{ "a { b\n", "t:1:3: want {name}, {? or {#; write {{ for the brace itself" },
		{ "{severity\n", "t:1:1: want {name}, {? or {#; write {{ for the brace itself" },
		{ "{Severity}\n", "t:1:1: want {name}, {? or {#; write {{ for the brace itself" },
		{ "{}\n", "t:1:1: want {name}, {? or {#; write {{ for the brace itself" },
		{ "{", "t:1:1: want {name}, {? or {#; write {{ for the brace itself" },
		{ "a } b\n", "t:1:3: } closes nothing; write }} for the brace itself" },
		{ "a {? b {user}\n", "t:1:3: {? is not closed in its line" },
		{ "a {user} ?}\n", "t:1:10: ?} closes nothing" },
		{ "{? {? {user} ?} ?}\n", "t:1:4: {? stands within {? already" },
		{ "**a\n", "t:1:1: ** is not closed in its line" },
		{ "{? **{user} ?} **\n", "t:1:4: ** is not closed before ?}" },
		{ "**{?{user}**?}\n", "t:1:11: ** was opened before {?" },
		{ "a\tb\n", "t:1:2: a control character" },
		{ "a\x7f\n", "t:1:2: a control character" },
		{ "a\xff\n", "t:1:2: not UTF-8" },
		{ "", "t:1:1: a template has at least one line" },
		{ "\n{# x #}\n  \n", "t:1:1: a template has at least one line" },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_arena a = { 0 };
		struct sw_diags d;
		const struct sw_tmpl *t;

		sw_diags_init(&d, &a);
		assert_int_equal(sw_tmpl_parse(&a, "t", rows[i][0], strlen(rows[i][0]), &t, &d), -EINVAL);
		assert_string_equal(d.first->text, rows[i][1]);
		sw_arena_fini(&a);
	}
}

static unsigned errors_of(const struct sw_buf *b, const char *want)
{
	struct sw_arena a = { 0 };
	const struct sw_tmpl *t;
	struct sw_diags d;
	unsigned n;

	sw_diags_init(&d, &a);
	if (sw_tmpl_parse(&a, "t", sw_buf_str(b), b->n, &t, &d) < 0)
		assert_string_equal(d.first->text, want);
	n = d.errors;
	sw_arena_fini(&a);
	return n;
}

static void limits(void **state)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	(void)state;
	for (size_t i = 0; i < SW_TMPL_LINES; i++)
		sw_buf_cat(&b, "x\n");
	assert_int_equal(errors_of(&b, ""), 0);
	sw_buf_cat(&b, "{# no line #}\n\n");
	assert_int_equal(errors_of(&b, ""), 0);
	sw_buf_cat(&b, "x\n");
	assert_int_equal(errors_of(&b, "t:103:1: a template has at most 100 lines"), 1);
	sw_buf_reset(&b);
	for (size_t i = 0; i < SW_TMPL_PIECES; i++)
		sw_buf_cat(&b, "{user}");
	assert_int_equal(errors_of(&b, ""), 0);
	sw_buf_cat(&b, "x{user}");
	assert_int_equal(errors_of(&b, "t:1:601: a line has at most 100 pieces"), 1);
	sw_buf_reset(&b);
	while (b.n < SW_TMPL_BYTES)
		sw_buf_putc(&b, 'x');
	assert_int_equal(errors_of(&b, ""), 0);
	sw_buf_putc(&b, 'x');
	assert_int_equal(errors_of(&b, "t:1:1: a template has at most 16384 bytes, this one has 16385"), 1);
	sw_buf_reset(&b);
	for (size_t i = 0; i < 3 * SW_TMPL_LINES; i++)
		sw_buf_cat(&b, "{\n"); /* it stops telling */
	assert_in_range(errors_of(&b, "t:1:1: want {name}, {? or {#; write {{ for the brace itself"), 1, SW_TMPL_LINES);
}

/* Every value, with hostile words in every text: the rules of all messages hold, in every budget. */
static void harmless(void **state)
{
	static const char evil[] = "@all <@U1> [x](http://e.example) <font>*b* `c` | {severity} ** \x1b https://e.example/";
	SW_CLEANUP(sw_buf_fini) struct sw_buf text = SW_BUF_INIT;
	struct sw_arena a = { 0 };
	struct sw_alert al = whole();

	(void)state;
	for (int v = 0; v < SW_TV_COUNT; v++) {
		if ((v >= SW_TV_LINK && v < SW_TV_COUNT))
			continue;
		sw_buf_printf(&text, "- %s {%s}\n", "v", sw_tmpl_name((enum sw_tmpl_value)v));
	}
	for (size_t i = 0; i < SW_COUNT(findings); i++)
		findings[i] = (struct sw_finding){ evil, evil, evil, evil };
	commits[0] = (struct sw_commit){ .sha = evil, .title = evil, .author = evil };
	al.rule = al.service = al.environment = al.user = al.branch = al.tag = al.repo = al.title = al.version = al.sha = evil;
	al.rollback_action = al.rollback_state = al.rollback_detail = al.watch_id = al.ci_run_id = al.summary = al.reason = evil;
	files[0] = evil;
	al.n_commits = 1;
	al.tmpl = parsed(&a, sw_buf_str(&text));
	for (int m = 0; m < SW_MARKUP_COUNT; m++)
		for (size_t max = 0; max < 12000; max = max * 2 + 37) {
			SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT, head = SW_BUF_INIT;
			const char *wrong;

			sw_alert_text(&al, (enum sw_markup)m, max, &b);
			wrong = text_rules_broken(&b, (enum sw_markup)m, max);
			if (wrong)
				fail_msg("%s in markup %d of %zu bytes:\n%s", wrong, m, max, sw_buf_str(&b));
			sw_alert_head(&al, (enum sw_markup)m, max, &head);
			assert_true(head.n <= max);
		}
	sw_arena_fini(&a);
}

/* The first line does not fit. In plain text it is cut; markup that the author wrote is not, our own line stands for it. */
static void a_first_line_that_is_too_long(void **state)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_arena a = { 0 };
	struct sw_alert al = whole();

	(void)state;
	al.tmpl = parsed(&a, "<font color=\"info\">a very long line of its own about {place}</font>\n");
	sw_alert_text(&al, SW_MARKUP_WECOM, 30, &b);
	assert_string_equal(b.p, "【critical】web/prod: fai…");
	sw_buf_reset(&b);
	sw_alert_title(&al, 30, &b);
	assert_string_equal(b.p, "<font color=\"info\">a very l…");
	sw_arena_fini(&a);
}

static void the_shipped_ones(void **state)
{
	struct sw_arena a = { 0 };

	(void)state;
	for (int l = SW_LOCALE_EN; l <= SW_LOCALE_ZH; l++)
		for (int m = 0; m < SW_MARKUP_COUNT; m++) {
			SW_CLEANUP(sw_buf_fini) struct sw_buf own = SW_BUF_INIT, as_file = SW_BUF_INIT;
			struct sw_alert al = whole();

			al.locale = (enum sw_locale)l;
			sw_alert_text(&al, (enum sw_markup)m, 9000, &own);
			al.tmpl = parsed(&a, sw_tmpl_default((enum sw_locale)l));
			sw_alert_text(&al, (enum sw_markup)m, 9000, &as_file);
			assert_string_equal(own.p, as_file.p);
		}
	for (int v = 0; v < SW_TV_COUNT; v++)
		assert_non_null(sw_tmpl_name((enum sw_tmpl_value)v));
	sw_arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written), cmocka_unit_test(mistakes), cmocka_unit_test(limits), cmocka_unit_test(the_shipped_ones),
		cmocka_unit_test(a_first_line_that_is_too_long), cmocka_unit_test(harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
