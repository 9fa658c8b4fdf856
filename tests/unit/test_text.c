/* What people are told: harmless whatever stands in an alert, inside every budget, in the order of the contract. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"
#include "model/words.h"
#include "unit/text_rules.h"

static struct sw_finding findings[] = {
	{ "health is failing for 3 checks", "HTTP status 503", NULL, NULL },
	{ "http_latency_p95 > 1500ms", "1.82s", "1.5s", "310ms" },
};
static struct sw_commit commits[] = {
	{ .sha = "a1b2c3d4e5f60718", .title = "cart: count each item once", .author = "Lin Wei" },
	{ .sha = "b1b2c3d4e5f60718", .title = "cart: faster", .author = "Wang Fang" },
};
static const char *files[] = { "src/cart.c", "src/cart.h" };
static struct sw_mention mentions[] = { { "lin", "13800001111", "lin01", "LinWei" } };

static struct sw_alert whole(void)
{
	return (struct sw_alert){
		.id = "a7",
		.delivery = "a7-1",
		.news = SW_NEWS_FIRING,
		.severity = SW_SEV_CRITICAL,
		.rule = "prod-health",
		.summary = "web does not answer",
		.service = "web",
		.environment = "prod",
		.verdict = "fail",
		.reason = "evidence",
		.kind = "deployment",
		.event_status = "success",
		.findings = findings,
		.n_findings = 2,
		.repo = "acme/web",
		.branch = "main",
		.tag = "v2.3.1",
		.version = "v2.3.1",
		.sha = "a1b2c3d4e5f60718",
		.prev_version = "v2.3.0",
		.prev_sha = "0011223344556677",
		.user = "lin",
		.author = "Lin Wei",
		.title = "cart: count each item once",
		.deployed_at = 1764000000000,
		.fired_at = 1764000030000,
		.rollback_action = "undo-web",
		.rollback_state = "started",
		.rollback_detail = "job 77",
		.ask = "1a2b3c4d5e6f",
		.ask_until = 1764000630000,
		.links = { "https://sw.example.com/approve/x", "https://ci.example.com/j/1", "https://git.example.com/c/a...b", "https://web.example.com",
		           "https://sw.example.com/w/1", "https://wiki.example.com/web",
		           "https://logs.example.com/?q=1" },
		.ci_run_id = "git.example.com/acme/web/77",
		.watch_id = "w7",
		.commits = commits,
		.n_commits = 2,
		.commits_total = 2,
		.files = files,
		.n_files = 2,
		.mentions = mentions,
		.n_mentions = 1,
	};
}

static const enum sw_markup markups[] = { SW_MARKUP_PLAIN,  SW_MARKUP_DINGTALK, SW_MARKUP_WECOM,
	                                  SW_MARKUP_FEISHU, SW_MARKUP_SLACK,    SW_MARKUP_HTML };

/* The message in two parts, as channels show it that have a title. */
static void check_parts(const struct sw_alert *al, enum sw_markup markup, size_t max)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf rest = SW_BUF_INIT, head = SW_BUF_INIT;
	const char *wrong;

	sw_alert_rest(al, markup, max, &rest);
	wrong = text_rules_lines(&rest, markup, max, 1);
	if (wrong)
		fail_msg("%s in the rest, markup %d of %zu bytes:\n%s", wrong, (int)markup, max, sw_buf_str(&rest));
	sw_alert_head(al, markup, max, &head);
	wrong = text_rules_broken(&head, markup, max);
	if (wrong || memchr(sw_buf_str(&head), '\n', head.n))
		fail_msg("%s in the head, markup %d of %zu bytes:\n%s", wrong ? wrong : "two lines", (int)markup, max,
		         sw_buf_str(&head));
}

