/* model/place: which places an event concerns, and which two places may not stand side by side. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "model/place.h"
#include "shipwatch/buf.h"

static const char *web_repos[] = { "acme/web", NULL };
static const char *all_repos[] = { "acme/*", NULL };
static const char *pay_repos[] = { "acme/pay", "acme/pay-*", NULL };

static struct sw_match hz_matches[] = {
	{ .environment = "production/hz" },
	{ .source = "github", .workflow = ".github/workflows/deploy.yml", .branch = "main" },
	{ .tag = "v*" },
};
static struct sw_match shop_matches[] = { { .repo = "acme/mono", .environment = "shop/prod*", .job = "deploy-shop*" } };
static struct sw_match docs_matches[] = { { .repo = "acme/mono", .branch = "main", .path = "docs/**" } };
static struct sw_match job_matches[] = { { .repo = "acme/mono", .job = "ship-cart" } };
static struct sw_label labels[] = { { "app", "{service}-app" } };

static struct sw_place items[] = {
	{ .service = "*",
	  .environment = "prod",
	  .tier = "prod",
	  .repos = all_repos,
	  .health.url = "https://{service}.example.com/{service}/health",
	  .labels = labels,
	  .n_labels = 1 },
	{ .service = "web",
	  .environment = "prod-hz",
	  .tier = "prod",
	  .repos = web_repos,
	  .matches = hz_matches,
	  .n_matches = 3 },
	{ .service = "web", .environment = "stage", .tier = "staging", .repos = web_repos },
	{ .service = "shop", .environment = "prod", .tier = "prod", .matches = shop_matches, .n_matches = 1 },
	{ .service = "docs",
	  .environment = "prod",
	  .tier = "prod",
	  .matches = docs_matches,
	  .n_matches = 1,
	  .deploys_pipeline = true },
	{ .service = "cart", .environment = "live", .tier = "live", .matches = job_matches, .n_matches = 1 },
	{ .service = "pay", .environment = "prod", .tier = "prod", .repos = pay_repos },
	{ .service = "pay", .environment = "next", .tier = "next", .repos = pay_repos, .deploys_pipeline = true },
};
static const struct sw_places places = { items, SW_COUNT(items) };

static const char *doc_files[] = { "docs/a/b.md" }, *src_files[] = { "src/a.c" };
static struct sw_commit doc_commits[] = { { .files = src_files, .n_files = 1 }, { .files = doc_files, .n_files = 1 } };

static const char *const how_words[] = { "", "d", "w", "p" };

static void test_claim(void **state)
{
#define DEPLOYED(r, e) .kind = SW_EV_DEPLOYMENT, .source = "gitlab", .repo = (r), .environment = (e)
#define GREEN(r)       .kind = SW_EV_PIPELINE, .source = "github", .repo = (r), .status = SW_ST_SUCCESS
	static const struct {
		const char *name;
		struct sw_event ev;
		const char *want;
	} cases[] = {
		{ "wildcard", { DEPLOYED("acme/blog", "production") }, "d:blog/prod" },
		{ "folded case", { DEPLOYED("acme/blog", "PROD") }, "d:blog/prod" },
		{ "wildcard, not its environment", { DEPLOYED("acme/blog", "stage") }, "" },
		{ "nobody's", { DEPLOYED("other/blog", "prod") }, "" },
		{ "deeper than the glob", { DEPLOYED("acme/sub/blog", "prod") }, "" },
		{ "named wins over wildcard", { DEPLOYED("acme/web", "prod") }, "" },
		{ "match by environment", { DEPLOYED("acme/web", "Production/HZ") }, "d:web/prod-hz" },
		{ "other spelling", { DEPLOYED("acme/web", "staging"), .tag = "v1" }, "d:web/stage" },
		{ "tag and own name", { DEPLOYED("acme/web", "prod-hz"), .tag = "v1" }, "d:web/prod-hz" },
		{ "tag does not fit", { DEPLOYED("acme/web", "prod-hz"), .tag = "x1" }, "" },
		{ "tier of the host is not asked where matches are",
		  { DEPLOYED("acme/web", "live"), .env_tier = "production" },
		  "" },
		{ "tier of the host", { DEPLOYED("acme/web", "pre"), .env_tier = "staging" }, "d:web/stage" },
		{ "tier of the host, one place",
		  { DEPLOYED("acme/pay", "eu"), .env_tier = "production" },
		  "d:pay/prod" },
		{ "tier we do not fold", { DEPLOYED("acme/pay", "eu"), .env_tier = "next" }, "" },
		{ "tier, several services", { DEPLOYED("acme/mono", "eu"), .env_tier = "production" }, "" },
		{ "wildcard by tier", { DEPLOYED("acme/blog", "live"), .env_tier = "production" }, "d:blog/prod" },
		{ "monorepo",
		  { DEPLOYED("acme/mono", "shop/production"), .job_name = "deploy-shop-eu" },
		  "d:shop/prod" },
		{ "monorepo, other job", { DEPLOYED("acme/mono", "shop/production"), .job_name = "deploy-pay" }, "" },
		{ "monorepo, job not known", { DEPLOYED("acme/mono", "shop/production") }, "" },
		{ "job alone", { DEPLOYED("acme/mono", "whatever"), .job_name = "ship-cart" }, "d:cart/live" },
		{ "workflow",
		  { GREEN("acme/web"), .workflow = ".github/workflows/deploy.yml", .branch = "main" },
		  "w:web/prod-hz" },
		{ "workflow with its ref",
		  { GREEN("acme/web"), .workflow = ".github/workflows/deploy.yml@refs/heads/main", .branch = "main" },
		  "w:web/prod-hz" },
		{ "workflow, other branch",
		  { GREEN("acme/web"), .workflow = ".github/workflows/deploy.yml", .branch = "dev" },
		  "" },
		{ "workflow of a merge request",
		  { GREEN("acme/web"), .workflow = ".github/workflows/deploy.yml", .branch = "main",
		    .merge_request = true },
		  "" },
		{ "pipeline without opting in", { GREEN("acme/web"), .tag = "v1" }, "" },
		{ "pipeline", { GREEN("acme/pay"), .branch = "main", .default_branch = "main" }, "p:pay/next" },
		{ "pipeline, default branch not said", { GREEN("acme/pay-api"), .branch = "master" }, "p:pay/next" },
		{ "pipeline, another branch", { GREEN("acme/pay"), .branch = "main", .default_branch = "trunk" }, "" },
		{ "pipeline, tag", { GREEN("acme/pay"), .tag = "v1" }, "" },
		{ "pipeline by schedule", { GREEN("acme/pay"), .branch = "main", .pipeline_source = "schedule" }, "" },
		{ "child pipeline", { GREEN("acme/pay"), .branch = "main", .parent_pipeline = "7" }, "" },
		{ "merge request", { GREEN("acme/pay"), .branch = "main", .merge_request = true }, "" },
		{ "red pipeline",
		  { .kind = SW_EV_PIPELINE, .repo = "acme/pay", .branch = "main", .status = SW_ST_FAILED },
		  "" },
		{ "files",
		  { GREEN("acme/mono"), .branch = "main", .commits = doc_commits, .n_commits = 2 },
		  "p:docs/prod" },
		{ "other files", { GREEN("acme/mono"), .branch = "main", .commits = doc_commits, .n_commits = 1 }, "" },
		{ "files not known", { GREEN("acme/mono"), .branch = "main" }, "" },
		{ "report that names its service",
		  { .kind = SW_EV_REPORT, .service = "pay", .environment = "prod" },
		  "d:pay/prod" },
		{ "report of an instance",
		  { .kind = SW_EV_REPORT, .service = "blog", .environment = "prod" },
		  "d:blog/prod" },
		{ "report, repo against the match",
		  { .kind = SW_EV_REPORT,
		    .service = "cart",
		    .repo = "acme/x",
		    .environment = "live",
		    .job_name = "ship-cart" },
		  "" },
		{ "push", { .kind = SW_EV_PUSH, .repo = "acme/pay", .branch = "main" }, "" },
	};

	for (size_t i = 0; i < SW_COUNT(cases); i++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf got = SW_BUF_INIT;
		struct sw_arena a = { 0 };
		struct sw_claimed claimed[8];
		size_t n = sw_places_claim(&places, &cases[i].ev, &a, claimed, SW_COUNT(claimed));

		for (size_t k = 0; k < n; k++)
			sw_buf_printf(&got, "%s%s:%s/%s", k ? " " : "", how_words[claimed[k].how],
			              claimed[k].place->service, claimed[k].place->environment);
		if (strcmp(sw_buf_str(&got), cases[i].want) != 0)
			fail_msg("%s: want \"%s\", got \"%s\"", cases[i].name, cases[i].want, sw_buf_str(&got));
		sw_arena_fini(&a);
	}
}

/* Alarms, and reports of no deployment. */
static void test_meant(void **state)
{
	static const struct {
		const char *name, *service, *environment, *repo, *want;
	} cases[] = {
		{ "by name", "web", "stage", NULL, "web/stage" },
		{ "case is folded", "web", "STAGE", NULL, "web/stage" },
		{ "other spelling", "web", "staging", NULL, "web/stage" },
		{ "as the host calls it", "web", "production/hz", NULL, "web/prod-hz" },
		{ "by tier", "web", "production", NULL, "web/prod-hz" },
		{ "the name wins over the tier", "pay", "prod", NULL, "pay/prod" },
		{ "all of the service", "web", NULL, NULL, "web/prod-hz web/stage" },
		{ "no such environment", "web", "moon", NULL, "" },
		{ "a service of the wildcard", "blog", "prod", NULL, "blog/prod" },
		{ "the wildcard has no such environment", "blog", "stage", NULL, "" },
		{ "no service", NULL, "prod", NULL, "" },
		{ "by repository", NULL, NULL, "acme/web", "web/prod-hz web/stage" },
		{ "by repository of the wildcard", NULL, NULL, "acme/blog", "blog/prod" },
		{ "several services have it", NULL, NULL, "acme/mono", "" },
		{ "one of them is named", "docs", NULL, "acme/mono", "docs/prod" },
		{ "nobody's", NULL, "prod", "other/web", "" },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(cases); i++) {
		const struct sw_event ev = { .kind = SW_EV_ALARM,
			                     .service = cases[i].service,
			                     .environment = cases[i].environment,
			                     .repo = cases[i].repo };
		const struct sw_place *found[4];
		struct sw_buf b = SW_BUF_INIT;
		struct sw_arena a = { 0 };
		size_t n = sw_places_meant(&places, &ev, &a, found, SW_COUNT(found));

		for (size_t k = 0; k < n; k++)
			sw_buf_printf(&b, "%s%s/%s", k ? " " : "", found[k]->service, found[k]->environment);
		if (strcmp(sw_buf_str(&b), cases[i].want) != 0)
			fail_msg("%s: %s, want %s", cases[i].name, sw_buf_str(&b), cases[i].want);
		if (n > 1)
			assert_int_equal(sw_places_meant(&places, &ev, &a, found, 1), 1);
		sw_buf_fini(&b);
		sw_arena_fini(&a);
	}
}

