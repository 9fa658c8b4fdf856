/*
 * Golden cases of channels, actions and signals: tests/golden/{channel,action,signal}/<plug-in>/<case>/in.json →
 * want.txt, the requests that are made of it. in.json: conf (settings as in the configuration), now, size of the
 * message (full, half, line), and the alert, the act (with the answers to its steps), or the target (with its queries) and the answer
 * that came. SW_GOLDEN_WRITE=1 writes what came; read the diff.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "action/act_json.h"
#include "base/json.h"
#include "base/str.h"
#include "base/yaml.h"
#include "model/place.h"
#include "plugins.h"
#include "signal/presets.h"

#define CASES 1000
#define PARTS 4

struct golden {
	char path[512], label[300];
	const struct sw_channel *channel;
	const struct sw_action *action;
	const struct sw_signal *signal;
};

static char *slurp(const char *dir, const char *name, size_t *ret_n)
{
	char path[700], *s;
	FILE *f;
	long n;

	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "rb");
	if (!f)
		return NULL;
	(void)fseek(f, 0, SEEK_END);
	n = ftell(f);
	rewind(f);
	s = sw_malloc((size_t)n + 1);
	*ret_n = fread(s, 1, (size_t)n, f);
	s[*ret_n] = '\0';
	(void)fclose(f);
	return s;
}

/* JSON is YAML, so the settings are read by their own rows. */
static void *conf_read(const struct sw_plugin *p, const struct sw_jnode *node, struct sw_arena *a)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	void *conf = sw_arena_alloc(a, p->conf_size);
	struct sw_ynode *root;
	struct sw_diags d;
	struct sw_jw w;

	sw_jw_init(&w, &b);
	sw_jw_node(&w, NULL, node);
	sw_diags_init(&d, a);
	assert_int_equal(sw_yaml_parse(a, "conf", b.p, b.n, NULL, &root, &d), 0);
	assert_int_equal(sw_keys_read(p->keys, root, root, NULL, a, conf, &d), 0);
	return conf;
}

/* A JSON body is shown with one member a line where it is long text: what a person reads in the chat. */
static void tell_texts(const struct sw_jnode *node, struct sw_buf *out)
{
	for (const struct sw_jnode *e = node->child; e; e = e->next) {
		if (e->type == SW_J_STRING && strchr(e->text, '\n'))
			sw_buf_printf(out, "-- %s (%zu bytes)\n%s\n", e->key ? e->key : "", e->n, e->text);
		else if (e->child)
			tell_texts(e, out);
	}
}

/* Lines end in CRLF; that is seen to here, and shown without. */
static void tell_mail(const struct sw_job *job, struct sw_buf *out)
{
	sw_buf_printf(out, "mail %s\ntimeout %lld ms\ntls %d\nuser %s password %s\nfrom %s\n", job->url, (long long)job->timeout,
	              (int)job->mail_tls, job->mail_user ? job->mail_user : "-", job->mail_password ? job->mail_password : "-",
	              job->mail_from);
	for (const char **p = job->mail_to; *p; p++)
		sw_buf_printf(out, "to %s\n", *p);
	sw_buf_printf(out, "body %zu bytes\n", job->body_n);
	for (size_t i = 0; i < job->body_n; i++) {
		bool crlf = i > 0 && job->body[i - 1] == '\r' && job->body[i] == '\n';

		assert_true((job->body[i] != '\n' || crlf) && (job->body[i] != '\r' || job->body[i + 1] == '\n'));
		if (job->body[i] != '\r')
			sw_buf_putc(out, job->body[i]);
	}
}

