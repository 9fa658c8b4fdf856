/*
 * The configuration: shipwatch.yaml as the structs the processes work with. Text in, settings out: all mistakes at
 * once, each with its place; nothing is connected, resolved or started here. Immutable once loaded; counted, so that
 * what was begun under an old one can end under it.
 */
#ifndef SW_CONFIG_CONFIG_H
#define SW_CONFIG_CONFIG_H

#include "base/yaml.h"
#include "model/place.h"
#include "shipwatch/alert.h"
#include "shipwatch/base.h"
#include "shipwatch/mem.h"
#include "shipwatch/plugin.h"

/* Which kinds there are: the four tables of plugins.c, or a test's own. All NULL-ended. */
struct sw_plugins {
	const struct sw_source *const *sources;
	const struct sw_signal *const *signals;
	const struct sw_channel *const *channels;
	const struct sw_action *const *actions;
};

struct sw_conf_gateway {
	const char *listen;           /* "0.0.0.0:8080", "[::1]:8080", "unix:/path"; checked: host:port */
	int64_t body_max;             /* bytes, 25 MiB */
	const char **trusted_proxies; /* NULL or NULL-ended: addresses or CIDR, checked */
	bool approvals;               /* serves the pages that decide about rollbacks; hooks_url is known then */
	int64_t workers;              /* processes; 0: one per core */
	int64_t spool_max;            /* bytes, 4 GiB */
};

struct sw_conf_user {
	const char *name, *password_hash;
	int role; /* 0 viewer, 1 operator */
};
struct sw_conf_token { /* of a program, for the API */
	const char *name, *token;
	int role;
};
struct sw_conf_dashboard {
	bool set;
	const char *listen;           /* checked */
	struct sw_conf_user *users;
	size_t n_users;
	struct sw_conf_token *tokens;
	size_t n_tokens;
	int badges;                   /* 1: shown to everybody */
	sw_dur session;               /* 12 h */
	const char **trusted_proxies; /* NULL or NULL-ended, checked */
	const char *user_header, *role_header; /* lower case; NULL: none */
	const char **operators;       /* of those a proxy names; NULL or NULL-ended */
	sw_dur keep, keep_samples;    /* of the history: 90 d; of readings 14 d */
	int64_t history_max;          /* bytes, 10 GiB */
};

/* Where a source of kind redis-stream reads. */
struct sw_conf_queue {
	const char *url; /* whole, as redis_url is */
	const char *stream, *group, *as, *field;
	const char *ca_file, *cert_file, *key_file, *server_name, *sentinel_user, *sentinel_password; /* as they were said; they stand in url */
	int from; /* 0: all that is there when the group is made, 1: only what is new */
	bool remove;
};

struct sw_conf_source {
	const char *name, *kind;
	const struct sw_source *plugin;
	const struct sw_conf_queue *queue; /* NULL: it is posted to. Else plugin and conf are those of what stands in the stream */
	void *conf;          /* plugin->base.conf_size bytes, for verify and parse */
	sw_dur silent_after; /* 0: no warning */
	struct sw_api api;   /* for the commits that no push told; url NULL: is not asked */
	const char **hooks;  /* whose failed deliveries `sweep` asks for: "acme/web", "acme/web#123", "orgs/acme"; NULL: not said */
	const char *where;   /* "shipwatch.yaml:12:3" */
};

struct sw_conf_person {
	const char *name;
	const char *github, *gitlab, *gitea, *email; /* logins by which an event names them; NULL: not known */
	const char *mobile, *dingtalk, *wecom, *feishu, *slack; /* by which a channel mentions them */
};

struct sw_conf_channel {
	const char *name, *kind;
	const struct sw_channel *plugin;
	void *conf;
	const char **mention[SW_SEV_CRITICAL + 1]; /* by severity: NULL = not said, else NULL-ended: deployer, authors,
	                                              oncall, all, a person */
	const char **mobiles;                      /* NULL or NULL-ended: mentioned on every message */
	const char *fallback;                      /* name of a channel, or NULL; there are no circles */
	enum sw_locale locale;                     /* of its messages; the file's unless said */
	const struct sw_tmpl *tmpl;                /* how they are written; NULL: as usual (model/tmpl.h) */
	int64_t digest_above;                      /* 0: never */
	const char
	    *credential; /* digest of the robot's credential, 16 hex digits: channels that share a robot share it */
	const char *where;
};

struct sw_conf_action {
	const char *name, *kind;
	const struct sw_action *plugin;
	void *conf;
	bool dry_run;
	sw_dur timeout; /* after which its outcome is unknown; 30 s unless said */
	const char *where;
};

struct sw_conf_oncall { /* one of them; all NULL: nobody is on call */
	const char **people;
	const struct sw_ynode *node; /* rota: as it is written */
	const struct sw_rota *rota;  /* and as it is read (config/rota.h) */
	const char *file;            /* absolute path, read whenever it is asked */
	const char *url;
};

/* Who is on call at a moment. Lists are NULL, or NULL-ended and not empty. */
struct sw_oncall {
	const char **people;
	const char **second; /* the next in turn, who are called too from a severity on */
	int second_from;     /* that severity; above SW_SEV_CRITICAL: never */
	sw_ms until;         /* when that changes; 0: it does not, as far as is known */
	bool override;       /* an exception to the turns */
};

struct sw_conf_heartbeat {
	const char *url;
	sw_dur every;
}; /* url NULL: none */

