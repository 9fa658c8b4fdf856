/* Routing: a push is a fact only where a rule may be set off by it; what it leaves behind are its commits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "engine/engine.h"
#include "sim/sim.h"

static const char quiet_rules[] = "- {name: r, on: deploy-to-prod, watch: 3m, if: error_rate > 5%, then: [alert]}\n",
		  push_rules[] = "- {name: r, on: push, where: 'branch == \"main\"', then: [alert]}\n",
		  other_rules[] = "- {name: r, on: push, where: 'service == \"shop\"', then: [alert]}\n";

struct rig { struct sw_arena a; struct sw_rules *rules; struct sw_engine e; struct sw_routed rt; };

static void route(struct rig *g, const char *rules, const struct sw_event *ev)
{
	static const char *repos[] = { "acme/**", NULL };
	static const char *const oncall[] = { "oncall", NULL };
	static struct sw_place place;
	static struct sw_places places = { &place, 1 };
	struct sw_diags d;

	memset(g, 0, sizeof *g);
	place = (struct sw_place){ .service = "web", .environment = "prod", .tier = "prod", .repos = repos };
	sw_diags_init(&d, &g->a);
	assert_int_equal(sw_rules_load_text("rules", rules, strlen(rules), NULL, &g->rules, &d), 0);
	sw_sim_engine(&g->e, g->rules, &places, oncall, &g->a);
	sw_engine_route(&g->e, ev, &g->a, &g->rt);
}

static void rig_fini(struct rig *g)
{
	sw_rules_put(g->rules);
	sw_arena_fini(&g->a);
}

static struct sw_event push(void)
{
	static const char *files[] = { "src/a.c" };
	static struct sw_commit commits[] = { { .sha = "c1c1c1c", .title = "mend it", .author = "lin", .files = files, .n_files = 1 } };
	struct sw_event ev;

	sw_event_init(&ev);
	ev.kind = SW_EV_PUSH;
	ev.source = ev.source_kind = "gitlab";
	ev.event_id = "E1";
	ev.repo = "acme/web";
	ev.repo_url = "https://git.example.com/acme/web";
	ev.ref = "refs/heads/main";
	ev.branch = "main";
	ev.before = "b0b0b0b";
	ev.sha = "c1c1c1c";
	ev.commits = commits;
	ev.n_commits = 1;
	return ev;
}

static void test_nobody_asks(void **state)
{
	struct sw_event ev = push();
	struct rig g;

	(void)state;
	route(&g, quiet_rules, &ev);
	assert_int_equal(g.rt.n_facts, 0);
	assert_string_equal(g.rt.keep_key, "pushes:acme/web/main");
	assert_string_equal(g.rt.keep_value, "{\"ev\":{\"kind\":\"push\",\"sha\":\"c1c1c1c\",\"before\":\"b0b0b0b\",\"commits\":[{\"sha\":\"c1c1c1c\",\"title\":\"mend it\",\"author\":\"lin\","
	                    "\"files\":[\"src/a.c\"]}]}}");
	rig_fini(&g);
	route(&g, other_rules, &ev);
	assert_int_equal(g.rt.n_facts, 0);
	rig_fini(&g);
}

static void test_a_rule_asks(void **state)
{
	struct sw_event ev = push();
	struct rig g;

	(void)state;
	route(&g, push_rules, &ev);
	assert_int_equal(g.rt.n_facts, 1);
	assert_string_equal(g.rt.facts[0].aggregate, "line:gitlab/acme/web/refs/heads/main");
	assert_non_null(strstr(g.rt.facts[0].msg, "\"title\":\"mend it\"")); /* a rule may ask for them, its message shows them */
	assert_non_null(g.rt.keep_key);
	rig_fini(&g);
}

/* What ran and what was red is known when a rule comes that asks. */
static void test_pipelines(void **state)
{
	struct sw_event ev = push();
	struct rig g;

	(void)state;
	ev.kind = SW_EV_PIPELINE;
	ev.pipeline_id = "7";
	ev.status = SW_ST_FAILED;
	route(&g, quiet_rules, &ev);
	assert_int_equal(g.rt.n_facts, 1);
	assert_null(strstr(g.rt.facts[0].msg, "mend it"));
	rig_fini(&g);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_nobody_asks), cmocka_unit_test(test_a_rule_asks), cmocka_unit_test(test_pipelines) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
