/*
 * Asks a source of measurements for the tests, with the real plug-ins and the real HTTP client: what the poller does,
 * without a worker.
 *
 *   signal_ask <<'END'
 *   {"source":"prometheus","conf":{"url":"http://127.0.0.1:9090","labels":"job=\"web\""},"queries":[{"signal":"error_rate"}]}
 *   END
 *
 * conf: url, labels, preset, window, timeout, user, password, token (times in ms). A query: signal, reduce, bad_down,
 * list, prometheus, bad, all, scrape, step; what it leaves open comes from the preset. from and to: the past of the
 * first query. memory: of the last scrape. The answer is one JSON document.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "io/http_client.h"
#include "io/loop.h"
#include "model/place.h"
#include "plugins.h"
#include "shipwatch/clock.h"
#include "signal/presets.h"

#define QUERIES 64

struct ask {
	struct sw_loop *loop;
	struct sw_http_client *http;
	struct sw_arena a;
	const struct sw_signal *plugin;
	struct sw_measure_conf conf;
	struct sw_query queries[QUERIES];
	size_t n;
	const char *memory;
	sw_ms from, to;
	struct sw_target target; /* of what is under way */
	struct sw_jw out;
};

static void tell_error(struct ask *k, const char *signal, const char *text)
{
	sw_jw_obj(&k->out, NULL);
	sw_jw_str(&k->out, "signal", signal);
	sw_jw_str(&k->out, "r", "unasked");
	sw_jw_str(&k->out, "text", text);
	sw_jw_obj_end(&k->out);
}

static void tell_samples(struct ask *k, const struct sw_samples *ss)
{
	for (size_t i = 0; i < ss->n; i++) {
		const struct sw_sample *s = &ss->items[i];

		sw_jw_obj(&k->out, NULL);
		sw_jw_str(&k->out, "signal", s->signal);
		sw_jw_str(&k->out, "r", sw_reading_name(s->reading));
		sw_jw_num(&k->out, "v", s->value);
		sw_jw_num(&k->out, "n", s->count);
		sw_jw_str(&k->out, "text", s->text);
		sw_jw_str(&k->out, "memory", ss->memory);
		sw_jw_obj_end(&k->out);
	}
}

static void tell_past(struct ask *k, int r, const struct sw_past *p, const char *why)
{
	sw_jw_obj(&k->out, NULL);
	sw_jw_int(&k->out, "code", r);
	sw_jw_str(&k->out, "text", why);
	sw_jw_arr(&k->out, "v");
	for (size_t i = 0; r == 0 && i < p->n; i++)
		sw_jw_num(&k->out, NULL, p->value[i]);
	sw_jw_arr_end(&k->out);
	sw_jw_arr(&k->out, "c");
	for (size_t i = 0; r == 0 && p->count && i < p->n; i++)
		sw_jw_num(&k->out, NULL, p->count[i]);
	sw_jw_arr_end(&k->out);
	sw_jw_str(&k->out, "elements", r == 0 ? p->elements : NULL);
	sw_jw_obj_end(&k->out);
}

static void answered(void *arg, const struct sw_result *res)
{
	struct ask *k = arg;
	struct sw_err err = SW_ERR_INIT;
	struct sw_samples ss = { .a = &k->a };
	struct sw_past past = { 0 };

	if (k->target.from) {
		int r = k->plugin->past(&k->conf, &k->target, res, &k->a, &past, &err);

		tell_past(k, r, &past, err.text);
	} else if (k->plugin->read(&k->conf, &k->target, res, &ss, &err) < 0) {
		tell_error(k, k->target.queries->signal, err.text);
	} else {
		tell_samples(k, &ss);
	}
	sw_loop_stop(k->loop);
}

