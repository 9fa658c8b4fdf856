/* The bus on a real Redis, through everything that happens to one: forgotten, cut off, stopped, killed, full, rewound. */
#include "bus_side.h"

#include <arpa/inet.h>
#include <netinet/in.h>

/* Commits an action of place a/b; the text of the reply, to be compared. */
static void start(struct side *s, const char *action, const char *want)
{
	struct rig_reply p = { 0 };
	struct sw_change c = { .aggregate = "alert:none", .start_action = action, .start_place = "a/b" };

	RIG_CALL(&p, sw_bus_commit(s->bus, &c, rig_committed, &p));
	assert_non_null(strstr(p.text.p, want));
	rig_reset(&p);
}

static void test_forgets_scripts_and_groups(void **state)
{
	struct side s;

	(void)state;
	side_open(&s, server.url, 0);
	sw_bus_read(s.bus, "me", 10, rig_read, &s.rd);
	assert_int_equal(append(&s, "{\"n\":1}"), 0);
	RIG_UNTIL(s.rd.n[0] == 1);
	redis_say("SCRIPT FLUSH");
	assert_int_equal(append(&s, "{\"n\":2}"), 0);
	RIG_UNTIL(s.rd.n[0] == 2);
	redis_say("FLUSHALL"); /* the blocked read loses its group, too */
	(void)tick(&s);
	assert_int_equal(append(&s, "{\"n\":3}"), 0);
	RIG_UNTIL(s.rd.n[0] == 3);
	redis_say("FLUSHALL");
	redis_say("SCRIPT FLUSH");
	(void)tick(&s);
	assert_int_equal(append(&s, "{\"n\":4}"), 0);
	RIG_UNTIL(s.rd.n[0] == 4);
	assert_string_equal(s.rd.given[0][3].text, "place:a/b {\"n\":4}");
	assert_int_equal(s.downs, 0);
	side_close(&s);
}

static void test_connections_cut(void **state)
{
	struct side s;
	struct rig_reply p[50] = { 0 };
	char id[32];
	size_t i;

	(void)state;
	side_open(&s, server.url, 0);
	sw_bus_read(s.bus, "me", 10, rig_read, &s.rd);
	assert_int_equal(append(&s, "{\"n\":1}"), 0);
	RIG_UNTIL(s.rd.n[0] == 1);
	for (i = 0; i < 50; i++) {
		(void)snprintf(id, sizeof id, "cut%zu", i);
		struct sw_entry_in e = entry(id, id, SW_DAY);

		sw_bus_enqueue(s.bus, &e, rig_enqueued, &p[i]);
		if (i == 25)
			redis_say("CLIENT KILL TYPE normal SKIPME yes");
	}
	for (i = 0; i < 50; i++) {
		RIG_UNTIL(p[i].done); /* rig_done fails when one is called twice */
		assert_true(p[i].r == SW_ENQ_QUEUED || p[i].r == -EIO || p[i].r == -ENOTCONN);
	}
	RIG_UNTIL(s.ups >= 2);
	for (i = 0; i < 50; i++) { /* as a sender would: again, and nothing doubles */
		(void)snprintf(id, sizeof id, "cut%zu", i);
		struct sw_entry_in e = entry(id, id, SW_DAY);
		int r = enqueue(&s, &e);

		assert_true(r == SW_ENQ_QUEUED || r == SW_ENQ_DUPLICATE);
		assert_true(p[i].r != SW_ENQ_QUEUED || r == SW_ENQ_DUPLICATE);
		rig_reset(&p[i]);
	}
	RIG_UNTIL(s.rd.n[1] == 50);
	/* Given to our name while nobody listened: found when the connection is there again. */
	assert_int_equal(append(&s, "{\"n\":2}"), 0);
	RIG_UNTIL(s.rd.n[0] == 2);
	s.rd.manual = true;
	assert_int_equal(append(&s, "{\"n\":3}"), 0);
	RIG_UNTIL(s.rd.n[0] == 3); /* paused from here on */
	assert_int_equal(append(&s, "{\"n\":4}"), 0);
	redis_say("XREADGROUP GROUP w me COUNT 9 STREAMS {sw}:work >");
	redis_say("CLIENT KILL TYPE normal SKIPME yes");
	s.rd.manual = false;
	RIG_UNTIL(s.ups >= 3);
	sw_bus_read_more(s.bus);
	RIG_UNTIL(s.rd.n[0] == 4);
	assert_false(s.rd.given[0][3].reclaimed); /* we did not die of it */
	assert_int_equal(append(&s, "{\"n\":5}"), 0);
	RIG_UNTIL(s.rd.n[0] == 5);
	side_close(&s);
}

