/* Events: names of kinds and states, and their JSON form, driven by one table of fields. */
#include "shipwatch/event.h"

#include <string.h>

#include "base/json.h"
#include "base/str.h"

static const char *const kind_names[SW_EV_KINDS] = {
	"none", "push", "tag", "pipeline", "job", "deployment", "release", "merge", "report", "alarm" };
static const char *const status_names[SW_ST_COUNT] = {
	"none", "other", "created", "running", "success", "failed", "cancelled", "skipped", "inactive" };

const char *sw_kind_name(enum sw_kind k)
{
	return kind_names[k];
}

enum sw_kind sw_kind_parse(const char *s)
{
	for (int i = SW_EV_PUSH; i < SW_EV_KINDS; i++)
		if (sw_streq(kind_names[i], s))
			return (enum sw_kind)i;
	return SW_EV_NONE;
}

const char *sw_status_name(enum sw_status s)
{
	return status_names[s];
}

bool sw_event_deploys(const struct sw_event *ev)
{
	return ev->environment && (!ev->env_action || sw_streq(ev->env_action, "start"));
}

enum sw_status sw_status_parse(const char *s)
{
	if (!s)
		return SW_ST_NONE;
	for (int i = 0; i < SW_ST_COUNT; i++)
		if (sw_streq(status_names[i], s))
			return (enum sw_status)i;
	return SW_ST_OTHER;
}

bool sw_status_terminal(enum sw_status s)
{
	return s == SW_ST_SUCCESS || s == SW_ST_FAILED || s == SW_ST_CANCELLED || s == SW_ST_SKIPPED;
}

int sw_status_rank(enum sw_status s)
{
	switch (s) {
	case SW_ST_CREATED: return 1;
	case SW_ST_RUNNING: return 2;
	case SW_ST_SUCCESS:
	case SW_ST_FAILED:
	case SW_ST_CANCELLED:
	case SW_ST_SKIPPED: return 3;
	case SW_ST_INACTIVE: return 4;
	case SW_ST_NONE:
	case SW_ST_OTHER:
	case SW_ST_COUNT: break;
	}
	return 0;
}

void sw_event_init(struct sw_event *ev)
{
	memset(ev, 0, sizeof *ev);
	ev->exit_code = -1;
	ev->duration_ms = ev->queued_ms = ev->coverage = ev->cpu_ms = ev->max_rss_bytes = -1;
	ev->commits_total = -1;
}

void sw_events_init(struct sw_events *evs, struct sw_arena *a)
{
	*evs = (struct sw_events){ .a = a };
}

struct sw_event *sw_events_add(struct sw_events *evs)
{
	struct sw_event *items;

	if (evs->n == SW_EVENTS_MAX) {
		evs->cut = true;
		evs->left_out++;
		return NULL;
	}
	if (evs->n == evs->cap) {
		evs->cap = evs->cap ? evs->cap * 2 : 4;
		items = SW_ARENA_ARRAY(evs->a, struct sw_event, evs->cap);
		if (evs->n)
			memcpy(items, evs->items, evs->n * sizeof *items);
		evs->items = items;
	}
	sw_event_init(&evs->items[evs->n]);
	return &evs->items[evs->n++];
}

/* ---- JSON ---- */

enum field_type { FIELD_TEXT, FIELD_TIME, FIELD_NUMBER, FIELD_BOOL };

struct field {
	const char *name;
	enum field_type type;
	size_t offset;
};

#define TEXT(f) { #f, FIELD_TEXT, offsetof(struct sw_event, f) }
#define TIME(f) { #f, FIELD_TIME, offsetof(struct sw_event, f) }
#define NUMBER(f) { #f, FIELD_NUMBER, offsetof(struct sw_event, f) }
#define BOOL(f) { #f, FIELD_BOOL, offsetof(struct sw_event, f) }

