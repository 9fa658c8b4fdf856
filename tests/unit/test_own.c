/* engine/own: what a rollback goes back to, and how its own run is recognised, whatever order answers and webhooks come in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "engine/engine.h"

#define NOW  ((sw_ms)1790000000000)
#define GOOD "1111111111111111111111111111111111111111"
#define BAD  "bad2222222222222222222222222222222222222"

static const char text[] = "- {name: bad-sha, on: deploy-to-prod, if: 'deployment.sha =~ /^bad/', then: [alert, rollback]}\n";
static struct sw_place web = { .service = "web", .environment = "prod", .tier = "prod", .rollback = "undo" };
static const struct sw_places places = { &web, 1 };
static const char *const alerts[] = { "a", NULL };

struct run {
	struct sw_arena a;
	struct sw_rules *rules;
	const char *state, *told, *asked; /* told: all that alerts were told so far; asked: the decision of an action that began */
	const char *act;
	sw_ms now;
	bool needs_good;
};

static void begin(struct run *r)
{
	struct sw_diags d;

	memset(r, 0, sizeof *r);
	r->now = NOW;
	r->told = "";
	sw_diags_init(&d, &r->a);
	if (sw_rules_load_text("rules", text, strlen(text), NULL, &r->rules, &d) < 0)
		fail_msg("%s", d.first->text);
}

static void end(struct run *r)
{
	r->rules = sw_rules_put(r->rules);
	sw_arena_fini(&r->a);
}

static void step(struct run *r, const char *msg)
{
	const struct sw_engine_action undo = { .name = "undo", .timeout = 30 * SW_SECOND, .needs_good = r->needs_good };
	const struct sw_engine e = { .places = &places, .rules = r->rules, .alerts = alerts, .actions = &undo, .n_actions = 1 };
	struct sw_step *out = SW_ARENA_NEW(&r->a, struct sw_step);
	struct sw_jnode *node, *state = NULL;
	const struct sw_jnode *msgs[1];
	const struct sw_snapshot no_silences = { .key = "silences:all" };
	struct sw_step_in in = { .aggregate = "place:web/prod", .msgs = msgs, .n_msgs = 1, .snaps = &no_silences, .n_snaps = 1,
	                         .now = r->now += SW_SECOND };
	struct sw_err err = SW_ERR_INIT;

	assert_int_equal(sw_jtree_parse(&r->a, msg, strlen(msg), 1000, &node, &err), 0);
	if (r->state)
		assert_int_equal(sw_jtree_parse(&r->a, r->state, strlen(r->state), 10000, &state, &err), 0);
	msgs[0] = node;
	in.state = state;
	assert_int_equal(sw_engine_step(&e, &in, &r->a, out, &err), 0);
	r->state = sw_arena_strndup(&r->a, out->state, out->state_n);
	if (out->start_action)
		r->act = out->start_action;
	for (size_t i = 0; i < out->n_ios; i++)
		if (out->ios[i].kind == SW_IO_ACT)
			r->asked = out->ios[i].act_json;
	for (size_t i = 0; i < out->n_tells; i++) {
		if (sw_starts(out->tells[i].aggregate, "alert:"))
			r->told = sw_arena_printf(&r->a, "%s%s\n", r->told, out->tells[i].msg);
		else if (strcmp(out->tells[i].aggregate, "place:web/prod") == 0)
			step(r, out->tells[i].msg);
	}
}

/* A deployment of a job: more is put into the event. */
static void deploy(struct run *r, int job, int pipeline, const char *sha, const char *status, const char *more)
{
	step(r, sw_arena_printf(&r->a,
	                        "{\"t\":\"fact\",\"how\":1,\"ev\":{\"kind\":\"job\",\"status\":\"%s\",\"host\":\"gitlab.example.com\",\"repo\":\"acme/web\","
	                        "\"environment\":\"production\",\"sha\":\"%s\",\"job_id\":\"%d\",\"pipeline_id\":\"%d\",\"url\":\"https://x/%d\",\"at\":%lld,"
	                        "\"started_at\":%lld,\"finished_at\":%lld,\"received\":%lld%s}}",
	                        status, sha, job, pipeline, job, (long long)r->now, (long long)r->now, (long long)r->now, (long long)r->now, more));
}

static const struct sw_jnode *state_of(struct run *r)
{
	struct sw_jnode *n;

	assert_int_equal(sw_jtree_parse(&r->a, r->state, strlen(r->state), 10000, &n, NULL), 0);
	return n;
}

