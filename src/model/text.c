/*
 * What a message says: an alert composed to lines in the order of design 4.3, cut from the bottom. Everything that came
 * from outside passes one of two doors of clean.c: text_put (words) and sw_alert_url (links), which leave nothing that a
 * chat would act on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "model/clean.h"
#include "model/words.h"
#include "shipwatch/alert.h"
#include "shipwatch/buf.h"
#include "shipwatch/clock.h"

#define WORDS_MAX 400 /* bytes of one text from outside */
#define COMMITS   10 /* shown; the rest is counted */
#define FILES     15
#define SHA_SHOWN 8
#define TAIL_MAX  40

/* What a line is decides what stands around it. */
enum kind { LINE_HEAD, LINE_WORDS, LINE_QUOTE, LINE_ITEM, LINE_KINDS };

struct line {
	size_t from, body, n, weight; /* body: where it begins behind what opens the line */
};

/* How a markup looks. Card and mail show the severity by a colour of their own. */
struct look {
	const char *open[LINE_KINDS], *close[LINE_KINDS];
	const char *strong, *strong_end;
	const char *tag, *tag_end; /* around the severity */
	const char *sep;           /* between lines */
};

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

struct text {
	const struct sw_alert *al;
	enum sw_markup markup;
	const struct look *look;
	struct sw_buf b;
	struct line *lines;
	size_t n, cap;
};

static const char *word(const struct text *t, enum sw_word w)
{
	return sw_word(w, t->al->locale);
}

static const char *translated(const struct text *t, const char *s)
{
	return sw_word_known(s, t->al->locale);
}

/* What is said about a rollback: words of the engine, and in brackets what is not ours to translate, such as who it was. */
static const char *detail(const struct text *t, struct sw_buf *room)
{
	static const struct { const char *says; enum sw_word w; } people[] = {
		{ "approved by ", SW_W_APPROVED_BY }, { "refused by ", SW_W_REFUSED_BY },
	};
	const char *s = t->al->rollback_detail, *more = strstr(s, " ("), *head;

	for (size_t i = 0; i < SW_COUNT(people); i++)
		if (sw_starts(s, people[i].says)) { /* what is behind it is a name */
			sw_buf_reset(room);
			sw_buf_cat(room, word(t, people[i].w));
			sw_buf_cat(room, s + strlen(people[i].says));
			return sw_buf_str(room);
		}
	if (!more)
		return translated(t, s);
	sw_buf_reset(room);
	sw_buf_catn(room, s, (size_t)(more - s));
	head = translated(t, sw_buf_str(room));
	if (head == sw_buf_str(room))
		return s;
	sw_buf_reset(room);
	sw_buf_cat(room, head);
	sw_buf_cat(room, more);
	return sw_buf_str(room);
}

/* ---- what is put into lines ---- */

static void text_put(struct text *t, const char *s)
{
	sw_clean_words(&t->b, t->markup, s, WORDS_MAX);
}

/* ---- lines ---- */

static void line_begin(struct text *t, enum kind kind)
{
	if (t->n == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 32;
		t->lines = sw_realloc(t->lines, t->cap * sizeof *t->lines);
	}
	t->lines[t->n] = (struct line){ .from = t->b.n, .weight = 1 };
	sw_buf_cat(&t->b, t->look->open[kind]);
	t->lines[t->n++].body = t->b.n;
}

static void line_end(struct text *t, enum kind kind)
{
	struct line *l = &t->lines[t->n - 1];

	if (t->b.n == l->body) { /* there was nothing to say */
		sw_buf_truncate(&t->b, l->from);
		t->n--;
		return;
	}
	sw_buf_cat(&t->b, t->look->close[kind]);
	l->n = t->b.n - l->from;
}

/* "name: value" behind what stands in the line already. */
static void text_pair(struct text *t, enum sw_word name, const char *value)
{
	if (!value || !*value)
		return;
	if (t->b.n > t->lines[t->n - 1].body)
		sw_buf_cat(&t->b, " · ");
	sw_buf_cat(&t->b, word(t, name));
	sw_buf_cat(&t->b, word(t, SW_W_COLON));
	text_put(t, value);
}

