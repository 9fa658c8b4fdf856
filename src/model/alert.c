/* Alerts: names, and an alert as JSON and back. Members are named as the fields of struct sw_alert. */
#include "shipwatch/alert.h"

#include "base/json.h"
#include "base/str.h"

#define FINDINGS_MAX 100
#define MENTIONS_MAX 100
#define FILES_MAX    1000
#define DIGEST_MAX   100

static const char *const news_names[SW_NEWS_COUNT] = {
	"firing",          "inconclusive",     "rollback_waiting", "rollback_approved", "rollback_started",     "rollback_done",
	"rollback_failed", "rollback_unknown", "rollback_skipped", "rollback_ineffective", "reminder",
	"acked",           "resolved",         "closed",           "notice",
	"digest",          "channel_down",     "channel_up",       "flapping",
	"steady_firing",   "steady_resolved",  "quota",
};
static const char *const severity_names[] = { "info", "warning", "critical" };
static const char *const locale_names[] = { "en", "zh" };
static const char *const link_names[SW_LINK_COUNT] = { "approval",  "ci_log",    "compare", "environment",
	                                               "dashboard", "runbook", "logs", "alarm" };

const char *sw_news_name(enum sw_alert_news n)
{
	return news_names[n];
}

enum sw_alert_news sw_news_parse(const char *s)
{
	for (size_t i = 0; i < SW_COUNT(news_names); i++)
		if (sw_streq(news_names[i], s))
			return (enum sw_alert_news)i;
	return SW_NEWS_NOTICE;
}

/* Every member that is one text, in the order it is written. */
struct text_field {
	const char *name;
	size_t offset;
};
#define TEXT(f)                                                                                                        \
	{                                                                                                              \
#f, offsetof(struct sw_alert, f)                                                                       \
	}
static const struct text_field texts[] = {
	TEXT(id),
	TEXT(delivery),
	TEXT(rule),
	TEXT(summary),
	TEXT(service),
	TEXT(environment),
	TEXT(verdict),
	TEXT(reason),
	TEXT(kind),
	TEXT(event_status),
	TEXT(source),
	TEXT(repo),
	TEXT(branch),
	TEXT(tag),
	TEXT(version),
	TEXT(sha),
	TEXT(prev_version),
	TEXT(prev_sha),
	TEXT(user),
	TEXT(author),
	TEXT(title),
	TEXT(rollback_action),
	TEXT(rollback_state),
	TEXT(rollback_detail),
	TEXT(ask),
	TEXT(ci_run_id),
	TEXT(watch_id),
};

static const char **text_at(const struct sw_alert *al, const struct text_field *f)
{
	return (const char **)(void *)((char *)(uintptr_t)al + f->offset);
}

/* ---- to JSON ---- */

static void write_strings(struct sw_jw *w, const char *key, const char *const *list, size_t n)
{
	if (!n)
		return;
	sw_jw_arr(w, key);
	for (size_t i = 0; i < n; i++)
		sw_jw_str(w, NULL, list[i]);
	sw_jw_arr_end(w);
}

static void write_findings(const struct sw_alert *al, struct sw_jw *w)
{
	if (!al->n_findings)
		return;
	sw_jw_arr(w, "findings");
	for (size_t i = 0; i < al->n_findings; i++) {
		sw_jw_obj(w, NULL);
		sw_jw_opt(w, "text", al->findings[i].text);
		sw_jw_opt(w, "value", al->findings[i].value);
		sw_jw_opt(w, "limit", al->findings[i].limit);
		sw_jw_opt(w, "before", al->findings[i].before);
		sw_jw_obj_end(w);
	}
	sw_jw_arr_end(w);
}

static void write_commits(const struct sw_alert *al, struct sw_jw *w)
{
	if (!al->n_commits)
		return;
	sw_jw_arr(w, "commits");
	for (size_t i = 0; i < al->n_commits; i++) {
		const struct sw_commit *c = &al->commits[i];

		sw_jw_obj(w, NULL);
		sw_jw_opt(w, "sha", c->sha);
		sw_jw_opt(w, "title", c->title);
		sw_jw_opt(w, "author", c->author);
		sw_jw_opt(w, "author_email", c->author_email);
		sw_jw_opt(w, "url", c->url);
		if (c->at)
			sw_jw_int(w, "at", c->at);
		write_strings(w, "files", c->files, c->n_files);
		sw_jw_obj_end(w);
	}
	sw_jw_arr_end(w);
}

