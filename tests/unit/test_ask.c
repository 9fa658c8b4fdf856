/* A person is asked before a rollback begins, step by step: what is stored when, whose decision counts, what takes the question back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "engine/engine.h"

#define NOW  1790000000000
#define GOOD "1111111111111111111111111111111111111111"
#define BAD  "bad2222222222222222222222222222222222222"

static const char asks[] = "- {name: r, on: deploy-to-prod, if: 'deployment.sha =~ /^bad/', then: [alert, rollback: {approve: 10m, otherwise: cancel}]}\n",
		  proceeds[] = "- {name: r, on: deploy-to-prod, if: 'deployment.sha =~ /^bad/', then: [alert, rollback: {approve: 10m, otherwise: proceed}]}\n",
		  at_once[] = "- {name: r, on: deploy-to-prod, if: 'deployment.sha =~ /^bad/', then: [alert, rollback]}\n";
static const char *const alerts[] = { "a", NULL };

struct run {
	struct sw_arena a;
	struct sw_rules *rules;
	struct sw_place place;
	struct sw_places places;
	const char *state, *told, *sent; /* told: all that alerts were told so far; sent: the decision of an action that began */
	const char *page, *hold;         /* page: what is kept for it */
	unsigned starts, keys;
	sw_ms now, timer;
	bool needs_good, dry_run;
};

static void begin(struct run *r, const char *rules)
{
	struct sw_diags d;

	memset(r, 0, sizeof *r);
	r->place = (struct sw_place){ .service = "web", .environment = "prod", .tier = "prod", .rollback = "undo" };
	r->places = (struct sw_places){ &r->place, 1 };
	r->now = NOW;
	r->told = "";
	sw_diags_init(&d, &r->a);
	if (sw_rules_load_text("rules", rules, strlen(rules), NULL, &r->rules, &d) < 0)
		fail_msg("%s", d.first->text);
}

static void end(struct run *r)
{
	r->rules = sw_rules_put(r->rules);
	sw_arena_fini(&r->a);
}

/* All of it in one step, then what the step told the place itself. */
static void steps(struct run *r, const char *const *texts, size_t n)
{
	const struct sw_engine_action undo = { .name = "undo", .timeout = 30 * SW_SECOND, .needs_good = r->needs_good, .dry_run = r->dry_run };
	const struct sw_engine e = { .places = &r->places, .rules = r->rules, .alerts = alerts, .actions = &undo, .n_actions = 1 };
	struct sw_step *out = SW_ARENA_NEW(&r->a, struct sw_step);
	struct sw_jnode *node, *state = NULL;
	const struct sw_jnode *msgs[8];
	const struct sw_snapshot none = { .key = "silences:all" };
	struct sw_step_in in = { .aggregate = "place:web/prod", .msgs = msgs, .n_msgs = n, .snaps = &none, .n_snaps = 1, .hold = r->hold, .now = r->now += SW_SECOND };
	struct sw_err err = SW_ERR_INIT;

	for (size_t i = 0; i < n; i++) {
		assert_int_equal(sw_jtree_parse(&r->a, texts[i], strlen(texts[i]), 1000, &node, &err), 0);
		msgs[i] = node;
	}
	if (r->state)
		assert_int_equal(sw_jtree_parse(&r->a, r->state, strlen(r->state), 10000, &state, &err), 0);
	in.state = state;
	assert_int_equal(sw_engine_step(&e, &in, &r->a, out, &err), 0);
	assert_int_equal(out->n_needs, 0);
	r->state = sw_arena_strndup(&r->a, out->state, out->state_n);
	r->starts += out->start_action != NULL;
	for (size_t i = 0; i < out->n_ios; i++)
		if (out->ios[i].kind == SW_IO_ACT)
			r->sent = out->ios[i].act_json;
	for (size_t i = 0; i < out->n_keeps; i++) {
		if (sw_starts(out->keeps[i].key, "ask:"))
			r->page = out->keeps[i].value;
		if (sw_starts(out->keeps[i].key, "ask-key:")) {
			assert_null(out->keeps[i].value);
			r->keys++;
		}
	}
	for (size_t i = 0; i < out->n_timers; i++)
		if (sw_starts(out->timers[i].name, "ask:"))
			r->timer = out->timers[i].due;
	for (size_t i = 0; i < out->n_tells; i++)
		if (sw_starts(out->tells[i].aggregate, "alert:"))
			r->told = sw_arena_printf(&r->a, "%s%s\n", r->told, out->tells[i].msg);
	for (size_t i = 0; i < out->n_tells; i++) /* behind all that this one said */
		if (strcmp(out->tells[i].aggregate, "place:web/prod") == 0)
			steps(r, &out->tells[i].msg, 1);
}

