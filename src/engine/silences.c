/* Silences: added and ended by people, over by themselves. */
#include "engine/silences.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "engine/record.h"
#include "shipwatch/err.h"

#define EACH(x, obj, key) for (const struct sw_jnode *x = sw_jget(obj, key) ? sw_jget(obj, key)->child : NULL; x; x = x->next)

/* What a silence may match: globs over these members of an alert; NULL fits everything. */
static const struct { const char *key, *member; } matchers[] = {
	{ "service", "service" }, { "env", "environment" }, { "rule", "rule" }, { "severity", "severity" } };

enum { MATCH_SERVICE, MATCH_ENV, MATCH_RULE, MATCH_SEVERITY };

struct silence {
	const char *id, *who, *why, *match[SW_COUNT(matchers)];
	sw_ms from, until;
	bool maintenance;
};

static void silence_read(const struct sw_jnode *n, struct silence *x)
{
	*x = (struct silence){ .id = sw_jstr(n, "id"), .who = sw_jstr(n, "who"), .why = sw_jstr(n, "why"), .from = sw_jint(n, "from", 0),
	                       .until = sw_jint(n, "until", 0), .maintenance = sw_jbool(n, "maintenance", false) };
	for (size_t i = 0; i < SW_COUNT(matchers); i++)
		x->match[i] = sw_jstr(n, matchers[i].key);
}

static void silence_write(const struct silence *x, struct sw_jw *w)
{
	sw_jw_obj(w, NULL);
	sw_jw_str(w, "id", x->id);
	for (size_t i = 0; i < SW_COUNT(matchers); i++)
		sw_jw_opt(w, matchers[i].key, x->match[i]);
	sw_jw_int(w, "from", x->from);
	sw_jw_int(w, "until", x->until);
	if (x->maintenance)
		sw_jw_bool(w, "maintenance", true);
	sw_jw_opt(w, "who", x->who);
	sw_jw_opt(w, "why", x->why);
	sw_jw_obj_end(w);
}

static void silence_record(struct step *s, const struct silence *x)
{
	struct sw_jw w;

	sw_record_begin(s, "sil", &w);
	silence_write(x, &w);
	sw_record_end(s, &w);
}

static int silence_add(struct step *s, struct silence *list, size_t *n, const struct sw_jnode *m)
{
	struct silence x;
	bool any = false;

	silence_read(m, &x);
	x.from = s->now;
	for (size_t i = 0; i < SW_COUNT(matchers); i++) {
		any |= x.match[i] != NULL;
		if (x.match[i] && strlen(x.match[i]) > SILENCE_TEXT)
			return sw_err_set(s->err, EBADMSG, "a silence with a text of over %d bytes", SILENCE_TEXT);
	}
	if (!x.id || !any || x.until <= s->now || (x.why && strlen(x.why) > SILENCE_TEXT))
		return sw_err_set(s->err, EBADMSG, "a silence without id, matcher or end");
	if (x.maintenance && x.match[MATCH_SEVERITY])
		return sw_err_set(s->err, EBADMSG, "a maintenance of one severity: an action has none");
	x.until = SW_MIN(x.until, s->now + SILENCE_LONGEST);
	for (size_t i = 0; i < *n; i++)
		if (sw_streq(list[i].id, x.id))
			return 0; /* told twice */
	if (*n == SILENCES_MOST) {
		sw_step_note(s, SW_NOTE_ERROR, NULL, NULL, "more than %d silences, this one is not taken", SILENCES_MOST);
		return 0;
	}
	list[(*n)++] = x;
	silence_record(s, &x);
	sw_step_note(s, SW_NOTE_INFO, NULL, NULL, "%s %s by %s%s%s", x.maintenance ? "maintenance" : "silence", x.id, x.who ? x.who : "somebody", x.why ? ": " : "", x.why ? x.why : "");
	return 0;
}

static void silence_end(struct step *s, struct silence *list, size_t n, const struct sw_jnode *m)
{
	for (size_t i = 0; i < n; i++)
		if (sw_streq(list[i].id, sw_jstr(m, "id")) && list[i].until > s->now) {
			list[i].until = s->now;
			silence_record(s, &list[i]);
			sw_step_note(s, SW_NOTE_INFO, NULL, NULL, "silence %s ended by %s", list[i].id, sw_jstr(m, "who") ? sw_jstr(m, "who") : "somebody");
		}
}

