/* Events as they came in, and which place claimed them; readings of signals, asked for or told. */
#include <string.h>

#include "base/str.h"
#include "dashboard/fold_inner.h"
#include "shipwatch/sample.h"

#define SIGNAL_NAME  200 /* bytes of a name: reports may tell anything */
#define COMMIT_TITLE 200 /* bytes */
#define PUSH_FILES   300 /* paths of all commits of a push */

static const char *event_status(const struct sw_event *ev)
{
	return ev->status == SW_ST_NONE ? NULL : sw_status_name(ev->status);
}

/* True: it was not known yet. */
static bool event_add(struct fold *f, const struct entry *e, const struct sw_event *ev, const char *event_id, int n, struct raw raw)
{
	struct sw_stmt *st = sw_fold_stmt(f, ST_EVENT);
	int64_t id;

	sw_fold_bind(st, "isbsssssssssssssss", (int64_t)e->at, event_id, n, e->delivery, ev->source ? ev->source : e->source ? e->source : "?", sw_kind_name(ev->kind),
	             event_status(ev), ev->repo, ev->branch, ev->tag, ev->sha ? ev->sha : ev->short_sha, ev->service, ev->environment, ev->ci_run_id, ev->ci_run_alias,
	             ev->user ? ev->user : ev->user_name, ev->title, ev->url);
	if (!sw_fold_run(f, st) || sw_sql_changes(f->store->q) == 0)
		return false;
	f->touched |= SW_TOUCHED_EVENTS;
	id = sw_sql_rowid(f->store->q);
	raw = sw_fold_json(f, raw);
	st = sw_fold_stmt(f, ST_EVENT_BODY);
	sw_fold_bind(st, "in", id, raw.p, raw.n);
	(void)sw_fold_run(f, st);
	return true;
}

/* ---- commits of a push ---- */

/* Room for the list: titles are cut, mail addresses and most of very many files left out. */
static void commits_trim(struct fold *f, struct sw_event *ev)
{
	size_t files = 0;

	ev->n_commits = SW_MIN(ev->n_commits, (size_t)SW_EVENT_COMMITS);
	if (ev->commits_total < 0 && !ev->files_cut)
		ev->commits_total = (int64_t)ev->n_commits;
	for (size_t i = ev->n_commits; i-- > 0;) { /* the newest last: theirs are kept first */
		struct sw_commit *c = &ev->commits[i];
		size_t n = c->title ? strlen(c->title) : 0;

		if (n > COMMIT_TITLE)
			c->title = sw_arena_printf(&f->a, "%.*s…", (int)sw_utf8_cut(c->title, n, COMMIT_TITLE), c->title);
		c->author_email = NULL;
		n = SW_MIN(c->n_files, (size_t)PUSH_FILES - files);
		ev->files_cut |= n < c->n_files;
		c->n_files = n;
		files += n;
	}
}

/* The event as it is kept. */
static struct raw event_kept(struct fold *f, struct sw_event *ev, struct raw raw)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;

	if (!ev->n_commits)
		return raw;
	commits_trim(f, ev);
	sw_jw_init(&w, &b);
	sw_event_write(ev, true, &w, NULL);
	return (struct raw){ sw_arena_memdup(&f->a, b.p, b.n), b.n };
}

/* ---- events ---- */

void sw_fold_event(struct fold *f, struct entry *e, const struct sw_jnode *node, struct raw raw)
{
	struct sw_event ev;

	sw_event_read(node, &f->a, &ev);
	if (ev.kind == SW_EV_NONE)
		return;
	if (!ev.received)
		ev.received = e->at;
	if (event_add(f, e, &ev, e->event_id, e->n, event_kept(f, &ev, raw)))
		sw_fold_build(f, &ev);
}

/* A place was told of it: it is its own. */
void sw_fold_fact(struct fold *f, struct entry *e, const struct sw_jnode *msg)
{
	const struct sw_jnode *node = sw_jget(msg, "ev");
	const char *event_id = sw_jstr(node, "event_id"), *kind = sw_jstr(node, "kind");
	struct sw_buf b = SW_BUF_INIT;
	struct sw_stmt *st;
	struct sw_event ev;
	struct sw_jw w;

	if (sw_streq(sw_jstr(node, "source"), "cli") && sw_jstr(node, "ci_run_id")) { /* nobody's webhook: shipwatch deploy */
		sw_event_read(node, &f->a, &ev);
		sw_jw_init(&w, &b);
		sw_jw_node(&w, NULL, node);
		event_id = ev.ci_run_id;
		if (event_add(f, e, &ev, event_id, 0, (struct raw){ b.p, b.n }))
			sw_fold_deployed(f, e, &ev, (struct raw){ b.p, b.n });
		sw_buf_fini(&b);
	}
	if (!event_id || !kind)
		return;
	st = sw_fold_stmt(f, ST_EVENT_CLAIM);
	sw_fold_bind(st, "sssss", e->service, e->environment, event_id, kind, sw_jstr(node, "environment"));
	(void)sw_fold_run(f, st);
}

/* ---- readings ---- */

static void sample_add(struct fold *f, int64_t place, const char *signal, const char *source, sw_ms at, const char *r, double v, double n, const char *text)
{
	int64_t id = signal && strlen(signal) <= SIGNAL_NAME ? sw_fold_signal(f, signal, source) : 0;
	bool ok = sw_reading_parse(r) == SW_R_OK;
	struct sw_stmt *st;

	if (!place || !id || at <= 0)
		return;
	st = sw_fold_stmt(f, ST_SAMPLE);
	sw_fold_bind(st, "iiisvrs", place, (int64_t)at, id, ok ? NULL : sw_reading_name(sw_reading_parse(r)), ok ? v : (double)__builtin_nan(""), n > 0 ? n : -1, text);
	if (sw_fold_run(f, st))
		f->touched |= SW_TOUCHED_SAMPLES;
}

void sw_fold_samples(struct fold *f, struct entry *e, const struct sw_jnode *msg)
{
	const struct sw_jnode *items = sw_jget(msg, "items");
	const char *src = sw_jstr(msg, "src");

	for (const struct sw_jnode *x = items ? items->child : NULL; x; x = x->next)
		sample_add(f, sw_fold_own_place(f, e), sw_jstr(x, "signal"), src ? src : "?", sw_jint(x, "at", 0), sw_jstr(x, "r"), sw_jnum(x, "v", 0), sw_jnum(x, "n", 0),
		           sw_jstr(x, "text"));
}

/* Numbers of a report and alarms, as they were heard: nobody asked for them. */
void sw_fold_told(struct fold *f, struct entry *e, const struct sw_jnode *msg)
{
	struct sw_event ev;

	sw_event_read(sw_jget(msg, "ev"), &f->a, &ev);
	for (size_t i = 0; ev.kind == SW_EV_REPORT && i < ev.n_metrics; i++)
		sample_add(f, sw_fold_own_place(f, e), ev.metrics[i].name, "report", ev.received, "ok", ev.metrics[i].value, 0, ev.sha);
	for (size_t i = 0; ev.kind == SW_EV_ALARM && i < ev.n_labels; i++)
		if (sw_streq(ev.labels[i].name, "alertname") && (ev.status == SW_ST_FAILED || ev.status == SW_ST_SUCCESS))
			sample_add(f, sw_fold_own_place(f, e), ev.labels[i].value, "alarm", ev.received, "ok", ev.status == SW_ST_FAILED, 0, NULL);
}
