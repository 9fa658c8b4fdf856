/* Lists of what was made of it: places, rules, deployments, watches, alerts and their way to people, actions. */
#include "dashboard/tables.h"

static const char *const statuses[] = { "other", "created", "running", "success", "failed", "cancelled", "skipped", "inactive", NULL };
static const char *const verdicts[] = { "pass", "fail", "inconclusive", "superseded", "cancelled", NULL };
static const char *const reasons[] = { "evidence", "no-data", "pre-existing", "common-cause", "transient", "newer", "operator", "deadline", NULL };
static const char *const watch_states[] = { "waiting", "watching", "following", "done", NULL };
static const char *const severities[] = { "info", "warning", "critical", NULL };
static const char *const alert_states[] = { "firing", "resolved", "closed", "told", NULL };
static const char *const delivery_states[] = { "waits", "sending", "sent", "silenced", "merged", "dropped", "dead", NULL };
static const char *const action_states[] = {
	"proposed", "asking", "postponed", "started", "done", "failed", "unknown", "skipped", "verified", "ineffective", NULL };

#define C_SERVICE     { "service", SW_COL_TEXT, "p.service", "the service" }
#define C_ENVIRONMENT { "environment", SW_COL_TEXT, "p.environment", "the environment" }

/* ---- places and rules ---- */

static const struct sw_column place_columns[] = {
	C_SERVICE, C_ENVIRONMENT,
	{ "at", SW_COL_MS, "coalesce(d.at, 0)", "newest deployment; 0: none" },
	{ "deployment", SW_COL_TEXT, "d.deployment", "newest deployment" },
	{ "status", SW_COL_TEXT, "d.status", "its status" },
	{ "sha", SW_COL_TEXT, "d.sha", "its commit" },
	{ "version", SW_COL_TEXT, "d.version", "its version" },
	{ "verdict", SW_COL_TEXT, "d.verdict", "worst verdict of its watches" },
	{ "running", SW_COL_TEXT, "(SELECT deployment FROM deployments WHERE place = p.id AND runs ORDER BY at DESC LIMIT 1)", "deployment that runs here" },
	{ "running_sha", SW_COL_TEXT, "(SELECT sha FROM deployments WHERE place = p.id AND runs ORDER BY at DESC LIMIT 1)", "its commit" },
	{ "running_version", SW_COL_TEXT, "(SELECT version FROM deployments WHERE place = p.id AND runs ORDER BY at DESC LIMIT 1)", "its version" },
	{ "open_watches", SW_COL_INT, "(SELECT count(*) FROM watches WHERE place = p.id AND state <> 'done')", "watches that are open" },
	{ "firing", SW_COL_INT, "(SELECT count(*) FROM alerts WHERE state = 'firing' AND service = p.service AND environment = p.environment)", "alerts that fire" },
};
static const struct sw_filter place_filters[] = { F_GLOB(p, service, "the service"), F_GLOB(p, environment, "the environment") };
const struct sw_list sw_list_places = {
	.name = "places", .one = "place", .help = "Each service in each environment with what was deployed there last.",
	.from = "places p LEFT JOIN deployments d ON d.id = (SELECT id FROM deployments WHERE place = p.id ORDER BY at DESC LIMIT 1)",
	.order = "coalesce(d.at, 0)", .rowid = "p.id", LIST_COLUMNS(place_columns), LIST_FILTERS(place_filters),
};

