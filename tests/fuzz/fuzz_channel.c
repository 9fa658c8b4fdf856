/*
 * Fuzzes what channels send: any alert, by every channel and in each size, is within its limits and well formed; mail
 * holds no header that is not ours. The first byte chooses the kind of news, the second the settings.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/mail_rules.h"
#include "../unit/text_rules.h"
#include "base/json.h"
#include "base/yaml.h"
#include "channel/mime.h"
#include "plugins.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail(const char *what, const char *s, size_t n)
{
	(void)fprintf(stderr, "%s in:\n%.*s\n", what, (int)n, s);
	abort();
}

static const struct {
	const struct sw_channel *ch;
	size_t max; /* of the body */
	const char *conf;
} rows[] = {
	{ &sw_channel_dingtalk, 18000, "{url: \"http://a\", secret: s, keyword: k}" },
	{ &sw_channel_wecom, 60000, "{url: \"http://a\"}" },
	{ &sw_channel_feishu, 18000, "{url: \"http://a\", secret: s}" },
	{ &sw_channel_slack, 60000, "{url: \"http://a\"}" },
	{ &sw_channel_alertmanager, 100000, "{url: \"http://a\", labels: {team: shop}}" },
	{ &sw_channel_webhook, 1000000, "{url: \"http://a\", format: alertmanager}" },
	{ &sw_channel_email, 1000000, "{server: \"smtp://a\", from: a@b.example, to: c@d.example}" },
};

static void *conf_read(const struct sw_channel *ch, const char *yaml, struct sw_arena *a)
{
	void *conf = sw_arena_alloc(a, ch->base.conf_size);
	struct sw_ynode *root;
	struct sw_diags d;

	sw_diags_init(&d, a);
	if (sw_yaml_parse(a, "conf", yaml, strlen(yaml), NULL, &root, &d) < 0 ||
	    sw_keys_read(ch->base.keys, root, root, NULL, a, conf, &d) < 0)
		fail("settings", yaml, strlen(yaml));
	return conf;
}

static void check(const struct sw_job *job, size_t max, struct sw_arena *a)
{
	struct sw_err err = SW_ERR_INIT;
	struct sw_jnode *root;
	const char *wrong;

	if (job->kind == SW_JOB_MAIL) {
		wrong = mail_rules_broken(job->body, job->body_n);
		if (wrong)
			fail(wrong, job->body, job->body_n);
		return;
	}
	if (job->body_n > max)
		fail("too long", job->body, job->body_n);
	wrong = text_rules_bytes(job->body, job->body_n);
	if (wrong)
		fail(wrong, job->body, job->body_n);
	if (sw_jtree_parse(a, job->body, job->body_n, 100000, &root, &err) < 0)
		fail(err.text, job->body, job->body_n);
}

static void fuzz_alert(const struct sw_alert *al)
{
	for (size_t i = 0; i < SW_COUNT(rows); i++)
		for (int size = SW_SIZE_FULL; size <= SW_SIZE_LINE; size++) {
			SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
			const void *conf = conf_read(rows[i].ch, rows[i].conf, &a);
			struct sw_err err = SW_ERR_INIT;
			int more = 1;

			for (unsigned part = 0; more > 0; part++) {
				struct sw_job job = { 0 };

				more = rows[i].ch->render(conf, al, (enum sw_size)size, part, 1700000000000, &a, &job,
				                          &err);
				if (more < 0)
					fail(err.text, "", 0);
				check(&job, rows[i].max, &a);
			}
		}
}

/* The pieces of a mail, of any bytes. */
static void fuzz_mime(const char *s, size_t n)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf qp = SW_BUF_INIT, head = SW_BUF_INIT;
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
	struct sw_mime_address address;
	const char *wrong;

	sw_mime_quoted_printable(&qp, s, n);
	wrong = qp.n ? mail_rules_lines(qp.p, qp.n, 76) : NULL;
	if (wrong)
		fail(wrong, qp.p, qp.n);
	s = sw_arena_strndup(&a, s, n);
	sw_mime_header(&head, "Subject", s);
	if (sw_mime_address(s, &a, &address) == 0)
		sw_mime_header_addresses(&head, "To", &address, 1);
	wrong = head.n ? mail_rules_lines(head.p, head.n, 300) : NULL;
	if (!wrong && head.n) {
		sw_buf_cat(&head, "\r\n\r\n");
		wrong = mail_rules_head(head.p, head.n);
	}
	if (wrong)
		fail(wrong, head.p, head.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
	struct sw_jnode *root;
	struct sw_alert al;

	if (size < 2)
		return 0;
	fuzz_mime((const char *)data, size);
	if (sw_jtree_parse(&a, (const char *)data + 2, size - 2, 10000, &root, NULL) < 0)
		return 0;
	sw_alert_read(root, &a, &al);
	al.news = (enum sw_alert_news)(data[0] % SW_NEWS_COUNT);
	al.mention_all = data[1] & 1;
	fuzz_alert(&al);
	return 0;
}
