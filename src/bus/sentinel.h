/* Who the master is, asked of the sentinels: for all links of a client, one question at a time. */
#ifndef SW_BUS_SENTINEL_H
#define SW_BUS_SENTINEL_H

#include "bus/address.h"
#include "io/loop.h"
#include "io/wire.h"

struct sw_sentinel;

struct sw_master {
	const char *host;      /* a numeric address */
	const char *name;      /* as the sentinel told it: whom a certificate must be for */
	int port;
	const char *sentinel;  /* who says so, "10.0.0.6:26379" */
};

/* One who wants to know; embedded in its owner, zeroed at first. */
struct sw_master_ask {
	struct sw_master_ask *next;
	/* master NULL: nobody knows, why says what each of them answered. Borrowed. Never from within sw_sentinel_ask. */
	void (*cb)(void *arg, const struct sw_master *master, const char *why);
	void *arg;
	unsigned round;
	bool asked;            /* the callback is still to come */
};

/* a: borrowed for as long as it lives; so is tls (NULL: plain). Return: 0, or -errno with err. */
SW_CHECKED int sw_sentinel_new(struct sw_loop *loop, const struct sw_address *a, struct sw_wire_tls *tls, struct sw_sentinel **ret, struct sw_err *err);
void sw_sentinel_free(struct sw_sentinel *s); /* nobody may be asking; NULL is fine */
/* Asks each in turn for SW_SENTINEL_LIMIT at most; whoever asks meanwhile gets the same answer. */
#define SW_SENTINEL_LIMIT 500
void sw_sentinel_ask(struct sw_sentinel *s, struct sw_master_ask *ask);
void sw_sentinel_cancel(struct sw_sentinel *s, struct sw_master_ask *ask);
/* What was answered last turned out wrong: another one is asked first next time. */
void sw_sentinel_doubt(struct sw_sentinel *s);

#endif
