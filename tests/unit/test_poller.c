/* worker/poller, the past: one question, then one for each earlier day, two at a time; whatever becomes of the days, one message is sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "engine/baseline.h"
#include "worker/inner.h"

#define NOW   ((sw_ms)1790000000000)
#define STEP  (15 * SW_SECOND)
#define BEGAN (NOW / STEP * STEP)

/* ---- what is around the poller ---- */

static struct {
	sw_ms now;
	struct { sw_do_cb cb; void *arg; sw_ms from, to; sw_dur timeout; } open[SW_PAST_DAYS + 1];
	size_t n_open, most_open, asked, ended;
	sw_ms refuse_from;      /* a question about that time cannot be asked */
	double value;           /* of all points; NaN: nothing is there */
	bool counts;
	char *sent;
	size_t n_sent;
} rig;
static sw_ms asked_from, asked_to;

void __wrap_sw_do_job(struct worker *w, const struct sw_job *job, const struct sw_do_for *what, sw_do_cb cb, void *arg);
void __wrap_sw_outbox_append(struct worker *w, const char *aggregate, const char *msg, bool keen, const char *settle);
sw_ms __wrap_sw_bus_now(const struct sw_bus *bus);
void __wrap_sw_worker_settled(struct worker *w);
struct setup *__wrap_sw_setup_get(struct setup *s);
struct setup *__wrap_sw_setup_put(struct setup *s);

void __wrap_sw_do_job(struct worker *w, const struct sw_job *job, const struct sw_do_for *what, sw_do_cb cb, void *arg)
{
	(void)w, (void)what;
	assert_true(rig.n_open < SW_COUNT(rig.open));
	rig.open[rig.n_open].cb = cb;
	rig.open[rig.n_open].arg = arg;
	rig.open[rig.n_open].from = asked_from;
	rig.open[rig.n_open].to = asked_to;
	rig.open[rig.n_open++].timeout = job->timeout;
	rig.most_open = SW_MAX(rig.most_open, rig.n_open);
	rig.asked++;
}

void __wrap_sw_outbox_append(struct worker *w, const char *aggregate, const char *msg, bool keen, const char *settle)
{
	(void)w, (void)settle;
	assert_string_equal(aggregate, "place:web/prod");
	assert_true(keen);
	rig.sent = sw_strdup(msg);
	rig.n_sent++;
}

sw_ms __wrap_sw_bus_now(const struct sw_bus *bus) { (void)bus; return rig.now; }
void __wrap_sw_worker_settled(struct worker *w) { (void)w; rig.ended++; }
struct setup *__wrap_sw_setup_get(struct setup *s) { return s; }
struct setup *__wrap_sw_setup_put(struct setup *s) { (void)s; return NULL; }

static int toy_ask(const void *conf, const struct sw_target *t, sw_ms now, struct sw_arena *a, struct sw_job *ret, struct sw_err *err)
{
	(void)conf, (void)now, (void)a;
	assert_int_equal(t->n_queries, 1);
	if (rig.refuse_from && t->from == rig.refuse_from)
		return sw_err_set(err, EINVAL, "no");
	asked_from = t->from;
	asked_to = t->to;
	*ret = (struct sw_job){ .kind = SW_JOB_HTTP, .method = "GET", .url = "http://p/", .timeout = 31 * SW_SECOND };
	return 0;
}

static int toy_past(const void *conf, const struct sw_target *t, const struct sw_result *res, struct sw_arena *a, struct sw_past *ret, struct sw_err *err)
{
	(void)conf;
	if (res->status != 200)
		return sw_err_set(err, res->status == 400 ? EBADMSG : EIO, "status %d", res->status);
	*ret = (struct sw_past){ .from = t->from, .step = STEP };
	if (isnan(rig.value))
		return 0;
	ret->n = (size_t)((t->to - t->from) / STEP + 1);
	ret->value = SW_ARENA_ARRAY(a, double, ret->n);
	ret->count = rig.counts ? SW_ARENA_ARRAY(a, double, ret->n) : NULL;
	for (size_t i = 0; i < ret->n; i++) {
		ret->value[i] = rig.value;
		if (rig.counts)
			ret->count[i] = 600;
	}
	return 0;
}

static const struct sw_signal toy = { .base = { "prometheus", "", NULL, 0 }, .ask = toy_ask, .past = toy_past };
const struct sw_source *const sw_sources[] = { NULL };
const struct sw_signal *const sw_signals[] = { &toy, NULL };
const struct sw_channel *const sw_channels[] = { NULL };
const struct sw_action *const sw_actions[] = { NULL };
const struct sw_source *sw_source_find(const char *kind) { (void)kind; return NULL; }
const struct sw_signal *sw_signal_find(const char *kind) { return sw_streq(kind, "prometheus") ? &toy : NULL; }
const struct sw_channel *sw_channel_find(const char *kind) { (void)kind; return NULL; }
const struct sw_action *sw_action_find(const char *kind) { (void)kind; return NULL; }

/* ---- asking ---- */

static struct worker worker;

static void begin(unsigned n_days)
{
	static struct sw_place web = { .service = "web", .environment = "prod", .prometheus = { .url = "http://p/", .labels = "" } };
	static struct sw_config cfg;
	static struct setup setup = { .cfg = &cfg };
	static struct sw_query q = { .signal = "http_latency_p95", .prometheus = "x{$labels}", .step = STEP };
	static const char *const rings[] = { NULL };
	struct sw_past_ask ask = { .to = BEGAN, .from = BEGAN - 119 * STEP, .baseline_from = BEGAN - 119 * STEP, .rings = rings, .logs = true, .n_days = n_days,
		                   .day_from = BEGAN - 119 * STEP, .day_after = BEGAN + STEP, .day_to = BEGAN + 21 * STEP };
	struct sw_io io = { .kind = SW_IO_PAST, .source = "prometheus", .deployment = "d1", .queries = &q, .n_queries = 1, .past = &ask };

	free(rig.sent);
	memset(&rig, 0, sizeof rig);
	rig.now = NOW;
	rig.value = 0.3;
	memset(&worker, 0, sizeof worker);
	cfg.places = (struct sw_places){ &web, 1 };
	sw_poller_run(&worker, &setup, "place:web/prod", &io);
}

