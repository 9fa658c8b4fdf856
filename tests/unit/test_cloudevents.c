/* Source cloudevents: who is let in, what counts as the same delivery, the limits, and the recorded CDEvents in every shape. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/source_rig.h"

#define JSON  "application/json"
#define CE    "application/cloudevents+json"
#define BATCH "application/cloudevents-batch+json"
#define ONE(id) "{\"specversion\":\"1.0\",\"id\":\"" id "\",\"source\":\"/s\",\"type\":\"dev.cdevents.service.deployed.0.3.0\"}"
#define KEY   "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define SIG   "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define SIGNED_BODY "{\"test\": 2432232314}"
#define STAMP "webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp", "1614265330"

static int verify(const char *yaml, const char *const *headers, const char *type, const char *body, const char *query, sw_ms now, struct sw_arena *a,
                  struct sw_proof *proof, struct sw_err *err)
{
	struct sw_header h[12];
	struct sw_request rq;

	request(&rq, h, headers, type, body, strlen(body));
	rq.query = query;
	rq.arrived = now ? now : ARRIVED;
	return sw_source_cloudevents.verify(good(&sw_source_cloudevents, yaml, a), &rq, a, proof, err);
}

static void test_who(void **state)
{
	/* the common vector of Standard Webhooks; its body is no CloudEvent, so a good signature ends in -EBADMSG */
	static const struct { const char *name, *yaml, *h[9], *query; sw_ms now; int want, secret; } rows[] = {
		{ "signed", "secrets: [whsec_AAAA, " KEY "]", { STAMP, "webhook-signature", SIG }, NULL, 1614265330000, -EBADMSG, 1 },
		{ "key without its prefix", "secrets: MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", { STAMP, "webhook-signature", SIG }, NULL, 1614265330000, -EBADMSG, 0 },
		{ "5 minutes old", "secrets: " KEY, { STAMP, "webhook-signature", SIG }, NULL, 1614265630000, -EBADMSG, 0 },
		{ "older", "secrets: " KEY, { STAMP, "webhook-signature", SIG }, NULL, 1614265630001, -EACCES, 0 },
		{ "wrong signature beside a good token", "secrets: " KEY "\ntokens: t", { STAMP, "webhook-signature", "v1,AAAA", "authorization" }, NULL, 1614265330000, -EACCES, 0 },
		{ "good among others", "secrets: " KEY, { STAMP, "webhook-signature", "v1,bad v2,bad " SIG }, NULL, 1614265330000, -EBADMSG, 0 },
		{ "no time", "secrets: " KEY, { "webhook-id", "x", "webhook-signature", SIG }, NULL, 1614265330000, -EACCES, 0 },
		{ "token, counted behind the secrets", "secrets: " KEY "\ntokens: [a, b]", { "authorization", "Bearer b" }, NULL, 0, -EBADMSG, 2 },
		{ "in the address", "tokens: t", { NULL }, "access_token=t", 0, -EBADMSG, 0 },
		{ "wrong in the address", "tokens: t\nunsigned: true", { NULL }, "access_token=x", 0, -EACCES, 0 },
		{ "login", "logins: \"am:s3cret\"", { "authorization", "Basic YW06czNjcmV0" }, NULL, 0, -EBADMSG, 0 },
		{ "nothing", "tokens: t", { NULL }, "", 0, -EACCES, 0 },
		{ "unsigned", "unsigned: true", { NULL }, NULL, 0, -EBADMSG, -1 },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_arena a = { 0 };
		struct sw_proof proof;
		struct sw_err err = SW_ERR_INIT;
		const char *h[10] = { NULL };
		int r;

		for (size_t k = 0; k < 9 && rows[i].h[k]; k++)
			h[k] = rows[i].h[k];
		if (h[6] && !h[7])
			h[7] = "Bearer t";
		r = verify(rows[i].yaml, h, JSON, SIGNED_BODY, rows[i].query, rows[i].now, &a, &proof, &err);
		if (r != rows[i].want || (r == -EBADMSG && proof.secret != rows[i].secret))
			fail_msg("%s: %d (%s), secret %d", rows[i].name, r, err.text, proof.secret);
		sw_arena_fini(&a);
	}
}

