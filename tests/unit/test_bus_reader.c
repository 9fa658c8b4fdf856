/* Reading on a real Redis: what the silent and the dead left, what a former life of ours left, and an exact end. */
#include "bus_side.h"

static void test_left_by_the_dead(void **state)
{
	struct side a, b;
	struct rig_reply p = { 0 };
	struct sw_entry_in e = entry("in", "in", SW_DAY);
	static char big[70000];

	(void)state;
	side_open(&a, server.url, 0);
	side_open(&b, server.url, 0);
	a.rd.manual = true;
	sw_bus_read(a.bus, "a", 10, rig_read, &a.rd);
	assert_int_equal(append(&a, "{\"n\":1}"), 0);
	RIG_UNTIL(a.rd.n[0] == 1); /* a pauses with it, and is never seen again */
	e.body = big;
	e.body_n = sizeof big;
	assert_int_equal(enqueue(&b, &e), SW_ENQ_QUEUED);
	redis_say("XREADGROUP GROUP w a COUNT 9 STREAMS {sw}:in >");
	sw_bus_read(b.bus, "b", 10, rig_read, &b.rd);
	(void)tick(&a);
	(void)tick(&b);
	(void)tick(&b);
	redis_say("XCLAIM {sw}:work w a 0 %s IDLE 6000 JUSTID", a.rd.given[0][0].id);
	(void)tick(&b);
	assert_int_equal(b.rd.n[0], 0); /* a was there just now: slow is not dead */
	redis_say("HSET {sw}:workers a 1000");
	(void)tick(&b);
	RIG_UNTIL(b.rd.n[0] == 1);
	assert_true(b.rd.given[0][0].reclaimed);
	assert_string_equal(b.rd.given[0][0].text, a.rd.given[0][0].text);
	assert_int_equal(b.rd.n[1], 0); /* not idle for long enough */
	for (int i = 1; i <= 5; i++) {
		RIG_CALL(&p, sw_bus_trying(b.bus, SW_STREAM_WORK, b.rd.given[0][0].id, rig_int, &p));
		assert_int_equal(p.number, i);
	}
	RIG_CALL(&p, sw_bus_bury(b.bus, SW_STREAM_WORK, b.rd.given[0][0].id, "poison", rig_done, &p));
	assert_int_equal(p.r, 0);
	assert_int_equal(tick(&b).dead_n, 1);
	RIG_CALL(&p, sw_bus_query(b.bus, "dead list - 5", rig_json, &p));
	assert_non_null(strstr(p.text.p, "poison"));
	redis_say("EVAL \"local p=redis.call('XPENDING','{sw}:in','w','-','+',1) return redis.call('XCLAIM','{sw}:in','w','a',0,p[1][1],'IDLE',6000,'JUSTID')\" 0");
	(void)tick(&b);
	RIG_UNTIL(b.rd.n[1] == 1); /* with its body from beside the stream */
	assert_non_null(strstr(b.rd.given[1][0].text, " 70000 "));
	/* Given back: not before it lay for 5 s; then to whoever sweeps. */
	RIG_CALL(&p, sw_bus_give_back(b.bus, SW_STREAM_IN, b.rd.given[1][0].id, rig_done, &p));
	assert_int_equal(p.r, 0);
	(void)tick(&b);
	redis_say("XCLAIM {sw}:in w nobody 0 %s IDLE 6000 JUSTID", b.rd.given[1][0].id);
	redis_say("DEL {sw}:body:%s", b.rd.given[1][0].id);
	(void)tick(&b);
	RIG_UNTIL(b.rd.n[1] == 2);
	assert_true(b.rd.given[1][1].reclaimed);
	assert_non_null(strstr(b.rd.given[1][1].text, "not there any more"));
	rig_reset(&p);
	side_close(&a);
	side_close(&b);
}

