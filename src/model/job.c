/* Jobs and what became of them: small helpers for plug-ins, and the rules every transport shares. */
#include "shipwatch/job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "shipwatch/buf.h"
#include "shipwatch/err.h"

static const char *const outcome_names[] = { "ok", "retry", "hold", "shrink", "message", "config", "ambiguous" };

const char *sw_outcome_name(enum sw_outcome o)
{
	return outcome_names[o];
}

enum sw_outcome sw_outcome_parse(const char *s)
{
	for (size_t i = 0; i < SW_COUNT(outcome_names); i++)
		if (sw_streq(outcome_names[i], s))
			return (enum sw_outcome)i;
	return SW_AMBIGUOUS; /* an answer nobody understands may have been a yes */
}

const char *sw_result_header(const struct sw_result *r, const char *name_lower)
{
	for (size_t i = 0; i < r->n_headers; i++)
		if (sw_streq(r->headers[i].name, name_lower))
			return r->headers[i].value;
	return NULL;
}

int sw_job_post_json(struct sw_job *ret, struct sw_arena *a, const char *url, const struct sw_buf *b)
{
	memset(ret, 0, sizeof *ret);
	ret->kind = SW_JOB_HTTP;
	ret->method = "POST";
	ret->url = sw_arena_strdup(a, url);
	ret->body = sw_arena_memdup(a, b->p, b->n);
	ret->body_n = b->n;
	sw_job_header(ret, "Content-Type", "application/json; charset=utf-8");
	return 0;
}

void sw_job_header(struct sw_job *job, const char *name, const char *value)
{
	SW_ASSERT(job->n_headers < SW_JOB_HEADERS);
	if (!value || strpbrk(value, "\r\n"))
		value = "";
	job->headers[job->n_headers++] = (struct sw_header){ name, value };
}

/* Retry-After in seconds; dates and nonsense are 0. At most a day. */
static sw_dur retry_after(const struct sw_result *res)
{
	const char *s = sw_result_header(res, "retry-after");
	long v = s ? strtol(s, NULL, 10) : 0;

	return v > 0 ? SW_MIN((sw_dur)v * SW_SECOND, SW_DAY) : 0;
}

static bool judge_fault(const struct sw_result *res, struct sw_class *ret, struct sw_err *err)
{
	switch (res->fault) {
	case SW_FAULT_NONE: return false;
	case SW_FAULT_CONNECT:
	case SW_FAULT_TIMEOUT_CONNECT: *ret = (struct sw_class){ .outcome = SW_RETRY }; break;
	case SW_FAULT_CERT:
	case SW_FAULT_REFUSED:
	case SW_FAULT_SPAWN: *ret = (struct sw_class){ .outcome = SW_CONFIG }; break;
	case SW_FAULT_AMBIGUOUS: *ret = (struct sw_class){ .outcome = SW_AMBIGUOUS }; break;
	}
	sw_err_set(err, EIO, "%s", res->detail ? res->detail : "no answer");
	return true;
}

bool sw_judge_transport(const struct sw_result *res, struct sw_class *ret, struct sw_err *err)
{
	int st = res->status;

	if (judge_fault(res, ret, err))
		return true;
	if (st == 429) {
		*ret = (struct sw_class){ .outcome = SW_HOLD, .wait = retry_after(res) ? retry_after(res) : SW_MINUTE, .code = st };
	} else if (st == 408 || st == 425 || st >= 500) {
		*ret = (struct sw_class){ .outcome = SW_RETRY, .wait = retry_after(res), .code = st };
	} else if (st >= 300 && st < 400) {
		*ret = (struct sw_class){ .outcome = SW_CONFIG, .code = st };
		sw_err_set(err, EIO, "HTTP status %d: it points to another address, and messages go to the configured one only", st);
		return true;
	} else {
		return false;
	}
	sw_err_set(err, EIO, "HTTP status %d", st);
	return true;
}

struct sw_class sw_judge_code(const struct sw_result *res, const char *field, const struct sw_code *codes, size_t n,
                              struct sw_class otherwise, struct sw_err *err)
{
	struct sw_class ret = { .outcome = SW_RETRY };
	const struct sw_jnode *code;
	struct sw_jnode *root = NULL;
	const char *text;
	struct sw_arena a = { 0 };

	if (sw_judge_transport(res, &ret, err))
		return ret;
	if (!res->body_n || sw_jtree_parse(&a, res->body, res->body_n, 1000, &root, NULL) < 0)
		root = NULL;
	code = sw_jget(root, field);
	if (!code || code->type != SW_J_NUMBER) {
		sw_err_set(err, EIO, "HTTP status %d without %s in the answer", res->status, field);
		sw_arena_fini(&a);
		return ret;
	}
	ret = otherwise;
	ret.code = (int)code->i;
	text = sw_jstr(root, "errmsg") ? sw_jstr(root, "errmsg") : sw_jstr(root, "msg");
	sw_err_set(err, EIO, "%s %d: %s", field, ret.code, text ? text : "no text");
	for (size_t i = 0; i < n; i++) {
		if (codes[i].code != ret.code)
			continue;
		ret.outcome = codes[i].outcome;
		ret.wait = codes[i].wait;
		ret.tries = codes[i].tries;
		if (codes[i].meaning && *codes[i].meaning)
			sw_err_set(err, EIO, "%s %d: %s", field, ret.code, codes[i].meaning);
		break;
	}
	sw_arena_fini(&a);
	return ret;
}
