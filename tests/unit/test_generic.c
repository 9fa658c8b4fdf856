/* Source generic: what a configuration may say, who is let in, what counts as the same delivery, pointers, and the limits of all of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hmac.h"
#include "source/mapping.h"
#include "unit/source_rig.h"

#define MIN "tokens: t\nfields: {repo: /r, env: /e}\nstatus: {at: /s, success: ok, failed: [bad, worse]}\n"
#define H(...) ((const char *[]){ __VA_ARGS__, NULL })

/* ---- settings ---- */

static void test_mistakes(void **state)
{
	static const struct { const char *yaml, *want; } rows[] = {
		{ MIN, NULL },
		{ "fields: {repo: /r, env: /e}\nstatus: success\n", "nobody may send: want tokens, logins, or secrets with a signature" },
		{ "unsigned: true\nfields: {repo: /r, env: /e}\nstatus: success\n", NULL },
		{ "tokens: t\nfields: {repo: /r, env: /e}\n", "a deployment wants \"status\"" },
		{ "tokens: t\nfields: {repo: /r}\nstatus: success\n", "a deployment wants a field \"env\"" },
		{ "tokens: t\nfields: {env: /e}\nstatus: success\n", "want a field \"repo\" or \"service\"" },
		{ "tokens: t\nevent: push\nfields: {repo: /r, ref: /ref}\n", NULL },
		{ "tokens: t\nevent: alarm\nfields: {service: /r}\nstatus: failed\n", "an alarm wants a field \"alarm_id\"" },
		{ "tokens: t\nevent: deploymnt\nfields: {repo: /r, env: /e}\nstatus: success\n", "unknown kind \"deploymnt\", did you mean \"deployment\"?" },
		{ "tokens: t\nfields: {repo: build.repo, env: /e}\nstatus: success\n", "want a JSON Pointer such as /build/status, got \"build.repo\"" },
		{ "tokens: t\nfields: {repo: /a~2b, env: /e}\nstatus: success\n", "want a JSON Pointer" },
		{ "tokens: t\nfields: {repo: /a~, env: /e}\nstatus: success\n", "want a JSON Pointer" },
		{ "tokens: t\nfields: {repo: /r, environment: /e}\nstatus: success\n", "unknown field \"environment\", did you mean \"env\"?" },
		{ "tokens: t\nfields: {repo: /r, env: /e, status: /s}\nstatus: success\n", "\"status\" stands beside \"fields\"" },
		{ "tokens: t\nfields: {repo: /r, env: /e, shaa: /s}\nstatus: success\n", "unknown field \"shaa\", did you mean \"sha\"?" },
		{ "tokens: t\nfields: {repo: {at: /r, header: X-R}, env: /e}\nstatus: success\n", "want one of at, header and value" },
		{ "tokens: t\nfields: {repo: {}, env: /e}\nstatus: success\n", "want one of at, header and value" },
		{ "tokens: t\nfields: {repo: {at: /r, afterr: x}, env: /e}\nstatus: success\n", "unknown key \"afterr\", did you mean \"after\"?" },
		{ "tokens: t\nfields: {repo: {header: \"X R\"}, env: /e}\nstatus: success\n", "want the name of a header" },
		{ "tokens: t\nfields: {repo: {header: Authorization}, env: /e}\nstatus: success\n", "the header Authorization is a secret" },
		{ "tokens: t\nfields: {repo: [], env: /e}\nstatus: success\n", "want 1 to 16 places, got 0" },
		{ "tokens: t\nfields: [repo]\nstatus: success\n", "want a map" },
		{ "tokens: t\nfields: {repo: /r, env: /e}\nstatus: sucess\n", "did you mean \"success\"?" },
		{ "tokens: t\nfields: {repo: /r, env: /e}\nstatus: {success: ok}\n", "\"at\" is missing" },
		{ "tokens: t\nfields: {repo: /r, env: /e}\nstatus: {at: /s}\n", "which of its values are success" },
		{ "tokens: t\nfields: {repo: /r, env: /e}\nstatus: {at: /s, succes: ok}\n", "unknown key \"succes\", did you mean \"success\"?" },
		{ "tokens: t\nfields: {repo: /r, env: /e}\nstatus: success\neach: ./x\n", "each: want a pointer from the root" },
		{ "tokens: t\nfields: {repo: /r, env: /e}\nstatus: success\nwhen: {is: x}\n", "want one of at, header and value" },
		{ "tokens: t\nfields: {repo: /r, env: /e}\nstatus: success\nwhen: [x]\n", "want a map" },
		{ "tokens: t\nevents: []\n", "events: want a list of 1 to 64 maps" },
		{ "tokens: t\nevents: [{event: push, fields: {repo: /r}, filds: {}}]\n", "unknown key \"filds\", did you mean \"fields\"?" },
		{ "secrets: s\nfields: {repo: /r, env: /e}\nstatus: success\n", "secrets want \"signature\"" },
		{ "tokens: t\nsignature: {header: X}\nfields: {repo: /r, env: /e}\nstatus: success\n", "a signature wants \"secrets\"" },
		{ "secrets: s\nsignature: {algorithm: sha256}\nfields: {repo: /r, env: /e}\nstatus: success\n", "header" },
		{ "secrets: s\nsignature: {header: X, algorithm: md5}\nfields: {repo: /r, env: /e}\nstatus: success\n", "algorithm" },
		{ "secrets: s\nsignature: {header: X, over: \"{bdy}\"}\nfields: {repo: /r, env: /e}\nstatus: success\n", "want {body}, {timestamp} or {secret}" },
		{ "secrets: s\nsignature: {header: X, over: \"{secret}\"}\nfields: {repo: /r, env: /e}\nstatus: success\n", "one signature would fit everything" },
		{ "secrets: s\nsignature: {header: X, over: \"{timestamp}.{body}\"}\nfields: {repo: /r, env: /e}\nstatus: success\n", "{timestamp} wants" },
		{ "logins: \"a:b\"\ntoken_header: X-T\nfields: {repo: /r, env: /e}\nstatus: success\n", "want \"tokens\"" },
		{ MIN "extra: 1\n", "unknown" },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_arena a = { 0 };
		const char *why;

		(void)settings(&sw_source_generic, rows[i].yaml, &a, &why);
		if (!rows[i].want != !why || (why && !strstr(why, rows[i].want)))
			fail_msg("row %zu: %s, want %s", i, why ? why : "no mistake", rows[i].want ? rows[i].want : "none");
		if (why)
			assert_true(sw_starts(why, "s.yaml:"));
		sw_arena_fini(&a);
	}
}

