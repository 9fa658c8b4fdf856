/* What people are told: an alert as it is handed to a channel to be rendered. Everything is already chosen and ordered; text
 * from outside is raw and must be made harmless by the renderer of each channel (sw_alert_text does it). */
#ifndef SHIPWATCH_ALERT_H
#define SHIPWATCH_ALERT_H

#include "shipwatch/base.h"
#include "shipwatch/event.h"
#include "shipwatch/mem.h"

enum sw_severity { SW_SEV_INFO, SW_SEV_WARNING, SW_SEV_CRITICAL };
enum sw_locale { SW_LOCALE_EN, SW_LOCALE_ZH };

/* Which change of the alert's life this message tells; each is told once. */
enum sw_alert_news {
	SW_NEWS_FIRING, SW_NEWS_INCONCLUSIVE, SW_NEWS_ROLLBACK_WAITING, SW_NEWS_ROLLBACK_APPROVED, SW_NEWS_ROLLBACK_STARTED, SW_NEWS_ROLLBACK_DONE,
	SW_NEWS_ROLLBACK_FAILED, SW_NEWS_ROLLBACK_UNKNOWN, SW_NEWS_ROLLBACK_SKIPPED, SW_NEWS_ROLLBACK_INEFFECTIVE,
	SW_NEWS_REMINDER, SW_NEWS_ACKED, SW_NEWS_RESOLVED, SW_NEWS_CLOSED, SW_NEWS_NOTICE,
	SW_NEWS_DIGEST,                             /* of a channel: what waited for it, see struct sw_digest */
	SW_NEWS_CHANNEL_DOWN, SW_NEWS_CHANNEL_UP,   /* a channel cannot be used, is used again; the summary names it */
	SW_NEWS_FLAPPING, SW_NEWS_STEADY_FIRING, SW_NEWS_STEADY_RESOLVED, /* it changes too often to be told; what it is once it is calm */
	SW_NEWS_QUOTA,                              /* the calls of a month run out */
	SW_NEWS_COUNT
};
const char *sw_news_name(enum sw_alert_news n);
enum sw_alert_news sw_news_parse(const char *s);

/* One condition with what was measured. */
struct sw_finding {
	const char *text;    /* "http_latency_p95 > 1500ms for 3 checks" */
	const char *value;   /* "1.82s"; NULL: no value */
	const char *limit;   /* "1.5s" */
	const char *before;  /* value before the deployment; NULL: not known */
};

enum sw_link_kind { SW_LINK_APPROVAL, SW_LINK_CI_LOG, SW_LINK_COMPARE, SW_LINK_ENVIRONMENT, SW_LINK_DASHBOARD, SW_LINK_RUNBOOK, SW_LINK_LOGS, SW_LINK_ALARM, SW_LINK_COUNT };

struct sw_tmpl;

struct sw_mention {
	const char *name;              /* as in people: */
	const char *mobile, *dingtalk, *wecom; /* NULL: not known there */
	const char *feishu, *slack, *email;
};

/* What waited for a channel, as one message. */
struct sw_digest {
	int64_t total;
	sw_ms from;                    /* when the first of them began to wait */
	struct sw_digest_count {
		const char *service, *environment; /* service NULL: all others */
		enum sw_severity severity;
		enum sw_alert_news news;
		int64_t n;
	} *counts;                     /* those of one place together */
	size_t n_counts;
	struct sw_digest_line {
		const char *service, *environment, *what;
		enum sw_severity severity;
		enum sw_alert_news news;
		sw_ms at;
	} *lines;                      /* critical ones first, then the newest first; not all of them */
	size_t n_lines;
};

struct sw_alert {
	const char *id;                /* stable over its life */
	const struct sw_digest *digest; /* news DIGEST; else NULL */
	const char *delivery;          /* of this message; the same on a repeat */
	enum sw_alert_news news;
	enum sw_severity severity;
	enum sw_severity rule_severity; /* as the rule says: the same over the alert's life, where one piece of news may be graver */
	bool repeat;                   /* may be the second copy of a message that already arrived */
	bool dry_run;
	const char *rule, *summary;    /* rule's name; its own words if it has some */
	const char *service, *environment;
	const char *verdict, *reason;  /* "fail", "evidence"; NULL for immediate rules */
	const char *kind;              /* kind of the event: "deployment", "pipeline", "push" … */
	const char *event_status;
	struct sw_finding *findings;
	size_t n_findings;
	const char *source;            /* of the event, as in sources: */
	const char *repo, *branch, *tag;
	const char *version, *sha, *prev_version, *prev_sha;
	const char *user, *author, *title;
	sw_ms deployed_at;             /* when the deployment finished; event's time else */
	sw_ms fired_at;
	const char *rollback_action, *rollback_state, *rollback_detail; /* NULL: no rollback in this rule */
	/* a person is asked about the rollback; ask NULL: nobody is (any more) */
	const char *ask;               /* id of the action, for `shipwatch approve`; the page that decides is links[SW_LINK_APPROVAL] */
	sw_ms ask_until;
	bool ask_proceeds;             /* it begins when nobody answers */
	const char *links[SW_LINK_COUNT];
	const char *ci_run_id, *watch_id;
	struct sw_commit *commits;     /* newest first */
	size_t n_commits;
	int64_t commits_total;
	const char **files;            /* changed over all these commits */
	size_t n_files;
	bool files_cut;
	struct sw_mention *mentions;
	size_t n_mentions;
	bool mention_all;
	const char **mobiles;          /* NULL or NULL-ended: the channel's own numbers, on every message */
	enum sw_locale locale;
	int tz_offset_s;               /* of fired_at, for the times in the text */
	const struct sw_tmpl *tmpl;    /* how the message is written; NULL: as usual. Of the channel, not of the alert: it is never stored */
};

/* The markup of a channel: how its renderer writes what sw_alert_text composes. */
enum sw_markup {
	SW_MARKUP_PLAIN, SW_MARKUP_DINGTALK, SW_MARKUP_WECOM,
	SW_MARKUP_FEISHU,  /* markdown of a card */
	SW_MARKUP_SLACK,   /* mrkdwn */
	SW_MARKUP_HTML,    /* one <div> a line, for e-mail */
	SW_MARKUP_COUNT
};

struct sw_buf;
/*
 * The whole message (design 4.3: severity, service, environment, verdict; conditions; versions and who; rollback; links;
 * commits and files), cut from the bottom to at most max_bytes with a tail saying how much more there was. Text from outside
 * neither mentions, nor links, nor forms markup. One line at the least: the first.
 */
void sw_alert_text(const struct sw_alert *al, enum sw_markup markup, size_t max_bytes, struct sw_buf *out);
/* The same without its first line, for channels that have a place of its own for a title. Nothing, when there is no more to say. */
void sw_alert_rest(const struct sw_alert *al, enum sw_markup markup, size_t max_bytes, struct sw_buf *out);
/* One plain line: "[critical] web/prod: fail, health is failing for 3 checks". */
void sw_alert_title(const struct sw_alert *al, size_t max_bytes, struct sw_buf *out);
/* That line as words of a markup, without emphasis. */
void sw_alert_head(const struct sw_alert *al, enum sw_markup markup, size_t max_bytes, struct sw_buf *out);
/* A link as it is put into messages: http or https, what could end it or mean something percent-encoded. False: it is none. */
bool sw_alert_url(const char *url, struct sw_buf *out);

struct sw_jw;
struct sw_jnode;
void sw_alert_write(const struct sw_alert *al, struct sw_jw *w, const char *key);
void sw_alert_read(const struct sw_jnode *node, struct sw_arena *a, struct sw_alert *ret);

#endif
