/* Lists of the history: each one can be searched by each of its filters, in pages, whatever people type. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "dashboard/store_inner.h"

struct rig {
	char dir[64];
	struct sw_store *w, *s;
	struct sw_arena a;
	struct sw_err err;
};

static void rig_init(struct rig *g)
{
	char path[128];

	*g = (struct rig){ .dir = "/tmp/sw-lists-XXXXXX" };
	assert_non_null(mkdtemp(g->dir));
	(void)snprintf(path, sizeof path, "%s/history.db", g->dir);
	if (sw_store_open(path, SW_STORE_WRITE, &g->w, &g->err) < 0)
		fail_msg("%s", g->err.text);
	if (sw_store_open(path, SW_STORE_READ, &g->s, &g->err) < 0)
		fail_msg("%s", g->err.text);
}

static void rig_fini(struct rig *g)
{
	static const char *const names[] = { "", "-wal", "-shm", ".lock" };
	char path[160];

	sw_store_close(g->s);
	sw_store_close(g->w);
	for (size_t i = 0; i < SW_COUNT(names); i++) {
		(void)snprintf(path, sizeof path, "%s/history.db%s", g->dir, names[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(g->dir), 0);
	sw_arena_fini(&g->a);
}

static const char *sample_value(const struct sw_filter *f)
{
	if (f->words)
		return f->words[0];
	if (f->sha)
		return "abcd123";
	switch (f->type) {
	case SW_COL_INT: return "7";
	case SW_COL_REAL: return "0.5";
	case SW_COL_MS: return "7d";
	case SW_COL_BOOL: return "true";
	case SW_COL_TEXT:
	case SW_COL_JSON: break;
	}
	return "web";
}

/* Every list alone, by each filter, by its id, from a cursor, both ways: the statements are right. */
static void test_every_filter(void **state)
{
	struct rig g;

	(void)state;
	rig_init(&g);
	for (size_t i = 0; sw_lists[i]; i++) {
		const struct sw_list *l = sw_lists[i];

		assert_ptr_equal(sw_list_find(l->name), l);
		for (size_t k = 0; k <= l->n_filters; k++) {
			for (int how = 0; how < 4; how++) {
				struct sw_list_query q = { .list = l, .oldest = how & 1, .now = 1790000000000 };
				struct sw_rows rows;

				for (const char *const *r = l->required; r && *r; r++) {
					q.filters[q.n_filters].name = *r;
					q.filters[q.n_filters++].value = "x";
				}
				if (k < l->n_filters) {
					q.filters[q.n_filters].name = l->filters[k].name;
					q.filters[q.n_filters++].value = l->filters[k].glob && how == 3 ? "w*b" : sample_value(&l->filters[k]);
				}
				if (how & 2)
					q.cursor = how & 1 ? "o12.7" : "n19a.7";
				if (sw_list_run(g.s, &q, &g.a, &rows, &g.err) < 0)
					fail_msg("%s by %s: %s", l->name, k < l->n_filters ? l->filters[k].name : "nothing", g.err.text);
				assert_int_equal(rows.n, 0);
				assert_null(rows.next);
			}
		}
		if (l->id) {
			const struct sw_row *row;

			if (sw_list_one(g.s, l->name, "7", &g.a, &row, &g.err) < 0)
				fail_msg("%s: %s", l->name, g.err.text);
			assert_null(row);
		}
	}
	assert_null(sw_list_find("event"));
	rig_fini(&g);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_every_filter) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
