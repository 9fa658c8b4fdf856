/*
 * CI systems: one table each from the variables their manuals promise to the fields of a report, with a little code for what is not said
 * directly. `repo`, `pipeline_id` and the host of `url` come out as the same host's webhooks say them, so that one ci_run_id finds both.
 *
 * GitLab: "Predefined CI/CD variables". GitHub: "Default environment variables". Gitea and Forgejo set GitHub's names and one of their
 * own. Jenkins: "Using environment variables", and those of the Git and multibranch plug-ins.
 */
#include "cli/ci_env.h"

#include <string.h>

#include "base/str.h"

/* Makes the field's text of the variable's; NULL: nothing. */
typedef const char *(*fix_fn)(const char *value, sw_ci_get get, struct sw_arena *a);

/* Of several rows for one field the first that gives something counts. */
struct row { const char *field, *variable; fix_fn fix; };

struct sw_ci {
	const char *name;
	const char *marks[3]; /* variables; one of them set (and not "false") says that it is this one */
	const struct row *rows;
};

static const char *variable(sw_ci_get get, const char *name)
{
	const char *v = get(name);

	return v && *v ? v : NULL;
}

static const char *fix_positive(const char *value, sw_ci_get get, struct sw_arena *a)
{
	return strspn(value, "0123456789") == strlen(value) && strspn(value, "0") < strlen(value) && strlen(value) < 7 ? value : NULL;
}

/* ---- GitLab ---- */

/* A job that only prepares, checks or stops an environment deploys nothing. */
static const char *gitlab_environment(const char *value, sw_ci_get get, struct sw_arena *a)
{
	const char *action = variable(get, "CI_ENVIRONMENT_ACTION");

	return !action || strcmp(action, "start") == 0 ? value : NULL;
}

/* Known in after_script only; "running" says nothing yet. */
static const char *gitlab_exit(const char *value, sw_ci_get get, struct sw_arena *a)
{
	return strcmp(value, "success") == 0 ? "0" : strcmp(value, "failed") == 0 ? "1" : strcmp(value, "canceled") == 0 ? "143" : NULL;
}

static const char *gitlab_cancelled(const char *value, sw_ci_get get, struct sw_arena *a)
{
	return strcmp(value, "canceled") == 0 ? "true" : NULL;
}

static const struct row gitlab_rows[] = {
	{ "pipeline_id", "CI_PIPELINE_ID", NULL },
	{ "job_id", "CI_JOB_ID", NULL },
	{ "job_name", "CI_JOB_NAME", NULL },
	{ "exit_code", "CI_JOB_STATUS", gitlab_exit },
	{ "cancelled", "CI_JOB_STATUS", gitlab_cancelled },
	{ "started_at", "CI_JOB_STARTED_AT", NULL },
	{ "repo", "CI_PROJECT_PATH", NULL },
	{ "ref", "CI_MERGE_REQUEST_REF_PATH", NULL },
	{ "branch", "CI_COMMIT_BRANCH", NULL },
	{ "tag", "CI_COMMIT_TAG", NULL },
	{ "sha", "CI_COMMIT_SHA", NULL },
	{ "author", "GITLAB_USER_LOGIN", NULL },
	{ "url", "CI_JOB_URL", NULL },
	{ "environment", "CI_ENVIRONMENT_NAME", gitlab_environment },
	{ 0 },
};

/* ---- GitHub Actions, Gitea and Forgejo Actions ---- */

static const char *run_url(const char *server, const char *number, sw_ci_get get, struct sw_arena *a)
{
	const char *repo = variable(get, "GITHUB_REPOSITORY");
	size_t n = strlen(server);

	while (n && server[n - 1] == '/') /* Gitea's has one at its end */
		n--;
	return repo && number ? sw_arena_printf(a, "%.*s/%s/actions/runs/%s", (int)n, server, repo, number) : NULL;
}

static const char *github_url(const char *value, sw_ci_get get, struct sw_arena *a)
{
	return run_url(value, variable(get, "GITHUB_RUN_ID"), get, a);
}

/* Gitea's and Forgejo's pages are called by the run's number in its repository, their webhooks name its id. */
static const char *gitea_url(const char *value, sw_ci_get get, struct sw_arena *a)
{
	const char *number = variable(get, "GITHUB_RUN_NUMBER");

	return run_url(value, number ? number : variable(get, "GITHUB_RUN_ID"), get, a);
}

