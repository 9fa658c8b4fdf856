/* Following the journal on a real Redis: in pieces, waiting, and what is told when lines are gone before they were read. */
#include "bus_side.h"

#include <errno.h>

struct got { bool done, more; int r, ends; int64_t n, length, added; char first[48], last[48], from[48], lineage[48], json[64]; size_t bytes; };

static void got(void *arg, int r, const struct sw_journal_line *lines, bool more, const struct sw_journal_ends *ends)
{
	struct got *g = arg;

	assert_false(g->done);
	g->done = true;
	g->r = r;
	g->more = more;
	g->ends = ends != NULL;
	g->bytes = 0;
	for (int i = 0; i < r; i++, g->n++) {
		assert_true(strcmp(lines[i].id, g->from) != 0);
		(void)snprintf(g->from, sizeof g->from, "%s", lines[i].id);
		(void)snprintf(g->json, sizeof g->json, "%.60s", lines[i].json);
		g->bytes += lines[i].n;
	}
	if (!ends)
		return;
	(void)snprintf(g->first, sizeof g->first, "%s", ends->first);
	(void)snprintf(g->last, sizeof g->last, "%s", ends->last);
	(void)snprintf(g->lineage, sizeof g->lineage, "%s", ends->lineage);
	g->length = ends->length;
	g->added = ends->added;
}

static void ask(struct side *s, struct got *g, unsigned count, sw_dur wait)
{
	g->done = false;
	sw_bus_journal(s->bus, g->from, count, wait, got, g);
	assert_false(g->done);
}

static void follow(struct side *s, struct got *g, unsigned count, sw_dur wait)
{
	ask(s, g, count, wait);
	RIG_UNTIL(g->done);
}

static void lines(int from, int to)
{
	for (int i = from; i <= to; i++)
		redis_say("XADD {sw}:journal %d-0 j '{\"n\":%d}'", i, i);
}

static void test_pieces(void **state)
{
	struct got g = { .from = "0-0" };
	struct side s;

	(void)state;
	lines(1, 10);
	side_open(&s, server.url, 0);
	(void)tick(&s);
	follow(&s, &g, 4, 5 * SW_SECOND);
	assert_int_equal(g.r, 4);
	assert_true(g.ends && g.more);
	assert_string_equal(g.first, "1-0");
	assert_string_equal(g.last, "10-0");
	assert_int_equal(g.length, 10);
	assert_int_equal(g.added, 10);
	assert_true(strlen(g.lineage) >= 16);
	follow(&s, &g, 4, 5 * SW_SECOND);
	assert_true(g.ends); /* it was full: what is behind may go while this one reads */
	follow(&s, &g, 4, 5 * SW_SECOND);
	assert_int_equal(g.r, 2);
	assert_false(g.more);
	assert_string_equal(g.json, "{\"n\":10}");
	assert_int_equal(g.n, g.added);
	follow(&s, &g, 4, 50); /* sure, caught up: it waits */
	assert_int_equal(g.r, 0);
	assert_false(g.ends);
	ask(&s, &g, 4, 5 * SW_SECOND);
	lines(11, 11);
	RIG_UNTIL(g.done);
	assert_int_equal(g.r, 1);
	assert_false(g.ends);
	follow(&s, &g, 4, 0);
	assert_int_equal(g.r, 0);
	side_close(&s);
}

/* Lines that went before they were read: how many can be told. */
static void test_trimmed(void **state)
{
	struct got g = { .from = "0-0" };
	struct side s;

	(void)state;
	lines(1, 20);
	side_open(&s, server.url, 0);
	follow(&s, &g, 5, 0);
	redis_say("XTRIM {sw}:journal MAXLEN 3");
	follow(&s, &g, 5, 0);
	assert_int_equal(g.r, 3);
	assert_string_equal(g.first, "18-0");
	assert_int_equal(g.added - g.length, 17);
	assert_int_equal(g.added - g.length - (g.n - 3), 12); /* 6 to 17 */
	/* an empty stream still says how far it went */
	redis_say("XTRIM {sw}:journal MAXLEN 0");
	redis_say("CLIENT KILL TYPE normal SKIPME yes");
	do
		follow(&s, &g, 5, 0);
	while (g.r < 0);
	assert_int_equal(g.r, 0);
	assert_true(g.ends);
	assert_string_equal(g.first, "0-0");
	assert_string_equal(g.last, "20-0");
	side_close(&s);
}

