/*
 * Templates of messages: what a message says, line by line, in a language of one idea. docs/templates.md is its manual.
 *
 *   # {label}{place}{?: {what}?}          a heading; "> " quotes, "- " is an item of a list, all else are words
 *   > {condition}{?: **{condition.value}**?}
 *
 * {name} is a value. A line that has values, all of them empty, is dropped; so is a part between {? and ?}. A line with a value of a
 * list (condition, commit, file, link) stands once for each of its elements. ** around words makes them strong. {{ and }} are braces.
 * A line {# … #} is a comment, an empty line is for the eye. Nothing else is there: no loops, no conditions, nothing to evaluate.
 */
#ifndef SW_MODEL_TMPL_H
#define SW_MODEL_TMPL_H

#include "base/yaml.h"
#include "shipwatch/alert.h"

#define SW_TMPL_BYTES  ((size_t)16 * 1024)
#define SW_TMPL_LINES  100
#define SW_TMPL_PIECES 100 /* of one line */

enum sw_tmpl_kind { SW_TMPL_HEAD, SW_TMPL_WORDS, SW_TMPL_QUOTE, SW_TMPL_ITEM, SW_TMPL_KINDS };
enum sw_tmpl_list { SW_TMPL_ONCE, SW_TMPL_CONDITIONS, SW_TMPL_COMMITS, SW_TMPL_FILES, SW_TMPL_LINKS };

/* In the order of the table in tmpl.c. */
enum sw_tmpl_value {
	SW_TV_LABEL, SW_TV_SEVERITY, SW_TV_DRY_RUN, SW_TV_PLACE, SW_TV_SERVICE, SW_TV_ENVIRONMENT, SW_TV_WHAT, SW_TV_NEWS, SW_TV_REPEAT,
	SW_TV_VERDICT, SW_TV_REASON, SW_TV_RULE, SW_TV_SUMMARY, SW_TV_KIND, SW_TV_STATUS, SW_TV_VERSION_NAME, SW_TV_VERSION, SW_TV_PREVIOUS, SW_TV_SHA,
	SW_TV_BY, SW_TV_USER, SW_TV_AUTHOR, SW_TV_DEPLOYED, SW_TV_AT, SW_TV_REPO, SW_TV_BRANCH, SW_TV_TAG, SW_TV_TITLE_NAME, SW_TV_TITLE,
	SW_TV_ROLLBACK, SW_TV_ROLLBACK_ACTION, SW_TV_ROLLBACK_STATE, SW_TV_ROLLBACK_DETAIL, SW_TV_RUN, SW_TV_WATCH, SW_TV_ALERT, SW_TV_COMMITS,
	SW_TV_FILES, SW_TV_CONDITION, SW_TV_CONDITION_VALUE, SW_TV_CONDITION_LIMIT, SW_TV_CONDITION_BEFORE, SW_TV_CONDITION_LIMITS, SW_TV_COMMIT_SHA,
	SW_TV_COMMIT_TITLE, SW_TV_COMMIT_AUTHOR, SW_TV_FILE, SW_TV_LINK, SW_TV_LINK_FIRST, SW_TV_COUNT = SW_TV_LINK_FIRST + SW_LINK_COUNT
};

enum sw_tmpl_op { SW_TMPL_TEXT, SW_TMPL_VALUE, SW_TMPL_MAYBE, SW_TMPL_MAYBE_END, SW_TMPL_STRONG, SW_TMPL_STRONG_END };

struct sw_tmpl_piece {
	enum sw_tmpl_op op;
	enum sw_tmpl_value value; /* VALUE */
	const char *s;       /* TEXT: not ended by a zero */
	size_t n;
};

struct sw_tmpl_line {
	enum sw_tmpl_kind kind;
	enum sw_tmpl_list list;
	const struct sw_tmpl_piece *pieces;
	size_t n;
};

struct sw_tmpl {
	const char *text;    /* as it was read */
	size_t text_n;
	struct sw_tmpl_line *lines;
	size_t n;
};

/*
 * Reads a template. file: what mistakes are told with. *ret and what it holds are in a. Return: 0; -EINVAL when there was a mistake,
 * all of them are in d with line and column.
 */
SW_CHECKED int sw_tmpl_parse(struct sw_arena *a, const char *file, const char *text, size_t n, const struct sw_tmpl **ret, struct sw_diags *d);
/* The template that is used where a channel names none. */
const char *sw_tmpl_default(enum sw_locale l);
/* A value's name, and one line about it for the manual. */
const char *sw_tmpl_name(enum sw_tmpl_value v);
const char *sw_tmpl_help(enum sw_tmpl_value v);

#endif