int sw_silences_step(struct step *s)
{
	struct silence *list = SW_ARENA_ARRAY(s->a, struct silence, SILENCES_MOST + 1);
	struct sw_buf b = SW_BUF_INIT;
	size_t n = 0;
	struct sw_jw w;
	int r = 0;

	EACH(x, s->in->state, "items") if (n < SILENCES_MOST && sw_jint(x, "until", 0) > s->now - SW_DAY)
		silence_read(x, &list[n++]); /* those that are over are shown for a day */
	for (size_t i = 0; i < s->in->n_msgs && r == 0; i++) {
		const char *what = sw_jstr(s->in->msgs[i], "do");

		if (sw_streq(what, "silence"))
			r = silence_add(s, list, &n, s->in->msgs[i]);
		else if (sw_streq(what, "end"))
			silence_end(s, list, n, s->in->msgs[i]);
		else
			r = sw_err_set(s->err, EBADMSG, "unknown command \"%.40s\" about silences", what ? what : "");
	}
	if (r < 0)
		return r;
	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_int(&w, "t", s->now);
	sw_jw_arr(&w, "items");
	for (size_t i = 0; i < n; i++)
		silence_write(&list[i], &w);
	sw_jw_arr_end(&w);
	sw_jw_obj_end(&w);
	s->out->state = sw_arena_strndup(s->a, b.p, b.n);
	s->out->state_n = b.n;
	sw_buf_fini(&b);
	return 0;
}

/* Of several rules that one message tells of each has to fit. */
static bool silence_fits_all(const char *glob, const char *names)
{
	const char *end;
	char one[SILENCE_TEXT + 1];

	while ((end = strstr(names, ", "))) {
		(void)snprintf(one, sizeof one, "%.*s", (int)(end - names), names);
		if (!sw_glob_match(glob, one, false))
			return false;
		names = end + 2;
	}
	return sw_glob_match(glob, names, false);
}

static bool silence_fits(const struct silence *x, const char *const *values)
{
	for (size_t i = 0; i < SW_COUNT(matchers); i++) {
		const char *v = values[i];

		if (x->match[i] && !sw_glob_match(x->match[i], v ? v : "", false) &&
		    !(sw_streq(matchers[i].key, "rule") && v && strstr(v, ", ") && silence_fits_all(x->match[i], v)))
			return false;
	}
	return true;
}

/* The first silence in force that fits; maintenance: of those that are one. *ret_known as in the header. */
static bool silence_find(struct step *s, const char *const *values, bool maintenance, struct silence *ret, bool *ret_known)
{
	struct sw_jnode *state;
	const char *text;

	*ret_known = sw_step_snap(s, SILENCES_KEY, &text);
	if (!*ret_known || !text || sw_jtree_parse(s->a, text, strlen(text), 10000, &state, NULL) < 0)
		return false;
	EACH(n, state, "items") {
		silence_read(n, ret);
		if (ret->until > s->now && (ret->maintenance || !maintenance) && silence_fits(ret, values))
			return true;
	}
	return false;
}

static const char *silence_text(struct step *s, const struct silence *x)
{
	return sw_arena_printf(s->a, "%s %s by %s%s%s", x->maintenance ? "maintenance" : "silence", x->id, x->who ? x->who : "somebody",
	                       x->why ? ": " : "", x->why ? x->why : "");
}

const char *sw_silences_hold(struct step *s, const struct sw_jnode *alert, sw_ms *ret_until, bool *ret_known)
{
	const char *values[SW_COUNT(matchers)];
	const struct sw_maintenance *m;
	struct silence x;

	for (size_t i = 0; i < SW_COUNT(matchers); i++)
		values[i] = sw_jstr(alert, matchers[i].member);
	*ret_known = true;
	m = sw_maintenance_at(s->e->maintenance, s->e->n_maintenance, values[MATCH_SERVICE], values[MATCH_ENV], s->now, ret_until);
	if (m)
		return sw_arena_printf(s->a, "maintenance%s%s", m->why ? ": " : "", m->why ? m->why : "");
	if (!silence_find(s, values, false, &x, ret_known))
		return NULL;
	*ret_until = x.until;
	return silence_text(s, &x);
}

const char *sw_silences_maintenance(struct step *s, const char *service, const char *environment, const char *rule)
{
	const char *const values[SW_COUNT(matchers)] = { service, environment, rule, NULL };
	const struct sw_maintenance *m;
	struct silence x;
	sw_ms until;
	bool known;

	m = sw_maintenance_at(s->e->maintenance, s->e->n_maintenance, service, environment, s->now, &until);
	if (m)
		return m->why ? sw_arena_printf(s->a, "this place is in maintenance: %s", m->why) : "this place is in maintenance";
	if (!silence_find(s, values, true, &x, &known))
		return NULL;
	return sw_arena_printf(s->a, "this place is in maintenance by %s%s%s", x.who ? x.who : "somebody", x.why ? ": " : "", x.why ? x.why : "");
}