/* Another Redis, or an older one: its end lies before what was read. */
static void test_another(void **state)
{
	struct got g = { .from = "0-0" };
	struct side s;
	char was[48];

	(void)state;
	lines(1, 5);
	side_open(&s, server.url, 0);
	(void)tick(&s);
	follow(&s, &g, 100, 0);
	(void)snprintf(was, sizeof was, "%s", g.lineage);
	follow(&s, &g, 100, 0);
	ask(&s, &g, 100, 5 * SW_SECOND);
	redis_say("FLUSHALL");
	redis_say("CLIENT KILL TYPE normal SKIPME yes");
	RIG_UNTIL(g.done);
	assert_int_equal(g.r, -EIO);
	RIG_UNTIL(sw_bus_up(s.bus));
	(void)tick(&s);
	lines(1, 2);
	follow(&s, &g, 100, 5 * SW_SECOND); /* the connection is waited for, and what is said is not of before */
	assert_int_equal(g.r, 0);
	assert_true(g.ends);
	assert_string_equal(g.last, "2-0");
	assert_string_not_equal(g.lineage, was);
	(void)snprintf(g.from, sizeof g.from, "0-0");
	follow(&s, &g, 100, 0);
	assert_int_equal(g.r, 2);
	side_close(&s);
}

static void test_restart(void **state)
{
	struct got g = { .from = "0-0" };
	struct side s;

	(void)state;
	lines(1, 5);
	side_open(&s, server.url, 0);
	follow(&s, &g, 100, 0);
	follow(&s, &g, 100, 0);
	ask(&s, &g, 100, 5 * SW_SECOND);
	redis_kill(&server, SIGKILL);
	RIG_UNTIL(g.done);
	assert_int_equal(g.r, -EIO);
	follow(&s, &g, 100, 0); /* nobody there: it says so after the usual limit */
	assert_int_equal(g.r, -ENOTCONN);
	ask(&s, &g, 100, 5 * SW_SECOND);
	redis_start(&server, "always");
	lines(6, 6);
	RIG_UNTIL(g.done);
	while (g.r == -ENOTCONN)
		follow(&s, &g, 100, 5 * SW_SECOND);
	if (g.r == 0)
		follow(&s, &g, 100, 5 * SW_SECOND);
	assert_int_equal(g.r, 1);
	assert_int_equal(g.n, 6);
	assert_string_equal(g.json, "{\"n\":6}");
	side_close(&s);
}

/* Freed while a call waits; a key of another kind; lines that are large; no lines of ours. */
static void test_odd(void **state)
{
	struct got g = { .from = "0-0" };
	struct side s;

	(void)state;
	redis_say("SET {sw}:journal x");
	side_open(&s, server.url, 0);
	follow(&s, &g, 100, 0);
	assert_int_equal(g.r, -EBADMSG);
	redis_say("DEL {sw}:journal");
	follow(&s, &g, 100, 0);
	assert_int_equal(g.r, 0);
	assert_string_equal(g.last, "0-0");
	redis_say("XADD {sw}:journal 1-0 other {}");
	follow(&s, &g, 100, SW_SECOND);
	assert_int_equal(g.r, 1); /* passed over by its id, without a text */
	assert_int_equal(g.bytes, 0);
	redis_say("EVAL \"for i=2,101 do redis.call('XADD','{sw}:journal',i..'-0','j',string.rep('x',400000)) end\" 0");
	follow(&s, &g, 40, 0);
	assert_int_equal(g.r, 40);
	follow(&s, &g, 512, 0);
	assert_true(g.r < 60 && g.bytes < 24 << 20); /* the reply stays small */
	while (g.r > 0)
		follow(&s, &g, 512, 0);
	assert_int_equal(g.n, 101);
	ask(&s, &g, 100, 5 * SW_SECOND);
	side_close(&s);
	assert_int_equal(g.r, -ECANCELED);
	assert_true(g.done);
}