static void test_mistakes(void **state)
{
	static const struct { const char *yaml, *want; } rows[] = {
		{ "{}", "nobody may send" }, { "tokens: t\nstatus: success", "stands in \"events\"" }, { "tokens: t\nfields: {repo: /data/repo}", NULL },
		{ "tokens: t\nevents: [{event: deployment, fields: {service: /data/s, env: /data/e}}]", "wants \"status\"" },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_arena a = { 0 };
		const char *why;

		(void)settings(&sw_source_cloudevents, rows[i].yaml, &a, &why);
		if (!rows[i].want != !why || (why && !strstr(why, rows[i].want)))
			fail_msg("row %zu: %s", i, why ? why : "no mistake");
		sw_arena_fini(&a);
	}
}

/* Source and id tell a redelivery, in whatever shape it comes; what is of no interest is told by its type. */
static void test_same(void **state)
{
	static const struct { const char *h[13], *type, *body, *key, *what; bool ignored; } rows[] = {
		{ { NULL }, CE, ONE("1"), "/s\n1", "service.deployed", false },
		{ { "ce-specversion", "1.0", "ce-id", "1", "ce-source", "/s", "ce-type", "dev.cdevents.service.deployed.0.2.0" }, JSON, "{}", "/s\n1", "service.deployed", false },
		{ { NULL }, JSON, "{\"context\":{\"id\":\"1\",\"source\":\"/s\",\"type\":\"dev.cdevents.service.deployed.0.1.1\"}}", "/s\n1", "service.deployed", false },
		{ { NULL }, JSON, ONE("1"), "/s\n1", "service.deployed", false },
		{ { NULL }, BATCH, "[" ONE("1") "]", "/s\n1", "service.deployed", false },
		{ { NULL }, BATCH, "[" ONE("1") "," ONE("2") "]", "batch:", "other", false },
		{ { NULL }, BATCH, "[]", NULL, "other", true },
		{ { NULL }, JSON, "{\"context\":{\"id\":\"1\",\"source\":\"/s\",\"type\":\"dev.cdevents.environment.created.0.1.1\"}}", "/s\n1", "environment.created", true },
		{ { NULL }, JSON, "{\"context\":{\"id\":\"1\",\"source\":\"/s\",\"type\":\"dev.cdevents.evil\\nname.created.0.1.1\"}}", "/s\n1", "other", true },
		{ { NULL }, CE, "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"com.example\"}", "/s\n1", "other", true },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_arena a = { 0 };
		struct sw_proof proof;
		struct sw_err err = SW_ERR_INIT;

		if (verify("unsigned: true", rows[i].h, rows[i].type, rows[i].body, NULL, 0, &a, &proof, &err) != 0)
			fail_msg("row %zu: %s", i, err.text);
		if (!rows[i].key)
			assert_null(proof.dedupe);
		else if (!proof.dedupe || !sw_starts(proof.dedupe, rows[i].key))
			fail_msg("row %zu: %s", i, proof.dedupe ? proof.dedupe : "no key");
		assert_string_equal(proof.what, rows[i].what);
		if (proof.ignore != rows[i].ignored)
			fail_msg("row %zu: ignored %d", i, proof.ignore);
		sw_arena_fini(&a);
	}
}

