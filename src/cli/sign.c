/* shipwatch sign: the headers a git host or a CI job would send with a body, for curl -H @-. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hmac.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/report_send.h"
#include "shipwatch/clock.h"
#include "shipwatch/mem.h"

#define BODY_MAX ((size_t)75 << 20)
#define KEY_MAX  256

enum { SIGN_GITHUB, SIGN_GITLAB, SIGN_GITEA, SIGN_REPORT, SIGN_ALERTMANAGER, SIGN_CLOUDEVENTS };
static const char *const sign_kinds[] = { "github", "gitlab", "gitea", "report", "alertmanager", "cloudevents", NULL };

static int sign_read(const char *path, struct sw_buf *out)
{
	FILE *f = path && !sw_streq(path, "-") ? fopen(path, "re") : stdin;
	char chunk[65536];
	size_t n;
	bool bad;

	if (!f) {
		perror(path);
		return -1;
	}
	while (out->n <= BODY_MAX && (n = fread(chunk, 1, sizeof chunk, f)) > 0)
		sw_buf_catn(out, chunk, n);
	bad = ferror(f) != 0 || out->n > BODY_MAX;
	if (f != stdin)
		(void)fclose(f);
	if (bad)
		(void)fprintf(stderr, "shipwatch: %s: cannot be read whole, or is larger than %zu MiB\n", path ? path : "stdin", BODY_MAX >> 20);
	return bad ? -1 : 0;
}

static void sign_hex(const char *secret, const char *p, size_t n, struct sw_buf *hex)
{
	unsigned char mac[SW_SHA256_BYTES];

	sw_hmac_sha256(secret, strlen(secret), p, n, mac);
	sw_hex_encode(hex, mac, sizeof mac);
}

static const char *sign_uuid(struct sw_buf *b)
{
	unsigned char r[16];
	static const size_t parts[] = { 4, 2, 2, 2, 6 };

	sw_random(r, sizeof r);
	r[6] = (unsigned char)((r[6] & 15) | 64);
	r[8] = (unsigned char)((r[8] & 63) | 128);
	for (size_t i = 0, at = 0; i < SW_COUNT(parts); at += parts[i++]) {
		if (i)
			sw_buf_putc(b, '-');
		sw_hex_encode(b, r + at, parts[i]);
	}
	return sw_buf_str(b);
}

/* Standard Webhooks, as GitLab's signing tokens: HMAC over id.time.body with the decoded key. */
static int sign_standard(const char *secret, const struct sw_buf *body, const char *id, long long at)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf text = SW_BUF_INIT, b64 = SW_BUF_INIT;
	unsigned char key[KEY_MAX], mac[SW_SHA256_BYTES];
	int n = sw_b64_decode(secret + 6, strlen(secret + 6), key, sizeof key);

	if (n <= 0) {
		(void)fprintf(stderr, "shipwatch: sign: a signing token is whsec_ and base64\n");
		return -1;
	}
	sw_buf_printf(&text, "%s.%lld.", id, at);
	sw_buf_catn(&text, body->p, body->n);
	sw_hmac_sha256(key, (size_t)n, text.p, text.n, mac);
	sw_b64_encode(&b64, mac, sizeof mac);
	(void)printf("webhook-id: %s\nwebhook-timestamp: %lld\nwebhook-signature: v1,%s\n", id, at, sw_buf_str(&b64));
	return 0;
}

static int sign_print(int kind, const char *secret, const char *event, const struct sw_buf *body)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf hex = SW_BUF_INIT, uuid = SW_BUF_INIT;
	const char *id = sign_uuid(&uuid);
	long long at = sw_clock_wall() / SW_SECOND;

	(void)puts("Content-Type: application/json");
	switch (kind) {
	case SIGN_GITHUB:
		sign_hex(secret, body->p, body->n, &hex);
		(void)printf("X-GitHub-Event: %s\nX-GitHub-Delivery: %s\nX-Hub-Signature-256: sha256=%s\n", event ? event : "push", id,
		             sw_buf_str(&hex));
		return 0;
	case SIGN_GITEA:
		sign_hex(secret, body->p, body->n, &hex);
		(void)printf("X-Gitea-Event: %s\nX-Gitea-Delivery: %s\nX-Gitea-Signature: %s\n", event ? event : "push", id, sw_buf_str(&hex));
		return 0;
	case SIGN_GITLAB:
		(void)printf("X-Gitlab-Event: %s\nX-Gitlab-Event-UUID: %s\n", event ? event : "Push Hook", id);
		if (sw_starts(secret, "whsec_"))
			return sign_standard(secret, body, id, at);
		(void)printf("X-Gitlab-Token: %s\n", secret);
		return 0;
	case SIGN_CLOUDEVENTS:
		if (sw_starts(secret, "whsec_"))
			return sign_standard(secret, body, id, at);
		(void)printf("Authorization: Bearer %s\n", secret);
		return 0;
	case SIGN_ALERTMANAGER:
		(void)printf("Authorization: Bearer %s\n", secret);
		return 0;
	default:
		sw_report_sign(secret, at, sw_buf_str(body), body->n, &hex);
		(void)printf("X-Shipwatch-Timestamp: %lld\nX-Shipwatch-Signature: sha256=%s\n", at, sw_buf_str(&hex));
		return 0;
	}
}

int sw_cli_sign(int argc, char **argv)
{
	static const struct sw_usage usage = {
		"sign --kind KIND [--secret TEXT] [--event NAME] [--body FILE]",
		"Prints the headers a sender of this kind would send with the body (standard input unless a file is named):\n"
		"  shipwatch sign --kind github --body push.json | curl -H @- --data-binary @push.json http://127.0.0.1:8080/hooks/github\n",
		NULL, 0, 0,
	};
	const char *secret = getenv("SHIPWATCH_SECRET"), *event = NULL, *file = NULL;
	SW_CLEANUP(sw_buf_fini) struct sw_buf body = SW_BUF_INIT;
	int kind = -1;
	const struct sw_opt opts[] = {
		{ "kind", 0, SW_OPT_WORD, &kind, "KIND", "github, gitlab, gitea, report, alertmanager or cloudevents", sign_kinds },
		{ "secret", 0, SW_OPT_TEXT, &secret, "TEXT", "secret, token or signing token; $SHIPWATCH_SECRET unless said" },
		{ "event", 0, SW_OPT_TEXT, &event, "NAME", "the host's name of it: push, \"Deployment Hook\"" },
		{ "body", 0, SW_OPT_TEXT, &file, "FILE", "- or nothing: standard input" }, { 0 },
	};
	int r;

	if (sw_options_read(&usage, opts, argc, argv, &r) < 0)
		return r;
	if (kind < 0 || !secret || !*secret || secret[strcspn(secret, "\r\n")] || (event && event[strcspn(event, "\r\n")])) {
		(void)fprintf(stderr, "shipwatch: sign: want --kind and --secret (or SHIPWATCH_SECRET), each on one line\nusage: shipwatch %s\n",
		              usage.line);
		return SW_EXIT_USAGE;
	}
	if (sign_read(file, &body) < 0)
		return SW_EXIT_WRONG;
	return sign_print(kind, secret, event, &body) < 0 ? SW_EXIT_WRONG : SW_EXIT_OK;
}