/* Where builds go as metrics (dashboard/pusher.c). */
struct sw_conf_pushgateway {
	const char *url;           /* NULL: nowhere; no slash at the end */
	const char *user, *password, *job;
	const char **branches;     /* NULL: all; else NULL-ended globs */
	sw_dur every, timeout, forget;
};

struct sw_config {
	const char *path; /* of the file, as given; "<built in>" for text */
	const char *public_url,
	    *hooks_url; /* no slash at the end; hooks_url is public_url unless said; NULL: not known */
	enum sw_locale locale;       /* of messages, where a channel says no other */
	const char *timezone;        /* "Asia/Shanghai", "+08:00"; it exists; "UTC" unless said */
	const struct sw_zone *zone;  /* base/zone.h; NULL: UTC */
	const char *state_dir;       /* absolute, or NULL: the caller's default */
	const char *redis_url;       /* as bus/address.h reads it, with all that is said of TLS and sentinels; holds secrets; NULL: a private one */
	const char *proxy, *ca_file; /* NULL: none */
	const char **alerts;         /* NULL-ended, maybe empty: default channels */
	const char *log_url;         /* with {ci_run_id}; NULL: none */
	const char **programs;       /* NULL: not said; else NULL-ended absolute paths that exec may start */
	sw_dur stuck_after;          /* 20 min */
	bool dry_run;                /* no action starts anywhere: told what would have happened */
	struct sw_conf_gateway gateway;
	struct sw_conf_dashboard dashboard;
	struct sw_conf_source *sources;
	size_t n_sources;
	struct sw_conf_person *people;
	size_t n_people;
	struct sw_places places; /* services and environments, defaults applied */
	struct sw_conf_channel *channels;
	size_t n_channels;
	struct sw_conf_action *actions;
	size_t n_actions;
	struct sw_conf_oncall oncall;
	struct sw_maintenance *maintenance; /* windows (model/maintenance.h) */
	size_t n_maintenance;
	const char **rules; /* NULL: the shipped safe rules; else NULL-ended absolute paths of files */
	struct sw_conf_heartbeat heartbeat;
	struct sw_conf_pushgateway pushgateway;
	const char *reference; /* NULL: none */
	/* Names for the loader of rules (struct sw_rules_names); all NULL-ended. */
	const char **channel_names, **action_names, **people_names, **limit_names, **target_names;
	unsigned refs;
	struct sw_arena arena; /* everything above */
};

/*
 * Loads a file. *ret has one reference. Mistakes and warnings go to d, which must outlive nothing: texts are in
 * d->arena. Return: 0; -EINVAL when there was any error in d.
 */
SW_CHECKED int sw_config_load(const char *path, const struct sw_plugins *plugins, const struct sw_yenv *env,
                              struct sw_config **ret, struct sw_diags *d);
/*
 * The same for who wants to say all mistakes at once, those of rules too: with mistakes *ret is set as well, but only its
 * rules may be looked at.
 */
SW_CHECKED int sw_config_load_broken(const char *path, const struct sw_plugins *plugins, const struct sw_yenv *env,
                                     struct sw_config **ret, struct sw_diags *d);
/* From text; path is what mistakes are told with and what relative paths are relative to. */
SW_CHECKED int sw_config_load_text(const char *path, const char *text, size_t n, const struct sw_plugins *plugins,
                                   const struct sw_yenv *env, struct sw_config **ret, struct sw_diags *d);
struct sw_config *sw_config_get(struct sw_config *c);
struct sw_config *sw_config_put(struct sw_config *c); /* returns NULL; NULL does nothing */

/* By name; NULL: there is none. */
const struct sw_conf_source *sw_config_source(const struct sw_config *c, const char *name);
const struct sw_conf_channel *sw_config_channel(const struct sw_config *c, const char *name);
const struct sw_conf_action *sw_config_action(const struct sw_config *c, const char *name);
const struct sw_conf_person *sw_config_person(const struct sw_config *c, const char *name);
/* The source of kind report, which /ci-report is; NULL: there is none. */
const struct sw_conf_source *sw_config_report_source(const struct sw_config *c);
/*
 * Who is meant by a login of a host (source_kind "github", "gitlab", "gitea") or an e-mail address of a commit; either
 * may be NULL. NULL: nobody we know.
 */
const struct sw_conf_person *sw_config_person_of(const struct sw_config *c, const char *source_kind, const char *login,
                                                 const char *email);

/* Texts are the configuration's or in a. Reads the file if there is one; what is wrong with that goes to d, and then nobody is on call. */
void sw_config_oncall(const struct sw_config *c, sw_ms now, struct sw_arena *a, struct sw_oncall *ret, struct sw_diags *d);

struct sw_buf;
/* One line, no newline: `web/prod: GitLab acme/web environment "production"; health every 10s; rollback undo-web;
 * alerts oncall`. */
void sw_config_summary(const struct sw_config *c, const struct sw_place *p, struct sw_buf *out);
/* Seconds east of UTC of the configured zone at a moment. */
int sw_config_tz_offset(const struct sw_config *c, sw_ms now);
/* Only this machine reaches it: loopback, or a unix socket. */
bool sw_config_listen_local(const char *listen);
/* Whoever reaches the dashboard is an operator: there are neither users nor a proxy that says who it is. */
bool sw_config_dashboard_open(const struct sw_conf_dashboard *d);
/* The channels a place's alert goes to where the rule names none; NULL-ended, maybe empty. */
const char *const *sw_config_place_channels(const struct sw_config *c, const struct sw_place *p);

#endif
