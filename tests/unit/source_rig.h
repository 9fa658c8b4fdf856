/* What the tests of sources with mappings share: settings out of YAML text, and requests. */
#ifndef TESTS_SOURCE_RIG_H
#define TESTS_SOURCE_RIG_H

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "base/yaml.h"
#include "plugins.h"

#define ARRIVED ((sw_ms)1790000000000)

/* The settings of a source, as the configuration reads them. *ret_why: the first mistake, or NULL. */
static inline void *settings(const struct sw_source *plugin, const char *yaml, struct sw_arena *a, const char **ret_why)
{
	static const char *const skip[] = { "kind", NULL };
	void *conf = sw_arena_alloc(a, plugin->base.conf_size);
	struct sw_ynode *root = NULL;
	struct sw_diags d;

	sw_diags_init(&d, a);
	(void)sw_yaml_parse(a, "s.yaml", yaml, strlen(yaml), NULL, &root, &d);
	if (!d.errors && sw_keys_read(plugin->base.keys, root, root, skip, a, conf, &d) == 0 && plugin->load)
		plugin->load(conf, root, a, &d);
	*ret_why = d.errors ? d.first->text : NULL;
	return conf;
}

static inline void *good(const struct sw_source *plugin, const char *yaml, struct sw_arena *a)
{
	const char *why;
	void *conf = settings(plugin, yaml, a, &why);

	if (why)
		fail_msg("%s", why);
	return conf;
}

/* Headers as name, value, …, NULL. */
static inline void request(struct sw_request *rq, struct sw_header *h, const char *const *headers, const char *type, const char *body, size_t n)
{
	*rq = (struct sw_request){ .source = "s", .headers = h, .body = body, .body_n = n, .content_type = type, .arrived = ARRIVED };
	for (; headers && *headers; headers += 2)
		h[rq->n_headers++] = (struct sw_header){ headers[0], headers[1] };
}

#endif
