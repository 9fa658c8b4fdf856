/*
 * Fuzzes the loading of a configuration: any text ends in settings that answer every question, or in mistakes.
 * With settings: each place is found again, its line of summary is one line, and events find their places.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"
#include "config/config.h"
#include "shipwatch/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct hook {
	const char **secrets, **tokens;
};
struct robot {
	const char *url;
	sw_dur timeout;
};

static const struct sw_key hook_keys[] = {
	{ "secrets", SW_KEY_SECRETS, offsetof(struct hook, secrets), NULL, "signing" },
	{ "tokens", SW_KEY_SECRETS, offsetof(struct hook, tokens), NULL, "as sent" },
	{ 0 },
};
static const struct sw_key robot_keys[] = {
	{ "url", SW_KEY_SECRET, offsetof(struct robot, url), NULL, "address" },
	{ "timeout", SW_KEY_DUR, offsetof(struct robot, timeout), "10s", "of one try", SW_SECOND, SW_MINUTE },
	{ 0 },
};

static const char *fuzz_credential(const void *conf)
{
	return ((const struct robot *)conf)->url;
}

static const struct sw_source gitlab = { .base = { "gitlab", "", hook_keys, sizeof(struct hook) } };
static const struct sw_source report = { .base = { "report", "", hook_keys, sizeof(struct hook) } };
static const struct sw_channel console = { .base = { "console", "", robot_keys, sizeof(struct robot) },
	                                   .credential = fuzz_credential };
static const struct sw_action exec = { .base = { "exec", "", robot_keys, sizeof(struct robot) } };
static const struct sw_source *const sources[] = { &gitlab, &report, NULL };
static const struct sw_channel *const channels[] = { &console, NULL };
static const struct sw_action *const actions[] = { &exec, NULL };
static const struct sw_signal *const signals[] = { NULL };
static const struct sw_plugins plugins = { sources, signals, channels, actions };

static const char *fuzz_get(void *arg, const char *name)
{
	return *name == 'N' ? NULL : "value";
}

static const struct sw_yenv fuzz_env = { .get = fuzz_get };

static void fuzz_place(const struct sw_config *c, const struct sw_place *p, struct sw_arena *a)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	struct sw_event ev = { .kind = SW_EV_DEPLOYMENT, .source = "gitlab", .repo = "acme/web", .tag = "v1" };
	struct sw_claimed claimed[4];
	size_t n;

	sw_config_summary(c, p, &b);
	SW_ASSERT(b.n > 0);
	if (strcmp(p->service, "*") != 0)
		SW_ASSERT(sw_places_find(&c->places, p->service, p->environment, a));
	ev.environment = p->environment;
	ev.env_tier = "production";
	n = sw_places_claim(&c->places, &ev, a, claimed, SW_COUNT(claimed));
	SW_ASSERT(n <= SW_COUNT(claimed));
	for (size_t i = 0; i < n; i++)
		SW_ASSERT(claimed[i].place && strcmp(claimed[i].place->service, "*") != 0);
	ev.kind = SW_EV_PIPELINE;
	ev.status = SW_ST_SUCCESS;
	ev.environment = NULL;
	ev.workflow = "a/b.yml@refs/heads/x";
	(void)sw_places_claim(&c->places, &ev, a, claimed, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sw_arena a = { 0 };
	struct sw_config *c = NULL;
	struct sw_diags d;
	int r;

	sw_diags_init(&d, &a);
	r = sw_config_load_text("fuzz", (const char *)data, size, &plugins, &fuzz_env, &c, &d);
	SW_ASSERT((r < 0) == (d.errors > 0) && (r < 0) == (c == NULL));
	for (const struct sw_diag *g = d.first; g; g = g->next)
		SW_ASSERT(!strchr(g->text, '\n'));
	for (size_t i = 0; c && i < c->places.n; i++)
		fuzz_place(c, &c->places.items[i], &a);
	sw_config_put(c);
	sw_arena_fini(&a);
	return 0;
}
