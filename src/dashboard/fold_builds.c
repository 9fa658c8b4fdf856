/*
 * Builds: what pipelines, jobs, reports and deployments tell of one run becomes one row, with one for each of its jobs.
 *
 * 1. Facts come doubled, late and in any order. Of one attempt the later state counts (created, running, ended), of a newer attempt
 *    whatever it says. A host that does not count attempts (GitLab) may begin one anew: it runs again when it says so with a later time.
 * 2. A run is known by its ci_run_id. A report may not know it: it is found by repository and pipeline, and its own id becomes an alias.
 * 3. What the pipeline says of itself stands; what it leaves open is made of its newest jobs.
 * 4. The builds that a batch touches are held in memory and written when it ends: a pipeline's thirty hooks are one write.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "dashboard/fold_inner.h"

enum { OWN_STATUS = 1, OWN_DURATION = 2, OWN_COVERAGE = 4, OWN_HOSTED = 8 /* its id is made of the host's */ };

#define BUILDS_HELD 2048 /* then they are written */
#define JOBS_MOST   1000 /* of one build; more are left out */

/* What the state of a build and of a job have in common. */
struct state { const char *status; int attempt; sw_ms at, told_at, started, finished; double duration, coverage, cpu, rss; int exit_code; };

struct job {
	int64_t id;              /* 0: new */
	bool dirty;
	const char *job, *job_id, *name, *stage, *service, *environment, *url, *metrics, *extra;
	bool allow_failure;
	struct state s;
};

struct build {
	int64_t id;
	const char *run, *source, *repo, *pipeline_id, *ci_run_id, *ci_run_alias, *name, *branch, *tag, *sha, *version, *service, *environment, *trigger, *user,
		*author, *title, *url;
	const char *line_env, *line_branch; /* as they were when it was read: its line */
	bool merge_request;
	sw_ms first;
	int64_t own;
	struct state s;
	struct job *jobs;
	size_t n_jobs, cap_jobs;
	struct build *next;
};

struct builds { struct sw_map by_run, by_alias, by_pipeline; struct build *all; size_t n; };

void sw_fold_builds_forget(struct fold *f)
{
	if (!f->builds)
		return;
	sw_map_fini(&f->builds->by_run);
	sw_map_fini(&f->builds->by_alias);
	sw_map_fini(&f->builds->by_pipeline);
	free(f->builds);
	f->builds = NULL;
}

/* ---- reading ---- */

static const char *col_text(struct fold *f, struct sw_stmt *st, int i)
{
	return sw_arena_strdup(&f->keep, sw_stmt_get_text(st, i, NULL));
}

static double col_real(struct sw_stmt *st, int i)
{
	return sw_stmt_is_null(st, i) ? -1 : sw_stmt_get_real(st, i);
}

static int col_code(struct sw_stmt *st, int i)
{
	return sw_stmt_is_null(st, i) ? -1 : (int)sw_stmt_get_int(st, i);
}

/* In the order of the schema. */
static struct build *build_row(struct fold *f, struct sw_stmt *st)
{
	struct build *b = SW_ARENA_NEW(&f->keep, struct build);

	*b = (struct build){
		.id = sw_stmt_get_int(st, 0), .run = col_text(f, st, 1), .first = sw_stmt_get_int(st, 3), .source = col_text(f, st, 4), .repo = col_text(f, st, 5),
		.pipeline_id = col_text(f, st, 6), .ci_run_id = col_text(f, st, 7), .ci_run_alias = col_text(f, st, 8), .name = col_text(f, st, 10),
		.branch = col_text(f, st, 11), .tag = col_text(f, st, 12), .sha = col_text(f, st, 13), .version = col_text(f, st, 14), .service = col_text(f, st, 15),
		.environment = col_text(f, st, 16), .trigger = col_text(f, st, 25), .merge_request = sw_stmt_get_int(st, 26) != 0, .user = col_text(f, st, 27),
		.author = col_text(f, st, 28), .title = col_text(f, st, 29), .url = col_text(f, st, 30), .own = sw_stmt_get_int(st, 34),
		.s = { .at = sw_stmt_get_int(st, 2), .attempt = (int)sw_stmt_get_int(st, 9), .status = col_text(f, st, 17), .started = sw_stmt_get_int(st, 18),
		       .finished = sw_stmt_get_int(st, 19), .duration = col_real(st, 20), .coverage = col_real(st, 21), .cpu = col_real(st, 22), .rss = col_real(st, 23),
		       .exit_code = col_code(st, 24), .told_at = sw_stmt_get_int(st, 33) },
	};
	b->line_env = b->environment ? b->environment : "";
	b->line_branch = b->branch ? b->branch : "";
	return b;
}