/* ---- who is let in ---- */

#define REST "fields: {repo: /r, env: /e}\nstatus: success\n"
#define SIGNED(more) "secrets: [other, shipwatch]\nsignature: {header: X-Sig" more "}\n" REST
#define BODY "{\"ref\":\"refs/tags/v1.2.3\",\"msg\":\"caf\xc3\xa9\"}"
#define MAC "ec24af1ea135da5270d8686becf5ac7d0f13403153d3566f6aedf60b3a9a6165"
#define GITEE "secrets: bBg5lrt03VixkX85CNqYIcecC0SIGASE\nsignature: {header: X-Gitee-Token, encoding: base64, over: \"{timestamp}\\n{secret}\", timestamp: X-Gitee-Timestamp, within: 1h}\n" REST
#define GITEE_SIG "Xvh4YPVe6l31XpDRL9J2yeaEXabsckIoUUschpXiVck="

static void test_who(void **state)
{
	static const struct { const char *name, *yaml, *h[5], *query; sw_ms now; int want, secret; } rows[] = {
		{ "Bearer token", "tokens: [new, old]\n" REST, { "authorization", "Bearer old" }, NULL, 0, 0, 1 },
		{ "wrong token", "tokens: [new, old]\n" REST, { "authorization", "Bearer older" }, NULL, 0, -EACCES, 0 },
		{ "nothing", "tokens: [new, old]\n" REST, { NULL }, NULL, 0, -EACCES, 0 },
		{ "own header", "tokens: t\ntoken_header: X-Token\n" REST, { "x-token", "t" }, NULL, 0, 0, 0 },
		{ "own header, in the other one", "tokens: t\ntoken_header: X-Token\n" REST, { "authorization", "Bearer t" }, NULL, 0, -EACCES, 0 },
		{ "own header twice", "tokens: t\ntoken_header: X-Token\n" REST, { "x-token", "t", "x-token", "t" }, NULL, 0, -EACCES, 0 },
		{ "authorization twice", "tokens: t\n" REST, { "authorization", "Bearer t", "authorization", "Bearer x" }, NULL, 0, -EACCES, 0 },
		{ "own header empty", "tokens: t\ntoken_header: X-Token\n" REST, { "x-token", "" }, NULL, 0, -EACCES, 0 },
		{ "login", "tokens: t\nlogins: [\"am:s3cret\"]\n" REST, { "authorization", "Basic YW06czNjcmV0" }, NULL, 0, 0, 1 },
		{ "login beside own header", "tokens: t\ntoken_header: X-Token\nlogins: \"am:s3cret\"\n" REST, { "authorization", "Basic YW06czNjcmV0" }, NULL, 0, 0, 1 },
		{ "in the address", "tokens: [a, \"b c\"]\ntoken_query: token\n" REST, { NULL }, "x=1&token=b%20c", 0, 0, 1 },
		{ "in the address twice", "tokens: t\ntoken_query: token\n" REST, { NULL }, "token=t&token=t", 0, -EACCES, 0 },
		{ "in the address, not configured", "tokens: t\n" REST, { NULL }, "token=t", 0, -EACCES, 0 },
		{ "in the address, another name", "tokens: t\ntoken_query: token\n" REST, { NULL }, "mytoken=t", 0, -EACCES, 0 },
		{ "HMAC", SIGNED(""), { "x-sig", MAC }, NULL, 0, 0, 1 },
		{ "HMAC, upper case", SIGNED(""), { "x-sig", "EC24AF1EA135DA5270D8686BECF5AC7D0F13403153D3566F6AEDF60B3A9A6165" }, NULL, 0, 0, 1 },
		{ "HMAC, a digit short", SIGNED(""), { "x-sig", "ec24af1ea135da5270d8686becf5ac7d0f13403153d3566f6aedf60b3a9a616" }, NULL, 0, -EACCES, 0 },
		{ "HMAC, twice", SIGNED(""), { "x-sig", MAC, "x-sig", MAC }, NULL, 0, -EACCES, 0 },
		{ "HMAC, empty", SIGNED(""), { "x-sig", "" }, NULL, 0, -EACCES, 0 },
		{ "prefix", SIGNED(", prefix: \"sha256=\""), { "x-sig", "sha256=" MAC }, NULL, 0, 0, 1 },
		{ "prefix is missing", SIGNED(", prefix: \"sha256=\""), { "x-sig", MAC }, NULL, 0, -EACCES, 0 },
		{ "another algorithm", SIGNED(", algorithm: sha512"), { "x-sig", MAC }, NULL, 0, -EACCES, 0 },
		{ "Gitee's own vector", GITEE, { "x-gitee-token", GITEE_SIG, "x-gitee-timestamp", "1633679083918" }, NULL, 1633679083918, 0, 0 },
		{ "Gitee, a millisecond off", GITEE, { "x-gitee-token", GITEE_SIG, "x-gitee-timestamp", "1633679083917" }, NULL, 1633679083918, -EACCES, 0 },
		{ "Gitee, an hour old", GITEE, { "x-gitee-token", GITEE_SIG, "x-gitee-timestamp", "1633679083918" }, NULL, 1633679083918 + SW_HOUR, 0, 0 },
		{ "Gitee, older", GITEE, { "x-gitee-token", GITEE_SIG, "x-gitee-timestamp", "1633679083918" }, NULL, 1633679083919 + SW_HOUR, -EACCES, 0 },
		{ "Gitee, ahead", GITEE, { "x-gitee-token", GITEE_SIG, "x-gitee-timestamp", "1633679083918" }, NULL, 1633679083917 - SW_HOUR, -EACCES, 0 },
		{ "Gitee, no time", GITEE, { "x-gitee-token", GITEE_SIG }, NULL, 1633679083918, -EACCES, 0 },
		{ "Gitee, time is text", GITEE, { "x-gitee-token", GITEE_SIG, "x-gitee-timestamp", "+1633679083918" }, NULL, 1633679083918, -EACCES, 0 },
		{ "unsigned", "unsigned: true\n" REST, { NULL }, NULL, 0, 0, -1 },
		{ "unsigned, but what is shown has to fit", "unsigned: true\ntokens: t\n" REST, { "authorization", "Bearer x" }, NULL, 0, -EACCES, 0 },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_arena a = { 0 };
		struct sw_header h[4];
		struct sw_request rq;
		struct sw_proof proof;
		struct sw_err err = SW_ERR_INIT;
		void *conf = good(&sw_source_generic, rows[i].yaml, &a);
		int r;

		request(&rq, h, rows[i].h, "application/json", BODY, strlen(BODY));
		rq.query = rows[i].query;
		rq.arrived = rows[i].now ? rows[i].now : ARRIVED;
		r = sw_source_generic.verify(conf, &rq, &a, &proof, &err);
		if (r != rows[i].want || (r == 0 && proof.secret != rows[i].secret))
			fail_msg("%s: %d, secret %d", rows[i].name, r, proof.secret);
		if (r < 0)
			assert_true(err.text[0]);
		sw_arena_fini(&a);
	}
}

