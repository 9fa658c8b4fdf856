/* What the files of the dashboard's process share beside web.h, which is what its pages share. One struct dash a process. */
#ifndef SW_DASHBOARD_INNER_H
#define SW_DASHBOARD_INNER_H

#include <sys/types.h>

#include "dashboard/dashboard.h"
#include "dashboard/recorder.h"
#include "dashboard/web.h"
#include "io/loop.h"
#include "probe/print.h"

#define DASH_FORM_MAX   (64 * 1024) /* bytes of a form */
#define DASH_VISITS     256         /* requests under way (they wait for Redis) */
#define DASH_VIEWERS    1000        /* live, at once; more are asked to come later */
#define DASH_HEADERS    6           /* of an answer, beside those every answer has */

struct live;
struct sw_rules;
struct auth;
struct visit;

/* What belongs to a configuration. Counted: requests end under the one they began with. */
struct dash_setup {
	struct sw_config *cfg;
	struct sw_rules *rules;      /* in force; NULL: they cannot be loaded */
	struct sw_nets *trusted;
	unsigned refs;
};

/* The recorder as the parent sees it. */
struct dash_child {
	pid_t pid;                   /* 0: not running */
	int fd;                      /* of the pipe it tells by; -1: none */
	struct event *ev;
	struct sw_timer again;
	sw_dur started, backoff;
	unsigned restarts;
	char why[160];               /* why it is not running; "": it is */
	unsigned char part[4];       /* of a word on the pipe that came in pieces */
	size_t part_n;
};

struct dash_meters {
	struct sw_metrics *all;
	struct sw_recorder_meters recorder_own; /* counted by the recorder, told here */
	struct sw_metric *requests, *seconds, *conns, *viewers, *told, *cut, *redis_up, *masters, *history, *recorder, *restarts, *signins, *decisions, *limited;
};

struct dash {
	struct sw_loop *loop;
	struct sw_http_server *http;
	struct dash_setup *setup;
	const struct sw_dashboard_options *opt;
	struct sw_bus *bus;
	const char *state_dir;       /* NULL: none, no history */
	struct sw_store *store;      /* NULL: there is none to read */
	char store_why[256];
	sw_dur store_at;             /* looked at last */
	dev_t store_dev;
	ino_t store_ino;
	struct dash_child recorder;
	struct sw_timer alive;       /* for the watchdog */
	struct dash_meters meters;
	struct live *live;
	struct auth *auth;
	struct visit *visits;        /* under way */
	unsigned n_visits;
	struct sw_health *health;
	bool stopping;
	char redis_why[160];
	int64_t masters;               /* of the bus, as it was counted last */
	/* the last answer to "status", for a second: a page that many look at asks once */
	char *status;
	sw_dur status_at;
};

/* The rules of a configuration, logged when they are wrong; NULL then. (page_rules.c) */
struct sw_rules *dash_rules_load(const struct sw_config *cfg);
struct dash_setup *dash_setup_get(struct dash_setup *s);
void dash_setup_put(struct dash_setup *s);

/* ---- routes.c: from a request to its answer ---- */

struct visit {
	struct page p;               /* p.d: the process */
	struct dash_setup *setup;
	const struct route *route;
	struct visit *next, **prev;  /* of the process' */
	unsigned waiting;            /* answers of Redis still to come */
	bool later, json;            /* its handler answers by itself; errors are wanted as JSON */
	bool asked;                  /* Redis was, or was not there to be */
	bool running, over;          /* the handler is at work; it has answered */
	struct sw_header headers[DASH_HEADERS];
	size_t n_headers;
	sw_dur began;
	struct sw_timer timer;       /* of a handler that waits */
	void (*gone)(struct visit *v); /* frees what a handler keeps, when it is given up */
	void *state;
};
#define dash_visit(page) ((struct visit *)(page)) /* the page is its first member */

