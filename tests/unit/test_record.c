/* Records for the history: whole stories through the engine in virtual time, and what stands in the journal of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "engine/record.h"
#include "engine/silences.h"
#include "engine/step.h"
#include "sim/sim.h"

#define START ((sw_ms)1790000000000)

static const char rules_text[] =
	"- name: errors\n"
	"  on: deploy-to-prod\n"
	"  watch: 3m\n"
	"  if: error_rate > 5% for 3 checks\n"
	"  severity: critical\n"
	"  repeat: 10m\n"
	"  then: [alert, rollback]\n";

static struct {
	struct sw_arena a;
	struct sw_rules *rules;
	struct sw_engine e;
	struct sim_world w;
	struct sw_buf told;         /* a line a record */
	struct sw_buf fact;         /* as it stands in the line of its step */
	struct sw_map last;         /* "dep <id>" → its last record */
	size_t steps, lines, quiet; /* lines of the journal, those without records */
	double errors;
	const char *answer;         /* of the robot, for so many times */
	sw_dur wait;
	int times;
} fix;

static const char *text(const struct sw_jnode *n, const char *key) { return sw_jstr(n, key) ? sw_jstr(n, key) : "-"; }

/* What identifies the thing, and the line that stands for it in a story. */
static const char *record_line(const char *k, const struct sw_jnode *d, const char *agg, const char **ret_key)
{
	struct sw_arena *a = &fix.a;
	const char *delivery = text(d, "delivery"), *dash = strchr(delivery, '-');

	dash = dash ? dash + 1 : delivery;
	if (sw_streq(k, "dep")) {
		*ret_key = sw_arena_printf(a, "dep %s", text(d, "id"));
		return sw_arena_printf(a, "dep %s %s%s%s", text(sw_jget(d, "ev"), "sha"), text(d, "status"), sw_jint(d, "good", -1) == 1 ? " good" : sw_jint(d, "good", -1) == 0 ? " bad" : "",
		                       sw_jbool(d, "is_rollback", false) ? " rollback" : "");
	}
	if (sw_streq(k, "watch")) {
		*ret_key = sw_arena_printf(a, "watch %s", text(d, "id"));
		assert_null(sw_jget(d, "holds"));
		return sw_arena_printf(a, "watch %s %s %s%s", text(d, "rule"), text(d, "state"), text(d, "verdict"), sw_jbool(d, "fired", false) ? " fired" : "");
	}
	if (sw_streq(k, "act")) {
		*ret_key = sw_arena_printf(a, "act %s", text(d, "id"));
		return sw_arena_printf(a, "act %s %s", text(d, "action"), text(d, "state"));
	}
	*ret_key = sw_arena_printf(a, "%s %s %s %s", k, agg, delivery, text(d, "channel"));
	if (sw_streq(k, "told"))
		return sw_arena_printf(a, "told %s %s", text(d, "news"), sw_streq(text(sw_jget(d, "alert"), "delivery"), delivery) ? dash : "of another");
	if (sw_streq(k, "way"))
		return sw_arena_printf(a, "way %s %s %s tries=%lld%s%s%s", dash, text(d, "channel"), text(d, "state"), (long long)sw_jint(d, "tries", 0),
		                       sw_jbool(d, "fallback", false) ? " fallback" : "", sw_jstr(d, "why") ? ": " : "", sw_jstr(d, "why") ? sw_jstr(d, "why") : "");
	if (sw_streq(k, "try"))
		return sw_arena_printf(a, "try %s %s %s%s%s", dash, text(d, "channel"), text(d, "class"), sw_jstr(d, "detail") ? ": " : "", sw_jstr(d, "detail") ? sw_jstr(d, "detail") : "");
	if (sw_streq(k, "ack"))
		return sw_arena_printf(a, "ack %s", text(d, "who"));
	if (sw_streq(k, "sil"))
		return sw_arena_printf(a, "sil %s %s", text(d, "id"), sw_jint(d, "until", 0) > fix.w.now ? "open" : "ended");
	assert_string_equal(k, "chan");
	return sw_arena_printf(a, "chan %s %s%s%s", text(d, "name"), text(d, "state"), sw_jstr(d, "why") ? ": " : "", sw_jstr(d, "why") ? sw_jstr(d, "why") : "");
}

