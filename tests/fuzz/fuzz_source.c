/* Bodies of webhooks and reports: the first byte picks source and event, the rest is the body. */
#include <string.h>

#include "base/str.h"
#include "plugins.h"
#include "shipwatch/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct { const struct sw_source *plugin; const char *header, *event; } as[] = {
	{ &sw_source_github, "x-github-event", "push" }, { &sw_source_github, "x-github-event", "create" },
	{ &sw_source_github, "x-github-event", "workflow_run" }, { &sw_source_github, "x-github-event", "workflow_job" },
	{ &sw_source_github, "x-github-event", "deployment_status" }, { &sw_source_github, "x-github-event", "status" },
	{ &sw_source_github, "x-github-event", "release" }, { &sw_source_github, "x-github-event", "pull_request" },
	{ &sw_source_gitlab, "x-gitlab-event", "Push Hook" }, { &sw_source_gitlab, "x-gitlab-event", "Pipeline Hook" },
	{ &sw_source_gitlab, "x-gitlab-event", "Job Hook" }, { &sw_source_gitlab, "x-gitlab-event", "Deployment Hook" },
	{ &sw_source_gitlab, "x-gitlab-event", "System Hook" }, { &sw_source_gitea, "x-gitea-event", "push" },
	{ &sw_source_gitea, "x-gitea-event", "create" }, { &sw_source_report, "x-shipwatch-timestamp", "1790000000" },
	{ &sw_source_alertmanager, "authorization", "Bearer x" },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	size_t pick = n ? data[0] % SW_COUNT(as) : 0;
	struct sw_header h = { as[pick].header, as[pick].event };
	struct sw_arena a = { 0 };
	struct sw_events evs;
	struct sw_err err = SW_ERR_INIT;
	long long conf[16] = { 0 };
	char *body = sw_arena_memdup(&a, n ? data + 1 : data, n ? n - 1 : 0);
	struct sw_request rq = { .source = "fuzz", .headers = &h, .n_headers = 1, .body = body, .body_n = n ? n - 1 : 0,
	                         .content_type = n && data[0] & 0x80 ? "application/x-www-form-urlencoded" : "application/json", .arrived = 1790000000000 };

	sw_events_init(&evs, &a);
	if (as[pick].plugin->parse(conf, &rq, &evs, &err) < 0)
		SW_ASSERT(err.text[0]);
	for (size_t i = 0; i < evs.n; i++) {
		SW_ASSERT(evs.items[i].kind != SW_EV_NONE);
		SW_ASSERT(!evs.items[i].title || strlen(evs.items[i].title) <= SW_EVENT_TEXT * 3);
	}
	if (as[pick].plugin->check)
		(void)as[pick].plugin->check(body, rq.body_n, &err);
	sw_arena_fini(&a);
	return 0;
}
