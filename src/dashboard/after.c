/* Hands on what the recorder says to the two that have something to do then. */
#include "dashboard/after.h"

#include <stdlib.h>

#include "dashboard/explained.h"
#include "dashboard/pusher.h"
#include "shipwatch/mem.h"

struct sw_after {
	struct sw_loop *loop;
	const struct sw_after_options *opt;
	struct sw_explained_options explain;
	struct sw_explained *explained;
	struct sw_pusher *pusher;
	struct sw_store *store;
	bool ready;                  /* the history caught up: what is in it is not long ago */
};

static void after_stored(void *arg)
{
	struct sw_after *a = arg;

	if (a->opt->touched)
		a->opt->touched(a->opt->arg, SW_TOUCHED_WATCHES);
}

static void after_begin(struct sw_after *a)
{
	sw_explained_store(a->explained, a->ready ? a->store : NULL);
	sw_pusher_store(a->pusher, a->ready ? a->store : NULL);
}

int sw_after_new(struct sw_loop *loop, struct sw_config *cfg, const struct sw_after_options *opt, struct sw_after **ret)
{
	struct sw_after *a = sw_calloc(1, sizeof *a);
	int r;

	a->loop = loop;
	a->opt = opt;
	a->explain = (struct sw_explained_options){ .config_path = opt->config_path, .redis_url = opt->redis_url, .stored = after_stored, .arg = a };
	r = sw_explained_new(loop, &a->explain, &a->explained);
	if (r == 0)
		r = sw_pusher_new(loop, cfg, opt->push, &a->pusher);
	if (r < 0) {
		sw_after_free(a);
		return r;
	}
	*ret = a;
	return 0;
}

void sw_after_free(struct sw_after *a)
{
	if (!a)
		return;
	sw_explained_free(a->explained);
	sw_pusher_free(a->pusher);
	free(a);
}

void sw_after_config(struct sw_after *a, struct sw_config *cfg)
{
	struct sw_pusher *p;

	if (sw_pusher_new(a->loop, cfg, a->opt->push, &p) < 0)
		return; /* it goes on as it was */
	sw_pusher_free(a->pusher);
	a->pusher = p;
	sw_pusher_store(p, a->ready ? a->store : NULL);
}

void sw_after_store(struct sw_after *a, struct sw_store *s)
{
	a->store = s;
	after_begin(a);
}

void sw_after_touched(struct sw_after *a, unsigned bits, bool caught_up)
{
	if (caught_up && !a->ready) {
		a->ready = true;
		after_begin(a);
	}
	if (!a->ready)
		return;
	if (bits & SW_TOUCHED_WATCHES)
		sw_explained_look(a->explained);
	if (bits & SW_TOUCHED_BUILDS)
		sw_pusher_look(a->pusher);
}
