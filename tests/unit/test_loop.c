/* The loop: timers in their order, deferred work at the end of the turn and not for ever, one clock a turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <string.h>

#include "io/loop.h"

struct trace { struct sw_loop *l; char text[64]; struct sw_defer a, b; struct sw_timer t, u; unsigned again; };

static void trace_add(struct trace *t, const char *word)
{
	size_t n = strlen(t->text);

	assert_true(n + strlen(word) < sizeof t->text);
	memcpy(t->text + n, word, strlen(word) + 1);
}

static void on_a(void *arg)
{
	struct trace *t = arg;

	trace_add(t, "a");
	if (t->again++ < 3)
		sw_loop_defer(t->l, &t->a);
}

static void on_b(void *arg) { trace_add(arg, "b"); }
static void on_cancel(void *arg) { sw_defer_cancel(&((struct trace *)arg)->b); }

static void on_timer(void *arg)
{
	struct trace *t = arg;

	trace_add(t, "t");
	sw_loop_defer(t->l, &t->b);
	trace_add(t, ".");
}

static void on_stop(void *arg)
{
	struct trace *t = arg;

	trace_add(t, "u");
	sw_loop_stop(t->l);
}

static void test_defer(void **state)
{
	struct trace t = { 0 };

	assert_int_equal(sw_loop_new(&t.l), 0);
	t.a = (struct sw_defer){ .cb = on_a, .arg = &t };
	t.b = (struct sw_defer){ .cb = on_b, .arg = &t };
	sw_loop_defer(t.l, &t.a);
	sw_loop_defer(t.l, &t.a);
	sw_loop_defer(t.l, &t.b);
	assert_int_equal(sw_loop_turn(t.l, true), 0);
	assert_string_equal(t.text, "ab");
	assert_int_equal(sw_loop_turn(t.l, true), 0);
	assert_string_equal(t.text, "aba");
	sw_defer_cancel(&t.a);
	t.a.cb = on_cancel;
	sw_loop_defer(t.l, &t.a);
	sw_loop_defer(t.l, &t.b);
	assert_int_equal(sw_loop_turn(t.l, true), 1); /* nothing is left to wait for */
	assert_string_equal(t.text, "aba");
	assert_null(t.b.loop);
	sw_loop_free(t.l);
}

static void test_timers(void **state)
{
	struct trace t = { 0 };

	assert_int_equal(sw_loop_new(&t.l), 0);
	t.b = (struct sw_defer){ .cb = on_b, .arg = &t };
	sw_timer_init(&t.t, t.l, on_timer, &t);
	sw_timer_init(&t.u, t.l, on_stop, &t);
	sw_timer_stop(&t.t);
	sw_timer_set(&t.u, 20);
	sw_timer_set(&t.t, 500000);
	assert_true(sw_timer_armed(&t.t));
	sw_timer_set(&t.t, 0);
	assert_int_equal(sw_loop_run(t.l), 0);
	assert_string_equal(t.text, "t.bu");
	assert_false(sw_timer_armed(&t.t));
	sw_loop_free(t.l);
}

static void test_signal_and_clock(void **state)
{
	struct trace t = { 0 };
	sw_dur now;

	assert_int_equal(sw_loop_new(&t.l), 0);
	now = sw_loop_mono(t.l);
	assert_true(now > 0 && sw_loop_wall(t.l) > 1000000000000);
	assert_int_equal(sw_loop_mono(t.l), now);
	assert_int_equal(sw_loop_signal(t.l, SIGUSR1, on_stop, &t), 0);
	assert_int_equal(raise(SIGUSR1), 0);
	assert_int_equal(raise(SIGPIPE), 0);
	assert_int_equal(sw_loop_run(t.l), 0);
	assert_string_equal(t.text, "u");
	sw_loop_free(t.l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defer), cmocka_unit_test(test_timers), cmocka_unit_test(test_signal_and_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
