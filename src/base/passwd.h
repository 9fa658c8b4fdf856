/* Passwords as crypt(3) keeps them: yescrypt, bcrypt, SHA-512. The only file that calls libcrypt. Slow by intent: never call it from a loop. */
#ifndef SW_BASE_PASSWD_H
#define SW_BASE_PASSWD_H

#include "shipwatch/base.h"

#define SW_PASSWD_HASH 384  /* bytes of a hash, with its NUL */
#define SW_PASSWD_MAX  512  /* of a password */

/* What is wrong with a hash for a configuration, in a few words; NULL: nothing. */
const char *sw_passwd_wrong(const char *hash);
/* False also for a hash that is none; it takes the time of that hash. */
bool sw_passwd_is(const char *password, const char *hash);
/* A new hash by the system's best method. Return: 0, or -errno. */
SW_CHECKED int sw_passwd_hash(const char *password, char hash[SW_PASSWD_HASH]);

#endif
