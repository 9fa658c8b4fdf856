/* Where Redis is: what is said of TLS and of the sentinels goes with the address, to all who have no more than that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/str.h"
#include "config/config.h"
#include "config_rig.h"
#include "shipwatch/mem.h"

#define REST "sources: {gitlab: {tokens: [t]}}\nchannels: {ops: {kind: console}}\nservices: {web: {repo: acme/web, environments: {prod: \"https://a/\"}}}\n"

static void test_redis(void **state)
{
	static const struct { const char *said, *whole; } rows[] = {
		{ "\"redis://10.0.0.5\"", "redis://10.0.0.5" },
		{ "{url: \"unix:///run/r.sock?db=1\"}", "unix:///run/r.sock?db=1" },
		{ "\"redis://:what?@10.0.0.5\"", "redis://:what?@10.0.0.5" },
		{ "\"rediss://[::1]:6380/2\"", "rediss://[::1]:6380/2" },
		{ "{url: \"rediss://r\", ca_file: /dev/null, cert_file: /dev/zero, key_file: /dev/full, server_name: r.example.com}",
		  "rediss://r?ca_file=%2Fdev%2Fnull&cert_file=%2Fdev%2Fzero&key_file=%2Fdev%2Ffull&server_name=r.example.com" },
		{ "\"redis+sentinel://a,[::1]:5,c:26379/main/3\"", "redis+sentinel://a,[::1]:5,c:26379/main/3" },
		{ "\"redis+sentinel://1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6/m\"", "redis+sentinel://1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6/m" },
		{ "{url: \"rediss+sentinel://u:p@a,b/main\", sentinel_user: s t, sentinel_password: \"a&b=?\"}",
		  "rediss+sentinel://u:p@a,b/main?sentinel_user=s%20t&sentinel_password=a%26b%3D%3F" },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		for (int ca = 0; ca < 2; ca++) { /* ca_file: of everything that goes out counts where nothing else is said */
			struct sw_arena a = { 0 };
			struct sw_diags d;
			struct sw_config *c = NULL;
			const char *text = sw_arena_printf(&a, REST "redis: %s\n%s", rows[i].said, ca ? "ca_file: /dev/null\n" : "");

			sw_diags_init(&d, &a);
			if (sw_config_load_text("f", text, strlen(text), &plugins, &test_env, &c, &d) < 0)
				fail_msg("%s: %s", rows[i].said, d.first->text);
			if (!ca)
				assert_string_equal(c->redis_url, rows[i].whole);
			else
				assert_int_equal(strstr(c->redis_url, "?ca_file=%2Fdev%2Fnull") != NULL, strstr(rows[i].said, "rediss") != NULL);
			sw_config_put(c);
			sw_arena_fini(&a);
		}
	}
}

/* A source of kind redis-stream has the same settings, and the same mistakes. */
static void test_stream(void **state)
{
	static const struct { const char *said, *whole, *wrong; } rows[] = {
		{ "url: \"rediss://h\", server_name: x", "rediss://h?server_name=x", NULL },
		{ "url: \"redis+sentinel://a/m\", sentinel_password: p", "redis+sentinel://a/m?sentinel_password=p", NULL },
		{ "url: \"redis://h\", server_name: x", NULL, "server_name: goes with an address that begins with rediss://" },
		{ "url: \"redis+sentinel://a\"", NULL, "name being that of the master" },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_arena a = { 0 };
		struct sw_diags d;
		struct sw_config *c = NULL;
		const char *text = sw_arena_printf(&a, "sources: {gitlab: {tokens: [t]}, q: {kind: redis-stream, stream: s, as: gitlab, %s}}\n%s", rows[i].said, strchr(REST, '\n') + 1);
		int r;

		sw_diags_init(&d, &a);
		r = sw_config_load_text("f", text, strlen(text), &plugins, &test_env, &c, &d);
		if (rows[i].wrong && (r == 0 || !strstr(d.first->text, rows[i].wrong)))
			fail_msg("%s: %s", rows[i].said, r == 0 ? "taken" : d.first->text);
		if (!rows[i].wrong && r < 0)
			fail_msg("%s: %s", rows[i].said, d.first->text);
		if (r == 0) {
			assert_string_equal(sw_config_source(c, "q")->queue->url, rows[i].whole);
			sw_config_put(c);
		}
		sw_arena_fini(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_redis), cmocka_unit_test(test_stream) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
