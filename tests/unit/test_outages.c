/*
 * What is not known takes nothing back: random patterns of outages around healthy values, through the whole engine in virtual time.
 * Every pattern follows from its number; a number that fails can be run alone: test_outages FIRST COUNT.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "rules/rules.h"
#include "sim/series.h"
#include "sim/sim.h"

#define START ((sw_ms)1790000000000)
#define STEP  (2 * SW_MINUTE)

static const char rules_text[] =
	"- {name: a, on: deploy-to-prod, where: service == \"a\", watch: {for: 10m, every: 2m}, if: health is failing for 3 checks, then: rollback}\n"
	"- {name: b, on: deploy-to-prod, where: service == \"b\", watch: {for: 10m, every: 2m}, if: http_latency_p95 > 1500ms, then: rollback}\n"
	"- name: c\n"
	"  on: deploy-to-prod\n"
	"  where: service == \"c\"\n"
	"  watch: {for: 10m, every: 2m}\n"
	"  if: 'http_latency_p95 > baseline +50% for 2 checks or error_rate > 5% for 2 of 4 checks'\n"
	"  then: rollback\n"
	"- name: d\n"
	"  on: deploy-to-prod\n"
	"  where: service == \"d\"\n"
	"  watch: {for: 20m, every: 2m}\n"
	"  if: 'regressed(http_latency_p95, by=20%, alpha=1%)'\n"
	"  then: rollback\n"
	"- name: e\n"
	"  on: deploy-to-prod\n"
	"  where: service == \"e\"\n"
	"  watch: {for: 10m, every: 2m}\n"
	"  if: '(not (error_rate < 2%)) for 3 checks and requests(5m) >= 10'\n"
	"  then: rollback\n"
	"  no_data: pass\n";

static const char *const services[] = { "a", "b", "c", "d", "e" };
static const char *const oncall[] = { "oncall", NULL };

static struct sw_rules *rules;
static size_t first = 0, count = 1000;

/* How one pattern goes wrong. */
struct pattern {
	uint64_t seed;
	double begin, end;      /* chance that an outage begins, and ends, at each step */
	unsigned kinds;         /* bit: this kind happens */
	size_t past_holes;      /* of 100 points of the past so many are missing */
	int past;               /* 0: known; 1: not at first; 2: never */
};

enum { P_ERROR, P_NAN, P_STALE, P_ABSENT, P_SILENCE, P_TOO_FEW, P_KINDS };

static struct pattern pattern_make(size_t number)
{
	struct pattern p = { .seed = sw_series_seed(number, "pattern") };

	p.begin = sw_series_uniform(p.seed, 1) * sw_series_uniform(p.seed, 2);
	p.end = sw_series_uniform(p.seed, 3);
	p.kinds = 1u + (unsigned)(sw_series_uniform(p.seed, 4) * ((1u << P_KINDS) - 1));
	p.past_holes = (size_t)(sw_series_uniform(p.seed, 5) * sw_series_uniform(p.seed, 6) * 101);
	p.past = (int)(sw_series_uniform(p.seed, 7) * 3);
	return p;
}

/* The kind of outage of a signal at a moment, or -1: the chain from the start, a step each. */
static int pattern_at(const struct pattern *p, const char *signal, sw_ms at)
{
	uint64_t seed = sw_series_seed(p->seed, signal);
	int kind = -1;

	for (sw_ms t = START; t <= at; t += STEP) {
		uint64_t i = 3 * (uint64_t)((t - START) / STEP);

		if (kind >= 0 && sw_series_uniform(seed, i) < p->end)
			kind = -1;
		else if (kind < 0 && sw_series_uniform(seed, i) < p->begin)
			for (kind = (int)(sw_series_uniform(seed, i + 1) * P_KINDS); !(p->kinds & (1u << kind));)
				kind = (kind + 1) % P_KINDS;
	}
	return kind;
}

static double healthy(const struct pattern *p, const char *signal, sw_ms at)
{
	double z = sw_series_normal(sw_series_seed(p->seed, signal), 1000000 + (uint64_t)((at - START) / SW_SECOND));
	double noise = exp(0.02 * SW_MAX(-3.0, SW_MIN(3.0, z)));

	if (sw_streq(signal, "http_latency_p95"))
		return 0.3 * noise;
	if (sw_streq(signal, "error_rate"))
		return 0.002 * noise;
	if (sw_streq(signal, "requests"))
		return floor(600 * noise);
	return 1;
}

static bool answer_one(const struct pattern *p, const char *signal, sw_ms at, struct sw_samples *out)
{
	static const enum sw_reading readings[] = { SW_R_ERROR, SW_R_NAN, SW_R_STALE, SW_R_ABSENT, SW_R_OK, SW_R_TOO_FEW };
	int kind = pattern_at(p, signal, at);
	struct sw_sample *s;

	if (kind == P_SILENCE)
		return false;
	s = sw_samples_add(out, sw_arena_strdup(out->a, signal), at, kind < 0 ? SW_R_OK : readings[kind], kind < 0 ? healthy(p, signal, at) : 0);
	if (kind < 0 && sw_streq(signal, "error_rate"))
		s->count = 600;
	return true;
}

static sw_dur probe(void *arg, const char *place, const struct sw_io *io, sw_ms at, struct sw_samples *out)
{
	bool any = io->n_queries == 0 && answer_one(arg, io->source, at, out);

	(void)place;
	for (size_t i = 0; i < io->n_queries; i++)
		any |= answer_one(arg, io->queries[i].signal, at, out);
	return any ? 1 : -1;
}

