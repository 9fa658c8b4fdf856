/* How often one alert changes, and what is told of it while that is too often. */
#include "engine/flap.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "engine/alert.h"
#include "shipwatch/err.h"

#define FLAP_TTL (2 * SW_HOUR)
#define EACH(x, obj, key) for (const struct sw_jnode *x = sw_jget(obj, key) ? sw_jget(obj, key)->child : NULL; x; x = x->next)

struct flap {
	sw_ms changes[FLAP_CHANGES + 1]; /* the newest, oldest first */
	size_t n;
	bool fires;                      /* its state; told of no change: not known */
	sw_ms held;                      /* since when it is held down; 0: it is not */
	int64_t held_n;                  /* changes since */
	const struct sw_jnode *news;     /* of the last change: whom it was for */
	sw_ms tick_due;
};

static void flap_load(const struct sw_jnode *n, struct flap *f)
{
	memset(f, 0, sizeof *f);
	EACH(x, n, "changes") if (f->n < SW_COUNT(f->changes) && x->type == SW_J_NUMBER)
		f->changes[f->n++] = x->i;
	f->fires = sw_jbool(n, "fires", false);
	f->held = sw_jint(n, "held", 0);
	f->held_n = sw_jint(n, "held_n", 0);
	f->news = sw_jget(n, "news");
	f->tick_due = sw_jint(n, "tick_due", 0);
}

static void flap_save(struct step *s, const struct flap *f)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;

	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_int(&w, "t", s->now);
	sw_jw_arr(&w, "changes");
	for (size_t i = 0; i < f->n; i++)
		sw_jw_int(&w, NULL, f->changes[i]);
	sw_jw_arr_end(&w);
	sw_jw_bool(&w, "fires", f->fires);
	if (f->held) {
		sw_jw_int(&w, "held", f->held);
		sw_jw_int(&w, "held_n", f->held_n);
	}
	if (f->news)
		sw_jw_node(&w, "news", f->news);
	sw_jw_int(&w, "tick_due", f->tick_due);
	sw_jw_obj_end(&w);
	s->out->state = sw_arena_strndup(s->a, b.p, b.n);
	s->out->state_n = b.n;
	s->out->ttl = FLAP_TTL;
	sw_buf_fini(&b);
}

/* Forgets what is longer ago. */
static void flap_recent(struct flap *f, sw_ms now)
{
	size_t old = 0;

	while (old < f->n && f->changes[old] <= now - FLAP_WITHIN)
		old++;
	memmove(f->changes, f->changes + old, (f->n - old) * sizeof f->changes[0]);
	f->n -= old;
}

/* ---- in the step of an alert ---- */

/* Does this news say that it fires or that it is over? 1, 0; -1: neither. */
static int flap_says(const struct sw_jnode *al)
{
	const char *news = sw_jstr(al, "news");
	bool alarm = sw_streq(sw_jstr(al, "kind"), "alarm");

	if (sw_streq(news, "resolved"))
		return 0;
	if (!sw_streq(news, "firing") || (!alarm && !sw_jstr(al, "watch_id")))
		return -1; /* told of an event that is over with its telling, as a push */
	return alarm && sw_streq(sw_jstr(al, "event_status"), "resolved") ? 0 : 1;
}

static void flap_tell(struct step *s, const char *key, const struct sw_jnode *m, bool fires)
{
	static const char *const kept[] = { "id", "severity", "rule", "service", "environment", "version", "sha", "user", "ci_run_id", "links" };
	const struct sw_jnode *al = sw_jget(m, "alert");
	struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;

	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "t", "change");
	sw_jw_bool(&w, "fires", fires);
	sw_jw_obj(&w, "news");
	if (sw_jget(m, "channels"))
		sw_jw_node(&w, "channels", sw_jget(m, "channels"));
	sw_jw_obj(&w, "alert");
	for (size_t i = 0; i < SW_COUNT(kept); i++)
		if (sw_jget(al, kept[i]))
			sw_jw_node(&w, kept[i], sw_jget(al, kept[i]));
	sw_jw_obj_end(&w);
	sw_jw_obj_end(&w);
	sw_jw_obj_end(&w);
	sw_step_tell(s, key, sw_arena_strndup(s->a, b.p, b.n));
	sw_buf_fini(&b);
}

