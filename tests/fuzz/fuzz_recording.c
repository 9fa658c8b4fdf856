/*
 * Recordings: whatever the lines, each is taken or told; what was taken is in order, can be asked, and makes places and a truth
 * that holds together.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/replay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_series(const struct recording *r)
{
	for (size_t i = 0; i < r->n_series; i++) {
		const struct rec_series *s = &r->series[i];

		SW_ASSERT(sw_recording_series(r, s->place, s->signal) == s);
		SW_ASSERT(!sw_recording_at(s, s->items[0].at - 1, SW_DAY));
		for (size_t k = 0; k < s->n; k++) {
			SW_ASSERT(k == 0 || s->items[k - 1].at < s->items[k].at);
			SW_ASSERT(sw_recording_at(s, s->items[k].at, 1) == &s->items[k]);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *p = (const char *)data, *end = p + n;
	struct sw_arena a = { 0 };
	struct recording r;
	struct replay_truth truth;
	struct sw_places places;
	struct sw_event ev;

	sw_recording_init(&r);
	while (p < end) {
		const char *eol = memchr(p, '\n', (size_t)(end - p)) ? memchr(p, '\n', (size_t)(end - p)) : end;
		struct sw_err err = SW_ERR_INIT;

		if (sw_recording_line(&r, p, (size_t)(eol - p), &err) < 0)
			SW_ASSERT(err.text[0]);
		p = eol + 1;
	}
	sw_recording_finish(&r);
	check_series(&r);
	for (size_t i = 0; i < r.n_events; i++) {
		SW_ASSERT(i == 0 || r.events[i - 1].at <= r.events[i].at);
		SW_ASSERT(sw_recording_event(&r.events[i], &a, &ev) && ev.kind != SW_EV_NONE);
	}
	places = sw_replay_places(&r, &a);
	sw_replay_truth(&r, &places, 0, &truth);
	SW_ASSERT(truth.bad <= truth.n && truth.labelled + truth.rolled_back <= truth.n);
	free(truth.items);
	sw_recording_fini(&r);
	sw_arena_fini(&a);
	return 0;
}
