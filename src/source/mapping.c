/*
 * A document and a mapping become events.
 *
 * What stands at the root is looked up once a form, what stands in the elements of a list once an element, so that the work is bounded
 * by the size of the document however many elements it has.
 */
#include "source/mapping.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "shipwatch/clock.h"
#include "source/host.h"

#define LABEL_BYTES 256 /* of a value */

struct looking { const struct sw_request *rq; const struct sw_jnode *root, *element; struct sw_arena *a; };

/* ---- places ---- */

static const char *cut(const struct looking *l, const struct place *p, const char *s)
{
	const char *at, *last = NULL;

	if (p->after && (at = strstr(s, p->after)))
		s = at + strlen(p->after);
	for (at = p->after_last ? strstr(s, p->after_last) : NULL; at; at = strstr(at + 1, p->after_last))
		last = at;
	if (last)
		s = last + strlen(p->after_last);
	at = p->before ? strstr(s, p->before) : NULL;
	return at ? sw_arena_strndup(l->a, s, (size_t)(at - s)) : s;
}

static const char *node_text(const struct sw_jnode *n)
{
	if (!n)
		return NULL;
	switch (n->type) {
	case SW_J_STRING:
	case SW_J_NUMBER: return n->text;
	case SW_J_TRUE: return "true";
	case SW_J_FALSE: return "false";
	case SW_J_NULL:
	case SW_J_OBJECT:
	case SW_J_ARRAY: break;
	}
	return NULL;
}

/* What stands at one place; NULL: nothing, or nothing is left of it. */
static const char *place_text(const struct looking *l, const struct place *p)
{
	const char *s = p->header ? sw_request_header(l->rq, p->header) : p->at ? node_text(sw_pointer_find(p->at, l->root, l->element)) : p->value;

	s = s ? cut(l, p, s) : NULL;
	if (!s || !*s)
		return NULL;
	return strlen(s) > SW_EVENT_TEXT ? sw_arena_strndup(l->a, s, sw_utf8_cut(s, strlen(s), SW_EVENT_TEXT)) : s;
}

static const char *places_text(const struct looking *l, const struct places *p)
{
	const char *s = NULL;

	for (size_t i = 0; i < p->n && !s; i++)
		s = place_text(l, &p->items[i]);
	return s;
}

static bool of_element(const struct places *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->items[i].at && p->items[i].at->of_element)
			return true;
	return false;
}

const char *sw_places_joined(const struct places *p, const struct sw_request *rq, const struct sw_jnode *root, struct sw_arena *a)
{
	const struct looking l = { rq, root, NULL, a };
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	for (size_t i = 0; i < p->n; i++) {
		const char *s = place_text(&l, &p->items[i]);

		if (!s)
			return NULL;
		sw_buf_printf(&b, "%s%s", i ? "\n" : "", s);
	}
	return b.n ? sw_arena_strndup(a, b.p, b.n) : NULL;
}

/* ---- conditions ---- */

static bool any(const char *const *globs, const char *s)
{
	for (; *globs; globs++)
		if (sw_glob_match(*globs, s, false))
			return true;
	return false;
}

static bool holds(const struct looking *l, const struct condition *c)
{
	const char *s = places_text(l, &c->places);

	if (!c->is && !c->is_not)
		return s != NULL;
	if (c->is && !(s && any((const char *const *)c->is, s)))
		return false;
	return !c->is_not || !(s && any((const char *const *)c->is_not, s));
}

/* Of those that look into an element, or of the others. */
static bool hold_all(const struct looking *l, const struct form *f, bool elements)
{
	for (size_t i = 0; i < f->n_when; i++)
		if (of_element(&f->when[i].places) == elements && !holds(l, &f->when[i]))
			return false;
	return true;
}

static bool header_alone(const struct condition *c)
{
	for (size_t i = 0; i < c->places.n; i++)
		if (!c->places.items[i].header)
			return false;
	return c->places.n > 0;
}

bool sw_mapping_refuses(const struct mapping *m, const struct sw_request *rq)
{
	struct sw_arena a = { 0 };
	const struct looking l = { rq, NULL, NULL, &a };
	bool some = false;

	for (size_t i = 0; i < m->n && !some; i++) {
		some = true;
		for (size_t k = 0; k < m->forms[i].n_when && some; k++)
			if (header_alone(&m->forms[i].when[k]))
				some = holds(&l, &m->forms[i].when[k]);
	}
	sw_arena_fini(&a);
	return !some && m->n > 0;
}

bool sw_mapping_runs(const struct mapping *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->forms[i].kind == SW_EV_PIPELINE || m->forms[i].kind == SW_EV_JOB || m->forms[i].kind == SW_EV_DEPLOYMENT)
			return true;
	return false;
}

/* ---- what a form fills ---- */

static void fill_fields(const struct looking *l, const struct form *f, bool elements, bool gaps, struct sw_event *ev)
{
	for (size_t i = 0; i < f->n_fields; i++) {
		const struct field *field = &f->fields[i];
		const char *s;

		if (of_element(&field->places) != elements || (gaps && sw_field_is_set(field->row, ev)))
			continue;
		s = places_text(l, &field->places);
		if (s)
			sw_field_set(field->row, s, l->a, ev);
	}
}

