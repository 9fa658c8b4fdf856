/* Alertmanager: labels that stay the same, times, what became of it; the settings of channels that can contradict each
 * other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/str.h"
#include "base/yaml.h"
#include "channel/am_body.h"
#include "plugins.h"
#include "unit/judge_rows.h"

#define NOW ((sw_ms)1700000000000)

static void *conf_of(const struct sw_channel *ch, const char *yaml, struct sw_arena *a)
{
	void *conf = sw_arena_alloc(a, ch->base.conf_size);
	struct sw_ynode *root;
	struct sw_diags d;

	sw_diags_init(&d, a);
	assert_int_equal(sw_yaml_parse(a, "conf", yaml, strlen(yaml), NULL, &root, &d), 0);
	assert_int_equal(sw_keys_read(ch->base.keys, root, root, NULL, a, conf, &d), 0);
	return conf;
}

static void answers(void **state)
{
	static const struct row rows[] = {
		{ SW_FAULT_CONNECT, 0, "", SW_RETRY, 0, 0 },
		{ SW_FAULT_CERT, 0, "", SW_CONFIG, 0, 0 },
		{ SW_FAULT_AMBIGUOUS, 0, "", SW_RETRY, 0, 0 }, /* the same again changes nothing */
		{ N, 200, "", SW_OK, 0, 0 },
		{ N, 200, "<!DOCTYPE html>sign in", SW_RETRY, 0, 0 },
		{ N, 400, "\"bad label set\"", SW_MESSAGE, 0, 0 },
		{ N, 422, "{\"code\":602}", SW_MESSAGE, 0, 0 },
		{ N, 413, "", SW_SHRINK, 0, 0 },
		{ N, 401, "", SW_CONFIG, 0, 0 },
		{ N, 403, "", SW_CONFIG, 0, 0 },
		{ N, 404, "", SW_CONFIG, 0, 0 },
		{ N, 301, "", SW_CONFIG, 0, 0 },
		{ N, 500, "", SW_RETRY, 0, 0 },
		{ N, 503, "", SW_RETRY, 5 * SW_SECOND, 0, "5" },
		{ N, 429, "", SW_HOLD, SW_MINUTE, 0 },
	};

	judge_rows(&sw_channel_alertmanager, NULL, rows, SW_COUNT(rows));
}

static const char *labels_of(const struct sw_alert *al, const char *const *extra, struct sw_arena *a)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_am_labels l;
	struct sw_jw w;

	sw_am_labels(al, extra, a, &l);
	sw_jw_init(&w, &b);
	sw_am_write_labels(&w, NULL, &l);
	return sw_arena_strdup(a, b.p);
}

static void labels_stay(void **state)
{
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
	const char *extra[] = { "team", "shop", "service", "storefront", "empty", "", NULL };
	struct sw_alert al = {
		.id = "al-1", .rule = "slow", .service = "web", .environment = "prod", .rule_severity = SW_SEV_WARNING
	};
	const char *first = labels_of(&al, NULL, &a);

	assert_string_equal(
	    first, "{\"alertname\":\"slow\",\"environment\":\"prod\",\"service\":\"web\",\"severity\":\"warning\","
	           "\"shipwatch_alert\":\"al-1\"}");
	for (int news = 0; news < SW_NEWS_COUNT; news++) {
		al.news = (enum sw_alert_news)news;
		al.severity = SW_SEV_CRITICAL;
		al.sha = al.version = al.user = al.rollback_state = "new";
		al.repeat = true;
		assert_string_equal(labels_of(&al, NULL, &a), first);
	}
	assert_string_equal(
	    labels_of(&al, extra, &a),
	    "{\"alertname\":\"slow\",\"environment\":\"prod\",\"service\":\"storefront\",\"severity\":\"warning\","
	    "\"shipwatch_alert\":\"al-1\",\"team\":\"shop\"}");
	al = (struct sw_alert){ .id = "al-1", .repo = "acme/web\xff\n" };
	assert_string_equal(labels_of(&al, NULL, &a),
	                    "{\"alertname\":\"shipwatch\",\"service\":\"acme/"
	                    "web\xef\xbf\xbd\",\"severity\":\"info\",\"shipwatch_alert\":\"al-1\"}");
}

static const struct sw_jnode *posted(const void *conf, const struct sw_alert *al, struct sw_arena *a)
{
	struct sw_jnode *root;
	struct sw_job job;

	assert_int_equal(sw_channel_alertmanager.render(conf, al, SW_SIZE_FULL, 0, NOW, a, &job, NULL), 0);
	assert_string_equal(job.url, "http://am.example:9093/api/v2/alerts");
	assert_int_equal(sw_jtree_parse(a, job.body, job.body_n, 1000, &root, NULL), 0);
	assert_int_equal(root->n, 1);
	return root->child;
}

