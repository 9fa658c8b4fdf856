/*
 * A history as lines of JSON: what a recording is made of (docs/replay.md), and what `replay` reads of the file itself.
 *
 * Three parts, one behind the other, each walked through by the key of its rows; the cursor says in which part and behind which row.
 */
#include "dashboard/history.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "dashboard/store_inner.h"

#define ROWS 500 /* at once */

enum part { PART_EVENTS, PART_SAMPLES, PART_LABELS, PARTS };

/* Behind which row: of events and labels a moment and a row; of readings a place, a moment and a signal. */
struct where { int64_t k[3]; };

/* ?1 ?2 from, until; ?3 ?4 service, environment or NULL; ?5 ?6 ?7 the row before; ?8 rows. */
static const char *const statements[PARTS] = {
	[PART_EVENTS] = "SELECT e.at, e.id, 0, e.claimed, e.service, e.environment, b.ev FROM events e JOIN event_bodies b ON b.id = e.id WHERE e.at >= ?1 AND e.at < ?2"
	                " AND (?3 IS NULL OR (e.service = ?3 AND e.environment = ?4 AND e.claimed)) AND (e.at, e.id) > (?5, ?6) AND ?7 = ?7 ORDER BY e.at, e.id LIMIT ?8",
	/* of one place at a time, which is the order they lie in */
	[PART_SAMPLES] = "SELECT s.place, s.at, s.signal, p.service, p.environment, g.name, g.source, s.r, s.v, s.n, s.text FROM places p CROSS JOIN samples s ON s.place = p.id"
	                 " JOIN signals g ON g.id = s.signal WHERE p.id = (SELECT min(id) FROM places WHERE id >= ?5 AND (?3 IS NULL OR (service = ?3 AND environment = ?4))"
	                 " AND EXISTS (SELECT 1 FROM samples t WHERE t.place = places.id AND t.at >= ?1 AND t.at < ?2 AND (t.place, t.at, t.signal) > (?5, ?6, ?7)))"
	                 " AND s.at >= ?1 AND s.at < ?2 AND (s.place, s.at, s.signal) > (?5, ?6, ?7) ORDER BY s.place, s.at, s.signal LIMIT ?8",
	[PART_LABELS] = "SELECT d.at, d.id, 0, p.service, p.environment, d.sha, d.good FROM deployments d JOIN places p ON p.id = d.place WHERE d.at >= ?1 AND d.at < ?2"
	                " AND (?3 IS NULL OR (p.service = ?3 AND p.environment = ?4)) AND (d.at, d.id) > (?5, ?6) AND ?7 = ?7 AND d.said AND d.good IS NOT NULL AND"
	                " length(d.sha) BETWEEN 7 AND 64 ORDER BY d.at, d.id LIMIT ?8",
};

static const char *text(struct sw_stmt *st, int i)
{
	return sw_stmt_get_text(st, i, NULL);
}

/* "web/prod" where a recording may name it so. False: it may not. */
static bool place_write(struct sw_jw *w, const char *service, const char *environment)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	if (!service || !environment || !*service || !*environment)
		return false;
	sw_buf_printf(&b, "%s/%s", service, environment);
	for (const char *p = b.p; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 127)
			return false;
	sw_jw_str(w, "place", b.p);
	return true;
}

static void event_write(struct sw_stmt *st, struct sw_jw *w)
{
	size_t n = 0;
	const char *ev = sw_stmt_get_text(st, 6, &n);

	sw_jw_str(w, "t", "event");
	sw_jw_int(w, "at", sw_stmt_get_int(st, 0));
	if (sw_stmt_get_int(st, 3))
		(void)place_write(w, text(st, 4), text(st, 5));
	sw_jw_raw(w, "ev", ev, n);
}

static bool sample_write(struct sw_stmt *st, struct sw_jw *w)
{
	const char *source = text(st, 6), *r = text(st, 7);

	if (strcmp(source, "alarm") == 0 || strcmp(source, "?") == 0) /* alarms are events */
		return false;
	sw_jw_str(w, "t", "sample");
	sw_jw_int(w, "at", sw_stmt_get_int(st, 1));
	if (!place_write(w, text(st, 3), text(st, 4)))
		return false;
	sw_jw_str(w, "source", source);
	sw_jw_str(w, "signal", text(st, 5));
	if (r)
		sw_jw_str(w, "r", r);
	else
		sw_jw_num(w, "v", sw_stmt_get_real(st, 8));
	if (!sw_stmt_is_null(st, 9))
		sw_jw_num(w, "n", sw_stmt_get_real(st, 9));
	sw_jw_opt(w, "text", text(st, 10));
	return true;
}

