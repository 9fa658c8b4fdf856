/* The bus in memory, in time that is handed in: what test_bus_redis cannot show without waiting. */
#include "bus_rig.h"

#define T0 ((sw_ms)1700000000000)

struct mem_fix { struct sw_bus *bus; struct rig_reader rd; struct rig_reply p; };

static struct mem_fix fix;

#define CALL(call)                                                                              \
	do {                                                                                        \
		rig_reset(&fix.p);                                                                      \
		call;                                                                                   \
		assert_false(fix.p.done);                                                               \
		while (!fix.p.done)                                                                     \
			assert_true(sw_bus_mem_run(fix.bus));                                               \
	} while (0)

static int open_fix(void **state)
{
	struct sw_bus_options o = { .in_max_bytes = 10000 };
	struct sw_err err;

	(void)state;
	fix = (struct mem_fix){ 0 };
	if (sw_bus_new(NULL, &o, &fix.bus, &err) < 0)
		return -1;
	fix.rd.bus = fix.bus;
	sw_bus_mem_clock(fix.bus, T0);
	return 0;
}

static int close_fix(void **state)
{
	(void)state;
	sw_bus_free(fix.bus);
	rig_reader_fini(&fix.rd);
	rig_reset(&fix.p);
	return 0;
}

static int enqueue_at(sw_ms now, const char *id, const char *dedupe, sw_dur dedupe_for)
{
	struct sw_entry_in e = { .id = id, .source = "s", .kind = "report", .meta = "{}", .dedupe = dedupe, .dedupe_for = dedupe_for,
		.body = "{}", .body_n = 2, .raw_n = -1, .arrived = now };

	sw_bus_mem_clock(fix.bus, now);
	CALL(sw_bus_enqueue(fix.bus, &e, rig_enqueued, &fix.p));
	return fix.p.r;
}

static void test_windows(void **state)
{
	static const struct { sw_dur at; const char *id, *dedupe; sw_dur window; int want; } rows[] = {
		{ 0, "a", "x", 3 * SW_DAY, SW_ENQ_QUEUED },
		{ SW_HOUR, "b", "x", 3 * SW_DAY, SW_ENQ_DUPLICATE },
		{ 3 * SW_DAY - 1, "c", "x", 3 * SW_DAY, SW_ENQ_DUPLICATE },
		{ 3 * SW_DAY + 6 * SW_HOUR, "d", "x", 3 * SW_DAY, SW_ENQ_QUEUED },
		{ 4 * SW_DAY, "e", "y", SW_MINUTE, SW_ENQ_QUEUED },
		{ 4 * SW_DAY + SW_MINUTE - 1, "f", "y", SW_MINUTE, SW_ENQ_DUPLICATE },
		{ 4 * SW_DAY + SW_MINUTE, "g", "y", SW_MINUTE, SW_ENQ_QUEUED },
		{ 4 * SW_DAY + SW_HOUR, "g", "y", SW_MINUTE, SW_ENQ_DUPLICATE }, /* the same entry again, by way of a spool */
		{ 4 * SW_DAY + SW_HOUR, "h", "z", 0, SW_ENQ_QUEUED },
		{ 4 * SW_DAY + SW_HOUR, "i", "z", 0, SW_ENQ_QUEUED },            /* no window: only the entry itself counts */
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++)
		if (enqueue_at(T0 + rows[i].at, rows[i].id, rows[i].dedupe, rows[i].window) != rows[i].want)
			fail_msg("row %zu", i);
}

static int commit(struct sw_change *c)
{
	CALL(sw_bus_commit(fix.bus, c, rig_committed, &fix.p));
	return fix.p.r;
}

/* Two limits for one robot: what may be said in a minute by everybody, and what it bears. Calls are counted by months. */
static void test_calm(void **state)
{
	struct sw_change urgent = { .aggregate = "alert:1", .pace_credential = "c", .pace_count = 2, .pace_per = SW_SECOND, .pace_month = 202611 };
	struct sw_change calm = { .aggregate = "alert:2", .pace_credential = "c", .pace_count = 2, .pace_per = SW_SECOND, .pace_calm = 3 };

	(void)state;
	for (int i = 0; i < 3; i++) {
		sw_bus_mem_clock(fix.bus, T0 + i * SW_SECOND);
		assert_int_equal(commit(&calm), SW_COMMIT_OK);
		assert_non_null(strstr(fix.p.text.p, "calls=0"));
	}
	sw_bus_mem_clock(fix.bus, T0 + 10 * SW_SECOND);
	assert_int_equal(commit(&calm), SW_COMMIT_REFUSED);
	assert_int_equal(fix.p.wait, 50 * SW_SECOND);
	assert_int_equal(commit(&urgent), SW_COMMIT_OK);
	assert_non_null(strstr(fix.p.text.p, "calls=1"));
	assert_int_equal(commit(&urgent), SW_COMMIT_OK);
	assert_non_null(strstr(fix.p.text.p, "calls=2"));
	assert_int_equal(commit(&urgent), SW_COMMIT_REFUSED);
	assert_int_equal(fix.p.wait, SW_SECOND);
	sw_bus_mem_clock(fix.bus, T0 + 62 * SW_SECOND); /* those of 10 s are two of three */
	assert_int_equal(commit(&calm), SW_COMMIT_OK);
	assert_int_equal(commit(&calm), SW_COMMIT_REFUSED);
	urgent.pace_month = 202612;
	assert_int_equal(commit(&urgent), SW_COMMIT_OK);
	assert_non_null(strstr(fix.p.text.p, "calls=1"));
}

