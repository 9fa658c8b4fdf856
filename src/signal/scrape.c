/*
 * A service's own page of measurements, scraped by ourselves: one GET answers all queries of a place.
 *
 * Counters only grow, so what they say is what they grew by since the last scrape. What must be known of that one comes
 * back in sw_target.memory: the sums of each selector and the buckets of each histogram, not the series. A process that
 * began anew counts from zero: its process_start_time_seconds is another one; where it tells none, a sum that fell says
 * so. A sum that fell although the process is the same is no growth that could be known (the page is of several
 * processes behind one address, or series went): absent.
 *
 * A quantile is interpolated within its bucket as histogram_quantile() of Prometheus does it (promql/quantile.go:
 * bucketQuantile).
 */
#include "shipwatch/plugin.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "model/place.h"
#include "signal/auth.h"
#include "signal/memory.h"
#include "signal/select.h"

#define TIMEOUT    (5 * SW_SECOND)
#define ANSWER_MAX ((size_t)16 << 20)
#define MATCH_MAX  50000            /* series of a page that something is read from */
#define MEMORY_AGE (15 * SW_MINUTE) /* what grew over longer says nothing of now */
#define TOO_SOON   500              /* ms between two scrapes that say something of growth */
#define START      "process_start_time_seconds"

static const struct sw_key keys[] = { { 0 } }; /* its settings are rows of the place (struct sw_measure_conf) */

/* ---- the question ---- */

static int scrape_check(const struct sw_query *q, struct sw_err *err)
{
	SW_CLEANUP(sw_arena_fini) struct sw_arena a = { 0 };
	struct sw_select s;

	if (!q->scrape)
		return 0;
	if (q->list)
		return sw_err_set(err, EINVAL, "scrape: a list is not made from a scrape");
	if (sw_select_parse(q->scrape, &a, &s, err) == 0)
		return 0;
	sw_err_prefix(err, "scrape");
	return -EINVAL;
}

static int scrape_ask(const void *conf, const struct sw_target *t, sw_ms now, struct sw_arena *a, struct sw_job *ret,
                      struct sw_err *err)
{
	const struct sw_measure_conf *c = conf;

	if (!c->url)
		return sw_err_set(err, ENOENT, "no page of metrics is configured");
	*ret = (struct sw_job){ .kind = SW_JOB_HTTP,
		                .method = "GET",
		                .url = c->url,
		                .timeout = c->timeout > 0 ? c->timeout : TIMEOUT,
		                .response_max = ANSWER_MAX,
		                .follow = true };
	/* the older text first: in OpenMetrics some libraries give counters other names (…_total) */
	sw_job_header(ret, "Accept",
	              "text/plain;version=0.0.4, application/openmetrics-text;version=1.0.0;q=0.5, */*;q=0.1");
	sw_auth_header(c, a, ret);
	return 0;
}

/* ---- one pass over the page ---- */

struct wanted {
	struct sw_selector sel;
	struct sw_heap *heap;
};

struct page {
	struct sw_arena *a;
	struct wanted wanted[SW_HEAPS_MAX];
	size_t n_wanted;
	struct sw_memory now;
	uint64_t *seen; /* hashes of the series that were read, open addressing; 0: free */
	size_t n_seen, room;
};

static uint64_t hash_bytes(uint64_t h, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)p[i]) * 1099511628211ULL;
	return (h ^ 0xff) * 1099511628211ULL;
}

/* The same whatever the order of the labels; never 0. */
static uint64_t series_hash(const struct sw_expo_sample *s)
{
	uint64_t h = hash_bytes(14695981039346656037ULL, s->name, s->name_n);

	for (size_t i = 0; i < s->n_labels; i++) {
		uint64_t one = hash_bytes(14695981039346656037ULL, s->labels[i].name, s->labels[i].name_n);

		one = hash_bytes(one, s->labels[i].value, s->labels[i].value_n);
		h += one ^ one >> 29;
	}
	return h ? h : 1;
}

static bool seen_put(uint64_t *set, size_t room, uint64_t h)
{
	size_t i = (size_t)(h ^ h >> 32) & (room - 1);

	while (set[i] && set[i] != h)
		i = (i + 1) & (room - 1);
	if (set[i])
		return false;
	set[i] = h;
	return true;
}