static const struct field fields[] = {
	TEXT(source), TEXT(source_kind), TEXT(event_id), TEXT(what), TEXT(action), TEXT(host), TEXT(repo), TEXT(repo_url),
	TEXT(default_branch), TEXT(ref), TEXT(branch), TEXT(tag), TEXT(sha), TEXT(short_sha), TEXT(before), TEXT(version), BOOL(created),
	BOOL(deleted), BOOL(forced), TEXT(status_text), TEXT(failure_reason), TEXT(environment), TEXT(env_action), TEXT(env_tier),
	TEXT(env_url), TEXT(service), TEXT(deployment_id), TEXT(job_id), TEXT(pipeline_id), TEXT(report_id), TEXT(ci_run_id),
	TEXT(ci_run_alias), TEXT(rollback_id), TEXT(alarm_id), TEXT(pipeline_source), TEXT(parent_pipeline), TEXT(pipeline_name), TEXT(workflow), TEXT(job_name),
	TEXT(job_stage), BOOL(allow_failure), BOOL(merge_request), BOOL(jobs_deploy), TEXT(target_branch), TEXT(user), TEXT(user_name), TEXT(author),
	TEXT(author_email), TEXT(title), TEXT(url), TEXT(compare_url), TIME(at), TIME(received), TIME(created_at), TIME(started_at),
	TIME(finished_at), NUMBER(duration_ms), NUMBER(queued_ms), NUMBER(coverage), NUMBER(cpu_ms), NUMBER(max_rss_bytes),
};

static void commit_write(const struct sw_commit *c, struct sw_jw *w)
{
	sw_jw_obj(w, NULL);
	sw_jw_opt(w, "sha", c->sha);
	sw_jw_opt(w, "title", c->title);
	sw_jw_opt(w, "author", c->author);
	sw_jw_opt(w, "author_email", c->author_email);
	sw_jw_opt(w, "url", c->url);
	if (c->at)
		sw_jw_int(w, "at", c->at);
	if (c->n_files) {
		sw_jw_arr(w, "files");
		for (size_t i = 0; i < c->n_files; i++)
			sw_jw_str(w, NULL, c->files[i]);
		sw_jw_arr_end(w);
	}
	sw_jw_obj_end(w);
}

static void event_write_lists(const struct sw_event *ev, bool with_commits, struct sw_jw *w)
{
	if (with_commits && ev->n_commits) {
		sw_jw_arr(w, "commits");
		for (size_t i = 0; i < ev->n_commits; i++)
			commit_write(&ev->commits[i], w);
		sw_jw_arr_end(w);
	}
	if (ev->commits_total >= 0)
		sw_jw_int(w, "commits_total", ev->commits_total);
	if (ev->files_cut)
		sw_jw_bool(w, "files_cut", true);
	if (ev->n_metrics) {
		sw_jw_obj(w, "metrics");
		for (size_t i = 0; i < ev->n_metrics; i++)
			sw_jw_num(w, ev->metrics[i].name, ev->metrics[i].value);
		sw_jw_obj_end(w);
	}
	if (ev->n_labels) {
		sw_jw_obj(w, "labels");
		for (size_t i = 0; i < ev->n_labels; i++)
			sw_jw_str(w, ev->labels[i].name, ev->labels[i].value);
		sw_jw_obj_end(w);
	}
	if (ev->extra)
		sw_jw_raw(w, "extra", ev->extra, strlen(ev->extra));
}

void sw_event_write(const struct sw_event *ev, bool with_commits, struct sw_jw *w, const char *key)
{
	sw_jw_obj(w, key);
	sw_jw_str(w, "kind", kind_names[ev->kind]);
	if (ev->status != SW_ST_NONE)
		sw_jw_str(w, "status", status_names[ev->status]);
	if (ev->attempt)
		sw_jw_int(w, "attempt", ev->attempt);
	if (ev->exit_code >= 0)
		sw_jw_int(w, "exit_code", ev->exit_code);
	for (size_t i = 0; i < SW_COUNT(fields); i++) {
		const void *p = (const char *)ev + fields[i].offset;

		switch (fields[i].type) {
		case FIELD_TEXT: sw_jw_opt(w, fields[i].name, *(const char *const *)p); break;
		case FIELD_TIME:
			if (*(const sw_ms *)p)
				sw_jw_int(w, fields[i].name, *(const sw_ms *)p);
			break;
		case FIELD_NUMBER:
			if (*(const double *)p >= 0)
				sw_jw_num(w, fields[i].name, *(const double *)p);
			break;
		case FIELD_BOOL:
			if (*(const bool *)p)
				sw_jw_bool(w, fields[i].name, true);
			break;
		}
	}
	event_write_lists(ev, with_commits, w);
	sw_jw_obj_end(w);
}

