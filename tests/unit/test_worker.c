/*
 * The worker against the bus in memory, in virtual time: the main path, and the main path again with each call to the bus failing
 * or killing the worker: nothing is lost, nothing is doubled.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "worker_plugins.h"
#include "worker_rig.h"

#define SHA_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SHA_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static const char config_text[] =
	"sources: {ci: {kind: report, secrets: [\"0123456789abcdef\"]}}\n"
	"services:\n"
	"  web:\n"
	"    repo: acme/web\n"
	"    environments:\n"
	"      prod: {health: {url: \"http://web.test/health\", every: 5s, timeout: 1s, grace: 5s, background: 60s}, rollback: undo}\n"
	"channels: {chat: {kind: webhook, url: \"http://chat.test/hook\", secret: \"0123456789abcdef\", mention: {critical: [deployer, oncall]}}}\n"
	"people: {lin: {gitlab: lin.wei}, mei: {github: meimei}, kai: {gitlab: kai}}\n"
	"oncall: {file: worker-rota.yaml}\n"
	"actions: {undo: {kind: http, url: \"http://undo.test/rollback\", secret: \"0123456789abcdef\"}}\n"
	"rules: worker-rules.yaml\n";
static const char rules_text[] =
	"- name: prod-health\n"
	"  on: deploy-to-prod\n"
	"  watch: 1m\n"
	"  if: health is failing for 3 checks\n"
	"  then: [alert, rollback]\n";

static const char rota_text[] =
	"- {from: \"2023-11-20T09:00:00+08:00\", people: [kai]}\n"  /* not yet */
	"- {from: \"2023-11-13T09:00:00+08:00\", people: [mei]}\n"
	"- {from: \"2023-11-06T09:00:00+08:00\", people: [kai]}\n"; /* over */

/* What the world saw. */
struct seen { char delivery[80]; int times; };
static struct {
	bool bad;
	int undone;
	struct seen chat[32];
	size_t n_chat;
	int chat_refusals;     /* so many posts are answered 503 first */
	int later_refusals;    /* the same of later parts of a message */
	int later;
	int beats;
} world;

static const char *header(const struct sw_job *job, const char *name)
{
	for (size_t i = 0; i < job->n_headers; i++)
		if (strcasecmp(job->headers[i].name, name) == 0)
			return job->headers[i].value;
	fail_msg("no header %s", name);
	return NULL;
}

static void world_chat(const struct sw_job *job)
{
	const char *id = header(job, "X-Shipwatch-Delivery");

	for (size_t i = 0; i < world.n_chat; i++) {
		if (strcmp(world.chat[i].delivery, id) == 0) {
			world.chat[i].times++;
			return;
		}
	}
	assert_true(world.n_chat < SW_COUNT(world.chat));
	(void)snprintf(world.chat[world.n_chat].delivery, sizeof world.chat[0].delivery, "%s", id);
	world.chat[world.n_chat++].times = 1;
}

static void world_answer(const struct sw_job *job, struct sw_result *res)
{
	res->status = 200;
	res->body = "{}";
	res->body_n = 2;
	if (sw_starts(job->url, "http://web.test/")) {
		res->status = world.bad ? 500 : 200;
	} else if (sw_starts(job->url, "http://chat.test/")) {
		if (strcmp(header(job, "X-Part"), "later") == 0) {
			world.later++;
			if (world.later_refusals-- > 0)
				res->status = 503;
			return;
		}
		if (world.chat_refusals > 0) {
			world.chat_refusals--;
			res->status = 503;
			return;
		}
		world_chat(job);
	} else if (sw_starts(job->url, "http://beat.test/")) {
		world.beats++;
	} else if (sw_starts(job->url, "http://undo.test/")) {
		world.undone++;
		world.bad = false;
	} else {
		fail_msg("unexpected request to %s", job->url);
	}
}

/* How often news of this kind were posted; all alerts together. */
static int told(const char *news)
{
	int n = 0;

	for (size_t i = 0; i < world.n_chat; i++)
		if (strstr(world.chat[i].delivery, news))
			n += world.chat[i].times;
	return n;
}

