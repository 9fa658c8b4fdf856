/* What waits for a channel, in virtual time: digests, holds, channels that cannot be used, and the limits of what is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "engine/channel.h"
#include "engine/flap.h"
#include "sim/sim.h"

#define START ((sw_ms)1790000000000)

/* A message that arrived. */
struct got {
	sw_ms at;
	char channel[16], delivery[64];
	int64_t total;               /* of a digest; 0: it is none */
	bool repeat, critical;
};

static struct {
	struct sim_world w;
	struct sw_engine e;
	struct sw_arena a;
	struct sw_engine_channel channels[4];
	struct got got[1000];
	size_t n_got;
	const char *answer;          /* of "oncall", instead of "ok" */
	sw_dur wait;
	int times;                   /* so often; -1: always */
	size_t tried, largest;       /* tries at "oncall"; bytes of its state */
} fix;

static const char *deliver(void *arg, const struct sw_io *io, sw_ms at, sw_dur *wait, const char **detail)
{
	struct sw_jnode *n;
	struct got *g;

	(void)arg;
	assert_int_equal(sw_jtree_parse(&fix.a, io->alert_json, strlen(io->alert_json), 100000, &n, NULL), 0);
	fix.tried += sw_streq(io->channel, "oncall");
	if (sw_streq(io->channel, "oncall") && fix.answer && fix.times) {
		fix.times -= fix.times > 0;
		*wait = fix.wait;
		*detail = "the robot says so";
		if (!sw_streq(fix.answer, "ambiguous"))
			return fix.answer;
	}
	assert_true(fix.n_got < SW_COUNT(fix.got));
	g = &fix.got[fix.n_got++];
	*g = (struct got){ .at = at - START, .total = sw_jint(sw_jget(n, "digest"), "total", 0), .repeat = io->repeat,
	                   .critical = sw_streq(sw_jstr(n, "severity"), "critical") };
	(void)snprintf(g->channel, sizeof g->channel, "%s", io->channel);
	(void)snprintf(g->delivery, sizeof g->delivery, "%s", sw_jstr(n, "delivery"));
	return *detail ? "ambiguous" : "ok";
}

static int setup(void **state)
{
	static const struct sw_places none = { 0 };

	(void)state;
	memset(&fix, 0, sizeof fix);
	fix.channels[0] = (struct sw_engine_channel){ .name = "oncall", .fallback = "release", .credential = "c1", .pace_count = 18, .pace_per = SW_MINUTE, .digest_above = 5 };
	fix.channels[1] = (struct sw_engine_channel){ .name = "release", .credential = "c2", .pace_count = 18, .pace_per = SW_MINUTE };
	fix.channels[2] = (struct sw_engine_channel){ .name = "hook", .credential = "c3", .program = true };
	fix.e = (struct sw_engine){ .places = &none, .channels = fix.channels, .n_channels = 3 };
	sw_sim_world_init(&fix.w, &fix.e, &fix.a, START);
	fix.w.outside.deliver = deliver;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sw_sim_world_fini(&fix.w);
	sw_arena_fini(&fix.a);
	return 0;
}

static void run(sw_dur until)
{
	struct sw_err err = SW_ERR_INIT;
	const char *s;

	for (sw_ms at = fix.w.now; at <= START + until; at += SW_SECOND) {
		if (sw_sim_run(&fix.w, at, false, &err) < 0)
			fail_msg("%s", err.text);
		s = sw_sim_state(&fix.w, "channel:oncall");
		fix.largest = SW_MAX(fix.largest, s ? strlen(s) : 0);
	}
}

static void news(const char *channel, unsigned n, const char *what, const char *severity, const char *service)
{
	sw_sim_append(&fix.w, sw_arena_printf(&fix.a, "alert:%012x", n),
	              sw_arena_printf(&fix.a, "{\"t\":\"news\",\"channels\":[\"%s\"],\"alert\":{\"id\":\"%012x\",\"delivery\":\"%012x-%s\",\"news\":\"%s\",\"severity\":\"%s\","
	                              "\"service\":\"%s\",\"environment\":\"prod\",\"rule\":\"r\",\"summary\":\"number %u\"}}", channel, n, n, what, what, severity, service, n));
}

