/* Lists of what came in: events, builds with their jobs, samples, what people decided, what is missing. */
#include "dashboard/tables.h"

static const char *const kinds[] = { "push", "tag", "pipeline", "job", "deployment", "release", "merge", "report", "alarm", NULL };
static const char *const statuses[] = { "other", "created", "running", "success", "failed", "cancelled", "skipped", "inactive", NULL };

/* ---- events ---- */

static const struct sw_column event_columns[] = {
	C_INT(e, id, "number, in the order of arrival"),
	C_MS(e, at, "it arrived"),
	C_TEXT(e, event_id, "of the delivery, as its sender was answered and as it stands in the log"),
	C_INT(e, n, "which event of it, from 0"),
	C_TEXT(e, delivery, "the sender's own id of the delivery"),
	C_TEXT(e, source, "the source, as in the configuration"),
	C_TEXT(e, kind, "push, tag, pipeline, job, deployment, release, merge, report or alarm"),
	C_TEXT(e, status, "created, running, success, failed, cancelled, skipped, inactive or other"),
	C_TEXT(e, repo, "path of the repository"),
	C_TEXT(e, branch, "branch"),
	C_TEXT(e, tag, "tag"),
	C_TEXT(e, sha, "commit"),
	C_TEXT(e, service, "service of the place that claimed it, else as the sender named it"),
	C_TEXT(e, environment, "its environment likewise"),
	C_BOOL(e, claimed, "a place claimed it"),
	C_TEXT(e, ci_run_id, "the run it belongs to"),
	C_TEXT(e, ci_run_alias, "another id that a report gave the run"),
	C_TEXT(e, user, "who caused it"),
	C_TEXT(e, title, "first line of the commit, name of the release, title of the merge request"),
	C_TEXT(e, url, "page at the host"),
	C_JSON(b, ev, "the whole event in Shipwatch's form"),
};
static const struct sw_filter event_filters[] = {
	F_GLOB(e, service, "the service"),
	F_GLOB(e, environment, "the environment"),
	F_GLOB(e, repo, "the repository"),
	F_GLOB(e, branch, "the branch"),
	F_GLOB(e, tag, "the tag"),
	F_SHA_DAYS(e, events),
	F_WORD(e, kind, "the kind of event", kinds),
	F_WORD(e, status, "the status it tells of", statuses),
	F_GLOB(e, source, "the source"),
	F_TEXT(e, event_id, "events of this delivery"),
	{ "ci_run_id", "e.id IN (SELECT id FROM events WHERE " IN_DAYS(events) " AND ci_run_id IN (SELECT ? UNION SELECT ci_run_id FROM builds WHERE ci_run_alias = ?))",
	  "the run, by its id or by the one a report gave it", SW_COL_TEXT, NULL, false, false },
	F_SINCE("e.at"), F_UNTIL("e.at"),
	{ "q", "e.id IN (SELECT id FROM events WHERE event_id = ? UNION ALL"
	       " SELECT id FROM events WHERE " IN_DAYS(events) " AND delivery = ? UNION ALL SELECT id FROM events WHERE ci_run_alias = ? UNION ALL"
	       " SELECT id FROM events WHERE " IN_DAYS(events) " AND ci_run_id IN (SELECT ? UNION SELECT ci_run_id FROM builds WHERE ci_run_alias = ?) UNION ALL"
	       " SELECT id FROM events WHERE " IN_DAYS(events) " AND length(?) >= 7 AND sha >= ? AND sha < ? || 'g')",
	  "an id (event, delivery, run), or the first 7 digits of a commit", SW_COL_TEXT, NULL, false, false },
};
const struct sw_list sw_list_events = {
	.name = "events", .one = "event", .help = "What sources told, one item a fact of a delivery.",
	.from = "events e LEFT JOIN event_bodies b ON b.id = e.id", .order = "e.at", .rowid = "e.id", .id = "id",
	LIST_COLUMNS(event_columns), LIST_FILTERS(event_filters),
};

