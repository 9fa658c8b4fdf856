/* A report on its way: signed, tried again for a while, judged by the gateway's answer. */
#ifndef SW_CLI_REPORT_SEND_H
#define SW_CLI_REPORT_SEND_H

#include "cli/http.h"
#include "shipwatch/buf.h"

struct sw_report_to {
	const char *url;    /* whole, by sw_report_url */
	const char *secret;
	struct sw_cli_net net;
};

/*
 * "https://shipwatch.example.com" to the address reports are posted to; one that ends in /ci-report, or names a source under /hooks/,
 * stays as it is. Return: 0 and *ret in a; -EINVAL with err.
 */
SW_CHECKED int sw_report_url(const char *text, struct sw_arena *a, const char **ret, struct sw_err *err);
/* Hex HMAC-SHA256 over "<at>.<body>" (design 2.2); at in seconds since 1970. */
void sw_report_sign(const char *secret, long long at, const char *body, size_t n, struct sw_buf *hex);
/*
 * Sends it, again and again while that can help and the time lasts: when nobody answers, on 408, 429 and 5xx. The gateway knows a
 * report that came before. Return: 0 and *said (in a: "queued", "duplicate" …); -EIO with err: why not, without a secret.
 */
SW_CHECKED int sw_report_send(const struct sw_report_to *to, const struct sw_buf *body, sw_dur within, struct sw_arena *a, const char **said,
                              struct sw_err *err);

#endif
