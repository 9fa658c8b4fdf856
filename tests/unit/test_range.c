/* Commits between two shas, push by push: what is in the range, what is not, what is a gap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "engine/engine.h"
#include "engine/range.h"

#define SHA(c) "c0ffee" c c c c c c c c

static struct sw_arena a;

/* Pushes as they are kept, newest first: "before>sha:commits oldest first!total", separated by blanks; one letter a commit. */
static const struct sw_jnode *pushes(const char *s)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_jnode *ret;

	sw_buf_putc(&b, '[');
	while (*s) {
		char before = *s, sha = s[2];

		sw_buf_printf(&b, "%s{\"ev\":{\"kind\":\"push\",\"sha\":\"%s%c%c%c\"", b.n > 1 ? "," : "", "c0ffee0", sha, sha, sha);
		if (before != '-')
			sw_buf_printf(&b, ",\"before\":\"%s%c%c%c\"", "c0ffee0", before, before, before);
		sw_buf_cat(&b, ",\"commits\":[");
		for (s += 4; *s && !strchr(" !", *s); s++)
			sw_buf_printf(&b, "%s{\"sha\":\"c0ffee0%c%c%c\",\"title\":\"%c\",\"files\":[\"%c.c\",\"all.c\"]}", s[-1] == ':' ? "" : ",", *s, *s, *s, *s, *s);
		sw_buf_cat(&b, "]");
		if (*s == '!')
			sw_buf_printf(&b, ",\"commits_total\":%c", *++s);
		s += *s && *s != ' ';
		s += *s == ' ';
		sw_buf_cat(&b, "}}");
	}
	sw_buf_putc(&b, ']');
	assert_int_equal(sw_jtree_parse(&a, sw_arena_strdup(&a, b.p), b.n, 10000, &ret, NULL), 0);
	sw_buf_fini(&b);
	return ret;
}

static const char *sha_of(char c)
{
	return c == '-' ? NULL : sw_arena_printf(&a, "C0ffee0%c%c%c", c, c, c); /* case does not matter */
}

static void test_ranges(void **state)
{
	static const struct { const char *pushes; char from, to; const char *want; int total; bool cut; } rows[] = {
		{ "a>b:b", 'a', 'b', "b", 1, false },
		{ "a>c:bc", 'a', 'c', "cb", 2, false },
		{ "c>d:d b>c:c a>b:b", 'a', 'd', "dcb", 3, false },
		{ "c>d:d b>c:c a>b:b", 'b', 'c', "c", 1, false },          /* what came later is passed over */
		{ "c>f:def a>c:bc", 'b', 'e', "edc", 3, false },           /* from the middle of a push to the middle of another */
		{ "a>e:bcde", 'c', 'd', "d", 1, false },                   /* both in one */
		{ "c>d:d a>b:b", 'a', 'd', "", -1, true },                 /* a push between them was not seen */
		{ "c>d:d b>c:c", 'a', 'd', "", -1, true },                 /* nor what is older */
		{ "->d:d", 'a', 'd', "", -1, true },                       /* a new branch */
		{ "c>d:d b>c:c", '-', 'd', "d", 1, false },                /* what ran before is not known */
		{ "a>b:b", 'a', 'x', "", -1, true }, { "", 'a', 'b', "", -1, true }, { "", '-', 'b', "", 0, false },
		{ "a>b:b", 'b', 'b', "", 0, false },                       /* the same again */
		{ "b>c:c a>b:b", 'c', 'b', "", -1, true },                 /* back */
		{ "b>d:cd!9 a>b:b", 'a', 'd', "dcb", 10, false },          /* the host lists the newest only */
		{ "b>d:cd!9 a>b:b", 'b', 'c', "c", 8, false },
		{ "a>b:!0", 'a', 'b', "", 0, false },                      /* a branch that was moved */
		{ "a>b:!3", 'a', 'b', "", 3, false },                      /* how many is known, not which */
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_alert al = { 0 };

		sw_engine_commits(pushes(rows[i].pushes), sha_of(rows[i].from), sha_of(rows[i].to), &a, &al);
		if (al.n_commits != strlen(rows[i].want) || al.commits_total != rows[i].total || al.files_cut != rows[i].cut)
			fail_msg("row %zu: %zu commits, total %lld, cut %d", i, al.n_commits, (long long)al.commits_total, al.files_cut);
		for (size_t k = 0; k < al.n_commits; k++)
			assert_int_equal(al.commits[k].title[0], rows[i].want[k]);
		assert_int_equal(al.n_files, al.n_commits ? al.n_commits + 1 : 0); /* each once */
		sw_arena_reset(&a);
	}
}

/* As many as are kept, the others are counted, and nobody may think that their files are all. */
static void test_most(void **state)
{
	static struct sw_commit list[SW_EVENT_COMMITS];
	struct sw_event push;
	struct sw_alert al = { 0 };
	struct sw_range r;
	char sha[2][48];

	(void)state;
	for (size_t i = 0; i < SW_COUNT(list); i++)
		list[i] = (struct sw_commit){ .sha = sw_arena_printf(&a, "%07zu", i) };
	sw_event_init(&push);
	push.commits = list;
	sw_range_begin(&r, "fffffff000", "fffffff003", SW_EVENT_COMMITS, &a);
	for (int i = 3; i > 0; i--) {
		(void)snprintf(sha[0], sizeof sha[0], "fffffff%03d", i);
		(void)snprintf(sha[1], sizeof sha[1], "fffffff%03d", i - 1);
		push.sha = sw_arena_strdup(&a, sha[0]);
		push.before = sw_arena_strdup(&a, sha[1]);
		push.n_commits = i == 1 ? 1 : SW_EVENT_COMMITS / 2;
		assert_int_equal(sw_range_push(&r, &push), i > 1);
		assert_int_equal(r.files_cut, i == 1);
	}
	assert_false(sw_range_push(&r, &push)); /* it is over */
	sw_range_tell(&r, &al);
	assert_int_equal(al.n_commits, SW_EVENT_COMMITS);
	assert_int_equal(al.commits_total, SW_EVENT_COMMITS + 1);
	assert_true(al.files_cut);
}

static void test_url(void **state)
{
	(void)state;
	assert_string_equal(sw_range_url(&a, "https://h/a/b", "gitlab", SHA("a"), SHA("b")), "https://h/a/b/-/compare/" SHA("a") "..." SHA("b"));
	assert_string_equal(sw_range_url(&a, "https://h/a/b", "github", SHA("a"), SHA("b")), "https://h/a/b/compare/" SHA("a") "..." SHA("b"));
	assert_null(sw_range_url(&a, NULL, "github", SHA("a"), SHA("b")));
	assert_null(sw_range_url(&a, "https://h", "github", NULL, SHA("b")));
	assert_null(sw_range_url(&a, "https://h", "github", SHA("b"), SHA("b")));
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_ranges), cmocka_unit_test(test_most), cmocka_unit_test(test_url) };
	int r = cmocka_run_group_tests(tests, NULL, NULL);

	sw_arena_fini(&a);
	return r;
}
