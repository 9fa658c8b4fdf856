/* Tests of rules, what a file says: places, events in the words of a test, what probes find. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "shipwatch/clock.h"
#include "shipwatch/err.h"
#include "shipwatch/key.h"
#include "sim/script.h"

/* ---- places ---- */

static const char *canonical_tier(const char *env)
{
	if (strcasecmp(env, "production") == 0 || strcasecmp(env, "prod") == 0)
		return "prod";
	if (strcasecmp(env, "stage") == 0 || strcasecmp(env, "staging") == 0)
		return "staging";
	return env;
}

struct sw_place *sw_script_place(struct file *f, const char *service, const char *env)
{
	struct sw_place *p;

	for (size_t i = 0; i < f->places.n; i++)
		if (sw_streq(f->places.items[i].service, service) && sw_streq(f->places.items[i].environment, env))
			return &f->places.items[i];
	p = SW_ARENA_ARRAY(f->a, struct sw_place, f->places.n + 1);
	if (f->places.n)
		memcpy(p, f->places.items, f->places.n * sizeof *p);
	f->places.items = p;
	p = &f->places.items[f->places.n++];
	p->service = service;
	p->environment = env;
	p->tier = canonical_tier(env);
	p->repos = SW_ARENA_ARRAY(f->a, const char *, 2);
	p->repos[0] = sw_arena_printf(f->a, "acme/%s", service);
	p->health = (struct sw_health_conf){ .url = "http://simulated/health", .every = f->interval, .timeout = 2 * SW_SECOND,
	                                     .grace = SW_MINUTE, .background = SW_MINUTE, .status_min = 200, .status_max = 299 };
	p->rollback = "rollback";
	p->rollbacks_30m = 1;
	p->rollbacks_24h = 3;
	return p;
}

struct place_conf {
	sw_dur every, grace, background;
	bool version, dry_run;
	const char *rollback, *deploys;
	const char **migrations;
};

static const struct sw_key place_keys[] = {
	{ "every", SW_KEY_DUR, offsetof(struct place_conf, every), NULL, "rhythm of probes under watch", 1, SW_DAY, NULL },
	{ "grace", SW_KEY_DUR, offsetof(struct place_conf, grace), "60s", "time in which a failing health says nothing", 0, 0, NULL },
	{ "background", SW_KEY_DUR, offsetof(struct place_conf, background), "60s", "rhythm of probes between deployments", 0, 0, NULL },
	{ "version", SW_KEY_BOOL, offsetof(struct place_conf, version), "false", "health tells the version", 0, 0, NULL },
	{ "rollback", SW_KEY_STRING, offsetof(struct place_conf, rollback), "rollback", "action; none: no rollback", 0, 0, NULL },
	{ "dry_run", SW_KEY_BOOL, offsetof(struct place_conf, dry_run), "false", "actions are told, not started", 0, 0, NULL },
	{ "deploys", SW_KEY_STRING, offsetof(struct place_conf, deploys), "explicit", "explicit or pipeline", 0, 0, NULL },
	{ "migrations", SW_KEY_STRINGS, offsetof(struct place_conf, migrations), NULL, "globs of migrations", 0, 0, NULL },
	{ 0 },
};

void sw_script_places(struct file *f, const struct sw_ynode *list)
{
	for (const struct sw_ynode *n = list ? list->child : NULL; n; n = n->next) {
		const char *slash = n->key ? strchr(n->key, '/') : NULL;
		struct place_conf c = { 0 };
		struct sw_place *p;

		if (!slash) {
			sw_diag_key(f->d, n, "want service/environment, got \"%s\"", n->key ? n->key : "");
			continue;
		}
		p = sw_script_place(f, sw_arena_strndup(f->a, n->key, (size_t)(slash - n->key)), slash + 1);
		if (sw_keys_read(place_keys, n, n, NULL, f->a, &c, f->d) < 0)
			continue;
		if (c.every)
			p->health.every = c.every;
		p->health.grace = c.grace;
		p->health.background = c.background;
		p->health.version = c.version ? "/commit" : NULL;
		p->rollback = sw_streq(c.rollback, "none") ? NULL : c.rollback;
		p->dry_run = c.dry_run;
		p->deploys_pipeline = sw_streq(c.deploys, "pipeline");
		p->migrations = c.migrations;
	}
}