static void check(const struct sw_alert *al, enum sw_markup markup, size_t max, struct sw_buf *ret)
{
	const char *wrong;

	sw_buf_reset(ret);
	sw_alert_text(al, markup, max, ret);
	wrong = text_rules_broken(ret, markup, max);
	if (wrong)
		fail_msg("%s in markup %d of %zu bytes:\n%s", wrong, (int)markup, max, sw_buf_str(ret));
}

static const char *const hostile[] = {
	"@all",
	"<@all>",
	"@13800001111 x",
	"a@b.example",
	"<font color=\"warning\">x</font>",
	"</font>",
	"[x](http://e.example)",
	"![](https://e.example/i.png)",
	"http://e.example",
	"HTTPS://e.example",
	"dingtalk://dingtalkclient/page/link?url=x",
	"javascript://x",
	"www.e.example",
	"a www.e.example",
	"**b**",
	"__b__",
	"`c`",
	"```\nc\n```",
	"# h",
	"> q",
	"- l",
	"1. l",
	"---",
	"| a | b |",
	"x\ny\r\nz",
	"x\n# h",
	"x\n\n> q",
	"a\tb",
	"\x1b[31mred",
	"a\x7f",
	"\xc2\x9b"
	"31m",
	"\xe2\x80\xae"
	"gpj.exe",
	"a\xe2\x80\x8b"
	"b",
	"\xe2\x81\xa6x\xe2\x81\xa9",
	"\xef\xbb\xbfx",
	"\xe2\x80\xa8x",
	"\xff\xfe",
	"\xc3",
	"\xed\xa0\x80",
	"\xf4\x90\x80\x80",
	"\xc0\xaf",
	"&lt;b&gt;",
	"&#64;all",
	"\\[x\\](y)",
	"<img src=x onerror=y>",
	"http:",
	"://",
	"%0a%0d",
	"{{x}}",
	"<!channel>",
	"<@U012AB3CD>",
	"<!subteam^S1|x>",
	"<https://e.example|x>",
	"<at id=all></at>",
	"<script>x</script>",
	"\" onclick=\"x",
	"& &amp &amp;amp; &lt",
	"_x_",
	":tada:",
	"$x$",
	"~~x~~",
	"",
	" ",
	"\n",
};

/* Every text of an alert, so that a new field that forgets the door is found. */
static const char **field(struct sw_alert *al, size_t i)
{
	const char **all[] = {
		&al->id,
		&al->delivery,
		&al->rule,
		&al->summary,
		&al->service,
		&al->environment,
		&al->verdict,
		&al->reason,
		&al->kind,
		&al->event_status,
		&al->repo,
		&al->branch,
		&al->tag,
		&al->version,
		&al->sha,
		&al->prev_version,
		&al->prev_sha,
		&al->user,
		&al->author,
		&al->title,
		&al->rollback_action,
		&al->rollback_state,
		&al->rollback_detail,
		&al->ci_run_id,
		&al->watch_id,
		&al->links[0],
		&al->links[1],
		&al->links[2],
		&al->links[3],
		&al->links[4],
		&al->links[5],
		&al->links[6],
		&al->ask,
		&al->findings[0].text,
		&al->findings[1].value,
		&al->findings[1].limit,
		&al->findings[1].before,
		&al->commits[0].sha,
		&al->commits[0].title,
		&al->commits[1].author,
		&al->files[1],
	};

	return i < SW_COUNT(all) ? all[i] : NULL;
}

static void hostile_text_in_each_field(void **state)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	for (size_t h = 0; h < SW_COUNT(hostile); h++) {
		struct sw_alert al = whole();

		for (size_t i = 0; field(&al, i); i++) {
			const char *was = *field(&al, i);

			*field(&al, i) = hostile[h];
			for (size_t m = 0; m < SW_COUNT(markups); m++) {
				al.locale = (h + i + m) % 2 ? SW_LOCALE_ZH : SW_LOCALE_EN;
				check(&al, markups[m], 18000, &b);
				if ((h + m) % 3 == 0)
					check_parts(&al, markups[m], 18000);
			}
			*field(&al, i) = was;
		}
	}
}