static struct job *build_job_new(struct fold *f, struct build *b)
{
	if (b->n_jobs == b->cap_jobs) {
		size_t cap = b->cap_jobs ? 2 * b->cap_jobs : 8;
		struct job *jobs = SW_ARENA_ARRAY(&f->keep, struct job, cap);

		if (b->n_jobs)
			memcpy(jobs, b->jobs, b->n_jobs * sizeof *jobs);
		b->jobs = jobs;
		b->cap_jobs = cap;
	}
	return &b->jobs[b->n_jobs++];
}

static void build_jobs(struct fold *f, struct build *b)
{
	struct sw_stmt *st = sw_fold_stmt(f, ST_JOBS);

	sw_fold_bind(st, "i", b->id);
	while (sw_fold_row(f, st))
		*build_job_new(f, b) = (struct job){
			.id = sw_stmt_get_int(st, 0), .job = col_text(f, st, 2), .job_id = col_text(f, st, 3), .name = col_text(f, st, 5), .stage = col_text(f, st, 6),
			.allow_failure = sw_stmt_get_int(st, 16) != 0, .service = col_text(f, st, 17), .environment = col_text(f, st, 18), .url = col_text(f, st, 19),
			.metrics = col_text(f, st, 21), .extra = col_text(f, st, 22),
			.s = { .at = sw_stmt_get_int(st, 4), .status = col_text(f, st, 7), .attempt = (int)sw_stmt_get_int(st, 8), .started = sw_stmt_get_int(st, 9),
			       .finished = sw_stmt_get_int(st, 10), .duration = col_real(st, 11), .coverage = col_real(st, 12), .cpu = col_real(st, 13),
			       .rss = col_real(st, 14), .exit_code = col_code(st, 15), .told_at = sw_stmt_get_int(st, 20) } };
}

static const char *build_pipeline_key(struct fold *f, const char *pipeline, const char *repo)
{
	return sw_arena_printf(&f->a, "%s\n%s", pipeline, repo);
}

/* Held from here on; under every name it has. */
static void build_hold(struct fold *f, struct build *b)
{
	(void)sw_map_set(&f->builds->by_run, b->run, b);
	if (b->ci_run_alias)
		(void)sw_map_set(&f->builds->by_alias, b->ci_run_alias, b);
	if (b->pipeline_id && b->repo)
		(void)sw_map_set(&f->builds->by_pipeline, build_pipeline_key(f, b->pipeline_id, b->repo), b);
}

static struct build *build_read(struct fold *f, struct sw_stmt *st)
{
	struct build *b, *held;

	if (!sw_fold_row(f, st))
		return NULL;
	b = build_row(f, st);
	sw_stmt_reset(st);
	held = sw_map_get(&f->builds->by_run, b->run);
	if (held)
		return held;
	for (held = f->builds->all; held; held = held->next) /* its run was named anew in this batch */
		if (held->id == b->id)
			return held;
	build_jobs(f, b);
	b->next = f->builds->all;
	f->builds->all = b;
	f->builds->n++;
	build_hold(f, b);
	return b;
}

static struct build *build_by(struct fold *f, const struct sw_map *map, enum fold_stmt stmt, const char *key, const char *a, const char *b)
{
	struct build *held = sw_map_get(map, key);
	struct sw_stmt *st;

	if (held)
		return held;
	st = sw_fold_stmt(f, stmt);
	if (b)
		sw_fold_bind(st, "ss", a, b);
	else
		sw_fold_bind(st, "s", a);
	return build_read(f, st);
}

/* ---- which build ---- */

/* Does its id come from the host? Then it is the same in all that tells of the run. */
static bool event_hosted(const struct sw_event *ev)
{
	return ev->ci_run_id && (ev->kind != SW_EV_REPORT || ev->host);
}

