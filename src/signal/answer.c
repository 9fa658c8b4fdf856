/*
 * Reading the answers of Prometheus and of what speaks as it does (Thanos, Mimir, VictoriaMetrics).
 *
 *   {"status":"success","data":{"resultType":"vector","result":[{"metric":{…},"value":[1435781451.781,"1"]}]},"warnings":[…]}
 *   {"status":"success","data":{"resultType":"matrix","result":[{"metric":{…},"values":[[1435781430.781,"1"],…]}]}}
 *   {"status":"success","data":{"resultType":"scalar","result":[1435781460.781,"1"]}}
 *   {"status":"error","errorType":"bad_data","error":"…"} https://prometheus.io/docs/prometheus/latest/querying/api/
 *
 * A warning means that something is missing from the answer (a remote store was down). What Prometheus 2.48 and later
 * only notes
 * ("PromQL info: metric might not be a counter …") does not: it comes under "infos", in some versions under "warnings".
 */
#include "signal/answer.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/str.h"

#define NAME_MAX_BYTES 100
#define TEXT_MAX_BYTES 200

struct reader {
	struct sw_json j;
	struct sw_arena *a;
	const struct sw_grid *grid;
	struct sw_series *items;
	size_t n, room;
	const char *status, *error_type, *error, *warning;
	struct sw_err *err;
};

static int reader_wrong(struct reader *r, const char *what)
{
	if (r->j.error)
		return sw_err_set(r->err, EIO, "not JSON: %s at byte %zu", r->j.error, (size_t)(r->j.p - r->j.begin));
	return sw_err_set(r->err, EIO, "not an answer of a Prometheus: %s at byte %zu", what,
	                  (size_t)(r->j.p - r->j.begin));
}

static const char *reader_text(struct reader *r)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	const char *s = sw_json_text(&r->j, r->a);

	sw_utf8_clean(&b, s, sw_utf8_cut(s, strlen(s), TEXT_MAX_BYTES), true);
	return sw_arena_strdup(r->a, sw_buf_str(&b));
}

/* ---- numbers ---- */

static bool number_parse(const struct sw_json *j, double *ret)
{
	char s[64], *end;

	if (j->tok_n == 0 || j->tok_n >= sizeof s || j->dirty)
		return false;
	memcpy(s, j->tok, j->tok_n);
	s[j->tok_n] = '\0';
	if (strcmp(s, "NaN") == 0) {
		*ret = NAN;
		return true;
	}
	if (strcmp(s, "+Inf") == 0 || strcmp(s, "-Inf") == 0 || strcmp(s, "Inf") == 0) {
		*ret = *s == '-' ? -INFINITY : INFINITY;
		return true;
	}
	if (s[strspn(s, "0123456789+-.eE")])
		return false;
	*ret = strtod(s, &end);
	return *end == '\0';
}

static void point_put(const struct reader *r, struct sw_series *s, double at, double value)
{
	const struct sw_grid *g = r->grid;
	double i = g->step ? floor((at * 1000 - (double)g->from) / (double)g->step + 0.5) : 0;

	if (i >= 0 && i < (double)g->n)
		s->v[(size_t)i] = value;
}

/* Behind its '[' and, when seen, its time: [time, "value"]. */
static int point_read(struct reader *r, struct sw_series *s, bool time_seen)
{
	double at, value;

	if (!time_seen && sw_json_next(&r->j) != SW_JSON_NUMBER)
		return reader_wrong(r, "a time is missing");
	at = sw_json_double(&r->j);
	if (sw_json_next(&r->j) != SW_JSON_STRING || !number_parse(&r->j, &value))
		return reader_wrong(r, "a value is no number");
	if (sw_json_next(&r->j) != SW_JSON_ARRAY_END)
		return reader_wrong(r, "a point has more than time and value");
	point_put(r, s, at, value);
	return 0;
}

