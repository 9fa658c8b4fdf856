/*
 * An entry of the journal, read once from its front to its end:
 *
 *   {"at":…,"event_id":…,"source":…,"events":[…]}             a delivery was taken in          → events, builds
 *   {"at":…,"agg":"place:web/prod","in":[…],…,"recs":[…]}     a step                           → readings, decisions; records
 *   {"t":"hold","on":true,"scope":…,"who":…}, {"t":…,"who":…} what somebody did beside a step  → decisions
 *
 * Members come in the order they are written; a list that stands before what it is about is read again at the end. What is of no
 * interest is passed over, not read.
 */
#include <string.h>

#include "base/str.h"
#include "dashboard/fold_inner.h"

#define ENTRY_MAX ((size_t)4 << 20) /* bytes of one entry */

typedef void (*piece_fn)(struct fold *f, struct entry *e, const struct sw_jnode *node, struct raw raw);

static void entry_in(struct fold *f, struct entry *e, const struct sw_jnode *msg, struct raw raw)
{
	const char *t = sw_jstr(msg, "t");

	if (sw_streq(t, "cmd")) {
		sw_fold_cmd(f, e, msg, raw);
	} else if (e->service) {
		if (sw_streq(t, "samples"))
			sw_fold_samples(f, e, msg);
		else if (sw_streq(t, "fact"))
			sw_fold_fact(f, e, msg);
		else if (sw_streq(t, "told"))
			sw_fold_told(f, e, msg);
	}
}

/* Each piece of a list. Return: 0; -EINVAL: it is none, or not JSON. */
static int entry_list(struct fold *f, struct entry *e, struct sw_json *j, size_t n, piece_fn fn)
{
	struct sw_jnode *node;
	struct raw raw;
	int r = 0;

	if (sw_json_next(j) != SW_JSON_ARRAY)
		return -1;
	for (e->n = 0; f->r == 0; e->n++) {
		r = sw_jtree_next(j, &f->a, n, &node, &raw.p, &raw.n, NULL);
		if (r <= 0)
			break;
		fn(f, e, node, raw);
	}
	return r;
}

/* Only places have more than commands that matter in what came in. */
static int entry_inputs(struct fold *f, struct entry *e, struct sw_json *j, size_t n)
{
	struct sw_json behind = *j;

	if (sw_json_next(&behind) != SW_JSON_ARRAY || sw_json_skip(&behind) < 0)
		return -1;
	if (!sw_starts(e->agg, "place:") && !memmem(j->p, (size_t)(behind.p - j->p), "\"cmd\"", 5)) {
		*j = behind;
		return 0;
	}
	return entry_list(f, e, j, n, entry_in);
}

static const char *entry_text(struct fold *f, struct sw_json *j)
{
	enum sw_json_token tok = sw_json_next(j);

	if (tok == SW_JSON_STRING)
		return sw_json_text(j, &f->a);
	if (tok == SW_JSON_OBJECT || tok == SW_JSON_ARRAY)
		(void)!sw_json_skip(j);
	return NULL;
}

/* "place:web/prod": names of environments may hold slashes, those of services do not. */
static void entry_agg(struct fold *f, struct entry *e, const char *agg)
{
	const char *slash;

	e->agg = agg;
	if (!sw_starts(agg ? agg : "", "place:"))
		return;
	agg += strlen("place:");
	slash = strchr(agg, '/');
	e->service = slash ? sw_arena_strndup(&f->a, agg, (size_t)(slash - agg)) : agg;
	e->environment = slash ? slash + 1 : "";
}

struct lists { struct sw_json in, events, recs; bool have_in, have_events, have_recs; };

static int entry_member(struct fold *f, struct entry *e, struct sw_json *j, size_t n, struct lists *later)
{
	enum sw_json_token tok;

	if (sw_json_is(j, "at")) {
		tok = sw_json_next(j);
		if (tok == SW_JSON_NUMBER)
			(void)sw_json_int(j, &e->at);
		return tok == SW_JSON_NUMBER ? 0 : -1;
	}
	if (sw_json_is(j, "agg"))
		entry_agg(f, e, entry_text(f, j));
	else if (sw_json_is(j, "event_id"))
		e->event_id = entry_text(f, j);
	else if (sw_json_is(j, "source"))
		e->source = entry_text(f, j);
	else if (sw_json_is(j, "delivery"))
		e->delivery = entry_text(f, j);
	else if (sw_json_is(j, "t"))
		e->t = entry_text(f, j);
	else if (sw_json_is(j, "in") && e->agg && e->at > 0)
		return entry_inputs(f, e, j, n);
	else if (sw_json_is(j, "events") && e->event_id && e->source && e->at > 0)
		return entry_list(f, e, j, n, sw_fold_event);
	else if (sw_json_is(j, "recs") && e->agg && e->at > 0)
		return entry_list(f, e, j, n, sw_fold_rec);
	else {
		if (sw_json_is(j, "in"))
			later->in = *j, later->have_in = true;
		else if (sw_json_is(j, "events"))
			later->events = *j, later->have_events = true;
		else if (sw_json_is(j, "recs"))
			later->recs = *j, later->have_recs = true;
		return sw_json_skip(j);
	}
	return 0;
}

static int entry_read(struct fold *f, struct entry *e, const struct sw_journal_entry *je)
{
	struct lists later = { 0 };
	size_t nodes = je->n / 2 + 16; /* no document has more values than that */
	enum sw_json_token tok;
	struct sw_jnode *line;
	struct sw_json j;
	int r = 0;

	sw_json_init(&j, je->json, je->n);
	if (sw_json_next(&j) != SW_JSON_OBJECT)
		return -1;
	while ((tok = sw_json_next(&j)) == SW_JSON_KEY && r == 0)
		r = entry_member(f, e, &j, nodes, &later);
	if (r < 0 || f->r < 0 || tok != SW_JSON_OBJECT_END || sw_json_next(&j) != SW_JSON_END)
		return -1;
	if (e->t) {
		r = sw_jtree_parse(&f->a, je->json, je->n, nodes, &line, NULL);
		if (r == 0)
			sw_fold_said(f, e, line, (struct raw){ je->json, je->n });
		return r;
	}
	if (e->at <= 0 || (!e->agg && !(e->event_id && e->source)))
		return -1;
	if (later.have_events && e->event_id)
		r = entry_list(f, e, &later.events, nodes, sw_fold_event);
	if (r == 0 && later.have_in && e->agg)
		r = entry_inputs(f, e, &later.in, nodes);
	if (r == 0 && later.have_recs && e->agg)
		r = entry_list(f, e, &later.recs, nodes, sw_fold_rec);
	return r;
}

void sw_fold_entry(struct fold *f, const struct sw_journal_entry *je)
{
	struct entry e = { .id = je->id };

	if (je->n > ENTRY_MAX || entry_read(f, &e, je) < 0)
		f->skipped++;
}
