/* Where builds are forwarded as metrics: a Prometheus Pushgateway. */
#include <string.h>

#include "base/str.h"
#include "config/config.h"
#include "config/parts.h"

#define PG(name) offsetof(struct sw_conf_pushgateway, name)
static const struct sw_key pushgateway_keys[] = {
	{ "url", SW_KEY_URL, PG(url), "!", "address of the Pushgateway, without /metrics" },
	{ "user", SW_KEY_STRING, PG(user), NULL, "to sign in with, by Basic" },
	{ "password", SW_KEY_SECRET, PG(password), NULL, "to sign in with" },
	{ "job", SW_KEY_STRING, PG(job), "shipwatch", "the groups' label job" },
	{ "branches", SW_KEY_STRINGS, PG(branches), NULL, "globs: builds of other branches are not forwarded; none: all are" },
	{ "every", SW_KEY_DUR, PG(every), "2s", "what comes within so long is forwarded together", 0, SW_HOUR },
	{ "timeout", SW_KEY_DUR, PG(timeout), "10s", "of one request", 100, SW_MINUTE },
	{ "forget", SW_KEY_DUR, PG(forget), "14d", "a group without a new build for so long is deleted there; 0s: never", 0, 3650 * SW_DAY },
	{ 0 },
};

void config_pushgateway(struct config_load *l, const struct sw_ynode *node)
{
	struct sw_conf_pushgateway *p = &l->c->pushgateway;
	const struct sw_ynode *at = sw_yget(node, "url");
	char *url;
	size_t n;

	if (!node || sw_yaml_is_null(node))
		return;
	(void)sw_keys_read(pushgateway_keys, node, node, NULL, l->a, p, l->d);
	if (!p->url)
		return;
	n = strlen(p->url);
	while (n && p->url[n - 1] == '/')
		n--;
	url = sw_arena_strndup(l->a, p->url, n);
	p->url = url;
	if (strpbrk(url, "?#") || sw_ends(url, "/metrics"))
		sw_diag_error(l->d, at, "url: want the address alone, such as http://pushgateway:9091");
	if (!p->job || !*p->job || strlen(p->job) > 100)
		sw_diag_error(l->d, sw_yget(node, "job"), "job: want a name of at most 100 bytes");
	if (p->password && !p->user)
		sw_diag_error(l->d, sw_yget(node, "password"), "password: it takes a user, too");
	if (p->every > 0 && p->every < SW_SECOND / 10)
		sw_diag_error(l->d, sw_yget(node, "every"), "every: want 0s, or at least 100ms");
	if (p->forget > 0 && p->forget < SW_MINUTE)
		sw_diag_error(l->d, sw_yget(node, "forget"), "forget: want 0s, or at least 1m");
}
