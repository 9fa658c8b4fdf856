/*
 * A history as of a busy year of an organisation, through the real fold: bench-history FILE EVENTS [MORE]. Prints one line of JSON.
 * bench-history - MORE EVENTS: what follows on that, as commands of Redis to add it to the journal.
 *
 * Of each ten events: one run of a pipeline (three facts) with its jobs (five), its report and its deployment's. Every tenth run is a
 * deployment with a watch, its readings, and for one in five an alert with two messages; one in twenty is taken back. The last hundred deployments are
 * still watched, and their alerts fire. So 1,000,000 events are 100,000 builds, 10,000 watches.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bus/bus.h"
#include "dashboard/store.h"
#include "shipwatch/buf.h"
#include "shipwatch/clock.h"

#define BATCH    SW_JOURNAL_MAX
#define REPOS    200
#define SERVICES 120
#define STEP     (51840) /* ms from one run to the next: a million events are sixty days */
#define OPEN     1000 /* runs at the end whose deployments are still watched */

struct gen {
	struct sw_store *s;            /* NULL: to the journal */
	uint64_t seed;
	unsigned runs;
	struct sw_buf text;
	size_t from[BATCH], n;         /* entries of the batch, in text */
	char ids[BATCH][32];
	uint64_t entries, bytes;
	int64_t at;
	double seconds;                /* within the store */
};

static uint64_t gen_random(struct gen *g, uint64_t below)
{
	g->seed ^= g->seed << 13;
	g->seed ^= g->seed >> 7;
	g->seed ^= g->seed << 17;
	return (g->seed >> 11) % below;
}