/* Messages that arrived at a channel: alone, digests, and what digests tell of in all. */
static size_t arrived(const char *channel, size_t *digests, int64_t *told)
{
	size_t n = 0;

	*digests = 0;
	*told = 0;
	for (size_t i = 0; i < fix.n_got; i++) {
		if (!sw_streq(fix.got[i].channel, channel))
			continue;
		*digests += fix.got[i].total > 0;
		*told += fix.got[i].total;
		n += !fix.got[i].total;
	}
	return n;
}

static size_t times(const char *channel, const char *text)
{
	size_t n = 0;

	for (size_t i = 0; i < fix.n_got; i++)
		n += sw_streq(fix.got[i].channel, channel) && strstr(fix.got[i].delivery, text);
	return n;
}

/* Nobody waits for anything any more. */
static void settled(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const char *s = sw_sim_state(&fix.w, sw_arena_printf(&fix.a, "alert:%012x", i));

		if (!s || !strstr(s, "\"queue\":[]"))
			fail_msg("alert %u: %s", i, s ? s : "unknown");
	}
	if (sw_sim_state(&fix.w, "channel:oncall"))
		assert_non_null(strstr(sw_sim_state(&fix.w, "channel:oncall"), "\"total\":0"));
}

static void test_burst(void **state)
{
	size_t digests;
	int64_t told;

	(void)state;
	for (unsigned i = 0; i < 40; i++)
		news("oncall", i, "firing", "warning", i % 2 ? "web" : "pay");
	run(30 * SW_SECOND);
	assert_int_equal(arrived("oncall", &digests, &told), 5);
	news("oncall", 40, "firing", "critical", "web"); /* does not stand back */
	run(31 * SW_SECOND);
	assert_int_equal(arrived("oncall", &digests, &told), 6);
	assert_int_equal(digests, 0);
	run(3 * SW_MINUTE);
	assert_int_equal(arrived("oncall", &digests, &told), 6);
	assert_int_equal(digests, 1);
	assert_int_equal(told, 35);
	assert_int_equal(arrived("release", &digests, &told), 0);
	settled(41);
}

/* More that is critical than the robot has room for: as many as it bears alone, the others in digests that room is kept for. */
static void test_critical_burst(void **state)
{
	size_t digests;
	int64_t told;

	(void)state;
	fix.channels[0].fallback = NULL;
	for (unsigned i = 0; i < 60; i++) {
		news("oncall", i, "firing", "critical", "web");
		run(i * SW_SECOND / 6);
	}
	run(30 * SW_SECOND);
	assert_int_equal(arrived("oncall", &digests, &told), 15);
	assert_true(digests >= 1 && digests <= 3);
	assert_int_equal(told, 45);
	for (unsigned i = 60; i < 300; i++) { /* and it goes on: nobody waits for a minute */
		news("oncall", i, "firing", "critical", "web");
		run((i - 20) * SW_SECOND);
	}
	run(320 * SW_SECOND);
	assert_int_equal(arrived("oncall", &digests, &told) + told, 300);
	settled(300);
}

/* At most so many a minute go alone; one more is alone in its minute: it is no digest. */
static void test_one_alone(void **state)
{
	size_t digests;
	int64_t told;

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		news("oncall", i, "firing", "warning", "web");
	run(2 * SW_MINUTE);
	assert_int_equal(arrived("oncall", &digests, &told), 6);
	assert_int_equal(digests, 0);
	settled(6);
}

static void test_hold(void **state)
{
	size_t digests, first = 0, digest = 0;
	int64_t told;

	(void)state;
	fix.answer = "hold";
	fix.wait = 10 * SW_MINUTE;
	fix.times = 1;
	news("oncall", 0, "firing", "warning", "web");
	run(SW_SECOND);
	for (unsigned i = 1; i < 60; i++)
		news("oncall", i, "firing", i % 10 ? "warning" : "critical", "web");
	run(20 * SW_SECOND);
	assert_int_equal(arrived("oncall", &digests, &told), 0);
	assert_int_equal(arrived("release", &digests, &told), 5); /* what is critical, at once */
	run(9 * SW_MINUTE);
	news("oncall", 1, "resolved", "warning", "web");          /* behind what waits */
	run(15 * SW_MINUTE);
	assert_int_equal(arrived("oncall", &digests, &told), 5);
	assert_int_equal(digests, 1);
	assert_int_equal(told, 55 + 1);
	assert_int_equal(arrived("release", &digests, &told), 5); /* and once */
	for (size_t i = 0; i < fix.n_got; i++) {
		if (!sw_streq(fix.got[i].channel, "oncall"))
			continue;
		first += fix.got[i].critical && !digest;
		digest += fix.got[i].total > 0;
	}
	assert_int_equal(first, 5);
	settled(60);
}

