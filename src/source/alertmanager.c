/*
 * Alertmanager (webhook body version 4): each alert of a body becomes an `alarm` event, failed while it fires, success when it is
 * resolved, other for a word we do not know.
 *
 * 1. Alertmanager signs nothing: a Bearer token or Basic login tells that it is the sender, and a body is remembered for 10 minutes.
 * 2. It sends a group again at every change and every repeat_interval. What is told of one alert is new when its fingerprint, its
 *    start or its status is; that is its identity (report_id), and of a whole body the key of a redelivery.
 * 3. What an alert is about stands in labels that every installation names in its own way: settings say which.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hmac.h"
#include "base/str.h"
#include "source/host.h"

#define LABELS_READ 256 /* of one alert; SW_EVENT_LABELS of them are kept */
#define LABEL_VALUE 256 /* bytes of a value; longer is cut */
#define LABEL_BYTES 4096 /* names and values that are kept of one alert, together */
#define PRINT_BYTES 8   /* of a fingerprint that we have to make */

struct alertmanager {
	const char **tokens, **logins, **service_labels, **environment_labels;
	bool is_unsigned;
};

#define A(name) offsetof(struct alertmanager, name)
static const struct sw_key alertmanager_keys[] = {
	{ "tokens", SW_KEY_SECRETS, A(tokens), NULL, "tokens Alertmanager sends (Authorization: Bearer), the current one and those being replaced", 0, 0, NULL },
	{ "logins", SW_KEY_SECRETS, A(logins), NULL, "or user:password of Basic authentication", 0, 0, NULL },
	{ "unsigned", SW_KEY_BOOL, A(is_unsigned), "false", "take alerts without a token", 0, 0, NULL },
	{ "service_label", SW_KEY_STRINGS, A(service_labels), NULL, "labels that name the service, the first one there counts; service, app, job unless said", 0, 0, NULL },
	{ "environment_label", SW_KEY_STRINGS, A(environment_labels), NULL,
	  "labels that name the environment, the first one there counts; environment, env, stage unless said", 0, 0, NULL },
	{ 0 },
};
#undef A

static const char *const service_labels[] = { "service", "app", "job", NULL };
static const char *const environment_labels[] = { "environment", "env", "stage", NULL };
static const char *const no_headers[] = { NULL }; /* the token is not kept with the body */
static const char *const known[] = { "firing", "resolved", NULL };
static const struct host_word words[] = { { "firing", SW_ST_FAILED }, { "resolved", SW_ST_SUCCESS }, { NULL, SW_ST_NONE } };

struct alert {
	const char *status, *url, *fingerprint, *summary, *description, *message;
	sw_ms starts, ends;
	struct labels labels;
};
struct body {
	const char *version, *group, *status, *url;
	int64_t truncated;
	struct each alerts;
};

#define A(path, type, field) { path, type, offsetof(struct alert, field), NULL, 0, 0 }
#define B(path, type, field) { path, type, offsetof(struct body, field), NULL, 0, 0 }

static const struct row alert_rows[] = {
	A("status", T_TEXT, status), A("fingerprint", T_TEXT, fingerprint), A("generatorURL", T_TEXT, url), A("startsAt", T_TIME, starts),
	A("endsAt", T_TIME, ends), /* 0001-01-01 is no time: it did not end */
	A("annotations.summary", T_LINE, summary), A("annotations.description", T_LINE, description), A("annotations.message", T_LINE, message),
	{ "labels", T_LABELS, offsetof(struct alert, labels), NULL, 0, LABELS_READ }, { 0 },
};
static const struct row body_rows[] = {
	B("version", T_TEXT, version), B("groupKey", T_TEXT, group), B("status", T_TEXT, status), B("externalURL", T_TEXT, url),
	B("truncatedAlerts", T_INT, truncated),
	{ "alerts", T_EACH, offsetof(struct body, alerts), alert_rows, sizeof(struct alert), SW_EVENTS_MAX }, { 0 },
};

static int body_read(const char *json, size_t n, struct sw_arena *a, struct body *b, struct sw_err *err)
{
	static const struct row *const lists[] = { body_rows, NULL };
	char got[80];
	int r;

	memset(b, 0, sizeof *b);
	r = sw_table_read(lists, json, n, a, b, err);
	if (r < 0 || sw_streq(b->version, "4"))
		return r;
	if (!b->version)
		return sw_err_set(err, EBADMSG, "version: is missing, want the body of Alertmanager's webhook");
	return sw_err_set(err, EBADMSG, "version: want \"4\", got \"%s\"", sw_err_quote(b->version, strlen(b->version), got, sizeof got));
}