static void tell_job(const struct sw_job *job, struct sw_arena *a, struct sw_buf *out)
{
	static const char *const kinds[] = { "http", "exec", "print", "mail" };
	struct sw_jnode *root;

	if (job->kind == SW_JOB_MAIL) {
		tell_mail(job, out);
		return;
	}

	sw_buf_printf(out, "%s", kinds[job->kind]);
	if (job->kind == SW_JOB_HTTP)
		sw_buf_printf(out, " %s %s", job->method, job->url);
	sw_buf_printf(out, "\ntimeout %lld ms\n", (long long)job->timeout);
	for (size_t i = 0; i < job->n_headers; i++)
		sw_buf_printf(out, "%s: %s\n", job->headers[i].name, job->headers[i].value);
	for (const char **p = job->argv; p && *p; p++)
		sw_buf_printf(out, "arg %s\n", *p);
	for (const char **p = job->env; p && *p; p++)
		sw_buf_printf(out, "env %s\n", *p);
	sw_buf_printf(out, "body %zu bytes\n%.*s\n", job->body_n, (int)job->body_n, job->body ? job->body : "");
	if (job->kind == SW_JOB_HTTP && sw_jtree_parse(a, job->body, job->body_n, 10000, &root, NULL) == 0)
		tell_texts(root, out);
}

static void tell_channel(const struct golden *g, const struct sw_jnode *in, struct sw_arena *a, struct sw_buf *out)
{
	const char *size = sw_jstr(in, "size");
	const void *conf = conf_read(&g->channel->base, sw_jget(in, "conf"), a);
	enum sw_size want = sw_streq(size, "line")   ? SW_SIZE_LINE
	                    : sw_streq(size, "half") ? SW_SIZE_HALF
	                                             : SW_SIZE_FULL;
	struct sw_alert al;

	assert_non_null(sw_jget(in, "alert"));
	sw_alert_read(sw_jget(in, "alert"), a, &al);
	for (unsigned part = 0; part < PARTS; part++) {
		struct sw_err err = SW_ERR_INIT;
		struct sw_job job;
		int r = g->channel->render(conf, &al, want, part, sw_jint(in, "now", 0), a, &job, &err);

		if (r < 0)
			sw_buf_printf(out, "error: %s\n", err.text);
		else
			tell_job(&job, a, out);
		if (r <= 0)
			return;
		sw_buf_cat(out, "\n== and\n");
	}
	fail_msg("too many parts");
}

static void answer_read(const struct sw_jnode *n, sw_ms now, struct sw_arena *a, struct sw_result *res)
{
	static const char *const faults[] = { "none", "connect", "cert", "timeout", "ambiguous", "refused", "spawn" };
	const struct sw_jnode *headers = sw_jget(n, "headers"), *json = sw_jget(n, "json");
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;
	const char *body = sw_jstr(n, "body") ? sw_jstr(n, "body") : "", *fault = sw_jstr(n, "fault");

	if (json) {
		sw_jw_init(&w, &b);
		sw_jw_node(&w, NULL, json);
		body = sw_buf_str(&b);
	}
	*res = (struct sw_result){ .status = (int)sw_jint(n, "status", 0),
		                   .body = sw_arena_strdup(a, body),
		                   .body_n = strlen(body),
		                   .detail = sw_jstr(n, "detail"),
		                   .at = now };
	res->body_cut = sw_jbool(n, "body_cut", false);
	res->headers = SW_ARENA_ARRAY(a, struct sw_header, 1 + (headers ? headers->n : 0));
	if (sw_jstr(n, "type"))
		res->headers[res->n_headers++] = (struct sw_header){ "content-type", sw_jstr(n, "type") };
	for (const struct sw_jnode *h = headers ? headers->child : NULL; h; h = h->next)
		res->headers[res->n_headers++] = (struct sw_header){ h->key, h->text };
	for (size_t i = 0; fault && i < SW_COUNT(faults); i++)
		if (strcmp(faults[i], fault) == 0)
			res->fault = (enum sw_fault)i;
}