/* Held for longer than a quarter of an hour: everything goes to the other channel, too. */
static void test_long_hold(void **state)
{
	size_t digests;
	int64_t told;

	(void)state;
	fix.answer = "hold";
	fix.wait = SW_DAY;
	fix.times = 1;
	news("oncall", 0, "firing", "warning", "web");
	run(SW_SECOND);
	news("oncall", 1, "firing", "warning", "web");
	run(SW_MINUTE);
	assert_int_equal(arrived("release", &digests, &told), 2);
	assert_int_equal(arrived("oncall", &digests, &told), 0);
}

static void test_many(void **state)
{
	size_t digests, named = 0;
	int64_t told;

	(void)state;
	fix.answer = "hold";
	fix.wait = 5 * SW_MINUTE;
	fix.times = 1;
	news("oncall", 0, "firing", "warning", "web");
	run(SW_SECOND);
	for (unsigned i = 1; i < 700; i++)
		news("oncall", i, "firing", "warning", sw_arena_printf(&fix.a, "service-with-a-\\\"long\\\"-name-for-a-service-%u", i % 50));
	run(4 * SW_MINUTE);
	for (unsigned i = 0; i < 700; i++)
		named += strstr(sw_sim_state(&fix.w, sw_arena_printf(&fix.a, "alert:%012x", i)), "\"parked\":true") != NULL;
	run(8 * SW_MINUTE);
	assert_int_equal(arrived("oncall", &digests, &told), 0);
	assert_int_equal(digests, 1);
	assert_int_equal(told, 700);
	assert_true(named > 150 && named < 400); /* the others are numbers already */
	assert_true(fix.largest <= CHANNEL_STATE_MAX);
	assert_true(fix.largest > 7000);
	settled(700);
}

static void test_down(void **state)
{
	size_t digests;
	int64_t told;

	(void)state;
	fix.answer = "config";
	fix.times = -1;
	news("oncall", 0, "firing", "warning", "web");
	run(SW_SECOND);
	for (unsigned i = 1; i < 10; i++)
		news("oncall", i, "firing", i == 9 ? "critical" : "warning", "web");
	run(9 * SW_MINUTE);
	assert_int_equal(fix.tried, 1); /* the others did not try */
	assert_int_equal(times("release", "channel_down"), 1);
	assert_int_equal(arrived("release", &digests, &told), 11);
	run(25 * SW_MINUTE);
	assert_int_equal(fix.tried, 3); /* one real message every 10 min */
	fix.answer = NULL;
	run(31 * SW_MINUTE);
	assert_int_equal(fix.tried, 5);
	assert_int_equal(times("oncall", "000000000000-firing"), 1); /* the oldest */
	assert_int_equal(arrived("oncall", &digests, &told), 1);
	assert_int_equal(digests, 1);
	assert_int_equal(told, 9);
	assert_int_equal(times("release", "channel_up"), 1);
	assert_int_equal(times("release", "channel_down"), 1);
	assert_int_equal(arrived("release", &digests, &told), 12);
	settled(10);
	news("oncall", 11, "firing", "warning", "web"); /* as before */
	run(32 * SW_MINUTE);
	assert_int_equal(times("oncall", "00000000000b-firing"), 1);
	assert_int_equal(arrived("release", &digests, &told), 12);
}

/* What programs read is never merged: after a time without it they get each. */
static void test_down_program(void **state)
{
	size_t digests;
	int64_t told;

	(void)state;
	fix.channels[0] = (struct sw_engine_channel){ .name = "oncall", .fallback = "release", .credential = "c1", .digest_above = 5 };
	fix.answer = "config";
	fix.times = 1;
	for (unsigned i = 0; i < 120; i++)
		news("oncall", i, "firing", "warning", "web");
	run(12 * SW_MINUTE);
	assert_int_equal(arrived("oncall", &digests, &told), 120);
	assert_int_equal(digests, 0);
	settled(120);
}

