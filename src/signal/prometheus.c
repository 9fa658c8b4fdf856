/*
 * Prometheus, and what answers as it does: one question a signal, of now or of the time before a deployment.
 *
 * What is counted is asked for in one request, so that both counts are of the same moment: a union whose parts are
 * marked by a label,
 *
 *     label_replace((<bad>), "shipwatch", "bad", "", "") or label_replace((<all>), "shipwatch", "all", "", "")
 *
 * label_replace() takes the label "", which no series has, for an empty text, which "" matches. The marks make all
 * label sets of the parts different, so `or` drops nothing. A part that is missing: no bad ones is 0 of all; without
 * all there is nothing.
 *
 * Counts are of a $window, which is longer than the distance of two scrapes of the Prometheus; what is told on is of
 * one step, so that the counts of many steps can be added up.
 */
#include "shipwatch/plugin.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "model/place.h"
#include "signal/answer.h"
#include "signal/auth.h"
#include "signal/promql.h"
#include "signal/reduce.h"

#define TIMEOUT      (10 * SW_SECOND)
#define TIMEOUT_PAST (30 * SW_SECOND)
#define WINDOW       SW_MINUTE
#define ANSWER_MAX   ((size_t)2 << 20)
#define PAST_MAX     ((size_t)16 << 20)
#define GET_MAX                                                                                                        \
	2000 /* bytes of a question that is sent as GET: it may use a connection again, and nothing on the way cuts it \
	      */
#define LIST_POINTS 60 /* of the past of a list only medians are wanted */

static const struct sw_key keys[] = { { 0 } }; /* its settings are rows of the place (struct sw_measure_conf) */

/* ---- the question ---- */

static int prometheus_check(const struct sw_query *q, struct sw_err *err)
{
	const char *const texts[][2] = { { "prometheus", q->prometheus },
		                         { "counts.bad", q->bad },
		                         { "counts.all", q->all } };

	if (q->prometheus && q->all && !q->list)
		return sw_err_set(err, EINVAL, "want prometheus or counts, not both");
	if (q->bad && !q->all)
		return sw_err_set(err, EINVAL, "counts.bad needs counts.all: of how many");
	for (size_t i = 0; i < SW_COUNT(texts); i++) {
		if (!texts[i][1] || sw_promql_check(texts[i][1], err) == 0)
			continue;
		sw_err_prefix(err, "%s", texts[i][0]);
		return -EINVAL;
	}
	return 0;
}

static sw_dur conf_window(const struct sw_measure_conf *c)
{
	return c->window > 0 ? c->window : WINDOW;
}

static void union_part(struct sw_buf *out, const struct sw_measure_conf *c, const struct sw_query *q, const char *text,
                       const char *mark)
{
	if (!text)
		return;
	sw_buf_cat(out, out->n ? " or label_replace((" : "label_replace((");
	sw_promql_fill(out, text, c->labels, conf_window(c), q->step);
	sw_buf_printf(out, "\n), \"" SW_MARK "\", \"%s\", \"\", \"\")", mark);
}

static void question_text(struct sw_buf *out, const struct sw_measure_conf *c, const struct sw_query *q)
{
	if (!q->all && !q->list) {
		sw_promql_fill(out, q->prometheus, c->labels, conf_window(c), q->step);
		return;
	}
	union_part(out, c, q, q->prometheus, SW_MARK_VALUE);
	union_part(out, c, q, q->bad, SW_MARK_BAD);
	union_part(out, c, q, q->all, SW_MARK_ALL);
}

static void param(struct sw_buf *out, const char *name, const char *value)
{
	sw_buf_printf(out, "%s%s=", out->n ? "&" : "", name);
	sw_pct_encode(out, value, strlen(value));
}

static void param_seconds(struct sw_buf *out, const char *name, int64_t ms)
{
	sw_buf_printf(out, "%s%s=%lld.%03lld", out->n ? "&" : "", name, (long long)(ms / 1000), (long long)(ms % 1000));
}