/* Two fields beside each other must not form together what neither forms alone. */
static void hostile_text_in_all_fields_at_once(void **state)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_finding f[2];
	struct sw_commit c[2];
	const char *names[2];

	for (size_t h = 0; h < SW_COUNT(hostile) * SW_COUNT(hostile); h++) {
		struct sw_alert al = whole();

		memcpy(f, findings, sizeof f);
		memcpy(c, commits, sizeof c);
		memcpy(names, files, sizeof names);
		al.findings = f;
		al.commits = c;
		al.files = names;
		for (size_t i = 0; field(&al, i); i++)
			*field(&al, i) = hostile[i % 2 ? h / SW_COUNT(hostile) : h % SW_COUNT(hostile)];
		for (size_t m = 0; m < SW_COUNT(markups); m++) {
			if ((h + m) % 3 == 0) /* each pair in two markups, each markup with a third of the pairs */
				check(&al, markups[m], 4096, &b);
			if ((h + m) % 21 == 0)
				check_parts(&al, markups[m], 4096);
		}
	}
}

static void any_budget(void **state)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT, full = SW_BUF_INIT;
	struct sw_alert al = whole();

	for (int zh = 0; zh < 2; zh++)
		for (size_t m = 0; m < SW_COUNT(markups); m++) {
			al.locale = zh ? SW_LOCALE_ZH : SW_LOCALE_EN;
			check(&al, markups[m], SIZE_MAX / 2, &full);
			for (size_t max = 0; max <= full.n; max++) {
				check(&al, markups[m], max, &b);
				if (max % 3 == 0)
					check_parts(&al, markups[m], max);
				assert_true(max < 80 || b.n > 0);
				assert_int_equal(strcmp(sw_buf_str(&b), sw_buf_str(&full)) == 0, max >= full.n);
			}
		}
}

/* What was cut is counted: lines shown and lines said to be missing are all lines. */
static void the_rest_is_counted(void **state)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_commit many[100] = { 0 };
	struct sw_alert al = whole();

	for (size_t i = 0; i < SW_COUNT(many); i++)
		many[i] = (struct sw_commit){ .sha = "a1b2c3d4e5f60718", .title = "one change", .author = "Lin" };
	al.commits = many;
	al.n_commits = SW_COUNT(many);
	al.commits_total = 250;
	al.n_files = 0;
	for (size_t max = 800; max < 1500; max += 7) {
		const char *tail;
		size_t shown = 0;

		check(&al, SW_MARKUP_PLAIN, max, &b);
		if (!strstr(b.p, "commits (250)"))
			continue;
		for (const char *p = b.p; (p = strstr(p, "- a1b2c3d4")); p++)
			shown++;
		tail = strstr(b.p, "… +");
		assert_non_null(tail);
		assert_int_equal(strtoul(tail + strlen("… +"), NULL, 10), 250 - shown);
	}
}

static void in_the_order_of_the_contract(void **state)
{
	static const char *const en[] = {
		"[critical]",
		"web/prod",
		"fail",
		"health is failing",
		"HTTP status 503",
		"1.82s",
		"limit 1.5s",
		"before 310ms",
		"v2.3.1",
		"v2.3.0",
		"lin",
		"undo-web",
		"started",
		"https://ci.example.com/j/1",
		"https://git.example.com/c/a...b",
		"https://web.example.com",
		"https://sw.example.com/w/1",
		"https://wiki.example.com/web",
		"count each item once",
		"Lin Wei",
		"cart: faster",
		"src/cart.c",
		"src/cart.h",
	};
	static const char *const zh[] = { "严重", "web/prod", "失败", "503",     "阈值",     "部署前",
		                          "版本", "操作人",   "回滚", "CI 日志", "提交列表", "变更文件" };
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_alert al = whole();

	for (int l = 0; l < 2; l++) {
		size_t n = l ? SW_COUNT(zh) : SW_COUNT(en);
		const char *at;

		al.locale = l ? SW_LOCALE_ZH : SW_LOCALE_EN;
		check(&al, SW_MARKUP_PLAIN, 18000, &b);
		at = b.p;
		for (size_t i = 0; i < n; i++) {
			const char *next = strstr(at, l ? zh[i] : en[i]);

			if (!next)
				fail_msg("%s is missing or too early in\n%s", l ? zh[i] : en[i], b.p);
			at = next;
		}
	}
}