static void test_stopped_and_gone(void **state)
{
	struct side s;
	struct rig_reply p = { 0 };
	struct sw_entry_in e = entry("one", "one", SW_DAY);

	(void)state;
	side_open(&s, server.url, 200);
	assert_int_equal(enqueue(&s, &e), SW_ENQ_QUEUED);
	(void)kill(server.pid, SIGSTOP);
	RIG_CALL(&p, sw_bus_append(s.bus, "a", "{}", rig_done, &p));
	assert_int_equal(p.r, -EIO);
	assert_false(sw_bus_up(s.bus));
	RIG_CALL(&p, sw_bus_append(s.bus, "a", "{}", rig_done, &p));
	assert_int_equal(p.r, -ENOTCONN);
	RIG_CALL(&p, sw_bus_enqueue(s.bus, &e, rig_enqueued, &p));
	assert_true(p.r == -EIO || p.r == -ENOTCONN);
	(void)kill(server.pid, SIGCONT);
	RIG_UNTIL(s.ups == 2);
	assert_int_equal(enqueue(&s, &e), SW_ENQ_DUPLICATE);
	(void)tick(&s);
	redis_kill(&server, SIGKILL);
	RIG_UNTIL(s.downs >= 2);
	redis_start(&server, "always");
	RIG_UNTIL(s.ups == 3);
	assert_int_equal(enqueue(&s, &e), SW_ENQ_DUPLICATE); /* it is on the disk */
	redis_say("XTRIM {sw}:in MAXLEN 0");
	start(&s, "act", "redis-back"); /* also before any tick has noticed */
	(void)tick(&s);
	start(&s, "act", "redis-back");
	redis_say("HSET {sw}:ctl back_at 1000");
	start(&s, "act", "r=0");
	start(&s, "act", "started");
	rig_reset(&p);
	side_close(&s);
}

static void test_memory_full(void **state)
{
	struct side s;
	struct rig_reply p = { 0 };
	static char body[50000];
	struct sw_entry_in e = entry("small", "small", SW_DAY);
	struct sw_intake in = { 0 };

	(void)state;
	side_open(&s, server.url, 0);
	sw_bus_read(s.bus, "me", 10, rig_read, &s.rd);
	assert_int_equal(enqueue(&s, &e), SW_ENQ_QUEUED);
	RIG_UNTIL(s.rd.n[1] == 1);
	e = entry("over", "over", SW_DAY); /* our own cap: 600,000 */
	e.body = body;
	for (int i = 0; i < 11; i++) {
		char id[16];

		(void)snprintf(id, sizeof id, "big%d", i);
		e.id = e.dedupe = id;
		e.body_n = sizeof body;
		assert_int_equal(enqueue(&s, &e), SW_ENQ_QUEUED);
	}
	e.id = e.dedupe = "twelfth";
	assert_int_equal(enqueue(&s, &e), SW_ENQ_FULL);
	e.id = e.dedupe = "big3"; /* a known one is known all the same */
	assert_int_equal(enqueue(&s, &e), SW_ENQ_DUPLICATE);
	/* Over half of maxmemory, as the tick sees it; at maxmemory itself Redis refuses the script. */
	e = entry("half", "half", SW_DAY);
	redis_say("CONFIG SET maxmemory 3mb");
	(void)tick(&s);
	assert_int_equal(enqueue(&s, &e), SW_ENQ_FULL);
	redis_say("CONFIG SET maxmemory 1");
	assert_int_equal(enqueue(&s, &e), SW_ENQ_FULL);
	RIG_CALL(&p, sw_bus_drain(s.bus, "gw", &e, 1, 5, rig_done, &p));
	assert_int_equal(p.r, -ENOMEM);
	in.id = s.rd.given[1][0].id;
	RIG_CALL(&p, sw_bus_intake(s.bus, &in, rig_done, &p)); /* what drains goes on */
	assert_int_equal(p.r, 0);
	assert_int_equal(append(&s, "{}"), 0);
	redis_say("CONFIG SET maxmemory 0");
	(void)tick(&s);
	assert_int_equal(enqueue(&s, &e), SW_ENQ_QUEUED);
	RIG_CALL(&p, sw_bus_gateway(s.bus, "gw", 0, rig_int, &p));
	assert_int_equal(p.number, -1); /* the refused drain moved nothing */
	rig_reset(&p);
	side_close(&s);
}