/* Without another channel: a dead letter each after an hour, and nothing in between. */
static void test_down_alone(void **state)
{
	(void)state;
	fix.channels[0].fallback = NULL;
	fix.answer = "config";
	fix.times = -1;
	for (unsigned i = 0; i < 3; i++)
		news("oncall", i, "firing", "warning", "web");
	run(59 * SW_MINUTE);
	assert_non_null(strstr(sw_sim_state(&fix.w, "channel:oncall"), "\"total\":3"));
	run(62 * SW_MINUTE);
	settled(3);
	assert_int_equal(fix.n_got, 0);
	assert_int_equal(fix.w.dead, 3);
}

static void test_digest_repeat(void **state)
{
	size_t digests;
	int64_t told;

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		news("oncall", i, "firing", "warning", "web");
	run(50 * SW_SECOND);
	fix.answer = "ambiguous"; /* it arrived, and nobody knows */
	fix.times = 1;
	run(2 * SW_MINUTE);
	assert_int_equal(arrived("oncall", &digests, &told), 5);
	assert_int_equal(digests, 2);
	assert_int_equal(told, 30);
	assert_false(fix.got[5].repeat);
	assert_true(fix.got[6].repeat);
	assert_string_equal(fix.got[5].delivery, fix.got[6].delivery);
	settled(20);
}

/* A digest that is refused for good goes to the other channel, whole, and to the dead letters. */
static void test_digest_dead(void **state)
{
	size_t digests;
	int64_t told;

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		news("oncall", i, "firing", "warning", "web");
	run(50 * SW_SECOND);
	fix.answer = "message";
	fix.times = 1;
	run(2 * SW_MINUTE);
	assert_int_equal(arrived("oncall", &digests, &told), 5);
	assert_int_equal(digests, 0);
	assert_int_equal(arrived("release", &digests, &told), 0);
	assert_int_equal(digests, 1);
	assert_int_equal(told, 15);
	assert_int_equal(fix.w.dead, 1);
	settled(20);
	/* and a person sends it again */
	sw_sim_append(&fix.w, "channel:oncall", "{\"t\":\"again\",\"dead\":{\"channel\":\"oncall\",\"alert\":{\"id\":\"digest-oncall-1\",\"news\":\"digest\",\"severity\":\"warning\","
	              "\"digest\":{\"total\":15,\"counts\":[{\"service\":\"web\",\"n\":15}]}}}}");
	run(4 * SW_MINUTE);
	assert_int_equal(arrived("oncall", &digests, &told), 5);
	assert_int_equal(told, 15);
}

/* Two that are refused in one step are two dead letters: a commit takes one, the other follows. */
static void test_two_dead(void **state)
{
	static const char *const texts[] = { "{\"t\":\"sent\",\"ch\":\"release\",\"n\":1,\"class\":\"message\"}", "{\"t\":\"sent\",\"ch\":\"hook\",\"n\":2,\"class\":\"message\"}",
	                                     "{\"t\":\"send\"}" };
	const char *was = "{\"seq\":2,\"told\":[{\"delivery\":\"x-firing\",\"news\":\"firing\",\"alert\":{\"news\":\"firing\"}}],\"queue\":["
			  "{\"delivery\":\"x-firing\",\"channel\":\"release\",\"seq\":1,\"sending\":true,\"due\":9000000000000},"
			  "{\"delivery\":\"x-firing\",\"channel\":\"hook\",\"seq\":2,\"sending\":true,\"due\":9000000000000}]}";
	struct sw_step *out = SW_ARENA_NEW(&fix.a, struct sw_step);
	const struct sw_jnode *msgs[2];
	struct sw_jnode *n;
	struct sw_err err = SW_ERR_INIT;

	(void)state;
	for (int k = 0; k < 2; k++) {
		struct sw_step_in in = { .aggregate = "alert:x", .msgs = msgs, .n_msgs = k ? 1 : 2, .now = START };

		for (size_t i = 0; i < in.n_msgs; i++) {
			assert_int_equal(sw_jtree_parse(&fix.a, texts[k ? 2 : i], strlen(texts[k ? 2 : i]), 100, &n, NULL), 0);
			msgs[i] = n;
		}
		assert_int_equal(sw_jtree_parse(&fix.a, was, strlen(was), 1000, &n, NULL), 0);
		in.state = n;
		assert_int_equal(sw_engine_step(&fix.e, &in, &fix.a, out, &err), 0);
		assert_int_equal(out->n_needs, 0);
		assert_non_null(strstr(out->dead_reason, k ? "channel hook: refused" : "channel release: refused"));
		assert_int_equal(out->n_tells, k ? 0 : 1); /* to itself: there is more to do */
		was = sw_arena_strdup(&fix.a, out->state);
	}
	assert_non_null(strstr(was, "\"queue\":[]"));
}

