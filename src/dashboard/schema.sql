-- The history, version 1. A row is what is known last of a thing; its key comes from the journal, so the same entry read twice
-- changes nothing. Times are ms since 1970, ratios 0..1, booleans 0 or 1, NULL is "not known".
-- Later versions are files of their own beside this one (schema_2.sql …), run in order; PRAGMA user_version says how far.

-- pos: last entry of the journal that is in here; pos_n: which entry of all that were ever added it is; lineage: whose journal it is;
-- seq: of builds; pushed: seq up to which a Pushgateway was told; pushed_to: which one; skipped: entries that could not be understood.
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE places (id INTEGER PRIMARY KEY, service TEXT NOT NULL, environment TEXT NOT NULL, UNIQUE (service, environment));
-- source: health, prometheus, scrape, report, alarm, reference
CREATE TABLE signals (id INTEGER PRIMARY KEY, name TEXT NOT NULL, source TEXT NOT NULL, UNIQUE (name, source));

-- Facts as they came in: one row an event of a delivery.
CREATE TABLE events (
	id INTEGER PRIMARY KEY,          -- in the order of the journal
	at INTEGER NOT NULL,             -- it arrived
	event_id TEXT NOT NULL,          -- of the delivery, as in the answer to the sender and in the log
	n INTEGER NOT NULL,              -- which event of it
	delivery TEXT, source TEXT NOT NULL, kind TEXT NOT NULL, status TEXT, repo TEXT, branch TEXT, tag TEXT, sha TEXT,
	service TEXT, environment TEXT,  -- of the place that claimed it; before that as the sender named them
	claimed INTEGER NOT NULL DEFAULT 0, -- a place did
	ci_run_id TEXT, ci_run_alias TEXT, user TEXT, title TEXT, url TEXT,
	UNIQUE (event_id, n)
);
-- Every value that is searched for comes with the time: the newest of it are the end of a range.
CREATE INDEX events_at ON events (at);
-- Ids of which each event, or each run, has its own lie apart by days (IN_DAYS in tables.h): else each would change a page of its own somewhere in
-- a large index, and more than half of what is written would be that.
CREATE INDEX events_run ON events (at / 86400000, ci_run_id) WHERE ci_run_id IS NOT NULL;
CREATE INDEX events_sha ON events (at / 86400000, sha) WHERE sha IS NOT NULL;
CREATE INDEX events_delivery ON events (at / 86400000, delivery) WHERE delivery IS NOT NULL;
CREATE INDEX events_alias ON events (ci_run_alias, at) WHERE ci_run_alias IS NOT NULL;
CREATE INDEX events_repo ON events (repo, at);
CREATE INDEX events_repo_environment ON events (repo, environment, at) WHERE environment IS NOT NULL; -- few of a repository's name one
CREATE INDEX events_branch ON events (branch, at) WHERE branch IS NOT NULL;
CREATE INDEX events_tag ON events (tag, at) WHERE tag IS NOT NULL;
CREATE INDEX events_service ON events (service, environment, at) WHERE service IS NOT NULL;
CREATE INDEX events_environment ON events (environment, at) WHERE environment IS NOT NULL;
CREATE INDEX events_kind ON events (kind, at);
CREATE INDEX events_status ON events (status, at);
CREATE INDEX events_source ON events (source, at);
-- The event in our own form (model/event.c): apart, so that whoever walks through events need not pass it.
CREATE TABLE event_bodies (id INTEGER PRIMARY KEY, ev TEXT NOT NULL);