/* 200,000 timers: the last one that fits, the next is refused, giving one up goes on. 10,000 dead letters: the oldest go. */
static void test_many(void **state)
{
	struct sw_timer_set timer = { "t", 9000000000000 };
	struct sw_change c = { .aggregate = "place:a/b", .state = "{}", .state_n = 2, .timers = &timer, .n_timers = 1 };
	struct rig_reply p = { 0 };
	char reply[256];
	struct side s;

	(void)state;
	side_open(&s, server.url, 0);
	redis_say("EVAL \"for i=1,199999 do redis.call('ZADD','{sw}:timers',9e12,'place:x/y|'..i) end return 1\" 0");
	RIG_CALL(&p, sw_bus_commit(s.bus, &c, rig_committed, &p));
	assert_int_equal(p.r, SW_COMMIT_OK);
	c.v = p.number;
	timer.name = "another";
	RIG_CALL(&p, sw_bus_commit(s.bus, &c, rig_committed, &p));
	assert_int_equal(p.r, SW_COMMIT_REFUSED);
	assert_non_null(strstr(sw_buf_str(&p.text), "reason=timers"));
	timer = (struct sw_timer_set){ "t", 0 };
	RIG_CALL(&p, sw_bus_commit(s.bus, &c, rig_committed, &p));
	assert_int_equal(p.r, SW_COMMIT_OK);
	redis_do(&server, "ZCARD {sw}:timers", reply, sizeof reply);
	assert_string_equal(reply, ":199999\r\n");
	redis_say("EVAL \"for i=1,9999 do redis.call('XADD','{sw}:dead',i..'-1','k','x') end return 1\" 0");
	for (int i = 0; i < 2; i++) {
		RIG_CALL(&p, sw_bus_dead_add(s.bus, "entry", "why", "{}", rig_done, &p));
		assert_int_equal(p.r, 0);
		redis_do(&server, "XLEN {sw}:dead", reply, sizeof reply);
		assert_string_equal(reply, ":10000\r\n");
	}
	redis_do(&server, "XRANGE {sw}:dead - 1-1", reply, sizeof reply);
	assert_string_equal(reply, "*0\r\n");
	rig_reset(&p);
	side_close(&s);
}

static void test_what_it_is(void **state)
{
	struct side s;
	struct rig_reply p = { 0 };

	(void)state;
	side_open(&s, server.url, 0);
	assert_true(sw_bus_durable(s.bus));
	assert_true(llabs(sw_bus_now(s.bus) - sw_clock_wall()) < 5000);
	redis_say("CONFIG SET appendfsync everysec");
	redis_say("CLIENT KILL TYPE normal SKIPME yes");
	RIG_UNTIL(s.ups == 2);
	assert_false(sw_bus_durable(s.bus));
	redis_say("CONFIG SET appendfsync always");
	redis_say("REPLICAOF 127.0.0.1 1");
	RIG_CALL(&p, sw_bus_append(s.bus, "a", "{}", rig_done, &p));
	assert_true(p.r == -EROFS || p.r == -EIO || p.r == -ENOTCONN);
	RIG_UNTIL(strstr(s.why, "replica"));
	redis_say("REPLICAOF NO ONE");
	RIG_UNTIL(s.ups == 3);
	assert_true(sw_bus_durable(s.bus));
	redis_say("SET {sw}:timers wrong");
	RIG_CALL(&p, sw_bus_tick(s.bus, rig_ticked, &p));
	assert_int_equal(p.r, -EBADMSG);
	assert_non_null(strstr(sw_bus_error(s.bus), "WRONGTYPE"));
	rig_reset(&p);
	side_close(&s);
}