/* ---- events ---- */

struct event_conf {
	const char *service, *env, *sha, *status, *branch, *tag, *repo, *user, *author, *before, *url, *version, *title, *id, *job_id,
		*pipeline, *job, *action, *source, *parent, *via, *workflow, *file;
	const char **labels, **metrics, **files;
	int64_t attempt, exit_code;
	double coverage;
	sw_dur duration, ago;
	bool merge_request, jobs_deploy, allow_failure, created, deleted;
};

#define S(name, help) { #name, SW_KEY_STRING, offsetof(struct event_conf, name), NULL, help, 0, 0, NULL }

static const struct sw_key event_keys[] = {
	S(service, "service; its repository is acme/<service>"), S(env, "environment"), S(sha, "commit"), S(status, "status"), S(branch, "branch"),
	S(tag, "tag"), S(repo, "repository"), S(user, "who"), S(author, "author"), S(before, "sha before"), S(url, "link"),
	S(version, "version"), S(title, "first line"), S(id, "deployment id of the host"), S(job_id, "job id"), S(pipeline, "pipeline id"),
	S(job, "job name"), S(action, "environment's action"), S(source, "pipeline's source"), S(parent, "parent pipeline"),
	S(via, "kind of the fact that tells of a deployment: deployment, job, report, pipeline"), S(workflow, "workflow"),
	{ "labels", SW_KEY_STRMAP, offsetof(struct event_conf, labels), NULL, "labels", 0, 0, NULL },
	{ "metrics", SW_KEY_STRMAP, offsetof(struct event_conf, metrics), NULL, "numbers of a report", 0, 0, NULL },
	{ "files", SW_KEY_STRINGS, offsetof(struct event_conf, files), NULL, "files changed", 0, 0, NULL },
	{ "attempt", SW_KEY_INT, offsetof(struct event_conf, attempt), "0", "attempt", 0, 0, NULL },
	{ "exit_code", SW_KEY_INT, offsetof(struct event_conf, exit_code), "-1", "exit code", 0, 0, NULL },
	{ "coverage", SW_KEY_PERCENT, offsetof(struct event_conf, coverage), NULL, "coverage", 0, 0, NULL },
	{ "duration", SW_KEY_DUR, offsetof(struct event_conf, duration), NULL, "duration", 0, 0, NULL },
	{ "ago", SW_KEY_DUR, offsetof(struct event_conf, ago), NULL, "it happened so long before it arrived", 0, 0, NULL },
	{ "merge_request", SW_KEY_BOOL, offsetof(struct event_conf, merge_request), "false", "run of a merge request", 0, 0, NULL },
	{ "jobs_deploy", SW_KEY_BOOL, offsetof(struct event_conf, jobs_deploy), "false", "a job of the pipeline names an environment", 0, 0, NULL },
	{ "allow_failure", SW_KEY_BOOL, offsetof(struct event_conf, allow_failure), "false", "the job may fail", 0, 0, NULL },
	{ "created", SW_KEY_BOOL, offsetof(struct event_conf, created), "false", "the ref is new", 0, 0, NULL },
	{ "deleted", SW_KEY_BOOL, offsetof(struct event_conf, deleted), "false", "the ref is gone", 0, 0, NULL },
	{ 0 },
};

static void event_maps(struct file *f, const struct event_conf *c, struct sw_event *ev)
{
	size_t n = 0;

	while (c->labels && c->labels[2 * n])
		n++;
	ev->labels = SW_ARENA_ARRAY(f->a, struct sw_label, n + 1);
	for (ev->n_labels = 0; ev->n_labels < n; ev->n_labels++)
		ev->labels[ev->n_labels] = (struct sw_label){ c->labels[2 * ev->n_labels], c->labels[2 * ev->n_labels + 1] };
	for (n = 0; c->metrics && c->metrics[2 * n];)
		n++;
	ev->metrics = SW_ARENA_ARRAY(f->a, struct sw_metric, n + 1);
	for (ev->n_metrics = 0; ev->n_metrics < n; ev->n_metrics++)
		ev->metrics[ev->n_metrics] = (struct sw_metric){ c->metrics[2 * ev->n_metrics], strtod(c->metrics[2 * ev->n_metrics + 1], NULL) };
}

