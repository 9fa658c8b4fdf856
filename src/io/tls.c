/* Setting up TLS by OpenSSL: trust, name, own certificate, and errors in plain words. */
#include "io/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/err.h>

/* Where distributions keep what they trust; OpenSSL's own default is that of the machine it was built on. */
static const char *system_trust(void)
{
	static const char *const places[] = {
		"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
	};
	const char *named = getenv("SSL_CERT_FILE");

	if (named && *named)
		return named;
	for (size_t i = 0; i < SW_COUNT(places); i++)
		if (access(places[i], R_OK) == 0)
			return places[i];
	return NULL;
}

int sw_tls_error(struct sw_err *err, int code, const char *what)
{
	unsigned long e = ERR_peek_last_error();
	const char *why = e ? ERR_reason_error_string(e) : NULL;

	ERR_clear_error();
	return sw_err_set(err, code, "%s%s%s", what, why ? ": " : "", why ? why : "");
}

/* OpenSSL would ask at the terminal for the passphrase of a key. */
static int no_passphrase(char *buf, int size, int rwflag, void *arg) { return -1; }

static int tls_identity(SSL_CTX *ctx, const char *cert_file, const char *key_file, struct sw_err *err)
{
	const char *key = key_file ? key_file : cert_file;

	if (!cert_file)
		return 0;
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
	if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1) {
		ERR_clear_error();
		return sw_err_set(err, EKEYREJECTED, "%.200s: no certificate can be read from it", cert_file);
	}
	if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1) {
		bool other = ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH;

		ERR_clear_error();
		return sw_err_set(err, EKEYREJECTED, other ? "%.200s: the key is not that of the certificate" : "%.200s: no key can be read from it (one without a passphrase is needed)",
		                  key);
	}
	return 0;
}

int sw_tls_context(const char *ca_file, const char *cert_file, const char *key_file, const char *hint, SSL_CTX **ret, struct sw_err *err)
{
	const char *trust = ca_file ? ca_file : system_trust();
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int r;

	if (!ctx || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1) {
		SSL_CTX_free(ctx);
		return sw_tls_error(err, ENOMEM, "TLS cannot be set up");
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (!trust) {
		r = sw_err_set(err, EKEYREJECTED, "no certificates to trust on this machine (%s, SSL_CERT_FILE)", hint);
	} else if (SSL_CTX_load_verify_file(ctx, trust) != 1) {
		ERR_clear_error();
		r = sw_err_set(err, EKEYREJECTED, "%.200s: no certificates can be read from it", trust);
	} else {
		r = tls_identity(ctx, cert_file, key_file, err);
	}
	if (r < 0)
		SSL_CTX_free(ctx);
	else
		*ret = ctx;
	return r;
}

bool sw_tls_expect(SSL *ssl, const char *host)
{
	unsigned char addr[sizeof(struct in6_addr)];

	if (inet_pton(AF_INET, host, addr) == 1 || inet_pton(AF_INET6, host, addr) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
	return SSL_set1_host(ssl, host) == 1 && SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)host) == 1;
}

void sw_tls_why(SSL *ssl, const char *host, char *out, size_t size)
{
	unsigned long e = ERR_peek_last_error();
	const char *reason = e ? ERR_reason_error_string(e) : NULL;
	long verified = SSL_get_verify_result(ssl);

	ERR_clear_error();
	switch (verified) {
	case X509_V_OK:
		if (ERR_GET_LIB(e) == ERR_LIB_SSL && (ERR_GET_REASON(e) == SSL_R_WRONG_VERSION_NUMBER || ERR_GET_REASON(e) == SSL_R_PACKET_LENGTH_TOO_LONG))
			(void)snprintf(out, size, "TLS: no TLS is spoken there (is it the port without TLS?)");
		else
			(void)snprintf(out, size, "TLS: %s", reason ? reason : "the connection was cut");
		return;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		(void)snprintf(out, size, "TLS: the certificate there is not for \"%.100s\"", host);
		return;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		(void)snprintf(out, size, "TLS: the certificate there is of no authority that we trust (%s)", X509_verify_cert_error_string(verified));
		return;
	default: /* a number of OpenSSL's, no enum of ours */
		(void)snprintf(out, size, "TLS: the certificate there does not hold: %s", X509_verify_cert_error_string(verified));
		return;
	}
}
