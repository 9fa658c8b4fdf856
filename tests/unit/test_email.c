/* E-mail: what became of it, settings, headers nothing can be put into, Message-IDs. How mails look is in
 * tests/golden/channel/email. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "base/yaml.h"
#include "channel/mime.h"
#include "plugins.h"
#include "unit/judge_rows.h"
#include "unit/mail_rules.h"

#define NOW ((sw_ms)1700000000000)
#define CONF                                                                                                           \
	"server: \"smtp://mail.example.com:587\", from: \"Shipwatch <shipwatch@example.com>\", to: "                   \
	"[oncall@example.com]"

static void *conf_of(const char *yaml, struct sw_arena *a)
{
	void *conf = sw_arena_alloc(a, sw_channel_email.base.conf_size);
	struct sw_ynode *root;
	struct sw_diags d;

	sw_diags_init(&d, a);
	assert_int_equal(sw_yaml_parse(a, "conf", yaml, strlen(yaml), NULL, &root, &d), 0);
	assert_int_equal(sw_keys_read(sw_channel_email.base.keys, root, root, NULL, a, conf, &d), 0);
	return conf;
}

static void answers(void **state)
{
	static const struct row rows[] = {
		{ SW_FAULT_CONNECT, 0, "", SW_RETRY, 0, 0 },
		{ SW_FAULT_TIMEOUT_CONNECT, 0, "", SW_RETRY, 0, 0 },
		{ SW_FAULT_CERT, 0, "", SW_CONFIG, 0, 0 },
		{ SW_FAULT_REFUSED, 0, "", SW_CONFIG, 0, 0 }, /* no STARTTLS, no way to log in */
		{ SW_FAULT_AMBIGUOUS, 0, "354 go", SW_AMBIGUOUS, 0, 0 },
		{ N, 250, "", SW_OK, 0, 0 },
		{ N, 250, "550 5.1.1 <x@example.com>: unknown", SW_OK, 0, 0 },
		{ N, 421, "421 4.3.2 shutting down", SW_RETRY, SW_MINUTE, 0 },
		{ N, 450, "450 4.2.0 greylisted", SW_RETRY, 30 * SW_SECOND, 0 },
		{ N, 451, "451 4.3.0 local error", SW_RETRY, 30 * SW_SECOND, 0 },
		{ N, 452, "452 4.2.2 full", SW_RETRY, 30 * SW_SECOND, 0 },
		{ N, 454, "454 4.7.0 no TLS now", SW_RETRY, 30 * SW_SECOND, 0 },
		{ N, 500, "500 what", SW_CONFIG, 0, 0 },
		{ N, 501, "501 5.5.4 syntax", SW_CONFIG, 0, 0 },
		{ N, 502, "502 no", SW_CONFIG, 0, 0 },
		{ N, 503, "503 5.5.1 login first", SW_CONFIG, 0, 0 },
		{ N, 504, "504 no", SW_CONFIG, 0, 0 },
		{ N, 521, "521 no mail here", SW_CONFIG, 0, 0 },
		{ N, 523, "523 too long", SW_SHRINK, 0, 0 },
		{ N, 530, "530 5.7.0 STARTTLS first", SW_CONFIG, 0, 0 },
		{ N, 534, "534 5.7.9 mechanism", SW_CONFIG, 0, 0 },
		{ N, 535, "535 5.7.8 wrong", SW_CONFIG, 0, 0 },
		{ N, 538, "538 5.7.11 TLS", SW_CONFIG, 0, 0 },
		{ N, 550, "550 5.1.1 unknown", SW_MESSAGE, 0, 0 },
		{ N, 550, "550 5.7.1 policy", SW_MESSAGE, 0, 0 },
		{ N, 550, "550 5.3.4 too big", SW_SHRINK, 0, 0 },
		{ N, 551, "551 not local", SW_CONFIG, 0, 0 },
		{ N, 552, "552 5.3.4 too big", SW_SHRINK, 0, 0 },
		{ N, 552, "552 too big", SW_SHRINK, 0, 0 },
		{ N, 552, "552 5.2.2 mailbox full", SW_MESSAGE, 0, 0 },
		{ N, 553, "553 5.1.3 bad address", SW_CONFIG, 0, 0 },
		{ N, 554, "554 5.6.0 spam", SW_MESSAGE, 0, 0 },
		{ N, 555, "555 parameters", SW_CONFIG, 0, 0 },
		{ N, 556, "556 no mail there", SW_CONFIG, 0, 0 },
		{ N, 599, "", SW_MESSAGE, 0, 0 },
	};

	judge_rows(&sw_channel_email, NULL, rows, SW_COUNT(rows));
}