static const struct sw_column rule_columns[] = {
	C_TEXT(r, rule, "its name"),
	C_MS(r, at, "it fired or opened a watch last"),
	C_MS(r, fired, "it fired last; null: never"),
	{ "alert", SW_COL_TEXT, "(SELECT alert FROM alerts WHERE rule = r.rule ORDER BY at DESC LIMIT 1)", "its newest alert" },
	{ "alerts", SW_COL_INT, "(SELECT count(*) FROM alerts WHERE rule = r.rule)", "alerts of it" },
	{ "watches", SW_COL_INT, "(SELECT count(*) FROM watches WHERE rule = r.rule)", "watches it opened" },
	{ "fails", SW_COL_INT, "(SELECT count(*) FROM watches WHERE rule = r.rule AND verdict = 'fail')", "those that ended in fail" },
};
static const struct sw_filter rule_filters[] = { F_GLOB(r, rule, "its name"), F_SINCE("r.at"), F_UNTIL("r.at") };
/* The names are walked through by jumps in the indexes: rules are few, watches and alerts many. */
const struct sw_list sw_list_rules = {
	.name = "rules", .one = "rule", .help = "Rules that ever opened a watch or fired.",
	.from = "(WITH RECURSIVE w (rule) AS (SELECT min(rule) FROM watches UNION ALL SELECT (SELECT min(rule) FROM watches WHERE rule > w.rule) FROM w WHERE w.rule IS NOT NULL),"
	        " x (rule) AS (SELECT min(rule) FROM alerts UNION ALL SELECT (SELECT min(rule) FROM alerts WHERE rule > x.rule) FROM x WHERE x.rule IS NOT NULL),"
	        " n (rule) AS (SELECT rule FROM w WHERE rule IS NOT NULL UNION SELECT rule FROM x WHERE rule IS NOT NULL)"
	        " SELECT rule, fired, max(coalesce(fired, 0), coalesce(opened, 0)) AS at, number FROM (SELECT rule, (SELECT max(at) FROM alerts WHERE rule = n.rule) AS fired,"
	        " (SELECT max(at) FROM watches WHERE rule = n.rule) AS opened, row_number() OVER (ORDER BY rule) AS number FROM n)) r",
	.order = "r.at", .rowid = "r.number", .id = "rule", LIST_COLUMNS(rule_columns), LIST_FILTERS(rule_filters),
};

/* ---- deployments and watches ---- */

static const struct sw_column deployment_columns[] = {
	C_INT(d, id, "number"),
	C_TEXT(d, deployment, "its id"),
	C_SERVICE, C_ENVIRONMENT,
	C_MS(d, at, "finished, else started, else first heard of"),
	C_TEXT(d, status, "created, running, success, failed, cancelled, skipped or other"),
	C_TEXT(d, source, "the source that told of it"),
	C_TEXT(d, repo, "path of the repository"),
	C_TEXT(d, branch, "branch"),
	C_TEXT(d, tag, "tag"),
	C_TEXT(d, sha, "commit"),
	C_TEXT(d, version, "version"),
	C_TEXT(d, user, "who deployed it"),
	C_TEXT(d, author, "of the commit"),
	C_TEXT(d, title, "first line of the commit"),
	C_TEXT(d, url, "page at the host, the CI log"),
	C_TEXT(d, compare_url, "the host's view of what changed"),
	C_TEXT(d, ci_run_id, "the run it belongs to"),
	C_TEXT(d, ci_run_alias, "another id that a report gave the run"),
	C_MS(d, seen, "first heard of"),
	C_MS(d, started, "it began"),
	C_MS(d, finished, "it ended"),
	C_TEXT(d, prev_sha, "commit that ran there before"),
	C_TEXT(d, prev_version, "its version"),
	C_BOOL(d, is_rollback, "it took another one back"),
	C_BOOL(d, is_redeploy, "the commit that ran already"),
	C_BOOL(d, concurrent, "another one was under way"),
	C_TEXT(d, rollback_of, "the action whose rollback it is"),
	C_BOOL(d, runs, "it was the newest success when it succeeded"),
	C_BOOL(d, good, "it is good; null: that is open"),
	C_BOOL(d, said, "a person said so"),
	C_TEXT(d, verdict, "worst of its watches; null: none, or one is open and none failed"),
	C_JSON(d, d, "as it stands in the state of its place"),
};
static const struct sw_filter deployment_filters[] = {
	F_SERVICE, F_ENVIRONMENT,
	F_GLOB(d, repo, "the repository"),
	F_GLOB(d, branch, "the branch"),
	F_SHA(d, deployments),
	F_WORD(d, status, "its status", statuses),
	F_WORD(d, verdict, "worst verdict of its watches", verdicts),
	F_BOOL(d, is_rollback, "rollbacks, or not"),
	F_BOOL(d, good, "good, or bad"),
	F_RUN(d),
	F_SINCE("d.at"), F_UNTIL("d.at"),
	{ "q", "d.id IN (SELECT id FROM deployments WHERE deployment = ? UNION ALL SELECT id FROM deployments WHERE ci_run_id = ? UNION ALL"
	       " SELECT id FROM deployments WHERE ci_run_alias = ? UNION ALL"
	       " SELECT id FROM deployments WHERE ci_run_id IN (SELECT ci_run_id FROM builds WHERE ci_run_alias = ?) UNION ALL"
	       " SELECT id FROM deployments WHERE length(?) >= 7 AND sha >= ? AND sha < ? || 'g')",
	  "an id of it or of its run, or the first 7 digits of its commit", SW_COL_TEXT, NULL, false, false },
};
const struct sw_list sw_list_deployments = {
	.name = "deployments", .one = "deployment", .help = "What was deployed where, however many webhooks told of it.",
	.from = "deployments d JOIN places p ON p.id = d.place", .order = "d.at", .rowid = "d.id", .id = "deployment",
	LIST_COLUMNS(deployment_columns), LIST_FILTERS(deployment_filters),
};

