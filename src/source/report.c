/*
 * CI reports (design 2.2): a job tells of itself. Signed with a timestamp, or plainly over the body for curl and openssl.
 * What we do not know is kept in `extra` and shown.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "shipwatch/clock.h"
#include "source/host.h"

#define NODES_MOST 5000

struct report { const char **secrets; bool is_unsigned; };

static const struct sw_key report_keys[] = {
	{ "secrets", SW_KEY_SECRETS, offsetof(struct report, secrets), NULL, "secrets CI jobs sign with, the current one and those being replaced", 0, 0, NULL },
	{ "unsigned", SW_KEY_BOOL, offsetof(struct report, is_unsigned), "false", "take reports without a signature", 0, 0, NULL },
	{ 0 },
};

static const char *const report_headers[] = { "x-shipwatch-timestamp", "x-shipwatch-signature", "x-signature-256", NULL };

/* ---- the schema ---- */

enum want { WANT_ID, WANT_TEXT, WANT_COUNT, WANT_INTEGER, WANT_PERCENT, WANT_PHASE, WANT_METRICS, WANT_TIME, WANT_BOOL };

static const struct field { const char *name; enum want want; size_t offset; } schema[] = {
	{ "pipeline_id", WANT_ID, offsetof(struct sw_event, pipeline_id) }, { "job_name", WANT_ID, offsetof(struct sw_event, job_name) },
	{ "job_id", WANT_ID, offsetof(struct sw_event, job_id) }, { "exit_code", WANT_INTEGER, 0 }, { "attempt", WANT_INTEGER, 0 },
	{ "phase", WANT_PHASE, 0 }, { "started_at", WANT_TIME, 0 }, { "finished_at", WANT_TIME, 0 },
	{ "duration_ms", WANT_COUNT, offsetof(struct sw_event, duration_ms) }, { "cpu_ms", WANT_COUNT, offsetof(struct sw_event, cpu_ms) },
	{ "max_rss_bytes", WANT_COUNT, offsetof(struct sw_event, max_rss_bytes) }, { "coverage_pct", WANT_PERCENT, 0 },
	{ "repo", WANT_TEXT, offsetof(struct sw_event, repo) }, { "ref", WANT_TEXT, 0 }, { "branch", WANT_TEXT, offsetof(struct sw_event, branch) },
	{ "tag", WANT_TEXT, offsetof(struct sw_event, tag) }, { "sha", WANT_TEXT, 0 }, { "version", WANT_TEXT, offsetof(struct sw_event, version) },
	{ "author", WANT_TEXT, offsetof(struct sw_event, author) }, { "url", WANT_TEXT, offsetof(struct sw_event, url) },
	{ "ci_run_id", WANT_TEXT, 0 }, { "environment", WANT_TEXT, offsetof(struct sw_event, environment) },
	{ "service", WANT_TEXT, offsetof(struct sw_event, service) }, { "metrics", WANT_METRICS, 0 }, { "cancelled", WANT_BOOL, 0 },
};

static const char *node_quoted(const struct sw_jnode *n, char *out, size_t size)
{
	switch (n->type) {
	case SW_J_STRING: {
		char raw[96];

		(void)snprintf(out, size, "\"%s\"", sw_err_quote(n->text, n->n, raw, sizeof raw));
		break;
	}
	case SW_J_NUMBER: (void)snprintf(out, size, "%.40s", n->text); break;
	case SW_J_NULL: (void)snprintf(out, size, "null"); break;
	case SW_J_TRUE: (void)snprintf(out, size, "true"); break;
	case SW_J_FALSE: (void)snprintf(out, size, "false"); break;
	case SW_J_OBJECT: (void)snprintf(out, size, "an object"); break;
	case SW_J_ARRAY: (void)snprintf(out, size, "a list"); break;
	}
	return out;
}

static int check_metrics(const struct sw_jnode *n, struct sw_err *err)
{
	char got[120], name[80];

	if (n->n > SW_EVENT_METRICS)
		return sw_err_set(err, EBADMSG, "metrics: want at most %d numbers, got %zu", SW_EVENT_METRICS, n->n);
	for (const struct sw_jnode *m = n->child; m; m = m->next)
		if (m->type != SW_J_NUMBER || !isfinite(m->d))
			return sw_err_set(err, EBADMSG, "metrics.%s: want a number, got %s", sw_err_quote(m->key, strlen(m->key), name, sizeof name),
			                  node_quoted(m, got, sizeof got));
	return 0;
}

