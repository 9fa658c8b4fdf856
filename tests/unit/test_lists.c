/* Lists of the history: each one can be searched by each of its filters, in pages, whatever people type. */
#include "history_rig.h"

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

/* ---- pages ---- */

static void events(struct rig *g, int n, int ties)
{
	char line[300];

	for (int i = 0; i < n; i++) {
		(void)snprintf(line, sizeof line, "{\"at\":%lld,\"event_id\":\"E%d\",\"source\":\"%s\",\"events\":[{\"kind\":\"push\",\"repo\":\"acme/%s\",\"branch\":\"b%d\",\"sha\":\"%08x\"}]}",
		               1790000000000ll + i / ties, i, i % 2 ? "gitlab" : "github", i % 3 ? "web" : "pay", i % 5, 0xabc00000 + i);
		rig_line(g, line);
	}
}

/* Every row once, whatever the size of a page, both ways, also where many have the same moment. */
static void test_cursor(void **state)
{
	static const unsigned limits[] = { 1, 2, 7, 50, 199, 200, 201, 1000 };
	struct rig g;

	(void)state;
	rig_init(&g);
	events(&g, 200, 9);
	for (size_t k = 0; k < SW_COUNT(limits); k++) {
		for (int oldest = 0; oldest < 2; oldest++) {
			struct sw_list_query q = { .list = sw_list_find("events"), .limit = limits[k], .oldest = oldest };
			int64_t last = oldest ? -1 : 1000, n = 0;
			struct sw_rows rows;

			do {
				assert_int_equal(sw_list_run(g.s, &q, &g.a, &rows, &g.err), 0);
				assert_true(rows.n <= limits[k]);
				for (size_t i = 0; i < rows.n; i++, n++) {
					int64_t id = sw_row_int(&rows.rows[i], "id", 0);

					assert_true(oldest ? id > last : id < last);
					last = id;
				}
				q.cursor = rows.next;
			} while (rows.next);
			assert_int_equal(n, 200);
		}
	}
	/* rows that come meanwhile do not move the next page */
	struct sw_list_query q = { .list = sw_list_find("events"), .limit = 10 };
	struct sw_rows rows;
	int64_t id;

	assert_int_equal(sw_list_run(g.s, &q, &g.a, &rows, &g.err), 0);
	id = sw_row_int(&rows.rows[9], "id", 0);
	q.cursor = rows.next;
	rig_line(&g, "{\"at\":1790000009999,\"event_id\":\"new\",\"source\":\"gitlab\",\"events\":[{\"kind\":\"push\",\"repo\":\"acme/web\"}]}");
	assert_int_equal(sw_list_run(g.s, &q, &g.a, &rows, &g.err), 0);
	assert_int_equal(sw_row_int(&rows.rows[0], "id", 0), id - 1);
	rig_fini(&g);
}

static void wrong(struct rig *g, const char *list, const char *name, const char *value, const char *want)
{
	struct sw_list_query q = { .list = sw_list_find(list), .filters = { { name, value } }, .n_filters = 1 };
	struct sw_rows rows;

	g->err.text[0] = '\0';
	assert_int_equal(sw_list_run(g->s, &q, &g->a, &rows, &g->err), -EINVAL);
	if (!strstr(g->err.text, want))
		fail_msg("want \"%s\", got \"%s\"", want, g->err.text);
	assert_int_equal(rows.n, 0);
}