static void waits_told(void *arg, int r, const char *json)
{
	struct rig_reply *p = arg;
	const char *at = r == 0 ? strstr(json, "\"journal_waits_ms\":") : NULL;

	p->done = true;
	p->r = r;
	p->number = at ? strtoll(at + strlen("\"journal_waits_ms\":"), NULL, 10) : -1;
}

static int64_t waits(struct side *s, const char *what)
{
	struct rig_reply p = { 0 };

	RIG_CALL(&p, sw_bus_query(s->bus, what, waits_told, &p));
	assert_int_equal(p.r, 0);
	return p.number;
}

/* How long the first line is there that a reader at an id has not seen: the same of both kinds. */
static void test_waits(void **state)
{
	const struct sw_decider ann = { .who = "ann", .via = "link" };
	char first[64], last[64];
	struct side s;

	(void)state;
	for (int kind = 0; kind < 2; kind++) {
		struct got g = { .from = "0-0" };
		struct rig_reply p = { 0 };
		sw_dur since;

		side_open(&s, kind ? server.url : NULL, 0);
		(void)tick(&s);
		assert_int_equal(waits(&s, "status 0-0"), 0);
		since = sw_loop_mono(rig_loop);
		for (int i = 0; i < 2; i++)
			RIG_CALL(&p, sw_bus_hold(s.bus, NULL, i, &ann, "w", rig_done, &p));
		follow(&s, &g, 1, 0);
		(void)snprintf(first, sizeof first, "status %s", g.from);
		follow(&s, &g, 1, 0);
		(void)snprintf(last, sizeof last, "status %s", g.from);
		while (sw_loop_mono(rig_loop) - since < 50)
			(void)!sw_loop_turn(rig_loop, false);
		assert_in_range(waits(&s, "status 0-0"), 20, 5000);
		assert_in_range(waits(&s, first), 20, 5000);
		assert_int_equal(waits(&s, last), 0);
		assert_int_equal(waits(&s, "status 99999999999999-0"), 0);
		assert_int_equal(waits(&s, "status"), -1);
		assert_int_equal(waits(&s, "status 1-"), -1);
		assert_int_equal(waits(&s, "status -1"), -1);
		assert_int_equal(waits(&s, "status 1-1x"), -1);
		rig_reset(&p);
		side_close(&s);
	}
}

/* The one in memory waits and tells the same. */
static void test_memory(void **state)
{
	struct got g = { .from = "0-0" };
	struct rig_reply p = { 0 };
	const struct sw_decider ann = { .who = "ann", .via = "link" };
	struct side s;

	(void)state;
	side_open(&s, NULL, 0);
	follow(&s, &g, 2, SW_SECOND);
	assert_true(g.r == 0 && g.ends);
	for (int i = 0; i < 3; i++)
		RIG_CALL(&p, sw_bus_hold(s.bus, NULL, i & 1, &ann, "w", rig_done, &p));
	follow(&s, &g, 2, SW_SECOND);
	assert_true(g.r == 2 && !g.ends);
	follow(&s, &g, 2, SW_SECOND);
	assert_true(g.r == 1 && g.ends && g.added == 3 && g.length == 3);
	follow(&s, &g, 2, 20);
	assert_true(g.r == 0 && !g.ends);
	ask(&s, &g, 2, 5 * SW_SECOND);
	RIG_CALL(&p, sw_bus_hold(s.bus, "web", true, &ann, "w", rig_done, &p));
	RIG_UNTIL(g.done);
	assert_true(g.r == 1 && strstr(g.json, "\"scope\":\"web\""));
	ask(&s, &g, 2, 5 * SW_SECOND);
	rig_reset(&p);
	side_close(&s);
	assert_int_equal(g.r, -ECANCELED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_pieces, fresh), cmocka_unit_test_setup(test_trimmed, fresh), cmocka_unit_test_setup(test_another, fresh),
		cmocka_unit_test_setup(test_restart, fresh), cmocka_unit_test_setup(test_odd, fresh), cmocka_unit_test_setup(test_waits, fresh), cmocka_unit_test(test_memory),
	};

	if (!redis_present()) {
		puts("1..0 # SKIP no redis-server");
		return 0;
	}
	return cmocka_run_group_tests(tests, rig_setup, redis_teardown);
}