/* The four digests by published vectors (RFC 2202 and 4231, case 2), and pieces are the same as the whole. */
static void test_digests(void **state)
{
	static const char *const want[] = {
		"effcdf6ae5eb2fa2d27416d5f184df9c259a7c79", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
		"af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
		"164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737" };
	static const char text[] = "what do ya want for nothing?";

	(void)state;
	for (int d = SW_HASH_SHA1; d <= SW_HASH_SHA512; d++)
		for (size_t at = 0; at < sizeof text; at += 7) {
			const struct sw_piece pieces[] = { { text, at }, { NULL, 0 }, { text + at, sizeof text - 1 - at } };
			unsigned char out[SW_HASH_MOST];
			size_t n = sw_hmac_of((enum sw_hash)d, "Jefe", 4, pieces, 3, out);
			SW_CLEANUP(sw_buf_fini) struct sw_buf hex = SW_BUF_INIT;

			sw_hex_encode(&hex, out, n);
			assert_string_equal(sw_buf_str(&hex), want[d]);
		}
}

/* ---- redeliveries ---- */

static const char *key(const char *delivery, const char *const *headers, const char *body, struct sw_arena *a, sw_dur *ret_for)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf yaml = SW_BUF_INIT;
	struct sw_header h[4];
	struct sw_request rq;
	struct sw_proof proof;
	struct sw_err err = SW_ERR_INIT;

	sw_buf_printf(&yaml, "unsigned: true\ndelivery: %s\n" REST, delivery);
	request(&rq, h, headers, "application/json", body, strlen(body));
	assert_int_equal(sw_source_generic.verify(good(&sw_source_generic, sw_buf_str(&yaml), a), &rq, a, &proof, &err), 0);
	*ret_for = proof.dedupe_for;
	return proof.dedupe;
}