static int check_field(const struct field *f, const struct sw_jnode *n, struct sw_err *err)
{
	const char *want = NULL;
	char got[120];
	sw_ms at;

	if (n->type == SW_J_NULL)
		return 0; /* as if it were not there */
	switch (f->want) {
	case WANT_ID: want = (n->type == SW_J_STRING && n->n > 0 && n->n <= 255) || n->type == SW_J_NUMBER ? NULL : "a string or number"; break;
	case WANT_TEXT: want = n->type == SW_J_STRING ? NULL : "a string"; break;
	case WANT_COUNT: want = n->type == SW_J_NUMBER && n->d >= 0 && isfinite(n->d) ? NULL : "a number >= 0"; break;
	case WANT_INTEGER:
		want = n->type == SW_J_NUMBER && n->d == (double)n->i && n->i >= -1000000 && n->i <= 1000000 ? NULL : "an integer";
		break;
	case WANT_PERCENT: want = n->type == SW_J_NUMBER && n->d >= 0 && n->d <= 100 ? NULL : "a number from 0 to 100"; break;
	case WANT_PHASE:
		want = n->type == SW_J_STRING && (sw_streq(n->text, "started") || sw_streq(n->text, "finished")) ? NULL : "\"started\" or \"finished\"";
		break;
	case WANT_METRICS:
		if (n->type == SW_J_OBJECT)
			return check_metrics(n, err);
		want = "an object of numbers";
		break;
	case WANT_BOOL: want = n->type == SW_J_TRUE || n->type == SW_J_FALSE ? NULL : "true or false"; break;
	case WANT_TIME:
		want = (n->type == SW_J_STRING || n->type == SW_J_NUMBER) && sw_time_parse(n->text, &at) == 0 ? NULL : "a time (RFC 3339 or seconds)";
		break;
	}
	return want ? sw_err_set(err, EBADMSG, "%s: want %s, got %s", f->name, want, node_quoted(n, got, sizeof got)) : 0;
}

static const struct sw_jnode *given(const struct sw_jnode *root, const char *name)
{
	const struct sw_jnode *n = sw_jget(root, name);

	return n && n->type != SW_J_NULL ? n : NULL;
}

static int check_tree(const struct sw_jnode *root, struct sw_err *err)
{
	static const char *const required[] = { "pipeline_id", "job_name" };
	int r;

	if (root->type != SW_J_OBJECT)
		return sw_err_set(err, EBADMSG, "want a JSON object");
	for (size_t i = 0; i < SW_COUNT(schema); i++) {
		const struct sw_jnode *n = sw_jget(root, schema[i].name);

		r = n ? check_field(&schema[i], n, err) : 0;
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < SW_COUNT(required); i++)
		if (!given(root, required[i]))
			return sw_err_set(err, EBADMSG, "%s: is missing", required[i]);
	if (!given(root, "exit_code") && !sw_streq(sw_jstr(root, "phase"), "started"))
		return sw_err_set(err, EBADMSG, "exit_code: is missing (only a report with \"phase\": \"started\" has none)");
	return 0;
}

static int report_tree(struct sw_arena *a, const char *json, size_t n, struct sw_jnode **ret, struct sw_err *err)
{
	return sw_jtree_parse(a, json, n, NODES_MOST, ret, err) < 0 ? -EBADMSG : 0;
}

static int report_check(const char *json, size_t n, struct sw_err *err)
{
	struct sw_arena a = { 0 };
	struct sw_jnode *root;
	int r = report_tree(&a, json, n, &root, err);

	if (r == 0)
		r = check_tree(root, err);
	sw_arena_fini(&a);
	return r;
}

/* ---- bytes to the event ---- */

static void report_fields(const struct sw_jnode *root, struct sw_arena *a, struct sw_event *ev)
{
	for (size_t i = 0; i < SW_COUNT(schema); i++) {
		const struct sw_jnode *n = given(root, schema[i].name);
		void *p = (char *)ev + schema[i].offset;

		if (!n || !schema[i].offset)
			continue;
		if (schema[i].want == WANT_COUNT)
			*(double *)p = n->d;
		else if (n->text && *n->text)
			*(const char **)p = sw_arena_strndup(a, n->text, sw_utf8_cut(n->text, strlen(n->text), SW_EVENT_TEXT));
	}
}

static void report_metrics(const struct sw_jnode *root, struct sw_arena *a, struct sw_event *ev)
{
	const struct sw_jnode *m = sw_jget(root, "metrics");

	if (!m || m->type != SW_J_OBJECT)
		return;
	ev->metrics = SW_ARENA_ARRAY(a, struct sw_metric, m->n + 1);
	for (m = m->child; m; m = m->next)
		ev->metrics[ev->n_metrics++] = (struct sw_metric){ m->key, m->d };
}

static void report_extra(const struct sw_jnode *root, struct sw_arena *a, struct sw_event *ev)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;
	bool any = false;

	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	for (const struct sw_jnode *n = root->child; n; n = n->next) {
		bool ours = false;

		for (size_t i = 0; i < SW_COUNT(schema); i++)
			ours |= sw_streq(schema[i].name, n->key);
		if (ours)
			continue;
		any = true;
		sw_jw_node(&w, n->key, n);
	}
	sw_jw_obj_end(&w);
	if (any)
		ev->extra = sw_arena_strndup(a, b.p, b.n);
	sw_buf_fini(&b);
}

static const char *report_sha(const struct sw_jnode *root, struct sw_arena *a)
{
	const char *s = sw_jstr(root, "sha");
	char *sha;

	if (!s || strlen(s) < 7 || strlen(s) > 64 || strspn(s, "0123456789abcdefABCDEF") != strlen(s))
		return NULL;
	sha = sw_arena_strdup(a, s);
	for (char *p = sha; *p; p++)
		if (*p >= 'A' && *p <= 'F')
			*p |= 32;
	return sha;
}

