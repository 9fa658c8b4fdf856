/* Source alertmanager: who is let in, what counts as the same delivery, the limits, and recorded bodies where there are any. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "plugins.h"

#define ARRIVED 1790000000000
#define NOBODY "{\"version\":\"4\",\"groupKey\":\"g\",\"alerts\":[]}"

/* The settings, as the plug-in has them. */
struct conf {
	const char **tokens, **logins, **service_labels, **environment_labels;
	bool is_unsigned;
};

static int verify(const struct conf *c, const char *authorization, const char *body, struct sw_arena *a, struct sw_proof *proof)
{
	struct sw_header h = { "authorization", authorization };
	struct sw_request rq = { .source = "am", .headers = &h, .n_headers = authorization ? 1 : 0, .body = body, .body_n = strlen(body),
	                         .content_type = "application/json", .arrived = ARRIVED };
	struct sw_err err = SW_ERR_INIT;
	int r = sw_source_alertmanager.verify(c, &rq, a, proof, &err);

	assert_true(r == 0 || err.text[0]);
	return r;
}

static void test_who(void **state)
{
	static const char *tokens[] = { "t-new", "t-old", NULL }, *logins[] = { "am:s3cret", "am2:with:colons", NULL };
	static const struct conf both = { .tokens = tokens, .logins = logins }, open = { .tokens = tokens, .is_unsigned = true }, nothing = { 0 };
	static const struct { const char *name; const struct conf *c; const char *header; int want, secret; } rows[] = {
		{ "token", &both, "Bearer t-new", 0, 0 },
		{ "the one being replaced", &both, "Bearer t-old", 0, 1 },
		{ "any case of the scheme, more blanks", &both, "bEARER   t-old", 0, 1 },
		{ "one letter more", &both, "Bearer t-oldx", -EACCES, -1 },
		{ "one letter less", &both, "Bearer t-ol", -EACCES, -1 },
		{ "empty", &both, "Bearer ", -EACCES, -1 },
		{ "no blank", &both, "Bearert-old", -EACCES, -1 },
		{ "token as it is", &both, "t-old", -EACCES, -1 },
		{ "nothing", &both, NULL, -EACCES, -1 },
		{ "login", &both, "Basic YW06czNjcmV0", 0, 2 },
		{ "password with colons", &both, "basic YW0yOndpdGg6Y29sb25z", 0, 3 },
		{ "another password", &both, "Basic YW06czNjcmV1", -EACCES, -1 },
		{ "NUL behind the password", &both, "Basic YW06czNjcmV0AA==", -EACCES, -1 },
		{ "not base64", &both, "Basic am:s3cret", -EACCES, -1 },
		{ "token as a login", &both, "Basic dC1uZXc=", -EACCES, -1 },
		{ "login as a token", &both, "Bearer am:s3cret", -EACCES, -1 },
		{ "unsigned is allowed", &open, NULL, 0, -1 },
		{ "what is sent has to fit all the same", &open, "Bearer wrong", -EACCES, -1 },
		{ "nothing is configured", &nothing, "Bearer x", -EACCES, -1 },
		{ "nothing is configured, nothing is sent", &nothing, NULL, -EACCES, -1 },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_arena a = { 0 };
		struct sw_proof proof;
		int r = verify(rows[i].c, rows[i].header, NOBODY, &a, &proof);

		if (r != rows[i].want || (r == 0 && proof.secret != rows[i].secret))
			fail_msg("%s: %d with secret %d, want %d with %d", rows[i].name, r, proof.secret, rows[i].want, rows[i].secret);
		sw_arena_fini(&a);
	}
}

/* One alert of a body; NULL: left out. */
static void put_alert(struct sw_buf *b, const char *status, const char *print, const char *start, const char *summary)
{
	sw_buf_printf(b, "%s{\"labels\":{\"alertname\":\"Slow\"},\"annotations\":{\"summary\":\"%s\"},\"status\":\"%s\",\"startsAt\":\"%s\"",
	              b->n && b->p[b->n - 1] == '}' ? "," : "", summary, status, start);
	if (print)
		sw_buf_printf(b, ",\"fingerprint\":\"%s\"", print);
	sw_buf_putc(b, '}');
}

static const char *key_of(const char *group, const char *alerts, int truncated, struct sw_arena *a)
{
	static const struct conf c = { .is_unsigned = true };
	struct sw_proof proof;

	assert_int_equal(verify(&c, NULL, sw_arena_printf(a, "{\"version\":\"4\",\"status\":\"firing\",\"groupKey\":\"%s\",\"truncatedAlerts\":%d,\"alerts\":[%s]}",
	                                                  group, truncated, alerts), a, &proof), 0);
	assert_string_equal(proof.what, "firing");
	assert_true(proof.dedupe_for > 0 && proof.dedupe_for <= 10 * SW_MINUTE);
	return proof.dedupe;
}