/* What a server says goes to the log: on one line, printable. */
static void an_answer_is_quoted(void **state)
{
	struct sw_result res = { .status = 554, .body = "554 a\x1b[31m\nb\xff", .body_n = 12 };
	struct sw_err err = SW_ERR_INIT;

	(void)sw_channel_email.judge(NULL, &res, &err);
	for (const char *p = err.text; *p; p++)
		assert_true(*p >= ' ' && *p <= '~');
}

static void settings(void **state)
{
	static const struct {
		const char *conf, *want;
	} rows[] = {
		{ "{" CONF "}", NULL },
		{ "{" CONF ", user: u, password: p, tls: none, helo: a.example.com}", NULL },
		{ "{server: \"smtps://[::1]:465\", from: a@b.example, to: a@b.example}", NULL },
		{ "{server: \"smtp://mail\", from: a@b.example, to: a@b.example}", NULL },
		{ "{" CONF ", user: u}", "user and password: both or none" },
		{ "{" CONF ", helo: \"a\\r\\nRSET\"}", "helo: " },
		{ "{server: \"http://mail\", from: a@b.example, to: a@b.example}", "server: " },
		{ "{server: \"smtp://\", from: a@b.example, to: a@b.example}", "server: " },
		{ "{server: \"smtp://u:p@mail\", from: a@b.example, to: a@b.example}", "server: " },
		{ "{server: \"smtp://mail/x\", from: a@b.example, to: a@b.example}", "server: " },
		{ "{server: \"smtp://mail:port\", from: a@b.example, to: a@b.example}", "server: " },
		{ "{server: \"smtp://mail:\", from: a@b.example, to: a@b.example}", "server: " },
		{ "{server: \"smtp://[::1\", from: a@b.example, to: a@b.example}", "server: " },
		{ "{server: \"smtp://mail\", from: nobody, to: a@b.example}", "from: \"nobody\" is no address" },
		{ "{server: \"smtp://mail\", from: a@b.example, to: [a@b.example, x]}", "to: \"x\" is no address" },
	};

	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
		struct sw_err err = SW_ERR_INIT;
		int r = sw_channel_email.check(conf_of(rows[i].conf, &a), &err);

		if ((r < 0) != (rows[i].want != NULL) || (rows[i].want && !sw_starts(err.text, rows[i].want)))
			fail_msg("%s: %s", rows[i].conf, err.text);
	}
}

static void addresses(void **state)
{
	static const struct {
		const char *s, *name, *addr; /* addr NULL: none */
	} rows[] = {
		{ "a@b.example", NULL, "a@b.example" },
		{ " a@b.example ", NULL, "a@b.example" },
		{ "<a@b.example>", NULL, "a@b.example" },
		{ "Lin Wei <lin.wei+x@b.example> ", "Lin Wei", "lin.wei+x@b.example" },
		{ "王芳 <fang@b.example>", "王芳", "fang@b.example" },
		{ "", NULL, NULL },
		{ "a", NULL, NULL },
		{ "@b.example", NULL, NULL },
		{ "a@", NULL, NULL },
		{ "a@b@c.example", NULL, NULL },
		{ "a b@c.example", NULL, NULL },
		{ ".a@b.example", NULL, NULL },
		{ "a..b@c.example", NULL, NULL },
		{ "a@b..example", NULL, NULL },
		{ "a@b.example, c@d.example", NULL, NULL },
		{ "a@b.example\r\nBcc: x@y.example", NULL, NULL },
		{ "x\r\nBcc: y <a@b.example>", NULL, NULL },
		{ "\"x\" <a@b.example>", NULL, NULL },
		{ "x <a@b.example> y", NULL, NULL },
		{ "x <a@b.example", NULL, NULL },
		{ "<a@b.example> SIZE=1", NULL, NULL },
		{ "a@b.example>", NULL, NULL },
		{ "\xc3\xa4@b.example", NULL, NULL },
	};

	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
		struct sw_mime_address got = { NULL, NULL };
		int r = sw_mime_address(rows[i].s, &a, &got);

		if ((r < 0) != !rows[i].addr ||
		    (r == 0 && (!sw_streq(got.addr, rows[i].addr) || !sw_streq(got.name, rows[i].name))))
			fail_msg("%s: %d \"%s\" <%s>", rows[i].s, r, got.name ? got.name : "-",
			         got.addr ? got.addr : "-");
	}
}