static void ask_one(struct ask *k, const struct sw_query *q, size_t n)
{
	struct sw_err err = SW_ERR_INIT;
	struct sw_job job = { 0 };

	k->target = (struct sw_target){ .service = "web",
		                        .environment = "prod",
		                        .queries = q,
		                        .n_queries = n,
		                        .memory = k->memory,
		                        .from = k->from,
		                        .to = k->to };
	if (k->plugin->ask(&k->conf, &k->target, sw_clock_wall(), &k->a, &job, &err) < 0) {
		tell_error(k, q->signal, err.text);
		return;
	}
	k->loop->stop = false;
	(void)sw_http_client_do(k->http, &job, answered, k);
	if (sw_loop_run(k->loop) < 0)
		exit(1);
}

static void query_read(struct ask *k, const struct sw_jnode *n, bool scrape)
{
	static const char *const reduces[] = { "single", "max", "sum", "avg", "any" };
	struct sw_query q = { .signal = sw_jstr(n, "signal"),
		              .bad_down = sw_jbool(n, "bad_down", false),
		              .list = sw_jbool(n, "list", false),
		              .prometheus = sw_jstr(n, "prometheus"),
		              .bad = sw_jstr(n, "bad"),
		              .all = sw_jstr(n, "all"),
		              .scrape = sw_jstr(n, "scrape"),
		              .step = sw_jint(n, "step", 15000) };
	const struct sw_query *filled;
	struct sw_err err = SW_ERR_INIT;

	for (size_t i = 0; i < SW_COUNT(reduces); i++)
		if (sw_streq(reduces[i], sw_jstr(n, "reduce")))
			q.reduce = (enum sw_reduce)i;
	filled = sw_preset_fill(&q, k->conf.preset, scrape ? SW_PRESET_SCRAPE : SW_PRESET_PROMETHEUS, &k->a, &err);
	if (filled && k->n < QUERIES)
		k->queries[k->n++] = *filled;
	else
		tell_error(k, q.signal, err.text);
}

static int ask_read(struct ask *k, const struct sw_jnode *root)
{
	const struct sw_jnode *c = sw_jget(root, "conf"), *queries = sw_jget(root, "queries");

	k->plugin = sw_streq(sw_jstr(root, "source"), "scrape") ? &sw_signal_scrape : &sw_signal_prometheus;
	k->conf = (struct sw_measure_conf){ .url = sw_jstr(c, "url"),
		                            .labels = sw_jstr(c, "labels"),
		                            .preset = sw_jstr(c, "preset"),
		                            .window = sw_jint(c, "window", 0),
		                            .timeout = sw_jint(c, "timeout", 0),
		                            .user = sw_jstr(c, "user"),
		                            .password = sw_jstr(c, "password"),
		                            .token = sw_jstr(c, "token") };
	k->memory = sw_jstr(root, "memory");
	k->from = sw_jint(root, "from", 0);
	k->to = sw_jint(root, "to", 0);
	if (!queries || !k->conf.url)
		return -1;
	for (const struct sw_jnode *n = queries->child; n; n = n->next)
		query_read(k, n, k->plugin == &sw_signal_scrape);
	return 0;
}

int main(void)
{
	static char text[1 << 16];
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	static struct ask k;
	size_t n = fread(text, 1, sizeof text, stdin);
	struct sw_jnode *root;
	struct sw_err err = SW_ERR_INIT;

	sw_jw_init(&k.out, &b);
	sw_jw_arr(&k.out, NULL);
	if (sw_jtree_parse(&k.a, text, n, 10000, &root, &err) < 0 || ask_read(&k, root) < 0 ||
	    sw_loop_new(&k.loop) < 0 || sw_http_client_new(k.loop, NULL, &k.http, &err) < 0) {
		(void)fprintf(stderr, "signal_ask: %s\n", err.text[0] ? err.text : "no queries, or no url");
		return 2;
	}
	for (size_t i = 0; k.plugin == &sw_signal_prometheus && i < k.n; i++)
		ask_one(&k, &k.queries[i], 1);
	if (k.plugin == &sw_signal_scrape && k.n)
		ask_one(&k, k.queries, k.n);
	sw_jw_arr_end(&k.out);
	(void)puts(sw_buf_str(&b));
	sw_http_client_free(k.http);
	sw_loop_free(k.loop);
	sw_arena_fini(&k.a);
	return 0;
}