static sw_ms report_time(const struct sw_jnode *root, const char *name)
{
	const struct sw_jnode *n = given(root, name);
	sw_ms at;

	return n && n->text && sw_time_parse(n->text, &at) == 0 ? at : 0;
}

/* The run this report belongs to; its own word is an alias beside the id that a host's webhook makes. */
static void report_run(const struct sw_jnode *root, struct sw_arena *a, struct sw_event *ev)
{
	const char *own = sw_jstr(root, "ci_run_id");

	ev->host = sw_host_of_url(a, ev->url);
	if (ev->host && ev->repo)
		sw_host_run_id(ev, a);
	if (!ev->ci_run_id)
		ev->ci_run_id = own;
	else if (own && strcmp(own, ev->ci_run_id) != 0)
		ev->ci_run_alias = own;
}

static int report_parse(const void *conf, const struct sw_request *rq, struct sw_events *out, struct sw_err *err)
{
	struct sw_arena *a = out->a;
	struct sw_jnode *root;
	struct sw_event *ev;
	bool started;
	int r = report_tree(a, rq->body, rq->body_n, &root, err);

	(void)conf;
	if (r == 0)
		r = check_tree(root, err);
	if (r < 0)
		return r;
	ev = sw_events_add(out);
	ev->kind = SW_EV_REPORT;
	ev->what = "report";
	ev->source = rq->source;
	ev->source_kind = "report";
	ev->received = rq->arrived;
	report_fields(root, a, ev);
	report_metrics(root, a, ev);
	report_extra(root, a, ev);
	started = sw_streq(sw_jstr(root, "phase"), "started");
	ev->exit_code = (int)sw_jint(root, "exit_code", -1);
	ev->attempt = (int)sw_jint(root, "attempt", 0);
	ev->status = started ? SW_ST_RUNNING : ev->exit_code == 0 ? SW_ST_SUCCESS : SW_ST_FAILED;
	if (!started && sw_jbool(root, "cancelled", false)) /* what a person or a newer run ended has not failed */
		ev->status = SW_ST_CANCELLED;
	ev->coverage = sw_jnum(root, "coverage_pct", -100) / 100;
	ev->sha = report_sha(root, a);
	if (sw_jstr(root, "ref"))
		sw_host_ref(ev, sw_jstr(root, "ref"), ev->tag != NULL, a);
	else
		sw_host_ref(ev, ev->tag ? ev->tag : ev->branch, ev->tag != NULL, a);
	ev->user = ev->author;
	ev->started_at = report_time(root, "started_at");
	ev->finished_at = started ? 0 : report_time(root, "finished_at");
	ev->at = ev->finished_at ? ev->finished_at : started && ev->started_at ? ev->started_at : rq->arrived;
	report_run(root, a, ev);
	ev->report_id = sw_arena_printf(a, "%s/%s/%s/%d/%lld/%s", ev->pipeline_id, ev->job_name, ev->job_id ? ev->job_id : "", ev->attempt,
	                                (long long)ev->started_at, started ? "started" : "finished");
	return 0;
}

static int report_verify(const void *conf, const struct sw_request *rq, struct sw_arena *a, struct sw_proof *ret, struct sw_err *err)
{
	const struct report *c = conf;
	const char *const *secrets = (const char *const *)c->secrets;
	const char *stamp = sw_request_header(rq, "x-shipwatch-timestamp"), *sig = sw_request_header(rq, "x-shipwatch-signature"),
		   *plain = sw_request_header(rq, "x-signature-256");
	bool fresh = sw_verify_fresh(stamp, rq->arrived);
	int stamped = sw_verify_hmac_stamped(secrets, stamp ? stamp : "", rq->body, rq->body_n, sig && sw_starts(sig, "sha256=") ? sig + 7 : NULL);
	int by_body = sw_verify_hmac_hex(secrets, rq->body, rq->body_n, plain && sw_starts(plain, "sha256=") ? plain + 7 : NULL);

	(void)a;
	*ret = (struct sw_proof){ .dedupe_for = DEDUPE_SHORT, .what = "report", .run = true };
	ret->secret = sig ? (fresh ? stamped : -1) : by_body;
	if (ret->secret >= 0 || (c->is_unsigned && !sig && !plain))
		return 0;
	if (sig && !fresh)
		return sw_err_set(err, EACCES, "X-Shipwatch-Timestamp is missing or more than 5 min away from our clock");
	return sw_err_set(err, EACCES, sig || plain ? "the signature does not fit any of the secrets" : "no X-Shipwatch-Signature");
}

const struct sw_source sw_source_report = {
	.base = { "report", "reports of CI jobs", report_keys, sizeof(struct report) },
	.mark = "x-shipwatch-signature",
	.headers = report_headers,
	.types = sw_json_types,
	.verify = report_verify,
	.text = sw_form_text,
	.check = report_check,
	.parse = report_parse,
};
