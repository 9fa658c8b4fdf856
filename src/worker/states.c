/*
 * States just committed, kept for the answer that is on its way: a probe's samples come milliseconds after the step that asked, and
 * nearly always the state is still what that step wrote. So they need no load: the commit compares the version, and when somebody
 * was faster the lane loads as ever.
 *
 * A kept state is used once and for two seconds at most, since what is kept with it (which services fail, whether everything is on
 * hold) is of the time it was loaded.
 */
#include "shipwatch/clock.h"
#include "worker/inner.h"

#define STATE_FOR   (2 * SW_SECOND)
#define STATES_MAX  2048
#define STATES_SIZE ((size_t)16 << 20)

static void state_drop(struct worker *w, struct sw_kept_state *k)
{
	*k->link = k->next;
	if (k->next)
		k->next->link = k->link;
	else
		w->states_last = k->link;
	w->n_states--;
	w->states_bytes -= k->n;
	(void)sw_map_del(&w->states, k->aggregate);
}

void sw_kept_state_free(struct sw_kept_state *k)
{
	if (!k)
		return;
	free(k->aggregate);
	free(k->state);
	free(k->fails);
	free(k->hold);
	free(k);
}

static void state_end(struct worker *w, struct sw_kept_state *k)
{
	state_drop(w, k);
	sw_kept_state_free(k);
}

void sw_states_keep(struct worker *w, const char *aggregate, const struct sw_loaded *ld)
{
	struct sw_kept_state *k = sw_map_get(&w->states, aggregate);
	sw_dur now = sw_clock_mono();

	if (k)
		state_end(w, k);
	while ((k = w->states_first) && (now - k->at > STATE_FOR || w->n_states >= STATES_MAX || w->states_bytes >= STATES_SIZE))
		state_end(w, k); /* nobody came for it */
	k = sw_calloc(1, sizeof *k);
	*k = (struct sw_kept_state){
		.aggregate = sw_strdup(aggregate), .v = ld->v, .state = sw_strndup(ld->state, ld->state_n), .n = ld->state_n,
		.fails = sw_strdup(ld->fails), .hold = sw_strdup(ld->hold), .at = now,
	};
	if (!w->states_last)
		w->states_last = &w->states_first;
	k->link = w->states_last;
	*k->link = k;
	w->states_last = &k->next;
	w->n_states++;
	w->states_bytes += k->n;
	(void)sw_map_set(&w->states, k->aggregate, k);
}

struct sw_kept_state *sw_states_take(struct worker *w, const char *aggregate)
{
	struct sw_kept_state *k = sw_map_get(&w->states, aggregate);

	if (!k)
		return NULL;
	state_drop(w, k);
	if (sw_clock_mono() - k->at <= STATE_FOR)
		return k;
	sw_kept_state_free(k);
	return NULL;
}

void sw_states_fini(struct worker *w)
{
	struct sw_kept_state *k;

	while ((k = w->states_first))
		state_end(w, k);
	sw_map_fini(&w->states);
	w->states = (struct sw_map)SW_MAP_INIT;
}
