/*
 * Deliveries that failed, asked of a git host, and sent again by it (inbound-events.md 1.3, 2.3).
 *
 * GitHub  GET  /repos/:owner/:repo/hooks/:id/deliveries              newest first, Link: <…cursor=…>; rel="next"
 *         POST /repos/:owner/:repo/hooks/:id/deliveries/:id/attempts  202; of an organisation /orgs/:org/hooks/…
 * GitLab  GET  /api/v4/projects/:id/hooks/:id/events                  newest first, X-Next-Page
 *         POST /api/v4/projects/:id/hooks/:id/events/:id/resend        5 a minute and hook; of a group /groups/:id/hooks/…
 *
 * What tells an event from its tries: GitHub's guid, GitLab's Idempotency-Key; both are the same again when it is resent.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "source/host.h"

#define ANSWER_BYTES (64U << 20) /* GitLab lists whole bodies */
#define PAGE_ITEMS   500

struct item { struct sw_tried t; const char *status; int64_t code; };
struct hook { const char *id, *url; };
struct list { struct each items; };

#define I(path, type, field) { path, type, offsetof(struct item, field), NULL, 0, 0 }
#define H(path, field) { path, T_TEXT, offsetof(struct hook, field), NULL, 0, 0 }

static const struct row github_try_rows[] = {
	I("id", T_TEXT, t.id), I("guid", T_TEXT, t.event), I("event", T_TEXT, t.what), I("delivered_at", T_TIME, t.at), I("status", T_TEXT, status),
	I("status_code", T_INT, code), { 0 },
};
static const struct row gitlab_try_rows[] = {
	I("id", T_TEXT, t.id), I("request_headers.Idempotency-Key", T_TEXT, t.event), I("trigger", T_TEXT, t.what), I("created_at", T_TIME, t.at),
	I("response_status", T_TEXT, status), { 0 },
};
static const struct row github_hook_rows[] = { H("id", id), H("config.url", url), { 0 } };
static const struct row gitlab_hook_rows[] = { H("id", id), H("url", url), { 0 } };

static bool digits(const char *s)
{
	return s && *s && strlen(s) <= 20 && !s[strspn(s, "0123456789")];
}

static void base(struct sw_buf *b, const char *url)
{
	size_t n = strlen(url);

	while (n && url[n - 1] == '/')
		n--;
	sw_buf_catn(b, url, n);
}

static void encoded(struct sw_buf *b, const char *s, size_t n)
{
	sw_pct_encode(b, s, n);
}

static void begin(struct sw_job *job, const char *method, const struct sw_buf *url, struct sw_arena *a)
{
	*job = (struct sw_job){ .kind = SW_JOB_HTTP, .method = method, .url = sw_arena_strdup(a, sw_buf_str(url)), .response_max = ANSWER_BYTES,
		.timeout = 30 * SW_SECOND, .body = "" };
}

/* A list at the root, as the only member of an object: the tables begin there. */
static int list_read(const struct sw_result *res, const struct row *rows, size_t size, struct sw_arena *a, struct each *ret, struct sw_err *err)
{
	const struct row root[] = { { "items", T_EACH, offsetof(struct list, items), rows, size, PAGE_ITEMS }, { 0 } };
	const struct row *lists[] = { root, NULL };
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct list l = { 0 };
	int r;

	if (res->body_cut)
		return sw_err_set(err, EFBIG, "an answer of more than %u MiB", ANSWER_BYTES >> 20);
	if (res->body[strspn(res->body, " \t\r\n")] != '[')
		return sw_err_set(err, EBADMSG, "the answer is no JSON list");
	sw_buf_cat(&b, "{\"items\":");
	sw_buf_catn(&b, res->body, res->body_n);
	sw_buf_cat(&b, "}");
	r = sw_table_read(lists, b.p, b.n, a, &l, err);
	*ret = l.items;
	return r;
}

/* The same but for a user, a query and a slash at the end. */
static bool same_address(const char *x, const char *y, struct sw_arena *a)
{
	const char *hx = sw_host_of_url(a, x), *hy = sw_host_of_url(a, y), *px, *py;
	size_t n, m;

	if (!hx || !hy || strcmp(hx, hy) != 0)
		return false;
	px = strchr(strstr(x, "://") + 3, '/');
	py = strchr(strstr(y, "://") + 3, '/');
	px = px ? px : "";
	py = py ? py : "";
	n = strcspn(px, "?#");
	m = strcspn(py, "?#");
	while (n && px[n - 1] == '/')
		n--;
	while (m && py[m - 1] == '/')
		m--;
	return n == m && memcmp(px, py, n) == 0;
}

