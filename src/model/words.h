/* The words of ours in a message, in each language. */
#ifndef SW_MODEL_WORDS_H
#define SW_MODEL_WORDS_H

#include "shipwatch/alert.h"

/* clang-format off */
enum sw_word {
	SW_W_BEFORE, SW_W_LIMIT, SW_W_RULE, SW_W_VERSION, SW_W_REPO, SW_W_BRANCH, SW_W_TAG, SW_W_COMMIT, SW_W_ALARM, SW_W_BY, SW_W_DEPLOYED, SW_W_AT,
	SW_W_ROLLBACK, SW_W_RUN, SW_W_COMMITS, SW_W_FILES, SW_W_MORE, SW_W_MORE_END, SW_W_DRY, SW_W_REPEAT, SW_W_RESOLVED, SW_W_COLON,
	SW_W_COMMA, SW_W_APPROVED_BY, SW_W_REFUSED_BY, SW_W_UNTIL, SW_W_ELSE_NOT, SW_W_ELSE_DONE, SW_W_DECIDE, SW_W_COUNT
};
/* clang-format on */

const char *sw_word(enum sw_word w, enum sw_locale l);
const char *sw_word_severity(enum sw_severity s, enum sw_locale l);
const char *sw_word_link(enum sw_link_kind k, enum sw_locale l);
/* What happened, where the news itself says it; NULL for firing, resolved and notice. */
const char *sw_word_news(enum sw_alert_news n, enum sw_locale l);
/* A word or sentence of the engine or of an event in the reader's language; what is not known stays as it is. NULL in,
 * NULL out. */
const char *sw_word_known(const char *s, enum sw_locale l);

#endif
