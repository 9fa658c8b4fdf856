/* Recordings: lines of JSON to events, samples and labels in order of time. */
#include "sim/recording.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"

#define NODES 20000 /* of JSON in one line */
#define TEXTS 100000 /* different texts of samples; more are left out */

#define GROW(r, field, n, cap)                                                                                         \
	do {                                                                                                           \
		if ((r)->n == (r)->cap) {                                                                              \
			(r)->cap = (r)->cap ? (r)->cap * 2 : 64;                                                       \
			(r)->field = sw_realloc((r)->field, (r)->cap * sizeof *(r)->field);                            \
		}                                                                                                      \
	} while (0)

void sw_recording_init(struct recording *r)
{
	*r = (struct recording){ .lines_max = RECORDING_LINES };
}

void sw_recording_fini(struct recording *r)
{
	for (size_t i = 0; i < r->n_series; i++)
		free(r->series[i].items);
	free(r->series);
	free(r->events);
	free(r->labels);
	sw_map_fini(&r->index);
	sw_map_fini(&r->texts);
	sw_arena_fini(&r->a);
	sw_arena_fini(&r->scratch);
}

/* ---- one line ---- */

static const char *recording_text(struct recording *r, const char *s)
{
	char *ret = s ? sw_map_get(&r->texts, s) : NULL;

	if (ret || !s || r->texts.n_live >= TEXTS)
		return ret;
	ret = sw_arena_strdup(&r->a, s);
	(void)sw_map_set(&r->texts, s, ret);
	return ret;
}

static void recording_time(struct recording *r, sw_ms at)
{
	r->first = r->first ? SW_MIN(r->first, at) : at;
	r->last = SW_MAX(r->last, at);
}

/* "web/prod", and nothing that would break a key. */
static bool place_name(const char *s)
{
	const char *slash = s ? strchr(s, '/') : NULL;

	if (!slash || slash == s || !slash[1] || strlen(s) > 400)
		return false;
	for (const char *p = s; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 127)
			return false;
	return true;
}

static struct rec_series *recording_series(struct recording *r, const char *place, const char *source, const char *signal)
{
	const char *key = sw_arena_printf(&r->scratch, "%s\n%s", place, signal);
	size_t i = (size_t)(uintptr_t)sw_map_get(&r->index, key);

	if (i)
		return &r->series[i - 1];
	GROW(r, series, n_series, cap_series);
	r->series[r->n_series++] = (struct rec_series){ .place = sw_arena_strdup(&r->a, place), .source = sw_arena_strdup(&r->a, source),
		                                        .signal = sw_arena_strdup(&r->a, signal) };
	(void)sw_map_set(&r->index, key, (void *)(uintptr_t)r->n_series);
	return &r->series[r->n_series - 1];
}

static int line_event(struct recording *r, const struct sw_jnode *n, sw_ms at, struct sw_err *err)
{
	const struct sw_jnode *ev = sw_jget(n, "ev");
	const char *place = sw_jstr(n, "place");
	struct sw_buf b = SW_BUF_INIT;
	struct sw_jw w;

	if (!ev || ev->type != SW_J_OBJECT)
		return sw_err_set(err, EINVAL, "\"ev\": want an event as an object");
	if (sw_kind_parse(sw_jstr(ev, "kind")) == SW_EV_NONE)
		return sw_err_set(err, EINVAL, "\"ev\": unknown kind \"%.40s\"", sw_jstr(ev, "kind") ? sw_jstr(ev, "kind") : "");
	if (place && !place_name(place))
		return sw_err_set(err, EINVAL, "\"place\": want service/environment, got \"%.60s\"", place);
	sw_jw_init(&w, &b);
	sw_jw_node(&w, NULL, ev);
	GROW(r, events, n_events, cap_events);
	r->events[r->n_events] = (struct rec_event){ .at = at, .place = place ? recording_text(r, place) : NULL,
		                                     .json = sw_arena_strndup(&r->a, b.p, b.n), .order = r->n_events };
	r->n_events++;
	sw_buf_fini(&b);
	recording_time(r, at);
	return 0;
}

static bool reading_parse(const char *s, enum sw_reading *ret)
{
	*ret = SW_R_OK;
	if (!s)
		return true;
	for (int i = SW_R_OK; i <= SW_R_TOO_FEW; i++)
		if (sw_streq(s, sw_reading_name((enum sw_reading)i))) {
			*ret = (enum sw_reading)i;
			return true;
		}
	return false;
}