/* A script that meets a wrong type has written nothing at all. */
static void test_nothing_half_written(void **state)
{
	static const char *const keys[] = { "work", "timers", "ring:d1:health", "pushes:r/main", "journal", "dead", "fails", "acts", "chan:c1",
		"chan:c2", "gateways" };
	struct sw_timer_set timers[1] = { { "t", 5 } };
	struct sw_tell tells[1] = { { "place:x/y", "{}" } };
	struct sw_ring_add add[1] = { { "d1:health", "0123456789abcdef", 16 } };
	struct sw_keep k[1] = { { "pushes:r/main", "1", SW_DAY, true, 5 } };
	struct sw_change c = { .aggregate = "place:a/b", .state = "{}", .state_n = 2, .timers = timers, .n_timers = 1, .tells = tells, .n_tells = 1,
		.rings = add, .n_rings = 1, .keeps = k, .n_keeps = 1, .journal = "{}", .fails_add = "a", .start_action = "act", .start_place = "a/b",
		.pace_credential = "c1", .pace_count = 1, .pace_per = 1000, .hold_credential = "c2", .hold_until = 5, .dead_reason = "x", .dead_body = "{}" };
	struct rig_reply p = { 0 };
	struct side s;

	(void)state;
	side_open(&s, server.url, 0);
	for (size_t i = 0; i < SW_COUNT(keys); i++) {
		char reply[256];

		redis_say("FLUSHALL");
		redis_say("XGROUP CREATE {sw}:in w 0 MKSTREAM");
		redis_say(i == 0 ? "PING" : "XGROUP CREATE {sw}:work w 0 MKSTREAM");
		redis_say(strncmp(keys[i], "ring", 4) == 0 ? "RPUSH {sw}:%s x" : "SET {sw}:%s x", keys[i]);
		RIG_CALL(&p, sw_bus_commit(s.bus, &c, rig_committed, &p));
		if (p.r != -EBADMSG)
			fail_msg("%s of a wrong type: r=%d", keys[i], p.r);
		redis_do(&server, "DBSIZE", reply, sizeof reply);
		if (strcmp(reply, i == 0 ? ":2\r\n" : ":3\r\n") != 0)
			fail_msg("%s of a wrong type: something was written, %s", keys[i], reply);
	}
	rig_reset(&p);
	side_close(&s);
}

static long commandstat(const char *name)
{
	char all[60000], find[64], *at;

	redis_do(&server, "INFO commandstats", all, sizeof all);
	(void)snprintf(find, sizeof find, "cmdstat_%s:calls=", name);
	at = strstr(all, find);
	return at ? strtol(at + strlen(find), NULL, 10) : 0;
}

static void test_batches(void **state)
{
	static struct rig_reply p[1000];
	struct side s;
	struct sw_entry_in e = entry("first", "first", SW_DAY);
	long calls;

	(void)state;
	side_open(&s, server.url, 0);
	assert_int_equal(enqueue(&s, &e), SW_ENQ_QUEUED);
	redis_say("CONFIG RESETSTAT");
	for (int i = 0; i < 1000; i++) {
		char id[16];

		(void)snprintf(id, sizeof id, "b%d", i);
		e = entry(id, id, SW_DAY);
		sw_bus_enqueue(s.bus, &e, rig_enqueued, &p[i]);
	}
	for (int i = 0; i < 1000; i++) {
		RIG_UNTIL(p[i].done);
		assert_int_equal(p[i].r, SW_ENQ_QUEUED);
		rig_reset(&p[i]);
	}
	calls = commandstat("evalsha");
	if (calls < 8 || calls > 24)
		fail_msg("1,000 entries in %ld calls", calls);
	side_close(&s);
}