static int points_read(struct reader *r, struct sw_series *s)
{
	enum sw_json_token t;

	if (sw_json_next(&r->j) != SW_JSON_ARRAY)
		return reader_wrong(r, "values are no list");
	while ((t = sw_json_next(&r->j)) == SW_JSON_ARRAY) {
		int rc = point_read(r, s, false);

		if (rc < 0)
			return rc;
	}
	return t == SW_JSON_ARRAY_END ? 0 : reader_wrong(r, "a point is no list");
}

/* ---- series ---- */

/* What tells the elements of a list apart, the best first. "endpoint" is last: with Kubernetes it often names a port.
 */
static const char *const element_labels[] = { "handler", "uri",       "path",        "route",
	                                      "url",     "operation", "grpc_method", "endpoint" };

struct naming {
	const char *method, *name;
	size_t rank;
};

static const char *naming_text(struct reader *r)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	const char *s = sw_json_text(&r->j, r->a);

	sw_utf8_clean(&b, s, sw_utf8_cut(s, strlen(s), NAME_MAX_BYTES), true);
	return sw_arena_strdup(r->a, sw_buf_str(&b));
}

/* Which label of the list the current KEY is; SW_COUNT: another one. */
static size_t naming_rank(const struct sw_json *j)
{
	size_t i = 0;

	while (i < SW_COUNT(element_labels) && !sw_json_is(j, element_labels[i]))
		i++;
	return i;
}

static int metric_read(struct reader *r, struct sw_series *s)
{
	struct naming nm = { .rank = SW_COUNT(element_labels) + 1 };
	enum sw_json_token t;

	if (sw_json_next(&r->j) != SW_JSON_OBJECT)
		return reader_wrong(r, "labels are no object");
	while ((t = sw_json_next(&r->j)) == SW_JSON_KEY) {
		bool mark = sw_json_is(&r->j, SW_MARK), method = sw_json_is(&r->j, "method"),
		     own = sw_json_is(&r->j, "__name__");
		size_t rank = naming_rank(&r->j);

		if (sw_json_next(&r->j) != SW_JSON_STRING)
			return reader_wrong(r, "a label is no text");
		if (mark)
			s->mark = naming_text(r);
		else if (method)
			nm.method = naming_text(r);
		else if (!own && rank < nm.rank && r->j.tok_n) {
			nm.name = naming_text(r);
			nm.rank = rank;
		}
	}
	if (t != SW_JSON_OBJECT_END)
		return reader_wrong(r, "labels do not end");
	if (nm.method && nm.name)
		s->element = sw_arena_printf(r->a, "%s %s", nm.method, nm.name);
	else
		s->element = nm.name ? nm.name : nm.method ? nm.method : "all";
	return 0;
}

static struct sw_series *series_add(struct reader *r)
{
	struct sw_series *s;

	if (r->n == SW_SERIES_MAX || (r->n + 1) * r->grid->n > SW_CELLS_MAX)
		return NULL;
	if (r->n == r->room) {
		struct sw_series *more = SW_ARENA_ARRAY(r->a, struct sw_series, r->room ? r->room * 2 : 8);

		if (r->n)
			memcpy(more, r->items, r->n * sizeof *more);
		r->room = r->room ? r->room * 2 : 8;
		r->items = more;
	}
	s = &r->items[r->n++];
	*s = (struct sw_series){ .mark = "", .element = "all", .v = SW_ARENA_ARRAY(r->a, double, r->grid->n) };
	for (size_t i = 0; i < r->grid->n; i++)
		s->v[i] = NAN;
	return s;
}

