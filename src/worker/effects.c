/* What a step decided: as one change for the bus; and, once that is committed, what is told, counted and started. */
#include <string.h>

#include "base/hmac.h"
#include "base/str.h"
#include "shipwatch/log.h"
#include "worker/inner.h"

/* What a step cannot have: nobody can guess it. */
static const char *effects_random(struct sw_arena *a)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	unsigned char bytes[SW_ASK_KEY_DIGITS / 2];

	sw_random(bytes, sizeof bytes);
	sw_hex_encode(&b, bytes, sizeof bytes);
	return sw_arena_strdup(a, sw_buf_str(&b));
}

void sw_effects_change(const struct sw_step *s, struct sw_arena *a, struct sw_change *ret)
{
	struct sw_tell *tells = SW_ARENA_ARRAY(a, struct sw_tell, s->n_tells + 1);
	struct sw_timer_set *timers = SW_ARENA_ARRAY(a, struct sw_timer_set, s->n_timers + 1);
	struct sw_ring_add *rings = SW_ARENA_ARRAY(a, struct sw_ring_add, s->n_rings + 1);
	struct sw_keep *keeps = SW_ARENA_ARRAY(a, struct sw_keep, s->n_keeps + 1);

	for (size_t i = 0; i < s->n_tells; i++)
		tells[i] = (struct sw_tell){ s->tells[i].aggregate, s->tells[i].msg };
	for (size_t i = 0; i < s->n_timers; i++)
		timers[i] = (struct sw_timer_set){ s->timers[i].name, s->timers[i].due };
	for (size_t i = 0; i < s->n_rings; i++)
		rings[i] = (struct sw_ring_add){ s->rings[i].ring, s->rings[i].bytes, sizeof s->rings[i].bytes };
	for (size_t i = 0; i < s->n_keeps; i++)
		keeps[i] = (struct sw_keep){ .key = s->keeps[i].key, .value = s->keeps[i].value ? s->keeps[i].value : effects_random(a), .ttl = s->keeps[i].ttl };
	*ret = (struct sw_change){
		.state = s->state, .state_n = s->state_n, .ttl = s->ttl,
		.timers = timers, .n_timers = s->n_timers, .tells = tells, .n_tells = s->n_tells,
		.rings = rings, .n_rings = s->n_rings, .keeps = keeps, .n_keeps = s->n_keeps, .journal = s->journal,
		.fails_add = s->fails_add, .fails_del = s->fails_del,
		.rules_hash = s->pin ? s->pin->hash : NULL, .rules_source = s->pin ? s->pin->source : NULL,
		.rules_source_n = s->pin ? s->pin->source_n : 0,
		.start_action = s->start_action, .start_place = s->start_place,
		.pace_credential = s->pace_credential, .pace_count = s->pace_count, .pace_per = s->pace_per, .pace_calm = s->pace_calm, .pace_month = s->pace_month,
		.hold_credential = s->hold_credential, .hold_until = s->hold_until,
		.dead_reason = s->dead_reason, .dead_body = s->dead_body,
	};
}

static void effects_notes(struct worker *w, const char *aggregate, const struct sw_jnode *ev, const struct sw_step *s, struct sw_arena *a)
{
	static const enum sw_log_level levels[] = {
		[SW_NOTE_DEBUG] = SW_LOG_DEBUG, [SW_NOTE_INFO] = SW_LOG_INFO, [SW_NOTE_WARN] = SW_LOG_WARN, [SW_NOTE_ERROR] = SW_LOG_ERROR,
	};
	struct sw_log_ids ids = { 0 };

	sw_ids_of_aggregate(a, aggregate, &ids);
	ids.event_id = sw_jstr(ev, "event_id");
	for (size_t i = 0; i < s->n_notes; i++) {
		ids.ci_run_id = s->notes[i].ci_run_id ? s->notes[i].ci_run_id : sw_jstr(ev, "ci_run_id");
		ids.watch_id = s->notes[i].watch_id;
		sw_log_ids_set(&ids);
		sw_log(levels[s->notes[i].level], "engine", "%s", s->notes[i].text);
	}
	sw_log_ids_set(NULL);
	for (size_t i = 0; i < s->n_tallies; i++)
		sw_meters_tally(w, s->tallies[i].what, s->tallies[i].label);
}

void sw_effects_begin(struct worker *w, struct setup *setup, const char *aggregate, const struct sw_jnode *ev, const struct sw_step *s,
                      struct sw_arena *a)
{
	effects_notes(w, aggregate, ev, s, a);
	if (s->state && sw_starts(aggregate, "channel:"))
		sw_channels_seen(w, aggregate + strlen("channel:"), s->state, s->state_n);
	for (size_t i = 0; i < s->n_keeps; i++)
		sw_kept_add(w, s->keeps[i].key, s->keeps[i].value);
	for (size_t i = 0; i < s->n_timers; i++)
		if (s->timers[i].due)
			sw_worker_wake_at(w, s->timers[i].due);
	for (size_t i = 0; i < s->n_ios; i++) {
		const struct sw_io *io = &s->ios[i];

		switch (io->kind) {
		case SW_IO_PROBE:
		case SW_IO_PAST:
			sw_poller_run(w, setup, aggregate, io);
			break;
		case SW_IO_DELIVER:
			sw_courier_run(w, setup, aggregate, io, s->calls);
			break;
		case SW_IO_ACT:
			sw_actor_run(w, setup, aggregate, io);
			break;
		}
	}
}
