/* Where Redis is. */
#ifndef SW_BUS_ADDRESS_H
#define SW_BUS_ADDRESS_H

#include "shipwatch/base.h"
#include "shipwatch/err.h"

struct sw_address {
	char *path;             /* unix socket; else NULL */
	char *host;             /* an IP address in text */
	int port, db;
	char *user, *password;  /* NULL: none */
};

/*
 * redis://[[user]:password@]host[:port][/db] or unix:///path[?db=n]. A name is looked up here, once, blocking. Return: 0, -EINVAL,
 * -EHOSTUNREACH. After a failure, too, fini is needed.
 */
SW_CHECKED int sw_address_parse(const char *url, struct sw_address *ret, struct sw_err *err);
void sw_address_fini(struct sw_address *a);

#endif