static void journal(void *arg, const char *line)
{
	struct sw_jnode *n;
	const struct sw_jnode *recs;

	(void)arg;
	assert_non_null(line);
	assert_int_equal(sw_jtree_parse(&fix.a, line, strlen(line), 100000, &n, NULL), 0);
	recs = sw_jget(n, "recs");
	fix.lines++;
	fix.quiet += !recs;
	assert_true(!recs || recs->n); /* none: left out */
	for (const struct sw_jnode *m = sw_jget(n, "in")->child; m; m = m->next)
		if (sw_jstr(sw_jget(m, "ev"), "event_id")) {
			struct sw_jw w;

			sw_buf_reset(&fix.fact);
			sw_jw_init(&w, &fix.fact);
			sw_jw_node(&w, NULL, m);
		}
	for (const struct sw_jnode *x = recs ? recs->child : NULL; x; x = x->next) {
		const char *key, *what = record_line(sw_jstr(x, "k"), sw_jget(x, "d"), sw_jstr(n, "agg"), &key);
		struct sw_buf b = SW_BUF_INIT;
		struct sw_jw w;
		char *was;

		sw_buf_printf(&fix.told, "%s\n", what);
		sw_jw_init(&w, &b);
		sw_jw_node(&w, NULL, sw_jget(x, "d"));
		was = sw_map_set(&fix.last, key, sw_strdup(sw_buf_str(&b)));
		if (was && (sw_starts(key, "dep ") || sw_starts(key, "act ")) && strcmp(was, sw_buf_str(&b)) == 0)
			fail_msg("nothing changed: %s", what);
		free(was);
		sw_buf_fini(&b);
	}
}

static sw_dur probe(void *arg, const char *place, const struct sw_io *io, sw_ms at, struct sw_samples *out)
{
	(void)arg, (void)place;
	for (size_t i = 0; i < io->n_queries; i++)
		sw_samples_add(out, sw_arena_strdup(out->a, io->queries[i].signal), at, SW_R_OK, sw_streq(io->queries[i].signal, "error_rate") ? fix.errors : 100);
	return io->n_queries ? 1 : -1;
}

static const char *deliver(void *arg, const struct sw_io *io, sw_ms at, sw_dur *wait, const char **detail)
{
	(void)arg, (void)at;
	if (!fix.answer || !fix.times || !sw_streq(io->channel, "oncall"))
		return "ok";
	fix.times -= fix.times > 0;
	*wait = fix.wait;
	*detail = "the robot says so";
	return fix.answer;
}

static int setup_world(void)
{
	static const char *repos[] = { "acme/**", NULL };
	static const char *const oncall[] = { "oncall", NULL };
	static struct sw_place place;
	static struct sw_places places = { &place, 1 };
	struct sw_diags d;

	place = (struct sw_place){ .service = "web", .environment = "prod", .tier = "prod", .repos = repos, .rollback = "undo", .rollbacks_30m = 1, .rollbacks_24h = 3,
	                           .prometheus = { .url = "http://p/", .labels = "", .window = SW_MINUTE, .timeout = 10 * SW_SECOND, .background = SW_MINUTE } };
	sw_diags_init(&d, &fix.a);
	assert_int_equal(sw_rules_load_text("rules", rules_text, strlen(rules_text), NULL, &fix.rules, &d), 0);
	sw_sim_engine(&fix.e, fix.rules, &places, oncall, &fix.a);
	sw_sim_world_init(&fix.w, &fix.e, &fix.a, START);
	fix.w.outside = (struct sim_outside){ .probe = probe, .deliver = deliver };
	fix.w.journal = journal;
	fix.errors = 0.001;
	return 0;
}

static int setup(void **state)
{
	(void)state;
	memset(&fix, 0, sizeof fix);
	return setup_world();
}

static int teardown_world(void)
{
	sw_sim_world_fini(&fix.w);
	sw_rules_put(fix.rules);
	return 0;
}

