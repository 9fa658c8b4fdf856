/*
 * The commits of an alert by the API of its git host, for when no push told them: `sources: {…: {api, api_token}}`.
 *
 * Only the configured address is asked, never one out of an event. An answer of up to 256 KiB is kept for 10 minutes (one
 * deployment is told in several messages; larger ones are mostly diffs, and asked for anew), a refusal for one, so that a host that is
 * ill is not asked at every message.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "engine/place.h"
#include "shipwatch/clock.h"
#include "worker/inner.h"

#define LOG "worker/compare"
#define COMPARE_WAIT (2 * SW_SECOND)
#define KEPT_BODY    (256U << 10)
#define KEPT_FOR     (10 * SW_MINUTE)
#define REFUSED_FOR  SW_MINUTE

struct asking {
	struct worker *w;
	struct sw_arena *a;
	struct sw_alert *al;
	const struct sw_source *plugin;
	struct sw_job job;
	sw_compare_cb cb;
	void *arg;
};

static void compared_fini(struct sw_compared *c)
{
	free(c->url);
	free(c->body);
	*c = (struct sw_compared){ 0 };
}

void sw_compare_fini(struct worker *w)
{
	for (size_t i = 0; i < SW_COUNT(w->compared); i++)
		compared_fini(&w->compared[i]);
}

static const struct sw_compared *compared_find(struct worker *w, const char *url)
{
	for (size_t i = 0; i < SW_COUNT(w->compared); i++) {
		const struct sw_compared *c = &w->compared[i];

		if (c->url && strcmp(c->url, url) == 0 && sw_clock_mono() - c->at < (c->body ? KEPT_FOR : REFUSED_FOR))
			return c;
	}
	return NULL;
}

/* In place of the oldest. body NULL: refused. */
static void compared_keep(struct worker *w, const char *url, const char *body, size_t n)
{
	struct sw_compared *oldest = &w->compared[0];

	for (size_t i = 0; i < SW_COUNT(w->compared); i++) {
		if (w->compared[i].url && strcmp(w->compared[i].url, url) == 0) {
			oldest = &w->compared[i];
			break;
		}
		if (!w->compared[i].url || (oldest->url && w->compared[i].at < oldest->at))
			oldest = &w->compared[i];
	}
	compared_fini(oldest);
	*oldest = (struct sw_compared){ .url = sw_strdup(url), .body = body ? sw_strndup(body, n) : NULL, .n = n, .at = sw_clock_mono() };
}

static void asking_did(void *arg, const struct sw_result *res)
{
	struct asking *q = arg;
	struct sw_alert al = *q->al;
	struct sw_err err = SW_ERR_INIT;

	if (q->plugin->compared(res, q->a, &al, &err) == 0) {
		*q->al = al;
		if (res->body_n <= KEPT_BODY)
			compared_keep(q->w, q->job.url, res->body, res->body_n);
	} else {
		SW_WARN(LOG, "the commits of %s %.12s...%.12s are not told: %s; asked again in a minute at the earliest", al.repo, al.prev_sha,
		        al.sha, err.text);
		compared_keep(q->w, q->job.url, NULL, 0);
	}
	q->cb(q->arg);
	free(q);
}

bool sw_compare_ask(struct worker *w, const struct setup *setup, struct sw_arena *a, struct sw_alert *al, sw_compare_cb cb, void *arg)
{
	const struct sw_conf_source *s = al->source ? sw_config_source(setup->cfg, al->source) : NULL;
	const struct sw_compared *kept;
	struct sw_err err = SW_ERR_INIT;
	struct asking *q;
	struct sw_job job;

	if (!s || !s->api.url || !al->repo || !al->prev_sha || !al->sha || sw_sha_equal(al->prev_sha, al->sha))
		return false;
	if (s->plugin->compare(&s->api, al->repo, al->prev_sha, al->sha, a, &job, &err) < 0)
		return false;
	kept = compared_find(w, job.url);
	if (kept) {
		struct sw_alert with = *al;

		if (kept->body && s->plugin->compared(&(struct sw_result){ .status = 200, .body = kept->body, .body_n = kept->n }, a, &with, &err) == 0)
			*al = with;
		return false;
	}
	job.timeout = COMPARE_WAIT;
	q = sw_calloc(1, sizeof *q);
	*q = (struct asking){ .w = w, .a = a, .al = al, .plugin = s->plugin, .job = job, .cb = cb, .arg = arg };
	sw_do_job(w, &q->job, &(struct sw_do_for){ .ci_run_id = al->ci_run_id }, asking_did, q);
	return true;
}
