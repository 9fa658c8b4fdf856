/* Where Redis is, or who knows where. */
#ifndef SW_BUS_ADDRESS_H
#define SW_BUS_ADDRESS_H

#include "shipwatch/base.h"
#include "shipwatch/err.h"

#define SW_SENTINELS_MAX 16

struct sw_address_sentinel { char *host; int port; }; /* a name or an address, IPv6 without brackets */

struct sw_address {
	char *path;             /* unix socket; else NULL */
	char *host;             /* an IP address in text; NULL with path and behind sentinels */
	char *name;             /* as it was written: whom a certificate must be for */
	int port, db;
	char *user, *password;  /* NULL: none */
	bool tls;
	char *ca_file, *cert_file, *key_file, *server_name; /* of TLS; NULL: not said */
	char *master;           /* the name under which the sentinels know it; NULL: there are none */
	struct sw_address_sentinel sentinels[SW_SENTINELS_MAX];
	size_t n_sentinels;
	char *sentinel_user, *sentinel_password;
};

/*
 * redis://[[user]:password@]host[:port][/db], rediss:// the same with TLS; redis+sentinel://[[user]:password@]host[:port],host…/master[/db],
 * rediss+sentinel:// with TLS to the sentinels and to Redis; unix:///path[?db=n]. Behind '?' may stand, joined by '&' and with %XX:
 * ca_file, cert_file, key_file, server_name (of TLS), sentinel_user, sentinel_password. The name of a single Redis is looked up here, once,
 * blocking; those of sentinels are looked up when they are asked. Return: 0, -EINVAL, -EHOSTUNREACH. After a failure, too, fini is needed.
 */
SW_CHECKED int sw_address_parse(const char *url, struct sw_address *ret, struct sw_err *err);
void sw_address_fini(struct sw_address *a);

#endif