static void test_wrong(void **state)
{
	static const char *const cursors[] = { "", "n", "x1.2", "n1", "n1.2.3", "n1.2x", "o1.2", "n1.2;DROP TABLE events", "n99999999999999999999999999999999999999.1" };
	struct sw_list_query q = { .list = sw_list_find("events") };
	char text[SW_QUERY_TEXT + 2];
	struct sw_rows rows;
	struct rig g;

	(void)state;
	rig_init(&g);
	wrong(&g, "events", "servce", "web", "no filter \"servce\" of events, did you mean \"service\"?");
	wrong(&g, "events", "", "web", "no filter \"\" of events");
	wrong(&g, "events", "kind", "pushh", "there is no \"pushh\", did you mean \"push\"?");
	wrong(&g, "events", "kind", "PUSH", "kind: ");
	wrong(&g, "events", "kind", "1 OR 1=1", "want push, tag, pipeline, job, deployment, release, merge, report or alarm");
	wrong(&g, "events", "since", "yesterday", "since: want ms since 1970, a time such as");
	wrong(&g, "events", "since", "-5", "a moment");
	wrong(&g, "events", "sha", "abc", "sha: want 4 to 64 digits");
	wrong(&g, "events", "sha", "xyz12345", "sha: want 4 to 64 digits");
	wrong(&g, "events", "id", "1x", "id: want a whole number");
	wrong(&g, "jobs", "build", "", "build: want a whole number");
	wrong(&g, "builds", "merge_request", "maybe", "want true or false");
	wrong(&g, "samples", "signal", "health", "samples: want a service");
	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	wrong(&g, "events", "repo", text, "repo: over 1024 bytes");
	text[SW_QUERY_TEXT] = '\0';
	assert_int_equal(rig_list(&g, "events", "repo", text, NULL, NULL).n, 0);
	for (size_t i = 0; i < SW_COUNT(cursors); i++) {
		q.cursor = cursors[i];
		assert_int_equal(sw_list_run(g.s, &q, &g.a, &rows, &g.err), -EINVAL);
	}
	q.cursor = NULL;
	q.limit = SW_QUERY_LIMIT;
	assert_int_equal(sw_list_run(g.s, &q, &g.a, &rows, &g.err), 0);
	q.limit = SW_QUERY_LIMIT + 1;
	assert_int_equal(sw_list_run(g.s, &q, &g.a, &rows, &g.err), -EINVAL);
	assert_string_equal(g.err.text, "limit: at most 1000");
	q.limit = 0;
	q.n_filters = SW_QUERY_FILTERS + 1;
	assert_int_equal(sw_list_run(g.s, &q, &g.a, &rows, &g.err), -EINVAL);
	q.n_filters = SW_QUERY_FILTERS;
	for (size_t i = 0; i < SW_QUERY_FILTERS; i++) {
		q.filters[i].name = "repo";
		q.filters[i].value = "*";
	}
	assert_int_equal(sw_list_run(g.s, &q, &g.a, &rows, &g.err), 0);
	rig_fini(&g);
}

static size_t found(struct rig *g, const char *name, const char *value)
{
	return rig_list(g, "events", name, value, NULL, NULL).n;
}

