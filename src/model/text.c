/*
 * What a message says: an alert composed to lines by a template (tmpl.h, the channel's or the default one), cut from the bottom.
 * What the values in it say, and how they are made harmless, is in value.c; this file knows lines, what stands around them in each
 * markup, and the budget.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "model/clean.h"
#include "model/text.h"
#include "model/words.h"

#define TAIL_MAX 40
#define DOT      " · " /* between values of one line */

#define HTML_HEAD  "<div style=\"font-size:1.15em;font-weight:bold;margin:0 0 .5em\">"
#define HTML_QUOTE "<div style=\"border-left:3px solid #c0c0c0;padding-left:.6em\">"
#define HTML_ITEM  "<div style=\"padding-left:.6em\">• "

static const struct look looks[SW_MARKUP_COUNT] = {
	[SW_MARKUP_PLAIN] = { { "", "", "  ", "- " }, { "", "", "", "" }, "", "", "[", "] ", "\n" },
	[SW_MARKUP_DINGTALK] = { { "#### ", "", "> ", "- " }, { "", "", "", "" }, "**", "**", "【", "】", "\n\n" },
	[SW_MARKUP_WECOM] = { { "", "", "> ", "- " }, { "</font>", "", "", "" }, "**", "**", "【", "】", "\n" },
	/* neither quotes nor lists: the next line would be taken into them */
	[SW_MARKUP_FEISHU] = { { "", "", "• ", "• " }, { "", "", "", "" }, "**", "**", "【", "】", "\n" },
	[SW_MARKUP_SLACK] = { { "*", "", "> ", "• " }, { "*", "", "", "" }, "*", "*", "[", "] ", "\n" },
	[SW_MARKUP_HTML] = { { HTML_HEAD, "<div>", HTML_QUOTE, HTML_ITEM }, { "</div>", "</div>", "</div>", "</div>" },
	                     "<b>", "</b>", "[", "] ", "\n" },
};

static const char *word(const struct text *t, enum sw_word w)
{
	return sw_word(w, t->al->locale);
}

/* ---- lines ---- */

void text_line_begin(struct text *t, enum sw_tmpl_kind kind)
{
	static const char *const colors[] = { "comment", "warning", "warning" };

	if (t->n == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 32;
		t->lines = sw_realloc(t->lines, t->cap * sizeof *t->lines);
	}
	t->lines[t->n] = (struct line){ .from = t->b.n, .weight = 1 };
	sw_buf_cat(&t->b, t->look->open[kind]);
	if (t->markup == SW_MARKUP_WECOM && kind == SW_TMPL_HEAD)
		sw_buf_printf(&t->b, "<font color=\"%s\">", t->al->news == SW_NEWS_RESOLVED ? "info" : colors[t->al->severity]);
	t->lines[t->n++].body = t->b.n;
}

void text_line_end(struct text *t, enum sw_tmpl_kind kind)
{
	struct line *l = &t->lines[t->n - 1];

	sw_buf_cat(&t->b, t->look->close[kind]);
	l->n = t->b.n - l->from;
}

void text_line_drop(struct text *t)
{
	sw_buf_truncate(&t->b, t->lines[--t->n].from);
}

static void more_line(struct text *t, size_t more)
{
	if (!more)
		return;
	text_line_begin(t, SW_TMPL_WORDS);
	sw_buf_printf(&t->b, "%s%zu%s", word(t, SW_W_MORE), more, word(t, SW_W_MORE_END));
	text_line_end(t, SW_TMPL_WORDS);
	t->lines[t->n - 1].weight = more;
}

/* ---- a line of the template ---- */

/* Words of the template's author: as they are, but in mail, which is text and HTML of one template. */
static void put_literal(struct text *t, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *e = t->markup == SW_MARKUP_HTML ? sw_clean_entity(t->markup, s[i]) : NULL;

		if (e)
			sw_buf_cat(&t->b, e);
		else
			sw_buf_putc(&t->b, s[i]);
	}
}

/* A value that stands out. Slack sees emphasis only between blanks, which a colon of Chinese is not. */
static void put_strong(struct text *t, size_t body)
{
	if (t->markup == SW_MARKUP_SLACK && t->b.n > body && t->b.p[t->b.n - 1] != ' ')
		sw_buf_putc(&t->b, ' ');
	sw_buf_cat(&t->b, t->look->strong);
}

