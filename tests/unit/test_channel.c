/*
 * Channels: what became of a message, by each answer of the reference; mentions, sizes and credentials. How messages
 * look is in tests/golden/channel/.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/str.h"
#include "plugins.h"
#include "unit/judge_rows.h"
#include "unit/text_rules.h"

#define NOW ((sw_ms)1700000000000)

struct robot {
	const char *url, *secret, *keyword;
}; /* as both robots begin their settings */

static const struct robot robot = { "https://robots.example/send?key=K", "SECtest", NULL };

#define CODE(c, text) "{\"errcode\":" #c ",\"errmsg\":\"" text "\"}"
static void dingtalk_answers(void **state)
{
	static const struct row rows[] = {
		TRANSPORT,
		{ N, 200, CODE(0, "ok"), SW_OK, 0, 0 },
		{ N, 200, "", SW_RETRY, 0, 0 },
		{ N, 200, "{}", SW_RETRY, 0, 0 },
		{ N, 200, "[1]", SW_RETRY, 0, 0 },
		{ N, 200, "ok", SW_RETRY, 0, 0 },
		{ N, 200, "{\"errcode\":\"0\"}", SW_RETRY, 0, 0 },
		{ N, 200, CODE(-1, "系统繁忙"), SW_RETRY, 0, 3 },
		{ N, 200, CODE(130101, "send too fast"), SW_HOLD, 10 * SW_MINUTE, 0 },
		{ N, 200, CODE(410100, "x"), SW_HOLD, 10 * SW_MINUTE, 0 },
		{ N, 200, CODE(660026, "x"), SW_HOLD, 10 * SW_MINUTE, 0 },
		{ N, 200, CODE(90018, "x"), SW_RETRY, SW_SECOND, 0 },
		{ N, 200, CODE(90002, "x"), SW_RETRY, SW_SECOND, 0 },
		{ N, 200, "{\"status\":1111,\"wait\":5,\"source\":\"x5\",\"punish\":\"deny\",\"uuid\":\"1\"}", SW_HOLD,
		  5 * SW_MINUTE, 0 },
		{ N, 200, "<!DOCTYPE html><html>blocked</html>", SW_HOLD, 5 * SW_MINUTE, 0 },
		{ N, 405, "<html>blocked</html>", SW_HOLD, 5 * SW_MINUTE, 0 },
		{ N, 200, CODE(310000, "sign not match, more: [https://ding-doc]"), SW_CONFIG, 0, 0 },
		{ N, 200, CODE(310000, "description:机器人发送签名不匹配;solution:…时间戳…"), SW_CONFIG, 0, 0 },
		{ N, 200, CODE(310000, "description:机器人发送签名过期;solution:…timestampms以内"), SW_RETRY, 0, 2 },
		{ N, 200, CODE(310000, "invalid timestamp, more: []"), SW_RETRY, 0, 2 },
		{ N, 200, CODE(310000, "keywords not in content, more: []"), SW_CONFIG, 0, 0 },
		{ N, 200, CODE(310000, "description:关键词不匹配"), SW_CONFIG, 0, 0 },
		{ N, 200, CODE(310000, "ip 192.0.2.7 not in whitelist"), SW_CONFIG, 0, 0 },
		{ N, 200, CODE(300001, "token is not exist"), SW_CONFIG, 0, 0 },
		{ N, 200, CODE(300001, "title or text is empty"), SW_MESSAGE, 0, 0 },
		{ N, 200, CODE(300005, "token is not exist"), SW_CONFIG, 0, 0 },
		{ N, 200, CODE(400013, "x"), SW_CONFIG, 0, 0 },
		{ N, 200, CODE(400101, "x"), SW_CONFIG, 0, 0 },
		{ N, 200, CODE(400102, "x"), SW_CONFIG, 0, 0 },
		{ N, 200, CODE(400106, "x"), SW_CONFIG, 0, 0 },
		{ N, 200, CODE(400105, "x"), SW_MESSAGE, 0, 0 },
		{ N, 200, CODE(400402, "x"), SW_MESSAGE, 0, 0 },
		{ N, 200, CODE(40035, "x"), SW_MESSAGE, 0, 0 },
		{ N, 200, CODE(404, "x"), SW_MESSAGE, 0, 0 },
		{ N, 200, CODE(43004, "x"), SW_MESSAGE, 0, 0 },
		{ N, 200, CODE(460101, "x"), SW_SHRINK, 0, 0 },
		{ N, 200, CODE(101002, "x"), SW_SHRINK, 0, 0 },
		{ N, 200, CODE(430101, "x"), SW_SHRINK, 0, 0 },
		{ N, 200, CODE(88, "x"), SW_CONFIG, 0, 0 },
		{ N, 200, CODE(987654, "new"), SW_RETRY, SW_MINUTE, 3 },
		{ N, 200, CODE(0, "<html>"), SW_OK, 0, 0 },
	};

	judge_rows(&sw_channel_dingtalk, &robot, rows, SW_COUNT(rows));
}

