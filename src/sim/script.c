/* Tests of rules, what a file says: places, events in the words of a test, what probes find. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "rules/expr.h"
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
	p->prometheus = (struct sw_measure_conf){ .labels = "", .window = SW_MINUTE, .timeout = 10 * SW_SECOND };
	p->scrape = (struct sw_measure_conf){ .labels = "", .window = SW_MINUTE, .timeout = 5 * SW_SECOND, .background = SW_MINUTE };
	p->rollback = "rollback";
	p->rollbacks_30m = 1;
	p->rollbacks_24h = 3;
	return p;
}

struct place_conf {
	sw_dur every, grace, background, window;
	bool version, dry_run;
	int measured;
	const char *rollback, *deploys, *tier;
	const char **migrations, **limits;
};

static const char *const measured_words[] = { "prometheus", "scrape", NULL };

static const struct sw_key place_keys[] = {
	{ "every", SW_KEY_DUR, offsetof(struct place_conf, every), NULL, "rhythm of probes under watch", 1, SW_DAY, NULL },
	{ "grace", SW_KEY_DUR, offsetof(struct place_conf, grace), "60s", "time in which a failing health says nothing", 0, 0, NULL },
	{ "background", SW_KEY_DUR, offsetof(struct place_conf, background), "60s", "rhythm of probes between deployments", 0, 0, NULL },
	{ "window", SW_KEY_DUR, offsetof(struct place_conf, window), "60s", "of a measured rate", 1, SW_DAY, NULL },
	{ "version", SW_KEY_BOOL, offsetof(struct place_conf, version), "false", "health tells the version", 0, 0, NULL },
	{ "rollback", SW_KEY_STRING, offsetof(struct place_conf, rollback), "rollback", "action; none: no rollback", 0, 0, NULL },
	{ "dry_run", SW_KEY_BOOL, offsetof(struct place_conf, dry_run), "false", "actions are told, not started", 0, 0, NULL },
	{ "deploys", SW_KEY_STRING, offsetof(struct place_conf, deploys), "explicit", "explicit or pipeline", 0, 0, NULL },
	{ "migrations", SW_KEY_STRINGS, offsetof(struct place_conf, migrations), NULL, "globs of migrations", 0, 0, NULL },
	{ "measured", SW_KEY_ENUM, offsetof(struct place_conf, measured), "prometheus", "where its series are asked", 0, 0, measured_words },
	{ "tier", SW_KEY_STRING, offsetof(struct place_conf, tier), NULL, "what deploy-to-<tier> means; its own name unless said", 0, 0, NULL },
	{ "limits", SW_KEY_STRMAP, offsetof(struct place_conf, limits), NULL, "limits.p95 of rules", 0, 0, NULL },
	{ 0 },
};

/* {p95: 800ms}: values as rules write them. */
static void place_limits(struct file *f, const struct sw_ynode *n, const char *const *map, struct sw_place *p)
{
	size_t k = 0;

	while (map && map[2 * k])
		k++;
	p->limits = SW_ARENA_ARRAY(f->a, struct sw_limit, k + 1);
	for (p->n_limits = 0; p->n_limits < k; p->n_limits++) {
		struct lexer l = { .a = f->a, .text = map[2 * p->n_limits + 1], .n = strlen(map[2 * p->n_limits + 1]) };
		struct token t = sw_lex_next(&l, false);

		if (t.kind != T_LITERAL || l.at != l.n || !sw_vtype_numeric(t.value.type))
			sw_diag_key(f->d, n, "limits: want a value such as 800ms or 5%%, got \"%s\"", map[2 * p->n_limits + 1]);
		p->limits[p->n_limits] = (struct sw_limit){ map[2 * p->n_limits], t.value.num, (int)t.value.type };
	}
}

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
		p->prometheus.window = c.window;
		p->health.version = c.version ? "/commit" : NULL;
		p->rollback = sw_streq(c.rollback, "none") ? NULL : c.rollback;
		p->dry_run = c.dry_run;
		p->deploys_pipeline = sw_streq(c.deploys, "pipeline");
		p->migrations = c.migrations;
		p->scrape.url = c.measured ? "http://simulated/metrics" : NULL;
		if (c.tier)
			p->tier = c.tier;
		place_limits(f, n, (const char *const *)c.limits, p);
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

