/* An alert in the words of Prometheus Alertmanager. The set of labels is its identity there, so nothing in it may
 * change. */
#include "channel/am_body.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "channel/robot.h"
#include "shipwatch/clock.h"

#define VALUE_MAX  ((size_t)256)
#define TITLE_MAX  ((size_t)500)
#define TEXT_MAX   ((size_t)8192)
#define CONFIGURED 16 /* labels of the configuration */
#define NEVER      "0001-01-01T00:00:00Z"

static const char *const severities[] = { "info", "warning", "critical" };

bool sw_am_is_name(const char *s)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

	return *s && strspn(s, letters) == strlen(s) && !(*s >= '0' && *s <= '9');
}

int sw_am_check(const char *const *extra, struct sw_err *err)
{
	size_t n = 0;

	for (; extra && extra[2 * n]; n++)
		if (!sw_am_is_name(extra[2 * n]))
			return sw_err_set(err, EINVAL,
			                  "labels: \"%s\" is no name of a label: want letters, digits and '_'",
			                  extra[2 * n]);
	return n > CONFIGURED ? sw_err_set(err, EINVAL, "labels: at most %d", CONFIGURED) : 0;
}

/* In order of names; a name that is there keeps its value. */
static void label_add(struct sw_am_labels *l, struct sw_arena *a, const char *name, const char *value)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	size_t at = 0;

	sw_utf8_clean(&b, value ? value : "", value ? strlen(value) : 0, true);
	if (b.n > VALUE_MAX)
		sw_buf_truncate(&b, sw_utf8_cut(b.p, b.n, VALUE_MAX));
	if (!b.n) /* there, an empty label is none */
		return;
	while (at < l->n && strcmp(l->item[at].name, name) < 0)
		at++;
	if (at < l->n && strcmp(l->item[at].name, name) == 0)
		return;
	SW_ASSERT(l->n < SW_AM_LABELS);
	memmove(&l->item[at + 1], &l->item[at], (l->n - at) * sizeof *l->item);
	l->item[at] = (struct sw_am_label){ sw_arena_strdup(a, name), sw_arena_strdup(a, b.p) };
	l->n++;
}

void sw_am_labels(const struct sw_alert *al, const char *const *extra, struct sw_arena *a, struct sw_am_labels *ret)
{
	ret->n = 0;
	for (size_t i = 0; extra && extra[2 * i] && i < CONFIGURED; i++)
		label_add(ret, a, extra[2 * i], extra[2 * i + 1]);
	label_add(ret, a, "alertname", al->rule && *al->rule ? al->rule : "shipwatch");
	label_add(ret, a, "service", al->service && *al->service ? al->service : al->repo);
	label_add(ret, a, "environment", al->environment);
	label_add(ret, a, "severity", severities[al->rule_severity]);
	label_add(ret, a, "shipwatch_alert", al->id);
}

void sw_am_write_labels(struct sw_jw *w, const char *key, const struct sw_am_labels *labels)
{
	sw_jw_obj(w, key);
	for (size_t i = 0; i < labels->n; i++)
		sw_jw_str(w, labels->item[i].name, labels->item[i].value);
	sw_jw_obj_end(w);
}

static void write_clean(struct sw_jw *w, const char *key, const char *s)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	if (!s || !*s)
		return;
	sw_utf8_clean(&b, s, strlen(s), true);
	if (b.n > VALUE_MAX)
		sw_buf_truncate(&b, sw_utf8_cut(b.p, b.n, VALUE_MAX));
	sw_jw_str(w, key, sw_buf_str(&b));
}

static void write_links(struct sw_jw *w, const struct sw_alert *al)
{
	static const char *const names[SW_LINK_COUNT] = {
		[SW_LINK_APPROVAL] = "approval_url",
		[SW_LINK_CI_LOG] = "ci_log_url",
		[SW_LINK_COMPARE] = "compare_url",
		[SW_LINK_ENVIRONMENT] = "environment_url",
		[SW_LINK_DASHBOARD] = "dashboard_url",
		[SW_LINK_RUNBOOK] = "runbook_url",
		[SW_LINK_LOGS] = "logs_url",
		[SW_LINK_ALARM] = "alarm_url",
	};

	for (size_t i = 0; i < SW_LINK_COUNT; i++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf url = SW_BUF_INIT;

		if (sw_alert_url(al->links[i], &url))
			sw_jw_str(w, names[i], sw_buf_str(&url));
	}
}

static void write_mentions(struct sw_jw *w, const struct sw_alert *al)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	for (size_t i = 0; i < al->n_mentions && i < SW_ROBOT_MENTIONS; i++)
		if (al->mentions[i].name)
			sw_buf_printf(&b, "%s%s", b.n ? ", " : "", al->mentions[i].name);
	if (al->mention_all)
		sw_buf_printf(&b, "%sall", b.n ? ", " : "");
	if (b.n)
		sw_jw_str(w, "mentions", b.p);
}

