/* Maintenance windows: read from a list of a configuration, and asked. Weekly ones go by the wall clock of their zone, also over midnight. */
#include "model/maintenance.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "shipwatch/buf.h"
#include "shipwatch/clock.h"
#include "shipwatch/key.h"

#define DAY_S 86400

static const char *const day_names[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };

struct window_conf {
	const char *service, *env, *from, *until, *timezone, *why;
	const char **days;
};

#define AT(f) offsetof(struct window_conf, f)
static const struct sw_key window_keys[] = {
	{ "service", SW_KEY_STRING, AT(service), NULL, "glob over services; all unless said" },
	{ "env", SW_KEY_STRING, AT(env), NULL, "glob over environments; all unless said" },
	{ "days", SW_KEY_STRINGS, AT(days), NULL, "weekly: mon, sat, fri-sun; every day unless said" },
	{ "from", SW_KEY_STRING, AT(from), "!", "weekly: an hour (\"22:00\"); once: a time of the wall clock (2026-12-05 22:00), or one with an offset" },
	{ "until", SW_KEY_STRING, AT(until), "!", "likewise; an hour that is not behind from is the next day's" },
	{ "timezone", SW_KEY_STRING, AT(timezone), NULL, "of these times: a name such as Asia/Shanghai, or an offset such as +08:00; the file's unless said" },
	{ "why", SW_KEY_STRING, AT(why), NULL, "told with what it keeps from being done" },
	{ 0 },
};

/* ---- reading ---- */

static int day_of(const char *s, size_t n)
{
	for (int i = 0; i < 7; i++)
		if (n == 3 && strncmp(s, day_names[i], 3) == 0)
			return i;
	return -1;
}

/* "sat", "fri-mon" */
static bool days_add(const char *s, unsigned *days)
{
	size_t n = strcspn(s, "-");
	int from = day_of(s, n), to = s[n] ? day_of(s + n + 1, strlen(s + n + 1)) : from;

	if (from < 0 || to < 0)
		return false;
	for (int i = from; i != to; i = (i + 1) % 7)
		*days |= 1u << i;
	*days |= 1u << to;
	return true;
}

static sw_ms moment(const struct sw_maintenance *m, int64_t wall_s)
{
	return m->zone ? sw_zone_moment(m->zone, wall_s) : wall_s * 1000;
}

static bool moment_read(const struct sw_maintenance *m, const char *s, sw_ms *ret)
{
	int64_t day, time_s;

	if (!sw_zone_date(s, &day) || (s[10] != ' ' && s[10] != 'T'))
		return false;
	if (sw_zone_hour(s + 11, &time_s)) {
		*ret = moment(m, day * DAY_S + time_s);
		return true;
	}
	return strlen(s) > 16 && strpbrk(s + 11, "Zz+-") && sw_time_parse(s, ret) == 0;
}

static void once_read(const struct sw_ynode *n, const struct window_conf *c, struct sw_maintenance *m, struct sw_diags *d)
{
	static const char want[] = "want an hour (\"22:00\"), a time (2026-12-05 22:00) or one with an offset (2026-12-05T22:00:00+08:00)";

	if (!moment_read(m, c->from, &m->from))
		sw_diag_error(d, sw_yget(n, "from"), "from: %s, got \"%.40s\"", want, c->from);
	else if (!moment_read(m, c->until, &m->until))
		sw_diag_error(d, sw_yget(n, "until"), "until: %s, got \"%.40s\"", want, c->until);
	else if (m->until <= m->from)
		sw_diag_error(d, sw_yget(n, "until"), "until: is not behind from");
	else if (m->until - m->from > SW_MAINTENANCE_LONGEST)
		sw_diag_error(d, sw_yget(n, "until"), "until: a maintenance lasts 30d at most");
	if (c->days)
		sw_diag_error(d, sw_yget(n, "days"), "days: only with hours in from and until");
}

static void weekly_read(const struct sw_ynode *n, const struct window_conf *c, struct sw_maintenance *m, struct sw_diags *d)
{
	if (!sw_zone_hour(c->until, &m->until_s))
		sw_diag_error(d, sw_yget(n, "until"), "until: want an hour such as \"04:00\", as from is one, got \"%.40s\"", c->until);
	if (m->from_s == DAY_S)
		sw_diag_error(d, sw_yget(n, "from"), "from: want an hour before \"24:00\"");
	for (const char **day = c->days; day && *day; day++)
		if (!days_add(*day, &m->days))
			sw_diag_error(d, sw_yget(n, "days"), "days: want days such as mon, or fri-sun, got \"%.40s\"", *day);
	if (!c->days)
		m->days = 127;
}