/* ---- builds and jobs ---- */

static const struct sw_column build_columns[] = {
	C_INT(b, id, "number"),
	C_TEXT(b, run, "what tells runs apart: the ci_run_id where there is one"),
	C_MS(b, at, "last news of it"),
	C_MS(b, first, "first heard of"),
	C_TEXT(b, source, "the source that told of it first"),
	C_TEXT(b, repo, "path of the repository"),
	C_TEXT(b, pipeline_id, "the host's id of the run"),
	C_TEXT(b, ci_run_id, "the run's id over everything that belongs to it"),
	C_TEXT(b, ci_run_alias, "another one that a report gave it"),
	C_INT(b, attempt, "which attempt, from 1"),
	C_TEXT(b, name, "name of the pipeline or workflow"),
	C_TEXT(b, branch, "branch"),
	C_TEXT(b, tag, "tag"),
	C_TEXT(b, sha, "commit"),
	C_TEXT(b, version, "version"),
	C_TEXT(b, service, "of the job or report that named one"),
	C_TEXT(b, environment, "to which one of its jobs deploys"),
	C_TEXT(b, status, "created, running, success, failed, cancelled, skipped or other"),
	C_MS(b, started, "it began"),
	C_MS(b, finished, "it ended"),
	C_REAL(b, duration_ms, "how long it ran"),
	C_REAL(b, coverage, "coverage of the tests, 0..1"),
	C_REAL(b, cpu_ms, "what its jobs used, added up"),
	C_REAL(b, max_rss_bytes, "the most memory one of its jobs used"),
	C_INT(b, exit_code, "of a run that only a report tells of"),
	C_TEXT(b, trigger, "what set it off, in the host's word"),
	C_BOOL(b, merge_request, "it belongs to a merge or pull request"),
	C_TEXT(b, user, "who set it off"),
	C_TEXT(b, author, "of the commit"),
	C_TEXT(b, title, "first line of the commit"),
	C_TEXT(b, url, "page at the host, the CI log"),
	C_INT(b, jobs, "jobs that are known"),
	C_INT(b, jobs_failed, "those that failed and may not"),
	C_INT(b, seq, "rises with every change"),
};
static const struct sw_filter build_filters[] = {
	F_GLOB(b, service, "the service"),
	F_GLOB(b, environment, "the environment it deploys to"),
	F_GLOB(b, repo, "the repository"),
	F_GLOB(b, branch, "the branch"),
	F_GLOB(b, tag, "the tag"),
	F_SHA_DAYS(b, builds),
	F_WORD(b, status, "its status", statuses),
	F_GLOB(b, source, "the source"),
	F_RUN(b),
	F_BOOL(b, merge_request, "of merge requests, or not"),
	{ "after_seq", "b.seq > ?", "changed since this seq", SW_COL_INT, NULL, false, false },
	F_SINCE("b.at"), F_UNTIL("b.at"),
	{ "q", "b.id IN (SELECT id FROM builds WHERE run = ? UNION ALL SELECT id FROM builds WHERE ci_run_id = ? UNION ALL"
	       " SELECT id FROM builds WHERE ci_run_alias = ? UNION ALL SELECT id FROM builds WHERE pipeline_id = ? UNION ALL"
	       " SELECT id FROM builds WHERE " IN_DAYS(builds) " AND length(?) >= 7 AND sha >= ? AND sha < ? || 'g')",
	  "an id of the run, or the first 7 digits of a commit", SW_COL_TEXT, NULL, false, false },
};
const struct sw_list sw_list_builds = {
	.name = "builds", .one = "build", .help = "Runs of pipelines, and what reports tell of one; each with what is known last.",
	.from = "builds b", .order = "b.at", .rowid = "b.id", .id = "id", LIST_COLUMNS(build_columns), LIST_FILTERS(build_filters),
};

