/*
 * CDEvents 0.3 to 0.5 (inbound-events.md 5.3): what each says, matched by subject and predicate whatever the minor version.
 *
 *   pipelinerun   a pipeline        service.deployed, upgraded, rolledback   a deployment that succeeded
 *   taskrun       a job             incident                                 an alarm
 *                                   change.merged                            a merge
 *
 * Versions differ: content.url became content.uri, context.version context.specversion. What a service runs is a package URL: its
 * version, and where it names a repository and a commit, those.
 */
#include "source/cdevents.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "shipwatch/clock.h"
#include "source/host.h"

#define PREFIX "dev.cdevents."

struct said { const struct envelope *e; const struct sw_jnode *subject, *content; struct sw_arena *a; };

static const struct host_word outcomes[] = {
	{ "success", SW_ST_SUCCESS }, { "failure", SW_ST_FAILED }, { "error", SW_ST_FAILED }, { "cancel", SW_ST_CANCELLED },
	{ "cancelled", SW_ST_CANCELLED }, { "canceled", SW_ST_CANCELLED }, { "skipped", SW_ST_SKIPPED }, { NULL, SW_ST_NONE },
};

/* ---- reading ---- */

static const char *text(const struct said *s, const struct sw_jnode *obj, const char *key)
{
	const char *t = sw_jstr(obj, key);

	if (!t || !*t)
		return NULL;
	return strlen(t) > SW_EVENT_TEXT ? sw_arena_strndup(s->a, t, sw_utf8_cut(t, strlen(t), SW_EVENT_TEXT)) : t;
}

static const char *id_of(const struct said *s, const char *key)
{
	return text(s, sw_jget(s->content, key), "id");
}

static const char *link_of(const struct said *s)
{
	const char *uri = text(s, s->content, "uri");

	return uri ? uri : text(s, s->content, "url");
}

static const char *first_line(const struct said *s, const char *t)
{
	return t ? sw_arena_strndup(s->a, t, strcspn(t, "\r\n")) : NULL;
}

/* The last part of "clusterA/namespaceB/myApp". */
static const char *last_part(const char *t)
{
	const char *slash = t ? strrchr(t, '/') : NULL;

	return slash && slash[1] ? slash + 1 : t;
}

static bool is_sha(const char *t)
{
	size_t n = t ? strlen(t) : 0;

	return n == 40 && strspn(t, "0123456789abcdef") == n;
}

/* ---- package URLs: pkg:type/namespace/name@version?qualifiers ---- */

static const char *decoded(const struct said *s, const char *p, size_t n)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT, clean = SW_BUF_INIT;

	if (sw_pct_decode(&b, p, n, false) < 0)
		return sw_arena_strndup(s->a, p, n);
	sw_utf8_clean(&clean, sw_buf_str(&b), b.n, true);
	return sw_arena_strndup(s->a, sw_buf_str(&clean), sw_utf8_cut(sw_buf_str(&clean), clean.n, SW_EVENT_TEXT));
}

static const char *qualifier(const struct said *s, const char *query, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = query; p && *p; p += *p == '&') {
		size_t len = strcspn(p, "&#");

		if (len > n && memcmp(p, name, n) == 0 && p[n] == '=')
			return decoded(s, p + n + 1, len - n - 1);
		p += len;
		if (*p == '#')
			break;
	}
	return NULL;
}

/* "git+https://github.com/acme/web.git@<sha>": the repository, its host and the commit. */
static void purl_vcs(const struct said *s, const char *vcs, struct sw_event *ev)
{
	const char *scheme = vcs ? strstr(vcs, "://") : NULL, *path = scheme ? strchr(scheme + 3, '/') : NULL;
	const char *at = path ? strrchr(path, '@') : NULL;
	size_t n;

	if (!path)
		return;
	n = at ? (size_t)(at - path) : strcspn(path, "?#");
	if (n > 4 && memcmp(path + n - 4, ".git", 4) == 0)
		n -= 4;
	if (n < 2)
		return;
	ev->repo = sw_arena_strndup(s->a, path + 1, n - 1);
	ev->host = sw_host_of_url(s->a, vcs);
	if (at && is_sha(at + 1))
		ev->sha = at + 1;
}