/* A dot between values that comes first stands between nothing. */
static void drop_dot(struct text *t, size_t body)
{
	size_t n = strlen(DOT);

	if (t->b.n - body < n || memcmp(t->b.p + body, DOT, n) != 0)
		return;
	memmove(t->b.p + body, t->b.p + body + n, t->b.n - body - n);
	sw_buf_truncate(&t->b, t->b.n - n);
}

/* What the line says, behind what there is; bare: without emphasis. False: all its values are empty, or it has nothing to say. */
static bool put_line(struct text *t, const struct sw_tmpl_line *l, size_t item, bool bare)
{
	size_t body = t->b.n, maybe = 0, from;
	bool values = false, said = false, part_values = false, part_said = false;

	for (size_t i = 0; i < l->n; i++) {
		const struct sw_tmpl_piece *p = &l->pieces[i];

		switch (p->op) {
		case SW_TMPL_TEXT: put_literal(t, p->s, p->n); break;
		case SW_TMPL_VALUE:
			from = t->b.n;
			text_value(t, p->value, item);
			values = part_values = true;
			part_said |= t->b.n > from;
			said |= t->b.n > from;
			break;
		case SW_TMPL_MAYBE:
			maybe = t->b.n;
			part_values = part_said = false;
			break;
		case SW_TMPL_MAYBE_END:
			if (part_values && !part_said)
				sw_buf_truncate(&t->b, maybe);
			break;
		case SW_TMPL_STRONG:
			if (!bare)
				put_strong(t, body);
			break;
		case SW_TMPL_STRONG_END: sw_buf_cat(&t->b, bare ? "" : t->look->strong_end); break;
		}
	}
	drop_dot(t, body);
	return (said || !values) && t->b.n > body;
}

static void compose_line(struct text *t, size_t source)
{
	const struct sw_tmpl_line *l = &t->tmpl->lines[source];
	size_t more, n = text_items(t, l->list, &more);

	for (size_t i = 0; i < n; i++) {
		text_line_begin(t, l->kind);
		t->lines[t->n - 1].source = source;
		t->lines[t->n - 1].item = i;
		if (put_line(t, l, i, false))
			text_line_end(t, l->kind);
		else
			text_line_drop(t);
	}
	more_line(t, more);
}

static const struct sw_tmpl *default_template(struct text *t)
{
	const char *text = sw_tmpl_default(t->al->locale);
	const struct sw_tmpl *ret;
	struct sw_diags d;

	sw_diags_init(&d, &t->a);
	SW_ASSERT(sw_tmpl_parse(&t->a, "<default>", text, strlen(text), &ret, &d) == 0);
	return ret;
}

/* A digest has no template: it is of many alerts. */
static void compose(struct text *t)
{
	if (t->al->digest) {
		text_digest(t);
		return;
	}
	t->tmpl = t->al->tmpl ? t->al->tmpl : default_template(t);
	for (size_t i = 0; i < t->tmpl->n; i++) {
		compose_line(t, i);
		if (i == 0 && t->n)
			text_asking(t);
	}
	if (t->n)
		return;
	t->tmpl = default_template(t); /* of this alert the template has nothing to say: one line at the least */
	compose_line(t, 0);
	text_asking(t);
}

/* ---- the budget ---- */

/* Bytes of s up to max that end neither within a character nor within an entity. */
static size_t words_cut(enum sw_markup markup, const char *s, size_t n, size_t max)
{
	size_t cut = sw_utf8_cut(s, n, max), i = cut;

	if (!sw_clean_entity(markup, '&') || cut == n)
		return cut;
	while (i > 0 && cut - i < sizeof "&quot;" - 1 && s[i - 1] != '&' && s[i - 1] != ';')
		i--;
	return i > 0 && s[i - 1] == '&' ? i - 1 : cut;
}

/* The first line alone does not fit: its words, cut. Markup of a template's author cannot be cut: then ours says it. */
static void emit_head(struct text *t, size_t max, struct sw_buf *out)
{
	size_t from = t->b.n, n;

	if (t->al->digest)
		text_digest_head(t);
	else
		(void)put_line(t, &t->tmpl->lines[t->lines[0].source], t->lines[0].item, true);
	n = t->b.n - from;
	if (n > max && t->al->tmpl && !t->al->digest && t->markup != SW_MARKUP_PLAIN) {
		sw_buf_truncate(&t->b, from);
		(void)put_line(t, &default_template(t)->lines[0], 0, true);
		n = t->b.n - from;
	}
	if (n > max)
		n = max > 3 ? words_cut(t->markup, t->b.p + from, n, max - 3) : 0;
	sw_buf_catn(out, t->b.p + from, n);
	if (n < t->b.n - from && max > 3)
		sw_buf_cat(out, "…");
}

