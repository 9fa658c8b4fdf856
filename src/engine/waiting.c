/* What waits for a channel: counted by place, severity and kind of news; the newest as lines; and whose they are. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "engine/channel.h"

#define EACH(x, obj, key) for (const struct sw_jnode *x = sw_jget(obj, key) ? sw_jget(obj, key)->child : NULL; x; x = x->next)

static const char *const severities[] = { "info", "warning", "critical" };

static enum sw_severity severity_of(const char *s)
{
	for (size_t i = 0; i < SW_COUNT(severities); i++)
		if (sw_streq(severities[i], s))
			return (enum sw_severity)i;
	return SW_SEV_WARNING;
}

/* ---- as it is written ---- */

/* Bytes of one byte of text within a JSON string. */
static size_t written(unsigned char c)
{
	return c == '"' || c == '\\' ? 2 : c < 0x20 ? 6 : 1;
}

const char *sw_waiting_clip(const char *s, size_t max, struct sw_arena *a)
{
	size_t n = 0, bytes = 0;

	if (!s)
		return NULL;
	for (; s[n] && bytes + written((unsigned char)s[n]) <= max; n++)
		bytes += written((unsigned char)s[n]);
	return s[n] ? sw_arena_strndup(a, s, sw_utf8_cut(s, strlen(s), n)) : s;
}

/* Of a text in a list. */
static size_t written_item(const char *s)
{
	size_t n = 3;

	for (; *s; s++)
		n += written((unsigned char)*s);
	return n;
}

void sw_waiter_write(const struct waiter *x, struct sw_jw *w)
{
	sw_jw_str(w, "a", x->alert);
	sw_jw_str(w, "d", x->delivery);
	sw_jw_opt(w, "s", x->service);
	sw_jw_opt(w, "e", x->environment);
	sw_jw_opt(w, "what", x->what);
	sw_jw_str(w, "sev", severities[x->severity]);
	sw_jw_str(w, "news", sw_news_name(x->news));
	sw_jw_int(w, "at", x->at);
}

void sw_waiter_read(const struct sw_jnode *n, struct waiter *ret)
{
	*ret = (struct waiter){ .alert = sw_jstr(n, "a"), .delivery = sw_jstr(n, "d"), .service = sw_jstr(n, "s"), .environment = sw_jstr(n, "e"),
	                        .what = sw_jstr(n, "what"), .severity = severity_of(sw_jstr(n, "sev")), .news = sw_news_parse(sw_jstr(n, "news")),
	                        .at = sw_jint(n, "at", 0) };
}

void sw_waiting_load(const struct sw_jnode *n, struct sw_arena *a, struct waiting *w)
{
	memset(w, 0, sizeof *w);
	w->sum.counts = SW_ARENA_ARRAY(a, struct sw_digest_count, CHANNEL_COUNTS + 1);
	w->sum.lines = SW_ARENA_ARRAY(a, struct sw_digest_line, CHANNEL_LINES + 1);
	w->sum.total = sw_jint(n, "total", 0);
	w->sum.from = sw_jint(n, "from", 0);
	w->counted = sw_jint(n, "counted", 0);
	w->until = sw_jint(n, "until", 0);
	w->soon = sw_jint(n, "soon", 0);
	EACH(x, n, "counts") if (w->sum.n_counts < CHANNEL_COUNTS)
		w->sum.counts[w->sum.n_counts++] = (struct sw_digest_count){ .service = sw_jstr(x, "s"), .environment = sw_jstr(x, "e"),
			.severity = severity_of(sw_jstr(x, "sev")), .news = sw_news_parse(sw_jstr(x, "news")), .n = sw_jint(x, "n", 0) };
	EACH(x, n, "lines") if (w->sum.n_lines < CHANNEL_LINES) {
		w->line_of[w->sum.n_lines] = sw_jstr(x, "a");
		w->sum.lines[w->sum.n_lines++] = (struct sw_digest_line){ .service = sw_jstr(x, "s"), .environment = sw_jstr(x, "e"),
			.what = sw_jstr(x, "what"), .severity = severity_of(sw_jstr(x, "sev")), .news = sw_news_parse(sw_jstr(x, "news")),
			.at = sw_jint(x, "at", 0) };
	}
	EACH(x, n, "members") if (x->type == SW_J_STRING && w->n_members < CHANNEL_MEMBERS) {
		w->members[w->n_members++] = x->text;
		w->members_bytes += written_item(x->text);
	}
}