/* The steps of an action: what each asks, what is made of the answers; the last answer is that to the step that acts. */
static void tell_action(const struct golden *g, const struct sw_jnode *in, struct sw_arena *a, struct sw_buf *out)
{
	const void *conf = conf_read(&g->action->base, sw_jget(in, "conf"), a);
	const struct sw_jnode *answer = sw_jget(in, "answers") ? sw_jget(in, "answers")->child : NULL;
	struct sw_err err = SW_ERR_INIT;
	struct sw_result res, *last = NULL;
	struct sw_alert al;
	struct sw_class c;
	struct sw_act act;
	struct sw_job job;
	int r = 1;

	sw_act_read(sw_jget(in, "act"), a, &act);
	if (sw_jget(in, "alert")) {
		sw_alert_read(sw_jget(in, "alert"), a, &al);
		act.alert = &al;
	}
	for (unsigned step = 0; r > 0; step++) {
		struct sw_run run = { 0 };

		sw_buf_cat(out, step ? "\n== then\n" : "");
		r = g->action->plan(conf, &act, step, last, sw_jint(in, "now", 0), a, &job, &err);
		if (r < 0)
			sw_buf_printf(out, "error: %s\n", err.text);
		else
			tell_job(&job, a, out);
		if (r < 0 || !answer)
			return;
		answer_read(answer, sw_jint(in, "now", 0), a, &res);
		answer = answer->next;
		c = g->action->judge(conf, &res, &err);
		if (r > 0 && c.outcome == SW_OK)
			sw_buf_cat(out, "-- read\n");
		else
			sw_buf_printf(out, "-- %s: %s\n", sw_outcome_name(c.outcome), err.text);
		if (c.outcome != SW_OK)
			return;
		last = &res;
		if (r > 0 || !g->action->began)
			continue;
		g->action->began(conf, &act, &res, a, &run);
		sw_buf_printf(out, "run job=%s pipeline=%s deployment=%s url=%s\n", run.job_id ? run.job_id : "-",
		              run.pipeline_id ? run.pipeline_id : "-", run.deployment_id ? run.deployment_id : "-", run.url ? run.url : "-");
	}
}

/* ---- signals: their settings belong to the place ---- */

static const struct sw_health_conf *health_conf(const struct sw_jnode *c, struct sw_arena *a)
{
	struct sw_health_conf *conf = SW_ARENA_NEW(a, struct sw_health_conf);

	*conf = (struct sw_health_conf){ .url = sw_jstr(c, "url"),
		                         .timeout = sw_jint(c, "timeout", 0),
		                         .version = sw_jstr(c, "version"),
		                         .expect = sw_jstr(c, "expect"),
		                         .status_min = (int)sw_jint(c, "status_min", 0),
		                         .status_max = (int)sw_jint(c, "status_max", 0) };
	return conf;
}

static const struct sw_measure_conf *measure_conf(const struct sw_jnode *c, struct sw_arena *a)
{
	struct sw_measure_conf *conf = SW_ARENA_NEW(a, struct sw_measure_conf);

	*conf = (struct sw_measure_conf){ .url = sw_jstr(c, "url"),           .preset = sw_jstr(c, "preset"),
		                          .labels = sw_jstr(c, "labels"),     .window = sw_jint(c, "window", 0),
		                          .timeout = sw_jint(c, "timeout", 0), .user = sw_jstr(c, "user"),
		                          .password = sw_jstr(c, "password"), .token = sw_jstr(c, "token") };
	return conf;
}

static struct sw_query query_read(const struct sw_jnode *n, const struct sw_measure_conf *c, const struct sw_signal *of,
                                  struct sw_arena *a)
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
	struct sw_err err;

	for (size_t i = 0; i < SW_COUNT(reduces); i++)
		if (sw_streq(reduces[i], sw_jstr(n, "reduce")))
			q.reduce = (enum sw_reduce)i;
	filled = sw_preset_fill(&q, c->preset, of == &sw_signal_scrape ? SW_PRESET_SCRAPE : SW_PRESET_PROMETHEUS, a, &err);
	if (!filled)
		fail_msg("%s", err.text);
	return *filled;
}