static void each_news_has_words(void **state)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT, other = SW_BUF_INIT;
	struct sw_alert al = whole(), none = { 0 };

	for (int n = 0; n < SW_NEWS_COUNT; n++) {
		al.news = none.news = (enum sw_alert_news)n;
		assert_int_equal(sw_news_parse(sw_news_name(al.news)), n);
		for (size_t m = 0; m < SW_COUNT(markups); m++) {
			check(&al, markups[m], 4096, &b);
			check(&none, markups[m], 4096, &b);
			assert_true(b.n > 0);
		}
		sw_buf_reset(&other);
		sw_alert_title(&al, 200, &other);
		assert_null(strchr(sw_buf_str(&other), '\n'));
	}
	assert_int_equal(sw_news_parse("what"), SW_NEWS_NOTICE);
}

static void a_long_text_is_cut_at_a_code_point(void **state)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT, text = SW_BUF_INIT;
	struct sw_alert al = whole();

	for (size_t i = 0; i < 5000; i++)
		sw_buf_cat(&b, "部署");
	al.branch = sw_buf_str(&b);
	al.service = sw_buf_str(&b);
	for (size_t max = 0; max < 300; max++)
		check(&al, SW_MARKUP_WECOM, max, &text);
	check(&al, SW_MARKUP_WECOM, 4096, &text);
	assert_non_null(strstr(text.p, "…"));
	sw_buf_reset(&text);
	sw_alert_title(&al, 100, &text);
	assert_true(text.n <= 100 && text.n > 90);
}

static void as_json_and_back(void **state)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf once = SW_BUF_INIT, twice = SW_BUF_INIT;
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
	const char *mobiles[] = { "13800001111", "+852-12345678", NULL };
	struct sw_alert al = whole(), copy;
	struct sw_jnode *root;
	struct sw_jw w;

	al.mobiles = mobiles;
	al.mention_all = al.dry_run = al.repeat = al.files_cut = true;
	al.locale = SW_LOCALE_ZH;
	al.tz_offset_s = -12600;
	sw_jw_init(&w, &once);
	sw_alert_write(&al, &w, NULL);
	assert_int_equal(sw_jtree_parse(&a, once.p, once.n, 10000, &root, NULL), 0);
	sw_alert_read(root, &a, &copy);
	sw_jw_init(&w, &twice);
	sw_alert_write(&copy, &w, NULL);
	assert_string_equal(once.p, twice.p);
	for (size_t i = 0; field(&al, i); i++)
		assert_string_equal(*field(&al, i), *field(&copy, i));
	assert_string_equal(copy.mobiles[1], mobiles[1]);
	assert_null(copy.mobiles[2]);
	assert_string_equal(copy.mentions[0].wecom, "LinWei");
	sw_alert_read(NULL, &a, &copy);
	assert_int_equal(copy.news, SW_NEWS_NOTICE);
}

/* The engine's words are translated, who it was stays. */
static void test_who_replaced_it(void **state)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_alert al = whole();

	(void)state;
	al.news = SW_NEWS_ROLLBACK_SKIPPED;
	al.rollback_state = "skipped";
	al.rollback_detail = "a newer deployment succeeded (mei)";
	check(&al, SW_MARKUP_PLAIN, 18000, &b);
	assert_non_null(strstr(b.p, "a newer deployment succeeded (mei)"));
	al.locale = SW_LOCALE_ZH;
	check(&al, SW_MARKUP_PLAIN, 18000, &b);
	assert_non_null(strstr(b.p, "更新的部署已成功 (mei)"));
	al.rollback_detail = "job 77 (of 80)";
	check(&al, SW_MARKUP_PLAIN, 18000, &b);
	assert_non_null(strstr(b.p, "job 77 (of 80)"));
}

