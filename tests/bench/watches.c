/*
 * What open watches and events cost the engine, in virtual time, no Redis and no network:
 *
 *   watches      places with an open watch of each of ten rules, all signals every 15 s: processor time of steps a simulated second
 *   calibration  milliseconds a signal for a day of history
 *   events       steps a second with ten rules, and with ten thousand
 *
 * The world is the simulation's (src/sim); timed is what a worker does in a step: reading state and messages, sw_engine_step with the
 * new state printed. The linker puts the __wrap_ functions below in their place (meson.build). Last line: one JSON object.
 *
 *   bench-watches [--places N] [--minutes N] [--events N] [--rules N]
 */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/map.h"
#include "base/str.h"
#include "engine/baseline.h"
#include "model/place.h"
#include "shipwatch/err.h"
#include "sim/series.h"
#include "sim/sim.h"
#include "stats/defaults.h"

#define START    ((sw_ms)1790000000000)
#define EVERY    (15 * SW_SECOND)
#define ENV      "prod"
#define SERVICES 200 /* that events are about */

/* ---- what is timed ---- */

static struct timed {
	double steps, pasts;           /* seconds of processor time */
	uint64_t n_steps, n_pasts;
	int inside;
} timed;

static struct sw_map kept;             /* what steps wrote once, as a worker has it at hand */

