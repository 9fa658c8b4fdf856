/* Records of steps (engine/record.h): the whole of a thing as it is afterwards, so that the last one counts. */
#include <string.h>

#include "base/str.h"
#include "dashboard/fold_inner.h"
#include "shipwatch/alert.h"

/* ---- places ---- */

static void rec_verdict(struct fold *f, const char *dep)
{
	struct sw_stmt *st = sw_fold_stmt(f, ST_DEP_VERDICT);

	sw_fold_bind(st, "s", dep);
	(void)sw_fold_run(f, st);
}

static bool rec_dep(struct fold *f, struct entry *e, const struct sw_jnode *d, struct raw raw)
{
	int64_t place = sw_fold_own_place(f, e), good = sw_jint(d, "good", -1);
	sw_ms seen = sw_jint(d, "seen", 0), started = sw_jint(d, "started", 0), finished = sw_jint(d, "finished", 0);
	const char *id = sw_jstr(d, "id");
	struct sw_stmt *st;
	struct sw_event ev;

	if (!id || !place)
		return false;
	sw_event_read(sw_jget(d, "ev"), &f->a, &ev);
	raw = sw_fold_json(f, raw);
	st = sw_fold_stmt(f, ST_DEP);
	sw_fold_bind(st, "siissssssssssssssooossbbbsbcbn", id, place, (int64_t)(finished ? finished : started ? started : seen ? seen : e->at),
	             sw_jstr(d, "status") ? sw_jstr(d, "status") : "other", ev.source, ev.repo, ev.branch, ev.tag, ev.sha ? ev.sha : ev.short_sha, ev.version,
	             ev.user ? ev.user : ev.user_name, ev.author, ev.title, ev.url, ev.compare_url, ev.ci_run_id, ev.ci_run_alias, (int64_t)seen, (int64_t)started,
	             (int64_t)finished, sw_jstr(d, "prev_sha"), sw_jstr(d, "prev_version"), (int)sw_jbool(d, "is_rollback", false),
	             (int)sw_jbool(d, "is_redeploy", false), (int)sw_jbool(d, "concurrent", false), sw_jstr(d, "rollback_of"), (int)sw_jbool(d, "counted", false),
	             good == 0 || good == 1 ? (int)good : -1, (int)sw_jbool(d, "said", false), raw.p, raw.n);
	(void)sw_fold_run(f, st);
	rec_verdict(f, id);
	f->touched |= SW_TOUCHED_DEPLOYMENTS;
	return true;
}

static bool rec_watch(struct fold *f, struct entry *e, const struct sw_jnode *d)
{
	int64_t place = sw_fold_own_place(f, e);
	const char *id = sw_jstr(d, "id"), *dep = sw_jstr(d, "dep"), *rule = sw_jstr(d, "rule"), *state = sw_jstr(d, "state");
	struct sw_stmt *st;

	if (!id || !dep || !rule || !state || !place)
		return false;
	st = sw_fold_stmt(f, ST_WATCH);
	sw_fold_bind(st, "sisisssooossoobii", id, place, dep, sw_jint(d, "opened", e->at), rule, sw_jstr(d, "hash"), state, sw_jint(d, "from", 0),
	             sw_jint(d, "until", 0), sw_jint(d, "every", 0), sw_jstr(d, "verdict"), sw_jstr(d, "reason"), sw_jint(d, "fail_at", 0), sw_jint(d, "ended", 0),
	             (int)sw_jbool(d, "fired", false), sw_jint(d, "total", 0), sw_jint(d, "known", 0));
	(void)sw_fold_run(f, st);
	rec_verdict(f, dep);
	f->touched |= SW_TOUCHED_WATCHES | SW_TOUCHED_DEPLOYMENTS;
	return true;
}

static bool rec_act(struct fold *f, struct entry *e, const struct sw_jnode *d)
{
	int64_t place = sw_fold_own_place(f, e);
	const char *id = sw_jstr(d, "id"), *action = sw_jstr(d, "action"), *state = sw_jstr(d, "state");
	struct sw_stmt *st;

	if (!id || !action || !state || !place)
		return false;
	st = sw_fold_stmt(f, ST_ACT);
	sw_fold_bind(st, "siiisbsssssoosobssbso", id, place, sw_jint(d, "proposed", e->at), (int64_t)e->at, action, (int)sw_jbool(d, "rollback", true),
	             sw_jstr(d, "dep"), sw_jstr(d, "watch"), sw_jstr(d, "rule"), state, sw_jstr(d, "why"), sw_jint(d, "started", 0), sw_jint(d, "deadline", 0),
	             sw_jstr(d, "target"), sw_jint(d, "asked", 0), (int)sw_jbool(d, "proceed", false), sw_jstr(d, "ask_why"), sw_jstr(d, "saw"),
	             (int)sw_jbool(d, "approved", false), sw_jstr(d, "decided_by"), sw_jint(d, "decided_at", 0));
	(void)sw_fold_run(f, st);
	st = sw_fold_stmt(f, ST_ACT_STEP);
	sw_fold_bind(st, "siss", id, (int64_t)e->at, state, sw_jstr(d, "why"));
	(void)sw_fold_run(f, st);
	f->touched |= SW_TOUCHED_ACTIONS;
	return true;
}