static void test_delivery(void **state)
{
	struct sw_arena a = { 0 };
	sw_dur how_long;

	(void)state;
	assert_string_equal(key("{header: X-Id}", H("x-id", "7"), "{}", &a, &how_long), "7");
	assert_int_equal(how_long, 3 * SW_DAY);
	assert_string_equal(key("/id", NULL, "{\"id\":7}", &a, &how_long), "7");
	assert_string_equal(key("[/a, {at: /b/c}]", NULL, "{\"a\":\"x\",\"b\":{\"c\":true}}", &a, &how_long), "x\ntrue");
	/* where one of them is not there, or it is no JSON, the body has to do, and for ten minutes only */
	assert_null(key("[/a, /b]", NULL, "{\"a\":\"x\"}", &a, &how_long));
	assert_int_equal(how_long, 10 * SW_MINUTE);
	assert_null(key("/id", NULL, "{", &a, &how_long));
	assert_null(key("/id", NULL, "{\"id\":\"\"}", &a, &how_long));
	sw_arena_fini(&a);
}

/* By headers alone it can be known that a delivery is of no interest. */
static void test_ignored(void **state)
{
	static const char yaml[] = "unsigned: true\nevents:\n- {event: push, when: {header: X-Event, is: \"push*\"}, fields: {repo: /r}}\n"
		"- {event: merge, when: [{header: X-Event, is_not: [\"push*\", note]}, {at: /a}], fields: {repo: /r}}\n";
	static const struct { const char *event; bool ignored; } rows[] = { { "push", false }, { "push_tag", false }, { "note", true }, { "merge", false } };
	struct sw_arena a = { 0 };
	void *conf = good(&sw_source_generic, yaml, &a);

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_header h[4];
		struct sw_request rq;
		struct sw_proof proof;
		struct sw_err err = SW_ERR_INIT;

		request(&rq, h, H("x-event", rows[i].event), "application/json", "{}", 2);
		assert_int_equal(sw_source_generic.verify(conf, &rq, &a, &proof, &err), 0);
		assert_int_equal(proof.ignore, rows[i].ignored);
		request(&rq, h, H("x-event", rows[i].event, "x-event", "push"), "application/json", "{}", 2);
		assert_int_equal(sw_source_generic.verify(conf, &rq, &a, &proof, &err), -EBADMSG);
	}
	assert_string_equal(sw_source_generic.more(conf)[0], "x-event");
	assert_null(sw_source_generic.more(conf)[1]);
	sw_arena_fini(&a);
}