static void write_mentions(const struct sw_alert *al, struct sw_jw *w)
{
	if (!al->n_mentions)
		return;
	sw_jw_arr(w, "mentions");
	for (size_t i = 0; i < al->n_mentions; i++) {
		sw_jw_obj(w, NULL);
		sw_jw_opt(w, "name", al->mentions[i].name);
		sw_jw_opt(w, "mobile", al->mentions[i].mobile);
		sw_jw_opt(w, "dingtalk", al->mentions[i].dingtalk);
		sw_jw_opt(w, "wecom", al->mentions[i].wecom);
		sw_jw_opt(w, "feishu", al->mentions[i].feishu);
		sw_jw_opt(w, "slack", al->mentions[i].slack);
		sw_jw_opt(w, "email", al->mentions[i].email);
		sw_jw_obj_end(w);
	}
	sw_jw_arr_end(w);
}

static void write_digest(const struct sw_digest *d, struct sw_jw *w)
{
	if (!d)
		return;
	sw_jw_obj(w, "digest");
	sw_jw_int(w, "total", d->total);
	sw_jw_int(w, "from", d->from);
	sw_jw_arr(w, "counts");
	for (size_t i = 0; i < d->n_counts; i++) {
		sw_jw_obj(w, NULL);
		sw_jw_opt(w, "service", d->counts[i].service);
		sw_jw_opt(w, "environment", d->counts[i].environment);
		sw_jw_str(w, "severity", severity_names[d->counts[i].severity]);
		sw_jw_str(w, "news", sw_news_name(d->counts[i].news));
		sw_jw_int(w, "n", d->counts[i].n);
		sw_jw_obj_end(w);
	}
	sw_jw_arr_end(w);
	sw_jw_arr(w, "lines");
	for (size_t i = 0; i < d->n_lines; i++) {
		sw_jw_obj(w, NULL);
		sw_jw_opt(w, "service", d->lines[i].service);
		sw_jw_opt(w, "environment", d->lines[i].environment);
		sw_jw_opt(w, "what", d->lines[i].what);
		sw_jw_str(w, "severity", severity_names[d->lines[i].severity]);
		sw_jw_str(w, "news", sw_news_name(d->lines[i].news));
		sw_jw_int(w, "at", d->lines[i].at);
		sw_jw_obj_end(w);
	}
	sw_jw_arr_end(w);
	sw_jw_obj_end(w);
}

static void write_flag(struct sw_jw *w, const char *key, bool v)
{
	if (v)
		sw_jw_bool(w, key, true);
}

static void write_number(struct sw_jw *w, const char *key, int64_t v)
{
	if (v)
		sw_jw_int(w, key, v);
}

static void write_links(const struct sw_alert *al, struct sw_jw *w)
{
	sw_jw_obj(w, "links");
	for (size_t i = 0; i < SW_LINK_COUNT; i++)
		sw_jw_opt(w, link_names[i], al->links[i]);
	sw_jw_obj_end(w);
}

void sw_alert_write(const struct sw_alert *al, struct sw_jw *w, const char *key)
{
	size_t n_mobiles = 0;

	while (al->mobiles && al->mobiles[n_mobiles])
		n_mobiles++;
	sw_jw_obj(w, key);
	sw_jw_str(w, "news", sw_news_name(al->news));
	sw_jw_str(w, "severity", severity_names[al->severity]);
	if (al->rule_severity != al->severity)
		sw_jw_str(w, "rule_severity", severity_names[al->rule_severity]);
	for (size_t i = 0; i < SW_COUNT(texts); i++)
		sw_jw_opt(w, texts[i].name, *text_at(al, &texts[i]));
	write_flag(w, "repeat", al->repeat);
	write_flag(w, "dry_run", al->dry_run);
	write_number(w, "deployed_at", al->deployed_at);
	write_number(w, "fired_at", al->fired_at);
	write_number(w, "ask_until", al->ask_until);
	write_flag(w, "ask_proceeds", al->ask_proceeds);
	write_findings(al, w);
	write_digest(al->digest, w);
	write_links(al, w);
	write_commits(al, w);
	write_number(w, "commits_total", al->commits_total);
	write_strings(w, "files", al->files, al->n_files);
	write_flag(w, "files_cut", al->files_cut);
	write_mentions(al, w);
	write_flag(w, "mention_all", al->mention_all);
	write_strings(w, "mobiles", al->mobiles, n_mobiles);
	sw_jw_str(w, "locale", locale_names[al->locale]);
	write_number(w, "tz_offset_s", al->tz_offset_s);
	sw_jw_obj_end(w);
}

