/*
 * The bus on a real Redis and the one in memory, side by side over random calls: all replies and what is left must be the same.
 * The seed is printed; SW_SEED sets it.
 */
#include "bus_side.h"

#include <time.h>

#include "bus/pack.h"

#define CALLS 10000

static uint64_t rnd_state;

static unsigned rnd(unsigned n)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return (unsigned)((rnd_state >> 20) % n);
}

struct both { struct side s[2]; struct rig_reply p[2]; int actions; };

static const char *const aggs[] = { "place:web/prod", "place:web/test", "line:g/r/main", "alert:7" };
static const char *const rings[] = { "d1:health", "d1:errors", "d2:health", NULL };
static const char *const keeps[] = { "sha:r:1", "sha:r:2", "pushes:r/main", "pushes:r/dev", NULL };

#define BOTH(b, call)                                                                           \
	do {                                                                                        \
		for (int i_ = 0; i_ < 2; i_++) {                                                        \
			struct side *s = &(b)->s[i_];                                                       \
			struct rig_reply *p = &(b)->p[i_];                                                  \
			if (i_)                                                                             \
				sw_bus_mem_clock(s->bus, sw_clock_wall());                                      \
			RIG_CALL(p, call);                                                                  \
		}                                                                                       \
		assert_string_equal((b)->p[0].text.p, (b)->p[1].text.p);                                \
	} while (0)

static void both_settle(struct both *b)
{
	struct rig_reader *r = &b->s[0].rd, *m = &b->s[1].rd;

	RIG_UNTIL(r->n[0] == m->n[0] && r->n[1] == m->n[1]);
	for (int s = 0; s < 2; s++)
		for (size_t i = r->n[s] > 40 ? r->n[s] - 40 : 0; i < r->n[s]; i++)
			assert_string_equal(r->given[s][i].text, m->given[s][i].text);
}

/* An entry that was given to both: mostly one that is not done. -1: there is none. */
static long both_pick(struct both *b, int s)
{
	size_t n = b->s[0].rd.n[s];

	for (int k = 0; k < 20 && n; k++) {
		size_t i = n - 1 - rnd((unsigned)SW_MIN(n, (size_t)60));

		if (!b->s[0].rd.given[s][i].done || rnd(40) == 0)
			return (long)i;
	}
	return -1;
}

static void do_enqueue(struct both *b)
{
	static char big[70000];
	struct sw_buf zip = SW_BUF_INIT;
	unsigned n = 1 + rnd(8);
	struct rig_reply one[2][8];
	struct sw_entry_in e[8];
	char id[8][32], dedupe[8][16];
	static const sw_dur windows[] = { 0, 10 * SW_MINUTE, 3 * SW_DAY, 6 * SW_HOUR };
	unsigned serial = rnd(1000000);

	if (!big[0])
		for (size_t i = 0; i < sizeof big; i++)
			big[i] = (char)('a' + i * i % 23);
	sw_pack_deflate(big, sizeof big, &zip);
	memset(one, 0, sizeof one);
	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(id[i], sizeof id[i], "e%u", rnd(50) ? serial + i : rnd(50));
		(void)snprintf(dedupe[i], sizeof dedupe[i], "d%u", rnd(400));
		e[i] = entry(id[i], dedupe[i], windows[rnd(4)]);
		e[i].arrived = 1700000000000 + rnd(1800000);
		switch (rnd(12)) {
		case 0: e[i].body = big; e[i].body_n = 66000 + rnd(2000); break; /* beside the stream */
		case 1: e[i].body = zip.p; e[i].body_n = zip.n; e[i].raw_n = sizeof big; break;
		case 2: e[i].body = zip.p; e[i].body_n = zip.n; e[i].raw_n = 7; break; /* broken */
		case 3: e[i].body_n = 0; break;
		default: break;
		}
	}
	for (int k = 0; k < 2; k++) {
		if (k)
			sw_bus_mem_clock(b->s[k].bus, sw_clock_wall());
		for (unsigned i = 0; i < n; i++)
			sw_bus_enqueue(b->s[k].bus, &e[i], rig_enqueued, &one[k][i]);
		for (unsigned i = 0; i < n; i++)
			RIG_UNTIL(one[k][i].done);
	}
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(one[0][i].r, one[1][i].r);
		rig_reset(&one[0][i]);
		rig_reset(&one[1][i]);
	}
	sw_buf_fini(&zip);
}