/* An alarm is of no repository. `id` tells it from others of its name; `duration` is how long it fires already: when it began. */
static int event_alarm(struct file *f, const struct sw_ynode *n, const struct event_conf *c, struct sw_event *ev)
{
	struct event_conf known = *c;

	ev->source_kind = "alertmanager";
	ev->repo = ev->default_branch = ev->ref = ev->branch = ev->tag = NULL;
	ev->service = c->service;
	ev->alarm_id = c->id ? c->id : "1";
	ev->started_at = ev->at - c->duration;
	known.status = !c->status || sw_streq(c->status, "firing") ? "failed" : sw_streq(c->status, "resolved") ? "success" : c->status;
	if (event_status(f, n, &known, ev) < 0)
		return -EINVAL;
	ev->status_text = c->status ? c->status : "firing";
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
	if (c.service && c.env && kind != SW_EV_ALARM)
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
	return ev->kind == SW_EV_ALARM ? event_alarm(f, n, &c, ev) : event_status(f, n, &c, ev);
}

struct silence_conf { const char *service, *env, *rule, *severity; sw_dur lasts; bool maintenance; };

static const struct sw_key silence_keys[] = {
	{ "service", SW_KEY_STRING, offsetof(struct silence_conf, service), NULL, "glob over services", 0, 0, NULL },
	{ "env", SW_KEY_STRING, offsetof(struct silence_conf, env), NULL, "glob over environments", 0, 0, NULL },
	{ "rule", SW_KEY_STRING, offsetof(struct silence_conf, rule), NULL, "glob over rules", 0, 0, NULL },
	{ "severity", SW_KEY_STRING, offsetof(struct silence_conf, severity), NULL, "info, warning or critical", 0, 0, NULL },
	{ "for", SW_KEY_DUR, offsetof(struct silence_conf, lasts), "1h", "how long", SW_SECOND, 30 * SW_DAY, NULL },
	{ "maintenance", SW_KEY_BOOL, offsetof(struct silence_conf, maintenance), "false", "no action starts by itself either", 0, 0, NULL },
	{ 0 },
};

static int script_silence(struct file *f, const struct sw_ynode *n, struct script_event *e)
{
	struct silence_conf c = { 0 };
	struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;

	if (sw_keys_read(silence_keys, n, n, NULL, f->a, &c, f->d) < 0)
		return -EINVAL;
	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "t", "cmd");
	sw_jw_str(&w, "do", "silence");
	sw_jw_str(&w, "id", sw_arena_printf(f->a, "line%u", n->line));
	sw_jw_opt(&w, "service", c.service);
	sw_jw_opt(&w, "env", c.env);
	sw_jw_opt(&w, "rule", c.rule);
	sw_jw_opt(&w, "severity", c.severity);
	sw_jw_int(&w, "until", e->at + c.lasts);
	if (c.maintenance)
		sw_jw_bool(&w, "maintenance", true);
	sw_jw_str(&w, "who", "test");
	sw_jw_obj_end(&w);
	e->what = SCRIPT_COMMAND;
	e->aggregate = "silences:all";
	e->msg = sw_arena_strdup(f->a, sw_buf_str(&b));
	sw_buf_fini(&b);
	return 0;
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
		const struct sw_ynode *place = sw_yget(what, "place"), *act = sw_yget(what, "do"), *who = sw_yget(what, "who");
		SW_CLEANUP(sw_buf_fini) struct sw_buf name = SW_BUF_INIT;

		if (!place || !act)
			return sw_diag_error(f->d, what, "want {place: web/prod, do: hold}"), -EINVAL;
		e->what = SCRIPT_COMMAND;
		e->aggregate = sw_arena_printf(f->a, "place:%s", place->text);
		sw_buf_json(&name, who && who->type == SW_Y_SCALAR ? who->text : "test");
		e->msg = sw_arena_printf(f->a, "{\"t\":\"cmd\",\"do\":\"%s\",\"who\":%s}", act->text, sw_buf_str(&name));
		return 0;
	}
	if (sw_streq(what->key, "ack")) { /* all alerts there are */
		e->what = SCRIPT_ACK;
		return 0;
	}
	if (sw_streq(what->key, "silence"))
		return script_silence(f, what, e);
	e->what = SCRIPT_EVENT;
	return file_event(f, what, e->at, &e->ev);
}

