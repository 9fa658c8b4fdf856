/*
 * One connection, waited for: TCP, and TLS over it where asked. For small programs that do one thing at a time (http_once.h); servers
 * and workers have the loop.
 */
#ifndef SW_IO_STREAM_H
#define SW_IO_STREAM_H

#include "shipwatch/base.h"
#include "shipwatch/err.h"

struct sw_stream;

/* Every call ends by `until` (sw_clock_mono) with -ETIMEDOUT. */

/* host: a name (by /etc/hosts and DNS, not the C library's modules), or an address without brackets; tries each address it has. Return: 0, or -errno with err. */
SW_CHECKED int sw_stream_open(const char *host, const char *port, sw_dur until, struct sw_stream **ret, struct sw_err *err);
void sw_stream_free(struct sw_stream *s); /* NULL is fine */
/*
 * TLS from here on, at least 1.2; the certificate must be of `host` and of an authority in ca_file (PEM; NULL: $SSL_CERT_FILE, else the
 * system's, wherever the distribution keeps them). Return: 0; -EKEYREJECTED: their certificate does not hold; -errno; all with err.
 */
SW_CHECKED int sw_stream_tls(struct sw_stream *s, const char *host, const char *ca_file, sw_dur until, struct sw_err *err);
/* All of it. Return: 0, or -errno with err. */
SW_CHECKED int sw_stream_write(struct sw_stream *s, const void *p, size_t n, sw_dur until, struct sw_err *err);
/* What is there, at least one byte. Return: how many; 0: the other side closed; -errno with err. */
SW_CHECKED long sw_stream_read(struct sw_stream *s, void *p, size_t n, sw_dur until, struct sw_err *err);

#endif