/* Many raw entries in one turn are one script; what is wrong with one harms only that one. */
static void test_intake_of_many(void **state)
{
	enum { N = 5, WRONG = 2, DONE = 3 };
	struct sw_tell fact = { "place:a/b", "{}" };
	struct rig_reply p[N] = { 0 };
	char id[N][16], value[N][16], reply[256];
	struct side s;

	(void)state;
	side_open(&s, server.url, 0);
	sw_bus_read(s.bus, "me", 10, rig_read, &s.rd);
	for (int i = 0; i < N; i++) {
		struct sw_entry_in e = entry(id[i], id[i], SW_DAY);

		(void)snprintf(id[i], sizeof id[i], "n%d", i);
		(void)snprintf(value[i], sizeof value[i], "%d", i);
		assert_int_equal(enqueue(&s, &e), SW_ENQ_QUEUED);
	}
	redis_say("SET {sw}:wrong x");
	RIG_UNTIL(s.rd.n[1] == N);
	redis_say("XACK {sw}:in w %s", s.rd.given[1][DONE].id);
	for (int i = 0; i < N; i++) {
		struct sw_keep k = { i == WRONG ? "wrong" : "pushes:a/b", value[i], SW_DAY, true, 3 };
		struct sw_intake in = { .id = s.rd.given[1][i].id, .facts = &fact, .n_facts = 1, .keeps = &k, .n_keeps = 1 };

		sw_bus_intake(s.bus, &in, rig_done, &p[i]);
	}
	for (int i = 0; i < N; i++) {
		RIG_UNTIL(p[i].done);
		assert_int_equal(p[i].r, i == WRONG ? -EBADMSG : i == DONE ? 1 : 0);
		rig_reset(&p[i]);
	}
	redis_do(&server, "LRANGE {sw}:pushes:a/b 0 -1", reply, sizeof reply);
	assert_string_equal(reply, "*3\r\n$1\r\n4\r\n$1\r\n1\r\n$1\r\n0\r\n");
	redis_do(&server, "XLEN {sw}:in", reply, sizeof reply);
	assert_string_equal(reply, ":2\r\n"); /* the wrong one, and the one that somebody else had done */
	redis_do(&server, "XPENDING {sw}:in w", reply, sizeof reply);
	assert_memory_equal(reply, "*4\r\n:1\r\n", 8);
	side_close(&s);
}

static void test_too_much_in_flight(void **state)
{
	static struct rig_reply p[100];
	static char body[1 << 20];
	struct sw_bus_options o = { .url = server.url, .bytes_in_flight = 10 << 20 };
	struct sw_bus *bus;
	struct sw_err err;
	int refused = 0;

	(void)state;
	assert_int_equal(sw_bus_new(rig_loop, &o, &bus, &err), 0);
	RIG_UNTIL(sw_bus_up(bus));
	for (int i = 0; i < 20; i++) {
		char id[16];
		struct sw_entry_in e;

		(void)snprintf(id, sizeof id, "f%d", i);
		e = entry(id, id, SW_DAY);
		e.body = body;
		e.body_n = sizeof body;
		sw_bus_enqueue(bus, &e, rig_enqueued, &p[i]);
	}
	for (int i = 0; i < 20; i++) {
		RIG_UNTIL(p[i].done);
		refused += p[i].r == -EAGAIN;
		assert_true(p[i].r == SW_ENQ_QUEUED || p[i].r == -EAGAIN);
		rig_reset(&p[i]);
	}
	assert_in_range(refused, 10, 11);
	for (int i = 0; i < 20; i++) /* the bus is freed with calls under way */
		sw_bus_append(bus, "a", "{}", rig_done, &p[i]);
	sw_bus_free(bus);
	for (int i = 0; i < 20; i++) {
		assert_true(p[i].done);
		assert_int_equal(p[i].r, -ECANCELED);
		rig_reset(&p[i]);
	}
}

