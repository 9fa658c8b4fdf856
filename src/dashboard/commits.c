/*
 * Commits between two shas, by walking pushes: the one that ended at `to`, the one that ended where it began, until `from` is met (engine/range.c,
 * as the worker does it for messages). Where `from` is not before `to`, it may be the other way round: a rollback takes commits back.
 *
 *   to ◀── push ── before = sha of ◀── push ── before = sha of ◀── push, with `from` in it or before it
 *
 * What runs may also be in the middle of a push: then the newest pushes of its repository are looked through.
 */
#include "dashboard/commits.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "dashboard/store_inner.h"
#include "dashboard/tables.h"
#include "engine/place.h"
#include "engine/range.h"
#include "shipwatch/clock.h"

#define NEAR_EVENTS  "2000" /* of its repository, among which its push is looked for */
#define NEAR_PUSHES  20
#define LATE         (10 * SW_MINUTE) /* clocks of others may be behind */
#define PUSH_NODES   60000
#define SHA_MAX      64

/* A commit may have ended pushes of several branches: that of the wanted branch first, then the newest. */
const char commits_sql_ended[] =
	"SELECT b.ev FROM events e JOIN event_bodies b ON b.id = e.id WHERE e.id IN (SELECT id FROM events WHERE " IN_DAYS(events) " AND sha >= ?1 AND sha < ?1 || 'g')"
	" AND +e.kind = 'push' AND +e.repo = ?2 ORDER BY +e.branch IS ?3 DESC, e.at DESC LIMIT 1";
const char commits_sql_near[] =
	"SELECT b.ev FROM (SELECT id, at, kind, branch FROM events WHERE repo = ?1 AND at <= ?2 ORDER BY at DESC LIMIT " NEAR_EVENTS ") some"
	" JOIN event_bodies b ON b.id = some.id WHERE some.kind = 'push' AND (?3 IS NULL OR some.branch IS ?3) ORDER BY some.at DESC LIMIT ?4";

bool commits_complete(const struct commits_range *r)
{
	return (r->found == COMMITS_ALL || r->found == COMMITS_BACK || r->found == COMMITS_SAME) && !r->forced && r->total >= 0 && (int64_t)r->n >= r->total;
}

/* ---- one walk ---- */

struct walk {
	struct sw_store *s;
	struct sw_arena *a;
	const struct commits_of *of;
	sw_dur until;
	bool late;                  /* a statement took too long */
	bool forced;
	unsigned pushes;
};

static bool walk_late(struct walk *w)
{
	w->late |= sw_clock_mono() >= w->until;
	return w->late;
}

static bool push_read(struct walk *w, const char *text, size_t n, struct sw_event *ret)
{
	const char *own = sw_arena_strndup(w->a, text ? text : "", text ? n : 0); /* what is read of it lives on */
	struct sw_jnode *node;

	if (sw_jtree_parse(w->a, own, strlen(own), PUSH_NODES, &node, NULL) < 0)
		return false;
	sw_event_read(node, w->a, ret);
	return ret->kind == SW_EV_PUSH;
}

static void stmt_freep(struct sw_stmt **st)
{
	sw_stmt_free(*st);
}

/* Digits of a sha, lower case; NULL: it is none that can be looked up. */
static const char *sha_of(struct sw_arena *a, const char *s)
{
	size_t n = s ? strlen(s) : 0;
	char *ret;

	if (n < 7 || n > SHA_MAX || strspn(s, "0123456789abcdefABCDEF") != n)
		return NULL;
	ret = sw_arena_memdup(a, s, n + 1);
	for (size_t i = 0; i < n; i++)
		if (ret[i] >= 'A' && ret[i] <= 'F')
			ret[i] = (char)(ret[i] + ('a' - 'A'));
	return ret;
}

/* The push that ended at a commit. False: none is known. */
static bool push_ended(struct walk *w, const char *sha, const char *branch, struct sw_event *ret)
{
	SW_CLEANUP(stmt_freep) struct sw_stmt *st = NULL;
	const char *text;
	bool found = false;
	size_t n;
	int r;

	sha = sha_of(w->a, sha);
	if (!sha || sw_sql_prepare(w->s->q, commits_sql_ended, &st, NULL) < 0)
		return false;
	sw_stmt_text(st, 1, sha);
	sw_stmt_text(st, 2, w->of->repo);
	sw_stmt_text(st, 3, branch);
	r = sw_stmt_step(st);
	if (r == 1) {
		text = sw_stmt_get_text(st, 0, &n);
		found = push_read(w, text, n, ret);
	}
	w->late |= r == -ETIMEDOUT;
	return found;
}

static bool push_has(const struct sw_event *push, const char *sha)
{
	for (size_t i = 0; i < push->n_commits; i++)
		if (sw_sha_equal(push->commits[i].sha, sha))
			return true;
	return false;
}

/* The newest push with this commit in the middle of it. */
static bool push_around(struct walk *w, const char *sha, struct sw_event *ret)
{
	SW_CLEANUP(stmt_freep) struct sw_stmt *st = NULL;
	bool found = false;
	int r = sw_sql_prepare(w->s->q, commits_sql_near, &st, NULL);

	if (r < 0)
		return false;
	sw_stmt_text(st, 1, w->of->repo);
	sw_stmt_int(st, 2, w->of->at + LATE);
	sw_stmt_text(st, 3, w->of->branch);
	sw_stmt_int(st, 4, NEAR_PUSHES);
	while (!found && !walk_late(w) && (r = sw_stmt_step(st)) == 1) {
		size_t n;
		const char *text = sw_stmt_get_text(st, 0, &n);

		found = push_read(w, text, n, ret) && push_has(ret, sha);
	}
	w->late |= r == -ETIMEDOUT;
	return found;
}