static void text_time(struct text *t, enum sw_word name, sw_ms at)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	if (!at)
		return;
	sw_time_print_local(at, t->al->tz_offset_s, true, &b);
	text_pair(t, name, sw_buf_str(&b));
}

static void text_sha(struct text *t, const char *sha)
{
	char s[SHA_SHOWN + 1];

	(void)snprintf(s, sizeof s, "%s", sha);
	text_put(t, s);
}

static void more_line(struct text *t, size_t more)
{
	if (!more)
		return;
	line_begin(t, LINE_WORDS);
	sw_buf_printf(&t->b, "%s%zu%s", word(t, SW_W_MORE), more, word(t, SW_W_MORE_END));
	line_end(t, LINE_WORDS);
	t->lines[t->n - 1].weight = more;
}

/* ---- the first line ---- */

static const char *first_of(const char *a, const char *b, const char *c)
{
	return a && *a ? a : b && *b ? b : c;
}

/* Service and environment, or the next best name of where it happened. */
static void head_place(struct text *t)
{
	const struct sw_alert *al = t->al;

	text_put(t, first_of(al->service, al->repo, "shipwatch"));
	if (al->environment && *al->environment) {
		sw_buf_putc(&t->b, '/');
		text_put(t, al->environment);
	}
}

static void head_part(struct text *t, bool *said, const char *s)
{
	if (!s || !*s)
		return;
	sw_buf_cat(&t->b, word(t, *said ? SW_W_COMMA : SW_W_COLON));
	text_put(t, s);
	*said = true;
}

/* What happened, in a few words. */
static void head_what(struct text *t)
{
	const struct sw_alert *al = t->al;
	const char *news = sw_word_news(al->news, al->locale), *finding = al->n_findings ? al->findings[0].text : NULL;
	SW_CLEANUP(sw_buf_fini) struct sw_buf room = SW_BUF_INIT;
	bool said = false;

	head_part(t, &said, news);
	if (al->news == SW_NEWS_FIRING)
		head_part(t, &said, translated(t, al->verdict));
	if (al->news >= SW_NEWS_ROLLBACK_WAITING && al->news <= SW_NEWS_ROLLBACK_INEFFECTIVE && al->rollback_detail)
		head_part(t, &said, detail(t, &room));
	else if (first_of(finding, al->summary, NULL))
		head_part(t, &said, first_of(finding, al->summary, NULL));
	else if (al->verdict && al->news == SW_NEWS_INCONCLUSIVE)
		head_part(t, &said, translated(t, first_of(al->reason, al->rule, NULL)));
	else
		head_part(t, &said, first_of(al->rule, al->title, NULL));
	if (!al->verdict && al->kind && al->event_status) {
		head_part(t, &said, translated(t, al->kind));
		sw_buf_putc(&t->b, ' ');
		text_put(t, translated(t, al->event_status));
	}
}

static void head_words(struct text *t)
{
	const struct sw_alert *al = t->al;
	const char *open = t->look->tag, *close = t->look->tag_end;
	const char *tag =
	    al->news == SW_NEWS_RESOLVED ? word(t, SW_W_RESOLVED) : sw_word_severity(al->severity, al->locale);

	sw_buf_printf(&t->b, "%s%s%s", open, tag, close);
	if (al->dry_run)
		sw_buf_printf(&t->b, "%s%s%s", open, word(t, SW_W_DRY), close);
	head_place(t);
	head_what(t);
	if (al->repeat)
		sw_buf_printf(&t->b, " (%s)", word(t, SW_W_REPEAT));
}