/* ---- alerts and messages ---- */

/* What a piece of news makes of its alert; NULL: it stays as it is (a new one fires). */
static const char *news_state(enum sw_alert_news news)
{
	switch (news) {
	case SW_NEWS_FIRING:
	case SW_NEWS_CHANNEL_DOWN:
	case SW_NEWS_FLAPPING:
	case SW_NEWS_STEADY_FIRING: return "firing";
	case SW_NEWS_RESOLVED:
	case SW_NEWS_CHANNEL_UP:
	case SW_NEWS_STEADY_RESOLVED: return "resolved";
	case SW_NEWS_CLOSED: return "closed";
	case SW_NEWS_INCONCLUSIVE:
	case SW_NEWS_NOTICE:
	case SW_NEWS_DIGEST:
	case SW_NEWS_QUOTA: return "told";
	case SW_NEWS_ROLLBACK_WAITING:
	case SW_NEWS_ROLLBACK_APPROVED:
	case SW_NEWS_ROLLBACK_STARTED:
	case SW_NEWS_ROLLBACK_DONE:
	case SW_NEWS_ROLLBACK_FAILED:
	case SW_NEWS_ROLLBACK_UNKNOWN:
	case SW_NEWS_ROLLBACK_SKIPPED:
	case SW_NEWS_ROLLBACK_INEFFECTIVE:
	case SW_NEWS_REMINDER:
	case SW_NEWS_ACKED:
	case SW_NEWS_COUNT: break;
	}
	return NULL;
}

static const char *alert_deployment(struct fold *f, const char *watch)
{
	struct sw_stmt *st = watch ? sw_fold_stmt(f, ST_WATCH_DEP) : NULL;
	const char *ret = NULL;

	sw_fold_bind(st, "s", watch);
	if (sw_fold_row(f, st)) {
		ret = sw_arena_strdup(&f->a, sw_stmt_get_text(st, 0, NULL));
		sw_stmt_reset(st);
	}
	return ret;
}

/* Its own words, else what was found. */
static const char *alert_summary(const struct sw_jnode *al)
{
	const struct sw_jnode *findings = sw_jget(al, "findings");

	return sw_jstr(al, "summary") ? sw_jstr(al, "summary") : findings && findings->type == SW_J_ARRAY ? sw_jstr(findings->child, "text") : NULL;
}

/* "alert:<id>"; a channel's own is named by the aggregate. */
static const char *entry_alert(const struct entry *e)
{
	return sw_starts(e->agg, "alert:") ? e->agg + strlen("alert:") : e->agg;
}

static bool rec_told(struct fold *f, struct entry *e, const struct sw_jnode *d, struct raw body)
{
	const struct sw_jnode *al = sw_jget(d, "alert");
	const char *news_id = sw_jstr(d, "delivery"), *news = sw_jstr(d, "news"), *watch = sw_jstr(al, "watch_id"), *state;
	const char *severity = sw_jstr(al, "rule_severity") ? sw_jstr(al, "rule_severity") : sw_jstr(al, "severity");
	const char *id = sw_starts(e->agg, "alert:") || !sw_jstr(al, "id") ? entry_alert(e) : sw_jstr(al, "id");
	struct sw_stmt *st;

	if (!news_id || !news || !al)
		return false;
	state = news_state(sw_news_parse(news));
	if (!watch && sw_news_parse(news) == SW_NEWS_FIRING && !sw_streq(sw_jstr(al, "kind"), "alarm"))
		state = "told"; /* decided by an event alone: nobody goes on looking, so it has no end. Of an alarm its sender tells the end */
	st = sw_fold_stmt(f, ST_ALERT);
	sw_fold_bind(st, "sisssssssssssssb", id, (int64_t)e->at, sw_jstr(al, "service"), sw_jstr(al, "environment"), sw_jstr(al, "rule"), severity,
	             state ? state : "firing", news, alert_summary(al), watch, alert_deployment(f, watch), sw_jstr(al, "repo"), sw_jstr(al, "branch"),
	             sw_jstr(al, "sha"), sw_jstr(al, "ci_run_id"), (int)(state != NULL));
	(void)sw_fold_run(f, st);
	body = sw_fold_json(f, body);
	st = sw_fold_stmt(f, ST_NEWS);
	sw_fold_bind(st, "ssisn", news_id, id, (int64_t)e->at, news, body.p, body.n);
	(void)sw_fold_run(f, st);
	f->touched |= SW_TOUCHED_ALERTS;
	return true;
}