/* "… +12 more", in whatever opens and closes a line of words; it is no longer than TAIL_MAX. */
static void emit_tail(struct text *t, size_t more, struct sw_buf *out)
{
	sw_buf_printf(out, "%s%s%zu%s%s", t->look->open[SW_TMPL_WORDS], word(t, SW_W_MORE), more, word(t, SW_W_MORE_END),
	              t->look->close[SW_TMPL_WORDS]);
}

/* Lines first.. as far as they fit, then how many more there were. The budget for a line alone was looked at before. */
static void emit_lines(struct text *t, size_t first, size_t max, struct sw_buf *out)
{
	const char *sep = t->look->sep;
	size_t sep_n = strlen(sep), all = 0, used = 0, i, more = 0;

	for (i = first; i < t->n; i++)
		all += t->lines[i].n + (i > first ? sep_n : 0);
	for (i = first; i < t->n; i++) {
		size_t n = t->lines[i].n + (i > first ? sep_n : 0);

		if (all > max && used + n + sep_n + TAIL_MAX > max)
			break;
		sw_buf_cat(out, i > first ? sep : "");
		sw_buf_catn(out, t->b.p + t->lines[i].from, t->lines[i].n);
		used += n;
	}
	for (; i < t->n; i++)
		more += t->lines[i].weight;
	if (!more || used + sep_n + TAIL_MAX > max)
		return;
	sw_buf_cat(out, used ? sep : "");
	emit_tail(t, more, out);
}

static void emit(struct text *t, size_t max, struct sw_buf *out)
{
	size_t sep_n = strlen(t->look->sep), all = 0;

	for (size_t i = 0; i < t->n; i++)
		all += t->lines[i].n + (i ? sep_n : 0);
	if (t->lines[0].n + (t->n > 1 ? sep_n + TAIL_MAX : 0) > max && all > max)
		emit_head(t, max, out);
	else
		emit_lines(t, 0, max, out);
}

/* Composed again with fewer lines of a digest until all of it fits: which places lost theirs stands there by name. */
static void compose_to(struct text *t, size_t max)
{
	size_t all;

	t->listed = t->al->digest ? t->al->digest->n_lines : 0;
	for (;;) {
		compose(t);
		all = t->n ? (t->n - 1) * strlen(t->look->sep) : 0;
		for (size_t i = 0; i < t->n; i++)
			all += t->lines[i].n;
		if (all <= max || !t->listed)
			return;
		t->listed--;
		sw_buf_reset(&t->b);
		t->n = 0;
	}
}

static void text_fini(struct text *t)
{
	sw_buf_fini(&t->b);
	free(t->lines);
	sw_arena_fini(&t->a);
}

#define TEXT(al, markup)                                                                                               \
	{                                                                                                              \
		.al = (al), .markup = (markup), .look = &looks[markup]                                                 \
	}

void sw_alert_text(const struct sw_alert *al, enum sw_markup markup, size_t max_bytes, struct sw_buf *out)
{
	SW_CLEANUP(text_fini) struct text t = TEXT(al, markup);

	compose_to(&t, max_bytes);
	emit(&t, max_bytes, out);
}

void sw_alert_rest(const struct sw_alert *al, enum sw_markup markup, size_t max_bytes, struct sw_buf *out)
{
	SW_CLEANUP(text_fini) struct text t = TEXT(al, markup);

	compose_to(&t, max_bytes);
	emit_lines(&t, 1, max_bytes, out);
}

void sw_alert_head(const struct sw_alert *al, enum sw_markup markup, size_t max_bytes, struct sw_buf *out)
{
	SW_CLEANUP(text_fini) struct text t = TEXT(al, markup);

	compose(&t);
	emit_head(&t, max_bytes, out);
}

void sw_alert_title(const struct sw_alert *al, size_t max_bytes, struct sw_buf *out)
{
	sw_alert_head(al, SW_MARKUP_PLAIN, max_bytes, out);
}