/* "http://p:9090/x/?tenant=a" and "query" to "http://p:9090/x/api/v1/query?tenant=a&"; what follows ends it */
static void question_url(struct sw_buf *out, const char *url, const char *what)
{
	size_t n = strcspn(url, "?#"), path = n;
	const char *own = url[n] == '?' ? url + n + 1 : "";

	while (path && url[path - 1] == '/')
		path--;
	sw_buf_catn(out, url, path);
	sw_buf_printf(out, "/api/v1/%s?", what);
	n = strcspn(own, "#");
	if (n) {
		sw_buf_catn(out, own, n);
		sw_buf_putc(out, '&');
	}
}

/* Points of a list's past are as far apart as gives enough for a median. */
static sw_dur past_step(const struct sw_target *t, const struct sw_query *q)
{
	return q->list ? SW_MAX(q->step, (t->to - t->from) / LIST_POINTS) : q->step;
}

static int past_grid(const struct sw_target *t, const struct sw_query *q, struct sw_grid *ret, struct sw_err *err)
{
	int64_t n;

	if (q->step <= 0 || t->to < t->from || t->from <= 0)
		return sw_err_set(err, EINVAL, "a past needs a step and a time");
	ret->from = t->from;
	ret->step = past_step(t, q);
	n = (t->to - t->from) / ret->step + 1;
	if (n > SW_PAST_MAX)
		return sw_err_set(err, EINVAL,
		                  "a past of %lld points, but a Prometheus gives %d at most: take a longer step",
		                  (long long)n, SW_PAST_MAX);
	ret->n = (size_t)n;
	return 0;
}

static int target_query(const struct sw_target *t, const struct sw_query **ret, struct sw_err *err)
{
	*ret = t->queries;
	if (t->n_queries != 1 || (!t->queries->prometheus && !t->queries->all))
		return sw_err_set(err, EINVAL, "no query says how to ask a Prometheus for %s",
		                  t->n_queries ? t->queries->signal : "nothing");
	return 0;
}

static int prometheus_ask(const void *conf, const struct sw_target *t, sw_ms now, struct sw_arena *a,
                          struct sw_job *ret, struct sw_err *err)
{
	const struct sw_measure_conf *c = conf;
	SW_CLEANUP(sw_buf_fini) struct sw_buf params = SW_BUF_INIT, text = SW_BUF_INIT, url = SW_BUF_INIT;
	sw_dur timeout = c->timeout > 0 ? c->timeout : TIMEOUT;
	bool past = t->from || t->to;
	const struct sw_query *q;
	struct sw_grid g = { 0 };

	if (!c->url)
		return sw_err_set(err, ENOENT, "no Prometheus is configured");
	if (target_query(t, &q, err) < 0 || prometheus_check(q, err) < 0 || (past && past_grid(t, q, &g, err) < 0))
		return -EINVAL;
	if (past)
		timeout = SW_MAX(timeout, TIMEOUT_PAST);
	question_text(&text, c, q);
	param(&params, "query", sw_buf_str(&text));
	if (past) {
		param_seconds(&params, "start", g.from);
		param_seconds(&params, "end", g.from + (sw_ms)(g.n - 1) * g.step);
		param_seconds(&params, "step", g.step);
	} else {
		param_seconds(&params, "time", now);
	}
	param_seconds(&params, "timeout", timeout);
	question_url(&url, c->url, past ? "query_range" : "query");
	*ret = (struct sw_job){ .kind = SW_JOB_HTTP,
		                .method = params.n > GET_MAX ? "POST" : "GET",
		                .timeout = timeout + SW_SECOND, /* they give up first, and say so */
		                .response_max = past ? PAST_MAX : ANSWER_MAX };
	if (params.n > GET_MAX) {
		sw_buf_truncate(&url, url.n - 1);
		ret->body = sw_arena_memdup(a, params.p, params.n);
		ret->body_n = params.n;
		sw_job_header(ret, "Content-Type", "application/x-www-form-urlencoded");
	} else {
		sw_buf_catn(&url, params.p, params.n);
	}
	ret->url = sw_arena_strdup(a, sw_buf_str(&url));
	sw_job_header(ret, "Accept", "application/json");
	sw_auth_header(c, a, ret);
	return 0;
}

