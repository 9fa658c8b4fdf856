/* What a CI system puts into the environment of its jobs, as fields of a report. */
#ifndef SW_CLI_CI_ENV_H
#define SW_CLI_CI_ENV_H

#include "cli/fields.h"

/* Where variables are looked up: getenv, or a table of a test. NULL: not set. */
typedef const char *(*sw_ci_get)(const char *name);

struct sw_ci;
/* "gitlab", "github", "gitea", "jenkins", NULL-ended. */
extern const char *const sw_ci_names[];

/* The system this runs under; NULL: none that is known. */
const struct sw_ci *sw_ci_detect(sw_ci_get get);
/* By its place in sw_ci_names. */
const struct sw_ci *sw_ci_at(int i);
const char *sw_ci_name(const struct sw_ci *ci);
/* Sets every field its environment tells of. */
void sw_ci_fill(const struct sw_ci *ci, sw_ci_get get, struct sw_fields *f);

#endif