/* Told of what the dead left while the worker has something: it is looked for once the worker wants more, not at the next tick. */
static void test_left_while_busy(void **state)
{
	struct side s;

	(void)state;
	side_open(&s, server.url, 0);
	s.rd.manual = true;
	sw_bus_read(s.bus, "me", 10, rig_read, &s.rd);
	assert_int_equal(append(&s, "{\"n\":1}"), 0);
	RIG_UNTIL(s.rd.n[0] == 1);
	assert_int_equal(append(&s, "{\"n\":2}"), 0);
	redis_say("XREADGROUP GROUP w dead COUNT 9 STREAMS {sw}:work >");
	redis_say("EVAL \"local p=redis.call('XPENDING','{sw}:work','w','-','+',1,'dead') return redis.call('XCLAIM','{sw}:work','w','dead',0,p[1][1],'IDLE',6000,'JUSTID')\" 0");
	(void)tick(&s);
	assert_int_equal(s.rd.n[0], 1); /* not while it has enough */
	sw_bus_read_more(s.bus);
	RIG_UNTIL(s.rd.n[0] == 2);
	assert_true(s.rd.given[0][1].reclaimed);
	side_close(&s);
}

/* A worker that starts again under its old name gets what its former life left, marked. */
static void test_former_life(void **state)
{
	struct side s;

	(void)state;
	side_open(&s, server.url, 0);
	for (int i = 0; i < 65; i++)
		assert_int_equal(append(&s, "{}"), 0);
	redis_say("XREADGROUP GROUP w me COUNT 35 STREAMS {sw}:work >");
	redis_say("XREADGROUP GROUP w other COUNT 25 STREAMS {sw}:work >");
	sw_bus_read(s.bus, "me", 10, rig_read, &s.rd);
	RIG_UNTIL(s.rd.n[0] == 40); /* our own first, and the five that nobody had */
	redis_say("EVAL \"for _, p in ipairs(redis.call('XPENDING','{sw}:work','w','-','+',100,'other')) do redis.call('XCLAIM','{sw}:work','w','other',0,p[1],'IDLE',6000,'JUSTID') end\" 0");
	(void)tick(&s);
	RIG_UNTIL(s.rd.n[0] == 65); /* one tick is enough for all of them */
	for (size_t i = 0; i < 65; i++)
		assert_int_equal(s.rd.given[0][i].reclaimed, i < 35 || i >= 40);
	/* A consumer silent for an hour goes, but never with entries pending. */
	redis_say("XGROUP CREATECONSUMER {sw}:work w old");
	redis_say("HSET {sw}:workers old 1000 me 1000");
	(void)tick(&s);
	{
		char reply[2000];

		redis_do(&server, "XINFO CONSUMERS {sw}:work w", reply, sizeof reply);
		assert_null(strstr(reply, "old"));
		assert_non_null(strstr(reply, "me"));
	}
	side_close(&s);
}

/* Reading ends: what Redis gives until it hears of it still comes here, and nothing stays pending with a reader that is gone. */
static void test_read_end(void **state)
{
	struct side a, b;
	struct rig_reply p[40] = { 0 };

	(void)state;
	for (int round = 0; round < 20; round++) {
		side_open(&a, server.url, 0);
		side_open(&b, server.url, 0);
		sw_bus_read(a.bus, "a", 10, rig_read, &a.rd);
		assert_int_equal(append(&b, "{\"n\":1}"), 0);
		RIG_UNTIL(a.rd.n[0] >= 1);
		for (int i = 0; i < 40; i++) {
			if (i == 2 * round)
				sw_bus_read_end(a.bus);
			sw_bus_append(b.bus, "place:a/b", "{\"n\":2}", rig_done, &p[i]);
		}
		RIG_UNTIL(a.rd.ends == 1);
		for (int i = 0; i < 40; i++) {
			RIG_UNTIL(p[i].done);
			rig_reset(&p[i]);
		}
		assert_int_equal(a.rd.ends, 1);
		/* pending: exactly those that a was given */
		{
			char want[64], got[4096];

			(void)snprintf(want, sizeof want, "*4\r\n:%zu\r\n", a.rd.n[0]);
			redis_do(&server, "XPENDING {sw}:work w", got, sizeof got);
			assert_memory_equal(got, want, strlen(want));
		}
		redis_say("FLUSHALL");
		side_close(&a);
		side_close(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_left_by_the_dead, fresh),
		cmocka_unit_test_setup(test_left_while_busy, fresh),
		cmocka_unit_test_setup(test_former_life, fresh),
		cmocka_unit_test_setup(test_read_end, fresh),
	};

	if (!redis_present()) {
		puts("1..0 # SKIP no redis-server");
		return 0;
	}
	return cmocka_run_group_tests(tests, rig_setup, redis_teardown);
}