static void fill_labels(const struct looking *l, const struct form *f, bool elements, struct sw_event *ev)
{
	struct sw_label *all;

	if (!f->n_labels)
		return;
	all = SW_ARENA_ARRAY(l->a, struct sw_label, ev->n_labels + f->n_labels); /* the events of a form share what was there before */
	if (ev->n_labels)
		memcpy(all, ev->labels, ev->n_labels * sizeof *all);
	ev->labels = all;
	for (size_t i = 0; i < f->n_labels; i++) {
		const char *s = of_element(&f->labels[i].places) == elements ? places_text(l, &f->labels[i].places) : NULL;

		if (!s || ev->n_labels == SW_EVENT_LABELS)
			continue;
		if (strlen(s) > LABEL_BYTES)
			s = sw_arena_strndup(l->a, s, sw_utf8_cut(s, strlen(s), LABEL_BYTES));
		ev->labels[ev->n_labels++] = (struct sw_label){ f->labels[i].name, s };
	}
}

static void fill_status(const struct looking *l, const struct form *f, struct sw_event *ev)
{
	if (!f->status.n) {
		if (f->status_is != SW_ST_NONE)
			ev->status = f->status_is;
		return;
	}
	ev->status_text = places_text(l, &f->status);
	ev->status = SW_ST_OTHER;
	for (size_t i = 0; ev->status_text && i < f->n_words; i++)
		if (sw_glob_match(f->words[i].glob, ev->status_text, false)) {
			ev->status = f->words[i].status;
			return;
		}
}

static void fill_metrics(const struct looking *l, const struct form *f, struct sw_event *ev)
{
	const struct sw_jnode *n = f->metrics ? sw_pointer_find(f->metrics, l->root, l->element) : NULL;

	if (!n || n->type != SW_J_OBJECT)
		return;
	ev->metrics = SW_ARENA_ARRAY(l->a, struct sw_metric, SW_MIN(n->n, (size_t)SW_EVENT_METRICS) + 1);
	for (n = n->child; n && ev->n_metrics < SW_EVENT_METRICS; n = n->next)
		if (n->type == SW_J_NUMBER && isfinite(n->d))
			ev->metrics[ev->n_metrics++] = (struct sw_metric){ n->key, n->d };
}

/* ---- commits, as GitHub, GitLab and Gitee list them ---- */

static const char *text_at(const struct looking *l, const struct sw_jnode *n, const char *key)
{
	const char *s = sw_jstr(n, key);

	return s && *s ? sw_arena_strndup(l->a, s, sw_utf8_cut(s, strlen(s), SW_EVENT_TEXT)) : NULL;
}

static void commit_files(const struct looking *l, const struct sw_jnode *n, struct sw_commit *to, bool *cut_off)
{
	static const char *const lists[] = { "added", "modified", "removed" };

	to->files = SW_ARENA_ARRAY(l->a, const char *, SW_EVENT_FILES);
	for (size_t k = 0; k < SW_COUNT(lists); k++) {
		const struct sw_jnode *list = sw_jget(n, lists[k]);

		for (const struct sw_jnode *f = list && list->type == SW_J_ARRAY ? list->child : NULL; f; f = f->next) {
			if (f->type != SW_J_STRING || !*f->text)
				continue;
			if (to->n_files == SW_EVENT_FILES) {
				*cut_off = true;
				return;
			}
			to->files[to->n_files++] = sw_arena_strndup(l->a, f->text, sw_utf8_cut(f->text, strlen(f->text), SW_EVENT_TEXT));
		}
	}
}

static void fill_commits(const struct looking *l, const struct form *f, struct sw_event *ev)
{
	static const struct field_row sha = { "sha", FIELD_SHA, offsetof(struct sw_event, sha) };
	const struct sw_jnode *list = f->commits ? sw_pointer_find(f->commits, l->root, l->element) : NULL;

	if (!list || list->type != SW_J_ARRAY)
		return;
	ev->commits = SW_ARENA_ARRAY(l->a, struct sw_commit, SW_EVENT_COMMITS);
	ev->commits_total = (int64_t)list->n;
	ev->files_cut |= list->n > SW_EVENT_COMMITS;
	for (const struct sw_jnode *n = list->child; n && ev->n_commits < SW_EVENT_COMMITS; n = n->next) {
		struct sw_commit *to = &ev->commits[ev->n_commits];
		const struct sw_jnode *author = sw_jget(n, "author");
		const char *message = text_at(l, n, "message"), *at = sw_jstr(n, "timestamp");
		struct sw_event one = { 0 };

		if (sw_jstr(n, "id"))
			sw_field_set(&sha, sw_jstr(n, "id"), l->a, &one);
		if (!one.sha)
			continue;
		*to = (struct sw_commit){ .sha = one.sha, .url = text_at(l, n, "url"), .author = text_at(l, author, "name"),
			.author_email = text_at(l, author, "email"),
			.title = message ? sw_arena_strndup(l->a, message, strcspn(message, "\r\n")) : NULL };
		if (at && sw_time_parse(at, &to->at) < 0)
			to->at = 0;
		commit_files(l, n, to, &ev->files_cut);
		ev->n_commits++;
	}
}

