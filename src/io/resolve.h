/*
 * Names to addresses without ever blocking the loop: libevent's resolver with /etc/resolv.conf and /etc/hosts. Numeric
 * addresses and "localhost" are answered directly. Nothing is cached here.
 */
#ifndef SW_IO_RESOLVE_H
#define SW_IO_RESOLVE_H

#include "io/loop.h"
#include "shipwatch/base.h"

struct sw_resolver;
struct sw_resolve;

#define SW_RESOLVE_ADDRS 8

/* n > 0: numeric addresses, IPv4 first (IPv6 without brackets). n == 0: none, why says the reason. Borrowed. */
typedef void (*sw_resolve_cb)(void *arg, const char *const *addrs, size_t n, const char *why);

/* NULL paths: the system's files. They are read again when they change. */
SW_CHECKED int sw_resolver_new(struct sw_loop *loop, const char *resolv_conf, const char *hosts,
                               struct sw_resolver **ret);
/* No question may be open. */
void sw_resolver_free(struct sw_resolver *r);
/* The callback runs exactly once, never from within this call; not at all after a cancel. Its limit of time is the
 * asker's. */
struct sw_resolve *sw_resolve(struct sw_resolver *r, const char *host, sw_resolve_cb cb, void *arg);
void sw_resolve_cancel(struct sw_resolve *q);

#endif