/* ---- and back ---- */

static int name_parse(const char *const *names, size_t n, const char *s, int otherwise)
{
	for (size_t i = 0; i < n; i++)
		if (sw_streq(names[i], s))
			return (int)i;
	return otherwise;
}

static const struct sw_jnode *list_of(const struct sw_jnode *node, const char *key, size_t max, size_t *ret_n)
{
	const struct sw_jnode *l = sw_jget(node, key);

	*ret_n = l && l->type == SW_J_ARRAY ? SW_MIN(l->n, max) : 0;
	return *ret_n ? l->child : NULL;
}

/* NULL-ended; what is no text is left out. */
static const char **read_strings(const struct sw_jnode *node, const char *key, size_t max, struct sw_arena *a,
                                 size_t *ret_n)
{
	size_t n;
	const struct sw_jnode *e = list_of(node, key, max, &n);
	const char **list = SW_ARENA_ARRAY(a, const char *, n + 1);

	*ret_n = 0;
	for (size_t i = 0; i < n; i++, e = e->next)
		if (e->type == SW_J_STRING)
			list[(*ret_n)++] = e->text;
	return *ret_n ? list : NULL;
}

static enum sw_severity read_severity(const struct sw_jnode *node, const char *key, enum sw_severity otherwise)
{
	return (enum sw_severity)name_parse(severity_names, SW_COUNT(severity_names), sw_jstr(node, key), (int)otherwise);
}

static const struct sw_digest *read_digest(const struct sw_jnode *node, struct sw_arena *a)
{
	struct sw_digest *d = SW_ARENA_NEW(a, struct sw_digest);
	const struct sw_jnode *e;

	if (!node)
		return NULL;
	d->total = sw_jint(node, "total", 0);
	d->from = sw_jint(node, "from", 0);
	e = list_of(node, "counts", DIGEST_MAX, &d->n_counts);
	d->counts = SW_ARENA_ARRAY(a, struct sw_digest_count, d->n_counts + 1);
	for (size_t i = 0; i < d->n_counts; i++, e = e->next)
		d->counts[i] = (struct sw_digest_count){ .service = sw_jstr(e, "service"),
			                                 .environment = sw_jstr(e, "environment"),
			                                 .severity = read_severity(e, "severity", SW_SEV_WARNING),
			                                 .news = sw_news_parse(sw_jstr(e, "news")),
			                                 .n = sw_jint(e, "n", 0) };
	e = list_of(node, "lines", DIGEST_MAX, &d->n_lines);
	d->lines = SW_ARENA_ARRAY(a, struct sw_digest_line, d->n_lines + 1);
	for (size_t i = 0; i < d->n_lines; i++, e = e->next)
		d->lines[i] = (struct sw_digest_line){ .service = sw_jstr(e, "service"),
			                               .environment = sw_jstr(e, "environment"),
			                               .what = sw_jstr(e, "what"),
			                               .severity = read_severity(e, "severity", SW_SEV_WARNING),
			                               .news = sw_news_parse(sw_jstr(e, "news")),
			                               .at = sw_jint(e, "at", 0) };
	return d;
}

