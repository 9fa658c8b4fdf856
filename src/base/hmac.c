/* Digests and signatures over OpenSSL: a key is two hash states that are copied, never hashed again. */
#include "base/hmac.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shipwatch/mem.h"

#define HMAC_BLOCK 64

struct sw_hmac_key {
	EVP_MD_CTX *inner, *outer;
};
struct sw_hmac {
	EVP_MD_CTX *ctx;
	const struct sw_hmac_key *key;
};

/* OpenSSL looks a digest up by name on each EVP_sha256() use; fetched once it is not. */
static const EVP_MD *hmac_md(void)
{
	static EVP_MD *md;
	EVP_MD *mine, *none = NULL;

	if (__atomic_load_n(&md, __ATOMIC_ACQUIRE))
		return md;
	mine = EVP_MD_fetch(NULL, "SHA256", NULL);
	SW_ASSERT(mine);
	if (!__atomic_compare_exchange_n(&md, &none, mine, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		EVP_MD_free(mine);
	return md;
}

static EVP_MD_CTX *hmac_state(const unsigned char *block)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();

	SW_ASSERT(c && EVP_DigestInit_ex2(c, hmac_md(), NULL) == 1);
	if (block)
		SW_ASSERT(EVP_DigestUpdate(c, block, HMAC_BLOCK) == 1);
	return c;
}

struct sw_hmac_key *sw_hmac_key_new(const void *key, size_t n)
{
	struct sw_hmac_key *k = sw_calloc(1, sizeof *k);
	unsigned char block[HMAC_BLOCK] = { 0 }, pad[HMAC_BLOCK];

	if (n > HMAC_BLOCK)
		sw_sha256(key, n, block);
	else if (n)
		memcpy(block, key, n);
	for (size_t i = 0; i < HMAC_BLOCK; i++)
		pad[i] = block[i] ^ 0x36;
	k->inner = hmac_state(pad);
	for (size_t i = 0; i < HMAC_BLOCK; i++)
		pad[i] = block[i] ^ 0x5c;
	k->outer = hmac_state(pad);
	OPENSSL_cleanse(block, sizeof block);
	OPENSSL_cleanse(pad, sizeof pad);
	return k;
}

void sw_hmac_key_free(struct sw_hmac_key *k)
{
	if (!k)
		return;
	EVP_MD_CTX_free(k->inner);
	EVP_MD_CTX_free(k->outer);
	free(k);
}

struct sw_hmac *sw_hmac_new(void)
{
	struct sw_hmac *h = sw_calloc(1, sizeof *h);

	h->ctx = EVP_MD_CTX_new();
	SW_ASSERT(h->ctx);
	return h;
}

void sw_hmac_free(struct sw_hmac *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->ctx);
	free(h);
}

void sw_hmac_begin(struct sw_hmac *h, const struct sw_hmac_key *k)
{
	h->key = k;
	SW_ASSERT(EVP_MD_CTX_copy_ex(h->ctx, k->inner) == 1);
}

void sw_hmac_add(struct sw_hmac *h, const void *p, size_t n)
{
	SW_ASSERT(h->key);
	if (n)
		SW_ASSERT(EVP_DigestUpdate(h->ctx, p, n) == 1);
}

void sw_hmac_end(struct sw_hmac *h, unsigned char out[SW_SHA256_BYTES])
{
	unsigned char inner[SW_SHA256_BYTES];

	SW_ASSERT(h->key);
	SW_ASSERT(EVP_DigestFinal_ex(h->ctx, inner, NULL) == 1);
	SW_ASSERT(EVP_MD_CTX_copy_ex(h->ctx, h->key->outer) == 1);
	SW_ASSERT(EVP_DigestUpdate(h->ctx, inner, sizeof inner) == 1);
	SW_ASSERT(EVP_DigestFinal_ex(h->ctx, out, NULL) == 1);
	h->key = NULL;
}

void sw_hmac_sha256(const void *key, size_t key_n, const void *msg, size_t n, unsigned char out[SW_SHA256_BYTES])
{
	struct sw_hmac_key *k = sw_hmac_key_new(key, key_n);
	struct sw_hmac *h = sw_hmac_new();

	sw_hmac_begin(h, k);
	sw_hmac_add(h, msg, n);
	sw_hmac_end(h, out);
	sw_hmac_free(h);
	sw_hmac_key_free(k);
}

void sw_sha256(const void *p, size_t n, unsigned char out[SW_SHA256_BYTES])
{
	SW_ASSERT(EVP_Digest(n ? p : "", n, out, NULL, hmac_md(), NULL) == 1);
}

size_t sw_hmac_of(enum sw_hash digest, const void *key, size_t key_n, const struct sw_piece *pieces, size_t n,
                  unsigned char out[SW_HASH_MOST])
{
	static const char *const names[] = { "SHA1", "SHA256", "SHA384", "SHA512" };
	char name[8];
	OSSL_PARAM params[2] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0), OSSL_PARAM_construct_end() };
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *c = EVP_MAC_CTX_new(mac);
	size_t ret = 0;

	(void)snprintf(name, sizeof name, "%s", names[digest]);
	SW_ASSERT(c && EVP_MAC_init(c, key_n ? key : "", key_n, params) == 1);
	for (size_t i = 0; i < n; i++)
		SW_ASSERT(EVP_MAC_update(c, pieces[i].n ? pieces[i].p : (const void *)"", pieces[i].n) == 1);
	SW_ASSERT(EVP_MAC_final(c, out, &ret, SW_HASH_MOST) == 1);
	EVP_MAC_CTX_free(c);
	EVP_MAC_free(mac);
	return ret;
}

bool sw_mem_equal(const void *a, const void *b, size_t n)
{
	return n == 0 || CRYPTO_memcmp(a, b, n) == 0;
}

bool sw_secret_equal(const char *a, size_t a_n, const char *b, size_t b_n)
{
	static struct sw_hmac_key *key;
	struct sw_hmac_key *none = NULL;
	unsigned char x[SW_SHA256_BYTES], y[SW_SHA256_BYTES];
	struct sw_hmac *h;

	if (!__atomic_load_n(&key, __ATOMIC_ACQUIRE)) {
		unsigned char bytes[32];
		struct sw_hmac_key *mine;

		sw_random(bytes, sizeof bytes);
		mine = sw_hmac_key_new(bytes, sizeof bytes);
		if (!__atomic_compare_exchange_n(&key, &none, mine, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			sw_hmac_key_free(mine);
	}
	h = sw_hmac_new();
	sw_hmac_begin(h, key);
	sw_hmac_add(h, a, a_n);
	sw_hmac_end(h, x);
	sw_hmac_begin(h, key);
	sw_hmac_add(h, b, b_n);
	sw_hmac_end(h, y);
	sw_hmac_free(h);
	return sw_mem_equal(x, y, sizeof x);
}

void sw_random(void *p, size_t n)
{
	while (n) {
		int piece = n > 1 << 20 ? 1 << 20 : (int)n;

		SW_ASSERT(RAND_bytes(p, piece) == 1);
		p = (unsigned char *)p + piece;
		n -= (size_t)piece;
	}
}
