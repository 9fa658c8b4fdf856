/* Earlier days through the whole engine in virtual time: what is asked, what an explanation says, and that a takeover judges the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "engine/explain.h"
#include "sim/series.h"
#include "sim/sim.h"

#define START ((sw_ms)1790000000000 / SW_HOUR * SW_HOUR)
#define STEP  (15 * SW_SECOND)

static const char rules_text[] =
	"- name: slow\n"
	"  on: deploy-to-prod\n"
	"  if: regressed(http_latency_p95, by=20%, alpha=1%)\n"
	"  then: alert\n";
static const char *const oncall[] = { "oncall", NULL };

struct outside {
	size_t asked, points, bytes;  /* of the past */
	sw_ms from[16], to[16];
	double daily, today;
	const char *source;
};

/* Every day from START's time of day on by `daily`; on the day itself by `today`. */
static double latency(const struct outside *o, sw_ms at)
{
	sw_ms since = (at - START) % SW_DAY;
	double noise = exp(0.03 * sw_series_normal(7, (uint64_t)(at / STEP)));

	since = since < 0 ? since + SW_DAY : since;
	return 0.3 * noise * (since >= 20 * SW_MINUTE ? 1 : at >= START ? o->today : o->daily);
}

static sw_dur probe(void *arg, const char *place, const struct sw_io *io, sw_ms at, struct sw_samples *out)
{
	(void)place;
	for (size_t i = 0; i < io->n_queries; i++)
		sw_samples_add(out, sw_arena_strdup(out->a, io->queries[i].signal), at, SW_R_OK,
		               sw_streq(io->queries[i].signal, "requests") ? 600 : latency(arg, at));
	return io->n_queries ? 1 : -1;
}

static int past(void *arg, const char *place, const struct sw_io *io, sw_ms at, struct sw_arena *a, struct sw_past *ret, const char **why)
{
	struct outside *o = arg;

	(void)place, (void)at, (void)why;
	assert_true(o->asked < SW_COUNT(o->from));
	o->from[o->asked] = io->past->from;
	o->to[o->asked++] = io->past->to;
	*ret = (struct sw_past){ .from = io->past->from, .step = STEP, .n = (size_t)((io->past->to - io->past->from) / STEP + 1) };
	o->points += ret->n;
	ret->value = SW_ARENA_ARRAY(a, double, ret->n);
	for (size_t i = 0; i < ret->n; i++)
		ret->value[i] = latency(o, ret->from + (sw_dur)i * STEP);
	return 0;
}