void sw_am_write_annotations(struct sw_jw *w, const char *key, const struct sw_alert *al, enum sw_size size)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf title = SW_BUF_INIT, text = SW_BUF_INIT;

	sw_alert_title(al, TITLE_MAX, &title);
	if (size != SW_SIZE_LINE)
		sw_alert_rest(al, SW_MARKUP_PLAIN, size == SW_SIZE_FULL ? TEXT_MAX : TEXT_MAX / 4, &text);
	sw_jw_obj(w, key);
	sw_jw_str(w, "summary", sw_buf_str(&title));
	if (text.n)
		sw_jw_str(w, "description", text.p);
	sw_jw_str(w, "news", sw_news_name(al->news));
	if (al->severity != al->rule_severity)
		sw_jw_str(w, "severity", severities[al->severity]);
	if (al->dry_run)
		sw_jw_str(w, "dry_run", "true");
	write_clean(w, "version", al->version);
	write_clean(w, "sha", al->sha);
	write_clean(w, "user", al->user);
	write_clean(w, "rollback", al->rollback_state);
	write_clean(w, "ci_run_id", al->ci_run_id);
	write_links(w, al);
	write_mentions(w, al);
	sw_jw_obj_end(w);
}

bool sw_am_over(const struct sw_alert *al)
{
	return al->news == SW_NEWS_RESOLVED || al->news == SW_NEWS_CLOSED;
}

sw_ms sw_am_starts(const struct sw_alert *al, sw_ms now)
{
	return al->fired_at && al->fired_at < now ? al->fired_at : now;
}

void sw_am_write_time(struct sw_jw *w, const char *key, sw_ms at)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	sw_time_print(at, &b);
	sw_jw_str(w, key, sw_buf_str(&b));
}

/* FNV-1a over names and values, a byte 255 behind each. */
static uint64_t hash_text(uint64_t h, const char *s)
{
	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211ULL;
	return (h ^ 255) * 1099511628211ULL;
}

void sw_am_fingerprint(const struct sw_am_labels *labels, char ret[17])
{
	uint64_t h = 14695981039346656037ULL;

	for (size_t i = 0; i < labels->n; i++)
		h = hash_text(hash_text(h, labels->item[i].name), labels->item[i].value);
	(void)snprintf(ret, 17, "%016llx", (unsigned long long)h);
}

/* {}:{alertname="…", shipwatch_alert="…"}, as a route groups them that has no matchers. */
static void write_group_key(struct sw_jw *w, const struct sw_am_labels *group)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	sw_buf_cat(&b, "{}:{");
	for (size_t i = 0; i < group->n; i++) {
		sw_buf_printf(&b, "%s%s=", i ? ", " : "", group->item[i].name);
		sw_buf_json(&b, group->item[i].value);
	}
	sw_buf_cat(&b, "}");
	sw_jw_str(w, "groupKey", b.p);
}

static void write_link(struct sw_jw *w, const char *key, const struct sw_alert *al)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf url = SW_BUF_INIT;

	(void)sw_alert_url(sw_robot_link(al), &url);
	sw_jw_str(w, key, sw_buf_str(&url));
}

void sw_am_write_webhook(struct sw_jw *w, const struct sw_alert *al, const char *const *extra, enum sw_size size,
                         sw_ms now, struct sw_arena *a)
{
	const char *status = sw_am_over(al) ? "resolved" : "firing";
	struct sw_am_labels labels, group = { .n = 0 };
	char fingerprint[17];

	sw_am_labels(al, extra, a, &labels);
	sw_am_fingerprint(&labels, fingerprint);
	label_add(&group, a, "alertname", al->rule && *al->rule ? al->rule : "shipwatch");
	label_add(&group, a, "shipwatch_alert", al->id);
	sw_jw_obj(w, NULL);
	sw_jw_str(w, "version", "4");
	write_group_key(w, &group);
	sw_jw_int(w, "truncatedAlerts", 0);
	sw_jw_str(w, "status", status);
	sw_jw_str(w, "receiver", "shipwatch");
	sw_am_write_labels(w, "groupLabels", &group);
	sw_am_write_labels(w, "commonLabels", &labels);
	sw_am_write_annotations(w, "commonAnnotations", al, size);
	write_link(w, "externalURL", al);
	sw_jw_arr(w, "alerts");
	sw_jw_obj(w, NULL);
	sw_jw_str(w, "status", status);
	sw_am_write_labels(w, "labels", &labels);
	sw_am_write_annotations(w, "annotations", al, size);
	sw_am_write_time(w, "startsAt", sw_am_starts(al, now));
	if (sw_am_over(al))
		sw_am_write_time(w, "endsAt", now);
	else
		sw_jw_str(w, "endsAt", NEVER);
	write_link(w, "generatorURL", al);
	sw_jw_str(w, "fingerprint", fingerprint);
	sw_jw_obj_end(w);
	sw_jw_arr_end(w);
	sw_jw_obj_end(w);
}