static void put(const char *dir, const char *name, const char *text)
{
	char path[96];
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0 && fclose(f) == 0);
}

static struct sw_config *config_with(const char *rules_yaml)
{
	static const struct sw_plugins plugins = { sw_sources, sw_signals, sw_channels, sw_actions };
	char dir[] = "/tmp/sw-test-XXXXXX", path[64];
	struct sw_config *cfg = NULL;
	struct sw_arena a = { 0 };
	struct sw_diags d;

	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof path, "%s/shipwatch.yaml", dir);
	put(dir, "worker-rules.yaml", rules_yaml);
	put(dir, "worker-rota.yaml", rota_text);
	sw_diags_init(&d, &a);
	if (sw_config_load_text(path, config_text, strlen(config_text), &plugins, NULL, &cfg, &d) < 0)
		fail_msg("%s", d.first ? d.first->text : "?");
	sw_arena_fini(&a);
	return cfg;
}

static struct sw_config *config_new(void)
{
	return config_with(rules_text);
}

static void config_end(struct sw_config *cfg)
{
	char dir[64];

	(void)unlink(cfg->rules[0]);
	(void)unlink(cfg->oncall.file);
	(void)snprintf(dir, sizeof dir, "%s", cfg->rules[0]);
	*strrchr(dir, '/') = 0;
	(void)rmdir(dir);
	sw_config_put(cfg);
}

static void post(const char *own_id, const char *source, const char *body)
{
	struct sw_entry_in e = {
		.id = own_id, .source = source, .kind = "report", .meta = "{\"headers\":{},\"content_type\":\"application/json\"}",
		.dedupe = own_id, .dedupe_for = SW_MINUTE, .body = body, .body_n = strlen(body), .raw_n = -1, .arrived = rig.now,
	};

	sw_bus_enqueue(rig.bus, &e, NULL, NULL);
}

static void deploy(const char *own_id, int pipeline, const char *sha)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	sw_buf_printf(&b, "{\"pipeline_id\":%d,\"job_name\":\"deploy\",\"job_id\":%d,\"exit_code\":0,\"environment\":\"prod\",\"service\":\"web\","
	              "\"repo\":\"acme/web\",\"branch\":\"main\",\"user\":\"lin.wei\",\"sha\":\"%s\"}", pipeline, pipeline * 10, sha);
	post(own_id, "ci", sw_buf_str(&b));
}

/* The main path: a good release, a bad one, chat is told, it is taken back. */
static void story(struct sw_config *cfg)
{
	rig_begin(cfg);
	rig_run(cfg, RIG_EPOCH + 20 * SW_SECOND);
	deploy("01A", 1, SHA_A);
	rig_run(cfg, rig.now + 70 * SW_SECOND);
	deploy("01B", 2, SHA_B);
	rig_run(cfg, rig.now + 6 * SW_SECOND);
	world.bad = true;
	rig_run(cfg, rig.now + 2 * SW_MINUTE);
}

static void story_begin(void)
{
	memset(&world, 0, sizeof world);
	memset(&toy_seen, 0, sizeof toy_seen);
	rig_open();
	rig.world = world_answer;
}

static void story_end(void)
{
	if (rig.w)
		rig.dead[rig.n_dead++] = rig.w;
	rig.died = true;
	for (size_t i = 0; i < rig.n_dead; i++) {
		sw_worker_fini(rig.dead[i]);
		free(rig.dead[i]);
	}
	rig_close();
}

static void note_status(void *arg, int r, const char *json)
{
	assert_int_equal(r, 0);
	(void)snprintf(arg, 4096, "%s", json);
}

static void status(char ret[4096])
{
	ret[0] = 0;
	sw_bus_query(rig.bus, "status", note_status, ret);
	while (!ret[0])
		assert_true(sw_loop_turn(rig.loop, false) >= 0);
}