static void window_read(struct sw_arena *a, const struct sw_ynode *n, const struct sw_zone *zone, struct sw_maintenance *m, struct sw_diags *d)
{
	struct window_conf c = { 0 };

	if (n->type != SW_Y_MAP) {
		sw_diag_error(d, n, "maintenance: want {service, env, from, until}");
		return;
	}
	if (sw_keys_read(window_keys, n, n, NULL, a, &c, d) < 0)
		return;
	*m = (struct sw_maintenance){ .service = c.service, .environment = c.env, .why = c.why, .zone = zone };
	if (c.timezone && sw_zone_load(a, c.timezone, &m->zone) < 0)
		sw_diag_error(d, sw_yget(n, "timezone"), "timezone: this system does not know \"%.60s\"; an offset such as +08:00 works everywhere", c.timezone);
	if (sw_zone_hour(c.from, &m->from_s))
		weekly_read(n, &c, m, d);
	else
		once_read(n, &c, m, d);
}

int sw_maintenance_read(struct sw_arena *a, const struct sw_ynode *list, const struct sw_zone *zone, struct sw_maintenance **ret, size_t *ret_n,
                        struct sw_diags *d)
{
	unsigned errors = d->errors;
	struct sw_maintenance *m;
	size_t n = 0;

	*ret = NULL;
	*ret_n = 0;
	if (!list || sw_yaml_is_null(list))
		return 0;
	if (list->type != SW_Y_LIST || list->n > SW_MAINTENANCE_MAX) {
		sw_diag_error(d, list, "maintenance: want a list of at most %d windows: [{service: web, days: sun, from: \"02:00\", until: \"04:00\"}]",
		              SW_MAINTENANCE_MAX);
		return -EINVAL;
	}
	m = SW_ARENA_ARRAY(a, struct sw_maintenance, list->n);
	for (const struct sw_ynode *x = list->child; x; x = x->next)
		window_read(a, x, zone, &m[n++], d);
	if (d->errors > errors)
		return -EINVAL;
	*ret = m;
	*ret_n = n;
	return 0;
}

/* ---- asking ---- */

bool sw_maintenance_on(const struct sw_maintenance *m, sw_ms now, sw_ms *ret_until)
{
	int64_t wall, today;

	*ret_until = m->until;
	if (m->until)
		return m->from <= now && now < m->until;
	wall = now / 1000 + (m->zone ? sw_zone_offset(m->zone, now) : 0);
	today = wall / DAY_S;
	for (int64_t day = today - 1; day <= today; day++) { /* it may have begun yesterday */
		if (!(m->days & 1u << (day + 4) % 7))
			continue;
		*ret_until = moment(m, (day + (m->until_s <= m->from_s)) * DAY_S + m->until_s);
		if (moment(m, day * DAY_S + m->from_s) <= now && now < *ret_until)
			return true;
	}
	return false;
}

const struct sw_maintenance *sw_maintenance_at(const struct sw_maintenance *list, size_t n, const char *service, const char *environment,
                                               sw_ms now, sw_ms *ret_until)
{
	const struct sw_maintenance *ret = NULL;
	sw_ms until;

	*ret_until = 0;
	for (size_t i = 0; i < n; i++) {
		const struct sw_maintenance *m = &list[i];

		if ((m->service && !sw_glob_match(m->service, service ? service : "", false)) ||
		    (m->environment && !sw_glob_match(m->environment, environment ? environment : "", false)) ||
		    !sw_maintenance_on(m, now, &until) || until <= *ret_until)
			continue;
		ret = m;
		*ret_until = until;
	}
	return ret;
}

void sw_maintenance_print(const struct sw_maintenance *m, struct sw_buf *out)
{
	if (m->service || m->environment)
		sw_buf_printf(out, "%s/%s, ", m->service ? m->service : "*", m->environment ? m->environment : "*");
	else
		sw_buf_cat(out, "everything, ");
	if (m->until) {
		sw_time_print_local(m->from, m->zone ? sw_zone_offset(m->zone, m->from) : 0, true, out);
		sw_buf_cat(out, " to ");
		sw_time_print_local(m->until, m->zone ? sw_zone_offset(m->zone, m->until) : 0, true, out);
	} else {
		for (size_t i = 0; i < 7 && m->days != 127; i++)
			if (m->days & 1u << i)
				sw_buf_printf(out, "%s ", day_names[i]);
		sw_buf_printf(out, "%02d:%02d-%02d:%02d", (int)(m->from_s / 3600), (int)(m->from_s / 60 % 60), (int)(m->until_s / 3600),
		              (int)(m->until_s / 60 % 60));
	}
	if (m->why)
		sw_buf_printf(out, ": %s", m->why);
}
