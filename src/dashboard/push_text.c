/* What a Pushgateway is told of a build: the path of its group, and its metrics in the text format. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/number.h"
#include "base/str.h"
#include "dashboard/pusher.h"

#define PUSH_METRICS 50 /* numbers of one report */

/* At most PUSH_LABEL bytes, whole characters, valid. */
static void push_clean(struct sw_buf *out, const char *s)
{
	struct sw_buf b = SW_BUF_INIT;
	size_t n;

	sw_utf8_clean(&b, s, strlen(s), false);
	n = SW_MIN(b.n, (size_t)PUSH_LABEL);
	while (n < b.n && n && ((unsigned char)b.p[n] & 0xc0) == 0x80)
		n--;
	sw_buf_catn(out, sw_buf_str(&b), n);
	sw_buf_fini(&b);
}

/* "/branch@base64/bWFpbg": whatever is in it, slashes too. */
static void path_part(struct sw_buf *out, const char *label, const char *value)
{
	struct sw_buf clean = SW_BUF_INIT, b64 = SW_BUF_INIT;

	push_clean(&clean, value);
	sw_b64_encode(&b64, sw_buf_str(&clean), clean.n);
	sw_buf_printf(out, "/%s@base64/", label);
	for (const char *p = sw_buf_str(&b64); *p && *p != '='; p++)
		sw_buf_putc(out, *p == '+' ? '-' : *p == '/' ? '_' : *p);
	if (!clean.n)
		sw_buf_putc(out, '='); /* an empty part would not be a path */
	sw_buf_fini(&clean);
	sw_buf_fini(&b64);
}

void sw_push_path(struct sw_buf *out, const char *job, const struct sw_owed_build *b)
{
	const struct { const char *label, *value; } parts[] = {
		{ "job", job }, { "repo", b->repo }, { "branch", b->branch }, { "environment", b->environment }, { "name", b->name } };

	sw_buf_cat(out, "/metrics");
	for (size_t i = 0; i < SW_COUNT(parts); i++)
		if (parts[i].value && *parts[i].value)
			path_part(out, parts[i].label, parts[i].value);
}

/* ---- the text format ---- */

struct label { const char *name, *value; }; /* value NULL: left out */

static void text_label(struct sw_buf *out, const char *name, const char *value)
{
	struct sw_buf b = SW_BUF_INIT;

	push_clean(&b, value);
	sw_buf_printf(out, "%s=\"", name);
	for (const char *p = sw_buf_str(&b); *p; p++) {
		if (*p == '\\' || *p == '"')
			sw_buf_putc(out, '\\');
		if (*p == '\n')
			sw_buf_cat(out, "\\n");
		else
			sw_buf_putc(out, *p);
	}
	sw_buf_putc(out, '"');
	sw_buf_fini(&b);
}

static void text_number(struct sw_buf *out, double v)
{
	sw_buf_putc(out, ' ');
	sw_number_print(out, v);
	sw_buf_putc(out, '\n');
}

static void text_sample(struct sw_buf *out, const char *metric, const struct label *labels, size_t n, double v)
{
	bool any = false;

	sw_buf_cat(out, metric);
	for (size_t i = 0; i < n; i++) {
		if (!labels[i].value)
			continue;
		sw_buf_putc(out, any ? ',' : '{');
		text_label(out, labels[i].name, labels[i].value);
		any = true;
	}
	if (any)
		sw_buf_putc(out, '}');
	text_number(out, v);
}

static void text_head(struct sw_buf *out, const char *metric, const char *help)
{
	sw_buf_printf(out, "# HELP %s %s\n# TYPE %s gauge\n", metric, help, metric);
}

/* The numbers that a build and its jobs have alike. */
enum number { N_SUCCESS, N_DURATION, N_COVERAGE, N_EXIT, N_CPU, N_RSS, N_COUNT };
static const struct { const char *name, *help; } numbers[N_COUNT] = {
	[N_SUCCESS] = { "success", "1: it succeeded, 0: it failed or was cancelled." },
	[N_DURATION] = { "duration_seconds", "How long it took." },
	[N_COVERAGE] = { "coverage_ratio", "Test coverage, 0 to 1." },
	[N_EXIT] = { "exit_code", "Exit code as reported." },
	[N_CPU] = { "cpu_seconds", "Processor time used." },
	[N_RSS] = { "max_rss_bytes", "Largest resident memory." },
};