/* What is no event is refused with the place where it is none; broken JSON is told by who reads JSON. */
static void test_refused(void **state)
{
	static const struct { const char *h[9], *type, *body, *want; } rows[] = {
		{ { NULL }, CE, "{\"specversion\":\"1.0\",\"id\":\"\",\"source\":\"/s\",\"type\":\"t\"}", "id: is missing" },
		{ { NULL }, CE, "{\"specversion\":1.0,\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\"}", "specversion: is missing" },
		{ { NULL }, CE, "{\"specversion\":\"2.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\"}", "specversion: want 1.0, got \"2.0\"" },
		{ { NULL }, CE, "[]", "want a JSON object" },
		{ { NULL }, BATCH, "[" ONE("1") ",{\"specversion\":\"1.0\",\"id\":\"2\",\"type\":\"t\"}]", "[1].source: is missing" },
		{ { NULL }, BATCH, "[" ONE("1") ",7]", "[1].want a JSON object" },
		{ { "ce-specversion", "1.0", "ce-id", "1", "ce-source", "/s" }, JSON, "{}", "ce-type: is missing" },
		{ { "ce-id", "1", "ce-source", "/s", "ce-type", "t" }, JSON, "{}", "ce-specversion: is missing" },
		{ { "ce-specversion", "1.0", "ce-id", "%C0%A0", "ce-source", "/s", "ce-type", "t" }, JSON, "{}", "ce-id: not UTF-8" },
		{ { "ce-specversion", "1.0", "ce-id", "a%00b", "ce-source", "/s", "ce-type", "t" }, JSON, "{}", "ce-id: not UTF-8" },
		{ { NULL }, JSON, "7", "no CloudEvent" },
		{ { NULL }, CE, "{", NULL },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_arena a = { 0 };
		struct sw_proof proof;
		struct sw_err err = SW_ERR_INIT;
		int r = verify("unsigned: true", rows[i].h, rows[i].type, rows[i].body, NULL, 0, &a, &proof, &err);

		if (r != (rows[i].want ? -EBADMSG : 0) || (rows[i].want && !strstr(err.text, rows[i].want)))
			fail_msg("row %zu: %d %s", i, r, err.text);
		sw_arena_fini(&a);
	}
}

static void test_batch_limit(void **state)
{
	(void)state;
	for (int n = SW_EVENTS_MAX; n <= SW_EVENTS_MAX + 1; n++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
		struct sw_arena a = { 0 };
		struct sw_header h[1];
		struct sw_request rq;
		struct sw_events evs;
		struct sw_err err = SW_ERR_INIT;

		for (int i = 0; i < n; i++)
			sw_buf_printf(&b, "%s{\"specversion\":\"1.0\",\"id\":\"%d\",\"source\":\"/s\",\"type\":\"dev.cdevents.service.deployed.0.3.0\",\"data\":"
			              "{\"subject\":{\"id\":\"web\",\"content\":{\"environment\":{\"id\":\"prod\"}}}}}", i ? "," : "[", i);
		sw_buf_cat(&b, "]");
		request(&rq, h, NULL, BATCH, sw_buf_str(&b), b.n);
		sw_events_init(&evs, &a);
		assert_int_equal(sw_source_cloudevents.parse(good(&sw_source_cloudevents, "unsigned: true", &a), &rq, &evs, &err), 0);
		assert_int_equal(evs.n, SW_EVENTS_MAX);
		assert_int_equal(evs.left_out, n - SW_EVENTS_MAX);
		sw_arena_fini(&a);
	}
}

/* ---- recorded CDEvents ---- */

static char *slurp(const char *path, size_t *ret_n)
{
	FILE *f = fopen(path, "rb");
	char *s;
	long n;

	assert_non_null(f);
	(void)fseek(f, 0, SEEK_END);
	n = ftell(f);
	rewind(f);
	s = sw_malloc((size_t)n + 1);
	*ret_n = fread(s, 1, (size_t)n, f);
	s[*ret_n] = '\0';
	(void)fclose(f);
	return s;
}