static void target_read(const struct golden *g, const struct sw_jnode *t, const struct sw_measure_conf *c,
                        struct sw_arena *a, struct sw_target *ret)
{
	const struct sw_jnode *list = sw_jget(t, "queries");
	struct sw_query *queries = SW_ARENA_ARRAY(a, struct sw_query, list ? list->n + 1 : 1);

	*ret = (struct sw_target){ .service = sw_jstr(t, "service"),
		                   .environment = sw_jstr(t, "environment"),
		                   .sha = sw_jstr(t, "sha"),
		                   .queries = queries,
		                   .memory = sw_jstr(t, "memory"),
		                   .from = sw_jint(t, "from", 0),
		                   .to = sw_jint(t, "to", 0) };
	for (const struct sw_jnode *n = list ? list->child : NULL; n; n = n->next)
		queries[ret->n_queries++] = query_read(n, c, g->signal, a);
}

/* A question that is a form is shown decoded too. */
static void tell_question(const struct sw_job *job, struct sw_buf *out)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	const char *q = job->body_n ? job->body : strchr(job->url, '?');

	if (q && sw_pct_decode(&b, q, strlen(q), true) == 0)
		sw_buf_printf(out, "-- decoded\n%s\n", sw_buf_str(&b));
}

static void tell_past(const struct sw_past *p, struct sw_buf *out)
{
	sw_buf_printf(out, "past from %lld step %lld: %zu points\n", (long long)p->from, (long long)p->step, p->n);
	for (size_t i = 0; i < p->n; i++) {
		sw_buf_printf(out, " %.6g", p->value[i]);
		if (p->count)
			sw_buf_printf(out, "/%.6g", p->count[i]);
	}
	sw_buf_printf(out, "\n%s\n", p->elements ? p->elements : "-");
}

static void tell_samples(const struct sw_samples *samples, struct sw_buf *out)
{
	for (size_t i = 0; i < samples->n; i++) {
		const struct sw_sample *x = &samples->items[i];

		sw_buf_printf(out, "%s at %lld: %s %.9g ", x->signal, (long long)x->at, sw_reading_name(x->reading), x->value);
		if (x->count > 0)
			sw_buf_printf(out, "of %.9g ", x->count);
		sw_buf_printf(out, "%s\n", x->text ? x->text : "-");
	}
	if (samples->memory)
		sw_buf_printf(out, "memory %s\n", samples->memory);
}

static void tell_signal(const struct golden *g, const struct sw_jnode *in, struct sw_arena *a, struct sw_buf *out)
{
	const struct sw_measure_conf *measure = measure_conf(sw_jget(in, "conf"), a);
	const void *conf = g->signal == &sw_signal_health ? (const void *)health_conf(sw_jget(in, "conf"), a) : measure;
	struct sw_samples samples = { .a = a };
	struct sw_err err = SW_ERR_INIT;
	struct sw_target target;
	struct sw_past past;
	struct sw_result res;
	struct sw_job job;

	target_read(g, sw_jget(in, "target"), measure, a, &target);
	if (g->signal->ask(conf, &target, sw_jint(in, "now", 0), a, &job, &err) < 0) {
		sw_buf_printf(out, "error: %s\n", err.text);
		return;
	}
	tell_job(&job, a, out);
	if (g->signal == &sw_signal_prometheus)
		tell_question(&job, out);
	answer_read(sw_jget(in, "answer"), sw_jint(in, "now", 0), a, &res);
	if (target.from) {
		int r = g->signal->past(conf, &target, &res, a, &past, &err);

		if (r < 0)
			sw_buf_printf(out, "error %d: %s\n", r, err.text);
		else
			tell_past(&past, out);
		return;
	}
	assert_int_equal(g->signal->read(conf, &target, &res, &samples, &err), 0);
	tell_samples(&samples, out);
}