/* What people type is text, never part of the question. */
static void test_values(void **state)
{
	static const char *const nasty[] = { "'", "\"", "' OR '1'='1", "\\", "%", "_", "web'; DROP TABLE events; --", "?1", ":x", "\xe2\x80\xa8", "[a-z]*", "a\nb", "NULL" };
	struct sw_list_query q = { .list = sw_list_find("events"), .now = 1790000000000 + 8 * SW_DAY };
	struct sw_rows rows;
	struct rig g;

	(void)state;
	rig_init(&g);
	events(&g, 30, 1);
	assert_int_equal(found(&g, "repo", "acme/web"), 20);
	assert_int_equal(found(&g, "repo", "acme/*"), 30);
	assert_int_equal(found(&g, "repo", "*/p*"), 10);
	assert_int_equal(found(&g, "repo", "***"), 30);
	assert_int_equal(found(&g, "repo", "acme/we?"), 0);
	assert_int_equal(found(&g, "repo", "acme/[w]*"), 0);
	assert_int_equal(found(&g, "repo", "ACME/web"), 0);
	assert_int_equal(found(&g, "repo", ""), 0);
	assert_int_equal(found(&g, "sha", "abc0000"), 16);
	assert_int_equal(found(&g, "sha", "ABC00001"), 1);
	assert_int_equal(found(&g, "q", "abc00001"), 1);
	assert_int_equal(found(&g, "q", "abc0"), 0); /* too short to be meant */
	assert_int_equal(found(&g, "q", "E7"), 1);
	assert_int_equal(found(&g, "id", "7"), 1);
	assert_int_equal(found(&g, "since", "1790000000020"), 10);
	assert_int_equal(found(&g, "until", "1790000000020"), 20);
	assert_int_equal(found(&g, "since", "2026-09-21T13:33:20.020Z"), found(&g, "since", "1789997600020"));
	assert_int_equal(rig_list(&g, "events", "source", "gitlab", "repo", "acme/pay").n, 5);
	for (size_t i = 0; i < SW_COUNT(nasty); i++) {
		assert_int_equal(found(&g, "repo", nasty[i]), 0);
		assert_int_equal(found(&g, "q", nasty[i]), 0);
	}
	assert_int_equal(found(&g, "repo", "*"), 30);
	/* so long ago: from the moment that was handed in */
	q.filters[0].name = "since";
	q.filters[0].value = "8d";
	q.n_filters = 1;
	assert_int_equal(sw_list_run(g.s, &q, &g.a, &rows, &g.err), 0);
	assert_int_equal(rows.n, 30);
	q.filters[0].value = "7d";
	assert_int_equal(sw_list_run(g.s, &q, &g.a, &rows, &g.err), 0);
	assert_int_equal(rows.n, 0);
	rig_fini(&g);
}

/* A search that takes too long ends by itself, and the next one is as good as ever. */
static void test_time(void **state)
{
	static const struct sw_column columns[] = { { "n", SW_COL_INT, "c.n", "a number" } };
	static const struct sw_list endless = {
		.name = "endless", .one = "one", .help = "never ends", .from = "(WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c WHERE n < 0) c",
		.order = "c.n", .rowid = "c.n", .columns = columns, .n_columns = 1 };
	struct sw_list_query q = { .list = &endless };
	struct sw_rows rows;
	struct rig g;

	(void)state;
	rig_init(&g);
	events(&g, 3, 1);
	assert_int_equal(sw_list_run(g.s, &q, &g.a, &rows, &g.err), -ETIMEDOUT);
	assert_non_null(strstr(g.err.text, "endless: searching took over 2 s"));
	assert_int_equal(found(&g, "repo", "*"), 3);
	rig_fini(&g);
}

/* ---- how it is searched ---- */

/* The plan of what a list by this filter asks with all its columns, one line. */
static const char *plan(struct rig *g, const struct sw_list *l, const char *where)
{
	struct sw_buf b = SW_BUF_INIT, sql = SW_BUF_INIT;
	struct sw_stmt *st;
	const char *ret;
	int r;

	sw_buf_cat(&sql, "EXPLAIN QUERY PLAN SELECT ");
	for (size_t i = 0; i < l->n_columns; i++)
		sw_buf_printf(&sql, "%s%s", i ? ", " : "", l->columns[i].sql);
	sw_buf_printf(&sql, " FROM %s WHERE 1%s ORDER BY %s DESC, %s DESC LIMIT 51", l->from, where, l->order, l->rowid);
	if (sw_sql_prepare(g->s->q, sql.p, &st, &g->err) < 0)
		fail_msg("%s: %s", sql.p, g->err.text);
	while ((r = sw_stmt_step(st)) == 1)
		sw_buf_printf(&b, "%s; ", sw_stmt_get_text(st, 3, NULL));
	assert_int_equal(r, 0);
	sw_stmt_free(st);
	ret = sw_arena_strdup(&g->a, sw_buf_str(&b));
	sw_buf_fini(&b);
	sw_buf_fini(&sql);
	return ret;
}

