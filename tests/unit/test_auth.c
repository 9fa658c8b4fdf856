/* Addresses behind trusted proxies, and the bounded table of failed authentications. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "gateway/inner.h"

static void ip_of(const char *text, unsigned char ip[16])
{
	assert_true(sw_ip_parse(text, strlen(text), ip));
}

static void test_nets(void **state)
{
	static const struct { const char *net, *ip; bool want; } rows[] = {
		{ "10.0.0.0/8", "10.255.0.1", true }, { "10.0.0.0/8", "11.0.0.1", false }, { "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false }, { "192.0.2.128/25", "192.0.2.127", false }, { "192.0.2.128/25", "192.0.2.128", true },
		{ "0.0.0.0/0", "255.255.255.255", true }, { "0.0.0.0/0", "2001:db8::1", false }, { "2001:db8::/32", "2001:db8:ffff::1", true },
		{ "2001:db8::/33", "2001:db8:ffff::1", false }, { "::/0", "10.0.0.1", true }, { "::1", "::1", true },
	};
	static const char *const broken[] = { "", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/8x", "10.0.0/8", "host", "10.0.0.0/-1" };

	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_nets *n;
		unsigned char ip[16];

		assert_int_equal(sw_nets_new((const char *const[]){ rows[i].net, NULL }, &n, NULL), 0);
		ip_of(rows[i].ip, ip);
		if (sw_nets_has(n, ip) != rows[i].want)
			print_message("row %zu: %s in %s\n", i, rows[i].ip, rows[i].net);
		assert_int_equal(sw_nets_has(n, ip), rows[i].want);
		sw_nets_free(n);
	}
	for (size_t i = 0; i < SW_COUNT(broken); i++) {
		struct sw_nets *n;
		struct sw_err err;

		assert_int_equal(sw_nets_new((const char *const[]){ broken[i], NULL }, &n, &err), -EINVAL);
		assert_non_null(strstr(err.text, "trusted_proxies"));
	}
}

static void test_client(void **state)
{
	static const struct { const char *peer, *first, *second, *want; } rows[] = {
		{ "203.0.113.9", "198.51.100.7", NULL, "203.0.113.9" },             /* not our proxy: its word does not count */
		{ "10.0.0.1", NULL, NULL, "10.0.0.1" },
		{ "10.0.0.1", "198.51.100.7", NULL, "198.51.100.7" },
		{ "10.0.0.1", "192.0.2.1, 198.51.100.7", NULL, "198.51.100.7" },
		{ "10.0.0.1", "198.51.100.7, 10.0.0.2", NULL, "198.51.100.7" },
		{ "10.0.0.1", "198.51.100.7,10.0.0.2 , 10.0.0.3", NULL, "198.51.100.7" },
		{ "10.0.0.1", "10.0.0.5", NULL, "10.0.0.5" },                       /* all ours: the farthest */
		{ "10.0.0.1", "192.0.2.1", "198.51.100.7", "198.51.100.7" },        /* two headers: the last first */
		{ "10.0.0.1", "198.51.100.7", "10.0.0.2", "198.51.100.7" },
		{ "10.0.0.1", "nonsense", NULL, "10.0.0.1" },
		{ "10.0.0.1", "198.51.100.7, nonsense", NULL, "10.0.0.1" },
		{ "10.0.0.1", "nonsense, 10.0.0.2", NULL, "10.0.0.2" },
		{ "10.0.0.1", "", NULL, "10.0.0.1" },
		{ "10.0.0.1", "198.51.100.7:4711", NULL, "198.51.100.7" },
		{ "10.0.0.1", "[2001:db8::7]:4711", NULL, "2001:db8::7" },
		{ "10.0.0.1", "2001:db8::7", NULL, "2001:db8::7" },
		{ NULL, "198.51.100.7", NULL, "198.51.100.7" },                     /* a unix socket */
	};
	struct sw_nets *trusted;

	assert_int_equal(sw_nets_new((const char *const[]){ "10.0.0.0/8", NULL }, &trusted, NULL), 0);
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_header headers[] = { { "x-forwarded-for", rows[i].first }, { "x-forwarded-for", rows[i].second } };
		struct sw_http_addr addr = { .local = !rows[i].peer };
		struct sw_http_req req = { .headers = headers, .n_headers = !!rows[i].first + !!rows[i].second, .addr = &addr };
		unsigned char ip[16];
		char text[64];

		if (rows[i].peer)
			ip_of(rows[i].peer, addr.ip);
		sw_client_ip(&req, trusted, ip);
		sw_ip_print(ip, text, sizeof text);
		if (strcmp(text, rows[i].want) != 0)
			print_message("row %zu\n", i);
		assert_string_equal(text, rows[i].want);
	}
	sw_nets_free(trusted);
}

static void test_failures(void **state)
{
	struct sw_failures *f = sw_failures_new(SW_FAILURES_MAX);
	unsigned char a[16], b[16], six[16], neighbour[16];

	ip_of("198.51.100.7", a);
	ip_of("198.51.100.8", b);
	ip_of("2001:db8::1", six);
	ip_of("2001:db8::2", neighbour);
	for (int i = 0; i < SW_FAILURES_MAX; i++)
		assert_int_equal(sw_failures_add(f, a, 1000), 0);
	assert_int_equal(sw_failures_add(f, a, 1000), 60);
	assert_int_equal(sw_failures_add(f, a, 31000), 30);
	assert_int_equal(sw_failures_add(f, b, 31000), 0);
	assert_int_equal(sw_failures_add(f, a, 61000), 0);
	for (int i = 0; i < SW_FAILURES_MAX; i++)
		assert_int_equal(sw_failures_add(f, six, 1000), 0);
	assert_int_not_equal(sw_failures_add(f, neighbour, 1000), 0);
	sw_failures_free(f);
}

/* A flood from everywhere takes no more memory, and whoever insists is still counted. */
static void test_flood(void **state)
{
	struct sw_failures *f = sw_failures_new(SW_FAILURES_MAX);
	unsigned char a[16], ip[16];
	unsigned wait = 0;

	ip_of("198.51.100.7", a);
	ip_of("10.0.0.0", ip);
	for (unsigned i = 0; i < 200000; i++) {
		memcpy(ip + 12, &i, sizeof i);
		(void)sw_failures_add(f, ip, (sw_dur)(1000 + i / 100));
	}
	for (int i = 0; i <= SW_FAILURES_MAX; i++)
		wait = sw_failures_add(f, a, 4000);
	assert_int_not_equal(wait, 0);
	sw_failures_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nets), cmocka_unit_test(test_client), cmocka_unit_test(test_failures), cmocka_unit_test(test_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