static void test_guards_in_time(void **state)
{
	struct sw_change c = { .aggregate = "alert:1", .pace_credential = "c", .pace_count = 2, .pace_per = SW_MINUTE };
	struct sw_change hold = { .aggregate = "alert:1", .hold_credential = "c", .hold_until = T0 + 10 * SW_MINUTE };
	struct sw_change act = { .aggregate = "place:a/b", .start_place = "a/b" };
	char id[8];

	(void)state;
	assert_int_equal(commit(&c), SW_COMMIT_OK);
	sw_bus_mem_clock(fix.bus, T0 + 10 * SW_SECOND);
	assert_int_equal(commit(&c), SW_COMMIT_OK);
	assert_int_equal(commit(&c), SW_COMMIT_REFUSED);
	assert_int_equal(fix.p.wait, 50 * SW_SECOND);
	sw_bus_mem_clock(fix.bus, T0 + SW_MINUTE);
	assert_int_equal(commit(&c), SW_COMMIT_OK);
	assert_int_equal(commit(&hold), SW_COMMIT_OK);
	sw_bus_mem_clock(fix.bus, T0 + 10 * SW_MINUTE - 1);
	assert_int_equal(commit(&c), SW_COMMIT_REFUSED);
	assert_int_equal(fix.p.wait, 1);
	sw_bus_mem_clock(fix.bus, T0 + 10 * SW_MINUTE);
	assert_int_equal(commit(&c), SW_COMMIT_OK);
	/* Three actions in ten minutes; the fourth puts everything on hold. */
	for (int i = 0; i < 3; i++) {
		(void)snprintf(id, sizeof id, "a%d", i);
		act.start_action = id;
		assert_int_equal(commit(&act), SW_COMMIT_OK);
	}
	act.start_action = "a4";
	assert_int_equal(commit(&act), SW_COMMIT_REFUSED);
	assert_non_null(strstr(fix.p.text.p, "cap"));
	sw_bus_mem_clock(fix.bus, T0 + SW_HOUR);
	assert_int_equal(commit(&act), SW_COMMIT_REFUSED);
	assert_non_null(strstr(fix.p.text.p, "hold"));
	CALL(sw_bus_hold(fix.bus, NULL, false, &(const struct sw_decider){ .who = "ann" }, "", rig_done, &fix.p));
	assert_int_equal(commit(&act), SW_COMMIT_OK);
	assert_int_equal(commit(&act), SW_COMMIT_REFUSED);
	assert_non_null(strstr(fix.p.text.p, "started"));
	/* Something waits in `in` for more than two seconds. */
	assert_int_equal(enqueue_at(T0 + 2 * SW_HOUR, "e", "e", 0), SW_ENQ_QUEUED);
	act.start_action = "a5";
	sw_bus_mem_clock(fix.bus, T0 + 2 * SW_HOUR + 2001);
	assert_int_equal(commit(&act), SW_COMMIT_REFUSED);
	assert_non_null(strstr(fix.p.text.p, "backlog"));
	sw_bus_mem_clock(fix.bus, T0 + 2 * SW_HOUR + 2000);
	assert_int_equal(commit(&act), SW_COMMIT_OK);
}