static const struct sw_column watch_columns[] = {
	C_INT(w, id, "number"),
	C_TEXT(w, watch, "its id"),
	C_SERVICE, C_ENVIRONMENT,
	C_TEXT(w, deployment, "the deployment it follows"),
	{ "sha", SW_COL_TEXT, "d.sha", "its commit" },
	{ "version", SW_COL_TEXT, "d.version", "its version" },
	{ "ci_run_id", SW_COL_TEXT, "d.ci_run_id", "its run" },
	C_MS(w, at, "opened"),
	C_TEXT(w, rule, "its rule"),
	C_TEXT(w, rules, "hash of the rules it was opened with"),
	C_TEXT(w, state, "waiting, watching, following or done"),
	C_MS(w, begins, "its window begins"),
	C_MS(w, until, "and ends"),
	C_INT(w, every, "ms between two looks"),
	C_TEXT(w, verdict, "pass, fail, inconclusive, superseded or cancelled; null: none yet"),
	C_TEXT(w, reason, "evidence, no-data, pre-existing, common-cause, transient, newer, operator or deadline"),
	C_MS(w, fail_at, "moment of the verdict fail"),
	C_MS(w, ended, "it was done"),
	C_BOOL(w, fired, "its alert was told"),
	C_INT(w, checks, "looks"),
	C_INT(w, known, "those that said something"),
	C_JSON(w, explained, "why it ended so, as `shipwatch explain --json` said after the verdict"),
};
static const struct sw_filter watch_filters[] = {
	F_SERVICE, F_ENVIRONMENT,
	F_GLOB(w, rule, "the rule"),
	F_TEXT(w, deployment, "watches of this deployment"),
	F_WORD(w, state, "its state", watch_states),
	{ "open", "(w.state <> 'done') = ?", "not done yet, or done", SW_COL_BOOL, NULL, false, false },
	F_WORD(w, verdict, "its verdict", verdicts),
	F_WORD(w, reason, "the reason of its verdict", reasons),
	{ "ci_run_id", "w.deployment IN (SELECT deployment FROM deployments WHERE ci_run_id IN (SELECT ? UNION SELECT ci_run_id FROM builds WHERE ci_run_alias = ?))",
	  "of a deployment of this run", SW_COL_TEXT, NULL, false, false },
	{ "sha", "w.deployment IN (SELECT deployment FROM deployments WHERE sha >= ? AND sha < ? || 'g')", "of a deployment of this commit", SW_COL_TEXT, NULL, false, true },
	F_SINCE("w.at"), F_UNTIL("w.at"),
	{ "q", "w.id IN (SELECT id FROM watches WHERE watch = ? UNION ALL SELECT id FROM watches WHERE deployment = ? UNION ALL"
	       " SELECT id FROM watches WHERE deployment IN (SELECT deployment FROM deployments WHERE ci_run_id IN"
	       " (SELECT ? UNION SELECT ci_run_id FROM builds WHERE ci_run_alias = ?) OR ci_run_alias = ?) UNION ALL"
	       " SELECT id FROM watches WHERE deployment IN (SELECT deployment FROM deployments WHERE length(?) >= 7 AND sha >= ? AND sha < ? || 'g'))",
	  "an id of it, of its deployment or of its run, or the first 7 digits of the commit", SW_COL_TEXT, NULL, false, false },
};
const struct sw_list sw_list_watches = {
	.name = "watches", .one = "watch", .help = "Rules following one deployment each, until a verdict.",
	.from = "watches w JOIN places p ON p.id = w.place LEFT JOIN deployments d ON d.deployment = w.deployment", .order = "w.at", .rowid = "w.id", .id = "watch",
	LIST_COLUMNS(watch_columns), LIST_FILTERS(watch_filters),
};

