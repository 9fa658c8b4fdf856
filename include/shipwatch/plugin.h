/*
 * The four kinds of plug-in. Each is one const struct: a name, a table of settings, pure functions. A plug-in reads no clock
 * (now is handed in), opens nothing, keeps nothing between calls. Add one: its file, a line in plugins.c, a line in
 * meson.build, a folder of golden cases, a paragraph in the manual.
 */
#ifndef SHIPWATCH_PLUGIN_H
#define SHIPWATCH_PLUGIN_H

#include "shipwatch/alert.h"
#include "shipwatch/base.h"
#include "shipwatch/buf.h"
#include "shipwatch/err.h"
#include "shipwatch/event.h"
#include "shipwatch/job.h"
#include "shipwatch/key.h"
#include "shipwatch/mem.h"
#include "shipwatch/sample.h"

struct sw_plugin {
	const char *name, *help;
	const struct sw_key *keys; /* ends with a zero row */
	size_t conf_size;
};

/* A delivery as it came: what the gateway verifies and the worker parses. */
struct sw_request {
	const char *source;              /* name in the configuration */
	const struct sw_header *headers; /* names lower case; only those of the plug-in's `headers` list survive the queue */
	size_t n_headers;
	const char *body;                /* raw bytes as sent */
	size_t body_n;
	const char *content_type;        /* media type only, lower case: "application/json" */
	const char *query;               /* of the address, raw, for verify only, never kept; NULL: none */
	sw_ms arrived;
};

/* Value of a header, or NULL; name in lower case. Two headers of one name are joined nowhere: duplicates of a signature are refused by the gate. */
const char *sw_request_header(const struct sw_request *rq, const char *name_lower);

/* What verify found out. */
struct sw_proof {
	const char *dedupe;   /* key that tells a redelivery, unique within the source; NULL: none, use the body's digest */
	sw_dur dedupe_for;    /* how long to remember it: 3 days; 10 min where no time is signed (report, generic) */
	int secret;           /* index of the secret that fitted */
	bool ping;            /* a test of the hook: answer 200, keep nothing */
	bool ignore;          /* known and of no interest, judged by headers alone: answer 200 */
	bool run;             /* it tells of a run of CI, whose id belongs into the log of the gateway too */
	const char *what;     /* host's name of the event for metrics: "push", "Pipeline Hook"; from a closed list or "other" */
};

/* A git host's API as configured. url: of the host (GitHub: of the API); token NULL: none. */
struct sw_api { const char *url, *token; };

/* What is known of one try to deliver an event, as the host lists it. */
struct sw_tried {
	const char *id;                  /* of this try, by which it is asked for again */
	const char *event;               /* the same for all tries of one event */
	const char *what;                /* host's name of the event */
	sw_ms at;                        /* 0: not told */
	int status;                      /* of our answer; 0: there was none */
	const char *why;                 /* host's word for what went wrong; NULL: none */
};
struct sw_tries { struct sw_tried *items; size_t n; const char *next; /* page that follows; NULL: that was the last */ };

/*
 * How a git host is asked for deliveries that failed and has them sent again (`shipwatch sweep`). page: query of a further page, as an
 * answer named it; NULL: the first. The `_read` are asked of answers of status 2xx. Return: 0; -EINVAL when it cannot be asked so, -EBADMSG
 * or -EFBIG when the answer is none; err says why.
 */
struct sw_hook { const char *owner; bool group; /* an organisation or group, not a repository */ const char *id; };
struct sw_sweep {
	int (*hooks)(const struct sw_api *api, const struct sw_hook *h, const char *page, struct sw_arena *a, struct sw_job *ret, struct sw_err *err);
	/* The id of the hook that posts to this address; *ret NULL: there is none on this page. */
	int (*hooks_read)(const struct sw_result *res, const char *address, struct sw_arena *a, const char **ret, const char **ret_next, struct sw_err *err);
	int (*tries)(const struct sw_api *api, const struct sw_hook *h, const char *page, struct sw_arena *a, struct sw_job *ret, struct sw_err *err);
	int (*tries_read)(const struct sw_result *res, struct sw_arena *a, struct sw_tries *ret, struct sw_err *err);
	int (*again)(const struct sw_api *api, const struct sw_hook *h, const char *id, struct sw_arena *a, struct sw_job *ret, struct sw_err *err);
	/* What we answered this time, where the host tells it at once; 0: it does not. */
	int (*again_read)(const struct sw_result *res, struct sw_arena *a);
	sw_dur keeps;                    /* how far back the host has them */
	int per_minute;                  /* how many of one hook it sends again in a minute; 0: no matter */
};