/* False: it was there already. */
static bool page_seen(struct page *p, uint64_t h)
{
	if (p->n_seen * 2 >= p->room) {
		size_t room = p->room ? p->room * 2 : 64;
		uint64_t *more = SW_ARENA_ARRAY(p->a, uint64_t, room);

		for (size_t i = 0; i < p->room; i++)
			if (p->seen[i])
				(void)seen_put(more, room, p->seen[i]);
		p->seen = more;
		p->room = room;
	}
	p->n_seen++;
	return seen_put(p->seen, p->room, h);
}

static int bucket_add(struct sw_heap *h, const struct sw_expo_sample *s, struct sw_err *err)
{
	double le = NAN;
	size_t i = 0;

	for (size_t k = 0; k < s->n_labels; k++)
		if (s->labels[k].name_n == 2 && memcmp(s->labels[k].name, "le", 2) == 0 &&
		    !sw_expo_number(s->labels[k].value, s->labels[k].value_n, &le))
			le = NAN;
	if (isnan(le))
		return sw_err_set(err, EBADMSG, "line %u: a bucket without a limit (le) that is a number", s->line);
	while (i < h->n_buckets && h->buckets[i].le < le)
		i++;
	if (i == h->n_buckets || h->buckets[i].le > le) {
		if (h->n_buckets == SW_BUCKETS_MAX)
			return sw_err_set(err, EBADMSG, "line %u: more than %d buckets", s->line, SW_BUCKETS_MAX);
		memmove(&h->buckets[i + 1], &h->buckets[i], (h->n_buckets - i) * sizeof *h->buckets);
		h->buckets[i] = (struct sw_bucket){ .le = le };
		h->n_buckets++;
	}
	h->buckets[i].count += s->value;
	return 0;
}

static int heap_add(struct sw_heap *h, const struct sw_expo_sample *s, struct sw_err *err)
{
	bool first = h->series++ == 0;

	if (h->histogram)
		return bucket_add(h, s, err);
	h->sum += s->value;
	h->max = first ? s->value : fmax(h->max, s->value);
	h->min = first ? s->value : fmin(h->min, s->value);
	return 0;
}

static int page_sample(void *arg, const struct sw_expo_sample *s, struct sw_err *err)
{
	struct page *p = arg;
	bool read = false;

	if (s->name_n == sizeof START - 1 && memcmp(s->name, START, s->name_n) == 0 && isfinite(s->value))
		p->now.start = s->value;
	for (size_t i = 0; i < p->n_wanted; i++) {
		struct wanted *w = &p->wanted[i];

		if (!sw_selector_fits(&w->sel, s, w->heap->histogram ? "_bucket" : ""))
			continue;
		if (!read && p->n_seen == MATCH_MAX)
			return sw_err_set(err, EBADMSG,
			                  "more than %d series to be added up: choose by labels, or ask a Prometheus",
			                  MATCH_MAX);
		if (!read && !page_seen(p, series_hash(s)))
			return sw_err_set(err, EBADMSG, "line %u: the same series a second time", s->line);
		read = true;
		if (heap_add(w->heap, s, err) < 0)
			return -EBADMSG;
	}
	return 0;
}

/* The same selector is added up once, however many expressions use it. NULL: too many. */
static struct sw_heap *page_want(struct page *p, const struct sw_selector *sel, bool histogram)
{
	struct sw_heap *h;

	for (size_t i = 0; i < p->n_wanted; i++)
		if (p->wanted[i].heap->hash == sel->hash && p->wanted[i].heap->histogram == histogram)
			return p->wanted[i].heap;
	if (p->n_wanted == SW_HEAPS_MAX)
		return NULL;
	h = &p->now.items[p->now.n++];
	*h = (struct sw_heap){ .hash = sel->hash, .histogram = histogram };
	if (histogram)
		h->buckets = SW_ARENA_ARRAY(p->a, struct sw_bucket, SW_BUCKETS_MAX + 1);
	p->wanted[p->n_wanted++] = (struct wanted){ *sel, h };
	return h;
}

/* ---- growth ---- */

/* Two scrapes. first: there is no other one. */
struct pair {
	const struct sw_memory *now, *before;
	bool first, anew, same; /* the process began anew; it surely did not */
	sw_dur apart;
};

struct value {
	enum sw_reading reading;
	double v, count;
	const char *text;
};

static struct value value_none(enum sw_reading reading, const char *text)
{
	return (struct value){ .reading = reading, .text = text };
}

static struct value value_ok(double v, double count)
{
	return isfinite(v) ? (struct value){ .reading = SW_R_OK, .v = v, .count = isfinite(count) ? count : 0 }
	                   : value_none(SW_R_NAN, NULL);
}