/* ---- the calls of a month ---- */

static void test_quota(void **state)
{
	size_t digests;
	int64_t told;

	(void)state;
	fix.channels[0].quota = 200;
	for (unsigned i = 0; i < 230; i++) {
		news("oncall", i, "firing", "warning", "web");
		run((i + 1) * 20 * SW_SECOND);
		if (times("release", "-quota") == 0)
			assert_true(arrived("oncall", &digests, &told) < 160);
		else if (times("release", "-quota") == 1)
			assert_true(arrived("oncall", &digests, &told) < 192); /* the warning is one of them */
	}
	assert_int_equal(times("release", "-quota"), 2);
	assert_int_equal(times("oncall", "-quota"), 2);
	assert_non_null(strstr(sw_sim_state(&fix.w, "channel:oncall"), "\"warned\":95"));
	fix.w.now = START + 31 * SW_DAY; /* the next month begins anew */
	news("oncall", 300, "firing", "warning", "web");
	run(31 * SW_DAY + SW_MINUTE);
	news("oncall", 301, "firing", "warning", "web");
	run(31 * SW_DAY + 2 * SW_MINUTE);
	assert_non_null(strstr(sw_sim_state(&fix.w, "channel:oncall"), "\"calls\":2,"));
	assert_non_null(strstr(sw_sim_state(&fix.w, "channel:oncall"), "\"warned\":0"));
}

/* ---- what flaps ---- */

static void change(unsigned n, const char *what, const char *severity)
{
	sw_sim_append(&fix.w, sw_arena_printf(&fix.a, "alert:%012x", n),
	              sw_arena_printf(&fix.a, "{\"t\":\"news\",\"channels\":[\"release\",\"hook\"],\"alert\":{\"id\":\"%012x\",\"delivery\":\"%012x-%s\",\"news\":\"%s\",\"severity\":\"%s\","
	                              "\"service\":\"web\",\"environment\":\"prod\",\"rule\":\"slow\",\"watch_id\":\"w%u\"}}", n, n, what, what, severity, n));
}

static void test_flapping(void **state)
{
	size_t digests;
	int64_t told;
	sw_dur at = 0;

	(void)state;
	for (unsigned i = 0; i < 8; i++, at += 4 * SW_MINUTE) { /* i: an alert each, fires and is resolved 2 min later */
		change(i, "firing", "warning");
		run(at + 2 * SW_MINUTE);
		change(i, "resolved", "warning");
		run(at + 4 * SW_MINUTE);
		/* two times both are told, then once that it flaps, then nothing */
		assert_int_equal(arrived("release", &digests, &told), i < 2 ? 2 * (i + 1) : 5);
	}
	assert_int_equal(times("release", "-flapping"), 1);
	change(20, "firing", "critical"); /* is told all the same */
	run(at + SW_SECOND);
	assert_int_equal(times("release", "000000000014-firing"), 1);
	run(at + 27 * SW_MINUTE);
	assert_int_equal(arrived("hook", &digests, &told), 17); /* a program gets each */
	run(at + 30 * SW_MINUTE);
	assert_int_equal(times("release", "-steady_resolved"), 1);
	change(30, "firing", "warning"); /* as if nothing had been */
	run(at + 31 * SW_MINUTE);
	assert_int_equal(times("release", "00000000001e-firing"), 1);
	settled(8);
}

/* The same changes, each half an hour and more behind the fourth before it: nothing is held down. */
static void test_slow_changes(void **state)
{
	size_t digests;
	int64_t told;

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		change(i / 2, i % 2 ? "resolved" : "firing", "warning");
		run((i + 1) * (FLAP_WITHIN / FLAP_CHANGES));
	}
	assert_int_equal(arrived("release", &digests, &told), 10);
}

/* ---- several rules, one message ---- */

static sw_dur failing(void *arg, const char *place, const struct sw_io *io, sw_ms at, struct sw_samples *out)
{
	(void)arg, (void)place, (void)io;
	sw_samples_add(out, "health", at, SW_R_OK, at < START + SW_MINUTE || at > START + 4 * SW_MINUTE);
	return 1;
}