static void step(struct run *r, const char *text)
{
	steps(r, &text, 1);
}

static void deploy(struct run *r, int job, const char *sha)
{
	r->now += SW_MINUTE;
	step(r, sw_arena_printf(&r->a,
	                        "{\"t\":\"fact\",\"how\":1,\"ev\":{\"kind\":\"job\",\"status\":\"success\",\"host\":\"h.example\",\"repo\":\"acme/web\","
	                        "\"environment\":\"production\",\"sha\":\"%s\",\"job_id\":\"%d\",\"pipeline_id\":\"%d\",\"at\":%lld,"
	                        "\"started_at\":%lld,\"finished_at\":%lld,\"received\":%lld}}",
	                        sha, job, job, (long long)r->now, (long long)r->now, (long long)r->now, (long long)r->now));
}

static const struct sw_jnode *act(struct run *r)
{
	struct sw_jnode *n;

	assert_int_equal(sw_jtree_parse(&r->a, r->state, strlen(r->state), 10000, &n, NULL), 0);
	assert_non_null(sw_jget(n, "actions")->child);
	return sw_jget(n, "actions")->child;
}

static const char *say(struct run *r, const char *word, const char *who, sw_ms at)
{
	return sw_arena_printf(&r->a, "{\"t\":\"cmd\",\"do\":\"%s\",\"act\":\"%s\",\"who\":\"%s\",\"at\":%lld}", word, sw_jstr(act(r), "id"), who,
	                       (long long)at);
}

static void label(struct run *r, size_t which, bool good)
{
	struct sw_jnode *n;
	const struct sw_jnode *d;

	assert_int_equal(sw_jtree_parse(&r->a, r->state, strlen(r->state), 10000, &n, NULL), 0);
	for (d = sw_jget(n, "deployments")->child; which; which--)
		d = d->next;
	step(r, sw_arena_printf(&r->a, "{\"t\":\"cmd\",\"do\":\"label\",\"dep\":\"%s\",\"good\":%s,\"who\":\"lin\"}", sw_jstr(d, "id"), good ? "true" : "false"));
}

static bool told(const struct run *r, const char *news, const char *detail)
{
	const char *p = strstr(r->told, news), *end = p ? strchr(p, '\n') : NULL;
	const char *d = p && detail ? strstr(p, detail) : p;

	return p && d && d < end;
}

static void expect(struct run *r, const char *state, unsigned starts)
{
	if (strcmp(sw_jstr(act(r), "state"), state) != 0)
		fail_msg("%s, not %s: %s", sw_jstr(act(r), "state"), state, sw_jstr(act(r), "why"));
	assert_int_equal(r->starts, starts);
}

/* The question with its deadline, the page and the key are one commit, and nobody was told anything before. */
static void stored_before_told(void **state)
{
	struct sw_jnode *page;
	struct run r;

	(void)state;
	begin(&r, asks);
	deploy(&r, 100, GOOD);
	deploy(&r, 200, BAD);
	expect(&r, "asking", 0);
	assert_int_equal(r.keys, 1);
	assert_int_equal(r.timer, sw_jint(act(&r), "deadline", 0));
	assert_int_equal(r.timer - sw_jint(act(&r), "asked", 0), 10 * SW_MINUTE);
	assert_int_equal(sw_jtree_parse(&r.a, r.page, strlen(r.page), 100, &page, NULL), 0);
	assert_string_equal(sw_jstr(page, "aggregate"), "place:web/prod");
	assert_string_equal(sw_jstr(page, "sha"), BAD);
	assert_string_equal(sw_jstr(page, "action"), "undo");
	assert_int_equal(sw_jint(page, "until", 0), r.timer);
	assert_false(sw_jbool(page, "proceeds", true));
	assert_true(strstr(r.told, "\"news\":\"firing\"") < strstr(r.told, "\"news\":\"rollback_waiting\""));
	assert_true(told(&r, "rollback_waiting", "\"ask\":"));
	assert_null(strstr(r.told, "ask-key")); /* the link is the worker's */
	step(&r, say(&r, "approve", "Lin", r.now));
	expect(&r, "started", 1);
	assert_non_null(strstr(r.sent, "\"approved_by\":\"Lin\""));
	assert_true(told(&r, "rollback_started", "approved by Lin"));
	end(&r);
}