static int find_hook(const struct sw_result *res, const struct row *rows, const char *address, struct sw_arena *a, const char **ret, struct sw_err *err)
{
	struct each list;
	const struct hook *h;
	int r = list_read(res, rows, sizeof(struct hook), a, &list, err);

	*ret = NULL;
	h = list.items;
	for (size_t i = 0; r == 0 && i < list.n && !*ret; i++)
		if (digits(h[i].id) && h[i].url && same_address(h[i].url, address, a))
			*ret = h[i].id;
	return r;
}

/* ---- GitHub ---- */

static int github_at(const struct sw_api *api, const struct sw_hook *h, const char *rest, const char *page, const char *method,
                     struct sw_arena *a, struct sw_job *ret, struct sw_err *err)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	const char *slash = strchr(h->owner, '/');

	if (h->group ? slash != NULL : !slash || !slash[1] || strchr(slash + 1, '/') || slash == h->owner)
		return sw_err_set(err, EINVAL, "want owner/name, or orgs/name, got \"%s\"", h->owner);
	base(&b, api->url);
	sw_buf_cat(&b, h->group ? "/orgs/" : "/repos/");
	encoded(&b, h->owner, slash ? (size_t)(slash - h->owner) : strlen(h->owner));
	if (slash) {
		sw_buf_putc(&b, '/');
		encoded(&b, slash + 1, strlen(slash + 1));
	}
	sw_buf_printf(&b, "/hooks%s%s", h->id ? "/" : "", h->id ? h->id : "");
	sw_buf_cat(&b, rest);
	if (strcmp(method, "GET") == 0)
		sw_buf_printf(&b, "?%s", page ? page : "per_page=100");
	begin(ret, method, &b, a);
	if (api->token)
		sw_job_header(ret, "Authorization", sw_arena_printf(a, "Bearer %s", api->token));
	sw_job_header(ret, "Accept", "application/vnd.github+json");
	sw_job_header(ret, "X-GitHub-Api-Version", "2022-11-28");
	return 0;
}

static int github_hooks(const struct sw_api *api, const struct sw_hook *h, const char *page, struct sw_arena *a, struct sw_job *ret, struct sw_err *err)
{
	return github_at(api, &(struct sw_hook){ h->owner, h->group, NULL }, "", page, "GET", a, ret, err);
}

/* The query of the next page: the token goes to the configured address only, wherever the link leads. */
static const char *github_next(const struct sw_result *res, struct sw_arena *a)
{
	for (const char *p = sw_result_header(res, "link"); p && (p = strchr(p, '<')); p++) {
		const char *end = strchr(p, '>'), *query = end ? memchr(p, '?', (size_t)(end - p)) : NULL;

		if (!end)
			return NULL;
		if (query && strncmp(end + 1 + strspn(end + 1, "; "), "rel=\"next\"", 10) == 0) {
			char *s = sw_arena_strndup(a, query + 1, (size_t)(end - query) - 1);

			return s[strcspn(s, " \t\r\n")] ? NULL : s;
		}
		p = end;
	}
	return NULL;
}

static int github_hooks_read(const struct sw_result *res, const char *address, struct sw_arena *a, const char **ret, const char **ret_next,
                             struct sw_err *err)
{
	*ret_next = github_next(res, a);
	return find_hook(res, github_hook_rows, address, a, ret, err);
}

static int github_tries(const struct sw_api *api, const struct sw_hook *h, const char *page, struct sw_arena *a, struct sw_job *ret, struct sw_err *err)
{
	return github_at(api, h, "/deliveries", page, "GET", a, ret, err);
}

/* What was read, without what has no id. */
static void tries_take(const struct each *list, struct sw_arena *a, struct sw_tries *ret)
{
	struct item *items = list->items;

	ret->items = SW_ARENA_ARRAY(a, struct sw_tried, list->n + 1);
	for (size_t i = 0; i < list->n; i++) {
		struct sw_tried *t = &items[i].t;

		if (!digits(t->id))
			continue;
		t->event = t->event ? t->event : t->id;
		t->what = t->what ? t->what : "event";
		ret->items[ret->n++] = *t;
	}
}

static int github_tries_read(const struct sw_result *res, struct sw_arena *a, struct sw_tries *ret, struct sw_err *err)
{
	struct each list;
	struct item *items;
	int r = list_read(res, github_try_rows, sizeof(struct item), a, &list, err);

	if (r < 0)
		return r;
	items = list.items;
	for (size_t i = 0; i < list.n; i++) {
		items[i].t.status = items[i].code > 0 && items[i].code < 1000 ? (int)items[i].code : 0;
		items[i].t.why = items[i].status;
	}
	*ret = (struct sw_tries){ .next = github_next(res, a) };
	tries_take(&list, a, ret);
	return 0;
}

