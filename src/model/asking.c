/*
 * What a person is asked stands right behind the first line, whatever the template, so that it is never cut: until when, what silence
 * means, where to answer, or how where there is no page for it.
 */
#include "base/str.h"
#include "model/text.h"
#include "model/words.h"
#include "shipwatch/clock.h"

static const char *word(const struct text *t, enum sw_word w)
{
	return sw_word(w, t->al->locale);
}

void text_asking(struct text *t)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf until = SW_BUF_INIT, command = SW_BUF_INIT;
	const struct sw_alert *al = t->al;
	size_t body;

	if (!al->ask || !*al->ask)
		return;
	sw_time_print_local(al->ask_until, al->tz_offset_s, true, &until);
	text_line_begin(t, SW_TMPL_WORDS);
	sw_buf_printf(&t->b, "%s%s", word(t, SW_W_UNTIL), word(t, SW_W_COLON));
	text_words(t, sw_buf_str(&until));
	sw_buf_printf(&t->b, "%s%s", word(t, SW_W_COMMA), word(t, al->ask_proceeds ? SW_W_ELSE_DONE : SW_W_ELSE_NOT));
	text_line_end(t, SW_TMPL_WORDS);
	text_line_begin(t, SW_TMPL_WORDS);
	body = t->b.n;
	text_value(t, SW_TV_LINK_FIRST + SW_LINK_APPROVAL, 0);
	if (t->b.n == body) {
		sw_buf_printf(&command, "shipwatch approve %s --by NAME", al->ask);
		sw_buf_printf(&t->b, "%s%s", word(t, SW_W_DECIDE), word(t, SW_W_COLON));
		text_words(t, sw_buf_str(&command));
	}
	text_line_end(t, SW_TMPL_WORDS);
}