/* A repeat of the same state is the same delivery, however the annotations and the order changed; anything else is not. */
static void test_key(void **state)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf base = SW_BUF_INIT, same = SW_BUF_INIT, ended = SW_BUF_INIT, later = SW_BUF_INIT, other = SW_BUF_INIT;
	struct sw_arena a = { 0 };
	const char *key;

	(void)state;
	put_alert(&base, "firing", "aa", "2026-09-21T13:46:40Z", "3.1 s");
	put_alert(&base, "firing", "bb", "2026-09-21T13:46:41Z", "3.2 s");
	put_alert(&same, "firing", "bb", "2026-09-21T13:46:41.000Z", "4 s");
	put_alert(&same, "firing", "aa", "2026-09-21T15:46:40+02:00", "5 s");
	put_alert(&ended, "firing", "aa", "2026-09-21T13:46:40Z", "3.1 s");
	put_alert(&ended, "resolved", "bb", "2026-09-21T13:46:41Z", "3.2 s");
	put_alert(&later, "firing", "aa", "2026-09-21T13:46:40Z", "3.1 s");
	put_alert(&later, "firing", "bb", "2026-09-21T13:46:42Z", "3.2 s");
	put_alert(&other, "firing", "aa", "2026-09-21T13:46:40Z", "3.1 s");
	put_alert(&other, "firing", "cc", "2026-09-21T13:46:41Z", "3.2 s");
	key = key_of("g", base.p, 0, &a);
	assert_non_null(key);
	assert_string_equal(key_of("g", same.p, 0, &a), key);
	assert_string_not_equal(key_of("g", ended.p, 0, &a), key);
	assert_string_not_equal(key_of("g", later.p, 0, &a), key);
	assert_string_not_equal(key_of("g", other.p, 0, &a), key);
	assert_string_not_equal(key_of("h", base.p, 0, &a), key);
	assert_null(key_of("g", base.p, 1, &a)); /* not all alerts are there to compare: the body's digest is the key */
	sw_arena_fini(&a);
}

/* Who is authentic and sends nonsense passes verify, check says what is wrong. */
static void test_check(void **state)
{
	static const struct { const char *body, *want; } rows[] = {
		{ NOBODY, "" },
		{ "{\"alerts\":[]}", "version: is missing, want the body of Alertmanager's webhook" },
		{ "{\"version\":\"5\"}", "version: want \"4\", got \"5\"" },
		{ "{\"version\":\"4\\n\\u0000\"}", NULL },
		{ "{\"version\":4}", "" },
		{ "[]", "want a JSON object" },
		{ "{\"version\":\"4\",\"alerts\":[{\"labels\":{\"a\"}}]}", NULL },
	};
	static const struct conf c = { .is_unsigned = true };

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_arena a = { 0 };
		struct sw_err err = SW_ERR_INIT;
		struct sw_proof proof;
		int r = sw_source_alertmanager.check(rows[i].body, strlen(rows[i].body), &err);

		assert_int_equal(verify(&c, NULL, rows[i].body, &a, &proof), 0);
		assert_int_equal(r, rows[i].want && !*rows[i].want ? 0 : -EBADMSG);
		assert_null(strchr(err.text, '\n'));
		if (r < 0 && rows[i].want)
			assert_string_equal(err.text, rows[i].want);
		sw_arena_fini(&a);
	}
}

static int parse(const struct conf *c, const char *body, size_t n, struct sw_arena *a, struct sw_events *evs)
{
	struct sw_request rq = { .source = "am", .body = body, .body_n = n, .content_type = "application/json", .arrived = ARRIVED };
	struct sw_err err = SW_ERR_INIT;

	sw_events_init(evs, a);
	return sw_source_alertmanager.parse(c, &rq, evs, &err);
}

