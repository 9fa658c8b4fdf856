/* The commits between two shas, push by push. */
#include "engine/range.h"

#include <string.h>

#include "base/str.h"
#include "engine/place.h"

void sw_range_begin(struct sw_range *r, const char *from, const char *to, size_t most, struct sw_arena *a)
{
	*r = (struct sw_range){ .from = from, .to = to, .a = a, .most = most, .commits = SW_ARENA_ARRAY(a, struct sw_commit, most + 1) };
}

/* Commits of one push, newest first, until `from` is met. */
static void range_commits(struct sw_range *r, const struct sw_event *push)
{
	int64_t all = SW_MAX(push->commits_total, (int64_t)push->n_commits), n = 0;
	bool to = r->inside, known = push->commits_total >= 0 || (push->n_commits && !push->files_cut);

	for (size_t i = push->n_commits; i-- > 0 && !r->whole;) {
		r->whole = r->inside && sw_sha_equal(push->commits[i].sha, r->from);
		r->inside |= sw_sha_equal(push->commits[i].sha, r->to);
		if (r->whole || !r->inside)
			continue;
		n++;
		if (r->n < r->most)
			r->commits[r->n++] = push->commits[i];
		else
			r->files_cut = true;
	}
	if (!r->inside)
		return;
	r->files_cut |= push->files_cut;
	if (!known && !r->whole)
		r->total = -1;
	else if (r->total >= 0)
		r->total += r->whole ? n : to ? all : n + all - (int64_t)push->n_commits;
}

bool sw_range_push(struct sw_range *r, const struct sw_event *push)
{
	bool was = r->inside;

	if (r->whole || (was && !sw_sha_equal(push->sha, r->expect)))
		return false;
	r->inside |= sw_sha_equal(push->sha, r->to);
	range_commits(r, push);
	r->expect = push->before;
	if (!r->inside)
		return true;
	r->whole |= sw_sha_equal(push->before, r->from);
	return r->from && r->expect && !r->whole;
}

static void range_files(const struct sw_range *r, struct sw_alert *al)
{
	size_t total = 0;

	for (size_t i = 0; i < al->n_commits; i++)
		total += al->commits[i].n_files;
	al->files = SW_ARENA_ARRAY(r->a, const char *, total ? total : 1);
	al->n_files = 0;
	for (size_t i = 0; i < al->n_commits; i++) {
		for (size_t k = 0; k < al->commits[i].n_files && al->n_files < SW_EVENT_FILES; k++) {
			const char *f = al->commits[i].files[k];
			bool known = false;

			for (size_t m = 0; m < al->n_files && !known; m++)
				known = strcmp(al->files[m], f) == 0;
			if (!known)
				al->files[al->n_files++] = f;
		}
	}
}

void sw_range_tell(const struct sw_range *r, struct sw_alert *al)
{
	bool gap = r->from && !r->whole;

	al->commits = r->commits;
	al->n_commits = gap ? 0 : SW_MIN(r->n, (size_t)SW_EVENT_COMMITS);
	al->commits_total = gap ? -1 : r->total;
	al->files_cut = gap || r->files_cut;
	range_files(r, al);
}

const char *sw_range_url(struct sw_arena *a, const char *repo_url, const char *source_kind, const char *from, const char *to)
{
	if (!repo_url || !from || !to || sw_sha_equal(from, to))
		return NULL;
	return sw_arena_printf(a, "%s/%scompare/%s...%s", repo_url, sw_streq(source_kind, "gitlab") ? "-/" : "", from, to);
}