static void wecom_answers(void **state)
{
	static const struct row rows[] = {
		TRANSPORT,
		{ N, 200, CODE(0, "ok"), SW_OK, 0, 0 },
		{ N, 200, "<html>", SW_RETRY, 0, 0 },
		{ N, 200, "", SW_RETRY, 0, 0 },
		{ N, 200, CODE(-1, "system busy"), SW_RETRY, 0, 3 },
		{ N, 200, CODE(45009, "api freq out of limit"), SW_HOLD, SW_MINUTE, 0 },
		{ N, 200, CODE(45033, "x"), SW_RETRY, 2 * SW_SECOND, 0 },
		{ N, 200, CODE(40058, "x"), SW_SHRINK, 0, 0 },
		{ N, 200, CODE(45002, "x"), SW_SHRINK, 0, 0 },
		{ N, 200, CODE(93000, "invalid webhook url, hint: [17]"), SW_CONFIG, 0, 0 },
		{ N, 200, CODE(93000, "exceed max length"), SW_SHRINK, 0, 0 },
		{ N, 200, CODE(93004, "x"), SW_CONFIG, 0, 0 },
		{ N, 200, CODE(93008, "x"), SW_CONFIG, 0, 0 },
		{ N, 200, CODE(40008, "x"), SW_MESSAGE, 0, 0 },
		{ N, 200, CODE(40033, "x"), SW_MESSAGE, 0, 0 },
		{ N, 200, CODE(44004, "x"), SW_MESSAGE, 0, 0 },
		{ N, 200, CODE(45034, "x"), SW_MESSAGE, 0, 0 },
		{ N, 200, CODE(40007, "x"), SW_MESSAGE, 0, 0 },
		{ N, 200, CODE(1234, "new"), SW_RETRY, 10 * SW_SECOND, 2 },
	};

	judge_rows(&sw_channel_wecom, &robot, rows, SW_COUNT(rows));
}

static void webhook_answers(void **state)
{
	static const struct row rows[] = {
		TRANSPORT,
		{ N, 200, "", SW_OK, 0, 0 },
		{ N, 202, "anything", SW_OK, 0, 0 },
		{ N, 299, "", SW_OK, 0, 0 },
		{ N, 301, "", SW_CONFIG, 0, 0 },
		{ N, 400, "", SW_MESSAGE, 0, 0 },
		{ N, 404, "", SW_MESSAGE, 0, 0 },
	};

	judge_rows(&sw_channel_webhook, &robot, rows, SW_COUNT(rows));
}

/* Bytes of the text a robot counts; the message itself is checked by the rules of a harmless text, but for our
 * mentions. */
static size_t content_of(const struct sw_job *job, struct sw_arena *a)
{
	struct sw_jnode *root;
	const struct sw_jnode *c;

	assert_int_equal(sw_jtree_parse(a, job->body, job->body_n, 10000, &root, NULL), 0);
	c = sw_jget(root, sw_jstr(root, "msgtype"));
	c = sw_jget(c, "content") ? sw_jget(c, "content") : sw_jget(c, "text");
	assert_non_null(c);
	assert_true(c->n > 0);
	return c->n;
}