static void do_drain(struct both *b)
{
	static int64_t offset = 1;
	struct sw_entry_in e[3];
	char id[3][32], dedupe[3][16];

	offset += rnd(3);
	for (unsigned i = 0; i < 3; i++) {
		(void)snprintf(id[i], sizeof id[i], "s%u", rnd(100000));
		(void)snprintf(dedupe[i], sizeof dedupe[i], "d%u", rnd(400));
		e[i] = entry(id[i], dedupe[i], rnd(2) ? 10 * SW_MINUTE : SW_DAY);
		e[i].arrived = 1700000000000 + rnd(1800000);
	}
	BOTH(b, sw_bus_drain(s->bus, "gw", e, 3, offset, rig_done, p));
}

static void do_intake(struct both *b)
{
	long i = both_pick(b, SW_STREAM_IN);
	struct sw_tell facts[2] = { { aggs[rnd(4)], "{\"t\":\"fact\"}" }, { aggs[rnd(4)], "{\"t\":\"fact\",\"é\":\"\\n\"}" } };
	struct sw_keep k[2] = { { keeps[rnd(2)], "{\"sha\":1}", SW_DAY, false, 0 }, { keeps[2 + rnd(2)], "[7]", SW_DAY, true, 5 } };
	struct sw_intake in = { .facts = facts, .n_facts = rnd(3), .keeps = k, .n_keeps = rnd(3), .journal = rnd(2) ? "{\"j\":1}" : NULL };

	if (i < 0)
		return;
	BOTH(b, (in.id = s->rd.given[1][i].id, s->rd.given[1][i].done = true, sw_bus_intake(s->bus, &in, rig_done, p)));
}

static void do_intake_all(struct both *b)
{
	struct sw_intake in = { 0 };

	for (size_t i = 0; i < b->s[0].rd.n[1]; i++)
		if (!b->s[0].rd.given[1][i].done) {
			BOTH(b, (in.id = s->rd.given[1][i].id, s->rd.given[1][i].done = true, sw_bus_intake(s->bus, &in, rig_done, p)));
		}
}

static void do_load(struct both *b)
{
	struct sw_load l = { .aggregate = aggs[rnd(4)], .rings = rings, .keeps = keeps };

	BOTH(b, sw_bus_load(s->bus, &l, rig_loaded, p));
}

static void fill_acks(const struct side *s, const long *pick, unsigned n, const char **acks)
{
	unsigned k = 0;

	for (unsigned i = 0; i < n; i++)
		if (pick[i] >= 0)
			acks[k++] = s->rd.given[0][pick[i]].id;
	acks[k] = NULL;
}

static void do_commit(struct both *b)
{
	static int64_t versions[4];
	unsigned a = rnd(4), n_acks = rnd(4);
	long pick[4];
	const char *acks[5] = { 0 };
	char state[64], act[16];
	struct sw_timer_set timers[2] = { { "t1", rnd(3) ? (sw_ms)(1 + rnd(1000)) : 0 }, { "late:\"x\"", rnd(2) ? 99999999999999 : 0 } };
	struct sw_tell tells[1] = { { aggs[rnd(4)], "{\"t\":\"send\"}" } };
	struct sw_ring_add add[2] = { { rings[rnd(3)], "0123456789abcdef", 16 }, { rings[rnd(3)], "fedcba9876543210", 16 } };
	struct sw_keep k[1] = { { keeps[2], "{}", 0, true, 3 } };
	struct sw_change c = { .aggregate = aggs[a], .v = versions[a] - (rnd(20) == 0), .timers = timers, .n_timers = rnd(3), .tells = tells,
		.n_tells = rnd(6) == 0, .rings = add, .n_rings = rnd(3), .keeps = k, .n_keeps = rnd(4) == 0 };

	(void)snprintf(state, sizeof state, "{\"n\":%u}", rnd(1000));
	c.state = rnd(5) == 0 ? NULL : rnd(20) == 0 ? "" : state;
	c.state_n = c.state ? strlen(c.state) : 0;
	c.ttl = rnd(4) == 0 ? SW_DAY : 0;
	c.journal = rnd(2) ? "{\"t\":\"step\"}" : NULL;
	c.fails_add = rnd(10) == 0 ? "web" : NULL;
	c.fails_del = rnd(10) == 0 ? "web" : NULL;
	c.rules_hash = rnd(10) == 0 ? "hash" : NULL;
	c.rules_source = "rules";
	c.rules_source_n = 5;
	c.dead_reason = rnd(30) == 0 ? "undeliverable" : NULL;
	c.dead_body = "{}";
	if (rnd(8) == 0) {
		c.pace_credential = rnd(2) ? "c1" : "c2";
		c.pace_count = 200;
		c.pace_per = SW_DAY;
		c.pace_calm = rnd(2) ? 150 : 0;
		c.pace_month = rnd(3) ? 202611 + (int)rnd(2) : 0;
	}
	if (rnd(400) == 0) {
		c.hold_credential = "c2";
		c.hold_until = 99999999999999;
	}
	/* An action only while nothing waits in `in`: whether that is older than 2 s is a matter of the moment. */
	if (rnd(40) == 0) {
		do_intake_all(b);
		(void)snprintf(act, sizeof act, "act%u", rnd(6));
		c.start_action = act;
		c.start_place = "web/prod";
	}
	for (unsigned i = 0; i < n_acks; i++)
		pick[i] = both_pick(b, SW_STREAM_WORK);
	c.acks = acks;
	BOTH(b, (fill_acks(s, pick, n_acks, acks), sw_bus_commit(s->bus, &c, rig_committed, p)));
	b->actions += c.start_action && b->p[0].r == SW_COMMIT_OK;
	if (b->p[0].r == SW_COMMIT_OK)
		for (int i = 0; i < 2; i++)
			for (unsigned q = 0; q < n_acks; q++)
				if (pick[q] >= 0)
					b->s[i].rd.given[0][pick[q]].done = true;
	if (b->p[0].r == SW_COMMIT_OK || b->p[0].r == SW_COMMIT_CONFLICT)
		versions[a] = b->p[0].number;
}

