/*
 * The doer: one job of a plug-in carried out: an HTTP request, a program, a text for the console, a mail. What a plug-in may not do
 * (connect, wait, print) is done here and nowhere else.
 *
 * Requests carry the run's id: X-CI-Run-Id, and traceparent with a trace id made from it, so that all requests of one run are
 * one trace wherever they are collected.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hmac.h"
#include "base/str.h"
#include "io/http_client.h"
#include "io/mailer.h"
#include "io/spawn.h"
#include "shipwatch/clock.h"
#include "worker/inner.h"

#define LOG "worker/doer"

struct doing {
	struct worker *w;
	sw_do_cb cb;
	void *arg;
	struct sw_job job;             /* its texts are the caller's until the request was handed on */
	struct sw_result res;
	char trace[80];
	struct sw_defer later;
};

static void doing_end(struct doing *d, struct sw_result *res)
{
	res->at = sw_bus_now(d->w->bus);
	d->cb(d->arg, res);
	free(d);
}

/* ---- console ---- */

static void doing_printed(void *arg)
{
	struct doing *d = arg;

	doing_end(d, &d->res);
}

static void do_print(struct doing *d)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	sw_buf_catn(&b, d->job.body, d->job.body_n);
	if (b.n == 0 || b.p[b.n - 1] != '\n')
		sw_buf_putc(&b, '\n');
	sw_worker_note(d->w, "console.log", b.p, b.n);
	if (write(STDOUT_FILENO, b.p, b.n) != (ssize_t)b.n && !d->w->state_dir) {
		d->res.fault = SW_FAULT_CONNECT; /* nowhere else to go: it was not said */
		d->res.detail = "standard output does not take it";
	}
	d->res.body = "";
	d->later = (struct sw_defer){ .cb = doing_printed, .arg = d };
	sw_loop_defer(d->w->loop, &d->later);
}

/* ---- HTTP ---- */

/* "00-<trace>-<span>-01", W3C Trace Context. The trace is made from the run's id, so it needs no memory. */
static void do_trace(char *out, size_t size, const char *ci_run_id)
{
	unsigned char trace[SW_SHA256_BYTES], span[8];
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	sw_sha256(ci_run_id, strlen(ci_run_id), trace);
	sw_random(span, sizeof span);
	span[0] |= 1; /* all zero is not allowed */
	sw_buf_cat(&b, "00-");
	sw_hex_encode(&b, trace, 16);
	sw_buf_putc(&b, '-');
	sw_hex_encode(&b, span, sizeof span);
	sw_buf_cat(&b, "-01");
	(void)snprintf(out, size, "%s", sw_buf_str(&b));
}

static void do_headers(struct doing *d, const char *ci_run_id)
{
	if (!ci_run_id || !*ci_run_id || d->job.n_headers + 2 > SW_JOB_HEADERS)
		return;
	do_trace(d->trace, sizeof d->trace, ci_run_id);
	sw_job_header(&d->job, "X-CI-Run-Id", ci_run_id);
	sw_job_header(&d->job, "traceparent", d->trace);
}

static void doing_answered(void *arg, const struct sw_result *res)
{
	struct doing *d = arg;

	d->res = *res;
	doing_end(d, &d->res);
}

static void do_http(struct doing *d, const char *ci_run_id)
{
	do_headers(d, ci_run_id);
	(void)sw_http_client_do(d->w->http, &d->job, doing_answered, d);
}

/* ---- programs ---- */

static void do_exec(struct doing *d, const struct sw_do_for *what)
{
	if (what->ci_run_id && *what->ci_run_id) {
		size_t n = 0;
		const char **env;

		while (d->job.env && d->job.env[n])
			n++;
		env = sw_calloc(n + 2, sizeof *env);
		if (n)
			memcpy(env, d->job.env, n * sizeof *env);
		(void)snprintf(d->trace, sizeof d->trace, "TRACEPARENT=");
		do_trace(d->trace + strlen(d->trace), sizeof d->trace - strlen(d->trace), what->ci_run_id);
		env[n] = d->trace;
		d->job.env = env;
		(void)sw_spawn_do(d->w->spawner, &d->job, what->id, what->note, doing_answered, d);
		free(env);
		return;
	}
	(void)sw_spawn_do(d->w->spawner, &d->job, what->id, what->note, doing_answered, d);
}

/* ---- from outside ---- */

int sw_do_init(struct worker *w, struct sw_err *err)
{
	const struct sw_config *c = w->setup->cfg;
	struct sw_http_client_conf conf = { .proxy = c->proxy, .ca_file = c->ca_file };
	SW_CLEANUP(sw_buf_fini) struct sw_buf dir = SW_BUF_INIT;
	int r;

	r = sw_http_client_new(w->loop, &conf, &w->http, err);
	if (r == 0)
		r = sw_mailer_new(w->loop, &(struct sw_mailer_conf){ .ca_file = c->ca_file }, &w->mailer, err);
	if (r < 0)
		return r;
	if (w->state_dir) {
		(void)mkdir(w->state_dir, 0750);
		sw_buf_printf(&dir, "%s/exec", w->state_dir);
	}
	return sw_spawner_new(w->loop, (const char *const *)c->programs, w->state_dir ? sw_buf_str(&dir) : NULL, &w->spawner, err);
}

void sw_do_fini(struct worker *w)
{
	sw_http_client_free(w->http);
	w->http = NULL;
	sw_mailer_free(w->mailer);
	w->mailer = NULL;
	sw_spawner_free(w->spawner);
	w->spawner = NULL;
}

void sw_do_settle(struct worker *w, const char *id)
{
	sw_spawner_settle(w->spawner, id);
}

void sw_do_recover(struct worker *w, sw_spawn_found_cb cb, void *arg)
{
	sw_spawner_recover(w->spawner, cb, arg);
}

void sw_do_job(struct worker *w, const struct sw_job *job, const struct sw_do_for *what, sw_do_cb cb, void *arg)
{
	struct doing *d = sw_calloc(1, sizeof *d);

	d->w = w;
	d->cb = cb;
	d->arg = arg;
	d->job = *job;
	switch (job->kind) {
	case SW_JOB_HTTP:
		do_http(d, what->ci_run_id);
		break;
	case SW_JOB_EXEC:
		do_exec(d, what);
		break;
	case SW_JOB_PRINT:
		do_print(d);
		break;
	case SW_JOB_MAIL:
		sw_mailer_do(w->mailer, &d->job, doing_answered, d);
		break;
	}
}
