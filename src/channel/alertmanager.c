/*
 * Prometheus Alertmanager, its API v2: an alert is posted as it begins and at each piece of news, and with its end when
 * it is over. Posting the same twice changes nothing there, so an outcome that is not known is tried again.
 */
#include "shipwatch/plugin.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "channel/am_body.h"
#include "channel/robot.h"

#define PATH       "/api/v2/alerts"
#define NOTICE_MAX (15 * SW_MINUTE) /* news that nothing follows */

struct alertmanager {
	const char *url, *token, *user, *password;
	const char **labels;
	sw_dur keep;
};

#define AT(f) offsetof(struct alertmanager, f)
static const struct sw_key keys[] = {
	{ "url", SW_KEY_URL, AT(url), "!", "its address, as http://alertmanager:9093" },
	{ "token", SW_KEY_SECRET, AT(token), NULL, "where it wants a Bearer token" },
	{ "user", SW_KEY_STRING, AT(user), NULL, "where it wants a login" },
	{ "password", SW_KEY_SECRET, AT(password), NULL, "of that login" },
	{ "labels", SW_KEY_STRMAP, AT(labels), NULL, "put on every alert, over ours of the same name" },
	{ "keep", SW_KEY_DUR, AT(keep), "4h", "how long an alert fires there of which nothing more is heard", SW_MINUTE,
	  7 * SW_DAY },
	{ 0 },
};

static const char *alertmanager_credential(const void *conf)
{
	return ((const struct alertmanager *)conf)->url;
}

static int alertmanager_check(const void *conf, struct sw_err *err)
{
	const struct alertmanager *c = conf;

	if (c->token && c->user)
		return sw_err_set(err, EINVAL, "token and user: one of them");
	if (!c->user != !c->password)
		return sw_err_set(err, EINVAL, "user and password: both or none");
	if (c->user && strchr(c->user, ':'))
		return sw_err_set(err, EINVAL, "user: no ':' can be in it");
	return sw_am_check((const char *const *)c->labels, err);
}

static void job_login(const struct alertmanager *c, struct sw_arena *a, struct sw_job *job)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf plain = SW_BUF_INIT, b = SW_BUF_INIT;

	if (c->token) {
		sw_job_header(job, "Authorization", sw_arena_printf(a, "Bearer %s", c->token));
	} else if (c->user) {
		sw_buf_printf(&plain, "%s:%s", c->user, c->password);
		sw_b64_encode(&b, plain.p, plain.n);
		sw_job_header(job, "Authorization", sw_arena_printf(a, "Basic %s", b.p));
	}
}

/* Without an end Alertmanager would give it one by itself, 5 minutes later: a message of its own that all is well. */
static sw_ms ends(const struct alertmanager *c, const struct sw_alert *al, sw_ms now)
{
	if (sw_am_over(al))
		return now;
	return now +
	       (al->news == SW_NEWS_NOTICE || al->news == SW_NEWS_INCONCLUSIVE ? SW_MIN(c->keep, NOTICE_MAX) : c->keep);
}

static int alertmanager_render(const void *conf, const struct sw_alert *al, enum sw_size size, unsigned part, sw_ms now,
                               struct sw_arena *a, struct sw_job *ret, struct sw_err *err)
{
	const struct alertmanager *c = conf;
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT, url = SW_BUF_INIT, link = SW_BUF_INIT;
	struct sw_am_labels labels;
	struct sw_jw w;
	int r;

	sw_am_labels(al, (const char *const *)c->labels, a, &labels);
	sw_jw_init(&w, &b);
	sw_jw_arr(&w, NULL);
	sw_jw_obj(&w, NULL);
	sw_am_write_labels(&w, "labels", &labels);
	sw_am_write_annotations(&w, "annotations", al, size);
	sw_am_write_time(&w, "startsAt", sw_am_starts(al, now));
	sw_am_write_time(&w, "endsAt", ends(c, al, now));
	if (sw_alert_url(sw_robot_link(al), &link))
		sw_jw_str(&w, "generatorURL", sw_buf_str(&link));
	sw_jw_obj_end(&w);
	sw_jw_arr_end(&w);
	sw_buf_cat(&url, c->url);
	if (sw_ends(c->url, PATH))
		sw_buf_truncate(&url, url.n - strlen(PATH));
	while (url.n && url.p[url.n - 1] == '/')
		sw_buf_truncate(&url, url.n - 1);
	sw_buf_cat(&url, PATH);
	r = sw_job_post_json(ret, a, sw_buf_str(&url), &b);
	if (r == 0)
		job_login(c, a, ret);
	return r;
}

static struct sw_class alertmanager_judge(const void *conf, const struct sw_result *res, struct sw_err *err)
{
	static const char *const page[] = { "<html", "<HTML", "<!DOCTYPE", "<!doctype", NULL };
	struct sw_class ret = { .outcome = SW_OK };

	if (sw_judge_transport(res, &ret, err)) {
		if (ret.outcome == SW_AMBIGUOUS)
			ret.outcome = SW_RETRY;
		return ret;
	}
	ret.code = res->status;
	if (res->status == 200 && !sw_robot_says(res, page))
		return ret;
	sw_err_set(err, EIO, "HTTP status %d%s", res->status,
	           res->status == 200 ? " with a page: something else answers there" : "");
	switch (res->status) {
	case 200:
		ret.outcome = SW_RETRY;
		break;
	case 413:
		ret.outcome = SW_SHRINK;
		break;
	case 400:
	case 422:
		ret.outcome = SW_MESSAGE;
		break;
	default: /* the address, the login, or what stands in between */
		ret.outcome = SW_CONFIG;
		break;
	}
	if (ret.outcome == SW_MESSAGE)
		sw_err_set(err, EIO, "HTTP status %d: %.200s", res->status, res->body_n ? res->body : "no text");
	return ret;
}

const struct sw_channel sw_channel_alertmanager = {
	.base = { "alertmanager", "Prometheus Alertmanager, API v2.", keys, sizeof(struct alertmanager) },
	.check = alertmanager_check,
	.credential = alertmanager_credential,
	.program = true,
	.render = alertmanager_render,
	.judge = alertmanager_judge,
};
