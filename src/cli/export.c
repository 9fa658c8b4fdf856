/*
 * shipwatch export-test: what a watch saw, as a rule test.
 *
 * 1. The test's time is a grid of the shortest rhythm at which the place was asked. Readings came a little after each other's due
 *    time, so the grid is laid with the first of them in the middle of its slot; between two readings of a signal the older one holds.
 * 2. What came before the rollout is the kept baseline. Of the longer history that a tier A calibration was made of nothing is kept but
 *    the calibration: noise of the baseline's level and spread stands for it, and the file says so.
 * 3. The file is played before it is printed. It expects what it can: the verdict, its reason and its time; where the play ends
 *    otherwise (other services, our own network, a person are not in it), it says what really was and expects what the play gives.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cli/cli.h"
#include "cli/found.h"
#include "sim/sim.h"

#define STATE_NODES  100000
#define SLOTS_MOST   20000              /* of a series */
#define LEAD_READINGS 10                /* of health, before the rollout */
#define LEAD_MOST    (30 * SW_MINUTE)
#define AGO_LEAST    (2 * SW_HOUR)      /* a deployment before: later than its watch would have lasted */
#define PREVIOUS     3                  /* deployments before that are told */
#define AFTER        (2 * SW_MINUTE)    /* the play goes on for */
#define NO_DATA      (31 * SW_MINUTE)   /* where the play knows too little, it takes so long to say so */

struct export {
	struct sw_talk *t;
	const struct sw_explanation *x;
	const struct sw_rules *rules;
	const struct sw_rule *rule;
	const struct sw_explain_deployment *d;
	struct sw_buf b;
	sw_ms start, began, heard, end;         /* of the test, the rollout; when its end was heard; the verdict */
	sw_dur step, shift;                     /* of what happens: see grid_make */
	bool filled;                            /* some history is noise */
};

/* ---- the grid ---- */

static int dur_by_length(const void *a, const void *b)
{
	sw_dur x = *(const sw_dur *)a, y = *(const sw_dur *)b;

	return x < y ? -1 : x > y;
}

/* The usual distance of readings between two moments; 0: fewer than two. */
static sw_dur rhythm(struct export *e, const struct sw_explain_signal *g, sw_ms from, sw_ms until)
{
	sw_dur *gaps = SW_ARENA_ARRAY(&e->t->a, sw_dur, g->n + 1);
	size_t n = 0;

	for (size_t i = 1; i < g->n; i++)
		if (g->samples[i - 1].at >= from && g->samples[i].at < until)
			gaps[n++] = g->samples[i].at - g->samples[i - 1].at;
	qsort(gaps, n, sizeof *gaps, dur_by_length);
	return n ? SW_MAX((gaps[n / 2] + 50) / 100 * 100, 100) : 0;
}

static bool is_health(const struct sw_explain_signal *g) { return g->def && g->def->type == SW_V_BOOL; }
/* Series of a test say what sources are asked for; reports and alarms are events. */
static bool is_told(const struct sw_explain_signal *g) { return !g->def || g->def->report || g->def->alarm; }

static sw_ms first_reading(const struct sw_explanation *x, sw_ms from, bool health)
{
	sw_ms at = 0;

	for (size_t i = 0; i < x->n_signals; i++)
		for (size_t k = 0; k < x->signals[i].n && (!health || is_health(&x->signals[i])); k++)
			if (x->signals[i].samples[k].at >= from && (!at || x->signals[i].samples[k].at < at))
				at = x->signals[i].samples[k].at;
	return at;
}

/* When the deployment that ran here before had ended: what health was until then says nothing. */
static sw_ms previous_end(const struct export *e)
{
	sw_ms at = 0;

	for (size_t i = 0; i < e->x->deployment; i++)
		if (e->x->deployments[i].ran)
			at = SW_MAX(at, e->x->deployments[i].finished);
	return at;
}

/* The earliest reading of health that tells how it was before. */
static sw_ms lead_start(const struct export *e)
{
	sw_ms start = SW_MIN(e->began, e->heard), after = SW_MAX(e->began - LEAD_MOST, previous_end(e));

	for (size_t i = 0; i < e->x->n_signals; i++) {
		const struct sw_explain_signal *g = &e->x->signals[i];
		size_t n = 0;

		for (size_t k = g->n; is_health(g) && k-- > 0 && n < LEAD_READINGS;)
			if (g->samples[k].at < e->began && g->samples[k].at > after) {
				start = SW_MIN(start, g->samples[k].at);
				n++;
			}
	}
	return start;
}