static void compose_head(struct text *t)
{
	static const char *const colors[] = { "comment", "warning", "warning" };
	const char *color = t->al->news == SW_NEWS_RESOLVED ? "info" : colors[t->al->severity];

	line_begin(t, LINE_HEAD);
	if (t->markup == SW_MARKUP_WECOM)
		sw_buf_printf(&t->b, "<font color=\"%s\">", color);
	head_words(t);
	line_end(t, LINE_HEAD);
}

/* ---- what follows ---- */

/* A value that stands out. Slack sees emphasis only between blanks, which a colon of Chinese is not. */
static void put_strong(struct text *t, const char *s)
{
	if (t->markup == SW_MARKUP_SLACK && t->b.p[t->b.n - 1] != ' ')
		sw_buf_putc(&t->b, ' ');
	sw_buf_cat(&t->b, t->look->strong);
	text_put(t, s);
	sw_buf_cat(&t->b, t->look->strong_end);
}

static void compose_finding(struct text *t, const struct sw_finding *f)
{
	const struct {
		enum sw_word w;
		const char *v;
	} extra[] = { { SW_W_LIMIT, f->limit }, { SW_W_BEFORE, f->before } };
	bool open = false;

	line_begin(t, LINE_QUOTE);
	text_put(t, first_of(f->text, "?", NULL));
	if (f->value && *f->value) {
		sw_buf_cat(&t->b, word(t, SW_W_COLON));
		put_strong(t, f->value);
	}
	for (size_t i = 0; i < SW_COUNT(extra); i++) {
		if (!extra[i].v || !*extra[i].v)
			continue;
		sw_buf_printf(&t->b, "%s%s ", open ? ", " : " (", word(t, extra[i].w));
		text_put(t, extra[i].v);
		open = true;
	}
	sw_buf_cat(&t->b, open ? ")" : "");
	line_end(t, LINE_QUOTE);
}

static void put_version(struct text *t, const char *version, const char *sha)
{
	if (version && *version)
		text_put(t, version);
	if (!sha || !*sha)
		return;
	sw_buf_cat(&t->b, version && *version ? " (" : "");
	text_sha(t, sha);
	sw_buf_cat(&t->b, version && *version ? ")" : "");
}

static void compose_version(struct text *t)
{
	const struct sw_alert *al = t->al;

	if (first_of(al->version, al->sha, NULL)) {
		line_begin(t, LINE_WORDS);
		sw_buf_printf(&t->b, "%s%s", word(t, al->version && *al->version ? SW_W_VERSION : SW_W_COMMIT),
		              word(t, SW_W_COLON));
		put_version(t, al->version, al->sha);
		if (first_of(al->prev_version, al->prev_sha, NULL)) {
			sw_buf_cat(&t->b, " ← ");
			put_version(t, al->prev_version, al->prev_sha);
		}
		line_end(t, LINE_WORDS);
	}
	line_begin(t, LINE_WORDS);
	text_pair(t, SW_W_BY, first_of(al->user, al->author, NULL));
	text_time(t, SW_W_DEPLOYED, al->kind && strcmp(al->kind, "deployment") == 0 ? al->deployed_at : 0);
	text_time(t, SW_W_AT, al->fired_at);
	line_end(t, LINE_WORDS);
	line_begin(t, LINE_WORDS);
	text_pair(t, SW_W_REPO, al->repo);
	text_pair(t, SW_W_BRANCH, al->branch);
	text_pair(t, SW_W_TAG, al->tag);
	line_end(t, LINE_WORDS);
	line_begin(t, LINE_WORDS);
	text_pair(t, sw_streq(al->kind, "alarm") ? SW_W_ALARM : SW_W_COMMIT, al->n_commits ? NULL : al->title);
	line_end(t, LINE_WORDS);
}

