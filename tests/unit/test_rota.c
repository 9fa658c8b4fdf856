/* Who is on call when: over weeks, changes of the clock, exceptions; each mistake with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "config/rota.h"
#include "shipwatch/buf.h"
#include "shipwatch/clock.h"

static int load(struct sw_arena *a, const char *text, const struct sw_rota **ret, struct sw_diags *d)
{
	struct sw_ynode *root;

	sw_diags_init(d, a);
	if (sw_yaml_parse(a, "r", text, strlen(text), NULL, &root, d) < 0)
		return -EINVAL;
	return sw_rota_read(a, root, NULL, ret, d);
}

static const char *names(struct sw_arena *a, const char *const *list)
{
	const char *ret = list ? *list++ : "nobody";

	for (; list && *list; list++)
		ret = sw_arena_printf(a, "%s+%s", ret, *list);
	return ret;
}

#define BERLIN "start: 2026-03-16, timezone: Europe/Berlin, people: [lin, mei, [wang, zhao]]"
#define OVER   "start: 2026-11-23, people: [lin, mei], timezone: \"+08:00\", overrides: "

static void who_is_on_call(void **state)
{
	static const struct {
		const char *rota, *at, *want, *until;
	} rows[] = {
		/* a week each; the hand-over is at nine by the clock, before the change of the clock and behind it */
		{ BERLIN, "2026-03-16T07:59:59Z", "nobody", "2026-03-16T08:00:00.000Z" },
		{ BERLIN, "2020-01-01T00:00:00Z", "nobody", "2026-03-16T08:00:00.000Z" },
		{ BERLIN, "2026-03-16T08:00:00Z", "lin", "2026-03-23T08:00:00.000Z" },
		{ BERLIN, "2026-03-23T07:59:59Z", "lin", "2026-03-23T08:00:00.000Z" },
		{ BERLIN, "2026-03-23T08:00:00Z", "mei", "2026-03-30T07:00:00.000Z" },
		{ BERLIN, "2026-03-30T06:59:59Z", "mei", "2026-03-30T07:00:00.000Z" },
		{ BERLIN, "2026-03-30T07:00:00Z", "wang+zhao", "2026-04-06T07:00:00.000Z" },
		{ BERLIN, "2026-04-06T07:00:00Z", "lin", "2026-04-13T07:00:00.000Z" },
		{ BERLIN, "2026-10-26T07:59:59Z", "mei", "2026-10-26T08:00:00.000Z" },
		{ BERLIN, "2026-10-26T08:00:00Z", "wang+zhao", "2026-11-02T08:00:00.000Z" },
		{ BERLIN, "2126-10-26T08:00:00Z", "wang+zhao", "2126-10-28T08:00:00.000Z" },
		/* at an hour that is left out, or comes twice */
		{ "start: 2026-03-28, handover: \"02:30\", every: 1d, timezone: Europe/Berlin, people: [lin, mei]", "2026-03-29T01:29:59Z", "lin",
		  "2026-03-29T01:30:00.000Z" },
		{ "start: 2026-03-28, handover: \"02:30\", every: 1d, timezone: Europe/Berlin, people: [lin, mei]", "2026-03-29T01:30:00Z", "mei",
		  "2026-03-30T00:30:00.000Z" },
		{ "start: 2026-10-24, handover: \"02:30\", every: 1d, timezone: Europe/Berlin, people: [lin, mei]", "2026-10-25T00:30:00Z", "mei",
		  "2026-10-26T01:30:00.000Z" },
		{ "start: 2026-10-24, handover: \"02:30\", every: 1d, timezone: Europe/Berlin, people: [lin, mei]", "2026-10-25T01:30:00Z", "mei",
		  "2026-10-26T01:30:00.000Z" },
		/* zones far from UTC, at hours near midnight; two weeks */
		{ "start: 2026-11-23, handover: \"23:45\", every: 1d, timezone: \"-12:00\", people: [a, b, c]", "2026-11-25T11:44:59Z", "a",
		  "2026-11-25T11:45:00.000Z" },
		{ "start: 2026-11-23, handover: \"00:00\", every: 1d, timezone: \"+14:00\", people: [a, b, c]", "2026-11-22T10:00:00Z", "a",
		  "2026-11-23T10:00:00.000Z" },
		{ "start: 2026-11-23, handover: \"00:00\", every: 2w, people: [a, b]", "2026-12-06T23:59:59Z", "a", "2026-12-07T00:00:00.000Z" },
		{ "start: 2026-11-23, handover: \"00:00\", every: 2w, people: [a, b]", "2026-12-07T00:00:00Z", "b", "2026-12-21T00:00:00.000Z" },
		{ "start: 2026-11-23, people: [a]", "2026-12-07T00:00:00Z", "a", "2026-12-07T09:00:00.000Z" },
		/* exceptions: a day from hand-over to hand-over, times of the clock, times with an offset; the last one counts */
		{ OVER "[{on: 2026-11-25, people: wang}]", "2026-11-25T00:59:59Z", "lin", "2026-11-25T01:00:00.000Z" },
		{ OVER "[{on: 2026-11-25, people: wang}]", "2026-11-25T01:00:00Z", "wang!", "2026-11-26T01:00:00.000Z" },
		{ OVER "[{on: 2026-11-25, people: wang}]", "2026-11-26T01:00:00Z", "lin", "2026-11-30T01:00:00.000Z" },
		{ OVER "[{from: 2026-11-24, until: 2026-11-26, people: [wang, mei]}]", "2026-11-26T00:59:59Z", "wang+mei!", "2026-11-26T01:00:00.000Z" },
		{ OVER "[{from: 2026-11-24 18:00, until: \"2026-11-24T22:30\", people: wang}]", "2026-11-24T10:00:00Z", "wang!", "2026-11-24T14:30:00.000Z" },
		{ OVER "[{from: \"2026-11-24T18:00:00Z\", until: \"2026-11-25T04:00:00+08:00\", people: wang}]", "2026-11-24T19:59:59Z", "wang!",
		  "2026-11-24T20:00:00.000Z" },
		{ OVER "[{from: 2026-11-24, until: 2026-11-28, people: wang}, {on: 2026-11-25, people: mei}]", "2026-11-25T02:00:00Z", "mei!",
		  "2026-11-26T01:00:00.000Z" },
		{ OVER "[{on: 2026-11-25, people: mei}, {from: 2026-11-24, until: 2026-11-28, people: wang}]", "2026-11-25T02:00:00Z", "wang!",
		  "2026-11-26T01:00:00.000Z" /* nothing changes then, but it might */ },
		{ OVER "[{on: 2020-02-29, people: mei}]", "2026-11-24T02:00:00Z", "lin", "2026-11-30T01:00:00.000Z" },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf until = SW_BUF_INIT;
		struct sw_arena a = { 0 };
		const struct sw_rota *r = NULL;
		struct sw_rota_now now;
		struct sw_diags d;
		sw_ms at;

		assert_int_equal(sw_time_parse(rows[i].at, &at), 0);
		if (load(&a, sw_arena_printf(&a, "{%s}", rows[i].rota), &r, &d) < 0) {
			if (strstr(rows[i].rota, "Berlin") && strstr(d.first->text, "does not know"))
				continue; /* a system without tzdata */
			fail_msg("%s: %s", rows[i].rota, d.first->text);
		}
		now = sw_rota_at(r, at);
		sw_time_print(now.until, &until);
		if (strcmp(sw_arena_printf(&a, "%s%s", names(&a, now.people), now.override ? "!" : ""), rows[i].want) != 0 ||
		    strcmp(sw_buf_str(&until), rows[i].until) != 0)
			fail_msg("%s at %s: %s%s until %s", rows[i].rota, rows[i].at, names(&a, now.people), now.override ? "!" : "", sw_buf_str(&until));
		sw_arena_fini(&a);
	}
}