/* A message of a channel's own: its alert is the one that was told under this id. */
static const char *message_alert(struct fold *f, const struct entry *e, const char *news_id)
{
	const char *ret = entry_alert(e);
	struct sw_stmt *st;

	if (ret != e->agg)
		return ret;
	st = sw_fold_stmt(f, ST_NEWS_ALERT);
	sw_fold_bind(st, "s", news_id);
	if (sw_fold_row(f, st)) {
		ret = sw_arena_strdup(&f->a, sw_stmt_get_text(st, 0, NULL));
		sw_stmt_reset(st);
	}
	return ret;
}

static bool rec_way(struct fold *f, struct entry *e, const struct sw_jnode *d)
{
	const char *news = sw_jstr(d, "delivery"), *channel = sw_jstr(d, "channel"), *state = sw_jstr(d, "state"), *alert;
	struct sw_stmt *st;

	if (!news || !channel || !state)
		return false;
	alert = message_alert(f, e, news);
	st = sw_fold_stmt(f, ST_WAY);
	sw_fold_bind(st, "sssisibs", news, alert, channel, (int64_t)e->at, state, sw_jint(d, "tries", 0), (int)sw_jbool(d, "fallback", false),
	             sw_jstr(d, "why"));
	(void)sw_fold_run(f, st);
	f->touched |= SW_TOUCHED_DELIVERIES;
	return true;
}

static bool rec_try(struct fold *f, struct entry *e, const struct sw_jnode *d)
{
	const char *news = sw_jstr(d, "delivery"), *channel = sw_jstr(d, "channel"), *class = sw_jstr(d, "class"), *alert;
	struct sw_stmt *st;

	if (!news || !channel || !class)
		return false;
	alert = message_alert(f, e, news);
	st = sw_fold_stmt(f, ST_TRY);
	sw_fold_bind(st, "sssiissb", alert, news, channel, sw_jint(d, "n", 0), (int64_t)e->at, class, sw_jstr(d, "detail"), (int)sw_jbool(d, "repeat", false));
	(void)sw_fold_run(f, st);
	f->touched |= SW_TOUCHED_DELIVERIES;
	return true;
}

static bool rec_ack(struct fold *f, struct entry *e, const struct sw_jnode *d)
{
	struct sw_stmt *st;

	if (!sw_jstr(d, "who"))
		return false;
	st = sw_fold_stmt(f, ST_ACK);
	sw_fold_bind(st, "ssi", entry_alert(e), sw_jstr(d, "who"), (int64_t)e->at);
	(void)sw_fold_run(f, st);
	f->touched |= SW_TOUCHED_ALERTS;
	return true;
}

/* ---- all ---- */

/* The bytes of a member that is an object, within those of its record. */
static struct raw rec_member(struct raw raw, const char *key)
{
	struct raw ret = { "null", 4 };
	struct sw_json j;

	sw_json_init(&j, raw.p, raw.n);
	if (sw_json_next(&j) != SW_JSON_OBJECT)
		return ret;
	while (sw_json_next(&j) == SW_JSON_KEY) {
		bool is = sw_json_is(&j, key);
		const char *p = j.p;

		if (sw_json_skip(&j) < 0)
			break;
		if (is) {
			while (p < j.p && strchr(" \t\r\n:", *p))
				p++;
			ret = (struct raw){ p, (size_t)(j.p - p) };
		}
	}
	return ret;
}

void sw_fold_rec(struct fold *f, struct entry *e, const struct sw_jnode *rec, struct raw raw)
{
	const char *k = sw_jstr(rec, "k");
	const struct sw_jnode *d = sw_jget(rec, "d");
	bool known = true;

	if (sw_streq(k, "dep"))
		known = rec_dep(f, e, d, rec_member(raw, "d"));
	else if (sw_streq(k, "watch"))
		known = rec_watch(f, e, d);
	else if (sw_streq(k, "act"))
		known = rec_act(f, e, d);
	else if (sw_streq(k, "told"))
		known = rec_told(f, e, d, rec_member(rec_member(raw, "d"), "alert"));
	else if (sw_streq(k, "way"))
		known = rec_way(f, e, d);
	else if (sw_streq(k, "try"))
		known = rec_try(f, e, d);
	else if (sw_streq(k, "ack"))
		known = rec_ack(f, e, d);
	else
		known = sw_streq(k, "sil") || sw_streq(k, "chan"); /* what there is of them is asked of Redis */
	if (!known)
		f->skipped++;
}