/* ---- bodies ---- */

static struct sw_event *events(const char *yaml, const char *const *headers, const char *body, size_t n, struct sw_arena *a, struct sw_events *evs)
{
	struct sw_header h[4];
	struct sw_request rq;
	struct sw_err err = SW_ERR_INIT;

	request(&rq, h, headers, "application/json", body, n);
	sw_events_init(evs, a);
	if (sw_source_generic.parse(good(&sw_source_generic, yaml, a), &rq, evs, &err) < 0)
		fail_msg("%s", err.text);
	return evs->items;
}

static void test_fields(void **state)
{
	static const char yaml[] = "unsigned: true\nfields:\n"
		"  repo: [/nothing, /a~1b/~0c/1]\n  env: {value: prod}\n  branch: {at: /branch, after: origin/}\n"
		"  sha: {at: /rev, after_last: \":\"}\n  version: {at: /rev, after: \":\", before: \":\"}\n  user: {header: X-User}\n"
		"  attempt: /n\n  duration_s: /t\n  coverage_pct: /cov\n  at: /when\n  started_at: /soon\n  job_id: /big\n  title: /msg\n  url: /\n  author: /list\n"
		"status: {at: /ok, success: \"true\", failed: \"false\"}\nlabels: {l: /msg, none: /none}\nmetrics: /m\n";
	static const char body[] = "{\"a/b\":{\"~c\":[0,\"https://git.example.com:8443/acme/web.git\"]},\"branch\":\"origin/feature/origin/x\","
		"\"rev\":\"x:main:4F2a61d0c2b84b7d9d3c1f0a5e6b7c8d9e0f1a2b\",\"n\":3,\"t\":1.5,\"cov\":\"87.5\",\"when\":1789999999,\"soon\":\"soon\","
		"\"big\":12877621891123,\"msg\":\"first\\nsecond\",\"\":\"https://x\",\"ok\":true,\"list\":[1],\"m\":{\"a\":1,\"b\":\"2\",\"c\":1e999}}";
	struct sw_arena a = { 0 };
	struct sw_events evs;
	struct sw_event *ev = events(yaml, H("x-user", "lin"), body, strlen(body), &a, &evs);

	(void)state;
	assert_int_equal(evs.n, 1);
	assert_string_equal(ev->repo, "acme/web");
	assert_string_equal(ev->host, "git.example.com:8443");
	assert_string_equal(ev->environment, "prod");
	assert_string_equal(ev->branch, "feature/origin/x");
	assert_string_equal(ev->ref, "refs/heads/feature/origin/x");
	assert_string_equal(ev->sha, "4f2a61d0c2b84b7d9d3c1f0a5e6b7c8d9e0f1a2b");
	assert_string_equal(ev->version, "main");
	assert_string_equal(ev->user, "lin");
	assert_int_equal(ev->attempt, 3);
	assert_true(ev->duration_ms == 1500 && ev->coverage == 0.875);
	assert_int_equal(ev->at, 1789999999000);
	assert_int_equal(ev->started_at, 0); /* no time is no time */
	assert_string_equal(ev->job_id, "12877621891123");
	assert_string_equal(ev->title, "first");
	assert_string_equal(ev->url, "https://x");
	assert_null(ev->author);
	assert_int_equal(ev->status, SW_ST_SUCCESS);
	assert_int_equal(ev->n_labels, 1);
	assert_int_equal(ev->n_metrics, 1);
	sw_arena_fini(&a);
}

