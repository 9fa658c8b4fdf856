/* An action by a request: the decision as JSON, signed, with a key that tells a repeat. */
#include "shipwatch/plugin.h"

#include "action/act_json.h"
#include "model/hook.h"

struct http {
	const char *url, *secret;
	sw_dur timeout;
};

#define AT(f) offsetof(struct http, f)
static const struct sw_key keys[] = {
	{ "url", SW_KEY_URL, AT(url), "!", "what is asked to act" },
	{ "secret", SW_KEY_SECRET, AT(secret), NULL, "signs each: X-Shipwatch-Signature" },
	{ "timeout", SW_KEY_DUR, AT(timeout), "30s", "after which its outcome is unknown", SW_SECOND, SW_HOUR },
	{ 0 },
};

static int http_plan(const void *conf, const struct sw_act *act, unsigned step, const struct sw_result *last,
                     sw_ms now, struct sw_arena *a, struct sw_job *ret, struct sw_err *err)
{
	const struct http *c = conf;
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	int r;

	sw_act_json(act, &b);
	r = sw_hook_post(ret, a, c->url, c->secret, "rollback", act->id, now, &b);
	ret->timeout = c->timeout;
	return r;
}

static struct sw_class http_judge(const void *conf, const struct sw_result *res, struct sw_err *err)
{
	return sw_hook_judge(res, err);
}

const struct sw_action sw_action_http = {
	.base = { "http", "A signed POST with the decision.", keys, sizeof(struct http) },
	.plan = http_plan,
	.judge = http_judge,
};