/* ---- the answer ---- */

/* A count whose query has no $window in it is of one step already. */
static double count_scale(const struct sw_measure_conf *c, const struct sw_query *q)
{
	return q->all && q->step > 0 && sw_promql_uses(q->all, "window") ? (double)q->step / (double)conf_window(c) : 1;
}

static int prometheus_read(const void *conf, const struct sw_target *t, const struct sw_result *res,
                           struct sw_samples *out, struct sw_err *err)
{
	static const struct sw_grid now = { 0, 0, 1 };
	const struct sw_measure_conf *c = conf;
	const struct sw_query *q;
	struct sw_err why = SW_ERR_INIT;
	struct sw_level level = { .reading = SW_R_ERROR };
	struct sw_answer an;
	struct sw_sample *s;

	if (target_query(t, &q, err) < 0)
		return -EINVAL;
	if (sw_answer_read(res, &now, out->a, &an, &why) < 0)
		level.text = sw_arena_strdup(out->a, why.text);
	else if (q->list)
		sw_reduce_list(q, &an, 1, count_scale(c, q), out->a, &level);
	else
		sw_reduce_value(q, &an, 0, false, count_scale(c, q), out->a, &level);
	s = sw_samples_add(out, q->signal, res->at, level.reading, level.value);
	if (!s)
		return 0;
	s->count = level.count;
	s->text = level.text;
	return 0;
}

static int past_values(const struct sw_query *q, const struct sw_answer *an, double scale, struct sw_arena *a,
                       struct sw_past *ret, struct sw_err *err)
{
	ret->value = SW_ARENA_ARRAY(a, double, ret->n);
	ret->count = q->all ? SW_ARENA_ARRAY(a, double, ret->n) : NULL;
	for (size_t i = 0; i < ret->n; i++) {
		struct sw_level level;

		sw_reduce_value(q, an, i, true, scale, a, &level);
		if (level.reading == SW_R_ERROR)
			return sw_err_set(err, EBADMSG, "%s", level.text);
		ret->value[i] = level.reading == SW_R_OK ? level.value : NAN;
		if (ret->count)
			ret->count[i] = level.count;
	}
	return 0;
}

static int prometheus_past(const void *conf, const struct sw_target *t, const struct sw_result *res, struct sw_arena *a,
                           struct sw_past *ret, struct sw_err *err)
{
	const struct sw_measure_conf *c = conf;
	const struct sw_query *q;
	struct sw_answer an;
	struct sw_grid g;
	int r;

	if (target_query(t, &q, err) < 0 || past_grid(t, q, &g, err) < 0)
		return -EBADMSG;
	r = sw_answer_read(res, &g, a, &an, err);
	if (r < 0)
		return r;
	*ret = (struct sw_past){ .from = g.from, .step = g.step };
	if (!an.n)
		return 0;
	if (q->list) {
		struct sw_level level;

		sw_reduce_list(q, &an, g.n, count_scale(c, q), a, &level);
		ret->value = SW_ARENA_ARRAY(a, double, 1);
		ret->elements = level.reading == SW_R_OK ? level.text : NULL;
		return 0;
	}
	ret->n = g.n;
	return past_values(q, &an, count_scale(c, q), a, ret, err);
}

const struct sw_signal sw_signal_prometheus = {
	.base = { "prometheus", "A Prometheus: one query a signal.", keys, sizeof(struct sw_measure_conf) },
	.check = prometheus_check,
	.ask = prometheus_ask,
	.read = prometheus_read,
	.past = prometheus_past,
};