/* Two rules see it at the same look, a third one a little later; what of it people are told. */
static size_t told_by(int pace, const char *severity, char *rules, size_t size)
{
	static const char *repos[] = { "acme/**", NULL };
	static const char *const oncall[] = { "oncall", NULL };
	struct sw_place place = { .service = "web", .environment = "prod", .tier = "prod", .repos = repos,
	                          .health = { .url = "http://web/health", .every = 5 * SW_SECOND, .timeout = SW_SECOND, .background = SW_MINUTE } };
	struct sw_places places = { &place, 1 };
	struct sw_err err = SW_ERR_INIT;
	struct sw_arena a = { 0 };
	struct sw_rules *rs;
	struct sim_world w;
	struct sw_engine e;
	struct sw_event ev;
	struct sw_diags d;
	const char *text = sw_arena_printf(&a, "- {name: one, on: deploy-to-prod, if: health is failing for 3 checks, severity: %s, then: alert}\n"
	                                   "- {name: two, on: deploy-to-prod, if: health is failing for 3 checks, then: alert}\n"
	                                   "- {name: three, on: deploy-to-prod, if: health is failing for 9 checks, then: alert}\n", severity);
	size_t n = 0;

	sw_diags_init(&d, &a);
	assert_int_equal(sw_rules_load_text("rules", text, strlen(text), NULL, &rs, &d), 0);
	sw_sim_engine(&e, rs, &places, oncall, &a);
	((struct sw_engine_channel *)(uintptr_t)e.channels)[0].pace_count = pace;
	((struct sw_engine_channel *)(uintptr_t)e.channels)[0].pace_per = SW_MINUTE;
	((struct sw_engine_channel *)(uintptr_t)e.channels)[0].digest_above = 5;
	sw_sim_world_init(&w, &e, &a, START);
	w.outside.probe = failing;
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
	*rules = '\0';
	for (size_t i = 0; i < w.n_log; i++)
		if (w.log[i].what == SIM_ALERT) {
			n++;
			(void)snprintf(rules + strlen(rules), size - strlen(rules), "%s %s; ", w.log[i].news, w.log[i].rule);
		}
	sw_sim_world_fini(&w);
	sw_rules_put(rs);
	sw_arena_fini(&a);
	return n;
}

static void test_grouped(void **state)
{
	char rules[300];

	(void)state;
	(void)told_by(18, "warning", rules, sizeof rules);
	assert_string_equal(rules, "firing one, two; firing three; resolved one, two, three; ");
	(void)told_by(18, "critical", rules, sizeof rules); /* alone, and the others with each other */
	assert_string_equal(rules, "firing one; firing two; firing three; resolved one; resolved two, three; ");
	(void)told_by(0, "warning", rules, sizeof rules);   /* a program gets each */
	assert_string_equal(rules, "firing one; firing two; firing three; resolved one; resolved two; resolved three; ");
}

/* ---- limits ---- */

static struct waiter waiter(unsigned n, const char *service)
{
	return (struct waiter){ .alert = sw_arena_printf(&fix.a, "%012x", n), .delivery = sw_arena_printf(&fix.a, "%012x-rollback_ineffective-%012x", n, n),
	                        .service = service, .environment = service, .what = service, .severity = SW_SEV_CRITICAL, .news = SW_NEWS_ROLLBACK_INEFFECTIVE, .at = START + n };
}

