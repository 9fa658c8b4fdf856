/* Who is at the other end: addresses and networks, the client behind trusted proxies, and how often somebody failed. */
#ifndef SW_IO_CLIENT_H
#define SW_IO_CLIENT_H

#include "io/http_server.h"
#include "shipwatch/base.h"
#include "shipwatch/err.h"

struct sw_nets;
/* Addresses and networks in CIDR form, NULL-ended or NULL. Return: 0, or -EINVAL with err. */
SW_CHECKED int sw_nets_new(const char *const *texts, struct sw_nets **ret, struct sw_err *err);
void sw_nets_free(struct sw_nets *n);
bool sw_nets_has(const struct sw_nets *n, const unsigned char ip[16]);
bool sw_ip_parse(const char *text, size_t n, unsigned char ip[16]);
void sw_ip_print(const unsigned char ip[16], char *out, size_t size);
/* Who really asks: the last address of X-Forwarded-For that is none of ours, if who speaks to us is; a unix socket is ours. */
void sw_client_ip(const struct sw_http_req *req, const struct sw_nets *trusted, unsigned char ip[16]);

struct sw_failures;
/* most: failures of one address in a minute. */
struct sw_failures *sw_failures_new(unsigned most);
void sw_failures_free(struct sw_failures *f);
/* One more failure. Return: 0, or, past the most, after how many seconds it may try again. */
unsigned sw_failures_add(struct sw_failures *f, const unsigned char ip[16], sw_dur now);
/* Whether one more would be too many: 0, or as above. Nothing is counted. */
unsigned sw_failures_over(struct sw_failures *f, const unsigned char ip[16], sw_dur now);
/* A name in the place of an address. */
void sw_failures_key(const char *name, unsigned char key[16]);

#endif