static void compose_rollback(struct text *t)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf room = SW_BUF_INIT;
	const struct sw_alert *al = t->al;

	if (!first_of(al->rollback_action, al->rollback_state, NULL))
		return;
	line_begin(t, LINE_WORDS);
	text_pair(t, SW_W_ROLLBACK, first_of(al->rollback_action, translated(t, al->rollback_state), NULL));
	if (al->rollback_action && *al->rollback_action && al->rollback_state) {
		sw_buf_cat(&t->b, word(t, SW_W_COMMA));
		text_put(t, translated(t, al->rollback_state));
	}
	if (al->rollback_detail && *al->rollback_detail) {
		sw_buf_cat(&t->b, word(t, SW_W_COMMA));
		text_put(t, detail(t, &room));
	}
	line_end(t, LINE_WORDS);
}

static void put_link(struct text *t, const char *name, const char *url)
{
	switch (t->markup) {
	case SW_MARKUP_PLAIN: sw_buf_printf(&t->b, "%s%s%s", name, word(t, SW_W_COLON), url); break;
	case SW_MARKUP_SLACK: sw_buf_printf(&t->b, "<%s|%s>", url, name); break;
	case SW_MARKUP_HTML: sw_buf_printf(&t->b, "<a href=\"%s\">%s</a>", url, name); break;
	case SW_MARKUP_DINGTALK:
	case SW_MARKUP_WECOM:
	case SW_MARKUP_FEISHU:
	case SW_MARKUP_COUNT: sw_buf_printf(&t->b, "[%s](%s)", name, url); break;
	}
}

/* In Slack and HTML the '&' of a query is written as an entity. False: there is no such link. */
static bool compose_link(struct text *t, enum sw_link_kind kind)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf url = SW_BUF_INIT, out = SW_BUF_INIT;

	if (!sw_alert_url(t->al->links[kind], &url))
		return false;
	for (size_t j = 0; j < url.n; j++) {
		if (sw_clean_entity(t->markup, url.p[j]))
			sw_buf_cat(&out, sw_clean_entity(t->markup, url.p[j]));
		else
			sw_buf_putc(&out, url.p[j]);
	}
	line_begin(t, LINE_WORDS);
	put_link(t, sw_word_link(kind, t->al->locale), sw_buf_str(&out));
	line_end(t, LINE_WORDS);
	return true;
}

static void compose_links(struct text *t)
{
	for (size_t i = SW_LINK_APPROVAL + 1; i < SW_LINK_COUNT; i++)
		(void)compose_link(t, (enum sw_link_kind)i);
}

/*
 * What a person is asked stands right behind the first line, so that it is never cut: until when, what silence means, where to answer,
 * or how where there is no page for it.
 */
static void compose_ask(struct text *t)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	const struct sw_alert *al = t->al;

	if (!first_of(al->ask, NULL, NULL))
		return;
	line_begin(t, LINE_WORDS);
	text_time(t, SW_W_UNTIL, al->ask_until);
	sw_buf_printf(&t->b, "%s%s", word(t, SW_W_COMMA), word(t, al->ask_proceeds ? SW_W_ELSE_DONE : SW_W_ELSE_NOT));
	line_end(t, LINE_WORDS);
	if (compose_link(t, SW_LINK_APPROVAL))
		return;
	sw_buf_printf(&b, "shipwatch approve %s --by NAME", al->ask);
	line_begin(t, LINE_WORDS);
	text_pair(t, SW_W_DECIDE, sw_buf_str(&b));
	line_end(t, LINE_WORDS);
}

static void compose_commits(struct text *t)
{
	const struct sw_alert *al = t->al;
	size_t total = SW_MAX(al->n_commits, al->commits_total > 0 ? (size_t)al->commits_total : 0);
	size_t shown = SW_MIN(al->n_commits, COMMITS);

	if (!shown)
		return;
	line_begin(t, LINE_WORDS);
	sw_buf_printf(&t->b, "%s (%zu)", word(t, SW_W_COMMITS), total);
	line_end(t, LINE_WORDS);
	for (size_t i = 0; i < shown; i++) {
		const struct sw_commit *c = &al->commits[i];

		line_begin(t, LINE_ITEM);
		text_sha(t, first_of(c->sha, "?", NULL));
		sw_buf_putc(&t->b, ' ');
		text_put(t, c->title);
		if (c->author && *c->author) {
			sw_buf_cat(&t->b, " — ");
			text_put(t, c->author);
		}
		line_end(t, LINE_ITEM);
	}
	more_line(t, total - shown);
}

