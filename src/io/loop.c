/* The loop of a process: libevent with a clock that is read once a turn, timers, signals, and a sweep at the end of each turn. */
#include "io/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

#include "shipwatch/clock.h"
#include "shipwatch/mem.h"

int sw_loop_new(struct sw_loop **ret)
{
	struct event_config *conf = event_config_new();
	struct event_base *base = NULL;
	struct sw_loop *l;

	if (conf) {
		(void)event_config_set_flag(conf, EVENT_BASE_FLAG_NOLOCK);
		base = event_base_new_with_config(conf);
		event_config_free(conf);
	}
	if (!base)
		return errno > 0 ? -errno : -ENOMEM;
	(void)signal(SIGPIPE, SIG_IGN);
	l = sw_calloc(1, sizeof *l);
	l->base = base;
	*ret = l;
	return 0;
}

void sw_loop_free(struct sw_loop *l)
{
	struct sw_loop_signal *s;

	if (!l)
		return;
	while ((s = l->signals) != NULL) {
		l->signals = s->next;
		event_free(s->ev);
		free(s);
	}
	while (l->first)
		sw_defer_cancel(l->first);
	event_base_free(l->base);
	free(l);
}

/*
 * Runs what was deferred in this turn; what the sweep itself defers waits for the next, so that one that defers itself cannot
 * starve the sockets. A mark in the list, rather than the last element, because a callback may cancel any other.
 */
static void loop_sweep(struct sw_loop *l)
{
	struct sw_defer mark = { 0 }, *d;

	if (!l->first)
		return;
	sw_loop_defer(l, &mark);
	while ((d = l->first) != &mark) {
		sw_defer_cancel(d);
		d->cb(d->arg);
	}
	sw_defer_cancel(&mark);
}

int sw_loop_turn(struct sw_loop *l, bool wait)
{
	int r;

	r = event_base_loop(l->base, EVLOOP_ONCE | (wait && !l->first ? 0 : EVLOOP_NONBLOCK));
	if (r < 0)
		return errno > 0 ? -errno : -EIO;
	loop_sweep(l);
	l->mono = 0;
	l->turns++;
	/* 1: nothing is registered at all; the next wait would spin. */
	return r == 1 && !l->first ? 1 : 0;
}

int sw_loop_run(struct sw_loop *l)
{
	int r = 0;

	while (!l->stop && r == 0)
		r = sw_loop_turn(l, true);
	l->stop = false;
	return r < 0 ? r : 0;
}

void sw_loop_stop(struct sw_loop *l)
{
	l->stop = true;
}

static void loop_read_clock(struct sw_loop *l)
{
	if (l->mono)
		return;
	l->mono = sw_clock_mono();
	l->wall = sw_clock_wall();
}

sw_dur sw_loop_mono(struct sw_loop *l)
{
	loop_read_clock(l);
	return l->mono;
}

sw_ms sw_loop_wall(struct sw_loop *l)
{
	loop_read_clock(l);
	return l->wall;
}

void sw_loop_defer(struct sw_loop *l, struct sw_defer *d)
{
	if (d->loop)
		return;
	d->loop = l;
	d->next = NULL;
	d->prev = l->last;
	if (l->last)
		l->last->next = d;
	else
		l->first = d;
	l->last = d;
}

void sw_defer_cancel(struct sw_defer *d)
{
	struct sw_loop *l = d->loop;

	if (!l)
		return;
	if (d->prev)
		d->prev->next = d->next;
	else
		l->first = d->next;
	if (d->next)
		d->next->prev = d->prev;
	else
		l->last = d->prev;
	d->loop = NULL;
	d->prev = d->next = NULL;
}

static void loop_on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct sw_loop_signal *s = arg;

	s->cb(s->arg);
}

int sw_loop_signal(struct sw_loop *l, int signo, sw_loop_cb cb, void *arg)
{
	struct sw_loop_signal *s = sw_calloc(1, sizeof *s);

	s->cb = cb;
	s->arg = arg;
	s->ev = evsignal_new(l->base, signo, loop_on_signal, s);
	if (!s->ev || event_add(s->ev, NULL) < 0) {
		if (s->ev)
			event_free(s->ev);
		free(s);
		return -EINVAL;
	}
	s->next = l->signals;
	l->signals = s;
	return 0;
}

static void timer_fired(evutil_socket_t fd, short what, void *arg)
{
	struct sw_timer *t = arg;

	t->cb(t->arg);
}

void sw_timer_init(struct sw_timer *t, struct sw_loop *l, sw_loop_cb cb, void *arg)
{
	t->cb = cb;
	t->arg = arg;
	SW_ASSERT(event_assign(&t->ev, l->base, -1, 0, timer_fired, t) == 0);
	t->ready = true;
}

void sw_timer_set(struct sw_timer *t, sw_dur after)
{
	struct timeval tv = { 0, 0 };

	if (after > 0) {
		tv.tv_sec = (time_t)(after / 1000);
		tv.tv_usec = (suseconds_t)(after % 1000) * 1000;
	}
	SW_ASSERT(t->ready && evtimer_add(&t->ev, &tv) == 0);
}

void sw_timer_stop(struct sw_timer *t)
{
	if (t->ready)
		(void)evtimer_del(&t->ev);
}

bool sw_timer_armed(const struct sw_timer *t)
{
	return t->ready && evtimer_pending(&t->ev, NULL);
}
