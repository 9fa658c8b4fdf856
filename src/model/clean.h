/* What comes from outside, made harmless for a markup. Links: sw_alert_url. */
#ifndef SW_MODEL_CLEAN_H
#define SW_MODEL_CLEAN_H

#include "shipwatch/alert.h"
#include "shipwatch/buf.h"

/* One line of at most max bytes of the original; nothing in it mentions, links or forms markup. NULL adds nothing. */
void sw_clean_words(struct sw_buf *out, enum sw_markup markup, const char *s, size_t max);
/* How a markup writes this character as itself: Slack and mail have a way for some. NULL: it has none. */
const char *sw_clean_entity(enum sw_markup markup, char c);

#endif