static bool label_write(struct sw_stmt *st, struct sw_jw *w)
{
	sw_jw_str(w, "t", "label");
	sw_jw_int(w, "at", sw_stmt_get_int(st, 0));
	if (!place_write(w, text(st, 3), text(st, 4)))
		return false;
	sw_jw_str(w, "deployment", text(st, 5));
	sw_jw_bool(w, "good", sw_stmt_get_int(st, 6) != 0);
	return true;
}

static void line_write(enum part part, struct sw_stmt *st, struct sw_buf *out)
{
	size_t before = out->n;
	struct sw_jw w;
	bool is = true;

	sw_jw_init(&w, out);
	sw_jw_obj(&w, NULL);
	switch (part) {
	case PART_EVENTS: event_write(st, &w); break;
	case PART_SAMPLES: is = sample_write(st, &w); break;
	case PART_LABELS: is = label_write(st, &w); break;
	case PARTS: break;
	}
	sw_jw_obj_end(&w);
	sw_buf_putc(out, '\n');
	if (!is)
		sw_buf_truncate(out, before);
}

/* Rows of one part until there is enough. Return: 1 the part is over; 0 enough; -errno. */
static int part_write(struct sw_store *s, const struct sw_export *x, enum part part, struct where *at, size_t enough, struct sw_buf *out, struct sw_err *err)
{
	struct sw_stmt *st = NULL;
	int64_t n = ROWS;
	int r = sw_sql_prepare(s->q, statements[part], &st, err);

	while (r == 0 && n > 0 && out->n < enough) {
		sw_stmt_int(st, 1, x->from);
		sw_stmt_int(st, 2, x->until ? x->until : INT64_MAX);
		sw_stmt_text(st, 3, x->service);
		sw_stmt_text(st, 4, x->environment);
		for (int i = 0; i < 3; i++)
			sw_stmt_int(st, 5 + i, at->k[i]);
		sw_stmt_int(st, 8, ROWS);
		for (n = 0; (r = sw_stmt_step(st)) == 1 && out->n < enough; n++) {
			struct where row;

			for (int i = 0; i < 3; i++)
				row.k[i] = sw_stmt_get_int(st, i);
			line_write(part, st, out);
			*at = row;
		}
		if (r < 0)
			(void)sw_sql_error(s->q, err);
		else
			sw_stmt_reset(st);
		r = r < 0 ? r : 0;
	}
	sw_stmt_free(st);
	return r < 0 ? r : n == 0;
}

static int cursor_read(const char *text_, enum part *part, struct where *at, struct sw_err *err)
{
	unsigned p = 0;
	int n = 0;

	*at = (struct where){ { INT64_MIN, INT64_MIN, INT64_MIN } };
	*part = PART_EVENTS;
	if (!*text_)
		return 0;
	if (sscanf(text_, "%u.%" SCNd64 ".%" SCNd64 ".%" SCNd64 "%n", &p, &at->k[0], &at->k[1], &at->k[2], &n) != 4 || text_[n] || p >= PARTS)
		return sw_err_set(err, EINVAL, "cursor: \"%.60s\" is none of an export", text_);
	*part = (enum part)p;
	return 0;
}

int sw_store_export(struct sw_store *s, struct sw_export *x, size_t bytes, struct sw_buf *out, struct sw_err *err)
{
	size_t enough = out->n + bytes;
	enum part part;
	struct where at;
	int r;

	if (!x->service != !x->environment)
		return sw_err_set(err, EINVAL, "want both a service and an environment, or neither");
	r = cursor_read(x->cursor, &part, &at, err);
	if (r < 0)
		return r;
	while (part < PARTS && out->n < enough) {
		r = part_write(s, x, part, &at, enough, out, err);
		if (r < 0)
			return r;
		if (r == 0)
			break;
		part++;
		at = (struct where){ { INT64_MIN, INT64_MIN, INT64_MIN } };
	}
	x->done = part == PARTS;
	(void)snprintf(x->cursor, sizeof x->cursor, "%u.%" PRId64 ".%" PRId64 ".%" PRId64, (unsigned)part, at.k[0], at.k[1], at.k[2]);
	return 0;
}

bool sw_store_is(const char *path)
{
	return sw_sql_is(path);
}
