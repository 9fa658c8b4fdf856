/*
 * One connection in the loop: to an address or a unix socket, with TLS over it where asked. It carries bytes and never blocks: connecting, TLS's
 * greeting and writing go on piece by piece as the socket is ready. Limits of time are the owner's.
 */
#ifndef SW_IO_WIRE_H
#define SW_IO_WIRE_H

#include "io/loop.h"
#include "shipwatch/base.h"
#include "shipwatch/err.h"

/* Whom we trust and what we show, for any number of wires. */
struct sw_wire_tls;
struct sw_wire_tls_conf { const char *ca_file, *cert_file, *key_file; /* PEM; NULL: the system's authorities, no certificate of ours, the key in cert_file */ };
/* Reads the files. Return: 0; -EKEYREJECTED: one does not hold what it should; -ENOMEM; all with err. */
SW_CHECKED int sw_wire_tls_new(const struct sw_wire_tls_conf *conf, struct sw_wire_tls **ret, struct sw_err *err);
void sw_wire_tls_free(struct sw_wire_tls *t); /* no wire may be left of it */

struct sw_wire_to {
	const char *path;            /* unix socket; else NULL */
	const char *host;            /* a numeric address, IPv6 without brackets */
	int port;
	struct sw_wire_tls *tls;     /* NULL: plain. Must outlive the wire */
	const char *name;            /* whom the certificate must be for */
};

/* None runs from within a call of the owner; sw_wire_free is allowed in each. */
struct sw_wire_handler {
	void (*open)(void *arg);                             /* once: bytes can go */
	void (*data)(void *arg, const char *p, size_t n);    /* borrowed */
	void (*end)(void *arg, const char *why);             /* once, last: it could not be opened, or is lost */
	void *arg;
};

struct sw_wire;
/* Never NULL: what goes wrong at once comes by end, too. */
struct sw_wire *sw_wire_open(struct sw_loop *loop, const struct sw_wire_to *to, const struct sw_wire_handler *h);
void sw_wire_free(struct sw_wire *w); /* NULL is fine; nothing is called back */
/* Copied; goes at the end of the turn, together with all else that was written in it. Before open: waits. After end: dropped. */
void sw_wire_write(struct sw_wire *w, const void *p, size_t n);
/* What it is about, for who waits too long: "connecting", "TLS's greeting", "open". */
const char *sw_wire_doing(const struct sw_wire *w);

#endif