static void test_timers_and_ttl(void **state)
{
	struct sw_timer_set t[2] = { { "one", T0 + 5 }, { "two", T0 + SW_HOUR } };
	struct sw_change c = { .aggregate = "place:a/b", .state = "{}", .state_n = 2, .ttl = SW_MINUTE, .timers = t, .n_timers = 2 };

	(void)state;
	fix.rd.manual = false;
	sw_bus_read(fix.bus, "me", 10, rig_read, &fix.rd);
	assert_int_equal(commit(&c), SW_COMMIT_OK);
	assert_int_equal(commit(&c), SW_COMMIT_CONFLICT);
	CALL(sw_bus_tick(fix.bus, rig_ticked, &fix.p));
	assert_int_equal(fix.p.tick.moved, 0);
	assert_int_equal(fix.p.tick.next_due, T0 + 5);
	sw_bus_mem_clock(fix.bus, T0 + 5);
	CALL(sw_bus_tick(fix.bus, rig_ticked, &fix.p));
	assert_int_equal(fix.p.tick.moved, 1);
	(void)sw_bus_mem_run(fix.bus);
	assert_int_equal(fix.rd.n[0], 1);
	assert_string_equal(fix.rd.given[0][0].text, "place:a/b {\"t\":\"timer\",\"name\":\"one\",\"due\":1700000000005}");
	CALL(sw_bus_query(fix.bus, "aggregate place:a/b", rig_json, &fix.p));
	assert_string_equal(fix.p.text.p, "r=0 {\"v\":1,\"fmt\":1,\"state\":{}}");
	sw_bus_mem_clock(fix.bus, T0 + SW_MINUTE);
	CALL(sw_bus_query(fix.bus, "aggregate place:a/b", rig_json, &fix.p));
	assert_string_equal(fix.p.text.p, "r=0 none");
	assert_int_equal(commit(&c), SW_COMMIT_OK); /* version 0 again */
	c.v = 1;
	c.state = "";
	c.state_n = 0;
	assert_int_equal(commit(&c), SW_COMMIT_OK);
	assert_int_equal(fix.p.number, 0);
}

/* A worker that went silent: its entries come to the next one, marked, after five seconds. */
static void test_takeover(void **state)
{
	(void)state;
	CALL(sw_bus_append(fix.bus, "place:a/b", "{}", rig_done, &fix.p));
	fix.rd.manual = true;
	sw_bus_read(fix.bus, "first", 10, rig_read, &fix.rd);
	(void)sw_bus_mem_run(fix.bus);
	assert_int_equal(fix.rd.n[0], 1);
	sw_bus_read_stop(fix.bus);
	sw_bus_mem_clock(fix.bus, T0 + 4999);
	sw_bus_read(fix.bus, "second", 10, rig_read, &fix.rd);
	(void)sw_bus_mem_run(fix.bus);
	assert_int_equal(fix.rd.n[0], 1);
	sw_bus_mem_clock(fix.bus, T0 + 5000);
	(void)sw_bus_mem_run(fix.bus);
	assert_int_equal(fix.rd.n[0], 2);
	assert_true(fix.rd.given[0][1].reclaimed);
}

/* An end is told, and what nobody was given is somebody else's at once. */
static void test_read_end(void **state)
{
	(void)state;
	sw_bus_read(fix.bus, "first", 10, rig_read, &fix.rd);
	sw_bus_read_end(fix.bus);
	(void)sw_bus_mem_run(fix.bus);
	assert_int_equal(fix.rd.ends, 1);
	CALL(sw_bus_append(fix.bus, "place:a/b", "{}", rig_done, &fix.p));
	(void)sw_bus_mem_run(fix.bus);
	assert_int_equal(fix.rd.n[0], 0);
	sw_bus_read(fix.bus, "second", 10, rig_read, &fix.rd);
	(void)sw_bus_mem_run(fix.bus);
	assert_int_equal(fix.rd.n[0], 1);
	assert_false(fix.rd.given[0][0].reclaimed);
}

static void test_rings_are_capped(void **state)
{
	struct sw_ring_add add = { "d:health", "0123456789abcdef", 16 };
	struct sw_change c = { .aggregate = "place:a/b", .rings = &add, .n_rings = 1 };
	const char *rings[] = { "d:health", NULL };

	(void)state;
	for (int i = 0; i < 1001; i++)
		assert_int_equal(commit(&c), SW_COMMIT_OK);
	CALL(sw_bus_load(fix.bus, &(struct sw_load){ .aggregate = "place:a/b", .rings = rings }, rig_loaded, &fix.p));
	assert_non_null(strstr(fix.p.text.p, "ring=16000:"));
	sw_bus_mem_clock(fix.bus, T0 + 7 * SW_DAY);
	CALL(sw_bus_load(fix.bus, &(struct sw_load){ .aggregate = "place:a/b", .rings = rings }, rig_loaded, &fix.p));
	assert_non_null(strstr(fix.p.text.p, "ring=0:"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_windows, open_fix, close_fix),
		cmocka_unit_test_setup_teardown(test_guards_in_time, open_fix, close_fix),
		cmocka_unit_test_setup_teardown(test_calm, open_fix, close_fix),
		cmocka_unit_test_setup_teardown(test_timers_and_ttl, open_fix, close_fix),
		cmocka_unit_test_setup_teardown(test_takeover, open_fix, close_fix),
		cmocka_unit_test_setup_teardown(test_read_end, open_fix, close_fix),
		cmocka_unit_test_setup_teardown(test_rings_are_capped, open_fix, close_fix),
	};

	(void)rig_setup; /* no loop here: sw_bus_mem_run turns */
	(void)rig_teardown;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
