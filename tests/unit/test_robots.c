/* Feishu and Slack: what became of a message, mentions, sizes. How messages look is in tests/golden/channel/. */
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

static const struct {
	const char *url, *secret, *keyword;
} robot = { "https://robots.example/hook/K", "SECtest", NULL }; /* as both begin their settings */

#define CODE(c, text) "{\"code\":" #c ",\"data\":{},\"msg\":\"" text "\"}"

static void feishu_answers(void **state)
{
	static const struct row rows[] = {
		TRANSPORT,
		{ N, 200, CODE(0, "success"), SW_OK, 0, 0 },
		{ N, 200, "{\"StatusCode\":0,\"StatusMessage\":\"success\",\"code\":0,\"msg\":\"success\"}", SW_OK, 0,
		  0 },
		{ N, 200, "", SW_RETRY, 0, 0 },
		{ N, 200, "{}", SW_RETRY, 0, 0 },
		{ N, 200, "<html>", SW_RETRY, 0, 0 },
		{ N, 200, "{\"code\":\"0\"}", SW_RETRY, 0, 0 },
		{ N, 400, CODE(11232, "frequency limited"), SW_HOLD, SW_MINUTE, 0 },
		{ N, 200, CODE(9499, "too many request"), SW_HOLD, 5 * SW_SECOND, 0 },
		{ N, 400, CODE(9499, "Bad Request"), SW_MESSAGE, 0, 0 },
		{ N, 400, CODE(19001, "param invalid: incoming webhook access token invalid"), SW_CONFIG, 0, 0 },
		{ N, 400, CODE(19002, "params error, msg_type need"), SW_MESSAGE, 0, 0 },
		{ N, 400, CODE(19021, "sign match fail or timestamp is not within one hour from current time"),
		  SW_RETRY, 0, 2 },
		{ N, 400, CODE(19022, "Ip Not Allowed"), SW_CONFIG, 0, 0 },
		{ N, 400, CODE(19024, "Key Words Not Found"), SW_CONFIG, 0, 0 },
		{ N, 400, CODE(19036, "too long"), SW_SHRINK, 0, 0 },
		{ N, 400, CODE(11246, "ErrCode: 200621; ErrMsg: parse card json err"), SW_SHRINK, 0, 0 },
		{ N, 200, CODE(987654, "new"), SW_RETRY, SW_MINUTE, 3 },
	};

	judge_rows(&sw_channel_feishu, &robot, rows, SW_COUNT(rows));
}

static void slack_answers(void **state)
{
	static const struct row rows[] = {
		TRANSPORT,
		{ N, 200, "ok", SW_OK, 0, 0 },
		{ N, 200, "ok\n", SW_OK, 0, 0 },
		{ N, 200, "", SW_RETRY, 0, 0 },
		{ N, 200, "okay", SW_RETRY, 0, 0 },
		{ N, 200, "{\"ok\":true}", SW_RETRY, 0, 0 },
		{ N, 200, "<html>sign in</html>", SW_RETRY, 0, 0 },
		{ N, 429, "rate_limited", SW_HOLD, 7 * SW_SECOND, 0, "7" },
		{ N, 200, "rate_limited", SW_HOLD, SW_MINUTE, 0 },
		{ N, 503, "", SW_RETRY, 30 * SW_SECOND, 0, "30" },
		{ N, 400, "invalid_payload", SW_MESSAGE, 0, 0 },
		{ N, 400, "no_text", SW_MESSAGE, 0, 0 },
		{ N, 400, "too_many_attachments", SW_MESSAGE, 0, 0 },
		{ N, 400, "invalid_blocks", SW_SHRINK, 0, 0 },
		{ N, 400, "invalid_attachments", SW_SHRINK, 0, 0 },
		{ N, 400, "msg_too_long", SW_SHRINK, 0, 0 },
		{ N, 404, "no_service", SW_CONFIG, 0, 0 },
		{ N, 404, "no_service_id", SW_CONFIG, 0, 0 },
		{ N, 403, "no_active_hooks", SW_CONFIG, 0, 0 },
		{ N, 404, "no_team", SW_CONFIG, 0, 0 },
		{ N, 403, "team_disabled", SW_CONFIG, 0, 0 },
		{ N, 403, "invalid_token", SW_CONFIG, 0, 0 },
		{ N, 404, "channel_not_found", SW_CONFIG, 0, 0 },
		{ N, 410, "channel_is_archived", SW_CONFIG, 0, 0 },
		{ N, 403, "action_prohibited", SW_CONFIG, 0, 0 },
		{ N, 403, "posting_to_general_channel_denied", SW_CONFIG, 0, 0 },
		{ N, 400, "user_not_found", SW_CONFIG, 0, 0 },
		{ N, 400, "a_new_word", SW_MESSAGE, 0, 0 },
		{ N, 404, "<html>", SW_CONFIG, 0, 0 },
		{ N, 302, "", SW_CONFIG, 0, 0 },
	};

	judge_rows(&sw_channel_slack, &robot, rows, SW_COUNT(rows));
}

/* Slack's own counts: characters of a section, sections of a message; words are checked by the rules of a harmless
 * text. */