/* Sentences with something of others in them: what is ours is translated, what is not stays. */
static void what_is_said_of_a_rollback(void **state)
{
	static const char *const rows[][2] = {
		{ "on hold", "已暂停" },
		{ "everything is on hold: lin looks into it", "全部暂停：lin looks into it" },
		{ "everything is on hold: on hold", "全部暂停：已暂停" },
		{ "this place is on hold by lin", "此环境已由 lin 暂停" },
		{ "this place is on hold by lin: a: b", "此环境已由 lin 暂停：a: b" },
		{ "limit of this place reached (1 in 30 min, 2 in 24 h); it is on hold now",
		  "此环境的回滚次数已达上限（30 分钟内 1 次，24 小时内 2 次），现已暂停" },
		{ "limit of this place reached (1 in 30 min, 2 in 24 h); it is on hold now!",
		  "limit of this place reached (1 in 30 min, 2 in 24 h); it is on hold now!" },
		{ "not sure for 60 s to know the newest events (backlog)", "60 秒内无法确定已收到最新事件（有事件尚未处理）" },
		{ "HTTP status 503", "HTTP 状态码 503" },
		{ "HTTP status ", "HTTP status " },
		{ "ended with 3: no such host", "程序以状态 3 结束：no such host" },
		{ "ended with 3", "程序以状态 3 结束" },
		{ "refused (HTTP status 409)", "被拒绝 (HTTP 状态码 409)" },
		{ "refused (a (b))", "被拒绝 (a (b))" },
		{ "what it needs to know could not be asked, nothing was done (no answer)", "无法查询所需信息，未执行任何操作 (没有回应)" },
		{ " (", " (" },
		{ " ()", " ()" },
		{ "%: % (%)", "%: % (%)" },
		{ "", "" },
	};
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	(void)state;
	assert_null(sw_word_said(NULL, SW_LOCALE_ZH, &b));
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		assert_string_equal(sw_word_said(rows[i][0], SW_LOCALE_ZH, &b), rows[i][1]);
		assert_ptr_equal(sw_word_said(rows[i][0], SW_LOCALE_EN, &b), rows[i][0]);
	}
}

static void what_a_comparison_saw(void **state)
{
	static const char *const rows[][3] = {
		{ "absent", "no data", "没有数据" }, { "nan", "not a number", "不是数值" }, { "stale", "out of date", "数据过期" },
		{ "error", "no answer", "查询失败" }, { "too_few", "too little data", "数据过少" },
		{ "1.82s", NULL, NULL }, { "12.5%", NULL, NULL }, { "\"error\"", NULL, NULL }, { "[\"too_few\", healthy]", NULL, NULL }, { "", NULL, NULL },
		{ "errors", NULL, NULL }, { "1,5", NULL, NULL }, { ",", NULL, NULL }, { "; ", NULL, NULL }, { "a, ", NULL, NULL }, { "a, failing; ", NULL, "a，异常；" }, { "HTTP status 503", NULL, "HTTP 状态码 503" }, { "%", NULL, NULL }, { "p ", NULL, NULL }, { " looks", NULL, NULL },
		{ "failing", NULL, "异常" },
		{ "1.82s, too few samples yet; 1.5x (1.2 to 1.9), p 0.002 of 0.01, 12 looks, tier B", NULL, "1.82s，样本尚少；1.5 倍（1.2 至 1.9），p 0.002（限 0.01），检查 12 次，检验方式 B" },
		{ "as on other days; on 5 earlier days at this time: +3 %, 9 looks, tier A", NULL, "与往日相同；之前 5 天的同一时段：+3 %，检查 9 次，检验方式 A" },
		{ "40 of 100 checks said something; it takes 80 % and the last", NULL, "40 / 100 次检查有结果；需要 80 % 以及最后一次" },
		{ "it was worse for a while and went away: a pass, with a warning", NULL, "一度变差后恢复：通过，并给出警告" },
		{ "own network", NULL, "自身网络" }, { "3 of the 12 readings that it takes", NULL, "3 / 12（所需读数）" },
	};
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	(void)state;
	assert_null(sw_word_seen(NULL, SW_LOCALE_ZH, &b));
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		assert_string_equal(sw_word_seen(rows[i][0], SW_LOCALE_ZH, &b), rows[i][2] ? rows[i][2] : rows[i][0]);
		if (rows[i][1])
			assert_string_equal(sw_word_seen(rows[i][0], SW_LOCALE_EN, NULL), rows[i][1]);
		else
			assert_ptr_equal(sw_word_seen(rows[i][0], SW_LOCALE_EN, NULL), rows[i][0]);
	}
}