void sw_waiting_save(const struct waiting *w, struct sw_jw *jw, const char *key)
{
	sw_jw_obj(jw, key);
	sw_jw_int(jw, "total", w->sum.total);
	sw_jw_int(jw, "from", w->sum.from);
	sw_jw_int(jw, "counted", w->counted);
	sw_jw_int(jw, "until", w->until);
	if (w->soon)
		sw_jw_int(jw, "soon", w->soon);
	sw_jw_arr(jw, "counts");
	for (size_t i = 0; i < w->sum.n_counts; i++) {
		const struct sw_digest_count *c = &w->sum.counts[i];

		sw_jw_obj(jw, NULL);
		sw_jw_opt(jw, "s", c->service);
		sw_jw_opt(jw, "e", c->environment);
		sw_jw_str(jw, "sev", severities[c->severity]);
		sw_jw_str(jw, "news", sw_news_name(c->news));
		sw_jw_int(jw, "n", c->n);
		sw_jw_obj_end(jw);
	}
	sw_jw_arr_end(jw);
	sw_jw_arr(jw, "lines");
	for (size_t i = 0; i < w->sum.n_lines; i++) {
		const struct sw_digest_line *l = &w->sum.lines[i];

		sw_jw_obj(jw, NULL);
		sw_jw_opt(jw, "a", w->line_of[i]);
		sw_jw_opt(jw, "s", l->service);
		sw_jw_opt(jw, "e", l->environment);
		sw_jw_opt(jw, "what", l->what);
		sw_jw_str(jw, "sev", severities[l->severity]);
		sw_jw_str(jw, "news", sw_news_name(l->news));
		sw_jw_int(jw, "at", l->at);
		sw_jw_obj_end(jw);
	}
	sw_jw_arr_end(jw);
	sw_jw_arr(jw, "members");
	for (size_t i = 0; i < w->n_members; i++)
		sw_jw_str(jw, NULL, w->members[i]);
	sw_jw_arr_end(jw);
	sw_jw_obj_end(jw);
}

/* ---- counts ---- */

/* Where it is counted; *ret_at: else, with those of its place, behind what is as grave. */
static struct sw_digest_count *count_find(struct waiting *w, const struct sw_digest_count *c, size_t *ret_at)
{
	bool place = false;

	*ret_at = w->sum.n_counts;
	for (size_t i = 0; i < w->sum.n_counts; i++) {
		struct sw_digest_count *have = &w->sum.counts[i];

		if (!sw_streq(have->service, c->service) || !sw_streq(have->environment, c->environment))
			continue;
		if (have->severity == c->severity && have->news == c->news)
			return have;
		if (!place || have->severity >= c->severity)
			*ret_at = have->severity >= c->severity ? i + 1 : i;
		place = true;
	}
	return NULL;
}

/* One of another place than the limit allows is counted with the last of "others", whatever it is. */
static void count_add(struct waiting *w, struct sw_digest_count c)
{
	size_t at;
	struct sw_digest_count *have = count_find(w, &c, &at);

	if (!have && w->sum.n_counts >= CHANNEL_COUNTS - 3 && c.service) { /* room for others: one a severity */
		c.service = c.environment = NULL;
		c.news = SW_NEWS_NOTICE;
		have = count_find(w, &c, &at);
	}
	if (have) {
		have->n += c.n;
		return;
	}
	if (w->sum.n_counts == CHANNEL_COUNTS)
		return; /* cannot be: others are three at most */
	memmove(&w->sum.counts[at + 1], &w->sum.counts[at], (w->sum.n_counts - at) * sizeof c);
	w->sum.counts[at] = c;
	w->sum.n_counts++;
}

static void count_gone(struct waiting *w, struct sw_digest_count c)
{
	size_t at;
	struct sw_digest_count *have = count_find(w, &c, &at);

	if (!have) { /* it was one of others */
		c.service = c.environment = NULL;
		c.news = SW_NEWS_NOTICE;
		have = count_find(w, &c, &at);
	}
	if (!have || --have->n > 0)
		return;
	at = (size_t)(have - w->sum.counts);
	memmove(have, have + 1, (w->sum.n_counts - at - 1) * sizeof *have);
	w->sum.n_counts--;
}

/* ---- lines ---- */

static bool line_before(const struct sw_digest_line *a, const struct sw_digest_line *b)
{
	if ((a->severity == SW_SEV_CRITICAL) != (b->severity == SW_SEV_CRITICAL))
		return a->severity == SW_SEV_CRITICAL;
	return a->at >= b->at;
}

static void line_drop(struct waiting *w, size_t i)
{
	memmove(&w->sum.lines[i], &w->sum.lines[i + 1], (w->sum.n_lines - i - 1) * sizeof w->sum.lines[0]);
	memmove(&w->line_of[i], &w->line_of[i + 1], (w->sum.n_lines - i - 1) * sizeof w->line_of[0]);
	w->sum.n_lines--;
}