static void purl_read(const struct said *s, const char *purl, struct sw_event *ev)
{
	static const char *const hosts[][2] = { { "github", "github.com" }, { "gitlab", "gitlab.com" }, { "bitbucket", "bitbucket.org" } };
	const char *type, *name, *at, *query, *tag, *version = NULL;
	size_t whole;

	if (!purl || !sw_starts(purl, "pkg:"))
		return;
	type = purl + 4 + strspn(purl + 4, "/");
	name = strchr(type, '/');
	if (!name)
		return;
	whole = strcspn(name, "?#");
	query = name[whole] == '?' ? name + whole + 1 : NULL;
	at = memrchr(name, '@', whole);
	if (at)
		version = decoded(s, at + 1, whole - (size_t)(at - name) - 1);
	for (size_t i = 0; i < SW_COUNT(hosts); i++) {
		if ((size_t)(name - type) != strlen(hosts[i][0]) || memcmp(type, hosts[i][0], (size_t)(name - type)) != 0)
			continue;
		ev->repo = decoded(s, name + 1, (at ? (size_t)(at - name) : whole) - 1);
		ev->host = hosts[i][1];
	}
	purl_vcs(s, qualifier(s, query, "vcs_url"), ev);
	tag = qualifier(s, query, "tag");
	if (is_sha(version) && !ev->sha)
		ev->sha = version;
	ev->version = tag ? tag : version;
}

/* ---- subjects ---- */

static int need(const struct said *s, const char *what, const char *value, struct sw_err *err)
{
	(void)s;
	return value ? 1 : sw_err_set(err, EBADMSG, "%s: is missing", what);
}

static int read_run(const struct said *s, enum sw_status st, struct sw_event *ev, struct sw_err *err)
{
	ev->url = link_of(s);
	ev->status = st;
	if (st == SW_ST_NONE) { /* finished: as its outcome says */
		ev->status_text = text(s, s->content, "outcome");
		ev->status = ev->status_text ? sw_host_status(outcomes, ev->status_text) : SW_ST_OTHER;
		ev->failure_reason = ev->status == SW_ST_FAILED ? first_line(s, text(s, s->content, "errors")) : NULL;
		ev->finished_at = ev->at;
	} else if (st == SW_ST_RUNNING) {
		ev->started_at = ev->at;
	} else {
		ev->created_at = ev->at;
	}
	return need(s, "subject.id", text(s, s->subject, "id"), err);
}

static int read_pipeline(const struct said *s, enum sw_status st, struct sw_event *ev, struct sw_err *err)
{
	ev->kind = SW_EV_PIPELINE;
	ev->pipeline_id = text(s, s->subject, "id");
	ev->pipeline_name = text(s, s->content, "pipelineName");
	return read_run(s, st, ev, err);
}

static int read_task(const struct said *s, enum sw_status st, struct sw_event *ev, struct sw_err *err)
{
	ev->kind = SW_EV_JOB;
	ev->job_id = text(s, s->subject, "id");
	ev->job_name = text(s, s->content, "taskName");
	ev->pipeline_id = id_of(s, "pipelineRun");
	return read_run(s, st, ev, err);
}

static int read_service(const struct said *s, enum sw_status st, struct sw_event *ev, struct sw_err *err)
{
	int r;

	ev->kind = SW_EV_DEPLOYMENT;
	ev->status = st;
	ev->service = last_part(text(s, s->subject, "id"));
	ev->environment = id_of(s, "environment");
	ev->report_id = sw_arena_printf(s->a, "%s %s", s->e->source, s->e->id); /* UUIDs have no order: no deployment id */
	ev->finished_at = ev->at;
	purl_read(s, text(s, s->content, "artifactId"), ev);
	r = need(s, "subject.id", ev->service, err);
	return r > 0 ? need(s, "subject.content.environment.id", ev->environment, err) : r;
}

static int read_incident(const struct said *s, enum sw_status st, struct sw_event *ev, struct sw_err *err)
{
	const char *id = text(s, s->subject, "id");

	ev->kind = SW_EV_ALARM;
	ev->status = st;
	ev->service = last_part(id_of(s, "service"));
	ev->environment = id_of(s, "environment");
	ev->title = first_line(s, text(s, s->content, "description"));
	ev->url = link_of(s);
	ev->alarm_id = sw_arena_printf(s->a, "%s %s", s->e->source, id ? id : "");
	ev->report_id = sw_arena_printf(s->a, "%s %s", s->e->source, s->e->id);
	ev->labels = SW_ARENA_ARRAY(s->a, struct sw_label, 2);
	ev->labels[ev->n_labels++] = (struct sw_label){ "alertname", "incident" };
	ev->labels[ev->n_labels++] = (struct sw_label){ "incident", id };
	ev->started_at = st == SW_ST_FAILED ? ev->at : 0;
	ev->finished_at = st == SW_ST_FAILED ? 0 : ev->at;
	return need(s, "subject.id", id, err);
}

