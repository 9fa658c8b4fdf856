/* What people are told: an alert filled from event, place and rule, sent to the alert's own aggregate. */
#include <string.h>

#include "base/str.h"
#include "engine/alert.h"
#include "engine/channel.h"
#include "engine/place.h"
#include "engine/range.h"
#include "engine/step.h"

/* {name} of a template replaced by value; texts without it stay as they are. */
static const char *news_template(struct step *s, const char *tmpl, const char *name, const char *value)
{
	struct sw_buf b = SW_BUF_INIT;
	size_t n = strlen(name);
	const char *p = tmpl, *at, *ret;

	if (!tmpl || !value)
		return NULL;
	while ((at = strstr(p, name))) {
		sw_buf_catn(&b, p, (size_t)(at - p));
		sw_pct_encode(&b, value, strlen(value));
		p = at + n;
	}
	sw_buf_cat(&b, p);
	ret = sw_arena_strdup(s->a, sw_buf_str(&b));
	sw_buf_fini(&b);
	return ret;
}

static const char **news_channels(struct step *s, const struct sw_rule *rule, const struct sw_place *place)
{
	for (size_t i = 0; rule && i < rule->n_then; i++)
		if (rule->then[i].kind == SW_THEN_ALERT && rule->then[i].channels && rule->then[i].channels[0])
			return rule->then[i].channels;
	if (place && place->channels && place->channels[0])
		return place->channels;
	return (const char **)(uintptr_t)s->e->alerts;
}

void sw_news_of(struct step *s, const struct sw_rule *rule, const struct sw_place *place, const char *service,
                const struct sw_event *ev, const char *alert_id, struct news *ret)
{
	struct sw_alert *al = &ret->al;

	memset(ret, 0, sizeof *ret);
	ret->alert_id = alert_id;
	ret->ev = ev;
	ret->channels = news_channels(s, rule, place);
	ret->roles = rule ? rule->mention : NULL;
	ret->repeat = rule ? rule->repeat : 0;
	al->id = alert_id;
	al->severity = al->rule_severity = rule ? rule->severity : SW_SEV_WARNING;
	al->rule = rule ? rule->name : NULL;
	al->summary = rule ? rule->summary : NULL;
	al->service = service;
	al->environment = place ? place->environment : ev->environment;
	al->kind = sw_kind_name(ev->kind);
	al->event_status = ev->status == SW_ST_NONE ? NULL : sw_status_name(ev->status);
	if (ev->kind == SW_EV_ALARM && ev->status != SW_ST_OTHER && ev->status_text)
		al->event_status = ev->status_text; /* firing, resolved */
	al->source = ev->source;
	al->repo = ev->repo;
	al->branch = ev->branch;
	al->tag = ev->tag;
	al->version = ev->version;
	al->sha = ev->sha ? ev->sha : ev->short_sha;
	al->user = ev->user ? ev->user : ev->user_name;
	al->author = ev->author;
	al->title = ev->title;
	al->deployed_at = ev->finished_at ? ev->finished_at : ev->at;
	al->fired_at = s->now;
	al->ci_run_id = ev->ci_run_id;
	al->links[ev->kind == SW_EV_ALARM ? SW_LINK_ALARM : SW_LINK_CI_LOG] = ev->url;
	al->links[SW_LINK_COMPARE] = ev->compare_url;
	al->links[SW_LINK_ENVIRONMENT] = ev->env_url;
	al->links[SW_LINK_RUNBOOK] = rule ? rule->runbook : NULL;
	al->links[SW_LINK_LOGS] = news_template(s, s->e->log_url, "{ci_run_id}", ev->ci_run_id);
	if (ev->kind == SW_EV_PUSH && ev->n_commits) {
		al->commits = SW_ARENA_ARRAY(s->a, struct sw_commit, ev->n_commits);
		for (size_t i = 0; i < ev->n_commits; i++) /* newest first */
			al->commits[i] = ev->commits[ev->n_commits - 1 - i];
		al->n_commits = ev->n_commits;
		al->commits_total = ev->commits_total;
	}
}

void sw_news_findings(struct step *s, const struct sw_judged *j, struct sw_alert *al)
{
	al->findings = SW_ARENA_ARRAY(s->a, struct sw_finding, j->n_saw ? j->n_saw : 1);
	al->n_findings = 0;
	for (size_t i = 0; i < j->n_saw; i++) {
		if (j->saw[i].truth == SW_FALSE)
			continue; /* what did not contribute is not told */
		al->findings[al->n_findings++] = (struct sw_finding){
			.text = j->saw[i].text, .limit = j->saw[i].limit, .before = j->saw[i].before,
			.value = j->saw[i].note ? sw_arena_printf(s->a, "%s%s%s", j->saw[i].value ? j->saw[i].value : "", j->saw[i].value ? ", " : "",
			                                          j->saw[i].note)
			                        : j->saw[i].value };
	}
}

/* The compare view of the host, from what ran here before to what runs now. */
static const char *news_compare(struct step *s, const struct news *n)
{
	const char *told = n->al.links[SW_LINK_COMPARE];

	return told ? told : sw_range_url(s->a, n->ev->repo_url, n->ev->source_kind, n->al.prev_sha, n->al.sha);
}

/* The page that shows how it came to that: of the watch, else of the alert. */
static const char *news_page(struct step *s, const struct news *n)
{
	if (!s->e->public_url)
		return NULL;
	return sw_arena_printf(s->a, "%s/%s/%s", s->e->public_url, n->al.watch_id ? "watches" : "alerts", n->al.watch_id ? n->al.watch_id : n->alert_id);
}