static void compose_files(struct text *t)
{
	const struct sw_alert *al = t->al;
	size_t shown = SW_MIN(al->n_files, FILES);

	if (!shown)
		return;
	line_begin(t, LINE_WORDS);
	sw_buf_printf(&t->b, "%s (%zu%s)", word(t, SW_W_FILES), al->n_files, al->files_cut ? "+" : "");
	line_end(t, LINE_WORDS);
	for (size_t i = 0; i < shown; i++) {
		line_begin(t, LINE_ITEM);
		text_put(t, al->files[i]);
		line_end(t, LINE_ITEM);
	}
	more_line(t, al->n_files - shown);
}

static void compose(struct text *t)
{
	const struct sw_alert *al = t->al;

	compose_head(t);
	compose_ask(t);
	line_begin(t, LINE_WORDS);
	text_put(t, al->n_findings || al->news >= SW_NEWS_ROLLBACK_WAITING ? al->summary
	                                                                   : NULL); /* else the head has it */
	line_end(t, LINE_WORDS);
	for (size_t i = 0; i < al->n_findings; i++)
		compose_finding(t, &al->findings[i]);
	line_begin(t, LINE_WORDS);
	text_pair(t, SW_W_RULE, al->rule);
	line_end(t, LINE_WORDS);
	compose_version(t);
	compose_rollback(t);
	compose_links(t);
	line_begin(t, LINE_WORDS);
	text_pair(t, SW_W_RUN, al->ci_run_id);
	line_end(t, LINE_WORDS);
	compose_commits(t);
	compose_files(t);
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

/* The first line alone does not fit: its words, cut. */
static void emit_head(struct text *t, size_t max, struct sw_buf *out)
{
	size_t from = t->b.n, n;

	head_words(t);
	n = t->b.n - from;
	if (n > max)
		n = max > 3 ? words_cut(t->markup, t->b.p + from, n, max - 3) : 0;
	sw_buf_catn(out, t->b.p + from, n);
	if (n < t->b.n - from && max > 3)
		sw_buf_cat(out, "…");
}

/* "… +12 more", in whatever opens and closes a line of words; it is no longer than TAIL_MAX. */
static void emit_tail(struct text *t, size_t more, struct sw_buf *out)
{
	sw_buf_printf(out, "%s%s%zu%s%s", t->look->open[LINE_WORDS], word(t, SW_W_MORE), more, word(t, SW_W_MORE_END),
	              t->look->close[LINE_WORDS]);
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

static void text_fini(struct text *t)
{
	sw_buf_fini(&t->b);
	free(t->lines);
}

#define TEXT(al, markup)                                                                                               \
	{                                                                                                              \
		.al = (al), .markup = (markup), .look = &looks[markup]                                                 \
	}

void sw_alert_text(const struct sw_alert *al, enum sw_markup markup, size_t max_bytes, struct sw_buf *out)
{
	SW_CLEANUP(text_fini) struct text t = TEXT(al, markup);

	compose(&t);
	emit(&t, max_bytes, out);
}

void sw_alert_rest(const struct sw_alert *al, enum sw_markup markup, size_t max_bytes, struct sw_buf *out)
{
	SW_CLEANUP(text_fini) struct text t = TEXT(al, markup);

	compose(&t);
	emit_lines(&t, 1, max_bytes, out);
}

void sw_alert_head(const struct sw_alert *al, enum sw_markup markup, size_t max_bytes, struct sw_buf *out)
{
	SW_CLEANUP(text_fini) struct text t = TEXT(al, markup);

	emit_head(&t, max_bytes, out);
}

void sw_alert_title(const struct sw_alert *al, size_t max_bytes, struct sw_buf *out)
{
	sw_alert_head(al, SW_MARKUP_PLAIN, max_bytes, out);
}
