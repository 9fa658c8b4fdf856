/* A configuration made ready for the engine: rules loaded, channels and actions as the engine sees them; and pinned rules. */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "shipwatch/clock.h"
#include "worker/inner.h"

#define LOG "worker/setup"
#define PINNED_MAX 256      /* sets of rules that watches were opened with; more are read again from Redis when wanted */

static struct sw_rules *setup_pinned(void *arg, const char *hash)
{
	struct worker *w = arg;

	return sw_map_get(&w->pinned, hash);
}

int sw_pinned_add(struct worker *w, const char *hash, const char *source)
{
	struct sw_err err = SW_ERR_INIT;
	struct sw_rules *r;
	int rc;

	if (sw_map_get(&w->pinned, hash))
		return 0;
	if (!source) {
		SW_ERROR(LOG, "rules %s, which a watch was opened with, are not in Redis any more", hash);
		return -ENOENT;
	}
	rc = sw_rules_load_source(source, strlen(source), &r, &err);
	if (rc < 0) {
		SW_ERROR(LOG, "rules %s, which a watch was opened with, cannot be read here: %s", hash, err.text);
		return -EINVAL;
	}
	if (w->pinned.n_live >= PINNED_MAX)
		sw_pinned_fini(w);
	(void)sw_map_set(&w->pinned, hash, r);
	return 0;
}

void sw_pinned_fini(struct worker *w)
{
	struct sw_map_entry *e;

	for (size_t i = 0; (e = sw_map_next(&w->pinned, &i)) != NULL;)
		sw_rules_put(e->value);
	sw_map_fini(&w->pinned);
	w->pinned = (struct sw_map)SW_MAP_INIT;
}

/* ---- what is written once ---- */

#define KEPT_BYTES ((size_t)64 << 20)

static const char *setup_kept(void *arg, const char *key)
{
	return sw_map_get(&((struct worker *)arg)->kept, key);
}

void sw_kept_fini(struct worker *w)
{
	struct sw_map_entry *e;

	for (size_t i = 0; (e = sw_map_next(&w->kept, &i)) != NULL;)
		free(e->value);
	sw_map_fini(&w->kept);
	w->kept = (struct sw_map)SW_MAP_INIT;
	w->kept_bytes = 0;
}

void sw_kept_add(struct worker *w, const char *key, const char *text)
{
	size_t n = text ? strlen(text) + 1 : 0;

	if (!text || !sw_starts(key, "past:") || sw_map_get(&w->kept, key))
		return;
	if (w->kept_bytes + n > KEPT_BYTES)
		sw_kept_fini(w); /* those in use are read once more */
	(void)sw_map_set(&w->kept, key, sw_strdup(text));
	w->kept_bytes += n;
}

static void setup_log(const struct sw_diags *d)
{
	for (const struct sw_diag *x = d->first; x; x = x->next)
		sw_log(x->warning ? SW_LOG_WARN : SW_LOG_ERROR, LOG, "%s", x->text);
}

void sw_worker_check_queries(const struct sw_rules *rules, struct sw_diags *d)
{
	for (size_t i = 0; i < rules->n_signals; i++) {
		const struct sw_signal_def *def = &rules->signals[i];
		struct sw_ynode at = { .file = def->file, .line = def->line, .col = 1 };

		for (const struct sw_signal *const *p = sw_signals; *p; p++) {
			struct sw_err err = SW_ERR_INIT;

			if ((*p)->check && (*p)->check(&def->query, &err) < 0)
				sw_diag_error(d, &at, "signal \"%s\": %s", def->name, err.text);
		}
	}
}

static int setup_rules(struct setup *s)
{
	const struct sw_config *c = s->cfg;
	struct sw_rules_names names = {
		.channels = (const char *const *)c->channel_names, .actions = (const char *const *)c->action_names,
		.people = (const char *const *)c->people_names, .limits = (const char *const *)c->limit_names,
		.targets = (const char *const *)c->target_names,
	};
	struct sw_diags d;
	int r;

	sw_diags_init(&d, &s->a);
	if (c->rules)
		r = sw_rules_load((const char *const *)c->rules, &names, &s->rules, &d);
	else
		r = sw_rules_load_text("<safe rules>", sw_rules_safe, strlen(sw_rules_safe), NULL, &s->rules, &d);
	if (r == 0)
		sw_worker_check_queries(s->rules, &d);
	setup_log(&d);
	return d.errors ? -EINVAL : r;
}

int sw_setup_new(struct worker *w, struct sw_config *cfg, struct setup **ret)
{
	struct setup *s = sw_calloc(1, sizeof *s);
	struct sw_engine *e = &s->engine;
	struct sw_engine_channel *chans;
	struct sw_engine_action *acts;
	int r;

	s->refs = 1;
	s->cfg = sw_config_get(cfg);
	r = setup_rules(s);
	if (r < 0) {
		sw_setup_put(s);
		return r;
	}
	chans = SW_ARENA_ARRAY(&s->a, struct sw_engine_channel, cfg->n_channels + 1);
	for (size_t i = 0; i < cfg->n_channels; i++) {
		const struct sw_conf_channel *c = &cfg->channels[i];

		chans[i] = (struct sw_engine_channel){
			.name = c->name, .fallback = c->fallback, .credential = c->credential,
			.pace_count = c->plugin->rate.count, .pace_per = c->plugin->rate.per,
			.digest_above = (int)c->digest_above, .program = c->plugin->program,
			.quota = c->plugin->quota ? c->plugin->quota(c->conf) : 0,
		};
	}
	acts = SW_ARENA_ARRAY(&s->a, struct sw_engine_action, cfg->n_actions + 1);
	for (size_t i = 0; i < cfg->n_actions; i++) {
		const struct sw_conf_action *c = &cfg->actions[i];

		acts[i] = (struct sw_engine_action){ .name = c->name, .dry_run = c->dry_run || cfg->dry_run, .timeout = c->timeout,
			                              .needs_good = c->plugin->needs_good && c->plugin->needs_good(c->conf) };
	}
	*e = (struct sw_engine){
		.places = &cfg->places, .rules = s->rules, .pinned = setup_pinned, .kept = setup_kept, .reference = cfg->reference != NULL, .arg = w,
		.channels = chans, .n_channels = cfg->n_channels, .actions = acts, .n_actions = cfg->n_actions,
		.alerts = (const char *const *)cfg->alerts, .log_url = cfg->log_url, .public_url = cfg->dashboard.set ? cfg->public_url : NULL,
		.maintenance = cfg->maintenance, .n_maintenance = cfg->n_maintenance,
		.tz_offset_s = sw_config_tz_offset(cfg, sw_clock_wall()), .stuck_after = cfg->stuck_after,
	};
	*ret = s;
	return 0;
}

struct setup *sw_setup_get(struct setup *s)
{
	s->refs++;
	return s;
}

struct setup *sw_setup_put(struct setup *s)
{
	if (!s || --s->refs > 0)
		return NULL;
	if (s->rules)
		s->rules = sw_rules_put(s->rules);
	s->cfg = sw_config_put(s->cfg);
	sw_arena_fini(&s->a);
	free(s);
	return NULL;
}
