/* What signing in needs beside inner.h: who is known, the limits, a password checked by a short-lived child. */
#ifndef SW_DASHBOARD_AUTH_H
#define SW_DASHBOARD_AUTH_H

#include "dashboard/inner.h"
#include "dashboard/session.h"
#include "io/client.h"

/* Failed sign-ins in a minute; past them nothing is even tried until it is over. */
#define AUTH_PER_ADDRESS 20
#define AUTH_PER_NAME    10
#define AUTH_IN_ALL      300
#define AUTH_TOKENS      30   /* tokens that are none, of one address */
#define AUTH_CHILDREN    2    /* passwords checked at once */
#define AUTH_QUEUE       16   /* waiting for that; more are asked to try again */
#define AUTH_TIME        (10 * SW_SECOND) /* of one check */

struct check;

struct auth {
	struct dash *d;
	struct sw_sessions *sessions;
	struct sw_failures *addresses, *names, *all, *tokens;
	struct check *checks;        /* under way and waiting, oldest first */
	unsigned running, waiting;
};

/* ---- check.c ---- */

enum { CHECK_NO, CHECK_YES, CHECK_FAILED /* no child, or it took too long */ };
typedef void (*check_cb)(void *arg, int outcome);
/* Return: false when too many wait. cb later, exactly once, unless it is given up. */
bool dash_check(struct auth *a, const char *password, const char *hash, check_cb cb, void *arg);
/* cb is not called any more. */
void dash_check_forget(struct auth *a, void *arg);
void dash_check_end(struct auth *a);

/* ---- auth.c ---- */

/* What stands for the address of who asks; text for the log. */
void dash_client(struct page *p, unsigned char ip[16], char *text, size_t size);
/* A place of ours to go to after signing in; "/" for anything else. */
const char *dash_next(const char *s);

#endif