/* The table's row of a name; rows are met in the order they were written, so the search goes on where it stopped. */
static const struct field *field_find(const char *name, size_t *from)
{
	for (size_t k = 0; k < SW_COUNT(fields); k++) {
		size_t i = (*from + k) % SW_COUNT(fields);

		if (strcmp(fields[i].name, name) == 0) {
			*from = i + 1;
			return &fields[i];
		}
	}
	return NULL;
}

static void commit_read(const struct sw_jnode *n, struct sw_arena *a, struct sw_commit *c)
{
	const struct sw_jnode *files = sw_jget(n, "files");

	*c = (struct sw_commit){ .sha = sw_jstr(n, "sha"), .title = sw_jstr(n, "title"), .author = sw_jstr(n, "author"),
	                         .author_email = sw_jstr(n, "author_email"), .url = sw_jstr(n, "url"), .at = sw_jint(n, "at", 0) };
	if (!files || files->type != SW_J_ARRAY)
		return;
	c->files = SW_ARENA_ARRAY(a, const char *, files->n + 1);
	for (const struct sw_jnode *f = files->child; f; f = f->next)
		if (f->type == SW_J_STRING)
			c->files[c->n_files++] = f->text;
}

static void event_read_lists(const struct sw_jnode *n, struct sw_arena *a, struct sw_event *ev)
{
	if (strcmp(n->key, "commits") == 0 && n->type == SW_J_ARRAY) {
		ev->commits = SW_ARENA_ARRAY(a, struct sw_commit, n->n + 1);
		for (const struct sw_jnode *c = n->child; c; c = c->next)
			commit_read(c, a, &ev->commits[ev->n_commits++]);
	} else if (strcmp(n->key, "metrics") == 0 && n->type == SW_J_OBJECT) {
		ev->metrics = SW_ARENA_ARRAY(a, struct sw_metric, n->n + 1);
		for (const struct sw_jnode *m = n->child; m; m = m->next)
			if (m->type == SW_J_NUMBER)
				ev->metrics[ev->n_metrics++] = (struct sw_metric){ m->key, m->d };
	} else if (strcmp(n->key, "labels") == 0 && n->type == SW_J_OBJECT) {
		ev->labels = SW_ARENA_ARRAY(a, struct sw_label, n->n + 1);
		for (const struct sw_jnode *m = n->child; m; m = m->next)
			if (m->type == SW_J_STRING)
				ev->labels[ev->n_labels++] = (struct sw_label){ m->key, m->text };
	} else if (strcmp(n->key, "extra") == 0) {
		struct sw_buf b = SW_BUF_INIT;
		struct sw_jw w;

		sw_jw_init(&w, &b);
		sw_jw_node(&w, NULL, n);
		ev->extra = sw_arena_strdup(a, sw_buf_str(&b));
		sw_buf_fini(&b);
	}
}

void sw_event_read(const struct sw_jnode *node, struct sw_arena *a, struct sw_event *ret)
{
	size_t from = 0;

	sw_event_init(ret);
	for (const struct sw_jnode *n = node && node->type == SW_J_OBJECT ? node->child : NULL; n; n = n->next) {
		const struct field *f = field_find(n->key, &from);
		void *p = f ? (char *)ret + f->offset : NULL;

		if (!f)
			event_read_lists(n, a, ret);
		else if (f->type == FIELD_TEXT && n->type == SW_J_STRING)
			*(const char **)p = n->text;
		else if (f->type == FIELD_TIME && n->type == SW_J_NUMBER)
			*(sw_ms *)p = n->i;
		else if (f->type == FIELD_NUMBER && n->type == SW_J_NUMBER)
			*(double *)p = n->d;
		else if (f->type == FIELD_BOOL)
			*(bool *)p = n->type == SW_J_TRUE;
	}
	ret->kind = sw_kind_parse(sw_jstr(node, "kind"));
	ret->status = sw_status_parse(sw_jstr(node, "status"));
	ret->attempt = (int)sw_jint(node, "attempt", 0);
	ret->exit_code = (int)sw_jint(node, "exit_code", -1);
	ret->commits_total = sw_jint(node, "commits_total", -1);
	ret->files_cut = sw_jbool(node, "files_cut", false);
}
