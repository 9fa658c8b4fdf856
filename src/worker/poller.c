/*
 * The poller: asks a place for one signal and sends what it found as `samples`. A question that cannot be asked is an answer too
 * ("absent" or "error" with the reason), so that the engine sees missing data as missing and not as silence.
 */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "shipwatch/clock.h"
#include "worker/inner.h"

#define LOG "worker/poller"
#define TEXT_MAX 300

struct probe {
	struct worker *w;
	struct setup *setup;
	struct sw_arena a;
	const char *aggregate, *source, *deployment;
	const struct sw_signal *plugin;
	const void *conf;
	struct sw_target target;
};

static void probe_end(struct probe *p, const struct sw_samples *ss)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct worker *w = p->w;
	struct sw_jw jw;

	sw_jw_init(&jw, &b);
	sw_jw_obj(&jw, NULL);
	sw_jw_str(&jw, "t", "samples");
	sw_jw_str(&jw, "dep", p->deployment);
	sw_jw_arr(&jw, "items");
	for (size_t i = 0; i < ss->n; i++) {
		const struct sw_sample *s = &ss->items[i];

		sw_jw_obj(&jw, NULL);
		sw_jw_str(&jw, "signal", s->signal);
		sw_jw_int(&jw, "at", s->at);
		sw_jw_str(&jw, "r", sw_reading_name(s->reading));
		if (s->reading == SW_R_OK)
			sw_jw_num(&jw, "v", s->value);
		if (s->text)
			sw_jw_str(&jw, "text", sw_arena_strndup(&p->a, s->text, sw_utf8_cut(s->text, strlen(s->text), TEXT_MAX)));
		sw_jw_obj_end(&jw);
		sw_meters_probe(w, p->source, sw_reading_name(s->reading));
		SW_DEBUG(LOG, "%s: %s %s%s%s", p->aggregate, s->signal,
		         s->reading != SW_R_OK ? sw_reading_name(s->reading) : s->value > 0 ? "healthy" : "failing",
		         s->text ? ": " : "", s->text ? s->text : "");
	}
	sw_jw_arr_end(&jw);
	sw_jw_obj_end(&jw);
	sw_outbox_append(w, p->aggregate, sw_buf_str(&b), false, NULL);
	sw_setup_put(p->setup);
	sw_arena_fini(&p->a);
	free(p);
	sw_worker_settled(w);
}

static void probe_none(struct probe *p, enum sw_reading r, const char *why)
{
	struct sw_samples ss = { .a = &p->a };
	struct sw_sample *s = sw_samples_add(&ss, p->source, sw_bus_now(p->w->bus), r, 0);

	s->text = why;
	probe_end(p, &ss);
}

static void probe_did(void *arg, const struct sw_result *res)
{
	struct probe *p = arg;
	struct sw_samples ss = { .a = &p->a };
	struct sw_err err = SW_ERR_INIT;

	if (p->plugin->read(p->conf, &p->target, res, &ss, &err) < 0 || !ss.n)
		probe_none(p, SW_R_ERROR, err.text[0] ? err.text : "no answer that can be read");
	else
		probe_end(p, &ss);
}

void sw_poller_run(struct worker *w, struct setup *setup, const char *aggregate, const struct sw_io *io)
{
	struct probe *p = sw_calloc(1, sizeof *p);
	struct sw_err err = SW_ERR_INIT;
	const struct sw_place *place = NULL;
	struct sw_job job = { 0 };

	w->ios++;
	p->w = w;
	p->setup = sw_setup_get(setup);
	p->aggregate = sw_arena_strdup(&p->a, aggregate);
	p->source = sw_arena_strdup(&p->a, io->source);
	p->deployment = sw_arena_strdup(&p->a, io->deployment);
	p->target.sha = sw_arena_strdup(&p->a, io->sha);
	p->target.version = sw_arena_strdup(&p->a, io->version);
	p->plugin = sw_signal_find(io->source);
	if (sw_place_of_aggregate(&p->a, aggregate, &p->target.service, &p->target.environment))
		place = sw_places_find(&setup->cfg->places, p->target.service, p->target.environment, &p->a);
	if (!place || !p->plugin || !place->health.url) {
		probe_none(p, SW_R_ABSENT, "nothing to ask is configured");
		return;
	}
	p->conf = &place->health;
	if (p->plugin->ask(p->conf, &p->target, sw_bus_now(w->bus), &p->a, &job, &err) < 0) {
		probe_none(p, SW_R_ERROR, err.text);
		return;
	}
	sw_do_job(w, &job, &(struct sw_do_for){ 0 }, probe_did, p);
}