static void dead_ids(void *arg, int r, const char *json)
{
	struct rig_reply *p = arg;

	p->done = true;
	p->r = r;
	sw_buf_cat(&p->text, json ? json : "[]");
}

/* Somebody, known by more or less. */
static const struct sw_decider *rnd_decider(void)
{
	static const struct sw_decider all[] = { { .who = "ann \"o'x\" 王", .via = "the \"api\" 王" }, { .who = "ann" }, { .who = "ann", .via = "" } };

	return &all[rnd(3)];
}

/* One of the newest dead letters, by its place in the list: ids differ between the two. */
static void do_dead_end(struct both *b)
{
	unsigned nth = rnd(4);
	bool again = rnd(2);
	const struct sw_decider *by = rnd_decider();
	char id[2][64] = { "1-1", "1-1" };

	for (int k = 0; k < 2; k++) {
		struct rig_reply list = { 0 };
		const char *at;

		RIG_CALL(&list, sw_bus_query(b->s[k].bus, "dead list - 5", dead_ids, &list));
		at = sw_buf_str(&list.text);
		for (unsigned i = 0; i <= nth && at; i++)
			at = (at = strstr(at, "{\"id\":\"")) ? at + 7 : NULL;
		if (at)
			(void)snprintf(id[k], sizeof id[k], "%.*s", (int)strcspn(at, "\""), at);
		rig_reset(&list);
	}
	assert_int_equal(strcmp(id[0], "1-1") == 0, strcmp(id[1], "1-1") == 0);
	BOTH(b, sw_bus_dead_end(s->bus, id[s - b->s], again, by, rig_int, p));
}

static void do_rest(struct both *b)
{
	int stream = (int)rnd(2);
	long i = both_pick(b, stream);
	bool on = rnd(3) == 0;
	const char *hash = rnd(2) ? "hash" : "none";
	int64_t spool = on && rnd(4) == 0 ? 5 : 0;
	const char *scope = rnd(2) ? NULL : rnd(2) ? "web" : "web/prod";
	const struct sw_decider *by = rnd_decider();
	static const char *const queries[] = { "aggregates place: 10", "aggregates  10", "aggregate place:web/prod", "aggregate nothing",
		"dead list - 5", "dead show 1-1", "nonsense" };

	switch (rnd(10)) {
	case 8: do_dead_end(b); break;
	case 0: BOTH(b, sw_bus_append(s->bus, aggs[0], "{\"t\":\"cmd\"}", rig_done, p)); break;
	case 1: BOTH(b, sw_bus_hold(s->bus, scope, on, by, "because \"x/y\"", rig_done, p)); break;
	case 2: BOTH(b, sw_bus_dead_add(s->bus, "alert", "gave up", "{}", rig_done, p)); break;
	case 3: BOTH(b, sw_bus_gateway(s->bus, "gw", spool, rig_int, p)); break;
	case 4: BOTH(b, sw_bus_rules(s->bus, hash, rig_json, p)); break;
	case 5:
	case 6: {
		const char *q = queries[rnd(7)];

		BOTH(b, sw_bus_query(s->bus, q, rig_json, p));
		break;
	}
	case 7:
		if (i >= 0 && !b->s[0].rd.given[stream][i].done)
			BOTH(b, sw_bus_trying(s->bus, (enum sw_stream)stream, s->rd.given[stream][i].id, rig_int, p));
		break;
	default:
		if (i >= 0 && rnd(4) == 0)
			BOTH(b, (s->rd.given[stream][i].done = true, sw_bus_bury(s->bus, (enum sw_stream)stream, s->rd.given[stream][i].id, "bad", rig_done, p)));
	}
}