static void event_commits(struct file *f, const struct event_conf *c, struct sw_event *ev)
{
	size_t n = 0;

	ev->commits_total = -1;
	if (ev->kind != SW_EV_PUSH)
		return;
	while (c->files && c->files[n])
		n++;
	ev->commits = SW_ARENA_NEW(f->a, struct sw_commit);
	ev->commits[0] = (struct sw_commit){ .sha = ev->sha, .title = ev->title, .author = ev->author, .files = c->files, .n_files = n };
	ev->n_commits = 1;
	ev->commits_total = 1;
}

static int event_status(struct file *f, const struct sw_ynode *n, const struct event_conf *c, struct sw_event *ev)
{
	ev->status_text = c->status;
	ev->status = SW_ST_NONE;
	if (c->status) {
		ev->status = sw_status_parse(c->status);
		if (ev->status == SW_ST_NONE || ev->status == SW_ST_OTHER)
			return sw_diag_error(f->d, n, "unknown status \"%s\"", c->status), -EINVAL;
	} else if (ev->kind == SW_EV_REPORT && c->exit_code >= 0) {
		ev->status = c->exit_code == 0 ? SW_ST_SUCCESS : SW_ST_FAILED;
	}
	return 0;
}

/* One event in the words of a test. Several facts can tell of one deployment: via says which kind this one is. */
static int file_event(struct file *f, const struct sw_ynode *n, sw_ms at, struct sw_event *ev)
{
	struct event_conf c = { .coverage = -1 };
	enum sw_kind kind = sw_kind_parse(n->key);

	if (kind == SW_EV_NONE)
		return sw_diag_key(f->d, n, "unknown kind of event \"%s\"", n->key), -EINVAL;
	if (sw_keys_read(event_keys, n, n, NULL, f->a, &c, f->d) < 0)
		return -EINVAL;
	if (c.service && c.env)
		(void)sw_script_place(f, c.service, c.env);
	sw_event_init(ev);
	ev->kind = kind == SW_EV_DEPLOYMENT && c.via ? sw_kind_parse(c.via) : kind;
	ev->source = "test";
	ev->source_kind = "gitlab";
	ev->host = "git.example.com";
	ev->repo = c.repo ? c.repo : sw_arena_printf(f->a, "acme/%s", c.service ? c.service : "web");
	ev->default_branch = "main";
	ev->branch = c.branch ? c.branch : c.tag || c.merge_request ? NULL : "main";
	ev->tag = c.tag;
	ev->ref = c.tag ? sw_arena_printf(f->a, "refs/tags/%s", c.tag) : ev->branch ? sw_arena_printf(f->a, "refs/heads/%s", ev->branch) : NULL;
	ev->sha = c.sha;
	ev->before = c.before;
	ev->version = c.version;
	ev->user = c.user;
	ev->author = c.author;
	ev->title = c.title;
	ev->url = c.url;
	ev->environment = c.env;
	ev->env_action = c.action;
	ev->deployment_id = c.id;
	ev->job_id = c.job_id;
	ev->job_name = c.job;
	ev->pipeline_id = c.pipeline;
	ev->pipeline_source = c.source;
	ev->parent_pipeline = c.parent;
	ev->workflow = c.workflow;
	ev->attempt = (int)c.attempt;
	ev->exit_code = (int)c.exit_code;
	ev->coverage = c.coverage;
	ev->duration_ms = c.duration ? (double)c.duration : -1;
	ev->merge_request = c.merge_request;
	ev->jobs_deploy = c.jobs_deploy;
	ev->allow_failure = c.allow_failure;
	ev->created = c.created;
	ev->deleted = c.deleted;
	if (ev->kind == SW_EV_REPORT)
		ev->report_id = sw_arena_printf(f->a, "%s/%s", c.pipeline ? c.pipeline : "", c.job ? c.job : "");
	ev->received = at;
	ev->at = at - c.ago;
	event_maps(f, &c, ev);
	event_commits(f, &c, ev);
	return event_status(f, n, &c, ev);
}

