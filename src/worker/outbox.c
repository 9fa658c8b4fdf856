/* Results of I/O on their way to the stream of work: kept here until the bus has taken them. */
#include <errno.h>
#include <string.h>

#include "shipwatch/clock.h"
#include "worker/inner.h"

#define LOG "worker/outbox"
#define ITEMS_MAX 10000     /* results waiting while Redis is away; the engine's own deadlines cover what is dropped */

struct outbox_item {
	struct worker *w;
	struct outbox_item *next, **link;
	struct sw_timer timer;
	char *aggregate, *settle;
	bool keen;
	unsigned tries;
	char msg[];
};

static void item_free(struct outbox_item *it)
{
	*it->link = it->next;
	if (it->next)
		it->next->link = it->link;
	sw_timer_stop(&it->timer);
	free(it->aggregate);
	free(it->settle);
	free(it);
}

static void item_try(void *arg);

static void item_done(void *arg, int r)
{
	struct outbox_item *it = arg;
	struct worker *w = it->w;

	if (r >= 0 || !it->keen || r == -ECANCELED) {
		if (r < 0 && r != -ECANCELED)
			SW_DEBUG(LOG, "a result for %s is lost: %s", it->aggregate, strerror(-r));
		if (r >= 0 && it->settle)
			sw_do_settle(w, it->settle);
		item_free(it);
		sw_worker_settled(w);
		return;
	}
	if (it->tries++ == 0)
		SW_WARN(LOG, "result for %s not taken: %s, trying again", it->aggregate, strerror(-r));
	sw_timer_set(&it->timer, SW_MIN((sw_dur)100 << SW_MIN(it->tries, 6u), 5 * SW_SECOND));
}

static void item_try(void *arg)
{
	struct outbox_item *it = arg;

	sw_bus_append(it->w->bus, it->aggregate, it->msg, item_done, it);
}

void sw_outbox_append(struct worker *w, const char *aggregate, const char *msg, bool keen, const char *settle)
{
	size_t n = strlen(msg) + 1;
	struct outbox_item *it;

	if (w->ios > ITEMS_MAX && !keen)
		return;
	it = sw_calloc(1, sizeof *it + n);
	it->w = w;
	it->keen = keen;
	it->aggregate = sw_strdup(aggregate);
	it->settle = sw_strdup(settle);
	memcpy(it->msg, msg, n);
	it->next = w->outbox;
	it->link = &w->outbox;
	if (it->next)
		it->next->link = &it->next;
	w->outbox = it;
	w->ios++;
	sw_timer_init(&it->timer, w->loop, item_try, it);
	item_try(it);
}

void sw_outbox_fini(struct worker *w)
{
	while (w->outbox)
		item_free(w->outbox);
}