static int teardown(void **state)
{
	struct sw_map_entry *e;

	(void)state;
	for (size_t i = 0; (e = sw_map_next(&fix.last, &i));)
		free(e->value);
	sw_map_fini(&fix.last);
	sw_buf_fini(&fix.told);
	sw_buf_fini(&fix.fact);
	(void)teardown_world();
	sw_arena_fini(&fix.a);
	return 0;
}

static void run(sw_dur until)
{
	struct sw_err err = SW_ERR_INIT;

	if (sw_sim_run(&fix.w, START + until, false, &err) < 0)
		fail_msg("%s", err.text);
}

static void deployed(const char *id, const char *sha, enum sw_status status)
{
	struct sw_event ev;

	sw_event_init(&ev);
	ev.kind = SW_EV_DEPLOYMENT;
	ev.source = ev.source_kind = "gitlab";
	ev.event_id = sw_arena_printf(&fix.a, "E%s", id);
	ev.host = "git.example.com";
	ev.repo = "acme/web";
	ev.environment = "prod";
	ev.sha = sha;
	ev.deployment_id = id;
	ev.status = status;
	ev.at = ev.received = fix.w.now;
	if (status == SW_ST_SUCCESS)
		ev.finished_at = fix.w.now;
	sw_sim_event(&fix.w, &ev);
}

static void want(const char *lines)
{
	if (strcmp(sw_buf_str(&fix.told), lines) != 0)
		fail_msg("\n%s", sw_buf_str(&fix.told));
	sw_buf_reset(&fix.told);
}

#define GOOD "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
#define BAD  "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2"

static void test_story(void **state)
{
	(void)state;
	sw_sim_wake(&fix.w);
	run(SW_SECOND);
	want("");
	deployed("1", GOOD, SW_ST_RUNNING);
	run(10 * SW_SECOND);
	want("dep " GOOD " running\n");
	/* the event is in the line of its intake; here it is named */
	assert_string_equal(sw_buf_str(&fix.fact), "{\"t\":\"fact\",\"how\":1,\"ev\":{\"kind\":\"deployment\",\"status\":\"running\",\"source\":\"gitlab\",\"event_id\":\"E1\","
	                    "\"repo\":\"acme/web\",\"environment\":\"prod\",\"sha\":\"" GOOD "\"}}");
	deployed("1", GOOD, SW_ST_SUCCESS);
	run(6 * SW_MINUTE);
	want("dep " GOOD " success\n"
	     "watch errors watching -\n"
	     "dep " GOOD " success good\n"
	     "watch errors done pass\n");
	assert_true(fix.quiet > 10);
	fix.errors = 0.4;
	deployed("2", BAD, SW_ST_SUCCESS);
	run(8 * SW_MINUTE);
	want("dep " BAD " success\n"
	     "watch errors watching -\n"
	     "dep " BAD " success bad\n"
	     "watch errors following fail fired\n"
	     "act undo proposed\n"
	     "act undo started\n"
	     "told firing firing\n"
	     "way firing oncall sending tries=1\n"
	     "told rollback_started rollback_started-3345aac2475a\n"
	     "way rollback_started-3345aac2475a oncall waits tries=0\n"
	     "try firing oncall ok\n"
	     "way firing oncall sent tries=1\n"
	     "way rollback_started-3345aac2475a oncall sending tries=1\n"
	     "try rollback_started-3345aac2475a oncall ok\n"
	     "way rollback_started-3345aac2475a oncall sent tries=1\n"
	     "act undo done\n"
	     "told rollback_done rollback_done-3345aac2475a\n"
	     "way rollback_done-3345aac2475a oncall sending tries=1\n"
	     "try rollback_done-3345aac2475a oncall ok\n"
	     "way rollback_done-3345aac2475a oncall sent tries=1\n");
	sw_sim_ack(&fix.w);
	sw_sim_append(&fix.w, SILENCES_KEY, "{\"t\":\"cmd\",\"do\":\"silence\",\"id\":\"s1\",\"service\":\"web\",\"until\":1790009000000,\"who\":\"lin\",\"why\":\"known\"}");
	run(9 * SW_MINUTE);
	want("ack test\n"
	     "told acked firing-acked-0\n"
	     "way firing-acked-0 oncall sending tries=1\n"
	     "sil s1 open\n"
	     "try firing-acked-0 oncall ok\n"
	     "way firing-acked-0 oncall sent tries=1\n");
	fix.errors = 0.001;
	deployed("3", GOOD, SW_ST_SUCCESS);
	run(14 * SW_MINUTE);
	want("dep " GOOD " success rollback\n"
	     "watch errors watching -\n"
	     "act undo done\n"
	     "watch errors done fail fired\n"
	     "act undo verified\n"
	     "told resolved resolved\n"
	     "way resolved oncall dropped tries=0: it got better within silence s1 by lin: known\n"
	     "dep " GOOD " success good rollback\n"
	     "watch errors done pass\n");
	sw_sim_append(&fix.w, SILENCES_KEY, "{\"t\":\"cmd\",\"do\":\"end\",\"id\":\"s1\",\"who\":\"lin\"}");
	run(16 * SW_MINUTE);
	want("sil s1 ended\n");
}