static void test_many(void **state)
{
	static const struct conf c = { 0 };

	(void)state;
	for (int n = SW_EVENTS_MAX; n <= SW_EVENTS_MAX + 3; n += 3) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
		struct sw_arena a = { 0 };
		struct sw_events evs;
		char print[20];

		sw_buf_cat(&b, "{\"version\":\"4\",\"truncatedAlerts\":2,\"alerts\":[");
		for (int i = 0; i < n; i++) {
			(void)snprintf(print, sizeof print, "%04x", i);
			put_alert(&b, "firing", print, "2026-09-21T13:46:40Z", "x");
		}
		sw_buf_cat(&b, "]}");
		assert_int_equal(parse(&c, b.p, b.n, &a, &evs), 0);
		assert_int_equal(evs.n, SW_EVENTS_MAX);
		assert_true(evs.cut);
		assert_int_equal(evs.left_out, n - SW_EVENTS_MAX + 2);
		sw_arena_fini(&a);
	}
}

/* Long names, long values, many of them: bounded, and what says which alert it is stays. */
static void labels_of(int width, size_t want)
{
	static const char *services[] = { "team_service", NULL }, *environments[] = { "cluster", NULL };
	static const struct conf c = { .service_labels = services, .environment_labels = environments };
	struct sw_buf b = SW_BUF_INIT;
	struct sw_arena a = { 0 };
	struct sw_events evs;
	const struct sw_event *ev;
	size_t bytes = 0;

	sw_buf_cat(&b, "{\"version\":\"4\",\"alerts\":[{\"status\":\"firing\",\"startsAt\":\"2026-09-21T13:46:40Z\",\"labels\":{\"service\":\"no\",");
	for (int i = 0; i < 200; i++)
		sw_buf_printf(&b, "\"l%03d\":\"%0*d\",", i, width, i);
	for (int n = 128; n <= 129; n++)
		sw_buf_printf(&b, "\"%0*d\":\"x\",", n, n);
	sw_buf_cat(&b, "\"cluster\":\"prod-hz\",\"team_service\":\"shop\",\"team_service\":\"pay\",\"alertname\":\"Wide\"}}]}");
	assert_int_equal(parse(&c, b.p, b.n, &a, &evs), 0);
	assert_int_equal(evs.n, 1);
	ev = &evs.items[0];
	assert_int_equal(ev->n_labels, want);
	assert_string_equal(ev->labels[0].value, "Wide");
	assert_string_equal(ev->service, "pay"); /* of equal names the last */
	assert_string_equal(ev->environment, "prod-hz");
	assert_string_equal(ev->title, "Wide");
	assert_int_equal(strlen(ev->alarm_id), 16);
	for (size_t i = 0; i < ev->n_labels; i++) {
		assert_true(strlen(ev->labels[i].value) <= 256 && strlen(ev->labels[i].name) <= 128);
		bytes += strlen(ev->labels[i].value) + strlen(ev->labels[i].name);
	}
	assert_true(bytes <= 4096);
	sw_arena_fini(&a);
	sw_buf_fini(&b);
}

static void test_labels(void **state)
{
	(void)state;
	labels_of(5, SW_EVENT_LABELS);
	labels_of(300, 5 + 15); /* what is short, and as many as fit of 256 bytes */
}

/* Bodies that Alertmanagers have sent, beside the tree: every alert is understood, and none is a success that was not resolved. */
static void test_recorded(void **state)
{
	static const struct conf c = { 0 };
	const char *root = getenv("SW_SOURCE_ROOT"), *payloads = getenv("SW_PAYLOADS");
	char dir[600], path[900];
	struct dirent *e;
	int files = 0;
	DIR *d;

	(void)state;
	(void)snprintf(dir, sizeof dir, "%s%s/other", payloads ? payloads : root ? root : ".", payloads ? "" : "/../shared/payloads");
	d = opendir(dir);
	while (d && (e = readdir(d))) {
		static char body[1 << 20];
		struct sw_arena a = { 0 };
		struct sw_events evs;
		size_t n;
		FILE *f;

		if (!strstr(e->d_name, "alertmanager"))
			continue;
		(void)snprintf(path, sizeof path, "%.590s/%.300s", dir, e->d_name);
		f = fopen(path, "rb");
		assert_non_null(f);
		n = fread(body, 1, sizeof body - 1, f);
		(void)fclose(f);
		body[n] = '\0';
		assert_int_equal(parse(&c, body, n, &a, &evs), 0);
		for (size_t i = 0; i < evs.n; i++)
			assert_true(evs.items[i].status != SW_ST_SUCCESS || strstr(body, "\"resolved\""));
		files++;
		sw_arena_fini(&a);
	}
	if (d)
		(void)closedir(d);
	if (!files)
		print_message("# no recorded bodies of Alertmanager (SW_PAYLOADS names their folder)\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who), cmocka_unit_test(test_key), cmocka_unit_test(test_check), cmocka_unit_test(test_many),
		cmocka_unit_test(test_labels), cmocka_unit_test(test_recorded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
