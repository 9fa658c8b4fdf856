/*
 * What each value of a template says. Everything that came from outside passes one of two doors of clean.c: put (words) and
 * sw_alert_url (links), which leave nothing that a chat would act on; what a template's author wrote around it does not matter to that.
 */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "model/clean.h"
#include "model/text.h"
#include "model/words.h"
#include "shipwatch/clock.h"

#define WORDS_MAX 400 /* bytes of one text from outside */
#define SHA_SHOWN 8

static const char *word(const struct text *t, enum sw_word w)
{
	return sw_word(w, t->al->locale);
}

static const char *translated(const struct text *t, const char *s)
{
	return sw_word_known(s, t->al->locale);
}

static const char *first_of(const char *a, const char *b, const char *c)
{
	return a && *a ? a : b && *b ? b : c;
}

void text_words(struct text *t, const char *s)
{
	sw_clean_words(&t->b, t->markup, s, WORDS_MAX);
}

static void put(struct text *t, const char *s)
{
	text_words(t, s);
}

/* A sentence about a rollback. */
static void put_said(struct text *t, const char *s)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf room = SW_BUF_INIT;

	put(t, sw_word_said(s, t->al->locale, &room));
}

static void put_sha(struct text *t, const char *sha)
{
	char s[SHA_SHOWN + 1];

	(void)snprintf(s, sizeof s, "%s", sha ? sha : "");
	put(t, s);
}

static void put_time(struct text *t, sw_ms at)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	if (!at)
		return;
	sw_time_print_local(at, t->al->tz_offset_s, true, &b);
	put(t, sw_buf_str(&b));
}

/* ---- what happened ---- */

static void put_tag(struct text *t, const char *s)
{
	sw_buf_printf(&t->b, "%s%s%s", t->look->tag, s, t->look->tag_end);
}

static void put_label(struct text *t)
{
	const struct sw_alert *al = t->al;

	put_tag(t, al->news == SW_NEWS_RESOLVED ? word(t, SW_W_RESOLVED) : sw_word_severity(al->severity, al->locale));
	if (al->dry_run)
		put_tag(t, word(t, SW_W_DRY));
}

/* Service and environment, or the next best name of where it happened. */
static void put_place(struct text *t)
{
	const struct sw_alert *al = t->al;

	put(t, first_of(al->service, al->repo, "shipwatch"));
	if (al->environment && *al->environment) {
		sw_buf_putc(&t->b, '/');
		put(t, al->environment);
	}
}

static void what_part(struct text *t, size_t from, const char *s)
{
	if (!s || !*s)
		return;
	if (t->b.n > from)
		sw_buf_cat(&t->b, word(t, SW_W_COMMA));
	put(t, s);
}

/* Words of the engine are translated; those of a rule or of a commit are not ours. */
static void put_what(struct text *t)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf room = SW_BUF_INIT;
	const struct sw_alert *al = t->al;
	const char *own = first_of(al->n_findings ? al->findings[0].text : NULL, al->summary, NULL);
	size_t from = t->b.n;

	what_part(t, from, sw_word_news(al->news, al->locale));
	if (al->news == SW_NEWS_FIRING)
		what_part(t, from, translated(t, al->verdict));
	if (al->news >= SW_NEWS_ROLLBACK_WAITING && al->news <= SW_NEWS_ROLLBACK_INEFFECTIVE && al->rollback_detail)
		what_part(t, from, sw_word_said(al->rollback_detail, al->locale, &room));
	else if (own)
		what_part(t, from, own);
	else if (al->verdict && al->news == SW_NEWS_INCONCLUSIVE)
		what_part(t, from, al->reason && *al->reason ? sw_word_reason(al->reason, al->locale) : al->rule);
	else
		what_part(t, from, first_of(al->rule, al->title, NULL));
	if (!al->verdict && al->kind && al->event_status) {
		what_part(t, from, translated(t, al->kind));
		sw_buf_putc(&t->b, ' ');
		put(t, translated(t, al->event_status));
	}
}

/* ---- versions ---- */

static bool has_version(const struct sw_alert *al)
{
	return first_of(al->version, al->sha, NULL);
}

static void put_version(struct text *t, const char *version, const char *sha)
{
	if (version && *version)
		put(t, version);
	if (!sha || !*sha)
		return;
	sw_buf_cat(&t->b, version && *version ? " (" : "");
	put_sha(t, sha);
	sw_buf_cat(&t->b, version && *version ? ")" : "");
}

/* ---- rollback ---- */

