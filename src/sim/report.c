/* What came of tests of rules: as a table of coverage, as JUnit XML, as JSON. The same tests give the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "sim/sim.h"

void sw_sim_report_fini(struct sim_report *r)
{
	free(r->results);
	free(r->covers);
	sw_arena_fini(&r->a);
	*r = (struct sim_report){ 0 };
}

/* Columns as wide as their text is long in characters, not in bytes. */
static void table_cell(struct sw_buf *out, const char *s, size_t width)
{
	size_t chars = 0;

	for (const char *p = s; *p; p++)
		chars += ((unsigned char)*p & 0xc0) != 0x80;
	sw_buf_cat(out, s);
	for (; chars < width; chars++)
		sw_buf_putc(out, ' ');
}

void sw_sim_coverage(const struct sim_report *r, struct sw_buf *out)
{
	size_t width = 4;

	for (size_t i = 0; i < r->n_covers; i++)
		width = SW_MAX(width, strlen(r->covers[i].rule));
	width = SW_MIN(width, 60);
	table_cell(out, "rule", width);
	for (int k = 0; k < SIM_TESTED; k++) {
		sw_buf_cat(out, "  ");
		table_cell(out, sw_sim_tested_names[k], strlen(sw_sim_tested_names[k]));
	}
	sw_buf_cat(out, "  where\n");
	for (size_t i = 0; i < r->n_covers; i++) {
		const struct sim_cover *c = &r->covers[i];

		table_cell(out, c->rule, width);
		for (int k = 0; k < SIM_TESTED; k++) {
			sw_buf_cat(out, "  ");
			table_cell(out, !c->wanted[k] ? "-" : c->done[k] ? "yes" : "NO", strlen(sw_sim_tested_names[k]));
		}
		sw_buf_printf(out, "  %s:%u\n", c->file, c->line);
	}
}

/* XML 1.0 has no control characters, however they are written. */
static void xml_text(struct sw_buf *out, const char *s)
{
	struct sw_buf clean = SW_BUF_INIT;

	sw_utf8_clean(&clean, s, strlen(s), false);
	for (const char *p = sw_buf_str(&clean); *p; p++) {
		switch (*p) {
		case '&': sw_buf_cat(out, "&amp;"); break;
		case '<': sw_buf_cat(out, "&lt;"); break;
		case '>': sw_buf_cat(out, "&gt;"); break;
		case '"': sw_buf_cat(out, "&quot;"); break;
		default: sw_buf_putc(out, (unsigned char)*p < ' ' && *p != '\n' && *p != '\t' ? '?' : *p); break;
		}
	}
	sw_buf_fini(&clean);
}

static void junit_case(const struct sim_result *t, struct sw_buf *out)
{
	size_t line = t->why ? strcspn(t->why, "\n") : 0;
	char *first = t->why ? sw_strndup(t->why, line) : NULL;

	sw_buf_cat(out, "    <testcase classname=\"");
	xml_text(out, t->file);
	sw_buf_cat(out, "\" name=\"");
	xml_text(out, t->name);
	sw_buf_cat(out, "\" file=\"");
	xml_text(out, t->file);
	sw_buf_printf(out, "\" line=\"%u\"", t->line);
	if (!t->why) {
		sw_buf_cat(out, "/>\n");
		return;
	}
	sw_buf_cat(out, ">\n      <failure message=\"");
	xml_text(out, first);
	sw_buf_cat(out, "\">");
	xml_text(out, t->why);
	sw_buf_cat(out, "</failure>\n    </testcase>\n");
	free(first);
}

void sw_sim_junit(const struct sim_report *r, struct sw_buf *out)
{
	sw_buf_printf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"shipwatch test\" tests=\"%zu\" failures=\"%u\" errors=\"0\">\n",
	              r->n, r->failed);
	for (size_t i = 0; i < r->n;) {
		size_t end = i, failed = 0;

		for (; end < r->n && sw_streq(r->results[end].file, r->results[i].file); end++)
			failed += r->results[end].why != NULL;
		sw_buf_cat(out, "  <testsuite name=\"");
		xml_text(out, r->results[i].file);
		sw_buf_printf(out, "\" tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"0\">\n", end - i, failed);
		for (; i < end; i++)
			junit_case(&r->results[i], out);
		sw_buf_cat(out, "  </testsuite>\n");
	}
	sw_buf_cat(out, "</testsuites>\n");
}

void sw_sim_report_json(const struct sim_report *r, struct sw_buf *out)
{
	struct sw_jw w;

	sw_jw_init(&w, out);
	sw_jw_obj(&w, NULL);
	sw_jw_int(&w, "passed", r->passed);
	sw_jw_int(&w, "failed", r->failed);
	sw_jw_arr(&w, "tests");
	for (size_t i = 0; i < r->n; i++) {
		const struct sim_result *t = &r->results[i];

		sw_jw_obj(&w, NULL);
		sw_jw_str(&w, "file", t->file);
		sw_jw_int(&w, "line", t->line);
		sw_jw_str(&w, "name", t->name);
		sw_jw_bool(&w, "passed", !t->why);
		sw_jw_opt(&w, "why", t->why);
		sw_jw_obj_end(&w);
	}
	sw_jw_arr_end(&w);
	sw_jw_arr(&w, "coverage");
	for (size_t i = 0; i < r->n_covers; i++) {
		const struct sim_cover *c = &r->covers[i];

		sw_jw_obj(&w, NULL);
		sw_jw_str(&w, "rule", c->rule);
		sw_jw_str(&w, "file", c->file);
		sw_jw_int(&w, "line", c->line);
		for (int k = 0; k < SIM_TESTED; k++)
			if (c->wanted[k])
				sw_jw_bool(&w, sw_sim_tested_names[k], c->done[k]);
		sw_jw_obj_end(&w);
	}
	sw_jw_arr_end(&w);
	sw_jw_obj_end(&w);
	sw_buf_putc(out, '\n');
}