static double cpu(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Of the type of what they stand for, so that a change of it is noticed here. */
__typeof__(sw_engine_step) __real_sw_engine_step, __wrap_sw_engine_step;
__typeof__(sw_jtree_parse) __real_sw_jtree_parse, __wrap_sw_jtree_parse;
__typeof__(sw_baseline_message) __real_sw_baseline_message, __wrap_sw_baseline_message;

int __wrap_sw_engine_step(const struct sw_engine *e, const struct sw_step_in *in, struct sw_arena *a, struct sw_step *ret, struct sw_err *err)
{
	double from = cpu();
	int r;

	timed.inside++;
	r = __real_sw_engine_step(e, in, a, ret, err);
	timed.inside--;
	timed.steps += cpu() - from;
	timed.n_steps++;
	for (size_t i = 0; r == 0 && i < ret->n_keeps; i++)
		if (!sw_map_get(&kept, ret->keeps[i].key))
			(void)sw_map_set(&kept, ret->keeps[i].key, sw_strdup(ret->keeps[i].value));
	return r;
}

int __wrap_sw_jtree_parse(struct sw_arena *a, const char *text, size_t n, size_t max, struct sw_jnode **ret, struct sw_err *err)
{
	double from;
	int r;

	if (timed.inside)
		return __real_sw_jtree_parse(a, text, n, max, ret, err); /* a step's own is timed with it */
	from = cpu();
	r = __real_sw_jtree_parse(a, text, n, max, ret, err);
	timed.steps += cpu() - from;
	return r;
}

const char *__wrap_sw_baseline_message(const char *dep, const char *signal, struct sw_past *past, struct sw_past *days, const struct sw_past_ask *ask,
                                       struct sw_arena *a)
{
	double from = cpu();
	const char *ret = __real_sw_baseline_message(dep, signal, past, days, ask, a);

	timed.pasts += cpu() - from;
	timed.n_pasts++;
	return ret;
}

static const char *engine_kept(void *arg, const char *key)
{
	(void)arg;
	return sw_map_get(&kept, key);
}

/* ---- the world ---- */

static const char rules_text[] =
	"- {name: health, on: deploy, watch: 10m, if: health is failing for 3 checks, then: alert}\n"
	"- {name: p95-limit, on: deploy, watch: 10m, if: http_latency_p95 > 1500ms for 3 checks, then: alert}\n"
	"- {name: p99-limit, on: deploy, watch: 10m, if: http_latency_p99 > 3s for 3 checks, then: alert}\n"
	"- {name: errors-limit, on: deploy, watch: 10m, if: error_rate > 5% for 3 checks, then: alert}\n"
	"- {name: errors-surge, on: deploy, watch: 10m, if: error_rate > baseline +200% for 30s and error_rate > 1%, then: alert}\n"
	"- {name: memory, on: deploy, watch: 10m, if: memory_rss > baseline +30% for 2m, then: alert}\n"
	"- name: traffic\n  on: deploy\n  watch: 10m\n  if: requests(5m) < 0.5 * baseline\n  then: alert\n"
	"- {name: p50-baseline, on: deploy, watch: 10m, if: http_latency_p50 > baseline +50% for 3 checks, then: alert}\n"
	"- name: p95-regressed\n  on: deploy\n  watch: 10m\n  if: regressed(http_latency_p95, by=20%)\n  then: alert\n"
	"- name: errors-regressed\n  on: deploy\n  watch: 10m\n  if: regressed(error_rate, by=2x)\n  then: alert\n";

/* What signals are like: a level and log-normal noise around it, the same at every moment for one place and signal. */
static double level(const char *place, const char *signal, sw_ms at)
{
	static const struct { const char *signal; double level, noise; } rows[] = {
		{ "http_latency_p50", 0.08, 0.05 }, { "http_latency_p95", 0.3, 0.08 }, { "http_latency_p99", 0.7, 0.1 },
		{ "error_rate", 0.004, 0.2 }, { "requests", 3000, 0.05 }, { "memory_rss", 400e6, 0.02 },
	};

	for (size_t i = 0; i < SW_COUNT(rows); i++)
		if (sw_streq(rows[i].signal, signal))
			return rows[i].level * exp(rows[i].noise * sw_series_normal(sw_series_seed(17 + i, place), (uint64_t)(at / EVERY)));
	return 1;
}

static sw_dur answer(void *arg, const char *place, const struct sw_io *io, sw_ms at, struct sw_samples *out)
{
	(void)arg;
	if (!io->n_queries)
		(void)sw_samples_add(out, sw_arena_strdup(out->a, io->source), at, SW_R_OK, 1);
	for (size_t i = 0; i < io->n_queries; i++) {
		const char *signal = io->queries[i].signal;
		struct sw_sample *s = sw_samples_add(out, sw_arena_strdup(out->a, signal), at, SW_R_OK, level(place, signal, at));

		if (s && sw_streq(signal, "error_rate"))
			s->count = 3000;
	}
	return 20;
}

static int before(void *arg, const char *place, const struct sw_io *io, sw_ms at, struct sw_arena *a, struct sw_past *ret, const char **why)
{
	const char *signal = io->queries[0].signal;

	(void)arg;
	(void)at;
	(void)why;
	*ret = (struct sw_past){ .from = io->past->from, .step = io->queries[0].step };
	ret->n = io->past->to < io->past->from ? 0 : (size_t)SW_MIN((io->past->to - io->past->from) / ret->step + 1, (sw_ms)SW_PAST_MAX);
	ret->value = SW_ARENA_ARRAY(a, double, ret->n + 1);
	if (sw_streq(signal, "error_rate"))
		ret->count = SW_ARENA_ARRAY(a, double, ret->n + 1);
	for (size_t i = 0; i < ret->n; i++) {
		ret->value[i] = level(place, signal, ret->from + (sw_ms)i * ret->step);
		if (ret->count)
			ret->count[i] = 3000;
	}
	return 0;
}

static struct sw_places make_places(size_t n, bool measured, struct sw_arena *a)
{
	struct sw_places ps = { .items = SW_ARENA_ARRAY(a, struct sw_place, n), .n = n };

	for (size_t i = 0; i < n; i++) {
		struct sw_place *p = &ps.items[i];

		p->service = sw_arena_printf(a, "svc%zu", i);
		p->environment = p->tier = ENV;
		p->repos = SW_ARENA_ARRAY(a, const char *, 2);
		p->repos[0] = sw_arena_printf(a, "bench/svc%zu", i);
		p->rollbacks_30m = 1;
		p->rollbacks_24h = 3;
		if (!measured)
			continue;
		p->health = (struct sw_health_conf){ .url = "http://simulated/health", .every = EVERY, .timeout = 2 * SW_SECOND, .grace = SW_MINUTE,
		                                     .background = SW_MINUTE, .status_min = 200, .status_max = 299 };
		p->prometheus = (struct sw_measure_conf){ .url = "http://simulated/prometheus", .labels = "", .window = SW_MINUTE };
	}
	return ps;
}

static struct sw_rules *make_rules(const char *text)
{
	struct sw_arena a = { 0 };
	struct sw_rules *ret = NULL;
	struct sw_diags d;

	sw_diags_init(&d, &a);
	if (sw_rules_load_text("bench.yaml", text, strlen(text), NULL, &ret, &d) < 0) {
		for (const struct sw_diag *x = d.first; x; x = x->next)
			(void)fprintf(stderr, "bench-watches: %s\n", x->text);
		exit(1);
	}
	sw_arena_fini(&a);
	return ret;
}

static void make_event(struct sw_event *ev, enum sw_kind kind, enum sw_status status, size_t i, size_t service, sw_ms at, struct sw_arena *a)
{
	sw_event_init(ev);
	ev->kind = kind;
	ev->source = "bench";
	ev->source_kind = "gitlab";
	ev->what = kind == SW_EV_PIPELINE ? "Pipeline Hook" : "Deployment Hook";
	ev->host = "git.example.com";
	ev->repo = sw_arena_printf(a, "bench/svc%zu", service);
	ev->ref = "refs/heads/main";
	ev->branch = ev->default_branch = "main";
	ev->sha = sw_arena_printf(a, "%040zx", i + 1);
	ev->status = status;
	ev->status_text = sw_status_name(status);
	ev->user = ev->author = "lin";
	ev->at = ev->received = at;
	ev->pipeline_id = sw_arena_printf(a, "%zu", 1000 + i);
	ev->ci_run_id = sw_arena_printf(a, "git.example.com/bench/svc%zu/%zu", service, 1000 + i);
	if (kind == SW_EV_DEPLOYMENT) {
		ev->environment = ENV;
		ev->deployment_id = sw_arena_printf(a, "%zu", 5000 + i);
	}
	if (status != SW_ST_RUNNING)
		ev->finished_at = at;
}

static void run_to(struct sim_world *w, sw_ms until)
{
	struct sw_err err = SW_ERR_INIT;

	if (sw_sim_run(w, until, false, &err) < 0) {
		(void)fprintf(stderr, "bench-watches: %s\n", err.text);
		exit(1);
	}
	w->now = SW_MAX(w->now, until);
}

static void kept_forget(void)
{
	struct sw_map_entry *e;

	for (size_t i = 0; (e = sw_map_next(&kept, &i));)
		free(e->value);
	sw_map_fini(&kept);
	kept = (struct sw_map)SW_MAP_INIT;
}

/* ---- open watches ---- */

struct watched { double share, step_us, past_ms, rss_mb; uint64_t steps, pasts; size_t open, state; };

static struct watched bench_watches(size_t n_places, int minutes)
{
	static const char *const alerts[] = { "chat", NULL };
	struct sw_rules *rules = make_rules(rules_text);
	struct sw_arena a = { 0 };
	struct sw_places places = make_places(n_places, true, &a);
	struct watched ret = { 0 };
	struct sim_world w;
	struct sw_engine e;
	struct rusage usage;

	sw_sim_engine(&e, rules, &places, alerts, &a);
	e.kept = engine_kept;
	sw_sim_world_init(&w, &e, &a, START);
	w.outside = (struct sim_outside){ .probe = answer, .past = before };
	timed = (struct timed){ 0 };
	for (size_t i = 0; i < n_places; i++) { /* not all in one moment: over one rhythm */
		struct sw_arena tmp = { 0 };
		struct sw_event ev;

		run_to(&w, START + (sw_ms)(i * EVERY / (sw_dur)n_places));
		make_event(&ev, SW_EV_DEPLOYMENT, SW_ST_SUCCESS, i, i, w.now, &tmp);
		sw_sim_event(&w, &ev);
		sw_arena_fini(&tmp);
	}
	run_to(&w, START + SW_MINUTE); /* the past has been asked, the grace time is over */
	ret.past_ms = timed.n_pasts ? 1000 * timed.pasts / (double)timed.n_pasts : 0;
	ret.pasts = timed.n_pasts;
	timed = (struct timed){ 0 };
	run_to(&w, START + (1 + minutes) * SW_MINUTE);
	ret.share = timed.steps / (60.0 * minutes);
	ret.steps = timed.n_steps;
	ret.step_us = 1e6 * timed.steps / (double)timed.n_steps;
	for (size_t i = 0; i < w.n_log; i++)
		ret.open += w.log[i].what == SIM_OPEN;
	for (size_t i = 0; i < w.n_log; i++)
		ret.open -= w.log[i].what == SIM_VERDICT;
	ret.state = strlen(sw_sim_state(&w, "place:svc0/" ENV));
	(void)getrusage(RUSAGE_SELF, &usage);
	ret.rss_mb = (double)usage.ru_maxrss / 1024;
	sw_sim_world_fini(&w);
	sw_rules_put(rules);
	sw_arena_fini(&a);
	kept_forget();
	return ret;
}

/* ---- calibration ---- */

/* A day at 15 s, a watch of K = 20 looks: what a worker does once per signal and deployment. */
static double bench_calibration(size_t times)
{
	static const unsigned looks[] = { 20 };
	const size_t n = 24 * 3600 / 15;
	struct sw_past_ask ask = { .from = START - (sw_ms)n * EVERY, .to = START - EVERY, .baseline_from = START - 120 * EVERY, .looks = looks,
		                   .n_looks = 1, .logs = true };
	double total = 0;

	for (size_t i = 0; i < times; i++) {
		struct sw_arena a = { 0 };
		struct sw_past past = { .from = ask.from, .step = EVERY, .n = n, .value = SW_ARENA_ARRAY(&a, double, n) };
		const char *place = sw_arena_printf(&a, "svc%zu/" ENV, i);
		double from;

		for (size_t k = 0; k < n; k++)
			past.value[k] = level(place, "http_latency_p95", past.from + (sw_ms)k * EVERY);
		from = cpu();
		(void)__real_sw_baseline_message("d", "http_latency_p95", &past, NULL, &ask, &a);
		total += cpu() - from;
		sw_arena_fini(&a);
	}
	return 1000 * total / (double)times;
}

/* ---- events ---- */

#define RULES_A_FILE 2000 /* a file has a limit */
#define FILES_MOST   100

static const char event_rules[] =
	"- {name: main-red, on: pipeline-failed, if: branch == \"main\", then: alert}\n"
	"- {name: red-long, on: pipeline-failed, after: 2m, if: branch =~ /^release/, then: alert}\n"
	"- {name: fixed, on: pipeline-fixed, if: tier == \"staging\", then: alert}\n"
	"- {name: deploy-failed, on: deploy-failed, then: alert}\n"
	"- {name: deploy-stuck, on: deploy-stuck, then: alert}\n"
	"- {name: deploy-night, on: deploy-to-prod, if: user == \"mei\", then: alert}\n"
	"- {name: deploy-old, on: deploy-to-prod, if: age(started) > 2h, then: alert}\n"
	"- {name: job-slow, on: job, if: job.duration > 30m, then: alert}\n"
	"- {name: coverage, on: report, if: coverage < 50, then: alert}\n"
	"- {name: rolled-back, on: rollback-finished, then: alert}\n";

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f || fputs(text, f) < 0 || fclose(f) != 0) {
		perror(path);
		exit(1);
	}
}