/* The note of the last comparison that has one with this text in it; NULL: none has. */
static const char *explained(struct sim_world *w, const struct sw_engine *e, const char *text, struct sw_arena *a, struct sw_explanation *ret)
{
	const char *state = sw_sim_state(w, "place:web/prod"), *note = NULL, *id;
	struct sw_step_in in = { .aggregate = "place:web/prod", .now = w->now };
	struct sw_snapshot *snaps = SW_ARENA_ARRAY(a, struct sw_snapshot, 32);
	const char *const *keys, *const *rings;
	struct sw_jnode *node;
	struct sw_err err = SW_ERR_INIT;

	assert_int_equal(sw_jtree_parse(a, state, strlen(state), 65536, &node, NULL), 0);
	in.state = node;
	assert_non_null(sw_jget(node, "watches"));
	id = sw_jstr(sw_jget(node, "watches")->child, "id");
	keys = sw_explain_keys(e, &in, id, a, &rings);
	assert_non_null(keys);
	for (; keys[in.n_snaps]; in.n_snaps++)
		snaps[in.n_snaps] = (struct sw_snapshot){ keys[in.n_snaps], sw_sim_kept(w, keys[in.n_snaps]) };
	in.snaps = snaps;
	if (sw_engine_explain(e, &in, id, NULL, 0, a, ret, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < ret->n_rows; i++)
		for (size_t k = 0; k < ret->rows[i].j.n_saw; k++)
			if (ret->rows[i].j.saw[k].note && strstr(ret->rows[i].j.saw[k].note, text))
				note = ret->rows[i].j.saw[k].note;
	return note;
}

static void story(struct outside *o, const char *source, const char *verdict, const char *text, const char *want)
{
	static const char *repos[] = { "acme/**", NULL };
	struct sw_place place = { .service = "web", .environment = "prod", .tier = "prod", .repos = repos };
	struct sw_places places = { &place, 1 };
	struct sw_arena a = { 0 };
	struct sw_explanation x;
	struct sw_rules *rules;
	struct sim_world w;
	struct sw_engine e;
	struct sw_event ev;
	struct sw_diags d;
	struct sw_err err = SW_ERR_INIT;
	const char *said = NULL, *note;

	*(sw_streq(source, "scrape") ? &place.scrape : &place.prometheus) =
		(struct sw_measure_conf){ .url = "http://p/", .labels = "", .window = SW_MINUTE, .timeout = 10 * SW_SECOND, .background = SW_MINUTE };
	sw_diags_init(&d, &a);
	assert_int_equal(sw_rules_load_text("rules", rules_text, strlen(rules_text), NULL, &rules, &d), 0);
	sw_sim_engine(&e, rules, &places, oncall, &a);
	sw_sim_world_init(&w, &e, &a, START - SW_MINUTE);
	w.outside = (struct sim_outside){ .arg = o, .probe = probe, .past = past };
	assert_int_equal(sw_sim_run(&w, START, false, &err), 0);
	sw_event_init(&ev);
	ev.kind = SW_EV_DEPLOYMENT;
	ev.source = ev.source_kind = "gitlab";
	ev.repo = "acme/web";
	ev.environment = "prod";
	ev.sha = "a1a1a1a1";
	ev.deployment_id = "1";
	ev.status = SW_ST_SUCCESS;
	ev.at = ev.received = ev.finished_at = START;
	sw_sim_event(&w, &ev);
	assert_int_equal(sw_sim_run(&w, START + 6 * SW_MINUTE, false, &err), 0);
	for (size_t i = 0; i < w.n_log; i++)
		said = w.log[i].what == SIM_VERDICT ? w.log[i].verdict : said;
	assert_string_equal(said ? said : "none", verdict);
	note = explained(&w, &e, text, &a, &x);
	if (!note || !strstr(note, want))
		fail_msg("%s: %s, want %s", text, note ? note : "nothing", want);
	o->bytes = sw_sim_kept(&w, "past:web/prod:1:http_latency_p95:15") ? strlen(sw_sim_kept(&w, "past:web/prod:1:http_latency_p95:15")) : 0;
	sw_sim_world_fini(&w);
	sw_rules_put(rules);
	sw_arena_fini(&a);
}

static void test_every_day(void **state)
{
	struct outside o = { .daily = 1.3, .today = 1.3 };

	(void)state;
	story(&o, "prometheus", "pass", "as on other days", "on 7 earlier days at this time: +");
	/* one question of the past, and a small one a day: what docs/signals.md says it costs */
	assert_int_equal(o.asked, 8);
	assert_int_equal(o.to[0], START - STEP);
	for (int k = 1; k <= 7; k++) {
		assert_int_equal(o.from[k], START - 30 * SW_MINUTE - k * SW_DAY);
		assert_int_equal(o.to[k], START + 5 * SW_MINUTE + 30 * SW_SECOND - k * SW_DAY);
	}
	assert_int_equal(o.points, 5760 + 7 * 143);
}

static void test_worse(void **state)
{
	struct outside o = { .daily = 1.3, .today = 1.9 };

	(void)state;
	story(&o, "prometheus", "fail", "looks, tier A", "1.9");
	o = (struct outside){ .daily = 1, .today = 1.3 };
	story(&o, "prometheus", "fail", "looks, tier A", "1.3");
}

/* A source without a past of its own is not asked for days. */
static void test_scrape(void **state)
{
	struct outside o = { .daily = 1.3, .today = 1.3 };

	(void)state;
	story(&o, "scrape", "fail", "looks, tier A", "1.3");
	assert_int_equal(o.asked, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_every_day), cmocka_unit_test(test_worse), cmocka_unit_test(test_scrape) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