static void why_a_watch_ended(void **state)
{
	struct sw_alert al = { .service = "web", .environment = "prod", .rule = "r", .news = SW_NEWS_INCONCLUSIVE, .verdict = "inconclusive", .reason = "pre-existing" };
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	(void)state;
	assert_null(sw_word_reason(NULL, SW_LOCALE_EN));
	assert_string_equal(sw_word_reason("no-data", SW_LOCALE_EN), "no data");
	assert_string_equal(sw_word_reason("no-data", SW_LOCALE_ZH), "没有数据");
	assert_string_equal(sw_word_reason("some word", SW_LOCALE_ZH), "some word");
	sw_alert_title(&al, 400, &b);
	assert_string_equal(sw_buf_str(&b), "[info] web/prod: inconclusive, it was so before");
}

/* Where there is no value a message says why, in words; what programs read stays as it was. */
static void no_reading_word_is_told(void **state)
{
	static const char *const want[][SW_LOCALE_ZH + 1] = {
		{ "http_latency_p95 > baseline: too little data (limit: too little data, before: no data)", "http_latency_p95 > baseline：数据过少 (阈值：数据过少, 部署前：没有数据)" },
		{ "health: no answer (limit 2s)", "health：查询失败 (阈值 2s)" },
	};
	struct sw_finding f[] = { { .text = "http_latency_p95 > baseline", .value = "too_few", .limit = "too_few", .before = "absent" },
		                  { .text = "health", .value = "error", .limit = "2s" } };
	struct sw_alert al = { .service = "web", .environment = "prod", .rule = "r", .news = SW_NEWS_INCONCLUSIVE, .findings = f, .n_findings = SW_COUNT(f) };

	(void)state;
	for (int l = 0; l <= SW_LOCALE_ZH; l++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

		al.locale = (enum sw_locale)l;
		sw_alert_text(&al, SW_MARKUP_PLAIN, 4000, &b);
		for (size_t i = 0; i < SW_COUNT(want); i++)
			if (!strstr(sw_buf_str(&b), want[i][l]))
				fail_msg("\"%s\" is not in:\n%s", want[i][l], sw_buf_str(&b));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_said_of_a_rollback), cmocka_unit_test(what_a_comparison_saw), cmocka_unit_test(why_a_watch_ended), cmocka_unit_test(no_reading_word_is_told),
		cmocka_unit_test(test_who_replaced_it), cmocka_unit_test(hostile_text_in_each_field),
		cmocka_unit_test(hostile_text_in_all_fields_at_once),
		cmocka_unit_test(any_budget),
		cmocka_unit_test(the_rest_is_counted),
		cmocka_unit_test(in_the_order_of_the_contract),
		cmocka_unit_test(each_news_has_words),
		cmocka_unit_test(a_long_text_is_cut_at_a_code_point),
		cmocka_unit_test(as_json_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
