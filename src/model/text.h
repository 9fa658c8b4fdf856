/* A message while it is composed: what text.c (lines and their budget) and value.c (what each value says) share. */
#ifndef SW_MODEL_TEXT_H
#define SW_MODEL_TEXT_H

#include "model/tmpl.h"
#include "shipwatch/alert.h"
#include "shipwatch/buf.h"

#define TEXT_COMMITS 10 /* shown; the rest is counted */
#define TEXT_FILES   15

/* How a markup looks. Card and mail show the severity by a colour of their own. */
struct look {
	const char *open[SW_TMPL_KINDS], *close[SW_TMPL_KINDS];
	const char *strong, *strong_end;
	const char *tag, *tag_end; /* around the severity */
	const char *sep;           /* between lines */
};

struct line {
	size_t from, body, n, weight; /* body: where it begins behind what opens the line */
	size_t source, item;          /* line of the template; element of its list */
};

struct text {
	const struct sw_alert *al;
	const struct sw_tmpl *tmpl;
	enum sw_markup markup;
	const struct look *look;
	struct sw_buf b;
	struct line *lines;
	size_t n, cap;
	size_t listed;     /* of a digest's lines */
	struct sw_arena a; /* of the default template */
};

/* A line: what opens and closes it in this markup. */
void text_line_begin(struct text *t, enum sw_tmpl_kind kind);
void text_line_end(struct text *t, enum sw_tmpl_kind kind);
void text_line_drop(struct text *t); /* in place of its end: it is not there */
/* Words from outside, harmless in this markup. */
void text_words(struct text *t, const char *s);
/* Puts a value behind what there is; nothing where nothing is known. item: element of the line's list. */
void text_value(struct text *t, enum sw_tmpl_value v, size_t item);
/* How many elements of a list a line is repeated for; *ret_more: how many there are beyond those. */
size_t text_items(const struct text *t, enum sw_tmpl_list list, size_t *ret_more);

/* asking.c: the lines behind the first where a person is asked. */
void text_asking(struct text *t);
/* digest.c: all lines of al->digest, of its single messages the first `listed`; and its first line alone. */
void text_digest(struct text *t);
void text_digest_head(struct text *t);

#endif