static int past(void *arg, const char *place, const struct sw_io *io, sw_ms at, struct sw_arena *a, struct sw_past *ret, const char **why)
{
	const struct pattern *p = arg;
	sw_dur step = io->n_queries ? io->queries[0].step : STEP;

	(void)place;
	*why = "an outage";
	if (p->past == 2 || (p->past == 1 && at < START + 3 * STEP))
		return p->past == 2 && p->seed % 2 ? -ENOENT : -EIO;
	*ret = (struct sw_past){ .from = io->past->from, .step = step, .n = (size_t)SW_MIN((io->past->to - io->past->from) / step + 1, 400) };
	ret->from = io->past->to - (sw_dur)(ret->n - 1) * step;
	ret->value = SW_ARENA_ARRAY(a, double, ret->n);
	for (size_t i = 0; i < ret->n; i++)
		ret->value[i] = sw_series_uniform(p->seed, 50000 + i) * 100 < (double)p->past_holes ? NAN : healthy(p, io->n_queries ? io->queries[0].signal : "health", ret->from + (sw_dur)i * step);
	return 0;
}

static struct sw_place place_make(const char *service)
{
	static const char *repos[] = { "acme/**", NULL };

	return (struct sw_place){
		.service = service, .environment = "prod", .tier = "prod", .repos = repos, .rollback = "rollback", .rollbacks_30m = 1, .rollbacks_24h = 3,
		.health = { .url = sw_streq(service, "a") ? "http://h/" : NULL, .every = STEP, .timeout = SW_SECOND, .background = SW_HOUR, .status_min = 200,
		            .status_max = 299 },
		.prometheus = { .url = "http://p/", .labels = "", .window = SW_MINUTE, .timeout = 10 * SW_SECOND },
	};
}

/* Return: the watch has its verdict. */
static bool over(const struct sim_world *w)
{
	for (size_t i = 0; i < w->n_log; i++)
		if (w->log[i].what == SIM_VERDICT)
			return true;
	return false;
}

static uint64_t steps, verdicts[3];

static void pattern_run(size_t number)
{
	struct pattern p = pattern_make(number);
	struct sw_arena a = { 0 };
	struct sw_place place = place_make(services[number % SW_COUNT(services)]);
	struct sw_places places = { &place, 1 };
	struct sw_engine e;
	struct sim_world w;
	struct sw_event ev;
	struct sw_err err = SW_ERR_INIT;

	sw_sim_engine(&e, rules, &places, oncall, &a);
	sw_sim_world_init(&w, &e, &a, START);
	w.outside = (struct sim_outside){ .arg = &p, .probe = probe, .past = past };
	sw_event_init(&ev);
	ev.kind = SW_EV_DEPLOYMENT;
	ev.source = ev.source_kind = "gitlab";
	ev.repo = sw_arena_printf(&a, "acme/%s", place.service);
	ev.environment = "prod";
	ev.sha = "a1a1a1a1";
	ev.deployment_id = "1";
	ev.status = SW_ST_SUCCESS;
	ev.at = ev.received = ev.finished_at = START;
	sw_sim_event(&w, &ev);
	for (sw_ms t = START; t < START + 45 * SW_MINUTE && !over(&w); t += 2 * SW_MINUTE)
		if (sw_sim_run(&w, t, false, &err) < 0)
			fail_msg("pattern %zu: %s", number, err.text);
	for (size_t i = 0; i < w.n_log; i++) {
		if (w.log[i].what == SIM_ACTION || sw_streq(w.log[i].verdict, "fail"))
			fail_msg("pattern %zu: service %s: %s after %lld s", number, place.service,
			         w.log[i].what == SIM_ACTION ? "a rollback" : "a verdict fail", (long long)(w.log[i].at / 1000));
		if (w.log[i].what == SIM_VERDICT)
			verdicts[sw_streq(w.log[i].verdict, "pass") ? 0 : 1]++;
	}
	verdicts[2] += !over(&w);
	steps += w.steps;
	sw_sim_world_fini(&w);
	sw_arena_fini(&a);
}

static void test_no_outage_takes_anything_back(void **state)
{
	(void)state;
	for (size_t i = first; i < first + count; i++)
		pattern_run(i);
	print_message("%zu patterns, %llu steps: %llu pass, %llu inconclusive\n", count, (unsigned long long)steps, (unsigned long long)verdicts[0],
	              (unsigned long long)verdicts[1]);
	assert_int_equal(verdicts[2], 0);
	if (count >= 500) { /* the patterns are neither all well nor all broken */
		assert_true(verdicts[0] > count / 10);
		assert_true(verdicts[1] > count / 10);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_no_outage_takes_anything_back) };
	struct sw_arena a = { 0 };
	struct sw_diags d;
	int r;

	if (argc == 3) {
		first = strtoul(argv[1], NULL, 10);
		count = strtoul(argv[2], NULL, 10);
	}
	sw_diags_init(&d, &a);
	if (sw_rules_load_text("outages", rules_text, strlen(rules_text), NULL, &rules, &d) < 0) {
		(void)fprintf(stderr, "%s\n", d.first ? d.first->text : "?");
		return 1;
	}
	r = cmocka_run_group_tests(tests, NULL, NULL);
	rules = sw_rules_put(rules);
	sw_arena_fini(&a);
	return r;
}