static struct build *build_find(struct fold *f, const struct sw_event *ev, const char *run)
{
	struct builds *all = f->builds;
	struct build *b = build_by(f, &all->by_run, ST_BUILD_RUN, run, run, NULL);

	if (!b && !event_hosted(ev))
		b = build_by(f, &all->by_alias, ST_BUILD_ALIAS, run, run, NULL);
	if (!b && ev->pipeline_id && ev->repo) {
		b = build_by(f, &all->by_pipeline, ST_BUILD_PIPELINE, build_pipeline_key(f, ev->pipeline_id, ev->repo), ev->pipeline_id, ev->repo);
		if (b && ((b->own & OWN_HOSTED) != 0) == event_hosted(ev))
			b = NULL; /* two hosts, or two runs with ids of their own */
	}
	return b;
}

static const char *keep_text(struct fold *f, const char *was, const char *now, bool over)
{
	return now && (over || !was) ? sw_arena_strdup(&f->keep, now) : was;
}

/* A report's own id, once the host's is known, is another name. */
static void build_named(struct fold *f, struct build *b, const struct sw_event *ev)
{
	const char *alias = ev->ci_run_alias;

	if (ev->ci_run_id && !sw_streq(ev->ci_run_id, b->ci_run_id)) {
		if (event_hosted(ev) && !(b->own & OWN_HOSTED)) {
			alias = alias ? alias : b->ci_run_id;
			b->run = b->ci_run_id = sw_arena_strdup(&f->keep, ev->ci_run_id);
		} else {
			alias = ev->ci_run_id;
		}
	}
	if (event_hosted(ev))
		b->own |= OWN_HOSTED;
	if (alias && !sw_streq(alias, b->ci_run_id))
		b->ci_run_alias = sw_arena_strdup(&f->keep, alias);
	b->pipeline_id = keep_text(f, b->pipeline_id, ev->pipeline_id, false);
	b->repo = keep_text(f, b->repo, ev->repo, false);
	build_hold(f, b);
}

static struct build *build_get(struct fold *f, const struct sw_event *ev, bool make)
{
	const char *run = ev->ci_run_id ? ev->ci_run_id
	                                : sw_arena_printf(&f->a, "%s/%s/%s", ev->source ? ev->source : "?", ev->repo ? ev->repo : "-", ev->pipeline_id ? ev->pipeline_id : "-");
	struct build *b = build_find(f, ev, run);

	if (!b && make) {
		b = SW_ARENA_NEW(&f->keep, struct build);
		*b = (struct build){ .run = sw_arena_strdup(&f->keep, run), .source = sw_arena_strdup(&f->keep, ev->source ? ev->source : "?"), .first = ev->received,
			             .ci_run_id = sw_arena_strdup(&f->keep, ev->ci_run_id), .line_env = "", .line_branch = "",
			             .s = { .duration = -1, .coverage = -1, .cpu = -1, .rss = -1, .exit_code = -1 } };
		b->next = f->builds->all;
		f->builds->all = b;
		f->builds->n++;
	}
	if (b)
		build_named(f, b, ev);
	return b;
}

/* ---- folding ---- */

static bool status_ended(const char *status)
{
	return sw_status_terminal(sw_status_parse(status));
}

/* Is this news of its state? A new attempt forgets what the last one left. */
static bool state_takes(struct state *s, const struct sw_event *ev)
{
	int attempt = ev->attempt ? ev->attempt : 1, rank = sw_status_rank(ev->status), was = s->status ? sw_status_rank(sw_status_parse(s->status)) : -1;
	bool again;

	if (ev->status == SW_ST_NONE || ev->status == SW_ST_INACTIVE || (s->status && attempt < s->attempt))
		return false;
	again = s->status && (attempt > s->attempt || (!ev->attempt && rank < was && was == 3 && ev->at > SW_MAX(s->told_at, s->finished)));
	if (again)
		*s = (struct state){ .at = s->at, .duration = -1, .coverage = -1, .cpu = -1, .rss = -1, .exit_code = -1 };
	else if (s->status && (rank < was || (rank == was && ev->at < s->told_at)))
		return false;
	s->attempt = attempt;
	return true;
}