/* Over ten years, each minute has somebody, and turns change only where they say so. */
static void no_gap(void **state)
{
	struct sw_arena a = { 0 };
	const struct sw_rota *r;
	struct sw_diags d;
	sw_ms at = 0, end;
	size_t turns = 0;

	(void)state;
	if (load(&a, "{" BERLIN "}", &r, &d) < 0)
		return;
	assert_int_equal(sw_time_parse("2026-03-16T08:00:00Z", &at), 0);
	end = at + 3652 * SW_DAY;
	while (at < end) {
		struct sw_rota_now now = sw_rota_at(r, at), last = sw_rota_at(r, now.until - 1);

		assert_non_null(now.people);
		assert_ptr_equal(now.people, r->turns[turns++ % 3]);
		assert_ptr_equal(last.people, now.people);
		assert_in_range(now.until - at, 7 * SW_DAY - SW_HOUR, 7 * SW_DAY + SW_HOUR);
		at = now.until;
	}
	sw_arena_fini(&a);
}

static void the_next_in_turn(void **state)
{
	struct sw_arena a = { 0 };
	const struct sw_rota *r;
	struct sw_diags d;

	(void)state;
	assert_int_equal(load(&a, "{start: 1970-01-01, handover: \"00:00\", people: [a, [b, c]], second: critical}", &r, &d), 0);
	assert_int_equal(r->second, SW_SEV_CRITICAL);
	assert_string_equal(names(&a, sw_rota_at(r, 0).second), "b+c");
	assert_string_equal(names(&a, sw_rota_at(r, 7 * SW_DAY).second), "a");
	assert_int_equal(load(&a, "{start: 1970-01-01, people: [a]}", &r, &d), 0);
	assert_true(r->second > SW_SEV_CRITICAL);
	assert_null(sw_rota_at(r, SW_DAY).second);
	sw_arena_fini(&a);
}

