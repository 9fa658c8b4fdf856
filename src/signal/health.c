/* Health: one GET; the status, and where asked a value in the JSON of the answer, say whether all is well. */
#include "shipwatch/plugin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "model/place.h"

#define ANSWER_MAX   ((size_t)256 * 1024)
#define ANSWER_NODES 20000
#define TIMEOUT      (2 * SW_SECOND)
#define TEXT_MAX     200

static const struct sw_key keys[] = { { 0 } }; /* its settings are rows of the place (struct sw_health_conf) */

static int health_ask(const void *conf, const struct sw_target *t, sw_ms now, struct sw_arena *a, struct sw_job *ret,
                      struct sw_err *err)
{
	const struct sw_health_conf *c = conf;

	if (!c->url)
		return sw_err_set(err, ENOENT, "no health URL is configured");
	memset(ret, 0, sizeof *ret);
	ret->kind = SW_JOB_HTTP;
	ret->method = "GET";
	ret->url = sw_place_fill(c->url, t->service, a);
	ret->timeout = c->timeout > 0 ? c->timeout : TIMEOUT;
	ret->response_max = ANSWER_MAX;
	ret->follow = true;
	sw_job_header(ret, "Accept", "application/json, */*;q=0.5");
	sw_job_header(ret, "Cache-Control", "no-cache");
	return 0;
}

/* One step of a JSON Pointer: "~1" is '/', "~0" is '~'. */
static const struct sw_jnode *pointer_step(const struct sw_jnode *node, const char *s, size_t n)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf key = SW_BUF_INIT;
	char *end;
	unsigned long at;

	for (size_t i = 0; i < n; i++) {
		if (s[i] == '~' && i + 1 < n && (s[i + 1] == '0' || s[i + 1] == '1'))
			sw_buf_putc(&key, s[++i] == '0' ? '~' : '/');
		else
			sw_buf_putc(&key, s[i]);
	}
	if (node->type != SW_J_ARRAY)
		return sw_jget(node, sw_buf_str(&key));
	at = strtoul(sw_buf_str(&key), &end, 10);
	if (*end || end == key.p)
		return NULL;
	for (node = node->child; node && at; at--)
		node = node->next;
	return node;
}

static const char *node_text(const struct sw_jnode *node)
{
	switch (node ? node->type : SW_J_NULL) {
	case SW_J_STRING:
	case SW_J_NUMBER:
		return node->text;
	case SW_J_TRUE:
		return "true";
	case SW_J_FALSE:
		return "false";
	default:
		return NULL;
	}
}

/* "/a/b" (n long) in the answer as text; NULL: it is not there. */
static const char *pointer_text(const struct sw_jnode *root, const char *p, size_t n)
{
	while (root && n && *p == '/') {
		const char *next = memchr(p + 1, '/', n - 1);
		size_t len = (next ? (size_t)(next - p) : n) - 1;

		root = pointer_step(root, p + 1, len);
		p += len + 1;
		n -= len + 1;
	}
	return n ? NULL : node_text(root);
}

/* Why the answer is not a good one, or NULL. */
static const char *health_wrong(const struct sw_health_conf *c, const struct sw_result *res,
                                const struct sw_jnode *root, struct sw_arena *a)
{
	int min = c->status_min ? c->status_min : 200, max = c->status_max ? c->status_max : 299;
	const char *eq, *got;

	if (res->fault != SW_FAULT_NONE)
		return res->detail ? sw_arena_strdup(a, res->detail) : "no answer";
	if (res->status < min || res->status > max)
		return sw_arena_printf(a, "HTTP status %d", res->status);
	eq = c->expect ? strchr(c->expect, '=') : NULL;
	if (!eq)
		return NULL;
	got = pointer_text(root, c->expect, (size_t)(eq - c->expect));
	if (got && strcmp(got, eq + 1) == 0)
		return NULL;
	return sw_arena_printf(a, "%.*s is %s, want %s", (int)(eq - c->expect), c->expect, got ? got : "missing",
	                       eq + 1);
}

static const char *text_cut(struct sw_arena *a, const char *s)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	if (!s)
		return NULL;
	sw_utf8_clean(&b, s, sw_utf8_cut(s, strlen(s), TEXT_MAX), true);
	return sw_arena_strdup(a, sw_buf_str(&b));
}

static int health_read(const void *conf, const struct sw_target *t, const struct sw_result *res, struct sw_samples *out,
                       struct sw_err *err)
{
	const struct sw_health_conf *c = conf;
	struct sw_jnode *root = NULL;
	const char *wrong;
	struct sw_sample *s;

	if (res->fault == SW_FAULT_REFUSED ||
	    res->fault == SW_FAULT_SPAWN) { /* we did not ask: says nothing about them */
		s = sw_samples_add(out, "health", res->at, SW_R_ERROR, 0);
		if (s)
			s->text = text_cut(out->a, res->detail);
		return 0;
	}
	if ((c->version || c->expect) && res->body_n &&
	    sw_jtree_parse(out->a, res->body, res->body_n, ANSWER_NODES, &root, NULL) < 0)
		root = NULL;
	wrong = health_wrong(c, res, root, out->a);
	s = sw_samples_add(out, "health", res->at, SW_R_OK, wrong ? 0 : 1);
	if (!s)
		return 0;
	if (wrong)
		s->text = text_cut(out->a, wrong);
	else if (c->version)
		s->text = text_cut(out->a, pointer_text(root, c->version, strlen(c->version)));
	return 0;
}

const struct sw_signal sw_signal_health = {
	.base = { "health", "A health URL: status, version, one value.", keys, sizeof(struct sw_health_conf) },
	.ask = health_ask,
	.read = health_read,
};