static void headers(void **state)
{
	static const char *const rows[][2] = {
		{ "plain", "Subject: plain\r\n" },
		{ "a\r\nBcc: x\tb", "Subject: a  Bcc: x b\r\n" },
		{ "a\x01\x7f\xe2\x80\xae"
		  "b",
		  "Subject: ab\r\n" },
		{ "=?UTF-8?B?eA==?=", "Subject: =?UTF-8?B?PT9VVEYtOD9CP2VBPT0/PQ==?=\r\n" },
		{ "部署", "Subject: =?UTF-8?B?6YOo572y?=\r\n" },
		{ "", "" },
		{ " \t ", "" },
		{ " a ", "Subject: a\r\n" },
		{ "0123456789012345678901234567890123456789012345678901234567890123456",
		  "Subject: 0123456789012345678901234567890123456789012345678901234567890123456\r\n" },
		{ "01234567890123456789012345678901234567890123456789012345678901234567",
		  "Subject: =?UTF-8?B?MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4?=\r\n "
		  "=?UTF-8?B?OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc=?=\r\n" },
	};

	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

		sw_mime_header(&b, "Subject", rows[i][0]);
		assert_string_equal(sw_buf_str(&b), rows[i][1]);
	}
}

static void dates(void **state)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	sw_mime_header_date(&b, NOW, 0);
	sw_mime_header_date(&b, NOW, 28800);
	sw_mime_header_date(&b, NOW, -12600);
	assert_string_equal(b.p, "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\nDate: Wed, 15 Nov 2023 06:13:20 +0800\r\n"
	                         "Date: Tue, 14 Nov 2023 18:43:20 -0330\r\n");
}

static void quoted_printable(void **state)
{
	static const char *const rows[][2] = {
		{ "", "" },
		{ "a", "a\r\n" },
		{ "a\n", "a\r\n" },
		{ "a\nb\n", "a\r\nb\r\n" },
		{ "a \n\tb\t", "a=20\r\n\tb=09\r\n" },
		{ "=", "=3D\r\n" },
		{ ".\n..\nFrom x", "=2E\r\n=2E.\r\n=46rom x\r\n" },
		{ "a\rb\r\n", "ab\r\n" },
		{ "é\x01", "=C3=A9=01\r\n" },
		{ "\n\n", "\r\n\r\n" },
		{ "012345678901234567890123456789012345678901234567890123456789012345678901234.x",
		  "012345678901234567890123456789012345678901234567890123456789012345678901234=\r\n=2Ex\r\n" },
	};

	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

		sw_mime_quoted_printable(&b, rows[i][0], strlen(rows[i][0]));
		assert_string_equal(sw_buf_str(&b), rows[i][1]);
	}
}

static const char *line_of(const struct sw_job *job, const char *name, struct sw_arena *a)
{
	const char *p = memmem(job->body, job->body_n, name, strlen(name));

	return p ? sw_arena_strndup(a, p, strcspn(p, "\r")) : NULL;
}

