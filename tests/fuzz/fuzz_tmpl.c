/*
 * Fuzzes templates of messages: whatever the text, it is read or refused with a place; what is read gives, in every markup and within
 * any budget, a message that is short enough and valid UTF-8. The first two bytes choose the budget.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/text_rules.h"
#include "model/tmpl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sw_finding findings[] = { { "p95 > 1500ms", "1.82s", "1.5s", "310ms" }, { "@all <b>", NULL, NULL, NULL } };
static struct sw_commit commits[] = { { .sha = "a1b2c3d4e5", .title = "[x](y) **", .author = "Lin" }, { .title = NULL } };
static const char *files[] = { "a.c", "{file}" };
static const struct sw_alert alert = {
	.id = "al-1", .news = SW_NEWS_FIRING, .severity = SW_SEV_CRITICAL, .rule = "r", .service = "web", .environment = "prod", .verdict = "fail",
	.kind = "deployment", .findings = findings, .n_findings = 2, .sha = "a1b2c3d4e5", .user = "lin", .commits = commits, .n_commits = 2,
	.commits_total = 20, .files = files, .n_files = 2, .watch_id = "w1", .links = { "https://ci.example.com/1?a=1&b=2" },
};

static void check(const struct sw_buf *b, size_t max)
{
	if (b->n > max || text_rules_bytes(sw_buf_str(b), b->n)) {
		(void)fprintf(stderr, "%zu of %zu bytes:\n%s\n", b->n, max, sw_buf_str(b));
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sw_arena a = { 0 };
	const struct sw_tmpl *t = NULL;
	struct sw_diags d;
	size_t max;

	if (size < 2)
		return 0;
	max = (size_t)data[0] * 256 + data[1];
	sw_diags_init(&d, &a);
	if (sw_tmpl_parse(&a, "t", (const char *)data + 2, size - 2, &t, &d) < 0) {
		if (!d.errors || strncmp(d.first->text, "t:", 2) != 0)
			abort();
	} else {
		for (int m = 0; m < 2 * SW_MARKUP_COUNT; m++) {
			SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT, head = SW_BUF_INIT, rest = SW_BUF_INIT;
			struct sw_alert al = alert;

			al.tmpl = t;
			al.locale = m < SW_MARKUP_COUNT ? SW_LOCALE_EN : SW_LOCALE_ZH;
			sw_alert_text(&al, (enum sw_markup)(m % SW_MARKUP_COUNT), max, &b);
			sw_alert_head(&al, (enum sw_markup)(m % SW_MARKUP_COUNT), max, &head);
			sw_alert_rest(&al, (enum sw_markup)(m % SW_MARKUP_COUNT), max, &rest);
			check(&b, max);
			check(&head, max);
			check(&rest, max);
		}
	}
	sw_arena_fini(&a);
	return 0;
}
