/* A decision to act as JSON and as environment. */
#include "action/act_json.h"

#include <string.h>

#include "base/json.h"
#include "base/str.h"

#define ENV_MAX 4096 /* bytes of one value */

struct field {
	const char *name, *env;
	size_t offset;
};
#define FIELD(f, env)                                                                                                  \
	{                                                                                                              \
#f, "SW_" env, offsetof(struct sw_act, f)                                                              \
	}
static const struct field fields[] = {
	FIELD(id, "ID"),
	FIELD(action, "ACTION"),
	FIELD(service, "SERVICE"),
	FIELD(environment, "ENVIRONMENT"),
	FIELD(tier, "TIER"),
	FIELD(repo, "REPO"),
	FIELD(branch, "BRANCH"),
	FIELD(tag, "TAG"),
	FIELD(sha, "SHA"),
	FIELD(version, "VERSION"),
	FIELD(job_id, "JOB_ID"),
	FIELD(pipeline_id, "PIPELINE_ID"),
	FIELD(prev_sha, "PREV_SHA"),
	FIELD(prev_version, "PREV_VERSION"),
	FIELD(last_good_sha, "LAST_GOOD_SHA"),
	FIELD(last_good_version, "LAST_GOOD_VERSION"),
	FIELD(last_good_repo, "LAST_GOOD_REPO"),
	FIELD(last_good_environment, "LAST_GOOD_ENVIRONMENT"),
	FIELD(last_good_job_id, "LAST_GOOD_JOB_ID"),
	FIELD(last_good_pipeline_id, "LAST_GOOD_PIPELINE_ID"),
	FIELD(last_good_deployment_id, "LAST_GOOD_DEPLOYMENT_ID"),
	FIELD(last_good_url, "LAST_GOOD_URL"),
	FIELD(rule, "RULE"),
	FIELD(verdict, "VERDICT"),
	FIELD(reason, "REASON"),
	FIELD(user, "USER"),
	FIELD(url, "URL"),
	FIELD(ci_run_id, "CI_RUN_ID"),
	FIELD(watch_id, "WATCH_ID"),
	FIELD(deployment_id, "DEPLOYMENT_ID"),
};

static const char *field_of(const struct sw_act *act, const struct field *f)
{
	return *(const char *const *)(const void *)((const char *)act + f->offset);
}

void sw_act_json(const struct sw_act *act, struct sw_buf *out)
{
	struct sw_jw w;

	sw_jw_init(&w, out);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "format", "1");
	for (size_t i = 0; i < SW_COUNT(fields); i++) {
		if (fields[i].offset == offsetof(struct sw_act, last_good_sha))
			sw_jw_str(&w, fields[i].name, field_of(act, &fields[i])); /* null says: none is known */
		else
			sw_jw_opt(&w, fields[i].name, field_of(act, &fields[i]));
	}
	if (act->alert)
		sw_alert_write(act->alert, &w, "alert");
	sw_jw_obj_end(&w);
}

void sw_act_read(const struct sw_jnode *node, struct sw_arena *a, struct sw_act *ret)
{
	const struct sw_jnode *al = sw_jget(node, "alert");
	struct sw_alert *alert;

	memset(ret, 0, sizeof *ret);
	for (size_t i = 0; i < SW_COUNT(fields); i++)
		*(const char **)(void *)((char *)ret + fields[i].offset) = sw_jstr(node, fields[i].name);
	if (!al || al->type != SW_J_OBJECT)
		return;
	alert = SW_ARENA_NEW(a, struct sw_alert);
	sw_alert_read(al, a, alert);
	ret->alert = alert;
}

const char **sw_act_env(const struct sw_act *act, struct sw_arena *a)
{
	const char **env = SW_ARENA_ARRAY(a, const char *, SW_COUNT(fields) + 1);
	size_t n = 0;

	for (size_t i = 0; i < SW_COUNT(fields); i++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
		const char *v = field_of(act, &fields[i]);

		if (!v)
			continue;
		sw_utf8_clean(&b, v, sw_utf8_cut(v, strlen(v), ENV_MAX), true);
		env[n++] = sw_arena_printf(a, "%s=%s", fields[i].env, sw_buf_str(&b));
	}
	return env;
}