/* The same mail again has its Message-ID; another of the alert has not, but is in its thread. */
static void ids(void **state)
{
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
	const void *conf = conf_of("{" CONF "}", &a);
	struct sw_alert al = { .id = "al-1", .delivery = "al-1-firing", .service = "web" };
	struct sw_job one, again, other, stranger;

	assert_int_equal(sw_channel_email.render(conf, &al, SW_SIZE_FULL, 0, NOW, &a, &one, NULL), 0);
	al.repeat = true;
	assert_int_equal(sw_channel_email.render(conf, &al, SW_SIZE_LINE, 0, NOW + SW_MINUTE, &a, &again, NULL), 0);
	al.delivery = "al-1-resolved";
	assert_int_equal(sw_channel_email.render(conf, &al, SW_SIZE_FULL, 0, NOW, &a, &other, NULL), 0);
	al.id = "al-2";
	al.delivery = "\r\nBcc: x";
	assert_int_equal(sw_channel_email.render(conf, &al, SW_SIZE_FULL, 0, NOW, &a, &stranger, NULL), 0);
	assert_string_equal(line_of(&one, "Message-ID", &a), line_of(&again, "Message-ID", &a));
	assert_string_not_equal(line_of(&one, "Message-ID", &a), line_of(&other, "Message-ID", &a));
	assert_string_equal(line_of(&one, "References", &a), line_of(&other, "References", &a));
	assert_string_not_equal(line_of(&one, "References", &a), line_of(&stranger, "References", &a));
	assert_null(mail_rules_broken(stranger.body, stranger.body_n));
	assert_string_equal(one.mail_from, "shipwatch@example.com");
	assert_string_equal(one.url, "smtp://mail.example.com:587/");
}

/* Who is mentioned gets a copy, once, if it is an address. */
static void copies(void **state)
{
	static struct sw_mention people[] = { { .name = "a", .email = "a@b.example" },
		                              { .name = "b", .email = "oncall@example.com" },
		                              { .name = "c", .email = "a@b.example" },
		                              { .name = "d", .email = "x\r\nDATA" },
		                              { .name = "e" } };
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
	struct sw_alert al = { .id = "al-1", .service = "web", .mentions = people, .n_mentions = SW_COUNT(people) };
	struct sw_job job;

	assert_int_equal(sw_channel_email.render(conf_of("{" CONF "}", &a), &al, SW_SIZE_FULL, 0, NOW, &a, &job, NULL),
	                 0);
	assert_string_equal(job.mail_to[0], "oncall@example.com");
	assert_string_equal(job.mail_to[1], "a@b.example");
	assert_null(job.mail_to[2]);
	assert_string_equal(line_of(&job, "Cc", &a), "Cc: a@b.example");
}

static void hostile(void **state)
{
	static const char *const words[] = { "x",
		                             "部",
		                             "\r\nBcc: x@y.example\r\n\r\n",
		                             "\r\n.\r\n",
		                             "=?UTF-8?B?eA==?=",
		                             "\xff",
		                             "--=_shipwatch--\r\n",
		                             ".",
		                             " ",
		                             "<>&\"" };

	for (size_t w = 0; w < SW_COUNT(words); w++)
		for (int size = SW_SIZE_FULL; size <= SW_SIZE_LINE; size++) {
			SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
			SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
			struct sw_alert al = { .severity = SW_SEV_CRITICAL };
			struct sw_job job;
			const char *wrong, *p;
			size_t between = 0;

			for (size_t i = 0; i < 300; i++)
				sw_buf_cat(&b, words[w]);
			al.id = al.delivery = al.service = al.environment = al.summary = al.branch = al.title =
			    al.user = al.ci_run_id = b.p;
			assert_int_equal(sw_channel_email.render(conf_of("{" CONF "}", &a), &al, (enum sw_size)size, 0,
			                                         NOW, &a, &job, NULL),
			                 0);
			wrong = mail_rules_broken(job.body, job.body_n);
			if (wrong)
				fail_msg("%s in\n%s", wrong, job.body);
			for (p = job.body; (p = strstr(p, "\r\n--=_shipwatch")); p++)
				between++;
			assert_int_equal(between, size == SW_SIZE_LINE ? 0 : 3);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),          cmocka_unit_test(an_answer_is_quoted),
		cmocka_unit_test(settings),         cmocka_unit_test(addresses),
		cmocka_unit_test(headers),          cmocka_unit_test(dates),
		cmocka_unit_test(quoted_printable), cmocka_unit_test(ids),
		cmocka_unit_test(copies),           cmocka_unit_test(hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
