/* How the tables of lists are written: columns and filters as rows; the lists themselves are in tables_*.c, what is common in lists.c. */
#ifndef SW_DASHBOARD_TABLES_H
#define SW_DASHBOARD_TABLES_H

#include "dashboard/store.h"

/* A column of table t (or a join of it) under its own name. */
#define C_TEXT(t, name, help) { #name, SW_COL_TEXT, #t "." #name, help }
#define C_INT(t, name, help)  { #name, SW_COL_INT, #t "." #name, help }
#define C_REAL(t, name, help) { #name, SW_COL_REAL, #t "." #name, help }
#define C_MS(t, name, help)   { #name, SW_COL_MS, #t "." #name, help }
#define C_BOOL(t, name, help) { #name, SW_COL_BOOL, #t "." #name, help }
#define C_JSON(t, name, help) { #name, SW_COL_JSON, #t "." #name, help }

/* A filter by a column that a pattern may be given for; one without; a moment; one of a few words. */
#define F_GLOB(t, name, help)         { #name, #t "." #name " = ?", help, SW_COL_TEXT, NULL, true, false }
#define F_TEXT(t, name, help)         { #name, #t "." #name " = ?", help, SW_COL_TEXT, NULL, false, false }
#define F_BOOL(t, name, help)         { #name, #t "." #name " = ?", help, SW_COL_BOOL, NULL, false, false }
#define F_WORD(t, name, help, list)   { #name, #t "." #name " = ?", help, SW_COL_TEXT, list, false, false }
/* Every day of a table, as its indexes of ids have them (schema.sql): a look at each, some hundred. The bound is for moments that are far off. */
#define IN_DAYS(table) "at / 86400000 IN (WITH RECURSIVE day (n) AS (SELECT min(at) / 86400000 FROM " #table " UNION ALL SELECT n + 1 FROM day" \
                       " WHERE n < (SELECT max(at) / 86400000 FROM " #table ") LIMIT 40000) SELECT n FROM day)"
/* By the beginning of a commit: its rows are found first, however few they are beside what else is asked. */
#define F_SHA_DAYS(t, table)          { "sha", #t ".id IN (SELECT id FROM " #table " WHERE " IN_DAYS(table) " AND sha >= ? AND sha < ? || 'g')", \
                                        "the commit, or its beginning", SW_COL_TEXT, NULL, false, true }
#define F_SHA(t, table)               { "sha", #t ".id IN (SELECT id FROM " #table " WHERE sha >= ? AND sha < ? || 'g')", "the commit, or its beginning", SW_COL_TEXT, \
                                        NULL, false, true }
#define F_SINCE(column)               { "since", column " >= ?", "from this moment on, or from so long ago (\"7d\")", SW_COL_MS, NULL, false, false }
#define F_UNTIL(column)               { "until", column " < ?", "before this moment, or so long ago", SW_COL_MS, NULL, false, false }
/* By a place, whose names are in a table of their own, joined as p: both together are one place, whose rows come in order. */
#define F_SERVICE     F_GLOB(p, service, "the service")
#define F_ENVIRONMENT F_GLOB(p, environment, "the environment")
/* By the id of a run, or by the one a report gave it besides. */
#define F_RUN(t) { "ci_run_id", #t ".ci_run_id IN (SELECT ? UNION SELECT ci_run_id FROM builds WHERE ci_run_alias = ?)", "the run, by its id or by the one a report gave it", \
                   SW_COL_TEXT, NULL, false, false }

#define LIST_COLUMNS(array) .columns = array, .n_columns = SW_COUNT(array)
#define LIST_FILTERS(array) .filters = array, .n_filters = SW_COUNT(array)

extern const struct sw_list sw_list_events, sw_list_builds, sw_list_jobs, sw_list_lines, sw_list_samples, sw_list_decisions, sw_list_gaps;
extern const struct sw_list sw_list_places, sw_list_rules, sw_list_deployments, sw_list_watches, sw_list_alerts, sw_list_news, sw_list_deliveries,
	sw_list_attempts, sw_list_actions, sw_list_action_steps;

#endif
