/*
 * Mappings and CloudEvents: the first byte picks the source and the shape, then the settings as YAML up to a NUL, then the body, whose
 * beginning is also what the headers say. Settings that are none are replaced by some that use everything.
 */
#include <string.h>

#include "base/str.h"
#include "base/yaml.h"
#include "plugins.h"
#include "shipwatch/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char every[] =
	"delivery: [/id, {header: x-event}]\nunsigned: true\nfields: {repo: [/r, /data/r, {header: x-event, after: a, before: b}], env: /e, sha: /sha, at: /t, duration_s: /d, coverage_pct: /c, ref: /ref}\n"
	"labels: {l: /l, e: ./l}\nevents:\n- {each: /list, when: [{at: [./k, /k], is: \"a*\"}, {header: x-event, is_not: z}], fields: {branch: ./b, tag: ./t, before: ./x},"
	" status: {at: ./s, success: \"o*\", failed: \"**\"}, metrics: /m, commits: /commits}\n- {event: push, fields: {ref: {at: /ref, after_last: \"/\"}}}\n";

static void *settings(const struct sw_source *plugin, const char *yaml, size_t n, struct sw_arena *a, bool *ret_good)
{
	void *conf = sw_arena_alloc(a, plugin->base.conf_size);
	struct sw_ynode *root = NULL;
	struct sw_diags d;

	sw_diags_init(&d, a);
	(void)sw_yaml_parse(a, "f", yaml, n, NULL, &root, &d);
	if (root && sw_keys_read(plugin->base.keys, root, root, NULL, a, conf, &d) == 0)
		plugin->load(conf, root, a, &d);
	*ret_good = root && !d.errors;
	return conf;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const types[] = { "application/json", "application/cloudevents+json", "application/cloudevents-batch+json", "application/x-www-form-urlencoded" };
	const struct sw_source *plugin = n && data[0] & 1 ? &sw_source_cloudevents : &sw_source_generic;
	const uint8_t *nul = n > 1 ? memchr(data + 1, '\0', n - 1) : NULL, *body = nul ? nul + 1 : data + (n != 0);
	struct sw_arena a = { 0 };
	size_t body_n = n - (size_t)(body - data);
	char *copy = sw_arena_memdup(&a, body, body_n), *text = sw_arena_strndup(&a, (const char *)body, body_n < 60 ? body_n : 60);
	struct sw_header h[] = { { "x-event", text }, { "webhook-signature", text }, { "authorization", text }, { "ce-specversion", "1.0" }, { "ce-source", "/s" },
		                 { "ce-type", "dev.cdevents.service.deployed.0.3.0" }, { "ce-id", text } };
	struct sw_request rq = { .source = "fuzz", .headers = h, .n_headers = n && data[0] & 2 ? SW_COUNT(h) : 3, .body = copy, .body_n = body_n, .query = text,
		                 .content_type = types[n ? data[0] >> 2 & 3 : 0], .arrived = 1790000000000 };
	struct sw_proof proof;
	struct sw_events evs;
	struct sw_err err = SW_ERR_INIT;
	bool good = false;
	void *conf = nul ? settings(plugin, (const char *)data + 1, (size_t)(nul - data) - 1, &a, &good) : NULL;

	if (!good)
		conf = settings(plugin, plugin == &sw_source_generic ? every : strchr(every, '\n') + 1, strlen(plugin == &sw_source_generic ? every : strchr(every, '\n') + 1), &a, &good);
	SW_ASSERT(good);
	if (plugin->verify(conf, &rq, &a, &proof, &err) < 0)
		SW_ASSERT(err.text[0]);
	sw_events_init(&evs, &a);
	if (plugin->parse(conf, &rq, &evs, &err) < 0)
		SW_ASSERT(err.text[0]);
	for (size_t i = 0; i < evs.n; i++) {
		SW_ASSERT(evs.items[i].kind != SW_EV_NONE && evs.items[i].at > 0);
		SW_ASSERT(!evs.items[i].title || strlen(evs.items[i].title) <= SW_EVENT_TEXT);
	}
	sw_arena_fini(&a);
	return 0;
}