static void read_findings(const struct sw_jnode *node, struct sw_arena *a, struct sw_alert *ret)
{
	const struct sw_jnode *e = list_of(node, "findings", FINDINGS_MAX, &ret->n_findings);

	ret->findings = SW_ARENA_ARRAY(a, struct sw_finding, ret->n_findings + 1);
	for (size_t i = 0; i < ret->n_findings; i++, e = e->next)
		ret->findings[i] = (struct sw_finding){ .text = sw_jstr(e, "text"),
			                                .value = sw_jstr(e, "value"),
			                                .limit = sw_jstr(e, "limit"),
			                                .before = sw_jstr(e, "before") };
}

static void read_commits(const struct sw_jnode *node, struct sw_arena *a, struct sw_alert *ret)
{
	const struct sw_jnode *e = list_of(node, "commits", SW_EVENT_COMMITS, &ret->n_commits);

	ret->commits = SW_ARENA_ARRAY(a, struct sw_commit, ret->n_commits + 1);
	for (size_t i = 0; i < ret->n_commits; i++, e = e->next) {
		struct sw_commit *c = &ret->commits[i];

		*c = (struct sw_commit){ .sha = sw_jstr(e, "sha"),
			                 .title = sw_jstr(e, "title"),
			                 .author = sw_jstr(e, "author"),
			                 .author_email = sw_jstr(e, "author_email"),
			                 .url = sw_jstr(e, "url"),
			                 .at = sw_jint(e, "at", 0) };
		c->files = read_strings(e, "files", SW_EVENT_FILES, a, &c->n_files);
	}
}

static void read_mentions(const struct sw_jnode *node, struct sw_arena *a, struct sw_alert *ret)
{
	const struct sw_jnode *e = list_of(node, "mentions", MENTIONS_MAX, &ret->n_mentions);

	ret->mentions = SW_ARENA_ARRAY(a, struct sw_mention, ret->n_mentions + 1);
	for (size_t i = 0; i < ret->n_mentions; i++, e = e->next)
		ret->mentions[i] = (struct sw_mention){ .name = sw_jstr(e, "name"),
			                                .mobile = sw_jstr(e, "mobile"),
			                                .dingtalk = sw_jstr(e, "dingtalk"),
			                                .wecom = sw_jstr(e, "wecom"),
			                                .feishu = sw_jstr(e, "feishu"),
			                                .slack = sw_jstr(e, "slack"),
			                                .email = sw_jstr(e, "email") };
}

void sw_alert_read(const struct sw_jnode *node, struct sw_arena *a, struct sw_alert *ret)
{
	size_t n;

	*ret = (struct sw_alert){ 0 };
	ret->news = sw_news_parse(sw_jstr(node, "news"));
	ret->severity = read_severity(node, "severity", SW_SEV_WARNING);
	ret->rule_severity = read_severity(node, "rule_severity", ret->severity);
	for (size_t i = 0; i < SW_COUNT(texts); i++)
		*text_at(ret, &texts[i]) = sw_jstr(node, texts[i].name);
	ret->repeat = sw_jbool(node, "repeat", false);
	ret->dry_run = sw_jbool(node, "dry_run", false);
	ret->deployed_at = sw_jint(node, "deployed_at", 0);
	ret->fired_at = sw_jint(node, "fired_at", 0);
	ret->ask_until = sw_jint(node, "ask_until", 0);
	ret->ask_proceeds = sw_jbool(node, "ask_proceeds", false);
	read_findings(node, a, ret);
	ret->digest = read_digest(sw_jget(node, "digest"), a);
	for (size_t i = 0; i < SW_LINK_COUNT; i++)
		ret->links[i] = sw_jstr(sw_jget(node, "links"), link_names[i]);
	read_commits(node, a, ret);
	ret->commits_total = sw_jint(node, "commits_total", 0);
	ret->files = read_strings(node, "files", FILES_MAX, a, &ret->n_files);
	ret->files_cut = sw_jbool(node, "files_cut", false);
	read_mentions(node, a, ret);
	ret->mention_all = sw_jbool(node, "mention_all", false);
	ret->mobiles = read_strings(node, "mobiles", MENTIONS_MAX, a, &n);
	ret->locale =
	    (enum sw_locale)name_parse(locale_names, SW_COUNT(locale_names), sw_jstr(node, "locale"), SW_LOCALE_EN);
	ret->tz_offset_s = (int)sw_jint(node, "tz_offset_s", 0);
}