static int series_read(struct reader *r)
{
	struct sw_series *s = series_add(r);
	enum sw_json_token t = SW_JSON_ERROR;
	bool has = false;
	int rc = 0;

	if (!s)
		return sw_err_set(r->err, EBADMSG, "more than %zu series: aggregate in the query", r->n);
	while (rc == 0 && (t = sw_json_next(&r->j)) == SW_JSON_KEY) {
		if (sw_json_is(&r->j, "metric")) {
			rc = metric_read(r, s);
		} else if (sw_json_is(&r->j, "value")) {
			has = true;
			rc = sw_json_next(&r->j) == SW_JSON_ARRAY ? point_read(r, s, false)
			                                          : reader_wrong(r, "a value is no list");
		} else if (sw_json_is(&r->j, "values")) {
			has = true;
			if (!r->grid->step)
				return sw_err_set(r->err, EBADMSG,
				                  "a range where one number is wanted: use a function over it, such as "
				                  "rate() or max_over_time()");
			rc = points_read(r, s);
		} else if (sw_json_is(&r->j, "histogram") || sw_json_is(&r->j, "histograms")) {
			return sw_err_set(
			    r->err, EBADMSG,
			    "a native histogram where a number is wanted: use histogram_quantile() in the query");
		} else if (sw_json_skip(&r->j) < 0) {
			return reader_wrong(r, "a member is broken");
		}
	}
	if (rc < 0)
		return rc;
	if (t != SW_JSON_OBJECT_END || !has)
		return reader_wrong(r, "a series has no values");
	return 0;
}

static int result_read(struct reader *r)
{
	enum sw_json_token t = sw_json_next(&r->j);

	if (t == SW_JSON_NULL)
		return 0;
	if (t != SW_JSON_ARRAY)
		return reader_wrong(r, "the result is no list");
	t = sw_json_next(&r->j);
	if (t == SW_JSON_NUMBER) { /* a scalar: the list is the point */
		struct sw_series *s = series_add(r);

		return s ? point_read(r, s, true) : reader_wrong(r, "a scalar behind series");
	}
	for (; t == SW_JSON_OBJECT; t = sw_json_next(&r->j)) {
		int rc = series_read(r);

		if (rc < 0)
			return rc;
	}
	return t == SW_JSON_ARRAY_END ? 0 : reader_wrong(r, "a series is no object");
}

/* ---- the whole ---- */

static int data_read(struct reader *r)
{
	enum sw_json_token t = sw_json_next(&r->j);

	if (t == SW_JSON_NULL)
		return 0;
	if (t != SW_JSON_OBJECT)
		return reader_wrong(r, "data is no object");
	while ((t = sw_json_next(&r->j)) == SW_JSON_KEY) {
		int rc = 0;

		if (sw_json_is(&r->j, "result")) {
			rc = result_read(r);
		} else if (sw_json_is(&r->j, "resultType")) {
			if (sw_json_next(&r->j) != SW_JSON_STRING)
				return reader_wrong(r, "resultType is no text");
			if (sw_json_is(&r->j, "string"))
				return sw_err_set(r->err, EBADMSG, "a text where a number is wanted");
		} else if (sw_json_skip(&r->j) < 0) {
			return reader_wrong(r, "a member is broken");
		}
		if (rc < 0)
			return rc;
	}
	return t == SW_JSON_OBJECT_END ? 0 : reader_wrong(r, "data does not end");
}

static int warnings_read(struct reader *r)
{
	enum sw_json_token t = sw_json_next(&r->j);

	if (t == SW_JSON_NULL)
		return 0;
	if (t != SW_JSON_ARRAY)
		return reader_wrong(r, "warnings are no list");
	while ((t = sw_json_next(&r->j)) == SW_JSON_STRING) {
		const char *text = reader_text(r);

		if (!r->warning && !sw_starts(text, "PromQL info:"))
			r->warning = text;
	}
	return t == SW_JSON_ARRAY_END ? 0 : reader_wrong(r, "a warning is no text");
}

static int text_read(struct reader *r, const char **ret)
{
	if (sw_json_next(&r->j) != SW_JSON_STRING)
		return reader_wrong(r, "a text is missing");
	*ret = reader_text(r);
	return 0;
}

