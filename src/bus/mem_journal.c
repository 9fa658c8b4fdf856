/* The bus in memory: its journal, of which the newest lines are kept. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "bus/mem.h"

#define MEM_LINES 10000
#define MEM_BYTES ((size_t)64 << 20)

static void line_drop(struct mem_journal *j)
{
	struct mem_line *l = j->first;

	j->first = l->next;
	if (!j->first)
		j->last = NULL;
	j->n--;
	j->bytes -= l->n;
	free(l);
}

/* Behind `from`? Ids are of digits and one dash. */
static bool line_after(const struct mem_line *l, const char *from)
{
	char *end;
	long long ms = strtoll(from, &end, 10), seq = *end == '-' ? strtoll(end + 1, NULL, 10) : 0;

	return l->ms > ms || (l->ms == ms && l->seq > seq);
}

sw_dur mem_journal_waits(const struct mem *m, const char *from)
{
	const struct mem_line *l = m->journal.first;

	while (l && !line_after(l, from))
		l = l->next;
	return l ? mem_now(m) - l->ms : 0;
}

static void mem_run_journal(struct mem_late *l)
{
	static const struct sw_journal_line none;

	l->cb.journal(l->arg, l->r, l->lines ? l->lines : &none, l->number != 0, l->r >= 0 ? l->ends : NULL);
}

static void journal_ends(struct mem *m, struct mem_late *late)
{
	struct mem_journal *j = &m->journal;

	late->ends = SW_ARENA_NEW(&late->arena, struct sw_journal_ends);
	*late->ends = (struct sw_journal_ends){ .first = j->first ? sw_arena_strdup(&late->arena, j->first->id) : "0-0",
	                                        .last = sw_arena_printf(&late->arena, "%lld-%lld", (long long)j->last_ms, (long long)j->last_seq),
	                                        .length = j->n, .added = j->added, .lineage = "memory" };
}

/* Answers the call with what there is. */
static void journal_answer(struct mem *m)
{
	struct mem_journal *j = &m->journal;
	struct mem_late *late = mem_late(m, mem_run_journal, j->arg, 0);
	struct sw_journal_line *lines = SW_ARENA_ARRAY(&late->arena, struct sw_journal_line, j->count);
	const struct mem_line *l = j->first;
	unsigned n = 0;

	late->cb.journal = j->cb;
	if (j->unsure)
		journal_ends(m, late);
	for (; l && n < j->count; l = l->next)
		if (line_after(l, j->from))
			lines[n++] = (struct sw_journal_line){ .id = sw_arena_strdup(&late->arena, l->id), .json = sw_arena_strndup(&late->arena, l->json, l->n), .n = l->n };
	late->lines = lines;
	late->r = (int)n;
	j->unsure = n >= j->count;
	late->number = j->unsure;
	j->cb = NULL;
	sw_timer_stop(&j->late);
}

static void journal_late(void *arg)
{
	struct mem *m = arg;

	if (m->journal.cb)
		journal_answer(m);
}

void mem_note(struct mem *m, const char *json)
{
	struct mem_journal *j = &m->journal;
	size_t n = strlen(json);
	struct mem_line *l = sw_malloc(sizeof *l + n + 1);
	sw_ms now = SW_MAX(mem_now(m), j->last_ms);

	j->last_seq = now == j->last_ms ? j->last_seq + 1 : 0;
	j->last_ms = now;
	*l = (struct mem_line){ .ms = now, .seq = j->last_seq, .n = n };
	(void)snprintf(l->id, sizeof l->id, "%lld-%lld", (long long)l->ms, (long long)l->seq);
	memcpy(l->json, json, n + 1);
	*(j->last ? &j->last->next : &j->first) = l;
	j->last = l;
	j->n++;
	j->added++;
	j->bytes += n;
	while (j->n > 1 && (j->n > MEM_LINES || j->bytes > MEM_BYTES))
		line_drop(j);
	if (j->cb)
		journal_answer(m);
}

void mem_journal(struct sw_bus *bus, const char *from, unsigned count, sw_dur wait, sw_journal_cb cb, void *arg)
{
	struct mem *m = mem_of(bus);
	struct mem_journal *j = &m->journal;

	SW_ASSERT(!j->cb && cb);
	j->unsure |= !j->asked;
	j->asked = true;
	j->cb = cb;
	j->arg = arg;
	j->count = count;
	(void)snprintf(j->from, sizeof j->from, "%s", from);
	if (j->unsure || wait <= 0 || !m->loop || (j->last && line_after(j->last, from))) {
		journal_answer(m);
		return;
	}
	if (!j->late.ready)
		sw_timer_init(&j->late, m->loop, journal_late, m);
	sw_timer_set(&j->late, wait);
}

void mem_journal_fini(struct mem *m)
{
	struct mem_journal *j = &m->journal;

	if (j->cb) {
		struct mem_late *late = mem_late(m, mem_run_journal, j->arg, -ECANCELED);

		late->cb.journal = j->cb;
		j->cb = NULL;
	}
	if (j->late.ready)
		sw_timer_stop(&j->late);
	while (j->first)
		line_drop(j);
}