/* ---- series ---- */

/* "http_latency_p95", or "http_latency_p95 web/prod" for one place. */
static const struct sw_signal_def *series_signal(struct file *f, const struct sw_ynode *n, const char *signal)
{
	const struct sw_signal_def *def = sw_rules_signal(f->rules, signal);
	const char *names[128] = { "http_latency_p50", "http_latency_p95", "http_latency_p99", "error_rate", "request_rate", "requests",
		                   "memory_rss", "restarts", "new_error_types", "endpoints" };
	const char *near;
	size_t k = 10;

	if (def && !def->report && !def->alarm && !sw_streq(signal, "health"))
		return def;
	if (def) {
		sw_diag_key(f->d, n, "%s", def->report  ? "its values come with the events: report: {metrics: {…}}"
		                           : def->alarm ? "its values come with the events: alarm: {…}"
		                                        : "health is said under probes:");
		return NULL;
	}
	for (size_t i = 0; f->rules && i < f->rules->n_signals && k < SW_COUNT(names) - 1; i++)
		names[k++] = f->rules->signals[i].name;
	near = sw_did_you_mean(signal, names);
	sw_diag_key(f->d, n, "unknown signal \"%s\"%s%s%s", signal, near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	return NULL;
}

static int series_one(struct file *f, const struct sw_ynode *n, enum series_type type, uint64_t seed, struct sim_series *ret)
{
	const char *space = n->key ? strchr(n->key, ' ') : NULL, *slash = space ? strchr(space, '/') : NULL;
	const struct sw_signal_def *def = NULL;

	*ret = (struct sim_series){ .interval = f->interval, .start = SIM_START, .seed = sw_series_seed(seed, n->key) };
	ret->signal = space ? sw_arena_strndup(f->a, n->key, (size_t)(space - n->key)) : n->key;
	ret->place = space ? space + 1 : NULL;
	if (n->type != SW_Y_SCALAR || !n->key || (space && !slash))
		return sw_diag_key(f->d, n, "want <signal>: '…', or \"<signal> web/prod\": '…'"), -EINVAL;
	if (type == SERIES_PROBE && !sw_streq(ret->signal, "health") && !sw_streq(ret->signal, "reference"))
		return sw_diag_key(f->d, n, "want health: 'ok x3 fail x20', \"health web/prod\": …, or reference: …"), -EINVAL;
	if (type == SERIES_MEASURED && !(def = series_signal(f, n, ret->signal)))
		return -EINVAL;
	if (slash) /* asked there even when no event names it */
		(void)sw_script_place(f, sw_arena_strndup(f->a, space + 1, (size_t)(slash - space - 1)), slash + 1);
	return sw_series_read(ret, n, type, def, f->a, f->d);
}

static int series_all(struct file *f, const struct sw_ynode *map, enum series_type type, uint64_t seed, struct sim_series *list, size_t *n)
{
	int r = 0;

	if (map && map->type != SW_Y_MAP)
		return sw_diag_error(f->d, map, "want a map of series"), -EINVAL;
	for (const struct sw_ynode *x = map ? map->child : NULL; x; x = x->next) {
		if (series_one(f, x, type, seed, &list[*n]) < 0)
			r = -EINVAL;
		else
			(*n)++;
	}
	return r;
}

static int script_series(struct file *f, const struct sw_ynode *test, struct script *sc)
{
	const struct sw_ynode *probes = sw_yget(test, "probes"), *series = sw_yget(test, "series"), *past = sw_yget(test, "history");
	size_t most = (probes ? probes->n : 0) + (series ? series->n : 0) + 1, n_probes;
	int r = 0;

	sc->series = SW_ARENA_ARRAY(f->a, struct sim_series, most);
	sc->past = SW_ARENA_ARRAY(f->a, struct sim_series, (past ? past->n : 0) + 1);
	if (series_all(f, probes, SERIES_PROBE, sc->seed, sc->series, &sc->n_series) < 0)
		r = -EINVAL;
	n_probes = sc->n_series;
	for (size_t i = 0; i < n_probes; i++)
		sc->reference |= sw_streq(sc->series[i].signal, "reference");
	if (series_all(f, series, SERIES_MEASURED, sc->seed, sc->series, &sc->n_series) < 0)
		r = -EINVAL;
	sc->measured = series != NULL;
	if (series_all(f, past, SERIES_MEASURED, sw_series_seed(sc->seed, "history"), sc->past, &sc->n_past) < 0)
		r = -EINVAL;
	for (size_t i = 0; i < sc->n_past; i++) /* the newest ends where the test begins */
		sc->past[i].start -= (sw_dur)sc->past[i].n * sc->past[i].interval;
	return r;
}

/* ---- one test ---- */

int sw_script_words(struct file *f, const struct sw_ynode *n, const char *const *words)
{
	int r = 0;

	for (const struct sw_ynode *x = n->child; x; x = x->next) {
		const char *near = sw_did_you_mean(x->key, words);
		bool known = false;

		for (size_t i = 0; words[i]; i++)
			known |= sw_streq(words[i], x->key);
		if (known)
			continue;
		sw_diag_key(f->d, x, "unknown key \"%s\"%s%s%s", x->key, near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
		r = -EINVAL;
	}
	return r;
}

static int script_words(struct file *f, const struct sw_ynode *test)
{
	static const char *const words[] = { "name", "seed", "events", "probes", "expect", "action", "length", "series", "history", NULL };

	return sw_script_words(f, test, words);
}

int sw_script_length(struct file *f, const struct sw_ynode *n, sw_dur *ret)
{
	if (n->type != SW_Y_SCALAR || sw_dur_parse(n->text, ret) < 0 || *ret <= 0 || *ret > 31 * SW_DAY)
		return sw_diag_error(f->d, n, "length: want a length of time of at most 31d"), -EINVAL;
	return 0;
}

/* seed, action, length */
static int script_settings(struct file *f, const struct sw_ynode *test, struct script *sc)
{
	static const char *const outcomes[] = { "ok", "fail", "unknown", "never", NULL };
	const struct sw_ynode *action = sw_yget(test, "action"), *length = sw_yget(test, "length"), *seed = sw_yget(test, "seed");
	size_t i = 0;
	int r = 0;

	sc->seed = 1;
	sc->length = f->length;
	if (seed && (seed->type != SW_Y_SCALAR || !*seed->text || strspn(seed->text, "0123456789") != strlen(seed->text) || strlen(seed->text) > 18)) {
		sw_diag_error(f->d, seed, "seed: want a whole number");
		r = -EINVAL;
	} else if (seed) {
		sc->seed = strtoull(seed->text, NULL, 10);
	}
	while (action && outcomes[i] && !(action->type == SW_Y_SCALAR && sw_streq(outcomes[i], action->text)))
		i++;
	if (action && !outcomes[i]) {
		sw_diag_error(f->d, action, "action: want ok, fail, unknown or never");
		r = -EINVAL;
	}
	sc->outcome = (enum sim_outcome)i;
	if (length && sw_script_length(f, length, &sc->length) < 0)
		r = -EINVAL;
	return r;
}

int sw_script_read(struct file *f, const struct sw_ynode *test, struct script *sc)
{
	const struct sw_ynode *events = sw_yget(test, "events");
	int r;

	memset(sc, 0, sizeof *sc);
	sc->rules = f->rules;
	r = script_words(f, test);
	if (script_settings(f, test, sc) < 0)
		r = -EINVAL;
	if (events && events->type != SW_Y_LIST)
		r = (sw_diag_error(f->d, events, "events: want a list"), -EINVAL);
	sc->events = SW_ARENA_ARRAY(f->a, struct script_event, events ? events->n + 1 : 1);
	for (const struct sw_ynode *x = events && events->type == SW_Y_LIST ? events->child : NULL; x; x = x->next)
		if (script_one(f, x, &sc->events[sc->n_events]) < 0)
			r = -EINVAL;
		else
			sc->n_events++;
	if (script_series(f, test, sc) < 0)
		r = -EINVAL;
	sc->expect = sw_yget(test, "expect");
	if (!sc->expect || sc->expect->type != SW_Y_LIST || !sc->expect->n) {
		sw_diag_error(f->d, test, "a test without `expect` proves nothing");
		r = -EINVAL;
	}
	return r;
}