bool sw_flap_holds(struct step *s, const struct sw_jnode *m)
{
	const struct sw_jnode *al = sw_jget(m, "alert");
	const char *rule = sw_jstr(al, "rule"), *service = sw_jstr(al, "service"), *environment = sw_jstr(al, "environment"), *key, *text;
	int says = flap_says(al);
	struct sw_jnode *state;
	struct flap f;

	if (says < 0 || !rule || !service || sw_streq(sw_jstr(al, "severity"), "critical"))
		return false;
	key = sw_arena_printf(s->a, "flap:%s", sw_engine_id(s->a, service, environment ? environment : "", rule, NULL));
	if (!sw_step_snap(s, key, &text))
		return false;
	flap_tell(s, key, m, says);
	if (!text || sw_jtree_parse(s->a, text, strlen(text), 10000, &state, NULL) < 0)
		return false;
	flap_load(state, &f);
	flap_recent(&f, s->now);
	if (!f.held && (f.n < FLAP_CHANGES || f.fires == (says == 1)))
		return false;
	sw_step_note(s, SW_NOTE_INFO, sw_jstr(al, "ci_run_id"), sw_jstr(al, "watch_id"), "alert %s is held down: \"%s\" of %s fires and resolves again and again",
	             sw_jstr(al, "delivery"), rule, service);
	return true;
}

/* ---- its own step ---- */

static void flap_news(struct step *s, const struct flap *f, enum sw_alert_news news, const char *summary)
{
	const char *id = sw_engine_id(s->a, s->in->aggregate, sw_arena_printf(s->a, "%lld", (long long)f->held), NULL);
	const struct sw_jnode *channels = sw_jget(f->news, "channels"), *c = channels ? channels->child : NULL;
	bool any = false;
	struct sw_buf b = SW_BUF_INIT;
	struct sw_alert al;
	struct sw_jw w;

	sw_alert_read(sw_jget(f->news, "alert"), s->a, &al);
	al.id = id;
	al.news = news;
	al.delivery = sw_arena_printf(s->a, "%s-%s", id, sw_news_name(news));
	al.summary = summary;
	al.fired_at = s->now;
	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "t", "news");
	sw_jw_arr(&w, "channels");
	for (; c; c = c->next)
		if (c->type == SW_J_STRING && !(sw_alert_channel(s, c->text) && sw_alert_channel(s, c->text)->program)) {
			sw_jw_str(&w, NULL, c->text);
			any = true;
		}
	sw_jw_arr_end(&w);
	sw_alert_write(&al, &w, "alert");
	sw_jw_obj_end(&w);
	if (any) /* programs were told of each change */
		sw_step_tell(s, sw_arena_printf(s->a, "alert:%s", id), sw_arena_strndup(s->a, b.p, b.n));
	sw_buf_fini(&b);
}

static void flap_change(struct step *s, struct flap *f, const struct sw_jnode *m)
{
	bool fires = sw_jbool(m, "fires", false);

	f->news = sw_jget(m, "news");
	if (f->n && f->fires == fires)
		return; /* the same again is no change */
	f->fires = fires;
	flap_recent(f, s->now);
	if (f->n == SW_COUNT(f->changes))
		memmove(f->changes, f->changes + 1, --f->n * sizeof f->changes[0]);
	f->changes[f->n++] = s->now;
	f->held_n += f->held != 0;
	if (f->held || f->n <= FLAP_CHANGES)
		return;
	f->held = s->now;
	f->held_n = 1;
	flap_news(s, f, SW_NEWS_FLAPPING, sw_arena_printf(s->a, "%d changes in %lld min", FLAP_CHANGES + 1, (long long)(FLAP_WITHIN / SW_MINUTE)));
}

/* Calm for long enough: what it is now is told, and the next change is told again. */
static void flap_calm(struct step *s, struct flap *f)
{
	sw_ms last = f->n ? f->changes[f->n - 1] : 0;

	if (!f->held || s->now < last + FLAP_WITHIN)
		return;
	flap_news(s, f, f->fires ? SW_NEWS_STEADY_FIRING : SW_NEWS_STEADY_RESOLVED, sw_arena_printf(s->a, "%lld changes were held down", (long long)f->held_n));
	f->held = f->held_n = 0;
	f->n = 0;
}

int sw_flap_step(struct step *s)
{
	struct flap f;
	sw_ms was;

	flap_load(s->in->state, &f);
	was = f.tick_due;
	for (size_t i = 0; i < s->in->n_msgs; i++) {
		const char *t = sw_jstr(s->in->msgs[i], "t");

		if (sw_streq(t, "change"))
			flap_change(s, &f, s->in->msgs[i]);
		else if (!sw_streq(t, "timer"))
			return sw_err_set(s->err, EBADMSG, "unknown message \"%.40s\" to what flaps", t ? t : "");
	}
	flap_calm(s, &f);
	f.tick_due = f.held ? f.changes[f.n - 1] + FLAP_WITHIN : 0;
	if (f.tick_due != was)
		sw_step_timer(s, "tick", f.tick_due);
	flap_save(s, &f);
	return 0;
}
