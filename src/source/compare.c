/*
 * The commits between two shas by the API of a git host, for a deployment whose pushes were not seen.
 *
 * GitLab  GET /api/v4/projects/:id/repository/compare?from=&to=   docs.gitlab.com/api/repositories: commits, diffs
 * GitHub  GET /repos/:owner/:repo/compare/BASE...HEAD              docs.github.com/rest/commits: commits (at most 250), files (300)
 * Gitea   GET /api/v1/repos/:owner/:repo/compare/BASE...HEAD       /api/swagger: commits with their files
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "source/host.h"

#define COMPARE_BYTES (8U << 20) /* GitLab and GitHub send the diffs along */
#define COMPARE_FILES 1000

struct file { const char *path; };
struct compared_commit { struct raw_commit c; struct each files; };
struct compared { struct each commits, files; int64_t total; };

#define F(path, type, field) { path, type, offsetof(struct file, field), NULL, 0, 0 }
#define C(path, type, field) { path, type, offsetof(struct compared_commit, c.field), NULL, 0, 0 }
#define FILES(path, owner, rows) { path, T_EACH, offsetof(owner, files), rows, sizeof(struct file), COMPARE_FILES }
#define COMMITS(rows) { "commits", T_EACH, offsetof(struct compared, commits), rows, sizeof(struct compared_commit), 1000 }

static const struct row filename_rows[] = { F("filename", T_TEXT, path), { 0 } };
static const struct row diff_rows[] = { F("old_path", T_TEXT, path), F("new_path", T_TEXT, path), { 0 } };
static const struct row git_commit_rows[] = {
	C("sha", T_SHA, sha), C("commit.message", T_LINE, title), C("commit.author.name", T_TEXT, author), C("commit.author.email", T_TEXT, author_email),
	C("commit.committer.date", T_TIME, at), C("author.login", T_TEXT, author_login), C("html_url", T_TEXT, url),
	FILES("files", struct compared_commit, filename_rows), { 0 },
};
static const struct row gitlab_commit_rows[] = {
	C("id", T_SHA, sha), C("title", T_LINE, title), C("author_name", T_TEXT, author), C("author_email", T_TEXT, author_email),
	C("committed_date", T_TIME, at), C("web_url", T_TEXT, url), { 0 },
};
static const struct row git_rows[] = {
	COMMITS(git_commit_rows), FILES("files", struct compared, filename_rows),
	{ "total_commits", T_INT, offsetof(struct compared, total), NULL, 0, 0 }, { 0 },
};
static const struct row gitlab_rows[] = { COMMITS(gitlab_commit_rows), FILES("diffs", struct compared, diff_rows), { 0 } };

static void encoded(struct sw_buf *b, const char *s) { sw_pct_encode(b, s, strlen(s)); }

/* The API's address without slashes at its end. */
static void compare_base(struct sw_buf *b, const char *url)
{
	size_t n = strlen(url);

	while (n && url[n - 1] == '/')
		n--;
	sw_buf_catn(b, url, n);
}

static bool compare_sha(const char *s)
{
	size_t n = s ? strlen(s) : 0;

	return n >= 7 && n <= 64 && strspn(s, "0123456789abcdefABCDEF") == n;
}

static int compare_begin(const char *repo, const char *from, const char *to, struct sw_job *ret, struct sw_err *err)
{
	if (!repo || !*repo || !compare_sha(from) || !compare_sha(to))
		return sw_err_set(err, EINVAL, "want a repository and two shas");
	*ret = (struct sw_job){ .kind = SW_JOB_HTTP, .method = "GET", .response_max = COMPARE_BYTES };
	return 0;
}

int sw_compare_gitlab(const struct sw_api *api, const char *repo, const char *from, const char *to, struct sw_arena *a, struct sw_job *ret,
                      struct sw_err *err)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	int r = compare_begin(repo, from, to, ret, err);

	if (r < 0)
		return r;
	compare_base(&b, api->url);
	sw_buf_cat(&b, "/api/v4/projects/");
	encoded(&b, repo);
	sw_buf_printf(&b, "/repository/compare?from=%s&to=%s", from, to);
	ret->url = sw_arena_strdup(a, sw_buf_str(&b));
	sw_job_header(ret, "Accept", "application/json");
	if (api->token)
		sw_job_header(ret, "PRIVATE-TOKEN", api->token);
	return 0;
}