static double gen_cpu(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void gen_add(const struct gen *g, size_t i, size_t n)
{
	(void)printf("*5\r\n$4\r\nXADD\r\n$12\r\n{sw}:journal\r\n$%zu\r\n%s\r\n$1\r\nj\r\n$%zu\r\n", strlen(g->ids[i]), g->ids[i], n);
	(void)fwrite(g->text.p + g->from[i], 1, n, stdout);
	(void)fputs("\r\n", stdout);
}

static void gen_flush(struct gen *g, bool more)
{
	struct sw_journal_entry e[BATCH];
	struct sw_err err = SW_ERR_INIT;
	const struct sw_store_at at = { .added = -1, .more = more };
	sw_dur began = sw_clock_mono();
	unsigned bits;

	for (size_t i = 0; i < g->n; i++)
		e[i] = (struct sw_journal_entry){ g->ids[i], g->text.p + g->from[i], (i + 1 < g->n ? g->from[i + 1] : g->text.n) - g->from[i] };
	if (!g->s) {
		for (size_t i = 0; i < g->n; i++)
			gen_add(g, i, e[i].n);
	} else if (sw_store_apply_at(g->s, e, g->n, &at, &bits, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	g->seconds += (double)(sw_clock_mono() - began) / 1000;
	g->entries += g->n;
	g->bytes += g->text.n;
	g->n = 0;
	sw_buf_reset(&g->text);
}

static struct sw_buf *gen_entry(struct gen *g)
{
	if (g->n == BATCH)
		gen_flush(g, true);
	g->from[g->n] = g->text.n;
	(void)snprintf(g->ids[g->n], sizeof g->ids[0], "%lld-%u", (long long)g->at, (unsigned)(g->entries + g->n));
	g->n++;
	return &g->text;
}

/* ---- one run ---- */

struct run { unsigned n, repo, place; char branch[32], sha[48]; int64_t at; bool fails, deploys; };

static void run_event(struct gen *g, const struct run *r, const char *kind, const char *status, unsigned k, const char *more)
{
	struct sw_buf *b = gen_entry(g);
	int64_t at = r->at + (int64_t)k * 40000;

	sw_buf_printf(b, "{\"at\":%lld,\"event_id\":\"01BENCH%08u%02uXXXXXXXXX\",\"source\":\"gitlab\",\"delivery\":\"%08x-%04x-%04x-%04x-%08x%04x\",\"facts\":1,\"n_events\":1,\"events\":[",
	              (long long)at, r->n, k, (unsigned)gen_random(g, 1u << 31), (unsigned)gen_random(g, 1u << 16), (unsigned)gen_random(g, 1u << 16), (unsigned)gen_random(g, 1u << 16),
	              (unsigned)gen_random(g, 1u << 31), (unsigned)gen_random(g, 1u << 16));
	sw_buf_printf(b, "{\"kind\":\"%s\",\"status\":\"%s\",\"source\":\"gitlab\",\"source_kind\":\"gitlab\",\"event_id\":\"01BENCH%08u%02uXXXXXXXXX\",\"what\":\"Pipeline Hook\","
	                 "\"host\":\"gitlab.example.com\",\"repo\":\"group%u/project%u\",\"repo_url\":\"https://gitlab.example.com/group%u/project%u\",\"default_branch\":\"main\","
	                 "\"ref\":\"refs/heads/%s\",\"branch\":\"%s\",\"sha\":\"%s\",\"status_text\":\"%s\",\"pipeline_id\":\"%u\",\"ci_run_id\":\"gitlab.example.com/group%u/project%u/%u\",",
	              kind, status, r->n, k, r->repo % 17, r->repo, r->repo % 17, r->repo, r->branch, r->branch, r->sha, status, r->n, r->repo % 17, r->repo, r->n);
	sw_buf_printf(b, "\"pipeline_source\":\"push\",\"user\":\"user%u\",\"user_name\":\"User Number %u\",\"author\":\"Author %u\",\"author_email\":\"a%u@example.com\",\"title\":\"Change number %u of "
	                 "the thing that was wrong before\",\"url\":\"https://gitlab.example.com/group%u/project%u/-/pipelines/%u\",\"at\":%lld,\"received\":%lld,\"created_at\":%lld%s}]}",
	              r->repo % 37, r->repo % 37, r->n % 91, r->n % 91, r->n, r->repo % 17, r->repo, r->n, (long long)at, (long long)at, (long long)r->at, more);
}

static void run_events(struct gen *g, const struct run *r)
{
	static const char *const jobs[] = { "build", "test", "lint", "package", "deploy" };
	const char *end = r->fails ? "failed" : "success";
	char more[400];

	(void)snprintf(more, sizeof more, ",\"started_at\":%lld", (long long)r->at);
	run_event(g, r, "pipeline", "running", 0, more);
	for (unsigned i = 0; i < 5; i++) {
		(void)snprintf(more, sizeof more, ",\"job_id\":\"%u\",\"job_name\":\"%s\",\"job_stage\":\"%s\",\"started_at\":%lld,\"finished_at\":%lld,\"duration_ms\":%u%s%s", r->n * 5 + i, jobs[i],
		               jobs[i], (long long)r->at, (long long)(r->at + 35000), 30000 + r->n % 9000, i == 1 ? ",\"coverage\":0.8125" : "",
		               i == 4 && r->deploys ? ",\"environment\":\"production\",\"env_action\":\"start\"" : "");
		run_event(g, r, "job", r->fails && i == 1 ? "failed" : "success", 1 + i, more);
	}
	(void)snprintf(more, sizeof more, ",\"job_name\":\"test\",\"exit_code\":%d,\"cpu_ms\":%u,\"max_rss_bytes\":%u,\"report_id\":\"r%u\",\"metrics\":{\"bundle_size\":%u}", r->fails, r->n % 50000,
	               100000000 + r->n, r->n, r->n);
	run_event(g, r, "report", end, 6, more);
	(void)snprintf(more, sizeof more, ",\"before\":\"%s\"", r->sha);
	run_event(g, r, "push", "other", 7, more);
	(void)snprintf(more, sizeof more, ",\"finished_at\":%lld,\"duration_ms\":%u,\"coverage\":0.81", (long long)(r->at + 320000), 300000 + r->n % 90000);
	run_event(g, r, "pipeline", end, 8, more);
	(void)snprintf(more, sizeof more, ",\"environment\":\"%s\",\"deployment_id\":\"%u\"", r->deploys ? "production" : "review", r->n);
	run_event(g, r, "deployment", end, 9, more);
}

/* ---- its deployment, watch, alert ---- */

static void step_begin(struct gen *g, const struct run *r, int64_t at, const char *in)
{
	sw_buf_printf(gen_entry(g), "{\"at\":%lld,\"agg\":\"place:service%u/%s\",\"in\":[%s],", (long long)at, r->place / 3, (const char *const[]){ "prod", "staging", "prod-hz" }[r->place % 3], in);
}

static void step_dep(struct gen *g, const struct run *r, int64_t at, const char *status)
{
	sw_buf_printf(&g->text, "{\"k\":\"dep\",\"d\":{\"id\":\"d%011x\",\"rank\":5,\"origin\":\"gitlab.example.com/x\",\"j\":\"%u\",\"status\":\"%s\",\"seen\":%lld,\"started\":%lld,\"finished\":%lld,"
	                        "\"counted\":true,\"good\":-1,\"prev_sha\":\"%s\",\"ev\":{\"kind\":\"deployment\",\"source\":\"gitlab\",\"repo\":\"group%u/project%u\",\"branch\":\"%s\",\"sha\":\"%s\","
	                        "\"ci_run_id\":\"gitlab.example.com/group%u/project%u/%u\",\"user\":\"user%u\",\"title\":\"Change number %u of the thing\"}}}",
	              r->n, r->n * 5 + 4, status, (long long)at, (long long)at - 30000, (long long)at, r->sha, r->repo % 17, r->repo, r->branch, r->sha, r->repo % 17, r->repo, r->n, r->repo % 37,
	              r->n);
}

static void step_watch(struct gen *g, const struct run *r, int64_t at, const char *state, const char *verdict)
{
	sw_buf_printf(&g->text, "{\"k\":\"watch\",\"d\":{\"id\":\"w%011x\",\"dep\":\"d%011x\",\"rule\":\"rule-%u\",\"hash\":\"0123456789abcdef\",\"state\":\"%s\",\"every\":15000,\"opened\":%lld,"
	                        "\"from\":%lld,\"until\":%lld,\"total\":20,\"known\":20%s}}",
	              r->n, r->n, r->place % 25, state, (long long)at, (long long)at, (long long)at + 300000, verdict);
}

static void run_samples(struct gen *g, const struct run *r, int64_t at)
{
	char in[600];

	for (int i = -5; i < 20; i++) {
		int64_t t = at + i * 15000;

		(void)snprintf(in, sizeof in, "{\"t\":\"samples\",\"src\":\"prometheus\",\"dep\":\"d%011x\",\"items\":[{\"signal\":\"http_latency_p95\",\"at\":%lld,\"r\":\"ok\",\"v\":0.%03u,\"n\":120},"
		               "{\"signal\":\"error_rate\",\"at\":%lld,\"r\":\"ok\",\"v\":0.00%u,\"n\":120},{\"signal\":\"health\",\"at\":%lld,\"r\":\"ok\",\"v\":1,\"text\":\"200\"}]}", r->n, (long long)t,
		               (unsigned)gen_random(g, 1000), (long long)t, (unsigned)gen_random(g, 9), (long long)t);
		step_begin(g, r, t + 900, in);
		sw_buf_cat(&g->text, "\"recs\":[]}");
	}
}

static void run_alert(struct gen *g, const struct run *r, int64_t at, const char *news)
{
	static const char *const channels[] = { "oncall", "release" };

	sw_buf_printf(gen_entry(g), "{\"at\":%lld,\"agg\":\"alert:a%011x\",\"in\":[],\"recs\":[{\"k\":\"told\",\"d\":{\"delivery\":\"a%011x-%s\",\"news\":\"%s\",\"alert\":{\"news\":\"%s\",\"severity\":\"critical\","
	                            "\"id\":\"a%011x\",\"rule\":\"rule-%u\",\"service\":\"service%u\",\"environment\":\"%s\",\"verdict\":\"fail\",\"reason\":\"evidence\",\"repo\":\"group%u/project%u\",\"sha\":\"%s\","
	                            "\"watch_id\":\"w%011x\",\"ci_run_id\":\"gitlab.example.com/group%u/project%u/%u\",\"findings\":[{\"text\":\"http_latency_p95 > 1500ms for 3 checks\",\"value\":\"1.82s\","
	                            "\"limit\":\"1.5s\"}],\"links\":{\"ci_log\":\"https://gitlab.example.com/x\"},\"locale\":\"en\"}}}",
	              (long long)at, r->n, r->n, news, news, news, r->n, r->place % 25, r->place / 3, (const char *const[]){ "prod", "staging", "prod-hz" }[r->place % 3], r->repo % 17, r->repo, r->sha,
	              r->n, r->repo % 17, r->repo, r->n);
	for (unsigned c = 0; c < 2; c++)
		sw_buf_printf(&g->text, ",{\"k\":\"try\",\"d\":{\"delivery\":\"a%011x-%s\",\"channel\":\"%s\",\"n\":%u,\"class\":\"ok\"}},{\"k\":\"way\",\"d\":{\"delivery\":\"a%011x-%s\",\"channel\":\"%s\",\"state\":\"sent\","
		                        "\"tries\":1}}", r->n, news, channels[c], *news == 'f' ? 1 : 2, r->n, news, channels[c]);
	sw_buf_cat(&g->text, "]}");
}

static void run_act(struct gen *g, const struct run *r, int64_t at, const char *state)
{
	char in[200];

	(void)snprintf(in, sizeof in, "{\"t\":\"cmd\",\"do\":\"approve\",\"act\":\"x%011x\",\"who\":\"user%u\",\"via\":\"dashboard\"}", r->n, r->n % 7);
	step_begin(g, r, at, in);
	sw_buf_printf(&g->text, "\"recs\":[{\"k\":\"act\",\"d\":{\"id\":\"x%011x\",\"action\":\"undo\",\"dep\":\"d%011x\",\"watch\":\"w%011x\",\"rule\":\"rule-%u\",\"state\":\"%s\",\"rollback\":true,\"proposed\":%lld}}]}",
	              r->n, r->n, r->n, r->place % 25, state, (long long)at);
}

static void run_deployment(struct gen *g, const struct run *r)
{
	char in[300];
	int64_t at = r->at + 330000;
	bool bad = r->n / 10 % 5 == 0;

	(void)snprintf(in, sizeof in, "{\"t\":\"fact\",\"how\":1,\"ev\":{\"kind\":\"deployment\",\"status\":\"success\",\"event_id\":\"01BENCH%08u09XXXXXXXXX\",\"environment\":\"production\"}}", r->n);
	step_begin(g, r, at, in);
	sw_buf_cat(&g->text, "\"recs\":[");
	step_dep(g, r, at, "success");
	sw_buf_putc(&g->text, ',');
	step_watch(g, r, at, "watching", "");
	sw_buf_cat(&g->text, "]}");
	run_samples(g, r, at);
	if (bad)
		run_alert(g, r, at + 60000, "firing");
	if (r->n + OPEN >= g->runs)
		return;
	step_begin(g, r, at + 300000, "");
	sw_buf_cat(&g->text, "\"recs\":[");
	step_watch(g, r, at, "done", bad ? ",\"verdict\":\"fail\",\"reason\":\"evidence\",\"fired\":true,\"fail_at\":1,\"ended\":2" : ",\"verdict\":\"pass\",\"reason\":\"evidence\",\"ended\":2");
	sw_buf_cat(&g->text, "]}");
	if (!bad)
		return;
	if (r->n / 10 % 20 == 0) {
		run_act(g, r, at + 61000, "started");
		run_act(g, r, at + 90000, "done");
	}
	run_alert(g, r, at + 300000, "resolved");
}

static void gen_run(struct gen *g, unsigned n)
{
	static const char *const branches[] = { "main", "main", "main", "release", "develop", "feature" };
	struct run r = { .n = n, .repo = (unsigned)(gen_random(g, REPOS) * gen_random(g, REPOS) / REPOS), .at = g->at, .fails = gen_random(g, 8) == 0, .deploys = n % 10 == 0 };
	unsigned b = (unsigned)gen_random(g, SW_COUNT(branches));

	r.place = r.repo % SERVICES;
	if (b == 5)
		(void)snprintf(r.branch, sizeof r.branch, "feature/%u", n % 3000);
	else
		(void)snprintf(r.branch, sizeof r.branch, "%s", branches[b]);
	for (int i = 0; i < 5; i++)
		(void)snprintf(r.sha + 8 * i, 9, "%08x", (unsigned)gen_random(g, 1u << 31));
	run_events(g, &r);
	if (r.deploys)
		run_deployment(g, &r);
	g->at += STEP;
}

int main(int argc, char **argv)
{
	unsigned runs = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) / 10 : 0, other = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) / 10 : 0;
	bool file = argc > 1 && strcmp(argv[1], "-") != 0;
	unsigned first = file ? 0 : other;
	struct gen g = { .seed = 88172645463325252ull + first, .runs = first + runs };
	struct sw_err err = SW_ERR_INIT;
	sw_dur began = sw_clock_mono();

	if (argc < 3 || !runs) {
		(void)fprintf(stderr, "usage: bench-history FILE EVENTS [MORE] | - MORE EVENTS\n");
		return 2;
	}
	if (file && sw_store_open(argv[1], SW_STORE_WRITE, &g.s, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	g.at = sw_clock_wall() - (int64_t)STEP * (runs + (file ? other : 0));
	for (unsigned i = 0; i < runs; i++)
		gen_run(&g, first + i);
	gen_flush(&g, false);
	if (!g.s) {
		sw_buf_fini(&g.text);
		return fflush(stdout) == 0 ? 0 : 1;
	}
	(void)printf("{\"entries\":%llu,\"journal_bytes\":%llu,\"seconds\":%.2f,\"cpu_seconds\":%.2f,\"per_second\":%.0f,\"skipped\":%llu,\"wall_seconds\":%.1f}\n", (unsigned long long)g.entries,
	             (unsigned long long)g.bytes, g.seconds, gen_cpu(), (double)g.entries / g.seconds, (unsigned long long)sw_store_skipped(g.s),
	             (double)(sw_clock_mono() - began) / 1000);
	sw_buf_fini(&g.text);
	sw_store_close(g.s);
	return 0;
}