static const char fell[] = "a counter fell although the process is the same: is the page of one process?";

/* What a sum grew by. Why not: in *ret. */
static bool grown(const struct pair *p, const struct sw_heap *h, double *ret_by, struct value *ret)
{
	const struct sw_heap *old = p->first ? NULL : sw_memory_find(p->before, h->hash, false);

	*ret_by = 0;
	if (!old) {
		*ret = value_none(SW_R_ABSENT, "first scrape");
		return false;
	}
	if (p->anew || (h->sum < old->sum && !p->same)) {
		*ret_by = h->sum;
		return true;
	}
	*ret_by = h->sum - old->sum;
	if (*ret_by >= 0)
		return true;
	*ret = isnan(*ret_by) ? value_none(SW_R_NAN, NULL) : value_none(SW_R_ABSENT, fell);
	return false;
}

static bool buckets_fell(const struct sw_heap *h, const struct sw_heap *old)
{
	for (size_t i = 0; i < h->n_buckets; i++)
		if (h->buckets[i].count < old->buckets[i].count)
			return true;
	return false;
}

/* Takes the buckets of the last scrape off. Why not: in *ret. */
static bool buckets_grown(const struct pair *p, struct sw_heap *h, struct value *ret)
{
	const struct sw_heap *old = p->first ? NULL : sw_memory_find(p->before, h->hash, true);
	bool same;

	if (!old) {
		*ret = value_none(SW_R_ABSENT, "first scrape");
		return false;
	}
	if (p->anew || !old->n_buckets)
		return true;
	same = old->n_buckets == h->n_buckets;
	for (size_t i = 0; same && i < h->n_buckets; i++)
		same = h->buckets[i].le == old->buckets[i].le;
	if (!same || buckets_fell(h, old)) {
		*ret = value_none(SW_R_ABSENT, same ? fell : "its buckets are other ones than before");
		return !p->same;
	}
	for (size_t i = 0; i < h->n_buckets; i++)
		h->buckets[i].count -= old->buckets[i].count;
	return true;
}

/* b: cumulative, by le. NaN: no observations, or no histogram. */
static double bucket_quantile(double q, const struct sw_bucket *b, size_t n)
{
	double rank, start = 0, count;
	size_t i = 0;

	if (n < 2 || !isinf(b[n - 1].le) || !(b[n - 1].count > 0))
		return NAN;
	rank = q * b[n - 1].count;
	while (i < n - 1 && b[i].count < rank)
		i++;
	if (i == n - 1)
		return b[n - 2].le;
	if (i == 0 && b[0].le <= 0)
		return b[0].le;
	count = b[i].count;
	if (i > 0) {
		start = b[i - 1].le;
		count -= b[i - 1].count;
		rank -= b[i - 1].count;
	}
	return start + (b[i].le - start) * (rank / count);
}

static double scaled(const struct pair *p, const struct sw_query *q, double count)
{
	return q->step > 0 ? count * (double)q->step / (double)p->apart : count;
}

static struct value quantile(const struct pair *p, const struct sw_query *q, const struct sw_select *s,
                             const struct sw_heap *heap)
{
	struct sw_bucket copy[SW_BUCKETS_MAX];
	struct sw_heap h = *heap;
	struct value ret;

	if (!h.n_buckets)
		return value_none(SW_R_ABSENT, "no such histogram on the page");
	memcpy(copy, heap->buckets, h.n_buckets * sizeof *copy);
	h.buckets = copy;
	if (!buckets_grown(p, &h, &ret))
		return ret;
	for (size_t i = 1; i < h.n_buckets; i++) /* sums of floats may be off by the last bit */
		copy[i].count = fmax(copy[i].count, copy[i - 1].count);
	if (isinf(copy[h.n_buckets - 1].le) && copy[h.n_buckets - 1].count <= 0)
		return value_none(SW_R_ABSENT, "no requests");
	return value_ok(bucket_quantile(s->q, copy, h.n_buckets) * s->factor,
	                scaled(p, q, copy[h.n_buckets - 1].count));
}

static struct value ratio(const struct pair *p, const struct sw_query *q, const struct sw_select *s,
                          const struct sw_heap *bad, const struct sw_heap *all)
{
	double part, whole;
	struct value ret;

	if (!all->series)
		return value_none(SW_R_ABSENT, "no such counter on the page");
	if (!grown(p, all, &whole, &ret) || !grown(p, bad, &part, &ret))
		return ret;
	if (whole <= 0)
		return value_none(SW_R_ABSENT, "no requests");
	return value_ok(fmin(part / whole, 1) * s->factor, scaled(p, q, whole));
}