static void test_main_path(void **state)
{
	struct sw_config *cfg = config_new();

	(void)state;
	story_begin();
	story(cfg);
	assert_int_equal(world.undone, 1);
	assert_int_equal(told("firing"), 1);
	assert_int_equal(told("rollback-started") + told("rollback_started"), 1);
	assert_int_equal(told("rollback-done") + told("rollback_done"), 1);
	assert_int_equal(rig.w->in_flight, 0);
	assert_int_equal(rig.w->ios, 0);
	assert_int_equal(rig.w->lanes.n_live, 0);
	story_end();
	config_end(cfg);
}

/* One call fails, or the worker dies at it. */
static void faulted(struct sw_config *cfg, int at, enum rig_how how, bool careful)
{
	static const char *const hows[] = { "clean", "fails, not done", "fails, done", "dies before", "dies after" };

	story_begin();
	rig.careful = careful;
	rig.fail_at = at;
	rig.how = how;
	story(cfg);
	if (world.undone > 1)
		fail_msg("call %d (%s) %s: taken back %d times", at, rig.failed_call, hows[how], world.undone);
	if (world.undone == 0 && told("rollback-unknown") + told("rollback_unknown") == 0)
		fail_msg("call %d (%s) %s: not taken back, and nobody was told", at, rig.failed_call, hows[how]);
	if (told("firing") < 1 || told("firing") > 2)
		fail_msg("call %d (%s) %s: firing told %d times", at, rig.failed_call, hows[how], told("firing"));
	for (size_t i = 0; i < world.n_chat; i++)
		if (world.chat[i].times > (how == RIG_FAIL_BEFORE ? 1 : 2))
			fail_msg("call %d (%s) %s: %s told %d times", at, rig.failed_call, hows[how], world.chat[i].delivery, world.chat[i].times);
	story_end();
}

static int story_calls(struct sw_config *cfg, bool careful, int *ret_appends)
{
	int n;

	story_begin();
	rig.careful = careful;
	story(cfg);
	n = rig.calls;
	*ret_appends = rig.appends;
	story_end();
	return n;
}

static void faults(bool careful)
{
	struct sw_config *cfg = config_new();
	int appends, calls = story_calls(cfg, careful, &appends);

	print_message("# %d calls to the bus\n", calls);
	assert_true(calls > 50);
	sw_log_setup(SW_LOG_ERROR + 1, SW_LOG_JSON, STDERR_FILENO);
	for (int how = RIG_FAIL_BEFORE; how <= RIG_DIE_AFTER; how++)
		for (int at = 1; at <= calls; at++)
			faulted(cfg, at, (enum rig_how)how, careful);
	config_end(cfg);
}

static void test_faults(void **state)
{
	(void)state;
	faults(false);
}

/* Samples by way of the stream, as after a worker's death. */
static void test_faults_careful(void **state)
{
	(void)state;
	faults(true);
}

/* Samples need no append and no load of their own, unless a worker died not long ago. */
static void test_samples_at_once(void **state)
{
	struct sw_config *cfg = config_new();
	int few, many, calls = story_calls(cfg, false, &few), more = story_calls(cfg, true, &many);

	(void)state;
	print_message("# %d calls, %d of them appends; with care %d and %d\n", calls, few, more, many);
	assert_true(many >= few + 10);
	assert_true(more >= calls + 2 * (many - few) - 4);
	config_end(cfg);
}

static void test_dead_letters(void **state)
{
	static const struct { const char *source, *body; } rows[] = {
		{ "gone", "{}" },                       /* no such source in the configuration */
		{ "ci", "{\"pipeline_id\":1" },         /* not JSON */
		{ "ci", "[]" },                         /* not a report */
	};
	struct sw_config *cfg = config_new();
	char st[4096], want[32];

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		story_begin();
		rig_begin(cfg);
		post("01X", rows[i].source, rows[i].body);
		deploy("01A", 1, SHA_A); /* a bad one harms only itself */
		rig_run(cfg, rig.now + SW_MINUTE);
		status(st);
		(void)snprintf(want, sizeof want, "\"dead\":1");
		if (!strstr(st, want))
			fail_msg("row %zu: %s", i, st);
		story_end();
	}
	config_end(cfg);
}

