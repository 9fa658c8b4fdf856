/* The words of ours in a message, in each language. */
#ifndef SW_MODEL_WORDS_H
#define SW_MODEL_WORDS_H

#include "shipwatch/alert.h"

/* clang-format off */
enum sw_word {
	SW_W_BEFORE, SW_W_LIMIT, SW_W_VERSION, SW_W_COMMIT, SW_W_ALARM, SW_W_MORE, SW_W_MORE_END, SW_W_DRY, SW_W_REPEAT, SW_W_RESOLVED,
	SW_W_COLON, SW_W_COMMA, SW_W_WAITED, SW_W_SINCE, SW_W_OTHERS, SW_W_FIRING, SW_W_NOTICE, SW_W_UNLISTED,
	SW_W_UNTIL, SW_W_ELSE_NOT, SW_W_ELSE_DONE, SW_W_DECIDE, SW_WORDS
};
/* clang-format on */

const char *sw_word(enum sw_word w, enum sw_locale l);
const char *sw_word_severity(enum sw_severity s, enum sw_locale l);
const char *sw_word_link(enum sw_link_kind k, enum sw_locale l);
/* What happened, where the news itself says it; NULL for firing, resolved and notice. */
const char *sw_word_news(enum sw_alert_news n, enum sw_locale l);
/* Why a watch ended as it did: "pre-existing" is "it was so before", in every language; what is none stays. NULL in, NULL out. */
const char *sw_word_reason(const char *s, enum sw_locale l);
/* A word or sentence of the engine or of an event in the reader's language; what is not known stays as it is. NULL in,
 * NULL out. */
const char *sw_word_known(const char *s, enum sw_locale l);
struct sw_buf;
/*
 * The same for a sentence about a rollback, in which names, numbers and answers of hosts may stand (said.c). It is s itself, or stands
 * in room until that changes. NULL in, NULL out.
 */
const char *sw_word_said(const char *s, enum sw_locale l, struct sw_buf *room);
/*
 * What a comparison saw (a value, a limit, what was before, a note) or why a watch had no verdict, as people read it: "too_few" is "too
 * little data"; numbers and texts from outside stay. In every language; lifetimes as above.
 */
const char *sw_word_seen(const char *s, enum sw_locale l, struct sw_buf *room);

#endif
