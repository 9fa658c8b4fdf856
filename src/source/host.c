/* What the sources of git hosts share: commits, refs, names of hosts and runs, words for states. */
#include "source/host.h"

#include <string.h>

#include "base/str.h"

const char *sw_request_header(const struct sw_request *rq, const char *name_lower)
{
	for (size_t i = 0; i < rq->n_headers; i++)
		if (strcmp(rq->headers[i].name, name_lower) == 0)
			return rq->headers[i].value;
	return NULL;
}

#define ROLLBACK_ID_MOST 64

#define C(field) offsetof(struct raw_commit, field)

const struct row sw_raw_commit_rows[] = {
	{ "id", T_SHA, C(sha), NULL, 0, 0 },           { "message", T_LINE, C(title), NULL, 0, 0 },
	{ "url", T_TEXT, C(url), NULL, 0, 0 },         { "timestamp", T_TIME, C(at), NULL, 0, 0 },
	{ "author.name", T_TEXT, C(author), NULL, 0, 0 }, { "author.username", T_TEXT, C(author_login), NULL, 0, 0 },
	{ "author.email", T_TEXT, C(author_email), NULL, 0, 0 }, { "added", T_TEXTS, C(added), NULL, 0, 0 },
	{ "modified", T_TEXTS, C(modified), NULL, 0, 0 }, { "removed", T_TEXTS, C(removed), NULL, 0, 0 }, { 0 },
};

static void commit_files(struct sw_arena *a, const struct raw_commit *from, struct sw_commit *to, bool *cut)
{
	const struct texts *lists[] = { &from->added, &from->modified, &from->removed };

	to->files = SW_ARENA_ARRAY(a, const char *, SW_MIN(from->added.n + from->modified.n + from->removed.n, SW_EVENT_FILES) + 1);
	for (size_t k = 0; k < SW_COUNT(lists); k++) {
		*cut |= lists[k]->cut;
		for (size_t i = 0; i < lists[k]->n; i++) {
			if (to->n_files == SW_EVENT_FILES) {
				*cut = true;
				return;
			}
			to->files[to->n_files++] = lists[k]->items[i];
		}
	}
}

void sw_host_commits(const struct each *raw, struct sw_arena *a, struct sw_event *ev)
{
	const struct raw_commit *from = raw->items;

	ev->commits = SW_ARENA_ARRAY(a, struct sw_commit, raw->n + 1);
	ev->files_cut |= raw->cut;
	for (size_t i = 0; i < raw->n; i++) {
		struct sw_commit *to = &ev->commits[ev->n_commits++];

		*to = (struct sw_commit){ .sha = from[i].sha, .title = from[i].title, .url = from[i].url, .at = from[i].at,
		                          .author = from[i].author ? from[i].author : from[i].author_login,
		                          .author_email = from[i].author_email };
		commit_files(a, &from[i], to, &ev->files_cut);
	}
}

void sw_host_ref(struct sw_event *ev, const char *ref, bool tag, struct sw_arena *a)
{
	if (!ref)
		return;
	if (sw_starts(ref, "refs/heads/")) {
		ev->ref = ref;
		ev->branch = ref + strlen("refs/heads/");
	} else if (sw_starts(ref, "refs/tags/")) {
		ev->ref = ref;
		ev->tag = ref + strlen("refs/tags/");
	} else if (sw_starts(ref, "refs/")) {
		ev->ref = ref;
	} else if (tag) {
		ev->ref = sw_arena_printf(a, "refs/tags/%s", ref);
		ev->tag = ref;
	} else {
		ev->ref = sw_arena_printf(a, "refs/heads/%s", ref);
		ev->branch = ref;
	}
}

const char *sw_host_of_url(struct sw_arena *a, const char *url)
{
	const char *p = url ? strstr(url, "://") : NULL;
	const char *at;
	char *host;

	if (!p)
		return NULL;
	p += 3;
	at = p + strcspn(p, "/?#");
	for (const char *q = p; q < at; q++)
		if (*q == '@')
			p = q + 1;
	host = sw_arena_strndup(a, p, (size_t)(at - p));
	for (char *c = host; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c |= 32;
	return *host ? host : NULL;
}

void sw_host_run_id(struct sw_event *ev, struct sw_arena *a)
{
	if (!ev->host || !ev->repo)
		return;
	if (ev->pipeline_id)
		ev->ci_run_id = sw_arena_printf(a, "%s/%s/%s", ev->host, ev->repo, ev->pipeline_id);
	else if (ev->job_id)
		ev->ci_run_id = sw_arena_printf(a, "%s/%s/job-%s", ev->host, ev->repo, ev->job_id);
	else if (ev->deployment_id)
		ev->ci_run_id = sw_arena_printf(a, "%s/%s/deployment-%s", ev->host, ev->repo, ev->deployment_id);
}

const char *sw_host_rollback_id(const char *s)
{
	size_t n = s ? strspn(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-") : 0;

	return n && n <= ROLLBACK_ID_MOST && !s[n] ? s : NULL;
}

enum sw_status sw_host_status(const struct host_word *words, const char *s)
{
	if (!s)
		return SW_ST_NONE;
	for (; words->word; words++)
		if (strcmp(words->word, s) == 0)
			return words->status;
	return SW_ST_OTHER;
}

const char *sw_host_known(const char *const *list, const char *s)
{
	for (; s && *list; list++)
		if (strcmp(*list, s) == 0)
			return *list;
	return NULL;
}

void sw_host_what(const char *const *wanted, const char *const *known, const char *event, struct sw_proof *ret)
{
	static const char *const runs[] = { "workflow", "check_", "deployment", "status", "pipeline", "job" };

	ret->what = sw_host_known(wanted, event);
	ret->ignore = !ret->what;
	if (!ret->what)
		ret->what = sw_host_known(known, event);
	if (!ret->what)
		ret->what = "other";
	for (size_t i = 0; !ret->ignore && i < SW_COUNT(runs); i++)
		ret->run |= strcasestr(ret->what, runs[i]) != NULL;
}