static void test_bad_message_among_good(void **state)
{
	struct sw_config *cfg = config_new();
	char st[4096];

	(void)state;
	story_begin();
	sw_bus_append(rig.bus, "place:web/prod", "{\"t\":\"wake\"}", NULL, NULL);
	sw_bus_append(rig.bus, "place:web/prod", "{\"t\":\"nonsense\"}", NULL, NULL);
	sw_bus_append(rig.bus, "place:web/prod", "{broken", NULL, NULL);
	sw_bus_append(rig.bus, "place:web/prod", "{\"t\":\"wake\"}", NULL, NULL);
	sw_bus_append(rig.bus, "nobody:x", "{\"t\":\"wake\"}", NULL, NULL);
	rig_begin(cfg);
	rig_run(cfg, rig.now + 2 * SW_MINUTE);
	status(st);
	if (!strstr(st, "\"dead\":3"))
		fail_msg("%s", st);
	assert_int_equal(rig.w->in_flight, 0);
	story_end();
	config_end(cfg);
}

static void test_retry(void **state)
{
	struct sw_config *cfg = config_new();

	(void)state;
	story_begin();
	world.chat_refusals = 2;
	story(cfg);
	assert_int_equal(told("firing"), 1);
	assert_int_equal(world.undone, 1);
	story_end();
	config_end(cfg);
}

/* The one who deployed, and who is on call this week by the rota. */
static void test_mentions(void **state)
{
	struct sw_config *cfg = config_new();

	(void)state;
	story_begin();
	story(cfg);
	assert_string_equal(toy_seen.mentions, "lin mei ");
	story_end();
	config_end(cfg);
}

/* A later part that fails is tried again by itself; the message is never told twice because of it. */
static void test_parts(void **state)
{
	static const struct { int refusals, later; } rows[] = {
		{ 0, 4 },   /* firing, started, done, resolved */
		{ 2, 6 },   /* the third try is taken */
		{ 3, 6 },   /* given up after three: the message itself arrived */
	};
	struct sw_config *cfg = config_new();

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		story_begin();
		toy_seen.parts = 2;
		world.later_refusals = rows[i].refusals;
		story(cfg);
		assert_int_equal(world.later, rows[i].later);
		for (size_t k = 0; k < world.n_chat; k++)
			assert_int_equal(world.chat[k].times, 1);
		assert_int_equal(world.n_chat, 4);
		story_end();
	}
	config_end(cfg);
}

/* A watch keeps the rules it was opened with, also when another worker with other rules goes on with it. */
static void test_pinned_rules(void **state)
{
	struct sw_config *cfg = config_new(), *other = config_with("- {name: other, on: deploy-failed, then: alert}\n");

	(void)state;
	story_begin();
	rig_begin(cfg);
	deploy("01A", 1, SHA_A);
	rig_run(cfg, rig.now + 90 * SW_SECOND);
	deploy("01B", 2, SHA_B);
	rig_run(cfg, rig.now + 6 * SW_SECOND);
	world.bad = true;
	rig.died = true;
	rig_run(other, rig.now + 2 * SW_MINUTE);
	assert_int_equal(world.undone, 1);
	assert_int_equal(told("firing"), 1);
	assert_int_equal(rig.w->pinned.n_live, 1);
	story_end();
	config_end(cfg);
	config_end(other);
}

/* While everything is on hold nothing starts; people are told what waits. */
static void test_hold(void **state)
{
	struct sw_config *cfg = config_new();

	(void)state;
	story_begin();
	sw_bus_hold(rig.bus, NULL, true, &(const struct sw_decider){ .who = "lin" }, "trying", NULL, NULL);
	story(cfg);
	assert_int_equal(world.undone, 0);
	assert_int_equal(told("firing"), 1);
	assert_true(rig.w->held);
	story_end();
	config_end(cfg);
}

static void note_watches(void *arg, int r, const char *json)
{
	int *n = arg;

	assert_int_equal(r, 0);
	for (*n = 0; (json = strstr(json, "\"rule\":\"r")); json++)
		++*n;
}

