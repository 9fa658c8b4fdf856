/*
 * Entries of the journal, one a line, folded into a history in memory: whatever they are, nothing is fatal, the file stays whole, and what comes
 * out of it again is JSON.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "dashboard/history.h"
#include "dashboard/store_inner.h"

#define LINES   64
#define RUNS    200 /* with one history: what is there already matters, too */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sw_store store;
static unsigned runs;

static void check(bool good, const char *what, const char *why)
{
	if (good)
		return;
	(void)fprintf(stderr, "%s: %s\n", what, why);
	abort();
}

static void begin(void)
{
	struct sw_err err = SW_ERR_INIT;

	store.fold = sw_fold_free(store.fold);
	store.q = sw_sql_close(store.q);
	store = (struct sw_store){ .mode = SW_STORE_WRITE, .lock_fd = -1, .path = store.path ? store.path : sw_strdup("memory") };
	check(sw_sql_open(":memory:", SW_SQL_WRITE, &store.q, &err) == 0, "open", err.text);
	for (size_t i = 0; sw_store_schema[i]; i++)
		check(sw_sql_exec(store.q, sw_store_schema[i], &err) == 0, "schema", err.text);
}

/* Every list as the API writes it. */
static void lists(void)
{
	struct sw_err err = SW_ERR_INIT;
	struct sw_arena a = { 0 };
	struct sw_buf b = SW_BUF_INIT;
	struct sw_rows rows;
	struct sw_jw w;

	for (size_t i = 0; sw_lists[i]; i++) {
		struct sw_list_query q = { .list = sw_lists[i], .limit = 20, .now = 1790000000000 };

		for (const char *const *r = q.list->required; r && *r; r++) {
			q.filters[q.n_filters].name = *r;
			q.filters[q.n_filters++].value = "web";
		}
		check(sw_list_run(&store, &q, &a, &rows, &err) == 0, q.list->name, err.text);
		for (size_t k = 0; k < rows.n; k++) {
			sw_buf_reset(&b);
			sw_jw_init(&w, &b);
			sw_row_write(&rows.rows[k], &w);
			check(sw_json_check(b.p, b.n, &err) == 0, q.list->name, err.text);
		}
		sw_arena_reset(&a);
	}
	sw_buf_fini(&b);
	sw_arena_fini(&a);
}

static void exported(void)
{
	struct sw_err err = SW_ERR_INIT;
	struct sw_buf b = SW_BUF_INIT;
	struct sw_export x = { 0 };

	while (!x.done)
		check(sw_store_export(&store, &x, 1000, &b, &err) == 0, "export", err.text);
	for (const char *p = b.p, *end; p && p < b.p + b.n; p = end + 1) {
		end = memchr(p, '\n', (size_t)(b.p + b.n - p));
		check(end != NULL, "export", "a line without an end");
		check(sw_json_check(p, (size_t)(end - p), &err) == 0, "export", err.text);
	}
	sw_buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sw_journal_entry e[LINES];
	struct sw_err err = SW_ERR_INIT;
	char ids[LINES][24];
	unsigned touched;
	size_t n = 0;
	const char *p = (const char *)data, *end = p + size;

	if (!store.q || ++runs % RUNS == 0)
		begin();
	while (p < end && n < LINES) {
		const char *line = memchr(p, '\n', (size_t)(end - p));
		size_t k = line ? (size_t)(line - p) : (size_t)(end - p);

		(void)snprintf(ids[n], sizeof ids[n], "%u-%zu", runs, n);
		e[n] = (struct sw_journal_entry){ ids[n], p, k };
		n++;
		p += k + 1;
	}
	check(sw_store_apply(&store, e, n, &touched, &err) == 0, "apply", err.text);
	check(sw_store_apply(&store, e, n, &touched, &err) == 0, "again", err.text);
	if (runs % 8 == 0) {
		lists();
		exported();
	}
	return 0;
}