static int member_read(struct reader *r)
{
	if (sw_json_is(&r->j, "data"))
		return data_read(r);
	if (sw_json_is(&r->j, "warnings"))
		return warnings_read(r);
	if (sw_json_is(&r->j, "status"))
		return text_read(r, &r->status);
	if (sw_json_is(&r->j, "errorType"))
		return text_read(r, &r->error_type);
	if (sw_json_is(&r->j, "error"))
		return text_read(r, &r->error);
	if (sw_json_is(&r->j, "isPartial")) { /* VictoriaMetrics */
		enum sw_json_token t = sw_json_next(&r->j);

		if (t == SW_JSON_TRUE && !r->warning)
			r->warning = "isPartial";
		return t == SW_JSON_TRUE || t == SW_JSON_FALSE ? 0 : reader_wrong(r, "isPartial is no true or false");
	}
	return sw_json_skip(&r->j) < 0 ? reader_wrong(r, "a member is broken") : 0;
}

static int body_read(struct reader *r)
{
	enum sw_json_token t;

	if (sw_json_next(&r->j) != SW_JSON_OBJECT)
		return reader_wrong(r, "an object is wanted");
	while ((t = sw_json_next(&r->j)) == SW_JSON_KEY) {
		int rc = member_read(r);

		if (rc < 0)
			return rc;
	}
	if (t != SW_JSON_OBJECT_END || sw_json_next(&r->j) != SW_JSON_END)
		return reader_wrong(r, "it does not end");
	return 0;
}

static bool body_html(const struct sw_result *res)
{
	const char *type = sw_result_header(res, "content-type");

	return (type && strncasecmp(type, "text/html", 9) == 0) || res->body[strspn(res->body, " \t\r\n")] == '<';
}

/* An answer that is not 200: what the server says about it, where it says it as Prometheus does. */
static int status_read(const struct sw_result *res, struct reader *r)
{
	bool asked_wrong = res->status == 400 || res->status == 422;
	struct sw_err ignored;

	r->err = &ignored;
	if (body_html(res) || res->body_cut || body_read(r) < 0 || !r->error)
		r->error = NULL;
	if (r->error)
		return sw_err_set(&ignored, asked_wrong ? EBADMSG : EIO, "-");
	return -EIO;
}

int sw_answer_read(const struct sw_result *res, const struct sw_grid *grid, struct sw_arena *a, struct sw_answer *ret,
                   struct sw_err *err)
{
	struct reader r = { .a = a, .grid = grid, .err = err };
	int rc;

	*ret = (struct sw_answer){ 0 };
	if (res->fault != SW_FAULT_NONE)
		return sw_err_set(err, EIO, "%s", res->detail ? res->detail : "no answer");
	sw_json_init(&r.j, res->body, res->body_n);
	if (res->status != 200) {
		rc = status_read(res, &r);
		if (r.error)
			return sw_err_set(err, -rc, "%s%s%s", r.error_type ? r.error_type : "",
			                  r.error_type ? ": " : "", r.error);
		return sw_err_set(err, EIO, "HTTP status %d%s", res->status,
		                  res->status == 401 || res->status == 403 ? ": they do not accept who asks" : "");
	}
	if (body_html(res))
		return sw_err_set(err, EIO,
		                  "an HTML page where JSON is wanted: a page for signing in, or another server?");
	if (res->body_cut)
		return sw_err_set(err, EIO, "an answer of more than %zu bytes", res->body_n);
	rc = body_read(&r);
	if (rc < 0)
		return rc;
	if (sw_streq(r.status, "error"))
		return sw_err_set(err, EIO, "%s%s%s", r.error_type ? r.error_type : "", r.error_type ? ": " : "",
		                  r.error ? r.error : "no reason given");
	if (!sw_streq(r.status, "success"))
		return sw_err_set(err, EIO, "not an answer of a Prometheus: it says no status");
	if (r.warning)
		return sw_err_set(err, EIO, "only a part of the answer: %s", r.warning);
	*ret = (struct sw_answer){ r.items, r.n };
	return 0;
}