-- One row a run of a pipeline (or what a report tells of one): what the trend is drawn from.
CREATE TABLE builds (
	id INTEGER PRIMARY KEY,
	run TEXT NOT NULL UNIQUE,        -- ci_run_id, else "<source>/<repo>/<pipeline_id>"
	at INTEGER NOT NULL,             -- newest news of it
	first INTEGER NOT NULL,          -- first heard of
	source TEXT NOT NULL, repo TEXT, pipeline_id TEXT, ci_run_id TEXT, ci_run_alias TEXT, attempt INTEGER, name TEXT, branch TEXT, tag TEXT, sha TEXT,
	version TEXT, service TEXT, environment TEXT, -- of the job or report that named one
	status TEXT NOT NULL, started INTEGER, finished INTEGER, duration_ms REAL, coverage REAL, cpu_ms REAL, max_rss_bytes REAL, exit_code INTEGER,
	trigger TEXT,                    -- "push", "schedule", "merge_request_event"
	merge_request INTEGER NOT NULL DEFAULT 0, user TEXT, author TEXT, title TEXT, url TEXT,
	jobs INTEGER NOT NULL DEFAULT 0, jobs_failed INTEGER NOT NULL DEFAULT 0,
	told_at INTEGER,                 -- when the host told of it last, by its clock
	own INTEGER NOT NULL DEFAULT 0,  -- what the pipeline itself told, the rest is made from its jobs: 1 status, 2 duration, 4 coverage
	seq INTEGER NOT NULL             -- rises with each change: what a Pushgateway was not told yet
);
CREATE INDEX builds_at ON builds (at);
CREATE INDEX builds_line ON builds (repo, branch, environment, at);
CREATE INDEX builds_repo ON builds (repo, at);
CREATE INDEX builds_branch ON builds (branch, at);
CREATE INDEX builds_tag ON builds (tag, at) WHERE tag IS NOT NULL;
CREATE INDEX builds_merge_request ON builds (merge_request, at);
CREATE INDEX builds_pipeline ON builds (pipeline_id, repo);
CREATE INDEX builds_run ON builds (ci_run_id) WHERE ci_run_id IS NOT NULL;
CREATE INDEX builds_alias ON builds (ci_run_alias) WHERE ci_run_alias IS NOT NULL;
CREATE INDEX builds_sha ON builds (at / 86400000, sha) WHERE sha IS NOT NULL;
CREATE INDEX builds_service ON builds (service, environment, at) WHERE service IS NOT NULL;
CREATE INDEX builds_environment ON builds (environment, at) WHERE environment IS NOT NULL;
CREATE INDEX builds_status ON builds (status, at);
CREATE INDEX builds_source ON builds (source, at);
CREATE INDEX builds_seq ON builds (seq);
CREATE TABLE jobs (
	id INTEGER PRIMARY KEY,
	build INTEGER NOT NULL REFERENCES builds (id) ON DELETE CASCADE,
	job TEXT NOT NULL,               -- the host's id of it, else its name
	job_id TEXT,                     -- NULL: not known
	at INTEGER NOT NULL, name TEXT, stage TEXT, status TEXT NOT NULL, attempt INTEGER, started INTEGER, finished INTEGER, duration_ms REAL, coverage REAL,
	cpu_ms REAL, max_rss_bytes REAL, exit_code INTEGER, allow_failure INTEGER NOT NULL DEFAULT 0, service TEXT, environment TEXT, url TEXT, told_at INTEGER,
	metrics TEXT, extra TEXT,        -- JSON objects: numbers of a report; members we do not know
	UNIQUE (build, job)
);
CREATE INDEX jobs_at ON jobs (at);
CREATE INDEX jobs_status ON jobs (status, at);
-- What trends are drawn of: each repository, branch and environment ('': none) with its newest build.
CREATE TABLE lines (
	id INTEGER PRIMARY KEY, repo TEXT NOT NULL, branch TEXT NOT NULL, environment TEXT NOT NULL,
	at INTEGER NOT NULL, build INTEGER NOT NULL, UNIQUE (repo, branch, environment)
);
CREATE INDEX lines_at ON lines (at);

