/* Passwords, by libcrypt. */
#include "base/passwd.h"

#include <crypt.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hmac.h"
#include "base/str.h"
#include "shipwatch/mem.h"

#define ROUNDS_MAX 5000000ul /* of SHA-crypt; ten million take seconds */

const char *sw_passwd_wrong(const char *hash)
{
	const char *rounds = strstr(hash, "$rounds=");
	int r;

	if (hash[0] != '$')
		return "want what `shipwatch hash-password` prints ($y$…), not the password itself";
	if (strlen(hash) >= SW_PASSWD_HASH)
		return "too long for a hash";
	if (rounds && strtoul(rounds + 8, NULL, 10) > ROUNDS_MAX)
		return "more than 5000000 rounds: signing in would take seconds";
	r = crypt_checksalt(hash);
	if (r == CRYPT_SALT_METHOD_DISABLED || r == CRYPT_SALT_INVALID)
		return "this system's crypt(3) does not know such a hash";
	/* A salt alone fits nothing, and its place says that somebody forgot the rest. */
	if (strlen(strrchr(hash, '$') + 1) < 20)
		return "cut: the end of the hash is missing";
	return NULL;
}

bool sw_passwd_is(const char *password, const char *hash)
{
	struct crypt_data *data = sw_calloc(1, sizeof *data);
	const char *made = crypt_r(password, hash, data);
	bool ret = made && made[0] == '$' && sw_secret_equal(made, strlen(made), hash, strlen(hash));

	explicit_bzero(data, sizeof *data);
	free(data);
	return ret;
}

int sw_passwd_hash(const char *password, char hash[SW_PASSWD_HASH])
{
	struct crypt_data *data = sw_calloc(1, sizeof *data);
	char salt[CRYPT_GENSALT_OUTPUT_SIZE];
	const char *made = NULL;
	int r = 0;

	if (crypt_gensalt_rn(NULL, 0, NULL, 0, salt, sizeof salt))
		made = crypt_r(password, salt, data);
	if (!made || made[0] != '$' || strlen(made) >= SW_PASSWD_HASH)
		r = errno ? -errno : -EINVAL;
	else
		memcpy(hash, made, strlen(made) + 1);
	explicit_bzero(data, sizeof *data);
	free(data);
	return r;
}