static int alertmanager_check(const char *json, size_t n, struct sw_err *err)
{
	struct sw_arena a = { 0 };
	struct body b;
	int r = body_read(json, n, &a, &b, err);

	sw_arena_fini(&a);
	return r;
}

/* ---- one alert ---- */

static const char *label_value(const struct labels *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->items[i].name, name) == 0)
			return list->items[i].value;
	return NULL;
}

static const char *label_first(const struct labels *list, const char *const *names)
{
	const char *value = NULL;

	for (; !value && *names; names++)
		value = label_value(list, *names);
	return value;
}

static const char *text_cut(struct sw_arena *a, const char *s)
{
	return s && strlen(s) > LABEL_VALUE ? sw_arena_strndup(a, s, sw_utf8_cut(s, strlen(s), LABEL_VALUE)) : s;
}

static int label_order(const void *a, const void *b)
{
	return strcmp(((const struct sw_label *)a)->name, ((const struct sw_label *)b)->name);
}

/* Alertmanager's own, which is plain hex; where there is none (before 0.19), a digest of the labels. */
static const char *alert_print(struct sw_arena *a, const struct alert *al)
{
	static const char plain[] = "0123456789abcdefABCDEF";
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	unsigned char digest[SW_SHA256_BYTES];
	const char *own = al->fingerprint;
	struct sw_label *sorted;

	if (own && strlen(own) <= 64 && own[strspn(own, plain)] == '\0')
		return own;
	sorted = SW_ARENA_ARRAY(a, struct sw_label, al->labels.n + 1);
	if (al->labels.n)
		memcpy(sorted, al->labels.items, al->labels.n * sizeof *sorted);
	qsort(sorted, al->labels.n, sizeof *sorted, label_order);
	sw_buf_cat(&b, own ? own : "");
	for (size_t i = 0; i < al->labels.n; i++)
		sw_buf_printf(&b, "\n%s\n%s", sorted[i].name, sorted[i].value);
	sw_sha256(sw_buf_str(&b), b.n, digest);
	sw_buf_reset(&b);
	sw_hex_encode(&b, digest, PRINT_BYTES);
	return sw_arena_strndup(a, b.p, b.n);
}

/* What is told of which alert. */
static const char *alert_identity(struct sw_arena *a, const struct alert *al)
{
	return sw_arena_printf(a, "%s/%lld/%s", alert_print(a, al), (long long)al->starts, al->status ? text_cut(a, al->status) : "");
}

static void event_label(struct sw_arena *a, struct sw_event *ev, const struct sw_label *from)
{
	struct sw_label label = { from->name, text_cut(a, from->value) };
	size_t bytes = strlen(label.name) + strlen(label.value);

	for (size_t i = 0; i < ev->n_labels; i++) {
		if (strcmp(ev->labels[i].name, label.name) == 0)
			return;
		bytes += strlen(ev->labels[i].name) + strlen(ev->labels[i].value);
	}
	if (ev->n_labels < SW_EVENT_LABELS && bytes <= LABEL_BYTES)
		ev->labels[ev->n_labels++] = label;
}

/* Those that say what it is stand first, so that they are there however many labels an alert has. */
static void event_labels(struct sw_arena *a, const struct alert *al, const char *const *services, const char *const *environments,
                         struct sw_event *ev)
{
	static const char *const name[] = { "alertname", NULL };
	const char *const *first[] = { name, services, environments };

	ev->labels = SW_ARENA_ARRAY(a, struct sw_label, SW_EVENT_LABELS);
	for (size_t k = 0; k < SW_COUNT(first); k++)
		for (const char *const *n = first[k]; *n; n++)
			for (size_t i = 0; i < al->labels.n; i++)
				if (strcmp(al->labels.items[i].name, *n) == 0)
					event_label(a, ev, &al->labels.items[i]);
	for (size_t i = 0; i < al->labels.n; i++)
		event_label(a, ev, &al->labels.items[i]);
}

static bool is_link(const char *url)
{
	return url && (sw_starts(url, "http://") || sw_starts(url, "https://"));
}

static void alert_event(const struct alertmanager *c, const struct sw_request *rq, const struct body *b, const struct alert *al,
                        struct sw_arena *a, struct sw_event *ev)
{
	const char *const *services = c->service_labels ? (const char *const *)c->service_labels : service_labels;
	const char *const *environments = c->environment_labels ? (const char *const *)c->environment_labels : environment_labels;
	const char *name = text_cut(a, label_value(&al->labels, "alertname"));