-- Groups at a Pushgateway, by their path, with their newest build.
CREATE TABLE pushed (path TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX pushed_at ON pushed (at);

CREATE TABLE deployments (
	id INTEGER PRIMARY KEY, deployment TEXT NOT NULL UNIQUE, -- "4bd6fe57b59e"
	place INTEGER NOT NULL REFERENCES places (id),
	at INTEGER NOT NULL,             -- finished, else started, else first heard of: what lists are ordered by
	status TEXT NOT NULL, source TEXT, repo TEXT, branch TEXT, tag TEXT, sha TEXT, version TEXT, user TEXT, author TEXT, title TEXT, url TEXT,
	compare_url TEXT, ci_run_id TEXT, ci_run_alias TEXT,
	seen INTEGER, started INTEGER, finished INTEGER, prev_sha TEXT, prev_version TEXT, is_rollback INTEGER NOT NULL DEFAULT 0,
	is_redeploy INTEGER NOT NULL DEFAULT 0, concurrent INTEGER NOT NULL DEFAULT 0, rollback_of TEXT,
	runs INTEGER NOT NULL DEFAULT 0, -- it was the newest success when it succeeded
	good INTEGER, said INTEGER NOT NULL DEFAULT 0, -- is it good; a person said so
	verdict TEXT,                    -- worst of its watches: fail, inconclusive, pass…; NULL: none, or one is open and none failed
	d TEXT NOT NULL                  -- as it stands in the state of its place, JSON
);
CREATE INDEX deployments_at ON deployments (at);
CREATE INDEX deployments_place ON deployments (place, at);
CREATE INDEX deployments_run ON deployments (ci_run_id) WHERE ci_run_id IS NOT NULL;
CREATE INDEX deployments_alias ON deployments (ci_run_alias) WHERE ci_run_alias IS NOT NULL;
CREATE INDEX deployments_sha ON deployments (sha) WHERE sha IS NOT NULL;
CREATE INDEX deployments_repo ON deployments (repo, at);
CREATE INDEX deployments_branch ON deployments (branch, at);
CREATE INDEX deployments_status ON deployments (status, at);
CREATE INDEX deployments_verdict ON deployments (verdict, at);

CREATE TABLE watches (
	id INTEGER PRIMARY KEY, watch TEXT NOT NULL UNIQUE,
	place INTEGER NOT NULL REFERENCES places (id), deployment TEXT NOT NULL,
	at INTEGER NOT NULL,             -- opened
	rule TEXT NOT NULL, rules TEXT,  -- hash of the rules it was opened with
	state TEXT NOT NULL,             -- waiting, watching, following, done
	begins INTEGER, until INTEGER, every INTEGER, verdict TEXT, reason TEXT, fail_at INTEGER, ended INTEGER, fired INTEGER NOT NULL DEFAULT 0,
	checks INTEGER, known INTEGER,
	explained TEXT,                  -- `shipwatch explain --json` as it was after the verdict, or NULL
	explained_as TEXT                -- its state then; 'none': it cannot be explained; NULL: it was not yet
);
CREATE INDEX watches_at ON watches (at);
CREATE INDEX watches_place ON watches (place, at);
CREATE INDEX watches_deployment ON watches (deployment);
CREATE INDEX watches_rule ON watches (rule, at);
CREATE INDEX watches_rule_verdict ON watches (rule, verdict, at);
CREATE INDEX watches_verdict ON watches (verdict, at);
CREATE INDEX watches_reason ON watches (reason, at);
CREATE INDEX watches_state ON watches (state, at);
CREATE INDEX watches_open ON watches ((state <> 'done'), at);
CREATE INDEX watches_open_place ON watches (place) WHERE state <> 'done';
CREATE INDEX watches_owed ON watches (at) WHERE verdict IS NOT NULL AND (explained_as IS NULL OR explained_as NOT IN ('done', 'none'));

-- Readings of signals, in the signal's base unit: all of a place at one time lie side by side.
CREATE TABLE samples (
	place INTEGER NOT NULL, at INTEGER NOT NULL, signal INTEGER NOT NULL,
	r TEXT,                          -- NULL: ok; else absent, nan, stale, error, too_few
	v REAL, n REAL, text TEXT,
	PRIMARY KEY (place, at, signal)
) WITHOUT ROWID;

CREATE TABLE alerts (
	id INTEGER PRIMARY KEY, alert TEXT NOT NULL UNIQUE,
	at INTEGER NOT NULL,             -- first told
	last INTEGER NOT NULL, service TEXT, environment TEXT, rule TEXT, severity TEXT,
	state TEXT NOT NULL,             -- firing, resolved, closed, told (something that has no end)
	news TEXT NOT NULL,              -- what was told last
	summary TEXT, watch TEXT, deployment TEXT, repo TEXT, branch TEXT, sha TEXT, ci_run_id TEXT, acked_by TEXT, acked_at INTEGER
);
CREATE INDEX alerts_at ON alerts (at);
CREATE INDEX alerts_service ON alerts (service, environment, at);
CREATE INDEX alerts_environment ON alerts (environment, at);
CREATE INDEX alerts_rule ON alerts (rule, at);
CREATE INDEX alerts_severity ON alerts (severity, at);
CREATE INDEX alerts_state ON alerts (state, at);
CREATE INDEX alerts_firing ON alerts (service, environment) WHERE state = 'firing';
CREATE INDEX alerts_repo ON alerts (repo, at);
CREATE INDEX alerts_run ON alerts (ci_run_id) WHERE ci_run_id IS NOT NULL;
CREATE INDEX alerts_sha ON alerts (sha) WHERE sha IS NOT NULL;
CREATE INDEX alerts_watch ON alerts (watch) WHERE watch IS NOT NULL;
CREATE INDEX alerts_deployment ON alerts (deployment) WHERE deployment IS NOT NULL;
-- Each change of an alert that was told.
CREATE TABLE news (
	id INTEGER PRIMARY KEY, news_id TEXT NOT NULL UNIQUE, -- the delivery id of messages
	alert TEXT NOT NULL, at INTEGER NOT NULL, news TEXT NOT NULL,
	body TEXT NOT NULL               -- the alert as channels were given it (model/alert.c), JSON
);
CREATE INDEX news_alert ON news (alert, at);
CREATE INDEX news_news ON news (news, at);
CREATE INDEX news_at ON news (at);
-- News on its way to a channel, and each try.
CREATE TABLE deliveries (
	id INTEGER PRIMARY KEY, news_id TEXT NOT NULL, alert TEXT NOT NULL, channel TEXT NOT NULL,
	at INTEGER NOT NULL, last INTEGER NOT NULL,
	state TEXT NOT NULL,             -- waits, sending, sent, silenced, merged, dropped, dead
	tries INTEGER NOT NULL DEFAULT 0, fallback INTEGER NOT NULL DEFAULT 0, why TEXT,
	UNIQUE (news_id, channel)
);
CREATE INDEX deliveries_at ON deliveries (at);
CREATE INDEX deliveries_alert ON deliveries (alert, at);
CREATE INDEX deliveries_channel ON deliveries (channel, at);
CREATE INDEX deliveries_state ON deliveries (state, at);
CREATE TABLE attempts (
	id INTEGER PRIMARY KEY, alert TEXT NOT NULL, news_id TEXT NOT NULL, channel TEXT NOT NULL, n INTEGER NOT NULL,
	at INTEGER NOT NULL, class TEXT NOT NULL, detail TEXT, repeat INTEGER NOT NULL DEFAULT 0,
	UNIQUE (alert, channel, n)
);
CREATE INDEX attempts_at ON attempts (at);
CREATE INDEX attempts_channel ON attempts (channel, at);
CREATE INDEX attempts_news ON attempts (news_id);
CREATE INDEX attempts_class ON attempts (class, at);

CREATE TABLE actions (
	id INTEGER PRIMARY KEY, action_id TEXT NOT NULL UNIQUE, place INTEGER NOT NULL REFERENCES places (id),
	at INTEGER NOT NULL,             -- proposed
	last INTEGER NOT NULL, action TEXT NOT NULL, rollback INTEGER NOT NULL, deployment TEXT, watch TEXT, rule TEXT,
	state TEXT NOT NULL,             -- proposed asking postponed started done failed unknown skipped verified ineffective
	why TEXT, started INTEGER, deadline INTEGER, target TEXT, asked INTEGER, proceed INTEGER, ask_why TEXT, saw TEXT, approved INTEGER, decided_by TEXT,
	decided_at INTEGER
);
CREATE INDEX actions_at ON actions (at);
CREATE INDEX actions_place ON actions (place, at);
CREATE INDEX actions_deployment ON actions (deployment);
CREATE INDEX actions_watch ON actions (watch);
CREATE INDEX actions_rule ON actions (rule, at);
CREATE INDEX actions_state ON actions (state, at);
CREATE INDEX actions_open ON actions ((state IN ('proposed', 'asking', 'postponed', 'started')), at);
-- Each change of its state.
CREATE TABLE action_steps (
	id INTEGER PRIMARY KEY, action_id TEXT NOT NULL, at INTEGER NOT NULL, state TEXT NOT NULL, why TEXT, UNIQUE (action_id, at, state)
);
CREATE INDEX action_steps_at ON action_steps (at);

-- What a person did: approve refuse hold release cancel label ack silence end retry drop deploy, signed_in…
CREATE TABLE decisions (
	id INTEGER PRIMARY KEY,
	entry TEXT NOT NULL, n INTEGER NOT NULL, -- journal entry and which message of it
	at INTEGER NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL,
	target TEXT,                     -- "web/prod", a watch, an alert, an action, a silence, a dead letter; NULL: everything
	service TEXT, environment TEXT, why TEXT, via TEXT,
	d TEXT NOT NULL,                 -- the message as it was, JSON
	UNIQUE (entry, n)
);
CREATE INDEX decisions_at ON decisions (at);
CREATE INDEX decisions_who ON decisions (who, at);
CREATE INDEX decisions_what ON decisions (what, at);
CREATE INDEX decisions_target ON decisions (target, at);
CREATE INDEX decisions_service ON decisions (service, environment, at);

-- What is not in here, though it was in the journal: it was trimmed, or Redis is another one.
CREATE TABLE gaps (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, after TEXT, before TEXT, why TEXT NOT NULL);
CREATE INDEX gaps_at ON gaps (at);

-- How rows are told apart in a large history, for who plans a search: so a plan is the same on the first day and after a year, and the rarer
-- of two values is what is looked up. Of branches it is the many of a few rows that count, not main: with the other condition looked up, all of its rows
-- would be passed for the few of a branch. (ANALYZE makes the table; what it would find in an empty file is of no use.)
ANALYZE;
DELETE FROM sqlite_stat1;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
	('events', 'events_at', '1000000 1'), ('events', 'events_run', '1000000 11000 10'), ('events', 'events_alias', '10000 10 1'),
	('events', 'events_repo', '1000000 8000 1'), ('events', 'events_repo_environment', '300000 2500 1200 1'), ('events', 'events_branch', '900000 20000 1'), ('events', 'events_tag', '10000 10 1'),
	('events', 'events_sha', '900000 10000 10'), ('events', 'events_service', '300000 9000 4000 1'), ('events', 'events_environment', '300000 60000 1'),
	('events', 'events_kind', '1000000 120000 1'), ('events', 'events_status', '1000000 250000 1'), ('events', 'events_source', '1000000 500000 1'),
	('events', 'events_delivery', '1000000 11000 1'), ('events', 'sqlite_autoindex_events_1', '1000000 2 1'), ('builds', 'builds_at', '100000 1'),
	('builds', 'builds_line', '100000 800 300 300 1'), ('builds', 'builds_repo', '100000 800 1'), ('builds', 'builds_branch', '90000 5000 1'),
	('builds', 'builds_tag', '1000 5 1'), ('builds', 'builds_merge_request', '100000 60000 1'), ('builds', 'builds_pipeline', '100000 2 1'),
	('builds', 'builds_run', '100000 1'), ('builds', 'builds_alias', '1000 1'), ('builds', 'builds_sha', '100000 1100 2'),
	('builds', 'builds_service', '20000 500 200 1'), ('builds', 'builds_environment', '30000 10000 1'),
	('builds', 'builds_status', '100000 40000 1'), ('builds', 'builds_source', '100000 50000 1'), ('builds', 'builds_seq', '100000 1'),
	('builds', 'sqlite_autoindex_builds_1', '100000 1'), ('jobs', 'jobs_at', '500000 1'), ('jobs', 'jobs_status', '500000 150000 1'),
	('jobs', 'sqlite_autoindex_jobs_1', '500000 6 1'), ('lines', 'lines_at', '5000 1'), ('lines', 'sqlite_autoindex_lines_1', '5000 25 2 1'),
	('places', 'sqlite_autoindex_places_1', '200 3 1'), ('signals', 'sqlite_autoindex_signals_1', '30 2 1'),
	('deployments', 'deployments_at', '20000 1'), ('deployments', 'deployments_place', '20000 150 1'),
	('deployments', 'deployments_run', '20000 2'), ('deployments', 'deployments_alias', '200 1'), ('deployments', 'deployments_sha', '20000 2'),
	('deployments', 'deployments_repo', '20000 200 1'), ('deployments', 'deployments_branch', '20000 2000 1'),
	('deployments', 'deployments_status', '20000 10000 1'), ('deployments', 'deployments_verdict', '20000 6000 1'),
	('deployments', 'sqlite_autoindex_deployments_1', '20000 1'), ('watches', 'watches_at', '30000 1'), ('watches', 'watches_place', '30000 250 1'),
	('watches', 'watches_deployment', '30000 3'), ('watches', 'watches_rule', '30000 1500 1'), ('watches', 'watches_rule_verdict', '30000 1500 500 1'), ('watches', 'watches_verdict', '30000 10000 1'),
	('watches', 'watches_reason', '30000 10000 1'), ('watches', 'watches_state', '30000 20000 1'),
	('watches', 'watches_open', '30000 15000 1'), ('watches', 'watches_open_place', '100 2'),
	('watches', 'sqlite_autoindex_watches_1', '30000 1'), ('samples', 'samples', '1000000 8000 4 1'), ('alerts', 'alerts_at', '5000 1'),
	('alerts', 'alerts_service', '5000 120 40 1'), ('alerts', 'alerts_environment', '5000 1500 1'), ('alerts', 'alerts_rule', '5000 200 1'),
	('alerts', 'alerts_severity', '5000 2500 1'), ('alerts', 'alerts_state', '5000 2500 1'), ('alerts', 'alerts_firing', '50 5 2'), ('alerts', 'alerts_repo', '5000 40 1'),
	('alerts', 'alerts_run', '5000 2'), ('alerts', 'alerts_sha', '5000 2'), ('alerts', 'alerts_watch', '5000 1'),
	('alerts', 'alerts_deployment', '5000 2'), ('alerts', 'sqlite_autoindex_alerts_1', '5000 1'), ('news', 'news_alert', '15000 3 1'),
	('news', 'news_news', '15000 4000 1'), ('news', 'news_at', '15000 1'), ('news', 'sqlite_autoindex_news_1', '15000 1'),
	('deliveries', 'deliveries_at', '30000 1'), ('deliveries', 'deliveries_alert', '30000 6 1'),
	('deliveries', 'deliveries_channel', '30000 10000 1'), ('deliveries', 'deliveries_state', '30000 20000 1'),
	('deliveries', 'sqlite_autoindex_deliveries_1', '30000 2 1'), ('attempts', 'attempts_at', '30000 1'),
	('attempts', 'attempts_channel', '30000 10000 1'), ('attempts', 'attempts_news', '30000 2'), ('attempts', 'attempts_class', '30000 20000 1'),
	('attempts', 'sqlite_autoindex_attempts_1', '30000 6 3 1'), ('actions', 'actions_at', '2000 1'), ('actions', 'actions_place', '2000 20 1'),
	('actions', 'actions_deployment', '2000 2'), ('actions', 'actions_watch', '2000 2'), ('actions', 'actions_rule', '2000 200 1'),
	('actions', 'actions_state', '2000 800 1'), ('actions', 'actions_open', '2000 1000 1'), ('actions', 'sqlite_autoindex_actions_1', '2000 1'), ('action_steps', 'action_steps_at', '8000 1'),
	('action_steps', 'sqlite_autoindex_action_steps_1', '8000 4 1 1'), ('decisions', 'decisions_at', '5000 1'),
	('decisions', 'decisions_who', '5000 500 1'), ('decisions', 'decisions_what', '5000 1000 1'), ('decisions', 'decisions_target', '5000 3 1'),
	('decisions', 'decisions_service', '5000 150 50 1'), ('decisions', 'sqlite_autoindex_decisions_1', '5000 1 1');
