/*
 * Fuzzes what people are told: any alert, in every markup and within any budget, is valid UTF-8, short enough and
 * harmless; written as JSON and read again it says the same. The first two bytes choose the budget.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/text_rules.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail(const char *what, const struct sw_buf *b)
{
	(void)fprintf(stderr, "%s in:\n%s\n", what, sw_buf_str(b));
	abort();
}

static void fuzz_markups(const struct sw_alert *al, size_t max, struct sw_buf *ret)
{
	for (int m = SW_MARKUP_PLAIN; m < SW_MARKUP_COUNT; m++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT, rest = SW_BUF_INIT, head = SW_BUF_INIT;
		const char *wrong;

		sw_alert_rest(al, (enum sw_markup)m, max, &rest);
		wrong = text_rules_lines(&rest, (enum sw_markup)m, max, 1);
		if (wrong)
			fail(wrong, &rest);
		sw_alert_head(al, (enum sw_markup)m, max, &head);
		wrong = text_rules_broken(&head, (enum sw_markup)m, max);
		if (wrong)
			fail(wrong, &head);

		sw_alert_text(al, (enum sw_markup)m, max, &b);
		wrong = text_rules_broken(&b, (enum sw_markup)m, max);
		if (wrong)
			fail(wrong, &b);
		if (!b.n && max >= 64)
			fail("nothing", &b);
		sw_buf_catn(ret, sw_buf_str(&b), b.n);
	}
}

static void fuzz_title(const struct sw_alert *al, size_t max)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	const char *wrong;

	sw_alert_title(al, max, &b);
	wrong = text_rules_broken(&b, SW_MARKUP_PLAIN, max);
	if (wrong || memchr(sw_buf_str(&b), '\n', b.n))
		fail(wrong ? wrong : "two lines", &b);
}

/* There and back: the copy says the same. */
static void fuzz_again(const struct sw_alert *al, const struct sw_buf *text, size_t max, struct sw_arena *a)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf json = SW_BUF_INIT, again = SW_BUF_INIT;
	struct sw_alert copy;
	struct sw_jnode *root;
	struct sw_jw w;

	sw_jw_init(&w, &json);
	sw_alert_write(al, &w, NULL);
	if (sw_jtree_parse(a, json.p, json.n, 100000, &root, NULL) < 0)
		fail("not JSON", &json);
	sw_alert_read(root, a, &copy);
	fuzz_markups(&copy, max, &again);
	if (again.n != text->n || memcmp(sw_buf_str(&again), sw_buf_str(text), text->n) != 0)
		fail("not the same after reading it again", &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf text = SW_BUF_INIT;
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
	struct sw_jnode *root;
	struct sw_alert al;
	size_t max;

	if (size < 2 || sw_jtree_parse(&a, (const char *)data + 2, size - 2, 10000, &root, NULL) < 0)
		return 0;
	max = (size_t)(data[0] | data[1] << 8) % 20000;
	sw_alert_read(root, &a, &al);
	fuzz_markups(&al, max, &text);
	fuzz_title(&al, max);
	fuzz_again(&al, &text, max, &a);
	return 0;
}