struct followed { bool done; int r; struct sw_buf text; char from[48]; int64_t n, length, added; };

static void rig_journal(void *arg, int r, const struct sw_journal_line *lines, bool more, const struct sw_journal_ends *ends)
{
	struct followed *f = arg;

	f->done = true;
	f->r = r;
	assert_true(more == (r == 500));
	for (int i = 0; i < r; i++) {
		rig_text(&f->text, lines[i].json);
		sw_buf_putc(&f->text, '\n');
		assert_int_equal(lines[i].n, strlen(lines[i].json));
		(void)snprintf(f->from, sizeof f->from, "%s", lines[i].id);
		f->n++;
	}
	if (!ends)
		return;
	f->length = ends->length;
	f->added = ends->added;
}

/* All lines of both, in pieces. */
static void both_journals(struct both *b)
{
	struct followed f[2] = { { .from = "0-0" }, { .from = "0-0" } };

	for (int i = 0; i < 2; i++)
		do {
			f[i].done = false;
			sw_bus_journal(b->s[i].bus, f[i].from, 500, 0, rig_journal, &f[i]);
			RIG_UNTIL(f[i].done);
			assert_true(f[i].r >= 0);
		} while (f[i].r > 0);
	assert_true(f[0].n > 1000);
	assert_int_equal(f[0].n, f[1].n);
	assert_int_equal(f[0].added, f[1].added);
	assert_int_equal(f[0].length, f[1].length);
	for (const char *x = f[0].text.p, *y = f[1].text.p; *x || *y; x += strcspn(x, "\n") + 1, y += strcspn(y, "\n") + 1)
		if (strcspn(x, "\n") != strcspn(y, "\n") || strncmp(x, y, strcspn(x, "\n")) != 0)
			fail_msg("%.*s\n%.*s", (int)strcspn(x, "\n"), x, (int)strcspn(y, "\n"), y);
	assert_non_null(strstr(f[0].text.p, "{\"t\":\"dead\",\"do\":\"retry\",\"id\":\"#\",\"who\":"));
	assert_non_null(strstr(f[0].text.p, "{\"t\":\"dead\",\"do\":\"drop\",\"id\":\"#\",\"who\":\"ann"));
	for (int i = 0; i < 2; i++)
		sw_buf_fini(&f[i].text);
}

static void test_same_as_memory(void **state)
{
	const char *seed = getenv("SW_SEED");
	struct both b = { 0 };

	(void)state;
	rnd_state = seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL) * 2654435761u + 1;
	print_message("# seed %llu\n", (unsigned long long)rnd_state);
	side_open(&b.s[0], server.url, 0);
	side_open(&b.s[1], NULL, 0);
	for (int i = 0; i < 2; i++)
		sw_bus_read(b.s[i].bus, "worker", 20, rig_read, &b.s[i].rd);
	for (int i = 0; i < CALLS; i++) {
		unsigned what = rnd(100);

		if (what < 18)
			do_enqueue(&b);
		else if (what < 22)
			do_drain(&b);
		else if (what < 40)
			do_intake(&b);
		else if (what < 50)
			do_load(&b);
		else if (what < 80)
			do_commit(&b);
		else if (what < 88) {
			BOTH(&b, sw_bus_tick(s->bus, rig_ticked, p));
		} else
			do_rest(&b);
		both_settle(&b);
	}
	BOTH(&b, sw_bus_query(s->bus, "dead list - 10000", rig_json, p));
	BOTH(&b, sw_bus_tick(s->bus, rig_ticked, p));
	for (int i = 0; i < 4; i++)
		do_load(&b);
	both_journals(&b);
	print_message("# %zu work, %zu in, %d actions\n", b.s[0].rd.n[0], b.s[0].rd.n[1], b.actions);
	assert_true(b.s[0].rd.n[0] > 1000 && b.s[0].rd.n[1] > 300);
	for (int i = 0; i < 2; i++) {
		side_close(&b.s[i]);
		rig_reset(&b.p[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup(test_same_as_memory, fresh) };

	if (!redis_present()) {
		puts("1..0 # SKIP no redis-server");
		return 0;
	}
	return cmocka_run_group_tests(tests, rig_setup, redis_teardown);
}
