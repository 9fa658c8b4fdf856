/* Digests and signatures: the only file that calls OpenSSL. */
#ifndef SW_BASE_HMAC_H
#define SW_BASE_HMAC_H

#include "shipwatch/base.h"

#define SW_SHA256_BYTES 32

/* A prepared key: the two padded blocks are hashed once, which saves half the work for short messages. */
struct sw_hmac_key;

struct sw_hmac_key *sw_hmac_key_new(const void *key, size_t n); /* SHA-256 */
void sw_hmac_key_free(struct sw_hmac_key *k);

/* One message of several pieces: begin, any number of add, end. One stream per object; reuse it with begin. */
struct sw_hmac;
struct sw_hmac *sw_hmac_new(void);
void sw_hmac_free(struct sw_hmac *h);
void sw_hmac_begin(struct sw_hmac *h, const struct sw_hmac_key *k);
void sw_hmac_add(struct sw_hmac *h, const void *p, size_t n);
void sw_hmac_end(struct sw_hmac *h, unsigned char out[SW_SHA256_BYTES]);

/* In one go. */
void sw_hmac_sha256(const void *key, size_t key_n, const void *msg, size_t n, unsigned char out[SW_SHA256_BYTES]);
void sw_sha256(const void *p, size_t n, unsigned char out[SW_SHA256_BYTES]);
/* HMAC of any of these digests over pieces in their order. Return: bytes in out. */
#define SW_HASH_MOST 64
enum sw_hash { SW_HASH_SHA1, SW_HASH_SHA256, SW_HASH_SHA384, SW_HASH_SHA512 };
struct sw_piece { const void *p; size_t n; };
size_t sw_hmac_of(enum sw_hash digest, const void *key, size_t key_n, const struct sw_piece *pieces, size_t n,
                  unsigned char out[SW_HASH_MOST]);
/* Compares in time that depends on n only. */
bool sw_mem_equal(const void *a, const void *b, size_t n);
/* Compares two texts of any length in time that does not depend on where they differ (HMACs both with a key made at
 * start). */
bool sw_secret_equal(const char *a, size_t a_n, const char *b, size_t b_n);
/* Cryptographic random bytes; aborts if the system has none. */
void sw_random(void *p, size_t n);

#endif
