/* A report as names and values, and the JSON document of design 2.2 made of them. */
#ifndef SW_CLI_FIELDS_H
#define SW_CLI_FIELDS_H

#include "shipwatch/base.h"
#include "shipwatch/buf.h"
#include "shipwatch/err.h"
#include "shipwatch/mem.h"

#define SW_FIELDS       64   /* of one report, those of a person's own among them */
#define SW_FIELD_TEXT   1024 /* bytes of a value; longer is cut at a code point */
#define SW_FIELD_ID     255  /* of pipeline_id, job_id, job_name: the gateway takes no longer ones */
#define SW_FIELD_NAME   64   /* of a name */

struct sw_fields {
	struct sw_arena *a; /* owner of all texts */
	struct sw_field { const char *name, *value; } items[SW_FIELDS];
	size_t n;
	struct sw_field metrics[200]; /* value: a number as it is written */
	size_t n_metrics;
};

/* Sets or replaces; NULL or "" takes it out. Return: 0, or -E2BIG: there are SW_FIELDS already. */
int sw_fields_set(struct sw_fields *f, const char *name, const char *value);
void sw_fields_number(struct sw_fields *f, const char *name, double value);
/* NULL: not there. */
const char *sw_fields_get(const struct sw_fields *f, const char *name);
/*
 * "name=value" as it stands on a command line. metric: of `metrics`, a number. "name=" takes a field out. Return: 0, or -EINVAL, -E2BIG
 * with err.
 */
SW_CHECKED int sw_fields_given(struct sw_fields *f, const char *text, bool metric, struct sw_err *err);
/* ci_run_id, unless it is there: as the gateway makes it of url, repo and pipeline_id. Nothing when one of these is missing. */
void sw_fields_run_id(struct sw_fields *f);
/* The document, compact; checked by the gateway's own rules. Return: 0, or -EBADMSG with err in the gateway's words. */
SW_CHECKED int sw_fields_json(const struct sw_fields *f, struct sw_buf *out, struct sw_err *err);

#endif