static void compare(const char *dir, const struct sw_buf *out)
{
	char path[700];
	size_t n;
	char *want;
	FILE *f;

	if (!getenv("SW_GOLDEN_WRITE")) {
		want = slurp(dir, "want.txt", &n);
		assert_non_null(want);
		assert_string_equal(sw_buf_str(out), want);
		free(want);
		return;
	}
	(void)snprintf(path, sizeof path, "%s/want.txt", dir);
	f = fopen(path, "wb");
	assert_non_null(f);
	(void)fwrite(sw_buf_str(out), 1, out->n, f);
	(void)fclose(f);
}

static void golden(void **state)
{
	const struct golden *g = *state;
	SW_CLEANUP(sw_buf_fini) struct sw_buf out = SW_BUF_INIT;
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
	struct sw_err err = SW_ERR_INIT;
	struct sw_jnode *root;
	size_t n = 0;
	char *in = slurp(g->path, "in.json", &n);

	assert_non_null(in);
	if (sw_jtree_parse(&a, in, n, 10000, &root, &err) < 0)
		fail_msg("%s/in.json: %s", g->path, err.text);
	if (g->channel)
		tell_channel(g, root, &a, &out);
	else if (g->signal)
		tell_signal(g, root, &a, &out);
	else
		tell_action(g, root, &a, &out);
	compare(g->path, &out);
	free(in);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static size_t collect(const struct golden *of, const char *folder, struct golden *cases, struct CMUnitTest *tests,
                      size_t n)
{
	const char *root = getenv("SW_SOURCE_ROOT");
	struct dirent **names;
	char dir[300];
	int found;

	(void)snprintf(dir, sizeof dir, "%s/tests/golden/%s", root ? root : ".", folder);
	found = scandir(dir, &names, NULL, by_name);
	for (int i = 0; i < found; i++) {
		if (names[i]->d_name[0] != '.') {
			SW_ASSERT(n < CASES);
			cases[n] = *of;
			(void)snprintf(cases[n].path, sizeof cases[n].path, "%.250s/%.200s", dir, names[i]->d_name);
			(void)snprintf(cases[n].label, sizeof cases[n].label, "%.80s/%.200s", folder, names[i]->d_name);
			tests[n] = (struct CMUnitTest){ .name = cases[n].label,
				                        .test_func = golden,
				                        .initial_state = &cases[n] };
			n++;
		}
		free(names[i]);
	}
	if (found >= 0)
		free(names);
	return n;
}

int main(void)
{
	static const struct sw_channel *const channels[] = { &sw_channel_dingtalk, &sw_channel_wecom,
		                                             &sw_channel_feishu, &sw_channel_slack, &sw_channel_alertmanager, &sw_channel_email,
		                                             &sw_channel_webhook, &sw_channel_console };
	static const struct sw_action *const actions[] = { &sw_action_http, &sw_action_exec, &sw_action_gitlab, &sw_action_github };
	static const struct sw_signal *const signals[] = { &sw_signal_health, &sw_signal_prometheus,
		                                           &sw_signal_scrape };
	static struct golden cases[CASES];
	static struct CMUnitTest tests[CASES];
	char folder[64];
	size_t n = 0;

	for (size_t i = 0; i < SW_COUNT(channels); i++) {
		(void)snprintf(folder, sizeof folder, "channel/%s", channels[i]->base.name);
		n = collect(&(struct golden){ .channel = channels[i] }, folder, cases, tests, n);
	}
	for (size_t i = 0; i < SW_COUNT(actions); i++) {
		(void)snprintf(folder, sizeof folder, "action/%s", actions[i]->base.name);
		n = collect(&(struct golden){ .action = actions[i] }, folder, cases, tests, n);
	}
	for (size_t i = 0; i < SW_COUNT(signals); i++) {
		(void)snprintf(folder, sizeof folder, "signal/%s", signals[i]->base.name);
		n = collect(&(struct golden){ .signal = signals[i] }, folder, cases, tests, n);
	}
	if (!n)
		return 1;
	return _cmocka_run_group_tests("golden_channel", tests, n, NULL, NULL);
}