/* ---- alerts and their way ---- */

static const struct sw_column alert_columns[] = {
	C_INT(a, id, "number"),
	C_TEXT(a, alert, "its id"),
	C_MS(a, at, "first told"),
	C_MS(a, last, "last told"),
	C_TEXT(a, service, "the service"),
	C_TEXT(a, environment, "the environment"),
	C_TEXT(a, rule, "the rule"),
	C_TEXT(a, severity, "info, warning or critical"),
	C_TEXT(a, state, "firing, resolved, closed, or told: something that has no end"),
	C_TEXT(a, news, "what was told last"),
	C_TEXT(a, summary, "what it says"),
	C_TEXT(a, watch, "the watch it is of"),
	C_TEXT(a, deployment, "the deployment it is about"),
	C_TEXT(a, repo, "path of the repository"),
	C_TEXT(a, branch, "branch"),
	C_TEXT(a, sha, "commit"),
	C_TEXT(a, ci_run_id, "the run it belongs to"),
	C_TEXT(a, acked_by, "who has it in hand"),
	C_MS(a, acked_at, "since when"),
};
static const struct sw_filter alert_filters[] = {
	F_GLOB(a, service, "the service"),
	F_GLOB(a, environment, "the environment"),
	F_GLOB(a, rule, "the rule"),
	F_WORD(a, severity, "its severity", severities),
	F_WORD(a, state, "its state", alert_states),
	F_TEXT(a, watch, "of this watch"),
	F_TEXT(a, deployment, "about this deployment"),
	F_GLOB(a, repo, "the repository"),
	F_SHA(a, alerts),
	F_RUN(a),
	{ "channel", "a.alert IN (SELECT alert FROM deliveries WHERE channel = ?)", "those on their way to this channel, or there", SW_COL_TEXT, NULL, false, false },
	F_SINCE("a.at"), F_UNTIL("a.at"),
	{ "q", "a.id IN (SELECT id FROM alerts WHERE alert = ? UNION ALL SELECT id FROM alerts WHERE watch = ? UNION ALL SELECT id FROM alerts WHERE deployment = ? UNION ALL"
	       " SELECT id FROM alerts WHERE alert IN (SELECT alert FROM news WHERE news_id = ?) UNION ALL"
	       " SELECT id FROM alerts WHERE ci_run_id IN (SELECT ? UNION SELECT ci_run_id FROM builds WHERE ci_run_alias = ?) UNION ALL"
	       " SELECT id FROM alerts WHERE length(?) >= 7 AND sha >= ? AND sha < ? || 'g')",
	  "an id of it, of a message of it, of its watch, deployment or run, or the first 7 digits of the commit", SW_COL_TEXT, NULL, false, false },
};
const struct sw_list sw_list_alerts = {
	.name = "alerts", .one = "alert", .help = "What people were told.",
	.from = "alerts a", .order = "a.at", .rowid = "a.id", .id = "alert", LIST_COLUMNS(alert_columns), LIST_FILTERS(alert_filters),
};

static const struct sw_column news_columns[] = {
	C_INT(n, id, "number"),
	C_TEXT(n, news_id, "its id: the delivery of messages"),
	C_TEXT(n, alert, "the alert"),
	C_MS(n, at, "when"),
	C_TEXT(n, news, "which change: firing, resolved, rollback_started …"),
	C_JSON(n, body, "as channels were given it"),
};
static const struct sw_filter news_filters[] = {
	F_TEXT(n, alert, "of this alert"),
	F_GLOB(n, news, "which change"),
	{ "channel", "n.news_id IN (SELECT news_id FROM deliveries WHERE channel = ?)", "those on their way to this channel, or there", SW_COL_TEXT, NULL, false, false },
	F_SINCE("n.at"), F_UNTIL("n.at"),
};
const struct sw_list sw_list_news = {
	.name = "news", .one = "news", .help = "Each change of an alert that was told.",
	.from = "news n", .order = "n.at", .rowid = "n.id", .id = "news_id", LIST_COLUMNS(news_columns), LIST_FILTERS(news_filters),
};

