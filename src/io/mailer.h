/*
 * Mail: SW_JOB_MAIL handed to an SMTP server by libcurl.
 *
 * libcurl's multi interface waits for the answer to a mail's end, and to its QUIT, without going back to the loop. So
 * each mail has a thread of its own, with an easy handle; nothing is shared with the loop but a list of those that are
 * done. Names are resolved in the loop before, as for HTTP.
 */
#ifndef SW_IO_MAILER_H
#define SW_IO_MAILER_H

#include "io/loop.h"
#include "shipwatch/base.h"
#include "shipwatch/err.h"
#include "shipwatch/job.h"

struct sw_mailer;

#define SW_MAIL_THREADS 4                /* under way at once; others wait, within their limit of time */
#define SW_MAIL_WAITING 200              /* further ones end in SW_FAULT_CONNECT */
#define SW_MAIL_TIMEOUT (20 * SW_SECOND) /* of a job that names none */

struct sw_mailer_conf {
	const char *ca_file;             /* PEM bundle; NULL or "": the system's */
	const char *resolv_conf, *hosts; /* NULL: the system's */
};

/*
 * res is borrowed during the callback. status is the server's last code, body its last answer; with 250 what it said of
 * addresses that it did not take.
 */
typedef void (*sw_mailer_cb)(void *arg, const struct sw_result *res);

SW_CHECKED int sw_mailer_new(struct sw_loop *loop, const struct sw_mailer_conf *conf, struct sw_mailer **ret,
                             struct sw_err *err);
/* Mails under way are given up (within a second); their callbacks do not run. NULL is fine. */
void sw_mailer_free(struct sw_mailer *m);
/* Carries out an SW_JOB_MAIL; the job is copied. The callback runs exactly once, never from within this call. */
void sw_mailer_do(struct sw_mailer *m, const struct sw_job *job, sw_mailer_cb cb, void *arg);

#endif
