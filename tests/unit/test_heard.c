/* engine/heard: what a place keeps of alarms and numbers, its bounds, and that nothing of it makes a place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "engine/heard.h"

#define NOW ((sw_ms)1790000000000)

static const char text[] = "signals: {db: {alertmanager: Slow}, size: {report: size}}\nrules: [{name: p, on: push, then: alert}]\n";
static struct sw_place web = { .service = "web", .environment = "prod" };
static const struct sw_places places = { &web, 1 };
static const char *const alerts[] = { "a", NULL };

struct run {
	struct sw_arena a;
	struct sw_rules *rules;
	const char *state;
	sw_ms now;
};

static void setup_run(struct run *r)
{
	struct sw_diags d;

	memset(r, 0, sizeof *r);
	r->now = NOW;
	sw_diags_init(&d, &r->a);
	assert_int_equal(sw_rules_load_text("rules", text, strlen(text), NULL, &r->rules, &d), 0);
}

static void end_run(struct run *r)
{
	r->rules = sw_rules_put(r->rules);
	sw_arena_fini(&r->a);
}

static void step(struct run *r, const char *msg)
{
	const struct sw_engine e = { .places = &places, .rules = r->rules, .alerts = alerts };
	struct sw_step *out = SW_ARENA_NEW(&r->a, struct sw_step);
	struct sw_jnode *node, *state = NULL;
	const struct sw_jnode *msgs[1];
	struct sw_step_in in = { .aggregate = "place:web/prod", .msgs = msgs, .n_msgs = 1, .now = r->now += SW_SECOND };
	struct sw_err err = SW_ERR_INIT;

	assert_int_equal(sw_jtree_parse(&r->a, msg, strlen(msg), 1000, &node, &err), 0);
	if (r->state)
		assert_int_equal(sw_jtree_parse(&r->a, r->state, strlen(r->state), 10000, &state, &err), 0);
	msgs[0] = node;
	in.state = state;
	assert_int_equal(sw_engine_step(&e, &in, &r->a, out, &err), 0);
	if (out->state)
		r->state = sw_arena_strndup(&r->a, out->state, out->state_n);
}

static void alarm_told(struct run *r, const char *name, int id, bool firing)
{
	step(r, sw_arena_printf(&r->a, "{\"t\":\"told\",\"ev\":{\"kind\":\"alarm\",\"status\":\"%s\",\"alarm_id\":\"%d\",\"started_at\":%lld,\"received\":%lld,"
	                        "\"labels\":{\"alertname\":\"%s\"}}}", firing ? "failed" : "success", id, (long long)NOW, (long long)r->now, name));
}

static void number_told(struct run *r, const char *name, int sha, int value)
{
	step(r, sw_arena_printf(&r->a, "{\"t\":\"told\",\"ev\":{\"kind\":\"report\",\"sha\":\"%07d\",\"received\":%lld,\"metrics\":{\"%s\":%d}}}", sha,
	                        (long long)r->now, name, value));
}

static void heard(struct run *r, struct heard *ret)
{
	struct sw_jnode *state;

	assert_int_equal(sw_jtree_parse(&r->a, r->state, strlen(r->state), 10000, &state, NULL), 0);
	sw_heard_read(state, ret);
}

static void test_no_place(void **state)
{
	struct run r;

	(void)state;
	setup_run(&r);
	alarm_told(&r, "Slow", 1, true);
	number_told(&r, "size", 1, 1);
	assert_null(r.state);
	end_run(&r);
}

static void test_alarms(void **state)
{
	struct heard h;
	struct run r;

	(void)state;
	setup_run(&r);
	step(&r, "{\"t\":\"wake\"}");
	assert_null(strstr(r.state, "\"heard\""));
	alarm_told(&r, "Fast", 1, true); /* there is no signal of it */
	assert_null(strstr(r.state, "\"heard\""));
	for (int i = 0; i < HEARD_ALARMS; i++)
		alarm_told(&r, "Slow", i, i != 7);
	heard(&r, &h);
	assert_int_equal(h.n_alarms, HEARD_ALARMS);
	assert_int_equal(h.cut_at, 0);
	alarm_told(&r, "Slow", 100, true); /* in the place of the one that was resolved */
	heard(&r, &h);
	assert_int_equal(h.n_alarms, HEARD_ALARMS);
	assert_int_equal(h.cut_at, 0);
	assert_string_equal(h.alarms[7].id, "100");
	alarm_told(&r, "Slow", 101, true); /* in the place of one that fires */
	heard(&r, &h);
	assert_int_equal(h.cut_at, r.now);
	assert_string_equal(h.alarms[0].id, "101");
	alarm_told(&r, "Slow", 102, false);
	alarm_told(&r, "Slow", 103, false);
	heard(&r, &h);
	assert_int_equal(h.n_alarms, HEARD_ALARMS);
	end_run(&r);
}

static void test_numbers(void **state)
{
	struct heard h;
	struct run r;

	(void)state;
	setup_run(&r);
	step(&r, "{\"t\":\"wake\"}");
	number_told(&r, "other", 1, 1);
	assert_null(strstr(r.state, "\"heard\""));
	for (int i = 0; i <= HEARD_NUMBERS; i++)
		number_told(&r, "size", i, i);
	number_told(&r, "size", HEARD_NUMBERS, 99);
	heard(&r, &h);
	assert_int_equal(h.n_numbers, HEARD_NUMBERS);
	assert_string_equal(h.numbers[0].sha, sw_arena_printf(&r.a, "%07d", HEARD_NUMBERS));
	assert_true(h.numbers[0].value == 99);
	end_run(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_no_place), cmocka_unit_test(test_alarms), cmocka_unit_test(test_numbers) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