/* Workers that fell silent without leaving, for ten minutes; our own former life too. */
static void test_gone(void **state)
{
	struct side s;
	sw_ms now;

	(void)state;
	side_open(&s, server.url, 0);
	sw_bus_read(s.bus, "me", 10, rig_read, &s.rd);
	now = tick(&s).now;
	assert_int_equal(tick(&s).gone, 0);
	redis_say("HSET {sw}:workers other %lld", (long long)now - 1000); /* there, as far as is known */
	assert_int_equal(tick(&s).gone, 0);
	redis_say("HSET {sw}:workers other %lld old %lld", (long long)now - 10000, (long long)now - 700000);
	assert_int_equal(tick(&s).gone, 1);
	redis_say("HDEL {sw}:workers other");
	assert_int_equal(tick(&s).gone, 0);
	side_close(&s); /* it leaves */
	redis_say("HSET {sw}:workers me %lld", (long long)now);
	side_open(&s, server.url, 0);
	sw_bus_read(s.bus, "me", 10, rig_read, &s.rd);
	assert_int_equal(tick(&s).gone, 1);
	assert_int_equal(tick(&s).gone, 0);
	side_close(&s);
}

static void test_rewound(void **state)
{
	char path[2][128];
	struct side s[2];
	struct rig_reply p = { 0 };

	(void)state;
	for (int i = 0; i < 2; i++) {
		(void)snprintf(path[i], sizeof path[i], "%s/seen%d", server.dir, i);
		(void)unlink(path[i]);
		side_open(&s[i], server.url, 0);
		sw_bus_remember(s[i].bus, path[i]);
		assert_false(tick(&s[i]).rewound);
		assert_false(tick(&s[i]).held);
	}
	side_close(&s[1]); /* this one learns of it after a restart only */
	redis_say("FLUSHALL");
	{
		struct sw_tick t = tick(&s[0]);

		assert_true(t.rewound && t.held);
	}
	assert_false(tick(&s[0]).rewound); /* told once */
	RIG_CALL(&p, sw_bus_hold(s[0].bus, NULL, false, &(const struct sw_decider){ .who = "ann" }, "looked at it", rig_done, &p));
	side_open(&s[1], server.url, 0);
	sw_bus_remember(s[1].bus, path[1]);
	{
		struct sw_tick t = tick(&s[1]);

		assert_false(t.rewound || t.held); /* the same loss is not told again after the release */
	}
	redis_say("HINCRBY {sw}:ctl counter -3"); /* an older copy of the same data */
	assert_true(tick(&s[0]).rewound);
	RIG_CALL(&p, sw_bus_load(s[0].bus, &(struct sw_load){ .aggregate = "place:a/b" }, rig_loaded, &p));
	assert_non_null(strstr(p.text.p, "hold=Redis lost"));
	start(&s[0], "act", "hold");
	rig_reset(&p);
	side_close(&s[0]);
	side_close(&s[1]);
}

static void test_clock(void **state)
{
	struct side s;
	sw_ms before;

	(void)state;
	side_open(&s, server.url, 0);
	before = tick(&s).now;
	redis_say("HSET {sw}:ctl offset 3600000"); /* as if its clock had jumped ahead by an hour */
	assert_in_range(tick(&s).now - before, 0, 5000);
	redis_say("HINCRBY {sw}:ctl offset -7200000"); /* and back by two */
	assert_in_range(tick(&s).now - before, 0, 5000);
	assert_in_range(sw_bus_now(s.bus) - before, 0, 5000);
	side_close(&s);
}