/* From `to` down to `from`. Return: ALL, PUSH, GAP, FAR or NONE. */
static enum commits_found walk_down(struct walk *w, const char *from, const char *to, struct sw_range *range, const char **ret_missing)
{
	const char *branch = w->of->branch;
	struct sw_event push;

	sw_range_begin(range, from, to, COMMITS_MOST, w->a);
	*ret_missing = to;
	w->forced = false;
	w->pushes = 0;
	if (!push_ended(w, to, branch, &push) && !push_around(w, to, &push))
		return w->late ? COMMITS_FAR : COMMITS_NONE;
	while (sw_range_push(range, &push)) {
		w->forced |= push.forced;
		branch = push.branch;
		*ret_missing = push.before;
		if (++w->pushes == COMMITS_PUSHES || walk_late(w))
			return COMMITS_FAR;
		if (sw_sha_equal(push.before, to)) /* forced there and back again */
			return COMMITS_GAP;
		if (!push_ended(w, push.before, branch, &push))
			return w->late ? COMMITS_FAR : COMMITS_GAP;
	}
	w->forced |= push.forced;
	*ret_missing = push.before;
	return range->whole ? COMMITS_ALL : from ? COMMITS_GAP : COMMITS_PUSH;
}

static void range_take(const struct walk *w, const struct sw_range *r, enum commits_found found, bool back, const char *missing, struct commits_range *ret)
{
	*ret = (struct commits_range){ .found = found == COMMITS_ALL && back ? COMMITS_BACK : found, .back = back, .forced = w->forced, .list = r->commits, .n = r->n,
		                       .total = found == COMMITS_NONE ? -1 : r->total, .missing = found == COMMITS_ALL ? NULL : missing };
}

/* In the likelier direction first; where it does not arrive, in the other; where neither does, what the first one found. */
static void walk_both(struct walk *w, struct commits_range *ret)
{
	const struct commits_of *of = w->of;
	bool back = of->rollback;
	const char *missing;
	struct sw_range r;
	enum commits_found found;

	found = walk_down(w, back ? of->to : of->from, back ? of->from : of->to, &r, &missing);
	range_take(w, &r, found, back, missing, ret);
	if (found == COMMITS_ALL || found == COMMITS_PUSH || !of->from)
		return;
	found = walk_down(w, back ? of->from : of->to, back ? of->to : of->from, &r, &missing);
	if (found == COMMITS_ALL)
		range_take(w, &r, found, !back, missing, ret);
}

/* ---- all walks of a request ---- */

static bool known_is(const struct commits *c, size_t i, const struct commits_of *of)
{
	return sw_streq(c->known[i].repo, of->repo) && sw_streq(c->known[i].to, of->to) && (of->from ? sw_streq(c->known[i].from, of->from) : !c->known[i].from) &&
	       (of->branch ? sw_streq(c->known[i].branch, of->branch) : !c->known[i].branch);
}

void commits_find(struct commits *c, struct sw_store *s, struct sw_arena *a, const struct commits_of *of, struct commits_range *ret)
{
	struct walk w = { .s = s, .a = a, .of = of };

	*ret = (struct commits_range){ .found = COMMITS_NONE, .total = -1 };
	if (!s || !of->repo || !of->to)
		return;
	if (sw_sha_equal(of->from, of->to)) {
		*ret = (struct commits_range){ .found = COMMITS_SAME };
		return;
	}
	for (size_t i = 0; i < c->n; i++)
		if (known_is(c, i, of)) {
			*ret = c->known[i].range;
			return;
		}
	if (!c->until)
		c->until = sw_clock_mono() + COMMITS_TIME;
	w.until = c->until;
	if (walk_late(&w)) {
		ret->found = COMMITS_FAR;
		return;
	}
	sw_sql_limit(s->q, SW_MAX(w.until - sw_clock_mono(), (sw_dur)1));
	walk_both(&w, ret);
	sw_sql_limit(s->q, 0);
	if (c->n == COMMITS_KNOWN)
		return;
	c->known[c->n].repo = sw_arena_strdup(a, of->repo);
	c->known[c->n].branch = of->branch ? sw_arena_strdup(a, of->branch) : NULL;
	c->known[c->n].from = of->from ? sw_arena_strdup(a, of->from) : NULL;
	c->known[c->n].to = sw_arena_strdup(a, of->to);
	c->known[c->n++].range = *ret;
}

void commits_of_alert(struct commits *c, struct sw_store *s, struct sw_arena *a, sw_ms at, struct sw_alert *al)
{
	struct commits_range r;
	struct sw_range range;

	if (al->n_commits || !al->repo || !al->branch || !al->sha)
		return;
	commits_find(c, s, a, &(struct commits_of){ .repo = al->repo, .branch = al->branch, .from = al->prev_sha, .to = al->sha, .at = at }, &r);
	sw_range_begin(&range, al->prev_sha, al->sha, 0, a);
	range.whole = r.found == COMMITS_ALL;
	range.commits = r.list;
	range.n = r.n;
	range.total = r.total;
	range.files_cut = r.total > (int64_t)r.n;
	sw_range_tell(&range, al);
}