/* Ten rules over events, then as many for single services as are wanted: one in three of each kind. In files, as people have them. */
static struct sw_rules *make_event_rules(size_t n)
{
	static const char *const kinds[] = { "deploy-to-prod", "pipeline-failed", "deploy-failed" };
	char folder[] = "/tmp/bench-rules-XXXXXX";
	const char *paths[FILES_MOST + 1] = { NULL };
	struct sw_buf b = SW_BUF_INIT;
	struct sw_rules *ret = NULL;
	struct sw_arena a = { 0 };
	struct sw_diags d;
	size_t files = 0;

	if (!mkdtemp(folder)) {
		perror(folder);
		exit(1);
	}
	sw_buf_cat(&b, event_rules);
	for (size_t i = 10; i <= n && files < FILES_MOST; i++) {
		if (i == n || i % RULES_A_FILE == 0) {
			paths[files] = sw_arena_printf(&a, "%s/%zu.yaml", folder, files);
			write_file(paths[files++], sw_buf_str(&b));
			sw_buf_reset(&b);
		}
		sw_buf_printf(&b, "- {name: own-%zu, on: %s, where: service == \"svc%zu\", if: user == \"mei\", then: alert}\n", i, kinds[i % 3], i / 3 + SERVICES);
	}
	sw_diags_init(&d, &a);
	if (sw_rules_load(paths, NULL, &ret, &d) < 0) {
		(void)fprintf(stderr, "bench-watches: %s\n", d.first ? d.first->text : "rules");
		exit(1);
	}
	while (files)
		(void)remove(paths[--files]);
	(void)remove(folder);
	sw_buf_fini(&b);
	sw_arena_fini(&a);
	return ret;
}