/* The deployment of a job, as it is kept. */
static const struct sw_jnode *dep(struct run *r, const char *job)
{
	for (const struct sw_jnode *d = sw_jget(state_of(r), "deployments")->child; d; d = d->next)
		if (sw_streq(sw_jstr(d, "j"), job))
			return d;
	return NULL;
}

static const char *act_state(struct run *r)
{
	const struct sw_jnode *acts = sw_jget(state_of(r), "actions");

	return acts->child ? sw_jstr(acts->child, "state") : "none";
}

static void good_then_bad(struct run *r)
{
	deploy(r, 100, 10, GOOD, "success", "");
	step(r, sw_arena_printf(&r->a, "{\"t\":\"cmd\",\"do\":\"label\",\"dep\":\"%s\",\"good\":true,\"who\":\"lin\"}", sw_jstr(dep(r, "100"), "id")));
	r->now += SW_MINUTE;
	deploy(r, 200, 20, BAD, "success", "");
}

static void acted(struct run *r, const char *class, const char *more)
{
	step(r, sw_arena_printf(&r->a, "{\"t\":\"acted\",\"act\":\"%s\",\"class\":\"%s\"%s}", r->act, class, more));
}

static const char *with_id(struct run *r)
{
	return sw_arena_printf(&r->a, ",\"rollback_id\":\"%s\"", r->act);
}

static void says_what_is_good(void **state)
{
	struct sw_jnode *n;
	struct run r;

	begin(&r);
	r.needs_good = true;
	good_then_bad(&r);
	assert_string_equal(act_state(&r), "started");
	assert_int_equal(sw_jtree_parse(&r.a, r.asked, strlen(r.asked), 1000, &n, NULL), 0);
	assert_string_equal(sw_jstr(n, "job_id"), "200");
	assert_string_equal(sw_jstr(n, "pipeline_id"), "20");
	assert_string_equal(sw_jstr(n, "last_good_sha"), GOOD);
	assert_string_equal(sw_jstr(n, "last_good_job_id"), "100");
	assert_string_equal(sw_jstr(n, "last_good_pipeline_id"), "10");
	assert_string_equal(sw_jstr(n, "last_good_repo"), "acme/web");
	assert_string_equal(sw_jstr(n, "last_good_environment"), "production");
	assert_string_equal(sw_jstr(n, "last_good_url"), "https://x/100");
	end(&r);
}

/* What ran before is no good deployment as long as nobody said so: what chooses its target is asked about (test_ask.c), the rest is started. */
static void nothing_good(void **state)
{
	for (int needs = 0; needs < 2; needs++) {
		struct run r;

		begin(&r);
		r.needs_good = needs;
		deploy(&r, 100, 10, GOOD, "success", "");
		r.now += SW_MINUTE;
		deploy(&r, 200, 20, BAD, "success", "");
		assert_string_equal(act_state(&r), needs ? "asking" : "started");
		assert_int_equal(strstr(r.told, "no verified good deployment is known") != NULL, needs);
		assert_int_equal(r.asked != NULL, !needs);
		if (!needs)
			assert_null(strstr(r.asked, "last_good"));
		end(&r);
	}
}

/* Taken for a deployment of what was asked for, though its pipeline is of the commit that main is at: the bad one. */
static void retargeted(struct run *r, const char *job)
{
	const struct sw_jnode *d = dep(r, job);

	assert_true(sw_jbool(d, "is_rollback", false));
	assert_false(sw_jbool(d, "is_redeploy", false));
	assert_string_equal(sw_jstr(d, "rollback_of"), r->act);
	assert_string_equal(sw_jstr(sw_jget(d, "ev"), "sha"), GOOD);
	step(r, sw_arena_printf(&r->a, "{\"t\":\"cmd\",\"do\":\"label\",\"dep\":\"%s\",\"good\":true}", sw_jstr(d, "id")));
	for (const struct sw_jnode *n = sw_jget(state_of(r), "good")->child; n; n = n->next)
		assert_string_equal(n->text, GOOD); /* the bad one is never known as good */
}

