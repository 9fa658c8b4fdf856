/*
 * Who is on call when. A turn begins at the hand-over of a day: the n-th begins n times `every` days behind `start`, by the calendar, so
 * that it is at nine in the morning in winter and in summer. An override is a stretch of time with people of its own; of several that
 * overlap the one that stands last counts.
 */
#include "config/rota.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "shipwatch/clock.h"
#include "shipwatch/key.h"

#define DAY_S 86400

struct rota_conf {
	const struct sw_ynode *people, *overrides;
	const char *start, *handover, *timezone;
	sw_dur every;
	int second;
};

static const char *const seconds[] = { "info", "warning", "critical", "never", NULL };

#define AT(f) offsetof(struct rota_conf, f)
static const struct sw_key rota_keys[] = {
	{ "people", SW_KEY_NODE, AT(people), NULL, "who, in turn; a list within the list is on call together" },
	{ "start", SW_KEY_STRING, AT(start), "!", "the day the first of them takes over: 2026-11-23" },
	{ "handover", SW_KEY_STRING, AT(handover), "09:00", "the hour at which turns change, by the wall clock" },
	{ "every", SW_KEY_DUR, AT(every), "7d", "how long a turn is: whole days", SW_DAY, 366 * SW_DAY },
	{ "timezone", SW_KEY_STRING, AT(timezone), NULL, "of start, hand-over and overrides: a name such as Asia/Shanghai, or an offset such as +08:00" },
	{ "second", SW_KEY_ENUM, AT(second), "never", "from this severity on the next in turn is called as well", 0, 0, seconds },
	{ "overrides", SW_KEY_NODE, AT(overrides), NULL, "stretches of time with people of their own" },
	{ 0 },
};

struct override_conf {
	const char *on, *from, *until;
	const struct sw_ynode *people;
};

#undef AT
#define AT(f) offsetof(struct override_conf, f)
static const struct sw_key override_keys[] = {
	{ "on", SW_KEY_STRING, AT(on), NULL, "one day: from its hand-over to the next" },
	{ "from", SW_KEY_STRING, AT(from), NULL, "a day (its hand-over), a time of the wall clock (2026-12-24 18:00), or one with an offset" },
	{ "until", SW_KEY_STRING, AT(until), NULL, "likewise; not within any more" },
	{ "people", SW_KEY_NODE, AT(people), NULL, "who" },
	{ 0 },
};

/* ---- texts ---- */

static sw_ms moment(const struct sw_rota *r, int64_t wall_s)
{
	return r->zone ? sw_zone_moment(r->zone, wall_s) : wall_s * 1000;
}

/* A day is its hand-over; a time is the wall clock's unless it has an offset. */
static bool moment_read(const struct sw_rota *r, const char *s, sw_ms *ret)
{
	int64_t day, time_s;

	if (!sw_zone_date(s, &day))
		return false;
	if (!s[10]) {
		*ret = moment(r, day * DAY_S + r->handover_s);
		return true;
	}
	if ((s[10] == ' ' || s[10] == 'T') && sw_zone_hour(s + 11, &time_s) && time_s < DAY_S) {
		*ret = moment(r, day * DAY_S + time_s);
		return true;
	}
	return strlen(s) > 16 && strpbrk(s + 11, "Zz+-") && sw_time_parse(s, ret) == 0;
}

/* ---- reading ---- */

/* A person or a list of some, none twice as far as it matters. NULL: told. */
static const char **people_read(struct sw_arena *a, const struct sw_ynode *at, const struct sw_ynode *n, struct sw_diags *d)
{
	static const struct sw_key key = { "people", SW_KEY_STRINGS, 0, NULL, "who" };
	const char **ret = NULL;

	if (!n || sw_yaml_is_null(n)) {
		sw_diag_error(d, at, "people: nobody is named");
		return NULL;
	}
	if (sw_key_read_one(&key, n, a, &ret, d) < 0)
		return NULL;
	if (ret && !ret[0]) {
		sw_diag_error(d, n, "people: nobody is named");
		return NULL;
	}
	return ret;
}