static int line_sample(struct recording *r, const struct sw_jnode *n, sw_ms at, struct sw_err *err)
{
	const char *place = sw_jstr(n, "place"), *source = sw_jstr(n, "source"), *signal = sw_jstr(n, "signal"), *read = sw_jstr(n, "r");
	const struct sw_jnode *v = sw_jget(n, "v");
	enum sw_reading reading;
	struct rec_series *s;

	if (!place_name(place))
		return sw_err_set(err, EINVAL, "\"place\": want service/environment, got \"%.60s\"", place ? place : "");
	if (!signal || !*signal || strlen(signal) > 100 || strchr(signal, '\n'))
		return sw_err_set(err, EINVAL, "\"signal\": want the name of a signal");
	if (!source || (strcmp(source, "health") != 0 && strcmp(source, "prometheus") != 0 && strcmp(source, "scrape") != 0 &&
	                strcmp(source, "report") != 0 && strcmp(source, "reference") != 0))
		return sw_err_set(err, EINVAL, "\"source\": want health, prometheus, scrape, report or reference");
	if (!reading_parse(read, &reading))
		return sw_err_set(err, EINVAL, "\"r\": want ok, absent, nan, stale, error or too_few, got \"%.40s\"", read);
	if (reading == SW_R_OK && (!v || v->type != SW_J_NUMBER || !isfinite(v->d)))
		return sw_err_set(err, EINVAL, "\"v\": want a number where \"r\" is \"ok\"");
	s = recording_series(r, place, source, signal);
	GROW(s, items, n, cap);
	s->items[s->n++] = (struct rec_sample){ .at = at, .value = reading == SW_R_OK ? v->d : 0, .count = (float)SW_MAX(sw_jnum(n, "n", 0), 0),
		                                .reading = (unsigned char)reading, .text = recording_text(r, sw_jstr(n, "text")) };
	r->n_samples++;
	recording_time(r, at);
	return 0;
}

static int line_label(struct recording *r, const struct sw_jnode *n, sw_ms at, struct sw_err *err)
{
	const char *place = sw_jstr(n, "place"), *sha = sw_jstr(n, "deployment");
	const struct sw_jnode *good = sw_jget(n, "good");

	if (!place_name(place))
		return sw_err_set(err, EINVAL, "\"place\": want service/environment, got \"%.60s\"", place ? place : "");
	if (!sha || strlen(sha) < 7 || strlen(sha) > 64)
		return sw_err_set(err, EINVAL, "\"deployment\": want the commit, 7 to 64 characters");
	if (!good || (good->type != SW_J_TRUE && good->type != SW_J_FALSE))
		return sw_err_set(err, EINVAL, "\"good\": want true or false");
	GROW(r, labels, n_labels, cap_labels);
	r->labels[r->n_labels++] = (struct rec_label){ .at = at, .place = recording_text(r, place), .sha = sw_arena_strdup(&r->a, sha),
		                                       .good = good->type == SW_J_TRUE };
	return 0;
}

int sw_recording_line(struct recording *r, const char *text, size_t n, struct sw_err *err)
{
	struct sw_jnode *root = NULL;
	const struct sw_jnode *at;
	const char *t;

	while (n > 0 && strchr(" \t\r", text[n - 1]))
		n--;
	if (n == 0)
		return 0;
	sw_arena_reset(&r->scratch);
	if (n > RECORDING_LINE)
		return sw_err_set(err, EINVAL, "longer than %zu bytes", RECORDING_LINE);
	if (sw_jtree_parse(&r->scratch, text, n, NODES, &root, err) < 0)
		return -EINVAL;
	if (root->type != SW_J_OBJECT)
		return sw_err_set(err, EINVAL, "want an object");
	t = sw_jstr(root, "t");
	at = sw_jget(root, "at");
	if (!at || at->type != SW_J_NUMBER || at->i <= 0 || at->i > (sw_ms)1 << 50)
		return sw_err_set(err, EINVAL, "\"at\": want milliseconds since 1970");
	if (sw_streq(t, "event"))
		return line_event(r, root, at->i, err);
	if (sw_streq(t, "sample"))
		return line_sample(r, root, at->i, err);
	if (sw_streq(t, "label"))
		return line_label(r, root, at->i, err);
	return sw_err_set(err, EINVAL, "\"t\": want event, sample or label, got \"%.40s\"", t ? t : "");
}

/* ---- a file ---- */

struct reading {
	struct recording *r;
	const char *path;
	void (*told)(void *arg, const char *text);
	void *arg;
	struct sw_buf line;
	bool cut;        /* the rest of this line is thrown away */
	size_t n;        /* lines of this file */
};