/* Nobody walks through all of a large table, unless it is in the order that is wanted. */
static void test_plans(void **state)
{
	static const char *const large[] = { "events", "builds", "jobs", "deployments", "watches", "alerts", "news", "deliveries", "attempts", "actions" };
	/* of these a walk along the time is what there is: few have no value that is far from usual */
	static const char *const walk[] = { "tag", "user", "merge_request", "after_seq", "is_rollback", "good", "rollback", "action", "state", "is_redeploy", "news" };
	struct rig g;

	(void)state;
	rig_init(&g);
	for (size_t i = 0; i < SW_COUNT(large); i++) {
		const struct sw_list *l = sw_list_find(large[i]);
		char head[40], walks[60];

		(void)snprintf(head, sizeof head, "SCAN %.*s;", 1, l->order);
		(void)snprintf(walks, sizeof walks, "SCAN %.*s USING INDEX", 1, l->order);
		for (size_t k = 0; k <= l->n_filters; k++) {
			const struct sw_filter *f = k < l->n_filters ? &l->filters[k] : NULL;
			const char *where = f ? sw_arena_printf(&g.a, " AND (%s)", f->sql + (*f->sql == '+')) : "", *p = plan(&g, l, where);
			bool may = !f;

			for (size_t x = 0; x < SW_COUNT(walk); x++)
				may |= f && sw_streq(f->name, walk[x]);
			if (strstr(p, head))
				fail_msg("%s by %s: %s", l->name, f ? f->name : "nothing", p);
			if (!may && strstr(p, walks) && !strstr(f->sql, "p."))
				fail_msg("%s by %s walks: %s", l->name, f->name, p);
			if (!f && strstr(p, "TEMP B-TREE FOR ORDER BY"))
				fail_msg("%s: sorted: %s", l->name, p);
		}
	}
	rig_fini(&g);
}

static const struct sw_filter *filter(const struct sw_list *l, const char *name)
{
	for (size_t i = 0; i < l->n_filters; i++)
		if (sw_streq(l->filters[i].name, name))
			return &l->filters[i];
	fail_msg("%s has no filter %s", l->name, name);
	return NULL;
}

/* What is asked once for each row of a list is looked up, and what is open or fires is not looked for among all there ever was. */
static void test_plans_of_columns(void **state)
{
	static const char *const lists[] = { "places", "rules", "deployments", "watches", "deliveries", "actions" };
	static const char *const tables[] = { "deployments", "watches", "alerts", "news", "actions" };
	static const struct { const char *list, *filter, *want; } days[] = {
		{ "events", "sha", "events_sha (<expr>=? AND sha>? AND sha<?)" }, { "events", "ci_run_id", "events_run (<expr>=? AND ci_run_id=?)" },
		{ "events", "q", "events_delivery (<expr>=? AND delivery=?)" }, { "events", "q", "events_run (<expr>=? AND ci_run_id=?)" },
		{ "events", "q", "events_sha (<expr>=? AND sha>? AND sha<?)" }, { "builds", "sha", "builds_sha (<expr>=? AND sha>? AND sha<?)" },
		{ "builds", "q", "builds_sha (<expr>=? AND sha>? AND sha<?)" } };
	struct rig g;

	(void)state;
	rig_init(&g);
	for (size_t i = 0; i < SW_COUNT(lists); i++) {
		const char *p = plan(&g, sw_list_find(lists[i]), "");

		for (size_t t = 0; t < SW_COUNT(tables); t++)
			if (strstr(p, sw_arena_printf(&g.a, "SCAN %s", tables[t])))
				fail_msg("%s: %s", lists[i], p);
	}
	for (size_t i = 0; i < SW_COUNT(days); i++) {
		const struct sw_list *l = sw_list_find(days[i].list);
		const char *p = plan(&g, l, sw_arena_printf(&g.a, " AND (%s)", filter(l, days[i].filter)->sql));

		if (!strstr(p, days[i].want))
			fail_msg("%s by %s: %s", l->name, days[i].filter, p);
	}
	assert_non_null(strstr(plan(&g, sw_list_find("places"), ""), "watches_open_place"));
	assert_non_null(strstr(plan(&g, sw_list_find("places"), ""), "alerts_firing"));
	assert_non_null(strstr(plan(&g, sw_list_find("watches"), " AND ((w.state <> 'done') = ?)"), "watches_open "));
	rig_fini(&g);
}

