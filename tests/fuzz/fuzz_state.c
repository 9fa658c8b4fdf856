/*
 * The engine with any messages in any order: lines of "<aggregate> <JSON>", each one step; a line that begins with "=" sets the
 * state of its aggregate instead. Whatever comes, a step ends, its new state is JSON and can be read again.
 */
#include <string.h>

#include "base/map.h"
#include "base/str.h"
#include "engine/engine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char rules_text[] =
	"signals: {db: {alertmanager: A}, size: {report: size}}\n"
	"rules:\n"
	"- {name: a, on: alarm, after: 2m, then: alert}\n"
	"- {name: d, on: deploy-to-prod, if: 'db == 1 for 2 checks', then: [alert, rollback]}\n"
	"- {name: z, on: deploy-to-prod, if: size > 5 for 2 checks, then: alert}\n"
	"- {name: h, on: deploy-to-prod, if: health is failing for 3 checks, then: [alert, rollback]}\n"
	"- {name: k, on: deploy-to-prod, if: 'deployment.sha =~ /^bad/', then: [alert, rollback: {approve: 1m, otherwise: proceed}]}\n"
	"- {name: v, on: deploy-to-prod, if: 'health.version != deployment.sha for 2m', then: alert}\n"
	"- {name: m, on: deploy-to-prod, if: 'changed(\"migrations/**\")', then: [alert, hold]}\n"
	"- {name: s, on: deploy-started, then: alert}\n"
	"- {name: f, on: deploy-failed, then: alert}\n"
	"- {name: r, on: pipeline-failed, after: 2m, if: branch == \"main\", then: alert}\n"
	"- {name: j, on: job, if: 'job.duration > 10m for 2 times', then: alert}\n"
	"- {name: t, on: tag, then: alert}\n"
	"- {name: p, on: push, then: alert}\n";

static struct sw_rules *rules;
static struct sw_place place = {
	.service = "web", .environment = "prod", .tier = "prod", .rollback = "undo", .rollbacks_30m = 1, .rollbacks_24h = 3,
	.health = { .url = "http://h/", .every = 1000, .timeout = 500, .grace = 2000, .background = 60000, .status_min = 200, .status_max = 299 },
};
static const struct sw_places places = { &place, 1 };
static const struct sw_engine_channel channels[] = {
	{ .name = "a", .fallback = "b", .credential = "a", .pace_count = 18, .pace_per = 60000, .digest_above = 5, .quota = 50 },
	{ .name = "b", .credential = "b" },
};
static const struct sw_engine_action actions[] = { { .name = "undo", .timeout = 30000 } };
static const char *const alerts[] = { "a", NULL };

static void one(const struct sw_engine *e, struct sw_map *states, struct sw_arena *keep, const char *aggregate, const char *json, sw_ms now)
{
	struct sw_arena a = { 0 };
	struct sw_jnode *msg, *state = NULL;
	const char *old = sw_map_get(states, aggregate);
	struct sw_step *out = SW_ARENA_NEW(&a, struct sw_step);
	struct sw_snapshot snaps[64];
	struct sw_err err = SW_ERR_INIT;

	if (sw_jtree_parse(&a, json, strlen(json), 5000, &msg, &err) == 0 &&
	    (!old || sw_jtree_parse(&a, old, strlen(old), 50000, &state, &err) == 0)) {
		const struct sw_jnode *msgs[] = { msg };
		struct sw_step_in in = { .aggregate = aggregate, .state = state, .msgs = msgs, .n_msgs = 1, .now = now, .snaps = snaps };

		for (int round = 0; round < 4; round++) {
			int r = sw_engine_step(e, &in, &a, out, &err);

			SW_ASSERT(r == 0 || err.text[0]);
			if (r < 0 || !out->n_needs)
				break;
			for (size_t i = 0; i < out->n_needs && in.n_snaps < SW_COUNT(snaps); i++) {
				const char *key = sw_arena_strdup(&a, out->needs[i]);

				snaps[in.n_snaps++] = (struct sw_snapshot){ key, sw_map_get(states, key) };
			}
		}
		if (out->state) {
			SW_ASSERT(sw_json_check(out->state, out->state_n, &err) == 0);
			SW_ASSERT(out->state_n < 1 << 20);
			(void)sw_map_set(states, aggregate, sw_arena_memdup(keep, out->state, out->state_n));
		}
	}
	sw_arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct sw_engine e = { .places = &places, .channels = channels, .n_channels = 2, .actions = actions, .n_actions = 1, .alerts = alerts };
	struct sw_map states = SW_MAP_INIT;
	struct sw_arena keep = { 0 };
	char *text = sw_arena_memdup(&keep, data, n), *save = NULL;
	sw_ms now = 1790000000000;

	if (!rules) {
		struct sw_diags d;
		struct sw_arena a = { 0 };

		sw_diags_init(&d, &a);
		SW_ASSERT(sw_rules_load_text("fuzz", rules_text, strlen(rules_text), NULL, &rules, &d) == 0);
		sw_arena_fini(&a);
	}
	e.rules = rules;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save), now += 700) {
		bool set = *line == '=';
		char *space = strchr(line, ' ');

		if (!space)
			continue;
		*space = '\0';
		if (set)
			(void)sw_map_set(&states, line + 1, space + 1);
		else
			one(&e, &states, &keep, line, space + 1, now);
	}
	sw_map_fini(&states);
	sw_arena_fini(&keep);
	return 0;
}
