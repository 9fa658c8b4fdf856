/* base/hmac: the published vectors of GitHub, DingTalk, Feishu and RFC 4231. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/hmac.h"
#include "base/str.h"

static void test_vectors(void **state)
{
	static const struct {
		const char *key, *msg, *hex, *b64;
	} cases[] = {
		{ "It's a Secret to Everybody", "Hello, World!",
		  "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17", NULL },
		{ "shipwatch", "{\"ref\":\"refs/tags/v1.2.3\",\"msg\":\"caf\xc3\xa9\"}",
		  "ec24af1ea135da5270d8686becf5ac7d0f13403153d3566f6aedf60b3a9a6165", NULL },
		{ "shipwatch", "payload=%7B%22ref%22%3A%22refs%2Ftags%2Fv1.2.3%22%2C%22msg%22%3A%22caf%C3%A9%22%7D",
		  "171ce7d67d8847d856013a79dd3b8c5c90ee10a712276fc658f7ca6b149bf7cc", NULL },
		{ "SECtest", "1700000000000\nSECtest", NULL, "aZLLrriXgn05YbwaGR7knYsLeJADjr9NwLaNNKpxh4g=" },
		{ "SECtest", "1700000000001\nSECtest", NULL, "r4CWp/Dz+Ng0sbTjH1vB0Fr+uQ2fn831mssaN6/C05I=" },
		{ "this is secret", "1577262236757\nthis is secret", NULL,
		  "hmPWwU+7lVdm3ZZz0r9tSfx0L4Q26jWOZr9+Gs6EZQM=" },
		{ "1599360473\ndemo", "", NULL, "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=" },
		{ "1700000000\nSECtest", "", NULL, "G7XpBpG8NgG02fJOAhX6FRAObIljmFoxVReo8I62pEk=" },
		{ "Jefe", "what do ya want for nothing?",
		  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", NULL },
		{ "", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad", NULL },
	};

	for (size_t i = 0; i < SW_COUNT(cases); i++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
		unsigned char mac[SW_SHA256_BYTES];

		sw_hmac_sha256(cases[i].key, strlen(cases[i].key), cases[i].msg, strlen(cases[i].msg), mac);
		if (cases[i].hex)
			sw_hex_encode(&b, mac, sizeof mac);
		else
			sw_b64_encode(&b, mac, sizeof mac);
		assert_string_equal(b.p, cases[i].hex ? cases[i].hex : cases[i].b64);
	}
}

/* RFC 4231 case 6: a key longer than a block; in pieces, with one object used again. */
static void test_long_key(void **state)
{
	static const char msg[] = "Test Using Larger Than Block-Size Key - Hash Key First";
	unsigned char key[131], mac[SW_SHA256_BYTES];
	struct sw_hmac_key *k;
	struct sw_hmac *h = sw_hmac_new();

	memset(key, 0xaa, sizeof key);
	k = sw_hmac_key_new(key, sizeof key);
	for (size_t piece = 1; piece < sizeof msg; piece++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

		sw_hmac_begin(h, k);
		for (size_t i = 0; i < sizeof msg - 1; i += piece)
			sw_hmac_add(h, msg + i, SW_MIN(piece, sizeof msg - 1 - i));
		sw_hmac_end(h, mac);
		sw_hex_encode(&b, mac, sizeof mac);
		assert_string_equal(b.p, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	}
	sw_hmac_free(h);
	sw_hmac_key_free(k);
	sw_hmac_free(NULL);
	sw_hmac_key_free(NULL);
}

static void test_others(void **state)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	unsigned char sum[SW_SHA256_BYTES], again[SW_SHA256_BYTES];

	sw_sha256("abc", 3, sum);
	sw_hex_encode(&b, sum, sizeof sum);
	assert_string_equal(b.p, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sw_sha256(NULL, 0, sum);
	assert_true(sw_mem_equal("a", "b", 0));
	assert_false(sw_mem_equal("a", "b", 1));
	assert_true(sw_secret_equal("token", 5, "token", 5));
	assert_false(sw_secret_equal("token", 5, "token2", 6));
	assert_false(sw_secret_equal("", 0, "x", 1));
	assert_true(sw_secret_equal("", 0, "", 0));
	sw_random(sum, sizeof sum);
	sw_random(again, sizeof again);
	assert_memory_not_equal(sum, again, sizeof sum);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_long_key),
		cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