#define ACTIONS_ROWS                                                                                                   \
	{ "pipeline_id", "GITHUB_RUN_ID", NULL }, { "attempt", "GITHUB_RUN_ATTEMPT", fix_positive }, { "job_name", "GITHUB_JOB", NULL },        \
	{ "repo", "GITHUB_REPOSITORY", NULL }, { "ref", "GITHUB_REF", NULL }, { "sha", "GITHUB_SHA", NULL },                                    \
	{ "author", "GITHUB_TRIGGERING_ACTOR", NULL }, { "author", "GITHUB_ACTOR", NULL }

static const struct row github_rows[] = { ACTIONS_ROWS, { "url", "GITHUB_SERVER_URL", github_url }, { 0 } };
static const struct row gitea_rows[] = { ACTIONS_ROWS, { "url", "GITHUB_SERVER_URL", gitea_url }, { 0 } };

/* ---- Jenkins ---- */

/* "https://user@host/acme/web.git", "ssh://git@host:22/acme/web", "git@host:acme/web.git": the path, as hosts name the repository. */
static const char *jenkins_repo(const char *value, sw_ci_get get, struct sw_arena *a)
{
	const char *p = strstr(value, "://");
	size_t n;

	p = p ? strchr(p + 3, '/') : strchr(value, ':');
	if (!p)
		return NULL;
	while (*p == '/' || *p == ':')
		p++;
	n = strlen(p);
	while (n && p[n - 1] == '/')
		n--;
	if (n > 4 && strncmp(p + n - 4, ".git", 4) == 0)
		n -= 4;
	return n ? sw_arena_strndup(a, p, n) : NULL;
}

/* BRANCH_NAME of a multibranch job is also the name of a change request ("PR-12") or of a tag. */
static const char *jenkins_branch(const char *value, sw_ci_get get, struct sw_arena *a)
{
	return variable(get, "CHANGE_ID") || variable(get, "TAG_NAME") || strcmp(value, "detached") == 0 ? NULL : value;
}

/* "origin/main": the remote's name is Jenkins's own. */
static const char *jenkins_remote(const char *value, sw_ci_get get, struct sw_arena *a)
{
	return jenkins_branch(sw_starts(value, "origin/") ? value + strlen("origin/") : value, get, a);
}

/* BUILD_TAG is jenkins-<job>-<number>, slashes made dashes: BUILD_NUMBER alone is another build in each job of a repository. */
static const struct row jenkins_rows[] = {
	{ "pipeline_id", "BUILD_TAG", NULL },
	{ "job_name", "JOB_NAME", NULL },
	{ "repo", "GIT_URL", jenkins_repo },
	{ "tag", "TAG_NAME", NULL },
	{ "branch", "BRANCH_NAME", jenkins_branch },
	{ "branch", "GIT_LOCAL_BRANCH", jenkins_branch },
	{ "branch", "GIT_BRANCH", jenkins_remote },
	{ "sha", "GIT_COMMIT", NULL },
	{ "author", "CHANGE_AUTHOR", NULL },
	{ "url", "BUILD_URL", NULL },
	{ 0 },
};

/* ---- which ---- */

/* Gitea and Forgejo say that they are GitHub too: they come first. */
static const struct sw_ci systems[] = {
	{ "gitlab", { "GITLAB_CI" }, gitlab_rows },
	{ "gitea", { "GITEA_ACTIONS", "FORGEJO_ACTIONS" }, gitea_rows },
	{ "github", { "GITHUB_ACTIONS" }, github_rows },
	{ "jenkins", { "JENKINS_URL", "JENKINS_HOME" }, jenkins_rows },
};
const char *const sw_ci_names[] = { "gitlab", "gitea", "github", "jenkins", NULL };

const struct sw_ci *sw_ci_detect(sw_ci_get get)
{
	for (size_t i = 0; i < SW_COUNT(systems); i++)
		for (size_t k = 0; k < SW_COUNT(systems[i].marks) && systems[i].marks[k]; k++) {
			const char *v = variable(get, systems[i].marks[k]);

			if (v && strcmp(v, "false") != 0)
				return &systems[i];
		}
	return NULL;
}

const struct sw_ci *sw_ci_at(int i)
{
	return &systems[i];
}

const char *sw_ci_name(const struct sw_ci *ci)
{
	return ci->name;
}

void sw_ci_fill(const struct sw_ci *ci, sw_ci_get get, struct sw_fields *f)
{
	for (const struct row *r = ci->rows; r->field; r++) {
		const char *v = variable(get, r->variable);

		if (v && r->fix)
			v = r->fix(v, get, f->a);
		if (v && !sw_fields_get(f, r->field))
			(void)sw_fields_set(f, r->field, v);
	}
}