/* 64 rules watch a deployment at once, however large that makes its place; one more does not. Each of them gives its verdict. */
static void test_watches_limit(void **state)
{
	(void)state;
	for (int rules = 64; rules <= 65; rules++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
		struct sw_config *cfg;
		int n = -1;

		for (int i = 0; i < rules; i++)
			sw_buf_printf(&b, "- {name: r%d, on: deploy-to-prod, watch: 1m, if: health is failing for 3 checks, then: alert}\n", i);
		cfg = config_with(sw_buf_str(&b));
		story_begin();
		rig_begin(cfg);
		rig_run(cfg, RIG_EPOCH + 20 * SW_SECOND);
		deploy("01A", 1, SHA_A);
		rig_run(cfg, rig.now + 10 * SW_SECOND);
		sw_bus_query(rig.bus, "aggregate place:web/prod", note_watches, &n);
		while (n < 0)
			assert_true(sw_loop_turn(rig.loop, false) >= 0);
		assert_int_equal(n, 64);
		rig_run(cfg, rig.now + 2 * SW_MINUTE);
		sw_buf_reset(&b);
		sw_meters_text(rig.w, &b);
		assert_non_null(strstr(sw_buf_str(&b), "shipwatch_verdicts_total{verdict=\"pass\"} 64\n"));
		story_end();
		config_end(cfg);
	}
}

/* The heartbeat is of the housekeeping: when that stands still it has to stop, or nobody would ever learn of it. */
static void test_heartbeat(void **state)
{
	struct sw_config *cfg = config_new();

	(void)state;
	cfg->heartbeat.url = "http://beat.test/ping";
	cfg->heartbeat.every = SW_MINUTE;
	story_begin();
	rig_begin(cfg);
	rig_run(cfg, RIG_EPOCH + 10 * SW_MINUTE + SW_SECOND);
	assert_in_range(world.beats, 10, 11);
	sw_timer_stop(&rig.w->tick);
	world.beats = 0;
	rig_run(cfg, rig.now + 10 * SW_MINUTE);
	assert_int_equal(world.beats, 0);
	story_end();
	config_end(cfg);
}

static bool silent(void)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	sw_meters_text(rig.w, &b);
	return strstr(sw_buf_str(&b), "shipwatch_source_silent{source=\"ci\"} 1\n") != NULL;
}

/* A source that sent nothing for silent_after; a worker that begins anew asks what the others heard. */
static void test_silent_source(void **state)
{
	struct sw_config *cfg = config_new();

	(void)state;
	cfg->sources[0].silent_after = SW_HOUR;
	story_begin();
	rig_begin(cfg);
	rig_run(cfg, RIG_EPOCH + 59 * SW_MINUTE);
	assert_false(silent());
	deploy("01A", 1, SHA_A);
	rig_run(cfg, rig.now + 59 * SW_MINUTE);
	assert_false(silent());
	rig_run(cfg, rig.now + 3 * SW_MINUTE);
	assert_true(silent());
	deploy("01B", 2, SHA_B);
	rig_run(cfg, rig.now + 2 * SW_MINUTE);
	assert_false(silent());
	story_end();
	config_end(cfg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_main_path),
		cmocka_unit_test(test_dead_letters),
		cmocka_unit_test(test_bad_message_among_good),
		cmocka_unit_test(test_retry),
		cmocka_unit_test(test_mentions),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_pinned_rules),
		cmocka_unit_test(test_hold),
		cmocka_unit_test(test_watches_limit),
		cmocka_unit_test(test_heartbeat),
		cmocka_unit_test(test_silent_source),
		cmocka_unit_test(test_faults), cmocka_unit_test(test_faults_careful), cmocka_unit_test(test_samples_at_once),
	};

	sw_log_setup(getenv("SW_TEST_LOG") ? SW_LOG_DEBUG : SW_LOG_ERROR + 1, SW_LOG_JSON, STDERR_FILENO);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