static int script_one(struct file *f, const struct sw_ynode *n, struct script_event *e)
{
	const struct sw_ynode *at = sw_yget(n, "at"), *what = NULL;
	sw_dur when = 0;

	for (const struct sw_ynode *x = n->child; x; x = x->next)
		if (!sw_streq(x->key, "at"))
			what = x;
	if (!at || at->type != SW_Y_SCALAR || sw_dur_parse(at->text, &when) < 0 || !what || n->n != 2)
		return sw_diag_error(f->d, n, "want {at: 10s, <kind of event>: {…}}"), -EINVAL;
	e->at = SIM_START + when;
	if (sw_streq(what->key, "pause")) {
		e->what = SCRIPT_PAUSE;
		if (what->type != SW_Y_SCALAR || sw_dur_parse(what->text, &e->pause) < 0)
			return sw_diag_error(f->d, what, "want a length of time"), -EINVAL;
		return 0;
	}
	if (sw_streq(what->key, "refuse")) { /* the guard of the script: backlog, spool, hold; none lets pass again */
		e->what = SCRIPT_REFUSE;
		e->msg = what->text;
		return 0;
	}
	if (sw_streq(what->key, "command")) {
		const struct sw_ynode *place = sw_yget(what, "place"), *act = sw_yget(what, "do");

		if (!place || !act)
			return sw_diag_error(f->d, what, "want {place: web/prod, do: hold}"), -EINVAL;
		e->what = SCRIPT_COMMAND;
		e->aggregate = sw_arena_printf(f->a, "place:%s", place->text);
		e->msg = sw_arena_printf(f->a, "{\"t\":\"cmd\",\"do\":\"%s\",\"who\":\"test\"}", act->text);
		return 0;
	}
	e->what = SCRIPT_EVENT;
	return file_event(f, what, e->at, &e->ev);
}

/* ---- series ---- */

static int probe_token(const char *s, size_t n, struct file *f, struct probe_token *ret)
{
	const char *colon = memchr(s, ':', n);
	size_t w = colon ? (size_t)(colon - s) : n;

	*ret = (struct probe_token){ .kind = TOKEN_NONE };
	if (colon) /* ok:b2 answers as version b2 */
		ret->version = sw_arena_strndup(f->a, colon + 1, n - w - 1);
	if (w == 2 && memcmp(s, "ok", 2) == 0)
		ret->kind = TOKEN_OK;
	else if (w == 4 && memcmp(s, "fail", 4) == 0)
		ret->kind = TOKEN_FAIL;
	else if (w >= 5 && memcmp(s, "slow(", 5) == 0)
		ret->kind = TOKEN_FAIL; /* slower than the timeout is a failure (rules.md 3.5) */
	else if (w == 3 && memcmp(s, "err", 3) == 0)
		ret->kind = TOKEN_ERROR;
	else if (w == 5 && memcmp(s, "stale", 5) == 0)
		ret->kind = TOKEN_STALE;
	else if (w == 3 && memcmp(s, "nan", 3) == 0)
		ret->kind = TOKEN_NAN;
	else if (!(w == 1 && *s == '_'))
		return -EINVAL;
	return 0;
}

/* "ok x20 fail x3 _ ok": a word, then how often. */
static int probe_parse(struct file *f, const struct sw_ynode *n, struct probe_series *ret)
{
	const char *s = n->text;

	ret->tokens = SW_ARENA_ARRAY(f->a, struct probe_token, SIM_REACHES);
	for (ret->n = 0; s && *s;) {
		size_t w = strcspn(s, " "), times = 1;
		struct probe_token t;
		char *end;

		if (w && probe_token(s, w, f, &t) < 0)
			return sw_diag_in_text(f->d, n, (size_t)(s - n->text), "unknown probe \"%.*s\", want ok, fail, slow(3s), err, stale, nan or _",
			                       (int)w, s),
			       -EINVAL;
		if (!w) {
			s++;
			continue;
		}
		s += w;
		while (*s == ' ')
			s++;
		if (*s == 'x' && s[1] >= '0' && s[1] <= '9') {
			times = strtoul(s + 1, &end, 10);
			s = end;
		}
		if (times > SIM_REACHES - ret->n)
			return sw_diag_error(f->d, n, "more than %d samples", SIM_REACHES), -EINVAL;
		while (times--)
			ret->tokens[ret->n++] = t;
	}
	return 0;
}