/* Facts that come twice and the other way round: in the end the history says the same. */
static void test_permuted(void **state)
{
	struct sw_map once = { 0 };
	struct sw_map_entry *e;
	size_t n;

	for (int round = 0; round < 2; round++) {
		if (round) {
			once = fix.last;
			fix.last = (struct sw_map){ 0 };
			(void)teardown_world();
			(void)setup_world();
		}
		sw_sim_wake(&fix.w);
		run(SW_SECOND);
		for (int k = 0; k <= round; k++) {
			deployed("1", GOOD, round ? SW_ST_SUCCESS : SW_ST_RUNNING);
			deployed("1", GOOD, round ? SW_ST_RUNNING : SW_ST_SUCCESS);
		}
		run(6 * SW_MINUTE);
		fix.errors = 0.4;
		for (int k = 0; k <= round; k++)
			deployed("2", BAD, SW_ST_SUCCESS);
		run(8 * SW_MINUTE);
		fix.errors = 0.001;
		for (int k = 0; k <= round; k++)
			deployed("3", GOOD, SW_ST_SUCCESS);
		run(14 * SW_MINUTE);
	}
	n = once.n_live;
	assert_true(n > 10);
	assert_int_equal(n, fix.last.n_live);
	for (size_t i = 0; (e = sw_map_next(&once, &i)); free(e->value)) {
		const char *other = sw_map_get(&fix.last, e->key);

		if (!other || strcmp(other, e->value) != 0)
			fail_msg("%s\n%s\n%s", e->key, (const char *)e->value, other ? other : "nothing");
	}
	sw_map_fini(&once);
	(void)state;
}

static void news(unsigned n, const char *severity)
{
	sw_sim_append(&fix.w, sw_arena_printf(&fix.a, "alert:%012x", n),
	              sw_arena_printf(&fix.a, "{\"t\":\"news\",\"channels\":[\"oncall\"],\"alert\":{\"id\":\"%012x\",\"delivery\":\"%012x-firing\",\"news\":\"firing\","
	                              "\"severity\":\"%s\",\"service\":\"s%u\",\"environment\":\"prod\",\"rule\":\"r\",\"summary\":\"number %u\"}}", n, n, severity, n, n));
}