static void turns_read(struct sw_arena *a, const struct sw_ynode *node, const struct sw_ynode *list, struct sw_rota *r, struct sw_diags *d)
{
	if (!list || list->type != SW_Y_LIST || !list->n || list->n > SW_ROTA_TURNS) {
		sw_diag_error(d, list ? list : node, "people: want a list of 1 to %d turns: [lin, mei, [wang, zhao]]", SW_ROTA_TURNS);
		return;
	}
	r->turns = SW_ARENA_ARRAY(a, const char **, list->n);
	for (const struct sw_ynode *n = list->child; n; n = n->next) {
		const char **one = people_read(a, n, n, d);

		if (one)
			r->turns[r->n_turns++] = one;
	}
}

static bool override_times(const struct sw_rota *r, const struct override_conf *c, const struct sw_ynode *n, struct sw_rota_override *ret,
                           struct sw_diags *d)
{
	static const char want[] = "want a day (2026-12-24), a time (2026-12-24 18:00) or one with an offset (2026-12-24T18:00:00+08:00)";
	int64_t day;

	if ((c->on != NULL) == (c->from != NULL || c->until != NULL) || (c->from != NULL) != (c->until != NULL)) {
		sw_diag_error(d, n, "want on, or from and until");
		return false;
	}
	if (c->on) {
		if (!sw_zone_date(c->on, &day) || c->on[10]) {
			sw_diag_error(d, sw_yget(n, "on"), "on: want a day such as 2026-12-24, got \"%.40s\"", c->on);
			return false;
		}
		ret->from = moment(r, day * DAY_S + r->handover_s);
		ret->until = moment(r, (day + 1) * DAY_S + r->handover_s);
		return true;
	}
	if (!moment_read(r, c->from, &ret->from)) {
		sw_diag_error(d, sw_yget(n, "from"), "from: %s, got \"%.40s\"", want, c->from);
		return false;
	}
	if (!moment_read(r, c->until, &ret->until)) {
		sw_diag_error(d, sw_yget(n, "until"), "until: %s, got \"%.40s\"", want, c->until);
		return false;
	}
	if (ret->until <= ret->from)
		sw_diag_error(d, sw_yget(n, "until"), "until: is not behind from");
	return ret->until > ret->from;
}

static void overrides_read(struct sw_arena *a, const struct sw_ynode *list, struct sw_rota *r, struct sw_diags *d)
{
	if (!list || sw_yaml_is_null(list))
		return;
	if (list->type != SW_Y_LIST || list->n > SW_ROTA_OVERRIDES) {
		sw_diag_error(d, list, "overrides: want a list of at most %d", SW_ROTA_OVERRIDES);
		return;
	}
	r->overrides = SW_ARENA_ARRAY(a, struct sw_rota_override, list->n);
	for (const struct sw_ynode *n = list->child; n; n = n->next) {
		struct override_conf c = { 0 };
		struct sw_rota_override *o = &r->overrides[r->n_overrides];

		if (n->type != SW_Y_MAP) {
			sw_diag_error(d, n, "overrides: want {on, people} or {from, until, people}");
			continue;
		}
		if (sw_keys_read(override_keys, n, n, NULL, a, &c, d) < 0 || !override_times(r, &c, n, o, d))
			continue;
		o->people = people_read(a, n, c.people, d);
		r->n_overrides += o->people != NULL;
	}
}

static void zone_read(struct sw_arena *a, const struct sw_ynode *at, const char *name, struct sw_rota *r, struct sw_diags *d)
{
	int e = sw_zone_load(a, name, &r->zone);

	if (e == -EINVAL)
		sw_diag_error(d, at, "timezone: want a name such as Asia/Shanghai or an offset such as +08:00, got \"%.40s\"", name);
	else if (e < 0)
		sw_diag_error(d, at, "timezone: this system does not know \"%s\" (%s " SW_ZONE_DIR "/%s); an offset such as +08:00 works everywhere",
		              name, e == -ENOENT ? "there is no" : "no zone is in", name);
}

