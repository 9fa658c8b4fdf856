/*
 * Signals nobody is asked for.
 *
 * 1. `{alertmanager: DatabaseSlow}`: Alertmanager tells what fires and what was resolved, and nothing else. So a reading is absent
 *    until the alarm was heard of at this place, 1 while any of that name fires, 0 after all were resolved. Silence is not health:
 *    a firing one of which nothing was heard for a day (it is sent again at every repeat_interval), and all of them after one had
 *    to be forgotten, are absent again.
 * 2. `{report: bundle_size}`: a number belongs to the build that told it. What is read is that of the deployment that runs here,
 *    whether it was told before (by the job that built it) or after.
 * 3. Before a deployment fired what began before its rollout and had not been resolved then, and the number is that of the build that ran
 *    before: so an alarm that the deployment found is no fault of it, and `baseline` is known.
 * 4. The order of messages does not matter: of one alarm the later start, then the later telling stands; of one number the later.
 */
#include "engine/heard.h"

#include <string.h>

#include "base/str.h"
#include "engine/place.h"

#define HEARD_EVERY   (15 * SW_SECOND)
#define HEARD_SIGNALS 16

#define EACH(x, obj, key) for (const struct sw_jnode *x = sw_jget(obj, key) ? sw_jget(obj, key)->child : NULL; x; x = x->next)

/* ---- state ---- */

void sw_heard_read(const struct sw_jnode *node, struct heard *h)
{
	const struct sw_jnode *n = sw_jget(node, "heard");

	memset(h, 0, sizeof *h);
	EACH(x, n, "alarms") if (h->n_alarms < HEARD_ALARMS)
		h->alarms[h->n_alarms++] = (struct heard_alarm){
			.name = sw_jstr(x, "name"), .id = sw_jstr(x, "id"), .start = sw_jint(x, "start", 0), .at = sw_jint(x, "at", 0),
			.firing = sw_jbool(x, "firing", false) };
	EACH(x, n, "numbers") if (h->n_numbers < HEARD_NUMBERS)
		h->numbers[h->n_numbers++] = (struct heard_number){
			.name = sw_jstr(x, "name"), .sha = sw_jstr(x, "sha"), .run = sw_jstr(x, "run"), .value = sw_jnum(x, "v", 0),
			.at = sw_jint(x, "at", 0) };
	h->cut_at = sw_jint(n, "cut_at", 0);
	h->read_at = sw_jint(n, "read_at", 0);
}

void sw_heard_write(const struct heard *h, struct sw_jw *w)
{
	if (!h->n_alarms && !h->n_numbers && !h->read_at)
		return;
	sw_jw_obj(w, "heard");
	sw_jw_arr(w, "alarms");
	for (size_t i = 0; i < h->n_alarms; i++) {
		sw_jw_obj(w, NULL);
		sw_jw_str(w, "name", h->alarms[i].name);
		sw_jw_str(w, "id", h->alarms[i].id);
		sw_jw_int(w, "start", h->alarms[i].start);
		sw_jw_int(w, "at", h->alarms[i].at);
		sw_jw_bool(w, "firing", h->alarms[i].firing);
		sw_jw_obj_end(w);
	}
	sw_jw_arr_end(w);
	sw_jw_arr(w, "numbers");
	for (size_t i = 0; i < h->n_numbers; i++) {
		sw_jw_obj(w, NULL);
		sw_jw_str(w, "name", h->numbers[i].name);
		sw_jw_opt(w, "sha", h->numbers[i].sha);
		sw_jw_opt(w, "run", h->numbers[i].run);
		sw_jw_num(w, "v", h->numbers[i].value);
		sw_jw_int(w, "at", h->numbers[i].at);
		sw_jw_obj_end(w);
	}
	sw_jw_arr_end(w);
	if (h->cut_at)
		sw_jw_int(w, "cut_at", h->cut_at);
	sw_jw_int(w, "read_at", h->read_at);
	sw_jw_obj_end(w);
}

bool sw_heard_only(const struct sw_step_in *in)
{
	for (size_t i = 0; i < in->n_msgs; i++)
		if (!sw_streq(sw_jstr(in->msgs[i], "t"), "told"))
			return false;
	return true;
}

/* ---- what is told ---- */

static bool rules_want(const struct sw_rules *r, const char *alarm, const char *report)
{
	for (size_t i = 0; r && i < r->n_signals; i++)
		if ((alarm && sw_streq(r->signals[i].alarm, alarm)) || (report && sw_streq(r->signals[i].report, report)))
			return true;
	return false;
}

/* Is there a signal of it, in the rules in force or in those an open watch goes by? */
static bool heard_wanted(struct step *s, const struct place_state *p, const char *alarm, const char *report)
{
	const struct sw_rule *rule;

	if (rules_want(s->e->rules, alarm, report))
		return true;
	for (size_t i = 0; i < p->n_watches; i++)
		if (p->watches[i].state != WATCH_DONE && rules_want(sw_watch_rules(s, &p->watches[i], &rule), alarm, report))
			return true;
	return false;
}