/* A robot that is held, one whose address is wrong, one that never answers: each message's way to its end, digests too. */
static void test_ways(void **state)
{
	static struct sw_engine_channel channels[2] = {
		{ .name = "oncall", .fallback = "release", .credential = "c1", .pace_count = 18, .pace_per = SW_MINUTE, .digest_above = 5 },
		{ .name = "release", .credential = "c2", .pace_count = 18, .pace_per = SW_MINUTE } };

	(void)state;
	fix.e.channels = channels;
	fix.e.n_channels = 2;
	fix.answer = "hold";
	fix.wait = 30 * SW_SECOND;
	fix.times = 1;
	news(1, "warning");
	news(2, "info");
	run(2 * SW_SECOND);
	want("told firing firing\n"
	     "way firing oncall sending tries=1\n"
	     "told firing firing\n"
	     "way firing oncall sending tries=1\n"
	     "try firing oncall hold: the robot says so\n"
	     "way firing oncall waits tries=0: the robot says so\n"
	     "try firing oncall ok\n"
	     "way firing oncall sent tries=1\n");
	run(2 * SW_MINUTE);
	want("way firing oncall sending tries=1\n"
	     "try firing oncall ok\n"
	     "way firing oncall sent tries=1\n");
	fix.answer = "config";
	fix.times = 1;
	news(3, "warning");
	run(3 * SW_MINUTE);
	want("told firing firing\n"
	     "way firing oncall sending tries=1\n"
	     "try firing oncall config: the robot says so\n"
	     "way firing oncall waits tries=1: the robot says so\n"
	     "way firing release sending tries=1 fallback\n"
	     "chan oncall down: the robot says so\n"
	     "told channel_down channel_down\n"
	     "way channel_down release sending tries=1\n"
	     "try firing release ok\n"
	     "way firing release sent tries=1 fallback\n"
	     "try channel_down release ok\n"
	     "way channel_down release sent tries=1\n");
	run(15 * SW_MINUTE);
	want("way firing oncall sending tries=2\n"
	     "try firing oncall ok\n"
	     "way firing oncall sent tries=2\n"
	     "chan oncall up\n"
	     "told channel_up channel_up\n"
	     "way channel_up release sending tries=1\n"
	     "try channel_up release ok\n"
	     "way channel_up release sent tries=1\n");
	fix.answer = "";
	fix.times = 6;
	news(4, "warning");
	run(20 * SW_MINUTE);
	want("told firing firing\n"
	     "way firing oncall sending tries=1\n"
	     "try firing oncall ambiguous: no answer in time\n"
	     "way firing oncall waits tries=1: no answer\n"
	     "way firing oncall sending tries=2\n"
	     "try firing oncall ambiguous: no answer in time\n"
	     "way firing oncall waits tries=2: no answer\n"
	     "way firing oncall sending tries=3\n"
	     "try firing oncall ambiguous: no answer in time\n"
	     "way firing oncall waits tries=3: no answer\n"
	     "way firing oncall sending tries=4\n"
	     "try firing oncall ambiguous: no answer in time\n"
	     "way firing oncall waits tries=4: no answer\n"
	     "way firing oncall sending tries=5\n"
	     "try firing oncall ambiguous: no answer in time\n"
	     "way firing oncall waits tries=5: no answer\n"
	     "way firing oncall sending tries=6\n"
	     "try firing oncall ambiguous: no answer in time\n"
	     "way firing oncall dead tries=6: no answer\n"
	     "way firing release sending tries=1 fallback\n"
	     "try firing release ok\n"
	     "way firing release sent tries=1 fallback\n");
	fix.answer = "message";
	fix.times = 1;
	news(5, "warning");
	run(30 * SW_MINUTE);
	want("told firing firing\n"
	     "way firing oncall sending tries=1\n"
	     "try firing oncall message: the robot says so\n"
	     "way firing oncall dead tries=1: the robot says so\n"
	     "way firing release sending tries=1 fallback\n"
	     "try firing release ok\n"
	     "way firing release sent tries=1 fallback\n");
}

static size_t count(const char *what)
{
	size_t n = 0;

	for (const char *p = sw_buf_str(&fix.told); (p = strstr(p, what)); p++)
		n++;
	return n;
}

/* Many at once become a digest, which is a message like others. */
static void test_digest(void **state)
{
	static struct sw_engine_channel channels[1] = { { .name = "oncall", .credential = "c1", .pace_count = 18, .pace_per = SW_MINUTE, .digest_above = 3 } };

	struct sw_map_entry *e;

	(void)state;
	fix.e.channels = channels;
	fix.e.n_channels = 1;
	fix.answer = "hold";
	fix.wait = 30 * SW_SECOND;
	fix.times = 4; /* what goes before it is known, then the digest itself: its next try is another one */
	for (unsigned i = 0; i < 10; i++)
		news(i, "warning");
	run(5 * SW_MINUTE);
	assert_int_equal(count("told firing firing\n"), 10);
	assert_int_equal(count("way firing oncall merged tries=0: digest-oncall-2\n") + count("way firing oncall merged tries=1: digest-oncall-2\n"), 10);
	assert_int_equal(count("told digest oncall-1\nway oncall-1 oncall sending tries=1\n"), 1);
	assert_int_equal(count("try oncall-1 oncall hold: the robot says so\nway oncall-1 oncall dropped tries=0: the robot says so\n"), 1);
	assert_int_equal(count("told digest oncall-2\nway oncall-2 oncall sending tries=1\n"), 1);
	assert_int_equal(count("try oncall-2 oncall ok\nway oncall-2 oncall sent tries=1\n"), 1);
	sw_buf_reset(&fix.told);
	fix.answer = "message";
	fix.times = -1;
	for (unsigned i = 20; i < 30; i++)
		news(i, "warning");
	run(10 * SW_MINUTE);
	if (count("way oncall-3 oncall dead tries=1: the robot says so\n") != 1)
		fail_msg("\n%s", sw_buf_str(&fix.told));
	for (size_t i = 0; (e = sw_map_next(&fix.last, &i));)
		if (sw_starts(e->key, "way ") && (strstr(e->value, "\"waits\"") || strstr(e->value, "\"sending\"")))
			fail_msg("%s: %s", e->key, (const char *)e->value);
}

