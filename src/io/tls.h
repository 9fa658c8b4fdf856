/* What both kinds of TLS connections set up alike: whom we trust, who we are, whom we expect, and why it did not work. For stream.c and wire.c. */
#ifndef SW_IO_TLS_H
#define SW_IO_TLS_H

#include <openssl/ssl.h>

#include "shipwatch/base.h"
#include "shipwatch/err.h"

/*
 * A context of a client: TLS 1.2 at least, the other side's certificate is checked. ca_file: PEM (NULL: $SSL_CERT_FILE, else the system's, wherever the
 * distribution keeps them). cert_file, key_file: what we show when asked, PEM, or NULL. hint: how the user says which file to trust.
 * Return: 0; -EKEYREJECTED: a file does not hold what it should; -ENOMEM; all with err.
 */
SW_CHECKED int sw_tls_context(const char *ca_file, const char *cert_file, const char *key_file, const char *hint, SSL_CTX **ret, struct sw_err *err);
/* The certificate must be of this name, or this address. Return: whether it could be set. */
bool sw_tls_expect(SSL *ssl, const char *host);
/* OpenSSL's last word after what, without its codes; clears it. Return: -code. */
int sw_tls_error(struct sw_err *err, int code, const char *what);
/* Why the greeting or a read failed, in words for who runs this. host: as in sw_tls_expect. */
void sw_tls_why(SSL *ssl, const char *host, char *out, size_t size);

#endif