static int read_change(const struct said *s, enum sw_status st, struct sw_event *ev, struct sw_err *err)
{
	const struct sw_jnode *repo = sw_jget(s->content, "repository");

	ev->kind = SW_EV_MERGE;
	ev->status = st;
	ev->merge_request = true;
	ev->repo = text(s, repo, "id");
	ev->host = sw_host_of_url(s->a, text(s, repo, "source"));
	ev->title = first_line(s, text(s, s->content, "description"));
	ev->job_id = text(s, s->subject, "id");
	return need(s, "subject.content.repository.id", ev->repo, err);
}

typedef int (*read_fn)(const struct said *s, enum sw_status st, struct sw_event *ev, struct sw_err *err);

static const struct kind { const char *name; read_fn read; enum sw_status status; } kinds[] = {
	{ "pipelinerun.queued", read_pipeline, SW_ST_CREATED }, { "pipelinerun.started", read_pipeline, SW_ST_RUNNING },
	{ "pipelinerun.finished", read_pipeline, SW_ST_NONE }, { "taskrun.started", read_task, SW_ST_RUNNING },
	{ "taskrun.finished", read_task, SW_ST_NONE }, { "service.deployed", read_service, SW_ST_SUCCESS },
	{ "service.upgraded", read_service, SW_ST_SUCCESS }, { "service.rolledback", read_service, SW_ST_SUCCESS },
	{ "incident.detected", read_incident, SW_ST_FAILED }, { "incident.reported", read_incident, SW_ST_FAILED },
	{ "incident.resolved", read_incident, SW_ST_SUCCESS }, { "change.merged", read_change, SW_ST_NONE },
};

/* Known, and of no interest. */
static const char *const others[] = {
	"service.published", "service.removed", "environment.created", "environment.modified", "environment.deleted", "repository.created",
	"repository.modified", "repository.deleted", "branch.created", "branch.deleted", "change.created", "change.updated", "change.reviewed",
	"change.abandoned", "build.queued", "build.started", "build.finished", "testcaserun.queued", "testcaserun.started", "testcaserun.finished",
	"testcaserun.skipped", "testsuiterun.queued", "testsuiterun.started", "testsuiterun.finished", "testoutput.published", "artifact.packaged",
	"artifact.signed", "artifact.published", "artifact.downloaded", "artifact.deleted", "ticket.created", "ticket.updated", "ticket.closed",
	"approval.created", "approval.closed", NULL,
};

/* Is type "dev.cdevents.<name>.<version>"? */
static bool is_named(const char *type, const char *name)
{
	size_t n = strlen(name);

	return strncmp(type + strlen(PREFIX), name, n) == 0 && type[strlen(PREFIX) + n] == '.';
}

static const struct kind *kind_of(const char *type)
{
	for (size_t i = 0; sw_cdevents_is(type) && i < SW_COUNT(kinds); i++)
		if (is_named(type, kinds[i].name))
			return &kinds[i];
	return NULL;
}

bool sw_cdevents_is(const char *type)
{
	return sw_starts(type, PREFIX);
}

bool sw_cdevents_wanted(const char *type)
{
	return kind_of(type) != NULL;
}

const char *sw_cdevents_name(const char *type)
{
	const struct kind *k = kind_of(type);

	if (k)
		return k->name;
	for (size_t i = 0; sw_cdevents_is(type) && others[i]; i++)
		if (is_named(type, others[i]))
			return others[i];
	return NULL;
}

int sw_cdevents_read(const struct envelope *e, struct sw_arena *a, struct sw_event *ret, struct sw_err *err)
{
	const struct kind *k = kind_of(e->type);
	struct said s = { .e = e, .a = a };
	const char *version;
	sw_ms at;

	if (!k)
		return 0;
	version = e->type + strlen(PREFIX) + strlen(k->name) + 1;
	if (!sw_starts(version, "0."))
		return sw_err_set(err, EBADMSG, "type: %s of version %.20s is not known, want 0.x", k->name, version);
	s.subject = sw_jget(e->data, "subject");
	s.content = sw_jget(s.subject, "content");
	if (!s.subject || s.subject->type != SW_J_OBJECT)
		return sw_err_set(err, EBADMSG, "subject: is missing, want the whole CDEvent as the data");
	sw_event_init(ret);
	ret->what = k->name;
	ret->action = strchr(k->name, '.') + 1;
	if (e->time && sw_time_parse(e->time, &at) == 0 && at > 0)
		ret->at = at;
	return k->read(&s, k->status, ret, err);
}