/* What tells few rows apart is looked up, whatever else is asked for; that is what the statistics of the schema are for. */
static void test_plans_of_two(void **state)
{
	static const struct { const char *list, *name, *want; } rare[] = {
		{ "events", "sha", "SEARCH e USING INTEGER PRIMARY KEY" }, { "events", "q", "SEARCH e USING INTEGER PRIMARY KEY" }, { "events", "event_id", "sqlite_autoindex_events_1" },
		{ "events", "ci_run_id", "SEARCH e USING INTEGER PRIMARY KEY" }, { "builds", "sha", "SEARCH b USING INTEGER PRIMARY KEY" }, { "builds", "q", "SEARCH b USING INTEGER PRIMARY KEY" },
		{ "builds", "ci_run_id", "builds_run" }, 
		{ "watches", "deployment", "watches_deployment" },
	};
	struct rig g;

	(void)state;
	rig_init(&g);
	for (size_t i = 0; i < SW_COUNT(rare); i++) {
		const struct sw_list *l = sw_list_find(rare[i].list);
		const struct sw_filter *f = filter(l, rare[i].name);

		for (size_t k = 0; k < l->n_filters; k++) {
			const struct sw_filter *other = &l->filters[k];
			const char *p;

			if (other == f || other->sha || sw_streq(other->name, "tag") || sw_streq(other->name, "q") || sw_streq(other->name, "ci_run_id") || sw_streq(other->name, "event_id") ||
			    sw_streq(other->name, "watch") || sw_streq(other->name, "deployment"))
				continue;
			p = plan(&g, l, sw_arena_printf(&g.a, " AND (%s) AND (%s)", f->sql, other->sql));
			if (!strstr(p, rare[i].want))
				fail_msg("%s by %s and %s: %s", l->name, f->name, other->name, p);
		}
	}
	rig_fini(&g);
}

/* ---- ways of searching ---- */

static uint64_t seed = 88172645463325252ull;

static unsigned below(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed >> 11) % n);
}

static void random_rows(struct rig *g, int n)
{
	static const char *const repos[] = { "acme/web", "acme/web2", "acme/rare", "acme/rare/x", "acme/rar", "ACME/web", "b[c]/d?e", "x", "acme/\303\251t\303\251" };
	static const char *const branches[] = { "main", "main", "main", "feature/1", "feature/10", "feature/2", "rel*se" }, *const kinds[] = { "push", "job", "pipeline" };
	char line[600];

	for (int i = 0; i < n; i++) {
		char branch[60] = "";

		if (below(6))
			(void)snprintf(branch, sizeof branch, "\"branch\":\"%s\",", branches[below(SW_COUNT(branches))]);
		(void)snprintf(line, sizeof line, "{\"at\":%lld,\"event_id\":\"E%d\",\"source\":\"%s\",\"events\":[{\"kind\":\"%s\",\"status\":\"%s\",%s\"repo\":\"%s\",\"pipeline_id\":\"%d\","
		               "\"environment\":\"%s\",\"service\":\"s%u\"}]}", 1790000000000ll + below(400), i, below(2) ? "gitlab" : "github", kinds[below(3)], below(3) ? "success" : "failed",
		               branch, repos[below(4) ? below(2) : below(SW_COUNT(repos))], i, below(5) ? "prod" : "staging", below(4));
		rig_line(g, line);
	}
}

/* Pages of one size, by this way, to the end: the rows' numbers. */
static size_t walked(struct rig *g, struct sw_list_query *q, const struct sw_list_bounds *b, int64_t *ids, size_t most)
{
	struct sw_rows rows;
	size_t n = 0;

	q->cursor = NULL;
	do {
		if (sw_list_run_within(g->s, q, b, &g->a, &rows, &g->err) < 0)
			fail_msg("%s", g->err.text);
		assert_true(rows.n <= q->limit);
		for (size_t i = 0; i < rows.n; i++) {
			assert_true(n < most);
			ids[n++] = sw_row_int(&rows.rows[i], "id", -1);
		}
		q->cursor = rows.next;
	} while (q->cursor);
	return n;
}