/*
 * Where health was asked before, the play asks it from its start on, at the beginnings of slots, and what happens has to keep its distance
 * from those: it is moved by the half slot that the readings are. Else what happens says when sources are asked.
 */
static void grid_make(struct export *e)
{
	const struct sw_explanation *x = e->x;
	sw_ms first, lead;

	e->began = e->d->started && e->d->started < e->d->finished ? e->d->started : e->d->finished;
	e->end = x->ended;
	e->heard = e->d->heard >= e->d->finished && e->d->heard <= e->end ? e->d->heard : e->d->finished;
	first = first_reading(x, e->heard, false);
	if (first && first < e->end && first - e->heard < SW_MINUTE)
		e->heard = SW_MAX(e->heard, first - 1); /* the watch opened: its sources are asked at once */
	e->step = x->every;
	for (size_t i = 0; i < x->n_signals; i++) {
		sw_dur own = rhythm(e, &x->signals[i], e->heard, x->closed ? x->closed + 1 : INT64_MAX);

		if (own && !is_told(&x->signals[i]))
			e->step = SW_MIN(e->step, own);
	}
	e->step = SW_MAX(e->step, SW_SECOND);
	lead = lead_start(e);
	if (lead < SW_MIN(e->began, e->heard) && first_reading(x, e->heard, true)) {
		first = first_reading(x, e->heard, true);
		e->shift = e->step / 2;
	}
	e->start = first ? first - e->step / 2 : e->heard;
	while (e->start > lead)
		e->start -= e->step;
}

/* ---- tokens ---- */

/* Six digits, without an exponent: to a series + and - are words of their own. */
static void number_print(struct sw_buf *b, double v)
{
	int digits = v == 0 ? 0 : SW_MIN(SW_MAX(5 - (int)floor(log10(fabs(v))), 0), 12);
	char text[64];
	size_t n = (size_t)snprintf(text, sizeof text, "%.*f", digits, v);

	while (digits && n > 1 && text[n - 1] == '0')
		n--;
	if (digits && text[n - 1] == '.')
		n--;
	sw_buf_catn(b, text, SW_MIN(n, sizeof text - 1));
}

/* [["GET /a",p95,requests,errors],…] as [GET /a: 0.3 120 1; …]; names that would end it are left out. */
static void elements_print(struct export *e, const char *json, struct sw_buf *b)
{
	struct sw_jnode *list;
	bool any = false;

	if (!json || sw_jtree_parse(&e->t->a, json, strlen(json), STATE_NODES, &list, NULL) < 0) {
		sw_buf_cat(b, "_");
		return;
	}
	sw_buf_putc(b, '[');
	for (const struct sw_jnode *x = list->child; x; x = x->next) {
		const struct sw_jnode *v = x->child ? x->child->next : NULL;

		if (!v || x->child->type != SW_J_STRING || strpbrk(x->child->text, ";]'\n"))
			continue;
		sw_buf_printf(b, "%s%s:", any ? "; " : "", x->child->text);
		for (; v; v = v->next) {
			sw_buf_putc(b, ' ');
			number_print(b, v->type == SW_J_NUMBER ? v->d : 0);
		}
		any = true;
	}
	sw_buf_putc(b, ']');
}

