/* A history in a folder of its own, and what a test says to it. */
#ifndef TESTS_HISTORY_RIG_H
#define TESTS_HISTORY_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "dashboard/store_inner.h"

struct rig {
	char dir[64], path[128];
	struct sw_store *w, *s;   /* to write, to read */
	struct sw_arena a;
	struct sw_err err;
	unsigned long id;         /* of the next entry */
	unsigned touched;
};

static inline void rig_dir(struct rig *g)
{
	*g = (struct rig){ .dir = "/tmp/sw-history-XXXXXX" };
	assert_non_null(mkdtemp(g->dir));
	(void)snprintf(g->path, sizeof g->path, "%s/history.db", g->dir);
}

static inline void rig_open(struct rig *g)
{
	if (sw_store_open(g->path, SW_STORE_WRITE, &g->w, &g->err) < 0)
		fail_msg("%s", g->err.text);
	if (sw_store_open(g->path, SW_STORE_READ, &g->s, &g->err) < 0)
		fail_msg("%s", g->err.text);
}

static inline void rig_init(struct rig *g)
{
	rig_dir(g);
	rig_open(g);
}

static inline void rig_close(struct rig *g)
{
	g->s = sw_store_close(g->s);
	g->w = sw_store_close(g->w);
}

static inline void rig_fini(struct rig *g)
{
	DIR *d;
	struct dirent *e;
	char path[400];

	rig_close(g);
	d = opendir(g->dir);
	assert_non_null(d);
	while ((e = readdir(d))) {
		(void)snprintf(path, sizeof path, "%s/%s", g->dir, e->d_name);
		if (e->d_name[0] != '.')
			assert_int_equal(unlink(path), 0);
	}
	(void)closedir(d);
	assert_int_equal(rmdir(g->dir), 0);
	sw_arena_fini(&g->a);
}

/* One entry, as text. */
static inline void rig_line(struct rig *g, const char *json)
{
	char id[32];
	struct sw_journal_entry e = { .id = id, .json = json, .n = strlen(json) };

	(void)snprintf(id, sizeof id, "%lu-0", 1790000000000 + g->id++);
	if (sw_store_apply(g->w, &e, 1, &g->touched, &g->err) < 0)
		fail_msg("%s", g->err.text);
}

static inline void rig_lines(struct rig *g, const char *const *lines, size_t n)
{
	for (size_t i = 0; i < n; i++)
		rig_line(g, lines[i]);
}

static inline void rig_sql(struct rig *g, const char *text)
{
	if (sw_sql_exec(g->w->q, text, &g->err) < 0)
		fail_msg("%s: %s", text, g->err.text);
}

static inline int64_t rig_number(struct rig *g, const char *text)
{
	int64_t n = -1;

	if (sw_sql_number(g->w->q, text, -1, &n, &g->err) < 0)
		fail_msg("%s: %s", text, g->err.text);
	return n;
}

/* Rows of a list by at most two filters. */
static inline struct sw_rows rig_list(struct rig *g, const char *list, const char *f1, const char *v1, const char *f2, const char *v2)
{
	struct sw_rows rows;

	if (sw_list_get(g->s, list, 0, &g->a, &rows, &g->err, f1 ? f1 : "since", f1 ? v1 : NULL, f2 ? f2 : "since", f2 ? v2 : NULL, NULL) < 0)
		fail_msg("%s: %s", list, g->err.text);
	return rows;
}

/* The only row of a list as JSON. */
static inline const char *rig_json(struct rig *g, const struct sw_row *row)
{
	struct sw_buf b = SW_BUF_INIT;
	const char *ret;
	struct sw_jw w;

	sw_jw_init(&w, &b);
	sw_row_write(row, &w);
	ret = sw_arena_strdup(&g->a, sw_buf_str(&b));
	sw_buf_fini(&b);
	return ret;
}

/* Has the row this member with this value, as JSON text: "\"status\":\"success\""? */
static inline void rig_has(struct rig *g, const struct sw_row *row, const char *text)
{
	const char *json = rig_json(g, row);

	if (!strstr(json, text))
		fail_msg("no %s in %s", text, json);
}

#endif