/* Whichever way is taken, the rows are the same, in the same order, in pages, from both ends, whatever else is asked for. */
static void test_ways(void **state)
{
	static const struct sw_list_bounds plain = { 2000, 0, SW_LIST_TO_THE_END };
	static const struct sw_list_bounds ways[] = { { 2000, 4000, SW_LIST_USUAL }, { 2000, 4000, SW_LIST_LEAD }, { 2000, 4000, SW_LIST_VALUES }, { 2000, 3, SW_LIST_VALUES } };
	static const struct { const char *name, *values[12]; } asked[] = {
		{ "repo", { "acme/rare*", "acme/*", "*", "*are", "*/web*", "b[c]*", "none*", "acme/web", "acme/r*e*", "x*", "acme/\303*", "*nothing" } },
		{ "branch", { "feature/*", "main", "*in", "feature/1*", "rel*", "*" } },
		{ "environment", { "prod", "staging", "st*", "*" } }, { "service", { "s*", "s1", "*2", "t*" } }, { "source", { "git*", "gitlab", "*hub" } },
		{ "status", { "failed", "success" } }, { "since", { "1790000000100" } }, { "until", { "1790000000300" } } };
	static int64_t want[2000], got[2000];
	struct rig g;
	int some = 0;

	(void)state;
	rig_init(&g);
	random_rows(&g, 1200);
	for (int round = 0; round < 600; round++) {
		struct sw_list_query q = { .list = sw_list_find(below(4) ? "events" : "builds"), .limit = below(3) ? 1 + below(7) : 50, .oldest = below(2) };
		struct sw_buf said = SW_BUF_INIT;
		size_t n;

		for (unsigned k = 0, most = 1 + below(3); k < most; k++) {
			size_t what = below(2) ? 0 : below(SW_COUNT(asked)), values = 0;

			while (values < 12 && asked[what].values[values])
				values++;
			q.filters[k].name = asked[what].name;
			q.filters[k].value = asked[what].values[below((unsigned)values)];
			q.n_filters = k + 1;
			sw_buf_printf(&said, " %s=%s", q.filters[k].name, q.filters[k].value);
		}
		n = walked(&g, &q, &plain, want, SW_COUNT(want));
		some += n > 0;
		for (size_t w = 0; w < SW_COUNT(ways); w++) {
			size_t m = walked(&g, &q, &ways[w], got, SW_COUNT(got));

			if (m != n || (n && memcmp(want, got, n * sizeof *want) != 0))
				fail_msg("%s by%s, pages of %u%s, way %zu: %zu rows, %zu by walking", q.list->name, sw_buf_str(&said), q.limit, q.oldest ? ", oldest first" : "", w, m, n);
		}
		sw_buf_fini(&said);
		sw_arena_reset(&g.a);
	}
	assert_true(some > 200);
	rig_fini(&g);
}

/* What a list of another table is joined for is found either way, too. */
static void test_ways_of_deliveries(void **state)
{
	static const struct sw_list_bounds ways[] = { { 2000, 0, SW_LIST_USUAL }, { 2000, 0, SW_LIST_TO_THE_END } };
	static const char *const asked[] = { "web", "w*", "*", "pay", "nothing" };
	struct rig g;

	(void)state;
	rig_init(&g);
	rig_sql(&g, "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 300) INSERT INTO alerts (alert, at, last, service, environment, state, news)"
	            " SELECT 'a' || n, n, n, CASE n % 7 WHEN 0 THEN 'pay' ELSE 'web' END, 'prod', 'told', 'told' FROM n");
	rig_sql(&g, "INSERT INTO deliveries (news_id, alert, channel, at, last, state) SELECT alert || '-x', alert, 'out', at / 3, at, 'sent' FROM alerts");
	for (size_t i = 0; i < SW_COUNT(asked); i++) {
		int64_t ids[2][300];
		size_t n[2];

		for (size_t w = 0; w < 2; w++) {
			struct sw_list_query q = { .list = sw_list_find("deliveries"), .limit = 7, .filters = { { "service", asked[i] } }, .n_filters = 1 };

			n[w] = walked(&g, &q, &ways[w], ids[w], 300);
		}
		assert_int_equal(n[0], n[1]);
		assert_memory_equal(ids[0], ids[1], n[0] * sizeof *ids[0]);
		assert_int_equal(n[0], i < 1 ? 258 : i < 3 ? (i == 1 ? 258 : 300) : i == 3 ? 42 : 0);
	}
	rig_fini(&g);
}