static void health_print(const struct export *e, const struct sw_sample *s, struct sw_buf *b)
{
	const char *version = s->value > 0.5 ? s->text : NULL;

	if (!version && s->value > 0.5 && e->x->place && e->x->place->health.version && s->at >= e->x->from)
		version = e->d->sha; /* rings keep no texts: the clock starts when the new version answers */
	sw_buf_cat(b, s->value > 0.5 ? "ok" : "fail");
	if (version && *version && strspn(version, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-") == strlen(version))
		sw_buf_printf(b, ":%s", version);
}

static void sample_print(struct export *e, const struct sw_explain_signal *g, const struct sw_sample *s, struct sw_buf *b)
{
	if (!s || s->reading == SW_R_ABSENT || s->reading == SW_R_TOO_FEW)
		sw_buf_cat(b, "_");
	else if (s->reading != SW_R_OK)
		sw_buf_cat(b, s->reading == SW_R_ERROR ? "err" : s->reading == SW_R_NAN ? "nan" : "stale");
	else if (is_health(g))
		health_print(e, s, b);
	else if (g->def->type == SW_V_LIST)
		elements_print(e, s->text, b);
	else
		number_print(b, s->value);
}

static void point_print(const struct sw_explain_signal *g, const double *points, sw_ms at, struct sw_buf *b)
{
	sw_ms i = at < g->points_from ? -1 : (at - g->points_from) / g->points_step;

	if (i >= 0 && (size_t)i < g->baseline && isfinite(points[i]))
		number_print(b, points[i]);
	else
		sw_buf_cat(b, "_");
}

/* What a signal was in the slot from `at` on. counts: of how many requests it spoke. */
static void slot_print(struct export *e, const struct sw_explain_signal *g, bool counts, sw_ms at, size_t *k, struct sw_buf *b)
{
	const double *points = counts ? g->counts : g->points;
	const struct sw_sample *s = NULL;
	sw_dur hold;

	if (at + e->step / 2 < e->began && points && g->def->type != SW_V_LIST) {
		point_print(g, points, at + e->step / 2, b);
		return;
	}
	if (at + e->step / 2 < e->began && g->elements) {
		elements_print(e, g->elements, b);
		return;
	}
	while (*k + 1 < g->n && g->samples[*k + 1].at < at + e->step)
		(*k)++;
	hold = *k + 1 < g->n ? g->samples[*k + 1].at - g->samples[*k].at : 0;
	if (*k < g->n && g->samples[*k].at < at + e->step && at - g->samples[*k].at < SW_MIN(hold, 3 * SW_MINUTE))
		s = &g->samples[*k];
	if (!counts)
		sample_print(e, g, s, b);
	else if (s && s->reading == SW_R_OK && s->count > 0)
		number_print(b, s->count);
	else
		sw_buf_cat(b, "_");
}

/* So many times the same. Behind a value stands the number of further ones, behind a word how many there are. */
static void run_print(struct sw_buf *b, const char *token, size_t n)
{
	bool value = (*token >= '0' && *token <= '9') || *token == '-' || *token == '[';

	if (n == 1)
		sw_buf_printf(b, "%s%s", b->n && b->p[b->n - 1] != '\'' ? " " : "", token);
	else
		sw_buf_printf(b, "%s%s%sx%zu", b->n && b->p[b->n - 1] != '\'' ? " " : "", token, value ? "" : " ", value ? n - 1 : n);
}

/* Slots between two moments of the grid; nothing at either end is left out. */
static void slots_print(struct export *e, const struct sw_explain_signal *g, bool counts, sw_ms from, sw_ms until, struct sw_buf *b)
{
	bool at_start = until <= e->start; /* a history ends where the test begins, a series begins there */
	SW_CLEANUP(sw_buf_fini) struct sw_buf last = SW_BUF_INIT;
	SW_CLEANUP(sw_buf_fini) struct sw_buf now = SW_BUF_INIT;
	size_t times = 0, k = 0, n = 0;

	for (sw_ms at = from; at < until && n < SLOTS_MOST; at += e->step, n++) {
		sw_buf_reset(&now);
		slot_print(e, g, counts, at, &k, &now);
		if (times && strcmp(sw_buf_str(&now), sw_buf_str(&last)) == 0) {
			times++;
			continue;
		}
		if (times && !(at_start && strcmp(sw_buf_str(&last), "_") == 0 && !b->n))
			run_print(b, sw_buf_str(&last), times);
		sw_buf_reset(&last);
		sw_buf_cat(&last, sw_buf_str(&now));
		times = 1;
	}
	if (times && (at_start || strcmp(sw_buf_str(&last), "_") != 0))
		run_print(b, sw_buf_str(&last), times);
}

/* ---- a history that is not kept ---- */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Level and spread of the baseline: the median, and 1.4826 MAD of its logarithms where it is above 0. */
static void points_fit(struct export *e, const double *v, size_t n, double *ret_level, double *ret_spread)
{
	double *x = SW_ARENA_ARRAY(&e->t->a, double, n + 1), level;
	size_t m = 0;

	for (size_t i = 0; i < n; i++)
		if (isfinite(v[i]))
			x[m++] = v[i];
	qsort(x, m, sizeof *x, by_value);
	*ret_level = level = m ? x[m / 2] : 0;
	*ret_spread = 0;
	if (!m || x[0] <= 0 || level <= 0)
		return;
	for (size_t i = 0; i < m; i++)
		x[i] = fabs(log(x[i] / level));
	qsort(x, m, sizeof *x, by_value);
	*ret_spread = SW_MIN(1.4826 * x[m / 2], 4.0);
}

/* The slot of a moment; those before the test are negative. */
static sw_ms slot_of(const struct export *e, sw_ms at)
{
	sw_dur d = at - e->start;

	return d >= 0 ? d / e->step : -((e->step - 1 - d) / e->step);
}

/* From slot *pos up to the one of `until` a value, NaN: nothing known. */
static void fill(struct export *e, double v, sw_ms until, sw_ms *pos, struct sw_buf *b)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf token = SW_BUF_INIT;
	sw_ms to = slot_of(e, until);

	if (to <= *pos)
		return;
	if (isfinite(v))
		number_print(&token, v);
	else
		sw_buf_cat(&token, "_");
	run_print(b, sw_buf_str(&token), (size_t)(to - *pos));
	*pos = to;
}

/* Earlier days, oldest first: of the time before the medians of its parts, each as long as the part was, and what came after as it was. */
static void days_print(struct export *e, const struct sw_explain_signal *g, sw_ms *pos, struct sw_buf *b)
{
	sw_dur length = (sw_dur)g->baseline * g->points_step;

	for (size_t i = g->n_days; i-- > 0;) {
		const struct baseline_day *d = &g->days[i];
		sw_dur back = d->back * SW_DAY;

		if (i == g->n_days - 1)
			*pos = slot_of(e, g->points_from - back);
		fill(e, NAN, g->points_from - back, pos, b);
		for (size_t k = 0; k < d->m; k++)
			fill(e, d->x[k], g->points_from - back + (sw_dur)(k + 1) * length / (sw_dur)d->m, pos, b);
		fill(e, NAN, g->day_after - back, pos, b);
		for (size_t k = 0; k < d->n; k++)
			fill(e, d->y[k], g->day_after - back + (sw_dur)(k + 1) * g->points_step, pos, b);
	}
}

/* What comes before the baseline: earlier days, and noise for what a calibration was made of. */
static void filler_print(struct export *e, const struct sw_explain_signal *g, bool counts, struct sw_buf *b)
{
	sw_ms end = slot_of(e, g->points_from), pos = end;
	sw_dur length = g->pseudo && g->history > g->valid ? (sw_dur)(g->history - g->valid) * g->points_step : 0;
	double level, spread;

	if (!counts)
		days_print(e, g, &pos, b);
	if (length && pos == end && !b->n)
		pos = slot_of(e, g->points_from - length);
	else if (length)
		fill(e, NAN, g->points_from - length, &pos, b);
	else
		fill(e, NAN, g->points_from, &pos, b);
	if (!length || end - pos < 2)
		return;
	points_fit(e, counts ? g->counts : g->points, g->baseline, &level, &spread);
	sw_buf_cat(b, b->n ? " " : "");
	number_print(b, level);
	if (spread > 0.0005)
		sw_buf_printf(b, "~%.1f%%", spread * 100);
	sw_buf_printf(b, "x%lld", (long long)(end - pos - 1));
	e->filled = true;
}

/* ---- the parts of the file ---- */

static const char *quoted(struct export *e, const char *s)
{
	struct sw_buf b = SW_BUF_INIT;
	const char *ret;

	sw_buf_json(&b, s);
	ret = sw_arena_strdup(&e->t->a, sw_buf_str(&b));
	sw_buf_fini(&b);
	return ret;
}

/* A name as it is, where YAML takes it for one. */
static const char *name(struct export *e, const char *s)
{
	static const char *const words[] = { "true", "false", "null", "yes", "no", "on", "off", "y", "n" };
	bool plain = ((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z')) &&
	             s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-")] == '\0';

	for (size_t i = 0; i < SW_COUNT(words); i++)
		plain &= strcasecmp(s, words[i]) != 0;
	return plain ? s : quoted(e, s);
}

/* When something happens, in the play. */
static const char *since(struct export *e, sw_ms at) { return sw_found_dur(e->t, SW_MAX(at - e->start - e->shift, 0)); }

/* A text as a block, `indent` deep. */
static void block_print(struct sw_buf *b, const char *text, int indent)
{
	const char *first = text + strspn(text, "\n");

	sw_buf_cat(b, *first == ' ' ? "|2\n" : "|\n");
	while (*text) {
		size_t n = strcspn(text, "\n");

		if (n)
			sw_buf_printf(b, "%*s%.*s", indent, "", (int)n, text);
		sw_buf_putc(b, '\n');
		text += n + (text[n] == '\n');
	}
}

/* The rules of the watch as they were: the text of one file, or of several by their names. */
static void rules_print(struct export *e)
{
	struct sw_jnode *root;
	size_t i = 0;

	if (sw_jtree_parse(&e->t->a, e->rules->source, e->rules->source_n, STATE_NODES, &root, NULL) < 0)
		return;
	sw_buf_cat(&e->b, "rules:");
	if (root->n != 1)
		sw_buf_putc(&e->b, '\n');
	for (const struct sw_jnode *x = root->child; x; x = x->next) {
		bool twice = false;

		if (root->n == 1) {
			sw_buf_putc(&e->b, ' ');
			block_print(&e->b, x->child->next->text, 2);
			continue;
		}
		for (const struct sw_jnode *y = root->child; y != x; y = y->next)
			twice |= sw_streq(y->child->text, x->child->text);
		i++;
		sw_buf_printf(&e->b, "  %s: ", name(e, twice ? sw_arena_printf(&e->t->a, "%zu-%s", i, x->child->text) : x->child->text));
		block_print(&e->b, x->child->next->text, 4);
	}
}

/* The rhythm of health before the rollout, and under watch. */
static void place_rhythm(struct export *e, sw_dur *every, sw_dur *background)
{
	const struct sw_place *p = e->x->place;

	*every = *background = 0;
	for (size_t i = 0; i < e->x->n_signals; i++)
		if (is_health(&e->x->signals[i])) {
			*every = rhythm(e, &e->x->signals[i], e->heard, e->x->closed ? e->x->closed + 1 : INT64_MAX);
			*background = rhythm(e, &e->x->signals[i], previous_end(e), e->began);
		}
	if (p && p->health.url) {
		*every = p->health.every;
		*background = p->health.background;
	}
	if (!*every)
		*every = e->x->every;
}

static void limits_print(struct export *e, const struct sw_place *p)
{
	sw_buf_cat(&e->b, ", limits: {");
	for (size_t i = 0; i < p->n_limits; i++) {
		struct sw_value v = { .type = (enum sw_vtype)p->limits[i].type, .num = p->limits[i].value };

		sw_buf_printf(&e->b, "%s%s: ", i ? ", " : "", p->limits[i].name);
		sw_value_print(&v, &e->b);
	}
	sw_buf_cat(&e->b, "}");
}

static void place_print(struct export *e)
{
	const struct sw_explanation *x = e->x;
	const struct sw_place *p = x->place;
	const char *tier = p ? p->tier : e->rule && e->rule->on.kind == SW_TR_DEPLOY_TO && !sw_streq(e->rule->on.target, "*") ? e->rule->on.target : NULL;
	sw_dur every, background;
	bool versions = false;

	place_rhythm(e, &every, &background);
	for (size_t i = 0; i < x->n_signals; i++)
		for (size_t k = 0; is_health(&x->signals[i]) && k < x->signals[i].n; k++)
			versions |= x->signals[i].samples[k].value > 0.5 && x->signals[i].samples[k].text;
	sw_buf_printf(&e->b, "places:\n  %s: {every: %s, grace: %s", name(e, sw_arena_printf(&e->t->a, "%s/%s", x->service, x->environment)),
	              sw_found_dur(e->t, every), sw_found_dur(e->t, x->grace));
	if (background)
		sw_buf_printf(&e->b, ", background: %s", sw_found_dur(e->t, background));
	if (p ? p->health.version != NULL : versions)
		sw_buf_cat(&e->b, ", version: true");
	if (p && p->prometheus.url && p->prometheus.window != SW_MINUTE)
		sw_buf_printf(&e->b, ", window: %s", sw_found_dur(e->t, p->prometheus.window));
	if (p && !p->rollback)
		sw_buf_cat(&e->b, ", rollback: none");
	if (p && p->dry_run)
		sw_buf_cat(&e->b, ", dry_run: true");
	if (tier && !sw_streq(tier, sw_place_tier(x->environment)) && strcasecmp(tier, x->environment) != 0)
		sw_buf_printf(&e->b, ", tier: %s", name(e, tier));
	if (p && p->n_limits)
		limits_print(e, p);
	sw_buf_cat(&e->b, "}\n");
}

static void event_print(struct export *e, sw_ms at, size_t i, const char *status, sw_dur ago)
{
	const struct sw_explain_deployment *d = &e->x->deployments[i];
	const struct { const char *name, *value; } texts[] = {
		{ "sha", d->sha ? d->sha : "0000000" }, { "version", d->version }, { "user", d->user }, { "branch", d->branch }, { "tag", d->tag },
	};

	sw_buf_printf(&e->b, "  - {at: %s, deployment: {service: %s, env: %s, id: \"%zu\", status: %s", since(e, SW_MAX(at, e->start)),
	              name(e, e->x->service), name(e, e->x->environment), i + 1, status);
	if (ago >= SW_SECOND)
		sw_buf_printf(&e->b, ", ago: %s", sw_found_dur(e->t, ago / SW_SECOND * SW_SECOND));
	for (size_t k = 0; k < SW_COUNT(texts); k++)
		if (texts[k].value && !(k == 3 && sw_streq(d->branch, "main")))
			sw_buf_printf(&e->b, ", %s: %s", texts[k].name, name(e, texts[k].value));
	sw_buf_cat(&e->b, "}}\n");
}

/* What ran here before, the deployment, and what came before its verdict. */
static void events_print(struct export *e)
{
	const struct sw_explanation *x = e->x;
	size_t before = 0;

	sw_buf_cat(&e->b, "  events:\n");
	for (size_t i = 0; i < x->deployment; i++)
		before += x->deployments[i].ran;
	for (size_t i = 0; i < x->deployment; i++) {
		const struct sw_explain_deployment *d = &x->deployments[i];

		if (d->ran && before-- <= PREVIOUS)
			event_print(e, e->start, i, "success", SW_MAX(e->start - d->finished, AGO_LEAST + (sw_dur)(x->deployment - i) * SW_MINUTE));
	}
	if (e->began < e->d->finished)
		event_print(e, e->began, x->deployment, "running", 0);
	event_print(e, e->heard, x->deployment, "success", e->heard - e->d->finished);
	for (size_t i = x->deployment + 1; i < x->n_deployments; i++) {
		const struct sw_explain_deployment *d = &x->deployments[i];

		if (d->started && d->started > e->heard && d->started <= e->end && d->started < d->finished)
			event_print(e, d->started, i, "running", 0);
		if (d->ran && d->finished > e->heard && d->finished <= e->end)
			event_print(e, d->finished, i, "success", 0);
	}
}

enum part { PART_HISTORY, PART_SERIES, PART_PROBES, PARTS };

/* One series of a part. counts: how many requests an error rate speaks of, as the signal requests. */
static void part_print(struct export *e, enum part part, const struct sw_explain_signal *g, bool counts, bool *any)
{
	static const char *const names[] = { "history", "series", "probes" };
	sw_ms from = e->start, until = e->end + AFTER;
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	if (is_told(g) || (part == PART_PROBES) != is_health(g) || (part == PART_HISTORY && !g->baseline))
		return;
	if (part == PART_HISTORY) {
		until = e->start;
		while (from > g->points_from)
			from -= e->step;
		if (g->def->type != SW_V_LIST)
			filler_print(e, g, counts, &b);
	}
	if (e->x->closed)
		until = SW_MIN(until, e->x->closed + e->step);
	slots_print(e, g, counts, from, until, &b);
	if (!b.n && part == PART_HISTORY)
		return;
	if (!b.n)
		sw_buf_cat(&b, "_"); /* it was asked for */
	if (!*any)
		sw_buf_printf(&e->b, "  %s:\n", names[part]);
	*any = true;
	sw_buf_printf(&e->b, "    %s: '%s'\n", counts ? "requests" : g->name, sw_buf_str(&b));
}

static void series_print(struct export *e)
{
	const struct sw_explain_signal *counted = NULL;
	bool requests = false;

	for (size_t i = 0; i < e->x->n_signals; i++) {
		const struct sw_explain_signal *g = &e->x->signals[i];

		requests |= sw_streq(g->name, "requests");
		for (size_t k = 0; k < g->n && !counted; k++)
			if (g->samples[k].count > 0)
				counted = g;
	}
	for (int part = 0; part < PARTS; part++) {
		bool any = false;

		for (size_t i = 0; i < e->x->n_signals; i++)
			part_print(e, (enum part)part, &e->x->signals[i], false, &any);
		if (counted && !requests && (part == PART_SERIES || counted->counts))
			part_print(e, (enum part)part, counted, true, &any);
	}
}

/* ---- what it expects ---- */

enum exact { EXACT_TIME, EXACT_REASON, EXACT_VERDICT, EXACT_PLAYED };

/* Why a play of what is kept may end otherwise. */
static const char *lost_why(const struct export *e)
{
	if (sw_streq(e->x->reason, "common-cause"))
		return "other services failed at the same time, which are not in this file";
	if (sw_streq(e->x->reason, "operator"))
		return "a person ended it";
	if (e->filled)
		return "regressed() was calibrated on a longer history than is kept";
	if (strstr(e->x->cond, "changed(") || strstr(e->x->cond, "failing_services") || strstr(e->x->cond, "previous.") || strstr(e->x->cond, "flaky"))
		return "its condition asks for what is not kept";
	if (!e->x->place && (strstr(e->x->cond, "limits.") || strstr(e->x->cond, "labels.")))
		return "limits and labels were not known here: say -c FILE";
	return "not all that it saw is kept";
}

static void expect_print(struct export *e, enum exact exact, const char *verdict)
{
	const struct sw_explanation *x = e->x;
	sw_dur margin = SW_MAX(3 * SW_MAX(x->every, e->step), (e->end - e->heard) / 10), from = SW_MAX(e->end - margin, e->heard) - e->start;

	if (exact == EXACT_PLAYED)
		sw_buf_printf(&e->b, "  # Really it ended %s (%s), %s after the deployment. Played again from what is kept it ends %s: %s.\n"
		                     "  # So this expects what the play gives. Give it what is missing, then expect verdict: %s.\n",
		              x->verdict, x->reason, sw_found_dur(e->t, (e->end - e->d->finished) / SW_SECOND * SW_SECOND), verdict, lost_why(e), x->verdict);
	else if (exact == EXACT_VERDICT)
		sw_buf_printf(&e->b, "  # Its reason was: %s. What is kept does not show that.\n", x->reason);
	sw_buf_printf(&e->b, "  expect:\n  - {rule: %s, verdict: %s", name(e, x->rule), verdict);
	if (exact <= EXACT_REASON)
		sw_buf_printf(&e->b, ", reason: %s", x->reason);
	if (exact == EXACT_TIME)
		sw_buf_printf(&e->b, ", within: [%s, %s]", sw_found_dur(e->t, SW_MAX(from - e->shift, 0) / SW_SECOND * SW_SECOND),
		              sw_found_dur(e->t, (e->end + margin - e->start) / SW_SECOND * SW_SECOND + SW_SECOND));
	sw_buf_cat(&e->b, "}\n");
}

static void file_print(struct export *e, enum exact exact, const char *verdict)
{
	const struct sw_explanation *x = e->x;
	const struct sw_explain_signal *g = x->signals;
	sw_dur more = exact == EXACT_PLAYED ? NO_DATA : 0, length = more + (e->end - e->heard + AFTER + SW_SECOND) / SW_SECOND * SW_SECOND;

	sw_buf_reset(&e->b);
	sw_buf_printf(&e->b, "# %s/%s: what the watch of rule %s saw. 0s is %s; the deployment ended %s later.\n", x->service, x->environment, x->rule,
	              sw_found_time(e->t, e->start), sw_found_dur(e->t, SW_MAX(e->d->finished - e->start, 0)));
	while (e->filled && !g->pseudo)
		g++;
	if (e->filled)
		sw_buf_printf(&e->b, "# Of the time before the deployment the last %s are kept; what stands before them under `history` is noise like them%s.\n",
		              sw_found_dur(e->t, (e->began - g->points_from) / SW_MINUTE * SW_MINUTE),
		              g->n_days ? ", and the same minutes of earlier days" : "");
	rules_print(e);
	sw_buf_printf(&e->b, "interval: %s\n", sw_found_dur(e->t, e->step));
	place_print(e);
	sw_buf_printf(&e->b, "tests:\n- name: %s\n  length: %s\n",
	              quoted(e, sw_arena_printf(&e->t->a, "%s of %.12s", x->rule, e->d->sha ? e->d->sha : e->d->id)), sw_found_dur(e->t, length));
	events_print(e);
	series_print(e);
	expect_print(e, exact, verdict);
}

/* ---- playing it ---- */

/* Does it load, and does the play end as the file expects? *ret_broken: it does not load. */
static bool file_play(struct export *e, bool *ret_broken)
{
	struct sim_report report = { 0 };
	struct sw_arena a = { 0 };
	struct sw_diags d;
	bool good;

	sw_diags_init(&d, &a);
	*ret_broken = sw_sim_test_text("export-test", sw_buf_str(&e->b), e->b.n, NULL, &report, &d) < 0;
	for (const struct sw_diag *one = d.first; one && *ret_broken; one = one->next)
		if (!one->warning)
			(void)fprintf(stderr, "shipwatch: %s\n", one->text);
	good = !*ret_broken && report.passed == 1 && report.failed == 0;
	sw_sim_report_fini(&report);
	sw_arena_fini(&a);
	return good;
}

/* The strictest expectation that holds. Return: 0, or -1 told on stderr. */
static int file_make(struct export *e)
{
	static const char *const verdicts[] = { "pass", "fail", "inconclusive", "superseded" };
	bool broken = false;

	file_print(e, EXACT_TIME, e->x->verdict); /* what is said on top is known when the series are */
	for (int exact = EXACT_TIME; exact <= EXACT_VERDICT && !broken; exact++) {
		file_print(e, (enum exact)exact, e->x->verdict);
		if (file_play(e, &broken))
			return 0;
	}
	for (size_t i = 0; i < SW_COUNT(verdicts) && !broken; i++) {
		file_print(e, EXACT_PLAYED, verdicts[i]);
		if (file_play(e, &broken)) {
			(void)fprintf(stderr, "shipwatch: what is kept does not give the verdict %s again, the file says why\n", e->x->verdict);
			return 0;
		}
	}
	file_print(e, EXACT_TIME, e->x->verdict);
	(void)fprintf(stderr, "shipwatch: what is kept does not make a test that holds\n");
	return -1;
}

int sw_cli_export_test(int argc, char **argv)
{
	static const struct sw_usage usage = {
		"export-test WATCH",
		"Writes what a watch saw as a test for `shipwatch test`: the deployments, the readings since and before, the verdict. It is played\n"
		"first; where it does not end as the watch did, it says so and why. With -c FILE it knows limits, tier and rhythms too.\n",
		NULL, 1, 1,
	};
	struct sw_talk t = { 0 };
	const struct sw_opt opts[] = { SW_OPT_TALK(&t), { 0 } };
	struct sw_rules *rules = NULL;
	struct sw_explanation x;
	int r;

	if (sw_options_read(&usage, opts, argc, argv, &r) < 0)
		return r;
	r = sw_talk_open(&t);
	if (r == 0)
		r = sw_find_explained(&t, argv[1], &rules, &x);
	if (r == 0 && !x.verdict) {
		(void)fprintf(stderr, "shipwatch: watch %s has no verdict yet\n", argv[1]);
		r = -1;
	}
	if (r == 0) {
		struct export e = { .t = &t, .x = &x, .rules = rules, .rule = sw_rules_find(rules, x.rule), .d = &x.deployments[x.deployment] };

		grid_make(&e);
		r = file_make(&e);
		(void)fputs(sw_buf_str(&e.b), stdout);
		sw_buf_fini(&e.b);
	}
	sw_rules_put(rules);
	sw_talk_close(&t);
	return r < 0 ? SW_EXIT_WRONG : SW_EXIT_OK;
}