/* Workers that die with a digest in hand may not have sent it: it is tried until it is, and six times at the most. */
static void test_digest_late(void **state)
{
	static struct sw_engine_channel channels[1] = { { .name = "oncall", .credential = "c1", .pace_count = 18, .pace_per = SW_MINUTE, .digest_above = 3 } };

	(void)state;
	fix.e.channels = channels;
	fix.e.n_channels = 1;
	for (int dies = 5; dies <= 6; dies++) {
		sw_buf_reset(&fix.told);
		fix.answer = "hold";
		fix.wait = 30 * SW_SECOND;
		fix.times = 3;
		for (unsigned i = 0; i < 10; i++)
			news(i + 20 * (unsigned)dies, "warning");
		run((dies - 5) * 15 * SW_MINUTE + 20 * SW_SECOND);
		fix.answer = "";
		fix.times = dies;
		run((dies - 4) * 15 * SW_MINUTE);
		if (count("oncall ambiguous: no answer in time\n") != (size_t)dies || count(" oncall sent tries=6\n") != (dies == 5) ||
		    count(" oncall dead tries=6: no answer\n") != (dies == 6))
			fail_msg("%d deaths: %s", dies, strstr(sw_buf_str(&fix.told), "told digest"));
	}
}

/* More than a step may record: the rest is left out and said once. */
static void test_limits(void **state)
{
	struct sw_step *out = SW_ARENA_NEW(&fix.a, struct sw_step);
	struct step s = { .a = &fix.a, .out = out };
	struct sw_jnode *n;
	char *large;
	struct sw_jw w;

	(void)state;
	for (int i = 0; i < RECORDS_MAX + 3; i++)
		sw_record_channel(&s, "c", i == RECORDS_MAX - 1 ? "last" : "why");
	assert_int_equal(s.n_recs, RECORDS_MAX);
	assert_int_equal(out->n_notes, 1);
	sw_buf_putc(&s.recs, ']');
	assert_int_equal(sw_jtree_parse(&fix.a, sw_arena_printf(&fix.a, "[%s", sw_buf_str(&s.recs)), s.recs.n + 1, 100000, &n, NULL), 0);
	assert_int_equal(n->n, RECORDS_MAX);
	sw_buf_fini(&s.recs);
	s = (struct step){ .a = &fix.a, .out = out };
	large = sw_arena_alloc(&fix.a, RECORDS_BYTES + 1);
	memset(large, 'x', RECORDS_BYTES);
	sw_record_channel(&s, "small", NULL);
	sw_record_begin(&s, "chan", &w);
	sw_jw_str(&w, NULL, large);
	sw_record_end(&s, &w);
	sw_record_channel(&s, "after", NULL);
	assert_int_equal(s.n_recs, 2);
	assert_string_equal(sw_buf_str(&s.recs), "{\"k\":\"chan\",\"d\":{\"name\":\"small\",\"state\":\"up\"}},{\"k\":\"chan\",\"d\":{\"name\":\"after\",\"state\":\"up\"}}");
	sw_buf_fini(&s.recs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_story, setup, teardown), cmocka_unit_test_setup_teardown(test_permuted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ways, setup, teardown), cmocka_unit_test_setup_teardown(test_digest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_digest_late, setup, teardown), cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