static const struct sw_column job_columns[] = {
	C_INT(j, id, "number"),
	C_INT(j, build, "its build"),
	{ "run", SW_COL_TEXT, "b.run", "what tells runs apart, as in builds" },
	{ "repo", SW_COL_TEXT, "b.repo", "path of the repository" },
	{ "branch", SW_COL_TEXT, "b.branch", "branch" },
	{ "sha", SW_COL_TEXT, "b.sha", "commit" },
	{ "ci_run_id", SW_COL_TEXT, "b.ci_run_id", "the run it belongs to" },
	C_TEXT(j, job_id, "the host's id"),
	C_MS(j, at, "last news of it"),
	C_TEXT(j, name, "its name"),
	C_TEXT(j, stage, "its stage"),
	C_TEXT(j, status, "created, running, success, failed, cancelled, skipped or other"),
	C_INT(j, attempt, "which attempt"),
	C_MS(j, started, "it began"),
	C_MS(j, finished, "it ended"),
	C_REAL(j, duration_ms, "how long it ran"),
	C_REAL(j, coverage, "coverage of the tests, 0..1"),
	C_REAL(j, cpu_ms, "processor time it used"),
	C_REAL(j, max_rss_bytes, "the most memory it used"),
	C_INT(j, exit_code, "as a report tells it"),
	C_BOOL(j, allow_failure, "its failure does not matter"),
	C_TEXT(j, service, "service it names"),
	C_TEXT(j, environment, "environment it names"),
	C_TEXT(j, url, "page at the host, its log"),
	C_JSON(j, metrics, "numbers of its report"),
	C_JSON(j, extra, "members of its report that Shipwatch does not know"),
};
static const struct sw_filter job_filters[] = {
	{ "build", "j.build = ?", "jobs of this build", SW_COL_INT, NULL, false, false },
	F_WORD(j, status, "its status", statuses),
	{ "ci_run_id", "j.build IN (SELECT id FROM builds WHERE ci_run_id = ? UNION SELECT id FROM builds WHERE ci_run_alias = ?)", "the run", SW_COL_TEXT, NULL, false, false },
	F_SINCE("j.at"), F_UNTIL("j.at"),
};
const struct sw_list sw_list_jobs = {
	.name = "jobs", .one = "job", .help = "Jobs of builds, with what reports tell of them.",
	.from = "jobs j JOIN builds b ON b.id = j.build", .order = "j.at", .rowid = "j.id", .id = "id", LIST_COLUMNS(job_columns), LIST_FILTERS(job_filters),
};

static const struct sw_column line_columns[] = {
	C_TEXT(l, repo, "path of the repository"),
	C_TEXT(l, branch, "branch; empty: none"),
	C_TEXT(l, environment, "environment its builds deploy to; empty: none"),
	C_MS(l, at, "newest build"),
	C_INT(l, build, "its number"),
	{ "status", SW_COL_TEXT, "b.status", "its status" },
	{ "service", SW_COL_TEXT, "b.service", "its service" },
};
static const struct sw_filter line_filters[] = {
	F_GLOB(l, repo, "the repository"),
	F_GLOB(l, branch, "the branch"),
	F_GLOB(l, environment, "the environment"),
	F_SINCE("l.at"), F_UNTIL("l.at"),
};
const struct sw_list sw_list_lines = {
	.name = "lines", .one = "line", .help = "What trends are drawn of: each repository, branch and environment that has builds.",
	.from = "lines l LEFT JOIN builds b ON b.id = l.build", .order = "l.at", .rowid = "l.id", LIST_COLUMNS(line_columns), LIST_FILTERS(line_filters),
};

/* ---- samples ---- */