static void build_numbers(const struct sw_owed_build *b, double v[N_COUNT])
{
	v[N_SUCCESS] = sw_streq(b->status, "success");
	v[N_DURATION] = b->duration_ms / 1000;
	v[N_COVERAGE] = b->coverage;
	v[N_EXIT] = b->exit_code < 0 ? NAN : b->exit_code;
	v[N_CPU] = b->cpu_ms / 1000;
	v[N_RSS] = b->max_rss_bytes;
}

static void job_numbers(const struct sw_owed_job *j, double v[N_COUNT])
{
	v[N_SUCCESS] = sw_streq(j->status, "success");
	v[N_DURATION] = j->duration_ms / 1000;
	v[N_COVERAGE] = j->coverage;
	v[N_EXIT] = j->exit_code < 0 ? NAN : j->exit_code;
	v[N_CPU] = j->cpu_ms / 1000;
	v[N_RSS] = j->max_rss_bytes;
}

/* Two jobs of one name would be one series: the newest stands for it. */
static bool job_first(const struct sw_owed_build *b, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (sw_streq(b->jobs[k].name, b->jobs[i].name))
			return false;
	return true;
}

static void text_jobs(struct sw_buf *out, const struct sw_owed_build *b)
{
	for (int n = 0; n < N_COUNT; n++) {
		char metric[64];
		bool any = false;

		(void)snprintf(metric, sizeof metric, "shipwatch_job_%s", numbers[n].name);
		for (size_t i = 0; i < b->n_jobs; i++) {
			const struct label labels[] = { { "ci_job", b->jobs[i].name }, { "stage", b->jobs[i].stage } };
			double v[N_COUNT];

			job_numbers(&b->jobs[i], v);
			if (!isfinite(v[n]) || !job_first(b, i))
				continue;
			if (!any)
				text_head(out, metric, numbers[n].help);
			any = true;
			text_sample(out, metric, labels, SW_COUNT(labels), v[n]);
		}
	}
}

/* What reports say besides: {"bundle_size": 812345}. */
static void text_metrics(struct sw_buf *out, const struct sw_owed_build *b)
{
	struct sw_arena a = { 0 };
	bool any = false;
	size_t n = 0;

	for (size_t i = 0; i < b->n_jobs; i++) {
		const char *json = b->jobs[i].metrics;
		struct sw_jnode *node;

		if (!json || !job_first(b, i) || sw_jtree_parse(&a, json, strlen(json), 1000, &node, NULL) < 0 || node->type != SW_J_OBJECT)
			continue;
		for (const struct sw_jnode *x = node->child; x && n < PUSH_METRICS; x = x->next) {
			const struct label labels[] = { { "ci_job", b->jobs[i].name }, { "metric", x->key } };

			if (x->type != SW_J_NUMBER || !isfinite(x->d))
				continue;
			if (!any)
				text_head(out, "shipwatch_job_metric", "A number of the job's report.");
			any = true;
			n++;
			text_sample(out, "shipwatch_job_metric", labels, SW_COUNT(labels), x->d);
		}
	}
	sw_arena_fini(&a);
}

void sw_push_text(struct sw_buf *out, const struct sw_owed_build *b)
{
	const struct label info[] = { { "status", b->status }, { "sha", b->sha }, { "version", b->version }, { "tag", b->tag }, { "service", b->service },
		                      { "ci_run_id", b->ci_run_id }, { "source", b->source }, { "trigger", b->trigger } };
	double v[N_COUNT];

	build_numbers(b, v);
	for (int n = 0; n < N_COUNT; n++) {
		char metric[64];

		if (!isfinite(v[n]))
			continue;
		(void)snprintf(metric, sizeof metric, "shipwatch_build_%s", numbers[n].name);
		text_head(out, metric, numbers[n].help);
		text_sample(out, metric, NULL, 0, v[n]);
	}
	text_head(out, "shipwatch_build_finished_timestamp_seconds", "When it ended, seconds since 1970.");
	text_sample(out, "shipwatch_build_finished_timestamp_seconds", NULL, 0, (double)(b->finished ? b->finished : b->at) / 1000);
	text_head(out, "shipwatch_build_info", "Which build it is.");
	text_sample(out, "shipwatch_build_info", info, SW_COUNT(info), 1);
	text_jobs(out, b);
	text_metrics(out, b);
}