struct sw_source {      /* github, gitlab, gitea, report */
	struct sw_plugin base;
	const char *mark;              /* the header only they send; NULL: there is none */
	const char *const *headers;    /* NULL-ended, lower case: what verify and parse need; kept with the body. At most one each */
	/* Headers that its settings name beside those, NULL-ended; kept too. NULL: there are none. */
	const char *const *(*more)(const void *conf);
	const char *secret;            /* header that is a secret itself: at most one, for verify only, never kept; NULL: none */
	const char *const *types;      /* NULL-ended media types it takes; others are 415 */
	/*
	 * Really from them? Over the raw bytes; all configured secrets are tried in the same time whatever fits.
	 * Return: 0 and *ret; -EACCES when signature or token is missing or wrong; -EBADMSG when the request cannot be judged
	 * (no event header); err says why, for the log.
	 */
	int (*verify)(const void *conf, const struct sw_request *rq, struct sw_arena *a, struct sw_proof *ret, struct sw_err *err);
	/*
	 * Where the JSON stands (the whole body, or the form field decoded into the arena).
	 * Return: 0, or -EBADMSG with err.
	 */
	int (*text)(const struct sw_request *rq, struct sw_arena *a, const char **ret, size_t *ret_n, struct sw_err *err);
	/* Settings that are maps and lists of its own: read out of node into conf; mistakes are told at their places. At load. NULL: none. */
	void (*load)(void *conf, const struct sw_ynode *node, struct sw_arena *a, struct sw_diags *d);
	/* More than well-formed JSON (the schema of a report): 0, or -EBADMSG with "duration_ms: want …". NULL: nothing more. */
	int (*check)(const char *json, size_t n, struct sw_err *err);
	/*
	 * Bytes to events, in the worker. No event and 0: of no interest. -EBADMSG with err: cannot be understood, dead letter.
	 */
	int (*parse)(const void *conf, const struct sw_request *rq, struct sw_events *out, struct sw_err *err);
	/*
	 * What happened between two shas of a repository, asked of the host's API, and its answer: al's commits (newest first) and
	 * files, in the arena. Return: 0; -EINVAL when it cannot be asked; -EIO, -EFBIG, -EBADMSG when the answer is none; err says
	 * why. NULL: this kind has no such API.
	 */
	int (*compare)(const struct sw_api *api, const char *repo, const char *from, const char *to, struct sw_arena *a, struct sw_job *ret,
	               struct sw_err *err);
	int (*compared)(const struct sw_result *res, struct sw_arena *a, struct sw_alert *al, struct sw_err *err);
	const char *api;               /* its address where the host has only one; NULL: it must be configured */
	const struct sw_sweep *sweep;  /* NULL: it cannot be asked for deliveries that failed */
	bool handshake;                /* its senders ask first, by OPTIONS, whether they may send (CloudEvents' HTTP webhooks) */
};

/* What is asked, where and for whom. */
struct sw_target {
	const char *service, *environment;
	const char *sha, *version;       /* of the deployment under watch; NULL between deployments */
	const struct sw_query *queries;  /* health: none; prometheus: one a request; scrape: all of one answer */
	size_t n_queries;
	const char *memory;              /* what the last read left in sw_samples.memory, or NULL */
	sw_ms from, to;                  /* both 0: now; else the past, from..to in steps of the query's step (ends included) */
};

struct sw_signal {      /* health, prometheus, scrape: what to ask now, then what the answer means */
	struct sw_plugin base;
	/* Can this be asked so? Names the mistake ("prometheus" has no $labels …); at load. NULL: anything can. */
	int (*check)(const struct sw_query *q, struct sw_err *err);
	int (*ask)(const void *conf, const struct sw_target *t, sw_ms now, struct sw_arena *a, struct sw_job *ret, struct sw_err *err);
	int (*read)(const void *conf, const struct sw_target *t, const struct sw_result *res, struct sw_samples *out, struct sw_err *err);
	/*
	 * The answer to a question with from and to. Return: 0 and *ret (n may be 0: nothing was there); -EIO when they did not answer
	 * as they should (it may be asked again), -EBADMSG when the question is wrong; err says why. NULL: this source has no past.
	 */
	int (*past)(const void *conf, const struct sw_target *t, const struct sw_result *res, struct sw_arena *a, struct sw_past *ret,
	            struct sw_err *err);
};

struct sw_rate { int count; sw_dur per; }; /* what one credential bears; count 0: no limit */

enum sw_size { SW_SIZE_FULL, SW_SIZE_HALF, SW_SIZE_LINE }; /* SHRINK goes one step on */