/* What fits is found at the far end of the rows, by its values. */
static void test_rare(void **state)
{
	static const struct sw_list_bounds none = { 0, 4000, SW_LIST_VALUES };
	struct sw_list_query q = { .list = sw_list_find("events"), .limit = 3, .filters = { { "repo", "*are-*" } }, .n_filters = 1 };
	struct sw_rows rows;
	struct rig g;

	(void)state;
	rig_init(&g);
	rig_sql(&g, "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 20000) INSERT INTO events (at, event_id, n, source, kind, repo)"
	            " SELECT n, n, 0, 'x', 'push', CASE WHEN n < 6 THEN 'rare-' || n ELSE 'acme/r' || n % 300 END FROM n");
	if (sw_list_run_within(g.s, &q, &none, &g.a, &rows, &g.err) < 0)
		fail_msg("%s", g.err.text);
	assert_int_equal(rows.n, 3);
	assert_string_equal(sw_row_text(&rows.rows[0], "repo"), "rare-5");
	assert_string_equal(sw_row_text(&rows.rows[2], "repo"), "rare-3");
	q.cursor = rows.next;
	assert_int_equal(sw_list_run_within(g.s, &q, &none, &g.a, &rows, &g.err), 0);
	assert_int_equal(rows.n, 2);
	assert_null(rows.next);
	rig_fini(&g);
}

/* Each pattern of what is large can be jumped through: its column begins an index. */
static void test_plans_of_patterns(void **state)
{
	static const char *const large[] = { "events", "builds", "deployments", "watches", "alerts" };
	struct rig g;

	(void)state;
	rig_init(&g);
	for (size_t i = 0; i < SW_COUNT(large); i++) {
		const struct sw_list *l = sw_list_find(large[i]);

		for (size_t k = 0; k < l->n_filters; k++) {
			const struct sw_filter *f = &l->filters[k];
			struct sw_stmt *st;
			const char *text;

			if (!f->glob || f->sql[0] != l->order[0])
				continue;
			text = sw_arena_printf(&g.a, "EXPLAIN QUERY PLAN SELECT %s FROM %s WHERE %s >= 'x' ORDER BY %s LIMIT 1", f->name, l->name, f->name, f->name);
			assert_int_equal(sw_sql_prepare(g.s->q, text, &st, &g.err), 0);
			assert_int_equal(sw_stmt_step(st), 1);
			if (strncmp(sw_stmt_get_text(st, 3, NULL), "SEARCH ", 7) != 0 || !strstr(sw_stmt_get_text(st, 3, NULL), "COVERING INDEX"))
				fail_msg("%s: %s", text, sw_stmt_get_text(st, 3, NULL));
			sw_stmt_free(st);
		}
	}
	rig_fini(&g);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_filter), cmocka_unit_test(test_cursor), cmocka_unit_test(test_wrong), cmocka_unit_test(test_values),
		cmocka_unit_test(test_time), cmocka_unit_test(test_plans), cmocka_unit_test(test_plans_of_columns), cmocka_unit_test(test_plans_of_two),
		cmocka_unit_test(test_ways), cmocka_unit_test(test_ways_of_deliveries), cmocka_unit_test(test_rare), cmocka_unit_test(test_plans_of_patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
