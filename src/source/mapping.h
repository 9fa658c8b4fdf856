/*
 * Mappings: any JSON to events, by what the configuration says stands where. Settings become a struct mapping when they are loaded
 * (mapping_load.c), a delivery and that become events in the worker (mapping.c). Sources `generic` and `cloudevents` share it.
 *
 *   place      a JSON Pointer (RFC 6901) from the root, or with "./" before it from the element of a list; a header; or a text;
 *              what stands around the wanted part can be cut off
 *   field      a field of the event and the places it may stand at: the first that has something
 *   condition  a place and texts, with wildcards, that have to stand there
 *   form       one kind of event: its conditions, its fields, its status
 */
#ifndef SW_SOURCE_MAPPING_H
#define SW_SOURCE_MAPPING_H

#include "base/json.h"
#include "base/yaml.h"
#include "shipwatch/plugin.h"

#define MAPPING_FORMS  64
#define MAPPING_PLACES 16          /* of one field */
#define MAPPING_NODES  200000      /* values in one body */
#define POINTER_PARTS  32

struct pointer { const char **parts; size_t n; bool of_element; };

/* Exactly one of header, pointer and value. */
struct place {
	const char *header;        /* lower case */
	const struct pointer *at;
	const char *value;
	const char *after, *after_last, *before; /* cut: where they are not there, nothing is */
};

struct places { struct place *items; size_t n; };
struct field { const struct field_row *row; struct places places; };
struct named { const char *name; struct places places; };
struct condition { struct places places; const char **is, **is_not; }; /* both NULL: something stands there */
struct status_word { const char *glob; enum sw_status status; };

struct form {
	enum sw_kind kind;
	const struct pointer *each;    /* a list: one event for each of its elements; NULL: one for the whole */
	struct condition *when;
	size_t n_when;
	struct field *fields;
	size_t n_fields;
	struct named *labels;
	size_t n_labels;
	const struct pointer *metrics; /* an object of numbers */
	const struct pointer *commits; /* a list, as GitHub, GitLab and Gitee send it */
	struct places status;          /* none: status_is stands */
	struct status_word *words;
	size_t n_words;
	enum sw_status status_is;
};

struct mapping {
	struct form own;               /* of the source itself: what all the others begin with */
	struct form *forms;
	size_t n;
	const char **headers;          /* all that are named in it, NULL-ended, lower case */
	size_t n_headers;
};

/* Its settings, one row each of the owner's table: they are read here, out of the owner's map. */
struct mapping_conf {
	const struct sw_ynode *event, *when, *each, *fields, *labels, *metrics, *commits, *status, *events;
};
#define MAPPING_KEYS(type, field)                                                                                                     \
	{ "event", SW_KEY_NODE, offsetof(type, field.event), NULL, "kind of event it makes: push, tag, pipeline, job, deployment (unless said), release, merge, report or alarm", 0, 0, NULL }, \
	{ "fields", SW_KEY_NODE, offsetof(type, field.fields), NULL, "where repo, ref, sha, env, url … stand: name and JSON Pointer", 0, 0, NULL }, \
	{ "status", SW_KEY_NODE, offsetof(type, field.status), NULL, "where the status stands (at), and which of its values are success, failed, cancelled, running, created, skipped", 0, 0, NULL }, \
	{ "when", SW_KEY_NODE, offsetof(type, field.when), NULL, "only where these hold: places and the texts (is, is_not) that have to stand there", 0, 0, NULL }, \
	{ "each", SW_KEY_NODE, offsetof(type, field.each), NULL, "pointer to a list: one event for each of its elements; pointers into those begin with ./", 0, 0, NULL }, \
	{ "labels", SW_KEY_NODE, offsetof(type, field.labels), NULL, "labels of the event: name and where its value stands", 0, 0, NULL }, \
	{ "metrics", SW_KEY_NODE, offsetof(type, field.metrics), NULL, "pointer to an object of numbers", 0, 0, NULL }, \
	{ "commits", SW_KEY_NODE, offsetof(type, field.commits), NULL, "pointer to a list of commits (id, message, timestamp, author, added, modified, removed)", 0, 0, NULL }, \
	{ "events", SW_KEY_NODE, offsetof(type, field.events), NULL, "several kinds of events: a list of maps of the settings above, which add to those of the source", 0, 0, NULL }

/*
 * The settings made ready; mistakes are told at their places. at: where the source stands. only_events: the settings of the source are
 * no form by themselves, `events` is.
 */
void sw_mapping_load(const struct mapping_conf *c, const struct sw_ynode *at, bool only_events, struct sw_arena *a, struct mapping *ret,
                     struct sw_diags *d);
/* A place or a list of places; what is no place is told. */
void sw_places_load(const struct sw_ynode *node, struct sw_arena *a, struct places *ret, struct sw_diags *d);
void sw_mapping_header(struct mapping *m, const char *name, struct sw_arena *a); /* one more that is kept */

/* The events a document makes. base: what every one of them begins with. A form that does not fit makes none. */
void sw_mapping_events(const struct mapping *m, const struct sw_request *rq, const struct sw_jnode *root, const struct sw_event *base,
                       struct sw_events *out);
/* The source's own fields and labels, where the event has none yet: for an event that was made without a form. */
void sw_mapping_fill(const struct mapping *m, const struct sw_request *rq, const struct sw_jnode *root, struct sw_arena *a, struct sw_event *ev);
/* Do its headers alone tell that it makes no event? */
bool sw_mapping_refuses(const struct mapping *m, const struct sw_request *rq);
bool sw_mapping_runs(const struct mapping *m); /* does any form tell of a run of CI? */
/* All places, joined by a line end; NULL: one of them is empty. */
const char *sw_places_joined(const struct places *p, const struct sw_request *rq, const struct sw_jnode *root, struct sw_arena *a);

/* ---- pointer.c ---- */

/* Return: 0 and *ret, or -EINVAL: it is no pointer. */
SW_CHECKED int sw_pointer_parse(const char *text, struct sw_arena *a, const struct pointer **ret);
/* NULL: nothing is there. element may be NULL. */
const struct sw_jnode *sw_pointer_find(const struct pointer *p, const struct sw_jnode *root, const struct sw_jnode *element);

/* ---- fields.c: what a mapping can fill ---- */

enum field_type { FIELD_TEXT, FIELD_LINE, FIELD_SHA, FIELD_REF, FIELD_REPO, FIELD_TIME, FIELD_NUMBER, FIELD_SECONDS, FIELD_PERCENT, FIELD_INT };
struct field_row { const char *name; enum field_type type; size_t offset; };
extern const struct field_row sw_field_rows[]; /* ends with a zero row */
/* text: not empty. What does not fit the field is left out. */
void sw_field_set(const struct field_row *row, const char *text, struct sw_arena *a, struct sw_event *ev);
bool sw_field_is_set(const struct field_row *row, const struct sw_event *ev);

#endif
