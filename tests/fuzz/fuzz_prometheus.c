/*
 * Answers of a Prometheus. First byte: which query, and whether it is of now or of the past; second: the status; the
 * rest is the body. Any bytes end in a reading with finite numbers or in one line of why; a list's text is JSON; a past
 * lies on its grid.
 */
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/json.h"
#include "model/place.h"
#include "plugins.h"
#include "signal/promql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sw_query queries[] = {
	{ .signal = "a", .prometheus = "a{$labels}", .step = 15000 },
	{ .signal = "a", .prometheus = "a{$labels}", .step = 15000, .reduce = SW_REDUCE_MAX },
	{ .signal = "a", .prometheus = "a{$labels}", .step = 15000, .reduce = SW_REDUCE_AVG },
	{ .signal = "a", .prometheus = "a{$labels}", .step = 15000, .reduce = SW_REDUCE_ANY, .bad_down = true },
	{ .signal = "a", .bad = "b{$labels}", .all = "a{$labels}[$window]", .step = 15000 },
	{ .signal = "a", .all = "a{$labels}[$window]", .step = 15000, .reduce = SW_REDUCE_SUM },
	{ .signal = "a", .prometheus = "v{}", .bad = "b{}", .all = "a{}[$window]", .step = 15000, .list = true },
	{ .signal = "a", .prometheus = "v{}", .step = 15000, .list = true },
};

static void check_line(const char *text)
{
	SW_ASSERT(text && *text && !strchr(text, '\n'));
}

static void check_elements(const char *text, struct sw_arena *a)
{
	struct sw_jnode *root;

	SW_ASSERT(sw_jtree_parse(a, text, strlen(text), 1000, &root, NULL) == 0);
	SW_ASSERT(root->type == SW_J_ARRAY && root->n > 0 && root->n <= SW_ELEMENTS_MAX);
	for (const struct sw_jnode *e = root->child; e; e = e->next)
		SW_ASSERT(e->type == SW_J_ARRAY && e->n == 4 && e->child->type == SW_J_STRING);
}

static void try_now(const struct sw_measure_conf *c, struct sw_target *t, const struct sw_result *res,
                    struct sw_arena *a)
{
	struct sw_samples out = { .a = a };
	const struct sw_sample *s = &out.items[0];

	SW_ASSERT(sw_signal_prometheus.read(c, t, res, &out, NULL) == 0 && out.n == 1);
	SW_ASSERT(isfinite(s->value) && isfinite(s->count) && s->count >= 0);
	if (s->reading == SW_R_ERROR)
		check_line(s->text);
	if (t->queries->list && s->reading == SW_R_OK)
		check_elements(s->text, a);
}

static void try_past(const struct sw_measure_conf *c, struct sw_target *t, const struct sw_result *res,
                     struct sw_arena *a)
{
	struct sw_err err = SW_ERR_INIT;
	struct sw_past past;
	int r;

	t->from = 1435781430000;
	t->to = t->from + 20 * 15000;
	r = sw_signal_prometheus.past(c, t, res, a, &past, &err);
	SW_ASSERT(r == 0 || r == -EIO || r == -EBADMSG);
	if (r < 0) {
		check_line(err.text);
		return;
	}
	SW_ASSERT(past.n <= 21 && past.from == t->from);
	for (size_t i = 0; i < past.n; i++)
		SW_ASSERT(isfinite(past.value[i]) || isnan(past.value[i]));
	if (past.elements)
		check_elements(past.elements, a);
}

/* The bytes as a template: what passes the check is filled without a $word left outside of texts. */
static void try_template(const uint8_t *data, size_t size, struct sw_arena *a)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT, again = SW_BUF_INIT;
	const char *text = sw_arena_strndup(a, (const char *)data, size);
	struct sw_err err = SW_ERR_INIT;

	if (sw_promql_check(text, &err) < 0) {
		check_line(err.text);
		return;
	}
	sw_promql_fill(&b, text, "", 60000, 15000);
	sw_promql_fill(&again, sw_buf_str(&b), "x=\"y\"", 1, 1);
	SW_ASSERT(strcmp(sw_buf_str(&b), sw_buf_str(&again)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int statuses[] = { 200, 400, 422, 503, 302 };
	const struct sw_measure_conf c = { .url = "http://p", .window = 60000 };
	struct sw_arena a = { 0 };
	struct sw_target t = { .n_queries = 1 };
	struct sw_result res = { .at = 1000 };

	if (size < 2)
		return 0;
	t.queries = &queries[data[0] % SW_COUNT(queries)];
	res.status = statuses[data[1] % SW_COUNT(statuses)];
	res.body = sw_arena_memdup(&a, data + 2, size - 2);
	res.body_n = size - 2;
	if (data[0] & 0x80)
		try_past(&c, &t, &res, &a);
	else
		try_now(&c, &t, &res, &a);
	try_template(data + 2, size - 2, &a);
	sw_arena_fini(&a);
	return 0;
}