static const struct sw_column delivery_columns[] = {
	C_INT(v, id, "number"),
	C_TEXT(v, news_id, "what is told: id of a change of an alert"),
	C_TEXT(v, alert, "the alert"),
	C_TEXT(v, channel, "the channel"),
	C_MS(v, at, "since when"),
	C_MS(v, last, "last change"),
	C_TEXT(v, state, "waits, sending, sent, silenced, merged, dropped or dead"),
	C_INT(v, tries, "how often it was tried"),
	C_BOOL(v, fallback, "the channel stands in for another"),
	C_TEXT(v, why, "why it stands so"),
	{ "news", SW_COL_TEXT, "n.news", "which change of the alert" },
	{ "service", SW_COL_TEXT, "a.service", "the alert's service" },
	{ "environment", SW_COL_TEXT, "a.environment", "its environment" },
	{ "rule", SW_COL_TEXT, "a.rule", "its rule" },
	{ "severity", SW_COL_TEXT, "a.severity", "its severity" },
};
static const struct sw_filter delivery_filters[] = {
	F_GLOB(v, channel, "the channel"),
	F_WORD(v, state, "where it stands", delivery_states),
	F_TEXT(v, alert, "of this alert"),
	F_TEXT(v, news_id, "of this change of an alert"),
	{ "service", "+v.alert IN (SELECT alert FROM alerts WHERE service = ?)", "the alert's service", SW_COL_TEXT, NULL, true, false },
	{ "environment", "+v.alert IN (SELECT alert FROM alerts WHERE environment = ?)", "the alert's environment", SW_COL_TEXT, NULL, true, false },
	F_SINCE("v.at"), F_UNTIL("v.at"),
};
const struct sw_list sw_list_deliveries = {
	.name = "deliveries", .one = "delivery", .help = "What was told on its way to each channel.",
	.from = "deliveries v LEFT JOIN alerts a ON a.alert = v.alert LEFT JOIN news n ON n.news_id = v.news_id", .order = "v.at", .rowid = "v.id", .id = "id",
	LIST_COLUMNS(delivery_columns), LIST_FILTERS(delivery_filters),
};

static const struct sw_column attempt_columns[] = {
	C_INT(t, id, "number"),
	C_TEXT(t, alert, "the alert"),
	C_TEXT(t, news_id, "which change of it"),
	C_TEXT(t, channel, "the channel"),
	C_INT(t, n, "which try of the alert"),
	C_MS(t, at, "when"),
	{ "class", SW_COL_TEXT, "t.class", "what the answer means: ok, retry, hold, shrink, message, config, ambiguous" },
	C_TEXT(t, detail, "what was answered"),
	C_BOOL(t, repeat, "it may be a second copy"),
};
static const struct sw_filter attempt_filters[] = {
	F_TEXT(t, alert, "of this alert"),
	F_TEXT(t, news_id, "of this change of an alert"),
	F_GLOB(t, channel, "the channel"),
	{ "class", "t.class = ?", "what the answer means", SW_COL_TEXT, NULL, false, false },
	F_SINCE("t.at"), F_UNTIL("t.at"),
};
const struct sw_list sw_list_attempts = {
	.name = "attempts", .one = "attempt", .help = "Each try to hand a message to a channel.",
	.from = "attempts t", .order = "t.at", .rowid = "t.id", .id = "id", LIST_COLUMNS(attempt_columns), LIST_FILTERS(attempt_filters),
};

/* ---- actions ---- */