static void test_spool_offset(void **state)
{
	struct side s;
	struct rig_reply p = { 0 };
	struct sw_entry_in e[2] = { entry("a", "a", SW_MINUTE), entry("b", "b", SW_MINUTE) };

	(void)state;
	side_open(&s, server.url, 0);
	/* Its outcome was unknown, so it is in the spool as well; its key of a minute is long gone by the time of the drain. */
	assert_int_equal(enqueue(&s, &e[0]), SW_ENQ_QUEUED);
	redis_say("EVAL \"for _, k in ipairs(redis.call('KEYS', '{sw}:once:*')) do redis.call('DEL', k) end\" 0");
	RIG_CALL(&p, sw_bus_drain(s.bus, "gw", e, 2, 100, rig_done, &p));
	assert_int_equal(p.r, 0);
	assert_int_equal(tick(&s).in_n, 2);
	e[1].id = e[1].dedupe = "c";
	RIG_CALL(&p, sw_bus_drain(s.bus, "gw", e, 2, 100, rig_done, &p)); /* the same offset again: nothing */
	assert_int_equal(tick(&s).in_n, 2);
	RIG_CALL(&p, sw_bus_gateway(s.bus, "gw", 77, rig_int, &p));
	assert_int_equal(p.number, 100);
	redis_say("XTRIM {sw}:in MAXLEN 0");
	start(&s, "act", "spool");
	rig_reset(&p);
	side_close(&s);
}

/* A port that is free now. */
static int free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	(void)close(fd);
	return ntohs(a.sin_port);
}

static void test_tcp_and_password(void **state)
{
	struct side s, wrong = { 0 };
	char port[16], url[128];
	const char *more[] = { "--port", port, "--requirepass", "secret", NULL };
	struct sw_bus_options o = { .on_state = side_state, .arg = &wrong };
	struct sw_err err;
	int downs, ups;

	(void)state;
	redis_kill(&server, SIGKILL);
	(void)snprintf(port, sizeof port, "%d", free_port());
	redis_start_with(&server, "always", more);
	(void)snprintf(url, sizeof url, "redis://:secret@127.0.0.1:%s/3", port);
	side_open(&s, url, 0);
	assert_int_equal(append(&s, "{}"), 0);
	(void)snprintf(url, sizeof url, "redis://:guess@127.0.0.1:%s", port);
	o.url = url;
	assert_int_equal(sw_bus_new(rig_loop, &o, &wrong.bus, &err), 0);
	RIG_UNTIL(strstr(wrong.why, "WRONGPASS"));
	assert_null(strstr(wrong.why, "guess"));
	sw_bus_free(wrong.bus);
	o.url = server.url; /* none at all */
	assert_int_equal(sw_bus_new(rig_loop, &o, &wrong.bus, &err), 0);
	RIG_UNTIL(strstr(wrong.why, "NOAUTH"));
	sw_bus_free(wrong.bus);
	downs = s.downs; /* one already, when Redis was still loading at the first contact */
	ups = s.ups;
	redis_kill(&server, SIGKILL);
	RIG_UNTIL(s.downs == downs + 1);
	RIG_UNTIL(strstr(s.why, "refused"));
	redis_start_with(&server, "always", more);
	RIG_UNTIL(s.ups == ups + 1);
	assert_int_equal(append(&s, "{}"), 0);
	assert_int_equal(tick(&s).work_n, 2);
	side_close(&s);
	redis_kill(&server, SIGKILL);
	redis_start(&server, "always");
}

static void test_cluster_is_refused(void **state)
{
	const char *more[] = { "--cluster-enabled", "yes", NULL };
	struct side s = { 0 };
	struct sw_bus_options o = { .url = server.url, .on_state = side_state, .arg = &s };
	struct rig_reply p = { 0 };
	struct sw_err err;

	(void)state;
	redis_kill(&server, SIGKILL);
	redis_start_with(&server, "always", more);
	assert_int_equal(sw_bus_new(rig_loop, &o, &s.bus, &err), 0);
	RIG_UNTIL(strstr(s.why, "cluster"));
	RIG_CALL(&p, sw_bus_append(s.bus, "a", "{}", rig_done, &p));
	assert_true(p.r < 0);
	assert_int_equal(s.ups, 0);
	assert_int_equal(s.downs, 1); /* told once, not at every try */
	rig_reset(&p);
	sw_bus_free(s.bus);
	redis_gone(&server);
	redis_new(&server, "always");
}