static int reading_line(struct reading *rd, struct sw_err *err)
{
	struct sw_err why = SW_ERR_INIT;
	int r = 0;

	rd->n++;
	if (++rd->r->lines > rd->r->lines_max)
		return sw_err_set(err, E2BIG, "%s: more than %zu lines", rd->path, rd->r->lines_max);
	if (rd->cut)
		r = sw_err_set(&why, EINVAL, "longer than %zu bytes", RECORDING_LINE);
	else
		r = sw_recording_line(rd->r, sw_buf_str(&rd->line), rd->line.n, &why);
	if (r < 0 && ++rd->r->skipped <= RECORDING_TOLD && rd->told) {
		struct sw_err text = SW_ERR_INIT;

		(void)sw_err_set(&text, EINVAL, "%s:%zu: %s", rd->path, rd->n, why.text);
		rd->told(rd->arg, text.text);
	}
	sw_buf_reset(&rd->line);
	rd->cut = false;
	return 0;
}

static int reading_bytes(struct reading *rd, const char *p, size_t n, struct sw_err *err)
{
	while (n > 0) {
		const char *end = memchr(p, '\n', n);
		size_t k = end ? (size_t)(end - p) : n;

		if (rd->line.n + k > RECORDING_LINE)
			rd->cut = true;
		else
			sw_buf_catn(&rd->line, p, k);
		if (!end)
			return 0;
		if (reading_line(rd, err) < 0)
			return -E2BIG;
		p = end + 1;
		n -= k + 1;
	}
	return 0;
}

int sw_recording_read(struct recording *r, const char *path, void (*told)(void *arg, const char *text), void *arg, struct sw_err *err)
{
	struct reading rd = { .r = r, .path = path, .told = told, .arg = arg };
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
	char *space;
	size_t n;
	int rc = 0;

	if (!f)
		return sw_err_set(err, errno, "%s: %s", path, strerror(errno));
	space = sw_malloc(65536);
	while (rc == 0 && (n = fread(space, 1, 65536, f)) > 0)
		rc = reading_bytes(&rd, space, n, err);
	if (rc == 0 && (rd.line.n || rd.cut))
		rc = reading_line(&rd, err);
	if (rc == 0 && ferror(f))
		rc = sw_err_set(err, EIO, "%s: cannot be read", path);
	if (f != stdin)
		(void)fclose(f);
	free(space);
	sw_buf_fini(&rd.line);
	return rc;
}

/* ---- in order of time ---- */

static int event_order(const void *a, const void *b)
{
	const struct rec_event *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at ? 1 : x->order < y->order ? -1 : x->order > y->order;
}

static int sample_order(const void *a, const void *b)
{
	const struct rec_sample *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at ? 1 : x->reading != y->reading ? x->reading - y->reading : x->value < y->value ? -1 : x->value > y->value;
}

static int label_order(const void *a, const void *b)
{
	const struct rec_label *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at ? 1 : strcmp(x->sha, y->sha);
}

void sw_recording_finish(struct recording *r)
{
	if (r->n_events)
		qsort(r->events, r->n_events, sizeof *r->events, event_order);
	if (r->n_labels)
		qsort(r->labels, r->n_labels, sizeof *r->labels, label_order);
	for (size_t i = 0; i < r->n_series; i++) {
		struct rec_series *s = &r->series[i];
		size_t n = 0;

		qsort(s->items, s->n, sizeof *s->items, sample_order);
		for (size_t k = 0; k < s->n; k++)
			if (n == 0 || s->items[n - 1].at != s->items[k].at)
				s->items[n++] = s->items[k];
		s->n = n;
	}
}

bool sw_recording_event(const struct rec_event *e, struct sw_arena *a, struct sw_event *ret)
{
	struct sw_jnode *node;

	if (sw_jtree_parse(a, e->json, strlen(e->json), NODES, &node, NULL) < 0)
		return false;
	sw_event_read(node, a, ret);
	ret->received = e->at;
	if (!ret->at)
		ret->at = e->at;
	return true;
}

const struct rec_series *sw_recording_series(const struct recording *r, const char *place, const char *signal)
{
	char key[512];
	size_t i;

	if ((size_t)snprintf(key, sizeof key, "%s\n%s", place, signal) >= sizeof key)
		return NULL;
	i = (size_t)(uintptr_t)sw_map_get(&r->index, key);
	return i ? &r->series[i - 1] : NULL;
}

const struct rec_sample *sw_recording_at(const struct rec_series *s, sw_ms at, sw_dur within)
{
	size_t lo = 0, hi = s ? s->n : 0;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (s->items[mid].at <= at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && at - s->items[lo - 1].at < within ? &s->items[lo - 1] : NULL;
}