bool sw_script_probe(void *arg, const char *place, sw_ms at, struct sw_sample *ret)
{
	struct script *sc = arg;

	for (size_t i = 0; i < sc->n_series; i++) {
		struct probe_series *ps = &sc->series[i];
		size_t k = (size_t)((at - ps->start) / ps->interval);

		if (ps->service && !sw_streq(ps->service, place))
			continue;
		if (k >= ps->n || ps->tokens[k].kind == TOKEN_NONE)
			return false;
		ret->text = ps->tokens[k].version;
		switch (ps->tokens[k].kind) {
		case TOKEN_OK: ret->value = 1; break;
		case TOKEN_FAIL: ret->value = 0; break;
		case TOKEN_ERROR: ret->reading = SW_R_ERROR; break;
		case TOKEN_STALE: ret->reading = SW_R_STALE; break;
		case TOKEN_NAN: ret->reading = SW_R_NAN; break;
		case TOKEN_NONE: break;
		}
		return true;
	}
	return false;
}

/* ---- one test ---- */

static int script_probes(struct file *f, const struct sw_ynode *n, struct script *sc)
{
	for (const struct sw_ynode *x = n ? n->child : NULL; x; x = x->next) {
		struct probe_series *ps;
		const char *slash = x->key ? strchr(x->key, ' ') : NULL;

		if (x->type != SW_Y_SCALAR || strncmp(x->key, "health", 6) != 0 || sc->n_series == SW_COUNT(sc->series))
			return sw_diag_key(f->d, x, "want health: 'ok x3 fail x20', or \"health web/prod\": …"), -EINVAL;
		ps = &sc->series[sc->n_series++];
		*ps = (struct probe_series){ .service = slash ? slash + 1 : NULL, .interval = f->interval, .start = SIM_START };
		if (probe_parse(f, x, ps) < 0)
			return -EINVAL;
	}
	return 0;
}

int sw_script_read(struct file *f, const struct sw_ynode *test, struct script *sc)
{
	static const char *const words[] = { "name", "seed", "events", "probes", "expect", "action", "length", "series", "history", NULL };
	static const char *const outcomes[] = { "ok", "fail", "unknown", "never", NULL };
	const struct sw_ynode *events = sw_yget(test, "events"), *action = sw_yget(test, "action"), *length = sw_yget(test, "length");
	int r = 0;

	memset(sc, 0, sizeof *sc);
	for (const struct sw_ynode *x = test->child; x; x = x->next) {
		bool known = false;

		for (size_t i = 0; words[i]; i++)
			known |= sw_streq(words[i], x->key);
		if (!known) {
			sw_diag_key(f->d, x, "unknown key \"%s\"", x->key);
			r = -EINVAL;
		}
	}
	if (sw_yget(test, "series") || sw_yget(test, "history")) {
		sw_diag_error(f->d, sw_yget(test, "series") ? sw_yget(test, "series") : sw_yget(test, "history"),
		              "series of measured signals come with the signal sources: not in this version");
		r = -EINVAL;
	}
	for (size_t i = 0; action && outcomes[i]; i++)
		if (sw_streq(outcomes[i], action->text))
			sc->outcome = (enum sim_outcome)i;
	sc->events = SW_ARENA_ARRAY(f->a, struct script_event, events ? events->n + 1 : 1);
	for (const struct sw_ynode *x = events ? events->child : NULL; x; x = x->next)
		if (script_one(f, x, &sc->events[sc->n_events]) < 0)
			r = -EINVAL;
		else
			sc->n_events++;
	if (script_probes(f, sw_yget(test, "probes"), sc) < 0)
		r = -EINVAL;
	sc->length = 2 * SW_HOUR;
	if (length && sw_dur_parse(length->text, &sc->length) < 0)
		r = -EINVAL;
	sc->expect = sw_yget(test, "expect");
	if (!sc->expect || sc->expect->type != SW_Y_LIST || !sc->expect->n) {
		sw_diag_error(f->d, test, "a test without `expect` proves nothing");
		r = -EINVAL;
	}
	return r;
}