static void test_limits(void **state)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT, text = SW_BUF_INIT;
	struct waiting w, again;
	struct sw_jnode *n;
	struct sw_jw jw;
	bool counted = false;
	unsigned i = 0;
	int64_t sum = 0;

	(void)state;
	sw_waiting_load(NULL, &fix.a, &w);
	for (; !counted; i++) {
		struct waiter x = waiter(i, sw_arena_printf(&fix.a, "%u\001\"\\ a name that is far longer than anybody would like 服务服务服务服务服务服务服务服务服务服务服务服务服务服务服务服务服务服务服务", i));

		assert_true(w.n_members <= CHANNEL_MEMBERS && w.members_bytes <= CHANNEL_MEMBERS_BYTES);
		assert_true(sw_waiting_add(&w, &x, START, &fix.a, &counted));
		if (!counted)
			assert_false(sw_waiting_add(&w, &x, START, &fix.a, &counted)); /* told twice */
	}
	assert_true(i > 100);
	assert_int_equal(w.n_members, i - 1);
	assert_int_equal(w.counted, 1);
	assert_int_equal(w.sum.total, i);
	assert_int_equal(w.sum.n_lines, CHANNEL_LINES);
	assert_int_equal(w.sum.lines[0].at, START + i - 1); /* the newest first */
	assert_true(w.sum.n_counts <= CHANNEL_COUNTS);
	for (size_t k = 0; k < w.sum.n_counts; k++)
		sum += w.sum.counts[k].n;
	assert_int_equal(sum, i);
	sw_jw_init(&jw, &b);
	sw_jw_obj(&jw, NULL);
	sw_waiting_save(&w, &jw, "waiting");
	sw_jw_obj_end(&jw);
	assert_true(b.n < CHANNEL_STATE_MAX - 800); /* why it cannot be used, and the digest under way */
	assert_int_equal(sw_jtree_parse(&fix.a, sw_buf_str(&b), b.n, 10000, &n, NULL), 0);
	sw_waiting_load(sw_jget(n, "waiting"), &fix.a, &again);
	assert_int_equal(again.sum.total, w.sum.total);
	assert_int_equal(again.members_bytes, w.members_bytes);
	assert_int_equal(again.n_members, w.n_members);
	/* As a message, whatever room there is. */
	for (size_t max = 20; max < 8000; max += 67) {
		struct sw_alert al = { .news = SW_NEWS_DIGEST, .severity = SW_SEV_CRITICAL, .digest = &w.sum };

		for (int m = 0; m < SW_MARKUP_COUNT; m++) {
			sw_buf_reset(&text);
			sw_alert_text(&al, (enum sw_markup)m, max, &text);
			assert_true(text.n <= max);
		}
	}
	/* One by one they go. */
	for (unsigned k = 0; k < 5; k++) {
		struct waiter x = waiter(k, sw_arena_printf(&fix.a, "%u\001\"\\ a name that is far longer than anybody would like 服务服务服务服务服务服务服务服务服务服务服务服务服务服务服务服务服务服务服务", k));

		sw_waiting_gone(&w, &x, &fix.a);
		sw_waiting_gone(&w, &x, &fix.a);
	}
	assert_int_equal(w.sum.total, i - 5);
}

static void test_text(void **state)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_alert al = { .news = SW_NEWS_DIGEST, .severity = SW_SEV_WARNING };
	struct waiting w;
	bool counted;

	(void)state;
	sw_waiting_load(NULL, &fix.a, &w);
	for (unsigned i = 0; i < 30; i++) {
		struct waiter x = { .alert = sw_arena_printf(&fix.a, "%012x", i), .delivery = sw_arena_printf(&fix.a, "%012x-firing", i), .service = i % 3 ? "web" : "pay",
			            .environment = "prod", .what = "health is failing @all", .severity = i == 7 ? SW_SEV_CRITICAL : SW_SEV_WARNING,
			            .news = i % 5 ? SW_NEWS_FIRING : SW_NEWS_RESOLVED, .at = START + i * SW_SECOND };

		(void)sw_waiting_add(&w, &x, START, &fix.a, &counted);
	}
	al.digest = &w.sum;
	sw_alert_text(&al, SW_MARKUP_PLAIN, 16384, &b);
	assert_non_null(strstr(b.p, "[warning] 30 messages waited, since "));
	assert_non_null(strstr(b.p, "web/prod: critical firing 1, warning firing 15, warning resolved 4"));
	assert_non_null(strstr(b.p, "pay/prod: warning resolved 2, warning firing 8"));
	assert_non_null(strstr(b.p, "not listed: pay/prod 7, web/prod 11"));
	assert_non_null(strstr(b.p, "[critical] web/prod: firing, health is failing ＠all"));
	assert_true(strstr(b.p, "[critical] web/prod") < strstr(b.p, "- ") + 16); /* critical ones first */
	sw_buf_reset(&b);
	sw_alert_text(&al, SW_MARKUP_PLAIN, 500, &b);
	assert_true(b.n <= 500);
	assert_non_null(strstr(b.p, "not listed: "));
	assert_null(strstr(b.p, "more"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_burst), T(test_critical_burst), T(test_one_alone), T(test_hold), T(test_long_hold), T(test_many), T(test_down), T(test_down_program), T(test_down_alone),
		T(test_digest_repeat), T(test_digest_dead), T(test_two_dead), T(test_quota), T(test_grouped), T(test_flapping), T(test_slow_changes),
		T(test_limits), T(test_text),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
