/* What the files of the configuration share while one is being loaded; nobody else includes it. */
#ifndef SW_CONFIG_PARTS_H
#define SW_CONFIG_PARTS_H

#include "base/yaml.h"
#include "config/config.h"
#include "shipwatch/key.h"

struct config_load {
	struct sw_config *c;
	struct sw_arena *a; /* the configuration's */
	struct sw_diags *d;
	const struct sw_plugins *plugins;
	const char *dir;                                              /* absolute folder of the file, "/" at the end */
	const struct sw_ynode *sources, *people, *channels, *actions; /* the maps, or NULL: what references may name */
};

/* ---- config.c: small tools ---- */

/* The children of a map of named things: NULL (and a mistake told) when it is none. */
const struct sw_ynode *config_map(struct config_load *l, const struct sw_ynode *node, const char *what);
/* A name people, paths and keys can bear: letters, digits, '.', '_', '-' and what is not ASCII; told if it is not. */
bool config_name_ok(struct config_load *l, const struct sw_ynode *named, const char *what);
/* Is name a key of map? Tells it with a suggestion if not. what: "channel". */
bool config_known(struct config_load *l, const struct sw_ynode *at, const char *name, const struct sw_ynode *map,
                  const char *what);
/* The same for each text of a list node (or one text); at gives the places. */
void config_known_all(struct config_load *l, const struct sw_ynode *list, const struct sw_ynode *map, const char *what);
const char *config_where(struct config_load *l, const struct sw_ynode *at);
/* Absolute, relative to the folder of the file. */
const char *config_path(struct config_load *l, const char *path);
/* A time zone by its name or offset; what is wrong with it is told at `at`. NULL: UTC. */
const struct sw_zone *config_zone(struct config_load *l, const struct sw_ynode *at, const char *name);
/* The names of a map's children, NULL-ended. */
const char **config_names(struct config_load *l, const struct sw_ynode *map);
/* Adds to a NULL-ended list what is not in it; *n is its length, the list has room. */
void config_names_add(const char **list, size_t *n, const char *name);
/*
 * The kind of a source, channel or action: `kind:`, else otherwise (NULL: it must be said). Tells what is unknown and
 * what is of a later version (NULL-ended names). plugins: an array of n_plugins tables behind get. Return: index of the
 * plug-in, or -1.
 */
int config_kind(struct config_load *l, const struct sw_ynode *node, const char *otherwise, const char *what,
                const struct sw_plugin *const *plugins, const char *const *later, const char **ret_kind);

/* ---- the parts ---- */

void config_sources(struct config_load *l); /* sources.c */
/* queue.c: sources of kind redis-stream; what they read is known when all sources are. */
extern const struct sw_plugin config_queue_plugin;
void config_queue_read(struct config_load *l, const struct sw_ynode *node, const char *const *skip, struct sw_conf_source *s);
void config_queue_resolve(struct config_load *l, struct sw_conf_source *s);
void config_people(struct config_load *l);  /* sources.c */
void config_services(struct config_load *l, const struct sw_ynode *services,
                     const struct sw_ynode *defaults);                     /* services.c */
/* One level over the outer one that stands in conf; an address alone is the url, null turns it off; node NULL: nothing is said. */
void config_measure(struct config_load *l, const struct sw_ynode *node, bool scrape, struct sw_measure_conf *conf); /* measures.c */
void config_channels(struct config_load *l);                               /* outputs.c */
/* templates.c: how a channel's messages are written, `template:`; NULL: as usual, or a mistake was told. */
const struct sw_tmpl *config_template(struct config_load *l, const struct sw_ynode *node, enum sw_locale locale);
void config_actions(struct config_load *l);                                /* outputs.c */
void config_reach(struct config_load *l);                                  /* reach.c, when all the others are read */
void config_oncall(struct config_load *l, const struct sw_ynode *node);    /* oncall.c */
void config_gateway(struct config_load *l, const struct sw_ynode *node);   /* server.c */
void config_dashboard(struct config_load *l, const struct sw_ynode *node); /* dashboard.c */
/* server.c: "listen" of node is told when it is no address; is it an address or a network in CIDR form? */
void config_listen(struct config_load *l, const struct sw_ynode *node, const char *listen);
bool config_is_cidr(const char *s);
/* A whole number of n digits that is not above max; -1 if it is none. */
int config_number(const char *s, size_t n, int max);
void config_redis(struct config_load *l, const struct sw_ynode *node);     /* redis.c */
void config_pushgateway(struct config_load *l, const struct sw_ynode *node); /* forward.c */
/* redis.c: the url that stands at `at` and what node (a map, or NULL) says beside it, as one address with all of it; NULL: what is wrong was told. */
struct config_redis_conf { const char *url, *ca_file, *cert_file, *key_file, *server_name, *sentinel_user, *sentinel_password; };
const char *config_redis_url(struct config_load *l, const struct sw_ynode *node, const struct sw_ynode *at, struct config_redis_conf *r);
void config_rules(struct config_load *l, const struct sw_ynode *node);     /* files.c */

#endif