/* The first one counts, in one step as in many; its words stay. */
static void first_counts(void **state)
{
	for (int apart = 0; apart < 2; apart++)
		for (int no = 0; no < 2; no++) {
			const char *both[2];
			struct run r;

			(void)state;
			begin(&r, asks);
			deploy(&r, 100, GOOD);
			deploy(&r, 200, BAD);
			both[0] = say(&r, no ? "refuse" : "approve", "Lin", r.now);
			both[1] = say(&r, no ? "approve" : "refuse", "Mei", r.now);
			if (apart) {
				step(&r, both[0]);
				step(&r, both[1]);
			} else {
				steps(&r, both, 2);
			}
			step(&r, both[0]);
			expect(&r, no ? "skipped" : "started", !no);
			assert_string_equal(sw_jstr(act(&r), "decided_by"), "Lin");
			step(&r, sw_arena_printf(&r.a, "{\"t\":\"timer\",\"name\":\"ask:%s\",\"due\":%lld}", sw_jstr(act(&r), "id"), (long long)r.timer));
			expect(&r, no ? "skipped" : "started", !no);
			end(&r);
		}
}

static const char *timer(struct run *r, sw_ms due)
{
	return sw_arena_printf(&r->a, "{\"t\":\"timer\",\"name\":\"ask:%s\",\"due\":%lld}", sw_jstr(act(r), "id"), (long long)due);
}

/* In time is what was stored in time, however late it is read; a wrong clock far ahead does not end it. */
static void in_time(void **state)
{
	static const struct { sw_dur at, read; const char *state; } rows[] = {
		{ -1, 0, "started" },          { -1, 5 * SW_SECOND, "started" }, { 0, 0, "skipped" }, { 0, -5 * SW_SECOND, "started" },
		{ SW_HOUR, -SW_MINUTE, "started" }, { 1, 30 * SW_SECOND, "skipped" },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct run r;
		const char *msg;

		begin(&r, asks);
		deploy(&r, 100, GOOD);
		deploy(&r, 200, BAD);
		msg = say(&r, "approve", "Lin", r.timer + rows[i].at);
		r.now = r.timer + rows[i].read - SW_SECOND;
		step(&r, msg);
		if (strcmp(sw_jstr(act(&r), "state"), rows[i].state) != 0)
			fail_msg("row %zu: %s", i, sw_jstr(act(&r), "state"));
		end(&r);
	}
}

static void silence(void **state)
{
	for (int yes = 0; yes < 2; yes++)
		for (int lost = 0; lost < 2; lost++) {
			struct run r;

			(void)state;
			begin(&r, yes ? proceeds : asks);
			deploy(&r, 100, GOOD);
			deploy(&r, 200, BAD);
			step(&r, timer(&r, r.timer)); /* too early */
			step(&r, timer(&r, r.timer - 1));
			expect(&r, "asking", 0);
			r.now = r.timer;
			step(&r, timer(&r, r.timer + 1)); /* of another question */
			step(&r, "{\"t\":\"wake\"}");
			expect(&r, "asking", 0);
			if (lost) { /* the tick notices */
				r.now = r.timer + SW_MINUTE;
				step(&r, "{\"t\":\"wake\"}");
			} else {
				step(&r, timer(&r, r.timer));
			}
			expect(&r, yes ? "started" : "skipped", (unsigned)yes);
			assert_true(told(&r, yes ? "rollback_started" : "rollback_skipped", "nobody answered in time"));
			assert_true(!yes || !strstr(r.sent, "approved_by"));
			end(&r);
		}
}

/* Whatever the rule says of silence. */
static void taken_back(void **state)
{
	enum { HOLD, ALL_HOLD, DRY_ACTION, DRY_PLACE, REWOUND, NEWER, GONE, CASES };

	(void)state;
	for (int i = 0; i < CASES; i++) {
		struct run r;

		begin(&r, proceeds);
		deploy(&r, 100, GOOD);
		deploy(&r, 200, BAD);
		r.hold = i == ALL_HOLD ? "maintenance" : NULL;
		r.dry_run = i == DRY_ACTION;
		r.place.dry_run = i == DRY_PLACE;
		if (i == NEWER)
			deploy(&r, 300, GOOD);
		else if (i == GONE)
			r.place.service = "other"; /* the configuration does not know the place any more: the question stands */
		step(&r, i == HOLD ? "{\"t\":\"cmd\",\"do\":\"hold\",\"who\":\"lin\"}" : i == REWOUND ? "{\"t\":\"cmd\",\"do\":\"rewound\"}" : "{\"t\":\"wake\"}");
		if (i == GONE) {
			expect(&r, "asking", 0);
		} else {
			expect(&r, "skipped", 0);
			assert_true(told(&r, "rollback_skipped", NULL));
			r.hold = NULL;
			r.dry_run = r.place.dry_run = false;
			step(&r, say(&r, "approve", "Lin", r.now));
			expect(&r, "skipped", 0);
		}
		end(&r);
	}
}

