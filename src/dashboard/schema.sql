-- The history, version 1. A row is what is known last of a thing; its key comes from the journal, so the same entry read twice
-- changes nothing. Times are ms since 1970, ratios 0..1, booleans 0 or 1, NULL is "not known".
-- Later versions are files of their own beside this one (schema_2.sql …), run in order; PRAGMA user_version says how far.

CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID; -- pos: last entry of the journal that is in here; lineage
CREATE TABLE places (id INTEGER PRIMARY KEY, service TEXT NOT NULL, environment TEXT NOT NULL, UNIQUE (service, environment));
CREATE TABLE signals (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);

-- Facts as they came in: one row an event of a delivery.
CREATE TABLE events (
	id INTEGER PRIMARY KEY,          -- in the order of the journal
	at INTEGER NOT NULL,             -- it arrived
	event_id TEXT NOT NULL,          -- of the delivery, as in the answer to the sender and in the log
	n INTEGER NOT NULL,              -- which event of it
	delivery TEXT, source TEXT NOT NULL, kind TEXT NOT NULL, status TEXT, repo TEXT, branch TEXT, tag TEXT, sha TEXT,
	service TEXT, environment TEXT,  -- as the sender named them
	ci_run_id TEXT, user TEXT, title TEXT, url TEXT,
	ev TEXT NOT NULL,                -- the event in our own form (model/event.c), JSON
	UNIQUE (event_id, n)
);
CREATE INDEX events_at ON events (at, id);
CREATE INDEX events_run ON events (ci_run_id, at) WHERE ci_run_id IS NOT NULL;
CREATE INDEX events_repo ON events (repo, branch, at);

-- One row a run of a pipeline (or what a report tells of one): what the trend is drawn from.
CREATE TABLE builds (
	id INTEGER PRIMARY KEY,
	run TEXT NOT NULL UNIQUE,        -- ci_run_id, else "<source>/<repo>/<pipeline_id>"
	at INTEGER NOT NULL,             -- newest news of it
	first INTEGER NOT NULL,          -- first heard of
	source TEXT NOT NULL, repo TEXT, pipeline_id TEXT, ci_run_id TEXT, attempt INTEGER, name TEXT, branch TEXT, tag TEXT, sha TEXT, version TEXT,
	service TEXT, environment TEXT,  -- of the job or report that named one
	status TEXT NOT NULL, started INTEGER, finished INTEGER, duration_ms REAL, coverage REAL, cpu_ms REAL, max_rss_bytes REAL, exit_code INTEGER,
	trigger TEXT,                    -- "push", "schedule", "merge_request_event"
	merge_request INTEGER NOT NULL DEFAULT 0, user TEXT, author TEXT, title TEXT, url TEXT,
	jobs INTEGER NOT NULL DEFAULT 0, jobs_failed INTEGER NOT NULL DEFAULT 0,
	seq INTEGER NOT NULL             -- rises with each change: what a Pushgateway was not told yet
);
CREATE INDEX builds_at ON builds (at, id);
CREATE INDEX builds_line ON builds (repo, branch, environment, at);
CREATE INDEX builds_seq ON builds (seq);
CREATE TABLE jobs (
	id INTEGER PRIMARY KEY,
	build INTEGER NOT NULL REFERENCES builds (id) ON DELETE CASCADE,
	job TEXT NOT NULL,               -- the host's id of it, else its name
	at INTEGER NOT NULL, name TEXT, stage TEXT, status TEXT NOT NULL, attempt INTEGER, started INTEGER, finished INTEGER, duration_ms REAL, coverage REAL,
	cpu_ms REAL, max_rss_bytes REAL, exit_code INTEGER, environment TEXT, url TEXT,
	metrics TEXT, extra TEXT,        -- JSON objects: numbers of a report; members we do not know
	UNIQUE (build, job)
);

CREATE TABLE deployments (
	id INTEGER PRIMARY KEY, deployment TEXT NOT NULL UNIQUE, -- "4bd6fe57b59e"
	place INTEGER NOT NULL REFERENCES places (id),
	at INTEGER NOT NULL,             -- finished, else started, else first heard of: what lists are ordered by
	status TEXT NOT NULL, repo TEXT, branch TEXT, tag TEXT, sha TEXT, version TEXT, user TEXT, author TEXT, title TEXT, url TEXT, ci_run_id TEXT,
	seen INTEGER, started INTEGER, finished INTEGER, prev_sha TEXT, prev_version TEXT, is_rollback INTEGER NOT NULL DEFAULT 0,
	is_redeploy INTEGER NOT NULL DEFAULT 0, concurrent INTEGER NOT NULL DEFAULT 0, rollback_of TEXT,
	runs INTEGER NOT NULL DEFAULT 0, -- it was the newest success when it succeeded
	good INTEGER, said INTEGER NOT NULL DEFAULT 0, -- is it good; a person said so
	verdict TEXT,                    -- worst of its watches: fail, inconclusive, pass…; NULL: none, or one is open
	d TEXT NOT NULL                  -- as it stands in the state of its place, JSON
);
CREATE INDEX deployments_at ON deployments (at, id);
CREATE INDEX deployments_place ON deployments (place, at, id);
CREATE INDEX deployments_run ON deployments (ci_run_id) WHERE ci_run_id IS NOT NULL;
CREATE INDEX deployments_sha ON deployments (sha);

