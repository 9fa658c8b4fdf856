/*
 * One fact from a source, in our own form. Text is NULL when the sender did not say; times and numbers are 0 (or -1 where 0
 * means something) when not said. All strings belong to the arena the event was made in.
 */
#ifndef SHIPWATCH_EVENT_H
#define SHIPWATCH_EVENT_H

#include "shipwatch/base.h"
#include "shipwatch/mem.h"

enum sw_kind {
	SW_EV_NONE, /* recognised and of no interest; never stored */
	SW_EV_PUSH, SW_EV_TAG, SW_EV_PIPELINE, SW_EV_JOB, SW_EV_DEPLOYMENT, SW_EV_RELEASE, SW_EV_MERGE, SW_EV_REPORT, SW_EV_ALARM,
	SW_EV_KINDS
};

/* What became of a run, in the order of rank; unknown words of a host are OTHER and never success. */
enum sw_status {
	SW_ST_NONE,      /* the kind has no status (push, tag) */
	SW_ST_OTHER,     /* a word we do not know */
	SW_ST_CREATED,   /* created, queued, requested, pending, waiting, scheduled, manual, blocked */
	SW_ST_RUNNING,   /* in progress, started */
	SW_ST_SUCCESS, SW_ST_FAILED, SW_ST_CANCELLED, SW_ST_SKIPPED, /* terminal */
	SW_ST_INACTIVE,  /* a deployment replaced later on; never news */
	SW_ST_COUNT
};

struct sw_commit {
	const char *sha, *title, *author, *author_email, *url;
	sw_ms at;
	const char **files; /* added, modified and removed, as paths */
	size_t n_files;
};

struct sw_metric { const char *name; double value; };
struct sw_label { const char *name, *value; };

struct sw_event {
	enum sw_kind kind;
	const char *source;        /* name of the source in the configuration */
	const char *source_kind;   /* "gitlab" */
	const char *event_id;      /* stream entry or delivery it came in with; set by the host program */
	const char *what;          /* the host's own name of it: "Pipeline Hook", "workflow_run" */
	const char *action;        /* the host's own action word: "published", "merge" */

	const char *host;          /* "gitlab.example.com", lower case, with :port if any */
	const char *repo;          /* full path: "acme/web", "group/sub/web" */
	const char *repo_url, *default_branch;
	const char *ref;           /* full: "refs/heads/main", "refs/tags/v1" */
	const char *branch, *tag;  /* short; NULL when it is not one. A merge request's run has neither */
	const char *sha;           /* full commit id, lower case; of an annotated tag the commit, not the tag object */
	const char *short_sha;     /* when the host only told a short one */
	const char *before;        /* sha before a push; NULL when the ref is new */
	const char *version;
	bool created, deleted, forced; /* push, tag */

	enum sw_status status;
	const char *status_text;   /* the host's word */
	const char *failure_reason;
	int attempt;               /* of the run, from 1; 0 = not said */
	int exit_code;             /* -1 = not said */

	const char *environment;   /* as the host names it */
	const char *env_action;    /* "start", "stop", "prepare", "verify", "access"; NULL = start where environment is set */
	const char *env_tier;      /* "production" */
	const char *env_url;
	const char *service;       /* reports and alarms only */

	/* Identities, as text; see state.md 3 */
	const char *deployment_id, *job_id, *pipeline_id, *report_id, *ci_run_id;
	const char *ci_run_alias;  /* a second ci_run_id given by the sender */
	const char *rollback_id;   /* of the rollback of ours that this run is, where the host hands it back */
	const char *alarm_id;      /* tells this alarm from others: Alertmanager's fingerprint of its labels */

	const char *pipeline_source;   /* "push", "schedule", "merge_request_event" */
	const char *parent_pipeline;   /* id of the pipeline that started this one */
	const char *pipeline_name;
	const char *workflow;          /* ".github/workflows/deploy.yml" */
	const char *job_name, *job_stage;
	bool allow_failure;
	bool merge_request;            /* the run belongs to a merge or pull request */
	bool jobs_deploy;              /* a pipeline with a job that names an environment: the job tells of the deployment */
	const char *target_branch;     /* merge */

	const char *user;          /* login of who caused it */
	const char *user_name;
	const char *author, *author_email; /* of the head commit */
	const char *title;         /* head commit's first line, release's name, merge request's title */
	const char *url;           /* what people open: the run, the CI log */
	const char *compare_url;

	sw_ms at;                  /* when it happened, by the host; else when it arrived */
	sw_ms received;            /* when it arrived */
	sw_ms created_at, started_at, finished_at;
	double duration_ms, queued_ms;     /* -1 = not said */
	double coverage;                   /* ratio 0..1; -1 = not said */
	double cpu_ms, max_rss_bytes;      /* -1 = not said */

	struct sw_commit *commits; /* oldest first, at most SW_EVENT_COMMITS */
	size_t n_commits;
	int64_t commits_total;     /* what the host says there were; -1 = not said */
	bool files_cut;            /* the list of commits or files is not the whole truth */
	struct sw_metric *metrics;
	size_t n_metrics;
	struct sw_label *labels;
	size_t n_labels;
	const char *extra;         /* JSON object of fields we do not know (reports), or NULL */
};

#define SW_EVENT_COMMITS 100
#define SW_EVENT_FILES   300  /* per commit */
#define SW_EVENT_METRICS 200
#define SW_EVENT_LABELS  64
#define SW_EVENT_TEXT    1024 /* bytes of one text; longer is cut at a code point */
#define SW_EVENTS_MAX    256  /* out of one delivery */

struct sw_events {
	struct sw_arena *a;
	struct sw_event *items;
	size_t n, cap;
	bool cut;                  /* there were more than SW_EVENTS_MAX */
	size_t left_out;           /* how many more, where that is known; those the sender left out are counted too */
};

void sw_events_init(struct sw_events *evs, struct sw_arena *a);
/* A new event with its numbers at "not said"; NULL when the list is full (and cut is set). */
struct sw_event *sw_events_add(struct sw_events *evs);
void sw_event_init(struct sw_event *ev);

const char *sw_kind_name(enum sw_kind k);          /* "push" */
enum sw_kind sw_kind_parse(const char *s);         /* SW_EV_NONE when unknown */
const char *sw_status_name(enum sw_status s);      /* "success" */
enum sw_status sw_status_parse(const char *s);     /* our own names */
/* Does it name an environment that is deployed to (or tried to), not one that is stopped, prepared, verified or looked at? */
bool sw_event_deploys(const struct sw_event *ev);
bool sw_status_terminal(enum sw_status s);
/* Order inside one attempt: created 1, running 2, terminal 3, inactive 4; none and other 0. */
int sw_status_rank(enum sw_status s);

struct sw_jw;
struct sw_jnode;
/* As a JSON object, fields in a fixed order, what is not said left out. with_commits false: without commits and files. */
void sw_event_write(const struct sw_event *ev, bool with_commits, struct sw_jw *w, const char *key);
/* Back again; strings are borrowed from the tree. */
void sw_event_read(const struct sw_jnode *node, struct sw_arena *a, struct sw_event *ret);

#endif