/* A second rollback within half an hour is over the limit of the place, also when a person says yes to it. */
static void guards_again(void **state)
{
	struct run r;

	(void)state;
	begin(&r, asks);
	deploy(&r, 100, GOOD);
	deploy(&r, 200, BAD);
	r.place.rollbacks_30m = -1; /* as if the limit were reached since */
	step(&r, say(&r, "approve", "Lin", r.now));
	expect(&r, "skipped", 0);
	assert_string_equal(sw_jstr(act(&r), "decided_by"), "Lin");
	end(&r);
}

/* What chooses its target offers what ran before, and a person says yes to that and to nothing else. */
static void offered(void **state)
{
	enum { PLAIN, SAYS_BAD, OTHER_GOOD, SAME_GOOD, SILENCE, FIRST, CASES };
	static const char *const want[] = { "started", "skipped", "skipped", "started", "skipped", "skipped" };

	(void)state;
	for (int i = 0; i < CASES; i++) {
		struct run r;

		begin(&r, i == SILENCE ? proceeds : at_once);
		r.needs_good = true;
		if (i != FIRST) {
			deploy(&r, 50, "0000000000000000000000000000000000000000");
			deploy(&r, 100, GOOD);
		}
		deploy(&r, 200, BAD);
		if (i == FIRST) {
			expect(&r, "skipped", 0);
			assert_int_equal(r.keys, 0);
			assert_true(told(&r, "firing", "no verified good deployment is known"));
			end(&r);
			continue;
		}
		expect(&r, "asking", 0);
		assert_true(told(&r, "rollback_waiting", "no verified good deployment is known"));
		assert_non_null(strstr(r.page, "\"target\":\"" GOOD "\""));
		assert_non_null(strstr(r.page, "\"verified\":false"));
		assert_non_null(strstr(r.page, "\"proceeds\":false"));
		if (i == SAYS_BAD)
			label(&r, 1, false);
		if (i == OTHER_GOOD)
			label(&r, 0, true);
		if (i == SAME_GOOD)
			label(&r, 1, true);
		if (i == SILENCE) {
			r.now = r.timer;
			step(&r, timer(&r, r.timer));
		} else {
			step(&r, say(&r, "approve", "Lin", r.now));
		}
		expect(&r, want[i], strcmp(want[i], "started") == 0);
		if (r.starts) {
			assert_non_null(strstr(r.sent, "\"last_good_sha\":\"" GOOD "\""));
			assert_non_null(strstr(r.sent, "\"last_good_job_id\":\"100\""));
		}
		end(&r);
	}
}

/* Names are of people: no control characters, 100 bytes at most, and nobody is somebody. */
static void names(void **state)
{
	char exact[101], longer[103];
	struct run r;

	(void)state;
	memset(exact, 'a', 100);
	exact[100] = 0;
	memset(longer, 'a', 99);
	memcpy(longer + 99, "é", 3); /* the 100th byte is half of it */
	const struct { const char *who, *want; } rows[] = {
		{ "Lin", "Lin" }, { "", "somebody" }, { exact, exact }, { longer, NULL }, { "a\\nb\\u001b[31m", NULL },
	};

	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		const char *by;

		begin(&r, asks);
		deploy(&r, 100, GOOD);
		deploy(&r, 200, BAD);
		step(&r, say(&r, "refuse", rows[i].who, r.now));
		by = sw_jstr(act(&r), "decided_by");
		if (rows[i].want)
			assert_string_equal(by, rows[i].want);
		assert_true(strlen(by) <= 100);
		for (const char *p = by; *p; p++)
			assert_true((unsigned char)*p >= ' ');
		end(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stored_before_told), cmocka_unit_test(first_counts), cmocka_unit_test(in_time), cmocka_unit_test(silence),
		cmocka_unit_test(taken_back), cmocka_unit_test(guards_again), cmocka_unit_test(offered), cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