static void state_fold(struct fold *f, struct state *s, const struct sw_event *ev)
{
	s->at = SW_MAX(s->at, ev->received);
	if (ev->started_at && (!s->started || ev->started_at < s->started))
		s->started = ev->started_at;
	if (!state_takes(s, ev))
		return;
	s->status = sw_arena_strdup(&f->keep, sw_status_name(ev->status));
	s->told_at = SW_MAX(s->told_at, ev->at);
	if (ev->started_at)
		s->started = ev->started_at;
	if (!sw_status_terminal(ev->status))
		return;
	s->finished = ev->finished_at ? ev->finished_at : ev->at;
	if (ev->duration_ms >= 0)
		s->duration = ev->duration_ms;
	else if (s->duration < 0 && s->started && s->finished >= s->started)
		s->duration = (double)s->finished - (double)s->started; /* times of others: they may be anything */
	if (ev->coverage >= 0)
		s->coverage = ev->coverage;
	if (ev->cpu_ms >= 0)
		s->cpu = ev->cpu_ms;
	if (ev->max_rss_bytes >= 0)
		s->rss = ev->max_rss_bytes;
	if (ev->exit_code >= 0)
		s->exit_code = ev->exit_code;
}

static struct job *build_job(struct fold *f, struct build *b, const struct sw_event *ev)
{
	const char *key = ev->job_id ? ev->job_id : ev->job_name;
	struct job *found = NULL;

	for (size_t i = 0; i < b->n_jobs && !found; i++)
		if (sw_streq(b->jobs[i].job, key))
			found = &b->jobs[i];
	/* One tells its id, the other does not: the newest of that name. */
	for (size_t i = b->n_jobs; i-- > 0 && !found;)
		if (sw_streq(b->jobs[i].name, ev->job_name) && (!ev->job_id || !b->jobs[i].job_id))
			found = &b->jobs[i];
	if (!found) {
		if (b->n_jobs >= JOBS_MOST)
			return NULL;
		found = build_job_new(f, b);
		*found = (struct job){ .job = sw_arena_strdup(&f->keep, key), .s = { .duration = -1, .coverage = -1, .cpu = -1, .rss = -1, .exit_code = -1 } };
	}
	if (ev->job_id && !found->job_id)
		found->job = found->job_id = sw_arena_strdup(&f->keep, ev->job_id);
	return found;
}

static const char *job_metrics(struct fold *f, const struct sw_event *ev)
{
	struct sw_buf b = SW_BUF_INIT;
	const char *ret;
	struct sw_jw w;

	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	for (size_t i = 0; i < ev->n_metrics; i++)
		sw_jw_num(&w, ev->metrics[i].name, ev->metrics[i].value);
	sw_jw_obj_end(&w);
	ret = sw_arena_strdup(&f->keep, sw_buf_str(&b));
	sw_buf_fini(&b);
	return ret;
}

static void fold_job(struct fold *f, struct build *b, const struct sw_event *ev)
{
	struct job *j = ev->job_id || ev->job_name ? build_job(f, b, ev) : NULL;

	if (!j)
		return;
	state_fold(f, &j->s, ev);
	if (!j->s.status)
		j->s.status = "other";
	j->dirty = true;
	j->name = keep_text(f, j->name, ev->job_name, true);
	j->stage = keep_text(f, j->stage, ev->job_stage, true);
	j->service = keep_text(f, j->service, ev->service, true);
	if (sw_event_deploys(ev))
		j->environment = keep_text(f, j->environment, ev->environment, true);
	j->url = keep_text(f, j->url, ev->url, ev->kind == SW_EV_JOB);
	j->allow_failure |= ev->allow_failure;
	if (ev->n_metrics)
		j->metrics = job_metrics(f, ev);
	j->extra = keep_text(f, j->extra, ev->extra, true);
}

static void fold_texts(struct fold *f, struct build *b, const struct sw_event *ev, bool own)
{
	b->name = keep_text(f, b->name, ev->pipeline_name ? ev->pipeline_name : ev->workflow, own);
	b->branch = keep_text(f, b->branch, ev->branch, own);
	b->tag = keep_text(f, b->tag, ev->tag, own);
	b->sha = keep_text(f, b->sha, ev->sha ? ev->sha : ev->short_sha, own);
	b->version = keep_text(f, b->version, ev->version, own);
	b->trigger = keep_text(f, b->trigger, ev->pipeline_source, own);
	b->user = keep_text(f, b->user, ev->user ? ev->user : ev->user_name, own);
	b->author = keep_text(f, b->author, ev->author, own);
	b->title = keep_text(f, b->title, ev->title, own);
	b->url = keep_text(f, b->url, ev->url, own);
	b->merge_request |= ev->merge_request;
}