struct sw_channel {     /* dingtalk, wecom, webhook, console: alert to job, then what became of it */
	struct sw_plugin base;
	struct sw_rate rate;
	/* NULL-ended: by which settings of `people:` somebody is mentioned there, any one does; NULL: names are handed on, or nobody is mentioned. */
	const char *const *ids;
	bool numbers;           /* mobile numbers mean something there; where not, `mention: {mobiles: …}` gives a warning */
	bool program;       /* a program reads it: each alert as it is, nothing joined or held down */
	/* Do the settings fit together? At load. Return: 0, or -EINVAL with err ("user and password: both or none"). NULL: always. */
	int (*check)(const void *conf, struct sw_err *err);
	/* Text that is the same for all channels sharing a robot (URL without its changing parts): the key of pacing and holds. */
	const char *(*credential)(const void *conf);
	/* Calls of a month that its credential has; 0: no matter. NULL: no matter. */
	int (*quota)(const void *conf);
	/*
	 * Alert to requests: normally one; a second where mentions need a message of their own (WeCom). part counts from 0.
	 * Return: 1 when *ret is set and more parts follow, 0 when it is set and the last, -errno with err.
	 */
	int (*render)(const void *conf, const struct sw_alert *al, enum sw_size size, unsigned part, sw_ms now, struct sw_arena *a,
	              struct sw_job *ret, struct sw_err *err);
	struct sw_class (*judge)(const void *conf, const struct sw_result *res, struct sw_err *err);
};

/* A decision to act, with everything a target may be told. */
struct sw_act {
	const char *id;                  /* idempotency key, stable */
	const char *action;              /* name in the configuration */
	const char *service, *environment, *tier;
	const char *repo, *branch, *tag, *sha, *version;   /* of the bad deployment */
	const char *job_id, *pipeline_id; /* the host's, of the bad deployment; NULL: not known, as below */
	const char *prev_sha, *prev_version;
	/* The newest deployment before it that is verified good, as the host knows it. last_good_sha NULL: none is known. */
	const char *last_good_sha, *last_good_version, *last_good_repo, *last_good_environment, *last_good_job_id, *last_good_pipeline_id,
		*last_good_deployment_id, *last_good_url;
	const char *rule, *verdict, *reason, *user, *url, *ci_run_id, *watch_id, *deployment_id;
	const struct sw_alert *alert;    /* findings and commits; may be NULL */
};

/* What the host said it began: by these ids its own webhooks tell of it later. NULL: not said. */
struct sw_run { const char *job_id, *pipeline_id, *deployment_id, *url; };

#define SW_ACTION_STEPS 16

/* Whom an action would ask, and as whom; what `check --online` looks at. */
struct sw_asks {
	const char *url, *token;        /* token NULL: one that can only be used, not looked at */
	const char *project;            /* may hold named values */
	const char *const *scopes;      /* NULL-ended; one of them is needed, where the host tells a token's scopes */
};

struct sw_action {      /* http, exec, gitlab, github: decision to jobs, then what became of it */
	struct sw_plugin base;
	/*
	 * Step number `step` from 0. All steps but the last only read: the host repeats them, and a failure there means that nothing
	 * was done. The last one acts, and is never repeated once its request may have arrived. last: the 2xx answer to the step
	 * before; NULL at step 0.
	 * Return: 1 when *ret reads and more steps follow, at most SW_ACTION_STEPS in all; 0 when *ret is the last; -errno with err
	 * when it cannot be done.
	 */
	int (*plan)(const void *conf, const struct sw_act *act, unsigned step, const struct sw_result *last, sw_ms now, struct sw_arena *a,
	            struct sw_job *ret, struct sw_err *err);
	/* Of every step; res may be that of a read. OK goes on. err: what it means; after the last step also what was begun. */
	struct sw_class (*judge)(const void *conf, const struct sw_result *res, struct sw_err *err);
	/* After an OK of the last step; texts in the arena or borrowed from act and res. NULL: such a host names nothing. */
	void (*began)(const void *conf, const struct sw_act *act, const struct sw_result *res, struct sw_arena *a, struct sw_run *ret);
	/* Settings that are read but do not fit together, told at their places in node; at load. NULL: they always do. */
	void (*check)(const void *conf, const struct sw_ynode *node, struct sw_diags *d);
	/* What it does, in a few words for `check`: "trigger-pipeline acme/web@main". NULL: nothing but its kind can be said. */
	void (*tell)(const void *conf, struct sw_buf *out);
	/* Does it choose what is deployed, so that a verified good deployment has to be known? NULL: no. */
	bool (*needs_good)(const void *conf);
	/* NULL: nobody can be asked before it is done. */
	void (*asks)(const void *conf, struct sw_asks *ret);
};

/* plugins.c: NULL-ended, in order of detection */
extern const struct sw_source *const sw_sources[];
extern const struct sw_signal *const sw_signals[];
extern const struct sw_channel *const sw_channels[];
extern const struct sw_action *const sw_actions[];

const struct sw_source *sw_source_find(const char *kind);
const struct sw_signal *sw_signal_find(const char *kind);
const struct sw_channel *sw_channel_find(const char *kind);
const struct sw_action *sw_action_find(const char *kind);

#endif