/* However much there is to tell, and however it is written, it fits. */
static void inside_the_limits(void **state)
{
	static const struct {
		const struct sw_channel *ch;
		size_t body, text[2];
	} limits[] = { { &sw_channel_dingtalk, 18000, { 18000, 18000 } },
		       { &sw_channel_wecom, 100000, { 4096, 2048 } } };
	static const char *const words[] = { "x", "\"", "\\",    "部署", "\x01",
		                             "<", "*",  "@all ", "\xff", "https://e.example/ " };
	struct sw_mention people[100];

	for (size_t i = 0; i < SW_COUNT(people); i++)
		people[i] = (struct sw_mention){ "p", i % 2 ? "13800001111" : "13800002222", "ding0123456789",
			                         "wecom0123456789" };
	for (size_t w = 0; w < SW_COUNT(words); w++)
		for (size_t l = 0; l < SW_COUNT(limits); l++)
			for (int size = SW_SIZE_FULL; size <= SW_SIZE_LINE; size++) {
				SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
				SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
				struct sw_finding f[100];
				struct sw_alert al = { .id = "a",
					               .severity = SW_SEV_CRITICAL,
					               .findings = f,
					               .n_findings = SW_COUNT(f),
					               .mentions = people,
					               .n_mentions = SW_COUNT(people),
					               .mention_all = true };
				struct sw_err err = SW_ERR_INIT;
				struct sw_job job;
				int r = 1;

				for (size_t i = 0; i < 2000; i++)
					sw_buf_cat(&b, words[w]);
				for (size_t i = 0; i < SW_COUNT(f); i++)
					f[i] = (struct sw_finding){ b.p, b.p, b.p, b.p };
				al.service = al.environment = al.summary = al.branch = al.title = al.user = b.p;
				for (unsigned part = 0; r == 1; part++) {
					assert_true(part < 2);
					r = limits[l].ch->render(&robot, &al, (enum sw_size)size, part, NOW, &a, &job,
					                         &err);
					assert_true(r >= 0);
					assert_true(job.body_n <= limits[l].body);
					assert_true(content_of(&job, &a) <= limits[l].text[part]);
					assert_null(text_rules_bytes(job.body, job.body_n));
				}
			}
}