/* with: the delivery that tells of it already; NULL: it is told itself. */
static void news_emit(struct step *s, const struct news *n, enum sw_alert_news what, const char *detail, const char *with)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_alert al = n->al;
	struct sw_jw w;

	al.news = what;
	al.links[SW_LINK_COMPARE] = news_compare(s, n);
	al.links[SW_LINK_DASHBOARD] = news_page(s, n);
	al.delivery = sw_arena_printf(s->a, "%s-%s%s%s", n->alert_id, sw_news_name(what), detail ? "-" : "", detail ? detail : "");
	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "t", "news");
	sw_jw_opt(&w, "with", with);
	sw_jw_arr(&w, "channels");
	for (size_t i = 0; n->channels && n->channels[i]; i++)
		sw_jw_str(&w, NULL, n->channels[i]);
	sw_jw_arr_end(&w);
	if (n->roles && n->roles[0]) {
		sw_jw_arr(&w, "roles");
		for (size_t i = 0; n->roles[i]; i++)
			sw_jw_str(&w, NULL, n->roles[i]);
		sw_jw_arr_end(&w);
	}
	sw_alert_write(&al, &w, "alert");
	if (what == SW_NEWS_FIRING && n->repeat && al.severity == SW_SEV_CRITICAL)
		sw_jw_int(&w, "repeat", n->repeat);
	sw_jw_obj_end(&w);
	sw_step_tell(s, sw_arena_printf(s->a, "alert:%s", n->alert_id), sw_arena_strndup(s->a, b.p, b.n));
	sw_buf_fini(&b);
}

/* ---- several rules, one message ---- */

#define GROUPED_MOST 16

struct grouped {
	struct news news[GROUPED_MOST];
	enum sw_alert_news what[GROUPED_MOST];
	bool done[GROUPED_MOST];
	size_t n;
};

/* Only people read it: a program gets each alert as it is. */
static bool for_people(struct step *s, const char **channels)
{
	size_t i = 0;

	for (; channels && channels[i]; i++) {
		const struct sw_engine_channel *c = sw_alert_channel(s, channels[i]);

		if (!c || !sw_channel_digests(c))
			return false;
	}
	return i > 0;
}

void sw_news_tell(struct step *s, const struct news *n, enum sw_alert_news what, const char *detail)
{
	struct grouped *g = s->grouped;

	if ((what != SW_NEWS_FIRING && what != SW_NEWS_RESOLVED) || detail || !n->al.watch_id || n->al.severity == SW_SEV_CRITICAL || n->al.rollback_state ||
	    (g && g->n == GROUPED_MOST) || !for_people(s, n->channels)) {
		news_emit(s, n, what, detail, NULL);
		return;
	}
	if (!g)
		g = s->grouped = SW_ARENA_NEW(s->a, struct grouped);
	g->news[g->n] = *n;
	g->what[g->n++] = what;
}

static bool same_list(const char **a, const char **b)
{
	size_t i = 0;

	if (!a || !b)
		return a == b;
	while (a[i] && sw_streq(a[i], b[i]))
		i++;
	return !a[i] && !b[i];
}

/* Of one deployment, for the same people. */
static bool grouped_same(const struct grouped *g, size_t i, size_t k)
{
	const struct news *a = &g->news[i], *b = &g->news[k];

	return !g->done[k] && g->what[i] == g->what[k] && a->al.dry_run == b->al.dry_run && sw_streq(a->al.sha, b->al.sha) &&
	       a->al.deployed_at == b->al.deployed_at && same_list(a->channels, b->channels) && same_list(a->roles, b->roles);
}

/* The first one's message, with the names, severities and findings of all. */
static void grouped_join(struct step *s, struct news *to, const struct news *n)
{
	struct sw_finding *f = SW_ARENA_ARRAY(s->a, struct sw_finding, to->al.n_findings + n->al.n_findings + 1);

	for (size_t i = 0; i < to->al.n_findings; i++)
		f[i] = to->al.findings[i];
	to->al.findings = f;
	for (size_t i = 0; i < n->al.n_findings; i++) {
		size_t k = 0;

		while (k < to->al.n_findings && !sw_streq(f[k].text, n->al.findings[i].text))
			k++;
		if (k == to->al.n_findings) /* the same condition is said once */
			f[to->al.n_findings++] = n->al.findings[i];
	}
	to->al.rule = sw_arena_printf(s->a, "%s, %s", to->al.rule ? to->al.rule : "?", n->al.rule ? n->al.rule : "?");
	to->al.severity = SW_MAX(to->al.severity, n->al.severity);
	to->al.rule_severity = SW_MAX(to->al.rule_severity, n->al.rule_severity);
	if (n->al.summary && !sw_streq(n->al.summary, to->al.summary))
		to->al.summary = to->al.summary ? sw_arena_printf(s->a, "%s; %s", to->al.summary, n->al.summary) : n->al.summary;
}

void sw_news_flush(struct step *s)
{
	struct grouped *g = s->grouped;

	for (size_t i = 0; g && i < g->n; i++) {
		struct news n = g->news[i];
		const char *delivery = sw_arena_printf(s->a, "%s-%s", n.alert_id, sw_news_name(g->what[i]));

		if (g->done[i])
			continue;
		for (size_t k = i + 1; k < g->n; k++) {
			if (!grouped_same(g, i, k))
				continue;
			grouped_join(s, &n, &g->news[k]);
			news_emit(s, &g->news[k], g->what[k], NULL, delivery);
			g->done[k] = true;
		}
		news_emit(s, &n, g->what[i], NULL, NULL);
	}
	s->grouped = NULL;
}