static const struct sw_column action_columns[] = {
	C_INT(c, id, "number"),
	C_TEXT(c, action_id, "its id"),
	C_SERVICE, C_ENVIRONMENT,
	C_MS(c, at, "proposed"),
	C_MS(c, last, "last change"),
	C_TEXT(c, action, "name of the action"),
	C_BOOL(c, rollback, "it takes the deployment back"),
	C_TEXT(c, deployment, "the deployment it is about"),
	C_TEXT(c, watch, "the watch that decided it"),
	C_TEXT(c, rule, "and its rule"),
	C_TEXT(c, state, "proposed, asking, postponed, started, done, failed, unknown, skipped, verified or ineffective"),
	C_TEXT(c, why, "why it stands so"),
	C_MS(c, started, "it was begun"),
	C_MS(c, deadline, "of its state"),
	C_TEXT(c, target, "commit that is gone back to"),
	C_MS(c, asked, "people were asked"),
	C_BOOL(c, proceed, "silence means yes"),
	C_TEXT(c, ask_why, "why people are asked though the rule does not"),
	C_TEXT(c, saw, "what the rule saw"),
	C_BOOL(c, approved, "a person approved it"),
	C_TEXT(c, decided_by, "who decided"),
	C_MS(c, decided_at, "and when"),
	{ "ci_run_id", SW_COL_TEXT, "d.ci_run_id", "run of the deployment" },
	{ "sha", SW_COL_TEXT, "d.sha", "commit of the deployment" },
};
static const struct sw_filter action_filters[] = {
	F_SERVICE, F_ENVIRONMENT,
	F_WORD(c, state, "its state", action_states),
	{ "open", "(c.state IN ('proposed', 'asking', 'postponed', 'started')) = ?", "not over yet, or over", SW_COL_BOOL, NULL, false, false },
	F_TEXT(c, deployment, "about this deployment"),
	F_TEXT(c, watch, "decided by this watch"),
	F_GLOB(c, rule, "the rule"),
	F_GLOB(c, action, "name of the action"),
	F_BOOL(c, rollback, "rollbacks, or not"),
	{ "ci_run_id", "c.deployment IN (SELECT deployment FROM deployments WHERE ci_run_id IN (SELECT ? UNION SELECT ci_run_id FROM builds WHERE ci_run_alias = ?))",
	  "about a deployment of this run", SW_COL_TEXT, NULL, false, false },
	F_SINCE("c.at"), F_UNTIL("c.at"),
	{ "q", "c.id IN (SELECT id FROM actions WHERE action_id = ? UNION ALL SELECT id FROM actions WHERE deployment = ? UNION ALL"
	       " SELECT id FROM actions WHERE watch = ? UNION ALL SELECT id FROM actions WHERE deployment IN (SELECT deployment FROM deployments WHERE ci_run_id IN"
	       " (SELECT ? UNION SELECT ci_run_id FROM builds WHERE ci_run_alias = ?) OR ci_run_alias = ?) UNION ALL"
	       " SELECT id FROM actions WHERE deployment IN (SELECT deployment FROM deployments WHERE length(?) >= 7 AND sha >= ? AND sha < ? || 'g'))",
	  "an id of it, of its watch, deployment or run, or the first 7 digits of the commit", SW_COL_TEXT, NULL, false, false },
};
const struct sw_list sw_list_actions = {
	.name = "actions", .one = "action", .help = "What was done to the world, or would have been.",
	.from = "actions c JOIN places p ON p.id = c.place LEFT JOIN deployments d ON d.deployment = c.deployment", .order = "c.at", .rowid = "c.id", .id = "action_id",
	LIST_COLUMNS(action_columns), LIST_FILTERS(action_filters),
};

static const struct sw_column step_columns[] = {
	C_INT(s, id, "number"),
	C_TEXT(s, action_id, "the action"),
	C_MS(s, at, "when"),
	C_TEXT(s, state, "its state from then on"),
	C_TEXT(s, why, "why"),
};
static const struct sw_filter step_filters[] = { F_TEXT(s, action_id, "of this action"), F_WORD(s, state, "the state", action_states), F_SINCE("s.at"), F_UNTIL("s.at") };
const struct sw_list sw_list_action_steps = {
	.name = "action_steps", .one = "action_step", .help = "Each change of the state of an action.",
	.from = "action_steps s", .order = "s.at", .rowid = "s.id", .id = "id", LIST_COLUMNS(step_columns), LIST_FILTERS(step_filters),
};
