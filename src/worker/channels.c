/*
 * Channels as /metrics shows them: can it be used, how much waits for it. Their state is anybody's who makes a step of theirs, so
 * each worker looks once a minute, and after steps of its own at once.
 */
#include <string.h>

#include "base/str.h"
#include "worker/inner.h"

#define NODES 10000

void sw_channels_seen(struct worker *w, const char *channel, const char *state, size_t n)
{
	struct sw_arena a = { 0 };
	struct sw_jnode *node;

	if (!state || sw_jtree_parse(&a, state, n, NODES, &node, NULL) < 0)
		sw_meters_channel(w, channel, false, 0);
	else
		sw_meters_channel(w, channel, sw_jget(node, "down") != NULL, sw_jint(sw_jget(node, "waiting"), "total", 0));
	sw_arena_fini(&a);
}

struct look { struct worker *w; char channel[]; };

static void channel_loaded(void *arg, int r, const struct sw_loaded *ld)
{
	struct look *x = arg;

	if (r == 0)
		sw_channels_seen(x->w, x->channel, ld->state, ld->state_n);
	free(x);
}

void sw_channels_tick(struct worker *w)
{
	const struct sw_config *c = w->setup->cfg;

	for (size_t i = 0; i < c->n_channels; i++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
		size_t n = strlen(c->channels[i].name) + 1;
		struct look *x = sw_malloc(sizeof *x + n);

		x->w = w;
		memcpy(x->channel, c->channels[i].name, n);
		sw_buf_printf(&b, "channel:%s", x->channel);
		sw_bus_load(w->bus, &(struct sw_load){ .aggregate = sw_buf_str(&b) }, channel_loaded, x);
	}
}