static struct value growth(const struct pair *p, const struct sw_query *q, const struct sw_select *s,
                           const struct sw_heap *h)
{
	struct value ret;
	double by;

	if (!h->series)
		return value_none(SW_R_ABSENT, "no such counter on the page");
	if (!grown(p, h, &by, &ret))
		return ret;
	if (s->func == SW_SEL_RATE)
		return value_ok(by * SW_SECOND / (double)p->apart * s->factor, 0);
	return value_ok(scaled(p, q, by) * s->factor, scaled(p, q, by));
}

static struct value changes(const struct pair *p, const struct sw_select *s, const struct sw_heap *h)
{
	const struct sw_heap *old = p->first ? NULL : sw_memory_find(p->before, h->hash, false);

	if (!h->series)
		return value_none(SW_R_ABSENT, "no such metric on the page");
	if (!old)
		return value_none(SW_R_ABSENT, "first scrape");
	return value_ok((old->sum != h->sum) * s->factor, 0);
}

static struct value gauge(const struct sw_query *q, const struct sw_select *s, const struct sw_heap *h,
                          struct sw_arena *a)
{
	enum sw_select_func f = s->func;

	if (!h->series)
		return value_none(SW_R_ABSENT, "no such metric on the page");
	if (f == SW_SEL_BARE && h->series > 1) {
		if (q->reduce == SW_REDUCE_SINGLE)
			return value_none(
			    SW_R_ERROR,
			    sw_arena_printf(a, "%zu series where one is wanted: say reduce, or sum(…)", h->series));
		f = q->reduce == SW_REDUCE_SUM                  ? SW_SEL_SUM
		    : q->reduce == SW_REDUCE_AVG                ? SW_SEL_AVG
		    : q->reduce == SW_REDUCE_ANY && q->bad_down ? SW_SEL_MIN
		                                                : SW_SEL_MAX;
	}
	return value_ok((f == SW_SEL_MAX   ? h->max
	                 : f == SW_SEL_MIN ? h->min
	                 : f == SW_SEL_AVG ? h->sum / (double)h->series
	                                   : h->sum) *
	                    s->factor,
	                0);
}

/* ---- the answer ---- */

/* Why there is no page, or NULL. */
static const char *scrape_wrong(const struct sw_result *res, struct sw_arena *a)
{
	const char *type = sw_result_header(res, "content-type");

	if (res->fault != SW_FAULT_NONE)
		return res->detail ? sw_arena_strdup(a, res->detail) : "no answer";
	if (res->status != 200)
		return sw_arena_printf(a, "HTTP status %d%s", res->status,
		                       res->status == 401 || res->status == 403 ? ": they do not accept who asks" : "");
	if ((type && strncasecmp(type, "text/html", 9) == 0) || res->body[strspn(res->body, " \t\r\n")] == '<')
		return "an HTML page where metrics are wanted: a page for signing in, or another path?";
	if (type && strncasecmp(type, "application/vnd.google.protobuf", 31) == 0)
		return "metrics as protobuf, which was not asked for";
	if (res->body_cut)
		return sw_arena_printf(a, "a page of more than %zu MiB: ask a Prometheus instead", ANSWER_MAX >> 20);
	return NULL;
}

static void answer_all(const struct sw_target *t, const struct sw_result *res, struct sw_samples *out, const char *why)
{
	for (size_t i = 0; i < t->n_queries; i++) {
		struct sw_sample *s = sw_samples_add(out, t->queries[i].signal, res->at, SW_R_ERROR, 0);

		if (s)
			s->text = why;
	}
}

struct asked {
	struct sw_select s;
	struct sw_heap *heap[2];
	const char *wrong;
};

static void asked_read(struct page *p, const struct sw_query *q, struct asked *ret)
{
	struct sw_err err = SW_ERR_INIT;

	if (!q->scrape || sw_select_parse(q->scrape, p->a, &ret->s, &err) < 0) {
		ret->wrong =
		    q->scrape ? sw_arena_printf(p->a, "scrape: %s", err.text) : "no expression says what to read";
		return;
	}
	for (size_t i = 0; i < ret->s.n_sel && !ret->wrong; i++) {
		ret->heap[i] = page_want(p, &ret->s.sel[i], ret->s.func == SW_SEL_QUANTILE);
		if (ret->heap[i])
			ret->heap[i]->kept = ret->heap[i]->kept || ret->s.func <= SW_SEL_CHANGES;
		else
			ret->wrong = "too much is asked of one page";
	}
}

