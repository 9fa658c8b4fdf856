/* A report as names and values: some from the CI's environment, some measured, the last word is the command line's. */
#include "cli/fields.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/number.h"
#include "base/str.h"
#include "plugins.h"
#include "source/host.h"

/* Fields of the schema that are numbers, or true and false; everything else is written as a text. */
static const char *const numbers[] = { "exit_code", "attempt", "duration_ms", "cpu_ms", "max_rss_bytes", "coverage_pct", NULL };
static const char *const bools[] = { "cancelled", NULL };
static const char *const ids[] = { "pipeline_id", "job_id", "job_name", NULL };

static bool listed(const char *const *list, const char *name)
{
	for (; *list; list++)
		if (strcmp(*list, name) == 0)
			return true;
	return false;
}

/* A number as JSON writes them: no hexadecimal, no inf, no blanks. */
static bool is_number(const char *s)
{
	struct sw_json j;

	sw_json_init(&j, s, strlen(s));
	return sw_json_next(&j) == SW_JSON_NUMBER && isfinite(sw_json_double(&j)) && sw_json_next(&j) == SW_JSON_END && s[0] != ' ' &&
	       s[strlen(s) - 1] != ' ';
}

static bool is_bool(const char *s)
{
	return strcmp(s, "true") == 0 || strcmp(s, "false") == 0;
}

static struct sw_field *find(struct sw_field *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i].name, name) == 0)
			return &list[i];
	return NULL;
}

int sw_fields_set(struct sw_fields *f, const char *name, const char *value)
{
	struct sw_field *to = find(f->items, f->n, name);

	if (!value || !*value) {
		if (to) {
			memmove(to, to + 1, (size_t)(&f->items[f->n] - (to + 1)) * sizeof *to);
			f->n--;
		}
		return 0;
	}
	if (!to) {
		if (f->n == SW_FIELDS)
			return -E2BIG;
		to = &f->items[f->n++];
		to->name = sw_arena_strdup(f->a, name);
	}
	to->value = sw_arena_strndup(f->a, value, sw_utf8_cut(value, strlen(value), listed(ids, name) ? SW_FIELD_ID : SW_FIELD_TEXT));
	return 0;
}

void sw_fields_number(struct sw_fields *f, const char *name, double value)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	sw_number_print(&b, value);
	(void)sw_fields_set(f, name, sw_buf_str(&b));
}

const char *sw_fields_get(const struct sw_fields *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->items[i].name, name) == 0)
			return f->items[i].value;
	return NULL;
}

static int metric_set(struct sw_fields *f, const char *name, const char *value, struct sw_err *err)
{
	struct sw_field *to = find(f->metrics, f->n_metrics, name);

	if (!to) {
		if (f->n_metrics == SW_COUNT(f->metrics))
			return sw_err_set(err, E2BIG, "more than %zu metrics", SW_COUNT(f->metrics));
		to = &f->metrics[f->n_metrics++];
	}
	*to = (struct sw_field){ name, sw_arena_strdup(f->a, value) };
	return 0;
}

int sw_fields_given(struct sw_fields *f, const char *text, bool metric, struct sw_err *err)
{
	const char *eq = strchr(text, '='), *what = metric ? "metric" : "field", *name;
	size_t n = eq ? (size_t)(eq - text) : 0;
	char shown[120];

	(void)sw_err_quote(text, SW_MIN(strlen(text), (size_t)60), shown, sizeof shown);
	if (!n || n > SW_FIELD_NAME)
		return sw_err_set(err, EINVAL, "--%s wants NAME=VALUE with a name of 1 to %d bytes, got \"%s\"", what, SW_FIELD_NAME, shown);
	name = sw_arena_strndup(f->a, text, n);
	if (metric || (eq[1] && listed(numbers, name))) {
		if (!is_number(eq + 1))
			return sw_err_set(err, EINVAL, "--%s %s: want a number, got \"%s\"", what, name, shown + SW_MIN(n + 1, strlen(shown)));
		if (metric)
			return metric_set(f, name, eq + 1, err);
	}
	if (eq[1] && listed(bools, name) && !is_bool(eq + 1))
		return sw_err_set(err, EINVAL, "--field %s: want true or false", name);
	if (strcmp(name, "metrics") == 0)
		return sw_err_set(err, EINVAL, "--field metrics: say --metric NAME=NUMBER for each");
	if (sw_fields_set(f, name, eq + 1) < 0)
		return sw_err_set(err, E2BIG, "--field %s: more than %d fields", name, SW_FIELDS);
	return 0;
}

void sw_fields_run_id(struct sw_fields *f)
{
	struct sw_event ev = { .repo = sw_fields_get(f, "repo"), .pipeline_id = sw_fields_get(f, "pipeline_id") };

	if (sw_fields_get(f, "ci_run_id") || !ev.pipeline_id)
		return;
	ev.host = sw_host_of_url(f->a, sw_fields_get(f, "url"));
	sw_host_run_id(&ev, f->a);
	(void)sw_fields_set(f, "ci_run_id", ev.ci_run_id);
}

int sw_fields_json(const struct sw_fields *f, struct sw_buf *out, struct sw_err *err)
{
	struct sw_jw w;

	sw_jw_init(&w, out);
	sw_jw_obj(&w, NULL);
	for (size_t i = 0; i < f->n; i++) {
		const struct sw_field *x = &f->items[i];

		if ((listed(numbers, x->name) && is_number(x->value)) || (listed(bools, x->name) && is_bool(x->value)))
			sw_jw_raw(&w, x->name, x->value, strlen(x->value));
		else
			sw_jw_str(&w, x->name, x->value);
	}
	if (f->n_metrics) {
		sw_jw_obj(&w, "metrics");
		for (size_t i = 0; i < f->n_metrics; i++)
			sw_jw_raw(&w, f->metrics[i].name, f->metrics[i].value, strlen(f->metrics[i].value));
		sw_jw_obj_end(&w);
	}
	sw_jw_obj_end(&w);
	return sw_source_report.check(sw_buf_str(out), out->n, err);
}