static void recognised_by_id(void **state)
{
	struct run r;

	begin(&r);
	good_then_bad(&r);
	acted(&r, "ok", "");
	r.now += SW_MINUTE;
	deploy(&r, 300, 30, BAD, "running", with_id(&r));
	assert_true(sw_jbool(dep(&r, "300"), "is_rollback", false)); /* before it ends */
	deploy(&r, 300, 30, BAD, "success", "");                     /* another hook, that has no variables */
	retargeted(&r, "300");
	assert_string_equal(act_state(&r), "done");
	end(&r);
}

static void recognised_by_run(void **state)
{
	static const struct {
		const char *named;
		bool first; /* its webhook comes before its answer */
	} cases[] = { { ",\"pipeline\":\"30\"", false }, { ",\"pipeline\":\"30\"", true }, { ",\"job\":\"300\"", false }, { ",\"job\":\"300\"", true } };

	for (size_t i = 0; i < SW_COUNT(cases); i++) {
		struct run r;

		begin(&r);
		good_then_bad(&r);
		if (cases[i].first)
			deploy(&r, 300, 30, BAD, "running", "");
		acted(&r, "ok", cases[i].named);
		deploy(&r, 300, 30, BAD, "success", "");
		retargeted(&r, "300");
		end(&r);
	}
}

/* Another run is not ours: not by its id, not by its number. */
static void not_ours(void **state)
{
	struct run r;

	begin(&r);
	good_then_bad(&r);
	acted(&r, "ok", ",\"pipeline\":\"30\"");
	deploy(&r, 400, 301, "3333333333333333333333333333333333333333", "running", ",\"rollback_id\":\"ffffffffffff\"");
	assert_false(sw_jbool(dep(&r, "400"), "is_rollback", false));
	assert_null(sw_jstr(dep(&r, "400"), "rollback_of"));
	deploy(&r, 200, 20, BAD, "success", with_id(&r)); /* the bad one itself is no run of its rollback */
	assert_false(sw_jbool(dep(&r, "200"), "is_rollback", false));
	end(&r);
}

/* The job that was started fails: the rollback failed, and why is said in plain words. */
static void run_fails(void **state)
{
	static const char *const reasons[][2] = {
		{ "failed_outdated_deployment_job", "prevents outdated deployments" },
		{ "missing_dependency_failure", "artifacts that it needs have expired" },
		{ "script_failure", "its own deployment failed (script_failure)" },
	};

	for (size_t i = 0; i < SW_COUNT(reasons); i++)
		for (int first = 0; first < 2; first++) {
			struct run r;

			begin(&r);
			good_then_bad(&r);
			if (!first)
				acted(&r, "ok", ",\"job\":\"300\"");
			deploy(&r, 300, 10, GOOD, "failed", sw_arena_printf(&r.a, ",\"failure_reason\":\"%s\"", reasons[i][0]));
			if (first)
				acted(&r, "ok", ",\"job\":\"300\"");
			assert_string_equal(act_state(&r), "failed");
			assert_non_null(strstr(r.told, reasons[i][1]));
			end(&r);
		}
}

/* Nobody answered, or the worker died: what its webhooks tell is known all the same. */
static void unknown_becomes_known(void **state)
{
	struct run r;

	begin(&r); /* no answer, then the webhook */
	good_then_bad(&r);
	acted(&r, "ambiguous", "");
	assert_string_equal(act_state(&r), "unknown");
	deploy(&r, 300, 30, BAD, "running", with_id(&r));
	assert_string_equal(act_state(&r), "done");
	assert_non_null(strstr(r.told, "its own run was seen"));
	end(&r);

	begin(&r); /* the webhook, then no answer */
	good_then_bad(&r);
	deploy(&r, 300, 30, BAD, "success", with_id(&r));
	assert_string_equal(act_state(&r), "started");
	acted(&r, "ambiguous", "");
	assert_string_equal(act_state(&r), "done");
	assert_null(strstr(r.told, "rollback_unknown"));
	end(&r);

	for (int seen = 0; seen < 2; seen++) { /* the worker died */
		begin(&r);
		good_then_bad(&r);
		if (seen)
			deploy(&r, 300, 30, BAD, "success", with_id(&r));
		r.now += 5 * SW_MINUTE;
		step(&r, "{\"t\":\"wake\"}");
		assert_string_equal(act_state(&r), seen ? "done" : "unknown");
		end(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_is_good),     cmocka_unit_test(nothing_good), cmocka_unit_test(recognised_by_id),
		cmocka_unit_test(recognised_by_run),     cmocka_unit_test(not_ours),     cmocka_unit_test(run_fails),
		cmocka_unit_test(unknown_becomes_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