CREATE TABLE watches (
	id INTEGER PRIMARY KEY, watch TEXT NOT NULL UNIQUE,
	place INTEGER NOT NULL REFERENCES places (id), deployment TEXT NOT NULL,
	at INTEGER NOT NULL,             -- opened
	rule TEXT NOT NULL, rules TEXT,  -- hash of the rules it was opened with
	state TEXT NOT NULL,             -- waiting, watching, following, done
	begins INTEGER, until INTEGER, every INTEGER, verdict TEXT, reason TEXT, fail_at INTEGER, ended INTEGER, fired INTEGER NOT NULL DEFAULT 0,
	checks INTEGER, known INTEGER,
	explained TEXT                   -- `shipwatch explain --json` as it was after the verdict, or NULL
);
CREATE INDEX watches_at ON watches (at, id);
CREATE INDEX watches_place ON watches (place, at);
CREATE INDEX watches_deployment ON watches (deployment);
CREATE INDEX watches_rule ON watches (rule, at);
CREATE INDEX watches_open ON watches (state) WHERE state <> 'done';

-- Readings of signals, in the signal's base unit.
CREATE TABLE samples (
	place INTEGER NOT NULL, signal INTEGER NOT NULL, at INTEGER NOT NULL,
	source TEXT NOT NULL,            -- health, prometheus, scrape, report, reference
	r TEXT,                          -- NULL: ok; else absent, nan, stale, error, too_few
	v REAL, n REAL, text TEXT,
	PRIMARY KEY (place, signal, at)
) WITHOUT ROWID;
CREATE INDEX samples_at ON samples (at);

CREATE TABLE alerts (
	id INTEGER PRIMARY KEY, alert TEXT NOT NULL UNIQUE,
	at INTEGER NOT NULL,             -- first told
	last INTEGER NOT NULL, service TEXT, environment TEXT, rule TEXT, severity TEXT,
	state TEXT NOT NULL,             -- firing, resolved, closed, told (something that has no end)
	news TEXT NOT NULL,              -- what was told last
	summary TEXT, watch TEXT, deployment TEXT, repo TEXT, branch TEXT, sha TEXT, ci_run_id TEXT, acked_by TEXT, acked_at INTEGER
);
CREATE INDEX alerts_at ON alerts (at, id);
CREATE INDEX alerts_place ON alerts (service, environment, at);
CREATE INDEX alerts_rule ON alerts (rule, at);
CREATE INDEX alerts_run ON alerts (ci_run_id) WHERE ci_run_id IS NOT NULL;
CREATE INDEX alerts_watch ON alerts (watch) WHERE watch IS NOT NULL;
CREATE INDEX alerts_firing ON alerts (state) WHERE state = 'firing';
-- Each change of an alert that was told.
CREATE TABLE news (
	id INTEGER PRIMARY KEY, news_id TEXT NOT NULL UNIQUE, -- the delivery id of messages
	alert TEXT NOT NULL, at INTEGER NOT NULL, news TEXT NOT NULL,
	body TEXT NOT NULL               -- the alert as channels were given it (model/alert.c), JSON
);
CREATE INDEX news_alert ON news (alert, at);
CREATE INDEX news_at ON news (at, id);
-- News on its way to a channel, and each try.
CREATE TABLE deliveries (
	id INTEGER PRIMARY KEY, news_id TEXT NOT NULL, alert TEXT NOT NULL, channel TEXT NOT NULL,
	at INTEGER NOT NULL, last INTEGER NOT NULL,
	state TEXT NOT NULL,             -- waits, sending, sent, silenced, merged, dropped, dead
	tries INTEGER NOT NULL DEFAULT 0, fallback INTEGER NOT NULL DEFAULT 0, why TEXT,
	UNIQUE (news_id, channel)
);
CREATE INDEX deliveries_at ON deliveries (at, id);
CREATE INDEX deliveries_alert ON deliveries (alert);
CREATE INDEX deliveries_channel ON deliveries (channel, at);
CREATE TABLE attempts (
	id INTEGER PRIMARY KEY, alert TEXT NOT NULL, news_id TEXT NOT NULL, channel TEXT NOT NULL, n INTEGER NOT NULL,
	at INTEGER NOT NULL, class TEXT NOT NULL, detail TEXT, repeat INTEGER NOT NULL DEFAULT 0,
	UNIQUE (alert, channel, n)
);

CREATE TABLE actions (
	id INTEGER PRIMARY KEY, action_id TEXT NOT NULL UNIQUE, place INTEGER NOT NULL REFERENCES places (id),
	at INTEGER NOT NULL,             -- proposed
	last INTEGER NOT NULL, action TEXT NOT NULL, rollback INTEGER NOT NULL, deployment TEXT, watch TEXT, rule TEXT,
	state TEXT NOT NULL,             -- proposed asking postponed started done failed unknown skipped verified ineffective
	why TEXT, started INTEGER, deadline INTEGER, target TEXT, asked INTEGER, proceed INTEGER, ask_why TEXT, saw TEXT, approved INTEGER, decided_by TEXT,
	decided_at INTEGER
);
CREATE INDEX actions_at ON actions (at, id);
CREATE INDEX actions_place ON actions (place, at);
CREATE INDEX actions_deployment ON actions (deployment);
CREATE INDEX actions_open ON actions (state) WHERE state IN ('proposed', 'asking', 'postponed', 'started');
-- Each change of its state.
CREATE TABLE action_steps (
	id INTEGER PRIMARY KEY, action_id TEXT NOT NULL, at INTEGER NOT NULL, state TEXT NOT NULL, why TEXT, UNIQUE (action_id, at, state)
);

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
CREATE INDEX decisions_at ON decisions (at, id);

-- What is not in here, though it was in the journal: it was trimmed, or Redis is another one.
CREATE TABLE gaps (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, after TEXT, before TEXT, why TEXT NOT NULL);