/* One line an alert: what it said last. One a place too many falls off the end. */
static void line_add(struct waiting *w, const struct sw_digest_line *l, const char *alert)
{
	size_t at = 0;

	for (size_t i = 0; alert && i < w->sum.n_lines; i++)
		if (sw_streq(w->line_of[i], alert)) {
			line_drop(w, i);
			break;
		}
	while (at < w->sum.n_lines && !line_before(l, &w->sum.lines[at]))
		at++;
	memmove(&w->sum.lines[at + 1], &w->sum.lines[at], (w->sum.n_lines - at) * sizeof *l);
	memmove(&w->line_of[at + 1], &w->line_of[at], (w->sum.n_lines - at) * sizeof w->line_of[0]);
	w->sum.lines[at] = *l;
	w->line_of[at] = alert;
	w->sum.n_lines++;
	if (w->sum.n_lines > CHANNEL_LINES)
		w->sum.n_lines = CHANNEL_LINES;
}

/* ---- members ---- */

/* A delivery begins with its alert's id, nearly always: said once is enough. */
static const char *member_text(const struct waiter *x, struct sw_arena *a)
{
	size_t n = strlen(x->alert);

	if (sw_starts(x->delivery, x->alert) && x->delivery[n] == '-')
		return sw_arena_printf(a, "%s %s", x->alert, x->delivery + n + 1);
	return sw_arena_printf(a, "%s =%s", x->alert, x->delivery);
}

void sw_waiting_member(const struct waiting *w, size_t i, struct sw_arena *a, const char **ret_alert, const char **ret_delivery)
{
	const char *m = w->members[i], *blank = strchr(m, ' ');
	size_t n = blank ? (size_t)(blank - m) : strlen(m);

	*ret_alert = sw_arena_strndup(a, m, n);
	if (!blank)
		*ret_delivery = *ret_alert;
	else if (blank[1] == '=')
		*ret_delivery = blank + 2;
	else
		*ret_delivery = sw_arena_printf(a, "%s-%s", *ret_alert, blank + 1);
}

static size_t member_find(const struct waiting *w, const char *member)
{
	size_t i = 0;

	while (i < w->n_members && strcmp(w->members[i], member) != 0)
		i++;
	return i;
}

static struct sw_digest_count waiter_count(const struct waiter *x, struct sw_arena *a)
{
	const char *service = x->service ? x->service : "shipwatch";

	return (struct sw_digest_count){ .service = sw_waiting_clip(service, CHANNEL_NAME, a), .environment = sw_waiting_clip(x->environment, CHANNEL_NAME, a),
	                                 .severity = x->severity, .news = x->news, .n = 1 };
}

bool sw_waiting_add(struct waiting *w, const struct waiter *x, sw_ms now, struct sw_arena *a, bool *ret_counted)
{
	const char *member = member_text(x, a);
	struct sw_digest_count c = waiter_count(x, a);
	struct sw_digest_line l = { .service = c.service, .environment = c.environment, .what = sw_waiting_clip(x->what, CHANNEL_WHAT, a),
	                            .severity = x->severity, .news = x->news, .at = x->at };
	size_t bytes = written_item(member);

	if (member_find(w, member) < w->n_members)
		return false;
	*ret_counted = w->n_members == CHANNEL_MEMBERS || w->members_bytes + bytes > CHANNEL_MEMBERS_BYTES;
	if (*ret_counted) {
		w->counted++;
	} else {
		w->members[w->n_members++] = member;
		w->members_bytes += bytes;
	}
	if (!w->sum.total++)
		w->sum.from = now;
	count_add(w, c);
	line_add(w, &l, sw_waiting_clip(x->alert, CHANNEL_NAME, a));
	return true;
}

void sw_waiting_lose(struct waiting *w, size_t i)
{
	w->members_bytes -= written_item(w->members[i]);
	memmove(&w->members[i], &w->members[i + 1], (w->n_members - i - 1) * sizeof w->members[0]);
	w->n_members--;
	w->counted++;
}

void sw_waiting_gone(struct waiting *w, const struct waiter *x, struct sw_arena *a)
{
	size_t i = member_find(w, member_text(x, a));

	if (i == w->n_members)
		return;
	sw_waiting_lose(w, i);
	w->counted--;
	w->sum.total--;
	count_gone(w, waiter_count(x, a));
	for (i = 0; i < w->sum.n_lines; i++)
		if (sw_streq(w->line_of[i], x->alert) && w->sum.lines[i].news == x->news) {
			line_drop(w, i);
			break;
		}
	if (!w->sum.total)
		sw_waiting_clear(w);
}

void sw_waiting_clear(struct waiting *w)
{
	w->sum.n_counts = w->sum.n_lines = w->n_members = w->members_bytes = 0;
	w->sum.total = w->counted = 0;
	w->sum.from = w->until = w->soon = 0;
}