/* Room for one more: the one resolved longest ago goes, else the one that was not heard of for the longest time. */
static struct heard_alarm *alarm_room(struct step *s, struct heard *h)
{
	size_t gone = 0;

	if (h->n_alarms < HEARD_ALARMS)
		return &h->alarms[h->n_alarms++];
	for (size_t i = 1; i < h->n_alarms; i++) {
		const struct heard_alarm *x = &h->alarms[i], *y = &h->alarms[gone];

		if (x->firing != y->firing ? !x->firing : x->at < y->at)
			gone = i;
	}
	if (h->alarms[gone].firing)
		h->cut_at = s->now;
	return &h->alarms[gone];
}

static const char *alarm_name(const struct sw_event *ev)
{
	for (size_t i = 0; i < ev->n_labels; i++)
		if (sw_streq(ev->labels[i].name, "alertname"))
			return ev->labels[i].value;
	return NULL;
}

static void heard_alarm(struct step *s, struct place_state *p, const struct sw_event *ev)
{
	const char *name = alarm_name(ev);
	struct heard_alarm *x = NULL, new = { .name = name, .id = ev->alarm_id, .start = ev->started_at, .at = ev->received,
	                                      .firing = ev->status == SW_ST_FAILED };

	if (!name || !ev->alarm_id || (ev->status != SW_ST_FAILED && ev->status != SW_ST_SUCCESS) || !heard_wanted(s, p, name, NULL))
		return;
	for (size_t i = 0; i < p->heard.n_alarms && !x; i++)
		if (sw_streq(p->heard.alarms[i].id, new.id))
			x = &p->heard.alarms[i];
	if (x && (x->start != new.start ? x->start > new.start : x->at != new.at ? x->at > new.at : !x->firing))
		return; /* older than what is known; of one moment the end stands */
	if (!x)
		x = alarm_room(s, &p->heard);
	*x = new;
	p->heard.news = true;
}

static bool number_same_build(const struct heard_number *a, const struct heard_number *b)
{
	return sw_streq(a->name, b->name) && (a->sha || b->sha ? sw_sha_equal(a->sha, b->sha) : sw_streq(a->run, b->run));
}

static void heard_number(struct step *s, struct place_state *p, const struct heard_number *new)
{
	struct heard *h = &p->heard;
	struct heard_number *x = NULL;

	if (!heard_wanted(s, p, NULL, new->name))
		return;
	for (size_t i = 0; i < h->n_numbers && !x; i++)
		if (number_same_build(&h->numbers[i], new))
			x = &h->numbers[i];
	if (x && (x->at != new->at ? x->at > new->at : x->value > new->value))
		return;
	if (!x && h->n_numbers < HEARD_NUMBERS)
		x = &h->numbers[h->n_numbers++];
	for (size_t i = 0; !x && i < h->n_numbers; i++) { /* full: the oldest goes */
		bool oldest = true;

		for (size_t k = 0; k < h->n_numbers; k++)
			oldest &= h->numbers[i].at <= h->numbers[k].at;
		if (oldest)
			x = &h->numbers[i];
	}
	*x = *new;
	h->news = true;
}

void sw_heard_take(struct step *s, struct place_state *p, const struct sw_jnode *msg)
{
	struct sw_event ev;

	sw_event_read(sw_jget(msg, "ev"), s->a, &ev);
	if (ev.kind == SW_EV_ALARM)
		heard_alarm(s, p, &ev);
	for (size_t i = 0; ev.kind == SW_EV_REPORT && i < ev.n_metrics; i++)
		heard_number(s, p, &(struct heard_number){
			.name = ev.metrics[i].name, .value = ev.metrics[i].value, .at = ev.received, .sha = ev.sha,
			.run = ev.ci_run_id ? ev.ci_run_id : ev.pipeline_id });
}

/* ---- readings ---- */

static enum sw_reading read_alarm(const struct heard *h, const char *name, sw_ms now, double *ret)
{
	bool heard = false, old = h->cut_at && now - h->cut_at <= HEARD_FOR;

	*ret = 0;
	for (size_t i = 0; i < h->n_alarms; i++) {
		const struct heard_alarm *x = &h->alarms[i];

		if (!sw_streq(x->name, name))
			continue;
		heard = true;
		if (x->firing && now - x->at <= HEARD_FOR)
			*ret = 1;
		else
			old |= x->firing;
	}
	return heard && (*ret > 0 || !old) ? SW_R_OK : SW_R_ABSENT;
}

/* Told by the build that runs here? */
static bool number_fits(const struct heard_number *x, const struct deployment *d)
{
	const char *sha = d->ev.sha ? d->ev.sha : d->ev.short_sha;

	if (x->sha && sha)
		return sw_sha_equal(x->sha, sha);
	if (x->run && (d->ev.ci_run_id || d->ev.pipeline_id))
		return sw_streq(x->run, d->ev.ci_run_id) || sw_streq(x->run, d->ev.ci_run_alias) || sw_streq(x->run, d->ev.pipeline_id);
	return x->at >= (d->started ? d->started : d->seen); /* neither says which */
}

