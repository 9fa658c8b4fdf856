/*
 * The journal for those who follow it: XREAD on a connection of its own.
 *
 *   call ──connection up?──▶ ends (when unsure) ──▶ XREAD at once ──▶ back with both
 *     │ no: waits            │ sure
 *     └──late: -ENOTCONN     └──▶ XREAD that waits ──▶ back
 *
 * A reply that does not come in time is asked for in smaller pieces. Unsure is: the first call, a connection that is new, a call before that was full (what is behind may be trimmed while it catches up),
 * and once a minute.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "bus/impl.h"
#include "shipwatch/clock.h"

#define JOURNAL_LOOK  SW_MINUTE
#define JOURNAL_REPLY (8u << 20)  /* bytes of a reply, about */
#define JOURNAL_LEAST 8u

static void journal_end(struct journal *j, int r, const struct sw_journal_line *lines, bool more)
{
	struct sw_journal_ends ends = { .first = j->first, .last = j->last, .length = j->length, .added = j->added, .lineage = j->lineage };
	sw_journal_cb cb = j->cb;
	bool have = j->have_ends;

	sw_timer_stop(&j->late);
	j->asked = j->have_ends = false;
	j->cb = NULL;
	cb(j->arg, r, lines, more, have && r >= 0 ? &ends : NULL);
}

static void journal_lines(struct journal *j, const struct sw_rep *list)
{
	static const struct sw_journal_line none;
	SW_CLEANUP(sw_freep) struct sw_journal_line *lines = NULL;
	size_t n = sw_rep_count(list), bytes = 0, k = 0;

	lines = n ? sw_calloc(n, sizeof *lines) : NULL;
	for (size_t i = 0; i < n; i++) {
		const struct sw_rep *e = sw_rep_at(list, i), *fields = sw_rep_at(e, 1);
		struct sw_journal_line *l = &lines[k++];

		*l = (struct sw_journal_line){ .id = sw_rep_str(sw_rep_at(e, 0), NULL), .json = "" };
		for (size_t f = 0; f + 1 < sw_rep_count(fields); f += 2)
			if (sw_streq(sw_rep_str(sw_rep_at(fields, f), NULL), "j"))
				l->json = sw_rep_str(sw_rep_at(fields, f + 1), &l->n);
		if (!l->id || !l->json) {
			k--;
			continue;
		}
		bytes += l->n;
	}
	if (k)
		j->mean = (j->mean + bytes / k) / (j->mean ? 2 : 1);
	if (n >= j->count)
		j->unsure = true;
	journal_end(j, (int)k, lines ? lines : &none, n >= j->count);
}

static void journal_reply(void *arg, int r, const struct sw_rep *rep)
{
	struct journal *j = arg;

	if (r < 0) {
		j->most = SW_MAX(j->most / 4, 1u); /* it may have been more than there was time for */
		j->unsure = true;
		journal_end(j, r, NULL, false);
		return;
	}
	j->most = SW_MIN(2 * j->most, (unsigned)SW_JOURNAL_MAX);
	if (j->have_ends)
		j->unsure = false;
	journal_lines(j, sw_rep_at(sw_rep_at(rep, 0), 1)); /* nil: nothing came */
}

static void journal_read(struct journal *j)
{
	struct sw_cmd cmd;
	bool wait = j->wait > 0 && !j->have_ends;

	j->count = SW_MIN(j->count, j->most);
	if (j->mean)
		j->count = SW_MIN(j->count, SW_MAX(JOURNAL_LEAST, (unsigned)(JOURNAL_REPLY / j->mean)));
	sw_cmd_plain(&cmd, "XREAD");
	sw_cmd_str(&cmd, "COUNT");
	sw_cmd_int(&cmd, j->count);
	if (wait) {
		sw_cmd_str(&cmd, "BLOCK");
		sw_cmd_int(&cmd, j->wait);
	}
	sw_cmd_str(&cmd, "STREAMS");
	sw_cmd_str(&cmd, "{sw}:journal");
	sw_cmd_str(&cmd, j->from);
	sw_link_send(j->link, &cmd, wait ? j->wait : 0, journal_reply, j);
}

static void journal_ends_reply(void *arg, int r, const struct sw_rep *rep)
{
	struct journal *j = arg;
	const char *first = sw_rep_str(sw_rep_at(rep, 0), NULL), *last = sw_rep_str(sw_rep_at(rep, 1), NULL), *lineage = sw_rep_str(sw_rep_at(rep, 4), NULL);

	if (r == 0 && (!first || !last || !lineage))
		r = -EPROTO;
	if (r < 0) {
		journal_end(j, r, NULL, false);
		return;
	}
	(void)snprintf(j->first, sizeof j->first, "%s", first);
	(void)snprintf(j->last, sizeof j->last, "%s", last);
	(void)snprintf(j->lineage, sizeof j->lineage, "%s", lineage);
	j->length = sw_rep_int(sw_rep_at(rep, 2));
	j->added = sw_rep_int(sw_rep_at(rep, 3));
	j->have_ends = true;
	j->looked = sw_clock_mono();
	journal_read(j);
}

static void journal_begin(struct journal *j)
{
	struct sw_cmd cmd;

	if (!j->cb || j->asked || !sw_link_up(j->link))
		return;
	sw_timer_stop(&j->late);
	j->asked = true;
	if (!j->unsure && sw_clock_mono() - j->looked < JOURNAL_LOOK) {
		journal_read(j);
		return;
	}
	sw_cmd_script(&cmd, SW_SCRIPT_JOURNAL);
	sw_link_send(j->link, &cmd, 0, journal_ends_reply, j);
}

static void journal_state(void *arg, bool up, const char *why)
{
	struct journal *j = arg;

	(void)why;
	j->unsure = true;
	if (up)
		journal_begin(j);
}

static void journal_late(void *arg)
{
	struct journal *j = arg;

	if (j->cb && !j->asked)
		journal_end(j, -ENOTCONN, NULL, false);
}

void remote_journal(struct sw_bus *bus, const char *from, unsigned count, sw_dur wait, sw_journal_cb cb, void *arg)
{
	struct journal *j = &remote_of(bus)->journal;

	SW_ASSERT(!j->cb && cb);
	j->cb = cb;
	j->arg = arg;
	j->count = count;
	j->wait = wait;
	(void)snprintf(j->from, sizeof j->from, "%s", from);
	if (!j->link)
		j->link = sw_link_new(j->b->client, journal_state, NULL, j);
	sw_timer_set(&j->late, SW_MAX(wait, j->b->opt.timeout));
	journal_begin(j);
}

void journal_init(struct remote *b)
{
	b->journal = (struct journal){ .b = b, .unsure = true, .most = SW_JOURNAL_MAX };
	sw_timer_init(&b->journal.late, b->loop, journal_late, &b->journal);
}

void journal_cancel(struct remote *b)
{
	if (b->journal.cb)
		journal_end(&b->journal, -ECANCELED, NULL, false);
	sw_timer_stop(&b->journal.late);
}