int sw_rota_read(struct sw_arena *a, const struct sw_ynode *node, const struct sw_zone *zone, const struct sw_rota **ret, struct sw_diags *d)
{
	struct rota_conf c = { 0 };
	struct sw_rota *r = SW_ARENA_NEW(a, struct sw_rota);
	unsigned errors = d->errors;

	if (sw_keys_read(rota_keys, node, node, NULL, a, &c, d) < 0)
		return -EINVAL;
	r->zone = zone;
	r->second = c.second;
	r->every_days = c.every / SW_DAY;
	if (c.every % SW_DAY)
		sw_diag_error(d, sw_yget(node, "every"), "every: want whole days, such as 7d");
	if (c.timezone)
		zone_read(a, sw_yget(node, "timezone"), c.timezone, r, d);
	if (!sw_zone_date(c.start, &r->start_day) || c.start[10])
		sw_diag_error(d, sw_yget(node, "start"), "start: want a day such as 2026-11-23, got \"%.40s\"", c.start);
	if (!sw_zone_hour(c.handover, &r->handover_s) || r->handover_s == DAY_S)
		sw_diag_error(d, sw_yget(node, "handover"), "handover: want an hour such as \"09:00\", got \"%.40s\"", c.handover);
	turns_read(a, node, c.people, r, d);
	if (d->errors == errors)
		overrides_read(a, c.overrides, r, d);
	*ret = r;
	return d->errors == errors ? 0 : -EINVAL;
}

static void names_of(const struct sw_ynode *n, void (*told)(void *arg, const struct sw_ynode *name), void *arg)
{
	if (n && n->type == SW_Y_SCALAR && !n->broken)
		told(arg, n);
	for (const struct sw_ynode *x = n && n->type == SW_Y_LIST ? n->child : NULL; x; x = x->next)
		names_of(x, told, arg);
}

void sw_rota_names(const struct sw_ynode *node, void (*told)(void *arg, const struct sw_ynode *name), void *arg)
{
	const struct sw_ynode *list = sw_yget(node, "overrides");

	names_of(sw_yget(node, "people"), told, arg);
	for (const struct sw_ynode *n = list && list->type == SW_Y_LIST ? list->child : NULL; n; n = n->next)
		names_of(n->type == SW_Y_MAP ? sw_yget(n, "people") : NULL, told, arg);
}

/* ---- asking ---- */

static sw_ms turn_begins(const struct sw_rota *r, int64_t turn)
{
	return moment(r, (r->start_day + turn * r->every_days) * DAY_S + r->handover_s);
}

/* Which turn it is; negative: before the first. */
static int64_t turn_at(const struct sw_rota *r, sw_ms now)
{
	int64_t days = now / 1000 / DAY_S - r->start_day, turn = days / r->every_days - 2; /* too early for sure */

	while (turn_begins(r, turn + 1) <= now)
		turn++;
	return turn;
}

struct sw_rota_now sw_rota_at(const struct sw_rota *r, sw_ms now)
{
	struct sw_rota_now ret = { 0 };
	int64_t turn = turn_at(r, now);

	ret.until = turn < 0 ? turn_begins(r, 0) : turn_begins(r, turn + 1);
	if (turn >= 0) {
		ret.people = r->turns[turn % (int64_t)r->n_turns];
		ret.second = r->n_turns > 1 ? r->turns[(turn + 1) % (int64_t)r->n_turns] : NULL;
	}
	for (size_t i = 0; i < r->n_overrides; i++) {
		const struct sw_rota_override *o = &r->overrides[i];

		if (o->from <= now && now < o->until) {
			ret.people = o->people;
			ret.override = true;
		}
	}
	for (size_t i = 0; i < r->n_overrides; i++) { /* the next moment at which anything begins or ends */
		const sw_ms at[] = { r->overrides[i].from, r->overrides[i].until };

		for (size_t k = 0; k < SW_COUNT(at); k++)
			if (at[k] > now && at[k] < ret.until)
				ret.until = at[k];
	}
	return ret;
}