static size_t characters(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* Places of WeCom's card, each with so many characters at most; a word of exactly so many stays whole. */
static void card_check(const struct sw_jnode *card)
{
	const struct sw_jnode *rows = sw_jget(card, "horizontal_content_list"), *jumps = sw_jget(card, "jump_list");

	assert_true(characters(sw_jstr(sw_jget(card, "main_title"), "title")) <= 26);
	assert_true(characters(sw_jstr(sw_jget(card, "main_title"), "desc")) <= 30);
	assert_true(characters(sw_jstr(card, "sub_title_text")) <= 112);
	assert_true(rows->n > 0 && rows->n <= 6 && jumps->n > 0 && jumps->n <= 3);
	for (const struct sw_jnode *r = rows->child; r; r = r->next)
		assert_true(characters(sw_jstr(r, "keyname")) <= 5 && characters(sw_jstr(r, "value")) <= 26);
	for (const struct sw_jnode *j = jumps->child; j; j = j->next)
		assert_true(characters(sw_jstr(j, "title")) <= 13);
}

static void questions_are_cards(void **state)
{
	static const char *const words[] = { "x", "部", "\"", "\\", "\x01", "<", "@all ", "\xff", "\n" };

	(void)state;
	for (size_t w = 0; w < SW_COUNT(words); w++)
		for (size_t n = 0; n < 130; n++)
			for (int l = 0; l < 2; l++) {
				SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
				SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
				struct sw_alert al = { .id = "a", .news = SW_NEWS_ROLLBACK_WAITING, .ask = "1a2b3c4d5e6f", .ask_until = NOW,
					               .locale = l ? SW_LOCALE_ZH : SW_LOCALE_EN };
				struct sw_jnode *root;
				struct sw_job job;

				for (size_t i = 0; i < n; i++)
					sw_buf_cat(&b, words[w]);
				al.service = al.environment = al.rule = al.version = al.user = al.summary = n ? b.p : NULL;
				al.links[SW_LINK_APPROVAL] = "https://sw.example/approve/1";
				al.links[SW_LINK_CI_LOG] = "https://ci.example/1";
				assert_int_equal(sw_channel_wecom.render(&robot, &al, SW_SIZE_FULL, 0, NOW, &a, &job, NULL), 0);
				assert_null(text_rules_bytes(job.body, job.body_n));
				assert_int_equal(sw_jtree_parse(&a, job.body, job.body_n, 1000, &root, NULL), 0);
				assert_string_equal(sw_jstr(root, "msgtype"), "template_card");
				card_check(sw_jget(root, "template_card"));
				if (w < 2 && (n == 26 || n == 27)) /* at the limit it is whole, past it it is cut */
					assert_int_equal(strstr(job.body, "…\"") != NULL, n == 27 || 2 * n + 1 > 26);
				assert_int_equal(sw_channel_wecom.render(&robot, &al, SW_SIZE_HALF, 0, NOW, &a, &job, NULL), 0);
				assert_non_null(strstr(job.body, "\"markdown\""));
				assert_non_null(strstr(job.body, "](https://sw.example/approve/1)"));
				assert_int_equal(sw_channel_dingtalk.render(&robot, &al, SW_SIZE_FULL, 0, NOW, &a, &job, NULL), 0);
				assert_non_null(strstr(job.body, "\"actionURL\":\"https://sw.example/approve/1\""));
				assert_true(job.body_n <= 18000);
				al.links[SW_LINK_APPROVAL] = NULL; /* no page: no button that leads nowhere */
				assert_int_equal(sw_channel_dingtalk.render(&robot, &al, SW_SIZE_FULL, 0, NOW, &a, &job, NULL), 0);
				assert_null(strstr(job.body, "actionCard"));
			}
}

/* One robot, one pace: what changes from attempt to attempt is not part of its name. */
static void credentials(void **state)
{
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
	struct sw_alert al = { .id = "a", .service = "web" };
	struct sw_job one, two;

	assert_string_equal(sw_channel_dingtalk.credential(&robot), robot.url);
	assert_string_equal(sw_channel_wecom.credential(&robot), robot.url);
	assert_int_equal(sw_channel_dingtalk.render(&robot, &al, SW_SIZE_FULL, 0, NOW, &a, &one, NULL), 0);
	assert_int_equal(sw_channel_dingtalk.render(&robot, &al, SW_SIZE_FULL, 0, NOW + 1, &a, &two, NULL), 0);
	assert_string_equal(one.url,
	                    "https://robots.example/"
	                    "send?key=K&timestamp=1700000000000&sign=aZLLrriXgn05YbwaGR7knYsLeJADjr9NwLaNNKpxh4g%3D");
	assert_string_equal(
	    two.url, "https://robots.example/"
	             "send?key=K&timestamp=1700000000001&sign=r4CWp%2FDz%2BNg0sbTjH1vB0Fr%2BuQ2fn831mssaN6%2FC05I%3D");
	assert_string_equal(one.body, two.body);
	assert_true(sw_channel_dingtalk.rate.count <= 20 && sw_channel_wecom.rate.count <= 20);
}

/* Whatever a number is said to be, only numbers become mentions. */
static void only_numbers_are_mentioned(void **state)
{
	static struct sw_mention people[] = { { "a", "13800001111", NULL, NULL },
		                              { "b", "+852-12345678", NULL, NULL },
		                              { "c", "all", NULL, NULL },
		                              { "d", "1 2", NULL, NULL },
		                              { "e", "", NULL, NULL },
		                              { "f", "13800001111", NULL, NULL } };
	const char *own[] = { "13900002222", "13800001111", NULL };
	struct sw_alert al = {
		.id = "a", .service = "web", .mentions = people, .n_mentions = SW_COUNT(people), .mobiles = own
	};
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
	struct sw_job job;

	assert_int_equal(sw_channel_dingtalk.render(&robot, &al, SW_SIZE_LINE, 0, NOW, &a, &job, NULL), 0);
	assert_non_null(strstr(job.body, "@13900002222 @13800001111 @+852-12345678 \""));
	assert_non_null(strstr(job.body, "\"atMobiles\":[\"13900002222\",\"13800001111\",\"+852-12345678\"]"));
	assert_null(strstr(job.body, "@all"));
	assert_int_equal(sw_channel_wecom.render(&robot, &al, SW_SIZE_FULL, 0, NOW, &a, &job, NULL), 1);
	assert_int_equal(sw_channel_wecom.render(&robot, &al, SW_SIZE_FULL, 1, NOW, &a, &job, NULL), 0);
	assert_non_null(
	    strstr(job.body, "\"mentioned_mobile_list\":[\"13900002222\",\"13800001111\",\"+852-12345678\"]"));
	assert_true(sw_channel_wecom.render(&robot, &al, SW_SIZE_FULL, 2, NOW, &a, &job, NULL) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dingtalk_answers), cmocka_unit_test(wecom_answers),
		cmocka_unit_test(webhook_answers),  cmocka_unit_test(inside_the_limits), cmocka_unit_test(questions_are_cards),
		cmocka_unit_test(credentials),      cmocka_unit_test(only_numbers_are_mentioned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