/* Wrong types, wrong values, times far away: left out, never taken for something else. */
static void test_nonsense(void **state)
{
	static const char yaml[] = "unsigned: true\nfields: {repo: /r, env: /e, sha: /sha, duration_ms: /d, coverage_pct: /c, attempt: /n, at: /at, finished_at: /f}\n"
		"status: {at: /s, success: ok, failed: bad}\n";
	static const struct { const char *json; enum sw_status status; sw_ms at; } rows[] = {
		{ "{\"r\":\"a/b\",\"e\":\"p\",\"s\":\"OK\"}", SW_ST_OTHER, ARRIVED },
		{ "{\"r\":\"a/b\",\"e\":\"p\",\"s\":null}", SW_ST_OTHER, ARRIVED },
		{ "{\"r\":\"a/b\",\"e\":\"p\",\"s\":{\"x\":1}}", SW_ST_OTHER, ARRIVED },
		{ "{\"r\":\"a/b\",\"e\":\"p\",\"s\":\"ok\",\"sha\":\"0000000000000000000000000000000000000000\",\"d\":-5,\"c\":101,\"n\":\"many\"}", SW_ST_SUCCESS, ARRIVED },
		{ "{\"r\":\"a/b\",\"e\":\"p\",\"s\":\"ok\",\"sha\":\"xyz\",\"d\":\"1e400\",\"c\":-1,\"n\":1e9,\"f\":-1,\"at\":\"\"}", SW_ST_SUCCESS, ARRIVED },
		{ "{\"r\":\"a/b\",\"e\":\"p\",\"s\":\"ok\",\"at\":\"1970-01-02T00:00:00Z\"}", SW_ST_SUCCESS, 86400000 },
		{ "{\"r\":\"a/b\",\"e\":\"p\",\"s\":\"ok\",\"at\":\"1960-01-02T00:00:00Z\"}", SW_ST_SUCCESS, ARRIVED },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_arena a = { 0 };
		struct sw_events evs;
		struct sw_event *ev = events(yaml, NULL, rows[i].json, strlen(rows[i].json), &a, &evs);

		assert_int_equal(evs.n, 1);
		assert_int_equal(ev->status, rows[i].status);
		assert_int_equal(ev->at, rows[i].at);
		assert_null(ev->sha);
		assert_true(ev->duration_ms == -1 && ev->coverage == -1 && ev->attempt == 0);
		sw_arena_fini(&a);
	}
	for (size_t i = 0; i < 3; i++) { /* nobody's event is none */
		static const char *const none[] = { "{}", "[]", "{\"r\":{},\"e\":\"p\",\"s\":\"ok\"}" };
		struct sw_arena a = { 0 };
		struct sw_events evs;

		(void)events(yaml, NULL, none[i], strlen(none[i]), &a, &evs);
		assert_int_equal(evs.n, 0);
		sw_arena_fini(&a);
	}
}