static void put_rollback(struct text *t)
{
	const struct sw_alert *al = t->al;

	if (!first_of(al->rollback_action, al->rollback_state, NULL))
		return;
	put(t, first_of(al->rollback_action, translated(t, al->rollback_state), NULL));
	if (al->rollback_action && *al->rollback_action && al->rollback_state) {
		sw_buf_cat(&t->b, word(t, SW_W_COMMA));
		put(t, translated(t, al->rollback_state));
	}
	if (al->rollback_detail && *al->rollback_detail) {
		sw_buf_cat(&t->b, word(t, SW_W_COMMA));
		put_said(t, al->rollback_detail);
	}
}

/* ---- lists ---- */

/* A value, or why there is none? */
static bool seen_value(const char *s)
{
	return sw_word_seen(s, SW_LOCALE_EN, NULL) == s;
}

/* What a comparison saw. */
static void put_seen(struct text *t, const char *s)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf room = SW_BUF_INIT;

	put(t, sw_word_seen(s, t->al->locale, &room));
}

/* "limit 1.5s, before 310ms"; "limit: too little data" where there is none. */
static void put_limits(struct text *t, const struct sw_finding *f)
{
	const struct {
		enum sw_word w;
		const char *v;
	} extra[] = { { SW_W_LIMIT, f->limit }, { SW_W_BEFORE, f->before } };
	bool said = false;

	for (size_t i = 0; i < SW_COUNT(extra); i++) {
		if (!extra[i].v || !*extra[i].v)
			continue;
		sw_buf_printf(&t->b, "%s%s%s", said ? ", " : "", word(t, extra[i].w), seen_value(extra[i].v) ? " " : word(t, SW_W_COLON));
		put_seen(t, extra[i].v);
		said = true;
	}
}

static bool link_known(const char *url)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	return sw_alert_url(url, &b);
}

/* In Slack and HTML the '&' of a query is written as an entity. */
static void put_link(struct text *t, enum sw_link_kind kind)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf raw = SW_BUF_INIT, out = SW_BUF_INIT;
	const char *name = sw_word_link(kind, t->al->locale), *url;

	if (!sw_alert_url(t->al->links[kind], &raw))
		return;
	for (size_t j = 0; j < raw.n; j++) {
		if (sw_clean_entity(t->markup, raw.p[j]))
			sw_buf_cat(&out, sw_clean_entity(t->markup, raw.p[j]));
		else
			sw_buf_putc(&out, raw.p[j]);
	}
	url = sw_buf_str(&out);
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

/* The n-th link that is known. */
static void put_nth_link(struct text *t, size_t item)
{
	for (size_t i = SW_LINK_APPROVAL + 1; i < SW_LINK_COUNT; i++) /* that one has a line of its own */
		if (link_known(t->al->links[i]) && item-- == 0) {
			put_link(t, (enum sw_link_kind)i);
			return;
		}
}

static size_t commits_total(const struct sw_alert *al)
{
	return SW_MAX(al->n_commits, al->commits_total > 0 ? (size_t)al->commits_total : 0);
}

size_t text_items(const struct text *t, enum sw_tmpl_list list, size_t *ret_more)
{
	const struct sw_alert *al = t->al;
	size_t n = 1, all = 1;

	switch (list) {
	case SW_TMPL_ONCE: break;
	case SW_TMPL_CONDITIONS: n = all = al->n_findings; break;
	case SW_TMPL_COMMITS:
		n = SW_MIN(al->n_commits, TEXT_COMMITS);
		all = n ? commits_total(al) : 0;
		break;
	case SW_TMPL_FILES:
		n = SW_MIN(al->n_files, TEXT_FILES);
		all = al->n_files;
		break;
	case SW_TMPL_LINKS:
		n = 0;
		for (size_t i = SW_LINK_APPROVAL + 1; i < SW_LINK_COUNT; i++)
			n += link_known(al->links[i]);
		all = n;
		break;
	}
	*ret_more = all - n;
	return n;
}

static void put_finding(struct text *t, enum sw_tmpl_value v, const struct sw_finding *f)
{
	if (v == SW_TV_CONDITION)
		put(t, first_of(f->text, "?", NULL));
	else if (v == SW_TV_CONDITION_VALUE)
		put_seen(t, f->value);
	else if (v == SW_TV_CONDITION_LIMIT)
		put_seen(t, f->limit);
	else if (v == SW_TV_CONDITION_BEFORE)
		put_seen(t, f->before);
	else
		put_limits(t, f);
}

static void put_commit(struct text *t, enum sw_tmpl_value v, const struct sw_commit *c)
{
	if (v == SW_TV_COMMIT_SHA)
		put_sha(t, first_of(c->sha, "?", NULL));
	else
		put(t, v == SW_TV_COMMIT_TITLE ? c->title : c->author);
}

/* ---- all of them ---- */