	ev->kind = SW_EV_ALARM;
	ev->what = "alert";
	ev->source = rq->source;
	ev->source_kind = "alertmanager";
	ev->received = rq->arrived;
	ev->host = sw_host_of_url(a, b->url);
	ev->status_text = al->status;
	ev->status = al->status ? sw_host_status(words, al->status) : SW_ST_OTHER;
	event_labels(a, al, services, environments, ev);
	ev->service = text_cut(a, label_first(&al->labels, services));
	ev->environment = text_cut(a, label_first(&al->labels, environments));
	ev->alarm_id = alert_print(a, al);
	ev->report_id = alert_identity(a, al);
	ev->title = al->summary ? al->summary : al->description ? al->description : al->message ? al->message : name;
	ev->url = is_link(al->url) ? al->url : is_link(b->url) ? b->url : NULL;
	ev->started_at = al->starts;
	ev->finished_at = ev->status == SW_ST_SUCCESS ? al->ends : 0;
	if (ev->finished_at && al->starts && ev->finished_at >= al->starts)
		ev->duration_ms = (double)(ev->finished_at - al->starts);
	ev->at = ev->finished_at ? ev->finished_at : ev->status == SW_ST_FAILED && al->starts ? al->starts : rq->arrived;
}

static int alertmanager_parse(const void *conf, const struct sw_request *rq, struct sw_events *out, struct sw_err *err)
{
	struct body b;
	const struct alert *alerts;
	int r = body_read(rq->body, rq->body_n, out->a, &b, err);

	if (r < 0)
		return r;
	alerts = b.alerts.items;
	for (size_t i = 0; i < b.alerts.n; i++)
		alert_event(conf, rq, &b, &alerts[i], out->a, sw_events_add(out));
	out->cut |= b.alerts.cut || b.truncated > 0;
	out->left_out += b.alerts.left_out + (b.truncated > 0 ? (size_t)b.truncated : 0);
	return 0;
}

/* ---- is it them? ---- */

static int text_order(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The same alerts in the same state are one delivery, whatever their annotations say by now. NULL: all are not known. */
static const char *body_key(const struct body *b, struct sw_arena *a)
{
	const struct alert *alerts = b->alerts.items;
	const char **list = SW_ARENA_ARRAY(a, const char *, b->alerts.n + 1);
	SW_CLEANUP(sw_buf_fini) struct sw_buf text = SW_BUF_INIT;
	unsigned char digest[SW_SHA256_BYTES];

	if (b->alerts.cut || b->truncated > 0 || !b->group)
		return NULL;
	for (size_t i = 0; i < b->alerts.n; i++)
		list[i] = alert_identity(a, &alerts[i]);
	qsort(list, b->alerts.n, sizeof *list, text_order);
	sw_buf_cat(&text, b->group);
	for (size_t i = 0; i < b->alerts.n; i++)
		sw_buf_printf(&text, "\n%s", list[i]);
	sw_sha256(text.p, text.n, digest);
	sw_buf_reset(&text);
	sw_hex_encode(&text, digest, sizeof digest);
	return sw_arena_strndup(a, text.p, text.n);
}

static int alertmanager_verify(const void *conf, const struct sw_request *rq, struct sw_arena *a, struct sw_proof *ret, struct sw_err *err)
{
	const struct alertmanager *c = conf;
	const char *header = sw_request_header(rq, "authorization");
	struct body b;

	*ret = (struct sw_proof){ .dedupe_for = DEDUPE_SHORT, .what = "other" };
	ret->secret = sw_verify_authorization((const char *const *)c->tokens, (const char *const *)c->logins, header);
	if (ret->secret < 0 && !(c->is_unsigned && !header))
		return sw_err_set(err, EACCES, header ? "the token or login fits none of those configured" : "no Authorization header");
	if (body_read(rq->body, rq->body_n, a, &b, NULL) < 0)
		return 0; /* text and check tell what is wrong */
	ret->dedupe = body_key(&b, a);
	if (sw_host_known(known, b.status))
		ret->what = sw_host_known(known, b.status);
	return 0;
}

const struct sw_source sw_source_alertmanager = {
	.base = { "alertmanager", "alerts of Prometheus Alertmanager", alertmanager_keys, sizeof(struct alertmanager) },
	.mark = NULL, /* they send no header of their own */
	.headers = no_headers,
	.secret = "authorization",
	.types = sw_json_types,
	.verify = alertmanager_verify,
	.text = sw_form_text,
	.check = alertmanager_check,
	.parse = alertmanager_parse,
};