/* The oldest (or newest) open question is answered. */
static void answer(int status, bool newest)
{
	struct sw_result res = { .status = status, .body = "", .at = rig.now };
	size_t i = newest ? rig.n_open - 1 : 0;
	sw_do_cb cb = rig.open[i].cb;
	void *arg = rig.open[i].arg;

	assert_true(rig.n_open > 0);
	memmove(&rig.open[i], &rig.open[i + 1], (--rig.n_open - i) * sizeof rig.open[0]);
	cb(arg, &res);
}

static size_t days_sent(struct sw_arena *a, struct baseline *ret)
{
	struct sw_jnode *node;

	assert_int_equal(rig.n_sent, 1);
	assert_int_equal(rig.ended, 1);
	assert_int_equal(rig.n_open, 0);
	assert_int_equal(sw_jtree_parse(a, rig.sent, strlen(rig.sent), 10000, &node, NULL), 0);
	if (!sw_jget(node, "rec"))
		return SIZE_MAX;
	assert_true(sw_baseline_read(sw_jget(node, "rec"), a, ret));
	return ret->n_days;
}

static void test_all_days(void **state)
{
	struct sw_arena a = { 0 };
	struct baseline b;

	(void)state;
	begin(SW_PAST_DAYS);
	assert_int_equal(rig.asked, 1); /* the days wait for the past itself */
	answer(200, false);
	assert_int_equal(rig.asked, 3);
	for (unsigned k = 1; k <= SW_PAST_DAYS; k++) {
		assert_int_equal(rig.open[0].from, BEGAN - 119 * STEP - (sw_dur)k * SW_DAY);
		assert_int_equal(rig.open[0].to, BEGAN + 21 * STEP - (sw_dur)k * SW_DAY);
		assert_true(rig.open[0].timeout <= 10 * SW_SECOND);
		assert_int_equal(rig.n_sent, 0);
		answer(200, false);
	}
	assert_int_equal(days_sent(&a, &b), SW_PAST_DAYS);
	assert_int_equal(rig.most_open, 2);
	assert_int_equal(b.days[6].back, 7);
	assert_int_equal(b.days[6].n, 21);
	sw_arena_fini(&a);
}

/* Days that fail in every way, answers in another order. */
static void test_some_days(void **state)
{
	struct sw_arena a = { 0 };
	struct baseline b;

	(void)state;
	begin(SW_PAST_DAYS);
	rig.refuse_from = BEGAN - 119 * STEP - 3 * SW_DAY;
	answer(200, false);
	for (int i = 0; rig.n_open; i++)
		answer(i == 0 ? 503 : i == 1 ? 400 : 200, true);
	assert_int_equal(days_sent(&a, &b), SW_PAST_DAYS - 3);
	assert_int_equal(rig.asked, 1 + SW_PAST_DAYS - 1);
	begin(SW_PAST_DAYS);
	answer(200, false);
	while (rig.n_open)
		answer(503, false);
	assert_int_equal(days_sent(&a, &b), 0);
	assert_int_equal(b.valid, 120); /* the baseline is there all the same */
	begin(SW_PAST_DAYS);
	answer(200, false);
	rig.value = NAN; /* empty */
	while (rig.n_open)
		answer(200, false);
	assert_int_equal(days_sent(&a, &b), 0);
	sw_arena_fini(&a);
}

/* A source that is slow: what there is by then is sent, nothing more is asked. */
static void test_slow(void **state)
{
	struct sw_arena a = { 0 };
	struct baseline b;

	(void)state;
	begin(SW_PAST_DAYS);
	rig.now += 9 * SW_SECOND;
	answer(200, false);
	rig.now += 2 * SW_SECOND;
	answer(200, false);
	assert_int_equal(rig.n_sent, 0); /* the other one is under way */
	answer(200, false);
	assert_int_equal(days_sent(&a, &b), 2);
	begin(SW_PAST_DAYS);
	rig.now += 30 * SW_SECOND;
	answer(200, false);
	assert_int_equal(days_sent(&a, &b), 0);
	begin(SW_PAST_DAYS);
	worker.stopping = true;
	answer(200, false);
	assert_int_equal(days_sent(&a, &b), 0);
	sw_arena_fini(&a);
}

/* No days: none wanted, no past, counts, or no answer. */
static void test_no_days(void **state)
{
	struct sw_arena a = { 0 };
	struct baseline b;

	(void)state;
	begin(0);
	answer(200, false);
	assert_int_equal(days_sent(&a, &b), 0);
	begin(SW_PAST_DAYS);
	rig.value = NAN;
	answer(200, false);
	assert_int_equal(days_sent(&a, &b), 0);
	begin(SW_PAST_DAYS);
	rig.counts = true;
	answer(200, false);
	assert_int_equal(days_sent(&a, &b), 0);
	begin(SW_PAST_DAYS);
	answer(503, false);
	assert_true(days_sent(&a, &b) == SIZE_MAX);
	assert_int_equal(rig.asked, 1);
	free(rig.sent);
	rig.sent = NULL;
	sw_arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_days), cmocka_unit_test(test_some_days), cmocka_unit_test(test_slow), cmocka_unit_test(test_no_days),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
