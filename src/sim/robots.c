/* What one robot bears, in virtual time: held, or so many messages in a time. The same as scripts/commit.lua has it. */
#include <stdlib.h>
#include <string.h>

#include "sim/sim.h"

static struct sim_robot *robot_get(struct sim_world *w, const char *credential)
{
	struct sim_robot *r = sw_map_get(&w->robots, credential);

	if (!r) {
		r = sw_calloc(1, sizeof *r);
		(void)sw_map_set(&w->robots, credential, r);
	}
	return r;
}

static sw_dur robot_room(const struct sim_robot *r, int count, sw_dur within, sw_ms now)
{
	return count > 0 && r->n >= (size_t)count ? SW_MAX(r->sent[r->n - (size_t)count] + within - now, 0) : 0;
}

const char *sw_sim_robot_guard(struct sim_world *w, const struct sw_step *out, sw_dur *wait)
{
	const struct sim_robot *r;

	if (!out->pace_credential)
		return NULL;
	r = robot_get(w, out->pace_credential);
	*wait = r->hold_until - w->now;
	if (*wait > 0)
		return "held";
	*wait = SW_MAX(robot_room(r, out->pace_count, out->pace_per, w->now), robot_room(r, out->pace_calm, SW_MINUTE, w->now));
	return *wait > 0 ? "paced" : NULL;
}

void sw_sim_robot_commit(struct sim_world *w, const struct sw_step *out)
{
	struct sim_robot *r;

	w->calls = 0;
	if (out->pace_credential) {
		r = robot_get(w, out->pace_credential);
		if (r->n == SW_COUNT(r->sent))
			memmove(r->sent, r->sent + 1, --r->n * sizeof r->sent[0]);
		r->sent[r->n++] = w->now;
		if (out->pace_month)
			r->calls = r->month == out->pace_month ? r->calls + 1 : 1;
		r->month = out->pace_month ? out->pace_month : r->month;
		w->calls = out->pace_month ? r->calls : 0;
	}
	if (out->hold_credential) {
		r = robot_get(w, out->hold_credential);
		r->hold_until = SW_MAX(r->hold_until, out->hold_until);
	}
}