static void begin_and_end(void **state)
{
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
	const void *conf =
	    conf_of(&sw_channel_alertmanager, "{url: \"http://am.example:9093/api/v2/alerts\", keep: 1h}", &a);
	struct sw_alert al = { .id = "al-1", .fired_at = NOW - SW_MINUTE, .service = "web" };

	assert_string_equal(sw_jstr(posted(conf, &al, &a), "startsAt"), "2023-11-14T22:12:20.000Z");
	assert_string_equal(sw_jstr(posted(conf, &al, &a), "endsAt"), "2023-11-14T23:13:20.000Z");
	assert_null(sw_jget(posted(conf, &al, &a), "generatorURL"));
	al.news = SW_NEWS_RESOLVED;
	assert_string_equal(sw_jstr(posted(conf, &al, &a), "endsAt"), "2023-11-14T22:13:20.000Z");
	al.news = SW_NEWS_CLOSED;
	assert_string_equal(sw_jstr(posted(conf, &al, &a), "endsAt"), "2023-11-14T22:13:20.000Z");
	al.news = SW_NEWS_NOTICE; /* nothing follows it */
	assert_string_equal(sw_jstr(posted(conf, &al, &a), "endsAt"), "2023-11-14T22:28:20.000Z");
	al.fired_at = NOW + SW_HOUR; /* a clock that runs ahead: never an end before its beginning */
	al.news = SW_NEWS_RESOLVED;
	assert_string_equal(sw_jstr(posted(conf, &al, &a), "startsAt"), "2023-11-14T22:13:20.000Z");
	al.links[SW_LINK_CI_LOG] = "javascript:x";
	assert_null(sw_jget(posted(conf, &al, &a), "generatorURL"));
	assert_null(sw_jget(sw_jget(posted(conf, &al, &a), "annotations"), "ci_log_url"));
}

static void logins(void **state)
{
	static const struct {
		const struct sw_channel *ch;
		const char *conf, *want; /* what is wrong; NULL: nothing */
	} rows[] = {
		{ &sw_channel_alertmanager, "{url: \"http://a\"}", NULL },
		{ &sw_channel_alertmanager, "{url: \"http://a\", user: u, password: p}", NULL },
		{ &sw_channel_alertmanager, "{url: \"http://a\", user: u}", "user and password: both or none" },
		{ &sw_channel_alertmanager, "{url: \"http://a\", password: p}", "user and password: both or none" },
		{ &sw_channel_alertmanager, "{url: \"http://a\", user: \"u:v\", password: p}",
		  "user: no ':' can be in it" },
		{ &sw_channel_alertmanager, "{url: \"http://a\", user: u, password: p, token: t}",
		  "token and user: one of them" },
		{ &sw_channel_alertmanager, "{url: \"http://a\", labels: {a_b1: x}}", NULL },
		{ &sw_channel_alertmanager, "{url: \"http://a\", labels: {1a: x}}",
		  "labels: \"1a\" is no name of a label: want letters, digits and '_'" },
		{ &sw_channel_webhook, "{url: \"http://a\", labels: {a: x}}",
		  "labels: only with format: alertmanager" },
		{ &sw_channel_webhook, "{url: \"http://a\", format: alertmanager, labels: {a: x}}", NULL },
	};

	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
		struct sw_err err = SW_ERR_INIT;
		int r = rows[i].ch->check(conf_of(rows[i].ch, rows[i].conf, &a), &err);

		assert_int_equal(r < 0, rows[i].want != NULL);
		if (rows[i].want)
			assert_string_equal(err.text, rows[i].want);
	}
}

static void basic_login(void **state)
{
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
	const void *conf = conf_of(&sw_channel_alertmanager, "{url: \"http://a\", user: u, password: p}", &a);
	struct sw_alert al = { .id = "al-1" };
	struct sw_job job;

	assert_int_equal(sw_channel_alertmanager.render(conf, &al, SW_SIZE_FULL, 0, NOW, &a, &job, NULL), 0);
	assert_string_equal(job.headers[job.n_headers - 1].value, "Basic dTpw");
}

/* FNV-1a with a byte 255 behind each text; the black-box test compares with a real Alertmanager. */
static void fingerprints(void **state)
{
	struct sw_am_labels l = { { { "alertname", "test" } }, 1 };
	char out[17];

	sw_am_fingerprint(&(struct sw_am_labels){ .n = 0 }, out);
	assert_string_equal(out, "cbf29ce484222325");
	sw_am_fingerprint(&l, out);
	assert_string_equal(out, "1f56cb8f931d1bd4");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers), cmocka_unit_test(labels_stay), cmocka_unit_test(begin_and_end),
		cmocka_unit_test(logins),  cmocka_unit_test(basic_login), cmocka_unit_test(fingerprints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
