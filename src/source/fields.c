/* What a mapping can fill: the fields of an event by their names, and how a text becomes one of them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "shipwatch/clock.h"
#include "source/host.h"
#include "source/mapping.h"

#define LARGEST 1000000000000.0 /* of a number: more is no length of time and no size of a job */

#define T(name, type, field) { name, type, offsetof(struct sw_event, field) }

const struct field_row sw_field_rows[] = {
	T("repo", FIELD_REPO, repo), T("repo_url", FIELD_TEXT, repo_url), T("host", FIELD_TEXT, host), T("default_branch", FIELD_TEXT, default_branch),
	T("ref", FIELD_REF, ref), T("branch", FIELD_TEXT, branch), T("tag", FIELD_TEXT, tag), T("sha", FIELD_SHA, sha), T("before", FIELD_SHA, before),
	T("version", FIELD_TEXT, version), T("env", FIELD_TEXT, environment), T("env_action", FIELD_TEXT, env_action), T("env_tier", FIELD_TEXT, env_tier),
	T("env_url", FIELD_TEXT, env_url), T("service", FIELD_TEXT, service), T("deployment_id", FIELD_TEXT, deployment_id), T("job_id", FIELD_TEXT, job_id),
	T("pipeline_id", FIELD_TEXT, pipeline_id), T("id", FIELD_TEXT, report_id), T("alarm_id", FIELD_TEXT, alarm_id),
	T("ci_run_id", FIELD_TEXT, ci_run_id), T("rollback_id", FIELD_TEXT, rollback_id), T("attempt", FIELD_INT, attempt), T("exit_code", FIELD_INT, exit_code),
	T("pipeline_source", FIELD_TEXT, pipeline_source), T("pipeline_name", FIELD_TEXT, pipeline_name), T("workflow", FIELD_TEXT, workflow),
	T("job_name", FIELD_TEXT, job_name), T("job_stage", FIELD_TEXT, job_stage), T("target_branch", FIELD_TEXT, target_branch),
	T("failure_reason", FIELD_LINE, failure_reason), T("user", FIELD_TEXT, user), T("user_name", FIELD_TEXT, user_name), T("author", FIELD_TEXT, author),
	T("author_email", FIELD_TEXT, author_email), T("title", FIELD_LINE, title), T("url", FIELD_TEXT, url), T("compare_url", FIELD_TEXT, compare_url),
	T("action", FIELD_TEXT, action), T("at", FIELD_TIME, at), T("created_at", FIELD_TIME, created_at), T("started_at", FIELD_TIME, started_at),
	T("finished_at", FIELD_TIME, finished_at), T("duration_ms", FIELD_NUMBER, duration_ms), T("duration_s", FIELD_SECONDS, duration_ms),
	T("queued_ms", FIELD_NUMBER, queued_ms), T("coverage_pct", FIELD_PERCENT, coverage), { NULL, FIELD_TEXT, 0 },
};
#undef T

static bool number(const char *text, double *ret)
{
	char *end;
	double d = strtod(text, &end);

	if (end == text || *end || !isfinite(d) || d < 0 || d > LARGEST)
		return false;
	*ret = d;
	return true;
}

static const char *sha(const char *text, struct sw_arena *a)
{
	size_t n = strlen(text);
	char *s;

	if (n < 7 || n > 64 || text[strspn(text, "0123456789abcdefABCDEF")] || !text[strspn(text, "0")])
		return NULL;
	s = sw_arena_strdup(a, text);
	for (char *p = s; *p; p++)
		if (*p >= 'A' && *p <= 'F')
			*p |= 32;
	return s;
}

/* "https://git.example.com/acme/web.git", "git@git.example.com:acme/web.git", "acme/web": the path, and the host where it is told. */
static void repo(const char *text, struct sw_arena *a, struct sw_event *ev)
{
	const char *scheme = strstr(text, "://"), *at = strchr(text, '@'), *colon = at ? strchr(at, ':') : NULL, *path = text;
	size_t n;

	if (scheme) {
		path = strchr(scheme + 3, '/');
		path = path ? path : "";
		if (!ev->host)
			ev->host = sw_host_of_url(a, text);
	} else if (colon && !memchr(text, '/', (size_t)(colon - text))) {
		path = colon + 1;
		if (!ev->host)
			ev->host = sw_arena_strndup(a, at + 1, (size_t)(colon - at) - 1);
	}
	path += strspn(path, "/");
	n = strcspn(path, "?#");
	while (n && path[n - 1] == '/')
		n--;
	if (n > 4 && memcmp(path + n - 4, ".git", 4) == 0)
		n -= 4;
	if (n)
		ev->repo = sw_arena_strndup(a, path, n);
}

static void set_int(const char *text, int *ret)
{
	char *end;
	long v = strtol(text, &end, 10);

	if (end != text && !*end && v >= -1000000 && v <= 1000000)
		*ret = (int)v;
}

void sw_field_set(const struct field_row *row, const char *text, struct sw_arena *a, struct sw_event *ev)
{
	void *p = (char *)ev + row->offset;
	const char *s;
	sw_ms at;
	double d;

	switch (row->type) {
	case FIELD_TEXT:
	case FIELD_REF: *(const char **)p = text; break;
	case FIELD_LINE:
		s = sw_arena_strndup(a, text, strcspn(text, "\r\n"));
		if (*s)
			*(const char **)p = s;
		break;
	case FIELD_SHA:
		s = sha(text, a);
		if (s)
			*(const char **)p = s;
		break;
	case FIELD_REPO: repo(text, a, ev); break;
	case FIELD_TIME:
		if (sw_time_parse(text, &at) == 0 && at > 0)
			*(sw_ms *)p = at;
		break;
	case FIELD_NUMBER:
	case FIELD_SECONDS:
		if (number(text, &d))
			*(double *)p = row->type == FIELD_SECONDS ? d * 1000 : d;
		break;
	case FIELD_PERCENT:
		if (number(text, &d) && d <= 100)
			*(double *)p = d / 100;
		break;
	case FIELD_INT: set_int(text, p); break;
	}
}

bool sw_field_is_set(const struct field_row *row, const struct sw_event *ev)
{
	const void *p = (const char *)ev + row->offset;

	switch (row->type) {
	case FIELD_TEXT:
	case FIELD_LINE:
	case FIELD_SHA:
	case FIELD_REF:
	case FIELD_REPO: return *(const char *const *)p != NULL;
	case FIELD_TIME: return *(const sw_ms *)p != 0;
	case FIELD_NUMBER:
	case FIELD_SECONDS:
	case FIELD_PERCENT: return *(const double *)p >= 0;
	case FIELD_INT: return *(const int *)p > 0;
	}
	return false;
}