static void test_find(void **state)
{
	struct sw_arena a = { 0 };
	const struct sw_place *p = sw_places_find(&places, "blog", "prod", &a);
	struct sw_event ev = { .kind = SW_EV_PUSH, .repo = "acme/blog" };

	assert_string_equal(p->service, "blog");
	assert_string_equal(p->health.url, "https://blog.example.com/blog/health");
	assert_string_equal(p->labels[0].value, "blog-app");
	assert_ptr_equal(sw_places_find(&places, "web", "stage", &a), &items[2]);
	assert_null(sw_places_find(&places, "web", "prod", &a));
	assert_null(sw_places_find(&places, "blog", "stage", &a));
	assert_string_equal(sw_places_service_of(&places, &ev, &a), "blog");
	ev.repo = "acme/pay-api";
	assert_string_equal(sw_places_service_of(&places, &ev, &a), "pay");
	ev.repo = "other/x";
	assert_null(sw_places_service_of(&places, &ev, &a));
	ev.repo = NULL;
	assert_null(sw_places_service_of(&places, &ev, &a));
	sw_arena_fini(&a);
}

static void test_overlap(void **state)
{
	static const char *a_repos[] = { "acme/a", NULL }, *b_repos[] = { "acme/b", NULL },
	                  *g_repos[] = { "acme/*", NULL };
#define PLACE(s, e, r, ...)                                                                                            \
	{                                                                                                              \
		.service = (s), .environment = (e), .repos = (r), .matches = (struct sw_match[]){ __VA_ARGS__ },       \
		.n_matches = sizeof((struct sw_match[]){ __VA_ARGS__ }) / sizeof(struct sw_match)                      \
	}
	const struct {
		const char *name;
		struct sw_place a, b;
		bool want;
	} cases[] = {
		{ "two repositories",
		  { .service = "a", .environment = "prod", .repos = a_repos },
		  { .service = "b", .environment = "prod", .repos = b_repos },
		  false },
		{ "one repository",
		  { .service = "a", .environment = "prod", .repos = a_repos },
		  { .service = "b", .environment = "prod", .repos = g_repos },
		  true },
		{ "two names",
		  { .service = "a", .environment = "prod", .repos = a_repos },
		  { .service = "a", .environment = "stage", .repos = a_repos },
		  false },
		{ "two spellings",
		  { .service = "a", .environment = "prod", .repos = a_repos },
		  { .service = "a", .environment = "Production", .repos = a_repos },
		  true },
		{ "wildcard and named",
		  { .service = "*", .environment = "prod", .repos = g_repos },
		  { .service = "a", .environment = "prod", .repos = a_repos },
		  false },
		{ "tag of one",
		  PLACE("a", "prod", a_repos, { .tag = "v*" }),
		  { .service = "a", .environment = "stage", .repos = a_repos },
		  false },
		{ "glob over the other's name",
		  PLACE("a", "prod", a_repos, { .environment = "st*" }),
		  { .service = "a", .environment = "stage", .repos = a_repos },
		  true },
		{ "glob over the other's spelling",
		  PLACE("a", "prod", a_repos, { .environment = "*ing" }),
		  { .service = "a", .environment = "stage", .repos = a_repos },
		  true },
		{ "two jobs", PLACE("a", "prod", a_repos, { .job = "a-*" }),
		  PLACE("b", "prod", a_repos, { .job = "b-*" }), false },
		{ "one job", PLACE("a", "prod", a_repos, { .job = "a-*" }),
		  PLACE("b", "stage", a_repos, { .job = "*-b" }), true },
		{ "two branches", PLACE("a", "prod", a_repos, { .workflow = "w", .branch = "main" }),
		  PLACE("a", "stage", a_repos, { .workflow = "w", .branch = "dev" }), false },
		{ "one workflow", PLACE("a", "prod", a_repos, { .workflow = "w" }),
		  PLACE("a", "stage", a_repos, { .workflow = "w" }), true },
		{ "branch and tag", PLACE("a", "prod", a_repos, { .workflow = "w", .tag = "v*" }),
		  PLACE("a", "stage", a_repos, { .workflow = "w", .branch = "*" }), false },
		{ "repo of the match", PLACE("a", "prod", NULL, { .repo = "acme/m", .environment = "x" }),
		  PLACE("b", "prod", NULL, { .repo = "acme/*", .environment = "X" }), true },
	};
	size_t i, k;

	for (size_t c = 0; c < SW_COUNT(cases); c++)
		if (sw_places_overlap(&cases[c].a, &cases[c].b, &i, &k) != cases[c].want ||
		    sw_places_overlap(&cases[c].b, &cases[c].a, &i, &k) != cases[c].want)
			fail_msg("%s: want %d", cases[c].name, cases[c].want);
	/* All of the table above stand side by side, but for the job that does not say its environment. */
	for (size_t x = 0; x < places.n; x++)
		for (size_t y = x + 1; y < places.n; y++)
			if (strcmp(items[y].service, "cart") != 0 && strcmp(items[x].service, "cart") != 0 &&
			    sw_places_overlap(&items[x], &items[y], &i, &k))
				fail_msg("%s/%s and %s/%s", items[x].service, items[x].environment, items[y].service,
				         items[y].environment);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_claim), cmocka_unit_test(test_meant),
		                            cmocka_unit_test(test_find), cmocka_unit_test(test_overlap) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
