/* Listening sockets: an address as it is written in the configuration, to descriptors that accept. */
#ifndef SW_IO_LISTEN_H
#define SW_IO_LISTEN_H

#include "shipwatch/base.h"
#include "shipwatch/err.h"

/*
 * address: "host:port" ("0.0.0.0:8080", "[::1]:8080", "localhost:0") or "unix:/path". Makes n listening sockets of it; for TCP
 * they share the port by SO_REUSEPORT and the kernel spreads connections over them, for a unix socket they are one and the
 * same. Port 0: the kernel's choice, the same for all. A unix socket's file that nobody listens on any more is replaced.
 * Return: 0 and ret_fds[0..n); -errno with err.
 */
SW_CHECKED int sw_listen(const char *address, unsigned n, int *ret_fds, struct sw_err *err);
/* "127.0.0.1:39123" or "unix:/path" of a listening socket. */
void sw_listen_name(int fd, char *out, size_t size);

#endif