static enum sw_reading read_number(struct place_state *p, const char *name, double *ret)
{
	const struct deployment *d = sw_place_running(p);
	sw_ms at = 0;

	for (size_t i = 0; d && i < p->heard.n_numbers; i++) {
		const struct heard_number *x = &p->heard.numbers[i];

		if (sw_streq(x->name, name) && x->at >= at && number_fits(x, d)) {
			at = x->at;
			*ret = x->value;
		}
	}
	return at ? SW_R_OK : SW_R_ABSENT;
}

static bool before_alarm(const struct heard *h, const char *name, sw_ms until, double *ret)
{
	bool heard = false;

	*ret = 0;
	for (size_t i = 0; i < h->n_alarms; i++) {
		const struct heard_alarm *x = &h->alarms[i];

		if (!sw_streq(x->name, name))
			continue;
		heard = true;
		if (x->start && x->start < until && (x->firing || x->at >= until))
			*ret = 1;
	}
	return heard;
}

bool sw_heard_before(const struct place_state *p, const struct deployment *d, const struct sw_signal_def *def, sw_ms until, double *ret)
{
	sw_ms at = 0;

	if (def->alarm)
		return before_alarm(&p->heard, def->alarm, until, ret);
	for (size_t i = 0; def->report && d->prev_sha && i < p->heard.n_numbers; i++) {
		const struct heard_number *x = &p->heard.numbers[i];

		if (sw_streq(x->name, def->report) && x->at >= at && sw_sha_equal(x->sha, d->prev_sha)) {
			at = x->at;
			*ret = x->value;
		}
	}
	return at > 0;
}

struct wanted {
	const struct sw_signal_def *defs[HEARD_SIGNALS];
	size_t n;
	sw_dur every;                /* 0: nobody looks */
};

static void wanted_add(struct wanted *ret, const struct sw_signal_def *def, sw_dur every)
{
	ret->every = ret->every ? SW_MIN(ret->every, every) : every;
	for (size_t i = 0; i < ret->n; i++)
		if (sw_streq(ret->defs[i]->name, def->name))
			return;
	if (ret->n < HEARD_SIGNALS)
		ret->defs[ret->n++] = def;
}

/* What the open watches need of it. */
static void heard_wants(struct step *s, struct place_state *p, struct wanted *ret)
{
	memset(ret, 0, sizeof *ret);
	for (size_t i = 0; i < p->n_watches; i++) {
		const struct sw_rule *rule = NULL;
		const struct sw_rules *rules = p->watches[i].state == WATCH_DONE ? NULL : sw_watch_rules(s, &p->watches[i], &rule);

		for (size_t k = 0; rules && rule && rule->signals && rule->signals[k]; k++) {
			const struct sw_signal_def *def = sw_rules_signal(rules, rule->signals[k]);

			if (def && (def->alarm || def->report))
				wanted_add(ret, def, p->watches[i].every ? p->watches[i].every : HEARD_EVERY);
		}
	}
}

/* Readings go the way of all samples. */
static void heard_samples(struct step *s, struct place_state *p, const struct wanted *want)
{
	struct sw_buf b = SW_BUF_INIT;
	struct sw_jnode *msg;
	struct sw_jw w;

	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "t", "samples");
	sw_jw_arr(&w, "items");
	for (size_t i = 0; i < want->n; i++) {
		const struct sw_signal_def *def = want->defs[i];
		double v = 0;
		enum sw_reading r = def->alarm ? read_alarm(&p->heard, def->alarm, s->now, &v) : read_number(p, def->report, &v);

		sw_jw_obj(&w, NULL);
		sw_jw_str(&w, "signal", def->name);
		sw_jw_int(&w, "at", s->now);
		sw_jw_str(&w, "r", sw_reading_name(r));
		if (r == SW_R_OK)
			sw_jw_num(&w, "v", v);
		sw_jw_obj_end(&w);
	}
	sw_jw_arr_end(&w);
	sw_jw_obj_end(&w);
	if (sw_jtree_parse(s->a, b.p, b.n, 1000, &msg, NULL) == 0)
		sw_place_samples(s, p, msg);
	sw_buf_fini(&b);
}

void sw_heard_tick(struct step *s, struct place_state *p, sw_ms *next)
{
	struct heard *h = &p->heard;
	struct wanted want;

	heard_wants(s, p, &want);
	if (!want.every) {
		h->read_at = 0; /* the next watch reads at once */
		return;
	}
	if (h->news || s->now >= h->read_at + want.every) {
		heard_samples(s, p, &want);
		h->read_at = s->now;
	}
	if (!*next || h->read_at + want.every < *next)
		*next = h->read_at + want.every;
}