static const struct sw_column sample_columns[] = {
	{ "service", SW_COL_TEXT, "p.service", "the service" },
	{ "environment", SW_COL_TEXT, "p.environment", "the environment" },
	{ "signal", SW_COL_TEXT, "g.name", "the signal" },
	{ "source", SW_COL_TEXT, "g.source", "where it was asked: health, prometheus, scrape, reference; or told: report, alarm" },
	C_MS(s, at, "when"),
	{ "r", SW_COL_TEXT, "coalesce(s.r, 'ok')", "ok, absent, nan, stale, error or too_few" },
	C_REAL(s, v, "value in the signal's base unit (s, ratio, bytes, 1/s); null: there is none"),
	C_REAL(s, n, "of how many requests it speaks"),
	C_TEXT(s, text, "version that answered, elements of a list, or why there is no value"),
};
static const struct sw_filter sample_filters[] = {
	F_TEXT(p, service, "the service"),
	F_TEXT(p, environment, "the environment"),
	{ "signal", "s.signal IN (SELECT id FROM signals WHERE name = ?)", "the signal", SW_COL_TEXT, NULL, true, false },
	{ "source", "s.signal IN (SELECT id FROM signals WHERE source = ?)", "where it comes from", SW_COL_TEXT, NULL, false, false },
	F_SINCE("s.at"), F_UNTIL("s.at"),
};
static const char *const sample_required[] = { "service", "environment", NULL };
const struct sw_list sw_list_samples = {
	.name = "samples", .one = "sample", .help = "Readings of the signals of a place.",
	.from = "samples s JOIN places p ON p.id = s.place JOIN signals g ON g.id = s.signal", .order = "s.at", .rowid = "s.signal",
	LIST_COLUMNS(sample_columns), LIST_FILTERS(sample_filters), .required = sample_required,
};

/* ---- decisions, gaps ---- */

static const struct sw_column decision_columns[] = {
	C_INT(d, id, "number"),
	C_MS(d, at, "when"),
	C_TEXT(d, who, "who"),
	C_TEXT(d, what, "approve, refuse, hold, release, cancel, label, ack, silence, end, retry, drop, deploy …"),
	C_TEXT(d, target, "a place, watch, alert, action, silence or dead letter; null: everything"),
	C_TEXT(d, service, "the service it is about"),
	C_TEXT(d, environment, "the environment it is about"),
	C_TEXT(d, why, "the reason that was given"),
	C_TEXT(d, via, "by which way: dashboard, link, command line"),
	C_JSON(d, d, "as it was given"),
};
static const struct sw_filter decision_filters[] = {
	F_GLOB(d, who, "who decided"),
	F_GLOB(d, what, "what was decided"),
	F_GLOB(d, target, "about what"),
	F_GLOB(d, service, "the service"),
	F_GLOB(d, environment, "the environment"),
	F_SINCE("d.at"), F_UNTIL("d.at"),
};
const struct sw_list sw_list_decisions = {
	.name = "decisions", .one = "decision", .help = "What people decided, refused ones too.",
	.from = "decisions d", .order = "d.at", .rowid = "d.id", .id = "id", LIST_COLUMNS(decision_columns), LIST_FILTERS(decision_filters),
};

static const struct sw_column gap_columns[] = {
	C_INT(g, id, "number"),
	C_MS(g, at, "when it was noticed"),
	C_TEXT(g, after, "the last entry of the journal before it"),
	C_TEXT(g, before, "the first one after it"),
	C_TEXT(g, why, "what happened"),
};
static const struct sw_filter gap_filters[] = { F_SINCE("g.at"), F_UNTIL("g.at") };
const struct sw_list sw_list_gaps = {
	.name = "gaps", .one = "gap", .help = "What is missing here, though it happened.",
	.from = "gaps g", .order = "g.at", .rowid = "g.id", .id = "id", LIST_COLUMNS(gap_columns), LIST_FILTERS(gap_filters),
};

const struct sw_list *const sw_lists[] = {
	&sw_list_events, &sw_list_builds, &sw_list_jobs, &sw_list_lines, &sw_list_places, &sw_list_rules, &sw_list_deployments, &sw_list_watches, &sw_list_samples,
	&sw_list_alerts, &sw_list_news, &sw_list_deliveries, &sw_list_attempts, &sw_list_actions, &sw_list_action_steps, &sw_list_decisions, &sw_list_gaps, NULL,
};