void sw_fold_build(struct fold *f, const struct sw_event *ev)
{
	bool pipeline = ev->kind == SW_EV_PIPELINE, job = ev->kind == SW_EV_JOB || ev->kind == SW_EV_REPORT;
	struct build *b;

	if ((!pipeline && !job && ev->kind != SW_EV_DEPLOYMENT) || (!ev->pipeline_id && !pipeline) || (!ev->pipeline_id && !ev->ci_run_id))
		return;
	if (!f->builds)
		f->builds = sw_calloc(1, sizeof *f->builds);
	b = build_get(f, ev, pipeline || job);
	if (!b)
		return;
	b->s.at = SW_MAX(b->s.at, ev->received);
	b->first = SW_MIN(b->first, ev->received);
	if (pipeline) {
		b->own |= ev->status != SW_ST_NONE ? OWN_STATUS : 0;
		b->own |= ev->duration_ms >= 0 ? OWN_DURATION : 0;
		b->own |= ev->coverage >= 0 ? OWN_COVERAGE : 0;
		state_fold(f, &b->s, ev);
		fold_texts(f, b, ev, true);
	} else {
		if (job)
			fold_job(f, b, ev);
		fold_texts(f, b, ev, false);
		if (sw_event_deploys(ev)) {
			b->environment = keep_text(f, b->environment, ev->environment, true);
			b->service = keep_text(f, b->service, ev->service, true);
		}
	}
	if (f->builds->n >= BUILDS_HELD) {
		sw_fold_builds_write(f);
		sw_fold_builds_forget(f);
	}
}

/* ---- what its jobs make of it ---- */

/* Run again under a new id: only the last of a name counts. */
static bool job_newest(const struct build *b, const struct job *j)
{
	for (const struct job *x = b->jobs; x < b->jobs + b->n_jobs; x++)
		if (x != j && x->name && sw_streq(x->name, j->name) && (x->s.at > j->s.at || (x->s.at == j->s.at && x > j)))
			return false;
	return true;
}

struct sums { int jobs, failed, open, cancelled, success; sw_ms started, finished; double longest, coverage, cpu, rss; int exit_code; };

static void sums_add(struct sums *s, const struct job *j)
{
	enum sw_status st = sw_status_parse(j->s.status);

	s->jobs++;
	s->failed += st == SW_ST_FAILED && !j->allow_failure;
	s->open += st == SW_ST_RUNNING || st == SW_ST_CREATED;
	s->cancelled += st == SW_ST_CANCELLED;
	s->success += st == SW_ST_SUCCESS || (st == SW_ST_FAILED && j->allow_failure);
	if (j->s.started && (!s->started || j->s.started < s->started))
		s->started = j->s.started;
	s->finished = SW_MAX(s->finished, j->s.finished);
	s->longest = SW_MAX(s->longest, j->s.duration);
	s->coverage = SW_MAX(s->coverage, j->s.coverage);
	s->rss = SW_MAX(s->rss, j->s.rss);
	if (j->s.cpu >= 0)
		s->cpu = SW_MAX(s->cpu, 0) + j->s.cpu;
	if (j->s.exit_code > 0 || s->exit_code < 0)
		s->exit_code = j->s.exit_code;
}

static struct sums build_sums(const struct build *b)
{
	struct sums s = { .longest = -1, .coverage = -1, .cpu = -1, .rss = -1, .exit_code = -1 };

	for (size_t i = 0; i < b->n_jobs; i++)
		if (job_newest(b, &b->jobs[i]))
			sums_add(&s, &b->jobs[i]);
	return s;
}