static void test_each(void **state)
{
	static const char yaml[] = "unsigned: true\neach: /list\nwhen: {at: ./skip, is_not: \"true\"}\nfields: {repo: /r, env: ./e}\nlabels: {both: /r, own: ./e}\n"
		"status: {at: ./s, success: ok, failed: bad}\n";

	(void)state;
	for (int n = SW_EVENTS_MAX; n <= SW_EVENTS_MAX + 1; n++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
		struct sw_arena a = { 0 };
		struct sw_events evs;

		sw_buf_cat(&b, "{\"r\":\"a/b\",\"list\":[{\"skip\":true,\"e\":\"x\",\"s\":\"ok\"},7");
		for (int i = 0; i < n; i++)
			sw_buf_printf(&b, ",{\"e\":\"e%d\",\"s\":\"%s\"}", i, i % 2 ? "bad" : "ok");
		sw_buf_cat(&b, "]}");
		(void)events(yaml, NULL, sw_buf_str(&b), b.n, &a, &evs);
		assert_int_equal(evs.n, SW_EVENTS_MAX); /* of the 7 there is a repo and no environment: an event too */
		assert_int_equal(evs.left_out, n + 1 - SW_EVENTS_MAX);
		assert_string_equal(evs.items[2].environment, "e1");
		assert_int_equal(evs.items[2].status, SW_ST_FAILED);
		assert_int_equal(evs.items[2].n_labels, 2);
		assert_string_equal(evs.items[1].labels[1].value, "e0");
		sw_arena_fini(&a);
	}
}

static void test_values_limit(void **state)
{
	(void)state;
	for (int more = 0; more < 2; more++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
		struct sw_err err = SW_ERR_INIT;
		struct sw_arena a = { 0 };
		struct sw_jnode *root;

		sw_buf_cat(&b, "{\"a\":[0");
		for (int i = 0; i < MAPPING_NODES - 3 + more; i++)
			sw_buf_cat(&b, ",0");
		sw_buf_cat(&b, "]}");
		assert_int_equal(sw_source_generic.check(sw_buf_str(&b), b.n, &err), more ? -EBADMSG : 0);
		if (more)
			assert_string_equal(err.text, "want at most 200000 values in one body");
		else
			assert_int_equal(sw_jtree_parse(&a, sw_buf_str(&b), b.n, MAPPING_NODES, &root, &err), 0);
		sw_arena_fini(&a);
	}
}

/* A million elements that are looked at one by one take no longer than their number. */
static void test_cost(void **state)
{
	static const char yaml[] = "unsigned: true\neach: /l\nwhen: [{at: ./x, is: never}, {at: /r}]\nfields: {repo: /r, env: /e}\nstatus: {at: /s, success: ok, failed: no}\n";
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_arena a = { 0 };
	struct sw_events evs;

	(void)state;
	sw_buf_cat(&b, "{\"l\":[0");
	for (int i = 0; i < MAPPING_NODES / 2; i++)
		sw_buf_cat(&b, ",0");
	sw_buf_cat(&b, "]");
	for (int i = 0; i < MAPPING_NODES / 2 - 100; i++)
		sw_buf_printf(&b, ",\"k%d\":0", i);
	sw_buf_cat(&b, ",\"r\":\"a/b\"}");
	(void)events(yaml, NULL, sw_buf_str(&b), b.n, &a, &evs); /* quadratic, this would take minutes */
	assert_int_equal(evs.n, 0);
	sw_arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mistakes), cmocka_unit_test(test_who), cmocka_unit_test(test_digests), cmocka_unit_test(test_delivery),
		cmocka_unit_test(test_ignored), cmocka_unit_test(test_fields), cmocka_unit_test(test_nonsense), cmocka_unit_test(test_each),
		cmocka_unit_test(test_values_limit), cmocka_unit_test(test_cost),
	};

	return cmocka_run_group_tests_name("generic", tests, NULL, NULL);
}