static int compare_git(const struct sw_api *api, const char *path, const char *authorization, const char *repo, const char *from, const char *to,
                       struct sw_arena *a, struct sw_job *ret, struct sw_err *err)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	int r = compare_begin(repo, from, to, ret, err);
	const char *slash = repo ? strchr(repo, '/') : NULL;

	if (r == 0 && (!slash || strchr(slash + 1, '/')))
		r = sw_err_set(err, EINVAL, "want owner/name");
	if (r < 0)
		return r;
	compare_base(&b, api->url);
	sw_buf_cat(&b, path);
	sw_pct_encode(&b, repo, (size_t)(slash - repo));
	sw_buf_putc(&b, '/');
	encoded(&b, slash + 1);
	sw_buf_printf(&b, "/compare/%s...%s", from, to);
	ret->url = sw_arena_strdup(a, sw_buf_str(&b));
	if (api->token)
		sw_job_header(ret, "Authorization", sw_arena_printf(a, "%s %s", authorization, api->token));
	return 0;
}

int sw_compare_github(const struct sw_api *api, const char *repo, const char *from, const char *to, struct sw_arena *a, struct sw_job *ret,
                      struct sw_err *err)
{
	int r = compare_git(api, "/repos/", "Bearer", repo, from, to, a, ret, err);

	if (r < 0)
		return r;
	sw_job_header(ret, "Accept", "application/vnd.github+json");
	sw_job_header(ret, "X-GitHub-Api-Version", "2022-11-28");
	return 0;
}

int sw_compare_gitea(const struct sw_api *api, const char *repo, const char *from, const char *to, struct sw_arena *a, struct sw_job *ret,
                     struct sw_err *err)
{
	int r = compare_git(api, "/api/v1/repos/", "token", repo, from, to, a, ret, err);

	if (r < 0)
		return r;
	sw_job_header(ret, "Accept", "application/json");
	return 0;
}

/* ---- the answer ---- */

static int newest_first(const void *x, const void *y)
{
	const struct compared_commit *a = x, *b = y;

	return a->c.at < b->c.at ? 1 : a->c.at > b->c.at ? -1 : 0;
}

static void add_files(struct sw_alert *al, const struct each *files)
{
	const struct file *list = files->items;

	al->files_cut |= files->cut;
	for (size_t i = 0; i < files->n; i++) {
		bool known = !list[i].path;

		for (size_t k = 0; k < al->n_files && !known; k++)
			known = strcmp(al->files[k], list[i].path) == 0;
		if (known)
			continue;
		if (al->n_files == SW_EVENT_FILES) {
			al->files_cut = true;
			return;
		}
		al->files[al->n_files++] = list[i].path;
	}
}

static int compare_read(const struct row *rows, const struct sw_result *res, struct sw_arena *a, struct sw_alert *al, struct sw_err *err)
{
	const struct row *lists[] = { rows, NULL };
	struct compared got = { 0 };
	struct compared_commit *list;
	int r;

	if (res->fault != SW_FAULT_NONE)
		return sw_err_set(err, EIO, "%s", res->detail ? res->detail : "no answer");
	if (res->status != 200)
		return sw_err_set(err, EIO, "HTTP %d", res->status);
	if (res->body_cut)
		return sw_err_set(err, EFBIG, "an answer of more than %u MiB", COMPARE_BYTES >> 20);
	r = sw_table_read(lists, res->body, res->body_n, a, &got, err);
	if (r < 0)
		return r;
	list = got.commits.items;
	if (got.commits.n > 1) { /* the hosts differ in their order; of one second: as they came, oldest first */
		for (size_t i = 0, k = got.commits.n - 1; i < k; i++, k--) {
			struct compared_commit x = list[i];

			list[i] = list[k];
			list[k] = x;
		}
		qsort(list, got.commits.n, sizeof *list, newest_first);
	}
	al->commits = SW_ARENA_ARRAY(a, struct sw_commit, SW_EVENT_COMMITS);
	al->files = SW_ARENA_ARRAY(a, const char *, SW_EVENT_FILES);
	al->n_commits = al->n_files = 0;
	al->files_cut = got.commits.cut;
	al->commits_total = SW_MAX(got.total, (int64_t)got.commits.n);
	add_files(al, &got.files);
	for (size_t i = 0; i < got.commits.n; i++) {
		const struct raw_commit *c = &list[i].c;

		if (!c->sha)
			continue;
		add_files(al, &list[i].files);
		if (al->n_commits < SW_EVENT_COMMITS)
			al->commits[al->n_commits++] = (struct sw_commit){ .sha = c->sha, .title = c->title, .url = c->url, .at = c->at,
				.author = c->author ? c->author : c->author_login, .author_email = c->author_email };
	}
	return 0;
}

int sw_compared_git(const struct sw_result *res, struct sw_arena *a, struct sw_alert *al, struct sw_err *err)
{
	return compare_read(git_rows, res, a, al, err);
}

int sw_compared_gitlab(const struct sw_result *res, struct sw_arena *a, struct sw_alert *al, struct sw_err *err)
{
	return compare_read(gitlab_rows, res, a, al, err);
}