/* Deployments and failed pipelines in turn, of many services, one after the other. Return: events a second of step work. */
static double bench_events(size_t n_events, size_t n_rules, double *ret_step_us)
{
	static const char *const alerts[] = { "chat", NULL };
	struct sw_rules *rules = make_event_rules(n_rules);
	struct sw_arena a = { 0 };
	struct sw_places places = make_places(SERVICES, false, &a);
	double route = 0;
	struct sim_world w;
	struct sw_engine e;

	sw_sim_engine(&e, rules, &places, alerts, &a);
	sw_sim_world_init(&w, &e, &a, START);
	timed = (struct timed){ 0 };
	for (size_t i = 0; i < n_events; i++) {
		struct sw_arena tmp = { 0 };
		struct sw_event ev;
		double from;

		make_event(&ev, i % 2 ? SW_EV_PIPELINE : SW_EV_DEPLOYMENT, i % 2 ? SW_ST_FAILED : SW_ST_SUCCESS, i, i / 2 % SERVICES, w.now, &tmp);
		from = cpu();
		sw_sim_event(&w, &ev);
		route += cpu() - from;
		run_to(&w, w.now + 10);
		sw_arena_fini(&tmp);
	}
	*ret_step_us = 1e6 * timed.steps / (double)timed.n_steps;
	sw_sim_world_fini(&w);
	sw_rules_put(rules);
	sw_arena_fini(&a);
	return (double)n_events / (timed.steps + route);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "places", required_argument, NULL, 'p' }, { "minutes", required_argument, NULL, 'm' }, { "events", required_argument, NULL, 'e' },
		{ "rules", required_argument, NULL, 'r' }, { 0 },
	};
	size_t places = 1000, events = 8000, rules = 10000;
	double ms, few, many, few_us, many_us;
	struct watched x;
	int c, minutes = 8;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		long v = optarg ? strtol(optarg, NULL, 10) : 0;

		if (v <= 0) {
			(void)fprintf(stderr, "usage: bench-watches [--places N] [--minutes N] [--events N] [--rules N]\n");
			return 2;
		}
		switch (c) {
		case 'p': places = (size_t)v; break;
		case 'm': minutes = (int)SW_MIN(v, 8L); break;
		case 'e': events = (size_t)v; break;
		case 'r': rules = (size_t)SW_MAX(v, 10L); break;
		}
	}
	x = bench_watches(places, minutes);
	(void)printf("  %zu places, %zu open watches of 10 rules, 7 signals every 15 s: %.3f of a core in steps (bar: < 1), %.0f us a step, %.0f steps a second,\n"
	             "  %.0f MB most resident with all of the simulation (bar: < 256), state of a place %.1f KB; a past with its calibration %.1f ms\n",
	             places, x.open, x.share, x.step_us, (double)x.steps / (60.0 * minutes), x.rss_mb, (double)x.state / 1000, x.past_ms);
	ms = bench_calibration(50);
	(void)printf("  calibration of a day at 15 s, K = 20: %.1f ms a signal (bar: about 10)\n", ms);
	few = bench_events(events, 10, &few_us);
	many = bench_events(events, rules, &many_us);
	(void)printf("  events with 10 rules: %.0f a second and core (bar: 10,000), %.0f us a step; with %zu rules: %.0f, %.0f us, %.2f x as long (bar: at most 2)\n",
	             few, few_us, rules, many, many_us, few / many);
	(void)printf("{\"places\":%zu,\"open\":%zu,\"core\":%.4f,\"step_us\":%.1f,\"rss_mb\":%.1f,\"calibration_ms\":%.2f,\"events_10\":%.0f,\"events_%zu\":%.0f}\n", places,
	             x.open, x.share, x.step_us, x.rss_mb, ms, few, rules, many);
	return 0;
}
