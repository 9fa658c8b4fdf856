/* A report on its way: each try is signed anew, because the gateway takes no signature older than five minutes. */
#include "cli/report_send.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hmac.h"
#include "base/json.h"
#include "base/str.h"
#include "shipwatch/clock.h"

#define ANSWER_NODES 100
#define FIRST_PAUSE  (SW_SECOND / 4)
#define LAST_PAUSE   (4 * SW_SECOND)
#define TRY_LEAST    (2 * SW_SECOND)
#define PATH         "/ci-report"

int sw_report_url(const char *text, struct sw_arena *a, const char **ret, struct sw_err *err)
{
	const char *host = strstr(text, "://"), *path;
	size_t n = strlen(text);
	char shown[120];

	(void)sw_err_quote(text, SW_MIN(n, (size_t)60), shown, sizeof shown);
	if (!(sw_starts(text, "http://") || sw_starts(text, "https://")) || !host[3] || strchr("/?#:", host[3]))
		return sw_err_set(err, EINVAL, "\"%s\" is no URL (https://shipwatch.example.com)", shown);
	host += 3;
	if (memchr(host, '@', strcspn(host, "/?#")))
		return sw_err_set(err, EINVAL, "the URL has a name or password in it; the secret goes into SHIPWATCH_SECRET or --secret-file");
	for (const char *p = text; *p; p++)
		if (*p <= ' ' || *p > '~' || *p == '?' || *p == '#')
			return sw_err_set(err, EINVAL, "\"%s\": a blank, ?, # or a character that is not ASCII cannot stand in this URL", shown);
	path = strchr(host, '/');
	while (path && n > (size_t)(path - text) && text[n - 1] == '/')
		n--;
	text = sw_arena_strndup(a, text, n);
	*ret = path && (sw_ends(text, PATH) || strstr(path, "/hooks/")) ? text : sw_arena_printf(a, "%s%s", text, PATH);
	return 0;
}

void sw_report_sign(const char *secret, long long at, const char *body, size_t n, struct sw_buf *hex)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf text = SW_BUF_INIT;
	unsigned char mac[SW_SHA256_BYTES];

	sw_buf_printf(&text, "%lld.", at);
	sw_buf_catn(&text, body, n);
	sw_hmac_sha256(secret, strlen(secret), text.p, text.n, mac);
	sw_hex_encode(hex, mac, sizeof mac);
}

static void send_job(const struct sw_report_to *to, const struct sw_buf *body, sw_dur timeout, struct sw_arena *a, struct sw_job *job)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf hex = SW_BUF_INIT;
	long long at = sw_clock_wall() / SW_SECOND;

	*job = (struct sw_job){ .kind = SW_JOB_HTTP, .method = "POST", .url = to->url, .timeout = timeout, .body = body->p, .body_n = body->n };
	sw_report_sign(to->secret, at, body->p, body->n, &hex);
	sw_job_header(job, "Content-Type", "application/json");
	sw_job_header(job, "X-Shipwatch-Timestamp", sw_arena_printf(a, "%lld", at));
	sw_job_header(job, "X-Shipwatch-Signature", sw_arena_printf(a, "sha256=%s", sw_buf_str(&hex)));
}

/* What stands under a key of the gateway's small JSON, printable; NULL: nothing. */
static const char *answer_text(const struct sw_result *res, const char *key, struct sw_arena *a)
{
	struct sw_jnode *root;
	char shown[200];
	const char *s;

	if (sw_jtree_parse(a, res->body, res->body_n, ANSWER_NODES, &root, NULL) < 0)
		return NULL;
	s = sw_jstr(root, key);
	return s ? sw_arena_strdup(a, sw_err_quote(s, strlen(s), shown, sizeof shown)) : NULL;
}

/* Return: 0: taken; -EIO: not now; -EPROTO: not this one, ever. *pause: at least so long, when they said it. */
static int send_judge(const struct sw_result *res, struct sw_arena *a, sw_dur *pause, const char **said, struct sw_err *err)
{
	const char *after = NULL, *why;

	if (res->fault != SW_FAULT_NONE)
		return sw_err_set(err, res->fault == SW_FAULT_CERT || res->fault == SW_FAULT_REFUSED ? EPROTO : EIO, "%s",
		                  res->detail ? res->detail : "no answer");
	if (res->status >= 200 && res->status <= 299) {
		*said = answer_text(res, "status", a);
		if (*said)
			return 0;
		return sw_err_set(err, EPROTO, "HTTP %d, but not in Shipwatch's words: is this its address?", res->status);
	}
	for (size_t i = 0; i < res->n_headers; i++)
		if (sw_streq(res->headers[i].name, "retry-after"))
			after = res->headers[i].value;
	if (after && strspn(after, "0123456789") == strlen(after) && strlen(after) < 7)
		*pause = strtol(after, NULL, 10) * SW_SECOND;
	why = answer_text(res, "error", a);
	if (res->status == 401)
		return sw_err_set(err, EPROTO, "HTTP 401: the secret is not one of the source's, or this machine's clock is wrong");
	return sw_err_set(err, res->status == 408 || res->status == 429 || res->status >= 500 ? EIO : EPROTO, "HTTP %d%s%s", res->status,
	                  why ? ": " : res->status / 100 == 3 ? ": it sends on to another address; name that one" : "", why ? why : "");
}

/* Tries of many jobs that met the same outage do not come at once. */
static sw_dur spread(sw_dur d)
{
	unsigned char r;

	sw_random(&r, sizeof r);
	return d * 3 / 4 + d / 2 * r / 255;
}

int sw_report_send(const struct sw_report_to *to, const struct sw_buf *body, sw_dur within, struct sw_arena *a, const char **said,
                   struct sw_err *err)
{
	sw_dur began = sw_clock_mono(), end = began + within, next = FIRST_PAUSE;
	struct sw_err why = SW_ERR_INIT;

	for (int tries = 1;; tries++) {
		sw_dur left = end - sw_clock_mono(), pause = 0;
		struct sw_result res = { 0 };
		struct sw_job job;
		int r;

		send_job(to, body, SW_MAX(SW_MIN(left, SW_MAX(left / 2, TRY_LEAST)), (sw_dur)1), a, &job);
		why.text[0] = '\0';
		r = sw_cli_http_net(&to->net, &job, a, &res, &why);
		r = r < 0 ? -EPROTO : send_judge(&res, a, &pause, said, &why);
		if (r == 0)
			return 0;
		left = end - sw_clock_mono();
		pause = SW_MAX(pause, spread(next));
		next = SW_MIN(next * 2, LAST_PAUSE);
		if (r == -EPROTO || pause >= left)
			return sw_err_set(err, EIO, "%s (%d %s in %.1f s)", why.text, tries, tries == 1 ? "try" : "tries", (double)(sw_clock_mono() - began) / 1000);
		(void)nanosleep(&(struct timespec){ pause / 1000, pause % 1000 * 1000000 }, NULL);
	}
}