static struct value asked_value(const struct pair *p, const struct sw_query *q, const struct asked *as,
                                struct sw_arena *a)
{
	switch (as->s.func) {
	case SW_SEL_QUANTILE:
		return quantile(p, q, &as->s, as->heap[0]);
	case SW_SEL_RATIO:
		return ratio(p, q, &as->s, as->heap[0], as->heap[1]);
	case SW_SEL_RATE:
	case SW_SEL_INCREASE:
		return growth(p, q, &as->s, as->heap[0]);
	case SW_SEL_CHANGES:
		return changes(p, &as->s, as->heap[0]);
	case SW_SEL_SUM:
	case SW_SEL_MAX:
	case SW_SEL_MIN:
	case SW_SEL_AVG:
	case SW_SEL_BARE:
		return gauge(q, &as->s, as->heap[0], a);
	}
	return value_none(SW_R_ERROR, NULL);
}

static void pair_make(struct pair *p, const struct sw_memory *now, const struct sw_memory *before, bool has)
{
	bool starts = has && isfinite(now->start) && isfinite(before->start);

	*p = (struct pair){ .now = now, .before = before, .apart = has ? now->at - before->at : 0 };
	p->first = !has || p->apart <= 0 || p->apart > MEMORY_AGE;
	p->anew = starts && fabs(now->start - before->start) > 1;
	p->same = starts && !p->anew;
}

static int scrape_read(const void *conf, const struct sw_target *t, const struct sw_result *res, struct sw_samples *out,
                       struct sw_err *err)
{
	struct page *page = SW_ARENA_NEW(out->a, struct page);
	struct asked *asked = SW_ARENA_ARRAY(out->a, struct asked, t->n_queries + 1);
	SW_CLEANUP(sw_buf_fini) struct sw_buf memory = SW_BUF_INIT;
	const char *wrong = scrape_wrong(res, out->a), *type = sw_result_header(res, "content-type");
	struct sw_err why = SW_ERR_INIT;
	struct sw_memory before;
	struct pair pair;
	bool has = sw_memory_read(t->memory, out->a, &before);

	out->memory = has ? t->memory : NULL; /* kept where nothing new is known */
	page->a = out->a;
	page->now = (struct sw_memory){ .at = res->at,
		                        .start = NAN,
		                        .items = SW_ARENA_ARRAY(out->a, struct sw_heap, SW_HEAPS_MAX) };
	for (size_t i = 0; !wrong && i < t->n_queries; i++)
		asked_read(page, &t->queries[i], &asked[i]);
	if (!wrong &&
	    sw_expo_parse(res->body, res->body_n, type && strncasecmp(type, "application/openmetrics-text", 28) == 0,
	                  page_sample, page, &why) < 0)
		wrong = sw_arena_strdup(out->a, why.text);
	if (wrong) {
		answer_all(t, res, out, wrong);
		return 0;
	}
	pair_make(&pair, &page->now, &before, has);
	for (size_t i = 0; i < t->n_queries; i++) {
		struct value v = asked[i].wrong ? value_none(SW_R_ERROR, asked[i].wrong)
		                                : asked_value(&pair, &t->queries[i], &asked[i], out->a);
		struct sw_sample *s;

		if (!asked[i].wrong && !pair.first && pair.apart < TOO_SOON && asked[i].s.func <= SW_SEL_CHANGES)
			v = value_none(SW_R_ABSENT, "too soon after the last scrape");
		s = sw_samples_add(out, t->queries[i].signal, res->at, v.reading, v.reading == SW_R_OK ? v.v : 0);
		if (!s)
			break;
		s->count = v.count;
		s->text = v.text;
	}
	if (!pair.first && pair.apart < TOO_SOON)
		return 0;
	sw_memory_write(&page->now, SW_MEMORY_MAX, &memory);
	out->memory = sw_arena_strdup(out->a, sw_buf_str(&memory));
	return 0;
}

const struct sw_signal sw_signal_scrape = {
	.base = { "scrape", "A service's own page of metrics.", keys, sizeof(struct sw_measure_conf) },
	.check = scrape_check,
	.ask = scrape_ask,
	.read = scrape_read,
};