/* ---- events ---- */

static bool named(const struct form *f, const char *field)
{
	for (size_t i = 0; i < f->n_fields; i++)
		if (strcmp(f->fields[i].row->name, field) == 0)
			return true;
	return false;
}

/* refs/heads/main, main, v1 or nothing: what the event is of, in all the ways it is asked. */
static void finish_ref(struct sw_event *ev, struct sw_arena *a)
{
	const char *ref = ev->ref, *branch = ev->branch, *tag = ev->tag;

	ev->ref = ev->branch = ev->tag = NULL;
	if (tag)
		sw_host_ref(ev, tag, true, a);
	else if (branch)
		sw_host_ref(ev, branch, false, a);
	else
		sw_host_ref(ev, ref, false, a);
	if (ev->default_branch && sw_starts(ev->default_branch, "refs/heads/"))
		ev->default_branch += strlen("refs/heads/");
	if (ev->target_branch && sw_starts(ev->target_branch, "refs/heads/"))
		ev->target_branch += strlen("refs/heads/");
}

/* What follows from what was filled. Return: whether it is an event at all. */
static bool finish(struct sw_event *ev, const struct form *f, const struct sw_request *rq, struct sw_arena *a)
{
	finish_ref(ev, a);
	if (ev->kind == SW_EV_PUSH || ev->kind == SW_EV_TAG) {
		ev->kind = ev->tag ? SW_EV_TAG : SW_EV_PUSH;
		ev->deleted = named(f, "sha") && !ev->sha;
		ev->created = named(f, "before") && !ev->before && ev->sha;
		ev->status = SW_ST_NONE;
		if (!ev->branch && !ev->tag)
			return false; /* refs/pull/7/head and the like are nobody's business */
	}
	if (ev->kind == SW_EV_MERGE)
		ev->merge_request = true;
	if (ev->status != SW_ST_FAILED)
		ev->failure_reason = NULL; /* what senders call a message stands there for good news too */
	if (ev->sha && strlen(ev->sha) < 40) {
		ev->short_sha = ev->sha;
		ev->sha = NULL;
	}
	if (ev->host) {
		char *host = sw_arena_strdup(a, ev->host);

		for (char *p = host; *p; p++)
			if (*p >= 'A' && *p <= 'Z')
				*p |= 32;
		ev->host = host;
	}
	if (!ev->host)
		ev->host = sw_host_of_url(a, ev->repo_url ? ev->repo_url : ev->url);
	if (!ev->at)
		ev->at = sw_status_terminal(ev->status) && ev->finished_at ? ev->finished_at : ev->started_at && !sw_status_terminal(ev->status) ? ev->started_at : rq->arrived;
	ev->rollback_id = sw_host_rollback_id(ev->rollback_id);
	if (!ev->ci_run_id)
		sw_host_run_id(ev, a);
	return ev->repo || ev->service;
}

static void form_event(const struct looking *l, const struct form *f, const struct sw_event *begun, struct sw_events *out)
{
	struct sw_event made = *begun, *ev;

	if (!hold_all(l, f, true))
		return;
	if (out->n == SW_EVENTS_MAX) {
		(void)sw_events_add(out); /* counted as left out, without the work */
		return;
	}
	fill_fields(l, f, true, false, &made);
	fill_labels(l, f, true, &made);
	fill_status(l, f, &made);
	fill_metrics(l, f, &made);
	fill_commits(l, f, &made);
	if (!finish(&made, f, l->rq, l->a))
		return;
	ev = sw_events_add(out);
	if (ev)
		*ev = made;
}

void sw_mapping_events(const struct mapping *m, const struct sw_request *rq, const struct sw_jnode *root, const struct sw_event *base,
                       struct sw_events *out)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct form *f = &m->forms[i];
		struct looking l = { rq, root, NULL, out->a };
		struct sw_event begun = *base;
		const struct sw_jnode *list;

		if (!hold_all(&l, f, false))
			continue;
		begun.kind = f->kind;
		fill_fields(&l, f, false, false, &begun);
		fill_labels(&l, f, false, &begun);
		if (!f->each) {
			form_event(&l, f, &begun, out);
			continue;
		}
		list = sw_pointer_find(f->each, root, NULL);
		for (l.element = list && list->type == SW_J_ARRAY ? list->child : NULL; l.element; l.element = l.element->next)
			form_event(&l, f, &begun, out);
	}
}

void sw_mapping_fill(const struct mapping *m, const struct sw_request *rq, const struct sw_jnode *root, struct sw_arena *a, struct sw_event *ev)
{
	const struct looking l = { rq, root, NULL, a };

	fill_fields(&l, &m->own, false, true, ev);
	fill_labels(&l, &m->own, false, ev);
	finish_ref(ev, a);
}
