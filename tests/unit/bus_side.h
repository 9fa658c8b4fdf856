/* A bus on a Redis of the test's own. */
#ifndef TESTS_BUS_SIDE_H
#define TESTS_BUS_SIDE_H

#include "bus_rig.h"
#include "redis_server.h"

static struct redis_server server;

struct side { struct sw_bus *bus; struct rig_reader rd; int ups, downs; char why[200]; };

static inline void side_state(void *arg, bool up, const char *why)
{
	struct side *s = arg;

	*(up ? &s->ups : &s->downs) += 1;
	if (!up)
		(void)snprintf(s->why, sizeof s->why, "%s", why);
}

static inline void side_open(struct side *s, const char *url, sw_dur timeout)
{
	struct sw_bus_options o = { .url = url, .timeout = timeout, .in_max_bytes = 600000, .on_state = side_state, .arg = s };
	struct sw_err err = SW_ERR_INIT;

	*s = (struct side){ 0 };
	if (sw_bus_new(rig_loop, &o, &s->bus, &err) < 0)
		fail_msg("%s", err.text);
	s->rd.bus = s->bus;
	RIG_UNTIL(s->ups == 1);
}

static inline void side_close(struct side *s)
{
	sw_bus_free(s->bus);
	rig_reader_fini(&s->rd);
}

static inline struct sw_entry_in entry(const char *id, const char *dedupe, sw_dur dedupe_for)
{
	return (struct sw_entry_in){ .id = id, .source = "gitlab", .kind = "gitlab", .meta = "{\"a\":1}", .dedupe = dedupe,
		.dedupe_for = dedupe_for, .body = "hello", .body_n = 5, .raw_n = -1, .arrived = 1000 };
}

static inline int enqueue(struct side *s, const struct sw_entry_in *e)
{
	struct rig_reply p = { 0 };
	int r;

	RIG_CALL(&p, sw_bus_enqueue(s->bus, e, rig_enqueued, &p));
	r = p.r;
	rig_reset(&p);
	return r;
}

static inline int append(struct side *s, const char *msg)
{
	struct rig_reply p = { 0 };
	int r;

	RIG_CALL(&p, sw_bus_append(s->bus, "place:a/b", msg, rig_done, &p));
	r = p.r;
	rig_reset(&p);
	return r;
}

static inline struct sw_tick tick(struct side *s)
{
	struct rig_reply p = { 0 };
	struct sw_tick t;

	RIG_CALL(&p, sw_bus_tick(s->bus, rig_ticked, &p));
	assert_int_equal(p.r, 0);
	t = p.tick;
	rig_reset(&p);
	return t;
}

static inline void redis_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static inline void redis_say(const char *fmt, ...)
{
	char line[512], reply[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	redis_do(&server, line, reply, sizeof reply);
	if (reply[0] == '-')
		fail_msg("%s: %s", line, reply);
}

static inline int fresh(void **state)
{
	(void)state;
	if (!server.pid)
		redis_new(&server, "always");
	redis_say("FLUSHALL");
	redis_say("SCRIPT FLUSH");
	return 0;
}

static inline int redis_teardown(void **state)
{
	redis_gone(&server);
	return rig_teardown(state);
}

#endif
