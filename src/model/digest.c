/* What a digest says: how many of what, where; then the newest messages one by one, as far as they fit. */
#include "base/str.h"
#include "model/text.h"
#include "model/words.h"
#include "shipwatch/clock.h"

static const char *word(const struct text *t, enum sw_word w)
{
	return sw_word(w, t->al->locale);
}

/* "14:03:21" */
static void put_clock(struct text *t, sw_ms at)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	sw_time_print_local(at, t->al->tz_offset_s, false, &b);
	sw_buf_cat(&t->b, sw_buf_str(&b));
}

static void put_place(struct text *t, const char *service, const char *environment)
{
	text_words(t, service ? service : word(t, SW_W_OTHERS));
	if (service && environment && *environment) {
		sw_buf_putc(&t->b, '/');
		text_words(t, environment);
	}
}

void text_digest_head(struct text *t)
{
	text_value(t, SW_TV_LABEL, 0);
	sw_buf_printf(&t->b, "%lld%s%s%s ", (long long)t->al->digest->total, word(t, SW_W_WAITED), word(t, SW_W_COMMA), word(t, SW_W_SINCE));
	put_clock(t, t->al->digest->from);
	if (t->al->repeat)
		sw_buf_printf(&t->b, " (%s)", word(t, SW_W_REPEAT));
}

static const char *digest_news(const struct text *t, enum sw_alert_news news)
{
	const char *s = sw_word_news(news, t->al->locale);

	return s ? s : word(t, news == SW_NEWS_RESOLVED ? SW_W_RESOLVED : news == SW_NEWS_FIRING ? SW_W_FIRING : SW_W_NOTICE);
}

static bool same_place(const struct sw_digest_count *c, const char *service, const char *environment)
{
	return sw_streq(c->service, service) && sw_streq(c->environment, environment);
}

/* "web/prod: critical firing 3, warning resolved 1" */
static size_t digest_place(struct text *t, const struct sw_digest *d, size_t i)
{
	const struct sw_digest_count *first = &d->counts[i];

	text_line_begin(t, SW_TMPL_QUOTE);
	put_place(t, first->service, first->environment);
	for (const char *sep = word(t, SW_W_COLON); i < d->n_counts && same_place(&d->counts[i], first->service, first->environment); i++) {
		sw_buf_printf(&t->b, "%s%s %s %lld", sep, sw_word_severity(d->counts[i].severity, t->al->locale), digest_news(t, d->counts[i].news),
		              (long long)d->counts[i].n);
		sep = word(t, SW_W_COMMA);
	}
	text_line_end(t, SW_TMPL_QUOTE);
	return i;
}

/* Which places have messages that no line below tells of, and how many. */
static void digest_unlisted(struct text *t, const struct sw_digest *d)
{
	const char *sep[2] = { word(t, SW_W_UNLISTED), word(t, SW_W_COLON) };

	text_line_begin(t, SW_TMPL_WORDS);
	for (size_t i = 0, next; i < d->n_counts; i = next) {
		int64_t n = 0;

		for (next = i; next < d->n_counts && same_place(&d->counts[next], d->counts[i].service, d->counts[i].environment); next++)
			n += d->counts[next].n;
		for (size_t k = 0; k < t->listed; k++)
			n -= d->counts[i].service && same_place(&d->counts[i], d->lines[k].service, d->lines[k].environment);
		if (n <= 0)
			continue;
		sw_buf_printf(&t->b, "%s%s", sep[0], sep[1]);
		sep[0] = word(t, SW_W_COMMA);
		sep[1] = "";
		put_place(t, d->counts[i].service, d->counts[i].environment);
		sw_buf_printf(&t->b, " %lld", (long long)n);
	}
	if (*sep[1])
		text_line_drop(t); /* all are listed */
	else
		text_line_end(t, SW_TMPL_WORDS);
}

void text_digest(struct text *t)
{
	const struct sw_digest *d = t->al->digest;

	text_line_begin(t, SW_TMPL_HEAD);
	text_digest_head(t);
	text_line_end(t, SW_TMPL_HEAD);
	for (size_t i = 0; i < d->n_counts;)
		i = digest_place(t, d, i);
	digest_unlisted(t, d);
	for (size_t i = 0; i < t->listed; i++) {
		const struct sw_digest_line *l = &d->lines[i];

		text_line_begin(t, SW_TMPL_ITEM);
		put_clock(t, l->at);
		sw_buf_printf(&t->b, " %s%s%s", t->look->tag, sw_word_severity(l->severity, t->al->locale), t->look->tag_end);
		put_place(t, l->service, l->environment);
		sw_buf_printf(&t->b, "%s%s", word(t, SW_W_COLON), digest_news(t, l->news));
		if (l->what && *l->what) {
			sw_buf_cat(&t->b, word(t, SW_W_COMMA));
			text_words(t, l->what);
		}
		text_line_end(t, SW_TMPL_ITEM);
	}
}