static int github_again(const struct sw_api *api, const struct sw_hook *h, const char *id, struct sw_arena *a, struct sw_job *ret, struct sw_err *err)
{
	return github_at(api, h, sw_arena_printf(a, "/deliveries/%s/attempts", id), NULL, "POST", a, ret, err);
}

static int github_again_read(const struct sw_result *res, struct sw_arena *a)
{
	(void)res;
	(void)a;
	return 0; /* it is sent some time later */
}

const struct sw_sweep sw_sweep_github = {
	.hooks = github_hooks, .hooks_read = github_hooks_read, .tries = github_tries, .tries_read = github_tries_read, .again = github_again,
	.again_read = github_again_read, .keeps = 3 * SW_DAY, .per_minute = 0,
};

/* ---- GitLab ---- */

static int gitlab_at(const struct sw_api *api, const struct sw_hook *h, const char *rest, const char *page, const char *method,
                     struct sw_arena *a, struct sw_job *ret, struct sw_err *err)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	if (!*h->owner || *h->owner == '/')
		return sw_err_set(err, EINVAL, "want the path of a project, or groups/path");
	base(&b, api->url);
	sw_buf_printf(&b, "/api/v4/%s/", h->group ? "groups" : "projects");
	encoded(&b, h->owner, strlen(h->owner));
	sw_buf_printf(&b, "/hooks%s%s", h->id ? "/" : "", h->id ? h->id : "");
	sw_buf_cat(&b, rest);
	if (strcmp(method, "GET") == 0)
		sw_buf_printf(&b, "?%s", page ? page : "per_page=20");
	begin(ret, method, &b, a);
	sw_job_header(ret, "Accept", "application/json");
	if (api->token)
		sw_job_header(ret, "PRIVATE-TOKEN", api->token);
	return 0;
}

static int gitlab_hooks(const struct sw_api *api, const struct sw_hook *h, const char *page, struct sw_arena *a, struct sw_job *ret, struct sw_err *err)
{
	return gitlab_at(api, &(struct sw_hook){ h->owner, h->group, NULL }, "", page, "GET", a, ret, err);
}

static const char *gitlab_next(const struct sw_result *res, struct sw_arena *a)
{
	const char *page = sw_result_header(res, "x-next-page");

	return digits(page) ? sw_arena_printf(a, "per_page=20&page=%s", page) : NULL;
}

static int gitlab_hooks_read(const struct sw_result *res, const char *address, struct sw_arena *a, const char **ret, const char **ret_next,
                             struct sw_err *err)
{
	*ret_next = gitlab_next(res, a);
	return find_hook(res, gitlab_hook_rows, address, a, ret, err);
}

static int gitlab_tries(const struct sw_api *api, const struct sw_hook *h, const char *page, struct sw_arena *a, struct sw_job *ret, struct sw_err *err)
{
	return gitlab_at(api, h, "/events", page, "GET", a, ret, err);
}

static int gitlab_tries_read(const struct sw_result *res, struct sw_arena *a, struct sw_tries *ret, struct sw_err *err)
{
	struct each list;
	struct item *items;
	int r = list_read(res, gitlab_try_rows, sizeof(struct item), a, &list, err);

	if (r < 0)
		return r;
	items = list.items;
	for (size_t i = 0; i < list.n; i++) { /* "200", or "internal error" where nobody answered */
		items[i].t.status = digits(items[i].status) && strlen(items[i].status) == 3 ? (int)strtol(items[i].status, NULL, 10) : 0;
		items[i].t.why = items[i].status;
	}
	*ret = (struct sw_tries){ .next = gitlab_next(res, a) };
	tries_take(&list, a, ret);
	return 0;
}

static int gitlab_again(const struct sw_api *api, const struct sw_hook *h, const char *id, struct sw_arena *a, struct sw_job *ret, struct sw_err *err)
{
	return gitlab_at(api, h, sw_arena_printf(a, "/events/%s/resend", id), NULL, "POST", a, ret, err);
}

static int gitlab_again_read(const struct sw_result *res, struct sw_arena *a)
{
	struct { int64_t status; } got = { 0 };
	static const struct row rows[] = { { "response_status", T_INT, 0, NULL, 0, 0 }, { 0 } };
	const struct row *lists[] = { rows, NULL };

	return sw_table_read(lists, res->body, res->body_n, a, &got, NULL) == 0 && got.status > 0 && got.status < 1000 ? (int)got.status : 0;
}

const struct sw_sweep sw_sweep_gitlab = {
	.hooks = gitlab_hooks, .hooks_read = gitlab_hooks_read, .tries = gitlab_tries, .tries_read = gitlab_tries_read, .again = gitlab_again,
	.again_read = gitlab_again_read, .keeps = 7 * SW_DAY, .per_minute = 5,
};