void text_value(struct text *t, enum sw_tmpl_value v, size_t item)
{
	const struct sw_alert *al = t->al;

	if (v >= SW_TV_LINK_FIRST) {
		put_link(t, (enum sw_link_kind)(v - SW_TV_LINK_FIRST));
		return;
	}
	switch (v) {
	case SW_TV_LABEL: put_label(t); break;
	case SW_TV_SEVERITY: put(t, sw_word_severity(al->severity, al->locale)); break;
	case SW_TV_DRY_RUN: put(t, al->dry_run ? word(t, SW_W_DRY) : NULL); break;
	case SW_TV_PLACE: put_place(t); break;
	case SW_TV_SERVICE: put(t, al->service); break;
	case SW_TV_ENVIRONMENT: put(t, al->environment); break;
	case SW_TV_WHAT: put_what(t); break;
	case SW_TV_NEWS: put(t, sw_word_news(al->news, al->locale)); break;
	case SW_TV_REPEAT: put(t, al->repeat ? word(t, SW_W_REPEAT) : NULL); break;
	case SW_TV_VERDICT: put(t, translated(t, al->verdict)); break;
	case SW_TV_REASON: put(t, sw_word_reason(al->reason, al->locale)); break;
	case SW_TV_RULE: put(t, al->rule); break;
	case SW_TV_SUMMARY: /* else {what} has it */
		put(t, al->n_findings || al->news >= SW_NEWS_ROLLBACK_WAITING ? al->summary : NULL);
		break;
	case SW_TV_KIND: put(t, translated(t, al->kind)); break;
	case SW_TV_STATUS: put(t, translated(t, al->event_status)); break;
	case SW_TV_VERSION_NAME:
		put(t, has_version(al) ? word(t, al->version && *al->version ? SW_W_VERSION : SW_W_COMMIT) : NULL);
		break;
	case SW_TV_VERSION: put_version(t, al->version, al->sha); break;
	case SW_TV_PREVIOUS:
		if (has_version(al))
			put_version(t, al->prev_version, al->prev_sha);
		break;
	case SW_TV_SHA: put_sha(t, al->sha); break;
	case SW_TV_BY: put(t, first_of(al->user, al->author, NULL)); break;
	case SW_TV_USER: put(t, al->user); break;
	case SW_TV_AUTHOR: put(t, al->author); break;
	case SW_TV_DEPLOYED: put_time(t, sw_streq(al->kind, "deployment") ? al->deployed_at : 0); break;
	case SW_TV_AT: put_time(t, al->fired_at); break;
	case SW_TV_REPO: put(t, al->repo); break;
	case SW_TV_BRANCH: put(t, al->branch); break;
	case SW_TV_TAG: put(t, al->tag); break;
	case SW_TV_TITLE_NAME:
		put(t, al->n_commits || !al->title || !*al->title ? NULL : word(t, sw_streq(al->kind, "alarm") ? SW_W_ALARM : SW_W_COMMIT));
		break;
	case SW_TV_TITLE: put(t, al->n_commits ? NULL : al->title); break;
	case SW_TV_ROLLBACK: put_rollback(t); break;
	case SW_TV_ROLLBACK_ACTION: put(t, al->rollback_action); break;
	case SW_TV_ROLLBACK_STATE: put(t, translated(t, al->rollback_state)); break;
	case SW_TV_ROLLBACK_DETAIL: put_said(t, al->rollback_detail); break;
	case SW_TV_RUN: put(t, al->ci_run_id); break;
	case SW_TV_WATCH: put(t, al->watch_id); break;
	case SW_TV_ALERT: put(t, al->id); break;
	case SW_TV_COMMITS:
		if (al->n_commits)
			sw_buf_printf(&t->b, "%zu", commits_total(al));
		break;
	case SW_TV_FILES:
		if (al->n_files)
			sw_buf_printf(&t->b, "%zu%s", al->n_files, al->files_cut ? "+" : "");
		break;
	case SW_TV_CONDITION:
	case SW_TV_CONDITION_VALUE:
	case SW_TV_CONDITION_LIMIT:
	case SW_TV_CONDITION_BEFORE:
	case SW_TV_CONDITION_LIMITS: put_finding(t, v, &al->findings[item]); break;
	case SW_TV_COMMIT_SHA:
	case SW_TV_COMMIT_TITLE:
	case SW_TV_COMMIT_AUTHOR: put_commit(t, v, &al->commits[item]); break;
	case SW_TV_FILE: put(t, al->files[item]); break;
	case SW_TV_LINK: put_nth_link(t, item); break;
	case SW_TV_LINK_FIRST:
	case SW_TV_COUNT: break;
	}
}