/* As text, so that the shapes can be compared. Return: how many events. */
static size_t told(const char *const *headers, const char *type, const char *body, size_t n, struct sw_buf *out)
{
	struct sw_arena a = { 0 };
	struct sw_header h[12];
	struct sw_request rq;
	struct sw_events evs;
	struct sw_err err = SW_ERR_INIT;
	size_t ret;

	request(&rq, h, headers, type, body, n);
	sw_events_init(&evs, &a);
	if (sw_source_cloudevents.parse(good(&sw_source_cloudevents, "unsigned: true", &a), &rq, &evs, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < evs.n; i++) {
		struct sw_jw w;

		sw_jw_init(&w, out);
		sw_event_write(&evs.items[i], false, &w, NULL);
	}
	ret = evs.n;
	sw_arena_fini(&a);
	return ret;
}

/* One file in every shape; and as versions 0.3 and 0.4 of the specification write it. */
static size_t recorded(const char *path)
{
	struct sw_arena a = { 0 };
	struct sw_buf bare = SW_BUF_INIT, other = SW_BUF_INIT, doc = SW_BUF_INIT;
	struct sw_err err = SW_ERR_INIT;
	struct sw_jnode *root;
	const struct sw_jnode *c;
	size_t n = 0, events;
	char *body = slurp(path, &n), *old;

	assert_int_equal(sw_jtree_parse(&a, body, n, 10000, &root, &err), 0);
	c = sw_jget(root, "context");
	events = told(NULL, JSON, body, n, &bare);
	{
		const char *h[] = { "ce-specversion", "1.0", "ce-id", sw_jstr(c, "id"), "ce-source", sw_jstr(c, "source"), "ce-type", sw_jstr(c, "type"),
			            "ce-time", sw_jstr(c, "timestamp"), NULL };

		assert_int_equal(told(h, JSON, body, n, &other), events);
		assert_string_equal(sw_buf_str(&other), sw_buf_str(&bare));
	}
	sw_buf_reset(&other);
	sw_buf_printf(&doc, "[{\"specversion\":\"1.0\",\"id\":\"%s\",\"source\":\"%s\",\"type\":\"%s\",\"time\":\"%s\",\"data\":", sw_jstr(c, "id"), sw_jstr(c, "source"),
	              sw_jstr(c, "type"), sw_jstr(c, "timestamp"));
	sw_buf_catn(&doc, body, n);
	sw_buf_cat(&doc, "}]");
	assert_int_equal(told(NULL, BATCH, sw_buf_str(&doc), doc.n, &other), events);
	assert_string_equal(sw_buf_str(&other), sw_buf_str(&bare));
	sw_buf_reset(&other);
	/* the older spelling: context.version, content.url, an older minor version of the type */
	old = sw_strdup(body);
	for (char *p; (p = strstr(old, "\"specversion\""));)
		memcpy(p, "\"version\"    ", 13);
	for (char *p; (p = strstr(old, "\"uri\""));)
		memcpy(p, "\"url\"", 5);
	for (char *p; (p = strstr(old, ".0.3.0\""));)
		memcpy(p, ".0.1.1\"", 7);
	assert_int_equal(told(NULL, JSON, old, n, &other), events);
	assert_string_equal(sw_buf_str(&other), sw_buf_str(&bare));
	free(old);
	free(body);
	sw_buf_fini(&bare);
	sw_buf_fini(&other);
	sw_buf_fini(&doc);
	sw_arena_fini(&a);
	return events;
}

static void test_recorded(void **state)
{
	static const char *const wanted[] = { "pipelinerun_", "taskrun_", "service_deployed", "service_upgraded", "service_rolledback", "incident_" };
	const char *root = getenv("SW_SOURCE_ROOT"), *payloads = getenv("SW_PAYLOADS");
	size_t files = 0;
	struct dirent *e;
	char dir[600];
	DIR *d;

	(void)state;
	(void)snprintf(dir, sizeof dir, payloads ? "%s/other" : "%s/../shared/payloads/other", payloads ? payloads : root ? root : ".");
	d = opendir(dir);
	if (!d) {
		print_message("# the recorded payloads are not here: %s\n", dir);
		return;
	}
	while ((e = readdir(d))) {
		char path[1000];
		bool expect = false;
		size_t got;

		if (!sw_starts(e->d_name, "cdevents__"))
			continue;
		(void)snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		got = recorded(path);
		for (size_t i = 0; i < SW_COUNT(wanted); i++)
			expect |= sw_starts(e->d_name + strlen("cdevents__"), wanted[i]);
		if (got != expect)
			fail_msg("%s: %zu events", e->d_name, got);
		files++;
	}
	(void)closedir(d);
	assert_true(files >= 27);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who), cmocka_unit_test(test_mistakes), cmocka_unit_test(test_same), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_batch_limit), cmocka_unit_test(test_recorded),
	};

	return cmocka_run_group_tests_name("cloudevents", tests, NULL, NULL);
}