/*
 * Killed under load, again and again. What was answered with 2xx is there; what had no clear outcome went to the spool and is drained;
 * in the end each entry is there exactly once.
 */
static void test_killed_under_load(void **state)
{
	enum { ROUNDS = 5, N = 300 };
	static struct rig_reply p[N];
	static char id[N][32];
	struct side s;
	struct rig_reply q = { 0 };
	int64_t offset = 0;
	char all[32];

	(void)state;
	side_open(&s, server.url, 0);
	sw_bus_read(s.bus, "me", 100, rig_read, &s.rd);
	for (int round = 0; round < ROUNDS; round++) {
		int n_done = 0, ups = s.ups;

		for (int i = 0; i < N; i++) {
			struct sw_entry_in e;

			(void)snprintf(id[i], sizeof id[i], "k%d-%d", round, i);
			e = entry(id[i], id[i], i % 2 ? SW_MINUTE : SW_DAY);
			sw_bus_enqueue(s.bus, &e, rig_enqueued, &p[i]);
			if (i % 8 == 0)
				assert_int_equal(sw_loop_turn(rig_loop, true), 0);
			for (n_done = 0; n_done < i && p[n_done].done; n_done++)
				;
			if (n_done == 40 * round && server.pid)
				redis_kill(&server, SIGKILL);
		}
		if (server.pid)
			redis_kill(&server, SIGKILL);
		for (int i = 0; i < N; i++)
			RIG_UNTIL(p[i].done);
		redis_start(&server, "always");
		RIG_UNTIL(s.ups > ups && sw_bus_up(s.bus));
		for (int i = 0; i < N; i++) {
			struct sw_entry_in e = entry(id[i], id[i], i % 2 ? SW_MINUTE : SW_DAY);

			if (p[i].r != SW_ENQ_QUEUED) {
				assert_true(p[i].r < 0);
				RIG_CALL(&q, sw_bus_drain(s.bus, "gw", &e, 1, ++offset, rig_done, &q));
				assert_int_equal(q.r, 0);
			} else {
				assert_int_equal(enqueue(&s, &e), SW_ENQ_DUPLICATE);
			}
			rig_reset(&p[i]);
		}
	}
	redis_do(&server, "XLEN {sw}:in", all, sizeof all);
	assert_int_equal(strtol(all + 1, NULL, 10), ROUNDS * N);
	RIG_UNTIL(s.rd.n[1] == ROUNDS * N); /* and each of them reached the reader, once */
	rig_reset(&q);
	side_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_forgets_scripts_and_groups, fresh),
		cmocka_unit_test_setup(test_connections_cut, fresh),
		cmocka_unit_test_setup(test_stopped_and_gone, fresh),
		cmocka_unit_test_setup(test_memory_full, fresh),
		cmocka_unit_test_setup(test_many, fresh),
		cmocka_unit_test_setup(test_what_it_is, fresh),
		cmocka_unit_test_setup(test_nothing_half_written, fresh),
		cmocka_unit_test_setup(test_batches, fresh),
		cmocka_unit_test_setup(test_intake_of_many, fresh),
		cmocka_unit_test_setup(test_too_much_in_flight, fresh),
		cmocka_unit_test_setup(test_gone, fresh),
		cmocka_unit_test_setup(test_rewound, fresh),
		cmocka_unit_test_setup(test_clock, fresh),
		cmocka_unit_test_setup(test_spool_offset, fresh),
		cmocka_unit_test_setup(test_killed_under_load, fresh),
		cmocka_unit_test_setup(test_tcp_and_password, fresh),
		cmocka_unit_test_setup(test_cluster_is_refused, fresh),
	};

	if (!redis_present()) {
		puts("1..0 # SKIP no redis-server");
		return 0;
	}
	return cmocka_run_group_tests(tests, rig_setup, redis_teardown);
}