static void mistakes(void **state)
{
	static const char *const rows[][2] = {
		{ "{people: [a]}", "r:1:1: \"start\" is missing" },
		{ "{people: [a], start: 2026-02-29}", "r:1:22: start: want a day such as 2026-11-23, got \"2026-02-29\"" },
		{ "{people: [a], start: 2026-13-01}", "r:1:22: start: want a day such as 2026-11-23, got \"2026-13-01\"" },
		{ "{people: [a], start: monday}", "r:1:22: start: want a day such as 2026-11-23, got \"monday\"" },
		{ "{people: [a], start: 2026-11-23 10:00}", "r:1:22: start: want a day such as 2026-11-23, got \"2026-11-23 10:00\"" },
		{ "{people: [a], start: 2026-11-23, handover: 24:00}", "r:1:44: handover: want an hour such as \"09:00\", got \"24:00\"" },
		{ "{people: [a], start: 2026-11-23, handover: 9}", "r:1:44: handover: want an hour such as \"09:00\", got \"9\"" },
		{ "{people: [a], start: 2026-11-23, every: 36h}", "r:1:41: every: want whole days, such as 7d" },
		{ "{people: [a], start: 2026-11-23, every: 1h}", "r:1:41: every: want 1d to 366d, got \"1h\"" },
		{ "{people: [], start: 2026-11-23}", "r:1:10: people: want a list of 1 to 100 turns: [lin, mei, [wang, zhao]]" },
		{ "{people: lin, start: 2026-11-23}", "r:1:10: people: want a list of 1 to 100 turns: [lin, mei, [wang, zhao]]" },
		{ "{start: 2026-11-23}", "r:1:1: people: want a list of 1 to 100 turns: [lin, mei, [wang, zhao]]" },
		{ "{people: [a, []], start: 2026-11-23}", "r:1:14: people: nobody is named" },
		{ "{people: [a, {b: c}], start: 2026-11-23}", "r:1:14: people: want a text or a list of texts, got a map" },
		{ "{people: [a], start: 2026-11-23, timezone: Mars/Olympus}",
		  "r:1:44: timezone: this system does not know \"Mars/Olympus\" (there is no /usr/share/zoneinfo/Mars/Olympus); an offset such as +08:00 works everywhere" },
		{ "{people: [a], start: 2026-11-23, timezone: +8}", "r:1:44: timezone: want a name such as Asia/Shanghai or an offset such as +08:00, got \"+8\"" },
		{ "{people: [a], start: 2026-11-23, second: fatal}", "r:1:42: second: want info, warning, critical or never, got \"fatal\"" },
		{ "{people: [a], start: 2026-11-23, hand: 1}", "r:1:34: unknown key \"hand\"; there are people, start, handover, every, timezone, second, overrides" },
		{ "{people: [a], start: 2026-11-23, overrides: {}}", "r:1:45: overrides: want a list of at most 1000" },
		{ "{people: [a], start: 2026-11-23, overrides: [x]}", "r:1:46: overrides: want {on, people} or {from, until, people}" },
		{ "{people: [a], start: 2026-11-23, overrides: [{people: b}]}", "r:1:46: want on, or from and until" },
		{ "{people: [a], start: 2026-11-23, overrides: [{on: 2026-11-24, until: 2026-11-25, people: b}]}", "r:1:46: want on, or from and until" },
		{ "{people: [a], start: 2026-11-23, overrides: [{from: 2026-11-24, people: b}]}", "r:1:46: want on, or from and until" },
		{ "{people: [a], start: 2026-11-23, overrides: [{on: 2026-11-31, people: b}]}", "r:1:51: on: want a day such as 2026-12-24, got \"2026-11-31\"" },
		{ "{people: [a], start: 2026-11-23, overrides: [{from: 2026-11-24, until: 2026-11-24, people: b}]}", "r:1:72: until: is not behind from" },
		{ "{people: [a], start: 2026-11-23, overrides: [{from: 2026-11-24 18:00:00, until: 2026-11-25, people: b}]}",
		  "r:1:53: from: want a day (2026-12-24), a time (2026-12-24 18:00) or one with an offset (2026-12-24T18:00:00+08:00), got \"2026-11-24 18:00:00\"" },
		{ "{people: [a], start: 2026-11-23, overrides: [{on: 2026-11-24}]}", "r:1:46: people: nobody is named" },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_arena a = { 0 };
		const struct sw_rota *r;
		struct sw_diags d;

		assert_int_equal(load(&a, rows[i][0], &r, &d), -EINVAL);
		assert_string_equal(d.first->text, rows[i][1]);
		sw_arena_fini(&a);
	}
}

static void limits(void **state)
{
	static const struct { size_t turns, overrides; int want; } rows[] = {
		{ SW_ROTA_TURNS, 0, 0 }, { SW_ROTA_TURNS + 1, 0, -EINVAL }, { 1, SW_ROTA_OVERRIDES, 0 }, { 1, SW_ROTA_OVERRIDES + 1, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
		struct sw_arena a = { 0 };
		const struct sw_rota *r;
		struct sw_diags d;

		sw_buf_cat(&b, "{start: 2026-11-23, people: [");
		for (size_t k = 0; k < rows[i].turns; k++)
			sw_buf_cat(&b, "a, ");
		sw_buf_cat(&b, "], overrides: [");
		for (size_t k = 0; k < rows[i].overrides; k++)
			sw_buf_cat(&b, "{on: 2026-11-24, people: b}, ");
		sw_buf_cat(&b, "]}");
		assert_int_equal(load(&a, sw_buf_str(&b), &r, &d), rows[i].want);
		sw_arena_fini(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_on_call), cmocka_unit_test(no_gap), cmocka_unit_test(the_next_in_turn), cmocka_unit_test(mistakes),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