static void build_settle(struct build *b, const struct sums *s)
{
	if (!(b->own & OWN_STATUS)) {
		enum sw_status st = s->open ? SW_ST_RUNNING : s->failed ? SW_ST_FAILED : s->cancelled ? SW_ST_CANCELLED : s->success ? SW_ST_SUCCESS
		                    : s->jobs ? SW_ST_SKIPPED : SW_ST_OTHER;

		b->s.status = sw_status_name(st);
		b->s.started = s->started;
		b->s.finished = status_ended(b->s.status) ? s->finished : 0;
	}
	if (!(b->own & OWN_DURATION) && status_ended(b->s.status) && s->longest >= 0) {
		double span = s->started ? (double)s->finished - (double)s->started : 0;

		if (!(b->own & OWN_STATUS) || b->s.duration < 0)
			b->s.duration = SW_MAX(span, s->longest);
	}
	if (!(b->own & OWN_COVERAGE) && s->jobs)
		b->s.coverage = s->coverage;
	b->s.cpu = s->cpu;
	b->s.rss = s->rss;
	b->s.exit_code = s->exit_code;
}

/* ---- writing ---- */

static void build_write_job(struct fold *f, const struct build *b, struct job *j)
{
	struct sw_stmt *st = sw_fold_stmt(f, j->id ? ST_JOB_SET : ST_JOB_ADD);

	sw_fold_bind(st, "ssisssboorrrrcbsssossi", j->job, j->job_id, (int64_t)j->s.at, j->name, j->stage, j->s.status, j->s.attempt, (int64_t)j->s.started,
	             (int64_t)j->s.finished, j->s.duration, j->s.coverage, j->s.cpu, j->s.rss, j->s.exit_code, (int)j->allow_failure, j->service, j->environment,
	             j->url, (int64_t)j->s.told_at, j->metrics, j->extra, j->id ? j->id : b->id);
	(void)sw_fold_run(f, st);
}

static bool build_write_row(struct fold *f, struct build *b, const struct sums *s)
{
	struct sw_stmt *st = sw_fold_stmt(f, b->id ? ST_BUILD_SET : ST_BUILD_ADD);

	sw_fold_bind(st, b->id ? "siisssssbssssssssoorrrrcsbssssbboiii" : "siisssssbssssssssoorrrrcsbssssbboii", b->run, (int64_t)b->s.at, (int64_t)b->first, b->source,
	             b->repo, b->pipeline_id, b->ci_run_id, b->ci_run_alias, b->s.attempt, b->name, b->branch, b->tag, b->sha, b->version, b->service,
	             b->environment, b->s.status ? b->s.status : "other", (int64_t)b->s.started, (int64_t)b->s.finished, b->s.duration, b->s.coverage, b->s.cpu,
	             b->s.rss, b->s.exit_code, b->trigger, (int)b->merge_request, b->user, b->author, b->title, b->url, s->jobs, s->failed, (int64_t)b->s.told_at,
	             b->own, ++f->seq, b->id);
	if (!sw_fold_run(f, st))
		return false;
	if (!b->id)
		b->id = sw_sql_rowid(f->store->q);
	return true;
}

/* Merge requests are no line: each is one of its own. */
static void build_write_line(struct fold *f, const struct build *b)
{
	const char *env = b->environment ? b->environment : "", *branch = b->branch ? b->branch : "";
	static const enum fold_stmt leave[] = { ST_LINE_MOVE, ST_LINE_END };
	struct sw_stmt *st;

	if (!b->repo || b->merge_request)
		return;
	for (size_t i = 0; i < SW_COUNT(leave) && (!sw_streq(env, b->line_env) || !sw_streq(branch, b->line_branch)); i++) {
		st = sw_fold_stmt(f, leave[i]);
		sw_fold_bind(st, "sssi", b->repo, b->line_branch, b->line_env, b->id);
		(void)sw_fold_run(f, st);
	}
	st = sw_fold_stmt(f, ST_LINE);
	sw_fold_bind(st, "sssii", b->repo, branch, env, (int64_t)b->s.at, b->id);
	(void)sw_fold_run(f, st);
}

void sw_fold_builds_write(struct fold *f)
{
	for (struct build *b = f->builds ? f->builds->all : NULL; b && f->r == 0; b = b->next) {
		struct sums s = build_sums(b);

		build_settle(b, &s);
		if (!build_write_row(f, b, &s))
			continue;
		for (size_t i = 0; i < b->n_jobs; i++)
			if (b->jobs[i].dirty)
				build_write_job(f, b, &b->jobs[i]);
		build_write_line(f, b);
		f->touched |= SW_TOUCHED_BUILDS;
	}
}