void dash_on_head(void *arg, struct sw_http_req *req);
void dash_on_request(void *arg, struct sw_http_req *req);
void dash_on_answer(void *arg, const struct sw_http_req *req, int status, const char *why, sw_dur took);
/* For a handler that has to wait: called within run(), it says that dash_answer comes later. */
void dash_later(struct page *p);
void dash_answer(struct page *p);
/* One more header of the answer; texts live as long as the request. */
void dash_header(struct page *p, const char *name, const char *value);
/* The handler gave the request to a stream: nothing is answered any more. */
void dash_streams(struct page *p);
/* Language and theme: what the visitor's cookies say; whether the request is one that chooses (?lang= ?theme=), then it is answered. */
void dash_page_choices(struct page *p);
bool dash_page_chosen(struct page *p);
/* layout.c: a cookie's value, or NULL; one set for so many seconds ("0": gone). */
const char *dash_cookie(struct page *p, const char *name);
void dash_set_cookie(struct page *p, const char *name, const char *value, const char *max_age);
/* What the page that comes next says on top. */
void dash_flash(struct page *p, bool good, const char *text);
/* The query without the choices and without `but` (or NULL): "" or "a=b&c=d", encoded as it came. */
const char *dash_query_without(struct page *p, const char *but);
/* A word of ours in the reader's language. */
const char *dash_badge_word(struct page *p, const char *word);
/* 303 to an address of our own. */
void dash_see(struct page *p, const char *location);
/* All requests under way are answered with 503; when the bus is gone. */
void dash_visits_end(struct dash *d);
/* Headers that every answer has: policy of content, no sniffing, not kept unless the answer says so (Cache-Control). */
void dash_headers_always(struct sw_http_server *http);

/* ---- ask.c: what Redis knows ---- */

/* Asks what the route needs; goes on with dash_run when all of it is there, at once when there is nothing to ask. */
void dash_ask(struct visit *v);
void dash_run(struct visit *v);
/* What was just decided is to be seen: the next page asks anew. */
void dash_ask_forget(struct dash *d);

/* ---- child.c ---- */

void dash_recorder_begin(struct dash *d);
void dash_recorder_signal(struct dash *d, int signo);
/* SIGTERM, then SIGKILL after so long; returns when it is gone. */
void dash_recorder_end(struct dash *d, sw_dur wait);

/* How the history is written, as far as Redis (p->status) and the recorder's meters tell. */
struct dash_recording {
	bool runs, written;          /* written: what the recorder says; where another process records the same file it says no */
	sw_dur waits;                /* how long the first entry waits that is not in it; 0: none; -1: not known */
	const char *why;             /* why it does not run; "" */
};
#define DASH_BEHIND      SW_MINUTE       /* then people are told */
#define DASH_NOT_WRITTEN (5 * SW_SECOND) /* the same where it cannot be written */
void dash_recording(const struct page *p, struct dash_recording *ret);
/* Whether people have to know: NULL, or "down", "not written", "behind". */
const char *dash_recording_wrong(const struct dash_recording *x);

/* ---- store ---- */

/* Opens the history when it is there and not yet open, or another file took its place; at most once a second. */
void dash_store_look(struct dash *d);
void dash_store_close(struct dash *d); /* it is opened again when somebody looks */

/* ---- assets.c: files that the build put in ---- */

struct dash_asset { const char *name, *path, *type, *etag, *etag_packed; const unsigned char *bytes, *packed /* gzip */; size_t n, packed_n; };
extern const struct dash_asset dash_assets[];
extern const size_t dash_n_assets;
void dash_asset_reply(struct dash *d, struct sw_http_req *req);
/* "/assets/style.<hash>.css" for "style.css"; NULL: not in this build. */
const char *dash_asset_path(const char *name);

/* ---- health.c, meters.c ---- */

SW_CHECKED int dash_meters_new(struct dash *d);
void dash_health(struct dash *d, struct sw_http_req *req);
void dash_metrics(struct dash *d, struct sw_http_req *req);
void dash_json(struct sw_http_req *req, int status, const struct sw_header *more, size_t n, const char *json);
void dash_json_error(struct sw_http_req *req, int status, const struct sw_header *more, size_t n, const char *what);

/* ---- auth.c, session.c: who it is ---- */

/* Return: 0, or -errno, logged. */
SW_CHECKED int dash_auth_new(struct dash *d);
void dash_auth_free(struct dash *d);
/* What a request is refused with before it is looked at further: 0, or a status with *why. */
int dash_auth_door(struct dash *d, const struct sw_http_req *req, const char **why);
/* Fills p->who; texts in p->a. Return: 0, or a status with *why: a token that is none, too many failures. */
int dash_auth_who(struct page *p, const char **why);
/* Whether a POST comes from a form of ours: where it comes from, and its token. NULL: yes; else why not. */
const char *dash_auth_form(struct page *p);

/* ---- live.c ---- */

void dash_live_new(struct dash *d);
void dash_live_free(struct dash *d);
extern const struct route dash_routes_live[];
/* All are asked to come again: rights may have changed. */
void dash_live_again(struct dash *d);
/* Bits of SW_TOUCHED_*, and 1 << 30: what is live in Redis. Told to everybody soon. */
#define DASH_TOUCHED_STATUS (1u << 30)
void dash_live_touched(struct dash *d, unsigned bits);
unsigned dash_live_viewers(const struct dash *d);

#endif