static void check_slack(const struct sw_jnode *root, enum sw_size size)
{
	const struct sw_jnode *attachment = sw_jget(root, "attachments") ? sw_jget(root, "attachments")->child : NULL,
	                      *blocks = sw_jget(attachment, "blocks");
	const char *text = sw_jstr(root, "text");

	assert_true(text && strlen(text) < 4000);
	assert_int_equal(!attachment, size == SW_SIZE_LINE);
	assert_true(!blocks || (blocks->n > 0 && blocks->n <= 50));
	for (const struct sw_jnode *b = blocks ? blocks->child : NULL; b; b = b->next) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf words = SW_BUF_INIT;
		const char *wrong;

		if (sw_streq(sw_jstr(b, "type"), "actions"))
			continue;
		sw_buf_cat(&words, sw_jstr(sw_jget(b, "text"), "text"));
		assert_true(words.n > 0 && words.n <= 3000);
		wrong = text_rules_entities(words.p, words.n);
		if (wrong)
			fail_msg("%s in\n%s", wrong, words.p);
	}
}

static void inside_the_limits(void **state)
{
	static const char *const words[] = {
		"x", "\"", "\\", "部署", "\x01", "<", "&", "*", "@all ", "\xff", "https://e.example/ "
	};
	struct sw_mention people[100];

	for (size_t i = 0; i < SW_COUNT(people); i++)
		people[i] = (struct sw_mention){ .name = "p",
			                         .feishu = "ou_0123456789abcdef0123456789abcdef",
			                         .slack = "U0123456789" };
	for (size_t w = 0; w < SW_COUNT(words); w++)
		for (int ch = 0; ch < 2; ch++)
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
				struct sw_jnode *root;
				struct sw_job job;

				for (size_t i = 0; i < 2000; i++)
					sw_buf_cat(&b, words[w]);
				for (size_t i = 0; i < SW_COUNT(f); i++)
					f[i] = (struct sw_finding){ b.p, b.p, b.p, b.p };
				al.service = al.environment = al.summary = al.branch = al.title = al.user = b.p;
				al.ask = "1a2b3c4d5e6f"; /* a button more */
				al.links[SW_LINK_APPROVAL] = "https://sw.example/approve/1";
				assert_int_equal((ch ? &sw_channel_slack : &sw_channel_feishu)
				                     ->render(&robot, &al, (enum sw_size)size, 0, NOW, &a, &job, NULL),
				                 0);
				assert_true(job.body_n <= (ch ? 40000 : 18000));
				assert_null(text_rules_bytes(job.body, job.body_n));
				assert_int_equal(sw_jtree_parse(&a, job.body, job.body_n, 10000, &root, NULL), 0);
				if (ch)
					check_slack(root, (enum sw_size)size);
			}
}

/* Whatever an id is said to be, only ids become mentions. */
static void only_ids_are_mentioned(void **state)
{
	static struct sw_mention people[] = {
		{ .name = "a", .feishu = "ou_a1", .slack = "U0A" },
		{ .name = "b", .feishu = "all", .slack = "@here" },
		{ .name = "c", .feishu = "ou_\"><at id=all>", .slack = "U1> <!channel" },
		{ .name = "d", .slack = "S0B" },
		{ .name = "e", .feishu = "", .slack = "" },
		{ .name = "f", .slack = "U" },
	};
	struct sw_alert al = { .id = "a", .service = "web", .mentions = people, .n_mentions = SW_COUNT(people) };
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
	struct sw_job job;

	assert_int_equal(sw_channel_slack.render(&robot, &al, SW_SIZE_LINE, 0, NOW, &a, &job, NULL), 0);
	assert_non_null(strstr(job.body, "* <@U0A> <!subteam^S0B>\","));
	assert_int_equal(sw_channel_feishu.render(&robot, &al, SW_SIZE_LINE, 0, NOW, &a, &job, NULL), 0);
	assert_non_null(strstr(job.body, "web <at user_id=\\\"ou_a1\\\">a</at>\"}"));
	assert_int_equal(sw_channel_feishu.render(&robot, &al, SW_SIZE_FULL, 0, NOW, &a, &job, NULL), 0);
	assert_non_null(strstr(job.body, "\"<at id=ou_a1></at>\""));
	al.mention_all = true;
	assert_int_equal(sw_channel_slack.render(&robot, &al, SW_SIZE_LINE, 0, NOW, &a, &job, NULL), 0);
	assert_non_null(strstr(job.body, " <!channel>\""));
}

/* A new sign at each attempt, and one pace however often. */
static void signs_and_credentials(void **state)
{
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
	struct sw_alert al = { .id = "a", .service = "web" };
	struct sw_job job;

	assert_int_equal(sw_channel_feishu.render(&robot, &al, SW_SIZE_FULL, 0, NOW, &a, &job, NULL), 0);
	assert_non_null(
	    strstr(job.body, "\"timestamp\":\"1700000000\",\"sign\":\"G7XpBpG8NgG02fJOAhX6FRAObIljmFoxVReo8I62pEk=\""));
	assert_string_equal(job.url, robot.url);
	assert_int_equal(sw_channel_feishu.render(&robot, &al, SW_SIZE_FULL, 0, NOW + SW_SECOND, &a, &job, NULL), 0);
	assert_null(strstr(job.body, "G7XpBpG8NgG02fJOAhX6FRAObIljmFoxVReo8I62pEk="));
	assert_string_equal(sw_channel_feishu.credential(&robot), robot.url);
	assert_string_equal(sw_channel_slack.credential(&robot), robot.url);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(feishu_answers),        cmocka_unit_test(slack_answers),
		cmocka_unit_test(inside_the_limits),     cmocka_unit_test(only_ids_are_mentioned),
		cmocka_unit_test(signs_and_credentials),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
